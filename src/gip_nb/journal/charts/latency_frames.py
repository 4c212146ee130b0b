"""The latency chart's data: the steps of each turn, the waits between them, their distribution.

All times are milliseconds from the end of the user's speech.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gip_nb.journal.charts.source import known, records

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STEPS", "Latency", "latency_frames"]

# Column of the turns -> what it is called; in the order in which they should come.
STEPS = {
    "speech_stopped_ms": "end of speech noticed",
    "response_created_ms": "response created",
    "first_text_ms": "first text",
    "first_audio_ms": "first audio",
    "first_delivered_ms": "sent to the page",
    "first_sound_ms": "first sound",
}
_ENOUGH_FOR_P95 = 20
# A turn that took so many times the middle one's time is not what the axis is made for.
_FAR = 4
_ENOUGH_TO_BE_FAR_FROM = 5
WAIT_COLUMNS = ("turn", "step", "start_ms", "end_ms", "from_ms")
SPREAD_COLUMNS = ("step", "turns", "p25_ms", "p50_ms", "p75_ms", "high_ms")


class Latency(NamedTuple):
    """What a latency chart is drawn from.

    Attributes:
        waits: one row a step that is known of a turn: `turn`, `step`, it was waited for from `start_ms` to
            `end_ms`, it came at `from_ms`. A step that came before the end of speech (clocks are never quite
            right) lies left of zero.
        totals: one row a turn that has any: `turn`, `ms` to its last step, `step`.
        spread: one row a step: `turns` that have it, `p25_ms` `p50_ms` `p75_ms` of them, `high_ms`: the 95th
            percentile, or the highest where there are fewer than twenty.
        high: "p95" or "max", what `high_ms` is.
        low_ms, high_ms: what the axis shows.
        beyond: how many turns took longer than the axis shows.
    """

    waits: pd.DataFrame
    totals: pd.DataFrame
    spread: pd.DataFrame
    high: str
    low_ms: float
    high_ms: float
    beyond: int


def latency_frames(turns: pd.DataFrame) -> Latency:
    """Steps, waits and distribution of these turns.

    Args:
        turns: rows of the table; steps that are NA are left out.
    """
    import pandas as pd

    rows, totals = [], []
    for turn in records(turns):
        steps = _steps(turn)
        rows += [(turn["turn"], step, start, end, at) for step, start, end, at in _waits(steps)]
        if steps:
            at_ms, step = max((at, place) for place, (_, at) in enumerate(steps))
            totals.append((turn["turn"], at_ms, steps[step][0]))
    waits = pd.DataFrame(rows, columns=list(WAIT_COLUMNS))
    total = pd.DataFrame(totals, columns=["turn", "ms", "step"])
    enough = len(total) >= _ENOUGH_FOR_P95
    spread = _spread(waits, enough=enough)
    low_ms, high_ms = _axis(waits, total)
    beyond = int((total["ms"] > high_ms).sum())
    return Latency(waits, total, spread, "p95" if enough else "max", low_ms, high_ms, beyond)


def _steps(turn: dict[str, object]) -> list[tuple[str, float]]:
    return [(name, float(str(turn[column]))) for column, name in STEPS.items() if known(turn[column])]


def _waits(steps: list[tuple[str, float]]) -> list[tuple[str, float, float, float]]:
    """The stretches between the steps in the order in which they came: step, start, end, and its own time."""
    found = []
    previous = 0.0
    for step, at in sorted((s for s in steps if s[1] >= 0), key=lambda s: s[1]):
        found.append((step, previous, at, at))
        previous = at
    previous = 0.0
    for step, at in sorted((s for s in steps if s[1] < 0), key=lambda s: -s[1]):
        found.append((step, at, previous, at))
        previous = at
    return found


def _spread(waits: pd.DataFrame, *, enough: bool) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for step in STEPS.values():
        at = waits.loc[waits["step"] == step, "from_ms"]
        if len(at):
            p25, p50, p75, high = (float(q) for q in at.quantile([0.25, 0.5, 0.75, 0.95 if enough else 1.0]))
            rows.append((step, len(at), p25, p50, p75, high))
    return pd.DataFrame(rows, columns=list(SPREAD_COLUMNS))


def _axis(waits: pd.DataFrame, totals: pd.DataFrame) -> tuple[float, float]:
    if waits.empty:
        return 0.0, 1.0
    high = float(max(waits["end_ms"].max(), 0.0))
    if len(totals) >= _ENOUGH_TO_BE_FAR_FROM:
        far = _FAR * float(totals["ms"].median())
        near = totals.loc[totals["ms"] <= far, "ms"]
        if 0 < far < high and len(near):
            high = max(float(near.max()), 0.0)
    low = float(min(waits["start_ms"].min(), 0.0))
    high = high or max(1.0, -low)
    return max(low, -0.25 * high), 1.04 * high
