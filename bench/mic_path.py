"""How long a captured chunk of the microphone takes from the worklet to the wire.

    python -m bench.mic_path [--seconds 30]

One JupyterLab, one Chromium, one talk with a scripted server on this machine. Each 40 ms chunk is followed
from the worklet's `postMessage` to the `sent` row of its `input_audio_buffer.append` and to its arrival at
the server; a copy of the same chunk goes from the same page over a plain WebSocket to another server on this
machine. Three times over: the kernel idle, a cell that sleeps, a cell that computes.

All clocks are the system's: `Date.now()` in the worklet (whole milliseconds, so ±0.5 ms), `performance.now()`
held against it in the page, `time.time()` here and in the kernel.
"""

from __future__ import annotations

import argparse
import base64
import json
import struct
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from bench.figures import Machine, bench, percentile, table
from tests.sim.session.servers import GREETING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.server import ServerConnection

    from tests.browser.lab import Notebook

HOOKS = Path(__file__).with_suffix(".js")
SETTLE_S = 3.0
GOALS_MS = {"idle": (10.0, 60.0), "sleeping": (None, 200.0), "computing": (None, 200.0)}
# What the kernel does meanwhile. A publish from a cell is what makes ipykernel 7.4 route the microphone's
# messages to the main thread, unless somebody looks after it.
CELLS = {
    "idle": None,
    "sleeping": "w.layout.width = '99%'; print('published'); import time; time.sleep({seconds})",
    "computing": (
        "w.layout.width = '98%'; print('published'); import time\n"
        "end = time.time() + {seconds}\n"
        "while time.time() < end: sum(range(1000))"
    ),
}


class Arrival(NamedTuple):
    """A chunk at a server, and when by the system's clock."""

    unix_ms: float
    pcm: bytes


class Chunk(NamedTuple):
    """One chunk's times, Unix milliseconds."""

    left_worklet: float
    in_page: float
    page_sent: float
    row: float
    at_server: float
    raw_at_server: float


