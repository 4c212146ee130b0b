"""A frame is taken apart and comes back to the byte, whatever it holds."""

from __future__ import annotations

import base64
import json
import math
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gip_nb.protocol.frames import NO_CUT, Event, append_frame, encode_event, event_of, read_frame

DELTA = "response.audio.delta"
PCM = bytes(range(256)) * 4
BASE64 = base64.b64encode(PCM)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
# Names and values that the reader has rules for, so that chance finds them.
known_types = st.sampled_from(
    [DELTA, "response.output_audio.delta", "input_audio_buffer.append", "error", ""]
)
audio_texts = st.one_of(
    st.binary(max_size=60).map(lambda b: base64.b64encode(b).decode()),
    st.text("AB+/=\\ é", max_size=12),
)
odd_events = st.dictionaries(
    st.sampled_from(["type", "delta", "audio", "event_id", "item", "x"]),
    st.one_of(known_types, audio_texts, json_values),
    max_size=6,
)


def frame_json(fields: dict[str, Any], **how: Any) -> bytes:
    return json.dumps(fields, **how).encode("utf-8", "surrogatepass")


# ------------------------------------------------------------------------------------------------ every frame


@given(st.binary(max_size=200))
def test_any_bytes_come_back(raw: bytes) -> None:
    assert read_frame(raw).wire() == raw


@given(odd_events, st.sampled_from([{}, {"indent": 1}, {"ensure_ascii": False}]))
def test_any_event_comes_back_and_tells_its_size(fields: dict[str, Any], how: dict[str, Any]) -> None:
    raw = frame_json(fields, **how)
    frame = read_frame(raw)
    assert frame.wire() == raw
    assert frame.wire_bytes == len(raw)
    assert frame.type == (fields.get("type") if isinstance(fields.get("type"), str) else "")


@given(
    st.binary(max_size=400),
    st.sampled_from(["", " ", "\n\t "]),
    st.sampled_from([DELTA, "response.output_audio.delta"]),
)
@example(b"", "", DELTA)
def test_audio_is_taken_out_once_and_whole(audio: bytes, space: str, kind: str) -> None:
    encoded = base64.b64encode(audio).decode()
    before = f'{space}{{{space}"type":{space}"{kind}","item_id":"i",{space}"delta"{space}:"'
    text = f'{before}{encoded}","n":1}}'
    frame = read_frame(text.encode())
    assert frame.audio == audio
    assert frame.fields == {"type": kind, "item_id": "i", "delta": "", "n": 1}
    assert frame.wire() == text.encode()
    assert len(frame.skeleton) == len(text) - len(encoded)
    assert frame.problem is None


def test_audio_comes_first_last_or_before_the_type() -> None:
    for raw in (
        b'{"delta":"' + BASE64 + b'","type":"response.audio.delta"}',
        b'{"type":"response.audio.delta","delta":"' + BASE64 + b'"}',
        b'{"type":"response\\u002eaudio.delta","delta":"' + BASE64 + b'","delta2":"' + BASE64 + b'"}',
    ):
        frame = read_frame(raw)
        assert (frame.audio, frame.wire(), frame.fields["delta"]) == (PCM, raw, "")
        assert BASE64 not in frame.skeleton or b"delta2" in raw


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"response.audio.delta","x":"AAAA","delta":"AAAA"}',
        b'{"type":"response.audio.delta","x":"\\"AAAA","delta":"AAAA"}',
        b'{"type":"response.audio.delta","AAAA":1,"delta":"AAAA"}',
        b'{"type":"response.audio.delta","delta":"AAAA","delta":"AAAA"}',
    ],
    ids=["twin before", "twin inside a text", "twin as a name", "twice the same name"],
)
def test_a_text_like_the_audio_before_it_is_left_alone(raw: bytes) -> None:
    frame = read_frame(raw)
    assert frame.wire() == raw
    assert frame.audio == b"\0\0\0"
    assert frame.fields == {**json.loads(raw), "delta": ""}


@pytest.mark.parametrize(
    ("text", "audio"),
    [
        ("AAA\\/", b"\0\0\x3f"),  # a slash may be written escaped
        ("AB==", b"\0"),  # padding bits that are not zero decode alike and would be written as AA==
        ("AAAA\\n", b"\0\0\0"),
    ],
)
def test_base64_that_would_not_be_written_alike_is_kept_as_it_came(text: str, audio: bytes) -> None:
    raw = f'{{"type":"response.audio.delta","delta":"{text}"}}'.encode()
    frame = read_frame(raw)
    assert (frame.audio, frame.cut, frame.wire(), frame.fields["delta"]) == (audio, NO_CUT, raw, "")
    assert frame.wire_bytes == len(raw)


@pytest.mark.parametrize("delta", ['"é"', '"A"', '"날씨"'])
def test_audio_that_is_no_base64_is_a_problem_and_no_exception(delta: str) -> None:
    raw = f'{{"type":"response.audio.delta","item_id":"i","delta":{delta}}}'.encode()
    frame = read_frame(raw)
    assert frame.problem is not None
    assert "base64" in frame.problem
    assert (frame.type, frame.audio, frame.fields["item_id"]) == (DELTA, None, "i")
    assert frame.wire() == raw


@pytest.mark.parametrize("delta", ["null", "5", "[]", "{}", "true"])
def test_a_delta_that_is_no_text_is_no_audio(delta: str) -> None:
    raw = f'{{"type":"response.audio.delta","delta":{delta}}}'.encode()
    frame = read_frame(raw)
    assert (frame.audio, frame.wire(), frame.fields["delta"]) == (None, raw, json.loads(delta))


