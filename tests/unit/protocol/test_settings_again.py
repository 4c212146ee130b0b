"""What a new connection is asked to be: all of it, or, where it refuses something, all of the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gip_nb.protocol.outputs import Failed
from gip_nb.protocol.settings_again import one_by_one
from tests.unit.protocol.pair import ProtocolPair
from tests.unit.protocol.talks import answers, ask

BAD = {"max_output_tokens": -5}


class Nameless(ProtocolPair):
    """A gateway that does not say which event its error is about."""

    def receive(self, data: bytes) -> None:
        event = json.loads(data)
        if event["type"] == "error":
            event["error"]["event_id"] = None
        super().receive(json.dumps(event).encode())


def restored(pair: ProtocolPair) -> list[dict[str, Any]]:
    """The updates that the next connection is asked for."""
    pair.cut()
    before = len(pair.sent)
    pair.mend()
    pair.run()
    return [e["session"] for e in pair.sent[before:] if e["type"] == "session.update"]


def update(pair: ProtocolPair, session: dict[str, Any]) -> None:
    request = pair.client.update(session)
    # As a verb does.
    request.awaited = True
    pair.arrive()
    assert request.done
    request.awaited = False


def instructions(pair: ProtocolPair) -> Any:
    return pair.client.conversation.session.get("instructions")


def test_what_a_gateway_refused_without_saying_which_is_not_asked_for_again() -> None:
    pair = Nameless("ga")
    update(pair, {"instructions": "Be kind."})
    update(pair, BAD)
    assert pair.errors == ["integer_below_min_value"]
    (session,) = restored(pair)
    assert session["instructions"] == "Be kind."
    assert "max_output_tokens" not in session
    assert instructions(pair) == "Be kind."


@pytest.mark.parametrize("kind", [ProtocolPair, Nameless])
def test_one_setting_that_the_new_server_refuses_costs_no_other(kind: type[ProtocolPair]) -> None:
    pair = kind("ga")
    update(pair, {"instructions": "Be kind.", "audio": {"output": {"voice": "ash"}}})
    # Nobody was told that it was refused.
    pair.client._configuration.asked("evt", BAD)
    whole, *parts = restored(pair)
    assert whole["max_output_tokens"] == -5
    assert [{k: v for k, v in part.items() if k != "type"} for part in parts] == [
        {"instructions": "Be kind."},
        {"audio": {"output": {"voice": "ash"}}},
        BAD,
    ]
    assert instructions(pair) == "Be kind."
    assert pair.client.conversation.session["audio"]["output"]["voice"] == "ash"
    (told,) = pair.outputs_of(Failed)
    assert "max_output_tokens" in told.message
    # It is none any more.
    (session,) = restored(pair)
    assert "max_output_tokens" not in session
    assert session["instructions"] == "Be kind."
    assert len(pair.outputs_of(Failed)) == 1


@pytest.mark.parametrize("kind", [ProtocolPair, Nameless])
def test_an_answer_that_is_asked_for_meanwhile_does_not_take_it_for_its_own(kind: type[ProtocolPair]) -> None:
    pair = kind("ga")
    pair.client._configuration.asked("evt", {"instructions": "Be kind.", **BAD})
    pair.client.send_text("hello")
    wish = pair.client.respond()
    pair.pump()
    restored(pair)
    assert (wish.done, wish.failure) == (True, None)
    assert len(answers(pair)) == 1
    assert instructions(pair) == "Be kind."


def test_the_only_setting_is_told_at_once() -> None:
    pair = Nameless("ga")
    pair.client._configuration.asked("evt", BAD)
    assert len(restored(pair)) == 1
    (told,) = pair.outputs_of(Failed)
    assert "max_output_tokens" in told.message
    assert pair.client.configuration == {}


def test_an_error_without_a_name_that_comes_after_is_about_something_else() -> None:
    pair = Nameless("ga")
    update(pair, {"instructions": "Be kind."})
    assert len(restored(pair)) == 1
    wish = ask(pair, max_output_tokens=-1)
    assert wish.failure is not None
    assert pair.client.configuration == {"instructions": "Be kind."}


def test_a_line_that_goes_between_the_whole_and_the_parts() -> None:
    pair = ProtocolPair("ga")
    pair.client._configuration.asked("evt", {"instructions": "Be kind.", **BAD})
    pair.cut()
    pair.mend()
    pair.cut()
    pair.mend()
    assert instructions(pair) == "Be kind."
    assert pair.client.configuration == {"instructions": "Be kind."}


def test_a_choice_of_a_tool_comes_after_the_tools() -> None:
    session = {"tool_choice": "none", "type": "realtime", "tools": [], "audio": {"input": {}}}
    assert [path for path, _ in one_by_one(session)] == ["tools", "tool_choice"]
