"""The log as tables. pandas is imported when the first table is asked for.

All tables are made from the log's rows alone, through the same reducer that the live client uses. What was
reduced once is kept, so asking again after a few more events costs a few more events. Units and dtypes stand
in `journal.columns`.

Thread: any; a lock keeps two askers from reducing the same rows twice.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gip_nb.errors import UnknownItem
from gip_nb.journal.columns import (
    CALL_COLUMNS,
    ITEM_COLUMNS,
    RESPONSE_COLUMNS,
    TURN_COLUMNS,
    USAGE_COLUMNS,
    frame_of,
)
from gip_nb.journal.event_table import EventTable
from gip_nb.journal.table_rows import call_rows, item_row, response_row, turn_row
from gip_nb.journal.usage_table import usage_rows
from gip_nb.protocol.audio_formats import Decoder
from gip_nb.protocol.conversation import SAMPLES_PER_MS
from gip_nb.protocol.items import added_audio

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from gip_nb.journal.log import EventLog
    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.conversation import Conversation

__all__ = ["Tables"]


class Tables:
    """The tables of one log.

    Args:
        log: may grow while tables are asked for; each table is complete up to the moment of asking.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._events = EventTable(log)

    @property
    def _conversation(self) -> Conversation:
        return self._events.conversation

    # ---- what a recording says of itself -------------------------------------------------------------------

    @property
    def model(self) -> str | None:
        """The model that was connected to, None where none was."""
        with self._lock:
            self._events.catch_up()
            return self._conversation.model

    @property
    def session_id(self) -> str | None:
        """The server's name for the session, None where it told none."""
        with self._lock:
            self._events.catch_up()
            return self._conversation.session_id

    @property
    def turn_count(self) -> int:
        """How many turns there are."""
        with self._lock:
            self._events.catch_up()
            return len(self._conversation.turns)

    def formats(self) -> list[AudioFormat]:
        """For each row there is now, the format of its audio."""
        with self._lock:
            return [self._events.format(n) for n in range(self._events.catch_up())]

    # ---- tables --------------------------------------------------------------------------------------------

    def events(self) -> pd.DataFrame:
        """One row an event, index `n`; columns as in `EVENT_COLUMNS`.

        `type` is the wire's name, `event` the canonical one. A row with a response's or an item's id belongs
        to that one's `turn`, any other to the turn that was open then. `payload` leaves audio out, and is
        decoded where it is looked at; `session.payload(n)` gives it whole.
        """
        with self._lock:
            self._events.catch_up()
            return self._events.frame()

    def items(self) -> pd.DataFrame:
        """One row an item, index `item_id`; columns as in `ITEM_COLUMNS`.

        In the conversation's order; deleted ones come last, with those that were never in it. Of an answer's
        sound, `audio_ms` was generated, `delivered_ms` was sent to the page, `heard_ms` was played there.
        """
        with self._lock:
            self._events.catch_up()
            conversation = self._conversation
            present = set(conversation.order)
            gone = [
                i
                for i in conversation.items.values()
                if i.item_id not in present and (i.turn is not None or i.deleted)
            ]
            found = [*conversation.ordered(), *gone]
            return frame_of([item_row(i) for i in found], ITEM_COLUMNS, "item_id", [i.item_id for i in found])

    def turns(self) -> pd.DataFrame:
        """One row a turn, index `turn` from 1; columns as in `TURN_COLUMNS`.

        The latencies run from the end of the user's speech; `speech_end_from` says how that is known (`vad`,
        `speech_stopped`, `commit`, `text`). `heard_*`, `first_delivered_ms` and `first_sound_ms` are NA where
        nobody played the answer, `speech_stopped_ms` where no turn detection had a say.
        """
        with self._lock:
            self._events.catch_up()
            turns = self._conversation.turns
            rows = [turn_row(self._conversation, t, self._log.started_unix_ns) for t in turns]
            return frame_of(rows, TURN_COLUMNS, "turn", [t.turn for t in turns])

    def responses(self) -> pd.DataFrame:
        """One row a response, index `response_id`, in the order of their coming; see `RESPONSE_COLUMNS`."""
        with self._lock:
            self._events.catch_up()
            found = list(self._conversation.responses.values())
            rows = [response_row(self._conversation, r) for r in found]
            return frame_of(rows, RESPONSE_COLUMNS, "response_id", [r.response_id for r in found])

    def tool_calls(self) -> pd.DataFrame:
        """One row a function call, index `call_id`, in the order in which they came; see `CALL_COLUMNS`."""
        with self._lock:
            self._events.catch_up()
            ids, rows = call_rows(self._conversation)
            return frame_of(rows, CALL_COLUMNS, "call_id", ids)

    def usage(self) -> pd.DataFrame:
        """What was billed, index `n`, in the order in which it was told; see `USAGE_COLUMNS`.

        One row a `response.done`, cancelled and failed ones too; one a transcription that tells its usage.
        """
        with self._lock:
            self._events.catch_up()
            rows = usage_rows(self._conversation, self._log.started_unix_ns)
            return frame_of(rows, USAGE_COLUMNS, "n")

    def sound(self, item_id: str) -> bytes:
        """An item's audio, PCM16 little endian mono 24 000 Hz; empty where it has none.

        An answer's is what was received of it; the user's is cut out of what was sent, where the server found
        the speech, or is what was added as an item.

        Raises:
            UnknownItem: there is none with this id.
        """
        begin = end = None
        with self._lock:
            n = self._events.catch_up()
            item = self._conversation.items.get(item_id)
            if item is None:
                raise UnknownItem(item_id)
            if item.role != "user":
                rows, skipped = self._events.rows_with_audio("received", item_id=item_id), 0
            elif item.audio_start_ms is None or item.audio_end_ms is None:
                sent = enumerate(self._log.rows[:n])
                added = [k for k, r in sent if r.item_id == item_id and r.direction == "sent"]
                return _decoded(
                    (added_audio(self._log.fields(k).get("item")), self._format(k)) for k in added
                )
            else:
                begin = max(0, item.audio_start_ms) * SAMPLES_PER_MS * 2
                end = max(0, item.audio_end_ms) * SAMPLES_PER_MS * 2
                rows = self._events.rows_with_audio("sent", connection=item.connection)
                rows, skipped = self._events.pcm_between(rows, begin, end)
            formats = [self._format(k) for k in rows]
        pcm = _decoded((self._log.rows[k].audio, f) for k, f in zip(rows, formats, strict=True))
        return pcm if begin is None or end is None else pcm[max(0, begin - skipped) : max(0, end - skipped)]

    def _format(self, n: int) -> AudioFormat:
        return self._events.format(n)


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
