"""A server that fails, goes silent and forgets, in any order with a user who goes on: every wait ends."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.outputs import AskAgain, Hung, Send
from gip_nb.protocol.retries import Retry
from tests.unit.protocol.pair import ClientEnd, Player, check_log
from tests.unit.protocol.scripted import PLANS, ScriptedServer
from tests.unit.protocol.test_interleavings import PLAIN, Talk, dialects

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect

# For `--hypothesis-profile thorough`.
pytestmark = pytest.mark.timeout(600)

ATTEMPTS = 2
FAILED = [number for number, plan in enumerate(PLANS) if plan.status == "failed"]
# Seconds that pass: within a wait, beyond it, beyond each of the limits.
SPANS = (0.3, 2.0, 6.0, 16.0, 31.0)
MOVES = (
    ["say"] * 8
    + ["say much"] * 3
    + ["read"] * 5
    + ["fail"] * 3
    + ["respond"] * 3
    + ["later"] * 6
    + ["lose", "lose", "deaf", "text", "voice", "interrupt", "again", "play", "flush", "tool", "press"]
)
moves = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 999)), min_size=15, max_size=80)


class RoughTalk(Talk):
    """A talk on which time passes, with a server that loses what it was to say, and what it was told."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self.end = ClientEnd(dialect, Player(), retry=Retry(attempts=ATTEMPTS))
        self.server = ScriptedServer(dialect, self.end.receive)
        end, client, server = self.end, self.end.client, self.server
        self._moves |= {
            "say": server.say,
            "again": server.say_again,
            "voice": server.voice,
            "text": lambda _: client.send_text("hello"),
            "respond": lambda _: self.wishes.append(client.respond()),
            "interrupt": lambda _: client.interrupt(),
            "play": lambda _: end.play(),
            "flush": lambda _: end.answer_flushes(),
            "fail": lambda n: self.read(FAILED[n % len(FAILED)]),
            "later": lambda n: self.later(SPANS[n % len(SPANS)]),
            "lose": lambda _: self.lose(),
            "deaf": lambda _: self.end.to_server and self.end.to_server.popleft(),
            "press": lambda _: self.press(),
        }

    def step(self, what: str, choice: int = 0) -> None:
        """And no response is asked for while one is known to be given."""
        client, seen = self.end.client, len(self.end.outputs)
        active = client._active
        super().step(what, choice)
        new = self.end.outputs[seen:]
        asked = [o for o in new if isinstance(o, Send) and o.fields["type"] == "response.create"]
        assert not (asked and active is not None and client._active == active)
        # Of many moves there may be more.
        assert len(asked) <= 1 or what == "say much"

    def later(self, seconds: float) -> None:
        self.end.now_ns += round(seconds * 1e9)
        self.end.client.tick()

    def lose(self) -> None:
        """What is still to be said of the answers never comes; the server thinks that it has said it."""
        self.server.answers.clear()
        self.server._active = None

    def press(self) -> None:
        """A key is hit: the user has said nothing, but stopped what was going on."""
        self.end.client.press()
        self.end.client.release()

    def come_to_rest(self) -> None:
        """Nobody does anything any more, and the server answers plainly."""
        end = self.end
        assert end.player is not None
        for n in range(3000):
            self.step("flush")
            if end.to_server:
                self.step("read", PLAIN)
            elif self.server.speakable:
                self.step("say", n)
            elif len(self.answered) < len(end.calls):
                self.step("tool", n)
            elif end.player.is_playing and (n % 50 or end.client.due_s is None):
                # It may wait for sound that never comes.
                self.step("play")
            elif end.client.due_s is not None:
                self.later(max(0.0, end.client.due_s - end.now_ns / 1e9) + 1e-6)
                end.pump()
            else:
                return
        pytest.fail("it never comes to rest")


def played(told: list[tuple[str, int]], dialect: Dialect) -> RoughTalk:
    talk = RoughTalk(dialect)
    for what, choice in told:
        talk.step(what, choice)
    talk.come_to_rest()
    return talk


@given(moves, dialects)
def test_every_wait_ends_and_the_log_tells_it_all(told: list[tuple[str, int]], dialect: Dialect) -> None:
    talk = played(told, dialect)
    client = talk.end.client
    assert (client.answering, client.asks_again, client.due_s) == (False, False, None)
    # One that never began may still begin; nothing waits for it.
    assert all(wish.done or wish.overdue for wish in talk.wishes)
    assert all(wish.retried <= ATTEMPTS for wish in talk.wishes)
    again = talk.end.outputs_of(AskAgain)
    assert all(1 <= news.attempt <= ATTEMPTS for news in again)
    rows = Counter(row.type for row in talk.end.log.rows)
    assert rows["local.response.retry"] == len(again)
    assert rows["local.response.hung"] == len(talk.end.outputs_of(Hung))
    assert not [r for r in client.conversation.responses.values() if r.active]
    check_log(talk.end.log, client.conversation)
