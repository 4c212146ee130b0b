"""Before a known limit the talk moves to another connection, which is there before the old one is left."""

from __future__ import annotations

import asyncio
import functools
import time
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.session.loop import loop
from gip_nb.testing import (
    Close,
    Cue,
    Cut,
    ExpectClose,
    Refuse,
    ScriptedTransport,
    answer,
    error,
    session_created,
)
from tests.sim.session.in_memory import rows, talks, until, willing_server
from tests.sim.session.test_reconnect import Scene, again, asked, greeting, lines
from tests.sim.session.test_scenes.scene import AT_ONCE, in_both_dialects
from tests.sim.session.verbs import in_a_loop, on_the_loop, willing

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.session import AsyncRealtimeSession
    from gip_nb.testing import Step

# The hand of the clock is turned; it does not come that far by itself.
LIMIT: dict[str, Any] = {**AT_ONCE, "session_limit_s": 3600.0}


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"_FIRST_WAIT_S": 0.01, "_LOOK_AGAIN_S": 0.02, "_PROVED_S": 0.0}.items():
        monkeypatch.setattr(f"gip_nb.session.rollover.{name}", seconds)


def first(dialect: Dialect = "ga") -> list[Step]:
    return [session_created(dialect, id="sess_1"), willing(dialect, {})]


async def come_due(scene: Scene) -> None:
    await on_the_loop(scene.session._rollover._come_due)


async def come_late(scene: Scene) -> None:
    await on_the_loop(scene.session._rollover._come_late)


def is_on(session: AsyncRealtimeSession, connection: int) -> bool:
    """Whether it has come to this connection, and is told its settings there."""
    return session.log.connection == connection and session.state == "listening" and session.settings_settled


def spares(scene: Scene) -> list[str]:
    return [row["outcome"] for row in scene.rows("local.connection.spare")]


@in_both_dialects
@in_a_loop
async def test_it_moves_in_a_quiet_moment_to_a_connection_that_is_there(dialect: Dialect) -> None:
    """The limit comes near while an answer is given: it moves when that is over."""
    one: list[Step] = [
        *asked(dialect),
        *(said := answer("Hi", dialect=dialect, response_id="r", item_id="i"))[:-1],
        Cue("done"),
        said[-1],
        ExpectClose(1000),
    ]
    async with lines(one, again(dialect), dialect=dialect, reconnect=LIMIT) as scene:
        asking = asyncio.create_task(scene.session.ask("Hello?", timeout_s=10))
        await scene.until(lambda: "i" in scene.session.protocol.conversation.items, "it is given")
        await come_due(scene)
        await scene.until(lambda: spares(scene) == ["opened"], "the other connection")
        assert scene.session.log.connection == 1, "not in an answer"
        assert scene.stage.visits[0].close_code is None
        scene.stage.cue("done")
        await asking
        await scene.back()
        assert (await scene.session.ask("And now?", timeout_s=10)).text == "answer 1"
        given = [e["item"]["role"] for e in scene.received(2, "conversation.item.create")]
        assert given == ["user", "assistant", "user"]
    (restored,) = scene.rows("local.connection.restored")
    assert restored["reason"] == "rollover"
    (closed, _) = scene.rows("local.connection.closed")
    assert closed["asked_for"] is True
    assert scene.session.error is None
    assert scene.told.failures == []


@in_a_loop
async def test_a_moment_that_never_comes_is_not_waited_for() -> None:
    one: list[Step] = [*asked(), *answer("Hi", response_id="r", item_id="i")[:-1], ExpectClose(1000)]
    async with lines(one, again(), reconnect=LIMIT) as scene:
        asking = asyncio.create_task(scene.session.ask("Hello?", timeout_s=10))
        await scene.until(lambda: "i" in scene.session.protocol.conversation.items, "it is given")
        await come_due(scene)
        await scene.until(lambda: spares(scene) == ["opened"], "the other connection")
        await come_late(scene)
        assert (await asking).text == "answer 1"


