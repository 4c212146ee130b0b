"""Requests that cannot be honoured: each is refused by name, and nothing else happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocol.server.server_end import ServerEnd, error_of, kinds

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect

BOTH = pytest.mark.parametrize("dialect", ["beta", "ga"])


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '"hello"',
        "{}",
        '{"type": 7}',
        '{"type": null}',
        "[" * 100_000,
        b"\x00\x01",
    ],
)
@BOTH
def test_unreadable_frames_are_answered_with_an_error(dialect: Dialect, frame: str | bytes) -> None:
    end = ServerEnd(dialect)
    before = len(end.events)
    assert end.protocol.receive(frame).type == "(unreadable)"
    end.run()
    assert error_of(end.events[before:])["code"] == "invalid_event"
    assert kinds(end.send("response.create"))[-1] == "response.done", "and the session goes on"


@pytest.mark.parametrize(
    ("dialect", "event", "code", "param"),
    [
        ("ga", {"type": "session.upgrade"}, "invalid_value", "type"),
        ("beta", {"type": "response.audio.delta"}, "invalid_value", "type"),
        ("ga", {"type": "transcription_session.update", "session": {}}, "invalid_value", "type"),
        ("beta", {"type": "transcription_session.update", "session": {}}, "invalid_value", "type"),
        ("ga", {"type": "session.update"}, "missing_required_parameter", "session"),
        ("ga", {"type": "session.update", "session": 3}, "invalid_type", "session"),
        ("ga", {"type": "conversation.item.create"}, "missing_required_parameter", "item"),
        ("ga", {"type": "conversation.item.create", "item": "x"}, "invalid_type", "item"),
        ("ga", {"type": "conversation.item.delete"}, "missing_required_parameter", "item_id"),
        ("ga", {"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ("ga", {"type": "input_audio_buffer.append", "audio": 5}, "invalid_type", "audio"),
        ("ga", {"type": "input_audio_buffer.append", "audio": "not base64!"}, "invalid_value", "audio"),
        ("ga", {"type": "input_audio_buffer.append", "audio": "é"}, "invalid_value", "audio"),
        ("ga", {"type": "input_audio_buffer.append", "audio": "AAA"}, "invalid_value", "audio"),
        ("beta", {"type": "output_audio_buffer.clear"}, "invalid_value", "type"),
        ("ga", {"type": "response.create", "response": "now"}, "invalid_type", "response"),
        (
            "ga",
            {"type": "response.create", "response": {"output_modalities": ["smell"]}},
            "invalid_value",
            "response.output_modalities",
        ),
        (
            "ga",
            {"type": "response.create", "response": {"conversation": "other"}},
            "invalid_value",
            "response.conversation",
        ),
        (
            "ga",
            {"type": "response.create", "response": {"metadata": {"n": 1}}},
            "invalid_type",
            "response.metadata.n",
        ),
        (
            "ga",
            {"type": "response.create", "response": {"modalities": ["text"]}},
            "unknown_parameter",
            "response.modalities",
        ),
        (
            "beta",
            {"type": "response.create", "response": {"output_modalities": ["text"]}},
            "unknown_parameter",
            "response.output_modalities",
        ),
        ("ga", {"type": "response.create", "response": {"input": "x"}}, "invalid_type", "response.input"),
        (
            "ga",
            {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "no"}]}},
            "invalid_value",
            "response.input[0].id",
        ),
        (
            "beta",
            {"type": "response.create", "response": {"voice": 1}},
            "invalid_type",
            "response.voice",
        ),
    ],
)
def test_bad_requests_are_refused_by_name(
    dialect: Dialect, event: dict[str, object], code: str, param: str
) -> None:
    end = ServerEnd(dialect)
    event_type = str(event["type"])
    fields = {key: value for key, value in event.items() if key != "type"}
    error = error_of(end.send(event_type, **fields, event_id="e1"))
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "e1")


def test_an_append_over_the_limit_is_refused() -> None:
    end = ServerEnd("ga")
    error = error_of(end.append(bytes(15 * 1024 * 1024 + 2)))
    assert error["code"] == "string_above_max_length"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(
    [
        "session.update",
        "conversation.item.create",
        "conversation.item.delete",
        "conversation.item.retrieve",
        "conversation.item.truncate",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "response.create",
        "response.cancel",
    ]
)
FIELDS = ["session", "item", "item_id", "audio", "audio_end_ms", "content_index", "response", "event_id"]


def words(text: str) -> list[str]:
    return text.split()


NAMES = st.sampled_from(
    [
        *words("type tools tool_choice audio input output turn_detection voice modalities"),
        *words("output_modalities instructions speed format rate transcription noise_reduction"),
        *words("model language threshold eagerness create_response silence_duration_ms include prompt"),
        *words("reasoning tracing truncation parallel_tool_calls temperature max_output_tokens"),
        *words("name description id role content text"),
    ]
)
VALUES = JSON | st.sampled_from(
    [
        *words("realtime auto none required function mcp server_vad semantic_vad audio text audio/pcm"),
        *words("message user assistant system input_text input_audio function_call near_field low inf"),
    ]
)
SESSION = st.recursive(
    st.dictionaries(NAMES, VALUES, max_size=5).map(lambda given: {"type": "realtime", **given}),
    lambda inner: st.dictionaries(NAMES, VALUES | inner | st.lists(inner, max_size=2), max_size=4).map(
        lambda given: {"type": "realtime", **given}
    ),
    max_leaves=4,
)


@given(
    dialect=st.sampled_from(["beta", "ga"]),
    events=st.lists(
        st.tuples(TYPES, st.dictionaries(st.sampled_from(FIELDS), JSON | SESSION, max_size=4)), max_size=6
    ),
)
def test_no_request_breaks_the_server(dialect: Dialect, events: list[tuple[str, dict[str, object]]]) -> None:
    end = ServerEnd(dialect)
    for event_type, fields in events:
        end.send(event_type, **fields)
    if any("input_audio_buffer.append" in event_type for event_type, _ in events):
        end.send("input_audio_buffer.clear")
    started = end.types.count("response.created")
    assert started == end.types.count("response.done")


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        ({}, "missing_required_parameter", "item.type"),
        ({"type": "poem"}, "invalid_value", "item.type"),
        ({"type": "message"}, "missing_required_parameter", "item.role"),
        ({"type": "message", "role": "king", "content": []}, "invalid_value", "item.role"),
        ({"type": "message", "role": "user"}, "missing_required_parameter", "item.content"),
        ({"type": "message", "role": "user", "content": "hi"}, "invalid_type", "item.content"),
        ({"type": "message", "role": "user", "content": ["hi"]}, "invalid_type", "item.content[0]"),
        (
            {"type": "message", "role": "user", "content": [{"type": "output_text", "text": "hi"}]},
            "invalid_value",
            "item.content[0].type",
        ),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_text"}]},
            "missing_required_parameter",
            "item.content[0].text",
        ),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "%%%"}]},
            "invalid_value",
            "item.content[0].audio",
        ),
        ({"type": "function_call_output", "call_id": "c"}, "missing_required_parameter", "item.output"),
        ({"type": "function_call_output", "call_id": "c", "output": 7}, "invalid_type", "item.output"),
    ],
)
@BOTH
def test_items_that_cannot_be_are_refused(
    dialect: Dialect, item: dict[str, object], code: str, param: str
) -> None:
    end = ServerEnd(dialect)
    error = error_of(end.send("conversation.item.create", item=item))
    assert (error["code"], error["param"]) == (code, param)
