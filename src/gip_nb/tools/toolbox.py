"""Your functions as the model's tools: found by name, in their latest definition, and made ready."""

from __future__ import annotations

import inspect
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, overload

from gip_nb.errors import BadSetting
from gip_nb.tools.failures import failure_text, traceback_text
from gip_nb.tools.options import (
    RUN_OPTIONS,
    RunOptions,
    ToolOptions,
    Where,
    is_async,
    mark,
    options_of,
    place_of,
    read_options,
    read_run_options,
)
from gip_nb.tools.results import MAX_RESULT_CHARS, items_of, result_text
from gip_nb.tools.schema import Unusable, arguments_of, schema_of
from gip_nb.tools.signature import with_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Call", "Called", "Toolbox", "Tools", "tool", "toolbox_of"]

F = TypeVar("F", bound="Callable[..., Any]")


@overload
def tool(function: F, /) -> F: ...


@overload
def tool(
    *,
    where: Where | None = None,
    timeout_s: float | None = None,
    approve: bool = False,
    cancel: str = "never",
    limit_chars: int | None = None,
    name: str | None = None,
) -> Callable[[F], F]: ...


def tool(function: F | None = None, /, **options: Any) -> F | Callable[[F], F]:
    """Mark a function as a tool, and say how it is to be run. Optional: `talk(tools=[f])` takes a plain one.

    In the body of a class it marks the method of all objects; `tool(approve=True)(shop.sell)` that of one.

    Args:
        function: what is decorated.
        **options: `where`: "thread" (a plain function's place), "loop" (an async one's: the session's, which
            it must not block) or "main" (the kernel's main thread, when it is free). `timeout_s`: after which
            the model is told that it takes too long. `approve`: ask the user before it runs. `cancel`:
            "interruption" ends it when the user interrupts. `limit_chars`: how much of its result the model
            gets. `name`: what the model calls it.

    Raises:
        BadSetting: at once, where the function is defined, if it cannot be run so, or no schema can be made
            of its signature.
        UnknownOption: an option that is none; the nearest is named.
    """
    read = read_options(options)

    def marked(function: F) -> F:
        carrier: F = mark(function, read) if options else function
        ready = with_object(carrier)
        try:
            _described(ready)
        except BadSetting as error:
            # In the body of a class there is no such class yet: it is looked at again where it is passed.
            if ready is carrier or not isinstance(error.__cause__, NameError):
                raise
        return carrier

    return marked if function is None else marked(function)


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
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the user's own objects, which write themselves
            return self.raised(error)

    def raised(self, error: BaseException) -> Called:
        """What the model and the user get of an exception."""
        text = result_text(failure_text(error), self.limit_chars)
        return Called(text, None, "failed", traceback_text(error))

    def run(self, *, lets_interrupts_through: bool = False) -> Called:
        """Call the function here and now, on this thread. Never raises.

        Args:
            lets_interrupts_through: but for KeyboardInterrupt, which is the thread's own affair too.
        """
        try:
            value = self.start()
            if inspect.isawaitable(value):
                import asyncio

                value = asyncio.run(_finished(value))
        except BaseException as error:
            if lets_interrupts_through and isinstance(error, KeyboardInterrupt):
                raise
            return self.raised(error)
        return self.returned(value)


async def _finished(value: Any) -> object:  # noqa: ANN401 - whatever can be awaited
    return await value


class Tools(Protocol):
    """What answers the model's calls: functions of the notebook, or a recording."""

    @property
    def running(self) -> RunOptions:
        """How they are run."""

    @property
    def allowed(self) -> set[str]:
        """Those that the user has allowed for the whole talk."""

    def schemas(self) -> list[dict[str, Any]]:
        """What goes under `tools` in the session, canonical shape; as of the last `refresh`. Quick."""

    def refresh(self) -> list[BadSetting]:
        """Look for newer definitions; what is wrong with those that cannot be used, each told once.

        Any thread may call, best a worker: the user's type hints are evaluated.
        """

    def find(self, name: str, arguments: str) -> Call | Called:
        """Make a call ready, or answer it. On a worker thread; never raises."""


@dataclass
class _Tool:
    """One function that was passed.

    Attributes:
        given: as it was passed.
        function: its newest definition that can be used.
        options: of that one.
        schema: the same.
        own_name: what it is called where its options say nothing else.
        refused: the newest definition, where it cannot be used: it is complained of once.
    """

    given: Callable[..., Any]
    function: Callable[..., Any]
    options: ToolOptions
    schema: dict[str, Any]
    own_name: str
    refused: object = None


