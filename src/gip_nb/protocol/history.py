"""A conversation as the items that restore it on another connection: what a fork or a reconnect sends. Pure.

Sound cannot be restored: words go in as text, of an answer that was cut short those that were heard. Source:
the Realtime API's guide on conversations; an assistant's item is made of text alone.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.protocol.items import heard_text, is_unheard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.items import Item

__all__ = [
    "NOT_ANSWERED",
    "UNTRANSCRIBED",
    "HeardAgain",
    "Restored",
    "heard_again",
    "history_items",
    "restored_items",
    "without_words",
]

UNTRANSCRIBED = "[audio of the user, without a transcript]"
"""In place of words that nobody wrote down. Without it an answer would stand there that nobody asked for."""
NOT_ANSWERED = "error: the talk ended before this call was answered; the function may have run"
"""The output of a call whose function began here and whose own output was never sent."""

_CALL, _OUTPUT, _MESSAGE = "function_call", "function_call_output", "message"


class Restored(NamedTuple):
    """One item of the history.

    Attributes:
        source_id: the item that it comes from; None for an output that stands in for a missing one.
        fields: canonical, as `conversation.item.create` takes it, without an id.
    """

    source_id: str | None
    fields: dict[str, Any]


def history_items(conversation: Conversation, up_to_turn: int | None = None) -> list[dict[str, Any]]:
    """The items that restore a conversation, in its order: canonical, and without ids.

    Words that were typed or transcribed are text, and so are answers: of one that was cut short, what was
    heard. Left out: what was deleted, refused, heard by nobody or said beside the conversation; an answer
    that is still being given; images; and a call that no output answers, unless its function began.

    Args:
        conversation: is left as it was.
        up_to_turn: the last turn to restore; None is all. What belongs to no turn (a system message, a
            history restored before) counts to the turn before it.
    """
    return [item.fields for item in restored_items(conversation, up_to_turn)]


def restored_items(
    conversation: Conversation,
    up_to_turn: int | None = None,
    *,
    open_calls: AbstractSet[str] = frozenset(),
    sounds: Mapping[str, bytes] | None = None,
) -> list[Restored]:
    """As `history_items`, each with the item that it comes from.

    Args:
        conversation: is left as it was.
        up_to_turn: the last turn to restore; None is all.
        open_calls: `call_id`s whose output is still to come: these calls are restored without one.
        sounds: by item id, what was said in place of words that nobody wrote down, in the wire's format.
    """
    there = [i for i in conversation.ordered() if _is_settled(conversation, i)]
    # An output belongs to its call, whatever turn had begun when it came.
    outputs = {i.call_id: i for i in reversed(there) if i.type == _OUTPUT}
    place = {i.item_id: n for n, i in enumerate(there)}
    unanswered: set[str] = set()
    found: list[Restored] = []
    past = False
    for item in there:
        past = past or (up_to_turn is not None and (item.turn or 0) > up_to_turn)
        if item.type == _OUTPUT:
            if item.call_id in unanswered:
                unanswered.remove(item.call_id)
                found.append(_output(item))
        elif past and (item.turn is None or item.turn > (up_to_turn or 0)):
            continue
        elif item.type == _CALL:
            output = outputs.get(item.call_id)
            if output is None and item.call_id in open_calls:
                found.append(_open_call(item))
                continue
            is_before = output is not None and place[output.item_id] < place[item.item_id]
            restored = list(_call(item, output, with_output=is_before))
            found += restored
            if len(restored) == 1 and item.call_id is not None:
                unanswered.add(item.call_id)
        elif item.type == _MESSAGE:
            sound = (sounds or {}).get(item.item_id)
            found += [_sounding(item, sound)] if sound else _message(item)
    return found


class HeardAgain(NamedTuple):
    """What of an answer was heard, for a server that was given all of its words.

    Attributes:
        words: that were heard.
        event: the `conversation.item.create` that puts them where the answer stood.
    """

    words: str
    event: dict[str, Any]


def heard_again(conversation: Conversation, item: Item) -> HeardAgain | None:
    """What was heard of an answer of an earlier connection, once it is deleted; None where nothing was."""
    if is_unheard(item):
        return None
    for restored in _message(item):
        event = {
            "type": "conversation.item.create",
            "previous_item_id": _before(conversation, item.item_id),
            "item": {**restored.fields, "id": item.item_id},
        }
        return HeardAgain(restored.fields["content"][0]["text"], event)
    return None


def _before(conversation: Conversation, item_id: str) -> str:
    """After which item it stands at the server: pictures, and what was just forgotten, are not there."""
    before = conversation.order[: conversation.order.index(item_id)] if item_id in conversation.order else []
    there = [i for i in before if conversation.is_there(i) and not is_unheard(conversation.items[i])]
    return there[-1] if there else "root"


def without_words(conversation: Conversation) -> list[str]:
    """The utterances of the user that nobody wrote down, in the conversation's order: their item ids."""
    there = (i for i in conversation.ordered() if _is_settled(conversation, i))
    return [i.item_id for i in there if i.role == "user" and i.spoken and not i.text.strip()]


def _is_settled(conversation: Conversation, item: Item) -> bool:
    """Whether it is part of the conversation, and whole, or cut where it was interrupted."""
    response = conversation.responses.get(item.response_id or "")
    if item.deleted or (response is not None and response.beside):
        return False
    if response is not None and response.lost:
        # A connection broke it off. What somebody heard of it counts; what nobody has is given anew.
        whole = item.type == _MESSAGE and item.role == "assistant"
        return whole and bool(item.delivered_samples or item.heard_ms)
    is_growing = response is not None and response.active and item.status == "in_progress"
    return not is_growing or item.interrupted


def _message(item: Item) -> Iterator[Restored]:
    if item.role == "assistant":
        # Where its words are missing, it is left out: what stood there instead, the model would take for its
        # own way of talking.
        words = heard_text(item).strip()
        kind = "output_text"
    else:
        words = item.text.strip() or (UNTRANSCRIBED if item.spoken else "")
        kind = "input_text"
    if words and item.role is not None:
        content = [{"type": kind, "text": words}]
        yield Restored(item.item_id, {"type": _MESSAGE, "role": item.role, "content": content})


def _sounding(item: Item, sound: bytes) -> Restored:
    content = [{"type": "input_audio", "audio": base64.b64encode(sound).decode("ascii")}]
    return Restored(item.item_id, {"type": _MESSAGE, "role": "user", "content": content})


def _open_call(item: Item) -> Restored:
    fields = {"call_id": item.call_id, "name": item.name, "arguments": item.arguments or "{}"}
    return Restored(item.item_id, {"type": _CALL, **fields})


def _call(item: Item, output: Item | None, *, with_output: bool) -> Iterator[Restored]:
    """A call, and its output where that is not still to come: none may stay unanswered."""
    if item.call_id is None or not item.name or (output is None and item.run_s is None):
        return
    yield _open_call(item)
    if output is None:
        yield Restored(None, {"type": _OUTPUT, "call_id": item.call_id, "output": NOT_ANSWERED})
    elif with_output:
        # Some client put it there.
        yield _output(output)


def _output(item: Item) -> Restored:
    return Restored(item.item_id, {"type": _OUTPUT, "call_id": item.call_id, "output": item.output or ""})
