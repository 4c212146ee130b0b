"""What is done while there is no connection holds on the next one, or is a row."""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.errors import KeyRefused, ServerError
from gip_nb.session.loop import loop
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import Cue, Cut, Refuse, Say, Stage, session_created, session_updated
from gip_nb.tools import Toolbox
from tests.sim.session.test_reconnect import FRAME, KEY, MODEL, Scene, again, greeting, hear, lines, numbers
from tests.sim.session.test_scenes.scene import in_both_dialects
from tests.sim.session.verbs import SPEECH, in_a_loop, on_the_loop, willing

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing import Event, Step

PATIENT = {"first_wait_s": 60.0}
DETECTION = {"type": "server_vad"}


def cut_at(kind: str, dialect: Dialect = "ga") -> list[Step]:
    """A willing server whose connection ends when this event comes."""
    return [session_created(dialect), willing(dialect, {kind: lambda _event: [Cut()]})]


async def lost(scene: Scene) -> None:
    await scene.until(lambda: scene.told.attempts, "the line is gone")


def detection_of(event: Event) -> Any:
    session = event["session"]
    return session.get("audio", {}).get("input", session).get("turn_detection", "not asked for")


# ---- an utterance of a verb --------------------------------------------------------------------------------


async def is_heard_by_turn_detection(scene: Scene, visit: int) -> None:
    await scene.session.clear()
    updates = [detection_of(e) for e in scene.received(visit, "session.update")]
    assert [d for d in updates if d != "not asked for"][-1] == DETECTION
    assert not scene.session.by_hand
    before = len(scene.sound(visit))
    await hear(scene, 5)
    await scene.session.clear()
    assert numbers(scene.sound(visit)[before:]) == [1, 2, 3, 4, 5]


@in_both_dialects
@in_a_loop
async def test_a_spoken_question_that_is_given_up_in_the_gap_gives_turn_detection_back(
    dialect: Dialect,
) -> None:
    first = cut_at("input_audio_buffer.commit", dialect)
    options: dict[str, Any] = {"reconnect": PATIENT, "turn_detection": DETECTION}
    async with lines(first, again(dialect), dialect=dialect, **options) as scene:
        await scene.settled()
        asking = asyncio.create_task(scene.session.ask(SPEECH, timeout_s=30))
        await lost(scene)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        # The microphone is heard again, and what nobody waits for is not said again.
        await hear(scene, 3, 90)
        await on_the_loop(scene.session.try_now)
        await scene.back()
        await is_heard_by_turn_detection(scene, 2)
        assert numbers(scene.sound(2))[:3] == [91, 92, 93]
        assert scene.received(2, "input_audio_buffer.commit") == []


@in_a_loop
async def test_an_utterance_that_fails_as_the_line_goes_each_time_gives_turn_detection_back() -> None:
    script: list[Step] = [
        session_created(),
        willing("ga", {"response.create": lambda _event: [Cut()]}),
    ]
    async with lines(*[script] * 4, again(), turn_detection=DETECTION) as scene:
        await scene.settled()
        with pytest.raises(ServerError, match="each time"):
            await scene.session.ask(SPEECH, timeout_s=30)
        await scene.back(5)
        await is_heard_by_turn_detection(scene, 5)


@in_a_loop
async def test_turn_detection_is_lent_again_before_the_server_has_told_that_it_is_back() -> None:
    updates = count(1)

    def slow(_event: Event) -> list[Step]:
        # The third is answered with the fourth.
        return [Say(session_updated)] * {3: 0, 4: 2}.get(next(updates), 1)

    script: list[Step] = [session_created(), willing("ga", {"session.update": slow})]
    async with lines(script, turn_detection=DETECTION) as scene:
        await scene.settled()
        for _ in range(2):
            await scene.session.ask(SPEECH, timeout_s=10)
        await scene.session.clear()
        kinds = ("session.update", "input_audio_buffer.commit")
        sent = [
            detection_of(e) if e["type"] == "session.update" else "said" for e in scene.received(1, *kinds)
        ]
        assert sent == [DETECTION, None, "said", DETECTION, None, "said", DETECTION]


# ---- tools -------------------------------------------------------------------------------------------------


def toolbox(namespace: dict[str, Any], doc: str) -> Toolbox:
    """A cell that defines `look`, as the notebook runs it."""
    exec(f"def look(where: str) -> str:\n    '''{doc}'''\n    return where", namespace)  # noqa: S102 - a cell
    return Toolbox([namespace["look"]])


async def look_again(scene: Scene) -> bool:
    looking = asyncio.run_coroutine_threadsafe(scene.session.calls.look_again(), loop())
    return await asyncio.wrap_future(looking)


