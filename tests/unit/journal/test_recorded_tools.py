"""Tools that answer as they did in a recorded talk."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from gip_nb.journal.recorded_tools import RecordedTools
from gip_nb.protocol.server.parts import Call, Say
from tests.unit.protocol.talks import TOOL, ask, new_pair

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect
    from gip_nb.protocol.server.parts import Prompt, Wish
    from tests.unit.protocol.pair import ProtocolPair

both = pytest.mark.parametrize("dialect", ["beta", "ga"])


def _calls_once(call: Call, prompt: Prompt) -> list[Wish]:
    return [Say("Done.") if prompt.lines[-1].role == "output" else call]


def _answer(n: int, _arguments: str) -> str:
    return f"answer {n}"


def recorded(dialect: Dialect, *calls: tuple[str, str]) -> RecordedTools:
    """Of a talk with these calls, (name, arguments), each answered by its number."""
    pair = new_pair(dialect)
    pair.do(lambda c: c.update({"tools": [TOOL]}))
    for n, (name, arguments) in enumerate(calls, 1):
        call = Call(name, arguments)
        pair.server.says = partial(_calls_once, call)
        pair.tools[name] = partial(_answer, n)
        ask(pair)
        pair.run()
    return RecordedTools(pair.log)


def answers(tools: RecordedTools, *calls: tuple[str, str]) -> list[str]:
    return [tools.run(name, arguments).text for name, arguments in calls]


@both
def test_equal_arguments_have_the_answer_that_they_had(dialect: Dialect) -> None:
    tools = recorded(dialect, ("look", '{"at": 1, "in": "a"}'), ("look", '{"at": 2}'), ("look", '{"at": 1}'))
    asked = [("look", '{"at": 1}'), ("look", '{"at":2}'), ("look", '{"in":"a","at":1.0}')]
    assert answers(tools, *asked) == ["answer 3", "answer 2", "answer 1"]
    # And once more.
    assert answers(tools, *asked[:1]) == ["answer 3"]


@both
def test_other_arguments_have_the_next_answer_of_that_name(dialect: Dialect) -> None:
    tools = recorded(dialect, ("look", '{"at": 1}'), ("find", "{}"), ("look", '{"at": 2}'))
    calls = [("look", '{"at": 5}'), ("look", "no JSON"), ("find", ""), ("look", '{"at": 7}')]
    *found, missing = answers(tools, *calls)
    assert found == ["answer 1", "answer 3", "answer 2"]
    assert missing == "error: the recording has no answer to a call of 'look' with {\"at\": 7}"
    assert answers(tools, ("other", "{}"))[0].startswith("error: the recording has no answer to a call of")


@both
def test_the_same_call_made_twice_has_both_answers(dialect: Dialect) -> None:
    tools = recorded(dialect, ("look", "{}"), ("look", "{}"))
    assert answers(tools, *[("look", "{}")] * 3) == ["answer 1", "answer 2", "answer 1"]


@both
def test_all_tools_that_there_ever_were_are_told_as_they_were_last(dialect: Dialect) -> None:
    pair: ProtocolPair = new_pair(dialect)
    other = {**TOOL, "name": "other"}
    newer = {**TOOL, "description": "Looks again."}
    pair.do(lambda c: c.update({"tools": [TOOL, other], "tool_choice": "auto"}))
    pair.do(lambda c: c.update({"tools": []}))
    pair.do(lambda c: c.update({"tools": [newer]}))
    found = RecordedTools(pair.log)
    assert found.schemas() == [newer, other]
    assert found.tool_choice == "auto"


def test_a_talk_without_tools_has_none() -> None:
    pair = new_pair("ga")
    ask(pair)
    tools = RecordedTools(pair.log)
    assert (tools.schemas(), tools.tool_choice) == ([], None)
