"""What one session may cost: the limit, who hears of it, and who warns. On the loop, unless it is said."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.protocol.budget import budget_of, must_have_price
from gip_nb.session.loop import loop, on_the_loop_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.budget import Verdict
    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.session.listener import Listener
    from gip_nb.session.settings import Settings

__all__ = ["Host", "Spending"]

_log = logging.getLogger(__name__)


class Host(Protocol):
    """The session whose money it is."""

    protocol: ClientProtocol
    settings: Settings

    def note(self, kind: str, **fields: Any) -> None:
        """Log a local row."""


class Spending:
    """Of one session.

    Args:
        host: the session.
        listener: who shows the talk.
        pump: does what the protocol says.

    Attributes:
        limit_usd: None for no limit.
        warn: is told that the budget is nearly spent; a blocking face warns in the cell instead.
    """

    def __init__(self, host: Host, listener: Listener | None, pump: Callable[[], None]) -> None:
        self._host = host
        self._listener = listener
        self._pump = pump
        self.limit_usd = host.settings.budget_usd
        self.warn: Callable[[str], object] = _log.warning

    def limit(self, limit_usd: float | None) -> None:
        """Another limit, or none. Any thread may call this.

        Raises:
            BadSetting: it is no amount of money, or nobody knows what the model's answers cost.
        """
        limit_usd = budget_of(limit_usd)
        settings = self._host.settings
        if limit_usd is not None:
            must_have_price(settings.model, settings.prices, limit_usd)
        self.limit_usd = limit_usd

        def change() -> None:
            self._host.protocol.set_budget(limit_usd)
            self._pump()

        if on_the_loop_thread():
            change()
        else:
            # Before whatever a verb asks for next: the loop keeps the order.
            loop().call_soon_threadsafe(change)

    def changed(self, verdict: Verdict) -> None:
        """What the protocol finds of it is another than before: a row, a notice, a warning."""
        self._host.note("budget", **verdict.as_row())
        if self._listener is not None:
            self._listener.budget_changed(verdict)
        if verdict.state == "warned":
            self.warn(f"{verdict.message}: {verdict.next_step}")
