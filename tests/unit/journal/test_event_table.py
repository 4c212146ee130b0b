"""The events table folds many rows at once: the same comes out as where each is folded whole."""

from __future__ import annotations

import base64
import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gip_nb.journal.columns import EVENT_COLUMNS
from gip_nb.journal.event_table import EventTable, event_text
from gip_nb.journal.log import EventLog
from gip_nb.journal.parquet import plain
from gip_nb.journal.readable import Readable
from gip_nb.journal.tables import Tables
from gip_nb.protocol.audio_formats import PCM16, ULAW, Decoder
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.frames import append_frame, encode_event, read_frame
from tests.unit.protocol.pair import state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

PCM = bytes(range(96)) * 4


def folded_whole(log: EventLog) -> tuple[Conversation, list[tuple[Any, ...]]]:
    """Each row through the reducer, and of each: turn that was open, audio format's milliseconds, text."""
    conversation = Conversation()
    found = []
    for n, row in enumerate(log.rows):
        event = log.event(n)
        conversation.apply(event, row.direction, row.elapsed_ns / 1e9)
        sent = row.direction == "sent"
        audio_format = conversation.input_format if sent else conversation.answer_format(event.item_id)
        ms = None
        if row.has_audio:
            ms = row.audio_bytes / audio_format.sample_bytes / audio_format.rate_hz * 1000
        found.append((len(conversation.turns), row.connection, ms, event_text(event), row.wire_bytes))
    return conversation, found