@in_both_dialects
@in_a_loop
async def test_a_tool_that_is_redefined_in_the_gap_is_told_as_it_is_then(dialect: Dialect) -> None:
    cells: dict[str, Any] = {"__name__": "__main__"}
    tools = toolbox(cells, "Look.")
    first = cut_at("input_audio_buffer.clear", dialect)
    async with lines(first, again(dialect), dialect=dialect, tools=tools, reconnect=PATIENT) as scene:
        await scene.settled()
        clearing = asyncio.create_task(scene.session.clear())
        await lost(scene)
        toolbox(cells, "Look anew.")
        # Every cell that runs looks: told once.
        assert [await look_again(scene) for _ in range(3)] == [True, False, False]
        await on_the_loop(scene.session.try_now)
        await scene.back()
        await clearing
        told = [e["session"]["tools"] for e in scene.received(2, "session.update")]
        assert [[tool["description"] for tool in tools] for tools in told] == [["Look anew."]]
        assert len(scene.rows("local.tool.redefined")) == 1


@in_a_loop
async def test_after_the_end_no_tool_is_told_and_no_row_says_so() -> None:
    cells: dict[str, Any] = {"__name__": "__main__"}
    async with lines(again(), tools=toolbox(cells, "Look.")) as scene:
        await scene.settled()
    toolbox(cells, "Look anew.")
    assert await look_again(scene)
    assert scene.rows("local.tool.redefined") == []


# ---- what the microphone heard -----------------------------------------------------------------------------


async def is_in(session: AsyncRealtimeSession, *states: str) -> None:
    async with asyncio.timeout(10):
        while session.state not in states:  # noqa: ASYNC110 - a session of its own loop tells no other one
            await asyncio.sleep(0.002)


async def speak(session: AsyncRealtimeSession, frames: int) -> None:
    def push() -> None:
        for _ in range(frames):
            session.push_microphone(FRAME)

    await on_the_loop(push)


@pytest.mark.parametrize("way", ["given up", "closed"])
@in_a_loop
async def test_what_was_kept_for_a_connection_that_never_comes_is_a_row(way: str) -> None:
    script: list[Step] = [*greeting(), Cue("go"), Cut()]
    policy = {**PATIENT, "kept_audio_s": 2.0}
    async with lines(script, [Refuse(401)], reconnect=policy, to_the_end=False) as scene:
        await scene.settled()
        scene.stage.cue("go")
        await lost(scene)
        await hear(scene, 75)
        if way == "closed":
            await scene.session.close()
        else:
            await on_the_loop(scene.session.try_now)
            await is_in(scene.session, "error")
    # What was too much to be kept, too.
    assert scene.rows("local.mic.gap") == [{"type": "local.mic.gap", "lost_ms": 3000, "reason": "ended"}]


@in_a_loop
async def test_what_was_kept_and_sent_is_no_loss_at_the_end() -> None:
    script: list[Step] = [*greeting(), Cue("go"), Cut()]
    async with lines(script, again(), reconnect=PATIENT) as scene:
        await scene.settled()
        scene.stage.cue("go")
        await lost(scene)
        await hear(scene, 75)
        await on_the_loop(scene.session.try_now)
        await scene.back()
        await scene.session.clear()
    assert scene.rows("local.mic.gap") == []


class Door:
    """A transport that opens to a key that is refused, and not before it is let."""

    def __init__(self) -> None:
        self.knocked = threading.Event()
        self.may_answer = asyncio.Event()

    def __call__(self, *_settings: object) -> Any:
        return self

    async def open(self) -> None:
        self.knocked.set()
        await self.may_answer.wait()
        raise KeyRefused("no", "look at it.")

    async def close(self) -> None: ...


@in_a_loop
async def test_what_was_said_while_it_connected_and_never_did_is_a_row() -> None:
    door = Door()
    settings = resolve(MODEL, base_url="http://127.0.0.1:1", api_key=KEY, environment={})
    session = AsyncRealtimeSession(settings, transport=door)
    connecting = asyncio.create_task(session.connect())
    assert await asyncio.to_thread(door.knocked.wait, 10)
    await speak(session, 300)
    await on_the_loop(door.may_answer.set)
    with pytest.raises(KeyRefused):
        await connecting
    assert gaps_of(session) == [{"type": "local.mic.gap", "lost_ms": 300 * 40, "reason": "ended"}]


@in_a_loop
async def test_of_what_is_said_while_it_connects_the_newest_is_sent_and_the_rest_is_a_row() -> None:
    script: list[Step] = [Cue("go"), *greeting()]
    async with Stage(script) as stage:
        settings = resolve(MODEL, base_url=stage.url, api_key=KEY, environment={})
        session = AsyncRealtimeSession(settings)
        connecting = asyncio.create_task(session.connect())
        await is_in(session, "connecting")
        await speak(session, 300)
        stage.cue("go")
        await connecting
        await session.close()
        frames = [e for e in stage.received if e["type"] == "input_audio_buffer.append"]
    assert len(frames) == 250
    assert gaps_of(session) == [{"type": "local.mic.gap", "lost_ms": 50 * 40, "reason": "connecting"}]


def gaps_of(session: AsyncRealtimeSession) -> list[dict[str, Any]]:
    log = session.log
    return [log.payload(n) for n, row in enumerate(log.rows) if row.type == "local.mic.gap"]
