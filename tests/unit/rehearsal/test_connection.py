"""Latencies and pace to the millisecond: one connection on a loop whose clock stands still while it works."""

from __future__ import annotations

import asyncio
import json
import selectors
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.protocol.server.parts import Say
from gip_nb.protocol.server.protocol import ServerProtocol
from gip_nb.rehearsal.connection import Connection, Pace, Parts
from gip_nb.rehearsal.ears import NoEars
from gip_nb.rehearsal.frame_log import FrameLog
from tests.unit.protocol.server.server_end import LevelDetector, tone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine


class _Timeless(selectors.SelectSelector):
    """Waits for nothing: the time that it was asked to wait has passed at once."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen"
            self.passed_s += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._timeless = _Timeless()
        super().__init__(self._timeless)

    def time(self) -> float:
        return self._timeless.passed_s


class _Here(ThreadPoolExecutor):
    """What is given to a thread is done at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class _Socket:
    """A client's end of the socket, whose frames come and go at known times."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, dict[str, Any]]] = []
        self.closed: tuple[float, int, str] | None = None
        self._incoming: asyncio.Queue[str] = asyncio.Queue()

    async def send(self, data: bytes, *, text: bool) -> None:
        assert text
        self.sent.append((asyncio.get_running_loop().time(), json.loads(data)))

    async def close(self, code: int, reason: str) -> None:
        self.closed = (asyncio.get_running_loop().time(), code, reason)

    def __aiter__(self) -> AsyncIterator[str]:
        return self._frames()

    async def _frames(self) -> AsyncIterator[str]:
        while True:
            yield await self._incoming.get()

    def ask(self, event_type: str, **fields: object) -> None:
        self._incoming.put_nowait(json.dumps({"type": event_type, **fields}))

    def at_ms(self, event_type: str) -> list[int]:
        return [round(at * 1000) for at, event in self.sent if event["type"] == event_type]


class _Mouth:
    def __init__(self, speech_ms: int) -> None:
        self.speech_ms = speech_ms

    def speak(self, text: str, voice: str, speed: float, users_words: bytes) -> bytes:
        del text, voice, speed, users_words
        return tone(self.speech_ms)


def _connected(
    talk: Callable[[_Socket], Coroutine[Any, Any, None]],
    pace: Pace,
    *,
    speech_ms: int = 1000,
    expires_in_s: float | None = None,
) -> _Socket:
    """Serves a client that says its part and then stays for an hour."""

    async def serve() -> _Socket:
        asyncio.get_running_loop().set_default_executor(_Here())
        numbers = iter(range(100_000))
        protocol = ServerProtocol(
            "ga",
            model="rehearsal",
            new_id=lambda prefix: f"{prefix}_{next(numbers)}",
            wits=lambda _: [Say("one two three")],
            make_detector=LevelDetector,
        )
        socket = _Socket()
        parts = Parts(NoEars(), _Mouth(speech_ms), FrameLog(None))
        connection = Connection(socket, protocol, parts, pace, expires_in_s)  # type: ignore[arg-type] # a fake
        serving = asyncio.create_task(connection.run())
        await talk(socket)
        await asyncio.wait([serving], timeout=3600)
        serving.cancel()
        await asyncio.wait([serving])
        return socket

    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(serve())


async def _ask_for_an_answer(socket: _Socket) -> None:
    socket.ask("session.update", session={"type": "realtime"})
    await asyncio.sleep(1)
    socket.ask("response.create")


def test_latencies_are_what_they_say_and_hold_back_nothing_else() -> None:
    latency_s = {"created": 0.03, "updated": 0.05, "output": 0.07}
    socket = _connected(_ask_for_an_answer, Pace(latency_s))
    assert socket.at_ms("session.created") == [30]
    assert socket.at_ms("session.updated") == [30 + 50]
    assert socket.at_ms("response.created") == [1000]
    assert socket.at_ms("response.output_item.added") == [1000 + 70]
    assert socket.at_ms("response.done") == [1000 + 70]


def test_without_a_pace_an_answer_takes_no_time() -> None:
    socket = _connected(_ask_for_an_answer, Pace({}), speech_ms=10_000)
    assert {at for at, _ in socket.sent} == {0.0, 1.0}
    assert len(socket.at_ms("response.output_audio.delta")) == 100


@pytest.mark.parametrize(("times_real_time", "gap_ms"), [(1.0, 100), (2.0, 50), (0.5, 200)])
def test_at_a_pace_each_piece_comes_when_the_one_before_has_been_played(
    times_real_time: float, gap_ms: int
) -> None:
    socket = _connected(_ask_for_an_answer, Pace({}, times_real_time))
    assert socket.at_ms("response.output_audio.delta") == [1000 + gap_ms * n for n in range(10)]
    assert socket.at_ms("response.done") == [1000 + gap_ms * 10]


def test_at_a_pace_an_answer_is_cancelled_where_it_is() -> None:
    async def talk(socket: _Socket) -> None:
        await _ask_for_an_answer(socket)
        await asyncio.sleep(0.45)
        socket.ask("response.cancel")

    socket = _connected(talk, Pace({}, 1.0))
    assert len(socket.at_ms("response.output_audio.delta")) == 5
    assert socket.at_ms("response.done") == [1450]


def test_a_session_ends_at_its_time_in_the_middle_of_an_answer() -> None:
    socket = _connected(_ask_for_an_answer, Pace({}, 1.0), expires_in_s=1.25)
    assert socket.at_ms("response.output_audio.delta") == [1000, 1100, 1200]
    assert socket.at_ms("error") == [1250]
    assert socket.sent[-1][1]["error"]["code"] == "session_expired"
    assert socket.closed == (1.25, 1001, "Your session hit the maximum duration of 1.25 seconds.")


def test_how_long_a_session_lasted_is_told_in_minutes_where_it_is_minutes() -> None:
    async def talk(_: _Socket) -> None:
        pass

    for lasts_s, words in ((60.0, "1 minute"), (1800.0, "30 minutes"), (90.0, "90 seconds")):
        socket = _connected(talk, Pace({}), expires_in_s=lasts_s)
        assert socket.closed is not None
        assert socket.closed[2] == f"Your session hit the maximum duration of {words}."
