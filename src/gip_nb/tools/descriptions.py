"""A docstring taken apart: what is said of the whole, and of each parameter. Pure.

griffe reads the three styles in use (Google, NumPy, reST). Which one it is shows in what is found: the reader
that finds the most is right.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gip_nb.tools.texts import short

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Described", "class_description", "described"]

# More than any docstring for a model; a longer one is cut, so that no parser works on a flood.
_MAX_TEXT_CHARS = 8_000
_MAX_PARAMETER_CHARS = 1_000
# What says how to use a function from Python, or what it raises: nothing that helps a model to call it.
_NOT_FOR_THE_MODEL = {"example", "examples", "see also", "references", "todo"}


@dataclass(frozen=True)
class Described:
    """What a docstring says.

    Attributes:
        text: summary, body, notes, and what is returned.
        parameters: what is said of each, by name; of a class, of its fields.
    """

    text: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def described(docstring: object) -> Described:
    """A docstring's parts. One that is in no known style, or is broken, is all text. Never raises."""
    if not isinstance(docstring, str) or not docstring.strip():
        return Described()
    whole = short(inspect.cleandoc(docstring), _MAX_TEXT_CHARS)
    try:
        return _parts(whole)
    except Exception:  # noqa: BLE001 - prose in a parser: the tool works without its parts
        return Described(whole)


def class_description(of: type) -> Described:
    """What a class's own docstring says of it and of its fields; nothing where Python wrote it."""
    written = vars(of).get("__doc__")
    if not isinstance(written, str) or written.startswith(
        f"{of.__name__}("
    ):  # a dataclass's, a named tuple's
        return Described()
    return described(written)


def _parts(whole: str) -> Described:
    import griffe

    # Whole lines belong together, and nothing is said to a log of what a docstring lacks.
    google = {"returns_multiple_items": False, "returns_named_value": False, "trim_doctest_flags": False}
    readers: list[tuple[Callable[..., list[Any]], dict[str, bool]]] = [
        (griffe.parse_google, google),
        (griffe.parse_numpy, {"trim_doctest_flags": False}),
        (griffe.parse_sphinx, {}),
    ]
    read = [reader(griffe.Docstring(whole), warnings=False, **options) for reader, options in readers]
    sections = max(read, key=_found)  # the first of equals
    if not _found(sections):
        return Described(whole)
    return Described(_text(sections), _parameters(sections))


def _found(sections: list[Any]) -> int:
    """How much a reader has made of a docstring."""
    return sum(
        len(section.value) if isinstance(section.value, list) else bool(section.value.description.strip())
        for section in sections
        if isinstance(section.value, list) or section.kind.value == "admonition"
    )


def _text(sections: list[Any]) -> str:
    parts = []
    for section in sections:
        kind = section.kind.value
        if kind == "text":
            parts.append(section.value.strip())
        elif kind == "admonition" and section.value.kind not in _NOT_FOR_THE_MODEL:
            title = section.title or section.value.kind.capitalize()
            parts.append(f"{title}: {section.value.description.strip()}")
        elif kind in {"returns", "yields"}:
            told = " ".join(item.description.strip() for item in section.value if item.description.strip())
            if told:
                parts.append(f"{kind.capitalize()}: {told}")
    return "\n\n".join(part for part in parts if part)


def _parameters(sections: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for section in sections:
        if section.kind.value in {"parameters", "other parameters", "attributes"}:
            for item in section.value:
                told = short(item.description.strip(), _MAX_PARAMETER_CHARS)
                # NumPy style describes several at once: `x, y : float`.
                for name in item.name.split(","):
                    if told and name.strip():
                        found.setdefault(name.strip().lstrip("*"), told)
    return found
