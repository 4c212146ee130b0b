"""The events tab: every event of a real talk, truly counted, and 50,000 of them without 50,000 rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.lab import Notebook

HOSTILE = "<img src=x onerror=window.hit=1>"
# What the tab should show, by another way than the tab's own: from the table.
FOLDED = """
e = w.session.events
e = e[e.direction != 'local']
run = ((e.type.astype(str) != e.type.astype(str).shift()) | (e.direction != e.direction.shift())).cumsum()
runs = [
    [int(g.index[0]), str(g.type.iloc[0]), str(g.direction.iloc[0]), len(g), float(g.audio_ms.sum())]
    for _, g in e.groupby(run)
]
"""
# Alternating types, so that nothing folds; some sound, and one that would like to be markup.
MANY = f"""
import base64
from gip_nb.protocol.frames import encode_event
sound = base64.b64encode(bytes(4800)).decode()
for k in range(25_000):
    w.session.log.append('received', encode_event({{'type': 'response.audio.delta', 'delta': sound}}))
    w.session.log.append('received', encode_event({{'type': f'many.{{k}}', 'event_id': f'event_{{k}}'}}))
w.session.log.append('received', encode_event({{'type': {HOSTILE!r}, 'text': {HOSTILE!r}}}))
"""
# Scrolls through the whole list and reads each row once.
READ = """async (list) => {
  const found = new Map();
  const frame = () => new Promise(requestAnimationFrame);
  const read = () => {
    for (const row of list.querySelectorAll("[data-n]")) {
      const text = (name) => row.querySelector(`.gip-log-${name}`).textContent;
      found.set(Number(row.ariaRowIndex), [
        Number(row.dataset.n), text("type"), row.dataset.direction, text("amount"), row.ariaLevel,
      ]);
    }
  };
  for (let top = 0; top < list.scrollHeight; top += 240) {
    list.scrollTop = top;
    const end = performance.now() + 5000;
    do await frame();
    while (list.ariaBusy === "true" && performance.now() < end);
    read();
  }
  return [...found].sort((a, b) => a[0] - b[0]).map(([, row]) => row);
}"""


def amount(count: int, audio_ms: float, kind: str) -> str:
    """As the row says it."""
    parts = [f"\N{MULTIPLICATION SIGN} {count:,}"] if count > 1 else []
    if kind.endswith(("append", "audio.delta")):
        parts.append(f"{audio_ms / 1000:.2f} s" if audio_ms >= 1000 else f"{round(audio_ms)} ms")
    return " · ".join(parts)


class Tab(NamedTuple):
    """The tab of a notebook's widget, which has just been opened."""

    notebook: Notebook
    root: Locator
    listed: Locator

    def scroll(self, place: int) -> None:
        self.listed.evaluate(f"list => {{ list.scrollTop = {24 * place} }}")

    def summary(self, text: str) -> None:
        expect(self.root.get_by_test_id("gip-log-summary")).to_have_text(text)

    def press(self, *names: str) -> None:
        for name in names:
            self.root.get_by_test_id(f"gip-log-{name}").click()

    def rows(self) -> list[list[Any]]:
        found: list[list[Any]] = self.listed.evaluate(READ)
        return found


def opened(notebook: Notebook) -> Tab:
    widget = notebook.widget()
    widget.get_by_test_id("gip-tab-events").click()
    return Tab(notebook, widget.locator(".gip-log"), widget.get_by_test_id("gip-log-list"))


