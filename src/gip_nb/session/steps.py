"""An async tool, step by step on the session's loop: what it displays is caught, a long step noticed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from gip_nb.session.raised import Raised, bearable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager
    from types import TracebackType

__all__ = ["Steps"]

# A step between two awaits that takes longer is heard as a gap.
LONG_STEP_S = 0.5


class Steps(Coroutine[Any, Any, Any]):
    """A coroutine round another one.

    Args:
        inner: the tool's.
        around: is entered round each step.
        held_up: gets the seconds of a step that took too long.
    """

    def __init__(
        self,
        inner: Coroutine[Any, Any, Any],
        around: Callable[[], AbstractContextManager[None]],
        held_up: Callable[[float], object],
    ) -> None:
        self._inner = inner
        self._around = around
        self._held_up = held_up

    def send(self, value: Any) -> Any:  # noqa: ANN401 - as a coroutine's
        """One step."""
        return self._step(lambda: self._inner.send(value))

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
    ) -> Any:  # noqa: ANN401 - as a coroutine's
        """One step that begins with an exception: a cancellation."""
        if isinstance(kind, BaseException):
            return self._step(lambda: self._inner.throw(kind))
        return self._step(lambda: self._inner.throw(kind, value, traceback))

    def close(self) -> None:
        """Give it up."""
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        """Await it as any other."""
        return self._inner.__await__()

    def _step(self, go: Callable[[], Any]) -> Any:  # noqa: ANN401 - as a coroutine's
        began = time.monotonic()
        ended: BaseException | None = None
        given: Any = None
        try:
            with self._around():
                try:
                    given = go()
                except BaseException as error:  # noqa: BLE001 - raised again below, out of what is round the step
                    ended = error
        finally:
            took_s = time.monotonic() - began
            if took_s > LONG_STEP_S:
                self._held_up(took_s)
        if ended is None:
            return given
        # The coroutine's end is a StopIteration. Whether a cancellation is the tool's own, who waits knows.
        if bearable(ended) or isinstance(ended, StopIteration | asyncio.CancelledError):
            raise ended
        raise Raised(ended) from ended
