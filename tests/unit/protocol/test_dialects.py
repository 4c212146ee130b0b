"""Beta and GA, both ways, beside the openai package's own models."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import realtime as ga_models
from openai.types.beta import realtime as beta_models
from pydantic import BaseModel, TypeAdapter

from gip_nb.protocol.dialects import (
    canonical_type,
    client_event_to_canonical,
    client_event_to_wire,
    server_event_to_canonical,
    server_event_to_wire,
    session_to_canonical,
    session_to_wire,
    wire_type,
)
from gip_nb.protocol.events import BETA, CLIENT_EVENTS, GA, SERVER_EVENTS, Dialect
from tests.unit.protocol import samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gip_nb.protocol.events import Event

DIALECTS: tuple[Dialect, ...] = (BETA, GA)
MODELS: dict[tuple[str, str], TypeAdapter[Any]] = {
    (BETA, "client"): TypeAdapter(beta_models.RealtimeClientEvent),
    (BETA, "server"): TypeAdapter(beta_models.RealtimeServerEvent),
    (GA, "client"): TypeAdapter(ga_models.RealtimeClientEvent),
    (GA, "server"): TypeAdapter(ga_models.RealtimeServerEvent),
}
# Real, and in no model: what the API sends back in a session beside its settings, and what an error was
# about.
UNMODELLED = {"session.id", "session.object", "session.model", "session.expires_at", "error.event_id"}


def unknown_keys(model: object, path: str = "") -> Iterator[str]:
    """The keys that a validated event has and its models have not; pydantic itself lets them pass."""
    if isinstance(model, BaseModel):
        yield from (f"{path}{key}" for key in model.model_extra or {})
        for key in type(model).model_fields:
            yield from unknown_keys(getattr(model, key), f"{path}{key}.")
    elif isinstance(model, list):
        for inner in model:
            yield from unknown_keys(inner, path)


def check(event: Event, dialect: Dialect, side: str) -> None:
    """An event is what the package's own models of that dialect say it is, and nothing besides."""
    known = MODELS[dialect, side].validate_python(event)
    assert known.type == event["type"]
    assert set(unknown_keys(known)) <= UNMODELLED


# ------------------------------------------------------------------------------------------------ every event


@pytest.mark.parametrize("dialect", DIALECTS)
def test_there_is_a_sample_of_every_event(dialect: Dialect) -> None:
    assert set(samples.SERVER_SAMPLES) == set(SERVER_EVENTS)
    assert set(samples.CLIENT_SAMPLES) == set(CLIENT_EVENTS)


SERVER_CASES = [(dialect, name) for dialect in DIALECTS for name in samples.server_samples(dialect)]
CLIENT_CASES = [(dialect, name) for dialect in DIALECTS for name in samples.client_samples(dialect)]


def _sayable(event: Event, dialect: Dialect) -> Event:
    """A sample without `temperature`, which GA has not, and with `type`, which it must have."""
    if dialect == BETA:
        return event
    out = copy.deepcopy(event)
    for key in ("session", "response"):
        if key in out:
            out[key].pop("temperature", None)
            out[key].pop("client_secret", None)
    return out


@pytest.mark.parametrize(("dialect", "name"), SERVER_CASES)
def test_server_sample_is_valid_and_stays_so_after_a_round_trip(dialect: Dialect, name: str) -> None:
    event = _sayable(samples.server_samples(dialect)[name], dialect)
    check(event, dialect, "server")
    again = server_event_to_wire(server_event_to_canonical(event, dialect), dialect)
    if (dialect, name) == (GA, "conversation.item.created"):
        event["type"] = "conversation.item.added"
    assert again == event


@pytest.mark.parametrize(("dialect", "name"), CLIENT_CASES)
def test_client_sample_is_valid_and_stays_so_after_a_round_trip(dialect: Dialect, name: str) -> None:
    event = _sayable(samples.client_samples(dialect)[name], dialect)
    check(event, dialect, "client")
    assert client_event_to_wire(client_event_to_canonical(event, dialect), dialect) == event


@pytest.mark.parametrize("name", SERVER_EVENTS)
def test_server_event_crosses_from_one_dialect_to_the_other(name: str) -> None:
    beta, ga = samples.SERVER_SAMPLES[name]
    if beta is None:
        assert server_event_to_wire(ga, BETA) is None
        assert server_event_to_canonical(ga, GA) == ga
        return
    canonical = {key: value for key, value in ga.items() if key not in SERVER_EVENTS[name].ga_only}
    assert server_event_to_canonical(beta, BETA) == canonical
    assert server_event_to_canonical(ga, GA) == ga
    assert server_event_to_wire(ga, BETA) == beta
    to_ga = server_event_to_wire(ga, GA)
    assert to_ga == _sayable(ga, GA)
    check(to_ga, GA, "server")


