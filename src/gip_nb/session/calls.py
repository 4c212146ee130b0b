"""The model's calls of one session: each is allowed, run, and answered once. On the loop only."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.errors import ToolTrouble
from gip_nb.session.approvals import Approvals
from gip_nb.session.call_places import TOO_MANY, CallPlaces, Run
from gip_nb.session.loop import TooManyThreads, in_thread, in_tool_thread, loop
from gip_nb.session.main_thread import main_thread
from gip_nb.session.raised import cause_of
from gip_nb.session.slow_calls import SlowWord, Speaks
from gip_nb.tools import Call, Called

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from gip_nb.errors import BadSetting, GipError
    from gip_nb.session.approvals import Answer, Denied
    from gip_nb.session.listener import Listener
    from gip_nb.tools import Tools

__all__ = ["Calls", "Host"]

_log = logging.getLogger(__name__)
_LATE_CHARS = 2000
_INTERRUPTED = "error: the user interrupted, and this call was cancelled"
_ENDED = "error: the talk ended before this was called"


class Host(Speaks, Protocol):
    """What a session lets its calls do."""

    def note(self, kind: str, **fields: Any) -> None:
        """Log a local row."""

    def answer_call(self, call_id: str, output: str, *, follow_up: bool) -> None:
        """Send an output to the model; what is too late is dropped."""

    def tell_tools(self, schemas: list[dict[str, Any]]) -> None:
        """Let the server know of other tools; while it reconnects, the one that comes next."""

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> object:
        """Run a coroutine on the loop."""


class Calls:
    """Runs the functions that the model calls.

    Args:
        tools: what answers the calls; None: nothing does.
        host: the session.
        listener: who shows the talk.

    Attributes:
        tools: may be changed at any moment, for the calls from then on.
        set_by_user: the user has told the server of other tools himself; those are not touched.
    """

    def __init__(self, tools: Tools | None, host: Host, listener: Listener | None) -> None:
        self.tools = tools
        self.set_by_user = False
        self._host = host
        self._listener = listener
        self._runs: dict[str, Run] = {}
        self._places = CallPlaces(host, listener, self._warn)
        self._note = self._places.note
        self._approvals = Approvals(host.note, self._can_ask, host.callback_failed)
        # What the server was told last.
        self._told: list[dict[str, Any]] | None = None
        self._ended = False
        main_thread.look_for_loop()

    # ---- from the session ----------------------------------------------------------------------------------

    def begin(self, call_id: str, name: str, arguments: str) -> None:
        """The model calls a function."""
        run = self._runs[call_id] = Run(call_id, name, self)
        self._host.start(self._call(run, arguments))

    def interrupted(self, call_ids: tuple[str, ...]) -> None:
        """The user took the turn: questions go, and what lets itself be cancelled ends; the rest goes on."""
        self._approvals.drop(call_ids, "interruption")
        for run in [self._runs[call_id] for call_id in call_ids if call_id in self._runs]:
            # One that is still made ready is not known yet to let itself be cancelled.
            run.interrupted = True
            if run.cancellable:
                run.stop("interruption")

    def end(self) -> None:
        """The session has ended: nothing is sent any more. What runs still has its row when it ends."""
        self._ended = True
        self._approvals.drop(None, "end")
        for run in self._runs.values():
            if run.cancellable:
                run.stop("end")
            run.over.set()

    def allow(self, call_id: str, answer: Answer) -> bool:
        """The page's answer to a question; False where it is asked no more."""
        return self._approvals.answer(call_id, answer)

    def sent(self, fields: Mapping[str, Any]) -> None:
        """An event goes to the server: of a `session.update`, the tools that it tells are noted."""
        session = fields.get("session")
        if fields.get("type") == "session.update" and isinstance(session, dict) and "tools" in session:
            self._told = session["tools"]

    def schemas(self) -> list[dict[str, Any]] | None:
        """The tools to tell the server of; None: there are none."""
        return None if self.tools is None else self.tools.schemas()

    async def look_again(self) -> bool:
        """Look for newer definitions of the tools, and tell the server where they differ.

        Returns:
            Whether anything has changed.
        """
        tools = self.tools
        if tools is None:
            return False
        before = tools.schemas()
        for complaint in await in_thread(tools.refresh):
            self._complain(complaint)
        return self._tell() or tools.schemas() != before

    def _tell(self) -> bool:
        if self.tools is None or self.set_by_user or self._told is None or self._ended:
            return False
        schemas = self.tools.schemas()
        if schemas == self._told:
            return False
        self._host.note("tool.redefined", names=[schema.get("name") for schema in schemas])
        self._host.tell_tools(schemas)
        # Also where it goes out only with the settings of the next connection.
        self._told = schemas
        return True

    def _complain(self, complaint: BadSetting) -> None:
        self._host.note("tool.unusable", message=complaint.message)
        self._warn(ToolTrouble(complaint.message, complaint.next_step))

    def _warn(self, trouble: GipError) -> None:
        _log.warning("%s: %s", trouble.message, trouble.next_step)
        if self._listener is not None:
            self._listener.failed(trouble)

    # ---- one call ------------------------------------------------------------------------------------------

    async def _call(self, run: Run, arguments: str) -> None:
        try:
            called = await self._made_ready(run, arguments)
        except Exception as error:  # noqa: BLE001 - whatever is wrong here, the model gets its output
            _log.exception("the call of %s failed", run.name)
            kind = type(cause_of(error)).__name__
            called = Called(f"error: {kind}: the call could not be made", outcome="failed")
        self._runs.pop(run.call_id, None)
        run.over.set()
        traceback = {} if called.traceback is None else {"traceback": called.traceback}
        self._note(run, "finished", outcome=called.outcome, **traceback)
        by_interruption = run.stopped.done() and called.outcome in {"cancelled", "denied"}
        self._host.answer_call(run.call_id, called.text, follow_up=not by_interruption)
        if self._listener is not None:
            # Last: the model does not wait for a picture to be drawn.
            self._listener.tool_result(run.call_id, run.name, called.value)

    async def _made_ready(self, run: Run, arguments: str) -> Called:
        tools = self.tools
        if tools is None:
            self._note(run, "started")
            return Called(f"error: this client has no tool named {run.name!r}", outcome="failed")
        try:
            while True:
                found = await self._found(run, tools, arguments)
                if isinstance(found, Called):
                    self._note(run, "started")
                    return found
                not_made = self._not_made(run, found)
                if not_made is None and found.asks:
                    not_made = await self._not_allowed(run, found, tools)
                if not_made is not None:
                    return not_made
                if not found.asks or await self._is_newest(run, found, tools):
                    break
                # Its answer was to a question about another function.
            return self._not_made(run, found) or await self._within_time(run, found)
        except TooManyThreads:
            self._note(run, "started")
            return Called(TOO_MANY, outcome="failed")

    async def _found(self, run: Run, tools: Tools, arguments: str) -> Call | Called:
        complaints, found = await in_tool_thread(
            partial(run.context.run, _ready, tools, run.name, arguments), run.name
        )
        self._looked(complaints)
        if isinstance(found, Call):
            run.cancellable = found.cancellable
        return found

    def _looked(self, complaints: list[BadSetting]) -> None:
        for complaint in complaints:
            self._complain(complaint)
        # Before the output: what is answered then knows the tools as they are.
        self._tell()

    def _not_made(self, run: Run, call: Call) -> Called | None:
        """What came of a call that is ready, where the user has interrupted or ended the talk meanwhile."""
        if self._ended:
            return Called(_ENDED, outcome="cancelled")
        if run.interrupted and call.cancellable:
            run.stop("interruption")
            return Called(_INTERRUPTED, outcome="cancelled")
        return None

    async def _not_allowed(self, run: Run, call: Call, tools: Tools) -> Called | None:
        denied: Denied | None
        if run.interrupted:
            # The user has gone on talking: nothing more is asked about it.
            denied = self._approvals.deny(run.call_id, call.name, "interruption")
        else:
            denied = await self._approvals.decide(run.call_id, call, tools)
        if denied is None:
            return None
        if denied.by in {"interruption", "end"}:
            run.stop("interruption" if denied.by == "interruption" else "end")
        return Called(denied.text, outcome="denied")

    async def _is_newest(self, run: Run, call: Call, tools: Tools) -> bool:
        """Whether the function that was asked about is the one that would be called now."""
        self._looked(await in_tool_thread(partial(run.context.run, tools.refresh), call.name))
        if tools.is_newest(call):
            return True
        self._warn(
            ToolTrouble(
                f"{call.name!r} was defined anew while you were asked about it, and was not called",
                "the call is for the function as it is now, and you are asked about that one.",
            )
        )
        return False

    async def _within_time(self, run: Run, call: Call) -> Called:
        """The call's end, or what comes before it: its time is over, or the user interrupts."""
        assert self.tools is not None  # noqa: S101 - it found the call
        began_s = time.monotonic()
        word = SlowWord(self.tools.running, call.name, self._host, partial(self._note, run))
        running = loop().create_task(self._places.run(run, call))
        try:
            either: set[asyncio.Future[Any]] = {running, run.stopped}
            await asyncio.wait(either, timeout=call.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await word.said(run.stopped)
        if running.done():
            return running.result()
        run.over.set()
        # The main thread, when it comes to it, finds nothing to do; a coroutine ends. A thread goes on.
        unbegun = run.entry is not None and run.entry.cancel()
        if call.where == "loop" or unbegun:
            running.cancel()
        if not unbegun:
            running.add_done_callback(partial(self._late, run, began_s))
        if run.stopped.done():
            return Called(_INTERRUPTED, outcome="cancelled")
        why = " It waited for the main thread, where a cell runs." if unbegun else ""
        return Called(
            f"error: {call.name} did not end within {call.timeout_s:g} s.{why}", outcome="timed_out"
        )

    def _late(self, run: Run, began_s: float, running: asyncio.Task[Called]) -> None:
        """What the model is not told any more is a row."""
        took_ms = round((time.monotonic() - began_s) * 1000, 1)
        if running.cancelled():
            self._note(run, "late", took_ms=took_ms, outcome="cancelled")
            return
        called = running.result()
        self._note(run, "late", took_ms=took_ms, outcome=called.outcome, output=called.text[:_LATE_CHARS])

    def _can_ask(self) -> bool:
        return self._listener is not None and self._listener.can_ask()


def _ready(tools: Tools, name: str, arguments: str) -> tuple[list[BadSetting], Call | Called]:
    return tools.refresh(), tools.find(name, arguments)