@in_a_loop
async def test_a_server_that_leaves_something_unanswered_does_not_keep_it_from_moving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gip_nb.session.returning._ANSWERED_S", 0.05)
    silent = {"conversation.item.create": lambda _event: ()}
    async with lines([session_created(), willing("ga", silent)], again(), reconnect=LIMIT) as scene:
        assert await scene.session.send_text("Nobody confirms this.")
        assert scene.session.protocol.unanswered
        await come_due(scene)
        await scene.back()


@pytest.mark.parametrize("refusal", [404, 429, 503])
@in_a_loop
async def test_the_old_line_is_kept_until_there_is_another(refusal: int) -> None:
    async with lines(first(), [Refuse(refusal)], [Refuse(refusal)], again(), reconnect=LIMIT) as scene:
        await come_due(scene)
        await scene.until(lambda: scene.rows("local.connection.restored"), "it has moved")
        await scene.settled()
        assert (await scene.session.ask("And now?", timeout_s=10)).text == "answer 1"
    assert spares(scene) == ["failed", "failed", "opened"]
    assert str(refusal) in scene.rows("local.connection.spare")[0]["message"]
    assert scene.told.failures == []


REFUSALS: dict[str, list[Step]] = {
    "in http": [Refuse(401)],
    "in words": [error("invalid_api_key", "no"), Close(1011)],
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
@in_a_loop
async def test_a_key_that_is_refused_there_does_not_end_the_talk_here(refusal: list[Step]) -> None:
    async with lines(first(), refusal, reconnect=LIMIT) as scene:
        await come_due(scene)
        await scene.until(lambda: spares(scene) == ["failed"], "it was refused")
        await come_late(scene)
        assert (await scene.session.ask("Still there?", timeout_s=10)).text == "answer 1"
        assert scene.session.state == "listening"
        assert scene.session.log.connection == 1
    assert scene.session.error is None
    assert scene.told.failures == []


@in_a_loop
async def test_a_key_may_be_refused_after_the_greeting(monkeypatch: pytest.MonkeyPatch) -> None:
    """That happens at once, where it does: a greeting alone is not trusted yet."""
    monkeypatch.setattr("gip_nb.session.rollover._PROVED_S", 60.0)
    refusing: list[Step] = [session_created(), Cue("no"), error("invalid_api_key", "no"), Close(1011)]
    async with lines(first(), refusing, reconnect=LIMIT) as scene:
        await come_due(scene)
        await scene.until(lambda: spares(scene) == ["opened"], "it was greeted")
        await come_late(scene)
        assert (await scene.session.ask("Still there?", timeout_s=10)).text == "answer 1"
        scene.stage.cue("no")
        await scene.until(lambda: spares(scene) == ["opened", "left"], "it was refused")
        assert (await scene.session.ask("And now?", timeout_s=10)).text == "answer 2"
        assert scene.session.log.connection == 1
    assert "invalid_api_key" in scene.rows("local.connection.spare")[1]["message"]


@in_a_loop
async def test_a_session_moves_as_often_as_it_must() -> None:
    """No such move is an attempt that failed."""
    servers = [willing_server() for _ in range(4)]
    async with talks(*servers, session_limit_s=3600.0, attempts=1) as session:
        for connection in (2, 3, 4):
            await on_the_loop(session._rollover._come_due)
            await until(functools.partial(is_on, session, connection))
        assert [row["attempt"] for row in rows(session, "local.connection.restored")] == [1, 1, 1]


@in_a_loop
async def test_one_that_ends_before_it_is_used_is_replaced() -> None:
    """While an answer is given there is time for that."""
    one: list[Step] = [
        *asked(),
        *(said := answer("Hi", response_id="r", item_id="i"))[:-1],
        Cue("done"),
        said[-1],
        ExpectClose(1000),
    ]
    idle: list[Step] = [session_created(id="sess_idle"), Cue("idle"), Close(1001, "idle")]
    async with lines(one, idle, again(), reconnect=LIMIT) as scene:
        asking = asyncio.create_task(scene.session.ask("Hello?", timeout_s=10))
        await scene.until(lambda: "i" in scene.session.protocol.conversation.items, "it is given")
        await come_due(scene)
        await scene.until(lambda: spares(scene) == ["opened"], "the other connection")
        scene.stage.cue("idle")
        await scene.until(lambda: spares(scene) == ["opened", "left", "opened"], "a third one")
        scene.stage.cue("done")
        await asking
        await scene.back()
        assert scene.session.log.connection == 2
        left = scene.rows("local.connection.spare")[1]
        assert [e["type"] for e in left["received"]] == ["session.created"]


@in_a_loop
async def test_a_line_that_is_lost_meanwhile_is_replaced_by_the_one_that_stands_ready() -> None:
    one: list[Step] = [*asked(), Cue("go"), Cut()]
    async with lines(one, again(), reconnect=LIMIT) as scene:
        asking = asyncio.create_task(scene.session.ask("Hello?", timeout_s=10))
        await scene.until(lambda: scene.session.protocol.answering, "it is asked for")
        await come_due(scene)
        await scene.until(lambda: spares(scene) == ["opened"], "the other connection")
        scene.stage.cue("go")
        assert (await asking).text == "answer 1"
    (restored,) = scene.rows("local.connection.restored")
    assert restored["reason"] == "lost"


@in_a_loop
async def test_the_end_of_the_talk_leaves_no_connection_behind() -> None:
    second: list[Step] = [session_created(id="sess_2"), ExpectClose(1000)]
    async with lines([*asked()], second, reconnect=LIMIT) as scene:
        asking = asyncio.create_task(scene.session.ask("Hello?", timeout_s=10))
        await scene.until(lambda: scene.session.protocol.answering, "it is asked for")
        await come_due(scene)
        await scene.until(lambda: spares(scene) == ["opened"], "the other connection")
        await scene.session.close()
        await asyncio.gather(asking, return_exceptions=True)
        assert spares(scene) == ["opened", "left"]


@in_a_loop
async def test_what_was_on_its_way_when_it_moves_is_read() -> None:
    """The last of an answer comes after this side has closed: the answer is whole, and none is asked for."""
    said = answer("Hi", response_id="r", item_id="i")

    class Late(ScriptedTransport):
        async def close(self) -> None:
            self.say(said[-1])
            self.hang_up(1000)

    there = willing_server()
    late, second = Late(there._answers, there._greeting), willing_server()
    async with talks(late, second, session_limit_s=3600.0) as session:
        for event in said[:-1]:
            await on_the_loop(functools.partial(late.say, event))
        await until(lambda: session.protocol.answering)
        await on_the_loop(session._rollover._come_due)
        await on_the_loop(session._rollover._come_late)
        await until(lambda: rows(session, "local.connection.restored"))
        await session.clear()
        assert session.responses.status.tolist() == ["completed"]
        assert session.turns.requests.tolist() == [1]
        assert "response.create" not in [e["type"] for e in second.sent]
        done = session.events[session.events.event == "response.done"]
        assert done.connection.tolist() == [1]


@in_a_loop
async def test_a_clock_that_goes_wrong_here_does_not_move_it_early_or_late() -> None:
    """Servers date their answers: the end that they name is on their clock."""
    ahead_s = 1200.0
    server = willing_server(expires_at=int(time.time() + ahead_s) + 1800)
    server.clock_ahead_s = ahead_s  # type: ignore[attr-defined]  # as the real transport has it
    async with talks(server) as session:
        in_s = await on_the_loop(lambda: session._rollover._timers[0].when() - loop().time())
        assert 1500 < in_s <= 1725


@in_a_loop
async def test_the_server_says_when_its_session_ends() -> None:
    async with lines([*greeting(expires_at=int(time.time()) + 1800)]) as scene:
        timers = await on_the_loop(lambda: list(scene.session._rollover._timers))
        assert len(timers) == 2
