"""Recorded speech through the whole server: `audio_start_ms` and `audio_end_ms` as the API defines them.

The true edges stand in tests/fixtures/speech.json. The start is told less the prefix padding, the end with
the silence that it took; so corrected, each has to be within 100 ms of the truth.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import webrtcvad

from gip_nb.audio import pcm16_from_wav
from gip_nb.protocol.audio_formats import FORMATS, Encoder
from tests.unit.protocol.server.server_end import MS, ServerEnd, base64_of

if TYPE_CHECKING:
    from pathlib import Path

    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.events import Dialect

NEAR_MS = 100
# The "st" of "stop please" is hiss above 4 000 Hz, which no telephone carries.
NEAR_ON_THE_TELEPHONE_MS = 150
CHUNK_MS = 40


@pytest.fixture(scope="module")
def dialogue(fixtures: Path) -> bytes:
    return pcm16_from_wav(fixtures / "dialogue.wav") + bytes(1000 * MS)


@pytest.fixture(scope="module")
def true_edges(speech: dict[str, dict[str, Any]]) -> list[tuple[int, int]]:
    segments = speech["dialogue.wav"]["segments"]
    return [(one["speech_start_ms"], one["speech_end_ms"]) for one in segments]


def heard(dialect: Dialect, setting: dict[str, Any], data: bytes, audio_format: AudioFormat) -> ServerEnd:
    """A server that has heard all of it, in pieces of 40 ms, and answered nothing."""
    end = ServerEnd(dialect, make_detector=webrtcvad.Vad)
    end.set_turn_detection({"type": "server_vad", "create_response": False, **setting})
    if dialect == "beta":
        end.update(input_audio_format=audio_format.beta)
    else:
        end.update(audio={"input": {"format": audio_format.as_ga()}})
    size = CHUNK_MS * audio_format.rate_hz * audio_format.sample_bytes // 1000
    for start in range(0, len(data), size):
        end.receive("input_audio_buffer.append", audio=base64_of(data[start : start + size]))
    end.run()
    return end


def edges(end: ServerEnd) -> list[tuple[int, int]]:
    """What was told of each turn, in order."""
    started = [e for e in end.events if e["type"] == "input_audio_buffer.speech_started"]
    stopped = [e for e in end.events if e["type"] == "input_audio_buffer.speech_stopped"]
    assert [e["item_id"] for e in started] == [e["item_id"] for e in stopped]
    return [(a["audio_start_ms"], b["audio_end_ms"]) for a, b in zip(started, stopped, strict=True)]


@pytest.mark.parametrize(
    ("dialect", "setting"),
    [
        ("beta", {}),
        ("ga", {}),
        *(("ga", {"threshold": threshold}) for threshold in (0.0, 0.2, 0.35, 0.6, 0.7, 0.85)),
        *(("ga", {"prefix_padding_ms": padding_ms}) for padding_ms in (0, 150, 800)),
        *(("ga", {"silence_duration_ms": silence_ms}) for silence_ms in (300, 700, 1000)),
        ("beta", {"threshold": 0.7, "prefix_padding_ms": 100, "silence_duration_ms": 700}),
    ],
)
def test_five_utterances_and_none_besides_each_edge_within_100_ms(
    dialogue: bytes, true_edges: list[tuple[int, int]], dialect: Dialect, setting: dict[str, Any]
) -> None:
    told = edges(heard(dialect, setting, dialogue, FORMATS[0]))
    padding_ms = setting.get("prefix_padding_ms", 300)
    silence_ms = setting.get("silence_duration_ms", 500)
    corrected = [(start_ms + padding_ms, end_ms - silence_ms) for start_ms, end_ms in told]
    assert len(corrected) == len(true_edges) == 5, corrected
    off = [(a[0] - b[0], a[1] - b[1]) for a, b in zip(corrected, true_edges, strict=True)]
    assert max(abs(ms) for pair in off for ms in pair) <= NEAR_MS, off


@pytest.mark.parametrize("audio_format", FORMATS[1:], ids=lambda one: one.beta)
def test_over_the_telephone_too(
    dialogue: bytes, true_edges: list[tuple[int, int]], audio_format: AudioFormat
) -> None:
    encoder = Encoder(audio_format)
    data = encoder.encode(dialogue) + encoder.flush()
    told = edges(heard("ga", {}, data, audio_format))
    assert len(told) == 5
    off = [(a[0] + 300 - b[0], a[1] - 500 - b[1]) for a, b in zip(told, true_edges, strict=True)]
    assert max(abs(ms) for pair in off for ms in pair) <= NEAR_ON_THE_TELEPHONE_MS, off


def test_an_items_audio_is_what_its_events_say(dialogue: bytes) -> None:
    end = heard("ga", {}, dialogue, FORMATS[0])
    items = [e["item_id"] for e in end.events if e["type"] == "input_audio_buffer.committed"]
    for item_id, (start_ms, end_ms) in zip(items, edges(end), strict=True):
        [got] = end.send("conversation.item.retrieve", item_id=item_id)
        audio = base64.b64decode(got["item"]["content"][0]["audio"])
        assert audio == dialogue[start_ms * MS : end_ms * MS]


def test_a_longer_silence_joins_what_a_shorter_one_parts(dialogue: bytes) -> None:
    joined = edges(heard("ga", {"silence_duration_ms": 2100}, dialogue, FORMATS[0]))
    assert len(joined) < 5


def test_a_high_threshold_wants_a_louder_voice(dialogue: bytes) -> None:
    quiet = (np.frombuffer(dialogue, "<i2") // 40).astype("<i2").tobytes()
    counts = [
        len(edges(heard("ga", {"threshold": threshold}, quiet, FORMATS[0]))) for threshold in (0.2, 0.5, 0.9)
    ]
    assert counts[0] == 5
    assert counts == sorted(counts, reverse=True)
    assert counts[2] == 0
