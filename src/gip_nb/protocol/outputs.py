"""What the client's end of the protocol asks its shell to do, and the wish that a response is."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gip_nb.protocol.budget import Verdict

__all__ = [
    "AskAgain",
    "BudgetChanged",
    "CallsInterrupted",
    "CutShort",
    "Failed",
    "Flush",
    "GivenUp",
    "GivenUpWhy",
    "Hung",
    "HungWhat",
    "ItemChanged",
    "Output",
    "Phase",
    "Play",
    "PlayEnd",
    "Send",
    "SendAudio",
    "State",
    "TextAdded",
    "ToolCall",
    "TurnDone",
    "TurnLabelled",
    "Wish",
]

# Why what failed is not asked for again: the user has gone on, has heard a part, or stopped it; it was asked
# often enough; the wait is too long; nobody waits for it any more; it was begun by an event that the user
# sent as it is.
GivenUpWhy = Literal["went on", "heard", "interrupted", "attempts", "wait", "timed out", "not ours"]
# What a response is that is waited for no longer: it did not begin; it was silent, and is cancelled; its
# cancel was not answered.
HungWhat = Literal["not begun", "silent", "let go"]
Phase = Literal["listening", "hearing", "thinking", "speaking"]
# A talk's: while it is connected, its phase, or that the microphone is muted.
State = Phase | Literal["idle", "connecting", "muted", "reconnecting", "closed", "error"]


class Send(msgspec.Struct, frozen=True):
    """Send this canonical client event."""

    fields: dict[str, Any]


class SendAudio(msgspec.Struct, frozen=True):
    """Append this audio to the server's input buffer; wire format of the session."""

    audio: bytes


class Play(msgspec.Struct, frozen=True):
    """Play this audio: PCM16 mono 24 000 Hz, beginning at `start_sample` of its item."""

    item_id: str
    content_index: int
    start_sample: int
    audio: bytes


class PlayEnd(msgspec.Struct, frozen=True):
    """No more audio comes for this item."""

    item_id: str
    content_index: int
    samples: int


class Flush(msgspec.Struct, frozen=True):
    """Stop playing at once and report, by `flushed()`, what of each item was played."""


class ItemChanged(msgspec.Struct, frozen=True):
    """Something of this item changed (or it was made or deleted).

    Or a response with this id ended and has no item.
    """

    item_id: str


class TextAdded(msgspec.Struct, frozen=True):
    """Text was added at the end of this item."""

    item_id: str
    delta: str


class SettingsChanged(msgspec.Struct, frozen=True):
    """The server told the session's settings."""


class TurnDone(msgspec.Struct, frozen=True):
    """All responses of the turn are finished and no tool is being waited for."""

    turn: int


class TurnLabelled(msgspec.Struct, frozen=True):
    """The user has said something of this turn, or taken it back."""

    turn: int


class ToolCall(msgspec.Struct, frozen=True):
    """The model calls a function; answer with `tool_output(call_id, ...)`."""

    call_id: str
    name: str
    arguments: str


class CallsInterrupted(msgspec.Struct, frozen=True):
    """The user took the turn while these calls were under way; they may go on, or end."""

    call_ids: tuple[str, ...]


class BudgetChanged(msgspec.Struct, frozen=True):
    """The budget is nearly spent, is spent, or was changed: the news is to be logged and shown."""

    verdict: Verdict


class Failed(msgspec.Struct, frozen=True):
    """The server said `error`, a response failed, or none may be asked for.

    Attributes:
        message: what happened.
        code: the server's, or `OVER_BUDGET`.
        event_id: of the event that caused it, where one is named.
        next_step: what to do now, where this side knows it by itself.
    """

    message: str
    code: str | None
    event_id: str | None
    next_step: str = ""


class AskAgain(msgspec.Struct, frozen=True):
    """A response failed, and is asked for again by itself: the news is to be logged and shown.

    Attributes:
        response_id: that failed; None where it was refused before it began.
        attempt: which one this will be, from 1.
        wait_s: until then.
        reason: why it failed, in two words.
        message: the server's.
    """

    response_id: str | None
    attempt: int
    wait_s: float
    reason: str
    message: str


class GivenUp(msgspec.Struct, frozen=True):
    """What might have been asked for again is not: the news is to be logged.

    Attributes:
        response_id: that failed; None where it was refused before it began.
        attempts: how often it was asked for again.
        why: it is not, now.
        reason: why it failed, in two words; None where that was told before.
        message: the server's.
        wait_s: how long that would have been to wait.
    """

    response_id: str | None
    attempts: int
    why: GivenUpWhy
    reason: str | None
    message: str
    wait_s: float


class CutShort(msgspec.Struct, frozen=True):
    """A response is incomplete: the news is to be logged. It is not asked for again: it would be again.

    Attributes:
        response_id: of it.
        reason: the server's, such as `max_output_tokens` or `content_filter`.
    """

    response_id: str
    reason: str | None


class Hung(msgspec.Struct, frozen=True):
    """A response is waited for no longer: the news is to be logged.

    Attributes:
        what: it is.
        response_id: None where it did not begin.
        event_id: of the `response.create` that nothing has come of.
        waited_s: for its next event.
        received: what there is of it, in words.
    """

    what: HungWhat
    response_id: str | None
    event_id: str | None
    waited_s: float
    received: str


class Wish(msgspec.Struct):
    """One `response.create` that was asked for, from the asking to the end of the last tool follow-up.

    Attributes:
        fields: what goes under `response`.
        response_ids: the responses that came of it, in order.
        done: nothing more will come of it.
        failure: why it came to nothing, else None.
        follow_up: it goes on after tool calls.
        cancelled: it was interrupted before the server had begun.
        event_id: of the newest `response.create` that was sent for it.
        awaited: whether somebody waits for it: then its refusal is theirs, and nobody else is told.
        overdue: it was asked for, has not begun and nobody waits any more: the next one may be asked for.
        asked_s: when the newest `response.create` was sent for it, on the protocol's clock.
        retried: how often what it asks for now was asked for again because it failed.
        again: the connection was lost over it so many times, and it is asked for once more.
        gives_way: it is asked for again, and was not answered yet: an answer that the server begins by itself
            is to what the user has said since, and to this.
        next_event_id: of the next `response.create` for it, where that is known before it is sent.
    """

    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    response_ids: list[str] = msgspec.field(default_factory=list)
    done: bool = False
    failure: Failed | None = None
    follow_up: bool = False
    cancelled: bool = False
    event_id: str | None = None
    awaited: bool = False
    overdue: bool = False
    asked_s: float = 0.0
    retried: int = 0
    again: int = 0
    gives_way: bool = False
    next_event_id: str | None = None


Output = (
    Send
    | SendAudio
    | Play
    | PlayEnd
    | Flush
    | ItemChanged
    | TextAdded
    | SettingsChanged
    | TurnDone
    | BudgetChanged
    | TurnLabelled
    | ToolCall
    | CallsInterrupted
    | AskAgain
    | GivenUp
    | CutShort
    | Hung
    | Failed
)
