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
    from opentelemetry.trace import TracerProvider

    from gip_nb.journal.charts.picture import Picture
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
    def model(self) -> str:
        """The model's id; empty where nobody knows it."""
        return self.tables.model or ""

    @property
    def session_id(self) -> str | None:
        """The server's name for the session, None before it has one."""
        return self.tables.session_id

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

    def plot(self, **options: Any) -> Picture:
        """What happened when: `gip_nb.plots.timeline` of this talk, with its arguments."""
        from gip_nb.journal.plots import timeline

        return timeline(self, **options)

    # ---- all of it -----------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write all of it, the audio too, into one file that `gip_nb.load` reads and any unzip opens.

        A zip: the events as JSON lines, the audio as WAV files, and a README.txt that says how they hang
        together. Only its owner may read the file. One that is there already is replaced, when the new one is
        whole.

        Args:
            path: `.zip` is added where it is missing.

        Returns:
            The path of the file.

        Raises:
            BadSetting: it cannot be written there.
        """
        from gip_nb import __version__
        from gip_nb.journal.archive import save

        tables = self.tables
        return save(
            self.log,
            tables.formats(),
            path,
            version=__version__,
            model=tables.model,
            session_id=tables.session_id,
            scrub=self._scrub,
        )

    def _scrub(self, frame: bytes) -> bytes:
        """A frame as it may leave the kernel. A live session knows the key, and writes it `[key]`."""
        return frame

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

    def to_otel(self, *, tracer_provider: TracerProvider | None = None, content: bool = False) -> int:
        """Give the talk to OpenTelemetry as one trace; see `gip_nb.journal.otel.to_otel`.

        Args:
            tracer_provider: where to; None is the global one.
            content: what was said goes along too.

        Returns:
            How many spans were recorded.

        Raises:
            MissingExtra: opentelemetry is not installed.
            BadSetting: there is no provider.
        """
        from gip_nb.journal.otel import to_otel

        return to_otel(self, tracer_provider=tracer_provider, content=content)
