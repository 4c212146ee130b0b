"""What passed is written down to the letter, before anyone interprets it."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.journal.log import EventLog
from gip_nb.protocol.events import BETA, GA
from gip_nb.protocol.frames import append_frame, encode_event, read_frame
from tests.unit.protocol import samples

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect

PCM = bytes(range(256)) * 8


class Clock:
    def __init__(self, at_ns: int = 5_000_000_000) -> None:
        self.at_ns = at_ns

    def __call__(self) -> int:
        return self.at_ns


def new_log(clock: Clock | None = None) -> EventLog:
    return EventLog(clock or Clock(), lambda: 1_700_000_000_000_000_000)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
events = st.dictionaries(
    st.sampled_from(["type", "delta", "audio", "event_id", "item_id", "item", "response", "x"]),
    st.sampled_from(["response.audio.delta", "input_audio_buffer.append", "AAAA", "AB==", "é"]) | json_values,
    max_size=6,
)


@given(events, st.sampled_from([{}, {"ensure_ascii": False}, {"indent": 1}]))
def test_payload_is_the_json_that_passed(fields: dict[str, Any], how: dict[str, Any]) -> None:
    raw = json.dumps(fields, **how).encode("utf-8", "surrogatepass")
    log = new_log()
    for direction in ("received", "sent"):
        row = log.append(direction, read_frame(raw))
        assert log.payload(len(log) - 1) == json.loads(raw)
        assert row.wire_bytes == len(raw)
        log.event(len(log) - 1)
        log.fields(len(log) - 1)


@given(st.binary(max_size=100))
def test_any_bytes_have_a_payload(raw: bytes) -> None:
    log = new_log()
    log.append("received", read_frame(raw))
    assert isinstance(log.payload(0), dict)
    assert isinstance(log.fields(0), dict)
    assert log.event(0).type == log.rows[0].type


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"response.text.delta","delta":"\\ud83d"}',
        b'{"type":"x","n":1e400}',
        b'{"type":"x","n":123456789012345678901234567890}',
        b' {"type" : "x"}\n',
        b'{"type":"x","type":"y"}',
    ],
)
def test_payload_of_odd_json(raw: bytes) -> None:
    log = new_log()
    log.append("received", read_frame(raw))
    assert log.payload(0) == json.loads(raw)


@pytest.mark.parametrize("raw", [b"nope", b'"text"', b"\xff", b'{"a":' * 100_000])
def test_what_is_no_event_is_kept_and_says_so(raw: bytes) -> None:
    log = new_log()
    row = log.append("received", read_frame(raw))
    assert (row.skeleton, row.type, row.wire_bytes) == (raw, "", len(raw))
    assert list(log.payload(0)) == ["unreadable"]
    assert log.event(0).fields == {}


def test_a_row_that_there_is_not() -> None:
    with pytest.raises(IndexError):
        new_log().payload(0)


@pytest.mark.parametrize("name", ["response.audio.delta", "response.output_audio.delta"])
def test_audio_is_kept_once_and_read_as_an_event(name: str) -> None:
    log = new_log()
    encoded = base64.b64encode(PCM).decode()
    fields = {"type": name, "event_id": "e", "response_id": "r", "item_id": "i", "delta": encoded}
    log.append("received", encode_event(fields))
    row = log.rows[0]
    assert (row.event_id, row.response_id, row.item_id, row.call_id) == ("e", "r", "i", None)
    assert row.audio == PCM
    assert encoded.encode() not in row.skeleton
    assert log.fields(0) == {**fields, "delta": ""}
    assert log.payload(0) == fields
    event = log.event(0)
    assert (event.type, event.audio, event.item_id) == ("response.output_audio.delta", PCM, "i")


def test_sent_audio_is_an_event_too() -> None:
    log = new_log()
    log.append("sent", append_frame(PCM))
    assert (log.event(0).type, log.event(0).audio) == ("input_audio_buffer.append", PCM)


def test_audio_that_nobody_could_read_is_an_event_that_changes_nothing() -> None:
    log = new_log()
    log.append("received", read_frame(b'{"type":"response.audio.delta","item_id":"i","delta":"x"}'))
    assert (log.event(0).fields, log.event(0).audio, log.rows[0].item_id) == ({}, None, "i")
    assert log.payload(0)["delta"] == "x"


@pytest.mark.parametrize("dialect", [BETA, GA])
def test_every_event_is_read_in_its_dialect(dialect: Dialect) -> None:
    log = new_log()
    log.local("connection.opened", dialect=dialect)
    sides: list[tuple[Literal["sent", "received"], dict[str, Any]]] = [
        ("received", samples.server_samples(dialect)),
        ("sent", samples.client_samples(dialect)),
    ]
    for direction, events_of in sides:
        for kind, fields in events_of.items():
            log.append(direction, encode_event(fields))
            n = len(log) - 1
            assert (log.rows[n].type, log.payload(n)) == (kind, fields)
            event = log.event(n)
            assert event.type in samples.SERVER_SAMPLES | samples.CLIENT_SAMPLES or kind == event.type
    created = next(n for n, row in enumerate(log.rows) if row.type == "session.created")
    assert log.event(created).part("session")["audio"]["output"]["voice"] == "ash"


def test_a_change_of_dialect_holds_from_its_row_on() -> None:
    log = new_log()
    log.local("connection.opened", dialect="beta")
    log.append("received", encode_event({"type": "session.updated", "session": {"voice": "ash"}}))
    log.local("connection.dialect", dialect="ga")
    log.append("received", encode_event({"type": "session.updated", "session": {}}))
    assert [r.dialect for r in log.rows] == ["beta", "beta", "ga", "ga"]
    assert log.event(1).part("session")["audio"] == {"output": {"voice": "ash"}}


def test_times_and_connections() -> None:
    clock = Clock()
    log = new_log(clock)
    log.append("sent", append_frame(PCM))
    clock.at_ns += 1_500_000
    log.local("connection.opened")
    clock.at_ns += 1
    log.append("sent", append_frame(PCM))
    log.local("connection.opened")
    assert [r.elapsed_ns for r in log.rows] == [0, 1_500_000, 1_500_001, 1_500_001]
    assert [r.connection for r in log.rows] == [0, 1, 1, 2]
    assert log.started_unix_ns == 1_700_000_000_000_000_000
    assert len(log) == 4


def test_a_local_row_is_what_the_reducer_sees() -> None:
    log = new_log()
    row, event = log.local("playback.position", item_id="i", played_samples=5)
    assert (row.direction, row.type, row.item_id, row.wire_bytes) == (
        "local",
        "local.playback.position",
        "i",
        0,
    )
    assert log.event(0) == event
    assert log.payload(0) == {"type": "local.playback.position", "item_id": "i", "played_samples": 5}


def test_a_local_row_takes_what_a_callback_may_say() -> None:
    log = new_log()
    log.local("callback.error", message="odd \udcff name", latency=math.nan)
    assert log.payload(0)["message"] == "odd \udcff name"
    log.event(0)
