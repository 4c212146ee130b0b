"""A conversation restored on another connection: the server there remembers the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.protocol.conversation import Conversation, reduce
from gip_nb.protocol.dialects import client_event_to_wire
from gip_nb.protocol.frames import Event
from gip_nb.protocol.history import NOT_ANSWERED, UNTRANSCRIBED, history_items, restored_items
from gip_nb.protocol.items import heard_text
from gip_nb.protocol.server.parts import Call, Say
from tests.unit.protocol import talks
from tests.unit.protocol.server.server_end import ServerEnd, tone
from tests.unit.protocol.shapes import validate
from tests.unit.protocol.talks import TALKS, ask, long_answer, new_pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gip_nb.protocol.events import Dialect
    from tests.unit.protocol.pair import ProtocolPair

    Line = tuple[str, str, str]

both = pytest.mark.parametrize("dialect", ["beta", "ga"])
ITEM = "conversation.item.create"


def remembered(items: Sequence[dict[str, Any]], dialect: Dialect) -> list[Line]:
    """What a fresh server has in mind after these items: (role, words, tool's name)."""
    server = ServerEnd(dialect)
    for n, item in enumerate(items):
        wire = client_event_to_wire({"type": ITEM, "item": {**item, "id": f"item_{n}"}}, dialect)
        validate(dialect, "client", wire)
        told = server.send(wire.pop("type"), **wire)
        assert "error" not in [event["type"] for event in told], told
    return [(line.role, line.text, line.name) for line in server.protocol._memory.lines()]


def meant(pair: ProtocolPair) -> list[Line]:
    """The same of the server that the talk was with, as far as its client was told."""
    found = []
    memory = list(pair.server.protocol._memory)
    for stored, line in zip(memory, pair.server.protocol._memory.lines(), strict=True):
        ours = pair.client.conversation.items[stored.item_id]
        words = line.text
        if ours.interrupted:
            # The server knows to the word what of it was spoken, the client to the share.
            words = heard_text(ours)
        elif ours.spoken and ours.role == "user":
            words = ours.text or UNTRANSCRIBED
        if words:
            found.append(("user" if line.role == "silence" else line.role, words, line.name))
    return found


def assert_calls_are_answered(items: Sequence[dict[str, Any]]) -> None:
    kinds = [(item["type"], item.get("call_id")) for item in items]
    for kind, call_id in kinds:
        if kind == "function_call":
            assert kinds.count(("function_call_output", call_id)) == 1
        elif kind == "function_call_output":
            assert kinds.index(("function_call", call_id)) < kinds.index((kind, call_id))


@both
@pytest.mark.parametrize("name", TALKS)
def test_another_server_remembers_the_same_words_in_the_same_order(dialect: Dialect, name: str) -> None:
    pair = new_pair(dialect)
    TALKS[name](pair)
    pair.run()
    items = history_items(pair.client.conversation)
    for other in ("beta", "ga"):
        assert remembered(items, other) == meant(pair)
    assert_calls_are_answered(items)
    assert all("id" not in item for item in items)


def chats(pair: ProtocolPair) -> None:
    ask(pair, "and then?")


def is_heard_in_part(pair: ProtocolPair) -> None:
    pair.server.says = [Say("It is a long story that began many years ago.")]
    long_answer(pair, 1500)
    pair.do(lambda c: c.interrupt())


def presses(pair: ProtocolPair) -> None:
    talks.turn_detection(pair, None)
    pair.do(lambda c: c.press())
    pair.speak(tone(500))
    pair.do(lambda c: c.release())


def edits(pair: ProtocolPair) -> None:
    pair.do(lambda c: c.send_text("Be kind.", "system"))
    first = pair.do(lambda c: c.send_text("one"))
    pair.do(lambda c: c.add_item(said("user", "zero", "item_zero")["item"], "root"))
    pair.do(lambda c: c.add_item(said("assistant", "half", "item_half")["item"], "item_zero"))
    pair.do(lambda c: c.delete(str(first.item_id)))


def calls(pair: ProtocolPair) -> None:
    pair.server.says = lambda prompt: [
        Say("It is there.") if prompt.lines[-1].role == "output" else Call("look", '{"where": "here"}')
    ]
    pair.tools["look"] = lambda _arguments: "seen"
    ask(pair, "where is it?")


PIECES = (chats, is_heard_in_part, talks.utter, presses, edits, calls)


@settings(max_examples=10)
@given(
    dialect=st.sampled_from(["beta", "ga"]),
    pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=3, unique=True),
    data=st.data(),
)
def test_so_it_does_after_any_talk_and_up_to_any_turn(
    dialect: Dialect, pieces: list[Any], data: st.DataObject
) -> None:
    pair = new_pair(dialect)
    for piece in pieces:
        pair.server.says = [Say("Good morning to you all.")]
        pair.server.speech_ms = 250
        piece(pair)
        pair.run()
    conversation = pair.client.conversation
    whole = restored_items(conversation)
    assert remembered([i.fields for i in whole], dialect) == meant(pair)
    last = data.draw(st.integers(0, len(conversation.turns)))
    part = restored_items(conversation, last)
    assert [i for i in whole if i in part] == part
    turns = {i.source_id: conversation.items[i.source_id].turn for i in whole if i.source_id is not None}
    assert {i.source_id for i in part} >= {i for i, turn in turns.items() if turn and turn <= last}
    answered = {i.fields["call_id"] for i in part if i.fields["type"] == "function_call"}
    for item in part:
        assert (turns.get(item.source_id or "") or 0) <= last or item.fields.get("call_id") in answered
    assert_calls_are_answered([i.fields for i in part])


