"""What the model is told of a function: one part of JSON Schema that realtime servers take."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import decimal
import functools
import http
import json
import pathlib
import sys
import typing
import uuid
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pydantic
import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import BadSetting
from gip_nb.tools.json_schema import for_servers
from gip_nb.tools.schema import Unusable, arguments_of, schema_of

if typing.TYPE_CHECKING:
    from collections.abc import Callable


class Unit(Enum):
    """How warm."""

    CELSIUS = "C"
    FAHRENHEIT = "F"


class Color(StrEnum):
    RED = "red"


class Place(pydantic.BaseModel):
    city: str
    near: list[str] = []


class Tree(pydantic.BaseModel):
    name: str
    children: list[Tree] = []


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    place: Place


@dataclasses.dataclass
class Point:
    lat: float
    lng: float = 0.0


@dataclasses.dataclass
class Route:
    start: Point
    stops: list[Point] = dataclasses.field(default_factory=list)


class Old(typing.TypedDict):
    n: typing.Required[int]
    text: typing.NotRequired[str]


class Outer(typing.TypedDict, total=False):
    old: Old
    many: list[Old]


class New(typing_extensions.TypedDict):
    n: int


class Pair(NamedTuple):
    left: int
    right: str = "x"


def notebook(source: str) -> dict[str, Any]:
    """The names that a cell with this source defines; not with this file's own `from __future__`."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "cell", "exec", dont_inherit=True), names)  # noqa: S102 - a cell is source that is run
    return names


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema_of(function)["parameters"]
    # Whatever it is, it can be sent.
    json.dumps(found, allow_nan=False)
    return found


def properties(function: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = parameters(function)["properties"]
    return found


def of_hint(hint: Any, *default: Any) -> Any:
    """The schema of one argument with this hint, and this default where one is given."""

    def f(x): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - the hint is put there below

    f.__annotations__ = {"x": hint}
    f.__defaults__ = default or None
    return properties(f)["x"]


POINT = {
    "type": "object",
    "properties": {"lat": {"type": "number"}, "lng": {"type": "number", "default": 0.0}},
    "required": ["lat"],
    "additionalProperties": False,
}
PLACE = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "near": {"type": "array", "items": {"type": "string"}, "default": []},
    },
    "required": ["city"],
    "additionalProperties": False,
}
OLD = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "text": {"type": "string"}},
    "required": ["n"],
    "additionalProperties": False,
}
KINDS = [{"type": "integer"}, {"type": "string"}]


