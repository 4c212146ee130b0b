"""`.ci/machine.py`: what is on a machine is found, what is not is installed, what cannot be had is named."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

import pytest

import machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def program(path: Path, says: str, exit_code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {exit_code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH but what a test puts there; nothing can be installed."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(machine, "VENV", tmp_path / "venv")
    monkeypatch.setattr(machine, "BROWSER_PATHS", ())
    monkeypatch.setattr(machine, "apt_is_ours", lambda: False)
    return tmp_path


# ---- Node


def test_node_is_the_first_that_is_new_enough_and_has_npm(tmp_path: Path) -> None:
    program(tmp_path / "old" / "node", "v18.19.0")
    program(tmp_path / "old" / "npm", "9")
    program(tmp_path / "without-npm" / "node", "v22.1.0")
    program(tmp_path / "broken" / "node", "v20.0.0", exit_code=1)
    program(tmp_path / "broken" / "npm", "10")
    good = program(tmp_path / "good" / "node", "v20.0.0").parent
    program(good / "npm", "10")
    folders = [tmp_path / name for name in ("empty", "old", "without-npm", "broken", "good")]
    assert machine.find_node(folders) == good
    assert machine.find_node(folders[:-1]) is None


def test_node_is_installed_into_the_environment_where_there_is_none(bare: Path) -> None:
    program(bare / "bin" / "node", "v12.0.0")
    # A pip that "installs" node and npm beside itself, with what a shell on an empty PATH can do.
    python = bare / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    node, npm = python.with_name("node"), python.with_name("npm")
    os.link(program(bare / "store" / "node", "v24.0.0"), bare / "store" / "npm")
    python.write_text(f"#!/bin/sh\n/bin/ln -s {bare}/store/node {node}\n/bin/ln -s {bare}/store/npm {npm}\n")
    python.chmod(0o755)
    assert machine.provide_node() == bare / "venv" / "bin"


def test_no_node_is_named(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.main(["node"]) == 1
    output = capsys.readouterr()
    assert "Node 20 or newer with npm is needed" in output.err
    assert output.out == ""


# ---- browser


def test_the_browser_is_one_that_runs(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(bare / "bin" / "chromium", "please install the snap", exit_code=1)
    program(bare / "bin" / "chromium-browser", "a wrapper of something else")
    chrome = program(bare / "bin" / "google-chrome", "Google Chrome 140.0.1")
    assert machine.main(["browser", "--find"]) == 0
    assert capsys.readouterr().out.strip() == str(chrome)


def test_a_browser_is_installed_by_debian_first_and_by_playwright_next(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def apt_install(*packages: str) -> bool:
        tried.append(packages[0])
        return False

    def run(command: list[str | Path], **_environment: str) -> bool:
        tried.append(" ".join(map(str, command[1:])))
        program(bare / "bin" / "chromium", "Chromium 140")
        return True

    program(bare / "venv" / "bin" / "python", "Version 1.65.2")
    monkeypatch.setattr(machine, "apt_is_ours", lambda: True)
    monkeypatch.setattr(machine, "apt_install", apt_install)
    monkeypatch.setattr(machine, "run", run)
    assert machine.provide_browser() == bare / "bin" / "chromium"
    assert tried == ["chromium", "-m playwright install chromium"]


def test_playwright_gets_the_library_that_its_node_wants(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = program(bare / "venv" / "bin" / "python", "libatomic.so.1: cannot open", exit_code=127)
    program(bare / "bin" / "chromium", "Chromium 140")

    def apt_install(*packages: str) -> bool:
        assert packages == ("libatomic1",)
        program(python, "Version 1.65.2")
        return True

    monkeypatch.setattr(machine, "apt_is_ours", lambda: True)
    monkeypatch.setattr(machine, "apt_install", apt_install)
    assert machine.provide_browser() == bare / "bin" / "chromium"


def test_a_playwright_that_does_not_start_is_named(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(bare / "bin" / "chromium", "Chromium 140")
    assert machine.main(["browser"]) == 1
    assert "sudo apt-get install libatomic1" in capsys.readouterr().err


def test_no_browser_is_named_and_looking_installs_nothing(
    bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> bool:
        raise AssertionError

    monkeypatch.setattr(machine, "run", never)
    assert machine.main(["browser", "--find"]) == 1
    said = capsys.readouterr().err
    assert "apt-get install chromium" in said
    assert "make test-fast" in said


# ---- Python


def test_an_old_python_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PYTHON_AT_LEAST", (9, 9))
    assert machine.main(["environment"]) == 1
    said = capsys.readouterr().err
    assert "Python 9.9 or newer is needed" in said
    assert "make PYTHON=" in said


def without_ensurepip(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[str], object] = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else real(name))


def test_a_python_without_venv_is_named(
    bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ensurepip(monkeypatch)
    assert machine.main(["environment"]) == 1
    assert "-venv`, then run make again" in capsys.readouterr().err
    assert not (bare / "venv").exists()


def test_debians_venv_package_is_installed_where_it_lacks(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []

    def apt_install(*packages: str) -> bool:
        installed.extend(packages)
        return len(installed) > 1  # as if Debian had no versioned one

    commands: list[list[str | Path]] = []

    def run(command: list[str | Path], **_environment: str) -> bool:
        commands.append(command)
        return True

    without_ensurepip(monkeypatch)
    monkeypatch.setattr(machine, "apt_is_ours", lambda: True)
    monkeypatch.setattr(machine, "apt_install", apt_install)
    monkeypatch.setattr(machine, "run", run)
    python = machine.environment("dev")
    assert python == bare / "venv" / "bin" / "python"
    assert installed[0].startswith("python3.")
    assert installed[1] == "python3-venv"
    assert commands[0][1:3] == ["-m", "venv"]
    assert commands[1][-1] == ".[dev]"
    assert "--constraint" in commands[1]


def test_held_versions_that_do_not_fit_are_let_go(
    bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bare / "venv" / "bin" / "python", "pip 25.0")
    monkeypatch.setattr(machine, "run", lambda command, **_: "--constraint" not in command)
    assert machine.main(["environment"]) == 0
    assert "taking what does" in capsys.readouterr().err


def test_a_failed_installation_says_how_to_go_on(
    bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bare / "venv" / "bin" / "python", "pip 25.0", exit_code=0)
    monkeypatch.setattr(machine, "run", lambda *_, **__: False)
    assert machine.main(["environment", "--extras", "rehearsal,dev"]) == 1
    assert "make EXTRAS=dev" in capsys.readouterr().err
