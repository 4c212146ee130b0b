"""Whole talks between the two ends in memory, in both dialects; each frame is checked as it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.protocol import talks
from tests.unit.protocol.pair import ProtocolPair
from tests.unit.protocol.server.server_end import silence, tone
from tests.unit.protocol.shapes import PUBLISHED, problems_of
from tests.unit.protocol.talks import TALKS, ask, new_pair

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect
    from tests.unit.protocol.shapes import Side

both = pytest.mark.parametrize("dialect", ["beta", "ga"])


@both
@pytest.mark.parametrize("name", TALKS)
def test_a_whole_talk(dialect: Dialect, name: str) -> None:
    pair = new_pair(dialect)
    TALKS[name](pair)
    pair.run()
    pair.settled()


@both
@pytest.mark.parametrize("name", ["text_turn", "voice_turn", "tool_calls", "interrupted_by_voice"])
def test_every_run_is_the_same(dialect: Dialect, name: str) -> None:
    told = []
    for _ in range(2):
        pair = new_pair(dialect)
        TALKS[name](pair)
        told.append([(row.elapsed_ns, row.type, row.skeleton, row.audio) for row in pair.log.rows])
    assert told[0] == told[1]


@both
@pytest.mark.parametrize("played_ms", [20, 300, 1240, 3980])
@pytest.mark.parametrize("latency_ms", [0.0, 12.5, 400.0])
def test_the_server_remembers_what_was_heard_to_the_millisecond(
    dialect: Dialect, played_ms: int, latency_ms: float
) -> None:
    pair = new_pair(dialect)
    assert pair.player is not None
    pair.player.latency_ms = latency_ms
    item_id = talks.long_answer(pair, played_ms)
    pair.do(lambda c: c.interrupt())
    pair.run()
    heard_ms = int(pair.player.played[item_id] / 24 - latency_ms)
    remembered = pair.server.protocol._memory.find(item_id)
    assert (remembered.audio_ms if remembered is not None else 0) == max(0, heard_ms)
    pair.settled()


@both
def test_headless_an_interrupted_answer_counts_as_heard_as_far_as_it_came(dialect: Dialect) -> None:
    pair = ProtocolPair(dialect)
    pair.server.speech_ms = 4000
    ask(pair)
    pair.run(until=lambda: "response.output_audio.delta" in pair.received_types)
    pair.do(lambda c: c.interrupt())
    pair.run()
    pair.settled()
    assert pair.sent_types(*talks.EDITS)[0] == talks.CANCEL
    assert "conversation.item.delete" not in pair.sent_types()


@both
def test_two_interruptions_at_once_are_one(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    talks.long_answer(pair, 300)
    pair.client.interrupt()
    pair.client.interrupt()
    pair.arrive()
    pair.run()
    assert pair.sent_types(*talks.EDITS) == [talks.CANCEL, talks.TRUNCATE]
    assert pair.errors == []
    pair.settled()


@both
def test_an_answer_out_of_band_is_in_no_conversation(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    wish = pair.do(lambda c: c.respond({"conversation": "none", "output_modalities": ["text"]}))
    pair.run()
    assert wish.done
    assert len(pair.client.conversation.items) == 1
    assert pair.client.conversation.order == []


@both
def test_a_response_out_of_band_runs_beside_the_active_one(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.server_waits = True
    ask(pair)
    pair.do(lambda c: c.respond({"conversation": "none", "metadata": {"for": "me"}}))
    assert pair.sent_types(talks.CREATE) == [talks.CREATE] * 2


# ------------------------------------------------------------------------------------- the checks can fail

FRAMES: dict[Dialect, list[tuple[Side, dict[str, Any]]]] = {}


def frames_of_all_talks(dialect: Dialect) -> list[tuple[Side, dict[str, Any]]]:
    """(side, frame) of every talk, made once."""
    if dialect not in FRAMES:
        found: list[tuple[Side, dict[str, Any]]] = []
        for talk in TALKS.values():
            pair = new_pair(dialect)
            talk(pair)
            found += [("client", e) for e in pair.sent]
            found += [("server", e) for e in pair.server.events]
        FRAMES[dialect] = found
    return FRAMES[dialect]


@both
def test_every_published_field_that_is_required_is_missed_when_it_is_gone(dialect: Dialect) -> None:
    for side, event in frames_of_all_talks(dialect):
        fields = PUBLISHED[dialect][side][event["type"]]
        for name in [n for n, field in fields.items() if field["required"]]:
            broken = {k: v for k, v in event.items() if k != name}
            assert problems_of(dialect, side, broken) == [f"{event['type']}.{name}: missing"]


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("item", "type"), None),
        (("item", "content"), None),
        (("item", "content", 0, "type"), "output_text"),
        (("item", "content", 0, "text"), 5),
        (("item", "content", 0, "txt"), "hi"),
        (("item", "status"), "done"),
        (("item", "content"), {}),
    ],
)
def test_a_wrong_nested_value_is_found(way: tuple[Any, ...], value: object) -> None:
    part: dict[Any, Any] = {"type": "input_text", "text": "hi"}
    event: Any = {"type": talks.ITEM, "item": {"type": "message", "role": "user", "content": [part]}}
    assert problems_of("ga", "client", event) == []
    holder = event
    for key in way[:-1]:
        holder = holder[key]
    if value is None:
        del holder[way[-1]]
    else:
        holder[way[-1]] = value
    assert problems_of("ga", "client", event) != []


@both
def test_the_talks_hold_every_kind_of_nested_object(dialect: Dialect) -> None:
    """So that the check of the frames looks at all that either end ever nests."""
    types = {event["type"] for _, event in frames_of_all_talks(dialect)}
    assert {"error", "rate_limits.updated", "response.done", "conversation.item.retrieved"} <= types
    items = [e["item"]["type"] for _, e in frames_of_all_talks(dialect) if "item" in e]
    assert set(items) == {"message", "function_call", "function_call_output"}
    ends = [e["response"]["status"] for _, e in frames_of_all_talks(dialect) if e["type"] == "response.done"]
    assert set(ends) == {"completed", "cancelled", "incomplete", "failed"}


@both
def test_a_muted_microphone_opens_no_turn(dialect: Dialect) -> None:
    pair = new_pair(dialect)
    pair.speak(silence(1000))
    assert pair.received_types == ["session.created"]
    pair.speak(tone(600), silence(700))
    pair.run()
    assert len(pair.client.conversation.turns) == 1
    pair.settled()
