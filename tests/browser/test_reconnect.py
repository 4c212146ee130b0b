"""The line goes in mid-talk, by itself or while the laptop sleeps: it is said, and the talk goes on."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
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
    from collections.abc import Iterator

    from gip_nb.testing import Step
    from tests.browser.notebook import Notebook

MODEL = "openai/gpt-realtime"
SLEEP_S = 6
FRAMES = "int((w.session.events.type == 'input_audio_buffer.append').sum())"
# The microphone goes on meanwhile: a server that does not listen takes no turn from it. Then it hangs up.
FIRST: list[Step] = [
    session_created(id="sess_1"),
    Expect("session.update"),
    Say(session_updated),
    Expect("conversation.item.create", timeout_s=60),
    Say(item_taken),
    Expect("response.create"),
    *answer("Nice to meet you.", response_id="resp_1", item_id="item_1"),
    Cue("go", timeout_s=60),
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
    with Stage([*FIRST, Close(1012, "restart")], SECOND, timeout_s=30) as stage:
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


def browser_processes() -> list[int]:
    """All that this test's browser consists of."""
    parents: dict[int, int] = {}
    browsers = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, rest = stat.read_text("utf-8").split("(", 1)[1].rsplit(")", 1)
            pid = int(stat.parent.name)
            parents[pid] = int(rest.split()[1])
            if "chrom" in name:
                browsers.add(pid)

    def is_ours(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return [pid for pid in browsers if is_ours(pid)]


@contextmanager
def asleep(notebook: Notebook) -> Iterator[None]:
    """Let neither the kernel nor the browser do anything meanwhile."""
    processes = [notebook.pid(), *browser_processes()]
    assert len(processes) > 1, "there is no browser"
    try:
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.mark.soak  # the test above and test_held_up.py have its halves
def test_who_wakes_up_goes_on_talking(notebook: Notebook) -> None:
    with Stage([*FIRST, Close(1001, "idle")], SECOND, timeout_s=60) as stage:
        notebook.run("%load_ext gip_nb")
        notebook.run(f"w = talk({MODEL!r}, base_url={stage.url!r}, api_key='any-key-at-all'); w")
        view = notebook.widget()
        view.get_by_test_id("gip-start").click()
        expect(view).to_have_attribute("data-gip-microphone", "on")
        type_in(notebook, "I am Ada.")
        rows = view.locator(".gip-row[data-role=assistant]")
        expect(rows.first).to_contain_text("Nice to meet you.")
        notebook.wait_for(f"{FRAMES} > 25")
        with asleep(notebook):
            stage.cue("go")
            time.sleep(SLEEP_S)
        notebook.wait_for("int(w.session.events.connection.max()) == 2")
        expect(view).to_have_attribute("data-gip-state", "listening")
        expect(view).to_have_attribute("data-gip-microphone", "on")
        before = notebook.kernel(FRAMES)
        notebook.wait_for(f"{FRAMES} > {before} + 25")
        type_in(notebook, "Who am I?")
        expect(rows).to_have_count(2)
        expect(rows.last).to_contain_text("You are Ada.")
        expect(view.get_by_test_id("gip-error")).to_have_count(0)
        kinds = notebook.kernel("list(w.session.events.type[w.session.events.type.str.contains('lost')])")
        assert kinds, "that the connection was lost is a row"
        assert notebook.kernel("list(w.session.turns.user_text)") == ["I am Ada.", "Who am I?"]
        notebook.kernel("w.stop()")
