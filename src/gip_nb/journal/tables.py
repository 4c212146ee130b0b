"""The log as tables. pandas is imported when the first table is asked for.

All tables are made from the log's rows alone, through the same reducer that the live client uses. What was
reduced once is kept, so asking again after a few more events costs a few more events. Units and dtypes stand
in the column tables below: they are the schema.

Thread: any; a lock keeps two askers from reducing the same rows twice.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from gip_nb.errors import UnknownItem
from gip_nb.protocol.audio_formats import Decoder
from gip_nb.protocol.conversation import SAMPLES_PER_MS, Conversation
from gip_nb.protocol.cost import turn_cost
from gip_nb.protocol.dialects import canonical_type
from gip_nb.protocol.items import added_audio, heard_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from gip_nb.journal.log import EventLog, Row
    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.conversation import Turn
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.items import Item

__all__ = ["EVENT_COLUMNS", "ITEM_COLUMNS", "TURN_COLUMNS", "Tables", "audio_ms", "event_text"]

_STRING = "string"
# Column -> dtype. Times are UTC; `_ms` and `_s` are durations; text that is not there is NA.
EVENT_COLUMNS = {
    "at": "datetime64[ns, UTC]",
    "elapsed_s": "float64",
    "direction": "category",
    "type": "category",
    "event": "category",
    "event_id": _STRING,
    "response_id": _STRING,
    "item_id": _STRING,
    "call_id": _STRING,
    "turn": "Int64",
    "connection": "Int64",
    "audio_ms": "float64",
    "text": _STRING,
    "wire_bytes": "int64",
    "payload": "object",
}
ITEM_COLUMNS = {
    "type": _STRING,
    "role": _STRING,
    "status": _STRING,
    "text": _STRING,
    "heard_text": _STRING,
    "turn": "Int64",
    "response_id": _STRING,
    "audio_ms": "float64",
    "heard_ms": "float64",
    "interrupted": "bool",
    "deleted": "bool",
    "name": _STRING,
    "call_id": _STRING,
    "arguments": _STRING,
    "output": _STRING,
    "problem": _STRING,
    "delivered_ms": "float64",
}
TURN_COLUMNS = {
    "started_at": "datetime64[ns, UTC]",
    "user_text": _STRING,
    "assistant_text": _STRING,
    "heard_text": _STRING,
    "interrupted": "bool",
    "status": _STRING,
    "tools": "Int64",
    "user_audio_ms": "float64",
    "assistant_audio_ms": "float64",
    "heard_audio_ms": "float64",
    "first_event_ms": "float64",
    "first_audio_ms": "float64",
    "first_sound_ms": "float64",
    "requests": "Int64",
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "cost_usd": "float64",
    "speech_end_from": _STRING,
}
_DIRECTIONS = ("sent", "received", "local")


class Tables:
    """The tables of one log.

    Args:
        log: may grow while tables are asked for; each table is complete up to the moment of asking.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._conversation = Conversation()
        self._reduced = 0
        # By row: what the reducer learnt that the row does not say by itself.
        self._turn_then: list[int | None] = []
        self._text: list[str | None] = []
        self._format: list[AudioFormat] = []
        self._payload: list[dict[str, Any]] = []

    # ---- tables --------------------------------------------------------------------------------------------

    def events(self) -> pd.DataFrame:
        """One row an event, index `n`; columns as in `EVENT_COLUMNS`.

        `type` is the wire's name, `event` the canonical one. A row with a response's or an item's id belongs
        to that one's `turn`, any other to the turn that was open then. `payload` leaves audio out;
        `session.payload(n)` gives it whole.
        """
        import pandas as pd

        with self._lock:
            n = self._catch_up()
            rows = self._log.rows[:n]
            of_response = {r.response_id: r.turn for r in self._conversation.responses.values()}
            of_item = {i.item_id: i.turn for i in self._conversation.items.values()}
            turns = [
                of_response.get(r.response_id or "") or of_item.get(r.item_id or "") or then
                for r, then in zip(rows, self._turn_then, strict=True)
            ]
            elapsed = pd.Series([r.elapsed_ns for r in rows], dtype="int64")
            columns: dict[str, Any] = {
                "at": pd.to_datetime(elapsed + self._log.started_unix_ns, unit="ns", utc=True),
                "elapsed_s": elapsed / 1e9,
                "direction": pd.Categorical([r.direction for r in rows], categories=_DIRECTIONS),
                "type": pd.Categorical([r.type for r in rows]),
                "event": pd.Categorical([canonical_type(r.type) for r in rows]),
                **{
                    c: _strings(pd, [getattr(r, c) for r in rows])
                    for c in ("event_id", "response_id", "item_id", "call_id")
                },
                "turn": pd.array(turns, dtype="Int64"),
                "connection": pd.array([r.connection or None for r in rows], dtype="Int64"),
                "audio_ms": pd.Series(
                    [audio_ms(r, f) for r, f in zip(rows, self._format, strict=False)], dtype="float64"
                ),
                "text": _strings(pd, self._text),
                "wire_bytes": pd.Series([r.wire_bytes for r in rows], dtype="int64"),
                "payload": pd.Series(list(self._payload), dtype="object"),
            }
        return pd.DataFrame(columns, index=pd.RangeIndex(n, name="n"))

    def items(self) -> pd.DataFrame:
        """One row an item, index `item_id`; columns as in `ITEM_COLUMNS`.

        In the conversation's order; deleted ones come last, with those that were never in it. Of an answer's
        sound, `audio_ms` was generated, `delivered_ms` was sent to the page, `heard_ms` was played there.
        """
        with self._lock:
            self._catch_up()
            conversation = self._conversation
            present = set(conversation.order)
            gone = [
                i
                for i in conversation.items.values()
                if i.item_id not in present and (i.turn is not None or i.deleted)
            ]
            found = [*conversation.ordered(), *gone]
            return _frame([_item_row(i) for i in found], ITEM_COLUMNS, "item_id", [i.item_id for i in found])

    def turns(self) -> pd.DataFrame:
        """One row a turn, index `turn` from 1; columns as in `TURN_COLUMNS`.

        The latencies run from the end of the user's speech; `speech_end_from` says how that is known (`vad`,
        `speech_stopped`, `commit`, `text`). `heard_*` and `first_sound_ms` are NA where
        nobody played the answer.
        """
        with self._lock:
            self._catch_up()
            turns = self._conversation.turns
            started = self._log.started_unix_ns
            return _frame(
                [_turn_row(self._conversation, t, started) for t in turns],
                TURN_COLUMNS,
                "turn",
                [t.turn for t in turns],
            )

    def sound(self, item_id: str) -> bytes:
        """An item's audio, PCM16 little endian mono 24 000 Hz; empty where it has none.

        An answer's is what was received of it; the user's is cut out of what was sent, where the server found
        the speech, or is what was added as an item.

        Raises:
            UnknownItem: there is none with this id.
        """
        with self._lock:
            n = self._catch_up()
            item = self._conversation.items.get(item_id)
            rows = list(zip(self._log.rows[:n], self._format, strict=False))
        if item is None:
            raise UnknownItem(item_id)
        if item.role != "user":
            return _decoded(
                (r.audio, f) for r, f in rows if r.item_id == item_id and r.direction == "received"
            )
        if item.audio_start_ms is None or item.audio_end_ms is None:
            added = (
                (added_audio(self._log.fields(n).get("item")), f)
                for n, (r, f) in enumerate(rows)
                if r.item_id == item_id and r.direction == "sent"
            )
            return _decoded(added)
        sent = _decoded(
            (r.audio, f) for r, f in rows if r.direction == "sent" and r.connection == item.connection
        )
        start_ms, end_ms = max(0, item.audio_start_ms), max(0, item.audio_end_ms)
        return sent[start_ms * SAMPLES_PER_MS * 2 : end_ms * SAMPLES_PER_MS * 2]

    # ---- inside --------------------------------------------------------------------------------------------

    def _catch_up(self) -> int:
        """Reduce what came since the last time. Returns how many rows the tables cover."""
        n = len(self._log)
        for index in range(self._reduced, n):
            row = self._log.rows[index]
            event = self._log.event(index)
            self._conversation.apply(event, row.direction, row.elapsed_ns / 1e9)
            current = self._conversation.current_turn
            self._turn_then.append(current.turn if current is not None else None)
            self._text.append(event_text(event))
            is_sent = row.direction == "sent"
            self._format.append(
                self._conversation.input_format
                if is_sent
                else self._conversation.answer_format(event.item_id)
            )
            self._payload.append(
                _without_audio(event.fields if row.direction == "local" else self._log.fields(index))
            )
        self._reduced = n
        return n


