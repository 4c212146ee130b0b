"""Names near to one that there is not, for whoever misspelt it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["near"]

# What is longer is compared letter by letter for too long, and misspelt in more than a letter.
_MOST_CHARACTERS = 60


def near(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Up to `most` names that look like this one, the nearest first."""
    if len(name) > _MOST_CHARACTERS:
        return []
    return difflib.get_close_matches(name, [one for one in known if len(one) <= _MOST_CHARACTERS], most)
