"""One item as a chart: its waveform, and the words under it. Imports Altair."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import altair as alt

from gip_nb.audio import SAMPLE_RATE_HZ
from gip_nb.journal.charts import style
from gip_nb.journal.charts.data import Layers, csv_text, finished, named
from gip_nb.journal.charts.source import known
from gip_nb.journal.charts.waveform import envelope, loudest
from gip_nb.journal.charts.words import wrapped

if TYPE_CHECKING:
    from gip_nb.journal.charts.source import Row
    from gip_nb.journal.charts.style import Frame, Look

__all__ = ["ItemData", "item_chart", "item_data"]

_COLUMNS = 1000
_HEIGHT = 110
_LINE, _FONT, _LETTER = 19, 13, 6.9
_MOST_LINES = 8
_TYPES = {"t": "number", "low": "number", "high": "number", "heard": "number"}


class ItemData(NamedTuple):
    """What an item's chart is drawn from.

    Attributes:
        waves: one tuple a column: seconds into the item, lowest and highest sample (-1 to 1 of its loudest),
            1 where it was heard and 0 where not. Both parts meet in the same column.
        duration_s: of its sound.
        heard_s: up to where it was heard; None where nobody played it, or it is the user's own.
        heard, unheard: lines of its words; all are in `heard` where nothing was cut.
    """

    waves: list[tuple[float, float, float, int]]
    duration_s: float
    heard_s: float | None
    heard: list[str]
    unheard: list[str]


def item_data(item: Row, pcm: bytes, columns: int) -> ItemData:
    """An item's waveform and words.

    Args:
        item: its row of the table.
        pcm: its sound, PCM16 little endian mono 24 000 Hz.
        columns: how many letters a line has.
    """
    duration_s = len(pcm) // 2 / SAMPLE_RATE_HZ
    heard_s = min(item["heard_ms"] / 1000, duration_s) if known(item["heard_ms"]) else None
    e = envelope(pcm, _COLUMNS)
    top, count = loudest([e]), len(e.low)
    waves: list[tuple[float, float, float, int]] = []
    for column in range(count):
        t = (column + 0.5) * duration_s / count
        row = (t, float(e.low[column]) / top, float(e.high[column]) / top)
        heard = heard_s is None or t <= heard_s
        if not heard and waves and waves[-1][3]:
            waves.append((*waves[-1][:3], 0))
        waves.append((*row, int(heard)))
    text = str(item["text"]) if known(item["text"]) else ""
    was_heard, rest = text, ""
    if bool(item["interrupted"]) and heard_s is not None:
        was_heard = str(item["heard_text"]) if known(item["heard_text"]) else ""
        begun = was_heard.rstrip("… ")
        rest = text.removeprefix(begun)
    lines = wrapped(was_heard, columns, _MOST_LINES) if was_heard else []
    return ItemData(
        waves, duration_s, heard_s, lines, wrapped(rest, columns, _MOST_LINES) if rest.strip() else []
    )


def item_chart(data: ItemData, colour: str, frame: Frame) -> alt.TopLevelMixin:
    """The waveform, and under it the words; what nobody heard is dimmed.

    Args:
        data: see there.
        colour: of its sound.
        frame: see there.
    """
    look, width = frame.look, frame.width
    parts: list[alt.Chart | Layers] = []
    if data.waves:
        parts.append(_wave(data, colour, look, width))
    lines = [*((line, 1) for line in data.heard), *((line, 0) for line in data.unheard)]
    if lines or not parts:
        parts.append(_words(lines or [("no words", 0)], width, look))
    rows = ((f"{t:.3f}", f"{low:.3f}", f"{high:.3f}", heard) for t, low, high, heard in data.waves)
    chart = alt.vconcat(*parts, spacing=10).resolve_scale(opacity="independent")
    return finished(chart, frame, {"waves": csv_text(_TYPES, rows)}, title_px=20 if _is_cut(data) else 8)


def _wave(data: ItemData, colour: str, look: Look, width: int) -> Layers:
    x = alt.X(
        "t:Q",
        title=None,
        scale=alt.Scale(domain=[0, data.duration_s], nice=False, zero=False),
        axis=alt.Axis(labelExpr="format(datum.value, '~r') + ' s'", grid=False, tickCount=10),
    )
    y_scale = alt.Scale(domain=[-1, 1])
    layers = [
        alt.Chart(named("waves", _TYPES))
        .transform_calculate(top="max(datum.high, 0.008)", bottom="min(datum.low, -0.008)")
        .mark_area(color=colour, aria=False, clip=True)
        .encode(
            x=x,
            y=alt.Y("top:Q", scale=y_scale, axis=None),
            y2="bottom:Q",
            opacity=alt.Opacity(
                "heard:Q", scale=alt.Scale(domain=[0, 1], range=[style.UNHEARD_OPACITY, 1]), legend=None
            ),
            detail="heard:N",
        )
        .add_params(alt.selection_interval(name="seen", encodings=["x"], bind="scales"))
    ]
    if data.heard_s is not None and _is_cut(data):
        here = alt.Chart(
            alt.InlineData(
                values=[{"t": round(data.heard_s, 3), "says": f"heard until {data.heard_s:.2f} s"}]
            )
        )
        late = data.heard_s > data.duration_s * 0.75
        layers += [
            here.mark_rule(color=style.VERMILLION, strokeDash=[4, 3], strokeWidth=1.3, aria=False).encode(
                x=x
            ),
            here.mark_text(
                align="right" if late else "left",
                dx=-6 if late else 6,
                baseline="top",
                color=look.text,
                aria=False,
            ).encode(x=x, y=alt.YValue(-16), text="says:N"),
        ]
    return alt.layer(*layers).properties(width=width, height=_HEIGHT)


def _is_cut(data: ItemData) -> bool:
    return data.heard_s is not None and data.heard_s < data.duration_s


def _words(lines: list[tuple[str, int]], width: int, look: Look) -> alt.Chart:
    rows = [{"words": line, "heard": heard, "line": place} for place, (line, heard) in enumerate(lines)]
    return (
        alt.Chart(alt.InlineData(values=rows))
        .mark_text(align="left", baseline="middle", fontSize=_FONT, color=look.text, aria=False)
        .encode(
            x=alt.XValue(0),
            y=alt.Y("line:O", axis=None, scale=alt.Scale(paddingOuter=0.2)),
            text="words:N",
            opacity=alt.Opacity("heard:Q", scale=alt.Scale(domain=[0, 1], range=[0.7, 1]), legend=None),
        )
        .properties(width=width, height=_LINE * len(rows))
    )


def letters(width: int) -> int:
    """How many narrow letters a line of words has."""
    return max(20, int(width / _LETTER))
