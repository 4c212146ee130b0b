"""What of a tool's rich result can be kept as static HTML: a table, a picture. Pure.

Its HTML is the user's own code's, as any cell's output is; it is taken whole or not at all. What would not
stay in its place, or would run again each time the record is written, is left out.
"""

from __future__ import annotations

import base64
import binascii
import html
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["StaticResult", "static_result"]

MOST_HTML_CHARS = 200_000
MOST_IMAGE_CHARS = 400_000
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_VOID = _tags("area br col hr img input source track wbr")
# They run, load something, or turn what follows into something else.
_REFUSED = _tags(
    "applet base body embed form frame frameset head html iframe link meta noscript object plaintext script"
    " select svg math template textarea title xmp"
)
# HTML lets these be closed by what follows.
_MAY_STAY_OPEN = _tags("li p td th tr tbody thead tfoot dd dt option colgroup")


class StaticResult(msgspec.Struct, frozen=True):
    """One or more outputs of a tool as HTML that closes all that it opens."""

    html: str

    @property
    def chars(self) -> int:
        """How much of the record it is."""
        return len(self.html)


def static_result(bundles: Sequence[Mapping[str, Any]], name: str) -> StaticResult | None:
    """What of these outputs can be kept; None where nothing can.

    Args:
        bundles: by MIME type, as a notebook's outputs have them.
        name: of the tool, for who does not see pictures.
    """
    parts = [part for bundle in bundles if (part := _part(bundle, name))]
    return StaticResult("".join(f"<div>{part}</div>" for part in parts)) if parts else None


def _part(bundle: Mapping[str, Any], name: str) -> str | None:
    found = _joined(bundle.get("text/html"))
    if isinstance(found, str) and 0 < len(found) <= MOST_HTML_CHARS and _stays_in_its_place(found):
        return found
    for kind in _IMAGES:
        data = _base64(kind, _joined(bundle.get(kind)))
        if data and len(data) <= MOST_IMAGE_CHARS:
            about = html.escape(f"what {name} showed")
            return f'<img src="data:{kind};base64,{data}" alt="{about}" style="max-width:100%">'
    return None


def _joined(value: object) -> str | bytes | None:
    """A notebook file writes a long text as a list of lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value if isinstance(value, str | bytes) else None


def _base64(kind: str, data: str | bytes | None) -> str | None:
    if not data:
        return None
    if kind == "image/svg+xml":
        # As a picture and not as a part of the page: nothing in it runs.
        data = data.encode("utf-8", "replace") if isinstance(data, str) else data
    if isinstance(data, bytes):
        return base64.b64encode(data).decode("ascii")
    try:
        return base64.b64encode(base64.b64decode("".join(data.split()), validate=True)).decode("ascii")
    except (binascii.Error, ValueError):
        return None


def _stays_in_its_place(source: str) -> bool:
    look = _Look()
    look.feed(source)
    # An open comment or tag would take in what follows.
    return not look.refused and not look.open and not look.rawdata


class _Look(HTMLParser):
    """Whether HTML closes all that it opens, and holds nothing that is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refused = False

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag in _REFUSED:
            self.refused = True
        elif tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # HTML knows no such end but for tags that have none anyway.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open[-1] != tag and self.open[-1] in _MAY_STAY_OPEN:
            self.open.pop()
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag not in _VOID:
            self.refused = True

    def handle_decl(self, _decl: str) -> None:
        self.refused = True

    def unknown_decl(self, _data: str) -> None:
        self.refused = True

    def handle_pi(self, _data: str) -> None:
        self.refused = True
