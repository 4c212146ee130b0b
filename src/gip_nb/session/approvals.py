"""Whether a call may be made: a page or a function is asked, and no answer is a no. On the loop."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from gip_nb.session.answer_of import answer_of
from gip_nb.session.loop import loop
from gip_nb.session.raised import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.session.note import Note
    from gip_nb.tools import Call, Tools

__all__ = ["Answer", "Approvals", "Denied"]

Answer = Literal["once", "talk", "deny"]
# Who said yes or no, as the log has it.
By = Literal["page", "callback", "talk", "timeout", "interruption", "end", "nobody"]

_HOW = (
    "Nothing shows this session in a page, so nobody can be asked: pass approve=f, a function "
    "(name, arguments) -> bool, to connect() or talk(), or approve=False to allow every call."
)
_TEXTS: dict[By, str] = {
    "page": "error: the user denied this call. Do not make it again unless the user asks for it.",
    "callback": "error: the user denied this call. Do not make it again unless the user asks for it.",
    "interruption": "error: the user interrupted before allowing this call, so it was not made.",
    "end": "error: the talk ended before this call was allowed, so it was not made.",
    "nobody": f"error: this call needs the user's approval, and was not made. {_HOW}",
}


class Denied(NamedTuple):
    """The call is not to be made: by whose word, and what the model is told."""

    by: By
    text: str


class _Question(NamedTuple):
    """About a call of this function: the answer, and whose."""

    function: Callable[..., Any]
    answer: asyncio.Future[tuple[bool, By]]


class Approvals:
    """The questions of one session.

    Args:
        note: logs a local row.
        can_ask: whether a page shows this talk, or will again.
        failed: gets what a user's function raised.
    """

    def __init__(
        self, note: Note, can_ask: Callable[[], bool], failed: Callable[[BaseException], object]
    ) -> None:
        self._note = note
        self._can_ask = can_ask
        self._failed = failed
        self._questions: dict[str, _Question] = {}

    async def decide(self, call_id: str, call: Call, tools: Tools) -> Denied | None:
        """Ask, if that is to be; None: it may be made.

        Args:
            call_id: by which it is answered.
            call: which.
            tools: whose it is.
        """
        if not call.asks:
            return None
        rules = tools.running
        timeout_s = rules.approve_timeout_s
        is_function = callable(rules.approve)
        if not is_function and not self._can_ask():
            return self.deny(call_id, call.name, "nobody")
        question: asyncio.Future[tuple[bool, By]] = loop().create_future()
        self._questions[call_id] = _Question(call.function, question)
        now_ms = time.time() * 1000
        self._note(
            "tool.asked",
            call_id=call_id,
            name=call.name,
            arguments=call.arguments,
            of="callback" if is_function else "page",
            timeout_s=timeout_s,
            unix_ms=now_ms,
            until_unix_ms=now_ms + timeout_s * 1000,
        )
        asking = (
            loop().create_task(self._ask_function(rules.approve, call.name, call.arguments, question))
            if is_function
            else None
        )
        try:
            allowed, by = await asyncio.wait_for(question, timeout_s)
        except TimeoutError:
            allowed, by = False, "timeout"
        finally:
            self._questions.pop(call_id, None)
            if asking is not None:
                asking.cancel()
        if not allowed:
            return self.deny(call_id, call.name, by, timeout_s)
        if by == "talk":
            tools.allow(call)
        self._note("tool.approved", call_id=call_id, name=call.name, by=by)
        return None

    def answer(self, call_id: str, answer: Answer) -> bool:
        """The page's word. False where nothing is asked any more: it was answered, or the time is over."""
        asked = self._questions.get(call_id)
        if asked is None or asked.answer.done():
            return False
        asked.answer.set_result((answer != "deny", "talk" if answer == "talk" else "page"))
        for other in self._questions.values():
            # What is asked about the same function meanwhile is answered with it.
            if answer == "talk" and other.function is asked.function and not other.answer.done():
                other.answer.set_result((True, "talk"))
        return True

    def drop(self, call_ids: tuple[str, ...] | None, by: Literal["interruption", "end"]) -> None:
        """Take these questions away (None: all), and make none of the calls."""
        for call_id, question in self._questions.items():
            if (call_ids is None or call_id in call_ids) and not question.answer.done():
                question.answer.set_result((False, by))

    def deny(self, call_id: str, name: str, by: By, timeout_s: float = 0.0) -> Denied:
        """It is not made.

        Args:
            call_id: which.
            name: of its tool.
            by: whose word that is.
            timeout_s: for so long an answer was waited for.
        """
        self._note("tool.denied", call_id=call_id, name=name, by=by, unix_ms=time.time() * 1000)
        late = (
            f"error: the user did not say within {timeout_s:g} s whether this call may be made, so it was "
            "not. Ask whether to try again."
        )
        return Denied(by, _TEXTS.get(by, late))

    async def _ask_function(
        self,
        function: Any,  # noqa: ANN401 - the user's
        name: str,
        arguments: str,
        question: asyncio.Future[tuple[bool, By]],
    ) -> None:
        try:
            answer = await answer_of(function, name, json.loads(arguments), thread="approve")
        except Exception as error:  # noqa: BLE001 - the user's function: whatever it raises is no yes
            self._failed(cause_of(error))
            answer = False
        if not question.done():
            # What numpy and pandas compare with is a truth of their own.
            is_yes = isinstance(answer, bool | np.bool_) and bool(answer)
            question.set_result((is_yes, "callback"))
