"""What a session can be asked for, by which names, and the API's own fields made of it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gip_nb.errors import BadSetting, UnknownOption
from gip_nb.protocol.audio_formats import FORMATS, PCM16, format_told
from gip_nb.protocol.configuration import overlaid, side_of
from gip_nb.protocol.dialects import session_to_canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "NAMED_OPTIONS",
    "RESPONSE_OPTIONS",
    "SESSION_OPTIONS",
    "UPDATE_OPTIONS",
    "canonical_session",
    "check_formats",
    "check_options",
    "check_response",
    "check_texts",
    "check_update",
    "check_voice",
    "nearest",
    "overlaid",
]

_TRANSCRIPTION_MODEL = "whisper-1"
_TURN_DETECTION = ("server_vad", "semantic_vad", "none")

# What may stand in `**session`, in either dialect's name, beside the named arguments of talk() and connect().
SESSION_OPTIONS = frozenset(
    {
        "audio",
        "include",
        "input_audio_format",
        "input_audio_noise_reduction",
        "input_audio_transcription",
        "max_output_tokens",
        "max_response_output_tokens",
        "modalities",
        "output_audio_format",
        "output_modalities",
        "parallel_tool_calls",
        "prompt",
        "reasoning",
        "speed",
        "temperature",
        "tool_choice",
        "tracing",
        "truncation",
    }
)
NAMED_OPTIONS = frozenset(
    {
        "api_key",
        "approve",
        "approve_timeout_s",
        "base_url",
        "budget_usd",
        "dialect",
        "extra_headers",
        "extra_query",
        "history",
        "instructions",
        "log",
        "log_limit_bytes",
        "model",
        "prices",
        "tool_slow",
        "tool_timeout_s",
        "response_timeout_s",
        "retry",
        "reconnect",
        "tools",
        "transcription",
        "turn_detection",
        "voice",
    }
)
# What a running session may change.
UPDATE_OPTIONS = SESSION_OPTIONS | {"instructions", "tools", "transcription", "turn_detection", "voice"}
# What one response may have of its own, in either dialect's name.
RESPONSE_OPTIONS = frozenset(
    {
        "audio",
        "conversation",
        "input",
        "instructions",
        "max_output_tokens",
        "max_response_output_tokens",
        "metadata",
        "modalities",
        "output_audio_format",
        "output_modalities",
        "parallel_tool_calls",
        "prompt",
        "reasoning",
        "temperature",
        "tool_choice",
        "tools",
        "voice",
    }
)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, None where none is like it."""
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def check_options(options: Mapping[str, object]) -> None:
    """Raise for a keyword that is none of the session's.

    Raises:
        UnknownOption: with the nearest known name.
    """
    known = SESSION_OPTIONS | NAMED_OPTIONS
    for name in options:
        if name not in SESSION_OPTIONS | {"extra_headers", "extra_query"}:
            raise UnknownOption(name, nearest(name, known), known)


def check_update(fields: Mapping[str, object]) -> None:
    """Raise for what a running session cannot change.

    Raises:
        UnknownOption: with the nearest name of those that it can.
        BadSetting: an option of `talk()` and `connect()` that holds for a whole session.
    """
    for name in fields:
        if name == "budget_usd":
            raise BadSetting(
                "budget_usd is no setting of the server's",
                f"session.budget_usd = {fields[name]!r} changes it while the session runs.",
            )
        if name in NAMED_OPTIONS - UPDATE_OPTIONS:
            raise BadSetting(
                f"{name} cannot change while a session runs",
                f"close it and begin another: talk({name}=...) or connect({name}=...).",
            )
        if name not in UPDATE_OPTIONS:
            raise UnknownOption(name, nearest(name, UPDATE_OPTIONS), UPDATE_OPTIONS)
    tools = fields.get("tools")
    if tools is not None and not (
        isinstance(tools, list | tuple) and all(isinstance(t, Mapping) for t in tools)
    ):
        raise BadSetting(
            f"tools is {type(tools).__name__} of something else than the API's objects",
            "give functions to talk(tools=[...]) or connect(tools=[...]); update() takes the API's objects: "
            "[{'type': 'function', 'name': ...}].",
        )


