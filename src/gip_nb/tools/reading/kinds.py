"""What kinds of objects an expression may meet, told by their exact type.

A subclass may do anything in its methods, so it is no data here: `geopandas.GeoDataFrame` is none.
"""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib
import sys
import types
import uuid
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = [
    "CONTAINERS",
    "DATA",
    "FLAT",
    "ITERATED",
    "SCALARS",
    "Kind",
    "Reader",
    "Refused",
    "kind_of",
    "kind_of_type",
    "plain",
    "shown_dtype",
    "shown_type",
]


class Refused(Exception):
    """An expression, or a name, that is not read; the text is for the model, which can write another."""


class Kind(Enum):
    """Families of types that are read in the same way."""

    NUMBER = "a number"
    TEXT = "a text"
    BYTES = "bytes"
    TIME = "a point or span of time"
    OTHER_SCALAR = "a value"
    LIST = "a list"
    TUPLE = "a tuple"
    SET = "a set"
    DICT = "a dict"
    VIEW = "a view of a dict"
    ITERATOR = "an iterator"
    SLICE = "a slice"
    FRAME = "a DataFrame"
    SERIES = "a Series"
    INDEX = "an Index"
    ARRAY = "an array"
    COLUMN_ARRAY = "a pandas array"
    GROUPS = "a group-by"
    WINDOW = "a window"
    INDEXER = "an indexer"
    TEXT_ACCESSOR = ".str"
    TIME_ACCESSOR = ".dt"
    CATEGORY_ACCESSOR = ".cat"
    DTYPE = "a dtype"
    LAMBDA = "a lambda"
    READER = "a function"

    # Enum's own hashes the name, in Python: kinds are looked up for each item of a list.
    __hash__ = object.__hash__


CONTAINERS = frozenset({Kind.LIST, Kind.TUPLE, Kind.SET, Kind.DICT})
FLAT = frozenset({Kind.FRAME, Kind.SERIES, Kind.INDEX, Kind.ARRAY, Kind.COLUMN_ARRAY})
SCALARS = frozenset({Kind.NUMBER, Kind.TEXT, Kind.BYTES, Kind.TIME, Kind.OTHER_SCALAR})
# What a name of the notebook may stand for.
DATA = SCALARS | CONTAINERS | frozenset({Kind.FRAME, Kind.SERIES, Kind.INDEX, Kind.ARRAY, Kind.COLUMN_ARRAY})
ITERATED = CONTAINERS | FLAT | frozenset({Kind.TEXT, Kind.VIEW, Kind.ITERATOR, Kind.GROUPS})


