"""Rows that the page shows of a conversation: calls with their outputs, reasons, durations."""

from __future__ import annotations

from typing import Any

import pytest

from gip_nb.notebook.item_view import shown
from gip_nb.protocol.conversation import Conversation, Direction
from gip_nb.protocol.frames import Event


class Talk:
    """A conversation that is told events, a second apart."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.now_s = 0.0

    def tell(self, direction: Direction, kind: str, **fields: Any) -> None:
        self.now_s += 1
        self.conversation.apply(Event(kind, {"type": kind, **fields}), direction, self.now_s)

    def got(self, kind: str, **fields: Any) -> None:
        self.tell("received", kind, **fields)

    def added(self, item_id: str, **item: Any) -> None:
        item = {"type": "message", "role": "user", "status": "completed", **item}
        self.got("conversation.item.added", item={"id": item_id, **item})

    def call(self, call_id: str = "c", item_id: str = "f") -> None:
        self.got("response.created", response={"id": "r"})
        item = {"id": item_id, "type": "function_call", "name": "get_weather", "call_id": call_id}
        self.got("response.output_item.done", response_id="r", item={**item, "status": "completed"})

    def answered(self, output: str, call_id: str = "c", item_id: str = "o") -> None:
        self.added(item_id, type="function_call_output", role=None, call_id=call_id, output=output)

    def done(self, status: str, *, response_id: str = "r", **details: Any) -> None:
        response = {"id": response_id, "status": status, "status_details": details}
        self.got("response.done", response=response)

    def rows(self) -> list[dict[str, Any]]:
        view = shown(self.conversation)
        return [dict(view.item(row)) for row in view.after]

    def row(self, row_id: str) -> dict[str, Any]:
        return next(row for row in self.rows() if row["item_id"] == row_id)


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_a_call_shows_its_output_which_has_no_row_of_its_own(talk: Talk) -> None:
    talk.added("u")
    talk.call()
    talk.answered('{"sky": "clear"}')
    talk.added("u2")
    assert [(r["item_id"], r["after"]) for r in talk.rows()] == [("u", None), ("f", "u"), ("u2", "f")]
    assert talk.row("f")["output"] == '{"sky": "clear"}'
    assert talk.row("f")["status"] == "completed"
    assert talk.row("f")["role"] is None


def test_an_output_whose_call_is_not_there_is_a_row(talk: Talk) -> None:
    talk.answered("21")
    assert talk.row("o")["output"] == "21"
    talk.call()
    assert [r["item_id"] for r in talk.rows()] == ["f"]
    talk.got("conversation.item.deleted", item_id="f")
    assert [r["item_id"] for r in talk.rows()] == ["o"]


def test_a_call_whose_output_was_deleted_shows_none(talk: Talk) -> None:
    talk.call()
    talk.answered("21")
    talk.got("conversation.item.deleted", item_id="o")
    assert talk.row("f")["output"] is None


def test_a_call_runs_until_it_has_answered_and_says_how_long_it_took(talk: Talk) -> None:
    talk.call()
    assert (talk.row("f")["status"], talk.row("f")["duration_ms"]) == ("completed", None)
    talk.tell("local", "local.tool.started", call_id="c", name="get_weather")
    assert (talk.row("f")["status"], talk.row("f")["duration_ms"]) == ("in_progress", None)
    talk.tell("local", "local.tool.finished", call_id="c", name="get_weather")
    assert (talk.row("f")["status"], talk.row("f")["duration_ms"]) == ("completed", 1000.0)
    talk.tell("local", "local.tool.finished", call_id="nobody's")


def test_a_tool_that_failed_is_marked(talk: Talk) -> None:
    talk.call()
    talk.answered("error: ValueError: no such city")
    assert talk.row("f")["status"] == "failed"


@pytest.mark.parametrize(
    ("status", "details", "shown_status", "reason"),
    [
        ("incomplete", {"reason": "max_output_tokens"}, "incomplete", "max_output_tokens"),
        ("failed", {"error": {"message": "Out of <b>credit</b>"}}, "failed", "Out of <b>credit</b>"),
        ("failed", {"error": {"code": "server_error"}}, "failed", "server_error"),
        ("cancelled", {"reason": "client_cancelled"}, "incomplete", "cancelled"),
        ("completed", {}, "completed", None),
    ],
)
def test_why_an_answer_is_not_whole(
    talk: Talk, status: str, details: dict[str, Any], shown_status: str, reason: str | None
) -> None:
    talk.added("u")
    talk.got("response.created", response={"id": "r"})
    talk.got("response.output_text.delta", response_id="r", item_id="m", delta="One, two,")
    assert talk.row("m")["status"] == "in_progress"
    talk.done(status, **details)
    assert (talk.row("m")["status"], talk.row("m")["reason"]) == (shown_status, reason)


def test_a_response_that_failed_before_it_had_an_item_is_a_row_at_its_place(talk: Talk) -> None:
    talk.added("u")
    talk.got("response.created", response={"id": "r"})
    talk.done("failed", error={"message": "The server had an error"})
    talk.added("u2")
    talk.got("response.created", response={"id": "r2"})
    talk.done("cancelled", response_id="r2", reason="client_cancelled")
    assert [r["item_id"] for r in talk.rows()] == ["u", "r", "u2"]
    row = talk.row("r")
    assert (row["role"], row["status"], row["reason"]) == (None, "failed", "The server had an error")


def test_a_transcription_that_failed_says_why(talk: Talk) -> None:
    talk.added("u", content=[{"type": "input_audio"}])
    kind = "conversation.item.input_audio_transcription.failed"
    talk.got(kind, item_id="u", error={"message": "too noisy"})
    assert (talk.row("u")["status"], talk.row("u")["reason"]) == ("failed", "too noisy")


def verdict(talk: Talk) -> dict[str, tuple[Any, ...]]:
    """What the rows say of their turns, where they say something."""
    told = {r["item_id"]: (r["rating"], r["label"], r["tags"]) for r in talk.rows()}
    return {row: said for row, said in told.items() if said != (None, None, [])}


def answer(talk: Talk, item_id: str, response_id: str) -> None:
    talk.got("response.created", response={"id": response_id})
    talk.got("response.output_text.delta", response_id=response_id, item_id=item_id, delta="One")


def test_a_rating_is_at_each_answer_of_its_turn_and_a_label_at_the_last(talk: Talk) -> None:
    talk.added("u")
    answer(talk, "m", "r")
    talk.call(item_id="f")
    talk.added("u2")
    answer(talk, "m3", "r3")
    talk.tell("local", "local.label", turn=1, label="wrong <b>city</b>", tags=["geo"], rating=-1)
    assert verdict(talk) == {"m": (-1, "wrong <b>city</b>", ["geo"])}
    assert [r["turn"] for r in talk.rows()] == [1, 1, 1, 2, 2]
    answer(talk, "m2", "r")
    assert verdict(talk) == {"m": (-1, None, []), "m2": (-1, "wrong <b>city</b>", ["geo"])}
    # What was at the one is at the other now: both are to be shown anew; of another turn, only itself.
    view = shown(talk.conversation)
    assert {"m", "m2"} <= set(view.with_moved_labels(["m2"]))
    assert view.with_moved_labels(["u2", "nobody's"]) == ["u2", "nobody's"]
    talk.got("conversation.item.deleted", item_id="m2")
    assert verdict(talk) == {"m": (-1, "wrong <b>city</b>", ["geo"])}
    assert "m" in shown(talk.conversation).with_moved_labels(["m2"])
    talk.tell("local", "local.label", turn=1, label="", tags=[], rating=None)
    assert verdict(talk) == {}


def test_a_turn_without_an_answer_is_labelled_at_its_last_row(talk: Talk) -> None:
    talk.added("u")
    talk.tell("local", "local.label", turn=1, label="nothing came", rating=-1)
    assert verdict(talk) == {"u": (-1, "nothing came", [])}
    talk.call(item_id="f")
    assert verdict(talk) == {"f": (-1, "nothing came", [])}
    talk.done("completed")
    talk.got("response.created", response={"id": "r2"})
    talk.done("failed", response_id="r2")
    assert verdict(talk) == {"r2": (-1, "nothing came", [])}
