"""What was said and not taken by a server: kept while there is no connection. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from gip_nb.protocol.items import SAMPLES_PER_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gip_nb.protocol.requests import Request

__all__ = ["KeptInput", "Sound"]


class Sound(msgspec.Struct, frozen=True):
    """A piece of the input.

    Attributes:
        pcm: int16 little endian, mono, 24 000 Hz.
        page: whose microphone it is from, empty where it is from none that is known.
        captured_ms: when its first sample was captured, on that page's clock; NaN where nobody knows.
        sent: it was sent before, on a connection that is gone.
        said: somebody may have said something in it. What a server has listened to for a while, and found
            nothing in, is sent again for its word's beginning and is no loss.
    """

    pcm: bytes
    page: str = ""
    captured_ms: float = math.nan
    sent: bool = False
    said: bool = True

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.pcm) // 2


class KeptInput:
    """Sounds and the commits between them, in order.

    What follows the last commit is bounded, and the oldest goes first: a commit says that what is before it
    is an utterance, and half of one is none.

    Args:
        limit_s: as much of what is not committed is kept.

    Attributes:
        lost_samples: of what was said, as much went.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_samples = round(limit_s * SAMPLES_PER_MS * 1000)
        self._pieces: list[Sound | Request] = []
        self._tail: list[Sound] = []
        self.tail_samples = 0
        self.lost_samples = 0

    def add(self, sound: Sound, *, bounded: bool = True) -> None:
        """A further piece.

        Args:
            sound: the piece.
            bounded: False where it is known that a commit follows.
        """
        self._tail.append(sound)
        self.tail_samples += sound.samples
        if not bounded:
            return
        dropped = 0
        while self.tail_samples > self._limit_samples and dropped < len(self._tail):
            oldest = self._tail[dropped]
            self.tail_samples -= oldest.samples
            self.lost_samples += oldest.samples if oldest.said else 0
            dropped += 1
        del self._tail[:dropped]

    def commit(self, request: Request) -> None:
        """The utterance ends here."""
        request.kept = True
        self._pieces += [*self._tail, request]
        self._tail, self.tail_samples = [], 0

    def clear(self) -> None:
        """What was not committed is forgotten."""
        self._tail, self.tail_samples = [], 0

    @property
    def pieces(self) -> Sequence[Sound | Request]:
        """All of it; a `Request` is a commit."""
        return [*self._pieces, *self._tail]

    @property
    def tail(self) -> Sequence[Sound]:
        """What follows the last commit."""
        return tuple(self._tail)

    @property
    def resent_samples(self) -> int:
        """How much of it was sent before."""
        return sum(piece.samples for piece in self.pieces if isinstance(piece, Sound) and piece.sent)

    @property
    def said_samples(self) -> int:
        """How much of it somebody may have said."""
        return sum(piece.samples for piece in self.pieces if isinstance(piece, Sound) and piece.said)

    def withdraw(self, commit: Request) -> None:
        """This utterance is not to be said any more, if it is one of these."""
        ends = [n for n, piece in enumerate(self._pieces) if not isinstance(piece, Sound)]
        for before, end in zip([-1, *ends], ends, strict=False):
            if self._pieces[end] is commit:
                del self._pieces[before + 1 : end + 1]
                return
