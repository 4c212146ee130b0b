"""What a chart is made of: anything with a session's tables, and which of its turns to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.errors import BadSetting

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

__all__ = ["HasTables", "Row", "Turns", "chosen_turns", "known", "records"]

Turns = int | tuple[int, int] | None
"""One turn, the first and the last of several, or all."""

Row = dict[str, Any]
"""One row of a table by column, its index by the index's name."""


class HasTables(Protocol):
    """A session or a recording, as far as a picture needs it.

    The tables' columns stand in `gip_nb.journal.columns`; all `_s` are seconds since the log began.
    """

    @property
    def events(self) -> pd.DataFrame:
        """One row an event."""

    @property
    def turns(self) -> pd.DataFrame:
        """One row a turn, index from 1."""

    @property
    def items(self) -> pd.DataFrame:
        """One row an item, index `item_id`."""

    @property
    def tool_calls(self) -> pd.DataFrame:
        """One row a call, index `call_id`."""

    @property
    def usage(self) -> pd.DataFrame:
        """One row a billed request or transcription."""

    @property
    def started_at(self) -> datetime:
        """When the log began, UTC."""

    def sound(self, item_id: str) -> bytes:
        """An item's audio, PCM16 little endian mono 24 000 Hz; empty where it has none."""


def chosen_turns(asked: Turns, turns: pd.DataFrame) -> range:
    """Numbers of the turns to draw.

    Args:
        asked: see `Turns`.
        turns: the table.

    Raises:
        BadSetting: there are no such turns.
    """
    last = len(turns)
    if asked is None:
        return range(1, last + 1)
    first, end = (asked, asked) if isinstance(asked, int) else asked
    if not 1 <= first <= end <= last:
        have = f"this session has turns 1 to {last}" if last else "this session has no turn yet"
        raise BadSetting(f"turns {asked!r}: {have}", "pass a turn's number, or (first, last).")
    return range(first, end + 1)


def known(value: object) -> bool:
    """Whether a table's cell holds something: not None, NaN or NA."""
    import pandas as pd

    return not pd.isna(value)


def records(table: pd.DataFrame) -> list[Row]:
    """The rows of a table, a tenth of the time that `iterrows` takes."""
    rows: list[Row] = table.reset_index().to_dict("records")
    return rows
