"""A model's arguments on their way through a talk: taken, refused, or shown to whoever is to allow them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gip_nb.notebook.item_view import shown as conversation_rows
from tests.sim.session.called import SETTLE_S, Talk, shown

# A model's slips, and numbers that a page's own reading of JSON would change. What is shown for each.
WRITTEN = {
    '{"user_id": 9007199254740993}': '{"user_id": 9007199254740993}',
    '{"user_id": 9007199254740993.0}': '{"user_id": 9007199254740992.0}',
    '{"user_id": 1, "x": 1e400}': '{"user_id": 1, "x": Infinity}',
    '{"user_id": 1, "user_id": 2}': '{"user_id": 2}',
    '{"user_id": 1, "tags": null}': '{"user_id": 1}',
    '{"user_id": 1, "tags": "[\\"a\\", \\"b\\\\u002f\\"]"}': '{"user_id": 1, "tags": ["a", "b/"]}',
    '{"user_id": 1, "text": "half \\ud800"}': '{"user_id": 1, "text": "half ?"}',
    json.dumps('{"user_id": 3}'): '{"user_id": 3}',
    " ": "{}",
}

NO_TAGS: list[str] = []


class Ran:
    """A tool, and what it was called with."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def __call__(
        self,
        user_id: int = 0,
        x: float = 0.0,
        tags: list[str] = NO_TAGS,
        text: str = "",
    ) -> str:
        """Delete a user."""
        self.given.append({"user_id": user_id, "x": x, "tags": tags, "text": text})
        return "done"


def card(talk: Talk) -> dict[str, Any]:
    """The newest row as a page has it."""
    rows = conversation_rows(talk.session._session.protocol.conversation)
    return dict(rows.item(list(rows.after)[-1]))


@pytest.fixture
def ran() -> Ran:
    return Ran()


@pytest.mark.parametrize(("written", "told"), WRITTEN.items(), ids=WRITTEN)
def test_a_page_is_shown_what_runs(written: str, told: str, ran: Ran) -> None:
    with shown([ran], [("ran", written)], approve=True) as talk:
        talk.respond()
        talk.has_asked()
        assert talk.rows("asked")[0]["arguments"] == told
        talk.until(lambda: (card(talk)["call"] or {}).get("state") == "asked", "the card")
        assert card(talk)["arguments"] == told
        assert talk.allow("call_1", "once")
        talk.settled()
    usual = {"user_id": 0, "x": 0.0, "tags": [], "text": ""}
    assert ran.given == [usual | json.loads(told)]


@pytest.mark.parametrize("written", WRITTEN, ids=WRITTEN)
def test_a_function_that_is_asked_is_told_what_runs(written: str, ran: Ran) -> None:
    told: list[dict[str, Any]] = []

    def allows(_name: str, arguments: dict[str, Any]) -> bool:
        told.append(arguments)
        return True

    with Talk([ran], [("ran", written)], approve=allows) as talk:
        talk.session.ask("go", timeout_s=SETTLE_S)
    assert told == [json.loads(WRITTEN[written])]
    assert [told[0].items() <= given.items() for given in ran.given] == [True]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "done"),
        (" ", "done"),
        ("null", "done"),
        ('"{}"', "done"),
        (json.dumps('{"user_id": 3}'), "done"),
        ("{", "error: the arguments are not JSON"),
        ("[1]", "error: the arguments are no JSON object but a list of 1"),
        ("1" * 5000, "error: the arguments are not JSON"),
        ('{"user": 3}', "error: bad arguments: user: there is no such argument; did you mean 'user_id'?"),
    ],
)
def test_whatever_is_written_leaves_an_outcome(written: str, told: str, ran: Ran) -> None:
    with Talk([ran], [("ran", written)]) as talk:
        talk.session.ask("go", timeout_s=SETTLE_S)
        ((_, output),) = talk.outputs
        assert output.startswith(told)
        (row,) = talk.session.tool_calls.to_dict("records")
    outcome = "done" if told == "done" else "failed"
    assert (row["outcome"], len(ran.given)) == (outcome, int(told == "done"))
    assert row["duration_ms"] >= 0
