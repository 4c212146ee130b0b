"""What the events tab wants to know of each row of a log, found once; and the rows of one filter, folded.

Both grow with the log and read each of its rows once, in slices of limited time. A row's JSON is decoded only
where its kind says that this tells something: for a format of audio, for a failure that a type does not name,
and for free text. Audio rows, of which there are most, never are.

Not thread-safe: `event_pages.EventPages` holds the lock.
"""

from __future__ import annotations

import math
import time
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.journal.event_table import audio_ms
from gip_nb.protocol.conversation import Conversation, Direction

if TYPE_CHECKING:
    from gip_nb.journal.log import EventLog, Row
    from gip_nb.protocol.audio_formats import AudioFormat

__all__ = ["DIRECTIONS", "EventFilter", "EventIndex", "FilteredEvents", "Run"]

DIRECTIONS: tuple[Direction, ...] = ("sent", "received", "local")
# Rows between two looks at the time.
_STRIDE = 256
# A word of the free text that begins so is for the type alone.
_OF_TYPE = "type:"
# Of the events that change a format of audio, or say whose answer an item belongs to.
_TELL_FORMATS = (
    "session.",
    "transcription_session.",
    "response.created",
    "response.output_item.added",
    "error",
)
_FAILURES = {"error", "local.callback.error", "local.frame.unreadable"}


class EventFilter(NamedTuple):
    """Which rows are wanted.

    Attributes:
        text: words, all of which have to be in the type, an id or any other text of the event, whatever
            their case; a word `type:...` has to be in its type.
        directions: which ways.
        errors: only what failed.
    """

    text: str = ""
    directions: frozenset[str] = frozenset(DIRECTIONS)
    errors: bool = False


class EventIndex:
    """Facts about each row of one log.

    Attributes:
        log: may grow.
        audio_ms: by row; NaN for one without audio. The same as `session.events.audio_ms`.
        failed: by row, 1 for one that tells of a failure.
        counts: rows by direction.
        failures: how many failed.
        opened_ms: when the first connection was there, since the log began; None before.
    """

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.audio_ms = array("d")
        self.failed = bytearray()
        self.counts = dict.fromkeys(DIRECTIONS, 0)
        self.failures = 0
        self.opened_ms: float | None = None
        # Reduces only what tells formats of audio.
        self._formats = Conversation()

    def __len__(self) -> int:
        return len(self.failed)

    def catch_up(self, until_s: float) -> None:
        """Read what came since the last time, until then on the monotonic clock or a little longer."""
        for n in range(begin := len(self), len(self.log)):
            if n > begin and n % _STRIDE == 0 and time.monotonic() > until_s:
                return
            row = self.log.rows[n]
            if row.type.startswith(_TELL_FORMATS):
                self._formats.apply(self.log.event(n), row.direction, row.elapsed_ns / 1e9)
            if self.opened_ms is None and row.type == "local.connection.opened":
                self.opened_ms = row.elapsed_ns / 1e6
            failed = self._has_failed(n, row)
            self.failures += failed
            self.counts[row.direction] += 1
            self.audio_ms.append(audio_ms(row, self._format(row)))
            self.failed.append(failed)

    @property
    def input_format(self) -> AudioFormat:
        """Of audio that is sent."""
        return self._formats.input_format

    def sound_ms(self, n: int) -> float | None:
        """How much audio a row carries; None for one without, or not looked at yet."""
        ms = self.audio_ms[n] if n < len(self) else math.nan
        return None if math.isnan(ms) else ms

    def _format(self, row: Row) -> AudioFormat:
        if row.direction == "sent" or not row.has_audio:
            return self._formats.input_format
        response = self._formats.responses.get(row.response_id or "")
        if (row.item_id or "") in self._formats.items or response is None:
            return self._formats.answer_format(row.item_id)
        return response.output_format

    def _has_failed(self, n: int, row: Row) -> bool:
        if row.type == "" or row.type in _FAILURES or row.type.endswith(".failed"):
            return True
        if row.type == "response.done":
            response = self.log.fields(n).get("response")
            return isinstance(response, dict) and response.get("status") == "failed"
        return row.type == "local.connection.closed" and self.log.fields(n).get("asked_for") is False


