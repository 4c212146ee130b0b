"""What the server reads in a handshake."""

from __future__ import annotations

import pytest

from gip_nb.rehearsal.handshake import DEFAULT_MODEL, is_models_path, is_realtime_path, read_handshake


@pytest.mark.parametrize(
    "path", ["/v1/realtime", "/realtime", "/v1/realtime/", "/v1/realtime?model=x", "/realtime/?model=a%2Fb"]
)
def test_the_api_is_at_these_paths(path: str) -> None:
    assert is_realtime_path(path)


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/realtime", "/v1/realtime/calls", "/v1/models", ""])
def test_and_at_no_other(path: str) -> None:
    assert not is_realtime_path(path)


def test_the_list_of_models_has_paths_of_its_own() -> None:
    assert all(is_models_path(path) for path in ("/v1/models", "/models/", "/v1/models?limit=5"))
    assert not any(is_models_path(path) for path in ("/v1/realtime", "/v1/models/x", "/", ""))


def test_the_model_is_decoded() -> None:
    path = "/v1/realtime?model=openai%2Fgpt-4o-realtime-preview-2024-12-17"
    assert read_handshake(path, None, [], []).model == "openai/gpt-4o-realtime-preview-2024-12-17"
    assert read_handshake("/v1/realtime", None, [], []).model == DEFAULT_MODEL


def test_the_intent_is_read() -> None:
    assert read_handshake("/realtime?intent=transcription", None, [], []).intent == "transcription"
    assert read_handshake("/realtime?model=x", None, [], []).intent == ""


def test_the_dialect_is_the_handshakes() -> None:
    assert read_handshake("/realtime", None, [], []).dialect == "ga"
    assert read_handshake("/realtime", None, ["realtime=v1"], []).dialect == "beta"
    assert read_handshake("/realtime", None, ["assistants=v2", "realtime=v1"], []).dialect == "beta"
    assert read_handshake("/realtime", None, [], ["realtime, openai-beta.realtime-v1"]).dialect == "beta"
    assert read_handshake("/realtime", None, [], ["realtime"]).dialect == "ga"


@pytest.mark.parametrize(
    ("authorization", "subprotocols", "is_right"),
    [
        ("Bearer s3cret", [], True),
        ("bearer s3cret", [], True),
        ("Bearer  s3cret ", [], True),
        (None, ["realtime, openai-insecure-api-key.s3cret, openai-beta.realtime-v1"], True),
        (None, ["realtime", "openai-insecure-api-key.s3cret"], True),
        ("Bearer wrong", ["openai-insecure-api-key.s3cret"], False),
        ("Bearer wrong", [], False),
        ("Bearer ", [], False),
        ("Basic s3cret", [], False),
        ("s3cret", [], False),
        ("Bearer schlüssel", [], False),
        (None, [], False),
        (None, ["realtime"], False),
    ],
)
def test_the_key_is_the_headers_or_a_subprotocols(
    authorization: str | None,
    subprotocols: list[str],
    is_right: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert read_handshake("/realtime", authorization, [], subprotocols).shows("s3cret") is is_right
