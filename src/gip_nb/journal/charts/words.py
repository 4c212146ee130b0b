"""What people and models said, made fit for a chart: one line, bounded, nothing in it that acts. Pure.

Charts are drawn from JSON and end in canvas, SVG, tooltips and HTML files. None of these may take a
transcript for anything but words.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["clean", "columns", "shortened", "wrapped"]

ELLIPSIS = "…"
# Where HTML would see a tag, an end of a script or a comment: a word joiner between, which nobody sees.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_JOINER = "\u2060"
# Half of a surrogate pair cannot be written down; these say which way text runs, beyond its own end.
_HALF = re.compile("[\ud800-\udfff\ufffe\uffff]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ZERO_WIDTH_JOINER = "\u200d"
_SKIN = range(0x1F3FB, 0x1F400)
_FLAG = range(0x1F1E6, 0x1F200)


def clean(text: str) -> str:
    """Text on one line, without what could act: controls, changes of direction, tags."""
    found = _DIRECTION.sub("", _HALF.sub("\ufffd", text))
    return _TAG.sub("<" + _JOINER, _SPACE.sub(" ", found).strip())


def shortened(text: str, most_chars: int) -> str:
    """The beginning of a text, no sign cut in two; an ellipsis says that there is more.

    Args:
        text: any; see `clean`.
        most_chars: 1 or more, the ellipsis included.
    """
    found = clean(text)
    if len(found) <= most_chars:
        return found
    end = most_chars - 1
    while end > 0 and not _may_cut(found, end):
        end -= 1
    return found[:end].rstrip() + ELLIPSIS


def _may_cut(text: str, at: int) -> bool:
    after, before = text[at], text[at - 1]
    if ord(after) in _FLAG and ord(before) in _FLAG:
        flags = 0
        while flags < at and ord(text[at - 1 - flags]) in _FLAG:
            flags += 1
        return flags % 2 == 0
    return not (
        unicodedata.category(after) in {"Mn", "Mc", "Me"}
        or ord(after) in _SKIN
        or _ZERO_WIDTH_JOINER in {after, before}
    )


def columns(text: str) -> int:
    """How wide a text is, in narrow letters: wide signs count two, combining ones none."""
    return sum(_sign_columns(sign) for sign in text)


def _sign_columns(sign: str) -> int:
    if unicodedata.category(sign) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in {"W", "F"} else 1


def fitted(text: str, most_columns: int) -> str:
    """The beginning of a text that fits into so many columns, "" where nothing sensible does."""
    found = clean(text)
    if columns(found) <= most_columns:
        return found
    end = taken = 0
    while end < len(found) and taken + _sign_columns(found[end]) < most_columns:
        taken += _sign_columns(found[end])
        end += 1
    while end > 0 and not _may_cut(found, end):
        end -= 1
    return found[:end].rstrip() + ELLIPSIS if end > 1 else ""


def wrapped(text: str, most_columns: int, most_lines: int) -> list[str]:
    """A text as lines; words that are longer than a line are cut, the last line says where more was.

    Args:
        text: any; see `clean`.
        most_columns: see `columns`; 2 or more.
        most_lines: 1 or more.
    """
    lines: list[str] = []
    line = ""
    for word in clean(text).split(" "):
        longer = f"{line} {word}" if line else word
        if columns(longer) <= most_columns:
            line = longer
            continue
        if line:
            lines.append(line)
        *whole, line = _cut_word(word, most_columns)
        lines += whole
        if len(lines) > most_lines:
            break
    lines += [line] if line else []
    if len(lines) <= most_lines:
        return lines
    return [
        *lines[: most_lines - 1],
        fitted(lines[most_lines - 1], most_columns - 1).rstrip(ELLIPSIS) + ELLIPSIS,
    ]


def _cut_word(word: str, most_columns: int) -> list[str]:
    pieces: list[str] = []
    start = taken = 0
    for at, sign in enumerate(word):
        wide = _sign_columns(sign)
        if taken + wide > most_columns and at > start and _may_cut(word, at):
            pieces.append(word[start:at])
            start, taken = at, 0
        taken += wide
    return [*pieces, word[start:]]
