"""The server of `bench.client_overhead`: it plays an answer from prepared frames and does little else.

    python -m bench.overhead_server [--core 0]

Prints its port. WebSockets by hand: a library on this side costs as much as the client that is measured, and
would be what gives in first. What the client says is not unmasked unless it is short; a `response.create`
begins the answer that the model's name describes: `stream` is one audio delta (100 ms) and one transcript
delta every 100 ms for ever, `flood-600` is 600 s of them as fast as the socket takes them, then
`response.done`.

The first 8 bytes of a delta's audio are `time.monotonic_ns()` when it was handed to the socket, little
endian.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import os
import re
import struct
import sys
import time

DELTA_S = 0.1
_DELTA_BYTES = 4800
# Whole groups of three bytes, so that the rest of the base64 stays what it is.
_STAMP_BYTES = 9
_FLOOD_BATCH = 16
# Longer messages are sound.
_LONGEST_HEARD = 1500
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_SHORT, _MEDIUM = 126, 127
_IDS = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}


def frame(payload: bytes, opcode: int = _TEXT) -> bytes:
    """An unmasked WebSocket frame."""
    size = len(payload)
    if size < _SHORT:
        return bytes([0x80 | opcode, size]) + payload
    return struct.pack(">BBH", 0x80 | opcode, _SHORT, size) + payload


def said(event_type: str, **fields: object) -> bytes:
    """A frame with this event."""
    return frame(json.dumps({"type": event_type, "event_id": "event_1", **fields}).encode())


_SESSION = {"id": "sess_bench", "type": "realtime", "object": "realtime.session"}
_CREATED = said("session.created", session=_SESSION)
_ITEM = {"id": "item_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
_RESPONSE = {"id": "resp_1", "object": "realtime.response", "status": "in_progress", "output": []}
_BEGINNING = b"".join(
    [
        said("response.created", response=_RESPONSE),
        said("response.output_item.added", response_id="resp_1", output_index=0, item=_ITEM),
        said("conversation.item.added", previous_item_id=None, item=_ITEM),
        said("response.content_part.added", **_IDS, part={"type": "audio", "transcript": ""}),
    ]
)
_END = said("response.done", response={**_RESPONSE, "status": "completed"})
_TRANSCRIPT = said("response.output_audio_transcript.delta", **_IDS, delta="some words ")
_AUDIO = said(
    "response.output_audio.delta",
    **_IDS,
    delta=base64.b64encode(bytes(_STAMP_BYTES) + os.urandom(_DELTA_BYTES - _STAMP_BYTES)).decode(),
)
_ZEROS = base64.b64encode(bytes(_STAMP_BYTES))
_HEAD, _, _TAIL = _AUDIO.partition(_ZEROS)


def deltas() -> bytes:
    """One audio delta, stamped, and one transcript delta."""
    stamp = base64.b64encode(time.monotonic_ns().to_bytes(_STAMP_BYTES, "little"))
    return b"".join((_HEAD, stamp, _TAIL, _TRANSCRIPT))


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport
        self._model = ""
        self._left = 0
        self._may_write = True
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  TCP servers have these
        self._transport = transport

    def connection_lost(self, exc: Exception | None, /) -> None:
        """It went."""
        del exc
        self._left = 0
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """The socket is full."""
        self._may_write = False

    def resume_writing(self) -> None:
        """It took what there was."""
        self._may_write = True
        self._flood()

    def data_received(self, data: bytes) -> None:
        """A piece of the handshake, or of frames."""
        self._buffer += data
        if not self._model:
            if b"\r\n\r\n" not in self._buffer:
                return
            self._handshake()
        while (size := self._frame_size()) is not None and size <= len(self._buffer):
            self._hear(size)
            del self._buffer[:size]

    def _handshake(self) -> None:
        request, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        model = re.search(rb"[?&]model=([^& ]+)", request)
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
        self._model = model[1].decode() if model else "stream"
        accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + _MAGIC).digest())  # noqa: S324  the protocol's
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + _CREATED
        )

    def _frame_size(self) -> int | None:
        """Of the frame that the buffer begins with, header and mask included; None where it is not known."""
        buffer = self._buffer
        if len(buffer) < 10:  # noqa: PLR2004  the longest header before its mask
            return 6 + (buffer[1] & 0x7F) if len(buffer) >= 6 and buffer[1] & 0x7F < _SHORT else None  # noqa: PLR2004
        size = buffer[1] & 0x7F
        if size < _SHORT:
            return 6 + size
        if size == _SHORT:
            return 8 + int.from_bytes(buffer[2:4], "big")
        return 14 + int.from_bytes(buffer[2:10], "big")

    def _hear(self, size: int) -> None:
        buffer = self._buffer
        opcode = buffer[0] & 0x0F
        if size > _LONGEST_HEARD:
            return
        begin = {_SHORT: 8, _MEDIUM: 14}.get(buffer[1] & 0x7F, 6)
        mask, masked = buffer[begin - 4 : begin], buffer[begin:size]
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))
        if opcode == _CLOSE:
            self._transport.write(frame(payload, _CLOSE))
            self._transport.close()
        elif opcode == _PING:
            self._transport.write(frame(payload, _PONG))
        elif opcode == _TEXT:
            self._answer(json.loads(payload))

    def _answer(self, event: dict[str, object]) -> None:
        if event["type"] == "session.update":
            asked = event["session"]
            assert isinstance(asked, dict)  # noqa: S101  our own clients speak
            self._transport.write(said("session.updated", session={**_SESSION, **asked}))
        elif event["type"] == "response.create":
            self._transport.write(_BEGINNING)
            if self._model.startswith("flood"):
                self._left = round(float(self._model.partition("-")[2]) / DELTA_S)
                self._flood()
            else:
                self._stream(asyncio.get_running_loop().time())

    def _stream(self, due: float) -> None:
        self._transport.write(deltas())
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(due + DELTA_S, self._stream, due + DELTA_S)

    def _flood(self) -> None:
        while self._left > 0 and self._may_write:
            batch = min(_FLOOD_BATCH, self._left)
            self._left -= batch
            self._transport.write(b"".join(deltas() for _ in range(batch)) + (b"" if self._left else _END))


async def serve() -> None:
    """Until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> int:
    """Serve until stdin is closed by a parent that has gone, or a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", type=int)
    core: int | None = parser.parse_args().core
    if core is not None:
        os.sched_setaffinity(0, {core})
    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
