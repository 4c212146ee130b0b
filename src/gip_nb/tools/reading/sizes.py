"""How big a value is, and whether all that it holds is data.

Sizes are in cells: a number in a list, a cell of a frame, eight characters of a text. Nothing here runs a
method of the user's classes: what holds such an object is told by the types alone.
"""

from __future__ import annotations

from typing import Any

from gip_nb.tools.reading.kinds import (
    CONTAINERS,
    DATA,
    FLAT,
    SCALARS,
    Kind,
    Refused,
    kind_of,
    kind_of_type,
    shown_type,
)
from gip_nb.tools.reading.secrets import is_secret_name, is_secret_text

__all__ = ["characters_of", "check_entering", "holds_objects", "readable_columns", "size_of"]

_CHARACTERS_A_CELL = 8
# A list is looked at item by item, which takes about a tenth of a second per million.
_MOST_ITEMS = 1_000_000
_NUMBERS = frozenset({int, float, bool, type(None)})
# A key has a length; a novel is not searched for one.
_SECRET_TEXT_CHARACTERS = 5_000


def size_of(value: Any) -> int:
    """The size of a value in cells, lists within lists counted as often as they are met.

    Raises:
        Refused: it holds what is no data, or too much to be counted.
    """
    kind = kind_of(value)
    if kind in FLAT:
        return int(value.size)
    if kind is Kind.TEXT or kind is Kind.BYTES:
        return 1 + len(value) // _CHARACTERS_A_CELL
    if type(value) is int:
        return 1 + value.bit_length() // 64
    if kind not in CONTAINERS or type(value) is range:
        return 1
    return _walk(value, entering=False)


def readable_columns(frame: Any) -> Any:
    """The same DataFrame without the columns that hold anything but data, or have such labels."""
    _walk(frame.columns, entering=True)
    readable = []
    for n in range(frame.shape[1]):
        try:
            _walk(frame.iloc[:, n].array, entering=True)
        except Refused:
            readable.append(False)
        else:
            readable.append(True)
    return frame if all(readable) else frame.loc[:, readable]


def check_entering(name: str, value: object) -> None:
    """See that a variable of the notebook is data through and through, and holds no secrets.

    Raises:
        Refused: it does not; says what stands in the way.
    """
    kind = kind_of(value)
    if kind not in DATA:
        raise Refused(
            f"{name} is {shown_type(value)}, which is not read; only numbers, texts, times, lists, dicts, "
            "arrays and pandas objects are"
        )
    try:
        _walk(value, entering=True)
    except Refused as error:
        raise Refused(f"{name} {error}") from None


def _walk(value: Any, *, entering: bool) -> int:  # noqa: C901, PLR0912 - one loop over all kinds
    size = items = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        kind = kind_of(one)
        items += 1
        if items + len(waiting) > _MOST_ITEMS:
            raise Refused(
                f"holds more than {_MOST_ITEMS:,} items (or itself): make it an array or a DataFrame"
            )
        if kind in FLAT:
            size += int(one.size)
            if entering:
                waiting.extend(_cells_to_check(one))
        elif kind is Kind.DICT:
            if entering and any(type(k) is str and is_secret_name(k) for k in one):
                raise Refused("holds what looks like a secret, by its key")
            waiting.extend(one)
            waiting.extend(one.values())
        elif kind in CONTAINERS and type(one) is not range:
            if set(map(type, one)) <= _NUMBERS:
                size += len(one)
            else:
                waiting.extend(one)
        elif kind in SCALARS or kind in {Kind.LIST, Kind.DTYPE} or (kind is not None and not entering):
            size += 1
            if kind is Kind.TEXT:
                size += len(one) // _CHARACTERS_A_CELL
                if entering and is_secret_text(one[:_SECRET_TEXT_CHARACTERS]):
                    raise Refused("holds what looks like a secret, by its form")
        else:
            raise Refused(f"holds {shown_type(one)}, which is not read")
    return size


def _cells_to_check(flat: Any) -> list[Any]:  # noqa: PLR0911 - a way for each kind
    """What has to be looked at in a frame, series, index or array: what is not told by its dtype."""
    kind = kind_of(flat)
    if kind is Kind.FRAME:
        columns = [flat.iloc[:, n] for n, dtype in enumerate(flat.dtypes) if not _plain(dtype)]
        return [flat.columns, flat.index, *(column.array for column in columns)]
    if kind is Kind.SERIES:
        return [flat.index, flat.array]
    if kind is Kind.INDEX:
        parts = getattr(flat, "levels", None)  # of a MultiIndex
        return [*flat.names, *(parts if parts is not None else [flat.array])]
    if _plain(flat.dtype):
        return []
    if not _known(flat.dtype):
        raise Refused(f"has the dtype {shown_type(flat.dtype)}, which is not read")
    categories = getattr(flat, "categories", None)  # of a Categorical
    if categories is not None:
        return [categories]
    if str(flat.dtype) != "object":
        return []
    cells = flat.ravel() if kind is Kind.ARRAY else flat.to_numpy()
    if all(kind in SCALARS for kind in {kind_of_type(of) for of in set(map(type, cells))}):
        return []
    return list(cells)


def _plain(dtype: Any) -> bool:
    """Whether cells of a dtype are numbers, times or texts and nothing else."""
    name = type(dtype).__name__
    return getattr(dtype, "kind", "O") in "biufcmMU" and name != "CategoricalDtype" and _known(dtype)


def _known(dtype: Any) -> bool:
    return kind_of(dtype) is Kind.DTYPE and getattr(dtype, "kind", "O") != "V"


def holds_objects(value: Any) -> bool:
    """Whether a value has cells that are Python objects: what is done with them costs what each costs."""
    kind = kind_of(value)
    if kind is Kind.FRAME:
        return any(str(dtype) in _OBJECT_DTYPES for dtype in value.dtypes.unique())
    if kind in FLAT:
        return str(value.dtype) in _OBJECT_DTYPES or getattr(value.dtype, "kind", "O") in "US"
    return False


_OBJECT_DTYPES = {"object", "string", "str", "large_string[pyarrow]", "string[pyarrow]"}


def characters_of(value: Any) -> int:
    """The length of all texts in a text, a frame, a series, an index or an array; linear in its cells."""
    kind = kind_of(value)
    if kind is Kind.TEXT:
        return len(value)
    if kind is Kind.FRAME:
        return sum(characters_of(value.iloc[:, n]) for n in range(value.shape[1]))
    if not holds_objects(value):
        return 0
    if kind is Kind.SERIES and str(value.dtype) != "object":
        return int(value.str.len().sum())
    cells = value.ravel() if kind is Kind.ARRAY else value.to_numpy()
    return sum(len(one) for one in cells if isinstance(one, str))