class Toolbox:
    """The tools of one talk. Any thread may use it.

    Args:
        functions: plain or async functions; their type hints and docstring are what the model sees.
        running: how they are run.

    Attributes:
        running: as given.
        allowed: the names of those that the user has allowed for the whole talk.

    Raises:
        BadSetting: one of them is no function, has no usable signature, or two have the same name; an
            approval is asked for a tool that is none.
    """

    def __init__(self, functions: Iterable[Callable[..., Any]], running: RunOptions | None = None) -> None:
        self.running = running or RunOptions()
        self.allowed: set[str] = set()
        self._lock = threading.Lock()
        self._tools: list[_Tool] = []
        for function in functions:
            if not callable(function):
                raise _no_function(function)
            # Here, so that a function without a schema is named in the cell that passes it.
            try:
                schema, options = _described(newest(function))
            except AttributeError as error:
                raise BadSetting(
                    f"tools holds {function!r}", "pass functions: talk(tools=[f, g])."
                ) from error
            own_name = schema["name"]
            schema = {**schema, "name": options.name or own_name}
            self._must_be_new(schema["name"])
            self._tools.append(_Tool(function, newest(function), options, schema, own_name))
        if isinstance(self.running.approve, frozenset):
            _must_be_tools(self.running.approve, self._names())

    def _must_be_new(self, name: str, beside: _Tool | None = None) -> None:
        if any(tool.schema["name"] == name for tool in self._tools if tool is not beside):
            raise BadSetting(f"two tools are called {name!r}", "give one of them another name.")

    def _names(self) -> list[str]:
        return [tool.schema["name"] for tool in self._tools]

    def schemas(self) -> list[dict[str, Any]]:
        """What goes under `tools` in the session, canonical shape; as of the last `refresh`. Quick."""
        return [tool.schema for tool in self._tools]

    def refresh(self) -> list[BadSetting]:
        """Look for newer definitions: a cell that was run again changes the next call, and the schema.

        One that cannot be used leaves the one before in place.

        Returns:
            What is wrong with those, each told once.
        """
        with self._lock:
            found = [self._refreshed(tool) for tool in self._tools]
        return [complaint for complaint in found if complaint is not None]

    def _refreshed(self, tool: _Tool) -> BadSetting | None:
        function = newest(tool.given)
        if function is tool.refused:
            return None
        try:
            schema, options = _described(function)
            # Another function under this name is this tool.
            schema = {**schema, "name": options.name or tool.own_name}
            self._must_be_new(schema["name"], beside=tool)
        except Exception as error:  # noqa: BLE001 - a definition in the making: whatever is wrong with it, the talk goes on
            tool.refused = function
            why = error.message if isinstance(error, BadSetting) else f"{type(error).__name__}: {error}"
            step = error.next_step if isinstance(error, BadSetting) else "mend it and run its cell again."
            name = tool.schema["name"]
            return BadSetting(
                f"the newest definition of the tool {name!r} cannot be used, and the one before stays: {why}",
                step,
            )
        tool.function, tool.options, tool.schema, tool.refused = function, options, schema, None
        return None

    def find(self, name: str, arguments: str) -> Call | Called:
        """Make a call ready; what is wrong with it is told to the model. Never raises.

        Args:
            name: as the model wrote it.
            arguments: JSON, as the model wrote it.
        """
        with self._lock:
            found = next((t for t in self._tools if t.schema["name"] == name), None)
        if found is None:
            known = ", ".join(self._names()) or "none"
            return Called(
                result_text(f"error: there is no tool named {name!r}; there is {known}"), outcome="failed"
            )
        function, options = found.function, found.options
        try:
            given = arguments_of(function, arguments)
        except (BadSetting, Unusable) as error:
            return Called(result_text(f"error: {error.args[0]}"), outcome="failed")
        except Exception as error:  # noqa: BLE001 - a validator of the user's
            return Called(result_text(failure_text(error)), None, "failed", traceback_text(error))
        return Call(
            name=name,
            function=function,
            values=given.by_name,
            arguments=given.text,
            where=place_of(function, options),
            timeout_s=options.timeout_s or self.running.tool_timeout_s,
            cancellable=options.cancel == "interruption",
            asks=self.running.asks_about(name, options) and name not in self.allowed,
            limit_chars=options.limit_chars or MAX_RESULT_CHARS,
        )

    def call(self, name: str, arguments: str) -> str:
        """Call a tool and give the model's text of its result; as `run`."""
        return self.run(name, arguments).text

    def run(self, name: str, arguments: str) -> Called:
        """Call a tool here and now, ask nobody, and give its result and the model's text of it.

        Never raises: what goes wrong is told to the model.

        Args:
            name: as the model wrote it.
            arguments: JSON, as the model wrote it.
        """
        self.refresh()
        found = self.find(name, arguments)
        return found.run() if isinstance(found, Call) else found


def _no_function(given: object) -> BadSetting:
    return BadSetting(f"tools holds {given!r}", "pass functions: talk(tools=[f, g]).")


def toolbox_of(
    functions: Iterable[Callable[..., Any]], options: dict[str, Any]
) -> tuple[Toolbox | None, dict[str, Any]]:
    """The tools of a talk, None where there are none, and the options of the talk that are not about them.

    Args:
        functions: as passed to `talk()` or `connect()`.
        options: the other keywords that were passed there.

    Raises:
        BadSetting: a function that can be no tool, or an option that cannot be.
    """
    running = read_run_options(**{k: v for k, v in options.items() if k in RUN_OPTIONS})
    rest = {k: v for k, v in options.items() if k not in RUN_OPTIONS}
    functions = list(functions)
    if functions or isinstance(running.approve, frozenset):
        toolbox = Toolbox(functions, running)
        return (toolbox if functions else None), rest
    return None, rest


def newest(function: Callable[..., Any]) -> Callable[..., Any]:
    """The latest definition under this function's name, where it is a global's; else itself."""
    name = getattr(function, "__name__", None)
    if name is None or getattr(function, "__qualname__", name) != name:
        # A method, or a function inside another: a global of that name is something else.
        return function
    # A decorator's wrapper has the globals of the decorator's module.
    names = getattr(inspect.unwrap(function), "__globals__", {})
    found: Any = names.get(name, function)
    return found if callable(found) else function


def _described(function: Callable[..., Any]) -> tuple[dict[str, Any], ToolOptions]:
    """A function's schema, under its own name, and its options.

    Raises:
        BadSetting: it can be no tool.
    """
    options = options_of(function)
    place_of(function, options)
    return schema_of(function), options


def _must_be_tools(names: frozenset[str], known: list[str]) -> None:
    for name in sorted(names):
        if name not in known:
            there = ", ".join(known) or "none"
            raise BadSetting(f"approve names {name!r}, which is no tool", f"the tools are: {there}.")
