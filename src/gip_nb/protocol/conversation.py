"""The conversation as the events tell it: items in their order, responses, turns.

One reducer, two users: the live client keeps one to act on, and the tables rebuild one from the log. So the
tables of a live session, of a closed one and of a loaded recording cannot differ. It never raises: whatever a
server sends is folded in as far as it makes sense.

`reduce` changes the conversation in place and returns it: an hour of talk is thousands of items, and copying
them for each of fifty events a second would cost more than everything else here together.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from gip_nb.protocol.audio_formats import PCM16
from gip_nb.protocol.clocks import MARK_SAMPLES, PageClock
from gip_nb.protocol.conversation_rules import RULES
from gip_nb.protocol.items import SAMPLES_PER_MS, Item, heard_text
from gip_nb.protocol.local_rules import LOCAL_RULES
from gip_nb.protocol.prices import PACKAGED
from gip_nb.protocol.reused_ids import free_item_id
from gip_nb.protocol.turns import Commit, Direction, Response, SpeechEnd, Turn, Untaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.usage import Billed

__all__ = ["SAMPLES_PER_MS", "Conversation", "Direction", "Item", "Response", "Turn", "heard_text", "reduce"]

# A server says no soon, if it does.
_MOST_UNDONE = 64


class Conversation:
    """Items, responses and turns so far. Not thread-safe: each user keeps its own.

    Attributes:
        items: by item id, in order of arrival; deleted ones stay, marked.
        order: ids of the items there are, in the conversation's order.
        responses: by response id.
        turns: in order; `turn` numbers count from 1.
        session: the newest canonical session that the server told.
        renamed: ids that we gave to items, and the ids that the server gave them instead.
        clocks: by page, its clock beside the log's.
        input_format, output_format: of the audio on the wire.
        model: the session's, as the server told it last; until then as it was asked for.
        asked_model: the one that this side asked for, by the name that it has for it.
        transcription_model: the one that writes down the user's words, or did last; empty where none is told.
        prices: what tokens cost: the packaged table, with the user's rows over it where the log has any.
        billed: all that the server bills, in the order in which it was told: each `response.done`, once, and
            each transcription that tells its usage.
        last_done: the response that the newest `response.done` ended, also where that named none.
    """

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.order: list[str] = []
        self.responses: dict[str, Response] = {}
        self.turns: list[Turn] = []
        self.session: dict[str, Any] = {}
        self.session_id: str | None = None
        self.model = self.asked_model = self.transcription_model = ""
        self.prices = PACKAGED
        self.billed: list[Billed] = []
        self.requests = 0
        self.connection = 0
        self.renamed: dict[str, str] = {}
        self.last_done: str | None = None
        self.clocks: dict[str, PageClock] = {}
        self.input_format = self.output_format = PCM16
        # The time of the event that is being folded in.
        self._now_s = 0.0
        # The newest update that changed them, and what they were.
        self._formats_before = ("", PCM16, PCM16)
        self._undo: dict[str, Callable[[], None]] = {}
        self._most_undone = _MOST_UNDONE
        # Items that are about to be sent, and only restore an earlier talk.
        self._history_ids: set[str] = set()
        # Items that this connection's server was given again, and in which words; they were known before.
        self._given_again: dict[str, str] = {}
        # Of these: they are being deleted, and made again in fewer words.
        self._remade: set[str] = set()
        # Of responses that were asked for beside the conversation: their metadata.
        self._asked_beside: list[dict[str, Any] | None] = []
        self._orphans: dict[str, list[str]] = {}
        self._unconfirmed: list[str] = []
        # Of this connection: samples appended so far, and when (ascending), to find real times of audio
        # positions.
        self._appended_samples = array("q", [0])
        self._appended_s = array("d", [0.0])
        self._input_rest_bytes = 0
        # Of this connection: the input's sample that was captured then, on that page's clock.
        self._captured: list[tuple[int, str, float]] = []
        # Of the microphone's sound since the newest turn: milliseconds that never came, and that came late.
        self._lost_audio_ms = self._late_audio_ms = 0.0
        self._speech_end: dict[str, tuple[float, SpeechEnd]] = {}
        self._speech_stopped_s: dict[str, float] = {}
        self._committed: set[str] = set()
        # What was transcribed, and billed for it: item and part.
        self._transcribed: set[tuple[str, int]] = set()
        # Where the audio of a manual commit begins and ends: what was appended since the commit (or clear)
        # before it, the server's own commits included.
        self._committed_samples = 0
        self._manual: list[Commit] = []

    def reset_input(self) -> None:
        """A new connection: its audio time starts at zero."""
        self._appended_samples = array("q", [0])
        self._appended_s = array("d", [0.0])
        self._input_rest_bytes = 0
        self._captured.clear()
        self._committed_samples = 0
        self._manual.clear()
        self._unconfirmed.clear()

    # ---- reading -------------------------------------------------------------------------------------------

    @property
    def current_turn(self) -> Turn | None:
        """The turn that is open: the last one."""
        return self.turns[-1] if self.turns else None

    @property
    def turn_detection(self) -> dict[str, Any] | None:
        """The turn detection that the server has in force, None for push to talk (or not told)."""
        return self._input_setting("turn_detection")

    def _input_setting(self, name: str) -> dict[str, Any] | None:
        found: object = self.session
        for part in ("audio", "input", name):
            found = found.get(part) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else None

    def ordered(self) -> list[Item]:
        """The items that there are, in the conversation's order."""
        return [self.items[item_id] for item_id in self.order]

    def call(self, call_id: str | None) -> Item | None:
        """The function call with this `call_id`."""
        calls = (i for i in reversed(self.items.values()) if i.type == "function_call")
        return next((i for i in calls if i.call_id == call_id), None) if call_id is not None else None

    @property
    def transcribes(self) -> bool:
        """Whether the server was asked to write down the user's words."""
        return self._input_setting("transcription") is not None

    @property
    def untaken(self) -> Untaken:
        """The input of this connection that its server has not taken."""
        commits = tuple(self._manual)
        start = min([self._committed_samples, *(commit.start for commit in commits)])
        end = self._appended_samples[-1]
        said_from = end if self.turn_detection is not None and not commits else start
        for item in self.items.values():
            if item.connection == self.connection and self.is_being_heard(item):
                said_from = min(said_from, (item.audio_start_ms or 0) * SAMPLES_PER_MS)
        return Untaken(start, end, max(start, said_from), commits)

    def is_being_heard(self, item: Item) -> bool:
        """Whether the server has begun to hear this utterance, and has not committed it."""
        begun = item.role == "user" and item.audio_start_ms is not None
        return begun and item.item_id not in self._committed and not item.deleted

    def words_given_again(self, item_id: str) -> str | None:
        """In which words this connection's server has an item of before, None where it was not given it."""
        return self._given_again.get(item_id)

    def is_there(self, item_id: str) -> bool:
        """Whether this connection's server has it: it was told of, or given again, on this one."""
        item = self.items.get(item_id)
        told = item is not None and item.connection == self.connection and not item.deleted
        return told or item_id in self._given_again

    def was_given_again(self, item_id: str) -> bool:
        """Whether this connection's server has it as text that restores it, whatever it was before."""
        return item_id in self._given_again

    def turn_of(self, response_id: str | None, item_id: str | None) -> int | None:
        """The turn that an event with these ids belongs to."""
        if response_id is not None and response_id in self.responses:
            return self.responses[response_id].turn
        if item_id is not None and item_id in self.items:
            return self.items[item_id].turn
        return None

    def answer_format(self, item_id: str | None) -> AudioFormat:
        """Of an answer's audio on the wire: a session may change its format while one is being given."""
        item = self.items.get(item_id or "")
        response = self.responses.get(item.response_id or "") if item is not None else None
        return self.output_format if response is None else response.output_format

    def texts(self, turn: Turn, role: str) -> str:
        """What `role` said in `turn`, its items joined."""
        return " ".join(t for i in self._said(turn, role) if (t := i.text.strip()))

    def heard(self, turn: Turn) -> str:
        """What the user heard of the assistant's words in `turn`, an estimate where it was cut."""
        return " ".join(t for i in self._said(turn, "assistant") if (t := heard_text(i).strip()))

    def _said(self, turn: Turn, role: str) -> list[Item]:
        found = [self.items[i] for i in turn.item_ids]
        return [i for i in found if i.type == "message" and i.role == role]

    # ---- writing -------------------------------------------------------------------------------------------

    def apply(self, event: Event, direction: Direction, at_s: float = 0.0) -> None:
        """Fold one event in.

        Args:
            event: canonical.
            direction: who spoke: `sent` by this client, `received` from the server, `local` for this
                package's own rows.
            at_s: when, in seconds on the log's clock.
        """
        self._now_s = at_s
        rule = LOCAL_RULES.get(event.type) if direction == "local" else RULES.get((direction, event.type))
        if rule is not None:
            rule(self, event, at_s)
        if direction == "received" and event.type.startswith(("response.", "conversation.item.")):
            self._note_event_of(event.response_id, at_s)

    # The three kinds of event that make up nearly all of a log, for whoever folds many at once. Each does
    # what `apply` would for as many events, without an `Event`; the answers' only where they are asked first.

    def append_audio(self, pieces: Iterable[tuple[int, float]]) -> None:
        """Audio was sent to the input buffer: bytes of the wire, and when, in seconds."""
        samples, rest_bytes = self._appended_samples[-1], self._input_rest_bytes
        sample_bytes, samples_each = self.input_format.sample_bytes, self.input_format.samples_each
        add_samples, add_time = self._appended_samples.append, self._appended_s.append
        for wire_bytes, at_s in pieces:
            if wire_bytes:
                # A piece may end within a sample: the next one has the rest of it.
                whole, rest_bytes = divmod(rest_bytes + wire_bytes, sample_bytes)
                samples += whole * samples_each
                add_samples(samples)
                add_time(at_s)
        self._input_rest_bytes = rest_bytes

    def may_add_audio(self, response_id: str, item_id: str, content_index: int) -> bool:
        """Whether audio for this content part would plainly be a further piece of a known answer."""
        item, response = self.items.get(item_id), self.responses.get(response_id)
        if item is None or response is None or item.response_id != response_id or not item.audio_bytes:
            return False
        turn = self.turns[response.turn - 1]
        begun = response.first_audio_s is not None and turn.first_audio_s is not None
        return begun and item.audio_index == content_index and item.turn == turn.turn

    def add_answer_audio(self, response_id: str, item_id: str, wire_bytes: int, at_s: float) -> None:
        """So much audio of an answer came, the last of it then. Only where `may_add_audio`."""
        item, response = self.items[item_id], self.responses[response_id]
        turn = self.turns[response.turn - 1]
        item.last_audio_s = at_s
        turn.ended_s = max(turn.ended_s or at_s, at_s)
        item.audio_bytes += wire_bytes
        item.generated_samples = response.output_format.samples(item.audio_bytes)

    def may_add_text(self, response_id: str, item_id: str) -> bool:
        """Whether text for this item would plainly be a further piece of a known answer."""
        item, response = self.items.get(item_id), self.responses.get(response_id)
        if item is None or response is None or item.response_id != response_id or not item.texts:
            return False
        turn = self.turns[response.turn - 1]
        begun = turn.first_text_s is not None and response.first_text_s is not None
        return item.turn == turn.turn and begun

    def add_answer_text(
        self, response_id: str, item_id: str, pieces: Iterable[tuple[int, str]], last_s: float
    ) -> int:
        """Further text of an answer came, the last of it then. Only where `may_add_text`.

        Args:
            response_id: whose.
            item_id: whose.
            pieces: content index and text.
            last_s: when the last of them came.

        Returns:
            How many were taken: a piece for a part that has none so far is left, and what follows it.
        """
        item, turn = self.items[item_id], self.turns[self.responses[response_id].turn - 1]
        turn.ended_s = max(turn.ended_s or last_s, last_s)
        taken, part = 0, -1
        there: list[str] | None = None
        grows = False
        for index, delta in pieces:
            if index != part:
                part, there, grows = index, item.texts.get(index), item.may_grow(index)
            if there is None or not delta:
                break
            if grows:
                there.append(delta)
            taken += 1
        return taken

    def _note_event_of(self, response_id: str | None, at_s: float) -> None:
        response = self.responses.get(response_id or "")
        turn = self.turns[response.turn - 1] if response is not None else None
        if turn is None:
            return
        if turn.first_event_s is None:
            turn.first_event_s = at_s
        turn.ended_s = at_s

    def _open_turn(self, at_s: float) -> Turn:
        lost_ms, late_ms = self._lost_audio_ms, self._late_audio_ms
        self._lost_audio_ms = self._late_audio_ms = 0.0
        number = len(self.turns) + 1
        turn = Turn(turn=number, started_s=at_s, lost_audio_ms=lost_ms, late_audio_ms=late_ms)
        self.turns.append(turn)
        return turn

    def _the_turn(self, at_s: float) -> Turn:
        return self.turns[-1] if self.turns else self._open_turn(at_s)

    def item(self, item_id: str) -> Item:
        """The item with this id; made, empty, where a server speaks of one that it never announced."""
        found = self.items.get(item_id)
        if found is None:
            found = self.items[item_id] = Item(
                item_id=item_id, added_s=self._now_s, connection=self.connection
            )
        return found

    def _claim(self, item: Item, turn: Turn) -> None:
        if item.turn is None:
            item.turn = turn.turn
            turn.item_ids.append(item.item_id)

    def _may_undo(self, event_id: str, undo: Callable[[], None]) -> None:
        """What was sent by this event is folded in at once, and taken back where the server refuses it."""
        self._undo[event_id] = undo
        if len(self._undo) > self._most_undone:
            del self._undo[next(iter(self._undo))]

    def _look_for_interruptions(self, item: Item) -> None:
        if item.turn is not None:
            turn = self.turns[item.turn - 1]
            turn.interrupted = any(self.items[i].interrupted for i in turn.item_ids)

    def _mark_interrupted(self, item: Item) -> None:
        item.interrupted = True
        if item.turn is not None:
            self.turns[item.turn - 1].interrupted = True

    def _user_turn(self, item: Item, at_s: float) -> Turn:
        """The turn that this utterance opened, opened now if this is the first we hear of it."""
        if item.turn is None:
            self._claim(item, self._open_turn(at_s))
        return self.turns[(item.turn or len(self.turns)) - 1]

    def _place(self, item_id: str, after: str | None, *, first: bool = False) -> None:
        """Put the item where `previous_item_id` says, however late or early that item itself arrives."""
        item = self.items[item_id]
        after = None if after == item_id else after
        if item.deleted or (item_id in self.order and after in {None, item.after}):
            return
        block = self._lift(item_id)
        item.after = after
        if first:
            self.order[:0] = block
        else:
            self._insert(block, after)
        for child in self._orphans.pop(item_id, []):
            # Unless it was told another place meanwhile, or a server makes two items follow each other.
            waits = child in self.order and self.items[child].after == item_id
            if waits and item_id not in (block := self._lift(child)):
                self._insert(block, item_id)
            elif waits:
                self.order += block

    def _lift(self, item_id: str) -> list[str]:
        """Take the item out of the order, together with those that stand where they do because of it."""
        if item_id not in self.order:
            return [item_id]
        start = end = self.order.index(item_id)
        block = {item_id}
        while end + 1 < len(self.order) and self.items[self.order[end + 1]].after in block:
            end += 1
            block.add(self.order[end])
        lifted = self.order[start : end + 1]
        del self.order[start : end + 1]
        return lifted

    def _insert(self, block: list[str], after: str | None) -> None:
        if after is not None and after in self.order:
            at = self.order.index(after) + 1
            self.order[at:at] = block
            return
        self.order += block
        if after is not None:
            self._orphans.setdefault(after, []).append(block[0])

    def _response(self, response_id: str, at_s: float) -> Response:
        found = self.responses.get(response_id)
        if found is None:
            turn = self._the_turn(at_s)
            found = self.responses[response_id] = Response(
                response_id=response_id,
                turn=turn.turn,
                model=self.prices.name_of(self.model, self.asked_model),
                output_format=self.output_format,
                connection=self.connection,
            )
            turn.response_ids.append(response_id)
        return found

    def _answer_item(self, event: Event, at_s: float) -> Item | None:
        """The item that a `response.*` event is about, bound to its response and turn."""
        if event.item_id is None:
            return None
        item = self.item(event.item_id)
        response_id = event.response_id
        if response_id is not None and item.response_id == response_id:
            # As for each of its fifty deltas a second: it is bound, and has its place.
            return item
        if response_id is not None:
            if item.connection != self.connection:
                free_item_id(self, event.item_id)
                item = self.item(event.item_id)
            response = self._response(response_id, at_s)
            item.response_id = response.response_id
            if item.item_id not in response.item_ids:
                response.item_ids.append(item.item_id)
            self._claim(item, self.turns[response.turn - 1])
            item.role = item.role or ("assistant" if item.type == "message" else None)
            if response.beside:
                return item
        self._place(item.item_id, None)
        return item

    def real_time_of(self, audio_ms: float) -> float | None:
        """When the audio at this position was spoken, on the log's clock, seconds; None if not known.

        By the time at which the microphone took it, where a page said so; else by when it was sent.
        """
        samples = max(0.0, audio_ms) * SAMPLES_PER_MS
        captured = self._capture_time(samples)
        if captured is not None:
            return captured
        index = bisect_right(self._appended_samples, samples) - 1
        if index + 1 >= len(self._appended_s):
            return self._appended_s[-1] if len(self._appended_s) > 1 else None
        # A frame leaves when its last sample is taken: count back from there.
        end = self._appended_samples[index + 1]
        return self._appended_s[index + 1] - (end - samples) / (SAMPLES_PER_MS * 1000)

    def capture_error_ms(self, audio_ms: float) -> float | None:
        """How wrong `real_time_of` may be there for the page's clock; None where it does not rest on it."""
        found = self._capture_mark(max(0.0, audio_ms) * SAMPLES_PER_MS)
        return None if found is None else found[0].error_ms

    def _capture_time(self, samples: float) -> float | None:
        found = self._capture_mark(samples)
        return None if found is None else found[0].to_log_s(found[1])

    def _capture_mark(self, samples: float) -> tuple[PageClock, float] | None:
        """Whose microphone took this sample, and when on that page's clock."""
        index = bisect_right(self._captured, samples, key=lambda mark: mark[0]) - 1
        if index < 0:
            return None
        marked, page, page_ms = self._captured[index]
        clock = self.clocks.get(page)
        # Marks are a second apart at most: what lies further on did not come from that microphone.
        if clock is None or samples - marked > 2 * MARK_SAMPLES:
            return None
        return clock, page_ms + (samples - marked) / SAMPLES_PER_MS


def reduce(conversation: Conversation, event: Event, direction: Direction, at_s: float = 0.0) -> Conversation:
    """Fold `event` into `conversation`, in place, and give it back."""
    conversation.apply(event, direction, at_s)
    return conversation
