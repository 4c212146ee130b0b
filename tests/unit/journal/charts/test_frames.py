"""From known tables to what the charts draw: exact values, and nothing where nothing is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.journal.charts.item import item_data
from gip_nb.journal.charts.latency_frames import STEPS, latency_frames
from gip_nb.journal.charts.source import known
from gip_nb.journal.charts.timeline_frames import (
    DELIVERED,
    GENERATED,
    HEARD,
    INTERRUPTED,
    LANES,
    MOST_COLUMNS,
    NO_CONNECTION,
    SPEECH,
    TOOLS,
    VAD,
    timeline_frames,
)
from gip_nb.journal.charts.timeline_layout import layout
from gip_nb.journal.charts.usage_frames import usage_frames
from gip_nb.journal.columns import TURN_COLUMNS, USAGE_COLUMNS
from tests.unit.journal.charts.talk import Told, a_turn, answered, asked, event, ns, table, tone

# ---- timeline ----------------------------------------------------------------------------------------------


def spans(told: Told, *columns: str, turns: range = range(1, 2)) -> list[tuple[Any, ...]]:
    frame = timeline_frames(told, turns).spans
    frame = frame.assign(start_s=frame["start_s"].round(3), end_s=frame["end_s"].round(3))
    rows = frame[list(columns)].itertuples(index=False, name=None)
    return [tuple(cell if known(cell) else None for cell in row) for row in rows]


def test_every_lane_of_a_turn_in_a_page() -> None:
    assert spans(a_turn(), "lane", "start_s", "end_s", "what") == [
        (SPEECH, 1.0, 2.5, "spoke for 1.50 s"),
        (VAD, 1.2, 2.55, "speech_started to speech_stopped, 1.35 s"),
        (GENERATED, 3.0, 3.5, "2.00 s of sound, received in 500 ms"),
        (DELIVERED, 3.01, 3.31, "given to the page within 300 ms"),
        (DELIVERED, 4.0, 4.0, "given to the page within 0 ms"),
        (HEARD, 3.1, 5.1, "heard 2.00 s of 2.00 s"),
        (TOOLS, 2.7, 2.85, "get_weather took 150 ms"),
    ]


def test_words_stand_where_they_sounded_and_once() -> None:
    found = {lane: text for lane, text in spans(a_turn(), "lane", "text") if text}
    assert found == {
        SPEECH: "what is the weather",
        HEARD: "it is clear and warm",
        TOOLS: '{"city": "Seoul"} → {"sky": "clear"}',
    }


def test_what_nobody_heard_of_a_cut_answer() -> None:
    told = a_turn(interrupted=True, heard_ms=1000.0, heard_text="it is")
    assert [
        s for s in spans(told, "lane", "start_s", "end_s", "heard", "offset_s", "text") if s[0] == HEARD
    ] == [
        (HEARD, 3.1, 4.1, True, 0.0, "it is"),
        (HEARD, 4.1, 5.1, False, 1.0, "clear and warm"),
    ]
    assert (INTERRUPTED, 4.1, "interrupted after 1.00 s of 2.00 s") in spans(told, "lane", "start_s", "what")


def test_what_would_have_sounded_ends_where_the_next_sound_begins() -> None:
    told = Told(
        turns=[{"turn": 1, "started_at": ns(1)}, {"turn": 2, "started_at": ns(4)}],
        items=[
            answered(1, 3.0, interrupted=True, heard_ms=500.0, audio_ms=9000.0),
            answered(2, 5.0),
        ],
        sounds={"a1": tone(9.0), "a2": tone(2.0)},
    )
    found = [s for s in spans(told, "lane", "start_s", "end_s", "heard", turns=range(1, 3)) if s[0] == HEARD]
    assert found == [(HEARD, 3.1, 3.6, True), (HEARD, 3.6, 5.1, False), (HEARD, 5.1, 7.1, True)]


def test_without_a_page_its_lanes_are_left_out() -> None:
    told = Told(
        turns=[{"turn": 1, "started_at": ns(1)}],
        items=[
            asked(1, 1.0),
            answered(1, 3.0, heard_ms=None, sound_start_s=None, heard_text=None, interrupted=True),
        ],
        sounds={"u1": tone(1.5), "a1": tone(2.0)},
    )
    found = timeline_frames(told, range(1, 2))
    assert found.lanes == (SPEECH, GENERATED, INTERRUPTED)
    assert spans(told, "lane", "start_s", "text")[1:] == [
        (GENERATED, 3.0, "it is clear and warm"),
        (INTERRUPTED, 3.5, None),
    ]


@pytest.mark.parametrize(
    ("cells", "at_s", "what"),
    [
        ({"speech_end_s": 1.2, "audio_ms": 1840.0}, 1.2, "1.84 s of sound, sent at once"),
        ({"audio_ms": None, "speech_start_s": None, "speech_end_s": None}, 2.6, "typed"),
        ({"speech_start_s": None, "speech_end_s": None}, 2.6, "1.50 s of sound, sent as an item"),
    ],
)
def test_what_was_not_spoken_is_a_mark(cells: dict[str, Any], at_s: float, what: str) -> None:
    told = Told(
        turns=[{"turn": 1, "started_at": ns(1)}], items=[asked(1, 1.0, **cells)], sounds={"u1": tone(1.5)}
    )
    assert spans(told, "start_s", "end_s", "what", "waveform") == [(at_s, at_s, what, False)]


def test_an_item_that_has_no_time_at_all_has_no_place() -> None:
    lost = asked(1, 1.0, added_s=None, speech_start_s=None, speech_end_s=None)
    assert spans(Told(turns=[{"turn": 1, "started_at": ns(1)}], items=[lost]), "lane") == []


def test_speech_that_goes_on_and_a_tool_that_has_not_ended() -> None:
    told = Told(
        events=[
            event(1.2, "input_audio_buffer.speech_started", "u1", 1),
            event(9.0, "local.clock", "", None, "local"),
        ],
        turns=[{"turn": 1, "started_at": ns(1)}],
        tool_calls=[
            {"call_id": "c1", "turn": 1, "name": "f", "started_s": 2.0},
            {"call_id": "c2", "turn": 1, "name": "g", "started_s": 2.0, "duration_ms": 9.0, "error": "no"},
            {"call_id": "c3", "turn": 1, "name": "never began"},
        ],
    )
    assert spans(told, "lane", "end_s", "what") == [
        (VAD, 9.0, "speech_started, and no speech_stopped"),
        (TOOLS, 2.0, "f has not ended"),
        (TOOLS, 2.009, "g failed, took 9 ms"),
    ]


def test_a_waveform_is_cut_at_what_was_heard() -> None:
    found = timeline_frames(a_turn(interrupted=True, heard_ms=1000.0, heard_text="it"), range(1, 2))
    waves = found.waves
    parts = dict(list(waves.groupby(["lane", "heard"])))
    assert parts[(HEARD, True)]["t"].between(3.1, 4.1).all()
    assert parts[(HEARD, False)]["t"].between(4.1, 5.1).all()
    assert parts[(SPEECH, True)]["t"].between(1.0, 2.5).all()
    # Each lane by its own loudest, for all of its sounds.
    assert np.allclose(waves["high"], 1.0, atol=1e-3)
    assert np.allclose(waves["low"], -1.0, atol=1e-3)
    assert len(waves) <= MOST_COLUMNS


def many(turns: int) -> Told:
    return Told(
        turns=[{"turn": n, "started_at": ns(10 * n), "ended_s": 10 * n + 6.0} for n in range(1, turns + 1)],
        items=[item for n in range(1, turns + 1) for item in (asked(n, 10.0 * n), answered(n, 10.0 * n + 3))],
        sounds={f"{who}{n}": tone(1.5) for n in range(1, turns + 1) for who in "ua"},
    )


def test_of_many_turns_the_last_have_waveforms_and_are_seen() -> None:
    found = timeline_frames(many(200), range(1, 201))
    drawn = found.spans[found.spans["waveform"].astype(bool)]
    assert sorted(drawn["turn"].unique()) == list(range(193, 201))
    assert 0 < len(found.waves) <= MOST_COLUMNS
    laid = layout(found, 700)
    assert laid.has_overview
    assert 1920 < laid.window[0] < 1930
    assert laid.window[1] > 2006
    assert len(laid.turns) == 200


def test_labels_have_the_room_until_the_next() -> None:
    laid = layout(timeline_frames(many(3), range(1, 4)), 330)
    start_s, end_s = laid.window
    per_s = 330 / (end_s - start_s)
    rooms = [(start_s, room_px) for start_s, _, room_px, _ in laid.labels]
    seconds = {10.0: 10, 20.0: 10, 30.0: 6, 13.1: 10, 23.1: 10, 33.1: 2.9}
    assert rooms == [(start_s, int(length * per_s) - 6) for start_s, length in seconds.items()]
    assert laid.labels[-1][-1] == "it is clear…"


def test_only_the_turns_that_are_asked_for() -> None:
    found = timeline_frames(many(9), range(4, 6))
    assert set(found.spans["turn"]) == {4, 5}
    assert list(found.turns.itertuples(index=False, name=None)) == [(4, 40.0, 46.0), (5, 50.0, 56.0)]


def test_lanes_keep_their_order() -> None:
    found = timeline_frames(a_turn(interrupted=True, heard_ms=1.0), range(1, 2))
    assert found.lanes == LANES[:-1], "all but what never happened"


def test_a_gap_without_a_connection_has_a_lane_of_its_own() -> None:
    told = a_turn()
    lost, back = "local.connection.lost", "local.connection.restored"
    gap = [event(4.2, lost, "", None, "local"), event(5.0, back, "", None, "local")]
    later = [event(9.0, lost, "", None, "local")]
    told.events = Told(events=gap + later).events
    found = timeline_frames(told, range(1, 2))
    assert found.lanes[-1] == NO_CONNECTION
    (row,) = found.spans[found.spans["lane"] == NO_CONNECTION].to_dict("records")
    assert (row["start_s"], row["end_s"], row["what"]) == (4.2, 5.0, "no connection for 0.80 s")
    assert layout(found, 800).spans[-1][0] == NO_CONNECTION


# ---- latency -----------------------------------------------------------------------------------------------

NAMES = dict(zip(("stopped", "created", "text", "audio", "sent", "sound"), STEPS, strict=True))


def steps(**ms: float) -> dict[str, float]:
    return {NAMES[name]: value for name, value in ms.items()}


def waits(*turns: dict[str, float]) -> list[tuple[Any, ...]]:
    frame = table(
        [{"turn": n, "started_at": 0, **row} for n, row in enumerate(turns, 1)], TURN_COLUMNS, "turn"
    )
    return list(latency_frames(frame).waits.itertuples(index=False, name=None))


def test_waits_follow_one_another() -> None:
    assert waits(steps(stopped=510, created=520, text=800, audio=850, sent=858, sound=990)) == [
        (1, "end of speech noticed", 0, 510, 510),
        (1, "response created", 510, 520, 520),
        (1, "first text", 520, 800, 800),
        (1, "first audio", 800, 850, 850),
        (1, "sent to the page", 850, 858, 858),
        (1, "first sound", 858, 990, 990),
    ]


def test_unknown_steps_are_left_out_and_not_zero() -> None:
    assert waits(steps(created=20, audio=850), {}) == [
        (1, "response created", 0, 20, 20),
        (1, "first audio", 20, 850, 850),
    ]


def test_steps_in_another_order_and_before_the_end_of_speech() -> None:
    assert waits(steps(stopped=-30, created=-50, audio=700, text=760)) == [
        (1, "first audio", 0, 700, 700),
        (1, "first text", 700, 760, 760),
        (1, "end of speech noticed", -30, 0, -30),
        (1, "response created", -50, -30, -50),
    ]


@settings(max_examples=20)
@given(
    st.dictionaries(
        st.sampled_from(list(STEPS)), st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False), max_size=6
    )
)
def test_waits_fill_the_time_from_the_first_to_the_last_step(known: dict[str, float]) -> None:
    frame = table([{"turn": 1, "started_at": 0, **known}], TURN_COLUMNS, "turn")
    found = latency_frames(frame)
    assert set(found.waits["step"]) == {STEPS[c] for c in known}
    assert (found.waits["end_ms"] >= found.waits["start_ms"]).all()
    length = sum(found.waits["end_ms"] - found.waits["start_ms"])
    assert length == pytest.approx(max([0, *known.values()]) - min([0, *known.values()]))
    assert found.low_ms < found.high_ms
    assert math.isfinite(found.low_ms + found.high_ms)


def spread(count: int, slow_ms: float = 0.0) -> Any:
    rows = [{"turn": n, "started_at": 0, **steps(audio=100.0 * n)} for n in range(1, count + 1)]
    if slow_ms:
        rows[-1] |= steps(audio=slow_ms)
    return latency_frames(table(rows, TURN_COLUMNS, "turn"))


def test_the_spread_of_a_step() -> None:
    few, enough = spread(5), spread(21)
    assert few.high == "max"
    assert few.spread.to_dict("records") == [
        {"step": "first audio", "turns": 5, "p25_ms": 200, "p50_ms": 300, "p75_ms": 400, "high_ms": 500}
    ]
    assert enough.high == "p95"
    assert enough.spread.to_dict("records") == [
        {"step": "first audio", "turns": 21, "p25_ms": 600, "p50_ms": 1100, "p75_ms": 1600, "high_ms": 2000}
    ]


def test_one_slow_turn_does_not_make_all_others_short() -> None:
    found = spread(9, slow_ms=60_000)
    assert found.beyond == 1
    assert found.high_ms == pytest.approx(800 * 1.04)
    assert spread(9).beyond == 0


# ---- usage -------------------------------------------------------------------------------------------------


def bill(*rows: dict[str, Any], turns: range = range(1, 4)) -> Any:
    filled = [{"at": 0, "kind": "response", "requests": 1, "status": "completed", **row} for row in rows]
    return usage_frames(table(filled, USAGE_COLUMNS, "n"), turns)


def test_tokens_by_kind_with_cached_ones_apart() -> None:
    found = bill(
        {
            "turn": 1,
            "input_tokens": 100,
            "text_tokens": 10,
            "cached_text_tokens": 20,
            "audio_tokens": 30,
            "cached_audio_tokens": 39,
            "unnamed_input_tokens": 1,
            "output_text_tokens": 5,
            "output_audio_tokens": 50,
        },
        {"turn": 1, "text_tokens": 7},
        {"turn": 2, "kind": "transcription", "requests": 0, "input_tokens": 40, "output_tokens": 8},
    )
    assert sorted(found.tokens.itertuples(index=False, name=None)) == [
        (1, "input", "audio", 30),
        (1, "input", "audio, cached", 39),
        (1, "input", "kind not told", 1),
        (1, "input", "text", 17),
        (1, "input", "text, cached", 20),
        (1, "output", "audio", 50),
        (1, "output", "text", 5),
        (2, "input", "transcription", 40),
        (2, "output", "transcription", 8),
    ]


def test_cost_so_far_and_what_has_no_price() -> None:
    found = bill(
        {"turn": 1, "cost_usd": 0.25},
        {"turn": 2, "note": "no price for 'x'"},
        {"turn": 3, "cost_usd": 0.5, "cost_is_upper_bound": True},
        {"turn": 3, "cost_usd": 0.125},
    )
    rows = list(found.cost.itertuples(index=False, name=None))
    assert rows[0] == (1, 0.25, 0.25, 0, False)
    assert math.isnan(rows[1][1])
    assert rows[1][2:] == (0.25, 1, False)
    assert rows[2] == (3, 0.625, 0.875, 0, True)
    assert (found.total_usd, found.unpriced, found.is_bound, found.why) == (
        0.875,
        1,
        True,
        "no price for 'x'",
    )


def test_no_price_at_all_is_not_nothing() -> None:
    found = bill({"turn": 1}, {"turn": 2})
    assert math.isnan(found.total_usd)
    assert (found.unpriced, found.why) == (2, None)


def test_requests_by_status_and_those_of_no_turn() -> None:
    found = bill(
        {"turn": None},
        {"turn": 2, "status": "cancelled"},
        {"turn": None, "status": "odd"},
        {"turn": 2, "status": None},
        {"turn": 9},
    )
    assert list(found.requests.itertuples(index=False, name=None)) == [
        (1, "completed", 1),
        (2, "cancelled", 1),
        (2, "other", 2),
    ]


# ---- item --------------------------------------------------------------------------------------------------


def one(told: Told, item_id: str, columns: int = 40) -> Any:
    return item_data(told.items.loc[item_id].to_dict(), told.sound(item_id), columns)


def test_an_item_that_was_cut() -> None:
    found = one(a_turn(interrupted=True, heard_ms=500.0, heard_text="it is"), "a1", 12)
    assert (found.duration_s, found.heard_s) == (2.0, 0.5)
    assert (found.heard, found.unheard) == (["it is"], ["clear and", "warm"])
    heard = [t for t, _, _, was in found.waves if was]
    rest = [t for t, _, _, was in found.waves if not was]
    # The parts meet: no gap is to be seen.
    assert max(heard) == min(rest) <= 0.5
    assert max(t for t, *_ in found.waves) < 2.0


def test_an_item_that_was_heard_whole_and_the_users_own() -> None:
    told = a_turn()
    assert one(told, "a1").unheard == []
    mine = one(told, "u1")
    assert (mine.heard_s, mine.heard, mine.unheard) == (None, ["what is the weather"], [])
    assert all(was for *_, was in mine.waves)


def test_an_item_without_sound_and_words() -> None:
    told = Told(items=[{"item_id": "x", "type": "function_call"}])
    assert one(told, "x") == ([], 0.0, None, [], [])
