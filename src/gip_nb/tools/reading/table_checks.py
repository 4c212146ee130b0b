"""What is looked at before tables are joined, turned or spread: how many cells that would make."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.growth import MOST_CELLS, check_fits, check_repeated, repeats
from gip_nb.tools.reading.kinds import CONTAINERS, FLAT, Kind, Refused, kind_of
from gip_nb.tools.reading.sizes import holds_objects, longest_text, text_bytes

if TYPE_CHECKING:
    from gip_nb.tools.reading.asked import Asked

__all__ = [
    "check_margins",
    "check_steps",
    "concatenated",
    "crossed",
    "exploded",
    "joined",
    "melted",
    "merged",
    "merged_with",
    "observed",
    "pivoted",
    "reindexed",
    "resampled",
    "spread_in_time",
    "unstacked",
]

_MOST_MARGINS = 1_000
_MOST_STEPS_IN_PYTHON = 20_000
_LEAST_DAYS = {
    **dict.fromkeys(("BusinessHour", "CustomBusinessHour"), 1 / 24),
    **dict.fromkeys(("BusinessDay", "CustomBusinessDay", "Day"), 1.0),
    "Week": 7.0,
}


def observed(asked: Asked) -> None:
    """Categories that do not occur would be crossed with each other."""
    if asked.named.get("observed", True) is not True:
        raise Refused(f"{asked.name}(): only observed=True is read")
    asked.named["observed"] = True


def unstacked(asked: Asked) -> None:
    """Levels that become columns: as many as they have values."""
    index = asked.of.index
    levels = asked.get("level", default=-1)
    levels = list(levels) if kind_of(levels) in CONTAINERS else [levels]
    if getattr(index, "levels", None) is None:
        return
    wide = prod(index.get_level_values(level).nunique() for level in levels)
    check_fits(len(asked.of) * wide * (asked.of.shape[1] if asked.kind is Kind.FRAME else 1), asked.of)


def crossed(frame: Any, rows: Any, columns: Any, *, values: int = 1, complete: bool = False) -> None:
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


def _distinct(frame: Any, keys: Any) -> int:
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


def check_margins(frame: Any, columns: Any) -> None:
    """See that margins are few: pandas computes them column by column.

    Raises:
        Refused: they are not.
    """
    if _distinct(frame, columns) > _MOST_MARGINS:
        raise Refused(f"margins= of {_MOST_MARGINS:,} columns at the most")


def pivoted(asked: Asked) -> None:
    """A row for each key by a column for each key."""
    if asked.name == "pivot_table":
        observed(asked)
    values = asked.get("values")
    tables = len(values) if kind_of(values) in CONTAINERS else 1 if values is not None else asked.of.shape[1]
    rows = asked.get("index")
    if asked.get("margins"):
        check_margins(asked.of, asked.get("columns"))
    crossed(
        asked.of,
        rows if rows is not None or asked.name == "pivot_table" else asked.of.index,
        asked.get("columns"),
        values=tables,
        complete=asked.get("dropna", default=True) is not True,
    )


def merged_with(asked: Asked) -> None:
    """As `merged`, of the method."""
    merged(asked.of, asked.get("right"), asked.named)


def merged(left: Any, right: Any, options: dict[str, Any]) -> None:
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
    if rows * columns <= MOST_CELLS and not any(map(holds_objects, (left, right))):
        return
    on = options.get("on")
    once: list[Any] = []
    if options.get("how") != "cross":
        common = [name for name in left.columns if name in right.columns]
        for side, by, by_index in (
            (left, options.get("left_on", on), options.get("left_index")),
            (right, options.get("right_on", on), options.get("right_index")),
        ):
            keys = by if by is not None else common
            if side.index.is_unique if by_index else not side.duplicated(subset=keys).any():
                rows = len(left) + len(right)
                once.append(side)
    check_fits(rows * columns, left, right, advice="both sides repeat their keys; drop the duplicates of one")
    for side, other in ((left, right), (right, left)):
        if not any(one is other for one in once):
            check_repeated(side, rows)


def joined(asked: Asked) -> None:
    """A join multiplies where both sides repeat their keys."""
    other = asked.get("other")
    if kind_of(other) not in {Kind.FRAME, Kind.SERIES}:
        raise Refused("join: one DataFrame or Series")
    unique = other.index.is_unique or (asked.get("on") is None and asked.of.index.is_unique)
    rows = len(asked.of) + len(other)
    if asked.get("how") == "cross" or not unique:
        rows = len(asked.of) * len(other)
    check_fits(rows * (asked.of.shape[1] + other.size // max(1, len(other))), asked.of, other)
    if asked.get("on") is not None or not asked.of.index.is_unique:
        check_repeated(other, rows)
    if not other.index.is_unique or asked.get("how") == "cross":
        check_repeated(asked.of, rows)


def concatenated(parts: Any, axis: object) -> None:
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
    texts = [text_bytes(frame) for frame in frames]
    check_fits(sum(texts) / 8 - 2 * max(texts) / 8, advice="the texts are long")


def exploded(asked: Asked) -> None:
    """A row for each item of each list."""
    columns = asked.get("column") if asked.kind is Kind.FRAME else None
    names: Any = columns if kind_of(columns) in CONTAINERS else [columns]
    for name in names:
        cells = asked.of if asked.kind is Kind.SERIES else asked.of[name]
        rows = sum(len(one) if kind_of(one) in CONTAINERS | FLAT else 1 for one in cells)
        check_fits(rows * (asked.of.shape[1] if asked.kind is Kind.FRAME else 1), asked.of)
        if rows > len(asked.of):
            check_repeated(asked.of, rows)


def reindexed(asked: Asked) -> None:
    """A row or column for each label."""
    high, wide = len(asked.of), asked.of.shape[1] if asked.kind is Kind.FRAME else 1
    for name in ("labels", "index"):
        labels = asked.get(name)
        if kind_of(labels) in CONTAINERS | FLAT:
            high = max(high, len(labels))
            if repeats(labels):
                check_repeated(asked.of, len(labels))
    labels = asked.get("columns")
    wide = max(wide, len(labels)) if kind_of(labels) in CONTAINERS | FLAT else wide
    check_fits(high * wide, asked.of)


def spread_in_time(first: Any, last: Any, rule: Any) -> float:
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
    span_s = abs(float((end - start).total_seconds()))
    steps = span_s / max(abs(_step_s(offset)), 1e-9) + 1
    check_steps(offset, steps)
    return steps


def check_steps(rule: Any, steps: float) -> None:
    """See that steps that pandas goes one by one, as business hours, are few.

    Raises:
        Refused: they are not.
    """
    from pandas.tseries.frequencies import to_offset

    if rule is None or steps <= _MOST_STEPS_IN_PYTHON:
        return
    try:
        offset = to_offset(rule)
    except (TypeError, ValueError) as error:
        raise Refused(f"not a frequency: {error}") from None
    if _fixed_s(offset) is None:
        raise Refused(
            f"{steps:,.0f} steps of {rule}, of {_MOST_STEPS_IN_PYTHON:,} at the most: narrow it down"
        )


def _fixed_s(offset: Any) -> float | None:
    """The length of a step that is always as long, in seconds."""
    import pandas as pd

    if type(offset).__name__ == "Day":  # no Timedelta for pandas 3
        return 86_400.0 * int(offset.n)
    try:
        return float(pd.Timedelta(offset).total_seconds())
    except (TypeError, ValueError):
        return None


def _step_s(offset: Any) -> float:
    """The least length of a step, in seconds."""
    fixed_s = _fixed_s(offset)
    if fixed_s is not None:
        return fixed_s
    return _LEAST_DAYS.get(type(offset).__name__, 14.0) * 86_400  # twice a month


def resampled(asked: Asked) -> None:
    """A row for each step of time between the first and the last."""
    times = asked.of[asked.get("on")] if asked.get("on") is not None else asked.of.index
    if not len(times) or not str(times.dtype).startswith("datetime64"):
        if len(times):
            raise Refused(f"{asked.name}(): the index holds no times")
        return
    rows = spread_in_time(times.min(), times.max(), asked.get("rule", default=asked.get("freq")))
    check_fits(rows * max(1, asked.of.size // max(1, len(asked.of))), asked.of)


def melted(asked: Asked) -> None:
    """A row for each cell."""
    kept = asked.get("id_vars")
    columns = len(kept) if kind_of(kept) in CONTAINERS | FLAT else 1
    check_fits(asked.of.size * (2 + columns), asked.of)
    melted_down = asked.get("value_vars")
    wide = len(melted_down) if kind_of(melted_down) in CONTAINERS | FLAT else asked.of.shape[1]
    check_fits(len(asked.of) * wide * longest_text(asked.of.columns) / 8, asked.of)
    if kept is not None:
        check_repeated(asked.of[kept], len(asked.of) * wide)
