"""Where a call runs: in a thread of its own, step by step on the loop, or in the main thread. On the loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from gip_nb.errors import ToolTrouble
from gip_nb.session.loop import TooManyThreads, in_tool_thread, loop
from gip_nb.session.main_thread import main_thread
from gip_nb.session.raised import cause_of, is_cancelled
from gip_nb.session.steps import Steps
from gip_nb.tools import Call, Called
from gip_nb.tools.cancellation import CALL_OF, CALL_OVER

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from gip_nb.errors import GipError
    from gip_nb.session.listener import Listener

__all__ = ["TOO_MANY", "CallPlaces", "Run", "Why"]

# So long the main thread may take before it is said that it is waited for, and before a script's, which runs
# no loop, is given up.
_MAIN_GRACE_S = 0.3
_MAIN_GIVEN_UP_S = 1.0
TOO_MANY = "error: too many functions run at once, and do not end; try again later"
_MAIN_AWAY = (
    "error: the main thread is not waiting. This function runs in it, and it has time only while a verb of "
    "the session (`ask`) blocks there, or while it runs an event loop, as a notebook's does"
)

Why = Literal["interruption", "end"]


class Run:
    """One call under way.

    Args:
        call_id: the server's name for it.
        name: of the tool.
        of: the calls of the session.

    Attributes:
        over: set when nobody waits for it any more; the tool may look at it.
        stopped: why it is to end before it has: done when it is.
        interrupted: the user has taken the turn meanwhile; the call may go on all the same.
        cancellable: it ends when the user interrupts.
        entry: its place in the main thread's queue.
        context: what its code runs in, which is none of a cell's: the task of the call has that of the cell
            that connected, and what a tool prints or displays is for the cell that runs now.
    """

    def __init__(self, call_id: str, name: str, of: object) -> None:
        self.call_id = call_id
        self.name = name
        self.over = threading.Event()
        self.stopped: asyncio.Future[Why] = loop().create_future()
        self.interrupted = False
        self.cancellable = False
        self.entry: Future[Called] | None = None
        self.context = contextvars.Context()
        self.context.run(CALL_OVER.set, self.over)
        self.context.run(CALL_OF.set, of)

    def stop(self, why: Why) -> None:
        """Let it end."""
        if not self.stopped.done():
            self.stopped.set_result(why)


class Host(Protocol):
    """What a session does for them."""

    def note(self, kind: str, **fields: Any) -> None:
        """Log a local row."""


class CallPlaces:
    """The places of one session's calls.

    Args:
        host: the session.
        listener: who shows the talk.
        warn: gets what the user should know of a tool.
    """

    def __init__(self, host: Host, listener: Listener | None, warn: Callable[[GipError], object]) -> None:
        self._host = host
        self._listener = listener
        self._warn = warn
        # Async tools that have held up the loop.
        self._held_up: set[str] = set()

    def note(self, run: Run, what: str, **fields: Any) -> None:
        """Log a local row about a call."""
        unix_ms = time.time() * 1000
        self._host.note(f"tool.{what}", call_id=run.call_id, name=run.name, unix_ms=unix_ms, **fields)

    async def run(self, run: Run, call: Call) -> Called:
        """Make the call where it is to be made. Never raises but for the cancellation of this task."""
        try:
            match call.where:
                case "main":
                    return await self._in_main_thread(run, call)
                case "loop":
                    return await self._on_loop(run, call)
                case "thread":
                    self.note(run, "started")
                    return await in_tool_thread(partial(run.context.run, self._here, run, call), call.name)
        except TooManyThreads:
            return Called(TOO_MANY, outcome="failed")

    def _here(self, run: Run, call: Call, *, lets_interrupts_through: bool = False) -> Called:
        """On whatever thread it wants."""
        with self._shown(run):
            return call.run(lets_interrupts_through=lets_interrupts_through)

    def _shown(self, run: Run) -> contextlib.AbstractContextManager[None]:
        listener = self._listener
        return contextlib.nullcontext() if listener is None else listener.tool_runs(run.call_id, run.name)

    # ---- on the loop ---------------------------------------------------------------------------------------

    async def _on_loop(self, run: Run, call: Call) -> Called:
        self.note(run, "started")
        try:
            inner = run.context.run(call.start)
            steps = Steps(inner, partial(self._shown, run), partial(self._blocks, call.name))
            value = await loop().create_task(steps, context=run.context)
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            # Its own: one of the tasks that it has waited for.
            return call.raised(error)
        except Exception as error:  # noqa: BLE001 - the user's code: whatever it raises, the model gets an answer
            return call.raised(cause_of(error))
        # Not here: a large result takes its time to write.
        try:
            return await in_tool_thread(
                partial(run.context.run, call.returned, value), call.name, counts=False
            )
        except TooManyThreads:
            # It has been called: "try again" would have it do twice what it does.
            kind = type(value).__name__
            text = f"{call.name} has run and returned a {kind}; there was no thread to write that down in"
            return Called(text, value)

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

    # ---- in the main thread --------------------------------------------------------------------------------

    async def _in_main_thread(self, run: Run, call: Call) -> Called:
        def begun() -> Called:
            loop().call_soon_threadsafe(self.note, run, "started")
            return run.context.run(partial(self._here, run, call, lets_interrupts_through=True))

        run.entry = entry = main_thread.submit(begun)
        done = asyncio.wrap_future(entry, loop=loop())
        waited_s, said = 0.0, False
        while True:
            step_s = _MAIN_GRACE_S
            ended, _ = await asyncio.wait({done}, timeout=step_s)
            if ended or entry.running():
                try:
                    return await done
                except Exception as error:  # noqa: BLE001 - an interrupt of the kernel, which the verb gets too
                    return call.raised(cause_of(error))
            waited_s += step_s
            if main_thread.reachable:
                waited_s = 0.0
                if not said:
                    said = True
                    self.note(run, "waiting", on="main thread")
            elif waited_s >= _MAIN_GIVEN_UP_S and entry.cancel():
                self.note(run, "started")
                return Called(_MAIN_AWAY, outcome="failed")
