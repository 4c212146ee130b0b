"""A recording as one file: a zip with the layout of `journal.layout`, written whole or not at all.

Audio stands in WAV files that any tool opens, and each row's audio is a range of bytes in one of them, exact.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from gip_nb.errors import BadSetting
from gip_nb.journal.layout import (
    EVENTS,
    HEADER,
    README,
    AudioFile,
    EventsFile,
    audio_name,
    encode_header,
    new_header,
    readme,
)
from gip_nb.journal.row_file import AudioPlace, clean_frame, encode_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from gip_nb.journal.log import EventLog, Row
    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.frames import Frame

__all__ = ["save", "wav_header"]

_SUFFIX = ".zip"
# Of the WAV format: what stands in its `fmt ` chunk.
_PCM, _ALAW, _ULAW = 1, 6, 7
_MOST_WAV_BYTES = 2**32 - 1
_LINES_IN_A_PIECE = 1000


class _Stream(NamedTuple):
    """What goes into one WAV file."""

    direction: str
    connection: int
    item_id: str | None
    format: AudioFormat


class _Contents:
    """What a log comes to as files. Of the audio no more than a row's is in memory.

    Args:
        rows: of the log.
        formats: for each row, the format of its audio.
        scrub: writes the key `[key]`.

    Attributes:
        lines: of `events.jsonl`, many in a piece.
        events: that file.
        bytes_of: by stream, in the order of their files, how much audio it has.
    """

    def __init__(
        self, rows: Sequence[Row], formats: Sequence[AudioFormat], scrub: Callable[[bytes], bytes]
    ) -> None:
        self._rows = rows
        # Rows that held the key: few, if any.
        self._clean: dict[int, Frame] = {}
        self._number_of: dict[_Stream, int] = {}
        self._rows_of: dict[_Stream, list[int]] = {}
        self.bytes_of: dict[_Stream, int] = {}
        self.lines: list[bytes] = []
        piece: list[bytes] = []
        for n, row in enumerate(rows):
            clean = clean_frame(row, scrub)
            if clean is not None:
                self._clean[n] = clean
            piece.append(encode_line(n, row, self._place(n, row, formats[n], clean), clean))
            if len(piece) == _LINES_IN_A_PIECE:
                self.lines.append(b"".join(piece))
                piece = []
        self.lines.append(b"".join(piece))
        self.events = EventsFile(
            file=EVENTS, count=len(rows), bytes=sum(map(len, self.lines)), sha256=_sha256(self.lines)
        )

    def _place(self, n: int, row: Row, audio_format: AudioFormat, clean: Frame | None) -> AudioPlace | None:
        """Where this row's audio comes to stand."""
        if not row.has_audio or (clean is not None and clean.audio is None):
            return None
        size = row.audio_bytes if clean is None else len(clean.audio or b"")
        stream = _Stream(row.direction, row.connection, row.item_id, audio_format)
        offset = self.bytes_of.get(stream, 0)
        self.bytes_of[stream] = offset + size
        rows = self._rows_of.setdefault(stream, [])
        rows.append(n)
        if len(rows) == 1:
            self._number_of[stream] = len(self._number_of)
        return AudioPlace(self._number_of[stream], offset, size)

    def wav(self, stream: _Stream) -> Iterator[bytes]:
        """The pieces of a stream's WAV file."""
        size = self.bytes_of[stream]
        yield wav_header(stream.format, size)
        for n in self._rows_of[stream]:
            clean = self._clean.get(n)
            yield (self._rows[n].audio if clean is None else clean.audio) or b""
        # Half a sample at the end is made whole; a chunk of an odd length is padded, and the pad not counted.
        if size % 2:
            yield b"\0"


