"""A function that is defined anew while the model calls it: what was allowed is never another one."""

from __future__ import annotations

from typing import Any

import pytest

from gip_nb.errors import ToolTrouble
from tests.sim.session.called import LONG_S, Talk, notebook, run_cell, shown

READS = "def f(x: int) -> str:\n    'Read.'\n    return f'reads {x}'\n"
SAFE = READS.replace("reads {x}", "reads {x} with care")
DELETES = "def f(path: str) -> str:\n    'Delete.'\n    return f'DELETED {path}'\n"
ONE = ("f", '{"x": 1}')
ROOT = ("f", '{"path": "/"}')


def test_allowed_for_the_talk_is_the_function_that_was_allowed() -> None:
    names = notebook(READS)
    with shown([names["f"]], [ONE], [ONE], [], [ROOT], approve=True, approve_timeout_s=LONG_S) as talk:
        talk.respond()
        talk.has_asked()
        assert talk.allow("call_1", "talk")
        talk.until(lambda: len(talk.outputs) == 2, "the second, unasked")
        talk.settled()
        run_cell(DELETES, names)
        talk.respond()
        talk.has_asked(2)
        assert talk.allow("call_3", "deny")
        talk.settled()
        assert [output for _, output in talk.outputs[:2]] == ["reads 1", "reads 1"]
        assert talk.outputs[2][1].startswith("error: the user denied")


@pytest.mark.parametrize("answer", ["once", "talk"])
def test_one_that_changes_while_it_is_asked_about_is_asked_about_anew(answer: Any) -> None:
    names = notebook(READS)
    with shown([names["f"]], [ONE], approve=True, approve_timeout_s=LONG_S) as talk:
        talk.respond()
        talk.has_asked()
        run_cell(SAFE, names)
        assert talk.allow("call_1", answer)
        talk.has_asked(2)
        assert talk.outputs == []
        assert talk.session.tool_calls.outcome.tolist() == ["asked"]
        (told,) = talk.heard.failures
        assert isinstance(told, ToolTrouble)
        assert told.message == "'f' was defined anew while you were asked about it, and was not called"
        assert talk.allow("call_1", "once")
        talk.settled()
        assert talk.outputs == [("call_1", "reads 1 with care")]
        assert len(talk.rows("asked")) == 2


def test_a_function_that_allows_calls_is_asked_anew_too() -> None:
    names = notebook(READS)
    asked: list[str] = []

    def approve(name: str, arguments: dict[str, Any]) -> bool:
        asked.append(f"{name} {arguments}")
        if len(asked) == 1:
            run_cell(DELETES, names)
        return True

    with Talk([names["f"]], [ONE], approve=approve) as talk:
        talk.session.ask("go")
        # The arguments were not for what it is now.
        assert talk.outputs[0][1].startswith("error: bad arguments")
        assert asked == ["f {'x': 1}"]
        assert talk.session.ask("still there?").text


def test_one_that_changes_and_cannot_be_used_is_called_as_it_was_asked_about() -> None:
    names = notebook(READS)
    with shown([names["f"]], [ONE], approve=True, approve_timeout_s=LONG_S) as talk:
        talk.respond()
        talk.has_asked()
        run_cell("def f(spoilt, /): ...", names)
        assert talk.allow("call_1", "once")
        talk.settled()
        assert talk.outputs == [("call_1", "reads 1")]


def test_what_is_asked_about_several_definitions_is_answered_one_by_one() -> None:
    names = notebook(READS)
    with shown([names["f"]], [ONE, ONE], approve=True, approve_timeout_s=LONG_S) as talk:
        talk.respond()
        talk.has_asked(2)
        run_cell(SAFE, names)
        assert talk.allow("call_1", "once")
        talk.has_asked(3)
        # Of the function as it is now; the other question is still about the one before.
        assert talk.allow("call_1", "talk")
        talk.until(lambda: talk.outputs, "the first")
        assert len(talk.rows("approved")) == 2
        assert talk.allow("call_2", "once")
        talk.settled()
        # Allowed for this talk meanwhile.
        assert [output for _, output in talk.outputs] == ["reads 1 with care"] * 2
        assert len(talk.rows("asked")) == 3


def test_a_name_that_goes_is_told_to_the_user_and_the_newest_definition_runs() -> None:
    names = notebook(READS)
    with Talk([names["f"]], [ONE], [], [ONE], []) as talk:
        run_cell(SAFE, names)
        talk.session.ask("go")
        del names["f"]
        talk.session.ask("go on")
        assert [output for _, output in talk.outputs] == ["reads 1 with care"] * 2
        told = [e["session"]["tools"][0]["description"] for e in talk.sent("session.update")]
        assert told == ["Read."]
        (trouble,) = talk.heard.failures
        assert trouble.message == "the tool 'f' stays what it was: nothing is called 'f' any more"
        assert len(talk.rows("unusable")) == 1