class Reader:
    """A function or method as an expression meets it: looks at what it is given before it runs.

    pandas may be given one, `s.map(len)`, and then calls it.
    """

    def __init__(self, name: str, run: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> None:
        self.__name__ = name
        self._run = run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it, guarded."""
        return self._run(args, kwargs)


_EXACT: dict[type, Kind] = {
    Reader: Kind.READER,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    bool: Kind.NUMBER,
    complex: Kind.NUMBER,
    decimal.Decimal: Kind.NUMBER,
    str: Kind.TEXT,
    bytes: Kind.BYTES,
    dt.date: Kind.TIME,
    dt.datetime: Kind.TIME,
    dt.time: Kind.TIME,
    dt.timedelta: Kind.TIME,
    types.NoneType: Kind.OTHER_SCALAR,
    types.EllipsisType: Kind.OTHER_SCALAR,
    uuid.UUID: Kind.OTHER_SCALAR,
    **dict.fromkeys((pathlib.PosixPath, pathlib.WindowsPath), Kind.OTHER_SCALAR),
    range: Kind.LIST,
    list: Kind.LIST,
    tuple: Kind.TUPLE,
    set: Kind.SET,
    frozenset: Kind.SET,
    dict: Kind.DICT,
    slice: Kind.SLICE,
    types.GeneratorType: Kind.ITERATOR,
    zip: Kind.ITERATOR,
    map: Kind.ITERATOR,
    enumerate: Kind.ITERATOR,
    type({}.keys()): Kind.VIEW,
    type({}.values()): Kind.VIEW,
    type({}.items()): Kind.VIEW,
    types.FunctionType: Kind.LAMBDA,
}
# Class of pandas, or one that it inherits from -> kind. The first that is found in the order of the classes.
_OF_PANDAS = {
    "DataFrame": Kind.FRAME,
    "Series": Kind.SERIES,
    "Index": Kind.INDEX,
    "ExtensionArray": Kind.COLUMN_ARRAY,
    "BaseGroupBy": Kind.GROUPS,
    "BaseWindow": Kind.WINDOW,
    "_LocationIndexer": Kind.INDEXER,
    "_ScalarAccessIndexer": Kind.INDEXER,
    "StringMethods": Kind.TEXT_ACCESSOR,
    "Properties": Kind.TIME_ACCESSOR,
    "CategoricalAccessor": Kind.CATEGORY_ACCESSOR,
    "ExtensionDtype": Kind.DTYPE,
    "Timestamp": Kind.TIME,
    "Timedelta": Kind.TIME,
    "NaTType": Kind.TIME,
    "Period": Kind.TIME,
    "Interval": Kind.OTHER_SCALAR,
    "NAType": Kind.OTHER_SCALAR,
    "BaseOffset": Kind.OTHER_SCALAR,
}
# The same of numpy, whose scalars are all `generic`; a `void` or an `object_` holds anything.
_OF_NUMPY: dict[str, Kind | None] = {
    "dtype": Kind.DTYPE,
    "str_": Kind.TEXT,
    "flexible": None,
    "object_": None,
    "datetime64": Kind.TIME,
    "timedelta64": Kind.TIME,
    "generic": Kind.NUMBER,
}


@lru_cache(maxsize=1024)
def kind_of_type(of: Hashable) -> Kind | None:
    """The kind of a type's values, or None where they are none that is read."""
    if not isinstance(of, type):
        return None
    if of in _EXACT:
        return _EXACT[of]
    room = _room_of(of)
    names = [base.__name__ for base in of.__mro__]
    if room == "pandas":
        # A Resampler is a BaseGroupBy by its ancestry, a NaT a datetime.
        return next((_OF_PANDAS[name] for name in names if name in _OF_PANDAS), None)
    if room == "numpy":
        if of.__name__ == "ndarray":
            return Kind.ARRAY
        return next((_OF_NUMPY[name] for name in names if name in _OF_NUMPY), None)
    return None


def _room_of(of: type) -> str:
    """The package that a class is of, if it is found there: a class of the user's may say what it likes."""
    room = str(of.__module__).partition(".")[0]
    found: Any = sys.modules.get(str(of.__module__)) if room in {"numpy", "pandas"} else None
    for part in str(of.__qualname__).split("."):
        found = getattr(found, part, None)
    return room if found is of else ""


def kind_of(value: object) -> Kind | None:
    """The kind of a value, or None where it is none that is read."""
    of: Any = type(value)  # mypy doubts that types are hashable
    return kind_of_type(of)


def plain(value: Any) -> Any:
    """The same text or bytes as Python's own.

    numpy's are subclasses: pandas takes one for a text, and whoever asks `type(x) is str` lets it by.
    """
    of = type(value)
    if of is str or of is bytes:
        return value
    kind = kind_of(value)
    if kind is Kind.TEXT:
        return str(value)
    return bytes(value) if kind is Kind.BYTES else value


def shown_dtype(dtype: Any) -> str:
    """A dtype as text; of one that is not numpy's or pandas' own, which has code of its own, its class."""
    return str(dtype) if kind_of(dtype) is Kind.DTYPE else shown_type(dtype)


def shown_type(value: object) -> str:
    """The name of a value's type, as a person would say it; asks nothing of the value itself."""
    of = type(value)
    room = str(of.__module__)
    if room in {"builtins", "__main__"} or room.partition(".")[0] in {"pandas", "numpy"}:
        return of.__name__
    return f"{room}.{of.__name__}"
