"""How long a response is waited for: to begin, between two of its events, to answer its cancel.

Pure: the clock is an argument. The shell looks at the protocol's `due_s` after everything that happened and
calls its `tick()` then; there is no other timer. What happens at a deadline is overdue.py's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gip_nb.errors import BadSetting

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.frames import Event

__all__ = [
    "BEGIN_TIMEOUT_S",
    "CANCEL_TIMEOUT_S",
    "RESPONSE_TIMEOUT_S",
    "Deadlines",
    "Limits",
    "response_timeout_of",
]

BEGIN_TIMEOUT_S = 15.0
RESPONSE_TIMEOUT_S = 30.0
CANCEL_TIMEOUT_S = 5.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long what is waited for, seconds.

    Attributes:
        begin_s: a response that was asked for, until it begins.
        response_s: one that is being generated, between two of its events; None: for ever.
        cancel_s: one that was cancelled, until it ends or is heard of again.
    """

    begin_s: float = BEGIN_TIMEOUT_S
    response_s: float | None = RESPONSE_TIMEOUT_S
    cancel_s: float = CANCEL_TIMEOUT_S


def response_timeout_of(given: object) -> float | None:
    """A `response_timeout_s` as a user gives it; None: a response is waited for without end.

    Raises:
        BadSetting: it is no time.
    """
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < float("inf"):
        raise BadSetting(
            f"response_timeout_s is {given!r}",
            "give it in seconds, more than 0, or None to wait without end.",
        )
    return float(given)


class Deadlines:
    """When the responses of one connection were last heard of, and when they were cancelled.

    Args:
        clock: seconds, of any beginning.
        limits: how long what is waited for.
    """

    def __init__(self, clock: Callable[[], float], limits: Limits) -> None:
        self.clock = clock
        self.limits = limits
        self._heard_s: dict[str, float] = {}
        self._cancelled_s: dict[str, float] = {}
        self._auto_since_s: float | None = None

    def begun(self, response_id: str) -> None:
        """It is being generated from now on."""
        self._heard_s.setdefault(response_id, self.clock())

    def ended(self, response_id: str | None) -> None:
        """It is waited for no longer."""
        if response_id is not None:
            self._heard_s.pop(response_id, None)
            self._cancelled_s.pop(response_id, None)

    def cancelled(self, response_id: str) -> None:
        """Its `response.cancel` went out."""
        self._cancelled_s.setdefault(response_id, self.clock())

    def forget(self) -> None:
        """The connection is gone."""
        self._heard_s.clear()
        self._cancelled_s.clear()
        self._auto_since_s = None

    def heard(self, event: Event, p: ClientProtocol) -> None:
        """An event of the server came; where it belongs to an open response, that one lives."""
        if not self._heard_s:
            return
        response_id = event.response_id
        if response_id is None and event.item_id is not None:
            item = p.conversation.items.get(event.item_id)
            response_id = None if item is None else item.response_id
        if response_id in self._heard_s:
            self._heard_s[response_id] = self.clock()

    def awaits_auto(self, *, waits: bool) -> float | None:
        """When the answer that the server begins by itself is overdue; None where none is waited for."""
        if not waits:
            self._auto_since_s = None
            return None
        if self._auto_since_s is None:
            self._auto_since_s = self.clock()
        return self._auto_since_s + self.limits.begin_s

    def silent_s(self, response_id: str) -> float:
        """Since when nothing of it has come, seconds."""
        return self.clock() - self._heard_s.get(response_id, self.clock())

    def hang_at_s(self) -> dict[str, float]:
        """By response that was not cancelled, when it counts as hung."""
        limit_s = self.limits.response_s
        if limit_s is None:
            return {}
        return {r: s + limit_s for r, s in self._heard_s.items() if r not in self._cancelled_s}

    def let_go_at_s(self) -> dict[str, float]:
        """By response that was cancelled, when its end is waited for no longer."""
        return {
            r: max(s, self._heard_s.get(r, s)) + self.limits.cancel_s for r, s in self._cancelled_s.items()
        }
