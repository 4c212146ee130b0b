"""What an operation would make, in cells, before it is done; refused where that is out of proportion.

A thread cannot be stopped in the middle of an operation, so nothing here relies on a time limit. Operators
stand here, methods in `method_checks`.
"""

from __future__ import annotations

from math import prod
from typing import Any

from gip_nb.tools.reading.kinds import CONTAINERS, FLAT, SCALARS, Kind, Refused, kind_of
from gip_nb.tools.reading.sizes import characters_of, holds_objects, size_of

__all__ = [
    "MOST_CELLS",
    "MOST_ITEMS",
    "check_aligned",
    "check_binary",
    "check_fits",
    "check_item",
    "check_pair",
    "no_tables_in",
]

# 160 MB of numbers; data that is already there may be worked on whatever its size.
MOST_CELLS = 20_000_000
# Of Python objects: each costs ten times a cell.
MOST_ITEMS = 1_000_000
_MOST_BITS = 20_000
_WORD = 2**63


def check_fits(cells: float, *operands: Any, advice: str = "narrow it down first") -> None:
    """See that a result has a size that goes with that of its operands.

    Raises:
        Refused: it has not.
    """
    most = max([MOST_CELLS, *(2 * one.size for one in operands if kind_of(one) in FLAT)])
    if cells > most:
        raise Refused(f"that would make {cells:,.0f} cells, of {most:,} at the most: {advice}")


def no_tables_in(value: Any) -> None:
    """See that no array stands in a container: comparing containers would compare whole arrays.

    Raises:
        Refused: one does.
    """
    if kind_of(value) not in CONTAINERS or type(value) is range:
        return
    waiting = [value]
    while waiting:
        one = waiting.pop()
        kind = kind_of(one)
        if kind in FLAT:
            raise Refused("tables and arrays within a list or dict are not compared")
        if kind is Kind.DICT:
            waiting.extend(one.values())
        elif kind in CONTAINERS:
            waiting.extend(one)


def check_binary(operator: str, left: Any, right: Any, *, axis: object = "columns") -> None:
    """See that an operator's result is in proportion.

    Args:
        operator: as `ast` names it: `Add`, `Pow`.
        left: data.
        right: data.
        axis: of a frame, along which a series is matched.

    Raises:
        Refused: it is not, or may not be.
    """
    if operator == "MatMult":
        raise Refused("@ is not read")
    kinds = {kind_of(left), kind_of(right)}
    if kinds & FLAT:
        _check_cells(operator, left, right)
        check_pair(left, right, axis=axis)
    elif operator == "Mod" and kind_of(left) in {Kind.TEXT, Kind.BYTES}:
        raise Refused("formatting with % is not read")
    elif operator == "Mult" and kinds & (CONTAINERS | {Kind.TEXT, Kind.BYTES}):
        times = next((one for one in (left, right) if kind_of(one) is Kind.NUMBER), 1)
        whole = (
            size_of(left) * size_of(right) if times == 1 else max(size_of(left), size_of(right)) * abs(times)
        )
        _few(whole)
    elif type(left) in {int, bool} and type(right) in {int, bool}:
        _check_ints(operator, left, right)
    else:
        _few(size_of(left) + size_of(right))


def _few(items: float) -> None:
    if items > MOST_ITEMS:
        raise Refused(f"that would make {items:,.0f} items, of {MOST_ITEMS:,} at the most")


def _check_ints(operator: str, left: int, right: int) -> None:
    bits = left.bit_length() + right.bit_length()
    if operator == "Pow":
        bits = left.bit_length() * max(right, 0)
    elif operator == "LShift":
        bits = left.bit_length() + max(right, 0)
    if bits > _MOST_BITS:
        raise Refused("that number would have more than 6,000 digits; use floats")


def _check_cells(operator: str, left: Any, right: Any) -> None:
    """What is done cell by cell with Python objects costs what each costs."""
    for one in (left, right):
        if kind_of(one) in CONTAINERS:
            for item in one:
                if (
                    kind_of(item) in {Kind.TEXT, Kind.BYTES}
                    or kind_of(item) in CONTAINERS | FLAT
                    or _huge(item)
                ):
                    raise Refused("a list beside a table or array holds numbers only; make it a column first")
        elif _huge(one):
            raise Refused("that number is too large for a table; write it as a float")
    if not (holds_objects(left) or holds_objects(right)):
        return
    if operator in {"Mult", "Pow", "LShift", "Mod"}:
        raise Refused(
            "the data holds Python objects or texts, which are not multiplied: choose the columns of "
            "numbers, or use .astype(float)"
        )
    if operator == "Add":
        if Kind.ARRAY in {kind_of(left), kind_of(right)}:
            raise Refused("arrays of texts are not added")
        cells = max(one.size for one in (left, right) if kind_of(one) in FLAT)
        characters = sum(characters_of(one) * (1 if kind_of(one) in FLAT else cells) for one in (left, right))
        check_fits(characters / 8, left, right)


