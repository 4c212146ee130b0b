"""The list of variables: what is on it, in how many words, and what of it is held back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gip_nb.tools.reading.secrets import HIDDEN
from gip_nb.tools.reading.variables import listed, users_variables
from tests.unit.tools.reading.notebooks import KEY, Alive, variables


def told(value: object, name: str = "v") -> str:
    line = listed({name: value})
    assert line.startswith(f"{name}: ")
    return line.removeprefix(f"{name}: ")


def test_code_and_machinery_are_no_variables() -> None:
    namespace: dict[Any, object] = {"_": 1, "__name__": "a", "_i3": "x", "In": [], "Out": {}, "math": math}
    namespace |= {"f": lambda: 1, "print": print, "Alive": Alive, "join": "".join, "talk": 5, "x": 1, 3: 4}
    assert users_variables(namespace, hidden={"talk"}) == {"x": 1}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (5, "int = 5"),
        (True, "bool = True"),
        (None, "NoneType = None"),
        (2.5, "float = 2.5"),
        (np.float64(2.5), "float64 = 2.5"),
        (10**1_000, "int = <3,322 bits>"),
        ("hi", "str of 2 = 'hi'"),
        ("a" * 100, f"str of 100 = '{'a' * 60}'…"),
        (b"abc", "bytes of 3 = b'…'"),
        ([1, 2], "list of 2 = [1, 2]"),
        (list(range(9)), "list of 9 = [0, 1, 2, 3, …]"),
        ((1, (2, (3, 4))), "tuple of 2 = [1, [2, <tuple>]]"),
        ({"a": [1]}, "dict of 1 = {'a': [1]}"),
        ({}, "dict of 0 = {}"),
        (range(3), "range of 3 = [0, 1, 2]"),
        (pd.Timestamp("2024-01-01"), "Timestamp = 2024-01-01 00:00:00"),
        (np.zeros((3, 4)), "ndarray of float64, shape (3, 4)"),
        (pd.Series([1, 2]), "Series of int64, 2 long"),
        (pd.DataFrame({"a": [1], "b": [2.5]}), "DataFrame, 1 rows x 2 columns: 'a' (int64), 'b' (float64)"),
        (Alive(), "tests.unit.tools.reading.notebooks.Alive"),
        ([Alive()], "list of 1 = [<tests.unit.tools.reading.notebooks.Alive>]"),
    ],
)
def test_a_variable_in_a_line(value: object, line: str) -> None:
    Alive.noticed.clear()
    assert told(value) == line
    assert Alive.noticed == []


def test_secrets_are_held_back() -> None:
    assert told("abc", "api_key") == f"str of 3, {HIDDEN}".replace(" of 3", "")
    assert told(["abc"], "tokens") == f"list, {HIDDEN}"
    assert told(KEY) == f"str of {len(KEY)} = {HIDDEN}"
    assert told({"password": "abc", "host": "h"}) == f"dict of 2 = {{'password': {HIDDEN}, 'host': 'h'}}"
    assert told([KEY]) == f"list of 1 = [{HIDDEN}]"
    # A table is told by its shape, whatever it is called.
    assert told(pd.Series([1]), "token_counts") == "Series of int64, 1 long"


def test_the_whole_list_holds_no_secret_and_runs_no_code() -> None:
    names = variables()
    Alive.noticed.clear()
    text = listed(users_variables(names))
    assert "abcdefghijklmnop" not in text
    assert "hunter2" not in text
    assert Alive.noticed == []
    assert "\nfunc" not in text
    assert "\nmod" not in text
    assert "alive: tests.unit.tools.reading.notebooks.Alive" in text


def test_many_variables_are_cut_to_the_newest() -> None:
    text = listed({f"v{n}": n for n in range(250)})
    assert text.startswith("[150 older variables left out]\nv150: int = 150\n")
    assert text.endswith("v249: int = 249")


def test_no_variables() -> None:
    assert listed({}) == "no variables yet"


def test_large_values_cost_nothing() -> None:
    wide = pd.DataFrame(np.zeros((1, 5_000)))
    values: dict[str, Any] = {"wide": wide, "deep": [[[[[0] * 1_000]] * 1_000]], "long": "x" * 10_000_000}
    assert len(listed(values)) < 1_000
