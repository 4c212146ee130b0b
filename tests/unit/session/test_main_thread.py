"""Turns of the main thread: each piece of work gets one."""

from __future__ import annotations

import asyncio
from functools import partial

from gip_nb.session.main_thread import MainThread

SETTLE_S = 10.0


def test_a_turn_is_not_lost_to_what_was_given_up_before() -> None:
    work = MainThread()
    # Submitted when there was no loop, as by a script that does not wait: it has no turn of its own.
    assert work.submit(lambda: "old").cancel()

    async def script() -> str:
        work.look_for_loop()
        return await asyncio.wrap_future(work.submit(lambda: "new"))

    assert asyncio.run(asyncio.wait_for(script(), SETTLE_S)) == "new"


def test_work_is_done_in_its_order_one_piece_a_turn() -> None:
    work = MainThread()
    done: list[int] = []
    early = [work.submit(partial(done.append, n)) for n in range(3)]

    async def script() -> None:
        work.look_for_loop()
        late = work.submit(lambda: done.append(3))
        await asyncio.wait_for(asyncio.wrap_future(late), SETTLE_S)

    asyncio.run(script())
    assert done == [0, 1, 2, 3]
    assert all(future.done() for future in early)