@contextmanager
def server(handle: Callable[[ServerConnection], None]) -> Iterator[int]:
    """A WebSocket server on this machine, on threads of its own; its port."""

    def until_it_goes(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            handle(connection)

    with serve(until_it_goes, "127.0.0.1", 0, compression=None) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running.socket.getsockname()[1]
        finally:
            running.shutdown()
            thread.join()


def realtime(appended: list[Arrival]) -> Callable[[ServerConnection], None]:
    """A realtime server that notes what it hears and says nothing to it."""

    def handle(connection: ServerConnection) -> None:
        connection.send(json.dumps(GREETING))
        for message in connection:
            now_ms = time.time() * 1000
            event = json.loads(message)
            if event["type"] == "input_audio_buffer.append":
                appended.append(Arrival(now_ms, base64.b64decode(event["audio"])))
            elif event["type"] == "session.update":
                session = {"id": "sess_bench", **event["session"]}
                connection.send(json.dumps({"type": "session.updated", "session": session}))

    return handle


def plain(received: dict[int, Arrival]) -> Callable[[ServerConnection], None]:
    """A server that notes what it gets, by its number."""

    def handle(connection: ServerConnection) -> None:
        for message in connection:
            now_ms = time.time() * 1000
            data = bytes(cast("bytes", message))  # the page sends no text
            received[int(struct.unpack(">d", data[:8])[0])] = Arrival(now_ms, data[8:])

    return handle


def clock_error_ms(notebook: Notebook) -> tuple[float, float]:
    """How far the page's wall clock is from this process's, and half the round trip it was asked in."""
    asked = []
    for _ in range(20):
        before = time.time() * 1000
        page = notebook.page.evaluate("() => window.gipBench.now()")
        after = time.time() * 1000
        asked.append(((after - before) / 2, page + 0.5 - (before + after) / 2))
    half, apart = min(asked)
    return apart, half


def follow(
    notebook: Notebook, appended: list[Arrival], received: dict[int, Arrival], first_seq: int
) -> list[Chunk]:
    """Join what page, kernel and servers have noted of the chunks from `first_seq` on.

    Raises:
        RuntimeError: the servers did not hear the same chunks in the same order.
    """
    stamped = {int(f[0]): f[1:] for f in notebook.page.evaluate("() => window.gipBench.frames()")}
    rows = notebook.kernel(
        "[t.timestamp() * 1000 for t in w.session.events.query("
        "\"type == 'input_audio_buffer.append' and direction == 'sent'\")['at']]"
    )
    # Chunks go out in the order of their numbers, and none is missing: the copies, which carry their number,
    # say the same as what the realtime server heard.
    chunks = []
    for seq in sorted(received):
        if seq < first_seq or seq >= min(len(rows), len(appended)) or seq not in stamped:
            continue  # from before, or still on its way
        if appended[seq].pcm != received[seq].pcm:
            raise RuntimeError(f"chunk {seq} is not the one that the server heard")
        left, came, sent = stamped[seq]
        chunks.append(Chunk(left, came, sent, rows[seq], appended[seq].unix_ms, received[seq].unix_ms))
    return chunks


WAYS: dict[str, Callable[[Chunk], float]] = {
    "worklet -> frame leaves (row)": lambda c: c.row - c.left_worklet,
    "worklet -> realtime server": lambda c: c.at_server - c.left_worklet,
    "baseline: plain WebSocket": lambda c: c.raw_at_server - c.left_worklet,
    "  of it worklet -> page": lambda c: c.in_page - c.left_worklet,
    "  of it page -> comm sent": lambda c: c.page_sent - c.in_page,
    "  of it comm sent -> row": lambda c: c.row - c.page_sent,
}


def rows_of(condition: str, chunks: list[Chunk]) -> list[list[object]]:
    """The table's rows for one condition."""
    rows: list[list[object]] = []
    for number, (way, measure) in enumerate(WAYS.items()):
        values = [measure(chunk) for chunk in chunks]
        p50, p99 = GOALS_MS[condition] if number == 0 else (None, None)
        goal = ", ".join(
            f"p{name} <= {limit:.0f}" for name, limit in ((50, p50), (99, p99)) if limit is not None
        )
        figures = [percentile(values, percent) for percent in (50, 95, 99, 100)]
        rows.append([f"{condition}: {way}", len(values), *figures, goal])
    return rows


def verdict(rows: list[list[object]]) -> bool:
    """Whether every goal was reached."""
    reached = True
    for _, _, p50, _, p99, _, goal in rows:
        for part in filter(None, str(goal).split(", ")):
            name, limit = part.split(" <= ")
            figure: Any = p50 if name == "p50" else p99
            reached = reached and figure <= float(limit)
    return reached


def main() -> int:
    """Measure and print; 0 where every goal was reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="for each of the three conditions")
    seconds: float = parser.parse_args().seconds
    machine = Machine()
    appended: list[Arrival] = []
    received: dict[int, Arrival] = {}
    rows: list[list[object]] = []
    with bench() as (browser, pages), server(realtime(appended)) as port, server(plain(received)) as raw:
        notebook = pages.open(browser=browser, fresh=True)
        notebook.page.context.add_init_script(path=HOOKS)
        notebook.reload()
        notebook.run("%load_ext gip_nb")
        notebook.run(
            f"w = talk('bench-preview', base_url='http://127.0.0.1:{port}/v1', api_key='sk-bench'); w"
        )
        notebook.page.evaluate("url => window.gipBench.connect(url)", f"ws://127.0.0.1:{raw}")
        notebook.widget().get_by_test_id("gip-start").click()
        notebook.wait_for("w.session.state == 'listening'")
        notebook.page.evaluate("() => window.gipBench.calibrate()")
        apart, error = clock_error_ms(notebook)
        for condition, cell in CELLS.items():
            notebook.page.wait_for_timeout(SETTLE_S * 1000)
            first_seq = max(received) + 1
            running = notebook.run_without_waiting(cell.format(seconds=seconds)) if cell else None
            notebook.page.wait_for_timeout(seconds * 1000)
            last_seq = max(received)
            if running:
                notebook.finish(running)
            notebook.page.wait_for_timeout(1000)
            chunks = follow(notebook, appended, received, first_seq)[: last_seq - first_seq]
            rows += rows_of(condition, chunks)
        gaps = notebook.kernel("int((w.session.events.type == 'local.mic.gap').sum())")
        notebook.close()
    print("\nA captured chunk (40 ms) on its way, in ms\n")
    print(table(["", "chunks", "p50", "p95", "p99", "max", "goal"], rows))
    print(f"\ngaps: {gaps}; page's clock {apart:+.2f} ms from ours, known to {error:.2f} ms")
    print(machine.line())
    return 0 if verdict(rows) and not gaps else 1


if __name__ == "__main__":
    sys.exit(main())
