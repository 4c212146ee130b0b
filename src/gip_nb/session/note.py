"""What writes a local row."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Note"]


class Note(Protocol):
    """Logs a local row; the protocol sees it too."""

    def __call__(self, kind: str, **fields: Any) -> None:
        """Write the row `local.<kind>` with these fields, which JSON can carry."""
