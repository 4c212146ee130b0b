"""Regular expressions that cannot run away.

Python's `re` backtracks and keeps the interpreter to itself meanwhile: `(a+)+$` on thirty letters would stop
the whole kernel. So a pattern is looked at before it is used: no repeat within a repeat, few of them, and no
more work than is in proportion, on all these texts together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gip_nb.tools.reading.growth import check_work
from gip_nb.tools.reading.kinds import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_pattern", "groups_of"]

_MOST_CHARACTERS = 200
_MOST_REPEATS = 4
# A repeat up to this many times costs a factor, one of more times a walk along the text.
_FEW_TIMES = 8


@dataclass
class _Cost:
    """Of a text of m characters: up to `factor` times m to the `walks`, for each place where it starts."""

    repeats: int = 0
    walks: int = 0
    factor: int = 1


def check_pattern(
    pattern: Any, lengths: Sequence[int], *, at_start: bool = False, to_end: bool = False
) -> None:
    """See that a pattern is cheap on texts of these lengths.

    Args:
        pattern: a regular expression.
        lengths: of all texts, in characters: a list or an array.
        at_start: whether a text is matched from its beginning only.
        to_end: whether to its end only.

    Raises:
        Refused: it is none, or may cost too much.
    """
    import numpy as np

    tree = _parsed(pattern)
    cost = _Cost()
    _add(tree, cost, within=False)
    if len(tree) > 0 and not to_end and _ends_well(*tree[-1]):
        cost.walks -= 1
    if cost.repeats > _MOST_REPEATS:
        raise Refused(f"a pattern with {cost.repeats} repeats may take too long; write a simpler one")
    anchored = at_start or (
        len(tree) > 0 and str(tree[0]) == "(AT, AT_BEGINNING)" and not tree.state.flags & re.MULTILINE
    )
    walks = max(1, cost.walks) if anchored else cost.walks + 1
    if walks == 1 and cost.factor <= _FEW_TIMES:
        return  # one walk along each text, as any other method of texts
    steps = cost.factor * float((np.asarray(lengths, dtype="float64") ** walks).sum())
    check_work(
        steps, f"fewer or shorter texts, a pattern with fewer repeats than {cost.repeats}, or regex=False"
    )


def groups_of(pattern: str) -> int:
    """How many groups a pattern has."""
    return int(_parsed(pattern).state.groups) - 1


def _parsed(pattern: Any) -> Any:
    if type(pattern) is not str:
        raise Refused("a pattern is a text")
    if len(pattern) > _MOST_CHARACTERS:
        raise Refused(f"a pattern has at most {_MOST_CHARACTERS} characters")
    try:
        # The parser of `re` itself; no public module gives its tree.
        return import_module("re._parser").parse(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:  # a warning where those are errors
        raise Refused(f"not a regular expression: {error}") from None


def _ends_well(operation: Any, argument: Any) -> bool:
    """Whether it is a repeat after which nothing can fail: it is walked once, and not again."""
    return (
        "REPEAT" in str(operation)
        and int(argument[0]) <= 1
        and int(argument[1]) > _FEW_TIMES
        and len(argument[2]) == 1
    )


def _add(tree: Any, cost: _Cost, *, within: bool) -> None:
    for operation, argument in tree:
        name = str(operation)
        if "REPEAT" in name:
            least, most, inner = argument
            if within:
                raise Refused(
                    "a pattern with a repeat within a repeat may take too long; write a simpler one"
                )
            cost.repeats += least != most
            if int(most) > _FEW_TIMES:
                cost.walks += 1
            else:
                cost.factor *= int(most) + 1
            _add(inner, cost, within=int(most) > 1)
        elif name == "BRANCH":
            if within:
                raise Refused("a pattern with | within a repeat may take too long; write a simpler one")
            cost.factor *= len(argument[1])
            for branch in argument[1]:
                _add(branch, cost, within=within)
        elif name == "SUBPATTERN":
            _add(argument[-1], cost, within=within)
        elif name in {"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "CATEGORY", "RANGE", "NEGATE"}:
            pass
        else:  # back references, assertions, conditions
            raise Refused("a pattern with references or assertions is not read; write a simpler one")
