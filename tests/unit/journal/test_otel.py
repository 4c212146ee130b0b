"""A talk as a trace: its tree, its times, what its spans say and what they keep to themselves."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from gip_nb.errors import BadSetting, MissingExtra
from gip_nb.journal.otel import to_otel
from tests.unit.journal.tabled import STARTED_NS, FakeTalk

if TYPE_CHECKING:
    from collections.abc import Iterable

SECRET = "zzq_secret"


def traced(talk: FakeTalk, *, content: bool = False) -> list[ReadableSpan]:
    """The spans in order of their beginning, the longest first."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    made = to_otel(talk, tracer_provider=provider, content=content)
    spans = list(exporter.get_finished_spans())
    assert made == len(spans)
    return sorted(spans, key=lambda s: (s.start_time or 0, -(s.end_time or 0)))


def times_ms(span: ReadableSpan) -> tuple[float, float]:
    """From the log's beginning."""
    return tuple(((at or 0) - STARTED_NS) / 1e6 for at in (span.start_time, span.end_time))  # type: ignore[return-value]


def named(spans: Iterable[ReadableSpan], name: str) -> ReadableSpan:
    (found,) = [s for s in spans if s.name == name]
    return found


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_names(spans: list[ReadableSpan]) -> dict[str, str | None]:
    names = {s.context.span_id: s.name for s in spans}
    return {s.name: names[s.parent.span_id] if s.parent is not None else None for s in spans}


def weather(**turn: Any) -> FakeTalk:
    """One spoken question, a call of a tool, and its answer."""
    tokens = {"input_tokens": 789, "output_tokens": 32, "text_tokens": 100, "cached_text_tokens": 213}
    tokens |= {
        "audio_tokens": 49,
        "cached_audio_tokens": 427,
        "output_text_tokens": 9,
        "output_audio_tokens": 23,
    }
    return FakeTalk(
        turns=[
            {
                "at_s": 2.0,
                "status": "completed",
                "user_text": f"weather {SECRET}",
                "assistant_text": f"clear {SECRET}",
                "ended_s": 4.2,
                "requests": 2,
                "cost_usd": 0.0123,
                "first_audio_ms": 640.5,
                "first_sound_ms": 700.0,
                "label": f"good {SECRET}",
                "tags": (SECRET,),
                "rating": 1,
                **turn,
            }
        ],
        items=[
            {"item_id": "u", "type": "message", "role": "user", "turn": 1, "speech_start_s": 0.4},
            {
                "item_id": "c",
                "type": "function_call",
                "turn": 1,
                "response_id": "r1",
                "call_id": "call_1",
                "name": "look",
                "arguments": json.dumps({"city": SECRET}),
            },
            {
                "item_id": "a",
                "type": "message",
                "role": "assistant",
                "turn": 1,
                "response_id": "r2",
                "text": f"clear {SECRET}",
                "last_audio_s": 4.1,
            },
        ],
        responses=[
            {"response_id": "r1", "turn": 1, "status": "completed", "created_s": 2.1, "done_s": 2.5},
            {
                "response_id": "r2",
                "turn": 1,
                "status": "completed",
                "created_s": 3.0,
                "done_s": 4.0,
                "first_text_s": 3.1,
                "first_audio_s": 3.25,
                "audio_ms": 900.0,
                "model": "gpt-realtime-x",
                "cost_usd": 0.01,
                **tokens,
            },
        ],
        tool_calls=[
            {
                "call_id": "call_1",
                "turn": 1,
                "name": "look",
                "response_id": "r1",
                "item_id": "c",
                "arguments": json.dumps({"city": SECRET}),
                "output": SECRET,
                "started_s": 2.5,
                "duration_ms": 400.0,
            }
        ],
        events=[{"elapsed_s": 0.0, "event": "x"}, {"elapsed_s": 4.5, "event": "y"}],
    )


# ------------------------------------------------------------------------------------------------------- tree


def test_one_trace_with_turns_and_in_them_responses_and_tools() -> None:
    spans = traced(weather())
    assert len({s.context.trace_id for s in spans}) == 1
    assert [(s.name, times_ms(s)) for s in spans] == [
        ("conversation gpt-realtime", (0, 4500)),
        ("invoke_agent", (400, 4200)),
        ("chat gpt-realtime", (2100, 2500)),
        ("execute_tool look", (2500, 2900)),
        ("chat gpt-realtime", (3000, 4100)),
    ]
    assert parent_names(spans) == {
        "conversation gpt-realtime": None,
        "invoke_agent": "conversation gpt-realtime",
        "chat gpt-realtime": "invoke_agent",
        "execute_tool look": "invoke_agent",
    }
    assert [s.kind for s in spans if s.kind is not SpanKind.INTERNAL] == [SpanKind.CLIENT] * 2
    (asked,) = named(spans, "execute_tool look").links
    assert asked.context.span_id == spans[2].context.span_id


