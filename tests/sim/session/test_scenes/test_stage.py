"""The stage itself: it plays what the script says to any WebSocket client, and tells who did not follow."""

from __future__ import annotations

import asyncio
import json
import textwrap
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as dial

import gip_nb
import gip_nb.testing
from gip_nb.testing import (
    Close,
    Cue,
    Cut,
    Expect,
    ExpectClose,
    ExpectNo,
    HalfAFrame,
    React,
    Refuse,
    Say,
    ScriptNotFollowed,
    Stage,
    Wait,
    answer,
    session_created,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from websockets.sync.connection import Connection

    from gip_nb.testing import Event, Step

HELLO: Event = {"type": "hello"}
QUICK_S = 0.2


def say(client: Connection, kind: str, **fields: Any) -> None:
    client.send(json.dumps({"type": kind, **fields}))


def ended(client: Connection) -> int:
    """Reads until the end; the code of it."""
    try:
        while True:
            client.recv(2)
    except ConnectionClosed as closed:
        return 1006 if closed.rcvd is None else closed.rcvd.code


def test_the_example_in_the_documentation_runs() -> None:
    told = gip_nb.testing.__doc__
    assert told is not None
    exec(textwrap.dedent(told.split("A whole test::")[1]), {})  # noqa: S102 - that is the test


def test_frames_are_sent_exactly_as_they_are_written() -> None:
    made = Say(lambda visit: [{"type": "echo", "of": visit.last("ping")["n"]}, "as it is"])
    with Stage([HELLO, Say("no JSON {"), Say(b"\x00\xff"), Expect("ping"), made]) as stage:
        with dial(stage.websocket_url) as client:
            assert json.loads(client.recv(2)) == HELLO
            assert client.recv(2) == "no JSON {"
            assert client.recv(2) == b"\x00\xff"
            say(client, "ping", n=7)
            assert json.loads(client.recv(2)) == {"type": "echo", "of": 7}
            assert client.recv(2) == "as it is"
    assert stage.sent == [HELLO, "no JSON {", b"\x00\xff", {"type": "echo", "of": 7}, "as it is"]


def test_every_frame_that_comes_is_noted_also_after_the_last_step() -> None:
    with Stage([HELLO]) as stage, dial(stage.websocket_url + "?model=a%2Fb") as client:
        client.recv(2)
        say(client, "one")
        client.send(b"\x01")
        client.send("[2]")
        say(client, "three")
    (visit,) = stage.visits
    assert visit.frames == [{"type": "one"}, b"\x01", "[2]", {"type": "three"}]
    assert stage.received == [{"type": "one"}, {"type": "three"}]
    assert (visit.model, visit.close_code) == ("a/b", 1000)


@pytest.mark.parametrize(
    ("end", "code"), [(Close(1000), 1000), (Close(1011), 1011), (Close(3000), 3000), (Cut(), 1006)]
)
def test_a_connection_ends_as_written_and_what_was_said_before_arrives(end: Step, code: int) -> None:
    many: list[Step] = [{"type": "filler", "n": n, "text": "x" * 1000} for n in range(300)]
    with Stage([*many, end]) as stage, dial(stage.websocket_url) as client:
        for n in range(300):
            assert json.loads(client.recv(2))["n"] == n
        assert ended(client) == code


def test_half_a_frame_is_never_a_message() -> None:
    with Stage([HELLO, HalfAFrame({"type": "never", "text": "x" * 100})]) as stage:
        with dial(stage.websocket_url) as client:
            assert json.loads(client.recv(2)) == HELLO
            assert ended(client) == 1006
    assert stage.sent == [HELLO]


def test_a_handshake_is_refused_with_status_body_and_headers() -> None:
    with Stage([Refuse(403, "not you", {"Retry-After": "7"})]) as stage:
        with pytest.raises(InvalidStatus) as caught:
            dial(stage.websocket_url)
    response = caught.value.response
    assert (response.status_code, response.body) == (403, b"not you")
    assert response.headers["Retry-After"] == "7"


def test_a_browsers_subprotocols_are_answered_with_realtime() -> None:
    asked: Any = ["realtime", "openai-insecure-api-key.sk-x", "openai-beta.realtime-v1"]
    with Stage([]) as stage, dial(stage.websocket_url, subprotocols=asked) as client:
        assert client.subprotocol == "realtime"
    assert stage.visits[0].dialect == "beta"


def test_each_connection_follows_its_own_script() -> None:
    with Stage([{"type": "first"}], [Refuse(401)], [{"type": "third"}]) as stage:
        with dial(stage.websocket_url) as client:
            assert "first" in str(client.recv(2))
        with pytest.raises(InvalidStatus):
            dial(stage.websocket_url)
        with dial(stage.websocket_url) as client:
            assert "third" in str(client.recv(2))


def test_a_reacting_script_answers_as_long_as_the_client_stays() -> None:
    def answers(event: Event) -> Iterable[Step]:
        yield {"type": "echo", "of": event["type"]}
        if event["type"] == "bye":
            yield Close(1001)

    with Stage([HELLO, React(answers)]) as stage, dial(stage.websocket_url) as client:
        client.recv(2)
        for kind in ("a", "b", "bye"):
            say(client, kind)
            assert json.loads(client.recv(2)) == {"type": "echo", "of": kind}
        assert ended(client) == 1001


def test_a_script_waits_for_its_cue() -> None:
    with Stage([Cue("go"), HELLO]) as stage, dial(stage.websocket_url) as client:
        with pytest.raises(TimeoutError):
            client.recv(0.05)
        stage.cue("go")
        assert json.loads(client.recv(2)) == HELLO
        stage.played()


def test_it_works_in_async_tests_too() -> None:
    async def scene() -> str:
        async with Stage([session_created(), Expect("response.create"), *answer("Hello.")]) as stage:
            session = gip_nb.connect_async("openai/gpt-realtime", base_url=stage.url, api_key="any")
            async with session:
                return (await session.ask("hi", timeout_s=3)).text

    assert asyncio.run(scene()) == "Hello."


def test_no_thread_is_left() -> None:
    with Stage([HELLO, Wait(30)]) as stage, dial(stage.websocket_url) as client:
        client.recv(2)
    assert "gip_nb-stage" not in {thread.name for thread in threading.enumerate()}


# ------------------------------------------------------------------------------ a script that is not followed


def follow(script: list[Step], play: Callable[[Connection], object], **options: Any) -> None:
    with Stage(script, **options) as stage, dial(stage.websocket_url) as client:
        play(client)


def test_an_event_that_does_not_come_is_named_with_what_came_instead() -> None:
    def play(client: Connection) -> None:
        client.recv(2)
        say(client, "session.update")
        client.send("hm")
        # Who waits at the other side is not left waiting.
        assert ended(client) == 1011

    with pytest.raises(ScriptNotFollowed) as caught:
        follow([HELLO, Expect("response.create")], play, timeout_s=QUICK_S)
    told = str(caught.value)
    assert "connection 1 (ga), at step 2 of 2, Expect('response.create')" in told
    assert "did not come within 0.2 s" in told
    assert "what came since the step before: session.update, the text 'hm'" in told


FAULTS: dict[str, tuple[Step, str]] = {
    "a wrong field": (Expect("a", {"n": {"m": 2}}), "its n.m is 1, not 2"),
    "an event that must not come": (ExpectNo("a"), "a came"),
    "no cue": (Cue("go"), "nobody gave this cue"),
    "who should leave stays": (ExpectClose(), "did not leave within 0.2 s"),
    "a function that raises": (Say(lambda visit: visit.last("b")), "no b came yet"),
}


@pytest.mark.parametrize(("step", "text"), FAULTS.values(), ids=FAULTS)
def test_what_a_client_does_wrong_fails_the_test(step: Step, text: str) -> None:
    def play(client: Connection) -> None:
        say(client, "a", n={"m": 1})
        assert ended(client) == 1011

    with pytest.raises(ScriptNotFollowed, match=text):
        follow([HELLO, step], play, timeout_s=QUICK_S)


def leave(client: Connection) -> None:
    say(client, "a")
    client.close(1001, "lunch")


def test_a_client_that_leaves_early_fails_the_test() -> None:
    with pytest.raises(ScriptNotFollowed, match=r"Expect\('b'\): the client had left \(code 1001, 'lunch'\)"):
        follow([Expect("a"), Expect("b")], leave)


def test_a_client_that_may_leave_early_may() -> None:
    with Stage([Expect("a"), Expect("b")], [HELLO], to_the_end=False) as stage:
        with dial(stage.websocket_url) as client:
            say(client, "a")
    assert stage.received == [{"type": "a"}]


def test_a_client_that_leaves_with_another_code_fails_the_test() -> None:
    with pytest.raises(ScriptNotFollowed, match="left with code 1001"):
        follow([ExpectClose(1000)], leave)


def test_a_connection_that_nobody_wrote_a_script_for_fails_the_test() -> None:
    stage = Stage([HELLO]).__enter__()
    dial(stage.websocket_url).close()
    with pytest.raises(InvalidStatus, match="503"):
        dial(stage.websocket_url)
    with pytest.raises(ScriptNotFollowed, match=r"connection 2 \(ga\) came, and there is a script for 1"):
        stage.__exit__(None, None, None)


def test_a_connection_that_never_came_fails_the_test() -> None:
    stage = Stage([], []).__enter__()
    dial(stage.websocket_url).close()
    with pytest.raises(ScriptNotFollowed, match="2 for as many connections, and 1 came"):
        stage.__exit__(None, None, None)


def test_who_waits_for_the_end_of_the_script_hears_of_a_failure_at_once() -> None:
    stage = Stage([Expect("a", timeout_s=0.1)]).__enter__()
    began = time.monotonic()
    with dial(stage.websocket_url), pytest.raises(ScriptNotFollowed, match="did not come"):
        stage.played(5)
    assert time.monotonic() - began < 2
    with pytest.raises(ScriptNotFollowed):
        stage.__exit__(None, None, None)


def test_a_failed_test_does_not_wait_for_the_script_and_keeps_its_own_error() -> None:
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        follow([Expect("a")], lambda _client: 1 / 0, timeout_s=30)
    assert time.monotonic() - began < 3


def test_a_test_that_fails_since_the_script_did_is_told_so() -> None:
    with pytest.raises(ScriptNotFollowed) as caught:
        follow([Expect("a")], lambda client: client.recv(2), timeout_s=QUICK_S)
    assert isinstance(caught.value.__context__, ConnectionClosed)


def test_a_visit_is_told_in_a_line() -> None:
    with Stage([HELLO]) as stage, dial(stage.websocket_url) as client:
        client.recv(2)
    assert repr(stage.visits[0]) == "<Visit 1 ga closed 1000 received=0 sent=1>"
