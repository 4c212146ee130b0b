"""What crosses the comm between page and kernel, message by message.

Js/src/messages.js says the same in JSDoc; one file of examples (tests/fixtures/comm_messages.json) is checked
against both.

Every message has a `kind` and the random id of a `page` (None: for every page). None has a key called `id`:
the kernel's routing remembers string ids until they are answered. Audio travels as a binary buffer beside the
message, int16 little endian, mono, 24 000 Hz.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from gip_nb.protocol.items import CallState
from gip_nb.protocol.outputs import State

__all__ = [
    "FROM_PAGE",
    "TO_PAGE",
    "AskFacts",
    "AskTime",
    "Audio",
    "Bye",
    "CallView",
    "Capture",
    "ErrorView",
    "Flush",
    "Flushed",
    "Heard",
    "Hello",
    "ItemView",
    "Items",
    "Microphone",
    "MicrophoneState",
    "PageTime",
    "Playback",
    "Position",
    "ReconnectingView",
    "Reply",
    "Request",
    "SettingsView",
    "Snapshot",
    "TalkPatch",
    "TalkState",
    "TextDelta",
    "ToolView",
    "Verb",
]

Verb = Literal[
    "start",
    "stop",
    "retry",
    "text",
    "sound",
    "interrupt",
    "mute",
    "take",
    "press",
    "release",
    "update",
    "delete",
    "approve",
    "label",
    "play",
    "events",
    "event",
]


class ErrorView(TypedDict):
    """An error as the widget shows it: the same three lines that the exception has."""

    title: str
    message: str
    next_step: str


class ToolView(TypedDict):
    """A function that the model may call."""

    name: str
    description: str


class SettingsView(TypedDict):
    """The session's settings as the server has them; before it has said, as they will be asked for.

    `turn_detection` and `transcription` are the API's objects, None where they are off.
    `voice_fixed`: the model has spoken, and keeps its voice until the session's end.
    """

    instructions: str | None
    voice: str | None
    voice_fixed: bool
    turn_detection: dict[str, Any] | None
    transcription: dict[str, Any] | None
    tools: list[ToolView]


class LogView(TypedDict):
    """That the talk is written to disk: `folder` is where; `stopped`, that it is not any more."""

    folder: str
    stopped: bool


class ReconnectingView(TypedDict):
    """The connection is lost: `attempt` is made at `due_at_ms` (Unix time), or now where that is None.

    `attempts` is how many are made at the most, `message` why there is a need.
    """

    attempt: int
    attempts: int
    due_at_ms: float | None
    message: str


class TalkState(TypedDict, total=False):
    """All that the bar shows."""

    state: State
    session_id: str | None
    model: str
    dialect: str
    rehearsal: bool
    muted: bool
    error: ErrorView | None
    audio_page: str | None
    turn_detection: Literal["server_vad", "semantic_vad", "none"]
    first_sound_ms: float | None
    requests: int
    cost_usd: float | None
    cost_is_upper_bound: bool
    cost_note: str | None
    connected_at_ms: float | None
    ended_at_ms: float | None
    event_count: int
    notice: ErrorView | None
    reconnecting: ReconnectingView | None
    budget: ErrorView | None
    retry: ErrorView | None
    log: LogView | None
    settings: SettingsView


class CallView(TypedDict):
    """Where a function call is that this kernel runs; times are Unix milliseconds, the kernel's.

    One that is `asked` about is answered by the verb `approve`, until `until_ms`: `answer` is "once", "talk"
    (for all calls of this function in this talk) or "deny". `traceback` is of one that raised.
    """

    state: CallState
    since_ms: float | None
    until_ms: float | None
    traceback: str | None


class ItemView(TypedDict):
    """One row of the conversation. `after` is the id of the item before it, None for the first.

    An item; or, a message without a role, a response that failed before it had one. A function call has its
    output, which is then no row of its own.

    `call` is of a function call that this kernel runs.

    `reason` says why it failed or is incomplete; `duration_ms` is how long a function took.

    `turn` is the one that it belongs to, None where it is in none. What the user has said of a turn stands at
    its answers (`rating`) and at the last of them (`label` and `tags`), or at its last row where it has none.
    """

    item_id: str
    type: Literal["message", "function_call", "function_call_output"]
    role: Literal["user", "assistant", "system"] | None
    text: str
    status: Literal["in_progress", "completed", "incomplete", "interrupted", "failed"]
    after: str | None
    name: str | None
    arguments: str | None
    output: str | None
    heard_ms: float | None
    audio_ms: float | None
    reason: str | None
    duration_ms: float | None
    call: CallView | None
    turn: int | None
    rating: Literal[1, -1] | None
    label: str | None
    tags: list[str]


class TextDelta(TypedDict):
    """Words to add at the end of an item."""

    item_id: str
    delta: str


# ---- page -> kernel ----------------------------------------------------------------------------------------


class Hello(TypedDict):
    """A page has the model, shows its first view, or has missed a message. Answered by a snapshot.

    `tab` is the browser tab's own name, which outlives the page; `views` counts the views that it shows;
    `plays` is False where the browser has no sound for pages at all.
    """

    kind: Literal["hello"]
    page: str
    tab: str
    views: int
    plays: bool


class Bye(TypedDict):
    """A page is left, or its last view has gone: nobody there hears or speaks."""

    kind: Literal["bye"]
    page: str


class PageTime(TypedDict):
    """The answer to a question for the time: Unix milliseconds of the page's clock.

    `acked` and `rev` say up to where audio and state messages have arrived.
    """

    kind: Literal["clock"]
    page: str
    clock: int
    page_ms: float
    acked: int
    rev: int


class Request(TypedDict):
    """The user wants something. Always answered by a reply with the same number.

    With one buffer where it is `sound`: a WAV file, whole.
    """

    kind: Literal["request"]
    page: str
    request: int
    verb: Verb
    args: dict[str, Any]


class Microphone(TypedDict):
    """40 ms from the microphone (960 samples) in the buffer, or several such frames, each following on.

    `seq` is the first one's number; numbers begin at 0 with the page and are never given twice. `base` is the
    oldest frame that the page still has: what is missing before it never comes.
    """

    kind: Literal["mic"]
    page: str
    seq: int
    base: int
    captured_at_ms: float


class MicrophoneState(TypedDict):
    """The microphone runs, has stopped, or was not to be had."""

    kind: Literal["mic_state"]
    page: str
    state: Literal["on", "off", "error"]
    error: MicrophoneError | None
    sample_rate_hz: float | None


class MicrophoneError(TypedDict):
    """A DOMException's name and message."""

    name: str
    message: str


