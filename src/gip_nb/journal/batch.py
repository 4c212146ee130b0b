"""Rows of a log that are to be folded in, sorted by what they are: by numbers alone, no row is fetched.

Frequent kinds are the microphone's frames and the pieces of an answer's audio and text. What is not plainly
one of these is folded whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gip_nb.journal.log import EventLog
    from gip_nb.protocol.conversation import Conversation

__all__ = ["ANSWER", "MICROPHONE", "TEXT", "WHOLE", "Batch"]

WHOLE, MICROPHONE, ANSWER, TEXT = range(4)
_KINDS = {
    "input_audio_buffer.append": MICROPHONE,
    "response.audio.delta": ANSWER,
    "response.output_audio.delta": ANSWER,
    "response.audio_transcript.delta": TEXT,
    "response.output_audio_transcript.delta": TEXT,
    "response.text.delta": TEXT,
    "response.output_text.delta": TEXT,
}


class Batch:
    """Rows that are to be folded in, sorted by what they are."""

    def __init__(self, log: EventLog, begin: int, end: int) -> None:
        import numpy as np

        columns = log.columns
        self._begin = begin
        self._items, self._responses = columns.items.names, columns.responses.names
        item, response = columns.items.read(begin, end), columns.responses.read(begin, end)
        call = columns.calls.read(begin, end)
        part = np.frombuffer(columns.part[begin:end], "int8")
        self._audio_bytes = np.frombuffer(columns.audio_bytes[begin:end], "int64")
        self._elapsed_ns = np.frombuffer(columns.elapsed_ns[begin:end], "int64")
        kind_of = np.array([_KINDS.get(name, WHOLE) for name in columns.types.names], dtype="int8")
        kind = kind_of[columns.types.read(begin, end)]
        sent = np.frombuffer(columns.direction[begin:end], "int8")
        # Odd ones (a frame of the microphone that was received, audio of no item) are folded whole.
        has_audio = self._audio_bytes >= 0
        nameless = [names.index(None) if None in names else -1 for names in (self._items, self._responses)]
        named = (item != nameless[0]) & (response != nameless[1]) & (part >= 0)
        no_call = call == columns.calls.code_of.get(None, -1)
        fits = (kind == MICROPHONE) & has_audio & (sent == 0)
        fits |= (kind == ANSWER) & (self._audio_bytes > 0) & (sent == 1) & named
        fits |= (kind == TEXT) & ~has_audio & (sent == 1) & named
        self._kind = np.where(fits & no_call, kind, WHOLE)
        # What a piece belongs to: its kind, response, item and content part in one number.
        wide = response.astype("int64") << 35 | item.astype("int64") << 8 | part
        self._key = np.where(self._kind == ANSWER, wide, np.where(self._kind == TEXT, ~wide, 0))
        self.whole: list[int] = (np.flatnonzero(self._kind == WHOLE) + begin).tolist()

    def at_s(self, n: int) -> float:
        """When row `n` was."""
        return float(self._elapsed_ns[n - self._begin]) / 1e9

    def sounds(self, rows: list[int]) -> tuple[list[int], list[float]]:
        """How much audio each of these rows carries, in bytes, and when it was."""
        import numpy as np

        places = np.array(rows, dtype="int64") - self._begin
        return self._audio_bytes[places].tolist(), (self._elapsed_ns[places] / 1e9).tolist()

    def rows_of(self, kind: int, begin: int, end: int) -> list[int]:
        """The rows of one kind, in order."""
        import numpy as np

        found = np.flatnonzero(self._kind[begin - self._begin : end - self._begin] == kind)
        rows: list[int] = (found + begin).tolist()
        return rows

    def first_new(self, conversation: Conversation, begin: int, end: int) -> int:
        """The first row that is no further piece of something known; `end` where there is none."""
        keys = self._key[begin - self._begin : end - self._begin]
        new = [key for key in set(keys.tolist()) if key and not self._known(conversation, key)]
        return begin + min((int((keys == key).argmax()) for key in new), default=end - begin)

    def _known(self, conversation: Conversation, key: int) -> bool:
        if key < 0:
            return conversation.may_add_text(*self._names(~key))
        return conversation.may_add_audio(*self._names(key), key & 0xFF)

    def _names(self, wide: int) -> tuple[str, str]:
        return self._responses[wide >> 35], self._items[wide >> 8 & 0x7FFFFFF]

    def answers(self, begin: int, end: int) -> Iterator[tuple[int, list[int], str, str]]:
        """Kind, rows, response and item of each answer's sound and text."""
        import numpy as np

        keys = self._key[begin - self._begin : end - self._begin]
        for key in sorted(set(keys.tolist()) - {0}):
            kind, wide = (TEXT, ~key) if key < 0 else (ANSWER, key)
            yield kind, (np.flatnonzero(keys == key) + begin).tolist(), *self._names(wide)
