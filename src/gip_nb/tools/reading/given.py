"""What an expression may give to a parameter, and the value that pandas gets for it.

Each rule makes the value that is passed on, of Python's own types, or refuses: what it does not know, it does
not let by. So what was looked at is what pandas is given, and a text of numpy's that calls itself "eval" is
either the text that was looked at or nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.allowed import BY_NAME
from gip_nb.tools.reading.kinds import CONTAINERS, DATA, SCALARS, Kind, Reader, Refused, kind_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "a_count",
    "a_flag",
    "a_frequency",
    "a_function",
    "a_number",
    "a_reduction",
    "a_short_text",
    "a_text",
    "a_time_zone",
    "an_axis",
    "any_data",
    "dtype_names",
    "flags",
    "function_or_data",
    "holds_functions",
    "keys",
    "one_of",
    "only_false",
    "some_dtype",
]

_MOST_NUMBER = 10**9
_MOST_FUNCTIONS = 100
_SHORT_CHARACTERS = 100
# What pandas makes a dtype of; everything else could be any name of numpy's, or a dtype as wide as it likes.
_DTYPE = re.compile(
    r"u?int(8|16|32|64)?|U?Int(8|16|32|64)|float(16|32|64)?|Float(32|64)|bool|boolean|str|string|object"
    r"|category|datetime64(\[(ns|us|ms|s)(, ?(UTC|[A-Z][A-Za-z]{1,20}/[A-Z][A-Za-z_]{1,30}))?\])?"
    r"|timedelta64\[(ns|us|ms|s)\]"
)
_DTYPE_FAMILIES = frozenset(
    [
        "number",
        "all",
        "datetime",
        "timedelta",
        "datetimetz",
        "integer",
        "floating",
        "datetime64",
        "timedelta64",
    ]
)
_PYTHONS = {"int": int, "float": float, "str": str, "bool": bool}
# A zone of the tz database. `dateutil/...` is a path of a file, which would be opened.
_ZONE = re.compile(
    r"(?!dateutil)[A-Za-z][A-Za-z0-9_+-]{1,30}(/[A-Za-z][A-Za-z0-9_+-]{1,30}){0,2}|[+-]\d\d:\d\d"
)
_FREQUENCY = re.compile(
    r"(-?\d{0,6}(\.\d{1,3})? ?"
    r"(ns|us|ms|min|s|S|[hHTLUND]|[Dd]ays?|hours?|minutes?|seconds?|weeks?|[bBcC]|bh|BME?|BMS|M|MS|ME|SME?|SMS"
    r"|B?[QYA]E?S?(-[A-Z]{3})?|W(-[A-Z]{3})?|WOM-[1-4][A-Z]{3}) ?){1,4}"
)


def _refused(what: str) -> Refused:
    return Refused(f"is {what}")


def holds_functions(value: Any) -> bool:
    """Whether a value is no data, or a container in which something else is than data."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        kind = kind_of(one)
        if kind not in DATA and kind is not Kind.DTYPE:
            return True
        if kind in CONTAINERS and type(one) is not range:
            if kind is Kind.DICT:
                waiting.extend(one)
                one = one.values()
            kinds = set(map(type, one))
            waiting.extend(item for item in one if type(item) in kinds) if not kinds <= _LEAVES else None
    return False


_LEAVES = frozenset({int, float, bool, str, type(None)})


def any_data(value: Any) -> Any:
    """Numbers, texts, times, lists, tables: what holds no function."""
    if holds_functions(value):
        raise _refused("data, not a function")
    return plain(value)


def function_or_data(value: Any) -> Any:
    """What may be told by a function too. A text is a label, and no name of a function."""
    return value if kind_of(value) in {Kind.LAMBDA, Kind.READER} else any_data(value)


def keys(value: Any) -> Any:
    """What to group by: labels, columns and functions, or a list of them."""
    if type(value) in {list, tuple}:
        return type(value)(function_or_data(one) for one in value)
    return function_or_data(value)


def a_flag(value: Any) -> Any:
    """True, False or None."""
    if value is None or type(value) is bool:
        return value
    if kind_of(value) is Kind.NUMBER and type(value) is not complex and value in {0, 1}:
        return bool(value)
    raise _refused("True or False")


def flags(value: Any) -> Any:
    """True, False, or a list of them."""
    if kind_of(value) in {Kind.LIST, Kind.TUPLE}:
        return [a_flag(one) for one in value]
    return a_flag(value)


def only_false(value: Any) -> Any:
    """False: the other would change the notebook's data."""
    if value is not False:
        raise _refused("not read")
    return False


def an_axis(value: Any) -> Any:
    """0, 1, "index", "columns" or None."""
    value = plain(value)
    if value is None or (type(value) in {int, str} and value in {0, 1, -1, "index", "columns", "rows"}):
        return value
    raise _refused('0 or "index", 1 or "columns"')


