"""The timeline's gaps: from when to when a talk had no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.journal.charts.source import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

__all__ = ["gaps_in"]

_LOST, _BACK = "local.connection.lost", "local.connection.restored"


def gaps_in(events: pd.DataFrame, start_s: float, end_s: float) -> Iterator[tuple[float, float, str]]:
    """The gaps that begin in this time.

    Args:
        events: the table, whole.
        start_s: on the session's clock.
        end_s: likewise.

    Yields:
        Start, end, and a sentence; one that has not ended lasts until the log's end.
    """
    rows = records(events.loc[events["event"].isin((_LOST, _BACK)), ["event", "elapsed_s"]])
    newest_s = float(events["elapsed_s"].max()) if len(events) else 0.0
    for row, following in zip(rows, [*rows[1:], None], strict=False):
        lost_s = float(row["elapsed_s"])
        if row["event"] != _LOST or not start_s <= lost_s <= end_s:
            continue
        is_back = following is not None and following["event"] == _BACK
        back_s = float(following["elapsed_s"]) if following is not None and is_back else newest_s
        ends = "" if is_back else ", and it did not come back"
        yield lost_s, back_s, f"no connection for {back_s - lost_s:.2f} s{ends}"
