"""What is looked at before a method of a pandas object, an array or a text runs."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.allowed import BY_NAME, TAKES_NAMES
from gip_nb.tools.reading.growth import (
    MOST_CELLS,
    MOST_ITEMS,
    check_binary,
    check_fits,
    check_pair,
    no_tables_in,
)
from gip_nb.tools.reading.kinds import CONTAINERS, FLAT, Kind, Reader, Refused, kind_of
from gip_nb.tools.reading.patterns import check_pattern
from gip_nb.tools.reading.sizes import characters_of, holds_objects

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Asked", "check_bins", "check_method", "concatenated", "crossed", "merged", "spread_in_time"]

# Of whatever method: what changes its object, writes somewhere, or chooses who computes.
_NEVER = frozenset(
    ["out", "buf", "path", "path_or_buf", "filepath_or_buffer", "fname", "file", "engine", "engine_kwargs", "storage_options", "executor", "copy_to", "encoding", "format_func", "flags"]
)
_DTYPE = re.compile(
    r"u?int(8|16|32|64)?|U?Int(8|16|32|64)|float(16|32|64)?|Float(32|64)|bool|boolean|str|string|object|category"
    r"|datetime64(\[(ns|us|ms|s)(, ?[A-Za-z/_]{1,40})?\])?|timedelta64\[(ns|us|ms|s)\]"
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
    "add": "Add", "radd": "Add", "sub": "Sub", "rsub": "Sub", "mul": "Mult", "rmul": "Mult", "mod": "Mod",
    **dict.fromkeys(("div", "rdiv", "truediv"), "Div"),
    "floordiv": "FloorDiv",
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), "Eq"),
}


@dataclass(frozen=True)
class Asked:
    """A method that is to be called, and with what.

    Attributes:
        of: the object.
        name: of the method.
        args: by their place.
        kwargs: by their names; a check may add one.
    """

    of: Any
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @cached_property
    def kind(self) -> Kind | None:
        """The object's kind."""
        return kind_of(self.of)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """All arguments by their names, where the method tells them; else those that were given by name."""
        signature = _signature(type(self.of), self.name)
        if signature is None:
            return self.kwargs
        try:
            bound = signature.bind(self.of, *self.args, **self.kwargs)
        except TypeError as error:
            raise Refused(f"{self.name}(): {error}; it is {self.name}{signature}"[:500]) from None
        named = dict(bound.arguments)
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                named.update(named.pop(parameter.name, {}))
        return named

    def get(self, name: str, place: int | None = None, default: Any = None) -> Any:  # noqa: ANN401
        """An argument by its name, or by its place where the method tells no names."""
        if name in self.arguments:
            return self.arguments[name]
        return self.args[place] if place is not None and len(self.args) > place else default


@lru_cache(maxsize=1024)
def _signature(of: type, name: str) -> inspect.Signature | None:
    if not of.__module__.startswith("pandas"):
        return None
    try:
        return inspect.signature(getattr(of, name))
    except (TypeError, ValueError, AttributeError):
        return None


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
    if asked.name in _OPERATORS and asked.kind in FLAT:
        other = asked.get("other", 0)
        check_binary(_OPERATORS[asked.name], asked.of, other)
        check_pair(asked.of, other, axis=asked.get("axis", default="columns"))
    check = _CHECKS.get((asked.kind, asked.name)) or _CHECKS.get((None, asked.name))
    if check is not None:
        check(asked)


def _check_array(asked: Asked) -> None:
    if len(asked.args) > _ARRAY_PLACES.get(asked.name, 1):
        raise Refused(f"{asked.name}() of an array takes axis= by name, and nothing to write into")
    if asked.kwargs.keys() - _ARRAY_KEYWORDS:
        raise Refused(
            f"{asked.name}() of an array: {', '.join(asked.kwargs.keys() - _ARRAY_KEYWORDS)} not read"
        )


def _check_names(asked: Asked) -> None:
    """Texts that stand for methods name harmless ones."""
    given = [asked.args, asked.kwargs]
    if asked.name in {"pivot_table", "crosstab"}:
        given = [asked.arguments.get("aggfunc")]  # type: ignore[list-item]  # a name, or a container of them
    waiting = list(given)
    while waiting:
        one: Any = waiting.pop()
        if type(one) is str:
            _check_name(asked, one)
        elif type(one) is dict:
            # {"column": "sum"}; named aggregation, total=("column", "sum"), has the name second.
            waiting.extend(
                value[1:] if type(value) is tuple and len(value) == 2 and one is asked.kwargs else value  # noqa: PLR2004
                for key, value in one.items()
                if one is not asked.kwargs or key not in {"axis", "result_type", "numeric_only"}
            )
        elif kind_of(one) in CONTAINERS and type(one) is not range:
            waiting.extend(one)


