"""Answers on their way to the page: in which messages, which of them arrived, what is to be sent again.

The Jupyter server drops messages in silence when there are too many (a cell that prints is enough), so each
is numbered, the page says up to where it has them all, and what is missing goes out once more. A page that
takes the sound over, or that was loaded again, gets the rest of what was not played.

Pure: no clock but the times that it is given, in seconds.
"""

from __future__ import annotations

from typing import NamedTuple

from gip_nb.protocol.items import SAMPLES_PER_MS

__all__ = ["AudioMessage", "Delivery"]

AUDIO_MESSAGE_MS = 100
_MIN_BYTES = AUDIO_MESSAGE_MS * SAMPLES_PER_MS * 2
# One message must not keep the socket for long: 4 s of sound.
_MAX_BYTES = 4000 * SAMPLES_PER_MS * 2
# The page has had time to say that it has it.
_OVERDUE_S = 0.5
# Not all at once: what was dropped was dropped because there was too much.
_RESENT_AT_ONCE = 10


class AudioMessage(NamedTuple):
    """One message: PCM16 mono 24 000 Hz that begins at `start_sample` of its item."""

    seq: int
    item_id: str
    content_index: int
    start_sample: int
    audio: bytes
    last: bool


class _Track:
    """The sound of one item as far as it is needed: from `first_sample` on."""

    def __init__(self, item_id: str, content_index: int, start_sample: int) -> None:
        self.item_id = item_id
        self.content_index = content_index
        self.first_sample = start_sample
        self.audio = bytearray()
        self.sent_bytes = 0
        self.complete = False
        self.end_sent = False
        self.played_samples = start_sample

    @property
    def waiting_bytes(self) -> int:
        return len(self.audio) - self.sent_bytes

    @property
    def due(self) -> bool:
        return self.waiting_bytes >= _MIN_BYTES or (self.complete and not self.end_sent)


class _Sent(NamedTuple):
    message: AudioMessage
    at_s: float


class Delivery:
    """What one talk's answers are to the page that plays them."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._sent: dict[int, _Sent] = {}
        self._next_seq = 0

    def add(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
        """More sound of an item."""
        self._track(item_id, content_index, start_sample).audio += audio

    def end(self, item_id: str, content_index: int, samples: int) -> None:
        """The item has `samples` in all: no more comes."""
        self._track(item_id, content_index, samples).complete = True

    def _track(self, item_id: str, content_index: int, start_sample: int) -> _Track:
        last = self._tracks[-1] if self._tracks else None
        if last is None or last.complete or (last.item_id, last.content_index) != (item_id, content_index):
            if last is not None:
                # What another item follows gets no more.
                last.complete = True
            last = _Track(item_id, content_index, start_sample)
            self._tracks.append(last)
        return last

    # ---- sending -------------------------------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether there is a message to send now: 100 ms of sound, or an item's end."""
        head = self._head()
        return head is not None and head.due

    @property
    def begun(self) -> bool:
        """Whether something of the item that is to be sent next was sent before."""
        head = self._head()
        return head is not None and head.sent_bytes > 0

    def _head(self) -> _Track | None:
        return next((t for t in self._tracks if not t.end_sent), None)

    def take(self, at_s: float) -> AudioMessage | None:
        """The next message; it counts as sent at `at_s`."""
        head = self._head()
        if head is None or not head.due:
            return None
        audio = bytes(head.audio[head.sent_bytes : head.sent_bytes + _MAX_BYTES])
        start_sample = head.first_sample + head.sent_bytes // 2
        head.sent_bytes += len(audio)
        head.end_sent = head.complete and not head.waiting_bytes
        message = AudioMessage(
            self._next_seq, head.item_id, head.content_index, start_sample, audio, head.end_sent
        )
        self._sent[self._next_seq] = _Sent(message, at_s)
        self._next_seq += 1
        return message

    # ---- what the page says --------------------------------------------------------------------------------

    @property
    def unacknowledged(self) -> int:
        """Messages of which the page has not said that it has them."""
        return len(self._sent)

    def acknowledge(self, acked: int) -> None:
        """The page has all messages up to this number."""
        for seq in [s for s in self._sent if s <= acked]:
            del self._sent[seq]
        self._forget()

    def overdue(self, at_s: float) -> list[AudioMessage]:
        """The page was just heard and lacks these: they are to be sent again, under their numbers."""
        late = [s.message for s in self._sent.values() if at_s - s.at_s > _OVERDUE_S][:_RESENT_AT_ONCE]
        for message in late:
            self._sent[message.seq] = _Sent(message, at_s)
        return late

    def played(self, item_id: str, samples: int, *, ended: bool = False) -> None:
        """How far the page has played an item; `ended`: it plays no more of it."""
        for track in self._tracks:
            if track.item_id == item_id:
                end = track.first_sample + len(track.audio) // 2
                track.played_samples = max(track.played_samples, samples, end if ended else 0)
        self._forget()

    def _forget(self) -> None:
        """What was played to its end, and arrived to its end, nobody will ask for again."""
        kept = {(s.message.item_id, s.message.content_index) for s in self._sent.values()}
        self._tracks = [
            t
            for t in self._tracks
            if not t.end_sent
            or (t.item_id, t.content_index) in kept
            or t.played_samples < t.first_sample + len(t.audio) // 2
        ]

    @property
    def unplayed_samples(self) -> int:
        """Samples that were sent and not played yet, as far as the page has said."""
        return sum(max(0, t.first_sample + t.sent_bytes // 2 - t.played_samples) for t in self._tracks)

    # ---- turns of events -----------------------------------------------------------------------------------

    def drop(self) -> None:
        """Nothing of what is here is to be played any more.

        What has not arrived is still owed, empty: a number that never comes would look like a loss for ever.
        """
        self._tracks.clear()
        for seq, (message, at_s) in self._sent.items():
            self._sent[seq] = _Sent(message._replace(audio=b"", last=False), at_s)

    def restart(self) -> None:
        """Another page plays from now on: what was not played goes out again, numbered from 0."""
        self._sent.clear()
        self._next_seq = 0
        for track in self._tracks:
            played = max(0, track.played_samples - track.first_sample)
            track.sent_bytes = min(len(track.audio), played * 2)
            track.end_sent = track.complete and track.sent_bytes == len(track.audio) > 0
        self._forget()
