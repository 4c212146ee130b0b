"""What the pages say of their microphone, and a cell's wait for it. Everything here runs on the loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from gip_nb.errors import MicrophoneUnavailable

__all__ = ["MicrophoneNews"]

_ANSWER_S = 5.0


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
