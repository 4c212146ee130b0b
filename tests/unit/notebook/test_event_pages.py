"""The events tab's pages: folding loses nothing, whatever the filter, the page and the moment."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gip_nb.errors import NothingToDo
from gip_nb.journal.log import EventLog
from gip_nb.journal.tables import Tables
from gip_nb.notebook.event_pages import EventDetail, EventPage, EventPages, EventRow
from gip_nb.protocol.frames import append_frame, encode_event, read_frame
from tests.unit.notebook.test_messages import faults

if TYPE_CHECKING:
    from pathlib import Path

PCM = bytes(1920)  # 40 ms
BASE64 = base64.b64encode(PCM).decode()
EVERY = ["sent", "received", "local"]

# (direction, type, what else): of few kinds, so that they fold.
events = st.sampled_from(
    [
        ("sent", "input_audio_buffer.append", {}),
        ("sent", "input_audio_buffer.append", {}),
        (
            "received",
            "response.output_audio.delta",
            {"item_id": "item_a", "response_id": "r", "delta": BASE64},
        ),
        (
            "received",
            "response.output_audio.delta",
            {"item_id": "item_a", "response_id": "r", "delta": BASE64},
        ),
        (
            "received",
            "response.output_audio_transcript.delta",
            {"item_id": "item_a", "delta": "Sunny in Söul"},
        ),
        (
            "received",
            "error",
            {"error": {"code": "response_cancel_not_active", "message": "no <b>answer</b>"}},
        ),
        ("received", "response.done", {"response": {"id": "r", "status": "failed"}}),
        # One name both ways.
        ("sent", "custom", {}),
        ("received", "custom", {}),
        ("local", "mic.captured", {"appended_samples": 960}),
        ("local", "connection.opened", {"dialect": "ga", "model": "m"}),
    ]
)
logs = st.lists(events, max_size=40)


class Talk:
    def __init__(self, slice_s: float = 60.0) -> None:
        self.at_ns = 0
        self.log = EventLog(lambda: self.at_ns, lambda: 1_700_000_000_000_000_000)
        self.pages = EventPages(lambda: self.log, slice_s)

    def add(self, said: list[tuple[Any, ...]]) -> None:
        for direction, kind, fields in said:
            self.at_ns += 10_000_000
            if direction == "local":
                self.log.local(kind, **fields)
            elif kind == "input_audio_buffer.append":
                self.log.append("sent", append_frame(PCM))
            else:
                self.log.append(direction, encode_event({"type": kind, **fields}))

    def raw(self, direction: Literal["sent", "received"], raw: bytes) -> None:
        self.log.append(direction, read_frame(raw))

    def rows(self, size: int = 500, /, **asked: Any) -> list[EventRow]:
        """The whole list, page by page."""
        found: list[EventRow] = []
        while True:
            page = self.pages.page({"first": len(found), "count": size, **asked})
            assert page["first"] == len(found)
            found += page["rows"]
            if len(found) == page["total"]:
                return found
            assert len(page["rows"]) == size

    def types(self, text: str) -> list[str]:
        return [row["type"] for row in self.rows(filter={"text": text})]


def same(one: float | None, other: float) -> bool:
    return math.isnan(other) if one is None else math.isclose(one, other)


def folded(said: list[tuple[Any, ...]]) -> list[tuple[str, str, int]]:
    """As simple as can be: what the runs should be."""
    runs: list[tuple[str, str, int]] = []
    for direction, kind, _ in said:
        name = f"local.{kind}" if direction == "local" else kind
        if runs and runs[-1][:2] == (direction, name):
            runs[-1] = (direction, name, runs[-1][2] + 1)
        else:
            runs.append((direction, name, 1))
    return runs


@given(logs, st.integers(1, 7))
@example([("sent", "custom", {}), ("received", "custom", {})], 1)
def test_runs_are_what_follows_each_other_and_their_counts_add_up(said: list[Any], size: int) -> None:
    talk = Talk()
    talk.add(said)
    rows = talk.rows(size)
    assert [(r["direction"], r["type"], r["count"]) for r in rows] == folded(said)
    assert sum(r["count"] for r in rows) == len(talk.log) == talk.pages.page({})["matched"]


@given(logs, st.integers(1, 7))
def test_unfolding_all_gives_the_log_and_the_audio_that_the_tables_have(said: list[Any], size: int) -> None:
    talk = Talk()
    talk.add(said)
    runs = talk.rows()
    rows = talk.rows(size, unfolded=[r["n"] for r in runs])
    single = [r for r in rows if not r["unfolded"]]
    assert [r["n"] for r in single] == list(range(len(talk.log)))
    table = Tables(talk.log).events()
    assert [(r["direction"], r["type"]) for r in single] == list(
        zip(table.direction, table.type, strict=True)
    )
    assert all(same(r["audio_ms"], ms) for r, ms in zip(single, table.audio_ms, strict=True))
    for r in runs:
        own = table.audio_ms.iloc[r["n"] : r["n"] + r["count"]]
        assert same(r["audio_ms"], own.sum(min_count=1))
        assert {x["inside"] for x in rows if r["n"] <= x["n"] < r["n"] + r["count"]} <= {None, r["n"]}
    # Folded again, it is as it was.
    assert talk.rows() == runs


@given(logs, logs, st.sets(st.integers(0, 40)), st.integers(1, 7))
def test_what_is_settled_stays_and_slices_change_nothing(
    before: list[Any], after: list[Any], unfolded: set[int], size: int
) -> None:
    talk = Talk()
    talk.add(before)
    asked = {"unfolded": sorted(unfolded)}
    settled = talk.pages.page(asked)["settled"]
    early = talk.rows(size, **asked)
    talk.add(after)
    late = talk.rows(size, **asked)
    assert late[:settled] == early[:settled]
    assert settled >= len(early) - 1 - max((r["count"] for r in early if r["unfolded"]), default=0)
    fresh = Talk()
    fresh.add([*before, *after])
    assert fresh.rows(**asked) == late


@given(said=logs, ways=st.sets(st.sampled_from(EVERY)), errors=st.booleans())
def test_a_filter_shows_what_it_names_and_folds_that(
    said: list[Any], ways: set[str], *, errors: bool
) -> None:
    talk = Talk()
    talk.add(said)
    wanted = {"directions": list(ways), "errors": errors}
    failures = {"error", "response.done"}
    kept = [s for s in said if s[0] in ways and (not errors or s[1] in failures)]
    rows = talk.rows(filter=wanted)
    assert [(r["direction"], r["type"], r["count"]) for r in rows] == folded(kept)
    page = talk.pages.page({"filter": wanted})
    assert page["matched"] == len(kept)
    assert page["counts"] == {way: sum(s[0] == way for s in said) for way in EVERY}
    assert page["failures"] == sum(s[1] in failures for s in said)
    assert sum(r["failures"] for r in talk.rows()) == page["failures"]


@given(logs, st.sets(st.integers(0, 40)))
def test_the_place_of_an_event_is_where_it_or_its_run_stands(said: list[Any], unfolded: set[int]) -> None:
    talk = Talk()
    talk.add(said)
    asked = {"unfolded": sorted(unfolded), "filter": {"directions": ["sent", "received"]}}
    rows = talk.rows(**asked)
    for n, row in enumerate(talk.log.rows):
        place = talk.pages.page({"around": n, **asked})["around"]
        if row.direction == "local":
            assert place is None
            continue
        assert place is not None
        found = rows[place]
        assert found["n"] <= n < found["n"] + found["count"] or found["count"] > 1
        if found["inside"] is not None or found["count"] == 1:
            assert found["n"] == n
        assert not found["unfolded"]


def test_the_last_rows_and_pages_beyond_the_end() -> None:
    talk = Talk()
    talk.add([("received", f"a.{n}", {}) for n in range(20)])
    tail = talk.pages.page({"first": None, "count": 3})
    assert (tail["first"], [r["type"] for r in tail["rows"]]) == (17, ["a.17", "a.18", "a.19"])
    assert talk.pages.page({"first": 99, "count": 5})["rows"] == []
    assert len(talk.pages.page({"first": -5, "count": 10_000})["rows"]) == 20
    assert talk.pages.page({"first": "x", "count": "y", "unfolded": "z", "filter": 1})["rows"] == []


def test_a_long_log_comes_in_slices_and_is_whole_in_the_end() -> None:
    talk = Talk(slice_s=0.0)
    talk.pages.page({})
    talk.add([("received", "response.output_text.delta", {"delta": f"word {n % 7}"}) for n in range(2000)])
    wanted = {"filter": {"text": "WORD 3"}}
    asked = 0
    while (page := talk.pages.page(wanted))["searched"] < page["events"]:
        asked += 1
        assert asked < 2000
    assert asked > 1
    assert page["matched"] == len([n for n in range(2000) if n % 7 == 3])


def test_text_is_found_in_types_ids_and_any_value_and_never_in_sound() -> None:
    talk = Talk()
    call = {"id": "item_f", "type": "function_call", "name": "get_weather", "call_id": "call_9"}
    sound = {"id": "item_u", "type": "message", "content": [{"type": "input_audio", "audio": "SEOULseoul"}]}
    talk.add(
        [
            ("received", "response.output_item.done", {"item": call}),
            ("received", "response.output_audio_transcript.done", {"transcript": "서울은 맑음"}),
            ("received", "response.output_audio.delta", {"item_id": "item_a", "delta": BASE64}),
            ("sent", "conversation.item.create", {"item": sound}),
        ]
    )
    assert talk.types("get_WEATHER") == ["response.output_item.done"]
    assert talk.types("call_9 type:item.done") == ["response.output_item.done"]
    assert talk.types("맑음") == ["response.output_audio_transcript.done"]
    assert talk.types("item_a") == ["response.output_audio.delta"]
    assert talk.types("type:AUDIO type:delta") == ["response.output_audio.delta"]
    assert talk.types("type:get_weather") == talk.types("seoul") == talk.types("transcript seoul") == []
    # A field's name is not what the event says.
    assert talk.types("call_id") == []


def test_what_is_no_event_is_an_error_that_can_be_found_and_read() -> None:
    talk = Talk()
    talk.raw("received", b"<html>502 Bad Gateway</html>")
    (row,) = talk.rows(filter={"errors": True, "text": "bad gateway"})
    assert (row["type"], row["failures"]) == ("", 1)
    detail = talk.pages.event({"n": 0})
    assert json.loads(detail["json"]) == {"unreadable": "<html>502 Bad Gateway</html>"}


def test_failures_are_told_by_what_happened() -> None:
    talk = Talk()
    talk.add(
        [
            ("received", "conversation.item.input_audio_transcription.failed", {"error": {"message": "no"}}),
            ("received", "response.done", {"response": {"status": "completed"}}),
            ("local", "connection.closed", {"code": 1000, "asked_for": True}),
            ("received", "response.done", {"response": {"status": "failed"}}),
            ("local", "connection.closed", {"code": 1011, "asked_for": False}),
            ("local", "callback.error", {"error": "ZeroDivisionError", "message": "division"}),
        ]
    )
    assert [r["failures"] for r in talk.rows()] == [1, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("kind", "fields", "note"),
    [
        ("error", {"error": {"code": "bad", "message": "no <b>such</b>\nitem"}}, "bad: no <b>such</b> item"),
        ("response.done", {"response": {"status": "completed"}}, "completed"),
        (
            "response.done",
            {"response": {"status": "incomplete", "status_details": {"reason": "max_output_tokens"}}},
            "incomplete: max_output_tokens",
        ),
        (
            "response.done",
            {"response": {"status": "failed", "status_details": {"error": {"code": "server_error"}}}},
            "failed: server_error",
        ),
        ("response.output_text.delta", {"delta": "안녕"}, "안녕"),
        ("response.output_text.done", {"text": "so " * 99}, "so " * 53 + "s…"),
        ("session.created", {"session": {"id": "s"}}, ""),
    ],
)
def test_an_event_by_itself_says_what_it_is_about(kind: str, fields: dict[str, Any], note: str) -> None:
    talk = Talk()
    talk.add([("received", kind, fields)])
    assert (talk.rows()[0]["note"] or "") == note


@pytest.mark.parametrize("told", ["pcm16", "g711_ulaw"])
def test_json_says_sound_in_milliseconds_in_the_session_s_format(told: str) -> None:
    talk = Talk()
    added = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": BASE64}]}
    unknown = {"blob": BASE64 * 2, "text": "a " * 400}
    talk.add(
        [
            ("local", "connection.opened", {"dialect": "beta", "model": "m"}),
            ("received", "session.created", {"session": {"input_audio_format": told}}),
            ("sent", "input_audio_buffer.append", {}),
            ("sent", "conversation.item.create", {"item": added}),
            ("received", "response.something.new", unknown),
        ]
    )
    ms = {"pcm16": 40, "g711_ulaw": 240}[told]
    shown = [json.loads(talk.pages.event({"n": n})["json"]) for n in range(len(talk.log))]
    assert shown[2] == {"type": "input_audio_buffer.append", "audio": f"{ms} ms of audio"}
    assert shown[3]["item"]["content"][0]["audio"] == f"{ms} ms of audio"
    assert shown[4]["blob"] == f"[{len(BASE64) * 2} characters like base64]"
    assert shown[4]["text"] == unknown["text"]
    assert all(BASE64[:64] not in json.dumps(each) for each in shown)
    assert talk.rows()[2]["audio_ms"] == ms == Tables(talk.log).events().audio_ms.iloc[2]


def test_a_huge_event_is_cut_and_says_where_the_rest_is() -> None:
    talk = Talk()
    talk.add([("received", "response.output_text.done", {"text": "word " * 50_000})])
    assert "session.payload(0)" in talk.pages.event({"n": 0})["json"][-80:]


def test_time_counts_from_the_first_connection() -> None:
    talk = Talk()
    talk.add([("local", "mic.state", {})])
    assert talk.pages.page({})["opened_ms"] is None
    talk.add([("local", "connection.opened", {"dialect": "ga"}), ("received", "session.created", {})])
    talk.add([("local", "connection.opened", {"dialect": "ga"})])
    assert talk.pages.page({})["opened_ms"] == 20.0
    assert [r["elapsed_ms"] for r in talk.rows()] == [10.0, 20.0, 30.0, 40.0]


@pytest.mark.parametrize("n", [-1, 1, None, "0"])
def test_an_event_that_there_is_not(n: object) -> None:
    talk = Talk()
    talk.add([("received", "a", {})])
    with pytest.raises(NothingToDo, match="no event"):
        talk.pages.event({"n": n})


def test_a_new_session_is_a_new_list() -> None:
    talk = Talk()
    talk.add([("received", "a", {})])
    first = talk.pages.page({"count": 5})["log"]
    talk.log = EventLog(lambda: 0, lambda: 1_800_000_000_000_000_000)
    page = talk.pages.page({"count": 5})
    assert (page["events"], page["rows"]) == (0, [])
    assert page["log"] != first


def test_only_a_few_filters_are_kept() -> None:
    talk = Talk()
    talk.add([("received", "a", {})])
    for n in range(50):
        talk.pages.page({"filter": {"text": f"{n}"}})
    assert len(talk.pages._filtered) == 4


def test_the_examples_of_the_comm_are_such_pages(fixtures: Path) -> None:
    messages = json.loads((fixtures / "comm_messages.json").read_text("utf-8"))["kernel_to_page"]
    values = [m["value"] for m in messages if m["kind"] == "reply" and "log" in (m["value"] or {})]
    pages = [v for v in values if "rows" in v]
    details = [v for v in values if "json" in v]
    assert pages
    assert details
    assert [f for v in pages for f in faults(v, EventPage)] == []
    assert [f for v in details for f in faults(v, EventDetail)] == []
    talk = Talk()
    talk.add([("received", "a", {})])
    assert faults(talk.pages.page({"count": 1}), EventPage) == []
    assert faults(talk.pages.event({"n": 0}), EventDetail) == []
    assert "id" not in get_type_hints(EventRow)
