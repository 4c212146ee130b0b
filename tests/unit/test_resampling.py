"""Resampling: how much of a sine survives, what does not, and that a stream is its whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.errors import BadAudio
from gip_nb.resampling import Resampler, resample, resampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECONDS = 0.5


def sine(frequency_hz: float, rate_hz: int, seconds: float = SECONDS) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz).astype(np.float32)


def middle(x: NDArray[Any]) -> NDArray[Any]:
    """Without the ends, where the silence outside is part of the sum."""
    return x[len(x) // 8 : -len(x) // 8]


def power_db(x: NDArray[Any]) -> float:
    return 10 * math.log10(float(np.mean(x.astype(np.float64) ** 2)) + 1e-30)


RATES = [
    (44_100, 24_000),
    (48_000, 24_000),
    (16_000, 24_000),
    (8_000, 24_000),
    (24_000, 16_000),
    (24_000, 8_000),
]
ODD_RATES = [(44_101, 24_000), (44_056, 24_000), (47_990, 24_000), (24_001, 24_000), (11_025, 24_000)]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES + ODD_RATES)
@pytest.mark.parametrize("part", [0.01, 0.3, 0.7, 0.88])
def test_a_sine_stays_that_sine(from_hz: int, to_hz: int, part: float) -> None:
    frequency_hz = part * min(from_hz, to_hz) / 2
    seen = resample(sine(frequency_hz, from_hz), from_hz, to_hz)
    # Against the sine itself and not a fitted one: level, place in time and pitch have to be right.
    wanted = middle(sine(frequency_hz, to_hz, len(seen) / to_hz))
    seen = middle(seen)
    snr_db = power_db(wanted) - power_db(seen - wanted)
    assert snr_db > 78


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [rates for rates in RATES + ODD_RATES if rates[0] > rates[1] * 1.1]
)
@pytest.mark.parametrize("above", [1.01, 1.2, 0.999])
def test_what_the_new_rate_cannot_hold_is_gone(from_hz: int, to_hz: int, above: float) -> None:
    nyquist_hz = to_hz / 2
    frequency_hz = nyquist_hz * above if above > 1 else from_hz / 2 * above
    seen = middle(resample(sine(frequency_hz, from_hz), from_hz, to_hz))
    assert power_db(seen) < -70


def test_no_images_going_up() -> None:
    seen = middle(resample(sine(3_000, 8_000, 1.0), 8_000, 24_000))
    spectrum = np.abs(np.fft.rfft(seen * np.hanning(len(seen)))) ** 2
    hz = np.fft.rfftfreq(len(seen), 1 / 24_000)
    assert 10 * math.log10(spectrum[hz > 4_000].max() / spectrum.max()) < -70


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES + ODD_RATES + [(24_000, 24_000), (768_000, 1_000)])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 160, 1_001])
def test_length(from_hz: int, to_hz: int, n: int) -> None:
    seen = resample(np.ones(n, np.float32), from_hz, to_hz)
    assert seen.dtype == np.float32
    assert seen.shape == (round(n * to_hz / from_hz),)


def test_a_constant_stays_that_constant() -> None:
    seen = middle(resample(np.full(4_000, 0.25, np.float32), 44_100, 24_000))
    assert np.abs(seen - 0.25).max() < 1e-6


def test_a_click_keeps_its_place() -> None:
    x = np.zeros(4_800, np.float32)
    x[2_400] = 1.0
    assert int(resample(x, 48_000, 24_000).argmax()) == 1_200


def test_no_change_is_a_copy() -> None:
    x = sine(440, 24_000)
    seen = resample(x, 24_000, 24_000)
    assert np.array_equal(seen, x)
    seen[0] = 5
    assert x[0] != 5


@pytest.mark.parametrize(
    "x", [np.zeros(4, np.int16), np.zeros((4, 2), np.float32), np.zeros(4, np.float16), [0.0], None]
)
def test_resample_takes_float_arrays_only(x: object) -> None:
    with pytest.raises(BadAudio, match="float32"):
        resample(x, 8_000, 24_000)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    "rate_hz", [0, -1, 24, 44.1, 16_000.5, 10**9, math.nan, math.inf, "16000", None, True]
)
def test_impossible_rates(rate_hz: object) -> None:
    with pytest.raises(BadAudio, match="sample rate"):
        resample(np.zeros(4, np.float32), rate_hz, 24_000)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(BadAudio, match="to_hz"):
        Resampler(24_000, rate_hz)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_not_a_number(odd: float) -> None:
    x = np.zeros(10, np.float32)
    x[7] = odd
    with pytest.raises(BadAudio, match="index 7"):
        resample(x, 8_000, 24_000)


# ---------------------------------------------------------------------------------------------------- streams


def noise(n: int) -> NDArray[np.int16]:
    return np.random.default_rng(n).integers(-32_768, 32_768, n).astype(np.int16)


@settings(deadline=None)
@given(
    st.sampled_from([*RATES, *ODD_RATES, (24_000, 24_000), (96_000, 8_000)]),
    st.integers(0, 5_000),
    st.lists(st.integers(0, 5_000), max_size=8),
)
def test_a_stream_is_its_whole_however_it_is_split(rates: tuple[int, int], n: int, cuts: list[int]) -> None:
    x = noise(n)
    whole = Resampler(*rates)
    at_once = np.concatenate((whole.process(x), whole.flush()))
    split = Resampler(*rates)
    pieces = [split.process(piece) for piece in np.split(x, sorted(min(cut, n) for cut in cuts))]
    assert np.array_equal(np.concatenate((*pieces, split.flush())), at_once)
    assert len(at_once) == round(n * rates[1] / rates[0])
    # It starts anew after a flush.
    assert np.array_equal(np.concatenate((split.process(x), split.flush())), at_once)


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES + ODD_RATES)
def test_a_stream_is_what_resample_gives(from_hz: int, to_hz: int) -> None:
    x = (noise(9_999) // 4).astype(np.int16)
    stream = Resampler(from_hz, to_hz)
    seen = np.concatenate((stream.process(x), stream.flush()))
    wanted = np.rint(resample(x.astype(np.float32) / 32_768, from_hz, to_hz) * 32_768)
    assert np.abs(seen - wanted).max() <= 1


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES + ODD_RATES)
def test_sums_are_exact(from_hz: int, to_hz: int) -> None:
    """The reason why the split does not matter: no order of adding can round differently."""
    seen = resampled(noise(2_000).astype(np.float64), from_hz, to_hz) * 2.0**30
    assert np.array_equal(seen, np.rint(seen))
    assert np.abs(seen).max() < 2.0**53


def test_long_stream_of_small_chunks() -> None:
    """Chunks of 40 ms, as from a microphone: nothing drifts, nothing is lost, little is held back."""
    x = noise(24_000 * 4)
    stream = Resampler(24_000, 16_000)
    given = 0
    for at in range(0, len(x), 960):
        given += len(stream.process(x[at : at + 960]))
        assert (at + 960) / 24_000 - given / 16_000 < 0.004
    assert given + len(stream.flush()) == 64_000


def test_full_scale_is_clipped_and_does_not_wrap() -> None:
    square = np.where(np.arange(4_800) // 24 % 2, 32_767, -32_768).astype(np.int16)
    stream = Resampler(48_000, 24_000)
    seen = np.concatenate((stream.process(square), stream.flush())).astype(int)
    # A wrapped sample would have the other sign right in the middle of a plateau.
    plateau = seen[6::12][5:-5]
    assert np.abs(plateau).min() > 25_000
    assert set(np.sign(plateau)[1:] * np.sign(plateau)[:-1]) == {-1}


@pytest.mark.parametrize("chunk", [np.zeros(4, np.float32), np.zeros((2, 2), np.int16), b"\0\0"])
def test_streams_take_int16_only(chunk: object) -> None:
    with pytest.raises(BadAudio, match="int16"):
        Resampler(24_000, 16_000).process(chunk)  # type: ignore[arg-type]  # what is tested
