"""Your functions as the model's tools: found by name, in their latest definition, and made ready."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from gip_nb.errors import BadSetting
from gip_nb.tools.call import Call, Called
from gip_nb.tools.definitions import Definition, Gone, definition_of, remade, same_function
from gip_nb.tools.failures import failure_text, message_of, traceback_text
from gip_nb.tools.options import (
    RUN_OPTIONS,
    RunOptions,
    ToolOptions,
    Where,
    mark,
    options_of,
    place_of,
    read_options,
    read_run_options,
)
from gip_nb.tools.results import MAX_RESULT_CHARS, result_text
from gip_nb.tools.schema import Unusable, arguments_of, schema_of
from gip_nb.tools.signature import with_object
from gip_nb.tools.texts import short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Toolbox", "Tools", "tool", "toolbox_of"]

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


class Tools(Protocol):
    """What answers the model's calls: functions of the notebook, or a recording."""

    @property
    def running(self) -> RunOptions:
        """How they are run."""

    def schemas(self) -> list[dict[str, Any]]:
        """What goes under `tools` in the session, canonical shape; as of the last `refresh`. Quick."""

    def refresh(self) -> list[BadSetting]:
        """Look for newer definitions; what is wrong with those that cannot be used, each told once.

        Any thread may call, best a worker: the user's type hints are evaluated.
        """

    def find(self, name: str, arguments: str) -> Call | Called:
        """Make a call ready, or answer it. On a worker thread; never raises."""

    def is_newest(self, call: Call) -> bool:
        """Whether it is still made of the definition that counts; as of the last `refresh`. Quick."""

    def allow(self, call: Call) -> None:
        """The user has allowed this function for the whole talk: what it is now, and no other definition."""


@dataclass
class _Tool:
    """One function that was passed.

    Attributes:
        definition: where newer ones are looked for; None: nobody knows.
        function: its newest definition that can be used.
        options: of that one.
        schema: the same.
        own_name: what it is called where its options say nothing else.
        told: what was complained of last: each is said once.
        allowed: the definition that the user has allowed for the whole talk.
    """

    definition: Definition | None
    function: Callable[..., Any]
    options: ToolOptions
    schema: dict[str, Any]
    own_name: str
    told: object = None
    allowed: Callable[..., Any] | None = None

    def complaint(self, about: object, message: str, next_step: str) -> BadSetting | None:
        """Say it, where it was not said already of this function, or of what is there instead of one."""
        told, self.told = self.told, about
        if same_function(about, told) or (isinstance(told, Gone) and about == told):
            return None
        return BadSetting(message, next_step)


class Toolbox:
    """The tools of one talk. Any thread may use it.

    Args:
        functions: plain or async functions; their type hints and docstring are what the model sees.
        running: how they are run.

    Attributes:
        running: as given.

    Raises:
        BadSetting: one of them is no function, has no usable signature, or two have the same name; an
            approval is asked for a tool that is none.
    """

    def __init__(self, functions: Iterable[Callable[..., Any]], running: RunOptions | None = None) -> None:
        self.running = running or RunOptions()
        self._lock = threading.Lock()
        self._tools: list[_Tool] = []
        for function in functions:
            if not callable(function):
                raise _no_function(function)
            # Here, so that a function without a schema is named in the cell that passes it.
            try:
                definition = definition_of(function)
                there = function if definition is None else definition.newest()
                newest = function if isinstance(there, Gone) or same_function(there, function) else there
                schema, options = _described(newest)
            except AttributeError as error:
                raise BadSetting(
                    f"tools holds {function!r}", "pass functions: talk(tools=[f, g])."
                ) from error
            own_name = schema["name"]
            schema = {**schema, "name": options.name or own_name}
            self._must_be_new(schema["name"])
            self._tools.append(_Tool(definition, newest, options, schema, own_name))
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
        name = tool.schema["name"]
        there: object = tool.definition
        try:
            there = tool.function if tool.definition is None else tool.definition.newest()
            if isinstance(there, Gone):
                return tool.complaint(
                    there,
                    f"the tool {name!r} stays what it was: {there.why}",
                    "define it again under that name, or pass what there is now to talk(tools=[...]).",
                )
            function = tool.function if same_function(there, tool.function) else there
            schema, options = _described(function)
            # Another function under this name is this tool.
            schema = {**schema, "name": options.name or tool.own_name}
            self._must_be_new(schema["name"], beside=tool)
        except BaseException as error:  # noqa: BLE001 - a definition in the making, and type hints that are run: whatever is wrong, the talk goes on
            why = error.message if isinstance(error, BadSetting) else short(_told(error), 500)
            step = error.next_step if isinstance(error, BadSetting) else "mend it and run its cell again."
            return tool.complaint(
                there,
                f"the newest definition of the tool {name!r} cannot be used, and the one before stays: {why}",
                step,
            )
        tool.function, tool.options, tool.schema = function, options, schema
        return _is_stale(tool)

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
        except BaseException as error:  # noqa: BLE001 - a validator of the user's, which may raise anything
            return Called(result_text(failure_text(error)), None, "failed", traceback_text(error))
        return Call(
            name=name,
            function=function,
            values=given.by_name,
            arguments=given.text,
            where=place_of(function, options),
            timeout_s=options.timeout_s or self.running.tool_timeout_s,
            cancellable=options.cancel == "interruption",
            asks=self.running.asks_about(name, options) and found.allowed is not function,
            limit_chars=options.limit_chars or MAX_RESULT_CHARS,
        )

    def is_newest(self, call: Call) -> bool:
        """Whether it is still made of the definition that counts; as of the last `refresh`. Quick."""
        return any(t.function is call.function for t in self._tools if t.schema["name"] == call.name)

    def allow(self, call: Call) -> None:
        """The user has allowed this function for the whole talk: what it is now, and no other definition."""
        for tool in self._tools:
            if tool.schema["name"] == call.name:
                tool.allowed = call.function

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


def _is_stale(tool: _Tool) -> BadSetting | None:
    """What the tool is made of was defined anew, and the tool was not made anew of it."""
    try:
        newer = remade(tool.function)
    except BaseException:  # noqa: BLE001 - the user's objects are asked for their attributes
        newer = None
    if newer is None:
        tool.told = None
        return None
    made_of = getattr(newer, "__qualname__", "")
    return tool.complaint(
        newer,
        f"the tool {tool.schema['name']!r} stays what it was: {made_of} was defined anew, and the tool was "
        "made of the one before",
        "run the cell again that makes the tool, under the same name, or that of talk(tools=[...]).",
    )


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {message_of(error)}"


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
