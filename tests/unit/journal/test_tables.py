"""The tables of a log: schema, latencies, and that it does not matter when they are asked for."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.errors import UnknownItem
from gip_nb.journal.columns import EVENT_COLUMNS, ITEM_COLUMNS, TURN_COLUMNS
from gip_nb.journal.log import EventLog
from gip_nb.journal.tables import Tables
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.events import BETA, GA
from gip_nb.protocol.frames import append_frame, encode_event, read_frame
from tests.unit.protocol import samples

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect

STARTED_NS = 1_700_000_000_000_000_000
FRAME = bytes(range(240)) * 8  # 40 ms
MODEL = "openai/gpt-4o-realtime-preview-2024-12-17"


class Recorder:
    """A log with a clock that tests turn by hand."""

    def __init__(self, dialect: Dialect = GA) -> None:
        self.at_ms = 0.0
        self.log = EventLog(lambda: round(self.at_ms * 1e6), lambda: STARTED_NS)
        self.tables = Tables(self.log)
        self.log.local("connection.opened", dialect=dialect, model=MODEL, url="ws://x")

    def got(self, kind: str, at_ms: float | None = None, **fields: Any) -> None:
        self.at_ms = self.at_ms if at_ms is None else at_ms
        self.log.append("received", encode_event({"type": kind, **fields}))

    def sent(self, kind: str, at_ms: float | None = None, **fields: Any) -> None:
        self.at_ms = self.at_ms if at_ms is None else at_ms
        self.log.append("sent", encode_event({"type": kind, **fields}))

    def local(self, kind: str, at_ms: float | None = None, **fields: Any) -> None:
        self.at_ms = self.at_ms if at_ms is None else at_ms
        self.log.local(kind, **fields)

    def speak(self, frames: int, from_ms: float) -> None:
        """Live: each 40 ms frame leaves when its last sample is taken."""
        for n in range(frames):
            self.at_ms = from_ms + 40 * (n + 1)
            self.log.append("sent", append_frame(FRAME))


def base64_of(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


PAGE_MS = 1_763_000_000_000.0
"""What the page's clock says when the log begins."""


def voice_turn(dialect: Dialect = GA) -> Recorder:
    """A spoken question that ends at 1 500 ms, and an answer of which 200 ms were heard."""
    r = Recorder(dialect)
    detection = {"type": "server_vad", "silence_duration_ms": 500}
    ga_session = {"id": "s", "type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    r.got(
        "session.created", session=ga_session if dialect == GA else {"id": "s", "turn_detection": detection}
    )
    delta = "response.output_audio.delta" if dialect == GA else "response.audio.delta"
    words = "response.output_audio_transcript.done" if dialect == GA else "response.audio_transcript.done"
    added = "conversation.item.added" if dialect == GA else "conversation.item.created"
    r.local("clock", 20, page="p", asked_s=0.01, answered_s=0.02, page_ms=PAGE_MS + 15)
    r.speak(48, from_ms=100)
    r.got("input_audio_buffer.speech_started", 2030, item_id="u", audio_start_ms=200)
    r.got("input_audio_buffer.speech_stopped", 2050, item_id="u", audio_end_ms=1900)
    r.got("input_audio_buffer.committed", 2051, item_id="u", previous_item_id=None)
    content = [{"type": "input_audio", "transcript": None}]
    r.got(added, 2052, item={"id": "u", "type": "message", "role": "user", "content": content})
    r.got("response.created", 2100, response={"id": "r"})
    for n in range(5):
        r.got(delta, 2250 + n, response_id="r", item_id="a", content_index=0, delta=base64_of(FRAME * 5))
    r.got(words, 2260, response_id="r", item_id="a", content_index=0, transcript="one two three four five")
    transcribed = "conversation.item.input_audio_transcription.completed"
    r.got(transcribed, 2300, item_id="u", content_index=0, transcript="how are you")
    r.local(
        *("playback.started", 2400),
        item_id="a",
        played_samples=0,
        page="p",
        page_ms=PAGE_MS + 2340,
        output_latency_ms=40,
    )
    usage = {
        "input_tokens": 120,
        "output_tokens": 30,
        "input_token_details": {"text_tokens": 100, "audio_tokens": 20},
        "output_token_details": {"text_tokens": 10, "audio_tokens": 20},
    }
    r.got("response.done", 2450, response={"id": "r", "status": "completed", "usage": usage, "output": []})
    r.local("playback.flushed", 2600, item_id="a", played_samples=5760, output_latency_ms=40.0)
    r.sent("conversation.item.truncate", 2601, item_id="a", content_index=0, audio_end_ms=200)
    return r


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


# ----------------------------------------------------------------------------------------------------- schema


