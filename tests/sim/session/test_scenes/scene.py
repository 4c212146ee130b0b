"""What all scenes share: how a script opens, and what holds whatever happens in it.

In all of them nothing crashes, no frame that the server sent is missing in the log, no turn hangs, and who
waits is told what happened and what to do next.
"""

from __future__ import annotations

import asyncio
import time
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

import gip_nb
from gip_nb.journal.tables import Tables
from gip_nb.session.loop import run_blocking
from gip_nb.testing import (
    Expect,
    Say,
    Stage,
    item_taken,
    session_created,
    session_updated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gip_nb.errors import GipError
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.blocking import RealtimeSession
    from gip_nb.testing import Event, Step

MODELS = {"beta": "openai/gpt-4o-realtime-preview-2024-12-17", "ga": "openai/gpt-realtime"}
KEY = "sk-secret-0123456789"
SETTLE_S = 3.0
# A lost connection comes back, and no test waits for it.
AT_ONCE = {"first_wait_s": 0.0}
in_both_dialects = pytest.mark.parametrize("dialect", ["beta", "ga"])


def opening(dialect: Dialect) -> list[Step]:
    return [session_created(dialect), Expect("session.update"), Say(session_updated)]


def asked(dialect: Dialect) -> list[Step]:
    """Up to where an answer to a text is due."""
    return [
        *opening(dialect),
        Expect("conversation.item.create"),
        Say(item_taken),
        Expect("response.create"),
    ]


def connect(stage: Stage, dialect: Dialect, **options: Any) -> RealtimeSession:
    return gip_nb.connect(MODELS[dialect], base_url=stage.url, api_key=KEY, **options)


def until(holds: Callable[[], bool], what: str) -> None:
    over = time.monotonic() + SETTLE_S
    while not holds():
        assert time.monotonic() < over, f"not within {SETTLE_S} s: {what}"
        time.sleep(0.005)


def rows_received(session: RealtimeSession) -> list[dict[str, Any]]:
    rows = session.log.rows
    return [session.payload(n) for n, row in enumerate(rows) if row.direction == "received"]


def settled(session: RealtimeSession, stage: Stage) -> None:
    """All that the stage's scripts say was said, and has arrived."""
    stage.played()
    until(lambda: len(rows_received(session)) >= len(stage.sent), "every frame a row")
    # A frame is a row before it is acted on: what the loop is at comes to its end first.
    run_blocking(asyncio.sleep(0))


def check(session: RealtimeSession, stage: Stage) -> None:
    """Whatever happened: nothing is lost, and the tables tell one story."""
    assert rows_received(session) == [
        frame if isinstance(frame, dict) else {"unreadable": frame} for frame in stage.sent
    ]
    events, turns, items = session.events, session.turns, session.items
    assert len(events) == len(session.log.rows)
    rebuilt = Tables(session.log)
    assert rebuilt.turns().to_csv() == turns.to_csv()
    assert rebuilt.items().to_csv() == items.to_csv()
    assert set(items.turn.dropna()) <= set(turns.index)
    ended = events[(events.direction == "received") & (events.event == "response.done")]
    assert turns.requests.sum() == ended.response_id.nunique()
    assert ended.turn.isin(turns.index).all()
    # No turn hangs.
    assert session.state in {"listening", "closed", "error"}
    assert KEY not in events.to_csv()


def told(caught: GipError, kind: type[GipError], *texts: str) -> None:
    """Of that class, with these texts in its message, and with a next step."""
    assert type(caught) is kind, repr(caught)
    assert [text for text in texts if text not in caught.message] == []
    assert caught.next_step


def between(events: Iterable[Event], make: Callable[[int], Event]) -> list[Event]:
    """Another event before each of these."""
    return list(chain.from_iterable((make(n), event) for n, event in enumerate(events)))


def without(events: Iterable[Event], *endings: str) -> list[Event]:
    return [event for event in events if not event["type"].endswith(endings)]