def test_a_schema_comes_from_hints_defaults_and_docstring() -> None:
    def get_weather(city: str, days: int = 1, *, unit: Literal["C", "F"] = "C") -> str:
        """The weather at a place.

        Sunny, mostly.
        """
        return f"{city}{days}{unit}"

    assert schema_of(get_weather) == {
        "type": "function",
        "name": "get_weather",
        "description": "The weather at a place.\n\nSunny, mostly.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "default": 1},
                "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    }


def test_a_function_without_arguments_or_docstring() -> None:
    def now() -> None: ...

    assert schema_of(now) == {
        "type": "function",
        "name": "now",
        "description": "",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    }


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (Any, {}),
        (object, {}),
        (list, {"type": "array", "items": {}}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (collections.abc.Sequence[int], {"type": "array", "items": {"type": "integer"}}),
        (collections.abc.Iterable[int], {"type": "array", "items": {"type": "integer"}}),
        (collections.abc.Iterator, {"type": "array", "items": {}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (tuple[int, int], {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}),
        (
            tuple[int, str],
            {
                "type": "array",
                "items": {"anyOf": KINDS},
                "minItems": 2,
                "maxItems": 2,
                "description": "In this order: integer, string.",
            },
        ),
        (dict, {"type": "object", "additionalProperties": True}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (int | str, {"anyOf": KINDS}),
        (typing.Union[int, str], {"anyOf": KINDS}),  # noqa: UP007 - the case
        (typing.Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045 - the case
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {"type": "string", "enum": ["a"]}),
        (Unit, {"type": "string", "enum": ["C", "F"], "description": "How warm."}),
        (Color, {"type": "string", "enum": ["red"]}),
        (dt.date, {"type": "string", "format": "date"}),
        (dt.datetime, {"type": "string", "format": "date-time"}),
        (dt.timedelta, {"type": "string", "format": "duration"}),
        (decimal.Decimal, {"type": "number"}),
        (uuid.UUID, {"type": "string", "format": "uuid"}),
        (pathlib.Path, {"type": "string"}),
        (bytes, {"type": "string"}),
        (Annotated[str, "a city's name"], {"type": "string", "description": "a city's name"}),
        (Annotated[str, typing_extensions.Doc("a name")], {"type": "string", "description": "a name"}),
        (
            list[Annotated[int, "a day"]],
            {"type": "array", "items": {"type": "integer", "description": "a day"}},
        ),
        (
            Annotated[int, pydantic.Field(ge=1, le=9, description="how many")],
            {"type": "integer", "minimum": 1, "maximum": 9, "description": "how many"},
        ),
        (Point, POINT),
        (Place, PLACE),
        (
            Route,
            {
                "type": "object",
                "properties": {"start": POINT, "stops": {"type": "array", "items": POINT}},
                "required": ["start"],
                "additionalProperties": False,
            },
        ),
        (Old, OLD),
        (list[Old] | None, {"anyOf": [{"type": "array", "items": OLD}, {"type": "null"}]}),
        (
            Outer,
            {
                "type": "object",
                "properties": {"old": OLD, "many": {"type": "array", "items": OLD}},
                "additionalProperties": False,
            },
        ),
        (
            New,
            {
                "type": "object",
                "properties": {"n": {"type": "integer"}},
                "required": ["n"],
                "additionalProperties": False,
            },
        ),
        (
            Pair,
            {
                "type": "array",
                "items": {"anyOf": [{"type": "integer"}, {"type": "string", "default": "x"}]},
                "minItems": 1,
                "maxItems": 2,
                "description": "In this order: left integer, right string.",
            },
        ),
        (
            Annotated[Cat | Dog, pydantic.Field(discriminator="kind")],
            {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"kind": {"type": "string", "enum": ["cat"]}},
                        "required": ["kind"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "properties": {"kind": {"type": "string", "enum": ["dog"]}, "place": PLACE},
                        "required": ["kind", "place"],
                        "additionalProperties": False,
                    },
                ]
            },
        ),
    ],
    ids=str,
)
def test_a_hint_as_schema(hint: Any, schema: dict[str, Any]) -> None:
    assert of_hint(hint) == schema


def test_what_leads_back_to_itself_is_the_only_reference() -> None:
    def f(tree: Tree, place: Place) -> None: ...

    found = parameters(f)
    assert found["properties"] == {"tree": {"$ref": "#/$defs/Tree"}, "place": PLACE}
    assert found["$defs"] == {
        "Tree": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}, "default": []},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    }


@pytest.mark.parametrize(
    ("hint", "default", "schema"),
    [
        (int | None, None, {"type": "integer"}),
        (int | str | None, None, {"anyOf": KINDS}),
        (int | None, 5, {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 5}),
        (str, None, {"type": "string"}),
        (float, float("nan"), {"type": "number"}),
        (float, float("inf"), {"type": "number"}),
        (Any, object(), {}),
        (Any, float("nan"), {}),
        (list[int], list(range(10_000)), {"type": "array", "items": {"type": "integer"}}),
        (dict[str, Any], {"a": object()}, {"type": "object", "additionalProperties": True}),
        (
            Unit,
            Unit.CELSIUS,
            {"type": "string", "enum": ["C", "F"], "description": "How warm.", "default": "C"},
        ),
        (decimal.Decimal, decimal.Decimal("1.5"), {"type": "number", "default": 1.5}),
        (dt.date, dt.date(2026, 1, 2), {"type": "string", "format": "date", "default": "2026-01-02"}),
        (pathlib.Path, pathlib.Path("/a"), {"type": "string", "default": "/a"}),
    ],
    ids=lambda value: str(value).partition(" at 0x")[0],
)
def test_defaults_are_told_where_json_can_carry_them(hint: Any, default: Any, schema: Any) -> None:
    assert of_hint(hint, default) == schema