@pytest.mark.parametrize("filled", ["nothing", "one row", "a turn"])
def test_columns_and_dtypes_are_the_declared_ones_always(filled: str) -> None:
    if filled == "nothing":
        tables = Tables(EventLog(lambda: 0, lambda: STARTED_NS))
    else:
        tables = (Recorder() if filled == "one row" else voice_turn()).tables
    assert dtypes(tables.events()) == EVENT_COLUMNS
    assert dtypes(tables.items()) == ITEM_COLUMNS
    assert dtypes(tables.turns()) == TURN_COLUMNS
    assert [t.index.name for t in (tables.events(), tables.items(), tables.turns())] == [
        "n",
        "item_id",
        "turn",
    ]
    assert str(tables.turns().index.dtype) == "int64"


def test_the_columns_are_those_that_users_were_promised() -> None:
    assert " ".join(EVENT_COLUMNS) == (
        "at elapsed_s direction type event event_id response_id item_id call_id turn connection audio_ms text"
        " wire_bytes payload"
    )
    assert " ".join(TURN_COLUMNS) == (
        "started_at user_text assistant_text heard_text interrupted status tools user_audio_ms"
        " assistant_audio_ms heard_audio_ms first_event_ms first_audio_ms first_sound_ms requests"
        " input_tokens output_tokens cost_usd speech_end_from speech_end_s speech_stopped_ms"
        " response_created_ms first_text_ms first_delivered_ms clock_error_ms ended_s label tags rating"
        " lost_audio_ms late_audio_ms"
    )


# ----------------------------------------------------------------------------------------------- a whole turn


@pytest.mark.parametrize("dialect", [BETA, GA])
def test_a_voice_turn_comes_out_to_the_millisecond(dialect: Dialect) -> None:
    turns = voice_turn(dialect).tables.turns()
    assert list(turns.index) == [1]
    turn = turns.loc[1]
    # The speech ended 1400 ms into the audio, which began to be taken at 100 ms.
    assert turn["first_event_ms"] == pytest.approx(2100 - 1500, abs=1e-3)
    assert turn["first_audio_ms"] == pytest.approx(2250 - 1500, abs=1e-3)
    assert turn["first_sound_ms"] == pytest.approx(2380 - 1500, abs=1e-3)
    assert turn["speech_end_from"] == "vad"
    assert turn["started_at"] == pd.Timestamp(STARTED_NS + 2_051_000_000, unit="ns", tz="UTC")
    assert (turn["user_text"], turn["assistant_text"]) == ("how are you", "one two three four five")
    assert turn["heard_text"] == "one"
    assert (turn["user_audio_ms"], turn["assistant_audio_ms"], turn["heard_audio_ms"]) == (
        1700.0,
        1000.0,
        200.0,
    )
    assert (bool(turn["interrupted"]), turn["status"], turn["tools"]) == (True, "completed", 0)
    assert (turn["requests"], turn["input_tokens"], turn["output_tokens"]) == (1, 120, 30)
    assert turn["cost_usd"] == pytest.approx((100 * 5 + 20 * 40 + 10 * 20 + 20 * 80) / 1e6)


@pytest.mark.parametrize("dialect", [BETA, GA])
def test_the_items_of_a_voice_turn(dialect: Dialect) -> None:
    items = voice_turn(dialect).tables.items()
    assert list(items.index) == ["u", "a"]
    user, answer = items.loc["u"], items.loc["a"]
    assert (user["role"], user["text"], user["audio_ms"], user["turn"]) == ("user", "how are you", 1700.0, 1)
    assert pd.isna(user["heard_ms"])
    assert pd.isna(user["heard_text"])
    assert (answer["audio_ms"], answer["heard_ms"], answer["heard_text"]) == (1000.0, 200.0, "one")
    assert (bool(answer["interrupted"]), answer["response_id"], answer["status"]) == (True, "r", "completed")


@pytest.mark.parametrize("dialect", [BETA, GA])
def test_the_events_of_a_voice_turn(dialect: Dialect) -> None:
    r = voice_turn(dialect)
    events = r.tables.events()
    assert list(events.index) == list(range(len(r.log)))
    deltas = events[events["event"] == "response.output_audio.delta"]
    assert list(deltas["audio_ms"]) == [200.0] * 5
    wire_name = "response.output_audio.delta" if dialect == GA else "response.audio.delta"
    assert set(deltas["type"]) == {wire_name}
    assert set(deltas["turn"]) == {1}
    assert all(p["delta"] == "" for p in deltas["payload"])
    sent = events[events["type"] == "input_audio_buffer.append"]
    assert set(sent["audio_ms"]) == {40.0}
    assert set(sent["wire_bytes"]) == {len(append_frame(FRAME).wire())}
    assert sent["turn"].isna().all()
    local = events[events["direction"] == "local"]
    assert list(local["type"]) == [
        "local.connection.opened",
        "local.clock",
        "local.playback.started",
        "local.playback.flushed",
    ]
    assert set(local["wire_bytes"]) == {0}
    assert set(events["connection"]) == {1}
    assert list(events["elapsed_s"]) == sorted(events["elapsed_s"])
    assert (
        events["at"].astype("int64") - STARTED_NS == (events["elapsed_s"] * 1e9).round().astype("int64")
    ).all()
    assert "how are you" in set(events["text"].dropna())
    # A row about the user's item belongs to the turn that this item opened, though it came before.
    assert events[events["event"] == "input_audio_buffer.speech_started"]["turn"].iloc[0] == 1