def test_events_of_a_talk_are_folded_truly_unfold_open_and_are_filtered(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    tab = opened(notebook)
    expect(tab.root).to_contain_text("No events yet")
    notebook.widget().get_by_test_id("gip-start").click()
    # Rows come while the talk goes on, and the newest is in sight.
    expect(tab.listed.locator(".gip-log-type", has_text="response.done")).to_be_visible()
    notebook.run("w.session.send({'type': 'response.cancel', 'event_id': 'event_too_late'})")
    expect(tab.root.get_by_test_id("gip-log-errors")).to_have_text("Errors1")
    notebook.widget().get_by_test_id("gip-stop").click()
    expect(notebook.widget()).to_have_attribute("data-gip-state", "closed")
    notebook.run(FOLDED)
    runs = notebook.kernel("runs")
    expect(tab.listed).to_have_attribute("aria-rowcount", str(len(runs)))
    assert tab.rows() == [[n, kind, way, amount(count, ms, kind), "1"] for n, kind, way, count, ms in runs]
    check_unfolding(tab, runs)
    check_filters(tab)


def check_unfolding(tab: Tab, runs: list[list[Any]]) -> None:
    """The longest run unfolds into its own events, in their place; one opens; it folds again."""
    place, (n, kind, way, count, _) = max(enumerate(runs), key=lambda run: run[1][3])
    assert (kind, way) == ("input_audio_buffer.append", "sent")
    assert count > 20
    tab.scroll(place)
    tab.listed.locator(f"[data-n='{n}'][aria-expanded=false]").click()
    expect(tab.listed).to_have_attribute("aria-rowcount", str(len(runs) + count))
    inside = [row for row in tab.rows() if row[4] == "2"]
    assert [row[0] for row in inside] == tab.notebook.kernel(f"[int(i) for i in e.index[run == {place + 1}]]")
    assert {tuple(row[1:4]) for row in inside} == {(kind, way, "40 ms")}

    tab.scroll(place)
    tab.listed.locator("[aria-level='2']").nth(2).click()
    shown = tab.root.get_by_test_id("gip-log-json")
    expect(shown).not_to_be_empty()
    assert json.loads(shown.inner_text()) == {"type": kind, "audio": "40 ms of audio"}
    tab.press("close")
    tab.scroll(place)
    tab.listed.locator(f"[data-n='{n}'][aria-expanded=true]").click()
    expect(tab.listed).to_have_attribute("aria-rowcount", str(len(runs)))


def check_filters(tab: Tab) -> None:
    words, kernel = tab.root.get_by_test_id("gip-log-text"), tab.notebook.kernel
    total = kernel("len(w.session.log)")
    deltas = kernel("int(e.type.astype(str).str.contains('audio_transcript.delta').sum())")
    words.fill("type:audio_transcript.delta")
    tab.summary(f"{deltas} of {total} events")
    # What was sent, and the error that names it.
    words.fill("event_too_late")
    tab.summary(f"2 of {total} events")
    words.fill("")
    tab.press("errors")
    tab.summary(f"1 of {total} events")
    error = tab.listed.locator(".gip-log-row")
    expect(error).to_have_count(1)
    expect(error).to_contain_text("response_cancel_not_active")
    assert error.locator(".gip-log-type").evaluate("e => getComputedStyle(e).color") == "rgb(185, 43, 43)"
    tab.press("errors", "sent", "received", "local")
    tab.summary(f"{total - kernel('len(e)')} of {total} events")


@pytest.mark.soak  # bench.events_tab measures it; js/test has the window of rows
def test_50_000_events_come_in_pages_and_few_rows_are_in_the_page(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run("w = talk(); w")
    notebook.run(MANY)
    tab = opened(notebook)
    expect(tab.listed).to_have_attribute("aria-rowcount", "50001")
    for place in (50_000, 12_345, 37_000, 3, 49_000):
        tab.scroll(place)
        row = tab.listed.locator(f"[data-n='{place}']")
        expect(row).to_have_attribute("aria-rowindex", str(place + 1))
        number, odd = divmod(place, 2)
        kind = HOSTILE if place == 50_000 else f"many.{number}" if odd else "response.audio.delta"
        expect(row.locator(".gip-log-type")).to_have_text(kind)
        assert tab.listed.locator(".gip-log-row").count() < 50
    words = tab.root.get_by_test_id("gip-log-text")
    words.fill("event_24999")
    tab.summary("1 of 50,001 events")
    words.fill("onerror")
    expect(tab.listed.locator(".gip-log-row")).to_contain_text(HOSTILE)
    tab.listed.locator(".gip-log-row").click()
    expect(tab.root.get_by_test_id("gip-log-json")).to_contain_text(HOSTILE)
    assert tab.root.locator("img").count() == 0
    assert notebook.page.evaluate("window.hit") is None