def test_the_span_that_a_cell_runs_in_is_not_its_parent() -> None:
    with TracerProvider().get_tracer("cell").start_as_current_span("cell"):
        spans = traced(weather())
    assert [s.name for s in spans if s.parent is None] == ["conversation gpt-realtime"]


def test_parents_last_as_long_as_what_is_in_them() -> None:
    talk = weather(ended_s=2.2)
    talk.tool_calls.loc["call_1", "duration_ms"] = 9000.0
    spans = traced(talk)
    assert times_ms(named(spans, "invoke_agent")) == (400, 11_500)
    assert times_ms(spans[0]) == (0, 11_500)


def test_what_belongs_to_no_turn_is_the_conversations() -> None:
    talk = FakeTalk(responses=[{"response_id": "r", "status": "completed", "created_s": 1.0, "done_s": 2.0}])
    assert parent_names(traced(talk))["chat gpt-realtime"] == "conversation gpt-realtime"


def test_an_empty_session_is_a_span_of_no_length() -> None:
    (span,) = traced(FakeTalk(session_id=None, model=""))
    assert (span.name, times_ms(span)) == ("conversation", (0, 0))
    assert attributes(span) == {"gen_ai.provider.name": "openai"}
    assert span.status.status_code is StatusCode.UNSET


def test_where_all_is_unknown_nothing_is_claimed() -> None:
    talk = FakeTalk(
        turns=[{}],
        items=[{"item_id": "a", "turn": 1, "response_id": "r"}],
        responses=[{"response_id": "r", "turn": 1}],
        tool_calls=[{"call_id": "c", "turn": 1}],
    )
    spans = traced(talk)
    assert {times_ms(s) for s in spans} == {(0, 0)}
    common = {"gen_ai.provider.name", "gen_ai.request.model", "gen_ai.conversation.id"}
    found = {s.name: {k: v for k, v in attributes(s).items() if k not in common} for s in spans}
    assert found["invoke_agent"] == {
        "gen_ai.operation.name": "invoke_agent",
        "gip_nb.turn": 1,
        "gip_nb.turn.interrupted": False,
    }
    assert found["execute_tool"] == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "c",
    }
    assert found["chat gpt-realtime"] == {
        "gen_ai.operation.name": "chat",
        "gen_ai.response.id": "r",
        "gip_nb.response.beside": False,
        "gip_nb.response.cost_is_upper_bound": False,
    }


moments = st.none() | st.floats(0, 100, allow_nan=False)


@settings(max_examples=8)
@given(
    st.lists(
        st.fixed_dictionaries({"created_s": moments, "done_s": moments, "turn": st.integers(1, 3)}),
        max_size=4,
    ),
    st.lists(st.fixed_dictionaries({"started_s": moments, "turn": st.integers(1, 3)}), max_size=3),
    st.lists(st.fixed_dictionaries({"ended_s": moments, "interrupted": st.booleans()}), max_size=2),
)
def test_children_lie_within_their_parents(
    responses: list[dict[str, Any]], calls: list[dict[str, Any]], turns: list[dict[str, Any]]
) -> None:
    talk = FakeTalk(
        turns=turns,
        responses=[{"response_id": f"r{n}", **r} for n, r in enumerate(responses)],
        tool_calls=[
            {"call_id": f"c{n}", "duration_ms": 50.0, "response_id": f"r{n}", **c}
            for n, c in enumerate(calls)
        ],
    )
    spans = traced(talk)
    assert len(spans) == 1 + len(turns) + len(responses) + len(calls)
    by_id = {s.context.span_id: s for s in spans}
    for span in spans:
        parent = span if span.parent is None else by_id[span.parent.span_id]
        inside = [*(e.timestamp for e in span.events), span.start_time or 0, span.end_time or 0]
        assert (parent.start_time or 0) <= min(inside) <= max(inside) <= (parent.end_time or 0)
        assert all((span.start_time or 0) <= e.timestamp <= (span.end_time or 0) for e in span.events)


# ------------------------------------------------------------------------------------------------- attributes


