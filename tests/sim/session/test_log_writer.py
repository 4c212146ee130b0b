"""A session that writes itself to disk as it goes: what is there when, and what happens where that fails."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import shutil
import threading
import time
import weakref
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gip_nb
from gip_nb.errors import BadSetting, ConnectionDropped, GipError, LogStopped, RecordingIncomplete
from gip_nb.session import log_writer
from gip_nb.session.blocking import RealtimeSession
from gip_nb.session.loop import loop, run_blocking
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import ScriptedTransport
from tests.sim.session.servers import GREETING, Event, Model
from tests.sim.session.verbs import Heard
from tests.unit.journal.recordings import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gip_nb.recording import Recording

KEY = "sk-secret-0123456789"
SECOND = bytes(48_000)


class Watched(Heard):
    """A listener that notes what becomes of the log, too."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[tuple[Path | None, bool]] = []

    def log_changed(self, folder: Path | None, *, stopped: bool) -> None:
        self.logs.append((folder, stopped))


def scripted(
    folder: Path | None,
    answers: Callable[[Event], Iterable[Event]] | None = None,
    listener: Heard | None = None,
    **options: Any,
) -> tuple[RealtimeSession, ScriptedTransport]:
    transport = ScriptedTransport(answers or Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in these scripts
    settings = resolve("test-preview", api_key=KEY, environment={}, log=folder, **options)
    return RealtimeSession(
        AsyncRealtimeSession(settings, transport=transport.for_session, listener=listener)
    ), transport


def until(condition: Callable[[], Any], timeout_s: float = 5) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise AssertionError(f"after {timeout_s} s still not: {condition}")


def lines(session: RealtimeSession) -> int:
    assert session.log_folder is not None
    return (session.log_folder / "events.jsonl").read_bytes().count(b"\n")


def loaded(session: RealtimeSession) -> Recording:
    assert session.log_folder is not None
    return gip_nb.load(session.log_folder)


def types(recording: Recording | RealtimeSession) -> list[str]:
    return [row.type for row in recording.log.rows]


def on_loop(call: Callable[[], object]) -> None:
    """Run it on the loop, and wait for it."""
    done: Future[object] = Future()
    loop().call_soon_threadsafe(lambda: done.set_result(call()))
    done.result(5)


def test_what_is_on_disk_is_what_was_said(tmp_path: Path) -> None:
    session, _ = scripted(tmp_path / "runs")
    before = session.log_folder
    assert before is None, "nothing is made until it connects"
    assert not (tmp_path / "runs").exists()
    with session:
        session.ask("how are you")
        folder = session.log_folder
        assert folder is not None
        assert folder.parent == tmp_path / "runs"
        # In mid-talk, half a second after the last row at the most.
        until(lambda: lines(session) == len(session.log), 0.5)
        assert rows_of(loaded(session).log) == rows_of(session.log)
    # And when it is over, at once.
    recording = loaded(session)
    assert rows_of(recording.log) == rows_of(session.log)
    assert types(recording)[-1] == "local.connection.closed"
    assert recording.turns.equals(session.turns)
    assert recording.model == "test-preview"


def test_nothing_is_written_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session, _ = scripted(None)
    with session:
        session.ask("how are you")
        assert session.log_folder is None
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_in_no_file(tmp_path: Path) -> None:
    model = Model()

    def echo(event: Event) -> Iterable[Event]:
        said = [{"type": "error", "error": {"type": "x", "code": None, "message": f"no {KEY}"}}]
        return [*(said if event["type"] == "conversation.item.create" else []), *model(event)]  # type: ignore[list-item]  # as in `scripted`

    session, _ = scripted(tmp_path, echo)
    with session:
        session.send({"type": "session.update", "session": {"instructions": f"my key is {KEY}"}})
        session.send({"type": "x.custom", "escaped": f"{KEY}\u00e9\n"})
        with contextlib.suppress(GipError):
            session.ask(f"is it {KEY}?")
        on_loop(lambda: session.log.local("callback.error", error="X", message=KEY))
    assert session.log_folder is not None
    saved = session.save(tmp_path / "saved")
    shutil.unpack_archive(saved, tmp_path / "unpacked")
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p != saved]
    assert len(files) >= 6
    assert [p for p in files if KEY.encode() in p.read_bytes()] == []
    assert (session.log_folder / "events.jsonl").read_bytes().count(b"[key]") >= 4


def test_what_comes_after_the_end_is_written_too(tmp_path: Path) -> None:
    session, _ = scripted(tmp_path)
    with session:
        session.ask("how are you")
    before = len(session.log)
    on_loop(lambda: session.log.local("label", turn=1, label="good"))
    until(lambda: lines(session) == before + 1, 0.5)
    assert types(loaded(session))[-1] == "local.label"


def test_a_connection_that_is_lost(tmp_path: Path) -> None:
    session, transport = scripted(tmp_path, reconnect=False)
    session.ask("how are you")
    on_loop(lambda: transport.hang_up(1006, "gone"))
    until(lambda: session.state == "error")
    session.close()
    assert types(loaded(session))[-1] == "local.connection.closed"


