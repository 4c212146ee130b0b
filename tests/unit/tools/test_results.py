"""What the model gets of a tool's result: bounded, whatever it is."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import fractions
import importlib
import json
import pathlib
import subprocess
import sys
import uuid
from enum import Enum, IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.tools import tabular
from gip_nb.tools.results import MAX_RESULT_CHARS, result_text

if TYPE_CHECKING:
    from collections.abc import Iterator

# What is said of a cut comes on top of the limit.
ROOM = 120


class Unit(Enum):
    CELSIUS = "C"
    BOTH = ("C", "F")


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"

    def __str__(self) -> str:
        return "not this"


@dataclasses.dataclass
class Point:
    lat: float
    lng: float
    secret: str = dataclasses.field(default="x", repr=False)


class Place(pydantic.BaseModel):
    city: str
    key: pydantic.SecretStr = pydantic.SecretStr("sk-1")
    hidden: int = pydantic.Field(default=1, exclude=True)


class Pair(NamedTuple):
    left: int
    right: Unit


class Record(msgspec.Struct):
    n: int


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (10**5000, "an integer of 16,610 bits"),
        (0.1 + 0.2, "0.3"),
        (2.0, "2.0"),
        (1234567.891, "1234567.891"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ([float("nan"), float("inf")], '["NaN", "Infinity"]'),
        (1 + 2j, "(1+2j)"),
        ({"a": [1, 2.5, "é"], 3: ()}, '{"a": [1, 2.5, "é"], "3": []}'),
        ({(1, 2): {Unit.CELSIUS: 1}}, '{"(1, 2)": {"C": 1}}'),
        ({3, 1, 2}, "[1, 2, 3]"),
        (frozenset({"a"}), '["a"]'),
        (Unit.CELSIUS, "C"),
        (Unit.BOTH, '["C", "F"]'),
        (Level.HIGH, "3"),
        (Word.YES, "yes"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), "2026-01-02T03:00:00+00:00"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(hours=30), "1 day, 6:00:00"),
        (decimal.Decimal("1.50"), "1.50"),
        (fractions.Fraction(1, 3), "1/3"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (b"abc", "3 bytes: b'abc'"),
        (bytearray(b"x" * 5000), f"5,000 bytes, beginning {b'x' * 32!r}"),
        (Point(0.5, 0), '{"lat": 0.5, "lng": 0}'),
        ([Place(city="Seoul")], '[{"city": "Seoul", "key": "**********"}]'),
        (Pair(1, Unit.CELSIUS), '{"left": 1, "right": "C"}'),
        (Record(2), '{"n": 2}'),
        (collections.deque([1]), "[1]"),
        (collections.Counter("aab"), '{"a": 2, "b": 1}'),
        (range(3), "[0, 1, 2]"),
        ({"a": 1}.values(), "[1]"),
        ((n * n for n in range(3)), "[0, 1, 4]"),
        ([map(str, [1])], '[["1"]]'),
        ("file\udcff", "file?"),
        (["file\udcff"], '["file?"]'),
        (int, "<class 'int'>"),
        (ValueError("no"), "no"),
        (np.float32(1.1), "1.1"),
        (np.int64(3), "3"),
        (np.bool_(True), "true"),  # noqa: FBT003 - the value
        (np.float64("nan"), "NaN"),
        ([np.datetime64("2026-01-02T03:00:00", "ns")], '["2026-01-02T03:00:00.000000000"]'),
        ([pd.NaT, pd.NA, pd.Timestamp("2026-01-02")], '[null, null, "2026-01-02T00:00:00"]'),
        (pd.Timedelta(hours=1), "0 days 01:00:00"),
        (np.array([{"a": 1}, None], dtype=object), '[{"a": 1}, null]'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_result_as_text(result: object, text: str) -> None:
    assert result_text(result) == text


# ------------------------------------------------------------------------------------------- bounded and said


@given(st.text(max_size=50), st.integers(0, 40))
def test_a_text_is_bounded_and_a_cut_is_said(text: str, limit: int) -> None:
    found = result_text(text, limit)
    if len(text) <= limit:
        assert found == text
    else:
        assert found == f"{text[:limit]}\n[cut: {limit:,} of {len(text):,} characters]"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(-1e9, 1e9)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text("abc", max_size=4), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(st.lists(JSON) | st.dictionaries(st.text("abcdef", max_size=4), JSON))
def test_what_json_can_carry_is_json(value: Any) -> None:
    rounded = json.loads(json.dumps(value), parse_float=lambda text: float(f"{float(text):.12g}"))
    assert json.loads(result_text(value, 1_000_000)) == rounded


@given(JSON, st.integers(0, 200))
def test_every_structure_is_bounded(value: Any, limit: int) -> None:
    found = result_text(value, limit)
    assert len(found) <= limit + ROOM
    if len(found) > limit:
        assert "[cut: " in found


def test_a_long_list_is_cut_between_its_items() -> None:
    found = result_text(list(range(100_000)), 500)
    kept, note = found.rsplit("\n", 1)
    items = json.loads(kept)
    assert items == list(range(len(items)))
    assert note == f"[cut: the first {len(items)} of 100,000 items]"


def test_of_a_large_structure_each_part_is_shown_and_what_is_left_out_is_counted() -> None:
    found = result_text({"rows": [{"i": i, "t": "x" * 1000} for i in range(1000)], "n": 5}, 2000)
    kept, note = found.rsplit("\n", 1)
    assert note == "[cut: where it says so]"
    read = json.loads(kept)
    assert read["n"] == 5
    assert read["rows"][-1] == f"[cut: {1000 - len(read['rows']) + 1:,} more]"
    assert read["rows"][0]["t"].endswith("of 1,000 characters]")


def test_a_long_text_within_is_not_written_whole() -> None:
    found = result_text({"x": "y" * 50_000_000}, 1000)
    assert len(found) < 1000 + ROOM
    assert "of 50,000,000 characters" in found


def test_what_holds_itself() -> None:
    loop: list[Any] = [1]
    loop.append({"again": loop})
    assert result_text(loop) == '[1, {"again": "[itself]"}]'
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert "[too deep]" in result_text(deep)
    twice = [1]
    assert result_text([twice, twice]) == "[[1], [1]]"


def test_a_generator_is_read_as_far_as_there_is_room() -> None:
    given_out = []

    def endless() -> Iterator[int]:
        n = 0
        while True:
            given_out.append(n)
            yield n
            n += 1

    found = result_text(endless(), 300)
    assert found.endswith("items]")
    assert len(found) < 300 + ROOM
    assert len(given_out) < 150


def test_what_a_generator_raises_is_the_tool_s_own_error() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise OSError("the line went")

    with pytest.raises(OSError, match="the line went"):
        result_text(failing())


# --------------------------------------------------------------------------------------------- hostile values


class Raises:
    def __repr__(self) -> str:
        raise OSError("gone")


class NoText:
    def __repr__(self) -> Any:
        return 5


class Huge:
    def __repr__(self) -> str:
        return "x" * 20_000_000


class BrokenDict(dict[str, int]):
    def items(self) -> Any:
        raise OSError("no items")


class BrokenList(list[int]):
    def __iter__(self) -> Any:
        raise OSError("no iteration")


class LyingText(str):
    __slots__ = ()

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: Any) -> str:
        return "y" * 1_000_000

    def __str__(self) -> str:
        raise OSError("no text")


class LyingNumber(int):
    def __repr__(self) -> str:
        raise OSError("no number")


class BrokenModel(pydantic.BaseModel):
    @pydantic.model_serializer
    def dump(self) -> Any:
        raise OSError("no dump")


class AsksAround:
    def __getattr__(self, name: str) -> Any:
        raise OSError(f"asked for {name}")


class BrokenFrame(pd.DataFrame):  # type: ignore[misc]  # pandas carries no types
    @property
    def shape(self) -> Any:
        raise OSError("no shape")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Raises(), "(Raises; its text cannot be made: OSError)"),
        ([Raises()], '["(Raises; its text cannot be made: OSError)"]'),
        (NoText(), "(NoText; its text cannot be made: TypeError)"),
        (BrokenDict(a=1), "(BrokenDict; its text cannot be made: OSError)"),
        ({"a": BrokenDict(a=1), "b": 2}, '{"a": "(BrokenDict; its text cannot be made: OSError)", "b": 2}'),
        ([BrokenList([1])], '["(BrokenList; its text cannot be made: OSError)"]'),
        ({Raises(): 1}, '{"(Raises; its text cannot be made: OSError)": 1}'),
        (LyingText("abc"), "abc"),
        ([LyingText("abc")], '["abc"]'),
        (LyingNumber(5), "5"),
        (BrokenModel(), "(BrokenModel; its text cannot be made: PydanticSerializationError)"),
        (BrokenFrame({"a": [1]}), "(BrokenFrame; its text cannot be made: OSError)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_fails_to_say_what_it_is_is_named(value: object, told: str) -> None:
    assert result_text(value) == told


def test_a_value_that_answers_no_question_is_asked_for_its_text_only() -> None:
    assert "AsksAround object at" in result_text(AsksAround())


def test_a_huge_text_is_bounded() -> None:
    for value in (Huge(), [Huge()], {"a": Huge()}):
        assert len(result_text(value, 200)) < 200 + ROOM


# ------------------------------------------------------------------------------------------ frames and arrays


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "city": ["Seoul", "Busan", None],
            "temp": [21.123456789, float("nan"), 1234567.891],
            "when": pd.to_datetime(["2026-01-01", "2026-01-02T10:00:00", None], format="ISO8601"),
        }
    )


def test_a_small_frame_is_shown_whole() -> None:
    text = result_text(frame())
    title, types, *rows = text.splitlines()
    assert title == "DataFrame: 3 rows x 3 columns"
    assert "temp float64" in types
    # Times of one column are written alike by pandas, but for what is midnight.
    assert rows == [
        "city,temp,when",
        "Seoul,21.123457,2026-01-01",
        "Busan,NaN,2026-01-02 10:00:00",
        "NaN,1234567.9,NaN",
    ]


def test_an_index_is_shown_where_it_says_something() -> None:
    assert "city,temp,when\nSeoul," in result_text(frame().set_index("city"))
    assert "\n,city,temp,when\n2,NaN," in result_text(frame().iloc[::-1])
    two = frame().set_index(["city", "temp"])["when"]
    assert "columns: city index, temp index, when datetime64" in result_text(two)


def test_of_a_large_frame_both_ends_are_shown() -> None:
    text = result_text(pd.DataFrame({"n": range(1_000_000)}))
    assert text.startswith("DataFrame: 1,000,000 rows x 1 column\ncolumns: n int64\nn\n0\n1\n")
    assert "\n[999,940 rows left out]\n" in text
    assert text.endswith("\n999999")


def test_ten_million_rows_are_not_rendered_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not a time but what is looked at: a column that counts which cells were made.
    seen = []

    def counted(cell: object) -> str:
        seen.append(cell)
        return str(cell)

    monkeypatch.setattr(tabular, "cell_text", counted)
    result_text(pd.DataFrame({"n": np.arange(10_000_000)}))
    assert len(seen) < 1000


def test_a_wide_frame_and_a_long_cell_are_bounded() -> None:
    wide = result_text(pd.DataFrame(np.zeros((5, 2000))))
    assert "[1,940 columns left out]" in wide
    assert len(wide) < 4000
    long = result_text(pd.DataFrame({"text": ["x" * 10_000_000] * 3}))
    assert len(long) < 1000
    assert long.splitlines()[-1] == "x" * 200 + "..."


@pytest.mark.parametrize("limit", [0, 10, 100, 300, 1000])
def test_a_frame_keeps_to_the_limit(limit: int) -> None:
    text = result_text(pd.DataFrame(np.random.default_rng(1).random((1000, 20))), limit)
    assert len(text) <= limit + ROOM


@pytest.mark.parametrize(
    ("value", "begin"),
    [
        (pd.DataFrame(), "DataFrame: 0 rows x 0 columns"),
        (pd.Series([1, 2], name="n"), "Series 'n': 2 values\ncolumns: n int64\nn\n1\n2"),
        (pd.Series([1.5]), "Series: 1 value\ncolumns: value float64\nvalue\n1.5"),
        (pd.Index(["a", "b"], name="k"), "Index: 2 labels, dtype "),
        (pd.MultiIndex.from_tuples([("a", 1)]), "MultiIndex: 1 label, dtype object\nlevel_0,level_1\na,1"),
        (pd.Categorical(["a", "b"]), "Categorical: 2 values"),
        (pd.DataFrame({"k": list("aab"), "v": [1, 2, 3]}).groupby("k"), "DataFrameGroupBy: 2 groups"),
        (pd.DataFrame({"k": list("aab"), "v": [1, 2, 3]}).groupby("k", as_index=False), "DataFrameGroupBy:"),
        (pd.Series([1, 2]).groupby([0, 1]), "SeriesGroupBy: 2 groups"),
        (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])), "DataFrame: 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "DataFrame: 1 row x 2 columns"),
        (np.arange(6.0).reshape(2, 3), "ndarray: shape 2 x 3, dtype float64\n[[0., 1., 2.],\n [3., 4., 5.]]"),
        (np.array(5), "ndarray: shape (), dtype int64\n5"),
        (np.full(2000, np.nan), "ndarray: shape 2,000, dtype float64, min NaN, max NaN, with NaN"),
        (np.arange(10_000), "ndarray: shape 10,000, dtype int64, min 0.0, max 9999.0, mean 4999.5"),
        (np.ones(5000, dtype=bool), "ndarray: shape 5,000, dtype bool, 5,000 true"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_shapes_of_data(value: object, begin: str) -> None:
    assert result_text(value).startswith(begin)


def test_a_frame_within_a_structure_is_its_text() -> None:
    read = json.loads(result_text({"frame": frame(), "n": 1}))
    assert read["n"] == 1
    assert read["frame"] == result_text(frame())


def test_frames_of_other_libraries() -> None:
    import polars as pl
    import pyarrow as pa

    rows = "a,b\n1,x\n2,NaN"
    data = {"a": [1, 2], "b": ["x", None]}
    of_polars = result_text(pl.DataFrame(data))
    assert of_polars == f"DataFrame: 2 rows x 2 columns\ncolumns: a Int64, b String\n{rows}"
    assert result_text(pa.table(data)) == f"Table: 2 rows x 2 columns\ncolumns: a int64, b string\n{rows}"
    assert result_text(pl.Series("q", [1, 2])) == "Series 'q': 2 values\ncolumns: q Int64\nq\n1\n2"
    assert result_text(pa.array([1])) == "Int64Array: 1 value\ncolumns: value int64\nvalue\n1"
    assert "not run" in result_text(pl.DataFrame(data).lazy())


# ---------------------------------------------------------------------------------------------------- figures


def test_a_matplotlib_figure_is_described() -> None:
    figure_module = pytest.importorskip("matplotlib.figure")
    figure = figure_module.Figure()
    figure.suptitle("Sales")
    axes = figure.subplots()
    axes.plot([1, 2], [3, 4], label="north")
    axes.bar([1, 2], [3, 4], label="bars")
    axes.set(title="By day", xlabel="day", ylabel="won", xlim=(0, 3), ylim=(0, 5))
    text = result_text(figure)
    for part in (
        *("matplotlib figure titled 'Sales'", "titled 'By day'", "x axis 'day' from 0 to 3"),
        *("y axis 'won' from 0 to 5", "1 line(s): north", "1 set(s) of bars: bars", "2 bars"),
    ):
        assert part in text
    assert result_text([axes]).startswith('["matplotlib panel: ')


def test_an_altair_chart_is_described_without_its_data() -> None:
    import altair as alt

    data = pd.DataFrame({"city": ["a"] * 10_000, "temp": range(10_000)})
    chart = alt.Chart(data, title="Heat").mark_bar().encode(x="city:N", y=alt.Y("mean(temp)"))
    text = result_text(chart)
    assert text == (
        "altair chart titled 'Heat'\nmark: bar\nx: city:N; y: mean(temp)\ndata: 10,000 rows x 2 columns"
    )
    assert result_text(chart | chart).count("mark: bar") == 2


def test_a_plotly_figure_is_described() -> None:
    graphs = pytest.importorskip("plotly.graph_objects")
    figure = graphs.Figure(
        [graphs.Scatter(x=[1, 2], y=[3, 4], name="north")],
        {"title": {"text": "Sales"}, "xaxis": {"title": {"text": "day"}}},
    )
    assert result_text(figure) == (
        "plotly figure titled 'Sales'\nx axis 'day'\ntrace: scatter named 'north' 2 points"
    )


def test_pictures_and_displays() -> None:
    display: Any = importlib.import_module("IPython.display")
    assert result_text(display.Markdown("# hi")) == "Markdown: # hi"
    assert (
        result_text(display.Image(data=b"\x89PNG\r\n\x1a\n123"))
        == "Image that is shown to the user, 11 bytes"
    )
    picture = pytest.importorskip("PIL.Image").new("RGB", (3, 4))
    assert result_text(picture) == "image, 3 x 4 pixels, mode RGB"


def test_no_library_is_imported_to_look_at_a_result() -> None:
    script = (
        "import sys\nfrom gip_nb.tools.results import result_text\n"
        "result_text([{'a': 1}, object()])\n"
        "heavy = {'pandas', 'numpy', 'polars', 'pyarrow', 'matplotlib', 'altair', 'plotly', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_usual_limit() -> None:
    assert len(result_text("x" * 99_999)) < MAX_RESULT_CHARS + ROOM
