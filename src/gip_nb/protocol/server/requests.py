"""What a client asks the server for, checked: any event, and the `response` of a `response.create`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.audio_formats import format_of
from gip_nb.protocol.dialects import client_event_to_canonical
from gip_nb.protocol.events import BETA, CLIENT_EVENTS, FIELD_TYPES, GA
from gip_nb.protocol.server.checks import (
    audio_format,
    check_boolean,
    check_length,
    check_max_tokens,
    check_string,
    check_tool_choice,
    check_tools,
    check_voice,
    missing,
    not_one_of,
    unknown_parameter,
    wrong_type,
)
from gip_nb.protocol.server.items import stored_item
from gip_nb.protocol.server.parts import Prompt, Refused
from gip_nb.protocol.server.responses import Request
from gip_nb.protocol.server.session import check_keys, check_modalities, transcription_refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.events import Dialect, Event
    from gip_nb.protocol.server.memory import Memory, StoredItem

__all__ = ["checked_request", "response_request"]

_TYPE_NAMES = {str: "a string", int: "an integer", float: "a decimal", dict: "an object", list: "an array"}
_RESPONSE_KEYS: Mapping[Dialect, frozenset[str]] = {
    BETA: frozenset(
        (
            "conversation",
            "input",
            "instructions",
            "max_output_tokens",  # the name in beta's first guide
            "max_response_output_tokens",
            "metadata",
            "modalities",
            "output_audio_format",
            "temperature",
            "tool_choice",
            "tools",
            "voice",
        )
    ),
    GA: frozenset(
        (
            "audio",
            "conversation",
            "input",
            "instructions",
            "max_output_tokens",
            "metadata",
            "output_modalities",
            "parallel_tool_calls",
            "prompt",
            "reasoning",
            "tool_choice",
            "tools",
        )
    ),
}
# The API's own limits: how many pairs, and how many characters of each.
_MOST_METADATA, _MOST_METADATA_KEY, _MOST_METADATA_VALUE = 16, 64, 512
_MOST_EVENT_ID = 512
_BETA_ONLY = ("transcription_session.update",)


def checked_request(event: Event, dialect: Dialect) -> Event:
    """A client's event, canonical, with all it needs.

    Args:
        event: as it was on the wire; its `type` is a string.
        dialect: of the connection.

    Raises:
        Refused: an event or a setting that this dialect has not, a field that is missing or of the wrong
        type.
    """
    name = event["type"]
    known = (*CLIENT_EVENTS, *(_BETA_ONLY if dialect == BETA else ()))
    if name not in known:
        raise not_one_of(name, known, "type")
    canonical = client_event_to_canonical(event, dialect)
    _check_fields(event, canonical["type"])
    if canonical["type"] == "session.update":
        if name in _BETA_ONLY:
            raise transcription_refused("type")
        check_keys(event["session"], dialect)
    elif canonical["type"] == "response.create" and event.get("response") is not None:
        for key in event["response"]:
            if key not in _RESPONSE_KEYS[dialect]:
                raise unknown_parameter(f"response.{key}")
        check_modalities(event["response"], dialect, "response")
    return canonical


def _check_fields(event: Event, canonical_type: str) -> None:
    spec = CLIENT_EVENTS[canonical_type]
    for field in (*spec.required, *spec.optional):
        value = event.get(field)
        if value is None:
            if field in spec.required:
                raise missing(field)
        elif not isinstance(value, FIELD_TYPES[field]) or isinstance(value, bool):
            raise wrong_type(field, _TYPE_NAMES[FIELD_TYPES[field]])
    check_length(event.get("event_id") or "", _MOST_EVENT_ID, "event_id")


def response_request(
    given: Mapping[str, Any],
    session: Mapping[str, Any],
    conversation_id: str,
    memory: Memory,
    new_id: Callable[[str], str],
) -> Request:
    """The session's settings with those of a `response.create` laid over them.

    Args:
        given: its `response`, canonical; may be empty.
        session: canonical, complete.
        conversation_id: of the default conversation.
        memory: for references to items.
        new_id: makes an id, given its prefix.

    Raises:
        Refused: a value that the API does not take.
    """
    output = dict(session["audio"]["output"])
    own_audio = given.get("audio")
    own_output = own_audio.get("output") if isinstance(own_audio, dict) else None
    if isinstance(own_output, dict):
        output |= {key: value for key, value in own_output.items() if value is not None}
    check_voice(output["voice"], "response.audio.output.voice")
    wire_format = format_of(audio_format(output["format"], "response.audio.output.format"))
    chosen = {
        key: session[key] if given.get(key) is None else given[key]
        for key in ("instructions", "tools", "tool_choice", "output_modalities", "max_output_tokens")
    }
    check_tools(chosen["tools"], "response.tools")
    check_tool_choice(chosen["tool_choice"], "response.tool_choice")
    check_max_tokens(chosen["max_output_tokens"], "response.max_output_tokens")
    _check_named_tool(given.get("tool_choice"), chosen["tools"])
    return Request(
        prompt=Prompt(
            lines=(),
            tools=tuple(tool for tool in chosen["tools"] if tool["type"] == "function"),
            tool_choice=chosen["tool_choice"],
            instructions=str(chosen["instructions"]),
            parallel_tool_calls=_may_call_several(given, session),
        ),
        modalities=list(chosen["output_modalities"]),
        voice=output["voice"] if isinstance(output["voice"], str) else output["voice"]["id"],
        speed=float(output["speed"]),
        max_output_tokens=chosen["max_output_tokens"],
        conversation_id=_conversation(given.get("conversation"), conversation_id),
        metadata=_metadata(given.get("metadata")),
        temperature=session.get("temperature"),
        own_items=_own_items(
            given.get("input"), memory, new_id, format_of(session["audio"]["input"]["format"])
        ),
        audio_format=wire_format,
    )


def _may_call_several(given: Mapping[str, Any], session: Mapping[str, Any]) -> bool:
    value = given.get("parallel_tool_calls")
    if value is None:
        value = session.get("parallel_tool_calls")
    if value is None:
        return True
    check_boolean(value, "response.parallel_tool_calls")
    return bool(value)


def _check_named_tool(choice: object, tools: list[dict[str, Any]]) -> None:
    """A response that has to call a tool that it has not is refused; a session may be given it later."""
    if not isinstance(choice, dict) or choice["type"] != "function":
        return
    if choice["name"] not in [tool.get("name") for tool in tools]:
        raise Refused(
            "invalid_value",
            f"Invalid value: tool '{choice['name']}' is not one of the response's tools: add it to 'tools'.",
            "response.tool_choice",
        )


def _conversation(value: object, conversation_id: str) -> str | None:
    if value in (None, "auto", conversation_id):
        return conversation_id
    if value == "none":
        return None
    raise not_one_of(value, ("auto", "none"), "response.conversation")


def _metadata(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    param = "response.metadata"
    if not isinstance(value, dict):
        raise wrong_type(param, "an object")
    if len(value) > _MOST_METADATA:
        raise Refused(
            "object_above_max_properties",
            f"Invalid '{param}': too many properties. Expected an object with at most {_MOST_METADATA}"
            f" properties, but got an object with {len(value)} properties instead.",
            param,
        )
    for key, inner in value.items():
        check_string(inner, f"{param}.{key}")
        check_length(key, _MOST_METADATA_KEY, param)
        check_length(inner, _MOST_METADATA_VALUE, f"{param}.{key}")
    return dict(value)


def _own_items(
    value: object, memory: Memory, new_id: Callable[[str], str], audio_format: AudioFormat
) -> tuple[StoredItem, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise wrong_type("response.input", "an array")
    return tuple(
        _own_item(one, memory, new_id, f"response.input[{at}]", audio_format) for at, one in enumerate(value)
    )


def _own_item(
    given: object, memory: Memory, new_id: Callable[[str], str], param: str, audio_format: AudioFormat
) -> StoredItem:
    if not isinstance(given, dict):
        raise wrong_type(param, "an object")
    if given.get("type") != "item_reference":
        return stored_item(given, new_id, param, audio_format)
    item = memory.find(str(given.get("id")))
    if item is None:
        raise Refused("invalid_value", f"There is no item of id '{given.get('id')}'.", f"{param}.id")
    return item
