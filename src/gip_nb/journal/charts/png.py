"""PNG files made small, without a package for it: charts have few colours and large plain areas. Pure.

vl-convert writes them for speed: 312 kB where 40 do. What is not such a file passes unchanged.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decoded", "encoded", "see_through", "size", "smaller"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGBA, _INDEXED = (8, 6, 0, 0, 0), (8, 3, 0, 0, 0)
_PALETTE = 256


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def smaller(drawn: bytes, on_black: bytes | None = None) -> bytes:
    """The same picture in fewer bytes; where it has more than 256 colours, the rarest become others.

    Args:
        drawn: as vl-convert writes it.
        on_black: the same picture on black, where `drawn` is on white: then the result is see-through.
    """
    pixels, black = decoded(drawn), decoded(on_black) if on_black is not None else None
    if pixels is None or (on_black is not None and black is None):
        return drawn
    found = encoded(pixels if black is None else see_through(pixels, black))
    return found if len(found) < len(drawn) or black is not None else drawn


def see_through(on_white: NDArray[np.uint8], on_black: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture without its ground, from how it looks on white and on black.

    Args:
        on_white: uint8, shape (height, width, 4), opaque.
        on_black: the same.

    Returns:
        The same shape, straight alpha.
    """
    white, black = on_white[..., :3].astype(np.int32), on_black[..., :3].astype(np.int32)
    alpha = 255 - np.clip(white - black, 0, 255).max(axis=2)
    colour = np.clip(np.rint(black * 255 / np.maximum(alpha, 1)[..., None]), 0, 255)
    found = np.concatenate([colour, alpha[..., None]], axis=2).astype(np.uint8)
    found[alpha == 0] = 0
    return found


def decoded(png: bytes) -> NDArray[np.uint8] | None:
    """The pixels, uint8, shape (height, width, 4).

    None where it is neither as vl-convert writes it (RGBA, no filter or the simplest) nor as `encoded` does.
    """
    chunks = dict.fromkeys((b"IHDR", b"IDAT", b"PLTE", b"tRNS"), b"")
    at = len(_SIGNATURE)
    while at + 12 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind = png[at + 4 : at + 8]
        chunks[kind] = chunks.get(kind, b"") + png[at + 8 : at + 8 + length]
        at += 12 + length
    form = tuple(chunks[b"IHDR"][8:])
    if form not in {_RGBA, _INDEXED}:
        return None
    width, height = size(png)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    filters = lines[:, 0]
    if form == _INDEXED and not filters.any():
        colours = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
        alpha = np.frombuffer(chunks[b"tRNS"], np.uint8).reshape(-1, 1)
        return np.concatenate([colours, alpha], axis=1)[lines[:, 1:]]
    if form == _INDEXED or (filters > 1).any():
        return None
    pixels = lines[:, 1:].reshape(height, width, 4)
    # Each byte is the difference to the one of the pixel before, modulo 256.
    summed = np.cumsum(pixels, axis=1, dtype=np.uint8)
    return np.where((filters == 1)[:, None, None], summed, pixels)


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG with a palette.

    Args:
        pixels: uint8, shape (height, width, 4).
    """
    height, width = pixels.shape[:2]
    packed = np.ascontiguousarray(pixels).view("<u4").reshape(-1)
    colours, index, counts = np.unique(packed, return_inverse=True, return_counts=True)
    kept = np.sort(np.argsort(counts)[::-1][:_PALETTE])
    palette = colours[kept].view(np.uint8).reshape(-1, 4)
    nearest = np.empty(len(colours), np.uint8)
    every = colours.view(np.uint8).reshape(-1, 4).astype(np.int32)
    for start in range(0, len(colours), 1024):
        some = every[start : start + 1024]
        apart = np.square(some[:, None, :] - palette.astype(np.int32)[None]).sum(axis=2)
        nearest[start : start + 1024] = apart.argmin(axis=1)
    lines = np.zeros((height, width + 1), np.uint8)
    lines[:, 1:] = nearest[index].reshape(height, width)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (
        (b"IHDR", header),
        (b"PLTE", palette[:, :3].tobytes()),
        (b"tRNS", palette[:, 3].tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