@pytest.mark.parametrize(
    ("default", "schema", "given", "found"),
    [
        ("3", {"type": "number", "default": 3}, '"4"', 4),
        ("3", {"type": "number", "default": 3}, "0.5", 0.5),
        ("True", {"type": "boolean", "default": True}, '"no"', False),
        ("'a'", {"type": "string", "default": "a"}, '"b"', "b"),
        ("[]", {"type": "array", "items": {}, "default": []}, "[1]", [1]),
        ("()", {"type": "array", "items": {}, "default": []}, "[1]", (1,)),
        ("{}", {"type": "object", "additionalProperties": True, "default": {}}, '{"a": 1}', {"a": 1}),
        (
            "dt.date(2026, 1, 2)",
            {"type": "string", "format": "date", "default": "2026-01-02"},
            '"2026-01-03"',
            dt.date(2026, 1, 3),
        ),
        ("np.int8(3)", {"type": "integer", "default": 3}, "4", np.int8(4)),
        ("HTTPMethod.GET", {"type": "string", "default": "GET"}, '"PUT"', http.HTTPMethod.PUT),
    ],
)
def test_a_default_says_what_an_argument_without_a_hint_is(
    default: str, schema: dict[str, Any], given: str, found: Any
) -> None:
    imports = "import datetime as dt\nimport numpy as np\nfrom http import HTTPMethod\n"
    function = notebook(f"{imports}def f(x={default}): ...")["f"]
    told = properties(function)["x"]
    assert {key: told[key] for key in told if key not in {"enum", "description"}} == schema
    read = arguments_of(function, f'{{"x": {given}}}').by_name["x"]
    assert (read, type(read)) == (found, type(found))
    with pytest.raises(Unusable):
        arguments_of(function, '{"x": {"no": [1]}}' if default != "{}" else '{"x": 3}')


def test_a_type_variable_is_what_it_stands_for() -> None:
    names = notebook(
        "from typing import Sequence, TypeVar\nT = TypeVar('T')\nN = TypeVar('N', bound=int)\n"
        "C = TypeVar('C', int, str)\ndef f(one: T, many: Sequence[T], n: N, ns: list[N], c: C): ...\n"
    )
    integers = {"type": "integer"}
    assert properties(names["f"]) == {
        "one": {},
        "many": {"type": "array", "items": {}},
        "n": integers,
        "ns": {"type": "array", "items": integers},
        "c": {"anyOf": KINDS},
    }


def test_what_no_name_fills_is_left_out() -> None:
    names = notebook(
        "def f(x: int, *rest: int, y: str = 'a', **more: str):\n"
        "  '''Add.\n\n  Args:\n    x: one.\n    *rest: others.\n    **more: words.\n  '''\n"
        "  return x, rest, y, more\n"
        "def g(a=1, /, b: int = 2): return a, b\n"
        "def all(*args, **kwargs): return args, kwargs\n"
    )
    assert properties(names["f"]) == {
        "x": {"type": "integer", "description": "one."},
        "y": {"type": "string", "default": "a"},
    }
    for name, written, returned in (
        ("f", '{"x": "3"}', (3, (), "a", {})),
        ("g", '{"b": 5}', (1, 5)),
        ("all", "{}", ((), {})),
    ):
        assert names[name](**arguments_of(names[name], written).by_name) == returned
    for name, written in (
        ("f", '{"x": 1, "rest": [1]}'),
        ("f", '{"x": 1, "z": "a"}'),
        ("all", '{"args": [1]}'),
    ):
        with pytest.raises(Unusable, match="there is no such argument"):
            arguments_of(names[name], written)


def test_an_argument_without_a_hint_takes_anything() -> None:
    function = notebook("def echo(x, y=None): ...")["echo"]
    assert properties(function) == {"x": {}, "y": {}}
    assert arguments_of(function, '{"x": [1, {"a": null}]}').by_name == {"x": [1, {"a": None}]}


@pytest.mark.parametrize(
    "name", ["schema", "json", "copy", "model_config", "model_x", "_x", "validate", "arg_x", "self_", "title"]
)
def test_an_argument_may_have_any_name(name: str) -> None:
    function = notebook(f"def f({name}: int = 3): return {name}")["f"]
    assert properties(function) == {name: {"type": "integer", "default": 3}}
    assert arguments_of(function, f'{{"{name}": 5}}').by_name == {name: 5}


