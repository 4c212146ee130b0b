"""The tutorials run from top to bottom, with no page and no key, as for a reader who presses "Run All"."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"


@pytest.fixture
def own_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and kernels of the person who runs the tests stay out; the kernel is this Python."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def run(path: Path, cwd: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(cwd)}}
    )
    client.execute(env={name: value for name, value in os.environ.items() if not name.startswith("GIP_")})
    return notebook


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("own_jupyter")
def test_a_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    notebook = run(path, tmp_path)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs
    stderr = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not stderr, "a tutorial warns of nothing:\n" + "".join(stderr)


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("own_jupyter")
def test_the_first_tutorial_shows_what_it_says(tmp_path: Path) -> None:
    notebook = run(NOTEBOOKS / "01_talk.ipynb", tmp_path)
    shown = {cell.source: str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"}

    def output_of(part: str) -> str:
        (text,) = (text for source, text in shown.items() if part in source)
        return text

    assert "application/vnd.jupyter.widget-view+json" in output_of("w = talk()")
    assert "completed" in output_of("w.session.turns")
    assert "response.done" in output_of("w.session.events")
    assert "audio" in output_of("w.session.audio(")
