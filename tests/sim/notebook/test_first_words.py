"""Who speaks first, and with which key: greeting and push to talk, as a page asks for them; no browser."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

import gip_nb
from gip_nb.errors import BadSetting, NothingToDo, UnknownOption
from gip_nb.notebook.greeting import Greeting
from gip_nb.session.loop import run_blocking
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import ScriptedTransport
from tests.sim.notebook.test_widget import KEY, Page, until
from tests.sim.session.servers import GREETING, Model

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME = bytes(1920)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    page = Page(monkeypatch, Model())
    page.seq = 0  # type: ignore[attr-defined]  # of the next frame
    yield page
    page.talk.stop()


def greets(page: Page, greet: bool | str) -> None:  # noqa: FBT001 - as `talk` takes it
    page.talk._greeting = Greeting(greet)


def sent(page: Page, kind: str, session: int = -1) -> list[dict[str, Any]]:
    return [e for e in page.transports[session].sent if e["type"] == kind]


def speak(page: Page, frames: int) -> None:
    """Frames of 40 ms from the page's microphone."""
    first = getattr(page, "seq", 0)
    for seq in range(first, first + frames):
        page.say(FRAME, kind="mic", seq=seq, captured_at_ms=40.0 * seq)
    page.seq = first + frames  # type: ignore[attr-defined]  # see the fixture


def appended(page: Page) -> int:
    return len(sent(page, "input_audio_buffer.append"))


# ----------------------------------------------------------------------------------------------- the greeting


def test_the_model_greets_once_in_each_session(page: Page) -> None:
    greets(page, "Say hello in Korean.")
    assert page.request("update", fields={"instructions": "You are a guide."})["ok"]
    assert page.request("start")["ok"]
    until(lambda: page.talk.turn == 1)
    assert page.request("start")["ok"]
    assert [e["response"]["instructions"] for e in sent(page, "response.create")] == [
        "You are a guide.\n\nSay hello in Korean."
    ]
    assert page.request("stop")["ok"]
    until(lambda: page.talk.state == "closed")
    assert page.request("start")["ok"]
    until(lambda: page.talk.turn == 1)
    assert [len(sent(page, "response.create", n)) for n in (0, 1)] == [1, 1]


def test_true_has_words_of_its_own(page: Page) -> None:
    greets(page, greet=True)
    assert page.request("start")["ok"]
    until(lambda: page.talk.turn == 1)
    (asked,) = sent(page, "response.create")
    assert asked["response"]["instructions"].startswith("Greet")


def test_who_speaks_first_is_not_greeted(page: Page) -> None:
    greets(page, greet=True)
    assert page.request("text", text="hello")["ok"]
    until(lambda: page.talk.turn == 1)
    assert page.request("start")["ok"]
    assert [e.get("response") for e in sent(page, "response.create")] == [None]


def test_without_the_option_nobody_is_greeted(page: Page) -> None:
    assert page.request("start")["ok"]
    assert sent(page, "response.create") == []


@pytest.mark.parametrize("greet", ["", " ", None, 1, ["hi"]])
def test_anything_else_is_no_greeting(greet: Any) -> None:
    with pytest.raises(BadSetting, match="greet"):
        gip_nb.talk("rehearsal", greet=greet)


def test_a_session_without_a_widget_has_none() -> None:
    with pytest.raises(UnknownOption, match="greet"):
        gip_nb.connect("rehearsal", greet=True)


# ----------------------------------------------------------------------------------------------- push to talk


def test_with_manual_turns_only_what_is_said_while_the_key_is_held_is_sent(page: Page) -> None:
    assert page.request("update", fields={"turn_detection": None})["ok"]
    assert page.request("start")["ok"]
    speak(page, 5)
    assert page.request("press")["ok"]
    until(lambda: page.talk.state == "hearing")
    assert appended(page) == 0
    speak(page, 4)
    assert page.request("release")["value"] == {"too_short": False}
    until(lambda: page.talk.turn == 1)
    speak(page, 5)
    assert appended(page) == 4
    assert page.talk.session.items.audio_ms.iloc[0] == 160
    assert len(sent(page, "input_audio_buffer.commit")) == 1


def test_a_key_hit_too_shortly_is_no_error(page: Page) -> None:
    assert page.request("update", fields={"turn_detection": None})["ok"]
    assert page.request("start")["ok"]
    assert page.request("press")["ok"]
    speak(page, 2)
    assert page.request("release")["value"] == {"too_short": True}
    until(lambda: page.talk.state == "listening")
    assert sent(page, "input_audio_buffer.commit") == []


def test_what_was_captured_before_the_key_was_pressed_and_comes_late_is_none_of_it(page: Page) -> None:
    assert page.request("update", fields={"turn_detection": None})["ok"]
    assert page.request("start")["ok"]
    assert page.request("press", at_ms=120.0)["ok"]
    speak(page, 5)  # from 0 to 200 ms
    assert page.request("release")["value"] == {"too_short": True}
    assert appended(page) == 2


@pytest.mark.parametrize("frames", [0, 4])
def test_what_is_said_while_it_connects_is_part_of_it(frames: int) -> None:
    transport = ScriptedTransport(Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes
    settings = resolve("test-preview", api_key=KEY, turn_detection=None, environment={})
    session = AsyncRealtimeSession(settings, transport=transport.for_session)

    async def talk() -> None:
        pressing = asyncio.ensure_future(session.press())
        await asyncio.sleep(0)
        for _ in range(frames):
            session.push_microphone(FRAME)
        releasing = asyncio.ensure_future(session.release())
        await asyncio.sleep(0)
        session.push_microphone(FRAME)
        assert session.state == "connecting"
        await pressing
        with contextlib.suppress(NothingToDo):
            await releasing
        session.speak_first("Greet.")
        await session.close()

    run_blocking(talk())
    kinds = [e["type"] for e in transport.sent if e["type"] != "session.update"]
    spoken = ["input_audio_buffer.append"] * frames + ["input_audio_buffer.commit"]
    # Who has spoken is not greeted; who has only hit the key is.
    assert kinds == [*(spoken if frames else ()), "response.create"]


def test_a_page_that_is_left_holds_no_key(page: Page) -> None:
    assert page.request("update", fields={"turn_detection": None})["ok"]
    assert page.request("start")["ok"]
    assert page.request("press")["ok"]
    speak(page, 4)
    page.say(kind="bye")
    until(lambda: page.talk.turn == 1)
    assert len(sent(page, "input_audio_buffer.commit")) == 1


def test_the_change_to_turn_detection_lets_go_of_the_key(page: Page) -> None:
    assert page.request("update", fields={"turn_detection": None})["ok"]
    assert page.request("start")["ok"]
    assert page.request("press")["ok"]
    until(lambda: page.talk.state == "hearing")
    assert page.request("update", fields={"turn_detection": "server_vad"})["ok"]
    until(lambda: page.talk.state == "listening")
    speak(page, 3)
    until(lambda: appended(page) == 3)
