"""The wire as the openai package dials it: where, with what, and what each failure is called."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

import gip_nb
from gip_nb.errors import ConnectionDropped, ConnectionRefused, HostUnreachable, KeyRefused, ServerError
from gip_nb.session.blocking import RealtimeSession
from gip_nb.session.loop import loop, run_blocking
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import ScriptedTransport
from tests.sim.session.servers import GREETING, GREETING_GA, Event, Model, realtime_server

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-secret-0123456789"
PREVIEW = "openai/gpt-4o-realtime-preview-2024-12-17"


@contextmanager
def raw_server(reply: bytes) -> Iterator[str]:
    """A server that says this to whoever asks something, and hangs up. Yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        is_over = threading.Event()

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with connection, suppress(OSError):
                    if is_over.is_set():
                        return
                    connection.settimeout(5)
                    connection.recv(65_536)
                    connection.sendall(reply)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            is_over.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def test_a_preview_model_is_dialled_in_beta_with_model_and_key() -> None:
    with realtime_server(Model()) as (url, seen):
        with gip_nb.connect(PREVIEW, base_url=url, api_key=KEY, extra_headers={"X-Team": "voice"}) as session:
            assert session.ask("hello").text == "word 0 word 1 word 2 word 3 word 4"
    ((path, headers),) = seen.requests
    assert urlsplit(path).path == "/v1/realtime"
    assert parse_qs(urlsplit(path).query) == {"model": [PREVIEW]}
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["OpenAI-Beta"] == "realtime=v1"
    assert headers["X-Team"] == "voice"
    # Beta's flat session, not GA's.
    assert seen.frames[0]["session"]["turn_detection"] == {"type": "server_vad"}


def test_another_model_is_dialled_in_ga() -> None:
    with realtime_server(greeting=lambda _headers: (GREETING_GA,)) as (url, seen):
        gip_nb.connect("openai/gpt-realtime", base_url=url, api_key=KEY).close()
    ((_, headers),) = seen.requests
    assert "OpenAI-Beta" not in headers
    assert seen.frames[0]["session"]["type"] == "realtime"
    assert seen.frames[0]["session"]["audio"]["input"]["turn_detection"] == {"type": "server_vad"}


def test_a_clock_that_goes_wrong_here_is_seen_by_the_date_of_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = SimpleNamespace(time=lambda: time.time() - 600)
    with realtime_server() as (url, _), gip_nb.connect(PREVIEW, base_url=url, api_key=KEY) as session:
        session.send_text("hello")
        assert session._session._line.clock_ahead_s == 0
    monkeypatch.setattr("gip_nb.session.transport.time", late)
    with realtime_server() as (url, _), gip_nb.connect(PREVIEW, base_url=url, api_key=KEY) as session:
        session.send_text("hello")
        assert session._session._line.clock_ahead_s == pytest.approx(600, abs=60)


@pytest.mark.parametrize("suffix", ["", "/", "/realtime", "/realtime/"])
def test_the_address_may_be_written_in_every_form(suffix: str) -> None:
    with realtime_server() as (url, seen):
        for base_url in (url + suffix, url.replace("http", "ws") + suffix):
            gip_nb.connect(PREVIEW, base_url=base_url, api_key=KEY).close()
    assert [urlsplit(path).path for path, _ in seen.requests] == ["/v1/realtime"] * 2


def test_a_server_that_no_longer_speaks_beta_is_asked_in_ga() -> None:
    def greeting(headers: dict[str, str]) -> list[Event | int]:
        if "OpenAI-Beta" in headers:
            error = {"type": "invalid_request_error", "code": "beta_api_shape_disabled", "message": "no beta"}
            return [{"type": "error", "error": error}, 4000]
        return [GREETING_GA]

    with realtime_server(greeting=greeting) as (url, seen):
        session = gip_nb.connect(PREVIEW, base_url=url, api_key=KEY)
        session.close()
    assert len(seen.requests) == 2
    assert seen.frames[0]["session"]["type"] == "realtime"
    events = session.events
    # The attempt that failed is in the tables too.
    assert (events.type == "local.connection.opened").sum() == 2
    assert "no beta" in set(events.text.dropna())


def test_a_server_that_closes_on_beta_without_a_word_is_asked_in_ga() -> None:
    with realtime_server(greeting=lambda h: [1000] if "OpenAI-Beta" in h else [GREETING_GA]) as (url, seen):
        gip_nb.connect(PREVIEW, base_url=url, api_key=KEY).close()
    assert len(seen.requests) == 2


