"""The server's input buffer: what it keeps, what it drops, and what turns are made of."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from gip_nb.protocol.audio_formats import ULAW, Encoder
from gip_nb.protocol.server.input import Found, InputAudio, TurnBegan, TurnEnded, ears_pcm
from gip_nb.protocol.server.parts import Forget, Job, Listen, Refused, Understand
from tests.unit.protocol.server.server_end import MS, LevelDetector, silence, tone

VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}


class Buffer:
    """The buffer with its jobs collected."""

    def __init__(self, turn_detection: dict[str, object] | None) -> None:
        numbers = itertools.count(1)
        self.jobs: list[Job] = []
        self.input = InputAudio(self.jobs.append, lambda: f"item_{next(numbers)}", LevelDetector)
        self.input.configure(turn_detection)

    def append(self, pcm: bytes) -> list[Found]:
        return [found for found in self.input.append(pcm) if found is not None]


def test_a_turn_is_the_speech_with_its_padding_and_its_silence() -> None:
    buffer = Buffer(VAD)
    began, ended = buffer.append(silence(1000) + tone(600) + silence(800))
    assert began == TurnBegan("item_1", 700)
    assert isinstance(ended, TurnEnded)
    assert ended.audio_end_ms == 2100
    assert ended.committed.audio == silence(300) + tone(600) + silence(500)
    assert ended.committed.speech_ms == 600


def test_the_next_turn_does_not_reach_back_into_the_last() -> None:
    buffer = Buffer({**VAD, "prefix_padding_ms": 2000})
    edges = buffer.append((silence(600) + tone(400)) * 2 + silence(600))
    began = [edge.audio_start_ms for edge in edges if isinstance(edge, TurnBegan)]
    ended = [edge.audio_end_ms for edge in edges if isinstance(edge, TurnEnded)]
    assert began == [0, 1500]
    assert ended == [1500, 2500]


def test_positions_count_all_audio_since_the_session_began() -> None:
    buffer = Buffer(None)
    buffer.append(tone(1000))
    buffer.input.commit()
    buffer.append(tone(250))
    buffer.input.clear()
    buffer.input.configure(VAD)
    began, _ = buffer.append(silence(500) + tone(500) + silence(600))
    assert isinstance(began, TurnBegan)
    assert began.audio_start_ms == pytest.approx(1250 + 500 - 300, abs=10)


def test_a_long_silence_is_not_kept() -> None:
    buffer = Buffer(VAD)
    for _ in range(60):
        buffer.append(silence(1000))
    assert len(buffer.input._audio) <= 1000 * MS
    assert buffer.jobs == []


def test_ears_get_the_turn_and_no_more() -> None:
    buffer = Buffer(VAD)
    for _ in range(25):
        buffer.append(silence(40))
    for _ in range(10):
        buffer.append(tone(50))
    for _ in range(20):
        buffer.append(silence(40))
    listened = sum(len(job.pcm) for job in buffer.jobs if isinstance(job, Listen))
    assert listened / 32 == pytest.approx(300 + 500 + 500, abs=12)
    assert buffer.jobs[-1] == Understand("item_1", 500)


def test_a_commit_by_hand_ends_the_turn_that_the_detector_was_in() -> None:
    buffer = Buffer(VAD)
    [began] = buffer.append(silence(500) + tone(500))
    committed = buffer.input.commit()
    assert began == TurnBegan(committed.item_id, 200)
    assert committed.audio == silence(300) + tone(500)
    assert buffer.append(silence(1000)) == [], "the turn is over: nothing is left to end"


def test_detection_that_is_switched_off_in_the_middle_of_a_word_leaves_the_word() -> None:
    buffer = Buffer(VAD)
    [began] = buffer.append(silence(500) + tone(300))
    buffer.input.configure(None)
    assert buffer.append(tone(200) + silence(2000)) == []
    committed = buffer.input.commit()
    assert isinstance(began, TurnBegan)
    assert committed.item_id == began.item_id
    assert committed.audio == silence(300) + tone(500) + silence(2000)


def test_detection_that_changes_in_the_middle_of_a_word_still_ends_the_turn() -> None:
    buffer = Buffer(VAD)
    [began] = buffer.append(silence(500) + tone(300))
    buffer.input.configure({**VAD, "silence_duration_ms": 200})
    [ended] = buffer.append(tone(200) + silence(400))
    assert isinstance(began, TurnBegan)
    assert isinstance(ended, TurnEnded)
    assert ended.committed.item_id == began.item_id
    assert ended.audio_end_ms == pytest.approx(1200, abs=10)


def test_words_of_push_to_talk_are_left_to_the_detector_that_comes() -> None:
    buffer = Buffer(None)
    buffer.append(silence(300))
    buffer.input.configure(VAD)
    assert Forget("item_1") in buffer.jobs
    began, ended = buffer.append(tone(500) + silence(600))
    assert isinstance(began, TurnBegan)
    assert isinstance(ended, TurnEnded)
    assert ended.committed.item_id == "item_2"


def test_the_half_of_a_sample_waits_for_the_other() -> None:
    buffer = Buffer(None)
    pcm = tone(200)
    buffer.append(pcm[:1001])
    buffer.append(pcm[1001:])
    assert buffer.input.commit().audio == pcm
    buffer.append(tone(200) + b"\x01")
    assert buffer.input.commit().audio == tone(200)


def test_too_little_is_refused_and_kept() -> None:
    buffer = Buffer(None)
    buffer.append(tone(60))
    with pytest.raises(Refused, match=r"60\.00ms"):
        buffer.input.commit()
    buffer.append(tone(60))
    assert buffer.input.commit().audio == tone(120)


def test_the_ears_get_telephone_audio_with_an_octave_more() -> None:
    t = np.arange(24_000) / 24_000
    pcm = np.round(8000 * np.sin(2 * math.pi * 1000 * t)).astype("<i2").tobytes()

    def level(heard: bytes, hz: int) -> float:
        half_a_second = np.frombuffer(heard, "<i2")[4000:12_000].astype(float)
        spectrum = np.abs(np.fft.rfft(half_a_second))
        return float(spectrum[hz // 2] / spectrum[1000 // 2])

    assert level(ears_pcm(pcm), 7000) < 0.001
    assert level(ears_pcm(pcm, ULAW), 7000) == pytest.approx(0.4, abs=0.01), "mirrored at 4 000 Hz"
    buffer = Buffer(None)
    buffer.input.set_format(ULAW)
    encoder = Encoder(ULAW)
    for start in range(0, len(pcm), 1998):  # an odd number of samples each
        buffer.append(encoder.encode(pcm[start : start + 1998]))
    heard = b"".join(job.pcm for job in buffer.jobs if isinstance(job, Listen))
    assert level(heard, 7000) == pytest.approx(0.4, abs=0.01), "in step from piece to piece"


def test_a_recording_is_resampled_for_the_ears() -> None:
    assert len(ears_pcm(tone(1000))) == 32_000
    assert ears_pcm(b"") == b""
