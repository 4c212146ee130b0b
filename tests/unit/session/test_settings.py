"""Where model, address, key and options come from, and that the key shows itself to nobody."""

from __future__ import annotations

import copy
import logging
import pickle
import pprint
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from gip_nb.errors import BadSetting, GipError, MissingKey, UnknownOption
from gip_nb.session.settings import (
    DEFAULT_BASE_URL,
    DEFAULT_MODEL,
    NAMED_OPTIONS,
    REHEARSAL,
    SESSION_OPTIONS,
    Secret,
    Settings,
    canonical_session,
    resolve,
)

KEY = "sk-very-secret-0123456789"


def settings(model: str | None = None, **given: Any) -> Settings:
    given.setdefault("environment", {"GIP_API_KEY": KEY})
    return resolve(model, **given)


def revealed(found: Settings) -> str | None:
    return None if found.api_key is None else found.api_key.reveal()


# ------------------------------------------------------------------------------------------------ the address


@pytest.mark.parametrize(
    ("given", "base_url", "websocket"),
    [
        ("https://h/v1", "https://h/v1", "wss://h/v1"),
        ("https://h/v1/", "https://h/v1", "wss://h/v1"),
        ("https://h/v1/realtime", "https://h/v1", "wss://h/v1"),
        ("https://h/v1/realtime/", "https://h/v1", "wss://h/v1"),
        ("wss://h/v1/realtime", "https://h/v1", "wss://h/v1"),
        ("ws://127.0.0.1:8080/v1/realtime", "http://127.0.0.1:8080/v1", "ws://127.0.0.1:8080/v1"),
        ("http://localhost:8080", "http://localhost:8080", "ws://localhost:8080"),
        ("ws://localhost:8080/realtime", "http://localhost:8080", "ws://localhost:8080"),
        (" HTTPS://h/v1 ", "https://h/v1", "wss://h/v1"),
        ("https://h/myrealtime", "https://h/myrealtime", "wss://h/myrealtime"),
        ("https://h/a/realtime/v1", "https://h/a/realtime/v1", "wss://h/a/realtime/v1"),
        ("http://[::1]:9/v1", "http://[::1]:9/v1", "ws://[::1]:9/v1"),
    ],
)
def test_any_form_of_the_address(given: str, base_url: str, websocket: str) -> None:
    found = settings("m", base_url=given)
    assert (found.base_url, found.websocket_base_url) == (base_url, websocket)


@pytest.mark.parametrize(
    "given",
    [
        "h/v1",
        "localhost:80/v1",
        "ftp://h/v1",
        "https://",
        "https:///v1",
        "http://[::1",
        "http://h:port",
        "http://h:99999",
        "?",
        "http://h:0",
    ],
)
def test_an_address_that_is_none(given: str) -> None:
    with pytest.raises(BadSetting) as caught:
        settings("m", base_url=given)
    assert repr(given) in str(caught.value)
    assert "https" in caught.value.next_step


def test_an_address_with_a_query_says_where_that_goes() -> None:
    with pytest.raises(BadSetting, match="extra_query"):
        settings("m", base_url="wss://h/v1/realtime?model=x")


# -------------------------------------------------------------------------------------- what comes from where


def test_arguments_come_before_the_environment() -> None:
    environment = {"GIP_API_KEY": "env-key", "GIP_BASE_URL": "https://env/v1", "GIP_MODEL": "env-model"}
    found = resolve(environment=environment)
    assert (found.model, found.base_url, revealed(found)) == ("env-model", "https://env/v1", "env-key")
    found = resolve("m", base_url="https://arg/v1", api_key=KEY, environment=environment)
    assert (found.model, found.base_url, revealed(found)) == ("m", "https://arg/v1", KEY)
    assert not found.rehearsal


def test_defaults_are_the_gateway_s() -> None:
    found = settings()
    assert (found.model, found.base_url) == (DEFAULT_MODEL, DEFAULT_BASE_URL)
    assert (DEFAULT_MODEL, DEFAULT_BASE_URL) == (
        "openai/gpt-4o-realtime-preview-2024-12-17",
        "https://api.platform.a15t.com/v1",
    )


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook's folder with a `.env`, and no setting in the environment."""
    for name in ("GIP_API_KEY", "GIP_BASE_URL", "GIP_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "GIP_API_KEY='file-key'\nGIP_MODEL=file-model\n# GIP_BASE_URL=https://no/v1\n"
    )
    return tmp_path


