"""The model's calls of one session: each is run beside the loop, and answered. On the loop only."""

from __future__ import annotations

import contextlib
import contextvars
from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.session.loop import in_thread
from gip_nb.tools import Called

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from gip_nb.session.listener import Listener
    from gip_nb.tools import Tools

__all__ = ["Calls"]


class Note(Protocol):
    """Logs a local row."""

    def __call__(self, kind: str, **fields: Any) -> None:
        """Write the row `local.<kind>`."""


class Calls:
    """Runs the functions that the model calls.

    Args:
        tools: what answers the calls; None: nothing does.
        note: logs a local row.
        answer: sends an output to the model, by its call's id; what is too late is dropped there.
        start: runs a coroutine on the loop.
        listener: who shows the talk.

    Attributes:
        tools: may be changed at any moment, for the calls from then on.
    """

    def __init__(
        self,
        tools: Tools | None,
        *,
        note: Note,
        answer: Callable[[str, str], object],
        start: Callable[[Coroutine[Any, Any, Any]], object],
        listener: Listener | None,
    ) -> None:
        self.tools = tools
        self._note = note
        self._answer = answer
        self._start = start
        self._listener = listener

    def begin(self, call_id: str, name: str, arguments: str) -> None:
        """The model calls a function."""
        self._start(self._call(call_id, name, arguments))

    async def _call(self, call_id: str, name: str, arguments: str) -> None:
        self._note("tool.started", call_id=call_id, name=name)
        if self.tools is None:
            called = Called(f"error: this client has no tool named {name!r}")
        else:
            # In no context: this task's is that of the cell that connected. What a tool prints or displays is
            # for the cell that runs now.
            run = contextvars.Context().run
            called = await in_thread(run, self._run, self.tools, call_id, name, arguments)
        self._note("tool.finished", call_id=call_id, name=name)
        self._answer(call_id, called.text)
        if self._listener is not None:
            # Last: the model does not wait for a picture to be drawn.
            self._listener.tool_result(call_id, name, called.value)

    def _run(self, tools: Tools, call_id: str, name: str, arguments: str) -> Called:
        """On a worker thread."""
        listener = self._listener
        runs = contextlib.nullcontext() if listener is None else listener.tool_runs(call_id, name)
        with runs:
            return tools.run(name, arguments)
