"""A lost connection is opened again: waiting, trying, giving up. And the move before a time limit.

What is worth a try, and how long to wait, is protocol/reconnection.py's; what the new connection is given is
protocol/resumption.py's. On the loop only.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, NamedTuple

from gip_nb.errors import ConnectionDropped, ConnectionRefused, GipError
from gip_nb.protocol.reconnection import Attempts, comes_back, rollover_of
from gip_nb.session.loop import loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from gip_nb.protocol.reconnection import Reconnect, Rollover

__all__ = ["AGAIN", "Attempt", "Reconnecting", "RolloverClock", "error_of_giving_up"]

_LOOK_AGAIN_S = 0.25
AGAIN = "press Start (or call talk() or connect()) for a new session; this one's tables stay readable."


class Attempt(NamedTuple):
    """Where reconnecting is.

    Attributes:
        number: of this attempt, from 1.
        most: so many are made.
        due_unix_s: when it is made; None while it is being made.
        message: why there is a need.
    """

    number: int
    most: int
    due_unix_s: float | None
    message: str


class Reconnecting:
    """Brings the connection of one session back, each time that it is lost.

    Args:
        policy: the user's.
        open_again: makes the connection and restores the talk; raises a `GipError` where it could not.
        close_code: of the connection that `open_again` had and lost; None where there was none.
        note: writes a local row.
        tell: hears where it is; None when it is over.
    """

    def __init__(
        self,
        policy: Reconnect,
        open_again: Callable[[], Awaitable[None]],
        close_code: Callable[[], int | None],
        note: Callable[..., object],
        tell: Callable[[Attempt | None], None],
    ) -> None:
        self._policy = policy
        self._open_again = open_again
        self._close_code = close_code
        self._note = note
        self._tell = tell
        self._attempts = Attempts(policy, random.random)
        self._now = asyncio.Event()

    @property
    def attempt(self) -> int:
        """The number of the newest one."""
        return self._attempts.number

    def opened(self) -> None:
        """There is a connection, the first one too."""
        self._attempts.opened(loop().time())

    def try_now(self) -> None:
        """Do not wait any longer for the next attempt."""
        self._now.set()

    async def run(self, cause: GipError, *, planned: bool) -> None:
        """Try until there is a connection.

        Args:
            cause: why there is none.
            planned: it was given up for a new one: the first attempt waits for nothing.

        Raises:
            ConnectionDropped: it did not come back; the text says what was tried.
            GipError: what no further attempt would change, such as a key that is refused.
        """
        self._attempts.lost(loop().time())
        newest, asked_s = cause, None
        try:
            while True:
                wait_s = self._attempts.wait_s(loop().time(), asked_s)
                if wait_s is None:
                    tried_s = self._attempts.tried_s(loop().time())
                    raise error_of_giving_up(cause, newest, self._attempts.number, tried_s)
                if planned and newest is cause:
                    wait_s = 0.0
                await self._wait(wait_s, newest)
                try:
                    await self._open_again()
                except GipError as error:
                    if not comes_back(error, self._close_code()):
                        raise
                    newest = error
                    asked_s = error.retry_after_s if isinstance(error, ConnectionRefused) else None
                else:
                    return
        finally:
            self._tell(None)

    async def _wait(self, wait_s: float, why: GipError) -> None:
        number, most = self._attempts.number, self._policy.attempts
        self._note("connection.reconnecting", attempt=number, wait_s=round(wait_s, 3), message=why.message)
        self._now.clear()
        if wait_s > 0:
            self._tell(Attempt(number, most, time.time() + wait_s, why.message))
            try:
                async with asyncio.timeout(wait_s):
                    await self._now.wait()
            except TimeoutError:
                pass
        self._tell(Attempt(number, most, None, why.message))


def error_of_giving_up(cause: GipError, newest: GipError, attempts: int, tried_s: float) -> GipError:
    """The end of a session that did not come back.

    Args:
        cause: why the connection was lost.
        newest: why the last attempt failed.
        attempts: how many there were.
        tried_s: in how many seconds.
    """
    what = "one attempt" if attempts == 1 else f"{attempts} attempts"
    told = f"the connection was lost ({cause.message}), and {what} in {tried_s:.0f} s"
    if newest is cause:
        told += " brought none that holds"
    else:
        told += f" did not bring it back; the last: {newest.message}"
    return ConnectionDropped(told, AGAIN)


class RolloverClock:
    """Says when a session is to move to a new connection: in a quiet moment before its time limit.

    Args:
        roll: moves it.
        is_quiet: whether nobody speaks, nothing plays, and nothing is being waited for.
    """

    def __init__(self, roll: Callable[[], None], is_quiet: Callable[[], bool]) -> None:
        self._roll = roll
        self._is_quiet = is_quiet
        self._timers: list[asyncio.TimerHandle] = []
        # Its time has come: the next quiet moment is the one.
        self.due = False

    def begin(self, session: Mapping[str, Any], limit_s: float | None) -> None:
        """A connection has just opened.

        Args:
            session: as the server told it, canonical.
            limit_s: how long it lasts, by the user's word.
        """
        self.stop()
        span: Rollover | None = rollover_of(session, time.time(), limit_s)
        if span is not None:
            self._timers = [
                loop().call_later(span.from_s, self._come_due),
                loop().call_later(span.until_s, self._go),
            ]

    def stop(self) -> None:
        """The connection is gone."""
        self.due = False
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def look(self) -> None:
        """Something has changed: is this the moment?"""
        if self.due and self._is_quiet():
            # Not from within what reads the old connection: it could not be ended there.
            loop().call_soon(self._go_if_quiet)

    def _go_if_quiet(self) -> None:
        if self.due and self._is_quiet():
            self._go()

    def _come_due(self) -> None:
        self.due = True
        self.look()
        if self.due:
            # A verb may come to its end without any event.
            self._timers.append(loop().call_later(_LOOK_AGAIN_S, self._come_due))

    def _go(self) -> None:
        self.stop()
        self._roll()
