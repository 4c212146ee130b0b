"""A budget: when it warns, when it stops, and what the client then still does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import BadSetting
from gip_nb.protocol.budget import OVER_BUDGET, Budget, Verdict, budget_of, must_have_price
from gip_nb.protocol.client import ClientProtocol
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.frames import Event
from gip_nb.protocol.outputs import BudgetChanged, Failed, ToolCall, TurnDone
from gip_nb.protocol.prices import PACKAGED, read_prices
from gip_nb.protocol.usage import Billed, Usage
from tests.unit.protocol.test_client import VAD, Line

# A dollar a million tokens of text.
PRICES = read_prices(
    {"m": {"text": {"input": 1, "output": 1}, "audio": {"input": 1, "output": 1}, "per_minute": 60}}
)
PLAIN = "response.create"
UPDATE = "session.update"


def of(tokens: int, **fields: Any) -> Billed:
    usage = Usage(input_tokens=tokens, input_text_tokens=tokens)
    given = {"kind": "response", "at_s": 0.0, "turn": 1, "model": "m", "status": "completed", **fields}
    return Billed(usage=usage, **given)


def told(*all_billed: Billed, budget: Budget) -> list[Verdict]:
    """What there is to tell, as one after the other is billed."""
    conversation = Conversation()
    conversation.prices = PRICES
    news = []
    for billed in all_billed:
        conversation.billed.append(billed)
        verdict = budget.look(conversation)
        if verdict is not None:
            news.append(verdict)
        assert budget.look(conversation) is None
    return news


# -------------------------------------------------------------------------------------------------- the rules


def test_it_warns_once_at_80_percent_and_stops_at_100() -> None:
    budget = Budget(0.001)  # 1000 tokens
    news = told(*[of(n) for n in (700, 99, 1, 100, 99, 1, 50)], budget=budget)
    # 700, 799: within; 800, 900, 999: warned; 1000, 1050: spent
    assert [v.state for v in news] == ["warned", "spent"]
    assert [v.spent_usd for v in news] == pytest.approx([0.0008, 0.001])
    assert [v.stops for v in news] == [False, True]
    assert budget.verdict.spent_usd == pytest.approx(0.00105)


def test_one_answer_may_go_from_nothing_over_the_limit() -> None:
    (only,) = told(of(5000), budget=Budget(0.001))
    assert only.state == "spent"
    assert only.spent_usd == pytest.approx(0.005)
    assert only.message == "the budget is spent ($0.0050 of $0.0010): no answer is asked for"
    assert "session.budget_usd = 0.002" in only.next_step
    row = only.as_row()
    assert row["share"] == pytest.approx(5.0)
    assert (row["state"], row["budget_usd"]) == ("spent", 0.001)


def test_transcriptions_count_where_their_cost_is_known() -> None:
    ears = {"kind": "transcription", "audio_s": 0.9e-3}
    # 0.9 ms at $1 a second.
    news = told(of(0, **ears), of(0, **{**ears, "model": "my-ears"}), budget=Budget(0.001))
    assert [v.state for v in news] == ["warned"]


def test_a_response_of_unknown_cost_stops_it_and_says_why() -> None:
    budget = Budget(1.0)
    (only,) = told(of(5), of(5, model="other"), of(5), budget=budget)
    assert (only.state, only.stops) == ("unknown", True)
    assert "no price is known for 'other'" in only.message
    assert "budget of $1.00" in only.message
    assert "session.budget_usd = None" in only.next_step
    raised = budget.limit(2.0)
    assert raised is not None
    assert raised.stops
    taken_away = budget.limit(None)
    assert taken_away is not None
    assert (taken_away.state, taken_away.message, taken_away.as_row()["share"]) == ("within", "", None)


def test_without_a_limit_it_only_counts_and_a_limit_may_come_later() -> None:
    budget = Budget()
    assert told(of(10_000), of(5, model="other"), budget=budget) == []
    late = Budget()
    assert told(of(10_000), budget=late) == []
    verdict = late.limit(0.005)
    assert verdict is not None
    assert verdict.state == "spent"
    assert late.limit(0.005) is None
    room = late.limit(0.1)
    assert room is not None
    assert (room.state, late.limit_usd) == ("within", 0.1)


@given(st.lists(st.integers(0, 400), max_size=20), st.integers(1, 2000))
def test_states_only_grow_worse_and_are_told_once(tokens: list[int], limit: int) -> None:
    budget = Budget(limit / 1e6)
    order = ["within", "warned", "spent"]
    states = [order.index(v.state) for v in told(*[of(n) for n in tokens], budget=budget)]
    assert states == sorted(set(states))
    assert budget.verdict.stops == (sum(tokens) >= limit)


@pytest.mark.parametrize(
    ("given", "read"), [(None, None), (1, 1.0), ("0.5", 0.5), (" $2 ", 2.0), (1e-6, 1e-6)]
)
def test_a_limit_as_it_is_written(given: object, read: float | None) -> None:
    assert budget_of(given) == read


@pytest.mark.parametrize("given", [0, -1, float("nan"), float("inf"), "much", "", True, [1], "nan"])
def test_what_is_no_limit(given: object) -> None:
    with pytest.raises(BadSetting, match="budget_usd is") as caught:
        budget_of(given)
    assert "more than 0" in caught.value.next_step


def test_a_budget_wants_a_price() -> None:
    must_have_price("openai/gpt-realtime", PACKAGED, 1.0)
    must_have_price("m", PRICES, 1.0)
    with pytest.raises(BadSetting, match="no price is known for 'rehearsal'") as caught:
        must_have_price("rehearsal", PACKAGED, 1.0)
    assert 'prices={"rehearsal": {' in caught.value.next_step
    for half in (
        {"per_minute": 1},
        {"text": {"input": 1, "output": 1}},
        {"text": {"input": 1}, "audio": {"input": 1}},
    ):
        with pytest.raises(BadSetting, match="not every price is known of 'm'"):
            must_have_price("m", read_prices({"m": half}), 1.0)


# ------------------------------------------------------------------------------------------------- the client


class Spender(Line):
    """A client with a budget of 1000 tokens."""

    def __init__(self, *, detection: dict[str, Any] | None = VAD) -> None:
        super().__init__(detection=detection)
        self.protocol.conversation.prices = PRICES
        self.protocol.conversation.model = "m"
        self.do(lambda p: p.set_budget(0.001))
        self.outputs.clear()

    def spend(self, response_id: str, tokens: int, status: str = "completed", **response: Any) -> None:
        usage = {"input_tokens": tokens, "input_token_details": {"text_tokens": tokens}}
        self.created(response_id)
        self.done(response_id, status, usage=usage, **response)

    def spend_on_call(self, response_id: str, tokens: int, *calls: str) -> None:
        output = [
            {"id": f"f_{c}", "type": "function_call", "call_id": c, "name": "now", "arguments": "{}"}
            for c in calls
        ]
        self.spend(response_id, tokens, output=output)

    @property
    def kinds(self) -> list[str]:
        return [fields["type"] for fields in self.sent]

    def of(self, kind: type) -> list[Any]:
        return [output for output in self.outputs if isinstance(output, kind)]

    @property
    def detections(self) -> list[Any]:
        updates = [fields["session"] for fields in self.sent if fields["type"] == UPDATE]
        return [update["audio"]["input"]["turn_detection"] for update in updates]


def test_a_spent_budget_asks_for_no_more_and_the_wish_says_why() -> None:
    line = Spender(detection=None)
    line.spend("r", 1000)
    wish = line.ask()
    assert line.kinds.count(PLAIN) == 0
    assert wish.done
    assert wish.failure is not None
    assert wish.failure.code == OVER_BUDGET
    assert "the budget is spent" in wish.failure.message
    assert "session.budget_usd" in wish.failure.next_step
    # What was said is in the conversation all the same.
    assert line.kinds == ["conversation.item.create"]
    # Nobody waits for it: then all are told.
    assert line.of(Failed) == [wish.failure]


def test_what_waits_its_turn_fails_and_items_go_out() -> None:
    line = Spender(detection=None)
    first = line.ask()
    second = line.ask("and this?")
    assert line.kinds.count(PLAIN) == 1
    line.spend("r", 1000)
    assert (first.done, first.failure) == (True, None)
    assert second.failure is not None
    assert line.kinds.count(PLAIN) == 1
    assert line.kinds.count("conversation.item.create") == 2


def test_a_call_is_answered_and_its_follow_up_is_not_asked_for() -> None:
    line = Spender(detection=None)
    wish = line.ask()
    line.spend_on_call("r", 1000, "c1", "c2")
    assert [call.call_id for call in line.of(ToolCall)] == ["c1", "c2"]
    assert not wish.done
    line.do(lambda p: p.tool_output("c1", "42"))
    line.do(lambda p: p.tool_output("c2", "43"))
    outputs = [
        f["item"]["call_id"] for f in line.sent if f.get("item", {}).get("type") == "function_call_output"
    ]
    assert outputs == ["c1", "c2"]
    assert line.kinds.count(PLAIN) == 1
    assert wish.failure is not None
    assert wish.failure.code == OVER_BUDGET
    assert line.of(TurnDone) == [TurnDone(1)]
    assert line.protocol.phase == "listening"


def test_beside_the_conversation_neither() -> None:
    line = Spender(detection=None)
    line.spend("r", 1000)
    wish = line.do(lambda p: p.respond({"conversation": "none"}))
    assert wish.failure is not None
    assert PLAIN not in line.kinds


def test_a_key_that_is_let_go_commits_and_asks_for_nothing() -> None:
    line = Spender(detection=None)
    line.spend("r", 1000)
    line.do(lambda p: p.press())
    line.do(lambda p: p.append_audio(bytes(4800)))
    wish = line.do(lambda p: p.release())
    assert wish is not None
    assert wish.failure is not None
    assert line.kinds == ["input_audio_buffer.commit"]


def test_the_servers_own_detection_is_told_once_not_to_ask_and_given_back() -> None:
    line = Spender()
    line.spend("r1", 1000)
    assert line.detections == [{**VAD, "create_response": False}]
    # One that was on its way already is billed, and nothing is said twice.
    line.spend("r2", 100)
    session = {"audio": {"input": {"turn_detection": {**VAD, "create_response": False}}}}
    line.got("session.updated", session=session)
    assert len(line.detections) == 1
    line.do(lambda p: p.set_budget(0.01))
    assert line.detections[1:] == [{**VAD, "create_response": True}]
    assert [change.verdict.state for change in line.of(BudgetChanged)] == ["spent", "within"]
    line.got("session.updated", session={"audio": {"input": {"turn_detection": VAD}}})
    assert len(line.detections) == 2


def test_it_does_not_ask_after_a_silence_either() -> None:
    # A server answers a silence whatever `create_response` says.
    patient = {**VAD, "idle_timeout_ms": 6000}
    line = Spender(detection=patient)
    line.spend("r1", 1000)
    held = {**VAD, "idle_timeout_ms": None, "create_response": False}
    assert line.detections == [held]
    line.got("session.updated", session={"audio": {"input": {"turn_detection": held}}})
    line.do(lambda p: p.set_budget(None))
    assert line.detections[1:] == [{**patient, "create_response": True}]


def test_a_silence_that_was_answered_is_not_given_to_a_detection_that_knows_none() -> None:
    line = Spender(detection={**VAD, "idle_timeout_ms": 6000})
    line.spend("r1", 1000)
    semantic = {"type": "semantic_vad", "create_response": False}
    line.do(lambda p: p.update({"audio": {"input": {"turn_detection": semantic}}}))
    line.got("session.updated", session={"audio": {"input": {"turn_detection": semantic}}})
    line.do(lambda p: p.set_budget(None))
    assert line.detections[-1] == {"type": "semantic_vad", "create_response": True}


def test_a_server_that_does_not_listen_is_not_told_again_and_again() -> None:
    line = Spender()
    line.spend("r1", 1000)
    for _ in range(3):
        line.got("session.updated", session={"audio": {"input": {"turn_detection": VAD}}})
    assert len(line.detections) == 1


def test_who_asks_by_himself_is_left_alone() -> None:
    by_hand = {**VAD, "create_response": False}
    line = Spender(detection=by_hand)
    line.spend("r1", 1000)
    line.do(lambda p: p.set_budget(0.01))
    assert line.detections == []


def test_a_turn_detection_that_is_asked_for_meanwhile_does_not_ask_either() -> None:
    line = Spender(detection=None)
    line.spend("r1", 1000)
    update = {"instructions": "Be brief.", "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
    line.do(lambda p: p.update(update))
    held = {"type": "semantic_vad", "create_response": False}
    assert line.sent[-1]["session"] == {
        "instructions": "Be brief.",
        "audio": {"input": {"turn_detection": held}},
    }
    assert update["audio"] == {"input": {"turn_detection": {"type": "semantic_vad"}}}
    line.got("session.updated", session={"audio": {"input": {"turn_detection": held}}})
    line.do(lambda p: p.set_budget(None))
    assert line.detections[-1] == {"type": "semantic_vad", "create_response": True}


def test_one_that_was_lent_to_an_utterance_comes_back_as_the_budget_is_then() -> None:
    line = Spender(detection=None)  # it is off while a file is asked
    line.spend("r1", 1000)
    line.do(lambda p: p.update({"audio": {"input": {"turn_detection": VAD}}}))
    assert line.detections == [{**VAD, "create_response": False}]
    line.got("session.updated", session={"audio": {"input": {"turn_detection": None}}})
    line.do(lambda p: p.set_budget(None))
    assert len(line.detections) == 1
    line.got("session.updated", session={"audio": {"input": {"turn_detection": line.detections[0]}}})
    assert line.detections[1:] == [{**VAD, "create_response": True}]


def test_what_a_spent_budget_hears_is_not_waited_for() -> None:
    line = Spender()
    line.spend("r1", 1000)
    line.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    line.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=500)
    assert line.protocol.phase == "listening"


def test_the_news_comes_before_what_follows_from_it() -> None:
    line = Spender(detection=None)
    line.ask()
    line.ask("and this?")
    line.spend("r", 1000)
    kinds = [type(output) for output in line.outputs if isinstance(output, BudgetChanged | Failed)]
    assert kinds == [BudgetChanged, Failed]


def test_another_connection_is_held_back_anew() -> None:
    line = Spender()
    line.spend("r1", 1000)
    line.do(lambda p: p.connection_lost())
    line.got("session.created", session={"id": "s2", "audio": {"input": {"turn_detection": VAD}}})
    assert line.detections == [{**VAD, "create_response": False}] * 2


def test_a_conversation_that_goes_on_counts_what_it_has_cost_before() -> None:
    conversation = Conversation()
    conversation.prices = PRICES
    conversation.billed.append(of(900))
    protocol = ClientProtocol(lambda prefix: prefix, conversation=conversation, budget=Budget(0.001))
    protocol.receive(Event("rate_limits.updated", {"type": "rate_limits.updated"}))
    changes = [output for output in protocol.take() if isinstance(output, BudgetChanged)]
    assert [change.verdict.state for change in changes] == ["warned"]
