"""How tools are run: what `@tool(...)` says of one, and what `talk()` says of all. Pure."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import re
import types
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

import msgspec

from gip_nb.errors import BadSetting, UnknownOption

__all__ = [
    "RUN_OPTIONS",
    "Approve",
    "RunOptions",
    "ToolOptions",
    "Where",
    "is_async",
    "options_of",
    "place_of",
]

Where = Literal["thread", "loop", "main"]
Cancel = Literal["never", "interruption"]
# Who is asked: everybody whose tool says so (None), no one, for each tool, for these, or this function.
Approve = bool | frozenset[str] | Callable[[str, dict[str, Any]], Any] | None
SlowHook = Callable[[str, float], Any]

_ATTRIBUTE = "__gip_tool__"
_NAME = re.compile("[a-zA-Z0-9_-]{1,64}")  # the API's own rule
_SLOW_AFTER_S = 5.0
_SAY_SO = (
    "A function that you called is still running. Tell the user in one short sentence that you are working "
    "on it and that it takes a moment. Do not guess its result."
)
# The names that `talk()` and `connect()` take of these.
RUN_OPTIONS = frozenset({"approve", "approve_timeout_s", "tool_timeout_s", "tool_slow"})


class ToolOptions(msgspec.Struct, frozen=True):
    """What one tool says of itself.

    Attributes:
        where: it runs in a thread, on the session's loop, or in the main thread; None: an async function on
            the loop, another one in a thread.
        timeout_s: after which the model is told that it takes too long; None: the talk's.
        approve: whether the user is asked before it runs.
        cancel: whether it ends when the user interrupts.
        limit_chars: how much of its result the model gets; None: the usual.
        name: what the model calls it; None: the function's own.
    """

    where: Where | None = None
    timeout_s: float | None = None
    approve: bool = False
    cancel: Cancel = "never"
    limit_chars: int | None = None
    name: str | None = None


def read_options(given: dict[str, Any]) -> ToolOptions:
    """The decorator's keywords, checked.

    Raises:
        UnknownOption: one that is none; the nearest is named.
        BadSetting: a value that cannot be.
    """
    known = ToolOptions.__struct_fields__
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UnknownOption(name, near[0] if near else None, known)
    options = ToolOptions(**given)
    _one_of("where", options.where, (None, *get_args(Where)))
    _one_of("cancel", options.cancel, get_args(Cancel))
    _one_of("approve", options.approve, (True, False))
    seconds_or_none("timeout_s", options.timeout_s)
    limit: object = options.limit_chars
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise BadSetting(f"limit_chars is {limit!r}", "give a whole number of characters, such as 4000.")
    called: Any = options.name
    if called is not None and not (isinstance(called, str) and _NAME.fullmatch(called)):
        raise BadSetting(
            f"no tool can be called {called!r}",
            "give a name of 1 to 64 letters a to z, digits and underscores.",
        )
    return options


def mark(function: Any, options: ToolOptions) -> Any:  # noqa: ANN401 - whatever can be called
    """Note a function's options on it.

    Returns:
        What carries them: the function itself. One object's method is not more than its class's function and
        the object; it gets something of its own that calls it, so that other objects' methods stay as they
        are.

    Raises:
        BadSetting: it cannot carry any.
    """
    carrier = functools.partial(function) if isinstance(function, types.MethodType) else function
    # Of what stands in a class's body, the function is what an object's method has.
    inner = carrier.__func__ if isinstance(carrier, classmethod | staticmethod) else carrier
    try:
        setattr(inner, _ATTRIBUTE, options)
    except (AttributeError, TypeError):
        raise BadSetting(
            f"{function!r} cannot carry a tool's options",
            "write a function of your own that calls it, and decorate that one.",
        ) from None
    return carrier


def options_of(function: Callable[..., Any]) -> ToolOptions:
    """What `@tool(...)` said of this function; the usual where nothing did."""
    # A partial has attributes of its own, and is of the function that it calls.
    for one in (function, getattr(function, "func", None)):
        found = getattr(one, _ATTRIBUTE, None)
        if isinstance(found, ToolOptions):
            return found
    return ToolOptions()


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it makes a coroutine, or an async generator."""
    # An object's own `__call__`, not whether it has one.
    own = getattr(function, "__call__", None)  # noqa: B004 - as said
    return any(inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) for one in (function, own))


