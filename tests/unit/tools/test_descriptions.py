"""What a docstring says of a function and of each argument, in the three styles that are in use."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import pydantic
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.tools.descriptions import class_description, described
from gip_nb.tools.schema import schema_of

if TYPE_CHECKING:
    from collections.abc import Callable

GOOGLE = """Find flights.

    The body: with a colon.

    Args:
        city (str): Where to, e.g.
            Seoul.
        days: How many. One of: 1, 2.
        *rest: More.

    Returns:
        A list of flights,
        cheapest first.

    Raises:
        ValueError: There is no such city.

    Note:
        Only in summer.

    Example:
        >>> find("x")
        1
    """
NUMPY = """Find flights.

    The body: with a colon.

    Parameters
    ----------
    city : str
        Where to, e.g.
        Seoul.
    days : int, optional
        How many. One of: 1, 2.
    x, y : float
        A place.

    Returns
    -------
    list
        A list of flights, cheapest first.

    Raises
    ------
    ValueError
        There is no such city.
    """
REST = """Find flights.

    The body: with a colon.

    :param city: Where to, e.g.
        Seoul.
    :type city: str
    :param int days: How many. One of: 1, 2.
    :returns: A list of flights, cheapest first.
    :raises ValueError: There is no such city.
    """


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, REST], ids=["google", "numpy", "rest"])
def test_three_styles(docstring: str) -> None:
    found = described(docstring)
    assert found.text.startswith("Find flights.\n\nThe body: with a colon.\n\nReturns: A list of flights,")
    assert found.text.split()[-2:] in (["cheapest", "first."], ["in", "summer."])
    # What it raises, a model learns when it happens.
    assert "no such city" not in found.text
    assert "find(" not in found.text
    assert " ".join(found.parameters["city"].split()) == "Where to, e.g. Seoul."
    assert found.parameters["days"] == "How many. One of: 1, 2."


def test_notes_stay_and_several_names_are_each_described() -> None:
    assert "Note: Only in summer." in described(GOOGLE).text
    assert described(GOOGLE).parameters["rest"] == "More."
    assert described(NUMPY).parameters["x"] == described(NUMPY).parameters["y"] == "A place."


@pytest.mark.parametrize(
    "text",
    [
        "Only a summary.",
        "A summary: with a colon\n\nand more\n\n    indented\n\n>>> f(1)\n2",
        "Ends with a rule\n----",
        "날씨를 알려줍니다.\n\n서울만.",
    ],
)
def test_a_docstring_in_no_style_is_its_text(text: str) -> None:
    found = described(text)
    assert (found.text, found.parameters) == (text, {})


@pytest.mark.parametrize("docstring", [None, "", "  \n ", 5, b"x"])
def test_no_docstring(docstring: object) -> None:
    assert described(docstring).text == ""


BROKEN = st.lists(
    st.sampled_from(
        [
            *(
                "Args:",
                "  x",
                "  x: y",
                "  : :",
                "Returns:",
                "Returns",
                "-------",
                "----",
                ":param",
                ":param x",
            ),
            *(
                ":param x: y",
                ":returns:",
                "Parameters",
                "x : int",
                "    deep",
                "",
                "Note:",
                "Attributes:",
                "```",
            ),
            *("Args:\n\n", "\t\ttabs: x", "x (: y", "Raises:", ":type x: int", "Yields:", "Other Parameters"),
        ]
    )
    | st.text(max_size=10)
).map("\n".join)


@given(BROKEN)
def test_a_broken_docstring_never_breaks_a_tool(docstring: str) -> None:
    def f(x: int) -> None: ...

    f.__doc__ = docstring
    schema = schema_of(f)
    assert isinstance(schema["description"], str)
    assert schema["parameters"]["properties"]["x"]["type"] == "integer"


def test_a_parser_that_fails_leaves_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    import griffe

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise IndexError("line 3")

    monkeypatch.setattr(griffe, "parse_numpy", broken)
    assert described(GOOGLE).text == inspect.cleandoc(GOOGLE)


def test_a_flood_is_cut() -> None:
    flood = "Sum.\n\nArgs:\n" + "".join(f"    p{n}: {'x' * 5000}\n" for n in range(1000))
    found = described(flood)
    assert len(found.text) < 9_000
    assert all(len(told) < 1_100 for told in found.parameters.values())


# ---------------------------------------------------------------------------------------------- in the schema


@dataclasses.dataclass
class Point:
    """A place.

    Attributes:
        lat: North is positive.
    """

    lat: float
    lng: float


@dataclasses.dataclass
class Silent:
    n: int


class Pair(NamedTuple):
    left: int


class Place(pydantic.BaseModel):
    """A town.

    Attributes:
        city: Its name.
        zip_code: Not this.
    """

    city: str
    zip_code: str = pydantic.Field(description="This.")


class Options(typing_extensions.TypedDict):
    """How.

    Args:
        fast: Whether it hurries.
    """

    fast: bool


def properties(function: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema_of(function)["parameters"]["properties"]
    return found


def test_each_argument_has_its_description() -> None:
    def f(city: str, days: int = 1, point: Point | None = None, said: Annotated[str, "Here."] = "") -> None:
        """Do it.

        Args:
            city: Its name.
            days: How many.
            point: Where it begins.
            said: Not this.
        """

    assert schema_of(f)["description"] == "Do it."
    found = properties(f)
    assert {name: one["description"] for name, one in found.items()} == {
        "city": "Its name.",
        "days": "How many.",
        "point": "Where it begins.",
        "said": "Here.",
    }
    assert found["days"] == {"type": "integer", "default": 1, "description": "How many."}


def test_fields_have_the_descriptions_of_their_class() -> None:
    def f(point: Point, silent: Silent, place: Place, how: Options) -> None: ...

    found = properties(f)
    assert found["point"]["description"] == "A place."
    assert found["point"]["properties"]["lat"]["description"] == "North is positive."
    assert "description" not in found["point"]["properties"]["lng"]
    assert "description" not in found["silent"]
    assert found["place"]["description"] == "A town."
    assert found["place"]["properties"]["city"]["description"] == "Its name."
    assert found["place"]["properties"]["zip_code"]["description"] == "This."
    assert found["how"]["description"] == "How."
    assert found["how"]["properties"]["fast"]["description"] == "Whether it hurries."


def test_what_python_wrote_is_no_description() -> None:
    assert class_description(Silent).text == ""
    assert class_description(Pair).text == ""
    assert schema_of(Silent)["description"] == ""


class Shop:
    """Sells."""

    def price(self, item: str) -> None:
        """What it costs.

        Args:
            item: Of which thing.
        """

    def __call__(self, item: str) -> None: ...


def test_the_docstring_is_that_of_what_the_user_wrote() -> None:
    for function in (Shop().price, functools.partial(Shop().price)):
        assert schema_of(function)["description"] == "What it costs."
        assert properties(function)["item"]["description"] == "Of which thing."
    assert schema_of(Shop())["description"] == "Sells."
