"""`gip_nb.doctor()`: gathers, judges, reports."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import gip_nb
from gip_nb.diagnosis.checks import checks_of
from gip_nb.diagnosis.gathering import gather
from gip_nb.diagnosis.report import Report
from gip_nb.session.settings import resolve

if TYPE_CHECKING:
    from gip_nb.notebook.widget import Talk
    from gip_nb.session.settings import Settings

__all__ = ["examine"]


def examine(*, connect: bool = False, **options: Any) -> Report:
    """What `gip_nb.doctor()` does; its docstring has the options. The key comes concealed."""
    talk = _newest()

    def settings() -> Settings:
        if talk is not None and not any(options.values()):
            return talk.session._session.settings  # noqa: SLF001 - a wrapper of our own
        return resolve(**options)

    return Report(checks_of(gather(settings, talk, connect=connect)), gip_nb.__version__)


def _newest() -> Talk | None:
    # Where nobody has made a talk, there is no need to load what makes one.
    cells = sys.modules.get("gip_nb.notebook.cells")
    newest: Talk | None = cells.newest() if cells is not None else None
    return newest
