"""Keeps the record of a talk in the notebook: an output of its own beside the widget's, refreshed in place.

The widget's own output is left alone: to replace it would make its view anew. While the widget lives in a
page, the page hides the record by its class; what a saved notebook shows without a kernel is the record.

An output is found by its id only in pages that were there when it came. After a reload the record in the
page stays as it was, until a cell shows the talk once more.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import uuid
import weakref
from typing import TYPE_CHECKING, Any

from gip_nb.notebook.displays import publish
from gip_nb.notebook.record import record_html, record_text
from gip_nb.session.loop import in_thread, loop, run_blocking, start_task

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from gip_nb.notebook.displays import Bundle
    from gip_nb.notebook.record import Talked

__all__ = ["SavedRecord"]

_log = logging.getLogger(__name__)
# What changes together is written together.
_GATHER_S = 0.3
_LEAST_INTERVAL_S = 1.0
# A long record is written seldom: on the way to the page it stands before the sound.
_CHARS_PER_S = 20_000


class SavedRecord:
    """The record of one talk, once it is shown.

    Args:
        sessions: the sessions as they are now; called on the loop.
        settle: waits until they are whole, at the end of a cell.
    """

    def __init__(
        self, sessions: Callable[[], Sequence[Talked]], settle: Callable[[], object] = lambda: None
    ) -> None:
        self.own_class = f"gip-record-{uuid.uuid4().hex[:12]}"
        self._sessions = sessions
        self.settle = settle
        self._shell: Any = None
        # One writes at a time, the newest state last.
        self._lock = threading.Lock()
        self._changed = False
        self._timer: asyncio.TimerHandle | None = None
        self._not_before_s = 0.0
        self._unhook: Callable[[], None] | None = None

    def show(self, shell: Any) -> None:  # noqa: ANN401 - IPython has no types
        """Put it into the cell that runs. In each cell that shows the talk it is the same one."""
        with self._lock:
            publish(shell, self._bundle(), display_id=self.own_class)
        if self._shell is None:
            self._shell = shell
            self._unhook = _at_the_end_of_cells(shell, self)

    def changed(self, *, ended: bool = False) -> None:
        """Write it soon: a turn is finished, or the talk has ended. On the loop."""
        self._changed = True
        if self._shell is None:
            return
        if ended and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            wait_s = 0.0 if ended else self._not_before_s - loop().time()
            self._timer = loop().call_later(max(_GATHER_S, wait_s), self._write_soon)

    def close(self) -> None:
        """The talk is gone; what was written stays. Any thread may call."""
        if self._unhook is not None:
            self._unhook()
            self._unhook = None

    def _write_soon(self) -> None:
        self._timer = None
        # In no context: that of a task is the cell's that began the talk, which may have ended long ago.
        start_task(in_thread(contextvars.Context().run, self.write))

    def write(self) -> None:
        """Write it now, where something has changed. On any thread but the loop's."""
        with self._lock:
            if not self._changed or self._shell is None:
                return
            bundle = self._bundle()
            try:
                publish(self._shell, bundle, display_id=self.own_class, update=True)
            except Exception:  # noqa: BLE001 - a page or kernel that is on its way out must not end the talk
                _log.exception("the record could not be written")
            interval_s = max(_LEAST_INTERVAL_S, len(bundle["text/html"]) / _CHARS_PER_S)
            self._not_before_s = loop().time() + interval_s

    def _bundle(self) -> Bundle:
        async def look() -> Sequence[Talked]:
            # What changes from here on is to be written again.
            self._changed = False
            return self._sessions()

        sessions = run_blocking(look())
        return {"text/html": record_html(sessions, self.own_class), "text/plain": record_text(sessions)}


def _at_the_end_of_cells(shell: Any, record: SavedRecord) -> Callable[[], None]:  # noqa: ANN401 - IPython has no types
    """Let it be written before a cell ends: who runs a notebook without a page listens no longer than that.

    Returns:
        Undoes it.
    """
    known = weakref.ref(record)

    def write(*_: object) -> None:
        found = known()
        if found is not None:
            found.settle()
            found.write()

    shell.events.register("post_run_cell", write)
    return lambda: shell.events.unregister("post_run_cell", write)
