"""G.711, the telephone's one byte a sample: µ-law and A-law to PCM16 and back. Pure, any thread.

Two tables each, after ITU-T G.711. The standard library's `audioop` did this until Python 3.12.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Law", "decode", "encode"]

Law = Literal["ulaw", "alaw"]

# Of 14 bits.
_ULAW_BIAS, _ULAW_CLIP = 33, 8158


def encode(samples: NDArray[np.int16], law: Law) -> bytes:
    """One byte a sample.

    Args:
        samples: int16, shape (n,), any rate; G.711 is spoken at 8 000 Hz.
        law: `ulaw` or `alaw`.
    """
    return _bytes_of(law)[samples.view(np.uint16)].tobytes()


def decode(data: bytes, law: Law) -> NDArray[np.int16]:
    """The samples of `data`: int16, shape (n,)."""
    return _samples_of(law)[np.frombuffer(data, np.uint8)]


@functools.cache
def _bytes_of(law: Law) -> NDArray[np.uint8]:
    """The byte for each int16, found by its bits as a uint16."""
    x = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    return (_to_ulaw(x) if law == "ulaw" else _to_alaw(x)).astype(np.uint8)


@functools.cache
def _samples_of(law: Law) -> NDArray[np.int16]:
    byte = np.arange(256, dtype=np.int32)
    return (_from_ulaw(byte) if law == "ulaw" else _from_alaw(byte)).astype(np.int16)


def _to_ulaw(x: NDArray[np.int32]) -> NDArray[np.int32]:
    magnitude = np.minimum(np.abs(x >> 2), _ULAW_CLIP) + _ULAW_BIAS
    segment = np.log2(magnitude).astype(np.int32) - 5
    step = (magnitude >> (segment + 1)) & 0x0F
    sign: NDArray[np.int32] = np.where(x < 0, 0x80, 0)
    code: NDArray[np.int32] = sign | segment << 4 | step
    return 0xFF ^ code


def _from_ulaw(byte: NDArray[np.int32]) -> NDArray[np.int32]:
    byte = 0xFF ^ byte
    magnitude = (((byte & 0x0F) << 1) + _ULAW_BIAS << ((byte & 0x70) >> 4)) - _ULAW_BIAS
    signed: NDArray[np.int32] = np.where(byte & 0x80, -magnitude, magnitude) << 2
    return signed


def _to_alaw(x: NDArray[np.int32]) -> NDArray[np.int32]:
    # 13 bits; below zero the scale is shifted by one, so that there is no second zero.
    magnitude = np.where(x < 0, -(x >> 3) - 1, x >> 3)
    segment = np.maximum(np.log2(np.maximum(magnitude, 1)).astype(np.int32) - 4, 0)
    step = (magnitude >> np.maximum(segment, 1)) & 0x0F
    return (segment << 4 | step) ^ np.where(x < 0, 0x55, 0xD5)


def _from_alaw(byte: NDArray[np.int32]) -> NDArray[np.int32]:
    byte = byte ^ 0x55
    segment = (byte & 0x70) >> 4
    # The middle of the step; the first segment has no leading one.
    magnitude = ((byte & 0x0F) << 4) + np.where(segment > 0, 0x108, 8) << np.maximum(segment - 1, 0)
    signed: NDArray[np.int32] = np.where(byte & 0x80, magnitude, -magnitude)
    return signed
