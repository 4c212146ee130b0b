"""Lines for a stage's script: what realtime servers say in common scenes, in either dialect. Pure.

Each gives events in the wire's shape and a well-behaved server's order. Drop, repeat or reorder some of them
for one that is not.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Literal

from gip_nb.protocol.dialects import client_event_to_canonical, server_event_to_wire

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing.steps import Event
    from gip_nb.testing.visit import Visit

__all__ = ["answer", "error", "item_taken", "session_created", "session_updated", "tool_call", "user_spoke"]

_BYTES_PER_MS = 48
_DELTA_MS = 100
_SESSION_ID = "sess_stage"


def session_created(dialect: Dialect = "ga", **session: Any) -> Event:
    """A server's greeting.

    Args:
        dialect: only GA's session tells its type: by that a client knows which dialect is spoken.
        **session: more of its fields, as on the wire.
    """
    own = {"id": _SESSION_ID, "object": "realtime.session", **session}
    if dialect == "ga":
        own.setdefault("type", "realtime")
    return {"type": "session.created", "event_id": "event_created", "session": own}


def session_updated(visit: Visit) -> Event:
    """For `Say(session_updated)`: the session becomes what the client asked for last."""
    asked = visit.last("session.update")["session"]
    return {
        "type": "session.updated",
        "event_id": f"event_updated_{len(visit.sent)}",
        "session": {"id": _SESSION_ID, "object": "realtime.session", **asked},
    }


def item_taken(visit: Visit) -> list[Event]:
    """For `Say(item_taken)`: the item that the client created last is in the conversation."""
    asked = client_event_to_canonical(visit.last("conversation.item.create"), visit.dialect)
    item = {"object": "realtime.item", "status": "completed", **asked["item"]}
    previous = asked.get("previous_item_id")
    canonical = [
        {"type": "conversation.item.added", "previous_item_id": previous, "item": item},
        {"type": "conversation.item.done", "previous_item_id": previous, "item": item},
    ]
    return _as_wire(canonical, visit.dialect, str(item.get("id")))


def user_spoke(
    transcript: str | None = None,
    *,
    dialect: Dialect = "ga",
    item_id: str = "item_user",
    start_ms: int = 0,
    end_ms: int = 1000,
    previous_item_id: str | None = None,
) -> list[Event]:
    """An utterance that the server's turn detection found, up to the user's item.

    Args:
        transcript: of what was said; None leaves the transcription out.
        dialect: the connection's.
        item_id: the item that it becomes.
        start_ms: where it begins in the input audio.
        end_ms: where it ends.
        previous_item_id: what it follows in the conversation.
    """
    item = {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    about = {"item_id": item_id}
    order = {"previous_item_id": previous_item_id}
    canonical: list[Event] = [
        {"type": "input_audio_buffer.speech_started", **about, "audio_start_ms": start_ms},
        {"type": "input_audio_buffer.speech_stopped", **about, "audio_end_ms": end_ms},
        {"type": "input_audio_buffer.committed", **about, **order},
        {"type": "conversation.item.added", **order, "item": item},
        {"type": "conversation.item.done", **order, "item": item},
    ]
    if transcript is not None:
        canonical.append(
            {
                "type": "conversation.item.input_audio_transcription.completed",
                **about,
                "content_index": 0,
                "transcript": transcript,
                "usage": {"type": "duration", "seconds": (end_ms - start_ms) / 1000},
            }
        )
    return _as_wire(canonical, dialect, item_id)


def answer(
    text: str = "Hello.",
    *,
    dialect: Dialect = "ga",
    response_id: str = "resp_1",
    item_id: str = "item_1",
    audio_ms: int = 200,
    status: Literal["completed", "failed", "incomplete", "cancelled"] = "completed",
    status_details: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> list[Event]:
    """A spoken response, from `response.created` to `response.done`.

    Args:
        text: its transcript, one delta a word. Empty: a response with no output at all.
        dialect: the connection's.
        response_id: its own; each response of a script needs another.
        item_id: of its item, likewise.
        audio_ms: of sound (silence, PCM16 24 000 Hz), in deltas of at most 100 ms; 0 leaves sound out.
        status: how it ends.
        status_details: more on that, as on the wire.
        metadata: that the client gave with its `response.create`.
    """
    item = _item(item_id, "message", role="assistant")
    content = {"type": "output_audio", "transcript": text}
    about = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    inner: list[Event] = []
    if text:
        part = {"type": "audio", "transcript": ""}
        inner = [
            {"type": "response.content_part.added", **about, "part": part},
            *(
                {"type": "response.output_audio_transcript.delta", **about, "delta": word}
                for word in _words(text)
            ),
            *(
                {"type": "response.output_audio.delta", **about, "delta": sound}
                for sound in _sounds(audio_ms)
            ),
            {"type": "response.output_audio.done", **about},
            {"type": "response.output_audio_transcript.done", **about, "transcript": text},
            {"type": "response.content_part.done", **about, "part": {**part, "transcript": text}},
        ]
    done = {**item, "status": "completed" if status == "completed" else "incomplete", "content": [content]}
    canonical = _response(
        response_id,
        [(item, inner, done)] if text else [],
        status=status,
        status_details=status_details,
        metadata=metadata,
    )
    return _as_wire(canonical, dialect, response_id)


def tool_call(
    name: str,
    arguments: dict[str, Any] | str | None = None,
    *,
    dialect: Dialect = "ga",
    response_id: str = "resp_1",
    item_id: str = "item_1",
    call_id: str = "call_1",
) -> list[Event]:
    """A response that calls one function.

    Args:
        name: of the function.
        arguments: a dict, or the text as the model writes it, JSON or not.
        dialect: the connection's.
        response_id: its own; each response of a script needs another.
        item_id: of its item, likewise.
        call_id: of its call, likewise.
    """
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    item = _item(item_id, "function_call", name=name, call_id=call_id, arguments="")
    about = {"response_id": response_id, "item_id": item_id, "output_index": 0, "call_id": call_id}
    inner: list[Event] = [
        {"type": "response.function_call_arguments.delta", **about, "delta": written},
        {"type": "response.function_call_arguments.done", **about, "name": name, "arguments": written},
    ]
    done = {**item, "status": "completed", "arguments": written}
    return _as_wire(_response(response_id, [(item, inner, done)]), dialect, response_id)


def error(
    code: str | None,
    message: str,
    *,
    kind: str = "invalid_request_error",
    event_id: str | None = None,
    param: str | None = None,
) -> Event:
    """An `error` event, alike in both dialects.

    Args:
        code: the server's code.
        message: what went wrong.
        kind: the error's `type`.
        event_id: of the client event that caused it.
        param: what it is about.
    """
    told = {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}
    return {"type": "error", "event_id": "event_error", "error": told}


# ---------------------------------------------------------------------------------------------------- inside


def _item(item_id: str, kind: str, **fields: Any) -> Event:
    item = {"id": item_id, "object": "realtime.item", "type": kind, "status": "in_progress", **fields}
    return {**item, "content": []} if kind == "message" else item


def _response(
    response_id: str,
    items: list[tuple[Event, list[Event], Event]],
    *,
    status: str = "completed",
    status_details: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> list[Event]:
    """The events round those of its items; each item is (as it begins, what is said of it, as it ends)."""
    begun: Event = {
        "id": response_id,
        "object": "realtime.response",
        "status": "in_progress",
        "status_details": None,
        "output": [],
        "usage": None,
        "metadata": metadata,
    }
    events: list[Event] = [{"type": "response.created", "response": begun}]
    for index, (item, inner, done) in enumerate(items):
        about = {"response_id": response_id, "output_index": index}
        events += [
            {"type": "response.output_item.added", **about, "item": item},
            {"type": "conversation.item.added", "previous_item_id": None, "item": item},
            *inner,
            {"type": "conversation.item.done", "previous_item_id": None, "item": done},
            {"type": "response.output_item.done", **about, "item": done},
        ]
    ended = {
        **begun,
        "status": status,
        "status_details": status_details,
        "output": [done for _, _, done in items],
        "usage": _usage(),
    }
    return [*events, {"type": "response.done", "response": ended}]


def _usage() -> Event:
    return {
        "total_tokens": 12,
        "input_tokens": 5,
        "output_tokens": 7,
        "input_token_details": {"text_tokens": 5, "audio_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"text_tokens": 3, "audio_tokens": 4},
    }


def _words(text: str) -> list[str]:
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]


def _sounds(audio_ms: int) -> list[str]:
    pieces = [min(_DELTA_MS, audio_ms - start) for start in range(0, audio_ms, _DELTA_MS)]
    return [base64.b64encode(bytes(ms * _BYTES_PER_MS)).decode("ascii") for ms in pieces]


def _as_wire(canonical: list[Event], dialect: Dialect, about: str) -> list[Event]:
    """In the dialect's names, each with an event id; without what the dialect has not."""
    numbered = (
        {"type": event["type"], "event_id": f"event_{about}_{number}", **event}
        for number, event in enumerate(canonical)
    )
    found = (server_event_to_wire(event, dialect) for event in numbered)
    return [dict(event) for event in found if event is not None]
