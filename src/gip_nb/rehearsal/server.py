"""The rehearsal server: a WebSocket server on loopback that speaks the Realtime protocol, both dialects.

`gip-nb serve` runs it for any client; a kernel runs it as `python -m gip_nb.rehearsal`. Its first line on
stdout is JSON, `{"url": "ws://127.0.0.1:PORT/v1/realtime", "key": "..."}`, once it listens; nothing else is
written there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http
import json
import logging
import math
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gip_nb.protocol.server.protocol import ServerProtocol
from gip_nb.rehearsal.connection import Connection, Pace, Parts
from gip_nb.rehearsal.ears import find_ears, make_detector
from gip_nb.rehearsal.frame_log import FrameLog
from gip_nb.rehearsal.handshake import (
    MODELS,
    SUBPROTOCOL,
    is_models_path,
    is_realtime_path,
    read_handshake,
)
from gip_nb.rehearsal.mouth import find_mouth
from gip_nb.rehearsal.wits import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

    from gip_nb.rehearsal.ears import Ears
    from gip_nb.rehearsal.mouth import Mouth

__all__ = ["Options", "RehearsalServer", "main", "serve_until"]

LOOPBACK = "127.0.0.1"
# 15 MiB of audio in one append, the API's limit, in base64, and its envelope.
_MOST_FRAME_BYTES = 21 * 1024 * 1024
_UNAUTHORIZED = 3000  # the registered close code
_POLICY_VIOLATION = 1008
_NO_TRANSCRIPTION = {
    "type": "invalid_request_error",
    "code": "invalid_value",
    "message": "Invalid value: 'transcription'. Sessions of this server talk: connect without 'intent', set"
    " input transcription and create_response: false, and transcripts are all that it answers.",
    "param": "intent",
}
_CLOSE_TIMEOUT_S = 2.0
_WARM_UP_AFTER_S = 0.2
_LATENCIES = ("created", "updated", "output")


class Options(NamedTuple):
    """How to serve.

    Attributes:
        host: to listen on.
        port: 0 takes a free one.
        key: that clients have to show.
        log: a file for the frame log, None without one.
        pace: how slow to be.
        expires_in_s: how long a session may last; None for as long as it likes.
    """

    host: str
    port: int
    key: str
    log: Path | None = None
    pace: Pace = Pace({})
    expires_in_s: float | None = None


class RehearsalServer:
    """The server while it listens: an async context manager.

    Args:
        options: how to serve.
        ears: None for the best that are installed.
        mouth: None for the best that is installed.

    Raises:
        OSError: on entry: the port is taken, the host is not this machine's, the log cannot be written.
    """

    def __init__(self, options: Options, ears: Ears | None = None, mouth: Mouth | None = None) -> None:
        self._options = options
        self._ears = find_ears() if ears is None else ears
        self._mouth = find_mouth() if mouth is None else mouth
        self._log = FrameLog(options.log)
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        # Its own logger: at DEBUG, websockets writes headers, and with them the key.
        logger = logging.getLogger("gip_nb.rehearsal")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        self._server = await serve(
            self._serve,
            self._options.host,
            self._options.port,
            process_request=self._answer_plain_requests,
            select_subprotocol=_select_subprotocol,
            max_size=_MOST_FRAME_BYTES,
            close_timeout=_CLOSE_TIMEOUT_S,
            compression=None,  # base64 over loopback: compressing it costs more than sending it
            logger=logger,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self._ears.close()
        self._log.close()

    @property
    def url(self) -> str:
        """Where clients connect to."""
        if self._server is None:
            raise RuntimeError("the server does not listen yet: enter it first")
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        return f"ws://{host}:{next(iter(self._server.sockets)).getsockname()[1]}/v1/realtime"

    async def _serve(self, websocket: ServerConnection) -> None:
        request = websocket.request
        if request is None:  # cannot be after a handshake; the type says it might
            return
        headers = request.headers
        handshake = read_handshake(
            request.path,
            headers.get("Authorization"),
            headers.get_all("OpenAI-Beta"),
            headers.get_all("Sec-WebSocket-Protocol"),
        )
        if not handshake.shows(self._options.key):
            key_error = _wrong_key(is_missing=handshake.key is None)
            await self._turn_away(websocket, key_error, _UNAUTHORIZED)
            return
        if handshake.intent == "transcription":
            await self._turn_away(websocket, _NO_TRANSCRIPTION, _POLICY_VIOLATION)
            return
        lasts_s = self._options.expires_in_s
        protocol = ServerProtocol(
            handshake.dialect,
            model=handshake.model,
            new_id=_new_id,
            wits=answer,
            make_detector=make_detector,
            expires_at=None if lasts_s is None else math.ceil(time.time() + lasts_s),
        )
        # Their model takes a second to load, less than the first words do. Not sooner: a client that starts
        # needs the processor itself.
        asyncio.get_running_loop().call_later(_WARM_UP_AFTER_S, self._ears.warm_up)
        parts = Parts(self._ears, self._mouth, self._log)
        await Connection(websocket, protocol, parts, self._options.pace, lasts_s).run()

    async def _turn_away(
        self, websocket: ServerConnection, error: Mapping[str, object], close_code: int
    ) -> None:
        """After the handshake, not in it: a browser's client can read an event, but no HTTP status."""
        event = {"type": "error", "event_id": _new_id("event"), "error": {**error, "event_id": None}}
        with contextlib.suppress(ConnectionClosed):
            await websocket.send(json.dumps(event))
            self._log.write("sent", "error", None)
            await websocket.close(close_code, f"{error['type']}.{error['code']}")

    def _answer_plain_requests(self, connection: ServerConnection, request: Request) -> Response | None:
        """The list of models; every other path than the Realtime API's is not there."""
        if is_realtime_path(request.path):
            return None
        if not is_models_path(request.path):
            return connection.respond(
                http.HTTPStatus.NOT_FOUND, "There is nothing here: connect to /v1/realtime.\n"
            )
        shown = read_handshake(request.path, request.headers.get("Authorization"), [], [])
        if shown.shows(self._options.key):
            return _json_response(connection, http.HTTPStatus.OK, MODELS)
        error = _wrong_key(is_missing=shown.key is None)
        return _json_response(connection, http.HTTPStatus.UNAUTHORIZED, {"error": error})


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(10)}"


