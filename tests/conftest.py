"""What all tests share: their mark and their time limit come from the folder they stand in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code; the tests' own limits stand.
settings.register_profile("gip_nb", deadline=None, max_examples=30)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("gip_nb")  # `pytest --hypothesis-profile thorough` looks longer

TESTS = Path(__file__).parent
FIXTURES = TESTS / "fixtures"

# Folder -> seconds a test may take. The order is the order of running: what is quick and pure first, the
# browser last (Playwright's blocking interface leaves an event loop running in the main thread, which
# `asyncio.run` in any later test would trip over).
FOLDERS = {"unit": 30, "sim": 60, "packaging": 180, "browser": 120, "live": 120}

# Settings of the person who runs the tests must not reach them: a key would take the tests to a real gateway.
for name in [name for name in os.environ if name.startswith(("GIP_", "OPENAI_"))]:
    del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, give it that folder's time limit, and sort by folder."""
    order = list(FOLDERS)

    def folder(item: pytest.Item) -> str:
        name = item.path.relative_to(TESTS).parts[0]
        if name not in FOLDERS:
            message = f"{item.path}: tests stand in one of the folders {', '.join(order)}"
            raise pytest.UsageError(message)
        return name

    for item in items:
        name = folder(item)
        item.add_marker(name)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(FOLDERS[name]))
    items.sort(key=lambda item: order.index(folder(item)))


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of recorded input: spoken WAVs (24 000 Hz, mono, int16) and what the comm carries."""
    return FIXTURES


@pytest.fixture(scope="session")
def speech() -> dict[str, dict[str, Any]]:
    """What each WAV of `fixtures` says, by file name: `text`, `samples`; for dialogue.wav `segments`."""
    manifest: dict[str, dict[str, Any]] = json.loads((FIXTURES / "speech.json").read_text("utf-8"))
    return manifest
