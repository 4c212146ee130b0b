"""The tutorials run from top to bottom, with no page and no key, as for a reader who presses "Run All"."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"


@pytest.fixture
def own_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and kernels of the person who runs the tests stay out; the kernel is this Python."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


# Of each tutorial: part of a cell's source, and what its output has to show.
SHOWN = {
    "01_talk.ipynb": {
        "w = talk()": "application/vnd.jupyter.widget-view+json",
        "w.session.turns": "completed",
        "events.groupby": "response.output_audio.delta",
        "w.session.audio(": "<audio",
        "gip_nb.connect(": "'name': 'stdout'",
    },
    "02_tools.ipynb": {
        "panel = display(": "{'city': 'Lisbon'}",
        "w = talk(": "37.57",
        "I live in Lisbon": "city Lisbon",
        "weather in Seoul": "21.3",
        "startswith(": "get_weather",
        "data = talk(": "application/vnd.jupyter.widget-view+json",
        "from pathlib import Path": "5 rows",
        "session.tool_calls[": "Lisbon, Nairobi",
        "evaluate(": "77.5",
    },
    "03_data.ipynb": {
        "session.plot()": "application/vnd.vegalite.v5+json",
        "plots.latency(": "image/png",
        "by_turn": "output_audio_tokens",
        "session.tool_calls": "KeyError",
        "session.label(4": "it should ask back",
        "gip_nb.load(": "<Recording",
        "gip_nb.compare(": "first_audio_ms_median",
        "plots.item(": "image/png",
    },
}


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("own_jupyter")
def test_a_tutorial_runs_from_top_to_bottom_and_shows_what_it_says(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources=where).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for part, shown in SHOWN[path.name].items():
        (output,) = (str(cell.outputs) for cell in cells if part in cell.source)
        assert shown in output, f"the cell with {part!r} shows {output}"
    warned = [output.text for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    assert not warned, "a tutorial warns of nothing:\n" + "".join(warned)


def test_the_pictures_of_a_talk_are_saved_in_its_notebook() -> None:
    notebook = nbformat.read(NOTEBOOKS / "03_data.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
