"""What stands beside the widget in its cell: what the tools show, and the record for a saved notebook."""

from __future__ import annotations

import contextlib
import contextvars
from typing import TYPE_CHECKING, Any

from gip_nb.notebook.displays import front_end, publish
from gip_nb.notebook.record import Facts, talked
from gip_nb.notebook.saved_record import SavedRecord
from gip_nb.notebook.shown_results import ShownResults
from gip_nb.protocol.cost import total_cost
from gip_nb.session.loop import in_thread, loop, start_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from gip_nb.notebook.record import Talked
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["Beside"]


class Beside:
    """The other outputs of a talk's cell. In a terminal or a script there are none.

    Args:
        sessions: of the talk, in order; called on the loop.
        tools: whether the talk has any.
        record: whether the conversation is kept in the notebook.
    """

    def __init__(
        self, sessions: Callable[[], Sequence[AsyncRealtimeSession]], *, tools: bool, record: bool
    ) -> None:
        self._sessions = sessions
        self._results = ShownResults(self._result_came) if tools else None
        settle = self._results.settle if self._results is not None else lambda: None
        self._record = SavedRecord(self._talked, settle) if record else None

    @property
    def record_class(self) -> str:
        """By which the page finds the record, to hide it; empty where there is none."""
        return "" if self._record is None else self._record.own_class

    def display(self, widget: Mapping[str, Any] | tuple[Mapping[str, Any], object] | None) -> None:
        """Show the widget and what stands beside it, as outputs of the cell that runs.

        Args:
            widget: its output by MIME type, alone or with metadata; None where it was closed.

        Raises:
            NotImplementedError: nobody shows outputs here, or there is nothing beside it: IPython then does
                what it does with any value.
        """
        shell = front_end()
        if shell is None or widget is None or (self._results is None and self._record is None):
            raise NotImplementedError
        publish(shell, widget[0] if isinstance(widget, tuple) else widget)
        if self._results is not None:
            box = self._results.box._repr_mimebundle_()
            # Its own text would say nothing to who cannot show it.
            publish(shell, {**box, "text/plain": ""})
        if self._record is not None:
            self._record.show(shell)

    # ---- what the session says -----------------------------------------------------------------------------

    def changed(self, *, ended: bool = False) -> None:
        """There is something to keep. On the loop."""
        if self._record is not None:
            self._record.changed(ended=ended)

    def tool_runs(self, call_id: str, name: str) -> AbstractContextManager[None]:
        """What a tool displays while it runs is shown here. On the tool's thread."""
        return contextlib.nullcontext() if self._results is None else self._results.capture(call_id, name)

    def tool_result(self, call_id: str, name: str, value: object) -> None:
        """Show what a tool has returned. On the loop."""
        if self._results is not None:
            self._results.expect()
            start_task(
                in_thread(contextvars.Context().run, self._results.show, call_id, name, value),
            )

    def close(self) -> None:
        """The widget goes, and what the tools showed; the record stays. Any thread may call."""
        if self._results is not None:
            self._results.close()
        if self._record is not None:
            self._record.close()

    # ---- inside --------------------------------------------------------------------------------------------

    def _result_came(self) -> None:
        loop().call_soon_threadsafe(self.changed)

    def _talked(self) -> list[Talked]:
        shown = {} if self._results is None else self._results.static
        return [talked(session.protocol.conversation, _facts(session), shown) for session in self._sessions()]


def _facts(session: AsyncRealtimeSession) -> Facts:
    log = session.log
    cost = total_cost(session.protocol.conversation)
    opened = next((row.elapsed_ns for row in log.rows if row.type == "local.connection.opened"), None)
    return Facts(
        model=session.settings.model,
        rehearsal=session.settings.rehearsal,
        started_unix_s=None if opened is None else (log.started_unix_ns + opened) / 1e9,
        duration_s=None if opened is None else (log.rows[-1].elapsed_ns - opened) / 1e9,
        cost_usd=cost.usd,
        cost_is_upper_bound=cost.is_upper_bound,
    )
