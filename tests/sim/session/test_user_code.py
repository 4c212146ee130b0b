"""Whatever a user's code raises, of whatever kind and wherever: the call is answered, and all talks go on."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import pytest

from gip_nb import tool
from gip_nb.errors import ToolTrouble
from gip_nb.session.loop import in_thread, in_tool_thread, loop, run_blocking
from gip_nb.session.raised import Raised, awaited
from tests.sim.session.called import LONG_S, Talk, notebook, run_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Panic(BaseException):
    """As an extension's: no `Exception`, and none that Python knows."""


KINDS = [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, asyncio.CancelledError, Panic]


class Result:
    """One that cannot be written down."""

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        raise self.kind("in its text")


def validator(kind: type[BaseException]) -> Callable[..., Any]:
    def check(_value: int) -> int:
        raise kind("in the check")

    def f(x: Annotated[int, pydantic.AfterValidator(check)] = 1) -> int:
        """Take a number."""
        return x

    # As a text, which it is in this file, the hint would not find this `check`.
    f.__annotations__["x"] = Annotated[int, pydantic.AfterValidator(check)]
    return f


def generator(kind: type[BaseException]) -> Callable[..., Any]:
    def f() -> Iterator[int]:
        """Give numbers."""
        yield 1
        # From within a generator StopIteration is its end, and no error.
        raise (Panic if kind is StopIteration else kind)("in an item")

    return f


def result(kind: type[BaseException]) -> Callable[..., Any]:
    def f() -> Result:
        """Give an object."""
        return Result(kind)

    return f


def async_result(kind: type[BaseException]) -> Callable[..., Any]:
    async def f() -> dict[str, Result]:
        """Give objects."""
        await asyncio.sleep(0)
        return {"it": Result(kind)}

    return f


def main_result(kind: type[BaseException]) -> Callable[..., Any]:
    return tool(where="main")(result(kind))


def gathered(kind: type[BaseException]) -> Callable[..., Any]:
    async def part() -> None:
        await asyncio.sleep(0)
        # No coroutine raises StopIteration.
        raise (Panic if kind is StopIteration else kind)("in a part")

    async def f() -> None:
        """Do two things at once."""
        await asyncio.gather(part(), part())

    return f


def error(kind: type[BaseException]) -> Callable[..., Any]:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise kind("in the error's text")

    def f() -> None:
        """Raise."""
        raise Unspeakable

    return f


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "made",
    [validator, generator, result, async_result, main_result, gathered, error],
    ids=lambda f: f.__name__,
)
def test_a_call_is_answered_whatever_is_raised_on_its_way(
    made: Callable[[type[BaseException]], Callable[..., Any]], kind: type[BaseException]
) -> None:
    with Talk([made(kind)], [("f", '{"x": 1}' if made is validator else "{}")]) as talk:
        assert talk.session.ask("go").text
        ((call_id, output),) = talk.outputs
        assert call_id == "call_1"
        # An object that fails in an ordinary way is named, and no error.
        assert output.startswith("error: ") or (kind is StopIteration and "Result" in output)
        assert talk.session.tool_calls.outcome.tolist() != ["running"]
        assert talk.session.ask("still there?").text


@pytest.mark.parametrize("kind", KINDS)
def test_a_type_hint_that_raises_is_a_definition_that_cannot_be_used(kind: type[BaseException]) -> None:
    def hint() -> type:
        raise kind("in the hint")

    names = notebook("def f(x: int) -> str:\n    'First.'\n    return 'first'\n")
    names["hint"] = hint
    with Talk([names["f"]], [("f", '{"x": 1}')]) as talk:
        run_cell("def f(x: 'hint()') -> str:\n    'Second.'\n    return 'second'\n", names)
        talk.session.ask("go")
        assert talk.outputs == [("call_1", "first")]
        (told,) = talk.heard.failures
        assert isinstance(told, ToolTrouble)
        assert "the one before stays" in told.message
        # Mended without the function's own cell.
        names["hint"] = lambda: int
        run_blocking(talk.session._session.calls.look_again())
        assert talk.session._session.calls.schemas()[0]["description"] == "Second."  # type: ignore[index]  # there are tools


