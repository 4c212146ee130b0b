"""The page object itself: if these fail, no other browser test says anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.lab import CellFailed, Notebook

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenNotebook
    from tests.browser.lab import Lab

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


def test_the_microphone_plays_its_file_from_the_start_each_time_and_once(notebook: Notebook) -> None:
    for _ in range(2):
        heard = notebook.page.evaluate(LISTEN, 2.8)
        assert 0 <= heard["first_ms"] < 900
        assert 1300 < heard["last_ms"] - heard["first_ms"] < 1900
        assert heard["total_ms"] > heard["last_ms"] + 300


def test_a_page_can_be_refused_the_microphone(open_a_notebook: OpenNotebook) -> None:
    notebook = open_a_notebook(microphone="denied")
    name = notebook.page.evaluate(
        "() => navigator.mediaDevices.getUserMedia({ audio: true }).then(() => 'granted', (e) => e.name)"
    )
    assert name == "NotAllowedError"


def test_a_scripted_microphone_says_what_it_is_told(
    open_a_notebook: OpenNotebook, lab: Lab, fixtures: Path
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
    assert notebook.path not in lab.running()
