"""What of an event is structure and not content: an allow list. What it does not name is content. Pure.

Names are those of the published events of both dialects and of this package's own rows. A new field is hidden
until it is written down here: the wrong way round would tell it to everybody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gip_nb.protocol.events import ALIASES, CLIENT_EVENTS, FIELD_TYPES, SERVER_EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_container", "is_kept_number", "is_kept_text", "is_known_event", "is_known_key", "kind_of_id"]


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# ---- keys --------------------------------------------------------------------------------------------------

# Objects that lie within others, where the way to content leads on: all their keys are known ones.
_CONTAINERS = _names(
    "audio cached_tokens_details content conversation error format function image input input_token_details",
    "input_audio_noise_reduction input_audio_transcription item models noise_reduction output",
    "output_token_details part rate_limits reasoning response session status_details text token_limits",
    "tool_choice tools tracing transcription truncation turn_detection usage voice",
)
# Their content is hidden, and the name says nothing of it.
_CONTENT = _names(
    "annotations arguments authorization client_secret delta description headers image_url include",
    "input_schema instructions keywords label language languages logprobs message metadata obfuscation param",
    "parameters problem prompt server_label server_url setting source speaker tags transcript url value",
    "variables",
)
_FLAGS = _names("asked_for create_response defer_loading interrupt_response parallel_tool_calls")

# ---- ids ---------------------------------------------------------------------------------------------------

# Every id gets a new name. None can be seen to be made by a machine, and those that are could be looked up by
# whoever has the provider's logs.
_IDS = {
    "item_id": "item",
    "previous_item_id": "item",
    "item_ids": "item",
    "deleted_item_ids": "item",
    "left_out_item_ids": "item",
    "untranscribed_item_ids": "item",
    "again_event_ids": "event",
    "response_id": "resp",
    "call_id": "call",
    "event_id": "event",
    "conversation_id": "conv",
    "page": "page",
}
# `id` is that of the object that it stands in.
_ID_OF = {
    **dict.fromkeys(("item", "output", "input"), "item"),
    "response": "resp",
    "session": "sess",
    "conversation": "conv",
    "voice": "voice",
}
# That an item is to be the first.
_ROOT = "root"

# ---- texts -------------------------------------------------------------------------------------------------

_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_TYPE = re.compile(r"[A-Za-z0-9_.\-/]{1,100}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+\-]{0,199}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _one_of(words: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, words.split())))


# Key -> what a text under it may be.
_TEXTS: Mapping[str, re.Pattern[str]] = {
    "code": _CODE,
    "conversation": _one_of("none auto"),
    "date": _DATE,
    "detail": _one_of("auto low high original"),
    "dialect": _one_of("beta ga"),
    "eagerness": _one_of("low medium high auto"),
    "effort": _one_of("minimal low medium high xhigh"),
    "format": _TYPE,
    "input_audio_format": _TYPE,
    "max_output_tokens": _one_of("inf"),
    "max_response_output_tokens": _one_of("inf"),
    "modalities": _one_of("text audio"),
    "model": _MODEL,
    "name": _CODE,
    "object": _TYPE,
    "output_audio_format": _TYPE,
    "output_modalities": _one_of("text audio"),
    "reason": _CODE,
    "role": _CODE,
    "state": _CODE,
    "status": _CODE,
    "tool_choice": _one_of("auto none required"),
    "tracing": _one_of("auto"),
    "truncation": _one_of("auto disabled"),
    "type": _TYPE,
    "voice": _CODE,
}
# Keys that mean something else elsewhere: where their text is structure. An empty parent is the event itself.
_ONLY_IN = {
    "code": {"error"},
    "name": {"", "item", "output", "input", "tools", "tool_choice", "function", "rate_limits"},
    # Of a closed connection it is a sentence of the server's.
    "reason": {"status_details"},
}

# ---- numbers -----------------------------------------------------------------------------------------------

_UNITS = ("_ms", "_s", "_hz", "_usd", "_bytes", "_samples", "_tokens", "_index", "_at", "_seconds", "_seq")
_NUMBERS = _names(
    "attempt code items limit missing per_minute rate rating remaining retention_ratio row samples seconds",
    "seq seqs share speed start_sample strength temperature threshold turn underruns",
)
_RATES = frozenset({"input", "cached", "output"})
_MORE_NUMBERS = {
    # Of a segment of a transcript; and USD per million tokens.
    "": frozenset({"start", "end"}),
    "text": _RATES,
    "audio": _RATES,
    "image": _RATES,
}

_KEYS = (
    _CONTAINERS
    | _CONTENT
    | _FLAGS
    | _NUMBERS
    | frozenset({"id", "start", "end", "cached"})
    | frozenset(_IDS)
    | frozenset(_TEXTS)
    | frozenset(FIELD_TYPES)
)
_EVENTS = frozenset(
    {
        *CLIENT_EVENTS,
        *SERVER_EVENTS,
        *ALIASES,
        *(spec.beta for spec in (*CLIENT_EVENTS.values(), *SERVER_EVENTS.values()) if spec.beta),
    }
)


def is_known_event(kind: str) -> bool:
    """Whether an event's type, in either dialect, is a published one or this package's."""
    return kind in _EVENTS or kind.startswith("local.")


def is_known_key(key: str) -> bool:
    """Whether a field's name is the protocol's or this package's; of any other even the name is content."""
    return key in _KEYS or key.endswith(_UNITS)


def is_container(key: str) -> bool:
    """Whether an object under this key is made of fields that are known here, and no content as a whole."""
    return key in _CONTAINERS


def kind_of_id(key: str, parent: str) -> str | None:
    """What an id under this key names, as the first part of its new name; None where it is no id.

    Args:
        key: the field's.
        parent: the key of the object that it stands in.
    """
    return _ID_OF.get(parent, "id") if key == "id" else _IDS.get(key)


def is_kept_text(text: str, key: str, parent: str) -> bool:
    """Whether a text under this key is structure."""
    allowed = _TEXTS.get(key)
    if allowed is None or parent not in _ONLY_IN.get(key, {parent}):
        return key == "previous_item_id" and text == _ROOT
    return allowed.fullmatch(text) is not None


def is_kept_number(key: str, parent: str) -> bool:
    """Whether a number under this key is a figure and not content."""
    return key in _NUMBERS or key.endswith(_UNITS) or key in _MORE_NUMBERS.get(parent, ())
