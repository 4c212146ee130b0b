"""What the pages say of their microphone, and a cell's wait for it. Everything here runs on the loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from gip_nb.errors import MicrophoneUnavailable
from gip_nb.session.loop import loop

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CaptureWish", "MicrophoneNews"]

_ANSWER_S = 5.0
# A wish that the Jupyter server dropped is told again after this, and after twice as long each time.
_AGAIN_S = 0.5
_TIMES = 6


class CaptureWish:
    """That a page open its microphone: told again until the page says what became of it.

    Args:
        post: sends one message.
    """

    def __init__(self, post: Callable[[dict[str, Any]], None]) -> None:
        self._post = post
        self._page: str | None = None
        self._timer: asyncio.TimerHandle | None = None

    def open(self, page: str) -> None:
        """This page is to open it; one that has it open, or asks its user, changes nothing."""
        self.over()
        self._page = page
        self._tell(_AGAIN_S, _TIMES)

    def over(self, page: str | None = None) -> None:
        """It is settled, or not wished for any more; of this page, or of any."""
        if page is not None and page != self._page:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._page = None

    def _tell(self, wait_s: float, times: int) -> None:
        self._timer = None
        if self._page is None or not times:
            return
        self._post({"kind": "capture", "page": self._page, "on": True})
        self._timer = loop().call_later(wait_s, self._tell, 2 * wait_s, times - 1)


class MicrophoneNews:
    """Whether a page has the microphone, or why not."""

    def __init__(self) -> None:
        # Set while the page has it, or has said why not.
        self._told = asyncio.Event()
        self._problem: MicrophoneUnavailable | None = None

    def asked_again(self) -> None:
        """The page is asked anew: a refusal of before does not count."""
        if self._problem is not None:
            self._problem = None
            self._told.clear()

    def told(self, content: dict[str, Any]) -> MicrophoneUnavailable | None:
        """A page's message of kind `mic_state`. Returns why there is no microphone, where it says so."""
        state, error = content.get("state"), content.get("error")
        self._problem = None
        if state == "off":
            self._told.clear()
            return None
        if state == "error":
            why = error if isinstance(error, dict) else {}
            self._problem = MicrophoneUnavailable(
                f"the page got no microphone ({why.get('name')}: {why.get('message')})",
                "allow it for this page (the icon in the address bar), or type, or session.ask() a WAV file.",
            )
        self._told.set()
        return self._problem

    async def there_or_why_not(self) -> None:
        """A cell that started the talk hears of a microphone that is not to be had.

        Raises:
            MicrophoneUnavailable: the page was refused it.
        """
        # A page that still asks its user says nothing yet: then the widget will tell.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), _ANSWER_S)
        if self._problem is not None:
            raise self._problem