class Run:
    """Events of one type and direction that follow each other in a filter's rows.

    Attributes:
        first: place of its first event among the rows that were found.
        n: that event's row in the log.
        count: events.
        audio_ms: of all of them; NaN where none has audio.
        failures: how many of them failed.
    """

    __slots__ = ("audio_ms", "count", "failures", "first", "n")

    def __init__(self, first: int, n: int) -> None:
        self.first = first
        self.n = n
        self.count = 0
        self.audio_ms = math.nan
        self.failures = 0

    def add(self, audio_ms: float, *, failed: bool) -> None:
        """One more event."""
        self.count += 1
        self.failures += failed
        if not math.isnan(audio_ms):
            self.audio_ms = audio_ms + (0.0 if math.isnan(self.audio_ms) else self.audio_ms)


class FilteredEvents:
    """The rows of a log that pass a filter, folded.

    Nothing but the last run ever changes: the log only grows.

    Attributes:
        found: row numbers, ascending.
        runs: of these, in order.
        searched: how many rows of the log were looked at.
    """

    def __init__(self, index: EventIndex, wanted: EventFilter) -> None:
        self.found = array("L")
        self.runs: list[Run] = []
        self.searched = 0
        self._index = index
        self._wanted = wanted
        words = wanted.text.casefold().split()
        self._type_words = [w.removeprefix(_OF_TYPE) for w in words if w.startswith(_OF_TYPE)]
        self._words = [w for w in words if not w.startswith(_OF_TYPE)]
        # Types are few, and each is looked at once.
        self._types: dict[str, bool] = {}

    def catch_up(self, until_s: float) -> None:
        """Look at what the index knows by now, until then on the monotonic clock or a little longer."""
        for n in range(begin := self.searched, len(self._index)):
            if n > begin and n % _STRIDE == 0 and time.monotonic() > until_s:
                return
            row = self._index.log.rows[n]
            if self._passes(n, row):
                self._add(n, row)
            self.searched = n + 1

    def run_of(self, n: int) -> int | None:
        """Which run this row of the log is in; None where it did not pass."""
        place = bisect_right(self.found, n) - 1
        if place < 0 or self.found[place] != n:
            return None
        return bisect_right(self.runs, place, key=lambda run: run.first) - 1

    def _add(self, n: int, row: Row) -> None:
        before = self._index.log.rows[self.found[-1]] if self.found else None
        if before is None or before.type != row.type or before.direction != row.direction:
            self.runs.append(Run(len(self.found), n))
        self.found.append(n)
        self.runs[-1].add(self._index.audio_ms[n], failed=bool(self._index.failed[n]))

    def _passes(self, n: int, row: Row) -> bool:
        if row.direction not in self._wanted.directions or (
            self._wanted.errors and not self._index.failed[n]
        ):
            return False
        known = self._types.get(row.type)
        if known is None:
            name = row.type.casefold()
            known = self._types[row.type] = all(word in name for word in self._type_words)
        return known and (not self._words or self._has_words(n, row))

    def _has_words(self, n: int, row: Row) -> bool:
        ids = (row.event_id, row.response_id, row.item_id, row.call_id)
        there = "\n".join([row.type, *filter(None, ids)]).casefold()
        missing = [word for word in self._words if word not in there]
        if not missing or row.has_audio:
            return not missing
        if row.type:
            texts: list[str] = []
            _collect(self._index.log.fields(n), texts)
            there = "\n".join(texts).casefold()
        else:
            there = row.skeleton.decode("utf-8", "replace").casefold()
        return all(word in there for word in missing)


def _collect(value: Any, texts: list[str]) -> None:  # noqa: ANN401 - any part of an event
    """Every text in an event, but for sound."""
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, texts)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name != "audio" or not isinstance(inner, str):
                _collect(inner, texts)