# ---------------------------------------------------------------------------------------- one thing at a time


def told(*events: dict[str, Any]) -> Conversation:
    """The conversation of these events of the server; a `sent` in one says that it is the client's."""
    conversation = Conversation()
    for n, fields in enumerate(events):
        direction = fields.get("direction", "received")
        reduce(conversation, Event(fields["type"], fields), direction, n / 10)
    return conversation


def said(role: str, text: str, item_id: str) -> dict[str, Any]:
    content = [{"type": "output_text" if role == "assistant" else "input_text", "text": text}]
    item = {"id": item_id, "type": "message", "role": role, "content": content}
    return {"type": ITEM, "direction": "sent", "item": item}


def called(call_id: str = "call_1", item_id: str = "item_call") -> list[dict[str, Any]]:
    item = {"id": item_id, "type": "function_call", "name": "look", "call_id": call_id, "arguments": ""}
    response = {"id": "resp", "status": "completed", "output": [{**item, "status": "completed"}]}
    return [
        {"type": "response.created", "response": {"id": "resp"}},
        {"type": "response.output_item.added", "response_id": "resp", "item": item},
        {"type": "response.done", "response": response},
    ]


def output(call_id: str = "call_1", text: str = "seen", item_id: str = "item_out") -> dict[str, Any]:
    item = {"id": item_id, "type": "function_call_output", "call_id": call_id, "output": text}
    return {"type": ITEM, "direction": "sent", "item": item}


def kinds(conversation: Conversation, turn: int | None = None) -> list[str]:
    return [
        item["type"] if item["type"] != "message" else f"{item['role']}: {item['content'][0]['text']}"
        for item in history_items(conversation, turn)
    ]


def test_a_call_of_which_nothing_came_is_left_out_and_one_that_began_has_an_error() -> None:
    asked = said("user", "look", "item_1")
    assert kinds(told(asked, *called())) == ["user: look"]
    began = {"type": "local.tool.started", "direction": "local", "call_id": "call_1", "name": "look"}
    call, answer = history_items(told(asked, *called(), began))[1:]
    assert (call["name"], call["arguments"]) == ("look", "{}")
    assert answer == {"type": "function_call_output", "call_id": "call_1", "output": NOT_ANSWERED}


def test_an_output_without_its_call_is_left_out_and_one_before_it_comes_after() -> None:
    assert kinds(told(said("user", "look", "item_1"), output())) == ["user: look"]
    before = output() | {"previous_item_id": "root"}
    assert kinds(told(*called(), before)) == ["function_call", "function_call_output"]
    twice = [output(), output(text="again", item_id="item_2")]
    assert [i.get("output") for i in history_items(told(*called(), *twice))] == [None, "seen"]


def test_an_output_without_words_is_one() -> None:
    assert history_items(told(*called(), output(text="")))[1]["output"] == ""


