"""Each verb that waits: its good way, its error, a mute server, and others that wait beside it."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.errors import (
    AlreadyClosed,
    BadSetting,
    ConnectionDropped,
    ServerError,
    SettingIgnored,
    TimedOut,
    UnknownItem,
)
from gip_nb.session.blocking import RealtimeSession
from gip_nb.testing import Close, Cue, Expect, ExpectNo, Say, answer, error, item_taken
from tests.sim.session.verbs import (
    KNOWN,
    PATIENT,
    SPEECH,
    VERBS,
    Verb,
    in_a_loop,
    refuse,
    silent,
    talking,
)

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing import Event, Step
    from tests.sim.session.verbs import Answers, Talk

each_verb = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
each_patient_verb = pytest.mark.parametrize("verb", PATIENT.values(), ids=PATIENT)
in_both_dialects = pytest.mark.parametrize("dialect", ["beta", "ga"])
UPDATE = "session.update"
CREATE = "response.create"
ITEM = "conversation.item.create"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("_ANSWER_TIMEOUT_S", "BEGIN_TIMEOUT_S", "_ITEM_GRACE_S"):
        monkeypatch.setattr(f"gip_nb.session.session.{limit}", 0.1)


def other_than(verb: Verb) -> Verb:
    """Another verb, that can wait beside it."""
    return VERBS["update" if verb.asks.startswith("input_audio_buffer") else "clear"]


def confirmed(verb: Verb) -> Event:
    """The answer to a verb that names no item."""
    return {"type": verb.answer, "event_id": "event_x", "session": {"id": "s", "instructions": "be brief"}}


# --------------------------------------------------------------------------------------------- the good way


@in_both_dialects
@each_verb
@in_a_loop
async def test_each_verb_sends_one_event_and_is_done_by_its_answer(verb: Verb, dialect: Dialect) -> None:
    async with talking(dialect=dialect) as talk:
        await talk.session.send_audio(SPEECH)
        before = len(talk.sent())
        result = await asyncio.wait_for(verb.do(talk.session), 0.9)
        new = [kind for kind in talk.types()[before:] if kind != "input_audio_buffer.append"]
        assert new == [verb.asks]
        assert talk.heard.failures == []
    given = {"response.create": "resp_1", ITEM: talk.sent(verb.asks)[-1].get("item", {}).get("id")}
    if verb.asks in given:
        assert result == given[verb.asks]
    elif verb.asks == "conversation.item.retrieve":
        assert result["content"] == [{"type": "output_text", "text": "as the server has it"}]
    else:
        assert result is None


@in_both_dialects
@in_a_loop
async def test_an_item_stands_where_it_was_put(dialect: Dialect) -> None:
    async with talking(dialect=dialect) as talk:
        item = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "first"}]}
        first = await talk.session.add(item, "root")
        last = await talk.session.send_text("last")
        middle = await talk.session.add({**item, "id": "item_mine"}, KNOWN)
        assert middle == "item_mine"
        assert [e.get("previous_item_id") for e in talk.sent(ITEM)] == ["root", None, KNOWN]
        assert list(talk.session.items.index) == [first, KNOWN, middle, last]


@in_both_dialects
@in_a_loop
async def test_an_item_that_the_server_renames_is_known_by_its_new_name(dialect: Dialect) -> None:
    def renamed(event: Event) -> list[Step]:
        item = {**event["item"], "id": "item_theirs", "status": "completed"}
        kind = "conversation.item.added" if dialect == "ga" else "conversation.item.created"
        return [{"type": kind, "event_id": "event_n", "previous_item_id": None, "item": item}]

    async with talking({ITEM: renamed}, dialect=dialect) as talk:
        item_id = await talk.session.send_text("hello")
        assert item_id == "item_theirs"
        await talk.session.delete(item_id)
        assert talk.sent()[-1]["item_id"] == "item_theirs"


# --------------------------------------------------------------------------------------------------- errors


@each_verb
@pytest.mark.parametrize("named", [True, False], ids=["by its event_id", "without one"])
@in_a_loop
async def test_an_error_is_raised_in_the_verb_that_caused_it_and_told_nobody_else(
    verb: Verb, *, named: bool
) -> None:
    async with talking({verb.asks: refuse(named=named)}) as talk:
        await talk.session.send_audio(SPEECH)
        if verb.asks == ITEM and not named:
            # It may be about anything, and the talk is to go on: all are told instead.
            await verb.do(talk.session)
            assert len(talk.heard.failures) == 1
            return
        with pytest.raises(ServerError, match="it says invalid_value") as caught:
            await verb.do(talk.session)
        assert caught.value.code == "invalid_value"
        assert talk.heard.failures == []
        await talk.until(lambda: talk.session.state == "listening", "the end of it")
        await other_than(verb).do(talk.session)


@each_verb
@in_a_loop
async def test_an_error_leaves_others_that_wait_in_peace(verb: Verb) -> None:
    other = other_than(verb)
    answers: Answers = {other.asks: silent, verb.asks: lambda e: [*refuse()(e), confirmed(other)]}
    async with talking(answers) as talk:
        await talk.session.send_audio(SPEECH)
        before = len(talk.sent(other.asks))
        waiting = asyncio.create_task(other.do(talk.session))
        await talk.until(lambda: len(talk.sent(other.asks)) > before, "the other verb")
        with pytest.raises(ServerError):
            await verb.do(talk.session)
        await asyncio.wait_for(waiting, 1)
        assert talk.heard.failures == []


@in_a_loop
async def test_an_error_without_a_name_is_nobodys_where_two_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gip_nb.session.session._ANSWER_TIMEOUT_S", 0.3)
    answers = {"input_audio_buffer.clear": silent, "conversation.item.retrieve": refuse(named=False)}
    async with talking(answers) as talk:
        clear = asyncio.create_task(talk.session.clear())
        await talk.until(lambda: talk.types("input_audio_buffer.clear"), "the first")
        retrieve = asyncio.create_task(talk.session.retrieve(KNOWN))
        ends = await asyncio.gather(clear, retrieve, return_exceptions=True)
        assert [type(e) for e in ends] == [TimedOut, TimedOut]
        assert [type(e) for e in talk.heard.failures] == [ServerError]


@in_a_loop
async def test_two_of_one_kind_get_each_its_own_end() -> None:
    names = iter(["good", "bad", "good"])

    def update(event: Event) -> list[Step]:
        if next(names) == "bad":
            return [*refuse()(event)]
        told = {"type": "session.updated", "event_id": "e", "session": event["session"]}
        return [told]

    async with talking({UPDATE: update}) as talk:
        texts = ("one", "two", "three")
        ends = await asyncio.gather(
            *(talk.session.update(instructions=text) for text in texts), return_exceptions=True
        )
        assert [type(e) for e in ends] == [type(None), ServerError, type(None)]
        assert talk.heard.failures == []


# -------------------------------------------------------------------------------------- a server that is mute


@each_patient_verb
@pytest.mark.usefixtures("impatient")
@in_a_loop
async def test_a_server_that_says_nothing_is_a_time_out_that_names_the_event(verb: Verb) -> None:
    async with talking({verb.asks: silent}) as talk:
        await talk.session.send_audio(SPEECH)
        with pytest.raises(TimedOut, match=rf"^{verb.answer} did not come within 0\.1 s"):
            await verb.do(talk.session)


@pytest.mark.parametrize("verb", [VERBS["send_text"], VERBS["add"]], ids=["send_text", "add"])
@pytest.mark.usefixtures("impatient")
@in_a_loop
async def test_a_server_that_confirms_no_item_is_waited_for_a_moment(verb: Verb) -> None:
    async with talking({ITEM: silent}) as talk:
        item_id = await verb.do(talk.session)
        assert item_id == talk.sent(ITEM)[-1]["item"]["id"]
        assert item_id in talk.session.items.index


@each_verb
@pytest.mark.usefixtures("impatient")
@in_a_loop
async def test_an_error_that_comes_when_nobody_waits_any_more_is_told_to_all(verb: Verb) -> None:
    kept: list[Event] = []

    def keep(event: Event) -> list[Step]:
        kept.append(event)
        return [Cue("gave up"), *refuse("late")(event)]

    async with talking({verb.asks: keep}) as talk:
        await talk.session.send_audio(SPEECH)
        if verb in PATIENT.values():
            with pytest.raises(TimedOut):
                await verb.do(talk.session)
        else:
            await verb.do(talk.session)
        talk.stage.cue("gave up")
        await talk.until(lambda: talk.heard.failures, "the late error")
        assert [getattr(e, "code", None) for e in talk.heard.failures] == ["late"]


@pytest.mark.usefixtures("impatient")
@in_a_loop
async def test_after_one_update_that_was_never_answered_the_next_gets_its_own_answer() -> None:
    count = iter(range(10))

    def update(event: Event) -> list[Step]:
        if next(count) == 0:
            return []
        return [{"type": "session.updated", "event_id": "e", "session": event["session"]}]

    async with talking({UPDATE: update}) as talk:
        with pytest.raises(TimedOut, match=r"session\.updated"):
            await talk.session.update(instructions="lost")
        for text in ("one", "two"):
            await talk.session.update(instructions=text)


# ------------------------------------------------------------------------------------ the connection is lost


async def all_waiting(talk: Talk) -> list[asyncio.Task[Any]]:
    """Every verb, each waiting for an answer that does not come."""
    await talk.session.send_audio(SPEECH)
    tasks = [asyncio.create_task(verb.do(talk.session)) for verb in VERBS.values()]
    tasks.append(asyncio.create_task(talk.session.wait("no.such.event")))
    tasks.append(asyncio.create_task(talk.session.ask("hello")))
    wanted = sorted(verb.asks for verb in VERBS.values() if verb.asks != CREATE)
    await talk.until(lambda: set(wanted) <= set(talk.types()) and CREATE in talk.types(), "all of them")
    return tasks


MUTE = {verb.asks: silent for verb in VERBS.values()}


@pytest.mark.parametrize("how", ["lost", "closed"])
@in_a_loop
async def test_when_the_talk_ends_every_verb_that_waits_is_told_why(how: str) -> None:
    answers: Answers = {**MUTE, "input_audio_buffer.lost": lambda _e: [Close(1011, "upstream lost")]}
    async with talking(answers, reconnect=False) as talk:
        tasks = await all_waiting(talk)
        if how == "closed":
            await talk.session.close()
        else:
            await talk.session.send({"type": "input_audio_buffer.lost"})
        ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 2)
        # What waits for its turn behind another response has returned before.
        ended = [e for e in ends if isinstance(e, BaseException)]
        assert len(ended) >= len(ends) - 3
        kind = AlreadyClosed if how == "closed" else ConnectionDropped
        assert {type(e) for e in ended} == {kind}
        assert [type(e) for e in talk.heard.failures] == ([] if how == "closed" else [ConnectionDropped])
        with pytest.raises(kind):
            await talk.session.update(instructions="too late")


# ------------------------------------------------------------------------------------- while an answer comes


@in_both_dialects
@in_a_loop
async def test_during_a_response_what_edits_goes_out_at_once_and_what_adds_waits(dialect: Dialect) -> None:
    first = answer("first", dialect=dialect)
    second = answer("second", dialect=dialect, response_id="resp_2", item_id="item_2")
    taken = Say(item_taken)
    script: list[Step] = [
        Expect(CREATE),
        *first[:4],
        Expect("conversation.item.retrieve"),
        ExpectNo(ITEM, 0.05),
        ExpectNo(CREATE, 0),
        {"type": "conversation.item.retrieved", "event_id": "event_r", "item": {"id": KNOWN}},
        *first[4:],
        Expect(ITEM),
        taken,
        Expect(ITEM),
        taken,
        Expect(CREATE),
        *second,
    ]
    async with talking(script=script, dialect=dialect) as talk:
        session = talk.session
        assert await session.respond() == "resp_1"
        one = await session.send_text("one")
        two = await session.add({"type": "message", "role": "user", "content": []})
        assert await session.respond() is None
        await session.retrieve(KNOWN)
        await talk.until(lambda: "item_2" in session.items.index, "the second answer")
        assert [e["item"]["id"] for e in talk.sent(ITEM)] == [one, two]
        assert talk.types(ITEM, CREATE) == [CREATE, ITEM, ITEM, CREATE]


@in_a_loop
async def test_responding_twice_at_once_gives_one_after_the_other() -> None:
    async with talking() as talk:
        ids = await asyncio.gather(*(talk.session.respond() for _ in range(3)))
        # Where the one before has ended already, none has to wait.
        assert ids[0] == "resp_1"
        assert set(ids[1:]) <= {None, "resp_2", "resp_3"}
        await talk.until(lambda: len(talk.session.turns) and _done(talk) == 4, "all three")
        assert talk.types(CREATE) == [CREATE] * 3


def _done(talk: Talk) -> int:
    return sum(kind == "response.done" for kind in talk.session.events.event)


@in_a_loop
async def test_a_response_that_the_server_began_itself_comes_first_and_ours_after_it() -> None:
    own = answer("own", response_id="resp_own", item_id="item_own")
    busy = error("conversation_already_has_active_response", "busy")

    def race(event: Event) -> list[Event]:
        return [own[0], {**busy, "error": {**busy["error"], "event_id": event["event_id"]}}, *own[1:]]

    ours = answer("ours", response_id="resp_ours", item_id="item_ours")
    script: list[Step] = [
        Expect(CREATE),
        Say(lambda visit: race(visit.last(CREATE))),
        Expect(CREATE),
        *ours,
    ]
    async with talking(script=script) as talk:
        # Whichever was told first: the response that was asked for is the second.
        assert await talk.session.respond() in {None, "resp_own", "resp_ours"}
        await talk.until(lambda: _done(talk) == 3, "both")
        assert talk.heard.failures == []


@in_both_dialects
@pytest.mark.parametrize("metadata", [None, {"topic": "title"}], ids=["without metadata", "with metadata"])
@in_a_loop
async def test_a_response_beside_begins_and_ends_while_another_is_given(
    metadata: dict[str, str] | None, dialect: Dialect
) -> None:
    main = answer("the answer", dialect=dialect)

    def beside(event: Event) -> list[Event]:
        return answer(
            "a title",
            dialect=dialect,
            response_id="resp_beside",
            item_id="item_beside",
            metadata=event["response"]["metadata"],
        )

    script: list[Step] = [
        Expect(CREATE),
        *main[:4],
        Expect(CREATE, {"response": {"conversation": "none"}}),
        Say(lambda visit: beside(visit.last(CREATE))),
        Cue("ended"),
        *main[4:],
    ]
    async with talking(script=script, dialect=dialect) as talk:
        session = talk.session
        assert await session.respond() == "resp_1"
        more = {} if metadata is None else {"metadata": metadata}
        assert await session.respond(conversation="none", instructions="a title", **more) == "resp_beside"
        await talk.until(lambda: _done(talk) == 2, "the end of the one beside")
        states = [session.state]
        asked = talk.sent(CREATE)[-1]["response"]
        assert asked["conversation"] == "none"
        assert asked["metadata"] == metadata if metadata else len(asked["metadata"]) == 1
        talk.stage.cue("ended")
        await talk.until(lambda: _done(talk) == 3, "the answer")
        assert [*states, session.state] == ["thinking", "listening"], "the other one was still given"
        assert session.items.loc["item_1"].text == "the answer"
        assert session.items.loc["item_beside"].text == "a title"


@in_a_loop
async def test_a_refusal_beside_is_of_that_one_alone() -> None:
    main = answer("the answer")
    script: list[Step] = [
        Expect(CREATE),
        *main[:4],
        Expect(CREATE),
        Say(lambda visit: refuse()(visit.last(CREATE))),
        *main[4:],
    ]
    async with talking(script=script) as talk:
        await talk.session.respond()
        with pytest.raises(ServerError, match="invalid_value"):
            await talk.session.respond(conversation="none")
        await talk.until(lambda: _done(talk) == 2, "the answer")
        assert talk.heard.failures == []
        assert talk.session.items.loc["item_1"].text == "the answer"


# --------------------------------------------------------------------------------------------------- updates


def stubborn(event: Event) -> list[Step]:
    """Takes what it is told, but for the speed."""
    told = {**event["session"], "id": "s", "audio": {"output": {"voice": "alloy", "speed": 1.0}}}
    return [{"type": "session.updated", "event_id": "e", "session": told}]


@in_a_loop
async def test_what_the_server_ignores_is_a_warning_with_both_values_and_a_row() -> None:
    async with talking({UPDATE: stubborn}) as talk:
        with pytest.warns(SettingIgnored) as caught:
            await talk.session.update(instructions="be brief", audio={"output": {"speed": 1.5}})
        (one,) = caught
        assert str(one.message) == "audio.output.speed: asked for 1.5, is 1.0"
        assert one.filename == __file__
        assert [(r["setting"], r["message"]) for r in talk.rows("local.setting.ignored")] == [
            ("audio.output.speed", str(one.message))
        ]
        assert talk.heard.failures == []
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await talk.session.update(instructions="be brief")


def test_a_blocking_update_warns_in_the_cell_that_called_it() -> None:
    session: list[RealtimeSession] = []

    @in_a_loop
    async def run() -> None:
        async with talking({UPDATE: stubborn}) as talk:
            session.append(RealtimeSession(talk.session))
            with pytest.warns(SettingIgnored, match="1.5, is 1.0") as caught:
                await asyncio.to_thread(lambda: session[0].update(speed=1.5))
            assert caught[0].filename == __file__

    run()


@in_both_dialects
@in_a_loop
async def test_a_voice_cannot_change_after_the_model_has_spoken_and_nothing_is_sent(dialect: Dialect) -> None:
    async with talking(dialect=dialect) as talk:
        before = len(talk.sent(UPDATE))
        with pytest.raises(BadSetting, match="voice"):
            await talk.session.update(voice="verse", instructions="be brief")
        await talk.answered()
        assert len(talk.sent(UPDATE)) == before


@in_a_loop
async def test_an_item_that_is_not_there_is_said_before_anything_is_sent() -> None:
    async with talking() as talk:
        await talk.session.delete(KNOWN)
        before = len(talk.sent())
        for item_id in ("item_nowhere", "", KNOWN):
            for verb in (
                lambda i=item_id: talk.session.delete(i),
                lambda i=item_id: talk.session.retrieve(i),
                lambda i=item_id: talk.session.truncate(i, 10),
            ):
                with pytest.raises(UnknownItem):
                    await verb()
        assert len(talk.sent()) == before


@pytest.mark.parametrize("audio_end_ms", [-1, 201, 1e9, float("nan"), float("inf"), "50", None, 50 + 1j])
@in_a_loop
async def test_a_position_that_is_none_is_said_before_anything_is_sent(audio_end_ms: Any) -> None:
    async with talking() as talk:
        with pytest.raises(BadSetting, match="audio_end_ms"):
            await talk.session.truncate(KNOWN, audio_end_ms)
        await talk.session.truncate(KNOWN, 200)
        assert [e["audio_end_ms"] for e in talk.sent("conversation.item.truncate")] == [200]
