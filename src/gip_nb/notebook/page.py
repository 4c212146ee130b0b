"""The page's other half in the kernel: answers and the talk go to it, sound and wishes come from it.

Everything here runs on the loop. It never sends by itself: `post` is the widget's one function that does.
Limits of the Jupyter server shape it: past about 300 messages a second all messages are dropped in silence,
so audio goes out in messages of 100 ms or more, at most 50 a second, and text at most 20 times a second.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from gip_nb.errors import GipError
from gip_nb.protocol.items import SAMPLES_PER_MS
from gip_nb.session.loop import loop, start_task
from gip_nb.session.speaker import Flushed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from gip_nb.notebook import messages
    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.items import Item
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["Page", "item_view"]

AUDIO_MESSAGE_MS = 100
_AUDIO_MESSAGE_BYTES = AUDIO_MESSAGE_MS * SAMPLES_PER_MS * 2
_AUDIO_INTERVAL_S = 0.02
_TEXT_INTERVAL_S = 0.05
# The number of a flush that nobody asked for.
_VIEW_IS_GONE = -1
# One message must not keep the socket for long: 4 s of sound.
_MAX_AUDIO_BYTES = 4000 * SAMPLES_PER_MS * 2


class _Pending:
    """Audio of one item that has not been sent to the page yet."""

    def __init__(self, item_id: str, content_index: int, start_sample: int) -> None:
        self.item_id = item_id
        self.content_index = content_index
        self.start_sample = start_sample
        self.audio = bytearray()
        self.ended = False


class Page:
    """What the pages show and play of one talk. Implements `Speaker`.

    Args:
        post: sends one message, with its buffers, to every page.
    """

    def __init__(self, post: Callable[[dict[str, Any], Sequence[bytes]], None]) -> None:
        self._post = post
        self._session: AsyncRealtimeSession | None = None
        self.audio_page: str | None = None
        self._seq = 0
        self._pending: list[_Pending] = []
        self._audio_timer: asyncio.TimerHandle | None = None
        self._audio_sent_at = 0.0
        self._flush_number = 0
        self._stopped_by_itself: Flushed | None = None
        self._flushing: dict[int, asyncio.Future[Flushed]] = {}
        self._put: dict[str, None] = {}
        self._deltas: list[messages.TextDelta] = []
        self._items_timer: asyncio.TimerHandle | None = None
        self._shown: set[str] = set()
        self._microphone_seq: int | None = None

    def show(self, session: AsyncRealtimeSession) -> None:
        """From now on this session is the one that the pages show; what they showed before goes."""
        if session is self._session:
            return
        self._drop_audio()
        self._session = session
        self._put.clear()
        self._deltas.clear()
        gone, self._shown = sorted(self._shown), set()
        if gone:
            self._post({"kind": "items", "page": None, "put": [], "text": [], "drop": gone}, ())

    @property
    def plays(self) -> bool:
        """Whether some page has the audio."""
        return self.audio_page is not None

    # ---- Speaker: answers to the page ----------------------------------------------------------------------

    def play(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
        """Send it on, coalesced."""
        self._stopped_by_itself = None
        if self.audio_page is None:
            return
        last = self._pending[-1] if self._pending else None
        if last is None or last.item_id != item_id or last.content_index != content_index or last.ended:
            last = _Pending(item_id, content_index, start_sample)
            self._pending.append(last)
        last.audio += audio
        self._schedule_audio()

    def end(self, item_id: str, content_index: int, samples: int) -> None:
        """Send the rest, however short."""
        if self.audio_page is None:
            return
        last = self._pending[-1] if self._pending else None
        if last is None or last.item_id != item_id or last.content_index != content_index:
            last = _Pending(item_id, content_index, samples)
            self._pending.append(last)
        last.ended = True
        self._schedule_audio()

    async def flush(self) -> Flushed:
        """Stop the page's player and wait for what it had played."""
        self._drop_audio()
        if self.audio_page is None:
            return Flushed({})
        if self._stopped_by_itself is not None:
            stopped, self._stopped_by_itself = self._stopped_by_itself, None
            return stopped
        self._flush_number += 1
        future: asyncio.Future[Flushed] = loop().create_future()
        self._flushing[self._flush_number] = future
        self._post({"kind": "flush", "page": self.audio_page, "flush": self._flush_number}, ())
        try:
            return await future
        finally:
            self._flushing = {n: f for n, f in self._flushing.items() if f is not future}

    def _drop_audio(self) -> None:
        self._pending.clear()
        if self._audio_timer is not None:
            self._audio_timer.cancel()
            self._audio_timer = None

    def _schedule_audio(self) -> None:
        if self._audio_timer is not None or not self._audio_due():
            return
        wait_s = self._audio_sent_at + _AUDIO_INTERVAL_S - loop().time()
        if wait_s <= 0:
            self._send_audio()
        else:
            self._audio_timer = loop().call_later(wait_s, self._send_audio)

    def _audio_due(self) -> bool:
        return bool(self._pending) and (
            self._pending[0].ended or len(self._pending[0].audio) >= _AUDIO_MESSAGE_BYTES
        )

    def _send_audio(self) -> None:
        """One message: what has gathered of the first item."""
        self._audio_timer = None
        if not self._audio_due():
            return
        head = self._pending[0]
        audio = bytes(head.audio[:_MAX_AUDIO_BYTES])
        del head.audio[: len(audio)]
        last = head.ended and not head.audio
        self._post(
            {
                "kind": "audio",
                "page": self.audio_page,
                "seq": self._seq,
                "item_id": head.item_id,
                "content_index": head.content_index,
                "start_sample": head.start_sample,
                "last": last,
            },
            (audio,),
        )
        if self._session is not None:
            self._session.note(
                "page.delivered",
                seq=self._seq,
                item_id=head.item_id,
                start_sample=head.start_sample,
                samples=len(audio) // 2,
            )
        head.start_sample += len(audio) // 2
        self._seq += 1
        self._audio_sent_at = loop().time()
        if last:
            self._pending.pop(0)
        self._schedule_audio()

    # ---- the conversation to the page ----------------------------------------------------------------------

    def item_changed(self, item_id: str) -> None:
        """Show it anew, soon."""
        self._put[item_id] = None
        # What is still to be added to it is in it already.
        self._deltas = [d for d in self._deltas if d["item_id"] != item_id]
        self._schedule_items()

    def text_added(self, item_id: str, delta: str) -> None:
        """Show the new words, soon."""
        if item_id in self._put or item_id not in self._shown:
            self._put[item_id] = None
        elif self._deltas and self._deltas[-1]["item_id"] == item_id:
            self._deltas[-1]["delta"] += delta
        else:
            self._deltas.append({"item_id": item_id, "delta": delta})
        self._schedule_items()

    def _schedule_items(self) -> None:
        if self._items_timer is None:
            self._items_timer = loop().call_later(_TEXT_INTERVAL_S, self._send_items)

    def _send_items(self) -> None:
        self._items_timer = None
        if self._session is None:
            return
        conversation = self._session.protocol.conversation
        present = set(conversation.order)
        put = [i for i in self._put if i in present]
        drop = [i for i in self._put if i not in present and i in self._shown]
        after = _places(conversation.order)
        message = {
            "kind": "items",
            "page": None,
            "put": [_view(conversation, i, after[i]) for i in put],
            "text": self._deltas,
            "drop": drop,
        }
        self._shown.update(put)
        self._shown.difference_update(drop)
        self._put.clear()
        self._deltas = []
        if message["put"] or message["text"] or drop:
            self._post(message, ())

    def snapshot_items(self) -> list[messages.ItemView]:
        """The whole conversation, for a page that is new here."""
        if self._session is None:
            return []
        conversation = self._session.protocol.conversation
        after = _places(conversation.order)
        self._shown.update(conversation.order)
        return [_view(conversation, i, after[i]) for i in conversation.order]

    # ---- from the page -------------------------------------------------------------------------------------

    def microphone(self, content: dict[str, Any], pcm: bytes) -> None:
        """A numbered frame. Only the page that has the audio is heard; a hole in the numbers is a row."""
        if content.get("page") != self.audio_page or self._session is None:
            return
        seq = content.get("seq")
        if not isinstance(seq, int):
            return
        if seq == 0:
            self._microphone_seq = None
        expected = seq if self._microphone_seq is None else self._microphone_seq + 1
        if seq < expected:
            return
        if seq > expected:
            self._session.note("mic.gap", missing=seq - expected, expected_seq=expected)
        self._microphone_seq = seq
        self._session.push_microphone(pcm)

    def playback(self, content: dict[str, Any]) -> None:
        """The player's position: a row, and news for the protocol."""
        if content.get("page") != self.audio_page or self._session is None or self._flushing:
            return
        event = content.get("event")
        if event in {"started", "position", "ended"}:
            fields = {
                k: content.get(k)
                for k in ("item_id", "content_index", "played_samples", "output_latency_ms", "underruns")
            }
            self._session.note(f"playback.{event}", **fields, page_ms=content.get("at_ms"))

    def flushed(self, content: dict[str, Any]) -> None:
        """The player has stopped: because it was asked to, or because its last view is gone."""
        if content.get("page") != self.audio_page:
            return
        positions = content.get("positions")
        played = {
            str(p.get("item_id")): int(p["played_samples"])
            for p in (positions if isinstance(positions, list) else [])
            if isinstance(p, dict) and isinstance(p.get("played_samples"), int | float)
        }
        latency = content.get("output_latency_ms")
        stopped = Flushed(played, float(latency) if isinstance(latency, int | float) else 0.0)
        if content.get("flush") == _VIEW_IS_GONE:
            if played and self._session is not None:
                self._stopped_by_itself = stopped
                start_task(_interrupt(self._session))
            return
        future = self._flushing.pop(cast("int", content.get("flush")), None)
        if future is not None and not future.done():
            future.set_result(stopped)


