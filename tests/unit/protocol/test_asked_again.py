"""An answer that the line was lost over, and a user who goes on meanwhile: it is answered once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gip_nb.protocol.outputs import Failed, GivenUp, TurnDone, Wish
from tests.unit.protocol.pair import Player, ProtocolPair, check_log
from tests.unit.protocol.server.server_end import silence, tone
from tests.unit.protocol.talks import (
    CREATE,
    TOOL,
    answers,
    ask,
    long_answer,
    turn_detection,
    utter,
)

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect

in_both_dialects = pytest.mark.parametrize("dialect", ["beta", "ga"])


def creates(pair: ProtocolPair, since: int) -> int:
    return sum(e["type"] == CREATE for e in pair.sent[since:])


def say_in_the_gap(pair: ProtocolPair, sound: bytes) -> None:
    for start in range(0, len(sound), 960):
        pair.client.append_audio(sound[start : start + 960])


@in_both_dialects
def test_what_is_said_in_the_gap_is_answered_and_the_lost_answer_is_not_given_too(dialect: Dialect) -> None:
    pair = ProtocolPair(dialect, Player())
    long_answer(pair, 300)
    pair.cut()
    before = len(pair.sent)
    pair.server.speech_ms = 200
    say_in_the_gap(pair, silence(200) + tone(600) + silence(900))
    pair.mend()
    pair.run()
    assert creates(pair, before) == 0, "the server answers by itself, once"
    conversation = pair.client.conversation
    assert [r.status for r in conversation.responses.values()] == ["incomplete", "completed"]
    assert len(conversation.turns) == 2
    assert conversation.requests == 1
    (given_up,) = pair.outputs_of(GivenUp)
    assert (given_up.why, given_up.reason, given_up.attempts) == ("went on", "connection lost", 0)
    assert given_up.response_id == next(iter(conversation.responses))
    assert pair.outputs_of(Failed) == []
    check_log(pair.log, conversation)


def test_whoever_waits_for_an_answer_that_had_not_begun_is_told_that_the_user_went_on() -> None:
    pair = ProtocolPair("ga", Player())
    pair.client.send_text("one")
    wish = pair.client.respond()
    wish.awaited = True
    pair.pump()
    pair.cut()
    say_in_the_gap(pair, silence(200) + tone(600) + silence(900))
    pair.mend()
    pair.run()
    assert wish.done
    assert wish.failure is not None
    assert "went on" in wish.failure.message
    assert pair.client.conversation.requests == 1


def test_a_gap_in_which_nobody_speaks_delays_the_answer_and_a_muted_microphone_does_not() -> None:
    for sound, least_s in ((tone(20), 1.5), (silence(2000), 0.0)):
        pair = ProtocolPair("ga", Player())
        long_answer(pair, 300)
        pair.cut()
        say_in_the_gap(pair, sound)
        before, at_ns = len(pair.sent), pair.now_ns
        pair.mend()
        assert pair.client.answering, "it is thinking meanwhile"
        assert pair.client.phase in {"thinking", "speaking"}
        while not creates(pair, before):
            pair.tick()
        assert (pair.now_ns - at_ns) / 1e9 == pytest.approx(least_s, abs=0.1)
        pair.run()
        assert creates(pair, before) == 1
        assert len(answers(pair)) == 2


def test_with_a_key_for_the_end_of_the_turn_nothing_is_listened_for() -> None:
    pair = ProtocolPair("ga", Player())
    turn_detection(pair, None)
    long_answer(pair, 300)
    pair.cut()
    say_in_the_gap(pair, tone(500))
    before = len(pair.sent)
    pair.mend()
    assert creates(pair, before) == 1


def test_a_turn_detection_that_does_nothing_by_itself_is_not_listened_for() -> None:
    pair = ProtocolPair("ga", Player())
    turn_detection(pair, {"type": "server_vad", "create_response": False, "interrupt_response": False})
    long_answer(pair, 300)
    pair.cut()
    say_in_the_gap(pair, silence(200) + tone(600) + silence(900))
    before = len(pair.sent)
    pair.mend()
    pair.run()
    assert creates(pair, before) == 1


def test_an_answer_of_the_servers_own_that_was_quicker_stands_for_the_lost_one() -> None:
    """Its turn detection has begun, and was not heard of, when the answer is asked for again."""
    pair = ProtocolPair("ga", Player())
    long_answer(pair, 300)
    pair.cut()
    pair.server.speech_ms = 400
    before = len(pair.sent)
    pair.mend()
    assert creates(pair, before) == 1
    wish = pair.client._newest
    assert wish is not None
    assert wish.gives_way
    # As a server that began by itself: this one is not what was asked for.
    refused = {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "code": "conversation_already_has_active_response",
            "message": "no",
            "event_id": wish.event_id,
        },
    }
    from gip_nb.protocol.frames import Event

    pair.client.receive(Event("error", refused), 0.0)
    pair.run()
    assert wish.done
    assert creates(pair, before) == 1
    assert [g.why for g in pair.outputs_of(GivenUp)] == ["went on"]


@pytest.mark.parametrize("when", ["away", "listening"])
def test_an_interruption_wants_none_of_it(when: str) -> None:
    pair = ProtocolPair("ga")
    pair.server.speech_ms = 4000
    wish = ask(pair)
    for _ in range(5):
        pair.tick()
    pair.cut()
    say_in_the_gap(pair, tone(40))
    before = len(pair.sent)
    if when == "away":
        assert pair.client.interrupt()
        pair.mend()
    else:
        pair.mend()
        assert pair.client.interrupt()
    pair.run()
    assert creates(pair, before) == 0
    assert (wish.done, wish.failure) == (True, None)
    assert [g.why for g in pair.outputs_of(GivenUp)] == ["interrupted"]
    assert [t.turn for t in pair.outputs_of(TurnDone)] == [1]


def test_an_interruption_in_the_gap_ends_what_a_function_led_to() -> None:
    from gip_nb.protocol.server.parts import Call

    pair = ProtocolPair("ga", Player())
    pair.server.says = lambda _prompt: [Call("look", "{}")]
    pair.tools["look"] = lambda _arguments: "seen"
    pair.tool_ticks = 10_000
    pair.do(lambda c: c.update({"tools": [TOOL]}))
    wish = ask(pair)
    pair.run(until=lambda: pair.calls)
    pair.cut()
    pair.calls = [(0, call) for _, call in pair.calls]
    pair.answer_calls()
    assert pair.client.interrupt()
    before = len(pair.sent)
    pair.mend()
    pair.run()
    assert creates(pair, before) == 0
    assert wish.done
    kinds = [i.type for i in pair.client.conversation.ordered()]
    assert kinds == ["message", "function_call", "function_call_output"], "it is answered all the same"


def test_an_interruption_in_the_gap_is_of_the_first_answer_and_the_next_one_is_given() -> None:
    pair = ProtocolPair("ga")
    pair.cut()
    first = pair.client.respond()
    second = pair.client.respond()
    assert pair.client.interrupt()
    assert (first.done, second.done) == (True, False)
    pair.mend()
    pair.run()
    assert second.done
    assert second.response_ids


def test_of_an_answer_that_nobody_waits_for_any_more_nothing_is_asked() -> None:
    pair = ProtocolPair("ga")
    lost = ask(pair)
    pair.cut()
    waiting = pair.client.respond()
    before = len(pair.sent)
    for wish in (lost, waiting):
        pair.client.ask_no_more(wish)
        assert wish.done
    pair.mend()
    pair.run()
    assert creates(pair, before) == 0
    assert [g.why for g in pair.outputs_of(GivenUp)] == ["timed out"]


def test_of_two_wishes_that_look_the_same_one_is_dropped() -> None:
    pair = ProtocolPair("ga")
    pair.cut()
    first, second = pair.client.respond(), pair.client.respond()
    assert first == second == Wish()
    pair.client.ask_no_more(second)
    assert (first.done, second.done) == (False, True)


def test_what_send_had_asked_for_is_not_asked_again_and_is_told() -> None:
    for begun in (False, True):
        pair = ProtocolPair("ga")
        pair.server.speech_ms = 4000
        event = {"type": CREATE, "response": {"instructions": "mine"}}
        from gip_nb.protocol.outputs import Send

        pair.client._emit(Send(event))
        pair.pump()
        if begun:
            pair.arrive()
        pair.cut()
        before = len(pair.sent)
        pair.mend()
        pair.run()
        assert creates(pair, before) == 0
        (told,) = pair.outputs_of(Failed)
        assert "send()" in told.message
        assert [(g.why, g.response_id is not None) for g in pair.outputs_of(GivenUp)] == [("not ours", begun)]


def test_a_line_that_goes_again_while_the_server_is_listened_to() -> None:
    pair = ProtocolPair("ga", Player())
    long_answer(pair, 300)
    pair.cut()
    say_in_the_gap(pair, tone(40))
    pair.mend()
    pair.cut()
    before = len(pair.sent)
    pair.server.speech_ms = 100
    pair.mend()
    pair.run()
    assert creates(pair, before) == 1
    assert [g.why for g in pair.outputs_of(GivenUp)] == []


def test_two_spoken_questions_one_of_them_in_the_gap() -> None:
    """The answer to the first is due when the line goes, and the second is said before it is back."""
    pair = ProtocolPair("ga", Player())
    pair.server_waits = True
    utter(pair)
    assert pair.client.answering or pair.client.phase == "thinking"
    pair.cut()
    pair.server_waits = False
    say_in_the_gap(pair, silence(200) + tone(600) + silence(900))
    pair.mend()
    pair.run()
    assert pair.client.conversation.requests == 1
    assert len(pair.client.conversation.turns) == 2
