"""`idle_timeout_ms`: a user who says nothing gets a turn all the same, on the audio's clock."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.unit.protocol.server.server_end import (
    MS,
    Say,
    ServerEnd,
    base64_of,
    error_of,
    kinds,
    silence,
    tone,
)

TIMED_OUT = "input_audio_buffer.timeout_triggered"
WAITING = {"type": "server_vad", "idle_timeout_ms": 5000}


def waiting_end(*, speech_ms: int = 1000, heard_ms: int = 200) -> ServerEnd:
    """A server that has given an answer of that length after so much audio, and waits."""
    end = ServerEnd("ga")
    end.set_turn_detection(WAITING)
    end.speech_ms = speech_ms
    end.append(silence(heard_ms))
    end.send("response.create")
    end.hears = ""
    return end


def timeouts(end: ServerEnd) -> list[dict[str, Any]]:
    return [event for event in end.events if event["type"] == TIMED_OUT]


def test_silence_after_the_answer_was_played_is_a_turn() -> None:
    end = waiting_end()
    end.set_transcription()
    start = len(end.events)
    end.append(silence(1000 + 4990))
    assert len(end.events) == start, "not yet"
    events = end.append(silence(10))
    assert kinds(events)[:6] == [
        TIMED_OUT,
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "rate_limits.updated",
    ]
    assert (events[0]["audio_start_ms"], events[0]["audio_end_ms"]) == (200 + 1000, 200 + 1000 + 5000)
    assert events[0]["item_id"] == events[1]["item_id"] == events[2]["item"]["id"]
    assert events[2]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert events[-1]["response"]["status"] == "completed"
    [got] = end.send("conversation.item.retrieve", item_id=events[0]["item_id"])
    assert base64.b64decode(got["item"]["content"][0]["audio"]) == silence(5000)
    assert end.prompts[-1].lines[-1].role == "silence"
    assert end.last("conversation.item.input_audio_transcription.completed")["transcript"] == ""
    assert end.listened[events[0]["item_id"]] == pytest.approx(5000 * 32, abs=10 * 32)


@pytest.mark.parametrize("piece_ms", [10, 40, 333, 20_000])
def test_how_the_silence_is_cut_makes_no_difference(piece_ms: int) -> None:
    end = waiting_end()
    for _ in range(20_000 // piece_ms):
        end.append(silence(piece_ms))
    ends = [event["audio_end_ms"] for event in timeouts(end)]
    # The second wait begins with the answer to the first: while it is being played.
    assert ends[0] == 6200
    if piece_ms <= 40:
        assert ends == pytest.approx([6200, 12_200, 18_200], abs=100)


def test_the_next_wait_begins_when_the_answer_to_the_first_was_played() -> None:
    end = waiting_end()
    end.append(silence(6000))
    end.append(silence(6000))
    assert [(one["audio_start_ms"], one["audio_end_ms"]) for one in timeouts(end)] == [
        (1200, 6200),
        (7200, 12_200),
    ]


def test_nobody_is_waited_for_before_the_first_answer() -> None:
    end = ServerEnd("ga")
    end.set_turn_detection(WAITING)
    end.append(silence(20_000))
    assert not timeouts(end)


def test_without_the_setting_nobody_is_waited_for() -> None:
    end = waiting_end()
    end.set_turn_detection({"type": "server_vad"})
    end.append(silence(20_000))
    assert not timeouts(end)
    assert len(end.protocol._input._audio) <= 1000 * MS, "and the silence is not kept"


def test_a_muted_microphone_that_sends_nothing_stops_the_clock() -> None:
    end = waiting_end()
    end.append(silence(5000))
    end.run()
    assert not timeouts(end)


def test_who_speaks_in_time_is_not_asked() -> None:
    end = waiting_end()
    end.append(silence(5500) + tone(500) + silence(600))
    assert not timeouts(end)
    assert end.types.count("input_audio_buffer.speech_stopped") == 1
    end.append(silence(1000 + 4500))
    assert not timeouts(end), "the wait began anew with the answer"
    end.append(silence(1000))
    assert len(timeouts(end)) == 1


def test_who_begins_to_speak_at_the_last_moment_interrupts_the_question() -> None:
    end = waiting_end()
    end.receive("input_audio_buffer.append", audio=base64_of(silence(5950) + tone(500) + silence(600)))
    end.run()
    order = [kind for kind in kinds(end.events) if kind.startswith("input_audio_buffer.")]
    assert order == [
        TIMED_OUT,
        "input_audio_buffer.committed",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ]
    statuses = [e["response"]["status"] for e in end.events if e["type"] == "response.done"]
    assert statuses == ["completed", "cancelled", "completed"]
    assert end.last("input_audio_buffer.speech_started")["audio_start_ms"] == 6200, "not in the turn before"


def test_an_answer_that_is_being_given_is_not_waited_in() -> None:
    end = waiting_end()
    end.speech_ms = 60_000
    end.receive("response.create")
    end.run(steps=5)
    end.receive("input_audio_buffer.append", audio=base64_of(silence(20_000)))
    assert not timeouts(end)


def test_the_wait_begins_where_playing_ends_however_slowly_it_was_sent() -> None:
    end = ServerEnd("ga")
    end.set_turn_detection(WAITING)
    end.speech_ms = 1000
    end.receive("response.create")
    end.run(steps=3)  # its first sound
    for _ in range(8):  # then in real time
        end.receive("input_audio_buffer.append", audio=base64_of(silence(100)))
        end.run(steps=1)
    end.run()
    end.append(silence(10_000))
    assert timeouts(end)[0]["audio_start_ms"] == pytest.approx(1000, abs=1)


def test_an_answer_without_sound_is_waited_for_at_once() -> None:
    end = ServerEnd("ga")
    end.set_turn_detection(WAITING)
    end.send("response.create", response={"output_modalities": ["text"]})
    end.append(silence(5000))
    assert [one["audio_end_ms"] for one in timeouts(end)] == [5000]


def test_a_commit_by_hand_ends_the_wait() -> None:
    end = waiting_end()
    end.append(silence(4000))
    end.send("input_audio_buffer.commit")
    end.append(silence(10_000))
    assert not timeouts(end)


def test_who_was_heard_is_not_asked_even_if_the_words_were_thrown_away() -> None:
    end = waiting_end()
    end.append(silence(2000) + tone(300))
    assert end.types[-1] == "input_audio_buffer.speech_started"
    end.send("input_audio_buffer.clear")
    end.append(silence(20_000))
    assert not timeouts(end)


def test_who_interrupted_and_gets_no_answer_is_not_asked_either() -> None:
    end = waiting_end()
    end.set_turn_detection({**WAITING, "create_response": False})
    end.speech_ms = 60_000
    end.receive("response.create")
    end.run(steps=5)
    end.append(tone(500) + silence(600))
    assert end.last("response.done")["response"]["status"] == "cancelled"
    end.append(silence(20_000))
    assert not timeouts(end)


def test_the_question_comes_whatever_create_response_says() -> None:
    end = waiting_end()
    end.set_turn_detection({**WAITING, "create_response": False})
    end.says = [Say("Hello?")]
    end.append(silence(6000))
    assert len(timeouts(end)) == 1
    assert end.types[-1] == "response.done"


def test_words_that_no_detector_found_are_words() -> None:
    end = waiting_end()
    end.hears = "psst"
    end.append(silence(6000))
    assert end.prompts[-1].lines[-1][:2] == ("user", "psst")


def test_only_some_lengths_are_taken_and_only_in_ga() -> None:
    end = ServerEnd("ga")
    for value, code in ((4999, "integer_below_min_value"), (30_001, "integer_above_max_value")):
        error = error_of(end.set_turn_detection({**WAITING, "idle_timeout_ms": value}))
        assert error["code"] == code
        assert error["param"] == "session.audio.input.turn_detection.idle_timeout_ms"
    error = error_of(ServerEnd("beta").set_turn_detection(WAITING))
    assert (error["code"], error["param"]) == ("unknown_parameter", "session.turn_detection.idle_timeout_ms")
