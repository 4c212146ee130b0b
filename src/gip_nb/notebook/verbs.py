"""What a page may ask of the running session. Called on the loop, by `requests.perform`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gip_nb.errors import AlreadyClosed, UnknownItem
from gip_nb.notebook.event_pages import EventPages
from gip_nb.notebook.requests import Answer
from gip_nb.session.loop import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.notebook.requests import Verb, Wish
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["session_verbs"]

# States in which a change is the next session's.
_NOT_RUNNING = ("idle", "closed", "error")


def session_verbs(
    running: Callable[[], AsyncRealtimeSession], keep: Callable[[dict[str, Any]], None]
) -> dict[str, Verb]:
    """The verbs, by the name that the page calls them.

    Args:
        running: the session that the pages show.
        keep: lets the next session begin with these fields of a session.
    """
    event_pages = EventPages(lambda: running().log)

    async def interrupt(_: Wish) -> None:
        await running().interrupt()

    async def press(_: Wish) -> None:
        await running().press()

    async def release(_: Wish) -> None:
        await running().release()

    async def update(wish: Wish) -> Answer:
        given = wish.args.get("fields")
        fields = given if isinstance(given, dict) else {}
        ignored = await _change(running(), fields)
        keep(fields)
        return Answer({"ignored": ignored, "next": running().state in _NOT_RUNNING})

    async def delete(wish: Wish) -> None:
        await running().delete(str(wish.args.get("item_id")))

    async def play(wish: Wish) -> Answer:
        item_id = str(wish.args.get("item_id"))
        sound = await in_thread(running().tables.sound, item_id)
        if not sound:
            raise UnknownItem(item_id)
        return Answer(sound=sound)

    async def events(wish: Wish) -> Answer:
        return Answer({**await in_thread(event_pages.page, wish.args)})

    async def event(wish: Wish) -> Answer:
        return Answer({**await in_thread(event_pages.event, wish.args)})

    return {
        "interrupt": interrupt,
        "press": press,
        "release": release,
        "update": update,
        "delete": delete,
        "play": play,
        "events": events,
        "event": event,
    }


async def _change(session: AsyncRealtimeSession, fields: dict[str, Any]) -> list[str]:
    """Change a session that runs, and no other: nothing connects for it. What the server ignored of it."""
    if session.state not in _NOT_RUNNING:
        # One that ended meanwhile was not changed; the next one will be.
        with suppress(AlreadyClosed):
            return await session.apply_update(fields)
    return []
