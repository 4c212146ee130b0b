"""A DataFrame as a text: what each column is like, bounded, without secrets, and without the user's code."""

from __future__ import annotations

import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gip_nb.tools.reading import frames
from gip_nb.tools.reading.frames import described, without_secret_columns
from gip_nb.tools.reading.kinds import Refused
from gip_nb.tools.reading.secrets import HIDDEN
from gip_nb.tools.reading.variables import listed
from tests.unit.tools.reading.notebooks import KEY, Alive, odd_variables, read, variables


def lines_of(frame: Any) -> dict[str, str]:
    """Column -> what is told of it."""
    lines = [line[2:].partition(": ") for line in described("f", frame).splitlines() if line.startswith("- ")]
    return {name: told for name, _, told in lines}


def test_shape_index_columns_and_first_rows() -> None:
    text = described("df", variables()["df"])
    assert text.splitlines()[:3] == [
        "df: 3 rows x 4 columns",
        "index: RangeIndex, 0 to 2",
        "- city: str, 0 nulls, 2 distinct, most often Rome x2, Oslo x1"
        if pd.__version__ >= "3"
        else "- city: object, 0 nulls, 2 distinct, most often Rome x2, Oslo x1",
    ]
    assert text.splitlines()[-4:] == [
        ",city,price,n,when",
        "0,Rome,1,1,2024-01-01 00:00:00",
        "1,Oslo,2.5,2,2024-02-01 00:00:00",
        "2,Rome,3,3,2024-02-03 00:00:00",
    ]


def test_each_dtype_is_summed_up() -> None:
    told = lines_of(
        pd.DataFrame(
            {
                "number": [1.0, 2.0, np.nan],
                "whole": pd.array([1, 2, None], dtype="Int64"),
                "truth": [True, False, True],
                "kind": pd.Categorical(["x", "y", "x"]),
                "time": pd.to_datetime(["2024-01-01", "2024-01-03", None]),
                "span": pd.to_timedelta([1, 2, 3], unit="h"),
                "mixed": [1, "a", decimal.Decimal(2)],
                "lists": [[1], [2], [3]],
                "complex": [1j, 2j, 3j],
                "none": [None, None, None],
                "period": pd.period_range("2024", periods=3, freq="M"),
            }
        )
    )
    assert told["number"] == (
        "float64, 1 nulls, min 1, 25% 1.25, median 1.5, 75% 1.75, max 2, mean 1.5, std 0.707107"
    )
    assert told["whole"].startswith("Int64, 1 nulls, min 1, ")
    assert told["truth"] == "bool, 0 nulls, 2 true"
    assert told["kind"] == "category, 0 nulls, 2 distinct, most often x x2, y x1"
    assert told["time"].endswith("1 nulls, 2024-01-01 00:00:00 to 2024-01-03 00:00:00")
    assert told["span"].endswith("0 days 01:00:00 to 0 days 03:00:00")
    assert "3 distinct" in told["mixed"]
    assert told["lists"] == "object, 0 nulls, holds list"
    assert told["complex"] == "complex128, 0 nulls"
    assert told["none"] == "object, 3 nulls"
    assert "3 distinct" in told["period"]


def test_a_series_is_a_table_of_one_column() -> None:
    assert described("s", pd.Series([1, 2])).startswith(
        "s: 2 rows x 1 columns\nindex: RangeIndex, 0 to 1\n- s: int64"
    )
    assert "- price: " in described("s", pd.Series([1.5], name="price"))


def test_odd_tables() -> None:
    assert described("e", pd.DataFrame()).startswith("e: 0 rows x 0 columns")
    assert described("e", pd.DataFrame({"a": []}, dtype=float)).endswith("- a: float64, 0 nulls")
    same = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    assert described("same", same).count("- a: int64") == 2
    levels = pd.DataFrame({("a", 1): [1], ("a", 2): [2]}, index=pd.MultiIndex.from_tuples([("x", "y")]))
    assert "- (a, 1): int64" in described("levels", levels)


