"""The server's memory of the conversation: items in order, with their sound, cut to what was heard.

Items are kept in the canonical shape without their audio, which lies beside them. Order follows
`previous_item_id`, never arrival. Pure, for one thread.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.protocol.audio_formats import PCM16, AudioFormat, Encoder
from gip_nb.protocol.server.parts import Line, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "ASSISTANT_MS_PER_TOKEN",
    "BYTES_PER_MS",
    "CHARACTERS_PER_TOKEN",
    "Memory",
    "StoredItem",
    "Tokens",
    "Word",
    "answer_audio_tokens",
    "text_tokens",
]

BYTES_PER_MS = 48
"""PCM16 mono at 24 000 Hz."""

# The published rule: 100 ms of the user's audio is a token, 50 ms of the assistant's. Text is about four
# characters a token.
_USER_MS_PER_TOKEN = 100
ASSISTANT_MS_PER_TOKEN = 50
CHARACTERS_PER_TOKEN = 4

_ROOT = "root"


class Tokens(NamedTuple):
    """How much of each modality."""

    text: int = 0
    audio: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """The sum, modality by modality."""
        return Tokens(self.text + other.text, self.audio + other.audio)

    @property
    def total(self) -> int:
        """Of all modalities."""
        return self.text + self.audio


class Word(NamedTuple):
    """A spoken word and where it ends in its item's audio."""

    text: str
    end_ms: float


