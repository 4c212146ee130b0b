"""The append-only log of one talk: every frame both ways, and this package's own rows.

A row is written as things happen, before anyone interprets them.
Only the loop appends; any thread may read what was appended before it looked (a list that only grows needs no
lock for that).
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gip_nb.journal.row_columns import RowColumns
from gip_nb.journal.sounds import Sounds
from gip_nb.protocol import dialects
from gip_nb.protocol.conversation import Direction
from gip_nb.protocol.events import Dialect
from gip_nb.protocol.frames import (
    NO_CUT,
    NOT_JSON,
    Event,
    Frame,
    decode_json,
    encode_event,
    event_of,
    join_wire,
    read_frame,
    reread_frame,
    wire_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["EventLog", "Row"]


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: what passed, when, which way. Its JSON is kept as bytes, its audio once and apart.

    Attributes:
        elapsed_ns: since the log began, on the monotonic clock.
        direction: `sent`, `received` or `local`.
        type: as on the wire; empty where the frame named none.
        skeleton, cut: see `protocol.frames.Frame`.
        sounds: where the log's audio is kept; None for a row without.
        audio_at, audio_bytes: which part of it is this row's.
        connection: which connection of the session, from 1; 0 before the first.
    """

    elapsed_ns: int
    direction: Direction
    type: str
    skeleton: bytes
    cut: int
    sounds: Sounds | None
    audio_at: int
    audio_bytes: int
    connection: int
    dialect: Dialect
    event_id: str | None
    response_id: str | None
    item_id: str | None
    call_id: str | None

    @property
    def audio(self) -> bytes | None:
        """The audio, in the wire's format; None where the row carries none. Any thread; may read a file."""
        return None if self.sounds is None else self.sounds.read(self.audio_at, self.audio_bytes)

    @property
    def has_audio(self) -> bool:
        """Whether it carries audio. Costs nothing, where `audio` copies."""
        return self.sounds is not None

    @property
    def wire_bytes(self) -> int:
        """Size on the wire; 0 for a local row, which never was on it."""
        if self.direction == "local":
            return 0
        return wire_size(self.skeleton, self.cut, None if self.sounds is None else self.audio_bytes)


def _ids_of(fields: dict[str, Any]) -> tuple[str | None, str | None, str | None, str | None]:
    """Of the event itself, of its response, item and function call; as `Event`'s, in one go."""
    event_id, response_id = fields.get("event_id"), fields.get("response_id")
    if type(event_id) is str and type(response_id) is str and type(fields.get("item_id")) is str:
        item_id = fields["item_id"]
        if event_id and response_id and item_id and "call_id" not in fields and "item" not in fields:
            # A delta, of which there are most.
            return event_id, _shared(response_id), _shared(item_id), None
    event = Event("", fields)
    response_id, item_id, call_id = event.response_id, event.item_id, event.call_id
    return (
        event.text("event_id") or None,
        None if response_id is None else _shared(response_id),
        None if item_id is None else _shared(item_id),
        None if call_id is None else _shared(call_id),
    )


# A thousand rows name one item, and each frame brings a string of its own.
_shared = sys.intern


