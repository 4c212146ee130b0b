"""What expressions read, and what a model is told where it has to write another."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gip_nb.tools.reading import evaluation, sizes
from gip_nb.tools.reading.evaluation import evaluate
from gip_nb.tools.reading.kinds import Refused
from tests.unit.tools.reading.notebooks import read, refusal, ticking, variables


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    return variables()


READ = {
    "1 + 1": 2,
    "-x": -5,
    "x > 3 and not x == 4": True,
    "'big' if x > 3 else 'small'": "big",
    "len(df)": 3,
    "df.shape": (3, 4),
    "df.price.mean()": 6.5 / 3,
    "df['price'].max()": 3.0,
    "df.columns.tolist()": ["city", "price", "n", "when"],
    "df[df.price > 2].n.sum()": 5,
    "df[(df.price > 2) & (df.city == 'Rome')].n.tolist()": [3],
    "df.loc[df.price.idxmax(), 'city']": "Rome",
    "df.iloc[0].city": "Rome",
    "df.loc[lambda d: d.n > 1].shape[0]": 2,
    "df.groupby('city').price.mean().to_dict()": {"Rome": 2.0, "Oslo": 2.5},
    "df.groupby('city').agg({'price': 'sum'}).price.tolist()": [2.5, 4.0],
    "df.groupby('city').agg(total=('price', 'sum')).total.tolist()": [2.5, 4.0],
    "df.groupby('city').agg(most=('price', lambda v: v.max())).most.tolist()": [2.5, 3.0],
    "df.groupby('city')['price'].agg(['min', 'max']).loc['Rome'].tolist()": [1.0, 3.0],
    "df.groupby('city').n.apply(lambda g: len(g)).to_dict()": {"Rome": 2, "Oslo": 1},
    "[len(g) for name, g in df.groupby('city')]": [1, 2],
    "df.groupby(['city', df.when.dt.month]).n.sum().unstack().shape": (2, 2),
    "df.sort_values('price', ascending=False).city.head(2).tolist()": ["Rome", "Oslo"],
    "df.nlargest(1, 'price').n.item()": 3,
    "df.assign(double=lambda d: d.price * 2).double.tolist()": [2.0, 5.0, 6.0],
    "df.apply(lambda row: row.price + row.n, axis=1).tolist()": [2.0, 4.5, 6.0],
    "df.price.apply(np.sqrt).round(2).tolist()": [1.0, 1.58, 1.73],
    "df.price.map(lambda v: 'hi' if v > 2 else 'lo').tolist()": ["lo", "hi", "hi"],
    "df.price.astype(int).tolist()": [1, 2, 3],
    "df.n.astype(str).str.zfill(3).tolist()": ["001", "002", "003"],
    "df.city.str.upper().unique().tolist()": ["ROME", "OSLO"],
    "df.city.str.contains('^R.*e$').sum()": 2,
    "df.city.str.replace('R', 'H').tolist()": ["Home", "Oslo", "Home"],
    "df.city.value_counts().to_dict()": {"Rome": 2, "Oslo": 1},
    "df.when.dt.month.tolist()": [1, 2, 2],
    "df.set_index('when').price.resample('MS').sum().tolist()": [1.0, 5.5],
    "df.pivot_table(index='city', values='price', aggfunc='mean').price.tolist()": [2.5, 2.0],
    "pd.crosstab(df.city, df.n).shape": (2, 3),
    "df.merge(df, on='city').shape": (5, 7),
    "pd.concat([df, df]).shape": (6, 4),
    "df.rename(columns={'price': 'p'}).drop(columns=['n']).columns.tolist()": ["city", "p", "when"],
    "df.fillna(0, inplace=False).shape": (3, 4),
    "df.select_dtypes('number').sum().to_dict()": {"price": 6.5, "n": 6},
    "df.dtypes['price']": "float64",
    "df.head(1).to_dict('records')[0]['city']": "Rome",
    "(df.price - df.price.mean()).abs().max() < 2": True,
    "df.sub(s, axis=0).shape if False else 0": 0,
    "df[['price', 'n']].sub(s, axis=0).price.tolist()": [0.0, 0.0, 0.0],
    "arr.mean(axis=0).tolist()": [1.5, 2.5, 3.5],
    "arr[0, 1:].tolist()": [1.0, 2.0],
    "np.percentile(df.price, 50)": 2.5,
    "np.where(arr > 2, 1, 0).sum()": 3,
    "np.array([1, 2]).sum()": 3,
    "np.pi": math.pi,
    "math.sqrt(4)": 2.0,
    "sum(l)": 6,
    "sum(n for n in l if n > 1)": 5,
    "sorted(l, reverse=True)": [3, 2, 1],
    "sorted(l, key=lambda n: -n)": [3, 2, 1],
    "max(l) - min(l)": 2,
    "[n * 2 for n in l]": [6, 2, 4],
    "{k: v + 1 for k, v in d.items()}": {"a": 2},
    "d.keys()": ["a"],
    "d['a'] in st": True,
    "list(zip(l, 'abc'))": [(3, "a"), (1, "b"), (2, "c")],
    "dict(zip(l, 'abc'))": {3: "a", 1: "b", 2: "c"},
    "list(enumerate(l, start=1))": [(1, 3), (2, 1), (3, 2)],
    "', '.join(str(n) for n in l)": "3, 1, 2",
    "text.upper()[:2]": "HE",
    "np.unique(df.city).tolist()": ["Oslo", "Rome"],
    "df.city.str.split('o').str.get(0).tolist()": ["R", "Osl", "R"],
    "df.n.quantile([0.5, 1.0]).tolist()": [2.0, 3.0],
    "df.set_index(['city', 'n']).loc[('Rome', 3), 'price'].item()": 3.0,
    "round(df.price.mean(), 2)": 2.17,
    "any(n > 2 for n in l)": True,
    "pd.DataFrame({'a': [1, 2], 'b': df.price.mean()}).shape": (2, 2),
    "cells.n.sum()": 3,
    "users.columns.tolist()": ["n"],
    "objects.n.sum()": 3,
    # A text of numpy's is a text as any other.
    "df.n.agg(np.where([True], 'sum', '')[0])": 6,
    "df.n.agg('quantile', q=0.5)": 2.0,
    "df.groupby('city').agg({'n': ['min', 'max']}).shape": (2, 2),
    "df.where(lambda d: d.n > 1, lambda d: d).n.sum()": 6,
    "df.loc[lambda d: [0, 0]].n.tolist()": [1, 1],
    "df[['n']].filter(['n']).n.sum()": 6,
    "[float, 'x'][1]": "x",
}


@pytest.mark.parametrize(("expression", "value"), READ.items())
def test_data_is_read(expression: str, value: object, names: dict[str, Any]) -> None:
    found = read(expression, names)
    if isinstance(value, float):
        assert found == pytest.approx(value)
    else:
        assert found == value


@pytest.fixture(scope="module")
def asked_about() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    rows = 400
    df = pd.DataFrame(
        {
            "city": rng.choice(["Rome", "Oslo", "Bern"], rows),
            "kind": rng.choice(["a", "b"], rows),
            "price": rng.random(rows) * 100,
            "n": rng.integers(0, 50, rows),
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "ok": rng.random(rows) > 0.5,
            "cat": pd.Categorical(rng.choice(["x", "y"], rows)),
            "mail": [f"u{n}@ex.com" for n in range(rows)],
        }
    )
    other = pd.DataFrame({"city": ["Rome", "Oslo", "Bern"], "pop": [2.8, 0.7, 0.13]})
    return {
        "df": df,
        "obj": pd.DataFrame({"t": ["a b", "c d", None]}, dtype=object),
        "other": other,
        "l": [3, 1, 2],
        "d": {"a": 1, "b": [1, 2]},
        "arr": rng.random((50, 4)),
        "s": df.price,
        "text": "hello world",
        "tbl": pd.DataFrame({"L": [[1, 2], [3]], "n": [1, 2]}),
        "x": 5,
        "frames": [df, other],
        "names": np.array(["a", "b"]),
    }


def test_what_people_ask_is_read(asked_about: dict[str, Any]) -> None:
    lines = (Path(__file__).parent / "ordinary.txt").read_text("utf-8").splitlines()
    refused = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pandas thinks of odd arguments
        for line in lines:
            told = None if line.startswith("#") else refusal(line, asked_about)
            if told is not None:
                refused[line] = told
    assert refused == {}


TOLD = {
    "pricee": "there is no 'pricee'",
    "dff": "there is df",
    "df.prise": "near it are price",
    "df['prise']": "no such label or key: 'prise'",
    "df.query('price > 2')": "write df[df.price > 2]",
    "df.groupby('city')": "add what to compute",
    "df.sum": "call it",
    "(n for n in l)": "make a list of it",
    "1 < x < 9": "write `a < b and b < c`",
    "df - s": "invalid",
    "big - big.a": "write df.sub(s, axis=0)",
    "10 ** 10 ** 9": "use floats",
    "df.agg('to_csv')": "known names are",
    "np.load('x')": "known are",
    "cells.alive": "the column alive is not read",
    "users['password']": "the column password is not read",
    "several": "several holds",
    "mod": "only numbers, texts",
    "my_token": "rename it",
    "df.drop(columns=['q'])": "not found in axis",
    "df.sort_values()": "by",
    "x = 1": "not one read-only expression",
    "": "not one read-only expression",
    "1; 2": "not one read-only expression",
    "[a for a in range(1000) for b in range(1000)]": "stopped after 1 s",
    "big.c.map(lambda v: [w for w in range(100)])": "stopped after 1 s",
    "(" * 300 + ")" * 300: "not",
    "1" + "+1" * 2_000: "at most 2,000 characters",
    "-" * 1_900 + "1": "not",
}


@pytest.mark.parametrize(("expression", "part"), TOLD.items())
def test_what_is_refused_says_what_to_write(expression: str, part: str, names: dict[str, Any]) -> None:
    if part == "invalid":
        # A Series is matched with the columns: pandas cannot take numbers from texts, which it says itself.
        part = ""
    with pytest.raises(Refused) as refused:
        read(expression, names)
    assert part in str(refused.value)


def test_a_users_name_goes_before_a_functions() -> None:
    assert read("sum + 1", {"sum": 1}) == 2
    assert read("np", {"np": 3}) == 3
    # A name that an expression makes itself is not the notebook's, whatever that holds.
    assert read("[key for key in [1, 2]]", {"key": "abc"}) == [1, 2]
    assert read("np.sqrt(4)", {"np": np}) == 2


def test_a_frames_attrs_are_not_copied() -> None:
    class Stubborn:
        def __deepcopy__(self, memo: object) -> object:
            raise AssertionError

    frame = pd.DataFrame({"a": [1]})
    frame.attrs["x"] = Stubborn()
    assert read("a_frame.head().a.sum()", {"a_frame": frame}) == 1


def test_a_subclass_is_no_data() -> None:
    class Frame(pd.DataFrame):  # type: ignore[misc]  # pandas has no types
        pass

    class Text(str):
        __slots__ = ()

    named_so = type("DataFrame", (), {"__module__": "pandas"})

    for value in (
        named_so(),
        Frame({"a": [1]}),
        Text("a"),
        [Text("a")],
        pd.Series([Text("a")], dtype=object),
    ):
        with pytest.raises(Refused):
            read("value", {"value": value})


def test_a_list_that_holds_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "_MOST_ITEMS", 10_000)
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(Refused, match="or itself"):
        read("endless", {"endless": endless})


def test_time_runs_out_between_steps() -> None:
    with pytest.raises(Refused, match=r"stopped after 0\.5 s"):
        evaluate("[n for n in range(100000)]", {}, clock=ticking(0.001), timeout_s=0.5)


def test_steps_run_out_where_the_clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "_MOST_STEPS", 20_000)
    with pytest.raises(Refused, match="20,000 steps"):
        evaluate("[0 for a in range(10000) for b in range(1000)]", {}, clock=lambda: 0.0, timeout_s=1.0)


def test_arrays_are_given_out_read_only() -> None:
    array = np.arange(3)
    found = read("a", {"a": array})
    assert not found.flags.writeable
    assert array.flags.writeable


def test_the_result_can_be_told_from_secrets(names: dict[str, Any]) -> None:
    for expression in (
        "leak",
        "leak.k",
        "leak.k.iloc[0]",
        "leak.k.tolist()",
        "leak.to_dict()",
        "'sk-' + 'a' * 20",
    ):
        with pytest.raises(Refused, match="secret"):
            read(expression, names)
