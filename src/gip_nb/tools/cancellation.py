"""What is known where a tool runs: whose call it is part of, and whether anybody still waits for it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

__all__ = ["CALL_OF", "CALL_OVER", "tool_cancelled"]

# Of the call that this code is part of: whether it is over, and whose it is, an object of the session's.
CALL_OVER: ContextVar[threading.Event | None] = ContextVar("gip_nb_call_over", default=None)
CALL_OF: ContextVar[object] = ContextVar("gip_nb_call_of", default=None)


def tool_cancelled() -> bool:
    """Whether the call that this code answers is over: the user interrupted it, or it took too long.

    A plain function cannot be stopped from outside; one that runs for long looks here now and then, and
    returns. Code that it starts in threads of its own does not know of the call
    (`contextvars.copy_context().run` takes it along). False outside of a tool.
    """
    over = CALL_OVER.get()
    return over is not None and over.is_set()
