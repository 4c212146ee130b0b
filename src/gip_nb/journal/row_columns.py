"""What the rows of a log say by themselves, in columns: written as the rows are, read by the tables.

A hundred thousand rows are as many places in memory; fetching them again is most of what a table would cost.

Thread: the log's own appends, any thread reads. A reader takes copies: an array that somebody looks into
cannot grow.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gip_nb.journal.log import Row

__all__ = ["DIRECTIONS", "Names", "RowColumns"]

DIRECTIONS = ("sent", "received", "local")
# What `RowColumns.part` says of a row that names no content part.
_NO_PART = -1
_MOST_PARTS = 127


class _Codes(dict[Any, int]):
    """Numbers values in the order of their coming."""

    def __missing__(self, value: Any) -> int:  # noqa: ANN401 - an id, a type, or None
        code = self[value] = len(self)
        return code


class Names:
    """A column of which most values come again: each once, and by row which."""

    def __init__(self) -> None:
        self.code_of = _Codes()
        self.codes = array("i")

    @property
    def names(self) -> list[Any]:
        """The values, by code."""
        return list(self.code_of)

    def read(self, begin: int, end: int) -> NDArray[np.int32]:
        """Codes of these rows."""
        return np.frombuffer(self.codes[begin:end], "int32")

    def values(self, end: int) -> NDArray[Any]:
        """By row, up to `end`: the value, dtype object."""
        names = np.empty(len(known := self.names), dtype="object")
        names[:] = known
        found: NDArray[Any] = names[self.read(0, end)]
        return found


class RowColumns:
    """The columns.

    Attributes:
        elapsed_ns: since the log began.
        direction: place in `DIRECTIONS`.
        types, responses, items, calls: by code.
        event_ids: None where there is none.
        audio_bytes: -1 for a row without audio.
        part: the content part that it names; -1 where it names none.
        add: writes down one row; its content index, as the wire has it, goes beside it.
    """

    def __init__(self) -> None:
        self.elapsed_ns = array("q")
        self.direction = bytearray()
        self.types = Names()
        self.event_ids: list[str | None] = []
        self.responses = Names()
        self.items = Names()
        self.calls = Names()
        self.audio_bytes = array("q")
        self.part = array("b")
        self._skeleton_bytes = array("q")
        self._is_cut = bytearray()
        self.add = self._adder()

    def _adder(self) -> Callable[[Row, object], None]:
        add_elapsed, add_direction = self.elapsed_ns.append, self.direction.append
        add_event, add_part = self.event_ids.append, self.part.append
        named = (self.types, self.responses, self.items, self.calls)
        (type_code, add_type), (response_code, add_response), (item_code, add_item), (call_code, add_call) = (
            (names.code_of, names.codes.append) for names in named
        )
        add_audio, add_skeleton = self.audio_bytes.append, self._skeleton_bytes.append
        add_cut = self._is_cut.append
        direction_code = {name: n for n, name in enumerate(DIRECTIONS)}

        def add(row: Row, part: object) -> None:
            add_elapsed(row.elapsed_ns)
            add_direction(direction_code[row.direction])
            add_type(type_code[row.type])
            add_event(row.event_id)
            add_response(response_code[row.response_id])
            add_item(item_code[row.item_id])
            add_call(call_code[row.call_id])
            add_audio(-1 if row.sounds is None else row.audio_bytes)
            add_part(part if type(part) is int and 0 <= part <= _MOST_PARTS else _NO_PART)
            add_skeleton(len(row.skeleton))
            add_cut(row.cut >= 0)

        return add

    def wire_bytes(self, end: int) -> NDArray[np.int64]:
        """By row, up to `end`: as `Row.wire_bytes`."""
        audio = np.maximum(np.frombuffer(self.audio_bytes[:end], "int64"), 0)
        base64 = (audio + 2) // 3 * 4 * np.frombuffer(self._is_cut[:end], "int8")
        on_the_wire = np.frombuffer(self.direction[:end], "int8") != DIRECTIONS.index("local")
        found: NDArray[np.int64] = (np.frombuffer(self._skeleton_bytes[:end], "int64") + base64) * on_the_wire
        return found
