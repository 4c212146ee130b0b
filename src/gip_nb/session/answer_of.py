"""What a function says that the user gave to decide something: whether a call may be made, for example."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from gip_nb.session.loop import in_tool_thread
from gip_nb.session.raised import awaited

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["answer_of"]


async def answer_of(function: Callable[..., Any], *args: object, thread: str) -> Any:  # noqa: ANN401 - the user's
    """Call it and wait for its answer: an async one on the loop, another one in a thread.

    Args:
        function: the user's.
        *args: what it is asked about.
        thread: how its thread is called.

    Raises:
        TooManyThreads: it could not be called.
        CancelledError: nobody wants the answer any more.
        Exception: what it raised; see raised.py.
    """
    if inspect.iscoroutinefunction(function):
        return await awaited(function(*args))
    answer = await in_tool_thread(lambda: function(*args), thread)
    return await awaited(answer) if inspect.isawaitable(answer) else answer
