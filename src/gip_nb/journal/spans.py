"""A talk as spans: which there are, from when to when, and what they say. `journal.otel` makes them.

Names are those of the GenAI semantic conventions, release 0.1.0 (the first of their own, with token counts by
modality), and `gip_nb.*` where they have none. They are written out: the package that holds them is older.
What the conventions leave open, or are still arguing:

- A conversation is a span, the root of its trace: without it a session's turns would be traces of their own.
  It has no `gen_ai.operation.name`, since it is no operation.
- A turn is an `invoke_agent` span without token counts: they stand on its responses, and would count twice.
- A response is a `chat` span. A name of its own for realtime models is proposed and not yet released.
- Latencies are `gip_nb.latency.*_ms`, from the end of the user's speech as in `turns`; the conventions count
  from a request, and a voice turn has none.

What was said, the arguments and outputs of tools, error texts and labels are *content*: left out unless asked
for, as the conventions want.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from gip_nb.journal.tabled import plain, rows_of
from gip_nb.protocol.prices import REHEARSAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gip_nb.journal.tabled import Tabled

__all__ = ["Moment", "SpanToBe", "spans_of", "started_ns"]

_PROVIDER = "openai"  # whose API it is, whatever a gateway has behind it
_REHEARSAL_PROVIDER = "gip_nb"
_LATENCIES = (
    "speech_stopped_ms",
    "response_created_ms",
    "first_event_ms",
    "first_text_ms",
    "first_audio_ms",
    "first_delivered_ms",
    "first_sound_ms",
)
_TURN_FIGURES = (
    "status",
    "interrupted",
    "requests",
    "rating",
    "speech_end_from",
    "user_audio_ms",
    "assistant_audio_ms",
    "heard_audio_ms",
    "clock_error_ms",
    "cost_usd",
)
# `gen_ai.usage.*` -> the columns of `responses` that make it up: cached tokens are a part of the input in the
# conventions, and stand apart from it in the table.
_BREAKDOWN = {
    "cache_read.input_tokens": ("cached_text_tokens", "cached_audio_tokens", "cached_image_tokens"),
    "text.input_tokens": ("text_tokens", "cached_text_tokens"),
    "audio.input_tokens": ("audio_tokens", "cached_audio_tokens"),
    "image.input_tokens": ("image_tokens", "cached_image_tokens"),
    "text.cache_read.input_tokens": ("cached_text_tokens",),
    "audio.cache_read.input_tokens": ("cached_audio_tokens",),
    "image.cache_read.input_tokens": ("cached_image_tokens",),
    "text.output_tokens": ("output_text_tokens",),
    "audio.output_tokens": ("output_audio_tokens",),
}
_MOMENTS = ("created_s", "first_text_s", "first_audio_s", "done_s")
_CODE = re.compile(r"[a-z0-9_.]{1,60}")
_TROUBLES = ("error", "local.connection.closed", "local.connection.opened")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Value = str | bool | int | float | list[str]
_Row = dict[str, Any]


class Moment(msgspec.Struct):
    """A span event: its name, when (seconds on the log's clock), and its attributes."""

    name: str
    at_s: float
    attributes: dict[str, Value]


class SpanToBe(msgspec.Struct, kw_only=True):
    """One span to be. Times are seconds on the log's clock.

    Attributes:
        parent: its place in the list of spans, before its own; None for the root.
        calls_out: whether it is a request to a server.
        asked_by: of a tool's span, the place of the response that made the call.
        failed: an error's code, and its text where content goes along.
    """

    name: str
    parent: int | None
    start_s: float
    end_s: float
    attributes: dict[str, Value]
    calls_out: bool = False
    moments: list[Moment] = msgspec.field(default_factory=list)
    asked_by: int | None = None
    failed: tuple[str, str | None] | None = None


def started_ns(x: Tabled) -> int:
    """When the log began: Unix time in nanoseconds, as exact as a datetime is."""
    return (x.started_at - _EPOCH) // timedelta(microseconds=1) * 1000


def spans_of(x: Tabled, *, content: bool) -> list[SpanToBe]:
    """All spans of a talk, parents before their children, none shorter than what is in it.

    Args:
        x: what has the tables.
        content: see `to_otel`.
    """
    return _Reader(x, content=content).spans()


class _Reader:
    """Reads the tables once and makes the spans of each."""

    def __init__(self, x: Tabled, *, content: bool) -> None:
        self._x, self._content, self._zero_ns = x, content, started_ns(x)
        self._responses, self._calls = rows_of(x.responses), rows_of(x.tool_calls)
        self._items_of_turn: dict[int, list[_Row]] = defaultdict(list)
        self._items_of_response: dict[str, list[_Row]] = defaultdict(list)
        for item in rows_of(x.items):
            self._items_of_turn[item.get("turn", 0)].append(item)
            self._items_of_response[item.get("response_id", "")].append(item)
        model = x.model
        self._common: dict[str, Value] = _known(
            {
                "gen_ai.provider.name": _REHEARSAL_PROVIDER if model == REHEARSAL else _PROVIDER,
                "gen_ai.request.model": model or None,
                "gen_ai.conversation.id": x.session_id,
            }
        )
        self._spans: list[SpanToBe] = []
        self._of_turn: dict[int, int] = {}
        self._of_response: dict[str, int] = {}

    def spans(self) -> list[SpanToBe]:
        end_s = plain(self._x.events["elapsed_s"].max()) or 0.0
        self._add(_named("conversation", self._x.model), None, [0.0, end_s], {})
        for row in rows_of(self._x.turns):
            self._turn(row)
        for row in self._responses:
            self._response(row)
        for row in self._calls:
            self._call(row)
        self._troubles()
        self._widen()
        return self._spans

    def _add(
        self, name: str, parent: int | None, times: list[float], attributes: dict[str, Any], **more: Any
    ) -> int:
        own = self._common | _known(attributes)
        self._spans.append(
            SpanToBe(name=name, parent=parent, start_s=min(times), end_s=max(times), attributes=own, **more)
        )
        return len(self._spans) - 1

    def _parent(self, row: _Row) -> int:
        """The span of the turn that it belongs to; the conversation's where it belongs to none."""
        return self._of_turn.get(row.get("turn", 0), 0)

    def _told(self, text: str | None) -> str | None:
        return text if self._content else None

    # ---- turns ---------------------------------------------------------------------------------------------

    def _turn(self, row: _Row) -> None:
        turn, start_s = row["turn"], (row["started_at"].value - self._zero_ns) / 1e9
        items = self._items_of_turn[turn]
        # It begins with the user's first word, where that is known.
        times = [start_s, row.get("ended_s", start_s)]
        times += [i["speech_start_s"] for i in items if "speech_start_s" in i]
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.input.messages": self._told(_message("user", row.get("user_text"))),
            "gen_ai.output.messages": self._told(_message("assistant", row.get("assistant_text"))),
            "gip_nb.turn": turn,
            "gip_nb.turn.label": self._told(row.get("label")),
            "gip_nb.turn.tags": list(row.get("tags", ())) if self._content else [],
            **{f"gip_nb.turn.{name}": row.get(name) for name in _TURN_FIGURES},
            **{f"gip_nb.latency.{name}": row.get(name) for name in _LATENCIES},
        }
        self._of_turn[turn] = at = self._add("invoke_agent", 0, times, attributes)
        if row.get("interrupted"):
            span = self._spans[at]
            span.moments += self._interruptions(turn, [i for i in items if i.get("interrupted")], span.end_s)

    def _interruptions(self, turn: int, cut: list[_Row], end_s: float) -> Iterator[Moment]:
        for item in cut:
            heard_ms, sound_s = item.get("heard_ms"), item.get("sound_start_s")
            at_s = None if heard_ms is None or sound_s is None else sound_s + heard_ms / 1000
            if at_s is None:
                # Nobody played it: it ended for a listener when it did for the server.
                at_s = self._done_s(turn, item.get("response_id"))
            figures = {
                "gip_nb.item.id": item["item_id"],
                "gip_nb.item.heard_ms": heard_ms,
                "gip_nb.item.audio_ms": item.get("audio_ms"),
            }
            yield Moment("gip_nb.interrupted", end_s if at_s is None else at_s, _known(figures))
        if not cut:
            # Before there was anything to cut.
            at_s = self._done_s(turn, None)
            yield Moment("gip_nb.interrupted", end_s if at_s is None else at_s, {})

    def _done_s(self, turn: int, response_id: str | None) -> float | None:
        """When this response was over; without an id, the turn's first one that was cancelled."""
        for row in self._responses:
            cancelled = row.get("turn") == turn and row.get("status") == "cancelled"
            if row["response_id"] == response_id or (response_id is None and cancelled):
                done_s: float | None = row.get("done_s")
                return done_s
        return None

    # ---- responses -----------------------------------------------------------------------------------------

    def _response(self, row: _Row) -> None:
        response_id, parent = row["response_id"], self._parent(row)
        items = self._items_of_response[response_id]
        times = [row[name] for name in _MOMENTS if name in row]
        times += [i["last_audio_s"] for i in items if "last_audio_s" in i]
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.response.id": response_id,
            "gen_ai.response.model": row.get("model"),
            "gen_ai.response.finish_reasons": self._finish_reasons(row),
            "gen_ai.output.type": "speech" if row.get("audio_ms") else None,
            "gen_ai.output.messages": self._told(_output(items)),
            "gen_ai.usage.input_tokens": row.get("input_tokens"),
            "gen_ai.usage.output_tokens": row.get("output_tokens"),
            **{f"gen_ai.usage.{name}": _sum(row, columns) for name, columns in _BREAKDOWN.items()},
            "gip_nb.response.status": row.get("status"),
            "gip_nb.response.beside": row.get("beside"),
            "gip_nb.response.audio_ms": row.get("audio_ms"),
            "gip_nb.response.first_text_ms": _between(row, "created_s", "first_text_s"),
            "gip_nb.response.first_audio_ms": _between(row, "created_s", "first_audio_s"),
            "gip_nb.response.cost_usd": row.get("cost_usd"),
            "gip_nb.response.cost_is_upper_bound": row.get("cost_is_upper_bound"),
        }
        times = times or [self._spans[parent].start_s]
        name = _named("chat", self._x.model)
        at = self._of_response[response_id] = self._add(name, parent, times, attributes, calls_out=True)
        if row.get("status") == "failed":
            self._spans[at].failed = (self._error_code(response_id) or "failed", self._told(row.get("error")))

    def _error_code(self, response_id: str) -> str | None:
        """The server's code; the table has its message, where there is one."""
        events = self._x.events
        ends = events.index[(events["event"] == "response.done") & (events["response_id"] == response_id)]
        found: object = self._x.payload(int(ends[0])) if len(ends) else None
        for name in ("response", "status_details", "error"):
            found = found.get(name) if isinstance(found, dict) else None
        return _code(found.get("code")) or _code(found.get("type")) if isinstance(found, dict) else None

    def _finish_reasons(self, row: _Row) -> list[str]:
        status, reason = row.get("status"), _code(row.get("reason"))
        if status == "completed":
            calls = any(i.get("type") == "function_call" for i in self._items_of_response[row["response_id"]])
            return ["tool_call" if calls else "stop"]
        if status == "failed":
            return ["error"]
        # Of an incomplete one the conventions know the name; a cancelled one tells who did it.
        found = "length" if reason == "max_output_tokens" else reason
        return [found] if found and status in {"incomplete", "cancelled"} else []

    # ---- tools ---------------------------------------------------------------------------------------------

    def _call(self, row: _Row) -> None:
        parent, asked_by = self._parent(row), self._of_response.get(row.get("response_id", ""))
        # One that never ran stands where it was asked for.
        origin = self._spans[parent].start_s if asked_by is None else self._spans[asked_by].end_s
        start_s = row.get("started_s", origin)
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": row.get("name"),
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": row["call_id"],
            "gen_ai.tool.call.arguments": self._told(row.get("arguments")),
            "gen_ai.tool.call.result": self._told(row.get("output")),
        }
        times = [start_s, start_s + row.get("duration_ms", 0.0) / 1000]
        name = _named("execute_tool", row.get("name"))
        at = self._add(name, parent, times, attributes, asked_by=asked_by)
        if "error" in row:
            self._spans[at].failed = ("tool_error", self._told(row["error"]))

    # ---- troubles, and all in all --------------------------------------------------------------------------

    def _troubles(self) -> None:
        """Errors that the server told, in their turn's span, and connections that were lost, in the root."""
        found = self._x.events
        found = found[found["event"].isin(_TROUBLES)]
        lost = False
        for n, event, at_s, turn in zip(
            found.index, found["event"], found["elapsed_s"], found["turn"], strict=True
        ):
            told = self._x.payload(int(n))
            if event == "error":
                error = told["error"] if isinstance(told.get("error"), dict) else {}
                text = error.get("message")
                figures = {
                    "gip_nb.error.type": _code(error.get("type")),
                    "gip_nb.error.code": _code(error.get("code")),
                    "gip_nb.error.message": self._told(text if isinstance(text, str) else None),
                }
                moment = Moment("gip_nb.error", float(at_s), _known(figures))
                self._spans[self._of_turn.get(plain(turn) or 0, 0)].moments.append(moment)
                continue
            lost = event == "local.connection.closed" and told.get("asked_for") is False
            if lost:
                code = told.get("code")
                attributes = _known({"gip_nb.close_code": code if isinstance(code, int) else None})
                self._spans[0].moments.append(Moment("gip_nb.connection_lost", float(at_s), attributes))
        if lost:
            # And it was not opened again.
            self._spans[0].failed = ("connection_lost", None)

    def _widen(self) -> None:
        """An answer is heard after its turn's last event: parents last as long as their children."""
        for span in reversed(self._spans):
            times = [m.at_s for m in span.moments]
            span.start_s, span.end_s = min([span.start_s, *times]), max([span.end_s, *times])
            if span.parent is not None:
                parent = self._spans[span.parent]
                parent.start_s = min(parent.start_s, span.start_s)
                parent.end_s = max(parent.end_s, span.end_s)


