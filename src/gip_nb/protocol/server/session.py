"""The server's session settings: what they are at first, and what may be made of them. Pure.

Everything here is canonical (GA) but for `check_keys`, which looks at what the wire said: a setting of the
other dialect is an unknown parameter, as it is to the real API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.audio_formats import FORMATS, PCM16
from gip_nb.protocol.events import BETA, GA
from gip_nb.protocol.server.checks import (
    check_string,
    missing,
    not_one_of,
    unknown_parameter,
    wrong_type,
)
from gip_nb.protocol.server.parts import Refused
from gip_nb.protocol.server.session_values import CAN_BE_OFF, CHECKS, SERVER_VAD, lay_audio

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_NOT_IN_BETA = "idle_timeout_ms"
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
                "turn_detection": dict(SERVER_VAD),
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
            lay_audio(out["audio"], value)
        elif key in CHECKS and value is not None:
            CHECKS[key](value, f"session.{key}")
            out[key] = value
        elif value is None and key in CAN_BE_OFF:
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
