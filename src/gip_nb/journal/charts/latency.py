"""The latency as a chart: what was waited for in each turn, and how the turns spread. Imports Altair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from gip_nb.journal.charts import style
from gip_nb.journal.charts.data import Layers, csv_text, finished, named
from gip_nb.journal.charts.latency_frames import STEPS
from gip_nb.journal.charts.source import records

if TYPE_CHECKING:
    from gip_nb.journal.charts.latency_frames import Latency
    from gip_nb.journal.charts.source import Row
    from gip_nb.journal.charts.style import Frame, Look

__all__ = ["STEP_COLOURS", "latency_chart", "milliseconds"]

STEP_COLOURS = dict(
    zip(
        STEPS.values(),
        (style.SKY, style.GREY, style.BLUE, style.ORANGE, style.PURPLE, style.GREEN),
        strict=True,
    )
)
MOST_ROWS = 24
"""Of more turns each is a column."""
_ROW = 24
_SPREAD_ROW = 28
_COLUMNS_HEIGHT = 220
_FIGURES = (70, 140)
_IN_SECONDS_MS = 2000
_TYPES = {
    "turn": "number",
    "step": "string",
    "start_ms": "number",
    "end_ms": "number",
    "from_ms": "number",
    "what": "string",
}
_TOTAL_TYPES = {"turn": "number", "ms": "number", "says": "string"}


def milliseconds(ms: float) -> str:
    """A duration as people read it: `85 ms`, `1.42 s`."""
    return f"{ms:.0f} ms" if abs(ms) < 1000 else f"{ms / 1000:.2f} s"  # noqa: PLR2004 - a second


def latency_chart(data: Latency, frame: Frame) -> alt.TopLevelMixin:
    """A waterfall a turn; below it, where there are several, the distribution of each step.

    Args:
        data: see there; one turn at least has a step.
        frame: see there; step names stand left of the plot, figures right.
    """
    turns, look, width = len(data.totals), frame.look, frame.width
    chart: Layers | alt.VConcatChart
    if turns == 1:
        chart = _stairs(data, look, width)
    else:
        waterfall = _rows(data, look, width) if turns <= MOST_ROWS else _columns(data, width)
        chart = alt.vconcat(waterfall, _distribution(data, look, width), spacing=22)
    waits = (
        (w["turn"], w["step"], *(f"{w[c]:.1f}" for c in ("start_ms", "end_ms", "from_ms")), _waited(w))
        for w in records(data.waits)
    )
    totals = (
        (t["turn"], f"{min(t['ms'], data.high_ms):.1f}", milliseconds(t["ms"])) for t in records(data.totals)
    )
    return finished(
        chart, frame, {"waits": csv_text(_TYPES, waits), "totals": csv_text(_TOTAL_TYPES, totals)}
    )


def _waited(wait: Row) -> str:
    return f"{milliseconds(wait['end_ms'] - wait['start_ms'])} for it"


def _time(data: Latency, title: str | None) -> alt.X:
    return alt.X(
        "start_ms:Q",
        title=title,
        scale=alt.Scale(domain=[data.low_ms, data.high_ms], nice=False, zero=False),
        axis=_time_axis(data),
    )


def _time_axis(data: Latency, **more: Any) -> alt.Axis:
    seconds = data.high_ms >= _IN_SECONDS_MS
    label = "format(datum.value / 1000, '~r') + ' s'" if seconds else "format(datum.value, '~r') + ' ms'"
    return alt.Axis(labelExpr=label, tickCount=6, domain=False, **more)


def _colour(data: Latency | None) -> alt.Color:
    """By step; with a legend of those that there are, where it is told the data."""
    there = set() if data is None else set(data.waits["step"])
    steps = [step for step in STEP_COLOURS if step in there]
    return alt.Color(
        "step:N",
        title=None,
        scale=alt.Scale(domain=list(STEP_COLOURS), range=list(STEP_COLOURS.values())),
        legend=alt.Legend(values=steps, orient="top", symbolType="square", columnPadding=14, labelLimit=220)
        if steps
        else None,
    )


_HOVER = (
    "{title: datum.step, turn: datum.turn, 'after the end of speech': format(datum.from_ms, ',.0f') + ' ms',"
    " waited: datum.what}"
)


def _bars() -> alt.Chart:
    return alt.Chart(named("waits", _TYPES)).mark_rect(clip=True, aria=False, tooltip=alt.expr(_HOVER))


def _stairs(data: Latency, look: Look, width: int) -> Layers:
    """Of a single turn each step has a row of its own."""
    steps = list(data.waits.sort_values("from_ms", kind="stable")["step"])
    y = alt.Y(
        "step:N",
        title=None,
        sort=steps,
        scale=alt.Scale(domain=steps, paddingInner=0.3),
        axis=alt.Axis(ticks=False, domain=False, labelPadding=10, labelLimit=220),
    )
    x = _time(data, "after the end of speech")
    bars = _bars().encode(x=x, x2="end_ms:Q", y=y, color=_colour(None), stroke=_stroke())
    figures = (
        alt.Chart(named("waits", _TYPES))
        .transform_calculate(
            at=f"min(datum.end_ms, {data.high_ms:.1f})",
            says="format(datum.from_ms, ',.0f') + ' ms' + (datum.start_ms > 0 ? '  (+' +"
            " format(datum.end_ms - datum.start_ms, ',.0f') + ')' : '')",
        )
        .mark_text(align="left", dx=7, color=look.text, aria=False)
        .encode(x=alt.X("at:Q"), y=y, text="says:N")
    )
    return alt.layer(bars, figures).properties(width=width, height=30 * len(steps))


def _stroke() -> alt.Stroke:
    """What took no time is a line."""
    return alt.Stroke(
        "step:N",
        scale=alt.Scale(domain=list(STEP_COLOURS), range=list(STEP_COLOURS.values())),
        legend=None,
    )


def _rows(data: Latency, look: Look, width: int) -> Layers:
    turns = [int(t) for t in data.totals["turn"]]
    y = alt.Y(
        "turn:O",
        title=None,
        sort=turns,
        scale=alt.Scale(domain=turns, paddingInner=0.28),
        axis=alt.Axis(ticks=False, domain=False, labelPadding=10, labelExpr="'turn ' + datum.value"),
    )
    bars = _bars().encode(x=_time(data, None), x2="end_ms:Q", y=y, color=_colour(data))
    figures = (
        alt.Chart(named("totals", _TOTAL_TYPES))
        .mark_text(align="left", dx=7, color=look.text, aria=False)
        .encode(x="ms:Q", y=y, text="says:N")
    )
    return alt.layer(bars, figures).properties(width=width, height=_ROW * len(turns))


def _columns(data: Latency, width: int) -> Layers:
    first, last = int(data.totals["turn"].min()), int(data.totals["turn"].max())
    gap = 0.5 - min(0.42, 0.5 - 0.4 * (last - first + 1) / width)
    y = alt.Y(
        "start_ms:Q",
        title="after the end of speech",
        scale=alt.Scale(domain=[data.low_ms, data.high_ms], nice=False, zero=False),
        axis=_time_axis(data, titlePadding=10),
    )
    x = alt.X(
        "left:Q",
        title="turn",
        scale=alt.Scale(domain=[first - 0.5, last + 0.5], nice=False, zero=False),
        axis=alt.Axis(tickMinStep=1, format="d", grid=False, domain=False),
    )
    bars = (
        _bars()
        .transform_calculate(left=f"datum.turn - 0.5 + {gap}", right=f"datum.turn + 0.5 - {gap}")
        .encode(x=x, x2="right:Q", y=y, y2="end_ms:Q", color=_colour(data))
    )
    layers = [bars]
    if data.beyond:
        layers.append(
            alt.Chart(named("totals", _TOTAL_TYPES))
            .transform_filter(f"datum.ms >= {data.high_ms - 0.06:.1f}")
            .mark_point(
                shape="triangle-up", filled=True, size=60, opacity=1, color=style.GREY, dy=-7, aria=False
            )
            .encode(
                x="turn:Q",
                y=alt.YValue(-6),
                tooltip=[alt.Tooltip("turn:Q"), alt.Tooltip("says:N", title="took")],
            )
        )
    return alt.layer(*layers).properties(width=width, height=_COLUMNS_HEIGHT)


def _distribution(data: Latency, look: Look, width: int) -> Layers:
    """A row a step: each turn a tick, the middle half a box, the median a bar; figures at the right."""
    steps = [str(step) for step in data.spread["step"]]
    y = alt.Y(
        "step:N",
        title=None,
        sort=steps,
        scale=alt.Scale(domain=steps, paddingInner=0.35),
        axis=alt.Axis(ticks=False, domain=False, labelPadding=10, labelLimit=220),
    )
    rows = [
        {
            "step": s["step"],
            "turns": s["turns"],
            "start_ms": round(s["p25_ms"], 1),
            "end_ms": round(s["p75_ms"], 1),
            "p50_ms": round(s["p50_ms"], 1),
            "p50": milliseconds(s["p50_ms"]),
            "high": milliseconds(s["high_ms"]),
        }
        for s in records(data.spread)
    ]
    spread = alt.Chart(alt.InlineData(values=rows))
    tooltip = alt.expr(
        "{title: datum.step, turns: datum.turns, median: datum.p50, " + f"{data.high}: datum.high, "
        "'middle half': format(datum.start_ms, ',.0f') + ' to ' + format(datum.end_ms, ',.0f') + ' ms'}"
    )
    colour = _colour(None)
    ticks = (
        alt.Chart(named("waits", _TYPES))
        .mark_tick(
            clip=True,
            aria=False,
            thickness=1.4,
            opacity=0.55,
            bandSize=_SPREAD_ROW * 0.62,
            tooltip=alt.expr(_HOVER),
        )
        .encode(
            x=alt.X(
                "from_ms:Q",
                title="each step after the end of speech",
                scale=alt.Scale(domain=[data.low_ms, data.high_ms], nice=False, zero=False),
                axis=_time_axis(data),
            ),
            y=y,
            color=colour,
        )
    )
    box = spread.mark_bar(
        clip=True, aria=False, opacity=0.3, height=_SPREAD_ROW * 0.62, tooltip=tooltip
    ).encode(x="start_ms:Q", x2="end_ms:Q", y=y, color=colour)
    median = spread.mark_tick(
        clip=True,
        aria=False,
        thickness=2.5,
        color=look.text,
        opacity=1,
        bandSize=_SPREAD_ROW * 0.86,
        tooltip=tooltip,
    ).encode(x="p50_ms:Q", y=y)
    layers = [ticks, box, median]
    for place, name, heading in ((_FIGURES[0], "p50", "median"), (_FIGURES[1], "high", data.high)):
        text: dict[str, Any] = {"align": "right", "color": look.text, "aria": False}
        layers.append(spread.mark_text(**text).encode(x=alt.XValue(width + place), y=y, text=f"{name}:N"))
        layers.append(
            alt.Chart(alt.InlineData(values=[{"says": heading}]))
            .mark_text(**text, fontWeight="bold")
            .encode(x=alt.XValue(width + place), y=alt.YValue(-8), text="says:N")
        )
    return alt.layer(*layers).properties(width=width, height=_SPREAD_ROW * len(steps))
