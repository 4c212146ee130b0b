"""The members of a zip file, also of one whose end is lost or whose directory is broken. Extracts nothing.

The standard library reads a zip from its end, where the directory is, and gives nothing of a file that was
cut short. What `journal.archive` writes can be read from the beginning too: each member has its size before
it.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BrokenMember", "Member", "Members", "read_members"]

STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_CHUNK_BYTES = 2**20
_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_MAGIC = b"PK\x03\x04"
_ENCRYPTED, _SIZES_BEHIND = 0x1, 0x8
_IN_ZIP64 = 0xFFFFFFFF


class BrokenMember(Exception):
    """A member that cannot be read to its end as it was written; the text says why."""


class Member(NamedTuple):
    """One file in the zip.

    Attributes:
        start: where its data begin in the zip.
        packed_bytes: how long they are there.
        size: how long they are unpacked, as the zip declares.
        crc: their checksum.
        method: `STORED` or deflated.
    """

    start: int
    packed_bytes: int
    size: int
    crc: int
    method: int


class Members(NamedTuple):
    """All members by name.

    Attributes:
        by_name: what could be found.
        problem: why there may be more; None where the directory was read.
    """

    by_name: dict[str, Member]
    problem: str | None


def read_members(file: IO[bytes]) -> Members:
    """Find the members: by the directory at the file's end, else one after the other from its beginning."""
    try:
        with zipfile.ZipFile(file) as archive:
            found = {i.filename: _of_directory(file, i) for i in archive.infolist()}
    except (
        zipfile.BadZipFile,
        BrokenMember,
        OSError,
        ValueError,
        NotImplementedError,
        struct.error,
    ) as error:
        return Members(dict(_scanned(file)), str(error) or type(error).__name__)
    return Members(found, None)


def _of_directory(file: IO[bytes], info: zipfile.ZipInfo) -> Member:
    file.seek(info.header_offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != _LOCAL_MAGIC or info.flag_bits & _ENCRYPTED:
        raise BrokenMember(f"{info.filename[:80]!r} has no beginning")
    names, extra = _LOCAL.unpack(head)[-2:]
    start = info.header_offset + _LOCAL.size + names + extra
    return Member(start, info.compress_size, info.file_size, info.CRC, info.compress_type)


def _scanned(file: IO[bytes]) -> Iterator[tuple[str, Member]]:
    """Members from the beginning on, up to the first that does not say how long it is."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(_LOCAL.size)
        if len(head) < _LOCAL.size or head[:4] != _LOCAL_MAGIC:
            return
        _, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = _LOCAL.unpack(head)
        name, extra = file.read(name_bytes), file.read(extra_bytes)
        if _IN_ZIP64 in {packed, size}:
            size, packed = _zip64_sizes(extra)
        if flags & (_ENCRYPTED | _SIZES_BEHIND):
            return
        start = at + _LOCAL.size + name_bytes + extra_bytes
        yield name.decode("utf-8", "replace"), Member(start, packed, size, crc, method)
        at = start + packed


def _zip64_sizes(extra: bytes) -> tuple[int, int]:
    """Size and packed size of a member that is too large for its header's fields."""
    if len(extra) >= 20 and extra[:2] == b"\x01\0":  # noqa: PLR2004 - an id, a length and two sizes
        size, packed = struct.unpack_from("<2Q", extra, 4)
        return size, packed
    return _IN_ZIP64, _IN_ZIP64


def unpacked(file: IO[bytes], member: Member) -> Iterator[bytes]:
    """A member's data, piece by piece, and never more than it declares.

    Raises:
        BrokenMember: after the pieces that could be read.
    """
    crc = done = 0
    for piece in _pieces(file, member):
        done += len(piece)
        if done > member.size:
            raise BrokenMember("it is longer than it says")
        crc = zlib.crc32(piece, crc)
        yield piece
    if done < member.size:
        raise BrokenMember(f"it ends after {done:,} of {member.size:,} bytes")
    if crc != member.crc:
        raise BrokenMember("its checksum does not fit")


def _pieces(file: IO[bytes], member: Member) -> Iterator[bytes]:
    if member.method not in {STORED, _DEFLATED}:
        raise BrokenMember(f"it is packed in a way ({member.method}) that is not read here")
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == _DEFLATED else None
    at, end = member.start, member.start + member.packed_bytes
    while at < end:
        # Others may read from the same file between two pieces.
        file.seek(at)
        raw = file.read(min(_CHUNK_BYTES, end - at))
        if not raw:
            return
        at += len(raw)
        if inflate is None:
            yield raw
            continue
        try:
            # A megabyte at a time: a small file may unpack to a huge one.
            while raw:
                yield inflate.decompress(raw, _CHUNK_BYTES)
                raw = inflate.unconsumed_tail
        except zlib.error as error:
            raise BrokenMember(str(error)) from None
    if inflate is not None:
        yield inflate.flush(_CHUNK_BYTES)
