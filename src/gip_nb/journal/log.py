"""The append-only log of one talk: every frame both ways, and this package's own rows.

A row is written as things happen, before anyone interprets them.
Only the loop appends; any thread may read what was appended before it looked (a list that only grows needs no
lock for that).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import msgspec

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
        skeleton, cut, audio: see `protocol.frames.Frame`.
        connection: which connection of the session, from 1; 0 before the first.
    """

    elapsed_ns: int
    direction: Direction
    type: str
    skeleton: bytes
    cut: int
    audio: bytes | None
    connection: int
    dialect: Dialect
    event_id: str | None
    response_id: str | None
    item_id: str | None
    call_id: str | None

    @property
    def wire_bytes(self) -> int:
        """Size on the wire; 0 for a local row, which never was on it."""
        if self.direction == "local":
            return 0
        return wire_size(self.skeleton, self.cut, self.audio)


def _ids_of(fields: dict[str, Any]) -> tuple[str | None, str | None, str | None, str | None]:
    """Of the event itself, of its response, item and function call; as `Event`'s, in one go."""
    event_id, response_id = fields.get("event_id"), fields.get("response_id")
    if type(event_id) is str and type(response_id) is str and type(fields.get("item_id")) is str:
        item_id = fields["item_id"]
        if event_id and response_id and item_id and "call_id" not in fields and "item" not in fields:
            # A delta, of which there are most.
            return event_id, response_id, item_id, None
    event = Event("", fields)
    return event.text("event_id") or None, event.response_id, event.item_id, event.call_id


class EventLog:
    """The log of one session.

    Args:
        monotonic_ns: the clock that orders rows.
        unix_ns: the wall clock, asked once: times of rows are its value at the beginning plus what the
            monotonic clock counted.
    """

    def __init__(
        self, monotonic_ns: Callable[[], int] = time.monotonic_ns, unix_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.rows: list[Row] = []
        self.started_unix_ns = unix_ns()
        self._monotonic_ns = monotonic_ns
        self._zero_ns = monotonic_ns()
        self.connection = 0
        self.dialect: Dialect = "ga"

    def __len__(self) -> int:
        return len(self.rows)

    def elapsed_ns(self, at_ns: int | None = None) -> int:
        """Nanoseconds since the log began, until now or until a moment of the monotonic clock."""
        return (self._monotonic_ns() if at_ns is None else at_ns) - self._zero_ns

    def append(self, direction: Literal["sent", "received"], frame: Frame) -> Row:
        """Write down a frame that passes. Only the loop calls this."""
        fields = frame.fields
        row = Row(
            self._monotonic_ns() - self._zero_ns,
            direction,
            frame.type,
            frame.skeleton,
            frame.cut,
            frame.audio,
            self.connection,
            self.dialect,
            *_ids_of(fields),
        )
        self.rows.append(row)
        return row

    def local(self, kind: str, **fields: Any) -> tuple[Row, Event]:
        """Write down something that happened on this side. Only the loop calls this.

        Args:
            kind: without the `local.` in front, such as `playback.started`.
            **fields: JSON-able.

        Returns:
            The row, and the event for the reducer.
        """
        event = Event(f"local.{kind}", {"type": f"local.{kind}", **fields})
        if kind == "connection.opened":
            self.connection += 1
        self.dialect = fields.get("dialect", self.dialect)
        row = Row(
            self.elapsed_ns(),
            "local",
            event.type,
            encode_event(event.fields).wire(),
            NO_CUT,
            None,
            self.connection,
            self.dialect,
            None,
            event.response_id,
            event.item_id,
            event.call_id,
        )
        self.rows.append(row)
        return row, event

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
        frame = read_frame(row.skeleton)
        if frame.problem is not None:
            # Nobody acted on it when it came.
            return Event(row.type, {})
        frame = Frame(
            row.skeleton, row.cut, row.audio if row.audio is not None else frame.audio, frame.fields
        )
        if row.direction == "local":
            return Event(row.type, frame.fields)
        if row.audio is not None:
            return event_of(frame, frame.fields)
        translate = (
            dialects.server_event_to_canonical
            if row.direction == "received"
            else dialects.client_event_to_canonical
        )
        fields = translate(frame.fields, row.dialect)
        return Event(str(fields.get("type", "")), fields)
