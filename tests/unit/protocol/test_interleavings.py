"""Any order in which a server that keeps to the rules may be heard: nothing hangs or is lost or doubled."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.outputs import ToolCall
from tests.unit.protocol.pair import ClientEnd, Player, check_log
from tests.unit.protocol.scripted import PLANS, Plan, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.events import Dialect
    from gip_nb.protocol.outputs import Wish

# For `--hypothesis-profile thorough`; with the usual number of examples each takes 2 s.
pytestmark = pytest.mark.timeout(600)

PLAIN = PLANS.index(Plan())
MOVES = (
    ["say"] * 12
    + ["say much"] * 4
    + ["read"] * 5
    + [
        "text",
        "text",
        "respond",
        "respond",
        "respond",
        "voice",
        "voice",
        "interrupt",
        "again",
        "again",
        "odd",
    ]
    + ["play", "play", "flush", "tool", "tool", "tool again"]
)
moves = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 999)), min_size=15, max_size=80)
dialects: st.SearchStrategy[Dialect] = st.sampled_from(["beta", "ga"])


class Talk:
    """A client, a server that follows a script, and a user; each does one thing at a time."""

    def __init__(self, dialect: Dialect) -> None:
        self.end = ClientEnd(dialect, Player())
        self.server = ScriptedServer(dialect, self.end.receive)
        self.wishes: list[Wish] = []
        self.answered: Counter[str] = Counter()

        end, client, server = self.end, self.end.client, self.server
        self._moves: dict[str, Callable[[int], object]] = {
            "say": server.say,
            "say much": self.say_much,
            "again": server.say_again,
            "odd": server.say_odd,
            "voice": server.voice,
            "read": self.read,
            "text": lambda _: client.send_text("hello"),
            "respond": lambda _: self.wishes.append(client.respond()),
            "interrupt": lambda _: client.interrupt(),
            "play": lambda _: end.play(),
            "flush": lambda _: end.answer_flushes(),
            "tool": lambda n: self.tool(n, again=False),
            "tool again": lambda n: self.tool(n, again=True),
        }

    def step(self, what: str, choice: int = 0) -> None:
        self.end.now_ns += 20_000_000
        self._moves[what](choice)
        self.end.pump()

    def say_much(self, choice: int) -> None:
        """As it comes, so that talks get somewhere; between two such moves the rare ones fall."""
        for n in range(20):
            self.read(choice + n)
            self.server.say(choice + n)
            self.end.pump()

    def read(self, choice: int) -> None:
        """The server reads a frame, if there is one."""
        if self.end.to_server:
            self.server.read(self.end.to_server.popleft(), choice)

    def tool(self, choice: int, *, again: bool) -> None:
        """One of the calls is answered: any of those that wait, or one that was answered already."""
        calls = [c.call_id for c in self.end.outputs_of(ToolCall)]
        open_calls = [c for c in calls if (self.answered[c] > 0) == again]
        if open_calls:
            call_id = open_calls[choice % len(open_calls)]
            assert self.end.client.tool_output(call_id, "seen") is not again
            self.answered[call_id] += not again

    def come_to_rest(self) -> None:
        """All that the server owes comes; it is asked for nothing but plain answers any more."""
        assert self.end.player is not None
        for n in range(3000):
            self.step("flush")
            if self.end.to_server:
                self.step("read", PLAIN)
            elif self.server.speakable:
                self.step("say", n)
            elif len(self.answered) < len(self.end.outputs_of(ToolCall)):
                self.step("tool", n)
                self.step("tool again", n)
            elif self.end.player.is_playing:
                self.step("play")
            else:
                return
        pytest.fail("it never comes to rest")


def played(told: list[tuple[str, int]], dialect: Dialect) -> Talk:
    talk = Talk(dialect)
    for what, choice in told:
        talk.step(what, choice)
    talk.come_to_rest()
    return talk


@given(moves, dialects)
def test_nothing_hangs_and_the_tables_hold_together(told: list[tuple[str, int]], dialect: Dialect) -> None:
    talk = played(told, dialect)
    client, server = talk.end.client, talk.server
    assert not client.answering
    assert client.phase == "listening"
    assert all(wish.done for wish in talk.wishes)
    check_log(talk.end.log, client.conversation)
    ends = {e["response"]["id"] for e in server.told if e["type"] == "response.done"}
    assert {r.response_id for r in client.conversation.responses.values() if not r.active} == ends
    assert len(ends) == server.begun == client.conversation.requests


@given(moves, dialects)
def test_every_call_is_answered_exactly_once(told: list[tuple[str, int]], dialect: Dialect) -> None:
    talk = played(told, dialect)
    items = [e["item"] for e in talk.end.sent if e["type"] == "conversation.item.create"]
    outputs = Counter(i["call_id"] for i in items if i["type"] == "function_call_output")
    assert outputs == Counter(talk.server.calls)
    assert set(outputs.values()) <= {1}


@given(moves, dialects)
def test_the_order_is_the_server_s(told: list[tuple[str, int]], dialect: Dialect) -> None:
    talk = played(told, dialect)
    assert talk.end.client.conversation.order == talk.server.order


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
def test_an_answer_whose_sound_is_never_said_to_end_is_over_with_its_response(status: str) -> None:
    talk = Talk("ga")
    talk.server.begin(Plan(("speech",), status, ("response.output_audio.done",)), 0)
    while talk.server.speakable:
        talk.step("say")
    for _ in range(20):
        talk.step("play")
    assert not talk.end.client.answering
    assert talk.end.client.phase == "listening"
