"""The clients of `bench.client_overhead`, each in a process of its own.

    python -m bench.overhead_clients <client> --port 8765 --model stream --seconds 60 --sessions 1 [--core 1]

Prints one JSON object. All clients do the same: send a microphone's frames of 40 ms and look at the first
bytes of each audio delta, which say when it left the server.

- `bare`: websockets and msgspec, and nothing else.
- `openai`: the openai package's own iteration.
- `gip_nb`: the session as the notebook's widget drives it: `push_microphone` and a speaker.
- `gip_nb verbs`: the same session as a script drives it: `await send_audio(...)` and `on(...)`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

FRAME_S = 0.04
_FRAME = os.urandom(1920)
_OPENING = 8  # at once
_STAGGER_S = 1.0
_SETTLE_S = 1.5
_KEY = "sk-bench-0123456789"
_MUTE = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


class Client(Protocol):
    """One session."""

    async def open(self, port: int, model: str) -> None:
        """Connect and set the session up."""
        ...

    async def respond(self) -> None:
        """Ask for the answer."""
        ...

    async def push(self, pcm: bytes) -> None:
        """Send a frame of the microphone."""
        ...


class Figures:
    """What one process saw: latencies of deltas, seconds, from the moment it was told to note them."""

    def __init__(self) -> None:
        self.notes = False
        self.latencies_s: list[float] = []
        self.deltas = 0
        self.done = asyncio.Event()

    def heard(self, pcm: bytes) -> None:
        """The user's code has a delta's audio."""
        self.deltas += 1
        if self.notes:
            self.latencies_s.append((time.monotonic_ns() - int.from_bytes(pcm[:8], "little")) / 1e9)


class Bare:
    """What no client can do without."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._connection: Any = None

    async def open(self, port: int, model: str) -> None:
        """Connect and set the session up."""
        from websockets.asyncio.client import connect

        url = f"ws://127.0.0.1:{port}/v1/realtime?model={model}"
        headers = {"Authorization": f"Bearer {_KEY}"}
        self._connection = await connect(
            url, additional_headers=headers, max_size=None, compression=None, proxy=None
        )
        await self._connection.send(json.dumps({"type": "session.update", "session": _MUTE}))
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        import msgspec

        class Head(msgspec.Struct):
            type: str = ""
            delta: str = ""

        decode = msgspec.json.Decoder(Head).decode
        figures = self._figures
        while True:
            event = decode(await self._connection.recv(decode=False))
            if event.type == "response.output_audio.delta":
                figures.heard(binascii.a2b_base64(event.delta))
            elif event.type == "response.done":
                figures.done.set()

    async def respond(self) -> None:
        """Ask for the answer."""
        await self._connection.send('{"type":"response.create"}')

    async def push(self, pcm: bytes) -> None:
        """Send a frame of the microphone."""
        encoded = binascii.b2a_base64(pcm, newline=False)
        await self._connection.send(
            b'{"type":"input_audio_buffer.append","audio":"' + encoded + b'"}', text=True
        )


class OpenAI:
    """The openai package as its documentation shows it."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._connection: Any = None

    async def open(self, port: int, model: str) -> None:
        """Connect and set the session up."""
        from openai import AsyncOpenAI

        client = AsyncOpenAI(api_key=_KEY, websocket_base_url=f"ws://127.0.0.1:{port}/v1")
        options: Any = {"compression": None, "proxy": None}
        self._connection = await client.realtime.connect(
            model=model, websocket_connection_options=options
        ).enter()
        session: Any = _MUTE
        await self._connection.session.update(session=session)
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self._connection:
            if event.type == "response.output_audio.delta":
                self._figures.heard(base64.b64decode(event.delta))
            elif event.type == "response.done":
                self._figures.done.set()

    async def respond(self) -> None:
        """Ask for the answer."""
        await self._connection.response.create()

    async def push(self, pcm: bytes) -> None:
        """Send a frame of the microphone."""
        await self._connection.input_audio_buffer.append(audio=base64.b64encode(pcm).decode("ascii"))


class _Speaker:
    """Hears each delta as the widget's page gets it."""

    plays = False

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def play(self, _item_id: str, _content_index: int, _start_sample: int, audio: bytes) -> None:
        """Its audio is here."""
        self._figures.heard(audio)

    def end(self, item_id: str, content_index: int, samples: int) -> None:
        """Nothing to do."""

    async def flush(self) -> Any:  # noqa: ANN401  a class of gip_nb, imported late
        """Nothing was played."""
        from gip_nb.session.speaker import Flushed

        return Flushed({})


