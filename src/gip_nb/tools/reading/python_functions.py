"""Python's own functions that an expression may call."""

from __future__ import annotations

import builtins
import decimal
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.growth import MOST_ITEMS, check_binary, check_fits, no_tables_in
from gip_nb.tools.reading.kinds import CONTAINERS, FLAT, SCALARS, Kind, Refused, kind_of
from gip_nb.tools.reading.sizes import size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["BUILTINS", "run_builtin"]

_MOST_DIGITS = 300
_MOST_DECIMAL_EXPONENT = 4_000

# Python's -> the arguments that it may be given by name.
BUILTINS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        [
            "len",
            "sum",
            "abs",
            "round",
            "any",
            "all",
            "list",
            "tuple",
            "set",
            "str",
            "int",
            "float",
            "bool",
            "range",
            "zip",
            "reversed",
        ],
        frozenset(),
    ),
    "dict": frozenset(),
    "min": frozenset({"key", "default"}),
    "max": frozenset({"key", "default"}),
    "sorted": frozenset({"key", "reverse"}),
    "enumerate": frozenset({"start"}),
}

_ITERATING = frozenset(
    [
        "any",
        "all",
        "list",
        "tuple",
        "set",
        "dict",
        "sorted",
        "enumerate",
        "zip",
        "reversed",
        "sum",
        "min",
        "max",
    ]
)


def run_builtin(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], iterate: Callable[[Any], Iterator[Any]]
) -> Any:
    """Call one of Python's own functions.

    Args:
        name: of `BUILTINS`.
        args: what it is given by place.
        kwargs: what it is given by name.
        iterate: walks along a value and counts the steps.

    Raises:
        Refused: it would not be right with these.
    """
    if kwargs.keys() - BUILTINS[name]:
        raise Refused(f"{name}(): {', '.join(kwargs)} is not read")
    if name == "len" or not args:
        return getattr(builtins, name)(*args, **kwargs)
    first = args[0]
    if name in _ITERATING and not (name in {"min", "max"} and len(args) > 1):
        if name in {"sum", "dict"} and len(args) > 1:
            raise Refused(f"{name}() takes one argument")
        if name == "reversed" or (name == "dict" and type(first) is dict):
            first = list(iterate(first.items() if type(first) is dict else first))
            return list(reversed(first)) if name == "reversed" else dict(first)
        several = [iterate(one) for one in (args if name == "zip" else args[:1])]
        if name == "sum":
            return _summed(several[0])
        if "key" in kwargs:
            kwargs = {**kwargs, "key": _comparable_key(kwargs["key"])}
        if name in {"min", "max", "sorted", "set"}:
            return getattr(builtins, name)(_comparable(several[0]), *args[1:], **kwargs)
        return getattr(builtins, name)(*several, *([] if name == "zip" else args[1:]), **kwargs)
    return _of_one(name, args, kwargs)


def _comparable(items: Iterable[Any]) -> Iterator[Any]:
    for one in items:
        _check_comparable(one)
        yield one


def _check_comparable(value: Any) -> None:
    if kind_of(value) in FLAT:
        raise Refused("tables and arrays are not compared as a whole")
    no_tables_in(value)


def _comparable_key(key: Any) -> Any:
    """What `key=` makes is what is compared."""
    if key is None:
        return None

    def checked(value: Any) -> Any:
        made = key(value)
        _check_comparable(made)
        return made

    return checked


def _summed(items: Iterable[Any]) -> Any:
    total: Any = 0
    for one in items:
        if kind_of(one) in CONTAINERS | {Kind.TEXT}:
            raise Refused("sum() adds numbers; join texts with ''.join(...)")
        check_binary("Add", total, one)
        total = total + one
    return total


def _few_digits(number: decimal.Decimal) -> None:
    if abs(number.adjusted()) > _MOST_DECIMAL_EXPONENT:
        raise Refused("that number has too many digits")


def _of_one(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    first = args[0]
    if name in {"min", "max"}:
        if "key" in kwargs:
            kwargs = {**kwargs, "key": _comparable_key(kwargs["key"])}
        return getattr(builtins, name)(*_comparable(args), **kwargs)
    if name == "range":
        made = range(*args)
        check_fits(len(made) * 20)  # a million
        return made
    if name in {"int", "round"} and type(first) is decimal.Decimal and first.is_finite():
        _few_digits(first)
    if name == "round" and len(args) > 1:
        digits = args[1]
        if digits is not None and (
            kind_of(digits) is not Kind.NUMBER or not -_MOST_DIGITS <= digits <= _MOST_DIGITS
        ):
            raise Refused(f"round(): up to {_MOST_DIGITS} digits")
    if name == "str" and kind_of(first) not in SCALARS:
        raise Refused("str() of a single value only")
    if name in {"int", "float", "str"} and len(args) > 1:
        raise Refused(f"{name}() takes one argument")
    if size_of(first) > MOST_ITEMS and kind_of(first) not in FLAT:
        raise Refused(f"{name}() of so large a value")
    return getattr(builtins, name)(*args, **kwargs)
