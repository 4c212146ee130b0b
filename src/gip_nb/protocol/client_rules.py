"""What each event of the server does to the client's end: one function an event, one row in `RULES`.

They are the protected part of `ClientProtocol`, which stands in client.py: they use its fields,
and nobody else does. An event without a row changes nothing but the conversation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.protocol import asked_again, overdue
from gip_nb.protocol.conversation import SAMPLES_PER_MS
from gip_nb.protocol.error_rules import on_error
from gip_nb.protocol.outputs import CutShort, Failed, ItemChanged, TextAdded, ToolCall
from gip_nb.protocol.retries import fault_of
from gip_nb.protocol.session_rules import on_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.conversation import Response
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Wish

__all__ = ["RULES"]


def _on_speech_started(p: ClientProtocol, e: Event) -> None:
    item = p.conversation.items.get(e.item_id or "")
    if item is not None and item.turn is not None and p.conversation.turns[item.turn - 1].response_ids:
        # Told late, or again: these words are being answered.
        return
    # It may be told after the end.
    p._hearing = item is None or (item.audio_end_ms is None and not item.spoken)
    p._created_since_speech = p._auto_unwanted = False
    if asked_again.user_speaks(p):
        p._drain()
    detection = p.turn_detection or {}
    if detection.get("interrupt_response") is not False:
        p._interrupt(server_cancels=True)
    elif overdue.give_up(p, "went on"):
        p._drain()
    if e.item_id is not None:
        p._outputs.append(ItemChanged(e.item_id))


def _on_speech_stopped(p: ClientProtocol, e: Event) -> None:
    p._hearing = False
    detection = p.turn_detection
    # An answer that may not be interrupted is in the way of one to what was said meanwhile.
    is_busy = p._active is not None and (detection or {}).get("interrupt_response") is False
    # Some servers say that the speech stopped after they began to answer it.
    p._awaiting_auto = (
        not p._created_since_speech
        and not is_busy
        and detection is not None
        and detection.get("create_response") is not False
        and not p._held_back.off
    )
    if e.item_id is not None:
        p._outputs.append(ItemChanged(e.item_id))


def _on_committed(p: ClientProtocol, e: Event) -> None:
    p._hearing = False
    if e.item_id is not None:
        # The server's own commit ends where the speech did; what came after is still in its buffer.
        end_ms = p.conversation.item(e.item_id).audio_end_ms
        end = p.appended_samples if end_ms is None else end_ms * SAMPLES_PER_MS
        p._used_samples = max(p._used_samples, min(end, p.appended_samples))
        p._outputs.append(ItemChanged(e.item_id))


def _on_response_created(p: ClientProtocol, e: Event) -> None:
    response_id = e.response_id
    response = p.conversation.responses.get(response_id or "")
    if response is None or not response.beside:
        p._awaiting_auto = False
        p._created_since_speech = True
        asked_again.user_speaks(p)
    # Told after its end, or again: nothing begins.
    if response_id is None or response is None or not response.active:
        return
    p._deadlines.begun(response_id)
    if not response.beside:
        p._active = response_id
        if p._auto_unwanted and p._asked is None:
            p._playback.mute(response_id)
            p._interrupt(server_cancels=False)
        p._auto_unwanted = False
    _answer_wish(p, response)


def _answer_wish(p: ClientProtocol, response: Response) -> None:
    """This response is what was asked for, as far as one can tell."""
    wish = _wish_beside(p, response) if response.beside else p._asked
    if wish is None:
        if p._asked_raw:
            p._asked_raw -= 1
            p._retries.not_ours.add(response.response_id)
        return
    if not response.beside:
        p._asked = None
    wish.response_ids.append(response.response_id)
    p._wish_of[response.response_id] = wish
    if wish.cancelled:
        p._playback.mute(response.response_id)
        p._cancelled.add(response.response_id)
        p._deadlines.cancelled(response.response_id)


def _wish_beside(p: ClientProtocol, response: Response) -> Wish | None:
    """Of those that were asked for beside the conversation, the one with these metadata, else the oldest."""
    asked = p._asked_beside
    same = [w for w in asked if w.fields.get("metadata") == response.metadata]
    for wish in (same or asked)[:1]:
        asked.remove(wish)
        return wish
    return None


def _ended(p: ClientProtocol, e: Event) -> Response | None:
    """The response that has ended now; None where that was told before."""
    response_id = e.response_id or p.conversation.last_done
    response = p.conversation.responses.get(response_id or "")
    if p._active is not None and (e.response_id is None or response_id == p._active):
        p._active = None
    p._deadlines.ended(response_id)
    return None if response is None or response.response_id in p._ended else response


def _on_response_done(p: ClientProtocol, e: Event) -> None:
    response = _ended(p, e)
    if response is None:
        return
    p._ended.add(response.response_id)
    p._cancels = {cancel: r for cancel, r in p._cancels.items() if r != response.response_id}
    if response.created_s is None:
        # Some servers never said that it began.
        p._awaiting_auto = False
        _answer_wish(p, response)
    # One without an item is to be seen too, where it failed.
    for item_id in response.item_ids or [response.response_id]:
        p._outputs.append(ItemChanged(item_id))
    if response.response_id in p._let_go:
        p._playback.done_after_all(response)
    else:
        p._playback.response_done(response)
    calls = _calls_of(p, response)
    wish = p._wish_of.get(response.response_id)
    if calls:
        p._open_calls[response.response_id] = {c.call_id for c in calls}
        for call in calls:
            p._calls[call.call_id] = response.response_id
        for call in calls:
            _hand_out(p, call)
    if response.status == "failed":
        _on_failed(p, e, response, wish)
    else:
        _on_not_failed(p, response, wish, goes_on=bool(calls))
    _answer_unmade_calls(p, response)
    p._drain()
    p._report_turn()


def _on_not_failed(p: ClientProtocol, response: Response, wish: Wish | None, *, goes_on: bool) -> None:
    if response.status == "incomplete":
        p._outputs.append(CutShort(response.response_id, response.reason))
    if wish is not None:
        # What follows from here is another thing to ask for.
        wish.retried, wish.gives_way = 0, False
        if not goes_on:
            p._finish(wish)


def _on_failed(p: ClientProtocol, e: Event, response: Response, wish: Wish | None) -> None:
    details = e.part("response").get("status_details")
    error = details.get("error") if isinstance(details, dict) else None
    fault = fault_of(error if isinstance(error, dict) else {})
    message = response.error or "the response failed"
    failed = Failed(message, None if fault.code == message else fault.code, None)
    if response.hung or overdue.ask_again(p, wish, failed, fault, response):
        # It was told before.
        return
    if wish is not None:
        p._finish(wish, failed)
    p._outputs.append(failed)


def _calls_of(p: ClientProtocol, response: Response) -> list[ToolCall]:
    if _is_broken_off(p, response) or response.beside:
        # What is called beside the conversation cannot be answered in it.
        return []
    items = [p.conversation.items[i] for i in response.item_ids if i in p.conversation.items]
    calls = {
        i.call_id: ToolCall(i.call_id, i.name or "", i.arguments)
        for i in items
        if i.type == "function_call" and i.call_id is not None and i.call_id not in p._calls
    }
    return list(calls.values())


def _is_broken_off(p: ClientProtocol, response: Response) -> bool:
    """Whether nothing is made of it any more: nobody waits for one that was let go."""
    return response.status in {"cancelled", "failed"} or response.response_id in p._let_go


def _answer_unmade_calls(p: ClientProtocol, response: Response) -> None:
    """Whole calls of an answer that was broken off stay in the server's memory: none may stay unanswered."""
    if not _is_broken_off(p, response) or response.beside:
        return
    for item in [p.conversation.items[i] for i in response.item_ids if i in p.conversation.items]:
        if item.type != "function_call" or item.call_id is None or item.call_id in p._calls:
            continue
        if item.status == "completed":
            p._calls[item.call_id] = None
            output = "error: the answer was broken off before this was called"
            p.add_item({"type": "function_call_output", "call_id": item.call_id, "output": output})


