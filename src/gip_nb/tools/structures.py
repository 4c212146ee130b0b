"""Dicts, lists, dataclasses, models and what they hold as JSON text, within a limit.

Not `json.dumps`: that one makes the whole text first, stops at what is no JSON, and loops without end in what
holds itself.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import fractions
import json
import math
import pathlib
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import TYPE_CHECKING, Any

from gip_nb.tools.texts import any_text, cut, kind_of, library_of, no_text, number_text, sendable, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["json_text"]

_DEEPEST = 30
# Where all does not fit: how many items of each container, and characters of each text, are tried in turn.
_NARROWER = ((200, 2000), (50, 500), (20, 200), (5, 80), (2, 20))
# The outermost list is rather cut at its end, with its items whole, where that leaves so many of them.
_ENOUGH_ITEMS = 20
_BYTES_SHOWN = 32


class _FullError(Exception):
    """The text has reached its limit."""


def json_text(value: object, limit: int, special: Callable[[object, int], str | None]) -> str:
    """A value as JSON, at most `limit` characters; what was left out is said.

    Args:
        value: anything. NaN and infinity are texts in it, since JSON has none.
        limit: of characters, before what is said of a cut.
        special: the text of a value that has one of its own (a table, a figure), None where it has not.
    """
    read: dict[int, _Replayed] = {}
    first = _Writer(limit, special, read)
    text = first.text_of(value)
    if first.bare is not None:
        return cut(first.bare, limit)
    if text is not None:
        return text
    if first.done >= _ENOUGH_ITEMS:
        return first.shortened()
    for items, chars in _NARROWER:
        text = _Writer(limit, special, read, items, chars).text_of(value)
        if text is not None:
            return f"{text}\n[cut: where it says so]"
    return f"{cut(''.join(first.pieces), limit, whole=limit)}\n[cut: the first {limit:,} characters]"


class _Writer:
    """One attempt at a text.

    Attributes:
        pieces: of the text, so far.
        done: how many items of the outermost container are whole in it.
        bare: the text of a value that is no container and no number: alone it wants no quotes.
    """

    def __init__(
        self,
        limit: int,
        special: Callable[[object, int], str | None],
        read: dict[int, _Replayed],
        most_items: int = sys.maxsize,
        most_chars: int = sys.maxsize,
    ) -> None:
        self._limit = limit
        self._special = special
        # By the iterators' ids; each is held there, so that its id stays its own.
        self._read = read
        self._most_items = most_items
        self._most_chars = most_chars
        self._used = 0
        self._within: list[int] = []
        self._total: int | None = None
        self._whole_pieces = 0
        self._closing = ""
        self.bare: str | None = None
        self.pieces: list[str] = []
        self.done = 0

    def text_of(self, value: object) -> str | None:
        """The text; None where it is longer than the limit."""
        try:
            self._write(value)
        except _FullError:
            return None
        return sendable("".join(self.pieces))

    def shortened(self) -> str:
        """The items of the outermost container that are whole."""
        text = "".join(self.pieces[: self._whole_pieces]) + self._closing
        of = "" if self._total is None else f" of {self._total:,}"
        return f"{sendable(text)}\n[cut: the first {self.done:,}{of} items]"

    def _put(self, text: str) -> None:
        self.pieces.append(text)
        self._used += len(text)
        if self._used > self._limit:
            raise _FullError

    def _quoted(self, text: str) -> None:
        if not self._within:
            self.bare = text
            return
        room = min(self._most_chars, max(self._limit - self._used, 0) + 1)
        length = str.__len__(text)
        kept: str = str.__getitem__(text, slice(0, room))
        if self._most_chars < length and room == self._most_chars:
            kept += f"[cut: {room:,} of {length:,} characters]"
        self._put(json.dumps(kept, ensure_ascii=False))

    def _write(self, value: Any) -> None:  # noqa: ANN401, PLR0911 - one line a kind
        if value is None or value is True or value is False:
            return self._put(json.dumps(value))
        if isinstance(value, Enum):
            return self._write(value._value_)  # what `.value` gives, unless the user's class says otherwise
        if isinstance(value, str):
            return self._quoted(value)
        if isinstance(value, int):
            text = _digits(value)
            return self._put(text) if text[-1].isdigit() else self._quoted(text)
        if isinstance(value, float):
            text = number_text(float.__float__(value))
            return self._put(text) if math.isfinite(value) else self._quoted(text)
        # Before datetime: pandas' NaT says that it is one.
        if type(value).__name__ in {"NAType", "NaTType"}:
            return self._put("null")
        make = next((make for kinds, make in _SCALARS if isinstance(value, kinds)), None)
        if make is not None:
            return self._quoted(_scalar(make, value))
        if library_of(value) == "numpy" and "generic" in kind_of(value):
            return self._write_numpy(value)
        special = self._special(value, min(max(self._limit - self._used, 0), self._most_chars * 4))
        return self._write_container(value) if special is None else self._quoted(special)

    def _write_numpy(self, value: Any) -> None:  # noqa: ANN401
        plain = value.item()
        # Some have no counterpart (longdouble) or one that says less (datetime64[ns] is a number then).
        if type(plain) is type(value) or "datetime64" in kind_of(value) or "timedelta64" in kind_of(value):
            return self._quoted(short(any_text(value)))
        if type(plain) is float and value.itemsize < 8:  # noqa: PLR2004 - a shorter float has digits of its own
            plain = float(str(value))
        return self._write(plain)

    def _write_container(self, value: object) -> None:
        if id(value) in self._within or len(self._within) >= _DEEPEST:
            return self._quoted("[itself]" if id(value) in self._within else "[too deep]")
        try:
            items = _items_of(value)
        except Exception as error:  # noqa: BLE001 - the user's own class
            return self._quoted(no_text(value, error))
        if items is None:
            return self._quoted(any_text(value))
        before = len(self.pieces), self._used
        self._within.append(id(value))
        try:
            self._write_items(value, items)
        except Exception as error:
            if isinstance(error, _FullError) or isinstance(items, Iterator):
                raise  # an iterator's own code is the tool's
            del self.pieces[before[0] :]
            self._used = before[1]
            self._within.pop()
            return self._quoted(no_text(value, error))
        self._within.pop()
        return None

    def _write_items(self, value: object, items: Any) -> None:  # noqa: ANN401
        total = _length(items)
        pairs = isinstance(items, Mapping)
        if isinstance(items, Iterator):
            items = self._read.setdefault(id(value), _Replayed(items))
        opening, closing = "{}" if pairs else "[]"
        outermost = len(self._within) == 1
        if outermost:
            self._total, self._closing = total, closing
        self._put(opening)
        for n, item in enumerate(items.items() if pairs else items):
            separator = ", " if n else ""
            if n >= self._most_items:
                left = "more" if total is None else f"{total - n:,} more"
                self._put(f'{separator}"[cut: {left}]"{": null" if pairs else ""}')
                break
            self._put(separator)
            if pairs:
                self._quoted(_key_text(item[0]))
                self._put(": ")
            self._write(item[1] if pairs else item)
            if outermost:
                self.done, self._whole_pieces = n + 1, len(self.pieces)
        self._put(closing)


class _Replayed:
    """What an iterator gives, which it gives once, as often as it is asked for; read no further than that."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self._given: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        yield from self._given
        for item in self._items:
            self._given.append(item)
            yield item


