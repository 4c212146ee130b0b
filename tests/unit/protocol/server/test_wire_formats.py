"""G.711 at the server's end: heard as speech, spoken at 8 000 Hz, counted in the same milliseconds."""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.protocol.audio_formats import ALAW, FORMATS, PCM16, ULAW, Decoder, Encoder
from gip_nb.protocol.dialects import wire_type
from tests.unit.protocol.server.server_end import MS, ServerEnd, base64_of, error_of, silence, tone

if TYPE_CHECKING:
    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.events import Dialect

BOTH = pytest.mark.parametrize("dialect", ["beta", "ga"])
EACH = pytest.mark.parametrize("audio_format", FORMATS, ids=lambda one: one.beta)
TELEPHONE = pytest.mark.parametrize("audio_format", [ULAW, ALAW], ids=lambda one: one.beta)


def on_wire(pcm: bytes, audio_format: AudioFormat) -> bytes:
    encoder = Encoder(audio_format)
    return encoder.encode(pcm) + encoder.flush()


def off_wire(data: bytes, audio_format: AudioFormat) -> bytes:
    decoder = Decoder(audio_format)
    return decoder.decode(data) + decoder.flush()


def likeness(a: bytes, b: bytes) -> float:
    """1 for the same sound, 0 for another."""
    x, y = (np.frombuffer(pcm, "<i2").astype(float) for pcm in (a, b))
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def set_formats(end: ServerEnd, audio_format: AudioFormat) -> list[dict[str, Any]]:
    if end.dialect == "beta":
        return end.update(input_audio_format=audio_format.beta, output_audio_format=audio_format.beta)
    told = {"format": audio_format.as_ga()}
    return end.update(audio={"input": told, "output": told})


@BOTH
@EACH
def test_a_session_shows_the_formats_that_it_was_given(dialect: Dialect, audio_format: AudioFormat) -> None:
    end = ServerEnd(dialect)
    [updated] = set_formats(end, audio_format)
    session = updated["session"]
    if dialect == "beta":
        assert session["input_audio_format"] == session["output_audio_format"] == audio_format.beta
    else:
        assert session["audio"]["input"]["format"] == audio_format.as_ga()
        assert session["audio"]["output"]["format"] == audio_format.as_ga()


@BOTH
@EACH
def test_a_turn_is_found_at_the_same_milliseconds_in_every_format(
    dialect: Dialect, audio_format: AudioFormat
) -> None:
    end = ServerEnd(dialect)
    set_formats(end, audio_format)
    pcm = silence(1000) + tone(600) + silence(800)
    end.append(on_wire(pcm, audio_format))
    assert end.last("input_audio_buffer.speech_started")["audio_start_ms"] == pytest.approx(700, abs=10)
    assert end.last("input_audio_buffer.speech_stopped")["audio_end_ms"] == pytest.approx(2100, abs=10)
    item_id = end.last("input_audio_buffer.committed")["item_id"]
    assert end.listened[item_id] / 32 == pytest.approx(1400, abs=15), "the ears get it decoded"
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    heard = off_wire(base64.b64decode(got["item"]["content"][0]["audio"]), audio_format)
    assert len(heard) / MS == pytest.approx(1400, abs=10)
    assert likeness(heard[350 * MS : 850 * MS], tone(500)) > 0.99


@BOTH
@EACH
def test_an_answer_comes_in_pieces_of_100_ms_in_every_format(
    dialect: Dialect, audio_format: AudioFormat
) -> None:
    end = ServerEnd(dialect)
    set_formats(end, audio_format)
    end.speech_ms = 1234
    samples = []
    end.receive("response.create")
    while end.protocol.has_more or end.protocol.unsent_frames:
        frames = end.protocol.frames()
        samples += [frame.audio_samples for frame in frames if frame.audio_samples]
        end.events += [json.loads(frame.data) for frame in frames]
        end.do_jobs()
        end.protocol.advance()
    assert samples == [2400] * 12 + [34 * 24]
    name = wire_type("response.output_audio.delta", dialect)
    pieces = [base64.b64decode(event["delta"]) for event in end.events if event["type"] == name]
    bytes_per_ms = audio_format.rate_hz * audio_format.sample_bytes // 1000
    assert [len(piece) for piece in pieces] == [100 * bytes_per_ms] * 12 + [34 * bytes_per_ms]
    assert likeness(off_wire(b"".join(pieces), audio_format), tone(1234)) > 0.99
    done = end.last("response.done")["response"]
    told = done["output_audio_format"] if dialect == "beta" else done["audio"]["output"]["format"]
    assert told == (audio_format.beta if dialect == "beta" else audio_format.as_ga())
    assert done["usage"]["output_token_details"]["audio_tokens"] == 25


@BOTH
@TELEPHONE
def test_a_response_may_have_a_format_of_its_own(dialect: Dialect, audio_format: AudioFormat) -> None:
    end = ServerEnd(dialect)
    response: dict[str, Any] = (
        {"output_audio_format": audio_format.beta}
        if dialect == "beta"
        else {"audio": {"output": {"format": audio_format.as_ga()}}}
    )
    events = end.send("response.create", response=response)
    name = wire_type("response.output_audio.delta", dialect)
    sizes = [len(base64.b64decode(event["delta"])) for event in events if event["type"] == name]
    assert sizes == [800, 800, 400]
    [item_id] = [item["id"] for item in events[-1]["response"]["output"]]
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    assert len(base64.b64decode(got["item"]["content"][0]["audio"])) == 2000
    [cut] = end.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=250)
    assert cut["audio_end_ms"] == 250
    error = error_of(
        end.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=251)
    )
    assert error["param"] == "audio_end_ms"


