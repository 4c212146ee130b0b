"""What an expression came to, as something to show: data, not too long, and no secret by its form."""

from __future__ import annotations

from typing import Any

from gip_nb.tools.reading.growth import MOST_ITEMS
from gip_nb.tools.reading.kinds import CONTAINERS, DATA, FLAT, Kind, Refused, kind_of, shown_type
from gip_nb.tools.reading.secrets import is_secret_text
from gip_nb.tools.reading.sizes import check_entering, holds_secret, size_of

__all__ = ["shown"]

_CELLS_SEARCHED = 100_000
_MOST_ROWS = 1_000
_FEW_ROWS = 60
_TEXT_SEARCHED = 100_000


def shown(value: Any) -> Any:
    """The value, or the text of a dtype.

    Raises:
        Refused: it is none to show; says what to do.
    """
    kind = kind_of(value)
    if kind is Kind.DTYPE:
        return str(value)
    if kind is Kind.GROUPS or kind is Kind.WINDOW:
        raise Refused("that is grouped data: add what to compute, as in .mean() or .size()")
    if kind not in DATA:
        raise Refused(f"that is {kind.value if kind else shown_type(value)}: call it, or make a list of it")
    if kind in CONTAINERS:
        if size_of(value) > MOST_ITEMS:
            raise Refused("the result is too long: take a part of it")
        check_entering("the result", value)
    elif kind is Kind.TEXT and is_secret_text(value[:_TEXT_SEARCHED]):
        raise Refused("the result looks like a secret")
    elif kind in FLAT and _shows_secret(value):
        raise Refused("the result holds what looks like a secret, by its form")
    return value


def _shows_secret(value: Any) -> bool:
    """Whether a label, or one of the first or last rows, looks like a secret: more is not shown."""
    kind = kind_of(value)
    if kind is Kind.FRAME:
        rows = max(_FEW_ROWS, min(_MOST_ROWS, _CELLS_SEARCHED // max(1, value.shape[1])))
        names = [value.columns, value.index[:rows], value.index[-rows:]]
        ends = (value.iloc[:rows], value.iloc[-rows:])
        columns = [part.iloc[:, n] for part in ends for n in range(part.shape[1])]
        return any(map(_column_shows_secret, [*names, *columns]))
    if kind is Kind.SERIES:
        ends = (value.iloc[:_MOST_ROWS], value.iloc[-_MOST_ROWS:])
        if _cell_shows_secret(value.name) or any(_column_shows_secret(part.index) for part in ends):
            return True
        return any(map(_column_shows_secret, ends))
    return any(
        map(_column_shows_secret, (value[:_MOST_ROWS], value[-_MOST_ROWS:]) if value.ndim else (value,))
    )


def _column_shows_secret(column: Any) -> bool:
    names = getattr(column, "names", ()) if kind_of(column) is Kind.INDEX else ()
    if any(map(_cell_shows_secret, names)):
        return True
    if getattr(column.dtype, "kind", "O") in "biufcmM" and getattr(column.dtype, "categories", None) is None:
        return False
    return any(map(_cell_shows_secret, column.ravel() if kind_of(column) is Kind.ARRAY else column))


def _cell_shows_secret(cell: Any) -> bool:
    if kind_of(cell) is Kind.TEXT:
        return is_secret_text(cell[:_TEXT_SEARCHED])
    return kind_of(cell) in CONTAINERS and holds_secret(cell)