def test_what_no_json_can_fill_and_has_a_default_is_not_for_the_model() -> None:
    sales = pd.DataFrame({"a": [1]})

    def top(
        n: int, frame: pd.DataFrame = sales, then: collections.abc.Callable[[int], int] = abs
    ) -> None: ...

    assert properties(top) == {"n": {"type": "integer"}}
    assert arguments_of(top, '{"n": 1}').by_name == {"n": 1}
    with pytest.raises(Unusable, match="frame: there is no such argument"):
        arguments_of(top, '{"n": 1, "frame": {}}')


def test_fields_as_defaults() -> None:
    def f(
        city: str = pydantic.Field(description="its name"),
        days: int = pydantic.Field(3, ge=1),
        tags: list[str] = pydantic.Field(default_factory=list),  # noqa: B008 - the case
    ) -> None: ...

    assert parameters(f)["required"] == ["city"]
    assert properties(f) == {
        "city": {"type": "string", "description": "its name"},
        "days": {"type": "integer", "minimum": 1, "default": 3},
        "tags": {"type": "array", "items": {"type": "string"}},
    }
    # Not the Field, which is what Python would pass.
    assert arguments_of(f, '{"city": "x"}').by_name == {"city": "x", "days": 3, "tags": []}
    with pytest.raises(Unusable, match="days: Input should be greater than or equal to 1"):
        arguments_of(f, '{"city": "x", "days": 0}')


def test_a_flood_of_types_is_refused() -> None:
    names = notebook(
        "from dataclasses import dataclass\n@dataclass\nclass A0: n: int\n"
        + "".join(f"@dataclass\nclass A{k}:\n  l: A{k - 1}\n  r: A{k - 1}\n" for k in range(1, 20))
        + "def f(x: A19): ..."
    )
    with pytest.raises(BadSetting, match="more than 5,000 parts"):
        schema_of(names["f"])


# ------------------------------------------------------------------------------------- whatever can be called


class Shop:
    def price(self, item: str) -> None:
        """What it costs."""

    @classmethod
    def named(cls, name: str) -> None: ...

    @staticmethod
    def close(hour: int) -> None: ...


class GetWeather:
    async def __call__(self, city: str) -> None:
        """The weather."""


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@logged
def decorated(point: Point) -> None:
    """Two figures."""


async def later(n: int) -> None: ...


def two(item: str, secret: str, n: int = 1) -> None:
    """Both."""


CITY = {"city": {"type": "string"}}
ITEM = {"item": {"type": "string"}}


@pytest.mark.parametrize(
    ("function", "name", "description", "told"),
    [
        (Shop().price, "price", "What it costs.", ITEM),
        (Shop.named, "named", "", {"name": {"type": "string"}}),
        (Shop.close, "close", "", {"hour": {"type": "integer"}}),
        (GetWeather(), "get_weather", "The weather.", CITY),
        (decorated, "decorated", "Two figures.", {"point": POINT}),
        (later, "later", "", {"n": {"type": "integer"}}),
        (functools.partial(two, secret="x", n=2), "two", "Both.", ITEM),
        (functools.partial(two, "a", "b"), "two", "Both.", {"n": {"type": "integer", "default": 1}}),
        (functools.partial(Shop().price), "price", "What it costs.", ITEM),
        (Point, "Point", "", POINT["properties"]),
    ],
    ids=(
        *("method", "class method", "static method", "object", "wrapped", "async"),
        *("partial", "partial by place", "partial of a method", "class"),
    ),
)
def test_whatever_can_be_called(function: Any, name: str, description: str, told: Any) -> None:
    schema = schema_of(function)
    assert (schema["name"], schema["parameters"]["properties"]) == (name, told)
    # Of a dataclass, Python writes a docstring of its own.
    assert schema["description"].startswith(description)


def test_hints_given_as_text_see_what_the_function_sees() -> None:
    @dataclasses.dataclass
    class Local:
        n: int

    def f(x: Local, y: list[Local]) -> Any:
        return Local  # else it would not know of it

    local = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    assert properties(f) == {"x": local, "y": {"type": "array", "items": local}}
    cell = notebook(
        "from __future__ import annotations\nclass A(int): ...\ndef f(x: list[Late]): ...\nLate = int"
    )
    assert properties(cell["f"]) == {"x": {"type": "array", "items": {"type": "integer"}}}


