"""Ids that the server of a later connection uses anew: who bore them before gets another name.

A part of `Conversation`, as conversation_rules.py. Some servers count their responses and items from one on
each connection; without this their second answer would be taken for the first one, told twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gip_nb.protocol.conversation import Conversation

__all__ = ["free_item_id", "free_response_id", "rename_item"]


def free_response_id(c: Conversation, response_id: str | None) -> None:
    """A response with this id begins: one of an earlier connection is not this one."""
    found = c.responses.get(response_id or "")
    if found is None or found.connection == c.connection:
        return
    old, new = found.response_id, f"{found.response_id}_c{found.connection}"
    found.response_id = new
    # In its old place: tables list them in the order of their arrival.
    c.responses = {new if r == old else r: response for r, response in c.responses.items()}
    for turn in c.turns:
        turn.response_ids[:] = [new if r == old else r for r in turn.response_ids]
    for item in c.items.values():
        if item.response_id == old:
            item.response_id = new


def free_item_id(c: Conversation, item_id: str | None) -> None:
    """An item with this id begins, made by the server: one of an earlier connection is not this one."""
    found = c.items.get(item_id or "")
    if found is None or found.connection == c.connection:
        return
    old = found.item_id
    rename_item(c, old, f"{old}_c{found.connection}")
    c._given_again.pop(old, None)
    c._remade.discard(old)
    c._committed.discard(old)
    c._speech_end.pop(old, None)
    c._speech_stopped_s.pop(old, None)


def rename_item(c: Conversation, old: str, new: str) -> None:
    """It has another id from now on, wherever it stands."""
    c.items[new] = c.items.pop(old)
    c.items[new].item_id = new
    made = (response.item_ids for response in c.responses.values())
    for names in (c.order, *c._orphans.values(), *(turn.item_ids for turn in c.turns), *made):
        names[:] = [new if i == old else i for i in names]
    for item in c.items.values():
        if item.after == old:
            item.after = new
