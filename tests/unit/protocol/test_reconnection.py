"""When a lost connection is opened again, how long is waited, and when it is given up."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import (
    BadSetting,
    ConnectionDropped,
    ConnectionRefused,
    DialectRefused,
    GipError,
    HostUnreachable,
    KeyRefused,
    RehearsalFailed,
    ServerError,
    TimedOut,
    UnknownModel,
    UnknownOption,
)
from gip_nb.protocol.reconnection import (
    Attempts,
    LastWord,
    Reconnect,
    clock_ahead_s,
    comes_back,
    read_reconnect,
    read_retry_after,
    rollover_of,
)

NOON = 1_764_331_200.0  # 2025-11-28T12:00:00Z


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014])
def test_these_closes_may_be_over_soon(code: int) -> None:
    assert comes_back(ConnectionDropped("gone", "later"), code)


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000, 4401])
def test_these_closes_are_for_good(code: int) -> None:
    assert not comes_back(ConnectionDropped("gone", "later"), code)


@pytest.mark.parametrize(
    "error",
    [
        HostUnreachable("no network", "wait"),
        TimedOut("no greeting", "wait"),
        ConnectionRefused("down", "wait", 503),
        ConnectionRefused("down", "wait", 500),
        ConnectionRefused("busy", "wait", 429),
        ConnectionRefused("cut off in its words", "wait"),
        ServerError("60 minutes", "again", "session_expired"),
        ServerError("busy", "again", "rate_limit_exceeded"),
        ServerError("upstream closed with 1006", "again"),
    ],
)
def test_these_errors_may_be_over_soon(error: GipError) -> None:
    assert comes_back(error, 1008), "whatever the code of the close that follows"


@pytest.mark.parametrize(
    "error",
    [
        KeyRefused("no", "check"),
        UnknownModel("no", "list"),
        DialectRefused("no beta", "ga", "beta_api_shape_disabled"),
        ConnectionRefused("not here", "check", 404),
        ConnectionRefused("bad", "check", 400),
        ServerError("no money", "pay", "insufficient_quota"),
        ServerError("bad", "look", "invalid_value"),
        RehearsalFailed("no", "serve"),
    ],
)
def test_these_errors_are_for_good(error: GipError) -> None:
    assert not comes_back(error, 1006)


def test_waits_double_up_to_the_longest_and_the_half_of_each_is_chance() -> None:
    policy = Reconnect(attempts=9, limit_s=1e6)
    for chance, share in ((0.0, 0.5), (0.999999, 1.0)):
        attempts = Attempts(policy, itertools.repeat(chance).__next__)
        attempts.lost(0.0)
        waits = [attempts.wait_s(0.0) for _ in range(9)]
        assert waits == pytest.approx([share * w for w in (0.5, 1, 2, 4, 8, 16, 30, 30, 30)], rel=1e-4)
        assert attempts.wait_s(0.0) is None
        assert attempts.number == 9


def test_a_server_that_names_a_time_is_not_asked_sooner_and_not_for_ever() -> None:
    attempts = Attempts(Reconnect(limit_s=60), lambda: 0.0)
    attempts.lost(10.0)
    assert attempts.wait_s(10.0, 40.0) == 40.0
    assert attempts.wait_s(50.0, 0.1) == 0.5
    assert attempts.wait_s(51.0, 3600.0) is None
    assert attempts.tried_s(51.0) == 41.0


def test_only_a_connection_that_holds_begins_a_new_row() -> None:
    """A drop within seconds of each connect does not go on for ever."""
    attempts = Attempts(Reconnect(attempts=3, stable_s=30), lambda: 0.0)
    attempts.opened(0.0)
    now, waits = 100.0, []
    for _ in range(4):
        attempts.lost(now)
        waits.append(attempts.wait_s(now))
        attempts.opened(now + 1)
        now += 5
    assert waits == [0.25, 0.5, 1.0, None]
    attempts.lost(now + 31)
    assert attempts.wait_s(now + 31) == 0.25


def test_moves_that_were_planned_are_no_failures() -> None:
    """A session that moves every few seconds, by its user's word, does so for as long as it likes."""
    attempts = Attempts(Reconnect(attempts=3, stable_s=30), lambda: 0.0)
    now = 0.0
    attempts.opened(now)
    for _ in range(20):
        now += 20
        attempts.lost(now, planned=True)
        assert attempts.wait_s(now) == 0.25
        assert attempts.number == 1
        attempts.opened(now)
    waits = []
    for _ in range(3):
        attempts.lost(now)
        waits.append(attempts.wait_s(now))
    assert waits == [0.5, 1.0, None], "one that is lost right after such a move is in its row"


