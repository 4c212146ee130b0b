"""What an operation would make, in cells, before it is done; refused where that is out of proportion.

A thread cannot be stopped in the middle of an operation, so nothing here relies on a time limit. Operators
stand here, methods in `method_checks`.
"""

from __future__ import annotations

from math import prod
from typing import Any

from gip_nb.tools.reading.kinds import CONTAINERS, FLAT, SCALARS, Kind, Refused, kind_of, kind_of_type
from gip_nb.tools.reading.sizes import characters_of, holds_objects, longest_text, size_of

__all__ = [
    "MOST_CELLS",
    "MOST_ITEMS",
    "check_aligned",
    "check_binary",
    "check_fits",
    "check_item",
    "check_pair",
    "check_read_as_times",
    "check_repeated",
    "check_work",
    "no_tables_in",
    "no_tables_in_cells",
    "repeats",
]

# 160 MB of numbers; data that is already there may be worked on whatever its size.
MOST_CELLS = 20_000_000
# Of Python objects: each costs ten times a cell.
MOST_ITEMS = 1_000_000
# Steps of what scales as a product: about a second.
_MOST_WORK = 400_000_000
_MOST_BITS = 20_000
_WORD = 2**63
_FEW_ROWS = 20
_MOST_TEXT = 1_000
_MOST_KEY = 10_000


def check_fits(cells: float, *operands: Any, advice: str = "narrow it down first") -> None:
    """See that a result has a size that goes with that of its operands.

    Raises:
        Refused: it has not.
    """
    most = max([MOST_CELLS, *(2 * one.size for one in operands if kind_of(one) in FLAT)])
    if cells > most:
        raise Refused(f"that would make {cells:,.0f} cells, of {most:,} at the most: {advice}")


def check_work(steps: float, advice: str) -> None:
    """See that what takes as many steps as a product of sizes ends in a second or so.

    Raises:
        Refused: it does not.
    """
    if steps > _MOST_WORK:
        raise Refused(f"that would take {steps:,.0f} steps, of {_MOST_WORK:,} at the most: take {advice}")


def check_repeated(flat: Any, rows: float) -> None:
    """See that rows of a table or column, each taken again and again, are in proportion, texts included.

    Raises:
        Refused: they are not.
    """
    check_fits(rows * max(1, flat.size // max(1, len(flat))), flat)
    if rows > _FEW_ROWS:
        index = longest_text(flat.index) if kind_of(flat) in {Kind.FRAME, Kind.SERIES} else 0
        texts = rows * max(longest_text(flat), index) / 8
        if texts > max(MOST_CELLS, characters_of(flat) / 4):
            raise Refused(
                f"that would repeat long texts, {texts:,.0f} cells of them: choose the other columns first"
            )


def repeats(labels: Any) -> bool:
    """Whether a list, array or column of labels names one twice; where that is not told, it may."""
    if type(labels) is range:
        return False
    if kind_of(labels) in {Kind.SERIES, Kind.INDEX}:
        return not labels.is_unique
    if kind_of(labels) is Kind.ARRAY and labels.ndim == 1 and str(labels.dtype) != "object":
        import numpy as np

        return len(np.unique(labels)) < len(labels)
    if kind_of(labels) in CONTAINERS and all(kind_of(one) in SCALARS for one in labels):
        return len(set(labels)) < len(labels)
    return True


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
        items = one.values() if type(one) is dict else one
        kinds = {kind_of_type(of) for of in set(map(type, items))}
        if kinds & FLAT:
            raise Refused("tables and arrays within a list or dict are not compared")
        if kinds & CONTAINERS:
            waiting.extend(item for item in items if kind_of(item) in CONTAINERS and type(item) is not range)


def no_tables_in_cells(value: Any) -> None:
    """See that no cell of a table holds an array: cells that meet would be matched as arrays are.

    Raises:
        Refused: one does.
    """
    kind = kind_of(value)
    if kind is Kind.FRAME:
        for n, dtype in enumerate(value.dtypes):
            if str(dtype) == "object":
                no_tables_in_cells(value.iloc[:, n])
    elif kind in FLAT and str(value.dtype) == "object":
        cells = value.ravel() if kind is Kind.ARRAY else value.to_numpy()
        kinds = {kind_of_type(of) for of in set(map(type, cells))}
        if kinds & FLAT:
            raise Refused("cells that hold arrays are not compared or added; take one, or .str.len() of all")
        if kinds & CONTAINERS:
            for one in cells:
                no_tables_in(one)


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
    if operator == "Mod" and kind_of(left) in {Kind.TEXT, Kind.BYTES}:
        raise Refused("formatting with % is not read")
    if kinds & FLAT:
        _check_cells(operator, left, right)
        check_pair(left, right, axis=axis)
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


def check_read_as_times(left: Any, right: Any) -> None:
    """See that no long text stands beside numbers or times, which pandas would try to read it as.

    Raises:
        Refused: one does.
    """
    for one, other in ((left, right), (right, left)):
        if kind_of(one) in FLAT and not holds_objects(one) and _longest_key(other) > _MOST_TEXT:
            raise Refused("so long a text is no time or number")


def _check_cells(operator: str, left: Any, right: Any) -> None:
    """What is done cell by cell with Python objects costs what each costs."""
    check_read_as_times(left, right)
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
    no_tables_in_cells(left)
    no_tables_in_cells(right)
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
    for one in keys:
        if _longest_key(one) > _MOST_KEY:
            raise Refused(f"a label has at most {_MOST_KEY:,} characters")
        check_aligned(value if kind is not Kind.INDEXER else value.obj, one)
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
        _check_rows(value, lists[0])
    elif kind in {Kind.GROUPS, Kind.WINDOW}:
        if any(len(set(one)) < len(one) for one in lists):
            raise Refused("each column once")
    elif kind is Kind.INDEXER:
        _check_located(value.obj, keys, lists)


def _longest_key(key: Any) -> int:
    """The longest text in what stands in [ ]: it may be read as a time."""
    if type(key) is slice:
        return max(longest_text(one) for one in (key.start, key.stop, key.step))
    return longest_text(key) if kind_of(key) in CONTAINERS | {Kind.TEXT} else 0


def _check_located(whole: Any, keys: tuple[Any, ...], lists: list[Any]) -> None:
    cells: float = 1
    for axis, labels in enumerate(whole.axes):
        if axis >= len(keys):
            cells *= len(labels)
        elif any(keys[axis] is one for one in lists):
            cells *= len(keys[axis]) * (1 if labels.is_unique else len(labels))
        else:
            cells *= len(labels)
    check_fits(cells, whole)
    if any(keys[0] is one for one in lists):
        _check_rows(whole, keys[0])


def _check_rows(whole: Any, labels: Any) -> None:
    """Rows that are named by a list: as often as it names them, and as there are of each."""
    times = 1 if whole.index.is_unique else len(whole)
    if times > 1 or len(labels) > len(whole) or repeats(labels):
        check_repeated(whole, len(labels) * times)


def _is_mask(value: Any) -> bool:
    if kind_of(value) in FLAT:
        return str(getattr(value, "dtype", "")) in {"bool", "boolean"}
    return len(value) > 0 and all(type(one) is bool for one in value)
