"""A budget on the wire: the warning, the stop, and that a raised one goes on."""

from __future__ import annotations

import re
import time
import warnings
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

import gip_nb
from gip_nb.audio import pcm16_from_wav
from gip_nb.errors import BadSetting, BudgetSpent, BudgetWarning
from gip_nb.testing import Expect, Say, Stage, answer, item_taken, tool_call
from gip_nb.tools import Toolbox
from tests.sim.session.verbs import KEY, MODELS, in_a_loop, on_the_loop, opening, talking, willing

if TYPE_CHECKING:
    from pathlib import Path

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.blocking import RealtimeSession
    from gip_nb.testing import Event, Step

in_both_dialects = pytest.mark.parametrize("dialect", ["beta", "ga"])
CREATE, UPDATE, ITEM = "response.create", "session.update", "conversation.item.create"
# A thousand dollars a million tokens: an answer of these servers, 12 tokens, costs $0.012.
RATE = {"input": 1000, "output": 1000}
ROW = {"text": RATE, "audio": RATE}
EACH_USD = 0.012


def own(dialect: Dialect) -> dict[str, Any]:
    return {MODELS[dialect]: ROW}


def detections(sent: list[Event]) -> list[Any]:
    """The turn detections that a server was asked for, in order; in either dialect."""
    sessions = [event["session"] for event in sent if event["type"] == UPDATE]
    inner = [session.get("audio", {}).get("input", session) for session in sessions]
    return [found["turn_detection"] for found in inner if "turn_detection" in found]


@in_both_dialects
@in_a_loop
async def test_a_warning_at_80_percent_and_no_answer_after_100(dialect: Dialect) -> None:
    # The first answer has been given: 27 %, then 53 %, 80 % and 107 %.
    async with talking(dialect=dialect, prices=own(dialect), budget_usd=0.045) as talk:
        session = talk.session
        assert session.budget_usd == 0.045
        await session.ask("one")
        assert talk.rows("local.budget") == []
        await session.ask("two")
        (warned,) = talk.rows("local.budget")
        assert (warned["state"], warned["budget_usd"]) == ("warned", 0.045)
        assert warned["share"] == pytest.approx(0.8)
        assert warned["spent_usd"] == pytest.approx(3 * EACH_USD)
        await session.ask("three")
        assert [row["state"] for row in talk.rows("local.budget")] == ["warned", "spent"]
        assert talk.types(CREATE) == [CREATE] * 3

        for ask in (session.ask("four"), session.respond(), session.send({"type": CREATE})):
            with pytest.raises(BudgetSpent) as caught:
                await ask
            assert caught.value.message == "the budget is spent ($0.0480 of $0.0450): no answer is asked for"
            assert "session.budget_usd = 0.09" in caught.value.next_step
        await talk.answered()
        assert talk.types(CREATE) == [CREATE] * 3
        # Typed words are in the conversation; the talk is connected, and its tables can be read.
        assert talk.types(ITEM) == [ITEM] * 4
        assert session.state == "listening"
        assert session.usage["cost_usd"].tolist() == pytest.approx([EACH_USD] * 4)
        assert [v.state for v in talk.heard.verdicts] == ["warned", "spent"]
        # The server's own turn detection is told once.
        held = {"type": "server_vad", "create_response": False}
        assert detections(talk.sent()) == [{"type": "server_vad"}, held]

        session.budget_usd = 1.0
        assert (await session.ask("five")).text == "answer 4"
        assert detections(talk.sent())[2:] == [{"type": "server_vad", "create_response": True}]
        assert [row["state"] for row in talk.rows("local.budget")] == ["warned", "spent", "within"]


@in_both_dialects
@in_a_loop
async def test_a_call_gets_its_output_and_no_follow_up(dialect: Dialect) -> None:
    def now() -> str:
        """The time."""
        return "noon"

    script: list[Step] = [
        Expect(ITEM),
        Say(item_taken),
        Expect(CREATE),
        *tool_call("now", {}, dialect=dialect, call_id="call_1"),
        Expect(ITEM, {"item": {"type": "function_call_output", "call_id": "call_1"}}),
        Say(item_taken),
    ]
    async with talking(
        script=script, dialect=dialect, tools=Toolbox([now]), prices=own(dialect), budget_usd=0.02
    ) as talk:
        with pytest.raises(BudgetSpent):
            await talk.session.ask("what time is it?")
        await talk.until(lambda: talk.types(ITEM) == [ITEM] * 2, "the output")
    assert talk.types(CREATE) == [CREATE]
    assert talk.session.tool_calls["output"].tolist() == ["noon"]


@in_a_loop
async def test_a_file_is_answered_and_turn_detection_comes_back_held(fixtures: Path) -> None:
    async with talking(prices=own("ga"), budget_usd=0.02) as talk:
        await talk.session.ask(fixtures / "hello_slt.wav")
        await talk.until(lambda: len(detections(talk.sent())) == 3, "turn detection to come back")
        # As it was first, off for the file, and back: without the right to ask.
        assert detections(talk.sent())[1:] == [None, {"type": "server_vad", "create_response": False}]
        await talk.until(lambda: talk.session.settings_settled, "the server's word")
        talk.session.budget_usd = None
        await talk.until(lambda: len(detections(talk.sent())) == 4, "the right to ask")
        assert detections(talk.sent())[3]["create_response"] is True


