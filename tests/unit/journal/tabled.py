"""A talk that is only its tables, each figure written by the test; what is not written is NA."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

STARTED_AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
STARTED_NS = 1_772_366_400_250_000_000

_EVENTS = {"elapsed_s": "float64", "event": "category", "turn": "Int64", "response_id": "string"}
_TURNS = {
    "started_at": "datetime64[ns, UTC]",
    **dict.fromkeys(("user_text", "assistant_text", "heard_text", "status", "label"), "string"),
    "interrupted": "bool",
    "speech_end_from": "string",
    **dict.fromkeys(("tools", "requests", "input_tokens", "output_tokens", "rating"), "Int64"),
    **dict.fromkeys(
        (
            *("user_audio_ms", "assistant_audio_ms", "heard_audio_ms", "cost_usd", "clock_error_ms"),
            *(
                "first_event_ms",
                "first_audio_ms",
                "first_sound_ms",
                "speech_stopped_ms",
                "response_created_ms",
            ),
            *("first_text_ms", "first_delivered_ms", "speech_end_s", "ended_s"),
        ),
        "float64",
    ),
    "tags": "object",
}
_ITEMS = {
    **dict.fromkeys(("type", "role", "status", "text", "heard_text", "response_id"), "string"),
    **dict.fromkeys(("name", "call_id", "arguments", "output"), "string"),
    "turn": "Int64",
    "interrupted": "bool",
    "deleted": "bool",
    **dict.fromkeys(
        (
            *("audio_ms", "heard_ms", "delivered_ms", "added_s", "speech_start_s", "speech_end_s"),
            *("first_audio_s", "last_audio_s", "sound_start_s"),
        ),
        "float64",
    ),
}
_TOKENS = (
    *("input_tokens", "output_tokens", "text_tokens", "cached_text_tokens", "audio_tokens"),
    *(
        "cached_audio_tokens",
        "image_tokens",
        "cached_image_tokens",
        "output_text_tokens",
        "output_audio_tokens",
    ),
)
_RESPONSES = {
    "turn": "Int64",
    **dict.fromkeys(("status", "reason", "error", "model"), "string"),
    "beside": "bool",
    **dict.fromkeys(("created_s", "first_text_s", "first_audio_s", "done_s"), "float64"),
    **dict.fromkeys(("duration_ms", "audio_ms", "cost_usd"), "float64"),
    **dict.fromkeys(("items", *_TOKENS), "Int64"),
    "cost_is_upper_bound": "bool",
}
_CALLS = {
    "turn": "Int64",
    **dict.fromkeys(("name", "arguments", "output", "error", "response_id", "item_id"), "string"),
    **dict.fromkeys(("started_s", "duration_ms"), "float64"),
}


def _column(values: list[Any], kind: str) -> Any:
    if kind == "float64":
        return np.array([np.nan if v is None else v for v in values], "float64")
    if kind == "bool":
        return np.array([bool(v) for v in values], "bool")
    if kind == "object":
        return pd.Series([v or () for v in values], dtype="object")
    return pd.Categorical(values) if kind == "category" else pd.array(values, dtype=kind)


def _frame(rows: Sequence[dict[str, Any]], columns: dict[str, str], index: str) -> pd.DataFrame:
    assert all(set(row) <= {index, *columns} for row in rows)
    data = {name: _column([row.get(name) for row in rows], kind) for name, kind in columns.items()}
    frame = pd.DataFrame(data, columns=list(columns))
    frame.index = pd.Index([row[index] for row in rows], name=index)
    return frame


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
            {"turn": n, **t, "started_at": pd.Timestamp(at, tz="UTC")}
            for n, (t, at) in enumerate(zip(known, began, strict=True), 1)
        ]
        self.turns = _frame(stamped, _TURNS, "turn")
        self.items = _frame(items, _ITEMS, "item_id")
        self.responses = _frame(responses, _RESPONSES, "response_id")
        self.tool_calls = _frame(tool_calls, _CALLS, "call_id")
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
