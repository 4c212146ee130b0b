"""Verbs that somebody tries to break: hostile values, cells that are interrupted, crowds."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.errors import GipError, ServerError, TimedOut
from gip_nb.testing import Cue, Expect, answer
from tests.sim.session.verbs import (
    KNOWN,
    PATIENT,
    SPEECH,
    TEXT,
    VERBS,
    Verb,
    in_a_loop,
    refuse,
    silent,
    talking,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.session import AsyncRealtimeSession
    from gip_nb.testing import Event, Step
    from tests.sim.session.verbs import Answers

CREATE = "response.create"
ITEM = "conversation.item.create"
CLEAR = "input_audio_buffer.clear"
each_verb = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)


class Odd:
    """Nothing that JSON can carry."""

    def __repr__(self) -> str:
        message = "not even shown"
        raise RuntimeError(message)


def deep(levels: int = 5000) -> Any:
    found: Any = {}
    for _ in range(levels):
        found = {"x": found}
    return found


HALF = "\ud83d"
HOSTILE: dict[str, Callable[[AsyncRealtimeSession], Coroutine[Any, Any, Any]]] = {
    "a text that is none": lambda s: s.send_text(object()),  # type: ignore[arg-type]  # that is the test
    "a text that is bytes": lambda s: s.send_text(b"hello"),  # type: ignore[arg-type]  # that is the test
    "no text": lambda s: s.send_text(None),  # type: ignore[arg-type]  # that is the test
    "a role that is none": lambda s: s.send_text("x", []),  # type: ignore[arg-type]  # that is the test
    "an item that is none": lambda s: s.add([]),  # type: ignore[arg-type]  # that is the test
    "an item with an object in it": lambda s: s.add({"type": object()}),
    "an item that is too deep": lambda s: s.add(deep()),
    "an item after an object": lambda s: s.add(TEXT, object()),  # type: ignore[arg-type]  # that is the test
    "an update of a format that is none": lambda s: s.update(input_audio_format=["pcm16"]),
    "an update of a detection that is none": lambda s: s.update(turn_detection=7),
    "an update of tools that are none": lambda s: s.update(tools=[print]),
    "a response with an object": lambda s: s.respond(input=[object()]),
    "a response that is too deep": lambda s: s.respond(metadata=deep()),
    "an id that is a list": lambda s: s.delete([]),  # type: ignore[arg-type]  # that is the test
    "an id that is None": lambda s: s.retrieve(None),  # type: ignore[arg-type]  # that is the test
    "an id with half an emoji": lambda s: s.truncate(HALF, 0),
    "a position that is a list": lambda s: s.truncate(KNOWN, []),  # type: ignore[arg-type]  # that is the test
    "an event of a type that is a list": lambda s: s.send({"type": ["x"]}),
    "an event with a key that is none": lambda s: s.send({"type": "x", ("a", "b"): 1}),  # type: ignore[dict-item]  # that is the test
    "an event that is waited for is none": lambda s: s.wait(None, 0.1),  # type: ignore[arg-type]  # that is the test
    "a wait of no time": lambda s: s.wait("x", float("nan")),
    "sound that is none": lambda s: s.send_audio(None),  # type: ignore[arg-type]  # that is the test
}


@pytest.mark.parametrize("do", HOSTILE.values(), ids=HOSTILE)
@in_a_loop
async def test_what_cannot_be_sent_is_refused_and_the_talk_goes_on(
    do: Callable[[AsyncRealtimeSession], Coroutine[Any, Any, Any]],
) -> None:
    async with talking() as talk:
        before = len(talk.sent())
        with pytest.raises(GipError) as caught:
            await asyncio.wait_for(do(talk.session), 3)
        assert not isinstance(caught.value, TimedOut)
        await asyncio.wait_for(talk.session.clear(), 1)
        assert talk.types()[before:] == [CLEAR]
        assert talk.heard.failures == []
        await talk.until(lambda: talk.session.state == "listening", "the end of it")


ODD_BUT_LEGAL: dict[str, Callable[[AsyncRealtimeSession], Coroutine[Any, Any, Any]]] = {
    "no fields": lambda s: s.update(),
    "a text with half an emoji": lambda s: s.send_text(HALF),
    "an item after half an emoji": lambda s: s.add(TEXT, HALF),
    "an item with an id of half an emoji": lambda s: s.add({**TEXT, "id": HALF}),
    "an update with a huge number": lambda s: s.update(max_output_tokens=10**400),
    "an update with NaN": lambda s: s.update(temperature=float("nan")),
    "an update with half an emoji": lambda s: s.update(instructions=HALF),
    "an update of no shape": lambda s: s.update(audio=5),
    "an update of half a shape": lambda s: s.update(audio={"input": 5, "output": "x"}),
    "a response with half an emoji": lambda s: s.respond(instructions=HALF),
    "an event with half an emoji": lambda s: s.send({"type": "x", "y": HALF}),
    "an empty text": lambda s: s.send_text(""),
    "an item of nothing": lambda s: s.add({}),
    "an item whose content is a number": lambda s: s.add({"content": 5}),
    "an item whose content is numbers": lambda s: s.add({"type": 5, "role": [], "content": [5, None, {}]}),
    "a detection inside that is none": lambda s: s.update(audio={"input": {"turn_detection": 5}}),
    "an event whose session is a number": lambda s: s.send({"type": "session.update", "session": 5}),
    "an event whose item is a list": lambda s: s.send({"type": ITEM, "item": [], "item_id": 5}),
    "an event whose sound is none": lambda s: s.send({"type": "input_audio_buffer.append", "audio": "?!"}),
    "an item whose id is a number": lambda s: s.add({**TEXT, "id": 7}),
    "an item after nothing": lambda s: s.add(TEXT, ""),
    "a long text": lambda s: s.send_text("x" * 1_000_000),
    "control characters": lambda s: s.send_text("\x00\x1b\u2028"),
    "metadata that are none, beside": lambda s: s.respond(conversation="none", metadata=None),
    "a conversation that is none": lambda s: s.respond(conversation=None),
    "a voice that is none": lambda s: s.update(voice=None),
}


@pytest.mark.parametrize("dialect", ["beta", "ga"])
@pytest.mark.parametrize("do", ODD_BUT_LEGAL.values(), ids=ODD_BUT_LEGAL)
@pytest.mark.filterwarnings("ignore::gip_nb.errors.SettingIgnored")
@in_a_loop
async def test_what_is_odd_and_can_be_sent_is(
    do: Callable[[AsyncRealtimeSession], Coroutine[Any, Any, Any]], dialect: Dialect
) -> None:
    async with talking(dialect=dialect) as talk:
        before = len(talk.sent())
        await asyncio.wait_for(do(talk.session), 3)
        await talk.answered()
        assert len(talk.sent()) == before + 2
        assert talk.heard.failures == []


# ---------------------------------------------------------------------------- a cell that is interrupted


@each_verb
@in_a_loop
async def test_a_verb_that_is_cancelled_leaves_the_talk_whole(verb: Verb) -> None:
    """Its answer comes later and is nobody's; the next of its kind gets its own."""
    async with talking() as talk:
        await talk.session.send_audio(SPEECH)
        task = asyncio.create_task(verb.do(talk.session))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await talk.session.send_audio(SPEECH)
        if verb.asks != "conversation.item.delete":
            await asyncio.wait_for(verb.do(talk.session), 2)
        await talk.answered()
        await talk.until(lambda: talk.session.state == "listening", "the end of it")
        assert talk.heard.failures == []


