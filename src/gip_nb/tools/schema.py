"""A function's signature as a JSON schema, and as the check of what a model writes.

pydantic makes both from the signature alone: what the model is told and what is enforced cannot differ.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

from gip_nb.errors import BadSetting

if TYPE_CHECKING:
    from collections.abc import Callable

    import pydantic

__all__ = ["Unusable", "arguments_of", "schema_of"]

# A parameter may be called `schema` or `_x`, which pydantic keeps for itself.
_FIELD = "arg_"
_NAME = re.compile("[a-zA-Z0-9_-]{1,64}")  # the API's own rule


class Unusable(Exception):
    """What the model wrote as arguments is none of the function."""


def arguments_of(function: Callable[..., Any], arguments: str) -> dict[str, Any]:
    """The arguments as what the function's hints say.

    Raises:
        Unusable: the model wrote something else.
        BadSetting: the function, defined anew, has no usable signature any more.
    """
    import pydantic

    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise Unusable(f"the arguments are not JSON: {error}") from error
    if not isinstance(given, dict):
        raise Unusable("the arguments are no JSON object")
    try:
        checked = _model(function).model_validate(given)
    except pydantic.ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise Unusable(f"bad arguments: {problems}") from error
    # Attributes and not a dump: nested models reach the function as what its hints say.
    return {n.removeprefix(_FIELD): getattr(checked, n) for n in type(checked).model_fields}


def _model(function: Callable[..., Any]) -> type[pydantic.BaseModel]:
    import pydantic

    try:
        signature = inspect.signature(function, eval_str=True)
    except Exception as error:  # hints given as text are run, and may raise anything
        raise BadSetting(
            f"tool {getattr(function, '__name__', function)!r}: its signature cannot be read ({error})",
            "write its type hints with names that are defined in the notebook.",
        ) from error
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise BadSetting(
                f"tool {function.__name__!r} takes {parameter}",
                "give each argument a name: a model cannot fill *args, **kwargs or positional-only ones.",
            )
        hint = Any if parameter.annotation is parameter.empty else parameter.annotation
        fields[_FIELD + parameter.name] = (
            hint,
            ... if parameter.default is parameter.empty else parameter.default,
        )
    config = pydantic.ConfigDict(extra="forbid", alias_generator=lambda name: name.removeprefix(_FIELD))
    try:
        return pydantic.create_model(function.__name__, __config__=config, **fields)
    except Exception as error:  # a hint inside a hint may be text too
        raise _no_schema(function, error) from error


def _no_schema(function: Callable[..., Any], error: Exception) -> BadSetting:
    return BadSetting(
        f"tool {function.__name__!r}: no JSON schema for its type hints ({error})",
        "use hints that JSON can carry.",
    )


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The tool as the session names it, canonical shape.

    Raises:
        BadSetting: no schema can be made of it.
    """
    if not _NAME.fullmatch(function.__name__):
        raise BadSetting(
            f"no tool can be called {function.__name__!r}",
            "give the function a name of 1 to 64 letters a to z, digits and underscores.",
        )
    import pydantic

    try:
        parameters = _model(function).model_json_schema()
    except pydantic.errors.PydanticUserError as error:
        raise _no_schema(function, error) from error
    parameters.pop("title", None)
    for one in parameters.get("properties", {}).values():
        one.pop("title", None)
    return {
        "type": "function",
        "name": function.__name__,
        "description": inspect.getdoc(function) or "",
        "parameters": {"properties": {}, **parameters},
    }
