"""A talk in the way people use notebooks: reloads, second pages, restarts, closed tabs, cells run again."""

from __future__ import annotations

import ast
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.browser.conftest import OpenNotebook
    from tests.browser.notebook import Notebook

STORY = "the quick brown fox runs home to the harbour"
"""The rehearsal's answer repeats it: four seconds of sound."""
DELIVERED_SINCE_LEASE = (
    "(lambda e: min(p['start_sample'] for p in e[e.index > e.index[e.type == 'local.lease'][-1]]"
    ".query('type == \"local.page.delivered\"').payload))(w.session.events)"
)
FRAMES = "int((w.session.events.type == 'input_audio_buffer.append').sum())"
STARTED = "bool((w.session.events.type == 'local.playback.started').any())"
ENDED = "bool((w.session.events.type == 'local.playback.ended').any())"


# Each needs a page, a browser or a kernel of its own, a quarter of a minute: `make soak` runs them.
long = pytest.mark.soak


def begin(notebook: Notebook, cell: str = "w = talk(); w") -> str:
    """A talk that listens; the id of its cell."""
    notebook.run("%load_ext gip_nb")
    shown = notebook.run_without_waiting(cell)
    notebook.finish(shown)
    press_start(notebook)
    return shown


def press_start(notebook: Notebook) -> None:
    expect(notebook.widget()).to_have_attribute("data-gip-state", "idle")
    notebook.widget().get_by_test_id("gip-start").click()
    expect(notebook.widget()).to_have_attribute("data-gip-state", "listening")
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "on")


def tell_a_story(notebook: Notebook) -> None:
    """Type words whose answer is long, and wait until its first sample is played."""
    box = notebook.widget().get_by_test_id("gip-text")
    box.fill(STORY)
    box.press("Enter")
    notebook.wait_for(STARTED)


def states_of_the_microphone(notebook: Notebook) -> list[str]:
    found: list[str] = notebook.kernel(
        "[p['state'] for p in w.session.events.query('type == \"local.mic.state\"').payload]"
    )
    return found


def leases(notebook: Notebook) -> list[tuple[str | None, str]]:
    found = notebook.kernel(
        "[(p['page'], p['reason']) for p in w.session.events.query('type == \"local.lease\"').payload]"
    )
    return [(page, reason) for page, reason in found]


def answer(notebook: Notebook) -> dict[str, Any]:
    found: dict[str, Any] = notebook.kernel(
        "w.session.items.query('role == \"assistant\"').iloc[0].to_dict()"
    )
    return found


def frames_go_on(notebook: Notebook) -> None:
    before = notebook.kernel(FRAMES)
    notebook.wait_for(f"{FRAMES} > {before} + 25", timeout_s=10)


def text_of(notebook: Notebook, test_id: str) -> Any:
    return expect(notebook.widget().get_by_test_id(test_id))


def test_a_reload_in_mid_talk_goes_on(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="scripted")
    begin(notebook)
    tell_a_story(notebook)
    notebook.save()
    notebook.reload()
    # The view comes back with the conversation, ...
    row = notebook.widget().locator(".gip-row[data-role=user]").first
    expect(row).to_contain_text("quick brown fox")
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "on")
    frames_go_on(notebook)
    # ... and the answer goes on from where it was, to its end.
    notebook.wait_for(ENDED, timeout_s=40)
    (first, _), (nobody, _), (second, reason) = leases(notebook)
    assert (nobody, reason) == (None, "reload")
    assert first != second
    told = answer(notebook)
    assert not told["interrupted"]
    assert told["heard_ms"] == told["audio_ms"] > 3000
    played = notebook.kernel(
        "[(p['page'], p['played_samples']) for p in w.session.events.query("
        "'type.str.startswith(\"local.playback.\")').payload]"
    )
    before = max(samples for page, samples in played if page == first)
    # By what it was given: a page that has just been loaded is busy, and reports late.
    resumed = notebook.kernel(DELIVERED_SINCE_LEASE)
    assert abs(resumed - before) < 24_000, "not from the beginning, and not with a hole"
    assert notebook.kernel("w.session.state") == "listening"


