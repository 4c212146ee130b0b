"""Evaluating an expression that reads data and changes nothing.

What an expression may do is a matter of lists (`allowed`, `functions`) and of exact types (`kinds`): whatever
is on none of them is refused. There is no assignment, so what an expression makes is its own.
"""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.allowed import METHODS, PROPERTIES
from gip_nb.tools.reading.asked import Asked
from gip_nb.tools.reading.frames import without_secret_columns
from gip_nb.tools.reading.functions import ROOMS, in_room
from gip_nb.tools.reading.given import holds_functions
from gip_nb.tools.reading.growth import (
    MOST_CELLS,
    check_binary,
    check_fits,
    check_item,
    check_pair,
    check_read_as_times,
    no_tables_in,
    no_tables_in_cells,
)
from gip_nb.tools.reading.kinds import (
    CONTAINERS,
    DATA,
    FLAT,
    ITERATED,
    Kind,
    Reader,
    Refused,
    kind_of,
    plain,
    shown_type,
)
from gip_nb.tools.reading.method_checks import check_method
from gip_nb.tools.reading.near import near
from gip_nb.tools.reading.operators import BINARY, COMPARED, UNARY
from gip_nb.tools.reading.policy import compiled
from gip_nb.tools.reading.python_functions import BUILTINS, run_builtin
from gip_nb.tools.reading.secrets import is_secret_name, without_secrets
from gip_nb.tools.reading.shown import shown
from gip_nb.tools.reading.sizes import (
    HUGE_INT,
    check_entering,
    check_exponent,
    readable_columns,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["evaluate"]

_MOST_STEPS = 2_000_000
_MOST_DEEP = 40
# pandas goes along columns in Python.
_MOST_COLUMNS = 10_000
_MOST_HUGE_INTS = 1_000
# All that an expression makes on its way, in multiples of what it may make at once.
_MOST_IN_ALL = 5
_REMEMBERED_FROM = 1_000
_TOLD_CHARACTERS = 500
_LABELS_TOLD = 200
# What a model writes first, and what it can write.
_INSTEAD = {
    "query": "write df[df.price > 2]",
    "eval": "write the expression itself",
    "pipe": "call the methods one after another",
    "format": "give the values as they are",
    "to_string": "give the table itself",
    "info": "describe_dataframe tells that",
}
# Methods in which pandas calls a function for what is to stand in its place.
_CALLED_FIRST = frozenset({"where", "mask"})
_HOLDING = frozenset({Kind.LAMBDA, Kind.READER, Kind.LIST, Kind.TUPLE, Kind.DICT})
_GIVEN = DATA | {
    *(Kind.SLICE, Kind.VIEW, Kind.ITERATOR, Kind.LAMBDA, Kind.READER, Kind.DTYPE),
}


class _Room:
    """`np`, `pd` or `math` as an expression sees it."""

    def __init__(self, name: str) -> None:
        self.name = name


def evaluate(
    expression: str, variables: Mapping[str, object], *, clock: Callable[[], float], timeout_s: float
) -> Any:
    """The value of an expression in the notebook's variables.

    Args:
        expression: Python, one expression.
        variables: the notebook's; only data among them is read, and none of it is changed.
        clock: a monotonic clock, in seconds.
        timeout_s: how long it may take. It is looked at between operations: a single long one is not stopped.

    Returns:
        Data of this expression's own, or data of the notebook's that nobody should change.

    Raises:
        Refused: it is none that is read, would take or make too much, or failed; the text says which.
    """
    import numpy as np

    code, names = compiled(expression)
    evaluation = _Evaluation(clock, timeout_s)
    scope, unread = evaluation.scope(names, variables)
    try:
        with np.errstate(all="ignore"):
            value = eval(code, scope)  # noqa: S307 - RestrictedPython's code: every step asks the guards
        return evaluation.final(value)
    except Refused:
        raise
    except NameError as error:
        name = error.name or ""
        if name in unread:
            raise Refused(unread[name]) from None
        alike = near(name, [*_readable_names(variables), *BUILTINS, *ROOMS])
        told = f"; there is {', '.join(alike)}" if alike else ""
        raise Refused(f"there is no {name[:_TOLD_CHARACTERS]!r}{told}") from None
    except KeyError as error:
        raise Refused(f"no such label or key: {without_secrets(str(error))[:_TOLD_CHARACTERS]}") from None
    except RecursionError:
        raise Refused("the expression calls itself too deep") from None
    except Exception as error:  # noqa: BLE001 - whatever pandas raises, on whatever data: told, and no more
        raise Refused(f"{type(error).__name__}: {without_secrets(str(error))[:_TOLD_CHARACTERS]}") from None


def _readable_names(variables: Mapping[str, object]) -> list[str]:
    return [name for name in list(variables) if type(name) is str and name.isidentifier()]


class _Evaluation:
    """The guards of one expression, and what it has spent."""

    def __init__(self, clock: Callable[[], float], timeout_s: float) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._until_s = clock() + timeout_s
        self._steps = 0
        self._deep = 0
        self._cells = 0
        self._huge_ints = 0
        self._most_columns = _MOST_COLUMNS
        self._most_cells = _MOST_IN_ALL * MOST_CELLS
        # Columns that hold what is no data, or secrets.
        self._left_out: set[str] = set()
        # Large containers that were looked at, by their identity; kept, so that no other takes it.
        self._known: dict[int, object] = {}

    def scope(
        self, names: frozenset[str], variables: Mapping[str, object]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """The globals of an expression, and why other names are not among them."""
        scope: dict[str, Any] = {
            "__builtins__": {},
            "_getattr_": self.get_attribute,
            "_getitem_": self.get_item,
            "_getiter_": self.iterate,
            "_iter_unpack_sequence_": self.unpack_each,
            "_call_": self.call,
            "_binary_": self.binary,
            "_unary_": self.unary,
            "_compare_": self.compare,
        }
        unread: dict[str, str] = {}
        for name in names:
            if name in variables and not name.startswith("_"):
                try:
                    scope[name] = self._entered(name, variables[name])
                    continue
                except Refused as error:
                    unread[name] = str(error)
            if name in ROOMS:
                scope[name] = _Room(ROOMS[name])
            elif name in BUILTINS:
                scope[name] = self._builtin(name)
        return scope, unread

    def _entered(self, name: str, value: Any) -> Any:
        if is_secret_name(name):
            raise Refused(f"{name} is not read: by its name it looks like a secret (rename it if it is none)")
        kind = kind_of(value)
        if kind in {Kind.FRAME, Kind.SERIES}:
            # An object of its own with the same cells: neither labels nor `attrs` are the notebook's.
            value = type(value)(value, copy=False)
            value.attrs = {}
        if kind is Kind.FRAME:
            self._most_columns = max(self._most_columns, value.shape[1])
            readable = without_secret_columns(readable_columns(value))
            self._left_out.update(map(str, set(value.columns) - set(readable.columns)))
            value = readable
            check_entering(name, value.index)
        else:
            check_entering(name, value)
        if kind in FLAT:
            self._most_cells = max(self._most_cells, 2 * _MOST_IN_ALL * value.size)
        if kind is Kind.ARRAY:
            value = value.view()
            value.setflags(write=False)
        return value

    # What is spent -----------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise Refused(f"more than {_MOST_STEPS:,} steps; let pandas work on whole columns")
        if self._clock() > self._until_s:
            raise Refused(f"stopped after {self._timeout_s:g} s; narrow it down")

    def _made(self, value: Any) -> Any:
        """What an operation made, which must be of a known kind and within what may be made in all."""
        value = plain(value)
        self._cells += self._weighed(value)
        if self._cells > self._most_cells:
            raise Refused(f"more than {self._most_cells:,} cells in all; narrow it down")
        return value

    def _weighed(self, value: Any) -> int:
        kind = kind_of(value)
        if kind is None and type(value) is not _Room:
            raise Refused(f"{_named(value)} is not read")
        if type(value) is decimal.Decimal:
            check_exponent(value)
        if type(value) is int and not -HUGE_INT < value < HUGE_INT:
            self._huge_ints += 1
            if self._huge_ints > _MOST_HUGE_INTS:
                raise Refused(f"more than {_MOST_HUGE_INTS:,} integers beyond {HUGE_INT:.1g}: use floats")
        if kind in CONTAINERS:
            if id(value) in self._known:
                return len(value)
            size = size_of(value)
            check_fits(size)
            if len(value) >= _REMEMBERED_FROM:
                self._known[id(value)] = value
            return size
        if kind is Kind.FRAME and value.shape[1] > self._most_columns:
            raise Refused(f"a table of {value.shape[1]:,} columns, of {self._most_columns:,} at the most")
        return size_of(value) if kind in DATA else 1

    def _admitted(self, value: Any) -> Any:
        """What an operation is given."""
        value = plain(value)
        if kind_of(value) not in _GIVEN:
            raise Refused(f"{_named(value)} is not read here")
        self._weighed(value)
        return value

    # Guards: what the rewritten expression calls -----------------------------------------------------------

    def get_attribute(self, value: Any, name: str) -> Any:
        """`value.name`."""
        self._tick()
        if type(value) is _Room:
            found, is_function = in_room(value.name, name)
            return Reader(name, self._guarded(found)) if is_function else found
        kind = kind_of(value)
        if kind is None:
            raise Refused(f"{_named(value)} is not read")
        if name in PROPERTIES.get(kind, ()):
            if kind is Kind.FRAME and name == "T":
                _check_turned(value)
            return self._made(getattr(value, name))
        if name in METHODS.get(kind, ()):
            return Reader(name, self._guarded(self._method(value, name)))
        if kind in {Kind.FRAME, Kind.SERIES, Kind.GROUPS} and not hasattr(type(value), name):
            labels = _labels(value)
            if labels is not None and name in labels:
                return self._made(value[name])
        if kind is Kind.FRAME and name in self._left_out:
            raise Refused(f"the column {name} is not read: it holds objects that are no data, or secrets")
        labels = [str(one) for one in list(_labels(value))[:_LABELS_TOLD]] if kind is Kind.FRAME else []
        known = [*METHODS.get(kind, ()), *PROPERTIES.get(kind, ()), *labels]
        alike = near(name, known, 4)
        hint = _INSTEAD.get(name) or (f"near it are {', '.join(alike)}" if alike else "")
        raise Refused(f".{name} of {kind.value} is not read" + (f"; {hint}" if hint else ""))

    def _method(self, value: Any, name: str) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
        def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if kind_of(value) is Kind.TEXT and name == "join" and len(args) == 1:
                args = (list(self.iterate(args[0])),)  # what is to be joined has to be seen first
            asked = Asked(value, name, args, kwargs)
            if name in _CALLED_FIRST and kind_of(value) in {Kind.FRAME, Kind.SERIES}:
                for given in ("cond", "other"):
                    asked.named.update(
                        {n: self._called(one, value) for n, one in asked.named.items() if n == given}
                    )
            check_method(asked)
            return asked.call()

        return run

    def _called(self, function: Any, value: Any) -> Any:
        """What pandas would make of a function that it is given instead of data, to be looked at first."""
        if kind_of(function) in {Kind.LAMBDA, Kind.READER}:
            return self._admitted(self.call(function, value))
        return function

    def _builtin(self, name: str) -> Reader:
        return Reader(name, self._guarded(lambda args, kwargs: run_builtin(name, args, kwargs, self.iterate)))

    def _guarded(
        self, run: Callable[[tuple[Any, ...], dict[str, Any]], Any]
    ) -> Callable[[tuple[Any, ...], dict[str, Any]], Any]:
        """The same function, which looks at what it is given and at what it makes: pandas calls it too."""

        def guarded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            self._tick()
            args = tuple(self._counted(self._admitted(one)) for one in args)
            return self._made(
                run(args, {name: self._counted(self._admitted(one)) for name, one in kwargs.items()})
            )

        return guarded

    def _counted(self, value: Any) -> Any:
        """The same argument, with functions of which each result is looked at: pandas puts them together."""
        kind = kind_of(value)
        if kind in {Kind.LAMBDA, Kind.READER}:
            name = value.__name__ if kind is Kind.READER else "<lambda>"
            return Reader(name, lambda args, kwargs: self._data(self.call(value, *args, **kwargs)))
        if kind is Kind.DICT and any(kind_of(one) in _HOLDING for one in value.values()):
            return {key: self._counted(one) for key, one in value.items()}
        if type(value) in {list, tuple} and any(kind_of(one) in _HOLDING for one in value):
            return type(value)(self._counted(one) for one in value)
        return value

    def _data(self, value: Any) -> Any:
        """What a function makes for pandas: a cell, a label, a column, and nothing that pandas might call."""
        if holds_functions(value):
            raise Refused(f"a function that pandas calls makes data, not {_named(value)}")
        return value

    def call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """`function(...)`."""
        self._tick()
        if kind_of(function) not in {Kind.READER, Kind.LAMBDA}:
            raise Refused(f"{_named(function)} is not called")
        args = tuple(map(self._admitted, args))
        kwargs = {name: self._admitted(one) for name, one in kwargs.items()}
        self._deep += 1
        try:
            if self._deep > _MOST_DEEP:
                raise Refused("calls within calls, too deep")
            return self._made(function(*args, **kwargs))
        finally:
            self._deep -= 1

    def get_item(self, value: Any, key: Any) -> Any:
        """`value[key]`."""
        self._tick()
        kind = kind_of(value)
        if kind not in {
            *CONTAINERS,
            *FLAT,
            Kind.TEXT,
            Kind.BYTES,
            Kind.INDEXER,
            Kind.GROUPS,
            Kind.WINDOW,
            Kind.TEXT_ACCESSOR,
        }:
            raise Refused(f"{_named(value)} has no items that are read")
        if kind is Kind.GROUPS and kind_of(key) is Kind.TUPLE:
            raise Refused("columns of a group-by are a list: [['a', 'b']]")
        key = self._key(value.obj if kind is Kind.INDEXER else value, key)
        check_item(value, key)
        if kind is Kind.FRAME and type(key) is str and key in self._left_out and key not in value.columns:
            raise Refused(f"the column {key} is not read: it holds objects that are no data, or secrets")
        return self._made(value[key])

    def _key(self, whole: Any, key: Any) -> Any:
        """What stands in [ ], as data: a function is called here, so that what it makes is looked at too."""
        if type(key) is tuple:
            return tuple(self._key(whole, one) for one in key)
        key = self._called(self._admitted(key), whole)
        if type(key) is slice:
            if any(holds_functions(one) for one in (key.start, key.stop, key.step)):
                raise Refused("a slice is made of labels or numbers")
        elif holds_functions(key):
            raise Refused("make a list of what stands in [ ]")
        return key

    def iterate(self, value: Any) -> Iterator[Any]:
        """`for _ in value`."""
        kind = kind_of(value)
        if kind not in ITERATED:
            raise Refused(f"{_named(value)} is not iterated")
        self._weighed(value)
        for one in value:
            self._tick()
            self._weighed(one)
            yield plain(one)

    def unpack_each(self, value: Any, spec: Mapping[str, Any], _: object) -> Iterator[Any]:
        """`for a, b in value`; RestrictedPython says in `spec` which parts are unpacked in turn."""
        for one in self.iterate(value):
            yield self._unpacked(one, spec)

    def _unpacked(self, value: Any, spec: Mapping[str, Any]) -> list[Any]:
        parts = list(self.iterate(value))
        if len(parts) >= spec["min_len"]:
            for place, inner in spec["childs"]:
                parts[place] = self._unpacked(parts[place], inner)
        return parts

    def binary(self, name: str, left: Any, right: Any) -> Any:
        """`left + right` and the like."""
        self._tick()
        left, right = self._operands(left, right)
        check_binary(name, left, right)
        return self._made(BINARY[name](left, right))

    def unary(self, name: str, value: Any) -> Any:
        """`-value` and the like."""
        self._tick()
        (value,) = self._operands(value)
        return self._made(UNARY[name](value))

    def compare(self, name: str, left: Any, right: Any) -> Any:
        """`left < right` and the like."""
        self._tick()
        left, right = self._operands(left, right)
        if name not in {"Is", "IsNot"}:
            for one in (left, right):
                no_tables_in(one)
                no_tables_in_cells(one)
        if name in {"In", "NotIn"}:
            if kind_of(left) in FLAT or (
                kind_of(right) in FLAT and kind_of(left) in CONTAINERS - {Kind.TUPLE}
            ):
                raise Refused("`in` takes a single value on its left; use .isin for columns")
        elif name not in {"Is", "IsNot"}:
            check_read_as_times(left, right)
            check_pair(left, right)
        return self._made(COMPARED[name](left, right))

    def _operands(self, *values: Any) -> tuple[Any, ...]:
        for one in values:
            if kind_of(one) not in DATA | {Kind.VIEW, Kind.DTYPE}:
                raise Refused(f"an operator takes data, not {_named(one)}")
            self._weighed(one)
        return tuple(map(plain, values))

    def final(self, value: Any) -> Any:
        """What the expression came to, as something to show."""
        return shown(list(self.iterate(value)) if kind_of(value) is Kind.VIEW else value)


def _named(value: object) -> str:
    return f"the module {value.name}" if type(value) is _Room else shown_type(value)


def _check_turned(frame: Any) -> None:
    if len(frame) > 10_000:  # noqa: PLR2004 - each row becomes a column, with a block of its own
        raise Refused("a table of more than 10,000 rows is not transposed")


def _labels(value: Any) -> Any:
    kind = kind_of(value)
    if kind is Kind.FRAME:
        return value.columns
    if kind is Kind.SERIES:
        return value.index
    return getattr(value.obj, "columns", None)
