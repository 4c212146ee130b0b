"""What a page asks again is answered again, and not done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gip_nb.notebook.asked import Asked

if TYPE_CHECKING:
    from gip_nb.notebook.messages import Reply


def reply(number: int, *, ok: bool = True) -> Reply:
    return {"kind": "reply", "page": "p", "request": number, "ok": ok, "error": None, "value": {"n": number}}


def test_what_is_asked_again_while_it_is_done_waits_and_is_then_answered_the_same() -> None:
    asked = Asked()
    assert asked.begin("p", 0, "text") == "do"
    assert asked.begin("p", 0, "text") == "wait"
    assert asked.begin("other", 0, "text") == "do"
    asked.answered("p", 0, "text", reply(0, ok=False))
    assert asked.begin("p", 0, "text") == reply(0, ok=False)


def test_what_only_reads_is_read_again() -> None:
    asked = Asked()
    assert asked.begin("p", 0, "events") == "do"
    asked.answered("p", 0, "events", reply(0))
    assert asked.begin("p", 0, "events") == "do"


@pytest.mark.parametrize(
    ("late", "newer"),
    [("start", "stop"), ("stop", "start"), ("mute", "mute"), ("press", "release"), ("interrupt", "press")],
)
def test_a_lost_wish_that_comes_after_its_contrary_is_over(late: str, newer: str) -> None:
    asked = Asked()
    assert asked.begin("p", 5, newer) == "do"
    told = asked.begin("p", 4, late)
    assert isinstance(told, dict)
    assert told["ok"]
    # Words are not over.
    assert asked.begin("p", 3, "text") == "do"


def test_it_remembers_a_bounded_number() -> None:
    asked = Asked()
    for number in range(1000):
        assert asked.begin("p", number, "text") == "do"
        asked.answered("p", number, "text", reply(number))
        asked.begin(f"page {number}", 0, "stop")
        asked.begin("p", number, "text")
    assert len(asked._pages) <= 64
    assert len(asked._pages["p"].answers) <= 64
    # Answered long ago, and not to be done again.
    assert isinstance(asked.begin("p", 3, "text"), dict)
    assert asked.begin("p", 1000, "text") == "do"
