"""Nested shapes, which the openai package's models hardly check: each key against the published list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.protocol.server.server_end import Call, Say, ServerEnd, silence, tone

if TYPE_CHECKING:
    from pathlib import Path

    from gip_nb.protocol.events import Dialect

# What the real server sends beside the published fields.
BESIDE_SESSION = frozenset(("id", "object", "expires_at"))
ITEMS_GA = {
    ("message", "user"): "RealtimeConversationItemUserMessage",
    ("message", "assistant"): "RealtimeConversationItemAssistantMessage",
    ("message", "system"): "RealtimeConversationItemSystemMessage",
    ("function_call", None): "RealtimeConversationItemFunctionCall",
    ("function_call_output", None): "RealtimeConversationItemFunctionCallOutput",
}
PARTS_GA = {
    "input_text": {"type", "text"},
    "input_audio": {"type", "transcript", "audio"},
    "output_text": {"type", "text"},
    "output_audio": {"type", "transcript", "audio"},
}
PARTS_BETA = {**PARTS_GA, "text": {"type", "text"}, "audio": {"type", "transcript", "audio"}}


def conversation(dialect: Dialect) -> list[dict[str, Any]]:
    """One with all kinds of items, all kinds of answers, an error, a cancelled and an incomplete response."""
    end = ServerEnd(dialect)
    end.set_transcription()
    end.append(silence(500) + tone(500) + silence(600))
    user_id = end.last("input_audio_buffer.committed")["item_id"]
    end.type_text("and typed")
    end.says = [Say("Let me see."), Call("look", '{"where": "there"}')]
    tool = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}
    end.send("response.create", response={"tools": [tool], "metadata": {"a": "b"}})
    call = end.last("response.done")["response"]["output"][1]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "seen"}
    end.send("conversation.item.create", item=output)
    system = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]}
    end.send("conversation.item.create", item=system)
    written = "modalities" if dialect == "beta" else "output_modalities"
    end.send("response.create", response={written: ["text"]})
    end.receive("response.create")
    end.run(steps=2)
    end.send("response.cancel")
    limit = "max_response_output_tokens" if dialect == "beta" else "max_output_tokens"
    end.send("response.create", response={limit: 3})
    end.send("conversation.item.retrieve", item_id=user_id)
    end.send("response.cancel")
    end.send("conversation.item.delete", item_id=user_id)
    return end.events


def rarer(dialect: Dialect) -> list[dict[str, Any]]:
    """What comes seldom: telephone audio, answers out of band, a silent user, the end of a session."""
    end = ServerEnd(dialect, expires_at=1_800_000_000)
    if dialect == "beta":
        end.update(input_audio_format="g711_ulaw", output_audio_format="g711_alaw")
    else:
        formats = {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcma"}}}
        end.update(audio=formats, parallel_tool_calls=False)
        end.update(truncation={"type": "retention_ratio", "retention_ratio": 0.5})
        end.set_turn_detection({"type": "server_vad", "idle_timeout_ms": 5000})
    end.update(tools=[{"type": "function", "name": "look"}], tool_choice={"type": "function", "name": "look"})
    end.send("response.create", response={"conversation": "none", "input": [], "metadata": {"a": "b"}})
    end.send("response.create")
    end.append(b"\xff" * 8 * 7000)
    end.set_turn_detection({"type": "semantic_vad", "eagerness": "high"})
    end.protocol.expire("Your session hit the maximum duration of 30 minutes.")
    end.send("response.create")
    return end.events


@pytest.fixture(scope="module")
def published(fixtures: Path) -> dict[str, Any]:
    shapes: dict[str, Any] = json.loads((fixtures / "events.json").read_text("utf-8"))
    return shapes


class Shapes:
    """Checks objects of one dialect; `seen` are the kinds that came along."""

    def __init__(self, dialect: Dialect, objects: dict[str, Any]) -> None:
        self.is_beta = dialect == "beta"
        self.objects = objects
        self.seen: set[str] = set()

    def check(self, value: dict[str, Any], name: str, *, beside: frozenset[str] = frozenset()) -> None:
        self.seen.add(name)
        fields = self.objects[name]
        assert set(value) <= set(fields) | beside, f"{name}: {set(value) - set(fields)}"
        needed = {key for key, field in fields.items() if field["required"]}
        assert needed <= set(value), f"{name}: {needed - set(value)}"

    def item(self, item: dict[str, Any]) -> None:
        self.check(item, "ConversationItem" if self.is_beta else ITEMS_GA[item["type"], item.get("role")])
        assert item["id"]
        assert item["object"] == "realtime.item"
        assert item["status"] in ("in_progress", "completed", "incomplete")
        parts = PARTS_BETA if self.is_beta else PARTS_GA
        for part in item.get("content", []):
            assert set(part) <= parts[part["type"]]
            assert {"type", "text"} <= set(part) or {"type", "transcript"} <= set(part)

    def response(self, response: dict[str, Any]) -> None:
        self.check(response, "RealtimeResponse")
        missing = set(self.objects["RealtimeResponse"]) - set(response)
        assert not missing, f"a response says all there is to say: {missing}"
        for item in response["output"]:
            self.item(item)
        if response["status_details"] is not None:
            self.check(response["status_details"], "RealtimeResponseStatus")
        assert (response["usage"] is None) == (response["status"] == "in_progress")
        if response["usage"] is not None:
            self.usage(response["usage"])

    def usage(self, usage: dict[str, Any]) -> None:
        self.check(usage, "RealtimeResponseUsage")
        inputs = "InputTokenDetails" if self.is_beta else "RealtimeResponseUsageInputTokenDetails"
        outputs = "OutputTokenDetails" if self.is_beta else "RealtimeResponseUsageOutputTokenDetails"
        self.check(usage["input_token_details"], inputs)
        self.check(usage["output_token_details"], outputs)

    def part(self, part: dict[str, Any]) -> None:
        self.check(part, "Part")
        assert part["type"] in ("text", "audio"), "content_part events keep beta's names in GA"

    def session(self, session: dict[str, Any]) -> None:
        name = "Session" if self.is_beta else "RealtimeSessionCreateRequest"
        self.check(session, name, beside=BESIDE_SESSION)

    def error(self, error: dict[str, Any]) -> None:
        if not self.is_beta:  # beta's list names the error of a transcription and this one alike
            self.check(error, "RealtimeError")

    def rate_limits(self, limits: list[dict[str, Any]]) -> None:
        for limit in limits:
            self.check(limit, "RateLimit")
            assert set(limit) == set(self.objects["RateLimit"])


@pytest.mark.parametrize("dialect", ["beta", "ga"])
def test_all_keys_are_published_ones_and_none_that_is_needed_is_missing(
    dialect: Dialect, published: dict[str, Any]
) -> None:
    shapes = Shapes(dialect, published[dialect]["objects"])
    for event in (*conversation(dialect), *rarer(dialect)):
        fields = published[dialect]["server"][event["type"]]
        assert set(event) - {"type"} <= set(fields), event["type"]
        for field in ("item", "response", "part", "session", "error", "rate_limits"):
            if field in event:
                getattr(shapes, field)(event[field])
    assert {"RealtimeResponse", "RealtimeResponseUsage", "Part", "RateLimit"} <= shapes.seen


@pytest.mark.parametrize("dialect", ["beta", "ga"])
def test_what_is_rarer_did_come(dialect: Dialect) -> None:
    events = rarer(dialect)
    done = [event["response"] for event in events if event["type"] == "response.done"]
    assert [one["conversation_id"] is None for one in done][:2] == [True, False]
    assert ("input_audio_buffer.timeout_triggered" in [e["type"] for e in events]) == (dialect == "ga")
    assert [event["error"]["code"] for event in events if event["type"] == "error"] == ["session_expired"] * 2


@pytest.mark.parametrize("dialect", ["beta", "ga"])
def test_that_conversation_has_one_response_of_each_ending(dialect: Dialect) -> None:
    done = [event["response"] for event in conversation(dialect) if event["type"] == "response.done"]
    assert [one["status"] for one in done] == [
        "completed",
        "completed",
        "completed",
        "cancelled",
        "incomplete",
    ]
    assert done[-1]["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done[-1]["usage"]["output_tokens"] >= 3
