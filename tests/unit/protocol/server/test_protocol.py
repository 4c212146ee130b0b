"""What the server's end of the protocol answers, in both dialects; no socket, no clock, no thread."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.protocol.dialects import wire_type
from gip_nb.protocol.server.parts import Listen, Speak, Understand
from tests.unit.protocol.server.server_end import (
    MS,
    Call,
    Say,
    ServerEnd,
    base64_of,
    error_of,
    kinds,
    silence,
    tone,
)

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect

BOTH = pytest.mark.parametrize("dialect", ["beta", "ga"])


def answer_order(dialect: Dialect) -> list[str]:
    """What PROTOCOL demands of the order of a spoken answer, deltas folded."""
    item_added = wire_type("conversation.item.added", dialect)
    audio, transcript = (
        wire_type(f"response.output_{name}", dialect).removesuffix(".delta")
        for name in ("audio.delta", "audio_transcript.delta")
    )
    done = ["conversation.item.done"] if dialect == "ga" else []
    return [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        item_added,
        "response.content_part.added",
        f"{transcript}.delta",
        f"{audio}.delta",
        f"{transcript}.delta",
        f"{audio}.delta",
        f"{audio}.done",
        f"{transcript}.done",
        "response.content_part.done",
        "response.output_item.done",
        *done,
        "response.done",
    ]


# ---------------------------------------------------------------------------------------------------- session


@BOTH
def test_nothing_is_sent_unasked_but_session_created(dialect: Dialect) -> None:
    end = ServerEnd(dialect, model="openai/gpt-4o-realtime-preview-2024-12-17")
    assert end.types == ["session.created"]
    session = end.events[0]["session"]
    assert session["id"] == end.protocol.session_id
    if dialect == "beta":
        assert session["model"] == "gpt-4o-realtime-preview-2024-12-17"
        assert "type" not in session
        assert session["modalities"] == ["text", "audio"]
        assert session["input_audio_format"] == session["output_audio_format"] == "pcm16"
        assert session["turn_detection"]["silence_duration_ms"] == 500
        assert session["input_audio_transcription"] is None
        assert session["temperature"] == 0.8
    else:
        assert session["model"] == "openai/gpt-4o-realtime-preview-2024-12-17"
        assert session["type"] == "realtime"
        assert session["output_modalities"] == ["audio"]
        assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
        assert session["audio"]["input"]["turn_detection"]["prefix_padding_ms"] == 300
        assert "temperature" not in session


# ------------------------------------------------------------------------------------------------- voice turn


@BOTH
def test_a_spoken_turn_comes_in_the_order_that_clients_demand(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.set_transcription()
    end.says = [Say("Good morning to you all.")]
    start = len(end.events)
    end.append(silence(1000) + tone(800) + silence(700))
    item_added = wire_type("conversation.item.added", dialect)
    item_done = ["conversation.item.done"] if dialect == "ga" else []
    order = answer_order(dialect)
    transcription = "conversation.item.input_audio_transcription"
    assert kinds(end.events[start:]) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        item_added,
        *item_done,
        *order[:2],
        f"{transcription}.delta",
        f"{transcription}.completed",
        *order[2:],
    ]
    started, stopped, committed, added = end.events[start : start + 4]
    assert started["item_id"] == stopped["item_id"] == committed["item_id"] == added["item"]["id"]
    assert started["audio_start_ms"] == 1000 - 300
    assert stopped["audio_end_ms"] == 1800 + 500
    assert committed["previous_item_id"] is None
    assert added["item"]["role"] == "user"
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    completed = end.last(f"{transcription}.completed")
    assert completed["transcript"] == end.hears
    assert completed["usage"] == {"type": "duration", "seconds": 1.6}
    answer = end.last(item_added)
    assert answer["previous_item_id"] == committed["item_id"]


@BOTH
def test_the_parts_of_a_spoken_answer_add_up(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.speech_ms = 1234
    end.says = [Say("One two three, four five six.")]
    events = end.send("response.create")
    audio_delta = wire_type("response.output_audio.delta", dialect)
    transcript_delta = wire_type("response.output_audio_transcript.delta", dialect)
    pieces = [base64.b64decode(event["delta"]) for event in events if event["type"] == audio_delta]
    assert b"".join(pieces) == tone(1234)
    assert [len(piece) // MS for piece in pieces] == [100] * 12 + [34]
    words = [event["delta"] for event in events if event["type"] == transcript_delta]
    assert words == ["One", " two", " three,", " four", " five", " six."]
    order = [event["type"] for event in events if event["type"] in (audio_delta, transcript_delta)]
    assert order[:2] == [transcript_delta, audio_delta]
    last_word_at = len(order) - 1 - order[::-1].index(transcript_delta)
    assert 0.6 < last_word_at / len(order) < 1, "words are spread over the audio"
    done = events[-1]["response"]
    part = {
        "type": "audio" if dialect == "beta" else "output_audio",
        "transcript": "One two three, four five six.",
    }
    assert done["output"][0]["content"] == [part]
    assert done["output"][0]["status"] == done["status"] == "completed"
    assert all(event.get("content_index", 0) == 0 and event.get("output_index", 0) == 0 for event in events)


@BOTH
def test_every_event_has_an_id_of_its_own(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.append(tone(500) + silence(600))
    ids = [event["event_id"] for event in end.events]
    assert len(set(ids)) == len(ids)


@BOTH
def test_without_transcription_no_transcript_is_sent_but_the_wits_know(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.append(tone(500) + silence(600))
    assert not [kind for kind in end.types if "input_audio_transcription" in kind]
    assert end.prompts[0].lines[-1].text == end.hears
    item_id = end.last("input_audio_buffer.committed")["item_id"]
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    assert got["item"]["content"][0]["transcript"] is None


def test_without_ears_the_transcript_says_how_long_the_user_spoke() -> None:
    end = ServerEnd("ga")
    end.hears = None
    end.set_transcription()
    end.append(silence(300) + tone(2100) + silence(600))
    completed = end.last("conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == "(you spoke for 2.1 s)"
    assert end.prompts[0].lines[-1].speech_ms == 2100


def test_ears_that_fail_fail_the_transcript_and_nothing_else() -> None:
    end = ServerEnd("ga")
    end.holds = (Understand,)
    end.set_transcription()
    end.append(tone(500) + silence(600))
    [job] = end.held
    end.protocol.heard(job.item_id, None, "the recogniser broke")
    end.run()
    failed = end.last("conversation.item.input_audio_transcription.failed")
    assert failed["error"]["message"] == "the recogniser broke"
    assert end.last("response.done")["response"]["status"] == "completed"


def test_the_ears_listen_while_the_user_still_speaks() -> None:
    end = ServerEnd("ga")
    for _ in range(10):
        end.append(tone(40))
    item_id = end.last("input_audio_buffer.speech_started")["item_id"]
    assert end.listened[item_id] > 300 * 32
    end.append(silence(600))
    audio_ms = 400 + 500
    assert end.listened[item_id] == pytest.approx(audio_ms * 32, abs=10 * 32)


def test_an_answer_waits_for_the_words_that_it_answers() -> None:
    end = ServerEnd("ga")
    end.holds = (Understand,)
    end.append(tone(500) + silence(600))
    assert end.types[-2:] == ["response.created", "rate_limits.updated"]
    assert not end.prompts
    end.protocol.heard(end.held[0].item_id, "at last")
    end.run()
    assert end.prompts[0].lines[-1].text == "at last"
    assert end.types[-1] == "response.done"


@BOTH
def test_vad_without_create_response_only_commits(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.set_turn_detection({"type": "server_vad", "create_response": False})
    end.append(tone(500) + silence(600))
    assert "input_audio_buffer.committed" in end.types
    assert "response.created" not in end.types


@BOTH
def test_push_to_talk_commits_by_hand(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.set_turn_detection(None)
    assert end.append(tone(500) + silence(900)) == []
    committed = end.send("input_audio_buffer.commit")
    item_added = wire_type("conversation.item.added", dialect)
    done = ["conversation.item.done"] if dialect == "ga" else []
    assert kinds(committed) == ["input_audio_buffer.committed", item_added, *done]
    assert end.listened[committed[0]["item_id"]] == pytest.approx(1400 * 32, abs=320)
    assert kinds(end.send("response.create")) == answer_order(dialect)


@BOTH
@pytest.mark.parametrize("held_ms", [0, 99])
def test_a_commit_of_too_little_is_an_error(dialect: Dialect, held_ms: int) -> None:
    end = ServerEnd(dialect)
    end.set_turn_detection(None)
    end.append(silence(held_ms))
    error = error_of(end.send("input_audio_buffer.commit", event_id="c1"))
    assert error["code"] == "input_audio_buffer_commit_empty"
    assert f"{held_ms:.2f}ms" in error["message"]
    assert error["event_id"] == "c1"


@BOTH
def test_a_cleared_buffer_has_nothing_to_commit(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.set_turn_detection(None)
    end.append(tone(500))
    assert kinds(end.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert len(end.forgotten) == 1
    assert error_of(end.send("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"


def test_turning_detection_off_leaves_nothing_of_the_silence_to_commit() -> None:
    end = ServerEnd("ga")
    end.append(silence(2000))
    end.set_turn_detection(None)
    assert error_of(end.send("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"


@BOTH
def test_retrieving_an_item_gives_its_audio(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.append(silence(1000) + tone(500) + silence(600))
    item_id = end.last("input_audio_buffer.committed")["item_id"]
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    assert got["type"] == "conversation.item.retrieved"
    assert base64.b64decode(got["item"]["content"][0]["audio"]) == silence(300) + tone(500) + silence(500)


# ------------------------------------------------------------------------------------------------- typed turn


@BOTH
def test_a_typed_turn_answers_the_typed_words(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.type_text("how are you")
    end.send("response.create")
    assert end.prompts[0].lines == (("user", "how are you", "", 0),)


@BOTH
def test_a_written_answer_has_no_audio(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    name = "modalities" if dialect == "beta" else "output_modalities"
    end.says = [Say("Just text, nothing else.")]
    events = end.send("response.create", response={name: ["text"]})
    text = wire_type("response.output_text.delta", dialect).removesuffix(".delta")
    assert kinds(events)[4:9] == [
        "response.content_part.added",
        f"{text}.delta",
        f"{text}.done",
        "response.content_part.done",
        "response.output_item.done",
    ]
    part = {"type": "text" if dialect == "beta" else "output_text", "text": "Just text, nothing else."}
    assert events[-1]["response"]["output"][0]["content"] == [part]
    assert not [job for job in end.asked if isinstance(job, Speak)]
    assert events[4]["part"] == {"type": "text", "text": ""}


@BOTH
def test_audio_in_a_created_item_is_heard_but_not_transcribed(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.set_transcription()
    content = [{"type": "input_audio", "audio": base64_of(tone(700))}]
    events = end.send(
        "conversation.item.create", item={"type": "message", "role": "user", "content": content}
    )
    assert "audio" not in events[0]["item"]["content"][0]
    assert not [event for event in events if "transcription" in event["type"]]
    end.send("response.create")
    assert end.prompts[0].lines[-1].text == end.hears


@BOTH
def test_metadata_comes_back(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    events = end.send("response.create", response={"metadata": {"topic": "weather"}})
    assert events[0]["response"]["metadata"] == events[-1]["response"]["metadata"] == {"topic": "weather"}


@BOTH
def test_a_response_overrides_the_session_for_itself_alone(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.send("response.create", response={"instructions": "Sing.", "tool_choice": "none"})
    assert end.prompts[-1].instructions == "Sing."
    assert end.prompts[-1].tool_choice == "none"
    end.send("response.create")
    assert end.prompts[-1].instructions != "Sing."


@BOTH
def test_usage_counts_by_the_published_rule(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.update(instructions="")
    end.speech_ms = 1000
    end.says = [Say("x" * 40)]
    end.append(silence(300) + tone(500) + silence(600))
    usage = end.last("response.done")["response"]["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 13, "1300 ms, 100 ms a token"
    assert usage["output_token_details"] == {"text_tokens": 10, "audio_tokens": 20}
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_token_details"]["cached_tokens"] == 0
    end.send("response.create")
    again = end.last("response.done")["response"]["usage"]
    assert again["input_token_details"]["audio_tokens"] == 13 + 20, "the whole conversation is read again"
    assert again["input_token_details"]["cached_tokens"] == usage["input_tokens"]
    assert ("cached_tokens_details" in again["input_token_details"]) == (dialect == "ga")


def test_rate_limits_go_down() -> None:
    end = ServerEnd("ga")
    remaining = []
    for _ in range(3):
        end.send("response.create")
        limits = {limit["name"]: limit for limit in end.last("rate_limits.updated")["rate_limits"]}
        remaining.append((limits["requests"]["remaining"], limits["tokens"]["remaining"]))
    assert remaining == sorted(remaining, reverse=True)
    assert len(set(remaining)) == 3


# ------------------------------------------------------------------------------------------------------ tools


@BOTH
def test_a_tool_call_streams_its_arguments(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.says = [Call("get_weather", '{"location": "Seoul"}')]
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    end.update(tools=[tool], tool_choice="auto")
    events = end.send("response.create")
    added = wire_type("conversation.item.added", dialect)
    done = ["conversation.item.done"] if dialect == "ga" else []
    assert kinds(events) == [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        added,
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        *done,
        "response.done",
    ]
    deltas = [event["delta"] for event in events if event["type"].endswith("arguments.delta")]
    assert len(deltas) > 1
    assert "".join(deltas) == '{"location": "Seoul"}'
    call = events[-1]["response"]["output"][0]
    assert (call["type"], call["name"], call["arguments"]) == (
        "function_call",
        "get_weather",
        "".join(deltas),
    )
    finished = next(event for event in events if event["type"].endswith("arguments.done"))
    assert finished["call_id"] == call["call_id"]
    assert ("name" in finished) == (dialect == "ga")
    assert end.prompts[0].tools == (tool,)
    end.says = [Say("It is sunny.")]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    assert added in kinds(end.send("conversation.item.create", item=output))
    end.send("response.create")
    assert end.prompts[-1].lines[-1] == ("output", "sunny", "get_weather", 0)


# ----------------------------------------------------------------------------------------------- interruption


def speaking_end(dialect: Dialect, *, sent_ms: int = 500) -> tuple[ServerEnd, str]:
    """A server that has sent so much of a two second answer, and the answer's item id."""
    end = ServerEnd(dialect)
    end.speech_ms = 2000
    end.says = [Say("one two three four five six seven eight nine ten")]
    end.receive("response.create")
    end.run(steps=1 + sent_ms // 100)
    return end, end.last("response.output_item.added")["item"]["id"]


@BOTH
def test_speech_cancels_the_answer_that_is_being_given(dialect: Dialect) -> None:
    end, item_id = speaking_end(dialect)
    start = len(end.events)
    end.receive("input_audio_buffer.append", audio=base64_of(tone(300)))
    done = ["conversation.item.done"] if dialect == "ga" else []
    audio, transcript = (
        wire_type(f"response.output_{name}.done", dialect) for name in ("audio", "audio_transcript")
    )
    assert kinds(end.events[start:]) == [
        "input_audio_buffer.speech_started",
        audio,
        transcript,
        "response.content_part.done",
        "response.output_item.done",
        *done,
        "response.done",
    ]
    response = end.events[-1]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["id"] == item_id
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_token_details"]["audio_tokens"] == 10, "cancelled ones are billed too"


@BOTH
def test_speech_leaves_the_answer_alone_where_it_may_not_interrupt(dialect: Dialect) -> None:
    end, _ = speaking_end(dialect)
    end.set_turn_detection({"type": "server_vad", "interrupt_response": False})
    assert end.last("response.done")["response"]["status"] == "completed", "the update ran it to its end"
    end, _ = speaking_end(dialect)
    end.receive("session.update", session=_vad(dialect, interrupt_response=False))
    start = len(end.events)
    end.receive("input_audio_buffer.append", audio=base64_of(tone(300) + silence(600)))
    codes = [event["error"]["code"] for event in end.events[start:] if event["type"] == "error"]
    assert codes == ["conversation_already_has_active_response"], "the turn gets no answer"
    end.run()
    assert end.last("response.done")["response"]["status"] == "completed"


def _vad(dialect: Dialect, **settings: object) -> dict[str, object]:
    value = {"type": "server_vad", **settings}
    if dialect == "beta":
        return {"turn_detection": value}
    return {"type": "realtime", "audio": {"input": {"turn_detection": value}}}


@BOTH
def test_a_cancelled_response_stops_where_it_is(dialect: Dialect) -> None:
    end, item_id = speaking_end(dialect)
    events = end.send("response.cancel")
    assert events[-1]["response"]["status_details"]["reason"] == "client_cancelled"
    assert not end.protocol.has_more
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    assert base64.b64decode(got["item"]["content"][0]["audio"]) == tone(500)
    assert got["item"]["content"][0]["transcript"] == "one two three"


@BOTH
def test_a_response_can_be_cancelled_before_it_says_anything(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.holds = (Speak,)
    end.send("response.create")
    events = end.send("response.cancel", response_id=end.last("response.created")["response"]["id"])
    assert events[-1]["response"]["status"] == "cancelled"
    late = end.held[0]
    assert isinstance(late, Speak)
    end.do(late)
    end.run()
    assert end.types[-1] == "response.done", "speech that comes late is not sent"


@BOTH
def test_cancel_with_nothing_to_cancel_is_an_error_and_nothing_else(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    error = error_of(end.send("response.cancel", event_id="x"))
    assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "x")
    end.send("response.create")
    assert error_of(end.send("response.cancel"))["code"] == "response_cancel_not_active"
    assert error_of(end.send("response.cancel", response_id="resp_x"))["code"] == "response_cancel_not_active"


@BOTH
def test_one_active_response_at_a_time(dialect: Dialect) -> None:
    end, _ = speaking_end(dialect)
    [refused] = end.receive("response.create", event_id="r2")
    assert refused["error"]["code"] == "conversation_already_has_active_response"
    assert refused["error"]["event_id"] == "r2"
    end.run()
    assert end.types.count("response.done") == 1
    assert kinds(end.send("response.create"))[0] == "response.created"


@BOTH
def test_out_of_band_responses_run_beside_and_leave_no_trace(dialect: Dialect) -> None:
    end, spoken_id = speaking_end(dialect)
    end.type_text("never mind")
    own = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "classify this"}]}
    reference = {"type": "item_reference", "id": spoken_id}
    response = {"conversation": "none", "input": [reference, own], "metadata": {"kind": "side"}}
    before = len(end.events)
    events = end.send("response.create", response=response)
    side = next(event["response"] for event in events if event["type"] == "response.created")
    assert side["conversation_id"] is None
    assert end.prompts[-1].lines[-1].text == "classify this"
    assert end.prompts[-1].lines[0].role == "assistant"
    item_id = next(event for event in events if event["type"] == "response.output_item.added")["item"]["id"]
    told = [
        event["item"]["id"] for event in end.events[before:] if event["type"].startswith("conversation.item")
    ]
    assert item_id not in told
    assert (
        error_of(end.send("conversation.item.retrieve", item_id=item_id))["code"]
        == "item_retrieve_invalid_item_id"
    )


