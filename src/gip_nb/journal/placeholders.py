"""What stands in the place of content that is hidden: of the same shape, and saying nothing. Pure.

Done to placeholders again, all of it gives the same placeholders.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gip_nb.protocol.frames import NOT_JSON

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MOST_DEPTH", "Placeholders", "masked"]

WORD = "xxxx"
# No event of the protocol is nested as deep; beyond it there is nothing.
MOST_DEPTH = 40
_PIECES = re.compile(r"\s+|\S+")
# What a tool's output begins with that has failed: this package's own word.
_FAILED = "error:"
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_SUBSCHEMAS = frozenset({"additionalProperties", "allOf", "anyOf", "items", "not", "oneOf", "prefixItems"})
# Of these the keys are names that somebody gave.
_NAMED_SCHEMAS = frozenset({"$defs", "definitions", "properties"})
_HIDDEN = frozenset({"$ref", "const", "default", "description", "enum", "examples", "title"})


def masked(text: str) -> str:
    """Each word in its place, and between them a line's end or a space."""
    return _PIECES.sub(_mask, text)


def _mask(found: re.Match[str]) -> str:
    if not found[0].isspace():
        return WORD
    return "\n" if "\n" in found[0] else " "


class Placeholders:
    """The placeholders of one log, which remember the names that they gave."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._count: dict[str, int] = {}

    def name(self, name: str, kind: str) -> str:
        """The new name of an id or a key: `kind` and a number, the same one each time."""
        found = self._names.get(name)
        if found is None:
            self._count[kind] = self._count.get(kind, 0) + 1
            found = self._names[name] = f"{kind}_{self._count[kind]}"
        return found

    def content(self, value: object, depth: int = 0) -> object:
        """Of JSON of any kind: its shape.

        Args:
            value: as it was decoded.
            depth: how many objects and lists it lies in.
        """
        if isinstance(value, str):
            return masked(value)
        if isinstance(value, bool):
            return False
        if isinstance(value, int | float):
            return 0
        if isinstance(value, list) and depth <= MOST_DEPTH:
            return [self.content(inner, depth + 1) for inner in value]
        if isinstance(value, dict) and depth <= MOST_DEPTH:
            return {self.name(k, "key"): self.content(inner, depth + 1) for k, inner in value.items()}
        return None

    def json_text(self, text: str) -> str:
        """Of a call's arguments or output: what is JSON stays JSON, what failed has failed."""
        if text.startswith(_FAILED):
            return _FAILED + masked(text.removeprefix(_FAILED))
        try:
            return json.dumps(self.content(json.loads(text)))
        except NOT_JSON:
            return masked(text)

    def metadata(self, value: Mapping[str, Any], depth: int = 0) -> dict[str, object]:
        """Different ones stay different: by them a response is known to be the one that was asked for."""
        return {
            self.name(key, "key"): (
                self.name(inner, "value")
                if isinstance(inner, str) and inner
                else self.content(inner, depth + 1)
            )
            for key, inner in value.items()
        }

    def schema(self, value: object, depth: int = 0) -> object:
        """Of a tool's parameters: their types, under new names, the same as in its calls' arguments."""
        if isinstance(value, bool):
            return value
        if isinstance(value, list) and depth <= MOST_DEPTH:
            return [self.schema(inner, depth + 1) for inner in value]
        if not isinstance(value, dict) or depth > MOST_DEPTH:
            return self.content(value, depth)
        made: dict[str, object] = {}
        for key, inner in value.items():
            if key in _NAMED_SCHEMAS and isinstance(inner, dict):
                made[key] = {self.name(n, "key"): self.schema(one, depth + 2) for n, one in inner.items()}
            elif key in _SUBSCHEMAS:
                made[key] = self.schema(inner, depth + 1)
            elif key == "type" and isinstance(inner, str) and inner in _TYPES:
                made[key] = inner
            elif key == "required" and isinstance(inner, list):
                made[key] = [self.name(n, "key") for n in inner if isinstance(n, str)]
            else:
                known = key in _HIDDEN or key == "type"
                made[key if known else self.name(key, "key")] = self.content(inner, depth + 1)
        return made
