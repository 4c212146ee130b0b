"""A realtime server behind a line that fails, for `bench.soak`.

    python -m bench.faults --seed 1 --log frames.jsonl [--every 150]

Prints `{"url": ..., "key": ...}` and serves until its input closes: the embedded server, without a
recogniser (what it "hears" is drawn by lot) and with tones for a voice, and before it a proxy that lets
frames through and now and then does what gateways do: it cuts the connection, closes it with a code that
means nothing, ends the session as expired, is busy for a while, says things that nobody knows, refuses a
response for its rate, or lets one hang. A line on its input, `calm` or `rough`, says whether it does.

Each frame that was let through is a line of the log: the connection's number, the direction as the client
sees it, its type, and its length in characters.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http
import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from gip_nb.rehearsal.mouth import Echo
from gip_nb.rehearsal.server import Options, RehearsalServer, new_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from websockets.http11 import Request, Response

SENTENCES = (
    "what is the weather in Seoul",
    "what is the weather in Lisbon",
    "roll the dice for me",
    "the radio please",
    "write the long report",
    "hello there",
    "thank you",
    "the quick brown fox runs home to the harbour before the rain begins",
    "tell me about the ships that came in this morning and where they go next",
)
# What happens to the line, and how often of a hundred.
FAULTS = {
    "cut": 22,
    "close 1011": 8,
    "close 1001": 6,
    "close 1000": 6,
    "expire": 6,
    "stall": 16,
    "unknown event": 14,
    "no JSON": 4,
    "rate limit": 10,
    "hang": 8,
}
_STALL_S = (0.05, 0.6)
_MOST_FRAME_BYTES = 21 * 1024 * 1024


class DrawnEars:
    """Hears whatever the lot says."""

    def __init__(self, seed: int) -> None:
        self._lot = random.Random(seed)  # noqa: S311  a draw, no secret

    def warm_up(self) -> None:
        """Nothing to load."""

    async def listen(self, key: str, pcm: bytes) -> None:
        """Hears nothing yet."""

    async def understand(self, key: str) -> str | None:
        """A sentence."""
        del key
        return self._lot.choice(SENTENCES)

    async def forget(self, key: str) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to end."""


