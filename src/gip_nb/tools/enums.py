"""Enums as a model knows them. Pure.

By the names of their members where the values are not texts: `RED = auto()` is "RED" and not 1, and pydantic
takes `RED = (255, 0, 0)` from no JSON at all. A Flag is a list of names. What stands for a member in Python
is taken as well: its value, and its name where its value is a text.

pydantic knows values only. So its own reading of an enum, which is tried last, is wrapped; wherever one
stands, in the user's classes too.
"""

from __future__ import annotations

import json
from enum import Enum, Flag
from functools import partial
from typing import Any

__all__ = ["enum_schema", "offered", "reads_names"]

# What is no part of a schema: values, and pydantic's own notes.
_DATA = frozenset({"default", "expected", "members", "metadata", "config", "serialization", "cls"})


def _has_names(of: type[Enum]) -> bool:
    return issubclass(of, Flag) or not all(isinstance(member.value, str) for member in of)


def _one(member: Enum) -> str:
    return member.name if _has_names(type(member)) else member.value


def enum_schema(of: type[Enum]) -> dict[str, Any]:
    """What a model is told of an enum, as JSON schema."""
    one = {"type": "string", "enum": [_one(member) for member in of]}
    return {"type": "array", "items": one, "uniqueItems": True} if issubclass(of, Flag) else one


def offered(value: object) -> object:
    """A default as a model would write it: the enums in it by what is offered of them."""
    if isinstance(value, Flag):
        return [member.name for member in value]
    if isinstance(value, Enum):
        return _one(value)
    if type(value) in {list, tuple}:
        return [offered(one) for one in value]  # type: ignore[attr-defined]  # of one of these
    if type(value) is dict:
        return {offered(key): offered(one) for key, one in value.items()}
    return value


def reads_names(schema: Any) -> Any:  # noqa: ANN401 - a schema of pydantic's core, or a part of one
    """The same schema, reading enums by their names too; the very one that was passed where it has none."""
    if isinstance(schema, dict):
        changed = {
            key: new
            for key, old in schema.items()
            if key not in _DATA and (new := reads_names(old)) is not old
        }
        schema = {**schema, **changed} if changed else schema
        return _wrapped(schema) if schema.get("type") == "enum" and "cls" in schema else schema
    if isinstance(schema, list | tuple):
        items = [reads_names(one) for one in schema]
        return type(schema)(items) if any(a is not b for a, b in zip(items, schema, strict=True)) else schema
    return schema


def _wrapped(schema: dict[str, Any]) -> Any:  # noqa: ANN401
    from pydantic_core import core_schema

    inner = {key: value for key, value in schema.items() if key != "ref"}
    function = partial(_member, schema["cls"])
    return core_schema.no_info_wrap_validator_function(function, inner, ref=schema.get("ref"))


def _member(of: type[Enum], given: Any, read: Any) -> Enum:  # noqa: ANN401 - what JSON can carry; pydantic's handler
    """The member that is meant.

    Raises:
        PydanticCustomError: it is none.
    """
    from pydantic import ValidationError
    from pydantic_core import PydanticCustomError

    found = _combined(of, given) if issubclass(of, Flag) else _found(of, given)
    if found is not None:
        return found
    try:
        member: Enum = read(given)
    except ValidationError as error:
        words = [repr(_one(one)) for one in of]
        known = f"a list of {' and '.join(words)}" if issubclass(of, Flag) else " or ".join(words)
        raise PydanticCustomError("enum", "Input should be {known}", {"known": known}) from error
    return member


def _found(of: type[Enum], given: object) -> Enum | None:
    named = of.__members__.get(given) if isinstance(given, str) else None
    valued = next((member for member in of if _is_value(member.value, given)), None)
    # One may be 0, which is false.
    first, second = (named, valued) if _has_names(of) else (valued, named)
    return second if first is None else first


def _combined(of: type[Flag], given: object) -> Flag | None:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(
        isinstance(name, str) and name in of.__members__ for name in names
    ):
        return None
    found = of(0)
    for name in names:
        found |= of[name]
    return found


def _is_value(value: object, given: object) -> bool:
    """Whether JSON's `given` is that value. Of a number its kind counts: 1 is not True."""
    if isinstance(value, tuple | list | dict):
        try:
            return bool(json.loads(json.dumps(value)) == given)
        except (TypeError, ValueError, RecursionError):
            return False
    plain = value is None or isinstance(value, str | int | float)
    return plain and isinstance(given, bool) == isinstance(value, bool) and value == given
