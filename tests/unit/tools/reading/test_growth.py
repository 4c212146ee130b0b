"""What an operator would make is known before it is done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gip_nb.tools.reading import growth
from gip_nb.tools.reading.growth import check_binary, check_fits, no_tables_in_cells
from gip_nb.tools.reading.kinds import Refused
from gip_nb.tools.reading.sizes import characters_of, size_of


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "MOST_CELLS", 1_000)


def cells(one: Any, rows: int = 20) -> Any:
    column = np.empty(rows, dtype=object)
    for n in range(rows):
        column[n] = one
    return pd.Series(column)


def test_lists_and_texts_in_cells_are_counted() -> None:
    check_binary("Add", cells([0] * 10), cells([0] * 10))
    check_binary("Add", cells("a" * 100), "b" * 100)
    for one in ([0] * 100, "a" * 1_000, [["a" * 1_000]]):
        with pytest.raises(Refused, match="of 1,000 at the most"):
            check_binary("Add", cells(one), cells(one))
    assert characters_of(cells("abc")) == 60
    assert characters_of(pd.DataFrame({"a": ["abc", None], "b": [1, 2]})) == 3
    assert characters_of(cells([1, 2], 1)) == 8 * size_of([1, 2])


def test_arrays_in_cells_do_not_meet() -> None:
    for one in (np.zeros(3), [np.zeros(3)], {"a": [np.zeros(3)]}, pd.Series([1])):
        with pytest.raises(Refused, match="arrays"):
            no_tables_in_cells(cells(one))
    no_tables_in_cells(cells([1, "a", {"b": [2]}]))
    no_tables_in_cells(pd.DataFrame({"a": [1]}))


def test_labels_that_are_matched_are_counted() -> None:
    many = pd.Series(range(600))
    check_binary("Add", many, many)
    with pytest.raises(Refused, match="360,000 cells"):
        check_binary("Add", many.set_axis([0] * 600), many.set_axis([1] * 600))
    frame = pd.DataFrame({"a": range(600)})
    with pytest.raises(Refused, match=r"df\.sub"):
        check_binary("Sub", frame, many)
    check_binary("Sub", frame, many, axis=0)


def test_data_that_is_there_may_be_worked_on_whatever_its_size() -> None:
    large = np.zeros(50_000)
    check_fits(100_000, large)
    with pytest.raises(Refused):
        check_fits(100_001, large)


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [("Pow", 10, 10**9), ("LShift", 1, 10**9), ("Mult", 10**4_000, 10**4_000), ("Mult", "a", 10**7)],
)
def test_numbers_and_texts(operator: str, left: Any, right: Any) -> None:
    with pytest.raises(Refused):
        check_binary(operator, left, right)
    check_binary(operator, left, 2)
