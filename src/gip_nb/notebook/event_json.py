"""One event to read: indented JSON with each sound said in milliseconds, and a line about it. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gip_nb.journal.event_table import event_text

if TYPE_CHECKING:
    from gip_nb.journal.log import EventLog
    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.frames import Event

__all__ = ["note_of", "readable_json"]

_MOST_CHARACTERS = 100_000
_MOST_UNREADABLE = 4_000
_MOST_NOTE = 160
_AUDIO_FIELDS = ("delta", "audio")
# What no field says is sound, and nobody can read all the same.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{256,}={0,2}")


def readable_json(log: EventLog, n: int, audio_ms: float | None, input_format: AudioFormat) -> str:
    """Row `n` as indented JSON, never with base64 in it.

    Args:
        log: whose row.
        n: which.
        audio_ms: how much audio it carries; None: none.
        input_format: of sound within an item that was added.
    """
    row = log.rows[n]
    fields = log.fields(n)
    if not fields:
        text = row.skeleton[:_MOST_UNREADABLE].decode("utf-8", "replace")
        shown: Any = {"unreadable": _without_base64(text)}
    else:
        shown = _readable(fields, input_format)
        if audio_ms is not None:
            name = next((f for f in _AUDIO_FIELDS if f in fields), _AUDIO_FIELDS[0])
            shown[name] = _sound(audio_ms)
    found = json.dumps(shown, indent=2, ensure_ascii=False, default=str)
    if len(found) <= _MOST_CHARACTERS:
        return found
    rest = len(found) - _MOST_CHARACTERS
    return f"{found[:_MOST_CHARACTERS]}\n… {rest} more characters: session.payload({n}) has all of it"


def note_of(event: Event) -> str | None:
    """The few words that say what this event is about, if any.

    An error's code and message, how a response ended, or what was said.
    """
    error = event.part("error") or event.part("response").get("status_details")
    error = error.get("error", error) if isinstance(error, dict) else {}
    parts: list[Any] = []
    if event.type == "response.done":
        parts.append(event.part("response").get("status"))
    if isinstance(error, dict) and error:
        parts += [error.get("code") or error.get("reason") or error.get("type"), error.get("message")]
    words = ": ".join(p for p in parts if isinstance(p, str) and p)
    words = " ".join((words or event_text(event) or event.text("message") or event.text("name")).split())
    if _BASE64.search(words):
        words = _without_base64(words)
    return words if len(words) <= _MOST_NOTE else f"{words[:_MOST_NOTE]}…"


def _readable(value: Any, audio_format: AudioFormat) -> Any:  # noqa: ANN401 - any part of an event
    if isinstance(value, str):
        return _without_base64(value)
    if isinstance(value, list):
        return [_readable(inner, audio_format) for inner in value]
    if not isinstance(value, dict):
        return value
    sounds = str(value.get("type", "")).endswith("audio")
    return {
        name: _sound(_base64_ms(inner, audio_format))
        if sounds and name == "audio" and isinstance(inner, str) and inner
        else _readable(inner, audio_format)
        for name, inner in value.items()
    }


def _base64_ms(encoded: str, audio_format: AudioFormat) -> float:
    size = len(encoded) * 3 // 4 - encoded[-2:].count("=")
    return size / audio_format.sample_bytes / audio_format.rate_hz * 1000


def _sound(ms: float) -> str:
    return f"{round(ms, 1):g} ms of audio"


def _without_base64(text: str) -> str:
    if len(text) < 256:  # noqa: PLR2004 - the shortest that the pattern finds
        return text
    return _BASE64.sub(lambda found: f"[{len(found[0])} characters like base64]", text)
