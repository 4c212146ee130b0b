"""Your functions as the model's tools: their signature becomes a JSON schema and checks the arguments.

pydantic makes schema and check from the signature alone, so that what the model is told and what is enforced
cannot differ.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from gip_nb.errors import BadSetting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pydantic

__all__ = ["Called", "Toolbox", "Tools", "result_text", "tool"]

F = TypeVar("F", bound="Callable[..., Any]")
MAX_RESULT_CHARS = 16_000
# A parameter may be called `schema` or `_x`, which pydantic keeps for itself.
_FIELD = "arg_"
_NAME = re.compile("[a-zA-Z0-9_-]{1,64}")  # the API's own rule


def tool(function: F) -> F:
    """Mark a function as a tool. Optional: `talk(tools=[f])` takes a plain function too.

    Raises:
        BadSetting: at once, where the function is defined, if no schema can be made of its signature.
    """
    _schema(function)
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
        return [{**_schema(self._newest(f)), "name": name} for name, f in self._functions.items()]

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
            values = _arguments(function, arguments)
        except (BadSetting, _Unusable) as error:
            return Called(result_text(f"error: {error.args[0]}"))
        try:
            value = function(**values)
            return Called(result_text(value), value)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code: whatever it raises, the model gets an answer
            return Called(result_text(f"error: {type(error).__name__}: {_told(error)}"))


class _Unusable(Exception):
    """What the model wrote as arguments is none of the function."""


def _arguments(function: Callable[..., Any], arguments: str) -> dict[str, Any]:
    """The arguments as what the function's hints say.

    Raises:
        _Unusable: the model wrote something else.
        BadSetting: the function, defined anew, has no usable signature any more.
    """
    import pydantic

    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise _Unusable(f"the arguments are not JSON: {error}") from error
    if not isinstance(given, dict):
        raise _Unusable("the arguments are no JSON object")
    try:
        checked = _model(function).model_validate(given)
    except pydantic.ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise _Unusable(f"bad arguments: {problems}") from error
    # Attributes and not a dump: nested models reach the function as what its hints say.
    return {n.removeprefix(_FIELD): getattr(checked, n) for n in type(checked).model_fields}


def _told(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's own exception, whose text may fail too
        return "(no text)"


def _model(function: Callable[..., Any]) -> type[pydantic.BaseModel]:
    import pydantic

    try:
        signature = inspect.signature(function, eval_str=True)
    except Exception as error:  # hints given as text are run, and may raise anything
        raise BadSetting(
            f"tool {getattr(function, '__name__', function)!r}: its signature cannot be read ({error})",
            "write its type hints with names that are defined in the notebook.",
        ) from error
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise BadSetting(
                f"tool {function.__name__!r} takes {parameter}",
                "give each argument a name: a model cannot fill *args, **kwargs or positional-only ones.",
            )
        hint = Any if parameter.annotation is parameter.empty else parameter.annotation
        fields[_FIELD + parameter.name] = (
            hint,
            ... if parameter.default is parameter.empty else parameter.default,
        )
    config = pydantic.ConfigDict(extra="forbid", alias_generator=lambda name: name.removeprefix(_FIELD))
    try:
        return pydantic.create_model(function.__name__, __config__=config, **fields)
    except Exception as error:  # a hint inside a hint may be text too
        raise _no_schema(function, error) from error


def _no_schema(function: Callable[..., Any], error: Exception) -> BadSetting:
    return BadSetting(
        f"tool {function.__name__!r}: no JSON schema for its type hints ({error})",
        "use hints that JSON can carry.",
    )


def _schema(function: Callable[..., Any]) -> dict[str, Any]:
    if inspect.iscoroutinefunction(function):
        raise BadSetting(
            f"tool {function.__name__!r} is an async function",
            "write it with a plain `def`; it runs in a thread of its own and may take its time.",
        )
    if not _NAME.fullmatch(function.__name__):
        raise BadSetting(
            f"no tool can be called {function.__name__!r}",
            "give the function a name of 1 to 64 letters a to z, digits and underscores.",
        )
    import pydantic

    try:
        parameters = _model(function).model_json_schema()
    except pydantic.errors.PydanticUserError as error:
        raise _no_schema(function, error) from error
    parameters.pop("title", None)
    for one in parameters.get("properties", {}).values():
        one.pop("title", None)
    return {
        "type": "function",
        "name": function.__name__,
        "description": inspect.getdoc(function) or "",
        "parameters": {"properties": {}, **parameters},
    }


def result_text(result: object, limit: int = MAX_RESULT_CHARS) -> str:
    """A tool's result as text for the model, at most `limit` characters; a cut is said after them."""
    if isinstance(result, str):
        text = result
    else:
        try:
            text = json.dumps(result, ensure_ascii=False)
        except (TypeError, ValueError):
            text = str(result)
    # Half of a surrogate pair (an odd file name) cannot be sent.
    text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[cut: {len(text)} characters in all]"