# --------------------------------------------------------------------------------------------------- truncate


@BOTH
def test_after_a_truncation_the_server_remembers_what_was_heard(dialect: Dialect) -> None:
    end, item_id = speaking_end(dialect)
    end.run()
    [cut] = end.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=900)
    assert cut["type"] == "conversation.item.truncated"
    assert (cut["item_id"], cut["content_index"], cut["audio_end_ms"]) == (item_id, 0, 900)
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    assert base64.b64decode(got["item"]["content"][0]["audio"]) == tone(900)
    assert got["item"]["content"][0]["transcript"] == "one two three four"
    end.send("response.create")
    assert end.prompts[-1].lines[-1].text == "one two three four"
    error = error_of(
        end.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=901)
    )
    assert "900ms is already shorter than 901ms" in error["message"]


@BOTH
def test_truncation_to_nothing_and_to_the_very_end(dialect: Dialect) -> None:
    end, item_id = speaking_end(dialect)
    end.run()
    place = {"item_id": item_id, "content_index": 0}
    assert kinds(end.send("conversation.item.truncate", **place, audio_end_ms=2000)) == [
        "conversation.item.truncated"
    ]
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    assert got["item"]["content"][0]["transcript"].endswith("nine ten")
    end.send("conversation.item.truncate", **place, audio_end_ms=0)
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    assert got["item"]["content"][0]["transcript"] == ""