@pytest.mark.parametrize("raw", [b"", b"{", b"nope", b'{"type":"a\xff"}', b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json_has_a_problem(raw: bytes) -> None:
    frame = read_frame(raw)
    assert (frame.fields, frame.type, frame.audio, frame.wire()) == ({}, "", None, raw)
    assert frame.problem is not None
    assert frame.problem.startswith("not JSON")


@pytest.mark.parametrize("raw", [b"[]", b"5", b'"text"', b"null", b"1e400"])
def test_what_is_no_object_has_a_problem(raw: bytes) -> None:
    assert read_frame(raw).problem == "JSON, but not an object"


@pytest.mark.parametrize("raw", [b"{}", b'{"type":5}', b'{"type":null,"delta":"AAAA"}', b'{"type":["a"]}'])
def test_what_names_no_type_has_a_problem(raw: bytes) -> None:
    frame = read_frame(raw)
    assert (frame.problem, frame.type, frame.fields) == ("an object without a type", "", json.loads(raw))


def test_half_a_surrogate_pair_is_read_and_can_be_written_down_again() -> None:
    raw = b'{"type":"response.text.delta","delta":"fine \\ud83d","n":1e400}'
    frame = read_frame(raw)
    assert frame.problem is None
    assert frame.wire() == raw
    assert frame.fields["delta"].startswith("fine ")
    assert frame.fields["delta"].encode("utf-8")  # no half of a pair left
    assert frame.fields["n"] == math.inf


def test_deep_nesting_beside_audio_does_not_raise() -> None:
    raw = b'{"type":"response.audio.delta","delta":"AAAA","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    assert read_frame(raw).wire() == raw


# ---------------------------------------------------------------------------------------------------- our own


@given(st.binary(max_size=3000))
def test_append_frame_is_what_encoding_would_give(audio: bytes) -> None:
    encoded = base64.b64encode(audio).decode()
    frame = append_frame(audio)
    assert json.loads(frame.wire()) == {"type": "input_audio_buffer.append", "audio": encoded}
    assert read_frame(frame.wire()) == frame
    assert frame.wire_bytes == len(frame.wire())


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_encoded_event_decodes_to_the_same(fields: dict[str, Any]) -> None:
    fields["type"] = "x.y"
    frame = encode_event(fields)
    assert json.loads(frame.wire()) == fields
    assert frame.fields == fields


def test_a_text_with_half_a_surrogate_pair_can_be_sent() -> None:
    frame = encode_event({"type": "x", "text": "odd \udcff name"})
    assert json.loads(frame.wire())["text"] == "odd \udcff name"
    frame.wire().decode("utf-8")


def test_encoding_audio_keeps_it_once() -> None:
    frame = encode_event({"type": "input_audio_buffer.append", "audio": BASE64.decode()})
    assert (frame.audio, frame.fields["audio"]) == (PCM, "")
    assert BASE64 not in frame.skeleton


# ----------------------------------------------------------------------------------------------------- events


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=5))
def test_reading_any_event_never_raises(fields: dict[str, Any]) -> None:
    event = Event("x", fields)
    for name in [*fields, "item_id", "response", "error"]:
        assert isinstance(event.text(name), str)
        assert isinstance(event.part(name), dict)
        assert event.whole(name) is None or isinstance(event.whole(name), int)
    assert event.response_id is None or event.response_id
    assert event.item_id is None or event.item_id
    assert event.call_id is None or event.call_id


@pytest.mark.parametrize(
    ("value", "whole"),
    [(3, 3), (3.9, 3), (-1, -1), (True, None), ("3", None), (math.nan, None), (math.inf, None), (None, None)],
)
def test_whole_numbers(value: object, whole: int | None) -> None:
    assert Event("x", {"n": value}).whole("n") == whole


def test_ids_are_found_in_both_places() -> None:
    assert Event("x", {"response": {"id": "r"}, "item": {"id": "i", "call_id": "c"}}).response_id == "r"
    inside = Event("x", {"item": {"id": "i", "call_id": "c"}})
    assert (inside.item_id, inside.call_id) == ("i", "c")
    beside = Event("x", {"response_id": "r", "item_id": "i", "call_id": "c", "item": {"id": "no"}})
    assert (beside.response_id, beside.item_id, beside.call_id) == ("r", "i", "c")
    assert Event("x", {"response_id": "", "response": {"id": ""}}).response_id is None


def test_event_of_a_frame_has_the_canonical_name() -> None:
    frame = read_frame(b'{"type":"response.audio.delta","delta":"AAAA","item_id":"i"}')
    event = event_of(frame, frame.fields)
    assert (event.type, event.audio, event.item_id) == ("response.output_audio.delta", b"\0\0\0", "i")


def test_print_what_reading_an_audio_delta_costs(capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"type": DELTA, "event_id": "event_1", "response_id": "resp_1", "item_id": "item_1"}
    pcm = bytes(4800)
    raw = frame_json(
        {**fields, "output_index": 0, "content_index": 0, "delta": base64.b64encode(pcm).decode()}
    )
    frame = read_frame(raw)
    rounds = 2000
    begun = time.perf_counter()
    for _ in range(rounds):
        frame = read_frame(raw)
    took_us = (time.perf_counter() - begun) / rounds * 1e6
    with capsys.disabled():
        print(f"\nread_frame: {took_us:.1f} µs per 100 ms delta")  # noqa: T201 - the figure is for the reader
    assert frame.audio == pcm
