"""What is looked at before texts are searched, replaced or joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.growth import check_fits, check_work
from gip_nb.tools.reading.kinds import CONTAINERS, Kind, Refused, kind_of
from gip_nb.tools.reading.patterns import check_pattern, groups_of
from gip_nb.tools.reading.sizes import characters_of

if TYPE_CHECKING:
    from gip_nb.tools.reading.asked import Asked

__all__ = ["concatenated_texts", "matched", "rows_of", "searched", "text_joined", "text_replaced", "widened"]

_MOST_COLUMNS = 50
_MOST_REPLACEMENT = 100
_MOST_WIDTH = 1_000


def rows_of(accessor: Any) -> int:
    """How many texts `.str` stands for."""
    return int(accessor.len().size)


def _lengths(accessor: Any) -> Any:
    """The length of each, as an array of floats; lists count too, and what is missing is 0 long."""
    import numpy as np

    return np.nan_to_num(np.asarray(accessor.len(), dtype="float64"))


def _longest(accessor: Any) -> int:
    lengths = _lengths(accessor)
    return int(lengths.max()) if lengths.size else 0


def _too_wide(asked: Asked) -> bool:
    return bool(asked.get("expand")) and not 0 < (asked.get("n") or -1) <= _MOST_COLUMNS


def matched(asked: Asked) -> None:
    """Methods of `.str` that take a pattern, unless told that it is a plain text."""
    plain = asked.get("regex", default=asked.name not in {"replace", "split"}) is False
    pattern = asked.get("pat")
    if asked.name == "rsplit":
        plain = True
    if asked.name in {"split", "rsplit"} and _too_wide(asked):
        raise Refused(f"{asked.name}(expand=True): pass n=, up to {_MOST_COLUMNS}")
    if asked.name == "split":
        if asked.get("regex") is None:
            asked.named["regex"] = False
        plain = asked.named["regex"] is False
    lengths = _lengths(asked.of)
    if pattern is not None and not plain:
        check_pattern(
            pattern, lengths, at_start=asked.name in {"match", "fullmatch"}, to_end=asked.name == "fullmatch"
        )
    elif type(pattern) is str:
        check_work(float(lengths.sum()) * len(pattern), "a shorter text to look for")
    if asked.name == "extract" and pattern is not None:
        check_fits(lengths.size * groups_of(pattern))
    if asked.name == "replace":
        new = asked.get("repl")
        if type(pattern) is not str or not pattern or type(new) is not str or len(new) > _MOST_REPLACEMENT:
            raise Refused("str.replace(): pat and repl are texts, of 100 characters at the most")
        check_fits((float(lengths.sum()) + lengths.size) * max(1, len(new)) / 8)


def searched(asked: Asked) -> None:
    """Methods of `.str` that look for a text, or for one of several characters, at each place."""
    characters = float(_lengths(asked.of).sum())
    for name in ("sub", "sep", "to_strip"):
        looked_for = asked.get(name)
        if type(looked_for) is str:
            check_work(characters * len(looked_for), "a shorter text to look for")


def widened(asked: Asked) -> None:
    """Methods that make texts as long as they are told."""
    width = asked.get("width", 0, 0)
    if (
        kind_of(width) is not Kind.NUMBER
        or type(width) is complex
        or not -_MOST_WIDTH <= width <= _MOST_WIDTH
    ):
        raise Refused(f"{asked.name}(): a width is at most {_MOST_WIDTH}")
    if asked.kind is Kind.TEXT_ACCESSOR:
        check_fits(rows_of(asked.of) * abs(int(width)) / 8)


def concatenated_texts(asked: Asked) -> None:
    """All texts of a column in one, or beside those of others."""
    others, between, missing = asked.get("others"), asked.get("sep") or "", asked.get("na_rep") or ""
    lengths = _lengths(asked.of)
    rows = lengths.size
    parts = others if kind_of(others) is Kind.LIST else [] if others is None else [others]
    if type(parts) is range or any(
        kind_of(part) not in {Kind.SERIES, Kind.INDEX, Kind.TEXT, Kind.OTHER_SCALAR} for part in parts
    ):
        raise Refused("str.cat(): others is a column, or a list of columns or texts")
    characters = float(lengths.sum()) + rows * (len(between) + len(missing))
    for part in parts:
        if kind_of(part) is Kind.SERIES and not part.index.is_unique:
            raise Refused("str.cat(): others have unique labels")
        characters += characters_of(part) + rows * (len(between) + len(missing))
    check_fits(characters / 8)


def text_joined(asked: Asked) -> None:
    """A text between all others, which are a list by now."""
    if len(asked.args) != 1 or kind_of(asked.args[0]) not in CONTAINERS - {Kind.DICT}:
        raise Refused("join(): a list of texts")
    check_fits(sum(len(asked.of) + len(one) for one in asked.args[0] if kind_of(one) is Kind.TEXT) / 8)


def text_replaced(asked: Asked) -> None:
    """A text for each place where another is found."""
    old, new = (*asked.args, "", "")[:2]
    if type(old) is not str or type(new) is not str:
        raise Refused("replace(): two texts")
    check_fits((len(asked.of) // max(1, len(old)) + 1) * len(new) / 8)
