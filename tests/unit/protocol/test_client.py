"""Turn-taking: one response at a time, interruption by what was heard, every call answered once."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.protocol.client import ClientProtocol
from gip_nb.protocol.conversation import SAMPLES_PER_MS
from gip_nb.protocol.frames import Event
from gip_nb.protocol.outputs import (
    Failed,
    Flush,
    ItemChanged,
    Play,
    PlayEnd,
    Send,
    SendAudio,
    TextAdded,
    ToolCall,
    TurnDone,
)
from gip_nb.protocol.retries import NEVER, Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.outputs import Output, Wish

HALF_SECOND = bytes(2 * 500 * SAMPLES_PER_MS)
ALREADY_ACTIVE = "conversation_already_has_active_response"
VAD = {"type": "server_vad", "silence_duration_ms": 500}


class Line:
    """A client protocol, and the other side as far as a test plays it.

    What the protocol gives is done at once: what it sends is noted and told to it as sent, as a session does.
    """

    def __init__(
        self, *, player: bool = True, detection: dict[str, Any] | None = VAD, retry: Retry = NEVER
    ) -> None:
        numbers = count(1)
        self.now_s = 0.0
        self.protocol = ClientProtocol(
            lambda prefix: f"{prefix}_{next(numbers)}",
            player=player,
            retry=retry,
            clock=lambda: self.now_s,
        )
        self.sent: list[dict[str, Any]] = []
        self.outputs: list[Output] = []
        self.got("session.created", session={"id": "s", "audio": {"input": {"turn_detection": detection}}})

    def pump(self) -> None:
        while outputs := self.protocol.take():
            for output in outputs:
                self.outputs.append(output)
                if isinstance(output, Send):
                    self.sent.append(output.fields)
                    self.protocol.observe(Event(output.fields["type"], output.fields), "sent", 0.0)

    def got(self, kind: str, audio: bytes | None = None, **fields: Any) -> None:
        self.protocol.receive(Event(kind, {"type": kind, **fields}, audio))
        self.pump()

    def do(self, verb: Callable[[ClientProtocol], Any]) -> Any:
        result = verb(self.protocol)
        self.pump()
        return result

    def ask(self, text: str = "hello") -> Wish:
        self.do(lambda p: p.send_text(text))
        wish: Wish = self.do(lambda p: p.respond())
        return wish

    def created(self, response_id: str = "r") -> None:
        self.got("response.created", response={"id": response_id})

    def audio(
        self, response_id: str = "r", item_id: str = "a", audio: bytes = HALF_SECOND, index: int = 0
    ) -> None:
        self.got(
            "response.output_audio.delta",
            audio,
            response_id=response_id,
            item_id=item_id,
            content_index=index,
        )

    def done(self, response_id: str = "r", status: str = "completed", **response: Any) -> None:
        self.got("response.done", response={"id": response_id, "status": status, **response})

    def answer(self, response_id: str = "r", item_id: str = "a") -> None:
        self.created(response_id)
        self.audio(response_id, item_id)
        self.got("response.output_audio.done", response_id=response_id, item_id=item_id)
        self.done(response_id)

    def call(self, response_id: str = "r", *calls: str) -> None:
        output = [
            {"id": f"f_{c}", "type": "function_call", "call_id": c, "name": "now", "arguments": "{}"}
            for c in calls
        ]
        self.done(response_id, output=output)

    def error(self, code: str, event_id: str | None = None) -> None:
        self.got("error", error={"code": code, "message": f"it says {code}", "event_id": event_id})

    def play(self, what: str, item_id: str = "a", samples: int = 0) -> None:
        event = Event(f"local.playback.{what}", {"item_id": item_id, "played_samples": samples})
        self.do(lambda p: p.playback(event))

    def flushed(self, samples: int = 0, latency_ms: float = 0.0) -> None:
        """The player answers for every item that it was asked about."""
        rows = [
            Event(
                "local.playback.flushed",
                {"item_id": i, "played_samples": samples, "output_latency_ms": latency_ms},
            )
            for i in self.protocol.cut_items
        ]
        self.do(lambda p: p.flushed(rows))

    def types(self, *kinds: str) -> list[str]:
        """What was sent, in order; only these kinds, if any are given."""
        return [e["type"] for e in self.sent if not kinds or e["type"] in kinds]

    def outputs_of(self, kind: type) -> list[Any]:
        return [o for o in self.outputs if isinstance(o, kind)]


@pytest.fixture
def line() -> Line:
    return Line()


CREATE = "response.create"
CANCEL = "response.cancel"
ITEM = "conversation.item.create"
TRUNCATE = "conversation.item.truncate"
DELETE = "conversation.item.delete"
EDITS = (CANCEL, TRUNCATE, DELETE)


# ------------------------------------------------------------------------------------- one response at a time


def test_what_is_asked_for_meanwhile_waits_and_goes_out_in_order(line: Line) -> None:
    one = line.ask("one")
    two = line.ask("two")
    line.do(lambda p: p.send_text("three"))
    assert line.types() == [ITEM, CREATE]
    line.created("r1")
    assert line.types() == [ITEM, CREATE]
    line.done("r1")
    assert line.types() == [ITEM, CREATE, ITEM, CREATE]
    assert (one.done, two.done) == (True, False)
    line.created("r2")
    line.done("r2")
    assert line.types() == [ITEM, CREATE, ITEM, CREATE, ITEM]
    assert (one.response_ids, two.response_ids, two.done) == (["r1"], ["r2"], True)
    texts = [e["item"]["content"][0]["text"] for e in line.sent if e["type"] == ITEM]
    assert texts == ["one", "two", "three"]


def test_a_wish_waits_for_the_server_s_own_response(line: Line) -> None:
    line.created("auto")
    wish = line.ask()
    assert line.types() == []
    line.done("auto")
    line.created("r")
    line.done("r")
    assert (line.types(), wish.response_ids) == ([ITEM, CREATE], ["r"])


def test_overrides_go_under_response_and_every_event_has_an_id(line: Line) -> None:
    line.do(lambda p: p.respond({"instructions": "be brief"}))
    line.do(lambda p: p.update({"instructions": "x"}))
    assert line.sent[0]["response"] == {"instructions": "be brief"}
    assert len({e["event_id"] for e in line.sent}) == 2
    assert line.ask() is not None
    assert "response" not in line.sent[0] or line.sent[0]["response"]


def test_losing_the_race_is_absorbed_and_the_wish_is_honoured_after(line: Line) -> None:
    wish = line.ask()
    line.error(ALREADY_ACTIVE, line.sent[-1]["event_id"])
    assert line.outputs_of(Failed) == []
    line.created("auto")
    line.done("auto")
    assert line.types(CREATE) == [CREATE, CREATE]
    assert not wish.done
    line.created("r")
    line.done("r")
    assert (wish.done, wish.response_ids, wish.failure) == (True, ["r"], None)


def test_the_server_s_own_response_may_be_told_before_the_refusal(line: Line) -> None:
    wish = line.ask()
    line.created("auto")
    line.error(ALREADY_ACTIVE, line.sent[-1]["event_id"])
    line.done("auto")
    assert not wish.done
    assert line.types(CREATE) == [CREATE, CREATE]
    line.created("r")
    line.done("r")
    assert (wish.done, wish.response_ids) == (True, ["r"])
    assert line.outputs_of(Failed) == []


def test_a_refusal_that_comes_after_the_end_is_absorbed(line: Line) -> None:
    line.ask()
    line.created("auto")
    line.done("auto")
    line.error(ALREADY_ACTIVE, line.sent[-1]["event_id"])
    assert line.outputs_of(Failed) == []
    assert line.protocol.phase == "listening"


def test_a_refusal_of_somebody_else_s_create_is_told_and_changes_nothing(line: Line) -> None:
    wish = line.ask()
    line.created("r")
    line.error(ALREADY_ACTIVE, "evt_of_the_user")
    assert [f.code for f in line.outputs_of(Failed)] == [ALREADY_ACTIVE]
    line.done("r")
    assert (wish.done, wish.response_ids, line.types(CREATE)) == (True, ["r"], [CREATE])


def test_the_wish_keeps_its_place_before_what_came_after_it(line: Line) -> None:
    first = line.ask("one")
    second = line.ask("two")
    line.error(ALREADY_ACTIVE, line.sent[-1]["event_id"])
    line.created("auto")
    for response_id in ("auto", "r1", "r2"):
        line.created(response_id)
        line.done(response_id)
    assert (first.response_ids, second.response_ids) == (["r1"], ["r2"])


def test_a_response_whose_beginning_was_not_told_is_the_one_that_was_asked_for(line: Line) -> None:
    wish = line.ask()
    line.audio("r")
    line.done("r")
    assert (wish.done, wish.response_ids) == (True, ["r"])
    assert not line.protocol.answering


@pytest.mark.parametrize("again", ["created", "done"])
def test_what_is_told_again_after_the_end_begins_nothing(line: Line, again: str) -> None:
    line.ask()
    line.created("r")
    line.done("r")
    line.created("r") if again == "created" else line.done("r")
    assert not line.protocol.answering
    line.ask()
    assert line.types(CREATE) == [CREATE, CREATE]


def test_an_end_without_a_name_ends_the_wish(line: Line) -> None:
    wish = line.ask()
    line.created("r")
    line.got("response.done", response={"status": "completed"})
    assert wish.done
    assert line.protocol.phase == "listening"


# ------------------------------------------------------------------------------------------- wishes that fail


def test_after_a_refusal_beside_the_next_response_is_the_conversation_s(line: Line) -> None:
    line.do(lambda p: p.respond({"conversation": "none"}))
    line.error("invalid_value", line.sent[-1]["event_id"])
    wish = line.do(lambda p: p.respond())
    # There are servers that name no conversation.
    line.got("response.created", response={"id": "r", "conversation_id": None})
    line.done("r")
    assert wish.response_ids == ["r"]
    assert wish.done


def test_a_response_beside_whose_beginning_is_told_twice_stays_beside(line: Line) -> None:
    line.do(lambda p: p.respond({"conversation": "none"}))
    told = {"id": "b", "conversation_id": None, "metadata": line.sent[-1]["response"]["metadata"]}
    line.got("response.created", response=told)
    line.got("response.created", response=told)
    assert line.protocol.conversation.responses["b"].beside
    assert not line.protocol.answering


def test_a_failed_response_fails_the_wish_and_says_why(line: Line) -> None:
    wish = line.ask()
    line.created("r")
    line.done("r", "failed", status_details={"error": {"message": "no luck"}})
    assert wish.done
    assert wish.failure is not None
    assert wish.failure.message == "no luck"
    assert [f.message for f in line.outputs_of(Failed)] == ["no luck"]
    assert len(line.outputs_of(TurnDone)) == 1


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "never heard of"])
def test_a_response_that_ends_early_ends_the_wish_without_failure(line: Line, status: str) -> None:
    wish = line.ask()
    line.created("r")
    line.done("r", status)
    assert (wish.done, wish.failure) == (True, None)


def test_a_response_that_never_begins_is_told_and_lets_the_next_go(line: Line) -> None:
    first, second = line.ask("first"), line.ask("second")
    line.now_s += 15
    line.do(lambda p: p.tick())
    line.do(lambda p: p.tick())
    assert first.overdue
    assert line.types() == [ITEM, CREATE, ITEM, CREATE]
    assert len(line.outputs_of(Failed)) == 1
    line.answer("r")
    assert second.done


def test_a_response_that_has_begun_is_never_overdue(line: Line) -> None:
    first = line.ask()
    line.created("r")
    line.ask()
    line.now_s += 15
    line.do(lambda p: p.tick())
    assert not first.overdue
    assert line.types() == [ITEM, CREATE]
    assert not line.outputs_of(Failed)


def test_an_error_about_our_create_fails_the_wish(line: Line) -> None:
    wish = line.ask()
    line.ask("next")
    line.error("invalid_value", line.sent[-1]["event_id"])
    assert wish.done
    assert wish.failure is not None
    assert wish.failure.code == "invalid_value"
    assert line.types(CREATE) == [CREATE, CREATE]  # the next one's turn


def test_an_error_that_names_no_event_fails_the_wish_that_waits(line: Line) -> None:
    wish = line.ask()
    line.error("server_error")
    assert wish.failure is not None


def test_an_error_about_something_else_fails_no_wish(line: Line) -> None:
    line.do(lambda p: p.delete("not there"))
    about = line.sent[-1]["event_id"]
    wish = line.ask()
    line.error("item_not_found", about)
    assert not wish.done
    assert [f.event_id for f in line.outputs_of(Failed)] == [about]
    line.created("r")
    line.done("r")
    assert (wish.done, wish.failure) == (True, None)


@pytest.mark.parametrize("error", [None, {}, {"message": 5, "code": [], "event_id": {}}])
def test_any_error_is_told_in_words(line: Line, error: Any) -> None:
    line.got("error", error=error)
    assert [f.message for f in line.outputs_of(Failed)] == ["the server gave no reason"]


@pytest.mark.parametrize(
    ("fields", "message", "code"),
    [
        ({"error": "closed"}, "closed", None),
        ({"message": "closed", "code": "lunch"}, "closed", "lunch"),
        ({"error": {"message": "who?", "type": "authentication_error"}}, "who?", "authentication_error"),
        ({"error": {"message": "who?", "code": 401}}, "who?", "401"),
    ],
)
def test_an_error_may_have_another_shape(
    line: Line, fields: dict[str, Any], message: str, code: str | None
) -> None:
    wish = line.ask()
    line.got("error", **fields)
    assert [(f.message, f.code) for f in line.outputs_of(Failed)] == [(message, code)]
    assert wish.done


def test_the_end_of_the_connection_ends_every_wish(line: Line) -> None:
    waiting_for_tools = line.ask()
    line.created("r0")
    line.call("r0", "c")
    answered = line.ask()
    line.created("r1")
    queued = line.ask()
    line.do(lambda p: p.connection_lost())
    for wish in (waiting_for_tools, answered, queued):
        assert wish.done
        assert wish.failure is not None
    assert line.protocol.phase == "listening"
    assert line.protocol.uncommitted_samples == 0
    before = len(line.sent)
    assert not line.do(lambda p: p.tool_output("c", "too late"))
    assert len(line.sent) == before


# ------------------------------------------------------------------------------------------------- tool calls


def test_every_call_is_answered_once_and_one_response_follows_the_last(line: Line) -> None:
    wish = line.ask()
    line.created("r")
    line.call("r", "c1", "c2")
    assert [c.call_id for c in line.outputs_of(ToolCall)] == ["c1", "c2"]
    assert line.protocol.phase == "thinking"
    assert line.do(lambda p: p.tool_output("c2", "two"))
    assert not line.do(lambda p: p.tool_output("c2", "again"))
    assert not line.do(lambda p: p.tool_output("never asked", "x"))
    assert line.types(CREATE) == [CREATE]
    assert line.do(lambda p: p.tool_output("c1", "one"))
    outputs = [
        e["item"] for e in line.sent if e["type"] == ITEM and e["item"]["type"] == "function_call_output"
    ]
    assert [(o["call_id"], o["output"]) for o in outputs] == [("c2", "two"), ("c1", "one")]
    assert line.types()[-1] == CREATE
    assert line.types(CREATE) == [CREATE, CREATE]
    assert not wish.done
    assert line.outputs_of(TurnDone) == []
    line.answer("r2")
    assert (wish.done, wish.response_ids) == (True, ["r", "r2"])
    assert line.outputs_of(TurnDone) == [TurnDone(1)]


def test_a_call_of_a_response_that_nobody_asked_for_is_followed_up_too(line: Line) -> None:
    line.created("auto")
    line.call("auto", "c")
    line.do(lambda p: p.tool_output("c", "x"))
    assert line.types() == [ITEM, CREATE]


def test_a_repeated_end_calls_no_tool_again_and_ends_no_wish(line: Line) -> None:
    wish = line.ask()
    line.created("r")
    line.call("r", "c")
    line.call("r", "c")
    assert len(line.outputs_of(ToolCall)) == 1
    assert not wish.done
    line.do(lambda p: p.tool_output("c", "x"))
    line.answer("r2")
    assert wish.response_ids == ["r", "r2"]


def test_one_call_told_in_two_items_is_called_once(line: Line) -> None:
    item = {"type": "function_call", "call_id": "c", "name": "now"}
    line.done("r", output=[{"id": "f1", **item}, {"id": "f2", **item}])
    assert len(line.outputs_of(ToolCall)) == 1


@pytest.mark.parametrize("told", [["delta", "bare done"], ["delta", "done", "delta"], ["done", "bare done"]])
def test_arguments_are_whole_however_they_are_told(line: Line, told: list[str]) -> None:
    line.created("r")
    place = {"response_id": "r", "item_id": "f", "call_id": "c"}
    line.got("response.output_item.added", response_id="r", item={"id": "f", "type": "function_call"})
    arguments = "response.function_call_arguments."
    for how in told:
        words = {"delta": {"delta": '{"a": 1}'}, "done": {"arguments": '{"a": 1}'}}.get(how, {})
        fields: dict[str, Any] = {**place, "name": "now", **words}
        line.got(arguments + how.removeprefix("bare "), **fields)
    line.done("r")
    assert [c.arguments for c in line.outputs_of(ToolCall)] == ['{"a": 1}']


def test_a_call_that_was_cut_before_its_arguments_is_answered_and_not_called(line: Line) -> None:
    line.created("r")
    item = {"id": "f", "type": "function_call", "call_id": "c", "name": "now", "arguments": ""}
    line.done("r", "incomplete", output=[{**item, "status": "incomplete"}])
    assert line.outputs_of(ToolCall) == []
    assert line.sent[0]["item"]["output"] == "error: the call was cut off"


def test_outputs_wait_for_a_response_that_took_its_turn_meanwhile(line: Line) -> None:
    line.ask()
    line.created("r")
    line.call("r", "c")
    line.created("auto")
    line.do(lambda p: p.tool_output("c", "x"))
    assert line.types() == [ITEM, CREATE]
    line.done("auto")
    assert line.types() == [ITEM, CREATE, ITEM, CREATE]


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_response_that_was_broken_off_calls_nothing(line: Line, status: str) -> None:
    line.created("r")
    item = {"id": "f", "type": "function_call", "call_id": "c", "name": "now"}
    line.done("r", status, output=[item])
    assert line.outputs_of(ToolCall) == []


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_whole_call_of_a_broken_answer_is_answered_once(line: Line, status: str) -> None:
    line.created("r")
    item = {"id": "f", "type": "function_call", "call_id": "c", "name": "now", "status": "completed"}
    line.got("response.output_item.done", response_id="r", item={**item, "arguments": "{}"})
    line.done("r", status, output=[item])
    line.done("r", status, output=[item])
    assert line.outputs_of(ToolCall) == []
    (sent,) = [e["item"] for e in line.sent if e["type"] == ITEM]
    assert (sent["type"], sent["call_id"]) == ("function_call_output", "c")
    assert "broken off" in sent["output"]
    assert line.types() == [ITEM]


def test_what_forced_the_call_does_not_force_the_next(line: Line) -> None:
    asked = {"tool_choice": "required", "input": [], "instructions": "be brief", "metadata": {"a": "b"}}
    line.do(lambda p: p.respond(asked))
    line.created("r")
    line.call("r", "c")
    line.do(lambda p: p.tool_output("c", "x"))
    first, second = (e["response"] for e in line.sent if e["type"] == CREATE)
    assert first == asked
    assert second == {"instructions": "be brief", "metadata": {"a": "b"}}


# ----------------------------------------------------------------------------------------------- interruption


def start_answer(line: Line, *, by_ask: bool = True) -> None:
    if by_ask:
        line.ask()
    line.created("r")
    line.audio("r")


def test_interrupting_silence_does_nothing(line: Line) -> None:
    assert line.do(lambda p: p.interrupt()) is False
    assert (line.types(), line.outputs_of(Flush)) == ([], [])


def test_nothing_received_is_only_cancelled(line: Line) -> None:
    wish = line.ask()
    line.created("r")
    assert line.do(lambda p: p.interrupt())
    line.done("r", "cancelled")
    assert line.types(*EDITS) == [CANCEL]
    assert line.outputs_of(Flush) == []
    assert (wish.done, wish.failure) == (True, None)


def test_a_response_that_has_not_begun_is_cancelled_and_not_played(line: Line) -> None:
    wish = line.ask()
    assert line.do(lambda p: p.interrupt())
    line.do(lambda p: p.interrupt())
    line.created("r")
    line.audio("r")
    line.done("r", "cancelled")
    line.flushed()
    assert line.outputs_of(Play) == []
    assert line.types(*EDITS) == [CANCEL, DELETE]
    assert wish.done


def test_a_cancelled_wish_that_lost_the_race_is_not_asked_again(line: Line) -> None:
    wish = line.ask()
    line.do(lambda p: p.interrupt())
    line.error(ALREADY_ACTIVE, line.sent[1]["event_id"])
    line.created("auto")
    line.done("auto")
    assert wish.done
    assert line.types(CREATE) == [CREATE]


def test_received_but_not_played_is_deleted_when_the_response_is_done(line: Line) -> None:
    start_answer(line)
    line.do(lambda p: p.interrupt())
    assert line.types(*EDITS) == [CANCEL]
    line.flushed(samples=0)
    assert line.types(*EDITS) == [CANCEL]
    line.done("r", "cancelled")
    assert line.types(*EDITS) == [CANCEL, DELETE]
    assert line.sent[-1]["item_id"] == "a"
    item = line.protocol.conversation.items["a"]
    assert (item.heard_ms, item.interrupted) == (0.0, True)


def test_a_response_done_before_the_player_answered_is_settled_by_its_answer(line: Line) -> None:
    start_answer(line)
    line.do(lambda p: p.interrupt())
    line.done("r", "cancelled")
    assert line.types(*EDITS) == [CANCEL]
    line.flushed(samples=0)
    assert line.types(*EDITS) == [CANCEL, DELETE]


@given(st.integers(0, 15_000), st.floats(0, 200), st.lists(st.integers(0, 5000), max_size=3), st.booleans())
@settings(max_examples=60)
def test_a_position_is_never_beyond_what_was_received_or_heard(
    played: int,
    latency_ms: float,
    late: list[int],
    whole: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    line = Line()
    start_answer(line)
    if whole:
        line.done("r")
    received = len(HALF_SECOND) // 2
    line.do(lambda p: p.interrupt())
    for samples in [] if whole else late:
        line.audio("r", audio=bytes(2 * samples))
    line.flushed(samples=min(played, received), latency_ms=latency_ms)
    if not whole:
        line.done("r", "cancelled")
    positions = [e["audio_end_ms"] for e in line.sent if e["type"] == TRUNCATE]
    heard_ms = max(0.0, min(played, received) / SAMPLES_PER_MS - latency_ms)
    if whole and played >= received:
        assert line.types(TRUNCATE, DELETE) == []
    elif positions:
        assert positions == [pytest.approx(heard_ms, abs=1.1)]
        assert 1 <= positions[0] <= min(heard_ms + 0.03, received / SAMPLES_PER_MS)
    else:
        assert heard_ms < 1.1
        assert line.types(TRUNCATE, DELETE) == [DELETE]


def test_played_in_part_is_truncated_where_it_was_heard(line: Line) -> None:
    start_answer(line)
    line.audio("r", index=1)
    line.play("started")
    line.play("position", samples=6000)
    assert line.protocol.phase == "speaking"
    line.do(lambda p: p.interrupt())
    line.flushed(samples=7200, latency_ms=50.0)
    truncate = line.sent[-1]
    del truncate["event_id"]
    assert truncate == {"type": TRUNCATE, "item_id": "a", "content_index": 1, "audio_end_ms": 250}
    line.done("r", "cancelled")
    assert line.types(*EDITS) == [CANCEL, TRUNCATE]


def test_a_finished_answer_that_still_plays_is_truncated_and_not_cancelled(line: Line) -> None:
    line.ask()
    line.answer("r")
    line.play("position", samples=6000)
    assert line.do(lambda p: p.interrupt())
    line.flushed(samples=6000)
    assert line.types(*EDITS) == [TRUNCATE]


def test_an_answer_played_to_its_end_is_left_alone(line: Line) -> None:
    line.ask()
    line.answer("r")
    line.play("ended", samples=12_000)
    assert line.do(lambda p: p.interrupt()) is False
    assert line.types(*EDITS) == []


def test_an_answer_that_turns_out_to_have_been_played_to_its_end_is_left_alone(line: Line) -> None:
    line.ask()
    line.answer("r")
    line.do(lambda p: p.interrupt())
    line.flushed(samples=12_000, latency_ms=40)
    assert line.types(*EDITS) == []
    assert not line.protocol.conversation.items["a"].interrupted


def test_speech_interrupts_and_leaves_the_cancelling_to_the_server(line: Line) -> None:
    start_answer(line)
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    assert line.protocol.phase == "hearing"
    assert len(line.outputs_of(Flush)) == 1
    line.flushed(samples=2400)
    assert line.types(*EDITS) == [TRUNCATE]


def test_speech_does_not_interrupt_where_that_is_off() -> None:
    line = Line(detection={**VAD, "interrupt_response": False})
    start_answer(line)
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.audio("r")
    assert line.outputs_of(Flush) == []
    assert len(line.outputs_of(Play)) == 2


def test_what_is_said_over_an_answer_that_may_not_be_interrupted_leaves_nothing_awaited() -> None:
    line = Line(detection={**VAD, "interrupt_response": False, "create_response": True})
    start_answer(line)
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=900)
    line.got("input_audio_buffer.committed", item_id="u")
    line.error(ALREADY_ACTIVE)
    line.done("r")
    assert line.protocol.phase == "listening"


def test_the_beginning_of_speech_told_again_does_not_silence_its_answer(line: Line) -> None:
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=900)
    line.got("input_audio_buffer.committed", item_id="u")
    line.created("r")
    line.audio()
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.audio()
    line.done("r")
    assert line.outputs_of(Flush) == []
    assert len(line.outputs_of(Play)) == 2
    assert line.protocol.phase == "listening"


def test_the_beginning_of_speech_told_after_its_end_still_interrupts(line: Line) -> None:
    start_answer(line)
    line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=900)
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    assert len(line.outputs_of(Flush)) == 1
    assert line.protocol.phase != "hearing"


def test_turn_detection_switched_off_while_the_user_speaks_hears_nobody(line: Line) -> None:
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.got("session.updated", session={"id": "s", "audio": {"input": {"turn_detection": None}}})
    assert line.protocol.phase == "listening"


def test_a_lost_race_of_cancelling_is_no_error(line: Line) -> None:
    start_answer(line)
    line.do(lambda p: p.interrupt())
    line.error("response_cancel_not_active", line.sent[-1]["event_id"])
    assert line.outputs_of(Failed) == []


def test_a_response_whose_end_got_lost_is_over_when_the_server_has_none_to_cancel(line: Line) -> None:
    first = line.ask()
    line.created("r")
    line.ask("next")
    line.do(lambda p: p.interrupt())
    assert line.types() == [ITEM, CREATE, CANCEL]
    line.error("response_cancel_not_active", line.sent[-1]["event_id"])
    assert first.done
    assert line.types() == [ITEM, CREATE, CANCEL, ITEM, CREATE]
    line.answer("r2", "a2")
    line.done("r", "cancelled")
    assert line.protocol.phase == "listening"
    assert not line.outputs_of(Failed)


def test_text_is_said_to_be_added_only_where_it_was_and_only_at_the_end(line: Line) -> None:
    line.created("r")

    def piece(index: int, delta: str) -> list[Any]:
        before = len(line.outputs)
        kind = "response.output_audio_transcript.delta"
        line.got(kind, response_id="r", item_id="a", content_index=index, delta=delta)
        return [type(o) for o in line.outputs[before:]]

    assert piece(0, "one ") == [TextAdded]
    assert piece(1, "three") == [TextAdded]
    assert piece(0, "two ") == [ItemChanged]
    kind = "response.output_audio_transcript.done"
    line.got(kind, response_id="r", item_id="a", content_index=1, transcript="three")
    assert piece(1, "three") == []
    assert line.protocol.conversation.items["a"].text == "one two three"


def test_one_response_is_cancelled_once(line: Line) -> None:
    start_answer(line)
    for _ in range(3):
        line.do(lambda p: p.interrupt())
    assert line.types(*EDITS) == [CANCEL]
    assert len(line.outputs_of(Flush)) == 1


def test_late_audio_of_an_interrupted_answer_is_counted_and_not_played(line: Line) -> None:
    start_answer(line)
    line.do(lambda p: p.interrupt())
    line.audio("r")
    line.got("response.output_audio.done", response_id="r", item_id="a")
    assert len(line.outputs_of(Play)) == 1
    assert line.outputs_of(PlayEnd) == []
    assert line.protocol.conversation.items["a"].generated_samples == 24_000


@pytest.mark.parametrize("by", ["speech", "code"])
def test_an_answer_that_begins_after_its_interruption_leaves_nothing_behind(line: Line, by: str) -> None:
    line.ask()
    line.created("r")
    if by == "speech":
        line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    else:
        line.do(lambda p: p.interrupt())
    line.audio("r")
    line.done("r", "cancelled")
    line.flushed()
    assert line.outputs_of(Play) == []
    assert line.types(TRUNCATE, DELETE) == [DELETE]


def test_the_next_answer_plays_whole(line: Line) -> None:
    start_answer(line)
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.flushed(samples=2400)
    line.done("r", "cancelled")
    line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=900)
    line.got("input_audio_buffer.committed", item_id="u")
    line.answer("r2", "a2")
    assert line.outputs_of(Play)[1:] == [Play("a2", 0, 0, HALF_SECOND)]
    assert line.outputs_of(PlayEnd) == [PlayEnd("a2", 0, 12_000)]
    line.play("started", "a2")
    assert line.protocol.phase == "speaking"


def test_a_late_report_of_a_stopped_item_is_not_speaking(line: Line) -> None:
    start_answer(line)
    line.play("started")
    line.do(lambda p: p.interrupt())
    line.play("position", samples=2400)
    line.flushed(samples=2400)
    line.done("r", "cancelled")
    line.play("position", samples=2400)
    line.play("position", "never heard of", samples=2400)
    assert line.protocol.phase == "listening"


def test_headless_an_answer_counts_as_heard_when_it_is_received() -> None:
    line = Line(player=False)
    line.ask()
    line.answer("r")
    assert line.do(lambda p: p.interrupt()) is False
    line.ask()
    line.created("r2")
    line.audio("r2", "a2")
    assert line.do(lambda p: p.interrupt())
    assert line.protocol.cut_items == ("a2",)
    assert not line.protocol.has_player("a2")
    line.flushed(samples=12_000)
    line.audio("r2", "a2")
    line.done("r2", "cancelled")
    assert line.types(*EDITS) == [CANCEL, TRUNCATE]
    assert line.sent[-1]["audio_end_ms"] == 500


def test_at_the_end_of_a_talk_what_was_heard_is_noted_and_the_server_not_told(line: Line) -> None:
    start_answer(line)
    assert line.protocol.playing_items == ("a",)
    row = Event("local.playback.flushed", {"item_id": "a", "played_samples": 2400, "output_latency_ms": 0.0})
    line.do(lambda p: p.stopped([row]))
    assert line.protocol.conversation.items["a"].heard_ms == 100.0
    assert line.types(*EDITS) == []


# ------------------------------------------------------------------------------------------------------ input


def test_audio_is_appended_committed_and_cleared(line: Line) -> None:
    line.do(lambda p: p.append_audio(HALF_SECOND))
    assert line.outputs[-1] == SendAudio(HALF_SECOND)
    assert line.protocol.uncommitted_samples == 12_000
    line.do(lambda p: p.commit())
    assert line.protocol.uncommitted_samples == 0
    line.do(lambda p: p.append_audio(HALF_SECOND))
    line.do(lambda p: p.clear())
    assert line.protocol.uncommitted_samples == 0
    assert line.types() == ["input_audio_buffer.commit", "input_audio_buffer.clear"]


def test_what_is_appended_between_a_commit_and_its_confirmation_is_not_forgotten(line: Line) -> None:
    def append(p: ClientProtocol) -> None:
        p.append_audio(HALF_SECOND)
        p.observe(Event("input_audio_buffer.append", {}, HALF_SECOND), "sent", 0.0)

    line.do(append)
    line.do(lambda p: p.commit())
    line.do(append)
    line.got("input_audio_buffer.committed", item_id="u")
    assert line.protocol.uncommitted_samples == 12_000


def test_the_server_s_own_commit_ends_where_the_speech_did(line: Line) -> None:
    for _ in range(4):
        line.do(lambda p: p.append_audio(HALF_SECOND))
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=1500)
    line.got("input_audio_buffer.committed", item_id="u")
    assert line.protocol.uncommitted_samples == 12_000


@pytest.mark.parametrize(
    ("role", "kind"), [("user", "input_text"), ("system", "input_text"), ("assistant", "output_text")]
)
def test_texts_have_the_kind_of_their_role(line: Line, role: str, kind: str) -> None:
    item_id = line.do(lambda p: p.send_text("hi", role)).item_id
    (event,) = line.sent
    assert event["item"] == {
        "id": item_id,
        "type": "message",
        "role": role,
        "content": [{"type": kind, "text": "hi"}],
    }


def test_an_item_keeps_its_id_and_one_without_gets_one(line: Line) -> None:
    assert line.do(lambda p: p.add_item({"id": "mine", "type": "message"})).item_id == "mine"
    made = line.do(lambda p: p.add_item({"id": None, "type": "message"})).item_id
    assert [e["item"]["id"] for e in line.sent] == ["mine", made]
    assert made


def test_an_item_that_the_server_renames_is_shown_once(line: Line) -> None:
    mine = line.do(lambda p: p.send_text("hi")).item_id
    item = {
        "id": "theirs",
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "hi"}],
    }
    line.outputs.clear()
    line.got("conversation.item.added", item=item)
    assert line.outputs_of(ItemChanged) == [ItemChanged(mine), ItemChanged("theirs")]
    assert list(line.protocol.conversation.items) == ["theirs"]


# ----------------------------------------------------------------------------------------------------- phases


def test_the_phases_of_a_voice_turn(line: Line) -> None:
    seen = []

    def look() -> None:
        seen.append(line.protocol.phase)

    look()
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    look()
    line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=900)
    look()
    line.got("input_audio_buffer.committed", item_id="u")
    line.created("r")
    look()
    line.audio("r")
    line.play("started")
    look()
    line.done("r")
    look()
    line.play("ended", samples=12_000)
    look()
    assert seen == ["listening", "hearing", "thinking", "thinking", "speaking", "speaking", "listening"]


def test_push_to_talk_waits_for_nothing_that_was_not_asked_for() -> None:
    line = Line(detection=None)
    seen = []
    verbs: list[Callable[[ClientProtocol], object]] = [
        lambda p: p.press(),
        lambda p: p.commit(),
        lambda p: p.respond(),
    ]
    for verb in verbs:
        line.do(verb)
        seen.append(line.protocol.phase)
    assert seen == ["hearing", "listening", "thinking"]


def test_where_the_server_makes_no_response_none_is_awaited() -> None:
    line = Line(detection={**VAD, "create_response": False})
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=900)
    assert line.protocol.phase == "listening"


@pytest.mark.parametrize("late", [0, 1, 2])
def test_the_end_of_speech_may_be_told_after_the_answer_began(line: Line, late: int) -> None:
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    steps: list[Callable[[], None]] = [
        lambda: line.got("input_audio_buffer.committed", item_id="u"),
        lambda: line.created("r"),
        lambda: line.done("r"),
    ]
    steps.insert(late + 1, lambda: line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=9))
    for step in steps:
        step()
    assert line.protocol.phase == "listening"


# ----------------------------------------------------------------------------------- any order, nothing hangs

steps = st.sampled_from(
    [  # some stand here twice: they should come oftener
        "ask", "ask", "respond", "text", "interrupt", "flushed", "started", "ended", "created", "created",
        "auto", "audio", "audio", "audio_done", "done", "done", "done_unnamed", "done_call", "failed",
        "done_cancelled", "tool",
        "refused", "error", "lost_race", "speech", "stopped", "committed", "deleted", "odd",
    ]
)  # fmt: skip


class Chaos(Line):
    """A server and a user who do as they please; the server ends what it began in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.wishes: list[Wish] = []
        self.numbers = count(1)
        self.begun: list[str] = []
        self.answered: Counter[str] = Counter()

    def newest(self) -> str:
        return self.begun[-1] if self.begun else "r0"

    def finish(self, **response: Any) -> None:
        self.done(self.begun.pop() if self.begun else "r0", **response)

    def step(self, what: str) -> None:  # noqa: C901, PLR0912, PLR0915 - one arm a step
        newest = self.newest()
        match what:
            case "ask":
                self.wishes.append(self.ask())
            case "respond":
                self.wishes.append(self.do(lambda p: p.respond()))
            case "text":
                self.do(lambda p: p.send_text("more"))
            case "interrupt":
                self.do(lambda p: p.interrupt())
            case "flushed":
                self.flushed(samples=next(self.numbers) * 997 % 12_500)
            case "started" | "ended":
                self.play(what, f"a{newest}", 4800)
            case "created" | "auto":
                self.begun.append(f"r{next(self.numbers)}")
                self.created(self.begun[-1])
            case "audio":
                self.audio(newest, f"a{newest}")
            case "audio_done":
                self.got("response.output_audio.done", response_id=newest, item_id=f"a{newest}")
            case "done":
                self.finish()
            case "done_unnamed":
                self.got("response.done", response={"status": "completed"})
            case "done_call":
                call = f"c{next(self.numbers)}"
                item = {"id": f"f{call}", "type": "function_call", "call_id": call, "name": "now"}
                self.finish(output=[item])
            case "done_cancelled":
                self.finish(status="cancelled")
            case "failed":
                self.finish(status="failed")
            case "tool":
                self.run_tools()
            case "refused":
                self.error(ALREADY_ACTIVE, self.last_create())
            case "error":
                self.error("server_error")
            case "lost_race":
                self.error("response_cancel_not_active")
            case "speech":
                self.got(
                    "input_audio_buffer.speech_started", item_id=f"u{next(self.numbers)}", audio_start_ms=0
                )
            case "stopped":
                self.got("input_audio_buffer.speech_stopped", item_id="u1", audio_end_ms=800)
            case "committed":
                self.got("input_audio_buffer.committed", item_id=f"u{next(self.numbers)}")
            case "deleted":
                self.got("conversation.item.deleted", item_id=f"a{newest}")
            case _:
                self.got("never.heard.of", item_id=5, delta=[])

    def last_create(self) -> str | None:
        return next((e["event_id"] for e in reversed(self.sent) if e["type"] == CREATE), None)

    def run_tools(self) -> None:
        for call in self.outputs_of(ToolCall):
            if self.protocol.tool_output(call.call_id, "x"):
                self.answered[call.call_id] += 1
            self.pump()

    def come_to_rest(self, told: list[str]) -> None:
        """The server ends all that it began and answers all that it is asked for; tools finish."""
        if "refused" in told:
            # Then a response was active, whether it was told of or not.
            self.created("claimed")
            self.done("claimed")
        for _ in range(200):
            self.run_tools()
            self.flushed(samples=0)
            active = [r.response_id for r in self.protocol.conversation.responses.values() if r.active]
            if active:
                self.done(active[-1])
            elif self.protocol.answering:
                response_id = f"r{next(self.numbers)}"
                self.created(response_id)
                self.done(response_id)
            else:
                return
        pytest.fail("it never comes to rest")