@in_a_loop
async def test_an_answer_of_unknown_cost_stops_the_talk_and_says_so() -> None:
    numbers = count(1)

    def pictures(_event: Event) -> list[Step]:
        n = next(numbers)
        said = answer("seen", response_id=f"resp_{n}", item_id=f"item_{n}")
        said[-1]["response"]["usage"]["input_token_details"]["image_tokens"] = 3
        return list(said)

    async with talking({CREATE: pictures}, prices=own("ga"), budget_usd=10) as talk:
        await talk.session.ask("look")
        with pytest.raises(BudgetSpent, match="no longer known") as caught:
            await talk.session.ask("and now?")
        assert "has no known price for image input" in caught.value.message
        assert "session.budget_usd = None" in caught.value.next_step
        await talk.answered()
        assert talk.types(CREATE) == [CREATE]
        assert [row["state"] for row in talk.rows("local.budget")] == ["unknown"]
        talk.session.budget_usd = None
        await talk.session.ask("now")
        assert talk.types(CREATE) == [CREATE] * 2


@in_a_loop
async def test_who_waits_for_nothing_is_told_too() -> None:
    async with talking(prices=own("ga"), budget_usd=0.02, turn_detection=None) as talk:
        await talk.session.respond()
        await talk.until(lambda: talk.heard.verdicts, "the stop")
        await talk.session.press()
        await on_the_loop(lambda: talk.session.push_microphone(bytes(9600)))
        await talk.session.release()
        await talk.until(lambda: talk.heard.failures, "that it is not answered")
        (failure,) = talk.heard.failures
        assert isinstance(failure, BudgetSpent)
        await talk.answered()
        assert talk.types(CREATE) == [CREATE]


@in_a_loop
async def test_the_users_prices_are_the_logs_first_row() -> None:
    async with talking(prices=own("ga")) as talk:
        first = talk.session.payload(0)
        assert first["type"] == "local.prices"
        (row,) = first["models"]
        assert (row["model"], row["source"], row["text"]["input"]) == (MODELS["ga"], "argument", 1000.0)
        assert talk.session.protocol.conversation.prices == talk.session.settings.prices
    async with talking() as talk:
        assert talk.rows("local.prices") == []


def test_a_cell_is_warned_once_and_told_where_it_stands() -> None:
    with Stage([*opening(), willing("ga", {})]) as stage:
        options: dict[str, Any] = {"base_url": stage.url, "api_key": KEY, "prices": own("ga")}
        with gip_nb.connect(MODELS["ga"], budget_usd=0.045, **options) as session:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for words in ("one", "two"):
                    session.ask(words)
            assert [(w.category, w.filename) for w in caught] == [(BudgetWarning, __file__)]
            assert re.match(r"\$0\.0360 of \$0\.0450 are spent \(80% of the budget\)", str(caught[0].message))
            assert "session.budget_usd = 0.09" in str(caught[0].message)
            session.budget_usd = 0.04
            assert session.budget_usd == 0.04
            session.ask("three")
            with pytest.raises(BudgetSpent):
                session.respond()
            with pytest.raises(BadSetting, match="budget_usd is -1"):
                session.budget_usd = -1
            with pytest.raises(BadSetting, match=re.escape("session.budget_usd = 3")):
                session.update(budget_usd=3)


def test_a_verb_without_a_page_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    @in_a_loop
    async def talk() -> None:
        async with talking(prices=own("ga"), budget_usd=0.03) as talk:
            await talk.session.ask("one")

    talk()
    assert "80% of the budget" in caplog.text


# ------------------------------------------------------------------------------------- the rehearsal server


def test_a_budget_of_what_has_no_price_is_no_budget() -> None:
    for begin in (gip_nb.connect, gip_nb.talk):
        with pytest.raises(BadSetting, match="no price is known for 'rehearsal'") as caught:
            begin("rehearsal", budget_usd=1)
        assert 'prices={"rehearsal": {' in caught.value.next_step


@pytest.mark.filterwarnings("ignore::gip_nb.errors.BudgetWarning")
def test_the_rehearsal_servers_voice_detection_asks_no_more_and_then_again(fixtures: Path) -> None:
    pcm = pcm16_from_wav(fixtures / "hello_slt.wav") + bytes(48 * 1200)
    prices = {"rehearsal": ROW}
    with gip_nb.connect("rehearsal", prices=prices, budget_usd=0.001) as session:
        session.send_audio(pcm)
        _until(session, "local.budget")
        _until(session, "session.updated", 2)
        requests = len(session.responses)
        assert session.events["type"].value_counts().get("local.budget") == 1
        # Said, heard, committed, and not answered.
        session.send_audio(pcm)
        _until(session, "input_audio_buffer.committed", 2)
        session.clear()
        assert len(session.responses) == requests == 1
        assert session.state == "listening"
        session.budget_usd = 100
        _until(session, "session.updated", 3)
        session.send_audio(pcm)
        _until(session, "response.done", 2)
        usage = session.usage
        assert usage[usage["kind"] == "response"]["cost_usd"].notna().all()


def _until(session: RealtimeSession, kind: str, count: int = 1) -> None:
    """Wait until so many events of this type are in the log."""
    deadline = time.monotonic() + 10
    while sum(row.type == kind for row in session.log.rows) < count:
        assert time.monotonic() < deadline, f"no {count} of {kind}: {session.events['type'].value_counts()}"
        time.sleep(0.005)
