"""How the model's calls are run: where, for how long, with whose leave, and in which definition.

Over a scripted connection in this process: its model calls what the test says, and answers once it has all
outputs.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb import tool, tool_cancelled
from gip_nb.errors import TimedOut, ToolTrouble
from gip_nb.session.loop import MOST_TOOL_THREADS, in_thread, loop, run_blocking
from tests.sim.session.called import LONG_S, SETTLE_S, Talk, gated, notebook, run_cell, shown

if TYPE_CHECKING:
    from collections.abc import Callable


def thread_name() -> str:
    """Where this runs."""
    return threading.current_thread().name


# ------------------------------------------------------------------------------------------------------ where


async def async_thread_name() -> str:
    """Where this runs."""
    await asyncio.sleep(0)
    return threading.current_thread().name


@pytest.mark.parametrize(
    ("function", "where"),
    [
        (thread_name, "gip_nb-tool-thread_name"),
        (async_thread_name, "gip_nb-loop"),
    ],
)
def test_a_plain_tool_has_a_thread_of_its_own_and_an_async_one_the_loop(
    function: Callable[..., Any], where: str
) -> None:
    with Talk([function], [(function.__name__, "{}")]) as talk:
        talk.session.ask("where?")
        assert talk.outputs == [("call_1", where)]
        (row,) = talk.rows("finished")
        assert row["outcome"] == "done"
        assert talk.session.tool_calls.outcome.tolist() == ["done"]


def test_an_async_tool_may_have_a_thread_too() -> None:
    @tool(where="thread")
    async def apart() -> str:
        """Wait a little."""
        await asyncio.sleep(0)
        return threading.current_thread().name

    with Talk([apart], [("apart", "{}")]) as talk:
        talk.session.ask("where?")
        assert talk.outputs == [("call_1", "gip_nb-tool-apart")]


@tool(where="main")
def main_thread_name() -> str:
    """Where this runs."""
    return threading.current_thread().name


def test_a_blocked_ask_runs_what_wants_the_main_thread() -> None:
    with Talk([main_thread_name], [("main_thread_name", "{}")] * 1, [("main_thread_name", "{}")]) as talk:
        talk.session.ask("where?")
        assert talk.outputs == [("call_1", "MainThread"), ("call_2", "MainThread")]


def test_a_tool_in_the_main_thread_may_ask_in_its_turn() -> None:
    @tool(where="main")
    def inner() -> str:
        """Ask."""
        return talk.session.send_text("from the tool")

    with Talk([inner], [("inner", "{}")]) as talk:
        talk.session.ask("go")
        assert talk.outputs[0][1].startswith("item_")


def test_a_loop_of_the_main_thread_runs_it_while_it_awaits() -> None:
    async def script(talk: Talk) -> None:
        await talk.session._session.ask("where?")

    with Talk([main_thread_name], [("main_thread_name", "{}")]) as talk:
        asyncio.run(script(talk))
        assert talk.outputs == [("call_1", "MainThread")]


def test_a_script_whose_main_thread_does_not_wait_is_told_so() -> None:
    asked = [("main_thread_name", "{}")]
    with Talk([main_thread_name], asked) as talk:
        thread = threading.Thread(target=talk.session.ask, args=("where?",))
        thread.start()
        thread.join(SETTLE_S)
        ((_, output),) = talk.outputs
        assert output.startswith("error: the main thread is not waiting")


def test_a_loop_that_is_held_up_is_said_to_be_waited_for() -> None:
    async def script(talk: Talk) -> None:
        # By its first verb a session knows the loop that it is awaited in.
        await talk.session._session.interrupt()
        # A cell that computes, while somebody speaks.
        speaks = threading.Thread(target=talk.respond)
        speaks.start()
        talk.until(lambda: talk.rows("waiting"), "the notice")
        speaks.join()
        assert talk.session.tool_calls.outcome.tolist() == ["waiting"]
        await asyncio.sleep(0)
        # Now it awaits.
        await asyncio.to_thread(talk.until, lambda: talk.outputs, "the output")

    with Talk([main_thread_name], [("main_thread_name", "{}")]) as talk:
        asyncio.run(asyncio.wait_for(script(talk), SETTLE_S))
        assert talk.outputs == [("call_1", "MainThread")]


def test_an_interrupt_in_the_main_thread_ends_tool_and_verb() -> None:
    @tool(where="main")
    def interrupted() -> str:
        """Be interrupted."""
        raise KeyboardInterrupt

    with Talk([interrupted], [("interrupted", "{}")]) as talk:
        with pytest.raises(KeyboardInterrupt):
            talk.session.ask("go")
        talk.until(lambda: talk.outputs, "the output")
        assert talk.outputs[0][1].startswith("error: KeyboardInterrupt")
        assert talk.session.ask("still there?").text


def test_slow_tools_hold_up_nobody_else() -> None:
    gate = threading.Event()

    def slow() -> str:
        """Wait for the test."""
        gate.wait(LONG_S)
        return "done"

    with Talk([slow], [("slow", "{}")] * 30) as talk:
        talk.respond()
        talk.until(lambda: len(talk.rows("started")) == 30, "all of them at once")
        assert run_blocking(in_thread(lambda: "free")) == "free"
        gate.set()
        talk.settled()
        assert len(talk.outputs) == 30


def test_there_is_an_end_to_how_many_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gip_nb.session.loop._tool_threads", threading.BoundedSemaphore(1))
    gate = threading.Event()

    async def waits() -> str:
        """Hold the loop's side free."""
        return "x"

    def slow() -> str:
        """Wait for the test."""
        gate.wait(LONG_S)
        return "done"

    assert MOST_TOOL_THREADS > 30
    with Talk([slow, waits], [("slow", "{}")], [("slow", "{}")]) as talk:
        talk.respond()
        talk.until(lambda: talk.rows("started"), "the first")
        talk.say({"type": "response.created", "response": {"id": "resp_x", "status": "in_progress"}})
        item = {
            "type": "function_call",
            "id": "item_x",
            "call_id": "call_x",
            "name": "slow",
            "arguments": "{}",
        }
        done = {"id": "resp_x", "status": "completed", "output": [{**item, "status": "completed"}]}
        talk.say({"type": "response.done", "response": done})
        talk.until(lambda: talk.outputs, "the answer to the second")
        assert talk.outputs[0][1].startswith("error: too many functions run at once")
        gate.set()


