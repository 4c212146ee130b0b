"""What an expression may call of `np`, `pd` and `math`, and what is looked at before."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from gip_nb.tools.reading.function_checks import CHECKS, numeric, single
from gip_nb.tools.reading.given import any_data
from gip_nb.tools.reading.kinds import Kind, Refused, kind_of

__all__ = ["ROOMS", "in_room"]

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
        if any(kind_of(one) in {Kind.ITERATOR, Kind.VIEW} for one in (*args, *kwargs.values())):
            raise Refused(f"{room}.{name}() takes lists; make a list of it")
        args = tuple(_given(room, name, one) for one in args)
        kwargs = {key: _given(room, name, one) for key, one in kwargs.items()}
        check = CHECKS.get((room, name), numeric if room == "np" else single if room == "math" else None)
        if check is not None:
            check(args, kwargs)
        return getattr(_modules()[room], name)(*args, **kwargs)

    return run, True


def _given(room: str, name: str, value: Any) -> Any:
    try:
        return any_data(value)
    except Refused as refused:
        raise Refused(f"{room}.{name}(): an argument {refused}") from None
