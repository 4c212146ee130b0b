"""The server's input audio buffer: what was said and not yet committed, and where the turns lie in it.

Positions are samples at 24 000 Hz since the session began, so that `audio_start_ms` and `audio_end_ms` mean
what the API says: milliseconds of all audio ever written to the buffer. Ears listen along at 16 000 Hz while
the user is still speaking. Pure, for one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gip_nb.audio import Resampler
from gip_nb.protocol.server.memory import BYTES_PER_MS
from gip_nb.protocol.server.parts import EARS_RATE_HZ, Forget, Listen, Refused, Understand
from gip_nb.protocol.server.turn_detection import (
    SpeechEnded,
    SpeechStarted,
    TurnDetector,
    silence_duration_ms,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gip_nb.protocol.server.parts import Job, MakeVoiceDetector

__all__ = ["Committed", "InputAudio", "TurnBegan", "TurnEnded", "ears_pcm"]

_RATE_HZ = 24_000
_SAMPLE_BYTES = 2
_SAMPLES_PER_MS = BYTES_PER_MS // _SAMPLE_BYTES
_EARS_BYTES_PER_MS = EARS_RATE_HZ // 1000 * _SAMPLE_BYTES
_LEAST_COMMIT_MS = 100
# So much is resampled and looked at in one go: one append may hold minutes.
_SLICE_BYTES = 1000 * BYTES_PER_MS


class Committed(NamedTuple):
    """What a commit took out of the buffer.

    Attributes:
        item_id: of the user's item that is made of it.
        audio: int16 little endian, mono, 24 000 Hz.
        speech_ms: how much of it is speech; where no detector looked, all of it.
    """

    item_id: str
    audio: bytes
    speech_ms: int


class TurnBegan(NamedTuple):
    """Speech was found in the buffer.

    Attributes:
        item_id: of the item that will be made when it ends.
        audio_start_ms: where that item's audio begins: `prefix_padding_ms` before the speech.
    """

    item_id: str
    audio_start_ms: int


class TurnEnded(NamedTuple):
    """Speech ended, and its audio was taken out of the buffer.

    Attributes:
        audio_end_ms: where the item's audio ends: `silence_duration_ms` after the speech.
        committed: the item's audio.
    """

    audio_end_ms: int
    committed: Committed


def ears_pcm(pcm: bytes) -> bytes:
    """A whole recording at the rate of ears: int16 mono, 24 000 Hz in, 16 000 Hz out."""
    resampler = Resampler(_RATE_HZ, EARS_RATE_HZ)
    samples = np.frombuffer(pcm, "<i2").astype(np.int16)
    return np.concatenate([resampler.process(samples), resampler.flush()]).astype("<i2").tobytes()


class InputAudio:
    """The buffer of one connection.

    Args:
        ask: takes a job for the ears.
        new_item_id: makes the id of the item that the next words will be in.
        make_detector: makes a voice detector of an aggressiveness.
    """

    def __init__(
        self, ask: Callable[[Job], None], new_item_id: Callable[[], str], make_detector: MakeVoiceDetector
    ) -> None:
        self._ask = ask
        self._new_item_id = new_item_id
        self._make_detector = make_detector
        self._resampler = Resampler(_RATE_HZ, EARS_RATE_HZ)
        self._odd_byte = b""
        self._audio = bytearray()
        self._start = 0  # position of the buffer's first sample
        self._ears_audio = bytearray()  # resampled, not yet given to the ears
        self._ears_bytes = 0  # resampled since the session began
        self._item_id: str | None = None  # of the words that the ears are listening to
        self._speech_start_ms = 0
        self._settings: Mapping[str, Any] | None = None
        self._detector: TurnDetector | None = None

    @property
    def _end(self) -> int:
        return self._start + len(self._audio) // _SAMPLE_BYTES

    def configure(self, turn_detection: Mapping[str, Any] | None) -> None:
        """Takes the session's turn detection, canonical and complete; None is push to talk.

        Words that are being spoken stay in the buffer. Silence that a detector was waiting in does not: a
        commit right after the change has nothing to commit.
        """
        was_speaking = self._detector is not None and self._detector.is_speaking
        if self._detector is not None and not was_speaking:
            self._drop_before(self._end)
        self._settings = turn_detection
        if turn_detection is None:
            self._detector = None
            return
        if self._item_id is not None and not was_speaking:  # of push to talk: a detector finds its own turns
            self._ask(Forget(self._item_id))
            self._item_id = None
        position_ms = self._ears_bytes // _EARS_BYTES_PER_MS
        self._detector = TurnDetector(
            turn_detection, self._make_detector, position_ms, is_speaking=was_speaking
        )

    def append(self, pcm: bytes) -> Iterator[TurnBegan | TurnEnded]:
        """Takes more of the user's audio; run the iterator to its end.

        Args:
            pcm: int16 little endian, mono, 24 000 Hz. An odd last byte waits for its other half.

        Yields:
            Where turns begin and end, in order.
        """
        pcm = self._odd_byte + pcm
        whole = len(pcm) // _SAMPLE_BYTES * _SAMPLE_BYTES
        self._odd_byte = pcm[whole:]
        for start in range(0, whole, _SLICE_BYTES):
            yield from self._append_slice(pcm[start : min(start + _SLICE_BYTES, whole)])

    def commit(self) -> Committed:
        """Takes all there is, by hand.

        Raises:
            Refused: less than 100 ms.
        """
        held_ms = (self._end - self._start) / _SAMPLES_PER_MS
        if held_ms < _LEAST_COMMIT_MS:
            raise Refused(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least"
                f" {_LEAST_COMMIT_MS}ms of audio, but buffer only has {held_ms:.2f}ms of audio.",
            )
        if self._item_id is None:
            self._item_id = self._new_item_id()
        self._listen()
        committed = self._take(self._end, round(held_ms))
        if self._detector is not None:
            self._detector.forget()
        return committed

    def clear(self) -> None:
        """Forgets all that was not committed."""
        if self._item_id is not None:
            self._ask(Forget(self._item_id))
            self._item_id = None
        if self._detector is not None:
            self._detector.forget()
        self._odd_byte = b""
        self._drop_before(self._end)
        self._ears_audio.clear()

    # ------------------------------------------------------------------------------------------------ pieces

    def _append_slice(self, pcm: bytes) -> Iterator[TurnBegan | TurnEnded]:
        self._audio += pcm
        heard = self._resampler.process(np.frombuffer(pcm, "<i2").astype(np.int16)).astype("<i2").tobytes()
        self._ears_audio += heard
        self._ears_bytes += len(heard)
        if self._detector is None or self._settings is None:
            if self._item_id is None:
                self._item_id = self._new_item_id()
            self._listen()
            return
        for edge in self._detector.push(heard):
            yield (
                self._begin(edge, self._settings) if isinstance(edge, SpeechStarted) else self._end_turn(edge)
            )
        if self._item_id is not None:
            self._listen()
        else:
            self._drop_before(self._end - self._prefix_ms() * _SAMPLES_PER_MS)

    def _prefix_ms(self) -> int:
        """How much audio before a word is kept, while nobody speaks."""
        settings = self._settings or {}
        # Speech is found a while after it began: the detector looks back by half a second at most.
        return int(settings.get("prefix_padding_ms", 300)) + 500

    def _begin(self, edge: SpeechStarted, settings: Mapping[str, Any]) -> TurnBegan:
        prefix_ms = int(settings.get("prefix_padding_ms", 300))
        start_ms = max(edge.onset_ms - prefix_ms, -(-self._start // _SAMPLES_PER_MS))
        self._drop_before(start_ms * _SAMPLES_PER_MS)
        self._item_id = self._new_item_id()
        self._speech_start_ms = edge.onset_ms
        return TurnBegan(self._item_id, start_ms)

    def _end_turn(self, edge: SpeechEnded) -> TurnEnded:
        silence_ms = silence_duration_ms(self._settings or {"type": "server_vad", "silence_duration_ms": 0})
        end_ms = edge.end_ms + silence_ms
        self._listen(end_ms)
        return TurnEnded(end_ms, self._take(end_ms * _SAMPLES_PER_MS, edge.end_ms - self._speech_start_ms))

    def _take(self, end: int, speech_ms: int) -> Committed:
        item_id = self._item_id or self._new_item_id()
        self._item_id = None
        size = (end - self._start) * _SAMPLE_BYTES
        committed = Committed(item_id, bytes(self._audio[:size]), speech_ms)
        self._drop_before(end)
        self._ask(Understand(item_id, speech_ms))
        return committed

    def _listen(self, until_ms: int | None = None) -> None:
        """Gives the ears what is new of the words in the buffer."""
        size = len(self._ears_audio)
        if until_ms is not None:
            size -= max(0, self._ears_bytes - until_ms * _EARS_BYTES_PER_MS)
        if self._item_id is not None and size > 0:
            self._ask(Listen(self._item_id, bytes(self._ears_audio[:size])))
            del self._ears_audio[:size]

    def _drop_before(self, position: int) -> None:
        """Lets go of audio before a position, of the ears' copy too."""
        if position > self._start:
            del self._audio[: (position - self._start) * _SAMPLE_BYTES]
            self._start = position
        first_ears_byte = self._ears_bytes - len(self._ears_audio)
        surplus = self._start * EARS_RATE_HZ // _RATE_HZ * _SAMPLE_BYTES - first_ears_byte
        if surplus > 0:
            del self._ears_audio[: min(surplus, len(self._ears_audio))]
