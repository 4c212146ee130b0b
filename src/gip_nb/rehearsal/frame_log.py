"""The rehearsal server's frame log: a line per frame that went over the socket, so that anyone can count."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FrameLog"]


class FrameLog:
    """Writes a JSON line per frame and flushes it: what was written survives whatever happens next.

    A line holds `direction` (received or sent), `type` as on the wire, `session_id` (null before there is
    one), `audio_samples` (at 24 000 Hz, 0 without audio) and `at` (Unix time, seconds).

    Args:
        path: of a file that is appended to; None writes nothing.

    Raises:
        OSError: the file cannot be written to.
    """

    def __init__(self, path: Path | None) -> None:
        self._file: TextIO | None = None if path is None else path.open("a", encoding="utf-8")

    def write(
        self,
        direction: Literal["received", "sent"],
        event_type: str,
        session_id: str | None,
        audio_samples: int = 0,
    ) -> None:
        """Writes down one frame: a received one once it was read, a sent one once the socket has taken it."""
        if self._file is None:
            return
        line = {
            "direction": direction,
            "type": event_type,
            "session_id": session_id,
            "audio_samples": audio_samples,
            "at": time.time(),
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
