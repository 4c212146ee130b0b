"""The events tab's pages: a few rows of a log, filtered and folded, as the page asks for them."""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypedDict

from gip_nb.errors import NothingToDo
from gip_nb.notebook.event_index import DIRECTIONS, EventFilter, EventIndex, FilteredEvents, Run
from gip_nb.notebook.event_json import note_of, readable_json
from gip_nb.protocol.conversation import Direction

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.journal.log import EventLog

__all__ = ["EventDetail", "EventPage", "EventPages", "EventRow"]

# Longer looks at a log are made in slices: the page asks again.
SLICE_S = 0.1
_MOST_ROWS = 500
_MOST_UNFOLDED = 1000
_MOST_TEXT = 500
# Filters whose rows are kept: two pages may look at the same talk.
_MOST_FILTERS = 4


class EventRow(TypedDict):
    """One row of the list: an event, or a run of them.

    Attributes:
        n: its row in the log; of a run, that of its first event.
        elapsed_ms: since the log began.
        count: of the run; 1: it is an event by itself.
        audio_ms: of all its events; None: none has any.
        failures: how many of its events tell of a failure.
        note: what an event by itself is about.
        unfolded: its events follow, each in a row.
        inside: of one of those, its run's `n`; else None.
    """

    n: int
    type: str
    direction: Direction
    elapsed_ms: float
    count: int
    audio_ms: float | None
    failures: int
    note: str | None
    unfolded: bool
    inside: int | None


class EventPage(TypedDict):
    """Some rows, and what there is.

    Attributes:
        log: whose rows these are: a new session has a new log.
        opened_ms: when the first connection was there, since the log began; None before.
        events: rows of the log.
        searched: of these, how many were looked at. The rest comes with the next page that is asked for.
        matched: how many events passed the filter.
        counts: how many rows of the log go each way.
        failures: how many tell of a failure.
        total: rows of the list.
        settled: rows of the list that cannot change any more, however the log grows.
        first: the place of `rows` in the list.
        around: the place of the event that was asked for; None where it is not in the list.
    """

    log: str
    opened_ms: float | None
    events: int
    searched: int
    matched: int
    counts: dict[Direction, int]
    failures: int
    total: int
    settled: int
    first: int
    around: int | None
    rows: list[EventRow]


class EventDetail(TypedDict):
    """One event, whole: `json` is text to read, its audio said in milliseconds."""

    log: str
    n: int
    type: str
    direction: Direction
    elapsed_ms: float
    wire_bytes: int
    json: str


class EventPages:
    """Pages of the newest log that it is asked about. Any thread may call.

    Args:
        log: of the running session.
        slice_s: how long one call may look at rows that it has not seen.
    """

    def __init__(self, log: Callable[[], EventLog], slice_s: float = SLICE_S) -> None:
        self._log = log
        self._slice_s = slice_s
        self._lock = threading.Lock()
        self._index: EventIndex | None = None
        self._filtered: dict[EventFilter, FilteredEvents] = {}

    def page(self, asked: dict[str, Any]) -> EventPage:
        """A page of the list.

        Args:
            asked: `filter` (`text`, `directions`, `errors`), `unfolded` (the `n` of runs), `first` (None: as
                many as end the list), `count`, `around` (the `n` of an event whose place is wanted).
        """
        first, count, around = asked.get("first"), asked.get("count"), asked.get("around")
        with self._lock:
            index = self._known()
            # What comes meanwhile is the next page's.
            events = len(index.log)
            until_s = time.monotonic() + self._slice_s
            index.catch_up(until_s)
            found = self._with(_filter_of(asked.get("filter")))
            found.catch_up(until_s)
            layout = _Layout(found, asked.get("unfolded"))
            count = min(max(count, 0), _MOST_ROWS) if isinstance(count, int) else 0
            first = first if isinstance(first, int) else layout.total - count
            first = min(max(first, 0), layout.total)
            places = range(first, min(first + count, layout.total))
            return {
                "log": _name_of(index.log),
                "opened_ms": index.opened_ms,
                "events": max(events, found.searched),
                "searched": found.searched,
                "matched": len(found.found),
                "counts": dict(index.counts),
                "failures": index.failures,
                "total": layout.total,
                "settled": layout.settled,
                "first": first,
                "around": layout.place_of(around) if isinstance(around, int) else None,
                "rows": [_row(index, found, *layout.at(place)) for place in places],
            }

    def event(self, asked: dict[str, Any]) -> EventDetail:
        """One event: `n`.

        Raises:
            NothingToDo: there is no such row.
        """
        n = asked.get("n")
        with self._lock:
            index = self._known()
            if not isinstance(n, int) or not 0 <= n < len(index.log):
                raise NothingToDo(f"there is no event {n!r} in this session", "choose one of the list.")
            # A page asks for what it shows, so this is seldom any work.
            index.catch_up(math.inf)
            row = index.log.rows[n]
            return {
                "log": _name_of(index.log),
                "n": n,
                "type": row.type,
                "direction": row.direction,
                "elapsed_ms": row.elapsed_ns / 1e6,
                "wire_bytes": row.wire_bytes,
                "json": readable_json(index.log, n, index.sound_ms(n), index.input_format),
            }

    def _known(self) -> EventIndex:
        log = self._log()
        if self._index is None or self._index.log is not log:
            self._index = EventIndex(log)
            self._filtered.clear()
        return self._index

    def _with(self, wanted: EventFilter) -> FilteredEvents:
        found = self._filtered.pop(wanted, None) or FilteredEvents(self._known(), wanted)
        # The newest is the last.
        self._filtered[wanted] = found
        if len(self._filtered) > _MOST_FILTERS:
            del self._filtered[next(iter(self._filtered))]
        return found


