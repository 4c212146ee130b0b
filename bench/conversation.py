"""How heavy the page becomes in a long talk: elements after 1,000 turns, frames while text streams.

    python -m bench.conversation [--turns 1000] [--seconds 10]

One JupyterLab, one Chromium, one talk with a scripted server on this machine that answers in text. The turns
are asked in a cell; then one long answer streams at 40 deltas a second while the page's frames are counted,
once with the newest rows in sight and once scrolled away. The first row, of an empty talk, is the browser's
own: what this machine draws without us.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from bench.figures import Machine, bench, percentile, table
from tests.sim.session.servers import GREETING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.server import ServerConnection

    from tests.browser.lab import Notebook

DELTA_S = 0.025
# What one view has in the page, in an hour's talk too; see js/src/row-window.js.
MOST_ROWS = 200
FRAMES = """ms => new Promise((resolve) => {
  const times = [];
  const end = performance.now() + ms;
  const next = (now) => {
    times.push(now);
    if (now < end) requestAnimationFrame(next);
    else resolve(times.slice(1).map((time, i) => time - times[i]));
  };
  requestAnimationFrame(next);
})"""
COUNT = """() => [
  document.querySelectorAll("section.gip *").length,
  document.querySelectorAll("section.gip .gip-row").length,
]"""


class Answers:
    """Answers in text: a sentence each, or a long stream to who asks for `stream`."""

    def __init__(self) -> None:
        self.stream_s = 0.0
        self.answers = 0

    def handle(self, connection: ServerConnection) -> None:
        """One connection, until it ends."""
        with suppress(ConnectionClosed):
            self._talk(connection)

    def _talk(self, connection: ServerConnection) -> None:
        def say(**event: Any) -> None:
            connection.send(json.dumps(event))

        say(**GREETING)
        streams = False
        for message in connection:
            event = json.loads(message)
            if event["type"] == "session.update":
                say(type="session.updated", session={"id": "sess_bench", **event["session"]})
            elif event["type"] == "conversation.item.create":
                streams = event["item"]["content"][0]["text"] == "stream"
                say(type="conversation.item.created", item={**event["item"], "status": "completed"})
            elif event["type"] == "response.create":
                self._answer(say, streams=streams)

    def _answer(self, say: Callable[..., None], *, streams: bool) -> None:
        self.answers += 1
        ids = {"response_id": f"resp_{self.answers}", "item_id": f"item_{self.answers}"}
        item = {"id": ids["item_id"], "type": "message", "role": "assistant", "content": []}
        say(type="response.created", response={"id": ids["response_id"], "status": "in_progress"})
        say(type="response.output_item.added", response_id=ids["response_id"], item=item)
        end = time.monotonic() + (self.stream_s if streams else 0)
        while True:
            words = (
                "and then some more words " if streams else f"This is answer {self.answers}, one sentence."
            )
            say(type="response.text.delta", **ids, content_index=0, delta=words)
            if time.monotonic() >= end:
                break
            time.sleep(DELTA_S)
        done = {"id": ids["response_id"], "status": "completed", "output": [{**item, "status": "completed"}]}
        say(type="response.done", response=done)


@contextmanager
def answering() -> Iterator[tuple[int, Answers]]:
    """The server; its port, and what it answers."""
    answers = Answers()
    with serve(answers.handle, "127.0.0.1", 0, compression=None) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running.socket.getsockname()[1], answers
        finally:
            running.shutdown()
            thread.join()


def measured(notebook: Notebook, name: str, seconds: float, *, streams: bool = True) -> list[object]:
    """A row: elements, rows and frames while an answer streams."""
    if streams:
        notebook.run_without_waiting("w.session.ask('stream')")
        notebook.page.wait_for_timeout(500)
    times = notebook.page.evaluate(FRAMES, seconds * 1000)
    elements, rows = notebook.page.evaluate(COUNT)
    if streams:
        notebook.wait_for("w.state == 'listening'")
    late = sum(1 for ms in times if ms > 50)  # noqa: PLR2004  three frames of a 60 Hz screen
    return [name, elements, rows, len(times), *(percentile(times, p) for p in (50, 99, 100)), late]


def main() -> int:
    """Measure and print; 0 where the page stayed bounded."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each row")
    options = parser.parse_args()
    turns: int = options.turns
    seconds: float = options.seconds
    machine = Machine()
    with bench() as (browser, pages), answering() as (port, answers):
        notebook = pages.open(browser=browser, fresh=True)
        notebook.run("%load_ext gip_nb")
        notebook.run(
            f"w = talk('bench-preview', base_url='http://127.0.0.1:{port}/v1', api_key='sk-bench'); w"
        )
        notebook.run("w.session.connect()")
        rows = [measured(notebook, "empty, nothing streams", seconds, streams=False)]
        answers.stream_s = seconds + 1
        rows.append(measured(notebook, "first turn", seconds))
        notebook.run(f"for n in range({turns}): w.session.ask(f'question {{n}}')", timeout_s=600)
        rows.append(measured(notebook, f"after {turns} turns", seconds))
        notebook.page.evaluate("() => { document.querySelector('.gip-conversation').scrollTop = 2000; }")
        notebook.page.wait_for_timeout(300)
        rows.append(measured(notebook, "the same, scrolled away", seconds))
        items = notebook.kernel("len(w.session.items)")
        view = (
            "(lambda s, t: ((lambda a: [s(w.session._session.protocol.conversation) for _ in range(50)] and "
            "(t() - a) / 50)(t())) * 1000)(__import__('gip_nb.notebook.item_view').notebook.item_view.shown, "
            "__import__('time').perf_counter)"
        )
        shown_ms = notebook.kernel(view)
        notebook.close()
    head = ["while an answer streams", "elements", "rows", "frames", "p50 ms", "p99 ms", "max ms", "> 50 ms"]
    sys.stdout.write(f"{table(head, rows)}\n\n")
    sys.stdout.write(
        f"{items} items; the kernel finds their rows anew in {shown_ms:.2f} ms\n{machine.line()}\n"
    )
    return 0 if all(int(str(row[2])) <= MOST_ROWS for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
