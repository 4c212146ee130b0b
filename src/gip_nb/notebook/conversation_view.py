"""The conversation as the pages show it: what changed, at most twenty times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.items import SAMPLES_PER_MS
from gip_nb.session.loop import loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from gip_nb.notebook import messages
    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.items import Item

__all__ = ["ConversationView", "item_view"]

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
        conversation = self._conversation
        present = set(conversation.order)
        put = [i for i in self._put if i in present]
        drop = [i for i in self._put if i not in present and i in self._shown]
        after = _places(conversation.order)
        message = {
            "kind": "items",
            "page": None,
            "put": [_view(conversation, i, after[i]) for i in put],
            "text": self._deltas,
            "drop": drop,
        }
        self._shown.update(put)
        self._shown.difference_update(drop)
        self._put.clear()
        self._deltas = []
        if message["put"] or message["text"] or drop:
            self._post(message)

    def snapshot(self) -> list[messages.ItemView]:
        """The whole conversation as it is now, for a page that is new here or has missed something.

        What waits to be sent goes first: words that are in here must not be added once more afterwards.
        """
        if self._conversation is None:
            return []
        if self._timer is not None:
            self._timer.cancel()
            self._send()
        conversation = self._conversation
        after = _places(conversation.order)
        self._shown.update(conversation.order)
        return [_view(conversation, i, after[i]) for i in conversation.order]


def _places(order: list[str]) -> dict[str, str | None]:
    return dict(zip(order, [None, *order], strict=False))


def _view(conversation: Conversation, item_id: str, after: str | None) -> messages.ItemView:
    return item_view(conversation.items[item_id], after, transcribes=conversation.transcribes)


def item_view(item: Item, after: str | None, *, transcribes: bool) -> messages.ItemView:
    """One item as the page shows it. Spoken words that are still to be written down are in progress."""
    status: Any = "interrupted" if item.interrupted else item.status
    if transcribes and item.role == "user" and item.spoken and not item.transcribed:
        status = "in_progress"
    if item.problem is not None and not item.text:
        status = "failed"
    audio_ms = item.generated_samples / SAMPLES_PER_MS if item.generated_samples else item.audio_ms
    kind: Any = item.type if item.type in {"function_call", "function_call_output"} else "message"
    role: Any = item.role
    return {
        "item_id": item.item_id,
        "type": kind,
        "role": role,
        "text": item.text,
        "status": status,
        "after": after,
        "name": item.name,
        "arguments": item.arguments or None,
        "output": item.output,
        "heard_ms": item.heard_ms,
        "audio_ms": audio_ms,
        "reason": item.problem,
        "duration_ms": None,
    }
