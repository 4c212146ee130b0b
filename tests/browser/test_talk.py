"""The product's main job on real input: a person speaks into a notebook page and is answered in sound."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.sim.session.servers import Model, realtime_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser.conftest import OpenNotebook
    from tests.browser.lab import Notebook

PREVIEW = "openai/gpt-4o-realtime-preview-2024-12-17"
KEY = "sk-test-not-a-real-key-0123456789"
ANSWERED = "bool((w.session.events.type == 'local.playback.ended').any())"


@contextmanager
def serving(*options: str) -> Iterator[dict[str, str]]:
    """`gip-nb serve`, a process of its own; what its first line says."""
    command = [sys.executable, "-m", "gip_nb.cli", "serve", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.terminate()
            server.wait(10)


def start(notebook: Notebook, number: int = 0) -> None:
    notebook.widget(number).get_by_test_id("gip-start").click()
    notebook.page.wait_for_function(
        "n => [...document.querySelectorAll('section.gip')][n].dataset.gipState === 'listening'", arg=number
    )


def stop(notebook: Notebook) -> None:
    notebook.widget().get_by_test_id("gip-stop").click()
    expect(notebook.widget()).to_have_attribute("data-gip-state", "closed")


def rows(notebook: Notebook, role: str) -> Any:
    return notebook.widget().locator(f".gip-row[data-role={role}]")


def test_a_spoken_question_is_heard_answered_in_sound_and_every_frame_is_a_row(
    notebook: Notebook, tmp_path: Path
) -> None:
    log = tmp_path / "frames.jsonl"
    with serving("--key", KEY, "--log", str(log)) as server:
        notebook.run("%load_ext gip_nb")
        notebook.run(f"w = talk({PREVIEW!r}, base_url={server['url']!r}, api_key={KEY!r}); w")
        start(notebook)
        # Their words and the answer's words grow on the page.
        expect(rows(notebook, "user").first).to_contain_text("weather")
        expect(rows(notebook, "assistant").first).to_contain_text("weather")
        notebook.wait_for(ANSWERED)
        stop(notebook)

        # The answer was played, to its last sample.
        answer = notebook.kernel("w.session.items.query('role == \"assistant\"').iloc[0].to_dict()")
        ended = notebook.kernel("w.session.events.query('type == \"local.playback.ended\"').payload.iloc[0]")
        assert ended["played_samples"] == round(answer["audio_ms"] * 24) > 24_000
        assert answer["heard_ms"] == answer["audio_ms"]
        turn = notebook.kernel("w.session.turns.iloc[0].to_dict()")
        assert "weather" in turn["user_text"]
        assert turn["status"] == "completed"
        assert turn["requests"] == 1

        # In a cell: rows both ways, and none lost, none twice.
        notebook.run("counts = w.session.events.groupby(['direction', 'type'], observed=True).size(); counts")
        ours = notebook.kernel("{f'{d} {t}': int(n) for (d, t), n in counts.items() if d != 'local'}")
    theirs: dict[str, int] = {}
    other_end = {"received": "sent", "sent": "received"}
    for line in log.read_text("utf-8").splitlines():
        frame = json.loads(line)
        name = f"{other_end[frame['direction']]} {frame['type']}"
        theirs[name] = theirs.get(name, 0) + 1
    assert ours == theirs
    assert ours["sent input_audio_buffer.append"] > 50
    assert ours["received response.audio.delta"] > 10


@pytest.mark.soak  # the badge is in js/test, the rehearsal in most of these tests
def test_without_a_key_it_is_a_rehearsal_and_says_so(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    began = notebook.page.evaluate("() => performance.now()")
    cell = notebook.run_without_waiting("w = talk(); w")
    notebook.widget().wait_for()
    assert notebook.page.evaluate("() => performance.now()") - began < 2000
    notebook.finish(cell)
    badge = notebook.widget().get_by_test_id("gip-badge-rehearsal")
    expect(badge).to_be_visible()
    expect(badge).to_have_text("rehearsal")


@pytest.mark.soak  # others type too
def test_words_can_be_typed_instead_of_spoken_from_the_idle_widget(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    expect(notebook.widget()).to_have_attribute("data-gip-state", "idle")
    box = notebook.widget().get_by_test_id("gip-text")
    box.fill("hello <b>you</b>")
    box.press("Enter")
    expect(rows(notebook, "user").first).to_contain_text("hello <b>you</b>")
    expect(rows(notebook, "assistant").first).not_to_be_empty(timeout=15_000)
    notebook.wait_for(ANSWERED)
    # Typing does not open the microphone.
    assert notebook.kernel("int((w.session.events.type == 'input_audio_buffer.append').sum())") == 0
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "off")


def test_what_a_cell_asks_is_shown_and_heard_in_the_page(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    expect(notebook.widget()).to_have_attribute("data-gip-state", "idle")
    notebook.run("reply = w.session.ask('hello there'); print(reply.text)")
    expect(rows(notebook, "user").first).to_contain_text("hello there")
    expect(rows(notebook, "assistant").first).to_contain_text(notebook.kernel("reply.text"))
    notebook.wait_for(ANSWERED)
    heard = notebook.kernel("w.session.items.heard_ms.iloc[-1] * 24")
    assert round(heard) == notebook.kernel("len(reply.audio)")
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "off")


@pytest.mark.parametrize(
    "busy",
    [
        pytest.param("import time; time.sleep(5)", id="sleeping", marks=pytest.mark.soak),
        pytest.param("import asyncio; await asyncio.sleep(5)", id="awaiting", marks=pytest.mark.soak),
        pytest.param(
            "import time\nend = time.time() + 5\nwhile time.time() < end: sum(range(1000))", id="computing"
        ),
        # Past what the Jupyter server lets through: it drops whatever comes, the talk's messages too.
        pytest.param(
            "import time\nend = time.time() + 5\n"
            "while time.time() < end:\n    print('x' * 20_000, end='\\r'); time.sleep(0.01)",
            id="printing",
        ),
    ],
)
def test_the_talk_goes_on_while_a_cell_runs(notebook: Notebook, busy: str) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    start(notebook)
    # A publish from a cell is what makes the kernel route the page's messages to the main thread.
    notebook.run("w.layout.width = '99%'; print('published')")
    notebook.run_without_waiting(f"{busy}\nover = True")
    notebook.page.wait_for_timeout(500)
    expect(rows(notebook, "assistant").first).to_contain_text("weather")
    # Not by what the page says of the cell: of one that prints too much, its end may be dropped too.
    notebook.wait_for("globals().get('over', False)")
    notebook.wait_for(ANSWERED)
    notebook.kernel("w.stop()")
    notebook.kernel("globals().update(e=w.session.events)")
    notebook.kernel("globals().update(mic=e[e.type == 'input_audio_buffer.append'])")
    assert notebook.kernel("len(mic)") > 100
    # Held up, they would come when the cell is done, five seconds late: how late says bench.mic_path.
    assert notebook.kernel("float(mic.elapsed_s.diff().max())") < 2.5
    assert notebook.kernel("int((e.type == 'local.mic.gap').sum())") == 0


@pytest.mark.soak  # tests/sim/notebook/test_widget.py has the same without a page
def test_state_and_transcripts_are_traits_that_observers_see(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run(
        "import threading\n"
        "w = talk(); seen = {'state': [], 'assistant_transcript': [], 'audio_delta': [], 'threads': set()}\n"
        "def note(change):\n"
        "    seen[change.name].append(change.new); seen['threads'].add(threading.current_thread().name)\n"
        "w.observe(note, ['state', 'assistant_transcript', 'audio_delta']); w"
    )
    start(notebook)
    notebook.wait_for(ANSWERED)
    stop(notebook)
    notebook.wait_for("w.state == 'closed'")
    states = notebook.kernel("seen['state']")
    assert states[:2] == ["connecting", "listening"]
    assert [s for s in states if s in {"hearing", "thinking", "speaking"}][:3] == [
        "hearing",
        "thinking",
        "speaking",
    ]
    assert states[-1] == "closed"
    transcripts = notebook.kernel("seen['assistant_transcript']")
    assert len(transcripts) > 3
    assert all(b.startswith(a) for a, b in itertools.pairwise(transcripts) if a)
    assert "weather" in notebook.kernel("w.user_transcript")
    assert notebook.kernel("w.turn") == 1
    assert notebook.kernel("w.usage['requests']") == 1
    audio_ms = notebook.kernel("w.session.turns.assistant_audio_ms.iloc[0]")
    assert notebook.kernel("sum(len(a) for a in seen['audio_delta'])") == round(audio_ms * 48)
    assert notebook.kernel("list(seen['threads'])") == ["gip_nb-callbacks"]


@pytest.mark.soak  # test_interruption.py and test_keys.py interrupt too
def test_the_answer_can_be_interrupted_and_the_model_remembers_what_was_heard(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    start(notebook)
    expect(notebook.widget()).to_have_attribute("data-gip-state", "speaking")
    notebook.page.wait_for_timeout(800)
    notebook.widget().get_by_test_id("gip-interrupt").click()
    notebook.wait_for("bool((w.session.events.type == 'conversation.item.truncated').any())")
    expect(notebook.widget()).not_to_have_attribute("data-gip-state", "speaking")
    item = notebook.kernel("w.session.items.query('role == \"assistant\"').iloc[0].to_dict()")
    truncated = notebook.kernel(
        "w.session.events.query('type == \"conversation.item.truncate\"').payload.iloc[0]"
    )
    assert item["interrupted"]
    assert 300 < truncated["audio_end_ms"] < item["audio_ms"] - 200
    assert item["heard_ms"] == pytest.approx(truncated["audio_end_ms"], abs=1)
    assert len(item["heard_text"]) < len(item["text"])
    assert notebook.kernel("bool((w.session.events.type == 'error').any())") is False
    assert notebook.kernel("w.session.turns.interrupted.iloc[0]") is True
    stop(notebook)


@pytest.mark.soak  # tests/sim/notebook/test_widget.py has the same without a page
def test_start_after_stop_is_a_new_session_and_both_stay_readable(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    for _ in range(2):
        start(notebook)
        notebook.page.wait_for_timeout(400)
        expect(notebook.widget()).to_have_attribute("data-gip-microphone", "on")
        stop(notebook)
        expect(notebook.widget()).to_have_attribute("data-gip-microphone", "off")
    assert notebook.kernel("len(w.sessions)") == 2
    assert notebook.kernel("len({s.session_id for s in w.sessions})") == 2
    for number in range(2):
        assert (
            notebook.kernel(f"int((w.sessions[{number}].events.type == 'input_audio_buffer.append').sum())")
            > 5
        )


def live_microphones(notebook: Notebook) -> int:
    return int(notebook.page.evaluate("() => window.gipTracks.filter((t) => t.readyState === 'live').length"))


WATCH_TRACKS = """() => {
  window.gipTracks = [];
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await original(constraints);
    window.gipTracks.push(...stream.getTracks());
    return stream;
  };
}"""


@pytest.mark.parametrize("how", ["stop", "clear the output", "close the tab"])
def test_the_microphone_stops(notebook: Notebook, how: str) -> None:
    notebook.page.evaluate(WATCH_TRACKS)
    notebook.run("%load_ext gip_nb")
    cell = notebook.run_without_waiting("w = talk(); w")
    notebook.finish(cell)
    start(notebook)
    notebook.page.wait_for_function("() => window.gipTracks.some((t) => t.readyState === 'live')")
    if how == "stop":
        stop(notebook)
    elif how == "clear the output":
        notebook.clear_outputs(cell)
    else:
        notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.close()")
        dialog = notebook.page.locator(
            ".jp-Dialog button.jp-mod-warn, .jp-Dialog button:has-text('Discard')"
        ).first
        if dialog.is_visible(timeout=2000):
            dialog.click()
    notebook.page.wait_for_function("() => window.gipTracks.every((t) => t.readyState === 'ended')")
    assert live_microphones(notebook) == 0


# ---- bad input ------------------------------------------------------------------------------------------


def test_a_microphone_that_is_denied_is_explained_and_typing_works(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="denied")
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    start(notebook)
    error = notebook.widget().get_by_test_id("gip-error")
    expect(error).to_contain_text("icrophone")
    expect(error).to_contain_text("Typing works")
    box = notebook.widget().get_by_test_id("gip-text")
    box.fill("hello")
    box.press("Enter")
    expect(rows(notebook, "assistant").first).not_to_be_empty(timeout=15_000)
    notebook.wait_for(ANSWERED)
    row = notebook.kernel("w.session.events.query('type == \"local.mic.state\"').payload.iloc[0]")
    assert "NotAllowedError" in row["error"]
    notebook.wait_for("w.error.get('title') == 'No microphone'")
    # A cell that starts the talk gets the same as an exception, and the talk goes on.
    (output,) = notebook.run("w.start()", may_fail=True)
    assert output["ename"] == "MicrophoneUnavailable"
    assert "NotAllowedError" in output["evalue"]
    assert notebook.kernel("w.session.state") != "closed"


def test_a_refused_key_is_named_in_the_widget_and_raised_in_a_cell(notebook: Notebook) -> None:
    with serving("--key", KEY) as server:
        notebook.run("%load_ext gip_nb")
        notebook.run(f"w = talk({PREVIEW!r}, base_url={server['url']!r}, api_key='sk-wrong-key-123456'); w")
        notebook.widget().get_by_test_id("gip-start").click()
        error = notebook.widget().get_by_test_id("gip-error")
        expect(error).to_contain_text("Key refused")
        expect(error).to_contain_text("GIP_API_KEY")
        expect(error).not_to_contain_text("sk-wrong-key-123456")
        expect(notebook.widget()).to_have_attribute("data-gip-state", "error")
        expect(notebook.widget()).to_have_attribute("data-gip-microphone", "off")
        (output,) = notebook.run("w.start()", may_fail=True)
        assert output["ename"] == "KeyRefused"
        assert "sk-wrong-key-123456" not in json.dumps(output)
        assert notebook.kernel("w.session.events.query('direction == \"received\"').type.tolist()") == [
            "error"
        ]


@pytest.mark.soak  # as a refused key, above; tests/sim/session/test_bad_input.py has the error
def test_a_host_that_is_not_there_is_named(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run(f"w = talk({PREVIEW!r}, base_url='http://127.0.0.1:9/v1', api_key='{KEY}'); w")
    notebook.widget().get_by_test_id("gip-start").click()
    error = notebook.widget().get_by_test_id("gip-error")
    expect(error).to_contain_text("Server unreachable")
    expect(error).to_contain_text("127.0.0.1:9")


def test_a_connection_that_drops_in_mid_answer_is_told_and_its_rows_stay(notebook: Notebook) -> None:
    with realtime_server(Model(chunks=9, stop_after=(6, 1011))) as (url, _):
        notebook.run("%load_ext gip_nb")
        notebook.run(f"w = talk({PREVIEW!r}, base_url={url!r}, api_key={KEY!r}, reconnect=False); w")
        start(notebook)
        box = notebook.widget().get_by_test_id("gip-text")
        box.fill("hello")
        box.press("Enter")
        error = notebook.widget().get_by_test_id("gip-error")
        expect(error).to_contain_text("Connection lost")
        expect(error).to_contain_text("1011")
    expect(notebook.widget()).to_have_attribute("data-gip-state", "error")
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "off")
    expect(rows(notebook, "assistant").first).to_contain_text("word 5")
    notebook.wait_for("w.state == 'error'")
    types = notebook.kernel("w.session.events.type.tolist()")
    assert types.count("response.audio.delta") == 6
    assert types.count("local.connection.closed") == 1
    assert notebook.kernel("w.session.turns.assistant_audio_ms.tolist()") == [600]
    (output,) = notebook.run("w.session.ask('still there?')", may_fail=True)
    assert output["ename"] == "ConnectionDropped"


@pytest.mark.soak  # tests/sim/session/test_bad_input.py has the same without a page
def test_a_typo_in_a_keyword_offers_the_nearest_name(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    (output,) = notebook.run("talk(instruction='be brief')", may_fail=True)
    assert output["ename"] == "UnknownOption"
    assert "did you mean 'instructions'" in output["evalue"]