def test_an_async_tool_that_holds_up_the_loop_is_told_of_once() -> None:
    async def blocks() -> str:
        """Sleep as one should not."""
        time.sleep(0.6)  # noqa: ASYNC251 - the case
        return "slept"

    with Talk([blocks], [("blocks", "{}")], [("blocks", "{}")]) as talk:
        talk.session.ask("go")
        assert [output for _, output in talk.outputs] == ["slept", "slept"]
        (row,) = talk.rows("blocked_loop")
        assert row["name"] == "blocks"
        (told,) = [error for error in talk.heard.failures if isinstance(error, ToolTrouble)]
        assert "'blocks'" in told.message
        assert "def" in told.next_step


# --------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("is_async", [False, True])
def test_whatever_a_tool_raises_is_an_output_and_the_talk_goes_on(
    kind: type[BaseException], *, is_async: bool
) -> None:
    def broken() -> None:
        """Raise."""
        raise kind("no such city")

    async def broken_too() -> None:
        """Raise."""
        await asyncio.sleep(0)
        raise kind("no such city")

    function = broken_too if is_async else broken
    with Talk([function], [(function.__name__, "{}")]) as talk:
        talk.session.ask("go")
        ((_, output),) = talk.outputs
        assert output.startswith(f"error: {kind.__name__}: no such city (in {function.__name__}, line ")
        assert output.endswith('raise kind("no such city"))')
        call = talk.session.tool_calls.iloc[0]
        assert call.outcome == "failed"
        assert call.traceback.startswith("Traceback")
        assert call.traceback.endswith(f"{kind.__name__}: no such city")
        assert "gip_nb/session" not in call.traceback
        assert "gip_nb/tools" not in call.traceback
        assert talk.session.ask("still there?").text


