"""What of a model's arguments reaches the function, and what the model is told of the rest."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import json
import pathlib
import uuid
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.tools.arguments import MAX_ARGUMENTS_CHARS, Unusable
from gip_nb.tools.schema import arguments_of


class Unit(Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


class Place(pydantic.BaseModel):
    city: str
    near: list[str] = []
    zoom: int = 1


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="forbid")

    day: dt.date


@dataclasses.dataclass
class Point:
    lat: float
    lng: float


class Pair(NamedTuple):
    left: int
    right: int


def forecast(
    city: str,
    days: int = 1,
    place: Place | None = None,
    unit: Literal["C", "F"] = "C",
    names: list[str] | None = None,
) -> None:
    """What most of these tests call."""


def read(arguments: Any, function: Any = forecast) -> dict[str, Any]:
    return arguments_of(function, arguments if isinstance(arguments, str) else json.dumps(arguments)).by_name


def told(arguments: Any, function: Any = forecast) -> str:
    with pytest.raises(Unusable) as caught:
        read(arguments, function)
    return str(caught.value)


# ---------------------------------------------------------------------------------------------- what is taken


def test_arguments_are_what_the_hints_say() -> None:
    def f(
        *,
        place: Place,
        point: Point,
        unit: Unit,
        pair: Pair,
        strict: Strict,
        when: dt.datetime,
        span: dt.timedelta,
        sum_: decimal.Decimal,
        id_: uuid.UUID,
        path: pathlib.Path,
        tags: set[str],
        both: tuple[int, str],
        raw: bytes,
    ) -> None: ...

    given = {
        "place": {"city": "Seoul"},
        "point": {"lat": 1, "lng": "2"},
        "unit": "C",
        "pair": [1, 2],
        "strict": {"day": "2026-01-02"},
        "when": "2026-01-02T03:00:00Z",
        "span": "PT1H",
        "sum_": 0.1,
        "id_": "00000000-0000-0000-0000-000000000001",
        "path": "/a",
        "tags": ["a", "a"],
        "both": ["1", "x"],
        "raw": "abc",
    }
    assert read(given, f) == {
        "place": Place(city="Seoul"),
        "point": Point(1.0, 2.0),
        "unit": Unit.CELSIUS,
        "pair": Pair(1, 2),
        "strict": Strict(day=dt.date(2026, 1, 2)),
        "when": dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC),
        "span": dt.timedelta(hours=1),
        "sum_": decimal.Decimal("0.1"),
        "id_": uuid.UUID(int=1),
        "path": pathlib.Path("/a"),
        "tags": {"a"},
        "both": (1, "x"),
        "raw": b"abc",
    }


def test_what_is_left_out_is_the_function_s_own_affair() -> None:
    # A frame as a default is not copied, checked, or passed at all.
    default = object()

    def f(n: int = 1, frame: Any = default) -> None: ...

    assert read({}, f) == {}
    assert read({"n": 2}, f) == {"n": 2}


@pytest.mark.parametrize("nothing", ["", "  \n", "{}", "null", '""', '"{}"'])
def test_no_arguments_are_written_in_many_ways(nothing: str) -> None:
    def f(n: int = 1) -> None: ...

    assert read(nothing, f) == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"city": "x", "days": "3"}, {"city": "x", "days": 3}),
        ({"city": "x", "days": 3.0}, {"city": "x", "days": 3}),
        ({"city": "x", "days": None}, {"city": "x"}),
        ({"city": "x", "unit": None}, {"city": "x"}),
        ({"city": "x", "place": None}, {"city": "x", "place": None}),
        ({"city": "x", "place": '{"city": "y"}'}, {"city": "x", "place": Place(city="y")}),
        ({"city": "x", "names": '["a", "b"]'}, {"city": "x", "names": ["a", "b"]}),
        (
            {"city": "x", "place": {"city": "y", "near": '["z"]', "zoom": None}},
            {"city": "x", "place": Place(city="y", near=["z"])},
        ),
        (
            {"city": "x", "place": json.dumps({"city": "y", "near": json.dumps(["z"])})},
            {"city": "x", "place": Place(city="y", near=["z"])},
        ),
        # A text is what was wanted: it stays one.
        ({"city": '{"a": 1}'}, {"city": '{"a": 1}'}),
        ('"{\\"city\\": \\"x\\"}"', {"city": "x"}),
        ('{"city": "half \\ud800"}', {"city": "half ?"}),
    ],
)
def test_what_models_write_again_and_again_is_taken(given: Any, expected: dict[str, Any]) -> None:
    assert read(given) == expected


# -------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("{", "the arguments are not JSON: Expecting property name enclosed in double quotes at character 1"),
        ('{"city": "Seo', 'near \'{"city": "Seo\''),
        ("[" * 100_000, "the arguments are not JSON"),
        ("1" * 5_000, "the arguments are not JSON: Exceeds the limit"),
        ([1], "the arguments are no JSON object but a list of 1; write them by name"),
        ("5", "no JSON object but 5"),
        ({}, "city: is required"),
        ({"city": 5}, "city: Input should be a valid string (got 5)"),
        ({"city": None}, "city: Input should be a valid string (got null)"),
        ({"city": "x", "days": "many"}, "days: Input should be a valid integer, unable to parse"),
        ({"city": "x", "days": 1.5}, "(got 1.5)"),
        ({"city": "x", "unit": "K"}, "unit: Input should be 'C' or 'F' (got \"K\")"),
        ({"city": "x", "place": {"near": []}}, "place.city: is required"),
        ({"city": "x", "place": {"city": "y", "near": ["z", 5]}}, "place.near[1]: "),
        ({"city": "x", "place": "{broken"}, 'place: Input should be an object (got "{broken")'),
        ({"city": "x", "day": 2}, "day: there is no such argument; did you mean 'days'?"),
        ({"city": "x", "zzz": 2}, "zzz: there is no such argument (it takes city, days, place, unit, names)"),
    ],
)
def test_what_is_wrong_is_told(given: Any, text: str) -> None:
    assert text in told(given)


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = told({"days": "many", "unit": "K", "citty": "x"})
    for part in ("days: ", "unit: ", "citty: there is no such argument; did you mean 'city'?"):
        assert part in text
    assert "city: is required" in text


def test_a_union_is_one_line() -> None:
    def f(x: int | list[int]) -> None: ...

    text = told({"x": "many"}, f)
    assert text.count("x: ") == 1
    assert ' or Input should be a valid array (got "many")' in text


def test_limits_are_told() -> None:
    def f(n: Annotated[int, pydantic.Field(ge=1, le=9)]) -> None: ...

    assert told({"n": 10}, f) == "bad arguments: n: Input should be less than or equal to 9 (got 10)"


def test_a_function_that_takes_nothing() -> None:
    def f() -> None: ...

    assert told({"x": 1}, f) == "bad arguments: x: there is no such argument; it takes none"


# ---------------------------------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    "given",
    [
        {"city": "x", "days": "y" * 900_000},
        {"x" * 900_000: 1},
        {"city": "x", "place": {"z" * 900_000: 1}},
        {f"k{n}": n for n in range(50_000)},
        {"city": "x", "names": [0] * 200_000},
        {"city": "x", "names": "[" * 100_000},
        {"city": ["x" * 1000] * 500},
        "x" * (MAX_ARGUMENTS_CHARS + 1),
    ],
    ids=["value", "name", "nested name", "names", "items", "nesting", "list", "longer"],
)
def test_of_a_flood_little_is_told(given: Any) -> None:
    assert len(told(given)) < 2500


class Picky(pydantic.BaseModel):
    n: int

    @pydantic.field_validator("n")
    @classmethod
    def check(cls, n: int) -> int:
        if n == 1:
            raise ValueError("one is not enough")
        if n == 2:
            raise OSError("gone")
        return n


def test_validators_of_the_user_s_have_their_say() -> None:
    def f(x: Picky) -> None: ...

    assert "x.n: Value error, one is not enough (got 1)" in told({"x": {"n": 1}}, f)
    assert told({"x": {"n": 2}}, f) == "the arguments could not be checked: OSError: gone"
    assert read({"x": {"n": 3}}, f) == {"x": Picky(n=3)}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["city", "days", "place", "near", "unit", "other"]), inner, max_size=4
        )
        | inner.map(json.dumps)
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_whatever_is_written_is_taken_as_the_hints_say_or_refused(given: Any) -> None:
    try:
        found = read(json.dumps(given))
    except Unusable as error:
        found, refused = {"city": ""}, str(error)
    else:
        refused = ""
    assert len(refused) < 2500
    assert set(found) <= {"city", "days", "place", "unit", "names"}
    assert isinstance(found["city"], str)
    assert isinstance(found.get("days", 1), int)
    assert isinstance(found.get("place"), Place | None)
    assert found.get("unit", "C") in {"C", "F"}
