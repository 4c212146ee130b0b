"""The chart of a session in which nothing has happened yet. Imports Altair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from gip_nb.journal.charts.data import finished

if TYPE_CHECKING:
    from gip_nb.journal.charts.style import Frame

__all__ = ["nothing_chart"]


def nothing_chart(frame: Frame) -> alt.TopLevelMixin:
    """Title and subtitle, which says why there is no more."""
    chart = alt.Chart(alt.InlineData(values=[{"nothing": 0}])).mark_point(opacity=0, aria=False)
    return finished(chart.properties(width=frame.width, height=8), frame, {})
