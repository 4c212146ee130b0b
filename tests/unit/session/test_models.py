"""Which models of a gateway's list are realtime ones, in the shapes that gateways tell it in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import ConnectionRefused, GipError, KeyRefused
from gip_nb.session.models import FoundModel, models_of, read_models

ADDRESS = "https://h/v1/models"


def found(*entries: object) -> dict[str, str]:
    return {m.model: m.source for m in read_models(entries)}


def test_without_a_word_of_what_they_can_do_names_count() -> None:
    assert found(
        {"id": "openai/gpt-4o-realtime-preview"},
        {"id": "openai/gpt-4o"},
        {"id": "azure/GPT-REALTIME-mini"},
        "some/realtime",
        "text-embedding",
    ) == {
        "openai/gpt-4o-realtime-preview": "name",
        "azure/GPT-REALTIME-mini": "name",
        "some/realtime": "name",
    }


TELLING: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"capabilities": ["chat", "realtime"]}, {"capabilities": ["chat"]}),
    ({"capabilities": {"realtime": True}}, {"capabilities": {"realtime": False}}),
    ({"capabilities": {"realtime": True}}, {"capabilities": {}}),
    ({"capabilities": {"realtime": {"enabled": True}}}, {"capabilities": {"realtime": {"enabled": False}}}),
    ({"capabilities": {"realtime": {"voices": ["ash"]}}}, {"capabilities": {"realtime": {}}}),
    ({"capabilities": {"supports_realtime": "true"}}, {"capabilities": {"supports_realtime": "false"}}),
    ({"capabilities": "realtime"}, {"capabilities": "chat"}),
    ({"supported_endpoints": ["/v1/realtime"]}, {"supported_endpoints": ["/v1/chat/completions"]}),
    ({"supported_endpoints": ["realtime"]}, {"supported_endpoints": []}),
    ({"endpoints": [{"path": "/v1/realtime"}]}, {"endpoints": [{"path": "/v1/responses"}]}),
    (
        {"endpoints": [{"name": "realtime", "enabled": True}]},
        {"endpoints": [{"name": "realtime", "enabled": False}]},
    ),
    ({"mode": "realtime"}, {"mode": "chat"}),
    ({"modes": ["Realtime"]}, {"modes": ["chat"]}),
    ({"realtime": True}, {"realtime": False}),
    ({"supports_realtime": 1}, {"supports_realtime": 0}),
]


@pytest.mark.parametrize(("yes", "no"), TELLING, ids=repr)
def test_what_the_gateway_says_comes_before_the_name(yes: dict[str, Any], no: dict[str, Any]) -> None:
    entries = (
        {"id": "a/voice", **yes},
        {"id": "a/realtime-but-no", **no},
        {"id": "a/realtime"},  # says nothing
        {"id": "a/chat"},
    )
    assert found(*entries) == {"a/voice": "capability", "a/realtime": "name"}
    assert found(*reversed(entries)) == {"a/voice": "capability", "a/realtime": "name"}


def test_a_field_that_never_says_realtime_says_nothing_about_it() -> None:
    """`mode: chat` of every model is no word about realtime."""
    entries = [{"id": "a/gpt-realtime", "mode": "chat", "capabilities": []}, {"id": "a/b", "mode": "chat"}]
    assert found(*entries) == {"a/gpt-realtime": "name"}


def test_one_field_s_yes_is_enough() -> None:
    entry = {"id": "a/x", "mode": "chat", "supported_endpoints": ["/v1/chat/completions", "/v1/realtime"]}
    assert found(entry, {"id": "b", "mode": "realtime"}) == {"a/x": "capability", "b": "capability"}


def test_a_model_s_fields() -> None:
    (model,) = read_models([{"id": " openai/gpt-realtime ", "owned_by": "openai", "created": 1_756_000_000}])
    assert model == FoundModel(
        "openai/gpt-realtime", "openai", datetime(2025, 8, 24, 1, 46, 40, tzinfo=UTC), "name"
    )
    assert model.provider == "openai"
    assert [m.provider for m in read_models(["realtime", "/realtime", "a/b/realtime"])] == [None, None, "a"]
    assert read_models([{"id": "realtime", "owned_by": 7}])[0].owned_by is None


@pytest.mark.parametrize(
    ("created", "year"),
    [
        (1_756_000_000, 2025),
        (1_756_000_000.5, 2025),
        (1_756_000_000_000, 2025),
        ("1756000000", 2025),
        ("2025-08-24T01:46:40Z", 2025),
        ("2025-08-24", 2025),
        (None, None),
        (0, None),
        (-5, None),
        (True, None),
        ("", None),
        ("soon", None),
        ("..", None),
        (1e300, None),
        (float("inf"), None),
        ([], None),
        ("9999-12-31T23:59:59", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_when_it_was_made(created: object, year: int | None) -> None:
    (model,) = read_models([{"id": "realtime", "created": created}])
    assert (model.created and model.created.year) == year


def test_each_id_once_and_what_has_none_not_at_all() -> None:
    entries: list[object] = [
        {"id": "a/realtime", "owned_by": "first"},
        {"id": "a/realtime", "owned_by": "second"},
        *({"name": "n/realtime"}, {"model": "m/realtime"}),
        *({}, {"id": 5}, {"id": ""}, {"id": None}, None, 7, [], ["realtime"], True, ""),
    ]
    assert [(m.model, m.owned_by) for m in read_models(entries)] == [
        ("a/realtime", "first"),
        ("n/realtime", None),
        ("m/realtime", None),
    ]


@pytest.mark.parametrize("wrapped", [lambda m: {"data": m}, lambda m: {"models": m}, lambda m: m])
def test_where_the_list_stands(wrapped: Any) -> None:
    body = json.dumps(wrapped([{"id": "a/realtime"}, {"id": "b"}])).encode()
    assert [m.model for m in models_of(200, body, ADDRESS)] == ["a/realtime"]
    assert models_of(200, json.dumps(wrapped([])).encode(), ADDRESS) == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "message", "next_step"),
    [
        (
            401,
            b'{"error": {"message": "bad key"}}',
            KeyRefused,
            "HTTP 401) and said 'bad key'",
            "GIP_API_KEY",
        ),
        (403, b"", KeyRefused, "HTTP 403", "GIP_API_KEY"),
        (
            404,
            b'{"detail": "Not Found"}',
            ConnectionRefused,
            "HTTP 404) and said 'Not Found'",
            "lists no models",
        ),
        (405, b"", ConnectionRefused, "HTTP 405", "lists no models"),
        (429, b"slow down", ConnectionRefused, "HTTP 429) and said 'slow down'", "try again later"),
        (500, b"<html><title>Oops</title>", ConnectionRefused, "a web page, 'Oops'", "try again later"),
        (302, b"", ConnectionRefused, "HTTP 302", "the API's root"),
        (200, b"<html><title>Sign in</title>", ConnectionRefused, "a web page, 'Sign in'", "the API's root"),
        (200, b"", ConnectionRefused, "not with a list of models", "the API's root"),
        (200, b"\xff\xfe\x00garbage", ConnectionRefused, "not with a list of models", "the API's root"),
        (200, b'{"data": {"a": 1}}', ConnectionRefused, "not with a list of models", "the API's root"),
        (200, b'{"message": "hello"}', ConnectionRefused, "'hello'", "the API's root"),
        (200, b"[" * 100_000, ConnectionRefused, "not with a list of models", "the API's root"),
        (200, b"null", ConnectionRefused, "not with a list of models", "the API's root"),
    ],
)
def test_what_is_no_list(
    status: int, body: bytes, kind: type[GipError], message: str, next_step: str
) -> None:
    with pytest.raises(GipError) as caught:
        models_of(status, body, ADDRESS)
    assert type(caught.value) is kind
    assert ADDRESS in caught.value.message
    assert message in caught.value.message
    assert next_step in caught.value.next_step


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["realtime", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "created", "capabilities", "mode", "realtime"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_list_is_read(entries: object) -> None:
    body = json.dumps({"data": [entries, {"id": "a/realtime"}]}).encode()
    models = models_of(200, body, ADDRESS)
    assert {"a/realtime"} <= {m.model for m in models}
    assert all(m.source in {"name", "capability"} for m in models)
