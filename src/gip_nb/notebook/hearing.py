"""The microphone's frames on this side: put in order, answered so that the page can let them go, handed on.

What was lost, sent again or late is a row. No thread and no clock of its own: both are its owner's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.notebook.frames_inbox import FRAME_MS, FramesInbox, Lateness

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.notebook.frames_inbox import Frame, Late

__all__ = ["Hearing"]

# The page takes a kernel that says nothing for 1.8 s for one that is held up.
_ANSWER_EVERY_S = 0.4


class Hearing:
    """What is heard of the page that has the talk.

    Args:
        post: sends one message to the pages.
        note: writes a local row.
        now_s: the time on a monotonic clock.
    """

    def __init__(
        self,
        post: Callable[[dict[str, Any]], None],
        note: Callable[..., None],
        now_s: Callable[[], float],
    ) -> None:
        self._post = post
        self._note = note
        self._now_s = now_s
        self.begin()

    def begin(self) -> None:
        """Another page is heard from now on, or the same anew."""
        self._inbox = FramesInbox()
        self._lateness = Lateness()
        self._answered_s = -_ANSWER_EVERY_S
        self._page: str | None = None
        self._lost = 0
        self._lost_from: int | None = None

    def end(self) -> None:
        """Nobody is heard any more: what is known of lost and late sound is told."""
        self._tell_lost()
        self._tell_late(self._lateness.over())

    def frames(self, content: dict[str, Any], pcm: bytes) -> tuple[Frame, ...]:
        """A message of kind `mic`. Returns what of it is to be handed on, in order."""
        seq, base = content.get("seq"), content.get("base")
        if not isinstance(seq, int) or isinstance(seq, bool):
            return ()
        captured = content.get("captured_at_ms")
        captured_ms = float(captured) if isinstance(captured, int | float) else float("nan")
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
            missing_ms = round(self._lost * FRAME_MS)
            fields = {"missing": self._lost, "expected_seq": self._lost_from, "missing_ms": missing_ms}
            self._note("mic.gap", **fields, page=self._page)
        self._lost, self._lost_from = 0, None

    def _tell_late(self, late: Late | None) -> None:
        if late is not None:
            self._note(
                "mic.late", late_ms=round(late.ms), late_audio_ms=round(late.audio_ms), page=self._page
            )
