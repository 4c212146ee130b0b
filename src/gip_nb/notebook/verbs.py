"""What a page may ask of the running session. Called on the loop, by `requests.perform`."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gip_nb.errors import AlreadyClosed, GipError, NothingToDo, UnknownItem
from gip_nb.notebook.event_pages import EventPages
from gip_nb.notebook.item_view import shown
from gip_nb.notebook.requests import Answer
from gip_nb.session.loop import in_thread, start_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.notebook.requests import Verb, Wish
    from gip_nb.session.approvals import Answer as Allowing
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["SessionVerbs"]

# States in which a change is the next session's.
_NOT_RUNNING = ("idle", "closed", "error")


class SessionVerbs:
    """The verbs that one session does by itself; `by_name` says what the page calls them.

    Args:
        running: the session that the pages show.
        keep: lets the next session begin with these fields of a session.
    """

    def __init__(
        self, running: Callable[[], AsyncRealtimeSession], keep: Callable[[dict[str, Any]], None]
    ) -> None:
        self._running = running
        self._keep = keep
        # The page where a key is held, as far as pages have said.
        self._pressed_by: str | None = None
        self._pages = EventPages(lambda: running().log)

    def by_name(self) -> dict[str, Verb]:
        """The table."""
        return {
            "interrupt": self._interrupt,
            "press": self._press,
            "release": self._release,
            "update": self._update,
            "delete": self._delete,
            "approve": self._approve,
            "label": self._label,
            "play": self._play,
            "events": self._events,
            "event": self._event,
        }

    async def _interrupt(self, _: Wish) -> None:
        await self._running().interrupt()

    async def _press(self, wish: Wish) -> None:
        self._pressed_by = wish.page
        told = wish.args.get("at_ms")
        at_ms = float(told) if isinstance(told, int | float) else math.nan
        await self._running().press(page=wish.page, at_ms=at_ms)

    async def _release(self, _: Wish) -> Answer:
        self._pressed_by = None
        try:
            await self._running().release()
        except NothingToDo:
            # A slip of the finger is no trouble.
            return Answer({"too_short": True})
        return Answer({"too_short": False})

    def sound_is_at(self, page: str | None) -> None:
        """A page that is left, or gave the sound away, holds no key any more: what was said is sent."""
        if self._pressed_by not in {None, page} and self._running().protocol.pressed:
            self._pressed_by = None
            start_task(self._let_go())

    async def _let_go(self) -> None:
        # One that has ended meanwhile has told so itself.
        with suppress(GipError):
            await self._running().release()

    async def _update(self, wish: Wish) -> Answer:
        given = wish.args.get("fields")
        fields = given if isinstance(given, dict) else {}
        ignored = await _change(self._running(), fields)
        self._keep(fields)
        return Answer({"ignored": ignored, "next": self._running().state in _NOT_RUNNING})

    async def _delete(self, wish: Wish) -> None:
        session, item_id = self._running(), str(wish.args.get("item_id"))
        output = shown(session.protocol.conversation).output_of.get(item_id)
        await session.delete(item_id)
        if output is not None:
            # It has no row of its own, and without its call no meaning.
            await session.delete(output)

    async def _approve(self, wish: Wish) -> Answer:
        """The user's word on a call that waits for it. One that waits no more is left as it is."""
        session, said = self._running(), wish.args.get("answer")
        item = session.protocol.conversation.items.get(str(wish.args.get("item_id")))
        answers: dict[object, Allowing] = {"once": "once", "talk": "talk", "deny": "deny"}
        answer = answers.get(said)
        if answer is None or item is None or item.call_id is None:
            return Answer({"taken": False})
        return Answer({"taken": session.calls.allow(item.call_id, answer)})

    async def _label(self, wish: Wish) -> None:
        session, row_id = self._running(), str(wish.args.get("item_id"))
        # The row of a response that failed before it had an item has that one's id.
        turn = session.protocol.conversation.turn_of(row_id, row_id)
        if turn is None:
            raise UnknownItem(row_id)
        await session.label(turn, rating=wish.args.get("rating"))

    async def _play(self, wish: Wish) -> Answer:
        item_id = str(wish.args.get("item_id"))
        sound = await in_thread(self._running().tables.sound, item_id)
        if not sound:
            raise UnknownItem(item_id)
        return Answer(sound=sound)

    async def _events(self, wish: Wish) -> Answer:
        return Answer({**await in_thread(self._pages.page, wish.args)})

    async def _event(self, wish: Wish) -> Answer:
        return Answer({**await in_thread(self._pages.event, wish.args)})


async def _change(session: AsyncRealtimeSession, fields: dict[str, Any]) -> list[str]:
    """Change a session that runs, and no other: nothing connects for it. What the server ignored of it."""
    if session.state not in _NOT_RUNNING:
        # One that ended meanwhile was not changed; the next one will be.
        with suppress(AlreadyClosed):
            return await session.apply_update(fields)
    return []
