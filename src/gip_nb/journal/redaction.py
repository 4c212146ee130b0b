"""A log that can be shared: the same rows at the same times, without what was said in them. Pure.

Sound becomes silence of the same length, words become `xxxx`, one for one: every table has the rows and the
figures that it had. What stays is an allow list, see `journal.structure`: a field that nobody has thought of
is hidden. Ids get names of their own (`item_1`), the same one wherever they stand: an id that a user chose
looks like any other, and a provider's can be looked up in its logs. Tools keep their names.

Beside words and ids two things change in the tables: `wire_bytes`, and `heard_text`, which is estimated by
the lengths of words.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from gip_nb.journal.event_table import EventTable
from gip_nb.journal.log import EventLog
from gip_nb.journal.placeholders import MOST_DEPTH, WORD, Placeholders, masked
from gip_nb.journal.structure import (
    is_container,
    is_kept_number,
    is_kept_text,
    is_known_event,
    is_known_key,
    kind_of_id,
)
from gip_nb.protocol.audio_formats import PCM16
from gip_nb.protocol.dialects import canonical_type
from gip_nb.protocol.frames import NO_CUT, NOT_JSON, Frame, decode_json, encode_event, read_frame

if TYPE_CHECKING:
    from gip_nb.journal.log import Row
    from gip_nb.protocol.audio_formats import AudioFormat

__all__ = ["redacted"]

# Sound that stands where nobody expects it: no word is as long.
_BASE64 = re.compile(r"[A-Za-z0-9+/]{200,}={0,2}")
_SOUND_FIELD = {"response.output_audio.delta": "delta", "input_audio_buffer.append": "audio"}
# The keys that parts with sound stand under.
_SOUND_PARTS = frozenset({"content", "part"})
# µ-law's zero, and A-law's smallest positive value: it has no zero.
_SILENCE = {None: b"\0", "ulaw": b"\xff", "alaw": b"\xd5"}
_JSON_TEXTS = frozenset({"arguments", "output"})
_SCHEMAS = frozenset({"parameters", "input_schema"})


def redacted(log: EventLog, *, audio: bool = True, text: bool = True) -> EventLog:
    """What a log becomes so that it can be shared.

    Args:
        log: stays as it is. Of a live one the rows so far.
        audio: put silence in the place of sound.
        text: put placeholders in the place of words, ids, and all else that is content.

    Returns:
        A log of its own, with as many rows.
    """
    made = EventLog.restored(log.started_unix_ns)
    table = EventTable(log)
    redaction = _Redaction(audio=audio, text=text)
    for n in range(table.catch_up()):
        row = log.rows[n]
        made.restore(row.elapsed_ns, row.direction, redaction.frame(row, table.format(n)))
    return made


class _Redaction:
    """One log's redaction, row by row."""

    def __init__(self, *, audio: bool, text: bool) -> None:
        self._audio, self._text = audio, text
        self._placeholders = Placeholders()
        # Of the row at hand.
        self._format = PCM16
        self._is_known = True

    # ---- frames --------------------------------------------------------------------------------------------

    def frame(self, row: Row, sound_format: AudioFormat) -> Frame:
        """What becomes of a row's frame.

        Args:
            row: of the log.
            sound_format: that was in force for it.
        """
        self._format = sound_format
        read, sound = read_frame(row.skeleton), row.audio
        if not (self._audio or self._text):
            return Frame(row.skeleton, row.cut, sound, read.fields)
        if not read.fields:
            return self._no_event(row.skeleton)
        if self._text:
            self._is_known = is_known_event(read.type)
            fields = self._object(read.fields, "", 0)
        else:
            fields = self._without_sound(read.fields)
            if sound is None and read.problem is None and fields == read.fields:
                return Frame(row.skeleton, row.cut, None, fields)
        sound_field = _SOUND_FIELD.get(canonical_type(read.type), "")
        if sound is not None:
            return _with_sound(fields, sound_field, self._silenced(sound))
        if read.problem is not None and sound_field in fields:
            # It was not base64, and stays so: nobody heard it.
            fields[sound_field] = "x"
        return _encoded(fields)

    def _no_event(self, raw: bytes) -> Frame:
        """What could not be read, or is no object, stays so."""
        try:
            value = decode_json(raw)
        except NOT_JSON:
            text = raw.decode("utf-8", "replace")
            return read_frame((masked(text) if self._text else _without_base64(text)).encode())
        if isinstance(value, dict):
            return Frame(raw, NO_CUT, None, {})
        value = self._placeholders.content(value) if self._text else self._without_sound(value)
        return read_frame(json.dumps(value).encode())

    # ---- structure -----------------------------------------------------------------------------------------

    def _object(self, value: dict[str, Any], parent: str, depth: int) -> dict[str, Any]:
        """An object of the protocol's.

        Args:
            value: it.
            parent: the key that it stands under; empty for the event itself.
            depth: how many objects and lists it lies in.
        """
        made: dict[str, Any] = {}
        for key, inner in value.items():
            if is_known_key(key):
                made[key] = self._field(inner, key, parent, depth + 1)
            else:
                name = self._placeholders.name(key, "key")
                made[name] = self._placeholders.content(inner, depth + 1)
        return made

    def _field(self, value: object, key: str, parent: str, depth: int) -> object:
        if isinstance(value, str):
            return self._field_text(value, key, parent)
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if self._is_known and is_kept_number(key, parent) else 0
        if isinstance(value, list) and depth <= MOST_DEPTH:
            return [self._field(inner, key, parent, depth + 1) for inner in value]
        if isinstance(value, dict) and depth <= MOST_DEPTH:
            return self._inner_object(value, key, depth)
        return None

    def _inner_object(self, value: dict[str, Any], key: str, depth: int) -> object:
        if is_container(key):
            return self._object(value, key, depth)
        if key in _SCHEMAS:
            return self._placeholders.schema(value, depth)
        if key == "metadata":
            return self._placeholders.metadata(value, depth)
        return self._placeholders.content(value, depth)

    def _field_text(self, text: str, key: str, parent: str) -> str:
        if not text:
            return text
        kind = kind_of_id(key, parent)
        may_stay = self._is_known or kind is not None or (key, parent) == ("type", "")
        if may_stay and is_kept_text(text, key, parent):
            return text
        if kind is not None:
            return self._placeholders.name(text, kind)
        if key == "audio" and parent in _SOUND_PARTS:
            return self._sound_text(text)
        return self._placeholders.json_text(text) if key in _JSON_TEXTS else masked(text)

    # ---- sound ---------------------------------------------------------------------------------------------

    def _silenced(self, sound: bytes) -> bytes:
        return _SILENCE[self._format.law] * len(sound) if self._audio else sound

    def _sound_text(self, text: str) -> str:
        """A part's sound, which is base64."""
        try:
            return _base64(self._silenced(binascii.a2b_base64(text)))
        except ValueError:
            return ""

    def _without_sound(self, value: Any, parent: str = "", key: str = "") -> Any:  # noqa: ANN401 - JSON
        """Only sound is hidden: where it is expected, and what looks like it."""
        if isinstance(value, dict):
            return {k: self._without_sound(inner, key, k) for k, inner in value.items()}
        if isinstance(value, list):
            return [self._without_sound(inner, parent, key) for inner in value]
        if not isinstance(value, str):
            return value
        return (
            self._sound_text(value) if key == "audio" and parent in _SOUND_PARTS else _without_base64(value)
        )


def _without_base64(text: str) -> str:
    return text if text.startswith("data:image/") else _BASE64.sub(WORD, text)


def _base64(sound: bytes) -> str:
    return binascii.b2a_base64(sound, newline=False).decode("ascii")


def _with_sound(fields: dict[str, Any], name: str, sound: bytes) -> Frame:
    """The frame of an event that carries sound, whose field is empty so far."""
    frame, place = _encoded(fields), f'"{name}":""'.encode()
    if frame.skeleton.count(place) != 1:
        return _encoded({**fields, name: _base64(sound)})
    return Frame(frame.skeleton, frame.skeleton.index(place) + len(place) - 1, sound, fields)


def _encoded(fields: dict[str, Any]) -> Frame:
    try:
        return encode_event(fields)
    except (OverflowError, msgspec.MsgspecError):
        # A number beyond 64 bits.
        return read_frame(json.dumps(fields).encode())
