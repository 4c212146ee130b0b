"""A method that an expression asks for, with its arguments by their names."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.kinds import Kind, Refused, kind_of

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Asked"]


@dataclass(frozen=True)
class Asked:
    """A method that is to be called, and with what.

    Attributes:
        of: the object.
        name: of the method.
        args: by their place.
        kwargs: by their names; a check may add one.
    """

    of: Any
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @cached_property
    def kind(self) -> Kind | None:
        """The object's kind."""
        return kind_of(self.of)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """All arguments by their names, where the method tells them; else those that were given by name."""
        of: Any = type(self.of)  # mypy doubts that types are hashable
        signature = _signature(of, self.name)
        if signature is None:
            return self.kwargs
        try:
            bound = signature.bind(self.of, *self.args, **self.kwargs)
        except TypeError as error:
            raise Refused(f"{self.name}(): {error}; it is {self.name}{signature}"[:500]) from None
        named = dict(bound.arguments)
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                named.update(named.pop(parameter.name, {}))
        return named

    def get(self, name: str, place: int | None = None, default: Any = None) -> Any:
        """An argument by its name, or by its place where the method tells no names."""
        if name in self.arguments:
            return self.arguments[name]
        return self.args[place] if place is not None and len(self.args) > place else default


@lru_cache(maxsize=1024)
def _signature(of: Hashable, name: str) -> inspect.Signature | None:
    if not str(of.__module__).startswith("pandas"):
        return None
    try:
        return inspect.signature(getattr(of, name))
    except (TypeError, ValueError, AttributeError):
        return None
