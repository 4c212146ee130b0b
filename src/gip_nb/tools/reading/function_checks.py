"""What is looked at before a function of numpy's, pandas' or math's runs."""

from __future__ import annotations

import decimal
from math import prod
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.given import a_frequency, a_time_zone
from gip_nb.tools.reading.growth import check_aligned, check_fits, check_repeated, check_work, repeats
from gip_nb.tools.reading.kinds import CONTAINERS, FLAT, Kind, Refused, kind_of
from gip_nb.tools.reading.method_checks import check_bins
from gip_nb.tools.reading.sizes import holds_objects, longest_text, size_of
from gip_nb.tools.reading.table_checks import (
    check_margins,
    check_steps,
    concatenated,
    crossed,
    merged,
    spread_in_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CHECKS", "numeric", "single"]

_INT64_BITS = 64
_MOST_FILLED = 100
_MOST_PARSED = 1_000
_MOST_DECIMALS = 300
_MOST_PRECISION = 30
# How many steps of a matrix product are done in the time of one other.
_BLAS = 10


def numeric(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """See that numpy is given numbers, and that what they are spread to is in proportion.

    Raises:
        Refused: it is not, or may not be.
    """
    import numpy as np

    shapes = [shape for one in (*args, *kwargs.values()) if (shape := _shape(one)) is not None]
    filled = max((len(one) for one in args if kind_of(one) is Kind.TEXT), default=1)
    for n, one in enumerate(args):
        for other in args[n + 1 :]:
            check_aligned(one, other)
    if len(args) > 1:
        try:
            check_fits(prod(np.broadcast_shapes(*shapes)) * filled, *(args if filled == 1 else ()))
        except ValueError:
            return  # numpy will say so, or it is a function that does not match them


def _shape(value: Any) -> tuple[int, ...] | None:
    """Of an array or of what becomes one; None of a single value."""
    import numpy as np

    kind = kind_of(value)
    if kind in FLAT:
        if holds_objects(value):
            raise Refused("numpy's functions take numbers; choose the columns of numbers")
        return tuple(value.shape)
    if kind in CONTAINERS:
        _only_numbers(value)
        return np.shape(list(value))
    short = kind is Kind.TEXT and len(value) <= _MOST_FILLED
    if not (short or value is None or _is_number(value) or kind is Kind.TIME):
        raise Refused("numpy's functions take numbers and times, and texts of a few characters")
    return None


def _is_number(value: Any) -> bool:
    """A number that numpy has a type for: of others, Python's own operations are done, whatever they cost."""
    if kind_of(value) is not Kind.NUMBER or type(value) is decimal.Decimal:
        return False
    return not (type(value) is int and value.bit_length() >= _INT64_BITS)


def single(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """See that `math` is given numbers that it has a type for.

    Raises:
        Refused: it is not.
    """
    for one in (*args, *kwargs.values()):
        if kind_of(one) in CONTAINERS:
            _only_numbers(one)
        elif kind_of(one) not in FLAT and not _is_number(one):
            raise Refused("math's functions take numbers that are not too large; use float()")


def _scalars(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """A time or a span is made of texts and numbers."""
    for name, one in (*enumerate(args), *kwargs.items()):
        if name == "tz":
            a_time_zone(one)
        elif kind_of(one) is Kind.TEXT:
            _few_characters(one)
        elif not _is_number(one) and kind_of(one) not in {Kind.TIME, Kind.OTHER_SCALAR}:
            raise Refused("a time or a span is made of a text, a number or a time")


def _few_characters(text: str) -> None:
    if len(text) > _MOST_FILLED:
        raise Refused(f"a time is written in {_MOST_FILLED} characters at the most")


def _parsed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Texts that become times or numbers: a long one takes long."""
    for one in args:
        if longest_text(one) > _MOST_PARSED:
            raise Refused(f"texts of at most {_MOST_PARSED} characters become times or numbers")
        if kind_of(one) not in FLAT and kind_of(one) not in CONTAINERS:
            _scalars((one,), {})
    given = kwargs.get("format")
    if given is not None and (type(given) is not str or len(given) > 60):  # noqa: PLR2004 - as for strftime
        raise Refused("pd.to_datetime(): a format of 60 characters at the most")
    for name in ("unit", "errors"):
        if kwargs.get(name) is not None and (
            type(kwargs[name]) is not str or len(kwargs[name]) > _MOST_FILLED
        ):
            raise Refused(f"{name} is a short text")


def _polyval(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """A pass over the points for each coefficient."""
    numeric(args, kwargs)
    check_work(prod(map(_count, args)), "fewer coefficients or points")


def _percentiles(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Each of them is looked for in all, and may be one for each row."""
    numeric(args, kwargs)
    wanted = kwargs.get("q", args[1] if len(args) > 1 else 0)
    if _count(wanted) > 1:
        check_fits(_count(wanted) * _count(args[0] if args else 0), advice="fewer percentiles")


def _count(value: Any) -> int:
    if kind_of(value) in FLAT:
        return max(1, int(value.size))
    return max(1, size_of(value)) if kind_of(value) in CONTAINERS else 1


def _rounded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    numeric(args, kwargs)
    decimals = kwargs.get("decimals", args[1] if len(args) > 1 else 0)
    if type(decimals) is not int or abs(decimals) > _MOST_DECIMALS:
        raise Refused(f"np.round(): decimals is a whole number up to {_MOST_DECIMALS}")


def _unique(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if kind_of(args[0] if args else None) is not Kind.SERIES:
        numeric(args, kwargs)


def _only_numbers(container: Any) -> None:
    waiting = list(container)
    while waiting:
        one = waiting.pop()
        kind = kind_of(one)
        if kind in CONTAINERS:
            waiting.extend(one)
        elif not _is_number(one) and kind is not Kind.TIME:
            raise Refused("a list for numpy holds numbers or times only")


def _arange(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if kwargs or not args or not all(map(_is_number, args)):
        raise Refused("np.arange(): numbers")
    first, last, step = (0, args[0], 1) if len(args) == 1 else (*args, 1)[:3]
    if any(type(one) is complex for one in (first, last, step)) or not step:
        raise Refused("np.arange(): numbers, and a step that is not 0")
    check_fits(abs((last - first) / step))


def _linspace(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not all(map(_is_number, (*args, *kwargs.values()))):
        raise Refused("np.linspace(): numbers")
    check_bins(kwargs.get("num", args[2] if len(args) > 2 else 50))  # noqa: PLR2004 - its third


def _second_is_bins(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    for one in (*args[1:2], kwargs.get("bins"), kwargs.get("q")):
        check_bins(one)
        if one is not None and kind_of(one) is not Kind.NUMBER and kind_of(one) not in CONTAINERS | FLAT:
            raise Refused("bins is a number or a list")
    if longest_text(kwargs.get("labels")) > _MOST_FILLED:
        raise Refused(f"a label has {_MOST_FILLED} characters at the most")
    precision = kwargs.get("precision", 3)
    if type(precision) is not int or not 0 <= precision <= _MOST_PRECISION:
        raise Refused(f"precision is a whole number from 0 to {_MOST_PRECISION}")


def _histogram(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    _second_is_bins(args, kwargs)
    for one in args[:1]:
        numeric((one,), {})


def _polyfit(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    numeric(args[:2], {})
    degree = kwargs.get("deg", args[2] if len(args) > 2 else 1)  # noqa: PLR2004 - its third
    if type(degree) is not int or not 0 <= degree <= 20:  # noqa: PLR2004 - more is noise
        raise Refused("np.polyfit(): a degree up to 20")


def _correlation(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    import numpy as np

    numeric(args, kwargs)
    shapes = [one.shape if kind_of(one) in FLAT else np.shape(one) for one in args]
    rows = sum(shape[0] if len(shape) > 1 else 1 for shape in shapes)
    check_fits(rows * rows)
    check_work(rows * sum(map(prod, shapes)) / _BLAS, "fewer rows: it is a coefficient for each pair of them")


def _concat(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not args:
        raise Refused("concat: a list of DataFrames or Series")
    concatenated(args[0], kwargs.get("axis", 0))
    keys = list(args[0]) if type(args[0]) is dict else kwargs.get("keys")
    if longest_text(keys) > _MOST_FILLED:  # it stands in each row
        raise Refused(f"a key has {_MOST_FILLED} characters at the most")


def _merge(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if len(args) != 2:  # noqa: PLR2004 - two tables
        raise Refused("pd.merge(left, right, ...)")
    merged(args[0], args[1], kwargs)


def _crosstab(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if len(args) != 2:  # noqa: PLR2004 - rows and columns
        raise Refused("pd.crosstab(rows, columns)")
    crossed(None, args[0], args[1])
    if kwargs.get("margins"):
        check_margins(None, args[1])


def _date_range(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    periods = kwargs.get("periods")
    a_time_zone(kwargs.get("tz"))
    a_frequency(kwargs.get("freq"))
    _scalars((*args, *(kwargs.get(name) for name in ("start", "end"))), {})
    if periods is not None:
        if type(periods) is not int:
            raise Refused("pd.date_range(): periods is an int")
        check_fits(periods)
        check_steps(kwargs.get("freq"), periods)
        return
    first, last = (
        kwargs.get("start", args[0] if args else None),
        kwargs.get("end", args[1] if len(args) > 1 else None),
    )
    check_fits(spread_in_time(first, last, kwargs.get("freq") or "D"))


def _table(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    data: Any = kwargs.get("data", args[0] if args else None)
    if kind_of(data) in FLAT:
        _relabelled(data, kwargs)
        return
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
    labelled = sum(
        n for n, one in zip(lengths, columns, strict=True) if kind_of(one) in {Kind.SERIES, Kind.DICT}
    )
    wide = len(kwargs["columns"]) if kind_of(kwargs.get("columns")) in CONTAINERS | FLAT else 1
    # A list of dicts has a column for each key of each.
    keys = sum(
        n for n, one in zip(lengths, columns, strict=True) if type(one) is dict and type(data) is not dict
    )
    check_fits(max(rows, labelled) * max(1, len(columns), wide) + keys * len(columns))
    # A single text stands in each row.
    single_texts = [one for one in (data, *columns) if kind_of(one) is Kind.TEXT]
    check_fits(max(rows, labelled) * sum(map(len, single_texts)) / 8, advice="that text is too long")
    if any(kind_of(one) in {Kind.ITERATOR, Kind.VIEW} for one in columns):
        raise Refused("a table is made of lists; make a list of it")


def _relabelled(data: Any, kwargs: dict[str, Any]) -> None:
    """A table of a table: a row or a column for each label that is asked for."""
    shape = (*data.shape, 1)[:2]
    asked: list[Any] = [kwargs.get("index"), kwargs.get("columns")]
    high, wide = (
        max(there, len(labels)) if kind_of(labels) in CONTAINERS | FLAT else there
        for there, labels in zip(shape, asked, strict=True)
    )
    check_fits(high * wide, data)
    if kind_of(asked[0]) in CONTAINERS | FLAT and repeats(asked[0]):
        check_repeated(data, high)


CHECKS: dict[tuple[str, str], Callable[[tuple[Any, ...], dict[str, Any]], None]] = {
    ("np", "arange"): _arange,
    ("np", "unique"): _unique,
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
    **{("pd", name): _parsed for name in ("to_datetime", "to_numeric", "to_timedelta")},
    **{("pd", name): _scalars for name in ("Timestamp", "Timedelta")},
    ("np", "polyval"): _polyval,
    ("np", "round"): _rounded,
    **{("np", name): _percentiles for name in ("percentile", "quantile", "nanpercentile", "nanquantile")},
    ("pd", "DataFrame"): _table,
    ("pd", "Series"): _table,
}
