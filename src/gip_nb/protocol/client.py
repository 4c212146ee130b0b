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

from gip_nb.protocol.client_rules import RULES
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.outputs import Failed, Flush, ItemChanged, Output, Send, SendAudio, TurnDone, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gip_nb.protocol.conversation import Direction, Item, Response
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Phase

__all__ = ["ClientProtocol"]


class ClientProtocol:
    """One session, one side. Not thread-safe: it lives on the loop.

    Args:
        new_id: makes ids from a prefix (`evt`, `item`).
        player: whether somebody plays the answers and reports positions; may change. An answer that came
            while nobody did counts as heard.
        conversation: what is known already (after a reconnect), else an empty one.
    """

    def __init__(
        self, new_id: Callable[[str], str], *, player: bool = True, conversation: Conversation | None = None
    ) -> None:
        self.player = player
        self.conversation = conversation or Conversation()
        self._new_id = new_id
        self._outputs: list[Output] = []
        self._queue: deque[dict[str, Any] | Wish] = deque()
        self._asked: Wish | None = None
        self._newest: Wish | None = None
        self._wish_of: dict[str, Wish] = {}
        self._active: str | None = None
        self._ended: set[str] = set()
        self._cancelled: set[str] = set()
        self._awaiting_auto = False
        self._created_since_speech = False
        self._hearing = False
        self._playing: set[str] = set()
        # Items that were given to a player: only of these can something be left to hear.
        self._handed: set[str] = set()
        self._muted_responses: set[str] = set()
        self._cut: list[str] = []
        self._delete_when_done: dict[str, list[str]] = {}
        self._calls: dict[str, str | None] = {}
        self._open_calls: dict[str, set[str]] = {}
        self._turn_reported = 0
        # Samples of this connection's input: all of it, and how far it is committed or cleared.
        self._appended_samples = 0
        self._used_samples = 0

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
        if self._playing:
            return "speaking"
        if self._asked is not None or self._active is not None or self._awaiting_auto or self._open_calls:
            return "thinking"
        return "listening"

    @property
    def answering(self) -> bool:
        """Whether a response is being generated, or asked for."""
        return self._active is not None or self._asked is not None

    @property
    def turn_detection(self) -> dict[str, Any] | None:
        """The turn detection that the server has in force, None for push to talk."""
        return self.conversation.turn_detection

    @property
    def appended_samples(self) -> int:
        """Samples appended to this connection's input so far."""
        return self._appended_samples

    @property
    def uncommitted_samples(self) -> int:
        """Samples appended since the last commit or clear."""
        return self._appended_samples - self._used_samples

    # ---- what the user wants -------------------------------------------------------------------------------

    def append_audio(self, audio: bytes) -> None:
        """Microphone or file audio, PCM16 mono 24 000 Hz."""
        self._appended_samples += len(audio) // 2
        self._outputs.append(SendAudio(audio))

    def commit(self) -> None:
        """The user's utterance ends here (with turn detection off)."""
        self._used_samples = self._appended_samples
        self._hearing = False
        self._send({"type": "input_audio_buffer.commit"})

    def clear(self) -> None:
        """Forget the audio appended since the last commit."""
        self._used_samples = self._appended_samples
        self._hearing = False
        self._send({"type": "input_audio_buffer.clear"})

    def press(self) -> None:
        """Push to talk: the user begins to speak."""
        self._hearing = True

    def send_text(self, text: str, role: str = "user") -> str:
        """Add a text message; waits for its turn while a response is active. Returns the item's id."""
        kind = "text" if role == "assistant" else "input_text"
        kind = "output_text" if role == "assistant" else kind
        return self.add_item({"type": "message", "role": role, "content": [{"type": kind, "text": text}]})

    def add_item(self, item: dict[str, Any]) -> str:
        """Add any item, canonical shape. Returns its id."""
        item_id = item.get("id") or self._new_id("item")
        self._queue.append({"type": "conversation.item.create", "item": {**item, "id": item_id}})
        self._drain()
        return str(item_id)

    def respond(self, fields: Mapping[str, Any] | None = None) -> Wish:
        """Ask for a response; waits for its turn while one is active.

        Args:
            fields: canonical `response` fields that override the session's.
        """
        wish = Wish(fields=dict(fields or {}))
        self._queue.append(wish)
        self._drain()
        return wish

    def update(self, session: dict[str, Any]) -> None:
        """Change the session; canonical fields, only those that change."""
        self._send({"type": "session.update", "session": session})

    def delete(self, item_id: str) -> None:
        """Delete an item from the server's conversation."""
        self._send({"type": "conversation.item.delete", "item_id": item_id})

    def send(self, fields: dict[str, Any]) -> None:
        """Any client event as it is, canonical or wire names."""
        self._send(dict(fields))

    def interrupt(self) -> bool:
        """Stop the answer, wherever it is. Returns False where there is nothing to stop."""
        return self._interrupt(server_cancels=False)

    def tool_output(self, call_id: str, output: str) -> bool:
        """Answer a function call.

        Returns False where it was answered before, or never asked: each gets exactly one output.
        """
        response_id = self._calls.get(call_id)
        if response_id is None:
            return False
        self._calls[call_id] = None
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        self.add_item(item)
        waiting = self._open_calls.get(response_id, set())
        waiting.discard(call_id)
        if not waiting and self._open_calls.pop(response_id, None) is not None:
            self._follow_up(response_id)
        return True

    # ---- what the player says ------------------------------------------------------------------------------

    def playback(self, event: Event) -> None:
        """The player's own row (`local.playback.*`), as it was logged."""
        item_id = event.item_id
        before = self.phase
        if item_id is None:
            return
        if event.type == "local.playback.ended":
            self._playing.discard(item_id)
        elif item_id not in self._cut and self._may_play(item_id):
            self._playing.add(item_id)
        self.conversation.apply(event, "local")
        if event.type == "local.playback.ended" or before != self.phase:
            self._outputs.append(ItemChanged(item_id))

    def _may_play(self, item_id: str) -> bool:
        """Whether there is such an item and it was not stopped: a report may come late."""
        item = self.conversation.items.get(item_id)
        return item is not None and not item.playback_cut

    def has_player(self, item_id: str) -> bool:
        """Whether the item was given to a player. One that was not counts as heard when it was received."""
        return item_id in self._handed

    @property
    def cut_items(self) -> tuple[str, ...]:
        """The items whose playback was cut by a `Flush` that the player has not answered yet."""
        return tuple(self._cut)

    @property
    def playing_items(self) -> tuple[str, ...]:
        """The items that the player is at, or has still to play."""
        items = self.conversation.items
        return tuple(
            i
            for r in self.conversation.responses.values()
            if r.response_id not in self._muted_responses
            for i in r.item_ids
            if i in items and self._still_to_hear(items[i], r)
        )

    def stopped(self, rows: Iterable[Event]) -> None:
        """The player stopped for good: note what was heard, and tell nobody."""
        self._playing.clear()
        for row in rows:
            self.conversation.apply(row, "local")

    def flushed(self, rows: Iterable[Event]) -> None:
        """The player stopped: settle each item that was cut, so that the model remembers only what was heard.

        Args:
            rows: `local.playback.flushed`, one for each of `cut_items`, with `played_samples` (what left the
                playback processor) and `output_latency_ms` (how long a sample takes from there to the ear).
        """
        self._playing.clear()
        self._cut.clear()
        for row in rows:
            self.conversation.apply(row, "local")
            item = self.conversation.items.get(row.item_id or "")
            if item is not None and not item.deleted:
                self._settle(item)
                self._outputs.append(ItemChanged(item.item_id))

    def _settle(self, item: Item) -> None:
        response = self.conversation.responses.get(item.response_id or "")
        if not item.generated_samples or not item.playback_cut:
            return
        # Less than a millisecond is no position to truncate at.
        if item.heard_ms is None or item.heard_ms < 1:
            # Deleting an item that is still being written is an error at some servers: wait for its
            # response's end.
            if response is not None and response.active:
                self._delete_when_done.setdefault(response.response_id, []).append(item.item_id)
            else:
                self.delete(item.item_id)
            return
        self._send(
            {
                "type": "conversation.item.truncate",
                "item_id": item.item_id,
                "content_index": item.audio_index,
                # Rounded down: a position beyond the audio is refused.
                "audio_end_ms": int(item.heard_ms),
            }
        )

    # ---- what the server says ------------------------------------------------------------------------------

    def receive(self, event: Event, at_s: float = 0.0) -> None:
        """One event of the server, canonical.

        Args:
            event: never trusted to be complete.
            at_s: when it came, on the log's clock.
        """
        self.observe(event, "received", at_s)
        rule = RULES.get(event.type)
        if rule is not None:
            rule(self, event)
        elif event.item_id is not None and event.audio is None:
            self._outputs.append(ItemChanged(event.item_id))

    def observe(self, event: Event, direction: Direction, at_s: float) -> None:
        """Fold an event into the conversation without acting on it: what was sent, and local rows."""
        self.conversation.apply(event, direction, at_s)
        if direction == "sent" and event.type == "conversation.item.create" and event.item_id is not None:
            self._outputs.append(ItemChanged(event.item_id))

    def connection_lost(self) -> None:
        """Nothing that was asked for will be answered any more."""
        failure = Failed("the connection ended before the answer did", None, None)
        pending = [w for w in self._queue if isinstance(w, Wish)]
        self._queue.clear()
        for wish in [*pending, *([self._asked] if self._asked else []), *self._wish_of.values()]:
            if not wish.done:
                wish.done, wish.failure = True, failure
        self._asked = self._active = None
        self._awaiting_auto = self._hearing = False
        self._wish_of.clear()
        for call_id in [c for calls in self._open_calls.values() for c in calls]:
            self._calls[call_id] = None
        self._open_calls.clear()
        self._appended_samples = self._used_samples = 0

    # ---- inside --------------------------------------------------------------------------------------------

    def _send(self, fields: dict[str, Any]) -> None:
        fields.setdefault("event_id", self._new_id("evt"))
        self._outputs.append(Send(fields))

    def _drain(self) -> None:
        """Send what waits, up to and including the next `response.create`."""
        while self._queue and not self.answering:
            head = self._queue.popleft()
            if isinstance(head, Wish):
                self._ask(head)
            else:
                self._send(head)

    def _ask(self, wish: Wish) -> None:
        fields = wish.fields
        if wish.follow_up:
            # What forced the call would force it again for ever, and a given input knows nothing of its
            # output.
            fields = {k: v for k, v in fields.items() if k not in {"tool_choice", "input"}}
        event: dict[str, Any] = {"type": "response.create"}
        if fields:
            event["response"] = fields
        self._send(event)
        self._asked = self._newest = wish
        wish.event_id = event["event_id"]

    def _interrupt(self, *, server_cancels: bool) -> bool:
        items = self.conversation.items
        audible = self.playing_items
        active = self._active
        asked = None if server_cancels else self._asked
        if not audible and active is None and asked is None:
            return False
        for item_id in audible:
            response_id = items[item_id].response_id
            if response_id is not None:
                self._muted_responses.add(response_id)
        if active is not None:
            self._muted_responses.add(active)
        if not server_cancels and active is not None and active not in self._cancelled:
            self._cancelled.add(active)
            self._send({"type": "response.cancel"})
        if asked is not None and not asked.cancelled:
            asked.cancelled = True
            self._send({"type": "response.cancel"})
        if audible:
            self._cut.extend(audible)
            self._outputs.append(Flush())
        return True

    def _still_to_hear(self, item: Item, response: Response) -> bool:
        if not item.generated_samples or item.interrupted or item.deleted:
            return False
        if response.active:
            return True
        return item.item_id in self._handed and (item.played_samples or 0) < item.generated_samples

    def _follow_up(self, response_id: str) -> None:
        wish = self._wish_of.get(response_id)
        if wish is None:
            wish = Wish()
        wish.follow_up = True
        self._queue.append(wish)
        self._drain()

    def _finish(self, wish: Wish, failure: Failed | None = None) -> None:
        wish.done, wish.failure = True, failure
        for response_id in wish.response_ids:
            self._wish_of.pop(response_id, None)

    def _refused(self, event_id: str | None) -> Wish | None:
        """The wish whose `response.create` an error is about, if it is about one.

        The server's own response may have been taken for the one that was asked for: an error names the event
        that caused it, and then we know better.
        """
        if event_id is None:
            # It may be about anything; while we wait for a response to begin, it is about that.
            return self._asked
        wish = self._newest
        return wish if wish is not None and not wish.done and wish.event_id == event_id else None

    def _take_back(self, wish: Wish) -> None:
        """No response came of the newest `response.create`."""
        if wish is self._asked:
            self._asked = None
        elif wish.response_ids:
            self._wish_of.pop(wish.response_ids.pop(), None)

    def _cut_late(self, response: Response) -> None:
        """What came of an interrupted answer after the player was stopped was never heard: settle it too."""
        items = self.conversation.items
        late = [
            i
            for i in response.item_ids
            if i in self._handed and i not in self._cut and not items[i].playback_cut and not items[i].deleted
        ]
        if late and response.response_id in self._muted_responses:
            self._cut.extend(late)
            self._outputs.append(Flush())

    def _report_turn(self) -> None:
        turn = self.conversation.current_turn
        if turn is None or self.answering or self._open_calls or turn.turn <= self._turn_reported:
            return
        if any(isinstance(q, Wish) for q in self._queue):
            return
        self._turn_reported = turn.turn
        self._outputs.append(TurnDone(turn.turn))
