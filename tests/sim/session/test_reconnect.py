"""The line goes, at every point of a turn, and the talk goes on: what the user sees, what the tables hold."""

from __future__ import annotations

import asyncio
import base64
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pytest

import gip_nb
from gip_nb.errors import AlreadyClosed, ConnectionDropped, GipError, KeyRefused, ServerError
from gip_nb.journal.tables import Tables
from gip_nb.session import embedded
from gip_nb.session.loop import loop
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import (
    Close,
    Cue,
    Cut,
    Expect,
    ExpectClose,
    Refuse,
    Say,
    Stage,
    answer,
    error,
    item_taken,
    session_created,
    session_updated,
    tool_call,
    user_spoke,
)
from gip_nb.tools import Toolbox
from tests.sim.session.test_scenes.scene import AT_ONCE, in_both_dialects
from tests.sim.session.verbs import Half, Heard, in_a_loop, on_the_loop, willing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.reconnecting import Attempt
    from gip_nb.session.speaker import Speaker
    from gip_nb.testing import Event, Step

MODEL = "openai/gpt-realtime"
KEY = "sk-secret-0123456789"
FRAME = np.full(960, 1000, "<i2").tobytes()
FRAME_SAMPLES = 960


class Told(Heard):
    """A listener that also notes the states, and where reconnecting is."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[str] = []
        self.attempts: list[Attempt | None] = []

    def state_changed(self, state: str) -> None:
        self.states.append(state)

    def reconnect_changed(self, attempt: Attempt | None) -> None:
        self.attempts.append(attempt)


class Scene(NamedTuple):
    """A session on a stage whose connections end."""

    stage: Stage
    session: AsyncRealtimeSession
    told: Told

    def received(self, visit: int, *kinds: str) -> list[Event]:
        """What the client sent on this connection, from 1; only these kinds."""
        return [e for e in self.stage.visits[visit - 1].received if not kinds or e["type"] in kinds]

    def types(self, visit: int) -> list[str]:
        """Without the audio, runs of one type as one."""
        kinds = [e["type"] for e in self.received(visit) if e["type"] != "input_audio_buffer.append"]
        return [k for n, k in enumerate(kinds) if n == 0 or kinds[n - 1] != k]

    def sound(self, visit: int) -> bytes:
        """The audio that was appended on this connection."""
        frames = self.received(visit, "input_audio_buffer.append")
        return b"".join(base64.b64decode(e["audio"]) for e in frames)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        log = self.session.log
        return [log.payload(n) for n, row in enumerate(log.rows) if row.type == kind]

    async def until(self, holds: Callable[[], object], what: str) -> None:
        async with asyncio.timeout(10):
            while not holds():
                assert self.session.state != "error", f"{self.session.error!r} before {what}"
                await asyncio.sleep(0.002)

    async def back(self, connections: int = 2) -> None:
        await self.until(lambda: len(self.rows("local.connection.restored")) == connections - 1, "it is back")
        await self.settled()

    async def settled(self) -> None:
        """The settings of the start are told."""
        told = self.session.first_settings_told()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(told, loop()))


@asynccontextmanager
async def lines(
    *scripts: list[Step],
    dialect: Dialect | Literal["auto"] = "ga",
    speaker: Speaker | None = None,
    tools: Toolbox | None = None,
    reconnect: Any = AT_ONCE,
    to_the_end: bool = True,
    **options: Any,
) -> AsyncIterator[Scene]:
    """A session that is connected to the first of these scripts; at its end, what always holds."""
    told = Told()
    async with Stage(*scripts, to_the_end=to_the_end) as stage:
        settings = resolve(
            MODEL,
            base_url=stage.url,
            api_key=KEY,
            environment={},
            dialect=dialect,
            reconnect=reconnect,
            **options,
        )
        session = AsyncRealtimeSession(settings, listener=told, speaker=speaker, tools=tools)
        async with session:
            scene = Scene(stage, session, told)
            yield scene
        holds_always(scene)


def holds_always(scene: Scene) -> None:
    """No frame is missing, no call answered twice, and the log tells the tables again."""
    session = scene.session
    log = session.log
    sent = [one for visit in scene.stage.visits for one in visit.received]
    rows = [log.payload(n) for n, row in enumerate(log.rows) if row.direction == "sent"]
    # What was on its way when the line went is a row all the same.
    assert [one for one in sent if one not in rows] == []
    received = sum(row.direction == "received" for row in log.rows)
    # What a server said on a connection that was not used is told by the row of that.
    aside = sum(len(row["received"]) for row in scene.rows("local.connection.spare"))
    assert received + aside == len(scene.stage.sent)
    rebuilt = Tables(log)
    assert rebuilt.turns().to_csv() == session.turns.to_csv()
    assert rebuilt.items().to_csv() == session.items.to_csv()
    for visit in scene.stage.visits:
        items = [e["item"] for e in visit.received if e["type"] == "conversation.item.create"]
        answered = [i["call_id"] for i in items if i["type"] == "function_call_output"]
        assert len(answered) == len(set(answered)), "a call was answered twice"
        given: set[str] = set()
        for event in visit.received:
            if event["type"] == "conversation.item.create":
                assert event["item"]["id"] not in given, "an item was given twice"
                given.add(event["item"]["id"])
            elif event["type"] == "conversation.item.delete":
                given.discard(event["item_id"])
    ended = session.events[session.events.event == "response.done"]
    assert session.turns.requests.sum() == ended.response_id.nunique()


def greeting(dialect: Dialect = "ga", **session: Any) -> list[Step]:
    return [session_created(dialect, **session), Expect("session.update"), Say(session_updated)]


def asked(dialect: Dialect = "ga") -> list[Step]:
    return [
        *greeting(dialect),
        Expect("conversation.item.create"),
        Say(item_taken),
        Expect("response.create"),
    ]


def again(dialect: Dialect = "ga", answers: Any = None) -> list[Step]:
    """Another connection, to a server that does what it is asked."""
    return [session_created(dialect, id="sess_2"), willing(dialect, answers or {})]


def begun(dialect: Dialect, text: str, up_to: str, **fields: Any) -> list[Event]:
    """An answer, up to and with the last event of this kind, in canonical names."""
    said = answer(text, dialect=dialect, response_id="resp_lost", item_id="item_lost", **fields)
    ends = [n for n, e in enumerate(said) if e["type"].replace("output_", "").endswith(up_to)]
    return said[: ends[-1] + 1]


# ---- a text turn, cut at each of its points ----------------------------------------------------------------

CUTS: dict[str, Callable[[Dialect], list[Step]]] = {
    "before it was taken": lambda d: [*greeting(d), Expect("conversation.item.create"), Cut()],
    "before it began": lambda d: [*asked(d), Cut()],
    "as it began": lambda d: [*asked(d), *begun(d, "One two", "response.created"), Cut()],
    "in its words": lambda d: [*asked(d), *begun(d, "One two", "audio_transcript.delta"), Cut()],
    "in its sound": lambda d: [*asked(d), *begun(d, "One two", "response.audio.delta"), Cut()],
    "before its end": lambda d: [*asked(d), *begun(d, "One two", "item.done"), Cut()],
}


@in_both_dialects
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@in_a_loop
async def test_a_question_is_answered_whenever_the_line_goes(
    dialect: Dialect, cut: Callable[[Dialect], list[Step]]
) -> None:
    async with lines(cut(dialect), again(dialect), dialect=dialect) as scene:
        reply = await scene.session.ask("Count.", timeout_s=10)
        assert reply.text == "answer 1"
        assert (reply.turn, reply.status) == (1, "completed")
        (first,) = scene.received(1, "conversation.item.create")
        (given,) = scene.received(2, "conversation.item.create")
        assert given["item"] == first["item"], "the same item, by the same id"
        assert scene.types(2) == ["session.update", "conversation.item.create", "response.create"]
        assert len(scene.received(2, "response.create")) == 1
        turns = scene.session.turns
        assert turns.user_text.tolist() == ["Count."]
        assert turns.requests.tolist() == [1]
        assert scene.session.events.connection.dropna().unique().tolist() == [1, 2]
        assert "reconnecting" in scene.told.states
        assert scene.told.states[-1] in {"listening", "thinking", "speaking"}
        assert scene.told.attempts[-1] is None
        assert scene.told.failures == []
        assert scene.session.session_id == "sess_stage"  # as its update's answer says it


@in_both_dialects
@in_a_loop
async def test_what_was_given_of_an_answer_stays_as_far_as_it_came(dialect: Dialect) -> None:
    script = CUTS["in its sound"](dialect)
    async with lines(script, again(dialect), dialect=dialect) as scene:
        await scene.session.ask("Count.", timeout_s=10)
    items, responses = scene.session.items, scene.session.responses
    assert items.text[items.role == "assistant"].tolist() == ["One two", "answer 1"]
    assert items.status[items.role == "assistant"].tolist() == ["incomplete", "completed"]
    assert responses.loc["resp_lost"].status == "incomplete"
    assert responses.loc["resp_lost"].reason == "connection_lost"
    assert len(scene.session.audio("item_lost").data) > 0


@in_a_loop
async def test_what_somebody_has_heard_of_a_lost_answer_is_in_the_history() -> None:
    class Plays(Half):
        def play(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
            super().play(item_id, content_index, start_sample, audio)
            scene.session.note("playback.started", item_id=item_id, played_samples=0)
            scene.session.note("playback.position", item_id=item_id, played_samples=2400)

    script = CUTS["in its sound"]("ga")
    async with lines(script, again(), speaker=Plays(100)) as scene:
        await scene.session.ask("Count.", timeout_s=10)
        given = [e["item"] for e in scene.received(2, "conversation.item.create")]
        assert [(i["role"], i["content"][0]["text"]) for i in given] == [
            ("user", "Count."),
            ("assistant", "One two"),
        ]
        # It plays out, and is stopped: the server that has all of its words is given those that were heard.
        await scene.session.interrupt()
        await scene.session.clear()
        kinds = ("conversation.item.truncate", "conversation.item.delete", "conversation.item.create")
        cut = [e for e in scene.received(2, *kinds)[2:] if e.get("item_id", "item_lost") == "item_lost"]
        assert [e["type"] for e in cut] == list(kinds[1:])
        assert cut[1]["item"]["content"][0]["text"] == "One"


@in_a_loop
async def test_an_answer_that_was_interrupted_is_not_asked_for_again() -> None:
    script: list[Step] = [
        *asked(),
        *begun("ga", "One two", "response.audio.delta"),
        Expect("response.cancel"),
        Cut(),
    ]
    async with lines(script, again(), speaker=Half(50)) as scene:
        asking = asyncio.create_task(scene.session.ask("Count.", timeout_s=10))
        await scene.until(lambda: "item_lost" in scene.session.protocol.conversation.items, "it begins")
        await scene.until(lambda: scene.session.state in {"thinking", "speaking"}, "it is given")
        await scene.until(lambda: scene.session.protocol.playing_items, "it sounds")
        await scene.session.interrupt()
        await asking
        await scene.back()
        await scene.session.clear()
        assert scene.received(2, "response.create") == []
        kinds = {"conversation.item.truncate", "response.cancel", "conversation.item.delete"}
        assert scene.received(2, *kinds) == []


@in_a_loop
async def test_an_answer_over_which_the_line_goes_each_time_is_given_up() -> None:
    script = CUTS["in its words"]("ga")
    async with lines(*[script] * 4, again()) as scene:
        with pytest.raises(ServerError, match="each time"):
            await scene.session.ask("Count.", timeout_s=20)
        await scene.back(5)


# ---- calls -------------------------------------------------------------------------------------------------


class Slow:
    """A function that is called once, and returns when it may."""

    def __init__(self) -> None:
        self.calls = 0
        self.began = threading.Event()
        self.may_return = threading.Event()

    def toolbox(self) -> Toolbox:
        def look(where: str) -> str:
            """Look somewhere."""
            self.calls += 1
            self.began.set()
            assert self.may_return.wait(10)
            return f"seen {where}"

        return Toolbox([look])


def calling(dialect: Dialect = "ga", *, whole: bool = True) -> list[Event]:
    events = tool_call("look", {"where": "there"}, dialect=dialect, response_id="resp_c", item_id="item_c")
    return events if whole else [e for e in events if not e["type"].endswith("done")]


@in_both_dialects
@in_a_loop
async def test_a_call_that_was_not_whole_is_forgotten_and_the_answer_asked_for_again(
    dialect: Dialect,
) -> None:
    slow = Slow()
    script: list[Step] = [*asked(dialect), *calling(dialect, whole=False), Cut()]
    async with lines(script, again(dialect), dialect=dialect, tools=slow.toolbox()) as scene:
        assert (await scene.session.ask("Look.", timeout_s=10)).text == "answer 1"
        given = [e["item"]["type"] for e in scene.received(2, "conversation.item.create")]
        assert given == ["message"]
    assert slow.calls == 0


@in_both_dialects
@in_a_loop
async def test_a_function_that_runs_is_answered_once_by_the_next_connection(dialect: Dialect) -> None:
    slow = Slow()
    script: list[Step] = [*asked(dialect), *calling(dialect), Cue("ran"), Cut()]
    async with lines(script, again(dialect), dialect=dialect, tools=slow.toolbox()) as scene:
        asking = asyncio.create_task(scene.session.ask("Look.", timeout_s=10))
        await scene.until(slow.began.is_set, "it runs")
        scene.stage.cue("ran")
        await scene.back()
        slow.may_return.set()
        assert (await asking).text == "answer 1"
        given = [e["item"] for e in scene.received(2, "conversation.item.create")]
        assert [i["type"] for i in given] == ["message", "function_call", "function_call_output"]
        assert [i.get("call_id") for i in given[1:]] == ["call_1", "call_1"]
        assert given[2]["output"] == "seen there"
        assert len(scene.received(2, "response.create")) == 1
    calls = scene.session.tool_calls
    assert (calls.index.tolist(), calls.output.tolist()) == (["call_1"], ["seen there"])
    assert slow.calls == 1


@in_a_loop
async def test_a_function_may_return_while_there_is_no_connection() -> None:
    slow = Slow()
    script: list[Step] = [*asked(), *calling(), Cue("ran"), Cut()]
    patient = {"first_wait_s": 60.0}
    async with lines(script, again(), tools=slow.toolbox(), reconnect=patient) as scene:
        asking = asyncio.create_task(scene.session.ask("Look.", timeout_s=10))
        await scene.until(slow.began.is_set, "it runs")
        scene.stage.cue("ran")
        await scene.until(lambda: scene.told.attempts, "it waits for its first attempt")
        slow.may_return.set()
        await scene.until(lambda: scene.rows("local.tool.finished"), "it has returned")
        await on_the_loop(scene.session.try_now)
        assert (await asking).text == "answer 1"
        given = [e["item"]["type"] for e in scene.received(2, "conversation.item.create")]
        assert given == ["message", "function_call", "function_call_output"]


@in_both_dialects
@in_a_loop
async def test_between_an_output_and_its_answer(dialect: Dialect) -> None:
    slow = Slow()
    slow.may_return.set()
    script: list[Step] = [
        *asked(dialect),
        *calling(dialect),
        Expect("conversation.item.create"),
        Say(item_taken),
        Expect("response.create"),
        Cut(),
    ]
    async with lines(script, again(dialect), dialect=dialect, tools=slow.toolbox()) as scene:
        assert (await scene.session.ask("Look.", timeout_s=10)).text == "answer 1"
        given = [e["item"] for e in scene.received(2, "conversation.item.create")]
        assert [i["type"] for i in given] == ["message", "function_call", "function_call_output"]
        assert len(scene.received(2, "response.create")) == 1
    assert slow.calls == 1


# ---- the user's voice --------------------------------------------------------------------------------------


async def hear(scene: Scene, frames: int, start: int = 0) -> None:
    """Frames of the microphone, each with a number in it."""

    def push() -> None:
        for n in range(start, start + frames):
            scene.session.push_microphone(np.full(960, n + 1, "<i2").tobytes())

    await on_the_loop(push)


def numbers(pcm: bytes) -> list[int]:
    """The numbers of the frames that this is made of."""
    found = np.frombuffer(pcm, "<i2")[::FRAME_SAMPLES]
    return [int(n) for n in found]


@in_both_dialects
@in_a_loop
async def test_what_the_user_was_saying_goes_on_on_the_next_connection(dialect: Dialect) -> None:
    started = user_spoke("all of it", dialect=dialect, item_id="item_half")[:1]
    script: list[Step] = [*greeting(dialect), Cue("heard"), *started, Cue("more"), Cut()]
    second: list[Step] = [
        session_created(dialect, id="sess_2"),
        Expect("session.update"),
        Say(session_updated),
        Cue("all"),
        *user_spoke("all of it", dialect=dialect, item_id="item_whole"),
        *answer("I hear", dialect=dialect, response_id="resp_2", item_id="item_2"),
    ]
    async with lines(script, second, dialect=dialect, reconnect={"first_wait_s": 60.0}) as scene:
        await scene.settled()
        await hear(scene, 5)
        scene.stage.cue("heard")
        await scene.until(lambda: scene.session.state == "hearing", "it hears")
        await hear(scene, 5, 5)
        await scene.until(lambda: len(scene.sound(1)) == 10 * len(FRAME), "all was sent")
        scene.stage.cue("more")
        await scene.until(lambda: scene.told.attempts, "the line is gone")
        assert scene.session.state == "reconnecting"
        await hear(scene, 5, 10)
        await on_the_loop(scene.session.try_now)
        await scene.back()
        await hear(scene, 5, 15)
        await scene.until(lambda: len(scene.sound(2)) >= 20 * len(FRAME), "all of it was sent")
        scene.stage.cue("all")
        await scene.until(lambda: len(scene.session.protocol.conversation.turns) == 1, "a turn")
        await scene.until(lambda: scene.session.state == "listening", "its end")
        assert numbers(scene.sound(2)) == list(range(1, 21))
    items = scene.session.items
    assert items.text[~items.deleted].tolist() == ["all of it", "I hear"]
    (restored,) = scene.rows("local.connection.restored")
    assert restored["resent_samples"] == 10 * FRAME_SAMPLES
    assert scene.rows("local.mic.gap") == []


@in_a_loop
async def test_of_a_long_gap_the_newest_is_kept_and_the_rest_is_a_row() -> None:
    second: list[Step] = [*greeting(id="sess_2")]
    limited = {"first_wait_s": 60.0, "kept_audio_s": 0.4}
    async with lines([*greeting(), Cue("go"), Close(1012)], second, reconnect=limited) as scene:
        await scene.settled()
        scene.stage.cue("go")
        await scene.until(lambda: scene.told.attempts, "the line is gone")
        await hear(scene, 25)
        await on_the_loop(scene.session.try_now)
        await scene.back()
        await scene.until(lambda: len(scene.sound(2)) >= 10 * len(FRAME), "what is kept was sent")
    assert numbers(scene.sound(2)) == list(range(16, 26))
    (gap,) = scene.rows("local.mic.gap")
    assert gap["lost_ms"] == 15 * 40


@in_a_loop
async def test_a_key_that_is_held_over_the_gap_is_one_utterance() -> None:
    second: list[Step] = [
        *greeting(id="sess_2"),
        Expect("input_audio_buffer.commit"),
        {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "item_said"},
        Expect("response.create"),
        *answer("Yes", response_id="resp_2", item_id="item_2"),
    ]
    script: list[Step] = [*greeting(), Cue("go"), Cut()]
    async with lines(script, second, reconnect={"first_wait_s": 60.0}, turn_detection=None) as scene:
        await scene.settled()
        await hear(scene, 3, 90)
        await scene.session.press()
        await hear(scene, 4)
        await scene.until(lambda: len(scene.sound(1)) == 4 * len(FRAME), "it was sent")
        scene.stage.cue("go")
        await scene.until(lambda: scene.told.attempts, "the line is gone")
        await hear(scene, 4, 4)
        await scene.session.release()
        # Nobody holds a key: nobody is heard.
        await hear(scene, 3, 90)
        await on_the_loop(scene.session.try_now)
        await scene.back()
        await scene.until(lambda: len(scene.session.protocol.conversation.turns) == 1, "a turn")
        await scene.until(lambda: scene.session.state == "listening", "its end")
    assert numbers(scene.sound(2)) == list(range(1, 9))
    assert scene.session.turns.user_audio_ms.tolist() == [8 * 40]
    assert scene.session.turns.assistant_text.tolist() == ["Yes"]


@in_both_dialects
@in_a_loop
async def test_a_spoken_question_whose_commit_nobody_confirmed_is_said_again(dialect: Dialect) -> None:
    script: list[Step] = [*greeting(dialect), Expect("input_audio_buffer.commit"), Cut()]
    async with lines(script, again(dialect), dialect=dialect, turn_detection=None) as scene:
        reply = await scene.session.ask(np.full(4800, 1000, np.int16), timeout_s=10)
        assert reply.text == "answer 1"
        assert scene.sound(2) == scene.sound(1)
        kinds = ["session.update", "input_audio_buffer.commit", "response.create"]
        assert scene.types(2) == kinds
    assert scene.session.turns.user_audio_ms.tolist() == [200]


@in_both_dialects
@in_a_loop
async def test_what_is_said_in_the_gap_is_answered_and_the_lost_answer_is_not_given_too(
    dialect: Dialect,
) -> None:
    """The server's turn detection hears it in what is sent then, and answers by itself."""
    heard: list[Event] = []

    def hear_it(event: Event) -> list[Step]:
        heard.append(event)
        if len(heard) > 1:
            return []
        spoke = user_spoke("And Q2?", dialect=dialect, item_id="item_q2", end_ms=400)
        return [*spoke, *answer("To Q2", dialect=dialect, response_id="resp_q2", item_id="item_a2")]

    script: list[Step] = CUTS["in its sound"](dialect)
    second = again(dialect, {"input_audio_buffer.append": hear_it})
    async with lines(script, second, dialect=dialect, reconnect={"first_wait_s": 60.0}) as scene:
        asking = asyncio.create_task(scene.session.ask("Q1?", timeout_s=10))
        await scene.until(lambda: scene.told.attempts, "the line is gone")
        await hear(scene, 15)
        await on_the_loop(scene.session.try_now)
        assert (await asking).text == "One two", "as far as it came"
        await scene.back()
        await scene.until(lambda: scene.session.turns.requests.tolist() == [0, 1], "the answer to Q2")
        await scene.session.clear()
        assert scene.received(2, "response.create") == []
    (given_up,) = scene.rows("local.response.given_up")
    assert (given_up["response_id"], given_up["why"]) == ("resp_lost", "went on")
    assert scene.session.turns.assistant_text.tolist() == ["One two", "To Q2"]
    assert scene.told.failures == []