def test_a_text_turn_with_a_tool() -> None:
    r = Recorder()
    item = {
        "id": "t",
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "weather?"}],
    }
    r.sent("conversation.item.create", 1000, item=item)
    r.sent("response.create", 1001)
    r.got("response.created", 1100, response={"id": "r1"})
    call = {
        "id": "f",
        "type": "function_call",
        "call_id": "c",
        "name": "get_weather",
        "arguments": '{"city": "x"}',
    }
    r.got("response.done", 1200, response={"id": "r1", "status": "completed", "output": [call]})
    output = {"id": "o", "type": "function_call_output", "call_id": "c", "output": "sunny"}
    r.sent("conversation.item.create", 1300, item=output)
    answer = {
        "id": "a",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Sunny."}],
    }
    r.got("response.done", 1500, response={"id": "r2", "status": "completed", "output": [answer]})
    turn = r.tables.turns().loc[1]
    assert (turn["tools"], turn["requests"], turn["user_text"], turn["assistant_text"]) == (
        1,
        2,
        "weather?",
        "Sunny.",
    )
    assert turn["first_event_ms"] == pytest.approx(100)
    assert pd.isna(turn["first_audio_ms"])
    assert pd.isna(turn["heard_text"])
    assert pd.isna(turn["heard_audio_ms"])
    items = r.tables.items()
    assert list(items.index) == ["t", "f", "o", "a"]
    assert tuple(items.loc["f", ["name", "call_id", "arguments"]]) == ("get_weather", "c", '{"city": "x"}')
    assert items.loc["o", "output"] == "sunny"
    assert "weather?" in set(r.tables.events()["text"].dropna())


def test_deleted_items_come_last_and_what_never_came_about_is_left_out() -> None:
    r = Recorder()
    for n in range(3):
        item = {"id": f"i{n}", "type": "message", "role": "user"}
        r.got("conversation.item.added", item=item, previous_item_id=f"i{n - 1}" if n else None)
    r.got("conversation.item.deleted", item_id="i1")
    r.got("input_audio_buffer.speech_started", item_id="never committed", audio_start_ms=0)
    items = r.tables.items()
    assert list(items.index) == ["i0", "i2", "i1"]
    assert list(items["deleted"]) == [False, False, True]


def test_an_unknown_model_has_no_cost() -> None:
    r = Recorder()
    r.local("connection.opened", model="my/gateway", url="ws://x")
    r.got("session.created", session={"id": "s", "model": "somebody's own"})
    r.got("response.done", response={"id": "r", "status": "failed", "usage": {"input_tokens": 5}})
    turn = r.tables.turns().loc[1]
    assert pd.isna(turn["cost_usd"])
    assert (turn["status"], turn["input_tokens"]) == ("failed", 5)


def test_audio_inside_items_is_left_out_of_the_payload_wherever_it_stands() -> None:
    r = Recorder()
    part = {"type": "input_audio", "audio": "AAAA", "transcript": "x"}
    item = {"id": "i", "type": "message", "role": "user", "content": [part]}
    r.sent("conversation.item.create", item=item)
    r.sent("response.create", response={"input": [item], "audio": {"output": {"voice": "ash"}}})
    r.got("response.content_part.done", item_id="a", part={"type": "audio", "audio": "AAAA"})
    r.got("response.done", response={"id": "r", "output": [{"id": "a", "content": [part]}]})
    payloads = r.tables.events()["payload"]
    assert "AAAA" not in json.dumps(list(payloads))
    assert payloads[2]["response"]["audio"] == {"output": {"voice": "ash"}}
    assert r.log.payload(1)["item"] == item


# ------------------------------------------------------------------------------------------------------ sound


def test_the_sound_of_an_answer_and_of_the_user() -> None:
    r = voice_turn()
    assert r.tables.sound("a") == FRAME * 25
    assert r.tables.sound("u") == (FRAME * 48)[200 * 48 : 1900 * 48]
    with pytest.raises(UnknownItem, match="nobody"):
        r.tables.sound("nobody")


