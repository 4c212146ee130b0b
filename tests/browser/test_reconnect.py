"""The line goes in mid-talk: the page says so, counts down, tries when told to, and the talk goes on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from gip_nb.testing import (
    Close,
    Cue,
    Expect,
    Say,
    Stage,
    answer,
    item_taken,
    session_created,
    session_updated,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gip_nb.testing import Step
    from tests.browser.notebook import Notebook

MODEL = "openai/gpt-realtime"
# The microphone goes on meanwhile: a server that does not listen takes no turn from it.
FIRST: list[Step] = [
    session_created(id="sess_1"),
    Expect("session.update"),
    Say(session_updated),
    Expect("conversation.item.create", timeout_s=60),
    Say(item_taken),
    Expect("response.create"),
    *answer("Nice to meet you.", response_id="resp_1", item_id="item_1"),
    Cue("go", timeout_s=60),
    Close(1012, "restart"),
]
SECOND: list[Step] = [
    session_created(id="sess_2"),
    Expect("session.update"),
    Say(session_updated),
    Expect("conversation.item.create"),
    Expect("conversation.item.create"),
    Expect("conversation.item.create", timeout_s=60),
    Say(item_taken),
    Expect("response.create"),
    *answer("You are Ada.", response_id="resp_2", item_id="item_2"),
]


def type_in(notebook: Notebook, text: str) -> None:
    box = notebook.widget().get_by_test_id("gip-text")
    box.fill(text)
    box.press("Enter")


def test_a_lost_line_is_shown_and_the_talk_goes_on(notebook: Notebook, tmp_path: Path) -> None:
    with Stage(FIRST, SECOND, timeout_s=30) as stage:
        notebook.theme("light")
        notebook.run("%load_ext gip_nb")
        options = "reconnect={'first_wait_s': 600.0, 'longest_wait_s': 600.0, 'limit_s': 6000.0}"
        notebook.run(f"w = talk({MODEL!r}, base_url={stage.url!r}, api_key='any-key-at-all', {options}); w")
        view = notebook.widget()
        view.get_by_test_id("gip-start").click()
        expect(view).to_have_attribute("data-gip-state", "listening")
        type_in(notebook, "I am Ada.")
        rows = view.locator(".gip-row[data-role=assistant]")
        expect(rows.first).to_contain_text("Nice to meet you.")
        stage.cue("go")
        expect(view).to_have_attribute("data-gip-state", "reconnecting")
        expect(view.get_by_role("status").first).to_have_text("Reconnecting")
        expect(view.locator(".gip-hint")).to_have_text(re.compile(r"lost; trying again in \d+ s\."))
        expect(view.locator(".gip-hint")).to_have_attribute("title", re.compile("1012"))
        light = notebook.screenshot(tmp_path / "reconnecting-light.png", view).read_bytes()
        notebook.theme("dark")
        dark = notebook.screenshot(tmp_path / "reconnecting-dark.png", view).read_bytes()
        assert light != dark
        assert notebook.kernel("w.reconnecting['attempt']") == 1
        # What is typed meanwhile is asked when the line is back.
        type_in(notebook, "Who am I?")
        view.get_by_role("button", name="Try now").click()
        expect(view).not_to_have_attribute("data-gip-state", "reconnecting")
        expect(rows).to_have_count(2)
        expect(rows.last).to_contain_text("You are Ada.")
        expect(view).to_have_attribute("data-gip-state", "listening")
        expect(view).to_have_attribute("data-gip-microphone", "on")
        assert notebook.kernel("w.reconnecting") == {}
        assert notebook.kernel("list(w.session.turns.user_text)") == ["I am Ada.", "Who am I?"]
        assert notebook.kernel("int(w.session.events.connection.max())") == 2
        notebook.kernel("w.stop()")