@in_a_loop
async def test_words_that_nobody_wrote_down_are_given_as_sound() -> None:
    """The server has heard the user, and goes before it has answered, or told the words."""
    spoke = user_spoke(None, item_id="item_said", start_ms=40, end_ms=360)
    script: list[Step] = [*greeting(), Cue("heard"), *spoke, Cut()]
    async with lines(script, again()) as scene:
        await scene.settled()
        await hear(scene, 10)
        await scene.until(lambda: len(scene.sound(1)) == 10 * len(FRAME), "it was sent")
        scene.stage.cue("heard")
        await scene.back()
        await scene.until(lambda: scene.received(2, "response.create"), "the answer is asked for")
        await scene.until(lambda: scene.session.turns.requests.tolist() == [1], "the answer")
        (given,) = [e["item"] for e in scene.received(2, "conversation.item.create")]
        assert given["id"] == "item_said"
        assert numbers(base64.b64decode(given["content"][0]["audio"])) == list(range(2, 10))
        # What came after the words is the beginning of the next ones.
        assert numbers(scene.sound(2)) == [10]
    assert len(scene.session.turns) == 1


# ---- beside, waiting, editing ------------------------------------------------------------------------------


@in_a_loop
async def test_a_response_beside_the_conversation_fails_and_is_not_asked_for_again() -> None:
    script: list[Step] = [*greeting(), Expect("response.create"), Cut()]
    async with lines(script, again()) as scene:
        with pytest.raises(ServerError, match="not asked for again"):
            await scene.session.respond(conversation="none")
        await scene.back()
        await scene.session.clear()
        assert scene.received(2, "response.create") == []