def a_number(value: Any) -> Any:
    """A number of a sensible size, or None."""
    if value is None:
        return None
    if (
        kind_of(value) is Kind.NUMBER
        and type(value) is not complex
        and -_MOST_NUMBER <= value <= _MOST_NUMBER
    ):
        return value
    raise _refused(f"a number up to {_MOST_NUMBER:,}")


def a_count(value: Any) -> Any:
    """A whole number, or None."""
    value = a_number(value)
    if value is None or type(value) is bool:
        return value
    if value != int(value):
        raise _refused("a whole number")
    return int(value)


def a_text(value: Any) -> Any:
    """A text or None."""
    value = plain(value)
    if value is None or type(value) is str:
        return value
    raise _refused("a text")


def a_short_text(value: Any) -> Any:
    """A text of up to a hundred characters, a pair of them, or None."""
    if kind_of(value) in {Kind.LIST, Kind.TUPLE} and len(value) == 2:  # noqa: PLR2004 - suffixes of two sides
        return tuple(map(a_short_text, value))
    value = a_text(value)
    if value is not None and len(value) > _SHORT_CHARACTERS:
        raise _refused(f"a text of at most {_SHORT_CHARACTERS} characters")
    return value


def one_of(words: str, *, or_false: bool = False) -> Callable[[Any], Any]:
    """A rule: one of these words, or None; or False where that is one."""
    known = frozenset(words.split())

    def rule(value: Any) -> Any:
        value = plain(value)
        if value is None or (type(value) is str and value in known):
            return value
        if or_false and value is False:
            return value
        raise _refused(f"one of {', '.join(sorted(known))}")

    return rule


def a_time_zone(value: Any) -> Any:
    """A zone's name or None."""
    value = a_text(value)
    if value is not None and not _ZONE.fullmatch(value):
        raise _refused('a time zone, as "Europe/Oslo" or "UTC"')
    return value


def a_frequency(value: Any) -> Any:
    """A step of time: "D", "2h", "MS", a Timedelta; or None."""
    value = plain(value)
    if value is None or (kind_of(value) in {Kind.TIME, Kind.OTHER_SCALAR} and value is not ...):
        return value
    if type(value) is str and _FREQUENCY.fullmatch(value):
        return value
    raise _refused('a step of time, as "D", "15min" or "MS"')


def some_dtype(value: Any) -> Any:
    """A dtype, `float` or its name; or one for each column."""
    value = plain(value)
    if kind_of(value) is Kind.DICT and not any(map(holds_functions, value)):
        return {key: some_dtype(one) for key, one in value.items()}
    if type(value) is Reader and value.__name__ in _PYTHONS:
        return _PYTHONS[value.__name__]
    if value is None or kind_of(value) is Kind.DTYPE or (type(value) is str and _DTYPE.fullmatch(value)):
        return value
    raise _refused('a dtype: float, int, str, "category", "datetime64[ns]" or the like')


def dtype_names(value: Any) -> Any:
    """Dtypes, or the families that `select_dtypes` knows, or a list of them."""
    value = plain(value)
    if kind_of(value) in {Kind.LIST, Kind.TUPLE} and type(value) is not range:
        return [dtype_names(one) for one in value]
    if type(value) is str and value in _DTYPE_FAMILIES:
        return value
    return some_dtype(value)


# Functions ------------------------------------------------------------------------------------------------


def a_function(value: Any) -> Any:
    """A function of the expression's, or None."""
    if value is None or kind_of(value) in {Kind.LAMBDA, Kind.READER}:
        return value
    raise _refused("a function")


def a_reduction(value: Any, known: frozenset[str] = BY_NAME) -> Any:
    """What `agg` takes: a function, the name of a harmless method, a list of them, or one for each label."""
    return _Functions(known).read(value)


class _Functions:
    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._left = _MOST_FUNCTIONS

    def read(self, value: Any, *, within: int = 3) -> Any:
        value = plain(value)
        self._left -= 1
        if self._left < 0:
            raise _refused(f"at most {_MOST_FUNCTIONS} functions")
        if value is None or kind_of(value) in {Kind.LAMBDA, Kind.READER}:
            return value
        if type(value) is str:
            if value not in self._known:
                raise Refused(f"({value!r}): known names are {', '.join(sorted(self._known))}")
            return value
        if within and type(value) in {list, tuple}:
            return [self.read(one, within=within - 1) for one in value]
        if within and type(value) is dict and all(_is_label(key) for key in value):
            return {plain(key): self.read(one, within=within - 1) for key, one in value.items()}
        raise _refused("a function, the name of one, a list of them, or a dict of one for each column")


def _is_label(value: Any) -> bool:
    kind = kind_of(value)
    return kind in SCALARS or (kind is Kind.TUPLE and all(kind_of(one) in SCALARS for one in value))