def audio_ms(row: Row, audio_format: AudioFormat) -> float:
    """How much audio a row carries; NaN where it carries none."""
    if row.audio is None:
        return float("nan")
    return len(row.audio) / audio_format.sample_bytes / audio_format.rate_hz * 1000


def _decoded(pieces: Iterable[tuple[bytes | None, AudioFormat]]) -> bytes:
    """These pieces of the wire as one stream: PCM16, 24 000 Hz."""
    decoder, pcm = Decoder(), bytearray()
    for audio, audio_format in pieces:
        if audio is None:
            continue
        if audio_format is not decoder.format:
            pcm += decoder.flush()
            decoder = Decoder(audio_format)
        pcm += decoder.decode(audio)
    return bytes(pcm + decoder.flush())


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


def _strings(pd: Any, values: list[str | None]) -> Any:  # noqa: ANN401 - pandas, imported late
    return pd.array(values, dtype=_STRING)


def _frame(rows: list[dict[str, Any]], columns: dict[str, str], name: str, index: list[Any]) -> pd.DataFrame:
    import pandas as pd

    data: dict[str, Any] = {}
    for column, dtype in columns.items():
        values = [row[column] for row in rows]
        if dtype.startswith("datetime"):
            data[column] = pd.to_datetime(pd.Series(values, dtype="int64"), unit="ns", utc=True).to_numpy()
            data[column] = pd.DatetimeIndex(data[column], tz="UTC")
        elif dtype == "float64":
            data[column] = [float("nan") if v is None else float(v) for v in values]
        else:
            data[column] = values
    frame = pd.DataFrame(data, columns=list(columns)).astype(columns)
    frame.index = pd.Index(index, name=name, dtype="int64" if name == "turn" else "object")
    return frame