def _sha256(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def wav_header(audio_format: AudioFormat, data_bytes: int) -> bytes:
    """What stands before the samples in a WAV file of this format, mono.

    Args:
        audio_format: PCM16, or one of G.711's two.
        data_bytes: of audio. Half a sample of PCM16 at the end is counted whole.
    """
    rate_hz, width = audio_format.rate_hz, audio_format.sample_bytes
    code = {None: _PCM, "alaw": _ALAW, "ulaw": _ULAW}[audio_format.law]
    size = min(-(-data_bytes // width) * width, _MOST_WAV_BYTES)
    layout = struct.pack("<HHIIHH", code, 1, rate_hz, rate_hz * width, width, 8 * width)
    if audio_format.law is not None:
        # What is not PCM has a chunk with its number of samples, and says how much more its layout says.
        layout += struct.pack("<H", 0)
    chunks = struct.pack("<4sI", b"fmt ", len(layout)) + layout
    if audio_format.law is not None:
        chunks += struct.pack("<4sII", b"fact", 4, size)
    chunks += struct.pack("<4sI", b"data", size)
    whole = min(4 + len(chunks) + size + size % 2, _MOST_WAV_BYTES)
    return struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + chunks


def save(
    log: EventLog,
    formats: Sequence[AudioFormat],
    path: Path | str,
    *,
    version: str,
    model: str | None,
    session_id: str | None,
    scrub: Callable[[bytes], bytes] = bytes,
) -> Path:
    """Write a log as one file. Any thread may call, while the log grows: it is saved as far as it is now.

    Args:
        log: what happened.
        formats: for each of its rows, the format of its audio; may be shorter than the log has grown.
        path: of the file; `.zip` is added where it is missing. One that is there is replaced.
        version: of the package.
        model: that was talked to.
        session_id: the server's name for the session.
        scrub: writes the key `[key]`, wherever a frame holds it.

    Returns:
        The path of the file.

    Raises:
        BadSetting: it cannot be written there.
    """
    target = _target(path)
    contents = _Contents(log.rows[: len(formats)], formats, scrub)
    streams = list(contents.bytes_of)
    header = new_header(
        version=version,
        started_unix_ns=log.started_unix_ns,
        model=model,
        session_id=session_id,
        events=contents.events,
        audio=[_audio_file(contents, n, stream) for n, stream in enumerate(streams, 1)],
    )
    try:
        with _replacing(target) as file, zipfile.ZipFile(file, "w") as archive:
            put = _Put(archive, log.started_unix_ns)
            # First what tells what the rest is: of a file that was cut short, the beginning can be read.
            put(HEADER, [scrub(encode_header(header))])
            put(README, [scrub(readme(header).encode())])
            put(EVENTS, contents.lines, contents.events.bytes)
            for entry, stream in zip(header.audio, streams, strict=True):
                put(entry.file, contents.wav(stream), contents.bytes_of[stream], packed=False)
    except OSError as error:
        raise BadSetting(
            f"cannot write {str(target)!r}: {error.strerror or error}",
            "give the path of a file in a folder that is there and may be written to.",
        ) from None
    return target


def _target(path: object) -> Path:
    if not isinstance(path, str | os.PathLike) or not Path(path).name:
        raise BadSetting(f"path is {path!r}", "give the path of the file to write, 'talks/monday.zip'.")
    target = Path(path).expanduser()
    return target if target.suffix.lower() == _SUFFIX else target.with_name(target.name + _SUFFIX)


def _audio_file(contents: _Contents, number: int, stream: _Stream) -> AudioFile:
    size = contents.bytes_of[stream]
    what = stream.item_id or ("user" if stream.direction == "sent" else "answer")
    return AudioFile(
        file=audio_name(number, what),
        data_offset=len(wav_header(stream.format, size)),
        direction=stream.direction,  # type: ignore[arg-type]  # a row's direction
        connection=stream.connection,
        item_id=stream.item_id,
        format=stream.format.type,
        rate_hz=stream.format.rate_hz,
        bytes=size,
        sha256=_sha256(contents.wav(stream)),
    )


class _Put:
    """Puts files into a zip, with the time at which the log began: the same log is the same file.

    Args:
        archive: where to.
        unix_ns: the time.
    """

    def __init__(self, archive: zipfile.ZipFile, unix_ns: int) -> None:
        self._archive = archive
        began = datetime.fromtimestamp(unix_ns / 1e9, UTC)
        # A zip knows no time before 1980.
        self._time = (max(began.year, 1980), *began.timetuple()[1:6])

    def __call__(self, name: str, pieces: Iterable[bytes], size: int = 0, *, packed: bool = True) -> None:
        """Put one file.

        Args:
            name: within the zip.
            pieces: its bytes.
            size: how many they are about, where it may be more than 2 GiB.
            packed: whether it is worth packing; speech is not.
        """
        info = zipfile.ZipInfo(name, self._time)
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info.external_attr = 0o600 << 16
        info.file_size = size
        with self._archive.open(info, "w") as member:
            for piece in pieces:
                member.write(piece)


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A new file, private to the user, that takes the target's place when it is whole."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:40]}-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
