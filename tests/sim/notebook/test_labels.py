"""Thumbs that are pressed in a page, and labels that a cell gives: all pages and the record show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.notebook.newest import NewestOnly
from tests.sim.notebook.test_widget import Page, until
from tests.sim.session.servers import Model

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    page = Page(monkeypatch, Model())
    listener = NewestOnly(page.talk)
    listener.session = page.talk.session._session
    page.talk.session._session._listener = listener
    # Without sound in a page that would have to say how far it was.
    page.talk.session.ask("hello")
    yield page
    page.talk.stop()


def answer_of(page: Page) -> str:
    return str(page.talk.session.items.query("role == 'assistant'").index[0])


def shown(page: Page, item_id: str) -> tuple[Any, ...]:
    """What the pages know of a row: the newest that was said to all of them."""
    put = [i for m in page.messages if m["kind"] == "items" and m["page"] is None for i in m["put"]]
    return next(((i["rating"], i["label"], i["tags"]) for i in reversed(put) if i["item_id"] == item_id), ())


def test_a_thumb_is_the_turns_rating_and_every_page_is_told(page: Page) -> None:
    answer = answer_of(page)
    assert page.request("label", item_id=answer, rating=1)["ok"]
    until(lambda: shown(page, answer) == (1, None, []))
    assert page.talk.session.turns.rating.tolist() == [1]
    page.say(kind="request", page="p2", request=99, verb="label", args={"item_id": answer, "rating": -1})
    until(lambda: shown(page, answer) == (-1, None, []))
    page.request("label", item_id=answer, rating=0)
    until(lambda: shown(page, answer) == (None, None, []))
    assert page.talk.session.turns.rating.isna().all()


def test_it_works_after_the_talk_and_a_page_that_comes_later_sees_it(page: Page) -> None:
    answer = answer_of(page)
    page.request("stop")
    before = len(page.talk.session.log)
    assert page.request("label", item_id=answer, rating=-1)["ok"]
    page.talk.session.label(1, "wrong <b>city</b>", tags=("geo",))
    until(lambda: shown(page, answer) == (-1, "wrong <b>city</b>", ["geo"]))
    assert page.talk.session.state == "closed"
    until(lambda: any(m.get("patch", {}).get("event_count") == before + 2 for m in page.messages))
    page.say(kind="hello", page="p2", plays=True)
    snapshot = until(
        lambda: next((m for m in page.messages if m["kind"] == "snapshot" and m["page"] == "p2"), None)
    )
    (row,) = [i for i in snapshot["items"] if i["item_id"] == answer]
    assert (row["turn"], row["rating"], row["label"], row["tags"]) == (1, -1, "wrong <b>city</b>", ["geo"])


def test_a_label_moves_on_to_an_answer_that_comes_after_it(page: Page) -> None:
    first = answer_of(page)
    page.talk.session.label(1, "wrong city", rating=-1)
    until(lambda: shown(page, first) == (-1, "wrong city", []))
    page.talk.session.respond()
    until(lambda: page.talk.session.turns.requests.tolist() == [2])
    last = str(page.talk.session.items.index[-1])
    until(lambda: shown(page, last) == (-1, "wrong city", []))
    assert shown(page, first) == (-1, None, [])


def test_what_cannot_be_is_answered_in_words(page: Page) -> None:
    answer = answer_of(page)
    asked: tuple[dict[str, Any], ...] = (
        *({}, {"item_id": "nowhere", "rating": 1}),
        *({"item_id": answer, "rating": rating} for rating in (7, "<b>", None)),
    )
    titles = [page.request("label", **args)["error"]["title"] for args in asked]
    assert titles == ["No such item"] * 2 + ["Setting not usable"] * 3


def test_a_session_of_before_is_labelled_in_the_record_and_not_in_the_pages(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = answer_of(page)
    page.request("stop")
    page.request("start")
    written: list[None] = []
    monkeypatch.setattr(page.talk._beside, "changed", lambda **_: written.append(None))
    before = shown(page, answer)
    page.talk.sessions[0].label(1, "of before")
    until(lambda: written)
    # What the next one says goes out after it.
    page.talk.session.send_text("x")
    until(lambda: any(i["text"] == "x" for m in page.messages for i in m.get("put", [])))
    assert shown(page, answer) == before
    assert not page.request("label", item_id=answer, rating=1)["ok"]
