"""The rooms of the package: what each may import, and what importing it pulls in."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gip_nb

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(gip_nb.__file__).parent
HEAVY = {"openai", "IPython", "anywidget", "pandas"}

# They call what is the user's, a coroutine or a function in a thread, or read the notebook that runs.
CALLS = {"call.py", "cancellation.py", "notebook_tools.py", "toolbox.py"}
PURE_FILES = (
    *(
        PACKAGE / name
        for name in (
            *("errors.py", "audio.py", "html_text.py", "resampling.py"),
            *("journal/comparison_html.py", "journal/placeholders.py", "journal/redaction.py"),
            "journal/structure.py",
            *("notebook/messages.py", "notebook/record.py", "notebook/static_result.py"),
        )
    ),
    *(PACKAGE / "journal" / name for name in ("layout.py", "offline.py", "row_file.py")),
    *(PACKAGE / "diagnosis" / name for name in ("checks.py", "facts.py", "report.py")),
    *sorted((PACKAGE / "protocol").glob("*.py")),
    *sorted(path for path in (PACKAGE / "tools").rglob("*.py") if path.name not in CALLS),
)
# Clocks, threads, sockets, processes: what a pure module is told or given, never fetches. (`tools/`
# calls functions that may be coroutines, so it may look at them with `inspect`; it runs no loop.)
IMPURE = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "select", "selectors", "signal", "socket", "ssl"),
    *("subprocess", "threading", "time", "urllib", "websockets", "http"),
}
# Room -> the rooms that it may call. What stands beside them (errors, audio) is for all.
ROOMS = {
    "tools": set(),
    "protocol": set(),
    "journal": {"protocol", "tools"},
    "session": {"protocol", "journal", "tools"},
    "notebook": {"session", "protocol", "journal", "tools"},
    "rehearsal": {"protocol"},
    "diagnosis": {"notebook", "session"},
    # Nobody calls it but tests, the users' and our own.
    "testing": {"session", "protocol"},
}


def names_of(files: tuple[Path, ...]) -> list[str]:
    return [".".join(["gip_nb", *path.relative_to(PACKAGE).with_suffix("").parts]) for path in files]


def imported(path: Path) -> Iterator[str]:
    """Names of modules that a file imports when it runs, also late ones; not those for type checkers."""
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def pulled_in(code: str) -> set[str]:
    """Top-level modules that a fresh process has after it ran `code`."""
    script = (
        f"{code}\nimport json, sys; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_pure_module_pulls_in_nothing_heavy() -> None:
    # One after the other in one process: a process each would take a quarter of a minute.
    script = (
        "import importlib, sys\n"
        f"for name in {names_of(PURE_FILES)!r}:\n"
        "    importlib.import_module(name)\n"
        f"    found = {HEAVY!r} & set(sys.modules)\n"
        "    assert not found, f'{name} pulls in {found}'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", PURE_FILES, ids=names_of(PURE_FILES))
def test_a_pure_module_has_no_clock_thread_or_socket(path: Path) -> None:
    # What reads pandas objects calls pandas when it does; importing it pulls in nothing (see above).
    subject = {"pandas"} if path.parent.name == "reading" else set()
    assert not {name.split(".")[0] for name in imported(path)} & ((IMPURE | HEAVY) - subject)


SHELL = "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()\n"
LOAD = "shell.run_line_magic('load_ext', 'gip_nb')\n"
# What costs the time of a start: named one by one, so that a failure says which.
COSTLY = {*HEAVY, "dotenv", "ipywidgets", "msgspec", "numpy", "pydantic", "traitlets", "websockets"}


def test_importing_the_package_pulls_in_nothing_heavy() -> None:
    after = pulled_in("import gip_nb")
    assert not after & COSTLY
    # Nor anything else that is not Python's own.
    assert after - pulled_in("") <= {"gip_nb", *sys.stdlib_module_names}


def test_loading_the_extension_pulls_in_nothing_heavy_but_ipython() -> None:
    bare = pulled_in(SHELL)
    after = pulled_in(
        f"{SHELL}{LOAD}import gip_nb\nassert shell.user_ns['talk'] is gip_nb.talk\n"
        "assert shell.find_line_magic('talk').__doc__"
    )
    assert not (after - bare) & COSTLY
    assert not after & {"openai", "anywidget", "pandas", "numpy"}
    assert after - bare <= {"gip_nb", *sys.stdlib_module_names}


@pytest.mark.parametrize("room", ROOMS)
def test_no_arrow_runs_back_up(room: str) -> None:
    allowed = ROOMS[room] | {room}
    for path in (PACKAGE / room).rglob("*.py"):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "gip_nb" and len(parts) > 1 and (PACKAGE / parts[1]).is_dir():
                assert parts[1] in allowed, f"{path.relative_to(PACKAGE)} imports {name}"


def test_openai_is_imported_in_one_place() -> None:
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "openai" for name in imported(path))
    }
    assert importers == {"session/transport.py"}
