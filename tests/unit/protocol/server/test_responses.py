"""What one response is made of: limits of tokens, usage, out of band ones, tool calls, what it is given."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
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
LIMITED = {"type": "incomplete", "reason": "max_output_tokens"}
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}


def limit_name(dialect: Dialect) -> str:
    return "max_response_output_tokens" if dialect == "beta" else "max_output_tokens"


def audio_ms(events: list[dict[str, Any]], dialect: Dialect) -> float:
    name = wire_type("response.output_audio.delta", dialect)
    return sum(len(base64.b64decode(event["delta"])) for event in events if event["type"] == name) / MS


# ------------------------------------------------------------------------------------------- limits of tokens


@BOTH
@pytest.mark.parametrize("of_session", [False, True])
def test_a_spoken_answer_ends_where_its_tokens_do(dialect: Dialect, *, of_session: bool) -> None:
    end = ServerEnd(dialect)
    end.speech_ms = 5000
    end.says = [Say("x" * 40)]  # one word of ten tokens, then 50 ms a token
    limit = {limit_name(dialect): 31}
    if of_session:
        end.update(**limit)
    events = end.send("response.create", **({} if of_session else {"response": limit}))
    done = events[-1]["response"]
    assert (done["status"], done["status_details"]) == ("incomplete", LIMITED)
    assert done["output"][0]["status"] == "incomplete"
    assert audio_ms(events, dialect) == 21 * 50
    assert done["usage"]["output_token_details"] == {"text_tokens": 10, "audio_tokens": 21}
    assert done["usage"]["output_tokens"] == 31
    assert done["max_output_tokens"] == 31
    names = [wire_type(f"response.output_{name}.done", dialect) for name in ("audio", "audio_transcript")]
    assert kinds(events)[-6 if dialect == "ga" else -5 :][:2] == names, "what was begun is ended properly"


@BOTH
def test_a_written_answer_ends_where_its_tokens_do(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.says = [Say("one two three four five six")]
    modalities = "modalities" if dialect == "beta" else "output_modalities"
    events = end.send("response.create", response={modalities: ["text"], limit_name(dialect): 3})
    done = events[-1]["response"]
    assert done["status_details"] == LIMITED
    assert done["output"][0]["content"][0]["text"] == "one two thre", "twelve characters are three tokens"
    assert done["usage"]["output_tokens"] == 3
    assert done["usage"]["output_token_details"] == {"text_tokens": 3, "audio_tokens": 0}


@BOTH
def test_a_call_that_is_cut_off_says_what_it_has_and_that_it_is_incomplete(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.says = [Call("look", '{"where": "over there"}')]
    events = end.send("response.create", response={"tools": [TOOL], limit_name(dialect): 2})
    done = events[-1]["response"]
    assert done["status_details"] == LIMITED
    call = done["output"][0]
    assert (call["status"], call["arguments"]) == ("incomplete", '{"where"')
    finished = next(event for event in events if event["type"].endswith("arguments.done"))
    assert finished["arguments"] == call["arguments"]


@BOTH
def test_the_limit_is_for_all_items_together(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.speech_ms = 200
    end.says = [Say("word"), Call("look", "{" + " " * 40 + "}")]
    events = end.send("response.create", response={"tools": [TOOL], limit_name(dialect): 8})
    done = events[-1]["response"]
    assert [item["status"] for item in done["output"]] == ["completed", "incomplete"]
    assert done["usage"]["output_tokens"] == 8, "1 + 4 spoken, 3 of the call"


@given(
    limit=st.integers(1, 60), speech_ms=st.integers(0, 2500), words=st.lists(st.integers(1, 9), max_size=12)
)
def test_no_answer_makes_more_than_its_limit_and_ends_early_only_for_it(
    limit: int, speech_ms: int, words: list[int]
) -> None:
    end = ServerEnd("ga")
    end.speech_ms = speech_ms
    end.says = [Say(" ".join("w" * length for length in words))]
    free = end.send("response.create")[-1]["response"]["usage"]["output_tokens"]
    done = end.send("response.create", response={"max_output_tokens": limit})[-1]["response"]
    made = done["usage"]["output_tokens"]
    assert made <= limit
    if free <= limit:
        assert (done["status"], made) == ("completed", free), "exactly enough is enough"
    else:
        assert done["status_details"] == LIMITED
        assert made > limit - 4, "stopped no earlier than before the next word"


@pytest.mark.parametrize("value", [0, 4097, 1.5, "many", True])
@BOTH
def test_limits_that_cannot_be_are_refused(dialect: Dialect, value: object) -> None:
    end = ServerEnd(dialect)
    name = limit_name(dialect)
    error = error_of(end.send("response.create", response={name: value}))
    assert error["param"] == f"response.{name}"
    assert error_of(end.update(**{name: value}))["param"] == f"session.{name}"


# ------------------------------------------------------------------------------------------------------ usage


def test_what_was_truncated_was_made_all_the_same() -> None:
    end = ServerEnd("ga")
    end.speech_ms = 1000
    end.says = [Say("x" * 8)]
    end.receive("response.create")
    end.run(steps=4)
    item_id = end.last("response.output_item.added")["item"]["id"]
    end.receive("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)
    end.run()
    assert end.last("response.done")["response"]["usage"]["output_token_details"]["audio_tokens"] == 20
    end.send("response.create")
    again = end.last("response.done")["response"]["usage"]["input_token_details"]
    assert again["audio_tokens"] == 2, "and only what is left of it is read again"


@BOTH
def test_each_response_reads_the_conversation_again_and_what_it_knew_is_cached(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.speech_ms = 1000
    usages = []
    for _ in range(3):
        end.append(silence(300) + tone(500) + silence(600))
        usages.append(end.last("response.done")["response"]["usage"])
    inputs = [usage["input_token_details"] for usage in usages]
    assert [one["audio_tokens"] for one in inputs] == [13, 13 + 20 + 13, 13 + 20 + 13 + 20 + 13]
    for before, after in itertools.pairwise(usages):
        details = after["input_token_details"]
        assert details["cached_tokens"] == before["input_tokens"]
        if dialect == "ga":
            cached = details["cached_tokens_details"]
            assert cached["audio_tokens"] == before["input_token_details"]["audio_tokens"]
            assert cached["text_tokens"] == before["input_token_details"]["text_tokens"]
    for usage in usages:
        details = usage["input_token_details"]
        assert usage["input_tokens"] == details["text_tokens"] + details["audio_tokens"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_a_context_of_its_own_was_never_read_before() -> None:
    end = ServerEnd("ga")
    end.type_text("a long enough text to be counted")
    end.send("response.create")
    whole = end.last("response.done")["response"]["usage"]["input_tokens"]
    end.send("response.create", response={"conversation": "none", "input": []})
    side = end.last("response.done")["response"]["usage"]["input_token_details"]
    assert side["cached_tokens"] == 0
    end.send("response.create")
    again = end.last("response.done")["response"]["usage"]["input_token_details"]
    assert again["cached_tokens"] == whole, "and makes nobody forget what was"


# ------------------------------------------------------------------------------------------------ out of band


def side_request(**fields: object) -> dict[str, Any]:
    own = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "classify this"}]}
    return {"conversation": "none", "input": [own], "metadata": {"kind": "side"}, **fields}


@BOTH
def test_an_out_of_band_response_runs_beside_the_active_one(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.speech_ms = 2000
    end.receive("response.create", response={"metadata": {"kind": "main"}})
    end.run(steps=4)
    end.receive("response.create", response=side_request())
    end.run()
    created, done = (
        [event["response"] for event in end.events if event["type"] == f"response.{name}"]
        for name in ("created", "done")
    )
    assert [one["metadata"] for one in created] == [{"kind": "main"}, {"kind": "side"}]
    assert {one["id"]: one["metadata"]["kind"] for one in done} == {
        created[0]["id"]: "main",
        created[1]["id"]: "side",
    }
    assert [one["conversation_id"] is None for one in created] == [False, True]
    assert {one["status"] for one in done} == {"completed"}
    deltas = [
        event["response_id"]
        for event in end.events
        if event["type"] == wire_type("response.output_audio.delta", dialect)
    ]
    assert len(list(itertools.groupby(deltas))) > 3, "piece by piece, side by side"
    for response in done:
        spoken = [e for e in end.events if e.get("response_id") == response["id"] and "delta" in e["type"]]
        assert {event["item_id"] for event in spoken} == {response["output"][0]["id"]}
    told = [event["item"]["id"] for event in end.events if event["type"].startswith("conversation.item")]
    side = next(one for one in done if one["metadata"]["kind"] == "side")
    assert side["output"][0]["id"] not in told
    end.send("response.create")
    assert [line.role for line in end.prompts[-1].lines] == ["assistant"], "the side one left no trace"


@BOTH
def test_each_of_two_responses_is_cancelled_by_its_own_id(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.speech_ms = 2000
    end.receive("response.create")
    end.receive("response.create", response=side_request())
    main, side = (e["response"]["id"] for e in end.events if e["type"] == "response.created")
    end.run(steps=5)
    [*_, done] = end.receive("response.cancel", response_id=side)
    assert (done["response"]["id"], done["response"]["status"]) == (side, "cancelled")
    [*_, done] = end.receive("response.cancel")
    assert (done["response"]["id"], done["response"]["status"]) == (main, "cancelled")
    for response_id in (main, side):
        error = error_of(end.send("response.cancel", response_id=response_id))
        assert error["code"] == "response_cancel_not_active"


@BOTH
def test_speech_interrupts_the_conversation_and_nothing_beside_it(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.speech_ms = 2000
    end.receive("response.create")
    end.receive("response.create", response=side_request())
    end.run(steps=5)
    end.receive("input_audio_buffer.append", audio=base64_of(tone(300)))
    [main] = [event["response"] for event in end.events if event["type"] == "response.done"]
    assert main["status_details"]["reason"] == "turn_detected"
    end.run()
    side = end.last("response.done")["response"]
    assert (side["metadata"], side["status"]) == ({"kind": "side"}, "completed")


def test_without_a_default_response_a_bare_cancel_leaves_the_side_one_alone() -> None:
    end = ServerEnd("ga")
    end.receive("response.create", response=side_request())
    [refused] = end.receive("response.cancel")
    assert refused["error"]["code"] == "response_cancel_not_active"
    end.run()
    assert end.last("response.done")["response"]["status"] == "completed"


@BOTH
def test_what_is_said_in_an_input_of_its_own_is_heard_and_not_told(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.holds = (Understand,)
    end.set_transcription()
    content = [{"type": "input_audio", "audio": base64_of(tone(700))}]
    own = {"type": "message", "role": "user", "content": content}
    events = end.send("response.create", response=side_request(input=[own]))
    assert kinds(events) == ["response.created", "rate_limits.updated"], "it waits for the words"
    [job] = end.held
    assert end.listened[job.item_id] == pytest.approx(700 * 32, abs=32)
    end.protocol.heard(job.item_id, "in my own words")
    end.run()
    assert end.prompts[-1].lines[-1].text == "in my own words"
    assert not [kind for kind in end.types if "transcription" in kind]
    assert end.last("response.done")["response"]["usage"]["input_token_details"]["audio_tokens"] == 7


def test_words_that_it_does_not_read_are_not_waited_for() -> None:
    end = ServerEnd("ga")
    end.holds = (Understand,)
    end.append(tone(500) + silence(600))
    assert end.types[-1] == "rate_limits.updated", "the answer waits for the words"
    done = end.send("response.create", response=side_request())[-1]
    assert (done["type"], done["response"]["metadata"]) == ("response.done", {"kind": "side"})
    assert end.types.count("response.done") == 1


def test_an_input_of_its_own_may_be_empty_and_its_answer_may_be_remembered() -> None:
    end = ServerEnd("ga")
    end.type_text("never mind")
    events = end.send("response.create", response={"input": [], "instructions": "Greet."})
    assert end.prompts[-1].lines == ()
    assert events[0]["response"]["conversation_id"] is not None
    assert "conversation.item.added" in kinds(events)


@pytest.mark.parametrize(
    ("metadata", "code", "param"),
    [
        ({str(n): "x" for n in range(17)}, "object_above_max_properties", "response.metadata"),
        ({"k" * 65: "x"}, "string_above_max_length", "response.metadata"),
        ({"k": "x" * 513}, "string_above_max_length", "response.metadata.k"),
        ("x", "invalid_type", "response.metadata"),
    ],
)
def test_metadata_has_its_limits(metadata: object, code: str, param: str) -> None:
    error = error_of(ServerEnd("ga").send("response.create", response={"metadata": metadata}))
    assert (error["code"], error["param"]) == (code, param)


# ------------------------------------------------------------------------------------------------------ tools


@BOTH
def test_several_calls_come_one_after_the_other_each_with_an_id_of_its_own(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    end.says = [Say("Let me see."), Call("look", '{"at": 1}'), Call("look", '{"at": 2}')]
    events = end.send("response.create", response={"tools": [TOOL]})
    done = events[-1]["response"]
    assert [item["type"] for item in done["output"]] == ["message", "function_call", "function_call"]
    for index, item in enumerate(done["output"]):
        about = [event for event in events if event.get("output_index") == index]
        assert {event.get("item_id") or event["item"]["id"] for event in about} == {item["id"]}
        assert [about[0]["type"], about[-1]["type"]] == [
            "response.output_item.added",
            "response.output_item.done",
        ]
    assert len({item["call_id"] for item in done["output"][1:]}) == 2
    streamed: dict[str, str] = {}
    for event in events:
        if event["type"].endswith("arguments.delta"):
            streamed[event["call_id"]] = streamed.get(event["call_id"], "") + event["delta"]
    assert streamed == {item["call_id"]: item["arguments"] for item in done["output"][1:]}
    places = [event["output_index"] for event in events if "output_index" in event]
    assert places == sorted(places)


@BOTH
@pytest.mark.parametrize("choice", ["none", "auto", "required", {"type": "function", "name": "look"}])
def test_the_choice_of_tools_reaches_the_wits(dialect: Dialect, choice: object) -> None:
    end = ServerEnd(dialect)
    [updated] = end.update(tools=[TOOL], tool_choice=choice)
    shown = "look" if dialect == "beta" and isinstance(choice, dict) else choice
    assert updated["session"]["tool_choice"] == shown, "beta's published session has no object there"
    end.send("response.create")
    assert end.prompts[-1].tool_choice == choice
    assert end.prompts[-1].tools == (TOOL,)


@BOTH
def test_a_response_cannot_be_made_to_call_what_it_has_not(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    choice = {"type": "function", "name": "listen"}
    error = error_of(end.send("response.create", response={"tools": [TOOL], "tool_choice": choice}))
    assert (error["code"], error["param"]) == ("invalid_value", "response.tool_choice")


def test_whether_several_tools_may_be_called_reaches_the_wits() -> None:
    end = ServerEnd("ga")
    end.send("response.create")
    end.update(parallel_tool_calls=False)
    end.send("response.create")
    end.send("response.create", response={"parallel_tool_calls": True})
    assert [prompt.parallel_tool_calls for prompt in end.prompts] == [True, False, True]


# ------------------------------------------------------------------------------------------------------ voice


def test_a_voice_may_be_named_by_its_id() -> None:
    end = ServerEnd("ga")
    end.update(audio={"output": {"voice": {"id": "voice_1"}}})
    events = end.send("response.create")
    assert events[-1]["response"]["audio"]["output"]["voice"] == "voice_1"
    [speak] = [job for job in end.asked if isinstance(job, Speak)]
    assert speak.voice == "voice_1"
    assert not [job for job in end.asked if isinstance(job, Listen)]
