"""What is looked at before a method of a pandas object, an array or a text runs."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.allowed import BY_NAME, TAKES_NAMES
from gip_nb.tools.reading.growth import (
    MOST_ITEMS,
    check_aligned,
    check_binary,
    check_fits,
    check_item,
    check_repeated,
    check_work,
    no_tables_in,
    no_tables_in_cells,
)
from gip_nb.tools.reading.kinds import CONTAINERS, FLAT, Kind, Reader, Refused, kind_of, plain
from gip_nb.tools.reading.parameters import check_parameters
from gip_nb.tools.reading.patterns import check_pattern
from gip_nb.tools.reading.plain_checks import check_plain
from gip_nb.tools.reading.sizes import characters_of, holds_objects, longest_text
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
from gip_nb.tools.reading.text_checks import (
    concatenated_texts,
    matched,
    rows_of,
    searched,
    text_joined,
    text_replaced,
    widened,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.tools.reading.asked import Asked

__all__ = ["check_bins", "check_method"]

_MOST_BINS = 10_000
_MOST_DECIMALS = 300
_MOST_FORMAT = 60
_MOST_SUMMED_TEXTS = 5_000
_MOST_CORRELATED = 300
_LONG_TEXT = 100
# It may be read as a time.
_MOST_TEXT = 10_000
_FILLING = frozenset({"map", "replace", "fillna"})
_MOST_GROUPS_DESCRIBED = 2_000
_ADDING = frozenset({"sum", "cumsum", "prod", "cumprod", "mean"})
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
_PANDAS = frozenset({Kind.FRAME, Kind.SERIES, Kind.INDEX, Kind.GROUPS, Kind.WINDOW})
# Parameters that name columns, methods or quantiles, each of which makes a column or a pass.
_NAMING = frozenset(
    (
        *("by", "keys", "subset", "on", "left_on", "right_on", "values", "id_vars", "value_vars"),
        *("func", "aggfunc", "q", "percentiles", "level", "names"),
    )
)
_FEW_NAMES = 20
# Methods in which cells are compared with each other, or added.
_MEETING = frozenset(
    (
        *("sum", "cumsum", "prod", "cumprod", "mean", "median", "std", "var", "sem", "skew", "kurt", "mode"),
        *(
            "min",
            "max",
            "cummin",
            "cummax",
            "idxmin",
            "idxmax",
            "argmin",
            "argmax",
            "argsort",
            "rank",
            "diff",
        ),
        *("sort_values", "sort_index", "nlargest", "nsmallest", "clip", "between", "equals", "quantile"),
        *("pct_change", "replace", "searchsorted", "describe", "isin", "value_counts", "unique", "nunique"),
        *(
            "drop_duplicates",
            "duplicated",
            "round",
            "corr",
            "cov",
            "autocorr",
            "all",
            "any",
            "agg",
            "aggregate",
        ),
    )
)
# Methods that do not match their arguments by labels, or are looked at on their own.
_BY_VALUE = frozenset({"isin", "merge", "join", "equals", "reindex"})


def check_method(asked: Asked) -> None:
    """See that a method that is allowed changes nothing and makes nothing out of proportion.

    What is to be passed stands in `asked` afterwards.

    Raises:
        Refused: it may.
    """
    if asked.tells_names:
        check_parameters(asked)
    else:
        check_plain(asked)
    _check_lists(asked)
    _check_long_texts(asked)
    _check_reductions(asked)
    _check_operands(asked)
    _check_meeting(asked.of, asked.name, numeric_only=asked.get("numeric_only") is True)
    check = _CHECKS.get((asked.kind, asked.name)) or _CHECKS.get((None, asked.name))
    if check is not None:
        check(asked)


def _check_lists(asked: Asked) -> None:
    """A list may name the same column many times over."""
    if asked.kind not in _PANDAS:
        return
    rows = len(getattr(asked.of, "obj", asked.of))
    for name, value in asked.named.items():
        if name in _NAMING and kind_of(value) in CONTAINERS and len(value) > _FEW_NAMES:
            check_fits(rows * len(value), advice=f"{name}= names fewer columns or values")


def _check_long_texts(asked: Asked) -> None:
    """A text that is filled in stands in each cell; each has its own copy of it."""
    if asked.kind not in _PANDAS | {Kind.TEXT_ACCESSOR, Kind.ARRAY}:
        return
    for value in (*asked.args, *asked.named.values(), *asked.more.values()):
        if kind_of(value) in FLAT and asked.name not in _FILLING:
            continue  # row by row, or looked at on its own
        longest = longest_text(value)
        if longest > _MOST_TEXT and asked.kind is not Kind.TEXT_ACCESSOR:
            raise Refused(f"{asked.name}(): a text of at most {_MOST_TEXT:,} characters")
        if longest > _LONG_TEXT:
            check_fits(_cells(asked) * longest / 8, advice="that text is too long to be put into each cell")


def _cells(asked: Asked) -> int:
    if asked.kind is Kind.TEXT_ACCESSOR:
        return rows_of(asked.of)
    whole = getattr(asked.of, "obj", asked.of)
    return int(whole.size) if kind_of(whole) in FLAT else 1


def _check_operands(asked: Asked) -> None:
    if asked.name in _OPERATORS and asked.kind in FLAT:
        other = asked.get("other", 0)
        check_binary(_OPERATORS[asked.name], asked.of, other, axis=asked.get("axis", default="columns"))
    if asked.name not in _BY_VALUE:
        for other in (*asked.named.values(), *asked.more.values()):
            check_aligned(asked.of, other)


def _check_reductions(asked: Asked) -> None:
    """What is added up by a name is looked at as where its method is called."""
    given = [asked.named.get("func"), asked.named.get("arg"), *asked.more.values()]
    if asked.name == "pivot_table":
        given = [asked.named.setdefault("aggfunc", "mean")]
    if asked.name not in TAKES_NAMES:
        return
    names = set()
    while given:
        one = given.pop()
        if type(one) is str:
            names.add(one)
        elif type(one) is dict:
            given.extend(one.values())
        elif type(one) in {list, tuple}:
            given.extend(one)
    if asked.kind is not Kind.WINDOW:
        if asked.kind is Kind.GROUPS and "unique" in names:
            _described(asked)
        for name in names & BY_NAME:
            _check_meeting(asked.of, name, numeric_only=asked.more.get("numeric_only") is True)


def _check_meeting(data: Any, name: str, *, numeric_only: bool) -> None:
    """Texts and Python objects are added one by one, each sum a new object: quadratic. Arrays are matched."""
    if kind_of(data) is Kind.GROUPS:
        data = getattr(data, "_selected_obj", None)
    if name in _MEETING:
        no_tables_in_cells(data)
    if name not in _ADDING or kind_of(data) not in FLAT or not holds_objects(data):
        return
    if kind_of(data) is Kind.FRAME and numeric_only:
        return
    if "prod" in name or len(data) > _MOST_SUMMED_TEXTS:
        raise Refused(
            f"{name}() of texts or objects: choose the columns of numbers, or pass numeric_only=True"
        )
    check_work(len(data) * characters_of(data) / 8, "a column of numbers")


def _whole(asked: Asked) -> None:
    """Each cell becomes a Python object."""
    if asked.kind in FLAT and asked.of.size > MOST_ITEMS:
        raise Refused(f"{asked.name}() of {asked.of.size:,} cells: take .head(), or an aggregate")


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
    if kind_of(bins) in CONTAINERS | FLAT and len(bins) > _MOST_BINS:  # type: ignore[arg-type]  # it has a length
        raise Refused(f"at most {_MOST_BINS:,} edges of bins")


def _bins(asked: Asked) -> None:
    check_bins(asked.get("bins"))


def _format(asked: Asked) -> None:
    named = next((asked.named[name] for name in ("date_format", "format", "fmt") if name in asked.named), "")
    given = plain(asked.args[0] if asked.args else named)
    if type(given) is not str or len(given) > _MOST_FORMAT or re.search("[0-9]", given):
        raise Refused(f"a time's format is a text of {_MOST_FORMAT} characters at the most, without digits")


def _sampled(asked: Asked) -> None:
    n, part = asked.get("n"), asked.get("frac")
    rows = n if n is not None else (part or 0) * len(asked.of)
    if asked.get("replace"):
        check_repeated(asked.of, abs(rows))
    check_fits(abs(rows) * (asked.of.shape[1] if asked.kind is Kind.FRAME else 1), asked.of)


def _correlated(asked: Asked) -> None:
    if asked.kind is not Kind.FRAME:
        return
    if asked.of.shape[1] > _MOST_CORRELATED:
        raise Refused(f"{asked.name}() of more than {_MOST_CORRELATED} columns: choose some")
    check_work(asked.of.size * asked.of.shape[1], "fewer columns or rows")


def _filtered(asked: Asked) -> None:
    pattern = asked.get("regex")
    labels = asked.of.index if asked.get("axis") in {0, "index", "rows"} else asked.of.columns
    if pattern is not None:
        check_pattern(pattern, [len(str(name)) for name in labels])
    for name in ("arg", "items"):
        named = asked.get(name)
        if kind_of(named) in CONTAINERS | FLAT:
            check_fits(len(named) * asked.of.size / max(1, len(labels)), asked.of)


def _replaced(asked: Asked) -> None:
    if asked.get("regex") not in {None, False}:
        raise Refused("replace(): regex= is not read; use .str.replace")
    given = asked.get("to_replace")
    several = given.values() if type(given) is dict and _nested(given) else [given]
    for one in several:
        many = len(one) if kind_of(one) in CONTAINERS | FLAT else 1
        check_work(asked.of.size * many, "fewer values to replace, or .map(...)")


def _nested(given: dict[Any, Any]) -> bool:
    return any(type(one) is dict for one in given.values())


def _cast(asked: Asked) -> None:
    dtype = asked.get("dtype", 0)
    if asked.kind is Kind.ARRAY and str(getattr(dtype, "__name__", dtype)) in {
        "str",
        "string",
        "object",
        "category",
    }:
        raise Refused("astype(): an array becomes numbers only")


def _cast_to_texts(asked: Asked) -> None:
    """A category's text has one copy, until each cell has its own."""
    _cast(asked)
    if asked.kind in {Kind.FRAME, Kind.SERIES, Kind.INDEX}:
        columns = (
            [asked.of.iloc[:, n] for n in range(asked.of.shape[1])]
            if asked.kind is Kind.FRAME
            else [asked.of]
        )
        for column in columns:
            if getattr(column.dtype, "categories", None) is not None:
                check_fits(len(column) * longest_text(column) / 8, asked.of, advice="its texts are long")