@BOTH
def test_an_answer_that_is_cut_while_it_is_given_stays_cut(dialect: Dialect) -> None:
    end, item_id = speaking_end(dialect)
    end.receive("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=300)
    end.run()
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    assert base64.b64decode(got["item"]["content"][0]["audio"]) == tone(300)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"audio_end_ms": 2001}, "invalid_value", "audio_end_ms"),
        ({"audio_end_ms": -1}, "integer_below_min_value", "audio_end_ms"),
        ({"audio_end_ms": 1.5}, "invalid_type", "audio_end_ms"),
        ({"audio_end_ms": True}, "invalid_type", "audio_end_ms"),
        ({"content_index": 1}, "invalid_value", "content_index"),
        ({"item_id": "item_none"}, "item_truncate_invalid_item_id", "item_id"),
        ({"item_id": None}, "missing_required_parameter", "item_id"),
    ],
)
@BOTH
def test_truncations_that_cannot_be_are_refused(
    dialect: Dialect, fields: dict[str, object], code: str, param: str
) -> None:
    end, item_id = speaking_end(dialect)
    end.run()
    asked = {"item_id": item_id, "content_index": 0, "audio_end_ms": 100, **fields}
    error = error_of(end.send("conversation.item.truncate", **asked))
    assert (error["code"], error["param"]) == (code, param)


