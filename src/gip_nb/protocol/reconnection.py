"""When a lost connection is opened again: which ends are worth it, how long to wait, when to give up. Pure.

The session's shell (session/reconnecting.py) asks and waits; what is sent when it is back is resumption.py's.
Close codes: RFC 6455 (7.4.1) and the registry that it founds. That a server closes with 1000 at its session's
time limit is what the Realtime API does; 1001, 1012 and 1013 are a gateway that is restarted or too busy.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from gip_nb.errors import (
    BadSetting,
    ConnectionDropped,
    ConnectionRefused,
    GipError,
    HostUnreachable,
    ServerError,
    TimedOut,
)
from gip_nb.protocol.policies import policy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "Attempts",
    "LastWord",
    "Reconnect",
    "Rollover",
    "clock_ahead_s",
    "comes_back",
    "read_reconnect",
    "read_retry_after",
    "rollover_of",
]

# Normal, going away, no code, no frame, the server's own trouble, restart, try again later, bad gateway.
_CLOSES = frozenset({1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014})
# Too early, too many requests, request timeout: and every 5xx.
_STATUSES = frozenset({408, 425, 429})
_SERVER_TROUBLE = 500
# What a server says of itself, and not of what it was sent.
_PASSING_CODES = frozenset(
    {
        *("internal_error", "internal_server_error", "overloaded", "overloaded_error", "rate_limit_exceeded"),
        *("server_error", "server_overloaded", "service_unavailable", "session_expired", "too_many_requests"),
    }
)
# Of a session that says it ends sooner than this, nobody has set the clock.
_SHORTEST_SESSION_S = 60.0
_ROLLOVER_LEAD_S = 75.0
# A user's limit below this is a slip: the session would do nothing but move.
_LEAST_LIMIT_S = 10.0
_SAME_CLOCK_S = 5.0
# A refusal in plain HTTP of an address, key and model that were let in before is more often the front door's
# (no backend yet: 404) than the last word; about fifteen seconds of it are.
_MOST_REFUSALS = 5


@dataclass(frozen=True, kw_only=True)
class Reconnect:
    """How a session comes back when its connection is lost: `talk(reconnect=Reconnect(attempts=3))`.

    Attributes:
        attempts: so many in a row; a connection that holds for `stable_s` begins a new row.
        limit_s: for all of them together.
        first_wait_s: before the first attempt; each further one waits twice as long. The half of each wait is
            left to chance, so that a gateway that restarts does not meet all its clients at once. Where the
            server names a time (`Retry-After`), that counts if it is longer.
        longest_wait_s: no wait is longer, unless the server asks for it.
        stable_s: a connection that is lost sooner counts as an attempt that failed.
        kept_audio_s: what the microphone hears meanwhile, and what was said and not taken yet, is kept up to
            this and sent afterwards; the oldest goes first.
        session_limit_s: how long the server lets a session last, where it does not say so itself
            (`expires_at`); 10 or more. Before that the session moves to a new connection in a quiet moment.
    """

    attempts: int = 10
    limit_s: float = 300.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    stable_s: float = 30.0
    kept_audio_s: float = 30.0
    session_limit_s: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "session_limit_s" and value is None:
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            least = {"attempts": 1, "session_limit_s": _LEAST_LIMIT_S}.get(field.name, 0)
            if not number or value < least or (field.name == "attempts" and value != int(value)):
                whole = field.name == "attempts"
                kind = "a whole number from 1 on" if whole else f"a number of seconds, {least:g} or more"
                raise BadSetting(f"reconnect: {field.name} is {value!r}", f"give {kind}.")


def read_reconnect(given: object) -> Reconnect | None:
    """`reconnect=...`: True, False, a dict of the fields or a `Reconnect`. None: a lost one is the end.

    Raises:
        BadSetting: it is none of these, or a field has a value that cannot be.
        UnknownOption: a field that there is not.
    """
    example = "a dict such as {'attempts': 5, 'limit_s': 60}"
    return policy_of(given, Reconnect, None, name="reconnect", example=example)


def comes_back(error: GipError, code: int | None = None) -> bool:
    """Whether an end like this may be over at the next attempt.

    A key that is refused, a model that there is not, a dialect that is not spoken and a policy that was
    broken stay so.

    Args:
        error: why the connection ended, or could not be opened.
        code: of the close, where there was one.
    """
    if isinstance(error, ServerError):
        # Also what has no code: a gateway's words about what is behind it.
        return type(error) is ServerError and (error.code is None or error.code in _PASSING_CODES)
    if isinstance(error, ConnectionRefused):
        status = error.status
        return status is None or status >= _SERVER_TROUBLE or status in _STATUSES
    if isinstance(error, ConnectionDropped):
        return code is None or code in _CLOSES
    return isinstance(error, HostUnreachable | TimedOut)


class Attempts:
    """The attempts of one session to come back. Times are seconds on any clock that only goes forward.

    Args:
        policy: the user's.
        random: gives numbers in [0, 1).

    Attributes:
        number: of the newest attempt in this row, from 1; 0 before the first.
    """

    def __init__(self, policy: Reconnect, random: Callable[[], float]) -> None:
        self._policy = policy
        self._random = random
        self.number = 0
        self._refusals = 0
        self._since_s: float | None = None
        self._opened_s: float | None = None

    def opened(self, at_s: float) -> None:
        """There is a connection again, and all was restored."""
        self._opened_s = at_s

    def lost(self, at_s: float, *, planned: bool = False) -> None:
        """It is gone. One that had held begins a new row, and so does one that this side has left.

        Args:
            at_s: now.
            planned: it did not fail: the session moves on before a time limit.
        """
        held = self._opened_s is None or at_s - self._opened_s >= self._policy.stable_s
        if planned or held or self._since_s is None:
            self.number = self._refusals = 0
            self._since_s = at_s

    def goes_on(self, error: GipError, code: int | None = None) -> bool:
        """Whether one more is worth it, after one that ended so.

        As `comes_back`; and what a front door says while there is nothing behind it is not believed at once.

        Args:
            error: why it did not succeed.
            code: of the close, where there was one.
        """
        if comes_back(error, code):
            return True
        self._refusals += 1
        return isinstance(error, ConnectionRefused) and self._refusals < _MOST_REFUSALS

    def wait_s(self, at_s: float, asked_s: float | None = None) -> float | None:
        """How long to wait before the next attempt, which counts from here on; None: give up.

        Args:
            at_s: now.
            asked_s: what the server has asked for.
        """
        policy = self._policy
        if self.number >= policy.attempts:
            return None
        # No float is large enough for the two thousandth doubling.
        wait = min(policy.longest_wait_s, policy.first_wait_s * 2.0 ** min(self.number, 60))
        wait = max(wait * (1 + self._random()) / 2, asked_s or 0.0)
        if at_s + wait > (self._since_s if self._since_s is not None else at_s) + policy.limit_s:
            return None
        self.number += 1
        return wait

    def tried_s(self, at_s: float) -> float:
        """How long this row has lasted."""
        return at_s - (self._since_s if self._since_s is not None else at_s)


class LastWord:
    """Why a server ends a connection, where it says so before it does.

    An `error` such as a refused key is the reason of the close that follows at once, where nothing else was
    said meanwhile (the caller sees to that). It is none of a later one: it was about something else.

    Args:
        holds_s: so long after it was said.
    """

    def __init__(self, holds_s: float) -> None:
        self._holds_s = holds_s
        self._said: tuple[GipError, int, float] | None = None

    def said(self, error: GipError, connection: int, at_s: float) -> None:
        """A server says something after which servers close.

        Args:
            error: what.
            connection: on which of the session's.
            at_s: when, on any clock that only goes forward.
        """
        self._said = (error, connection, at_s)

    def about(self, connection: int, at_s: float) -> GipError | None:
        """Why this connection ends now, where its server has said so."""
        if self._said is None:
            return None
        error, on, said_s = self._said
        return error if on == connection and at_s - said_s <= self._holds_s else None


def read_retry_after(header: str | None, unix_s: float) -> float | None:
    """What a `Retry-After` asks for, seconds from now (RFC 9110, 10.2.3); None where it asks for nothing.

    Args:
        header: a number of seconds, or a date.
        unix_s: now.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        moment_s = _read_date(header)
        if moment_s is None:
            return None
        seconds = moment_s - unix_s
    return max(0.0, seconds) if math.isfinite(seconds) else None