@pytest.mark.parametrize("name", CLIENT_EVENTS)
def test_client_event_crosses_from_one_dialect_to_the_other(name: str) -> None:
    beta, ga = samples.CLIENT_SAMPLES[name]
    assert beta is not None
    assert client_event_to_canonical(beta, BETA) == ga
    assert client_event_to_canonical(ga, GA) == ga
    assert client_event_to_wire(ga, BETA) == beta
    assert client_event_to_wire(ga, GA) == _sayable(ga, GA)
    # Code written for beta goes on working where the wire is GA.
    assert client_event_to_wire(beta, GA) == _sayable(ga, GA)
    check(client_event_to_wire(beta, GA), GA, "client")


def test_transcription_sessions() -> None:
    beta, ga = samples.TRANSCRIPTION_UPDATE
    assert beta is not None
    assert client_event_to_canonical(beta, BETA) == ga
    assert client_event_to_wire(ga, BETA) == beta
    assert client_event_to_wire(ga, GA) == ga
    check(client_event_to_wire(ga, GA), GA, "client")

    beta, ga = samples.TRANSCRIPTION_UPDATED
    assert beta is not None
    assert server_event_to_canonical(beta, BETA) == ga
    assert server_event_to_wire(ga, BETA) == beta
    check(_sayable(ga, GA), GA, "server")
    assert server_event_to_wire(ga, GA) == _sayable(ga, GA)


@pytest.mark.parametrize(("dialect", "name"), SERVER_CASES)
def test_server_conversion_leaves_its_argument_alone(dialect: Dialect, name: str) -> None:
    event = samples.server_samples(dialect)[name]
    before = copy.deepcopy(event)
    canonical = server_event_to_canonical(event, dialect)
    assert canonical is not event
    assert event == before
    before = copy.deepcopy(canonical)
    for target in DIALECTS:
        server_event_to_wire(canonical, target)
        assert canonical == before


@pytest.mark.parametrize(("dialect", "name"), CLIENT_CASES)
def test_client_conversion_leaves_its_argument_alone(dialect: Dialect, name: str) -> None:
    event = samples.client_samples(dialect)[name]
    before = copy.deepcopy(event)
    canonical = client_event_to_canonical(event, dialect)
    assert canonical is not event
    assert event == before
    before = copy.deepcopy(canonical)
    for target in DIALECTS:
        client_event_to_wire(canonical, target)
        assert canonical == before


# ------------------------------------------------------------------------------------------------------ names


def test_names() -> None:
    assert canonical_type("response.audio.delta") == "response.output_audio.delta"
    assert canonical_type("response.output_audio.delta") == "response.output_audio.delta"
    assert canonical_type("conversation.item.created") == "conversation.item.added"
    assert canonical_type("response.future.delta") == "response.future.delta"
    assert wire_type("response.output_text.done", BETA) == "response.text.done"
    assert wire_type("response.output_text.done", GA) == "response.output_text.done"
    assert wire_type("response.future.delta", BETA) == "response.future.delta"


# ---------------------------------------------------------------------------------------------------- session


@pytest.mark.parametrize(
    ("canonical", "beta"),
    [
        ({"output_modalities": ["text"]}, {"modalities": ["text"]}),
        ({"output_modalities": ["audio"]}, {"modalities": ["text", "audio"]}),
        ({"audio": {"input": {"turn_detection": None}}}, {"turn_detection": None}),
        ({"audio": {"input": {"transcription": None}}}, {"input_audio_transcription": None}),
        ({"audio": {"output": {"voice": "ash"}}}, {"voice": "ash"}),
        ({"audio": {"output": {"speed": 1.25}}}, {"speed": 1.25}),
        ({"max_output_tokens": 100}, {"max_response_output_tokens": 100}),
        (
            {"tool_choice": {"type": "function", "name": "f"}},
            {"tool_choice": {"type": "function", "name": "f"}},
        ),
        ({"temperature": 0.6}, {"temperature": 0.6}),
        ({}, {}),
    ],
)
def test_a_part_of_a_session_stays_a_part(canonical: Event, beta: Event) -> None:
    assert session_to_wire(canonical, BETA) == beta
    assert session_to_canonical(beta, None) == canonical
    assert session_to_canonical(beta, BETA) == {**canonical, "type": "realtime"}
    ga = {key: value for key, value in canonical.items() if key != "temperature"}
    assert session_to_wire(canonical, GA) == {**ga, "type": "realtime"}


