"""One session's log on disk, where that was asked for: opened with it, shown, written. On the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.session.log_writer import open_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gip_nb.errors import LogStopped
    from gip_nb.journal.log import EventLog
    from gip_nb.session.listener import Listener
    from gip_nb.session.log_writer import LogWriter
    from gip_nb.session.settings import Settings

__all__ = ["LogOnDisk"]


class LogOnDisk:
    """Nothing, where it was not asked for.

    Args:
        log: whose rows are written.
        settings: the session's as they are.
        listener: who shows the talk, and that it is written.
    """

    def __init__(self, log: EventLog, settings: Callable[[], Settings], listener: Listener | None) -> None:
        self._log = log
        self._settings = settings
        self._listener = listener
        self._writer: LogWriter | None = None

    @property
    def folder(self) -> Path | None:
        """Where it is written; None where it is not, or not yet."""
        return None if self._writer is None else self._writer.folder

    async def open(self) -> None:
        """Begin.

        Raises:
            BadSetting: nothing can be written there.
        """
        try:
            self._writer = await open_log(self._settings, self._log, self._changed)
        finally:
            if self._listener is not None and self._settings().log is not None:
                self._listener.log_changed(self.folder, stopped=False)

    async def write(self) -> None:
        """At the end, whatever ended it: what was logged is on disk when the verb returns."""
        if self._writer is not None:
            await self._writer.write()

    def write_soon(self) -> None:
        """Write what there is, and do not wait for it."""
        if self._writer is not None:
            self._writer.write_soon()

    def _changed(self, trouble: LogStopped | None) -> None:
        """It is not written any more, or is again: the talk goes on."""
        if self._listener is not None and self._writer is not None:
            self._listener.log_changed(self._writer.folder, stopped=trouble is not None)
            if trouble is not None:
                self._listener.failed(trouble)
