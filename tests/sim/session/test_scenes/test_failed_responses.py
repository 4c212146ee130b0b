"""Responses that fail, are refused for their rate, or hang: what is sent, told, and in the tables."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.errors import BadSetting, GipError, ServerError, TimedOut
from gip_nb.session.loop import run_blocking
from gip_nb.testing import Cue, Expect, ExpectNo, Say, Stage, answer, error, item_taken, tool_call
from tests.sim.session.test_scenes.scene import (
    asked,
    check,
    connect,
    in_both_dialects,
    opening,
    rows_received,
    settled,
    told,
    until,
)

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.blocking import RealtimeSession
    from gip_nb.testing import Event, Step

CREATE = "response.create"
LIMITED = {"type": "tokens", "code": "rate_limit_exceeded", "message": "Please try again in 20ms."}
# Waits that a test can afford; nothing is said of them.
QUICK = {"first_wait_s": 0.01}


def failed(
    dialect: Dialect, number: int, problem: dict[str, Any] | None = None, text: str = ""
) -> list[Event]:
    details = {"type": "failed", "error": problem or LIMITED}
    return answer(
        text,
        dialect=dialect,
        response_id=f"resp_{number}",
        item_id=f"item_{number}",
        status="failed",
        status_details=details,
    )


def good(dialect: Dialect, number: int, text: str = "Here it is") -> list[Event]:
    return answer(text, dialect=dialect, response_id=f"resp_{number}", item_id=f"item_{number}")


def local(session: RealtimeSession, kind: str) -> list[dict[str, Any]]:
    events = session.events
    return list(events[events.type == f"local.response.{kind}"].payload)


@in_both_dialects
def test_a_rate_limited_answer_is_asked_for_again_and_the_question_gets_it(
    dialect: Dialect, caplog: pytest.LogCaptureFixture
) -> None:
    script = [*asked(dialect), *failed(dialect, 1), Expect(CREATE), *failed(dialect, 2), Expect(CREATE)]
    with Stage([*script, *good(dialect, 3)]) as stage, connect(stage, dialect) as session:
        with caplog.at_level(logging.WARNING, "gip_nb"):
            reply = session.ask("hello", timeout_s=5)
        settled(session, stage)
        check(session, stage)
    assert (reply.text, reply.item_id, reply.turn) == ("Here it is", "item_3", 1)
    # Each is billed, and all are the turn's.
    assert reply.usage["requests"] == 3
    assert session.turns.requests.tolist() == [3]
    assert session.responses.status.tolist() == ["failed", "failed", "completed"]
    again = local(session, "retry")
    assert [(r["response_id"], r["attempt"], r["reason"]) for r in again] == [
        ("resp_1", 1, "rate limited"),
        ("resp_2", 2, "rate limited"),
    ]
    assert all(0.02 <= r["wait_s"] <= 0.1 for r in again)
    events = session.events
    assert events[events.type == "local.response.retry"].turn.tolist() == [1, 1]
    assert sum("asked again" in record.message for record in caplog.records) == 2


@in_both_dialects
def test_what_fails_as_often_as_the_policy_allows_is_raised(dialect: Dialect) -> None:
    script = [*asked(dialect), *failed(dialect, 1), Expect(CREATE), *failed(dialect, 2)]
    with (
        Stage([*script, ExpectNo(CREATE, for_s=0.05)]) as stage,
        connect(stage, dialect, retry={"attempts": 1}) as session,
    ):
        with pytest.raises(GipError) as caught:
            session.ask("hello", timeout_s=5)
        settled(session, stage)
        check(session, stage)
    told(caught.value, ServerError, "try again in 20ms", "rate_limit_exceeded")
    assert [r["why"] for r in local(session, "given_up")] == ["attempts"]
    assert session.turns.requests.tolist() == [2]


@in_both_dialects
@pytest.mark.parametrize(
    "problem", [{"code": "insufficient_quota", "message": "your quota"}, {"code": "odd"}]
)
def test_what_would_fail_again_is_raised_at_once(dialect: Dialect, problem: dict[str, Any]) -> None:
    script = [*asked(dialect), *failed(dialect, 1, problem), ExpectNo(CREATE, for_s=0.05)]
    with Stage(script) as stage, connect(stage, dialect, retry=QUICK) as session:
        with pytest.raises(ServerError):
            session.ask("hello", timeout_s=5)
        settled(session, stage)
        check(session, stage)
    assert local(session, "retry") == local(session, "given_up") == []


@in_both_dialects
def test_an_answer_that_was_heard_in_part_is_told_and_stays(dialect: Dialect) -> None:
    script = [*asked(dialect), *failed(dialect, 1, text="Half an"), ExpectNo(CREATE, for_s=0.05)]
    with Stage(script) as stage, connect(stage, dialect, retry=QUICK) as session:
        with pytest.raises(GipError) as caught:
            session.ask("hello", timeout_s=5)
        settled(session, stage)
        check(session, stage)
    told(caught.value, ServerError, "try again")
    assert [r["why"] for r in local(session, "given_up")] == ["heard"]
    assert session.items.loc["item_1"].text == "Half an"


@in_both_dialects
def test_a_refusal_for_its_rate_is_asked_for_again(dialect: Dialect) -> None:
    def refusal(visit: Any) -> Event:
        create = visit.last(CREATE)
        return error("rate_limit_exceeded", "Please try again in 20ms.", event_id=create["event_id"])

    script: list[Step] = [*asked(dialect), Say(refusal), Expect(CREATE), *good(dialect, 1)]
    with Stage(script) as stage, connect(stage, dialect) as session:
        assert session.ask("hello", timeout_s=5).text == "Here it is"
        settled(session, stage)
        check(session, stage)
    assert [r.get("response_id") for r in local(session, "retry")] == [None]


@in_both_dialects
def test_who_types_meanwhile_gets_one_answer(dialect: Dialect) -> None:
    slow = {**LIMITED, "message": "Please try again in 30s."}
    script: list[Step] = [
        *asked(dialect),
        *failed(dialect, 1, slow),
        Expect("conversation.item.create"),
        Say(item_taken),
        Expect(CREATE),
        *good(dialect, 2),
    ]
    with Stage(script) as stage, connect(stage, dialect) as session:
        session.send_text("hello")
        session.respond()
        until(lambda: bool(local(session, "retry")), "the news")
        assert session.state == "thinking"
        assert session.ask("never mind", timeout_s=5).text == "Here it is"
        settled(session, stage)
        check(session, stage)
    assert [r["why"] for r in local(session, "given_up")] == ["went on"]


@in_both_dialects
def test_a_question_that_ran_out_of_time_is_not_asked_again(dialect: Dialect) -> None:
    slow = {**LIMITED, "message": "Please try again in 30s."}
    with Stage([*asked(dialect), *failed(dialect, 1, slow)]) as stage, connect(stage, dialect) as session:
        with pytest.raises(TimedOut):
            session.ask("hello", timeout_s=0.3)
        assert [r["why"] for r in local(session, "given_up")] == ["timed out"]
        assert session.state == "listening"
        settled(session, stage)
        check(session, stage)


@in_both_dialects
def test_the_answer_to_a_tool_is_asked_for_again_and_the_tool_is_not_called_again(dialect: Dialect) -> None:
    ran = []

    def weather(city: str) -> str:
        """The weather at a place."""
        ran.append(city)
        return f"sunny in {city}"

    script: list[Step] = [
        *asked(dialect),
        *tool_call("weather", {"city": "Rome"}, dialect=dialect),
        Expect("conversation.item.create"),
        Say(item_taken),
        Expect(CREATE),
        *failed(dialect, 2),
        Expect(CREATE),
        *good(dialect, 3, "Sunny"),
    ]
    with Stage(script) as stage, connect(stage, dialect, tools=[weather]) as session:
        assert session.ask("the weather in Rome?", timeout_s=5).text == "Sunny"
        settled(session, stage)
        check(session, stage)
    assert ran == ["Rome"]


# ------------------------------------------------------------------------------------------------------- hung


@in_both_dialects
def test_a_response_that_goes_silent_is_cancelled_and_told_and_the_next_goes_out(dialect: Dialect) -> None:
    begun = good(dialect, 1, "Half an answer")
    half = next(n for n, event in enumerate(begun) if event["type"].endswith("audio.delta")) + 1
    ended = answer("", dialect=dialect, response_id="resp_1", status="cancelled")[-1]
    script: list[Step] = [
        *asked(dialect),
        *begun[:half],
        Expect("response.cancel"),
        Cue("next"),
        ended,
        Expect("conversation.item.create"),
        Say(item_taken),
        Expect(CREATE),
        *good(dialect, 2),
    ]
    with Stage(script) as stage, connect(stage, dialect, response_timeout_s=0.2) as session:
        with pytest.raises(GipError) as caught:
            session.ask("hello", timeout_s=5)
        stage.cue("next")
        assert session.ask("again", timeout_s=5).text == "Here it is"
        settled(session, stage)
        check(session, stage)
    told(caught.value, TimedOut, "0.1 s of sound", "Half an answer")
    assert [(r["what"], r["response_id"]) for r in local(session, "hung")] == [("silent", "resp_1")]
    assert session.responses.status.tolist() == ["cancelled", "completed"]
    assert not session.turns.interrupted.any()


@in_both_dialects
def test_a_server_that_does_not_answer_the_cancel_is_let_go_and_heard_again(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gip_nb.session.talking.CANCEL_TIMEOUT_S", 0.1)
    late = good(dialect, 1, "Late")
    script: list[Step] = [
        *asked(dialect),
        *late[:1],
        Expect("response.cancel"),
        Expect("conversation.item.create"),
        Say(item_taken),
        Expect(CREATE),
        *late[1:],
        *good(dialect, 2),
    ]
    with Stage(script) as stage, connect(stage, dialect, response_timeout_s=0.1) as session:
        with pytest.raises(TimedOut):
            session.ask("hello", timeout_s=5)
        assert session.ask("again", timeout_s=5).text == "Here it is"
        settled(session, stage)
        check(session, stage)
        assert [r["what"] for r in local(session, "hung")] == ["silent", "let go"]
        # All of it was said, and read.
        assert session.responses.loc["resp_1"].status == "completed"
        assert len(rows_received(session)) == len(stage.sent)


@in_both_dialects
def test_a_session_can_wait_without_end(dialect: Dialect) -> None:
    with Stage(opening(dialect)) as stage, connect(stage, dialect, response_timeout_s=None) as session:
        protocol = run_blocking(_now(session))
        assert protocol.due_s is None
        with pytest.raises(BadSetting, match="response_timeout_s cannot change"):
            session.update(response_timeout_s=3)


async def _now(session: RealtimeSession) -> Any:
    return session._session.protocol


@pytest.mark.parametrize(
    "options", [{"response_timeout_s": 0}, {"response_timeout_s": "soon"}, {"retry": "yes"}]
)
def test_what_cannot_be_is_said_before_anything_connects(options: dict[str, Any]) -> None:
    import gip_nb

    with pytest.raises(BadSetting):
        gip_nb.connect("rehearsal", **options)
