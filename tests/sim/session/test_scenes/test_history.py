"""A session that begins with the items of an earlier talk: what goes over the wire, and what comes of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gip_nb.session.loop import run_blocking
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import (
    Expect,
    Say,
    ScriptedTransport,
    Stage,
    answer,
    error,
    item_taken,
)
from tests.sim.session.servers import GREETING, Model
from tests.sim.session.test_scenes.scene import (
    KEY,
    MODELS,
    check,
    connect,
    in_both_dialects,
    opening,
    settled,
)
from tests.sim.session.verbs import Heard
from tests.unit.protocol.shapes import validate

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing import Event, Step, Visit

CREATE = "conversation.item.create"


def said(role: str, kind: str, text: str) -> Event:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


HISTORY: list[dict[str, Any]] = [
    said("system", "input_text", "be kind"),
    said("user", "input_text", "the weather in Rome?"),
    {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Rome"}'},
    {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    said("assistant", "output_text", "It is sunny"),
]


@in_both_dialects
def test_the_history_goes_out_first_in_order_and_opens_no_turn(dialect: Dialect) -> None:
    takes = [step for _ in HISTORY for step in (Expect(CREATE), Say(item_taken))]
    script: list[Step] = [
        *opening(dialect),
        *takes,
        Expect(CREATE, {"item": said("user", "input_text", "and in Oslo?")}),
        Say(item_taken),
        Expect("response.create"),
        *answer("Rain", dialect=dialect),
    ]
    with Stage(script) as stage, connect(stage, dialect, history=HISTORY) as session:
        assert session.ask("and in Oslo?", timeout_s=3).turn == 1
        settled(session, stage)
        check(session, stage)
        items, turns, events = session.items, session.turns, session.events
        row = session.payload(int(events[events.type == "local.history"].index[0]))
    for event in stage.received:
        validate(dialect, "client", event)
    wire = [*HISTORY[:4], said("assistant", "text" if dialect == "beta" else "output_text", "It is sunny")]
    kinds = [e["type"] for e in stage.received]
    assert kinds == ["session.update", *[CREATE] * 6, "response.create"]
    sent = [dict(e["item"]) for e in stage.received if e["type"] == CREATE]
    assert row == {"type": "local.history", "source": "given", "item_ids": [i.pop("id") for i in sent[:5]]}
    assert sent[:5] == wire
    assert list(items.index[:5]) == row["item_ids"]
    assert items.turn.isna().tolist() == [True] * 5 + [False] * 2
    assert turns.user_text.tolist() == ["and in Oslo?"]
    assert turns[["user_audio_ms", "tools", "requests"]].to_numpy().tolist() == [[0, 0, 1]]


def refused_first(visit: Visit) -> Event:
    """Of the items that came: the next one may be there already."""
    first = next(event for event in visit.received if event["type"] == CREATE)
    return error("invalid_value", "no such role", event_id=first["event_id"])


@in_both_dialects
def test_an_item_that_the_server_refuses_is_told_and_the_talk_goes_on(dialect: Dialect) -> None:
    script: list[Step] = [
        *opening(dialect),
        Expect(CREATE),
        Say(refused_first),
        Expect(CREATE),
        Say(item_taken),
        Expect("response.create"),
        *answer("Hello", dialect=dialect),
    ]
    heard = Heard()
    with Stage(script) as stage:
        history = [said("robot", "input_text", "beep")]
        settings = resolve(MODELS[dialect], base_url=stage.url, api_key=KEY, history=history, environment={})
        session = AsyncRealtimeSession(settings, listener=heard)
        assert run_blocking(session.ask("hello", timeout_s=3)).text == "Hello"
        run_blocking(session.close())
    assert [problem.message for problem in heard.failures] == ["no such role (invalid_value)"]
    (item, *_) = session.protocol.conversation.items.values()
    assert (item.problem, item.restored, item.turn) == ("the server refused it", True, None)
    assert len(session.turns) == 1


def test_what_is_said_while_it_connects_and_a_greeting_come_after_the_history() -> None:
    transport = ScriptedTransport(Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes
    settings = resolve("test-preview", api_key=KEY, history=HISTORY[:2], environment={})
    session = AsyncRealtimeSession(settings, transport=transport.for_session)

    async def talk() -> None:
        connecting = asyncio.ensure_future(session.connect())
        await asyncio.sleep(0)
        session.push_microphone(bytes(1920))
        assert session.state == "connecting"
        await connecting
        await session.wait("conversation.item.created")
        session.speak_first("Greet.")
        await session.close()

    run_blocking(talk())
    kinds = [e["type"] for e in transport.sent]
    after = ["input_audio_buffer.append", "response.create"]
    assert kinds == ["session.update", CREATE, CREATE, *after]
    assert len(session.turns) == 1, "the greeting's"
