"""The conversation tab: what can be done with what was said, sound files, and text that is no markup."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.test_talk import ANSWERED, rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.lab import Notebook

EVIL = '<img src=x onerror="window.gipEvil=1"><script>window.gipEvil=1</script>'
COPY = """() => {
  navigator.clipboard.writeText = async (text) => { window.gipCopied = text; };
}"""
DROP = """([audio, name]) => {
  const bytes = Uint8Array.from(atob(audio), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: "audio/wav" }));
  const place = document.querySelector("section.gip");
  for (const kind of ["dragenter", "dragover", "drop"]) {
    place.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }
}"""


def drop(notebook: Notebook, wav: bytes, name: str) -> None:
    notebook.page.evaluate(DROP, [base64.b64encode(wav).decode("ascii"), name])


def test_a_wav_is_dropped_and_answered_and_both_can_be_played_copied_and_deleted(
    notebook: Notebook, fixtures: Path
) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    expect(notebook.widget()).to_have_attribute("data-gip-state", "idle")
    drop(notebook, (fixtures / "stop_slt.wav").read_bytes(), f"{EVIL}.wav")
    expect(rows(notebook, "user").first).to_contain_text("stop")
    answer = rows(notebook, "assistant").first
    notebook.wait_for(ANSWERED)
    sent = "w.session.events.query('direction == \"sent\"').type.value_counts().to_dict()"
    counts = notebook.kernel(sent)
    assert counts["input_audio_buffer.commit"] == counts["response.create"] == 1
    # What it was is in force again.
    notebook.wait_for("w.session._session.protocol.turn_detection['type'] == 'server_vad'")

    # Played again: for as long as it is, and counted as nothing.
    played = "int(w.session.events.event.str.startswith('local.playback').sum())"
    before = notebook.kernel(played)
    mine = rows(notebook, "user").first
    mine.hover()
    mine.get_by_role("button", name="Play").click()
    expect(mine.get_by_role("button", name="Stop playing")).to_be_visible()
    expect(mine.get_by_role("button", name="Play", exact=True)).to_be_visible(timeout=5_000)
    assert notebook.kernel(played) == before

    # By keyboard alone.
    notebook.page.evaluate(COPY)
    mine.focus()
    for key in ("ArrowDown", "Tab", "Tab", "Enter"):
        notebook.page.keyboard.press(key)
    notebook.page.wait_for_function("() => window.gipCopied !== undefined")
    assert notebook.page.evaluate("window.gipCopied") == notebook.kernel("w.session.items.text.iloc[-1]")
    # Rated, and labelled from a cell: the same turn in the page and in its tables.
    for key in ("Tab", "Tab", "Enter"):
        notebook.page.keyboard.press(key)
    thumb = answer.get_by_role("button", name="Thumbs up")
    expect(thumb).to_have_attribute("aria-pressed", "true")
    notebook.kernel(f"w.session.label(1, {EVIL!r}, tags='geo')")
    expect(answer.locator(".gip-label")).to_have_text([EVIL, "geo"])
    row = "[*w.session.turns[['rating', 'label', 'tags']].iloc[0]]"
    assert notebook.kernel(row) == [1, EVIL, ["geo"]]
    notebook.page.keyboard.press("Space")
    expect(thumb).to_have_attribute("aria-pressed", "false")
    for key in ("Shift+Tab", "Enter"):
        notebook.page.keyboard.press(key)
    expect(answer).to_have_count(0)
    assert notebook.kernel("w.session._session.protocol.conversation.ordered()[-1].role") == "user"

    # What is no WAV is said in words, and its name is one.
    drop(notebook, b"ID3 no sound", f"{EVIL}.wav")
    error = notebook.widget().get_by_test_id("gip-error")
    expect(error).to_contain_text(f"{EVIL}.wav: this is an MP3 file, not a WAV")
    assert notebook.page.evaluate("window.gipEvil") is None


def test_tool_cards_hostile_words_and_the_arrows(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run(
        "import time\n"
        "def get_weather(city: str) -> dict:\n"
        "    'The weather of a city.'\n"
        "    time.sleep(0.3)\n"
        f"    return {{'sky': {EVIL!r}, 'hours': list(range(40))}}\n"
        "def broken_radio() -> str:\n"
        "    'Turn on the radio.'\n"
        f"    raise ValueError({EVIL!r})\n"
        "w = talk(tools=[get_weather, broken_radio]); w"
    )
    expect(notebook.widget()).to_have_attribute("data-gip-state", "idle")
    box = notebook.widget().get_by_test_id("gip-text")
    box.fill("what is the weather in Seoul")
    box.press("Enter")
    card = rows(notebook, "tool").first
    expect(card).to_contain_text('get_weather(city="Seoul")')
    expect(card.get_by_test_id("gip-call-state")).to_have_text("done")
    took = card.get_by_test_id("gip-call-duration").text_content() or ""
    # A second and more is told in seconds.
    assert took.endswith(" s") or float(took.removesuffix(" ms")) >= 300
    # Within its call, and folded.
    expect(rows(notebook, "tool")).to_have_count(1)
    expect(card.get_by_test_id("gip-output")).to_contain_text(EVIL.replace('"', '\\"'))
    card.get_by_role("button", name="Show all").click()
    expect(card.get_by_test_id("gip-output")).to_contain_text("39")

    box.fill(f"turn on the radio {EVIL}")
    box.press("Enter")
    expect(rows(notebook, "user").last).to_contain_text(EVIL)
    failed = rows(notebook, "tool").last
    expect(failed.get_by_test_id("gip-call-state")).to_have_text("failed")
    expect(failed.get_by_test_id("gip-output")).to_contain_text(f"ValueError: {EVIL}")
    assert notebook.page.evaluate("window.gipEvil") is None

    box.fill("a draft")
    box.press("ArrowUp")
    expect(box).to_have_value(f"turn on the radio {EVIL}")
    box.press("ArrowUp")
    expect(box).to_have_value("what is the weather in Seoul")
    box.press("ArrowDown")
    box.press("ArrowDown")
    expect(box).to_have_value("a draft")