class _Layout:
    """Where each row of the list comes from: runs in order, after an unfolded one its events."""

    def __init__(self, found: FilteredEvents, unfolded: object) -> None:
        self._found = found
        given = unfolded[:_MOST_UNFOLDED] if isinstance(unfolded, list) else []
        asked = {n for n in given if isinstance(n, int) and 0 <= n < found.searched}
        runs = {found.run_of(n) for n in asked}
        self._open = sorted(r for r in runs if r is not None and found.runs[r].n in asked)
        self._open = [r for r in self._open if found.runs[r].count > 1]
        counts = [found.runs[r].count for r in self._open]
        before = [0, *accumulate(counts)]
        # The place of each unfolded run's own row.
        self._heads = [run + more for run, more in zip(self._open, before, strict=False)]
        self.total = len(found.runs) + before[-1]
        last = len(found.runs) - 1
        open_last = bool(self._open) and self._open[-1] == last
        self.settled = self._heads[-1] if open_last else max(0, self.total - 1)

    def at(self, place: int) -> tuple[Run, int | None, bool]:
        """The run at a place of the list, which of its events (None: the run itself), whether unfolded."""
        runs = self._found.runs
        k = bisect_left(self._heads, place)
        if k < len(self._heads) and self._heads[k] == place:
            return runs[self._open[k]], None, True
        if k == 0:
            return runs[place], None, False
        run, after = self._open[k - 1], place - self._heads[k - 1]
        if after <= runs[run].count:
            return runs[run], after - 1, False
        return runs[run + after - runs[run].count], None, False

    def place_of(self, n: int) -> int | None:
        """Where an event stands, or the run that it is folded in."""
        run = self._found.run_of(n)
        if run is None:
            return None
        k = bisect_left(self._open, run)
        if k < len(self._open) and self._open[k] == run:
            first = self._found.runs[run].first
            return self._heads[k] + 1 + bisect_left(self._found.found, n) - first
        return run + sum(self._found.runs[r].count for r in self._open[:k])


def _row(index: EventIndex, found: FilteredEvents, run: Run, inside: int | None, unfolded: bool) -> EventRow:  # noqa: FBT001 - what `_Layout.at` gives
    n = run.n if inside is None else found.found[run.first + inside]
    row = index.log.rows[n]
    alone = inside is not None or run.count == 1
    ms = index.sound_ms(n) if alone else _or_none(run.audio_ms)
    return {
        "n": n,
        "type": row.type,
        "direction": row.direction,
        "elapsed_ms": row.elapsed_ns / 1e6,
        "count": 1 if alone else run.count,
        "audio_ms": ms,
        "failures": index.failed[n] if alone else run.failures,
        "note": note_of(index.log.event(n)) if alone and not row.has_audio else None,
        "unfolded": unfolded,
        "inside": None if inside is None else run.n,
    }


def _or_none(ms: float) -> float | None:
    return None if math.isnan(ms) else ms


def _name_of(log: EventLog) -> str:
    # As text: JavaScript has no whole numbers of this size.
    return str(log.started_unix_ns)


def _filter_of(asked: object) -> EventFilter:
    wanted = asked if isinstance(asked, dict) else {}
    directions = wanted.get("directions")
    chosen = directions if isinstance(directions, list) else DIRECTIONS
    return EventFilter(
        # Words in another order, or with more room between them, are another filter only by its name.
        " ".join(str(wanted.get("text", ""))[:_MOST_TEXT].split()),
        frozenset(d for d in DIRECTIONS if d in chosen),
        wanted.get("errors") is True,
    )
