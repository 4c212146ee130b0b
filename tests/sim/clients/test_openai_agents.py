"""`RealtimeRunner` of openai-agents (GA) on `gip-nb serve`: its own tool calls, its own truncation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.sim.clients import harness
from tests.sim.rehearsal_process import MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.sim.rehearsal_process import ServerProcess

agents: Any = pytest.importorskip("agents", reason="no openai-agents: pip install openai-agents")
realtime: Any = pytest.importorskip("agents.realtime")

HEARD_MS = 400


@pytest.fixture(scope="module")
def served() -> Iterator[ServerProcess]:
    harness.needs_speech()
    with harness.paced_server() as server:
        yield server


class Talk:
    """One conversation of a runner, its events kept: its own, and the server's beneath them."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.events: list[Any] = []
        self.wire: list[dict[str, Any]] = []
        self._coming = aiter(session)

    async def until(self, has_come: Callable[[Any], bool]) -> None:
        """Reads until an event makes this true."""
        while True:
            event = await anext(self._coming)
            self.events.append(event)
            assert event.type != "error", event.error
            if event.type == "raw_model_event":
                assert event.data.type not in ("error", "exception"), event.data
                if event.data.type == "raw_server_event":
                    self.wire.append(event.data.data)
                    assert event.data.data["type"] != "error", event.data.data
            if has_come(event):
                return

    async def until_wire(self, event_type: str, **fields: object) -> dict[str, Any]:
        """Reads until the server has sent this; returns it."""

        def is_it(event: Any) -> bool:
            if event.type != "raw_model_event" or event.data.type != "raw_server_event":
                return False
            wire = self.wire[-1]
            return bool(wire["type"] == event_type) and fields.items() <= wire.items()

        await self.until(is_it)
        return self.wire[-1]

    async def say(self, wav: Path) -> None:
        for frame in harness.frames(harness.utterance(wav)):
            await self.session.send_audio(frame)

    def audio(self, item_id: str) -> bytes:
        return b"".join(e.audio.data for e in self.events if e.type == "audio" and e.item_id == item_id)


async def a_question_is_answered(talk: Talk, fixtures: Path) -> None:
    await talk.say(fixtures / "hello_slt.wav")
    done = (await talk.until_wire("response.done"))["response"]
    assert done["status"] == "completed"
    await talk.until(lambda event: event.type == "agent_end")
    said = done["output"][0]["content"][0]["transcript"]
    assert said
    assert len(talk.audio(done["output"][0]["id"])) > 1000 * MS
    history = {item.item_id: item for item in talk.session._history if item.type == "message"}
    [heard] = [item for item in history.values() if item.role == "user"]
    assert "hello" in heard.content[0].transcript
    assert history[done["output"][0]["id"]].content[0].transcript == said


async def a_tool_is_called(talk: Talk, fixtures: Path, asked: list[str]) -> None:
    await talk.say(fixtures / "weather_awb.wav")
    await talk.until(lambda event: event.type == "tool_end")
    assert talk.events[-1].output == harness.WEATHER
    assert [city.lower() for city in asked] == ["seoul"]
    # The call's own response is done before or after its tool has run: the answer is the one that speaks.
    while True:
        done = (await talk.until_wire("response.done"))["response"]
        if done["output"][0]["type"] == "message":
            break
    assert done["status"] == "completed"
    assert "31 degrees" in done["output"][0]["content"][0]["transcript"]
    assert len(talk.audio(done["output"][0]["id"])) > 1000 * MS


async def an_answer_is_talked_over(talk: Talk, fixtures: Path, player: Any) -> None:
    await talk.say(fixtures / "count_rms.wav")
    await talk.until(lambda event: event.type == "audio")
    item_id = talk.events[-1].item_id
    await talk.until(lambda event: len(talk.audio(item_id)) >= 2 * HEARD_MS * MS)
    player.on_play_ms(item_id, 0, HEARD_MS)
    await talk.say(fixtures / "stop_slt.wav")
    await talk.until(lambda event: event.type == "audio_interrupted")
    assert talk.events[-1].item_id == item_id
    truncated = await talk.until_wire("conversation.item.truncated", item_id=item_id)
    assert truncated["audio_end_ms"] == HEARD_MS
    # What was said over it is answered, and whole.
    while True:
        done = (await talk.until_wire("response.done"))["response"]
        if done["status"] == "completed":
            break
    assert done["output"][0]["content"][0]["transcript"]
    assert talk.audio(done["output"][0]["id"])


def test_a_conversation_goes_without_an_error(
    served: ServerProcess, fixtures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return harness.WEATHER

    agent = realtime.RealtimeAgent(name="Forecaster", tools=[agents.function_tool(weather)])
    player = realtime.RealtimePlaybackTracker()
    config = {
        "url": f"{served.url}?model={harness.MODEL}",
        "api_key": served.key,
        "playback_tracker": player,
        "initial_model_settings": {
            "model_name": harness.MODEL,
            "input_audio_transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "interrupt_response": True},
        },
    }

    async def converse() -> Talk:
        async with asyncio.timeout(harness.TALK_TIMEOUT_S):
            async with await realtime.RealtimeRunner(agent).run(model_config=config) as session:
                talk = Talk(session)
                await a_question_is_answered(talk, fixtures)
                await a_tool_is_called(talk, fixtures, asked)
                await an_answer_is_talked_over(talk, fixtures, player)
                return talk

    talk = asyncio.run(converse())
    kinds = [event["type"] for event in talk.wire]
    statuses = [event["response"]["status"] for event in talk.wire if event["type"] == "response.done"]
    assert statuses == ["completed", "completed", "completed", "cancelled", "completed"]
    assert kinds.count("input_audio_buffer.committed") == 4
    # What the package cannot make sense of it logs, and goes on.
    assert [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
