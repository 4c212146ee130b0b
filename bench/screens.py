"""Pictures of the widget in every state, in a real JupyterLab, light and dark: to be looked at.

    python -m bench.screens [--out tests/.artifacts/screens] [--only idle,events]

Everything is real: the embedded server, a spoken question, a tool, an interruption, a refused key.
"""

from __future__ import annotations

import argparse
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import expect

from bench.figures import Bench, bench
from gip_nb.testing import Refuse, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import ViewportSize

    from tests.browser.lab import Notebook

OUT = Path(__file__).parent.parent / "tests" / ".artifacts" / "screens"
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
WIDE: ViewportSize = {"width": 1280, "height": 1000}
NARROW_PX = 320
PLAYED = "bool((w.session.events.type == 'local.playback.ended').any())"
TOOL = '''def get_weather(city: str) -> dict:
    """The weather in a city."""
    return {"city": city, "temperature_c": 21.3, "sky": "clear"}
'''
# As in a column so wide.
NARROW = """px => {
  for (const view of document.querySelectorAll("section.gip")) view.style.maxWidth = `${px}px`;
}"""


class Camera:
    """Takes each picture in both themes."""

    def __init__(self, notebook: Notebook, out: Path) -> None:
        self._notebook = notebook
        self._out = out

    def take(self, name: str, number: int = -1) -> None:
        """A picture of the newest widget."""
        for theme in THEMES:
            self._notebook.theme(theme)
            self._notebook.page.wait_for_timeout(250)
            self._notebook.screenshot(self._out / f"{name}-{theme}.png", of=self._notebook.widget(number))
        self._notebook.theme("light")
        print(name, flush=True)


def _opened(running: Bench, talk: str = "talk(tools=[get_weather])") -> Notebook:
    notebook = running.pages.open(browser=running.browser, fresh=True)
    notebook.page.set_viewport_size(WIDE)
    notebook.run("%load_ext gip_nb")
    notebook.run(TOOL)
    notebook.run(f"w = {talk}; w")
    return notebook


def _start(notebook: Notebook, states: str = "listening|hearing|thinking|speaking") -> None:
    notebook.widget().get_by_test_id("gip-start").click()
    expect(notebook.widget()).to_have_attribute("data-gip-state", re.compile(states), timeout=20_000)


def idle(running: Bench, out: Path) -> None:
    """Before the first click, and the tabs then."""
    notebook = _opened(running)
    camera = Camera(notebook, out)
    camera.take("idle")
    notebook.widget().get_by_test_id("gip-tab-settings").click()
    camera.take("settings-before")
    notebook.widget().get_by_test_id("gip-tab-conversation").click()
    notebook.page.evaluate(NARROW, NARROW_PX)
    camera.take("idle-narrow")
    notebook.close()


def talking(running: Bench, out: Path) -> None:
    """A spoken question, a tool, the answer, an interruption; then the other tabs."""
    notebook = _opened(running)
    camera = Camera(notebook, out)
    _start(notebook)
    camera.take("listening")
    notebook.wait_for(PLAYED, timeout_s=60)
    camera.take("tool")
    notebook.run("w.session.send_text('tell me a long story about a small boat on a wide sea, please')")
    notebook.run("r = w.session.respond()")
    expect(notebook.widget()).to_have_attribute("data-gip-state", "speaking")
    camera.take("speaking")
    notebook.widget().get_by_test_id("gip-interrupt").click()
    expect(notebook.widget()).to_have_attribute("data-gip-state", "listening")
    camera.take("interrupted")
    notebook.run("w.session.label(1, 'wrong city', tags=['geo', 'tool'], rating='down')")
    notebook.run("w.session.label(2, rating='up')")
    notebook.widget().locator(".gip-row[data-role=assistant]").first.hover()
    camera.take("labelled")
    notebook.page.evaluate(NARROW, NARROW_PX)
    camera.take("interrupted-narrow")
    for tab in ("events", "settings"):
        notebook.widget().get_by_test_id(f"gip-tab-{tab}").click()
        notebook.page.wait_for_timeout(800)
        camera.take(f"{tab}-narrow")
    notebook.page.evaluate(NARROW, WIDE["width"] - 200)
    camera.take("settings")
    notebook.widget().get_by_test_id("gip-tab-events").click()
    notebook.page.wait_for_timeout(800)
    camera.take("events")
    notebook.widget().get_by_test_id("gip-tab-conversation").click()
    notebook.widget().get_by_test_id("gip-mute").click()
    camera.take("muted")
    notebook.widget().get_by_test_id("gip-turns-manual").click()
    notebook.widget().get_by_test_id("gip-mute").click()
    expect(notebook.widget()).to_have_attribute("data-gip-turns", "manual")
    camera.take("manual")
    notebook.widget().get_by_test_id("gip-start").press("Enter")
    camera.take("pressed")
    notebook.widget().get_by_test_id("gip-start").press("Enter")
    notebook.widget().get_by_test_id("gip-keys-button").click()
    camera.take("keys")
    notebook.widget().get_by_test_id("gip-stop").click()
    camera.take("ended")
    notebook.close()


def error(running: Bench, out: Path) -> None:
    """A key that the server does not know."""
    with Stage([Refuse(401)]) as stage:
        talk = f"talk('openai/gpt-4o-realtime-preview', base_url={stage.url!r}, api_key='sk-none')"
        notebook = _opened(running, talk)
        camera = Camera(notebook, out)
        _start(notebook, "error")
        camera.take("error")
        notebook.close()


SCENES: dict[str, Callable[[Bench, Path], None]] = {"idle": idle, "talking": talking, "error": error}


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--only", default=",".join(SCENES))
    options = parser.parse_args()
    with ExitStack() as stack:
        running = stack.enter_context(bench())
        for name in options.only.split(","):
            SCENES[name](running, options.out)


if __name__ == "__main__":
    main()