@in_both_dialects
@in_a_loop
async def test_verbs_wait_for_the_connection_and_are_done_then(dialect: Dialect) -> None:
    script: list[Step] = [*greeting(dialect), Cue("go"), Cut()]
    async with lines(script, again(dialect), dialect=dialect, reconnect={"first_wait_s": 60.0}) as scene:
        scene.stage.cue("go")
        await scene.until(lambda: scene.told.attempts, "the line is gone")
        with pytest.raises(TimeoutError):
            await scene.session.ask("Too soon?", timeout_s=0.05)
        asking = asyncio.create_task(scene.session.ask("Now?", timeout_s=10))
        changing = asyncio.create_task(scene.session.update(instructions="Be brief."))
        await asyncio.sleep(0)
        await on_the_loop(scene.session.try_now)
        assert (await asking).text == "answer 1"
        await changing
        assert "instructions" not in scene.received(2, "session.update")[0]["session"]


@in_both_dialects
@in_a_loop
async def test_the_newest_settings_are_asked_for(dialect: Dialect) -> None:
    first: list[Step] = [
        session_created(dialect),
        willing(dialect, {"input_audio_buffer.clear": lambda _e: [Cut()]}),
    ]
    options: dict[str, Any] = {"instructions": "Be long.", "voice": "ash"}
    async with lines(first, again(dialect), dialect=dialect, **options) as scene:
        await scene.session.update(instructions="Be brief.", turn_detection=None)
        await scene.session.update(tool_choice="none")
        with suppress(GipError):
            await scene.session.clear()
        await scene.back()
        (given,) = [e["session"] for e in scene.received(2, "session.update")]
        assert (given["instructions"], given["tool_choice"]) == ("Be brief.", "none")
        if dialect == "beta":
            assert (given["voice"], given["turn_detection"]) == ("ash", None)
        else:
            audio = given["audio"]
            assert (audio["output"]["voice"], audio["input"]["turn_detection"]) == ("ash", None)


