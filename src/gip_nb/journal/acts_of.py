"""Read from a log what its user did."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gip_nb.journal.acts import Act, AddItem, Frame, Interrupt, Respond, Text, Utterance
from gip_nb.journal.answering import Answering
from gip_nb.protocol.audio_formats import Decoder
from gip_nb.protocol.conversation import SAMPLES_PER_MS, Conversation

if TYPE_CHECKING:
    from gip_nb.journal.log import EventLog, Row
    from gip_nb.protocol.frames import Event

__all__ = ["acts_of"]

# A `response.create` that comes so soon after words is for them.
_WITH_IT_S = 1.0


def acts_of(log: EventLog) -> list[Act]:
    """What the user did in this talk, in the order of its beginning.

    What the server refused is none. Audio that turn detection did not hear and nobody committed is left out.

    Args:
        log: of a live, closed or loaded session.
    """
    reader = _Reader()
    for n, row in enumerate(log.rows):
        reader.read(log.event(n), row)
    return sorted((act for act in reader.acts if act is not None), key=lambda act: act.at_s)


class _Reader:
    """Reads rows in their order.

    Attributes:
        acts: so far; None stands where the server refused one.
    """

    def __init__(self) -> None:
        self.acts: list[Act | None] = []
        self._conversation = Conversation()
        self._answering = Answering(self._conversation)
        # By event id, where in `acts` the act stands that it was, and that whose answer it asked for.
        self._act_of: dict[str, int] = {}
        self._asked_for: dict[str, int] = {}
        self._newest_words: int | None = None
        self._restored: set[str] = set()
        self._own_calls: set[str] = set()
        self._own_items = {"root"}
        # The next `response.create` goes on after tools' outputs; those that did, by event id.
        self._follows = False
        self._follow_ups: set[str] = set()
        # Whether a key, and not the server, says where an utterance ends; what it was before each update that
        # is not answered yet, with that one's event id.
        self._by_hand = False
        self._updates: list[tuple[str, bool]] = []
        # Asked again, since the connection was lost over the answer: by event id.
        self._again: set[str] = set()
        # Commits that no server has confirmed, by where their utterance stands in `acts`.
        self._unconfirmed: list[int] = []
        self._samples = 0
        self._frame_starts: list[int] = []
        self._frame_at: list[int] = []
        self._reset_input()

    def _reset_input(self) -> None:
        # Frames of the connection before: the next one may be given the last of them again.
        self._frames_before = [*zip(self._frame_starts, self._frame_at, strict=True)]
        self._samples_before = self._samples
        self._updates.clear()
        self._decoder = Decoder()
        # What was appended by hand and not committed, since when, and whether that was after an answer.
        self._held = bytearray()
        self._held_since: tuple[float, bool] | None = None
        # Of this connection: samples so far, and where each frame begins and stands in `acts`.
        self._samples = 0
        self._frame_starts = []
        self._frame_at = []

    def read(self, event: Event, row: Row) -> None:
        """The next row, and the event that it is."""
        direction, at_s = row.direction, row.elapsed_ns / 1e9
        if direction == "received" and event.type == "input_audio_buffer.speech_started":
            # Before it stops an answer.
            self._mark(event.whole("audio_start_ms"), begins=True)
        self._conversation.apply(event, direction, at_s)
        after_answer = not self._answering.now
        self._answering.apply(event, direction)
        if direction == "sent":
            self._on_sent(event, row, after_answer=after_answer)
        elif direction == "received":
            self._on_received(event)
        elif event.type == "local.connection.opened":
            self._reset_input()
        elif event.type == "local.connection.restored":
            self._on_restored(event)
        elif event.type == "local.history":
            told = event.fields.get("item_ids")
            self._restored |= set(told if isinstance(told, list) else [])

    def _on_restored(self, event: Event) -> None:
        """What comes next was sent before, and not taken: it is done once, and that is then."""
        told = event.fields.get("again_event_ids")
        self._again |= {i for i in told if isinstance(i, str)} if isinstance(told, list) else set()
        first = self._samples_before - (event.whole("resent_samples") or 0)
        for start, at in self._frames_before:
            if start >= first:
                self.acts[at] = None
        for at in self._unconfirmed:
            self.acts[at] = None
        self._unconfirmed.clear()

    # ---- what the client sent ------------------------------------------------------------------------------

    def _on_sent(self, event: Event, row: Row, *, after_answer: bool) -> None:
        at_s = row.elapsed_ns / 1e9
        match event.type:
            case "input_audio_buffer.append" if event.audio is not None:
                self._on_append(event.audio, row, after_answer=after_answer)
            case "input_audio_buffer.commit":
                self._on_commit(event, at_s)
            case "input_audio_buffer.clear":
                self._forget_held()
            case "session.update":
                self._on_update(event)
            case "conversation.item.create":
                self._on_item(event, at_s, after_answer=after_answer)
            case "response.create":
                self._on_respond(event, at_s, after_answer=after_answer)
            case "response.cancel":
                self._add(Interrupt(at_s), event)

    def _add(self, act: Act, event: Event) -> None:
        self._act_of[event.text("event_id")] = len(self.acts)
        self._newest_words = len(self.acts) if isinstance(act, Text | Utterance) else None
        self.acts.append(act)
        self._follows = False

    def _on_append(self, audio: bytes, row: Row, *, after_answer: bool) -> None:
        if self._decoder.format is not self._conversation.input_format:
            self._decoder = Decoder(self._conversation.input_format)
        pcm = self._decoder.decode(audio)
        if self._by_hand:
            self._held_since = self._held_since or (row.elapsed_ns / 1e9, after_answer)
            self._held += pcm
        elif pcm:
            self._frame_starts.append(self._samples)
            self._frame_at.append(len(self.acts))
            self.acts.append(Frame(row.elapsed_ns / 1e9, row if pcm == audio and row.has_audio else pcm))
        self._samples += len(pcm) // 2

    def _on_commit(self, event: Event, at_s: float) -> None:
        self._held += self._decoder.flush()
        if self._by_hand and self._held_since is not None:
            since_s, after_answer = self._held_since
            self._unconfirmed.append(len(self.acts))
            self._add(Utterance(since_s, at_s, bytes(self._held), after_answer=after_answer), event)
        self._forget_held()

    def _forget_held(self) -> None:
        self._held.clear()
        self._held_since = None

    def _on_update(self, event: Event) -> None:
        self._updates.append((event.text("event_id"), self._by_hand))
        given = _input_settings(event.part("session"))
        if "turn_detection" in given:
            # For what is appended from here on: the server takes one after the other.
            self._by_hand = given["turn_detection"] is None

    def _on_item(self, event: Event, at_s: float, *, after_answer: bool) -> None:
        item = event.part("item")
        call_id = event.call_id or ""
        if event.item_id in self._restored:
            return
        if item.get("type") == "function_call":
            self._own_calls.add(call_id)
        elif item.get("type") == "function_call_output" and call_id not in self._own_calls:
            call = self._conversation.call(call_id)
            response = self._conversation.responses.get((call and call.response_id) or "")
            # Of an answer that was broken off, the calls are answered and nothing follows.
            broken_off = response is not None and response.status in {"cancelled", "failed"}
            self._follows = self._follows or not broken_off
            return
        text, previous = _only_text(item), event.text("previous_item_id")
        if text is not None and not previous:
            self._add(Text(at_s, str(item.get("role")), text, after_answer=after_answer), event)
        else:
            after = previous if previous in self._own_items else None
            self._add(AddItem(at_s, item, after, after_answer), event)
            self._own_items.add(event.item_id or "")

    def _on_respond(self, event: Event, at_s: float, *, after_answer: bool) -> None:
        fields, event_id = event.part("response"), event.text("event_id")
        if self._follows:
            self._follows = False
            self._follow_ups.add(event_id)
            return
        at = self._newest_words
        words = self.acts[at] if at is not None else None
        is_beside = fields.get("conversation") == "none"
        if at is not None and isinstance(words, Text | Utterance) and words.respond is None:
            said_s = words.until_s if isinstance(words, Utterance) else words.at_s
            if at_s - said_s <= _WITH_IT_S and not is_beside:
                self.acts[at] = replace(words, respond=fields)
                self._asked_for[event_id] = at
                return
        # What is asked again was asked before, or the server had answered by itself.
        if event_id not in self._again:
            self._add(Respond(at_s, fields, after_answer), event)

    # ---- what the server said ------------------------------------------------------------------------------

    def _on_received(self, event: Event) -> None:
        match event.type:
            case "session.created" | "session.updated":
                self._on_session(event)
            case "input_audio_buffer.speech_stopped":
                self._mark(event.whole("audio_end_ms"), begins=False)
            case "input_audio_buffer.committed":
                self._follows = False
                del self._unconfirmed[:1]
            case "error":
                refused = event.part("error").get("event_id")
                self._on_refused(refused if isinstance(refused, str) else "")

    def _on_session(self, event: Event) -> None:
        if event.type == "session.updated" and self._updates:
            del self._updates[0]
        told = _input_settings(event.part("session"))
        if not self._updates and "turn_detection" in told:
            self._by_hand = told["turn_detection"] is None

    def _on_refused(self, event_id: str) -> None:
        for update in self._updates:
            if update[0] == event_id:
                self._by_hand = update[1]
                self._updates.remove(update)
                return
        if event_id in self._follow_ups:
            # It is asked for again, after the answer that was in its way.
            self._follow_ups.remove(event_id)
            self._follows = True
        asked_for = self._asked_for.pop(event_id, None)
        words = self.acts[asked_for] if asked_for is not None else None
        if asked_for is not None and isinstance(words, Text | Utterance):
            self.acts[asked_for] = replace(words, respond=None)
        at = self._act_of.pop(event_id, None)
        act = self.acts[at] if at is not None else None
        if at is not None:
            self.acts[at] = None
        if isinstance(act, Utterance):
            # Its audio is still in the server's buffer.
            self._held[:0] = act.pcm
            self._held_since = (act.at_s, act.after_answer)

    def _mark(self, audio_ms: int | None, *, begins: bool) -> None:
        """An utterance begins, or ends, at this position of the connection's audio."""
        if audio_ms is None or not self._frame_starts:
            return
        index = max(0, bisect_right(self._frame_starts, audio_ms * SAMPLES_PER_MS) - 1)
        at = self._frame_at[index]
        frame = self.acts[at]
        if not isinstance(frame, Frame):
            return
        if begins:
            self.acts[at] = replace(frame, begins_speech=True, after_answer=not self._answering.now)
        else:
            self.acts[at] = replace(frame, ends_speech=True)


def _input_settings(session: dict[str, Any]) -> dict[str, Any]:
    audio = session.get("audio")
    found = audio.get("input") if isinstance(audio, dict) else None
    return found if isinstance(found, dict) else {}


def _only_text(item: dict[str, Any]) -> str | None:
    """The text of a message that is nothing else; None of any other item."""
    content = item.get("content")
    is_message = item.get("type") == "message" and item.get("role") in {"user", "system", "assistant"}
    if not is_message or not isinstance(content, list) or len(content) != 1:
        return None
    part = content[0]
    text = part.get("text") if isinstance(part, dict) and "text" in str(part.get("type")) else None
    return text if isinstance(text, str) else None