def test_a_named_dialect_is_not_given_up() -> None:
    error = {"type": "error", "error": {"code": "beta_api_shape_disabled", "message": "no beta"}}
    with realtime_server(greeting=lambda _headers: [error, 4000]) as (url, seen):
        with pytest.raises(ServerError, match="beta dialect"):
            gip_nb.connect(PREVIEW, base_url=url, api_key=KEY, dialect="beta")
    assert len(seen.requests) == 1


def test_a_server_that_answers_ga_in_beta_is_understood_in_beta() -> None:
    """`session.created` without a session type means beta, whatever was asked for."""
    with realtime_server(Model(), greeting=lambda _headers: (GREETING,)) as (url, seen):
        with gip_nb.connect("openai/some-realtime", base_url=url, api_key=KEY) as session:
            assert session.ask("hello").text.startswith("word 0")
    assert "audio" not in seen.frames[0]["session"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_and_not_shown(status: int) -> None:
    body = f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'
    with realtime_server(refuse=(status, body)) as (url, _):
        with pytest.raises(KeyRefused, match=f"HTTP {status}") as caught:
            gip_nb.connect(PREVIEW, base_url=url, api_key=KEY)
    assert KEY not in str(caught.value)
    assert "[key]" in str(caught.value)
    assert "GIP_API_KEY" in caught.value.next_step


def test_a_key_refused_by_an_error_event_is_the_same_error() -> None:
    error = {
        "type": "error",
        "error": {"code": "invalid_api_key", "message": f"Incorrect API key provided: {KEY}"},
    }
    with realtime_server(greeting=lambda _headers: [error, 3000]) as (url, _):
        session = gip_nb.connect_async(PREVIEW, base_url=url, api_key=KEY)
        with pytest.raises(KeyRefused) as caught:
            RealtimeSession(session).connect()
    assert KEY not in str(caught.value)
    assert KEY not in session.events.to_csv()
    assert session.state == "error"


@pytest.mark.parametrize(
    "echo",
    [
        {"type": "error", "error": {"code": "odd", "message": f"your key {KEY}"}},
        # The same key, written with escapes.
        json.dumps({"type": "error", "error": {"message": KEY}}).replace("sk-", "sk\\u002d").encode(),
    ],
)
def test_a_key_that_the_server_says_back_is_scrubbed_in_frame_and_close_reason(echo: Event | bytes) -> None:
    transport = ScriptedTransport(greeting=[GREETING])
    settings = resolve(PREVIEW, api_key=KEY, environment={})
    session = RealtimeSession(AsyncRealtimeSession(settings, transport=transport.for_session))
    session.connect()

    async def tell() -> None:
        transport.say(echo)
        transport.hang_up(1008, f"expired: {KEY}")

    run_blocking(tell())
    with pytest.raises(ConnectionDropped, match=r"\[key\]") as caught:
        session.ask("hello")
    assert KEY not in str(caught.value)
    payloads = [session.payload(n) for n in range(len(session.events))]
    assert KEY not in str(payloads)
    assert "[key]" in str(payloads)
    assert KEY not in session.events.to_csv()


def test_a_word_for_a_key_does_not_spoil_the_talk() -> None:
    with (
        realtime_server(Model()) as (url, _),
        gip_nb.connect(PREVIEW, base_url=url, api_key="session") as session,
    ):
        assert session.ask("hello").text == "word 0 word 1 word 2 word 3 word 4"


def test_another_refusal_names_its_status() -> None:
    with realtime_server(refuse=(404, "no such route")) as (url, _):
        with pytest.raises(ConnectionRefused, match=r"HTTP 404.*no such route"):
            gip_nb.connect(PREVIEW, base_url=url, api_key=KEY)


@pytest.mark.parametrize(
    "location", ["{there}/realtime", "ws{there_ws}/realtime", "//{host}/v1/realtime", "ftp://h/"]
)
def test_a_redirect_to_another_server_does_not_take_the_key_along(location: str) -> None:
    with realtime_server() as (there, seen_there):
        host = there.removeprefix("http://").removesuffix("/v1")
        target = location.format(there=there, there_ws=there.removeprefix("http"), host=host)
        with raw_server(
            f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        ) as here:
            with pytest.raises(ConnectionRefused, match="sends us on to") as caught:
                gip_nb.connect(PREVIEW, base_url=here, api_key=KEY)
    assert seen_there.requests == []
    assert "give it as base_url" in caught.value.next_step


def test_a_redirect_within_the_server_is_followed() -> None:
    reply = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /v1/realtime/\r\nContent-Length: 0\r\n\r\n"
    with raw_server(reply) as here:
        with pytest.raises(ConnectionRefused, match="more than 10 redirects"):
            gip_nb.connect(PREVIEW, base_url=here, api_key=KEY)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"", "not as a realtime server"),
        (b"\0\1\2\3\r\n\r\n", "not as a realtime server"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "missing Connection header"),
        (
            (
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: abc\r\n\r\n"
            ),
            "invalid Sec-WebSocket-Accept",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "not as a realtime server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "not as a realtime server"),
    ],
)
def test_an_answer_that_is_none_is_named(reply: bytes, message: str) -> None:
    with raw_server(reply) as here:
        with pytest.raises(ConnectionRefused, match=message) as caught:
            gip_nb.connect(PREVIEW, base_url=here, api_key=KEY)
    assert "the API's root" in caught.value.next_step


