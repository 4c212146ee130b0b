"""The notebook's variables as lines for a model: name, type, size and a short value; no secrets.

Runs none of the user's code: of an object of a class of theirs only the class is told.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.kinds import CONTAINERS, SCALARS, Kind, kind_of, shown_dtype, shown_type
from gip_nb.tools.reading.secrets import HIDDEN, is_secret_name, is_secret_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["listed", "users_variables"]

_MOST_VARIABLES = 100
_VALUE_CHARACTERS = 60
_SEARCHED_CHARACTERS = 5_000
_SHOWN_ITEMS = 4
_SHOWN_COLUMNS = 12
_LONG_INT_BITS = 256
# What IPython puts into a notebook for its own purposes, where it does not say so.
_MACHINERY = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open", "display"})
_CODE = (
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    type,
)


def users_variables(namespace: Mapping[str, object], hidden: Collection[str] = ()) -> dict[str, object]:
    """What of a namespace is a variable of the user's: no modules, functions or classes, no `_` names."""
    return {
        name: value
        for name, value in dict(namespace).items()
        if type(name) is str
        and not name.startswith("_")
        and name not in _MACHINERY
        and name not in hidden
        and not issubclass(type(value), _CODE)
    }


def listed(variables: Mapping[str, object]) -> str:
    """A line for each variable, the newest last; the oldest are left out where there are many."""
    if not variables:
        return "no variables yet"
    names = list(variables)
    lines = [f"{name}: {_told(name, variables[name])}" for name in names[-_MOST_VARIABLES:]]
    if len(names) > _MOST_VARIABLES:
        left_out = len(names) - _MOST_VARIABLES
        lines.insert(0, f"[{left_out:,} older variables left out]")
    return "\n".join(lines)


def _told(name: str, value: Any) -> str:
    kind = kind_of(value)
    of = shown_type(value)
    if kind is Kind.FRAME:
        columns = [
            f"{_short(column)} ({shown_dtype(dtype)})"
            for column, dtype in list(value.dtypes.items())[:_SHOWN_COLUMNS]
        ]
        more = ", …" if value.shape[1] > _SHOWN_COLUMNS else ""
        return f"{of}, {value.shape[0]:,} rows x {value.shape[1]:,} columns: {', '.join(columns)}{more}"
    if kind in {Kind.SERIES, Kind.INDEX, Kind.COLUMN_ARRAY}:
        return f"{of} of {shown_dtype(value.dtype)}, {len(value):,} long"
    if kind is Kind.ARRAY:
        return f"{of} of {shown_dtype(value.dtype)}, shape {value.shape}"
    length = f" of {len(value):,}" if kind in CONTAINERS or kind in {Kind.TEXT, Kind.BYTES} else ""
    if is_secret_name(name):
        return f"{of}, {HIDDEN}"
    if kind in SCALARS or kind in CONTAINERS:
        return f"{of}{length} = {_short(value)}"
    return of


def _short(value: Any, depth: int = 2) -> str:  # noqa: PLR0911 - a form for each kind
    kind = kind_of(value)
    if kind is Kind.TEXT:
        if is_secret_text(value[:_SEARCHED_CHARACTERS]):
            return HIDDEN
        return repr(str(value[:_VALUE_CHARACTERS])) + ("…" if len(value) > _VALUE_CHARACTERS else "")
    if kind is Kind.BYTES:
        return "b'…'"
    if type(value) is int and value.bit_length() > _LONG_INT_BITS:
        return f"<{value.bit_length():,} bits>"
    if kind in SCALARS:
        return str(value)[:_VALUE_CHARACTERS]
    if kind is Kind.DICT and depth:
        items = [
            f"{_short(key, 0)}: {_short(inner, depth - 1) if not is_secret_name(key) else HIDDEN}"
            for key, inner in _first(value.items())
        ]
        return "{" + ", ".join(items) + (", …}" if len(value) > _SHOWN_ITEMS else "}")
    if kind in CONTAINERS and depth:
        inner = ", ".join(_short(one, depth - 1) for one in _first(value))
        return f"[{inner}{', …' if len(value) > _SHOWN_ITEMS else ''}]"
    return f"<{shown_type(value)}>"


def _first(items: Any) -> list[Any]:
    found = []
    for one in items:
        found.append(one)
        if len(found) == _SHOWN_ITEMS:
            break
    return found
