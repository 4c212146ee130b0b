"""What is looked at before a method of Python's own types or of an array runs.

They do not tell the names of their parameters, and arrays take one to write into by its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.given import a_count, a_number, any_data, some_dtype
from gip_nb.tools.reading.growth import check_work
from gip_nb.tools.reading.kinds import Kind, Refused, kind_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.tools.reading.asked import Asked

__all__ = ["check_plain"]


def _axes(value: Any) -> Any:
    if kind_of(value) in {Kind.TUPLE, Kind.LIST} and type(value) is not range:
        return tuple(a_count(one) for one in value)
    return a_count(value)


def _flag(value: Any) -> Any:
    if type(value) is not bool:
        raise Refused("is True or False")
    return value


# Method -> how many arguments by their place, the rule for each, and those that are by name.
_Places = "tuple[int, Callable[[Any], Any], dict[str, Callable[[Any], Any]]]"
_AXIS: dict[str, Callable[[Any], Any]] = {"axis": _axes, "keepdims": _flag}
_ARRAY: dict[str, tuple[int, Callable[[Any], Any], dict[str, Callable[[Any], Any]]]] = {
    **dict.fromkeys(("sum", "mean", "min", "max", "prod", "any", "all"), (1, _axes, _AXIS)),
    **dict.fromkeys(("std", "var"), (1, _axes, {**_AXIS, "ddof": a_count})),
    **dict.fromkeys(("argmin", "argmax", "cumsum", "argsort", "squeeze"), (1, _axes, {"axis": _axes})),
    **dict.fromkeys(("tolist", "copy", "flatten", "ravel", "nonzero"), (0, a_count, {})),
    "round": (1, a_count, {"decimals": a_count}),
    "clip": (2, any_data, {"min": any_data, "max": any_data}),
    "astype": (1, some_dtype, {"dtype": some_dtype}),
    **dict.fromkeys(("item", "reshape", "transpose"), (8, _axes, {})),
}
_TEXT: dict[str, tuple[int, frozenset[str]]] = {
    **dict.fromkeys(("split", "rsplit"), (2, frozenset({"sep", "maxsplit"}))),
    "splitlines": (1, frozenset({"keepends"})),
    **dict.fromkeys(
        ("find", "rfind", "index", "count", "startswith", "endswith", "replace"), (3, frozenset())
    ),
    **dict.fromkeys(
        (
            *("strip", "lstrip", "rstrip", "partition", "rpartition", "join", "zfill"),
            *("removeprefix", "removesuffix", "hex"),
        ),
        (1, frozenset()),
    ),
}
_OTHER: dict[tuple[Kind, str], tuple[int, frozenset[str]]] = {
    **{(kind, name): (3, frozenset()) for kind in (Kind.LIST, Kind.TUPLE) for name in ("index", "count")},
    **{
        (Kind.SET, name): (5, frozenset())
        for name in (
            *("union", "intersection", "difference", "symmetric_difference"),
            *("issubset", "issuperset", "isdisjoint"),
        )
    },
    (Kind.DICT, "get"): (2, frozenset()),
    (Kind.TIME, "isoformat"): (2, frozenset({"sep", "timespec"})),
    (Kind.TIME, "strftime"): (1, frozenset({"format"})),
}
# Methods of texts that look for one text in another: each place by each character, at the worst.
_SEARCHING = frozenset(
    (
        *("find", "rfind", "index", "count", "split", "rsplit", "partition", "rpartition", "replace"),
        *("strip", "lstrip", "rstrip"),
    )
)


def check_plain(asked: Asked) -> None:
    """See that each argument of such a method is one that is read.

    Raises:
        Refused: it is not.
    """
    if asked.kind is Kind.ARRAY:
        places, rule, named = _ARRAY.get(asked.name, (0, a_count, {}))
        _few(asked, places, frozenset(named))
        try:
            asked.args = tuple(rule(one) for one in asked.args)
            asked.named = {name: named[name](one) for name, one in asked.named.items()}
        except Refused as refused:
            raise Refused(f"{asked.name}(): an argument {refused}") from None
        return
    if asked.kind in {Kind.TEXT, Kind.BYTES}:
        _few(asked, *_TEXT.get(asked.name, (0, frozenset())))
        if asked.name in _SEARCHING:
            for one in (*asked.args[:1], asked.named.get("sep")):
                if kind_of(one) in {Kind.TEXT, Kind.BYTES}:
                    check_work(len(asked.of) * len(one), "a shorter text to look for")
    else:
        known = (
            _OTHER.get((asked.kind, asked.name), (0, frozenset())) if asked.kind else (0, frozenset[str]())
        )
        _few(asked, *known)
    asked.args = tuple(map(_data, asked.args))
    asked.named = {name: _data(one) for name, one in asked.named.items()}
    if asked.kind is Kind.TEXT and asked.name == "zfill":
        for one in asked.args:
            a_number(one)


def _data(value: Any) -> Any:
    try:
        return any_data(plain(value))
    except Refused as refused:
        raise Refused(f"an argument {refused}") from None


def _few(asked: Asked, places: int, names: frozenset[str]) -> None:
    if len(asked.args) > places or asked.named.keys() - names:
        known = f", and {', '.join(sorted(names))} by name" if names else ""
        raise Refused(f"{asked.name}() takes up to {places} arguments by their place{known}")
