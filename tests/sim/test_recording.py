"""What is done with a recording afterwards: labelled, shared, said again to a model, gone on with."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pytest

import gip_nb
from gip_nb.errors import BadSetting, UnknownOption, UnknownTurn
from gip_nb.journal.offline import OfflineReplay
from gip_nb.notebook import widget
from gip_nb.rehearsal.ears import NoEars
from gip_nb.rehearsal.mouth import Echo
from gip_nb.rehearsal.server import Options, RehearsalServer
from gip_nb.session.loop import run_blocking
from tests.unit.journal.recordings import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gip_nb.recording import Recording

AT_ONCE = math.inf


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a rehearsal server in this process."""

    async def leave() -> None:
        await server.__aexit__()

    server = RehearsalServer(Options("127.0.0.1", 0, "any"), NoEars(), Echo())
    run_blocking(server.__aenter__())
    yield server.url
    run_blocking(leave())


def add(a: int, b: int) -> int:
    """A sum."""
    return a + b


@pytest.fixture(scope="module")
def saved(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talk of two turns, with a label."""
    folder = tmp_path_factory.mktemp("recording")
    options: dict[str, Any] = {"base_url": url, "api_key": "any", "voice": "ash", "log": folder / "runs"}
    with gip_nb.connect("a-preview", **options) as session:
        session.ask("hello")
        session.label(rating="up")
        session.ask("and goodbye")
    session.label(2, "too short", tags=["brief"])
    return session.save(folder / "talk")


@pytest.fixture
def recording(saved: Path) -> Recording:
    return gip_nb.load(saved)


def test_labels_travel_with_it(recording: Recording, tmp_path: Path) -> None:
    assert recording.turns.rating.fillna(0).tolist() == [1, 0]
    assert recording.turns.label.fillna("").tolist() == ["", "too short"]
    recording.label(1, "wrong city", tags="place", rating=0)
    recording.label(label="fine")
    with pytest.raises(UnknownTurn):
        recording.label(3, "no")
    again = gip_nb.load(recording.save(tmp_path / "labelled"))
    assert again.turns.label.tolist() == ["wrong city", "fine"]
    assert again.turns.tags.tolist() == [("place",), ("brief",)]
    assert again.turns.rating.isna().all()
    assert again.turns.equals(recording.turns)


def test_labels_of_a_session_that_is_over_are_in_its_folder_too(saved: Path) -> None:
    (folder,) = (saved.parent / "runs").iterdir()
    over = time.monotonic() + 5
    while b"local.label" not in (folder / "events.jsonl").read_bytes().splitlines()[-1]:
        assert time.monotonic() < over
        time.sleep(0.02)
    assert rows_of(gip_nb.load(folder).log) == rows_of(gip_nb.load(saved).log)


def test_a_copy_that_can_be_shared(recording: Recording, tmp_path: Path) -> None:
    path = recording.redact().save(tmp_path / "shared")
    shared = gip_nb.load(path)
    assert b"goodbye" not in path.read_bytes()
    assert len(shared.log) == len(recording.log)
    assert shared.turns.first_audio_ms.equals(recording.turns.first_audio_ms)
    answer = shared.items[shared.items.role == "assistant"].index[0]
    assert set(shared.sound(answer)) == {0}
    assert "goodbye" not in shared.turns.to_csv()
    # It can be played as any other: that is what it was shared for.
    assert shared.replay().turns.equals(shared.turns)
    heard = recording.redact(text=False)
    assert heard.turns.user_text.tolist() == ["hello", "and goodbye"]


def test_said_again_to_a_session(recording: Recording, url: str) -> None:
    told: list[dict[str, Any]] = []
    with gip_nb.connect("b-preview", base_url=url, api_key="any") as session:
        assert recording.replay(session, speed=AT_ONCE, on_event=told.append) is session
        assert session.state == "listening", "it is whose it was"
        assert session.turns.user_text.tolist() == ["hello", "and goodbye"]
        with pytest.raises(BadSetting, match="voice given beside a session"):
            recording.replay(session, voice="ash")
        with pytest.raises(BadSetting, match="functions as tools"):
            recording.replay(session, tools=[add])
    assert "response.done" in {event["type"] for event in told}


def test_said_again_to_a_model(recording: Recording, url: str) -> None:
    session = recording.replay(
        "c-preview", speed=AT_ONCE, base_url=url, api_key="any", instructions="Be brief.", tools=[add]
    )
    assert session.state == "closed"
    assert session.model == "c-preview"
    assert session.turns.user_text.tolist() == ["hello", "and goodbye"]
    told = session.events[session.events.event == "session.updated"].payload.iloc[-1]["session"]
    assert (told["voice"], told["instructions"]) == ("ash", "Be brief.")
    assert [tool["name"] for tool in told["tools"]] == ["add"]


def test_what_it_cannot_be_said_to(recording: Recording) -> None:
    with pytest.raises(BadSetting, match="voice given, and nothing to replay it against"):
        recording.replay(voice="ash")  # type: ignore[call-overload]  # that is the test
    with pytest.raises(BadSetting, match="replayed against a int"):
        recording.replay(5)  # type: ignore[call-overload]  # that is the test
    with pytest.raises(UnknownOption):
        recording.replay("rehearsal", voise="ash")


def test_the_key_is_in_no_variable_of_a_frame(recording: Recording) -> None:
    key = "sk-secret-0123456789"
    with pytest.raises(BadSetting) as caught:
        recording.replay("m", api_key=key, base_url="http://h.example", turn_detection="no such")
    frames = [entry.frame for entry in caught.traceback if "/gip_nb/" in str(entry.path)]
    assert frames
    assert [f for f in frames if key in repr(f.f_locals)] == []


def test_gone_on_with(recording: Recording, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widget, "_warm_up", lambda **_: None)
    talk = recording.continue_from(1, base_url=url, api_key="any", instructions="Go on.")
    assert talk._settings.model == "a-preview"
    assert talk._settings.session["audio"]["output"]["voice"] == "ash"
    assert talk._settings.session["instructions"] == "Go on."
    said = [item["content"][0]["text"] for item in talk._settings.history]
    assert said[0] == "hello"
    assert len(said) == 2
    assert talk.session.ask("are you there?").text
    talk.stop()
    assert talk.session.turns.user_text.tolist() == ["are you there?"]
    talk.close()
    with pytest.raises(BadSetting, match="turn is 9"):
        recording.continue_from(9)


def test_a_live_session_can_be_played_offline_too(recording: Recording) -> None:
    again = OfflineReplay(recording.log)
    assert len(again) == sum(1 for _ in again.steps()) == len(recording.log)
    assert again.protocol.phase == "listening"