def test_an_output_that_came_when_the_next_turn_had_begun_goes_with_its_call() -> None:
    talk = told(said("user", "look", "item_1"), *called(), said("user", "hurry", "item_2"), output())
    assert kinds(talk, 1) == ["user: look", "function_call", "function_call_output"]
    assert kinds(talk, 2) == ["user: look", "function_call", "user: hurry", "function_call_output"]


def test_what_belongs_to_no_turn_counts_to_the_one_before_it() -> None:
    talk = told(
        said("system", "be kind", "item_0"),
        said("user", "one", "item_1"),
        said("system", "be brief", "item_2"),
        said("user", "two", "item_3"),
        said("system", "be gone", "item_4"),
    )
    assert kinds(talk, 0) == ["system: be kind"]
    assert kinds(talk, 1) == ["system: be kind", "user: one", "system: be brief"]
    assert kinds(talk, 2) == kinds(talk)


@both
def test_an_answer_that_is_being_given_is_left_out_until_it_is_cut(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.server.says = [Say("Well, as I was about to say.")]
    long_answer(pair, 600)
    assert [i["role"] for i in history_items(pair.client.conversation)] == ["user"]
    pair.do(lambda c: c.interrupt())
    pair.run()
    _, answer = history_items(pair.client.conversation)
    assert answer["content"] == [{"type": "output_text", "text": "Well,"}]


@both
def test_an_answer_of_which_nothing_was_heard_is_left_out(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    assert pair.player is not None
    pair.server.speech_ms = 4000
    ask(pair)
    # A tenth of a second of "Good morning to you all.", four seconds long.
    pair.run(until=lambda: sum(pair.player.played.values() if pair.player else ()) >= 100 * 24)
    pair.do(lambda c: c.interrupt())
    pair.run()
    assert len(pair.client.conversation.order) == 2
    assert [i["role"] for i in history_items(pair.client.conversation)] == ["user"]


@both
def test_what_is_said_beside_the_conversation_is_left_out(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    ask(pair, conversation="none", output_modalities=["text"])
    pair.run()
    assert kinds(pair.client.conversation) == ["user: hello"]


# ---------------------------------------------------------------------------------- what it is to the reducer


def restoring(*items: dict[str, Any], ids: Sequence[str]) -> Conversation:
    row = {"type": "local.history", "direction": "local", "item_ids": list(ids), "source": "given"}
    return told(row, *items)


def test_items_that_restore_a_talk_open_no_turn_and_belong_to_none() -> None:
    sound = {"type": "input_audio", "audio": "AAAA" * 1600}
    spoken = {"id": "item_2", "type": "message", "role": "user", "content": [sound]}
    talk = restoring(
        said("user", "hello", "item_1"),
        {"type": ITEM, "direction": "sent", "item": spoken},
        said("assistant", "Hi.", "item_3"),
        output(item_id="item_4"),
        *({"type": "conversation.item.added", "item": {"id": f"item_{n}"}} for n in range(1, 5)),
        said("user", "and now?", "item_5"),
        said("assistant", "Now.", "item_6"),
        ids=[f"item_{n}" for n in range(1, 5)],
    )
    assert [(i.restored, i.turn) for i in talk.items.values()] == [(True, None)] * 4 + [(False, 1)] * 2
    assert talk.items["item_2"].audio_ms is None
    assert talk.turns[0].item_ids == ["item_5", "item_6"]
    assert talk.order == [f"item_{n}" for n in range(1, 7)]


def test_restored_items_keep_out_of_the_turns_where_a_server_names_them_anew() -> None:
    item = {**said("user", "hello", "other")["item"], "status": "completed"}
    added = {"type": "conversation.item.added", "item": item}
    talk = restoring(said("user", "hello", "item_1"), added, ids=["item_1"])
    assert (list(talk.items), talk.items["other"].restored, talk.turns) == (["other"], True, [])


def test_what_is_refused_of_a_long_history_is_not_there() -> None:
    ids = [f"item_{n}" for n in range(200)]
    sent = [said("user", "hello", i) | {"event_id": f"evt_{i}"} for i in ids]
    refused = {"type": "error", "error": {"message": "no", "event_id": "evt_item_0"}}
    talk = restoring(*sent, refused, ids=ids)
    assert talk.order == ids[1:]
    assert talk.items["item_0"].problem == "the server refused it"
    assert history_items(talk, 0) == history_items(talk)
