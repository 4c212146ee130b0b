"""One JupyterLab and one Chromium for all browser tests; each has a notebook and a kernel of its own.

Pages are kept from test to test, see `pages.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.lab import (
    AUTOPLAY,
    Lab,
    Microphone,
    Notebook,
    Pages,
    chromium_with_tabs,
    find_browser,
    launch_chromium,
    microphone_wav,
    running_lab,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Playwright

ARTIFACTS = ".artifacts"
# A machine that builds something else at the same time is slow, and not wrong.
expect.set_options(timeout=15_000)
_FAILED = pytest.StashKey[bool]()


class OpenNotebook(Protocol):
    """Opens one more notebook; see `Pages.open`.

    `hideable=True` opens it as a tab among tabs, so that it can be hidden: a page and a browser of its own.
    """

    def __call__(
        self,
        *,
        microphone: Microphone = "file",
        browser: Browser | None = None,
        name: str | None = None,
        fresh: bool = False,
        hideable: bool = False,
        **context_options: Any,
    ) -> Notebook: ...


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser_path() -> str:
    return find_browser()


@pytest.fixture(scope="session")
def microphone_file(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone of `browser` plays: "what is the weather in seoul today", then silence."""
    return microphone_wav(fixtures / "weather_awb.wav", tmp_path_factory.mktemp("microphone") / "weather.wav")


@pytest.fixture(scope="session")
def browser(playwright: Playwright, browser_path: str, microphone_file: Path) -> Iterator[Browser]:
    running = launch_chromium(playwright, browser_path, microphone_file)
    yield running
    running.close()


@pytest.fixture(scope="session")
def browser_without_autoplay(
    playwright: Playwright, browser_path: str, microphone_file: Path
) -> Iterator[Browser]:
    """A Chromium that keeps an AudioContext suspended until a user's gesture, as people's browsers do."""
    running = launch_chromium(playwright, browser_path, microphone_file, without=(AUTOPLAY,))
    yield running
    running.close()


NewTabs = Callable[[], AbstractContextManager["Browser"]]


@pytest.fixture(scope="session")
def new_tabs(playwright: Playwright, browser_path: str, microphone_file: Path) -> NewTabs:
    """Starts a Chromium whose pages are tabs that can be hidden."""
    return lambda: chromium_with_tabs(playwright, browser_path, microphone_file)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixtures know, when they are torn down, that the test has failed."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def pages(lab: Lab, browser: Browser) -> Iterator[Pages]:
    opened = Pages(lab, browser, warm=True)
    yield opened
    opened.close()


@pytest.fixture
def open_a_notebook(
    request: pytest.FixtureRequest, pages: Pages, browser: Browser, new_tabs: NewTabs
) -> Iterator[OpenNotebook]:
    """Opens notebooks; afterwards their kernels are shut down and their console errors fail the test.

    Where the test failed, a picture of each page is left in tests/.artifacts. A test that provokes a console
    error clears `Notebook.console_errors` after it has looked at it.
    """
    opened: list[Notebook] = []
    with ExitStack() as browsers:

        def open_one(
            *,
            browser: Browser | None = browser,
            microphone: Microphone = "file",
            hideable: bool = False,
            **options: Any,
        ) -> Notebook:
            assert browser is not None
            if hideable:
                tabs = browsers.enter_context(new_tabs())
                notebook = pages.open_tab(tabs, microphone=microphone, **options)
            else:
                notebook = pages.open(browser=browser, microphone=microphone, **options)
            opened.append(notebook)
            return notebook

        yield open_one
        complaints: list[str] = []
        for number, notebook in enumerate(opened):
            family = [notebook, *notebook.seconds]
            if request.node.stash.get(_FAILED, False):
                notebook.spoil("the test failed")
                name = re.sub(r"\W+", "-", request.node.name)
                for place, one in enumerate(family):
                    end = f"{number}" if one is notebook else f"{number}-{place}"
                    one.screenshot(request.config.rootpath / "tests" / ARTIFACTS / f"{name}-{end}.png")
            notebook.close()
            complaints += [error for one in family for error in one.console_errors]
    assert not complaints, "errors in the browser's console:\n" + "\n".join(complaints)


@pytest.fixture
def notebook(open_a_notebook: OpenNotebook) -> Notebook:
    """A new notebook whose microphone plays the question about the weather each time it is opened."""
    return open_a_notebook()
