"""Where a recording is read from: a folder or a zip. Both are taken as found, and nothing is written.

What is read was perhaps written by nobody we know: nothing is unpickled, nothing is extracted to disk, no
name leads out of it, and no size that it declares is believed before it is compared with a limit.
"""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

from gip_nb.errors import RecordingTooLarge
from gip_nb.journal.layout import AUDIO, EVENTS, HEADER
from gip_nb.journal.zip_members import STORED, BrokenMember, read_members, unpacked

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator
    from pathlib import Path

    from gip_nb.journal.layout import AudioFile, Header
    from gip_nb.journal.zip_members import Member

__all__ = ["Folder", "Slice", "Source", "Zip"]

_MOST_HEADER_BYTES = 2**26
_PIECE_BYTES = 2**17


class Slice(NamedTuple):
    """A stretch of an open file, or bytes in memory."""

    source: IO[bytes] | bytes
    start: int
    size: int

    def read(self, offset: int, length: int) -> bytes | None:
        """This part of it; None where it does not reach so far."""
        if offset + length > self.size:
            return None
        if isinstance(self.source, bytes):
            return self.source[self.start + offset : self.start + offset + length]
        self.source.seek(self.start + offset)
        found = self.source.read(length)
        return found if len(found) == length else None


class Source(Protocol):
    """Where a recording is read from."""

    damage: list[str]

    def header(self) -> bytes:
        """The header's bytes.

        Raises:
            BrokenMember: there is none, or it cannot be read.
        """

    def events(self) -> Iterator[bytes]:
        """The lines' bytes, in pieces; what is wrong with them is in `damage` after the last."""

    def audio(self, header: Header) -> list[Slice]:
        """For each entry of the header's list, its audio, without a WAV's header; empty where damaged."""


class Folder:
    """A folder that a session has written, or writes now.

    Args:
        folder: it.
        stack: closes what is opened here.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.damage: list[str] = []

    def header(self) -> bytes:
        """See `Source`."""
        try:
            with (self._folder / HEADER).open("rb") as file:
                return file.read(_MOST_HEADER_BYTES)
        except OSError as error:
            raise BrokenMember(f"{HEADER} cannot be read: {error.strerror}") from None

    def events(self) -> Iterator[bytes]:
        """See `Source`."""
        try:
            with (self._folder / EVENTS).open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece
        except OSError as error:
            self.damage.append(f"{EVENTS} cannot be read: {error.strerror}")

    def audio(self, header: Header) -> list[Slice]:
        """See `Source`."""
        return [self._slice(entry) for entry in header.audio]

    def _slice(self, entry: AudioFile) -> Slice:
        # Of the header nothing is followed out of the folder.
        if entry.file != AUDIO:
            self.damage.append(f"{entry.file[:80]!r} is no file of a log folder")
            return Slice(b"", 0, 0)
        try:
            file = self._stack.enter_context((self._folder / AUDIO).open("rb"))
        except OSError as error:
            self.damage.append(f"{AUDIO} cannot be read: {error.strerror}")
            return Slice(b"", 0, 0)
        # Not its size now: a session that still writes adds to it before it adds lines.
        return Slice(file, entry.data_offset, 2**62)


class Zip:
    """A saved zip, whole or not.

    Args:
        file: it, open.
        limit_bytes: what it may come to unpacked.
        name: for errors.

    Raises:
        RecordingTooLarge: it declares to be larger.
    """

    def __init__(self, file: IO[bytes], limit_bytes: int, name: str) -> None:
        self._file = file
        self.members, problem = read_members(file)
        self.damage = [] if problem is None else [f"the zip's directory cannot be read ({problem})"]
        declared = sum(m.size for m in self.members.values())
        if declared > limit_bytes:
            raise RecordingTooLarge(name, declared, limit_bytes)

    def header(self) -> bytes:
        """See `Source`."""
        return self._whole(HEADER, _MOST_HEADER_BYTES)

    def _whole(self, name: str, most_bytes: int) -> bytes:
        member = self.members.get(name)
        if member is None:
            raise BrokenMember(f"{name} is missing")
        if member.size > most_bytes:
            raise BrokenMember(f"{name} is {member.size:,} bytes long")
        try:
            return b"".join(unpacked(self._file, member))
        except BrokenMember as error:
            raise BrokenMember(f"{name} is damaged: {error}") from None

    def events(self) -> Iterator[bytes]:
        """See `Source`."""
        member = self.members.get(EVENTS)
        if member is None:
            self.damage.append(f"{EVENTS} is missing")
        else:
            yield from self._checked(EVENTS, member, None)

    def _checked(self, name: str, member: Member, sha256: str | None) -> Iterator[bytes]:
        """Its pieces; what is wrong with it is known when the last was given."""
        digest = hashlib.sha256()
        try:
            for piece in unpacked(self._file, member):
                digest.update(piece)
                yield piece
        except BrokenMember as error:
            self.damage.append(f"{name} is damaged: {error}")
            return
        if sha256 is not None and digest.hexdigest() != sha256:
            self.damage.append(f"{name} is not what was saved: its sha256 is another one")

    def audio(self, header: Header) -> list[Slice]:
        """See `Source`."""
        return [self._slice(entry) for entry in header.audio]

    def _slice(self, entry: AudioFile) -> Slice:
        nothing = Slice(b"", 0, 0)
        member = self.members.get(entry.file)
        if member is None:
            self.damage.append(f"{entry.file[:80]} is missing")
            return nothing
        before = len(self.damage)
        if member.method == STORED:
            for _ in self._checked(entry.file, member, entry.sha256):
                pass
            found = Slice(self._file, member.start + entry.data_offset, member.size - entry.data_offset)
        else:
            # Packed again by somebody else.
            data = b"".join(self._checked(entry.file, member, entry.sha256))
            found = Slice(data, entry.data_offset, len(data) - entry.data_offset)
        return found if len(self.damage) == before else nothing
