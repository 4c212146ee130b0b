"""Where on the timeline everything lies: what is seen at first, lanes in pixels, labels that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gip_nb.journal.charts.source import known, records
from gip_nb.journal.charts.timeline_frames import (
    DELIVERED,
    GENERATED,
    HEARD,
    INTERRUPTED,
    MOST_TURNS_AT_ONCE,
    NO_CONNECTION,
    SPEECH,
    TOOLS,
    TURNS_IN_WINDOW,
    VAD,
)
from gip_nb.journal.charts.words import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gip_nb.journal.charts.source import Row
    from gip_nb.journal.charts.timeline_frames import Timeline

__all__ = ["LABEL_PX", "SPAN_TYPES", "WAVE_TYPES", "Layout", "layout"]

# Pixels.
_HEIGHT = {
    SPEECH: 44,
    HEARD: 44,
    VAD: 12,
    GENERATED: 12,
    DELIVERED: 12,
    TOOLS: 14,
    INTERRUPTED: 14,
    NO_CONNECTION: 12,
}
_BAR = 18
"""Of speech that is drawn without its waveform."""
_WORDS, _GAP = 16, 10
LABEL_PX, _LABEL_GAP_PX, _LEAST_LABEL_PX, _NARROW_PX = 11.5, 6, 24, 3
_LANES_WITH_ID = {SPEECH, GENERATED, TOOLS}
SPAN_TYPES = {
    "lane": "string",
    "start_s": "number",
    "end_s": "number",
    "y": "number",
    "y2": "number",
    "turn": "number",
    "what": "string",
    "text": "string",
    "item": "string",
    "wave": "number",
    "heard": "number",
}
WAVE_TYPES = {
    "t": "number",
    "y": "number",
    "y2": "number",
    "group": "number",
    "lane": "string",
    "heard": "number",
}


class Layout(NamedTuple):
    """A timeline on its way to a chart.

    Attributes:
        window: from when to when is seen at first, seconds.
        middle: of each lane, from the top, pixels.
        height: of all lanes, pixels.
        has_overview: there are more turns than the window shows.
        turns: number and start of each, seconds.
        spans, cuts: rows as in `SPAN_TYPES`; `cuts` are the interruptions.
        waves: rows as in `WAVE_TYPES`.
        labels: start, middle from the top, room in pixels, words.
    """

    window: tuple[float, float]
    middle: dict[str, float]
    height: float
    has_overview: bool
    turns: list[tuple[int, float]]
    spans: list[tuple[object, ...]]
    cuts: list[tuple[object, ...]]
    waves: list[tuple[object, ...]]
    labels: list[tuple[float, float, int, str]]


def layout(data: Timeline, width: int) -> Layout:
    """Lay a timeline out.

    Args:
        data: see there.
        width: of the plot, pixels.
    """
    many = len(data.turns) > MOST_TURNS_AT_ONCE
    start_s = float(data.turns["start_s"].iloc[-TURNS_IN_WINDOW]) if many else data.start_s
    margin = max(0.05, 0.015 * (data.end_s - start_s))
    window = round(start_s - margin, 3), round(data.end_s + margin, 3)
    labels = list(_labels(data, width / (window[1] - window[0]), window[0]))
    worded = {lane for lane, *_ in labels}
    middle: dict[str, float] = {}
    words: dict[str, float] = {}
    y = _GAP / 2
    for lane in data.lanes:
        middle[lane] = y + _HEIGHT[lane] / 2
        y += _HEIGHT[lane]
        if lane in worded:
            words[lane] = y + _WORDS / 2 + 1
            y += _WORDS
        y += _GAP
    spans: list[tuple[object, ...]] = []
    cuts: list[tuple[object, ...]] = []
    for span in records(data.spans):
        (cuts if span["lane"] == INTERRUPTED else spans).append(_span(span, middle[span["lane"]]))
    return Layout(
        window=window,
        middle=middle,
        height=y - _GAP / 2,
        has_overview=many,
        turns=[(int(turn["turn"]), round(turn["start_s"], 3)) for turn in records(data.turns)],
        spans=spans,
        cuts=cuts,
        waves=[_wave(wave, middle[wave["lane"]]) for wave in records(data.waves)],
        labels=[(start_s, words[lane], room_px, says) for lane, start_s, room_px, says in labels],
    )


def _span(span: Row, middle: float) -> tuple[object, ...]:
    lane = span["lane"]
    half = _HEIGHT[lane] / 2
    if lane == INTERRUPTED:
        half = 0
    elif lane in {SPEECH, HEARD} and not span["waveform"]:
        half = _BAR / 2
    place = f"{span['start_s']:.3f}", f"{span['end_s']:.3f}", f"{middle - half:g}", f"{middle + half:g}"
    said = ("" if not known(span[c]) else span[c] for c in ("turn", "what", "text"))
    item = span["item_id"] if lane in _LANES_WITH_ID and known(span["item_id"]) else ""
    return lane, *place, *said, item, int(span["waveform"]), int(span["heard"])


def _wave(wave: Row, middle: float) -> tuple[object, ...]:
    half = _HEIGHT[wave["lane"]] / 2 - 1
    # At least a line, where it is silent.
    high, low = max(wave["high"] * half, 0.4), min(wave["low"] * half, -0.4)
    place = f"{wave['t']:.3f}", f"{middle - high:.1f}", f"{middle - low:.1f}"
    return *place, wave["group"], wave["lane"], int(wave["heard"])


def _labels(
    data: Timeline, pixels_per_s: float, window_start_s: float
) -> Iterator[tuple[str, float, int, str]]:
    """The first words of what was said, as far as they fit before the next.

    Yields:
        Lane, start in seconds, room in pixels, words: a few more than fit. Who draws them cuts them to the
        room, as only he knows how wide they are.
    """
    for lane in (SPEECH, HEARD if HEARD in data.lanes else GENERATED):
        heard = data.spans[(data.spans["lane"] == lane) & data.spans["heard"].astype(bool)]
        spans = records(heard.sort_values("start_s", kind="stable"))
        starts = [span["start_s"] for span in spans]
        for span, start_s, next_s in zip(spans, starts, [*starts[1:], data.end_s], strict=False):
            # No half of a label at the frame's left edge.
            end_s = min(next_s, window_start_s) if start_s < window_start_s else next_s
            room_px = int((end_s - start_s) * pixels_per_s) - _LABEL_GAP_PX
            words = span["text"] if isinstance(span["text"], str) and room_px >= _LEAST_LABEL_PX else ""
            if words:
                yield lane, round(start_s, 3), room_px, shortened(words, 4 + room_px // _NARROW_PX)