def test_what_only_ga_knows_is_not_said_in_beta() -> None:
    mcp = {"type": "mcp", "server_label": "docs"}
    session = {
        "type": "realtime",
        "truncation": "auto",
        "prompt": {"id": "pmpt_1"},
        "include": ["item.input_audio_transcription.logprobs"],
        "reasoning": {"effort": "low"},
        "parallel_tool_calls": True,
        "tools": [samples.TOOL, mcp],
        "tool_choice": mcp,
        "audio": {
            "input": {
                "turn_detection": {**samples.SERVER_VAD, "idle_timeout_ms": 6000},
                "transcription": {
                    "model": "whisper-1",
                    "delay": "low",
                    "keywords": ["x"],
                    "languages": ["en"],
                },
                "noise_reduction": {"type": "near_field", "strength": 0.5},
            }
        },
    }
    update = {"type": "session.update", "session": session}
    check(client_event_to_wire(update, GA), GA, "client")
    said = client_event_to_wire(update, BETA)
    check(said, BETA, "client")
    assert said["session"] == {
        "tools": [samples.TOOL],
        "tool_choice": "auto",
        "turn_detection": samples.SERVER_VAD,
        "input_audio_transcription": {"model": "whisper-1"},
        "input_audio_noise_reduction": {"type": "near_field"},
    }
    asked = {
        "type": "response.create",
        "response": {"reasoning": {"effort": "low"}, "prompt": {"id": "p"}, "parallel_tool_calls": False},
    }
    assert client_event_to_wire(asked, BETA) == {"type": "response.create", "response": {}}


def test_cached_counts_by_modality_are_ga_s() -> None:
    details = {"text_tokens": 313, "audio_tokens": 476, "image_tokens": 0, "cached_tokens": 640}
    usage = {
        **samples.USAGE,
        "input_token_details": {
            **details,
            "cached_tokens_details": {"text_tokens": 256, "audio_tokens": 384, "image_tokens": 0},
        },
    }
    done = {"type": "response.done", "event_id": "e", "response": {**samples.GA_RESPONSE, "usage": usage}}
    said = server_event_to_wire(done, BETA)
    assert said is not None
    check(said, BETA, "server")
    assert said["response"]["usage"] == samples.USAGE
    # A beta server that does say it is heard.
    heard = {"type": "response.done", "event_id": "e", "response": {**samples.BETA_RESPONSE, "usage": usage}}
    assert server_event_to_canonical(heard, BETA) == done


def test_shapes_may_be_mixed_and_the_nested_one_wins() -> None:
    mixed = {"voice": "ash", "turn_detection": None, "audio": {"output": {"voice": "coral"}, "input": None}}
    before = copy.deepcopy(mixed)
    expected = {"audio": {"output": {"voice": "coral"}, "input": {"turn_detection": None}}}
    assert session_to_canonical(mixed, None) == expected
    assert mixed == before
    assert session_to_canonical({"output_modalities": ["text", "audio"]}, None) == {
        "output_modalities": ["audio"]
    }
    assert session_to_canonical({"audio": {"output": {"format": "g711_ulaw"}}}, None) == {
        "audio": {"output": {"format": {"type": "audio/pcmu"}}}
    }


def test_a_rate_that_beta_has_no_word_for_stays() -> None:
    odd = {"type": "audio/pcm", "rate": 16_000}
    assert session_to_wire({"audio": {"input": {"format": odd}}}, BETA) == {"input_audio_format": odd}
    bare = {"type": "audio/pcm"}
    assert session_to_wire({"audio": {"input": {"format": bare}}}, BETA) == {"input_audio_format": "pcm16"}


def test_a_function_named_one_level_down_is_understood() -> None:
    asked = {"tool_choice": {"type": "function", "function": {"name": "f"}}}
    assert session_to_canonical(asked, BETA)["tool_choice"] == {"type": "function", "name": "f"}


def test_content_of_users_and_systems_has_one_name() -> None:
    odd = {"type": "message", "role": "user", "content": [{"type": "text", "text": "hi"}, "nonsense", {}]}
    event = {"type": "conversation.item.create", "item": odd}
    assert client_event_to_canonical(event, BETA) == event


