"""A talk that is only its tables, each figure written by the test; what is not written is NA."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gip_nb.journal.columns import (
    CALL_COLUMNS,
    ITEM_COLUMNS,
    RESPONSE_COLUMNS,
    TURN_COLUMNS,
    USAGE_COLUMNS,
    frame_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

STARTED_AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
STARTED_NS = 1_772_366_400_250_000_000

# Of events only what is read of them.
_EVENTS = {"elapsed_s": "float64", "event": "string", "turn": "Int64", "response_id": "string"}
_MISSING = {"bool": False, "object": ()}


def _frame(rows: Sequence[dict[str, Any]], columns: dict[str, str], index: str) -> pd.DataFrame:
    assert all(set(row) <= {index, *columns} for row in rows)
    empty = {name: _MISSING.get(kind) for name, kind in columns.items()}
    return frame_of([empty | row for row in rows], columns, index, [row[index] for row in rows])


class FakeTalk:
    """What `compare` and `to_otel` read.

    Args:
        turns: `at_s` is when one began; the rest are columns.
        events: with `payload`, which is what passed.
        sounds: by item id.
    """

    def __init__(
        self,
        *,
        turns: Sequence[dict[str, Any]] = (),
        items: Sequence[dict[str, Any]] = (),
        responses: Sequence[dict[str, Any]] = (),
        tool_calls: Sequence[dict[str, Any]] = (),
        events: Sequence[dict[str, Any]] = (),
        sounds: dict[str, bytes] | None = None,
        model: str = "gpt-realtime",
        session_id: str | None = "sess_1",
    ) -> None:
        began = [STARTED_NS + round(t.get("at_s", 0.0) * 1e9) for t in turns]
        known = [{k: v for k, v in t.items() if k != "at_s"} for t in turns]
        stamped = [
            {"turn": n, **t, "started_at": at} for n, (t, at) in enumerate(zip(known, began, strict=True), 1)
        ]
        self.turns = _frame(stamped, TURN_COLUMNS, "turn")
        self.items = _frame(items, ITEM_COLUMNS, "item_id")
        self.responses = _frame(responses, RESPONSE_COLUMNS, "response_id")
        self.tool_calls = _frame(tool_calls, CALL_COLUMNS, "call_id")
        self.usage = _frame((), USAGE_COLUMNS, "n")
        self._payloads = [e.get("payload", {}) for e in events]
        plain = [{k: v for k, v in e.items() if k != "payload"} | {"n": n} for n, e in enumerate(events)]
        self.events = _frame(plain, _EVENTS, "n")
        self._sounds = sounds or {}
        self.started_at, self.model, self.session_id = STARTED_AT, model, session_id

    def payload(self, n: int) -> dict[str, Any]:
        found: dict[str, Any] = self._payloads[n]
        return found

    def sound(self, item_id: str) -> bytes:
        return self._sounds.get(item_id, b"")
