"""Every error that the server answers a bad request with: its code, its field, and whose request it was."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import gip_nb.protocol.server
from gip_nb.protocol.server.parts import Understand
from tests.unit.protocol.server.server_end import ServerEnd, base64_of, kinds, silence, tone

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.events import Dialect

EVENT_ID = "mine"
TRUNCATE = "conversation.item.truncate"
UNKNOWN_ITEM = "item_never_made"


def nothing(_: ServerEnd) -> dict[str, Any]:
    return {}


def without_detection(end: ServerEnd) -> dict[str, Any]:
    end.set_turn_detection(None)
    return {}


def with_99_ms(end: ServerEnd) -> dict[str, Any]:
    end.set_turn_detection(None)
    end.append(tone(99))
    return {}


def cleared(end: ServerEnd) -> dict[str, Any]:
    end.set_turn_detection(None)
    end.append(tone(500))
    end.send("input_audio_buffer.clear")
    return {}


def answered(end: ServerEnd) -> dict[str, Any]:
    """The answer's item, of 250 ms of audio."""
    done = end.send("response.create")[-1]["response"]
    return {"item_id": done["output"][0]["id"]}


def answered_in_writing(end: ServerEnd) -> dict[str, Any]:
    name = "modalities" if end.dialect == "beta" else "output_modalities"
    done = end.send("response.create", response={name: ["text"]})[-1]["response"]
    return {"item_id": done["output"][0]["id"]}


def user_spoke(end: ServerEnd) -> dict[str, Any]:
    end.append(tone(500) + silence(600))
    return {"item_id": end.last("input_audio_buffer.committed")["item_id"]}


def answering(end: ServerEnd) -> dict[str, Any]:
    end.receive("response.create")
    end.run(steps=2)
    return {}


def spoken(end: ServerEnd) -> dict[str, Any]:
    end.send("response.create")
    return {}


def item_made(end: ServerEnd) -> dict[str, Any]:
    end.send("conversation.item.create", item=message(id="taken"))
    return {}


def expired(end: ServerEnd) -> dict[str, Any]:
    end.protocol.expire("Your session hit the maximum duration of 30 minutes.")
    end.run()
    return {}


def message(**fields: object) -> dict[str, Any]:
    content = [{"type": "input_text", "text": "hello"}]
    return {"type": "message", "role": "user", "content": content, **fields}


def settings(dialect: Dialect, beta: dict[str, Any], ga: dict[str, Any]) -> dict[str, Any]:
    return beta if dialect == "beta" else {"type": "realtime", **ga}


class Bad(NamedTuple):
    """One bad request.

    Attributes:
        why: what is bad about it.
        type: of the event.
        fields: of the event; a function of the dialect where the two differ.
        code: of the error.
        param: of the error, in GA.
        beta_param: where beta has another name for it.
        before: brings the server there; what it gives back is laid under the fields.
    """

    why: str
    type: str
    fields: dict[str, Any] | Callable[[Dialect], dict[str, Any]]
    code: str
    param: str | None
    beta_param: str | None = None
    before: Callable[[ServerEnd], dict[str, Any]] = nothing


def vad(**setting: object) -> Callable[[Dialect], dict[str, Any]]:
    value = {"type": "server_vad", **setting}
    return lambda dialect: {
        "session": settings(
            dialect, {"turn_detection": value}, {"audio": {"input": {"turn_detection": value}}}
        )
    }


def voice(name: str) -> Callable[[Dialect], dict[str, Any]]:
    return lambda dialect: {
        "session": settings(dialect, {"voice": name}, {"audio": {"output": {"voice": name}}})
    }


def response_voice(name: str) -> Callable[[Dialect], dict[str, Any]]:
    own: dict[Dialect, dict[str, Any]] = {
        "beta": {"voice": name},
        "ga": {"audio": {"output": {"voice": name}}},
    }
    return lambda dialect: {"response": own[dialect]}


