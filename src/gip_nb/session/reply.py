"""What `ask` gives back, and what may be asked."""

from __future__ import annotations

import base64
import contextlib
import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gip_nb import audio
from gip_nb.errors import AudioFileNotFound, BadAudio
from gip_nb.protocol.client import LEAST_COMMIT_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from gip_nb.protocol.conversation import Conversation

__all__ = ["Question", "Reply", "read_question", "read_sound", "read_utterance", "reply_of"]

_BYTES_PER_MS = audio.SAMPLE_RATE_HZ * 2 / 1000
_LEAST_BYTES = LEAST_COMMIT_SAMPLES * 2


@dataclass(frozen=True)
class Question:
    """What is asked: a text, or audio (PCM16 mono 24 000 Hz)."""

    text: str | None = None
    pcm: bytes | None = None


def read_question(what: str | Path | NDArray[Any], sample_rate_hz: int = audio.SAMPLE_RATE_HZ) -> Question:
    """Tell text from a file from an array.

    Args:
        what: a `Path`, or a string that ends in .wav, is a file; any other string is text; an array is sound,
            int16 or float32 in [-1, 1], shape (n,) or (n, channels).
        sample_rate_hz: of an array. A file tells its own.

    Raises:
        AudioFileNotFound: the file is not there.
        BadAudio: the file or array is no audio, there is nothing in it, it is silent throughout, or too
            short; or the text is empty.
    """
    if isinstance(what, str) and not _names_a_file(what):
        if not what.strip():
            raise BadAudio(
                "the question is empty", "pass some text, a WAV file's path or an array of samples."
            )
        return Question(text=what)
    return Question(pcm=_must_be_heard(_sound(what, sample_rate_hz)))


def read_utterance(wav: bytes, name: str) -> bytes:
    """What a WAV file says, which is to be answered.

    Args:
        wav: the file, whole.
        name: what errors call it.

    Returns:
        int16 little endian, mono, 24 000 Hz.

    Raises:
        BadAudio: it is no WAV, there is nothing in it, it is silent throughout, or too short.
    """
    return _must_be_heard(audio.pcm16_from_wav_bytes(wav, name))


def _must_be_heard(pcm: bytes) -> bytes:
    if not np.frombuffer(pcm, np.uint8).any():
        # The answer would be to nothing, and billed.
        raise BadAudio(
            f"the audio is silent: as 16-bit mono all its {len(pcm) // 2} samples "
            f"({len(pcm) / _BYTES_PER_MS:.0f} ms) are 0",
            "check where it was recorded, and its scale; send_audio() sends silence on purpose.",
        )
    if len(pcm) < _LEAST_BYTES:
        raise BadAudio(
            f"the audio is {len(pcm) // 48} ms long: the API takes no utterance under 100 ms",
            "ask something longer.",
        )
    return pcm


def read_sound(what: str | Path | NDArray[Any] | bytes, sample_rate_hz: int = audio.SAMPLE_RATE_HZ) -> bytes:
    """What may be appended to the input buffer, silence included: detectors of speech need some.

    Args:
        what: a file or an array as in `read_question`, or PCM16 little endian mono 24 000 Hz bytes.
        sample_rate_hz: of an array.

    Returns:
        int16 little endian, mono, 24 000 Hz.

    Raises:
        AudioFileNotFound: the file is not there.
        BadAudio: it is no audio, or there is nothing in it.
    """
    if isinstance(what, str) and not _names_a_file(what):
        raise BadAudio("a text is no audio", "use send_text() for text; a file's name ends in .wav.")
    if isinstance(what, bytes | bytearray | memoryview):
        pcm = bytes(what)
        if not pcm or len(pcm) % 2:
            raise BadAudio(
                f"{len(pcm)} bytes are no whole number of int16 samples, or none",
                "pass PCM16 little endian mono at 24000 Hz: two bytes a sample.",
            )
        return pcm
    return _sound(what, sample_rate_hz)