def clock_ahead_s(date: str | None, unix_s: float) -> float:
    """How far a server's clock is ahead of this one, by the `Date` of an answer (RFC 9110, 6.6.1).

    Args:
        date: whole seconds; None, or what is none, tells nothing: 0.
        unix_s: now, by the clock here.
    """
    moment_s = _read_date(date or "")
    # The answer took its time, and what it says is cut to the second.
    if moment_s is None or abs(moment_s - unix_s) <= _SAME_CLOCK_S:
        return 0.0
    return moment_s - unix_s


def _read_date(header: str) -> float | None:
    try:
        moment = parsedate_to_datetime(header)
        # A date without a zone is one in UTC, by the rule.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True)
class Rollover:
    """When to move to a new connection, seconds from now: in a quiet moment of this span, or at its end."""

    from_s: float
    until_s: float


def rollover_of(session: Mapping[str, Any], unix_s: float, limit_s: float | None) -> Rollover | None:
    """When a session that has just begun should move on; None where it has no end that is known.

    Args:
        session: as the server told it, canonical.
        unix_s: now, by the server's clock.
        limit_s: how long it lasts by the user's word, which counts before the server's.
    """
    left_s = limit_s
    if left_s is None:
        told = session.get("expires_at")
        if isinstance(told, bool) or not isinstance(told, int | float) or not math.isfinite(told):
            return None
        left_s = told - unix_s
        if left_s < _SHORTEST_SESSION_S:
            return None
    lead_s = min(_ROLLOVER_LEAD_S, left_s / 4)
    return Rollover(from_s=left_s - lead_s, until_s=left_s - lead_s / 10)
