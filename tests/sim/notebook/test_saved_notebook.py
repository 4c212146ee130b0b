"""A notebook that was run, saved and converted: what somebody sees who has no kernel."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import nbconvert
import nbformat
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from pathlib import Path

untyped: Any = nbconvert
SECRET = "sk-secret-0123456789"
HOSTILE = "hello </dl></div><script>hurt()</script><img src=x onerror=h()> $\\\\href{javascript:hurt()}{x}$"
CELLS = (
    f"""
%load_ext gip_nb
import os
import pandas as pd
os.environ["GIP_API_KEY"] = {SECRET!r}

def get_weather(city: str):
    'The weather in a city.'
    return pd.DataFrame({{"city": [city], "celsius": [21]}})

w = talk("rehearsal", tools=[get_weather])
w
""",
    "quiet = talk('rehearsal', record=False)\nquiet",
    "reply = quiet.session.ask('not for the record')",
    f"reply = w.session.ask({HOSTILE!r})",
    # Nothing runs after this one.
    "reply = w.session.ask('what is the weather in <u>Seoul</u>?')",
)


class Read(HTMLParser):
    """The elements of the record, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.depth = 0
        self.tags: set[str] = set()
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.depth or "gip-record" in (dict(attrs).get("class") or "").split():
            self.tags.add(tag)
            self.depth += tag == "div"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= bool(self.depth) and tag == "div"

    def handle_data(self, data: str) -> None:
        self.words += data if self.depth else ""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    """As `jupyter nbconvert --execute` and papermill run it: with nobody who listens after a cell's end."""
    place: Path = tmp_path_factory.mktemp("saved")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(place / name.lower()))
        notebook: nbformat.NotebookNode = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS]
        )
        resources = {"metadata": {"path": str(place)}}
        NotebookClient(notebook, timeout=60, kernel_name="python3", resources=resources).execute()
    # A widget's state is kept only where one asks for it, and draws nothing without its kernel.
    notebook.metadata.pop("widgets", None)
    return notebook


def test_the_page_shows_what_was_said_called_and_shown(saved: nbformat.NotebookNode) -> None:
    page, _ = untyped.HTMLExporter().from_notebook_node(saved)
    read = Read(page)
    for said in ("rehearsal server", "</dl></div><script>hurt()</script>", "what is the weather in <u>Seoul"):
        assert said in read.words
    assert 'get_weather(city="' in read.words
    assert "celsius" in read.words
    assert "2 turns" in read.words
    assert "3 requests" in read.words
    assert {"table", "details"} <= read.tags
    assert not read.tags & {"script", "img", "u", "a"}
    assert "$\\href" not in page


def test_what_was_switched_off_is_not_in_it_and_no_key_ever(saved: nbformat.NotebookNode) -> None:
    outputs = str([cell.outputs for cell in saved.cells])
    assert "not for the record" not in outputs
    assert SECRET not in outputs
    assert outputs.count("gip-record ") == 1


def test_who_shows_no_html_shows_text(saved: nbformat.NotebookNode) -> None:
    (record,) = (o for c in saved.cells for o in c.outputs if "gip-record" in str(o.get("data")))
    text = record.data["text/plain"]
    assert text.startswith("Talk with the rehearsal server, no model · ")
    assert "\n  You: what is the weather in <u>Seoul</u>?\n  Tool: get_weather(" in text
    body, _ = untyped.MarkdownExporter().from_notebook_node(saved)
    assert "get_weather(" in body