def limit(value: object) -> Callable[[Dialect], dict[str, Any]]:
    names: dict[Dialect, str] = {"beta": "max_response_output_tokens", "ga": "max_output_tokens"}
    return lambda dialect: {"response": {names[dialect]: value}}


def audio_format(beta: object, ga: object) -> Callable[[Dialect], dict[str, Any]]:
    return lambda dialect: {
        "session": settings(dialect, {"input_audio_format": beta}, {"audio": {"input": {"format": ga}}})
    }


TURN = "session.audio.input.turn_detection"
BETA_TURN = "session.turn_detection"
BAD_REQUESTS = (
    # Of any event
    Bad("an event that there is not", "session.upgrade", {}, "invalid_value", "type"),
    Bad("an event of the server", "response.done", {}, "invalid_value", "type"),
    Bad("an event of WebRTC", "output_audio_buffer.clear", {}, "invalid_value", "type"),
    Bad("a field is missing", "conversation.item.delete", {}, "missing_required_parameter", "item_id"),
    Bad("a field is of another type", "conversation.item.delete", {"item_id": 7}, "invalid_type", "item_id"),
    Bad(
        "an id that is too long",
        "input_audio_buffer.clear",
        {"event_id": "e" * 513},
        "string_above_max_length",
        "event_id",
    ),
    # The session
    Bad("no session in it", "session.update", {}, "missing_required_parameter", "session"),
    Bad(
        "a setting that there is not",
        "session.update",
        lambda dialect: {"session": settings(dialect, {"mood": "good"}, {"mood": "good"})},
        "unknown_parameter",
        "session.mood",
    ),
    Bad(
        "a setting of another type",
        "session.update",
        lambda dialect: {"session": settings(dialect, {"instructions": 7}, {"instructions": 7})},
        "invalid_type",
        "session.instructions",
    ),
    Bad(
        "a kind of turn detection that there is not",
        "session.update",
        vad(type="psychic"),
        "invalid_value",
        f"{TURN}.type",
        f"{BETA_TURN}.type",
    ),
    Bad(
        "a threshold that is too low",
        "session.update",
        vad(threshold=-0.1),
        "decimal_below_min_value",
        f"{TURN}.threshold",
        f"{BETA_TURN}.threshold",
    ),
    Bad(
        "a threshold that is too high",
        "session.update",
        vad(threshold=1.1),
        "decimal_above_max_value",
        f"{TURN}.threshold",
        f"{BETA_TURN}.threshold",
    ),
    Bad(
        "a silence that is no number",
        "session.update",
        vad(silence_duration_ms="long"),
        "invalid_type",
        f"{TURN}.silence_duration_ms",
        f"{BETA_TURN}.silence_duration_ms",
    ),
    Bad(
        "a padding below nothing",
        "session.update",
        vad(prefix_padding_ms=-1),
        "integer_below_min_value",
        f"{TURN}.prefix_padding_ms",
        f"{BETA_TURN}.prefix_padding_ms",
    ),
    Bad(
        "a format that there is not",
        "session.update",
        audio_format("mp3", {"type": "audio/mp3"}),
        "invalid_value",
        "session.audio.input.format.type",
        "session.input_audio_format",
    ),
    Bad(
        "another voice after the first sound",
        "session.update",
        voice("echo"),
        "cannot_update_voice",
        "session.audio.output.voice",
        "session.voice",
        before=spoken,
    ),
    # The input buffer
    Bad(
        "no base64",
        "input_audio_buffer.append",
        {"audio": "not base64!"},
        "invalid_value",
        "audio",
    ),
    Bad(
        "more than 15 MiB at once",
        "input_audio_buffer.append",
        {"audio": base64_of(bytes(15 * 1024 * 1024 + 1))},
        "string_above_max_length",
        "audio",
    ),
    Bad(
        "a commit of nothing",
        "input_audio_buffer.commit",
        {},
        "input_audio_buffer_commit_empty",
        None,
        before=without_detection,
    ),
    Bad(
        "a commit of less than 100 ms",
        "input_audio_buffer.commit",
        {},
        "input_audio_buffer_commit_empty",
        None,
        before=with_99_ms,
    ),
    Bad(
        "a commit of what was cleared",
        "input_audio_buffer.commit",
        {},
        "input_audio_buffer_commit_empty",
        None,
        before=cleared,
    ),
    # The conversation
    Bad(
        "an id that is taken",
        "conversation.item.create",
        {"item": message(id="taken")},
        "item_create_duplicate_item_id",
        "item.id",
        before=item_made,
    ),
    Bad(
        "a place after nobody",
        "conversation.item.create",
        {"item": message(), "previous_item_id": UNKNOWN_ITEM},
        "item_create_invalid_previous_item_id",
        "previous_item_id",
    ),
    Bad(
        "a role that there is not",
        "conversation.item.create",
        {"item": message(role="king")},
        "invalid_value",
        "item.role",
    ),
    Bad(
        "an item without its content",
        "conversation.item.create",
        {"item": message(content=None)},
        "missing_required_parameter",
        "item.content",
    ),
    Bad(
        "deleting what is not there",
        "conversation.item.delete",
        {"item_id": UNKNOWN_ITEM},
        "item_delete_invalid_item_id",
        "item_id",
    ),
    Bad(
        "retrieving what is not there",
        "conversation.item.retrieve",
        {"item_id": UNKNOWN_ITEM},
        "item_retrieve_invalid_item_id",
        "item_id",
    ),
    Bad(
        "truncating what is not there",
        TRUNCATE,
        {"item_id": UNKNOWN_ITEM, "content_index": 0, "audio_end_ms": 0},
        "item_truncate_invalid_item_id",
        "item_id",
    ),
    Bad(
        "truncating beyond the audio",
        TRUNCATE,
        {"content_index": 0, "audio_end_ms": 251},
        "invalid_value",
        "audio_end_ms",
        before=answered,
    ),
    Bad(
        "truncating before the audio",
        TRUNCATE,
        {"content_index": 0, "audio_end_ms": -1},
        "integer_below_min_value",
        "audio_end_ms",
        before=answered,
    ),
    Bad(
        "truncating a part that there is not",
        TRUNCATE,
        {"content_index": 1, "audio_end_ms": 100},
        "invalid_value",
        "content_index",
        before=answered,
    ),
    Bad(
        "truncating what has no audio",
        TRUNCATE,
        {"content_index": 0, "audio_end_ms": 0},
        "invalid_value",
        "item_id",
        before=answered_in_writing,
    ),
    Bad(
        "truncating what the user said",
        TRUNCATE,
        {"content_index": 0, "audio_end_ms": 100},
        "invalid_value",
        "item_id",
        before=user_spoke,
    ),
    # Responses
    Bad(
        "a second active response",
        "response.create",
        {},
        "conversation_already_has_active_response",
        None,
        before=answering,
    ),
    Bad("nothing to cancel", "response.cancel", {}, "response_cancel_not_active", None),
    Bad(
        "cancelling another than the active one",
        "response.cancel",
        {"response_id": "resp_never_made"},
        "response_cancel_not_active",
        None,
        before=answering,
    ),
    Bad(
        "a limit of no tokens",
        "response.create",
        limit(0),
        "integer_below_min_value",
        "response.max_output_tokens",
        "response.max_response_output_tokens",
    ),
    Bad(
        "a limit above all limits",
        "response.create",
        limit(4097),
        "integer_above_max_value",
        "response.max_output_tokens",
        "response.max_response_output_tokens",
    ),
    Bad(
        "more metadata than there may be",
        "response.create",
        {"response": {"metadata": {str(n): "x" for n in range(17)}}},
        "object_above_max_properties",
        "response.metadata",
    ),
    Bad(
        "a reference to nothing",
        "response.create",
        {"response": {"input": [{"type": "item_reference", "id": UNKNOWN_ITEM}]}},
        "invalid_value",
        "response.input[0].id",
    ),
    Bad(
        "another voice than the conversation's",
        "response.create",
        response_voice("echo"),
        "cannot_update_voice",
        "response.audio.output.voice",
        "response.voice",
        before=spoken,
    ),
    # The end
    Bad(
        "anything after the session's end",
        "conversation.item.create",
        {"item": message()},
        "session_expired",
        None,
        before=expired,
    ),
)


