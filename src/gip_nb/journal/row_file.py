"""One row of a log as one line of JSON, and back, to the letter. Pure.

A line ends with a newline and has these fields:

| field | what |
|---|---|
| `n` | the row's number, from 0: each line's is one more than the line's before it |
| `elapsed_ns` | nanoseconds since the log began, on the session's monotonic clock |
| `direction` | `sent`, `received` or `local` (written by this side, never on the wire) |
| `connection` | which connection of the session, from 1; 0 before the first |
| `dialect` | of the protocol that was spoken then: `beta` or `ga` |
| `event` | the frame as it passed, its audio cut out of it; its very bytes |
| `text` | instead of `event`: a frame that is no JSON object on one line; the whole as a string |
| `base64` | instead of `event`: a frame that is no UTF-8 |
| `cut` | at which byte of the frame the audio's base64 stood; left out where nothing was cut out |
| `audio` | `[file, offset, length]`: which file of the header's list, from which byte of its audio on, how \
many bytes; left out where the frame has no audio |

Whoever puts the audio's base64 back at `cut` has the frame that passed. Fields that are not in this table are
left alone by readers of this layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec

from gip_nb.protocol.conversation import Direction
from gip_nb.protocol.events import Dialect
from gip_nb.protocol.frames import NO_CUT, Frame, join_wire, read_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.journal.log import Row

__all__ = ["MOST_LINE_BYTES", "AudioPlace", "BadLine", "Line", "clean_frame", "encode_line", "read_line"]

# Deeper JSON is legal and is nobody's: it is kept as a string, since a reader may have less stack than the
# writer.
_MOST_BRACKETS = 500
# No frame of a server's is larger by far; a line beyond it is not looked at.
MOST_LINE_BYTES = 512 * 2**20


# Seventy years of nanoseconds; with the time of the beginning it is still a 64-bit number.
_Elapsed = Annotated[int, msgspec.Meta(ge=0, le=2**61)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class AudioPlace(NamedTuple):
    """Where a row's audio is kept.

    Attributes:
        file: index in the header's list of audio files.
        offset: of its first byte in that file's audio (behind the WAV's header, where it has one).
        length: in bytes of the wire's format.
    """

    file: _Count
    offset: _Count
    length: _Count


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line, read. Attributes as in the module's table."""

    n: _Count
    elapsed_ns: _Elapsed
    direction: Direction
    connection: _Count
    dialect: Dialect
    event: msgspec.Raw = msgspec.Raw()
    text: str | None = None
    base64: bytes | None = None
    cut: Annotated[int, msgspec.Meta(ge=NO_CUT)] = NO_CUT
    audio: AudioPlace | None = None

    @property
    def skeleton(self) -> bytes:
        """The frame's bytes without its audio."""
        if self.text is not None:
            return self.text.encode()
        return self.base64 if self.base64 is not None else bytes(self.event)

    def frame(self, audio: bytes | None) -> Frame:
        """The frame as it was taken apart when it passed.

        Args:
            audio: what stands at `self.audio`; None where there is none, or it is lost.
        """
        skeleton = self.skeleton
        if self.cut != NO_CUT:
            try:
                return Frame(skeleton, self.cut, audio, _read_fields(skeleton))
            except msgspec.MsgspecError:
                # Nothing that this package wrote.
                return Frame(skeleton, self.cut, audio, read_frame(skeleton).fields)
        read = read_frame(skeleton)
        return read if audio is None else Frame(skeleton, NO_CUT, audio, read.fields, read.problem)


def clean_frame(row: Row, scrub: Callable[[bytes], bytes]) -> Frame | None:
    """The row's frame as it may be written, where that is not as it passed; else None: there is no key in it.

    Args:
        row: of the log.
        scrub: writes the key `[key]`, wherever a frame holds it.
    """
    skeleton = scrub(row.skeleton)
    if skeleton == row.skeleton:
        return None
    audio = row.audio
    if row.cut == NO_CUT or audio is None:
        return Frame(skeleton, NO_CUT, audio, {})
    # The place of the cut has moved with what was written anew.
    return read_frame(scrub(join_wire(row.skeleton, row.cut, audio)))


class BadLine(Exception):
    """A line that is none; the text says why."""


_read = msgspec.json.Decoder(Line).decode
_read_fields = msgspec.json.Decoder(dict[str, Any]).decode
_read_raw = msgspec.json.Decoder(msgspec.Raw).decode
_write_text = msgspec.json.Encoder().encode


def encode_line(n: int, row: Row, audio: AudioPlace | None, clean: Frame | None = None) -> bytes:
    """One row as a line, its newline included.

    Args:
        n: its number.
        row: what passed, when, which way, on which connection.
        audio: where its audio is kept.
        clean: its frame without the key; None where there is no key in it.
    """
    skeleton, cut = (row.skeleton, row.cut) if clean is None else (clean.skeleton, clean.cut)
    head = b'{"n":%d,"elapsed_ns":%d,"direction":"%s","connection":%d,"dialect":"%s",' % (
        n,
        row.elapsed_ns,
        row.direction.encode(),
        row.connection,
        row.dialect.encode(),
    )
    tail = b"" if cut == NO_CUT else b',"cut":%d' % cut
    if audio is not None:
        tail += b',"audio":[%d,%d,%d]' % audio
    return head + _encode_skeleton(skeleton) + tail + b"}\n"


def _encode_skeleton(skeleton: bytes) -> bytes:
    try:
        text = skeleton.decode()
    except UnicodeDecodeError:
        return b'"base64":' + _write_text(skeleton)
    if _is_object_on_a_line(skeleton):
        return b'"event":' + skeleton
    return b'"text":' + _write_text(text)


def _is_object_on_a_line(skeleton: bytes) -> bool:
    """Whether these very bytes can stand in a line as JSON, and be found again."""
    if skeleton[:1] != b"{" or skeleton[-1:] != b"}" or b"\n" in skeleton or b"\r" in skeleton:
        return False
    if skeleton.count(b"{") + skeleton.count(b"[") > _MOST_BRACKETS:
        return False
    try:
        _read_raw(skeleton)
    except msgspec.MsgspecError:
        return False
    return True


def read_line(line: bytes) -> Line:
    """Read a line, with its newline or without.

    Raises:
        BadLine: it is none, or not whole.
    """
    if len(line) > MOST_LINE_BYTES:
        raise BadLine(f"it is {len(line):,} bytes long")
    try:
        found = _read(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(str(error)) from None
    if (len(found.event) > 0) + (found.text is not None) + (found.base64 is not None) != 1:
        raise BadLine("it has not one of `event`, `text` and `base64`")
    if found.cut > len(found.skeleton):
        raise BadLine(f"its cut {found.cut} is behind its frame's end")
    return found