def test_a_secure_address_of_a_server_that_is_not_says_which_to_write() -> None:
    with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as here:
        with pytest.raises(HostUnreachable, match="SSL") as caught:
            gip_nb.connect(PREVIEW, base_url=here.replace("http", "https"), api_key=KEY)
    assert "http://" in caught.value.next_step


@pytest.mark.parametrize("proxy", ["socks5://me:hunter2@127.0.0.1:1", "ftp://me:hunter2@127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    # What httpx says in vain when it is told to clean up what it never made.
    loop().call_soon_threadsafe(loop().set_exception_handler, lambda *_: None)
    try:
        with pytest.raises(HostUnreachable, match=r"(?i)proxy") as caught:
            gip_nb.connect(PREVIEW, base_url="http://192.0.2.1/v1", api_key=KEY)
    finally:
        loop().call_soon_threadsafe(loop().set_exception_handler, None)
    assert "hunter2" not in str(caught.value)
    assert "HTTP_PROXY" in caught.value.next_step


PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY")


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1:1"])
def test_a_server_on_this_machine_is_reached_past_any_proxy(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.lower(), proxy)
    with realtime_server(Model()) as (url, _):
        with gip_nb.connect(PREVIEW, base_url=url, api_key=KEY) as session:
            assert session.ask("hello").text.startswith("word 0")


def test_a_proxy_that_is_not_there_is_thought_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    with pytest.raises(HostUnreachable, match=r"192\.0\.2\.1") as caught:
        gip_nb.connect(PREVIEW, base_url="http://192.0.2.1/v1", api_key=KEY)
    assert "a proxy is set in the environment" in caught.value.next_step
    with pytest.raises(HostUnreachable, match=r"192\.0\.2\.1"):
        gip_nb.models(base_url="http://192.0.2.1/v1", api_key=KEY)


def test_nobody_listening_is_said() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(HostUnreachable, match=r"127\.0\.0\.1"):
            gip_nb.connect(PREVIEW, base_url=f"http://127.0.0.1:{unused.getsockname()[1]}/v1", api_key=KEY)


def test_a_host_that_is_no_realtime_server_is_said() -> None:
    with raw_server(b"SSH-2.0-OpenSSH_9.2\r\n") as here:
        with pytest.raises(ConnectionRefused, match="not as a realtime server"):
            gip_nb.connect(PREVIEW, base_url=here, api_key=KEY)


@pytest.mark.parametrize("code", [1000, 1011])
def test_a_connection_dropped_in_mid_answer_raises_and_keeps_every_row(code: int) -> None:
    with realtime_server(Model(chunks=5, stop_after=(3, code))) as (url, _):
        session = gip_nb.connect(PREVIEW, base_url=url, api_key=KEY, reconnect=False)
        with pytest.raises(ConnectionDropped, match=f"code {code}"):
            session.ask("hello")
    assert session.state == "error"
    events = session.events
    assert (events.type == "response.audio.delta").sum() == 3
    assert events.iloc[-1].type == "local.connection.closed"
    assert events.iloc[-1].payload["code"] == code
    assert session.turns.assistant_text.tolist() == ["word 0 word 1 word 2"]
    # A verb after it says the same, and says it at once.
    with pytest.raises(ConnectionDropped):
        session.ask("again")
