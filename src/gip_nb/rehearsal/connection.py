"""One client of the rehearsal server: its socket joined to its `ServerProtocol`, its ears and its mouth.

Three tasks share the protocol on one event loop: one reads frames, one sends what there is to send and then a
little more of the answer, one gives the ears their jobs in order. Speech is made in worker threads. Whatever
ends first ends all of them, so that a peer that vanishes leaves nothing behind. A fourth task ends a session
that has lasted as long as it may.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

from websockets.exceptions import ConnectionClosed

from gip_nb.audio import SAMPLE_RATE_HZ
from gip_nb.protocol.dialects import canonical_type
from gip_nb.protocol.server.parts import Forget, Job, Listen, Speak, Understand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from websockets.asyncio.server import ServerConnection

    from gip_nb.protocol.server.outbox import SentFrame
    from gip_nb.protocol.server.protocol import ServerProtocol
    from gip_nb.rehearsal.ears import Ears
    from gip_nb.rehearsal.frame_log import FrameLog
    from gip_nb.rehearsal.mouth import Mouth

__all__ = ["Connection", "Pace", "Parts"]

# A peer that asks and never reads is not read from either, past so many answers.
_MOST_UNSENT_FRAMES = 256
# What the API closes an expired session with.
_GOING_AWAY = 1001
# A peer that does not read its last frames by then is cut off.
_LAST_FRAME_S = 2.0
_MINUTE_S = 60
# Which frame each latency holds back.
_HELD_BACK = {
    "session.created": "created",
    "session.updated": "updated",
    "response.output_item.added": "output",
}


class Pace(NamedTuple):
    """How slow to be.

    Attributes:
        latency_s: seconds before `session.created`, `session.updated` and an item of an answer, by the names
            created, updated and output.
        times_real_time: how fast audio is sent; 0 sends as fast as the socket takes it.
    """

    latency_s: Mapping[str, float]
    times_real_time: float = 0.0


class Parts(NamedTuple):
    """What all connections of a server share."""

    ears: Ears
    mouth: Mouth
    log: FrameLog


class Connection:
    """A client that has shown the right key.

    Args:
        websocket: its socket.
        protocol: fresh.
        parts: what it shares with others.
        pace: how slow to be.
        expires_in_s: how long the session may last; None for as long as it likes.
    """

    def __init__(
        self,
        websocket: ServerConnection,
        protocol: ServerProtocol,
        parts: Parts,
        pace: Pace,
        expires_in_s: float | None = None,
    ) -> None:
        self._websocket = websocket
        self._protocol = protocol
        self._ears, self._mouth, self._log = parts
        self._pace = pace
        self._expires_in_s = expires_in_s
        self._more = asyncio.Event()  # there may be something to send
        self._room = asyncio.Event()  # what was to be sent has been sent
        self._for_ears: asyncio.Queue[Job] = asyncio.Queue()
        self._heard_by_ears: set[str] = set()
        self._unheard: dict[str, str] = {}  # utterances that the ears lost, and why
        self._speaking: set[asyncio.Task[None]] = set()
        self._next_audio_at = 0.0

    async def run(self) -> None:
        """Serves the client until it, or the server, closes the connection."""
        parts = [self._receive(), self._send(), self._hear()]
        if self._expires_in_s is not None:
            parts.append(self._expire(self._expires_in_s))
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                with contextlib.suppress(ConnectionClosed):
                    task.result()
        finally:
            tasks += self._speaking
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._forget_all()

    # ---------------------------------------------------------------------------------------------- receiving

    async def _receive(self) -> None:
        async for message in self._websocket:
            received = self._protocol.receive(message)
            self._log.write("received", received.type, self._protocol.session_id, received.audio_samples)
            self._hand_out()
            while self._protocol.listen_more():
                self._hand_out()
                await asyncio.sleep(0)
            self._hand_out()
            await asyncio.sleep(0)
            while self._protocol.unsent_frames > _MOST_UNSENT_FRAMES:
                self._room.clear()
                await self._room.wait()

    def _hand_out(self) -> None:
        """Gives each new job to who does it, and wakes the sender."""
        for job in self._protocol.jobs():
            if isinstance(job, Speak):
                task = asyncio.create_task(self._speak(job))
                self._speaking.add(task)
                task.add_done_callback(self._speaking.discard)
            else:
                self._for_ears.put_nowait(job)
        self._more.set()

    # ------------------------------------------------------------------------------------------------ sending

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while frames := self._protocol.frames():
                for frame in frames:
                    await self._send_frame(frame)
            self._room.set()
            wait_s = None
            if self._protocol.has_more:
                wait_s = self._next_audio_at - loop.time()
                if wait_s <= 0:
                    self._protocol.advance()
                    self._hand_out()
                    await asyncio.sleep(0)  # the reader's turn: the client may cancel
                    continue
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._more.wait()

    async def _send_frame(self, frame: SentFrame) -> None:
        held_back_s = self._pace.latency_s.get(_HELD_BACK.get(canonical_type(frame.type), ""), 0.0)
        if held_back_s:
            await asyncio.sleep(held_back_s)
        await self._websocket.send(frame.data, text=True)
        self._log.write("sent", frame.type, self._protocol.session_id, frame.audio_samples)
        if frame.audio_samples and self._pace.times_real_time:
            lasts_s = frame.audio_samples / SAMPLE_RATE_HZ / self._pace.times_real_time
            self._next_audio_at = max(self._next_audio_at, asyncio.get_running_loop().time()) + lasts_s

    async def _expire(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        reason = f"Your session hit the maximum duration of {_in_words(after_s)}."
        self._protocol.expire(reason)
        self._room.clear()
        self._more.set()
        try:
            async with asyncio.timeout(_LAST_FRAME_S):
                await self._room.wait()
                await self._websocket.close(_GOING_AWAY, reason)
        except TimeoutError:
            self._websocket.transport.abort()

    # ----------------------------------------------------------------------------------- hearing and speaking

    async def _hear(self) -> None:
        while True:
            job = await self._for_ears.get()
            key = f"{self._protocol.session_id}/{job.item_id}"
            try:
                await self._give_to_ears(job, key)
            except Exception as error:  # noqa: BLE001 - whatever fails in the ears fails this utterance alone
                self._unheard[key] = f"{type(error).__name__}: {error}"
                if isinstance(job, Understand):
                    self._protocol.heard(job.item_id, None, self._unheard.pop(key))
            self._hand_out()

    async def _give_to_ears(self, job: Job, key: str) -> None:
        if isinstance(job, Listen):
            self._heard_by_ears.add(key)
            if key not in self._unheard:
                await self._ears.listen(key, job.pcm)
        elif isinstance(job, Understand):
            if key in self._unheard:
                raise RuntimeError(self._unheard.pop(key))
            words = await self._ears.understand(key)
            self._heard_by_ears.discard(key)
            self._protocol.heard(job.item_id, words)
        elif isinstance(job, Forget):
            self._unheard.pop(key, None)
            self._heard_by_ears.discard(key)
            await self._ears.forget(key)

    async def _forget_all(self) -> None:
        for key in self._heard_by_ears:
            with contextlib.suppress(Exception):  # the ears may be gone already
                await self._ears.forget(key)

    async def _speak(self, job: Speak) -> None:
        try:
            pcm = await asyncio.to_thread(self._mouth.speak, job.text, job.voice, job.speed, job.users_words)
        except Exception as error:  # noqa: BLE001 - whatever fails in the mouth fails this answer alone
            self._protocol.not_spoken(job.item_id, f"{type(error).__name__}: {error}")
        else:
            self._protocol.spoken(job.item_id, pcm)
        self._hand_out()


def _in_words(seconds: float) -> str:
    whole_minutes, rest = divmod(seconds, _MINUTE_S)
    number, unit = (seconds, "second") if rest else (whole_minutes, "minute")
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
