"""The values of the server's session settings, each checked and completed; all canonical. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    not_one_of,
    text_field,
    unknown_parameter,
    wrong_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CAN_BE_OFF", "CHECKS", "SERVER_VAD", "lay_audio"]

SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_EAGERNESS = ("low", "medium", "high", "auto")
_SEMANTIC_VAD = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_TURN_DETECTION = {"server_vad": SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}

CAN_BE_OFF = frozenset(("transcription", "noise_reduction", "turn_detection", "tracing", "prompt", "include"))
"""Settings that a null turns off; every other setting it leaves alone."""


def lay_audio(audio: dict[str, dict[str, Any]], change: object) -> None:
    """Lays a client's `audio` over the session's.

    Args:
        audio: of the session; is changed.
        change: as the client sent it, canonical.

    Raises:
        Refused: a value that the API does not take.
    """
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
            if value is None and key not in CAN_BE_OFF:
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
        if key not in SERVER_VAD and key not in _SEMANTIC_VAD:
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
CHECKS: Mapping[str, Callable[[object, str], None]] = {
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
"""Of the settings outside `audio`: what looks at each."""

_AUDIO_VALUES: Mapping[str, Callable[[object, str], object]] = {
    "format": audio_format,
    "noise_reduction": _noise_reduction,
    "speed": _kept(_check_speed),
    "transcription": _transcription,
    "turn_detection": _turn_detection,
    "voice": _kept(check_voice),
}
