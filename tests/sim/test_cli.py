"""`gip-nb`: what a person sees in a terminal, and what a shell gets back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gip_nb
from gip_nb import cli
from gip_nb.errors import RehearsalFailed

if TYPE_CHECKING:
    from typing import NoReturn

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test runs in the repository, where a `.env` could lie."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADLESS", raising=False)
    return tmp_path


def test_demo_prints_what_was_said_what_was_answered_and_the_tables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, somewhere: Path
) -> None:
    monkeypatch.setenv("HEADLESS", "1")
    assert cli.main(["demo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (said,) = (line for line in lines if line.startswith("  you "))
    assert said.endswith("(1.8 s of speech)")
    if find_spec("pocketsphinx"):
        assert "weather" in said
    assert any(line.startswith("  answer ") for line in lines)
    turns = lines.index("session.turns  1 row")
    assert lines[turns + 1].split()[:2] == ["turn", "status"]
    assert lines[turns + 2].split()[:2] == ["1", "completed"]
    events = {line.split()[0]: line.split()[1:4] for line in lines if "." in line and line.startswith("  ")}
    assert events["response.done"] == ["·", "1", "·"]
    assert int(events["input_audio_buffer.append"][0]) > 1
    assert list(somewhere.iterdir()) == []


def test_one_of_our_errors_is_two_lines_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(_model: str) -> NoReturn:
        raise RehearsalFailed("it did not start", "look at its log.")

    monkeypatch.setattr(gip_nb, "connect", connect)
    assert cli.main(["demo", "--headless"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("gip-nb: ")
    assert "did not start" in said.splitlines()[0]
    assert said.splitlines()[1].startswith("→ ")
    assert "Traceback" not in said


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_model: str) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(gip_nb, "connect", connect)
    assert cli.main(["demo", "--headless"]) == 130


@pytest.mark.parametrize("arguments", [[], ["dmeo"], ["demo", "--headles5"]])
def test_a_wrong_command_line_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: gip-nb" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"gip_nb {gip_nb.__version__}\n"


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_where_it_is_and_ends_when_told(by: signal.Signals) -> None:
    command = [sys.executable, "-m", "gip_nb.cli", "serve", "--key", "a-key"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        first = json.loads(server.stdout.readline())
        assert first["url"].startswith("ws://127.0.0.1:")
        assert first["key"] == "a-key"
        server.send_signal(by)
        assert server.wait(10) == 0
        assert server.stdout.read() == ""


# ---- the tutorial


def test_in_a_copy_of_the_repository_the_tutorial_is_the_one_there() -> None:
    assert cli.tutorial_in(ROOT) == Path("notebooks/01_talk.ipynb")


def test_elsewhere_it_is_put_beside_the_person_and_never_written_over(somewhere: Path) -> None:
    assert cli.tutorial_in(somewhere) == Path("01_talk.ipynb")
    copy = somewhere / "01_talk.ipynb"
    assert copy.read_bytes() == (ROOT / "notebooks" / "01_talk.ipynb").read_bytes()
    copy.write_text("mine now")
    assert cli.tutorial_in(somewhere) == Path("01_talk.ipynb")
    assert copy.read_text() == "mine now"


def test_jupyterlab_opens_on_it(
    somewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    python = somewhere / "python"
    python.write_text("#!/bin/sh\necho started with $@\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert cli.open_tutorial() == 3  # JupyterLab's own
    said = capfd.readouterr().out
    assert "started with -m jupyterlab 01_talk.ipynb" in said
    assert "Ctrl-C here ends it" in said


def test_without_jupyterlab_it_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "jupyterlab" else find_spec(name))
    assert cli.open_tutorial() == 1
    assert "pip install jupyterlab" in capsys.readouterr().err