@in_a_loop
async def test_what_waits_for_its_turn_goes_on_waiting_and_what_is_deleted_stays_so() -> None:
    first: list[Step] = [
        *asked(),
        *answer("Hello", response_id="resp_a", item_id="item_a"),
        Expect("response.create"),
        *begun("ga", "One two", "response.created"),
        Expect("conversation.item.delete"),
        Cut(),
    ]
    async with lines(first, again()) as scene:
        await scene.session.ask("Hello?", timeout_s=10)
        await scene.session.respond()
        await scene.session.send_text("And this?")
        assert await scene.session.respond() is None
        await scene.session.delete("item_a")
        await scene.until(lambda: scene.session.turns.requests.tolist() == [2, 1], "both answers")
        given = [e["item"]["content"][0]["text"] for e in scene.received(2, "conversation.item.create")]
        assert given == ["Hello?", "And this?"]
        kinds = [k for k in scene.types(2) if k != "session.update"]
        assert kinds == ["conversation.item.create", "response.create"] * 2
    assert scene.session.items.deleted["item_a"]


# ---- attempts, and the end of them -------------------------------------------------------------------------


@in_a_loop
async def test_a_gateway_that_is_down_for_three_attempts() -> None:
    down: list[list[Step]] = [[Refuse(503)], [Refuse(503, headers={"Retry-After": "0"})], [Refuse(429)]]
    async with lines([*greeting(), Cue("go"), Close(1012)], *down, again()) as scene:
        scene.stage.cue("go")
        assert (await scene.session.ask("Still there?", timeout_s=10)).text == "answer 1"
    tried = scene.rows("local.connection.reconnecting")
    assert [row["attempt"] for row in tried] == [1, 2, 3, 4]
    assert "503" in tried[1]["message"]
    (restored,) = scene.rows("local.connection.restored")
    assert restored["attempt"] == 4
    assert restored["gap_s"] >= 0
    numbers_told = [a.number for a in scene.told.attempts if a is not None and a.due_unix_s is None]
    assert numbers_told == [1, 2, 3, 4]
    assert len(scene.rows("local.connection.refused")) == 3


