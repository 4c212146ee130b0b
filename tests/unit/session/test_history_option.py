"""`history=...`: what is taken for a list of items, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from gip_nb.errors import BadSetting
from gip_nb.session.history_option import read_history
from gip_nb.session.settings import resolve, with_changes

USER: dict[str, Any] = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


def assistant(kind: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": kind, "text": "Hello."}]}


def test_items_of_either_dialect_are_made_canonical_and_copied() -> None:
    given: list[dict[str, Any]] = [
        USER,
        assistant("text"),
        assistant("output_text"),
        {"type": "item_reference", "id": "item_1"},
    ]
    found = read_history(given)
    assert found == (USER, assistant("output_text"), assistant("output_text"), given[3])
    found[0]["content"][0]["text"] = "other"
    assert USER["content"] == [{"type": "input_text", "text": "hi"}]
    assert read_history(None) == read_history([]) == read_history(()) == ()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("hi", "history is a str"),
        (USER, "history is a dict"),
        (iter([USER]), "history is a list_iterator"),
        ([USER, "hi"], r"history\[1\] is a str"),
        ([{"role": "user", "content": "hi"}], r"history\[0\] has no type"),
        ([{**USER, "content": "hi"}], "has a text for its content"),
        ([{**USER, "id": 5}], "has the id 5"),
        ([{**USER, "id": "a"}, {**USER, "id": "a"}], "two items of history have the id 'a'"),
        ([{**USER, "content": [{"type": "input_audio", "audio": b"x", "at": object()}]}], "JSON cannot"),
    ],
    ids=range(9),
)
def test_what_is_no_history_is_said_before_anything_connects(given: object, told: str) -> None:
    with pytest.raises(BadSetting, match=told) as caught:
        resolve("rehearsal", history=given, environment={})
    assert caught.value.next_step


def test_each_session_of_a_talk_begins_with_it_and_none_can_change_it() -> None:
    settings = resolve("rehearsal", history=[USER], environment={})
    assert with_changes(settings, {"instructions": "be brief"}).history == (USER,)
    with pytest.raises(BadSetting, match="history cannot change while a session runs"):
        with_changes(settings, {"history": []})
