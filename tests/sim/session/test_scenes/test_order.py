"""Events come in an odd order, or never; others come that nobody knows."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gip_nb.testing import (
    Expect,
    Say,
    Stage,
    answer,
    user_spoke,
)
from tests.sim.session.test_scenes.scene import (
    asked,
    between,
    check,
    connect,
    in_both_dialects,
    opening,
    settled,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.blocking import RealtimeSession
    from gip_nb.testing import Event, Step


def spoken(dialect: Dialect) -> list[Step]:
    return [*opening(dialect), Expect("input_audio_buffer.append")]


def hear(script: list[Step], dialect: Dialect) -> tuple[RealtimeSession, Stage]:
    """Speak for a second, and let the script play."""
    with Stage(script) as stage, connect(stage, dialect) as session:
        session.send_audio(np.full(24_000, 1000, np.int16))
        settled(session, stage)
        assert session.state == "listening"
    check(session, stage)
    return session, stage


@in_both_dialects
def test_a_response_is_created_before_the_speech_is_told_to_have_stopped(dialect: Dialect) -> None:
    said = user_spoke("hello", dialect=dialect)
    created, *rest = answer("Good day", dialect=dialect)
    session, _ = hear([*spoken(dialect), said[0], created, *said[1:], *rest], dialect)
    assert session.turns.assistant_text.str.cat() == "Good day"
    assert session.turns.user_text.str.cat() == "hello"


@in_both_dialects
def test_a_whole_answer_comes_before_the_speech_is_told_to_have_stopped(dialect: Dialect) -> None:
    said = user_spoke("hello", dialect=dialect)
    session, _ = hear([*spoken(dialect), said[0], *answer("Good day", dialect=dialect), *said[1:]], dialect)
    assert session.turns.assistant_text.str.cat() == "Good day"


MISSING = {
    "no output_item.added": ("output_item.added",),
    "no content_part.added": ("content_part.added",),
    "neither, nor the conversation's item": (
        "output_item.added",
        "content_part.added",
        "item.added",
        "created",
    ),
    "no done but the response's": ("audio.done", "transcript.done", "part.done", "item.done"),
}


@in_both_dialects
@pytest.mark.parametrize("endings", MISSING.values(), ids=MISSING)
def test_sound_comes_of_an_item_that_was_never_announced(dialect: Dialect, endings: tuple[str, ...]) -> None:
    created, *rest = answer("Here I am", dialect=dialect, audio_ms=250)
    with Stage([*asked(dialect), created, *without(rest, *endings)]) as stage:
        with connect(stage, dialect) as session:
            reply = session.ask("where are you?", timeout_s=3)
            settled(session, stage)
        check(session, stage)
    assert reply.text == "Here I am"
    assert reply.audio.shape == (6000,)
    assert session.turns.assistant_audio_ms.tolist() == [250.0]


@in_both_dialects
def test_a_response_was_never_created_but_its_parts_come(dialect: Dialect) -> None:
    with Stage([*asked(dialect), *answer("Here I am", dialect=dialect)[1:]]) as stage:
        with connect(stage, dialect) as session:
            assert session.ask("where are you?", timeout_s=3).text == "Here I am"
            settled(session, stage)
        check(session, stage)


@in_both_dialects
def test_the_users_transcript_comes_after_the_answer(dialect: Dialect) -> None:
    *said, transcript = user_spoke("hello", dialect=dialect)
    session, _ = hear([*spoken(dialect), *said, *answer("Good day", dialect=dialect), transcript], dialect)
    assert session.turns.user_text.tolist() == ["hello"]
    assert session.turns.assistant_text.tolist() == ["Good day"]


@in_both_dialects
def test_the_users_transcript_never_comes(dialect: Dialect) -> None:
    session, _ = hear(
        [*spoken(dialect), *user_spoke(dialect=dialect), *answer("Good day", dialect=dialect)], dialect
    )
    assert session.turns.user_text.fillna("").tolist() == [""]
    assert session.turns.user_audio_ms.tolist() == [1000.0]
    assert session.turns.assistant_text.tolist() == ["Good day"]


@in_both_dialects
def test_the_users_transcription_fails(dialect: Dialect) -> None:
    failed = {
        "type": "conversation.item.input_audio_transcription.failed",
        "event_id": "event_failed",
        "item_id": "item_user",
        "content_index": 0,
        "error": {"type": "transcription_error", "code": "audio_unintelligible", "message": "too much noise"},
    }
    session, _ = hear(
        [*spoken(dialect), *user_spoke(dialect=dialect), failed, *answer("Pardon?", dialect=dialect)], dialect
    )
    assert session.items.loc["item_user"].problem == "too much noise"
    assert session.turns.assistant_text.tolist() == ["Pardon?"]


@in_both_dialects
def test_events_of_unknown_type_come_between_all_others(dialect: Dialect) -> None:
    def odd(n: int) -> Event:
        kinds = (
            "response.sparkle.delta",
            "conversation.item.blessed",
            "no such thing",
            "",
            "session.weather",
        )
        return {
            "type": kinds[n % 5],
            "event_id": f"event_odd_{n}",
            "item_id": "item_1",
            "delta": n,
            "item": 7,
        }

    with Stage([odd(0), *asked(dialect), *between(answer("Still here", dialect=dialect), odd)]) as stage:
        with connect(stage, dialect) as session:
            assert session.ask("anybody?", timeout_s=3).text == "Still here"
            settled(session, stage)
        check(session, stage)
    assert (session.events.type == "response.sparkle.delta").any()


@in_both_dialects
def test_rate_limits_come_at_any_time(dialect: Dialect) -> None:
    def limits(n: int) -> Event:
        limit = {"name": "tokens", "limit": 1000, "remaining": 1000 - n, "reset_seconds": 1.5}
        return {"type": "rate_limits.updated", "event_id": f"event_limits_{n}", "rate_limits": [limit]}

    script = [limits(0), *asked(dialect), *between(answer("Fine", dialect=dialect), limits), limits(99)]
    with Stage(script) as stage, connect(stage, dialect) as session:
        assert session.ask("how are you?", timeout_s=3).text == "Fine"
        settled(session, stage)
        check(session, stage)


ODD_FRAMES: dict[str, str | bytes] = {
    "a binary frame": b"\x00\x01\xfe\xff",
    "a text that is no JSON": "<html>502</html>",
    "no text at all": "",
    "JSON, but no object": "[1, 2, 3]",
    "an object without a type": '{"event_id": "event_1"}',
    "half an object": '{"type": "response.done", "response": {"id":',
}


@in_both_dialects
@pytest.mark.parametrize("frame", ODD_FRAMES.values(), ids=ODD_FRAMES)
def test_a_frame_that_is_no_event_is_a_row_and_no_more(dialect: Dialect, frame: str | bytes) -> None:
    first, *rest = answer("Still here", dialect=dialect)
    with Stage([*asked(dialect), Say(frame), first, Say(frame), *rest]) as stage:
        with connect(stage, dialect) as session:
            assert session.ask("anybody?", timeout_s=3).text == "Still here"
            settled(session, stage)
    events = session.events
    assert (events.direction == "received").sum() == len(stage.sent)
    assert (events.type == "local.frame.unreadable").sum() == 2
    assert events[events.direction == "received"].wire_bytes.tolist().count(len(frame)) >= 2


# ----------------------------------------------------------------------- one fault after the other, in a talk


def whole_turn(dialect: Dialect, n: int) -> list[Event]:
    said = user_spoke(
        f"question {n}", dialect=dialect, item_id=f"item_user_{n}", start_ms=n * 10, end_ms=n * 10 + 8
    )
    return said + answer(
        f"answer {n}", dialect=dialect, response_id=f"resp_{n}", item_id=f"item_{n}", audio_ms=100
    )


def missing(events: list[Event], n: int) -> list[Event]:
    return events[:n] + events[n + 1 :]


def twice(events: list[Event], n: int) -> list[Event]:
    return events[: n + 1] + events[n:]


def swapped(events: list[Event], n: int) -> list[Event]:
    return events[:n] + events[n : n + 2][::-1] + events[n + 2 :]


def late(events: list[Event], n: int) -> list[Event]:
    """The event comes at the end of all, when the response is over."""
    return [*missing(events, n), events[n]]


@in_both_dialects
@pytest.mark.parametrize("fault", [missing, twice, swapped, late])
def test_each_event_of_a_spoken_turn_goes_wrong_once(
    dialect: Dialect, fault: Callable[[list[Event], int], list[Event]]
) -> None:
    # Without a response's end there is none; text and sound that come twice were said twice; for late text
    # there is a scene of its own.
    spared = {"missing": ("response.done",), "twice": ("delta",), "late": ("transcript.delta",)}.get(
        fault.__name__, ()
    )
    kinds = [event["type"] for event in whole_turn(dialect, 0)]
    faulty = [n for n, kind in enumerate(kinds) if not kind.endswith(spared)]
    turns = [fault(whole_turn(dialect, n), n) for n in faulty]
    session, _ = hear([*spoken(dialect), *chain.from_iterable(turns)], dialect)
    found = session.turns
    assert found.requests.tolist() == [1] * len(faulty)
    assert found.assistant_text.tolist() == [f"answer {n}" for n in faulty]
    untold = {n for n in faulty if kinds[n].endswith("transcription.completed") and fault is missing}
    assert found.user_text.fillna("").tolist() == ["" if n in untold else f"question {n}" for n in faulty]
    assert found.status.tolist() == ["completed"] * len(faulty)


@in_both_dialects
def test_a_piece_of_text_that_comes_after_the_whole_text_adds_nothing(dialect: Dialect) -> None:
    events = answer("Good day", dialect=dialect)
    piece = next(n for n, event in enumerate(events) if event["type"].endswith("transcript.delta"))
    session, _ = hear(
        [*spoken(dialect), *user_spoke("hello", dialect=dialect), *late(events, piece)], dialect
    )
    assert session.turns.assistant_text.tolist() == ["Good day"]
