"""A notebook's variables to read, and how to see that nobody wrote to them."""

from __future__ import annotations

import collections
import decimal
import enum
import itertools
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gip_nb.tools.reading.evaluation import evaluate
from gip_nb.tools.reading.kinds import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Alive", "fingerprint", "odd_variables", "read", "refusal", "ticking", "variables", "words"]

KEY = "sk-abcdefghijklmnop"


def words(text: str) -> list[str]:
    return text.split()


class Alive:
    """An object whose every method is noticed: none of the user's code may run."""

    noticed: list[str] = []  # noqa: RUF012 - shared on purpose

    def __getattr__(self, name: str) -> Any:
        self.noticed.append(name)
        raise AttributeError(name)


def _notice(name: str) -> Callable[..., Any]:
    def method(self: object, *args: object, **kwargs: object) -> Any:
        Alive.noticed.append(name)
        return 1

    return method


for _name in words(
    """
    getitem call add radd mul lt gt le ge eq ne hash repr str len iter bool contains format int float
    index array reduce copy deepcopy neg invert enter sizeof array_ufunc
    """
):
    setattr(Alive, f"__{_name}__", _notice(_name))


def variables() -> dict[str, Any]:
    """What a user may have in a notebook, dangerous things among it."""
    rows = 20_000
    alive = Alive()
    cells = np.empty(2, dtype=object)
    cells[0] = cells[1] = alive
    many = np.arange(rows)
    df = pd.DataFrame(
        {
            "city": ["Rome", "Oslo", "Rome"],
            "price": [1.0, 2.5, 3.0],
            "n": [1, 2, 3],
            "when": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-02-03"]),
        }
    )
    df.attrs["source"] = "made up"
    return {
        "df": df,
        "objects": pd.DataFrame({"city": ["Rome", "Oslo"], "n": [1, 2]}, dtype=object),
        "big": pd.DataFrame({"a": many, "b": many, "c": np.zeros(rows, int)}),
        "s": pd.Series([1.0, 2.5, 3.0], name="s"),
        "arr": np.arange(6.0).reshape(2, 3),
        "l": [3, 1, 2],
        "d": {"a": 1},
        "st": {1, 2},
        "text": "hello",
        "x": 5,
        "dec": decimal.Decimal("1E+99999999"),
        "missing": collections.defaultdict(list),
        "alive": alive,
        "several": [1, alive],
        "cells": pd.DataFrame({"n": [1, 2], "alive": cells}),
        "func": lambda *_: Alive.noticed.append("func"),
        "mod": os,
        "klass": Alive,
        "gen": (n for n in [1]),
        "api_key": "abc",
        "my_token": "abc",
        "DB_PASSWORD": "x",
        "harmless": KEY,
        "config": {"openai": {"api_key": "x"}},
        "texts": ["a", KEY],
        "leak": pd.DataFrame({"k": [KEY]}),
        "users": pd.DataFrame({"password": ["hunter2"], "n": [1]}),
    }


class _Copied:
    def __deepcopy__(self, memo: object) -> object:
        Alive.noticed.append("deepcopy")
        return self


class _Text(str):
    __slots__ = ()


class _Dict(dict[str, int]):
    def __missing__(self, key: object) -> int:
        Alive.noticed.append("missing")
        return 1


class _Member(enum.IntEnum):
    ONE = 1


def odd_variables() -> dict[str, Any]:
    """What is data only at first sight, secrets where they are not looked for, and what is large."""
    with_attrs = pd.DataFrame({"a": [1, 2]})
    with_attrs.attrs["x"] = _Copied()
    with_name = pd.DataFrame({"a": [1]})
    with_name.index.name = Alive
    # Not an `Alive`: pandas itself asks it for an array.
    sparse = pd.arrays.SparseArray(np.array([decimal.Context(), None]), dtype=pd.SparseDtype(object))
    return {
        "enumv": _Member.ONE,
        "sub": _Text("to_csv"),
        "subd": _Dict(a=1),
        "nested": [with_attrs],
        "named": pd.Series([1, 2], name=lambda *_: Alive.noticed.append("named")),
        "withfn": with_name,
        "r": range(10**12),
        "odd": [type],
        "sparse": pd.Series(sparse),
        "rec": np.array([(1, "a")], dtype=[("a", "i4"), ("b", "O")]),
        "void": np.void(b"abc"),
        "bigdec": pd.Series([decimal.Decimal("1E+99999999")]),
        "declist": [decimal.Decimal("1E+99999999")],
        "pw": pd.Series(["hunter2"], name="password"),
        "pwi": pd.Series({"password": "hunter2", "host": "x"}),
        "mi": pd.DataFrame({("password", "x"): ["hunter2"], ("n", "y"): [1]}),
        "npkeys": {np.str_("api_key"): "abc"},
        "tkeys": {("api_key", 1): "abc"},
        "nestedusers": [pd.DataFrame({"password": ["hunter2"]})],
        "npsecret": np.array([KEY]),
        "objsec": pd.Series([[KEY]]),
        "objnp": pd.Series([np.str_(KEY)], dtype=object),
        "catsec": pd.Series([KEY], dtype="category"),
        "labelsec": pd.Series([1], index=[KEY]),
        "mails": pd.Series(["a" * 9_000] * 20),
        "long": pd.Series(["a" * 1_000] * 1_000),
        "A": np.arange(100_000.0),
        "wide": pd.DataFrame(np.zeros((20_000, 300), "int8")),
        "txt": "a" * 200_000,
        "tcol": pd.DataFrame({"k": [0] * 20_000, "t": ["x"] * 20_000}),
        "one": pd.DataFrame({"k": [0], "t": ["a" * 800_000]}),
    }


def fingerprint(names: dict[str, Any]) -> dict[str, Any]:
    """What would differ if someone had written to one of the variables, or made a new one."""
    told: dict[str, Any] = {}
    for name, value in names.items():
        if isinstance(value, pd.DataFrame):
            columns = [(label, _cells(column)) for label, column in value.items() if label != "alive"]
            told[name] = (id(value), columns, value.shape, _cells(value.index), dict(value.attrs))
        elif isinstance(value, pd.Series):
            told[name] = (id(value), value.name, _cells(value), _cells(value.index))
        elif isinstance(value, np.ndarray):
            told[name] = (id(value), value.shape, value.tobytes(), value.flags.writeable)
        elif type(value) in {list, dict, set} and name != "several":
            told[name] = (id(value), repr(value))
        else:
            told[name] = id(value)
    return told


def _cells(column: Any) -> Any:
    values = column.to_numpy()
    told = values.tolist() if values.dtype == object else values.tobytes()
    return column.name, str(column.dtype), told


def ticking(step_s: float = 1e-4) -> Callable[[], float]:
    """A clock that goes on by itself whenever it is looked at."""
    ticks = itertools.count()
    return lambda: next(ticks) * step_s


def read(expression: str, names: dict[str, Any]) -> Any:
    """Evaluate, with a clock that allows some ten thousand steps."""
    return evaluate(expression, names, clock=ticking(), timeout_s=1.0)


def refusal(expression: str, names: dict[str, Any]) -> str | None:
    """What is told where an expression is refused; None where it is not."""
    try:
        read(expression, names)
    except Refused as refused:
        return str(refused)
    return None