def _names_a_file(text: str) -> bool:
    return text.strip().lower().endswith(".wav")


def _sound(what: object, sample_rate_hz: int) -> bytes:
    if isinstance(what, str | Path):
        path = Path(what.strip()) if isinstance(what, str) else what
        with contextlib.suppress(RuntimeError):  # `~name` without such a user is a file's name like others
            path = path.expanduser()
        if not path.is_file():
            raise AudioFileNotFound(path)
        return audio.pcm16_from_wav(path)
    if isinstance(what, np.ndarray):
        return audio.pcm16_from_array(what, sample_rate_hz)
    raise BadAudio(
        f"a {type(what).__name__} is neither text nor audio",
        "pass text, a path to a WAV file, or a numpy array of samples (int16, or float32 in [-1, 1]).",
    )


@dataclass(frozen=True)
class Reply:
    """An answer, whole.

    Attributes:
        text: what was said or written.
        pcm: the spoken answer, PCM16 little endian mono 24 000 Hz; empty for a text-only one.
        item_id: of the last item that has words; None where there is none.
        status: `completed`, `incomplete` or `cancelled`.
        turn: its number in `session.turns`.
        usage: tokens and billed requests of the turn.
        latency: milliseconds from the end of the question: `first_event_ms`, `first_audio_ms` (None where
            there was no audio).
        reason: why it is not completed, such as `max_output_tokens`; None where nobody said.
    """

    text: str
    pcm: bytes = field(repr=False)
    item_id: str | None
    status: str
    turn: int | None
    usage: dict[str, int] = field(repr=False)
    latency: dict[str, float | None] = field(repr=False)
    reason: str | None = None

    @property
    def audio(self) -> NDArray[np.int16]:
        """The spoken answer: int16, shape (n,), mono, 24 000 Hz."""
        return np.frombuffer(self.pcm, dtype="<i2").astype(np.int16)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        words = f"<p>{html.escape(self.text)}</p>"
        if not self.pcm:
            return words
        sound = base64.b64encode(audio.wav_bytes(self.pcm)).decode("ascii")
        return f'{words}<audio controls src="data:audio/wav;base64,{sound}"></audio>'


def reply_of(conversation: Conversation, sound: Callable[[str], bytes], response_ids: Sequence[str]) -> Reply:
    """The reply that these responses make together.

    Args:
        conversation: they are in.
        sound: gives an item's audio by its id, PCM16 mono 24 000 Hz.
        response_ids: in order: the answer, then the follow-ups of its tool calls. What a lost connection
            broke off, and was asked for again, is no part of the reply; it stays an item of the turn.
    """
    made = [conversation.responses[r] for r in response_ids if r in conversation.responses]
    responses = [response for response in made if not response.lost] or made
    items = [conversation.items[i] for r in responses for i in r.item_ids if i in conversation.items]
    spoken = [i for i in items if i.type == "message"]
    turn = conversation.turns[responses[-1].turn - 1] if responses else None
    end_s = turn.speech_end_s if turn is not None else None

    def since_end(moment_s: float | None) -> float | None:
        return None if moment_s is None or end_s is None else round((moment_s - end_s) * 1000, 1)

    return Reply(
        text="\n".join(t for i in spoken if (t := i.text.strip())),
        pcm=b"".join(sound(i.item_id) for i in spoken if i.generated_samples),
        item_id=spoken[-1].item_id if spoken else None,
        status=responses[-1].status if responses else "cancelled",
        turn=turn.turn if turn is not None else None,
        usage={
            "requests": turn.requests if turn is not None else 0,
            "input_tokens": turn.usage.input_tokens if turn is not None else 0,
            "output_tokens": turn.usage.output_tokens if turn is not None else 0,
        },
        latency={
            "first_event_ms": since_end(turn.first_event_s if turn is not None else None),
            "first_audio_ms": since_end(turn.first_audio_s if turn is not None else None),
        },
        reason=responses[-1].reason if responses else None,
    )
