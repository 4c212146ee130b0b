"""A callable's name and its parameters, as far as a model may fill them. Pure.

Whatever can be called is taken: functions, async ones, methods, decorated ones (the signature is that of what
they wrap), `functools.partial` (what it has filled in is no longer the model's), objects with a `__call__`.
"""

from __future__ import annotations

import collections.abc
import datetime as dt
import decimal
import functools
import inspect
import operator
import re
import sys
import types
import typing
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from gip_nb.errors import BadSetting
from gip_nb.tools.descriptions import described
from gip_nb.tools.scalars import carried_scalar
from gip_nb.tools.texts import any_text, short

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Parameter", "hint_text", "name_of", "parameters_of", "underlying", "with_object"]

_NAME = re.compile("[a-zA-Z0-9_-]{1,64}")  # the API's own rule
# Whose items pydantic would check one by one while the function takes them: too late.
_ONE_BY_ONE = {
    collections.abc.Collection,
    collections.abc.Container,
    collections.abc.Generator,
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Reversible,
}
# Classes whose objects, as a default, say what an argument without a hint is.
_TELLING = {
    *(bool, float, str, list, tuple, set, dict),
    *(dt.date, dt.datetime, dt.time, dt.timedelta, decimal.Decimal),
}
_NUMBER = int | float


@dataclass(frozen=True, eq=False)
class Parameter:
    """One that a model may fill. Two are equal where the hints are, and the default is one object.

    Attributes:
        name: as the function calls it.
        hint: its type; `Any` where it has none.
        default: `inspect.Parameter.empty` where it has to be filled.
        description: what the docstring says of it.
        passed: always, since the default is one of pydantic's fields and no value: `n: int = Field(3, ge=1)`.
    """

    name: str
    hint: Any
    default: Any
    description: str = ""
    passed: bool = False

    @property
    def required(self) -> bool:
        """Whether a call without it cannot be made."""
        return bool(self.default.is_required()) if self.passed else self.default is inspect.Parameter.empty

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Parameter)
            and (self.name, self.hint, self.description) == (other.name, other.hint, other.description)
            and self.default is other.default
        )

    def __hash__(self) -> int:
        return hash((self.name, self.hint, self.description, id(self.default)))


def name_of(function: Callable[..., Any]) -> str:
    """What the model calls it: the function's name; of an object, that of its class.

    Raises:
        BadSetting: it has none that a tool can have.
    """
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", None)
    if not isinstance(name, str):
        # GetWeather() is get_weather.
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(function).__name__).lower()
    if not _NAME.fullmatch(name):
        raise BadSetting(
            f"no tool can be called {name!r}",
            "give the function a name of 1 to 64 letters a to z, digits and underscores.",
        )
    return name


def underlying(function: Any) -> Any:  # noqa: ANN401 - whatever can be called
    """The function that the user wrote: within a partial, a method, a decorator's wrapper, an object."""
    for _ in range(100):  # a wrapper may wrap itself
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        elif isinstance(getattr(function, "__wrapped__", None), collections.abc.Callable):  # type: ignore[arg-type]  # a class at run time
            function = function.__wrapped__
        elif not isinstance(function, types.FunctionType | type) and hasattr(type(function), "__call__"):  # noqa: B004 - its class's own
            of = type(function).__call__
            if not isinstance(of, types.FunctionType):
                break
            function = of
        else:
            break
    return function


def _wants_an_object(function: Any, *names: str) -> bool:  # noqa: ANN401 - whatever can be called
    """Whether it stands in a class's body and its first parameter has one of these names."""
    within = function.__qualname__.rpartition(".")[0] if isinstance(function, types.FunctionType) else ""
    if not within or within.endswith("<locals>"):
        return False
    try:
        return next(iter(inspect.signature(function).parameters), None) in names
    except Exception:  # noqa: BLE001 - it is read again, and complained of then
        return False


def with_object(function: Any) -> Any:  # noqa: ANN401 - whatever can be called
    """What stands in a class's body, as it will be when it is asked for; all else as it is."""
    if isinstance(function, staticmethod):
        return function.__func__
    if isinstance(function, classmethod):
        return types.MethodType(function.__func__, object())
    return types.MethodType(function, object()) if _wants_an_object(function, "self", "cls") else function


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """What a model may fill, with hints in which nothing is text any more.

    Raises:
        BadSetting: the signature cannot be read, or has a parameter that must be filled and has no name.
    """
    name = name_of(function)
    try:
        signature = inspect.signature(function)
    except Exception as error:
        raise BadSetting(
            f"tool {name!r}: its signature cannot be read ({short(any_text(error))})",
            "write a function of your own with type hints that calls it, and pass that one.",
        ) from error
    if _wants_an_object(function, "self"):
        raise BadSetting(
            f"tool {name!r} is a method without an object",
            "make an object of its class, and pass that one's method.",
        )
    told = described(underlying(function).__doc__).parameters
    filled = set(function.keywords) if isinstance(function, functools.partial) else set()
    found = []
    for parameter in signature.parameters.values():
        # What no name fills is left out of every call.
        if parameter.name in filled or parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        if parameter.kind == parameter.POSITIONAL_ONLY:
            if parameter.default is not parameter.empty:
                continue
            raise BadSetting(
                f"tool {name!r} takes {parameter.name!r} by its place only",
                "take away the slash after it, or give it a default: a model fills arguments by their names.",
            )
        hint = _hint(name, parameter, underlying(function))
        found.append(_parameter(parameter, hint, told.get(parameter.name, "")))
    return found


