"""Where the user's turns are found in recorded speech; the true edges stand in tests/fixtures/speech.json."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import webrtcvad
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.audio import pcm16_from_wav
from gip_nb.protocol.server.input import ears_pcm
from gip_nb.protocol.server.turn_detection import (
    SpeechEnded,
    SpeechStarted,
    TurnDetector,
    silence_duration_ms,
    strictness,
)

if TYPE_CHECKING:
    from pathlib import Path

VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}
SEMANTIC = {"type": "semantic_vad", "eagerness": "auto"}
CHUNK = 1280  # 40 ms


def turns(pcm: bytes, turn_detection: dict[str, Any], chunk: int = CHUNK) -> list[tuple[int, int]]:
    """(onset, end) of each turn in ms; a turn that has not ended counts with the end -1."""
    detector = TurnDetector(turn_detection, webrtcvad.Vad)
    found: list[tuple[int, int]] = []
    for start in range(0, len(pcm), chunk):
        for edge in detector.push(pcm[start : start + chunk]):
            if isinstance(edge, SpeechStarted):
                found.append((edge.onset_ms, -1))
            else:
                found[-1] = (found[-1][0], edge.end_ms)
    return found


@pytest.fixture(scope="module")
def dialogue(fixtures: Path) -> bytes:
    return ears_pcm(pcm16_from_wav(fixtures / "dialogue.wav"))


@pytest.fixture(scope="module")
def true_edges(speech: dict[str, dict[str, Any]]) -> list[tuple[int, int]]:
    segments = speech["dialogue.wav"]["segments"]
    return [(one["speech_start_ms"], one["speech_end_ms"]) for one in segments]


@pytest.mark.parametrize("setting", [VAD, {**VAD, "silence_duration_ms": 300}, SEMANTIC])
def test_five_utterances_and_none_besides_within_50_ms(
    dialogue: bytes, true_edges: list[tuple[int, int]], setting: dict[str, Any]
) -> None:
    found = turns(dialogue, setting)
    assert len(found) == len(true_edges) == 5
    off = [
        abs(a - b)
        for mine, true in zip(found, true_edges, strict=True)
        for a, b in zip(mine, true, strict=True)
    ]
    assert max(off) <= 50, off


@pytest.mark.parametrize("threshold", [0.3, 0.4, 0.5, 0.75, 0.9])
def test_every_threshold_from_its_table_finds_the_five(
    dialogue: bytes, true_edges: list[tuple[int, int]], threshold: float
) -> None:
    found = turns(dialogue, {**VAD, "threshold": threshold})
    assert len(found) == 5
    assert all(abs(mine[0] - true[0]) <= 150 for mine, true in zip(found, true_edges, strict=True))


@pytest.mark.parametrize("rms", [20, 60, 150])
def test_noise_in_the_room_changes_little(
    dialogue: bytes, true_edges: list[tuple[int, int]], rms: int
) -> None:
    clean = np.frombuffer(dialogue, "<i2").astype(float)
    noisy = clean + np.random.default_rng(1).normal(0, rms, len(clean))
    found = turns(noisy.clip(-32768, 32767).astype("<i2").tobytes(), VAD)
    assert len(found) == 5
    off = [
        abs(a - b)
        for mine, true in zip(found, true_edges, strict=True)
        for a, b in zip(mine, true, strict=True)
    ]
    assert max(off) <= 100, off


@pytest.mark.parametrize("seconds", [1, 20])
def test_silence_and_noise_alone_are_no_speech(seconds: int) -> None:
    count = 16_000 * seconds
    assert turns(bytes(2 * count), VAD) == []
    noise = np.random.default_rng(2).normal(0, 200, count).astype("<i2").tobytes()
    assert turns(noise, VAD) == []


def test_a_click_is_no_speech() -> None:
    samples = np.zeros(16_000, "<i2")
    samples[8000:8480] = np.random.default_rng(3).integers(-20_000, 20_000, 480)
    assert turns(samples.tobytes(), VAD) == []


def test_a_quiet_voice_is_not_loud_enough_for_a_high_threshold(dialogue: bytes) -> None:
    quiet = (np.frombuffer(dialogue, "<i2") // 40).astype("<i2").tobytes()
    assert turns(quiet, {**VAD, "threshold": 0.9}) == []


def test_a_pause_shorter_than_the_silence_is_part_of_the_turn(dialogue: bytes) -> None:
    gap_ms = 8140 - 6286
    found = turns(dialogue, {**VAD, "silence_duration_ms": gap_ms + 200})
    assert len(found) < 5


def test_the_end_is_told_when_the_silence_has_lasted(dialogue: bytes) -> None:
    detector = TurnDetector(VAD, webrtcvad.Vad)
    ended_ms, told_ms = 0, 0
    for start in range(0, len(dialogue), 320):
        for edge in detector.push(dialogue[start : start + 320]):
            if isinstance(edge, SpeechEnded) and not told_ms:
                ended_ms, told_ms = edge.end_ms, start // 32 + 10
    assert told_ms - ended_ms == 500


@given(cuts=st.lists(st.integers(0, 16_000 * 2 * 4), max_size=20))
@settings(max_examples=20, deadline=None)
def test_how_the_audio_is_cut_makes_no_difference(dialogue: bytes, cuts: list[int]) -> None:
    pcm = dialogue[: 16_000 * 2 * 4]
    detector = TurnDetector(VAD, webrtcvad.Vad)
    edges = [0, *sorted(cuts), len(pcm)]
    found = [edge for start, end in itertools.pairwise(edges) for edge in detector.push(pcm[start:end])]
    whole = TurnDetector(VAD, webrtcvad.Vad).push(pcm)
    assert found == whole
    assert whole


def test_the_table_from_threshold_to_strictness() -> None:
    assert [strictness(threshold)[0] for threshold in (0, 0.2, 0.34, 0.35, 0.5, 0.7, 1)] == [
        0,
        1,
        1,
        2,
        3,
        3,
        3,
    ]
    levels = [strictness(threshold)[1] for threshold in (0.5, 0.7, 0.85)]
    assert levels == sorted(levels)
    assert len(set(levels)) == 3


def test_eagerness_is_the_length_of_a_pause() -> None:
    lengths = [silence_duration_ms({**SEMANTIC, "eagerness": one}) for one in ("high", "medium", "low")]
    assert lengths == sorted(lengths)
    assert silence_duration_ms(SEMANTIC) == lengths[1]
    assert silence_duration_ms(VAD) == 500