def _json_response(connection: ServerConnection, status: http.HTTPStatus, body: object) -> Response:
    response = connection.respond(status, json.dumps(body) + "\n")
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


def _wrong_key(*, is_missing: bool) -> dict[str, object]:
    shown = "(none)" if is_missing else "the one that was sent"
    return {
        "type": "invalid_request_error",
        "code": "invalid_api_key",
        "message": f"Incorrect API key provided: {shown}."
        " This server wants the key that its first line on stdout tells.",
        "param": None,
    }


def _select_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None


# ----------------------------------------------------------------------------------------------- command line


async def serve_until(options: Options, prepare: Callable[[asyncio.Event], None], ears: Ears) -> None:
    """Serves until told to stop.

    Args:
        options: how to serve.
        prepare: gets the event that stops the server, before the server listens.
        ears: to hear with.

    Raises:
        OSError: see `RehearsalServer`.
    """
    stop = asyncio.Event()
    prepare(stop)
    async with RehearsalServer(options, ears) as server:
        print(json.dumps({"url": server.url, "key": options.key}), flush=True)
        await stop.wait()


def stop_on_signals(stop: asyncio.Event, signals: Sequence[signal.Signals]) -> None:
    """Sets the event when one of these signals comes. Call it in the main thread, on the loop."""
    loop = asyncio.get_running_loop()
    for one in signals:
        try:
            loop.add_signal_handler(one, stop.set)
        except NotImplementedError:  # Windows' loops have no signal handlers
            signal.signal(one, lambda *_: loop.call_soon_threadsafe(stop.set))


