"""What a conversation is billed: each response once, transcriptions apart, each at its own price."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.conversation import Conversation, Direction
from gip_nb.protocol.cost import Cost, cost_of, total_cost, turn_cost
from gip_nb.protocol.dialects import server_event_to_canonical
from gip_nb.protocol.events import BETA, GA
from gip_nb.protocol.frames import Event
from gip_nb.protocol.prices import read_prices

MODEL = "openai/gpt-realtime"
# 5 x 4.00 + 3 x 16 + 4 x 64 = 20 + 48 + 256 millionths of a dollar, at gpt-realtime's prices.
USAGE = {
    "input_tokens": 5,
    "output_tokens": 7,
    "input_token_details": {"text_tokens": 5, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 3, "audio_tokens": 4},
}
USD = 0.000324
OWN = {"text": {"input": 1000, "output": 1000}, "audio": {"input": 1000, "output": 1000}}
# 12 tokens of it.
OWN_USD = 0.012


def about(usd: float) -> Any:
    return pytest.approx(usd)


class Talk:
    """A conversation that is told events, a second apart."""

    def __init__(self, model: str = MODEL, *, prices: dict[str, Any] | None = None) -> None:
        self.conversation = Conversation()
        self.now_s = 0.0
        if prices is not None:
            rows = [msgspec.to_builtins(price) for price in read_prices(prices).own]
            self.tell("local", "local.prices", models=rows)
        self.tell("local", "local.connection.opened", model=model)

    def tell(self, direction: Direction, kind: str, **fields: Any) -> None:
        self.now_s += 1
        self.conversation.apply(Event(kind, {"type": kind, **fields}), direction, self.now_s)

    def got(self, kind: str, **fields: Any) -> None:
        self.tell("received", kind, **fields)

    def session(self, model: str = "gpt-realtime", transcription: dict[str, Any] | None = None) -> None:
        audio = {"input": {"transcription": transcription}}
        self.got("session.updated", session={"id": "s", "model": model, "audio": audio})

    def done(self, response_id: str, status: str = "completed", usage: Any = USAGE, **response: Any) -> None:
        self.got("response.done", response={"id": response_id, "status": status, "usage": usage, **response})

    def said(self, item_id: str = "u") -> None:
        self.got("input_audio_buffer.committed", item_id=item_id)

    def written(self, usage: Any, item_id: str = "u", index: int = 0) -> None:
        kind = "conversation.item.input_audio_transcription.completed"
        self.got(kind, item_id=item_id, content_index=index, transcript="hello", usage=usage)

    @property
    def costs(self) -> list[Cost]:
        return [cost_of(billed, self.conversation.prices) for billed in self.conversation.billed]


@pytest.mark.parametrize("status", ["completed", "cancelled", "failed", "incomplete"])
def test_each_response_is_one_billed_request_however_it_ended_and_counts_once(status: str) -> None:
    talk = Talk()
    talk.said()
    for _ in range(2):  # some servers say it twice
        talk.done("r1", status)
    talk.done("r2")
    conversation = talk.conversation
    assert [(b.response_id, b.status, b.turn, b.kind) for b in conversation.billed] == [
        ("r1", status, 1, "response"),
        ("r2", "completed", 1, "response"),
    ]
    assert [b.at_s for b in conversation.billed] == [3.0, 5.0]
    assert conversation.requests == 2
    assert turn_cost(conversation, conversation.turns[0]) == Cost(about(2 * USD))


def test_a_turn_costs_what_its_responses_do_each_at_its_own_models_price() -> None:
    talk = Talk()
    talk.session("gpt-realtime")
    talk.said()
    talk.done("r1")
    talk.session("gpt-realtime-2")
    talk.done("r2")
    # gpt-realtime-2: 3 text tokens that come out at 24 instead of 16: 24 millionths more.
    assert [r.model for r in talk.conversation.responses.values()] == ["gpt-realtime", "gpt-realtime-2"]
    assert turn_cost(talk.conversation, talk.conversation.turns[0]).usd == about(2 * USD + 24e-6)


def test_one_response_of_unknown_cost_makes_its_turn_unknown_and_no_other() -> None:
    talk = Talk("my/model")
    talk.session("my-model")
    talk.said("u1")
    talk.done("r1")
    talk.session("gpt-realtime")
    talk.said("u2")
    talk.done("r2")
    first, second = (turn_cost(talk.conversation, turn) for turn in talk.conversation.turns)
    assert first == Cost(None, note="no price is known for 'my-model'")
    assert second == Cost(about(USD))
    assert total_cost(talk.conversation).usd is None


def test_a_turn_without_a_response_has_no_cost() -> None:
    talk = Talk()
    talk.said()
    assert turn_cost(talk.conversation, talk.conversation.turns[0]) == Cost(None)
    assert total_cost(talk.conversation) == Cost(None)


@pytest.mark.parametrize(
    ("told", "model", "usd"),
    [
        ("gpt-realtime", "gpt-realtime", USD),
        # A gateway's name of its own, that nobody has priced: the one that was asked for.
        ("deployment-7", MODEL, USD),
        ("", MODEL, USD),
    ],
)
def test_the_model_is_the_one_that_the_session_told_or_that_was_asked_for(
    told: str, model: str, usd: float
) -> None:
    talk = Talk()
    talk.session(told)
    talk.done("r1")
    assert [b.model for b in talk.conversation.billed] == [model]
    assert talk.costs[0].usd == about(usd)


def test_the_users_prices_are_in_the_log_and_hold_from_its_beginning() -> None:
    for asked, told in ((MODEL, "gpt-realtime"), ("my/model", "deployment-7"), ("my/model", "gpt-realtime")):
        talk = Talk(asked, prices={asked: OWN})
        talk.session(told)
        talk.done("r1")
        assert talk.costs == [Cost(about(OWN_USD))], (asked, told)


def test_a_response_that_told_no_usage_has_no_cost_unless_nothing_came_of_it() -> None:
    talk = Talk()
    talk.done("r1", "failed", usage=None)
    talk.done("r2", "cancelled", usage=None, output=[{"id": "a", "type": "message", "role": "assistant"}])
    talk.done("r3", usage=None)
    assert [cost.usd for cost in talk.costs] == [0.0, None, None]
    assert all(cost.note is not None and "told no usage" in cost.note for cost in talk.costs)


# --------------------------------------------------------------------------------------------- transcriptions


def test_a_transcription_is_billed_apart_by_the_sessions_transcription_model() -> None:
    talk = Talk()
    talk.session(transcription={"model": "whisper-1"})
    talk.said()
    talk.written({"type": "duration", "seconds": 30})
    talk.done("r1")
    billed = talk.conversation.billed[0]
    assert (billed.kind, billed.model, billed.turn, billed.item_id) == ("transcription", "whisper-1", 1, "u")
    assert (billed.audio_s, billed.response_id, billed.status) == (30.0, None, "completed")
    # Half a minute at $0.006.
    assert talk.costs == [Cost(about(0.003)), Cost(about(USD))]
    assert turn_cost(talk.conversation, talk.conversation.turns[0]) == Cost(about(USD))
    assert total_cost(talk.conversation) == Cost(about(0.003 + USD))
    assert talk.conversation.requests == 1


def test_the_embedded_server_hears_by_itself_and_costs_nothing_that_whisper_would() -> None:
    talk = Talk("rehearsal")
    talk.session("rehearsal", transcription={"model": "whisper-1"})
    talk.said()
    talk.written({"type": "duration", "seconds": 30})
    assert [(b.model, c.usd) for b, c in zip(talk.conversation.billed, talk.costs, strict=True)] == [
        ("rehearsal", None)
    ]


def test_one_that_comes_late_is_billed_by_the_model_that_wrote_it() -> None:
    talk = Talk()
    talk.session(transcription={"model": "whisper-1"})
    talk.said()
    talk.session(transcription=None)
    talk.written({"type": "duration", "seconds": 30})
    assert talk.costs == [Cost(about(0.003))]


def test_each_part_is_billed_once_and_one_without_usage_is_not() -> None:
    talk = Talk()
    talk.session(transcription={"model": "gpt-4o-mini-transcribe"})
    talk.said()
    talk.written(None)
    for index in (0, 0, 1):
        talk.written({"type": "tokens", "input_tokens": 10, "output_tokens": 2}, index=index)
    assert len(talk.conversation.billed) == 2
    # 10 of no named kind, as audio: 10 x 3.00; 2 x 5.00 of text.
    assert talk.costs[0].usd == about(40e-6)
    assert talk.costs[0].is_upper_bound


def test_one_of_unknown_price_leaves_the_total_known_and_says_what_is_not_in_it() -> None:
    talk = Talk()
    talk.session(transcription={"model": "my-ears"})
    talk.said()
    talk.written({"type": "duration", "seconds": 30})
    talk.done("r1")
    total = total_cost(talk.conversation)
    assert total.usd == about(USD)
    assert total.note == "transcription not included: no price is known for 'my-ears'"


@pytest.mark.parametrize("dialect", [BETA, GA])
def test_both_dialects_tell_the_same(dialect: Any) -> None:
    talk = Talk()
    transcription = {"model": "whisper-1"}
    session: dict[str, Any] = {"id": "s", "model": "gpt-realtime"}
    if dialect == GA:
        session |= {"type": "realtime", "audio": {"input": {"transcription": transcription}}}
    else:
        session |= {"input_audio_transcription": transcription}
    for wire in (
        {"type": "session.created", "session": session},
        {"type": "input_audio_buffer.committed", "item_id": "u"},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "u",
            "usage": {"type": "duration", "seconds": 30},
        },
        {"type": "response.done", "response": {"id": "r", "status": "completed", "usage": USAGE}},
    ):
        fields = server_event_to_canonical(wire, dialect)
        talk.got(**{"kind": fields.pop("type"), **fields})
    assert talk.costs == [Cost(about(0.003)), Cost(about(USD))]


# --------------------------------------------------------------------------------------------- as they add up

usages = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": st.integers(0, 500),
        "output_tokens": st.integers(0, 500),
        "input_token_details": st.fixed_dictionaries(
            {},
            optional={
                "text_tokens": st.integers(0, 200),
                "audio_tokens": st.integers(0, 200),
                "image_tokens": st.integers(0, 100),
                "cached_tokens": st.integers(0, 500),
                "cached_tokens_details": st.fixed_dictionaries(
                    {}, optional={"text_tokens": st.integers(0, 200), "audio_tokens": st.integers(0, 200)}
                ),
            },
        ),
        "output_token_details": st.fixed_dictionaries(
            {}, optional={"text_tokens": st.integers(0, 200), "audio_tokens": st.integers(0, 200)}
        ),
    },
)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("done"), st.sampled_from(["r1", "r2", "r3"]), usages),
        st.tuples(st.just("said"), st.sampled_from(["u1", "u2"]), st.none()),
        st.tuples(st.just("written"), st.sampled_from(["u1", "u2"]), usages),
    ),
    max_size=12,
)


@given(happenings)
def test_turns_add_up_to_the_total_which_never_falls(told: list[tuple[str, str, Any]]) -> None:
    talk = Talk()
    talk.session(transcription={"model": "gpt-4o-transcribe"})
    before = 0.0
    for what, name, usage in told:
        if what == "done":
            talk.done(name, usage=usage)
        elif what == "written":
            talk.written(usage, name)
        else:
            talk.said(name)
        known = sum(cost.usd or 0.0 for cost in talk.costs)
        assert known >= before
        before = known
    conversation = talk.conversation
    by_turn = [cost for turn in conversation.turns if (cost := turn_cost(conversation, turn)).usd is not None]
    responses = [
        cost.usd or 0.0
        for cost, billed in zip(talk.costs, conversation.billed, strict=True)
        if billed.kind == "response"
    ]
    if all(turn_cost(conversation, turn).usd is not None for turn in conversation.turns if turn.requests):
        assert sum(cost.usd or 0.0 for cost in by_turn) == about(sum(responses))
    assert sum(turn.requests for turn in conversation.turns) == conversation.requests == len(responses)
    total = total_cost(conversation)
    assert total.usd is None or total.usd == about(before)