def _huge(value: Any) -> bool:
    return type(value) is int and not -_WORD < value < _WORD


def check_pair(left: Any, right: Any, *, axis: object = "columns") -> None:
    """See that two operands that are matched by their labels or shapes do not multiply.

    Args:
        left: data.
        right: data.
        axis: of a frame, along which a series is matched.

    Raises:
        Refused: they would, beyond proportion.
    """
    a, b = kind_of(left), kind_of(right)
    if a in SCALARS or b in SCALARS:
        return
    if a is Kind.SERIES and b is Kind.SERIES:
        check_fits(_matched(left.index, right.index), left, right)
    elif a is Kind.FRAME and b is Kind.FRAME:
        cells = _matched(left.index, right.index) * _matched(left.columns, right.columns)
        check_fits(cells, left, right)
    elif {a, b} == {Kind.FRAME, Kind.SERIES}:
        frame, series = (left, right) if a is Kind.FRAME else (right, left)
        along_rows = axis in {0, "index", "rows"}
        if along_rows:
            cells = _matched(frame.index, series.index) * frame.shape[1]
        else:
            cells = _matched(frame.columns, series.index) * frame.shape[0]
        check_fits(
            cells,
            left,
            advice="an operator matches a Series with the columns; for rows write df.sub(s, axis=0)",
        )
    else:
        import numpy as np

        shapes = [
            one.shape if kind_of(one) in FLAT else (len(one),)
            for one in (left, right)
            if hasattr(one, "__len__")
        ]
        try:
            check_fits(prod(np.broadcast_shapes(*shapes)), left, right)
        except ValueError:
            return  # numpy will say so


def check_aligned(left: Any, right: Any) -> None:
    """See that matching the rows of two tables does not multiply them, whatever is done with them.

    Raises:
        Refused: both repeat their labels, and differ.
    """
    if kind_of(left) in {Kind.FRAME, Kind.SERIES} and kind_of(right) in {Kind.FRAME, Kind.SERIES}:
        check_fits(_matched(left.index, right.index), left, right, advice="labels are repeated on both sides")


def _matched(one: Any, other: Any) -> int:
    """How many labels there are at the most when two indexes are matched."""
    if one is other or (len(one) == len(other) and one.equals(other)):
        return len(one)
    if one.is_unique or other.is_unique:
        return len(one) + len(other)
    return len(one) * len(other)


def check_item(value: Any, key: Any) -> None:
    """See that `value[key]` is in proportion: a list of labels may name the same row many times.

    Raises:
        Refused: it is not.
    """
    kind = kind_of(value)
    keys = key if type(key) is tuple else (key,)
    lists = [one for one in keys if kind_of(one) in CONTAINERS | FLAT and not _is_mask(one)]
    if not lists:
        return
    if kind is Kind.ARRAY:
        import numpy as np

        shapes = [one.shape if kind_of(one) in FLAT else np.shape(one) for one in lists]
        rest = prod(value.shape[min(len(lists), value.ndim) :])
        check_fits(prod(np.broadcast_shapes(*shapes)) * rest, value)
    elif kind is Kind.FRAME:
        repeated = 1 if value.columns.is_unique else value.shape[1]
        check_fits(len(lists[0]) * repeated * value.shape[0], value)
    elif kind is Kind.SERIES:
        check_fits(len(lists[0]) * (1 if value.index.is_unique else value.size), value)
    elif kind is Kind.INDEXER:
        whole = value.obj
        cells: float = 1
        for axis, labels in enumerate(whole.axes):
            if axis >= len(keys):
                cells *= len(labels)
            elif any(keys[axis] is one for one in lists):
                cells *= len(keys[axis]) * (1 if labels.is_unique else len(labels))
            else:
                cells *= len(labels)
        check_fits(cells, whole)


def _is_mask(value: Any) -> bool:
    if kind_of(value) in FLAT:
        return str(getattr(value, "dtype", "")) in {"bool", "boolean"}
    return len(value) > 0 and all(type(one) is bool for one in value)
