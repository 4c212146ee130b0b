"""A session's log on disk: a folder of its own, to which rows are appended as they happen.

What is written when: first the header, once; then, batch by batch, a batch's audio and after it the batch's
lines. Each batch is handed to the operating system before the next begins, so a process that is killed loses
what it had not handed over yet, and at the worst leaves half a line at the end. Files are open while a batch
is written and not between: hundreds of sessions hold no descriptors, and an interpreter that ends leaves none
behind.

The layout is `journal.layout`'s, the lines are `journal.row_file`'s. No clock, no loop, no thread of its own:
who calls is `session.log_writer`.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gip_nb.errors import BadSetting
from gip_nb.journal.layout import AUDIO, EVENTS, HEADER, AudioFile, encode_header, new_header
from gip_nb.journal.row_file import AudioPlace, clean_frame, encode_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gip_nb.journal.log import Row

__all__ = ["LEAST_LIMIT_BYTES", "DiskLog", "check_folder"]

# Room for the line that says that the file ends here.
_RESERVE_BYTES = 1024
LEAST_LIMIT_BYTES = 2**16
# What is encoded before it is written: bounds the memory of a batch after a long wait.
_PIECE_BYTES = 2**22
# Windows would write each line's end its own way.
_BINARY = getattr(os, "O_BINARY", 0)


def check_folder(folder: Path) -> None:
    """Make the folder in which sessions have theirs, and see that it can be written to.

    Raises:
        BadSetting: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _cannot_write(folder, error) from None


def _cannot_write(folder: Path, error: OSError) -> BadSetting:
    return BadSetting(
        f"cannot write a log to {str(folder)!r}: {error.strerror or error}",
        "name a folder that this kernel may write to, log='runs/', or leave log (and GIP_LOG) out.",
    )


class DiskLog:
    """One session's folder. Any thread may call; calls wait for each other.

    Args:
        folder: exists, with its header; see `create`.
        limit_bytes: of lines and audio together.
        scrub: writes the key `[key]`, wherever a frame holds it.
        write: `os.write`; tests give one that fails.

    Attributes:
        folder: where it is.
        limit_bytes: as given.
        rows: how many rows were written.
        full: the limit is reached: nothing more is written but the last line.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int,
        scrub: Callable[[bytes], bytes] = bytes,
        write: Callable[[int, memoryview], int] = os.write,
    ) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self.rows = 0
        self.full = False
        self._scrub = scrub
        self._write = write
        self._lines_bytes = self._audio_bytes = 0
        self._ended = False
        self._lock = threading.Lock()

    @classmethod
    def create(
        cls,
        parent: Path,
        *,
        version: str,
        started_unix_ns: int,
        model: str | None,
        limit_bytes: int,
        scrub: Callable[[bytes], bytes] = bytes,
        write: Callable[[int, memoryview], int] = os.write,
    ) -> DiskLog:
        """A new folder in `parent`, named by time and chance; nobody but its owner may look into it.

        Args:
            parent: is made where it is not there.
            version: of the package.
            started_unix_ns: when the log began.
            model: that is asked for.
            limit_bytes: as in `DiskLog`.
            scrub: as in `DiskLog`.
            write: as in `DiskLog`.

        Raises:
            BadSetting: nothing can be written there.
        """
        check_folder(parent)
        header = new_header(
            version=version,
            started_unix_ns=started_unix_ns,
            model=model,
            audio=[AudioFile(file=AUDIO)],
        )
        began = datetime.fromtimestamp(started_unix_ns / 1e9, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        folder = None
        try:
            folder = _new_folder(parent, began)
            disk = cls(folder, limit_bytes=limit_bytes, scrub=scrub, write=write)
            for name, data in ((HEADER, scrub(encode_header(header))), (AUDIO, b""), (EVENTS, b"")):
                disk._create_file(folder / name, data)
        except OSError as error:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise _cannot_write(parent, error) from None
        return disk

    def _create_file(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        try:
            if hasattr(os, "fchmod"):
                # Whatever the umask says: a strange one may have taken the owner's bits too.
                os.fchmod(descriptor, 0o600)
            self._write_all(descriptor, data)
        finally:
            os.close(descriptor)

    def append(self, rows: Sequence[Row]) -> None:
        """Write the rows that come next; of these, as many as the limit lets in.

        Args:
            rows: of the log, from number `self.rows` on.

        Raises:
            OSError: it cannot be written. `self.rows` says what was; what was begun is taken back next time.
        """
        with self._lock:
            at = 0
            while at < len(rows) and not self.full:
                at += self._append_piece(rows[at:])

    def end(self, row: Row) -> None:
        """Write the last line, which says that the file ends here; the limit has left room for it.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            if not self._ended:
                self._put(encode_line(self.rows, row, None, clean_frame(row, self._scrub)), b"")
                self.rows += 1
                self._ended = True

    def _append_piece(self, rows: Sequence[Row]) -> int:
        """Write some of these rows. Returns how many."""
        lines, audio = bytearray(), bytearray()
        count = 0
        left = self.limit_bytes - _RESERVE_BYTES - self._lines_bytes - self._audio_bytes
        for row in rows:
            clean = clean_frame(row, self._scrub)
            sound = row.audio if clean is None else clean.audio
            place = None
            if sound is not None:
                place = AudioPlace(0, self._audio_bytes + len(audio), len(sound))
                left -= len(sound)
            line = encode_line(self.rows + count, row, place, clean)
            left -= len(line)
            if left < 0:
                self.full = True
                break
            lines += line
            audio += sound or b""
            count += 1
            if len(lines) + len(audio) >= _PIECE_BYTES:
                break
        self._put(bytes(lines), bytes(audio))
        self.rows += count
        return count

    def _put(self, lines: bytes, audio: bytes) -> None:
        # The audio first: a line never tells of audio that is not there.
        self._put_at_end(AUDIO, self._audio_bytes, audio)
        self._put_at_end(EVENTS, self._lines_bytes, lines)
        self._audio_bytes += len(audio)
        self._lines_bytes += len(lines)

    def _put_at_end(self, name: str, end: int, data: bytes) -> None:
        if not data:
            return
        # Not created: where the file is gone, its beginning is, and what follows would be no recording.
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | _BINARY)
        try:
            there = os.fstat(descriptor).st_size
            if there > end:
                # What a write that failed has left.
                os.ftruncate(descriptor, end)
            elif there < end:
                raise OSError(errno.EIO, f"{name} was shortened by somebody else")
            self._write_all(descriptor, data)
        finally:
            os.close(descriptor)

    def _write_all(self, descriptor: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._write(descriptor, view) :]


def _new_folder(parent: Path, began: str) -> Path:
    while True:
        folder = parent / f"{began}-{secrets.token_hex(3)}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        # As for files: the umask only takes away.
        folder.chmod(0o700)
        return folder
