"""What a model wrote as arguments, as what the function's hints say; or what is wrong with it, for the model.

pydantic checks. What models write again and again is taken: a number as a text, nothing at all where there
are no arguments, null for what may be left out, an object or a list as a text of its JSON. All else is
refused with a bounded text that says which argument, what was wrong and what is allowed.
"""

from __future__ import annotations

import copy
import difflib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.tools.texts import short

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    import pydantic

__all__ = ["MAX_ARGUMENTS_CHARS", "Arguments", "Unusable", "read_arguments"]

# No model writes so much, and each wrong item of a list costs time to be told.
MAX_ARGUMENTS_CHARS = 1_000_000
_MAX_TOLD_CHARS = 2_000
_MOST_PLACES = 8
_MOST_PROBLEMS = 1_000
# A text in a text in a text: that is where a model's slip ends.
_MOST_UNWRAPPED = 3


class Unusable(Exception):
    """What the model wrote as arguments is none of the function. Its text is for the model."""


class Arguments(NamedTuple):
    """What a function is called with.

    Attributes:
        by_name: their values, as what the hints say. What was left out is not in it: the function has its own
            defaults.
        text: the JSON object that they were made of. It is what was checked, so that whoever is shown it sees
            what runs: of names that were written twice the one that counts, numbers as they were read, no
            text that stood for an object.
    """

    by_name: dict[str, Any]
    text: str


def read_arguments(model: type[pydantic.BaseModel], text: str, always: Container[str] = ()) -> Arguments:
    """The arguments that were given, as what the model's fields say.

    Args:
        model: one field an argument; a field's alias is the argument's name.
        text: as the model wrote it.
        always: names of those whose values are there anyway, with the field's default.

    Raises:
        Unusable: something else was written.
    """
    given = _object(text)
    checked, problems = _checked(model, given)
    for _ in range(_MOST_UNWRAPPED):
        if checked is not None or not _unwrap(given, problems):
            break
        checked, problems = _checked(model, given)
    if checked is None:
        without = copy.deepcopy(given)
        if _leave_out_nulls(without, problems):
            checked, left = _checked(model, without)
            if not any(problem["type"] == "missing" for problem in left):
                given, problems = without, left
    if checked is None:
        raise Unusable(_told(model, given, problems))
    fields = type(checked).model_fields
    names = {n: field.alias or n for n, field in fields.items()}
    by_name = {
        name: getattr(checked, n)
        for n, name in names.items()
        if n in checked.model_fields_set or name in always
    }
    return Arguments(by_name, _written(given).decode())


def _object(text: str) -> dict[str, Any]:
    """The JSON object that was written.

    Raises:
        Unusable: it is none.
    """
    if len(text) > MAX_ARGUMENTS_CHARS:
        raise Unusable(
            f"bad arguments: {len(text):,} characters, of which at most {MAX_ARGUMENTS_CHARS:,} are read"
        )
    given: Any = text
    for _ in range(2):  # an object, or a text that holds one
        if not isinstance(given, str):
            break
        try:
            given = json.loads(given) if given.strip() else {}
        except json.JSONDecodeError as error:
            near = short(given[max(error.pos - 20, 0) : error.pos + 20], 40)
            raise Unusable(
                f"the arguments are not JSON: {error.msg} at character {error.pos}, near {near!r}"
            ) from error
        except (ValueError, RecursionError) as error:
            raise Unusable(f"the arguments are not JSON: {short(str(error))}") from error
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Unusable(
            f'the arguments are no JSON object but {_shown(given)}; write them by name, as {{"name": value}}'
        )
    return given


def _written(given: dict[str, Any]) -> bytes:
    """As JSON, UTF-8. Half of a surrogate pair is no JSON text."""
    return json.dumps(given, ensure_ascii=False).encode("utf-8", "replace")