class GipNb:
    """The session, driven as the widget drives it."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self.session: Any = None

    async def open(self, port: int, model: str) -> None:
        """Connect and set the session up."""
        from gip_nb.session.session import AsyncRealtimeSession
        from gip_nb.session.settings import resolve

        settings = resolve(
            model,
            base_url=f"http://127.0.0.1:{port}/v1",
            api_key=_KEY,
            dialect="ga",
            turn_detection=None,
            environment={},
        )
        self.session = AsyncRealtimeSession(settings, speaker=self._speaker())
        await self.session.connect()
        self.session.on("response.done", self._done)

    def _speaker(self) -> Any:  # noqa: ANN401  or None
        return _Speaker(self._figures)

    def _done(self, _event: object) -> None:
        from gip_nb.session.loop import loop

        loop().call_soon_threadsafe(self._figures.done.set)

    async def respond(self) -> None:
        """Ask for the answer."""
        await self.session.respond()

    async def push(self, pcm: bytes) -> None:
        """Send a frame of the microphone."""
        self.session.push_microphone(pcm)


class GipNbVerbs(GipNb):
    """The session, driven by its public verbs."""

    def _speaker(self) -> Any:  # noqa: ANN401  or None
        return None

    async def open(self, port: int, model: str) -> None:
        """Connect and set the session up."""
        await super().open(port, model)
        heard = self._figures.heard
        self.session.on("response.output_audio.delta", lambda event: heard(base64.b64decode(event["delta"])))

    async def push(self, pcm: bytes) -> None:
        """Send a frame of the microphone."""
        await self.session.send_audio(pcm)


CLIENTS: dict[str, Callable[[Figures], Client]] = {
    "bare": Bare,
    "openai": OpenAI,
    "gip_nb": GipNb,
    "gip_nb verbs": GipNbVerbs,
}


async def microphone(client: Client, due: float) -> None:
    """Push frames in real time, for ever, from `due` on (the loop's clock)."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(due - loop.time())
        await client.push(_FRAME)
        due += FRAME_S


def rss_mb() -> float:
    """Resident memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(name: str, port: int, model: str, seconds: float, sessions: int) -> dict[str, Any]:
    """Open the sessions, let them talk, and say what that cost."""
    figures = Figures()
    clients = [CLIENTS[name](figures) for _ in range(sessions)]
    for start in range(0, sessions, _OPENING):
        await asyncio.gather(*(client.open(port, model) for client in clients[start : start + _OPENING]))
    now = asyncio.get_running_loop().time()
    talks_up = model == "stream"
    tasks = []
    if talks_up:
        # Evenly over a second: clients do not speak in step.
        tasks = [
            asyncio.create_task(microphone(client, now + _STAGGER_S * number / sessions))
            for number, client in enumerate(clients)
        ]
    figures.notes = not talks_up
    began, cpu_s, before_mb = time.monotonic(), time.process_time(), rss_mb()
    for client in clients:
        await client.respond()
        await asyncio.sleep(_STAGGER_S / sessions if talks_up else 0)
    if talks_up:
        await asyncio.sleep(_SETTLE_S)
        figures.notes = True
        figures.deltas = 0
        began, cpu_s, before_mb = time.monotonic(), time.process_time(), rss_mb()
        await asyncio.sleep(seconds)
    else:
        await figures.done.wait()
    told = {
        "seconds": time.monotonic() - began,
        "cpu_s": time.process_time() - cpu_s,
        "grown_mb": rss_mb() - before_mb,
        "deltas": figures.deltas,
        "latencies_ms": [round(one * 1000, 3) for one in figures.latencies_s] if talks_up else [],
    }
    for task in tasks:
        task.cancel()
    return told


def run(name: str, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """On the loop that the client lives on."""
    if not name.startswith("gip_nb"):
        return asyncio.run(work)
    from gip_nb.session.loop import run_blocking

    return run_blocking(work)


def main() -> int:
    """Measure and print; leaves without closing anything, which would take long under a load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--core", type=int)
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    work = measure(given.client, given.port, given.model, given.seconds, given.sessions)
    print(json.dumps(run(given.client, work)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