class StoredItem:
    """One item as the server remembers it.

    Attributes:
        fields: the item, canonical, without audio. audio: its sound: int16 little endian, mono, 24 000 Hz;
        empty where it has none. audio_format: in which that sound came or went over the wire. words: of the
        assistant's speech, what was said until when. transcript: what the ears made of the user's audio,
        where the client does not want to know it; else None. speech_ms: how long the user spoke, where the
        ears made out no words. is_silence: it is the user's turn because nobody spoke. is_cut: truncated:
        what its response still says is not remembered any more.
    """

    def __init__(self, fields: dict[str, Any], audio: bytes = b"") -> None:
        self.fields = fields
        self.audio = bytearray(audio)
        self.audio_format: AudioFormat = PCM16
        self.words: list[Word] = []
        self.transcript: str | None = None
        self.speech_ms = 0
        self.is_silence = False
        self.is_cut = False

    @property
    def item_id(self) -> str:
        """The id that its events carry."""
        return str(self.fields["id"])

    @property
    def audio_ms(self) -> int:
        """Length of its audio, rounded down."""
        return len(self.audio) // BYTES_PER_MS

    @property
    def is_spoken_answer(self) -> bool:
        """Whether it is the assistant's, with audio: the only kind that can be truncated."""
        return self.fields.get("role") == "assistant" and bool(self.audio)

    @property
    def content(self) -> list[dict[str, Any]]:
        """Its content parts; calls and outputs have none."""
        parts: list[dict[str, Any]] = self.fields.get("content", [])
        return parts

    def public(self, *, with_audio: bool = False) -> dict[str, Any]:
        """The item as events carry it; with its audio for `conversation.item.retrieved` alone."""
        item = dict(self.fields)
        if "content" in item:
            item["content"] = [dict(part) for part in self.content]
            if with_audio and self.audio:
                encoder = Encoder(self.audio_format)
                data = encoder.encode(bytes(self.audio)) + encoder.flush()
                for part in item["content"]:
                    if part["type"] in ("input_audio", "output_audio"):
                        part["audio"] = base64.b64encode(data).decode("ascii")
        return item

    def words_of_content(self) -> str:
        """Its text and transcripts, in order; of audio without a transcript what the ears made of it."""
        heard = {"input_audio": self.transcript}
        words = (
            part.get("text") or part.get("transcript") or heard.get(part["type"]) for part in self.content
        )
        return " ".join(filter(None, words))

    def tokens(self) -> Tokens:
        """What it costs to read it once more."""
        if self.audio:
            per_token = _USER_MS_PER_TOKEN if self.fields.get("role") == "user" else ASSISTANT_MS_PER_TOKEN
            typed = "".join(str(part.get("text") or "") for part in self.content)
            return Tokens(text_tokens(typed), -(-self.audio_ms // per_token))
        text = (
            self.words_of_content()
            + str(self.fields.get("arguments", ""))
            + str(self.fields.get("output", ""))
        )
        return Tokens(text_tokens(text))


def text_tokens(text: str) -> int:
    """A plausible count of a text's tokens; 0 for no text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def answer_audio_tokens(audio_ms: float) -> int:
    """Tokens of so much speech of the assistant."""
    return -(-int(audio_ms) // ASSISTANT_MS_PER_TOKEN)


class Memory:
    """The conversation, in its order."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._items: dict[str, StoredItem] = {}

    def __iter__(self) -> Iterator[StoredItem]:
        return (self._items[item_id] for item_id in self._order)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    def find(self, item_id: str) -> StoredItem | None:
        """The item of an id; None where there is none."""
        return self._items.get(item_id)

    def previous_item_id(self, item_id: str) -> str | None:
        """The id of the item before; None for the first."""
        at = self._order.index(item_id)
        return self._order[at - 1] if at else None

    @property
    def last_item_id(self) -> str | None:
        """The id of the newest item in order; None while there is none."""
        return self._order[-1] if self._order else None

    def insert(self, item: StoredItem, previous_item_id: str | None = None) -> str | None:
        """Puts an item where `previous_item_id` says: `root` is first, None is last.

        Returns:
            The id of the item before it, None for the first.

        Raises:
            Refused: the id is taken, or there is no item of that previous id.
        """
        if item.item_id in self._items:
            raise Refused(
                "item_create_duplicate_item_id",
                f"Error adding item: an item with id '{item.item_id}' already exists.",
                "item.id",
            )
        if previous_item_id is None:
            at = len(self._order)
        elif previous_item_id == _ROOT:
            at = 0
        elif previous_item_id in self._items:
            at = self._order.index(previous_item_id) + 1
        else:
            raise Refused(
                "item_create_invalid_previous_item_id",
                f"Error adding item: the previous item with id '{previous_item_id}' does not exist.",
                "previous_item_id",
            )
        self._order.insert(at, item.item_id)
        self._items[item.item_id] = item
        return self._order[at - 1] if at else None

    def get(self, item_id: str, verb: str) -> StoredItem:
        """The item that a request is about.

        Args:
            item_id: as the request says.
            verb: delete, retrieve or truncate, for the error's code and text.

        Raises:
            Refused: there is none.
        """
        item = self._items.get(item_id)
        if item is None:
            doing = {"delete": "deleting", "retrieve": "retrieving", "truncate": "truncating"}[verb]
            raise Refused(
                f"item_{verb}_invalid_item_id",
                f"Error {doing} item: the item with id '{item_id}' does not exist.",
                "item_id",
            )
        return item

    def delete(self, item_id: str) -> None:
        """Forgets an item.

        Raises:
            Refused: there is none.
        """
        self.get(item_id, "delete")
        self._order.remove(item_id)
        del self._items[item_id]

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Cuts an answer to what was heard: its audio and the words that had ended by then.

        Raises:
            Refused: no such item, no audio to cut, or a cut beyond its end.
        """
        item = self.get(item_id, "truncate")
        if not item.is_spoken_answer:
            raise Refused("invalid_value", "Only model output audio messages can be truncated.", "item_id")
        if content_index != 0:
            raise Refused(
                "invalid_value",
                f"Content index {content_index}: the item has one part, at 0.",
                "content_index",
            )
        if audio_end_ms < 0:
            raise Refused(
                "integer_below_min_value",
                "Invalid 'audio_end_ms': integer below minimum value. Expected a value >= 0, but got"
                f" {audio_end_ms} instead.",
                "audio_end_ms",
            )
        if audio_end_ms > item.audio_ms:
            raise Refused(
                "invalid_value",
                f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms",
                "audio_end_ms",
            )
        item.is_cut = True
        del item.audio[audio_end_ms * BYTES_PER_MS :]
        item.words = [word for word in item.words if word.end_ms <= audio_end_ms]
        item.content[0]["transcript"] = "".join(word.text for word in item.words).strip()

    def lines(self, items: Iterable[StoredItem] | None = None) -> tuple[Line, ...]:
        """The conversation as the wits see it, or these items of it."""
        shown = list(self if items is None else items)
        names = {
            item.fields["call_id"]: item.fields["name"]
            for item in shown
            if item.fields["type"] == "function_call"
        }
        return tuple(_line(item, names) for item in shown)


def _line(item: StoredItem, names: Mapping[str, str]) -> Line:
    match item.fields["type"]:
        case "function_call":
            return Line("call", item.fields["arguments"], item.fields["name"])
        case "function_call_output":
            return Line("output", item.fields["output"], names.get(item.fields["call_id"], ""))
        case _:
            words = item.words_of_content()
            role = "silence" if item.is_silence and not words else item.fields["role"]
            return Line(role, words, speech_ms=item.speech_ms)
