"""The `payload` column: a hundred thousand events' JSON, each decoded when somebody looks at it.

Decoded all at once they would be most of a table's time and memory, and nearly always for nothing. To pandas
it is a column of dicts; to Arrow (and so to polars and Parquet) a column of JSON texts.

The only journal module that needs pandas to be imported: `event_table` imports it with the first table.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray, ExtensionDtype, register_extension_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["PayloadArray", "PayloadDtype"]

_NONE = -1


@register_extension_dtype
class PayloadDtype(ExtensionDtype):  # type: ignore[misc]  # pandas has no types
    """dtype of the column; what is not there is None."""

    name = "payload"
    na_value = None

    @property
    def type(self) -> Any:  # noqa: ANN401 - pandas's name for what an element is
        """What an element is."""
        return dict

    @classmethod
    def construct_array_type(cls) -> Any:  # noqa: ANN401 - the array's class: `type` is taken below
        """Its array."""
        return PayloadArray

    def __from_arrow__(self, array: Any) -> PayloadArray:  # noqa: ANN401 - pyarrow, which may not be there
        """From the JSON texts that Arrow has."""
        return PayloadArray.of([None if text is None else json.loads(text) for text in array.to_pylist()])


class PayloadArray(ExtensionArray):  # type: ignore[misc]  # pandas has no types
    """Payloads by row number, read from where they are kept.

    Args:
        read: gives the payload of a row; any thread may call it.
        rows: int64, shape (n,); -1 for one that is not there.
    """

    def __init__(self, read: Callable[[int], dict[str, Any]], rows: NDArray[np.int64]) -> None:
        self._read = read
        self._rows = rows

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """An array of dicts that are there already."""
        held = list(values)
        missing = np.array([not isinstance(v, dict) for v in held], dtype="bool")
        return cls(held.__getitem__, np.where(missing, _NONE, np.arange(len(held), dtype="int64")))

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: object = None, copy: bool = False) -> Self:  # noqa: ANN401, ARG003 - pandas's signature
        held = list(scalars)
        for one in held:
            if not isinstance(one, dict) and not (pd.api.types.is_scalar(one) and pd.isna(one)):
                # What was computed from payloads is none: pandas then takes another dtype.
                message = f"a payload is a dict, not a {type(one).__name__}"
                raise TypeError(message)
        return cls.of(held)

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[PayloadArray]) -> PayloadArray:
        first = to_concat[0]
        if all(one._read == first._read for one in to_concat):
            return cls(first._read, np.concatenate([one._rows for one in to_concat]))
        return cls.of([value for one in to_concat for value in one])

    @property
    def dtype(self) -> PayloadDtype:
        """Its dtype."""
        return PayloadDtype()

    @property
    def nbytes(self) -> int:
        """What it takes itself; the payloads are the log's."""
        return int(self._rows.nbytes)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item: Any) -> Any:  # noqa: ANN401 - a place gives a dict, several an array
        key = pd.api.indexers.check_array_indexer(self, item)
        found = self._rows[key]
        if isinstance(found, np.ndarray):
            return PayloadArray(self._read, found)
        return None if found == _NONE else self._read(int(found))

    def __setitem__(self, key: Any, value: Any) -> None:  # noqa: ANN401 - pandas's signature
        values: list[Any] = list(self)
        places = np.atleast_1d(np.arange(len(self))[pd.api.indexers.check_array_indexer(self, key)])
        given = [value] * len(places) if value is None or isinstance(value, dict) else list(value)
        for place, one in zip(places, given, strict=True):
            values[place] = one
        changed = PayloadArray.of(values)
        self._read, self._rows = changed._read, changed._rows

    def __eq__(self, other: object) -> Any:  # noqa: ANN401 - an array of bool
        if isinstance(other, dict) or other is None:
            return np.array([one == other for one in self], dtype="bool")
        if not isinstance(other, ExtensionArray | np.ndarray | list | pd.Series):
            return NotImplemented
        return np.array([a == b for a, b in zip(self, other, strict=True)], dtype="bool")

    __hash__ = None  # type: ignore[assignment]  # as other arrays

    def isna(self) -> NDArray[np.bool_]:
        """Where none is."""
        found: NDArray[np.bool_] = self._rows == _NONE
        return found

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: object = None) -> PayloadArray:  # noqa: ANN401, ARG002 - pandas's signature
        """Those at these places."""
        found = pd.api.extensions.take(
            self._rows, indices, fill_value=_NONE if allow_fill else None, allow_fill=allow_fill
        )
        return PayloadArray(self._read, np.asarray(found, dtype="int64"))

    def copy(self) -> PayloadArray:
        """Another one: the payloads are the same."""
        return PayloadArray(self._read, self._rows.copy())

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str]:  # noqa: ARG002, FBT001, FBT002 - pandas's signature
        return repr

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle takes the payloads along: the log stays here."""
        return PayloadArray.of, (list(self),)

    def __arrow_array__(self, type: Any = None) -> Any:  # noqa: A002, ANN401 - Arrow's signature
        """As JSON texts: events of different kinds have no schema in common."""
        import pyarrow as pa

        return pa.array(self.texts(), type=pa.string())

    def texts(self) -> list[str | None]:
        """Each as JSON text; None where none is."""
        return [None if one is None else json_text(one) for one in self]


def json_text(payload: dict[str, Any]) -> str:
    """JSON that any encoding can carry: half of a surrogate pair is written as an escape."""
    text = json.dumps(payload, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(payload)
    return text