async def _interrupt(session: AsyncRealtimeSession) -> None:
    """Nobody listens any more: what was heard is what the model should remember."""
    with contextlib.suppress(GipError):
        await session.interrupt()


def _places(order: list[str]) -> dict[str, str | None]:
    return dict(zip(order, [None, *order], strict=False))


def _view(conversation: Conversation, item_id: str, after: str | None) -> messages.ItemView:
    return item_view(conversation.items[item_id], after, transcribes=conversation.transcribes)


def item_view(item: Item, after: str | None, *, transcribes: bool) -> messages.ItemView:
    """One item as the page shows it. Spoken words that are still to be written down are in progress."""
    status: Any = "interrupted" if item.interrupted else item.status
    if transcribes and item.role == "user" and item.spoken and not item.transcribed:
        status = "in_progress"
    if item.problem is not None and not item.text:
        status = "failed"
    audio_ms = item.generated_samples / SAMPLES_PER_MS if item.generated_samples else item.audio_ms
    kind: Any = item.type if item.type in {"function_call", "function_call_output"} else "message"
    role: Any = item.role
    return {
        "item_id": item.item_id,
        "type": kind,
        "role": role,
        "text": item.text,
        "status": status,
        "after": after,
        "name": item.name,
        "arguments": item.arguments or None,
        "output": item.output,
        "heard_ms": item.heard_ms,
        "audio_ms": audio_ms,
    }