class RoughLine:
    """The proxy.

    Args:
        upstream: where the server is.
        log: takes a line a frame.
        every: so many frames of the server pass between two faults, on the average.
        seed: of the lot.
    """

    def __init__(self, upstream: str, log: TextIO, every: int, seed: int) -> None:
        self.rough = False
        self._upstream = upstream
        self._log = log
        self._every = every
        self._lot = random.Random(seed)  # noqa: S311  as above
        self._connections = 0
        self._refuse_next = 0
        self._limit_next = False
        self._hang_next = False

    def turn_away(self, connection: ServerConnection, request: Request) -> Response | None:
        """A gateway that is not back yet."""
        del request
        if self._refuse_next and self.rough:
            self._refuse_next -= 1
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "not back yet\n")
        self._refuse_next = 0
        return None

    async def serve(self, client: ServerConnection) -> None:
        """One connection, from its handshake to its end."""
        request = client.request
        if request is None:
            return
        self._connections += 1
        number = self._connections
        names = ("Authorization", "OpenAI-Beta")
        headers = [(name, request.headers[name]) for name in names if name in request.headers]
        query = request.path.partition("?")[2]
        address = f"{self._upstream}?{query}"
        async with connect(
            address, additional_headers=headers, compression=None, max_size=_MOST_FRAME_BYTES, proxy=None
        ) as server:
            hung: set[str] = set()
            ways = [
                asyncio.create_task(self._up(number, client, server)),
                asyncio.create_task(self._down(number, server, client, hung)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            for ended in await asyncio.gather(*ways, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, ConnectionClosed):
                    raise ended
        self._log.flush()

    async def _up(self, number: int, client: ServerConnection, server: ClientConnection) -> None:
        async for frame in client:
            text = str(frame)
            kind = _type_of(text)
            self._note(number, "sent", kind, text)
            if kind == "response.create" and self._limit_next and self.rough:
                self._limit_next = False
                for event in _rate_limited(self._lot.randrange(10**9), json.loads(text)):
                    await self._pass_on(number, client, json.dumps(event))
                continue
            await server.send(text)

    async def _down(
        self, number: int, server: ClientConnection, client: ServerConnection, hung: set[str]
    ) -> None:
        async for frame in server:
            text = str(frame)
            kind = _type_of(text)
            if hung and any(response_id in text for response_id in hung):
                continue
            if kind == "response.created" and self._hang_next and self.rough:
                self._hang_next = False
                hung.add(json.loads(text)["response"]["id"])
            await self._pass_on(number, client, text)
            if self.rough and kind != "session.created" and self._lot.random() < 1 / self._every:
                await self._fail(number, client)

    async def _fail(self, number: int, client: ServerConnection) -> None:
        fault = self._lot.choices(list(FAULTS), list(FAULTS.values()))[0]
        self._log.write(json.dumps({"connection": number, "fault": fault}) + "\n")
        match fault.split():
            case ["cut"]:
                self._refuse_next = self._lot.choice((0, 0, 1, 3))
                client.transport.abort()
            case ["close", code]:
                await client.close(int(code), "upstream lost" if code == "1011" else "")
            case ["expire"]:
                error = {
                    "type": "invalid_request_error",
                    "code": "session_expired",
                    "message": "Your session hit the maximum duration of 60 minutes.",
                }
                await self._pass_on(number, client, json.dumps(_event("error", error=error)))
                await client.close(1001, "expired")
            case ["stall"]:
                await asyncio.sleep(self._lot.uniform(*_STALL_S))
            case ["unknown", _]:
                await self._pass_on(number, client, json.dumps(_event("weather.changed", sky=["clear"])))
            case ["no", _]:
                await self._pass_on(number, client, "no JSON at all")
            case ["rate", _]:
                self._limit_next = True
            case ["hang"]:
                self._hang_next = True

    async def _pass_on(self, number: int, client: ServerConnection, text: str) -> None:
        await client.send(text)
        self._note(number, "received", _type_of(text), text)

    def _note(self, number: int, direction: str, kind: str, text: str) -> None:
        line = {"connection": number, "direction": direction, "type": kind, "characters": len(text)}
        self._log.write(json.dumps(line) + "\n")


def _type_of(text: str) -> str:
    try:
        return str(json.loads(text)["type"])
    except (ValueError, TypeError, KeyError):
        return ""


def _event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "event_id": f"event_{kind.replace('.', '_')}", **fields}


def _rate_limited(number: int, asked: dict[str, Any]) -> list[dict[str, Any]]:
    metadata = (asked.get("response") or {}).get("metadata")
    response: dict[str, Any] = {
        "id": f"resp_limited_{number}",
        "object": "realtime.response",
        "output": [],
        "usage": None,
        "metadata": metadata,
    }
    error = {
        "type": "tokens",
        "code": "rate_limit_exceeded",
        "message": "Rate limit reached. Please try again in 100ms.",
    }
    details = {"type": "failed", "error": error}
    return [
        _event("response.created", response={**response, "status": "in_progress", "status_details": None}),
        _event("response.done", response={**response, "status": "failed", "status_details": details}),
    ]


async def run(seed: int, log: Path, every: int) -> None:
    """Serve until the input closes."""
    key = new_key()
    options = Options("127.0.0.1", 0, key)
    with log.open("w", encoding="utf-8") as lines:
        async with RehearsalServer(options, DrawnEars(seed), Echo()) as server:
            line = RoughLine(server.url, lines, every, seed)
            async with serve(
                line.serve,
                "127.0.0.1",
                0,
                process_request=line.turn_away,
                compression=None,
                max_size=_MOST_FRAME_BYTES,
                close_timeout=1,
            ) as proxy:
                port = next(iter(proxy.sockets)).getsockname()[1]
                print(json.dumps({"url": f"http://127.0.0.1:{port}/v1", "key": key}), flush=True)
                await asyncio.to_thread(_obey, line)
                proxy.close()


def _obey(line: RoughLine) -> None:
    for told in sys.stdin:
        line.rough = told.strip() == "rough"


def main(argv: Sequence[str] | None = None) -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--every", type=int, default=150)
    given = parser.parse_args(argv)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(given.seed, given.log, given.every))


if __name__ == "__main__":
    main()
