"""Another sample rate for the same sound: a whole at once, or a stream bit by bit.

Band-limited by a windowed sinc, in numpy only. All of it is pure and may be called from any thread; a
`Resampler` belongs to one stream and to one thread at a time.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gip_nb.errors import BadAudio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "FULL_SCALE",
    "Resampler",
    "check_finite",
    "checked_rate",
    "described",
    "resample",
    "resampled",
    "sample_kind",
    "to_int16",
]

FULL_SCALE = 32_768
"""Int16 units of a float 1.0."""

_LOWEST_HZ, _HIGHEST_HZ = 1_000, 768_000
_LONGEST_SHOWN = 60
_MOST_SHOWN = 10**18
# Of the filter, to each side. With the attenuation it makes the transition band 10 % of the lower Nyquist
# frequency.
_ZERO_CROSSINGS = 48
_ATTENUATION_DB = 80.0
_KAISER_BETA = 0.1102 * (_ATTENUATION_DB - 8.7)
_TRANSITION = (_ATTENUATION_DB - 8.0) / (2.285 * 2 * _ZERO_CROSSINGS) / math.pi
_GRID = 2.0**30  # coefficients are multiples of 1/this; see _Filter
_TABLE_SIZE = 2**20  # coefficients held for one pair of rates, at most: 8 MB
_SEGMENT = 2**20  # samples copied at once, to keep the memory for an hour of audio small


class _Filter(NamedTuple):
    """A windowed sinc for one pair of rates: `up` output samples for `down` input samples.

    Output n lies at input n * down / up, and the input sample at or before that is its *place*. Coefficients
    lie on a grid of 2**-30, so that sums of their products with int16 samples are exact in float64 whatever
    the order of adding: that is why a stream comes out the same however it was split.

    For rates with a small ratio (all usual ones) many periods are one product with `matrix`. For odd ones (44
    101 Hz) each output takes the nearest of as many phases as the table holds, which costs
    about 2 dB of exactness.

    Attributes:
        up: output samples per period.
        down: input samples per period.
        reach: how many input samples before and after its place an output depends on.
        taps: float64, shape (phases + 1, 2 * reach + 1), from phase 0 to 1 inclusive.
        matrix: float64, shape (input samples, outputs of some whole periods), or None. Fewer periods use its
            upper left corner.
    """

    up: int
    down: int
    reach: int
    taps: NDArray[np.float64]
    matrix: NDArray[np.float64] | None

    @property
    def step(self) -> int:
        """Outputs are made in multiples of this."""
        return 1 if self.matrix is None else self.up

    def place(self, n: int) -> int:
        """The input sample at or before output n."""
        return n * self.down // self.up

    def run(self, x: NDArray[np.float64], first: int, count: int) -> NDArray[np.float64]:
        """The outputs from `first` on.

        Args:
            x: input from `place(first) - reach` to `place(first + count - 1) + reach` or beyond.
            first: a multiple of `step`.
            count: a multiple of `step`.
        """
        parts = list(self._by_phase(x, first, count) if self.matrix is None else self._by_matrix(x, count))
        return np.concatenate(parts) if parts else np.empty(0)

    def _by_matrix(self, x: NDArray[np.float64], count: int) -> Iterator[NDArray[np.float64]]:
        if self.matrix is None:
            return
        width, outputs = self.matrix.shape
        whole, rest = divmod(count, outputs)
        inputs = self.place(outputs)
        rows_at_once = max(1, _SEGMENT // width)
        for row in range(0, whole, rows_at_once):
            rows = min(rows_at_once, whole - row)
            stretch = x[row * inputs : (row + rows - 1) * inputs + width]
            # BLAS wants its rows apart; overlapping windows would fall back to numpy's own loop.
            yield (np.ascontiguousarray(sliding_window_view(stretch, width)[::inputs]) @ self.matrix).ravel()
        if rest:
            width = self.place(rest - 1) + 2 * self.reach + 1
            yield x[whole * inputs : whole * inputs + width] @ self.matrix[:width, :rest]

    def _by_phase(self, x: NDArray[np.float64], first: int, count: int) -> Iterator[NDArray[np.float64]]:
        windows = sliding_window_view(x, self.taps.shape[1]) if count else x
        phases = len(self.taps) - 1
        at_once = max(1, _SEGMENT // self.taps.shape[1])
        for start in range(first, first + count, at_once):
            n = np.arange(start, min(start + at_once, first + count))
            place, part = np.divmod(n * self.down, self.up)
            nearest = (2 * part * phases + self.up) // (2 * self.up)
            yield np.einsum("nk,nk->n", windows[place - self.place(first)], self.taps[nearest])


@functools.lru_cache(maxsize=8)
def _filter(from_hz: int, to_hz: int) -> _Filter:
    ratio = Fraction(to_hz, from_hz)
    up, down = ratio.numerator, ratio.denominator
    stretch = max(1.0, down / up)  # going down, the filter is as much longer as the new period is
    reach = math.ceil(_ZERO_CROSSINGS * stretch)
    length = 2 * reach + 1
    is_small = up * (down + length) <= _TABLE_SIZE
    phases = up if is_small else _TABLE_SIZE // length

    part = np.arange(phases + 1)[:, None] / phases
    distance = part - np.arange(-reach, reach + 1)  # from each tap to the output's place, in input samples
    cutoff = (1.0 - _TRANSITION / 2) / stretch
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1.0 - (distance / (reach + 1)) ** 2, 0.0, None)))
    taps = np.sinc(cutoff * distance) * window
    taps /= taps.sum(axis=1, keepdims=True)  # a constant stays that constant in every phase
    taps = np.rint(taps * _GRID) / _GRID
    if not is_small:
        return _Filter(up, down, reach, taps, None)

    # As many periods as the filter is long: little of the matrix is zeros, and there are few products.
    n = np.arange(max(1, reach // down) * up)
    place, phase = np.divmod(n * down, up)
    matrix = np.zeros((int(place[-1]) + length, len(n)))
    matrix[place[:, None] + np.arange(length), n[:, None]] = taps[phase]
    return _Filter(up, down, reach, taps, matrix)


def checked_rate(
    value: Any,  # noqa: ANN401 - is checked here
    name: str,
    next_step: str = "give the rate of your audio, for example 16000 (Hz, not kHz).",
) -> int:
    """A sample rate in Hz.

    Raises:
        BadAudio: no whole number from 1 000 to 768 000.
    """
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    # Compared before it is converted: a whole number may be too large for a float.
    if is_number and _LOWEST_HZ <= value <= _HIGHEST_HZ and float(value).is_integer():
        return int(value)
    limits = f"from {_LOWEST_HZ} to {_HIGHEST_HZ}"
    raise BadAudio(f"{name} is {_short(value)}; a sample rate is a whole number of Hz {limits}", next_step)


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) > _MOST_SHOWN:
        return "a number of more than 18 digits"  # which Python may refuse to write out
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."


def described(x: object) -> str:
    """What was passed instead of audio, for an error's text."""
    if isinstance(x, np.ndarray):
        return f"an array of dtype {x.dtype} and shape {x.shape}"
    return f"a {type(x).__name__}"