def _check_name(asked: Asked, name: str) -> None:
    if name not in BY_NAME:
        raise Refused(f"{asked.name}({name!r}): known names are {', '.join(sorted(BY_NAME))}")
    if asked.kind is not Kind.WINDOW:
        _sums(Asked(asked.of, name, (), {}))


def _check_dtype(dtype: Any) -> None:  # noqa: ANN401
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


def _within(number: object, most: int) -> bool:
    return kind_of(number) is Kind.NUMBER and type(number) is not complex and -most <= number <= most  # type: ignore[operator]  # a number


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


def _observed(asked: Asked) -> None:
    """Categories that do not occur would be crossed with each other."""
    if asked.kwargs.get("observed", True) is not True:
        raise Refused(f"{asked.name}(): only observed=True is read")
    asked.kwargs["observed"] = True


def _unstacked(asked: Asked) -> None:
    index = asked.of.index
    levels = asked.get("level", default=-1)
    levels = list(levels) if kind_of(levels) in CONTAINERS else [levels]
    if getattr(index, "levels", None) is None:
        return
    wide = prod(index.get_level_values(level).nunique() for level in levels)
    check_fits(len(asked.of) * wide * (asked.of.shape[1] if asked.kind is Kind.FRAME else 1), asked.of)


def crossed(frame: Any, rows: Any, columns: Any, *, values: int = 1, complete: bool = False) -> None:  # noqa: ANN401
    """See that a table of each row key by each column key is in proportion.

    Args:
        frame: whose columns the keys may name; None where they are columns themselves.
        rows: a key or a list of them.
        columns: a key or a list of them.
        values: how many tables.
        complete: whether combinations that do not occur count.

    Raises:
        Refused: it is not.
    """
    high, wide = _distinct(frame, rows), _distinct(frame, columns)
    if not complete and frame is not None:
        high, wide = min(high, len(frame)), min(wide, len(frame))
    check_fits(high * wide * values, advice="group by fewer keys")


def _distinct(frame: Any, keys: Any) -> int:  # noqa: ANN401
    if keys is None:
        return 1
    if kind_of(keys) in FLAT - {Kind.FRAME}:
        return len(set(keys.tolist())) if kind_of(keys) is Kind.ARRAY else int(keys.nunique())
    if kind_of(keys) is Kind.LIST and frame is None and keys and kind_of(keys[0]) not in FLAT:
        return len(keys)
    if kind_of(keys) is Kind.LIST:
        return prod(_distinct(frame, key) for key in keys)
    if frame is not None and keys in frame.columns:
        return int(frame[keys].nunique()) if kind_of(frame[keys]) is Kind.SERIES else len(frame)
    return len(frame) if frame is not None else MOST_CELLS


def _pivoted(asked: Asked) -> None:
    if asked.name == "pivot_table":
        _observed(asked)
    values = asked.get("values")
    tables = len(values) if kind_of(values) in CONTAINERS else 1 if values is not None else asked.of.shape[1]
    rows = asked.get("index")
    crossed(
        asked.of,
        rows if rows is not None or asked.name == "pivot_table" else asked.of.index,
        asked.get("columns"),
        values=tables,
        complete=asked.get("dropna", default=True) is not True,
    )


def _merged(asked: Asked) -> None:
    merged(asked.of, asked.get("right"), asked.arguments)


def merged(left: Any, right: Any, options: dict[str, Any]) -> None:  # noqa: ANN401
    """See that a merge does not multiply its rows.

    Raises:
        Refused: it may.
    """
    if kind_of(left) is not Kind.FRAME or kind_of(right) not in {Kind.FRAME, Kind.SERIES}:
        raise Refused("merge: two DataFrames")
    if kind_of(right) is Kind.SERIES:
        right = right.to_frame()
    columns = left.shape[1] + right.shape[1]
    rows = len(left) * len(right)
    if rows * columns <= MOST_CELLS:
        return
    on = options.get("on")
    if options.get("how") != "cross":
        common = [name for name in left.columns if name in right.columns]
        for side, by, by_index in (
            (left, options.get("left_on", on), options.get("left_index")),
            (right, options.get("right_on", on), options.get("right_index")),
        ):
            keys = by if by is not None else common
            if side.index.is_unique if by_index else not side.duplicated(subset=keys).any():
                rows = len(left) + len(right)
    check_fits(rows * columns, left, right, advice="both sides repeat their keys; drop the duplicates of one")


