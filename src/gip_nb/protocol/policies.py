"""Policies as a user writes them: `True`, `False`, the policy itself or a dict of its fields. Pure."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import TypeVar

from gip_nb.errors import BadSetting, UnknownOption

__all__ = ["policy_of"]

P = TypeVar("P")
N = TypeVar("N")


def policy_of(given: object, kind: type[P], never: N, *, name: str, example: str) -> P | N:
    """The policy that is meant. What its fields may be, its class says itself.

    Args:
        given: of the user; None stands for True.
        kind: the policy's class; every field has a default.
        never: what False means.
        name: of the option, for the errors.
        example: of a dict, for them too.

    Raises:
        BadSetting: it is none of these.
        UnknownOption: a field that there is not; the nearest one is offered.
    """
    if given is None or given is True:
        return kind()
    if given is False:
        return never
    if isinstance(given, kind):
        return given
    if not isinstance(given, Mapping):
        raise BadSetting(
            f"{name} is {given!r}", f"give True, False, gip_nb.{kind.__name__}(...) or {example}."
        )
    known = list(inspect.signature(kind).parameters)
    for field in given:
        if field not in known:
            near = difflib.get_close_matches(str(field), known, n=1)
            raise UnknownOption(str(field), near[0] if near else None, known)
    return kind(**given)
