"""What the page shows of a conversation: which rows, in which order, and what is in each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.protocol.items import SAMPLES_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gip_nb.notebook import messages
    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.items import Item
    from gip_nb.protocol.turns import Response, Turn

__all__ = ["Shown", "is_answer", "item_view", "label_places", "place_of", "shown"]

# So begins what a tool answers that has failed; see tools.py.
_TOOL_FAILED = "error:"
_OUTPUT = "function_call_output"


class Shown(NamedTuple):
    """The rows of a conversation.

    Attributes:
        after: by id, in order: the id of the row before.
        output_of: by a call's id, the item that answers it, which has no row of its own.
        call_of: the same the other way round.
        fruitless: by id, the responses that have a row because they brought forth no item.
        labelled: by id, the rows where the labels of turns stand.
    """

    conversation: Conversation
    after: dict[str, str | None]
    output_of: dict[str, str]
    call_of: dict[str, str]
    fruitless: dict[str, Response]
    labelled: dict[str, Turn]

    def item(self, row_id: str) -> messages.ItemView:
        """One row."""
        view = self._unlabelled(row_id)
        here, number = self.labelled.get(row_id), view["turn"]
        if here is not None:
            view["label"], view["tags"] = here.label, list(here.tags)
        if number is not None and (here or is_answer(view["type"], view["role"])):
            rating: Any = self.conversation.turns[number - 1].rating
            view["rating"] = rating
        return view

    def with_moved_labels(self, row_ids: Iterable[str]) -> list[str]:
        """These rows, and the others of their turns between which a label may have moved."""
        found = dict.fromkeys(row_ids)
        for number in {self.conversation.turn_of(i, i) for i in found}:
            turn = None if number is None else self.conversation.turns[number - 1]
            if turn is not None and turn.labelled:
                found |= dict.fromkeys((*turn.item_ids, *turn.response_ids))
        return list(found)

    def _unlabelled(self, row_id: str) -> messages.ItemView:
        after = self.after[row_id]
        response = self.fruitless.get(row_id)
        if response is not None:
            return _response_view(response, after)
        items = self.conversation.items
        item = items[row_id]
        output = items.get(self.output_of.get(row_id, ""))
        return item_view(
            item,
            after,
            transcribes=self.conversation.transcribes,
            output=item.output if output is None else output.output or output.text,
            response=self.conversation.responses.get(item.response_id or ""),
        )


def shown(conversation: Conversation) -> Shown:
    """The rows, as the conversation is now."""
    items = conversation.items
    there = conversation.ordered()
    calls = {i.call_id: i.item_id for i in there if i.type == "function_call" and i.call_id is not None}
    # Deleted ones too: then the call is to be shown without.
    outputs = [i for i in items.values() if i.type == _OUTPUT] if calls else []
    call_of = {i.item_id: calls[i.call_id] for i in outputs if i.call_id in calls}
    rows = [i for i in conversation.order if i not in call_of]
    fruitless = {r.response_id: r for r in conversation.responses.values() if _is_fruitless(r)}
    for response in fruitless.values():
        # After what its turn has, which is where it would have been.
        turn = set(conversation.turns[response.turn - 1].item_ids)
        last = max((n for n, i in enumerate(rows) if i in turn), default=len(rows) - 1)
        rows.insert(last + 1, response.response_id)
    answers = ((r, fruitless[r].turn, True) if r in fruitless else place_of(items[r]) for r in rows)
    return Shown(
        conversation=conversation,
        after=dict(zip(rows, [None, *rows], strict=False)),
        output_of={call: output for output, call in call_of.items() if not items[output].deleted},
        call_of=call_of,
        fruitless=fruitless,
        labelled=label_places(conversation, answers),
    )


def place_of(item: Item) -> tuple[str, int | None, bool]:
    """An item's row, for `label_places`."""
    return item.item_id, item.turn, is_answer(_kind(item), item.role)


def _kind(item: Item) -> Any:  # noqa: ANN401 - one of the three words
    return item.type if item.type in {"function_call", _OUTPUT} else "message"


def is_answer(kind: str, role: str | None) -> bool:
    """Whether a row is one of the model's answers, which can be rated. Before it has a role, it is."""
    return kind == "message" and role in {"assistant", None}


