"""The audio of one log, each piece kept once: in memory, and beyond a limit in a private temporary file.

An hour of talk is 173 MB of microphone alone. What has left memory is read back where somebody asks for it;
the file has no name that anybody else could open, and goes with the log.

Thread: one appends, any thread may read what was appended.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import weakref
from bisect import bisect_right
from typing import IO

__all__ = ["Sounds"]

_log = logging.getLogger(__name__)
MEMORY_LIMIT_BYTES = 8 * 2**20
_BLOCK_BYTES = 2**18


class Sounds:
    """Pieces of audio, by where they begin in all that was added.

    Args:
        limit_bytes: as much stays in memory, and up to one block more.
        block_bytes: what is moved to the file at a time.
    """

    def __init__(self, limit_bytes: int = MEMORY_LIMIT_BYTES, block_bytes: int = _BLOCK_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._block_bytes = block_bytes
        self._lock = threading.Lock()
        # The blocks in memory and where each begins; what is before the first of them is in the file.
        self._blocks: list[bytearray] = [bytearray()]
        self._starts: list[int] = [0]
        self._end = 0
        self._file: IO[bytes] | None = None
        self._spills = True

    def __len__(self) -> int:
        """All bytes that were added."""
        return self._end

    @property
    def memory_bytes(self) -> int:
        """How much of it is in memory."""
        return self._end - self._starts[0]

    def add(self, audio: bytes) -> int:
        """Keep a piece.

        Returns:
            Where it begins: what `read` wants.
        """
        with self._lock:
            at = self._end
            block = self._blocks[-1]
            if len(block) >= self._block_bytes:
                block = bytearray()
                self._blocks.append(block)
                self._starts.append(at)
                self._spill()
            block += audio
            self._end = at + len(audio)
            return at

    def read(self, at: int, size: int) -> bytes:
        """A piece, as it was added.

        Args:
            at: where it begins, as `add` said.
            size: its bytes.
        """
        with self._lock:
            if at >= self._starts[0]:
                index = bisect_right(self._starts, at) - 1
                begin = at - self._starts[index]
                return bytes(memoryview(self._blocks[index])[begin : begin + size])
            if self._file is None:
                return b""
            self._file.seek(at)
            return self._file.read(size)

    def _spill(self) -> None:
        """Move the oldest blocks out of memory, where there is too much in it. Under the lock."""
        while self._spills and len(self._blocks) > 1 and self.memory_bytes > self._limit_bytes:
            try:
                if self._file is None:
                    # Deleted by name at once, where the system can; open only here.
                    self._file = tempfile.TemporaryFile(prefix="gip_nb-")  # noqa: SIM115 - it lives as long as this
                    weakref.finalize(self, self._file.close)
                self._file.seek(self._starts[0])
                self._file.write(self._blocks[0])
                self._file.flush()
            except OSError as error:
                # No room for it: better a large kernel than a hole in the talk.
                self._spills = False
                _log.warning("the audio of this talk stays in memory: %s", error)
                return
            del self._blocks[0], self._starts[0]
