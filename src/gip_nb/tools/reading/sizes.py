"""How big a value is, and whether all that it holds is data.

Sizes are in cells: a number in a list, a cell of a frame, eight characters of a text. Nothing here runs a
method of the user's classes: what holds such an object is told by the types alone.
"""

from __future__ import annotations

import decimal
import re
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
from gip_nb.tools.reading.secrets import is_secret_column, is_secret_name, is_secret_text

__all__ = [
    "HUGE_INT",
    "characters_of",
    "check_entering",
    "check_exponent",
    "holds_objects",
    "holds_secret",
    "is_known_dtype",
    "longest_text",
    "readable_columns",
    "size_of",
    "text_bytes",
]

_CHARACTERS_A_CELL = 8
# Python's integers from here on may all have the same hash: a table of them takes as long as their square.
HUGE_INT = 2**61 - 1
# A list is looked at item by item, which takes about a tenth of a second per million.
_MOST_ITEMS = 1_000_000
_LABELS_SEARCHED = 20_000
_MOST_DECIMAL_EXPONENT = 4_000
# What stands in a list besides data: functions for `agg`, slices for `loc`.
_MADE = frozenset({Kind.LAMBDA, Kind.READER, Kind.SLICE})
_KNOWN_DTYPES = frozenset(
    (
        "ObjectDType",
        "NumpyEADtype",
        "StringDtype",
        "CategoricalDtype",
        "PeriodDtype",
        "IntervalDtype",
        "DatetimeTZDtype",
    )
)
# Of Arrow's, those that hold single values: an extension type is somebody's own code.
_ARROW = re.compile(
    r"(u?int|float|double|halffloat|bool|(large_)?string|decimal|date|time|timestamp|duration)"
    r"[\w\[\](), /+:=-]*"
)
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
    if type(value) is range:
        return _few_numbers(value)
    if kind not in CONTAINERS:
        return 1
    return _walk(value, entering=False)


def _few_numbers(numbers: range) -> int:
    """A range is walked along by whatever it is given to, though it takes no memory."""
    inside = all(-HUGE_INT < end < HUGE_INT for end in (numbers.start, numbers.stop))
    size = len(numbers) if inside else _MOST_ITEMS + 1
    if size > _MOST_ITEMS:
        raise Refused(f"is a range of more than {_MOST_ITEMS:,} numbers, or of huge ones, which is not read")
    return size


def holds_secret(value: Any) -> bool:
    """Whether a container in a cell holds what looks like a secret, or what is no data."""
    try:
        _walk(value, entering=True)
    except Refused:
        return True
    return False


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
    numbers: set[int] = set()  # lists of them, which may be met again and again
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
                _check_labels(one)
                waiting.extend(_cells_to_check(one))
        elif kind is Kind.DICT:
            if entering and any(map(is_secret_name, one)):
                raise Refused("holds what looks like a secret, by its key")
            waiting.extend(one)
            waiting.extend(one.values())
        elif type(one) is range:
            size += _few_numbers(one)
        elif kind in CONTAINERS:
            if id(one) in numbers or set(map(type, one)) <= _NUMBERS:
                size += len(one)
                numbers.add(id(one))
            else:
                waiting.extend(one)
        elif kind in SCALARS or kind is Kind.DTYPE or (kind in _MADE and not entering):
            size += 1
            if type(one) is decimal.Decimal:
                check_exponent(one)
            if kind is Kind.TEXT:
                size += len(one) // _CHARACTERS_A_CELL
                if entering and is_secret_text(one[:_SECRET_TEXT_CHARACTERS]):
                    raise Refused("holds what looks like a secret, by its form")
        else:
            raise Refused(f"holds {shown_type(one)}, which is not read")
    return size


def check_exponent(number: decimal.Decimal) -> None:
    """See that a decimal number is none whose digits would fill the memory: `1E+99999999` as an int does.

    Raises:
        Refused: it is.
    """
    if number.is_finite() and abs(number.adjusted()) > _MOST_DECIMAL_EXPONENT:
        raise Refused("holds a decimal number with too many digits")


def _check_labels(flat: Any) -> None:
    """What a table brings along besides its cells: `attrs` are copied by pandas, with their own code."""
    kind = kind_of(flat)
    if kind in {Kind.FRAME, Kind.SERIES} and flat.attrs:
        raise Refused("holds a table with attrs, which is read under a name of its own")
    if kind is Kind.FRAME:
        if any(is_secret_column(name) and _textual(dtype) for name, dtype in flat.dtypes.items()):
            raise Refused("holds a table with what looks like a secret, by its column")
    elif kind is Kind.SERIES and _textual(flat.dtype):
        labels = flat.index[:_LABELS_SEARCHED] if str(flat.index.dtype) in _OBJECT_DTYPES else ()
        if any(map(is_secret_column, (flat.name, *labels))):
            raise Refused("holds what looks like a secret, by its name or label")


