"""A function's signature as a JSON schema, and as the check of what a model writes.

pydantic makes both from the signature alone: what the model is told and what is enforced cannot differ.
"""

from __future__ import annotations

import contextlib
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, get_args

from gip_nb.errors import BadSetting
from gip_nb.tools.arguments import Arguments, Unusable, read_arguments
from gip_nb.tools.descriptions import class_description, described
from gip_nb.tools.enums import enum_schema, offered, reads_names
from gip_nb.tools.json_schema import for_servers
from gip_nb.tools.scalars import as_python
from gip_nb.tools.signature import Parameter, hint_text, name_of, parameters_of, underlying
from gip_nb.tools.texts import any_text, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pydantic
    from pydantic.json_schema import GenerateJsonSchema

__all__ = ["Arguments", "Unusable", "arguments_of", "schema_of"]

# A parameter may be called `schema` or `_x`, which pydantic keeps for itself.
_FIELD = "arg_"
# Defaults that stay what they are.
_FOR_GOOD = (str, int, float, Enum, NoneType)


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The tool as the session names it, canonical shape.

    Parameters that no JSON can fill and that have a default are the function's own affair: the model is not
    told of them.

    Raises:
        BadSetting: no schema can be made of it.
    """
    _, schema = _read(function)
    return {
        "type": "function",
        "name": name_of(function),
        "description": _description(function),
        "parameters": for_servers(schema),
    }


def _description(function: Callable[..., Any]) -> str:
    own = underlying(function)
    if isinstance(own, type):
        return class_description(own).text
    text = described(own.__doc__).text
    # Of an object that can be called: what its class says, where the method says nothing.
    is_object = getattr(type(function), "__call__", None) is own  # noqa: B004 - its class's own
    return class_description(type(function)).text if is_object and not text else text


def arguments_of(function: Callable[..., Any], arguments: str) -> Arguments:
    """The arguments that the model gave, as what the function's hints say.

    Raises:
        Unusable: the model wrote something else.
        BadSetting: the function, defined anew, has no usable signature any more.
    """
    always = {one.name for one in parameters_of(function) if one.passed}
    return read_arguments(_read(function)[0], arguments, always)


def _read(function: Callable[..., Any]) -> tuple[type[pydantic.BaseModel], dict[str, Any]]:
    """A model with a field a parameter, and its JSON schema as pydantic writes it."""
    name = name_of(function)
    parameters = tuple(parameters_of(function))
    # Each call asks anew, since the hints may be others by now. What was made of the same ones is kept, but
    # for defaults that may change, or that would be kept alive.
    if all(one.required or isinstance(one.default, _FOR_GOOD) for one in parameters):
        with contextlib.suppress(TypeError):  # a hint that has no hash
            return _remembered(name, parameters)
    return _made(name, parameters)


@lru_cache(maxsize=64)
def _remembered(
    name: str, parameters: tuple[Parameter, ...]
) -> tuple[type[pydantic.BaseModel], dict[str, Any]]:
    return _made(name, parameters)


def _made(name: str, parameters: Sequence[Parameter]) -> tuple[type[pydantic.BaseModel], dict[str, Any]]:
    try:
        return _model(name, parameters)
    except Exception:  # noqa: BLE001 - which of them it was is looked for now
        kept = [one for one in parameters if _is_for_the_model(name, one)]
    try:
        return _model(name, kept)
    except Exception as error:
        raise BadSetting(
            f"tool {name!r}: no JSON schema for its type hints ({short(any_text(error))})",
            "use hints that JSON can carry.",
        ) from error


def _model(name: str, parameters: Sequence[Parameter]) -> tuple[type[pydantic.BaseModel], dict[str, Any]]:
    import pydantic

    config = pydantic.ConfigDict(extra="forbid", alias_generator=lambda name: name.removeprefix(_FIELD))
    fields: dict[str, Any] = {}
    for one in parameters:
        default = ... if one.required and not one.passed else one.default
        hint = one.hint
        # What the hint says of itself, `Annotated[str, "..."]`, stands nearer to it than the docstring.
        if one.description and not any(getattr(said, "description", None) for said in get_args(hint)):
            hint = Annotated[hint, pydantic.Field(description=one.description)]
        fields[_FIELD + one.name] = (hint, default)
    model = pydantic.create_model(name, __config__=config, **fields)
    _read_enums_by_name(model)
    return model, model.model_json_schema(schema_generator=_generator())


def _read_enums_by_name(model: type[pydantic.BaseModel]) -> None:
    """Let a model of ours, and what is in it, take enums by the names of their members."""
    from pydantic_core import SchemaValidator

    whole = model.__pydantic_core_schema__
    known = reads_names(whole)
    if known is whole:
        return
    # Else a class of the user's that has a validator is read by that one. Older versions know no such thing.
    with contextlib.suppress(TypeError):
        model.__pydantic_validator__ = SchemaValidator(known, None, _use_prebuilt=False)
        return
    model.__pydantic_validator__ = SchemaValidator(known)


def _is_for_the_model(tool: str, parameter: Parameter) -> bool:
    """Whether a model can fill a parameter.

    Raises:
        BadSetting: it cannot, and nobody else does.
    """
    try:
        _model(tool, [parameter])
    except Exception as error:
        if not parameter.required:
            return False
        if getattr(error, "code", None) == "typed-dict-version":
            step = "import TypedDict from typing_extensions: before Python 3.12 its own cannot be read here."
        else:
            step = (
                "use a hint that JSON can carry (a name or a number by which the function finds it), or "
                "give it a default: the model is then not told of it."
            )
        # pydantic's own advice is for whoever writes models.
        advice = any_text(error).partition("\n")[0]
        told = "" if "SchemaGeneration" in type(error).__name__ else f" ({short(advice)})"
        raise BadSetting(
            f"tool {tool!r}: no JSON for its argument {parameter.name!r}: {hint_text(parameter.hint)}{told}",
            step,
        ) from error
    return True


def _told_of(of: type | None, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a class with what its docstring says: of itself, and of those fields that say nothing."""
    if of is None:
        return schema
    told = class_description(of)
    schema = {key: value for key, value in schema.items() if key != "description"}
    if told.text:
        schema["description"] = told.text
    for name, one in schema.get("properties", {}).items():
        if name in told.parameters and "description" not in one:
            one["description"] = told.parameters[name]
    return schema


