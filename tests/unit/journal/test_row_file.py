"""One row and its line: whatever passed comes back to the letter, and a line that is none says so."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.journal.log import EventLog
from gip_nb.journal.row_file import AudioPlace, BadLine, clean_frame, encode_line, read_line
from gip_nb.protocol.frames import append_frame, join_wire, read_frame
from tests.unit.journal.test_log import events

KEY = b"sk-abcdefgh12345678"
PCM = bytes(range(256)) * 8


def scrubbed(frame: bytes) -> bytes:
    return frame.replace(KEY, b"[key]")


def line_of(raw: bytes) -> tuple[EventLog, bytes]:
    """A log with this one frame, and its line."""
    log = EventLog(lambda: 0, lambda: 0)
    row = log.append("received", read_frame(raw))
    audio = row.audio
    place = None if audio is None else AudioPlace(0, 0, len(audio))
    return log, encode_line(0, row, place)


def assert_comes_back(raw: bytes) -> dict[str, Any]:
    log, encoded = line_of(raw)
    assert encoded.endswith(b"}\n")
    assert encoded.count(b"\n") == 1
    line = read_line(encoded)
    frame = line.frame(log.rows[0].audio)
    assert join_wire(frame.skeleton, frame.cut, frame.audio) == raw
    other = EventLog.restored(0)
    other.restore(line.elapsed_ns, line.direction, frame)
    assert other.payload(0) == log.payload(0)
    assert other.fields(0) == log.fields(0)
    assert other.event(0) == log.event(0)
    # For whoever reads it without this package: JSON, and UTF-8.
    decoded: dict[str, Any] = json.loads(encoded)
    assert list(decoded)[:5] == ["n", "elapsed_ns", "direction", "connection", "dialect"]
    return decoded


@given(st.binary(max_size=100))
def test_any_bytes_come_back(raw: bytes) -> None:
    assert_comes_back(raw)


@given(events, st.sampled_from([{}, {"ensure_ascii": False}, {"indent": 1}]))
def test_any_event_comes_back(fields: dict[str, Any], how: dict[str, Any]) -> None:
    assert_comes_back(json.dumps(fields, **how).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("raw", "kept_as"),
    [
        (b'{"type":"x", "a" : 1.0}', "event"),
        (b'{"type":"x","n":1e400,"m":123456789012345678901234567890}', "event"),
        ('{"type":"x","a":"\u2028é"}'.encode(), "event"),
        (b'{"type":"x","a":"\\ud83d"}', "text"),
        (b'{"type":"x",\n"a":1}', "text"),
        (b' {"type":"x"}', "text"),
        (b"[1, 2]", "text"),
        (b"nope", "text"),
        (b"", "text"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "text"),
        (b'{"type":"x","a":"\xff"}', "base64"),
    ],
)
def test_odd_frames(raw: bytes, kept_as: str) -> None:
    try:
        decoded = assert_comes_back(raw)
    except RecursionError:
        # The log's own `payload` is as deep as the frame.
        decoded = json.loads(line_of(raw)[1])
        assert read_line(line_of(raw)[1]).skeleton == raw
    assert [name for name in ("event", "text", "base64") if name in decoded] == [kept_as]


def test_audio_is_a_reference() -> None:
    encoded = base64.b64encode(PCM).decode()
    raw = json.dumps({"type": "response.audio.delta", "item_id": "i", "delta": encoded}).encode()
    decoded = assert_comes_back(raw)
    assert decoded["event"] == {"type": "response.audio.delta", "item_id": "i", "delta": ""}
    assert decoded["audio"] == [0, 0, len(PCM)]
    assert raw[decoded["cut"] :].startswith(encoded.encode())


def test_audio_that_could_not_be_cut_out_is_a_reference_too() -> None:
    raw = (
        b'{"type":"response.audio.delta","delta":"'
        + base64.b64encode(b"\xff" * 30).replace(b"/", b"\\/")
        + b'"}'
    )
    decoded = assert_comes_back(raw)
    assert decoded["audio"] == [0, 0, 30]
    assert "cut" not in decoded


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"session.update","session":{"instructions":"my key is %s"}}' % KEY,
        b'{"type":"response.audio.delta","item_id":"%s","delta":"%s"}' % (KEY, base64.b64encode(PCM)),
        b'{"type":"response.audio.delta","delta":"%s","item_id":"%s"}' % (base64.b64encode(PCM), KEY),
        b"no json %s" % KEY,
    ],
)
def test_the_key_is_written_out_of_a_frame_and_its_audio_stays(raw: bytes) -> None:
    log, _ = line_of(raw)
    frame = clean_frame(log.rows[0], scrubbed)
    assert frame is not None
    assert join_wire(frame.skeleton, frame.cut, frame.audio) == scrubbed(raw)
    assert frame.audio == log.rows[0].audio


def test_a_frame_without_the_key_is_written_as_it_is() -> None:
    log = EventLog()
    assert clean_frame(log.append("sent", append_frame(PCM)), scrubbed) is None


GOOD = b'{"n":0,"elapsed_ns":1,"direction":"sent","connection":1,"dialect":"ga","event":{"type":"x"}}'


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        GOOD[:-1],
        GOOD.replace(b'"sent"', b'"both"'),
        GOOD.replace(b'"elapsed_ns":1', b'"elapsed_ns":-1'),
        GOOD.replace(b'"elapsed_ns":1', b'"elapsed_ns":9223372036854775807'),
        GOOD.replace(b'"n":0', b'"n":"0"'),
        GOOD.replace(b'"event":{"type":"x"}', b'"even":1'),
        GOOD.replace(b'"event":{"type":"x"}', b'"event":{},"text":""'),
        GOOD.replace(b"}}", b'},"cut":99}'),
        GOOD.replace(b"}}", b'},"cut":-2}'),
        GOOD.replace(b"}}", b'},"audio":[0,1]}'),
        GOOD.replace(b"}}", b'},"audio":[0,-1,1]}'),
        GOOD.replace(b"}}", b'},"audio":[0,18446744073709551616,1]}'),
        b'{"a":' * 100_000,
        b'{"n":0,"x":"\xff"}',
    ],
)
def test_what_is_no_line(line: bytes) -> None:
    with pytest.raises(BadLine):
        read_line(line)


def test_a_field_that_is_new_is_left_alone() -> None:
    assert read_line(GOOD.replace(b"}}", b'},"later":{"a":[1]}}')).skeleton == b'{"type":"x"}'


def test_half_of_a_surrogate_pair_in_a_local_row() -> None:
    log = EventLog(lambda: 0, lambda: 0)
    log.local("callback.error", message="odd \udcff name")
    row = log.rows[0]
    line = read_line(encode_line(0, row, None))
    assert line.frame(None).skeleton == row.skeleton
