"""Regular expressions that cannot run away.

Python's `re` backtracks and keeps the interpreter to itself meanwhile: `(a+)+$` on thirty letters would stop
the whole kernel. So a pattern is looked at before it is used: no repeat within a repeat, and few of them.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from gip_nb.tools.reading.kinds import Refused

__all__ = ["check_pattern"]

_MOST_CHARACTERS = 200
_MOST_REPEATS = 4
# With n repeats and the search from each place, a text of m characters costs up to m to the n + 1.
_MOST_STEPS_A_TEXT = 100_000_000


def check_pattern(pattern: Any, longest: int) -> None:
    """See that a pattern is cheap on texts of up to `longest` characters.

    Raises:
        Refused: it is none, or may cost too much.
    """
    if type(pattern) is not str:
        raise Refused("a pattern is a text")
    if len(pattern) > _MOST_CHARACTERS:
        raise Refused(f"a pattern has at most {_MOST_CHARACTERS} characters")
    try:
        # The parser of `re` itself; no public module gives its tree.
        tree = import_module("re._parser").parse(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:  # a warning where those are errors
        raise Refused(f"not a regular expression: {error}") from None
    repeats = _repeats(tree, within=False)
    if repeats > _MOST_REPEATS or longest ** (repeats + 1) > _MOST_STEPS_A_TEXT:
        raise Refused(
            f"a pattern with {repeats} repeats may take too long on texts of {longest:,} characters; "
            "write a simpler one, or pass regex=False"
        )


def _repeats(tree: Any, *, within: bool) -> int:
    found = 0
    for operation, argument in tree:
        name = str(operation)
        if "REPEAT" in name:
            least, most, inner = argument
            if within:
                raise Refused(
                    "a pattern with a repeat within a repeat may take too long; write a simpler one"
                )
            found += (least != most) + _repeats(inner, within=int(most) > 1)
        elif name == "BRANCH":
            if within:
                raise Refused("a pattern with | within a repeat may take too long; write a simpler one")
            found += sum(_repeats(branch, within=within) for branch in argument[1])
        elif name == "SUBPATTERN":
            found += _repeats(argument[-1], within=within)
        elif name in {"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "CATEGORY", "RANGE", "NEGATE"}:
            pass
        else:  # back references, assertions, conditions
            raise Refused("a pattern with references or assertions is not read; write a simpler one")
    return found
