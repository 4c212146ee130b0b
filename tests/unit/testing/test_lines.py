"""Lines for scripts: each passes the openai package's strict models, in both dialects."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeServerEvent as GaServerEvent
from pydantic import TypeAdapter

from gip_nb.testing import (
    Visit,
    answer,
    error,
    item_taken,
    session_created,
    session_updated,
    tool_call,
    user_spoke,
)

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing import Event

MODELS: dict[str, TypeAdapter[Any]] = {"beta": TypeAdapter(BetaServerEvent), "ga": TypeAdapter(GaServerEvent)}
in_both_dialects = pytest.mark.parametrize("dialect", ["beta", "ga"])


def visit(dialect: Dialect, *received: Event) -> Visit:
    headers = {"OpenAI-Beta": "realtime=v1"} if dialect == "beta" else {}
    made = Visit(1, "/v1/realtime?model=openai%2Fgpt-realtime", headers)
    made.frames += received
    return made


def all_lines(dialect: Dialect) -> list[Event]:
    item = {
        "id": "item_0",
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "x"}],
    }
    typed = {"type": "realtime"} if dialect == "ga" else {}
    client = visit(
        dialect,
        {"type": "session.update", "session": {**typed, "instructions": "Be brief."}},
        {"type": "conversation.item.create", "item": item},
    )
    return [
        session_created(dialect),
        session_updated(client),
        *item_taken(client),
        *user_spoke("hello", dialect=dialect),
        *answer("Good day", dialect=dialect, audio_ms=250, metadata={"a": "b"}),
        *answer("", dialect=dialect, response_id="resp_2", status="failed"),
        *tool_call("weather", {"city": "Rome"}, dialect=dialect, response_id="resp_3", item_id="item_3"),
        error("some_code", "it broke", event_id="evt_1"),
    ]


@in_both_dialects
def test_every_line_passes_the_strict_models(dialect: Dialect) -> None:
    for event in all_lines(dialect):
        MODELS[dialect].validate_python(event, strict=True)


@in_both_dialects
def test_every_line_has_an_event_id_of_its_own(dialect: Dialect) -> None:
    ids = [event["event_id"] for event in all_lines(dialect)]
    assert len(set(ids)) == len(ids)


def test_an_answer_is_told_in_the_order_that_clients_demand() -> None:
    kinds = [event["type"] for event in answer("Hi", dialect="beta", audio_ms=100)]
    assert kinds == [
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]


@in_both_dialects
def test_an_answer_has_its_words_and_as_much_sound_as_was_asked_for(dialect: Dialect) -> None:
    events = answer("Good day to you", dialect=dialect, audio_ms=250)
    deltas = [e["delta"] for e in events if e["type"].endswith("audio_transcript.delta")]
    sounds = [base64.b64decode(e["delta"]) for e in events if e["type"].endswith("audio.delta")]
    assert "".join(deltas) == "Good day to you"
    assert [len(sound) for sound in sounds] == [4800, 4800, 2400]


def test_an_answer_without_words_has_no_output() -> None:
    created, done = answer("", status="cancelled")
    assert (created["type"], done["type"]) == ("response.created", "response.done")
    assert done["response"]["output"] == []
    assert done["response"]["status"] == "cancelled"


def test_a_tool_call_may_carry_arguments_that_are_no_json() -> None:
    done = tool_call("weather", '{"city": ')[-1]
    assert done["response"]["output"][0]["arguments"] == '{"city": '


def test_a_session_tells_its_type_in_ga_only() -> None:
    assert session_created("ga")["session"]["type"] == "realtime"
    assert "type" not in session_created("beta")["session"]


def test_a_visit_names_model_and_dialect_and_hides_its_headers() -> None:
    client = Visit(2, "/v1/realtime?model=openai%2Fgpt-realtime", {"Authorization": "Bearer sk-secret"})
    assert client.model == "openai/gpt-realtime"
    assert client.dialect == "ga"
    assert "sk-secret" not in repr(client)
    browser = Visit(1, "/v1/realtime", {"Sec-WebSocket-Protocol": "realtime, openai-beta.realtime-v1"})
    assert (browser.dialect, browser.model) == ("beta", None)
    with pytest.raises(LookupError, match=r"no response\.create came"):
        client.last("response.create")


def test_lines_are_plain_json() -> None:
    for event in all_lines("ga"):
        assert json.loads(json.dumps(event)) == event
