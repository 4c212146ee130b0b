"""After each cell, talks look at their tools again: the cell may have defined one of them anew."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from gip_nb.session.loop import loop

if TYPE_CHECKING:
    from gip_nb.notebook.widget import Talk

__all__ = ["follow_cells", "unfollow"]

_talks: weakref.WeakSet[Talk] = weakref.WeakSet()
# The shells whose cells are followed.
_followed: weakref.WeakSet[Any] = weakref.WeakSet()


def follow_cells(talk: Talk) -> None:
    """From now on this talk's tools follow the notebook. Outside of IPython there are no cells: nothing."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return
    shell: Any = get_ipython()
    if shell is None or not hasattr(shell, "events"):
        return
    _talks.add(talk)
    if shell not in _followed:
        _followed.add(shell)
        shell.events.register("post_run_cell", _after_cell)


def unfollow(talk: Talk) -> None:
    """This talk is over; with the last one nothing of us stays in the shell."""
    _talks.discard(talk)
    if not _talks:
        for shell in tuple(_followed):
            _followed.discard(shell)
            shell.events.unregister("post_run_cell", _after_cell)


def _after_cell(_result: object = None) -> None:
    for talk in tuple(_talks):
        loop().call_soon_threadsafe(talk.look_at_tools)
