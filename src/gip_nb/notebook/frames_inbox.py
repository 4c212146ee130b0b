"""The microphone's frames as they arrive: put in order, none twice, with what is missing and what was late.

The page numbers its frames, keeps each until it hears that it is here, and sends again what was lost; so a
hole is waited for as long as the page has what is missing, and no longer: it says which is its oldest. Pure:
times are arguments, in seconds of any one clock.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["FRAME_BYTES", "FRAME_MS", "Frame", "FramesInbox", "Late", "Lateness", "Taken"]

FRAME_MS = 40.0
FRAME_BYTES = 1920
# Frames behind a hole; the page keeps no more either.
_MOST_AHEAD = 750


class Frame(NamedTuple):
    """One frame: PCM16 mono 24 000 Hz, and when its first sample was captured, by the page's clock."""

    pcm: bytes
    captured_ms: float


class Taken(NamedTuple):
    """What a message brought.

    Attributes:
        frames: in order; they follow on what was taken before.
        lost: frames before them that nobody has any more.
        expected: the number of the first of the lost ones.
        filled: frames that had been missing and were sent again.
        repeated: whether it brought what was here already: the page has not heard so.
    """

    frames: tuple[Frame, ...] = ()
    lost: int = 0
    expected: int = 0
    filled: int = 0
    repeated: bool = False


class FramesInbox:
    """One page's frames."""

    def __init__(self) -> None:
        self._next: int | None = None
        # What came behind a hole.
        self._ahead: dict[int, Frame] = {}

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return self._next is not None

    @property
    def next(self) -> int:
        """The number of the first frame that is not here."""
        return self._next or 0

    @property
    def until(self) -> int:
        """What lies before this number and is not here was sent, and has not arrived; `next` for nothing."""
        return min(self._ahead, default=self.next)

    def take(self, seq: int, base: int, pcm: bytes, captured_ms: float) -> Taken:
        """A message arrived.

        Args:
            seq: the number of its first frame.
            base: the oldest frame that the page could still send.
            pcm: frames, each following on the one before; none where the page only says what it has.
            captured_ms: of its first sample, by the page's clock.
        """
        expected = base if self._next is None else self._next
        count = math.ceil(len(pcm) / FRAME_BYTES)
        fresh = False
        filled = 0
        # Nothing is missing before `next`.
        hole_end = self.until if self._ahead else 0
        for n in range(count):
            number = seq + n
            if number < expected or number in self._ahead:
                continue
            if len(self._ahead) >= _MOST_AHEAD and number >= hole_end:
                break
            fresh = True
            filled += number < hole_end
            frame = Frame(pcm[n * FRAME_BYTES : (n + 1) * FRAME_BYTES], captured_ms + n * FRAME_MS)
            self._ahead[number] = frame
        frames: list[Frame] = []
        reached, lost = expected, 0
        while True:
            while reached in self._ahead:
                frames.append(self._ahead.pop(reached))
                reached += 1
            if reached >= base:
                break
            # What the page no longer has is not waited for.
            upto = min(min(self._ahead, default=base), base)
            lost += upto - reached
            reached = upto
        self._next = reached
        return Taken(tuple(frames), lost, expected, filled, repeated=not fresh)


class Late(NamedTuple):
    """Sound that came late: by `ms` at the worst, `audio_ms` of it."""

    ms: float
    audio_ms: float


class Lateness:
    """Notices sound that took much longer than it usually does, from capture to here.

    The page's clock and this side's are not compared: what a frame usually takes, plus the difference of the
    clocks, is the least of the last ten seconds or more.
    """

    _LATE_MS = 1000.0
    _IN_TIME_MS = 500.0
    _BUCKET_S = 10.0
    _BUCKET_MESSAGES = 25

    def __init__(self) -> None:
        self._usual_ms = math.inf
        self._before_ms = math.inf
        self._bucket_since_s = -math.inf
        self._bucket_messages = 0
        self._worst_ms = 0.0
        self._late_audio_ms = 0.0

    @property
    def usual_ms(self) -> float:
        """What a frame usually takes, plus the difference of the clocks; infinite before there was one."""
        return min(self._usual_ms, self._before_ms)

    def arrived(self, captured_ms: float, audio_ms: float, at_s: float) -> Late | None:
        """Sound arrived.

        Args:
            captured_ms: of its first sample, by the page's clock; NaN says nothing.
            audio_ms: how much.
            at_s: now.

        Returns:
            What was late, once sound comes in time again.
        """
        # The last of it was captured when all of it was: how long it waited is counted from its first sample.
        took_ms = at_s * 1000 - captured_ms
        if not math.isfinite(took_ms):
            return None
        if at_s - self._bucket_since_s > self._BUCKET_S and self._bucket_messages >= self._BUCKET_MESSAGES:
            self._before_ms, self._usual_ms = self._usual_ms, math.inf
            self._bucket_since_s, self._bucket_messages = at_s, 0
        elif self._bucket_messages == 0 and not math.isfinite(self._bucket_since_s):
            self._bucket_since_s = at_s
        self._bucket_messages += 1
        self._usual_ms = min(self._usual_ms, took_ms)
        late_ms = took_ms - self.usual_ms
        if late_ms > self._LATE_MS or (self._late_audio_ms and late_ms > self._IN_TIME_MS):
            self._worst_ms = max(self._worst_ms, late_ms)
            self._late_audio_ms += audio_ms
            return None
        return self.over()

    def over(self) -> Late | None:
        """No more comes of it. Returns what was late until now."""
        late = Late(self._worst_ms, self._late_audio_ms) if self._late_audio_ms else None
        self._worst_ms = self._late_audio_ms = 0.0
        return late
