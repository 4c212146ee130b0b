"""The usage chart's data: tokens by kind, requests and cost, turn by turn. Tables in, tidy frames out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gip_nb.journal.charts.source import known, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from gip_nb.journal.charts.source import Row

__all__ = ["INPUT_KINDS", "OUTPUT_KINDS", "STATES", "Usage", "usage_frames"]

# Column of the table -> what the chart calls it; from the axis outwards.
INPUT_KINDS = {
    "text_tokens": "text",
    "audio_tokens": "audio",
    "image_tokens": "image",
    "unnamed_input_tokens": "kind not told",
    "cached_text_tokens": "text, cached",
    "cached_audio_tokens": "audio, cached",
    "cached_image_tokens": "image, cached",
}
OUTPUT_KINDS = {
    "output_text_tokens": "text",
    "output_audio_tokens": "audio",
    "unnamed_output_tokens": "kind not told",
}
TRANSCRIPTION = "transcription"
STATES = ("completed", "cancelled", "incomplete", "failed", "other")


class Usage(NamedTuple):
    """What a usage chart is drawn from.

    Attributes:
        tokens: one row a turn, side and kind that has any: `turn` `side` ("input", "output") `kind` `tokens`.
            A transcription's tokens are a kind of their own.
        requests: one row a turn and state: `turn` `status` `requests`.
        cost: one row a turn: `turn` `cost_usd` of what has a price (NaN: nothing has), `sum_usd` up to there,
            `unpriced` billed rows without one, `is_bound`: it may be less.
        total_usd: of all that has a price; NaN where nothing has.
        unpriced: billed rows without a price.
        is_bound: whether `total_usd` may be less.
        why: the note of the first row without a price.
    """

    tokens: pd.DataFrame
    requests: pd.DataFrame
    cost: pd.DataFrame
    total_usd: float
    unpriced: int
    is_bound: bool
    why: str | None


def usage_frames(usage: pd.DataFrame, chosen: range) -> Usage:
    """Tokens, requests and cost of these turns.

    Args:
        usage: the table. What belongs to no turn counts for the turn before it, at the beginning the first.
        chosen: the turns' numbers, one at least.
    """
    import pandas as pd

    rows = []
    turn = 1
    for row in records(usage):
        turn = int(row["turn"]) if known(row["turn"]) else turn
        if turn in chosen:
            rows.append({**row, "turn": turn})
    tokens = [line for row in rows for line in _tokens(row)]
    requests = [(row["turn"], _state(row["status"]), int(row["requests"])) for row in rows if row["requests"]]
    cost = _cost(rows, chosen)
    unpriced = [row for row in rows if not known(row["cost_usd"])]
    priced = [row for row in rows if known(row["cost_usd"])]
    return Usage(
        tokens=_summed(tokens, ["turn", "side", "kind"], "tokens"),
        requests=_summed(requests, ["turn", "status"], "requests"),
        cost=pd.DataFrame(cost, columns=["turn", "cost_usd", "sum_usd", "unpriced", "is_bound"]),
        total_usd=sum(float(row["cost_usd"]) for row in priced) if priced else float("nan"),
        unpriced=len(unpriced),
        is_bound=any(bool(row["cost_is_upper_bound"]) for row in priced),
        why=next((str(row["note"]) for row in unpriced if known(row["note"])), None),
    )


def _tokens(row: Row) -> list[tuple[int, str, str, int]]:
    if row["kind"] == TRANSCRIPTION:
        sides = (("input", "input_tokens"), ("output", "output_tokens"))
        return [
            (row["turn"], side, TRANSCRIPTION, int(row[c])) for side, c in sides if known(row[c]) and row[c]
        ]
    return [
        (row["turn"], side, kind, int(row[column]))
        for side, kinds in (("input", INPUT_KINDS), ("output", OUTPUT_KINDS))
        for column, kind in kinds.items()
        if known(row[column]) and row[column]
    ]


def _state(status: object) -> str:
    return str(status) if status in STATES else "other"


def _cost(rows: list[Row], chosen: range) -> list[tuple[int, float, float, int, bool]]:
    found = []
    sum_usd = 0.0
    for turn in chosen:
        own = [row for row in rows if row["turn"] == turn]
        priced = [float(row["cost_usd"]) for row in own if known(row["cost_usd"])]
        sum_usd += sum(priced)
        cost_usd = sum(priced) if priced else float("nan")
        is_bound = any(bool(row["cost_is_upper_bound"]) for row in own if known(row["cost_usd"]))
        found.append((turn, cost_usd, sum_usd, len(own) - len(priced), is_bound))
    return found


def _summed(rows: Sequence[tuple[object, ...]], by: list[str], what: str) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=[*by, what])
    return frame.groupby(by, sort=False, as_index=False)[what].sum()
