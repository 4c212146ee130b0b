"""What a client has to wait for, must not do, and what never comes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gip_nb.errors import (
    BadSetting,
    GipError,
    HostUnreachable,
    TimedOut,
)
from gip_nb.testing import (
    Cue,
    Expect,
    ExpectNo,
    Refuse,
    Say,
    Stage,
    Wait,
    answer,
    error,
    item_taken,
    tool_call,
    user_spoke,
)
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
    from collections.abc import Iterator

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing import Event


@in_both_dialects
def test_a_response_takes_its_turn_while_a_tool_still_runs(dialect: Dialect) -> None:
    other_began = threading.Event()

    def weather(city: str) -> str:
        """The weather at a place."""
        assert other_began.wait(5)
        return f"sunny in {city}"

    *other, other_done = answer("By the way", dialect=dialect, response_id="resp_2", item_id="item_2")
    output = {"item": {"type": "function_call_output", "call_id": "call_1"}}
    script = [
        *asked(dialect),
        *tool_call("weather", {"city": "Rome"}, dialect=dialect),
        *other,
        Cue("the tool is done"),
        ExpectNo("response.create", for_s=0.15),
        other_done,
        Expect("conversation.item.create", output),
        Say(item_taken),
        Expect("response.create"),
        *answer("Sunny", dialect=dialect, response_id="resp_3", item_id="item_3"),
    ]
    with Stage(script) as stage, connect(stage, dialect, tools=[weather]) as session:

        def on_created(event: dict[str, Any]) -> None:
            if event["response"]["id"] == "resp_2":
                other_began.set()

        session.on("response.created", on_created)
        session.on("local.tool.finished", lambda _event: stage.cue("the tool is done"))
        reply = session.ask("the weather in Rome?", timeout_s=5)
        settled(session, stage)
        check(session, stage)
    assert reply.text.endswith("Sunny")
    outputs = [e for e in stage.received if e.get("item", {}).get("type") == "function_call_output"]
    assert [e["item"]["output"] for e in outputs] == ["sunny in Rome"]


@in_both_dialects
@pytest.mark.parametrize("arguments", ['{"city": "Rome"}', '{"city": '], ids=["json", "no json"])
def test_a_call_that_is_told_twice_is_answered_once(dialect: Dialect, arguments: str) -> None:
    def weather(city: str) -> str:
        """The weather at a place."""
        return f"sunny in {city}"

    call = tool_call("weather", arguments, dialect=dialect)
    script = [
        *asked(dialect),
        *chain.from_iterable((event, event) for event in call),
        Expect("conversation.item.create", {"item": {"type": "function_call_output", "call_id": "call_1"}}),
        call[-1],
        Expect("response.create"),
        ExpectNo("conversation.item.create"),
        ExpectNo("response.create", for_s=0.01),
        *answer("Done", dialect=dialect, response_id="resp_2", item_id="item_2"),
    ]
    with Stage(script) as stage, connect(stage, dialect, tools=[weather]) as session:
        assert session.ask("the weather in Rome?", timeout_s=3).text.endswith("Done")
        settled(session, stage)
        check(session, stage)
    kinds = [e["type"] for e in stage.received]
    # The question and the output; the first answer and the follow-up.
    assert (kinds.count("conversation.item.create"), kinds.count("response.create")) == (2, 2)


@in_both_dialects
def test_the_servers_own_response_wins_the_race_and_ours_is_asked_again(dialect: Dialect) -> None:
    def refused(visit: Any) -> Event:
        return error(
            "conversation_already_has_active_response",
            "Conversation already has an active response in progress: resp_0",
            event_id=visit.last("response.create")["event_id"],
        )

    script = [
        *asked(dialect),
        *answer("Mine first", dialect=dialect, response_id="resp_0", item_id="item_0")[:3],
        Say(refused),
        ExpectNo("response.create"),
        *answer("Mine first", dialect=dialect, response_id="resp_0", item_id="item_0")[3:],
        Expect("response.create"),
        *answer("Now yours", dialect=dialect),
    ]
    with Stage(script) as stage, connect(stage, dialect) as session:
        assert session.ask("hello", timeout_s=3).text == "Now yours"
        settled(session, stage)
        check(session, stage)


@in_both_dialects
def test_a_voice_that_the_server_will_not_change_any_more_ends_nothing(dialect: Dialect) -> None:
    refused = error(
        "cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present."
    )
    voice: dict[str, Any] = {"voice": "echo"}
    wanted = voice if dialect == "beta" else {"audio": {"output": voice}}
    script = [
        *asked(dialect),
        *answer("Hello", dialect=dialect),
        # As it is: whoever sends events by hand is not held back.
        Expect("session.update", {"session": wanted}),
        refused,
        Expect("response.create"),
        *answer("As before", dialect=dialect, response_id="resp_2", item_id="item_2"),
    ]
    with Stage(script) as stage, connect(stage, dialect, voice="ash") as session:
        session.ask("hello", timeout_s=3)
        session.send({"type": "session.update", "session": {**wanted, "type": "realtime"}})
        until(lambda: "error" in session.events.type.tolist(), "the refusal")
        assert session.ask("how do you sound?", timeout_s=3).text == "As before"
        settled(session, stage)
        check(session, stage)
    assert (session.events.type == "error").sum() == 1


@in_both_dialects
def test_a_voice_that_cannot_change_any_more_is_refused_before_it_is_sent(dialect: Dialect) -> None:
    with Stage([*asked(dialect), *answer("Hello", dialect=dialect)]) as stage:
        with connect(stage, dialect, voice="ash") as session:
            session.ask("hello", timeout_s=3)
            with pytest.raises(BadSetting):
                session.update(voice="echo")
    assert [e["type"] for e in stage.received].count("session.update") == 1


@in_both_dialects
def test_a_muted_microphones_zeros_are_sent_since_the_servers_clock_is_the_audios(dialect: Dialect) -> None:
    said = user_spoke("hello", dialect=dialect, start_ms=500, end_ms=800)
    with Stage(
        [*opening(dialect), Expect("input_audio_buffer.append"), *said, *answer(dialect=dialect)]
    ) as stage:
        with connect(stage, dialect) as session:
            session.send_audio(np.zeros(12_000, np.int16))
            session.send_audio(np.full(12_000, 1000, np.int16))
            settled(session, stage)
            check(session, stage)
    appended = sum(
        len(e["audio"]) * 3 // 4 for e in stage.received if e["type"] == "input_audio_buffer.append"
    )
    assert appended == 24_000 * 2
    # The user's words are cut out where the server found them: behind the silence.
    assert session.audio("item_user").data[44:] == np.full(7200, 1000, "<i2").tobytes()


@in_both_dialects
def test_a_handshake_is_never_answered(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gip_nb.session.transport._OPEN_TIMEOUT_S", 0.2)
    with Stage([Refuse(503, after_s=30)], to_the_end=False) as stage, pytest.raises(GipError) as caught:
        connect(stage, dialect)
    told(caught.value, HostUnreachable, "did not answer")


@in_both_dialects
def test_a_session_is_never_created(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gip_nb.session.opening._CREATED_TIMEOUT_S", 0.2)
    with Stage([Wait(30)]) as stage, pytest.raises(GipError) as caught:
        connect(stage, dialect)
    told(caught.value, TimedOut, "session.created did not come within 0.2 s")


@in_both_dialects
def test_a_session_is_never_updated(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gip_nb.session.session._ANSWER_TIMEOUT_S", 0.2)
    script = [*opening(dialect), Expect("session.update"), Wait(30)]
    with Stage(script) as stage, connect(stage, dialect) as session:
        until(lambda: "session.updated" in session.events.type.tolist(), "the first update")
        with pytest.raises(GipError) as caught:
            session.ask(np.full(4800, 1000, np.int16), timeout_s=3)
    told(caught.value, TimedOut, "session.updated did not come within 0.2 s")


@in_both_dialects
@pytest.mark.parametrize("said", [0, 1, 6], ids=["nothing", "response.created", "some words"])
def test_an_answer_stalls_and_the_next_question_still_gets_its_own(dialect: Dialect, said: int) -> None:
    first = answer("Better late", dialect=dialect)
    script = [
        *asked(dialect),
        *first[:said],
        Cue("it gave up"),
        *first[said:],
        Expect("response.create"),
        *answer("Second", dialect=dialect, response_id="resp_2", item_id="item_2"),
    ]
    with Stage(script) as stage, connect(stage, dialect) as session:
        with pytest.raises(GipError) as caught:
            session.ask("first", timeout_s=0.3)
        stage.cue("it gave up")
        assert session.ask("second", timeout_s=3).text == "Second"
        settled(session, stage)
        check(session, stage)
    told(caught.value, TimedOut, "answer", "0.3 s")


@in_both_dialects
def test_a_response_that_never_begins_does_not_hold_up_the_next_question(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gip_nb.session.talking.BEGIN_TIMEOUT_S", 0.3)
    again = [Expect("conversation.item.create"), Expect("response.create")]
    script = [*asked(dialect), *again, *answer("Second", dialect=dialect)]
    with Stage(script) as stage, connect(stage, dialect) as session:
        with pytest.raises(TimedOut):
            session.ask("first", timeout_s=0.1)
        assert session.ask("second", timeout_s=3).text == "Second"


@in_both_dialects
def test_an_event_that_is_waited_for_never_comes(dialect: Dialect) -> None:
    with Stage(opening(dialect)) as stage, connect(stage, dialect) as session:
        with pytest.raises(GipError) as caught:
            session.wait("input_audio_buffer.speech_started", 0.1)
        settled(session, stage)
        check(session, stage)
    told(caught.value, TimedOut, "input_audio_buffer.speech_started did not come within 0.1 s")


@contextmanager
def at_once(limit_s: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < limit_s


@in_both_dialects
def test_a_close_is_not_held_up_by_a_server_that_stalls(dialect: Dialect) -> None:
    with Stage([*asked(dialect), *answer(dialect=dialect)[:3], Wait(30)]) as stage:
        session = connect(stage, dialect)
        session.send_text("hello")
        session.respond()
        until(lambda: len(rows_received(session)) == len(stage.sent) > 4, "the answer begins")
        with at_once(2):
            session.close()
    assert session.state == "closed"
    check(session, stage)