def bad_functions() -> list[Any]:
    names = notebook(
        "from typing import Callable\n"
        "import pandas as pd\n"
        "def positional(x, /): ...\n"
        "def unknown(x: 'NoSuchName'): ...\n"
        "def broken(x: 'int |'): ...\n"
        "def missing(x: 'int.nothing'): ...\n"
        "def inside(x: list['int.nothing']): ...\n"
        "def function_wanted(x: Callable[[int], int]): ...\n"
        "def opaque(x: object.__class__.__mro__[0].__subclasshook__.__class__): ...\n"
        "def number(x: 5): ...\n"
        "def frame(x: pd.DataFrame): ...\n"
        "class Odd:\n"
        "  def method(self, x): ...\n"
        "def odd(x: Odd): ...\n"
        "날씨 = lambda: 1\n"
        "def 날씨(): ...\n"
    )
    no_functions = {"__name__", "__builtins__", "Callable", "pd", "Odd"}
    return [
        *(names[n] for n in names if n not in no_functions),
        names["Odd"].method,
        lambda: 1,
        functools.partial(max, 1),
        max,
    ]


@pytest.mark.parametrize(
    "function", bad_functions(), ids=lambda f: getattr(f, "__name__", str(f).partition(" at 0x")[0])
)
def test_what_can_be_no_tool_is_named(function: Any) -> None:
    with pytest.raises(BadSetting) as caught:
        schema_of(function)
    assert getattr(getattr(function, "func", function), "__name__", "") in caught.value.message
    assert caught.value.next_step


def test_the_argument_that_no_json_can_fill_is_named() -> None:
    def f(n: int, frame: pd.DataFrame) -> None: ...

    with pytest.raises(BadSetting, match="no JSON for its argument 'frame': DataFrame") as caught:
        schema_of(f)
    assert "give it a default" in caught.value.next_step


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="Python's own TypedDict is read everywhere from 3.12 on"
)
def test_a_typed_dict_where_it_cannot_be_made_anew_is_named() -> None:
    @dataclasses.dataclass
    class Holder:
        old: Old

    def f(holder: Holder) -> Any:
        return Holder

    with pytest.raises(BadSetting) as caught:
        schema_of(f)
    assert "typing_extensions" in caught.value.next_step


def test_a_schema_follows_what_its_names_mean_now() -> None:
    names = notebook("class A(int): ...\nKind = int\ndef f(x: 'Kind'): ...")
    assert properties(names["f"]) == {"x": {"type": "integer"}}
    names["Kind"] = str
    assert properties(names["f"]) == {"x": {"type": "string"}}


# ----------------------------------------------------------------------------------------- whatever the hints

# Made at run time, which a type checker does not follow.
LIST: Any = list
DICT: Any = dict
TUPLE: Any = tuple
ANNOTATED: Any = Annotated

HINTS = st.recursive(
    st.sampled_from([str, int, float, bool, Unit, Point, Place, Old, Pair, dt.date, Literal["a", 1], Cat]),
    lambda inner: (
        inner.map(lambda hint: LIST[hint])
        | inner.map(lambda hint: DICT[str, hint])
        | inner.map(lambda hint: hint | None)
        | inner.map(lambda hint: ANNOTATED[hint, "said of it"])
        | st.tuples(inner, inner).map(lambda pair: TUPLE[pair])
        | st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1])
    ),
    max_leaves=5,
)


def _keys(schema: Any) -> set[str]:
    """All keywords in a schema; names of properties are none."""
    if isinstance(schema, list):
        return set().union(*map(_keys, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    found = set(schema)
    for key, value in schema.items():
        if key == "properties":
            found |= _keys(list(value.values()))
        elif key not in {"default", "enum"}:
            found |= _keys(value)
    return found


@given(HINTS)
def test_no_schema_holds_what_servers_refuse(hint: Any) -> None:
    schema = of_hint(hint)
    refused = {"$ref", "$defs", "title", "const", "oneOf", "allOf", "prefixItems", "discriminator"}
    assert not _keys(schema) & refused


def test_a_schema_that_was_passed_is_left_as_it_is() -> None:
    schema = {
        "$defs": {"A": {"title": "A", "type": "string"}},
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "title": "x",
    }
    before = json.dumps(schema)
    assert for_servers(schema)["properties"] == {"a": {"type": "string"}}
    assert json.dumps(schema) == before
