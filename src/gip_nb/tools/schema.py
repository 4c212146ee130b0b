"""A function's signature as a JSON schema, and as the check of what a model writes.

pydantic makes both from the signature alone: what the model is told and what is enforced cannot differ.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from gip_nb.errors import BadSetting
from gip_nb.tools.arguments import Unusable, read_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    import pydantic

__all__ = ["Unusable", "arguments_of", "schema_of"]

# A parameter may be called `schema` or `_x`, which pydantic keeps for itself.
_FIELD = "arg_"
_NAME = re.compile("[a-zA-Z0-9_-]{1,64}")  # the API's own rule


def arguments_of(function: Callable[..., Any], arguments: str) -> dict[str, Any]:
    """The arguments that the model gave, as what the function's hints say.

    Raises:
        Unusable: the model wrote something else.
        BadSetting: the function, defined anew, has no usable signature any more.
    """
    return read_arguments(_model(function), arguments)


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
    if inspect.iscoroutinefunction(function):
        raise BadSetting(
            f"tool {function.__name__!r} is an async function",
            "write it with a plain `def`; it runs in a thread of its own and may take its time.",
        )
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