def check_response(overrides: Mapping[str, object]) -> None:
    """Raise for a field that no response has. Nobody would wait for the server's word about it.

    Raises:
        UnknownOption: with the nearest known name.
    """
    for name in overrides:
        if name not in RESPONSE_OPTIONS:
            raise UnknownOption(name, nearest(name, RESPONSE_OPTIONS), RESPONSE_OPTIONS)


def check_voice(asked: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise for another voice, of a model that has spoken.

    Args:
        asked: canonical fields of an update.
        now: the session as it is, canonical.

    Raises:
        BadSetting: it cannot change any more.
    """
    wanted, has = (_voice_of(session) for session in (asked, now))
    if wanted is not None and wanted != has:
        stays = "as it is" if has is None else repr(has)
        raise BadSetting(
            f"the voice stays {stays}: it cannot change once the model has spoken in a session",
            f"begin another session with voice={wanted!r}.",
        )


def _voice_of(session: Mapping[str, Any]) -> object:
    audio = session.get("audio")
    output = audio.get("output") if isinstance(audio, dict) else None
    return output.get("voice") if isinstance(output, dict) else None


def check_texts(**given: object) -> None:
    """Raise for what is no text.

    Raises:
        BadSetting: naming the option and the type.
    """
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            raise BadSetting(f"{name} is a {type(value).__name__}", f"give {name} as text.")


def canonical_session(
    *,
    instructions: str | None = None,
    voice: str | None = None,
    turn_detection: object = ...,
    transcription: bool | str | Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Canonical session fields from our short options and the API's own, either dialect; only what is given.

    Args:
        instructions: the system prompt.
        voice: the model's voice.
        turn_detection: as in `resolve`; `...` is "not given", since None means push to talk.
        transcription: as in `resolve`; None is "not given".
        **fields: session fields in either dialect's name; `tools` as the API's objects.

    Raises:
        UnknownOption: for a field that is none.
        BadSetting: for a value that cannot be, and for what holds for a whole session.
    """
    check_texts(instructions=instructions, voice=voice)
    check_update(fields)
    session = session_to_canonical(dict(fields), None)
    if instructions is not None:
        session["instructions"] = instructions
    if voice is not None:
        side_of(session, "output")["voice"] = voice
    if turn_detection is not ...:
        side_of(session, "input").setdefault("turn_detection", _turn_detection(turn_detection))
    if transcription is not None:
        side_of(session, "input").setdefault("transcription", _transcription(transcription))
    check_formats(session)
    return session


def check_formats(session: Mapping[str, Any]) -> None:
    """Raise for an audio format that is none of the API's.

    Args:
        session: canonical fields.

    Raises:
        BadSetting: naming it.
    """
    for side in ("input", "output"):
        told = format_told(dict(session), side)
        if told is not None and told not in [f.as_ga() for f in FORMATS] + [{"type": PCM16.type}]:
            raise BadSetting(
                f"{side} audio format {told!r}",
                "use 'pcm16' (24 000 Hz), 'g711_ulaw' or 'g711_alaw', or the API's object for one of them.",
            )


def _transcription(given: object) -> dict[str, Any] | None:
    if given is False:
        return None
    if given is True:
        return {"model": _TRANSCRIPTION_MODEL}
    if isinstance(given, str):
        return {"model": given}
    if isinstance(given, Mapping):
        return dict(given)
    raise BadSetting(f"transcription {given!r}", "use True, False, a model's name or the API's object.")


def _turn_detection(given: object) -> dict[str, Any] | None:
    if given is None or given == "none":
        return None
    if isinstance(given, str):
        if given not in _TURN_DETECTION:
            near = nearest(given, _TURN_DETECTION)
            hint = f"did you mean {near!r}? " if near else ""
            raise BadSetting(
                f"turn_detection {given!r}",
                f"{hint}use 'server_vad', 'semantic_vad', None or the API's object.",
            )
        return {"type": given}
    if isinstance(given, Mapping):
        return dict(given)
    raise BadSetting(
        f"turn_detection {given!r}", "use 'server_vad', 'semantic_vad', None or the API's object."
    )
