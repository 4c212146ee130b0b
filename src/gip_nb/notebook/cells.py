"""Which cell made which talk: the newest one of the kernel, and the one that a re-run cell made before."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.errors import BadSetting
from gip_nb.journal.disk_log import check_folder
from gip_nb.notebook.greeting import Greeting
from gip_nb.notebook.redefinition import follow_cells
from gip_nb.notebook.widget import Talk
from gip_nb.session.settings import resolve
from gip_nb.tools import toolbox_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["newest", "open_talk"]


class _Run(NamedTuple):
    """One execution of one cell."""

    cell_id: str
    message_id: str


_newest: weakref.ref[Talk] | None = None
_made: dict[str, tuple[str, weakref.WeakSet[Talk]]] = {}


def open_talk(
    *,
    tools: Iterable[Callable[..., Any]] = (),
    record: bool = True,
    greet: bool | str = False,
    **options: Any,
) -> Talk:
    """What `gip_nb.talk()` does; its docstring has the options.

    A cell that is run again closes the talks that it made before: their views are gone with its output, and
    nobody would stop them.
    """
    toolbox, options = toolbox_of(tools, options)
    given: object = record
    if not isinstance(given, bool):
        raise BadSetting(f"record {given!r}", "use True or False: the saved notebook keeps the talk, or not.")
    Greeting(greet)  # Before anything is closed: it may be none.
    settings = resolve(**options)
    if settings.log is not None:
        # Said in the cell, and not when somebody presses Start.
        check_folder(settings.log)
    run = _this_run()
    if run is not None:
        _close_those_of_earlier_runs(run)
    talk = Talk(settings, toolbox, record=record, greet=greet)
    if toolbox is not None:
        follow_cells(talk)
    if run is not None:
        _made.setdefault(run.cell_id, (run.message_id, weakref.WeakSet()))[1].add(talk)
    global _newest  # noqa: PLW0603 - `current()` asks for the newest one of the kernel
    _newest = weakref.ref(talk)
    return talk


def newest() -> Talk | None:
    """The newest talk of this kernel."""
    return _newest() if _newest is not None else None


def _close_those_of_earlier_runs(run: _Run) -> None:
    message_id, talks = _made.get(run.cell_id, (run.message_id, ()))
    if message_id != run.message_id:
        for talk in tuple(talks):
            talk.close()
        del _made[run.cell_id]


def _this_run() -> _Run | None:
    """The cell that runs, where the host names it: JupyterLab and VS Code do, a terminal does not."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    shell: Any = get_ipython()
    parent: object = getattr(shell, "get_parent", dict)()
    if not isinstance(parent, dict):
        return None
    cell_id = (parent.get("metadata") or {}).get("cellId")
    message_id = (parent.get("header") or {}).get("msg_id")
    if not isinstance(cell_id, str) or not isinstance(message_id, str):
        return None
    return _Run(cell_id, message_id)
