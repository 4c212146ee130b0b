"""The conversation of tests/sim/test_matrix.py on several versions of the openai package, and a table of it.

    python3 .ci/matrix.py [version ...]

Without versions: the oldest and the newest that pyproject.toml allows. Each gets an environment of its own
under .venv-matrix, which is kept. Exit code 1 where one failed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from typing import TYPE_CHECKING

import machine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENVIRONMENTS = machine.ROOT / ".venv-matrix"
TEST = "tests/sim/test_matrix.py"
# What the tests' conftest and the server of this test want, besides the package with its rehearsal extra.
TOOLS = ("hypothesis", "pytest>=8.3", "pytest-timeout")
VERSION = "import importlib.metadata as m; print(m.version('openai'), 'websockets', m.version('websockets'))"


def supported(requirements: Sequence[str]) -> tuple[str, str]:
    """The oldest and the newest openai package among a project's dependencies, as pip takes them.

    Raises:
        machine.Missing: they do not name it with its bounds.
    """
    for requirement in requirements:
        bounds = re.fullmatch(r"openai\[realtime\]>=([\d.]+),(<[\d.]+)", requirement)
        if bounds:
            return f"openai[realtime]=={bounds[1]}", f"openai[realtime]{bounds[2]}"
    raise machine.Missing(
        "pyproject.toml names no openai[realtime]>=a,<b: say here how to read what it names."
    )


def python_with(package: str, name: str) -> Path | None:
    """The Python of an environment with this version of the openai package, None where pip found none."""
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    if machine.output([python, "-m", "pip", "--version"]) is None and not machine.run(
        [sys.executable, "-m", "venv", "--clear", folder]
    ):
        return None
    arguments = ["--upgrade", package, "--editable", ".[rehearsal]", *TOOLS]
    return python if machine.pip_install(python, *arguments) else None


def main(arguments: Sequence[str]) -> int:
    """Run the conversation on each version; the exit code."""
    project = tomllib.loads((machine.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    oldest, newest = supported(project["dependencies"])
    asked = {version: f"openai[realtime]=={version}" for version in arguments}
    results = []
    for name, package in (asked or {"oldest": oldest, "newest": newest}).items():
        python = python_with(package, name)
        if python is None:
            results.append((name, package, "not installed"))
            continue
        version = machine.output([python, "-c", VERSION]) or "?"
        passed = machine.run([python, "-m", "pytest", "-m", "matrix", TEST])
        results.append((name, f"openai {version}", "passed" if passed else "FAILED"))
    print()
    for name, version, result in results:
        print(f"{name:<8}  {version:<36}  {result}")
    return 0 if all(result == "passed" for _, _, result in results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except machine.Missing as missing:
        print(f"\nsetup: {missing}", file=sys.stderr)
        sys.exit(1)