# ---- values ------------------------------------------------------------------------------------------------


def _known(attributes: dict[str, Any]) -> dict[str, Value]:
    """Without what is not known: NA is not zero. An empty list says as little."""
    return {name: value for name, value in attributes.items() if value is not None and value != []}


def _sum(row: _Row, columns: tuple[str, ...]) -> int | None:
    """None for zero: the conventions want a breakdown where there is something to break down."""
    return sum(row.get(column, 0) for column in columns) or None


def _between(row: _Row, start: str, end: str) -> float | None:
    return (row[end] - row[start]) * 1000 if start in row and end in row else None


def _named(what: str, of: str | None) -> str:
    return f"{what} {of}" if of else what


def _code(value: object) -> str | None:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def _message(role: str, text: str | None) -> str | None:
    return _json([{"role": role, "parts": [{"type": "text", "content": text}]}]) if text else None


def _output(items: list[_Row]) -> str | None:
    """What a response made, as the conventions write messages."""
    parts: list[dict[str, object]] = []
    for item in items:
        if item.get("type") == "function_call":
            call = {"type": "tool_call", "id": item.get("call_id"), "name": item.get("name")}
            parts.append({**call, "arguments": item.get("arguments")})
        elif item.get("text"):
            parts.append({"type": "text", "content": item["text"]})
    return _json([{"role": "assistant", "parts": parts}]) if parts else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
