"""What the server's protocol asks of the world: ears, a mouth, wits, a detector of voice. Types only.

The protocol is pure, so that slow work is asked for as *jobs*. The shell runs them, in the order in which
they were asked for where they concern ears, and feeds the result back (`ServerProtocol.heard`, `.spoken`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

__all__ = [
    "EARS_RATE_HZ",
    "Call",
    "Forget",
    "Job",
    "Line",
    "Listen",
    "MakeVoiceDetector",
    "Prompt",
    "Refused",
    "Say",
    "Speak",
    "Understand",
    "VoiceDetector",
    "Wish",
    "Wits",
]

EARS_RATE_HZ = 16_000
"""Rate of the audio that ears and voice detectors get: what speech recognisers and webrtcvad work on."""


class Refused(Exception):
    """A request that the server answers with an `error` event, and nothing else happens.

    Attributes:
        code: the API's own word for it, such as `invalid_value`.
        message: names the value, the limit and the next step.
        param: the field that is wrong, as a path from the event, or None.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


# ------------------------------------------------------------------------------------------------------- jobs


class Listen(NamedTuple):
    """More of the user's words, while they are still speaking. Not answered.

    Attributes:
        item_id: of the item that the words will be in.
        pcm: int16 little endian, mono, 16 000 Hz.
    """

    item_id: str
    pcm: bytes


class Understand(NamedTuple):
    """The user's words are complete: answer with `ServerProtocol.heard(item_id, transcript)`.

    Attributes:
        item_id: as in the `Listen`s before.
        speech_ms: how long they spoke.
    """

    item_id: str
    speech_ms: int


class Forget(NamedTuple):
    """What was listened to under this id will not be needed. Not answered."""

    item_id: str


class Speak(NamedTuple):
    """Make speech of these words: answer with `ServerProtocol.spoken(item_id, pcm)`.

    Attributes:
        item_id: of the item that is being spoken.
        text: the words.
        voice: the voice that the session asks for.
        speed: 1.0 is the voice's normal speed.
        users_words: what the user said last, int16 mono 24 000 Hz, for a mouth that has no voice of its own;
            empty where they said nothing.
    """

    item_id: str
    text: str
    voice: str
    speed: float
    users_words: bytes


Job = Listen | Understand | Forget | Speak

# ------------------------------------------------------------------------------------------------------- wits


class Line(NamedTuple):
    """One item of the conversation, as the wits see it.

    Attributes:
        role: user, assistant, system, call (of a tool), output (of a tool), or silence (the user's turn, in
            which they said nothing for as long as the session waits).
        text: the words; of audio what was made out of it; of a call its arguments, of an output the output.
        name: the tool's name, of calls and outputs.
        speech_ms: how long the user spoke, where no words could be made out.
    """

    role: str
    text: str
    name: str = ""
    speech_ms: int = 0


class Prompt(NamedTuple):
    """All that an answer is made from.

    Attributes:
        lines: the conversation, oldest first.
        tools: the function tools on offer, in the API's shape.
        tool_choice: `auto`, `none`, `required`, or `{"type": "function", "name": ...}`.
        instructions: of the session or of this response.
        parallel_tool_calls: whether several tools may be called at once.
    """

    lines: tuple[Line, ...]
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: str | dict[str, Any] = "auto"
    instructions: str = ""
    parallel_tool_calls: bool = True


class Say(NamedTuple):
    """Answer with these words."""

    text: str


class Call(NamedTuple):
    """Call this tool.

    Attributes:
        name: the tool's name.
        arguments: a JSON object.
    """

    name: str
    arguments: str


Wish = Say | Call
Wits = Callable[[Prompt], Sequence[Wish]]

# ------------------------------------------------------------------------------------------------------ voice


class VoiceDetector(Protocol):
    """Tells voice from noise, frame by frame; `webrtcvad.Vad` is one. It may remember earlier frames."""

    def is_speech(self, frame: bytes, sample_rate_hz: int, /) -> bool:
        """Whether there is a voice in this frame: int16 mono, 10, 20 or 30 ms of it."""
        ...


MakeVoiceDetector = Callable[[int], VoiceDetector]
"""Makes a detector of an aggressiveness: 0 lets much pass as voice, 3 little."""
