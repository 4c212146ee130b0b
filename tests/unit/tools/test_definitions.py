"""Which definition of a tool counts: its name may go, stand for something else, or never have been there."""

from __future__ import annotations

import functools
import sys
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.tools import Toolbox
from gip_nb.tools.definitions import definition_of, remade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST = "def f(x: int = 2):\n  'First.'\n  return x\n"
SECOND = FIRST.replace("First", "Second").replace("return x", "return x + 1")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A notebook's names: its cells run in `__main__`."""
    module = type(sys)("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    vars(module)["functools"] = functools
    return vars(module)  # type: ignore[return-value]  # not with `yield`: nothing is to be cleared away


def run_cell(source: str, names: dict[str, Any]) -> None:
    # Not with this file's own `from __future__`.
    exec(compile(source, "cell", "exec", dont_inherit=True), names)  # noqa: S102 - a cell is source that is run


def told(box: Toolbox) -> list[str]:
    return [complaint.message for complaint in box.refresh()]


def description(box: Toolbox) -> str:
    return str(box.schemas()[0]["description"])


# ------------------------------------------------------------------------------------------- a name that goes


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("del f", "nothing is called 'f' any more"),
        ("f = f()", "'f' is no function any more but of type int"),
        ("from statistics import mean as f", "'f' stands for another function, mean"),
        ("def g(): return 'g'\nf = g", "'f' stands for another function, g"),
    ],
)
def test_a_tool_whose_name_goes_stays_its_newest_definition_and_it_is_said_once(
    cell: str, why: str, names: dict[str, Any]
) -> None:
    run_cell(FIRST, names)
    box = Toolbox([names["f"]])
    run_cell(SECOND, names)
    assert box.call("f", "{}") == "3"
    run_cell(cell, names)
    (message,) = told(box)
    assert message == f"the tool 'f' stays what it was: {why}"
    assert told(box) == [], "once"
    assert box.call("f", "{}") == "3"
    assert description(box) == "Second."
    run_cell(FIRST, names)
    assert box.call("f", "{}") == "2", "and is followed again"
    run_cell(cell, names)
    assert len(told(box)) == 1, "a new loss is a new word"


def test_what_stands_in_its_place_is_not_kept_alive(names: dict[str, Any]) -> None:
    run_cell(FIRST, names)
    box = Toolbox([names["f"]])
    run_cell("class Big: ...\nf = Big()", names)
    assert told(box) == ["the tool 'f' stays what it was: 'f' is no function any more but of type Big"]
    big = weakref.ref(names["f"])
    del names["f"]
    assert big() is None


def test_one_that_was_never_at_home_there_is_called_as_it_is(names: dict[str, Any]) -> None:
    run_cell(FIRST, names)
    function = names.pop("f")
    box = Toolbox([function])
    assert told(box) == []
    run_cell(SECOND.replace("def f", "def h"), names)
    assert box.call("f", "{}") == "2"


# --------------------------------------------------------------------- what has no name of its own in a cell

PARTIAL = "def f(x: int):\n  'D.'\n  return 'v1'\ng = functools.partial(f, x=1)\n"
OBJECT = "class Get:\n  'D.'\n  def __call__(self):\n    return 'v1'\nget = Get()\n"
METHOD = "class A:\n  def look(self):\n    'D.'\n    return 'v1'\na = A()\n"
OF_CLASS = "class A:\n  @classmethod\n  def look(cls):\n    'D.'\n    return 'v1'\n"
DECORATED = """
def deco(f):
  def wrapper():
    return f()
  return wrapper
@deco
def h():
  'D.'
  return 'v1'
"""
NAMED = DECORATED.replace("  return wrapper\n", "  wrapper.__name__ = f.__name__\n  return wrapper\n")
FACTORY = "def make():\n  def look():\n    'D.'\n    return 'v1'\n  return look\nlook = make()\n"
CLASS = "class Made:\n  'D.'\n  def __repr__(self):\n    return 'v1'\n"


