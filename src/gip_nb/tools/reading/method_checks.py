"""What is looked at before a method of a pandas object, an array or a text runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.allowed import BY_NAME, TAKES_NAMES
from gip_nb.tools.reading.asked import Asked
from gip_nb.tools.reading.growth import (
    MOST_ITEMS,
    check_aligned,
    check_binary,
    check_fits,
    no_tables_in,
)
from gip_nb.tools.reading.kinds import CONTAINERS, FLAT, Kind, Reader, Refused, kind_of
from gip_nb.tools.reading.patterns import check_pattern
from gip_nb.tools.reading.sizes import holds_objects
from gip_nb.tools.reading.table_checks import (
    exploded,
    joined,
    melted,
    merged_with,
    observed,
    pivoted,
    reindexed,
    resampled,
    unstacked,
)
from gip_nb.tools.reading.text_checks import concatenated_texts, matched, text_joined, text_replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["check_bins", "check_method"]

# Of whatever method: what changes its object, writes somewhere, or chooses who computes.
_NEVER = frozenset(
    [
        "out",
        "buf",
        "path",
        "path_or_buf",
        "filepath_or_buffer",
        "fname",
        "file",
        "engine",
        "engine_kwargs",
        "storage_options",
        "executor",
        "encoding",
        "flags",
    ]
)
_DTYPE = re.compile(
    r"u?int(8|16|32|64)?|U?Int(8|16|32|64)|float(16|32|64)?|Float(32|64)|bool|boolean|str|string|object"
    r"|category|datetime64(\[(ns|us|ms|s)(, ?[A-Za-z/_]{1,40})?\])?|timedelta64\[(ns|us|ms|s)\]"
)
# numpy's own methods tell no signature, and take the array to write into by its place.
_ARRAY_PLACES = {"clip": 2, "reshape": 9, "transpose": 9, "item": 9, "tolist": 0, "copy": 0}
_ARRAY_KEYWORDS = frozenset(["axis", "decimals", "min", "max", "ddof", "keepdims", "kind"])
_MOST_WIDTH = 1_000
_MOST_BINS = 10_000
_MOST_DECIMALS = 300
_MOST_FORMAT = 60
_MOST_SUMMED_TEXTS = 5_000
_MOST_CORRELATED = 300
_OPERATORS = {
    "add": "Add",
    "radd": "Add",
    "sub": "Sub",
    "rsub": "Sub",
    "mul": "Mult",
    "rmul": "Mult",
    "mod": "Mod",
    **dict.fromkeys(("div", "rdiv", "truediv"), "Div"),
    "floordiv": "FloorDiv",
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), "Eq"),
}
# Methods that do not match their arguments by labels, or are looked at on their own.
_BY_VALUE = frozenset({"isin", "merge", "join", "equals", "reindex"})


def check_method(asked: Asked) -> None:
    """See that a method that is allowed changes nothing and makes nothing out of proportion.

    Raises:
        Refused: it may.
    """
    if asked.kind is Kind.ARRAY:
        _check_array(asked)
    for name, value in {**asked.arguments, **asked.kwargs}.items():
        if name in _NEVER or (name in {"inplace", "copy_on_write"} and value is not False):
            raise Refused(f"{asked.name}(): {name}= is not read")
    if asked.name in TAKES_NAMES and asked.kind is not Kind.TEXT:
        _check_names(asked)
    for name in ("dtype", "dtypes"):
        if asked.arguments.get(name) is not None:
            _check_dtype(asked.arguments[name])
    _check_operands(asked)
    check = _CHECKS.get((asked.kind, asked.name)) or _CHECKS.get((None, asked.name))
    if check is not None:
        check(asked)


def _check_operands(asked: Asked) -> None:
    if asked.name in _OPERATORS and asked.kind in FLAT:
        other = asked.get("other", 0)
        check_binary(_OPERATORS[asked.name], asked.of, other, axis=asked.get("axis", default="columns"))
    if asked.name not in _BY_VALUE:
        for other in asked.arguments.values():
            check_aligned(asked.of, other)


def _check_array(asked: Asked) -> None:
    if len(asked.args) > _ARRAY_PLACES.get(asked.name, 1):
        raise Refused(f"{asked.name}() of an array takes axis= by name, and nothing to write into")
    if asked.kwargs.keys() - _ARRAY_KEYWORDS:
        raise Refused(
            f"{asked.name}() of an array: {', '.join(asked.kwargs.keys() - _ARRAY_KEYWORDS)} not read"
        )


def _check_names(asked: Asked) -> None:
    """Texts that stand for methods name harmless ones."""
    waiting: list[Any] = [*asked.args, *_named_functions(asked.kwargs)]
    if asked.name == "pivot_table":
        waiting = [asked.arguments.get("aggfunc")]
    while waiting:
        one = waiting.pop()
        if type(one) is str:
            _check_name(asked, one)
        elif type(one) is dict:
            waiting.extend(one.values())
        elif kind_of(one) in CONTAINERS and type(one) is not range:
            waiting.extend(one)


def _named_functions(kwargs: dict[str, Any]) -> Iterator[Any]:
    """What stands for a function: of total=("column", "sum") the second, of axis="index" nothing."""
    for name, value in kwargs.items():
        if type(value) is tuple:
            yield from value[1:]
        elif name not in {"axis", "result_type", "numeric_only"}:
            yield value


def _check_name(asked: Asked, name: str) -> None:
    if name not in BY_NAME:
        raise Refused(f"{asked.name}({name!r}): known names are {', '.join(sorted(BY_NAME))}")
    if asked.kind is not Kind.WINDOW:
        _sums(Asked(asked.of, name, (), {}))


def _check_dtype(dtype: Any) -> None:
    if type(dtype) is dict:
        for one in dtype.values():
            _check_dtype(one)
    elif isinstance(dtype, Reader):
        _check_dtype(dtype.__name__)
    elif kind_of(dtype) is not Kind.DTYPE and not (type(dtype) is str and _DTYPE.fullmatch(dtype)):
        raise Refused(
            "that dtype is not read; write float, int, str, 'category', 'datetime64[ns]' or the like"
        )


def _sums(asked: Asked) -> None:
    """Texts and Python objects are added one by one, each sum a new object: quadratic."""
    if asked.name not in {"sum", "cumsum", "prod", "cumprod"}:
        return
    data = asked.of
    if asked.kind is Kind.GROUPS:
        data = getattr(data, "_selected_obj", None)
    if kind_of(data) not in FLAT or not holds_objects(data):
        return
    if kind_of(data) is Kind.FRAME and asked.kwargs.get("numeric_only") is True:
        return
    if "prod" in asked.name or len(data) > _MOST_SUMMED_TEXTS:
        raise Refused(
            f"{asked.name}() of texts or objects: choose the columns of numbers, or pass numeric_only=True"
        )


def _whole(asked: Asked) -> None:
    """Each cell becomes a Python object."""
    if asked.kind in FLAT and asked.of.size > MOST_ITEMS:
        raise Refused(f"{asked.name}() of {asked.of.size:,} cells: take .head(), or an aggregate")


def _widths(asked: Asked) -> None:
    width = asked.get("width", 0, 0)
    if not _within(width, _MOST_WIDTH):
        raise Refused(f"{asked.name}(): a width is at most {_MOST_WIDTH}")


def _within(number: Any, most: int) -> bool:
    return kind_of(number) is Kind.NUMBER and type(number) is not complex and -most <= number <= most


def _rounding(asked: Asked) -> None:
    decimals = asked.get("decimals", 0, 0)
    if kind_of(decimals) is Kind.TEXT or asked.kind is Kind.TIME:
        return  # a time is rounded to "h"
    each = list(decimals.values()) if type(decimals) is dict else [decimals]
    if not all(_within(one, _MOST_DECIMALS) for one in each):
        raise Refused(f"round(): decimals is a number up to {_MOST_DECIMALS}")


def check_bins(bins: object) -> None:
    """See that a number of bins is one to draw.

    Raises:
        Refused: it is more.
    """
    if kind_of(bins) is Kind.NUMBER and not _within(bins, _MOST_BINS):
        raise Refused(f"at most {_MOST_BINS:,} bins")


def _bins(asked: Asked) -> None:
    check_bins(asked.get("bins"))


def _format(asked: Asked) -> None:
    given = asked.get("date_format", 0, asked.get("format", default=""))
    if type(given) is not str or len(given) > _MOST_FORMAT or re.search("[0-9]", given):
        raise Refused(f"a time's format is a text of {_MOST_FORMAT} characters at the most, without digits")


def _sampled(asked: Asked) -> None:
    n, part = asked.get("n"), asked.get("frac")
    rows = n if n is not None else (part or 0) * len(asked.of)
    columns = asked.of.shape[1] if asked.kind is Kind.FRAME else 1
    if kind_of(rows) is not Kind.NUMBER:
        raise Refused("sample(): n is a number")
    check_fits(abs(rows) * columns, asked.of)
    if type(asked.get("random_state")) not in {int, type(None)}:
        raise Refused("sample(): random_state is an int")


def _correlated(asked: Asked) -> None:
    if asked.kind is Kind.FRAME and asked.of.shape[1] > _MOST_CORRELATED:
        raise Refused(f"{asked.name}() of more than {_MOST_CORRELATED} columns: choose some")


def _filtered(asked: Asked) -> None:
    pattern = asked.get("regex")
    if pattern is not None:
        check_pattern(pattern, max((len(str(name)) for name in asked.of.columns), default=0))


def _replaced(asked: Asked) -> None:
    if asked.get("regex", default=False) is not False:
        raise Refused("replace(): regex= is not read; use .str.replace")


def _cast(asked: Asked) -> None:
    dtype = asked.get("dtype", 0)
    _check_dtype(dtype)
    if asked.kind is Kind.ARRAY and getattr(dtype, "__name__", dtype) in {"str", "string", "object"}:
        raise Refused("astype(): an array becomes numbers only")


def _compared(asked: Asked) -> None:
    no_tables_in(asked.of)


_CHECKS: dict[tuple[Kind | None, str], Callable[[Asked], None]] = {
    **{(None, name): _sums for name in ("sum", "cumsum", "prod", "cumprod")},
    **{(None, name): _whole for name in ("to_dict", "tolist", "to_list", "items")},
    **{(None, name): _widths for name in ("zfill", "pad", "ljust", "rjust", "center")},
    **{
        (Kind.TEXT_ACCESSOR, name): matched
        for name in ["contains", "match", "fullmatch", "count", "extract", "split", "replace"]
    },
    **{(Kind.LIST, name): _compared for name in ("index", "count")},
    **{(Kind.TUPLE, name): _compared for name in ("index", "count")},
    (None, "round"): _rounding,
    (None, "value_counts"): _bins,
    (None, "strftime"): _format,
    (None, "sample"): _sampled,
    (None, "corr"): _correlated,
    (None, "cov"): _correlated,
    (None, "groupby"): observed,
    (None, "unstack"): unstacked,
    (None, "pivot"): pivoted,
    (None, "pivot_table"): pivoted,
    (None, "merge"): merged_with,
    (Kind.FRAME, "join"): joined,
    (None, "explode"): exploded,
    (None, "reindex"): reindexed,
    (None, "resample"): resampled,
    (Kind.FRAME, "asfreq"): resampled,
    (Kind.SERIES, "asfreq"): resampled,
    (Kind.FRAME, "filter"): _filtered,
    (Kind.FRAME, "replace"): _replaced,
    (Kind.SERIES, "replace"): _replaced,
    (None, "melt"): melted,
    (Kind.TEXT_ACCESSOR, "cat"): concatenated_texts,
    (Kind.TEXT, "join"): text_joined,
    (Kind.TEXT, "replace"): text_replaced,
    (None, "astype"): _cast,
}
