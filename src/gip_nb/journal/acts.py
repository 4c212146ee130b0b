"""What the user of a recorded talk did, and when: the acts that `session/replay.py` does again. Pure.

`journal/acts_of.py` reads them from a log.

Not among them are what the client did by itself (tools' outputs and their follow-ups, truncations, a history
that it restored) and what changes the session or edits the conversation: updates, deletions, truncations and
clearings of the user's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gip_nb.journal.log import Row

__all__ = [
    "Act",
    "AddItem",
    "Frame",
    "Interrupt",
    "Respond",
    "Text",
    "Utterance",
    "as_utterances",
]


@dataclass(frozen=True)
class Frame:
    """A frame of audio that turn detection heard.

    Attributes:
        at_s: when it was sent, seconds on the log's clock; so for all acts.
        sound: its audio, or the row that has it: an hour of frames is not in memory twice.
        begins_speech: the server found the beginning of an utterance in it.
        ends_speech: the end of one.
        after_answer: where an utterance begins in it, whether no answer was being given or heard, or due.
    """

    at_s: float
    sound: bytes | Row
    begins_speech: bool = False
    ends_speech: bool = False
    after_answer: bool = False

    @property
    def pcm(self) -> bytes:
        """Int16 little endian, mono, 24 000 Hz."""
        return self.sound if isinstance(self.sound, bytes) else self.sound.audio or b""


@dataclass(frozen=True)
class Utterance:
    """Audio that was committed by hand: push to talk, or a question from a file.

    Attributes:
        at_s: when its first audio was sent.
        until_s: when it was committed.
        pcm: int16 little endian, mono, 24 000 Hz.
        respond: fields of the response that was asked for with it; None where none was.
        after_answer: whether no answer was being given or heard, or due, when it began.
    """

    at_s: float
    until_s: float
    pcm: bytes
    respond: dict[str, Any] | None = None
    after_answer: bool = False


@dataclass(frozen=True)
class Text:
    """A text message.

    Attributes:
        role: `user`, `system` or `assistant`.
        respond, after_answer: as an utterance's.
    """

    at_s: float
    role: str
    text: str
    respond: dict[str, Any] | None = None
    after_answer: bool = False


@dataclass(frozen=True)
class AddItem:
    """Any other item: an image, a recording, a call with its output.

    Attributes:
        item: canonical.
        previous_item_id: where it was put; None is at the end, and after items that the server had made.
        after_answer: as an utterance's.
    """

    at_s: float
    item: dict[str, Any]
    previous_item_id: str | None = None
    after_answer: bool = False


@dataclass(frozen=True)
class Respond:
    """A response that was asked for, and not together with words.

    Attributes:
        fields: canonical.
        after_answer: as an utterance's.
    """

    at_s: float
    fields: dict[str, Any]
    after_answer: bool = False


@dataclass(frozen=True)
class Interrupt:
    """The user stopped the answer, and not by speaking."""

    at_s: float


Act = Frame | Utterance | Text | AddItem | Respond | Interrupt


def as_utterances(acts: Iterable[Act]) -> list[Act]:
    """The acts for a session without turn detection: each utterance that it once found is one by hand.

    It is answered, unless an answer was asked for later. What was said outside of utterances is left out.
    """
    found: list[Act] = []
    pieces: list[Frame] = []
    newest: int | None = None
    for act in acts:
        if isinstance(act, Frame):
            goes_on = bool(pieces)
            if act.begins_speech or goes_on:
                pieces.append(act)
            if act.ends_speech and pieces:
                newest = len(found)
                found.append(_joined(pieces))
                # The end of one and the beginning of the next may be in one frame.
                pieces = [act] if goes_on and act.begins_speech else []
            continue
        before = found[newest] if newest is not None else None
        if isinstance(act, Respond) and isinstance(before, Utterance) and newest is not None:
            found[newest] = replace(before, respond=None)
            newest = None
        found.append(act)
    if pieces:
        found.append(_joined(pieces))
    return found


def _joined(pieces: list[Frame]) -> Utterance:
    first, last = pieces[0], pieces[-1]
    pcm = b"".join(piece.pcm for piece in pieces)
    return Utterance(first.at_s, last.at_s, pcm, respond={}, after_answer=first.after_answer)