def _hand_out(p: ClientProtocol, call: ToolCall) -> None:
    """What it was called with is read by whoever makes the call; only what never came is answered here.

    Nothing at all would be taken for no arguments.
    """
    item = p.conversation.call(call.call_id)
    if item is not None and item.status == "incomplete" and not call.arguments:
        p.tool_output(call.call_id, "error: the call was cut off")
    else:
        p._outputs.append(call)


def _on_answer_audio(p: ClientProtocol, e: Event) -> None:
    p._has_spoken = p._has_spoken or bool(e.audio)
    p._playback.receive(e, player=p.player)


def _on_answer_audio_done(p: ClientProtocol, e: Event) -> None:
    p._playback.receive_end(e)


def _on_text_delta(p: ClientProtocol, e: Event) -> None:
    delta = e.text("delta")
    item = p.conversation.items.get(e.item_id or "")
    index = e.whole("content_index") or 0
    if item is None or not delta or not item.may_grow(index):
        # What comes after the whole text is part of it.
        return
    is_last = index == max(item.texts, default=index)
    p._outputs.append(TextAdded(item.item_id, delta) if is_last else ItemChanged(item.item_id))


def _on_rate_limits(p: ClientProtocol, e: Event) -> None:
    p._retries.limits.observe(e)


def _on_item(p: ClientProtocol, e: Event) -> None:
    if e.item_id is not None:
        p._outputs += [ItemChanged(old) for old, new in p.conversation.renamed.items() if new == e.item_id]
        p._outputs.append(ItemChanged(e.item_id))


RULES: dict[str, Callable[[ClientProtocol, Event], None]] = {
    "session.created": on_session,
    "session.updated": on_session,
    "input_audio_buffer.speech_started": _on_speech_started,
    "input_audio_buffer.speech_stopped": _on_speech_stopped,
    "input_audio_buffer.committed": _on_committed,
    "response.created": _on_response_created,
    "response.done": _on_response_done,
    "response.output_audio.delta": _on_answer_audio,
    "response.output_audio.done": _on_answer_audio_done,
    "response.output_audio_transcript.delta": _on_text_delta,
    "response.output_text.delta": _on_text_delta,
    "conversation.item.input_audio_transcription.delta": _on_text_delta,
    "conversation.item.added": _on_item,
    "conversation.item.done": _on_item,
    "rate_limits.updated": _on_rate_limits,
    "error": on_error,
}
