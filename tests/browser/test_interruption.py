"""The user speaks over the answer: what the model remembers is what came out of the loudspeaker.

The answer is coded: the value of each sample is the millisecond that it stands in, counted from 1. A tap on
the page's output writes down which of them left the graph and when, and the browser's own pairs of context
time and loudspeaker time say how far behind the loudspeaker was. No counter of the player's has a part in it.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import expect

from gip_nb.rehearsal.ears import NoEars
from gip_nb.rehearsal.server import Options, RehearsalServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.browser.conftest import OpenNotebook
    from tests.browser.notebook import Notebook

MODEL = "openai/gpt-4o-realtime-preview-2024-12-17"
KEY = "sk-test-not-a-real-key-0123456789"
ANSWER_MS = 4000
# A block of the graph is 5.3 ms.
_FIRST_BLOCK = 12
TRUNCATED = "bool((w.session.events.type == 'conversation.item.truncated').any())"
ENDED = "int((w.session.events.type == 'local.playback.ended').sum())"

TAP = """() => {
  window.gipTap = { blocks: [], outMs: [], graphMs: Infinity };
  const connect = AudioNode.prototype.connect;
  const code = `registerProcessor("gip-tap", class extends AudioWorkletProcessor {
    process(inputs) {
      const samples = inputs[0][0];
      if (samples) {
        const code = Math.round(samples.reduce((most, one) => Math.max(most, one), 0) * 32768);
        if (code > 0) this.port.postMessage({ at_s: currentTime, code });
      }
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
        setInterval(() => {
          const { contextTime, performanceTime } = context.getOutputTimestamp();
          if (contextTime) window.gipTap.outMs.push(performanceTime - contextTime * 1000);
        }, 40);
        tap.port.onmessage = ({ data }) => {
          // The quickest message says when the graph is where.
          window.gipTap.graphMs = Math.min(window.gipTap.graphMs, performance.now() - data.at_s * 1000);
          window.gipTap.blocks.push(data);
        };
      });
    }
    return connect.call(this, target, ...rest);
  };
}"""


class CodedMouth:
    """Says nothing but where in the answer one is."""

    def speak(self, text: str, voice: str, speed: float, users_words: bytes) -> bytes:
        return np.repeat(np.arange(1, ANSWER_MS + 1, dtype="<i2"), 24).tobytes()


@contextmanager
def coded_server() -> Iterator[str]:
    """The embedded server with that mouth, on a thread of its own; its base URL."""
    ready: Future[tuple[str, Callable[[], object]]] = Future()

    async def serve() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        options = Options("127.0.0.1", 0, KEY)
        async with RehearsalServer(options, NoEars(), CodedMouth()) as server:
            ready.set_result((server.url, lambda: loop.call_soon_threadsafe(stopped.set)))
            await stopped.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="coded server")
    thread.start()
    url, stop = ready.result(10)
    try:
        yield "http" + url.removeprefix("ws").removesuffix("/realtime")
    finally:
        stop()
        thread.join(10)


def begin(notebook: Notebook, url: str) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run(f"w = talk({MODEL!r}, base_url={url!r}, api_key={KEY!r}); w")
    notebook.widget().get_by_test_id("gip-start").click()
    expect(notebook.widget()).to_have_attribute("data-gip-state", "listening")
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "on")


def ask(notebook: Notebook) -> None:
    box = notebook.widget().get_by_test_id("gip-text")
    box.fill("count")
    box.press("Enter")


def remembered_ms(notebook: Notebook, item_id: str) -> float:
    """How much of an answer's sound the server still has."""
    notebook.run(f"kept = w.session.retrieve({item_id!r})")
    (part,) = notebook.kernel("kept['content']")
    return len(base64.b64decode(part["audio"])) / 48


def answers(blocks: list[dict[str, Any]]) -> list[Any]:
    """The codes of each answer that sounded, in order, without the short fade after its end."""
    codes = np.array([block["code"] for block in blocks])
    begins = np.flatnonzero((codes[1:] < _FIRST_BLOCK) & (codes[:-1] > _FIRST_BLOCK)) + 1
    return [answer[: np.argmax(answer) + 1] for answer in np.split(codes, begins)]


def assistant(notebook: Notebook) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = notebook.kernel(
        "w.session.items.query('role == \"assistant\"').reset_index().to_dict('records')"
    )
    return found


def test_who_speaks_over_the_answer_silences_it_and_the_model_remembers_what_sounded(
    open_a_notebook: OpenNotebook, fixtures: Path
) -> None:
    with coded_server() as url:
        notebook = open_a_notebook(microphone="scripted", fresh=True)
        notebook.page.evaluate(TAP)
        begin(notebook, url)
        ask(notebook)
        notebook.page.wait_for_function("() => window.gipTap.blocks.length > 200")
        notebook.say(fixtures / "stop_slt.wav")
        notebook.wait_for(TRUNCATED)
        tap = notebook.page.evaluate("() => window.gipTap")
        first_answer = answers(tap["blocks"])[0]
        behind_ms = float(np.median(tap["outMs"])) - tap["graphMs"]
        sounded_ms = first_answer[-1] - behind_ms
        cut = notebook.kernel(
            "w.session.events.query('type == \"conversation.item.truncate\"').payload.iloc[0]"
        )
        assert cut["audio_end_ms"] == pytest.approx(sounded_ms, abs=20)
        assert 500 < cut["audio_end_ms"] < ANSWER_MS - 500
        # The server took it, and remembers no more.
        assert not notebook.kernel("bool((w.session.events.type == 'error').any())")
        assert remembered_ms(notebook, cut["item_id"]) == cut["audio_end_ms"]
        # What was said over it is answered, from its beginning to its end.
        notebook.wait_for(f"{ENDED} == 1", timeout_s=30)
        first, second = assistant(notebook)
        assert (first["interrupted"], second["interrupted"]) == (True, False)
        assert second["heard_ms"] == second["audio_ms"] == ANSWER_MS
        last_answer = answers(notebook.page.evaluate("() => window.gipTap.blocks"))[-1]
        assert last_answer[0] < _FIRST_BLOCK
        assert last_answer[-1] == ANSWER_MS
        assert np.diff(last_answer).max() < _FIRST_BLOCK, "with no hole"


@pytest.mark.soak  # tests/sim/session/test_scenes and tests/unit/protocol have the rule
def test_an_answer_that_is_interrupted_before_its_first_sample_is_forgotten(
    open_a_notebook: OpenNotebook,
) -> None:
    with coded_server() as url:
        notebook = open_a_notebook(microphone="scripted", fresh=True)
        notebook.page.evaluate(TAP)
        begin(notebook, url)
        notebook.run(
            "stopped = []\n"
            "def stop(event):\n"
            "    if not stopped:\n"
            "        stopped.append(event['item_id'])\n"
            "        w.session.interrupt()\n"
            "w.session.on('response.output_audio.delta', stop)"
        )
        ask(notebook)
        notebook.wait_for("bool((w.session.events.type == 'conversation.item.deleted').any())")
        (answer,) = assistant(notebook)
        assert answer["deleted"]
        assert answer["heard_ms"] == 0
        assert notebook.page.evaluate("() => window.gipTap.blocks.length") == 0
        # The server itself has it no more.
        notebook.run("w.session.send({'type': 'conversation.item.retrieve', 'item_id': stopped[0]})")
        notebook.wait_for("bool((w.session.events.type == 'error').any())")
        assert notebook.kernel("w.session.state") == "listening"
