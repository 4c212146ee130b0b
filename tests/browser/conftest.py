"""One JupyterLab and one Chromium for all browser tests; each has a notebook, page and kernel of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.lab import (
    Lab,
    Microphone,
    Notebook,
    find_browser,
    launch_chromium,
    microphone_wav,
    open_notebook,
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
    """Opens one more notebook; see `open_notebook`."""

    def __call__(
        self, *, microphone: Microphone = "file", browser: Browser | None = None, **options: Any
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
    flag = "--autoplay-policy=no-user-gesture-required"
    running = launch_chromium(playwright, browser_path, microphone_file, without=(flag,))
    yield running
    running.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixtures know, when they are torn down, that the test has failed."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture
def open_a_notebook(request: pytest.FixtureRequest, lab: Lab, browser: Browser) -> Iterator[OpenNotebook]:
    """Opens notebooks; afterwards their kernels are shut down and their console errors fail the test.

    Where the test failed, a picture of each page is left in tests/.artifacts. A test that provokes a console
    error clears `Notebook.console_errors` after it has looked at it.
    """
    opened: list[Notebook] = []

    def open_one(
        *, microphone: Microphone = "file", browser: Browser | None = browser, **options: Any
    ) -> Notebook:
        assert browser is not None
        opened.append(open_notebook(lab, browser, microphone=microphone, **options))
        return opened[-1]

    yield open_one
    complaints: list[str] = []
    for number, notebook in enumerate(opened):
        if request.node.stash.get(_FAILED, False):
            name = re.sub(r"\W+", "-", request.node.name)
            notebook.screenshot(request.config.rootpath / "tests" / ARTIFACTS / f"{name}-{number}.png")
        complaints += notebook.console_errors
        notebook.close()
    assert not complaints, "errors in the browser's console:\n" + "\n".join(complaints)


@pytest.fixture
def notebook(open_a_notebook: OpenNotebook) -> Notebook:
    """A fresh notebook whose microphone plays the question about the weather each time it is opened."""
    return open_a_notebook()
