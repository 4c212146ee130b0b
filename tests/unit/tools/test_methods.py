"""Options on methods: in the class's body for all its objects, on one object's method for that one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gip_nb import tool
from gip_nb.errors import BadSetting
from gip_nb.tools import Call, Toolbox
from gip_nb.tools.options import options_of, place_of


class Shop:
    def __init__(self, city: str) -> None:
        self.city = city

    @tool(approve=True, name="sell_item", timeout_s=5)
    def sell(self, item: str, to: Shop | None = None) -> str:
        """Sell an item.

        Args:
            item: its name.
        """
        return f"{item} in {self.city}, {to}"

    @tool
    def open(self) -> str:
        """Open it."""
        return self.city

    @tool(where="loop")
    async def wait(self, seconds: float) -> str:
        """Wait."""
        await asyncio.sleep(seconds)
        return self.city

    def plain(self, n: int = 1) -> str:
        """Plain."""
        return self.city * n

    async def later(self) -> str:
        """Later."""
        return self.city

    @classmethod
    @tool(limit_chars=3)
    def made(cls, name: str) -> str:
        return name

    @tool(limit_chars=4)
    @classmethod
    def named(cls, name: str) -> str:
        return name

    @staticmethod
    @tool(limit_chars=5)
    def short(name: str) -> str:
        return name

    @tool(limit_chars=6)
    @staticmethod
    def shorter(name: str) -> str:
        return name


def run(function: Any, arguments: dict[str, Any], name: str | None = None) -> str:
    box = Toolbox([function])
    return box.call(name or box.schemas()[0]["name"], json.dumps(arguments))


def found(function: Any, arguments: dict[str, Any] | None = None) -> Call:
    box = Toolbox([function])
    call = box.find(box.schemas()[0]["name"], json.dumps(arguments or {}))
    assert isinstance(call, Call)
    return call


def test_a_method_that_was_decorated_in_its_class() -> None:
    seoul, busan = Shop("Seoul"), Shop("Busan")
    (schema,) = Toolbox([seoul.open]).schemas()
    assert (schema["name"], schema["description"]) == ("open", "Open it.")
    call = found(seoul.wait, {"seconds": 0})
    assert (call.where, call.is_async, asyncio.run(call.start())) == ("loop", True, "Seoul")
    assert [run(shop.open, {}) for shop in (seoul, busan)] == ["Seoul", "Busan"]


def test_its_options_are_those_of_all_objects() -> None:
    # `to: Shop` is none that JSON can carry, and has a default.
    for city in ("Seoul", "Busan"):
        call = found(Shop(city).sell, {"item": "tea"})
        assert (call.name, call.asks, call.timeout_s, call.start()) == (
            "sell_item",
            True,
            5,
            f"tea in {city}, None",
        )


def test_one_object_s_method_has_options_of_its_own() -> None:
    seoul, busan = Shop("Seoul"), Shop("Busan")
    asks = tool(approve=True, name="plain_seoul")(seoul.plain)
    quick = tool(timeout_s=1)(busan.plain)
    box = Toolbox([asks, quick, seoul.later])
    names = [schema["name"] for schema in box.schemas()]
    assert names == ["plain_seoul", "plain", "later"]
    first, second = box.find("plain_seoul", '{"n": 2}'), box.find("plain", "{}")
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert (first.asks, first.timeout_s, first.start()) == (True, None, "SeoulSeoul")
    assert (second.asks, second.timeout_s, second.start()) == (False, 1, "Busan")
    # Nothing is noted on the class.
    for plain in (seoul.plain, Shop("x").plain):
        assert options_of(plain) == options_of(len)
    assert asks(n=3) == "SeoulSeoulSeoul"


def test_they_stand_above_those_of_the_class() -> None:
    seoul = Shop("Seoul")
    assert found(tool(name="sell", approve=False)(seoul.sell), {"item": "tea"}).asks is False
    assert found(seoul.sell, {"item": "tea"}).asks is True


def test_an_async_method_stays_one() -> None:
    later = tool(timeout_s=3)(Shop("Seoul").later)
    call = found(later)
    assert (call.where, call.is_async, asyncio.run(call.start())) == ("loop", True, "Seoul")
    with pytest.raises(BadSetting, match="'later' is an async function and wants the main thread"):
        tool(where="main")(Shop("Seoul").later)
    with pytest.raises(BadSetting, match="'plain' is a plain function and wants to run on"):
        tool(where="loop")(Shop("Seoul").plain)


@pytest.mark.parametrize(("name", "limit"), [("made", 3), ("named", 4), ("short", 5), ("shorter", 6)])
def test_class_methods_and_static_ones(name: str, limit: int) -> None:
    for owner in (Shop, Shop("Seoul")):
        function = getattr(owner, name)
        call = found(function, {"name": "abcdefgh"})
        assert (call.limit_chars, call.start(), place_of(function, options_of(function))) == (
            limit,
            "abcdefgh",
            "thread",
        )


def test_what_is_wrong_with_a_method_is_said_in_its_class() -> None:
    with pytest.raises(BadSetting, match="'f' is a plain function and wants to run on"):

        class Wrong:
            @tool(where="loop")
            def f(self) -> None: ...

    with pytest.raises(BadSetting, match="no JSON for its argument 'shop': Shop"):

        class Opaque:
            @tool
            def f(self, shop: Shop) -> None: ...


def test_a_method_without_an_object_is_none() -> None:
    for function in (Shop.sell, Shop.plain):
        with pytest.raises(BadSetting, match="is a method without an object") as caught:
            Toolbox([function])
        assert "make an object of its class" in caught.value.next_step
