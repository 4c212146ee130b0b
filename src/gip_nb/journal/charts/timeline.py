"""The timeline as a chart. Imports Altair: `plots` imports it when it is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import altair as alt

from gip_nb.journal.charts import style
from gip_nb.journal.charts.data import Layers, csv_text, finished, hover, named
from gip_nb.journal.charts.timeline_frames import (
    DELIVERED,
    GENERATED,
    HEARD,
    INTERRUPTED,
    NO_CONNECTION,
    SPEECH,
    TOOLS,
    VAD,
)
from gip_nb.journal.charts.timeline_layout import LABEL_PX, SPAN_TYPES, WAVE_TYPES, layout

if TYPE_CHECKING:
    from gip_nb.journal.charts.style import Frame, Look
    from gip_nb.journal.charts.timeline_frames import Timeline
    from gip_nb.journal.charts.timeline_layout import Layout

__all__ = ["COLOURS", "timeline_chart"]

COLOURS = {
    SPEECH: style.BLUE,
    VAD: style.SKY,
    GENERATED: style.ORANGE,
    DELIVERED: style.PURPLE,
    HEARD: style.GREEN,
    TOOLS: style.GREY,
    INTERRUPTED: style.VERMILLION,
    NO_CONNECTION: style.BROWN,
}
_OVERVIEW_PX = 44
_A_WHILE_S = 120
_TURN_TYPES = {"turn": "number", "start_s": "number"}
_LABEL_TYPES = {"start_s": "number", "y": "number", "px": "number", "words": "string"}
# What is not there is left out: a row of the table would say "null".
_TOOLTIP = (
    "{title: datum.lane, turn: datum.turn || datum.none, what: datum.what,"
    " when: format(datum.start_s, '.2f') + ' s' +"
    " (datum.end_s > datum.start_s ? ' to ' + format(datum.end_s, '.2f') + ' s' : ''),"
    " words: datum.text || datum.none, item: datum.item || datum.none}"
)
# What is outside of the frame need not be drawn, hundreds of marks.
_IN_FRAME = "!seen.start_s || (datum.end_s >= seen.start_s[0] && datum.start_s <= seen.start_s[1])"


def timeline_chart(data: Timeline, frame: Frame) -> alt.TopLevelMixin:
    """The lanes over time; above them, where there are many turns, all of it with a frame to move.

    Args:
        data: see there.
        frame: see there.
    """
    laid = layout(data, frame.width)
    chart: Layers | alt.VConcatChart
    if laid.has_overview:
        brush = alt.BrushConfig(
            fill=style.GREY, fillOpacity=0.18, stroke=style.GREY, strokeOpacity=0.9, strokeWidth=1.5
        )
        seen = alt.selection_interval(
            name="seen", encodings=["x"], value={"x": list(laid.window)}, mark=brush
        )
        lanes = _lanes(data, laid, frame, alt.Scale(domain=seen, nice=False, zero=False), None)
        chart = alt.vconcat(_overview(data, laid, frame, seen), lanes, spacing=12)
    else:
        seen = alt.selection_interval(name="seen", encodings=["x"], bind="scales")
        x_scale = alt.Scale(domain=list(laid.window), nice=False, zero=False)
        chart = _lanes(data, laid, frame, x_scale, seen)
    datasets = {
        "turns": csv_text(_TURN_TYPES, laid.turns),
        "spans": csv_text(SPAN_TYPES, laid.spans),
        "cuts": csv_text(SPAN_TYPES, laid.cuts),
        "waves": csv_text(WAVE_TYPES, laid.waves),
        "labels": csv_text(_LABEL_TYPES, laid.labels),
    }
    return finished(chart, frame, datasets)


def _lanes(
    data: Timeline, laid: Layout, frame: Frame, x_scale: alt.Scale, zoom: alt.Parameter | None
) -> Layers:
    y = _place("y", laid.height, laid.middle)
    marks: dict[str, Any] = {"clip": True, "aria": False}

    def x(field: str, axis: alt.Axis | None = None) -> alt.X:
        return alt.X(f"{field}:Q", scale=x_scale, axis=axis, title=None)

    spans, cuts = alt.Chart(named("spans", SPAN_TYPES)), alt.Chart(named("cuts", SPAN_TYPES))
    if zoom is None:
        spans, cuts = spans.transform_filter(_IN_FRAME), cuts.transform_filter(_IN_FRAME)
    tooltip = hover(_TOOLTIP)
    across: dict[str, Any] = {"x2": "end_s:Q", "y": y, "y2": "y2:Q", "tooltip": tooltip}
    colour = alt.Color("lane:N", scale=_COLOUR_SCALE, legend=None)
    bars = spans.transform_filter("!datum.wave").mark_rect(strokeWidth=1.5, cornerRadius=1, **marks)
    bars = bars.encode(
        x=x("start_s", _time_axis(data)),
        color=colour,
        stroke=alt.Stroke("lane:N", scale=_COLOUR_SCALE, legend=None),
        opacity=_SHADE,
        **across,
    )
    layers = [
        alt.Chart(named("turns", _TURN_TYPES))
        .mark_rule(color=style.GREY, opacity=0.28, **marks)
        .encode(x=x("start_s", _turn_axis(laid, frame.look, "turn "))),
        bars if zoom is None else bars.add_params(zoom),
    ]
    if laid.waves:
        # Under the plates, which answer to the pointer.
        waves = alt.Chart(named("waves", WAVE_TYPES)).mark_area(**marks)
        colour = alt.Color("lane:N", scale=_COLOUR_SCALE, legend=None)
        layers.append(waves.encode(x=x("t"), y=y, y2="y2:Q", color=colour, opacity=_SHADE, detail="group:N"))
    plates = spans.transform_filter("datum.wave").mark_rect(opacity=0.1, **marks)
    layers.append(plates.encode(x=x("start_s"), color=colour, **across))
    if laid.cuts:
        cut: dict[str, Any] = {"color": COLOURS[INTERRUPTED], **marks}
        layers += [
            cuts.mark_rule(strokeDash=[4, 3], strokeWidth=1.3, **cut).encode(x=x("start_s"), tooltip=tooltip),
            cuts.mark_point(shape="diamond", filled=True, size=110, opacity=1, **cut).encode(
                x=x("start_s"), y=y, tooltip=tooltip
            ),
        ]
    if laid.labels:
        # Farther out the words would run into one another.
        wide_s = round(1.02 * (laid.window[1] - laid.window[0]), 3)
        near = alt.expr(f"seen.start_s && seen.start_s[1] - seen.start_s[0] > {wide_s} ? 0 : 1")
        layers.append(
            alt.Chart(named("labels", _LABEL_TYPES))
            .mark_text(
                limit=alt.expr("datum.px"),
                align="left",
                baseline="middle",
                fontSize=LABEL_PX,
                color=frame.look.text,
                opacity=near,
                **marks,
            )
            .encode(x=x("start_s"), y=y, text="words:N")
        )
    lanes = alt.layer(*layers).resolve_axis(x="independent")
    return lanes.properties(width=frame.width, height=round(laid.height))


_COLOUR_SCALE = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
_SHADE = alt.Opacity("heard:Q", scale=alt.Scale(domain=[0, 1], range=[style.UNHEARD_OPACITY, 1]), legend=None)


def _place(field: str, height: float, middle: dict[str, float]) -> alt.Y:
    """From the top, pixels, with the lanes' names beside their middle."""
    return alt.Y(f"{field}:Q", scale=_top_down(height), axis=_names(middle))


