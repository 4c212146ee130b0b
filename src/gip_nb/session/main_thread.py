"""What wants the process's main thread, and when that has time for it.

It has time while it waits in a blocking verb (`ask`), and, where it runs an event loop (a kernel's does), in
between two steps of that: when no cell runs, or while one awaits. A cell that computes has to end first.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from gip_nb.session.raised import cause_of, contained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MainThread", "main_thread"]

R = TypeVar("R")


class MainThread:
    """Work for the main thread. Any thread may give it some; see `submit`."""

    def __init__(self) -> None:
        self._work: deque[Callable[[], None]] = deque()
        # Also tells a waiting verb that it has what it waits for.
        self._news = threading.Condition()
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def reachable(self) -> bool:
        """Whether it waits in a blocking verb, or runs a loop that comes round to it some time."""
        loop = self._loop
        return self._waiting > 0 or (loop is not None and loop.is_running())

    def look_for_loop(self) -> None:
        """Remember the loop that the main thread runs, if this is it; a kernel runs its cells inside one."""
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(RuntimeError):
                self._loop = asyncio.get_running_loop()

    def submit(self, call: Callable[[], R]) -> Future[R]:
        """Have this run in the main thread, after what was submitted before. Any thread may call.

        An interrupt of the kernel while it runs is raised in it, and afterwards in the verb that waits.

        Args:
            call: what is run; its exception goes to the future, see raised.py.

        Returns:
            Its result; cancelled before it has begun, it is not run.
        """
        future: Future[R] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(contained(call))
            except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
                future.set_exception(error)
                cause = cause_of(error)
                if isinstance(cause, KeyboardInterrupt):
                    raise cause from None

        with self._news:
            self._work.append(run)
            self._news.notify_all()
        loop = self._loop
        if loop is not None:
            # A loop that has ended has no turn for it.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._in_a_turn)
        return future

    def work_until(self, future: Future[Any]) -> None:
        """In the main thread: wait until this is done, and run what is submitted meanwhile."""
        if threading.current_thread() is not threading.main_thread():
            return
        self.look_for_loop()
        future.add_done_callback(self._tell)
        with self._news:
            self._waiting += 1
        try:
            while True:
                with self._news:
                    while not self._work and not future.done():
                        self._news.wait()
                    # What has come so late waits for the next time.
                    if future.done():
                        return
                    run = self._work.popleft()
                run()
        finally:
            with self._news:
                self._waiting -= 1

    def _tell(self, _future: object) -> None:
        with self._news:
            self._news.notify_all()

    def _in_a_turn(self) -> None:
        """One piece of work, as a turn of the main thread's loop."""
        with self._news:
            run = self._work.popleft() if self._work else None
            more = bool(self._work)
        if more and self._loop is not None:
            # What was submitted before there was this loop has no turn of its own, and has taken this one.
            self._loop.call_soon(self._in_a_turn)
        if run is not None:
            with _interruptible(), contextlib.suppress(KeyboardInterrupt):
                run()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """A kernel ignores interrupts while no cell runs."""
    try:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:
        # Not the main thread of the main interpreter.
        yield
        return
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


main_thread = MainThread()
