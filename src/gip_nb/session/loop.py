"""The process's loop, callback, writer and tool threads: nothing else here starts a thread.

One loop serves every session (measured: 200 sessions cost half the CPU of a thread each). What users hang on
a session (`on`, `observe`) runs on the callback thread, in order, so that a slow callback never stops sound.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import queue
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from gip_nb.errors import GipError
from gip_nb.session.main_thread import main_thread
from gip_nb.session.raised import contained

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = [
    "InterpreterEnds",
    "TooManyThreads",
    "callbacks",
    "in_thread",
    "in_tool_thread",
    "loop",
    "on_loop",
    "on_writer",
    "run_blocking",
    "start_task",
]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

_log = logging.getLogger(__name__)
_lock = threading.Lock()


class InterpreterEnds(Exception):
    """Work was given to a thread when the interpreter had begun to end."""


class TooManyThreads(Exception):
    """As many tools run as may at once."""


class _LoopThread:
    """An asyncio loop that runs for ever on a daemon thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="gip_nb-loop", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self.loop.is_closed():
            # A task that an async tool has made for itself is out of our hands: what it raises comes out
            # here. What else was due is done in the next round.
            try:
                self.loop.run_forever()
                _log.error("something has stopped the loop that all talks share: it goes on")
            except BaseException as error:  # noqa: BLE001 - every talk of the process lives on this thread
                kind = type(error).__name__
                _log.error("%s on the loop that all talks share: it goes on", kind, exc_info=error)


class Callbacks:
    """Runs what it is given, in order, on a daemon thread of its own."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[
            tuple[Callable[[], object], Callable[[BaseException], object] | None]
        ] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="gip_nb-callbacks", daemon=True).start()

    def submit(
        self, call: Callable[[], object], on_error: Callable[[BaseException], object] | None = None
    ) -> None:
        """Run `call` after all that was submitted before. Any thread may call.

        Args:
            call: what to run.
            on_error: gets the exception, on the callback thread, if there is one.
        """
        self._queue.put((call, on_error))

    def _run(self) -> None:
        while True:
            call, on_error = self._queue.get()
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - a callback is the user's code: whatever it raises, the next one still runs
                if on_error is None:
                    _log.warning("a callback failed", exc_info=error)
                else:
                    on_error(error)


_loop_thread: _LoopThread | None = None
_callbacks: Callbacks | None = None
_writer: ThreadPoolExecutor | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The process's loop, started on first use. Any thread may call."""
    global _loop_thread  # noqa: PLW0603 - one per process is the point
    with _lock:
        if _loop_thread is None:
            _loop_thread = _LoopThread()
        return _loop_thread.loop


def callbacks() -> Callbacks:
    """The process's callback thread, started on first use. Any thread may call."""
    global _callbacks  # noqa: PLW0603 - one per process is the point
    with _lock:
        if _callbacks is None:
            _callbacks = Callbacks()
        return _callbacks


def on_the_loop_thread() -> bool:
    """Whether this is the thread of the process's loop."""
    return _loop_thread is not None and threading.current_thread() is _loop_thread.thread


def run_blocking(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run `coroutine` on the loop and wait for its result.

    Any thread but the loop's own may call. An interrupt of the kernel cancels the coroutine. While the main
    thread waits here, it runs the tools that want it.

    Raises:
        GipError: called on the loop's thread, where waiting would wait for itself.
    """
    if on_the_loop_thread():
        coroutine.close()
        raise GipError(
            "a blocking verb was called on the loop's own thread (from an async tool, for example)",
            "await the verbs of `connect_async()` there, or call this one from a plain function.",
        )
    future: Future[R] = asyncio.run_coroutine_threadsafe(coroutine, loop())
    try:
        main_thread.work_until(future)
        return future.result()
    except BaseException:
        future.cancel()
        raise


def start_task(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run `coroutine` on the loop and do not wait for it. Any thread may call; its failure is logged."""

    async def watched() -> None:
        try:
            await coroutine
        except Exception:  # noqa: BLE001 - nobody waits for it: the log is the only place where it can be told
            _log.exception("a background task failed")

    asyncio.run_coroutine_threadsafe(watched(), loop())


# Tools that never return keep theirs.
MOST_TOOL_THREADS = 128
_tool_threads = threading.BoundedSemaphore(MOST_TOOL_THREADS)
_NO_LIMIT = threading.Semaphore(sys.maxsize)


def in_tool_thread(call: Callable[[], R], name: str, *, counts: bool = True) -> asyncio.Future[R]:
    """Run a user's function in a thread of its own, from the loop; it cannot be cancelled.

    Of its own: slow tools hold no worker that others wait for, and being a daemon one that hangs does not
    hold up the end of the process.

    Args:
        call: what is run; its exception goes to the future, see raised.py.
        name: of the thread.
        counts: whether it is one of those of which no more than so many run. What only writes down what a
            function has returned is none.

    Raises:
        TooManyThreads: 128 run already, or the system gives no more.
    """
    slots = _tool_threads if counts else _NO_LIMIT
    if not slots.acquire(blocking=False):
        raise TooManyThreads
    future: Future[R] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(contained(call))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            future.set_exception(error)
        finally:
            slots.release()

    try:
        threading.Thread(target=run, name=f"gip_nb-tool-{name}", daemon=True).start()
    except RuntimeError:
        # The system gives no more, or the interpreter has begun to end.
        slots.release()
        raise TooManyThreads from None
    return asyncio.wrap_future(future, loop=loop())


async def in_thread(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking function in a worker thread, from a coroutine; for what it raises see raised.py."""
    return await asyncio.to_thread(contained, functools.partial(call, *args, **kwargs))


async def on_writer(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run what writes logs to disk, one after the other, from a coroutine on the loop.

    Not in a worker thread: the user's tools, slow ones too, may hold all of these.

    Raises:
        InterpreterEnds: it starts no thread any more, nor gives one something to do.
    """
    global _writer  # noqa: PLW0603 - one per process is the point
    with _lock:
        if _writer is None:
            _writer = ThreadPoolExecutor(1, "gip_nb-writer")
        writer = _writer
    try:
        running = loop().run_in_executor(writer, functools.partial(call, *args, **kwargs))
    except RuntimeError:
        raise InterpreterEnds from None
    return await running


def on_loop(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """Make an async method run on the process's loop, whichever loop awaits it: a cell has one of its own."""

    async def hop(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        coroutine = method(self, *args, **kwargs)
        if asyncio.get_running_loop() is loop():
            return await coroutine
        main_thread.look_for_loop()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop()))

    return functools.update_wrapper(hop, method)  # type: ignore[return-value]  # typeshed's wrapper hides the method it makes
