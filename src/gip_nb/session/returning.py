"""A session's connections: how the loss of one is told from the end of all, and how another follows.

`Talking` is made of this: the talk is one, and connections come and go. On the loop only.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from gip_nb.errors import ConnectionDropped, GipError
from gip_nb.protocol.reconnection import LastWord, Reconnect, comes_back
from gip_nb.session.loop import in_thread, loop
from gip_nb.session.reconnecting import AGAIN, Attempt, Reconnecting
from gip_nb.session.resuming import Resuming
from gip_nb.session.rollover import RolloverClock
from gip_nb.session.spare import Spare
from gip_nb.session.trouble import ends_session, error_of_close

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from gip_nb.journal.log import EventLog
    from gip_nb.journal.tables import Tables
    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.protocol.kept_input import Sound
    from gip_nb.protocol.requests import Request
    from gip_nb.session.line import Line
    from gip_nb.session.listener import Listener
    from gip_nb.session.microphone import Microphone
    from gip_nb.session.settings import Settings
    from gip_nb.session.timers import Timer
    from gip_nb.session.transport import Transport, TransportClosed
    from gip_nb.session.waits import Waits

__all__ = ["AGAIN", "At", "Returning"]

At = Literal["idle", "connecting", "open", "reconnecting", "closing", "closed", "error"]

# So long a server that says that the session is over may take to close it.
_GOODBYE_S = 1.0
# What a server answers at all it has answered by then.
_ANSWERED_S = 5.0
_log = logging.getLogger(__name__)


class Returning:
    """The part of a session that outlives its connections.

    Attributes:
        attempt: where reconnecting is; None while there is no need.
    """

    # Of the session that this is a part of.
    settings: Settings
    log: EventLog
    tables: Tables
    protocol: ClientProtocol
    error: GipError | None
    _at: At
    _line: Line
    _make_transport: Callable[[Settings, Dialect], Transport]
    _waits: Waits
    _listener: Listener | None
    microphone: Microphone
    _timer: Timer
    _first_update: Request | None
    _asking: asyncio.Lock

    if TYPE_CHECKING:

        def note(self, kind: str, **fields: Any) -> None:
            """Log a local row."""

        def _start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]: ...
        def _pump(self) -> None: ...
        def _tell_state(self) -> None: ...
        def _end(self, at: At, error: GipError | None) -> None: ...
        def _raise_if_ended(self) -> None: ...
        async def _write_log(self) -> None: ...

    def _begin_returning(self) -> None:
        self.protocol.resumes = self.settings.reconnect is not None
        self._last_word = LastWord(_GOODBYE_S)
        self._resuming = Resuming(
            self.log, self.tables, self.protocol, self._line, note=self.note, why=self._why
        )
        self._reconnecting = Reconnecting(
            # Where there is no policy, a lost connection is the end, and this is not asked.
            self.settings.reconnect or Reconnect(),
            self._open_again,
            lambda: self._line.ended.code if self._line.ended is not None else None,
            self.note,
            self._on_attempt,
        )
        self._rollover = RolloverClock(
            lambda on_end: Spare(self._make_transport, on_end),
            lambda spare: spare.prepare(self.settings, self.log.dialect, self._raise_if_ended),
            self._roll_over,
            self._is_quiet,
            start=self._start,
            note=self.note,
        )
        self._returning: asyncio.Task[None] | None = None
        self._lost_at_s = 0.0
        self._unanswered: tuple[Request, ...] = ()
        self._unanswered_since_s = 0.0
        self.attempt: Attempt | None = None
        # Its server is the embedded one, found by this package.
        self._embedded = False

    def _look_at_error(self, error: GipError) -> None:
        if ends_session(error):
            # The server closes next: this is why, and not that it closed.
            self._last_word.said(error, self.log.connection, loop().time())
            if self.settings.reconnect is not None and comes_back(error):
                # Some say that it is over, and leave it at that.
                loop().call_later(_GOODBYE_S, self._leave, error, self.log.connection)

    def _leave(self, error: GipError, connection: int) -> None:
        if self._at == "open" and self.log.connection == connection:
            self._start(self._move_on(error, planned=False))

    def _roll_over(self) -> None:
        if self._at == "open":
            near = ConnectionDropped("the session's time limit is near", AGAIN)
            self._start(self._move_on(near, planned=True))

    async def _move_on(self, error: GipError, *, planned: bool) -> None:
        """Leave a connection that still is there, and go on over another."""
        await self._line.leave()
        if self._at != "open":
            return
        if self._line.ended is None:
            # It has not answered the close.
            self.note("connection.closed", code=1000, reason=error.message, asked_for=True)
        self._come_back(error, planned=planned)

    def _why(self, closed: TransportClosed) -> GipError:
        """The error for the end of the newest connection: its server's last word, if that was one."""
        said = self._last_word.about(self.log.connection, loop().time())
        newest = next((row for row in reversed(self.log.rows) if row.direction == "received"), None)
        if said is not None and newest is not None and newest.type == "error":
            return said
        return error_of_close(closed.code, closed.reason, AGAIN)

    def _on_closed(self, closed: TransportClosed) -> None:
        moves = self._at in {"open", "reconnecting"} and self._line.left
        asked_for = moves or self._at in {"closing", "closed"}
        self.note("connection.closed", code=closed.code, reason=closed.reason, asked_for=asked_for)
        error = self._why(closed)
        if self._at == "reconnecting":
            self._resuming.opening.fail(error)
        elif self._at == "open" and moves:
            # `_move_on` waits for it.
            pass
        elif self._at == "open" and self.settings.reconnect is not None and comes_back(error, closed.code):
            self._come_back(error, code=closed.code)
        else:
            self.protocol.connection_lost()
            if self._at == "connecting":
                self._waits.fail(error)
            elif not asked_for:
                self._end("error", error)

    def _opened(self) -> None:
        """There is a connection: the first one, or another."""
        policy = self.settings.reconnect
        self._reconnecting.opened()
        if policy is not None:
            self._rollover.begin(
                self.protocol.conversation.session, policy.session_limit_s, self._line.clock_ahead_s
            )

    def _come_back(self, error: GipError, *, code: int | None = None, planned: bool = False) -> None:
        """The connection is gone; the session is not."""
        policy = self.settings.reconnect or Reconnect()
        self._at = "reconnecting"
        self._lost_at_s = loop().time()
        self._rollover.pause()
        transport = self._line.let_go()
        if transport is not None:
            # Beside: the other end may take its time to answer a close.
            self._start(transport.close())
        self._timer.stop()
        self.microphone.connection_lost()
        self._resuming.suspend(
            error,
            code=code,
            reason="rollover" if planned else "lost",
            kept_audio_s=policy.kept_audio_s,
        )
        if not planned:
            # A widget shows it.
            level = logging.WARNING if self._listener is None else logging.INFO
            _log.log(level, "the connection was lost, and is opened again: %s", error.message)
        self._returning = self._start(self._return(error, planned=planned))
        self._tell_state()

    async def _return(self, error: GipError, *, planned: bool) -> None:
        try:
            await self._reconnecting.run(error, planned=planned)
        except GipError as problem:
            await self._give_up(problem)
        except Exception as problem:  # noqa: BLE001 - nobody waits for this task: without a word the session would hang for ever
            _log.exception("reconnecting failed")
            await self._give_up(ConnectionDropped(f"reconnecting failed: {problem!r}", AGAIN))

    async def _give_up(self, error: GipError) -> None:
        # "open": it failed when the line was there already.
        if self._at in {"open", "reconnecting"}:
            await self._line.close()
            self.protocol.connection_lost()
            self._end("error", error)
            await self._write_log()

    async def _open_again(self) -> None:
        settings = self.settings
        spare = self._rollover.take()
        if spare is None and settings.rehearsal and self._embedded:
            from gip_nb.session.embedded import with_rehearsal_address

            # Perhaps another one: the process may be what was lost.
            settings = self.settings = await in_thread(with_rehearsal_address, settings)
        await self._resuming.open_again(settings, self._raise_if_ended, spare)
        gap_s = loop().time() - self._lost_at_s
        self._first_update = self._resuming.restore(
            self._append_kept, attempt=self._reconnecting.attempt, gap_s=gap_s
        )
        self._at = "open"
        self._opened()
        self._pump()

    def _append_kept(self, sound: Sound) -> None:
        self.microphone.append(sound)

    def _on_attempt(self, attempt: Attempt | None) -> None:
        self.attempt = attempt
        if self._listener is not None:
            self._listener.reconnect_changed(attempt)

    def try_now(self) -> None:
        """While it reconnects: do not wait for the next attempt. On the loop only."""
        self._reconnecting.try_now()

    def _is_quiet(self) -> bool:
        if self._at != "open" or not self.protocol.quiet or self._asking.locked():
            return False
        # What is not answered soon is not waited for: there are servers that confirm nothing.
        unanswered, now_s = self.protocol.unanswered, loop().time()
        if unanswered != self._unanswered:
            self._unanswered, self._unanswered_since_s = unanswered, now_s
        return not unanswered or now_s - self._unanswered_since_s >= _ANSWERED_S
