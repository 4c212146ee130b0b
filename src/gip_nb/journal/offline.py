"""A log played again without a server: row by row through the client's rules, from the log alone. Pure.

What passed is given to a fresh `ClientProtocol` as it came, with the time at which it came. So a talk that
went wrong somewhere else goes wrong here too, at the same event, in a test. What the rules ask for on the way
is in each `Step`: nobody performs it, since what was sent is in the log.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from gip_nb.journal.log import EventLog
from gip_nb.protocol.client import ClientProtocol
from gip_nb.protocol.frames import Frame, read_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gip_nb.journal.log import Row
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Output

__all__ = ["OfflineReplay", "Step"]

_PLAYED = ("local.page.delivered", "local.playback.")


class Step(NamedTuple):
    """One row, played again.

    Attributes:
        n: its number.
        row: the new log's.
        event: what the rules were given, canonical.
        outputs: what they asked for.
    """

    n: int
    row: Row
    event: Event
    outputs: tuple[Output, ...]


class OfflineReplay:
    """A log being played again.

    Args:
        log: what happened. Only the rows that it has now are played.

    Attributes:
        log: the new log: as far as it was played, equal to the old one.
        protocol: the client's rules, where they are now.
    """

    def __init__(self, log: EventLog) -> None:
        self._rows = log.rows[:]
        self.log = EventLog.restored(log.started_unix_ns)
        numbers = count(1)
        self.protocol = ClientProtocol(
            lambda prefix: f"{prefix}_replay{next(numbers)}",
            player=any(row.type.startswith(_PLAYED) for row in self._rows),
        )

    def __len__(self) -> int:
        """How many rows there are to play."""
        return len(self._rows)

    def due_s(self, n: int) -> float:
        """When row `n` is due, in seconds from the first row."""
        return (self._rows[n].elapsed_ns - self._rows[0].elapsed_ns) / 1e9

    def steps(self) -> Iterator[Step]:
        """Play the rows, one a step."""
        for n, old in enumerate(self._rows):
            read = read_frame(old.skeleton)
            row = self.log.restore(
                old.elapsed_ns, old.direction, Frame(old.skeleton, old.cut, old.audio, read.fields)
            )
            event = self.log.event(n)
            if read.problem is None:
                self._give(event, row)
            yield Step(n, row, event, tuple(self.protocol.take()))

    def _give(self, event: Event, row: Row) -> None:
        at_s = row.elapsed_ns / 1e9
        if row.direction == "received":
            self.protocol.receive(event, at_s)
        elif event.type == "local.playback.flushed":
            self.protocol.flushed([event])
        elif event.type.startswith("local.playback."):
            self.protocol.playback(event)
        else:
            self.protocol.observe(event, row.direction, at_s)
            if event.type == "local.connection.closed":
                self.protocol.connection_lost()
