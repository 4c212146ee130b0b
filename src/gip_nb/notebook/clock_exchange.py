"""The kernel asks the page for its time; the same answer tells what reached the page.

Everything here runs on the loop. The kernel asks, never the page: a page's messages wait in the Jupyter
server for up to 40 ms where the kernel's wait for 4, so that a round trip that the page began would be read
wrongly by half of the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.session.loop import loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from gip_nb.notebook.routing import Arrival
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["Answer", "ClockExchange"]

# Quickly at first, so that the first turn's latency is known, then every ten seconds; and every second while
# the page owes something.
_TICK_S = 1.0
_FIRST_TICK_S = 0.15
_FIRST_TICKS = 5
_EVERY_S = 10.0
# A page that never answers must not fill the memory.
_OPEN_QUESTIONS = 16


class Answer(NamedTuple):
    """What an answer tells beside the time.

    Attributes:
        acked: up to where the page has all audio messages, as it said.
        missed: whether it lacks a message about the talk's state.
    """

    acked: object
    missed: bool


class _Asked(NamedTuple):
    at_s: float
    rev: int
    counts: bool


class ClockExchange:
    """Questions to the page that has the sound, and its answers as rows `local.clock`.

    Args:
        post: sends one message.
        rev: the number of the newest message about the talk's state.
        owes: whether the page has still to acknowledge something: then it is asked each second.
    """

    def __init__(
        self, post: Callable[[dict[str, Any]], None], rev: Callable[[], int], owes: Callable[[], bool]
    ) -> None:
        self._post = post
        self._rev = rev
        self._owes = owes
        self._page: str | None = None
        self._session: AsyncRealtimeSession | None = None
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0
        self._asked: dict[int, _Asked] = {}
        self._scheduled_at_s = 0.0

    def begin(self, page: str, session: AsyncRealtimeSession) -> None:
        """Ask this page from now on, for this session."""
        self.stop()
        self._page, self._session = page, session
        self._ticks = 0
        self._tick()

    def stop(self) -> None:
        """Ask nobody."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._page = self._session = None
        self._asked.clear()

    def _tick(self) -> None:
        if self._page is None or self._session is None:
            return
        now = loop().time()
        scheduled = self._ticks < _FIRST_TICKS or now - self._scheduled_at_s >= _EVERY_S
        if scheduled or self._owes():
            self._scheduled_at_s = now if scheduled else self._scheduled_at_s
            self._number += 1
            self._asked = dict(list(self._asked.items())[-_OPEN_QUESTIONS:])
            asked_s = self._session.log.elapsed_ns() / 1e9
            self._asked[self._number] = _Asked(asked_s, self._rev(), scheduled)
            self._post({"kind": "clock", "page": self._page, "clock": self._number})
        self._ticks += 1
        wait_s = _FIRST_TICK_S if self._ticks < _FIRST_TICKS else _TICK_S
        self._timer = loop().call_later(wait_s, self._tick)

    def answered(self, content: dict[str, Any], arrival: Arrival) -> Answer | None:
        """The page's time becomes a row.

        Returns:
            What else the answer tells, or None where nobody asked.
        """
        number, page, page_ms = content.get("clock"), content.get("page"), content.get("page_ms")
        asked = self._asked.pop(number, None) if isinstance(number, int) else None
        if asked is None or page != self._page or self._session is None:
            return None
        if isinstance(page_ms, int | float) and asked.counts:
            self._session.note(
                "clock",
                page=page,
                asked_s=asked.at_s,
                answered_s=self._session.log.elapsed_ns(arrival.at_ns) / 1e9,
                page_ms=float(page_ms),
            )
        rev = content.get("rev")
        # Messages keep their order: what was sent before the question and is not there was lost.
        return Answer(content.get("acked"), isinstance(rev, int) and rev < asked.rev)
