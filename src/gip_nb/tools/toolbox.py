"""Your functions as the model's tools: found by name, in their latest definition, and called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from gip_nb.errors import BadSetting
from gip_nb.tools.results import result_text
from gip_nb.tools.schema import Unusable, arguments_of, schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Called", "Toolbox", "Tools", "tool"]

F = TypeVar("F", bound="Callable[..., Any]")


def tool(function: F) -> F:
    """Mark a function as a tool. Optional: `talk(tools=[f])` takes a plain function too.

    Raises:
        BadSetting: at once, where the function is defined, if no schema can be made of its signature.
    """
    schema_of(function)
    return function


class Called(NamedTuple):
    """What came of a call: the model's text, and what the function returned (None where it did not)."""

    text: str
    value: object = None


class Tools(Protocol):
    """What answers the model's calls: functions of the notebook, or a recording."""

    def schemas(self) -> list[dict[str, Any]]:
        """What goes under `tools` in the session, canonical shape."""

    def run(self, name: str, arguments: str) -> Called:
        """Answer a call, on a worker thread; never raises."""


class Toolbox:
    """The tools of one talk.

    Args:
        functions: plain functions; their type hints and docstring are what the model sees.

    Raises:
        BadSetting: one of them is no function, has no usable signature, or two have the same name.
    """

    def __init__(self, functions: Iterable[Callable[..., Any]]) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}
        for function in functions:
            if not hasattr(function, "__name__") or not hasattr(function, "__call__"):  # noqa: B004 - mypy knows that it is callable; users do not
                raise BadSetting(f"tools holds {function!r}", "pass functions: talk(tools=[f, g]).")
            if function.__name__ in self._functions:
                raise BadSetting(
                    f"two tools are called {function.__name__!r}", "give one of them another name."
                )
            self._functions[function.__name__] = function
        # Made here, so that a function without a schema is named in the cell that passes it.
        self.schemas()

    def schemas(self) -> list[dict[str, Any]]:
        """What goes under `tools` in the session, canonical shape."""
        return [{**schema_of(self._newest(f)), "name": name} for name, f in self._functions.items()]

    @staticmethod
    def _newest(function: Callable[..., Any]) -> Callable[..., Any]:
        """The latest definition under this name: a cell that was run again changes the next call."""
        name = function.__name__
        if getattr(function, "__qualname__", name) != name:
            # A method, or a function inside another: a global of that name is something else.
            return function
        found = getattr(function, "__globals__", {}).get(name, function)
        return found if callable(found) else function

    def call(self, name: str, arguments: str) -> str:
        """Call a tool and give the model's text of its result; as `run`."""
        return self.run(name, arguments).text

    def run(self, name: str, arguments: str) -> Called:
        """Call a tool and give its result, and the model's text of it.

        Never raises: what goes wrong is told to the model.

        Args:
            name: as the model wrote it.
            arguments: JSON, as the model wrote it.
        """
        function = self._functions.get(name)
        if function is None:
            known = ", ".join(self._functions) or "none"
            return Called(result_text(f"error: there is no tool named {name!r}; there is {known}"))
        function = self._newest(function)
        try:
            values = arguments_of(function, arguments)
        except (BadSetting, Unusable) as error:
            return Called(result_text(f"error: {error.args[0]}"))
        try:
            value = function(**values)
            return Called(result_text(value), value)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code: whatever it raises, the model gets an answer
            return Called(result_text(f"error: {type(error).__name__}: {_told(error)}"))


def _told(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's own exception, whose text may fail too
        return "(no text)"
