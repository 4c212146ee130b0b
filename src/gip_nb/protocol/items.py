"""One item of a conversation: what was said, by whom, how much of it was made and how much was heard."""

from __future__ import annotations

import binascii
import contextlib
from typing import Any, Literal

import msgspec

__all__ = [
    "SAMPLES_PER_MS",
    "CallState",
    "Item",
    "added_audio",
    "fill_item",
    "heard_samples",
    "heard_share",
    "heard_text",
]

SAMPLES_PER_MS = 24
# Asked: the user is to allow it. Waiting: for the main thread. The last five are ends.
CallState = Literal["asked", "waiting", "running", "done", "failed", "timed_out", "denied", "cancelled"]


class Item(msgspec.Struct, kw_only=True):
    """An item as far as it is known. Audio counts are samples at 24 000 Hz, mono.

    Attributes:
        status: `in_progress`, `completed` or `incomplete`, as the server says.
        texts: by content index, the pieces of text or transcript in order.
        spoken: whether it has audio.
        transcribed: for the user's audio, whether its transcript came (or failed), else False.
        whole_texts: the content parts whose whole text has come.
        audio_index: the content part that is its audio.
        audio_bytes: audio received of it, as it came.
        generated_samples: the same in samples.
        delivered_samples: audio that was sent to the page, None where nothing was.
        played_samples: audio that the page says it played, None where nobody plays.
        heard_ms: what of it was heard, None where nobody plays.
        playback_cut: playback was stopped before its end.
        audio_start_ms, audio_end_ms: where the user's speech lies in the input audio, as the server's VAD
            says.
        added_s: when it was first told of, on the log's clock; so the next five.
        speech_start_s, speech_end_s: when the user said it.
        first_audio_s, last_audio_s: when the first and the newest piece of an answer's sound came.
        sound_start_s: when its first sample left the page's loudspeaker.
        run_s: of a function call, when the function began here, on the log's clock.
        duration_ms: of a function call, how long the function took, None before it has ended.
        call_state: of a function call that this side runs, where it is: see `CallState`; None before.
        call_state_unix_ms: since when; and, where it waits for an answer, until when that is waited for.
        checked_arguments: of a function call that somebody was asked about, what it is called with, as JSON;
            `arguments` are as the model wrote them.
        traceback: of a function call that raised, for the user's eyes.
        connection: on which it was told of first; the positions in the input audio are that one's.
        restored: it only restores an earlier talk: it belongs to no turn, and nothing of it is counted.
    """

    item_id: str
    type: str = "message"
    role: str | None = None
    status: str = "in_progress"
    texts: dict[int, list[str]] = msgspec.field(default_factory=dict)
    spoken: bool = False
    transcribed: bool = False
    whole_texts: set[int] = msgspec.field(default_factory=set)
    response_id: str | None = None
    turn: int | None = None
    after: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str = ""
    arguments_whole: bool = False
    output: str | None = None
    audio_index: int = 0
    audio_bytes: int = 0
    generated_samples: int = 0
    delivered_samples: int | None = None
    played_samples: int | None = None
    heard_ms: float | None = None
    playback_cut: bool = False
    interrupted: bool = False
    deleted: bool = False
    audio_start_ms: int | None = None
    audio_end_ms: int | None = None
    audio_ms: float | None = None
    connection: int = 0
    added_s: float | None = None
    speech_start_s: float | None = None
    speech_end_s: float | None = None
    first_audio_s: float | None = None
    last_audio_s: float | None = None
    sound_start_s: float | None = None
    run_s: float | None = None
    duration_ms: float | None = None
    call_state: CallState | None = None
    call_state_unix_ms: float | None = None
    call_until_unix_ms: float | None = None
    checked_arguments: str | None = None
    traceback: str | None = None
    problem: str | None = None
    restored: bool = False

    @property
    def text(self) -> str:
        """Text and transcripts of all content parts, in order of their index."""
        return "".join(piece for index in sorted(self.texts) for piece in self.texts[index])

    def text_of(self, index: int) -> str:
        """Text or transcript of content part `index`."""
        return "".join(self.texts.get(index, []))

    def may_grow(self, index: int) -> bool:
        """Whether text of content part `index` is still to come."""
        return index not in self.whole_texts and not self.transcribed

    def add_text(self, index: int, delta: str) -> None:
        """A further piece of content part `index`; one that comes after the whole is part of it."""
        if delta and self.may_grow(index):
            self.texts.setdefault(index, []).append(delta)

    def set_text(self, index: int, text: str) -> None:
        """The final text of part `index`; it replaces the pieces, which some servers send twice or never."""
        if text:
            self.texts[index] = [text]
            self.whole_texts.add(index)

    def says_the_same(self, source: dict[str, Any], given: str | None = None) -> bool:
        """Whether a wire item carries the same words as this one, or answers the same call.

        Args:
            source: the wire item.
            given: the words that the server was given for this one, where they are others than its own.
        """
        other = Item(item_id="")
        fill_item(other, source)
        return (other.text, other.call_id) == (self.text if given is None else given, self.call_id)


