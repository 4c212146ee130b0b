"""What the kernel asks a page for `doctor()`: what it knows of itself, and how long a message takes.

Everything here runs on the loop. The kernel asks and stamps the answers on entry to the handler, as
`clock_exchange.py` does, so that the round trip is the one that sound takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.session.loop import loop

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.notebook.routing import Arrival

__all__ = ["Examination", "Probe"]

# Far from the clock exchange's numbers, which count from 1.
_FIRST_NUMBER = 1 << 30
_ROUND_TRIPS = 9
_ANSWER_S = 2.0
# A page that answers, but slowly, is not measured for longer than this.
_MEASURE_S = 3.0


class Examination(NamedTuple):
    """What a page said.

    Attributes:
        facts: as `messages.Facts`; None where it has never said.
        answered: whether it answered now; else `facts` are from an earlier time.
        round_trips_ms: kernel to page and back, one each.
        on_main_thread: whether its answers were handed over on the thread that cells run on; None where none
            came.
    """

    facts: dict[str, Any] | None
    answered: bool
    round_trips_ms: tuple[float, ...]
    on_main_thread: bool | None


class Probe:
    """Asks one page.

    Args:
        post: sends one message.
    """

    def __init__(self, post: Callable[[dict[str, Any]], None]) -> None:
        self._post = post
        self._number = _FIRST_NUMBER
        self._waiting: dict[tuple[str, int], asyncio.Future[Arrival]] = {}
        # What was said too late is for the next time.
        self._facts: tuple[str, dict[str, Any]] | None = None

    async def examine(self, page: str) -> Examination:
        """Ask this page for its facts and for its time; without word from it, for two seconds."""
        asked = asyncio.ensure_future(self._ask("facts", page, _ANSWER_S))
        trips: list[float] = []
        route: bool | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_MEASURE_S):
                while len(trips) < _ROUND_TRIPS:
                    began_ns = time.monotonic_ns()
                    arrival = await self._ask("clock", page, _ANSWER_S)
                    if arrival is None:
                        break
                    trips.append((arrival.at_ns - began_ns) / 1e6)
                    route = arrival.on_main_thread
        # A page that has not even told the time is not waited for any longer.
        arrival = await asked
        known, facts = self._facts or ("", None)
        return Examination(
            facts=facts if known == page else None,
            answered=arrival is not None or bool(trips),
            round_trips_ms=tuple(trips),
            on_main_thread=route if arrival is None or route is not None else arrival.on_main_thread,
        )

    async def _ask(self, kind: str, page: str, timeout_s: float) -> Arrival | None:
        self._number += 1
        key = (kind, self._number)
        self._waiting[key] = loop().create_future()
        self._post({"kind": kind, "page": page, kind: self._number})
        try:
            return await asyncio.wait_for(self._waiting[key], timeout_s)
        except TimeoutError:
            return None
        finally:
            del self._waiting[key]

    def answered(self, content: dict[str, Any], arrival: Arrival) -> bool:
        """A page has answered. Returns whether it was a question of this probe."""
        kind = str(content.get("kind"))
        number = content.get(kind)
        if not isinstance(number, int) or number < _FIRST_NUMBER:
            return False
        if kind == "facts":
            self._facts = (str(content.get("page")), content)
        waiting = self._waiting.get((kind, number))
        if waiting is not None and not waiting.done():
            waiting.set_result(arrival)
        return True