# ---------------------------------------------------------------------------------------------------- in time


def test_the_model_hears_in_time_and_what_comes_late_is_a_row() -> None:
    gate = threading.Event()

    @tool(timeout_s=0.05)
    def slow() -> str:
        """Wait for the test."""
        gate.wait(LONG_S)
        return f"late, and told so: {tool_cancelled()}"

    with Talk([slow], [("slow", "{}")]) as talk:
        talk.session.ask("go")
        assert talk.outputs == [("call_1", "error: slow did not end within 0.05 s.")]
        assert talk.session.tool_calls.outcome.tolist() == ["timed_out"]
        assert talk.rows("late") == []
        gate.set()
        talk.until(lambda: talk.rows("late"), "the row")
        assert talk.rows("late")[0]["output"] == "late, and told so: True"
        assert len(talk.outputs) == 1
        assert talk.heard.results == [("call_1", "slow", None)]


def test_an_async_tool_is_cancelled_at_its_time() -> None:
    ended: list[str] = []

    async def slow() -> None:
        """Sleep."""
        try:
            await asyncio.sleep(LONG_S)
        finally:
            ended.append("cancelled")

    with Talk([slow], [("slow", "{}")], tool_timeout_s=0.05) as talk:
        talk.session.ask("go")
        assert talk.outputs == [("call_1", "error: slow did not end within 0.05 s.")]
        talk.until(lambda: ended, "its end")
        talk.until(lambda: talk.rows("late"), "the row")


def test_what_waits_for_the_main_thread_at_its_time_is_never_run() -> None:
    ran: list[int] = []

    @tool(where="main", timeout_s=0.4)
    def late() -> None:
        """Note it."""
        ran.append(1)

    async def script(talk: Talk) -> None:
        # By its first verb a session knows the loop that it is awaited in.
        await talk.session._session.interrupt()
        # A cell that computes, while somebody speaks.
        speaks = threading.Thread(target=talk.respond)
        speaks.start()
        talk.until(lambda: talk.outputs, "the error")
        speaks.join()
        await asyncio.sleep(0.01)

    with Talk([late], [("late", "{}")]) as talk:
        asyncio.run(script(talk))
        assert talk.outputs[0][1].startswith("error: late did not end within 0.4 s. It waited for the main")
        assert ran == []
        assert talk.rows("late") == []


# ----------------------------------------------------------------------------------------------- interruption


@tool(cancel="interruption")
def patient() -> str:
    """Wait until it is told to end."""
    over = time.monotonic() + LONG_S
    while not tool_cancelled() and time.monotonic() < over:
        time.sleep(0.002)
    return "ended"


@tool(cancel="interruption")
async def patient_too() -> str:
    """Wait until it is told to end."""
    await asyncio.sleep(LONG_S)
    return "ended"


@pytest.mark.parametrize("function", [patient, patient_too])
def test_who_lets_itself_be_cancelled_ends_when_the_user_interrupts(function: Callable[..., Any]) -> None:
    with Talk([function], [(function.__name__, "{}")]) as talk:
        talk.respond()
        talk.until(lambda: talk.rows("started"), "its begin")
        talk.session.interrupt()
        talk.until(lambda: talk.outputs, "the output")
        assert talk.outputs == [("call_1", "error: the user interrupted, and this call was cancelled")]
        talk.until(lambda: talk.rows("late"), "its end")
        talk.settled()
        # The user has the turn: the model says nothing of it.
        assert talk.responses == 1
        assert talk.session.tool_calls.outcome.tolist() == ["cancelled"]
        assert talk.session.ask("and now?").text
        assert len(talk.outputs) == 1


