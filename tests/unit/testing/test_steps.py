"""The vocabulary of scripts: what can be played, and how a step is named in a message."""

from __future__ import annotations

import pytest

from gip_nb.testing import Close, Cue, Cut, Expect, ExpectClose, HalfAFrame, React, Refuse, Say, Stage, Wait
from gip_nb.testing.steps import Step, checked, missing


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1015, 2000, 5000])
def test_a_code_that_no_close_frame_can_carry_is_refused(code: int) -> None:
    with pytest.raises(ValueError, match=f"can carry the code {code}"):
        Close(code)


def test_who_wants_a_close_with_1006_is_told_of_the_cut() -> None:
    with pytest.raises(ValueError, match=r"use Cut\(\)"):
        Close(1006)


def test_a_reason_too_long_for_a_close_frame_is_refused() -> None:
    Close(1000, "ä" * 61)
    with pytest.raises(ValueError, match="124 bytes"):
        Close(1000, "ä" * 62)


def test_an_event_stands_for_saying_it() -> None:
    assert checked([{"type": "a"}, Wait(1)]) == [Say({"type": "a"}), Wait(1)]


@pytest.mark.parametrize(
    "last", [Close(), Cut(), HalfAFrame("x"), Refuse(401), React(lambda _: ()), ExpectClose()]
)
def test_nothing_follows_what_ends_a_script(last: Step) -> None:
    with pytest.raises(ValueError, match="ends the script"):
        Stage([last, Wait(1)])


def test_a_handshake_is_refused_at_the_beginning_or_not_at_all() -> None:
    with pytest.raises(ValueError, match="before anything else"):
        Stage([Wait(1), Refuse(401)])


NAMES: dict[str, Step] = {
    "Say(response.done)": Say({"type": "response.done", "response": {}}),
    "Say(the text 'hm')": Say("hm"),
    "Say(3 bytes)": Say(b"abc"),
    "Say(checked)": Say(checked),  # type: ignore[arg-type]  # any function will do
    "Expect('response.create')": Expect("response.create"),
    "Expect('session.update', {'a': 1})": Expect("session.update", {"a": 1}),
    "Close(1011, 'lost')": Close(1011, "lost"),
    "Cue('go')": Cue("go"),
    "Refuse(403)": Refuse(403),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_named_as_it_is_written(name: str) -> None:
    assert str(NAMES[name]) == name


def test_what_an_event_lacks_is_named_with_the_way_to_it() -> None:
    event = {"type": "x", "session": {"voice": "ash", "audio": {"input": 1}}}
    assert missing(event, {"session": {"voice": "ash"}}) == []
    assert missing(event, {"session": {"voice": "echo", "speed": 1}, "item": 1}) == [
        "its session.voice is 'ash', not 'echo'",
        "it has no session.speed",
        "it has no item",
    ]
