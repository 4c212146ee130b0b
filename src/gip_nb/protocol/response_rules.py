"""What the events of a response do to a conversation; see conversation_rules.py, of which this is a part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.audio_formats import format_of, format_told
from gip_nb.protocol.items import fill_item
from gip_nb.protocol.reused_ids import free_response_id
from gip_nb.protocol.turns import ENDED, Response
from gip_nb.protocol.usage import Billed, tells_usage, usage_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.turns import Direction

__all__ = ["RESPONSE_RULES", "told_text"]


def _on_response_asked(c: Conversation, e: Event, _at_s: float) -> None:
    asked = e.part("response")
    if asked.get("conversation") == "none":
        metadata = _metadata(asked)
        c._asked_beside.append(metadata)
        c._may_undo(e.text("event_id"), lambda: _forget_asked_beside(c, metadata))


def _forget_asked_beside(c: Conversation, metadata: dict[str, Any] | None) -> None:
    """The server refused it: no response is this one."""
    if metadata in c._asked_beside:
        c._asked_beside.remove(metadata)


def _on_response_created(c: Conversation, e: Event, at_s: float) -> None:
    if e.response_id is None:
        return
    free_response_id(c, e.response_id)
    response = c._response(e.response_id, at_s)
    if response.created_s is not None:
        # Some servers say it twice.
        return
    response.created_s = at_s
    turn = c.turns[response.turn - 1]
    if turn.response_created_s is None:
        turn.response_created_s = at_s
    source = e.part("response")
    told = format_told(source, "output")
    response.output_format = response.output_format if told is None else format_of(told)
    response.metadata = _metadata(source)
    response.beside = _is_beside(c, source, response.metadata)


def _is_beside(c: Conversation, source: dict[str, Any], metadata: dict[str, Any] | None) -> bool:
    """Whether this is a response that was asked for beside the conversation: its metadata come back."""
    if metadata in c._asked_beside and metadata is not None:
        c._asked_beside.remove(metadata)
        return True
    # Some servers give no metadata back, but say that it has no conversation.
    if c._asked_beside and source.get("conversation_id", "") is None:
        del c._asked_beside[0]
        return True
    return False


def _metadata(source: dict[str, Any]) -> dict[str, Any] | None:
    found = source.get("metadata")
    return found if isinstance(found, dict) and found else None


def _on_response_done(c: Conversation, e: Event, at_s: float) -> None:
    source = e.part("response")
    response = c._response(e.response_id or _unnamed(c), at_s)
    c.last_done = response.response_id
    if response.done_s is not None:
        # Some servers say it twice; it is billed once.
        return
    turn = c.turns[response.turn - 1]
    response.done_s = at_s
    status = told_text(source.get("status")) or "completed"
    response.status = status if status in ENDED else "completed"
    details = source.get("status_details")
    if isinstance(details, dict):
        response.reason = told_text(details.get("reason")) or told_text(details.get("type"))
        error = details.get("error")
        if isinstance(error, dict):
            response.error = told_text(error.get("message")) or told_text(error.get("code"))
    _fold_output(c, response, source)
    for item in (c.items[i] for i in response.item_ids):
        # Some servers never say that an item is done; its response's end says it.
        if item.status == "in_progress":
            item.status = "completed" if response.status == "completed" else "incomplete"
    if response.reason in {"turn_detected", "client_cancelled"} and not response.hung:
        turn.interrupted = True
    response.usage = usage_of(source)
    turn.requests += 1
    turn.usage = turn.usage + response.usage
    c.requests += 1
    response.billed = Billed(
        kind="response",
        at_s=at_s,
        turn=response.turn,
        response_id=response.response_id,
        model=response.model,
        status=response.status,
        usage=response.usage,
        told=tells_usage(source),
        began=response.status not in {"failed", "cancelled"} or bool(response.item_ids),
    )
    c.billed.append(response.billed)


def _unnamed(c: Conversation) -> str:
    """The response that an end without a name ends: the newest that is active, else one of its own."""
    active = [r.response_id for r in c.responses.values() if r.active]
    return active[-1] if active else f"(unnamed response {len(c.responses) + 1})"


def _fold_output(c: Conversation, response: Response, source: dict[str, Any]) -> None:
    """The items that a finished response lists: some servers tell of them nowhere else."""
    output = source.get("output")
    for one in output if isinstance(output, list) else []:
        if isinstance(one, dict) and isinstance(one.get("id"), str):
            item = c.item(one["id"])
            fill_item(item, one)
            item.response_id = response.response_id
            if one["id"] not in response.item_ids:
                response.item_ids.append(one["id"])
            c._claim(item, c.turns[response.turn - 1])
            if not response.beside:
                c._place(one["id"], None)


def _on_output_item(c: Conversation, e: Event, at_s: float) -> None:
    item = c._answer_item(e, at_s)
    if item is not None:
        fill_item(item, e.part("item"))
        if e.type == "response.output_item.done":
            item.status = told_text(e.part("item").get("status")) or "completed"


def _on_answer_text(c: Conversation, e: Event, at_s: float) -> None:
    item = c._answer_item(e, at_s)
    if item is None or not e.text("delta"):
        return
    item.add_text(e.whole("content_index") or 0, e.text("delta"))
    response = c.responses.get(item.response_id or "")
    if response is not None and response.first_text_s is None:
        response.first_text_s = at_s
    if item.turn is not None and c.turns[item.turn - 1].first_text_s is None:
        c.turns[item.turn - 1].first_text_s = at_s


def _on_answer_text_done(c: Conversation, e: Event, at_s: float) -> None:
    item = c._answer_item(e, at_s)
    if item is not None:
        item.set_text(e.whole("content_index") or 0, e.text("transcript") or e.text("text"))


def _on_answer_audio(c: Conversation, e: Event, at_s: float) -> None:
    item = c._answer_item(e, at_s)
    if item is None or not e.audio:
        return
    item.spoken = True
    item.audio_index = e.whole("content_index") or 0
    item.audio_bytes += len(e.audio)
    item.generated_samples = c.answer_format(item.item_id).samples(item.audio_bytes)
    item.first_audio_s = at_s if item.first_audio_s is None else item.first_audio_s
    item.last_audio_s = at_s
    response = c.responses.get(item.response_id or "")
    if response is not None and response.first_audio_s is None:
        response.first_audio_s = at_s
    if item.turn is not None and c.turns[item.turn - 1].first_audio_s is None:
        c.turns[item.turn - 1].first_audio_s = at_s


def _on_arguments(c: Conversation, e: Event, at_s: float) -> None:
    item = c._answer_item(e, at_s)
    if item is None:
        return
    item.type, item.role = "function_call", None
    item.call_id = e.call_id or item.call_id
    item.name = e.text("name") or item.name
    if e.type.endswith(".done"):
        item.arguments = e.text("arguments") or item.arguments
        item.arguments_whole = True
    elif not item.arguments_whole:
        # What comes after the whole is part of it.
        item.arguments += e.text("delta")


def told_text(value: object) -> str | None:
    """The text that a server told; None where it is empty or no text."""
    return value if isinstance(value, str) and value else None


RESPONSE_RULES: dict[tuple[Direction, str], Callable[[Conversation, Event, float], None]] = {
    ("sent", "response.create"): _on_response_asked,
    ("received", "response.created"): _on_response_created,
    ("received", "response.done"): _on_response_done,
    ("received", "response.output_item.added"): _on_output_item,
    ("received", "response.output_item.done"): _on_output_item,
    ("received", "response.output_text.delta"): _on_answer_text,
    ("received", "response.output_text.done"): _on_answer_text_done,
    ("received", "response.output_audio_transcript.delta"): _on_answer_text,
    ("received", "response.output_audio_transcript.done"): _on_answer_text_done,
    ("received", "response.output_audio.delta"): _on_answer_audio,
    ("received", "response.function_call_arguments.delta"): _on_arguments,
    ("received", "response.function_call_arguments.done"): _on_arguments,
}