def test_the_sound_is_cut_out_of_its_own_connection() -> None:
    r = Recorder()
    r.speak(10, 0)
    r.local("connection.opened", dialect="ga", model=MODEL)
    for n in range(5):
        r.log.append("sent", append_frame(bytes([n]) * 1920))
    r.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=-40)
    r.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=80)
    r.got("input_audio_buffer.committed", item_id="u")
    assert r.tables.sound("u") == bytes([0]) * 1920 + bytes([1]) * 1920


def test_a_text_has_no_sound() -> None:
    r = Recorder()
    item = {"id": "t", "type": "message", "role": "user", "content": []}
    r.sent("conversation.item.create", item=item)
    assert r.tables.sound("t") == b""


# ------------------------------------------------------------------------------------------- replayed and cut

ids = st.sampled_from(["i1", "i2", "i3", "r1", None, 5])
messages = st.fixed_dictionaries(
    {},
    optional={
        "item_id": ids,
        "response_id": ids,
        "previous_item_id": ids,
        "content_index": st.integers(-1, 2) | st.none(),
        "delta": st.sampled_from(["AAAA", "AB==", "words", "", None, 5]),
        "transcript": st.sampled_from(["hello there", "\ud83d", None]),
        "audio_start_ms": st.integers(-10, 3000),
        "audio_end_ms": st.integers(-10, 3000) | st.floats(),
        "item": st.fixed_dictionaries(
            {"id": ids},
            optional={
                "type": st.sampled_from(["message", "function_call", "function_call_output", 5]),
                "role": st.sampled_from(["user", "assistant", "system", None]),
                "content": st.sampled_from(
                    [[{"type": "input_text", "text": "hi"}], [{"type": "audio"}], [5], "x"]
                ),
                "status": st.sampled_from(["completed", None]),
            },
        ),
        "response": st.fixed_dictionaries(
            {"id": ids},
            optional={
                "status": st.sampled_from(["completed", "failed", "cancelled", "odd", None]),
                "output": st.sampled_from(
                    [[{"id": "i2", "type": "function_call", "call_id": "c"}], [None], {}]
                ),
                "usage": st.sampled_from([None, {"input_tokens": 3}, "x"]),
            },
        ),
        "session": st.sampled_from(
            [{}, {"audio": {"input": {"turn_detection": {"silence_duration_ms": 200}}}}, 5]
        ),
        "error": st.sampled_from([None, {"message": "no", "event_id": "e"}, []]),
        "played_samples": st.integers(0, 9) | st.none(),
    },
)
told = st.tuples(
    st.sampled_from(["sent", "received", "local"]),
    st.sampled_from(
        [*samples.server_samples(GA), *samples.server_samples(BETA), *samples.CLIENT_SAMPLES, "odd"]
    ),
    messages,
)


def record(log: EventLog, direction: str, kind: str, fields: dict[str, Any]) -> None:
    if direction == "local":
        name = {"o": "playback.flushed", "c": "connection.opened"}.get(kind[0], "playback.position")
        log.local(name, **{k: v for k, v in fields.items() if k != "transcript"})
    else:
        raw = json.dumps({"type": kind, **fields}).encode()
        log.append("sent" if direction == "sent" else "received", read_frame(raw))


def everything(tables: Tables) -> list[str]:
    frames = (tables.events(), tables.items(), tables.turns())
    return [f.astype(object).to_json(default_handler=str) for f in frames]


@given(st.lists(told, max_size=15), st.sets(st.integers(0, 14)), st.sampled_from(["beta", "ga"]))
@settings(max_examples=60, deadline=None)
def test_tables_do_not_depend_on_when_they_were_asked_for(
    rows: list[tuple[str, str, dict[str, Any]]], cuts: set[int], dialect: str
) -> None:
    log = EventLog(lambda: 0, lambda: STARTED_NS)
    log.local("connection.opened", dialect=dialect, model=MODEL)
    asked_often = Tables(log)
    live = Conversation()
    live.apply(log.event(0), "local", 0.0)
    for n, (direction, kind, fields) in enumerate(rows):
        record(log, direction, kind, fields)
        live.apply(log.event(n + 1), log.rows[-1].direction, 0.0)
        if n in cuts:
            asked_often.events()
            asked_often.items()
    asked_once = Tables(log)
    assert everything(asked_often) == everything(asked_once)
    events = asked_once.events()
    assert dtypes(events) == EVENT_COLUMNS
    assert dtypes(asked_once.items()) == ITEM_COLUMNS
    assert dtypes(asked_once.turns()) == TURN_COLUMNS
    assert len(events) == len(log)
    assert asked_once.turns()["requests"].sum() == live.requests
    assert list(asked_once.items().index)[: len(live.order)] == live.order
    for item_id in live.items:
        asked_once.sound(item_id)