@each_verb
@in_a_loop
async def test_an_error_that_comes_after_a_cell_was_interrupted_is_told_to_all(verb: Verb) -> None:
    answers: Answers = {verb.asks: lambda e: [Cue("cancelled"), *refuse("late")(e)]}
    async with talking(answers) as talk:
        await talk.session.send_audio(SPEECH)
        task = asyncio.create_task(verb.do(talk.session))
        await talk.until(lambda: verb.asks in talk.types()[1:], "the verb")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)
        talk.stage.cue("cancelled")
        await talk.until(lambda: talk.heard.failures, "the error")
        assert [getattr(e, "code", None) for e in talk.heard.failures] == ["late"]


@in_a_loop
async def test_a_question_that_is_interrupted_gives_the_microphone_and_the_turn_detection_back() -> None:
    async with talking({CREATE: silent}) as talk:
        talk.session.protocol.conversation.session = {
            "audio": {"input": {"turn_detection": {"type": "server_vad"}}}
        }
        task = asyncio.create_task(talk.session.ask(SPEECH))
        await talk.until(lambda: CREATE in talk.types(), "the question")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await talk.until(lambda: len(talk.sent("session.update")) == 3, "turn detection again")
        first = len(talk.sent("input_audio_buffer.append"))
        await talk.session.send_audio(SPEECH)
        await talk.until(lambda: len(talk.sent("input_audio_buffer.append")) > first, "the microphone")


# --------------------------------------------------------------------------------------------------- crowds


def as_asked(event: Event) -> list[Event]:
    return [{"type": "session.updated", "event_id": "e", "session": event["session"]}]


def taken(event: Event) -> list[Event]:
    item = {**event["item"], "status": "completed"}
    return [{"type": "conversation.item.added", "event_id": "e", "previous_item_id": None, "item": item}]


