"""The usage as a chart: tokens in and out, requests, cost so far. Imports Altair."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import altair as alt

from gip_nb.journal.charts import style
from gip_nb.journal.charts.data import Layers, csv_text, finished, named
from gip_nb.journal.charts.source import known, records
from gip_nb.journal.charts.usage_frames import INPUT_KINDS, OUTPUT_KINDS, STATES, TRANSCRIPTION
from gip_nb.journal.charts.words import clean

if TYPE_CHECKING:
    from gip_nb.journal.charts.source import Row
    from gip_nb.journal.charts.style import Frame, Look
    from gip_nb.journal.charts.usage_frames import Usage

__all__ = ["KIND_COLOURS", "dollars", "usage_chart"]

_CACHED = 0.4
KIND_COLOURS = {
    "text": style.BLUE,
    "text, cached": style.faded(style.BLUE, _CACHED),
    "audio": style.ORANGE,
    "audio, cached": style.faded(style.ORANGE, _CACHED),
    "image": style.PURPLE,
    "image, cached": style.faded(style.PURPLE, _CACHED),
    TRANSCRIPTION: style.GREEN,
    "kind not told": style.GREY,
}
_STATE_COLOURS = dict(
    zip(STATES, (style.GREY, style.SKY, style.ORANGE, style.VERMILLION, style.PURPLE), strict=True)
)
_STACK = {
    kind: place for place, kind in enumerate([*INPUT_KINDS.values(), *OUTPUT_KINDS.values(), TRANSCRIPTION])
}
_TOKENS_HEIGHT, _COST_HEIGHT, _REQUESTS_HEIGHT = 120, 90, 46
_WIDEST_TURN, _WIDEST_BAR, _NARROWEST_CHART = 52, 34, 260
_TOKEN_TYPES = {"turn": "number", "side": "string", "kind": "string", "tokens": "number", "stack": "number"}
_REQUEST_TYPES = {"turn": "number", "status": "string", "requests": "number"}
_COST_TYPES = {
    "turn": "number",
    "sum_usd": "number",
    "cost": "string",
    "sum": "string",
    "unpriced": "number",
    "priced": "number",
}


def dollars(usd: float) -> str:
    """Money as people read it: `$0.0031`, `$1.24`; two figures of what is less than a cent."""
    if usd >= 1 or usd == 0:
        return f"${usd:.2f}"
    return f"${usd:.4f}" if usd >= 0.0001 else f"${usd:.2g}"  # noqa: PLR2004 - four places are enough above this


def usage_chart(data: Usage, frame: Frame) -> alt.TopLevelMixin:
    """Four panels over the turns: tokens in, tokens out, requests, cost so far.

    Args:
        data: see there.
        frame: see there; fewer turns than fill the width take less.
    """
    first, last = int(data.cost["turn"].iloc[0]), int(data.cost["turn"].iloc[-1])
    turns = last - first + 1
    width = min(frame.width, max(_NARROWEST_CHART, turns * _WIDEST_TURN))
    step = width / turns
    bar = min(_WIDEST_BAR, max(1.0, step * 0.8)) / step / 2
    x_scale = alt.Scale(domain=[first - 0.5, last + 0.5], nice=False, zero=False)
    x = alt.X(
        "left:Q",
        title="turn",
        scale=x_scale,
        axis=alt.Axis(tickMinStep=1, format="d", grid=False, domain=False, tickCount=min(turns, 12)),
    )
    bare = alt.X("left:Q", title=None, scale=x_scale, axis=alt.Axis(labels=False, ticks=False, grid=False))
    place = _Place(x, bare, bar, width)
    panels: list[alt.Chart | Layers] = [
        _tokens(data, "input", "tokens in", place),
        _tokens(data, "output", "tokens out", place),
        _requests(data, place),
        _cost(data, frame.look, place),
    ]
    tokens = ((t["turn"], t["side"], t["kind"], t["tokens"], _STACK[t["kind"]]) for t in records(data.tokens))
    requests = ((r["turn"], r["status"], r["requests"]) for r in records(data.requests))
    datasets = {
        "tokens": csv_text(_TOKEN_TYPES, tokens),
        "requests": csv_text(_REQUEST_TYPES, requests),
        "costs": csv_text(_COST_TYPES, map(_cost_row, records(data.cost))),
    }
    chart = alt.vconcat(*panels, spacing=14).resolve_scale(color="independent")
    return finished(chart, frame, datasets)


class _Place(NamedTuple):
    """Across the page: turns with and without numbers, half a bar's width in turns, pixels."""

    x: alt.X
    bare: alt.X
    bar: float
    width: int

    def sides(self) -> dict[str, str]:
        """Left and right of a turn's bar, for `transform_calculate`."""
        return {"left": f"datum.turn - {self.bar:.4f}", "right": f"datum.turn + {self.bar:.4f}"}


