"""One frame of the wire, taken apart without losing a byte of it.

A frame that carries audio is mostly base64. It is kept as its audio (decoded, once) and its *skeleton*: the
frame's own bytes with the base64 cut out. Joining them again gives the very bytes that passed, so the log can
promise `payload(n)` equal to the wire while audio is kept once, and reading the rest of the frame costs as
little as reading a small one.
"""

from __future__ import annotations

import binascii
import json
import math
from typing import Any

import msgspec

from gip_nb.protocol.dialects import canonical_type

__all__ = ["Event", "Frame", "append_frame", "encode_event", "read_frame"]

NO_CUT = -1
# Which field of which event is nothing but base64 audio, in either dialect's names.
_AUDIO_FIELD = {
    "response.audio.delta": "delta",
    "response.output_audio.delta": "delta",
    "input_audio_buffer.append": "audio",
}
# Long enough that a false first match would need a frame that repeats its own audio before it; the match is
# verified anyway.
_PROBE_BYTES = 48


class _Head(msgspec.Struct):
    """What has to be known before deciding how to read the rest."""

    type: str = ""
    delta: msgspec.Raw = msgspec.Raw()
    audio: msgspec.Raw = msgspec.Raw()


_read_head = msgspec.json.Decoder(_Head).decode
_read_any = msgspec.json.Decoder().decode
# Base64 in its quotes, as strict as the standard library's strict mode and several times as fast.
_read_base64 = msgspec.json.Decoder(bytes).decode
_write = msgspec.json.Encoder().encode
# What the decoders below raise for bytes that are no JSON. A ValueError is the standard library's, of which
# msgspec's and Unicode's errors are kinds.
NOT_JSON = (ValueError, RecursionError)


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One text frame of the WebSocket.

    Attributes:
        skeleton: the frame's bytes, UTF-8, without its audio.
        cut: where in `skeleton` the base64 of `audio` belongs; -1 where there is none.
        audio: the decoded audio in the session's wire format (PCM16 little endian, mono, 24 000 Hz, unless
            negotiated otherwise).
        fields: the decoded JSON object in the wire's shape and names, its audio field an empty string; empty
            if unreadable.
        problem: why the frame could not be read, else None.
    """

    skeleton: bytes
    cut: int
    audio: bytes | None
    fields: dict[str, Any]
    problem: str | None = None

    @property
    def type(self) -> str:
        """The event's type as on the wire; empty where the frame names none."""
        kind = self.fields.get("type")
        return kind if isinstance(kind, str) else ""

    @property
    def wire_bytes(self) -> int:
        """The frame's size on the wire in bytes."""
        return wire_size(self.skeleton, self.cut, None if self.audio is None else len(self.audio))

    def wire(self) -> bytes:
        """The bytes that passed."""
        return join_wire(self.skeleton, self.cut, self.audio)


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event in canonical (GA) names and shape, as the rules of the protocol see it.

    Attributes:
        type: canonical name; an unknown type keeps the name it came with.
        fields: the event as a dict; audio left out.
        audio: the audio that it carried, else None.
    """

    type: str
    fields: dict[str, Any]
    audio: bytes | None = None

    def text(self, name: str) -> str:
        """The string field `name`, or an empty string where it is missing or no string."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def whole(self, name: str) -> int | None:
        """The integer field `name`, or None where it is missing or no number."""
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return int(value) if isinstance(value, int) or math.isfinite(value) else None

    def part(self, name: str) -> dict[str, Any]:
        """The object field `name`, or an empty dict where it is missing or no object."""
        value = self.fields.get(name)
        return value if isinstance(value, dict) else {}

    @property
    def response_id(self) -> str | None:
        """Of the response that this event is about, if any."""
        return self.text("response_id") or _text_of(self.part("response"), "id")

    @property
    def item_id(self) -> str | None:
        """Of the item that this event is about, if any."""
        return self.text("item_id") or _text_of(self.part("item"), "id")

    @property
    def call_id(self) -> str | None:
        """Of the function call that this event is about, if any."""
        return self.text("call_id") or _text_of(self.part("item"), "call_id")


def _text_of(source: dict[str, Any], name: str) -> str | None:
    value = source.get(name)
    return value if isinstance(value, str) and value else None


def join_wire(skeleton: bytes, cut: int, audio: bytes | None) -> bytes:
    """Put the audio back where it was cut out: the frame as it passed."""
    if audio is None or cut == NO_CUT:
        return skeleton
    return skeleton[:cut] + binascii.b2a_base64(audio, newline=False) + skeleton[cut:]


