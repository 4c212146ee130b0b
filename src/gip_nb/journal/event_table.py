"""The `events` table, of maybe a hundred thousand rows: each is looked at once, and kept in columns.

Most of a log is audio and pieces of text of a known answer. These are folded into the conversation without
being decoded again (`Conversation.add_answer_audio` and its like); whatever is not plainly one of them goes
the whole way.

Not thread-safe: `Tables` holds the lock.
"""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Any

import msgspec

from gip_nb.journal.columns import strings
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.dialects import canonical_type

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from gip_nb.journal.log import EventLog, Row
    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.frames import Event

__all__ = ["EventTable", "audio_ms", "event_text"]

_DIRECTIONS = ("sent", "received", "local")
_ANSWER_AUDIO = frozenset({"response.audio.delta", "response.output_audio.delta"})
_ANSWER_TEXT = frozenset(
    {
        "response.audio_transcript.delta",
        "response.output_audio_transcript.delta",
        "response.text.delta",
        "response.output_text.delta",
    }
)
_CONTENT_INDEX = re.compile(rb'"content_index"\s*:\s*(\d+)')


class _TextDelta(msgspec.Struct):
    delta: str
    content_index: int


_read_text_delta = msgspec.json.Decoder(_TextDelta).decode


class EventTable:
    """What is known of each row, in columns, and the conversation that the rows make.

    Attributes:
        conversation: of all rows that were caught up with.
        formats: by row, the audio format that was in force for it.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.conversation = Conversation()
        self.formats: list[AudioFormat] = []
        # The turn that was open after each row; 0 before the first.
        self._turn_then = array("l")
        self._audio_ms = array("d")
        # Few rows have words: which, and what they are.
        self._text_rows = array("q")
        self._texts: list[str] = []
        self._columns = _Columns()

    def __len__(self) -> int:
        """How many rows were caught up with."""
        return len(self.formats)

    def catch_up(self) -> int:
        """Look at what came since the last time. Returns how many rows the table covers."""
        begin, rows = len(self), self._log.rows[len(self) :]
        turns = self.conversation.turns
        for n, row in enumerate(rows, begin):
            sound_format = self._fold(n, row)
            self.formats.append(sound_format)
            # As `audio_ms`, which costs a call a row.
            self._audio_ms.append(
                row.audio_bytes / sound_format.sample_bytes / sound_format.rate_hz * 1000
                if row.has_audio
                else _NAN
            )
            self._turn_then.append(len(turns))
        self._columns.add(rows)
        return len(self)

    def _fold(self, n: int, row: Row) -> AudioFormat:
        """One row into the conversation. Returns the audio format that holds for it."""
        conversation, at_s = self.conversation, row.elapsed_ns / 1e9
        if row.has_audio:
            if row.direction == "sent" and row.type == "input_audio_buffer.append":
                conversation.append_audio(row.audio_bytes, at_s)
                return conversation.input_format
            if row.response_id and row.item_id and row.type in _ANSWER_AUDIO and self._same_part(row):
                item = conversation.add_answer_audio(row.response_id, row.item_id, row.audio_bytes, at_s)
                if item is not None:
                    return conversation.responses[row.response_id].output_format
        elif row.type in _ANSWER_TEXT and row.direction == "received" and self._fold_text(n, row, at_s):
            return conversation.answer_format(row.item_id)
        event = self._log.event(n)
        conversation.apply(event, row.direction, at_s)
        text = event_text(event)
        if text is not None:
            self._text_rows.append(n)
            self._texts.append(text)
        if row.direction == "sent":
            return conversation.input_format
        return conversation.answer_format(event.item_id)

    def _same_part(self, row: Row) -> bool:
        """Whether a piece of audio is of the content part in which its item's audio was before."""
        if row.direction != "received":
            return False
        item = self.conversation.items.get(row.item_id or "")
        found = _CONTENT_INDEX.findall(row.skeleton)
        return item is not None and len(found) == 1 and int(found[0]) == item.audio_index

    def _fold_text(self, n: int, row: Row, at_s: float) -> bool:
        if row.response_id is None or row.item_id is None:
            return False
        try:
            piece = _read_text_delta(row.skeleton)
        except (msgspec.MsgspecError, UnicodeError):
            return False
        if not piece.delta or not self.conversation.add_answer_text(
            row.response_id, row.item_id, piece.content_index, piece.delta, at_s
        ):
            return False
        self._text_rows.append(n)
        self._texts.append(piece.delta)
        return True

    def frame(self) -> pd.DataFrame:
        """One row an event, index `n`; see `journal.columns.EVENT_COLUMNS`."""
        import numpy as np
        import pandas as pd

        from gip_nb.journal.payloads import PayloadArray

        n, columns = len(self), self._columns
        elapsed_ns = np.array(columns.elapsed_ns, dtype="int64")
        text = np.full(n, None, dtype="object")
        text[np.array(self._text_rows, dtype="int64")] = self._texts
        turn = self._turns()
        connection = np.array(columns.connection, dtype="int64")
        types = columns.types.names
        data: dict[str, Any] = {
            "at": pd.DatetimeIndex((elapsed_ns + self._log.started_unix_ns).view("datetime64[ns]"), tz="UTC"),
            "elapsed_s": elapsed_ns / 1e9,
            "direction": pd.Categorical.from_codes(
                np.frombuffer(bytes(columns.direction), "int8"), categories=list(_DIRECTIONS)
            ),
            "type": _categorical(columns.types.codes, types),
            "event": _categorical(columns.types.codes, [canonical_type(t) for t in types]),
            "event_id": strings(columns.event_id),
            "response_id": strings(columns.responses.values()),
            "item_id": strings(columns.items.values()),
            "call_id": strings(columns.calls.values()),
            "turn": pd.arrays.IntegerArray(turn, turn == 0),
            "connection": pd.arrays.IntegerArray(connection, connection == 0),
            "audio_ms": np.array(self._audio_ms, dtype="float64"),
            "text": strings(text),
            "wire_bytes": np.array(columns.wire_bytes, dtype="int64"),
            "payload": PayloadArray(_Reader(self._log), np.arange(n, dtype="int64")),
        }
        return pd.DataFrame(data, index=pd.RangeIndex(n, name="n"))

    def _turns(self) -> NDArray[Any]:
        """By row: the turn of its response, else of its item, else the one that was open; 0 for none."""
        import numpy as np

        conversation, columns = self.conversation, self._columns
        found = np.array(self._turn_then, dtype="int64")
        of_item = [
            0 if (i := conversation.items.get(name or "")) is None else i.turn or 0
            for name in columns.items.names
        ]
        of_response = [
            0 if (r := conversation.responses.get(name or "")) is None else r.turn
            for name in columns.responses.names
        ]
        for codes, turn_of in ((columns.items.codes, of_item), (columns.responses.codes, of_response)):
            if turn_of:
                told = np.array(turn_of, dtype="int64")[np.array(codes, dtype="int64")]
                found = np.where(told > 0, told, found)
        return found


