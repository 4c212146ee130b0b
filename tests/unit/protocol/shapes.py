"""Every frame against the published list of events, as deep as its objects reach, and the package's models.

The openai package's models reject a missing field of an event and hardly any that is missing inside one: so
the nested objects are checked by `events.json`, whose types are read here. It names some objects alike that
are not; `OWN_OBJECTS` and `BESIDE` say which and what they really are.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from openai.types.beta.realtime import RealtimeClientEvent as BetaClientEvent
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeClientEvent as GaClientEvent
from openai.types.realtime import RealtimeServerEvent as GaServerEvent
from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.events import Dialect

Side = Literal["client", "server"]

PUBLISHED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "events.json").read_text(encoding="utf-8")
)
MODELS: dict[tuple[str, str], TypeAdapter[Any]] = {
    ("beta", "client"): TypeAdapter(BetaClientEvent),
    ("beta", "server"): TypeAdapter(BetaServerEvent),
    ("ga", "client"): TypeAdapter(GaClientEvent),
    ("ga", "server"): TypeAdapter(GaServerEvent),
}


def _object(**fields: str) -> dict[str, dict[str, Any]]:
    """An object as events.json writes it; a `!` at a type's end says that the field is required."""
    return {name: {"type": kind.rstrip("!"), "required": kind.endswith("!")} for name, kind in fields.items()}


# GA's items have a `Content` each, and one name for all of them.
_OWN_GA = {
    "UserContent": _object(
        type='"input_text"|"input_audio"|"input_image"!',
        text="str | null",
        audio="str | null",
        transcript="str | null",
        image_url="str | null",
        detail='"auto"|"low"|"high" | null',
    ),
    "AssistantContent": _object(
        type='"output_text"|"output_audio"!',
        text="str | null",
        audio="str | null",
        transcript="str | null",
    ),
}
OWN_OBJECTS: dict[str, dict[str, Any]] = {"beta": {}, "ga": _OWN_GA}
OWN_TYPES = {
    ("ga", "RealtimeConversationItemUserMessage", "content"): "[UserContent]",
    ("ga", "RealtimeConversationItemAssistantMessage", "content"): "[AssistantContent]",
}
# Fields that servers send (or, in transcription sessions, clients) and that the list does not name.
BESIDE = {
    ("beta", "Session"): {"id", "object", "expires_at", "include"},
    ("ga", "RealtimeSessionCreateRequest"): {"id", "object", "expires_at"},
    ("beta", "Error"): {"event_id"},
    ("beta", "ConversationItem"): set[str](),
}
_PLAIN: dict[str, Callable[[object], bool]] = {
    "str": lambda v: isinstance(v, str),
    "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "float": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "bool": lambda v: isinstance(v, bool),
    "object": lambda _v: True,  # any JSON, such as a schema
    "null": lambda v: v is None,
}
_TOKENS = re.compile(r'"[^"]*"|[\w.]+|[\[\]{},|]')


def problems_of(dialect: Dialect, side: Side, event: dict[str, Any]) -> list[str]:
    """What is wrong with a frame; each with the way to it. Nothing, of a right one."""
    fields = PUBLISHED[dialect][side].get(event.get("type"))
    if fields is None:
        return [f"{event.get('type')}: {dialect} has no such event"]
    return _Check(dialect).fields(
        {k: v for k, v in event.items() if k != "type"}, fields, event["type"], "", frozenset()
    )


def validate(dialect: Dialect, side: Side, event: dict[str, Any]) -> None:
    """Fails on a frame that the package's models, or the published list, do not allow."""
    MODELS[dialect, side].validate_python(event, strict=True)
    assert problems_of(dialect, side, event) == []


@functools.cache
def _tokens(kind: str) -> tuple[str, ...]:
    return tuple(_TOKENS.findall(kind))


class _Check:
    """Walks a value along its published type."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._objects = {**PUBLISHED[dialect]["objects"], **OWN_OBJECTS[dialect]}

    def fields(
        self, value: dict[str, Any], fields: dict[str, Any], at: str, name: str, beside: frozenset[str]
    ) -> list[str]:
        found = [f"{at}.{key}: not published" for key in value if key not in fields and key not in beside]
        for key, field in fields.items():
            if key in value:
                kind = OWN_TYPES.get((self._dialect, name, key), field["type"])
                found += self.value(value[key], kind, f"{at}.{key}")
            elif field["required"]:
                found.append(f"{at}.{key}: missing")
        return found

    def value(self, value: object, kind: str, at: str) -> list[str]:
        tokens = list(_tokens(kind))
        found = self._any_of(value, tokens, at)
        assert not tokens, f"{kind}: not understood from {tokens}"
        return found

    def _any_of(self, value: object, tokens: list[str], at: str) -> list[str]:
        tried = [self._one(value, tokens, at)]
        while tokens and tokens[0] == "|":
            tokens.pop(0)
            tried.append(self._one(value, tokens, at))
        # Of several kinds the one that comes nearest tells what is wrong.
        return min(tried, key=lambda found: (sum(": not one of" in f for f in found), len(found)))

    def _one(self, value: object, tokens: list[str], at: str) -> list[str]:
        token = tokens.pop(0)
        if token in "[{":
            return self._many(value, tokens, at, token)
        if token.startswith('"') or token.isdigit():
            return [] if value == json.loads(token) else [f"{at}: not one of {token}, but {value!r}"]
        if token in _PLAIN:
            return [] if _PLAIN[token](value) else [f"{at}: not one of {token}, but {value!r:.60}"]
        if not isinstance(value, dict):
            return [f"{at}: not one of {token}, but {value!r:.60}"]
        beside = frozenset(BESIDE.get((self._dialect, token), ()))
        return self.fields(value, self._objects[token], at, token, beside)

    def _many(self, value: object, tokens: list[str], at: str, opening: str) -> list[str]:
        inner = tokens.copy()  # read anew for each element
        closing = "]" if opening == "[" else "}"
        depth = 1
        while depth:
            token = tokens.pop(0)
            depth += (token in "[{") - (token in "]}")
        kind = "".join(inner[: len(inner) - len(tokens) - 1])
        if closing == "}":
            kind = kind.partition(",")[2]
            values = list(value.values()) if isinstance(value, dict) else None
        else:
            values = value if isinstance(value, list) else None
        if values is None:
            return [f"{at}: not one of {opening}{closing}, but {value!r:.60}"]
        return [p for n, one in enumerate(values) for p in self.value(one, kind, f"{at}[{n}]")]