def _parameter(parameter: inspect.Parameter, hint: Any, description: str) -> Parameter:  # noqa: ANN401
    field: Any = parameter.default
    if type(field).__name__ != "FieldInfo" or not type(field).__module__.startswith("pydantic"):
        return Parameter(parameter.name, hint, parameter.default, description)
    return Parameter(parameter.name, hint, field, description, passed=True)


def _hint(tool: str, parameter: inspect.Parameter, function: Any) -> Any:  # noqa: ANN401
    if parameter.annotation is parameter.empty:
        return _told_by(parameter.default)
    holder = types.SimpleNamespace(__annotations__={"hint": parameter.annotation})
    try:
        hints = typing.get_type_hints(
            holder, getattr(function, "__globals__", {}), _enclosing(function), include_extras=True
        )
        return _carried(hints["hint"], ())
    except Exception as error:  # hints given as text are run, and may raise anything
        raise BadSetting(
            f"tool {tool!r}: the type hint of {parameter.name!r} cannot be read ({short(any_text(error))})",
            "write type hints with names that are defined in the notebook.",
        ) from error


def _told_by(default: Any) -> Any:  # noqa: ANN401
    """What a default says of an argument that has no hint."""
    kind = type(default)
    if kind is int:
        # `factor=1` is as good with a half.
        return _NUMBER
    if kind in _TELLING or issubclass(kind, Enum):
        return kind
    carried = carried_scalar(kind)
    return Any if carried is kind else carried


def _enclosing(function: Any) -> dict[str, Any]:  # noqa: ANN401
    """The names that a function took along from the one that it stands in."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    found = {}
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    return found


# ------------------------------------------------------------------------------- hints that pydantic can read


def _carried(hint: Any, within: tuple[Any, ...]) -> Any:  # noqa: ANN401, PLR0911 - hints are of many kinds
    """The same hint in words that pydantic knows.

    `Annotated[str, "what it is"]` describes, an Iterable is a list, and Python's own TypedDict, which
    pydantic does not read before Python 3.12, is made anew.
    """
    scalar = carried_scalar(hint)
    if scalar is not hint:
        return scalar
    if sys.version_info < (3, 12) and typing.is_typeddict(hint) and type(hint).__module__ == "typing":
        return _typed_dict(hint, within)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_carried(args[0], within), *map(_described, args[1:]))]
    if isinstance(hint, type) and hint in _ONE_BY_ONE:
        return list
    if origin in _ONE_BY_ONE:
        return list[_carried(args[0], within)]  # type: ignore[misc]  # made at run time
    if not args or origin in {typing.Literal, collections.abc.Callable}:
        return hint
    carried = tuple(_carried(one, within) for one in args)
    if all(new is old for new, old in zip(carried, args, strict=True)):
        return hint
    if origin in {types.UnionType, typing.Union}:
        return functools.reduce(operator.or_, carried)
    return hint.copy_with(carried) if hasattr(hint, "copy_with") else origin[carried]


def _described(metadata: Any) -> Any:  # noqa: ANN401
    text = metadata if isinstance(metadata, str) else getattr(metadata, "documentation", None)
    if not isinstance(text, str):
        return metadata
    import pydantic

    return pydantic.Field(description=text)


def _typed_dict(cls: Any, within: tuple[Any, ...]) -> Any:  # noqa: ANN401
    from typing import NotRequired, Required

    from typing_extensions import TypedDict

    if cls in within:  # of itself: pydantic says what to do
        return cls
    fields: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        origin = get_origin(hint)
        marked = origin in {typing.Required, typing.NotRequired}
        required = origin is typing.Required if marked else name in cls.__required_keys__
        own = _carried(get_args(hint)[0] if marked else hint, (*within, cls))
        fields[name] = Required[own] if required else NotRequired[own]
    made: Any = TypedDict(cls.__name__, fields)  # type: ignore[misc]  # made at run time
    made.__doc__ = cls.__doc__
    return made


def hint_text(hint: Any) -> str:  # noqa: ANN401
    """As a reader would write it."""
    name = getattr(hint, "__name__", None) if isinstance(hint, type) and not get_args(hint) else None
    return short(name if isinstance(name, str) else any_text(hint).replace("typing.", ""), 80)
