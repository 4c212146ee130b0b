"""Ways out of the evaluator, each tried: refused, and nothing is changed, written, or run."""

from __future__ import annotations

import string
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.tools.reading import sizes
from gip_nb.tools.reading.allowed import METHODS, PROPERTIES
from gip_nb.tools.reading.kinds import Kind
from tests.unit.tools.reading.notebooks import (
    Alive,
    fingerprint,
    odd_variables,
    read,
    refusal,
    variables,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def attacks(file: str) -> dict[str, list[str]]:
    """The expressions of a file, under what they are after."""
    found: dict[str, list[str]] = {}
    under: list[str] = []
    for line in (Path(__file__).parent / file).read_text("utf-8").splitlines():
        if line.startswith("# "):
            under = found.setdefault(line[2:], [])
        elif line:
            under.append(line)
    return {after: expressions for after, expressions in found.items() if expressions}


ATTACKS = attacks("attacks.txt")
DOORS = attacks("doors.txt")


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    return variables()


@pytest.fixture(scope="module")
def before(names: dict[str, Any]) -> dict[str, Any]:
    return fingerprint(names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folder")


@pytest.fixture(autouse=True)
def untouched(
    names: dict[str, Any], before: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.chdir(folder)  # where `to_csv("written")` would write
    monkeypatch.setattr(sizes, "_MOST_ITEMS", 100_000)  # seconds, else
    Alive.noticed.clear()
    yield
    assert fingerprint(names) == before
    assert Alive.noticed == []
    assert list(folder.iterdir()) == []


def not_refused(expressions: list[str], names: dict[str, Any]) -> list[str]:
    """Those that come to a value, run the user's code or write a file, or of which too much is told."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pandas thinks of odd arguments
        for expression in expressions:
            told = refusal(expression, names)
            if (
                not told
                or len(told) >= 2_000
                or "Memory" in told
                or Alive.noticed
                or any(Path.cwd().iterdir())
            ):
                found.append(expression)
    return found


@pytest.mark.parametrize("after", ATTACKS)
def test_a_way_out_is_refused(after: str, names: dict[str, Any]) -> None:
    assert not_refused(ATTACKS[after], names) == []


@pytest.fixture(scope="module")
def odd() -> dict[str, Any]:
    return odd_variables()


@pytest.mark.parametrize("after", DOORS)
def test_what_comes_by_another_door_is_refused(
    after: str, names: dict[str, Any], odd: dict[str, Any]
) -> None:
    assert not_refused(DOORS[after], {**names, **odd}) == []


def test_of_a_table_with_a_secret_column_the_rest_is_read(odd: dict[str, Any]) -> None:
    assert read("mi.shape", odd) == (1, 1)


UNKNOWN = {
    "df.n.apply('sum', args=(1,))": "args=",
    "df.to_dict(into=1)": "into=",
    "df.n.rolling(2, win_type='x')": "win_type=",
    "df.n.rolling(2).mean(engine='x')": "engine=",
    "df.when.dt.day_name(locale='C')": "locale=",
    "df.city.str.contains('a', flags=1)": "flags=",
    "df.convert_dtypes(dtype_backend='x')": "dtype_backend=",
    "df.n.agg('sum', path_or_buf='x')": "path_or_buf=",
}


@pytest.mark.parametrize("expression", UNKNOWN)
def test_a_parameter_on_no_list_is_refused_before_pandas_gets_it(
    expression: str, names: dict[str, Any]
) -> None:
    told = refusal(expression, names)
    assert told is not None
    assert f"{UNKNOWN[expression]} is not read" in told


def test_nothing_that_writes_is_on_a_list() -> None:
    writing = words(
        """
        to_csv to_pickle to_sql to_excel to_json to_html to_latex to_parquet to_feather to_hdf to_clipboard
        to_string to_markdown to_xml to_stata to_gbq to_orc to_records tofile dump dumps pop insert update
        extend remove clear sort setflags put fill resize partition itemset byteswap eval query pipe style
        plot
        hist boxplot attrs flags set_flags set_axis isetitem info iterrows itertuples view data ctypes base
        format format_map encode obj grouper groups indices sparse list struct setdefault popitem swapaxes
        add_categories rename_categories set_categories choose
        """
    )
    for table in (METHODS, PROPERTIES):
        for kind, listed in table.items():
            texts = {"partition"} if kind in {Kind.TEXT, Kind.TEXT_ACCESSOR} else set()
            assert not listed & (set(writing) - texts), kind
            assert not [name for name in listed if name.startswith("_")]


def test_what_is_on_a_list_exists(names: dict[str, Any]) -> None:
    # A misspelt name would be refused with no harm done, and nobody would know.
    df, s = names["df"], names["s"]
    examples = {
        Kind.FRAME: df,
        Kind.SERIES: s,
        Kind.ARRAY: names["arr"],
        Kind.GROUPS: df.groupby("city"),
        Kind.WINDOW: s.rolling(2),
        Kind.TEXT_ACCESSOR: df.city.str,
        Kind.TEXT: "",
        Kind.LIST: [],
        Kind.DICT: {},
        Kind.SET: set(),
    }
    only_of_some = {
        *("asfreq", "nlargest", "nsmallest", "unique"),  # of a resampler, of a group-by of one column
    }
    for kind, example in examples.items():
        missing = {
            name
            for name in METHODS[kind] | PROPERTIES.get(kind, frozenset())
            if not hasattr(type(example), name)
        }
        assert missing <= only_of_some, kind


# Expressions that are made up ------------------------------------------------------------------------------

ATOMS = st.sampled_from(
    [
        *words(
            "df s arr l d st text x big cells objects alive several np pd math 0 1 2 -1 None True 2.5 10**6"
        ),
        *("'city'", "'price'", "'to_csv'", "'sum'", "'written'", "lambda v: v"),
    ]
)
MEMBERS = st.sampled_from(
    [
        *sorted({name for table in (METHODS, PROPERTIES) for listed in table.values() for name in listed}),
        *words("to_csv to_pickle pop update sort fill put append clear eval query city price n when alive"),
        *("copyto", "array", "concat"),
    ]
)
KEYWORDS = st.sampled_from(["inplace", "out", "axis", "by", "on", "n", "func", "columns", "copy", "level"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    calls = st.builds(
        lambda of, name, args, keyword, value: f"({of}).{name}({', '.join([*args, f'{keyword}={value}'])})",
        inner,
        MEMBERS,
        st.lists(inner, max_size=2),
        KEYWORDS,
        inner,
    )
    plain_calls = st.builds(
        lambda of, name, args: f"({of}).{name}({', '.join(args)})",
        inner,
        MEMBERS,
        st.lists(inner, max_size=2),
    )
    return st.one_of(
        st.builds(lambda of, name: f"({of}).{name}", inner, MEMBERS),
        plain_calls,
        plain_calls,
        calls,
        st.builds(lambda of, key: f"({of})[{key}]", inner, inner),
        st.builds(
            lambda a, o, b: f"({a}) {o} ({b})",
            inner,
            st.sampled_from(words("+ - * / // % ** == < & |")),
            inner,
        ),
        st.builds(lambda a, b: f"[{a}, {b}]", inner, inner),
        st.builds(lambda a, b: f"[({a}) for v in ({b})]", inner, inner),
        st.builds(lambda a, b: f"({a})({b})", inner, inner),
    )


@given(expression=st.recursive(ATOMS, grown, max_leaves=8))
def test_no_expression_changes_the_notebook(
    expression: str, names: dict[str, Any], before: dict[str, Any]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pandas thinks of odd arguments
        told = refusal(expression, names)
    assert told is None or 0 < len(told) < 2_000
    assert fingerprint(names) == before
    assert Alive.noticed == []


OF_KIND = {
    Kind.FRAME: ["df", "objects", "cells", "df.set_index('when')", "df.set_index(['city', 'n'])"],
    Kind.SERIES: ["s", "df.price", "df.city", "objects.n", "df.when", "df.set_index(['city', 'n']).price"],
    Kind.INDEX: ["df.index", "df.columns", "df.set_index('when').index", "df.set_index(['city', 'n']).index"],
    Kind.ARRAY: ["arr", "df.price.values", "objects.n.values"],
    Kind.GROUPS: ["df.groupby('city')", "df.groupby('city').price", "df.set_index('when').resample('D')"],
    Kind.WINDOW: ["s.rolling(2)", "df.price.expanding()", "df.groupby('city').price.rolling(2)"],
    Kind.TEXT_ACCESSOR: ["df.city.str", "objects.city.str", "df.columns.str"],
    Kind.TIME_ACCESSOR: ["df.when.dt"],
    Kind.TEXT: ["text", "df.city.iloc[0]"],
    Kind.LIST: ["l"],
    Kind.DICT: ["d"],
    Kind.SET: ["st"],
}
VALUES = st.sampled_from(
    [
        *words("0 1 -1 2.5 'city' 'price' ['n'] 'mean' 'D' 'o' None True False 10**6 df s arr l d df.n"),
        *(
            "lambda v: v.max()",
            "lambda v: v",
            "{'n': 'sum'}",
            "np.sqrt",
            "len",
            "float",
            "str",
            "df.price > 1",
        ),
    ]
)


@st.composite
def likely(draw: st.DrawFn) -> str:
    """A method that a kind has, with arguments that it may take; and something done with what comes of it."""
    kind = draw(st.sampled_from(list(OF_KIND)))
    of = draw(st.sampled_from(OF_KIND[kind]))
    name = draw(st.sampled_from(sorted(METHODS[kind])))
    arguments = draw(st.lists(VALUES, max_size=2))
    if draw(st.booleans()):
        arguments.append(f"{draw(KEYWORDS)}={draw(VALUES)}")
    then = draw(st.sampled_from(["", "", ".sum()", ".T", ".values", "[0]", " + 1", ".iloc[0]", ".head()"]))
    return f"({of}).{name}({', '.join(arguments)}){then}"


@given(expression=likely())
def test_no_method_changes_the_notebook(
    expression: str, names: dict[str, Any], before: dict[str, Any]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pandas thinks of odd arguments
        told = refusal(expression, names)
    assert told is None or 0 < len(told) < 2_000
    assert fingerprint(names) == before
    assert Alive.noticed == []


@given(text=st.text(alphabet=string.printable, max_size=60))
def test_no_text_does_anything_else_than_be_refused(text: str, names: dict[str, Any]) -> None:
    assert refusal(text, names) != ""
