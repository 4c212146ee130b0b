"""What the benchmarks share: percentiles, tables, the machine's load, and a JupyterLab to measure in."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from playwright.sync_api import sync_playwright

from tests.browser.lab import Pages, find_browser, launch_chromium, microphone_wav, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"


class Bench(NamedTuple):
    """A running JupyterLab and a browser whose microphone plays a question, then silence."""

    browser: Browser
    pages: Pages


@contextmanager
def bench() -> Iterator[Bench]:
    """Start both; about 10 s."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        lab = stack.enter_context(running_lab(folder / "lab"))
        playwright = stack.enter_context(sync_playwright())
        wav = microphone_wav(FIXTURES / "weather_awb.wav", folder / "microphone.wav", silence_s=600)
        browser = launch_chromium(playwright, find_browser(), wav)
        stack.callback(browser.close)
        pages = Pages(lab)
        stack.callback(pages.close)
        yield Bench(browser, pages)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of them lie; of one value that value, of none NaN."""
    if len(values) < 2:  # noqa: PLR2004  what `quantiles` wants
        return values[0] if values else float("nan")
    if percent == 100:  # noqa: PLR2004  all of them
        return max(values)
    return statistics.quantiles(values, n=1000, method="inclusive")[round(percent * 10) - 1]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns under their names, the first to the left, numbers with one decimal to the right."""
    cells = [list(head), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _text(cell: object) -> str:
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)


class Machine:
    """How busy the machine was."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]

    def line(self) -> str:
        """In a sentence, for under a table."""
        return (
            f"machine: {os.cpu_count()} cores, load {self._load:.1f} before and "
            f"{os.getloadavg()[0]:.1f} after (1 minute), Python {sys.version.split()[0]}"
        )
