"""A slow tool: after a while the model may say, beside the conversation, that it works. On the loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.errors import GipError
from gip_nb.session.answer_of import answer_of
from gip_nb.session.loop import TooManyThreads, loop
from gip_nb.session.raised import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gip_nb.protocol.outputs import Wish
    from gip_nb.tools.options import RunOptions

__all__ = ["SlowWord", "Speaks"]

_log = logging.getLogger(__name__)
# While the user speaks, or another answer is given, it is tried again after so long.
_AGAIN_S = 0.5
# The call's own answer waits for the end of the word: two voices at once are none. But a sentence is made in
# a second or two, and one that was asked for so long ago hangs.
_WORD_S = 5.0


class Speaks(Protocol):
    """What a session lets it do."""

    def word_beside(self, fields: Mapping[str, Any]) -> Wish | None:
        """Ask for a response beside the conversation; None where that would disturb somebody."""

    async def until(self, condition: Callable[[], bool], what: str, timeout_s: float | None) -> None:
        """Wait until this holds."""

    def callback_failed(self, error: BaseException) -> None:
        """A function that the user hung on this session raised."""


class SlowWord:
    """The word about one call, should it be slow.

    Args:
        rules: whether and when, and what is said.
        name: of the tool.
        session: speaks.
        note: logs a row about this call.
    """

    def __init__(self, rules: RunOptions, name: str, session: Speaks, note: Callable[..., object]) -> None:
        self._rules = rules
        self._name = name
        self._session = session
        self._note = note
        self._wish: Wish | None = None
        self._asked_s = 0.0
        after_s = rules.slow_after_s
        self._task = None if after_s is None else loop().create_task(self._say(after_s))

    async def said(self, unless: asyncio.Future[Any]) -> None:
        """The call has ended: what was not said never is, and what is being said is said first.

        Args:
            unless: done when that is waited for no longer.
        """
        if self._task is not None:
            self._task.cancel()
        wish, left_s = self._wish, self._asked_s + _WORD_S - time.monotonic()
        if wish is None or wish.done or left_s <= 0:
            return
        with contextlib.suppress(GipError):
            await self._session.until(
                lambda: wish.done or unless.done(), "the word about a slow tool", left_s
            )

    async def _say(self, after_s: float) -> None:
        began_s = time.monotonic()
        await asyncio.sleep(after_s)
        says = await self._words(after_s)
        while says is not None:
            seconds = time.monotonic() - began_s
            told = f"The function {self._name} has been running for {seconds:.0f} seconds."
            content = [{"type": "input_text", "text": told}]
            self._wish = self._session.word_beside(
                {
                    "conversation": "none",
                    "instructions": says,
                    "input": [{"type": "message", "role": "user", "content": content}],
                    "tool_choice": "none",
                }
            )
            if self._wish is not None:
                self._asked_s = time.monotonic()
                self._note("slow", after_s=round(seconds, 1))
                return
            await asyncio.sleep(_AGAIN_S)

    async def _words(self, after_s: float) -> str | None:
        """What the model is told to do; None: to say nothing."""
        rules, hook = self._rules, self._rules.slow_hook
        if hook is None:
            return rules.slow_says
        try:
            answer = await answer_of(hook, self._name, after_s, thread="slow")
        except TooManyThreads:
            return None
        except Exception as error:  # noqa: BLE001 - the user's function: what it raises is a row, and nothing is said
            self._session.callback_failed(cause_of(error))
            return None
        if answer is True:
            return rules.slow_says
        return answer if isinstance(answer, str) and answer.strip() else None