@BOTH
def test_only_answers_with_audio_can_be_truncated(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.append(tone(500) + silence(600))
    user_id = end.last("input_audio_buffer.committed")["item_id"]
    end.holds = (Speak,)
    end.send("response.create")
    silent_id = end.last("response.output_item.added")["item"]["id"]
    for item_id in (user_id, silent_id):
        asked = {"item_id": item_id, "content_index": 0, "audio_end_ms": 0}
        error = error_of(end.send("conversation.item.truncate", **asked))
        assert "Only model output audio messages can be truncated" in error["message"]


# ----------------------------------------------------------------------------------------------- conversation


@BOTH
def test_order_follows_previous_item_id(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    added = wire_type("conversation.item.added", dialect)

    def create(text: str, **fields: object) -> tuple[str, str | None]:
        events = end.type_text(text, **fields)
        assert events[0]["type"] == added
        return events[0]["item"]["id"], events[0]["previous_item_id"]

    first, before_first = create("first")
    assert before_first is None
    last, before_last = create("last", previous_item_id=None)
    assert before_last == first
    assert create("between", previous_item_id=first)[1] == first
    assert create("root", previous_item_id="root")[1] is None
    end.send("response.create")
    assert [line.text for line in end.prompts[0].lines] == ["root", "first", "between", "last"]
    assert end.last("response.output_item.added")["item"]["id"] != last


@BOTH
def test_a_deleted_item_is_gone(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    item_id = end.type_text("forget me")[0]["item"]["id"]
    end.type_text("stay")
    [deleted] = end.send("conversation.item.delete", item_id=item_id)
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", item_id)
    assert (
        error_of(end.send("conversation.item.delete", item_id=item_id))["code"]
        == "item_delete_invalid_item_id"
    )
    assert (
        error_of(end.send("conversation.item.retrieve", item_id=item_id))["code"]
        == "item_retrieve_invalid_item_id"
    )
    end.send("response.create")
    assert [line.text for line in end.prompts[0].lines] == ["stay"]


def test_deleting_words_that_nobody_has_understood_yet_frees_the_answer() -> None:
    end = ServerEnd("ga")
    end.holds = (Understand,)
    end.append(tone(500) + silence(600))
    item_id = end.last("input_audio_buffer.committed")["item_id"]
    end.send("conversation.item.delete", item_id=item_id)
    assert end.last("response.done")["response"]["status"] == "completed"
    end.protocol.heard(item_id, "too late")
    end.run()
    assert end.types[-1] == "response.done"


@BOTH
def test_an_item_id_is_taken_once_and_its_place_must_exist(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    item = {"id": "mine", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    assert end.send("conversation.item.create", item=item)[0]["item"]["id"] == "mine"
    assert (
        error_of(end.send("conversation.item.create", item=item))["code"] == "item_create_duplicate_item_id"
    )
    error = error_of(end.type_text("b", previous_item_id="nowhere"))
    assert error["code"] == "item_create_invalid_previous_item_id"


# ----------------------------------------------------------------------------------------------------- frames


@given(cuts=st.lists(st.integers(0, 1500 * MS), max_size=12))
@settings(max_examples=25, deadline=None)
def test_audio_split_at_any_byte_is_the_same_audio(cuts: list[int]) -> None:
    pcm = silence(300) + tone(500) + silence(700)
    whole, split = ServerEnd("ga"), ServerEnd("ga")
    whole.append(pcm)
    edges = [0, *sorted(cuts), len(pcm)]
    for start, end in itertools.pairwise(edges):
        split.append(pcm[start:end])
    assert kinds(whole.events) == kinds(split.events)
    audio = []
    for end_ in (whole, split):
        item_id = end_.last("input_audio_buffer.committed")["item_id"]
        [got] = end_.send("conversation.item.retrieve", item_id=item_id)
        audio.append(got["item"]["content"][0]["audio"])
    assert audio[0] == audio[1]


def test_frames_tell_their_type_and_samples_for_the_log() -> None:
    end = ServerEnd("beta")
    frame = json.dumps({"type": "input_audio_buffer.append", "audio": base64_of(tone(40))})
    assert end.protocol.receive(frame) == ("input_audio_buffer.append", 960)
    assert end.protocol.receive('{"type": "nonsense"}') == ("nonsense", 0)
    end.protocol.frames()
    end.receive("response.create")
    end.protocol.advance()
    end.do_jobs()
    end.protocol.advance()
    sent = {frame.type: frame.audio_samples for frame in end.protocol.frames()}
    assert sent["response.audio.delta"] == 2400
    assert sent["response.audio_transcript.delta"] == 0


def test_a_long_append_is_taken_in_bit_by_bit() -> None:
    end = ServerEnd("ga")
    pcm = (silence(1000) + tone(500)) * 4 + silence(1000)
    end.protocol.receive(json.dumps({"type": "input_audio_buffer.append", "audio": base64_of(pcm)}))
    steps = 1
    while end.protocol.listen_more():
        steps += 1
    assert steps > 4
    end.run()
    assert end.types.count("input_audio_buffer.committed") == 4
    listened = [job for job in end.asked if isinstance(job, Listen)]
    assert len({job.item_id for job in listened}) == 4


def test_the_server_end_is_pure() -> None:
    code = (
        "import sys; import gip_nb.protocol.server.protocol; import gip_nb.rehearsal.wits;"
        "print(sorted({'openai', 'IPython', 'anywidget', 'pandas', 'websockets', 'asyncio', 'webrtcvad'}"
        " & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]", ran.stderr
