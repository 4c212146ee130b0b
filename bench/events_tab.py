"""How smooth the events tab is with 50,000 events.

    python -m bench.events_tab [--events 50000]

One talk in a real JupyterLab, its log filled by hand with what an hour of talk is made of. The events tab is
scrolled for 300 frames, by some rows a frame and by a screen a frame, and the time between drawn frames is
taken. In the same page and the same run, as baselines: frames while nothing moves, and a plain list of as
many rows, all of them in the page, scrolled alike.

A jump is from setting the scroll position to that place's rows on the screen, the kernel's answer included.
Kernel time is that of making one page of 100 rows, and of looking at the whole log for the first time.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from bench.figures import Machine, bench, percentile, table

if TYPE_CHECKING:
    from tests.browser.lab import Notebook

FRAMES = 300
JUMPS = 40
JUMP_GOAL_MS = 150.0
MOST_ROWS = 60
# A turn is 50 rows: sound that was sent, an answer's sound and words, how it ended.
FILL = """
import base64
from gip_nb.protocol.frames import append_frame, encode_event
pcm = bytes(1920)
sound = base64.b64encode(bytes(4800)).decode()
for k in range({events}):
    turn, at = divmod(k, 50)
    ids = {{'event_id': f'event_{{k}}', 'response_id': f'resp_{{turn}}', 'item_id': f'item_{{turn}}'}}
    if at < 25:
        w.session.log.append('sent', append_frame(pcm))
    elif at == 49:
        done = {{'id': ids['response_id'], 'status': 'completed'}}
        w.session.log.append('received', encode_event({{'type': 'response.done', 'response': done}}))
    elif at % 2:
        w.session.log.append(
            'received', encode_event({{'type': 'response.output_audio.delta', **ids, 'delta': sound}})
        )
    else:
        words = {{'type': 'response.output_audio_transcript.delta', **ids, 'delta': f'word {{k}} '}}
        w.session.log.append('received', encode_event(words))
"""
KERNEL = """
import time
from gip_nb.notebook.event_pages import EventPages
def timed(call):
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
pages = EventPages(lambda: w.session.log, slice_s=60)
first_ms = timed(lambda: pages.page({'first': None, 'count': 100}))
total = pages.page({})['total']
page_ms = [timed(lambda: pages.page({'first': n * total // 200, 'count': 100})) for n in range(200)]
words_ms = timed(lambda: pages.page({'first': 0, 'count': 100, 'filter': {'text': 'word 49'}}))
"""
SCROLL = """async ([selector, step, frames]) => {
  const list = document.querySelector(selector);
  const drawn = () => new Promise(requestAnimationFrame);
  const times = [];
  let most = 0;
  if (list) list.scrollTop = 0;
  await drawn();
  let before = await drawn();
  for (let frame = 0; frame < frames; frame += 1) {
    if (list) list.scrollTop += step;
    const now = await drawn();
    times.push(now - before);
    before = now;
    if (list) most = Math.max(most, list.querySelectorAll(".gip-log-row").length);
  }
  return { times, most, moved: list ? list.scrollTop : 0 };
}"""
JUMP = """async (part) => {
  const list = document.querySelector(".gip-log-list");
  const began = performance.now();
  list.scrollTop = list.scrollHeight * part;
  do await new Promise(requestAnimationFrame);
  while (list.ariaBusy === "true" && performance.now() - began < 10_000);
  return performance.now() - began;
}"""
PLAIN = """(events) => {
  const began = performance.now();
  const list = document.createElement("div");
  list.id = "plain";
  list.style.cssText = "height: 336px; overflow: auto; font: 12px monospace";
  for (let n = 0; n < events; n += 1) {
    const line = document.createElement("div");
    line.style.cssText = "height: 24px; border-bottom: 1px solid #ddd";
    line.textContent = `00:00.00 received response.output_audio_transcript.delta word ${n}`;
    list.append(line);
  }
  document.querySelector(".gip").after(list);
  list.scrollTop = 1;
  return performance.now() - began;
}"""


def scrolled(notebook: Notebook, selector: str, step_px: int) -> dict[str, Any]:
    """Times between drawn frames in ms, and the most rows that were in the page."""
    found: dict[str, Any] = notebook.page.evaluate(SCROLL, [selector, step_px, FRAMES])
    if step_px and found["moved"] < step_px * FRAMES * 0.9:
        raise RuntimeError(f"{selector} moved {found['moved']} px only")
    return found


def figures(name: str, values: list[float], rows: object = "", goal: object = "") -> list[object]:
    """A row of the table."""
    return [name, len(values), *(percentile(values, p) for p in (50, 95, 100)), rows, goal]


def main() -> int:
    """Measure and print; 0 where every goal was reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=50_000, help="events in the log")
    events: int = parser.parse_args().events
    machine = Machine()
    with bench() as running:
        notebook = running.pages.open(browser=running.browser, fresh=True)
        notebook.run("%load_ext gip_nb")
        notebook.run("w = talk(); w")
        notebook.run(FILL.format(events=events), timeout_s=60)
        notebook.run(KERNEL, timeout_s=60)
        kernel = notebook.kernel("{'first': first_ms, 'page': page_ms, 'words': words_ms, 'rows': total}")
        idle = scrolled(notebook, "#nothing", 0)
        notebook.widget().get_by_test_id("gip-tab-events").click()
        listed = notebook.widget().get_by_test_id("gip-log-list")
        expect(listed).to_have_attribute("aria-rowcount", str(kernel["rows"]))
        slow = scrolled(notebook, ".gip-log-list", 72)
        fast = scrolled(notebook, ".gip-log-list", 336)
        # To and fro, so that each place is a new one.
        places = [(7 * n % JUMPS + 0.5) / JUMPS for n in range(JUMPS)]
        jumps = [float(notebook.page.evaluate(JUMP, place)) for place in places]
        made_ms = float(notebook.page.evaluate(PLAIN, kernel["rows"]))
        plain_slow = scrolled(notebook, "#plain", 72)
        plain_fast = scrolled(notebook, "#plain", 336)
        notebook.close()
    goal_ms = max(20.0, 1.5 * percentile(idle["times"], 95))
    rows = [
        figures("baseline: frames, nothing moves [ms]", idle["times"]),
        figures("baseline: plain list, 3 rows a frame [ms]", plain_slow["times"], kernel["rows"]),
        figures("baseline: plain list, a screen a frame [ms]", plain_fast["times"], kernel["rows"]),
        figures("events tab, 3 rows a frame [ms]", slow["times"], slow["most"], f"p95 {goal_ms:.0f}"),
        figures("events tab, a screen a frame [ms]", fast["times"], fast["most"], f"p95 {goal_ms:.0f}"),
        figures("jump to rows on the screen [ms]", jumps, "", f"p95 {JUMP_GOAL_MS:.0f}"),
        figures("kernel, a page of 100 rows [ms]", kernel["page"]),
    ]
    print(f"\nThe events tab with {events:,} events, folded into {kernel['rows']:,} rows\n")
    print(table(["", "times", "p50", "p95", "max", "rows in the page", "goal"], rows))
    print(
        f"\nkernel, the whole log for the first time: {kernel['first']:.0f} ms; for words in it: "
        f"{kernel['words']:.0f} ms (in slices of 100 ms); the plain list was made in {made_ms:.0f} ms"
    )
    print(machine.line())
    smooth = all(percentile(one["times"], 95) <= goal_ms for one in (slow, fast))
    few = max(slow["most"], fast["most"]) <= MOST_ROWS
    return 0 if smooth and few and percentile(jumps, 95) <= JUMP_GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main())
