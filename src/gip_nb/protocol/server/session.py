"""The server's session settings: what they are at first, and what may be made of them. Pure.

Everything here is canonical (GA) but for `check_keys`, which looks at what the wire said: a setting of the
other dialect is an unknown parameter, as it is to the real API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.audio_formats import FORMATS, PCM16
from gip_nb.protocol.events import BETA, GA
from gip_nb.protocol.server.checks import (
    audio_format,
    check_boolean,
    check_integer,
    check_max_tokens,
    check_number,
    check_one_of,
    check_string,
    check_strings,
    check_tool_choice,
    check_tools,
    check_voice,
    missing,
    not_one_of,
    text_field,
    unknown_parameter,
    wrong_type,
)
from gip_nb.protocol.server.parts import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gip_nb.protocol.events import Dialect

__all__ = [
    "check_keys",
    "check_modalities",
    "check_voice_stays",
    "default_session",
    "in_words_of",
    "transcription_refused",
    "updated_session",
    "voice_of",
]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The only names that beta's published shape of a session allows.
_BETA_MODELS = frozenset(
    (
        "gpt-realtime",
        "gpt-realtime-2025-08-28",
        "gpt-4o-realtime-preview",
        "gpt-4o-realtime-preview-2024-10-01",
        "gpt-4o-realtime-preview-2024-12-17",
        "gpt-4o-realtime-preview-2025-06-03",
        "gpt-4o-mini-realtime-preview",
        "gpt-4o-mini-realtime-preview-2024-12-17",
    )
)
_INSTRUCTIONS = "This is the rehearsal server. It follows plain rules and no instructions."
_SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_NOT_IN_BETA = "idle_timeout_ms"
_EAGERNESS = ("low", "medium", "high", "auto")
_SEMANTIC_VAD = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_TURN_DETECTION = {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}


_KEYS: Mapping[Dialect, frozenset[str]] = {
    GA: _names(
        "type id object audio include instructions max_output_tokens model output_modalities"
        " parallel_tool_calls prompt reasoning tool_choice tools tracing truncation expires_at"
    ),
    BETA: _names(
        "id object modalities instructions voice speed input_audio_format output_audio_format"
        " input_audio_transcription input_audio_noise_reduction turn_detection tools tool_choice temperature"
        " max_response_output_tokens model client_secret tracing prompt include expires_at"
    ),
}
_AUDIO_KEYS = {
    "input": frozenset(("format", "transcription", "noise_reduction", "turn_detection")),
    "output": frozenset(("format", "voice", "speed")),
}
_CAN_BE_OFF = _names("transcription noise_reduction turn_detection tracing prompt include")
_MODALITIES: Mapping[Dialect, tuple[tuple[str, ...], ...]] = {
    GA: (("audio",), ("text",)),
    BETA: (("text",), ("audio", "text")),
}
# Where beta keeps what GA nests, so that an error names the field that was sent.
_BETA_PLACES = (
    ("audio.input.turn_detection", "turn_detection"),
    ("audio.input.transcription", "input_audio_transcription"),
    ("audio.input.noise_reduction", "input_audio_noise_reduction"),
    ("audio.input.format", "input_audio_format"),
    ("audio.output.format", "output_audio_format"),
    ("audio.output.voice", "voice"),
    ("audio.output.speed", "speed"),
    ("max_output_tokens", "max_response_output_tokens"),
)


def default_session(
    session_id: str, model: str, dialect: Dialect, expires_at: int | None = None
) -> dict[str, Any]:
    """What `session.created` shows: server VAD, PCM16 at 24 000 Hz, sound, no transcription.

    Args:
        session_id: its id.
        model: as the query named it.
        dialect: of the connection.
        expires_at: when the session ends, Unix time in seconds; None where it does not.
    """
    session: dict[str, Any] = {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model if dialect == GA else _beta_model(model),
        "output_modalities": ["audio"],
        "instructions": _INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "audio": {
            "input": {
                "format": PCM16.as_ga(),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(_SERVER_VAD),
            },
            "output": {"format": PCM16.as_ga(), "voice": "alloy", "speed": 1.0},
        },
    }
    if expires_at is not None:
        session["expires_at"] = expires_at
    if dialect == BETA:
        session["temperature"] = 0.8
    else:
        session |= {"truncation": "auto", "prompt": None, "include": None}
    return session


def _beta_model(model: str) -> str | None:
    """As a provider's own server names it: without a gateway's prefix; null where beta has no such model."""
    name = model.rpartition("/")[2]
    return name if name in _BETA_MODELS else None


def check_keys(given: Mapping[str, Any], dialect: Dialect, param: str = "session") -> None:
    """Looks at the settings as they were on the wire.

    Raises:
        Refused: a setting that this dialect has not, modalities that do not go together, no `type` in GA.
    """
    for key in given:
        if key not in _KEYS[dialect]:
            raise unknown_parameter(f"{param}.{key}")
    if dialect == GA:
        _check_ga_keys(given, param)
    else:
        _check_beta_keys(given, param)
    check_modalities(given, dialect, param)


def _check_ga_keys(given: Mapping[str, Any], param: str) -> None:
    if given.get("type") is None:
        raise missing(f"{param}.type")
    audio = given.get("audio")
    for side, keys in _AUDIO_KEYS.items():
        inner = audio.get(side) if isinstance(audio, dict) else None
        if not isinstance(inner, dict):
            continue
        for key in inner:
            if key not in keys:
                raise unknown_parameter(f"{param}.audio.{side}.{key}")
        if isinstance(inner.get("format"), str):  # beta's names
            raise wrong_type(f"{param}.audio.{side}.format", "an object")


def _check_beta_keys(given: Mapping[str, Any], param: str) -> None:
    for key in ("input_audio_format", "output_audio_format"):
        if given.get(key) is not None and not isinstance(given[key], str):
            raise not_one_of(given[key], [known.beta for known in FORMATS], f"{param}.{key}")
    turn_detection = given.get("turn_detection")
    if isinstance(turn_detection, dict) and _NOT_IN_BETA in turn_detection:
        raise unknown_parameter(f"{param}.turn_detection.{_NOT_IN_BETA}")
    if given.get("voice") is not None:
        check_string(given["voice"], f"{param}.voice")


def in_words_of(dialect: Dialect, refused: Refused) -> Refused:
    """The same refusal, naming the field as the dialect writes it."""
    if dialect == GA or refused.param is None:
        return refused
    message, param = refused.message, refused.param
    for ga, beta in _BETA_PLACES:
        message, param = message.replace(ga, beta), param.replace(ga, beta)
    return Refused(refused.code, message, param)


def check_modalities(given: Mapping[str, Any], dialect: Dialect, param: str) -> None:
    """Looks at the modalities as they were on the wire.

    Raises:
        Refused: they do not go together in this dialect.
    """
    name = "modalities" if dialect == BETA else "output_modalities"
    value = given.get(name)
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong_type(f"{param}.{name}", "an array of strings")
    if tuple(sorted(value)) not in _MODALITIES[dialect]:
        choices = " and ".join(str(list(one)) for one in _MODALITIES[dialect])
        raise Refused(
            "invalid_value",
            f"Invalid modalities: {value}. Supported combinations are: {choices}.",
            f"{param}.{name}",
        )


def transcription_refused(param: str) -> Refused:
    """Every session here talks; with `create_response: false` it only transcribes.

    The words are the API's: which kind a session is was decided in its handshake.
    """
    return Refused(
        "invalid_value",
        "Passing a transcription session update event to a realtime session is not allowed.",
        param,
    )


def updated_session(session: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The session with a partial one laid over it.

    What is absent stays; a null turns off what can be off and leaves the rest alone; turn detection is taken
    as a whole, completed with its defaults.

    Raises:
        Refused: a value that the API does not take.
    """
    if change.get("type") == "transcription":
        raise transcription_refused("session.type")
    if change.get("type", "realtime") != "realtime":
        raise Refused(
            "invalid_value",
            f"Invalid value: '{change['type']}'. This server offers sessions of type 'realtime'.",
            "session.type",
        )
    out = {**session, "audio": {side: dict(inner) for side, inner in session["audio"].items()}}
    for key, value in change.items():
        if key == "audio":
            _lay_audio(out["audio"], value)
        elif key in _CHECKS and value is not None:
            _CHECKS[key](value, f"session.{key}")
            out[key] = value
        elif value is None and key in _CAN_BE_OFF:
            out[key] = None
        # What else there is (id, object, model, ...) is the server's to say.
    return out


