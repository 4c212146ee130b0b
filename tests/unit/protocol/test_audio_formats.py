"""The wire's formats: names, counts, and a stream that is the same however it was cut."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.audio_formats import ALAW, FORMATS, PCM16, ULAW, AudioFormat, Decoder, Encoder, format_of


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"type": "audio/pcm", "rate": 24_000}, PCM16),
        ({"type": "audio/pcmu"}, ULAW),
        ({"type": "audio/pcma"}, ALAW),
        ("pcm16", PCM16),
        ("g711_ulaw", ULAW),
        ("g711_alaw", ALAW),
        (None, PCM16),
        ({"type": ["audio/pcmu"]}, PCM16),
        ({}, PCM16),
    ],
)
def test_a_format_is_known_by_either_name(told: object, meant: AudioFormat) -> None:
    assert format_of(told) is meant


@pytest.mark.parametrize("audio_format", FORMATS)
def test_a_second_is_24_000_samples_in_every_format(audio_format: AudioFormat) -> None:
    second = audio_format.rate_hz * audio_format.sample_bytes
    assert audio_format.samples(second) == 24_000
    assert format_of(audio_format.as_ga()) is audio_format


@pytest.mark.parametrize("audio_format", FORMATS)
@given(cuts=st.lists(st.integers(0, 2400), max_size=8))
def test_a_stream_cut_anywhere_is_the_same_stream(audio_format: AudioFormat, cuts: list[int]) -> None:
    t = np.arange(2400) / 24_000
    pcm = np.round(9000 * np.sin(2 * math.pi * 440 * t)).astype("<i2").tobytes()

    def through(places: list[int]) -> bytes:
        edges = [0, *sorted(2 * p for p in places), len(pcm)]
        encoder = Encoder(audio_format)
        wire = b"".join(encoder.encode(pcm[a:b]) for a, b in itertools.pairwise(edges))
        wire += encoder.flush()
        decoder = Decoder(audio_format)
        step = audio_format.sample_bytes
        edges = [0, *sorted(step * (p % (len(wire) // step + 1)) for p in places), len(wire)]
        return b"".join(decoder.decode(wire[a:b]) for a, b in itertools.pairwise(edges)) + (decoder.flush())

    whole = through([])
    assert through(cuts) == whole
    assert len(whole) == len(pcm)
    x, y = (np.frombuffer(b, "<i2").astype(float)[300:-300] for b in (pcm, whole))
    assert np.abs(x - y).max() < 600, "in step, and as loud"
