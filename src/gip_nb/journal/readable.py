"""What can be read of a talk, whoever has it: a live session, a closed one, a recording."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gip_nb.audio import wav_bytes
from gip_nb.errors import UnknownItem

if TYPE_CHECKING:
    import pandas as pd
    from IPython.display import Audio

    from gip_nb.journal.log import EventLog
    from gip_nb.journal.tables import Tables

__all__ = ["TABLES", "Readable"]

TABLES = ("events", "turns", "items", "responses", "tool_calls", "usage")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Readable:
    """Something with a log. All of it may be asked for at any moment, from any thread, after the end too.

    Whoever takes this on has `log` and `tables`.
    """

    log: EventLog
    tables: Tables

    # ---- tables: columns, dtypes and units stand in `journal.columns` --------------------------------------

    @property
    def events(self) -> pd.DataFrame:
        """Every event both ways and this side's own rows, one row each; `EVENT_COLUMNS`."""
        return self.tables.events()

    @property
    def turns(self) -> pd.DataFrame:
        """What was asked and what came of it, one row a turn; `TURN_COLUMNS`."""
        return self.tables.turns()

    @property
    def items(self) -> pd.DataFrame:
        """The conversation's items, one row each; `ITEM_COLUMNS`."""
        return self.tables.items()

    @property
    def responses(self) -> pd.DataFrame:
        """The server's responses, one row each; `RESPONSE_COLUMNS`."""
        return self.tables.responses()

    @property
    def tool_calls(self) -> pd.DataFrame:
        """What the model called, one row each; `CALL_COLUMNS`."""
        return self.tables.tool_calls()

    @property
    def usage(self) -> pd.DataFrame:
        """What was billed, one row a request, transcriptions apart; `USAGE_COLUMNS`."""
        return self.tables.usage()

    # ---- one thing -----------------------------------------------------------------------------------------

    @property
    def started_at(self) -> datetime:
        """When its log began, UTC."""
        return _EPOCH + timedelta(microseconds=self.log.started_unix_ns // 1000)

    def payload(self, n: int) -> dict[str, Any]:
        """The JSON of event `n`, whole, its audio included.

        Raises:
            IndexError: there is no such row.
        """
        return self.log.payload(n)

    def sound(self, item_id: str) -> bytes:
        """An item's sound: int16 little endian, mono, 24 000 Hz; empty where it has none.

        Raises:
            UnknownItem: there is none with this id.
        """
        return self.tables.sound(item_id)

    def audio(self, item_id: str) -> Audio:
        """An item's sound as a player for the notebook.

        Raises:
            UnknownItem: there is none with this id, or it has no sound.
        """
        from IPython.display import Audio

        pcm = self.tables.sound(item_id)
        if not pcm:
            raise UnknownItem(item_id)
        return Audio(data=wav_bytes(pcm))  # type: ignore[no-untyped-call]  # IPython has no types

    # ---- all of it -----------------------------------------------------------------------------------------

    def to_parquet(self, folder: str | Path) -> list[Path]:
        """Write each table to a file of its own, `events.parquet` and so on; wants pyarrow.

        The payloads of `events` are JSON texts there. Files that are there already are replaced.

        Args:
            folder: where to; made where it is missing.

        Returns:
            The files.

        Raises:
            MissingExtra: pyarrow is not installed.
        """
        from gip_nb.journal.parquet import write_tables

        return write_tables({name: getattr(self, name) for name in TABLES}, Path(folder))
