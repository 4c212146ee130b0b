"""A talk is the same talk live, saved and loaded, written as it goes and loaded, and played again offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import gip_nb
from gip_nb.errors import BadSetting
from gip_nb.journal.log import EventLog
from gip_nb.journal.offline import OfflineReplay
from gip_nb.journal.readable import TABLES
from gip_nb.protocol.events import BETA, GA
from gip_nb.protocol.outputs import Send
from gip_nb.recording import Recording
from tests.unit.journal.recordings import rows_of, written
from tests.unit.protocol.pair import state_of
from tests.unit.protocol.talks import TALKS, new_pair

if TYPE_CHECKING:
    from pathlib import Path

    from gip_nb.protocol.events import Dialect


class Told:
    """All that a recording tells, asked for once."""

    def __init__(self, recording: Recording) -> None:
        self.tables = {name: getattr(recording, name) for name in TABLES}
        self.payloads = [recording.payload(n) for n in range(len(recording.log))]
        self.sounds = {item_id: recording.sound(item_id) for item_id in self.tables["items"].index}
        self.facts = (recording.model, recording.session_id, recording.started_at)


def assert_same(told: Told, wanted: Told) -> None:
    for name, table in told.tables.items():
        # Ten times as fast as what explains the difference.
        if not table.equals(wanted.tables[name]) or list(table.dtypes) != list(wanted.tables[name].dtypes):
            pd.testing.assert_frame_equal(table, wanted.tables[name])
    assert (told.payloads, told.sounds, told.facts) == (wanted.payloads, wanted.sounds, wanted.facts)


# Each talk in one of the dialects; those in which most goes wrong in both.
BOTH = [name for name in TALKS if "interrupted" in name or "fail" in name or "tool" in name]
KEPT = [(name, (BETA, GA)[n % 2]) for n, name in enumerate(TALKS)]
KEPT += [(name, dialect) for name in BOTH for dialect in (BETA, GA) if (name, dialect) not in KEPT]


@pytest.mark.parametrize(("name", "dialect"), KEPT)
def test_a_talk_is_the_same_however_it_was_kept(name: str, dialect: Dialect, tmp_path: Path) -> None:
    pair = new_pair(dialect)
    TALKS[name](pair)
    recording = Recording(pair.log)
    live = Told(recording)
    assert live.payloads
    saved = gip_nb.load(recording.save(tmp_path / "talk"))
    assert_same(Told(saved), live)
    # Tables follow from rows; so these are enough here, and one talk's are looked at in all.
    from_folder = gip_nb.load(written(pair.log, tmp_path))
    assert rows_of(from_folder.log) == rows_of(saved.log) == rows_of(pair.log)
    if name == "interrupted_by_voice":
        assert_same(Told(from_folder), live)
    again = OfflineReplay(saved.log)
    assert [step.n for step in again.steps()] == list(range(len(pair.log)))
    assert_same(Told(Recording(again.log)), live)
    # Not of the rows alone but by the client's own rules: they come to the same conversation.
    assert state_of(again.protocol.conversation) == state_of(pair.client.conversation)


@pytest.fixture
def voice() -> Recording:
    pair = new_pair(GA)
    TALKS["voice_turn"](pair)
    return Recording(pair.log)


def test_it_is_played_at_the_speed_that_is_asked_for(voice: Recording) -> None:
    now_s, slept, seen = 100.0, 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now_s, slept
        now_s += seconds
        slept += seconds

    def on_event(event: dict[str, Any]) -> None:
        nonlocal now_s
        # Time that a listener takes is not added to.
        now_s += 0.001
        seen.append((event["type"], now_s - 100.0))

    took_s = (voice.log.rows[-1].elapsed_ns - voice.log.rows[0].elapsed_ns) / 1e9
    again = voice.replay(speed=2.0, on_event=on_event, sleep=sleep, now=lambda: now_s)
    assert now_s - 100.0 == pytest.approx(took_s / 2, abs=0.01)
    assert slept < took_s / 2
    told = [row for row in voice.log.rows if row.direction != "sent"]
    assert len(seen) == len(told)
    for (_, at_s), row in zip(seen, told, strict=True):
        assert at_s >= (row.elapsed_ns - voice.log.rows[0].elapsed_ns) / 2e9
    assert again.turns.equals(voice.turns)


def test_at_once_it_waits_for_nothing(voice: Recording) -> None:
    def sleep(_: float) -> None:
        raise AssertionError

    assert voice.replay(sleep=sleep).turns.equals(voice.turns)


def test_what_a_listener_is_told_is_whole(voice: Recording) -> None:
    told: list[dict[str, Any]] = []
    voice.replay(on_event=told.append)
    rows = [n for n, row in enumerate(voice.log.rows) if row.direction != "sent"]
    for event, n in zip(told, rows, strict=True):
        if event["type"] == "response.output_audio.delta":
            assert event == voice.payload(n)
    assert any(event.get("delta") for event in told)


def test_what_goes_wrong_goes_wrong_again(voice: Recording) -> None:
    def on_event(event: dict[str, Any]) -> None:
        if event["type"] == "response.done":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        voice.replay(on_event=on_event)


@pytest.mark.parametrize("speed", [0, -1.0, float("nan"), float("inf"), "fast", True])
def test_a_speed_that_is_none(voice: Recording, speed: Any) -> None:
    with pytest.raises(BadSetting, match="speed is"):
        voice.replay(speed=speed)


def test_what_the_rules_ask_for_is_told_step_by_step() -> None:
    pair = new_pair(BETA)
    TALKS["interrupted_by_voice"](pair)
    again = OfflineReplay(pair.log)
    cuts = [
        output.fields
        for step in again.steps()
        for output in step.outputs
        if isinstance(output, Send) and output.fields["type"] == "conversation.item.truncate"
    ]
    sent = [event for event in pair.sent if event["type"] == "conversation.item.truncate"]
    assert [(c["item_id"], c["audio_end_ms"]) for c in cuts] == [
        (s["item_id"], s["audio_end_ms"]) for s in sent
    ]


def test_an_empty_one_can_be_played() -> None:
    empty = Recording(EventLog.restored(5), model="m")
    assert len(empty.replay(speed=1.0).log) == 0
    assert repr(empty) == "<Recording 1970-01-01T00:00:00+00:00 0.0 s model='m' events=0>"


def test_it_says_what_it_is(voice: Recording, tmp_path: Path) -> None:
    loaded = gip_nb.load(voice.save(tmp_path / "talk"))
    assert repr(loaded).startswith("<Recording 2023-11-14T22:13:20+00:00 1.")
    assert repr(loaded).endswith(f"model='rehearsal' events={len(voice.log)}>")
    assert loaded.path == str(tmp_path / "talk.zip")
    assert voice.path is None
    assert gip_nb.Recording is Recording
