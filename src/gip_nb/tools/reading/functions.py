"""What an expression may call of `np`, `pd` and `math`, and what is looked at before."""

from __future__ import annotations

import math
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.growth import check_aligned, check_fits
from gip_nb.tools.reading.kinds import CONTAINERS, FLAT, SCALARS, Kind, Refused, kind_of
from gip_nb.tools.reading.method_checks import check_bins
from gip_nb.tools.reading.sizes import holds_objects
from gip_nb.tools.reading.table_checks import concatenated, crossed, merged, spread_in_time

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ROOMS", "in_room"]

_INT64_BITS = 64

# numpy's -> how many arguments by their place, and which by their names. `out` and `dtype` are on no list.
_AXIS = frozenset({"axis", "keepdims"})
_NUMPY: dict[str, tuple[int, frozenset[str]]] = {
    **dict.fromkeys(
        [
            "abs",
            "absolute",
            "sqrt",
            "cbrt",
            "exp",
            "expm1",
            "log",
            "log2",
            "log10",
            "log1p",
            "sin",
            "cos",
            "tan",
            "arcsin",
            "arccos",
            "arctan",
            "sinh",
            "cosh",
            "tanh",
            "floor",
            "ceil",
            "trunc",
            "rint",
            "sign",
            "square",
            "isnan",
            "isfinite",
            "isinf",
            "deg2rad",
            "rad2deg",
        ],
        (1, frozenset()),
    ),
    **dict.fromkeys(
        ["maximum", "minimum", "arctan2", "hypot", "logical_and", "logical_or", "isclose"], (2, frozenset())
    ),
    **dict.fromkeys(
        ["sum", "mean", "median", "min", "max", "nansum", "nanmean", "nanmedian", "nanmin", "nanmax", "ptp"],
        (1, _AXIS),
    ),
    **dict.fromkeys(["std", "var", "nanstd", "nanvar"], (1, _AXIS | {"ddof"})),
    **dict.fromkeys(
        ["argmin", "argmax", "argsort", "sort", "cumsum", "any", "all", "count_nonzero"],
        (1, frozenset({"axis"})),
    ),
    **dict.fromkeys(
        ["percentile", "quantile", "nanpercentile", "nanquantile"], (2, frozenset({"axis", "q"}))
    ),
    "average": (1, frozenset({"axis", "weights"})),
    "round": (2, frozenset({"decimals"})),
    "clip": (3, frozenset()),
    "where": (3, frozenset()),
    "unique": (1, frozenset({"return_counts"})),
    "diff": (1, frozenset({"axis"})),
    "corrcoef": (2, frozenset()),
    "histogram": (2, frozenset({"bins", "range"})),
    "array": (1, frozenset()),
    "asarray": (1, frozenset()),
    "arange": (3, frozenset()),
    "linspace": (3, frozenset({"num"})),
    "polyfit": (3, frozenset({"deg"})),
    "polyval": (2, frozenset()),
    "interp": (3, frozenset()),
    "isin": (2, frozenset()),
}
_PANDAS: dict[str, tuple[int, frozenset[str]]] = {
    "to_datetime": (1, frozenset(["errors", "dayfirst", "yearfirst", "utc", "format", "unit"])),
    "to_numeric": (1, frozenset({"errors"})),
    "to_timedelta": (1, frozenset({"unit", "errors"})),
    **dict.fromkeys(["isna", "isnull", "notna", "notnull", "unique"], (1, frozenset())),
    "cut": (2, frozenset(["bins", "labels", "right", "include_lowest", "precision"])),
    "qcut": (2, frozenset(["q", "labels", "duplicates", "precision"])),
    "concat": (1, frozenset(["axis", "ignore_index", "keys", "join", "names"])),
    "merge": (
        2,
        frozenset(
            [
                "how",
                "on",
                "left_on",
                "right_on",
                "left_index",
                "right_index",
                "suffixes",
                "validate",
                "indicator",
            ]
        ),
    ),
    "crosstab": (2, frozenset(["normalize", "margins"])),
    "date_range": (2, frozenset(["start", "end", "periods", "freq", "tz", "inclusive"])),
    "Timestamp": (1, frozenset(["year", "month", "day", "hour", "minute", "second", "tz", "unit"])),
    "Timedelta": (2, frozenset(["unit", "days", "hours", "minutes", "seconds", "weeks", "milliseconds"])),
    "DataFrame": (1, frozenset({"data", "index", "columns"})),
    "Series": (1, frozenset({"data", "index", "name"})),
}
_MATH: dict[str, tuple[int, frozenset[str]]] = {
    **dict.fromkeys(
        [
            "sqrt",
            "exp",
            "log",
            "log2",
            "log10",
            "log1p",
            "floor",
            "ceil",
            "trunc",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "degrees",
            "radians",
            "isnan",
            "isfinite",
            "isinf",
            "fabs",
            "fsum",
        ],
        (1, frozenset()),
    ),
    **dict.fromkeys(["hypot", "atan2", "fmod", "copysign", "isclose"], (2, frozenset())),
}
_MATH["log"] = (2, frozenset())
_NUMBERS = {"np": ("pi", "e", "nan", "inf"), "pd": ("NA", "NaT"), "math": ("pi", "e", "tau", "nan", "inf")}
# As an expression names them -> numpy, pandas or math, and what there is of it.
ROOMS = {"np": "np", "numpy": "np", "pd": "pd", "pandas": "pd", "math": "math"}
_TABLES = {"np": _NUMPY, "pd": _PANDAS, "math": _MATH}