def _spread(asked: Asked) -> None:
    """What a function makes for a group or a table stands in each of its rows."""
    whole = getattr(asked.of, "obj", asked.of)
    for given in (asked.named, asked.more):
        for name, function in given.items():
            if type(function) is Reader:
                given[name] = Reader(function.__name__, _few_characters(function, len(whole)))


def _few_characters(function: Reader, rows: int) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        made = function(*args, **kwargs)
        if kind_of(made) is Kind.TEXT:
            check_fits(rows * len(made) / 8, advice="that text is too long to be put into each cell")
        return made

    return run


def _numbers_wide(asked: Asked) -> None:
    """`shift` makes a column for each of several numbers."""
    periods = asked.get("periods")
    if kind_of(periods) in CONTAINERS:
        whole = getattr(asked.of, "obj", asked.of)
        check_fits(len(periods) * whole.size)


def _got(asked: Asked) -> None:
    key = asked.get("key")
    if kind_of(key) in CONTAINERS | FLAT:
        check_item(asked.of, key)


def _taken(asked: Asked) -> None:
    indices = asked.get("indices")
    if kind_of(indices) in CONTAINERS | FLAT:
        check_repeated(asked.of, len(indices))


def _described_columns(asked: Asked) -> None:
    if asked.kind is Kind.FRAME and asked.of.shape[1] > _MOST_GROUPS_DESCRIBED:
        raise Refused(f"describe() of {_MOST_GROUPS_DESCRIBED:,} columns at the most: choose some")


