"""Asking again for a response that failed or was refused: when, how often, after which wait. Pure.

Only what may pass by itself is asked again: a rate limit, trouble at the server. A request that is wrong, a
quota that is used up or a content filter would answer the same again. Sources of the waits, in order: what
the server says of this failure (`retry_after`, "try again in 1.2s"), what `rate_limits.updated` told last,
and else twice as long each time, at random a little more or less, so that many clients do not come back at
once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gip_nb.errors import BadSetting
from gip_nb.protocol.policies import policy_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.frames import Event

__all__ = [
    "NEVER",
    "Fault",
    "RateLimits",
    "Retry",
    "RetryReason",
    "fault_of",
    "reason_of",
    "retry_of",
    "wait_s_of",
]

RetryReason = Literal["rate limited", "server error"]

_RATE_CODES = frozenset(
    {
        *("rate_limit_exceeded", "rate_limit_error", "rate_limited", "too_many_requests", "429"),
        *("tokens_per_minute_exceeded", "requests_per_minute_exceeded", "throttled", "resource_exhausted"),
    }
)
_SERVER_CODES = frozenset(
    {
        *("server_error", "internal_error", "internal_server_error", "internal", "api_error", "overloaded"),
        *("overloaded_error", "server_overloaded", "engine_overloaded", "service_unavailable", "unavailable"),
        *("bad_gateway", "gateway_timeout", "upstream_error", "timeout", "temporarily_unavailable"),
    }
)
# Whatever else is said beside these: the next answer would be the same.
_FINAL_CODES = frozenset(
    {
        *("insufficient_quota", "quota_exceeded", "billing_hard_limit_reached", "billing_not_active"),
        *("content_filter", "content_policy_violation", "invalid_prompt", "invalid_api_key"),
    }
)
_FINAL_WORDS = re.compile(r"current quota|\bbilling\b|content (filter|policy)", re.IGNORECASE)
_RATE_WORDS = re.compile(r"\brate[ _-]?limit|\btoo many requests\b|\b(TPM|RPM)\b", re.IGNORECASE)
_SERVER_WORDS = re.compile(
    r"\boverloaded\b|server (had|has) an error|internal (server )?error|temporarily unavailable",
    re.IGNORECASE,
)
# "Please try again in 1m30.5s", "retry after 20 seconds", "try again in 350ms".
_WAIT_WORDS = re.compile(
    r"(?:try|retry)(?:ing)?(?: again)?[ _-]?(?:in|after)[: =]*"
    r"((?:\d+(?:\.\d+)?\s*(?:milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d)(?![a-z])\s*)+)",
    re.IGNORECASE,
)
_ONE_WAIT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
_UNIT_S = {"ms": 0.001, "milliseconds": 0.001, "msecs": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SERVER_STATUSES = range(500, 600)
# A limit of which less than this is left is what stood in the way.
_SCARCE_SHARE = 0.05


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How responses that failed are asked for again.

    Attributes:
        attempts: at most so often for one answer; 0: never.
        first_wait_s: before the first time, where the server does not say how long; twice as long each time.
        longest_wait_s: who would have to wait longer than this does not ask again, and is told.
    """

    attempts: int = 2
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0


NEVER = Retry(attempts=0)


def retry_of(given: object) -> Retry:
    """A policy as a user writes it: True, False, a `Retry`, or a dict of its fields.

    Raises:
        BadSetting: it is none, or a value of it cannot be.
        UnknownOption: a field that is none.
    """
    example = "a dict such as {'attempts': 3}"
    return _checked(policy_of(given, Retry, NEVER, name="retry", example=example))