def _joined(asked: Asked) -> None:
    other = asked.get("other")
    if kind_of(other) not in {Kind.FRAME, Kind.SERIES}:
        raise Refused("join: one DataFrame or Series")
    unique = other.index.is_unique or (asked.get("on") is None and asked.of.index.is_unique)
    rows = len(asked.of) + len(other)
    if asked.get("how") == "cross" or not unique:
        rows = len(asked.of) * len(other)
    check_fits(rows * (asked.of.shape[1] + other.size // max(1, len(other))), asked.of, other)


def concatenated(parts: Any, axis: object) -> None:  # noqa: ANN401
    """See that tables fit together without filling up with what is missing.

    Raises:
        Refused: they do not.
    """
    tables = list(parts.values()) if type(parts) is dict else parts
    if kind_of(tables) not in {Kind.LIST, Kind.TUPLE} or not all(
        kind_of(one) in {Kind.FRAME, Kind.SERIES} for one in tables
    ):
        raise Refused("concat: a list of DataFrames or Series")
    frames = [one.to_frame() if kind_of(one) is Kind.SERIES else one for one in tables]
    if not frames:
        return
    across = axis in {1, "columns"}
    joined = [frame.index if across else frame.columns for frame in frames]
    labels = len(joined[0])
    if not all(one.equals(joined[0]) for one in joined[1:]):
        labels = sum(len(one) for one in joined) * (
            1 if all(one.is_unique for one in joined) else len(joined[0])
        )
    check_fits(labels * sum(frame.shape[1 if across else 0] for frame in frames), *frames)


def _exploded(asked: Asked) -> None:
    columns = asked.get("column") if asked.kind is Kind.FRAME else None
    names = columns if kind_of(columns) in CONTAINERS else [columns]
    for name in names:
        cells = asked.of if asked.kind is Kind.SERIES else asked.of[name]
        rows = sum(len(one) if kind_of(one) in CONTAINERS | FLAT else 1 for one in cells)
        check_fits(rows * (asked.of.shape[1] if asked.kind is Kind.FRAME else 1), asked.of)


def _reindexed(asked: Asked) -> None:
    high, wide = len(asked.of), asked.of.shape[1] if asked.kind is Kind.FRAME else 1
    for name in ("labels", "index"):
        labels = asked.get(name)
        high = max(high, len(labels)) if kind_of(labels) in CONTAINERS | FLAT else high
    labels = asked.get("columns")
    wide = max(wide, len(labels)) if kind_of(labels) in CONTAINERS | FLAT else wide
    check_fits(high * wide, asked.of)


def spread_in_time(first: Any, last: Any, rule: Any) -> float:  # noqa: ANN401
    """How many steps of a frequency there are between two times.

    Raises:
        Refused: the rule is no frequency.
    """
    import pandas as pd
    from pandas.tseries.frequencies import to_offset

    try:
        offset = to_offset(rule)
        start, end = pd.Timestamp(first), pd.Timestamp(last)
    except (TypeError, ValueError) as error:
        raise Refused(f"not a frequency between times: {error}") from None
    if pd.isna(start) or pd.isna(end):
        return 0
    try:
        step_s = pd.Timedelta(offset).total_seconds()
    except (TypeError, ValueError):
        step_s = 86_400 / 24  # months, weeks, business hours: an hour at the least
    return abs((end - start).total_seconds()) / max(abs(step_s), 1e-9) + 1


def _resampled(asked: Asked) -> None:
    times = asked.of[asked.get("on")] if asked.get("on") is not None else asked.of.index
    if not len(times) or not str(times.dtype).startswith("datetime64"):
        if len(times):
            raise Refused(f"{asked.name}(): the index holds no times")
        return
    rows = spread_in_time(times.min(), times.max(), asked.get("rule", default=asked.get("freq")))
    check_fits(rows * max(1, asked.of.size // max(1, len(asked.of))), asked.of)


def _filtered(asked: Asked) -> None:
    pattern = asked.get("regex")
    if pattern is not None:
        check_pattern(pattern, max((len(str(name)) for name in asked.of.columns), default=0))


def _replaced(asked: Asked) -> None:
    if asked.get("regex", default=False) is not False:
        raise Refused("replace(): regex= is not read; use .str.replace")


def _melted(asked: Asked) -> None:
    kept = asked.get("id_vars")
    check_fits(asked.of.size * (2 + (len(kept) if kind_of(kept) in CONTAINERS else 1)), asked.of)


# Texts -----------------------------------------------------------------------------------------------------------


def _longest(accessor: Any) -> int:  # noqa: ANN401
    lengths = accessor.len().max()
    return int(lengths) if lengths == lengths else 0  # noqa: PLR0124 - not a NaN


def _matched(asked: Asked) -> None:
    """Methods of `.str` that take a pattern, unless told that it is a plain text."""
    plain = asked.get("regex", default=asked.name not in {"replace", "split"}) is False
    pattern = asked.get("pat")
    if asked.name == "split":
        if asked.get("expand") and not 0 < (asked.get("n") or -1) <= 50:  # noqa: PLR2004 - columns to look at
            raise Refused("split(expand=True): pass n=, up to 50")
        asked.kwargs.setdefault("regex", False)
        plain = asked.kwargs["regex"] is False
    if pattern is not None and not plain:
        check_pattern(pattern, _longest(asked.of))
    if asked.name == "replace":
        new = asked.get("repl")
        if type(pattern) is not str or not pattern or type(new) is not str or len(new) > 100:  # noqa: PLR2004 - a word
            raise Refused("str.replace(): pat and repl are texts, of 100 characters at the most")
        rows = max(1, asked.of.len().size)
        check_fits(rows * (_longest(asked.of) + 1) * max(1, len(new)) / 8)


def _concatenated_texts(asked: Asked) -> None:
    others, between = asked.get("others"), asked.get("sep") or ""
    rows = asked.of.len().size
    if type(between) is not str:
        raise Refused("str.cat(): sep is a text")
    parts = others if kind_of(others) is Kind.LIST else [] if others is None else [others]
    characters = rows * (_longest(asked.of) + len(between))
    for part in parts:
        if kind_of(part) is Kind.SERIES and not part.index.is_unique:
            raise Refused("str.cat(): others have unique labels")
        characters += characters_of(part) + rows * len(between)
    check_fits(characters / 8)


def _text_joined(asked: Asked) -> None:
    if not asked.args or kind_of(asked.args[0]) not in {Kind.LIST, Kind.TUPLE, Kind.SET, Kind.ITERATOR}:
        raise Refused("join(): a list of texts")
    if kind_of(asked.args[0]) is Kind.ITERATOR:
        return  # each of its steps is counted
    check_fits(sum(len(asked.of) + len(one) for one in asked.args[0] if type(one) is str) / 8)


def _text_replaced(asked: Asked) -> None:
    old, new = (*asked.args, "", "")[:2]
    if type(old) is not str or type(new) is not str:
        raise Refused("replace(): two texts")
    check_fits((len(asked.of) // max(1, len(old)) + 1) * len(new) / 8)


def _cast(asked: Asked) -> None:
    dtype = asked.get("dtype", 0)
    _check_dtype(dtype)
    if asked.kind is Kind.ARRAY and getattr(dtype, "__name__", dtype) in {"str", "string", "object"}:
        raise Refused("astype(): an array becomes numbers only")


def _compared(asked: Asked) -> None:
    no_tables_in(asked.of)


def _groups_checked(asked: Asked) -> None:
    _observed(asked)


_CHECKS: dict[tuple[Kind | None, str], Callable[[Asked], None]] = {
    **{(None, name): _sums for name in ("sum", "cumsum", "prod", "cumprod")},
    **{(None, name): _whole for name in ("to_dict", "tolist", "to_list", "items")},
    **{(None, name): _widths for name in ("zfill", "pad", "ljust", "rjust", "center")},
    **{
        (Kind.TEXT_ACCESSOR, name): _matched
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
    (None, "groupby"): _groups_checked,
    (None, "unstack"): _unstacked,
    (None, "pivot"): _pivoted,
    (None, "pivot_table"): _pivoted,
    (None, "merge"): _merged,
    (Kind.FRAME, "join"): _joined,
    (None, "explode"): _exploded,
    (None, "reindex"): _reindexed,
    (None, "resample"): _resampled,
    (Kind.FRAME, "asfreq"): _resampled,
    (Kind.SERIES, "asfreq"): _resampled,
    (Kind.FRAME, "filter"): _filtered,
    (Kind.FRAME, "replace"): _replaced,
    (Kind.SERIES, "replace"): _replaced,
    (None, "melt"): _melted,
    (Kind.TEXT_ACCESSOR, "cat"): _concatenated_texts,
    (Kind.TEXT, "join"): _text_joined,
    (Kind.TEXT, "replace"): _text_replaced,
    (None, "astype"): _cast,
}
