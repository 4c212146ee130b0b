"""A real JupyterLab, a real Chromium, and `Notebook`, the page object through which tests use them.

This is the door: what stands here is meant for tests and benchmarks. Measured facts that tests rely on
(JupyterLab 4.6, Chromium 156, headless):

- The fake microphone starts its WAV from the beginning each time a microphone is opened, and goes on with
  silence after its end (`%noloop`).
- Where no permission was granted, headless Chromium answers `getUserMedia` with NotAllowedError at once.
- JupyterLab answers 2.5 s after its start; a fresh notebook in a fresh context is ready in 4.3 s, in a page
  that was kept and with a kernel that was started before in 0.4 s.
- A page of Playwright is never hidden, whatever is in front of it: see `chromium_with_tabs`.
"""

from tests.browser.chromium import (
    AUTOPLAY,
    CHROMIUM_FLAGS,
    SAMPLE_RATE_HZ,
    chromium_with_tabs,
    find_browser,
    launch_chromium,
    microphone_wav,
)
from tests.browser.notebook import CellFailed, Microphone, Notebook, Output
from tests.browser.pages import Pages, open_notebook
from tests.browser.server import Kernels, Lab, running_lab, write_notebook

__all__ = [
    "AUTOPLAY",
    "CHROMIUM_FLAGS",
    "SAMPLE_RATE_HZ",
    "CellFailed",
    "Kernels",
    "Lab",
    "Microphone",
    "Notebook",
    "Output",
    "Pages",
    "chromium_with_tabs",
    "find_browser",
    "launch_chromium",
    "microphone_wav",
    "open_notebook",
    "running_lab",
    "write_notebook",
]