@long
def test_running_the_view_s_cell_again_does_not_hang_up(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="scripted")
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk()")
    notebook.run("w")
    press_start(notebook)
    tell_a_story(notebook)
    notebook.rerun(notebook.cell_ids()[-1])
    expect(notebook.widget().locator(".gip-row[data-role=user]").first).to_contain_text("quick brown fox")
    frames_go_on(notebook)
    assert states_of_the_microphone(notebook) == ["on"]
    assert [reason for _, reason in leases(notebook)] == ["start"]
    assert not answer(notebook)["interrupted"]


def test_running_the_cell_that_made_a_talk_again_closes_the_one_it_made(
    open_a_notebook: OpenNotebook,
) -> None:
    notebook = open_a_notebook(microphone="scripted")
    notebook.run("%load_ext gip_nb")
    notebook.run("made = []")
    cell = begin(notebook, "w = talk(); made.append(w); w")
    notebook.rerun(cell)
    notebook.wait_for("made[0].session.state == 'closed'")
    expect(notebook.widget()).to_have_attribute("data-gip-state", "idle")
    assert notebook.widget().count() == 1
    assert notebook.page.evaluate("() => window.gipMicrophone.open()") == 0
    # Two talks of one cell are both meant.
    notebook.run("a, b = talk(), talk(); made += [a, b]")
    assert notebook.kernel("[t.comm is not None for t in made]") == [False, True, True, True]


@long
def test_two_views_show_one_talk_and_one_may_go(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="scripted")
    first = begin(notebook)
    notebook.run("w")
    tell_a_story(notebook)
    for number in range(2):
        row = notebook.widget(number).locator(".gip-row[data-role=user]").first
        expect(row).to_contain_text("quick brown fox")
        expect(notebook.widget(number)).to_have_attribute("data-gip-state", "speaking")
    notebook.clear_outputs(first)
    expect(notebook.page.locator("section.gip")).to_have_count(1)
    frames_go_on(notebook)
    assert states_of_the_microphone(notebook) == ["on"]
    assert notebook.kernel("int((w.session.events.type == 'input_audio_buffer.append').sum())") > 0


@long
def test_two_talks_in_one_page_each_hear_and_answer_for_themselves(
    open_a_notebook: OpenNotebook, fixtures: Path
) -> None:
    notebook = open_a_notebook(microphone="scripted")
    notebook.run("%load_ext gip_nb")
    names = ("one", "other")
    frames = {name: FRAMES.replace("w.", f"{name}.") for name in names}
    views = [notebook.widget(number) for number in range(2)]
    for name, view in zip(names, views, strict=True):
        notebook.run(f"{name} = talk(); {name}")
        view.get_by_test_id("gip-start").click()
        expect(view).to_have_attribute("data-gip-microphone", "on")
    for name in names:
        notebook.wait_for(f"{frames[name]} > 10")
    # What is said, both hear ...
    notebook.say(fixtures / "hello_slt.wav")
    for name in names:
        notebook.wait_for(f"{name}.turn == 1")
        notebook.wait_for(f"{name}.state == 'listening'")
    # ... and what is typed is asked of one alone.
    box = views[0].get_by_test_id("gip-text")
    box.fill(STORY)
    box.press("Enter")
    notebook.wait_for("one.turn == 2")
    assert notebook.kernel("other.turn") == 1
    expect(views[1]).not_to_contain_text("quick brown fox")
    # The end of one takes its microphone only.
    views[0].get_by_test_id("gip-stop").click()
    notebook.wait_for("one.session.state == 'closed'")
    notebook.page.wait_for_function("() => window.gipMicrophone.open() === 1")
    before = notebook.kernel(frames["other"])
    notebook.wait_for(f"{frames['other']} > {before} + 25")
    expect(views[1]).to_have_attribute("data-gip-state", "listening")
    assert notebook.kernel("one.session.session_id != other.session.session_id")


