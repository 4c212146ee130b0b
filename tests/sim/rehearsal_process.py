"""A rehearsal server in a process of its own, and clients that talk to it as any client would."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

MS = 48  # bytes of a millisecond: int16 mono, 24 000 Hz
SERVE = ("-c", "import sys; from gip_nb.rehearsal.server import main; sys.exit(main(sys.argv[1:]))")
EMBEDDED = ("-m", "gip_nb.rehearsal")


class ServerProcess:
    """A running server.

    Attributes:
        url: where it listens.
        key: what it wants to be shown.
        process: it.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the server ended before it listened"
        told = json.loads(line)
        assert set(told) == {"url", "key"}
        self.url: str = told["url"]
        self.key: str = told["key"]
        self.process = process

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1].split("/")[0])


@contextmanager
def server_process(
    *arguments: str,
    program: tuple[str, ...] = SERVE,
    blocked: tuple[str, ...] = (),
    tmp_path: Path | None = None,
) -> Iterator[ServerProcess]:
    """Runs a server until the block ends.

    Args:
        arguments: of its command line.
        program: what Python runs.
        blocked: packages that cannot be imported there; needs `tmp_path`.
        tmp_path: for the files that block them.
    """
    env = dict(os.environ)
    if blocked:
        assert tmp_path is not None
        for name in blocked:
            (tmp_path / f"{name}.py").write_text(f"raise ImportError('no {name} here')\n", "utf-8")
        env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, [env.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    try:
        yield ServerProcess(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.stdout.close()


class Client:
    """One connection, its events kept."""

    def __init__(self, websocket: ClientConnection, dialect: str) -> None:
        self.websocket = websocket
        self.dialect = dialect
        self.events: list[dict[str, Any]] = []
        self.at: dict[
            str, float
        ] = {}  # when an event of a type came first, on the clock of time.perf_counter
        self.sent = 0

    async def send(self, event_type: str, /, **fields: object) -> None:
        self.sent += 1
        await self.websocket.send(json.dumps({"type": event_type, **fields}))

    async def receive(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(await asyncio.wait_for(self.websocket.recv(), 20))
        self.events.append(event)
        self.at.setdefault(event["type"], time.perf_counter())
        return event

    async def until(self, event_type: str) -> dict[str, Any]:
        while True:
            event = await self.receive()
            if event["type"] == event_type:
                return event

    async def speak(self, pcm: bytes, *, chunk_ms: int = 40, times_real_time: float = 0.0) -> None:
        """Appends audio; 0 sends it as fast as it goes."""
        began = time.perf_counter()
        for number, start in enumerate(range(0, len(pcm), chunk_ms * MS), 1):
            piece = pcm[start : start + chunk_ms * MS]
            await self.send("input_audio_buffer.append", audio=base64.b64encode(piece).decode("ascii"))
            if times_real_time:
                due = began + number * chunk_ms / 1000 / times_real_time
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def set_transcription(self) -> None:
        transcription = {"model": "whisper-1"}
        if self.dialect == "beta":
            await self.send("session.update", session={"input_audio_transcription": transcription})
        else:
            audio = {"input": {"transcription": transcription}}
            await self.send("session.update", session={"type": "realtime", "audio": audio})
        await self.until("session.updated")

    def audio(self) -> bytes:
        names = ("response.audio.delta", "response.output_audio.delta")
        return b"".join(base64.b64decode(event["delta"]) for event in self.events if event["type"] in names)

    def transcript(self) -> str:
        names = ("response.audio_transcript.delta", "response.output_audio_transcript.delta")
        return "".join(event["delta"] for event in self.events if event["type"] in names)


@asynccontextmanager
async def client(
    url: str, key: str, dialect: str = "ga", *, model: str = "openai%2Fgpt-4o-realtime-preview-2024-12-17"
) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    if dialect == "beta":
        headers["OpenAI-Beta"] = "realtime=v1"
    async with connect(f"{url}?model={model}", additional_headers=headers) as websocket:
        one = Client(websocket, dialect)
        await one.until("session.created")
        yield one
        # Who stops reading does not see the server's close frame behind the answer, and waits for it.
        reading = asyncio.create_task(_read_to_the_end(websocket))
        await websocket.close()
        await reading


async def _read_to_the_end(websocket: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        while True:
            await websocket.recv()
