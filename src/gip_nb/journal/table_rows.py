"""Rows of the tables: what a conversation knows of an item, a turn, a response, a function call. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.journal.usage_table import token_columns
from gip_nb.protocol.cost import cost_of, turn_cost
from gip_nb.protocol.items import SAMPLES_PER_MS, heard_text

if TYPE_CHECKING:
    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.items import Item
    from gip_nb.protocol.turns import Response, Turn

__all__ = ["call_rows", "item_row", "response_row", "turn_row"]

# So begins what a tool answers that has failed; see tools.py.
_FAILED = "error:"


def item_row(item: Item) -> dict[str, Any]:
    """See `columns.ITEM_COLUMNS`."""
    audio_ms = item.generated_samples / SAMPLES_PER_MS if item.generated_samples else item.audio_ms
    return {
        "type": item.type,
        "role": item.role,
        "status": item.status,
        "text": item.text or None,
        "heard_text": heard_text(item) or None if item.heard_ms is not None else None,
        "turn": item.turn,
        "response_id": item.response_id,
        "audio_ms": audio_ms,
        "heard_ms": item.heard_ms,
        "interrupted": item.interrupted,
        "deleted": item.deleted,
        "name": item.name,
        "call_id": item.call_id,
        "arguments": item.arguments or None,
        "output": item.output,
        "problem": item.problem,
        "delivered_ms": None if item.delivered_samples is None else item.delivered_samples / SAMPLES_PER_MS,
        "added_s": item.added_s,
        "speech_start_s": item.speech_start_s,
        "speech_end_s": item.speech_end_s,
        "first_audio_s": item.first_audio_s,
        "last_audio_s": item.last_audio_s,
        "sound_start_s": item.sound_start_s,
    }


def turn_row(conversation: Conversation, turn: Turn, started_unix_ns: int) -> dict[str, Any]:
    """See `columns.TURN_COLUMNS`."""
    items = [conversation.items[i] for i in turn.item_ids]
    answers = [i for i in items if i.role == "assistant"]
    heard = [i.heard_ms for i in answers if i.heard_ms is not None]
    last = conversation.responses.get(turn.response_ids[-1]) if turn.response_ids else None
    usage = turn.usage

    def since_end(moment_s: float | None) -> float | None:
        return (
            None if moment_s is None or turn.speech_end_s is None else (moment_s - turn.speech_end_s) * 1000
        )

    return {
        "started_at": started_unix_ns + round(turn.started_s * 1e9),
        "user_text": conversation.texts(turn, "user") or None,
        "assistant_text": conversation.texts(turn, "assistant") or None,
        "heard_text": conversation.heard(turn) or None if heard else None,
        "interrupted": turn.interrupted,
        "status": last.status if last is not None else None,
        "tools": sum(i.type == "function_call" for i in items),
        "user_audio_ms": sum(i.audio_ms or 0.0 for i in items if i.role == "user"),
        "assistant_audio_ms": sum(i.generated_samples for i in answers) / SAMPLES_PER_MS,
        "heard_audio_ms": sum(heard) if heard else None,
        "speech_end_from": turn.speech_end_from,
        "first_event_ms": since_end(turn.first_event_s),
        "first_audio_ms": since_end(turn.first_audio_s),
        "first_sound_ms": since_end(turn.first_sound_s),
        "requests": turn.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": turn_cost(conversation, turn).usd,
        "speech_end_s": turn.speech_end_s,
        "speech_stopped_ms": since_end(turn.speech_stopped_s),
        "response_created_ms": since_end(turn.response_created_s),
        "first_text_ms": since_end(turn.first_text_s),
        "first_delivered_ms": since_end(turn.first_delivered_s),
        "clock_error_ms": turn.clock_error_ms,
        "ended_s": turn.ended_s,
        "label": turn.label,
        "tags": turn.tags,
        "rating": turn.rating,
        "lost_audio_ms": turn.lost_audio_ms,
        "late_audio_ms": turn.late_audio_ms,
    }


def response_row(conversation: Conversation, response: Response) -> dict[str, Any]:
    """See `columns.RESPONSE_COLUMNS`."""
    items = [conversation.items[i] for i in response.item_ids if i in conversation.items]
    created_s, done_s = response.created_s, response.done_s
    billed = response.billed
    cost = None if billed is None else cost_of(billed, conversation.prices)
    return {
        "turn": response.turn,
        "status": response.status,
        "reason": response.reason,
        "error": response.error,
        "beside": response.beside,
        "model": response.model or None,
        "created_s": created_s,
        "first_text_s": response.first_text_s,
        "first_audio_s": response.first_audio_s,
        "done_s": done_s,
        "duration_ms": None if created_s is None or done_s is None else (done_s - created_s) * 1000,
        "audio_ms": sum(i.generated_samples for i in items) / SAMPLES_PER_MS,
        "items": len(items),
        **token_columns(billed),
        "cost_usd": None if cost is None else cost.usd,
        "cost_is_upper_bound": cost is not None and cost.usd is not None and cost.is_upper_bound,
    }


def call_rows(conversation: Conversation) -> tuple[list[str], list[dict[str, Any]]]:
    """The calls' ids, and for each see `columns.CALL_COLUMNS`."""
    answers = {i.call_id: i for i in conversation.items.values() if i.type == "function_call_output"}
    calls = {
        i.call_id: i
        for i in conversation.items.values()
        if i.type == "function_call" and i.call_id is not None
    }
    return list(calls), [_call_row(call, answers.get(call_id)) for call_id, call in calls.items()]


def _call_row(call: Item, answer: Item | None) -> dict[str, Any]:
    output = call.output if answer is None else answer.output or answer.text or None
    return {
        "turn": call.turn,
        "name": call.name,
        "arguments": call.arguments or None,
        "output": output,
        "error": output if output is not None and output.startswith(_FAILED) else None,
        "outcome": call.call_state,
        "traceback": call.traceback,
        "started_s": call.run_s,
        "duration_ms": call.duration_ms,
        "response_id": call.response_id,
        "item_id": call.item_id,
    }