def test_a_second_page_takes_over_by_a_click(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="scripted")
    begin(notebook)
    notebook.save()
    second = notebook.second_page()
    text_of(second, "gip-state").to_have_text("In another window")
    tell_a_story(notebook)
    frames_go_on(notebook)
    expect(second.widget()).to_have_attribute("data-gip-microphone", "off")
    second.widget().get_by_test_id("gip-start").click()
    expect(second.widget()).to_have_attribute("data-gip-microphone", "on")
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "off")
    text_of(notebook, "gip-state").to_have_text("In another window")
    frames_go_on(notebook)
    notebook.wait_for(ENDED, timeout_s=40)
    (first_page, _), (nobody, taken), (second_page, _) = leases(notebook)
    assert (nobody, taken) == (None, "take")
    assert first_page != second_page
    told = answer(notebook)
    assert not told["interrupted"]
    assert told["heard_ms"] == told["audio_ms"]
    # And back again.
    notebook.widget().get_by_test_id("gip-start").click()
    expect(second.widget()).to_have_attribute("data-gip-microphone", "off")
    frames_go_on(notebook)


@pytest.mark.parametrize("end", [pytest.param("restart", marks=long), "crash"])
def test_a_kernel_that_goes_stops_the_microphone_and_the_view_says_so(
    open_a_notebook: OpenNotebook, end: str
) -> None:
    notebook = open_a_notebook(microphone="scripted")
    begin(notebook)
    assert notebook.page.evaluate("() => window.gipMicrophone.open()") == 1
    (notebook.restart_kernel if end == "restart" else notebook.crash_kernel)()
    expect(notebook.widget()).to_have_attribute("data-gip-kernel", "lost")
    text_of(notebook, "gip-state").to_have_text("Disconnected")
    text_of(notebook, "gip-error").to_contain_text("Run the cell again")
    assert notebook.page.evaluate("() => window.gipMicrophone.open()") == 0


@long
def test_a_notebook_tab_that_is_closed_stops_the_microphone_and_comes_back(
    open_a_notebook: OpenNotebook,
) -> None:
    notebook = open_a_notebook(microphone="scripted")
    begin(notebook)
    tell_a_story(notebook)
    notebook.close_tab()
    notebook.page.wait_for_function("() => window.gipMicrophone.open() === 0")
    notebook.reopen_tab()
    expect(notebook.widget().locator(".gip-row[data-role=user]").first).to_contain_text("quick brown fox")
    # Who comes back at once goes on: heard, and with the rest of the answer.
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "on")
    frames_go_on(notebook)
    notebook.wait_for(ENDED, timeout_s=40)
    told = answer(notebook)
    assert told["heard_ms"] == told["audio_ms"]


@long
def test_a_hidden_page_hears_and_speaks_on(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="scripted", hideable=True)
    begin(notebook)
    tell_a_story(notebook)
    notebook.hide()
    before = notebook.kernel(FRAMES)
    notebook.page.wait_for_timeout(4000)
    rate_hz = (notebook.kernel(FRAMES) - before) / 4
    assert rate_hz == pytest.approx(25, abs=4)
    notebook.wait_for(ENDED, timeout_s=40)
    assert (
        notebook.kernel("w.session.events.query('type == \"local.playback.ended\"').payload.iloc[0]")[
            "underruns"
        ]
        == 0
    )
    notebook.show()
    expect(notebook.widget().locator(".gip-row[data-role=assistant]").first).to_contain_text("harbour")


