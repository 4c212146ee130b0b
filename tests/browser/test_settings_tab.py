"""The Settings tab: what is changed there before and in mid-talk, and microphones that come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.sim.session.servers import Choosy, realtime_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.lab import Notebook

PREVIEW = "openai/gpt-4o-realtime-preview-2024-12-17"
KEY = "sk-test-not-a-real-key-0123456789"
FRAMES = "int((w.session.events.type == 'input_audio_buffer.append').sum())"
GAPS = "int((w.session.events.type == 'local.mic.gap').sum())"
MICROPHONES = (
    "w.session.events.query('type == \"local.mic.state\"').payload.map(lambda p: p['state']).tolist()"
)
# As the comm had it: the newest settings that the server told, canonical.
TOLD = "w.session._session.protocol.conversation.session"

WATCH_TRACKS = """() => {
  window.gipTracks = [];
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await original(constraints);
    window.gipTracks.push(...stream.getTracks());
    return stream;
  };
}"""
HEARD = "() => window.gipTracks.filter((t) => t.readyState === 'live').map((t) => t.getSettings().deviceId)"


@pytest.fixture
def settings(notebook: Notebook) -> Iterator[Notebook]:
    """A notebook; what its page remembers of sound is forgotten at the end, since others come after it."""
    notebook.page.evaluate(WATCH_TRACKS)
    yield notebook
    notebook.page.evaluate("() => localStorage.removeItem('gip-sound')")


def open_settings(notebook: Notebook, talk: str) -> Locator:
    notebook.run("%load_ext gip_nb")
    notebook.run(f"w = {talk}; w")
    view = notebook.widget()
    expect(view).to_have_attribute("data-gip-state", "idle")
    view.get_by_test_id("gip-tab-settings").click()
    return view


def start(view: Locator) -> None:
    view.get_by_test_id("gip-start").click()
    expect(view).to_have_attribute("data-gip-microphone", "on")
    # The first settings have been answered.
    expect(view.get_by_test_id("gip-settings-about").last).to_contain_text("What the server has now")


def fate(view: Locator, test_id: str) -> Locator:
    """What stands beside a control."""
    row = view.locator(".gip-setting", has=view.page.get_by_test_id(test_id))
    return row.get_by_test_id("gip-fate")


def frames_go_on(notebook: Notebook) -> None:
    before = notebook.kernel(FRAMES)
    notebook.wait_for(f"{FRAMES} > {before} + 5", timeout_s=10)


@pytest.mark.soak  # tests/sim/notebook/test_settings.py and js/test have its parts
def test_what_is_changed_in_mid_talk_is_taken_and_another_microphone_is_heard(settings: Notebook) -> None:
    view = open_settings(settings, "talk(instructions='Be brief.')")
    instructions = view.get_by_test_id("gip-instructions")
    expect(instructions).to_have_value("Be brief.")
    # Before Start: nothing connects, and it is what the session begins with.
    view.get_by_test_id("gip-voice").fill("ash")
    view.get_by_test_id("gip-voice").press("Enter")
    expect(fate(view, "gip-voice")).to_have_text("For the next session")
    assert settings.kernel("len(w.session.events)") == 0
    start(view)
    settings.wait_for(f"{TOLD}.get('audio', {{}}).get('output', {{}}).get('voice') == 'ash'")

    view.get_by_test_id("gip-detection").select_option("semantic_vad")
    expect(fate(view, "gip-detection")).to_have_text("Taken")
    view.get_by_test_id("gip-eagerness").select_option("high")
    expect(fate(view, "gip-eagerness")).to_have_text("Taken")
    instructions.fill("Answer in Korean.")
    instructions.press("Control+Enter")
    expect(fate(view, "gip-instructions")).to_have_text("Taken")
    updated = settings.kernel("w.session.events.query('type == \"session.updated\"').payload.iloc[-1]")
    assert updated["session"]["instructions"] == "Answer in Korean."
    assert updated["session"]["turn_detection"]["type"] == "semantic_vad"
    assert updated["session"]["turn_detection"]["eagerness"] == "high"

    # Another microphone: one is open at a time, its frames come without a hole, the talk goes on.
    (first,) = settings.page.evaluate(HEARD)
    microphones = view.get_by_test_id("gip-microphones")
    other = microphones.locator("option").last.get_attribute("value")
    assert other not in {"", first}
    microphones.select_option(other)
    settings.page.wait_for_function(f"(other) => String(({HEARD})()) === other", arg=other)
    frames_go_on(settings)
    # And that one is unplugged.
    settings.page.evaluate(
        "() => window.gipTracks.find((t) => t.readyState === 'live').dispatchEvent(new Event('ended'))"
    )
    notice = view.get_by_test_id("gip-error")
    expect(notice).to_contain_text("Another microphone")
    expect(microphones).to_have_value("")
    settings.page.wait_for_function(
        f"(other) => {{ const h = ({HEARD})(); return h.length === 1 && h[0] !== other }}", arg=other
    )
    frames_go_on(settings)
    assert settings.kernel(GAPS) == 0
    assert settings.kernel(MICROPHONES) == ["on", "off", "on", "off", "on"]
    assert settings.kernel("len(w.sessions)") == 1


@pytest.mark.soak  # tests/sim/notebook/test_settings.py has the same without a page
def test_what_the_server_refuses_or_ignores_is_said_beside_it(settings: Notebook) -> None:
    with realtime_server(Choosy()) as (url, _):
        view = open_settings(settings, f"talk({PREVIEW!r}, base_url={url!r}, api_key={KEY!r})")
        start(view)
        voice = view.get_by_test_id("gip-voice")
        expect(voice).to_have_value("alloy")

        def say(name: str, then: str) -> None:
            voice.fill(name)
            voice.press("Enter")
            expect(fate(view, "gip-voice")).to_contain_text(then)

        say("nobody", "Invalid value: 'nobody'")
        expect(voice).to_have_value("alloy")
        expect(view.get_by_test_id("gip-error")).to_have_count(0)
        say("quiet", "asked for 'quiet', is 'alloy'")
        expect(voice).to_have_value("alloy")
        say("ash", "Taken")
        # Start again keeps what was taken.
        view.get_by_test_id("gip-stop").click()
        expect(view).to_have_attribute("data-gip-state", "closed")
        expect(voice).to_have_value("ash")
        start(view)
        settings.wait_for(f"{TOLD}.get('audio', {{}}).get('output', {{}}).get('voice') == 'ash'")
        # What has spoken keeps its voice.
        view.get_by_test_id("gip-tab-conversation").click()
        box = view.get_by_test_id("gip-text")
        box.fill("hello")
        box.press("Enter")
        expect(view.locator(".gip-row[data-role=assistant]")).to_contain_text("word 4")
        view.get_by_test_id("gip-tab-settings").click()
        expect(voice).to_be_disabled()
        view.get_by_test_id("gip-stop").click()
        expect(voice).to_be_enabled()
