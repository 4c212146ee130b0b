"""Responses and turns: what a conversation is counted and measured in."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gip_nb.protocol.audio_formats import PCM16, AudioFormat
from gip_nb.protocol.usage import Billed, Usage

__all__ = ["ENDED", "LOST", "Commit", "Direction", "Response", "SpeechEnd", "Turn", "Untaken"]

Direction = Literal["sent", "received", "local"]
SpeechEnd = Literal["vad", "speech_stopped", "commit", "text"]
ENDED = frozenset({"completed", "cancelled", "failed", "incomplete"})
LOST = "connection_lost"
"""The reason of a response that its connection broke off: no server says this."""


class Response(msgspec.Struct, kw_only=True):
    """One answer of the server, finished or not. Times are seconds on the log's own clock (`elapsed_s`).

    Attributes:
        model: by which it is priced: the session's, as it was told when this began.
        billed: what the server bills, once it is done.
        hung: this side cancelled it, or let go of it, because nothing more came.
        beside: it is no part of the conversation (`conversation: "none"`): neither are its items.
        output_format: of its audio on the wire, the session's when it began or its own.
        connection: on which it was told of first.
    """

    response_id: str
    turn: int
    status: str = "in_progress"
    reason: str | None = None
    error: str | None = None
    item_ids: list[str] = msgspec.field(default_factory=list)
    created_s: float | None = None
    done_s: float | None = None
    first_text_s: float | None = None
    first_audio_s: float | None = None
    model: str = ""
    usage: Usage | None = None
    billed: Billed | None = None
    metadata: dict[str, Any] | None = None
    beside: bool = False
    hung: bool = False
    output_format: AudioFormat = PCM16
    connection: int = 0

    @property
    def active(self) -> bool:
        """Whether the server may still send parts of it."""
        return self.status not in ENDED

    @property
    def lost(self) -> bool:
        """Whether its connection broke it off: what it used nobody was told."""
        return self.reason == LOST


class Turn(msgspec.Struct, kw_only=True):
    """What one utterance of the user (or a greeting) led to. Times are seconds on the log's own clock.

    Attributes:
        speech_end_s: the end of the user's speech, from which latencies count.
        speech_end_from: how it is known: `vad`, the server's position in the audio; `speech_stopped`, that
            event's arrival, where a turn detection names no silence; `commit` of a push to talk; `text`.
        speech_stopped_s: when the server said so; None where its turn detection had no say.
        response_created_s, first_event_s, first_text_s, first_audio_s: the first of its responses' events.
        first_delivered_s: when the first sound was handed to the page.
        first_sound_s: when it left the page's loudspeaker.
        clock_error_ms: by how much times that rest on the page's clock may be wrong; None where none does.
        ended_s: when the last of it came: its responses' events, and what its tools did.
        lost_audio_ms, late_audio_ms: of the microphone's sound since the turn before: what never arrived, and
            what waited for a second or longer on its way here.
        label, tags, rating: what the user has said of it afterwards; `rating` is 1 or -1.
    """

    turn: int
    started_s: float
    item_ids: list[str] = msgspec.field(default_factory=list)
    response_ids: list[str] = msgspec.field(default_factory=list)
    speech_end_s: float | None = None
    speech_end_from: SpeechEnd | None = None
    speech_stopped_s: float | None = None
    response_created_s: float | None = None
    first_event_s: float | None = None
    first_text_s: float | None = None
    first_audio_s: float | None = None
    first_delivered_s: float | None = None
    first_sound_s: float | None = None
    clock_error_ms: float | None = None
    ended_s: float | None = None
    interrupted: bool = False
    requests: int = 0
    usage: Usage = msgspec.field(default_factory=Usage)
    lost_audio_ms: float = 0.0
    late_audio_ms: float = 0.0
    label: str | None = None
    tags: tuple[str, ...] = ()
    rating: int | None = None

    @property
    def labelled(self) -> bool:
        """Whether the user has said something of it."""
        return bool(self.label or self.tags or self.rating)

    def spoken_until(self, at_s: float, how: SpeechEnd) -> None:
        """The user's speech ended then."""
        self.speech_end_s, self.speech_end_from = at_s, how

    def rests_on_clock(self, error_ms: float | None) -> None:
        """One of its times came from a page's clock."""
        if error_ms is not None:
            self.clock_error_ms = max(self.clock_error_ms or 0.0, error_ms)


class Commit(msgspec.Struct, frozen=True):
    """A commit that this client sent: samples of the connection's input, and when (log's clock, seconds)."""

    event_id: str
    start: int
    end: int
    at_s: float


class Untaken(msgspec.Struct, frozen=True):
    """Input that was sent on this connection and not taken, in samples of it.

    Attributes:
        start, end: where it lies.
        said_from: from here on somebody speaks, as far as the server has said; `end` where nobody does.
        commits: those that the server has not confirmed.
    """

    start: int
    end: int
    said_from: int
    commits: tuple[Commit, ...] = ()
