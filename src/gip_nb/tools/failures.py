"""A tool's exception, as text: a line or two for the model, the traceback for the user. Pure."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path

__all__ = ["failure_text", "message_of", "traceback_text"]

MAX_MESSAGE_CHARS = 1000
MAX_TRACEBACK_CHARS = 8000
_MAX_FRAMES = 30
_OURS = str(Path(__file__).parents[1])
_LIBRARIES = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")})
# What a kernel calls the source of a cell: a file that nobody finds.
_CELL = re.compile(r".*[/\\]ipykernel_\d+[/\\]\d+\.py")


def failure_text(error: BaseException) -> str:
    """For the model: type, message, and the last line of the user's own code."""
    message = _cut(message_of(error), MAX_MESSAGE_CHARS)
    text = f"error: {type(error).__name__}: {message}" if message else f"error: {type(error).__name__}"
    last = _last_own_line(error)
    return f"{text} ({last})" if last else text


def message_of(error: BaseException) -> str:
    """What it says. Never raises."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - the user's own exception, whose text may fail too, in any way
        return "(no text)"


def _last_own_line(error: BaseException) -> str:
    """Where in the user's code, as far as the source is known."""
    own = [f for f in _frames(error) if not f.filename.startswith((*_LIBRARIES, _OURS))]
    if not own or not own[-1].line:
        return ""
    return f"in {own[-1].name}, line {own[-1].lineno}: {_cut(own[-1].line, 200)}"


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The stack from the tool on: not the machinery that called it."""
    try:
        stack = traceback.StackSummary.extract(
            traceback.walk_tb(error.__traceback__), limit=-_MAX_FRAMES, lookup_lines=True
        )
    except BaseException:  # noqa: BLE001 - a source that cannot be read, by a loader of the user's, is no reason to lose the error
        return []
    ours = [n for n, frame in enumerate(stack) if frame.filename.startswith(_OURS)]
    # It may have called us in its turn: only what stands before it goes.
    first = next((n for n in range(len(stack)) if n not in ours), len(stack))
    return list(stack[first:])


def traceback_text(error: BaseException) -> str:
    """For the user: as a cell would show it, without the machinery that called the tool; bounded."""
    lines = [f'  File "{_place(f)}", line {f.lineno}, in {f.name}\n' + _source(f) for f in _frames(error)]
    head = "Traceback (most recent call last):\n" if lines else ""
    name = type(error).__name__
    message = _cut(message_of(error), MAX_MESSAGE_CHARS)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = ""
    if cause is not None and cause is not error:
        told = _cut(message_of(cause), MAX_MESSAGE_CHARS)
        before = f"{type(cause).__name__}: {told}\n\nwhich led to:\n\n"
    return _cut(
        f"{before}{head}{''.join(lines)}{name}: {message}"
        if message
        else f"{before}{head}{''.join(lines)}{name}",
        MAX_TRACEBACK_CHARS,
    )


def _place(frame: traceback.FrameSummary) -> str:
    return "<cell>" if _CELL.fullmatch(frame.filename) else frame.filename


def _source(frame: traceback.FrameSummary) -> str:
    return f"    {frame.line}\n" if frame.line else ""


def _cut(text: str, limit: int) -> str:
    """At most so much, its beginning and its end; never half of a surrogate pair."""
    text = text.encode("utf-8", "replace").decode("utf-8") if len(text) <= limit * 4 else text
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}\n[... {len(text) - 2 * half} characters ...]\n{text[-half:]}"
    return text.encode("utf-8", "replace").decode("utf-8")
