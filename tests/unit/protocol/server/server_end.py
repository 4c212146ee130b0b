"""The server's end of the protocol with fakes for all that it asks for, and every frame of it checked."""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeServerEvent as GaServerEvent
from pydantic import TypeAdapter

from gip_nb.protocol.events import BETA
from gip_nb.protocol.server.parts import EARS_RATE_HZ, Call, Forget, Listen, Prompt, Say, Speak, Understand
from gip_nb.protocol.server.protocol import ServerProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gip_nb.protocol.events import Dialect
    from gip_nb.protocol.server.parts import Job, MakeVoiceDetector, Wish

MODELS: dict[str, TypeAdapter[Any]] = {"beta": TypeAdapter(BetaServerEvent), "ga": TypeAdapter(GaServerEvent)}
MS = 48  # bytes of a millisecond: int16 mono, 24 000 Hz
LOUD = 8000


def tone(duration_ms: int) -> bytes:
    """What the fake detector takes for a voice."""
    return np.full(duration_ms * MS // 2, LOUD, "<i2").tobytes()


def silence(duration_ms: int) -> bytes:
    return bytes(duration_ms * MS)


def base64_of(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode("ascii")


class LevelDetector:
    """Takes what is loud for a voice, whatever the aggressiveness."""

    def __init__(self, aggressiveness: int) -> None:
        assert 0 <= aggressiveness <= 3

    def is_speech(self, frame: bytes, sample_rate_hz: int, /) -> bool:
        assert sample_rate_hz == EARS_RATE_HZ
        assert len(frame) in (320, 640, 960)
        return int(np.abs(np.frombuffer(frame, "<i2").astype(int)).mean()) > LOUD // 2


class ServerEnd:
    """A server's protocol whose jobs are done at once, in the caller's thread.

    Attributes:
        says: what the wits answer, or a function of the prompt.
        hears: what the ears make of each utterance, None for no ears.
        speech_ms: how long the mouth takes for any text.
        prompts: what the wits were asked.
        listened: item id -> bytes of 16 kHz audio that the ears got.
        holds: kinds of jobs that are left undone, in `held`.

    Ids are counted from `first_number`: those of two servers are to differ.
    """

    def __init__(
        self,
        dialect: Dialect = "ga",
        *,
        model: str = "rehearsal",
        make_detector: MakeVoiceDetector = LevelDetector,
        expires_at: int | None = None,
        first_number: int = 1,
    ) -> None:
        numbers = itertools.count(first_number)
        self.dialect = dialect
        self.says: Sequence[Wish] | Callable[[Prompt], Sequence[Wish]] = [Say("Good morning to you all.")]
        self.hears: str | None = "what is the weather in seoul today"
        self.speech_ms = 250
        self.prompts: list[Prompt] = []
        self.listened: dict[str, int] = {}
        self.forgotten: list[str] = []
        self.holds: tuple[type, ...] = ()
        self.held: list[Job] = []
        self.asked: list[Job] = []
        self.events: list[dict[str, Any]] = []
        self.protocol = ServerProtocol(
            dialect,
            model=model,
            new_id=lambda prefix: f"{prefix}_{next(numbers)}",
            wits=self._wits,
            make_detector=make_detector,
            expires_at=expires_at,
        )
        self.run()

    def _wits(self, prompt: Prompt) -> Sequence[Wish]:
        self.prompts.append(prompt)
        return self.says(prompt) if callable(self.says) else self.says

    def send(self, event_type: str, /, **fields: object) -> list[dict[str, Any]]:
        """Sends an event and runs until nothing more happens; what the server sent."""
        before = len(self.events)
        self.receive(event_type, **fields)
        self.run()
        return self.events[before:]

    def receive(self, event_type: str, /, **fields: object) -> list[dict[str, Any]]:
        """Sends an event and lets the server do nothing but take it in; what it sent."""
        before = len(self.events)
        self.protocol.receive(json.dumps({"type": event_type, **fields}))
        while self.protocol.listen_more():
            pass
        self._collect()
        return self.events[before:]

    def append(self, pcm: bytes) -> list[dict[str, Any]]:
        return self.send("input_audio_buffer.append", audio=base64_of(pcm))

    def run(self, steps: int | None = None) -> None:
        """Does jobs and advances answers: until nothing is left, or so many steps."""
        while True:
            self._collect()
            self.do_jobs()
            if not self.protocol.has_more or steps == 0:
                break
            self.protocol.advance()
            steps = None if steps is None else steps - 1
        self._collect()

    def do_jobs(self) -> None:
        for job in self.protocol.jobs():
            self.asked.append(job)
            if isinstance(job, self.holds):
                self.held.append(job)
            else:
                self.do(job)

    def do(self, job: Job) -> None:
        match job:
            case Listen():
                self.listened[job.item_id] = self.listened.get(job.item_id, 0) + len(job.pcm)
            case Understand():
                self.protocol.heard(job.item_id, self.hears)
            case Forget():
                self.forgotten.append(job.item_id)
            case Speak():
                self.protocol.spoken(job.item_id, tone(self.speech_ms))

    def _collect(self) -> None:
        for frame in self.protocol.frames():
            event = json.loads(frame.data)
            assert event["type"] == frame.type
            MODELS[self.dialect].validate_python(event, strict=True)
            self.events.append(event)

    # -------------------------------------------------------------------------------------------- for asserts

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def last(self, event_type: str) -> dict[str, Any]:
        return next(event for event in reversed(self.events) if event["type"] == event_type)

    def update(self, **settings: object) -> list[dict[str, Any]]:
        """Settings in this dialect's own shape."""
        session = settings if self.dialect == BETA else {"type": "realtime", **settings}
        return self.send("session.update", session=session)

    def set_turn_detection(self, value: object) -> list[dict[str, Any]]:
        if self.dialect == BETA:
            return self.update(turn_detection=value)
        return self.update(audio={"input": {"turn_detection": value}})

    def set_transcription(self) -> list[dict[str, Any]]:
        if self.dialect == BETA:
            return self.update(input_audio_transcription={"model": "whisper-1"})
        return self.update(audio={"input": {"transcription": {"model": "whisper-1"}}})

    def type_text(self, text: str, **fields: object) -> list[dict[str, Any]]:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        return self.send("conversation.item.create", item=item, **fields)


def error_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    assert [event["type"] for event in events] == ["error"]
    error: dict[str, Any] = events[0]["error"]
    assert error["type"] == "invalid_request_error"
    return error


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    """The types, runs of one delta folded."""
    return [kind for kind, _ in itertools.groupby(event["type"] for event in events)]


__all__ = [
    "LOUD",
    "MS",
    "Call",
    "LevelDetector",
    "Say",
    "ServerEnd",
    "base64_of",
    "error_of",
    "kinds",
    "silence",
    "tone",
]