def voice_of(session: Mapping[str, Any]) -> str:
    """The name of its voice, which GA may write as an object with an id."""
    voice = session["audio"]["output"]["voice"]
    return str(voice if isinstance(voice, str) else voice["id"])


def check_voice_stays(session: Mapping[str, Any], voice: str, param: str) -> None:
    """Looks at what cannot change any more once the assistant has spoken.

    Raises:
        Refused: the voice is another than the session's.
    """
    if voice != voice_of(session):
        raise Refused(
            "cannot_update_voice",
            "Cannot update a conversation's voice if assistant audio is present.",
            param,
        )


# ----------------------------------------------------------------------------------------------------- pieces


def _lay_audio(audio: dict[str, dict[str, Any]], change: object) -> None:
    if change is None:
        return
    if not isinstance(change, dict):
        raise wrong_type("session.audio", "an object")
    for side, given in change.items():
        if side not in audio:
            raise unknown_parameter(f"session.audio.{side}")
        if given is None:
            continue
        if not isinstance(given, dict):
            raise wrong_type(f"session.audio.{side}", "an object")
        for key, value in given.items():
            if value is None and key not in _CAN_BE_OFF:
                continue
            param = f"session.audio.{side}.{key}"
            audio[side][key] = _AUDIO_VALUES[key](value, param) if key in _AUDIO_VALUES else value


