"""What each event does to a conversation: one function an event, one row in `RULES`.

They are the protected part of `Conversation`, which stands in conversation.py: they use its
fields, and nobody else does. An event without a row changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.clocks import PageClock
from gip_nb.protocol.items import SAMPLES_PER_MS, Item, fill_item, heard_samples
from gip_nb.protocol.turns import ENDED, Commit, Response
from gip_nb.protocol.usage import usage_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.turns import Direction, SpeechEnd

__all__ = ["RULES"]


def _on_session(c: Conversation, e: Event, _at_s: float) -> None:
    session = e.part("session")
    if session:
        c.session = session
        c.session_id = _string(session.get("id")) or c.session_id
        c.model = _string(session.get("model")) or c.model


def _on_append(c: Conversation, e: Event, at_s: float) -> None:
    if e.audio:
        c._appended_samples.append(c._appended_samples[-1] + len(e.audio) // 2)
        c._appended_s.append(at_s)


def _on_commit_sent(c: Conversation, e: Event, at_s: float) -> None:
    end = c._appended_samples[-1]
    c._manual.append(Commit(e.text("event_id"), c._committed_samples, end, at_s))
    c._committed_samples = end


def _on_error(c: Conversation, e: Event, _at_s: float) -> None:
    """A commit that the server refused took nothing: its audio belongs to the next one."""
    caused_by = _string(e.part("error").get("event_id"))
    for commit in c._manual:
        if commit.event_id == caused_by:
            c._manual.remove(commit)
            c._committed_samples = min(c._committed_samples, commit.start)
            return


def _on_clear_sent(c: Conversation, _e: Event, _at_s: float) -> None:
    c._committed_samples = c._appended_samples[-1]


def _on_speech_started(c: Conversation, e: Event, _at_s: float) -> None:
    if e.item_id is not None:
        item = c.item(e.item_id)
        item.role = "user"
        item.audio_start_ms = e.whole("audio_start_ms")


def _on_speech_stopped(c: Conversation, e: Event, at_s: float) -> None:
    if e.item_id is None:
        return
    item = c.item(e.item_id)
    item.audio_end_ms = e.whole("audio_end_ms")
    silence_ms = (c.turn_detection or {}).get("silence_duration_ms")
    end_s = None
    if item.audio_end_ms is not None and isinstance(silence_ms, int | float):
        end_s = c.real_time_of(item.audio_end_ms - silence_ms)
    # Semantic turn detection names no silence: then the event itself is the best there is.
    found: tuple[float, SpeechEnd] = (at_s, "speech_stopped") if end_s is None else (min(end_s, at_s), "vad")
    c._speech_end[e.item_id] = found
    if e.item_id in c._committed and item.turn is not None:
        # Some servers tell the end after the commit.
        c.turns[item.turn - 1].spoken_until(*found)
        _measure(c, item)


def _on_committed(c: Conversation, e: Event, at_s: float) -> None:
    if e.item_id is None or e.item_id in c._committed:
        return
    c._committed.add(e.item_id)
    item = c.item(e.item_id)
    item.role, item.spoken = "user", True
    item.connection = c.connection
    turn = c._user_turn(item, at_s)
    turn.spoken_until(*c._speech_end.get(e.item_id, (at_s, "commit")))
    if item.audio_start_ms is None and c._manual:
        commit = c._manual.pop(0)
        item.audio_start_ms, item.audio_end_ms = commit.start // SAMPLES_PER_MS, commit.end // SAMPLES_PER_MS
        turn.spoken_until(commit.at_s, "commit")
    _measure(c, item)
    c._place(e.item_id, e.text("previous_item_id") or None)


def _measure(c: Conversation, item: Item) -> None:
    """How long the user spoke, and up to where the input is used up."""
    if item.audio_end_ms is None:
        return
    end = min(item.audio_end_ms * SAMPLES_PER_MS, c._appended_samples[-1])
    c._committed_samples = max(c._committed_samples, end)
    if item.audio_start_ms is not None:
        item.audio_ms = float(max(0, item.audio_end_ms - item.audio_start_ms))


def _on_item_sent(c: Conversation, e: Event, at_s: float) -> None:
    source = e.part("item")
    if e.item_id is None or e.item_id in c.items:
        return
    item = c.item(e.item_id)
    fill_item(item, source)
    item.status = "in_progress"
    c._unconfirmed.append(e.item_id)
    if _opens_turn(item):
        c._user_turn(item, at_s).spoken_until(at_s, "text")
    elif c.turns and item.role != "system":
        c._claim(item, c.turns[-1])
    after = e.text("previous_item_id")
    c._place(e.item_id, None if after == "root" else after or None, first=after == "root")


def _on_item_added(c: Conversation, e: Event, at_s: float) -> None:
    if e.item_id is None:
        return
    known = e.item_id in c._unconfirmed
    if known:
        c._unconfirmed.remove(e.item_id)
    elif e.item_id not in c.items:
        _adopt_name(c, e)
    item = c.item(e.item_id)
    fill_item(item, e.part("item"))
    if e.type == "conversation.item.done" or item.role in {"user", "system"}:
        item.status = _string(e.part("item").get("status")) or "completed"
    if item.turn is None and _opens_turn(item):
        # What was spoken may be told before its commit is.
        how: SpeechEnd = "commit" if item.spoken else "text"
        c._user_turn(item, at_s).spoken_until(*c._speech_end.get(e.item_id, (at_s, how)))
    elif item.turn is None and c.turns and item.role != "system":
        c._claim(item, c.turns[-1])
    c._place(e.item_id, e.text("previous_item_id") or None)


def _adopt_name(c: Conversation, e: Event) -> None:
    """A server may give an item of ours another id: then ours takes that name, or it would count twice."""
    source = e.part("item")
    for ours in c._unconfirmed:
        mine = c.items[ours]
        if mine.role == source.get("role") and mine.type == source.get("type") and mine.says_the_same(source):
            _rename(c, ours, e.item_id or ours)
            return


def _rename(c: Conversation, ours: str, new_id: str) -> None:
    c._unconfirmed.remove(ours)
    c.renamed[ours] = new_id
    c.items[new_id] = c.items.pop(ours)
    c.items[new_id].item_id = new_id
    for names in (c.order, *c._orphans.values(), *(turn.item_ids for turn in c.turns)):
        names[:] = [new_id if i == ours else i for i in names]
    for item in c.items.values():
        if item.after == ours:
            item.after = new_id


def _on_item_deleted(c: Conversation, e: Event, _at_s: float) -> None:
    if e.item_id in c.items:
        c.items[e.item_id].deleted = True
    for names in (c.order, c._unconfirmed):
        if e.item_id in names:
            names.remove(e.item_id)


def _on_truncate_sent(c: Conversation, e: Event, _at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is not None:
        item.heard_ms = float(e.whole("audio_end_ms") or 0)
        _mark_interrupted(c, item)


def _on_delete_sent(c: Conversation, e: Event, _at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is not None and item.playback_cut:
        item.heard_ms = 0.0
        _mark_interrupted(c, item)


def _mark_interrupted(c: Conversation, item: Item) -> None:
    item.interrupted = True
    if item.turn is not None:
        c.turns[item.turn - 1].interrupted = True


def _on_transcript_delta(c: Conversation, e: Event, _at_s: float) -> None:
    # What comes after the whole transcript is part of it.
    if e.item_id is not None and not c.item(e.item_id).transcribed:
        c.item(e.item_id).add_text(e.whole("content_index") or 0, e.text("delta"))


def _on_transcript_done(c: Conversation, e: Event, _at_s: float) -> None:
    if e.item_id is not None:
        item = c.item(e.item_id)
        item.set_text(e.whole("content_index") or 0, e.text("transcript"))
        item.transcribed = True


def _on_transcript_failed(c: Conversation, e: Event, _at_s: float) -> None:
    if e.item_id is not None:
        item = c.item(e.item_id)
        item.transcribed = True
        item.problem = _string(e.part("error").get("message")) or "transcription failed"


def _on_response_created(c: Conversation, e: Event, at_s: float) -> None:
    if e.response_id is None:
        return
    response = c._response(e.response_id, at_s)
    response.created_s = at_s
    metadata = e.part("response").get("metadata")
    response.metadata = metadata if isinstance(metadata, dict) else None


def _on_response_done(c: Conversation, e: Event, at_s: float) -> None:
    source = e.part("response")
    response = c._response(e.response_id or _unnamed(c), at_s)
    c.last_done = response.response_id
    if response.done_s is not None:
        # Some servers say it twice; it is billed once.
        return
    turn = c.turns[response.turn - 1]
    response.done_s = at_s
    status = _string(source.get("status")) or "completed"
    response.status = status if status in ENDED else "completed"
    details = source.get("status_details")
    if isinstance(details, dict):
        response.reason = _string(details.get("reason")) or _string(details.get("type"))
        error = details.get("error")
        if isinstance(error, dict):
            response.error = _string(error.get("message")) or _string(error.get("code"))
    _fold_output(c, response, source)
    for item in (c.items[i] for i in response.item_ids):
        # Some servers never say that an item is done; its response's end says it.
        if item.status == "in_progress":
            item.status = "completed" if response.status == "completed" else "incomplete"
    if response.reason in {"turn_detected", "client_cancelled"}:
        turn.interrupted = True
    response.usage = usage_of(source)
    turn.requests += 1
    turn.usage = turn.usage + response.usage
    turn.billed_model = c.model
    c.requests += 1


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
            c._place(one["id"], None)


def _on_output_item(c: Conversation, e: Event, at_s: float) -> None:
    item = c._answer_item(e, at_s)
    if item is not None:
        fill_item(item, e.part("item"))
        if e.type == "response.output_item.done":
            item.status = _string(e.part("item").get("status")) or "completed"


def _on_answer_text(c: Conversation, e: Event, at_s: float) -> None:
    item = c._answer_item(e, at_s)
    if item is not None:
        item.add_text(e.whole("content_index") or 0, e.text("delta"))


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
    item.generated_samples += len(e.audio) // 2
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
    item.arguments = e.text("arguments") if e.type.endswith(".done") else item.arguments + e.text("delta")


def _on_playback(c: Conversation, e: Event, _at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is None:
        return
    played = e.whole("played_samples") or 0
    item.played_samples = max(item.played_samples or 0, played)
    item.heard_ms = max(item.heard_ms or 0.0, min(played, item.generated_samples) / SAMPLES_PER_MS)


def _on_playback_started(c: Conversation, e: Event, at_s: float) -> None:
    _on_playback(c, e, at_s)
    item = c.items.get(e.item_id or "")
    clock = c.clocks.get(e.text("page"))
    page_ms, latency_ms = e.fields.get("page_ms"), e.fields.get("output_latency_ms")
    if item is None or item.turn is None or clock is None or not isinstance(page_ms, int | float):
        # A message's arrival says nothing of sound.
        return
    if e.whole("played_samples"):
        # Another page goes on with it.
        return
    # What leaves the worklet is in the air so much later.
    latency_ms = max(0.0, float(latency_ms)) if isinstance(latency_ms, int | float) else 0.0
    sounded_s = clock.to_log_s(page_ms + latency_ms)
    turn = c.turns[item.turn - 1]
    if turn.first_sound_s is None:
        turn.first_sound_s = sounded_s


def _on_clock(c: Conversation, e: Event, _at_s: float) -> None:
    times = [t for t in map(e.fields.get, ("asked_s", "answered_s", "page_ms")) if isinstance(t, int | float)]
    if len(times) == 3:  # noqa: PLR2004 - the three of the line above
        c.clocks.setdefault(e.text("page"), PageClock()).observe(*times)


def _on_captured(c: Conversation, e: Event, _at_s: float) -> None:
    samples, page_ms = e.whole("appended_samples"), e.fields.get("page_ms")
    if samples is not None and isinstance(page_ms, int | float):
        c._captured.append((samples, e.text("page"), float(page_ms)))


def _on_flushed(c: Conversation, e: Event, _at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is None:
        return
    response = c.responses.get(item.response_id or "")
    # An answer may be whole before its response is said to be.
    generating = response is not None and response.active and item.status == "in_progress"
    item.played_samples = e.whole("played_samples") or 0
    latency_ms = e.fields.get("output_latency_ms")
    latency_ms = float(latency_ms) if isinstance(latency_ms, int | float) else 0.0
    heard = heard_samples(item, item.played_samples, latency_ms, generating=generating)
    item.heard_ms = heard / SAMPLES_PER_MS
    item.playback_cut = generating or heard < item.generated_samples
    if item.playback_cut:
        _mark_interrupted(c, item)


def _on_connection_opened(c: Conversation, e: Event, _at_s: float) -> None:
    c.reset_input()
    c.connection += 1
    c.model = e.text("model") or c.model


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


RULES: dict[tuple[Direction, str], Callable[[Conversation, Event, float], None]] = {
    ("local", "local.connection.opened"): _on_connection_opened,
    ("local", "local.clock"): _on_clock,
    ("local", "local.mic.captured"): _on_captured,
    ("local", "local.playback.started"): _on_playback_started,
    ("local", "local.playback.position"): _on_playback,
    ("local", "local.playback.ended"): _on_playback,
    ("local", "local.playback.flushed"): _on_flushed,
    ("sent", "input_audio_buffer.append"): _on_append,
    ("sent", "input_audio_buffer.commit"): _on_commit_sent,
    ("sent", "input_audio_buffer.clear"): _on_clear_sent,
    ("sent", "conversation.item.create"): _on_item_sent,
    ("sent", "conversation.item.truncate"): _on_truncate_sent,
    ("sent", "conversation.item.delete"): _on_delete_sent,
    ("received", "error"): _on_error,
    ("received", "session.created"): _on_session,
    ("received", "session.updated"): _on_session,
    ("received", "input_audio_buffer.speech_started"): _on_speech_started,
    ("received", "input_audio_buffer.speech_stopped"): _on_speech_stopped,
    ("received", "input_audio_buffer.committed"): _on_committed,
    ("received", "conversation.item.added"): _on_item_added,
    ("received", "conversation.item.created"): _on_item_added,
    ("received", "conversation.item.done"): _on_item_added,
    ("received", "conversation.item.retrieved"): _on_item_added,
    ("received", "conversation.item.deleted"): _on_item_deleted,
    ("received", "conversation.item.input_audio_transcription.delta"): _on_transcript_delta,
    ("received", "conversation.item.input_audio_transcription.completed"): _on_transcript_done,
    ("received", "conversation.item.input_audio_transcription.failed"): _on_transcript_failed,
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


def _opens_turn(item: Item) -> bool:
    return item.type == "message" and item.role == "user"
