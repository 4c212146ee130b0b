"""Every event of the Realtime protocol: its canonical name, its fields, and what each dialect calls it.

Canonical means GA: GA names and GA shapes. An event is the plain dict that JSON decoding gives (`dict[str,
Any]`), its audio left as base64 text. The tables here are data and nothing else: `dialects` translates by
them, a server checks requests by them, and the tests walk them beside the published list of events.

Both dialects agree on an event's own fields but for the few named `ga_only`; what differs lies inside
`session`, `response` and `item`, and is `dialects`' business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ALIASES",
    "BETA",
    "CLIENT_EVENTS",
    "FIELD_TYPES",
    "GA",
    "SERVER_EVENTS",
    "Dialect",
    "Event",
    "EventSpec",
]

Dialect = Literal["beta", "ga"]
BETA: Dialect = "beta"
GA: Dialect = "ga"

Event = dict[str, Any]


class EventSpec(NamedTuple):
    """What one event carries beside its `type`.

    Attributes:
        required: fields that are always there, in GA.
        optional: fields that may be absent or null, in GA.
        beta: the event's name in the beta dialect; None where beta has no such event.
        ga_only: those of the fields above that beta does not know.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    beta: str | None
    ga_only: tuple[str, ...] = ()

    def required_in(self, dialect: Dialect) -> tuple[str, ...]:
        """The fields that an event of this dialect must carry."""
        return self.required if dialect == GA else tuple(f for f in self.required if f not in self.ga_only)

    def optional_in(self, dialect: Dialect) -> tuple[str, ...]:
        """The fields that an event of this dialect may carry."""
        return self.optional if dialect == GA else tuple(f for f in self.optional if f not in self.ga_only)


# One type per field name, the same wherever the field occurs. An optional field may be null as well. Floats
# may be written as ints.
FIELD_TYPES: Mapping[str, type] = {
    **dict.fromkeys(
        (
            "arguments",
            "audio",
            "call_id",
            "delta",
            "event",
            "event_id",
            "id",
            "item_id",
            "name",
            "obfuscation",
            "previous_item_id",
            "response_id",
            "speaker",
            "text",
            "transcript",
        ),
        str,
    ),
    **dict.fromkeys(("audio_end_ms", "audio_start_ms", "content_index", "output_index", "received_at"), int),
    **dict.fromkeys(("end", "start"), float),
    **dict.fromkeys(("conversation", "error", "item", "part", "response", "session", "usage"), dict),
    **dict.fromkeys(("languages", "logprobs", "rate_limits"), list),
}

# Wire names that stand for a canonical event whose own name in that dialect may be another one. GA servers
# may still send `conversation.item.created`; and transcription sessions have events of their own in beta
# only.
ALIASES: Mapping[str, str] = {
    "conversation.item.created": "conversation.item.added",
    "transcription_session.update": "session.update",
    "transcription_session.updated": "session.updated",
}

_SAME = ""  # beta uses the canonical name


def _table(
    *rows: tuple[str, str, str, str | None] | tuple[str, str, str, str | None, str],
) -> dict[str, EventSpec]:
    """Rows of: canonical name, required fields, optional fields, beta name, fields that only GA has."""
    table = {}
    for name, required, optional, beta, *ga_only in rows:
        beta_name = name if beta == _SAME else beta
        table[name] = EventSpec(
            tuple(required.split()), tuple(optional.split()), beta_name, tuple(" ".join(ga_only).split())
        )
    return table


_OUTPUT = "event_id response_id item_id output_index"  # a place in a response
_PART = _OUTPUT + " content_index"  # a place in an item of a response
_HEARD = "event_id item_id content_index"  # a place in an item of the conversation

CLIENT_EVENTS: Mapping[str, EventSpec] = _table(
    ("conversation.item.create", "item", "event_id previous_item_id", _SAME),
    ("conversation.item.delete", "item_id", "event_id", _SAME),
    ("conversation.item.retrieve", "item_id", "event_id", _SAME),
    ("conversation.item.truncate", "audio_end_ms content_index item_id", "event_id", _SAME),
    ("input_audio_buffer.append", "audio", "event_id", _SAME),
    ("input_audio_buffer.clear", "", "event_id", _SAME),
    ("input_audio_buffer.commit", "", "event_id", _SAME),
    ("output_audio_buffer.clear", "", "event_id", _SAME),  # WebRTC and SIP only
    ("response.cancel", "", "event_id response_id", _SAME),
    ("response.create", "", "event_id response", _SAME),
    ("session.update", "session", "event_id", _SAME),
)