class Playback(TypedDict):
    """Where playback of an item is: samples that left the playback processor."""

    kind: Literal["playback"]
    page: str
    event: Literal["started", "position", "ended"]
    item_id: str
    content_index: int
    played_samples: int
    output_latency_ms: float
    underruns: int
    at_ms: float
    acked: int


class Position(TypedDict):
    """What of an item was played when playback was flushed."""

    item_id: str
    content_index: int
    played_samples: int


class Flushed(TypedDict):
    """The answer to a flush: playback has stopped."""

    kind: Literal["flushed"]
    page: str
    flush: int
    positions: list[Position]
    output_latency_ms: float
    at_ms: float


class Facts(TypedDict):
    """The answer to a question for facts: what a page can tell of itself and its host.

    `allowed` is whether the host lets its frames have the microphone, None where the browser does not say;
    `trouble` why there would be no microphone; `sample_rate_hz` 0 while no audio context was made.
    """

    kind: Literal["facts"]
    page: str
    facts: int
    host: Literal["jupyterlab", "notebook", "vscode", "colab", "marimo", "unknown"]
    host_version: str | None
    secure: bool
    allowed: bool | None
    permission: Literal["granted", "denied", "prompt", "unknown"]
    microphones: list[str] | None
    trouble: ErrorView | None
    sample_rate_hz: float
    sound: Literal["ready", "blocked", "none"]
    user_agent: str


# ---- kernel -> page ----------------------------------------------------------------------------------------


class Snapshot(TypedDict):
    """Everything, for a page that said hello. `at_ms`: when it was sent, Unix milliseconds."""

    kind: Literal["snapshot"]
    page: str
    rev: int
    at_ms: float
    talk: TalkState
    items: list[ItemView]


class TalkPatch(TypedDict):
    """What changed in the bar. `rev` counts these and `items`: a page that misses one says hello again."""

    kind: Literal["talk"]
    page: None
    rev: int
    patch: dict[str, Any]


class Items(TypedDict):
    """What changed in the conversation; applied in this order: put, text, drop."""

    kind: Literal["items"]
    page: None
    rev: int
    put: list[ItemView]
    text: list[TextDelta]
    drop: list[str]


class Audio(TypedDict):
    """100 ms or more of an answer in the buffer; less, or nothing, only where it is the last of its item."""

    kind: Literal["audio"]
    page: str
    seq: int
    item_id: str
    content_index: int
    start_sample: int
    last: bool


class Heard(TypedDict):
    """Up to where the microphone's frames are here: `next` is missing, and what lies between it and `until`.

    The page lets go of those before `next`, and sends again what was lost.
    """

    kind: Literal["heard"]
    page: str
    next: int
    until: int


class AskTime(TypedDict):
    """What time is it at the page? Answered at once, by the same number."""

    kind: Literal["clock"]
    page: str
    clock: int


class AskFacts(TypedDict):
    """What do you know of yourself? Answered by the same number."""

    kind: Literal["facts"]
    page: str
    facts: int


class Flush(TypedDict):
    """Stop playing at once and say how far it was.

    Audio of the items that were flushed is not played any more.
    """

    kind: Literal["flush"]
    page: str
    flush: int


class Reply(TypedDict):
    """The answer to a request: `value` is what was asked for. With one buffer where that is sound."""

    kind: Literal["reply"]
    page: str
    request: int
    ok: bool
    error: ErrorView | None
    value: dict[str, Any] | None


class Capture(TypedDict):
    """Open or close the microphone: a cell called `start()`, or the session ended."""

    kind: Literal["capture"]
    page: str
    on: bool


FROM_PAGE: dict[str, type] = {
    "hello": Hello,
    "bye": Bye,
    "clock": PageTime,
    "request": Request,
    "mic": Microphone,
    "mic_state": MicrophoneState,
    "playback": Playback,
    "flushed": Flushed,
    "facts": Facts,
}
TO_PAGE: dict[str, type] = {
    "snapshot": Snapshot,
    "talk": TalkPatch,
    "items": Items,
    "audio": Audio,
    "heard": Heard,
    "flush": Flush,
    "clock": AskTime,
    "facts": AskFacts,
    "reply": Reply,
    "capture": Capture,
}