class _Names:
    """A column of which most values come again: each once, and by row which."""

    def __init__(self) -> None:
        self.names: list[Any] = []
        self.codes = array("i")
        self._code_of: dict[Any, int] = {}

    def add(self, values: list[Any]) -> None:
        code_of = self._code_of
        for value in values:
            code = code_of.get(value)
            if code is None:
                code = code_of[value] = len(self.names)
                self.names.append(value)
            self.codes.append(code)

    def values(self) -> NDArray[Any]:
        import numpy as np

        names = np.empty(len(self.names), dtype="object")
        names[:] = self.names
        found: NDArray[Any] = names[np.array(self.codes, dtype="int64")]
        return found


class _Columns:
    """What the rows say by themselves."""

    def __init__(self) -> None:
        self.elapsed_ns = array("q")
        self.direction = bytearray()
        self.types = _Names()
        self.event_id: list[str | None] = []
        self.responses = _Names()
        self.items = _Names()
        self.calls = _Names()
        self.connection = array("i")
        self.wire_bytes = array("q")

    def add(self, rows: list[Row]) -> None:
        code = {name: n for n, name in enumerate(_DIRECTIONS)}
        self.elapsed_ns.extend([r.elapsed_ns for r in rows])
        self.direction += bytes([code[r.direction] for r in rows])
        self.types.add([r.type for r in rows])
        self.event_id += [r.event_id for r in rows]
        self.responses.add([r.response_id for r in rows])
        self.items.add([r.item_id for r in rows])
        self.calls.add([r.call_id for r in rows])
        self.connection.extend([r.connection for r in rows])
        self.wire_bytes.extend([r.wire_bytes for r in rows])


class _Reader:
    """Reads payloads out of a log, audio left out; equal where the log is the same."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def __call__(self, n: int) -> dict[str, Any]:
        found: dict[str, Any] = _without_audio(self._log.fields(n))
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reader) and other._log is self._log

    def __hash__(self) -> int:
        return id(self._log)


_NAN = float("nan")


def audio_ms(row: Row, audio_format: AudioFormat) -> float:
    """How much audio a row carries; NaN where it carries none."""
    if not row.has_audio:
        return _NAN
    return row.audio_bytes / audio_format.sample_bytes / audio_format.rate_hz * 1000


def event_text(event: Event) -> str | None:
    """The words that an event carries, if any."""
    if event.audio is not None:
        return None
    for name in ("delta", "transcript", "text", "arguments"):
        found = event.text(name)
        if found:
            return found
    message = event.part("error").get("message")
    if isinstance(message, str):
        return message
    content = event.part("item").get("content")
    words = (
        [p.get("text") or p.get("transcript") for p in content if isinstance(p, dict)]
        if isinstance(content, list)
        else []
    )
    return " ".join(w for w in words if isinstance(w, str) and w) or None


def _categorical(codes: array[int], names: list[str]) -> pd.Categorical:
    """Sorted categories, whatever the order in which they came; names may come twice."""
    import numpy as np
    import pandas as pd

    categories = sorted(set(names))
    place = {name: n for n, name in enumerate(categories)}
    if not names:
        return pd.Categorical([], categories=[])
    new = np.array([place[name] for name in names], dtype="int64")[np.array(codes, dtype="int64")]
    return pd.Categorical.from_codes(new, categories=categories)


def _without_audio(value: Any) -> Any:  # noqa: ANN401 - any part of an event
    """The event without its sound, wherever in it content parts with audio stand."""
    if isinstance(value, list):
        return [_without_audio(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    sounds = str(value.get("type", "")).endswith("audio")
    return {
        k: "" if sounds and k == "audio" and isinstance(v, str) else _without_audio(v)
        for k, v in value.items()
    }
