"""The `events` table, of maybe a hundred thousand rows: each is looked at once, and kept in columns.

Most of a log is audio and pieces of text of a known answer. These are folded into the conversation without
being decoded again (`Conversation.add_answer_audio` and its like); whatever is not plainly one of them goes
the whole way.

Not thread-safe: `Tables` holds the lock.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import msgspec

from gip_nb.journal.batch import MICROPHONE, TEXT, Batch
from gip_nb.journal.columns import strings
from gip_nb.journal.row_columns import DIRECTIONS
from gip_nb.protocol.audio_formats import FORMATS
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.dialects import canonical_type

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from gip_nb.journal.log import EventLog, Row
    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.frames import Event

__all__ = ["EventTable", "audio_ms", "event_text"]

# PCM16 is the first of them: see `pcm_between`.
_CODE = {audio_format: code for code, audio_format in enumerate(FORMATS)}
# So often in a row a beginning is looked for by what the rows belong to.
_TRIES = 3


class _TextDelta(msgspec.Struct):
    delta: str
    content_index: int


_read_text_delta = msgspec.json.Decoder(_TextDelta).decode


class EventTable:
    """What is known of each row, and the conversation that the rows make.

    Attributes:
        conversation: of all rows that were caught up with.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.conversation = Conversation()
        # By row, the audio format that was in force for it.
        self._formats = bytearray()
        # Rows after which another turn was open than before, and which; 0 for none. So for connections.
        self._turns = _Held()
        self._connections = _Held()
        # Few rows have words: which, and what they are.
        self._text_rows = array("q")
        self._texts: list[str] = []
        # Labels name their turn, whichever is open.
        self._labelled: dict[int, int] = {}

    def __len__(self) -> int:
        """How many rows were caught up with."""
        return len(self._formats)

    def format(self, n: int) -> AudioFormat:
        """The audio format that was in force for row `n`."""
        return FORMATS[self._formats[n]]

    def catch_up(self) -> int:
        """Look at what came since the last time. Returns how many rows the table covers."""
        begin, end = len(self), len(self._log)
        if begin == end:
            return end
        batch = Batch(self._log, begin, end)
        self._formats += bytes(end - begin)
        at = begin
        for whole in batch.whole:
            self._fold_many(batch, at, whole)
            self._fold(whole)
            at = whole + 1
        self._fold_many(batch, at, end)
        return end

    def _fold(self, n: int) -> None:
        """Any row into the conversation."""
        row, conversation = self._log.rows[n], self.conversation
        event = self._log.event(n)
        conversation.apply(event, row.direction, row.elapsed_ns / 1e9)
        text = event_text(event)
        if text is not None:
            self._text_rows.append(n)
            self._texts.append(text)
        if event.type == "local.label" and isinstance(event.fields.get("turn"), int):
            self._labelled[n] = event.fields["turn"]
        is_sent = row.direction == "sent"
        found = conversation.input_format if is_sent else conversation.answer_format(row.item_id)
        self._formats[n] = _CODE[found]
        self._turns.note(n, len(conversation.turns))
        self._connections.note(n, row.connection)

    def _fold_many(self, batch: Batch, begin: int, end: int) -> None:
        """Rows of the three frequent kinds; one that begins something is folded whole."""
        tries = 0
        while begin < end:
            stop = batch.first_new(self.conversation, begin, end) if tries < _TRIES else begin
            self._fold_pieces(batch, begin, stop)
            if stop < end:
                self._fold(stop)
            # A server that speaks of what it never announced: then each row is a beginning.
            tries = tries + 1 if stop == begin else 0 if tries < _TRIES else tries
            begin = stop + 1

    def _fold_pieces(self, batch: Batch, begin: int, end: int) -> None:
        """Rows of which each is plainly a further piece of something known."""
        if begin == end:
            return
        conversation, formats = self.conversation, self._formats
        microphone = batch.rows_of(MICROPHONE, begin, end)
        if microphone:
            conversation.append_audio(zip(*batch.sounds(microphone), strict=True))
            code = _CODE[conversation.input_format]
            for n in microphone:
                formats[n] = code
        for kind, rows, response_id, item_id in batch.answers(begin, end):
            code = _CODE[conversation.responses[response_id].output_format]
            for n in rows:
                formats[n] = code
            if kind == TEXT:
                self._fold_text(batch, rows, response_id, item_id)
            else:
                amounts, times = batch.sounds(rows)
                conversation.add_answer_audio(response_id, item_id, sum(amounts), times[-1])

    def _fold_text(self, batch: Batch, rows: list[int], response_id: str, item_id: str) -> None:
        log_rows = self._log.rows
        try:
            read = [_read_text_delta(log_rows[n].skeleton) for n in rows]
        except (msgspec.MsgspecError, UnicodeError):
            read = []
        last_s = batch.at_s(rows[-1])
        pieces = [(one.content_index, one.delta) for one in read]
        taken = self.conversation.add_answer_text(response_id, item_id, pieces, last_s) if pieces else 0
        self._text_rows.extend(rows[:taken])
        self._texts += [delta for _, delta in pieces[:taken]]
        for n in rows[taken:]:
            self._fold(n)

    def rows_with_audio(
        self, direction: str, *, item_id: str | None = None, connection: int | None = None
    ) -> list[int]:
        """The rows that carry audio that way, of one item or one connection."""
        import numpy as np

        n, columns = len(self), self._log.columns
        fits = np.frombuffer(columns.audio_bytes[:n], "int64") > 0
        fits &= np.frombuffer(columns.direction[:n], "int8") == DIRECTIONS.index(direction)
        if item_id is not None:
            fits &= columns.items.read(0, n) == columns.items.code_of.get(item_id, -1)
        if connection is not None:
            fits &= self._connections.by_row(n) == connection
        rows: list[int] = np.flatnonzero(fits).tolist()
        return rows

    def pcm_between(self, rows: list[int], begin: int, end: int) -> tuple[list[int], int]:
        """Those of these rows in which bytes `begin` to `end` of their audio lie, and the bytes before them.

        All of them where not all are PCM16: what a telephone format's piece becomes is known when the one
        before it was read.
        """
        import numpy as np

        places = np.array(rows, dtype="int64")
        if len(places) == 0 or np.frombuffer(bytes(self._formats), "uint8")[places].any():
            return rows, 0
        n = len(self)
        ends = np.frombuffer(self._log.columns.audio_bytes[:n], "int64")[places].cumsum()
        first = int(np.searchsorted(ends, begin, side="right"))
        last = int(np.searchsorted(ends, end, side="left"))
        # A piece may end within a sample: then what follows begins in one.
        while first > 0 and ends[first - 1] % 2:
            first -= 1
        return rows[first : last + 1], int(ends[first - 1]) if first else 0

    def frame(self) -> pd.DataFrame:
        """One row an event, index `n`; see `journal.columns.EVENT_COLUMNS`."""
        import numpy as np
        import pandas as pd

        from gip_nb.journal.payloads import PayloadArray

        n, columns = len(self), self._log.columns
        elapsed_ns = np.frombuffer(columns.elapsed_ns[:n], "int64")
        text = np.full(n, -1, dtype="int64")
        text[np.array(self._text_rows, dtype="int64")] = np.arange(len(self._texts))
        turn = self._turn_of_rows()
        connection = self._connections.by_row(n)
        audio_bytes = np.frombuffer(columns.audio_bytes[:n], "int64")
        per_byte = np.array([1000 / f.sample_bytes / f.rate_hz for f in FORMATS])
        ms_per_byte = per_byte[np.frombuffer(bytes(self._formats), "uint8")]
        types, type_codes = columns.types.names, columns.types.read(0, n)
        data: dict[str, Any] = {
            "at": pd.DatetimeIndex((elapsed_ns + self._log.started_unix_ns).view("datetime64[ns]"), tz="UTC"),
            "elapsed_s": elapsed_ns / 1e9,
            "direction": pd.Categorical.from_codes(
                np.frombuffer(columns.direction[:n], "int8"), categories=list(DIRECTIONS)
            ),
            "type": _categorical(type_codes, types),
            "event": _categorical(type_codes, [canonical_type(t) for t in types]),
            "event_id": strings(columns.event_ids[:n]),
            # Each value once: what is taken is not looked at again.
            "response_id": strings(columns.responses.names).take(columns.responses.read(0, n)),
            "item_id": strings(columns.items.names).take(columns.items.read(0, n)),
            "call_id": strings(columns.calls.names).take(columns.calls.read(0, n)),
            "turn": pd.arrays.IntegerArray(turn, turn == 0),
            "connection": pd.arrays.IntegerArray(connection, connection == 0),
            "audio_ms": np.where(audio_bytes < 0, np.nan, audio_bytes * ms_per_byte),
            "text": strings(self._texts).take(text, allow_fill=True),
            "wire_bytes": columns.wire_bytes(n),
            "payload": PayloadArray(_Reader(self._log), np.arange(n, dtype="int64")),
        }
        return pd.DataFrame(data, index=pd.RangeIndex(n, name="n"))

    def _turn_of_rows(self) -> NDArray[Any]:
        """By row: the turn of its response, else of its item, else the one that was open; 0 for none."""
        import numpy as np

        n, conversation, columns = len(self), self.conversation, self._log.columns
        found = self._turns.by_row(n)
        of_item = [
            0 if (i := conversation.items.get(name or "")) is None else i.turn or 0
            for name in columns.items.names
        ]
        of_response = [
            0 if (r := conversation.responses.get(name or "")) is None else r.turn
            for name in columns.responses.names
        ]
        for codes, turn_of in (
            (columns.items.read(0, n), of_item),
            (columns.responses.read(0, n), of_response),
        ):
            if turn_of:
                told = np.array(turn_of, dtype="int64")[codes]
                found = np.where(told > 0, told, found)
        for row, turn in self._labelled.items():
            found[row] = turn
        return found


class _Held:
    """A value that holds until another is told."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._values = array("q")

    def note(self, n: int, value: int) -> None:
        """It holds from row `n` on."""
        if not self._values or self._values[-1] != value:
            self._rows.append(n)
            self._values.append(value)

    def by_row(self, n: int) -> NDArray[Any]:
        """Of each row up to `n`; 0 before the first."""
        import numpy as np

        rows = np.array(self._rows, dtype="int64")
        found = np.repeat(np.array(self._values, dtype="int64"), np.diff(rows, append=n))
        return np.concatenate([np.zeros(n - len(found), dtype="int64"), found])


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
    fields = event.fields
    for name in ("delta", "transcript", "text", "arguments"):
        found = fields.get(name)
        if found and isinstance(found, str):
            return found
    if "error" not in fields and "item" not in fields:
        return None
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


def _categorical(codes: NDArray[Any], names: list[str]) -> pd.Categorical:
    """Sorted categories, whatever the order in which they came; names may come twice."""
    import numpy as np
    import pandas as pd

    categories = sorted(set(names))
    place = {name: n for n, name in enumerate(categories)}
    if not names:
        return pd.Categorical([], categories=[])
    new = np.array([place[name] for name in names], dtype="int64")[codes]
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
