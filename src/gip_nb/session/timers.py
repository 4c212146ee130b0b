"""The one timer of a session: it lets the protocol look at what is due. On the loop only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.session.loop import loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Timer", "now_s"]


def now_s() -> float:
    """The loop's clock, seconds: what the protocol's deadlines are counted on."""
    return loop().time()


class Timer:
    """Calls `act` when something is due, on the loop's clock.

    It is set early rather than often: a deadline that moves on with each of fifty events a second leaves the
    timer where it is, which then finds nothing due and is set again.

    Args:
        due_s: when that is, on the loop's clock; None while nothing is.
        act: does what is due.
    """

    def __init__(self, due_s: Callable[[], float | None], act: Callable[[], object]) -> None:
        self._due_s = due_s
        self._act = act
        self._handle: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Something has happened: be set for what is due next."""
        due_s = self._due_s()
        if due_s is None:
            self.stop()
        elif self._handle is None or due_s < self._handle.when():
            self.stop()
            self._handle = loop().call_at(due_s, self._ring)

    def stop(self) -> None:
        """Nothing is due any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        due_s = self._due_s()
        if due_s is not None and due_s <= now_s():
            self._act()
        self.look()
