"""What the model is told of a function, what reaches it, and what comes back."""

from __future__ import annotations

import dataclasses
import json
import sys
from enum import Enum
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import BadSetting
from gip_nb.tools import Toolbox, tool
from gip_nb.tools.results import MAX_RESULT_CHARS

if TYPE_CHECKING:
    from collections.abc import Callable


class Unit(Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


class Place(pydantic.BaseModel):
    city: str
    near: list[str] = []


@dataclasses.dataclass
class Point:
    lat: float
    lng: float


def notebook(source: str) -> dict[str, Any]:
    """The names that a cell with this source defines."""
    names: dict[str, Any] = {"__name__": "__main__"}
    run_cell(source, names)
    return names


def run_cell(source: str, names: dict[str, Any]) -> None:
    # Not with this file's own `from __future__`.
    exec(compile(source, "cell", "exec", dont_inherit=True), names)  # noqa: S102 - a cell is source that is run


def called(function: Callable[..., Any], arguments: Any) -> str:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return Toolbox([function]).call(function.__name__, text)


# ------------------------------------------------------------------------------------------------------ tools


def test_the_decorator_gives_the_function_back_and_complains_at_once() -> None:
    def f(x: int) -> int:
        return x

    assert tool(f) is f

    def g(x: int, /) -> int:
        return x

    with pytest.raises(BadSetting, match="'x' by its place only"):
        tool(g)


@pytest.mark.parametrize("function", [5, "f", None])
def test_what_is_no_function_is_named_when_it_is_passed(function: Any) -> None:
    with pytest.raises(BadSetting) as caught:
        Toolbox([function])
    assert repr(function) in caught.value.message
    assert caught.value.next_step


def test_two_tools_of_one_name() -> None:
    names = [notebook("def f(): ...")["f"] for _ in range(2)]
    with pytest.raises(BadSetting, match="two tools are called 'f'"):
        Toolbox(names)


# ------------------------------------------------------------------------------------------------------ calls


@given(
    st.text(max_size=20)
    | st.recursive(st.none() | st.integers() | st.text(max_size=4), st.lists).map(json.dumps)
)
def test_a_call_never_raises(arguments: str) -> None:
    def f(x: int) -> int:
        return x

    box = Toolbox([f])
    assert isinstance(box.call("f", arguments), str)
    assert box.call(arguments, "{}").startswith("error: there is no tool named")


def test_a_call_gives_the_value_too_and_none_where_it_failed() -> None:
    def f(x: int) -> Point:
        """Make a point."""
        return Point(lat=1 / x, lng=0)

    box = Toolbox([f])
    assert box.run("f", '{"x": 2}')[:2] == ('{"lat": 0.5, "lng": 0}', Point(0.5, 0))
    for arguments in ('{"x": 0}', '{"x": "y"}', "["):
        text, value, *_ = box.run("f", arguments)
        assert text.startswith("error: ")
        assert value is None
    assert box.run("g", "{}").value is None


def test_an_unknown_tool_is_answered_with_those_that_there_are() -> None:
    def one() -> None: ...

    def two() -> None: ...

    assert (
        Toolbox([one, two]).call("three", "{}") == "error: there is no tool named 'three'; there is one, two"
    )
    assert Toolbox([]).call("x" * 99_999, "{}").endswith("characters]")


# ----------------------------------------------------------------------------------------------------- errors


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no such city"), "error: ValueError: no such city"),
        (KeyError("x"), "error: KeyError: 'x'"),
        (SystemExit(3), "error: SystemExit: 3"),
        (RecursionError("deep"), "error: RecursionError: deep"),
        (Unspeakable(), "error: Unspeakable: (no text)"),
        (BadSetting("a", "b"), "error: BadSetting: a\n→ b"),
    ],
)
def test_what_the_function_raises_is_told_to_the_model(error: BaseException, text: str) -> None:
    def f() -> None:
        raise error

    assert called(f, "{}") == f"{text} (in f, line {f.__code__.co_firstlineno + 1}: raise error)"


def test_an_error_s_text_is_bounded_too() -> None:
    def f() -> None:
        raise ValueError("x" * 99_999)

    assert len(called(f, "{}")) < MAX_RESULT_CHARS + 60


def test_a_result_that_cannot_be_shown_is_no_error() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise OSError("gone")

    def f() -> Any:
        return Odd()

    assert called(f, "{}") == "(Odd; its text cannot be made: OSError)"


# ------------------------------------------------------------------------------------------ latest definition


def test_the_latest_definition_is_called_and_described() -> None:
    names = notebook("def f(x: int): return x")
    box = Toolbox([names["f"]])
    assert box.call("f", '{"x": 2}') == "2"
    run_cell("def f(city: str, n: int = 1):\n  'Anew.'\n  return city * n", names)
    assert box.call("f", '{"city": "ab", "n": 2}') == "abab"
    (schema,) = box.schemas()
    assert (schema["description"], list(schema["parameters"]["properties"])) == ("Anew.", ["city", "n"])


def test_a_definition_that_was_spoilt_leaves_the_one_before_and_is_complained_of_once() -> None:
    names = notebook("def f(x: int): return x")
    box = Toolbox([names["f"]])
    run_cell("def f(x, /): return x", names)
    (complaint,) = box.refresh()
    assert "tool 'f' takes 'x' by its place only" in complaint.message
    assert complaint.next_step
    assert box.refresh() == []
    assert box.call("f", '{"x": 2}') == "2"
    run_cell("def f(x: int): return x + 1", names)
    assert box.call("f", '{"x": 2}') == "3"


def tool_of_this_module() -> str:
    return "the module's"


def test_a_method_or_an_inner_function_is_no_global_of_that_name() -> None:
    class Shop:
        def tool_of_this_module(self, n: int) -> int:
            return n + 1

    def inner() -> Callable[[], str]:
        def tool_of_this_module() -> str:
            return "the inner one's"

        return tool_of_this_module

    assert called(Shop().tool_of_this_module, {"n": 1}) == "2"
    assert called(inner(), "{}") == "the inner one's"
    assert called(tool_of_this_module, "{}") == "the module's"


def test_making_schemas_leaves_pydantic_alone_until_then() -> None:
    assert "pydantic" in sys.modules  # this test file's own; the module imports it only inside functions
    assert "pydantic" not in vars(sys.modules["gip_nb.tools"])
