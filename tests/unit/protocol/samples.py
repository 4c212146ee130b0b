"""One valid sample of every event in each dialect that has it, written out by hand.

`SERVER_SAMPLES` and `CLIENT_SAMPLES` hold pairs: an event as beta writes it and the same event as GA writes
it, saying only what both can say. None stands where a dialect has no such event. Ask for copies with
`server_sample` and `client_sample`, `server_samples` and `client_samples`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.protocol.events import BETA

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect, Event

TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather at a place.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "create_response": True,
    "interrupt_response": True,
}
PCM = {"type": "audio/pcm", "rate": 24_000}

# --------------------------------------------------------------------------------------------- nested objects

BETA_SESSION: Event = {
    "id": "sess_1",
    "object": "realtime.session",
    "model": "gpt-4o-realtime-preview-2024-12-17",
    "modalities": ["text", "audio"],
    "instructions": "Be brief.",
    "voice": "ash",
    "speed": 1.1,
    "input_audio_format": "pcm16",
    "output_audio_format": "g711_ulaw",
    "input_audio_transcription": {"model": "whisper-1", "language": "en"},
    "input_audio_noise_reduction": {"type": "near_field"},
    "turn_detection": SERVER_VAD,
    "tools": [TOOL],
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_response_output_tokens": "inf",
    "tracing": "auto",
}
GA_SESSION: Event = {
    "id": "sess_1",
    "object": "realtime.session",
    "type": "realtime",
    "model": "gpt-4o-realtime-preview-2024-12-17",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "audio": {
        "input": {
            "format": PCM,
            "transcription": {"model": "whisper-1", "language": "en"},
            "noise_reduction": {"type": "near_field"},
            "turn_detection": SERVER_VAD,
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "ash", "speed": 1.1},
    },
    "tools": [TOOL],
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_output_tokens": "inf",
    "tracing": "auto",
}
BETA_TRANSCRIPTION_SESSION: Event = {
    "input_audio_format": "g711_alaw",
    "input_audio_transcription": {"model": "whisper-1", "prompt": "expect names"},
    "input_audio_noise_reduction": {"type": "far_field"},
    "turn_detection": None,
    "include": ["item.input_audio_transcription.logprobs"],
}
GA_TRANSCRIPTION_SESSION: Event = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcma"},
            "transcription": {"model": "whisper-1", "prompt": "expect names"},
            "noise_reduction": {"type": "far_field"},
            "turn_detection": None,
        }
    },
    "include": ["item.input_audio_transcription.logprobs"],
}
USER_ITEM: Event = {
    "id": "item_user",
    "object": "realtime.item",
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_audio", "transcript": "hello"}, {"type": "input_text", "text": "and this"}],
}
BETA_ANSWER_ITEM: Event = {
    "id": "item_answer",
    "object": "realtime.item",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "audio", "transcript": "good morning"}, {"type": "text", "text": "good morning"}],
}
GA_ANSWER_ITEM: Event = {
    **BETA_ANSWER_ITEM,
    "content": [
        {"type": "output_audio", "transcript": "good morning"},
        {"type": "output_text", "text": "good morning"},
    ],
}
CALL_ITEM: Event = {
    "id": "item_call",
    "object": "realtime.item",
    "type": "function_call",
    "status": "completed",
    "name": "get_weather",
    "call_id": "call_1",
    "arguments": '{"city": "Seoul"}',
}
CALL_OUTPUT_ITEM: Event = {
    "id": "item_output",
    "type": "function_call_output",
    "call_id": "call_1",
    "output": '{"sky": "clear"}',
}
# A response's own input may hold assistant text; in beta no assistant audio.
BETA_TEXT_ITEM: Event = {**BETA_ANSWER_ITEM, "content": [{"type": "text", "text": "good morning"}]}
GA_TEXT_ITEM: Event = {**BETA_ANSWER_ITEM, "content": [{"type": "output_text", "text": "good morning"}]}
USAGE: Event = {
    "total_tokens": 821,
    "input_tokens": 789,
    "output_tokens": 32,
    "input_token_details": {"text_tokens": 313, "audio_tokens": 476, "cached_tokens": 640},
    "output_token_details": {"text_tokens": 9, "audio_tokens": 23},
}
BETA_RESPONSE: Event = {
    "id": "resp_1",
    "object": "realtime.response",
    "conversation_id": "conv_1",
    "status": "incomplete",
    "status_details": {"type": "incomplete", "reason": "max_output_tokens"},
    "modalities": ["text", "audio"],
    "voice": "ash",
    "output_audio_format": "pcm16",
    "temperature": 0.8,
    "max_output_tokens": 4096,
    "metadata": {"purpose": "greeting"},
    "output": [BETA_ANSWER_ITEM, CALL_ITEM],
    "usage": USAGE,
}
GA_RESPONSE: Event = {
    "id": "resp_1",
    "object": "realtime.response",
    "conversation_id": "conv_1",
    "status": "incomplete",
    "status_details": {"type": "incomplete", "reason": "max_output_tokens"},
    "output_modalities": ["audio"],
    "audio": {"output": {"voice": "ash", "format": PCM}},
    "temperature": 0.8,
    "max_output_tokens": 4096,
    "metadata": {"purpose": "greeting"},
    "output": [GA_ANSWER_ITEM, CALL_ITEM],
    "usage": USAGE,
}
BETA_RESPONSE_REQUEST: Event = {
    "conversation": "none",
    "modalities": ["text", "audio"],
    "instructions": "Greet the caller.",
    "voice": "ash",
    "output_audio_format": "g711_alaw",
    "temperature": 0.7,
    "max_response_output_tokens": 200,
    "tools": [TOOL],
    "tool_choice": "none",
    "metadata": {"purpose": "greeting"},
    "input": [USER_ITEM, BETA_TEXT_ITEM, CALL_ITEM, CALL_OUTPUT_ITEM],
}
GA_RESPONSE_REQUEST: Event = {
    "conversation": "none",
    "output_modalities": ["audio"],
    "instructions": "Greet the caller.",
    "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcma"}}},
    "temperature": 0.7,
    "max_output_tokens": 200,
    "tools": [TOOL],
    "tool_choice": "none",
    "metadata": {"purpose": "greeting"},
    "input": [USER_ITEM, GA_TEXT_ITEM, CALL_ITEM, CALL_OUTPUT_ITEM],
}
LOGPROB = {"token": "hi", "bytes": [104, 105], "logprob": -0.1}

# ------------------------------------------------------------------------------------------------------ pairs


class Pair(NamedTuple):
    """One event in both dialects, each as it stands on the wire."""

    beta: Event | None
    ga: Event


def _same(kind: str, **fields: object) -> Pair:
    return Pair({"type": kind, **fields}, {"type": kind, **fields})


def _renamed(beta: str, ga: str, **fields: object) -> Pair:
    return Pair({"type": beta, **fields}, {"type": ga, **fields})


def _ga_only(kind: str, **fields: object) -> Pair:
    return Pair(None, {"type": kind, **fields})


def _differing(kind: str, key: str, beta: object, ga: object, **fields: object) -> Pair:
    return Pair({"type": kind, **fields, key: beta}, {"type": kind, **fields, key: ga})


_ID = {"event_id": "event_1"}
_OUTPUT: dict[str, Any] = {**_ID, "response_id": "resp_1", "item_id": "item_answer", "output_index": 0}
_PART: dict[str, Any] = {**_OUTPUT, "content_index": 0}
_HEARD: dict[str, Any] = {**_ID, "item_id": "item_user", "content_index": 0}
_TRANSCRIBED = "conversation.item.input_audio_transcription"

_SERVER = [
    _same("conversation.created", **_ID, conversation={"id": "conv_1", "object": "realtime.conversation"}),
    _renamed(
        "conversation.item.created",
        "conversation.item.added",
        **_ID,
        item=USER_ITEM,
        previous_item_id="item_0",
    ),
    _same("conversation.item.deleted", **_ID, item_id="item_user"),
    _ga_only("conversation.item.done", **_ID, item=GA_ANSWER_ITEM, previous_item_id=None),
    _same(
        f"{_TRANSCRIBED}.completed",
        **_HEARD,
        transcript="hello",
        usage={"type": "duration", "seconds": 1.5},
        logprobs=[LOGPROB],
    ),
    _same(f"{_TRANSCRIBED}.delta", **_HEARD, delta="hel", logprobs=None),
    _same(
        f"{_TRANSCRIBED}.failed",
        **_HEARD,
        error={
            "type": "transcription_error",
            "code": "audio_unintelligible",
            "message": "noise",
            "param": None,
        },
    ),
    _ga_only(f"{_TRANSCRIBED}.segment", **_HEARD, id="seg_1", start=0.0, end=1.2, speaker="A", text="hello"),
    _differing("conversation.item.retrieved", "item", BETA_ANSWER_ITEM, GA_ANSWER_ITEM, **_ID),
    _same("conversation.item.truncated", **_HEARD, audio_end_ms=480),
    _same(
        "error",
        **_ID,
        error={
            "type": "invalid_request_error",
            "code": "invalid_value",
            "message": "no",
            "param": "session.voice",
            "event_id": "client_7",
        },
    ),
    _same("input_audio_buffer.cleared", **_ID),
    _same("input_audio_buffer.committed", **_ID, item_id="item_user", previous_item_id=None),
    _ga_only("input_audio_buffer.dtmf_event_received", event="5", received_at=1_763_000_000),
    _same("input_audio_buffer.speech_started", **_ID, item_id="item_user", audio_start_ms=900),
    _same("input_audio_buffer.speech_stopped", **_ID, item_id="item_user", audio_end_ms=2780),
    _ga_only(
        "input_audio_buffer.timeout_triggered",
        **_ID,
        item_id="item_user",
        audio_start_ms=0,
        audio_end_ms=6000,
    ),
    _ga_only("mcp_list_tools.completed", **_ID, item_id="item_mcp"),
    _ga_only("mcp_list_tools.failed", **_ID, item_id="item_mcp"),
    _ga_only("mcp_list_tools.in_progress", **_ID, item_id="item_mcp"),
    _same("output_audio_buffer.cleared", **_ID, response_id="resp_1"),
    _same("output_audio_buffer.started", **_ID, response_id="resp_1"),
    _same("output_audio_buffer.stopped", **_ID, response_id="resp_1"),
    _same(
        "rate_limits.updated",
        **_ID,
        rate_limits=[{"name": "tokens", "limit": 40_000, "remaining": 39_000, "reset_seconds": 1.5}],
    ),
    _same("response.content_part.added", **_PART, part={"type": "audio", "transcript": ""}),
    _same("response.content_part.done", **_PART, part={"type": "text", "text": "good morning"}),
    _differing("response.created", "response", BETA_RESPONSE, GA_RESPONSE, **_ID),
    _differing("response.done", "response", BETA_RESPONSE, GA_RESPONSE, **_ID),
    _same("response.function_call_arguments.delta", **_OUTPUT, call_id="call_1", delta='{"ci'),
    Pair(
        {
            "type": "response.function_call_arguments.done",
            **_OUTPUT,
            "call_id": "call_1",
            "arguments": "{}",
        },
        {
            "type": "response.function_call_arguments.done",
            **_OUTPUT,
            "call_id": "call_1",
            "arguments": "{}",
            "name": "get_weather",
        },
    ),
    _ga_only("response.mcp_call.completed", **_ID, item_id="item_mcp", output_index=0),
    _ga_only("response.mcp_call.failed", **_ID, item_id="item_mcp", output_index=0),
    _ga_only("response.mcp_call.in_progress", **_ID, item_id="item_mcp", output_index=0),
    _ga_only("response.mcp_call_arguments.delta", **_OUTPUT, delta="{", obfuscation="x7"),
    _ga_only("response.mcp_call_arguments.done", **_OUTPUT, arguments="{}"),
    _renamed("response.audio.delta", "response.output_audio.delta", **_PART, delta="AAABAA=="),
    _renamed("response.audio.done", "response.output_audio.done", **_PART),
    _renamed(
        "response.audio_transcript.delta", "response.output_audio_transcript.delta", **_PART, delta="good"
    ),
    _renamed(
        "response.audio_transcript.done",
        "response.output_audio_transcript.done",
        **_PART,
        transcript="good morning",
    ),
    _differing(
        "response.output_item.added",
        "item",
        BETA_ANSWER_ITEM,
        GA_ANSWER_ITEM,
        **_ID,
        response_id="resp_1",
        output_index=0,
    ),
    _differing(
        "response.output_item.done",
        "item",
        BETA_ANSWER_ITEM,
        GA_ANSWER_ITEM,
        **_ID,
        response_id="resp_1",
        output_index=0,
    ),
    _renamed("response.text.delta", "response.output_text.delta", **_PART, delta="good"),
    _renamed("response.text.done", "response.output_text.done", **_PART, text="good morning"),
    _differing("session.created", "session", BETA_SESSION, GA_SESSION, **_ID),
    _differing("session.updated", "session", BETA_SESSION, GA_SESSION, **_ID),
]

_CLIENT = [
    _differing(
        "conversation.item.create", "item", BETA_ANSWER_ITEM, GA_ANSWER_ITEM, **_ID, previous_item_id="root"
    ),
    _same("conversation.item.delete", **_ID, item_id="item_answer"),
    _same("conversation.item.retrieve", **_ID, item_id="item_answer"),
    _same("conversation.item.truncate", **_ID, item_id="item_answer", content_index=0, audio_end_ms=480),
    _same("input_audio_buffer.append", **_ID, audio="AAABAA=="),
    _same("input_audio_buffer.clear", **_ID),
    _same("input_audio_buffer.commit", **_ID),
    _same("output_audio_buffer.clear", **_ID),
    _same("response.cancel", **_ID, response_id="resp_1"),
    _differing("response.create", "response", BETA_RESPONSE_REQUEST, GA_RESPONSE_REQUEST, **_ID),
    _differing(
        "session.update",
        "session",
        {key: value for key, value in BETA_SESSION.items() if key not in {"id", "object"}},
        {key: value for key, value in GA_SESSION.items() if key not in {"id", "object"}},
        **_ID,
    ),
]

SERVER_SAMPLES: dict[str, Pair] = {pair.ga["type"]: pair for pair in _SERVER}
CLIENT_SAMPLES: dict[str, Pair] = {pair.ga["type"]: pair for pair in _CLIENT}

# Beta's transcription sessions have events of their own, which GA tells apart by the session's type.
TRANSCRIPTION_UPDATE = Pair(
    {"type": "transcription_session.update", **_ID, "session": BETA_TRANSCRIPTION_SESSION},
    {"type": "session.update", **_ID, "session": GA_TRANSCRIPTION_SESSION},
)
_SECRET = {"client_secret": {"value": "made-up", "expires_at": 1_763_000_000}}
TRANSCRIPTION_UPDATED = Pair(
    {
        "type": "transcription_session.updated",
        **_ID,
        "session": {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "threshold": 0.5},
            **_SECRET,
        },
    },
    {
        "type": "session.updated",
        **_ID,
        "session": {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": PCM,
                    "transcription": {"model": "whisper-1"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.5},
                }
            },
            **_SECRET,
        },
    },
)


def _samples(pairs: list[Pair], dialect: Dialect) -> dict[str, Event]:
    events = [pair.beta if dialect == BETA else pair.ga for pair in pairs]
    return {event["type"]: copy.deepcopy(event) for event in events if event is not None}


def server_samples(dialect: Dialect) -> dict[str, Event]:
    """A fresh sample of every server event of a dialect, by its name on the wire."""
    extra = [TRANSCRIPTION_UPDATED] if dialect == BETA else []
    samples = _samples([*_SERVER, *extra], dialect)
    if dialect != BETA:
        # Still listed for GA, beside `added` and `done`.
        created = {**samples["conversation.item.added"], "type": "conversation.item.created"}
        samples[created["type"]] = copy.deepcopy(created)
    return samples


def client_samples(dialect: Dialect) -> dict[str, Event]:
    """A fresh sample of every client event of a dialect, by its name on the wire."""
    return _samples([*_CLIENT, *([TRANSCRIPTION_UPDATE] if dialect == BETA else [])], dialect)


def server_sample(canonical: str, dialect: Dialect) -> Event | None:
    """A fresh sample of one server event; None where the dialect has no such event."""
    pair = SERVER_SAMPLES[canonical]
    return copy.deepcopy(pair.beta if dialect == BETA else pair.ga)


def client_sample(canonical: str, dialect: Dialect) -> Event:
    """A fresh sample of one client event; every one exists in both dialects."""
    pair = CLIENT_SAMPLES[canonical]
    event = pair.beta if dialect == BETA else pair.ga
    assert event is not None
    return copy.deepcopy(event)