def _checked(policy: Retry) -> Retry:
    attempts: object = policy.attempts
    if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 0:
        raise BadSetting(f"retry: attempts is {attempts!r}", "give a whole number, 0 for never.")
    for name in ("first_wait_s", "longest_wait_s"):
        value: object = getattr(policy, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise BadSetting(f"retry: {name} is {value!r}", "give it in seconds, more than 0.")
    return policy


class Fault(msgspec.Struct, frozen=True):
    """Why a response came to nothing, as the server told it.

    Attributes:
        message: in words; empty where it gave none.
        code: its own code, None without.
        kind: the error's `type`.
        retry_after_s: how long to wait, where it said so in a field of its own.
    """

    message: str = ""
    code: str | None = None
    kind: str | None = None
    retry_after_s: float | None = None


def fault_of(error: Mapping[str, Any]) -> Fault:
    """Read an `error` object, of an event or of `status_details`; never trusted to be complete."""
    wait_s = _seconds(error.get("retry_after"))
    if wait_s is None:
        wait_s = _seconds(error.get("retry_after_s"))
    if wait_s is None:
        wait_ms = _seconds(error.get("retry_after_ms"))
        wait_s = None if wait_ms is None else wait_ms / 1000
    return Fault(
        _text(error.get("message")) or "", _text(error.get("code")), _text(error.get("type")), wait_s
    )


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def _seconds(value: object) -> float | None:
    """A positive number, also one that is written as a text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < math.inf else None


def reason_of(fault: Fault) -> RetryReason | None:
    """Why asking again may help; None where it would not."""
    words = {w.lower() for w in (fault.code, fault.kind) if w}
    if words & _FINAL_CODES or _FINAL_WORDS.search(fault.message):
        return None
    if words & _RATE_CODES:
        return "rate limited"
    code = fault.code or ""
    if words & _SERVER_CODES or (code.isdecimal() and int(code) in _SERVER_STATUSES):
        return "server error"
    if fault.code is not None:
        # It says what it is, and that is neither.
        return None
    if _RATE_WORDS.search(fault.message):
        return "rate limited"
    return "server error" if _SERVER_WORDS.search(fault.message) else None


def told_wait_s(fault: Fault) -> float | None:
    """How long the server says to wait, seconds; None where it does not."""
    if fault.retry_after_s is not None:
        return fault.retry_after_s
    found = _WAIT_WORDS.search(fault.message)
    if found is None:
        return None
    parts = _ONE_WAIT.findall(found[1])
    return sum(float(number) * _unit_s(unit.lower()) for number, unit in parts)


def _unit_s(unit: str) -> float:
    if unit in {"ms", "millisecond", "milliseconds", "msec", "msecs"}:
        return 0.001
    return _UNIT_S[unit[0]]


class RateLimits:
    """What `rate_limits.updated` told last, and when.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: list[tuple[float, float]] = []
        self._told_s = 0.0

    def observe(self, event: Event) -> None:
        """Remember `rate_limits.updated`: the share that is left of each, and when it is whole."""
        limits = event.fields.get("rate_limits")
        self._told, self._told_s = [], self._clock()
        for one in limits if isinstance(limits, list) else []:
            if isinstance(one, Mapping):
                limit, remaining, reset_s = map(
                    _seconds, map(one.get, ("limit", "remaining", "reset_seconds"))
                )
                if limit and remaining is not None and reset_s is not None:
                    self._told.append((remaining / limit, reset_s))

    def wait_s(self) -> float | None:
        """Until what is scarce is there again, seconds from now; None where nothing is known to be."""
        scarce = [reset_s for share, reset_s in self._told if share < _SCARCE_SHARE]
        if not scarce:
            return None
        return max(0.0, max(scarce) - (self._clock() - self._told_s))


def wait_s_of(
    policy: Retry, attempt: int, fault: Fault, limits: RateLimits, random: Callable[[], float]
) -> float:
    """How long to wait before asking again, seconds.

    Args:
        policy: the user's.
        attempt: which one this will be, from 1.
        fault: what the server said.
        limits: what it told of its limits.
        random: gives a float in [0, 1).
    """
    told_s = told_wait_s(fault)
    if told_s is None and reason_of(fault) == "rate limited":
        told_s = limits.wait_s()
    if told_s is not None:
        # Never earlier than it said; later by up to a tenth, and not all clients at once.
        return told_s * (1 + 0.1 * random()) + 0.05 * random()
    backoff_s = policy.first_wait_s * 2.0 ** min(attempt - 1, 32)
    # What this side has made up is never longer than what it would wait for.
    return min(policy.longest_wait_s, backoff_s * (0.75 + 0.5 * random()))