def test_a_connection_that_is_refused(tmp_path: Path) -> None:
    session, transport = scripted(tmp_path)
    transport.refusal = ConnectionDropped("no", "later")
    with pytest.raises(ConnectionDropped):
        session.connect()
    assert types(loaded(session)) == ["local.connection.refused"]


def test_a_folder_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    heard = Watched()
    session, transport = scripted(tmp_path / "file", listener=heard)
    with pytest.raises(BadSetting, match="cannot write a log to"):
        session.connect()
    assert heard.logs == [(None, False)], "nobody says that it is being written"
    assert session.state == "error"
    assert transport.dialect is None, "nobody was called"
    with pytest.raises(BadSetting, match="cannot write a log to"):
        gip_nb.talk("test-preview", api_key=KEY, log=tmp_path / "file")


def test_the_limit_ends_the_log_and_not_the_talk(tmp_path: Path) -> None:
    heard = Watched()
    session, _ = scripted(tmp_path, listener=heard, log_limit_bytes=2**16)
    with session:
        for _ in range(4):
            session.send_audio(SECOND)
            until(lambda: "local.log.full" in types(session) or lines(session) == len(session.log))
        until(lambda: "local.log.full" in types(session))
        assert session.ask("how are you").text
    assert types(session).count("local.log.full") == 1
    (problem,) = heard.failures
    assert isinstance(problem, LogStopped)
    assert "limit of 65,536 bytes" in problem.message
    assert heard.logs == [(session.log_folder, False), (session.log_folder, True)]
    with pytest.warns(RecordingIncomplete):
        recording = loaded(session)
    assert types(recording)[-1] == "local.log.full"
    kept = len(recording.log) - 1
    assert rows_of(recording.log)[:kept] == rows_of(session.log)[:kept]
    assert session.log_folder is not None
    files = [p.stat().st_size for p in session.log_folder.iterdir() if p.name != "recording.json"]
    assert 2**15 < sum(files) <= 2**16


def test_a_folder_that_goes_in_mid_talk_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "TRY_AGAIN_AFTER_S", 0.05)
    heard = Watched()
    session, _ = scripted(tmp_path / "runs", listener=heard)
    with session:
        session.ask("how are you")
        (tmp_path / "runs").rename(tmp_path / "elsewhere")
        session.ask("and now")
        until(lambda: heard.failures)
        assert session.ask("still there?").text
        assert types(session).count("local.log.failed") == 1
        (tmp_path / "elsewhere").rename(tmp_path / "runs")
        session.send_audio(SECOND)
        until(lambda: heard.logs[-1] == (session.log_folder, False))
    # Said once; and nothing was lost.
    (problem,) = heard.failures
    assert "No such file" in problem.message
    assert "session.save()" in problem.next_step
    assert [stopped for _, stopped in heard.logs] == [False, True, False]
    assert rows_of(loaded(session).log) == rows_of(session.log)


def test_a_folder_that_is_gone_for_good(tmp_path: Path) -> None:
    session, _ = scripted(tmp_path)
    with session:
        session.ask("how are you")
        assert session.log_folder is not None
        shutil.rmtree(session.log_folder)
        session.send_audio(SECOND)
        until(lambda: "local.log.failed" in types(session))
        assert session.ask("still there?").text
    assert list(tmp_path.iterdir()) == []
    assert rows_of(gip_nb.load(session.save(tmp_path / "kept")).log) == rows_of(session.log)


def test_tools_that_hold_all_worker_threads_do_not_hold_up_the_log(tmp_path: Path) -> None:
    session, _ = scripted(tmp_path)
    over = threading.Event()

    async def hold() -> None:
        for _ in range(40):
            asyncio.get_running_loop().run_in_executor(None, over.wait, 10)

    with session:
        run_blocking(hold())
        try:
            on_loop(lambda: session.log.local("mic.gap", frames=1))
            until(lambda: lines(session) == len(session.log), 1)
        finally:
            over.set()


def test_many_sessions_leave_nothing_behind(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("counts by /proc")
    before: set[str] = set()
    gone: list[weakref.ref[AsyncRealtimeSession]] = []
    for round_ in range(2):
        for _ in range(10):
            session, _ = scripted(tmp_path)
            with session:
                session.send_audio(SECOND)
            gone.append(weakref.ref(session._session))
            del session
        if not round_:
            before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    assert len(os.listdir("/proc/self/fd")) <= len(before)  # noqa: PTH208
    assert len(list(tmp_path.iterdir())) == 20
    # Nor does one stay in memory because it was written.
    run_blocking(asyncio.sleep(0.3))
    gc.collect()
    assert [one for one in gone if one() is not None] == []


def test_the_header_tells_when_it_began(tmp_path: Path) -> None:
    session, _ = scripted(tmp_path)
    with session:
        assert session.log_folder is not None
        header = json.loads((session.log_folder / "recording.json").read_bytes())
    assert header["started_unix_ns"] == session.log.started_unix_ns
    assert header["gip_nb"] == gip_nb.__version__