@pytest.mark.parametrize("kind", [*KINDS, ValueError])
@pytest.mark.parametrize("is_async", [False, True])
def test_whoever_is_to_allow_a_call_and_raises_has_denied_it_at_once(
    kind: type[BaseException], *, is_async: bool
) -> None:
    def raises(_name: str, _arguments: dict[str, Any]) -> bool:
        raise kind("no idea")

    async def raises_too(name: str, arguments: dict[str, Any]) -> bool:
        await asyncio.sleep(0)
        # No coroutine raises StopIteration: it is a RuntimeError then.
        return raises(name, arguments)

    def f() -> str:
        """Do it."""
        return "done"

    approve = raises_too if is_async else raises
    with Talk([f], [("f", "{}")], approve=approve, approve_timeout_s=LONG_S) as talk:
        talk.session.ask("go")
        assert talk.outputs[0][1].startswith("error: the user denied")
        assert [row["by"] for row in talk.rows("denied")] == ["callback"]
        log = talk.session.log
        talk.until(lambda: any(r.type == "local.callback.error" for r in tuple(log.rows)), "the row")


def leaves_a_task() -> Callable[..., Any]:
    async def ends() -> None:
        await asyncio.sleep(0)
        sys.exit(2)

    async def f() -> str:
        """Begin something, and do not wait for it."""
        task = asyncio.get_running_loop().create_task(ends())
        await asyncio.wait({task})
        # It is told of by whoever looks at it.
        assert isinstance(task.exception(), SystemExit)
        return "done"

    return f


def stops_the_loop() -> Callable[..., Any]:
    async def f() -> str:
        """Stop what is not its own."""
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        return "done"

    return f


def interrupts_a_turn() -> Callable[..., Any]:
    def interrupt() -> None:
        raise KeyboardInterrupt

    async def f() -> str:
        """Have something called that raises."""
        asyncio.get_running_loop().call_soon(interrupt)
        await asyncio.sleep(0)
        return "done"

    return f


@pytest.mark.parametrize("made", [leaves_a_task, stops_the_loop, interrupts_a_turn], ids=lambda f: f.__name__)
def test_the_loop_outlives_what_is_out_of_our_hands(
    made: Callable[[], Callable[..., Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with Talk([made()], [("f", "{}")]) as talk:
        assert talk.session.ask("go").text
        assert talk.outputs == [("call_1", "done")]
        assert talk.session.ask("still there?").text
    assert loop().is_running()
    assert any("it goes on" in record.message for record in caplog.records)


# ------------------------------------------------------------------------------------------------- the border


@pytest.mark.parametrize("kind", KINDS)
def test_what_threads_raise_can_be_waited_for(kind: type[BaseException]) -> None:
    def raises() -> None:
        raise kind("as told")

    async def in_one_of_its_own() -> None:
        await in_tool_thread(raises, "test")

    for waits in (in_thread(raises), in_one_of_its_own()):
        with pytest.raises(Raised) as caught:
            run_blocking(waits)
        assert type(caught.value.cause) is kind


def test_what_can_be_waited_for_stays_what_it_is() -> None:
    def raises() -> None:
        raise ValueError("as told")

    with pytest.raises(ValueError, match="as told"):
        run_blocking(in_thread(raises))


def test_a_cancellation_from_outside_is_none_of_the_user_s_code() -> None:
    async def its_own() -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    async def script() -> None:
        with pytest.raises(Raised):
            await awaited(its_own())
        waits = asyncio.create_task(awaited(asyncio.sleep(LONG_S)))
        await asyncio.sleep(0)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits

    run_blocking(script())