def _key_text(key: object) -> str:
    if isinstance(key, Enum):
        key = key._value_
    return short(key) if isinstance(key, str) else short(any_text(key))


def _digits(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # Python writes no more than some thousand digits
        return f"an integer of {value.bit_length():,} bits"


def _bytes_text(value: bytes | bytearray | memoryview) -> str:
    size = value.nbytes if isinstance(value, memoryview) else len(value)
    begin = bytes(value[:_BYTES_SHOWN])
    return f"{size:,} bytes{', beginning ' if size > _BYTES_SHOWN else ': '}{begin!r}"


def _scalar(make: Callable[[Any], str], value: object) -> str:
    try:
        return short(make(value))
    except Exception:  # noqa: BLE001 - a subclass of the user's
        return short(any_text(value))


_SCALARS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    ((dt.date, dt.time), lambda v: v.isoformat()),  # a datetime is a date
    ((dt.timedelta, decimal.Decimal, fractions.Fraction, uuid.UUID, complex, pathlib.PurePath), str),
    ((bytes, bytearray, memoryview), _bytes_text),
)


def _items_of(value: Any) -> Mapping[Any, Any] | Iterator[Any] | Iterable[Any] | None:  # noqa: ANN401
    """What a container holds: pairs, an iterator that gives its items once, items; None where it is none."""
    names = getattr(type(value), "_fields", None)
    if isinstance(value, tuple) and isinstance(names, tuple):
        return dict(zip(names, value, strict=False))
    if isinstance(value, Mapping | list | tuple | collections.deque | Iterator):
        return value
    if isinstance(value, AbstractSet | Sequence):
        return _in_order(value) if isinstance(value, AbstractSet) else value
    if isinstance(value, collections.abc.ValuesView):
        return value
    if type(value).__name__ == "ndarray" and library_of(value) == "numpy":
        # Of Python objects: the others have a text of their own. A list, or one of them.
        found: Any = value.tolist()
        return found if isinstance(found, list) else None
    return _fields_of(value)


def _fields_of(value: Any) -> dict[str, Any] | None:  # noqa: ANN401
    """The fields of a dataclass, a pydantic model, a msgspec struct or an attrs class."""
    of = type(value)
    if "BaseModel" in kind_of(value) and hasattr(of, "model_fields"):
        dumped: dict[str, Any] = value.model_dump()  # which leaves out and hides what the model says
        return dumped
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(of):
        names = [field.name for field in dataclasses.fields(of) if field.repr]
    elif hasattr(of, "__struct_fields__"):
        names = list(of.__struct_fields__)
    elif hasattr(of, "__attrs_attrs__"):
        names = [attribute.name for attribute in of.__attrs_attrs__ if attribute.repr]
    else:
        return None
    return {name: getattr(value, name, None) for name in names}


def _in_order(value: AbstractSet[Any]) -> Iterable[Any]:
    """A set's items, sorted where they can be: two runs say the same."""
    if len(value) > 10_000:  # noqa: PLR2004 - so many are cut anyway
        return value
    try:
        return sorted(value)
    except Exception:  # noqa: BLE001 - of several kinds, or of the user's own
        return value


def _length(items: Any) -> int | None:  # noqa: ANN401
    try:
        return len(items)
    except Exception:  # noqa: BLE001 - the user's own class
        return None
