"""What was asked of the server and is to be answered by an event of its own, or by an `error`. Pure."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from gip_nb.protocol.frames import Event
from gip_nb.protocol.outputs import Failed

__all__ = ["ANSWERS", "Request", "Requests", "ignored_settings", "item_request"]

# Client event -> the event that answers it.
_ANSWERS = {
    "session.update": "session.updated",
    "conversation.item.create": "conversation.item.added",
    "conversation.item.delete": "conversation.item.deleted",
    "conversation.item.retrieve": "conversation.item.retrieved",
    "conversation.item.truncate": "conversation.item.truncated",
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
}
ANSWERS = frozenset(_ANSWERS.values())
"""The events that answer something."""
# Of a server that answers nothing, so many are remembered that nobody waits for.
_MOST = 256


class Request(msgspec.Struct, eq=False):
    """One event that was sent, or that waits to be sent.

    Attributes:
        type: canonical.
        event_id: by which an `error` names it; empty while it waits.
        item_id: of the item that it is about, if it names one.
        awaited: whether somebody waits for it: then its failure is theirs, and nobody else is told.
        given_up: somebody waited for it in vain; what comes answers a newer one first.
        kept: it waits for a connection, and is sent again then.
        done: it was answered, refused or dropped.
        answer: the event that answered it.
        failure: why it was refused.
        session: of an update, the canonical fields that were asked for.
        event: of an item that is added, the whole client event.
        number: of those that were sent on its connection, in order.
    """

    type: str
    event_id: str = ""
    item_id: str | None = None
    awaited: bool = False
    given_up: bool = False
    kept: bool = False
    done: bool = False
    answer: Event | None = None
    failure: Failed | None = None
    session: dict[str, Any] | None = None
    event: dict[str, Any] | None = None
    number: int = 0

    @property
    def answer_type(self) -> str:
        """The canonical type of the event that answers it; its own where none does."""
        return _ANSWERS.get(self.type, self.type)


def item_request(event: dict[str, Any]) -> Request:
    """For a `conversation.item.create`, its item's id included."""
    return Request("conversation.item.create", item_id=str(event["item"]["id"]), event=event)


class Requests:
    """The open requests of one connection, in the order in which they were sent."""

    def __init__(self) -> None:
        self._open: list[Request] = []
        # How many were sent, and the newest that was answered.
        self._sent = self._answered = 0

    def sent(self, request: Request) -> None:
        """It went out. One that no event answers is not kept."""
        if request.type in _ANSWERS:
            self._sent += 1
            request.number = self._sent
            self._open.append(request)
            idle = [r for r in self._open if not r.awaited] if len(self._open) > _MOST else []
            for forgotten in idle[:-_MOST]:
                self._open.remove(forgotten)

    def answered(self, event: Event, item_id: str | None) -> Request | None:
        """The oldest request that this event answers, done now.

        Args:
            event: canonical, of the server.
            item_id: of the item as this side named it first.
        """
        for request in sorted(self._open, key=lambda r: r.given_up):
            if _ANSWERS[request.type] == event.type and request.item_id in {None, event.item_id, item_id}:
                self._open.remove(request)
                request.answer, request.done = event, True
                self._answered = max(self._answered, request.number)
                return request
        return None

    def refused(self, failure: Failed) -> Request | None:
        """The request that an `error` is about, done now.

        An error that names no event is about the one that somebody waits for, if there is just one.
        """
        found = [r for r in self._open if r.event_id == failure.event_id]
        if failure.event_id is None:
            # Not an item's: that one is not waited for long, and the talk is to go on.
            found = [r for r in self._open if r.awaited and r.type != "conversation.item.create"]
        if len(found) != 1:
            return None
        self.refuse(found[0], failure)
        return found[0]

    def refuse(self, request: Request, failure: Failed) -> None:
        """It is about this one, which is open."""
        self._open.remove(request)
        request.failure, request.done = failure, True

    def overtaken(self, request: Request) -> bool:
        """Whether one that was sent after it is answered: the server has been through with it in silence."""
        return self._answered > request.number

    @property
    def open(self) -> tuple[Request, ...]:
        """Those that nothing has answered, in the order in which they were sent."""
        return tuple(self._open)

    def taken(self) -> list[Request]:
        """Those that are open, and no longer here: somebody asks for them anew."""
        requests, self._open = self._open, []
        self._sent = self._answered = 0
        return requests

    def dropped(self, failure: Failed) -> None:
        """The connection is gone: none will be answered."""
        for request in self._open:
            request.failure, request.done = failure, True
        self._open.clear()


def ignored_settings(asked: object, told: object, path: str = "") -> list[str]:
    """The settings that a server was asked for and that its session does not have.

    Args:
        asked: canonical fields of a `session.update`, a part of them inside.
        told: the same place of the session in `session.updated`.
        path: of that place, such as `audio.output`.

    Returns:
        One line each, such as `audio.output.voice: asked for 'ash', is 'alloy'`. What a server fills in
        beside is none; neither is a number that it has rounded.
    """
    if isinstance(asked, dict) and isinstance(told, dict):
        return [
            line
            for key, value in asked.items()
            for line in ignored_settings(value, told.get(key), f"{path}.{key}" if path else key)
        ]
    same = asked == told
    if path == "tool_choice" and isinstance(asked, dict):
        # Beta's sessions name the function and nothing else.
        same = same or told == asked.get("name")
    elif isinstance(asked, list) and isinstance(told, list):
        same = len(asked) == len(told) and not any(
            ignored_settings(a, t) for a, t in zip(asked, told, strict=True)
        )
    elif isinstance(asked, int | float) and isinstance(told, int | float):
        # Through a server's 32-bit float 0.8 comes back as 0.800000011920929.
        is_rounded = isinstance(asked, float) or isinstance(told, float)
        same = same or (is_rounded and _is_close(asked, told))
    if same:
        return []
    return [f"{path}: asked for {_short(asked)}, is {_short(told)}"]


def _is_close(asked: float, told: float) -> bool:
    try:
        return math.isclose(asked, told, rel_tol=1e-5, abs_tol=1e-9)
    except OverflowError:
        # A whole number beyond all floats.
        return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - what fits a line
