"""Frames, series and arrays as text for a model: what it is, its shape, its types and its rows.

Not all rows, where they are many, but the first and the last ones. They are CSV: it needs fewer characters
than aligned columns, or than JSON, which repeats each name in each row. What is not shown is not touched: ten
million rows cost no more than twenty.
"""

from __future__ import annotations

import csv
import io
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gip_nb.tools.texts import any_text, cell_text, cut, kind_of, library_of, number_text, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["table_text"]

# All rows where they are few and fit; else the first and the last ones, as many as fit.
_WHOLE_ROWS = 200
_ENDS = ((40, 20), (20, 10), (10, 5), (5, 3), (3, 2), (1, 1))
_MOST_COLUMNS = 60
_WHOLE_ARRAY = 1000
# Beyond this even a look at each number takes a tenth of a second and more.
_MOST_LOOKED_AT = 50_000_000


@dataclass(frozen=True)
class _Table:
    """What all tables have in common.

    Attributes:
        title: what it is, with its shape.
        header: of the columns that are shown, the index's first.
        dtypes: of the same.
        n_rows: how many there are.
        rows: a function that gives the cells of rows start to stop.
        note: what else there is to say.
    """

    title: str
    header: Sequence[str]
    dtypes: Sequence[str]
    n_rows: int
    rows: Callable[[int, int], list[list[Any]]]
    note: str = ""


def table_text(value: Any, limit: int) -> str | None:  # noqa: ANN401 - of any library
    """A frame, series, index, array or group of a library that is loaded; None where it is none of these."""
    read = _READERS.get(library_of(value))
    found = read(value, limit) if read is not None else None
    return _written(found, limit) if isinstance(found, _Table) else found


def _written(table: _Table, limit: int) -> str:
    types = ", ".join(f"{n} {t}" for n, t in zip(table.header, table.dtypes, strict=True) if t)
    head = "\n".join(part for part in (table.title, f"columns: {types}" if types else "", table.note) if part)
    text = ""
    ends = [(table.n_rows, 0), *_ENDS] if table.n_rows <= _WHOLE_ROWS else _ENDS
    for first, last in ends:
        if (last or first > table.n_rows) and first + last >= table.n_rows and first != table.n_rows:
            continue
        text = f"{head}\n{_csv(table, first, last)}".rstrip()
        if len(text) <= limit:
            return text
    return cut(text, limit)


def _csv(table: _Table, first: int, last: int) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.header)
    for row in table.rows(0, first):
        writer.writerow([cell_text(cell) for cell in row])
    if last:
        out.write(f"[{table.n_rows - first - last:,} rows left out]\n")
        for row in table.rows(table.n_rows - last, table.n_rows):
            writer.writerow([cell_text(cell) for cell in row])
    return out.getvalue()


def _shown(n: int) -> list[int]:
    """Which columns are shown."""
    if n <= _MOST_COLUMNS:
        return list(range(n))
    return [*range(_MOST_COLUMNS - 10), *range(n - 10, n)]


def _left_out(n: int) -> str:
    return f"[{n - _MOST_COLUMNS:,} columns left out]" if n > _MOST_COLUMNS else ""


def _label(value: object) -> str:
    if isinstance(value, tuple):
        return short(".".join(cell_text(part) for part in value))
    return cell_text(value)


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


# ----------------------------------------------------------------------------------------------------- pandas


def _pandas(value: Any, limit: int) -> _Table | str | None:  # noqa: ANN401, PLR0911 - one line a kind
    kinds = kind_of(value)
    if "DataFrame" in kinds:
        return _frame(value)
    if "Series" in kinds:
        name = f" {_label(value.name)!r}" if value.name is not None else ""
        title = f"{type(value).__name__}{name}: {_count(len(value), 'value')}"
        return _indexed(title, value, ["value" if value.name is None else _label(value.name)], [value.dtype])
    if "Index" in kinds:
        title = f"{type(value).__name__}: {_count(len(value), 'label')}, dtype {value.dtype}"
        header = [_label(n) if n is not None else f"level_{k}" for k, n in enumerate(value.names)]
        if len(header) == 1 and value.name is None:
            header = ["label"]
        return _Table(title, header, [""] * len(header), len(value), lambda a, b: _labels(value[a:b]))
    if "BaseGroupBy" in kinds:
        return _groups(value, limit)
    if "Styler" in kinds:
        return _frame(value.data)
    if "ExtensionArray" in kinds:
        title = f"{type(value).__name__}: {_count(len(value), 'value')}"
        return _Table(
            title, ["value"], [str(value.dtype)], len(value), lambda a, b: [[v] for v in value[a:b]]
        )
    return None


def _frame(value: Any) -> _Table:  # noqa: ANN401
    rows, columns = value.shape
    shown = _shown(columns)
    title = f"{type(value).__name__}: {_count(rows, 'row')} x {_count(columns, 'column')}"
    return _indexed(
        title,
        value.iloc[:, shown],
        [_label(value.columns[n]) for n in shown],
        [value.dtypes.iloc[n] for n in shown],
        _left_out(columns),
    )


