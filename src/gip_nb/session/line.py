"""The line to the server: one connection at a time, in the dialect it speaks, with the log at its door.

Every frame is written down, in the wire's form, before anyone interprets it. On the loop only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from gip_nb.errors import GipError
from gip_nb.protocol import dialects
from gip_nb.protocol.frames import Event, encode_event, event_of, read_frame
from gip_nb.session.loop import loop
from gip_nb.session.transport import TransportClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gip_nb.journal.log import EventLog, Row
    from gip_nb.protocol.conversation import Direction
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.protocol.frames import Frame
    from gip_nb.session.settings import Settings
    from gip_nb.session.spare import Opened
    from gip_nb.session.transport import Transport

__all__ = ["Line"]

_DRAIN_TIMEOUT_S = 1.0
_NO_CLOSE_FRAME = 1006
_log = logging.getLogger(__name__)


class Line:
    """One connection at a time.

    Args:
        log: where every frame goes first.
        transport: makes a connection.
        on_event: gets each event in canonical form, with who spoke and its row.
        on_closed: gets the end of a connection that had opened.
    """

    def __init__(
        self,
        log: EventLog,
        transport: Callable[[Settings, Dialect], Transport],
        on_event: Callable[[Event, Direction, Row], None],
        on_closed: Callable[[TransportClosed], None],
    ) -> None:
        self._log = log
        self._make_transport = transport
        self._on_event = on_event
        self._on_closed = on_closed
        self._transport: Transport | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._outgoing: asyncio.Queue[Frame | dict[str, Any]] = asyncio.Queue()
        # How the newest connection has ended; None while it has not.
        self.ended: TransportClosed | None = None
        # How far its server's clock is ahead of the one here.
        self.clock_ahead_s = 0.0
        # Whether this side has closed it.
        self.left = False

    async def open(self, settings: Settings, dialect: Dialect) -> None:
        """Connect in this dialect and begin to read and write.

        Raises:
            KeyRefused, ConnectionRefused, HostUnreachable: see `Transport.open`.
        """
        transport = self._make_transport(settings, dialect)
        try:
            await transport.open()
        except GipError as error:
            # There was no connection, and this row says why.
            self._log.local(
                "connection.refused",
                dialect=dialect,
                model=settings.model,
                url=settings.websocket_base_url,
                error=type(error).__name__,
                message=error.message,
            )
            raise
        self._begin(transport, settings, dialect, ())

    def take_over(self, opened: Opened) -> None:
        """Go on with a connection that is open; what its server has said is read first."""
        self._begin(opened.transport, opened.settings, opened.dialect, opened.frames)

    def _begin(
        self, transport: Transport, settings: Settings, dialect: Dialect, frames: Iterable[bytes]
    ) -> None:
        self._transport = transport
        self.ended, self.left = None, False
        # Only a real one knows.
        self.clock_ahead_s = getattr(transport, "clock_ahead_s", 0.0)
        row, event = self._log.local(
            "connection.opened", dialect=dialect, model=settings.model, url=settings.websocket_base_url
        )
        self._on_event(event, "local", row)
        self._outgoing = asyncio.Queue()
        # The tasks are kept: the loop holds them only weakly.
        self._reader = loop().create_task(self._read(transport, settings, frames))
        self._writer = loop().create_task(self._write(transport, settings))

    def send(self, what: Frame | dict[str, Any]) -> None:
        """Send a frame or an event (canonical or wire names), after all that was sent before; never waits."""
        self._outgoing.put_nowait(what)

    @property
    def waiting(self) -> int:
        """How many frames and events wait to be sent: many, where the other end is slower than the talk."""
        return self._outgoing.qsize()

    async def close(self) -> None:
        """Send what waits, close, and read what the server had sent before: every frame is a row."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        self.left = True
        if self._writer is not None and not self._writer.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._outgoing.join(), _DRAIN_TIMEOUT_S)
        await transport.close()
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=_DRAIN_TIMEOUT_S)
        self.abandon()

    async def leave(self) -> None:
        """Send no more and close; what the server had sent before is read, and is rows.

        What was to be sent is kept: see `unsent`.
        """
        transport, self._transport = self._transport, None
        if transport is None:
            return
        self.left = True
        if self._writer is not None:
            self._writer.cancel()
        # Beside: the other end may take its time to answer a close.
        self._closing = loop().create_task(transport.close())
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=_DRAIN_TIMEOUT_S)

    def unsent(self) -> list[Frame | dict[str, Any]]:
        """What was to be sent and has not been, in order; it will not be any more."""
        found: list[Frame | dict[str, Any]] = []
        while not self._outgoing.empty():
            found.append(self._outgoing.get_nowait())
            self._outgoing.task_done()
        return found

    def let_go(self) -> Transport | None:
        """Stop reading and writing, and forget the connection: whoever takes it closes it."""
        self.abandon()
        transport, self._transport = self._transport, None
        return transport

    def abandon(self) -> None:
        """Stop reading and writing at once."""
        for task in (self._reader, self._writer):
            if task is not None and task is not asyncio.current_task() and not task.done():
                task.cancel()

    async def _read(self, transport: Transport, settings: Settings, frames: Iterable[bytes]) -> None:
        try:
            for data in frames:
                self._on_frame(read_frame(settings.scrub(data)), settings)
            while True:
                self._on_frame(read_frame(settings.scrub(await transport.recv())), settings)
        except TransportClosed as closed:
            self._end(closed, settings)
        except Exception as error:  # noqa: BLE001 - nobody waits for this task: without a word the session would hang for ever
            self._end(TransportClosed(_NO_CLOSE_FRAME, repr(error)), settings)

    def _end(self, closed: TransportClosed, settings: Settings) -> None:
        if self.ended is not None:
            return
        key = settings.api_key
        reason = key.scrub_text(closed.reason) if key is not None else closed.reason
        self.ended = TransportClosed(closed.code, reason)
        self._on_closed(self.ended)

    def _on_frame(self, frame: Frame, settings: Settings) -> None:
        if frame.type == "session.created" and settings.dialect == "auto":
            self._notice_dialect(frame)
        row = self._log.append("received", frame)
        if frame.problem is not None:
            self._log.local("frame.unreadable", row=len(self._log) - 1, problem=frame.problem)
            return
        try:
            if frame.audio is not None:
                event = event_of(frame, frame.fields)
            else:
                fields = dialects.server_event_to_canonical(frame.fields, self._log.dialect)
                event = Event(str(fields.get("type", "")), fields)
            self._on_event(event, "received", row)
        except Exception as error:  # noqa: BLE001 - one event that nobody was prepared for does not end the talk
            self._went_wrong("received", frame.type, error)

    def _went_wrong(self, direction: Direction, event_type: str, error: Exception) -> None:
        _log.error("a %s event (%s) could not be dealt with", direction, event_type, exc_info=error)
        self._log.local(
            "frame.failed",
            of=direction,
            event_type=event_type,
            error=type(error).__name__,
            message=str(error)[:2000],
        )

    def _notice_dialect(self, frame: Frame) -> None:
        """A server may answer in the other dialect than we asked in: only GA sessions name their type."""
        session = frame.fields.get("session")
        told: Dialect = "ga" if isinstance(session, dict) and "type" in session else "beta"
        if told != self._log.dialect:
            self._log.local("connection.dialect", dialect=told)

    async def _write(self, transport: Transport, settings: Settings) -> None:
        while True:
            what = await self._outgoing.get()
            try:
                frame = self._logged(what)
                if frame is not None:
                    await transport.send(frame.wire())
            except TransportClosed:
                # The reader hears of it too, and tells.
                return
            except Exception as error:  # noqa: BLE001 - as in `_read`
                if self._reader is not None:
                    # It perhaps hears nothing of it.
                    self._reader.cancel()
                self._end(TransportClosed(_NO_CLOSE_FRAME, repr(error)), settings)
                return
            finally:
                self._outgoing.task_done()

    def _logged(self, what: Frame | dict[str, Any]) -> Frame | None:
        """The frame that goes out, written down; None for an event that cannot be sent."""
        try:
            if isinstance(what, dict):
                frame = encode_event(dialects.client_event_to_wire(what, self._log.dialect))
                event = Event(dialects.canonical_type(frame.type), what)
            else:
                frame = what
                event = event_of(frame, frame.fields)
        except Exception as error:  # noqa: BLE001 - some raw event of the user's: what follows it is sent all the same
            self._went_wrong("sent", str(what.get("type")) if isinstance(what, dict) else what.type, error)
            return None
        row = self._log.append("sent", frame)
        try:
            self._on_event(event, "sent", row)
        except Exception as error:  # noqa: BLE001 - as in `_on_frame`: what was logged is sent
            self._went_wrong("sent", frame.type, error)
        return frame
