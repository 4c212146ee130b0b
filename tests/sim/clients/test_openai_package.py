"""The openai package's own realtime connections on `gip-nb serve`: both dialects, blocking and awaited."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import inspect
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.sim.clients import harness
from tests.sim.rehearsal_process import MS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.sim.rehearsal_process import ServerProcess

HAS_BETA = importlib.util.find_spec("openai.resources.beta.realtime") is not None
DIALECTS = [
    pytest.param(
        "beta", marks=pytest.mark.skipif(not HAS_BETA, reason="this openai package has no beta.realtime")
    ),
    "ga",
]
HEARD_MS = 400


@pytest.fixture(scope="module")
def served() -> Iterator[ServerProcess]:
    harness.needs_speech()
    with harness.paced_server() as server:
        yield server


class Talk:
    """One conversation over a connection of the package, its events kept.

    The blocking connection answers at once where the other one has to be awaited; all else is the same.
    """

    def __init__(self, connection: Any, dialect: str) -> None:
        self.connection = connection
        self.dialect = dialect
        self.events: list[Any] = []

    async def done(self, called: Any) -> Any:
        return await called if inspect.isawaitable(called) else called

    async def until(self, event_type: str) -> Any:
        while True:
            event = await self.done(self.connection.recv())
            self.events.append(event)
            assert event.type != "error", event
            if event.type == event_type:
                return event

    async def update(self, **session: Any) -> Any:
        if self.dialect == "ga":
            transcription = session.pop("input_audio_transcription", None)
            session = {"type": "realtime", **session}
            if transcription:
                session["audio"] = {"input": {"transcription": transcription}}
        await self.done(self.connection.session.update(session=session))
        return (await self.until("session.updated")).session

    async def say(self, wav: Path) -> None:
        for frame in harness.frames(harness.utterance(wav)):
            audio = base64.b64encode(frame).decode("ascii")
            await self.done(self.connection.input_audio_buffer.append(audio=audio))

    def audio(self, response_id: str) -> bytes:
        name = "response.audio.delta" if self.dialect == "beta" else "response.output_audio.delta"
        deltas = [e.delta for e in self.events if e.type == name and e.response_id == response_id]
        return b"".join(map(base64.b64decode, deltas))

    def transcript(self, response_id: str) -> str:
        name = "audio_transcript.delta" if self.dialect == "beta" else "output_audio_transcript.delta"
        return "".join(
            e.delta for e in self.events if e.type == f"response.{name}" and e.response_id == response_id
        )


@asynccontextmanager
async def awaited(served: ServerProcess, dialect: str) -> AsyncIterator[Talk]:
    url = served.url.removesuffix("/realtime")
    async with AsyncOpenAI(api_key=served.key, websocket_base_url=url) as openai:
        realtime: Any = openai.beta.realtime if dialect == "beta" else openai.realtime
        async with realtime.connect(model=harness.MODEL) as connection:
            yield Talk(connection, dialect)


@asynccontextmanager
async def blocking(served: ServerProcess, dialect: str) -> AsyncIterator[Talk]:
    url = served.url.removesuffix("/realtime")
    with OpenAI(api_key=served.key, websocket_base_url=url) as openai:
        realtime: Any = openai.beta.realtime if dialect == "beta" else openai.realtime
        with realtime.connect(model=harness.MODEL) as connection:
            yield Talk(connection, dialect)


CONNECTIONS = {"awaited": awaited, "blocking": blocking}


async def a_question_is_answered(talk: Talk, fixtures: Path) -> None:
    await talk.say(fixtures / "weather_awb.wav")
    done = (await talk.until("response.done")).response
    [completed] = [event for event in talk.events if event.type.endswith("transcription.completed")]
    assert "weather" in completed.transcript
    assert done.status == "completed"
    said = done.output[0].content[0].transcript
    assert "weather" in said
    assert talk.transcript(done.id) == said
    assert len(talk.audio(done.id)) > 3000 * MS


async def a_tool_is_called(talk: Talk, fixtures: Path) -> None:
    session = await talk.update(tools=[harness.WEATHER_TOOL], tool_choice="auto")
    assert [tool.name for tool in session.tools] == ["weather"]
    await talk.say(fixtures / "weather_awb.wav")
    [call] = (await talk.until("response.done")).response.output
    assert (call.type, call.name) == ("function_call", "weather")
    assert "seoul" in json.loads(call.arguments)["city"].lower()
    deltas = [event for event in talk.events if event.type == "response.function_call_arguments.delta"]
    assert "".join(event.delta for event in deltas) == call.arguments
    output = {"type": "function_call_output", "call_id": call.call_id, "output": harness.WEATHER}
    await talk.done(talk.connection.conversation.item.create(item=output))
    await talk.done(talk.connection.response.create())
    done = (await talk.until("response.done")).response
    assert done.status == "completed"
    assert "31 degrees" in talk.transcript(done.id)
    assert len(talk.audio(done.id)) > 1000 * MS


async def an_answer_is_talked_over(talk: Talk, fixtures: Path) -> None:
    await talk.update(tools=[])
    await talk.say(fixtures / "count_rms.wav")
    name = "response.audio.delta" if talk.dialect == "beta" else "response.output_audio.delta"
    first = await talk.until(name)
    while len(talk.audio(first.response_id)) < 2 * HEARD_MS * MS:
        await talk.until(name)
    await talk.say(fixtures / "stop_slt.wav")
    await talk.until("input_audio_buffer.speech_started")
    truncate = talk.connection.conversation.item.truncate
    await talk.done(truncate(item_id=first.item_id, content_index=0, audio_end_ms=HEARD_MS))
    # Truncated and cancelled come in the order that the server meets them.
    wanted = {"conversation.item.truncated", "response.done"}
    met: dict[str, Any] = {}
    while wanted - met.keys():
        event = await talk.done(talk.connection.recv())
        talk.events.append(event)
        assert event.type != "error", event
        if event.type in wanted:
            met.setdefault(event.type, event)
    truncated, done = met["conversation.item.truncated"], met["response.done"].response
    assert (truncated.item_id, truncated.audio_end_ms) == (first.item_id, HEARD_MS)
    assert (done.id, done.status) == (first.response_id, "cancelled")
    assert done.status_details.reason == "turn_detected"
    # What was said over it is answered, and whole.
    last = (await talk.until("response.done")).response
    assert last.status == "completed"
    assert talk.transcript(last.id) == last.output[0].content[0].transcript
    assert talk.audio(last.id)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("connection", ["awaited", pytest.param("blocking", marks=pytest.mark.soak)])
def test_a_conversation_goes_without_an_error(
    served: ServerProcess, fixtures: Path, dialect: str, connection: str
) -> None:
    async def converse() -> Talk:
        async with asyncio.timeout(harness.TALK_TIMEOUT_S):
            async with CONNECTIONS[connection](served, dialect) as talk:
                session = (await talk.until("session.created")).session
                assert hasattr(session, "modalities") == (dialect == "beta")
                await talk.update(input_audio_transcription={"model": "whisper-1"})
                await a_question_is_answered(talk, fixtures)
                await a_tool_is_called(talk, fixtures)
                await an_answer_is_talked_over(talk, fixtures)
                return talk

    talk = asyncio.run(converse())
    kinds = [event.type for event in talk.events]
    assert kinds.count("response.created") == kinds.count("response.done") == 5
    assert kinds.count("input_audio_buffer.committed") == 4
    assert "error" not in kinds
