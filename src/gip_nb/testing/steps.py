"""The vocabulary of a stage's script: what the server says, waits for, and does wrong. Pure.

A script is a list of steps, played in order. An event (a dict) in it stands for `Say(event)`. After the last
step the connection stays open and silent until the client leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gip_nb.testing.visit import Visit

__all__ = [
    "Close",
    "Cue",
    "Cut",
    "Event",
    "Expect",
    "ExpectClose",
    "ExpectNo",
    "HalfAFrame",
    "React",
    "Refuse",
    "Said",
    "Say",
    "Step",
    "Wait",
    "checked",
    "missing",
    "name_of",
]

Event = dict[str, Any]
# One frame: an event, a text that is sent as it is, or the bytes of a binary frame.
Said = Event | str | bytes

_MAX_REASON_BYTES = 123
# What may stand in a close frame, by RFC 6455 (7.4) and the registry of close codes.
_CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


@dataclass(frozen=True)
class Say:
    """The server sends a frame.

    Attributes:
        what: an event (sent as JSON, exactly as it is: nothing is filled in); a text, JSON or not, that is
            sent as it is; bytes, for a binary frame; or a function that gets the `Visit` and returns one of
            these or a list of them, for answers that need what the client said.
    """

    what: Said | Callable[[Visit], Said | Iterable[Said]]

    def __str__(self) -> str:
        return f"Say({name_of(self.what)})"


@dataclass(frozen=True)
class Expect:
    """Wait for a client event. Others that come before it are noted (`Visit.received`) and skipped.

    Attributes:
        type: as on the wire.
        holds: fields that it must have, values included; objects may hold more than is said here.
        timeout_s: how long to wait; None is the stage's own.
    """

    type: str
    holds: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None

    def __str__(self) -> str:
        return f"Expect({self.type!r}{f', {dict(self.holds)!r}' if self.holds else ''})"


@dataclass(frozen=True)
class ExpectNo:
    """The client may not send this, neither since the last step that waited for something nor now.

    Attributes:
        type: as on the wire.
        for_s: how long to look.
    """

    type: str
    for_s: float = 0.1

    def __str__(self) -> str:
        return f"ExpectNo({self.type!r})"


@dataclass(frozen=True)
class ExpectClose:
    """Wait until the client ends the connection.

    Attributes:
        code: of its close; 1006 for an end without a close frame.
        timeout_s: how long to wait; None is the stage's own.
    """

    code: int = 1000
    timeout_s: float | None = None

    def __str__(self) -> str:
        return f"ExpectClose({self.code})"


@dataclass(frozen=True)
class Wait:
    """The server does nothing for so long: it stalls.

    Attributes:
        seconds: how long.
    """

    seconds: float

    def __str__(self) -> str:
        return f"Wait({self.seconds:g})"


@dataclass(frozen=True)
class Cue:
    """Wait until the test says `stage.cue(name)`; a cue given before counts.

    Attributes:
        name: any.
        timeout_s: how long to wait; None is the stage's own.
    """

    name: str
    timeout_s: float | None = None

    def __str__(self) -> str:
        return f"Cue({self.name!r})"


@dataclass(frozen=True)
class React:
    """Answer each further client event until the client leaves: a server in a few lines. A last step.

    Attributes:
        answers: gets the event, returns the steps to play.
    """

    answers: Callable[[Event], Iterable[Step]]

    def __str__(self) -> str:
        return f"React({getattr(self.answers, '__name__', '...')})"


@dataclass(frozen=True)
class Close:
    """The server ends the connection with a close frame. A last step.

    Attributes:
        code: 1000 to 1003, 1007 to 1014, or 3000 to 4999. No frame can carry 1006: that is `Cut()`.
        reason: up to 123 bytes of UTF-8.

    Raises:
        ValueError: no close frame can carry this.
    """

    code: int = 1000
    reason: str = ""

    def __post_init__(self) -> None:
        if self.code not in _CLOSE_CODES:
            hint = "use Cut() for an end without a close frame" if self.code == 1006 else "see Close"  # noqa: PLR2004 - RFC 6455's code for just that
            raise ValueError(f"no close frame can carry the code {self.code}: {hint}")
        if len(self.reason.encode()) > _MAX_REASON_BYTES:
            raise ValueError(
                f"a reason of {len(self.reason.encode())} bytes: a close frame carries up to "
                f"{_MAX_REASON_BYTES}"
            )

    def __str__(self) -> str:
        return f"Close({self.code}{f', {self.reason!r}' if self.reason else ''})"


@dataclass(frozen=True)
class Cut:
    """The connection ends without a close frame, which clients call code 1006. A last step.

    What was said before still arrives.
    """

    def __str__(self) -> str:
        return "Cut()"


@dataclass(frozen=True)
class HalfAFrame:
    """The connection ends in the middle of this frame. A last step.

    Attributes:
        what: as in `Say`, but no function.
    """

    what: Said

    def __str__(self) -> str:
        return f"HalfAFrame({name_of(self.what)})"


@dataclass(frozen=True)
class Refuse:
    """Answer the handshake with an HTTP status instead of a WebSocket. Stands alone in its script.

    Attributes:
        status: 200 to 599.
        body: of the answer, text.
        headers: of the answer, added to the usual ones.
        after_s: how long the client is left waiting for it.
    """

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0

    def __str__(self) -> str:
        return f"Refuse({self.status})"


Step = Event | Say | Expect | ExpectNo | ExpectClose | Wait | Cue | React | Close | Cut | HalfAFrame | Refuse
_LAST = (Close, Cut, ExpectClose, HalfAFrame, React, Refuse)


def checked(script: Iterable[Step]) -> list[Step]:
    """A script with its shorthands written out.

    Raises:
        ValueError: a step stands where nobody could play it.
    """
    steps: list[Step] = [Say(step) if isinstance(step, dict) else step for step in script]
    for number, step in enumerate(steps, 1):
        if isinstance(step, _LAST) and number != len(steps):
            raise ValueError(f"step {number} of {len(steps)}, {step}, ends the script: nothing can follow it")
        if isinstance(step, Refuse) and number != 1:
            raise ValueError(f"step {number}, {step}: a handshake is refused before anything else happens")
    return steps


def name_of(what: object) -> str:
    """What was said, in a word or two, for messages."""
    if isinstance(what, dict):
        return str(what.get("type", "an object without a type"))
    if isinstance(what, bytes):
        return f"{len(what)} bytes"
    if isinstance(what, str):
        return f"the text {what[:40]!r}"
    return getattr(what, "__name__", "...")


def missing(event: Mapping[str, Any], holds: Mapping[str, Any], way: str = "") -> list[str]:
    """Where an event is not what it must be, a line each; empty where it is."""
    found = []
    for name, wanted in holds.items():
        here = f"{way}{name}"
        value = event.get(name)
        if name not in event:
            found.append(f"it has no {here}")
        elif isinstance(wanted, Mapping) and isinstance(value, Mapping):
            found += missing(value, wanted, f"{here}.")
        elif value != wanted:
            found.append(f"its {here} is {value!r}, not {wanted!r}")
    return found
