"""A call of a tool that is ready to be made, and what came of one."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.errors import ToolTrouble
from gip_nb.tools.failures import failure_text, traceback_text
from gip_nb.tools.options import Where, is_async
from gip_nb.tools.results import items_of, result_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Call", "Called"]


class Called(NamedTuple):
    """What came of a call.

    Attributes:
        text: for the model.
        value: what the function returned; None where it did not.
        outcome: `done`, `failed`, `timed_out`, `denied` or `cancelled`.
        traceback: for the user, where it raised.
    """

    text: str
    value: object = None
    outcome: str = "done"
    traceback: str | None = None


@dataclass(frozen=True)
class Call:
    """A call that is ready to be made: the function in its latest definition, and checked arguments.

    Attributes:
        name: as the model knows it.
        function: what is called.
        values: its arguments.
        arguments: the JSON that they were made of: what is shown to whoever is to allow the call.
        where: it runs.
        timeout_s: None: no limit.
        cancellable: it ends when the user interrupts.
        asks: somebody is to be asked before.
        limit_chars: how much of the result the model gets.
    """

    name: str
    function: Callable[..., Any]
    values: dict[str, Any]
    arguments: str
    where: Where
    timeout_s: float | None
    cancellable: bool
    asks: bool
    limit_chars: int

    @property
    def is_async(self) -> bool:
        """Whether calling it makes a coroutine."""
        return is_async(self.function)

    def start(self) -> Any:  # noqa: ANN401 - the user's function
        """Call the function; raises what it raises. Of an async generator the items are to be awaited."""
        value = self.function(**self.values)
        return items_of(value, self.limit_chars) if isinstance(value, AsyncIterator) else value

    def returned(self, value: object) -> Called:
        """What the model gets of a result. Not on the loop: it may take its time. Never raises."""
        try:
            return Called(result_text(value, self.limit_chars), value)
        except BaseException as error:  # noqa: BLE001 - the user's own objects, which write themselves, and generators
            return self.raised(error)

    def raised(self, error: BaseException) -> Called:
        """What the model and the user get of an exception. Never raises."""
        try:
            text = result_text(failure_text(error), self.limit_chars)
            return Called(text, None, "failed", traceback_text(error))
        except BaseException:  # noqa: BLE001 - the user's own exception, which may be no better than what it tells of
            return Called(f"error: {type(error).__name__}", None, "failed")

    def run(self, *, lets_interrupts_through: bool = False) -> Called:
        """Call the function here and now, on this thread. Never raises.

        Args:
            lets_interrupts_through: but for KeyboardInterrupt, which is the thread's own affair too.
        """
        try:
            value = self.start()
            if inspect.isawaitable(value):
                value = self._awaited(value)
        except BaseException as error:
            if lets_interrupts_through and isinstance(error, KeyboardInterrupt):
                raise
            return self.raised(error)
        return self.returned(value)

    def _awaited(self, value: Any) -> object:  # noqa: ANN401 - whatever can be awaited
        """Wait for it here.

        Raises:
            ToolTrouble: this thread runs a loop, which cannot go on while one of its turns waits.
        """
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(_finished(value))
        # A coroutine that nobody awaits would complain of it.
        getattr(value, "close", lambda: None)()
        raise ToolTrouble(
            f"the tool {self.name!r} returned a {type(value).__name__}, which nothing can await in the main "
            "thread: it runs an event loop already",
            'write it with a plain `def` all through, or use where="thread".',
        )


async def _finished(value: Any) -> object:  # noqa: ANN401 - whatever can be awaited
    return await value