@in_a_loop
async def test_a_key_that_is_refused_meanwhile_ends_it() -> None:
    async with lines([*asked(), Cut()], [Refuse(401, '{"error": {"message": "no"}}')]) as scene:
        with pytest.raises(KeyRefused):
            await scene.session.ask("Hello?", timeout_s=10)
        assert scene.session.state == "error"
        assert isinstance(scene.session.error, KeyRefused)
    assert [type(f) for f in scene.told.failures] == [KeyRefused]
    assert scene.told.attempts[-1] is None


@in_a_loop
async def test_attempts_that_are_used_up_end_it_and_say_so() -> None:
    scripts: list[list[Step]] = [[*asked(), Cut()], [Refuse(503)], [Refuse(502)]]
    async with lines(*scripts, reconnect={**AT_ONCE, "attempts": 2}) as scene:
        with pytest.raises(ConnectionDropped, match=r"code 1006.*2 attempts.*502") as caught:
            await scene.session.ask("Hello?", timeout_s=10)
        assert "new session" in caught.value.next_step
        with pytest.raises(ConnectionDropped):
            await scene.session.ask("Hello?", timeout_s=10)
    assert scene.told.failures == [caught.value]
    assert scene.told.states[-1] == "error"


@in_a_loop
async def test_a_line_that_goes_again_and_again_is_given_up() -> None:
    lost: list[Step] = [*greeting(), Cut()]
    async with lines(*[lost] * 4, reconnect={**AT_ONCE, "attempts": 3}) as scene:
        with pytest.raises(ConnectionDropped, match="3 attempts"):
            await scene.session.wait("response.done", timeout_s=10)


