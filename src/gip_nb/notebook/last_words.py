"""A page that is not heard any more says how much its microphone has given: what of it was lost. Pure.

It goes on capturing until it learns that it is not heard, and tells then. What it has captured since is no
loss, and what was on its way at that moment, as some of it always is, neither.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from gip_nb.notebook.frames_inbox import FRAME_MS

__all__ = ["LeftOff"]

# Fewer than these were on their way.
_ON_THE_WAY_FRAMES = 6


class LeftOff(NamedTuple):
    """Where a page ceased to be heard.

    Attributes:
        next: the number of the first frame that was not handed on.
        at_s: when, on this side's monotonic clock.
        took_ms: what a frame usually takes, from its capture by the page's clock to here by this side's;
            the difference of the clocks is in it. Infinite where nobody knows.
    """

    next: int
    at_s: float
    took_ms: float

    def lost(self, frames: int, until_ms: float, now_s: float) -> int:
        """How many frames were captured by then and never came.

        Args:
            frames: as many the page has captured in its life.
            until_ms: the end of the last one, by the page's clock; NaN where it does not say.
            now_s: when it says so, on this side's clock.
        """
        until_s = now_s if math.isnan(until_ms) else (until_ms + self.took_ms) / 1000
        since = math.ceil(max(0.0, until_s - self.at_s) * 1000 / FRAME_MS) if math.isfinite(until_s) else 0
        lost = frames - self.next - since
        return lost if lost >= _ON_THE_WAY_FRAMES else 0
