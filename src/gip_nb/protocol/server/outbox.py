"""What leaves the server's protocol: frames for the client and jobs for the shell, in order. Pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gip_nb.protocol.dialects import server_event_to_wire
from gip_nb.protocol.server.session import in_words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.events import Dialect
    from gip_nb.protocol.server.parts import Job, Refused

__all__ = ["Outbox", "SentFrame"]

_AUDIO_DELTA = "response.output_audio.delta"
_SAMPLE_BYTES = 2

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
            fields: canonical, without `event_id`. The `delta` of audio is given as bytes.
        """
        audio = fields.get("delta") if event_type == _AUDIO_DELTA else None
        if audio is not None:
            fields["delta"] = base64.b64encode(audio).decode("ascii")
        event = {"type": event_type, "event_id": self.new_id("event"), **fields}
        wire = server_event_to_wire(event, self._dialect)
        if wire is not None:
            samples = len(audio) // _SAMPLE_BYTES if audio is not None else 0
            self._frames.append(SentFrame(wire["type"], _write_json(wire), samples))

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