def test_speech_that_does_not_fill_its_last_sample_is_filled_up() -> None:
    end = ServerEnd("ga")
    set_formats(end, ULAW)
    end.speech_ms = 0
    end.receive("response.create")
    end.protocol.advance()
    end.protocol.advance()
    [speak] = end.protocol.jobs()
    end.protocol.spoken(speak.item_id, tone(100) + tone(1)[:2])
    end.run()
    pieces = [base64.b64decode(e["delta"]) for e in end.events if e["type"] == "response.output_audio.delta"]
    assert [len(piece) for piece in pieces] == [800, 1]


@BOTH
@TELEPHONE
@pytest.mark.parametrize(("held", "is_enough"), [(799, False), (800, True), (8000, True)])
def test_a_commit_counts_every_sample_that_came(
    dialect: Dialect, audio_format: AudioFormat, held: int, *, is_enough: bool
) -> None:
    end = ServerEnd(dialect)
    end.set_turn_detection(None)
    set_formats(end, audio_format)
    for start in range(0, held, 160):
        end.append(bytes([0x10]) * min(160, held - start))
    events = end.send("input_audio_buffer.commit")
    if not is_enough:
        error = error_of(events)
        assert error["code"] == "input_audio_buffer_commit_empty"
        assert "99.88ms" in error["message"]
        return
    [got] = end.send("conversation.item.retrieve", item_id=events[0]["item_id"])
    assert len(base64.b64decode(got["item"]["content"][0]["audio"])) == held


@TELEPHONE
def test_audio_in_a_created_item_is_in_the_sessions_format(audio_format: AudioFormat) -> None:
    end = ServerEnd("ga")
    set_formats(end, audio_format)
    data = on_wire(tone(700), audio_format)
    item = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_audio", "audio": base64_of(data)}],
    }
    item_id = end.send("conversation.item.create", item=item)[0]["item"]["id"]
    assert end.listened[item_id] == pytest.approx(700 * 32, abs=32)
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    assert len(base64.b64decode(got["item"]["content"][0]["audio"])) == len(data)


def test_the_format_may_change_in_the_middle_and_no_sample_is_lost() -> None:
    end = ServerEnd("ga")
    end.set_turn_detection(None)
    total_ms = 0
    for audio_format in (ULAW, PCM16, ALAW, ULAW):
        set_formats(end, audio_format)
        end.append(on_wire(tone(200), audio_format))
        total_ms += 200
    item_id = end.send("input_audio_buffer.commit")[0]["item_id"]
    [got] = end.send("conversation.item.retrieve", item_id=item_id)
    heard = off_wire(base64.b64decode(got["item"]["content"][0]["audio"]), ULAW)
    assert len(heard) / MS == total_ms
    end.append(b"\x10" * 100)
    end.send("input_audio_buffer.clear")
    assert "0.00ms" in error_of(end.send("input_audio_buffer.commit"))["message"], (
        "what is kept back goes too"
    )


@given(cuts=st.lists(st.integers(0, 1500 * 8), max_size=8))
@settings(max_examples=10)
def test_g711_split_at_any_byte_is_the_same_audio(cuts: list[int]) -> None:
    data = on_wire(silence(300) + tone(500) + silence(700), ULAW)
    audio = []
    for places in ([], sorted(cuts)):
        end = ServerEnd("ga")
        set_formats(end, ULAW)
        for start, stop in itertools.pairwise([0, *places, len(data)]):
            end.append(data[start:stop])
        item_id = end.last("input_audio_buffer.committed")["item_id"]
        audio.append(
            end.send("conversation.item.retrieve", item_id=item_id)[0]["item"]["content"][0]["audio"]
        )
    assert audio[0] == audio[1]


@TELEPHONE
def test_the_log_counts_samples_at_24_000_hz(audio_format: AudioFormat) -> None:
    end = ServerEnd("ga")
    set_formats(end, audio_format)
    frame = json.dumps({"type": "input_audio_buffer.append", "audio": base64_of(bytes(320))})
    assert end.protocol.receive(frame).audio_samples == 960


@pytest.mark.parametrize(
    ("dialect", "told", "code", "param"),
    [
        ("beta", "mp3", "invalid_value", "session.input_audio_format"),
        ("beta", "audio/pcmu", "invalid_value", "session.input_audio_format"),
        ("beta", {"type": "audio/pcmu"}, "invalid_value", "session.input_audio_format"),
        ("beta", 8000, "invalid_value", "session.input_audio_format"),
        ("ga", "g711_ulaw", "invalid_type", "session.audio.input.format"),
        ("ga", {"type": "audio/opus"}, "invalid_value", "session.audio.input.format.type"),
        ("ga", {"type": ["audio/pcm"]}, "invalid_value", "session.audio.input.format.type"),
        ("ga", {"rate": 24000}, "unknown_parameter", "session.audio.input.format.rate"),
        ("ga", {"type": "audio/pcm", "rate": 16000}, "invalid_value", "session.audio.input.format.rate"),
        ("ga", {"type": "audio/pcmu", "rate": 8000}, "unknown_parameter", "session.audio.input.format.rate"),
        ("ga", {"type": "audio/pcm", "bits": 16}, "unknown_parameter", "session.audio.input.format.bits"),
    ],
)
def test_any_other_format_is_refused(dialect: Dialect, told: object, code: str, param: str) -> None:
    end = ServerEnd(dialect)
    if dialect == "beta":
        events = end.update(input_audio_format=told)
    else:
        events = end.update(audio={"input": {"format": told}})
    error = error_of(events)
    assert (error["code"], error["param"]) == (code, param)
