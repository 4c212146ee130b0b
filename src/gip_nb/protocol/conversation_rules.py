"""What each event does to a conversation: one function an event, one row in `RULES`.

They are the protected part of `Conversation`, which stands in conversation.py: they use its
fields, and nobody else does. An event without a row changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.audio_formats import format_of, format_told
from gip_nb.protocol.items import SAMPLES_PER_MS, Item, added_audio, fill_item, is_unheard
from gip_nb.protocol.prices import REHEARSAL
from gip_nb.protocol.response_rules import RESPONSE_RULES, told_text
from gip_nb.protocol.reused_ids import free_item_id, rename_item
from gip_nb.protocol.turns import Commit
from gip_nb.protocol.usage import Billed, tells_usage, transcribed_s, transcription_usage_of

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
        c.session_id = told_text(session.get("id")) or c.session_id
        c.model = told_text(session.get("model")) or c.model
        transcription = c._input_setting("transcription") or {}
        c.transcription_model = told_text(transcription.get("model")) or c.transcription_model
        _take_formats(c, session)


def _on_session_asked(c: Conversation, e: Event, _at_s: float) -> None:
    # What is appended from here on is in the new format already.
    before = (c.input_format, c.output_format)
    _take_formats(c, e.part("session"))
    if before != (c.input_format, c.output_format):
        c._formats_before = (e.text("event_id"), *before)


def _take_formats(c: Conversation, session: dict[str, Any]) -> None:
    told_in, told_out = format_told(session, "input"), format_told(session, "output")
    c.input_format = format_of(told_in) if told_in is not None else c.input_format
    c.output_format = format_of(told_out) if told_out is not None else c.output_format


def _on_append(c: Conversation, e: Event, at_s: float) -> None:
    c.append_audio([(len(e.audio or b""), at_s)])


def _on_commit_sent(c: Conversation, e: Event, at_s: float) -> None:
    end = c._appended_samples[-1]
    c._manual.append(Commit(e.text("event_id"), c._committed_samples, end, at_s))
    c._committed_samples = end


def _on_error(c: Conversation, e: Event, _at_s: float) -> None:
    """What the server refused has not happened.

    A commit took nothing: its audio belongs to the next one. Formats stay what they were, items too.
    """
    caused_by = told_text(e.part("error").get("event_id"))
    undo = c._undo.pop(caused_by or "", None)
    if undo is not None:
        undo()
    if caused_by and caused_by == c._formats_before[0]:
        _, c.input_format, c.output_format = c._formats_before
    for commit in c._manual:
        if commit.event_id == caused_by:
            c._manual.remove(commit)
            c._committed_samples = min(c._committed_samples, commit.start)
            return


def _on_clear_sent(c: Conversation, _e: Event, _at_s: float) -> None:
    c._committed_samples = c._appended_samples[-1]


def _on_speech_started(c: Conversation, e: Event, _at_s: float) -> None:
    if e.item_id is not None:
        free_item_id(c, e.item_id)
        item = c.item(e.item_id)
        item.role = "user"
        item.audio_start_ms = e.whole("audio_start_ms")
        if item.audio_start_ms is not None:
            item.speech_start_s = c.real_time_of(item.audio_start_ms)


def _on_speech_stopped(c: Conversation, e: Event, at_s: float) -> None:
    if e.item_id is None:
        return
    item = c.item(e.item_id)
    item.audio_end_ms = e.whole("audio_end_ms")
    c._speech_stopped_s[e.item_id] = at_s
    silence_ms = (c.turn_detection or {}).get("silence_duration_ms")
    end_s = None
    if item.audio_end_ms is not None and isinstance(silence_ms, int | float):
        end_s = c.real_time_of(item.audio_end_ms - silence_ms)
    # Semantic turn detection names no silence: then the event itself is the best there is.
    found: tuple[float, SpeechEnd] = (at_s, "speech_stopped") if end_s is None else (min(end_s, at_s), "vad")
    c._speech_end[e.item_id] = found
    if e.item_id in c._committed and item.turn is not None:
        # Some servers tell the end after the commit.
        _end_speech(c, item, *found)
        _measure(c, item)


def _on_committed(c: Conversation, e: Event, at_s: float) -> None:
    free_item_id(c, e.item_id)
    if e.item_id is None or e.item_id in c._committed:
        return
    c._committed.add(e.item_id)
    item = c.item(e.item_id)
    item.role, item.spoken = "user", True
    item.connection = c.connection
    c._user_turn(item, at_s)
    end = c._speech_end.get(e.item_id, (at_s, "commit"))
    if item.audio_start_ms is None and c._manual:
        commit = c._manual.pop(0)
        item.audio_start_ms, item.audio_end_ms = commit.start // SAMPLES_PER_MS, commit.end // SAMPLES_PER_MS
        item.speech_start_s = c.real_time_of(item.audio_start_ms)
        end = (commit.at_s, "commit")
    _end_speech(c, item, *end)
    _measure(c, item)
    c._place(e.item_id, e.text("previous_item_id") or None)


def _end_speech(c: Conversation, item: Item, at_s: float, how: SpeechEnd) -> None:
    """This utterance, which opened a turn, ended then."""
    turn = c._user_turn(item, at_s)
    turn.spoken_until(at_s, how)
    item.speech_end_s = at_s
    turn.speech_stopped_s = c._speech_stopped_s.get(item.item_id)
    if item.audio_end_ms is not None:
        turn.rests_on_clock(c.capture_error_ms(item.audio_end_ms))


def _on_idle_timeout(c: Conversation, e: Event, at_s: float) -> None:
    """The server takes the user's silence for a turn."""
    if e.item_id is None:
        return
    item = c.item(e.item_id)
    item.role = "user"
    item.audio_start_ms, item.audio_end_ms = e.whole("audio_start_ms"), e.whole("audio_end_ms")
    c._speech_end[e.item_id] = (at_s, "speech_stopped")


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
    if e.item_id is not None and c.was_given_again(e.item_id):
        _give_again(c, e, e.item_id)
    if e.item_id is None or e.item_id in c.items:
        return
    item = c.item(e.item_id)
    fill_item(item, source)
    item.restored = e.item_id in c._history_ids
    sound = b"" if item.restored else added_audio(source)
    item.audio_ms = c.input_format.samples(len(sound)) / SAMPLES_PER_MS if sound else None
    item.status = "in_progress"
    c._unconfirmed.append(e.item_id)
    if _opens_turn(item):
        c._user_turn(item, at_s).spoken_until(at_s, "text")
    elif _joins_turn(c, item):
        c._claim(item, c.turns[-1])
    _put(c, e.item_id, e.text("previous_item_id"))
    c._may_undo(e.text("event_id"), lambda: _forget_item(c, item))