def _item_row(item: Item) -> dict[str, Any]:
    audio_ms = item.generated_samples / SAMPLES_PER_MS if item.generated_samples else item.audio_ms
    return {
        "type": item.type,
        "role": item.role,
        "status": item.status,
        "text": item.text or None,
        "heard_text": heard_text(item) or None if item.heard_ms is not None else None,
        "turn": item.turn,
        "response_id": item.response_id,
        "audio_ms": audio_ms,
        "heard_ms": item.heard_ms,
        "interrupted": item.interrupted,
        "deleted": item.deleted,
        "name": item.name,
        "call_id": item.call_id,
        "arguments": item.arguments or None,
        "output": item.output,
        "problem": item.problem,
        "delivered_ms": None if item.delivered_samples is None else item.delivered_samples / SAMPLES_PER_MS,
    }


def _turn_row(conversation: Conversation, turn: Turn, started_unix_ns: int) -> dict[str, Any]:
    items = [conversation.items[i] for i in turn.item_ids]
    answers = [i for i in items if i.role == "assistant"]
    heard = [i.heard_ms for i in answers if i.heard_ms is not None]
    last = conversation.responses.get(turn.response_ids[-1]) if turn.response_ids else None
    usage = turn.usage

    def since_end(moment_s: float | None) -> float | None:
        return (
            None if moment_s is None or turn.speech_end_s is None else (moment_s - turn.speech_end_s) * 1000
        )

    return {
        "started_at": started_unix_ns + round(turn.started_s * 1e9),
        "user_text": conversation.texts(turn, "user") or None,
        "assistant_text": conversation.texts(turn, "assistant") or None,
        "heard_text": conversation.heard(turn) or None if heard else None,
        "interrupted": turn.interrupted,
        "status": last.status if last is not None else None,
        "tools": sum(i.type == "function_call" for i in items),
        "user_audio_ms": sum(i.audio_ms or 0.0 for i in items if i.role == "user"),
        "assistant_audio_ms": sum(i.generated_samples for i in answers) / SAMPLES_PER_MS,
        "heard_audio_ms": sum(heard) if heard else None,
        "speech_end_from": turn.speech_end_from,
        "first_event_ms": since_end(turn.first_event_s),
        "first_audio_ms": since_end(turn.first_audio_s),
        "first_sound_ms": since_end(turn.first_sound_s),
        "requests": turn.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": turn_cost(conversation, turn).usd,
    }
