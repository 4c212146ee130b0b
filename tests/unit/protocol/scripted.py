"""A server that follows the rules and no schedule: which of its events comes next, somebody else decides.

What it has to say lies in *streams*: within one the order is kept, between two it is free. Answers and what
the server heard of speech are in one stream, each confirmation and each transcript has one of its own.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gip_nb.protocol.dialects import client_event_to_canonical, server_event_to_wire
from tests.unit.protocol.samples import SERVER_VAD
from tests.unit.protocol.shapes import validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.events import Dialect

Event = dict[str, Any]

SAMPLES_PER_MS = 24
SOUND = bytes(n % 251 for n in range(120 * SAMPLES_PER_MS * 2))
WORDS = "Good morning to you all."
ARGUMENTS = '{"where": "there"}'
USAGE = {
    "total_tokens": 30,
    "input_tokens": 20,
    "output_tokens": 10,
    "input_token_details": {"text_tokens": 20, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 4, "audio_tokens": 6},
}
# What some servers say twice.
SAID_TWICE = frozenset(
    {
        "response.done",
        "response.output_item.done",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.output_text.done",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "input_audio_buffer.committed",
    }
)


class Plan(NamedTuple):
    """How a response goes.

    Attributes:
        items: what it makes, of `speech`, `text` and `call`.
        status: how it ends.
        missing: events that are never sent, though they should be.
    """

    items: tuple[str, ...] = ("speech",)
    status: str = "completed"
    missing: tuple[str, ...] = ()


_ADDED = ("response.output_item.added", "response.content_part.added")
PLANS = (
    Plan(),
    Plan(missing=_ADDED),
    Plan(missing=("response.content_part.added", "response.content_part.done")),
    Plan(("text",)),
    Plan(("speech", "text"), missing=("response.output_item.done",)),
    Plan(("call",)),
    Plan(("call", "call", "call")),
    Plan(("speech", "call", "call"), missing=_ADDED),
    Plan(("call", "speech")),
    Plan(("speech",), "incomplete"),
    Plan(("text",), "incomplete", _ADDED),
    Plan((), "failed"),
    Plan((), "incomplete"),
    Plan((), "cancelled"),
    Plan(("speech",), "failed"),
    Plan(()),
)


class ScriptedServer:
    """The other side of a `ClientEnd`.

    Args:
        dialect: of the wire.
        deliver: takes a frame.

    Attributes:
        streams: what is to be said; the first of each may come next.
        order: ids of the conversation's items, as this server has them.
        begun: how many responses there were.
        calls: the `call_id`s to be answered: of responses that were completed, and those that were told whole
            before theirs was broken off.
        told: what was said so far.
    """

    def __init__(self, dialect: Dialect, deliver: Callable[[bytes], None]) -> None:
        self._dialect: Dialect = dialect
        self._deliver = deliver
        self._numbers = 0
        self.answers: list[Event] = []
        self.streams: list[list[Event]] = [self.answers]
        self._opened_by: dict[int, list[list[Event]]] = {}
        self.order: list[str] = []
        self.begun = 0
        self.calls: list[str] = []
        self.told: list[Event] = []
        self.sound_sent: dict[str, int] = {}
        self._calls_of: dict[str, list[str]] = {}
        self._active: str | None = None
        self._made_in: dict[str, str] = {}  # items -> their responses
        session: Event = {"type": "realtime", "id": "sess", "object": "realtime.session"}
        session["audio"] = {"input": {"turn_detection": dict(SERVER_VAD)}}
        self.tell({"type": "session.created", "session": session})

    def _new(self, prefix: str) -> str:
        self._numbers += 1
        return f"{prefix}_s{self._numbers}"

    # ---- saying --------------------------------------------------------------------------------------------

    @property
    def speakable(self) -> list[list[Event]]:
        return [stream for stream in self.streams if stream]

    def say(self, choice: int) -> None:
        """The next event of one of the streams."""
        streams = self.speakable
        if streams:
            self.tell(streams[choice % len(streams)].pop(0))

    def say_again(self, choice: int) -> None:
        """An event that was said before."""
        before = [e for e in self.told if e["type"] in SAID_TWICE]
        if before:
            self.tell(before[choice % len(before)])

    def say_odd(self, choice: int) -> None:
        """Something that nobody knows, or that may come at any time."""
        limit = {"name": "tokens", "limit": 9, "remaining": choice % 9, "reset_seconds": 1.0}
        if choice % 2:
            self.tell({"type": "rate_limits.updated", "rate_limits": [limit]})
            return
        odd: Event = {"type": f"weather.{choice % 5}", "item_id": f"item_{choice}", "delta": [choice]}
        self._deliver(msgspec.json.encode(odd))

    def tell(self, event: Event) -> None:
        if event["type"] == "response.done":
            self._active = None if event["response"]["id"] == self._active else self._active
            made = self._calls_of.get(event["response"]["id"], [])
            if event["response"]["status"] != "completed":
                items = [*(e["item"] for e in self.told if "item" in e), *event["response"]["output"]]
                whole = {i.get("call_id") for i in items if i.get("status") == "completed"}
                made = [call_id for call_id in made if call_id in whole]
            self.calls += [call_id for call_id in made if call_id not in self.calls]
        self.told.append(event)
        self.streams += self._opened_by.pop(id(event), [])
        fields = dict(event)
        if fields["type"] == "response.output_audio.delta":
            self.sound_sent[event["item_id"]] = self.sound_sent.get(event["item_id"], 0) + len(event["delta"])
            fields["delta"] = base64.b64encode(event["delta"]).decode("ascii")
        wire = server_event_to_wire({**fields, "event_id": self._new("event")}, self._dialect)
        if wire is not None:
            validate(self._dialect, "server", wire)
            self._deliver(msgspec.json.encode(wire))

    def _stream(self, *events: Event) -> None:
        self.streams.append(list(events))

    # ---- hearing -------------------------------------------------------------------------------------------

    def read(self, data: bytes, choice: int) -> None:
        """A frame of the client."""
        event = client_event_to_canonical(json.loads(data), self._dialect)
        match event["type"]:
            case "conversation.item.create":
                self._add({"object": "realtime.item", "status": "completed", **event["item"]})
            case "conversation.item.delete" if event["item_id"] in self.order:
                self.order.remove(event["item_id"])
                self._stream({"type": "conversation.item.deleted", "item_id": event["item_id"]})
            case "conversation.item.truncate":
                heard = event["audio_end_ms"] * SAMPLES_PER_MS * 2
                assert 0 < heard <= self.sound_sent[event["item_id"]], "beyond the audio"
                place = {k: event[k] for k in ("item_id", "content_index", "audio_end_ms")}
                self._stream({"type": "conversation.item.truncated", **place})
            case "response.create" if self._active is None:
                self.begin(PLANS[choice % len(PLANS)], choice)
            case "response.create":
                self.answers.insert(0, _error("conversation_already_has_active_response", event))
            case "response.cancel" if self._active is not None:
                self._cancel("client_cancelled")
            case "response.cancel":
                self._stream(_error("response_cancel_not_active", event))
            case "conversation.item.delete":
                self._stream(_error("item_delete_invalid_item_id", event))
            case other:
                raise AssertionError(other)

    def _add(self, item: Event) -> None:
        after = self.order[-1] if self.order else None
        self.order.append(item["id"])
        place = {"previous_item_id": after, "item": item}
        self._stream(
            {"type": "conversation.item.added", **place}, {"type": "conversation.item.done", **place}
        )

    def voice(self, choice: int) -> None:
        """The user speaks: what was being said is broken off, and what they said is answered."""
        item_id = self._new("item")
        after = self.order[-1] if self.order else None
        started = {"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": 0}
        user: Event = {"id": item_id, "object": "realtime.item", "type": "message", "role": "user"}
        user |= {"status": "completed", "content": [{"type": "input_audio", "transcript": None}]}
        added = {"previous_item_id": after, "item": user}
        turn: list[Event] = [
            {"type": "input_audio_buffer.speech_stopped", "item_id": item_id, "audio_end_ms": 800},
            {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": after},
            {"type": "conversation.item.added", **added},
            {"type": "conversation.item.done", **added},
        ]
        self._opened_by[id(started)] = [turn, _transcript(item_id, choice)]
        if self._active is not None:
            self._cancel("turn_detected", started)
        else:
            self.answers.append(started)
        self.order.append(item_id)
        self.begin(PLANS[choice % len(PLANS)], choice)

    # ---- answering -----------------------------------------------------------------------------------------

    def begin(self, plan: Plan, choice: int) -> None:
        """A response; it is active until its end was said."""
        self.begun += 1
        response_id = self._active = self._new("resp")
        events: list[Event] = [_response("created", response_id, "in_progress", [])]
        output: list[Event] = []
        for at, kind in enumerate(plan.items):
            item_id = self._new("item")
            after = self.order[-1] if self.order else None
            self.order.append(item_id)
            self._made_in[item_id] = response_id
            place: Event = {"response_id": response_id, "item_id": item_id, "output_index": at}
            item: Event
            empty: Event
            if kind == "call":
                call_id = self._new("call")
                self._calls_of.setdefault(response_id, []).append(call_id)
                item = {"type": "function_call", "name": "look", "call_id": call_id, "arguments": ARGUMENTS}
                empty = {"arguments": ""}
                inner = _call(place, call_id, choice)
            else:
                content = {"type": "output_text", "text": WORDS}
                if kind == "speech":
                    content = {"type": "output_audio", "transcript": WORDS}
                item = {"type": "message", "role": "assistant", "content": [content]}
                empty = {"content": []}
                inner = (_speech if kind == "speech" else _text)({**place, "content_index": 0}, choice + at)
            item = {"id": item_id, "object": "realtime.item", **item, "status": "completed"}
            begun = {**item, **empty, "status": "in_progress"}
            indices = {"response_id": response_id, "output_index": at}
            events += [
                {"type": "response.output_item.added", **indices, "item": begun},
                {"type": "conversation.item.added", "previous_item_id": after, "item": begun},
                *inner,
                {"type": "response.output_item.done", **indices, "item": item},
                {"type": "conversation.item.done", "previous_item_id": after, "item": item},
            ]
            output.append(item)
        self.answers += [e for e in events if e["type"] not in plan.missing]
        self.answers.append(_response("done", response_id, plan.status, output))

    def _cancel(self, reason: str, *first: Event) -> None:
        """The active response ends here: of what it has not told by now little comes."""
        response_id = str(self._active)
        mine = [e for e in self.answers if self._response_of(e) == response_id]
        # Every item has its place already, which others may have been told to follow; sound that has begun is
        # said to end, unless that was said.
        created = [e for e in mine if e["type"] == "response.created"]
        kept = [
            e
            for e in mine
            if e["type"] == "conversation.item.added"
            or (e["type"] == "response.output_audio.done" and self.knows(_item_of(e)))
        ]
        others = [e for e in self.answers if self._response_of(e) != response_id]
        end = _response("done", response_id, "cancelled", [], reason)
        self.answers[:] = [*others, *created, *first, *kept, end]
        # From here on another one may begin: what ends this one is on its way.
        self._active = None

    def knows(self, item_id: str) -> bool:
        """Whether the client was told of an item."""
        return any(item_id == _item_of(e) for e in self.told)

    def _response_of(self, event: Event) -> str | None:
        own = event.get("response_id") or event.get("response", {}).get("id")
        return own or self._made_in.get(_item_of(event))


def _item_of(event: Event) -> str:
    return str(event.get("item_id") or event.get("item", {}).get("id", ""))


def _error(code: str, cause: Event) -> Event:
    error = {"type": "invalid_request_error", "code": code, "message": f"it says {code}", "param": None}
    return {"type": "error", "error": {**error, "event_id": cause["event_id"]}}


def _response(
    what: str, response_id: str, status: str, output: list[Event], reason: str | None = None
) -> Event:
    details: Event | None = {"type": status} if what == "done" and status != "completed" else None
    if details is not None and (reason or status == "incomplete"):
        details["reason"] = reason or "max_output_tokens"
    if details is not None and status == "failed":
        details["error"] = {"type": "server_error", "code": "oops"}
    response: Event = {"id": response_id, "object": "realtime.response", "status": status, "output": output}
    response |= {"status_details": details, "usage": USAGE if what == "done" else None}
    return {"type": f"response.{what}", "response": response}


def cuts(whole: Any, choice: int, step: int = 1) -> list[Any]:
    """The whole in three pieces, cut somewhere, at multiples of `step`; a piece may be empty."""
    size = len(whole) // step
    a, b = sorted((choice * 7 % (size + 1), choice * 13 % (size + 1)))
    return [whole[: a * step], whole[a * step : b * step], whole[b * step :]]


def _speech(place: Event, choice: int) -> list[Event]:
    out: list[Event] = [
        {"type": "response.content_part.added", **place, "part": {"type": "audio", "transcript": ""}}
    ]
    for sound, words in zip(cuts(SOUND, choice, 2), cuts(WORDS, choice), strict=True):
        out.append({"type": "response.output_audio.delta", **place, "delta": sound})
        out.append({"type": "response.output_audio_transcript.delta", **place, "delta": words})
    return [
        *out,
        {"type": "response.output_audio.done", **place},
        {"type": "response.output_audio_transcript.done", **place, "transcript": WORDS},
        {"type": "response.content_part.done", **place, "part": {"type": "audio", "transcript": WORDS}},
    ]


def _text(place: Event, choice: int) -> list[Event]:
    return [
        {"type": "response.content_part.added", **place, "part": {"type": "text", "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": d} for d in cuts(WORDS, choice)),
        {"type": "response.output_text.done", **place, "text": WORDS},
        {"type": "response.content_part.done", **place, "part": {"type": "text", "text": WORDS}},
    ]


def _call(place: Event, call_id: str, choice: int) -> list[Event]:
    name = "response.function_call_arguments"
    return [
        *(
            {"type": f"{name}.delta", **place, "call_id": call_id, "delta": d}
            for d in cuts(ARGUMENTS, choice)
        ),
        {"type": f"{name}.done", **place, "call_id": call_id, "name": "look", "arguments": ARGUMENTS},
    ]


def _transcript(item_id: str, choice: int) -> list[Event]:
    """It comes, or fails, or never comes."""
    kind = "conversation.item.input_audio_transcription."
    place = {"item_id": item_id, "content_index": 0}
    usage = {"type": "duration", "seconds": 0.8}
    if choice % 3 == 0:
        return []
    if choice % 3 == 1:
        return [{"type": kind + "failed", **place, "error": {"type": "x", "message": "noise"}}]
    return [
        {"type": kind + "delta", **place, "delta": "what is "},
        {"type": kind + "completed", **place, "transcript": "what is it", "usage": usage},
    ]
