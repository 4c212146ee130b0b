"""A recording read back into a log, with what is wrong with it, as far as anything is."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gip_nb.errors import RecordingDamaged, RecordingNotFound, RecordingTooNew
from gip_nb.journal.layout import (
    AUDIO,
    EVENTS,
    HEADER,
    LAYOUT,
    AudioFile,
    BadHeader,
    Header,
    NewerLayout,
    new_header,
    read_header,
)
from gip_nb.journal.log import EventLog
from gip_nb.journal.row_file import MOST_LINE_BYTES, BadLine, read_line
from gip_nb.journal.sources import Folder, Zip
from gip_nb.journal.zip_members import BrokenMember

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gip_nb.journal.row_file import Line
    from gip_nb.journal.sources import Slice, Source

__all__ = ["MOST_BYTES", "Loaded", "load_log"]

# Twice what a log on disk may have where nobody says otherwise.
MOST_BYTES = 4 * 2**30
_FULL = "local.log.full"


class Loaded(NamedTuple):
    """What could be read of a recording.

    Attributes:
        log: its rows.
        header: what it says of itself.
        damage: what is wrong with it, a clause each; empty where nothing is.
        parts: what could be read, in words.
        repaired: what was left out at its end, in words; None where nothing was.
        full: it ends where its size limit was reached.
    """

    log: EventLog
    header: Header
    damage: tuple[str, ...]
    parts: str
    repaired: str | None
    full: bool


def load_log(path: Path | str, *, limit_bytes: int = MOST_BYTES) -> Loaded:
    """Read a recording.

    Args:
        path: of a zip that was saved (`.zip` may be left out), or of a session's folder, also of one that is
            still being written.
        limit_bytes: what it may come to unpacked.

    Raises:
        RecordingNotFound: there is nothing of this name.
        RecordingTooNew: it was written by a newer version of this package.
        RecordingTooLarge: it declares to be larger than the limit.
        RecordingDamaged: it is no recording, or nothing of it can be read.
    """
    given: object = path
    if not isinstance(given, str | os.PathLike):
        raise RecordingNotFound(repr(path), "it is no path")
    found = _found(Path(path).expanduser())
    with contextlib.ExitStack() as stack:
        if found.is_dir():
            return _read(Folder(found, stack), str(found), may_be_torn=True)
        try:
            file = stack.enter_context(found.open("rb"))
        except OSError as error:
            raise RecordingNotFound(str(found), f"it cannot be opened: {error.strerror}") from None
        if file.read(2) != b"PK":
            raise RecordingDamaged(str(found), ("it is no zip file, and no recording",), "")
        return _read(Zip(file, limit_bytes, str(found)), str(found), may_be_torn=False)


def _found(path: Path) -> Path:
    if not path.exists():
        beside = path.with_name(path.name + ".zip") if path.name else path
        if not beside.exists():
            raise RecordingNotFound(str(path), "there is no such file or folder")
        return beside
    if path.is_dir() and not (path / HEADER).exists() and not (path / EVENTS).exists():
        within = sorted(p.parent.name for p in path.glob(f"*/{HEADER}"))
        if within:
            raise RecordingNotFound(
                str(path), f"it holds {len(within)} recordings; the newest is {str(path / within[-1])!r}"
            )
    return path


def _read(source: Source, name: str, *, may_be_torn: bool) -> Loaded:
    """Fill a log with what a source gives.

    Args:
        source: where from.
        name: of the recording, for errors.
        may_be_torn: it may have been cut off while it was written.
    """
    header = _header_of(source, name, may_be_torn=may_be_torn)
    rows = _Rows(header.started_unix_ns, source.audio(header), may_be_torn=may_be_torn)
    digest = hashlib.sha256()
    told = len(source.damage)
    for line in _lines(_hashed(source.events(), digest)):
        rows.add(*line)
    log, saved = rows.log, header.events
    if saved is not None and len(source.damage) == told and digest.hexdigest() != saved.sha256:
        source.damage.append(f"{EVENTS} is not what was saved: its sha256 is another one")
    total = max(rows.seen, 0 if saved is None else saved.count)
    damage = (*source.damage, *rows.damage)
    if damage and not log.rows:
        raise RecordingDamaged(name, damage, "")
    return Loaded(
        log=log,
        header=header,
        damage=damage,
        parts=rows.parts(total),
        repaired=rows.repaired,
        full=may_be_torn and bool(log.rows) and log.rows[-1].type == _FULL,
    )


def _header_of(source: Source, name: str, *, may_be_torn: bool) -> Header:
    try:
        return read_header(source.header())
    except NewerLayout as newer:
        raise RecordingTooNew(name, newer.layout, LAYOUT, newer.written_by) from None
    except (BrokenMember, BadHeader) as error:
        source.damage.append(f"{error}; when it began is not known")
    # Of a folder the rest is known; which of a zip's files is which, nobody can say.
    audio = [AudioFile(file=AUDIO)] if may_be_torn else []
    return new_header(version="", started_unix_ns=0, model=None, audio=audio)


class _Rows:
    """The rows, up to the first line that cannot be read.

    Args:
        started_unix_ns: when the log began.
        audio: the files that lines refer to.
        may_be_torn: the last line may not be whole.

    Attributes:
        log: what could be read.
        seen: how many lines there were.
        repaired: what was left out at the end; None where nothing was.
    """

    def __init__(self, started_unix_ns: int, audio: list[Slice], *, may_be_torn: bool) -> None:
        self.log = EventLog.restored(started_unix_ns)
        self.seen = 0
        self.repaired: str | None = None
        self._audio = audio
        self._may_be_torn = may_be_torn
        self._bad: str | None = None
        # Rows whose audio is lost.
        self._silent: list[int] = []

    def add(self, raw: bytes, is_whole: bool, is_last: bool) -> None:  # noqa: FBT001 - as `_lines` gives them
        """The next line; see `_lines`."""
        self.seen += 1
        if self._bad is not None:
            return
        n = len(self.log)
        try:
            line = _next_line(raw, n)
        except BadLine as error:
            if self._may_be_torn and is_last and not is_whole:
                self.repaired = "its last line was not written whole and is left out"
            else:
                self._bad = f"{EVENTS} cannot be read from event {n} on ({error})"
            return
        sound = _sound_of(line, self._audio)
        if sound is None and line.audio is not None:
            if self._may_be_torn and is_last:
                self.repaired = f"the audio of its last event, {n}, was not written whole: it is left out"
                return
            self._silent.append(n)
        self.log.restore(line.elapsed_ns, line.direction, line.frame(sound))

    @property
    def damage(self) -> list[str]:
        """What is wrong, a clause each."""
        found = [] if self._bad is None else [self._bad]
        if self._silent:
            found.append(
                f"{len(self._silent)} events have lost their audio, event {self._silent[0]} is the first"
            )
        return found

    def parts(self, total: int) -> str:
        """What could be read, in words.

        Args:
            total: how many events there were.
        """
        events = len(self.log)
        told = f"all {total} events" if events == total else f"events 0 to {events - 1} of {total}"
        if not self._silent:
            return told
        sounding = sum(row.has_audio for row in self.log.rows)
        return f"{told}, the audio of {sounding} of {sounding + len(self._silent)} events that had any"


def _hashed(pieces: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _next_line(raw: bytes, n: int) -> Line:
    line = read_line(raw)
    if line.n != n:
        raise BadLine(f"its number is {line.n}")
    return line


def _sound_of(line: Line, audio: list[Slice]) -> bytes | None:
    place = line.audio
    if place is None or place.file >= len(audio):
        return None
    return audio[place.file].read(place.offset, place.length)


def _lines(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool, bool]]:
    """Each line without its newline, whether it had one, and whether it is the last."""
    before: bytes | None = None
    held: list[bytes] = []
    held_bytes = 0
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        if whole:
            whole[0] = b"".join((*held, whole[0]))
            held, held_bytes = [], 0
        for line in whole:
            if before is not None:
                yield before, True, False
            before = line
        held.append(rest)
        held_bytes += len(rest)
        if held_bytes > MOST_LINE_BYTES:
            # It is none, whatever follows.
            break
    last = b"".join(held)
    if before is not None:
        yield before, True, not last
    if last:
        yield last, False, True