def _top_down(height: float) -> alt.Scale:
    return alt.Scale(domain=[0, height], reverse=True, nice=False, zero=False)


def _names(middle: dict[str, float]) -> alt.Axis:
    places = list(middle.values())
    return alt.Axis(
        values=places,
        labelExpr=f"{json.dumps(list(middle))}[indexof({json.dumps(places)}, datum.value)]",
        title=None,
        ticks=False,
        domain=False,
        grid=False,
        labelPadding=10,
        labelLimit=200,
    )


def _turn_axis(laid: Layout, look: Look, prefix: str) -> alt.Axis:
    """Turn numbers where they begin; of those that would overlap some are left out."""
    numbers, starts = [turn for turn, _ in laid.turns], [start_s for _, start_s in laid.turns]
    return alt.Axis(
        orient="top",
        values=starts,
        labelExpr=f"'{prefix}' + {json.dumps(numbers)}[indexof({json.dumps(starts)}, datum.value)]",
        labelAlign="left",
        labelOverlap="greedy",
        labelSeparation=6,
        labelFontWeight="bold",
        labelColor=look.text,
        grid=False,
        domain=False,
    )


def _time_axis(data: Timeline) -> alt.Axis:
    clock = "floor(datum.value / 60) + ':' + format(datum.value % 60, datum.value % 1 ? '05.2f' : '02.0f')"
    return alt.Axis(
        orient="bottom",
        labelExpr=clock if data.end_s > _A_WHILE_S else "format(datum.value, '~r') + ' s'",
        grid=False,
        labelOverlap="greedy",
        labelSeparation=8,
        tickCount=10,
    )


def _overview(data: Timeline, laid: Layout, frame: Frame, seen: alt.Parameter) -> Layers:
    """All turns in a strip: who sounded when, and the interruptions."""
    margin = 0.01 * (data.end_s - data.start_s)
    x_scale = alt.Scale(domain=[data.start_s - margin, data.end_s + margin], nice=False, zero=False)
    axis, scale = _names({"All turns": _OVERVIEW_PX / 2}), _top_down(_OVERVIEW_PX)
    numbers = alt.Chart(named("turns", _TURN_TYPES)).mark_rule(opacity=0, aria=False)
    layers = [
        numbers.encode(x=alt.X("start_s:Q", scale=x_scale, axis=_turn_axis(laid, frame.look, ""), title=None))
    ]
    half = _OVERVIEW_PX / 2
    strips = (
        ("spans", SPEECH, 2, half - 1),
        ("spans", HEARD if HEARD in data.lanes else GENERATED, half + 1, _OVERVIEW_PX - 2),
        ("cuts", INTERRUPTED, 0, _OVERVIEW_PX),
    )
    for name, lane, top, bottom in strips:
        strip = alt.Chart(named(name, SPAN_TYPES))
        strip = strip.transform_filter(f"datum.lane === {json.dumps(lane)} && datum.heard")
        colour = COLOURS[lane]
        strip = strip.mark_rect(aria=False, strokeWidth=0.6, color=colour, stroke=colour).encode(
            x=alt.X("start_s:Q", scale=x_scale, axis=None),
            x2="end_s:Q",
            y=alt.YDatum(top, scale=scale, axis=axis),
            y2=alt.Y2Datum(bottom),
        )
        layers.append(strip if len(layers) > 1 else strip.add_params(seen))
    return alt.layer(*layers).resolve_axis(x="independent").properties(width=frame.width, height=_OVERVIEW_PX)
