"""pandas' and numpy's own scalars as hints: read as Python's, given as what the hint says. Pure.

pydantic does not know them. Neither library is imported for it: a hint of theirs means that it is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

__all__ = ["as_python", "carried_scalar"]

# By the name of a class that they derive from: as what JSON is read before.
_NUMPY = {"floating": "float", "integer": "int", "bool": "bool", "bool_": "bool"}
_PANDAS = {"Timestamp": "datetime", "Timedelta": "timedelta"}
# Kinds of numbers, of which there is none.
_ABSTRACT = {"generic", "number", "integer", "signedinteger", "unsignedinteger", "inexact", "floating"}


@dataclass(frozen=True)
class _Made:
    """Beside a hint: how a value of it is made.

    Attributes:
        of: the class.
        kind: as what the JSON is read.
    """

    of: type
    kind: str

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        from pydantic_core import core_schema

        read = getattr(core_schema, f"{self.kind}_schema")()
        return core_schema.no_info_after_validator_function(self._made, read)

    def _made(self, value: Any) -> Any:  # noqa: ANN401 - what JSON was read as
        # pydantic tells the model what a ValueError says.
        unfit = ValueError(f"{value} does not fit into {self.of.__name__}")
        try:
            made = self._number(value) if self.kind in {"int", "float"} else self.of(value)
        except (OverflowError, ValueError) as error:
            raise unfit from error
        if self.kind == "int" and int(made) != value:
            raise unfit
        if self.kind == "float" and math.isfinite(value) and not math.isfinite(made):
            raise unfit
        return made

    def _number(self, value: float) -> Any:  # noqa: ANN401 - one of numpy's
        import numpy as np

        # What is too large is looked for afterwards, and need not be warned of.
        with np.errstate(over="ignore"):
            return self.of(value)


def carried_scalar(hint: Any) -> Any:  # noqa: ANN401 - whatever stands there as a hint
    """A hint of pandas or numpy in words that pydantic knows; all else as it is."""
    library = getattr(hint, "__module__", "").partition(".")[0] if isinstance(hint, type) else ""
    kinds = {"numpy": _NUMPY, "pandas": _PANDAS}.get(library, {})
    if not kinds or hint.__name__ in _ABSTRACT:
        return hint
    kind = next((kinds[of.__name__] for of in hint.__mro__ if of.__name__ in kinds), None)
    return hint if kind is None else Annotated[hint, _Made(hint, kind)]


def as_python(value: Any) -> Any:  # noqa: ANN401 - any default
    """A scalar of theirs as JSON has it; all else as it is."""
    carried = carried_scalar(type(value))
    if carried is type(value):
        return value
    return value.isoformat() if type(value).__name__ in _PANDAS else value.item()