@pytest.mark.parametrize("dialect", ["beta", "ga"])
@pytest.mark.parametrize("bad", BAD_REQUESTS, ids=lambda bad: bad.why.replace(" ", "-"))
def test_each_bad_request_is_told_by_code_and_field_and_whose_it_was(bad: Bad, dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    under = bad.before(end)
    fields = bad.fields(dialect) if callable(bad.fields) else bad.fields
    asked = {"event_id": EVENT_ID, **under, **fields}
    [answer] = end.receive(bad.type, **asked)
    error = answer["error"]
    assert answer["type"] == "error"
    assert answer["event_id"]
    assert (error["type"], error["code"]) == ("invalid_request_error", bad.code)
    assert error["param"] == (bad.beta_param or bad.param if dialect == "beta" else bad.param)
    assert error["event_id"] == asked["event_id"], "a client ties it to its request"
    assert error["message"]
    if bad.code == "session_expired":
        return
    end.run()
    assert kinds(end.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"], "and it goes on"


@pytest.mark.parametrize("frame", ["{", "[]", "{}", f'{{"event_id": "{EVENT_ID}"}}', b"\x00"])
def test_a_frame_that_is_no_event_is_an_invalid_event(frame: str | bytes) -> None:
    end = ServerEnd("ga")
    end.protocol.receive(frame)
    [sent] = end.protocol.frames()
    error = json.loads(sent.data)["error"]
    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request_error",
        "invalid_event",
        "type",
    )
    assert error["event_id"] == (EVENT_ID if EVENT_ID in str(frame) else None)


def test_no_code_is_without_a_row() -> None:
    room = Path(gip_nb.protocol.server.__path__[0])
    source = "".join(path.read_text("utf-8") for path in sorted(room.glob("*.py")))
    codes = set(re.findall(r'Refused\(\s*f?"([^"\s]+)"', source))
    for pattern, fillings in (
        ("{kind}_below_min_value", ("integer_below_min_value", "decimal_below_min_value")),
        ("{kind}_above_max_value", ("integer_above_max_value", "decimal_above_max_value")),
        (
            "item_{verb}_invalid_item_id",
            tuple(f"item_{verb}_invalid_item_id" for verb in ("delete", "retrieve", "truncate")),
        ),
    ):
        codes.remove(pattern)
        codes.update(fillings)
    assert codes - {"invalid_event"} == {bad.code for bad in BAD_REQUESTS}


def test_the_end_of_a_session_is_told_without_being_asked_and_nothing_follows() -> None:
    end = ServerEnd("ga", expires_at=1_800_000_000)
    assert end.events[0]["session"]["expires_at"] == 1_800_000_000
    end.speech_ms = 2000
    end.holds = (Understand,)
    end.set_transcription()
    end.append(tone(500) + silence(600))
    end.send("response.cancel")
    end.receive("response.create", response={"input": []})
    end.run(steps=5)
    before = len(end.events)
    end.protocol.expire("Your session hit the maximum duration of 30 minutes.")
    end.protocol.heard(end.held[0].item_id, "too late")
    end.run()
    [event] = end.events[before:]
    assert event["error"] == {
        "type": "invalid_request_error",
        "code": "session_expired",
        "message": "Your session hit the maximum duration of 30 minutes.",
        "param": None,
        "event_id": None,
    }
    assert not end.protocol.has_more
    assert "expires_at" not in ServerEnd("ga").events[0]["session"], "where it does not end, nothing says so"
    assert ServerEnd("beta", expires_at=7).events[0]["session"]["expires_at"] == 7