def test_what_a_front_door_says_is_not_believed_at_once() -> None:
    attempts = Attempts(Reconnect(), lambda: 0.0)
    for _ in range(2):
        attempts.lost(0.0)
        found = [attempts.goes_on(ConnectionRefused("nothing here", "check", 404)) for _ in range(5)]
        assert found == [True] * 4 + [False]
        attempts.opened(1.0)
        attempts.lost(100.0)
    assert not attempts.goes_on(KeyRefused("no", "check"))
    assert not attempts.goes_on(UnknownModel("no", "list"))
    assert not attempts.goes_on(ConnectionDropped("broken", "later"), 1008)
    busy = [attempts.goes_on(ConnectionRefused("busy", "wait", 503)) for _ in range(50)]
    assert all(busy), "these end with the attempts"


def test_the_reason_of_an_end_is_what_was_said_just_before_on_that_connection() -> None:
    word = LastWord(1.0)
    assert word.about(1, 0.0) is None
    refused = KeyRefused("no", "check")
    word.said(refused, 2, 10.0)
    assert word.about(2, 10.9) is refused
    assert word.about(2, 11.1) is None, "the talk went on: it was about something else"
    assert word.about(3, 10.5) is None, "another server has not said so"


@given(
    drops=st.lists(st.floats(0, 100), max_size=30),
    chance=st.floats(0, 0.999),
    attempts=st.integers(1, 12),
    limit_s=st.floats(0, 400),
)
def test_a_row_ends_whatever_happens(
    drops: list[float], chance: float, attempts: int, limit_s: float
) -> None:
    policy = Reconnect(attempts=attempts, limit_s=limit_s)
    found = Attempts(policy, lambda: chance)
    found.lost(0.0)
    now, made = 0.0, 0
    for held_s in [min(d, policy.stable_s - 0.01) for d in drops]:
        wait = found.wait_s(now)
        if wait is None:
            break
        made += 1
        now += wait
        assert now <= limit_s
        found.opened(now)
        now += held_s
        found.lost(now)
    assert made <= attempts


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0", 0.0),
        ("-3", 0.0),
        ("nan", None),
        ("soon", None),
        ("Fri, 28 Nov 2025 12:00:30 GMT", 30.0),
        ("Fri, 28 Nov 2025 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert read_retry_after(header, NOON) == seconds


@pytest.mark.parametrize(
    ("date", "ahead_s"),
    [
        (None, 0.0),
        ("soon", 0.0),
        ("Fri, 28 Nov 2025 12:10:00 GMT", 600.0),
        ("Fri, 28 Nov 2025 11:00:00 GMT", -3600.0),
        ("Fri, 28 Nov 2025 12:00:02 GMT", 0.0),
    ],
)
def test_a_server_dates_its_answer(date: str | None, ahead_s: float) -> None:
    assert clock_ahead_s(date, NOON) == ahead_s


@pytest.mark.parametrize("given_", [True, None, {}, Reconnect()])
def test_the_usual_policy(given_: object) -> None:
    assert read_reconnect(given_) == Reconnect()


def test_a_policy_of_ones_own_or_none() -> None:
    off: object = False
    assert read_reconnect(off) is None
    assert read_reconnect({"attempts": 3}) == Reconnect(attempts=3)


def test_what_is_no_policy_is_said_with_what_is() -> None:
    with pytest.raises(UnknownOption, match="attempts"):
        read_reconnect({"atempts": 3})
    for bad in ("yes", 3, [True]):
        with pytest.raises(BadSetting):
            read_reconnect(bad)
    wrong: list[dict[str, Any]] = [
        {"attempts": 0},
        {"attempts": 1.5},
        {"attempts": True},
        {"limit_s": -1},
        {"limit_s": "long"},
        {"first_wait_s": float("nan")},
        {"session_limit_s": -1},
        {"session_limit_s": 9.9},
    ]
    for fields in wrong:
        with pytest.raises(BadSetting, match=next(iter(fields))):
            read_reconnect(fields)


def test_a_session_moves_in_the_last_minute_of_what_is_known() -> None:
    span = rollover_of({"expires_at": NOON + 1800}, NOON, None)
    assert span is not None
    assert (span.from_s, span.until_s) == (1725.0, 1792.5)
    short = rollover_of({"expires_at": NOON + 1800}, NOON, 100.0)
    assert short is not None, "the user's word counts before the server's"
    assert (short.from_s, short.until_s) == (75.0, 97.5)


@pytest.mark.parametrize("told", [None, 0, NOON - 5, NOON + 20, "soon", True, float("inf")])
def test_what_no_clock_can_mean_is_no_limit(told: object) -> None:
    assert rollover_of({"expires_at": told}, NOON, None) is None
