"""The client's end of the Realtime protocol: what to send, what to play, when to stop.

Pure: events in, outputs out.

The shell (session/) feeds it every event of the server and every wish of the user, and performs what `take()`
gives, in order. All rules of turn-taking are here: one active response at a time, interruption with what was
*heard*, each tool call answered once. Source of the rules: the Realtime API's guides on conversations and on
interruption; where servers differ from them, the comment says so.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from gip_nb.protocol import asked_again, overdue, resumption
from gip_nb.protocol.audio_formats import Encoder, format_of, format_told
from gip_nb.protocol.budget import OVER_BUDGET, Budget
from gip_nb.protocol.client_rules import RULES
from gip_nb.protocol.configuration import Configuration
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.deadlines import Deadlines, Limits
from gip_nb.protocol.held_back import HeldBack
from gip_nb.protocol.kept_input import KeptInput, Sound
from gip_nb.protocol.outputs import (
    BudgetChanged,
    CallsInterrupted,
    Failed,
    ItemChanged,
    Output,
    Send,
    SendAudio,
    TurnDone,
    TurnLabelled,
    Wish,
)
from gip_nb.protocol.playback import Playback
from gip_nb.protocol.requests import ANSWERS, Request, Requests, item_request
from gip_nb.protocol.retries import NEVER, Retry
from gip_nb.protocol.settings_again import SettingsAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gip_nb.protocol.budget import Verdict
    from gip_nb.protocol.conversation import Direction
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Phase

__all__ = ["ClientProtocol"]

# The API takes no utterance under 100 ms.
LEAST_COMMIT_SAMPLES = 2400


class ClientProtocol:
    """One session, one side. Not thread-safe: it lives on the loop.

    Args:
        new_id: makes ids from a prefix (`evt`, `item`).
        player: whether somebody plays the answers and reports positions; may change. An answer that came
            while nobody did counts as heard.
        conversation: what is known already (after a reconnect), else an empty one.
        budget: of this session; without a limit by default.
        retry: how what fails is asked for again; never by default.
        limits: how long responses are waited for; by default those of `Limits`.
        clock: seconds, of any beginning.
        random: gives a float in [0, 1).
    """

    def __init__(
        self,
        new_id: Callable[[str], str],
        *,
        player: bool = True,
        conversation: Conversation | None = None,
        budget: Budget | None = None,
        retry: Retry = NEVER,
        limits: Limits | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        random: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self.player = player
        # Whether another connection follows one that is lost.
        self.resumes = False
        self.budget = budget or Budget()
        self.conversation = conversation or Conversation()
        self._new_id = new_id
        self._outputs: list[Output] = []
        self._queue: deque[tuple[dict[str, Any], Request] | Wish] = deque()
        self._requests = Requests()
        self._playback = Playback(self.conversation, self._emit, self._send)
        self._encoder = Encoder()
        self._asked: Wish | None = None
        self._newest: Wish | None = None
        self._wish_of: dict[str, Wish] = {}
        self._active: str | None = None
        self._ended: set[str] = set()
        self._cancelled: set[str] = set()
        # By event id, the active response that a `response.cancel` was sent for.
        self._cancels: dict[str, str] = {}
        # Responses whose end is waited for no longer: it may still come.
        self._let_go: set[str] = set()
        self._deadlines = Deadlines(clock, limits or Limits())
        self._retries = overdue.Retries(retry, clock, random)
        # Sent by the user as they are, and not begun yet.
        self._asked_raw = 0
        # Ours, that are on their way out.
        self._create_ids: set[str] = set()
        # Asked for beside the conversation, and not begun yet.
        self._asked_beside: list[Wish] = []
        self._awaiting_auto = False
        # The answer that the server begins by itself was interrupted before it began.
        self._auto_unwanted = False
        self._created_since_speech = False
        self._hearing = False
        # A key is held: the user speaks, and nothing is to begin meanwhile.
        self._pressed = False
        # What the server told last: a key ends the user's turn.
        self._by_hand = False
        self._calls: dict[str, str | None] = {}
        self._open_calls: dict[str, set[str]] = {}
        # Responses with a call that the user's interruption has ended: nothing is to be said of its output.
        self._ended_calls: set[str] = set()
        self._turn_reported = 0
        # Samples of this connection's input: all of it, and how far it is committed or cleared.
        self._appended_bytes = 0
        self._used_samples = 0
        self._has_spoken = False
        # What the server's own turn detection would ask for, while the budget forbids it.
        self._held_back = HeldBack()
        # What the session was asked to be, for a connection that comes after this one.
        self._configuration = Configuration()
        self._settings_again = SettingsAgain()
        # While the connection is lost and is to come back (resumption.py): what is said meanwhile; then,
        # while the new one is given the history; and by item, what the lost one had not confirmed.
        self._kept: KeptInput | None = None
        self._resuming: KeptInput | None = None
        self._unconfirmed: dict[str, Request] = {}
        # What the user had sent as it is, and had not gone out.
        self._unsent: list[dict[str, Any]] = []
        # What was said in the gap was sent: so long the server is listened to first (asked_again.py).
        self._listens_until_s: float | None = None

    # ---- reading -------------------------------------------------------------------------------------------

    def take(self) -> list[Output]:
        """What is to be done now, in order; each output is given once."""
        outputs, self._outputs = self._outputs, []
        return outputs

    @property
    def phase(self) -> Phase:
        """What the talk looks like to the user at this moment."""
        if self._hearing:
            return "hearing"
        if self._playback.is_sounding:
            return "speaking"
        if self.answering or self._awaiting_auto or self._open_calls:
            return "thinking"
        return "listening"

    @property
    def answering(self) -> bool:
        """Whether a response is being generated, or asked for, or waits to be asked for again."""
        asked = self._asked is not None and not self._asked.overdue
        waits = self._retries.holds or self._listens_until_s is not None
        return self._active is not None or asked or waits

    @property
    def turn_detection(self) -> dict[str, Any] | None:
        """The turn detection that the server has in force, None for push to talk."""
        return self.conversation.turn_detection

    @property
    def pressed(self) -> bool:
        """Whether a key is held: the user speaks."""
        return self._pressed

    @property
    def appended_samples(self) -> int:
        """Samples appended to this connection's input so far."""
        return self._appended_bytes // 2

    @property
    def uncommitted_samples(self) -> int:
        """Samples appended since the last commit or clear."""
        if self._kept is not None:
            return self._kept.tail_samples
        return self.appended_samples - self._used_samples

    @property
    def away(self) -> bool:
        """Whether the connection is lost and is to come back: nothing is sent, and nothing forgotten."""
        return self._kept is not None

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks, nothing plays, and nothing is being waited for."""
        waits = self._queue or self._open_calls or self._asked_beside
        return self.phase == "listening" and not (waits or self._pressed or self._playback.items)

    @property
    def unanswered(self) -> tuple[Request, ...]:
        """What the server was asked and has not answered: some servers never do."""
        return self._requests.open

    @property
    def configuration(self) -> dict[str, Any]:
        """What the session was asked to be by all updates so far, canonical."""
        return self._configuration.now()

    def waits_its_turn(self, wish: Wish) -> bool:
        """Whether this response is still to be asked for: after the one that is active, or again."""
        return any(q is wish for q in self._queue) or self._retries.waits(wish)

    @property
    def due_s(self) -> float | None:
        """When `tick()` is to be called next, on the clock that was given; None where nothing is due."""
        return overdue.due_s(self)

    @property
    def asks_again(self) -> bool:
        """Whether something that failed waits to be asked for again."""
        return bool(self._retries.pending)

    def tick(self) -> None:
        """Time has passed: ask again, cancel or let go of what is due."""
        overdue.tick(self)

    def ask_no_more(self, wish: Wish) -> None:
        """Nobody waits for this wish any more: where it was to be asked for again, it is not."""
        if overdue.give_up(self, "timed out", wish) or asked_again.nobody_waits(self, wish):
            self._drain()
            self._report_turn()

    @property
    def voice_is_fixed(self) -> bool:
        """Whether the model has spoken on this connection: its voice cannot change any more."""
        return self._has_spoken

    # ---- what the user wants -------------------------------------------------------------------------------

    def append_audio(self, audio: bytes) -> None:
        """Microphone or file audio, PCM16 mono 24 000 Hz."""
        if self._kept is not None:
            self._kept.add(Sound(audio))
            return
        self._appended_bytes += len(audio)
        self._append(self._encoder.encode(audio))

    def keep_audio(self, sound: Sound) -> None:
        """Audio while the connection is lost: it is sent when there is one again, as far as it is kept."""
        if self._kept is not None:
            self._kept.add(sound)

    def _append(self, wire_audio: bytes) -> None:
        if wire_audio:
            self._outputs.append(SendAudio(wire_audio))

    def commit(self, request: Request | None = None) -> Request:
        """The user's utterance ends here (with turn detection off).

        Args:
            request: of a commit that a lost connection has not confirmed.
        """
        self._hearing = self._pressed = False
        if self._kept is not None:
            request = request or Request("input_audio_buffer.commit")
            self._kept.commit(request)
            return request
        self._append(self._encoder.flush())
        self._used_samples = self.appended_samples
        return self._send({"type": "input_audio_buffer.commit"}, request)

    def withdraw(self, commit: Request) -> None:
        """Nobody waits for this utterance any more: if its connection was lost, it is not said again."""
        if self._kept is not None and not commit.done:
            self._kept.withdraw(commit)
            commit.done = True

    def clear(self) -> Request:
        """Forget the audio appended since the last commit."""
        if self._kept is not None:
            self._kept.clear()
        self._append(self._encoder.flush())
        self._used_samples = self.appended_samples
        self._hearing = self._pressed = False
        return self._send({"type": "input_audio_buffer.clear"})

    def press(self) -> None:
        """Push to talk: the user begins to speak, over the answer too."""
        # First: what waits may not begin now.
        self._pressed = True
        self.interrupt()
        if self.uncommitted_samples:
            # What the microphone took before is none of it.
            self.clear()
        self._hearing = self._pressed = True

    def release(self) -> Wish | None:
        """Push to talk: the utterance ends and is to be answered.

        Returns:
            None where it is too short to be one: nothing was sent.
        """
        self._hearing = self._pressed = False
        if self.uncommitted_samples < LEAST_COMMIT_SAMPLES:
            self._drain()
            return None
        self.commit()
        return self.respond()

    def send_text(self, text: str, role: str = "user") -> Request:
        """Add a text message; waits for its turn while a response is active. The request names the item."""
        if role == "user":
            overdue.give_up(self, "went on")
        kind = "output_text" if role == "assistant" else "input_text"
        return self.add_item({"type": "message", "role": role, "content": [{"type": kind, "text": text}]})

    def add_item(self, item: dict[str, Any], previous_item_id: str | None = None) -> Request:
        """Add any item, canonical shape; waits for its turn while a response is active.

        Args:
            item: its `id` is made where it has none.
            previous_item_id: after which; `root` is before all others; None is at the end.
        """
        item_id = str(item.get("id") or self._new_id("item"))
        event: dict[str, Any] = {"type": "conversation.item.create", "item": {**item, "id": item_id}}
        if previous_item_id is not None:
            event["previous_item_id"] = previous_item_id
        request = item_request(event)
        self._queue.append((event, request))
        self._drain()
        return request

    def respond(self, fields: Mapping[str, Any] | None = None) -> Wish:
        """Ask for a response; waits for its turn while one is active.

        Args:
            fields: canonical `response` fields that override the session's. With `conversation: "none"` it
                is no part of the conversation, and waits for none. Where the budget allows none, it fails.
        """
        wish = Wish(fields=dict(fields or {}))
        if wish.fields.get("conversation") == "none":
            self._ask_beside(wish)
            return wish
        overdue.give_up(self, "went on")
        self._queue.append(wish)
        self._drain()
        return wish

    def set_budget(self, limit_usd: float | None) -> None:
        """Another limit to what this session may cost, or none: what it allows again goes on by itself."""
        verdict = self.budget.limit(limit_usd)
        if verdict is not None:
            self._budget_changed(verdict)

    def update(self, session: dict[str, Any]) -> Request:
        """Change the session; canonical fields, only those that change."""
        session = self._held_back.within(session, stops=self.budget.verdict.stops)
        told = format_told(session, "input")
        if told is not None and format_of(told) is not self._encoder.format:
            self._append(self._encoder.flush())
            self._encoder = Encoder(format_of(told))
        request = self._send({"type": "session.update", "session": session})
        request.session = session
        self._configuration.asked(request.event_id, session)
        return request

    def delete(self, item_id: str) -> Request:
        """Delete an item from the server's conversation."""
        return self._send({"type": "conversation.item.delete", "item_id": item_id})

    def retrieve(self, item_id: str) -> Request:
        """Ask for an item as the server has it."""
        return self._send({"type": "conversation.item.retrieve", "item_id": item_id})

    def truncate(self, item_id: str, audio_end_ms: int) -> Request:
        """Let the model forget what it said after this position; never beyond the audio received."""
        item = self.conversation.items.get(item_id)
        index = item.audio_index if item is not None else 0
        return self._send(
            {
                "type": "conversation.item.truncate",
                "item_id": item_id,
                "content_index": index,
                "audio_end_ms": audio_end_ms,
            }
        )

    def send(self, fields: dict[str, Any]) -> None:
        """Any client event as it is, canonical or wire names."""
        self._send(dict(fields))

    def interrupt(self) -> bool:
        """Stop the answer, wherever it is. Returns False where there is nothing to stop."""
        return self._interrupt(server_cancels=False)

    def tool_output(self, call_id: str, output: str, *, follow_up: bool = True) -> bool:
        """Answer a function call.

        When all calls of a response are answered, the next response is asked for: also where the user has
        said something else meanwhile, since nobody has told them the result yet.

        Args:
            call_id: as the model gave it.
            output: what the model reads.
            follow_up: False where the user's interruption has ended the call: nothing is said of it.

        Returns:
            False where it was answered before, or never asked: each gets exactly one output.
        """
        response_id = self._calls.get(call_id)
        if response_id is None:
            return False
        self._calls[call_id] = None
        self.add_item({"type": "function_call_output", "call_id": call_id, "output": output})
        waiting = self._open_calls.get(response_id, set())
        waiting.discard(call_id)
        if not follow_up:
            self._ended_calls.add(response_id)
        if not waiting and self._open_calls.pop(response_id, None) is not None:
            if response_id in self._ended_calls:
                self._end_without_follow_up(response_id)
            else:
                self._follow_up(response_id)
        return True

    @property
    def may_speak_beside(self) -> bool:
        """Whether a word beside the conversation would disturb nobody: it is quiet, and none is asked for."""
        quiet = not (self._hearing or self._pressed or self._playback.is_sounding)
        asked = self.answering or self._awaiting_auto or self._asked_beside or self._queue
        spoken = any(response.active for response in self.conversation.responses.values())
        return quiet and not asked and not spoken and not self.budget.verdict.stops

    # ---- what the player says ------------------------------------------------------------------------------

    def playback(self, event: Event) -> None:
        """The player's own row (`local.playback.*`), as it was logged."""
        before = self.phase
        self._playback.report(event)
        if event.item_id is not None and (event.type == "local.playback.ended" or before != self.phase):
            self._outputs.append(ItemChanged(event.item_id))

    def has_player(self, item_id: str) -> bool:
        """Whether the item was given to a player. One that was not counts as heard when it was received."""
        return self._playback.was_handed(item_id)

    @property
    def cut_items(self) -> tuple[str, ...]:
        """The items whose playback was cut by a `Flush` that the player has not answered yet."""
        return self._playback.cut_items

    @property
    def playing_items(self) -> tuple[str, ...]:
        """The items that the player is at, or has still to play."""
        return self._playback.items

    def stopped(self, rows: Iterable[Event]) -> None:
        """The player stopped for good: note what was heard, and tell nobody."""
        self._playback.stopped(rows)

    def flushed(self, rows: Iterable[Event]) -> None:
        """The player stopped; see `Playback.flushed`."""
        self._playback.flushed(rows)

    # ---- what the server says ------------------------------------------------------------------------------

    def receive(self, event: Event, at_s: float = 0.0) -> None:
        """One event of the server, canonical.

        Args:
            event: never trusted to be complete.
            at_s: when it came, on the log's clock.
        """
        self.observe(event, "received", at_s)
        self._deadlines.heard(event, self)
        if event.type in ANSWERS:
            self._requests.answered(event, self._first_name(event.item_id))
        rule = RULES.get(event.type)
        if rule is not None:
            rule(self, event)
        elif event.item_id is not None and event.audio is None:
            self._outputs.append(ItemChanged(event.item_id))

    def observe(self, event: Event, direction: Direction, at_s: float) -> None:
        """Fold an event into the conversation without acting on it: what was sent, and local rows."""
        self.conversation.apply(event, direction, at_s)
        if direction == "sent" and event.type == "session.update":
            self._configuration.asked(event.text("event_id"), event.part("session"))
        elif direction == "received" and event.type == "error":
            self._configuration.refused(event.part("error").get("event_id"))
        verdict = self.budget.look(self.conversation)
        if verdict is not None:
            self._budget_changed(verdict)
        if direction == "sent" and event.type == "conversation.item.create" and event.item_id is not None:
            self._outputs.append(ItemChanged(event.item_id))
        elif direction == "sent" and event.type == "response.create":
            self._asked_raw += event.text("event_id") not in self._create_ids
            self._create_ids.discard(event.text("event_id"))
        elif event.type.startswith("local.tool."):
            call = self.conversation.call(event.call_id)
            if call is not None:
                self._outputs.append(ItemChanged(call.item_id))
        elif event.type == "local.label":
            self._report_label(event.whole("turn") or 0)

    def _report_label(self, number: int) -> None:
        if 1 <= number <= len(self.conversation.turns):
            turn = self.conversation.turns[number - 1]
            self._outputs += [ItemChanged(row) for row in (*turn.item_ids, *turn.response_ids)]
            self._outputs.append(TurnLabelled(number))

    def _first_name(self, item_id: str | None) -> str | None:
        """A server may have given another name to an item that we made."""
        return next((ours for ours, theirs in self.conversation.renamed.items() if theirs == item_id), None)

    def connection_lost(self) -> None:
        """The end: nothing that was asked for will be answered any more."""
        resumption.end(self)

    # ---- inside --------------------------------------------------------------------------------------------

    def _emit(self, output: Output) -> None:
        self._outputs.append(output)

    def _send(self, fields: dict[str, Any], request: Request | None = None) -> Request:
        fields.setdefault("event_id", self._new_id("evt"))
        if request is None:
            item_id = fields.get("item_id")
            request = Request(str(fields.get("type")), item_id=item_id if isinstance(item_id, str) else None)
        request.event_id, request.kept = str(fields["event_id"]), False
        if self._kept is not None:
            # Nobody is there to take it, and the next one is given what this would have led to.
            request.done = True
            return request
        if request.type == "response.create":
            self._create_ids.add(request.event_id)
        self._requests.sent(request)
        self._outputs.append(Send(fields))
        return request

    def _drain(self) -> None:
        """Send what waits, up to and including the next `response.create`."""
        forbidden = False
        if self._kept is not None or self._resuming is not None:
            return
        while self._queue and not self.answering and not self._pressed:
            head = self._queue.popleft()
            if isinstance(head, Wish) and self.budget.verdict.stops:
                self._forbid(head)
                forbidden = True
            elif isinstance(head, Wish):
                self._ask(head)
            else:
                self._send(*head)
        if forbidden:
            self._report_turn()

    def _ask(self, wish: Wish) -> None:
        fields = wish.fields
        if wish.follow_up:
            # What forced the call would force it again for ever, and a given input knows nothing of its
            # output.
            fields = {k: v for k, v in fields.items() if k not in {"tool_choice", "input"}}
        event: dict[str, Any] = {"type": "response.create"}
        if wish.next_event_id is not None:
            event["event_id"], wish.next_event_id = wish.next_event_id, None
        if fields:
            event["response"] = fields
        self._send(event)
        wish.overdue, wish.asked_s = False, self._deadlines.clock()
        self._asked = self._newest = wish
        wish.event_id = event["event_id"]

    def _forbid(self, wish: Wish) -> None:
        """The budget is spent: this one is not asked for."""
        verdict = self.budget.verdict
        failure = Failed(verdict.message, OVER_BUDGET, None, verdict.next_step)
        self._finish(wish, failure)
        if not wish.awaited:
            self._outputs.append(failure)

    def _budget_changed(self, verdict: Verdict) -> None:
        self._outputs.append(BudgetChanged(verdict))
        self._hold_server_back()

    def _hold_server_back(self) -> None:
        """The server's turn detection asks for no answer while the budget is spent, and does again after."""
        session = self._held_back.change(self.turn_detection, stops=self.budget.verdict.stops)
        if session is not None:
            self.update(session)

    def _ask_beside(self, wish: Wish) -> None:
        if self.budget.verdict.stops:
            self._forbid(wish)
            return
        if self._kept is not None:
            self._finish(wish, Failed("there is no connection at this moment", None, None))
            return
        event = {"type": "response.create", "response": wish.fields}
        if not wish.fields.get("metadata"):
            # By these it is known again: it may begin while another one is being given.
            wish.fields["metadata"] = {"asked_by": self._new_id("wish")}
        self._send(event)
        wish.overdue, wish.asked_s = False, self._deadlines.clock()
        wish.event_id = str(event["event_id"])
        self._asked_beside.append(wish)

    def _interrupt(self, *, server_cancels: bool) -> bool:
        dropped = overdue.give_up(self, "went on" if server_cancels else "interrupted")
        dropped = (not server_cancels and asked_again.interrupt(self)) or dropped
        active = self._active
        asked = None if server_cancels else self._asked
        calls = tuple(call_id for calls in self._open_calls.values() for call_id in calls)
        if calls:
            self._outputs.append(CallsInterrupted(calls))
        audible = self._playback.cut(active)
        if self._kept is not None:
            return audible or dropped
        if not server_cancels and active is not None and active not in self._cancelled:
            self._cancelled.add(active)
            self._cancels[self._send({"type": "response.cancel"}).event_id] = active
            self._deadlines.cancelled(active)
        if asked is not None and not asked.cancelled:
            asked.cancelled = True
            self._send({"type": "response.cancel"})
        if not server_cancels and self._awaiting_auto:
            self._awaiting_auto, self._auto_unwanted = False, True
            return True
        if dropped:
            # What waited behind it goes out, if nothing else is in the way.
            self._drain()
            self._report_turn()
        return audible or active is not None or asked is not None or dropped

    def _follow_up(self, response_id: str) -> None:
        wish = self._wish_of.get(response_id)
        if wish is None:
            wish = Wish()
        wish.follow_up = True
        self._queue.append(wish)
        self._drain()

    def _end_without_follow_up(self, response_id: str) -> None:
        self._ended_calls.discard(response_id)
        wish = self._wish_of.get(response_id)
        if wish is not None:
            self._finish(wish)
        self._report_turn()

    def _finish(self, wish: Wish, failure: Failed | None = None) -> None:
        wish.done, wish.failure = True, failure
        for response_id in wish.response_ids:
            self._wish_of.pop(response_id, None)

    def _refused(self, event_id: str | None) -> Wish | None:
        """The wish whose `response.create` an error is about, if it is about one.

        The server's own response may have been taken for the one that was asked for: an error names the event
        that caused it, and then we know better.
        """
        beside = [w for w in self._asked_beside if w.event_id == event_id]
        if beside:
            return beside[0]
        if event_id is None:
            # It may be about anything; while we wait for a response to begin, it is about that.
            return self._asked
        wish = self._newest
        return wish if wish is not None and not wish.done and wish.event_id == event_id else None

    def _take_back(self, wish: Wish) -> None:
        """No response came of the newest `response.create`."""
        if wish in self._asked_beside:
            self._asked_beside.remove(wish)
        elif wish is self._asked:
            self._asked = None
        elif wish.response_ids:
            self._wish_of.pop(wish.response_ids.pop(), None)

    def _report_turn(self) -> None:
        turn = self.conversation.current_turn
        if turn is None or self.answering or self._open_calls or turn.turn <= self._turn_reported:
            return
        if any(isinstance(q, Wish) for q in self._queue):
            return
        self._turn_reported = turn.turn
        self._outputs.append(TurnDone(turn.turn))
