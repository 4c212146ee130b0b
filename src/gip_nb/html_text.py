"""What people, models and tools said, as HTML that stays text in any notebook host. Pure."""

from __future__ import annotations

import html
import re

__all__ = ["MOST_CHARS", "attribute", "escaped", "printable", "text_html"]

MOST_CHARS = 20_000
# What no HTML may hold; half of a surrogate pair cannot even be sent.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LINE_END = re.compile("\r\n|[\r\n\u2028\u2029]")
# Notebook hosts take what stands between these for mathematics, and mathematics can hold links.
_MATHS = re.compile(r"[$\\]")


def printable(text: str) -> str:
    """The text with a mark for each character that could not be shown, or sent."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)


def escaped(text: str) -> str:
    """The text between two tags."""
    # In an element of its own none of them begins anything.
    return _MATHS.sub(lambda found: f"<span>{found[0]}</span>", html.escape(printable(text)))


def attribute(text: str) -> str:
    """The text as the value of an attribute, between double quotes."""
    return html.escape(printable(text))


def text_html(text: str, line_end: str = "<br>", most_chars: int = MOST_CHARS) -> str:
    """A text of any length between two tags, its lines kept; a cut is said after it."""
    cut = f" <small>[cut: {len(text):,} characters in all]</small>" if len(text) > most_chars else ""
    return _LINE_END.sub(line_end, escaped(text[:most_chars])) + cut
