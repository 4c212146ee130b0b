"""Answers on their way to the page: when a message goes out, and when the rest of the sound waits here.

Everything here runs on the loop. What goes into which message is `delivery.py`'s. A limit of the Jupyter
server shapes it: past about 300 messages a second all messages are dropped in silence, so audio goes out in
messages of 100 ms or more, at most 50 a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.notebook.delivery import Delivery
from gip_nb.session.loop import loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from gip_nb.notebook.delivery import AudioMessage

__all__ = ["AudioSender"]

_INTERVAL_S = 0.02
# A page's worklet reports four times a second while it plays: one that is silent for this long plays nothing.
_SILENT_WORKLET_S = 5.0


class AudioSender:
    """Sends one talk's answers to the page that plays them, as fast as the page takes them.

    Args:
        post: sends one message, with its buffers.
        note: writes a local row.
    """

    def __init__(
        self, post: Callable[[dict[str, Any], Sequence[bytes]], None], note: Callable[..., None]
    ) -> None:
        self._post = post
        self._note = note
        self._page: str | None = None
        self._delivery = Delivery()
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at_s = 0.0
        self._worklet_at_s = 0.0
        self._paused = False
        # Where messages of the page wait for the main thread, its worklet's silence says nothing.
        self.silence_counts = True

    # ---- to whom -------------------------------------------------------------------------------------------

    def begin(self, page: str) -> None:
        """This page plays from now on, from where the last one was."""
        self._page = page
        self._delivery.restart()
        self._worklet_at_s = loop().time()
        self._paused = False
        self._schedule()

    def pause(self) -> None:
        """No page plays: what is not played waits."""
        self._page = None
        self._cancel_timer()

    def drop(self) -> None:
        """What was not played is not wanted any more."""
        self._delivery.drop()
        self._cancel_timer()

    def end_talk(self) -> None:
        """No page plays, and none will ask for what there was."""
        self.pause()
        self._delivery = Delivery()

    # ---- what is to be played ------------------------------------------------------------------------------

    def add(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
        """Send it on, coalesced."""
        self._delivery.add(item_id, content_index, start_sample, audio)
        self._schedule()

    def end(self, item_id: str, content_index: int, samples: int) -> None:
        """Send the rest of an item, however short."""
        self._delivery.end(item_id, content_index, samples)
        self._schedule()

    # ---- what the page says --------------------------------------------------------------------------------

    @property
    def owed(self) -> bool:
        """Whether the page has not said yet that it has all that it was sent."""
        return self._delivery.unacknowledged > 0

    def worklet_heard(self) -> None:
        """The page's player has said something: it lives."""
        self._worklet_at_s = loop().time()

    def acknowledged(self, acked: object) -> None:
        """The page says up to where it has all audio: what is missing though it was sent goes out again."""
        if not isinstance(acked, int):
            return
        self._delivery.acknowledge(acked)
        lost = self._delivery.overdue(loop().time())
        for message in lost:
            self._send(message)
        if lost:
            self._note("resend", seqs=[m.seq for m in lost])

    def played(self, item_id: str, samples: int, *, ended: bool = False) -> None:
        """How far the page has played an item; `ended`: it plays no more of it."""
        self._delivery.played(item_id, samples, ended=ended)
        self._schedule()

    # ---- inside --------------------------------------------------------------------------------------------

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        if self._timer is not None or self._page is None or not self._delivery.due or self._nobody_plays():
            return
        wait_s = self._sent_at_s + _INTERVAL_S - loop().time()
        if wait_s <= 0:
            self._send_next()
        else:
            self._timer = loop().call_later(wait_s, self._send_next)

    def _nobody_plays(self) -> bool:
        """Whether the page's worklet has been silent for too long while it had something to play.

        Then the rest waits here.
        """
        if not self._delivery.unplayed_samples:
            self._worklet_at_s = loop().time()
            return False
        if not self._delivery.begun:
            # Of each item one message goes out: what it brings forth says whether somebody plays again.
            return False
        silent = self.silence_counts and loop().time() - self._worklet_at_s > _SILENT_WORKLET_S
        if silent and not self._paused:
            self._note("playback.paused", page=self._page)
        self._paused = silent
        return silent

    def _send_next(self) -> None:
        """One message: what has gathered of the first item."""
        self._timer = None
        message = self._delivery.take(loop().time()) if self._page is not None else None
        if message is None:
            return
        self._send(message)
        self._note(
            "page.delivered",
            seq=message.seq,
            item_id=message.item_id,
            start_sample=message.start_sample,
            samples=len(message.audio) // 2,
        )
        self._sent_at_s = loop().time()
        self._schedule()

    def _send(self, message: AudioMessage) -> None:
        content = {"kind": "audio", "page": self._page, **message._asdict()}
        audio: bytes = content.pop("audio")
        self._post(content, (audio,))
