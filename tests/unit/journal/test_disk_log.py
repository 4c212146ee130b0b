"""A session's folder: who may read it, what is in it after each batch, and what if it cannot be written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from gip_nb.errors import BadSetting
from gip_nb.journal.disk_log import DiskLog, check_folder
from gip_nb.journal.loading import load_log
from tests.unit.journal.recordings import PCM, STARTED_NS, rows_of, small_log, written

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"sk-abcdefgh12345678"
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


class Disk:
    """Takes so many bytes and then no more; and only a part of what it is given, as `os.write` may."""

    def __init__(self, room_bytes: int = 2**30) -> None:
        self.room_bytes = room_bytes

    def write(self, descriptor: int, data: memoryview) -> int:
        if not self.room_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = min(len(data), self.room_bytes, 1000)
        self.room_bytes -= taken
        return os.write(descriptor, data[:taken])


def new(parent: Path, limit_bytes: int = 2**30, disk: Disk | None = None) -> DiskLog:
    return DiskLog.create(
        parent,
        version="1.2",
        started_unix_ns=STARTED_NS,
        model="m",
        limit_bytes=limit_bytes,
        scrub=lambda frame: frame.replace(KEY, b"[key]"),
        write=(disk or Disk()).write,
    )


def test_a_folder_of_its_own_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = new(tmp_path / "runs").folder
    finally:
        os.umask(before)
    assert folder.parent == tmp_path / "runs"
    assert folder.name[:21] == "2025-11-28T00-33-20Z-"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()}
    assert files == {"recording.json": 0o600, "events.jsonl": 0o600, "audio.pcm": 0o600}
    header = json.loads((folder / "recording.json").read_bytes())
    assert {k: header[k] for k in ("format", "layout", "gip_nb", "started_unix_ns", "model", "audio")} == {
        "format": "gip_nb recording",
        "layout": 1,
        "gip_nb": "1.2",
        "started_unix_ns": STARTED_NS,
        "model": "m",
        "audio": [{"file": "audio.pcm"}],
    }


def test_a_strange_umask_takes_nothing_from_the_owner(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    before = os.umask(0o777)
    try:
        disk = new(tmp_path / "runs")
        disk.append(small_log().rows)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(p.stat().st_mode) for p in disk.folder.iterdir()} == {0o600}


def test_many_at_one_moment_do_not_clash(tmp_path: Path) -> None:
    assert len({new(tmp_path).folder for _ in range(50)}) == 50


def test_after_each_batch_all_of_it_is_there(tmp_path: Path) -> None:
    log = small_log()
    disk = new(tmp_path)
    for n in range(len(log)):
        disk.append(log.rows[n : n + 1])
        assert disk.rows == n + 1
        assert rows_of(load_log(disk.folder).log) == rows_of(log)[: n + 1]
    assert (disk.folder / "audio.pcm").read_bytes() == b"".join(row.audio or b"" for row in log.rows)


def test_the_batches_do_not_matter(tmp_path: Path) -> None:
    folders = [written(small_log(), tmp_path / str(batch), batch=batch) for batch in (1, 3, 100)]
    for name in ("events.jsonl", "audio.pcm"):
        assert len({(folder / name).read_bytes() for folder in folders}) == 1


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - as a question of the system
        pytest.skip("this system does not list descriptors")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    logs = [new(tmp_path) for _ in range(20)]
    for disk in logs:
        disk.append(small_log().rows)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_the_key_is_written_nowhere(tmp_path: Path) -> None:
    log = small_log()
    log.local("callback.error", message=KEY.decode())
    disk = new(tmp_path)
    disk.append(log.rows)
    assert b"[key]" in (disk.folder / "events.jsonl").read_bytes()
    assert all(KEY not in p.read_bytes() for p in disk.folder.iterdir())


def test_the_limit_ends_the_file_with_a_line_that_says_so(tmp_path: Path) -> None:
    log = small_log()
    disk = new(tmp_path, limit_bytes=5000)
    disk.append(log.rows)
    assert disk.full
    kept = disk.rows
    assert 3 < kept < len(log)
    disk.append(log.rows[kept:])
    assert disk.rows == kept, "nothing more, even what there is room for"
    row, _ = log.local("log.full", limit_bytes=5000)
    disk.end(row)
    disk.end(row)
    loaded = load_log(disk.folder)
    assert loaded.full
    assert not loaded.damage
    assert [r.type for r in loaded.log.rows] == [r.type for r in log.rows[:kept]] + ["local.log.full"]
    assert sum(p.stat().st_size for p in disk.folder.iterdir() if p.name != "recording.json") <= 5000


@pytest.mark.parametrize("room_bytes", range(400, 6000, 371))
def test_a_disk_that_was_full_and_has_room_again_has_all_of_it(tmp_path: Path, room_bytes: int) -> None:
    log = small_log()
    device = Disk(2000)
    disk = new(tmp_path, disk=device)
    device.room_bytes = room_bytes
    try:
        for _ in range(len(log)):
            disk.append(log.rows[disk.rows : disk.rows + 3])
    except OSError as error:
        assert error.errno == errno.ENOSPC  # noqa: PT017 - it may have been room enough
        # What is there can be read as it is: a torn line at the most.
        loaded = load_log(disk.folder)
        assert not loaded.damage
        assert rows_of(loaded.log) == rows_of(log)[: len(loaded.log)]
        assert len(loaded.log) >= disk.rows
    device.room_bytes = 2**30
    while disk.rows < len(log):
        disk.append(log.rows[disk.rows :])
    assert rows_of(load_log(disk.folder).log) == rows_of(log)


def test_a_folder_that_was_removed_is_not_made_again(tmp_path: Path) -> None:
    disk = new(tmp_path)
    disk.append(small_log().rows[:3])
    shutil.rmtree(disk.folder)
    with pytest.raises(FileNotFoundError):
        disk.append(small_log().rows[3:])
    disk.folder.mkdir()
    with pytest.raises(FileNotFoundError):
        disk.append(small_log().rows[3:])
    assert disk.rows == 3


def test_a_file_that_somebody_shortened_is_not_added_to(tmp_path: Path) -> None:
    disk = new(tmp_path)
    disk.append(small_log().rows[:5])
    (disk.folder / "events.jsonl").write_bytes(b"")
    with pytest.raises(OSError, match="shortened"):
        disk.append(small_log().rows[5:])


def test_a_large_batch_is_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gip_nb.journal.disk_log._PIECE_BYTES", 3 * len(PCM))
    log = small_log()
    disk = new(tmp_path)
    disk.append(log.rows)
    assert rows_of(load_log(disk.folder).log) == rows_of(log)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadSetting, match=r"cannot write a log to .*file"):
        new(tmp_path / "file")
    with pytest.raises(BadSetting, match="cannot write"):
        check_folder(tmp_path / "file" / "below")
    with pytest.raises(BadSetting, match="No space left"):
        new(tmp_path, disk=Disk(0))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(AS_ROOT, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(BadSetting, match="Permission denied"):
            check_folder(tmp_path)
    finally:
        tmp_path.chmod(0o700)
