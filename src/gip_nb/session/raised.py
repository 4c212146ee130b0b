"""Whatever a user's code raises, of whatever kind, is an ordinary exception by the time it is on the loop.

There, SystemExit and KeyboardInterrupt would end the thread that every talk of the process lives on. A
CancelledError would look like the end of whoever waits, a StopIteration cannot be waited for at all, and
other classes that are no `Exception` (an extension's panic) would pass by all that answers a failed call. So
what comes out of a tool, a validator, a type hint, an approval or any other function of the user is contained
at the border: in `in_thread` and `in_tool_thread`, in the main thread's queue, in an async tool's steps, and
in `awaited`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Raised", "awaited", "bearable", "cause_of", "contained", "is_cancelled"]

P = ParamSpec("P")
R = TypeVar("R")


class Raised(Exception):
    """A user's code raised what the loop must not see as it is.

    Args:
        cause: what it raised.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


def contained(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call this; what it raises can be waited for on the loop.

    Raises:
        Exception: what it raised, as it is.
        Raised: it raised something else.
    """
    try:
        return call(*args, **kwargs)
    except BaseException as error:
        if bearable(error):
            raise
        raise Raised(error) from error


def bearable(error: BaseException) -> bool:
    """Whether this may be raised on the loop, and into a future."""
    return isinstance(error, Exception) and not isinstance(error, StopIteration)


def cause_of(error: BaseException) -> BaseException:
    """What the user's code raised."""
    return error.cause if isinstance(error, Raised) else error


async def awaited(value: Awaitable[Any]) -> Any:  # noqa: ANN401 - the user's
    """Await what a user's code has given, within the task that waits for it.

    Raises:
        CancelledError: that task is cancelled, and by nobody in the user's code.
        Exception: what it raised, as it is.
        Raised: it raised something else.
    """
    try:
        return await value
    except BaseException as error:
        if bearable(error) or (isinstance(error, asyncio.CancelledError) and is_cancelled()):
            raise
        raise Raised(error) from error


def is_cancelled() -> bool:
    """Whether this task is cancelled from outside: a CancelledError may also be the user's code's own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
