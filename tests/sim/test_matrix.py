"""A whole conversation through this package's own session, for whichever openai package is installed."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import pytest

import gip_nb
from gip_nb.audio import pcm16_from_wav
from tests.sim.clients import harness
from tests.sim.rehearsal_process import MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gip_nb.session.blocking import RealtimeSession
    from tests.sim.rehearsal_process import ServerProcess

pytestmark = pytest.mark.matrix
# Slow enough for blocking verbs to talk over it.
PACE = 2.0


@pytest.fixture(scope="module")
def served() -> Iterator[ServerProcess]:
    harness.needs_speech()
    with harness.paced_server(PACE) as server:
        yield server


def a_question_is_answered(session: RealtimeSession, fixtures: Path) -> None:
    reply = session.ask(fixtures / "hello_slt.wav")
    assert reply.status == "completed"
    assert reply.text
    assert len(reply.audio) > 1000 * MS // 2


def a_tool_is_called(session: RealtimeSession, fixtures: Path, asked: list[str]) -> None:
    reply = session.ask(fixtures / "weather_awb.wav")
    assert [city.lower() for city in asked] == ["seoul"]
    assert "31 degrees" in reply.text


def an_answer_is_talked_over(session: RealtimeSession, fixtures: Path) -> None:
    # Told of each: a `wait()` may begin after what it waits for.
    done: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    session.on("response.done", done.put)
    session.send_audio(pcm16_from_wav(fixtures / "count_rms.wav") + bytes(900 * MS))
    session.wait("response.output_audio.delta")
    session.send_audio(pcm16_from_wav(fixtures / "stop_slt.wav") + bytes(900 * MS))
    statuses = [done.get(timeout=20)["response"]["status"] for _ in range(2)]
    assert statuses == ["cancelled", "completed"]


@pytest.mark.parametrize("dialect", ["beta", "ga"])
def test_a_conversation_goes_without_an_error(served: ServerProcess, fixtures: Path, dialect: str) -> None:
    asked: list[str] = []

    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return harness.WEATHER

    base_url = served.url.removesuffix("/realtime").replace("ws://", "http://")
    session = gip_nb.connect(
        harness.MODEL, base_url=base_url, api_key=served.key, dialect=dialect, tools=[weather]
    )
    with session:
        a_question_is_answered(session, fixtures)
        a_tool_is_called(session, fixtures, asked)
        an_answer_is_talked_over(session, fixtures)
    events, items, turns = session.events, session.items, session.turns
    assert (events.direction == "received").sum() > 50
    assert session.payload(0)["dialect"] == dialect
    assert "error" not in set(events.type)
    assert {"user", "assistant"} <= set(items.role.dropna())
    assert len(turns) >= 4
    assert "completed" in set(turns.status)
