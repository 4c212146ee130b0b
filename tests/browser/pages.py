"""JupyterLab pages that stay open from test to test: loading one takes 2.5 s, opening a notebook in it 0.4 s.

A page is handed on only where nothing is wrong with it: not after a failed test, a crash of the page, another
theme, other settings, or a dialog that nobody answered. Every notebook has a kernel of its own.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.browser.notebook import Microphone, Notebook, give_microphone, prepare
from tests.browser.server import Kernels, Lab, new_path, write_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# A page that was never loaded anew grows with each notebook: what widgets leave behind stays with it.
_MOST_NOTEBOOKS = 25
_VIEWPORT = {"width": 1280, "height": 900}


class _Open(NamedTuple):
    page: Page
    workspace: str
    microphone: Microphone
    notebooks: int


class Pages:
    """Opens notebooks in pages that are there, or in fresh ones. For the tests' thread.

    Args:
        lab: the server.
        browser: the one whose pages are kept. Those of others are fresh each time: where a click is needed
            before sound is let out, for example, a page that was clicked in before is another page.
        warm: see `Kernels`.
    """

    def __init__(self, lab: Lab, browser: Browser | None = None, *, warm: bool = False) -> None:
        self.lab = lab
        self.kernels = Kernels(lab, warm=warm)
        self._browser = browser
        self._kept: _Open | None = None

    def open(
        self,
        *,
        browser: Browser,
        microphone: Microphone = "file",
        name: str | None = None,
        fresh: bool = False,
        **context_options: Any,
    ) -> Notebook:
        """A notebook that was not open before, its kernel idle.

        Args:
            browser: which one.
            microphone: "file": what the browser was launched with; "scripted": silent until `Notebook.say`;
                "denied": the page is refused the microphone.
            name: file name; by default one that was never used. An existing file is opened as it is.
            fresh: in a page and a browser context of its own. Context options say so too.
            context_options: Playwright's, such as `viewport` or `reduced_motion`.

        Returns:
            The page object; close it.
        """
        path = self._path(name)
        shares = browser is self._browser and not fresh and not context_options
        try:
            if not shares:
                return self._fresh(browser, microphone, path, context_options)
            kept, self._kept = self._kept, None
            if kept is not None:
                return self._again(kept, microphone, path)
            return self._first(browser, microphone, path)
        except BaseException:
            self.kernels.end(path)
            raise

    def open_tab(self, browser: Browser, *, microphone: Microphone = "file") -> Notebook:
        """A notebook in a tab of `chromium_with_tabs`, so that it can be hidden.

        The browser's one context is made ready with its first notebook: it has one kind of microphone.
        """
        path = self._path(None)
        context = browser.contexts[0]
        prepare(context, self.lab, microphone)
        page = context.new_page()

        def leave(_notebook: Notebook) -> None:
            page.close()
            self.kernels.end(path)
            self.kernels.prepare()

        notebook = Notebook(page, self.lab, path, microphone, leave, Path(path).stem, hideable=True)
        return notebook.load()

    def close(self) -> None:
        """Close the pages that are open, and end all kernels."""
        if self._kept is not None:
            self._kept.page.context.close()
            self._kept = None
        self.kernels.close()

    def _path(self, name: str | None) -> str:
        if name is None:
            return self.kernels.take()
        if not (self.lab.root / name).exists():
            write_notebook(self.lab.root / name)
        return name

    def _fresh(
        self, browser: Browser, microphone: Microphone, path: str, options: dict[str, Any]
    ) -> Notebook:
        context = self._context(browser, microphone, options)

        def leave(_notebook: Notebook) -> None:
            context.close()
            self._ended(_notebook)

        # A file in a folder, too, gets a workspace name of one word.
        workspace = f"{Path(path).stem}-{uuid.uuid4().hex[:4]}"
        return self._load(Notebook(context.new_page(), self.lab, path, microphone, leave, workspace))

    def _first(self, browser: Browser, microphone: Microphone, path: str) -> Notebook:
        page = self._context(browser, microphone, {}).new_page()
        return self._load(self._sharing(_Open(page, f"page-{uuid.uuid4().hex[:8]}", microphone, 1), path))

    def _again(self, kept: _Open, microphone: Microphone, path: str) -> Notebook:
        if microphone != kept.microphone:
            give_microphone(kept.page.context, self.lab, microphone)
        opened = kept._replace(microphone=microphone, notebooks=kept.notebooks + 1)
        return self._sharing(opened, path).open()

    def _sharing(self, opened: _Open, path: str) -> Notebook:
        def leave(notebook: Notebook) -> None:
            if notebook.spoiled is None and not notebook.page.is_closed():
                notebook.let_go()
            surplus = opened.notebooks >= _MOST_NOTEBOOKS or self._kept is not None
            if notebook.spoiled is None and not notebook.page.is_closed() and not surplus:
                self._kept = opened
            else:
                notebook.page.context.close()
            self._ended(notebook)

        return Notebook(opened.page, self.lab, path, opened.microphone, leave, opened.workspace)

    def _context(self, browser: Browser, microphone: Microphone, options: dict[str, Any]) -> BrowserContext:
        context = browser.new_context(**{"viewport": _VIEWPORT, "reduced_motion": "reduce", **options})
        prepare(context, self.lab, microphone)
        return context

    def _load(self, notebook: Notebook) -> Notebook:
        try:
            return notebook.load()
        except BaseException:
            notebook.page.context.close()
            raise

    def _ended(self, notebook: Notebook) -> None:
        if notebook.spoiled is not None:
            self.lab.default_theme()
        self.kernels.end(notebook.path)
        self.kernels.prepare()


def open_notebook(
    lab: Lab, browser: Browser, *, microphone: Microphone = "file", **context_options: Any
) -> Notebook:
    """One notebook in a page of its own, for who opens few; its kernel has ended when it is closed."""
    path = new_path()
    write_notebook(lab.root / path)
    context = browser.new_context(**{"viewport": _VIEWPORT, "reduced_motion": "reduce", **context_options})
    prepare(context, lab, microphone)

    def leave(_notebook: Notebook) -> None:
        context.close()
        lab.end_kernel(path)

    return Notebook(context.new_page(), lab, path, microphone, leave, Path(path).stem).load()