def _cost_row(cost: Row) -> tuple[object, ...]:
    priced = known(cost["cost_usd"])
    turn_usd = dollars(cost["cost_usd"]) if priced else "no price"
    sum_usd = cost["sum_usd"]
    return cost["turn"], f"{sum_usd:.6f}", turn_usd, dollars(sum_usd), cost["unpriced"], int(priced)


def _axis(heading: str, form: str, ticks: int) -> alt.Axis:
    return alt.Axis(
        title=heading,
        labelExpr=form,
        tickCount=ticks,
        domain=False,
        ticks=False,
        titleAngle=0,
        titleAlign="left",
        titleBaseline="bottom",
        titleX=0,
        titleY=-9,
        minExtent=44,
    )


def _tokens(data: Usage, side: str, heading: str, place: _Place) -> alt.Chart:
    there = set(data.tokens["kind"])
    kinds = [kind for kind in KIND_COLOURS if kind in there]
    legend = alt.Legend(orient="right", symbolType="square", title=None) if side == "input" else None
    return (
        alt.Chart(named("tokens", _TOKEN_TYPES))
        .transform_filter(f"datum.side === '{side}'")
        .transform_stack(
            stack="tokens",
            as_=["low", "high"],
            groupby=["turn"],
            sort=[alt.SortField("stack", order="ascending")],
        )
        .transform_calculate(**place.sides())
        .mark_rect(
            aria=False,
            tooltip=alt.expr(
                f"{{title: datum.kind, turn: datum.turn, '{heading}': format(datum.tokens, ',') + ' tokens'}}"
            ),
        )
        .encode(
            x=place.bare,
            x2="right:Q",
            y=alt.Y("low:Q", axis=_axis(heading, "format(datum.value, '~s')", 4), scale=alt.Scale(zero=True)),
            y2="high:Q",
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=kinds, range=[KIND_COLOURS[kind] for kind in kinds]),
                legend=legend,
            ),
        )
        .properties(width=place.width, height=_TOKENS_HEIGHT)
    )


def _requests(data: Usage, place: _Place) -> alt.Chart:
    there = set(data.requests["status"])
    states = [state for state in _STATE_COLOURS if state in there]
    return (
        alt.Chart(named("requests", _REQUEST_TYPES))
        .transform_stack(
            stack="requests",
            as_=["low", "high"],
            groupby=["turn"],
            sort=[alt.SortField("status", order="descending")],
        )
        .transform_calculate(**place.sides())
        .mark_rect(
            aria=False,
            tooltip=alt.expr(
                "{title: 'Requests', turn: datum.turn, status: datum.status, billed: datum.requests}"
            ),
        )
        .encode(
            x=place.bare,
            x2="right:Q",
            y=alt.Y(
                "low:Q",
                axis=_axis("requests", "datum.value % 1 ? '' : format(datum.value, 'd')", 2),
                scale=alt.Scale(zero=True),
            ),
            y2="high:Q",
            color=alt.Color(
                "status:N",
                scale=alt.Scale(domain=states, range=[_STATE_COLOURS[state] for state in states]),
                legend=alt.Legend(orient="right", symbolType="square", title=None)
                if len(states) > 1
                else None,
            ),
        )
        .properties(width=place.width, height=_REQUESTS_HEIGHT)
    )


def _cost(data: Usage, look: Look, place: _Place) -> Layers:
    """The sum so far as stairs; what has no price says so."""
    if not known(data.total_usd):
        says = f"no cost: {clean(data.why)}" if data.why else "no cost: the model has no price"
        return alt.layer(
            alt.Chart(alt.InlineData(values=[{"says": says}]))
            .mark_text(color=look.text, align="left", limit=place.width, aria=False)
            .encode(x=alt.XValue(0), text="says:N")
        ).properties(width=place.width, height=28)
    stairs = (
        alt.Chart(named("costs", _COST_TYPES))
        .transform_calculate(**place.sides(), zero="0")
        .mark_rect(
            aria=False,
            color=style.GREEN,
            tooltip=alt.expr(
                "{title: 'Cost', turn: datum.turn, 'this turn': datum.cost, 'so far': datum.sum,"
                " 'requests without a price': datum.unpriced || datum.none}"
            ),
        )
        .encode(
            x=place.x,
            x2="right:Q",
            y=alt.Y(
                "sum_usd:Q",
                axis=_axis("cost so far", "format(datum.value, '$~r')", 3),
                scale=alt.Scale(zero=True),
            ),
            y2="zero:Q",
            fillOpacity=alt.Opacity(
                "priced:Q", scale=alt.Scale(domain=[0, 1], range=[style.UNHEARD_OPACITY, 1]), legend=None
            ),
        )
    )
    return alt.layer(stairs).properties(width=place.width, height=_COST_HEIGHT)