def test_a_response_says_what_the_conventions_ask_for() -> None:
    spans = traced(weather())
    first, second = [attributes(s) for s in spans if s.name.startswith("chat")]
    assert first["gen_ai.response.finish_reasons"] == ("tool_call",)
    assert second == {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-realtime",
        "gen_ai.conversation.id": "sess_1",
        "gen_ai.operation.name": "chat",
        "gen_ai.response.id": "r2",
        "gen_ai.response.model": "gpt-realtime-x",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.output.type": "speech",
        "gen_ai.usage.input_tokens": 789,
        "gen_ai.usage.output_tokens": 32,
        "gen_ai.usage.cache_read.input_tokens": 640,
        "gen_ai.usage.text.input_tokens": 313,
        "gen_ai.usage.audio.input_tokens": 476,
        "gen_ai.usage.text.cache_read.input_tokens": 213,
        "gen_ai.usage.audio.cache_read.input_tokens": 427,
        "gen_ai.usage.text.output_tokens": 9,
        "gen_ai.usage.audio.output_tokens": 23,
        "gip_nb.response.status": "completed",
        "gip_nb.response.beside": False,
        "gip_nb.response.audio_ms": 900,
        "gip_nb.response.first_text_ms": pytest.approx(100),
        "gip_nb.response.first_audio_ms": pytest.approx(250),
        "gip_nb.response.cost_usd": 0.01,
        "gip_nb.response.cost_is_upper_bound": False,
    }


def test_a_turn_says_its_latencies_and_no_tokens() -> None:
    found = attributes(named(traced(weather()), "invoke_agent"))
    assert found["gip_nb.latency.first_audio_ms"] == 640.5
    assert found["gip_nb.latency.first_sound_ms"] == 700
    assert "gip_nb.latency.first_text_ms" not in found
    assert (found["gip_nb.turn.cost_usd"], found["gip_nb.turn.rating"]) == (0.0123, 1)
    assert not [name for name in found if name.startswith("gen_ai.usage")], "they would count twice"


def test_a_tool_says_its_name_and_call() -> None:
    found = attributes(named(traced(weather()), "execute_tool look"))
    assert (found["gen_ai.operation.name"], found["gen_ai.tool.name"]) == ("execute_tool", "look")
    assert (found["gen_ai.tool.call.id"], found["gen_ai.tool.type"]) == ("call_1", "function")


def test_the_rehearsal_server_is_nobodys_model() -> None:
    (span,) = traced(FakeTalk(model="rehearsal"))
    assert attributes(span)["gen_ai.provider.name"] == "gip_nb"


# -------------------------------------------------------------------------------------------- what went wrong


@pytest.mark.parametrize(
    ("row", "finish", "error"),
    [
        ({"status": "failed", "error": "the mouth is sore"}, ("error",), "failed"),
        ({"status": "failed"}, ("error",), "failed"),
        ({"status": "cancelled", "reason": "turn_detected"}, ("turn_detected",), None),
        ({"status": "cancelled"}, None, None),
        ({"status": "incomplete", "reason": "max_output_tokens"}, ("length",), None),
        ({"status": "incomplete", "reason": "content_filter"}, ("content_filter",), None),
        ({"status": "in_progress"}, None, None),
    ],
)
def test_how_a_response_ended(row: dict[str, Any], finish: tuple[str, ...] | None, error: str | None) -> None:
    talk = FakeTalk(turns=[{}], responses=[{"response_id": "r", "turn": 1, "created_s": 1.0, **row}])
    span = named(traced(talk), "chat gpt-realtime")
    assert attributes(span).get("gen_ai.response.finish_reasons") == finish
    assert attributes(span).get("error.type") == error
    failed = StatusCode.ERROR if error else StatusCode.UNSET
    assert (span.status.status_code, span.status.description) == (failed, None)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"type": "server_error", "code": "rate_limit_exceeded", "message": SECRET}, "rate_limit_exceeded"),
        ({"type": "server_error", "code": "No such thing!"}, "server_error"),
        ({"message": SECRET}, "failed"),
        ("odd", "failed"),
    ],
)
def test_a_failed_response_tells_the_servers_code(told: object, code: str) -> None:
    payload = {"response": {"status_details": {"error": told}}}
    talk = FakeTalk(
        responses=[{"response_id": "r", "status": "failed", "error": SECRET}],
        events=[{"elapsed_s": 1.0, "event": "response.done", "response_id": "r", "payload": payload}],
    )
    span = named(traced(talk), "chat gpt-realtime")
    assert attributes(span)["error.type"] == code
    assert span.status.description is None


def test_a_tool_that_failed_is_an_error_and_its_text_is_content() -> None:
    talk = weather()
    talk.tool_calls.loc["call_1", "error"] = SECRET
    for content in (False, True):
        span = named(traced(talk, content=content), "execute_tool look")
        assert span.status.status_code is StatusCode.ERROR
        assert attributes(span)["error.type"] == "tool_error"
        assert span.status.description == (SECRET if content else None)


