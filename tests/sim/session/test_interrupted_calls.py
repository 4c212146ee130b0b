"""An interruption while a call is made ready: who lets itself be cancelled never begins, nothing is asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import pytest

from gip_nb import tool
from tests.sim.session.called import LONG_S, Talk, gated, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Checked:
    """A function whose argument is looked at until the test lets it.

    Attributes:
        ran: whether it was called.
    """

    def __init__(self) -> None:
        self.ran = False
        self._begun, self._gate = threading.Event(), threading.Event()

        def check(value: int) -> int:
            self._begun.set()
            self._gate.wait(LONG_S)
            return value

        def f(x: int) -> str:
            """Do it."""
            self.ran = True
            return f"did {x}"

        f.__annotations__["x"] = Annotated[int, pydantic.AfterValidator(check)]
        self.function = f

    @contextmanager
    def while_checked(self, talk: Talk) -> Iterator[None]:
        talk.respond()
        assert self._begun.wait(LONG_S)
        try:
            yield
        finally:
            self._gate.set()


ONE = [("f", '{"x": 1}')]


@pytest.mark.parametrize("cancel", ["interruption", "never"])
def test_who_lets_itself_be_cancelled_does_not_begin(cancel: str) -> None:
    checked = Checked()
    with Talk([tool(cancel=cancel)(checked.function)], ONE) as talk:
        with checked.while_checked(talk):
            talk.session.interrupt()
        talk.until(lambda: talk.outputs, "the output")
        talk.settled()
        assert checked.ran is (cancel == "never")
        if cancel == "interruption":
            assert talk.outputs == [("call_1", "error: the user interrupted, and this call was cancelled")]
            assert talk.responses == 1, "the user has the turn"
            call = talk.session.tool_calls.iloc[0]
            assert (call.outcome, len(talk.rows("started"))) == ("cancelled", 0)
        else:
            assert talk.outputs == [("call_1", "did 1")]


@pytest.mark.parametrize("cancel", ["interruption", "never"])
@pytest.mark.parametrize("approve", [True, lambda _name, _arguments: True])
def test_nothing_is_asked_after_an_interruption(cancel: str, approve: Any) -> None:
    checked = Checked()
    function = tool(cancel=cancel)(checked.function)
    with shown([function], ONE, approve=approve, approve_timeout_s=LONG_S) as talk:
        with checked.while_checked(talk):
            talk.session.interrupt()
        talk.until(lambda: talk.outputs, "the output")
        talk.settled()
        assert talk.outputs[0][1].startswith("error: the user interrupted")
        assert talk.rows("asked") == []
        assert not checked.ran
        assert talk.responses == 1


def test_a_talk_that_ends_meanwhile_calls_nothing() -> None:
    checked = Checked()
    talk = Talk([checked.function], ONE)
    with talk, checked.while_checked(talk):
        talk.session.close()
    talk.until(lambda: talk.rows("finished"), "the row")
    assert not checked.ran
    assert [row["outcome"] for row in talk.rows("finished")] == ["cancelled"]


def test_an_interruption_between_yes_and_the_call_counts() -> None:
    """Whoever was asked says yes, and the user interrupts while it is looked for a newer definition."""
    slow, _ = gated()
    looks, gate = threading.Event(), threading.Event()
    with shown([tool(cancel="interruption")(slow)], [("slow", "{}")], approve=True) as talk:
        talk.respond()
        talk.has_asked()
        tools: Any = talk.session._session.calls.tools
        refresh: Callable[[], Any] = tools.refresh

        def refresh_slowly() -> Any:
            looks.set()
            gate.wait(LONG_S)
            return refresh()

        tools.refresh = refresh_slowly
        assert talk.allow("call_1", "once")
        assert looks.wait(LONG_S)
        talk.session.interrupt()
        gate.set()
        talk.settled()
        assert talk.outputs == [("call_1", "error: the user interrupted, and this call was cancelled")]
        assert talk.rows("started") == []
