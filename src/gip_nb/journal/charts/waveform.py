"""Sound as a picture: its lowest and highest sample in each column. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Envelope", "envelope", "loudest", "shares"]


class Envelope(NamedTuple):
    """The lowest and the highest sample of each column, float64, shape (columns,), -1 to 1."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def envelope(pcm: bytes, columns: int) -> Envelope:
    """The extremes of a sound, column by column; no sample is left out.

    Args:
        pcm: int16 little endian, mono; an odd last byte is left out.
        columns: how many at most; there are no more columns than samples.
    """
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2")
    count = min(columns, len(samples))
    if count <= 0:
        nothing = np.zeros(0)
        return Envelope(nothing, nothing)
    starts = np.arange(count) * len(samples) // count
    return Envelope(
        np.minimum.reduceat(samples, starts) / 32768, np.maximum.reduceat(samples, starts) / 32768
    )


def loudest(envelopes: Sequence[Envelope]) -> float:
    """The farthest that any of them is from zero; 1 where all are silent."""
    found = max(
        (max(float(np.abs(e.low).max()), float(np.abs(e.high).max())) for e in envelopes if len(e.low)),
        default=0.0,
    )
    return found or 1.0


def shares(lengths: Sequence[float], most: int, least_each: int) -> list[int]:
    """How many columns each sound gets of `most`, by its length.

    Args:
        lengths: not negative, any unit.
        most: of all together; never exceeded.
        least_each: what even the shortest gets, where there is enough for that.

    Returns:
        One number a length; 0 for those of no length, and for all where there are more sounds than columns.
    """
    sounding = sum(length > 0 for length in lengths)
    if not sounding:
        return [0] * len(lengths)
    least = min(least_each, most // sounding)
    spare = most - least * sounding if least else 0
    total = sum(lengths)
    return [least + int(spare * (length / total)) if length > 0 else 0 for length in lengths]
