"""Enums as a model knows them: by the names of their members, unless their values are texts."""

from __future__ import annotations

import dataclasses
import http
import json
from enum import Enum, Flag, IntEnum, StrEnum, auto
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.tools.schema import Unusable, arguments_of, schema_of


class Color(Enum):
    """A paint."""

    RED = auto()
    GREEN = auto()
    ROUGE = RED


class Rgb(Enum):
    RED = (255, 0, 0)
    GREEN = (0, 255, 0)


class Unit(Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


class Size(StrEnum):
    SMALL = auto()


class Level(IntEnum):
    NONE = 0
    LOW = 1
    HIGH = 10


class May(Flag):
    READ = auto()
    WRITE = auto()
    ALL = READ | WRITE


class Odd(Enum):
    """What stands for what is not always plain."""

    A = "B"
    B = 1
    YES = True
    NOTHING = None
    WORDS = frozenset({"a"})

    @classmethod
    def _missing_(cls, value: object) -> Odd | None:
        return cls.A if value == "first" else None


class Wall(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    color: Color
    rgb: Rgb | None = None


@dataclasses.dataclass
class House:
    walls: list[Wall]
    may: May = May.READ
    roof: Rgb = Rgb.GREEN


def of_hint(hint: Any, *default: Any) -> Any:
    def f(x): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - the hint is put there below

    f.__annotations__ = {"x": hint}
    f.__defaults__ = default or None
    return f


def told(hint: Any, *default: Any) -> Any:
    return schema_of(of_hint(hint, *default))["parameters"]["properties"]["x"]


def read(hint: Any, given: Any) -> Any:
    return arguments_of(of_hint(hint), json.dumps({"x": given})).by_name["x"]


NAMES = {"type": "string", "enum": ["RED", "GREEN"]}


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (Color, {**NAMES, "description": "A paint."}),
        (Rgb, NAMES),
        (list[Rgb], {"type": "array", "items": NAMES}),
        (Rgb | None, {"anyOf": [NAMES, {"type": "null"}]}),
        (Level, {"type": "string", "enum": ["NONE", "LOW", "HIGH"]}),
        (Unit, {"type": "string", "enum": ["C", "F"]}),
        (Size, {"type": "string", "enum": ["small"]}),
        (
            May,
            {
                "type": "array",
                "items": {"type": "string", "enum": ["READ", "WRITE"]},
                "uniqueItems": True,
            },
        ),
    ],
    ids=str,
)
def test_a_model_is_told_names(hint: Any, schema: dict[str, Any]) -> None:
    assert told(hint) == schema


def test_within_classes_too_and_for_defaults() -> None:
    house = told(House)["properties"]
    wall = house["walls"]["items"]["properties"]
    assert (wall["color"]["enum"], house["roof"]) == (["RED", "GREEN"], {**NAMES, "default": "GREEN"})
    assert house["may"]["default"] == ["READ"]
    assert told(Color, Color.ROUGE)["default"] == "RED"
    assert told(list[Color], [Color.RED])["default"] == ["RED"]
    assert told(Unit, Unit.CELSIUS)["default"] == "C"
    assert told(May, May.ALL)["default"] == ["READ", "WRITE"]


@pytest.mark.parametrize(
    ("hint", "given", "found"),
    [
        (Color, "RED", Color.RED),
        (Color, "ROUGE", Color.RED),
        (Color, 2, Color.GREEN),
        (Color, 2.0, Color.GREEN),
        (Rgb, "RED", Rgb.RED),
        (Rgb, [0, 255, 0], Rgb.GREEN),
        (Rgb | str, "BLUE", "BLUE"),
        (dict[Rgb, int], {"RED": 1}, {Rgb.RED: 1}),
        (Level, 10, Level.HIGH),
        (Level, "NONE", Level.NONE),
        (Level, 0, Level.NONE),
        (http.HTTPStatus, 404, http.HTTPStatus.NOT_FOUND),
        (Unit, "C", Unit.CELSIUS),
        (Unit, "CELSIUS", Unit.CELSIUS),
        (May, ["READ", "WRITE"], May.ALL),
        (May, "ALL", May.ALL),
        (May, [], May(0)),
        (May, 3, May.ALL),
        # It is offered by its names: of two that fit, the name counts.
        (Odd, "B", Odd.B),
        (Odd, "A", Odd.A),
        (Odd, True, Odd.YES),
        (Odd, None, Odd.NOTHING),
        (Odd, "first", Odd.A),
        (Odd, "WORDS", Odd.WORDS),
        (Wall, {"color": "RED", "rgb": [255, 0, 0]}, Wall(color=Color.RED, rgb=Rgb.RED)),
        (Wall, {"color": 1}, Wall(color=Color.RED)),
        (
            House,
            {"walls": [{"color": "GREEN"}], "may": ["WRITE"], "roof": "RED"},
            House([Wall(color=Color.GREEN)], May.WRITE, Rgb.RED),
        ),
    ],
    ids=str,
)
def test_names_and_values_are_taken(hint: Any, given: Any, found: Any) -> None:
    assert read(hint, given) == found
    assert type(read(hint, given)) is type(found)


@pytest.mark.parametrize(
    ("hint", "given", "why"),
    [
        (Color, "BLUE", "x: Input should be 'RED' or 'GREEN' (got \"BLUE\")"),
        (Color, 3, "x: Input should be 'RED' or 'GREEN' (got 3)"),
        (Rgb, [1, 2, 3], "x: Input should be 'RED' or 'GREEN'"),
        (Unit, "K", "x: Input should be 'C' or 'F'"),
        (May, ["READ", "RUN"], "x: Input should be a list of 'READ' and 'WRITE'"),
        (Wall, {"color": "BLUE"}, "x.color: Input should be 'RED' or 'GREEN'"),
    ],
    ids=str,
)
def test_what_is_none_of_them_is_told_so(hint: Any, given: Any, why: str) -> None:
    with pytest.raises(Unusable) as caught:
        read(hint, given)
    assert why in str(caught.value)


ENUMS = st.sampled_from([Color, Rgb, Unit, Size, Level, Odd])


@given(ENUMS, st.data())
def test_what_is_offered_is_taken(of: type[Enum], data: st.DataObject) -> None:
    offered = data.draw(st.sampled_from(told(of)["enum"]))
    member = read(of, offered)
    assert isinstance(member, of)
    assert offered in {member.name, member.value}


def test_a_user_s_own_class_stays_as_it_is() -> None:
    read(Wall, {"color": "RED"})
    with pytest.raises(pydantic.ValidationError):
        Wall.model_validate_json('{"color": "RED"}')