def _checked(
    model: type[pydantic.BaseModel], given: dict[str, Any]
) -> tuple[pydantic.BaseModel | None, list[Any]]:
    """The arguments in their types; or None, and pydantic's problems with them."""
    import pydantic

    try:
        # As JSON and not as Python objects: a strict model takes a date's text from the one only.
        return model.model_validate_json(_written(given)), []
    except pydantic.ValidationError as error:
        # Their contexts are left out: they hold what the user's own validators raised.
        return None, error.errors(include_url=False, include_context=False)[:_MOST_PROBLEMS]
    except Exception as error:
        # A validator of the user's may raise anything.
        raise Unusable(
            f"the arguments could not be checked: {type(error).__name__}: {short(_text(error))}"
        ) from error


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's own exception, whose text may fail too
        return "(no text)"


def _place(given: Any, loc: Iterable[str | int]) -> tuple[list[str | int], Any, Any]:  # noqa: ANN401
    """Where in the arguments a problem is: the way there, what holds the value, and the value.

    Parts of pydantic's way that are none of the arguments (which member of a union it tried) are passed over.
    """
    way: list[str | int] = []
    holder, value = None, given
    for part in loc:
        inside = (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)
        )
        if inside:
            way.append(part)
            holder, value = value, value[part]
    return way, holder, value


def _unwrap(given: dict[str, Any], problems: list[Any]) -> bool:
    """Read texts that hold JSON where something else than a text is wanted. Whether there was one."""
    found = False
    for problem in problems:
        way, holder, value = _place(given, problem["loc"])
        if holder is None or not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
            continue
        try:
            holder[way[-1]] = json.loads(value)
        except (ValueError, RecursionError):
            continue
        found = True
    return found


def _leave_out_nulls(given: dict[str, Any], problems: list[Any]) -> bool:
    """Take nulls away where none is allowed: what may be left out is left out. Whether there was one."""
    found = False
    for problem in problems:
        way, holder, value = _place(given, problem["loc"])
        if value is None and isinstance(holder, dict) and way[-1] in holder:
            del holder[way[-1]]
            found = True
    return found


# ----------------------------------------------------------------------------------------- what is told of it


def _told(model: type[pydantic.BaseModel], given: dict[str, Any], problems: list[Any]) -> str:
    known = [field.alias or name for name, field in model.model_fields.items()]
    told: dict[str, list[str]] = {}
    got: dict[str, str] = {}
    for problem in problems:
        way, _, value = _place(given, problem["loc"])
        kind = problem["type"]
        if kind == "missing":
            way = [*way, problem["loc"][-1]]
            what = "is required"
        elif kind == "extra_forbidden":
            what = _unknown(way, known)
        else:
            what = short(problem["msg"], 300)
            got[_way_text(way)] = f" (got {_shown(value)})"
        of = told.setdefault(_way_text(way), [])
        if what not in of and len(of) < _MOST_PLACES:
            of.append(what)
    lines = [f"{way}: {' or '.join(what)}{got.get(way, '')}" for way, what in told.items()]
    more = [f"and {len(lines) - _MOST_PLACES:,} more"] if len(lines) > _MOST_PLACES else []
    return short(f"bad arguments: {'; '.join([*lines[:_MOST_PLACES], *more])}", _MAX_TOLD_CHARS)


def _unknown(way: list[str | int], known: list[str]) -> str:
    if len(way) != 1:
        return "is not known here"
    if not known:
        return "there is no such argument; it takes none"
    near = difflib.get_close_matches(short(str(way[0]), 60), known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no such argument{meant} (it takes {short(', '.join(known), 500)})"


def _way_text(way: list[str | int]) -> str:
    text = ""
    for part in way:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{short(part, 40)}"
    return short(text, 120)


def _shown(value: Any) -> str:  # noqa: ANN401 - what JSON can carry
    """A value that was given, recognisable and short."""
    if isinstance(value, str):
        return json.dumps(short(value, 60), ensure_ascii=False)
    if isinstance(value, dict):
        return f"an object with {', '.join(short(key, 20) for key in list(value)[:5])}" if value else "{}"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    return short(json.dumps(value), 60)
