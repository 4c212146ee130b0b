"""A log -> pictures: what happened when, how long things took, what they cost.

    from gip_nb import plots
    plots.timeline(session)
    plots.latency(session).save("latency.png")

Each function takes anything that has a session's tables, a recording too, and gives a `Picture` that a
notebook shows, live where it can: hover for details, drag and turn the wheel to move along the time.
Wanted is the extra `plots`: `pip install "gip_nb[plots]"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.errors import UnknownItem
from gip_nb.journal.charts import style
from gip_nb.journal.charts.picture import Picture, need_altair
from gip_nb.journal.charts.source import chosen_turns, known
from gip_nb.journal.charts.style import Frame
from gip_nb.journal.charts.words import clean
from gip_nb.journal.tabled import must_be_tabled

if TYPE_CHECKING:
    import altair as alt

    from gip_nb.journal.charts.source import Turns
    from gip_nb.journal.charts.style import Look
    from gip_nb.journal.tabled import Tabled

__all__ = ["Picture", "item", "latency", "timeline", "usage"]

WIDTH = 840
"""Of a whole picture, pixels: as wide as JupyterLab's cells are on a small screen with its side bar open."""

_A_WHILE_S = 120
# What stands beside the plot: names of lanes; of steps, with figures; of kinds, with figures; nothing.
_LANE_NAMES, _STEPS, _KINDS, _EDGES = 112, 300, 180, 16


def timeline(x: Tabled, *, turns: Turns = None, theme: str = "auto", width: int = WIDTH) -> Picture:
    """What happened when, in lanes.

    From the top: what the user said, with its waveform; when the server's turn detection took it for speech;
    when the answer's sound was received, sent to the page and played; tools; interruptions. What nobody heard
    is dimmed. Lanes that a session does not have, as without a page, are left out. Of more than twelve turns
    the last are shown, under a strip of all of them whose frame can be moved and widened; `turns=` draws
    fewer turns with finer waveforms.

    Args:
        x: a session or a recording.
        turns: one turn's number, or (first, last); by default all.
        theme: "auto" is readable on light and dark pages; "light" and "dark" have their own background.
        width: of the whole, pixels.

    Raises:
        MissingExtra: altair is not installed.
        BadSetting: there are no such turns, or no such theme.
    """
    look, chosen = _prepared(x, turns, theme)
    from gip_nb.journal.charts.timeline import timeline_chart
    from gip_nb.journal.charts.timeline_frames import HEARD, timeline_frames

    if not chosen:
        return _nothing("Timeline", look, width)
    data = timeline_frames(x, chosen)
    summary = f"{_turns(chosen)} in {_length(data.turns['end_s'].max() - data.start_s)}"
    if HEARD not in data.lanes:
        summary += "; no page played the answers"
    elif not data.spans["heard"].all():
        summary += "; dimmed: what nobody heard"
    frame = Frame(look, width - _LANE_NAMES, "Timeline", summary)
    return _picture(timeline_chart(data, frame), frame)


def latency(x: Tabled, *, turns: Turns = None, theme: str = "auto", width: int = WIDTH) -> Picture:
    """Where the time went between the end of the user's speech and the first sound of the answer.

    One bar a turn, cut where a step came: `speech_stopped` received, response created, first text, first
    audio, sent to the page, first sound played; steps that are not known (no page, no turn detection) are
    left out. Below, of several turns, how each step spread: a tick a turn, the middle half as a box, median
    and 95th percentile (of fewer than twenty turns the highest) as figures. A turn that took more than four
    times the middle one's time is cut off at the axis' end, and counted in the line under the title.

    Args:
        x: a session or a recording.
        turns: one turn's number, or (first, last); by default all.
        theme: as in `timeline`.
        width: as in `timeline`.

    Raises:
        MissingExtra, BadSetting: as `timeline`.
    """
    look, chosen = _prepared(x, turns, theme)
    from gip_nb.journal.charts.latency import latency_chart, milliseconds
    from gip_nb.journal.charts.latency_frames import latency_frames

    if not chosen:
        return _nothing("Latency", look, width)
    table = x.turns.loc[chosen.start : chosen.stop - 1]
    data = latency_frames(table)
    if not len(data.totals):
        return _nothing("Latency", look, width, "No turn has been answered yet.")
    last = data.spread.iloc[-1]
    if len(data.totals) == 1:
        summary = f"{_turns(chosen)}: {last['step']} after {milliseconds(last['p50_ms'])}"
    else:
        summary = f"{_turns(chosen)}; {last['step']}: median {milliseconds(last['p50_ms'])}"
        summary += f", {data.high} {milliseconds(last['high_ms'])}"
    error_ms = table["clock_error_ms"].max()
    if known(error_ms):
        summary += f"; page clock ±{error_ms:.1f} ms"
    if data.beyond:
        summary += f"; {data.beyond} beyond the axis, up to {milliseconds(data.totals['ms'].max())}"
    frame = Frame(look, width - _STEPS, "Latency", summary)
    return _picture(latency_chart(data, frame), frame)


