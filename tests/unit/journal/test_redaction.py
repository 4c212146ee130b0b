"""What can be shared of a log: nothing that was said is in it, and all that was counted is."""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.journal.log import EventLog
from gip_nb.journal.placeholders import MOST_DEPTH, Placeholders
from gip_nb.journal.redaction import redacted
from gip_nb.journal.structure import is_kept_number
from gip_nb.journal.tables import Tables
from gip_nb.protocol.events import BETA, GA
from gip_nb.protocol.frames import append_frame, encode_event, read_frame
from tests.unit.protocol import samples
from tests.unit.protocol.server.server_end import tone
from tests.unit.protocol.shapes import PUBLISHED
from tests.unit.protocol.talks import TALKS, ask, new_pair

if TYPE_CHECKING:
    from gip_nb import g711
    from gip_nb.protocol.events import Dialect

SECRET = "zqSecret"
NUMBER = 918_273_645
TABLES = ("events", "turns", "items", "responses", "tool_calls", "usage")
# Of the samples, the texts that may stay: by key, and where that is not enough by the key above it.
STAYS = {
    *("type", "object", "status", "role", "model", "voice", "eagerness", "tool_choice", "tracing"),
    *("input_audio_format", "output_audio_format", "modalities", "output_modalities", "conversation"),
    *("max_output_tokens", "max_response_output_tokens"),
}
STAYS_IN = {
    *(("error", "code"), ("status_details", "reason"), ("", "name"), ("item", "name"), ("tools", "name")),
    *(("output", "name"), ("input", "name"), ("rate_limits", "name")),
}
# Their keys are somebody's own.
NAMED = {"metadata", "properties"}


def new_log() -> EventLog:
    log = EventLog(lambda: 0, lambda: 1_700_000_000_000_000_000)
    log.local("connection.opened", dialect=GA, model="m")
    return log


def log_of(*events: dict[str, Any], direction: Literal["sent", "received"] = "received") -> EventLog:
    log = new_log()
    for event in events:
        log.append(direction, encode_event(event))
    return log


def told(log: EventLog, n: int = 1) -> dict[str, Any]:
    return redacted(log).payload(n)


def everything_in(log: EventLog) -> str:
    """Every byte that somebody could find."""
    found = [
        repr((r.skeleton, r.audio, r.type, r.event_id, r.response_id, r.item_id, r.call_id)) for r in log.rows
    ]
    found += [json.dumps(log.payload(n), ensure_ascii=False) for n in range(len(log))]
    tables = Tables(log)
    return "".join([*found, *(getattr(tables, name)().to_csv() for name in TABLES)])


# -------------------------------------------------------------------------------------------- nothing is left


def planted(value: Any, secret: str, key: str = "", parent: str = "") -> Any:
    """A sample with the secret in each text that is none of its structure."""
    if isinstance(value, dict):
        return {secret if key in NAMED else k: planted(inner, secret, k, key) for k, inner in value.items()}
    if isinstance(value, list):
        return [planted(inner, secret, key, parent) for inner in value]
    return value if not isinstance(value, str) or key in STAYS or (parent, key) in STAYS_IN else secret


def planted_log(dialect: Dialect, secret: str) -> EventLog:
    log = EventLog(lambda: 0, lambda: 1_700_000_000_000_000_000)
    log.local("connection.opened", dialect=dialect, model="m", url=secret)
    sides: list[tuple[Literal["sent", "received"], dict[str, Any]]] = [
        ("received", samples.server_samples(dialect)),
        ("sent", samples.client_samples(dialect)),
    ]
    for direction, found in sides:
        for event in found.values():
            log.append(direction, encode_event(planted(copy.deepcopy(event), secret)))
    log.append(
        "received", encode_event({"type": "weather.7", "delta": secret, secret: [secret, {secret: NUMBER}]})
    )
    log.append("received", encode_event({"item": {"id": secret, "sky": secret}, "n": NUMBER}))
    log.append("received", read_frame(f'"{secret}'.encode()))
    log.append("received", read_frame(json.dumps([secret, NUMBER]).encode()))
    log.local("label", turn=1, label=secret, tags=[secret], rating=1)
    log.local("callback.error", error=secret, message=secret)
    log.local("connection.closed", code=1011, reason=secret, asked_for=False)
    log.local("history", item_ids=[secret], source=secret)
    log.local("mic.state", state="on", sample_rate_hz=48_000, page=secret, error=secret)
    log.local("something.new", words=secret, number=NUMBER)
    return log