def _indexed(title: str, value: Any, header: list[str], dtypes: list[Any], note: str = "") -> _Table:  # noqa: ANN401
    index = value.index
    # Numbers of rows from 0 on say nothing.
    counted = "RangeIndex" in kind_of(index) and index.start == 0 and index.step == 1 and index.name is None
    names = [] if counted else [_label(n) if n is not None else "" for n in index.names]
    frame = value.to_frame() if "Series" in kind_of(value) else value

    def rows(start: int, stop: int) -> list[list[Any]]:
        some = frame.iloc[start:stop]
        columns = [list(some.iloc[:, n].array) for n in range(some.shape[1])]
        labels = [[] for _ in range(len(some))] if counted else _labels(some.index)
        return [[*label, *(column[n] for column in columns)] for n, label in enumerate(labels)]

    types = [*("index" for _ in names), *(short(any_text(t), 60) for t in dtypes)]
    return _Table(title, [*names, *header], types, len(frame), rows, note)


def _labels(index: Any) -> list[list[Any]]:  # noqa: ANN401
    return [list(label) if isinstance(label, tuple) else [label] for label in index]


def _groups(value: Any, limit: int) -> str:  # noqa: ANN401
    sizes = value.size()
    if "DataFrame" in kind_of(sizes):  # groupby(as_index=False)
        sizes = sizes.set_index(list(sizes.columns[:-1]))[sizes.columns[-1]]
    text = table_text(sizes.rename("rows"), max(limit - 80, 0)) or ""
    return cut(f"{type(value).__name__}: {_count(len(sizes), 'group')}, of these sizes:\n{text}", limit)


# ------------------------------------------------------------------------------------------------------ numpy


def _numpy(value: Any, limit: int) -> str | None:  # noqa: ANN401
    if "ndarray" not in kind_of(value) or value.dtype.kind == "O":
        return None
    numpy = sys.modules["numpy"]
    shape = " x ".join(f"{n:,}" for n in value.shape)
    title = f"{type(value).__name__}: shape {shape or '()'}, dtype {value.dtype}"
    if value.size > _WHOLE_ARRAY:
        title += _span(value)
    text = numpy.array2string(
        value, separator=", ", threshold=_WHOLE_ARRAY, edgeitems=5, precision=8, max_line_width=10_000
    )
    return cut(f"{title}\n{text}", limit)


def _span(value: Any) -> str:  # noqa: ANN401
    """Where the numbers lie: of a long array its ends alone say little."""
    numpy = sys.modules["numpy"]
    # A memmap would be read from disk whole.
    if value.dtype.kind not in "biuf" or value.size > _MOST_LOOKED_AT or "memmap" in kind_of(value):
        return ""
    if value.dtype.kind == "b":
        return f", {int(value.sum()):,} true"
    with numpy.errstate(all="ignore"):
        low, high = numpy.fmin.reduce(value, axis=None), numpy.fmax.reduce(value, axis=None)
        mean = float(value.mean(dtype="float64"))
    told = f", min {number_text(float(low), 8)}, max {number_text(float(high), 8)}"
    return told + (f", mean {number_text(mean, 8)}" if math.isfinite(mean) else ", with NaN or infinite ones")


# ----------------------------------------------------------------------------------------- polars and pyarrow


def _polars(value: Any, _limit: int) -> _Table | str | None:  # noqa: ANN401
    kinds = kind_of(value)
    if "LazyFrame" in kinds:
        # To count its rows would run it.
        return "LazyFrame, which was not run: return its .collect() to show rows"
    if "Series" in kinds:
        return _Table(
            f"Series {value.name!r}: {_count(len(value), 'value')}",
            [value.name or "value"],
            [str(value.dtype)],
            len(value),
            lambda a, b: [[v] for v in value.slice(a, b - a)],
        )
    if "DataFrame" not in kinds:
        return None
    rows, columns = value.shape
    shown = _shown(columns)
    some = value[:, shown] if columns > _MOST_COLUMNS else value
    return _Table(
        f"DataFrame: {_count(rows, 'row')} x {_count(columns, 'column')}",
        [short(name) for name in some.columns],
        [short(str(of), 60) for of in some.dtypes],
        rows,
        lambda a, b: [list(row) for row in some.slice(a, b - a).rows()],
        _left_out(columns),
    )


def _pyarrow(value: Any, _limit: int) -> _Table | None:  # noqa: ANN401
    kinds = kind_of(value)
    name = type(value).__name__
    if kinds & {"Array", "ChunkedArray"}:
        title = f"{name}: {_count(len(value), 'value')}"
        return _Table(
            title,
            ["value"],
            [str(value.type)],
            len(value),
            lambda a, b: [[v] for v in value.slice(a, b - a).to_pylist()],
        )
    if not kinds & {"Table", "RecordBatch"}:
        return None
    shown = _shown(value.num_columns)
    fields = [value.schema.field(n) for n in shown]

    def rows(start: int, stop: int) -> list[list[Any]]:
        columns = [value.column(n).slice(start, stop - start).to_pylist() for n in shown]
        return [list(row) for row in zip(*columns, strict=True)]

    return _Table(
        f"{name}: {_count(value.num_rows, 'row')} x {_count(value.num_columns, 'column')}",
        [short(field.name) for field in fields],
        [short(str(field.type), 60) for field in fields],
        value.num_rows,
        rows,
        _left_out(value.num_columns),
    )


_READERS: dict[str, Callable[[Any, int], _Table | str | None]] = {
    "numpy": _numpy,
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
}
