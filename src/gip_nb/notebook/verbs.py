"""What a page may ask of the running session. Called on the loop, by `requests.perform`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.errors import UnknownItem
from gip_nb.notebook.item_view import shown
from gip_nb.notebook.requests import Answer
from gip_nb.session.loop import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.notebook.requests import Verb, Wish
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["session_verbs"]


def session_verbs(running: Callable[[], AsyncRealtimeSession]) -> dict[str, Verb]:
    """The verbs, by the name that the page calls them.

    Args:
        running: the session that the pages show.
    """

    async def interrupt(_: Wish) -> None:
        await running().interrupt()

    async def press(_: Wish) -> None:
        await running().press()

    async def release(_: Wish) -> None:
        await running().release()

    async def update(wish: Wish) -> Answer:
        fields = wish.args.get("fields")
        ignored = await running().apply_update(fields if isinstance(fields, dict) else {})
        return Answer({"ignored": ignored})

    async def delete(wish: Wish) -> None:
        session, item_id = running(), str(wish.args.get("item_id"))
        output = shown(session.protocol.conversation).output_of.get(item_id)
        await session.delete(item_id)
        if output is not None:
            # It has no row of its own, and without its call no meaning.
            await session.delete(output)

    async def play(wish: Wish) -> Answer:
        item_id = str(wish.args.get("item_id"))
        sound = await in_thread(running().tables.sound, item_id)
        if not sound:
            raise UnknownItem(item_id)
        return Answer(sound=sound)

    return {
        "interrupt": interrupt,
        "press": press,
        "release": release,
        "update": update,
        "delete": delete,
        "play": play,
    }
