"""What the rehearsal server answers to what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.server.parts import Call, Line, Prompt, Say
from gip_nb.rehearsal.wits import answer

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Looks up how warm and how cloudy a place is.",
    "parameters": {
        "type": "object",
        "properties": {
            "location": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1},
        },
        "required": ["location", "unit"],
    },
}
ROWS: dict[str, Any] = {
    "type": "function",
    "name": "countRows",
    "description": "Counts the lines of a table.",
    "parameters": {"type": "object", "properties": {"table": {"type": "string"}}, "required": ["table"]},
}


def user(*said: str, **prompt: Any) -> Prompt:
    return Prompt(tuple(Line("user", text) for text in said), **prompt)


def said(prompt: Prompt) -> str:
    [wish] = answer(prompt)
    assert isinstance(wish, Say)
    return wish.text


def called(prompt: Prompt) -> tuple[str, dict[str, Any]]:
    [wish] = answer(prompt)
    assert isinstance(wish, Call)
    return wish.name, json.loads(wish.arguments)


def test_a_question_is_repeated_and_nothing_is_pretended() -> None:
    text = said(user("what is the weather in seoul today"))
    assert "what is the weather in seoul today" in text
    assert "rehearsal server" in text
    assert len(text.split()) > 14, "long enough to be interrupted: over three seconds"


def test_answers_vary_by_turn_and_are_the_same_every_time() -> None:
    questions = [user(*["why is that"] * count) for count in (1, 2, 3, 4)]
    answers = [said(question) for question in questions]
    assert len(set(answers)) == 3
    assert answers[0] == answers[3]
    assert [said(question) for question in questions] == answers


@pytest.mark.parametrize("text", ["Hello", "hi there", "hello can you hear me", "Good morning!"])
def test_greetings_are_greeted(text: str) -> None:
    assert said(user(text)).startswith("Hello")


@pytest.mark.parametrize("text", ["stop please", "Stop!", "be quiet", "never mind"])
def test_an_order_to_stop_gets_a_short_answer(text: str) -> None:
    assert len(said(user(text)).split()) <= 6


def test_a_stop_in_a_sentence_is_no_order() -> None:
    assert "bus stop" in said(user("can you tell me where the next bus stop is"))


def test_an_empty_conversation_is_opened_with_a_greeting() -> None:
    assert "rehearsal server" in said(Prompt(()))
    assert "rehearsal server" in said(Prompt((Line("system", "You are a pirate."),)))


def test_silence_and_a_voice_without_words() -> None:
    assert "no words" in said(user(""))
    [wish] = answer(Prompt((Line("user", "(you spoke for 2.1 s)", speech_ms=2100),)))
    assert isinstance(wish, Say)
    assert "2.1 seconds" in wish.text


def test_what_did_you_say_repeats_what_was_heard_of_it() -> None:
    lines = (Line("user", "hello"), Line("assistant", "Hello! Yes, I"), Line("user", "what did you say"))
    assert "Hello! Yes, I" in said(Prompt(lines))
    assert "not said anything" in said(user("what did you say"))


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("what is the weather in Seoul today", "Seoul"),
        ("weather for the Netherlands, please", "Netherlands"),
        ("Weather?", "Weather?"),
        ("is it WARM in Oslo", "Oslo"),
    ],
)
def test_a_tool_whose_words_match_is_called(text: str, location: str) -> None:
    assert called(user(text, tools=(ROWS, WEATHER))) == (
        "get_weather",
        {"location": location, "unit": "celsius"},
    )


def test_a_name_counts_more_than_a_description_and_endings_do_not_count() -> None:
    assert called(user("how many row are in the sales table", tools=(WEATHER, ROWS))) == (
        "countRows",
        {"table": "sales"},
    )


@pytest.mark.parametrize("text", ["hello can you hear me", "how are you", "please tell me a story"])
def test_words_that_are_in_every_sentence_call_nothing(text: str) -> None:
    tool = {**WEATHER, "description": "Get what the user asks for and tell them how it is."}
    [wish] = answer(user(text, tools=(tool,)))
    assert isinstance(wish, Say)


def test_tool_choice_is_obeyed() -> None:
    tools = (WEATHER, ROWS)
    [wish] = answer(user("what is the weather", tools=tools, tool_choice="none"))
    assert isinstance(wish, Say)
    assert called(user("sing", tools=tools, tool_choice="required"))[0] == "get_weather"
    choice = {"type": "function", "name": "countRows"}
    assert called(user("weather in Rome", tools=tools, tool_choice=choice)) == (
        "countRows",
        {"table": "Rome"},
    )


BOTH_TOOLS = "what is the weather in Oslo and how many rows are in the sales table"


def calls_of(prompt: Prompt) -> list[tuple[str, dict[str, Any]]]:
    wishes = answer(prompt)
    assert all(isinstance(wish, Call) for wish in wishes)
    return [(wish.name, json.loads(wish.arguments)) for wish in wishes if isinstance(wish, Call)]


def test_two_parts_of_a_sentence_call_a_tool_each() -> None:
    weather = ("get_weather", {"location": "Oslo", "unit": "celsius"})
    rows = ("countRows", {"table": "sales"})
    assert calls_of(user(BOTH_TOOLS, tools=(WEATHER, ROWS))) == [weather, rows]
    assert calls_of(user(BOTH_TOOLS, tools=(WEATHER, ROWS), tool_choice="required")) == [weather, rows]
    other_way_round = "count the rows of the sales table, then tell me the weather in Oslo"
    assert calls_of(user(other_way_round, tools=(WEATHER, ROWS))) == [rows, weather]


def test_several_tools_are_called_only_where_several_may_be() -> None:
    assert len(calls_of(user(BOTH_TOOLS, tools=(WEATHER, ROWS), parallel_tool_calls=False))) == 1
    choice = {"type": "function", "name": "countRows"}
    assert [name for name, _ in calls_of(user(BOTH_TOOLS, tools=(WEATHER, ROWS), tool_choice=choice))] == [
        "countRows"
    ]
    assert isinstance(answer(user(BOTH_TOOLS, tools=(WEATHER, ROWS), tool_choice="none"))[0], Say)


def test_one_tool_is_called_once_however_often_it_is_named() -> None:
    [(name, _)] = calls_of(user("the weather in Oslo and the weather in Rome", tools=(WEATHER, ROWS)))
    assert name == "get_weather"


def test_who_says_nothing_is_asked_and_gets_no_tool_for_words_of_before() -> None:
    lines = (Line("user", "weather in Oslo"), Line("assistant", "Rain."), Line("silence", ""))
    assert "still there" in said(Prompt(lines, tools=(WEATHER,)))
    assert "still there" in said(Prompt(lines, tools=(WEATHER,), tool_choice="none"))
    assert called(Prompt(lines, tools=(WEATHER,), tool_choice="required"))[0] == "get_weather"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 3),
        ({"type": "number"}, 3),
        ({"type": "boolean"}, True),
        ({"type": "array", "items": {"type": "string"}}, ["Rome"]),
        ({"type": ["null", "string"]}, "Rome"),
        ({"type": "string", "enum": ["big", "weather"]}, "weather"),
        ({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}, {"n": 3}),
        ({}, "Rome"),
    ],
)
def test_arguments_fit_their_schema(schema: dict[str, Any], value: object) -> None:
    parameters = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    tool = {"type": "function", "name": "weather", "parameters": parameters}
    assert called(user("weather in Rome for three days", tools=(tool,))) == ("weather", {"x": value})


def test_numbers_that_were_not_said_are_the_least_allowed() -> None:
    parameters = {"properties": {"x": {"type": "integer", "minimum": 5}}, "required": ["x"]}
    tool = {"type": "function", "name": "weather", "parameters": parameters}
    assert called(user("weather and nan and infinity", tools=(tool,))) == ("weather", {"x": 5})


def test_a_tools_output_is_spoken() -> None:
    call = (Line("user", "weather in Oslo"), Line("call", "{}", "get_weather"))
    output = Line("output", '{"temperature": 21, "sunny": true, "wind": null, "list": [1, 2]}', "get_weather")
    text = said(Prompt((*call, output), tools=(WEATHER,)))
    assert text == "The tool get weather says: temperature 21, sunny yes, wind nothing, list 1, 2."
    both = said(Prompt((*call, Line("output", "rain", "get_weather"), Line("output", "7", "countRows"))))
    assert both == "The tool get weather says: rain. The tool count rows says: 7."


def test_a_long_output_is_cut() -> None:
    text = said(Prompt((Line("output", "word " * 10_000),)))
    assert len(text) < 500
    assert text.endswith("and so on.")


def test_an_output_that_was_spoken_about_is_not_spoken_again() -> None:
    lines = (Line("output", "rain", "get_weather"), Line("assistant", "It rains."), Line("user", "thanks"))
    assert said(Prompt(lines)) == "You are welcome."


@given(
    text=st.text(max_size=60),
    output=st.text(max_size=60),
    schema=st.recursive(
        st.none() | st.text(max_size=4),
        lambda inner: st.dictionaries(
            st.sampled_from(["type", "properties", "required", "enum", "items"]),
            inner | st.lists(inner),
            max_size=3,
        ),
        max_leaves=5,
    ),
)
def test_there_is_always_an_answer(text: str, output: str, schema: object) -> None:
    tool = {"type": "function", "name": "get_weather", "parameters": schema}
    assert said(user(text))
    assert said(Prompt((Line("user", text), Line("output", output, text))))
    [wish] = answer(user(text, tools=(tool,), tool_choice="required"))
    assert isinstance(wish, Call)
    assert isinstance(json.loads(wish.arguments), dict)