def test_who_does_not_runs_on_and_is_told_of_when_it_has_ended() -> None:
    gate = threading.Event()

    def slow() -> str:
        """Wait for the test."""
        gate.wait(LONG_S)
        return f"done, cancelled: {tool_cancelled()}"

    with Talk([slow], [("slow", "{}")]) as talk:
        talk.respond()
        talk.until(lambda: talk.rows("started"), "its begin")
        # The user goes on talking: it is answered meanwhile, and the tool's answer comes after.
        talk.say({"type": "input_audio_buffer.speech_started", "item_id": "item_v", "audio_start_ms": 0})
        talk.say({"type": "input_audio_buffer.speech_stopped", "item_id": "item_v", "audio_end_ms": 500})
        talk.say({"type": "input_audio_buffer.committed", "item_id": "item_v", "previous_item_id": None})
        talk.say({"type": "response.created", "response": {"id": "resp_v", "status": "in_progress"}})
        talk.until(lambda: "resp_v" in talk.session.responses.index, "the answer to what was said")
        gate.set()
        talk.until(lambda: talk.rows("finished"), "its end")
        assert talk.outputs == [], "one active response: what is asked for meanwhile waits"
        talk.say({"type": "response.done", "response": {"id": "resp_v", "status": "completed", "output": []}})
        talk.until(lambda: talk.responses == 2, "its follow-up")
        assert talk.outputs == [("call_1", "done, cancelled: False")]
        talk.settled()


def test_a_talk_that_ends_gets_no_output_and_the_row_is_written() -> None:
    gate = threading.Event()

    def slow() -> str:
        """Wait for the test."""
        gate.wait(LONG_S)
        return "done"

    talk = Talk([slow], [("slow", "{}")])
    with talk:
        talk.respond()
        talk.until(lambda: talk.rows("started"), "its begin")
    gate.set()
    talk.until(lambda: talk.rows("finished"), "the row")
    assert talk.outputs == []
    assert talk.session.state == "closed"


# --------------------------------------------------------------------------------------------------- approval


def drop_rows(table: str) -> str:
    """Drop all rows of a table."""
    return f"dropped {table}"


ARGUMENTS = '{"table": "sales"}'


def test_nobody_to_ask_is_a_no_that_says_how() -> None:
    with Talk([tool(approve=True)(partial_copy(drop_rows))], [("drop_rows", ARGUMENTS)]) as talk:
        talk.session.ask("go")
        ((_, output),) = talk.outputs
        assert output.startswith("error: this call needs the user's approval")
        assert "approve=f" in output
        (row,) = talk.rows("denied")
        assert row["by"] == "nobody"
        assert talk.session.tool_calls.outcome.tolist() == ["denied"]
        assert talk.session.tool_calls.started_s.isna().all()