@settings(max_examples=6)
@given(
    st.sampled_from([BETA, GA]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.sampled_from(["", " and more", '"', "\\u0041", "\n", "}", "=="]),
)
def test_a_secret_that_stands_anywhere_is_gone(dialect: Dialect, before: str, after: str) -> None:
    log = planted_log(dialect, before + SECRET + after)
    assert SECRET in everything_in(log)
    found = redacted(log)
    assert len(found) == len(log)
    assert SECRET not in everything_in(found)
    assert str(NUMBER) not in everything_in(found)


def test_spoken_words_are_gone_from_whole_talks() -> None:
    pair = new_pair(GA)
    ask(pair, SECRET)
    pair.run()
    assert SECRET in everything_in(pair.log)
    text = everything_in(redacted(pair.log))
    assert SECRET not in text
    assert "Good morning" not in text


CALL = {"id": "i", "type": "function_call", "arguments": f'{{"n":{NUMBER}}}'}
OUTPUT = {"type": "function_call_output", "output": str(NUMBER)}
PARAMETERS = {"parameters": {"const": NUMBER, "maximum": NUMBER}}
TRANSCRIBED = "conversation.item.input_audio_transcription.delta"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "conversation.item.done", "item": CALL},
        {"type": "conversation.item.done", "item": OUTPUT},
        {"type": "response.created", "response": {"id": "r", "metadata": {"phone": NUMBER}}},
        {"type": "response.created", "response": {"id": "r", "prompt": {"variables": {"age": NUMBER}}}},
        {"type": "session.updated", "session": {"tools": [PARAMETERS]}},
        {"type": "session.updated", "session": {"never_seen": {"type": NUMBER}}},
        {"type": TRANSCRIBED, "logprobs": [{"bytes": [NUMBER], "logprob": NUMBER}]},
        {"type": "response.text.delta", "delta": NUMBER},
        {"type": "weather", "temperature_of": NUMBER, "received_ms": NUMBER},
    ],
    ids=lambda event: event["type"],
)
def test_numbers_that_are_content_are_gone(event: dict[str, Any]) -> None:
    log = log_of(event)
    assert str(NUMBER) in everything_in(log)
    assert str(NUMBER) not in everything_in(redacted(log))


def test_pictures_are_gone() -> None:
    part = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}
    found = told(log_of({"type": "conversation.item.create", "item": {"content": [part]}}, direction="sent"))
    assert found["item"]["content"] == [{"type": "input_image", "image_url": "xxxx", "detail": "low"}]