def wire_size(skeleton: bytes, cut: int, audio_bytes: int | None) -> int:
    """How many bytes `join_wire` gives with so much audio."""
    if audio_bytes is None or cut == NO_CUT:
        return len(skeleton)
    return len(skeleton) + 4 * ((audio_bytes + 2) // 3)


def decode_json(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Decode JSON to the letter: half of a surrogate pair and numbers beyond a float's range too.

    Both are legal JSON and both occur (a server that cuts text between the halves of an emoji); the fast
    decoder turns them down.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deep.
    """
    try:
        return _read_any(raw)
    except msgspec.MsgspecError:
        return json.loads(raw.decode("utf-8"))


def read_frame(raw: bytes) -> Frame:
    """Take a frame apart. Never raises: a frame that is no event comes back whole, with its `problem`.

    Args:
        raw: the text frame's bytes, UTF-8.
    """
    try:
        head = _read_head(raw)
        if head.type in _AUDIO_FIELD:
            frame = _cut_audio(raw, bytes(head.audio if _AUDIO_FIELD[head.type] == "audio" else head.delta))
            if frame is not None:
                return frame
        fields = _read_any(raw)
    except NOT_JSON:
        return _odd_frame(raw)
    # `_Head` accepts only an object, so `fields` is one.
    return _whole_frame(raw, fields)


def reread_frame(raw: bytes, kind: str) -> Frame:
    """As `read_frame`, of a frame that was read before and is kept without its audio.

    Args:
        raw: its bytes.
        kind: its type, as it was read then; empty where it had none.
    """
    if not kind or kind in _AUDIO_FIELD:
        return read_frame(raw)
    try:
        return Frame(raw, NO_CUT, None, _read_any(raw))
    except NOT_JSON:
        return _odd_frame(raw)


def _whole_frame(raw: bytes, fields: dict[str, Any]) -> Frame:
    audio = None
    if not isinstance(fields.get("type"), str):
        return Frame(raw, NO_CUT, None, fields, "an object without a type")
    name = _AUDIO_FIELD.get(fields["type"])
    if name is not None and isinstance(fields.get(name), str):
        # Base64 that would not come back to the letter (escaped slashes, odd padding): the frame is kept
        # whole, the audio beside it.
        try:
            audio = binascii.a2b_base64(fields[name])
        except ValueError as error:
            return Frame(raw, NO_CUT, None, {**fields, name: ""}, f"its audio is not base64: {error}")
        fields = {**fields, name: ""}
    return Frame(raw, NO_CUT, audio, fields)


def _odd_frame(raw: bytes) -> Frame:
    """A frame that the fast decoder did not take: odd, or no event at all."""
    try:
        fields = decode_json(raw)
        if isinstance(fields, dict):
            # Nobody further on can write half of a surrogate pair down again: the row keeps it, the text
            # does not.
            fields = json.loads(json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace"))
            return _whole_frame(raw, fields)
    except NOT_JSON as error:
        return Frame(raw, NO_CUT, None, {}, f"not JSON: {error}")
    return Frame(raw, NO_CUT, None, {}, "JSON, but not an object")


def _cut_audio(raw: bytes, quoted: bytes) -> Frame | None:
    if len(quoted) < 2 or quoted[:1] != b'"':  # noqa: PLR2004 - two quotes are the shortest JSON string
        return None
    try:
        audio = _read_base64(quoted)
    except msgspec.MsgspecError:
        return None
    encoded = quoted[1:-1]
    # Padding bits that are not zero decode alike but would not be written alike.
    last = binascii.b2a_base64(audio[-(len(audio) % 3 or 3) :], newline=False) if audio else b""
    start = raw.find(quoted[:_PROBE_BYTES]) + 1
    end = start + len(encoded)
    if not encoded.endswith(last) or start == 0 or raw[start:end] != encoded:
        return None
    skeleton = raw[:start] + raw[end:]
    fields = _read_any(skeleton)
    # The same text stood somewhere before the audio, and that was cut out.
    if fields.get(_AUDIO_FIELD[fields["type"]]) != "":
        return None
    return Frame(skeleton, start, audio, fields)


_APPEND_HEAD = b'{"type":"input_audio_buffer.append","audio":"'
_APPEND_SKELETON = _APPEND_HEAD + b'"}'
_APPEND_FIELDS = {"type": "input_audio_buffer.append", "audio": ""}


def append_frame(audio: bytes) -> Frame:
    """The frame of an `input_audio_buffer.append`, sent 25 times a second; alike in both dialects.

    Args:
        audio: the session's input format, as it goes on the wire.
    """
    return Frame(_APPEND_SKELETON, len(_APPEND_HEAD), audio, _APPEND_FIELDS)


def encode_event(fields: dict[str, Any]) -> Frame:
    """The frame of any other event, from its wire-shaped dict.

    Raises:
        TypeError: it holds what JSON cannot carry.
    """
    try:
        return read_frame(_write(fields))
    except UnicodeEncodeError:
        # Half of a surrogate pair can only be written as an escape.
        return read_frame(json.dumps(fields).encode("ascii"))


def event_of(frame: Frame, fields: dict[str, Any]) -> Event:
    """The event of a frame, given its fields in canonical shape."""
    return Event(canonical_type(frame.type), fields, frame.audio)
