"""What is known about the place where this runs, before anybody judges it. Pure.

What could not be found out is None, and where there is a reason for that, it is a `Trouble`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from gip_nb.notebook.probe import Examination

__all__ = ["Facts", "Gateway", "KernelHost", "Package", "Spoken", "Subshells", "Trouble", "kernel_host"]

KernelHost = Literal["jupyter", "vscode", "colab", "marimo", "terminal", "python"]


class Trouble(NamedTuple):
    """What happened, and what to do now: two lines of an error."""

    message: str
    next_step: str


class Package(NamedTuple):
    """An installed package.

    Attributes:
        name: on the index.
        version: None where it is missing.
        wanted: as pip takes it, such as `openai[realtime]<4,>=2.8`; empty where any will do, or none.
        fits: whether the version is one of those.
    """

    name: str
    version: str | None
    wanted: str = ""
    fits: bool = True


class Subshells(NamedTuple):
    """How this ipykernel hands over a page's messages while a cell runs.

    Attributes:
        supported: it can do so at all.
        open: how many there are now; pages open them.
        advice: how to have them.
    """

    supported: bool
    open: int
    advice: str


@dataclass(frozen=True)
class Gateway:
    """What was heard from the server that a talk would connect with.

    Attributes:
        address: empty for the rehearsal server, until it runs.
        rehearsal: it is the embedded one.
        model: that a talk would ask for.
        answered_ms: how long its answer took; None where none came.
        trouble: why there is no list of models.
        key_refused: that it did not take the key.
        models: its realtime models; None where it gave no list.
    """

    address: str
    rehearsal: bool
    model: str
    answered_ms: float | None = None
    trouble: Trouble | None = None
    key_refused: Trouble | None = None
    models: tuple[str, ...] | None = None


class Spoken(NamedTuple):
    """The dialect that a session was opened in.

    Attributes:
        dialect: None where none was opened.
        now: it was opened for this, and closed again.
        trouble: why it could not be.
    """

    dialect: str | None
    now: bool
    trouble: Trouble | None = None


@dataclass(frozen=True)
class Facts:
    """All of it.

    Attributes:
        host: as the kernel sees it; its page may know more.
        python: version and system.
        packages: in the order in which they are named.
        subshells: None where the kernel is no ipykernel.
        page: what that page said; None where there is none, or it could not be asked.
        gateway: None where the settings are no settings; then `trouble` says why.
        spoken: what is known of the dialect.
        extras: of the rehearsal server: what each gives -> whether it is installed.
        trouble: of the settings.
    """

    host: KernelHost
    python: str
    packages: tuple[Package, ...]
    subshells: Subshells | None
    page: Examination | None
    gateway: Gateway | None
    spoken: Spoken
    extras: dict[str, bool]
    trouble: Trouble | None = None


def kernel_host(*, shell: str, cell_id: str, names: frozenset[str], modules: frozenset[str]) -> KernelHost:
    """Which program runs this Python, as far as one can tell from inside.

    The environment is no witness: a JupyterLab that was started in VS Code's terminal has all of VS Code's
    variables.

    Args:
        shell: IPython's class here; empty without IPython.
        cell_id: what the front end calls the cell that runs; empty where it has no name.
        names: of the user's variables.
        modules: that are imported.
    """
    if "marimo._runtime.context" in modules and not shell:
        return "marimo"
    if "google.colab" in modules and shell:
        return "colab"
    if cell_id.startswith("vscode-notebook-cell:") or "__vsc_ipynb_file__" in names:
        return "vscode"
    if shell == "ZMQInteractiveShell":
        return "jupyter"
    return "terminal" if shell else "python"
