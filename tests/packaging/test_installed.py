"""The wheel as a user gets it: installed where there is neither Node nor this source tree, it holds a talk.

Two ways. `make test` borrows the packages that it depends on from the environment that runs the tests: what
is in the wheel is tried, in seconds. `make test-wheel` lets pip fetch them from the registry, in the newest
versions that the wheel's own requirements allow: those are tried too, and it takes minutes and a network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent.parent
STATIC = ROOT / "src" / "gip_nb" / "notebook" / "static"

TURNS = """
import json, shutil, sys
from importlib.util import find_spec
from pathlib import Path
import gip_nb

package = Path(gip_nb.__file__).parent
talk = gip_nb.talk("rehearsal")
with gip_nb.connect("rehearsal") as session:
    typed = session.ask("hello there")
    spoken = session.ask(package / "rehearsal" / "question.wav")
    turns = session.turns
    told = {
        "package": str(package),
        "path": sys.path,
        "node": shutil.which("node") or shutil.which("npm"),
        "ears": find_spec("pocketsphinx") is not None,
        "typed": typed.text,
        "spoken": spoken.text,
        "heard": turns.user_text.iloc[-1],
        "samples": [len(typed.audio), len(spoken.audio)],
        "status": turns.status.tolist(),
    }
told["bundle"] = [len(talk._esm), len(talk._css)]
print(json.dumps(told))
"""


class Installed(NamedTuple):
    """An environment with the wheel in it."""

    bin: Path
    elsewhere: Path

    def run(self, *command: str | Path) -> str:
        """What a program says, run in an empty folder with nothing of this process's environment."""
        environment = {"PATH": str(self.bin), "HOME": str(self.elsewhere), "LANG": "C.UTF-8"}
        done = subprocess.run(
            command, cwd=self.elsewhere, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this tree, with the bundle that is there."""
    assert (STATIC / "widget.js").exists(), "the page bundle is not built: run `make js`"
    folder = tmp_path_factory.mktemp("wheel")
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        folder,
        ROOT,
    ]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(
    scope="module",
    params=["borrowed", pytest.param("fetched", marks=[pytest.mark.registry, pytest.mark.timeout(1200)])],
)
def installed(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    (folder / "elsewhere").mkdir()
    venv.create(folder / "venv", symlinks=True)
    found = Installed(folder / "venv" / "bin", folder / "elsewhere")
    if request.param == "borrowed":
        site = Path(
            sysconfig.get_path(
                "purelib", vars={"base": str(found.bin.parent), "platbase": str(found.bin.parent)}
            )
        )
        # A folder named in a .pth is searched, and its own .pth files are not read: this source tree, which
        # is installed editable there, stays out of reach.
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        what = ["--no-deps", "--no-index", str(wheel)]
    else:
        what = [f"{wheel}[rehearsal]"]
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        found.bin / "python",
        "install",
        "--quiet",
        *what,
    ]
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    done = subprocess.run(pip, env={**os.environ, **quiet}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return found


def test_the_installed_wheel_holds_a_talk_without_node_and_without_the_sources(installed: Installed) -> None:
    told = json.loads(installed.run(installed.bin / "python", "-c", TURNS).splitlines()[-1])
    assert Path(told["package"]).is_relative_to(installed.bin.parent)
    # The empty entry is the folder that it runs in.
    assert not [entry for entry in told["path"] if entry and Path(entry).resolve() in {ROOT, ROOT / "src"}]
    assert told["node"] is None
    assert told["typed"]
    assert told["spoken"]
    assert min(told["samples"]) > 24_000
    assert told["status"] == ["completed", "completed"]
    if told["ears"]:
        assert "weather" in told["heard"]
    assert told["bundle"] == [len((STATIC / name).read_text("utf-8")) for name in ("widget.js", "widget.css")]


def test_the_installed_program_shows_a_turn_and_ends(installed: Installed) -> None:
    said = installed.run(installed.bin / "gip-nb", "demo", "--headless")
    assert "session.turns  1 row" in said
    assert "completed" in said
    assert list(installed.elsewhere.iterdir()) == []
