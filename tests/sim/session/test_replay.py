"""A recorded talk, done again and gone on with: on the rehearsal server, and on a stage for the rest."""

from __future__ import annotations

import base64
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gip_nb
from gip_nb.audio import pcm16_from_wav
from gip_nb.errors import AlreadyClosed, BadSetting, GipError, NothingToDo, ServerError, TimedOut
from gip_nb.journal.acts import Frame
from gip_nb.journal.acts_of import acts_of
from gip_nb.protocol.history import UNTRANSCRIBED
from gip_nb.rehearsal.ears import NoEars
from gip_nb.rehearsal.mouth import Echo
from gip_nb.rehearsal.server import Options, RehearsalServer
from gip_nb.session.blocking import RealtimeSession
from gip_nb.session.fork import given_history_of, history_of, settings_of
from gip_nb.session.loop import run_blocking
from gip_nb.session.replay import Timeline, replay_into, replay_into_blocking
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import Cue, Expect, React, Say, Stage, answer, error, item_taken, user_spoke
from tests.sim.session.test_scenes.scene import connect, in_both_dialects, opening, until
from tests.sim.session.verbs import Half
from tests.unit.protocol.pair import ProtocolPair
from tests.unit.protocol.server.server_end import tone
from tests.unit.protocol.talks import ask, turn_detection, utter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gip_nb.journal.log import EventLog
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing import Event, Step

    Connect = Callable[..., RealtimeSession]

AT_ONCE = math.inf
APPEND = "input_audio_buffer.append"
SHORT, LONG = "stop_slt.wav", "remember_awb.wav"
WORDS = {SHORT: "stop please", LONG: "please remember that"}
CALLED: list[str] = []


def weather(city: str) -> str:
    """The weather at a place."""
    CALLED.append(city)
    return f"call {len(CALLED)} says sunny in {city}"


class QuickEars(NoEars):
    """Tell the two utterances of these tests apart by their length: a recogniser takes its time."""

    def __init__(self) -> None:
        self._bytes: dict[str, int] = {}

    async def listen(self, key: str, pcm: bytes) -> None:
        self._bytes[key] = self._bytes.get(key, 0) + len(pcm)

    async def understand(self, key: str) -> str:
        return WORDS[SHORT if self._bytes.pop(key) < 2.2 * 16_000 * 2 else LONG]


@pytest.fixture(scope="module")
def quick() -> Iterator[Connect]:
    """Connects to a rehearsal server in this process."""

    async def leave() -> None:
        await server.__aexit__()

    server = RehearsalServer(Options("127.0.0.1", 0, "any"), QuickEars(), Echo())
    run_blocking(server.__aenter__())
    url = server.url.replace("ws://", "http://").removesuffix("/realtime")
    yield partial(gip_nb.connect, "a-preview", base_url=url, api_key="any")
    run_blocking(leave())


@pytest.fixture(scope="module")
def recording(quick: Connect, fixtures: Path) -> RealtimeSession:
    """A talk: typed, from a file, and with a call."""
    with quick(tools=[weather]) as session:
        session.ask("hello there")
        session.ask(fixtures / SHORT)
        session.ask("what is the weather in Rome?")
    return session


@pytest.fixture(scope="module")
def spoken(quick: Connect, fixtures: Path) -> RealtimeSession:
    """Two utterances that turn detection found, the second after the answer to the first."""
    pause = bytes(48 * 800)
    with quick() as session:
        for name in (LONG, SHORT):
            session.send_audio(pause + pcm16_from_wav(fixtures / name) + pause)
            session.wait("response.done")
    return session


def said(session: RealtimeSession) -> list[str]:
    return list(session.turns.user_text)


# ------------------------------------------------------------------------------------------------ done again


def test_the_whole_of_it_with_the_embedded_server(fixtures: Path) -> None:
    with gip_nb.connect("rehearsal", tools=[weather]) as first:
        first.ask(fixtures / SHORT)
        first.ask("what is the weather in Rome?")
    called = len(CALLED)
    options = settings_of(first.log)
    with gip_nb.connect(**options, dialect="ga") as second:
        replay_into_blocking(second, first.log, speed=AT_ONCE)
    assert said(second) == said(first) == ["stop please", "what is the weather in Rome?"]
    assert list(second.turns.assistant_text) == list(first.turns.assistant_text)
    with gip_nb.connect(**options, history=history_of(second.log, 1)) as fork:
        assert fork.ask("what did you say?").text == f"I said: {first.turns.assistant_text.iloc[0]}"
    assert len(CALLED) == called


