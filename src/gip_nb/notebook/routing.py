"""On which thread the kernel hands over a page's messages, and what to do where that is the cells' one."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from gip_nb.notebook import messages

__all__ = ["Arrival", "RoutingWatch", "advice", "cure_sticky_routing"]

# Before it, messages of the page wait for the main thread whatever is set; 7.1 and 7.3 stall.
_NEEDED = (7, 4)
# 0.4 s of microphone frames in a row.
_FRAMES_ON_MAIN_THREAD = 10


class Arrival(NamedTuple):
    """How a message of the page got here.

    Attributes:
        at_ns: when, on the monotonic clock.
        on_main_thread: whether the kernel handed it over on the thread that cells run on.
    """

    at_ns: int
    on_main_thread: bool


class RoutingWatch:
    """Notices that messages of the page wait for the thread that cells run on."""

    def __init__(self) -> None:
        self._in_a_row = 0

    @property
    def held_up(self) -> bool:
        """Whether they do: while a cell runs, nobody is heard."""
        return self._in_a_row >= _FRAMES_ON_MAIN_THREAD

    def frame(self, arrival: Arrival) -> bool:
        """A microphone frame came. Returns whether `held_up` changed."""
        before = self.held_up
        self._in_a_row = self._in_a_row + 1 if arrival.on_main_thread else 0
        return before != self.held_up

    def forget(self) -> bool:
        """The talk is over. Returns whether `held_up` changed."""
        before = self.held_up
        self._in_a_row = 0
        return before


def advice() -> messages.ErrorView:
    """For a kernel that hands messages over between cells only: what happens, and how to change it."""
    return {
        "title": "Cells hold up this talk",
        "message": "While a cell runs, this kernel hands over nothing: you are not heard until the cell "
        "ends, and an interruption comes late. Answers go on playing.",
        "next_step": _next_step(),
    }


def _next_step() -> str:
    if "marimo._runtime.context" in sys.modules:
        # It has a kernel of its own, with one thread for cells and for what comes from the page.
        return "Keep cells short while you talk, or use JupyterLab 4.4 or newer."
    try:
        found = version("ipykernel")
    except PackageNotFoundError:
        # Another kernel that speaks its protocol.
        return "Use a kernel with ipykernel 7.4 or newer, in JupyterLab 4.4 or newer."
    numbers = tuple(int(n) for n in found.split(".")[:2] if n.isdigit())
    if numbers < _NEEDED:
        return f"This is ipykernel {found}: run %pip install -U 'ipykernel>=7.4' and restart the kernel."
    return (
        "In JupyterLab: Settings → Settings Editor → Kernel → Comms over subshells → perCommTarget, "
        "then reload the page. Elsewhere: open the notebook in JupyterLab 4.4 or newer."
    )


def cure_sticky_routing(comm: Any) -> None:  # noqa: ANN401 - ipykernel's comm
    """Keep the microphone off the main thread.

    ipykernel 7.4 sends a comm's messages to the thread that published on it last: after any publish from a
    cell that is the main thread, where they wait until the cell ends (measured: microphone frames up to 5 s
    late). Without this method of the comm it routes by the message's own header, which names the comm's
    subshell. Private, so looked for first; tests/browser has the regression test.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = None  # noqa: SLF001 - see above
