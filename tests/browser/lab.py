"""A real JupyterLab, a real Chromium, and `Notebook`, the page object through which tests use them.

Measured facts that tests rely on (JupyterLab 4.6, Chromium 156, headless):

- The fake microphone starts its WAV from the beginning each time a microphone is opened, and goes on with
  silence after its end (`%noloop`).
- Where no permission was granted, headless Chromium answers `getUserMedia` with NotAllowedError at once.
- JupyterLab answers 2.5 s after its start; a fresh notebook in a fresh context is ready in 4.3 s.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
import wave
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Playwright

HERE = Path(__file__).parent
LAB_JS = HERE / "lab.js"
MICROPHONE_JS = HERE / "microphone.js"

SAMPLE_RATE_HZ = 24_000
CHROMIUM_FLAGS = (
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# What JupyterLab itself writes to the console as an error, in a healthy page.
KNOWN_CONSOLE_ERRORS = (
    "Could not restore the debugger state",  # the kernel ended before its debugger answered
)

Output = dict[str, Any]
"""One output of a cell, as nbformat has it: `output_type` and what belongs to it."""


class CellFailed(AssertionError):
    """A cell that was to run raised; its traceback is the message."""


# ------------------------------------------------------------------------------------------------- JupyterLab


@dataclass
class Lab:
    """A running JupyterLab server.

    Attributes:
        url: where it answers, without a slash at the end; no token is asked.
        root: the folder whose files it shows.
        log: what it and its kernels have said.
        started_in_s: seconds from its start to its first answer.
    """

    url: str
    root: Path
    log: Path
    started_in_s: float

    def running(self) -> list[str]:
        """Paths of the notebooks that have a kernel."""
        with urllib.request.urlopen(f"{self.url}/api/sessions", timeout=10) as answer:  # noqa: S310  ours
            return [session["path"] for session in json.load(answer)]


@contextmanager
def running_lab(folder: Path, timeout_s: float = 60) -> Iterator[Lab]:
    """A JupyterLab of its own under `folder`, touched by no setting of the person who runs the tests.

    Args:
        folder: an empty folder for its files, settings, kernels and log.
        timeout_s: how long it may take to answer.

    Yields:
        The running server, which is ended afterwards together with its kernels.

    Raises:
        RuntimeError: it ended or stayed silent; with the end of its log.
    """
    places = {name: folder / name for name in ("root", "config", "settings", "workspaces", "data", "runtime")}
    places["ipython"] = folder / "ipython"
    for place in places.values():
        place.mkdir(parents=True)
    _write_settings(places["settings"])
    _write_kernelspec(places["data"])
    log = folder / "jupyter.log"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GIP_", "JUPYTER"))},
        "IPYTHONDIR": str(places["ipython"]),
        "JUPYTER_CONFIG_DIR": str(places["config"]),
        "JUPYTER_DATA_DIR": str(places["data"]),
        "JUPYTER_RUNTIME_DIR": str(places["runtime"]),
        "JUPYTERLAB_SETTINGS_DIR": str(places["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(places["workspaces"]),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={_free_port()}",  # where it is taken meanwhile, Jupyter goes on to the next
        f"--ServerApp.root_dir={places['root']}",
        "--ServerApp.password=",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    began = time.monotonic()
    with log.open("wb") as sink:
        server = subprocess.Popen(
            command, env=environment, cwd=places["root"], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    try:
        url = _wait_for_server(server, places["runtime"], log, timeout_s)
        yield Lab(url=url, root=places["root"], log=log, started_in_s=time.monotonic() - began)
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_server(server: subprocess.Popen[bytes], runtime: Path, log: Path, timeout_s: float) -> str:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and server.poll() is None:
        for info in runtime.glob("jpserver-*.json"):
            try:
                url = str(json.loads(info.read_text("utf-8"))["url"]).rstrip("/")
                with urllib.request.urlopen(f"{url}/api/status", timeout=5):  # noqa: S310  an address of ours
                    return url
            except (OSError, ValueError, KeyError):
                continue  # half written, or not yet listening
        time.sleep(0.05)
    said = log.read_text("utf-8", errors="replace")[-3000:]
    message = f"JupyterLab did not answer within {timeout_s} s (exit code {server.poll()}):\n{said}"
    raise RuntimeError(message)


def _write_settings(folder: Path) -> None:
    settings = {
        "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    }
    for name, values in settings.items():
        package, plugin = name.rsplit("/", 1)
        path = folder / package / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), "utf-8")


def _write_kernelspec(data: Path) -> None:
    folder = data / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
        "metadata": {"debugger": False},
    }
    (folder / "kernel.json").write_text(json.dumps(spec), "utf-8")


# --------------------------------------------------------------------------------------------------- Chromium


def microphone_wav(question: Path, target: Path, *, lead_in_s: float = 0.5, silence_s: float = 60) -> Path:
    """Write what the fake microphone plays: a short silence, the question, a long silence.

    Args:
        question: a WAV, int16, mono, 24 000 Hz.
        target: the WAV to write.
        lead_in_s: silence before the first word, so that nothing of it is lost to the start of the capture.
        silence_s: silence after it, which turn detection needs to see the end of the speech.

    Returns:
        `target`.
    """
    with wave.open(str(question), "rb") as source:
        assert (source.getnchannels(), source.getsampwidth(), source.getframerate()) == (1, 2, SAMPLE_RATE_HZ)
        speech = source.readframes(source.getnframes())
    with wave.open(str(target), "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(SAMPLE_RATE_HZ)
        sink.writeframes(bytes(2 * round(lead_in_s * SAMPLE_RATE_HZ)))
        sink.writeframes(speech)
        sink.writeframes(bytes(2 * round(silence_s * SAMPLE_RATE_HZ)))
    return target


def find_browser() -> str:
    """The Chromium or Chrome that `make setup` finds too.

    Raises:
        RuntimeError: there is none; the message says what to do.
    """
    script = HERE.parent.parent / ".ci" / "machine.py"
    found = subprocess.run(
        [sys.executable, script, "browser", "--find"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise RuntimeError(found.stderr.strip())
    return found.stdout.strip()


def launch_chromium(
    playwright: Playwright, executable: str, microphone: Path | None, *, without: tuple[str, ...] = ()
) -> Browser:
    """A headless Chromium whose microphone plays a file once.

    Args:
        playwright: the running Playwright.
        executable: the browser.
        microphone: WAV that each opened microphone plays from its start, then silence; None: Chromium's own
            fake device, which beeps once a second.
        without: flags of `CHROMIUM_FLAGS` to leave out, for tests of what a flag hides.
    """
    flags = [flag for flag in CHROMIUM_FLAGS if flag not in without]
    if microphone is not None:
        flags.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    return playwright.chromium.launch(executable_path=executable, headless=True, args=flags)


# --------------------------------------------------------------------------------------------------- Notebook


@dataclass
class Notebook:
    """One notebook, open in one page of its own, with one kernel.

    Cells are appended at the end and run by JupyterLab's own command, as a person's Ctrl+Enter would. What
    takes too long raises an error that says what it waited for. `console_errors` collects what the page has
    complained of.
    """

    page: Page
    lab: Lab
    path: str
    console_errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen to the page from before its first script."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.console_errors.append(f"uncaught: {error}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        text = message.text
        if message.type == "error" and not any(known in text for known in KNOWN_CONSOLE_ERRORS):
            where = message.location
            self.console_errors.append(f"{text} ({where.get('url')}:{where.get('lineNumber')})")

    def open(self, timeout_s: float = 60) -> Notebook:
        """Go to the notebook and wait until its kernel is connected and idle."""
        workspace = Path(self.path).stem
        self.page.goto(f"{self.lab.url}/lab/workspaces/{workspace}/tree/{self.path}")
        return self.wait_until_ready(timeout_s)

    def reload(self, timeout_s: float = 60) -> Notebook:
        """Load the page again, as F5 does; the kernel lives on."""
        self.page.reload()
        return self.wait_until_ready(timeout_s)

    def wait_until_ready(self, timeout_s: float = 60) -> Notebook:
        """Wait until JupyterLab, the notebook and its kernel are there and the kernel is idle."""
        self._call("ready", timeout_s * 1000)
        return self

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

    def close(self) -> None:
        """Shut the kernel down and leave the page; the browser context closes with it. Once is enough."""
        if self.page.is_closed():
            return
        try:
            self._call("shutdown")
        finally:
            self.page.context.close()

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
        """Change JupyterLab's theme; for this server's later pages too, until it is changed back."""
        self._call("theme", f"JupyterLab {name.capitalize()}", with_path=False)

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


Microphone = Literal["file", "scripted", "denied"]


def open_notebook(
    lab: Lab,
    browser: Browser,
    *,
    microphone: Microphone = "file",
    name: str | None = None,
    **context_options: Any,
) -> Notebook:
    """A fresh notebook in a fresh browser context, its kernel idle.

    Args:
        lab: the server.
        browser: from `launch_chromium`.
        microphone: "file": what the browser was launched with; "scripted": silent until `Notebook.say`;
            "denied": the page is refused the microphone.
        name: file name; by default one that was never used. An existing file is opened as it is.
        context_options: Playwright's, such as `viewport` or `reduced_motion`.

    Returns:
        The page object; close it.
    """
    options = {"viewport": {"width": 1280, "height": 900}, **context_options}
    context = browser.new_context(**options)
    try:
        _prepare(context, lab, microphone)
        path = name or f"talk-{uuid.uuid4().hex[:8]}.ipynb"
        if not (lab.root / path).exists():
            write_notebook(lab.root / path)
        return Notebook(context.new_page(), lab, path).open()
    except BaseException:
        context.close()
        raise


def _prepare(context: BrowserContext, lab: Lab, microphone: Microphone) -> None:
    context.set_default_timeout(30_000)
    context.add_init_script(path=LAB_JS)
    if microphone == "scripted":
        context.add_init_script(path=MICROPHONE_JS)
    # Headless Chromium asks nobody and says no: a page has the microphone only where it is granted.
    if microphone != "denied":
        context.grant_permissions(["microphone"], origin=lab.url)


def write_notebook(path: Path, *sources: str) -> Path:
    """Write a notebook file with these code cells, for the kernel of these tests."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{n}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": s,
        }
        for n, s in enumerate(sources or ("",))
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), "utf-8")
    return path


def _plain(text: str) -> str:
    """A traceback without its terminal colours."""
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)