def label_places(conversation: Conversation, rows: Iterable[tuple[str, int | None, bool]]) -> dict[str, Turn]:
    """Where labels stand: at the last answer of their turn, or at its last row where it has none.

    Args:
        conversation: whose turns they are.
        rows: in order: their id, their turn, and whether they are answers.
    """
    turns = {t.turn: t for t in conversation.turns if t.labelled}
    if not turns:
        return {}
    places: dict[int, tuple[str, bool]] = {}
    for row_id, number, answers in rows:
        if number in turns and (answers or not places.get(number, ("", False))[1]):
            places[number] = row_id, answers
    return {row_id: turns[number] for number, (row_id, _) in places.items()}


def _is_fruitless(response: Response) -> bool:
    return response.status in {"failed", "incomplete"} and not response.item_ids and not response.beside


def item_view(
    item: Item,
    after: str | None,
    *,
    transcribes: bool,
    output: str | None = None,
    response: Response | None = None,
) -> messages.ItemView:
    """One item as the page shows it. Spoken words that are still to be written down are in progress.

    Args:
        item: what is shown.
        after: the row before it.
        transcribes: whether the user's words are written down.
        output: of a function call, what came of it.
        response: that it is part of.
    """
    kind = _kind(item)
    # Before it is known that it is a call, it is taken for words of the model's.
    role: Any = item.role if kind == "message" else None
    audio_ms = item.generated_samples / SAMPLES_PER_MS if item.generated_samples else item.audio_ms
    status = _status(item, output, response, transcribes=transcribes)
    return {
        "item_id": item.item_id,
        "type": kind,
        "role": role,
        "text": item.text,
        "status": status,
        "after": after,
        "name": item.name,
        # Who is asked sees what runs, to the last digit.
        "arguments": item.checked_arguments or item.arguments or None,
        "output": output,
        "heard_ms": item.heard_ms,
        "audio_ms": audio_ms,
        "reason": item.problem or (_reason(response) if status in {"incomplete", "failed"} else None),
        "duration_ms": item.duration_ms,
        "call": _call_view(item),
        "turn": item.turn,
        "rating": None,
        "label": None,
        "tags": [],
    }


def _call_view(item: Item) -> messages.CallView | None:
    if item.call_state is None:
        return None
    return {
        "state": item.call_state,
        "since_ms": item.call_state_unix_ms,
        "until_ms": item.call_until_unix_ms,
        "traceback": item.traceback,
    }


def _status(item: Item, output: str | None, response: Response | None, *, transcribes: bool) -> Any:  # noqa: ANN401 - one of the five words
    if item.problem is not None and not item.text:
        return "failed"
    if item.interrupted:
        return "interrupted"
    if transcribes and item.role == "user" and item.spoken and not item.transcribed:
        return "in_progress"
    if item.type == "function_call" and item.status == "completed":
        return _call_status(item, output)
    failed = item.status == "incomplete" and response is not None and response.status == "failed"
    return "failed" if failed else item.status


def _call_status(call: Item, output: str | None) -> str:
    if output is not None:
        return "failed" if output.startswith(_TOOL_FAILED) else "completed"
    if call.call_state in {"asked", "waiting"}:
        return "in_progress"
    # Until it has answered it runs, where it runs here.
    return "completed" if call.run_s is None or call.duration_ms is not None else "in_progress"


def _reason(response: Response | None) -> str | None:
    """Why a response is not whole, in the server's words."""
    if response is None or response.status == "completed":
        return None
    if response.status == "cancelled":
        return "cancelled"
    return response.error or response.reason


def _response_view(response: Response, after: str | None) -> messages.ItemView:
    status: Any = response.status
    return {
        "item_id": response.response_id,
        "type": "message",
        "role": None,
        "text": "",
        "status": status,
        "after": after,
        "name": None,
        "arguments": None,
        "output": None,
        "heard_ms": None,
        "audio_ms": None,
        "reason": _reason(response),
        "duration_ms": None,
        "call": None,
        "turn": response.turn,
        "rating": None,
        "label": None,
        "tags": [],
    }