def fill_item(item: Item, source: dict[str, Any]) -> None:
    """Take from a canonical wire item what it tells.

    What it leaves out stays; a transcript already longer is not shortened to nothing.
    """
    for name in ("type", "role", "status", "name", "call_id"):
        value = source.get(name)
        if isinstance(value, str):
            setattr(item, name, value)
    for name in ("arguments", "output"):
        value = source.get(name)
        if isinstance(value, str) and value:
            setattr(item, name, value)
    content = source.get("content")
    for index, part in enumerate(content if isinstance(content, list) else []):
        if not isinstance(part, dict):
            continue
        if str(part.get("type", "")).endswith("audio"):
            item.spoken = True
        text = part.get("text") or part.get("transcript")
        # Of an answer that was cut, a server tells what it remembers; what was said stays beside that.
        if isinstance(text, str) and not (item.interrupted and len(text) < len(item.text_of(index))):
            item.set_text(index, text)
            item.transcribed = item.transcribed or (item.spoken and item.role == "user")


def added_audio(source: object) -> bytes:
    """The sound that a wire item carries in itself, in the input's format: a recording that was added."""
    content = source.get("content") if isinstance(source, dict) else None
    sound = b""
    for part in content if isinstance(content, list) else []:
        encoded = part.get("audio") if isinstance(part, dict) else None
        if isinstance(encoded, str):
            with contextlib.suppress(ValueError):
                sound += binascii.a2b_base64(encoded)
    return sound


def heard_samples(item: Item, played_samples: int, output_latency_ms: float, *, generating: bool) -> int:
    """How many samples of the item reached an ear when playback was stopped.

    What left the processor less than the output latency ago was not heard yet; an item that was played to its
    end was heard whole. Never more than was received.
    """
    received = item.generated_samples
    if played_samples >= received and not generating:
        return received
    return max(0, min(played_samples, received) - round(max(0.0, output_latency_ms) * SAMPLES_PER_MS))


def heard_share(item: Item) -> float:
    """Between 0 and 1: which part of the generated audio was heard.

    1 where nobody plays, or where there is no audio.
    """
    if item.heard_ms is None or not item.generated_samples:
        return 1.0
    return min(1.0, item.heard_ms * SAMPLES_PER_MS / item.generated_samples)


def heard_text(item: Item) -> str:
    """The words that were heard, estimated: the transcript cut at the heard share of the audio, after a word.

    Only an answer that was cut short is shortened; one that is still being played is on its way to be heard
    whole.
    """
    if not (item.playback_cut or item.interrupted):
        return item.text
    words = item.text.split(" ")
    budget = heard_share(item) * len(item.text)
    taken: list[str] = []
    length = 0
    for word in words:
        # A word counts when most of it was sounded.
        if length + len(word) / 2 > budget or budget <= 0:
            break
        taken.append(word)
        length += len(word) + 1
    return " ".join(taken)
