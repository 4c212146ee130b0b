"""The embedded realtime server's process: one per kernel, started on first use, gone when the kernel is."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gip_nb.errors import RehearsalFailed
from gip_nb.session.settings import Secret

if TYPE_CHECKING:
    from gip_nb.session.settings import Settings

__all__ = ["Address", "address", "with_rehearsal_address"]

# Its pipe is closed: it goes by itself, sooner or a little later.
_ENDS_IN_S = 0.5
_lock = threading.Lock()
_running: tuple[subprocess.Popen[bytes], Address] | None = None


class Address(NamedTuple):
    """Where the server listens and what it wants to hear."""

    url: str
    key: Secret


def address() -> Address:
    """Of the running server; starts it where none runs.

    Blocks until it listens (about half a second): call it in a worker thread.

    Raises:
        RehearsalFailed: it did not start; the text holds what it said last.
    """
    global _running  # noqa: PLW0603 - one process per kernel is the point
    with _lock:
        if _running is not None and _running[0].poll() is None:
            return _running[1]
        _running = _start()
        return _running[1]


def _start() -> tuple[subprocess.Popen[bytes], Address]:
    with tempfile.TemporaryFile() as said:
        # Its end of this pipe closes when this process ends, however it ends: that is the sign for it to go.
        process = subprocess.Popen(
            [sys.executable, "-m", "gip_nb.rehearsal"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            # A group of its own: a kernel waits for its group when it ends, and signals it when a cell is
            # interrupted.
            process_group=0 if os.name == "posix" else None,
        )
        if process.stdout is None or process.stdin is None:
            raise RehearsalFailed(
                "the server's pipes did not open", "run `gip-nb serve` in a terminal to see why."
            )
        atexit.register(_end, process)
        line = process.stdout.readline()
        try:
            told = json.loads(line)
            return process, Address(str(told["url"]), Secret(str(told["key"])))
        except (ValueError, KeyError, TypeError):
            process.kill()
            process.wait()
            said.seek(0)
            last = said.read().decode("utf-8", "replace").strip().splitlines()
            why = last[-1] if last else f"it ended with code {process.returncode}"
            raise RehearsalFailed(
                f"the embedded realtime server did not start: {why}",
                "run `gip-nb serve` in a terminal to see why.",
            ) from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """This process ends in good order: the server goes first, so that nothing of it is left open."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_ENDS_IN_S)


def with_rehearsal_address(settings: Settings) -> Settings:
    """The settings with the embedded server's address and key filled in. Blocks like `address`."""
    found = address()
    base_url = "http" + found.url.removeprefix("ws").removesuffix("/realtime")
    return replace(settings, base_url=base_url, api_key=found.key)
