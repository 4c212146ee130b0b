"""The server's input audio buffer: what was said and not yet committed, and where the turns lie in it.

Positions are samples at 24 000 Hz since the session began, so that `audio_start_ms` and `audio_end_ms` mean
what the API says: milliseconds of all audio ever written to the buffer. Ears listen along at 16 000 Hz while
the user is still speaking. Pure, for one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gip_nb.audio import Resampler
from gip_nb.protocol.audio_formats import PCM16, Decoder
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

    from numpy.typing import NDArray

    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.server.parts import Job, MakeVoiceDetector

__all__ = ["Committed", "Found", "InputAudio", "TimedOut", "TurnBegan", "TurnEnded", "ears_pcm"]

_RATE_HZ = 24_000
_SAMPLE_BYTES = 2
_SAMPLES_PER_MS = BYTES_PER_MS // _SAMPLE_BYTES
_EARS_BYTES_PER_MS = EARS_RATE_HZ // 1000 * _SAMPLE_BYTES
_LEAST_COMMIT_MS = 100
_MIRRORED = 0.4


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


class TimedOut(NamedTuple):
    """Nobody spoke for as long as the session waits, and the silence was taken out of the buffer.

    Attributes:
        audio_start_ms: where the waiting began: when the last answer had been played.
        audio_end_ms: where it ended, `idle_timeout_ms` later.
        committed: the silence.
    """

    audio_start_ms: int
    audio_end_ms: int
    committed: Committed


Found = TurnBegan | TurnEnded | TimedOut


def ears_pcm(pcm: bytes, audio_format: AudioFormat = PCM16) -> bytes:
    """A whole recording at the rate of ears: int16 mono, 24 000 Hz in, 16 000 Hz out.

    Args:
        pcm: the recording.
        audio_format: in which it came.
    """
    resampler = Resampler(_RATE_HZ, EARS_RATE_HZ)
    samples = np.frombuffer(pcm, "<i2").astype(np.int16)
    heard = np.concatenate([resampler.process(samples), resampler.flush()])
    return _brightened(heard, 0, audio_format).astype("<i2").tobytes()


def _brightened(heard: NDArray[np.int16], position: int, audio_format: AudioFormat) -> NDArray[np.int16]:
    """Telephone audio with the octave that it lacks, for recognisers that learned from whole voices.

    What is below 4 000 Hz is mirrored, more quietly, above it. Measured with pocketsphinx on seven recordings
    of 43 words in all: 41 are made out at 24 000 Hz, 6 over the telephone, 34 so.

    Args:
        heard: int16, 16 000 Hz.
        position: of its first sample in the whole.
        audio_format: in which it came; PCM16 stays as it is.
    """
    if audio_format.law is None:
        return heard
    mirror = 1.0 - 2.0 * ((np.arange(len(heard)) + position) % 2)
    return np.clip(heard * (1.0 + _MIRRORED * mirror), -32_768, 32_767).round().astype(np.int16)


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
        self._decoder = Decoder(PCM16)
        self._decoded = b""  # and not taken in: the half of a sample, or the last words in another format
        self._audio = bytearray()
        self._start = 0  # position of the buffer's first sample
        self._ears_audio = bytearray()  # resampled, not yet given to the ears
        self._ears_bytes = 0  # resampled since the session began
        self._item_id: str | None = None  # of the words that the ears are listening to
        self._speech_start_ms = 0
        self._settings: Mapping[str, Any] | None = None
        self._detector: TurnDetector | None = None
        self._waiting_from_ms: int | None = None

    @property
    def position_ms(self) -> int:
        """How much audio came in since the session began."""
        return self._end // _SAMPLES_PER_MS

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

    def set_format(self, audio_format: AudioFormat) -> None:
        """What is appended from now on is in this format."""
        if audio_format is not self._decoder.format:
            self._decoded = self._decoder.flush()
            self._decoder = Decoder(audio_format)

    def wait_from(self, position_ms: int) -> None:
        """From here on the user is expected to speak, since the last answer has been played by then.

        Args:
            position_ms: in the audio since the session began.
        """
        self._waiting_from_ms = position_ms

    def stop_waiting(self) -> None:
        """Somebody speaks, or will."""
        self._waiting_from_ms = None

    def append(self, data: bytes) -> Iterator[Found | None]:
        """Takes more of the user's audio; run the iterator to its end.

        Args:
            data: in the session's format, mono. An odd last byte of PCM waits for its other half.

        Yields:
            Where turns begin and end, in order; None after each second, so that there is a moment for others:
            one append may hold minutes.
        """
        a_second = self._decoder.format.rate_hz * self._decoder.format.sample_bytes
        for start in range(0, len(data), a_second):
            pcm = self._decoded + self._decoder.decode(data[start : start + a_second])
            whole = len(pcm) // _SAMPLE_BYTES * _SAMPLE_BYTES
            self._decoded = pcm[whole:]
            yield from self._take_in(pcm[:whole])
            yield None

    def settle(self) -> Iterator[Found]:
        """Takes in the last milliseconds, which a telephone format keeps back; see `append`."""
        pcm = self._decoded + self._decoder.flush()
        whole = len(pcm) // _SAMPLE_BYTES * _SAMPLE_BYTES
        self._decoded = pcm[whole:]
        yield from self._take_in(pcm[:whole])

    def commit(self) -> Committed:
        """Takes all there is, by hand; `settle` first.

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
        self.stop_waiting()
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
        self._decoder.flush()
        self._decoded = b""
        self._drop_before(self._end)
        self._ears_audio.clear()

    # ------------------------------------------------------------------------------------------------ pieces

    def _take_in(self, pcm: bytes) -> Iterator[Found]:
        """Takes in slices that end where the waiting does, so that it ends there to the sample."""
        while pcm:
            ends_ms = self._waits_until_ms
            left = len(pcm)
            if ends_ms is not None:
                left = max(0, (ends_ms * _SAMPLES_PER_MS - self._end) * _SAMPLE_BYTES)
            yield from self._take_slice(pcm[:left])
            pcm = pcm[left:]
            if ends_ms is not None and self._waits_until_ms == ends_ms <= self.position_ms:
                yield self._time_out(ends_ms)

    @property
    def _waits_until_ms(self) -> int | None:
        """Where the session has waited long enough; None while it does not wait."""
        timeout_ms = (self._settings or {}).get("idle_timeout_ms")
        if timeout_ms is None or self._waiting_from_ms is None:
            return None
        if self._detector is None or self._detector.is_speaking:
            return None
        return self._waiting_from_ms + int(timeout_ms)

    def _time_out(self, end_ms: int) -> TimedOut:
        start_ms = max(self._waiting_from_ms or 0, -(-self._start // _SAMPLES_PER_MS))
        self.stop_waiting()
        self._drop_before(start_ms * _SAMPLES_PER_MS)
        self._item_id = self._new_item_id()
        self._listen(end_ms)
        return TimedOut(start_ms, end_ms, self._take(end_ms * _SAMPLES_PER_MS, 0))

    def _take_slice(self, pcm: bytes) -> Iterator[TurnBegan | TurnEnded]:
        self._audio += pcm
        samples = self._resampler.process(np.frombuffer(pcm, "<i2").astype(np.int16))
        heard = samples.astype("<i2").tobytes()
        position = self._ears_bytes // _SAMPLE_BYTES
        bright = _brightened(samples, position, self._decoder.format)
        self._ears_audio += bright.astype("<i2").tobytes()
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
            kept_from_ms = self.position_ms - self._prefix_ms()
            if self._waits_until_ms is not None:
                kept_from_ms = min(kept_from_ms, self._waiting_from_ms or 0)
            self._drop_before(kept_from_ms * _SAMPLES_PER_MS)

    def _prefix_ms(self) -> int:
        """How much audio before a word is kept, while nobody speaks."""
        settings = self._settings or {}
        # Speech is found a while after it began: the detector looks back by half a second at most.
        return int(settings.get("prefix_padding_ms", 300)) + 500

    def _begin(self, edge: SpeechStarted, settings: Mapping[str, Any]) -> TurnBegan:
        self.stop_waiting()
        prefix_ms = int(settings.get("prefix_padding_ms", 300))
        start_ms = max(edge.onset_ms - prefix_ms, -(-self._start // _SAMPLES_PER_MS))
        self._drop_before(start_ms * _SAMPLES_PER_MS)
        self._item_id = self._new_item_id()
        self._speech_start_ms = edge.onset_ms
        return TurnBegan(self._item_id, start_ms)

    def _end_turn(self, edge: SpeechEnded) -> TurnEnded:
        self.stop_waiting()
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