@in_a_loop
async def test_a_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gip_nb.session.opening._CREATED_TIMEOUT_S", 0.2)
    async with lines([*greeting(), Cue("go"), Cut()], [], again()) as scene:
        scene.stage.cue("go")
        assert (await scene.session.ask("Hello?", timeout_s=10)).text == "answer 1"
    assert scene.rows("local.connection.restored")[0]["attempt"] == 2


@in_a_loop
async def test_close_while_it_waits_ends_it_at_once() -> None:
    async with lines([*asked(), Cut()], reconnect={"first_wait_s": 60.0}) as scene:
        asking = asyncio.create_task(scene.session.ask("Hello?", timeout_s=10))
        await scene.until(lambda: scene.told.attempts, "it waits")
        waiting = scene.told.attempts[0]
        assert waiting is not None
        assert (waiting.number, waiting.most, waiting.due_unix_s is None) == (1, 10, False)
        await scene.session.close()
        with pytest.raises(AlreadyClosed):
            await asking
        assert scene.session.state == "closed"
    assert scene.told.states[-2:] == ["reconnecting", "closed"]
    assert scene.told.failures == []


ENDS: dict[str, list[Step]] = {
    "1008": [Close(1008, "policy")],
    "4401": [Close(4401)],
    "unknown model": [error("model_not_found", "no such model"), Close(1011)],
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@in_a_loop
async def test_some_ends_are_the_end(end: list[Step]) -> None:
    async with lines([*asked(), *end]) as scene:
        with pytest.raises(GipError):
            await scene.session.ask("Hello?", timeout_s=10)
        with pytest.raises(GipError):
            await scene.session.wait("response.done", timeout_s=10)
        assert scene.session.state == "error"
    assert len(scene.stage.visits) == 1
    assert scene.rows("local.connection.lost") == []


EXPIRIES: dict[str, list[Step]] = {
    "1000": [Close(1000)],
    "1001": [Close(1001, "session expired")],
    "an error": [error("session_expired", "60 minutes"), Close(1000)],
    "a gateway's": [error("upstream_error", "upstream closed with 1006", kind="server_error"), Close(1011)],
}


@in_both_dialects
@pytest.mark.parametrize("end", EXPIRIES.values(), ids=EXPIRIES)
@in_a_loop
async def test_a_server_that_ends_the_session_is_asked_for_another(dialect: Dialect, end: list[Step]) -> None:
    first: list[Step] = [*asked(dialect), *answer("Hi", dialect=dialect, response_id="r", item_id="i"), *end]
    async with lines(first, again(dialect), dialect=dialect) as scene:
        await scene.session.ask("Hello?", timeout_s=10)
        await scene.back()
        assert (await scene.session.ask("And now?", timeout_s=10)).text == "answer 1"
        given = [e["item"] for e in scene.received(2, "conversation.item.create")]
        assert [i["role"] for i in given] == ["user", "assistant", "user"]
        assert scene.session.error is None
    assert len(scene.session.turns) == 2


@in_a_loop
async def test_a_session_that_is_over_by_a_word_alone_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gip_nb.session.returning._GOODBYE_S", 0.02)
    first: list[Step] = [*asked(), error("session_expired", "60 minutes"), ExpectClose(1000)]
    async with lines(first, again()) as scene:
        assert (await scene.session.ask("Hello?", timeout_s=10)).text == "answer 1"
    assert [row["asked_for"] for row in scene.rows("local.connection.closed")] == [True, True]


@in_a_loop
async def test_no_policy_no_reconnect() -> None:
    async with lines([*asked(), Cut()], reconnect=False) as scene:
        with pytest.raises(ConnectionDropped):
            await scene.session.ask("Hello?", timeout_s=10)
    assert len(scene.stage.visits) == 1


@pytest.mark.soak  # two server processes; the stage has the rest
def test_the_embedded_server_may_be_what_was_lost() -> None:
    """Another one is started, with another address and another key."""
    with gip_nb.connect("rehearsal", reconnect=AT_ONCE) as session:
        assert session.ask("hello").text
        running = embedded._running
        assert running is not None
        running[0].kill()
        assert "Ada" in session.ask("my name is Ada").text
        assert session.turns.user_text.tolist() == ["hello", "my name is Ada"]
        assert session.events.connection.max() == 2