def sample_kind(x: object) -> str:
    """`i2`, `f4` and so on for an array, whatever its byte order; empty for anything else."""
    return f"{x.dtype.kind}{x.dtype.itemsize}" if isinstance(x, np.ndarray) else ""


def check_finite(x: NDArray[Any]) -> None:
    """No NaN, no infinity.

    Raises:
        BadAudio: there are some; says how many, and where the first is.
    """
    odd = np.flatnonzero(~np.isfinite(x))
    if odd.size:
        raise BadAudio(
            f"{odd.size} of {x.size} samples are NaN or infinite, the first at index {odd[0]}",
            "replace them first, for example with numpy.nan_to_num(x).",
        )


def resampled(x: NDArray[np.float64], from_hz: int, to_hz: int) -> NDArray[np.float64]:
    """As `resample`, for rates that were checked and samples of float64."""
    if from_hz == to_hz:
        return x
    stream = _filter(from_hz, to_hz)
    length = round(Fraction(len(x) * to_hz, from_hz))
    count = -(-length // stream.step) * stream.step
    if not count:
        return np.empty(0)
    after = max(0, stream.place(count - 1) + stream.reach + 1 - len(x))
    return stream.run(np.pad(x, (stream.reach, after)), 0, count)[:length]


def resample(x: NDArray[Any], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Changes the sample rate; nothing above the lower of the two Nyquist frequencies comes through.

    A windowed sinc (Kaiser, 80 dB), flat up to 0.89 of the lower Nyquist frequency. Outputs lie at their true
    places in time: there is no delay. Beyond its ends the audio is taken to be silent.

    Args:
        x: float32 or float64, shape (n,), any scale.
        from_hz: rate of `x`, 1 000 to 768 000.
        to_hz: rate wanted, in the same range.

    Returns:
        float32, shape (round(n * to_hz / from_hz),).

    Raises:
        BadAudio: another shape, dtype or rate, or NaN or infinity in it.
    """
    from_hz, to_hz = checked_rate(from_hz, "from_hz"), checked_rate(to_hz, "to_hz")
    if sample_kind(x) not in {"f4", "f8"} or x.ndim != 1:
        raise BadAudio(
            f"cannot resample {described(x)}", "pass a float32 array of shape (n,), one channel at a time."
        )
    check_finite(x)
    return resampled(x.astype(np.float64), from_hz, to_hz).astype(np.float32)


def to_int16(x: NDArray[np.float64]) -> NDArray[np.int16]:
    """From int16 units to int16; what is too loud is clipped."""
    return np.clip(np.rint(x), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


class Resampler:
    """Resamples a stream chunk by chunk, to the bit what the whole would give at once, however it is split.

    An output needs some input after its place, so the last 2 to 6 ms stay inside until `flush`.

    Args:
        from_hz: rate that comes in, 1 000 to 768 000.
        to_hz: rate that goes out.

    Raises:
        BadAudio: a rate outside that range.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._from_hz = checked_rate(from_hz, "from_hz")
        self._to_hz = checked_rate(to_hz, "to_hz")
        self._filter = _filter(self._from_hz, self._to_hz) if self._from_hz != self._to_hz else None
        self._begin()

    def _begin(self) -> None:
        self._held = np.zeros(self._filter.reach if self._filter else 0)
        self._samples_in = 0
        self._samples_out = 0

    def process(self, chunk: NDArray[np.int16]) -> NDArray[np.int16]:
        """Takes the next samples and gives what can be given by now.

        Args:
            chunk: int16, shape (n,), mono; n may be 0.

        Returns:
            int16, shape (m,), mono; m may be 0.

        Raises:
            BadAudio: another shape or dtype.
        """
        if sample_kind(chunk) != "i2" or chunk.ndim != 1:
            raise BadAudio(
                f"a stream of int16 samples was fed {described(chunk)}", "pass int16 arrays of shape (n,)."
            )
        if self._filter is None:
            return chunk.copy()
        self._samples_in += len(chunk)
        self._held = np.concatenate((self._held, chunk))
        # Those whose place has `reach` samples after it by now.
        ready = -(-(self._samples_in - self._filter.reach) * self._filter.up // self._filter.down)
        return self._taken(self._filter, ready // self._filter.step * self._filter.step)

    def flush(self) -> NDArray[np.int16]:
        """Gives the rest, as if silence followed, and starts anew.

        Returns:
            int16, shape (m,): all outputs together are then round(samples in * to_hz / from_hz) many.
        """
        if self._filter is None:
            return np.empty(0, np.int16)
        length = round(Fraction(self._samples_in * self._to_hz, self._from_hz))
        upto = -(-length // self._filter.step) * self._filter.step
        started = self._filter.place(self._samples_out) - self._filter.reach
        after = self._filter.place(upto - 1) + self._filter.reach + 1 - started - len(self._held)
        self._held = np.pad(self._held, (0, max(0, after)))
        missing = length - self._samples_out
        rest = self._taken(self._filter, upto)[:missing]
        self._begin()
        return rest

    def _taken(self, stream: _Filter, upto: int) -> NDArray[np.int16]:
        """The outputs up to there, which the input held must allow."""
        first = self._samples_out
        if upto <= first:
            return np.empty(0, np.int16)
        out = to_int16(stream.run(self._held, first, upto - first))
        self._held = self._held[stream.place(upto) - stream.place(first) :]
        self._samples_out = upto
        return out
