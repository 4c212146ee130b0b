"""G.711: the published corners of both laws, and what a round trip may cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb import g711

if TYPE_CHECKING:
    from gip_nb.g711 import Law

LAWS: tuple[Law, ...] = ("ulaw", "alaw")


@pytest.mark.parametrize(
    ("law", "sample", "byte"),
    [
        ("ulaw", 0, 0xFF),
        ("ulaw", -1, 0x7E),
        ("ulaw", 32_767, 0x80),
        ("ulaw", -32_768, 0x00),
        ("ulaw", 1000, 0xCE),
        ("alaw", 0, 0xD5),
        ("alaw", -1, 0x55),
        ("alaw", 32_767, 0xAA),
        ("alaw", -32_768, 0x2A),
        ("alaw", 1000, 0xFA),
    ],
)
def test_the_corners_of_both_tables(law: Law, sample: int, byte: int) -> None:
    assert g711.encode(np.array([sample], np.int16), law) == bytes([byte])


@pytest.mark.parametrize("law", LAWS)
def test_every_byte_comes_back(law: Law) -> None:
    every = bytes(range(256))
    again = g711.encode(g711.decode(every, law), law)
    # The u-law has two zeros.
    assert [b for b, a in zip(every, again, strict=True) if a != b] == ([0x7F] if law == "ulaw" else [])


@pytest.mark.parametrize("law", LAWS)
@given(samples=st.lists(st.integers(-32_768, 32_767)))
def test_louder_stays_louder_and_the_error_is_a_step_at_most(law: Law, samples: list[int]) -> None:
    x = np.array(sorted(samples), np.int16)
    decoded = g711.decode(g711.encode(x, law), law).astype(np.int64)
    assert (np.diff(decoded) >= 0).all()
    wrong = np.abs(decoded - x)
    # Sixteen steps a segment: half a step is a 32nd of the segment's end; below it the smallest step.
    assert (wrong <= np.maximum(np.abs(x.astype(np.int64)) / 16, 16)).all()


@pytest.mark.parametrize("law", LAWS)
def test_speech_level_tones_keep_37_db(law: Law) -> None:
    t = np.arange(8000) / 8000
    x = np.round(8000 * np.sin(2 * math.pi * 440 * t)).astype(np.int16)
    noise = g711.decode(g711.encode(x, law), law).astype(float) - x
    assert 10 * math.log10(float((x.astype(float) ** 2).mean() / (noise**2).mean())) > 37