def partial_copy(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function anew, so that what is noted on it stays there."""
    from types import FunctionType

    copy = FunctionType(function.__code__, {}, function.__name__)
    copy.__annotations__, copy.__doc__ = {"table": str}, function.__doc__
    return copy


def says(*, answer: object) -> Callable[[str, dict[str, Any]], Any]:
    return lambda _name, _arguments: answer


async def agrees(name: str, arguments: dict[str, Any]) -> bool:
    await asyncio.sleep(0)
    return (name, arguments) == ("drop_rows", {"table": "sales"})


def fails(_name: str, _arguments: dict[str, Any]) -> bool:
    raise SystemExit("no idea")


@pytest.mark.parametrize(
    ("approve", "allowed"),
    [
        (says(answer=True), True),
        (agrees, True),
        (says(answer=False), False),
        (says(answer=None), False),
        (says(answer="n"), False),
        (fails, False),
        (False, True),
        (None, True),
        ("other", True),
    ],
)
def test_a_function_decides_and_only_true_is_a_yes(approve: Any, *, allowed: bool) -> None:
    def other() -> None:
        """Nothing."""

    with Talk([drop_rows, other], [("drop_rows", ARGUMENTS)], approve=approve) as talk:
        talk.session.ask("go")
        ((_, output),) = talk.outputs
        assert output == "dropped sales" if allowed else output.startswith("error: the user denied")
        asked = callable(approve)
        assert [row["of"] for row in talk.rows("asked")] == ["callback"] * asked
        assert [row["by"] for row in talk.rows("approved" if allowed else "denied")] == ["callback"] * asked


@pytest.mark.parametrize("approve", [True, ["drop_rows"], "drop_rows"])
@pytest.mark.parametrize(("answer", "done"), [("once", True), ("talk", True), ("deny", False)])
def test_the_page_s_answer_counts_once(approve: Any, answer: str, *, done: bool) -> None:
    rounds = [[("drop_rows", ARGUMENTS)], [("drop_rows", ARGUMENTS)]]
    with shown([drop_rows], *rounds, approve=approve, approve_timeout_s=LONG_S) as talk:
        talk.respond()
        talk.has_asked()
        assert talk.session.tool_calls.outcome.tolist() == ["asked"]
        assert not talk.allow("call_9", "once"), "an unknown call"
        assert talk.allow("call_1", answer)
        assert not talk.allow("call_1", "deny"), "a double click"
        talk.until(lambda: talk.outputs, "the output")
        assert (talk.outputs[0][1] == "dropped sales") is done
        if answer == "talk":
            talk.until(lambda: len(talk.outputs) == 2, "the second, unasked")
        else:
            talk.has_asked(2)
            assert talk.allow("call_2", "once")
        talk.settled()
        first = talk.rows("approved" if done else "denied")[0]
        assert first["by"] == ("talk" if answer == "talk" else "page")
        assert not talk.allow("call_1", "once"), "an answered one"


def test_allowed_for_the_talk_answers_what_is_asked_of_the_same_tool() -> None:
    asked = [("drop_rows", ARGUMENTS)] * 3
    with shown([drop_rows], asked, approve=True, approve_timeout_s=LONG_S) as talk:
        talk.respond()
        talk.has_asked(3)
        assert talk.allow("call_2", "talk")
        talk.settled()
        assert [output for _, output in talk.outputs] == ["dropped sales"] * 3


def test_no_answer_in_time_is_a_no() -> None:
    with shown([drop_rows], [("drop_rows", ARGUMENTS)], approve=True, approve_timeout_s=0.05) as talk:
        talk.session.ask("go")
        assert talk.outputs[0][1].startswith("error: the user did not say within 0.05 s")
        assert not talk.allow("call_1", "once")
        assert [row["by"] for row in talk.rows("denied")] == ["timeout"]


def test_ask_waits_for_the_answer_and_its_own_time_counts() -> None:
    with shown([drop_rows], [("drop_rows", ARGUMENTS)], approve=True, approve_timeout_s=LONG_S) as talk:
        with pytest.raises(TimedOut):
            talk.session.ask("go", timeout_s=0.1)
        talk.has_asked()


def test_an_interruption_takes_the_question_away() -> None:
    with shown([drop_rows], [("drop_rows", ARGUMENTS)], approve=True, approve_timeout_s=LONG_S) as talk:
        talk.respond()
        talk.has_asked()
        talk.session.interrupt()
        talk.until(lambda: talk.outputs, "the output")
        assert talk.outputs[0][1].startswith("error: the user interrupted before")
        assert not talk.allow("call_1", "once")
        talk.settled()
        assert talk.responses == 1


def test_the_end_of_the_talk_takes_the_question_away() -> None:
    talk = shown([drop_rows], [("drop_rows", ARGUMENTS)], approve=True, approve_timeout_s=LONG_S)
    with talk:
        talk.respond()
        talk.has_asked()
    talk.until(lambda: talk.rows("finished"), "the row")
    assert talk.outputs == []
    assert [row["by"] for row in talk.rows("denied")] == ["end"]


def test_bad_arguments_are_asked_about_by_nobody() -> None:
    with shown([drop_rows], [("drop_rows", '{"tabel": "sales"}')], approve=True) as talk:
        talk.session.ask("go")
        assert talk.outputs[0][1].startswith("error: bad arguments")
        assert talk.rows("asked") == []


# ------------------------------------------------------------------------------------------------- slow tools


@pytest.mark.parametrize(
    ("tool_slow", "said"),
    [
        (0.02, "working"),
        (lambda name, _seconds: f"Say that {name} takes long.", "Say that slow takes long."),
        (lambda _name, _seconds: None, None),
    ],
)
def test_the_model_may_say_that_it_works(
    tool_slow: Any, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gip_nb.tools.options._SLOW_AFTER_S", 0.02)
    slow, gate = gated()
    with Talk([slow], [("slow", "{}")], tool_slow=tool_slow) as talk:
        answered: list[Any] = []
        asking = threading.Thread(target=lambda: answered.append(talk.session.ask("go")))
        asking.start()
        if said is not None:
            talk.until(lambda: talk.rows("slow"), "the word")
            (beside,) = [e["response"] for e in talk.sent("response.create") if "response" in e]
            assert beside["conversation"] == "none"
            assert said in beside["instructions"]
            assert "slow" in beside["input"][0]["content"][0]["text"]
        else:
            talk.until(lambda: talk.rows("started"), "its begin")
        gate.set()
        asking.join(SETTLE_S)
        # It is not the answer, which comes after the tool's output.
        (reply,) = answered
        assert reply.item_id == ("item_3" if said is not None else "item_2")
        assert talk.responses == (3 if said is not None else 2)
        assert len(talk.rows("slow")) == (said is not None)


def test_it_says_nothing_while_the_user_speaks() -> None:
    slow, gate = gated()
    with Talk([slow], [("slow", "{}")], tool_slow=0.02) as talk:
        talk.respond()
        talk.until(lambda: talk.rows("started"), "its begin")
        talk.say({"type": "input_audio_buffer.speech_started", "item_id": "item_v", "audio_start_ms": 0})
        talk.until(lambda: talk.session.state == "hearing", "the user")
        # Another tool's word would have come by now.
        assert talk.rows("slow") == []
        gate.set()
        talk.until(lambda: talk.rows("finished"), "its end")
        assert talk.rows("slow") == []


# ------------------------------------------------------------------------------------------- live definitions


FIRST = "def look(city: str) -> str:\n    'Look.'\n    return 'first ' + city\n"
SECOND = "def look(town: str) -> str:\n    'Look anew.'\n    return 'second ' + town\n"


def told_parameters(talk: Talk) -> list[list[str]]:
    updates = [e["session"]["tools"] for e in talk.sent("session.update") if "tools" in e["session"]]
    return [[*tools[0]["parameters"]["properties"]] for tools in updates]


def test_the_newest_definition_is_called_and_told_before_the_next_answer() -> None:
    names = notebook(FIRST)
    rounds = [("look", '{"city": "Seoul"}')], [("look", '{"town": "Busan"}')]
    with Talk([names["look"]], [rounds[0][0]]) as talk:
        talk.session.ask("look")
        run_cell(SECOND, names)
        talk.transport._answers.rounds.append(rounds[1])  # type: ignore[attr-defined]  # the script's own
        talk.session.ask("again")
        assert [output for _, output in talk.outputs] == ["first Seoul", "second Busan"]
        assert told_parameters(talk) == [["city"], ["town"]]
        kinds = [e["type"] for e in talk.transport.sent]
        assert kinds.index("session.update", 1) < len(kinds) - 1 - kinds[::-1].index("response.create")
        assert [row["names"] for row in talk.rows("redefined")] == [["look"]]
        talk.session.ask("and again")
        assert len(told_parameters(talk)) == 2, "told once"


def test_one_that_was_changed_while_the_model_called_is_told_with_its_output() -> None:
    names = notebook(FIRST)
    with Talk([names["look"]], [("look", '{"city": "Seoul"}')]) as talk:
        run_cell(SECOND, names)
        # The model still knows the first.
        talk.session._session.calls.look_again = _not_now  # type: ignore[method-assign]
        talk.session.ask("look")
        assert talk.outputs[0][1].startswith("error: bad arguments")
        assert told_parameters(talk) == [["city"], ["town"]]


async def _not_now() -> bool:
    return False


def test_tools_that_the_user_has_set_are_left_alone() -> None:
    names = notebook(FIRST)
    with Talk([names["look"]]) as talk:
        talk.session.update(tools=[])
        run_cell(SECOND, names)
        talk.session.ask("look")
        assert len([e for e in talk.sent("session.update") if "tools" in e["session"]]) == 2


def test_a_definition_that_cannot_be_used_leaves_the_one_before_and_is_said_once() -> None:
    names = notebook(FIRST)
    asked = [("look", '{"city": "Seoul"}')]
    with Talk([names["look"]], asked, asked) as talk:
        run_cell("def look(places, /): return places", names)
        talk.session.ask("look")
        assert [output for _, output in talk.outputs] == ["first Seoul", "first Seoul"]
        assert told_parameters(talk) == [["city"]]
        (told,) = talk.heard.failures
        assert isinstance(told, ToolTrouble)
        assert "'places' by its place only" in told.message
        assert told.next_step
        assert len(talk.rows("unusable")) == 1


# -------------------------------------------------------------------------------------------------- all mixed

HOWS = ("returns", "raises", "hangs", "ends late")


def many_tools(gate: threading.Event) -> list[Callable[..., Any]]:
    def act(how: str) -> str:
        if how == "raises":
            raise ValueError("as told")
        if how in {"hangs", "ends late"}:
            gate.wait(LONG_S)
        return how

    @tool(timeout_s=0.03)
    def plain(how: str) -> str:
        """Act so."""
        return act(how)

    @tool(timeout_s=0.03, cancel="interruption")
    async def later(how: str) -> str:
        """Act so."""
        if how in {"hangs", "ends late"}:
            await asyncio.sleep(LONG_S if how == "hangs" else 0.02)
            return how
        return act(how)

    @tool(timeout_s=0.03, approve=True)
    def asked(how: str) -> str:
        """Act so."""
        return act(how)

    return [plain, later, asked]


@settings(max_examples=30, deadline=None)
@given(
    calls=st.lists(
        st.tuples(st.sampled_from(["plain", "later", "asked", "nobody"]), st.sampled_from(HOWS)), max_size=5
    ),
    answers=st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["once", "talk", "deny"])), max_size=4),
    happens=st.sampled_from(["nothing", "interruption", "drop", "close", "two interruptions"]),
)
def test_whatever_happens_each_call_is_answered_at_most_once_and_once_while_it_is_open(
    calls: list[tuple[str, str]], answers: list[tuple[int, Any]], happens: str
) -> None:
    gate = threading.Event()
    asked = [(name, f'{{"how": "{how}"}}') for name, how in calls]
    talk = shown(many_tools(gate), asked, approve_timeout_s=0.05)
    with talk:
        talk.respond()
        for number, answer in answers:
            talk.allow(f"call_{number}", answer)
        if "interruption" in happens:
            for _ in range(1 + (happens != "interruption")):
                talk.session.interrupt()
        elif happens == "drop":
            loop().call_soon_threadsafe(talk.transport.hang_up)
            talk.until(lambda: talk.session.state == "error", "the end")
        elif happens == "close":
            talk.session.close()
        if happens in {"drop", "close"}:
            talk.until(lambda: len(talk.rows("finished")) == len(calls), "every end")
        else:
            talk.settled()
        gate.set()
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            talk.session.ask("once more", timeout_s=SETTLE_S)
    ids = [call_id for call_id, _ in talk.outputs]
    assert len(ids) == len(set(ids))
    if happens not in {"drop", "close"}:
        assert set(ids) == {f"call_{n}" for n in range(1, len(calls) + 1)}
    finished = [row["call_id"] for row in talk.rows("finished")]
    assert sorted(finished) == sorted(f"call_{n}" for n in range(1, len(calls) + 1))
