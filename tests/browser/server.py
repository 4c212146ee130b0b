"""A JupyterLab server for tests: its start, its requests, and kernels that run before they are wanted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.connection import Connection

# What Jupyter asks of a request that changes something: the same word in a cookie and in a header.
_FORGERY_CHECK = {"Cookie": "_xsrf=tests", "X-XSRFToken": "tests"}
# A kernel that was killed is started anew after this long; Jupyter's own 3 s are spent in waiting.
_TIME_TO_DEAD_S = 1.0
_STARTING_S = 10.0


@dataclass
class Lab:
    """A running JupyterLab server.

    Attributes:
        url: where it answers, without a slash at the end; no token is asked.
        root: the folder whose files it shows.
        settings: the folder of its users' settings.
        log: what it and its kernels have said.
        started_in_s: seconds from its start to its first answer.
    """

    url: str
    root: Path
    settings: Path
    log: Path
    started_in_s: float

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the server's REST interface; the answer's JSON, None where it has none. Any thread.

        Raises:
            urllib.error.HTTPError: it said no.
        """
        deadline = time.monotonic() + _STARTING_S
        while True:
            try:
                return self._request(method, path, body)
            except urllib.error.HTTPError as error:
                # jupyter_server 2.21 cannot list kernels and sessions while a kernel is being started.
                if (method, error.code) != ("GET", 500) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        asked = urllib.request.Request(  # noqa: S310  an address of ours
            f"{self.url}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **_FORGERY_CHECK},
            method=method,
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310  same
            text = answer.read()
        return json.loads(text) if text else None

    def running(self) -> list[str]:
        """Paths of the notebooks that have a kernel."""
        return [session["path"] for session in self.request("GET", "api/sessions")]

    def end_kernel(self, path: str) -> None:
        """Shut down the kernel of a notebook, if it has one. Any thread; waits for its end."""
        for session in self.request("GET", "api/sessions"):
            if session["path"] == path:
                try:
                    self.request("DELETE", f"api/sessions/{session['id']}")
                except urllib.error.HTTPError as error:
                    if error.code not in {404, 410}:  # gone meanwhile
                        raise

    def forget_workspace(self, name: str) -> None:
        """What was open in a workspace is not opened again when its page is loaded."""
        try:
            self.request("DELETE", f"lab/api/workspaces/{urllib.parse.quote(name)}")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise

    @contextmanager
    def setting(self, plugin: str, values: dict[str, Any]) -> Iterator[None]:
        """A plugin's user settings, for pages that are loaded meanwhile.

        Args:
            plugin: its id, such as `@jupyterlab/apputils-extension:kernels-settings`.
            values: all that differs from its defaults.
        """
        path = _settings_file(self.settings, plugin)
        before = path.read_bytes() if path.exists() else None
        _write_setting(self.settings, plugin, values)
        try:
            yield
        finally:
            if before is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(before)

    def default_theme(self) -> None:
        """Pages that are loaded from now on have the theme that a new user has."""
        _settings_file(self.settings, "@jupyterlab/apputils-extension:themes").unlink(missing_ok=True)


# Leaves no name in the notebook.
_WARM_UP = """
def _warm_up():
    from gip_nb.session import embedded, transport
    transport.import_openai()
    embedded.address()
    import gip_nb.notebook.widget
_warm_up()
del _warm_up
"""


class Kernels:
    """Notebooks whose kernel runs already, and the end of kernels for which no test has to wait.

    Starting a kernel takes longer than opening a notebook in a page that is there. The next one is started
    when one test ends and awaited when another begins. Its methods are for the tests' thread; what takes long
    happens on threads of its own.

    Args:
        lab: the server.
        warm: the kernels have imported what a talk needs and run an embedded server, and the next one is
            begun while a test runs, which waits for sound most of the time. Not where time is measured.
    """

    def __init__(self, lab: Lab, *, warm: bool = False) -> None:
        self._lab = lab
        self._warm = warm
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="kernels")
        self._next: Future[str] | None = None
        self._ending: list[Future[None]] = []

    def take(self) -> str:
        """Path of a new, empty notebook with an idle kernel."""
        self.prepare()
        assert self._next is not None
        path = self._next.result()
        self._next = None
        if self._warm:
            self.prepare()
        return path

    def prepare(self) -> None:
        """Begin to start the next one, unless there is one."""
        if self._next is None:
            self._next = self._threads.submit(self._start)

    def end(self, path: str) -> None:
        """Shut a notebook's kernel down, without waiting."""
        self._ending.append(self._threads.submit(self._lab.end_kernel, path))

    def settle(self) -> None:
        """Wait until all that was to end has ended.

        Raises:
            urllib.error.HTTPError: the server could not end one.
        """
        ending, self._ending = self._ending, []
        for one in ending:
            one.result()

    def close(self) -> None:
        """End what is ending and what was never taken."""
        if self._next is not None:
            self.end(self._next.result())
        self.settle()
        self._threads.shutdown()

    def _start(self) -> str:
        path = new_path()
        write_notebook(self._lab.root / path)
        session = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        kernel = self._lab.request("POST", "api/sessions", session)["kernel"]["id"]
        # The server itself looks at a kernel only while somebody is connected with it.
        address = f"{self._lab.url.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
        with connect(address, open_timeout=30, max_size=None) as channels:
            _ask(channels, "kernel_info", {})
            if self._warm:
                code = {"code": _WARM_UP, "silent": True, "store_history": False}
                _ask(channels, "execute", {**code, "user_expressions": {}, "allow_stdin": False})
        return path


def _ask(channels: Connection, request: str, content: dict[str, Any]) -> None:
    """Send a kernel one request and wait for its reply."""
    header = {"msg_id": request, "session": "tests", "username": "tests", "version": "5.3"}
    asked = {"channel": "shell", "header": {**header, "msg_type": f"{request}_request"}, "content": content}
    channels.send(json.dumps({**asked, "parent_header": {}, "metadata": {}}))
    while json.loads(channels.recv(30))["msg_type"] != f"{request}_reply":
        pass


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
    for plugin, values in _SETTINGS.items():
        _write_setting(places["settings"], plugin, values)
    _write_kernelspec(places["data"])
    _write_page_config(places["config"])
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
        "--JupyterNotebookApp.expose_app_in_browser=True",  # where Notebook 7 is installed
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        f"--KernelRestarter.time_to_dead={_TIME_TO_DEAD_S}",
    ]
    began = time.monotonic()
    with log.open("wb") as sink:
        server = subprocess.Popen(
            command, env=environment, cwd=places["root"], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    try:
        url = _wait_for_server(server, places["runtime"], log, timeout_s)
        yield Lab(
            url=url,
            root=places["root"],
            settings=places["settings"],
            log=log,
            started_in_s=time.monotonic() - began,
        )
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def new_path() -> str:
    """A file name that no notebook had before."""
    return f"talk-{uuid.uuid4().hex[:8]}.ipynb"


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


# ----------------------------------------------------------------------------------------------------- inside

_SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


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


def _settings_file(folder: Path, plugin: str) -> Path:
    package, name = plugin.split(":")
    return folder / package / f"{name}.jupyterlab-settings"


def _write_setting(folder: Path, plugin: str, values: dict[str, Any]) -> None:
    path = _settings_file(folder, plugin)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), "utf-8")


def _write_page_config(config: Path) -> None:
    # Else each load of a page makes the server ask Node whether its extensions want to be built.
    path = config / "labconfig" / "page_config.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"buildAvailable": False, "buildCheck": False}), "utf-8")


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
