"""How a recording lies on disk: the names of its files, its header, and the README that goes along. Pure.

A recording is a folder that a session writes as it goes (`log="runs/"`) or one zip file
(`session.save()`). Both hold:

| file | what |
|---|---|
| `recording.json` | the header: this layout's name and version, when it began, the model, the audio files |
| `events.jsonl` | one line an event; fields as in `journal.row_file` |
| `audio.pcm` (folder) | all audio as it passed, both ways, in the wire's formats, one after the other |
| `audio/*.wav` (zip) | the same audio: a file for what was sent on a connection, one for each answer's item |
| `README.txt` (zip) | this, for whoever opens it without the package |

The header is a JSON object:

| field | what |
|---|---|
| `format` | `gip_nb recording` |
| `layout` | the version of this layout, a whole number; a reader turns down one that it does not know |
| `gip_nb` | the version of the package that wrote it |
| `started_unix_ns` | the wall clock when the log began; `elapsed_ns` of each line counts from there |
| `started_at` | the same for people, UTC |
| `model` `session_id` | null where not known |
| `events` | zip: `{file, count, bytes, sha256}` |
| `audio` | the audio files, in the order that lines refer to; each is an `AudioFile` |

A new field may come without a new version; what a field means changes only with one. No file ever holds the
key or a request's headers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

__all__ = [
    "AUDIO",
    "EVENTS",
    "FORMAT",
    "HEADER",
    "LAYOUT",
    "README",
    "AudioFile",
    "BadHeader",
    "EventsFile",
    "Header",
    "NewerLayout",
    "audio_name",
    "encode_header",
    "new_header",
    "read_header",
    "readme",
]

FORMAT = "gip_nb recording"
LAYOUT = 1
HEADER = "recording.json"
EVENTS = "events.jsonl"
AUDIO = "audio.pcm"
README = "README.txt"

_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_MOST_SLUG_CHARS = 40


class EventsFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file of events in a zip, as it was when it was saved."""

    file: str
    count: int
    bytes: int
    sha256: str


class AudioFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of audio.

    Attributes:
        file: its name within the recording, with forward slashes.
        data_offset: where its audio begins: the size of a WAV's header.
        direction: `sent` or `received`.
        connection: of the session, from 1.
        item_id: the answer's item; None for what was sent.
        format: the wire's, canonical: `audio/pcm`, `audio/pcmu` or `audio/pcma`.
        rate_hz: samples a second.
        bytes: of audio, from `data_offset` on.
        sha256: of the whole file.
    """

    file: str
    data_offset: Annotated[int, msgspec.Meta(ge=0, le=2**20)] = 0
    direction: Literal["sent", "received", "local"] | None = None
    connection: int | None = None
    item_id: str | None = None
    format: str | None = None
    rate_hz: int | None = None
    bytes: int | None = None
    sha256: str | None = None


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """`recording.json`. Attributes as in the module's table."""

    format: str
    layout: int
    gip_nb: str
    # Seventy years of a log's rows later it is still a 64-bit number.
    started_unix_ns: Annotated[int, msgspec.Meta(ge=0, le=2**62)]
    started_at: str
    model: str | None = None
    session_id: str | None = None
    events: EventsFile | None = None
    audio: list[AudioFile] = []


class _Mark(msgspec.Struct, frozen=True):
    """What tells whether the rest can be read."""

    format: str = ""
    layout: int = 0
    gip_nb: str = ""


class BadHeader(Exception):
    """It is no header of a recording; the text says why."""


class NewerLayout(Exception):
    """A layout that this version of the package does not know.

    Attributes:
        layout: its version.
        written_by: the version of the package that wrote it, as it says.
    """

    def __init__(self, layout: int, written_by: str) -> None:
        super().__init__(layout, written_by)
        self.layout = layout
        self.written_by = written_by


def new_header(
    *,
    version: str,
    started_unix_ns: int,
    model: str | None,
    session_id: str | None = None,
    events: EventsFile | None = None,
    audio: list[AudioFile],
) -> Header:
    """A header of this layout.

    Args:
        version: of the package.
        started_unix_ns: when the log began.
        model: that was asked for.
        session_id: the server's name for the session.
        events: the file of events, where it is whole.
        audio: the files of audio.
    """
    started = datetime.fromtimestamp(started_unix_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    return Header(
        format=FORMAT,
        layout=LAYOUT,
        gip_nb=version,
        started_unix_ns=started_unix_ns,
        started_at=started.replace("+00:00", "Z"),
        model=model,
        session_id=session_id,
        events=events,
        audio=audio,
    )


def encode_header(header: Header) -> bytes:
    """The file's bytes, for people too."""
    return msgspec.json.format(msgspec.json.encode(header), indent=2) + b"\n"


def read_header(data: bytes) -> Header:
    """Read `recording.json`.

    Raises:
        BadHeader: it is none.
        NewerLayout: this version cannot read what it describes.
    """
    try:
        mark = msgspec.json.decode(data, type=_Mark)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadHeader(f"{HEADER} cannot be read: {error}") from None
    if mark.format != FORMAT:
        raise BadHeader(f"{HEADER} names the format {mark.format[:80]!r}, not {FORMAT!r}")
    if mark.layout > LAYOUT:
        raise NewerLayout(mark.layout, mark.gip_nb)
    try:
        return msgspec.json.decode(data, type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadHeader(f"{HEADER} cannot be read: {error}") from None


def audio_name(number: int, what: str) -> str:
    """A name for an audio file that no id can lead astray.

    Args:
        number: from 1; makes it the only one of its name.
        what: an item's id, or any text: a server may have written it.
    """
    slug = _NO_NAME.sub("_", what).strip("_")[:_MOST_SLUG_CHARS] or "audio"
    return f"audio/{number:03d}-{slug}.wav"


def readme(header: Header) -> str:
    """`README.txt` of a saved recording."""
    count = header.events.count if header.events is not None else 0
    return f"""\
A talk with a realtime speech model, recorded by gip_nb {header.gip_nb} (layout {header.layout}).
Began {header.started_at}, model {header.model or "unknown"}, {count} events, {len(header.audio)} sound files.

In Python:  import gip_nb; r = gip_nb.load("this.zip"); r.turns; r.events; r.audio(item_id); r.replay()

Without it:
- {HEADER}: the header. `audio` lists the audio files; `started_unix_ns` is when the log began.
- {EVENTS}: one line of JSON an event, in order. `n` is its number, `elapsed_ns` when it was after the
  beginning, `direction` sent, received or local (written by the notebook's side), `connection` which of the
  session's, `dialect` of the protocol. `event` is the event as it was on the wire, its audio cut out. One
  that is no JSON object on one line is in `text` (a string) or `base64` instead.
- `audio` of a line is [file, offset, length]: which entry of the header's `audio`, and which bytes of it,
  counted from that entry's `data_offset`. `cut` is the byte of the event at which their base64 stood.
- audio/*.wav: what was sent, a file for each connection and format; and a file for each item of an answer.
  PCM is 16 bits, 24 000 Hz, mono; G.711 is u-law or A-law, 8 000 Hz, mono. Any tool opens them.
  What was sent holds the pauses too; `conversation.item.truncate` says how much of an answer was heard.

It holds what was said, as sound and as words, and the session's instructions and tools: share it like a tape.
r.redact() makes a copy without sound and words. No API key is in it, and none of the request's headers.
"""
