"""Latencies against a known truth: a scripted server, a scripted page, and one clock that the test turns."""

from __future__ import annotations

import asyncio
import base64
import functools
import random
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.journal.log import EventLog
from gip_nb.journal.tables import Tables
from gip_nb.notebook.page import Page
from gip_nb.notebook.routing import Arrival
from gip_nb.session import talking
from gip_nb.session.loop import run_blocking
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import ScriptedTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

PAGE_MS = 1_763_000_000_000.0
"""What the page's clock says when the log begins."""
OUTPUT_LATENCY_MS = 45.0
SILENCE_MS = 500
Message = dict[str, Any]


class World:
    """A talk between a page and a server, both scripted, on one clock.

    Args:
        detection: the turn detection that the server says it has.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, detection: Message | None) -> None:
        self.now_ms = 0.0
        log = functools.partial(EventLog, monotonic_ns=lambda: round(self.now_ms * 1e6))
        monkeypatch.setattr(talking, "EventLog", log)
        self.posted: list[Message] = []
        self.page = Page(self._post, self)
        greeting = {"type": "session.created", "session": {"id": "s", "turn_detection": detection}}
        self.transport = ScriptedTransport(greeting=[greeting])
        settings = resolve(
            "test-preview", api_key="sk-test-0123456789", turn_detection=detection, environment={}
        )
        self.session = AsyncRealtimeSession(settings, transport=self.transport.for_session, speaker=self.page)

    def _post(self, content: Message, _buffers: Sequence[bytes]) -> None:
        self.posted.append(content)

    def lease_changed(self) -> None: ...

    def routing_changed(self) -> None: ...

    def sound_started(self) -> None: ...

    def snapshot(self, page: str) -> None: ...

    async def at(self, ms: float) -> None:
        """Turn the clock forward, after all that was begun has been done."""
        await self._settle()
        assert ms >= self.now_ms
        self.now_ms = ms

    async def _settle(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)

    async def server(self, ms: float, kind: str, **fields: Any) -> None:
        await self.at(ms)
        self.transport.say({"type": kind, **fields})
        await self._settle()

    async def exchange_clocks(self, down_ms: float, up_ms: float) -> None:
        (asked,) = [m for m in self.posted if m["kind"] == "clock"]
        await self.at(self.now_ms + down_ms)
        told = {"page": "p", "clock": asked["clock"], "page_ms": PAGE_MS + self.now_ms, "acked": -1, "rev": 0}
        await self.at(self.now_ms + up_ms)
        self.page.clock({"kind": "clock", **told}, self._arrival())

    def _arrival(self) -> Arrival:
        return Arrival(round(self.now_ms * 1e6), on_main_thread=False)

    async def speak(self, from_ms: float, frames: int, delays_ms: Sequence[float]) -> None:
        """Frames of 40 ms from the microphone, each as late as the kernel was busy; never out of order."""
        for n in range(frames):
            await self.at(max(self.now_ms, from_ms + 40 * (n + 1) + delays_ms[n % len(delays_ms)]))
            frame = {"page": "p", "seq": n, "captured_at_ms": PAGE_MS + from_ms + 40 * n}
            self.page.microphone(frame, bytes(1920), self._arrival())

    async def answer(self, at_ms: Sequence[float]) -> None:
        """The response is created, sends its first sound, that is played at the page: each at its time."""
        created_ms, audio_ms, played_ms = at_ms
        ids = {"response_id": "r", "item_id": "a"}
        await self.server(created_ms, "response.created", response={"id": "r", "status": "in_progress"})
        delta = base64.b64encode(bytes(9600)).decode()
        await self.server(audio_ms, "response.audio.delta", **ids, content_index=0, delta=delta)
        # Its message comes late, and says when it was.
        await self.at(played_ms + 180)
        started = {
            "event": "started",
            "item_id": "a",
            "content_index": 0,
            "played_samples": 0,
            "underruns": 0,
        }
        where = {
            "page": "p",
            "at_ms": PAGE_MS + played_ms,
            "output_latency_ms": OUTPUT_LATENCY_MS,
            "acked": 0,
        }
        self.page.playback({"kind": "playback", **started, **where})
        done = {"id": "r", "status": "completed", "output": []}
        await self.server(played_ms + 900, "response.done", response=done)

    def turn(self) -> pd.Series:
        """The turn, from tables that are made of the log alone."""
        live, rebuilt = self.session.turns, Tables(self.session.log).turns()
        assert live.equals(rebuilt)
        return rebuilt.loc[1]

    async def begin(self) -> None:
        self.page.show(self.session)
        self.page.grant("p", "start")
        await self.exchange_clocks(down_ms=9.0, up_ms=3.0)
        await self.session.connect()


@pytest.mark.parametrize("seed", range(5))
def test_a_spoken_turn_s_latencies_are_true_within_5_ms_however_late_frames_are(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    detection = {"type": "server_vad", "silence_duration_ms": SILENCE_MS}
    world = World(monkeypatch, detection)
    delays_ms = [random.Random(seed).choice([2.0, 5.0, 40.0, 900.0]) for _ in range(23)]
    begins_ms, speech_ms = 333.0, 1740.0
    ends_ms = begins_ms + speech_ms

    async def talk() -> None:
        await world.begin()
        await world.speak(begins_ms, 60, delays_ms)
        now_ms = world.now_ms
        user = {"item_id": "u"}
        await world.server(now_ms + 1, "input_audio_buffer.speech_started", **user, audio_start_ms=200)
        end = round(speech_ms) + SILENCE_MS
        await world.server(now_ms + 2, "input_audio_buffer.speech_stopped", **user, audio_end_ms=end)
        await world.server(now_ms + 3, "input_audio_buffer.committed", **user, previous_item_id=None)
        await world.answer((now_ms + 100, now_ms + 250, now_ms + 400))
        await world.session.close()
        turn = world.turn()
        assert turn["speech_end_from"] == "vad"
        assert turn["first_event_ms"] == pytest.approx(now_ms + 100 - ends_ms, abs=5)
        assert turn["first_audio_ms"] == pytest.approx(now_ms + 250 - ends_ms, abs=5)
        assert turn["first_sound_ms"] == pytest.approx(now_ms + 400 + OUTPUT_LATENCY_MS - ends_ms, abs=5)

    run_blocking(talk())


def test_push_to_talk_counts_from_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, None)

    async def talk() -> None:
        await world.begin()
        await world.session.press()
        await world.speak(300, 25, [5.0])
        await world.at(1400)
        await world.session.release()
        await world.server(1450, "input_audio_buffer.committed", item_id="u", previous_item_id=None)
        await world.answer((1500, 1700, 1800))
        await world.session.close()
        turn = world.turn()
        assert turn["speech_end_from"] == "commit"
        assert turn["first_event_ms"] == pytest.approx(100, abs=5)
        assert turn["first_audio_ms"] == pytest.approx(300, abs=5)
        assert turn["first_sound_ms"] == pytest.approx(400 + OUTPUT_LATENCY_MS, abs=5)

    run_blocking(talk())


def test_semantic_turn_detection_counts_from_its_event_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, {"type": "semantic_vad", "eagerness": "auto"})

    async def talk() -> None:
        await world.begin()
        await world.speak(300, 50, [5.0])
        user = {"item_id": "u"}
        await world.server(2400, "input_audio_buffer.speech_started", **user, audio_start_ms=200)
        await world.server(2500, "input_audio_buffer.speech_stopped", **user, audio_end_ms=1600)
        await world.server(2501, "input_audio_buffer.committed", **user, previous_item_id=None)
        await world.answer((2600, 2700, 2800))
        await world.session.close()
        turn = world.turn()
        assert turn["speech_end_from"] == "speech_stopped"
        assert turn["first_event_ms"] == pytest.approx(100, abs=5)
        assert turn["first_sound_ms"] == pytest.approx(300 + OUTPUT_LATENCY_MS, abs=5)

    run_blocking(talk())


def test_without_an_answer_to_the_clock_no_sound_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, None)

    async def talk() -> None:
        world.page.show(world.session)
        world.page.grant("p", "start")
        await world.session.send_text("hello")
        await world.answer((100, 200, 300))
        await world.session.close()
        turn = world.turn()
        assert turn["first_audio_ms"] == pytest.approx(200, abs=5)
        assert turn.isna()["first_sound_ms"]

    run_blocking(talk())