@lru_cache(maxsize=1)
def _modules() -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    return {"np": np, "pd": pd, "math": math}


def in_room(room: str, name: str) -> tuple[Any, bool]:
    """What a name stands for in `np`, `pd` or `math`: a function that checks, or a value.

    Returns:
        It, and whether it is a function: then it takes `args` and `kwargs`.

    Raises:
        Refused: there is no such name, or none that is read.
    """
    if name in _NUMBERS[room]:
        return getattr(_modules()[room], name), False
    table = _TABLES[room]
    if name not in table:
        raise Refused(f"{room}.{name} is not read; known are {', '.join(sorted(table))}")

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        places, keywords = table[name]
        if len(args) > places or kwargs.keys() - keywords:
            known = f", and {', '.join(sorted(keywords))} by name" if keywords else ""
            raise Refused(f"{room}.{name}() takes up to {places} arguments by place{known}")
        check = _CHECKS.get((room, name), _numeric if room == "np" else None)
        if check is not None:
            check(args, kwargs)
        return getattr(_modules()[room], name)(*args, **kwargs)

    return run, True


# What is looked at first ----------------------------------------------------------------------------------


def _numeric(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Numpy makes one array of a list: as wide as its longest text, or of Python's own integers."""
    import numpy as np

    shapes = []
    for one in (*args, *kwargs.values()):
        if kind_of(one) in FLAT:
            if holds_objects(one) and kind_of(one) is not Kind.SERIES:
                raise Refused("numpy's functions take numbers; choose the columns of numbers")
            shapes.append(one.shape)
        elif kind_of(one) in CONTAINERS:
            _only_numbers(one)
            shapes.append(np.shape(list(one)))
        elif kind_of(one) not in SCALARS:
            raise Refused("numpy's functions take numbers and times")
    for n, one in enumerate(args):
        for other in args[n + 1 :]:
            check_aligned(one, other)
    if len(args) > 1:
        try:
            check_fits(prod(np.broadcast_shapes(*shapes)), *args)
        except ValueError:
            return  # numpy will say so, or it is a function that does not match them


def _only_numbers(container: Any) -> None:
    waiting = list(container)
    while waiting:
        one = waiting.pop()
        kind = kind_of(one)
        if kind in CONTAINERS:
            waiting.extend(one)
        elif kind not in {Kind.NUMBER, Kind.TIME} or (type(one) is int and one.bit_length() >= _INT64_BITS):
            raise Refused("a list for numpy holds numbers or times only")


def _arange(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    _numeric(args, kwargs)
    first, last, step = (0, args[0], 1) if len(args) == 1 else (*args, 1)[:3]
    if any(kind_of(one) is not Kind.NUMBER for one in (first, last, step)) or not step:
        raise Refused("np.arange(): numbers, and a step that is not 0")
    check_fits(abs((last - first) / step))


def _linspace(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    _numeric(args, kwargs)
    check_bins(kwargs.get("num", args[2] if len(args) > 2 else 50))  # noqa: PLR2004 - its third


def _second_is_bins(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    for one in (*args[1:2], kwargs.get("bins"), kwargs.get("q")):
        check_bins(one)
        if kind_of(one) is Kind.TEXT:
            raise Refused("bins is a number or a list")


def _histogram(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    _second_is_bins(args, kwargs)
    for one in args[:1]:
        _numeric((one,), {})


def _polyfit(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    _numeric(args[:2], {})
    degree = kwargs.get("deg", args[2] if len(args) > 2 else 1)  # noqa: PLR2004 - its third
    if type(degree) is not int or not 0 <= degree <= 20:  # noqa: PLR2004 - more is noise
        raise Refused("np.polyfit(): a degree up to 20")


def _correlation(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    _numeric(args, kwargs)
    rows = sum(one.shape[0] if len(getattr(one, "shape", ())) > 1 else 1 for one in args)
    check_bins(rows)
    check_fits(rows * rows)


def _concat(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not args:
        raise Refused("concat: a list of DataFrames or Series")
    concatenated(args[0], kwargs.get("axis", 0))


def _merge(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if len(args) != 2:  # noqa: PLR2004 - two tables
        raise Refused("pd.merge(left, right, ...)")
    merged(args[0], args[1], kwargs)


def _crosstab(args: tuple[Any, ...], _: dict[str, Any]) -> None:
    if len(args) != 2:  # noqa: PLR2004 - rows and columns
        raise Refused("pd.crosstab(rows, columns)")
    crossed(None, args[0], args[1])


def _date_range(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    periods = kwargs.get("periods")
    if periods is not None:
        if type(periods) is not int:
            raise Refused("pd.date_range(): periods is an int")
        check_fits(periods)
        return
    first, last = (
        kwargs.get("start", args[0] if args else None),
        kwargs.get("end", args[1] if len(args) > 1 else None),
    )
    check_fits(spread_in_time(first, last, kwargs.get("freq", "D")))


def _to_datetime(_: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if len(str(kwargs.get("format", ""))) > 60:  # noqa: PLR2004 - as for strftime
        raise Refused("pd.to_datetime(): a format of 60 characters at the most")


def _table(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    data: Any = kwargs.get("data", args[0] if args else None)
    columns: list[Any] = (
        list(data.values())
        if type(data) is dict
        else data
        if kind_of(data) in {Kind.LIST, Kind.TUPLE}
        else []
    )
    lengths = [len(one) if kind_of(one) in CONTAINERS | FLAT else 1 for one in columns]
    index: Any = kwargs.get("index")
    rows = max([*lengths, len(index) if kind_of(index) in CONTAINERS | FLAT else 1])
    labelled = sum(n for n, one in zip(lengths, columns, strict=True) if kind_of(one) is Kind.SERIES)
    wide = len(kwargs["columns"]) if kind_of(kwargs.get("columns")) in CONTAINERS | FLAT else 1
    # A list of dicts has a column for each key of each.
    keys = sum(
        n for n, one in zip(lengths, columns, strict=True) if type(one) is dict and type(data) is not dict
    )
    check_fits(max(rows, labelled) * max(1, len(columns), wide) + keys * len(columns))
    if any(kind_of(one) is Kind.ITERATOR for one in (data, *columns)):
        raise Refused("a table is made of lists, not of a generator")


_CHECKS: dict[tuple[str, str], Callable[[tuple[Any, ...], dict[str, Any]], None]] = {
    ("np", "arange"): _arange,
    ("np", "linspace"): _linspace,
    ("np", "histogram"): _histogram,
    ("np", "polyfit"): _polyfit,
    ("np", "corrcoef"): _correlation,
    ("pd", "cut"): _second_is_bins,
    ("pd", "qcut"): _second_is_bins,
    ("pd", "concat"): _concat,
    ("pd", "merge"): _merge,
    ("pd", "crosstab"): _crosstab,
    ("pd", "date_range"): _date_range,
    ("pd", "to_datetime"): _to_datetime,
    ("pd", "DataFrame"): _table,
    ("pd", "Series"): _table,
}
