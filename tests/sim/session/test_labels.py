"""`label()`: while the session runs, after it, from any thread and loop; nothing connects for it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from gip_nb.errors import BadSetting, UnknownOption, UnknownTurn
from gip_nb.journal.tables import Tables
from gip_nb.session.loop import loop
from tests.sim.session.test_session import scripted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gip_nb.session.blocking import RealtimeSession


@pytest.fixture
def session() -> Iterator[RealtimeSession]:
    session, _ = scripted()
    yield session
    session.close()


def verdicts(session: RealtimeSession) -> list[tuple[Any, ...]]:
    columns = session.turns[["label", "tags", "rating"]].astype(object)
    return [tuple(row) for row in columns.where(columns.notna(), None).itertuples(index=False)]


def test_labels_are_columns_of_turns_and_rows_of_the_log(session: RealtimeSession) -> None:
    session.ask("one")
    session.ask("two")
    assert verdicts(session) == [(None, (), None)] * 2
    session.label(1, "wrong city", tags=["geo", "tool"], rating="down")
    session.label(rating="up")
    assert verdicts(session) == [("wrong city", ("geo", "tool"), -1), (None, (), 1)]
    # A row changes what it names, and no more.
    session.label(1, rating=0)
    session.label(2, tags="short")
    assert verdicts(session) == [("wrong city", ("geo", "tool"), None), (None, ("short",), 1)]
    rows = session.events.query("type == 'local.label'")
    assert rows.direction.tolist() == ["local"] * 4
    assert rows.payload.iloc[2] == {"type": "local.label", "turn": 1, "rating": None}
    told = session.turns.dtypes.astype(str)
    assert told[["label", "tags", "rating"]].tolist() == ["string", "object", "Int64"]
    # By the log alone it is the same.
    pd.testing.assert_frame_equal(Tables(session.log).turns(), session.turns)


def test_it_works_after_the_end_and_the_talk_stays_ended(session: RealtimeSession) -> None:
    session.ask("one")
    session.close()
    events = len(session.log)
    session.label(1, "too slow")
    assert verdicts(session) == [("too slow", (), None)]
    assert (session.state, len(session.log)) == ("closed", events + 1)


def test_what_cannot_be_is_said_and_is_no_row(session: RealtimeSession) -> None:
    with pytest.raises(UnknownTurn, match="no turn yet"):
        session.label(label="x")
    assert (session.state, len(session.log)) == ("idle", 0)
    session.ask("one")
    before = len(session.log)
    with pytest.raises(UnknownTurn, match="turn 1 only"):
        session.label(2, "x")
    with pytest.raises(BadSetting, match="nothing is said of turn 1"):
        session.label(1)
    with pytest.raises(UnknownOption, match="did you mean 'tags'"):
        session.label(1, tag="x")  # type: ignore[call-arg]  # that is the point
    assert len(session.log) == before


def test_many_threads_and_loops_label_one_session(session: RealtimeSession) -> None:
    session.ask("one")
    threads = [threading.Thread(target=session.label, args=(1, f"by {n}")) for n in range(8)]
    appended: list[str] = []
    session.on("local.label", lambda event: appended.append(event["label"]))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def from_a_cell() -> None:
        assert asyncio.get_running_loop() is not loop()
        await session._session.label(1, "last", rating=1)

    asyncio.run(from_a_cell())
    assert verdicts(session) == [("last", (), 1)]
    labels = session.events.query("type == 'local.label'").payload.tolist()
    assert sorted(row["label"] for row in labels[:-1]) == [f"by {n}" for n in range(8)]