@in_a_loop
async def test_a_hundred_verbs_at_once_are_each_answered() -> None:
    async with talking({"session.update": as_asked, ITEM: taken}) as talk:
        s = talk.session
        kinds = (
            lambda n: s.update(instructions=f"text {n}"),
            lambda n: s.send_text(f"text {n}"),
            lambda _n: s.clear(),
            lambda _n: s.retrieve(KNOWN),
            lambda n: s.truncate(KNOWN, n % 200),
        )
        results = await asyncio.wait_for(asyncio.gather(*(kinds[n % 5](n) for n in range(100))), 10)
        assert len(set(results[1::5])) == 20
        assert all(isinstance(r, dict) and r["type"] == "message" for r in results[3::5])
        assert talk.heard.failures == []
        assert not s.protocol._requests._open


@in_a_loop
async def test_more_verbs_at_once_than_requests_are_remembered() -> None:
    async with talking() as talk:
        await asyncio.wait_for(asyncio.gather(*(talk.session.retrieve(KNOWN) for _ in range(300))), 10)
        assert len(talk.sent("conversation.item.retrieve")) == 300


@in_a_loop
async def test_fifty_responses_asked_for_at_once_come_one_after_the_other() -> None:
    async with talking() as talk:
        ids = await asyncio.gather(*(talk.session.respond() for _ in range(50)))
        assert ids == ["resp_1"] + [None] * 49
        await talk.until(lambda: "item_50" in talk.session.protocol.conversation.items, "the last")
        assert len(talk.sent(CREATE)) == 50


@in_a_loop
async def test_fifty_responses_beside_each_know_their_own() -> None:
    held: list[Event] = []

    def backwards(event: Event) -> Any:
        """Answers when the last has come, the last first."""
        held.append(event)
        if len(held) < 50:
            return []
        found = []
        for n, one in reversed(list(enumerate(held))):
            metadata = one["response"]["metadata"]
            found += answer(f"{n}", response_id=f"resp_{n}", item_id=f"item_{n}", metadata=metadata)
        return found

    async with talking({CREATE: backwards}) as talk:
        asked = (talk.session.respond(conversation="none", instructions=str(n)) for n in range(50))
        ids = await asyncio.wait_for(asyncio.gather(*asked), 10)
        told = {e["response"]["instructions"]: n for n, e in enumerate(held)}
        assert ids == [f"resp_{told[str(n)]}" for n in range(50)]


@in_a_loop
async def test_closing_twice_while_verbs_begin_and_wait_ends_them_all() -> None:
    async with talking(dict.fromkeys((v.asks for v in VERBS.values()), silent)) as talk:
        await talk.session.send_audio(SPEECH)
        waiting = [asyncio.create_task(v.do(talk.session)) for v in PATIENT.values()]
        await asyncio.sleep(0.01)
        closing = [asyncio.create_task(talk.session.close()) for _ in range(2)]
        late = [asyncio.create_task(v.do(talk.session)) for v in PATIENT.values()]
        ends = await asyncio.wait_for(asyncio.gather(*waiting, *late, return_exceptions=True), 3)
        await asyncio.gather(*closing)
        assert all(isinstance(e, GipError) for e in ends), ends
        assert talk.session.state == "closed"


# ---------------------------------------------------------------------- what is refused, what never begins


@in_a_loop
async def test_a_truncation_that_was_refused_leaves_the_item_as_it_was() -> None:
    async with talking({"conversation.item.truncate": refuse()}) as talk:
        with pytest.raises(ServerError):
            await talk.session.truncate(KNOWN, 50)
        row = talk.session.items.loc[KNOWN]
        assert not row.interrupted
        assert math.isnan(row.heard_ms)


@in_a_loop
async def test_an_item_that_was_refused_is_not_in_the_conversation() -> None:
    async with talking({ITEM: refuse()}) as talk:
        with pytest.raises(ServerError):
            await talk.session.send_text("refused")
        items = talk.session.items
        assert items[~items.deleted].index.tolist() == [KNOWN]


@in_a_loop
async def test_after_a_response_that_never_began_the_next_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gip_nb.session.session.BEGIN_TIMEOUT_S", 0.1)
    async with talking({CREATE: silent}) as talk:
        with pytest.raises(TimedOut):
            await talk.session.respond()
        with pytest.raises(TimedOut):
            await talk.session.respond()
        assert len(talk.sent(CREATE)) == 2


@in_a_loop
async def test_a_response_that_waits_does_not_begin_while_a_key_is_held() -> None:
    said = answer("x", audio_ms=300)
    script: list[Step] = [Expect(CREATE), *said[:4], Expect("response.cancel"), *said[4:]]
    async with talking(script=script) as talk:
        await talk.session.respond()
        assert await talk.session.respond() is None
        await talk.session.press()
        ended = talk.session.protocol.conversation.responses["resp_1"]
        await talk.until(lambda: not ended.active, "the end of the first")
        await asyncio.sleep(0.05)
        assert talk.types(CREATE) == [CREATE]
