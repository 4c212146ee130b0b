"""The settings that a page changes: of the session that runs, and of the next one; no browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sim.notebook.test_widget import Page, until
from tests.sim.session.servers import Choosy

if TYPE_CHECKING:
    from collections.abc import Iterator

MANUAL = {"audio": {"input": {"turn_detection": None}}}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    page = Page(monkeypatch, Choosy())
    yield page
    page.talk.stop()


def update(page: Page, **fields: Any) -> dict[str, Any]:
    return page.request("update", fields=fields)


def voice(name: str | None) -> dict[str, Any]:
    return {"output": {"voice": name}}


def shown(page: Page) -> dict[str, Any]:
    """The settings that the pages were told last."""
    told = [m["patch"]["settings"] for m in page.messages if "settings" in m.get("patch", {})]
    newest: dict[str, Any] = told[-1]
    return newest


def asked(page: Page, session: int = -1) -> list[dict[str, Any]]:
    """What a session's updates held, in the beta dialect: once the first has gone out."""

    def updates() -> list[dict[str, Any]]:
        rows = page.talk.sessions[session].events.query("type == 'session.update'")
        return [payload["session"] for payload in rows.payload]

    found: list[dict[str, Any]] = until(updates)
    return found


def test_before_the_start_a_change_connects_nothing_and_is_what_the_session_begins_with(page: Page) -> None:
    reply = update(page, instructions="Be brief.", audio=voice("ash"))
    assert reply["value"] == {"ignored": [], "next": True}
    assert update(page, **MANUAL)["ok"]
    assert page.talk.session.state == "idle"
    assert len(page.talk.session.events) == 0
    assert (shown(page)["instructions"], shown(page)["voice"]) == ("Be brief.", "ash")
    assert shown(page)["turn_detection"] is None
    patches = [m["patch"] for m in page.messages if m["kind"] == "talk"]
    assert [p["turn_detection"] for p in patches if "turn_detection" in p] == ["server_vad", "none"]

    assert page.request("start")["ok"]
    (first,) = asked(page)
    assert (first["instructions"], first["voice"]) == ("Be brief.", "ash")
    assert first["turn_detection"] is None
    assert first["input_audio_transcription"] == {"model": "whisper-1"}


def test_before_the_start_a_voice_can_be_taken_back(page: Page) -> None:
    update(page, audio=voice("ash"))
    assert update(page, audio=voice(None))["ok"]
    assert shown(page)["voice"] is None
    page.request("start")
    assert "voice" not in asked(page)[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"instructions": 7},
        {"voise": "ash"},
        {"model": "another"},
        {"audio": 7},
        {"audio": {"input": 7}},
        {"turn_detection": "sometimes"},
    ],
)
def test_before_the_start_what_cannot_be_is_refused_and_changes_nothing(
    page: Page, fields: dict[str, Any]
) -> None:
    reply = update(page, **fields)
    assert not reply["ok"]
    assert reply["error"]["next_step"]
    page.request("start")
    assert asked(page)[0].keys() == {"turn_detection", "input_audio_transcription"}


def test_in_mid_talk_a_change_is_taken_shown_and_kept_for_the_next_session(page: Page) -> None:
    page.request("start")
    reply = update(page, instructions="Sing.", **MANUAL)
    assert reply["value"] == {"ignored": [], "next": False}
    assert shown(page)["instructions"] == "Sing."
    assert shown(page)["turn_detection"] is None
    page.request("stop")
    page.request("start")
    assert asked(page)[0]["instructions"] == "Sing."
    assert asked(page)[0]["turn_detection"] is None


def test_in_mid_talk_what_the_server_refuses_or_ignores_is_said_and_what_it_has_is_shown(page: Page) -> None:
    page.request("start")
    reply = update(page, audio=voice("nobody"))
    assert not reply["ok"]
    assert "Invalid value: 'nobody'" in reply["error"]["message"]
    assert page.talk.error == {}  # said to who asked for it, and to nobody else
    reply = update(page, audio=voice("quiet"))
    assert reply["ok"]
    assert reply["value"]["ignored"] == ["audio.output.voice: asked for 'quiet', is 'alloy'"]
    assert shown(page)["voice"] == "alloy"
    page.request("stop")
    page.request("start")
    assert asked(page)[0].get("voice") != "nobody"


def test_after_the_end_the_next_session_is_shown_and_changed_and_the_last_one_stays_as_it_was(
    page: Page,
) -> None:
    page.request("start")
    page.request("stop")
    assert update(page, instructions="Next.")["value"]["next"]
    assert shown(page)["instructions"] == "Next."
    assert len(page.talk.sessions) == 1
    assert page.talk.session.state == "closed"
    page.request("start")
    assert [s.get("instructions") for s in (asked(page, 0)[0], asked(page, 1)[0])] == [None, "Next."]


def test_once_the_model_has_spoken_its_voice_is_fixed_until_the_end(page: Page) -> None:
    page.request("start")
    assert shown(page)["voice_fixed"] is False
    page.request("text", text="hello")
    until(lambda: page.talk.turn == 1)
    until(lambda: shown(page)["voice_fixed"])
    reply = update(page, audio=voice("ash"))
    assert not reply["ok"]
    assert "cannot change once the model has spoken" in reply["error"]["message"]
    page.request("stop")
    until(lambda: not shown(page)["voice_fixed"])
    assert update(page, audio=voice("ash"))["ok"]