class Untouched:
    """Looks into a page without touching it: whatever Playwright evaluates counts as the user's gesture."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._cdp = notebook.page.context.new_cdp_session(notebook.page)

    def visit(self) -> None:
        """Leave the page and come to it again, so that no gesture of before counts."""
        url = self._notebook.page.url
        for address in ("about:blank", url):
            self._cdp.send("Page.navigate", {"url": address})
            self._notebook.page.wait_for_timeout(300)

    def value(self, script: str) -> Any:
        given = {"expression": script, "returnByValue": True, "awaitPromise": True, "userGesture": False}
        return self._cdp.send("Runtime.evaluate", given)["result"].get("value")

    def wait_for(self, script: str, wanted: Any, timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while (found := self.value(script)) != wanted:
            assert time.monotonic() < deadline, f"{script} is {found!r} and not {wanted!r}"
            self._notebook.page.wait_for_timeout(100)

    def kernel(self, expression: str) -> Any:
        call = ["evaluate", self._notebook.path, expression, 30_000]
        script = "(([verb, ...rest]) => window.gipLab[verb](...rest))"
        return json.loads(ast.literal_eval(self.value(f"{script}({json.dumps(call)})")))


LABEL = "document.querySelector('[data-testid=gip-state]')?.textContent ?? null"
HEARD_MS = "float(w.session.items.heard_ms.fillna(0).max())"


@long
def test_a_page_that_is_silent_before_a_click_says_so_and_nothing_counts_as_heard(
    open_a_notebook: OpenNotebook, browser_without_autoplay: Browser
) -> None:
    notebook = open_a_notebook(browser=browser_without_autoplay)
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    # Typed only: a page that is allowed to listen may play too, click or no click.
    tell_a_story(notebook)
    notebook.save()
    page = Untouched(notebook)
    page.visit()
    page.wait_for(LABEL, "Click to go on")
    heard_ms = page.kernel(HEARD_MS)
    notebook.page.wait_for_timeout(1500)
    assert page.kernel(HEARD_MS) == heard_ms
    notebook.console_errors.clear()  # Chromium writes that it plays nothing before a click
    notebook.widget().get_by_test_id("gip-start").click()
    notebook.wait_for(ENDED, timeout_s=40)
    told = answer(notebook)
    assert told["heard_ms"] == told["audio_ms"]
    assert not told["interrupted"]


@long
def test_what_only_code_asks_waits_for_a_click_to_be_heard(
    open_a_notebook: OpenNotebook, browser_without_autoplay: Browser
) -> None:
    notebook = open_a_notebook(browser=browser_without_autoplay)
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    notebook.save()
    page = Untouched(notebook)
    page.visit()
    page.wait_for(LABEL, "Ready")
    assert page.kernel("w.session.ask('hello there').text")
    page.wait_for(LABEL, "Click to go on")
    notebook.page.wait_for_timeout(500)
    assert page.kernel(HEARD_MS) == 0
    notebook.console_errors.clear()  # as above
    notebook.widget().get_by_test_id("gip-state").click()
    notebook.wait_for(ENDED)
    expect(notebook.widget().get_by_test_id("gip-error")).to_have_count(0)


@pytest.mark.soak  # a flood of five seconds
def test_messages_that_the_server_drops_are_sent_again(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="scripted")
    begin(notebook)
    # Past its limit of messages a second the Jupyter server drops all that the kernel says, in silence.
    flood = (
        "import time\n"
        "end = time.monotonic() + 5\n"
        "while time.monotonic() < end:\n"
        "    for _ in range(150):\n"
        "        w.comm.send({'method': 'custom', 'content': {'kind': 'nothing'}})\n"
        "    time.sleep(0.03)\n"
    )
    cell = notebook.run_without_waiting(flood)
    notebook.page.wait_for_timeout(500)
    box = notebook.widget().get_by_test_id("gip-text")
    box.fill(STORY)
    box.press("Enter")
    notebook.finish(cell)
    notebook.wait_for(ENDED, timeout_s=40)
    told = answer(notebook)
    assert told["heard_ms"] == told["audio_ms"] > 3000
    assert notebook.kernel("int((w.session.events.type == 'local.resend').sum())") > 0, "nothing was dropped"
    expect(notebook.widget().locator(".gip-row[data-role=assistant]").first).to_contain_text("harbour")
    expect(notebook.widget()).to_have_attribute("data-gip-state", "listening")


@long
def test_a_host_that_hands_over_nothing_while_a_cell_runs_is_named(
    open_a_notebook: OpenNotebook, tmp_path: Path
) -> None:
    notebook = open_a_notebook(microphone="scripted", fresh=True)
    plugin = "@jupyterlab/apputils-extension:kernels-settings"
    with notebook.setting(plugin, {"commsOverSubshells": "disabled"}):
        begin(notebook)
        pressed = notebook.page.evaluate("() => performance.now()")
        error = notebook.widget().locator("[data-source=notice]")
        expect(error).to_contain_text("Cells hold up this talk")
        expect(error).to_contain_text("Comms over subshells")
        assert notebook.page.evaluate("() => performance.now()") - pressed < 2000
        # What is asked for while a cell runs waits for its end, and that is said.
        cell = notebook.run_without_waiting("import time; time.sleep(4)")
        notebook.widget().get_by_test_id("gip-stop").click()
        text_of(notebook, "gip-hint").to_contain_text("busy")
        notebook.finish(cell)
        expect(notebook.widget()).to_have_attribute("data-gip-state", "closed")
        assert notebook.kernel("int((w.session.events.type == 'local.mic.gap').sum())") == 0


TAP = """() => {
  // Whatever is joined to a destination is heard by a tap too, which notes when sound first leaves there.
  // The browser's own pairs of context time and loudspeaker time bring that moment to the page's clock.
  window.gipTap = { first_ms: null };
  const connect = AudioNode.prototype.connect;
  const code = `registerProcessor("gip-tap", class extends AudioWorkletProcessor {
    process(inputs) {
      const at = (inputs[0][0] ?? []).findIndex((sample) => sample !== 0);
      if (at >= 0 && !this.told) this.port.postMessage(currentTime + at / sampleRate);
      this.told ||= at >= 0;
      return true;
    }
  })`;
  AudioNode.prototype.connect = function (target, ...rest) {
    const { context } = this;
    if (target instanceof AudioDestinationNode && this instanceof GainNode) {
      const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
      context.audioWorklet.addModule(url).then(() => {
        const tap = new AudioWorkletNode(context, "gip-tap");
        connect.call(this, tap);
        connect.call(tap, target);
        const offsets = [];
        setInterval(() => {
          const { contextTime, performanceTime } = context.getOutputTimestamp();
          if (contextTime) offsets.push(performanceTime - contextTime * 1000);
        }, 40);
        tap.port.onmessage = async ({ data }) => {
          // Then it sounded: in the half second after. The middle pair is none that came early or late.
          offsets.length = 0;
          await new Promise((resolve) => setTimeout(resolve, 500));
          offsets.sort((one, other) => one - other);
          window.gipTap.first_ms = performance.timeOrigin + data * 1000 + offsets[offsets.length >> 1];
        };
      });
    }
    return connect.call(this, target, ...rest);
  };
}"""


@long
def test_the_first_sound_is_when_it_leaves_the_page(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(fresh=True)
    notebook.page.evaluate(TAP)
    begin(notebook)
    notebook.wait_for(ENDED)
    turn = notebook.kernel("w.session.turns.iloc[0].to_dict()")
    # The end of the speech as the log has it, at Unix time: this machine's clock is the page's too.
    conversation = "w.session._session.protocol.conversation"
    speech_end_s = notebook.kernel(f"{conversation}.turns[0].speech_end_s")
    started_unix_s = notebook.kernel("w.session.log.started_unix_ns / 1e9")
    notebook.page.wait_for_function("() => window.gipTap.first_ms")
    tapped_ms = notebook.page.evaluate("() => window.gipTap.first_ms")
    heard_ms = tapped_ms - (started_unix_s + speech_end_s) * 1000
    assert turn["speech_end_from"] == "vad"
    assert turn["first_sound_ms"] == pytest.approx(heard_ms, abs=30)
    assert turn["first_event_ms"] < turn["first_audio_ms"] < turn["first_sound_ms"] < 5000
    text_of(notebook, "gip-first-sound").to_contain_text(f"{turn['first_sound_ms'] / 1000:.2f} s")
