"""Items that a client makes: checked, and completed with what the server adds. Pure."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

from gip_nb.protocol.audio_formats import PCM16, Decoder
from gip_nb.protocol.server.checks import missing, not_one_of, text_field, wrong_type
from gip_nb.protocol.server.memory import StoredItem
from gip_nb.protocol.server.parts import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gip_nb.protocol.audio_formats import AudioFormat

__all__ = ["audio_from_base64", "stored_item"]

_ITEM_TYPES = ("message", "function_call", "function_call_output")
_CONTENT_TYPES = {
    "user": ("input_text", "input_audio", "input_image"),
    "system": ("input_text",),
    "assistant": ("output_text",),
}


def audio_from_base64(text: str, param: str, audio_format: AudioFormat = PCM16) -> bytes:
    """The bytes of base64 audio, as they came; `audio_format` is for the error's words.

    Raises:
        Refused: it is not base64.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error is one; so is text that is not ASCII
        raise Refused(
            "invalid_value",
            f"Invalid '{param}'. Expected base64-encoded audio bytes (mono {audio_format.beta} at"
            f" {audio_format.rate_hz // 1000}kHz) but got an invalid value.",
            param,
        ) from None


def stored_item(
    given: Mapping[str, Any],
    new_id: Callable[[str], str],
    param: str = "item",
    audio_format: AudioFormat = PCM16,
) -> StoredItem:
    """An item that a client made, checked and completed.

    Args:
        given: as it was sent, canonical.
        new_id: makes an id, given its prefix.
        param: where in the event it stands.
        audio_format: of its audio, if it has some.

    Raises:
        Refused: it lacks what its type needs, or has what no item has.
    """
    kind = text_field(given, "type", param)
    if kind not in _ITEM_TYPES:
        raise not_one_of(kind, _ITEM_TYPES, f"{param}.type")
    item_id = given.get("id")
    if item_id is not None and not (isinstance(item_id, str) and item_id):
        raise wrong_type(f"{param}.id", "a string")
    fields: dict[str, Any] = {
        "id": item_id or new_id("item"),
        "object": "realtime.item",
        "type": kind,
        "status": "completed",
    }
    if kind == "function_call_output":
        fields |= {
            "call_id": text_field(given, "call_id", param),
            "output": text_field(given, "output", param),
        }
        return StoredItem(fields)
    if kind == "function_call":
        fields |= {
            "name": text_field(given, "name", param),
            "call_id": str(given.get("call_id") or new_id("call")),
            "arguments": text_field(given, "arguments", param),
        }
        return StoredItem(fields)
    role = text_field(given, "role", param)
    if role not in _CONTENT_TYPES:
        raise not_one_of(role, tuple(_CONTENT_TYPES), f"{param}.role")
    parts = given.get("content")
    if not isinstance(parts, list):
        raise missing(f"{param}.content") if parts is None else wrong_type(f"{param}.content", "an array")
    fields["role"] = role
    fields["content"] = []
    item = StoredItem(fields)
    item.audio_format = audio_format
    for at, part in enumerate(parts):
        _add_part(item, part, role, f"{param}.content[{at}]")
    return item


def _add_part(item: StoredItem, part: object, role: str, param: str) -> None:
    if not isinstance(part, dict):
        raise wrong_type(param, "an object")
    kind = text_field(part, "type", param)
    allowed = _CONTENT_TYPES[role]
    if kind not in allowed:
        raise not_one_of(kind, allowed, f"{param}.type")
    if kind == "input_audio":
        data = audio_from_base64(text_field(part, "audio", param), f"{param}.audio", item.audio_format)
        decoder = Decoder(item.audio_format)
        audio = decoder.decode(data) + decoder.flush()
        item.audio += audio[: len(audio) // 2 * 2]
        transcript = part.get("transcript")
        item.content.append({"type": kind, "transcript": transcript if isinstance(transcript, str) else None})
    elif kind == "input_image":
        item.content.append({"type": kind, "image_url": text_field(part, "image_url", param)})
    else:
        item.content.append({"type": kind, "text": text_field(part, "text", param)})
