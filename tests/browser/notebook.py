"""`Notebook`, the page object through which tests use a JupyterLab."""

from __future__ import annotations

import ast
import base64
import json
import os
import re
import signal
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Locator, Page

    from tests.browser.server import Lab

HERE = Path(__file__).parent
LAB_JS = HERE / "lab.js"
MICROPHONE_JS = HERE / "microphone.js"

# What JupyterLab itself writes to the console as an error, in a healthy page.
KNOWN_CONSOLE_ERRORS = re.compile(
    # The kernel ended before its debugger answered.
    r"Could not restore the debugger state"
    # jupyter_server 2.21 cannot list kernels while one is being started; JupyterLab asks again.
    r"|status of 500 .*/api/(kernels|sessions)\?"
    # A notebook that is closed, or loaded again, while it still asked for a subshell.
    r"|Canceled future for create_subshell_request"
)

Microphone = Literal["file", "scripted", "denied"]
Output = dict[str, Any]
"""One output of a cell, as nbformat has it: `output_type` and what belongs to it."""


class CellFailed(AssertionError):
    """A cell that was to run raised; its traceback is the message."""


@dataclass
class Notebook:
    """One notebook, open in one page, with one kernel.

    Cells are appended at the end and run by JupyterLab's own command, as a person's Ctrl+Enter would. What
    takes too long raises an error that says what it waited for. `console_errors` collects what the page has
    complained of.

    The page may have shown other tests' notebooks before, and may show others later: what a test hangs on
    `page` itself or its context (init scripts, routes, listeners, permissions) wants a page of its own,
    `open_a_notebook(fresh=True)`.

    Attributes:
        page: Playwright's page.
        lab: the server.
        path: of the file, below `lab.root`.
        microphone: what the page was opened with.
        leave: what becomes of page and kernel at the end; called once.
        workspace: JupyterLab's name for what is open in this page.
        hideable: the page is a tab among tabs; see `hide`.
        spoiled: why no other notebook should be opened in this page.
        seconds: the other pages that `second_page` opened.
    """

    page: Page
    lab: Lab
    path: str
    microphone: Microphone
    leave: Callable[[Notebook], None]
    workspace: str
    hideable: bool = False
    spoiled: str | None = None
    console_errors: list[str] = field(default_factory=list)
    seconds: list[Notebook] = field(default_factory=list)
    _closed: bool = False
    _in_front: Page | None = None

    def __post_init__(self) -> None:
        """Listen to the page from before its first script."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_error)
        self.page.on("crash", self._on_crash)

    def _on_console(self, message: ConsoleMessage) -> None:
        where = message.location
        text = f"{message.text} ({where.get('url')}:{where.get('lineNumber')})"
        if message.type == "error" and not KNOWN_CONSOLE_ERRORS.search(text):
            self.console_errors.append(text)

    def _on_error(self, error: Error) -> None:
        if not KNOWN_CONSOLE_ERRORS.search(str(error)):
            self.console_errors.append(f"uncaught: {error}")

    def _on_crash(self, _page: Page) -> None:
        self.console_errors.append("the page crashed")
        self.spoil("it crashed")

    def spoil(self, why: str) -> None:
        """The page is not for another notebook."""
        self.spoiled = self.spoiled or why

    def load(self, timeout_s: float = 60) -> Notebook:
        """Load JupyterLab with the notebook and wait until its kernel is connected and idle."""
        self.page.goto(f"{self.lab.url}/lab/workspaces/{self.workspace}/tree/{self.path}")
        return self.wait_until_ready(timeout_s)

    def open(self, timeout_s: float = 60) -> Notebook:
        """Open the notebook in a page where JupyterLab is loaded, and wait until its kernel is idle."""
        self._call("open")
        return self.wait_until_ready(timeout_s)

    def reload(self, timeout_s: float = 60) -> Notebook:
        """Load the page again, as F5 does; the kernel lives on."""
        # Else what stood in this page before may be opened with it, and get kernels.
        self.lab.forget_workspace(self.workspace)
        self.page.reload()
        return self.wait_until_ready(timeout_s)

    def wait_until_ready(self, timeout_s: float = 60) -> Notebook:
        """Wait until JupyterLab, the notebook and its kernel are there and the kernel is idle."""
        self._call("ready", timeout_s * 1000)
        return self

    # ---- other pages, other tabs

    def second_page(self, *, same_context: bool = True) -> Notebook:
        """The same notebook in one more page, which is closed with this one.

        It shows what was saved: `save()` before, where a widget is to have a view there.

        Args:
            same_context: a tab of the same browser profile; else as if from another profile.
        """
        context = self.page.context
        if not same_context:
            assert context.browser is not None
            context = context.browser.new_context(viewport=self.page.viewport_size, reduced_motion="reduce")
            prepare(context, self.lab, self.microphone)
        second = Notebook(
            context.new_page(),
            self.lab,
            self.path,
            self.microphone,
            leave=lambda notebook: notebook.page.close() if same_context else context.close(),
            workspace=f"{self.workspace}-{uuid.uuid4().hex[:4]}",
            hideable=self.hideable and same_context,
        )
        self.seconds.append(second)
        return second.load()

    def close_tab(self) -> None:
        """Save the notebook and close JupyterLab's tab of it; the kernel lives on."""
        self.save()
        self._call("closeTab")

    def reopen_tab(self, timeout_s: float = 60) -> Notebook:
        """Open the notebook again after `close_tab`."""
        return self.open(timeout_s)

    def hide(self) -> None:
        """Put another tab in front: `document.visibilityState` is "hidden", timers fall to one a second.

        Only for `open_a_notebook(hideable=True)`.
        """
        assert self.hideable, "only a page of open_a_notebook(hideable=True) can be hidden"
        if self._in_front is None:
            self._in_front = self.page.context.new_page()
        self._in_front.bring_to_front()
        self._wait_for_visibility("hidden")

    def show(self) -> None:
        """Put the page in front again."""
        self.page.bring_to_front()
        self._wait_for_visibility("visible")

    def _wait_for_visibility(self, state: str, timeout_s: float = 10) -> None:
        # Not by wait_for_function, which asks at each drawn frame: a hidden page draws none.
        deadline = time.monotonic() + timeout_s
        while self.page.evaluate("() => document.visibilityState") != state:
            assert time.monotonic() < deadline, f"the page is not {state} after {timeout_s} s"
            time.sleep(0.02)

    # ---- cells

    def run(self, code: str, timeout_s: float = 30, *, may_fail: bool = False) -> list[Output]:
        """Run a cell to its end.

        Args:
            code: Python or magics.
            timeout_s: how long it may run.
            may_fail: give an `error` output back instead of raising it.

        Returns:
            The cell's outputs.

        Raises:
            CellFailed: the cell raised; with its traceback.
        """
        return self.finish(self.run_without_waiting(code), timeout_s, may_fail=may_fail)

    def rerun(self, cell: str, timeout_s: float = 30) -> list[Output]:
        """Run a cell that is there once more, to its end; as `run`."""
        return self.finish(str(self._call("again", cell)), timeout_s)

    def run_without_waiting(self, code: str) -> str:
        """Start a cell and come back at once; the cell's id, for `finish` and `outputs_now`."""
        return str(self._call("start", code))

    def finish(self, cell: str, timeout_s: float = 30, *, may_fail: bool = False) -> list[Output]:
        """Wait for the end of a cell that `run_without_waiting` started; as `run`."""
        outputs: list[Output] = self._call("outputs", cell, timeout_s * 1000)
        for output in outputs:
            if output["output_type"] == "error" and not may_fail:
                raise CellFailed(_plain("\n".join(output["traceback"])))
        return outputs

    def outputs_now(self, cell: str) -> list[Output]:
        """What a cell shows at this moment, running or not."""
        outputs: list[Output] = self._call("outputsNow", cell)
        return outputs

    def clear_outputs(self, cell: str) -> None:
        """Clear a cell's outputs, as "Clear Cell Output" does; a widget in them loses its view."""
        self._call("clearOutputs", cell)

    def cell_ids(self) -> list[str]:
        """Ids of all cells, in order."""
        ids: list[str] = self._call("cellIds")
        return ids

    # ---- kernel

    def kernel(self, expression: str, timeout_s: float = 30) -> Any:
        """Value of a Python expression in the kernel, without a cell, an output or a history entry.

        Runs on the kernel's main thread: while a cell runs it waits for that cell's end.

        Args:
            expression: an expression. numpy's numbers come back as numbers, pandas' NA as None, and whatever
                else JSON does not know as its `str`.
            timeout_s: how long to wait for it.
        """
        shown = self._call("evaluate", expression, timeout_s * 1000)
        return json.loads(ast.literal_eval(shown))

    def wait_for(self, expression: str, timeout_s: float = 30, every_s: float = 0.1) -> Any:
        """Evaluate `expression` in the kernel until it is true; its value, whatever JSON it is.

        Raises:
            AssertionError: it stayed false; with its last value.
        """
        deadline = time.monotonic() + timeout_s
        while not (value := self.kernel(expression, timeout_s)):
            assert time.monotonic() < deadline, f"after {timeout_s} s still {value!r}: {expression}"
            self.page.wait_for_timeout(every_s * 1000)
        return value

    def restart_kernel(self, timeout_s: float = 60) -> None:
        """Restart the kernel without asking, and wait until the new one is idle."""
        self._call("restart")
        self.wait_until_ready(timeout_s)

    def pid(self) -> int:
        """The kernel's process id; waits while a cell runs."""
        return int(self.kernel("__import__('os').getpid()"))

    def crash_kernel(self, pid: int | None = None, timeout_s: float = 60) -> None:
        """Kill the kernel's process, and wait until Jupyter has started another and that is idle.

        Args:
            pid: what `pid()` said before; needed where a cell runs.
            timeout_s: how long it may take.
        """
        process = pid or self.pid()
        self._call("expectCrash")
        os.kill(process, signal.SIGKILL)
        self._call("crashed", timeout_s * 1000)
        self.wait_until_ready(timeout_s)

    def close(self) -> None:
        """End the kernel and leave the page, without waiting for the kernel's end. Once is enough."""
        if self._closed:
            return
        self._closed = True
        for second in self.seconds:
            second.close()
        if self._in_front is not None:
            self._in_front.close()
        self.leave(self)

    def let_go(self) -> None:
        """Close all that is open in the page and forget it; the page stays. For who opens the next one.

        What the page complains of meanwhile still counts as this notebook's.
        """
        problem = self._call("tidy", with_path=False)
        if problem is not None:
            self.spoil(problem)
        self.page.remove_listener("console", self._on_console)
        self.page.remove_listener("pageerror", self._on_error)
        self.page.remove_listener("crash", self._on_crash)

    # ---- page

    def widget(self, number: int = 0) -> Locator:
        """The view of a talk, in the order of the page; `number` -1 is the last."""
        views = self.page.locator(".jp-OutputArea-output section.gip")
        return views.last if number == -1 else views.nth(number)

    def screenshot(self, path: Path, of: Locator | None = None) -> Path:
        """Write a PNG of the page, or of one part of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        (of or self.page).screenshot(path=path)
        return path

    def theme(self, name: Literal["light", "dark"]) -> None:
        """Change JupyterLab's theme; pages that are loaded later, for other notebooks, have the light one."""
        self.spoil("its theme was changed")
        self._call("theme", f"JupyterLab {name.capitalize()}", with_path=False)

    @contextmanager
    def setting(self, plugin: str, values: dict[str, Any]) -> Iterator[None]:
        """Reload the page with other user settings of a plugin; see `Lab.setting`."""
        self.spoil("its settings were other ones")
        with self.lab.setting(plugin, values):
            self.reload()
            yield

    def save(self) -> Path:
        """Save the notebook as Ctrl+S does; the file."""
        self._call("save")
        return self.lab.root / self.path

    def say(self, wav: Path) -> float:
        """Speak a WAV into the scripted microphone and wait until it is said; its length in seconds.

        Only in a notebook that was opened with `microphone="scripted"`, and after the page asked for it.
        """
        audio = base64.b64encode(wav.read_bytes()).decode("ascii")
        return float(self.page.evaluate("audio => window.gipMicrophone.say(audio)", audio))

    def _call(self, verb: str, *arguments: object, with_path: bool = True) -> Any:
        script = "([verb, args]) => window.gipLab[verb](...args)"
        return self.page.evaluate(script, [verb, [self.path, *arguments] if with_path else list(arguments)])


def prepare(context: BrowserContext, lab: Lab, microphone: Microphone) -> None:
    """Make a context's pages ready for `Notebook`, before the first is opened."""
    context.set_default_timeout(30_000)
    context.add_init_script(path=LAB_JS)
    context.add_init_script(path=MICROPHONE_JS)
    give_microphone(context, lab, microphone)


def give_microphone(context: BrowserContext, lab: Lab, microphone: Microphone) -> None:
    """Say which microphone the pages of a prepared context have; those that are open and those to come."""
    scripted = (
        f"if (window.gipMicrophone) window.gipMicrophone.scripted = {json.dumps(microphone == 'scripted')}"
    )
    context.add_init_script(scripted)
    for page in context.pages:
        page.evaluate(scripted)
    # Headless Chromium asks nobody and says no: a page has the microphone only where it is granted.
    context.clear_permissions()
    if microphone != "denied":
        context.grant_permissions(["microphone"], origin=lab.url)


def _plain(text: str) -> str:
    """A traceback without its terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
