"""The conversation as the pages show it: what changed, at most twenty times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.notebook.item_view import Shown, shown
from gip_nb.session.loop import loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from gip_nb.notebook import messages
    from gip_nb.protocol.conversation import Conversation

__all__ = ["ConversationView"]

_TEXT_INTERVAL_S = 0.05


class ConversationView:
    """Gathers what changed and posts it. On the loop only.

    Args:
        post: sends one message to every page.
    """

    def __init__(self, post: Callable[[dict[str, Any]], None]) -> None:
        self._post = post
        self._conversation: Conversation | None = None
        self._put: dict[str, None] = {}
        self._deltas: list[messages.TextDelta] = []
        self._timer: asyncio.TimerHandle | None = None
        self._shown: set[str] = set()

    def show(self, conversation: Conversation) -> None:
        """From now on this conversation is the one that is shown; what was shown before goes."""
        self._conversation = conversation
        self._put.clear()
        self._deltas.clear()
        gone, self._shown = sorted(self._shown), set()
        if gone:
            self._post({"kind": "items", "page": None, "put": [], "text": [], "drop": gone})

    def item_changed(self, item_id: str) -> None:
        """Show it anew, soon."""
        self._put[item_id] = None
        # What is still to be added to it is in it already.
        self._deltas = [d for d in self._deltas if d["item_id"] != item_id]
        self._schedule()

    def text_added(self, item_id: str, delta: str) -> None:
        """Show the new words, soon."""
        if item_id in self._put or item_id not in self._shown:
            self._put[item_id] = None
        elif self._deltas and self._deltas[-1]["item_id"] == item_id:
            self._deltas[-1]["delta"] += delta
        else:
            self._deltas.append({"item_id": item_id, "delta": delta})
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = loop().call_later(_TEXT_INTERVAL_S, self._send)

    def _send(self) -> None:
        self._timer = None
        if self._conversation is None:
            return
        put: list[messages.ItemView] = []
        drop: list[str] = []
        if self._put:
            view = shown(self._conversation)
            put = [view.item(i) for i in self._changed(view)]
            drop = [i for i in self._put if i not in view.after and i in self._shown]
        message = {"kind": "items", "page": None, "put": put, "text": self._deltas, "drop": drop}
        self._shown.update(i["item_id"] for i in put)
        self._shown.difference_update(drop)
        self._put.clear()
        self._deltas = []
        if message["put"] or message["text"] or drop:
            self._post(message)

    def _changed(self, view: Shown) -> list[str]:
        """What to put, in place of an output the call that shows it."""
        changed = dict.fromkeys(view.call_of.get(i, i) for i in view.with_moved_labels(self._put))
        return [i for i in changed if i in view.after]

    def snapshot(self) -> list[messages.ItemView]:
        """The whole conversation as it is now, for a page that is new here or has missed something.

        What waits to be sent goes first: words that are in here must not be added once more afterwards.
        """
        if self._conversation is None:
            return []
        if self._timer is not None:
            self._timer.cancel()
            self._send()
        view = shown(self._conversation)
        self._shown.update(view.after)
        return [view.item(i) for i in view.after]
