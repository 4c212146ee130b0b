"""What is looked at before texts are searched, replaced or joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.growth import check_fits
from gip_nb.tools.reading.kinds import Kind, Refused, kind_of
from gip_nb.tools.reading.patterns import check_pattern
from gip_nb.tools.reading.sizes import characters_of

if TYPE_CHECKING:
    from gip_nb.tools.reading.asked import Asked

__all__ = ["concatenated_texts", "matched", "text_joined", "text_replaced"]

_MOST_COLUMNS = 50
_MOST_REPLACEMENT = 100


def _longest(accessor: Any) -> int:
    lengths = accessor.len().max()
    return int(lengths) if lengths == lengths else 0  # noqa: PLR0124 - not a NaN


def matched(asked: Asked) -> None:
    """Methods of `.str` that take a pattern, unless told that it is a plain text."""
    plain = asked.get("regex", default=asked.name not in {"replace", "split"}) is False
    pattern = asked.get("pat")
    if asked.name == "split":
        if asked.get("expand") and not 0 < (asked.get("n") or -1) <= _MOST_COLUMNS:
            raise Refused("split(expand=True): pass n=, up to 50")
        asked.kwargs.setdefault("regex", False)
        plain = asked.kwargs["regex"] is False
    if pattern is not None and not plain:
        check_pattern(pattern, _longest(asked.of))
    if asked.name == "replace":
        new = asked.get("repl")
        if type(pattern) is not str or not pattern or type(new) is not str or len(new) > _MOST_REPLACEMENT:
            raise Refused("str.replace(): pat and repl are texts, of 100 characters at the most")
        rows = max(1, asked.of.len().size)
        check_fits(rows * (_longest(asked.of) + 1) * max(1, len(new)) / 8)


def concatenated_texts(asked: Asked) -> None:
    """All texts of a column in one, or beside those of others."""
    others, between = asked.get("others"), asked.get("sep") or ""
    rows = asked.of.len().size
    if type(between) is not str:
        raise Refused("str.cat(): sep is a text")
    parts = others if kind_of(others) is Kind.LIST else [] if others is None else [others]
    characters = rows * (_longest(asked.of) + len(between))
    for part in parts:
        if kind_of(part) is Kind.SERIES and not part.index.is_unique:
            raise Refused("str.cat(): others have unique labels")
        characters += characters_of(part) + rows * len(between)
    check_fits(characters / 8)


def text_joined(asked: Asked) -> None:
    """A text between all others."""
    if not asked.args or kind_of(asked.args[0]) not in {Kind.LIST, Kind.TUPLE, Kind.SET, Kind.ITERATOR}:
        raise Refused("join(): a list of texts")
    if kind_of(asked.args[0]) is Kind.ITERATOR:
        return  # each of its steps is counted
    check_fits(sum(len(asked.of) + len(one) for one in asked.args[0] if type(one) is str) / 8)


def text_replaced(asked: Asked) -> None:
    """A text for each place where another is found."""
    old, new = (*asked.args, "", "")[:2]
    if type(old) is not str or type(new) is not str:
        raise Refused("replace(): two texts")
    check_fits((len(asked.of) // max(1, len(old)) + 1) * len(new) / 8)
