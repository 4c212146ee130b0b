"""The microphone's frames on this side: put in order, answered so that the page can let them go, handed on.

What was lost, sent again or late is a row. No thread and no clock of its own: both are its owner's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gip_nb.notebook.frames_inbox import FRAME_MS, FramesInbox, Lateness
from gip_nb.notebook.last_words import LeftOff

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.notebook.frames_inbox import Frame, Late

__all__ = ["Hearing"]

# The page takes a kernel that says nothing for 1.8 s for one that is held up.
_ANSWER_EVERY_S = 0.4
_PAGES_REMEMBERED = 8


class Hearing:
    """What is heard of the page that has the talk.

    Args:
        post: sends one message to the pages.
        now_s: the time on a monotonic clock.
    """

    def __init__(self, post: Callable[[dict[str, Any]], None], now_s: Callable[[], float]) -> None:
        self._post = post
        self._now_s = now_s
        # By page that is heard no more: where that was, and who writes its rows.
        self._left: dict[str, tuple[LeftOff, Callable[..., None]]] = {}
        self._note: Callable[..., None] = lambda _what, **_fields: None
        self._page: str | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._inbox = FramesInbox()
        self._lateness = Lateness()
        self._answered_s = -_ANSWER_EVERY_S
        self._lost = 0
        self._lost_from: int | None = None

    def begin(self, note: Callable[..., None]) -> None:
        """Another page is heard from now on, or the same anew.

        Args:
            note: writes a local row, of the session that hears it.
        """
        self.end()
        self._note = note

    def pause(self) -> None:
        """The page's microphone is closed: what is known of lost and late sound is told."""
        self._tell_lost()
        self._tell_late(self._lateness.over())

    def end(self) -> None:
        """Nobody is heard any more: what is known is told, and the page may still tell more (`left`)."""
        self.pause()
        if self._page is not None and self._inbox.begun:
            left_off = LeftOff(self._inbox.next, self._now_s(), self._lateness.usual_ms)
            self._left.pop(self._page, None)
            self._left[self._page] = left_off, self._note
            while len(self._left) > _PAGES_REMEMBERED:
                del self._left[next(iter(self._left))]
        self._page = None
        self._begin_anew()

    def left(self, content: dict[str, Any]) -> None:
        """A message of kind `mic`, without sound, of a page that is not heard any more."""
        page, base, captured_ms = str(content.get("page")), content.get("base"), _ms(content)
        if page not in self._left or not isinstance(base, int):
            return
        left_off, note = self._left[page]
        lost = left_off.lost(base, captured_ms, self._now_s())
        if lost:
            note("mic.gap", **_missing(lost, left_off.next), page=page)
        self._left[page] = left_off._replace(next=max(base, left_off.next)), note

    def frames(self, content: dict[str, Any], pcm: bytes) -> tuple[Frame, ...]:
        """A message of kind `mic`. Returns what of it is to be handed on, in order."""
        seq, base = content.get("seq"), content.get("base")
        if not isinstance(seq, int) or isinstance(seq, bool):
            return ()
        captured_ms = _ms(content)
        if not self._inbox.begun:
            # It may have been heard before, and has not said yet what became of the rest.
            self.left(content)
        now = self._now_s()
        # A page that does not say has nothing but this.
        taken = self._inbox.take(seq, base if isinstance(base, int) else seq, pcm, captured_ms)
        self._page = page = str(content.get("page"))
        if taken.filled:
            self._note("resend", stream="microphone", frames=taken.filled, page=page)
        if taken.lost:
            self._lost += taken.lost
            self._lost_from = taken.expected if self._lost_from is None else self._lost_from
        if taken.frames:
            self._tell_lost()
            audio_ms = len(taken.frames) * FRAME_MS
            self._tell_late(self._lateness.arrived(taken.frames[0].captured_ms, audio_ms, now))
        lacks = self._inbox.until > self._inbox.next
        if lacks or taken.repeated or len(taken.frames) > 1 or now - self._answered_s >= _ANSWER_EVERY_S:
            self._answered_s = now
            told = {"next": self._inbox.next, "until": self._inbox.until}
            self._post({"kind": "heard", "page": page, **told})
        return taken.frames

    def _tell_lost(self) -> None:
        """One row for all that is missing between two frames."""
        if self._lost:
            self._note("mic.gap", **_missing(self._lost, self._lost_from), page=self._page)
        self._lost, self._lost_from = 0, None

    def _tell_late(self, late: Late | None) -> None:
        if late is not None:
            self._note(
                "mic.late", late_ms=round(late.ms), late_audio_ms=round(late.audio_ms), page=self._page
            )


def _missing(frames: int, expected_seq: int | None) -> dict[str, Any]:
    return {"missing": frames, "expected_seq": expected_seq, "missing_ms": round(frames * FRAME_MS)}


def _ms(content: dict[str, Any]) -> float:
    """When the first sample of a message was captured, or would be."""
    captured = content.get("captured_at_ms")
    return float(captured) if isinstance(captured, int | float) else math.nan