def _give_again(c: Conversation, e: Event, item_id: str) -> None:
    """An item of an earlier connection: it stays what it was, whatever this server is given for it."""
    sent = Item(item_id="")
    fill_item(sent, e.part("item"))
    if c._given_again[item_id]:
        # Its deletion is on the way, and is none.
        c._remade.add(item_id)
    c._given_again[item_id] = sent.text
    c._unconfirmed.append(item_id)
    c._may_undo(e.text("event_id"), lambda: _note_refusal(c, c.items[item_id]))


def _note_refusal(c: Conversation, item: Item) -> None:
    c._given_again.pop(item.item_id, None)
    c._remade.discard(item.item_id)
    item.problem = "the server did not take it back after a lost connection"


def _forget_item(c: Conversation, item: Item) -> None:
    """The server did not take it: it stays to be looked at, and is in no conversation and opens no turn."""
    item.deleted, item.status, item.problem = True, "incomplete", "the server refused it"
    for names in (c.order, c._unconfirmed):
        if item.item_id in names:
            names.remove(item.item_id)
    turn = c.turns[item.turn - 1] if item.turn is not None else None
    if turn is not None and turn is c.turns[-1] and turn.item_ids == [item.item_id] and not turn.response_ids:
        c.turns.pop()
        item.turn = None


def _put(c: Conversation, item_id: str, after: str) -> None:
    c._place(item_id, None if after == "root" else after or None, first=after == "root")


def _on_item_added(c: Conversation, e: Event, at_s: float) -> None:
    if e.item_id is None:
        return
    known = e.item_id in c._unconfirmed
    if known:
        c._unconfirmed.remove(e.item_id)
    elif e.item_id not in c.items:
        _adopt_name(c, e)
    if c.was_given_again(e.item_id):
        item = c.item(e.item_id)
        item.status = "completed" if item.status == "in_progress" else item.status
        return
    item = c.item(e.item_id)
    fill_item(item, e.part("item"))
    if e.type == "conversation.item.done" or item.role in {"user", "system"}:
        item.status = told_text(e.part("item").get("status")) or "completed"
    if item.turn is None and _opens_turn(item):
        # What was spoken may be told before its commit is.
        how: SpeechEnd = "commit" if item.spoken else "text"
        c._user_turn(item, at_s).spoken_until(*c._speech_end.get(e.item_id, (at_s, how)))
    elif item.turn is None and _joins_turn(c, item):
        c._claim(item, c.turns[-1])
    # Some servers say `root` back.
    _put(c, e.item_id, e.text("previous_item_id"))


def _adopt_name(c: Conversation, e: Event) -> None:
    """A server may give an item of ours another id: then ours takes that name, or it would count twice."""
    source = e.part("item")
    for ours in c._unconfirmed:
        mine = c.items[ours]
        same = mine.says_the_same(source, c._given_again.get(ours))
        if mine.role == source.get("role") and mine.type == source.get("type") and same:
            _rename(c, ours, e.item_id or ours)
            return