def _textual(dtype: Any) -> bool:
    return kind_of(dtype) is not Kind.DTYPE or getattr(dtype, "kind", "O") == "O"


def _cells_to_check(flat: Any) -> list[Any]:  # noqa: PLR0911 - a way for each kind
    """What has to be looked at in a frame, series, index or array: what is not told by its dtype."""
    kind = kind_of(flat)
    if kind is Kind.FRAME:
        columns = [flat.iloc[:, n] for n, dtype in enumerate(flat.dtypes) if not _plain(dtype)]
        return [flat.columns, flat.index, *(column.array for column in columns)]
    if kind is Kind.SERIES:
        return [flat.name, flat.index, flat.array]
    if kind is Kind.INDEX:
        parts = getattr(flat, "levels", None)  # of a MultiIndex
        return [*flat.names, *(parts if parts is not None else [flat.array])]
    if _plain(flat.dtype):
        return []
    if not is_known_dtype(flat.dtype):
        raise Refused(f"has the dtype {shown_type(flat.dtype)}, which is not read")
    categories = getattr(flat, "categories", None)  # of a Categorical
    if categories is not None:
        return [categories]
    if str(flat.dtype) != "object":
        return []
    cells = flat.ravel() if kind is Kind.ARRAY else flat.to_numpy()
    types = set(map(type, cells))
    if decimal.Decimal not in types and all(kind_of_type(of) in SCALARS for of in types):
        return []
    return list(cells)


def _plain(dtype: Any) -> bool:
    """Whether cells of a dtype are numbers, times or texts and nothing else."""
    name = type(dtype).__name__
    return is_known_dtype(dtype) and name != "CategoricalDtype" and getattr(dtype, "kind", "O") in "biufcmMU"


def is_known_dtype(dtype: Any) -> bool:
    """Whether cells of a dtype are looked at here, or can be nothing but data."""
    if kind_of(dtype) is not Kind.DTYPE or getattr(dtype, "kind", "O") == "V":
        return False
    name = type(dtype).__name__
    if name == "ArrowDtype":
        return _ARROW.fullmatch(str(dtype.pyarrow_dtype)) is not None
    if name == "SparseDtype":
        return getattr(dtype, "kind", "O") in "biufc"
    return getattr(dtype, "kind", "O") in "biufcmMU" or name in _KNOWN_DTYPES


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
    """The length of all texts in a text, a frame, a series, an index or an array; linear in its cells.

    Lists in cells count as eight characters an item.
    """
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
    return sum(
        len(one) if isinstance(one, str) else _CHARACTERS_A_CELL * size_of(one)
        for one in cells
        if isinstance(one, str) or kind_of(one) in CONTAINERS
    )


def text_bytes(value: Any) -> int:
    """About how much memory the texts of a table take; where pandas knows it, they are not looked at."""
    kind = kind_of(value)
    if kind is Kind.FRAME:
        return sum(text_bytes(value.iloc[:, n]) for n in range(value.shape[1]))
    if not holds_objects(value):
        return 0
    array = value.array if kind in {Kind.SERIES, Kind.INDEX} else value
    known = shown_type(array) == "ArrowStringArray"
    return int(array.nbytes) if known else characters_of(value)


def longest_text(value: Any) -> int:
    """The length of the longest text in a text, a container or a table; linear in its cells."""
    kind = kind_of(value)
    if kind is Kind.TEXT:
        return len(value)
    if kind is Kind.FRAME:
        return max((longest_text(value.iloc[:, n]) for n in range(value.shape[1])), default=0)
    if kind in FLAT:
        levels = getattr(value, "levels", None)
        return max(map(longest_text, levels), default=0) if levels is not None else _longest_cell(value)
    if kind in CONTAINERS and type(value) is not range:
        parts = (*value, *value.values()) if kind is Kind.DICT else value
        return max((longest_text(one) for one in parts), default=0)
    return 0


def _longest_cell(flat: Any) -> int:
    if not holds_objects(flat):
        categories = getattr(flat.dtype, "categories", None)
        return longest_text(categories) if categories is not None else 0
    if kind_of(flat) in {Kind.SERIES, Kind.INDEX} and str(flat.dtype) != "object":
        longest = flat.str.len().max()
        return int(longest) if longest == longest else 0  # noqa: PLR0124 - not a NaN
    cells = flat.ravel() if kind_of(flat) is Kind.ARRAY else flat.to_numpy()
    return max((_length(one) for one in cells), default=0)


def _length(cell: Any) -> int:
    kind = kind_of(cell)
    if kind is Kind.TEXT:
        return len(cell)
    return _CHARACTERS_A_CELL * size_of(cell) if kind in CONTAINERS else 0
