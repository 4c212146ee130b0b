"""A second connection, opened beside the one in use and put in its place later. On the loop only.

What its server says is kept as it came, and goes through the log when the connection is taken over: until
then the log's rows are those of the one in use. Of a connection that never is, a row tells it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.protocol.frames import Event, read_frame
from gip_nb.session.loop import loop
from gip_nb.session.opening import open_line
from gip_nb.session.transport import TransportClosed
from gip_nb.session.trouble import ends_session, error_of, error_of_close
from gip_nb.session.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.errors import GipError
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.settings import Settings
    from gip_nb.session.transport import Transport

__all__ = ["Opened", "Spare"]


class Opened(NamedTuple):
    """A connection, with what its server has said so far.

    Attributes:
        transport: open.
        settings: where it leads.
        dialect: in which it was asked for.
        frames: as they came.
    """

    transport: Transport
    settings: Settings
    dialect: Dialect
    frames: list[bytes]


class Spare:
    """One connection that waits to be used; what `open_line` opens as it does a `Line`.

    Args:
        transport: makes a connection.
        on_end: called where it ends before it was taken.

    Attributes:
        ended: why it has; None while it has not.
    """

    def __init__(
        self, transport: Callable[[Settings, Dialect], Transport], on_end: Callable[[], object]
    ) -> None:
        self._make_transport = transport
        self._on_end = on_end
        self._waits = Waits(lambda _error: None)
        self._opened: Opened | None = None
        self._reader: asyncio.Task[None] | None = None
        # What its server has said before it closes.
        self._told: GipError | None = None
        self.ended: GipError | None = None
        self._refused: list[dict[str, Any]] = []

    def refused(self) -> list[dict[str, Any]]:
        """What was said on connections that were closed again, in the wire's form; told once."""
        found, self._refused = self._refused, []
        return found

    def received(self) -> list[dict[str, Any]]:
        """All that was said and will be no row of its own, in the wire's form; where it is not taken."""
        return self.refused() + ([] if self._opened is None else _fields(self._opened))

    async def prepare(self, settings: Settings, first: Dialect, check: Callable[[], None]) -> None:
        """Connect, and wait for the greeting.

        Args:
            settings: where to, with what.
            first: the dialect that is tried first.
            check: raises where the connection is not wanted any more.

        Raises:
            GipError: there is none.
        """
        try:
            await open_line(self, self._waits, settings, check, first)
            self._must_be_open()
        except BaseException:
            await self.close()
            raise

    def _must_be_open(self) -> None:
        """It may have ended right after its greeting."""
        if self.ended is not None:
            raise self.ended

    async def open(self, settings: Settings, dialect: Dialect) -> None:
        """Connect in this dialect, and begin to read; see `Line.open`."""
        transport = self._make_transport(settings, dialect)
        await transport.open()
        self.ended = self._told = None
        self._opened = Opened(transport, settings, dialect, [])
        self._reader = loop().create_task(self._read(self._opened))

    async def take(self) -> Opened | None:
        """Give it away: whoever has it reads on from there. None where it has ended."""
        if self.ended is not None:
            await self.close()
        await self._stop_reading()
        opened, self._opened = self._opened, None
        return opened

    async def close(self) -> None:
        """Nobody needs it."""
        await self._stop_reading()
        opened, self._opened = self._opened, None
        if opened is not None:
            self._refused += _fields(opened)
            await opened.transport.close()

    async def _stop_reading(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            # Waited for: two may not read from one connection.
            reader.cancel()
            await asyncio.wait({reader})

    async def _read(self, opened: Opened) -> None:
        try:
            while True:
                data = await opened.transport.recv()
                opened.frames.append(data)
                frame = read_frame(opened.settings.scrub(data))
                if frame.problem is not None:
                    continue
                if frame.type == "error":
                    self._told = error_of(frame.fields)
                self._waits.tell(Event(frame.type, frame.fields))
        except TransportClosed as closed:
            self._end(opened, closed)
        except Exception as error:  # noqa: BLE001 - whatever it is: nobody can read from this one any more
            self._end(opened, TransportClosed(1006, repr(error)))

    def _end(self, opened: Opened, closed: TransportClosed) -> None:
        key = opened.settings.api_key
        reason = key.scrub_text(closed.reason) if key is not None else closed.reason
        if self._told is not None and ends_session(self._told):
            self.ended = self._told
        else:
            self.ended = error_of_close(closed.code, reason, "try again.")
        self._waits.fail(self.ended)
        self._on_end()


def _fields(opened: Opened) -> list[dict[str, Any]]:
    return [read_frame(opened.settings.scrub(data)).fields for data in opened.frames]
