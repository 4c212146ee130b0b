"""What is told of responses that failed or hung: a row each, a word in the log, a notice in the widget."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gip_nb.protocol import outputs
from gip_nb.protocol.overdue import row_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.session.listener import Listener

__all__ = ["ResponseNews"]

_log = logging.getLogger(__name__)


class ResponseNews:
    """Of one session. On the loop only.

    Args:
        note: makes a local row, of a kind and its fields.
        listener: who shows the talk.
    """

    def __init__(self, note: Callable[..., object], listener: Listener | None) -> None:
        self._note = note
        self._listener = listener
        self._shown = False

    def tell(self, news: outputs.AskAgain | outputs.GivenUp | outputs.Hung | outputs.CutShort) -> None:
        """Log it, and show it where it is shown while it lasts."""
        if isinstance(news, outputs.CutShort):
            # The server's own row tells it, and the widget shows it where the answer stands.
            _log.warning(
                "the answer is incomplete (%s): it is not asked for again", news.reason or "no reason"
            )
            return
        kind, fields = row_of(news)
        self._note(kind, **fields)
        match news:
            case outputs.AskAgain(_, _, wait_s, reason, message):
                _log.warning("%s: %s; it is asked again in %.1f s", reason, message, wait_s)
                self._shown = True
                if self._listener is not None:
                    self._listener.asks_again(news)
            case outputs.GivenUp(_, _, why, _, message):
                _log.warning("a failed answer is not asked for again (%s): %s", why, message)
            case outputs.Hung(what, _, _, waited_s):
                _log.warning("a response is waited for no longer (%s, %.1f s)", what, waited_s)

    def over(self) -> None:
        """Nothing is to be asked for again any more: the notice goes."""
        if self._shown:
            self._shown = False
            if self._listener is not None:
                self._listener.asks_again(None)
