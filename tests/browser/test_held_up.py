"""A talk whose kernel takes nothing for a while, or whose way to it breaks: noticed, kept, sent, told."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook
    from tests.browser.notebook import Notebook

FRAMES = "int((w.session.events.type == 'input_audio_buffer.append').sum())"
GAPS = "int((w.session.events.type == 'local.mic.gap').sum())"
LATE = "bool((w.session.events.type == 'local.mic.late').any())"


def begin(open_a_notebook: OpenNotebook) -> Notebook:
    notebook = open_a_notebook(microphone="scripted")
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    notebook.widget().get_by_test_id("gip-start").click()
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "on")
    notebook.wait_for(f"{FRAMES} > 10")
    return notebook


def goes_on_without_a_hole(notebook: Notebook) -> None:
    before = notebook.kernel(FRAMES)
    notebook.wait_for(f"{FRAMES} > {before} + 25")
    assert notebook.kernel(GAPS) == 0


def test_a_kernel_that_stands_still_is_said_and_gets_all_that_was_said(open_a_notebook: OpenNotebook) -> None:
    notebook = begin(open_a_notebook)
    pid = notebook.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        expect(notebook.widget().locator("[data-source=line]")).to_contain_text("You are not heard yet")
        expect(notebook.widget().get_by_test_id("gip-hint")).to_contain_text("kept here")
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(notebook.widget().locator("[data-source=line]")).to_have_count(0)
    goes_on_without_a_hole(notebook)
    notebook.wait_for(LATE)


@pytest.mark.soak  # tests/sim/notebook/test_last_words.py has the rule
def test_what_a_page_had_kept_when_it_was_left_is_a_row(open_a_notebook: OpenNotebook) -> None:
    notebook = begin(open_a_notebook)
    pid = notebook.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        expect(notebook.widget().get_by_test_id("gip-hint")).to_contain_text("kept here")
        notebook.page.wait_for_timeout(2000)
        notebook.page.evaluate("() => window.dispatchEvent(new PageTransitionEvent('pagehide'))")
    finally:
        os.kill(pid, signal.SIGCONT)
    notebook.wait_for(f"{GAPS} == 1")
    # More than two seconds are never on their way to a kernel that takes nothing.
    gap = "w.session.events[w.session.events.type == 'local.mic.gap'].payload.iloc[0]"
    assert notebook.kernel(f"{gap}['missing_ms']") > 1000


def test_a_connection_to_the_server_that_breaks_loses_neither_sound_nor_words(
    open_a_notebook: OpenNotebook,
) -> None:
    notebook = begin(open_a_notebook)
    notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel._ws.close()"
    )
    box = notebook.widget().get_by_test_id("gip-text")
    box.fill("hello there")
    box.press("Enter")
    expect(notebook.widget().locator(".gip-row[data-role=user]").first).to_contain_text("hello there")
    notebook.wait_for("(w.session.turns.user_text == 'hello there').sum() == 1")
    goes_on_without_a_hole(notebook)
    # JupyterLab itself still sends into the connection that is closed.
    notebook.console_errors.clear()
