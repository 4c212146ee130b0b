"""A page that goes, or gives the sound away, tells how much it had captured: what never came is a row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gip_nb.session.loop import loop, run_blocking
from gip_nb.session.session import AsyncRealtimeSession
from tests.sim.notebook.test_page import HERE, Stage
from tests.sim.notebook.test_widget import Page as WidgetPage
from tests.sim.notebook.test_widget import until
from tests.sim.session.servers import Model

if TYPE_CHECKING:
    import pytest


def speak(stage: Stage, frames: int, start: int = 0, page: str = "p1") -> None:
    """Frames that are here as soon as they are captured."""
    for seq in range(start, start + frames):
        at_ms = loop().time() * 1000
        content = {"kind": "mic", "page": page, "seq": seq, "base": seq, "captured_at_ms": at_ms}
        stage.page.microphone(content, bytes(1920), HERE)


def says_what_there_was(stage: Stage, frames: int, page: str = "p1") -> None:
    """What the page says where its microphone is closed: no sound, and so many frames before."""
    at_ms = loop().time() * 1000
    content = {"kind": "mic", "page": page, "seq": frames, "base": frames, "captured_at_ms": at_ms}
    stage.page.microphone(content, b"", HERE)


def gaps(session: AsyncRealtimeSession) -> list[dict[str, Any]]:
    rows = [session.log.payload(n) for n, row in enumerate(session.log.rows) if row.type == "local.mic.gap"]
    return [{k: row[k] for k in ("missing", "missing_ms", "expected_seq", "page")} for row in rows]


def test_a_page_that_is_left_with_sound_it_could_not_send() -> None:
    stage = Stage()

    async def leave() -> None:
        await stage.session.connect()
        speak(stage, 50)
        stage.page.bye("p1", 300)
        # What its microphone says after that is nothing new.
        says_what_there_was(stage, 300)
        await stage.session.close()

    run_blocking(leave())
    assert gaps(stage.session) == [{"missing": 250, "missing_ms": 10_000, "expected_seq": 50, "page": "p1"}]


def test_a_frame_that_was_lost_on_its_way_holds_up_no_other_when_its_page_goes() -> None:
    stage = Stage()

    async def leave() -> None:
        await stage.session.connect()
        speak(stage, 5)
        content = {"kind": "mic", "page": "p1", "seq": 6, "base": 5, "captured_at_ms": 0}
        stage.page.microphone(content, bytes(1920) * 4, HERE)
        stage.page.bye("p1", 10)
        await stage.session.close()

    run_blocking(leave())
    assert [gap["missing"] for gap in gaps(stage.session)] == [1]
    sent = [row for row in stage.session.log.rows if row.type == "input_audio_buffer.append"]
    assert len(sent) == 9


def test_a_page_that_the_sound_is_taken_from() -> None:
    stage = Stage()

    async def take() -> None:
        await stage.session.connect()
        speak(stage, 50)
        assert await stage.page.take("p2")
        says_what_there_was(stage, 300)
        speak(stage, 5, page="p2")
        await stage.session.close()
        stage.page.end_talk()

    run_blocking(take())
    (gap,) = gaps(stage.session)
    # It may have captured some while it was asked how far its player was.
    assert 200 < gap["missing"] <= 250
    assert (gap["expected_seq"], gap["page"]) == (50, "p1")


def test_in_a_take_over_in_time_nothing_is_lost() -> None:
    stage = Stage()

    async def take() -> None:
        await stage.session.connect()
        speak(stage, 50)
        taking = asyncio.ensure_future(stage.page.take("p2"))
        await asyncio.sleep(0)
        says_what_there_was(stage, 52)
        await taking
        speak(stage, 5, page="p2")
        stage.page.bye("p2", 5)
        await stage.session.close()

    run_blocking(take())
    assert gaps(stage.session) == []


def test_what_a_page_had_kept_at_the_end_is_a_row_of_the_session_that_ended() -> None:
    stage = Stage()

    async def end() -> AsyncRealtimeSession:
        await stage.session.connect()
        speak(stage, 50)
        await stage.session.close()
        stage.page.end_talk()
        second = AsyncRealtimeSession(
            stage.session.settings, transport=stage.transport.for_session, speaker=stage.page
        )
        stage.page.show(second)
        stage.page.grant("p1", "start")
        await second.connect()
        says_what_there_was(stage, 300)
        speak(stage, 5, 300)
        await second.close()
        return second

    second = run_blocking(end())
    assert gaps(second) == []
    (gap,) = gaps(stage.session)
    assert 200 < gap["missing"] <= 250


def test_what_was_lost_as_the_microphone_was_closed_is_told_then(monkeypatch: pytest.MonkeyPatch) -> None:
    page = WidgetPage(monkeypatch, Model())
    try:
        assert page.request("start")["ok"]
        page.say(bytes(1920), kind="mic", seq=0, base=0, captured_at_ms=0)
        page.say(b"", kind="mic", seq=100, base=100, captured_at_ms=4000)
        page.say(kind="mic_state", state="off", error=None, sample_rate_hz=24_000)
        session = page.talk.session._session
        (gap,) = until(lambda: gaps(session))
        assert (gap["missing"], gap["missing_ms"]) == (99, 3960)
        assert page.talk.state == "listening"
    finally:
        page.talk.stop()
