"""`history=...`: items of an earlier talk that a session begins with, checked and made canonical. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from gip_nb.errors import BadSetting
from gip_nb.protocol.dialects import client_event_to_canonical
from gip_nb.session.trouble import must_be_json

__all__ = ["read_history"]

_SHAPE = "{'type': 'message', 'role': 'user', 'content': [{'type': 'input_text', 'text': '...'}]}"


def read_history(given: object) -> tuple[dict[str, Any], ...]:
    """The items, canonical, and a copy: what becomes of the given ones is nobody's concern.

    Args:
        given: a list of items as the API writes them, in either dialect; None is none.

    Raises:
        BadSetting: it is no list, one of them is no item, JSON cannot carry it, or two have the same id.
    """
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        raise BadSetting(
            f"history is a {type(given).__name__}", f"give a list of the API's items, such as [{_SHAPE}]."
        )
    items = tuple(_read_item(item, f"history[{n}]") for n, item in enumerate(given))
    ids = [item["id"] for item in items if "id" in item]
    twice = next((one for one in ids if ids.count(one) > 1), None)
    if twice is not None:
        raise BadSetting(
            f"two items of history have the id {twice!r}", "leave the ids out: they are made for you."
        )
    return items


def _read_item(item: object, name: str) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise BadSetting(f"{name} is a {type(item).__name__}", f"give the API's object: {_SHAPE}.")
    if not isinstance(item.get("type"), str):
        # Such as those of the chat completions API.
        raise BadSetting(f"{name} has no type", f"give the Realtime API's object: {_SHAPE}.")
    if not isinstance(item.get("id", ""), str):
        raise BadSetting(
            f"{name} has the id {item['id']!r}", "give it as text, or leave it out: it is made for you."
        )
    if isinstance(item.get("content"), str):
        raise BadSetting(f"{name} has a text for its content", f"give it in parts: {_SHAPE}.")
    event = {"type": "conversation.item.create", "item": copy.deepcopy(dict(item))}
    must_be_json(event)
    found: dict[str, Any] = client_event_to_canonical(event, "ga")["item"]
    return found
