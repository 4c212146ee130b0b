"""Where model, address, key and options come from, and that the key shows itself to nobody."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gip_nb
from gip_nb.errors import BadSetting, GipError, MissingKey, UnknownOption
from gip_nb.protocol.prices import PACKAGED
from gip_nb.protocol.reconnection import Reconnect
from gip_nb.session.base_url import read_base_url
from gip_nb.session.options import NAMED_OPTIONS, SESSION_OPTIONS, canonical_session
from gip_nb.session.settings import (
    DEFAULT_BASE_URL,
    DEFAULT_MODEL,
    REHEARSAL,
    Secret,
    Settings,
    conceal,
    resolve,
    resolve_gateway,
    with_changes,
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
        ("WSS://h:8443/V1/", "https://h:8443/V1", "wss://h:8443/V1"),
        ("https://h:/v1", "https://h/v1", "wss://h/v1"),
        ("https://h/v1///", "https://h/v1", "wss://h/v1"),
        ("https://h/v1/realtime///", "https://h/v1", "wss://h/v1"),
        ("https://h/v1#top", "https://h/v1", "wss://h/v1"),
        ("\n\twss://h/realtime \n", "https://h", "wss://h"),
        ("https://bücher.example/v1", "https://bücher.example/v1", "wss://bücher.example/v1"),
        ("https://my_host.example/v1", "https://my_host.example/v1", "wss://my_host.example/v1"),
        ("https://[fe80::1]/v1", "https://[fe80::1]/v1", "wss://[fe80::1]/v1"),
    ],
)
def test_any_form_of_the_address(given: str, base_url: str, websocket: str) -> None:
    for found in (
        settings("m", base_url=given),
        resolve("m", environment={"GIP_API_KEY": KEY, "GIP_BASE_URL": given}),
        resolve_gateway(given, api_key=KEY, environment={}),
    ):
        assert (found.base_url, found.websocket_base_url) == (base_url, websocket)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("h/v1", "http://h/v1"),
        ("localhost:80/v1", "http://localhost:80/v1"),
        ("localhost:8000/v1", "http://localhost:8000/v1"),
        ("127.0.0.1/v1", "http://127.0.0.1/v1"),
        ("[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("192.168.1.7", "http://192.168.1.7"),
        ("my-box.local/v1", "http://my-box.local/v1"),
        ("api.openai.com/v1", "https://api.openai.com/v1"),
        ("api.openai.com:443/v1/realtime", "https://api.openai.com:443/v1/realtime"),
        ("gateway.example:4000", "http://gateway.example:4000"),
        ("//api.openai.com/v1", "https://api.openai.com/v1"),
        ("http:/h/v1", "http://h/v1"),
        ("https//h.example/v1", "https://h.example/v1"),
        ("wss:h.example/v1", "wss://h.example/v1"),
        ("https:\\\\h.example", "https://h.example"),
        ("https://https://h.example/v1", "https://h.example/v1"),
        ("htps://h.example/v1", "https://h.example/v1"),
        ("h.example/v1?key=secret", "https://h.example/v1"),
        *((nothing, None) for nothing in ("ftp://h/v1", "https://", "http://[::1", "http://h:port", "?")),
        *((nothing, None) for nothing in ("http://h:99999", "http://h:0", "http://a..b/v1", "file:///v1")),
        (f"http://{'a' * 64}.example", None),
        ("--", None),
    ],
)
def test_an_address_that_is_none(given: str, meant: str | None) -> None:
    with pytest.raises(BadSetting) as caught:
        settings("m", base_url=given)
    assert "secret" not in str(caught.value)
    assert repr(given.partition("=")[0].removesuffix("key"))[:-1] in caught.value.message
    assert "https" in caught.value.next_step
    if meant is None:
        assert "did you mean" not in caught.value.next_step
    else:
        assert f"did you mean {meant!r}?" in caught.value.next_step
        assert settings("m", base_url=meant).base_url  # what is offered is taken


@pytest.mark.parametrize(
    "given", ["https://h /v1", "https://h/v 1", "https://h\x00/v1", "https://h/\u200bv1"]
)
def test_an_address_with_a_hole_in_it(given: str) -> None:
    with pytest.raises(BadSetting, match="inside"):
        settings("m", base_url=given)


@pytest.mark.parametrize(
    "given",
    [
        "https://me:hunter2@h/v1",
        "wss://hunter2@h/v1/realtime",
        "me:hunter2@h/v1",
        "https://me:hun/ter2@h/v1?key=hunter2",
        "https://me:hunter2@[::1",
    ],
)
def test_an_address_does_not_carry_a_password(given: str) -> None:
    for name, options in (
        ("base_url", {"base_url": given, "environment": {"GIP_API_KEY": KEY}}),
        ("GIP_BASE_URL", {"environment": {"GIP_API_KEY": KEY, "GIP_BASE_URL": given}}),
    ):
        with pytest.raises(BadSetting, match="user or a password") as caught:
            settings("m", **options)
        assert caught.value.message.startswith(name)
        assert "ter2" not in str(caught.value)
        assert "hunter2" not in repr(caught.value)
        assert "extra_headers" in caught.value.next_step


@given(st.text(max_size=40) | st.from_regex(r"(https?|wss?)[:/]{0,4}[a-z.:@/?#\[\]]{0,20}", fullmatch=True))
def test_whatever_stands_there_is_an_address_or_a_bad_setting(text: str) -> None:
    try:
        found = read_base_url(text)
    except BadSetting as error:
        assert error.next_step  # noqa: PT017 - either way is right
        if "did you mean" in error.next_step:
            read_base_url(error.next_step.split("'")[1])
    else:
        assert found.startswith(("http://", "https://"))
        assert not found.endswith(("/", "/realtime"))
        assert read_base_url(found) == found


def test_an_address_with_a_query_says_where_that_goes() -> None:
    with pytest.raises(BadSetting, match="extra_query") as caught:
        settings("m", base_url="wss://h/v1/realtime?model=x&api-key=secret")
    assert "(model, api-key)" in caught.value.message
    assert "secret" not in str(caught.value)


# -------------------------------------------------------------------------------------- what comes from where


def test_arguments_come_before_the_environment() -> None:
    environment = {"GIP_API_KEY": "env-key", "GIP_BASE_URL": "https://env/v1", "GIP_MODEL": "env-model"}
    found = resolve(environment=environment)
    assert (found.model, found.base_url, revealed(found)) == ("env-model", "https://env/v1", "env-key")
    found = resolve("m", base_url="https://arg/v1", api_key=KEY, environment=environment)
    assert (found.model, found.base_url, revealed(found)) == ("m", "https://arg/v1", KEY)
    assert not found.rehearsal


def test_a_log_is_written_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings().log is None
    assert settings(log="runs/").log == tmp_path / "runs"
    assert settings(log=Path("~/runs")).log == Path.home() / "runs"
    in_environment = {"GIP_API_KEY": KEY, "GIP_LOG": "elsewhere"}
    assert resolve("m", environment=in_environment).log == tmp_path / "elsewhere"
    assert resolve("m", environment=in_environment, log="runs").log == tmp_path / "runs"
    assert resolve("m", environment=in_environment, log=False).log is None
    assert settings().log_limit_bytes == 2 * 2**30
    assert settings(log_limit_bytes=np.int64(2**20)).log_limit_bytes == 2**20
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffGIP_API_KEY=file-key\n",
        "export GIP_API_KEY = 'file-key'\r\n",
        '# mine\n\nGIP_API_KEY="file-key"  # it is\nnot a line of this kind\n',
    ],
)
def test_the_file_may_be_written_in_any_way(
    beside: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (beside / ".env").write_bytes(text.encode())
    assert revealed(resolve()) == "file-key"
    assert "file-key" not in caplog.text


def test_a_file_that_cannot_be_read_is_said_and_not_shown(beside: Path) -> None:
    (beside / ".env").write_bytes(b"GIP_API_KEY=file-key\xff\n")
    with pytest.raises(BadSetting, match=r"\.env' cannot be read as UTF-8") as caught:
        resolve()
    assert "file-key" not in "".join(traceback.format_exception(caught.value))
    assert str(beside) in caught.value.message


def test_a_folder_that_is_gone_holds_no_file(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (beside / ".env").unlink()
    gone = beside / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert resolve().rehearsal


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (f"Bearer {KEY}", "'Bearer'"),
        (f"{KEY[:9]}…", "beyond ASCII at position 9"),
        (f"{KEY}\n{KEY}", f"line's end at position {len(KEY)}"),
        (f"{KEY}\x07", "control character"),
    ],
)
def test_a_key_that_no_header_can_carry(key: str, found: str) -> None:
    for name, options in (
        ("api_key", {"api_key": key}),
        ("GIP_API_KEY", {"environment": {"GIP_API_KEY": key}}),
    ):
        with pytest.raises(BadSetting) as caught:
            settings("m", **options)
        assert found in caught.value.message
        assert caught.value.message.startswith(name)
        assert KEY[:9] not in str(caught.value)
    with pytest.raises(BadSetting):
        settings("m", **conceal({"api_key": key}))


def test_a_key_from_a_file_may_bring_its_line_s_end_along() -> None:
    assert revealed(settings("m", api_key=f" {KEY}\n")) == KEY
    assert revealed(settings("m", **conceal({"api_key": f" {KEY}\n"}))) == KEY
    assert settings("m", api_key=" ").api_key is not None  # the environment's


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


def test_what_a_session_keeps_cannot_be_updated() -> None:
    for name in ("model", "base_url", "api_key", "dialect", "extra_headers", "extra_query"):
        with pytest.raises(BadSetting, match=f"{name} cannot change"):
            canonical_session(**{name: "x"})
    with pytest.raises(BadSetting, match="tools is list"):
        canonical_session(tools=[print])
    with pytest.raises(UnknownOption) as caught:
        canonical_session(zzz=1)
    assert "api_key" not in caught.value.next_step


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"X-Team": f"{KEY}\r\nX-Evil: 1"}, "'X-Team'"),
        ({"X Team": KEY}, "'X Team'"),
        ({"": KEY}, "''"),
        ({"X-Team": f"{KEY}…"}, "'X-Team'"),
        ({"X-Team": None}, "NoneType"),
        ({"X-Team": [KEY]}, "list"),
    ],
)
def test_a_header_that_cannot_be(headers: dict[str, Any], found: str) -> None:
    with pytest.raises(BadSetting) as caught:
        settings("m", extra_headers=headers)
    assert found in caught.value.message
    assert KEY not in str(caught.value)


def test_a_query_may_hold_a_secret_and_is_not_shown() -> None:
    found = settings("m", extra_query={"api-key": KEY})
    assert found.extra_query == {"api-key": KEY}
    assert KEY not in repr(found)
    with pytest.raises(BadSetting, match="extra_query names a model"):
        settings("m", extra_query={"model": "other"})


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
        {"log": True},
        {"log": " "},
        {"log": 5},
        {"log_limit_bytes": 1000},
        {"log_limit_bytes": 1e9},
        {"log_limit_bytes": True},
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


def test_a_change_goes_over_what_was_asked_for_and_leaves_it_as_it_was() -> None:
    before = resolve("m", api_key=KEY, environment={}, voice="ash", turn_detection={"type": "server_vad"})
    detection = {"type": "server_vad", "threshold": 0.7}
    change = {"instructions": "Sing.", "audio": {"input": {"turn_detection": detection}}}
    after = with_changes(before, change)
    assert after.session == {
        "instructions": "Sing.",
        "audio": {
            "input": {"turn_detection": detection, "transcription": {"model": "whisper-1"}},
            "output": {"voice": "ash"},
        },
    }
    assert before.session["audio"]["input"]["turn_detection"] == {"type": "server_vad"}
    assert revealed(after) == KEY
    # None is "off" where there is one, and else the server's own.
    off = {"input": {"turn_detection": None, "transcription": None}, "output": {"voice": None}}
    assert with_changes(after, {"audio": off, "max_output_tokens": None}).session == {
        "instructions": "Sing.",
        "audio": {"input": {"turn_detection": None, "transcription": None}, "output": {}},
    }
    assert with_changes(after, {}).session == after.session


def test_the_key_is_scrubbed_from_what_a_server_echoes() -> None:
    secret = Secret(KEY)
    assert (
        secret.scrub(f"Incorrect API key provided: {KEY}.".encode()) == b"Incorrect API key provided: [key]."
    )
    assert secret.scrub_text(f"{KEY}{KEY}") == "[key][key]"
    assert (Secret("").scrub(b"text"), Secret("").scrub_text("text")) == (b"text", "text")


def test_errors_are_of_this_package() -> None:
    assert all(issubclass(kind, GipError) for kind in (BadSetting, MissingKey, UnknownOption))


# ------------------------------------------------------------------------------------------ prices and budget

RATE = {"input": 1, "output": 1}
OWN_ROW = {"text": RATE, "audio": RATE}


def test_prices_come_from_the_argument_then_from_the_file_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "team.json"
    path.write_text(json.dumps({"m": OWN_ROW}))
    environment = {"GIP_API_KEY": KEY, "GIP_PRICES": str(path)}
    assert [p.source for p in settings("m", environment=environment).prices.own] == ["team.json"]
    mine = settings("m", environment=environment, prices={"m": OWN_ROW})
    assert [p.source for p in mine.prices.own] == ["argument"]
    assert settings("m").prices is PACKAGED
    with pytest.raises(BadSetting, match="cannot be read"):
        settings("m", prices=tmp_path / "none.json")
    with pytest.raises(BadSetting, match="prices is a int"):
        settings("m", prices=4)


def test_a_budget_comes_from_the_argument_then_from_the_environment() -> None:
    environment = {"GIP_API_KEY": KEY, "GIP_BUDGET_USD": "2.5"}
    assert settings("openai/gpt-realtime", environment=environment).budget_usd == 2.5
    assert settings("openai/gpt-realtime", environment=environment, budget_usd=1).budget_usd == 1.0
    assert settings("openai/gpt-realtime").budget_usd is None
    with pytest.raises(BadSetting, match="GIP_BUDGET_USD is 'x'"):
        settings("openai/gpt-realtime", environment={**environment, "GIP_BUDGET_USD": "x"})


def test_a_budget_wants_a_model_with_a_price() -> None:
    from_environment = {"environment": {"GIP_API_KEY": KEY, "GIP_BUDGET_USD": "1"}}
    for options in ({"budget_usd": 1}, from_environment):
        with pytest.raises(BadSetting, match="no price is known for 'my/model'") as caught:
            settings("my/model", **options)
        assert 'prices={"my/model": ' in caught.value.next_step
    assert settings("my/model", budget_usd=1, prices={"my/model": OWN_ROW}).budget_usd == 1.0


def test_the_environments_budget_is_not_for_the_practice_server_which_costs_nothing() -> None:
    environment = {"GIP_BUDGET_USD": "1"}
    assert settings(REHEARSAL, environment=environment).budget_usd is None
    assert settings(REHEARSAL, environment=environment, prices={REHEARSAL: OWN_ROW}).budget_usd == 1.0
    with pytest.raises(BadSetting, match="no price is known for 'rehearsal'"):
        settings(REHEARSAL, environment={}, budget_usd=1)


def test_neither_is_a_setting_of_the_server() -> None:
    with pytest.raises(BadSetting, match="prices cannot change while a session runs"):
        canonical_session(prices={})
    with pytest.raises(BadSetting, match="budget_usd is no setting") as caught:
        canonical_session(budget_usd=2)
    assert "session.budget_usd = 2 " in caught.value.next_step


def test_how_a_lost_connection_comes_back() -> None:
    assert resolve("rehearsal", environment={}).reconnect == Reconnect()
    assert resolve("rehearsal", environment={}, reconnect=False).reconnect is None
    mine = resolve("rehearsal", environment={}, reconnect={"attempts": 2}).reconnect
    public: Any = gip_nb
    assert mine == Reconnect(attempts=2) == public.Reconnect(attempts=2)
    with pytest.raises(UnknownOption, match="attempts"):
        resolve("rehearsal", environment={}, reconnect={"atempts": 2})
    with pytest.raises(UnknownOption, match="reconnect"):
        resolve("rehearsal", environment={}, reconect=True)
