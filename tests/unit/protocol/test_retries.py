"""What is asked for again and after which wait; policies as users write them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import BadSetting, UnknownOption
from gip_nb.protocol.frames import Event
from gip_nb.protocol.retries import (
    NEVER,
    Fault,
    RateLimits,
    Retry,
    fault_of,
    reason_of,
    retry_of,
    told_wait_s,
    wait_s_of,
)

QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"type": "tokens", "code": "rate_limit_exceeded"}, "rate limited"),
        ({"type": "rate_limit_error", "code": None, "message": "slow down"}, "rate limited"),
        ({"code": 429}, "rate limited"),
        ({"message": "Rate limit reached for gpt-realtime on tokens per min (TPM)"}, "rate limited"),
        ({"type": "server_error", "code": None, "message": "The server had an error"}, "server error"),
        ({"type": "server_error", "code": "oops"}, "server error"),
        ({"code": "503", "message": "upstream"}, "server error"),
        ({"code": "engine_overloaded"}, "server error"),
        ({"message": "The model is currently overloaded."}, "server error"),
        ({"code": "insufficient_quota", "type": "server_error"}, None),
        ({"code": "rate_limit_exceeded", "message": QUOTA}, None),
        ({"type": "server_error", "message": "stopped by the content filter"}, None),
        ({"type": "invalid_request_error", "code": "invalid_value"}, None),
        ({"type": "invalid_request_error", "code": "invalid_value", "message": "no rate limit"}, None),
        ({"type": "invalid_request_error", "message": "the model has no such voice"}, None),
        ({}, None),
        ({"code": ["?"], "type": 3.5, "message": {}}, None),
    ],
)
def test_only_what_may_pass_by_itself_is_asked_for_again(error: dict[str, Any], reason: str | None) -> None:
    assert reason_of(fault_of(error)) == reason


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        ({"message": "Please try again in 1.2s. Visit https://x to learn more."}, 1.2),
        ({"message": "Please try again in 350ms."}, 0.35),
        ({"message": "try again in 1m30.5s"}, 90.5),
        ({"message": "Retry after 20 seconds, please"}, 20.0),
        ({"message": "retry in 1h2m3s"}, 3723.0),
        ({"message": "try again in 5 messages"}, None),
        ({"message": "try again in a while"}, None),
        ({"message": "try again in 9s", "retry_after": 2}, 2.0),
        ({"retry_after": "2.5"}, 2.5),
        ({"retry_after_ms": 400}, 0.4),
        ({"retry_after": -1}, None),
        ({"retry_after": math.nan}, None),
        ({"retry_after": True}, None),
        ({"retry_after": "soon"}, None),
    ],
)
def test_the_wait_that_the_server_tells(error: dict[str, Any], wait_s: float | None) -> None:
    assert told_wait_s(fault_of(error)) == (None if wait_s is None else pytest.approx(wait_s))


def test_policies_as_they_are_written() -> None:
    for given_, policy in ((True, Retry()), (None, Retry()), (False, NEVER)):
        assert retry_of(given_) == policy
    assert retry_of({"attempts": 5}) == Retry(attempts=5)
    assert retry_of(Retry(longest_wait_s=3)) == Retry(longest_wait_s=3)


@pytest.mark.parametrize(
    "given_", ["yes", 3, {"attempts": -1}, {"attempts": 1.5}, {"attempts": True}, {"first_wait_s": 0},
               {"longest_wait_s": math.inf}, {"first_wait_s": "1"}, Retry(longest_wait_s=math.nan)],
)  # fmt: skip
def test_what_is_no_policy_is_said(given_: object) -> None:
    with pytest.raises(BadSetting, match="retry"):
        retry_of(given_)


def test_an_unknown_field_of_a_policy_names_the_nearest_or_all_known_ones() -> None:
    with pytest.raises(UnknownOption, match="did you mean 'attempts'"):
        retry_of({"attempt": 3})
    with pytest.raises(UnknownOption, match="attempts, first_wait_s, longest_wait_s"):
        retry_of({"zzz": 3})


class Limits:
    """A clock, and what the server told of its limits."""

    def __init__(self, *told: tuple[float, float, float]) -> None:
        self.now_s = 100.0
        self.limits = RateLimits(lambda: self.now_s)
        names = ("limit", "remaining", "reset_seconds")
        rows = [dict(zip(names, one, strict=True)) for one in told]
        self.limits.observe(Event("rate_limits.updated", {"rate_limits": [*rows, "odd", {}]}))


LIMITED = Fault(code="rate_limit_exceeded")


def test_limits_that_were_told_say_how_long_while_they_last() -> None:
    told = Limits((1000, 0, 8.0), (100, 60, 50.0))
    assert wait_s_of(Retry(), 1, LIMITED, told.limits, lambda: 0.0) == 8.0
    told.now_s += 5
    assert wait_s_of(Retry(), 1, LIMITED, told.limits, lambda: 0.0) == 3.0
    told.now_s += 60
    assert told.limits.wait_s() == 0.0
    # Of trouble at the server they say nothing.
    assert wait_s_of(Retry(), 1, Fault(code="server_error"), told.limits, lambda: 0.5) == 1.0


def test_limits_of_which_enough_is_left_say_nothing() -> None:
    assert Limits((1000, 900, 8.0), (0, 0, 3.0)).limits.wait_s() is None


faults = st.builds(
    Fault, message=st.sampled_from(["", "try again in 3s", "try again in 20ms"]), code=st.just("500")
)
policies = st.builds(Retry, first_wait_s=st.floats(0.001, 100), longest_wait_s=st.floats(0.001, 1000))


@given(faults, st.integers(1, 1000), st.floats(0, 1, exclude_max=True), policies)
def test_a_wait_is_never_shorter_than_the_server_said_nor_longer_than_the_policy_allows(
    fault: Fault, attempt: int, lot: float, policy: Retry
) -> None:
    wait_s = wait_s_of(policy, attempt, fault, RateLimits(lambda: 0.0), lambda: lot)
    told_s = told_wait_s(fault)
    if told_s is None:
        assert 0 < wait_s <= policy.longest_wait_s
    else:
        assert told_s <= wait_s <= told_s * 1.1 + 0.05


odd = st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text()))


@given(st.dictionaries(st.sampled_from(["type", "code", "message", "retry_after"]), odd))
def test_no_error_of_a_server_is_too_odd(error: dict[str, Any]) -> None:
    fault = fault_of(error)
    reason_of(fault)
    told = told_wait_s(fault)
    assert told is None or told >= 0
