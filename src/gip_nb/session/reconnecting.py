"""A lost connection is opened again: waiting, trying, giving up. The move before a time limit: rollover.py.

What is worth a try, and how long to wait, is protocol/reconnection.py's; what the new connection is given is
protocol/resumption.py's. On the loop only.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, NamedTuple

from gip_nb.errors import ConnectionDropped, ConnectionRefused, GipError
from gip_nb.protocol.reconnection import Attempts
from gip_nb.session.loop import loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gip_nb.protocol.reconnection import Reconnect

__all__ = ["AGAIN", "Attempt", "Reconnecting", "error_of_giving_up"]

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
            planned: it was left for a new one: the first attempt waits for nothing.

        Raises:
            ConnectionDropped: it did not come back; the text says what was tried.
            GipError: what no further attempt would change, such as a key that is refused.
        """
        self._attempts.lost(loop().time(), planned=planned)
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
                    if not self._attempts.goes_on(error, self._close_code()):
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
