"""How long a request is waited for, whose connection may be away."""

from __future__ import annotations

import asyncio

import pytest

from gip_nb.errors import TimedOut
from gip_nb.protocol.requests import Request
from gip_nb.session.loop import loop
from gip_nb.session.waits import Waits
from tests.sim.session.verbs import in_a_loop, on_the_loop


class Waiting:
    """A request that is kept for the next connection, and somebody who waits for its answer."""

    def __init__(self) -> None:
        self.waits = Waits(lambda _error: None)
        self.request = Request("input_audio_buffer.commit", kept=True)
        waiting = self.waits.answered(self.request, 0.01)
        self.task = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(waiting, loop()))

    async def sent(self, *, answered: bool) -> None:
        """The line is back."""

        def change() -> None:
            self.request.kept, self.request.done = False, answered
            self.waits.check()

        await on_the_loop(change)


@in_a_loop
async def test_what_is_kept_for_the_next_connection_is_waited_for_as_long_as_there_is_none() -> None:
    waiting = Waiting()
    done, _ = await asyncio.wait({waiting.task}, timeout=0.2)
    assert done == set(), "twenty times as long as the server has"
    await waiting.sent(answered=True)
    await waiting.task
    assert not waiting.request.given_up


@in_a_loop
async def test_from_then_on_the_server_has_its_time() -> None:
    waiting = Waiting()
    await asyncio.wait({waiting.task}, timeout=0.05)
    await waiting.sent(answered=False)
    with pytest.raises(TimedOut, match="committed"):
        await waiting.task
    assert waiting.request.given_up
