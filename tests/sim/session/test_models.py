"""`gip_nb.models()` over the wire: the table, who is asked with what, and what each failure is called."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import traceback
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from IPython.core.ultratb import VerboseTB

import gip_nb
from gip_nb.errors import (
    BadSetting,
    ConnectionRefused,
    GipError,
    HostUnreachable,
    KeyRefused,
    MissingKey,
    TimedOut,
)
from gip_nb.session.loop import run_blocking
from tests.sim.rehearsal_process import server_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "sk-secret-0123456789"
COLUMNS = {
    "owned_by": "string",
    "created": "datetime64[ns, UTC]",
    "provider": "string",
    "source": "string",
}
LIST = {
    "object": "list",
    "data": [
        {"id": "openai/gpt-realtime", "object": "model", "created": 1_756_000_000, "owned_by": "openai"},
        {"id": "openai/gpt-4o", "object": "model", "created": 1_700_000_000, "owned_by": "openai"},
        {"id": "gpt-4o-realtime-preview"},
    ],
}


@contextmanager
def gateway(
    status: int = 200,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    wait: Callable[[], object] = lambda: None,
) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """A server that gives this one answer. Yields its address and the requests that it saw."""
    seen: list[tuple[str, dict[str, str]]] = []
    data = json.dumps(LIST).encode() if body is None else body

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, {name.title(): value for name, value in self.headers.items()}))
            wait()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Not on the tests' stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", seen
        finally:
            server.shutdown()
            thread.join()


def test_a_gateway_s_realtime_models_are_a_table() -> None:
    with gateway() as (url, seen):
        models = gip_nb.models(base_url=url, api_key=KEY)
    assert models.index.name == "model"
    assert models.index.tolist() == ["openai/gpt-realtime", "gpt-4o-realtime-preview"]
    assert models.dtypes.astype(str).to_dict() == COLUMNS
    first, second = models.iloc[0], models.iloc[1]
    assert (first.owned_by, first.provider, first.source) == ("openai", "openai", "name")
    assert first.created == pd.Timestamp("2025-08-24T01:46:40Z")
    assert second[["owned_by", "created", "provider"]].isna().all()
    ((path, headers),) = seen
    assert path == "/v1/models"
    assert headers["Authorization"] == f"Bearer {KEY}"


def test_a_list_without_realtime_models_is_an_empty_table_of_the_same_shape() -> None:
    with gateway(body=b'{"data": [{"id": "openai/gpt-4o"}]}') as (url, _):
        models = gip_nb.models(base_url=url, api_key=KEY)
    assert len(models) == 0
    assert models.dtypes.astype(str).to_dict() == COLUMNS
    assert models.index.name == "model"


@pytest.mark.parametrize("suffix", ["", "/", "/realtime", "/realtime/"])
def test_the_address_and_the_key_come_from_where_talk_has_them(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway() as (url, seen):
        monkeypatch.chdir(tmp_path)
        (tmp_path / ".env").write_text(
            f"GIP_API_KEY={KEY}\nGIP_BASE_URL={url.replace('http', 'ws')}{suffix}\n"
        )
        assert len(gip_nb.models()) == 2
        gip_nb.models(extra_headers={"X-Team": "voice"}, extra_query={"limit": "5"}, api_key="another-key")
    assert [path for path, _ in seen] == ["/v1/models", "/v1/models?limit=5"]
    assert [headers["Authorization"] for _, headers in seen] == [f"Bearer {KEY}", "Bearer another-key"]
    assert seen[1][1]["X-Team"] == "voice"


def test_without_a_key_it_is_the_rehearsal_and_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", nobody)
    models = gip_nb.models()
    assert models.index.tolist() == ["rehearsal"]
    assert models.iloc[0].source == "rehearsal"
    assert models.dtypes.astype(str).to_dict() == COLUMNS
    with pytest.raises(MissingKey, match="list of models"):
        gip_nb.models(base_url="https://h/v1")


def test_the_rehearsal_server_lists_its_model_to_who_has_its_key() -> None:
    with server_process() as server:
        models = gip_nb.models(base_url=server.url, api_key=server.key)
        with pytest.raises(KeyRefused, match="Incorrect API key"):
            gip_nb.models(base_url=server.url, api_key=KEY)
    assert models.index.tolist() == ["rehearsal"]
    row = models.iloc[0]
    assert (row.owned_by, row.source) == ("gip_nb", "capability")
    assert pd.isna(row.created)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (
            401,
            f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}',
            KeyRefused,
            r"provided: \[key\]",
        ),
        (403, KEY, KeyRefused, r"\[key\]"),
        (404, '{"detail": "Not Found"}', ConnectionRefused, "HTTP 404"),
        (429, "", ConnectionRefused, "HTTP 429"),
        (500, f"<html><title>{KEY}</title>", ConnectionRefused, r"a web page, '\[key\]'"),
        (200, "<html><title>Sign in</title>", ConnectionRefused, "a web page, 'Sign in'"),
        (200, f"garbage {KEY}", ConnectionRefused, r"garbage \[key\]"),
        (204, "", ConnectionRefused, "HTTP 204"),
        (304, "", ConnectionRefused, "HTTP 304"),
    ],
)
def test_a_refusal_is_named_and_the_key_is_not_shown(
    status: int, body: str, kind: type[GipError], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), gateway(status, body.encode()) as (url, seen):
        with pytest.raises(GipError, match=message) as caught:
            gip_nb.models(base_url=url, api_key=KEY)
    assert type(caught.value) is kind
    assert len(seen) == 1  # whoever asked may ask again
    error = caught.value
    assert error.__traceback__ is not None
    # Without this test's own frame, which does hold the key.
    error.__traceback__ = error.__traceback__.tb_next
    shown = VerboseTB().text(type(error), error, error.__traceback__)
    plain = "".join(traceback.format_exception(error))
    assert [text for text in (shown, plain, caplog.text, repr(error)) if KEY in text] == []


def test_who_is_not_there_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(HostUnreachable, match=r"cannot reach http://127\.0\.0\.1") as caught:
            gip_nb.models(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}/v1", api_key=KEY)
    assert "base_url" in caught.value.next_step
    with pytest.raises(HostUnreachable, match=r"no-such-host\.invalid"):
        gip_nb.models(base_url="http://no-such-host.invalid/v1", api_key=KEY)


def test_who_answers_something_else_than_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def hang_up() -> None:
            connection, _ = silent.accept()
            connection.recv(4096)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(HostUnreachable):
            gip_nb.models(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1", api_key=KEY)
        thread.join()


def test_a_gateway_that_is_silent_is_given_up() -> None:
    go_on = threading.Event()
    with gateway(wait=lambda: go_on.wait(10)) as (url, _):
        began = time.monotonic()
        with pytest.raises(TimedOut, match=r"/v1/models did not answer within 0\.3 s") as caught:
            gip_nb.models(base_url=url, api_key=KEY, timeout_s=0.3)
        assert time.monotonic() - began < 5
        go_on.set()
    assert "timeout_s" in caught.value.next_step


@pytest.mark.parametrize("timeout_s", [0, -1, None, "5", True, float("nan")])
def test_a_time_limit_is_a_positive_number(timeout_s: Any) -> None:
    with pytest.raises(BadSetting, match="timeout_s"):
        gip_nb.models(base_url="https://h/v1", api_key=KEY, timeout_s=timeout_s)


def test_a_redirect_to_another_server_does_not_take_the_key_along() -> None:
    with gateway() as (there, seen_there):
        with gateway(302, b"", {"Location": f"{there}/models"}) as (here, _):
            gip_nb.models(base_url=here, api_key=KEY)
    ((_, headers),) = seen_there
    assert KEY not in str(headers)


def test_it_cannot_wait_on_the_loop_s_own_thread() -> None:
    async def wrong() -> None:
        gip_nb.models(base_url="https://h/v1", api_key=KEY)

    with pytest.raises(GipError, match="loop's own thread"):
        run_blocking(wrong())