@given(st.lists(steps, max_size=40))
@settings(max_examples=150)
def test_any_order_of_events_leaves_nothing_hanging(told: list[str]) -> None:
    line = Chaos()
    for what in told:
        line.step(what)
    line.come_to_rest(told)
    assert all(wish.done for wish in line.wishes)
    calls = Counter(c.call_id for c in line.outputs_of(ToolCall))
    assert set(calls.values()) <= {1}
    assert line.answered == calls
    outputs = Counter(e["item"]["call_id"] for e in line.sent if e["type"] == ITEM and "call_id" in e["item"])
    assert outputs == calls
    for event in line.sent:
        if event["type"] == TRUNCATE:
            item = line.protocol.conversation.items[event["item_id"]]
            assert 0 < event["audio_end_ms"] <= item.generated_samples / SAMPLES_PER_MS
    conversation = line.protocol.conversation
    assert sum(t.requests for t in conversation.turns) == conversation.requests
    assert line.protocol.phase in {"listening", "hearing", "thinking", "speaking"}


class Apart(Line):
    """A server that keeps to the rules, some way off: what either side says takes its time to arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.wishes: list[Wish] = []
        self.up: list[dict[str, Any]] = []
        self.down: list[dict[str, Any]] = []
        self.read = 0
        self.active: str | None = None
        self.cause: dict[str, str | None] = {}
        self.refused = 0

    def begin(self, cause: str | None) -> None:
        self.active = f"r{len(self.cause) + 1}"
        self.cause[self.active] = cause
        self.down.append({"type": "response.created", "response": {"id": self.active}})

    def step(self, what: str) -> None:
        waiting = [e for e in self.sent[self.read :] if e["type"] == CREATE]
        untold = [e for e in self.down if e["type"] == "response.created"]
        match what:
            case "wish":
                self.wishes.append(self.ask())
            case "server reads" if self.read < len(self.sent):
                event = self.sent[self.read]
                self.read += 1
                if event["type"] == CREATE and self.active is None:
                    self.begin(event["event_id"])
                elif event["type"] == CREATE:
                    self.refused += 1
                    error = {"code": ALREADY_ACTIVE, "event_id": event["event_id"]}
                    self.down.append({"type": "error", "error": error})
            case "client reads" if self.down:
                event = self.down.pop(0)
                self.got(event.pop("type"), **event)
            case "server begins" if self.active is None:
                self.begin(None)
            # No answer is so short that it ends before its beginning, or what was asked before it, arrives.
            case "server ends" if self.active is not None and not waiting and not untold:
                response = {"id": self.active, "status": "completed"}
                self.down.append({"type": "response.done", "response": response})
                self.active = None
            case _:
                pass


moves = st.sampled_from(
    ["wish", "server reads", "server reads", "client reads", "client reads", "server begins", "server ends"]
)


@given(st.lists(moves, max_size=60))
@settings(max_examples=150)
def test_each_wish_gets_the_response_that_was_made_for_it(told: list[str]) -> None:
    line = Apart()
    for what in told:
        line.step(what)
    for _ in range(len(line.wishes) * 8 + 8):
        for what in ("server reads", "client reads", "client reads", "server ends"):
            line.step(what)
    assert line.outputs_of(Failed) == []
    asked = [line.cause[r] for wish in line.wishes for r in wish.response_ids]
    assert all(wish.done and len(wish.response_ids) == 1 for wish in line.wishes)
    assert None not in asked
    assert asked == [wish.event_id for wish in line.wishes]
    assert len(line.types(CREATE)) == len(line.wishes) + line.refused
    assert not line.protocol.answering


def test_an_interruption_before_the_servers_own_answer_began_stops_it(line: Line) -> None:
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=900)
    assert line.protocol.interrupt() is True
    assert line.protocol.interrupt() is False
    line.created("r")
    assert line.types() == ["response.cancel"]
    line.audio("r", "a")
    line.done("r", "cancelled")
    assert line.outputs_of(Play) == []
    # And that one only.
    line.created("r2")
    line.audio("r2", "b")
    assert line.types() == ["response.cancel"]
    assert len(line.outputs_of(Play)) == 1
