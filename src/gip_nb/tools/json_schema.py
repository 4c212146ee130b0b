"""pydantic's JSON schema of a tool's arguments, made into what realtime servers take. Pure.

Many of them know a part of JSON Schema only. References are written out where they do not lead back to
themselves, a tuple is a list with a fixed length, one constant is an enumeration of one, and what says
nothing to a model (titles, formats that nobody knows) is left out. What is enforced stays as it is, but
for this: objects with known names say that there are no others, which pydantic lets pass.
"""

from __future__ import annotations

import json
import math
from typing import Any

from gip_nb.errors import BadSetting

__all__ = ["for_servers"]

# Those that JSON Schema itself defines and that a model can act on.
_FORMATS = {
    *("date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "regex", "uri", "uuid"),
}
_MAX_DEFAULT_CHARS = 500
# Schemas that stand in these places; everything else (enum, const, default, examples) is data.
_ONE = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs")
_REFERENCE = "#/$defs/"
# Types that hold each other twice, twenty deep, are a million schemas when they are written out.
_MOST_SCHEMAS = 5_000


def for_servers(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object, as servers take it. The one that was passed is left as it is.

    Raises:
        BadSetting: written out, it would be a flood.
    """
    definitions: dict[str, Any] = schema.get("$defs", {})
    recursive = {name for name in definitions if _leads_to(name, definitions)}
    cleaner = _Cleaner(definitions, recursive)
    cleaned = cleaner.clean({key: value for key, value in schema.items() if key != "$defs"})
    cleaned = {"type": "object", "properties": {}, **cleaned, "additionalProperties": False}
    kept: dict[str, Any] = {}
    while missing := [name for name in cleaner.used if name not in kept]:
        for name in missing:
            kept[name] = cleaner.clean(definitions[name])
    return {**cleaned, "$defs": kept} if kept else cleaned


def _references(schema: Any) -> set[str]:  # noqa: ANN401 - a schema, or True
    """The names of the definitions that a schema refers to."""
    if not isinstance(schema, dict):
        return set()
    found = set()
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found.add(reference.removeprefix(_REFERENCE))
    for inner in _within(schema):
        found |= _references(inner)
    return found


def _within(schema: dict[str, Any]) -> list[Any]:
    inner = [schema[key] for key in _ONE if key in schema]
    inner += [one for key in _MANY for one in schema.get(key, [])]
    inner += [one for key in _NAMED for one in schema.get(key, {}).values()]
    return inner


def _leads_to(name: str, definitions: dict[str, Any]) -> bool:
    """Whether a definition is part of itself, however many steps away."""
    seen: set[str] = set()
    waiting = _references(definitions[name])
    while waiting:
        one = waiting.pop()
        if one == name:
            return True
        if one not in seen and one in definitions:
            seen.add(one)
            waiting |= _references(definitions[one])
    return False


class _Cleaner:
    """Rewrites schemas; notes in `used` which definitions are still referred to."""

    def __init__(self, definitions: dict[str, Any], recursive: set[str]) -> None:
        self._definitions = definitions
        self._recursive = recursive
        self._written = 0
        self.used: dict[str, None] = {}

    def clean(self, schema: Any) -> Any:  # noqa: ANN401 - a schema, or True
        """A schema, and all schemas in it."""
        if not isinstance(schema, dict):
            return schema
        self._written += 1
        if self._written > _MOST_SCHEMAS:
            raise BadSetting(
                f"the type hints make a schema of more than {_MOST_SCHEMAS:,} parts",
                "pass less nested types, or a name or a number by which the function finds the rest.",
            )
        schema = self._written_out(schema)
        cleaned: dict[str, Any] = {}
        for key, value in schema.items():
            if key in {"title", "discriminator"} or (key == "format" and value not in _FORMATS):
                continue
            if key == "const":
                cleaned["enum"] = [value]
            elif key == "default":
                # That null stands for "left out" says nothing.
                if value is not None and _is_small_json(value):
                    cleaned[key] = _number(value) if schema.get("type") == "number" else value
            else:
                # A discriminated union's members exclude each other as they are.
                cleaned["anyOf" if key == "oneOf" else key] = self._inside(key, value)
        return _closed(_optional(_number_of_both(_fixed_length(cleaned, schema)), schema))

    def _inside(self, key: str, value: Any) -> Any:  # noqa: ANN401 - a keyword's value
        if key == "$ref":
            self.used[value.removeprefix(_REFERENCE)] = None
        if key in _ONE:
            return self.clean(value)
        if key in _MANY:
            return [self.clean(one) for one in value]
        if key in _NAMED:
            return {name: self.clean(one) for name, one in value.items()}
        return value

    def _written_out(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What a reference stands for, with what stands beside it on top."""
        while "$ref" in schema:
            name = schema["$ref"].removeprefix(_REFERENCE)
            if name in self._recursive or name not in self._definitions:
                break
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self._definitions[name], **beside}
        whole = schema.get("allOf")
        if isinstance(whole, list) and len(whole) == 1:
            beside = {key: value for key, value in schema.items() if key != "allOf"}
            return self._written_out({**whole[0], **beside})
        return schema


def _fixed_length(schema: dict[str, Any], original: dict[str, Any]) -> dict[str, Any]:
    """A tuple as a list: several servers refuse a list without `items`, and do not know `prefixItems`."""
    parts = schema.pop("prefixItems", None)
    if schema.get("type") != "array":
        return schema
    if parts is None:
        return {**schema, "items": schema.get("items", {})}
    kinds = [part for n, part in enumerate(parts) if part not in parts[:n]]
    rest = schema.pop("items", None)
    if isinstance(rest, dict) and rest not in kinds:
        kinds.append(rest)
    if not kinds:
        return {**schema, "items": {}}
    if len(kinds) == 1 and not any("title" in part for part in original["prefixItems"]):
        return {**schema, "items": kinds[0]}
    names = [part.get("title", "").lower() for part in original["prefixItems"]]
    types = [str(part.get("type") or part.get("enum") or "any") for part in parts]
    order = ", ".join(f"{name} {of}".strip() for name, of in zip(names, types, strict=True))
    told = " ".join(filter(None, [schema.get("description"), f"In this order: {order}."]))
    return {**schema, "items": {"anyOf": kinds} if len(kinds) > 1 else kinds[0], "description": told}


def _number_of_both(schema: dict[str, Any]) -> dict[str, Any]:
    """`int | float` is a number."""
    if schema.get("anyOf") != [{"type": "integer"}, {"type": "number"}]:
        return schema
    return {"type": "number", **{key: value for key, value in schema.items() if key != "anyOf"}}


def _optional(cleaned: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """`X | None = None` is an X that may be left out: null says no more, and some servers know no `anyOf`."""
    members = cleaned.get("anyOf")
    if not isinstance(members, list) or {"type": "null"} not in members:
        return cleaned
    if "default" not in schema or schema["default"] is not None:
        return cleaned
    rest = [member for member in members if member != {"type": "null"}]
    beside = {key: value for key, value in cleaned.items() if key != "anyOf"}
    return {**rest[0], **beside} if len(rest) == 1 else {**beside, "anyOf": rest}


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    if "properties" in schema and "additionalProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return schema


def _number(value: Any) -> Any:  # noqa: ANN401
    """A Decimal is a text to pydantic, and a number in the schema."""
    if not isinstance(value, str):
        return value
    number = float(value)
    return int(number) if number.is_integer() else number


def _is_small_json(value: Any) -> bool:  # noqa: ANN401 - what pydantic made of a default
    """Whether a default can be sent, and is no flood. NaN is a number to Python and none to JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    try:
        return len(json.dumps(value, allow_nan=False)) <= _MAX_DEFAULT_CHARS
    except (TypeError, ValueError, RecursionError):
        return False
