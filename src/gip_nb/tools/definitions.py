"""Where the newest definition of a tool is found: under the name that it had when it was passed. Pure.

A cell that is run again gives its names new objects, and the talk still has the old ones. A function is
looked for under its own name, where it was defined. Other things that can be called (`functools.partial`,
objects, what a decorator made) have no name of their own, and a method belongs to an object: for those the
notebook's name is looked for that stands for the very object that was passed.
"""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gip_nb.errors import BadSetting
from gip_nb.tools.signature import name_of, underlying

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Definition", "Gone", "definition_of", "remade", "same_function"]

_NOTHING: Any = object()


@dataclass(frozen=True)
class Gone:
    """There is no newer definition under the name: in words, why."""

    why: str


@dataclass(frozen=True)
class Definition:
    """Where one is found.

    Attributes:
        names: of the notebook, or of a module.
        name: which of them.
        attribute: of what has this name, where the tool is a method.
        own_name: what the function itself is called.
    """

    names: Mapping[str, Any]
    name: str
    attribute: str | None
    own_name: str

    def newest(self) -> Callable[..., Any] | Gone:
        """What is there now; raises what the user's objects raise."""
        found = self.names.get(self.name, _NOTHING)
        if found is _NOTHING:
            return Gone(f"nothing is called {self.name!r} any more")
        if self.attribute is not None:
            found = getattr(found, self.attribute, _NOTHING)
            if found is _NOTHING:
                return Gone(f"{self.name!r} has no {self.attribute!r} any more")
        if not callable(found):
            return Gone(f"{self.name!r} is no function any more but of type {type(found).__name__}")
        if _own_name(found) != self.own_name:
            other = getattr(underlying(found), "__qualname__", type(found).__name__)
            return Gone(f"{self.name!r} stands for another function, {other}")
        return found  # type: ignore[no-any-return]  # callable, by the lines before


def definition_of(function: Callable[..., Any]) -> Definition | None:
    """Where newer ones of this are to be looked for; None: nobody knows."""
    own_name = _own_name(function)
    if own_name is None:
        return None
    home = _names_around(underlying(function))
    name = getattr(function, "__name__", None)
    # Another qualified name: a function inside another, or a method; a global of that name is something else.
    if name is not None and getattr(function, "__qualname__", name) == name:
        there = home.get(name)
        if callable(there) and _own_name(there) == own_name:
            return Definition(home, name, None, own_name)
    owner = getattr(function, "__self__", None)
    is_method = owner is not None and getattr(owner, str(name), _NOTHING) == function
    for names in (_names_of("__main__"), home):
        found = _name_for(owner if is_method else function, names)
        if found is not None:
            return Definition(names, found, name if is_method else None, own_name)
    return None


def remade(function: Callable[..., Any]) -> object | None:
    """The newer definition of what this is made of, where it has been defined anew since; None: it has not.

    Of a partial the function that it fills in, of an object and a method the class that they are of.
    """
    inner = underlying(function)
    path = getattr(inner, "__qualname__", "")
    first, *rest = path.split(".")
    found = _names_around(inner).get(first, _NOTHING)
    for name in rest:
        found = getattr(found, name, _NOTHING)
    found = underlying(found)
    is_newer = found is not inner and getattr(found, "__qualname__", None) == path
    return found if is_newer else None


def same_function(one: object, other: object) -> bool:
    """Whether they are one: a method is made anew each time that it is asked for."""
    if isinstance(one, types.MethodType) and isinstance(other, types.MethodType):
        return one.__self__ is other.__self__ and one.__func__ is other.__func__
    return one is other


def _own_name(function: Any) -> str | None:  # noqa: ANN401 - whatever can be called
    try:
        return name_of(function)
    except BadSetting:
        return None


def _names_around(inner: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever can be called
    """The globals of the cell or module that it is written in."""
    names = getattr(inner, "__globals__", None)
    if isinstance(names, dict):
        # A decorator's wrapper has those of the decorator's module.
        return names
    return _names_of(str(getattr(inner, "__module__", None)))


def _names_of(module: str) -> Mapping[str, Any]:
    found = sys.modules.get(module)
    return {} if found is None else vars(found)


def _name_for(value: object, names: Mapping[str, Any]) -> str | None:
    # `_` and `_12` are what cells have returned.
    return next((n for n, there in list(names.items()) if there is value and not n.startswith("_")), None)