def test_an_interruption_is_an_event_when_it_was_heard() -> None:
    talk = weather(interrupted=True)
    talk.items.loc["a", ["interrupted", "heard_ms", "sound_start_s", "audio_ms"]] = [True, 350.0, 3.5, 900.0]
    (event,) = named(traced(talk), "invoke_agent").events
    assert (event.name, event.timestamp) == ("gip_nb.interrupted", STARTED_NS + 3_850_000_000)
    assert dict(event.attributes or {}) == {
        "gip_nb.item.id": "a",
        "gip_nb.item.heard_ms": 350,
        "gip_nb.item.audio_ms": 900,
    }


def test_an_interruption_that_nobody_heard_is_when_the_response_ended() -> None:
    talk = weather(interrupted=True)
    talk.items.loc["a", "interrupted"] = True
    (event,) = named(traced(talk), "invoke_agent").events
    assert event.timestamp == STARTED_NS + 4_000_000_000
    talk.items.loc["a", "interrupted"] = False
    talk.responses.loc["r1", "status"] = "cancelled"
    (event,) = named(traced(talk), "invoke_agent").events
    assert event.timestamp == STARTED_NS + 2_500_000_000


def test_errors_and_a_lost_connection_are_events() -> None:
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": SECRET}
    closed = {"code": 1011, "reason": SECRET, "asked_for": False}
    rows = [
        {"elapsed_s": 1.0, "event": "error", "turn": 1, "payload": {"error": error}},
        {"elapsed_s": 2.0, "event": "error", "payload": {"error": "odd"}},
        {"elapsed_s": 3.0, "event": "local.connection.closed", "payload": closed},
    ]
    root, turn = traced(FakeTalk(turns=[{}], events=rows))
    (told,) = turn.events
    assert dict(told.attributes or {}) == {
        "gip_nb.error.type": "invalid_request_error",
        "gip_nb.error.code": "invalid_value",
    }
    assert [(e.name, (e.timestamp - STARTED_NS) / 1e9) for e in root.events] == [
        ("gip_nb.error", 2),
        ("gip_nb.connection_lost", 3),
    ]
    assert (root.status.status_code, attributes(root)["error.type"]) == (StatusCode.ERROR, "connection_lost")
    opened_again = [*rows, {"elapsed_s": 4.0, "event": "local.connection.opened"}]
    root, _ = traced(FakeTalk(turns=[{}], events=opened_again))
    assert root.status.status_code is StatusCode.UNSET


# ---------------------------------------------------------------------------------------------------- content


def everything(spans: list[ReadableSpan]) -> str:
    return "".join(s.to_json() for s in spans)


def troubled() -> FakeTalk:
    talk = weather(interrupted=True)
    talk.responses.loc["r2", ["status", "error"]] = ["failed", SECRET]
    talk.tool_calls.loc["call_1", "error"] = SECRET
    return talk


def test_what_was_said_stays_here() -> None:
    assert SECRET not in everything(traced(troubled()))


def test_content_goes_along_where_it_is_asked_for() -> None:
    spans = traced(troubled(), content=True)
    turn, tool = attributes(named(spans, "invoke_agent")), attributes(named(spans, "execute_tool look"))
    assert json.loads(turn["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": f"weather {SECRET}"}]}
    ]
    assert (turn["gip_nb.turn.label"], turn["gip_nb.turn.tags"]) == (f"good {SECRET}", (SECRET,))
    assert (tool["gen_ai.tool.call.arguments"], tool["gen_ai.tool.call.result"]) == (
        json.dumps({"city": SECRET}),
        SECRET,
    )
    first, second = [attributes(s) for s in spans if s.name.startswith("chat")]
    assert json.loads(first["gen_ai.output.messages"])[0]["parts"] == [
        {"type": "tool_call", "id": "call_1", "name": "look", "arguments": json.dumps({"city": SECRET})}
    ]
    assert json.loads(second["gen_ai.output.messages"])[0]["parts"] == [
        {"type": "text", "content": f"clear {SECRET}"}
    ]


# -------------------------------------------------------------------------------------------- whom it goes to


def test_without_a_provider_it_says_so() -> None:
    with pytest.raises(BadSetting, match="tracer_provider="):
        to_otel(FakeTalk())
    with pytest.raises(BadSetting, match="tracer_provider="):
        to_otel(FakeTalk(), tracer_provider=trace.NoOpTracerProvider())


def test_without_opentelemetry_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtra, match=r"gip_nb\[otel\]"):
        to_otel(FakeTalk())


def test_what_is_sampled_out_does_not_count() -> None:
    assert to_otel(weather(), tracer_provider=TracerProvider(sampler=ALWAYS_OFF)) == 0


@pytest.mark.parametrize("thing", [None, "run.zip", [FakeTalk()], object()])
def test_what_has_no_tables_is_turned_away(thing: Any) -> None:
    with pytest.raises(BadSetting, match="sessions and recordings"):
        to_otel(thing, tracer_provider=TracerProvider())