def _turn_detection(value: object, param: str) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type(param, "an object")
    kind = value.get("type", "server_vad")
    if not isinstance(kind, str) or kind not in _TURN_DETECTION:
        raise not_one_of(kind, tuple(_TURN_DETECTION), f"{param}.type")
    out = dict(_TURN_DETECTION[kind])
    for key, inner in value.items():
        # Clients send the settings of one kind along with the other's name; the API knows both.
        if key not in _SERVER_VAD and key not in _SEMANTIC_VAD:
            raise unknown_parameter(f"{param}.{key}")
        if inner is not None and key in out:
            _check_turn_setting(key, inner, f"{param}.{key}")
            out[key] = inner
    return out


def _check_turn_setting(key: str, value: object, param: str) -> None:
    if key in ("create_response", "interrupt_response"):
        check_boolean(value, param)
    elif key == "eagerness":
        check_one_of(value, _EAGERNESS, param)
    elif key == "threshold":
        check_number(value, 0.0, 1.0, param)
    elif key == "idle_timeout_ms":
        check_integer(value, 5_000, 30_000, param)
    elif key.endswith("_ms"):
        check_integer(value, 0, 60_000, param)


def _transcription(value: object, param: str) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type(param, "an object")
    for key, inner in value.items():
        if key not in _TRANSCRIPTION_KEYS:
            raise unknown_parameter(f"{param}.{key}")
        if inner is not None:
            _TRANSCRIPTION_KEYS[key](inner, f"{param}.{key}")
    return {**value, "model": value.get("model") or "whisper-1"}


def _noise_reduction(value: object, param: str) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type(param, "an object")
    for key in value:
        if key not in ("type", "strength"):
            raise unknown_parameter(f"{param}.{key}")
    check_one_of(value.get("type"), ("near_field", "far_field"), f"{param}.type")
    if value.get("strength") is None:
        return {"type": value["type"]}
    check_number(value["strength"], 0.0, 1.0, f"{param}.strength")
    return {"type": value["type"], "strength": float(value["strength"])}


def _kept(check: Callable[[object, str], None]) -> Callable[[object, str], object]:
    def checked(value: object, param: str) -> object:
        check(value, param)
        return value

    return checked


def _check_speed(value: object, param: str) -> None:
    check_number(value, 0.25, 1.5, param)


def _check_modality_list(value: object, param: str) -> None:
    if value not in (["audio"], ["text"]):
        raise not_one_of(value, ("['audio']", "['text']"), param)


def _check_include(value: object, param: str) -> None:
    check_strings(value, param)
    for one in value if isinstance(value, list) else ():
        check_one_of(one, ("item.input_audio_transcription.logprobs",), param)


def _check_prompt(value: object, param: str) -> None:
    if not isinstance(value, dict):
        raise wrong_type(param, "an object")
    text_field(value, "id", param)


def _check_reasoning(value: object, param: str) -> None:
    if not isinstance(value, dict):
        raise wrong_type(param, "an object")
    check_one_of(value.get("effort"), ("minimal", "low", "medium", "high", "xhigh"), f"{param}.effort")


def _check_tracing(value: object, param: str) -> None:
    if not isinstance(value, dict):
        check_one_of(value, ("auto",), param)


def _check_truncation(value: object, param: str) -> None:
    if not isinstance(value, dict):
        check_one_of(value, ("auto", "disabled"), param)
        return
    check_one_of(value.get("type"), ("retention_ratio",), f"{param}.type")
    check_number(value.get("retention_ratio"), 0.0, 1.0, f"{param}.retention_ratio")


def _check_delay(value: object, param: str) -> None:
    check_one_of(value, ("minimal", "low", "medium", "high", "xhigh"), param)


def _check_temperature(value: object, param: str) -> None:
    check_number(value, 0.6, 1.2, param)


_TRANSCRIPTION_KEYS: Mapping[str, Callable[[object, str], None]] = {
    "delay": _check_delay,
    "keywords": check_strings,
    "language": check_string,
    "languages": check_strings,
    "model": check_string,
    "prompt": check_string,
}
_CHECKS: Mapping[str, Callable[[object, str], None]] = {
    "include": _check_include,
    "instructions": check_string,
    "max_output_tokens": check_max_tokens,
    "output_modalities": _check_modality_list,
    "parallel_tool_calls": check_boolean,
    "prompt": _check_prompt,
    "reasoning": _check_reasoning,
    "temperature": _check_temperature,
    "tool_choice": check_tool_choice,
    "tools": check_tools,
    "tracing": _check_tracing,
    "truncation": _check_truncation,
}
_AUDIO_VALUES: Mapping[str, Callable[[object, str], object]] = {
    "format": audio_format,
    "noise_reduction": _noise_reduction,
    "speed": _kept(_check_speed),
    "transcription": _transcription,
    "turn_detection": _turn_detection,
    "voice": _kept(check_voice),
}