SERVER_EVENTS: Mapping[str, EventSpec] = _table(
    ("conversation.created", "event_id conversation", "", _SAME),
    ("conversation.item.added", "event_id item", "previous_item_id", "conversation.item.created"),
    ("conversation.item.deleted", "event_id item_id", "", _SAME),
    ("conversation.item.done", "event_id item", "previous_item_id", None),
    (
        "conversation.item.input_audio_transcription.completed",
        _HEARD + " transcript usage",
        "languages logprobs",
        _SAME,
        "languages",
    ),
    (
        "conversation.item.input_audio_transcription.delta",
        "event_id item_id",
        "content_index delta logprobs",
        _SAME,
    ),
    ("conversation.item.input_audio_transcription.failed", _HEARD + " error", "", _SAME),
    (
        "conversation.item.input_audio_transcription.segment",
        _HEARD + " id start end speaker text",
        "",
        None,
    ),
    ("conversation.item.retrieved", "event_id item", "", _SAME),
    ("conversation.item.truncated", _HEARD + " audio_end_ms", "", _SAME),
    ("error", "event_id error", "", _SAME),
    ("input_audio_buffer.cleared", "event_id", "", _SAME),
    ("input_audio_buffer.committed", "event_id item_id", "previous_item_id", _SAME),
    ("input_audio_buffer.dtmf_event_received", "event received_at", "", None),
    ("input_audio_buffer.speech_started", "event_id item_id audio_start_ms", "", _SAME),
    ("input_audio_buffer.speech_stopped", "event_id item_id audio_end_ms", "", _SAME),
    ("input_audio_buffer.timeout_triggered", "event_id item_id audio_start_ms audio_end_ms", "", None),
    ("mcp_list_tools.completed", "event_id item_id", "", None),
    ("mcp_list_tools.failed", "event_id item_id", "", None),
    ("mcp_list_tools.in_progress", "event_id item_id", "", None),
    ("output_audio_buffer.cleared", "event_id response_id", "", _SAME),
    ("output_audio_buffer.started", "event_id response_id", "", _SAME),
    ("output_audio_buffer.stopped", "event_id response_id", "", _SAME),
    ("rate_limits.updated", "event_id rate_limits", "", _SAME),
    ("response.content_part.added", _PART + " part", "", _SAME),
    ("response.content_part.done", _PART + " part", "", _SAME),
    ("response.created", "event_id response", "", _SAME),
    ("response.done", "event_id response", "", _SAME),
    ("response.function_call_arguments.delta", _OUTPUT + " call_id delta", "", _SAME),
    ("response.function_call_arguments.done", _OUTPUT + " call_id name arguments", "", _SAME, "name"),
    ("response.mcp_call.completed", "event_id item_id output_index", "", None),
    ("response.mcp_call.failed", "event_id item_id output_index", "", None),
    ("response.mcp_call.in_progress", "event_id item_id output_index", "", None),
    ("response.mcp_call_arguments.delta", _OUTPUT + " delta", "obfuscation", None),
    ("response.mcp_call_arguments.done", _OUTPUT + " arguments", "", None),
    ("response.output_audio.delta", _PART + " delta", "", "response.audio.delta"),
    ("response.output_audio.done", _PART, "", "response.audio.done"),
    ("response.output_audio_transcript.delta", _PART + " delta", "", "response.audio_transcript.delta"),
    ("response.output_audio_transcript.done", _PART + " transcript", "", "response.audio_transcript.done"),
    ("response.output_item.added", "event_id response_id output_index item", "", _SAME),
    ("response.output_item.done", "event_id response_id output_index item", "", _SAME),
    ("response.output_text.delta", _PART + " delta", "", "response.text.delta"),
    ("response.output_text.done", _PART + " text", "", "response.text.done"),
    ("session.created", "event_id session", "", _SAME),
    ("session.updated", "event_id session", "", _SAME),
)