def _started(asked: Asked) -> None:
    """Each text may be looked for in each row."""
    wanted = asked.get("pat")
    if kind_of(wanted) is Kind.TUPLE:
        check_work(rows_of(asked.of) * len(wanted), "fewer texts to look for")


def _described(asked: Asked) -> None:
    """Group by group, in Python: each takes a millisecond and more."""
    groups = asked.of.ngroups * (len(asked.of.obj.columns) if kind_of(asked.of.obj) is Kind.FRAME else 1)
    if groups > _MOST_GROUPS_DESCRIBED:
        raise Refused(
            f"{asked.name}() of {groups:,} groups and columns, of {_MOST_GROUPS_DESCRIBED:,}: use .agg"
        )


def _stacked(asked: Asked) -> None:
    """A row for each label of each level that columns have."""
    check_fits(asked.of.size * longest_text(asked.of.columns) / 8, asked.of)
    levels = getattr(asked.of.columns, "levels", None)
    if levels is not None:
        check_fits(len(asked.of) * prod(len(level) for level in levels), asked.of)


def _compared(asked: Asked) -> None:
    no_tables_in(asked.of)


_CHECKS: dict[tuple[Kind | None, str], Callable[[Asked], None]] = {
    **{(None, name): _whole for name in ("to_dict", "tolist", "to_list", "items")},
    **{(None, name): widened for name in ("zfill", "pad", "ljust", "rjust", "center")},
    **{
        (Kind.TEXT_ACCESSOR, name): matched
        for name in ["contains", "match", "fullmatch", "count", "extract", "split", "rsplit", "replace"]
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
    **{
        (Kind.TEXT_ACCESSOR, name): searched
        for name in ("find", "rfind", "partition", "rpartition", "strip", "lstrip", "rstrip")
    },
    (Kind.FRAME, "filter"): _filtered,
    (Kind.FRAME, "replace"): _replaced,
    (Kind.SERIES, "replace"): _replaced,
    (None, "shift"): _numbers_wide,
    **{(kind, "get"): _got for kind in (Kind.FRAME, Kind.SERIES)},
    **{(kind, "take"): _taken for kind in (Kind.FRAME, Kind.SERIES)},
    (Kind.FRAME, "stack"): _stacked,
    (Kind.FRAME, "describe"): _described_columns,
    (Kind.TEXT_ACCESSOR, "startswith"): _started,
    (Kind.TEXT_ACCESSOR, "endswith"): _started,
    **{(Kind.GROUPS, name): _described for name in ("describe", "unique", "ohlc", "value_counts")},
    (None, "melt"): melted,
    (Kind.TEXT_ACCESSOR, "cat"): concatenated_texts,
    (Kind.TEXT, "join"): text_joined,
    (Kind.TEXT, "replace"): text_replaced,
    (None, "astype"): _cast_to_texts,
    (None, "assign"): _spread,
    (None, "transform"): _spread,
}
