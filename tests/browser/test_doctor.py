"""`doctor()` in a cell: what it reports of the page that shows a talk, while the cell still runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook
    from tests.browser.lab import Notebook


def checks(notebook: Notebook) -> dict[str, tuple[str, str, str]]:
    """Run `doctor()` in a cell; each row's state, what was found, and the next step."""
    notebook.run("report = gip_nb.doctor(); report")
    rows: list[Any] = notebook.kernel("[list(check) for check in report.checks]")
    return {what: (state, found, next_step) for what, state, found, next_step in rows}


@pytest.mark.soak  # tests/sim/diagnosis has the same without a page
def test_a_live_talk_is_looked_at_from_a_cell(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb\nimport gip_nb")
    notebook.run("w = talk(); w")
    notebook.widget().get_by_test_id("gip-start").click()
    expect(notebook.widget()).to_have_attribute("data-gip-state", "listening")
    found = checks(notebook)
    assert notebook.kernel("report.ok")
    assert found["host"][1].startswith("JupyterLab 4.")
    assert found["subshells"][:2] == ("ok", "on: a talk goes on while a cell runs")
    assert found["comm round trip"][0] in {"ok", "warn"}  # slow on a machine that builds something else
    assert "(median of " in found["comm round trip"][1]  # of nine, where they come in two seconds
    assert found["secure context"][0] == "ok"
    assert found["microphone permission"][:2] == ("ok", "granted")
    assert found["microphones"][0] == "ok"
    assert found["microphones"][1][0].isdigit()
    assert found["sound"] == ("ok", "24000 Hz", "")
    assert found["gateway"][0] == found["key"][0] == "ok"
    assert found["dialect"][1].endswith("this talk's session speaks it")
    # It is a table in the notebook, and the talk goes on.
    table = notebook.page.locator(".jp-OutputArea-output table").last
    expect(table).to_contain_text("comm round trip")
    expect(notebook.widget()).to_have_attribute("data-gip-state", "listening")


@pytest.mark.soak
def test_a_page_without_a_microphone_is_told_in_its_own_words(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="denied")
    notebook.run("%load_ext gip_nb\nimport gip_nb")
    notebook.run("w = talk(); w")
    notebook.widget().get_by_test_id("gip-start").click()
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "error")
    # Some versions of the browser now say "denied", others still "prompt".
    ((found, next_step),) = [row[1:] for row in checks(notebook).values() if row[0] == "fail"]
    assert found in {"denied", "The browser does not let this page use the microphone."}
    assert "address bar" in next_step
    assert next_step in notebook.widget().inner_text()
    assert not notebook.kernel("report.ok")


@pytest.mark.soak
def test_where_cells_hold_up_a_talk_it_says_so(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(fresh=True)
    plugin = "@jupyterlab/apputils-extension:kernels-settings"
    with notebook.setting(plugin, {"commsOverSubshells": "disabled"}):
        notebook.run("%load_ext gip_nb\nimport gip_nb")
        notebook.run("w = talk(); w")
        expect(notebook.widget()).to_have_attribute("data-gip-state", "idle")
        first = checks(notebook)
        assert first["subshells"][0] == first["comm round trip"][0] == "warn"
        assert first["comm round trip"][1].endswith("cells hold up the talk")
        assert "perCommTarget" in first["comm round trip"][2]
        # What the page answered when that cell had ended is known now.
        assert checks(notebook)["secure context"][1] == "yes (as the page said before)"
