"""Writes a session's log to disk while it goes on: when to write, and what to do where that fails.

A row waits for a quarter of a second at the most until it is handed to the writer thread, together with those
that came meanwhile. That holds until the process ends: what is added to a log after its talk, a label for
instance, is written too. How it is written is `journal.disk_log`'s.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import weakref
from typing import TYPE_CHECKING

import gip_nb
from gip_nb.errors import LogStopped
from gip_nb.journal.disk_log import DiskLog
from gip_nb.session.loop import InterpreterEnds, loop, on_writer, start_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gip_nb.journal.log import EventLog, Row
    from gip_nb.session.settings import Settings

__all__ = ["LogWriter", "open_log"]

_logger = logging.getLogger(__name__)
# With the time that writing takes it stays under a quarter of a second.
WRITE_AFTER_S = 0.2
# A disk that was full may have room again; nobody has to press anything for that.
TRY_AGAIN_AFTER_S = 5.0

# Those that may have rows left when the interpreter ends.
_writers: weakref.WeakSet[LogWriter] = weakref.WeakSet()


class LogWriter:
    """One session's. On the loop.

    Args:
        log: whose rows are written, from its first on.
        disk: where to.
        told: gets what stopped it, or None when it goes on again.
    """

    def __init__(self, log: EventLog, disk: DiskLog, told: Callable[[LogStopped | None], object]) -> None:
        self._log = log
        self._disk = disk
        self._told = told
        self._timer: asyncio.TimerHandle | None = None
        self._writing = asyncio.Lock()
        self._failed = False
        self._over = False
        self._last_row: Row | None = None
        log.on_row = self._on_row
        _writers.add(self)
        self._on_row()

    @property
    def folder(self) -> Path:
        """The session's own folder."""
        return self._disk.folder

    @property
    def stopped(self) -> bool:
        """Whether nothing is written now: the limit is reached, or the disk does not take it."""
        return self._failed or self._over

    def _on_row(self) -> None:
        if self._timer is None and not self._over:
            after_s = TRY_AGAIN_AFTER_S if self._failed else WRITE_AFTER_S
            self._timer = loop().call_later(after_s, self.write_soon)

    def write_soon(self) -> None:
        """Write what there is, and do not wait for it. On the loop."""
        start_task(self.write())

    async def write(self) -> None:
        """Write what there is, and return when the operating system has it or has refused it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._writing:
            if self._over:
                return
            try:
                await on_writer(self._append)
                if self._disk.full:
                    await self._end()
            except InterpreterEnds:
                # `write_the_rest` does it then.
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the talk goes on and the user is told
                self._on_failure(error)
            else:
                self._on_success()

    def _append(self) -> None:
        """On the writer thread."""
        self._disk.append(self._log.rows[self._disk.rows :])

    async def _end(self) -> None:
        """The limit is reached: the file's last line says so, and so do we."""
        limit_bytes = self._disk.limit_bytes
        if self._last_row is None:
            self._last_row, _ = self._log.local("log.full", limit_bytes=limit_bytes)
        await on_writer(self._disk.end, self._last_row)
        self._over = True
        self._told(
            LogStopped(
                f"the log in {str(self.folder)!r} has reached its limit of {limit_bytes:,} bytes",
                "session.save() keeps all of the talk; a larger log_limit_bytes lets the next one go on.",
            )
        )

    def _on_failure(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            # A row too: it is written with the others, should that be possible again.
            self._log.local("log.failed", message=why)
            self._told(
                LogStopped(
                    f"the log in {str(self.folder)!r} cannot be written: {why}",
                    "make room there, or let this kernel write to it: it is tried again every few seconds, "
                    "and nothing is lost while the kernel runs. session.save() keeps the talk elsewhere.",
                )
            )
            _logger.warning("the log in %s cannot be written: %s", self.folder, why)

    def _on_success(self) -> None:
        if self._failed:
            self._failed = False
            self._told(None)

    def write_the_rest(self) -> None:
        """At the interpreter's end, when no other thread writes any more."""
        if not self._over:
            with contextlib.suppress(OSError):
                self._append()


async def open_log(
    settings: Callable[[], Settings], log: EventLog, told: Callable[[LogStopped | None], object]
) -> LogWriter | None:
    """Begin to write a session's log, where that is asked for. On the loop.

    Args:
        settings: the session's as they are; the key of a rehearsal is known only when it is connected.
        log: the session's.
        told: as in `LogWriter`.

    Raises:
        BadSetting: nothing can be written there.
    """
    now = settings()
    if now.log is None:
        return None
    disk = await on_writer(
        DiskLog.create,
        now.log,
        version=gip_nb.__version__,
        started_unix_ns=log.started_unix_ns,
        model=now.model,
        limit_bytes=now.log_limit_bytes,
        scrub=lambda frame: settings().scrub(frame),
    )
    return LogWriter(log, disk, told)


def _write_the_rest() -> None:
    for writer in tuple(_writers):
        writer.write_the_rest()


atexit.register(_write_the_rest)