class EventLog:
    """The log of one session.

    Args:
        monotonic_ns: the clock that orders rows.
        unix_ns: the wall clock, asked once: times of rows are its value at the beginning plus what the
            monotonic clock counted.
        sounds: where the audio is kept.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        unix_ns: Callable[[], int] = time.time_ns,
        sounds: Sounds | None = None,
    ) -> None:
        self.rows: list[Row] = []
        self.columns = RowColumns()
        self.started_unix_ns = unix_ns()
        self.sounds = sounds if sounds is not None else Sounds()
        self._monotonic_ns = monotonic_ns
        self._zero_ns = monotonic_ns()
        self.connection = 0
        self.dialect: Dialect = "ga"
        # Told of each new row, where somebody writes them down elsewhere; must be quick.
        self.on_row: Callable[[], object] | None = None

    @classmethod
    def restored(cls, started_unix_ns: int) -> EventLog:
        """A log that began then and is over; `restore` fills it.

        What is added later has the time of its last row.
        """
        log = cls(lambda: 0, lambda: started_unix_ns)
        log._monotonic_ns = lambda: log.rows[-1].elapsed_ns if log.rows else 0
        return log

    def __len__(self) -> int:
        return len(self.rows)

    def elapsed_ns(self, at_ns: int | None = None) -> int:
        """Nanoseconds since the log began, until now or until a moment of the monotonic clock."""
        return (self._monotonic_ns() if at_ns is None else at_ns) - self._zero_ns

    def append(self, direction: Literal["sent", "received"], frame: Frame) -> Row:
        """Write down a frame that passes. Only the loop calls this."""
        return self._add(self._monotonic_ns() - self._zero_ns, direction, frame)

    def local(self, kind: str, **fields: Any) -> tuple[Row, Event]:
        """Write down something that happened on this side. Only the loop calls this.

        Args:
            kind: without the `local.` in front, such as `playback.started`.
            **fields: JSON-able.

        Returns:
            The row, and the event for the reducer.
        """
        event = Event(f"local.{kind}", {"type": f"local.{kind}", **fields})
        self._notice_connection(event)
        frame = encode_event(event.fields)
        return self._add(self.elapsed_ns(), "local", Frame(frame.skeleton, NO_CUT, None, event.fields)), event

    def restore(self, elapsed_ns: int, direction: Direction, frame: Frame) -> Row:
        """Write down a row as another log had it: one that was saved, or that is played again.

        Connection and dialect follow from the local rows, as they do while a talk goes on.

        Args:
            elapsed_ns: since that log began.
            direction: `sent`, `received` or `local`.
            frame: what passed.
        """
        if direction == "local":
            self._notice_connection(Event(frame.type, frame.fields))
        return self._add(elapsed_ns, direction, frame)

    def _notice_connection(self, event: Event) -> None:
        if event.type == "local.connection.opened":
            self.connection += 1
        dialect = event.fields.get("dialect")
        if dialect in ("beta", "ga"):
            self.dialect = dialect

    def _add(self, elapsed_ns: int, direction: Direction, frame: Frame) -> Row:
        event_id, response_id, item_id, call_id = _ids_of(frame.fields)
        audio = frame.audio
        row = Row(
            elapsed_ns,
            direction,
            _shared(frame.type),
            frame.skeleton,
            frame.cut,
            None if audio is None else self.sounds,
            0 if audio is None else self.sounds.add(audio),
            0 if audio is None else len(audio),
            self.connection,
            self.dialect,
            None if direction == "local" else event_id,
            response_id,
            item_id,
            call_id,
        )
        # Before the row: who counts rows finds their columns.
        self.columns.add(row, frame.fields.get("content_index"))
        self.rows.append(row)
        if self.on_row is not None:
            self.on_row()
        return row

    # ---- reading: any thread -------------------------------------------------------------------------------

    def payload(self, n: int) -> dict[str, Any]:
        """The JSON that passed in row `n`, whole, its audio as base64 again.

        Raises:
            IndexError: for a row that there is not.
        """
        row = self.rows[n]
        try:
            found = decode_json(join_wire(row.skeleton, row.cut, row.audio))
        except NOT_JSON:
            return {"unreadable": row.skeleton.decode("utf-8", "replace")}
        return found if isinstance(found, dict) else {"unreadable": found}

    def fields(self, n: int) -> dict[str, Any]:
        """The JSON of row `n` in the wire's shape, its audio left out.

        Empty for a frame that was no event.
        """
        return read_frame(self.rows[n].skeleton).fields

    def event(self, n: int) -> Event:
        """Row `n` as a canonical event, for the reducer. Audio rows are not decoded again."""
        row = self.rows[n]
        frame = reread_frame(row.skeleton, row.type)
        if frame.problem is not None:
            # Nobody acted on it when it came.
            return Event(row.type, {})
        audio = row.audio
        frame = Frame(row.skeleton, row.cut, audio if audio is not None else frame.audio, frame.fields)
        if row.direction == "local":
            return Event(row.type, frame.fields)
        if audio is not None:
            return event_of(frame, frame.fields)
        translate = (
            dialects.server_event_to_canonical
            if row.direction == "received"
            else dialects.client_event_to_canonical
        )
        fields = translate(frame.fields, row.dialect)
        return Event(str(fields.get("type", "")), fields)
