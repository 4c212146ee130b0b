"""What charts share: their frame, and their datasets.

Those are CSV, a third of what JSON would take; and Altair copies JSON again and again. Imports Altair.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import altair as alt

from gip_nb.journal.charts import style

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gip_nb.journal.charts.style import Frame

__all__ = ["Layers", "csv_text", "finished", "named"]

Layers = alt.LayerChart | alt.FacetChart
"""What `properties()` of layers is typed to give."""


def named(name: str, types: Mapping[str, str]) -> alt.NamedData:
    """A dataset that the chart has under this name, as `csv_text` makes it.

    Args:
        name: within the chart's `datasets`.
        types: column -> "number" or "string". They are told, so that nothing that was said is taken for a
            number or a date.
    """
    return alt.NamedData(name=name, format=alt.CsvDataFormat(type="csv", parse=dict(types)))


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV with a header; quoted where need be."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def finished(
    chart: alt.Chart | Layers | alt.VConcatChart, frame: Frame, datasets: Mapping[str, str], title_px: int = 8
) -> alt.TopLevelMixin:
    """A chart in its frame, with its data.

    Args:
        chart: without title, look and data.
        frame: see there.
        datasets: name -> `csv_text`.
        title_px: room under the title.
    """
    titled = alt.TitleParams(frame.title, subtitle=frame.subtitle, offset=title_px)
    return chart.properties(title=titled, datasets=dict(datasets)).configure(**style.config(frame.look))