def test_none_of_the_users_code_runs() -> None:
    cells = variables()["cells"]
    Alive.noticed.clear()
    text = described("cells", cells)
    assert "- alive: object, 0 nulls, holds tests.unit.tools.reading.notebooks.Alive" in text
    assert Alive.noticed == []


def test_secrets_are_hidden() -> None:
    frame = pd.DataFrame({"password": ["hunter2"], "note": [f"{'x' * 30} {KEY}"], "n_tokens": [5]})
    text = described("frame", frame)
    assert "hunter2" not in text
    assert KEY[:10] not in text
    assert text.count(HIDDEN) >= 2
    assert "max 5" in text
    assert without_secret_columns(frame).columns.tolist() == ["note", "n_tokens"]
    series = frame["note"]
    assert without_secret_columns(series) is series


def test_it_stays_short(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = pd.DataFrame([["y" * 100_000] * 500], columns=[f"column {n} {'z' * 100}" for n in range(500)])
    text = described("wide", wide)
    assert len(text) < 16_000
    assert "- and 460 more columns: column 40" in text
    assert "z" * 50 not in text
    assert "y" * 50 not in text
    assert (
        len(described("f", pd.DataFrame({"a": [10**400, 5], "b": [b"x" * 10_000] * 2}, dtype=object))) < 1_000
    )


def test_long_tables_are_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_LOOKED_AT_ROWS", 100)
    text = described("long", pd.DataFrame({"a": range(1_000), "b": [None] * 10 + [1.0] * 990}))
    assert "(values are told from every 10th row; nulls from all)" in text
    assert "- a: int64, 0 nulls, min 0" in text
    assert "- b: float64, 10 nulls" in text


@pytest.mark.parametrize("value", [1, "a", [1], np.arange(3), {"a": 1}, Alive])
def test_what_is_no_table_is_refused(value: object) -> None:
    with pytest.raises(Refused, match="not a DataFrame"):
        described("value", value)


class OwnDtype(pd.api.extensions.ExtensionDtype):  # type: ignore[misc]  # pandas has no types
    """A dtype with code of its own, as other packages have them."""

    name = "own"
    type = object

    def __str__(self) -> str:
        Alive.noticed.append("str")
        return "own"


class OwnArray(pd.api.extensions.ExtensionArray):  # type: ignore[misc]  # pandas has no types
    """Notices whoever asks it."""

    def __init__(self, length: int) -> None:
        self.length = length

    @property
    def dtype(self) -> OwnDtype:
        return OwnDtype()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: object) -> Any:
        return self  # asked by pandas itself, for a view, where it makes one table of another

    def copy(self) -> OwnArray:
        Alive.noticed.append("copy")
        return self

    def isna(self) -> Any:
        Alive.noticed.append("isna")
        return np.zeros(self.length, bool)


def test_a_column_of_others_is_named_and_not_asked() -> None:
    frame = pd.DataFrame({"n": [1, 2], "own": pd.Series(OwnArray(2), index=[0, 1])})
    Alive.noticed.clear()
    assert "which is not read" in lines_of(frame)["own"]
    assert "0 nulls" in lines_of(frame)["n"]
    assert "OwnDtype" in listed({"frame": frame})
    assert read("frame.shape", {"frame": frame}) == (2, 1)
    assert Alive.noticed == []


def test_attrs_are_left_behind() -> None:
    frame = odd_variables()["nested"][0]
    column = frame.a  # pandas copies them here, where the user asks
    Alive.noticed.clear()
    assert "2 rows" in described("f", frame)
    assert "2 rows" in described("f", column)
    assert Alive.noticed == []


def test_a_label_that_is_called_like_a_secret_hides_its_text() -> None:
    text = described("s", pd.Series({"password": "hunter2", "host": "x"}))
    assert "hunter2" not in text.splitlines()[-2]
    assert HIDDEN in text.splitlines()[-2]
