"""What a session and a recording have in common for whoever reads their tables; a table's rows as dicts."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.errors import BadSetting

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

__all__ = ["Tabled", "must_be_tabled", "plain", "rows_of"]


class Tabled(Protocol):
    """A session, live or closed, or a recording. The tables' columns are documented where they are made."""

    @property
    def events(self) -> pd.DataFrame:
        """One row an event, index `n`."""

    @property
    def turns(self) -> pd.DataFrame:
        """One row a turn, index `turn`."""

    @property
    def items(self) -> pd.DataFrame:
        """One row an item, index `item_id`."""

    @property
    def responses(self) -> pd.DataFrame:
        """One row a response, index `response_id`."""

    @property
    def tool_calls(self) -> pd.DataFrame:
        """One row a call, index `call_id`."""

    @property
    def usage(self) -> pd.DataFrame:
        """One row a billed request or transcription, index `n`."""

    @property
    def started_at(self) -> datetime:
        """When its log began, UTC."""

    @property
    def model(self) -> str:
        """Which model it talked to; empty where nobody said."""

    @property
    def session_id(self) -> str | None:
        """As the server called it last; None where it never connected."""

    def payload(self, n: int) -> dict[str, Any]:
        """The JSON that passed in row `n` of `events`."""

    def sound(self, item_id: str) -> bytes:
        """An item's audio, PCM16 little endian mono 24 000 Hz; empty where it has none."""


_NAMES = tuple(name for name in vars(Tabled) if not name.startswith("_"))
_NOT_THERE = object()


def must_be_tabled(x: object, what: str) -> None:
    """Turn away what has no tables, before anything is read of it.

    Args:
        x: what was given.
        what: the verb that it was given to.

    Raises:
        BadSetting: it is no session and no recording.
    """
    # Not `hasattr`, which would build each table.
    if any(inspect.getattr_static(x, name, _NOT_THERE) is _NOT_THERE for name in _NAMES):
        hint = "pass its .session" if hasattr(type(x), "session") else "pass a session or a recording"
        raise BadSetting(
            f"{what} takes sessions and recordings, and a {type(x).__name__} is neither",
            f"{hint}: talk().session, connect() or gip_nb.load(path).",
        )


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows in Python's own values, index included, each without what is NA in it."""
    records = frame.reset_index().to_dict("records")
    return [{str(k): v for k, value in r.items() if (v := plain(value)) is not None} for r in records]


def plain(value: object) -> Any:  # noqa: ANN401 - a table's cell
    """A table's value as Python's own; None for NA."""
    import pandas as pd

    if isinstance(value, tuple | list | dict):
        return value
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
