"""One talk over several connections: what is read from one that is gone, and given to the one that follows.

The rules are protocol/resumption.py's; here are the rows, the log's audio and the order of things.
On the loop only.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from gip_nb.journal.untaken import untaken_sounds
from gip_nb.protocol import resumption
from gip_nb.protocol.history import without_words
from gip_nb.protocol.items import SAMPLES_PER_MS
from gip_nb.protocol.kept_input import KeptInput
from gip_nb.session.loop import in_thread
from gip_nb.session.opening import greeted, open_line
from gip_nb.session.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.errors import GipError
    from gip_nb.journal.log import EventLog
    from gip_nb.journal.tables import Tables
    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.protocol.kept_input import Sound
    from gip_nb.protocol.requests import Request
    from gip_nb.session.line import Line
    from gip_nb.session.settings import Settings
    from gip_nb.session.spare import Spare
    from gip_nb.session.transport import TransportClosed

__all__ = ["Resuming"]

_BYTES_PER_S = 48_000
_log = logging.getLogger(__name__)


class Resuming:
    """What one session takes along from connection to connection.

    Args:
        log: the session's; all connections write into the one.
        tables: of the log.
        protocol: the session's; there is one, too.
        line: on which the connections follow each other.
        note: writes a local row, and lets the protocol see it.
        why: the error for the end of a connection.

    Attributes:
        opening: who waits for the greeting of a new server; nobody else's waiting ends with its failure.
    """

    def __init__(
        self,
        log: EventLog,
        tables: Tables,
        protocol: ClientProtocol,
        line: Line,
        *,
        note: Callable[..., None],
        why: Callable[[TransportClosed], GipError],
    ) -> None:
        self._log = log
        self._tables = tables
        self._protocol = protocol
        self._line = line
        self._note = note
        self._why = why
        self._dialect: Dialect = log.dialect
        self._kept = KeptInput(0)
        self._sounds: dict[str, bytes] = {}
        self._kept_audio_s = 0.0
        self._reason = ""
        self.opening = Waits(lambda _error: None)

    def suspend(self, error: GipError, *, code: int | None, reason: str, kept_audio_s: float) -> None:
        """The line is gone, and nobody reads from it any more: keep what is needed to go on.

        Args:
            error: why.
            code: of the close; None where this side gave the connection up.
            reason: for the rows: `lost` or `rollover`.
            kept_audio_s: as much of what is said and not taken is kept.
        """
        protocol = self._protocol
        # Refused attempts are rows too, and name the dialect that they were made in.
        self._dialect = self._log.dialect
        unsent = self._line.unsent()
        deleted = resumption.deleted_on_the_way(protocol)
        most_s = math.inf if resumption.are_committed(unsent) else kept_audio_s
        sounds = untaken_sounds(self._log, protocol.conversation, most_s)
        self._kept, self._kept_audio_s, self._reason = KeptInput(kept_audio_s), kept_audio_s, reason
        resumption.keep_untaken(protocol, self._kept, sounds, unsent)
        resumption.suspend(protocol, self._kept)
        self._note(
            "connection.lost",
            reason=reason,
            code=code,
            message=error.message,
            deleted_item_ids=deleted,
            kept_ms=self._kept.tail_samples // SAMPLES_PER_MS,
        )

    async def open_again(self, settings: Settings, check: Callable[[], None], spare: Spare | None) -> None:
        """Connect, in the dialect that was spoken; in the other one where `settings` allow it and it must be.

        Args:
            settings: where to, with what.
            check: raises where the connection is not wanted any more.
            spare: a connection that is there already.

        Raises:
            GipError: why there is none.
        """
        # Before there is a connection: while this is read nothing else is to happen.
        self._sounds = await in_thread(self._sounds_without_words, self._kept_audio_s)
        try:
            opened = await spare.take() if spare is not None else None
            if opened is not None:
                self._line.take_over(opened)
                await greeted(self.opening)
            else:
                await open_line(self._line, self.opening, settings, check, self._dialect)
            self._must_be_open()
            check()
        except BaseException:
            await self._line.close()
            if spare is not None:
                await spare.close()
            raise

    def _must_be_open(self) -> None:
        """It may have ended right after its greeting, when nobody waited for anything."""
        if self._line.ended is not None:
            raise self._why(self._line.ended)

    def _sounds_without_words(self, limit_s: float) -> dict[str, bytes]:
        """What the user said and nobody wrote down, the newest first, as long as it is no more than this."""
        found: dict[str, bytes] = {}
        left = limit_s * _BYTES_PER_S
        for item_id in reversed(without_words(self._protocol.conversation)):
            sound = self._tables.sound(item_id)
            left -= len(sound)
            if left < 0:
                break
            if sound:
                found[item_id] = sound
        return found

    def restore(self, append: Callable[[Sound], None], *, attempt: int, gap_s: float) -> Request:
        """Give the new connection what it needs; then what waits goes on.

        Args:
            append: sends a piece of the input.
            attempt: which one has succeeded.
            gap_s: how long there was no connection.

        Returns:
            The update that asks for the session's settings.
        """
        resumed = resumption.resume(self._protocol, self._sounds)
        self._note("history", item_ids=[item.source_id for item in resumed.items], source="reconnect")
        lost_ms = self._kept.lost_samples // SAMPLES_PER_MS
        self._note(
            "connection.restored",
            reason=self._reason,
            attempt=attempt,
            gap_s=round(gap_s, 3),
            items=len(resumed.items),
            untranscribed_item_ids=list(resumed.untranscribed),
            left_out_item_ids=list(resumed.left_out),
            again_event_ids=list(resumed.again_event_ids),
            resent_samples=self._kept.resent_samples,
        )
        if lost_ms:
            self._note("mic.gap", lost_ms=lost_ms, reason="reconnect")
        missing = len(resumed.untranscribed) + len(resumed.left_out)
        if missing:
            _log.info(
                "the new connection was not given %d of the conversation's items, or not their words; "
                "the row local.connection.restored names them",
                missing,
            )
        resumption.restore(self._protocol, resumed, append)
        self._kept = KeptInput(0)
        return resumed.update

    def give_up(self) -> None:
        """No connection follows: what was said and kept for one is lost, and a row says how much."""
        kept, self._kept = self._kept, KeptInput(0)
        lost_ms = (kept.lost_samples + kept.said_samples) // SAMPLES_PER_MS
        if lost_ms:
            self._note("mic.gap", lost_ms=lost_ms, reason="ended")