def test_digits_that_were_pressed_are_gone() -> None:
    found = told(log_of({"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 7}))
    assert found == {"type": "input_audio_buffer.dtmf_event_received", "event": "xxxx", "received_at": 7}


# ------------------------------------------------------------------------------------------------- what stays


def test_words_are_counted_as_before() -> None:
    event = {"type": "response.output_text.done", "text": " two  words,\n\tthree"}
    assert told(log_of(event))["text"] == " xxxx xxxx\nxxxx"


def test_json_stays_json_and_a_failure_a_failure() -> None:
    placeholders = Placeholders()
    found = placeholders.json_text('{"city": "Seoul now", "n": 3, "deep": [true, null, 1.5, {"city": ""}]}')
    assert json.loads(found) == {
        "key_1": "xxxx xxxx",
        "key_2": 0,
        "key_3": [False, None, 0, {"key_1": ""}],
    }
    assert placeholders.json_text("{}") == "{}"
    assert placeholders.json_text("error: no such city") == "error: xxxx xxxx xxxx"
    assert placeholders.json_text('{"ci') == "xxxx"
    assert placeholders.json_text("[" * 100_000) == "xxxx"


def test_a_tools_parameters_are_named_as_in_its_calls() -> None:
    call = {"id": "i", "type": "function_call", "name": "get_weather", "arguments": '{"city": "Seoul"}'}
    log = log_of(
        {"type": "session.updated", "session": {"tools": [samples.TOOL]}},
        {"type": "conversation.item.done", "item": call},
    )
    (tool,) = told(log, 1)["session"]["tools"]
    assert tool == {
        "type": "function",
        "name": "get_weather",
        "description": "xxxx xxxx xxxx xxxx xxxx",
        "parameters": {"type": "object", "properties": {"key_1": {"type": "string"}}, "required": ["key_1"]},
    }
    assert told(log, 2)["item"]["arguments"] == '{"key_1": "xxxx"}'


A_STRING = {"type": "string"}


def test_a_schema_of_any_shape_keeps_its_types() -> None:
    schema = {
        "$defs": {"City": {"type": "object", "title": "A city"}},
        "properties": {"a": {"anyOf": [{**A_STRING, "enum": ["x"]}, {"type": "null"}], "default": 3}},
        "additionalProperties": False,
        "x-mine": "mine",
        "type": ["odd"],
    }
    assert Placeholders().schema(schema) == {
        "$defs": {"key_1": {"type": "object", "title": "xxxx xxxx"}},
        "properties": {
            "key_2": {"anyOf": [{"type": "string", "enum": ["xxxx"]}, {"type": "null"}], "default": 0}
        },
        "additionalProperties": False,
        "key_3": "xxxx",
        "type": ["xxxx"],
    }


def test_ids_are_new_names_and_the_same_everywhere() -> None:
    item = {"id": "mine", "type": "message", "role": "user", "status": "completed"}
    log = log_of(
        {"type": "conversation.item.added", "event_id": "e", "previous_item_id": "root", "item": item},
        {"type": "response.output_text.delta", "response_id": "r", "item_id": "other", "delta": "a"},
        {"type": "conversation.item.deleted", "item_id": "mine"},
        {
            "type": "error",
            "event_id": "f",
            "error": {"event_id": "e", "code": "invalid_value", "message": "no mine"},
        },
    )
    found = redacted(log)
    assert found.payload(1) == {
        "type": "conversation.item.added",
        "event_id": "event_1",
        "previous_item_id": "root",
        "item": {"id": "item_1", "type": "message", "role": "user", "status": "completed"},
    }
    assert (found.rows[2].response_id, found.rows[2].item_id) == ("resp_1", "item_2")
    assert found.rows[3].item_id == "item_1"
    assert found.payload(4)["error"] == {
        "event_id": "event_1",
        "code": "invalid_value",
        "message": "xxxx xxxx",
    }


def test_every_published_figure_is_a_figure() -> None:
    numbers: set[str] = set()
    for dialect in ("beta", "ga"):
        found = PUBLISHED[dialect]
        for fields in [*found["client"].values(), *found["server"].values(), *found["objects"].values()]:
            kinds = fields.items() if isinstance(fields, dict) else ()
            numbers |= {k for k, v in kinds if isinstance(v, dict) and v["type"][:3] in {"int", "flo"}}
    hidden = {key for key in numbers if not is_kept_number(key, "")}
    # A token's probability tells the token; the other is nobody's figure here.
    assert hidden == {"logprob", "post_instructions"}


def test_settings_stay() -> None:
    for dialect, session in ((BETA, samples.BETA_SESSION), (GA, samples.GA_SESSION)):
        found = told(log_of({"type": "session.updated", "session": session}))["session"]
        hidden = {"id": "sess_1", "instructions": "xxxx xxxx", "tools": found["tools"]}
        expected = json.loads(json.dumps({**session, **hidden}).replace('"en"', '"xxxx"'))
        assert found == expected, dialect


# ---------------------------------------------------------------------------------------------------- figures

WORDS = {
    "events": {"text", "payload", "wire_bytes"},
    "turns": {"user_text", "assistant_text", "heard_text", "label", "tags"},
    "items": {"text", "heard_text", "arguments", "output", "problem"},
    "responses": {"error"},
    "tool_calls": {"arguments", "output", "error"},
    "usage": {"note"},
}
IDS = {"event_id", "response_id", "item_id", "call_id"}


def check_figures(before: EventLog, after: EventLog) -> None:
    """All tables have the same rows and figures; ids are other ones, as many."""
    names: set[tuple[str, str]] = set()
    for name in TABLES:
        one, other = (
            getattr(Tables(before), name)().reset_index(),
            getattr(Tables(after), name)().reset_index(),
        )
        ids = [c for c in one.columns if c in IDS]
        for column in ids:
            names |= set(zip(one[column].fillna(""), other[column].fillna(""), strict=True))
        words = WORDS[name] & set(one.columns)
        for column in words - {"payload", "wire_bytes", "tags", "heard_text"}:
            assert list(one[column].isna()) == list(other[column].isna()), (name, column)
        for column in words & {"user_text", "assistant_text"}:
            count = [[len(t.split()) for t in f[column].fillna("")] for f in (one, other)]
            assert count[0] == count[1]
        pd.testing.assert_frame_equal(one.drop(columns=[*ids, *words]), other.drop(columns=[*ids, *words]))
    assert len({a for a, _ in names}) == len({b for _, b in names}) == len(names)


def check_idempotent(log: EventLog) -> None:
    again = redacted(log)
    assert [(r.skeleton, r.audio, r.type) for r in again.rows] == [
        (r.skeleton, r.audio, r.type) for r in log.rows
    ]


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("voice_turn", GA),
        ("tool_calls", BETA),
        ("beside", GA),
        ("interrupted_by_voice", BETA),
        ("edits", GA),
        ("refusals", BETA),
        ("failed", GA),
        ("updates", BETA),
    ],
)
def test_the_tables_have_the_same_figures(name: str, dialect: Dialect) -> None:
    pair = new_pair(dialect)
    TALKS[name](pair)
    pair.run()
    found = redacted(pair.log)
    check_figures(pair.log, found)
    check_idempotent(found)


@pytest.mark.parametrize(("law", "silence"), [("ulaw", b"\xff"), ("alaw", b"\xd5")])
def test_a_telephones_silence_is_its_own(law: g711.Law, silence: bytes) -> None:
    kind = {"format": {"type": "audio/pcmu" if law == "ulaw" else "audio/pcma"}}
    log = log_of({"type": "session.updated", "session": {"audio": {"input": kind, "output": kind}}})
    log.append("sent", append_frame(b"\x12\x34\x56"))
    place = {"response_id": "r", "item_id": "a", "content_index": 0}
    log.append(
        "received", encode_event({"type": "response.output_audio.delta", **place, "delta": "AAAA" * 80})
    )
    found = redacted(log)
    check_figures(log, found)
    assert [r.audio for r in found.rows[2:]] == [silence * 3, silence * 240]
    assert abs(np.frombuffer(Tables(found).sound("item_1"), "<i2")).max() <= 16


def test_responses_beside_are_told_apart_as_before() -> None:
    def asked(topic: str) -> dict[str, Any]:
        return {"type": "response.create", "response": {"conversation": "none", "metadata": {"topic": topic}}}

    def created(response_id: str, topic: str) -> dict[str, Any]:
        return {"type": "response.created", "response": {"id": response_id, "metadata": {"topic": topic}}}

    log = log_of(asked("mood"), direction="sent")
    for event in (created("r1", "main"), created("r2", "mood")):
        log.append("received", encode_event(event))
    assert list(Tables(redacted(log)).responses()["beside"]) == [False, True]


def test_it_costs_what_it_cost() -> None:
    rate = {"input": 4.0, "cached": 0.4, "output": 16.0}
    price = {"model": "m", "source": SECRET, "date": "2026-03-01", "text": rate, "audio": rate}
    log = new_log()
    log.local("prices", models=[price])
    log.append("received", encode_event({"type": "response.done", "response": samples.GA_RESPONSE}))
    log.local("budget", state="warned", spent_usd=0.8, budget_usd=1.0, share=0.8, message=SECRET)
    found = redacted(log)
    check_figures(log, found)
    assert Tables(log).usage()["cost_usd"].notna().all()
    assert found.payload(1)["models"] == [{**price, "source": "xxxx"}]
    state = {"state": "warned", "spent_usd": 0.8, "budget_usd": 1.0, "share": 0.8, "message": "xxxx"}
    assert found.payload(3) == {"type": "local.budget", **state}


# ------------------------------------------------------------------------------------------------------ sound


def sound_log() -> EventLog:
    """Sound of every kind: sent, received, added as an item, told again."""
    log = new_log()
    log.append("sent", append_frame(tone(40)))
    part = {"type": "input_audio", "audio": base64.b64encode(tone(20)).decode(), "transcript": "hello you"}
    item = {"id": "u", "type": "message", "role": "user", "content": [part]}
    log.append("sent", encode_event({"type": "conversation.item.create", "item": item}))
    log.append("received", encode_event({"type": "conversation.item.retrieved", "item": item}))
    place = {"response_id": "r", "item_id": "a", "output_index": 0, "content_index": 0}
    delta = base64.b64encode(tone(30)).decode()
    log.append("received", encode_event({"type": "response.output_audio.delta", **place, "delta": delta}))
    # One that would not come back to the letter: kept whole, its sound beside it.
    raw = json.dumps({"type": "response.audio.delta", **place, "delta": delta}).replace("/", "\\/")
    log.append("received", read_frame(raw.encode()))
    return log


def test_sound_is_silence_of_the_same_length() -> None:
    log = sound_log()
    found = redacted(log)
    check_figures(log, found)
    check_idempotent(found)
    for before, after in zip(log.rows, found.rows, strict=True):
        assert (after.audio is None) == (before.audio is None)
        assert after.audio is None or after.audio == bytes(len(before.audio or b""))
    assert base64.b64decode(found.payload(1)["audio"]) == bytes(len(tone(40)))
    assert base64.b64decode(found.payload(5)["delta"]) == bytes(len(tone(30)))
    for item_id in ("u", "a"):
        sound = Tables(found).sound({"u": "item_1", "a": "item_2"}[item_id])
        assert sound == bytes(len(Tables(log).sound(item_id)))
    text = everything_in(found)
    assert not [
        piece for piece in (tone(20), tone(30), tone(40)) if base64.b64encode(piece).decode()[:40] in text
    ]


def test_sound_may_stay() -> None:
    log = sound_log()
    found = redacted(log, audio=False)
    assert [r.audio for r in found.rows] == [r.audio for r in log.rows]
    assert found.payload(2)["item"]["content"] == [
        {**log.payload(2)["item"]["content"][0], "transcript": "xxxx xxxx"}
    ]


def test_words_may_stay() -> None:
    log = sound_log()
    found = redacted(log, text=False)
    assert {bytes(set(r.audio or b"\0")) for r in found.rows} == {b"\0"}
    assert found.rows[4].item_id == "a"
    part = found.payload(2)["item"]["content"][0]
    assert (part["transcript"], base64.b64decode(part["audio"])) == ("hello you", bytes(len(tone(20))))


def test_sound_that_nobody_expects_there_goes_with_the_other() -> None:
    sound = base64.b64encode(tone(40)).decode()
    log = log_of(
        {"type": "weather", "data": sound, "text": "clear", "picture": f"data:image/png;base64,{sound}"}
    )
    log.append("received", read_frame(f'{{"type":"x","delta":"{sound}'.encode()))
    found = redacted(log, text=False)
    assert found.payload(1) == {**log.payload(1), "data": "xxxx"}
    assert found.rows[2].skeleton == b'{"type":"x","delta":"xxxx'


def test_both_may_stay() -> None:
    log = sound_log()
    found = redacted(log, audio=False, text=False)
    assert [(r.skeleton, r.cut, r.audio) for r in found.rows] == [
        (r.skeleton, r.cut, r.audio) for r in log.rows
    ]


@pytest.mark.parametrize("how", [{}, {"text": False}, {"audio": False}])
def test_audio_that_nobody_could_read_stays_unread(how: dict[str, bool]) -> None:
    log = new_log()
    raw = b'{"type":"response.audio.delta","response_id":"r","item_id":"i","delta":"c2Vjc!!"}'
    log.append("received", read_frame(raw.replace(b"!!", b"mV0")[:-3] + b'!"}'))
    assert read_frame(log.rows[1].skeleton).problem
    found = redacted(log, **how)
    assert read_frame(found.rows[1].skeleton).problem
    assert found.rows[1].audio is None
    assert found.payload(1)["delta"] == "x"


# ---------------------------------------------------------------------------------------------- odd frames

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
some_keys = [
    "type",
    "delta",
    "audio",
    "event_id",
    "item_id",
    "item",
    "response",
    "id",
    "metadata",
    "tools",
    "x",
]
some_values = [
    "response.audio.delta",
    "input_audio_buffer.append",
    "conversation.item.added",
    "AAAA",
    "é",
    "AB==",
]
events = st.dictionaries(st.sampled_from(some_keys), st.sampled_from(some_values) | json_values, max_size=6)


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@settings(max_examples=40)
@given(
    st.lists(
        (events | json_values).map(lambda v: json.dumps(v).encode()) | st.binary(max_size=20), max_size=5
    ),
    st.sampled_from([{}, {"text": False}, {"audio": False}]),
)
def test_whatever_passed_has_a_row(frames: list[bytes], how: dict[str, bool]) -> None:
    log = new_log()
    for raw in frames:
        for direction in ("sent", "received"):
            log.append(direction, read_frame(raw))
    found = redacted(log, **how)
    for before, after in zip(log.rows, found.rows, strict=True):
        one, other = read_frame(before.skeleton), read_frame(after.skeleton)
        assert (one.problem is None, one.audio is None) == (other.problem is None, other.audio is None)
        assert before.audio_bytes == after.audio_bytes
        assert (before.elapsed_ns, before.direction, before.connection) == (
            after.elapsed_ns,
            after.direction,
            after.connection,
        )
    if how != {"text": False}:
        check_idempotent(found)


@pytest.mark.parametrize(
    ("raw", "becomes"),
    [
        (b"nope at all", b"xxxx xxxx xxxx"),
        (b"", b""),
        (b"\xff\xfe", b"xxxx"),
        (b'"text"', b'"xxxx"'),
        (b"[5]", b"[0]"),
        (b"{}", b"{}"),
        (b'{"a":' * 100_000, b"xxxx"),
        (b'{"type":"x","type":"y"}', b'{"type":"y"}'),
        (b'{"type":"secret words"}', b'{"type":"xxxx xxxx"}'),
        (b'{"type":7}', b'{"type":0}'),
        (b'{"type":"error","n":1e400}', b'{"type":"error","key_1":0}'),
        (b'{"type":"rate_limits.updated","rate_limits":[{"limit":1e400}]}', None),
        (b'{"type":"rate_limits.updated","rate_limits":[{"limit":123456789012345678901234567890}]}', None),
        (
            b'{"type":"response.text.delta","delta":"\\ud83d"}',
            b'{"type":"response.text.delta","delta":"xxxx"}',
        ),
    ],
)
def test_odd_frames(raw: bytes, becomes: bytes | None) -> None:
    log = new_log()
    log.append("received", read_frame(raw))
    found = redacted(log)
    assert becomes is None or found.rows[1].skeleton == becomes
    assert (read_frame(found.rows[1].skeleton).problem is None) == (read_frame(raw).problem is None)


def test_what_is_nested_too_deep_ends() -> None:
    deep: Any = SECRET
    for _ in range(MOST_DEPTH * 3):
        deep = {"item": [deep]}
    found = told(log_of({"type": "conversation.item.added", **deep}))
    assert SECRET not in json.dumps(found)


def test_the_log_itself_stays_as_it_is() -> None:
    log = sound_log()
    before = [(r.skeleton, r.audio) for r in log.rows]
    made = redacted(log)
    made.local("label", turn=1, label="mine")
    assert [(r.skeleton, r.audio) for r in log.rows] == before
    assert made.started_unix_ns == log.started_unix_ns
