"""What servers say, in the shapes that they say it in, and the error that each is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import (
    ConnectionDropped,
    ConnectionRefused,
    DialectRefused,
    GipError,
    KeyRefused,
    ServerError,
    UnknownModel,
)
from gip_nb.session.trouble import (
    Told,
    error_of,
    error_of_close,
    error_of_refusal,
    read_body,
    read_told,
    refuses_dialect,
    tidied,
)

# What a server may send: any JSON.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "param", "detail", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({"type": "error", "error": {"message": "m", "code": "c", "param": "p"}}, Told("m", "c", "p")),
        ({"message": "m", "code": "c"}, Told("m", "c")),
        ({"type": "error", "message": "m"}, Told("m")),
        ({"error": "m"}, Told("m")),
        ({"error": {"error": {"message": "m"}}}, Told("m")),
        ({"error": [{"message": "m"}]}, Told("m")),
        ({"error": {}, "message": "m"}, Told("m")),
        ({"error": "Unauthorized", "message": "who?"}, Told("who?")),
        ({"detail": "m"}, Told("m")),
        ({"detail": [{"loc": ["query"], "msg": "m", "type": "missing"}]}, Told("m")),
        ({"error": {"message": {"text": "m"}}}, Told('{"text": "m"}')),
        ({"error": {"code": 404, "message": "m"}}, Told("m", "404")),
        ({"error": {"code": True, "message": "m"}}, Told("m")),
        ({"error": {"type": "invalid_request_error", "message": "m"}}, Told("m")),
        ({"error": {"type": "server_error", "message": "m"}}, Told("m", "server_error")),
        (
            {"error": {"type": "authentication_error", "code": "x", "message": "m"}},
            Told("m", "authentication_error"),
        ),
        ("m", Told("m")),
        (None, Told("")),
        (5, Told("")),
        ([], Told("")),
        ({}, Told("")),
        ({"error": None}, Told("")),
        ({"type": "error"}, Told("")),
    ],
)
def test_where_servers_put_what_they_say(told: object, read: Told) -> None:
    assert read_told(told) == read


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", ""),
        (b"no such route", "no such route"),
        (b'{"error": {"message": "m"}}', "m"),
        (b'  "m"\n', "m"),
        (b"<!DOCTYPE html><title>\n Sign in </title>", "a web page, 'Sign in'"),
        (b"<html><body>hi</body></html>", "a web page"),
        (b"<?xml version='1.0'?><Error/>", "a web page"),
        (b"\xff\xfe\0", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"[" * 100_000, "[" * 500 + " [...]"),
    ],
)
def test_what_a_body_says(body: bytes, message: str) -> None:
    assert read_body(body).message == message


def test_a_server_s_text_is_one_short_line() -> None:
    assert tidied("a\x1b[31mb\r\nc\t\0d\u2028e") == "a [31mb c d e"
    assert len(tidied("x" * 10**6)) < 600


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        *(
            ({"code": code}, KeyRefused)
            for code in ("invalid_api_key", "unauthorized", "token_expired", 401, "403")
        ),
        *(
            ({"message": message}, KeyRefused)
            for message in (
                "Incorrect API key provided: [key]. You can find your API key at ...",
                "Invalid API-key",
                "Your api_key has expired",
                "Authentication Error, Invalid proxy server token passed",
                "HTTP 401: Unauthorized",
                "missing bearer token",
            )
        ),
        *(({"code": code}, UnknownModel) for code in ("model_not_found", "unknown_model")),
        *(
            ({"message": message}, UnknownModel)
            for message in (
                "The model `gpt-1.5` does not exist or you do not have access to it.",
                "Model 'x' not found",
                "Project `p` does not have access to model `x`",
                "Invalid model name passed in model=x",
                "The model gpt-x is not supported in realtime mode.",
                "unknown model: x",
            )
        ),
        ({"message": "The model `x` does not exist", "param": "model"}, UnknownModel),
        # Another model than the one that answers.
        ({"message": "Model 'x' not found", "param": "session.audio.input.transcription.model"}, ServerError),
        *(({"code": code}, DialectRefused) for code in ("beta_api_shape_disabled", "invalid_beta")),
        (
            {"message": "You must provide the 'OpenAI-Beta: realtime=v1' header to access the Realtime API."},
            DialectRefused,
        ),
        *(
            ({"message": message}, ServerError)
            for message in (
                "Tool choice is not supported with this model",
                "the model does not support these modalities",
                "no tokens left in this minute",
                "Invalid value: 'key'",
                "Unexpected token in JSON",
                "",
            )
        ),
    ],
)
def test_which_error_that_is(told: dict[str, Any], kind: type[GipError]) -> None:
    assert type(error_of({"type": "error", "error": told})) is kind
    assert type(error_of(told)) is kind
    assert refuses_dialect(told) is (kind is DialectRefused)


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (4000, "invalid_request_error.beta_api_shape_disabled", DialectRefused),
        (4000, "invalid_request_error.model_not_found", UnknownModel),
        (3000, "invalid_request_error.invalid_api_key", KeyRefused),
        (1011, "model_not_found", UnknownModel),
        (1008, " invalid_api_key ", KeyRefused),
        (3003, "", KeyRefused),
        (4401, "", KeyRefused),
        (1008, "Unauthorized", KeyRefused),
        (1011, "The model does not exist.", UnknownModel),
        (1011, "Internal server error.", ConnectionDropped),
        (1006, "no close frame", ConnectionDropped),
        (1000, "", ConnectionDropped),
        (4000, ".", ConnectionDropped),
    ],
)
def test_how_a_connection_ended(code: int, reason: str, kind: type[GipError]) -> None:
    error = error_of_close(code, reason, "begin again.")
    assert type(error) is kind
    assert f"code {code}" in error.message
    assert reason.strip() in error.message
    if kind is ConnectionDropped:
        assert error.next_step == "begin again."


@given(JSON)
def test_whatever_a_server_says_is_an_error_that_can_be_shown(told: object) -> None:
    body = json.dumps(told).encode()
    for error in (
        error_of(told),
        error_of({"error": told}),
        error_of_refusal(400, body, "https://h/v1", "m"),
    ):
        assert isinstance(error, GipError)
        assert error.message.isprintable()
        assert 0 < len(error.message) < 1200
        assert error.next_step


@given(st.integers(100, 599), st.binary(max_size=60), st.integers(1000, 4999), st.text(max_size=123))
def test_whatever_comes_back_is_named(status: int, body: bytes, code: int, reason: str) -> None:
    refused = error_of_refusal(status, body, "https://h/v1", "m")
    assert isinstance(refused, KeyRefused | UnknownModel | ConnectionRefused | DialectRefused)
    assert f"HTTP {status}" in refused.message
    ended = error_of_close(code, reason, "x")
    assert str(code) in ended.message
    assert (refused.message + ended.message).isprintable()
