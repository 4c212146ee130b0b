"""Small texts of single values, each bounded, whatever the value does when it is asked for one. Pure."""

from __future__ import annotations

import math
from typing import Any

__all__ = [
    "any_text",
    "cell_text",
    "cut",
    "kind_of",
    "library_of",
    "no_text",
    "number_text",
    "sendable",
    "short",
]

# A table's cell, a label, a dtype: enough to see what it is.
CELL_CHARS = 200


def sendable(text: str) -> str:
    """The text without halves of surrogate pairs (an odd file name has them), which cannot be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


def cut(text: str, limit: int, *, whole: int | None = None) -> str:
    """At most `limit` characters of a text; a cut is said after them.

    Args:
        text: any; of a subclass of `str` its characters count, not what its methods say.
        limit: of the characters that are kept.
        whole: how long it was before somebody else cut it.
    """
    length = str.__len__(text) if whole is None else whole
    kept = sendable(str.__getitem__(text, slice(0, limit)))
    return kept if length <= limit else f"{kept}\n[cut: {len(kept):,} of {length:,} characters]"


def short(text: str, limit: int = CELL_CHARS) -> str:
    """On one line's worth of room: a cut is three dots."""
    length = str.__len__(text)
    return sendable(str.__getitem__(text, slice(0, limit)) + ("..." if length > limit else ""))


def library_of(value: object) -> str:
    """The package that a value's class comes from: a user's subclass of a DataFrame is pandas' too.

    By the class alone: no package is imported to find out, and no attribute of the value is asked for.
    """
    for of in type(value).__mro__:
        name = _module(of).split(".")[0]
        if name in {
            "pandas",
            "numpy",
            "polars",
            "pyarrow",
            "matplotlib",
            "altair",
            "plotly",
            "PIL",
            "IPython",
        }:
            return name
    return ""


def kind_of(value: object) -> set[str]:
    """The names of a value's class and of those that it derives from."""
    return {of.__name__ for of in type(value).__mro__}


def _module(of: type) -> str:
    name = getattr(of, "__module__", "")
    return name if isinstance(name, str) else ""


def any_text(value: object) -> str:
    """What `str` says of a value; what it is, where that fails."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - the user's own class: the call went well, its result only has no text
        return no_text(value, error)


def no_text(value: object, error: Exception) -> str:
    """Of a value whose text cannot be made. The error's own text may fail as well."""
    return f"({type(value).__name__}; its text cannot be made: {type(error).__name__})"


def number_text(value: float, digits: int = 12) -> str:
    """A float without the noise of its binary form: 0.1 + 0.2 is 0.3."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if abs(value) >= 10.0**digits and abs(value) < 1e16:  # noqa: PLR2004 - where a float stops to hold each unit
        return f"{value:.1f}"
    return repr(float(f"{value:.{digits}g}"))


def cell_text(value: Any) -> str:  # noqa: ANN401 - a cell of any table
    """A table's cell: floats at eight digits, missing ones NaN, long texts cut."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return "NaN"
    if library_of(value) == "numpy" and hasattr(value, "item"):
        value = value.item() if value.ndim == 0 else value
    if isinstance(value, float):
        text = number_text(float(value), 8)
        return text.removesuffix(".0")
    if isinstance(value, str):
        return short(value)
    if type(value).__name__ == "Timestamp" or type(value).__name__ == "datetime":
        return str(value).removesuffix(" 00:00:00")
    return short(any_text(value))
