"""What a DataFrame is like, as a text for a model: a line for each column, and the first rows."""

from __future__ import annotations

import csv
import io
from typing import Any

from gip_nb.tools.reading.kinds import (
    CONTAINERS,
    SCALARS,
    Kind,
    Refused,
    kind_of,
    kind_of_type,
    shown_dtype,
    shown_type,
)
from gip_nb.tools.reading.secrets import HIDDEN, is_secret_column, without_secrets
from gip_nb.tools.reading.sizes import is_known_dtype

__all__ = ["described", "without_secret_columns"]

_MOST_COLUMNS = 40
_MOST_NAMES = 100
_HEAD_ROWS = 5
_CELL_CHARACTERS = 40
# More rows than these are thinned out before quantiles and distinct values are taken: a second, not a minute.
_LOOKED_AT_ROWS = 200_000
_COMMON = 3


def without_secret_columns(data: Any) -> Any:
    """The same DataFrame without columns of texts that are called like secrets; a Series as it is."""
    if kind_of(data) is not Kind.FRAME:
        return data
    secret = [is_secret_column(name) and _is_text(dtype) for name, dtype in data.dtypes.items()]
    return data.loc[:, [not one for one in secret]] if any(secret) else data


def described(name: str, data: Any) -> str:
    """A DataFrame or Series as a text: shape, and for each column dtype, nulls and how its values spread.

    Raises:
        Refused: it is neither.
    """
    kind = kind_of(data)
    if kind in {Kind.FRAME, Kind.SERIES}:
        data = type(data)(data, copy=False)
        data.attrs = {}  # which would be copied with what is taken of it, by code of their own
    if kind is Kind.SERIES:
        data = data.to_frame(name=data.name if data.name is not None else name)
    elif kind is not Kind.FRAME:
        raise Refused(f"{name} is {shown_type(data)}, not a DataFrame")
    rows, columns = data.shape
    step = max(1, -(-rows // _LOOKED_AT_ROWS))
    data_of_others = [not is_known_dtype(dtype) for dtype in data.dtypes]
    lines = [f"{name}: {rows:,} rows x {columns:,} columns", f"index: {_index(data.index)}"]
    if step > 1:
        lines.append(f"(values are told from every {step:,}th row; nulls from all)")
    lines.extend(
        f"- {_cell(data.columns[n])}: {shown_dtype(data.dtypes.iloc[n])}, which is not read"
        if data_of_others[n]
        else _column(data.iloc[:, n], step)
        for n in range(min(columns, _MOST_COLUMNS))
    )
    if columns > _MOST_COLUMNS:
        more = [_cell(one) for one in data.columns[_MOST_COLUMNS : _MOST_COLUMNS + _MOST_NAMES]]
        lines.append(f"- and {columns - _MOST_COLUMNS:,} more columns: {', '.join(more)}")
    if rows:
        lines.append(f"first {min(rows, _HEAD_ROWS)} rows:")
        shown = [n for n in range(min(columns, _MOST_COLUMNS)) if not data_of_others[n]]
        lines.append(_rows(data.iloc[:, shown].iloc[:_HEAD_ROWS]))
    return without_secrets("\n".join(lines))


def _index(index: Any) -> str:
    names = ", ".join(_cell(one) for one in index.names if one is not None)
    kind = type(index).__name__
    span = f", {_cell(index[0])} to {_cell(index[-1])}" if len(index) else ""
    return f"{kind}{f' {names}' if names else ''}{span}"


def _column(column: Any, step: int) -> str:
    nulls = int(column.isna().sum())
    try:
        spread = _spread(column.iloc[::step].dropna())
    except Exception:  # noqa: BLE001 - a dtype that cannot be summed up does not hide the other columns
        spread = ""
    return f"- {_cell(column.name)}: {column.dtype}, {nulls:,} nulls{spread}"


def _spread(values: Any) -> str:  # noqa: PLR0911 - a form for each kind
    """How values spread, or nothing where they are objects whose own code would have to be asked."""
    if not len(values):
        return ""
    dtype = values.dtype
    if is_secret_column(values.name) and _is_text(dtype):
        return f", {HIDDEN}"
    kind = getattr(dtype, "kind", "O")
    if kind == "b":
        return f", {int(values.sum()):,} true"
    if kind in "iuf":
        low, quarter, half, three, high = values.quantile([0, 0.25, 0.5, 0.75, 1]).tolist()
        return (
            f", min {low:.6g}, 25% {quarter:.6g}, median {half:.6g}, 75% {three:.6g}, max {high:.6g}, "
            f"mean {float(values.mean()):.6g}, std {float(values.std()):.6g}"
        )
    if kind in "mM":
        return f", {_cell(values.min())} to {_cell(values.max())}"
    if kind == "O" and _hashable(values):
        common = values.value_counts().head(_COMMON)
        told = ", ".join(f"{_cell(one)} x{count:,}" for one, count in common.items())
        return f", {int(values.nunique()):,} distinct, most often {told}"
    if kind == "O":
        types = sorted({shown_type(one) for one in values.head(1_000)})[:_COMMON]
        return f", holds {', '.join(types)}"
    return ""


def _is_text(dtype: Any) -> bool:
    return kind_of(dtype) is not Kind.DTYPE or getattr(dtype, "kind", "O") == "O"


def _hashable(values: Any) -> bool:
    if str(values.dtype) != "object":
        return kind_of(values.dtype) is Kind.DTYPE and _plain_categories(values)
    return {kind_of_type(one) for one in set(map(type, values.array))} <= SCALARS


def _plain_categories(values: Any) -> bool:
    categories = getattr(values.dtype, "categories", None)
    return categories is None or {kind_of(one) for one in categories} <= SCALARS


def _rows(head: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["", *(_cell(one) for one in head.columns)])
    columns = [
        [HIDDEN] * len(head)
        if is_secret_column(name) and _is_text(head.iloc[:, n].dtype)
        else list(head.iloc[:, n])
        for n, name in enumerate(head.columns)
    ]
    for n, label in enumerate(head.index):
        hidden = is_secret_column(label)
        cells = [
            HIDDEN if hidden and kind_of(column[n]) is Kind.TEXT else _cell(column[n]) for column in columns
        ]
        writer.writerow([_cell(label), *cells])
    return text.getvalue().rstrip("\n")


def _cell(value: Any) -> str:
    """A value in a few characters; of an object of the user's, only its type: its own code is not run."""
    kind = kind_of(value)
    if kind is Kind.TUPLE and all(kind_of(one) in SCALARS for one in value[:5]):
        return f"({', '.join(_cell(one) for one in value[:5])})"
    if kind in CONTAINERS:
        return f"<{type(value).__name__} of {len(value):,}>"
    if kind not in SCALARS:
        return f"<{shown_type(value)}>"
    if kind is Kind.BYTES:
        return f"<bytes of {len(value):,}>"
    if type(value) is int and value.bit_length() > 128:  # noqa: PLR2004 - 38 digits
        return f"<int of {value.bit_length():,} bits>"
    if kind is Kind.TEXT:
        # A key cut short would no longer look like one.
        value = without_secrets(value[: 10 * _CELL_CHARACTERS])
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _CELL_CHARACTERS else f"{text[: _CELL_CHARACTERS - 1]}…"
