"""Tables as a session has them, with the cells that a test names and nothing else in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gip_nb.errors import UnknownItem
from gip_nb.journal.columns import (
    CALL_COLUMNS,
    EVENT_COLUMNS,
    ITEM_COLUMNS,
    RESPONSE_COLUMNS,
    TURN_COLUMNS,
    USAGE_COLUMNS,
    frame_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Cells = dict[str, Any]
STARTED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
STARTED_NS = int(STARTED.timestamp()) * 1_000_000_000
_FLAGS = {"interrupted": False, "deleted": False, "cost_is_upper_bound": False}
_EVENTS = {c: d for c, d in EVENT_COLUMNS.items() if d not in {"category", "payload"}}


def table(rows: Sequence[Cells], columns: dict[str, str], index: str) -> pd.DataFrame:
    """A table with all its columns; what a row does not name is NA."""
    flags = {name: value for name, value in _FLAGS.items() if columns.get(name) == "bool"}
    filled = [{**dict.fromkeys(columns), **flags, **row} for row in rows]
    return frame_of(filled, columns, index, None if index == "n" else [row[index] for row in rows])


def tone(seconds: float, level: float = 0.5) -> bytes:
    """A square wave of 2 kHz, PCM16, 24 000 Hz."""
    samples = np.where(np.arange(int(seconds * 24_000)) // 6 % 2 == 0, level, -level)
    return (samples * 32767).astype("<i2").tobytes()


class Told:
    """A session of which only the tables are there."""

    model = "made-up"
    session_id = None
    started_at = STARTED

    def __init__(
        self,
        *,
        events: Sequence[Cells] = (),
        turns: Sequence[Cells] = (),
        items: Sequence[Cells] = (),
        tool_calls: Sequence[Cells] = (),
        usage: Sequence[Cells] = (),
        sounds: dict[str, bytes] | None = None,
    ) -> None:
        plain = [{"at": STARTED_NS, "wire_bytes": 0, **row} for row in events]
        frame = table(plain, _EVENTS, "n")
        for name in ("direction", "type", "event"):
            frame[name] = pd.Categorical([row.get(name) for row in plain])
        frame["payload"] = [{} for _ in plain]
        self.events = frame[list(EVENT_COLUMNS)]
        self.turns = table([{"started_at": STARTED_NS, **row} for row in turns], TURN_COLUMNS, "turn")
        self.items = table(items, ITEM_COLUMNS, "item_id")
        self.tool_calls = table(tool_calls, CALL_COLUMNS, "call_id")
        self.usage = table(
            [{"at": STARTED_NS, "kind": "response", **row} for row in usage], USAGE_COLUMNS, "n"
        )
        self.responses = table((), RESPONSE_COLUMNS, "response_id")
        self._sounds = sounds or {}

    def payload(self, n: int) -> dict[str, Any]:
        raise IndexError(n)

    def sound(self, item_id: str) -> bytes:
        if item_id not in self.items.index:
            raise UnknownItem(item_id)
        return self._sounds.get(item_id, b"")


def ns(seconds: float) -> int:
    """A moment of the session as the tables' rows have it."""
    return STARTED_NS + round(seconds * 1e9)


def asked(turn: int, start_s: float, **cells: Any) -> Cells:
    """A user's spoken item of a second, and half a second of silence."""
    return {
        "item_id": f"u{turn}",
        "role": "user",
        "text": "what is the weather",
        "turn": turn,
        "audio_ms": 1500.0,
        "added_s": start_s + 1.6,
        "speech_start_s": start_s,
        "speech_end_s": start_s + 1.0,
        **cells,
    }


def answered(turn: int, start_s: float, **cells: Any) -> Cells:
    """An answer of two seconds, received in half a second, heard from 0.1 s on."""
    return {
        "item_id": f"a{turn}",
        "role": "assistant",
        "text": "it is clear and warm",
        "heard_text": "it is clear and warm",
        "turn": turn,
        "audio_ms": 2000.0,
        "heard_ms": 2000.0,
        "first_audio_s": start_s,
        "last_audio_s": start_s + 0.5,
        "sound_start_s": start_s + 0.1,
        **cells,
    }


def event(at_s: float, name: str, item_id: str, turn: int | None, direction: str = "received") -> Cells:
    return {"elapsed_s": at_s, "event": name, "item_id": item_id, "turn": turn, "direction": direction}


def a_turn(**answer: Any) -> Told:
    """One turn in a page with all that can be in it; `answer` changes its answer."""
    return Told(
        events=[
            event(1.2, "input_audio_buffer.speech_started", "u1", 1),
            event(2.55, "input_audio_buffer.speech_stopped", "u1", 1),
            *(event(3.01 + n / 10, "local.page.delivered", "a1", 1, "local") for n in range(4)),
            event(4.0, "local.page.delivered", "a1", 1, "local"),
            event(4.1, "local.playback.flushed", "a1", 1, "local"),
        ],
        turns=[{"turn": 1, "started_at": ns(2.6), "ended_s": 5.2}],
        items=[asked(1, 1.0), answered(1, 3.0, **answer)],
        tool_calls=[
            {
                "call_id": "c1",
                "turn": 1,
                "name": "get_weather",
                "arguments": '{"city": "Seoul"}',
                "output": '{"sky": "clear"}',
                "started_s": 2.7,
                "duration_ms": 150.0,
                "item_id": "i1",
            }
        ],
        sounds={"u1": tone(1.5), "a1": tone(2.0, 0.25)},
    )
