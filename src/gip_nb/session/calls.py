"""The model's calls of one session: each is allowed, run, and answered once. On the loop only."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from gip_nb.errors import ToolTrouble
from gip_nb.session.approvals import Approvals
from gip_nb.session.loop import TooManyThreads, in_thread, in_tool_thread, loop
from gip_nb.session.main_thread import main_thread
from gip_nb.session.slow_calls import SlowWord, Speaks
from gip_nb.session.steps import Steps, ToolExit
from gip_nb.tools import Call, Called
from gip_nb.tools.cancellation import CALL_OVER

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from concurrent.futures import Future

    from gip_nb.errors import BadSetting, GipError
    from gip_nb.session.approvals import Answer
    from gip_nb.session.listener import Listener
    from gip_nb.tools import Tools

__all__ = ["Calls", "Host"]

_log = logging.getLogger(__name__)
# So long the main thread may take before it is said that it is waited for, and before a script's, which runs
# no loop, is given up.
_MAIN_GRACE_S = 0.3
_MAIN_GIVEN_UP_S = 1.0
_LATE_CHARS = 2000
_TOO_MANY = "error: too many functions run at once, and do not end; try again later"
_MAIN_AWAY = (
    "error: the main thread is not waiting. This function runs in it, and it has time only while a verb of "
    "the session (`ask`) blocks there, or while it runs an event loop, as a notebook's does"
)

Why = Literal["interruption", "end"]


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


class _Run:
    """One call under way.

    Attributes:
        over: set when nobody waits for it any more; the tool may look at it.
        stopped: why it is to end before it has: done when it is.
        cancellable: it ends when the user interrupts.
        entry: its place in the main thread's queue.
    """

    def __init__(self, call_id: str, name: str) -> None:
        self.call_id = call_id
        self.name = name
        self.over = threading.Event()
        self.stopped: asyncio.Future[Why] = loop().create_future()
        self.cancellable = False
        self.entry: Future[Called] | None = None


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
        self._runs: dict[str, _Run] = {}
        self._approvals = Approvals(host.note, self._can_ask, host.callback_failed)
        # What the server was told last.
        self._told: list[dict[str, Any]] | None = None
        self._held_up: set[str] = set()
        self._ended = False
        main_thread.look_for_loop()

    # ---- from the session ----------------------------------------------------------------------------------

    def begin(self, call_id: str, name: str, arguments: str) -> None:
        """The model calls a function."""
        run = self._runs[call_id] = _Run(call_id, name)
        self._host.start(self._call(run, arguments))

    def interrupted(self, call_ids: tuple[str, ...]) -> None:
        """The user took the turn: questions go, and what lets itself be cancelled ends; the rest goes on."""
        self._approvals.drop(call_ids, "interruption")
        self._stop(
            [r for i in call_ids if (r := self._runs.get(i)) is not None and r.cancellable], "interruption"
        )

    def end(self) -> None:
        """The session has ended: nothing is sent any more. What runs still has its row when it ends."""
        self._ended = True
        self._approvals.drop(None, "end")
        self._stop([run for run in self._runs.values() if run.cancellable], "end")
        for run in self._runs.values():
            run.over.set()

    @staticmethod
    def _stop(runs: list[_Run], why: Why) -> None:
        for run in runs:
            if not run.stopped.done():
                run.stopped.set_result(why)

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

    async def _call(self, run: _Run, arguments: str) -> None:
        try:
            called = await self._made_ready(run, arguments)
        except Exception as error:  # noqa: BLE001 - whatever is wrong here, the model gets its output
            _log.exception("the call of %s failed", run.name)
            called = Called(f"error: {type(error).__name__}: the call could not be made", outcome="failed")
        self._runs.pop(run.call_id, None)
        run.over.set()
        traceback = {} if called.traceback is None else {"traceback": called.traceback}
        self._note(run, "finished", outcome=called.outcome, **traceback)
        by_interruption = run.stopped.done() and called.outcome in {"cancelled", "denied"}
        self._host.answer_call(run.call_id, called.text, follow_up=not by_interruption)
        if self._listener is not None:
            # Last: the model does not wait for a picture to be drawn.
            self._listener.tool_result(run.call_id, run.name, called.value)

    def _note(self, run: _Run, what: str, **fields: Any) -> None:
        unix_ms = time.time() * 1000
        self._host.note(f"tool.{what}", call_id=run.call_id, name=run.name, unix_ms=unix_ms, **fields)

    async def _made_ready(self, run: _Run, arguments: str) -> Called:
        tools = self.tools
        if tools is None:
            self._note(run, "started")
            return Called(f"error: this client has no tool named {run.name!r}", outcome="failed")
        try:
            complaints, found = await in_tool_thread(
                partial(contextvars.Context().run, _ready, tools, run.name, arguments), run.name
            )
        except TooManyThreads:
            self._note(run, "started")
            return Called(_TOO_MANY, outcome="failed")
        for complaint in complaints:
            self._complain(complaint)
        # Before the output: what is answered then knows the tools as they are.
        self._tell()
        if isinstance(found, Called):
            self._note(run, "started")
            return found
        if self._ended:
            return Called("error: the talk ended before this was called", outcome="cancelled")
        run.cancellable = found.cancellable
        denied = await self._approvals.decide(run.call_id, found, arguments, tools)
        if denied is not None:
            if denied.by in {"interruption", "end"} and not run.stopped.done():
                run.stopped.set_result("interruption" if denied.by == "interruption" else "end")
            return Called(denied.text, outcome="denied")
        return await self._within_time(run, found)

    async def _within_time(self, run: _Run, call: Call) -> Called:
        """The call's end, or what comes before it: its time is over, or the user interrupts."""
        assert self.tools is not None  # noqa: S101 - it found the call
        began_s = time.monotonic()
        word = SlowWord(self.tools.running, call.name, self._host, partial(self._note, run))
        running = loop().create_task(self._run(run, call))
        try:
            either: set[asyncio.Future[Any]] = {running, run.stopped}
            await asyncio.wait(either, timeout=call.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await word.said()
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
            return Called("error: the user interrupted, and this call was cancelled", outcome="cancelled")
        why = " It waited for the main thread, where a cell runs." if unbegun else ""
        return Called(
            f"error: {call.name} did not end within {call.timeout_s:g} s.{why}", outcome="timed_out"
        )

    def _late(self, run: _Run, began_s: float, running: asyncio.Task[Called]) -> None:
        """What the model is not told any more is a row."""
        took_ms = round((time.monotonic() - began_s) * 1000, 1)
        if running.cancelled():
            self._note(run, "late", took_ms=took_ms, outcome="cancelled")
            return
        called = running.result()
        self._note(run, "late", took_ms=took_ms, outcome=called.outcome, output=called.text[:_LATE_CHARS])

    # ---- where it runs -------------------------------------------------------------------------------------

    async def _run(self, run: _Run, call: Call) -> Called:
        """Never raises but for its cancellation."""
        # In no context: this task's is that of the cell that connected. What a tool prints or displays is for
        # the cell that runs now.
        context = contextvars.Context()
        context.run(CALL_OVER.set, run.over)
        try:
            match call.where:
                case "main":
                    return await self._in_main_thread(run, call, context)
                case "loop":
                    return await self._on_loop(run, call, context)
                case "thread":
                    self._note(run, "started")
                    here = partial(context.run, self._here, run, call)
                    return await in_tool_thread(here, call.name)
        except TooManyThreads:
            return Called(_TOO_MANY, outcome="failed")

    def _here(self, run: _Run, call: Call, *, lets_interrupts_through: bool = False) -> Called:
        """On whatever thread it wants."""
        with self._shown(run):
            return call.run(lets_interrupts_through=lets_interrupts_through)

    def _shown(self, run: _Run) -> contextlib.AbstractContextManager[None]:
        listener = self._listener
        return contextlib.nullcontext() if listener is None else listener.tool_runs(run.call_id, run.name)

    async def _on_loop(self, run: _Run, call: Call, context: contextvars.Context) -> Called:
        self._note(run, "started")
        try:
            inner = context.run(call.start)
            steps = Steps(inner, partial(self._shown, run), partial(self._blocks, call.name))
            value = await loop().create_task(steps, context=context)
        except asyncio.CancelledError as error:
            if run.over.is_set():
                raise
            # Its own: one of the tasks that it has waited for.
            return call.raised(error)
        except BaseException as error:  # noqa: BLE001 - the user's code: whatever it raises, the model gets an answer
            return call.raised(error.cause if isinstance(error, ToolExit) else error)
        # Not here: a large result takes its time to write.
        return await in_tool_thread(partial(context.run, call.returned, value), call.name)

    def _blocks(self, name: str, seconds: float) -> None:
        """An async tool has held up the loop: once a tool it is said how that is to be mended."""
        if name in self._held_up:
            return
        self._held_up.add(name)
        loop().call_soon(self._tell_that_it_blocks, name, seconds)

    def _tell_that_it_blocks(self, name: str, seconds: float) -> None:
        self._host.note("tool.blocked_loop", name=name, blocked_ms=round(seconds * 1000))
        self._warn(
            ToolTrouble(
                f"the async tool {name!r} held up the talk, and all its sound, for {seconds:.1f} s",
                "await what takes long, or write it with a plain `def`: it then runs in a thread of its own.",
            )
        )

    async def _in_main_thread(self, run: _Run, call: Call, context: contextvars.Context) -> Called:
        def begun() -> Called:
            loop().call_soon_threadsafe(self._note, run, "started")
            return context.run(partial(self._here, run, call, lets_interrupts_through=True))

        run.entry = entry = main_thread.submit(begun)
        done = asyncio.wrap_future(entry, loop=loop())
        waited_s, said = 0.0, False
        while True:
            step_s = _MAIN_GRACE_S
            ended, _ = await asyncio.wait({done}, timeout=step_s)
            if ended or entry.running():
                try:
                    return await done
                except KeyboardInterrupt as error:
                    return call.raised(error)
            waited_s += step_s
            if main_thread.reachable:
                waited_s = 0.0
                if not said:
                    said = True
                    self._note(run, "waiting", on="main thread")
            elif waited_s >= _MAIN_GIVEN_UP_S and entry.cancel():
                self._note(run, "started")
                return Called(_MAIN_AWAY, outcome="failed")

    def _can_ask(self) -> bool:
        return self._listener is not None and self._listener.can_ask()


def _ready(tools: Tools, name: str, arguments: str) -> tuple[list[BadSetting], Call | Called]:
    return tools.refresh(), tools.find(name, arguments)