@pytest.mark.parametrize(
    ("cell", "expression", "name"),
    [
        (PARTIAL, "g", "f"),
        (OBJECT, "get", "get"),
        (METHOD, "a.look", "look"),
        (OF_CLASS, "A.look", "look"),
        (DECORATED, "h", "wrapper"),
        (NAMED, "h", "h"),
        (FACTORY, "look", "look"),
        (CLASS, "Made", "Made"),
    ],
)
def test_each_kind_of_tool_is_followed_when_its_cell_is_run_again(
    cell: str, expression: str, name: str, names: dict[str, Any]
) -> None:
    run_cell(cell, names)
    box = Toolbox([eval(expression, names)])  # noqa: S307 - a name of the test's
    assert box.call(name, "{}") == "v1"
    run_cell(cell.replace("v1", "v2"), names)
    assert box.call(name, "{}") == "v2"
    assert told(box) == []


@pytest.mark.parametrize(
    ("cell", "again", "expression", "made_of"),
    [
        (PARTIAL, PARTIAL.partition("g =")[0], "g", "f"),
        (PARTIAL, PARTIAL, "functools.partial(f, x=1)", "f"),
        (OBJECT, OBJECT.partition("get =")[0], "get", "Get.__call__"),
        (METHOD, METHOD.partition("a =")[0], "a.look", "A.look"),
        (METHOD, METHOD, "A().look", "A.look"),
    ],
)
def test_what_was_made_of_a_definition_before_is_said_once_to_be_so(
    cell: str, again: str, expression: str, made_of: str, names: dict[str, Any]
) -> None:
    run_cell(cell, names)
    box = Toolbox([eval(expression, names)])  # noqa: S307 - a name of the test's
    name = box.schemas()[0]["name"]
    assert told(box) == []
    run_cell(again.replace("v1", "v2"), names)
    (message,) = told(box)
    assert message.startswith(f"the tool {name!r} stays what it was: {made_of} was defined anew")
    assert told(box) == []
    assert box.call(name, "{}") == "v1"
    run_cell(again.replace("v1", "v3"), names)
    assert len(told(box)) == 1, "of each definition"


def test_the_results_of_cells_are_no_names(names: dict[str, Any]) -> None:
    run_cell(PARTIAL, names)
    function = names["_3"] = names.pop("g")
    assert definition_of(function) is None


def test_an_object_whose_attributes_raise_does_no_harm(names: dict[str, Any]) -> None:
    run_cell(METHOD, names)
    box = Toolbox([names["a"].look])

    class Raises:
        def __getattr__(self, name: str) -> None:
            raise SystemExit(name)

    names["a"] = Raises()
    (message,) = told(box)
    assert message.endswith("SystemExit: look")
    assert told(box) == []
    assert box.call("look", "{}") == "v1"


@pytest.mark.parametrize("function", [len, str.upper, functools.partial(print, "a"), [].append, print])
def test_what_is_no_code_of_the_notebook_s_is_left_alone(function: Callable[..., Any]) -> None:
    assert remade(function) is None


# --------------------------------------------------------------------------------------------------- approval


def test_what_was_allowed_for_the_talk_is_that_definition_alone(names: dict[str, Any]) -> None:
    from gip_nb.tools.options import RunOptions

    run_cell(FIRST + METHOD, names)
    box = Toolbox([names["f"], names["a"].look], RunOptions(approve=True))

    def found(name: str) -> Any:
        box.refresh()
        return box.find(name, "{}")

    for name in ("f", "look"):
        call = found(name)
        assert call.asks
        box.allow(call)
        assert not found(name).asks
        assert box.is_newest(call)
    before = found("f")
    run_cell(SECOND, names)
    assert found("f").asks
    assert not box.is_newest(before)
    assert not found("look").asks, "another tool"
    run_cell(METHOD, names)
    assert found("look").asks
