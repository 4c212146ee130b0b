"""A function that asks the session that waits for it: it is told so at once, and the talk goes on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gip_nb import tool
from gip_nb.errors import GipError
from gip_nb.session.loop import run_blocking
from tests.sim.session.called import LONG_S, SETTLE_S, Talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.session.blocking import RealtimeSession

TEXT = "the inner question"
SOUND = np.full(4800, 1000, np.int16)


def said(asks: Callable[[RealtimeSession], Any], talk: Talk) -> str:
    try:
        return str(asks(talk.session))
    except GipError as error:
        return f"{error.message}|{error.next_step}"


@pytest.mark.parametrize("where", ["thread", "main", "loop"])
@pytest.mark.parametrize(
    "asks",
    [
        lambda session: session.ask(TEXT, timeout_s=LONG_S).text,
        lambda session: session.ask(SOUND, timeout_s=LONG_S).text,
        lambda session: run_blocking(session._session.speak(SOUND.tobytes())),
    ],
    ids=["text", "sound", "speak"],
)
def test_within_an_ask_it_is_refused_at_once(where: str, asks: Callable[[RealtimeSession], Any]) -> None:
    if where == "loop":

        async def f() -> str:
            """Ask in my turn."""
            try:
                return (await talk.session._session.ask(TEXT, timeout_s=LONG_S)).text
            except GipError as error:
                return f"{error.message}|{error.next_step}"

        function: Callable[..., Any] = f
    else:

        @tool(where=where)  # type: ignore[call-overload,untyped-decorator]  # one of them
        def f_too() -> str:
            """Ask in my turn."""
            return said(asks, talk)

        f_too.__name__ = f_too.__qualname__ = "f"
        function = f_too
    with Talk([function], [("f", "{}")]) as talk:
        assert talk.session.ask("the outer question", timeout_s=SETTLE_S).text
        ((_, output),) = talk.outputs
        message, next_step = output.split("|")
        assert "the answer waits for the function" in message
        assert "gip_nb.connect()" in next_step
        assert talk.session.ask("still there?").text


def test_by_voice_it_may_ask() -> None:
    def f() -> str:
        """Ask in my turn."""
        return said(lambda session: session.ask(TEXT, timeout_s=SETTLE_S).text, talk)

    with Talk([f], [("f", "{}")]) as talk:
        talk.respond()
        talk.until(lambda: talk.outputs, "the output")
        assert "|" not in talk.outputs[0][1]


def test_it_may_ask_another_session() -> None:
    def f() -> str:
        """Ask somebody else."""
        return said(lambda _session: other.session.ask(TEXT, timeout_s=SETTLE_S).text, talk)

    with Talk([]) as other, Talk([f], [("f", "{}")]) as talk:
        assert talk.session.ask("the outer question").text
        assert "|" not in talk.outputs[0][1]


def test_whoever_else_asks_meanwhile_waits_for_his_turn() -> None:
    gate = threading.Event()

    def f() -> str:
        """Wait for the test."""
        gate.wait(LONG_S)
        return "done"

    with Talk([f], [("f", "{}")]) as talk:
        answers: list[str] = []
        asking = [threading.Thread(target=lambda: answers.append(talk.session.ask("?").text)) for _ in "ab"]
        for thread in asking:
            thread.start()
        talk.until(lambda: talk.rows("started"), "the call")
        gate.set()
        for thread in asking:
            thread.join(SETTLE_S)
        assert len(answers) == 2
