"""The widget's keys and push to talk, in a real JupyterLab: what they do, and what they leave alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.browser.conftest import OpenNotebook
    from tests.browser.lab import Notebook

APPENDED = "int((w.session.events.type == 'input_audio_buffer.append').sum())"
SENT = "w.session.events.query('direction == \"sent\"').type.value_counts().to_dict()"
USERS = "w.session.items.query('role == \"user\"').audio_ms.tolist()"
DETECTION = "w.session._session.protocol.turn_detection"
INTERRUPTED = "int((w.session.items.interrupted == True).sum())"
# From the key to what one sees of it, in frames that the page has drawn: a busy machine draws late, not more.
WATCH_PRESS = """() => {
  window.gipPress = [];
  const view = document.querySelector("section.gip");
  let frames = null;
  const count = () => { if (frames !== null) { frames += 1; requestAnimationFrame(count); } };
  document.addEventListener("keydown", (e) => {
    if (e.repeat) return;
    frames = 0;
    requestAnimationFrame(count);
  }, true);
  new MutationObserver(() => {
    if (view.dataset.gipState === "hearing" && frames !== null) window.gipPress.push(frames);
    frames = null;
  }).observe(view, { attributes: true, attributeFilter: ["data-gip-state"] });
}"""

# Down and up at once: two commands to a browser that is busy may be an utterance apart.
SLIP = """() => {
  for (const kind of ["keydown", "keyup"])
    document.activeElement.dispatchEvent(
      new KeyboardEvent(kind, { key: " ", code: "Space", bubbles: true, cancelable: true }),
    );
}"""


def is_at(view: Locator, state: str) -> None:
    expect(view).to_have_attribute("data-gip-state", state)


def said_by(view: Locator, role: str) -> Locator:
    return view.locator(f".gip-row[data-role={role}]")


def heard_to_its_end(notebook: Notebook, answers: int) -> None:
    notebook.wait_for(f"int((w.session.events.type == 'local.playback.ended').sum()) >= {answers}")


def started(notebook: Notebook, talk: str) -> Locator:
    notebook.run("%load_ext gip_nb")
    notebook.run(f"w = {talk}; w")
    view = notebook.widget()
    is_at(view, "idle")
    view.get_by_test_id("gip-start").click()
    is_at(view, "listening")
    return view


def test_what_is_said_while_a_key_or_the_button_is_held_is_one_utterance(
    open_a_notebook: OpenNotebook, fixtures: Path
) -> None:
    notebook = open_a_notebook(microphone="scripted")
    view = started(notebook, "talk(turn_detection={'type': 'server_vad', 'silence_duration_ms': 640})")
    keys = notebook.page.keyboard
    before = notebook.kernel(DETECTION)

    # Switched in mid-talk; then nothing goes out while nobody holds a key.
    view.get_by_role("radio", name="Push to talk").click()
    expect(view).to_have_attribute("data-gip-turns", "manual")
    notebook.wait_for(f"{DETECTION} is None")
    expect(view.get_by_test_id("gip-hint")).to_have_text("Hold Space, or hit K, and speak.")
    appended = notebook.kernel(APPENDED)
    notebook.page.wait_for_timeout(200)
    assert notebook.kernel(APPENDED) == appended

    notebook.page.evaluate(WATCH_PRESS)
    keys.down("Space")
    is_at(view, "hearing")
    said_s = notebook.say(fixtures / "weather_awb.wav")
    keys.up("Space")
    expect(said_by(view, "user")).to_contain_text("weather")
    (audio_ms,) = notebook.kernel(USERS)
    assert said_s * 1000 <= audio_ms < said_s * 1000 + 1000
    sent = notebook.kernel(SENT)
    assert sent["input_audio_buffer.commit"] == sent["response.create"] == 1
    # At once, by the page alone: the way to the kernel and back takes more frames than that.
    (frames,) = notebook.page.evaluate("() => window.gipPress")
    assert frames <= 2

    # Over the answer: Esc stops it.
    is_at(view, "speaking")
    keys.press("Escape")
    is_at(view, "listening")
    notebook.wait_for(f"{INTERRUPTED} == 1")

    # A slip of the finger is told, and is no trouble. K begins, and K sends.
    notebook.page.evaluate(SLIP)
    expect(view.get_by_test_id("gip-hint")).to_contain_text("too short")
    keys.press("k")
    is_at(view, "hearing")
    notebook.say(fixtures / "stop_slt.wav")
    keys.press("k")
    expect(said_by(view, "user")).to_have_count(2)
    # The button is held as well, over the answer too; out of it, it is still held.
    is_at(view, "speaking")
    view.get_by_test_id("gip-start").hover()
    notebook.page.mouse.down()
    is_at(view, "hearing")
    view.get_by_test_id("gip-state").hover()
    notebook.say(fixtures / "stop_slt.wav")
    notebook.page.mouse.up()
    expect(said_by(view, "user")).to_have_count(3)
    notebook.wait_for(f"{INTERRUPTED} == 2")
    assert notebook.kernel(SENT)["input_audio_buffer.commit"] == 3
    expect(view.get_by_test_id("gip-error")).to_have_count(0)

    # Back again, as it was.
    view.get_by_role("radio", name="Voice activity").click()
    notebook.wait_for(f"{DETECTION} is not None")
    assert notebook.kernel(DETECTION) == before


@pytest.mark.soak  # js/test has what each key does
def test_keys_of_the_host_stay_quiet_and_ours_need_the_focus(notebook: Notebook) -> None:
    view = started(notebook, "talk()")
    keys = notebook.page.keyboard
    # Those of JupyterLab's command mode cut, add, merge and change cells.
    cells = notebook.cell_ids()
    for key in ("d", "d", "a", "b", "x", "c", "v", "y", "z", "j", "k", "Space", "Shift+m", "Shift+Space"):
        keys.press(key)
    assert notebook.cell_ids() == cells
    assert notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.mode") == "command"

    # What is typed is text.
    box = view.get_by_test_id("gip-text")
    box.click()
    keys.type("kqm? ")
    expect(box).to_have_value("kqm? ")
    expect(view).to_have_attribute("data-gip-turns", "vad")
    assert notebook.kernel("w.state") not in {"closed", "muted"}

    # A click on nothing in it gives it the keys. Those are listed; the focus comes back.
    view.get_by_test_id("gip-state").click()
    keys.press("?")
    listed = view.get_by_role("dialog", name="Keys")
    expect(listed).to_be_visible()
    keys.press("Escape")
    expect(listed).to_be_hidden()
    expect(view).to_be_focused()
    keys.press("m")
    is_at(view, "muted")
    # Another place has the focus: its keys are its own.
    notebook.page.locator(".jp-Notebook").evaluate("node => node.focus()")
    keys.press("q")
    assert notebook.kernel("w.state") != "closed"
    is_at(view, "muted")
    view.get_by_test_id("gip-state").click()
    keys.press("q")
    is_at(view, "closed")
    notebook.wait_for("w.state == 'closed'")


@pytest.mark.soak  # tests/sim/notebook has the same without a page
def test_the_model_may_say_the_first_words(notebook: Notebook) -> None:
    view = started(notebook, "talk(greet=True, turn_detection=None)")
    expect(said_by(view, "assistant")).to_contain_text("Hello")
    heard_to_its_end(notebook, 1)
    assert notebook.kernel("w.session.items.role.tolist()") == ["assistant"]
    assert notebook.kernel(SENT)["response.create"] == 1
