"""Whether the user of a recorded talk had an answer to wait for, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gip_nb.protocol.conversation import Conversation, Direction
    from gip_nb.protocol.frames import Event

__all__ = ["Answering"]

_SOUNDS = frozenset({"local.page.delivered", "local.playback.started", "local.playback.position"})


class Answering:
    """What is still to come of the answers: asked for, being given, waiting for a tool, or still to be heard.

    Args:
        conversation: the log's, which has folded in each row before it comes here.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._reset()

    def _reset(self) -> None:
        # By event id, the `response.create`s that nothing has come of yet.
        self._asked: set[str] = set()
        # The server answers by itself, and has not begun.
        self._is_due = False
        self._active: set[str] = set()
        self._calls: set[str] = set()
        self._sounding: set[str] = set()
        self._played: set[str] = set()

    @property
    def now(self) -> bool:
        """Whether there is one, after the rows so far."""
        return self._is_due or bool(self._asked or self._active or self._calls or self._sounding)

    def apply(self, event: Event, direction: Direction) -> None:
        """The next row.

        Args:
            event: canonical.
            direction: who spoke.
        """
        if direction == "received":
            self._on_received(event)
        elif direction == "sent":
            self._on_sent(event)
        else:
            self._on_local(event)

    def _on_sent(self, event: Event) -> None:
        if event.type == "response.create" and event.part("response").get("conversation") != "none":
            self._asked.add(event.text("event_id"))
        elif event.type == "conversation.item.create":
            self._calls.discard(event.call_id or "")

    def _on_received(self, event: Event) -> None:
        match event.type:
            case "error":
                self._asked.discard(str(event.part("error").get("event_id")))
            case "input_audio_buffer.speech_stopped":
                detection = self._conversation.turn_detection
                self._is_due = detection is not None and detection.get("create_response") is not False
            case "response.created":
                self._on_created(event.response_id)
            case "response.done":
                self._on_done(event.response_id or self._conversation.last_done)

    def _on_created(self, response_id: str | None) -> None:
        response = self._conversation.responses.get(response_id or "")
        if response is None or response.beside:
            return
        self._begun()
        # What was not answered until now never will be.
        self._calls.clear()
        if response.active:
            self._active.add(response.response_id)

    def _begun(self) -> None:
        self._asked.clear()
        self._is_due = False

    def _on_done(self, response_id: str | None) -> None:
        response = self._conversation.responses.get(response_id or "")
        self._active.discard(response_id or "")
        if response is None or response.beside:
            return
        if response.created_s is None:
            # Some servers never said that it began.
            self._begun()
        if response.status not in {"cancelled", "failed"}:
            items = [self._conversation.items[i] for i in response.item_ids if i in self._conversation.items]
            self._calls |= {i.call_id for i in items if i.type == "function_call" and i.call_id is not None}

    def _on_local(self, event: Event) -> None:
        if event.type in _SOUNDS:
            if event.item_id is not None and event.item_id not in self._played:
                self._sounding.add(event.item_id)
        elif event.type == "local.playback.ended":
            self._sounding.discard(event.item_id or "")
            self._played.add(event.item_id or "")
        elif event.type == "local.playback.flushed":
            self._played |= self._sounding
            self._sounding.clear()
        elif event.type == "local.connection.closed":
            self._reset()
