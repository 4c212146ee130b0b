"""Which request an event answers, whose an error is, and what a server has not taken of an update."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.frames import Event
from gip_nb.protocol.outputs import Failed
from gip_nb.protocol.requests import Request, Requests, ignored_settings

UPDATE = "session.update"
UPDATED = "session.updated"
# Client event -> the server's, canonical: of those that are about an item, and of those that are not.
OF_ITEMS = {
    "conversation.item.create": "conversation.item.added",
    "conversation.item.delete": "conversation.item.deleted",
    "conversation.item.retrieve": "conversation.item.retrieved",
    "conversation.item.truncate": "conversation.item.truncated",
}
OF_NONE = {
    UPDATE: UPDATED,
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
}


def told(kind: str, item_id: str | None = None) -> Event:
    return Event(kind, {"type": kind} if item_id is None else {"type": kind, "item_id": item_id})


def failed(event_id: str | None = None) -> Failed:
    return Failed("it says no", "no", event_id)


class Sent:
    """Requests, and a short way to send one."""

    def __init__(self) -> None:
        self.requests = Requests()
        self.count = 0

    def __call__(self, kind: str = UPDATE, item_id: str | None = None, *, awaited: bool = False) -> Request:
        self.count += 1
        request = Request(kind, event_id=f"evt_{self.count}", item_id=item_id, awaited=awaited)
        self.requests.sent(request)
        return request


@pytest.fixture
def sent() -> Sent:
    return Sent()


# ----------------------------------------------------------------------------------------- which it answers


@pytest.mark.parametrize(("kind", "answer"), (OF_ITEMS | OF_NONE).items())
def test_each_request_is_done_by_its_own_event_and_by_no_other(sent: Sent, kind: str, answer: str) -> None:
    request = sent(kind, "a" if kind in OF_ITEMS else None)
    assert request.answer_type == answer
    for other in {*OF_ITEMS.values(), *OF_NONE.values()} - {answer}:
        assert sent.requests.answered(told(other, "a"), None) is None
    event = told(answer, "a")
    assert sent.requests.answered(event, None) is request
    assert (request.done, request.answer, request.failure) == (True, event, None)
    assert sent.requests.answered(event, None) is None, "once"


def test_an_event_that_nothing_answers_is_not_kept(sent: Sent) -> None:
    request = sent("response.cancel")
    assert request.answer_type == "response.cancel"
    assert sent.requests.refused(failed(request.event_id)) is None


@pytest.mark.parametrize("kind", OF_ITEMS)
def test_of_several_items_each_has_its_own_answer(sent: Sent, kind: str) -> None:
    requests = {name: sent(kind, name) for name in "abc"}
    assert sent.requests.answered(told(OF_ITEMS[kind], "x"), None) is None
    for name in "cab":
        assert sent.requests.answered(told(OF_ITEMS[kind], name), None) is requests[name]


def test_an_item_that_the_server_renamed_answers_for_ours(sent: Sent) -> None:
    request = sent("conversation.item.create", "ours")
    assert sent.requests.answered(told("conversation.item.added", "theirs"), "ours") is request


@pytest.mark.parametrize("kind", OF_NONE)
def test_what_names_no_item_is_answered_in_the_order_of_sending(sent: Sent, kind: str) -> None:
    first, second = sent(kind), sent(kind)
    assert sent.requests.answered(told(OF_NONE[kind], "any"), None) is first
    assert sent.requests.answered(told(OF_NONE[kind]), None) is second


@given(st.lists(st.sampled_from(["send", "answer", "refuse"]), max_size=40))
def test_in_any_order_each_request_is_done_once_and_the_oldest_first(steps: list[str]) -> None:
    sent, open_ones, done = Sent(), [], []
    for step in steps:
        if step == "send":
            open_ones.append(sent())
            continue
        if step == "answer":
            found = sent.requests.answered(told(UPDATED), None)
        else:
            found = sent.requests.refused(failed(open_ones[0].event_id if open_ones else "evt_none"))
        assert found is (open_ones.pop(0) if open_ones else None)
        done += [found] if found else []
    assert all(r.done and (r.answer is None) != (r.failure is None) for r in done)
    sent.requests.dropped(failed())
    assert all(r.done and r.failure == failed() for r in open_ones)
    assert sent.requests.answered(told(UPDATED), None) is None


# ----------------------------------------------------------------------------------------------- whose error


def test_an_error_is_of_the_request_that_it_names(sent: Sent) -> None:
    _, second, third = sent(awaited=True), sent(awaited=True), sent()
    assert sent.requests.refused(failed(second.event_id)) is second
    assert (second.done, second.failure) == (True, failed(second.event_id))
    assert sent.requests.refused(failed(second.event_id)) is None, "once"
    assert sent.requests.refused(failed(third.event_id)) is third
    assert sent.requests.refused(failed("evt_unknown")) is None


@pytest.mark.parametrize(("awaited", "found"), [([], None), ([1], 1), ([0, 2], None)])
def test_an_error_that_names_none_is_of_the_only_one_that_is_waited_for(
    sent: Sent, awaited: list[int], found: int | None
) -> None:
    requests = [sent(awaited=n in awaited) for n in range(3)]
    assert sent.requests.refused(failed()) is (None if found is None else requests[found])


def test_of_a_server_that_answers_nothing_only_the_newest_are_remembered(sent: Sent) -> None:
    first, *_, newest = [sent() for _ in range(300)]
    assert sent.requests.refused(failed(first.event_id)) is None
    assert sent.requests.refused(failed(newest.event_id)) is newest


def test_what_somebody_waits_for_is_never_forgotten(sent: Sent) -> None:
    waited_for = [sent(awaited=True) for _ in range(300)]
    assert [sent.requests.answered(told(UPDATED), None) for _ in waited_for] == waited_for


def test_one_that_was_given_up_is_answered_after_those_that_are_not(sent: Sent) -> None:
    given_up, newer = sent(), sent(awaited=True)
    given_up.given_up = True
    assert sent.requests.answered(told(UPDATED), None) is newer
    assert sent.requests.answered(told(UPDATED), None) is given_up, "late, and nobody else's"


# ----------------------------------------------------------------------------------------- ignored settings

TABLE: dict[str, tuple[object, object, list[str]]] = {
    "nothing was asked": ({}, {"voice": "ash"}, []),
    "as asked": ({"voice": "ash"}, {"voice": "ash", "speed": 1}, []),
    "another value": ({"voice": "ash"}, {"voice": "alloy"}, ["voice: asked for 'ash', is 'alloy'"]),
    "absent": ({"voice": "ash"}, {}, ["voice: asked for 'ash', is None"]),
    "nothing is told": ({"voice": "ash"}, {"id": "s"}, ["voice: asked for 'ash', is None"]),
    "none asked, absent": ({"turn_detection": None}, {}, []),
    "none asked, some told": (
        {"turn_detection": None},
        {"turn_detection": {"type": "server_vad"}},
        ["turn_detection: asked for None, is {'type': 'server_vad'}"],
    ),
    "part of an object": (
        {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}},
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.5}, "format": {}}}},
        [],
    ),
    "deep inside": (
        {"audio": {"output": {"voice": "ash", "speed": 1.5}}},
        {"audio": {"output": {"voice": "alloy"}}},
        [
            "audio.output.voice: asked for 'ash', is 'alloy'",
            "audio.output.speed: asked for 1.5, is None",
        ],
    ),
    "an object asked, none told": ({"audio": {"x": 1}}, {}, ["audio: asked for {'x': 1}, is None"]),
    "a 32-bit float": ({"temperature": 0.8}, {"temperature": 0.800000011920929}, []),
    "a whole number as a float": ({"speed": 1}, {"speed": 1.0}, []),
    "a float that is another": (
        {"temperature": 0.8},
        {"temperature": 0.81},
        ["temperature: asked for 0.8, is 0.81"],
    ),
    "whole numbers are exact": (
        {"max_output_tokens": 400_000},
        {"max_output_tokens": 400_001},
        ["max_output_tokens: asked for 400000, is 400001"],
    ),
    "a number beyond all floats": ({"n": 10**400}, {"n": 0.5}, [f"n: asked for {'1' + '0' * 56}..., is 0.5"]),
    "a number as a text": ({"speed": 1}, {"speed": "1"}, ["speed: asked for 1, is '1'"]),
    "the same list": ({"include": ["a", "b"]}, {"include": ["a", "b"]}, []),
    "a list in another order": (
        {"include": ["a", "b"]},
        {"include": ["b", "a"]},
        ["include: asked for ['a', 'b'], is ['b', 'a']"],
    ),
    "a shorter list": ({"include": ["a"]}, {"include": []}, ["include: asked for ['a'], is []"]),
    "tools with more in them": (
        {"tools": [{"type": "function", "name": "f"}]},
        {"tools": [{"type": "function", "name": "f", "description": None, "strict": False}]},
        [],
    ),
    "another tool": (
        {"tools": [{"name": "f"}]},
        {"tools": [{"name": "g"}]},
        ["tools: asked for [{'name': 'f'}], is [{'name': 'g'}]"],
    ),
    "beta's tool choice is a name": (
        {"tool_choice": {"type": "function", "name": "f"}},
        {"tool_choice": "f"},
        [],
    ),
    "another tool's name": (
        {"tool_choice": {"type": "function", "name": "f"}},
        {"tool_choice": "g"},
        ["tool_choice: asked for {'type': 'function', 'name': 'f'}, is 'g'"],
    ),
    "a name is a choice at the top alone": (
        {"x": {"tool_choice": {"name": "f"}}},
        {"x": {"tool_choice": "f"}},
        ["x.tool_choice: asked for {'name': 'f'}, is 'f'"],
    ),
    "a long text is shortened": (
        {"instructions": "a" * 100},
        {"instructions": "b"},
        ["instructions: asked for '" + "a" * 56 + "..., is 'b'"],
    ),
}


@pytest.mark.parametrize(("asked", "session", "lines"), TABLE.values(), ids=TABLE)
def test_what_a_server_ignored(asked: object, session: object, lines: list[str]) -> None:
    before = copy.deepcopy((asked, session))
    assert ignored_settings(asked, session) == lines
    assert (asked, session) == before


NAMES = st.sampled_from(["a", "b", "tool_choice", "name"])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_server_that_does_as_asked_ignores_nothing(asked: dict[str, Any]) -> None:
    assert ignored_settings(asked, copy.deepcopy(asked)) == []


def more(value: object) -> object:
    """The same, and in each object a field more: what a server fills in."""
    if isinstance(value, dict):
        return {"filled in": 1, **{key: more(inner) for key, inner in value.items()}}
    return [more(inner) for inner in value] if isinstance(value, list) else value


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_a_server_fills_in_is_nothing_ignored(asked: dict[str, Any]) -> None:
    assert ignored_settings(asked, more(asked)) == []


@given(VALUES, VALUES)
def test_any_two_values_are_compared_without_an_error(asked: object, session: object) -> None:
    for line in ignored_settings({"x": asked}, {"x": session}):
        assert line.startswith("x")
        assert "asked for" in line


@given(st.dictionaries(st.sampled_from("abc"), PLAIN.filter(lambda v: v is not None), min_size=1))
def test_each_field_that_is_not_there_is_a_line_of_its_own(asked: dict[str, Any]) -> None:
    lines = ignored_settings({"audio": asked}, {"audio": {}})
    assert [line.partition(":")[0] for line in lines] == [f"audio.{name}" for name in asked]
