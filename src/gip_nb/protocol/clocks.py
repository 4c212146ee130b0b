"""A page's clock beside the log's, and when the microphone took which sample: latencies rest on these.

The kernel asks, the page answers with its time, the kernel stamps the answer's arrival. The question is on
its way for some part of the round trip, so the page's time is the middle of it, at most half of it wrong. A
round trip that the page began would be biased: measured, 4 ms up and 42 ms down.
"""

from __future__ import annotations

import math
from collections import deque

__all__ = ["MARK_SAMPLES", "CaptureMarks", "PageClock"]

# Ten seconds apart: far enough back to have met a prompt round trip, near enough to follow drift.
_REMEMBERED = 8
# A mark a second at least: a quartz clock drifts by less than 0.1 ms in that time.
MARK_SAMPLES = 24_000
_SAMPLES_PER_MS = 24
# Where frames come this much off the last mark's time, samples were lost, or others came in between.
_JUMP_MS = 20.0


class PageClock:
    """One page's clock. Times of the log are seconds since it began, those of the page Unix milliseconds."""

    def __init__(self) -> None:
        self._exchanges: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    def observe(self, asked_s: float, answered_s: float, page_ms: float) -> None:
        """One exchange: asked and answered on the log's clock, `page_ms` what the page's said in between.

        What cannot be (an answer before its question, a time that is no number) is left out.
        """
        round_trip_s = answered_s - asked_s
        if round_trip_s >= 0 and math.isfinite(round_trip_s) and math.isfinite(page_ms):
            self._exchanges.append((round_trip_s, (asked_s + answered_s) / 2 - page_ms / 1000))

    @property
    def error_ms(self) -> float | None:
        """By how much the mapping may be wrong: half the best round trip. None before the first exchange."""
        return min(self._exchanges)[0] / 2 * 1000 if self._exchanges else None

    def to_log_s(self, page_ms: float) -> float | None:
        """A moment of the page on the log's clock, by the smallest round trip of the last eight."""
        if not self._exchanges or not math.isfinite(page_ms):
            return None
        return page_ms / 1000 + min(self._exchanges)[1]


class CaptureMarks:
    """Says which microphone frames are worth a row: one a second, and each that does not follow on.

    Between two marks the time of a sample is counted; so a table can be rebuilt from the log alone, without a
    row for each of twenty-five frames a second.
    """

    def __init__(self) -> None:
        self._last: tuple[str, int, float] | None = None

    def wants(self, page: str, appended_samples: int, page_ms: float) -> bool:
        """Whether this frame is to be marked.

        Args:
            page: whose microphone.
            appended_samples: samples of the connection's input before this frame.
            page_ms: when its first sample was captured.
        """
        if not math.isfinite(page_ms):
            return False
        if self._last is not None:
            last_page, last_samples, last_ms = self._last
            since = appended_samples - last_samples
            expected_ms = last_ms + since / _SAMPLES_PER_MS
            follows = page == last_page and 0 <= since < MARK_SAMPLES
            if follows and abs(page_ms - expected_ms) <= _JUMP_MS:
                return False
        self._last = (page, appended_samples, page_ms)
        return True
