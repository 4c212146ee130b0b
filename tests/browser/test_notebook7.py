"""The main job in Jupyter Notebook 7, which the JupyterLab server of these tests serves too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Notebook
from tests.browser.notebook import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.lab import Lab, Pages

ANSWERED = "bool((w.session.events.type == 'local.playback.ended').any())"


@pytest.fixture
def notebook7(lab: Lab, pages: Pages, browser: Browser) -> Iterator[Notebook]:
    """A notebook in Notebook 7, its kernel idle; its console errors fail the test."""
    pytest.importorskip("notebook", reason="Notebook 7 is not installed")
    path = pages.kernels.take()
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    prepare(context, lab, "file")

    def leave(_notebook: Notebook) -> None:
        context.close()
        lab.default_theme()
        pages.kernels.end(path)
        pages.kernels.prepare()

    opened = Notebook(context.new_page(), lab, path, "file", leave, workspace="")
    opened.page.goto(f"{lab.url}/notebooks/{path}")
    opened.wait_until_ready()
    # Notebook 7.6 complains of itself while it loads, before anything of ours runs.
    opened.console_errors.clear()
    yield opened
    opened.close()
    assert not opened.console_errors


@pytest.mark.soak  # a server and a page of its own; test_talk.py has the same in JupyterLab
def test_a_spoken_question_is_answered_in_sound(notebook7: Notebook) -> None:
    notebook7.run("%load_ext gip_nb\nimport gip_nb")
    notebook7.run("w = talk(); w")
    widget = notebook7.widget()
    surface = "element => getComputedStyle(element).backgroundColor"
    light = widget.evaluate(surface)
    widget.get_by_test_id("gip-start").click()
    expect(widget.locator(".gip-row[data-role=user]").first).to_contain_text("weather")
    expect(widget.locator(".gip-row[data-role=assistant]").first).to_contain_text("weather")
    # A cell that runs does not hold it up here either.
    found = notebook7.run("import time; time.sleep(2); report = gip_nb.doctor(); print(report)")
    assert "Jupyter Notebook 7" in found[0]["text"]
    assert notebook7.kernel("{c.what: c.state for c in report.checks}['subshells']") == "ok"
    notebook7.wait_for(ANSWERED)
    assert notebook7.kernel("int((w.session.events.type == 'local.mic.gap').sum())") == 0
    notebook7.theme("dark")
    assert widget.evaluate(surface) != light
    widget.get_by_test_id("gip-stop").click()
    expect(widget).to_have_attribute("data-gip-state", "closed")
