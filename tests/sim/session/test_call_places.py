"""Where calls run, at the edges: no loop to await on, no thread to be had, a word that hangs."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gip_nb import tool
from tests.sim.session.called import LONG_S, Caller, Talk, gated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sim.session.servers import Event


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """As decorators do: nobody sees from outside that it makes a coroutine."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def hidden() -> Callable[..., Any]:
    @tool(where="main")
    @plain
    async def f() -> str:
        """Be async."""
        await asyncio.sleep(0)
        return threading.current_thread().name

    return f


def test_a_hidden_coroutine_in_a_main_thread_with_a_loop_is_an_error_that_says_so() -> None:
    async def script() -> None:
        await talk.session._session.ask("go")

    with Talk([hidden()], [("f", "{}")]) as talk:
        # Warnings are errors here: no coroutine is left that was never awaited.
        asyncio.run(script())
        ((_, output),) = talk.outputs
        assert "returned a coroutine, which nothing can await in the main thread" in output
        assert 'where="thread"' in output
        assert talk.session.tool_calls.outcome.tolist() == ["failed"]


def test_a_hidden_coroutine_is_awaited_where_there_is_no_loop() -> None:
    with Talk([hidden()], [("f", "{}")]) as talk:
        talk.session.ask("go")
        assert talk.outputs == [("call_1", "MainThread")]


def test_an_async_tool_that_has_run_is_never_to_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    none_left = threading.BoundedSemaphore(1)

    async def f() -> dict[str, int]:
        """Send it."""
        none_left.acquire()
        monkeypatch.setattr("gip_nb.session.loop._tool_threads", none_left)
        return {"sent": 1}

    with Talk([f], [("f", "{}")]) as talk:
        talk.session.ask("go")
        assert talk.outputs == [("call_1", '{"sent": 1}')]


def test_where_the_system_gives_no_thread_it_is_told_to_have_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def f() -> dict[str, int]:
        """Send it."""
        monkeypatch.setattr(threading.Thread, "start", start)
        return {"sent": 1}

    with Talk([f], [("f", "{}")]) as talk:
        talk.respond()
        talk.until(lambda: talk.outputs, "the output")
        monkeypatch.undo()
        assert talk.outputs[0][1].startswith("f has run and returned a dict")
        assert talk.session.tool_calls.outcome.tolist() == ["done"]


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (np.bool_(True), True),  # noqa: FBT003 - numpy's own
        (np.array([1, 2]).sum() > 2, True),
        (np.bool_(False), False),  # noqa: FBT003
        (1, False),
        (np.int64(1), False),
        (np.array([True]), False),
    ],
)
def test_the_truth_of_numpy_and_pandas_is_a_yes(answer: object, *, allowed: bool) -> None:
    def f() -> str:
        """Do it."""
        return "done"

    with Talk([f], [("f", "{}")], approve=lambda _name, _arguments: answer) as talk:
        talk.session.ask("go")
        assert (talk.outputs[0][1] == "done") is allowed


@pytest.mark.parametrize("written", ["", " ", "null", '"{}"', "{}"])
def test_whoever_allows_calls_is_given_the_arguments_that_count(written: str) -> None:
    given: list[Any] = []

    def f() -> str:
        """Do it."""
        return "done"

    def approve(_name: str, arguments: dict[str, Any]) -> bool:
        given.append(arguments)
        return True

    with Talk([f], [("f", written)], approve=approve) as talk:
        talk.session.ask("go")
        # What the protocol takes for no arguments at all comes as none, or not here.
        assert given in ([{}], [])


# ----------------------------------------------------------------------------------------- a word that hangs


class Mute(Caller):
    """A model that begins a word beside the conversation, and never ends it."""

    def __call__(self, event: Event) -> Iterator[Event | int]:
        beside = (event.get("response") or {}).get("conversation") == "none"
        for said in super().__call__(event):
            yield said
            if beside and isinstance(said, dict) and said["type"] == "response.created":
                return


def test_a_word_that_hangs_does_not_hold_up_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gip_nb.session.slow_calls._WORD_S", 0.0)
    slow, gate = gated()
    with Talk([slow], [("slow", "{}")], tool_slow=0.02, model=Mute) as talk:
        talk.respond()
        talk.until(lambda: talk.rows("slow"), "the word")
        gate.set()
        talk.until(lambda: talk.outputs, "the output")
        assert talk.outputs == [("call_1", "done")]


def test_nor_does_it_hold_up_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gip_nb.session.slow_calls._WORD_S", LONG_S * 3)
    slow, gate = gated()
    with Talk([tool(cancel="interruption")(slow)], [("slow", "{}")], tool_slow=0.02, model=Mute) as talk:
        talk.respond()
        talk.until(lambda: talk.rows("slow"), "the word")
        talk.session.interrupt()
        talk.until(lambda: talk.outputs, "the output")
        assert talk.outputs[0][1].startswith("error: the user interrupted")
        gate.set()
