"""One item of an answer while it is being made: spoken words, written ones, or a tool call. Pure.

Each `step` makes a little more of it, never more than the tokens that are left for the answer: 50 ms of
speech is a token, and about four characters of text are one.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from gip_nb.protocol.audio_formats import Encoder
from gip_nb.protocol.server.memory import (
    ASSISTANT_MS_PER_TOKEN,
    BYTES_PER_MS,
    CHARACTERS_PER_TOKEN,
    Tokens,
    Word,
    answer_audio_tokens,
    text_tokens,
)

if TYPE_CHECKING:
    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.server.memory import StoredItem
    from gip_nb.protocol.server.outbox import Outbox
    from gip_nb.protocol.server.parts import Call, Say

__all__ = ["Calling", "Making", "Speech", "Step", "Writing"]

DELTA_MS = 100
_DELTA_BYTES = DELTA_MS * BYTES_PER_MS
_ARGUMENT_CHARACTERS = 12  # per delta
_WORDS = re.compile(r"\s*\S+")
_RATE_HZ = 24_000
_SAMPLE_BYTES = 2

Step = Literal["more", "end", "limit"]
"""What a step found: something to make, nothing left to make, or no tokens left to make it with."""


class Making:
    """What all three have in common.

    Args:
        item: that is being made.
        place: where it stands in the response, as its events say.
        outbox: for its events.
    """

    def __init__(self, item: StoredItem, place: dict[str, Any], outbox: Outbox) -> None:
        self.item = item
        self._place = place
        self._outbox = outbox
        self._said = ""

    @property
    def can_step(self) -> bool:
        """Whether there is what a step needs."""
        return True

    @property
    def audio_ms(self) -> int:
        """How much speech was sent."""
        return 0

    def tokens(self) -> Tokens:
        """What it cost so far, whatever was cut out of the item since."""
        return Tokens(text_tokens(self._said), answer_audio_tokens(self.audio_ms))

    def step(self, room: float) -> Step:
        """Makes a little more.

        Args:
            room: tokens that may still be made.
        """
        raise NotImplementedError

    def end(self) -> None:
        """Sends the `done` events; the same ones however it ends."""
        raise NotImplementedError

    def _emit(self, event: str, **fields: object) -> None:
        self._outbox.emit(event, **self._place, **fields)

    def _affordable(self, text: str, room: float) -> str:
        """As much from the start of a text as there are tokens for."""
        characters = (text_tokens(self._said) + room) * CHARACTERS_PER_TOKEN - len(self._said)
        return text[: int(min(max(characters, 0), len(text)))]


class Speech(Making):
    """Words that are spoken: transcript deltas word by word, spread over the audio."""

    def __init__(
        self, item: StoredItem, place: dict[str, Any], outbox: Outbox, wish: Say, audio_format: AudioFormat
    ) -> None:
        super().__init__(item, {**place, "content_index": 0}, outbox)
        self._format = audio_format
        self._pcm: bytes | None = None
        self._wire = b""
        self._sent = 0  # bytes of the PCM
        self._words = deque(_WORDS.findall(wish.text))
        self._characters = sum(map(len, self._words)) or 1
        item.audio_format = audio_format
        item.fields["content"] = [{"type": "output_audio", "transcript": ""}]
        self._emit("response.content_part.added", part={"type": "audio", "transcript": ""})

    def take(self, pcm: bytes) -> None:
        """The speech of all the words: int16 mono, 24 000 Hz."""
        self._pcm = pcm + bytes(-len(pcm) % self._pcm_bytes_per_sample)
        encoder = Encoder(self._format)
        self._wire = encoder.encode(self._pcm) + encoder.flush()

    @property
    def can_step(self) -> bool:
        """See `Making.can_step`."""
        return self._pcm is not None

    @property
    def audio_ms(self) -> int:
        """See `Making.audio_ms`."""
        return self._sent // BYTES_PER_MS

    def step(self, room: float) -> Step:
        """See `Making.step`."""
        pcm = self._pcm or b""
        left = len(pcm) - self._sent
        if not left and not self._words:
            return "end"
        size = min(left, _DELTA_BYTES)
        # Speech that is shorter than its words, or none at all, ends with all of them.
        while self._words and (not left or self._word_starts_at_byte(len(pcm)) < self._sent + size):
            cost = text_tokens(self._said + self._words[0]) - text_tokens(self._said)
            if cost > room:
                return "limit"
            room -= cost
            self._say(self._words.popleft(), len(pcm))
        if left:
            tokens = answer_audio_tokens(self.audio_ms) + room
            size = int(min(size, tokens * ASSISTANT_MS_PER_TOKEN * BYTES_PER_MS - self._sent))
            if size <= 0:
                return "limit"
            self._send(pcm, size)
        return "more"

    def end(self) -> None:
        """See `Making.end`."""
        self._emit("response.output_audio.done")
        self._emit("response.output_audio_transcript.done", transcript=self._said)
        self._emit("response.content_part.done", part={"type": "audio", "transcript": self._said})

    @property
    def _pcm_bytes_per_sample(self) -> int:
        """Bytes of PCM that become one sample of the wire."""
        return _RATE_HZ // self._format.rate_hz * _SAMPLE_BYTES

    def _send(self, pcm: bytes, size: int) -> None:
        start, end = (
            at // self._pcm_bytes_per_sample * self._format.sample_bytes
            for at in (self._sent, self._sent + size)
        )
        self._outbox.emit_audio(self._wire[start:end], self._format, **self._place)
        if not self.item.is_cut:
            self.item.audio += pcm[self._sent : self._sent + size]
        self._sent += size

    def _word_starts_at_byte(self, audio_bytes: int) -> float:
        return len(self._said) / self._characters * audio_bytes

    def _say(self, word: str, audio_bytes: int) -> None:
        self._said += word
        self._emit("response.output_audio_transcript.delta", delta=word)
        if not self.item.is_cut:
            end_ms = self._word_starts_at_byte(audio_bytes) / BYTES_PER_MS  # of the next word
            self.item.words.append(Word(word, end_ms))
            self.item.content[0]["transcript"] = self._said


class Writing(Making):
    """Words that are written, one per step."""

    def __init__(self, item: StoredItem, place: dict[str, Any], outbox: Outbox, wish: Say) -> None:
        super().__init__(item, {**place, "content_index": 0}, outbox)
        self._words = deque(_WORDS.findall(wish.text))
        item.fields["content"] = [{"type": "output_text", "text": ""}]
        self._emit("response.content_part.added", part={"type": "text", "text": ""})

    def step(self, room: float) -> Step:
        """See `Making.step`."""
        if not self._words:
            return "end"
        word = self._words.popleft()
        piece = self._affordable(word, room)
        if len(piece) < len(word):
            self._words.appendleft(word[len(piece) :])
        if not piece:
            return "limit"
        self._said += piece
        self._emit("response.output_text.delta", delta=piece)
        self.item.content[0]["text"] = self._said
        return "more"

    def end(self) -> None:
        """See `Making.end`."""
        self._emit("response.output_text.done", text=self._said)
        self._emit("response.content_part.done", part={"type": "text", "text": self._said})


class Calling(Making):
    """A tool call, its arguments streamed."""

    def __init__(self, item: StoredItem, place: dict[str, Any], outbox: Outbox, wish: Call) -> None:
        super().__init__(item, {**place, "call_id": item.fields["call_id"]}, outbox)
        self._rest = wish.arguments

    def step(self, room: float) -> Step:
        """See `Making.step`."""
        if not self._rest:
            return "end"
        piece = self._affordable(self._rest[:_ARGUMENT_CHARACTERS], room)
        if not piece:
            return "limit"
        self._rest = self._rest[len(piece) :]
        self._said += piece
        self._emit("response.function_call_arguments.delta", delta=piece)
        self.item.fields["arguments"] = self._said
        return "more"

    def end(self) -> None:
        """See `Making.end`."""
        # The API says it of calls that were cut off, too; their item's status is `incomplete`.
        self._emit(
            "response.function_call_arguments.done", name=self.item.fields["name"], arguments=self._said
        )