def usage(x: Tabled, *, turns: Turns = None, theme: str = "auto", width: int = WIDTH) -> Picture:
    """What was billed: tokens in and out by kind, with cached ones apart, requests, and the cost so far.

    What has no price is not counted as nothing: the title line says how many requests that are.

    Args:
        x: a session or a recording.
        turns: one turn's number, or (first, last); by default all. The cost begins at the first of them.
        theme: as in `timeline`.
        width: as in `timeline`.

    Raises:
        MissingExtra, BadSetting: as `timeline`.
    """
    look, chosen = _prepared(x, turns, theme)
    from gip_nb.journal.charts.usage import dollars, usage_chart
    from gip_nb.journal.charts.usage_frames import usage_frames

    if not chosen:
        return _nothing("Usage", look, width)
    data = usage_frames(x.usage, chosen)
    requests = int(data.requests["requests"].sum())
    if not requests and data.tokens.empty:
        return _nothing("Usage", look, width, "Nothing has been billed yet.")
    summary = f"{_turns(chosen)}, {requests} request{'' if requests == 1 else 's'}, "
    summary += f"{data.tokens['tokens'].sum():,} tokens, "
    if not known(data.total_usd):
        summary += "no cost known"
    else:
        summary += f"{'at most ' if data.is_bound else ''}{dollars(data.total_usd)}"
        summary += f" and {data.unpriced} without a price" if data.unpriced else ""
    frame = Frame(look, width - _KINDS, "Usage", summary)
    return _picture(usage_chart(data, frame), frame)


def item(x: Tabled, item_id: str, *, theme: str = "auto", width: int = WIDTH) -> Picture:
    """One item: its waveform, the words under it; what nobody heard is dimmed.

    Args:
        x: a session or a recording.
        item_id: as in `items`.
        theme: as in `timeline`.
        width: as in `timeline`.

    Raises:
        UnknownItem: there is none with this id.
        MissingExtra, BadSetting: as `timeline`.
    """
    must_be_tabled(x, "a plot")
    need_altair()
    from gip_nb.journal.charts.item import item_chart, item_data, letters

    look = style.look(theme)
    items = x.items
    if item_id not in items.index:
        raise UnknownItem(item_id)
    row = items.loc[item_id].to_dict()
    data = item_data(row, x.sound(item_id), letters(width))
    mine = row["role"] == "user"
    who = {"user": "You", "assistant": "Model"}.get(str(row["role"]), str(row["type"]))
    title = f"{who}, turn {row['turn']}" if known(row["turn"]) else who
    summary = f"{data.duration_s:.2f} s of sound" if data.waves else "no sound"
    if data.heard_s is not None and not mine:
        summary += f", heard {data.heard_s:.2f} s of it"
    frame = Frame(look, width - _EDGES, title, f"{clean(item_id)} · {summary}")
    return _picture(item_chart(data, style.BLUE if mine else style.GREEN, frame), frame)


def _prepared(x: Tabled, turns: Turns, theme: str) -> tuple[Look, range]:
    must_be_tabled(x, "a plot")
    need_altair()
    return style.look(theme), chosen_turns(turns, x.turns)


def _turns(chosen: range) -> str:
    if len(chosen) == 1:
        return f"turn {chosen.start}"
    return f"{len(chosen)} turns" if chosen.start == 1 else f"turns {chosen.start} to {chosen.stop - 1}"


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < _A_WHILE_S else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _picture(chart: alt.TopLevelMixin, frame: Frame) -> Picture:
    return Picture(chart, title=frame.title, summary=frame.subtitle, background=frame.look.background)


def _nothing(title: str, look: Look, width: int, says: str = "There is nothing yet: no turn.") -> Picture:
    """A picture that says why it is empty."""
    from gip_nb.journal.charts.nothing import nothing_chart

    frame = Frame(look, width // 2, title, says)
    return _picture(nothing_chart(frame), frame)
