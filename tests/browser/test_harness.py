"""The page object itself: if these fail, no other browser test says anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.lab import CellFailed, Notebook

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenNotebook
    from tests.browser.lab import Lab, Pages

COUNTER = '''
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    function render({ model, el }) {
      const button = document.createElement("button");
      button.textContent = "count";
      button.className = "counter";
      button.addEventListener("click", () => {
        model.set("count", model.get("count") + 1);
        model.save_changes();
      });
      el.append(button);
    }
    export default { render };
    """
    count = traitlets.Int(0).tag(sync=True)

counter = Counter()
counter
'''


# Told in full by `make soak`: the tests of talks stand on the same verbs, and fail with them.
covered = pytest.mark.soak


@covered
def test_cells_run_and_the_kernel_answers_beside_them(notebook: Notebook) -> None:
    assert notebook.run("print('hello'); 6 * 7") == [
        {"output_type": "stream", "name": "stdout", "text": "hello\n"},
        {"output_type": "execute_result", "data": {"text/plain": "42"}, "metadata": {}, "execution_count": 1},
    ]
    with pytest.raises(CellFailed, match="ZeroDivisionError"):
        notebook.run("1 / 0")
    (output,) = notebook.run("1 / 0", may_fail=True)
    assert output["ename"] == "ZeroDivisionError"

    notebook.run(
        "import numpy, pandas; numbers = {'one': numpy.int64(1), 'none': pandas.NA, 'yes': numpy.True_}"
    )
    assert notebook.kernel("numbers") == {"one": 1, "none": None, "yes": True}
    assert notebook.run("7")[0]["execution_count"] == 5  # the question left no trace

    cell = notebook.run_without_waiting(
        "import time; print('begun', flush=True); time.sleep(1); print('done')"
    )
    notebook.page.get_by_text("begun").last.wait_for()
    assert "done" not in str(notebook.outputs_now(cell))
    assert "done" in str(notebook.finish(cell))
    assert notebook.cell_ids()[-1] == cell
    notebook.clear_outputs(cell)
    assert notebook.outputs_now(cell) == []
    assert "done" in str(notebook.rerun(cell))
    assert notebook.cell_ids()[-1] == cell


@covered
def test_a_widget_a_file_two_themes_and_a_restart(notebook: Notebook, tmp_path: Path) -> None:
    notebook.run(COUNTER)
    notebook.page.locator("button.counter").click()
    notebook.wait_for("counter.count == 1")
    assert "class Counter" in notebook.save().read_text("utf-8")

    notebook.theme("dark")
    dark = notebook.screenshot(tmp_path / "dark.png").read_bytes()
    notebook.theme("light")
    light = notebook.screenshot(tmp_path / "light.png").read_bytes()
    assert dark[:4] == light[:4] == b"\x89PNG"
    assert dark != light

    notebook.restart_kernel()
    assert notebook.kernel("'counter' in globals()") is False


LISTEN = """async (seconds) => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext({ sampleRate: 24000 });
  const source = `registerProcessor("level", class extends AudioWorkletProcessor {
    process([[channel]]) {
      if (channel) this.port.postMessage(Math.max(...channel.map(Math.abs)));
      return true;
    }
  });`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const node = new AudioWorkletNode(context, "level");
  const levels = [];
  node.port.onmessage = ({ data }) => levels.push(data);
  context.createMediaStreamSource(stream).connect(node);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  stream.getTracks().forEach((track) => track.stop());
  await context.close();
  const first = levels.findIndex((level) => level > 0.05);
  const last = levels.findLastIndex((level) => level > 0.05);
  return { first_ms: first * 128 / 24, last_ms: last * 128 / 24, total_ms: levels.length * 128 / 24 };
}"""


@covered
def test_the_microphone_plays_its_file_from_the_start_each_time_and_once(notebook: Notebook) -> None:
    for _ in range(2):
        heard = notebook.page.evaluate(LISTEN, 2.8)
        assert 0 <= heard["first_ms"] < 900
        assert 1300 < heard["last_ms"] - heard["first_ms"] < 1900
        assert heard["total_ms"] > heard["last_ms"] + 300


@covered
def test_a_page_can_be_refused_the_microphone(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="denied")
    name = notebook.page.evaluate(
        "() => navigator.mediaDevices.getUserMedia({ audio: true }).then(() => 'granted', (e) => e.name)"
    )
    assert name == "NotAllowedError"


@covered
def test_a_scripted_microphone_says_what_it_is_told(
    open_a_notebook: OpenNotebook, lab: Lab, pages: Pages, fixtures: Path
) -> None:
    notebook = open_a_notebook(microphone="scripted")
    notebook.page.evaluate(f"() => {{ window.heard = ({LISTEN})(2.5) }}")
    notebook.page.wait_for_function("() => window.gipMicrophone.open() === 1")
    assert 1.2 < notebook.say(fixtures / "stop_slt.wav") < 1.4
    heard = notebook.page.evaluate("() => window.heard")
    assert 800 < heard["last_ms"] - heard["first_ms"] < 1400
    assert notebook.page.evaluate("() => window.gipMicrophone.open()") == 0

    # And the kernel ends with its notebook, even when the tab was closed.
    notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")
    assert notebook.path in lab.running()
    notebook.close()
    pages.kernels.settle()
    assert notebook.path not in lab.running()


# ---- one page for many notebooks


@covered
def test_the_next_notebook_has_the_page_of_the_last_and_nothing_else(
    open_a_notebook: OpenNotebook, pages: Pages
) -> None:
    first = open_a_notebook()
    first.run("import os; left = 'over'")
    first.page.evaluate(
        f"() => {{ window.context = new AudioContext(); window.heard = ({LISTEN})(60).catch(() => null) }}"
    )
    first.page.wait_for_function("() => window.gipLab.soundsOpen().tracks === 1")
    assert first.page.evaluate("() => window.gipLab.soundsOpen()")["contexts"] == 2
    first.run_without_waiting("input('a question that nobody answers')")
    first.close()

    second = open_a_notebook()
    assert second.page is first.page
    assert second.path != first.path
    assert second.cell_ids() != []
    assert second.kernel("'left' in globals()") is False
    assert second.page.evaluate("() => window.gipLab.soundsOpen()") == {
        "contexts": 0,
        "running": 0,
        "tracks": 0,
    }
    assert second.page.evaluate("() => window.context.state") == "closed"
    # Loaded anew, the page shows this notebook and not the last.
    second.reload()
    open_now = "() => [...window.jupyterapp.shell.widgets('main')].map((one) => one.context?.path ?? null)"
    assert [path for path in second.page.evaluate(open_now) if path] == [second.path]
    second.page.evaluate("() => console.error('said by the second')")
    second.close()
    assert [text.split(" (")[0] for text in second.console_errors] == ["said by the second"]
    second.console_errors.clear()
    assert first.console_errors == []

    third = open_a_notebook()
    assert third.page is first.page
    pages.kernels.settle()
    assert {first.path, second.path}.isdisjoint(pages.lab.running())
    assert third.path in pages.lab.running()


TIDY = "() => window.gipLab.tidy()"


@covered
def test_a_page_that_is_not_in_order_is_not_handed_on(open_a_notebook: OpenNotebook) -> None:
    dark = open_a_notebook()
    dark.page.evaluate("() => { window.jupyterapp.commands.execute('help:about') }")
    dark.page.locator(".jp-Dialog").wait_for()
    assert dark.page.evaluate(TIDY) == "a dialog is open"
    dark.page.keyboard.press("Escape")
    dark.page.locator(".jp-Dialog").wait_for(state="detached")
    assert dark.page.evaluate(TIDY) is None
    dark.theme("dark")
    dark.close()
    assert dark.page.is_closed()

    light = open_a_notebook()
    assert light.page.evaluate("() => document.body.dataset.jpThemeLight") == "true"
    assert light.page is not dark.page
    light.page.goto("about:blank")
    assert light.page.evaluate(TIDY) == "JupyterLab is not there"
    light.close()
    assert light.page.is_closed()


@covered
def test_a_second_page_shows_the_same_notebook(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook()
    notebook.run(COUNTER)
    notebook.save()
    tab = notebook.second_page()
    stranger = notebook.second_page(same_context=False)
    assert tab.page.context is notebook.page.context
    assert stranger.page.context is not notebook.page.context
    for count, one in enumerate((notebook, tab, stranger), start=1):
        one.page.locator("button.counter").click()
        assert one.wait_for(f"counter.count == {count}")
    tab.page.evaluate("() => console.error('said by the tab')")
    notebook.close()
    assert tab.page.is_closed()
    assert stranger.page.is_closed()
    assert len(tab.console_errors) == 1
    tab.console_errors.clear()


@covered
def test_a_tab_is_closed_and_opened_again_and_the_kernel_lives_on(notebook: Notebook) -> None:
    notebook.run(COUNTER)
    pid = notebook.pid()
    notebook.close_tab()
    assert notebook.page.locator("button.counter").count() == 0
    notebook.reopen_tab()
    assert notebook.pid() == pid
    notebook.page.locator("button.counter").click()
    notebook.wait_for("counter.count == 1")


@covered
def test_a_kernel_crashes_and_another_takes_its_place(notebook: Notebook) -> None:
    notebook.run("value = 1")
    pid = notebook.pid()
    notebook.run_without_waiting("import time; time.sleep(60)")
    notebook.crash_kernel(pid)
    assert notebook.kernel("'value' in globals()") is False
    assert notebook.pid() != pid
    # Nothing is left in front of the page.
    notebook.run(COUNTER)
    notebook.page.locator("button.counter").click()
    notebook.wait_for("counter.count == 1")


TICKS = """async (ms) => {
  let ticks = 0;
  const timer = setInterval(() => { ticks += 1; }, 50);
  await new Promise((resolve) => setTimeout(resolve, ms));
  clearInterval(timer);
  return ticks;
}"""


@covered
def test_a_page_can_be_hidden_and_its_timers_fall_to_one_a_second(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(hideable=True)
    notebook.hide()
    assert notebook.page.evaluate(TICKS, 2500) < 10
    assert notebook.kernel("6 * 7") == 42
    notebook.show()
    assert notebook.page.evaluate(TICKS, 500) > 5
    heard = notebook.page.evaluate(LISTEN, 0.5)
    assert heard["total_ms"] > 300


@covered
def test_a_setting_holds_for_a_while(notebook: Notebook) -> None:
    # With it the messages of widgets come on the main thread; by default a thread is made for them.
    threads = "[t.name for t in __import__('threading').enumerate() if t.name.startswith('subshell-')]"
    with notebook.setting(
        "@jupyterlab/apputils-extension:kernels-settings", {"commsOverSubshells": "disabled"}
    ):
        notebook.run(COUNTER)
        notebook.page.locator("button.counter").click()
        notebook.wait_for("counter.count == 1")
        assert notebook.kernel(threads) == []
    notebook.clear_outputs(notebook.cell_ids()[0])
    notebook.reload()
    notebook.run(COUNTER)
    notebook.page.locator("button.counter").click()
    notebook.wait_for("counter.count == 1")
    assert len(notebook.kernel(threads)) == 1