class Script:
    """A log that is written move by move; times go on by a millisecond."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.log = EventLog(lambda: self.now_ns, lambda: 1_700_000_000_000_000_000)
        self.log.local("connection.opened", dialect="ga", model="gpt-realtime", url="ws://x")

    def do(self, move: str, which: int) -> None:  # noqa: C901, PLR0912 - a case a move
        self.now_ns += 1_000_000
        item, response, part = f"item_{which % 3}", f"resp_{which % 2}", which // 2 % 2
        ids = {"response_id": response, "item_id": item, "output_index": 0, "content_index": part}
        sound = base64.b64encode(PCM[: 40 * (which % 4)]).decode()
        match move:
            case "mic":
                self.log.append("sent", append_frame(PCM[: 41 * (which % 4)]))
            case "audio":
                self.got("response.output_audio.delta", **ids, delta=sound)
            case "text":
                self.got("response.output_audio_transcript.delta", **ids, delta=("", " word", "é")[which % 3])
            case "beta text":
                self.got("response.text.delta", **ids, delta=" w")
            case "odd":
                self.odd(which % 8, ids, sound)
            case "format":
                audio = {"output": {"format": {"type": ("audio/pcmu", "audio/pcm")[which % 2]}}}
                self.got("session.updated", session={"type": "realtime", "audio": audio})
            case "created":
                self.got("response.created", response={"id": response, "status": "in_progress"})
            case "done":
                self.got("response.done", response={"id": response, "status": "completed"})
            case "added":
                message = {"id": f"u_{which}", "type": "message", "role": "user", "content": []}
                self.got("conversation.item.added", item=message)
            case "whole text":
                self.got("response.output_audio_transcript.done", **ids, transcript="whole")
            case "deleted":
                self.got("conversation.item.deleted", item_id=item)
            case "played":
                self.log.local("playback.position", item_id=item, played_samples=which)
            case "again":
                self.log.local("connection.opened", dialect="ga", model="gpt-realtime", url="ws://x")

    def odd(self, which: int, ids: dict[str, Any], sound: str) -> None:
        kind = "response.output_audio.delta"
        lines: tuple[dict[str, Any], ...] = (
            {"type": kind, "delta": sound},
            {"type": kind, **ids, "delta": "not base64!"},
            {"type": kind, **ids, "call_id": "call", "delta": sound},
            {"type": "response.output_text.delta", **ids, "content_index": "1", "delta": "x"},
            {"type": "response.output_text.delta", **ids, "content_index": 1.0, "delta": "x"},
            {"type": "response.output_text.delta", **ids, "content_index": 999, "delta": "x"},
            {"type": "response.output_text.delta", **ids, "delta": 7},
            {"type": "input_audio_buffer.append", "audio": sound},
        )
        self.log.append("received", read_frame(json.dumps(lines[which]).encode()))
        if which == 1:
            self.log.append("sent", read_frame(b'{"type":"response.output_audio.delta","delta":"AAAA"}'))

    def got(self, kind: str, **fields: Any) -> None:
        self.log.append("received", encode_event({"type": kind, "event_id": f"e{self.now_ns}", **fields}))


MOVES = ["audio"] * 8 + ["text"] * 5 + ["mic"] * 3 + ["beta text", "odd", "format", "created", "done"]
MOVES += ["added", "whole text", "deleted", "played", "again"]
moves = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 11)), max_size=60)


@given(moves, st.lists(st.integers(0, 60), max_size=3))
@example(script=[("audio", 11), ("audio", 8), ("audio", 2)], asked_at=[])  # of another response meanwhile
def test_many_rows_at_once_are_what_they_are_one_by_one(
    script: Sequence[tuple[str, int]], asked_at: Sequence[int]
) -> None:
    talk = Script()
    table = EventTable(talk.log)
    for n, (move, which) in enumerate(script):
        if n in asked_at:
            table.catch_up()
        talk.do(move, which)
    table.catch_up()
    conversation, rows = folded_whole(talk.log)
    assert state_of(table.conversation) == state_of(conversation)
    assert list(table.conversation._appended_samples) == list(conversation._appended_samples)
    assert list(table.conversation._appended_s) == list(conversation._appended_s)
    frame = table.frame()
    expected_ms = [np.nan if r[2] is None else r[2] for r in rows]
    assert frame.audio_ms.tolist() == pytest.approx(expected_ms, nan_ok=True)
    assert frame.text.tolist() == [pd.NA if r[3] is None else r[3] for r in rows]
    assert frame.wire_bytes.tolist() == [r[4] for r in rows]
    assert frame.connection.fillna(0).tolist() == [r[1] for r in rows]
    of_response = {r.response_id: r.turn for r in conversation.responses.values()}
    of_item = {i.item_id: i.turn for i in conversation.items.values()}
    assert frame.turn.fillna(0).tolist() == [
        of_response.get(row.response_id or "") or of_item.get(row.item_id or "") or then[0]
        for row, then in zip(talk.log.rows, rows, strict=True)
    ]


@given(st.lists(st.integers(0, 200), max_size=12), st.integers(0, 30), st.integers(0, 30), st.booleans())
def test_what_the_user_said_is_cut_out_of_what_was_sent(
    sizes: Sequence[int],
    start_ms: int,
    end_ms: int,
    telephone: bool,  # noqa: FBT001 - a drawn value
) -> None:
    log = EventLog(lambda: 0, lambda: 0)
    log.local("connection.opened", dialect="ga", model="m", url="ws://x")
    wire = {"type": "audio/pcmu"} if telephone else {"type": "audio/pcm", "rate": 24_000}
    session = {"type": "realtime", "audio": {"input": {"format": wire}}}
    log.append("received", encode_event({"type": "session.created", "session": session}))
    sent = b""
    for size in sizes:
        piece = bytes(n * 7 % 256 for n in range(size))
        log.append("sent", append_frame(piece))
        sent += piece
    for kind, field in (("started", "audio_start_ms"), ("stopped", "audio_end_ms")):
        told = {field: start_ms if kind == "started" else end_ms}
        event = {"type": f"input_audio_buffer.speech_{kind}", "item_id": "u", **told}
        log.append("received", encode_event(event))
    log.append("received", encode_event({"type": "input_audio_buffer.committed", "item_id": "u"}))
    decoder = Decoder(ULAW if telephone else PCM16)
    whole = decoder.decode(sent) + decoder.flush()
    assert Tables(log).sound("u") == whole[start_ms * 48 : end_ms * 48]


def test_a_label_is_in_the_turn_that_it_names() -> None:
    talk = Script()
    for move, which in [("added", 1), ("created", 0), ("added", 2), ("created", 1)]:
        talk.do(move, which)
    talk.log.local("label", turn=1, rating=1)
    events = Tables(talk.log).events()
    assert events.turn.iloc[-1] == 1
    assert Tables(talk.log).turns().rating.tolist() == [1, pd.NA]


# ---- the payload column ------------------------------------------------------------------------------------


def some_events() -> pd.DataFrame:
    talk = Script()
    for move in ("created", "audio", "text", "mic", "done"):
        talk.do(move, 3)
    talk.log.append("received", read_frame(b"nope"))
    return Tables(talk.log).events()


def test_a_payload_is_a_dict_wherever_one_looks() -> None:
    events = some_events()
    assert str(events.dtypes["payload"]) == EVENT_COLUMNS["payload"]
    assert events.payload[1]["response"] == {"id": "resp_1", "status": "in_progress"}
    assert events.payload.iloc[2]["delta"] == ""  # the sound is left out
    assert [p.get("type") for p in events.payload][:2] == ["local.connection.opened", "response.created"]
    chosen = events[events.type == "response.done"]
    assert chosen.payload.map(lambda p: p["response"]["status"]).tolist() == ["completed"]
    assert pd.json_normalize(list(chosen.payload))["response.status"].tolist() == ["completed"]
    assert events.payload.iloc[-1] == {}
    assert "response.created" in repr(events.payload)
    assert events.to_dict("records")[1]["payload"]["type"] == "response.created"


def test_payloads_go_along_with_what_pandas_does() -> None:
    events = some_events()
    twice = pd.concat([events, events], ignore_index=True)
    assert twice.payload.iloc[len(events) + 1] == events.payload[1]
    other = pd.concat([events, some_events()], ignore_index=True)
    assert other.payload.iloc[len(events) + 1]["type"] == "response.created"
    assert pickle.loads(pickle.dumps(events)).payload[1] == events.payload[1]  # noqa: S301 - made on this line
    shifted = events.payload.shift(1)
    assert shifted.isna().tolist() == [True] + [False] * (len(events) - 1)
    assert events.payload.reindex([1, 99]).isna().tolist() == [False, True]
    changed = events.copy()
    changed.payload.array[1] = {"mine": 1}
    changed["payload"] = changed.payload.array
    assert (changed.payload[1], events.payload[1]["type"]) == ({"mine": 1}, "response.created")
    pd.testing.assert_frame_equal(events, some_events())
    assert not (events.payload == changed.payload).all()


def test_arrow_and_polars_get_json_texts() -> None:
    events = some_events()
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(events)
    assert frame.shape == events.shape
    assert json.loads(frame["payload"][1])["response"]["id"] == "resp_1"
    assert frame["at"].dtype.time_zone == "UTC"


def test_what_is_written_for_others_holds_nothing_of_ours() -> None:
    written = plain(some_events())
    assert json.loads(written.payload[1])["type"] == "response.created"
    assert str(written.dtypes["payload"]) == "string"
    half = EventLog()
    half.append("received", read_frame(b'{"type":"x","text":"\\ud83d"}'))
    plain(Tables(half).events()).payload[0].encode()


class Recorded(Readable):
    def __init__(self, log: EventLog) -> None:
        self.log, self.tables = log, Tables(log)


def test_parquet_files_hold_all_tables(tmp_path: Any) -> None:
    talk = Script()
    for move, which in [("added", 1), ("created", 0), ("audio", 4), ("text", 4), ("done", 0)]:
        talk.do(move, which)
    files = Recorded(talk.log).to_parquet(tmp_path / "out")
    assert sorted(f.name for f in files) == [
        *("events.parquet", "items.parquet", "responses.parquet", "tool_calls.parquet"),
        *("turns.parquet", "usage.parquet"),
    ]
    back = pd.read_parquet(tmp_path / "out" / "events.parquet")
    assert back["type"].tolist() == Tables(talk.log).events()["type"].tolist()
    assert pd.read_parquet(tmp_path / "out" / "turns.parquet").index.name == "turn"


# ---- nothing of anything -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["events", "turns", "items", "responses", "tool_calls", "usage"])
def test_an_empty_session_has_empty_tables_of_the_right_kinds(name: str) -> None:
    empty = getattr(Tables(EventLog()), name)()
    talk = Script()
    for move, which in [("added", 1), ("created", 0), ("audio", 4), ("text", 4), ("done", 0)]:
        talk.do(move, which)
    full = getattr(Tables(talk.log), name)()
    assert len(empty) == 0
    assert empty.index.name == full.index.name
    kinds = [("category" if d == "category" else str(d)) for d in full.dtypes.astype(str)]
    assert [("category" if d == "category" else str(d)) for d in empty.dtypes.astype(str)] == kinds
