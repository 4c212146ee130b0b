"""What a client's frame is before anything is made of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.events import Event

__all__ = ["UNREADABLE", "ReceivedFrame", "read_frame", "received_frame"]

_read_json = msgspec.json.Decoder().decode


class ReceivedFrame(NamedTuple):
    """What a frame of the client was.

    Attributes:
        type: as it was written; `(unreadable)` where it was no JSON object with a type.
        audio_samples: of an append, samples at 24 000 Hz, whatever the session's format is.
    """

    type: str
    audio_samples: int = 0


UNREADABLE = ReceivedFrame("(unreadable)")


class ReadFrame(NamedTuple):
    """A frame's event.

    Attributes:
        event: as it was on the wire; its `type` is a string. None where the frame was no event.
        event_id: that the client gave it, if any.
        problem: why it is no event.
    """

    event: Event | None
    event_id: str | None
    problem: str = ""


def read_frame(data: str | bytes) -> ReadFrame:
    """Reads a frame: of a text frame the text, of a binary frame the bytes."""
    if isinstance(data, bytes):
        return ReadFrame(None, None, "A binary frame came in; events are JSON in text frames.")
    try:
        event = _read_json(data)
    except (msgspec.DecodeError, RecursionError):
        event = None
    if not isinstance(event, dict):
        return ReadFrame(None, None, "The frame is not a JSON object.")
    given_id = event.get("event_id")
    event_id = given_id if isinstance(given_id, str) else None
    if not isinstance(event.get("type"), str):
        return ReadFrame(None, event_id, "The 'type' field is missing.")
    return ReadFrame(event, event_id)


def received_frame(event: Event, audio_format: AudioFormat) -> ReceivedFrame:
    """What to log of an event, whose audio, if any, is in that format."""
    audio = event.get("audio")
    if event["type"] != "input_audio_buffer.append" or not isinstance(audio, str):
        return ReceivedFrame(event["type"])
    return ReceivedFrame(event["type"], audio_format.samples(_bytes_in_base64(audio)))


def _bytes_in_base64(text: str) -> int:
    padding = len(text[-2:]) - len(text[-2:].rstrip("="))
    return max(0, len(text) // 4 * 3 - padding)