def test_a_file_beside_the_notebook_is_read_last(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = resolve()
    assert (found.model, found.base_url, revealed(found)) == ("file-model", DEFAULT_BASE_URL, "file-key")
    monkeypatch.setenv("GIP_API_KEY", "env-key")
    assert revealed(resolve()) == "env-key"
    assert resolve().model == "file-model"
    assert revealed(resolve(api_key=KEY)) == KEY


def test_without_a_file_and_without_anything_it_is_the_rehearsal(beside: Path) -> None:
    (beside / ".env").unlink()
    assert resolve().rehearsal
    (beside / ".env").mkdir()
    assert resolve().rehearsal


def test_a_key_from_a_file_may_bring_its_line_s_end_along() -> None:
    assert revealed(settings("m", api_key=f" {KEY}\n")) == KEY


# -------------------------------------------------------------------------------------------------- rehearsal


@pytest.mark.parametrize(
    ("model", "environment"),
    [
        (None, {}),
        (REHEARSAL, {}),
        (REHEARSAL, {"GIP_API_KEY": KEY, "GIP_BASE_URL": "https://h/v1"}),
        (None, {"GIP_MODEL": REHEARSAL, "GIP_API_KEY": KEY}),
        (None, {"GIP_API_KEY": "", "GIP_MODEL": "", "GIP_BASE_URL": ""}),
    ],
)
def test_the_rehearsal_is_used_where_nothing_or_it_is_named(
    model: str | None, environment: dict[str, str]
) -> None:
    found = resolve(model, environment=environment)
    assert (found.rehearsal, found.model, found.base_url, found.api_key) == (True, REHEARSAL, "", None)


@pytest.mark.parametrize(
    ("model", "given", "named"),
    [
        ("gpt-realtime", {}, "gpt-realtime"),
        (None, {"environment": {"GIP_MODEL": "env-model"}}, "env-model"),
        (None, {"base_url": "https://h/v1"}, DEFAULT_MODEL),
    ],
)
def test_who_names_a_model_or_an_address_needs_a_key(
    model: str | None, given: dict[str, Any], named: str
) -> None:
    with pytest.raises(MissingKey, match="rehearsal") as caught:
        resolve(model, **{"environment": {}, **given})
    assert named in caught.value.message


@pytest.mark.parametrize(
    ("model", "dialect", "first"),
    [
        (DEFAULT_MODEL, "auto", "beta"),
        ("gpt-realtime", "auto", "ga"),
        ("gpt-realtime", "beta", "beta"),
        (DEFAULT_MODEL, "ga", "ga"),
    ],
)
def test_the_dialect_to_try_first(model: str, dialect: str, first: str) -> None:
    assert settings(model, dialect=dialect).first_dialect == first


# --------------------------------------------------------------------------------------------- session fields


def test_what_is_asked_for_without_saying_anything() -> None:
    assert settings().session == {
        "audio": {
            "input": {"turn_detection": {"type": "server_vad"}, "transcription": {"model": "whisper-1"}}
        }
    }


def test_options_of_either_dialect_become_canonical() -> None:
    found = settings(
        instructions="be brief",
        voice="ash",
        turn_detection=None,
        transcription=False,
        modalities=["text", "audio"],
        max_response_output_tokens=9,
        temperature=0.7,
        input_audio_format="pcm16",
    )
    assert found.session == {
        "instructions": "be brief",
        "output_modalities": ["audio"],
        "max_output_tokens": 9,
        "temperature": 0.7,
        "audio": {
            "input": {
                "turn_detection": None,
                "transcription": None,
                "format": {"type": "audio/pcm", "rate": 24_000},
            },
            "output": {"voice": "ash"},
        },
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("semantic_vad", {"type": "semantic_vad"}),
        ("none", None),
        (None, None),
        ({"type": "server_vad", "threshold": 0.3}, {"type": "server_vad", "threshold": 0.3}),
        (MappingProxyType({"type": "server_vad"}), {"type": "server_vad"}),
    ],
)
def test_turn_detection(given: Any, sent: Any) -> None:
    assert settings(turn_detection=given).session["audio"]["input"]["turn_detection"] == sent


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (True, {"model": "whisper-1"}),
        (False, None),
        ("gpt-4o-transcribe", {"model": "gpt-4o-transcribe"}),
        ({"model": "x", "language": "ko"}, {"model": "x", "language": "ko"}),
    ],
)
def test_transcription(given: Any, sent: Any) -> None:
    assert settings(transcription=given).session["audio"]["input"]["transcription"] == sent


