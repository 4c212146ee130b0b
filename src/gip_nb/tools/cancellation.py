"""What a running tool may ask: whether anybody still waits for it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

__all__ = ["CALL_OVER", "tool_cancelled"]

# Of the call that this code is part of.
CALL_OVER: ContextVar[threading.Event | None] = ContextVar("gip_nb_call_over", default=None)


def tool_cancelled() -> bool:
    """Whether the call that this code answers is over: the user interrupted it, or it took too long.

    A plain function cannot be stopped from outside; one that runs for long looks here now and then, and
    returns. Code that it starts in threads of its own does not know of the call
    (`contextvars.copy_context().run` takes it along). False outside of a tool.
    """
    over = CALL_OVER.get()
    return over is not None and over.is_set()