def _rename(c: Conversation, ours: str, new_id: str) -> None:
    c._unconfirmed.remove(ours)
    c.renamed[ours] = new_id
    if ours in c._given_again:
        c._given_again[new_id] = c._given_again.pop(ours)
    rename_item(c, ours, new_id)


def _on_item_deleted(c: Conversation, e: Event, _at_s: float) -> None:
    if e.item_id in c._remade:
        # In its place stands what was heard of it.
        c._remade.discard(e.item_id)
        return
    if e.item_id in c.items:
        c.items[e.item_id].deleted = True
    for names in (c.order, c._unconfirmed):
        if e.item_id in names:
            names.remove(e.item_id)


def _on_truncate_sent(c: Conversation, e: Event, _at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is not None:
        heard_ms, interrupted = item.heard_ms, item.interrupted
        item.heard_ms = float(e.whole("audio_end_ms") or 0)
        c._mark_interrupted(item)

        def undo() -> None:
            item.heard_ms, item.interrupted = heard_ms, interrupted
            c._look_for_interruptions(item)

        # One that follows an interruption says what was heard, whatever the server makes of it.
        if not item.playback_cut:
            c._may_undo(e.text("event_id"), undo)


def _on_truncated(c: Conversation, e: Event, _at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is not None and item.heard_ms is None:
        # Somebody else's truncation: a conversation may have more than one client.
        item.heard_ms = float(e.whole("audio_end_ms") or 0)
        c._mark_interrupted(item)


def _on_delete_sent(c: Conversation, e: Event, _at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is not None and is_unheard(item):
        item.heard_ms = 0.0
        c._mark_interrupted(item)


def _on_transcript_delta(c: Conversation, e: Event, _at_s: float) -> None:
    # What comes after the whole transcript is part of it.
    if e.item_id is not None and not c.item(e.item_id).transcribed:
        c.item(e.item_id).add_text(e.whole("content_index") or 0, e.text("delta"))


def _on_transcript_done(c: Conversation, e: Event, at_s: float) -> None:
    if e.item_id is not None:
        item = c.item(e.item_id)
        item.set_text(e.whole("content_index") or 0, e.text("transcript"))
        item.transcribed = True
        _bill_transcript(c, e, item, at_s)


def _bill_transcript(c: Conversation, e: Event, item: Item, at_s: float) -> None:
    part = (item.item_id, e.whole("content_index") or 0)
    if not e.part("usage") or part in c._transcribed:
        # Not every server tells it, and some tell it twice.
        return
    c._transcribed.add(part)
    billed = Billed(
        kind="transcription",
        at_s=at_s,
        turn=item.turn,
        item_id=item.item_id,
        # The embedded server hears by itself, whichever model it was asked to hear with, and bills nobody.
        model=REHEARSAL if c.asked_model == REHEARSAL else c.transcription_model,
        status="completed",
        usage=transcription_usage_of(e.fields),
        told=tells_usage(e.fields) or transcribed_s(e.fields) is not None,
        audio_s=transcribed_s(e.fields),
    )
    c.billed.append(billed)


def _on_transcript_segment(c: Conversation, e: Event, _at_s: float) -> None:
    # Of models that tell speakers apart; the whole comes too, at the end.
    if e.item_id is not None and not c.item(e.item_id).transcribed:
        item = c.item(e.item_id)
        item.add_text(e.whole("content_index") or 0, (" " if item.text else "") + e.text("text").strip())


def _on_transcript_failed(c: Conversation, e: Event, _at_s: float) -> None:
    if e.item_id is not None:
        item = c.item(e.item_id)
        item.transcribed = True
        item.problem = told_text(e.part("error").get("message")) or "transcription failed"


RULES: dict[tuple[Direction, str], Callable[[Conversation, Event, float], None]] = {
    ("sent", "session.update"): _on_session_asked,
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
    ("received", "input_audio_buffer.timeout_triggered"): _on_idle_timeout,
    ("received", "conversation.item.added"): _on_item_added,
    ("received", "conversation.item.created"): _on_item_added,
    ("received", "conversation.item.done"): _on_item_added,
    ("received", "conversation.item.retrieved"): _on_item_added,
    ("received", "conversation.item.deleted"): _on_item_deleted,
    ("received", "conversation.item.truncated"): _on_truncated,
    ("received", "conversation.item.input_audio_transcription.delta"): _on_transcript_delta,
    ("received", "conversation.item.input_audio_transcription.completed"): _on_transcript_done,
    ("received", "conversation.item.input_audio_transcription.segment"): _on_transcript_segment,
    ("received", "conversation.item.input_audio_transcription.failed"): _on_transcript_failed,
    **RESPONSE_RULES,
}


def _opens_turn(item: Item) -> bool:
    return item.type == "message" and item.role == "user" and not item.restored


def _joins_turn(c: Conversation, item: Item) -> bool:
    return bool(c.turns) and item.role != "system" and not item.restored