@in_both_dialects
def test_the_same_words_have_the_same_turns_and_no_function_is_called(
    quick: Connect, recording: RealtimeSession, dialect: Dialect
) -> None:
    called = len(CALLED)
    with quick(dialect=dialect, tools=[weather]) as session:
        assert replay_into_blocking(session, recording.log, speed=AT_ONCE).acts == 3
        assert said(session) == said(recording)
        assert list(session.turns.assistant_text) == list(recording.turns.assistant_text)
        assert list(session.turns.tools) == [0, 0, 1]
        rows = set(session.events.type)
    assert len(CALLED) == called
    assert {"local.tool.started", "local.tool.finished"} <= rows


@pytest.mark.parametrize("connected", [True, False])
def test_a_session_that_did_not_know_the_tools_is_told_of_them(
    quick: Connect,
    recording: RealtimeSession,
    connected: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    session = quick(instructions="Be somebody else.")
    if not connected:
        session.close()
        session = RealtimeSession(AsyncRealtimeSession(session._session.settings))
    with_tools = run_blocking(replay_into(session._session, recording.log, speed=AT_ONCE))
    assert with_tools.acts == 3
    assert session.turns.assistant_text.iloc[2] == recording.turns.assistant_text.iloc[2]
    told = session._session.protocol.conversation.session
    session.close()
    assert [tool["name"] for tool in told["tools"]] == ["weather"]
    assert told["instructions"] == "Be somebody else."
    updates = [row for row in session.log.rows if row.type == "session.update"]
    # The first, the tools, and turn detection off and on for the file.
    assert len(updates) == 1 + connected + 2


def test_live_tools_are_called(quick: Connect, recording: RealtimeSession) -> None:
    called = len(CALLED)
    with quick(tools=[weather]) as session:
        replay_into_blocking(session, recording.log, speed=AT_ONCE, tools="live")
        assert f"call {called + 1} says sunny" in session.turns.assistant_text.iloc[2]
    assert CALLED[called:] == ["Rome"]


def test_what_turn_detection_heard_it_hears_again(quick: Connect, spoken: RealtimeSession) -> None:
    with quick() as session:
        replayed = replay_into_blocking(session, spoken.log, speed=AT_ONCE)
        assert said(session) == said(spoken) == [WORDS[LONG], WORDS[SHORT]]
        kinds = {row.type for row in session.log.rows if row.direction == "sent"}
    assert replayed.held_s > 0
    # At this pace the second would have been said over the answer to the first.
    assert not session.turns.interrupted.any()
    assert kinds == {"session.update", APPEND}


def test_without_turn_detection_each_utterance_is_one_by_hand(
    quick: Connect, spoken: RealtimeSession
) -> None:
    with quick(turn_detection=None) as session:
        replay_into_blocking(session, spoken.log, speed=AT_ONCE)
        assert said(session) == said(spoken)
        commits = [row for row in session.log.rows if row.type == "input_audio_buffer.commit"]
    assert len(commits) == 2


def test_what_was_committed_by_hand_is_one_utterance_where_there_is_turn_detection(
    quick: Connect, recording: RealtimeSession
) -> None:
    with quick(turn_detection="semantic_vad") as session:
        replay_into_blocking(session, recording.log, speed=AT_ONCE)
        assert said(session) == said(recording)
        assert (session._session.protocol.turn_detection or {})["type"] == "semantic_vad"


def test_acts_are_due_at_the_recordings_pace() -> None:
    timeline = Timeline(2.0)
    assert [timeline.due_s(at_s) for at_s in (10.0, 11.0, 15.0)] == [0.0, 0.5, 2.5]
    timeline.hold(3.0)
    assert timeline.due_s(15.0) == 5.5
    at_once = Timeline(AT_ONCE)
    assert [at_once.due_s(at_s) for at_s in (10.0, 1e9)] == [0.0, 0.0]


# ------------------------------------------------------------------------------------------------ on a stage


def recorded(*does: Callable[[ProtocolPair], object]) -> EventLog:
    pair = ProtocolPair("ga")
    for one in does:
        one(pair)
        pair.run()
    return pair.log


# Of `utter`, 20 ms each: what is said, and what is not until it is said again.
LOUD_FRAMES, PAUSE_FRAMES = 30, 50


def is_silent(pcm: bytes) -> bool:
    return not np.frombuffer(pcm, np.uint8).any()


def appends(session: RealtimeSession) -> list[int]:
    return [n for n, row in enumerate(session.log.rows) if row.type == APPEND]


def slow(dialect: Dialect) -> list[Step]:
    """A server that hears the first words, and is in the middle of its answer until it is told to go on."""
    first, *others = answer("Well, then", dialect=dialect)
    again = [
        *user_spoke(dialect=dialect, item_id="item_user_2"),
        *answer("Well", dialect=dialect, response_id="resp_2", item_id="item_2"),
    ]
    loud: list[Event] = []

    def hears(event: Event) -> list[Event]:
        if event["type"] == APPEND and not is_silent(base64.b64decode(event["audio"])):
            loud.append(event)
            # What came while it did not react is told too: the first words.
            return again if len(loud) == LOUD_FRAMES + 1 else []
        return []

    words = user_spoke(dialect=dialect)
    return [*opening(dialect), Expect(APPEND), *words, first, Cue("go on"), *others, React(hears)]


@in_both_dialects
@pytest.mark.parametrize("waits", [True, False])
def test_a_slower_answer_is_not_talked_over_by_accident(dialect: Dialect, waits: bool) -> None:  # noqa: FBT001 - a parameter of the test
    log = recorded(utter, utter)
    frames = [act for act in acts_of(log) if isinstance(act, Frame)]
    before = [n for n, frame in enumerate(frames) if frame.begins_speech][1]
    with Stage(slow(dialect)) as stage, connect(stage, dialect) as session:

        def on_created(event: Event) -> None:
            if event["response"]["id"] == "resp_1":
                # Either the microphone goes on beyond the recorded pause, or somebody speaks.
                more = before + 5 if waits else before + LOUD_FRAMES
                until(lambda: len(appends(session)) > more, "more audio")
                stage.cue("go on")

        session.on("response.created", on_created)
        replayed = replay_into_blocking(session, log, speed=50, wait_for_answers=waits)
        rows = session.log.rows
        loud = [n for n in appends(session) if not is_silent(rows[n].audio or b"")]
        end = next(n for n, row in enumerate(rows) if row.type == "response.done")
        pause = [n for n in appends(session) if loud[LOUD_FRAMES - 1] < n < loud[LOUD_FRAMES]]
    assert len(loud) == 2 * LOUD_FRAMES
    assert (loud[LOUD_FRAMES] > end) is waits
    assert bool(replayed.held_s) is waits
    assert len(pause) >= PAUSE_FRAMES + 5 if waits else len(pause) == PAUSE_FRAMES


def test_acts_go_out_as_they_did(quick: Connect) -> None:
    sound = {"type": "input_audio", "audio": "AAAA" * 1600}
    item: dict[str, Any] = {"type": "message", "role": "user", "content": [sound]}
    log = recorded(
        lambda p: turn_detection(p, None),
        lambda p: p.do(lambda c: c.send_text("Be kind.", "system")),
        lambda p: p.do(lambda c: c.add_item({**item, "id": "item_a"}, "root")),
        lambda p: p.do(lambda c: c.respond({"instructions": "Greet."})),
        lambda p: p.do(lambda c: c.press()),
        lambda p: p.speak(tone(300)),
        lambda p: p.do(lambda c: c.release()),
        lambda p: ask(p, "and now?", max_output_tokens=9),
    )
    kinds = ("conversation.item.create", "response.create", "input_audio_buffer.commit")
    with quick() as session:
        replay_into_blocking(session, log, speed=AT_ONCE)
        rows = list(enumerate(session.log.rows))
        sent = [
            session.log.event(n).fields for n, row in rows if row.direction == "sent" and row.type in kinds
        ]
        heard = b"".join(row.audio or b"" for _, row in rows if row.type == APPEND)
    for fields in sent:
        fields.pop("event_id")
        fields.get("item", {}).pop("id", None)

    def text(role: str, words: str) -> Event:
        content = [{"type": "input_text", "text": words}]
        return {"type": kinds[0], "item": {"type": "message", "role": role, "content": content}}

    assert sent == [
        text("system", "Be kind."),
        {"type": kinds[0], "item": item, "previous_item_id": "root"},
        {"type": kinds[1], "response": {"instructions": "Greet."}},
        {"type": kinds[2]},
        {"type": kinds[1]},
        text("user", "and now?"),
        {"type": kinds[1], "response": {"max_output_tokens": 9}},
    ]
    assert heard == tone(300)


# -------------------------------------------------------------------------------------------- what goes wrong


def refusing(dialect: Dialect) -> list[Step]:
    def no(visit: Any) -> Event:
        return error("invalid_value", "not that", event_id=visit.received[-1]["event_id"])

    return [*opening(dialect), Expect("conversation.item.create"), Say(no)]


@in_both_dialects
def test_what_the_server_refuses_now_ends_the_replay_and_not_the_session(dialect: Dialect) -> None:
    log = recorded(lambda p: p.do(lambda c: c.send_text("hello")))
    with Stage(refusing(dialect)) as stage, connect(stage, dialect) as session:
        with pytest.raises(ServerError, match="not that"):
            replay_into_blocking(session, log, speed=AT_ONCE)
        assert session.state == "listening"


def test_an_answer_that_does_not_end_is_not_waited_for_for_ever() -> None:
    begun = answer("Well", dialect="ga")[:3]
    script = [
        *opening("ga"),
        Expect("conversation.item.create"),
        Say(item_taken),
        Expect("response.create"),
        *begun,
    ]
    with Stage(script) as stage, connect(stage, "ga") as session:
        with pytest.raises(TimedOut, match=r"not over within 0.2 s \(state: thinking\)"):
            replay_into_blocking(session, recorded(ask), speed=AT_ONCE, timeout_s=0.2)


def test_a_session_that_ends_ends_the_replay(quick: Connect, recording: RealtimeSession) -> None:
    with quick() as session:
        session.on("response.created", lambda _event: session.close())
        with pytest.raises(GipError) as caught:
            replay_into_blocking(session, recording.log)
        assert isinstance(caught.value, AlreadyClosed)
        with pytest.raises(AlreadyClosed):
            replay_into_blocking(session, recording.log)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"speed": 0}, "speed is 0"),
        ({"speed": math.nan}, "speed is nan"),
        ({"speed": "fast"}, "speed is 'fast'"),
        ({"tools": "mine"}, "tools is 'mine'"),
        ({"timeout_s": -1}, "timeout_s is -1"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_is_said_before_anything_connects(options: dict[str, Any], told: str) -> None:
    session = gip_nb.connect_async("rehearsal")
    with pytest.raises(BadSetting, match=told):
        run_blocking(replay_into(session, recorded(ask), **options))
    with pytest.raises(NothingToDo, match="nothing to replay"):
        run_blocking(replay_into(session, recorded()))
    assert session.state == "idle"


# ----------------------------------------------------------------------------------------------- gone on with


@in_both_dialects
def test_a_fork_remembers_the_talk_up_to_a_turn(
    quick: Connect, recording: RealtimeSession, dialect: Dialect
) -> None:
    options = {k: v for k, v in settings_of(recording.log).items() if k != "model"} | {"dialect": dialect}
    with quick(**options, history=history_of(recording.log, 2)) as session:
        assert session.ask("what did you say?").text == "I said: All right, I am quiet."
        assert said(session) == ["what did you say?"]
    with quick(**options, history=history_of(recording.log)) as session:
        again = recording.turns.assistant_text.iloc[2]
        assert session.ask("what did you say?").text == f"I said: {again}"
        kinds = [session.retrieve(i)["type"] for i in session.items.index]
    assert kinds == [*recording.items.type, "message", "message"]


@in_both_dialects
def test_a_fork_remembers_of_an_interrupted_answer_what_was_heard(quick: Connect, dialect: Dialect) -> None:
    settings = resolve("any", environment={}, **quick.keywords, dialect=dialect)  # type: ignore[attr-defined]  # it is a partial
    talked = AsyncRealtimeSession(settings, speaker=Half(1500))

    async def talk() -> None:
        async with talked:
            await talked.send_text("tell me a long story about the sea")
            await talked.respond()
            await talked.wait("response.done")
            await talked.interrupt()
            await talked.wait("conversation.item.truncated")

    run_blocking(talk())
    turn = talked.turns.iloc[0]
    assert turn.assistant_text.startswith(turn.heard_text)
    assert 0 < len(turn.heard_text) < len(turn.assistant_text)
    with quick(dialect=dialect, history=history_of(talked.log, 1)) as session:
        text = session.ask("what did you say?").text
    assert text == f"I said: {turn.heard_text}."


def test_a_fork_of_a_fork_has_both_histories(quick: Connect, recording: RealtimeSession) -> None:
    with quick(history=history_of(recording.log, 1)) as fork:
        fork.ask("thanks")
    again = history_of(fork.log)
    assert [item["content"][0]["text"] for item in again[::2]] == ["hello there", "thanks"]
    assert UNTRANSCRIBED not in str(again)
    # What it began with is no words of its user's: a replay is given it, and says the rest.
    assert given_history_of(fork.log) == again[:2]
    with quick(history=given_history_of(fork.log)) as session:
        assert replay_into_blocking(session, fork.log, speed=AT_ONCE).acts == 1
        assert said(session) == said(fork) == ["thanks"]
