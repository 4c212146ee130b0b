"""What the user of a recorded talk did: read from the logs of the scripted talks, both dialects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.journal.acts import (
    AddItem,
    Frame,
    Interrupt,
    Respond,
    Text,
    Utterance,
    as_utterances,
)
from gip_nb.journal.acts_of import acts_of
from gip_nb.protocol.server.parts import Call, Say
from tests.unit.protocol.pair import ProtocolPair
from tests.unit.protocol.server.server_end import MS, silence, tone
from tests.unit.protocol.talks import TALKS, ask, new_pair, turn_detection, utter

if TYPE_CHECKING:
    from gip_nb.journal.acts import Act
    from gip_nb.protocol.events import Dialect

both = pytest.mark.parametrize("dialect", ["beta", "ga"])
HELLO = Text(0, "user", "hello", {}, after_answer=True)


def acts(pair: ProtocolPair) -> list[Act]:
    """Without the frames, and without their times."""
    found = [act for act in acts_of(pair.log) if not isinstance(act, Frame)]
    untimed = [replace(act, at_s=0) for act in found]
    return [replace(act, until_s=0) if isinstance(act, Utterance) else act for act in untimed]


def frames(pair: ProtocolPair) -> list[Frame]:
    return [act for act in acts_of(pair.log) if isinstance(act, Frame)]


def talk(dialect: Dialect, name: str) -> ProtocolPair:
    pair = new_pair(dialect)
    TALKS[name](pair)
    pair.run()
    return pair


@both
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("text_turn", [HELLO]),
        ("asked_twice", [HELLO, Text(0, "user", "and more", {})]),
        ("tool_calls", [HELLO]),
        ("incomplete", [replace(HELLO, respond={"max_output_tokens": 3})]),
        (
            "interrupted_by_code",
            [HELLO, Interrupt(0), Text(0, "user", "and now?", {}, after_answer=True)],
        ),
        ("interrupted_before_its_first_audio", [HELLO, Interrupt(0)]),
        ("push_to_talk", [Utterance(0, 0, tone(500), {}, after_answer=True)]),
        ("cleared_input", [Utterance(0, 0, tone(200), after_answer=True)]),
        (
            "interrupted_by_pressing",
            [HELLO, Interrupt(0), Utterance(0, 0, tone(400), {}, after_answer=True)],
        ),
        ("held_key", [HELLO, Interrupt(0), Utterance(0, 0, tone(500), {}, after_answer=True)]),
        ("truncated_by_hand", [HELLO]),
        # Asked for while the server began by itself, refused, and asked for again.
        ("race_lost_to_the_voice", [Respond(0, {})]),
        ("updates", []),
        # The last was refused: nobody was answered.
        ("refusals", [HELLO]),
    ],
)
def test_what_the_user_did_and_nothing_else(dialect: Dialect, name: str, found: list[Act]) -> None:
    assert acts(talk(dialect, name)) == found


@both
def test_times_are_the_logs(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.speak(silence(200))
    turn_detection(pair, None)
    pair.do(lambda c: c.press())
    pair.speak(tone(500))
    pair.do(lambda c: c.release())
    (utterance,) = [act for act in acts_of(pair.log) if isinstance(act, Utterance)]
    # A frame of 20 ms leaves when it is whole; the pair sends it before the tick in which it arrives.
    assert (utterance.at_s, utterance.until_s) == pytest.approx((0.22, 0.7), abs=0.021)
    assert [frame.at_s for frame in frames(pair)] == pytest.approx([0.02 * n for n in range(1, 11)])


@both
def test_frames_know_where_the_server_heard_somebody_speak(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    utter(pair)
    pair.run()
    utter(pair)
    pair.run()
    found = frames(pair)
    audio = silence(300) + tone(600) + silence(700)
    assert b"".join(frame.pcm for frame in found) == audio * 2
    begins = [n * 20 for n, frame in enumerate(found) if frame.begins_speech]
    ends = [n * 20 for n, frame in enumerate(found) if frame.ends_speech]
    items = pair.client.conversation.ordered()
    starts = [i.audio_start_ms or 0 for i in items if i.role == "user"]
    assert begins == [ms // 20 * 20 for ms in starts]
    assert ends == [(i.audio_end_ms or 0) // 20 * 20 for i in items if i.role == "user"]
    assert [frame.after_answer for frame in found if frame.begins_speech] == [True, True]


@both
def test_who_talks_over_an_answer_did_not_wait_for_its_end(dialect: Dialect) -> None:
    pair = talk(dialect, "interrupted_by_voice")
    assert [frame.after_answer for frame in frames(pair) if frame.begins_speech] == [False]
    utter(pair)
    assert [frame.after_answer for frame in frames(pair) if frame.begins_speech] == [False, True]


@both
def test_an_answer_is_over_when_it_was_heard(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.server.speech_ms = 2000
    ask(pair)
    pair.run(until=lambda: "response.done" in pair.received_types)
    assert pair.client.phase == "speaking"
    utter(pair)
    assert [frame.after_answer for frame in frames(pair) if frame.begins_speech] == [False]
    headless = ProtocolPair(dialect)
    ask(headless)
    headless.run(until=lambda: "response.done" in headless.received_types)
    utter(headless)
    assert [frame.after_answer for frame in frames(headless) if frame.begins_speech] == [True]


@both
def test_a_tool_at_work_is_part_of_the_answer(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.server.says = lambda prompt: [
        Say("There.") if prompt.lines[-1].role == "output" else Call("look", "{}")
    ]
    pair.tools["look"] = lambda _arguments: "seen"
    pair.tool_ticks = 30
    ask(pair)
    pair.run(until=lambda: pair.calls)
    pair.do(lambda c: c.send_text("hurry"))
    pair.run()
    pair.do(lambda c: c.send_text("thanks"))
    pair.do(lambda c: c.respond({"max_output_tokens": 5}))
    assert acts(pair)[1:] == [
        Text(0, "user", "hurry"),
        Text(0, "user", "thanks", {"max_output_tokens": 5}, after_answer=True),
    ]


@both
def test_a_response_that_comes_long_after_the_words_is_an_act_of_its_own(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.do(lambda c: c.send_text("hello"))
    pair.now_ns += 2_000_000_000
    pair.do(lambda c: c.respond())
    pair.run()
    assert acts(pair) == [replace(HELLO, respond=None), Respond(0, {}, after_answer=True)]
    assert [act.at_s for act in acts_of(pair.log)] == [0, 2]


@both
def test_a_response_beside_the_conversation_is_one_too(dialect: Dialect) -> None:
    _, beside = acts(talk(dialect, "beside"))
    assert isinstance(beside, Respond)
    assert beside.fields["conversation"] == "none"


@both
def test_items_of_other_kinds_stay_where_they_were_put(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    ask(pair)
    pair.run()
    answer = pair.client.conversation.order[1]
    sound = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA" * 9}]}
    call = {"type": "function_call", "name": "look", "call_id": "call_x", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_x", "output": "seen"}
    pair.do(lambda c: c.add_item({**sound, "id": "item_a"}, "root"))
    pair.do(lambda c: c.add_item({**call, "id": "item_b"}, "item_a"))
    pair.do(lambda c: c.add_item({**output, "id": "item_c"}, answer))
    pair.do(lambda c: c.add_item({**sound, "id": "item_a"}, "root"))
    assert pair.errors == ["item_create_duplicate_item_id"]
    found = [act for act in acts(pair) if isinstance(act, AddItem)]
    assert [(act.item, act.previous_item_id) for act in found] == [
        ({**sound, "id": "item_a"}, "root"),
        ({**call, "id": "item_b"}, "item_a"),
        ({**output, "id": "item_c"}, None),
    ]


@both
def test_a_history_is_not_what_the_user_did(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.note("history", item_ids=["item_old"], source="given")
    item: dict[str, Any] = {"id": "item_old", "type": "message", "role": "user"}
    pair.do(lambda c: c.add_item({**item, "content": [{"type": "input_text", "text": "before"}]}))
    ask(pair)
    assert acts(pair) == [HELLO]


@both
@pytest.mark.parametrize("format_type", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_sound_is_what_was_spoken_whatever_passed(dialect: Dialect, format_type: str) -> None:
    pair = new_pair(dialect)
    told = {"type": format_type} | ({"rate": 24_000} if format_type == "audio/pcm" else {})
    pair.do(lambda c: c.update({"audio": {"input": {"format": told}}}))
    turn_detection(pair, None)
    pair.do(lambda c: c.press())
    pair.speak(tone(500))
    pair.do(lambda c: c.release())
    (utterance,) = acts(pair)
    assert isinstance(utterance, Utterance)
    assert len(utterance.pcm) == 500 * MS


@both
def test_a_refused_commit_is_no_utterance_and_its_audio_is_the_nexts(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    turn_detection(pair, None)
    pair.speak(tone(40))
    pair.do(lambda c: c.commit())
    assert pair.errors == ["input_audio_buffer_commit_empty"]
    pair.speak(tone(200))
    pair.do(lambda c: c.commit())
    assert [act.pcm for act in acts(pair) if isinstance(act, Utterance)] == [tone(240)]


@both
def test_a_question_from_a_file_takes_turn_detection_off_for_itself(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.speak(silence(100))
    detection = pair.client.turn_detection
    turn_detection(pair, None)
    pair.do(lambda c: c.clear())
    pair.client.append_audio(tone(300))
    pair.do(lambda c: c.commit())
    pair.do(lambda c: c.respond())
    turn_detection(pair, detection)
    pair.run()
    pair.speak(silence(100))
    assert acts(pair) == [Utterance(0, 0, tone(300), {}, after_answer=True)]
    assert len(frames(pair)) == 10


@both
def test_updates_count_from_when_they_were_sent_and_not_where_they_are_refused(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    manual: dict[str, Any] = {"audio": {"input": {"turn_detection": None}}}
    pair.do(lambda c: c.update({**manual, "max_output_tokens": 100_000}))
    assert pair.errors == ["integer_above_max_value"]
    pair.speak(silence(100))
    pair.client.update(manual)
    pair.client.append_audio(tone(300))
    pair.do(lambda c: c.commit())
    assert [type(act) for act in acts_of(pair.log)] == [Frame] * 5 + [Utterance]


# ------------------------------------------------------------------------------------ without turn detection


def test_utterances_that_were_found_become_utterances_by_hand() -> None:
    pair = new_pair("ga")
    utter(pair)
    pair.run()
    ask(pair)
    pair.run()
    utter(pair)
    pair.run()
    first, text, second = as_utterances(acts_of(pair.log))
    assert isinstance(first, Utterance)
    assert isinstance(text, Text)
    assert isinstance(second, Utterance)
    for utterance in (first, second):
        assert tone(600) in utterance.pcm
        assert utterance.respond == {}
        assert utterance.until_s - utterance.at_s == pytest.approx(len(utterance.pcm) / MS / 1000, abs=0.021)
    assert second.after_answer


def test_an_answer_that_was_asked_for_is_not_asked_for_twice() -> None:
    frame = Frame(0, tone(100), begins_speech=True)
    last = Frame(1, tone(100), ends_speech=True, begins_speech=True)
    given: list[Act] = [Frame(0, silence(20)), frame, last, Respond(2, {"voice": "ash"}), Frame(3, tone(100))]
    found = as_utterances(given)
    assert found == [
        Utterance(0, 1, tone(200), None),
        Respond(2, {"voice": "ash"}),
        Utterance(1, 3, tone(200), {}),
    ]


# ---- over several connections ------------------------------------------------------------------------------


def cut_and_mended(pair: ProtocolPair) -> None:
    pair.cut()
    pair.mend()
    pair.run()


@both
def test_a_question_that_is_asked_again_was_asked_once(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.server_waits = True
    ask(pair)
    cut_and_mended(pair)
    pair.server_waits = False
    pair.run()
    ask(pair, "and more")
    pair.run()
    assert acts(pair) == [HELLO, Text(0, "user", "and more", {}, after_answer=True)]


@both
def test_an_utterance_whose_commit_was_lost_was_said_once(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    turn_detection(pair, None)
    pair.speak(tone(300))
    pair.client.commit()
    pair.client.respond()
    pair.pump()
    cut_and_mended(pair)
    assert acts(pair) == [Utterance(0, 0, tone(300), {}, after_answer=True)]


@both
def test_sound_that_is_sent_again_was_said_once(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.speak(silence(300), tone(300))
    pair.cut()
    pair.client.append_audio(tone(300))
    pair.mend()
    pair.speak(silence(700))
    pair.run()
    heard = b"".join(frame.pcm for frame in frames(pair))
    assert heard == silence(300) + tone(600) + silence(700)
    assert acts(pair) == []
    assert [f.begins_speech for f in frames(pair)].count(True) == 1
    assert [f.ends_speech for f in frames(pair)].count(True) == 1


@both
def test_an_answer_of_the_server_to_a_voice_that_is_asked_for_again_is_no_act(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.server.speech_ms = 4000
    utter(pair)
    pair.server_waits = True
    cut_and_mended(pair)
    pair.server_waits = False
    pair.run()
    assert acts(pair) == []
