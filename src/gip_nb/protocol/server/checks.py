"""Checks of single values in a client's requests, each refused in the API's own words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.audio_formats import FORMATS, PCM16, format_of
from gip_nb.protocol.server.parts import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "audio_format",
    "check_boolean",
    "check_integer",
    "check_length",
    "check_max_tokens",
    "check_number",
    "check_one_of",
    "check_range",
    "check_string",
    "check_strings",
    "check_tool_choice",
    "check_tools",
    "check_voice",
    "missing",
    "not_one_of",
    "text_field",
    "unknown_parameter",
    "wrong_type",
]

_MOST_OUTPUT_TOKENS = 4096


def wrong_type(param: str, expected: str) -> Refused:
    """A value of another type than `expected` ("a string")."""
    return Refused("invalid_type", f"Invalid type for '{param}': expected {expected}.", param)


def missing(param: str) -> Refused:
    """A field that has to be there and is not."""
    return Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param)


def unknown_parameter(param: str) -> Refused:
    """A field that there is not."""
    return Refused("unknown_parameter", f"Unknown parameter: '{param}'.", param)


def not_one_of(value: object, allowed: Iterable[str], param: str) -> Refused:
    """A value that is none of those allowed."""
    choices = ", ".join(f"'{one}'" for one in allowed)
    return Refused("invalid_value", f"Invalid value: '{value}'. Supported values are: {choices}.", param)


def text_field(given: Mapping[str, Any], name: str, param: str) -> str:
    """The string in a field that has to be there.

    Args:
        given: the object that holds it.
        name: of the field.
        param: where the object stands in the event.

    Raises:
        Refused: it is missing or no string.
    """
    value = given.get(name)
    if value is None:
        raise missing(f"{param}.{name}")
    check_string(value, f"{param}.{name}")
    return str(value)


def check_string(value: object, param: str) -> None:
    """Any text.

    Raises:
        Refused: it is something else.
    """
    if not isinstance(value, str):
        raise wrong_type(param, "a string")


def check_length(text: str, most: int, param: str) -> None:
    """At most so many characters.

    Raises:
        Refused: it has more.
    """
    if len(text) > most:
        raise Refused(
            "string_above_max_length",
            f"Invalid '{param}': string too long. Expected a string with maximum length {most}, but got a"
            f" string with length {len(text)} instead.",
            param,
        )


def check_strings(value: object, param: str) -> None:
    """A list of texts.

    Raises:
        Refused: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong_type(param, "an array of strings")


def check_boolean(value: object, param: str) -> None:
    """True or false.

    Raises:
        Refused: it is something else.
    """
    if not isinstance(value, bool):
        raise wrong_type(param, "a boolean")


def check_one_of(value: object, allowed: tuple[str, ...], param: str) -> None:
    """One of a few words.

    Raises:
        Refused: it is something else.
    """
    if value not in allowed:
        raise not_one_of(value, allowed, param)


def check_integer(value: object, least: int, most: int, param: str) -> None:
    """A whole number within limits, both included.

    Raises:
        Refused: it is none, or outside.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(param, "an integer")
    check_range(value, least, most, param, "integer")


def check_number(value: object, least: float, most: float, param: str) -> None:
    """A number within limits, both included.

    Raises:
        Refused: it is none, or outside.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong_type(param, "a decimal")
    check_range(value, least, most, param, "decimal")


def check_range(value: float, least: float, most: float, param: str, kind: str) -> None:
    """Looks at a number's limits, both included; `kind` is integer or decimal.

    Raises:
        Refused: it is outside.
    """
    if value < least:
        raise Refused(
            f"{kind}_below_min_value",
            f"Invalid '{param}': {kind} below minimum value."
            f" Expected a value >= {least}, but got {value} instead.",
            param,
        )
    if not value <= most:
        raise Refused(
            f"{kind}_above_max_value",
            f"Invalid '{param}': {kind} above maximum value."
            f" Expected a value <= {most}, but got {value} instead.",
            param,
        )


def audio_format(value: object, param: str) -> dict[str, Any]:
    """An audio format, complete: PCM16 at 24 000 Hz or G.711 at 8 000 Hz, in either law.

    Args:
        value: canonical; a text is a name that beta does not know.
        param: where it stands.

    Raises:
        Refused: another format, another rate.
    """
    if not isinstance(value, dict):
        raise not_one_of(value, [known.beta for known in FORMATS], param)
    for key in value:
        # Of G.711 there is one rate, and no word for it.
        if key != "type" and (key != "rate" or value.get("type") != PCM16.type):
            raise unknown_parameter(f"{param}.{key}")
    if value.get("type") not in [known.type for known in FORMATS]:
        raise not_one_of(value.get("type"), [known.type for known in FORMATS], f"{param}.type")
    if value.get("rate") not in (None, PCM16.rate_hz):
        raise not_one_of(value["rate"], (str(PCM16.rate_hz),), f"{param}.rate")
    return format_of(value).as_ga()


def check_voice(value: object, param: str) -> None:
    """Looks at a voice: any name, or GA's `{"id": ...}`.

    Raises:
        Refused: it is neither.
    """
    if not (isinstance(value, str) and value) and not (
        isinstance(value, dict) and isinstance(value.get("id"), str)
    ):
        raise wrong_type(param, "a string")


def check_max_tokens(value: object, param: str) -> None:
    """Looks at a limit of output tokens: 1 to 4096, or `inf`.

    Raises:
        Refused: it is neither.
    """
    if value == "inf":
        return
    check_integer(value, 1, _MOST_OUTPUT_TOKENS, param)


def check_tools(value: object, param: str) -> None:
    """Looks at a list of tools.

    Raises:
        Refused: a tool without a type or without a name.
    """
    if not isinstance(value, list):
        raise wrong_type(param, "an array")
    for at, tool in enumerate(value):
        path = f"{param}[{at}]"
        if not isinstance(tool, dict):
            raise wrong_type(path, "an object")
        if tool.get("type") == "mcp":
            text_field(tool, "server_label", path)
            continue
        if tool.get("type") != "function":
            raise not_one_of(tool.get("type"), ("function", "mcp"), f"{path}.type")
        if not isinstance(tool.get("name"), str) or not tool["name"]:
            raise missing(f"{path}.name")
        if tool.get("description") is not None:
            check_string(tool["description"], f"{path}.description")


def check_tool_choice(value: object, param: str) -> None:
    """Looks at a choice of tools.

    Raises:
        Refused: it is neither a mode nor names a tool.
    """
    if isinstance(value, dict):
        check_one_of(value.get("type"), ("function", "mcp"), f"{param}.type")
        text_field(value, "name" if value["type"] == "function" else "server_label", param)
    elif value not in ("auto", "none", "required"):
        raise not_one_of(value, ("auto", "none", "required"), param)
