"""What a talk leaves in the notebook: hidden where the widget lives, shown where it does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.notebook import Notebook

TOOL = '''
import pandas as pd
from IPython.display import HTML, display

def get_weather(city: str):
    """The weather in a city."""
    display(HTML("<p>looking it up</p>"))
    return pd.DataFrame({"city": [city], "celsius": [21]})
'''
HOSTILE = "hello <img src=x onerror=\"document.body.dataset.hurt='yes'\">"


@pytest.mark.soak  # tests/sim/notebook/test_saved_notebook.py has the page that is saved
def test_the_record_is_there_when_the_kernel_is_not_and_tools_show_what_they_return(
    notebook: Notebook,
) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run(TOOL)
    notebook.run("w = talk(tools=[get_weather]); w")
    # From the page, when no cell runs: as people talk.
    box = notebook.widget().get_by_test_id("gip-text")
    for words in (HOSTILE, "what is the weather in Seoul?"):
        box.fill(words)
        box.press("Enter")
        answers = notebook.widget().locator(".gip-row[data-role=assistant]")
        expect(answers.last).to_contain_text("says" if "weather" in words else "Hello")
    shown = notebook.page.locator(".jp-OutputArea .widget-output")
    expect(shown.locator("table.dataframe")).to_contain_text("Seoul")
    expect(shown).to_contain_text("looking it up")
    record = notebook.page.locator(".gip-record")
    expect(record).to_contain_text("what is the weather in Seoul?")
    expect(record).to_be_hidden()
    # Nor does the host's box around it take any place.
    expect(notebook.page.locator(".jp-OutputArea-child").filter(has=record)).to_be_hidden()

    # Loaded again with its kernel: the widget lives, and what the tool showed is there again.
    notebook.wait_for("w.session.turns.status.eq('completed').sum() == 2")
    expect(record).to_contain_text("2 turns")
    expect(record).to_contain_text("The tool get weather says")
    expect(record.locator("table.dataframe")).to_contain_text("Seoul")
    notebook.save()
    notebook.reload()
    expect(notebook.widget()).to_contain_text("what is the weather in Seoul?")
    expect(shown.locator("table.dataframe")).to_contain_text("Seoul")
    expect(record).to_be_hidden()

    # And without its kernel: as a colleague sees it.
    notebook.spoil("it shows widgets whose kernel is gone, and JupyterLab complains of them once more")
    notebook.restart_kernel()
    notebook.reload()
    expect(record).to_be_visible()
    expect(record).to_contain_text(HOSTILE)
    expect(record.locator("table.dataframe")).to_contain_text("Seoul")
    notebook.console_errors.clear()  # JupyterLab says that it has no widget to show
    assert notebook.page.evaluate("() => document.body.dataset.hurt ?? null") is None
    saved = json.loads(notebook.save().read_text("utf-8"))
    assert "gip-record" in json.dumps(saved)