def test_the_api_s_own_object_wins_over_a_default_and_is_not_written_to() -> None:
    audio: dict[str, Any] = {"input": {"turn_detection": {"type": "semantic_vad"}}, "output": {}}
    before = copy.deepcopy(audio)
    found = settings(audio=audio, voice="ash", input_audio_transcription={"model": "x"})
    assert audio == before
    assert found.session["audio"] == {
        "input": {"turn_detection": {"type": "semantic_vad"}, "transcription": {"model": "x"}},
        "output": {"voice": "ash"},
    }


def test_headers_and_query_go_along_as_text() -> None:
    found = settings(extra_headers={"X-Team": 5}, extra_query={"version": 2})
    assert (found.extra_headers, found.extra_query) == ({"X-Team": "5"}, {"version": "2"})
    assert (settings().extra_headers, settings(extra_query=None).extra_query) == ({}, {})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("voise", "voice"),
        ("instruction", "instructions"),
        ("Temperature", "temperature"),
        ("apikey", "api_key"),
    ],
)
def test_an_unknown_option_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UnknownOption, match=f"did you mean '{nearest}'") as caught:
        settings(**{name: KEY})
    assert KEY not in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_an_option_like_none_is_shown_all_that_there_are() -> None:
    with pytest.raises(UnknownOption) as caught:
        settings(zzz=1)
    assert all(name in caught.value.next_step for name in SESSION_OPTIONS | NAMED_OPTIONS)


@pytest.mark.parametrize(
    "given",
    [
        {"turn_detection": "server-vad"},
        {"turn_detection": 5},
        {"turn_detection": True},
        {"transcription": 5},
        {"transcription": ["x"]},
        {"dialect": "GA"},
        {"dialect": None},
        {"audio": "x"},
        {"audio": {"input": None}},
        {"audio": {"output": "x"}, "voice": "ash"},
        {"extra_headers": "x"},
        {"extra_query": [1]},
        {"model": 5},
        {"api_key": KEY.encode()},
        {"base_url": Path("x")},
        {"voice": ["ash"]},
        {"instructions": {"a": 1}},
    ],
    ids=repr,
)
def test_a_value_that_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(BadSetting) as caught:
        settings(**given)
    assert caught.value.next_step
    assert KEY not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_slip_in_turn_detection_is_told_the_nearest() -> None:
    with pytest.raises(BadSetting, match="did you mean 'semantic_vad'"):
        settings(turn_detection="semantic-vad")


def test_an_update_carries_only_what_is_given() -> None:
    assert canonical_session(instructions="x") == {"instructions": "x"}
    assert canonical_session(turn_detection=None) == {"audio": {"input": {"turn_detection": None}}}
    assert canonical_session(tools=[{"type": "function", "name": "f"}])["tools"]
    assert canonical_session() == {}
    with pytest.raises(UnknownOption, match="'speed'"):
        canonical_session(sped=2)


# ---------------------------------------------------------------------------------------------------- the key


def test_the_key_shows_itself_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    found = settings("m", extra_headers={"Authorization": KEY})
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("any").debug("%s %r %s", found, found.api_key, [found.api_key])
    shown = [
        repr(found),
        str(found),
        f"{found}",
        f"{found.api_key}",
        f"{found.api_key!s}{found.api_key!r}",
        pprint.pformat(found),
        caplog.text,
    ]
    assert not [text for text in shown if KEY in text]
    assert "[key]" in repr(found)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_the_key_is_not_carried_away(way: Any) -> None:
    with pytest.raises(TypeError) as caught:
        way(Secret(KEY))
    assert KEY not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(TypeError):
        pickle.dumps(settings())


def test_settings_can_be_changed_with_the_key_in_them() -> None:
    found = replace(settings("m"), base_url="http://127.0.0.1:1/v1")
    assert revealed(found) == KEY
    with pytest.raises(TypeError):
        asdict(found)


def test_the_key_is_scrubbed_from_what_a_server_echoes() -> None:
    secret = Secret(KEY)
    assert (
        secret.scrub(f"Incorrect API key provided: {KEY}.".encode()) == b"Incorrect API key provided: [key]."
    )
    assert secret.scrub_text(f"{KEY}{KEY}") == "[key][key]"
    assert (Secret("").scrub(b"text"), Secret("").scrub_text("text")) == (b"text", "text")


def test_errors_are_of_this_package() -> None:
    assert all(issubclass(kind, GipError) for kind in (BadSetting, MissingKey, UnknownOption))
