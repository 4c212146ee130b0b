"""A commit is checked as `make test` checks: pre-commit's hooks and `make lint` run the same programs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent.parent
VARIABLES = {"$(BIN)/": ".venv/bin/", "$(NPM)": "npm"}


def recipe(target: str) -> list[str]:
    """Commands of a target of the Makefile, its variables filled in."""
    text = (ROOT / "Makefile").read_text("utf-8")
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert found, f"the Makefile has no recipe for {target}"
    lines = found.group(1)
    for name, value in VARIABLES.items():
        lines = lines.replace(name, value)
    return [line.strip() for line in lines.splitlines()]


def hooks() -> list[str]:
    """Commands of pre-commit's hooks; of one that calls make, those of its target."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    commands: list[str] = []
    for repository in config["repos"]:
        assert repository["repo"] == "local", "hooks run from the same environment as `make test`"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            words = shlex.split(hook["entry"])
            commands += recipe(words[-1]) if words[0] == "make" else [hook["entry"]]
    return commands


def program(command: str) -> tuple[str, ...]:
    """A command without its options and without the files: those are pre-commit's to choose."""
    return tuple(word for word in shlex.split(command) if not word.startswith("-") and word != ".")


def test_hooks_and_lint_run_the_same_programs() -> None:
    expected = [program(command) for command in recipe("lint")]
    assert [program(command) for command in hooks()] == expected
    assert (".venv/bin/ruff", "check") in expected


def test_the_tests_begin_with_the_same_checks() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    found = re.search(r"^test:(.*?)(##|$)", text, re.MULTILINE)
    assert found
    assert "lint" in found.group(1).split()
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")
