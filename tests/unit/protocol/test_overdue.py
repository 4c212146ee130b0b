"""Responses that fail, hang or never begin: asked for again, cancelled, let go, told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.protocol.budget import OVER_BUDGET, Verdict
from gip_nb.protocol.client import ClientProtocol
from gip_nb.protocol.deadlines import Limits
from gip_nb.protocol.frames import Event
from gip_nb.protocol.outputs import AskAgain, CutShort, Failed, GivenUp, Hung, TurnDone
from gip_nb.protocol.overdue import HUNG, row_of
from gip_nb.protocol.retries import Retry
from tests.unit.protocol.test_client import CREATE, HALF_SECOND, ITEM, Line

if TYPE_CHECKING:
    from collections.abc import Callable

CANCEL = "response.cancel"
LIMITED = {"type": "tokens", "code": "rate_limit_exceeded", "message": "Please try again in 2s."}


class Patient(Line):
    """A line whose policy asks again, and on which time passes."""

    def __init__(self, *, retry: Retry = Retry(), **options: Any) -> None:  # noqa: B008  frozen
        super().__init__(retry=retry, **options)

    def later(self, seconds: float) -> None:
        self.now_s += seconds
        self.do(lambda p: p.tick())
        self.rows()

    def fail(self, response_id: str = "r", error: dict[str, Any] | None = None, **response: Any) -> None:
        self.created(response_id)
        details = {"type": "failed", "error": LIMITED if error is None else error}
        self.done(response_id, "failed", status_details=details, **response)

    def rows(self) -> None:
        """As a session does: what is told becomes a row, which the conversation reads."""
        for news in self.outputs_of(Hung):
            kind, fields = row_of(news)
            self.protocol.observe(Event(f"local.{kind}", fields), "local", 0.0)

    def whys(self) -> list[str]:
        return [o.why for o in self.outputs_of(GivenUp)]


def test_a_rate_limited_response_is_asked_for_again_after_the_wait_that_was_told() -> None:
    line = Patient()
    wish = line.ask()
    line.fail("r1")
    (again,) = line.outputs_of(AskAgain)
    assert (again.response_id, again.attempt, again.reason) == ("r1", 1, "rate limited")
    assert 2 <= again.wait_s <= 2.3
    assert line.protocol.due_s == again.wait_s
    assert (line.protocol.phase, wish.done) == ("thinking", False)
    line.later(1.9)
    assert line.types() == [ITEM, CREATE]
    line.later(0.5)
    assert line.types() == [ITEM, CREATE, CREATE]
    line.answer("r2")
    assert (wish.done, wish.failure, wish.response_ids) == (True, None, ["r2"])
    assert not line.outputs_of(Failed)
    # One turn has both, and both are billed.
    (turn,) = line.protocol.conversation.turns
    assert (turn.response_ids, turn.requests) == (["r1", "r2"], 2)
    assert [o.turn for o in line.outputs_of(TurnDone)] == [1]


def test_after_as_many_attempts_as_the_policy_allows_the_failure_is_told() -> None:
    line = Patient(retry=Retry(attempts=2))
    wish = line.ask()
    for number in (1, 2, 3):
        line.fail(f"r{number}")
        line.later(3)
    assert line.types() == [ITEM, CREATE, CREATE, CREATE]
    assert line.whys() == ["attempts"]
    assert wish.failure is not None
    assert (wish.failure.code, wish.failure.message) == ("rate_limit_exceeded", LIMITED["message"])
    assert len(line.outputs_of(Failed)) == len(line.outputs_of(TurnDone)) == 1
    assert line.protocol.due_s is None


def test_what_worked_meanwhile_counts_anew() -> None:
    line = Patient(retry=Retry(attempts=1))
    wish = line.ask()
    line.fail("r1")
    line.later(3)
    line.created("r2")
    line.call("r2", "c1")
    line.do(lambda p: p.tool_output("c1", "noon"))
    line.fail("r3")
    line.later(3)
    line.answer("r4")
    assert (wish.done, wish.failure, wish.response_ids) == (True, None, ["r2", "r4"])


@pytest.mark.parametrize(
    "error",
    [
        {"code": "insufficient_quota"},
        {"code": "invalid_value", "type": "invalid_request_error"},
        {"type": "server_error", "message": "content filter"},
    ],
)
def test_what_would_fail_again_is_told_at_once(error: dict[str, Any]) -> None:
    line = Patient()
    wish = line.ask()
    line.fail(error=error)
    assert wish.done
    assert len(line.outputs_of(Failed)) == 1
    assert not line.outputs_of(GivenUp)


def test_who_would_have_to_wait_too_long_is_told() -> None:
    line = Patient(retry=Retry(longest_wait_s=1))
    line.ask()
    line.fail()
    assert line.whys() == ["wait"]
    assert len(line.outputs_of(Failed)) == 1


def test_an_answer_that_the_server_began_by_itself_is_asked_for_again() -> None:
    line = Patient()
    line.got("input_audio_buffer.speech_started", item_id="u")
    line.got("input_audio_buffer.speech_stopped", item_id="u")
    line.got("input_audio_buffer.committed", item_id="u")
    line.fail()
    line.later(3)
    assert line.types() == [CREATE]


def test_sound_that_came_is_not_asked_for_twice() -> None:
    line = Patient()
    wish = line.ask()
    line.created()
    line.audio()
    line.done(status="failed", status_details={"error": LIMITED})
    assert line.whys() == ["heard"]
    assert wish.done
    assert wish.failure is not None
    assert "a" in line.protocol.conversation.items


def test_a_text_that_broke_off_is_asked_for_again() -> None:
    line = Patient()
    wish = line.ask()
    line.created("r1")
    line.got("response.output_text.delta", response_id="r1", item_id="t", delta="Goo")
    line.done("r1", "failed", status_details={"error": LIMITED})
    line.later(3)
    line.answer("r2")
    assert wish.response_ids == ["r2"]


GOES_ON: dict[str, Callable[[Patient], object]] = {
    "text": lambda line: line.do(lambda p: p.send_text("no, wait")),
    "response": lambda line: line.do(lambda p: p.respond()),
    "key": lambda line: line.do(lambda p: p.press()),
    "voice": lambda line: line.got("input_audio_buffer.speech_started", item_id="u"),
}


@pytest.mark.parametrize("how", GOES_ON)
def test_who_goes_on_meanwhile_is_not_answered_twice(how: str) -> None:
    line = Patient()
    wish = line.ask()
    line.fail()
    GOES_ON[how](line)
    assert line.whys() in (["went on"], ["interrupted"])
    assert wish.failure is not None
    # They know that it failed, and went on: it is no news.
    assert not line.outputs_of(Failed)
    line.later(60)
    assert line.types(CREATE) == [CREATE] * (2 if how == "response" else 1)


def test_speech_that_may_not_interrupt_goes_on_too() -> None:
    line = Patient(detection={"type": "server_vad", "interrupt_response": False})
    line.ask()
    line.fail()
    GOES_ON["voice"](line)
    assert line.whys() == ["went on"]


def test_an_interruption_while_it_waits_stops_it() -> None:
    line = Patient()
    wish = line.ask()
    line.fail()
    assert line.do(lambda p: p.interrupt())
    assert (wish.done, line.protocol.answering) == (True, False)
    assert line.types() == [ITEM, CREATE]
    assert not line.do(lambda p: p.interrupt())


def test_what_was_interrupted_is_not_asked_for_again() -> None:
    line = Patient()
    line.ask()
    line.created()
    line.do(lambda p: p.interrupt())
    line.done(status="failed", status_details={"error": LIMITED})
    assert line.whys() == ["interrupted"]


def test_what_is_asked_for_already_is_enough() -> None:
    line = Patient()
    first, second = line.ask(), line.ask("and this?")
    line.fail()
    assert first.failure is not None
    assert line.whys() == ["went on"]
    line.answer("r2")
    assert second.done


def test_the_output_of_a_function_waits_behind_it() -> None:
    line = Patient()
    line.ask()
    line.created("r1")
    line.call("r1", "c1")
    other = line.do(lambda p: p.respond())
    line.fail("r2")
    line.do(lambda p: p.tool_output("c1", "noon"))
    assert line.types() == [ITEM, CREATE, CREATE]
    line.later(3)
    assert line.types() == [ITEM, CREATE, CREATE, CREATE]
    line.answer("r3", "a3")
    assert other.done
    assert line.types()[-2:] == [ITEM, CREATE]


def test_nobody_waits_any_more() -> None:
    line = Patient()
    wish = line.ask()
    line.fail()
    line.do(lambda p: p.ask_no_more(wish))
    assert line.whys() == ["timed out"]
    line.later(60)
    assert line.types() == [ITEM, CREATE]


def test_a_refusal_for_its_rate_is_asked_for_again() -> None:
    line = Patient()
    wish = line.ask()
    line.got("error", error={**LIMITED, "event_id": line.sent[-1]["event_id"]})
    assert line.protocol.waits_its_turn(wish)
    line.later(3)
    line.answer("r1")
    assert (wish.done, wish.failure) == (True, None)
    assert not line.outputs_of(Failed)


def test_trouble_at_the_server_that_names_nothing_is_told_and_not_taken_for_ours() -> None:
    line = Patient()
    wish = line.ask()
    line.got("error", error={"type": "server_error", "code": None, "message": "it broke"})
    assert wish.done
    assert not line.outputs_of(AskAgain)


def test_one_beside_the_conversation_is_asked_for_again_and_holds_nothing_up() -> None:
    line = Patient()
    wish = line.do(lambda p: p.respond({"conversation": "none"}))
    metadata = wish.fields["metadata"]
    for response_id in ("b1", "b2"):
        line.got("response.created", response={"id": response_id, "metadata": metadata})
        if response_id == "b1":
            line.done("b1", "failed", status_details={"error": LIMITED}, metadata=metadata)
            assert not line.protocol.answering
            line.do(lambda p: p.send_text("meanwhile"))
            line.later(3)
    line.done("b2", metadata=metadata)
    assert line.types() == [CREATE, ITEM, CREATE]
    assert (wish.done, wish.failure, wish.response_ids) == (True, None, ["b2"])


def test_what_the_user_sent_as_it_is_is_theirs_to_ask_again() -> None:
    line = Patient()
    raw = {"type": "response.create", "event_id": "mine", "response": {"instructions": "sing"}}
    line.protocol.observe(Event("response.create", raw), "sent", 0.0)
    line.fail()
    assert line.whys() == ["not ours"]
    assert len(line.outputs_of(Failed)) == 1


def test_a_lost_connection_ends_the_wait() -> None:
    line = Patient()
    wish = line.ask()
    line.fail()
    line.do(lambda p: p.connection_lost())
    assert (wish.done, line.protocol.due_s) == (True, None)


# ------------------------------------------------------------------------------------------------------- hung


def test_a_silent_response_is_cancelled_and_told() -> None:
    line = Patient()
    wish = line.ask()
    line.created("r")
    line.later(29)
    line.audio("r")
    line.later(29)
    assert CANCEL not in line.types()
    line.later(1)
    assert line.types(CANCEL) == [CANCEL]
    assert wish.failure is not None
    assert wish.failure.code == HUNG
    assert "30 s" in wish.failure.message
    assert "0.5 s of sound" in wish.failure.message
    # Until the server has ended it, it is active; what came of it stays, and the user did not interrupt.
    other = line.ask("next")
    assert line.types(CREATE) == [CREATE]
    line.done("r", "cancelled", status_details={"type": "cancelled", "reason": "client_cancelled"})
    assert line.types(CREATE) == [CREATE, CREATE]
    assert not line.protocol.conversation.turns[0].interrupted
    assert line.protocol.conversation.items["a"].generated_samples == len(HALF_SECOND) // 2
    line.answer("r2", "a2")
    assert (other.done, other.failure) == (True, None)
    assert [o.code for o in line.outputs_of(Failed)] == [HUNG]


def test_a_response_whose_tools_run_is_not_hung() -> None:
    line = Patient()
    line.ask()
    line.created("r")
    line.call("r", "c1")
    line.later(1000)
    assert line.types() == [ITEM, CREATE]
    assert not line.outputs_of(Hung)


def test_nothing_is_hung_where_the_limit_is_off() -> None:
    line = Patient()
    line.protocol = ClientProtocol(str, limits=Limits(response_s=None), clock=lambda: line.now_s)
    line.ask()
    line.created("r")
    line.later(10_000)
    assert line.protocol.due_s is None


def hang(line: Patient) -> Any:
    wish = line.ask()
    line.created("r")
    line.audio("r")
    line.later(30)
    return wish


def test_a_server_that_does_not_answer_the_cancel_is_not_waited_for() -> None:
    line = Patient()
    hang(line)
    other = line.ask("next")
    line.later(5)
    assert [o.what for o in line.outputs_of(Hung)] == ["silent", "let go"]
    assert line.types(CREATE) == [CREATE, CREATE]
    response = line.protocol.conversation.responses["r"]
    assert (response.status, response.active, response.done_s) == ("cancelled", False, None)
    line.answer("r2", "a2")
    assert other.done
    # Late events are read, and start nothing.
    line.created("r")
    line.audio("r", "a3")
    assert not line.protocol.answering
    line.done("r", "completed", output=[{"id": "a3", "type": "message", "role": "assistant"}])
    assert response.status == "completed"
    assert line.protocol.conversation.requests == 2
    # What was not played is not in the model's memory.
    assert line.types()[-1] == "conversation.item.delete"
    assert line.protocol.due_s is None


def test_calls_of_one_that_was_let_go_are_answered_and_not_made() -> None:
    line = Patient()
    hang(line)
    line.later(5)
    call = {"id": "f", "type": "function_call", "call_id": "c", "name": "now", "arguments": "{}"}
    line.done("r", "completed", output=[{**call, "status": "completed"}])
    outputs = [e["item"] for e in line.sent if e["type"] == ITEM and e["item"].get("call_id") == "c"]
    assert len(outputs) == 1
    assert outputs[0]["output"].startswith("error")


def test_an_interruption_that_is_not_answered_is_let_go() -> None:
    line = Patient()
    wish = line.ask()
    line.created("r")
    line.do(lambda p: p.interrupt())
    line.ask("next")
    line.later(5)
    assert (wish.done, wish.failure) == (True, None)
    assert line.types(CREATE) == [CREATE, CREATE]
    assert not line.outputs_of(Failed)


def test_a_server_that_still_has_it_refuses_the_next_and_is_asked_again_when_it_ends() -> None:
    line = Patient()
    hang(line)
    line.later(5)
    other = line.ask("next")
    line.error("conversation_already_has_active_response", line.sent[-1]["event_id"])
    assert not other.done
    line.done("r", "cancelled")
    assert line.types(CREATE) == [CREATE] * 3
    line.answer("r2", "a2")
    assert (other.done, other.failure) == (True, None)


def test_the_cancel_of_one_that_was_over_ends_it() -> None:
    line = Patient()
    hang(line)
    line.error("response_cancel_not_active", line.sent[-1]["event_id"])
    assert not line.protocol.answering
    assert line.protocol.due_s is None


def test_an_answer_to_speech_that_never_begins_is_told() -> None:
    line = Patient()
    line.got("input_audio_buffer.speech_started", item_id="u")
    line.got("input_audio_buffer.speech_stopped", item_id="u")
    assert line.protocol.due_s == 15
    line.later(15)
    assert line.protocol.phase == "listening"
    assert len(line.outputs_of(Failed)) == 1


def test_a_hung_one_beside_the_conversation_is_cancelled_by_its_name() -> None:
    line = Patient()
    wish = line.do(lambda p: p.respond({"conversation": "none"}))
    line.got("response.created", response={"id": "b", "metadata": wish.fields["metadata"]})
    line.later(30)
    assert next(e for e in line.sent if e["type"] == CANCEL)["response_id"] == "b"
    assert wish.failure is not None


def test_due_moves_on_with_each_event_of_the_response() -> None:
    line = Patient()
    line.ask()
    line.created("r")
    assert line.protocol.due_s == 30
    line.now_s = 10
    line.audio("r")
    assert line.protocol.due_s == 40
    line.now_s = 20
    # Not the response's.
    line.got("rate_limits.updated", rate_limits=[])
    assert line.protocol.due_s == 40
    line.now_s = 25
    line.got("conversation.item.done", item={"id": "a"})
    assert line.protocol.due_s == 55
    line.done("r")
    assert line.protocol.due_s is None


def test_rows_hold_what_was_told() -> None:
    kind, fields = row_of(Hung("not begun", None, "evt_1", 15.0, ""))
    assert (kind, fields["create_event_id"]) == ("response.hung", "evt_1")
    assert "response_id" not in fields
    assert "event_id" not in fields


def test_an_incomplete_answer_is_told_and_not_asked_for_again() -> None:
    line = Patient()
    wish = line.ask()
    line.created()
    line.done(status="incomplete", status_details={"type": "incomplete", "reason": "content_filter"})
    assert [o.reason for o in line.outputs_of(CutShort)] == ["content_filter"]
    assert (wish.done, wish.failure, line.protocol.asks_again) == (True, None, False)


def test_what_the_budget_no_longer_allows_is_not_asked_for_again() -> None:
    line = Patient()
    wish = line.ask()
    line.fail()
    line.protocol.budget.verdict = Verdict("spent", 1.0, 1.0, "the budget is spent", "raise it")
    line.later(3)
    assert line.types(CREATE) == [CREATE]
    assert wish.failure is not None
    assert wish.failure.code == OVER_BUDGET


@pytest.mark.parametrize("cut", [False, True])
def test_what_came_too_late_to_be_played_is_forgotten_when_the_rest_was_heard(*, cut: bool) -> None:
    line = Patient()
    hang(line)
    line.later(5)
    line.audio("r")
    line.play("started", samples=10)
    line.done("r", "completed")
    assert line.types("conversation.item.truncate") == []
    if cut:
        line.do(lambda p: p.interrupt())
        line.flushed(24 * 100)
    else:
        line.play("ended", samples=24 * 500)
    (truncated,) = [e for e in line.sent if e["type"] == "conversation.item.truncate"]
    assert truncated["audio_end_ms"] == (100 if cut else 500)