# ------------------------------------------------------------------------------------------------- properties

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 2) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
unknown = st.dictionaries(st.text(max_size=4).map("x_".__add__), json_values, max_size=3)
beta_formats = st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"])
ga_formats = st.sampled_from([samples.PCM, {"type": "audio/pcmu"}, {"type": "audio/pcma"}])
turn_detections = st.none() | st.fixed_dictionaries(
    {"type": st.sampled_from(["server_vad", "semantic_vad"])},
    optional={"threshold": st.floats(0, 1), "silence_duration_ms": st.integers(0, 2000)},
)
transcriptions = st.none() | st.fixed_dictionaries(
    {"model": st.just("whisper-1")}, optional={"prompt": st.text()}
)
tokens = st.just("inf") | st.integers(1, 4096)
plain = {
    "instructions": st.text(max_size=5),
    "temperature": st.floats(0.6, 1.2),
    "tools": st.just([samples.TOOL]),
    "tool_choice": st.sampled_from(["auto", "none", {"type": "function", "name": "f"}]),
    "tracing": st.none() | st.just("auto"),
}
beta_sessions = st.builds(
    dict.__or__,
    st.fixed_dictionaries(
        {},
        optional={
            **plain,
            "modalities": st.sampled_from([["text"], ["text", "audio"]]),
            "input_audio_format": beta_formats,
            "output_audio_format": beta_formats,
            "input_audio_transcription": transcriptions,
            "input_audio_noise_reduction": st.none() | st.just({"type": "far_field"}),
            "turn_detection": turn_detections,
            "voice": st.text(max_size=5),
            "speed": st.floats(0.25, 1.5),
            "max_response_output_tokens": tokens,
        },
    ),
    unknown,
)


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Dicts with at least one of these: an empty one says nothing, and nothing is what beta makes of it."""
    return st.fixed_dictionaries({}, optional=optional).filter(bool)


ga_audio = some(
    input=some(
        format=ga_formats,
        transcription=transcriptions,
        turn_detection=turn_detections,
        x_more=json_values.filter(bool),
    ),
    output=some(format=ga_formats, voice=st.text(max_size=5), speed=st.floats(0.25, 1.5)),
)
ga_sessions = st.builds(
    dict.__or__,
    st.fixed_dictionaries(
        {"type": st.just("realtime")},
        optional={
            **plain,
            "output_modalities": st.sampled_from([["text"], ["audio"]]),
            "audio": ga_audio,
            "max_output_tokens": tokens,
        },
    ),
    unknown,
)


@given(beta_sessions)
def test_any_beta_session_comes_back_from_canonical(session: Event) -> None:
    before = copy.deepcopy(session)
    for heard in (session_to_canonical(session, BETA), session_to_canonical(session, None)):
        assert session_to_wire(heard, BETA) == before
    assert session == before


@given(ga_sessions)
def test_any_session_comes_back_from_beta(session: Event) -> None:
    before = copy.deepcopy(session)
    said = session_to_wire(session, BETA)
    assert session_to_canonical(said, BETA) == before
    assert session_to_canonical(session, None) == before
    assert session == before


@given(beta_sessions, ga_sessions)
def test_reading_twice_is_reading_once(flat: Event, nested: Event) -> None:
    mixed = {**nested, **flat}
    once = session_to_canonical(mixed, None)
    assert session_to_canonical(once, None) == once


@given(st.sampled_from(SERVER_CASES + CLIENT_CASES), unknown, st.data())
def test_unknown_fields_pass_through(case: tuple[Dialect, str], extra: Event, data: st.DataObject) -> None:
    dialect, name = case
    if case in CLIENT_CASES:
        event = {**samples.client_samples(dialect)[name], **extra}
        canonical: Event | None = client_event_to_canonical(event, dialect)
        assert canonical is not None
        wire: Event | None = client_event_to_wire(canonical, dialect)
    else:
        event = {**samples.server_samples(dialect)[name], **extra}
        canonical = server_event_to_canonical(event, dialect)
        wire = server_event_to_wire(canonical, dialect)
    assert wire is not None
    assert canonical.items() >= extra.items()
    assert wire.items() >= extra.items()


known_names = st.sampled_from([*SERVER_EVENTS, *CLIENT_EVENTS, "response.audio.delta", "x.y"])
nonsense = st.dictionaries(
    st.sampled_from(["type", "session", "response", "item", "audio", "x"]), json_values, max_size=4
)


@given(known_names | json_values, nonsense, st.sampled_from(DIALECTS))
def test_nonsense_crosses_without_harm(name: object, event: Event, dialect: Dialect) -> None:
    event = {**event, "type": name}
    before = copy.deepcopy(event)
    server_event_to_wire(server_event_to_canonical(event, dialect), dialect)
    client_event_to_wire(client_event_to_canonical(event, dialect), dialect)
    server_event_to_wire(event, dialect)
    assert event == before
    if not isinstance(name, str) or name == "x.y":
        assert server_event_to_canonical(event, dialect) == before
        assert server_event_to_wire(event, dialect) == before
