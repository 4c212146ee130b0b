"""What was made of an item, what was heard, and the words between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.items import SAMPLES_PER_MS, Item, fill_item, heard_samples, heard_share, heard_text

SECOND = 1000 * SAMPLES_PER_MS


def answer(text: str, **fields: Any) -> Item:
    item = Item(item_id="a", role="assistant", spoken=True, **fields)
    item.set_text(0, text)
    return item


# ------------------------------------------------------------------------------------------------------- text


def test_text_is_its_parts_in_order_of_their_index() -> None:
    item = Item(item_id="a")
    item.add_text(1, "world")
    item.add_text(0, "hello ")
    item.add_text(1, "!")
    assert item.text == "hello world!"


def test_the_final_text_replaces_the_pieces_but_an_empty_one_does_not() -> None:
    item = Item(item_id="a")
    item.add_text(0, "hel")
    item.set_text(0, "hello")
    item.set_text(0, "")
    assert item.text == "hello"


def test_filling_keeps_what_is_not_told_again() -> None:
    item = answer("hello")
    fill_item(item, {"status": "completed", "content": [{"type": "output_audio", "transcript": None}]})
    assert (item.text, item.role, item.status) == ("hello", "assistant", "completed")


def test_filling_finds_audio_words_and_the_call() -> None:
    item = Item(item_id="u")
    fill_item(item, {"role": "user", "content": [{"type": "input_audio", "transcript": "hi"}]})
    assert (item.spoken, item.transcribed, item.text) == (True, True, "hi")
    call = Item(item_id="c")
    fill_item(call, {"type": "function_call", "name": "f", "call_id": "c1", "arguments": "{}"})
    assert (call.type, call.name, call.call_id, call.arguments) == ("function_call", "f", "c1", "{}")


anything = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none() | st.integers(), max_size=2)


@given(
    st.dictionaries(
        st.sampled_from(["type", "role", "status", "name", "call_id", "arguments", "output", "content"]),
        anything
        | st.lists(st.dictionaries(st.sampled_from(["type", "text", "transcript"]), anything), max_size=3),
    )
)
def test_filling_takes_any_nonsense(source: dict[str, Any]) -> None:
    item = Item(item_id="a")
    fill_item(item, source)
    assert isinstance(item.text, str)
    assert all(isinstance(v, str | None) for v in (item.type, item.role, item.status, item.output))
    item.says_the_same(source)


def test_outputs_of_two_calls_are_not_the_same() -> None:
    one = Item(item_id="o", type="function_call_output", call_id="c1", output="1")
    assert one.says_the_same({"type": "function_call_output", "call_id": "c1", "output": "1"})
    assert not one.says_the_same({"type": "function_call_output", "call_id": "c2", "output": "1"})


# ------------------------------------------------------------------------------------------------------ heard


@pytest.mark.parametrize(
    ("played", "latency_ms", "generating", "heard"),
    [
        (SECOND, 40.0, False, SECOND),  # to its end: heard whole, whatever is still on its way
        (SECOND, 40.0, True, SECOND - 960),  # more was to come, so this was not its end
        (SECOND // 2, 40.0, False, SECOND // 2 - 960),
        (SECOND // 2, -5.0, False, SECOND // 2),  # a clock that runs backwards adds nothing
        (100, 40.0, False, 0),
        (0, 0.0, True, 0),
        (9 * SECOND, 0.0, True, SECOND),  # never more than was received
    ],
)
def test_heard_samples(played: int, latency_ms: float, generating: bool, heard: int) -> None:  # noqa: FBT001 - a column of the table
    item = Item(item_id="a", generated_samples=SECOND)
    assert heard_samples(item, played, latency_ms, generating=generating) == heard


@given(st.integers(0, SECOND), st.integers(-5, 2 * SECOND), st.floats(0, 1e4), st.booleans())
def test_never_more_is_heard_than_was_received_or_played(
    received: int,
    played: int,
    latency_ms: float,
    generating: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    heard = heard_samples(
        Item(item_id="a", generated_samples=received), played, latency_ms, generating=generating
    )
    assert 0 <= heard <= received
    assert heard <= max(played, 0)


def test_nothing_is_cut_off_where_nobody_plays() -> None:
    item = answer("one two three", generated_samples=SECOND)
    assert (heard_share(item), heard_text(item)) == (1.0, "one two three")


def test_an_answer_that_still_plays_is_not_shortened() -> None:
    assert heard_text(answer("one two three", generated_samples=SECOND, heard_ms=10.0)) == "one two three"


@pytest.mark.parametrize(
    ("heard_ms", "text"),
    [(0.0, ""), (250.0, "one"), (500.0, "one two"), (999.0, "one two three"), (1000.0, "one two three")],
)
def test_heard_text_is_cut_after_a_word(heard_ms: float, text: str) -> None:
    item = answer("one two three", generated_samples=SECOND, heard_ms=heard_ms, playback_cut=True)
    assert heard_text(item) == text


@given(st.text("ab c\n", max_size=40), st.integers(0, 1000))
def test_heard_text_is_a_beginning_and_grows(text: str, heard_ms: int) -> None:
    item = answer(text, generated_samples=SECOND, heard_ms=float(heard_ms), playback_cut=True)
    less = heard_text(item)
    item.heard_ms = heard_ms + 100.0
    assert text.startswith(less)
    assert heard_text(item).startswith(less)
    item.heard_ms = 1000.0
    assert heard_text(item) == text