def main(argv: Sequence[str]) -> int:
    """`gip-nb serve`: runs the server until SIGINT or SIGTERM.

    Args:
        argv: the arguments after `serve`.

    Returns:
        0 after a signal; 1 where it cannot listen or write its log, which it says on stderr.
    """
    options = _options(_parser().parse_args(argv))
    signals = [signal.SIGINT, signal.SIGTERM]
    return run(options, lambda stop: stop_on_signals(stop, signals), find_ears(), "gip-nb serve")


def run(options: Options, prepare: Callable[[asyncio.Event], None], ears: Ears, program: str) -> int:
    """Serves in a loop of its own; an `OSError` becomes a line on stderr and the exit code 1.

    Args:
        options: how to serve.
        prepare: gets the event that stops the server, before the server listens.
        ears: to hear with.
        program: what the line on stderr begins with.
    """
    try:
        asyncio.run(serve_until(options, prepare, ears))
    except OSError as error:
        print(f"{program}: {_explained(error, options)}", file=sys.stderr)
        return 1
    return 0


def _explained(error: OSError, options: Options) -> str:
    where = f"{options.host}:{options.port}"
    if error.filename is not None:
        return f"the log {error.filename} cannot be written ({error.strerror}): name another file with --log"
    if "in use" in str(error):
        return f"port {where} is taken by another program: pass --port 0 for a free one"
    return f"cannot listen on {where} ({error.strerror or error}): pass --host {LOOPBACK} --port 0"


def add_log_argument(parser: argparse.ArgumentParser) -> None:
    """`--log`, the same wherever the server can be started."""
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="append one JSON line per frame: direction, type, samples, time",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gip-nb serve",
        description="A Realtime API server for rehearsals: real speech, both dialects, no model. Its first"
        " line is JSON with its url and the key that clients have to send as bearer token.",
    )
    parser.add_argument(
        "--host", default=LOOPBACK, help=f"to listen on (default {LOOPBACK}: this machine only)"
    )
    parser.add_argument("--port", type=_port, default=0, help="to listen on (default: any free one)")
    parser.add_argument("--key", type=_key, help="that clients have to show (default: a fresh random one)")
    add_log_argument(parser)
    parser.add_argument(
        "--latency",
        type=_latency,
        default={},
        metavar="created=30,updated=50,output=50",
        help="milliseconds to hold back session.created, session.updated and each item of an answer",
    )
    parser.add_argument(
        "--pace",
        type=_pace,
        default=0.0,
        help="how many times faster than real time audio is sent (1 is real time; default: no limit)",
    )
    parser.add_argument(
        "--expire-after",
        type=_lasting,
        metavar="SECONDS",
        help="end each session with session_expired after so long (default: never)",
    )
    return parser


def _options(given: argparse.Namespace) -> Options:
    key = given.key or new_key()
    pace = Pace(given.latency, given.pace)
    return Options(given.host, given.port, key, given.log, pace, given.expire_after)


def new_key() -> str:
    """A fresh random key."""
    return secrets.token_urlsafe(24)


def _port(text: str) -> int:
    most = 65_535
    if not text.isdecimal() or int(text) > most:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no port: pass a number from 0 (any free one) to {most}"
        )
    return int(text)


def _key(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(
            "a key has to fit in a header: printable ASCII, no spaces, not empty"
        )
    return text


def _latency(text: str) -> dict[str, float]:
    latency_s = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in _LATENCIES:
            raise argparse.ArgumentTypeError(f"{name!r} has no latency: name {', '.join(_LATENCIES)}")
        latency_s[name] = _positive(value) / 1000
    return latency_s


def _pace(text: str) -> float:
    return _positive(text)


def _lasting(text: str) -> float:
    seconds = _positive(text)
    if not seconds:
        raise argparse.ArgumentTypeError("a session of 0 seconds is none: pass a longer time")
    return seconds


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 0 or more")
    return number