@lru_cache(maxsize=1)
def _generator() -> type[GenerateJsonSchema]:
    """Made on first use: pydantic is imported then."""
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        """As pydantic writes it, with what a model can do without left out."""

        # A default that is no JSON is the function's own affair.
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - the base class's form

        def decimal_schema(self, schema: Any) -> Any:  # noqa: ANN401 - pydantic's own
            """A number: the pattern of its texts is longer than most schemas."""
            found = super().decimal_schema(schema)
            return found["anyOf"][0] if "anyOf" in found else found

        def enum_schema(self, schema: Any) -> Any:  # noqa: ANN401
            """Its members as the model is to write them."""
            return enum_schema(schema["cls"]) if schema["members"] else super().enum_schema(schema)

        def encode_default(self, dft: Any) -> Any:  # noqa: ANN401
            """As the model is to write it."""
            return super().encode_default(as_python(offered(dft)))

        def model_schema(self, schema: Any) -> Any:  # noqa: ANN401
            return _told_of(schema["cls"], super().model_schema(schema))

        def dataclass_schema(self, schema: Any) -> Any:  # noqa: ANN401
            return _told_of(schema["cls"], super().dataclass_schema(schema))

        def typed_dict_schema(self, schema: Any) -> Any:  # noqa: ANN401
            return _told_of(schema.get("cls"), super().typed_dict_schema(schema))

    return Generator
