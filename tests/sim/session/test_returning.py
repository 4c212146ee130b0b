"""What a session takes for the reason of a lost line, and what it does with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.errors import ConnectionDropped, ConnectionRefused, KeyRefused, UnknownModel
from gip_nb.testing import (
    Close,
    Cue,
    Cut,
    Refuse,
    ScriptedTransport,
    error,
    session_created,
)
from tests.sim.session.in_memory import rows, talks, until, willing_server
from tests.sim.session.test_reconnect import again, asked, greeting, lines
from tests.sim.session.verbs import in_a_loop, on_the_loop, willing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gip_nb.testing import Event, Step


# ---- what is the reason ------------------------------------------------------------------------------------


@in_a_loop
async def test_an_error_after_which_the_server_goes_on_is_not_the_reason_of_a_later_end() -> None:
    def settings(event: Event) -> Iterable[Step]:
        if "nope" in str(event):
            said = error("model_not_found", "The model nope does not exist", event_id=event["event_id"])
            return [said]
        return [session_updated_of(event)]

    first: list[Step] = [
        session_created(),
        willing("ga", {"session.update": settings, "input_audio_buffer.clear": lambda _e: [Cut()]}),
    ]
    async with lines(first, again()) as scene:
        with pytest.raises(UnknownModel):
            await scene.session.update(transcription={"model": "nope"})
        assert scene.session.error is None
        assert (await scene.session.ask("Still there?", timeout_s=10)).text
        await scene.session.clear()
        await scene.back()
        assert scene.session.error is None


def session_updated_of(event: Event) -> Event:
    return {"type": "session.updated", "event_id": "e", "session": event["session"]}


@in_a_loop
async def test_a_key_that_is_refused_right_after_the_greeting_is_asked_with_once() -> None:
    """The greeting, the error and the close are there before anybody has looked at the first."""
    refusing = willing_server()
    refusing._greeting.append(error("invalid_api_key", "no"))
    last = ScriptedTransport.open

    async def opened() -> None:
        await last(refusing)
        refusing.hang_up(1011)

    refusing.open = opened  # type: ignore[method-assign]  # a server that does all of it at once
    first = willing_server()
    async with talks(first, refusing) as session:
        await on_the_loop(first.hang_up)
        await until(lambda: session.state == "error")
        assert isinstance(session.error, KeyRefused)
        assert [row["attempt"] for row in rows(session, "local.connection.reconnecting")] == [1]


# ---- what is tried again -----------------------------------------------------------------------------------


@in_a_loop
async def test_a_front_door_with_nothing_behind_it_yet_is_asked_again() -> None:
    nothing: list[list[Step]] = [[Refuse(404, "default backend - 404")], [Refuse(404)], [Refuse(400)]]
    async with lines([*asked(), Cut()], *nothing, again()) as scene:
        assert (await scene.session.ask("Hello?", timeout_s=10)).text == "answer 1"


@in_a_loop
async def test_a_refusal_that_stays_ends_it_by_its_own_name() -> None:
    nothing: list[list[Step]] = [[Refuse(404)]] * 5
    async with lines([*asked(), Cut()], *nothing) as scene:
        with pytest.raises(ConnectionRefused, match="404"):
            await scene.session.ask("Hello?", timeout_s=10)
    assert len(scene.rows("local.connection.reconnecting")) == 5


@in_a_loop
async def test_a_gateway_that_comes_back_in_the_other_dialect_is_spoken_to_in_that() -> None:
    """`dialect="auto"` holds for every connection."""
    no_beta: list[Step] = [error("beta_api_shape_disabled", "no beta here"), Close(4000)]
    async with lines([*greeting("beta"), Cue("go"), Cut()], no_beta, again("ga"), dialect="auto") as scene:
        scene.stage.cue("go")
        assert (await scene.session.ask("Hello?", timeout_s=10)).text == "answer 1"
        assert scene.session.dialect == "ga"
    assert [visit.dialect for visit in scene.stage.visits] == ["ga", "beta", "ga"]
    assert len(scene.rows("local.connection.reconnecting")) == 1


@in_a_loop
async def test_a_close_without_a_word_is_no_refusal_of_the_dialect_that_was_spoken() -> None:
    trouble: list[list[Step]] = [[Close(1012)], [Refuse(400)], [Cut()], [error("invalid_beta", "x"), Close()]]
    async with lines([*greeting("beta"), Cue("go"), Cut()], *trouble, again("beta"), dialect="auto") as scene:
        scene.stage.cue("go")
        assert (await scene.session.ask("Hello?", timeout_s=10)).text == "answer 1"
    assert [visit.dialect for visit in scene.stage.visits[1:]] == ["beta", "ga", "beta", "ga", "beta"]
    assert len(scene.rows("local.connection.reconnecting")) == 3


# ---- nothing ends without a word ---------------------------------------------------------------------------


@in_a_loop
async def test_what_fails_when_the_line_is_back_ends_the_session_with_a_word() -> None:
    first = willing_server()

    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("a bug in giving the history")

    async with talks(first, willing_server()) as session:
        session._resuming.restore = fail  # type: ignore[method-assign,assignment]  # what cannot happen, happens
        waiting = asyncio.create_task(session.wait("response.done", timeout_s=10))
        await on_the_loop(first.hang_up)
        with pytest.raises(ConnectionDropped, match="a bug in giving the history"):
            await waiting
        assert session.state == "error"


@pytest.mark.parametrize("where", ["recv", "send"])
@in_a_loop
async def test_a_connection_that_fails_in_its_own_way_is_lost_like_any_other(where: str) -> None:
    class Odd(ScriptedTransport):
        async def recv(self) -> bytes:
            data = await super().recv()
            if where == "recv" and b"cleared" in data:
                raise OSError("the card was pulled out")
            return data

        async def send(self, data: bytes) -> None:
            if where == "send" and b"clear" in data:
                raise OSError("the card was pulled out")
            await super().send(data)

    first = willing_server()
    odd = Odd(first._answers, first._greeting)
    async with talks(odd, willing_server()) as session:
        await session.clear()
        await until(lambda: rows(session, "local.connection.restored"))
        assert session.state == "listening"
        (closed,) = rows(session, "local.connection.closed")
        assert "the card was pulled out" in closed["reason"]


STRANGE: list[dict[str, Any]] = [
    {"type": "session.update", "session": 5},
    {"type": "session.update", "session": {"audio": {"input": 5}}},
    {"type": "session.update", "session": {"audio": 5, "tools": 5}},
    {"type": "conversation.item.create", "item": 5},
    {"type": "conversation.item.create", "item": {"content": 5}},
    {"type": "response.create", "response": 5},
    {"type": "input_audio_buffer.append", "audio": 5},
    {"type": ""},
]


@pytest.mark.parametrize("event", STRANGE, ids=str)
@in_a_loop
async def test_an_event_that_nobody_can_make_sense_of_does_not_stop_those_after_it(
    event: dict[str, Any],
) -> None:
    server = willing_server()
    async with talks(server) as session:
        await session.send(event)
        await session.clear()
        assert server.sent[-1]["type"] == "input_audio_buffer.clear"
        sent = [row.type for row in session.log.rows if row.direction == "sent"]
        assert sent == [one["type"] for one in server.sent]


@in_a_loop
async def test_an_event_at_which_this_side_fails_does_not_end_the_talk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = willing_server()
    async with talks(server) as session:
        real = session.protocol.receive

        def receive(event: Any, at_s: float = 0.0) -> None:
            real(event, at_s)
            if event.type == "rate_limits.updated":
                raise RuntimeError("a bug")

        monkeypatch.setattr(session.protocol, "receive", receive)
        await on_the_loop(lambda: server.say({"type": "rate_limits.updated", "rate_limits": []}))
        await session.clear()
        (row,) = rows(session, "local.frame.failed")
        assert (row["of"], row["event_type"], row["message"]) == ("received", "rate_limits.updated", "a bug")
