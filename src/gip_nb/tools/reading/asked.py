"""A method that an expression asks for, with its arguments by their names."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.kinds import Refused, kind_of, kind_of_type

if TYPE_CHECKING:
    from collections.abc import Hashable

    from gip_nb.tools.reading.kinds import Kind

__all__ = ["Asked"]


class Asked:
    """A method that is to be called, and with what.

    Attributes:
        of: the object.
        name: of the method.
        kind: the object's.
        args: by their place, of a method that tells no names; else empty.
        named: by their names. What stands here is what is passed: checks put their own in.
        more: of a method that takes any name, `agg(total=...)`, those that are none of its own.
    """

    def __init__(self, of: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.of = of
        self.name = name
        self.kind: Kind | None = kind_of(of)
        self.args: tuple[Any, ...] = ()
        self.named: dict[str, Any] = {}
        self.more: dict[str, Any] = {}
        exact: Any = type(of)  # mypy doubts that types are hashable
        self._signature = _signature(exact, name)
        if self._signature is None:
            self.args, self.named = args, dict(kwargs)
        else:
            self._bind(self._signature, args, kwargs)

    @property
    def tells_names(self) -> bool:
        """Whether the method's parameters are known by their names."""
        return self._signature is not None

    def _bind(self, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            bound = signature.bind(self.of, *args, **kwargs)
        except TypeError as error:
            raise Refused(f"{self.name}(): {error}; it is {self.name}{signature}"[:500]) from None
        named = dict(bound.arguments)
        named.pop(next(iter(signature.parameters)))  # the object itself
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL and named.pop(parameter.name, ()):
                raise Refused(f"{self.name}(): more arguments by their place than are read")
            if parameter.kind is parameter.VAR_KEYWORD:
                self.more = named.pop(parameter.name, {})
        self.named = named

    def get(self, name: str, place: int | None = None, default: Any = None) -> Any:
        """An argument by its name, or by its place where the method tells no names."""
        if name in self.named:
            return self.named[name]
        return self.args[place] if place is not None and len(self.args) > place else default

    def call(self) -> Any:
        """Call the class's own method: an object may have been given another one."""
        named = {**self.named, **self.more}
        by_place = [
            parameter.name
            for parameter in (self._signature.parameters.values() if self._signature else ())
            if parameter.kind is parameter.POSITIONAL_ONLY and parameter.name in named
        ]
        places = [*self.args, *(named.pop(name) for name in by_place)]
        return getattr(type(self.of), self.name)(self.of, *places, **named)


@lru_cache(maxsize=1024)
def _signature(of: Hashable, name: str) -> inspect.Signature | None:
    """What a pandas method takes; of one that only passes on, what the one behind it takes."""
    if kind_of_type(of) is None or not str(of.__module__).startswith("pandas"):
        return None
    found = _told(of, name)
    if found is not None and {one.name for one in list(found.parameters.values())[1:]} == {"args", "kwargs"}:
        import pandas as pd

        behind = (pd.arrays.DatetimeArray, pd.arrays.TimedeltaArray, pd.arrays.PeriodArray, pd.DataFrame)
        found = next(filter(None, (_told(one, name) for one in behind)), None)
    return found


def _told(of: Any, name: str) -> inspect.Signature | None:
    try:
        return inspect.signature(getattr(of, name))
    except (TypeError, ValueError, AttributeError):
        return None