def place_of(function: Callable[..., Any], options: ToolOptions) -> Where:
    """Where it runs.

    Raises:
        BadSetting: it cannot run there.
    """
    if options.where is None:
        return "loop" if is_async(function) else "thread"
    name = getattr(getattr(function, "func", function), "__name__", repr(function))
    if options.where == "loop" and not is_async(function):
        raise BadSetting(
            f"tool {name!r} is a plain function and wants to run on the session's loop: sound would stop "
            "while it runs",
            "write it with `async def`, or leave where= out: it then runs in a thread of its own.",
        )
    if options.where == "main" and is_async(function):
        raise BadSetting(
            f"tool {name!r} is an async function and wants the main thread",
            "write it with a plain `def`, or leave where= out: it then runs on the session's loop.",
        )
    return options.where


class RunOptions(msgspec.Struct, frozen=True):
    """What a talk says of all its tools.

    Attributes:
        approve: who is asked before a tool runs: None, as each tool says; True, the user, of every tool;
            False, nobody; names, the user, of these too; a function, itself, of every call.
        approve_timeout_s: how long an answer is waited for. No answer is a no.
        tool_timeout_s: of tools that say nothing of it; None: no limit.
        slow_after_s: after which the model may say that it works; None: never.
        slow_says: what it is told to do then.
        slow_hook: is asked instead, with the tool's name and the seconds; what it returns is told to the
            model, None is silence.
    """

    approve: Approve = None
    approve_timeout_s: float = 60.0
    tool_timeout_s: float | None = None
    slow_after_s: float | None = None
    slow_says: str = _SAY_SO
    slow_hook: SlowHook | None = None

    def asks_about(self, name: str, options: ToolOptions) -> bool:
        """Whether somebody is to be asked before this tool runs."""
        if self.approve is None:
            return options.approve
        if isinstance(self.approve, frozenset):
            return options.approve or name in self.approve
        return self.approve is not False


def read_run_options(
    *,
    approve: object = None,
    approve_timeout_s: float = 60.0,
    tool_timeout_s: float | None = None,
    tool_slow: object = None,
) -> RunOptions:
    """What `talk()` and `connect()` were given, checked.

    Raises:
        BadSetting: a value that cannot be.
    """
    if approve_timeout_s is None:
        raise BadSetting("approve_timeout_s is None", "say for how many seconds an answer is waited for.")
    seconds_or_none("approve_timeout_s", approve_timeout_s)
    seconds_or_none("tool_timeout_s", tool_timeout_s)
    after_s, says, hook = _slow(tool_slow)
    return RunOptions(
        approve=_approve(approve),
        approve_timeout_s=float(approve_timeout_s),
        tool_timeout_s=tool_timeout_s,
        slow_after_s=after_s,
        slow_says=says,
        slow_hook=hook,
    )


def _approve(given: object) -> Approve:
    if given is None or isinstance(given, bool):
        return given
    if callable(given):
        return given
    if isinstance(given, str):
        return frozenset({given})
    if isinstance(given, Iterable):
        names = list(given)
        if all(isinstance(name, str) for name in names):
            return frozenset(names)
    raise BadSetting(
        f"approve is {given!r}",
        "use True (ask about every tool), False (never ask), the tools' names, or a function "
        "(name, arguments) -> bool.",
    )


def _slow(given: object) -> tuple[float | None, str, SlowHook | None]:
    if given is None or given is False:
        return None, _SAY_SO, None
    if given is True:
        return _SLOW_AFTER_S, _SAY_SO, None
    if isinstance(given, str) and given.strip():
        return _SLOW_AFTER_S, given, None
    if callable(given):
        return _SLOW_AFTER_S, _SAY_SO, given
    if isinstance(given, int | float) and 0 < given < math.inf:
        return float(given), _SAY_SO, None
    raise BadSetting(
        f"tool_slow is {given!r}",
        "use True, a number of seconds, what the model is to say, or a function (name, seconds) -> text.",
    )


def seconds_or_none(name: str, given: object) -> None:
    """Raise for what is no time.

    Raises:
        BadSetting: naming it.
    """
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if given is not None and not (is_number and 0 < float(given) < math.inf):  # type: ignore[arg-type]  # a number, by the line before
        raise BadSetting(f"{name} is {given!r}", "give a number of seconds above zero, or leave it out.")


def _one_of(name: str, given: object, known: tuple[object, ...]) -> None:
    if not any(given is one or (isinstance(one, str) and given == one) for one in known):
        raise BadSetting(f"{name} is {given!r}", f"use {' or '.join(repr(one) for one in known)}.")
