"""The move to another connection before the server ends the session: it is there before the old one is left.

When the time comes a second connection is opened beside the first; in the next quiet moment it takes its
place. Where it cannot be opened the talk stays where it is, for as long as its server lets it.
On the loop only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from gip_nb.errors import ConnectionRefused, GipError
from gip_nb.protocol.reconnection import comes_back, rollover_of
from gip_nb.session.loop import loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from gip_nb.protocol.reconnection import Rollover
    from gip_nb.session.spare import Spare

__all__ = ["RolloverClock"]

_LOOK_AGAIN_S = 0.25
# A server that greets and then refuses does so at once.
_PROVED_S = 0.25
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 10.0
_log = logging.getLogger(__name__)


class RolloverClock:
    """Says when a session is to move, and has the connection that it moves to.

    Args:
        new_spare: one that is not open yet; gets what to call where it ends.
        prepare: opens it; raises a `GipError` where it cannot be.
        roll: moves the session; it takes the spare from here.
        is_quiet: whether nobody speaks, nothing plays, and nothing is being waited for.
        start: runs a coroutine.
        note: writes a local row.

    Attributes:
        due: its time has come: the next quiet moment is the one.
    """

    def __init__(
        self,
        new_spare: Callable[[Callable[[], object]], Spare],
        prepare: Callable[[Spare], Awaitable[None]],
        roll: Callable[[], object],
        is_quiet: Callable[[], bool],
        *,
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        note: Callable[..., None],
    ) -> None:
        self._new_spare = new_spare
        self._prepare = prepare
        self._roll = roll
        self._is_quiet = is_quiet
        self._start = start
        self._note = note
        self._timers: list[asyncio.TimerHandle] = []
        self._preparing: asyncio.Task[None] | None = None
        self._spare: Spare | None = None
        self._spare_since_s = 0.0
        self._wait_s = _FIRST_WAIT_S
        # There is no time left for a quiet moment.
        self._late = False
        self.due = False

    def begin(self, session: Mapping[str, Any], limit_s: float | None, clock_ahead_s: float) -> None:
        """A connection has just opened.

        Args:
            session: as the server told it, canonical.
            limit_s: how long it lasts, by the user's word.
            clock_ahead_s: how far the server's clock is ahead of the one here.
        """
        self.stop()
        span: Rollover | None = rollover_of(session, time.time() + clock_ahead_s, limit_s)
        if span is not None:
            self._timers = [
                loop().call_later(span.from_s, self._come_due),
                loop().call_later(span.until_s, self._come_late),
            ]

    def pause(self) -> None:
        """The connection is gone. What stands ready may take its place."""
        self.due = self._late = False
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._preparing is not None:
            self._preparing.cancel()
            self._preparing = None

    def stop(self) -> None:
        """Nobody needs another connection."""
        self.pause()
        self._wait_s = _FIRST_WAIT_S
        spare = self.take()
        if spare is not None:
            self._drop(spare, "it was not needed")

    def take(self) -> Spare | None:
        """The connection that stands ready, if there is one: it is the caller's then."""
        spare, self._spare = self._spare, None
        return spare

    def look(self) -> None:
        """Something has changed: is this the moment?"""
        if self._is_the_moment():
            # Not from within what reads the old connection: it could not be ended there.
            loop().call_soon(self._go)

    def _is_the_moment(self) -> bool:
        stands = self._spare is not None and loop().time() - self._spare_since_s >= _PROVED_S
        return self.due and stands and (self._late or self._is_quiet())

    def _go(self) -> None:
        if self._is_the_moment():
            self.pause()
            self._roll()

    def _come_due(self) -> None:
        self.due = True
        self._open_spare()
        self._look_again()

    def _come_late(self) -> None:
        self._late = True
        self.look()

    def _look_again(self) -> None:
        """A verb may come to its end without any event."""
        self.look()
        self._timers[2:] = [loop().call_later(_LOOK_AGAIN_S, self._look_again)]

    def _open_spare(self, after_s: float = 0.0) -> None:
        self._preparing = self._start(self._try_until_open(after_s))

    async def _try_until_open(self, after_s: float) -> None:
        while True:
            await asyncio.sleep(after_s)
            spare = self._new_spare(lambda: self._spare_ended(spare))  # noqa: B023 - this round's
            try:
                await self._prepare(spare)
            except GipError as error:
                self._note(
                    "connection.spare", outcome="failed", message=error.message, received=spare.received()
                )
                if not _may_pass(error):
                    return
                after_s = self._next_wait_s()
            else:
                self._note("connection.spare", outcome="opened", received=spare.refused())
                self._spare, self._spare_since_s = spare, loop().time()
                return

    def _next_wait_s(self) -> float:
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, _LONGEST_WAIT_S)
        return wait_s

    def _spare_ended(self, spare: Spare) -> None:
        if spare is self._spare:
            self._spare = None
            ended = spare.ended
            self._drop(spare, "its server has ended it" if ended is None else ended.message)
            if self.due and ended is not None and _may_pass(ended):
                self._open_spare(self._next_wait_s())

    def _drop(self, spare: Spare, why: str) -> None:
        self._note("connection.spare", outcome="left", message=why, received=spare.received())
        self._start(spare.close())


def _may_pass(error: GipError) -> bool:
    """Whether a further try may succeed; also what a front door says when there is nothing behind it."""
    if comes_back(error) or isinstance(error, ConnectionRefused):
        return True
    _log.warning("the session's time limit is near, and no other connection is given: %s", error.message)
    return False
