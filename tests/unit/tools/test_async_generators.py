"""An async generator as a tool: its items are the result, as those of a plain one are."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from gip_nb.tools import Call, Toolbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

closed: list[str] = []


async def count(to: int = 3, raises: bool = False) -> AsyncIterator[int]:  # noqa: FBT001, FBT002 - a tool's
    """Count."""
    try:
        for n in range(to):
            await asyncio.sleep(0)
            yield n
        if raises:
            raise OSError("no more")
    finally:
        await asyncio.sleep(0)
        closed.append("count")


def plain() -> AsyncIterator[int]:
    """What a plain function returns is read as well."""
    return count(2)


class Counter:
    async def __call__(self) -> AsyncIterator[int]:
        for n in range(2):
            yield n


def ready(function: Callable[..., Any], **arguments: Any) -> Call:
    call = Toolbox([function]).find(function.__name__, json.dumps(arguments))
    assert isinstance(call, Call)
    return call


def test_its_items_are_the_result_wherever_it_runs() -> None:
    call = ready(count)
    assert call.where == "loop"
    assert asyncio.run(call.start()) == [0, 1, 2]
    ran = call.run()
    assert (ran.text, ran.value, ran.outcome) == ("[0, 1, 2]", [0, 1, 2], "done")
    assert ready(plain).where == "thread"
    assert ready(plain).run().text == "[0, 1]"
    assert Toolbox([Counter()]).call("counter", "{}") == "[0, 1]"


def test_what_it_raises_is_the_tool_s_error() -> None:
    ran = ready(count, raises=True).run()
    assert (ran.outcome, ran.text.startswith("error: OSError: no more")) == ("failed", True)


def test_one_without_an_end_is_read_as_far_as_there_is_room() -> None:
    closed.clear()
    ran = ready(count, to=10**9).run()
    assert ran.text.startswith("[0, 1, 2, ")
    assert ran.text.endswith(" items]")
    assert " of " not in ran.text[-60:]
    assert len(ran.text) < 16_100
    assert closed == ["count"]
