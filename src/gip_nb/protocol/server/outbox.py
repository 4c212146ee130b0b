"""What leaves the server's protocol: frames for the client and jobs for the shell, in order. Pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gip_nb.protocol.dialects import server_event_to_wire
from gip_nb.protocol.events import BETA
from gip_nb.protocol.server.session import in_words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.events import Dialect, Event
    from gip_nb.protocol.server.parts import Job, Refused

__all__ = ["Outbox", "SentFrame"]

_AUDIO_DELTA = "response.output_audio.delta"

_write_json = msgspec.json.Encoder().encode


class SentFrame(NamedTuple):
    """A frame for the client.

    Attributes:
        type: as it is written.
        data: JSON, UTF-8.
        audio_samples: of an audio delta, samples at 24 000 Hz.
    """

    type: str
    data: bytes
    audio_samples: int = 0


class Outbox:
    """Collects what is to be sent and what is to be done.

    Args:
        dialect: of the connection.
        new_id: makes a fresh id, given its prefix.
    """

    def __init__(self, dialect: Dialect, new_id: Callable[[str], str]) -> None:
        self.new_id = new_id
        self._dialect = dialect
        self._frames: list[SentFrame] = []
        self._jobs: list[Job] = []

    def emit(self, event_type: str, /, **fields: Any) -> None:
        """Sends an event, unless the dialect has no such event.

        Args:
            event_type: canonical.
            fields: canonical, without `event_id`.
        """
        self._send({"type": event_type, "event_id": self.new_id("event"), **fields}, 0)

    def emit_audio(self, data: bytes, audio_format: AudioFormat, /, **place: Any) -> None:
        """Sends a piece of speech.

        Args:
            data: in that format.
            audio_format: of the wire.
            place: of its item in its response.
        """
        delta = base64.b64encode(data).decode("ascii")
        event = {"type": _AUDIO_DELTA, "event_id": self.new_id("event"), **place, "delta": delta}
        self._send(event, audio_format.samples(len(data)))

    def _send(self, event: Event, audio_samples: int) -> None:
        wire = server_event_to_wire(event, self._dialect)
        if wire is not None and self._dialect == BETA and isinstance(wire.get("session"), dict):
            wire["session"] = _named_tool_choice(wire["session"])
        if wire is not None:
            self._frames.append(SentFrame(wire["type"], _write_json(wire), audio_samples))

    def refuse(self, refused: Refused, event_id: str | None) -> None:
        """Answers a request with an error.

        Args:
            refused: why.
            event_id: that the client gave its request, if any.
        """
        told = in_words_of(self._dialect, refused)
        error = {
            "type": "invalid_request_error",
            "code": told.code,
            "message": told.message,
            "param": told.param,
            "event_id": event_id,
        }
        self.emit("error", error=error)

    def ask(self, job: Job) -> None:
        """Wants something done."""
        self._jobs.append(job)

    @property
    def unsent_frames(self) -> int:
        """How many frames nobody has taken."""
        return len(self._frames)

    def take_frames(self) -> list[SentFrame]:
        """Hands over the frames since the last call."""
        frames, self._frames = self._frames, []
        return frames

    def take_jobs(self) -> list[Job]:
        """Hands over the jobs since the last call."""
        jobs, self._jobs = self._jobs, []
        return jobs


def _named_tool_choice(session: dict[str, Any]) -> dict[str, Any]:
    """Beta's published session says which function has to be called by its bare name."""
    choice = session.get("tool_choice")
    return {**session, "tool_choice": choice.get("name")} if isinstance(choice, dict) else session
