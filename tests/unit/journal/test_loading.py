"""What is read of a recording that is whole, torn, damaged, too new, too large, or none at all."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

import gip_nb
from gip_nb.errors import (
    RecordingDamaged,
    RecordingIncomplete,
    RecordingNotFound,
    RecordingRepaired,
    RecordingTooLarge,
    RecordingTooNew,
)
from gip_nb.journal import loading, row_file
from gip_nb.journal.loading import load_log
from gip_nb.recording import Recording
from tests.unit.journal.recordings import rows_of, small_log, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = len(small_log())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return Recording(small_log()).save(tmp_path / "talk")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(small_log(), tmp_path / "runs")


def repacked(path: Path, change: Callable[[dict[str, bytes]], object], **options: Any) -> Path:
    """The zip with other contents, written by another tool."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w", **{"compression": zipfile.ZIP_DEFLATED, **options}) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def with_header(**fields: Any) -> Callable[[dict[str, bytes]], object]:
    def change(files: dict[str, bytes]) -> None:
        files["recording.json"] = json.dumps({**json.loads(files["recording.json"]), **fields}).encode()

    return change


# ------------------------------------------------------------------------------------------------ log folders


def test_a_folder_comes_back(folder: Path) -> None:
    loaded = gip_nb.load(folder)
    assert rows_of(loaded.log) == rows_of(small_log())
    assert loaded.model == "rehearsal"


def test_a_folder_of_which_the_lines_end_anywhere(folder: Path) -> None:
    events = folder / "events.jsonl"
    # The connection, a frame of the server's, two of sound.
    whole = b"".join(events.read_bytes().splitlines(keepends=True)[:4])
    wanted = rows_of(small_log())
    for size in range(len(whole) + 1):
        events.write_bytes(whole[:size])
        lines = whole[:size].split(b"\n")
        # What has lost its newline only is whole.
        there = len(lines) - 1 + (whole[size : size + 1] == b"\n")
        is_torn = there == len(lines) - 1 and lines[-1] != b""
        loaded = load_log(folder)
        assert (loaded.repaired is not None, loaded.damage) == (is_torn, ())
        assert rows_of(loaded.log) == wanted[:there]
        if is_torn and size % 100 == 50:
            with pytest.warns(RecordingRepaired, match="last line was not written whole"):
                gip_nb.load(folder)


def test_a_folder_of_which_the_audio_ends_anywhere(folder: Path) -> None:
    audio = folder / "audio.pcm"
    whole = audio.read_bytes()
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    # Up to the last event with sound: cut off there, its line is the last.
    last = max(n for n, line in enumerate(lines) if json.loads(line).get("audio", [0, 0, 0])[2])
    (folder / "events.jsonl").write_bytes(b"".join(lines[: last + 1]))
    begin, length = json.loads(lines[last])["audio"][1:]
    wanted = rows_of(small_log())
    for size in range(begin - 3, begin + length + 1):
        audio.write_bytes(whole[:size])
        if size >= begin + length:
            assert rows_of(gip_nb.load(folder).log) == wanted[: last + 1]
        elif size >= begin:
            with pytest.warns(
                RecordingRepaired, match=f"audio of its last event, {last}, was not written whole"
            ):
                assert rows_of(gip_nb.load(folder).log) == wanted[:last]
        else:
            # More than the last is not there: nobody's torn tail.
            with pytest.raises(RecordingDamaged, match="lost their audio") as caught:
                gip_nb.load(folder)
            assert caught.value.recording is not None
            assert len(caught.value.recording.log) == last


def test_the_folder_itself_is_not_repaired(folder: Path) -> None:
    events = folder / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-10])
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.warns(RecordingRepaired):
        gip_nb.load(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_folder_that_is_still_being_written(tmp_path: Path) -> None:
    log = small_log()
    rows = log.rows[:]
    del log.rows[9:]
    folder = written(log, tmp_path)
    assert len(gip_nb.load(folder).log) == 9
    lines = (folder / "events.jsonl").read_bytes()
    whole = written(small_log(), tmp_path / "other")
    (folder / "audio.pcm").write_bytes((whole / "audio.pcm").read_bytes())
    assert len(gip_nb.load(folder).log) == 9, "audio comes before its lines"
    assert (whole / "events.jsonl").read_bytes().startswith(lines)
    assert len(rows) == ROWS


def test_a_bad_line_in_the_middle(folder: Path) -> None:
    events = folder / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    lines[5] = b'{"n":5,"elapsed' + lines[5][20:]
    events.write_bytes(b"".join(lines))
    with pytest.raises(RecordingDamaged, match="from event 5 on") as caught:
        gip_nb.load(folder)
    assert f"events 0 to 4 of {ROWS}" in caught.value.next_step
    assert caught.value.recording is not None
    assert rows_of(caught.value.recording.log) == rows_of(small_log())[:5]


def test_a_line_that_is_missing(folder: Path) -> None:
    events = folder / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:5] + lines[6:]))
    with pytest.raises(RecordingDamaged, match=r"from event 5 on \(its number is 6\)"):
        gip_nb.load(folder)


@pytest.mark.parametrize("name", ["recording.json", "events.jsonl", "audio.pcm"])
def test_a_file_that_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(RecordingDamaged, match=name.replace(".", r"\.")) as caught:
        gip_nb.load(folder)
    part = caught.value.recording
    assert (part is None) == (name == "events.jsonl")
    if part is not None:
        assert len(part.log) == ROWS
        assert (part.log.started_unix_ns == 0) == (name == "recording.json")


def test_a_header_does_not_lead_out_of_the_folder(folder: Path) -> None:
    secret = folder.parent / "secret"
    secret.write_bytes(b"x" * 10_000)
    header = json.loads((folder / "recording.json").read_bytes())
    header["audio"][0]["file"] = "../secret"
    (folder / "recording.json").write_text(json.dumps(header))
    with pytest.raises(RecordingDamaged, match="no file of a log folder") as caught:
        gip_nb.load(folder)
    assert caught.value.recording is not None
    assert not any(
        row.has_audio for row in caught.value.recording.log.rows if row.type != "x" and row.cut >= 0
    )


def test_a_log_that_was_full_says_that_it_ends_there(tmp_path: Path) -> None:
    log = small_log()
    log.local("log.full", limit_bytes=5)
    with pytest.warns(RecordingIncomplete, match=r"reached its size limit and ends 0\.0 s after"):
        assert len(gip_nb.load(written(log, tmp_path)).log) == ROWS + 1


# ------------------------------------------------------------------------------------------------------- zips


def test_damage_anywhere_is_told_and_leaves_what_can_be_read(saved: Path) -> None:
    whole = saved.read_bytes()
    wanted = rows_of(small_log())
    told = 0
    places = range(0, len(whole), 47)
    for at in places:
        saved.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            loaded = gip_nb.load(saved)
        except (RecordingDamaged, RecordingTooNew, RecordingTooLarge) as error:
            told += 1
            part = error.recording if isinstance(error, RecordingDamaged) else None
            if part is not None:
                assert 0 < len(part.log) <= ROWS
                part.tables.formats()
        else:
            # In what nobody needs: README.txt, a time, a mode.
            assert rows_of(loaded.log) == wanted
    assert told > 0.6 * len(places)


def test_a_zip_that_ends_anywhere(saved: Path) -> None:
    whole = saved.read_bytes()
    most = 0
    for size in range(0, len(whole), 53):
        saved.write_bytes(whole[:size])
        with pytest.raises(RecordingDamaged) as caught:
            gip_nb.load(saved)
        rows = 0 if caught.value.recording is None else len(caught.value.recording.log)
        assert rows >= most, "what was there with less is there with more"
        most = rows
    assert most == ROWS


def test_what_the_error_says(saved: Path) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(RecordingDamaged) as caught:
        gip_nb.load(saved)
    text = str(caught.value)
    assert str(saved) in text
    assert "directory cannot be read" in text
    assert f"all {ROWS} events, the audio of " in text


def test_one_audio_file_is_damaged(saved: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["audio/001-user.wav"] = files["audio/001-user.wav"].replace(b"\x07", b"\x08")

    with pytest.raises(RecordingDamaged, match=r"audio/001-user\.wav is not what was saved") as caught:
        gip_nb.load(repacked(saved, change))
    assert "the audio of 6 of 9 events that had any" in caught.value.next_step
    assert caught.value.recording is not None
    sounds = [row.audio for row in caught.value.recording.log.rows]
    assert sounds[2:5] == [None, None, None]
    assert sounds[7] == small_log().rows[7].audio is not None


def test_events_were_changed(saved: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["events.jsonl"] = files["events.jsonl"].replace(b"rehearsal", b"something")

    with pytest.raises(RecordingDamaged, match=r"events\.jsonl is not what was saved") as caught:
        gip_nb.load(repacked(saved, change))
    assert caught.value.recording is not None
    assert caught.value.recording.model == "something"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_packed_again_by_another_tool(saved: Path, method: int) -> None:
    path = repacked(saved, lambda files: files.pop("README.txt"), compression=method)
    assert rows_of(gip_nb.load(path).log) == rows_of(small_log())


def test_packed_in_a_way_that_is_not_read(saved: Path) -> None:
    path = repacked(saved, lambda _: None, compression=zipfile.ZIP_BZIP2)
    with pytest.raises(RecordingDamaged, match="not read here"):
        gip_nb.load(path)


@pytest.mark.parametrize("name", ["events.jsonl", "audio/002-etc_passwd.wav", "recording.json"])
def test_a_member_is_missing(saved: Path, name: str) -> None:
    with pytest.raises(RecordingDamaged, match=f"{name} is missing"):
        gip_nb.load(repacked(saved, lambda files: files.pop(name)))


def test_a_newer_layout(saved: Path, folder: Path) -> None:
    repacked(saved, with_header(layout=2, gip_nb="9.9", started_unix_ns="in another shape"))
    with pytest.raises(
        RecordingTooNew, match=r"layout 2, written by gip_nb 9\.9: this version reads layout 1"
    ):
        gip_nb.load(saved)
    header = json.loads((folder / "recording.json").read_bytes())
    (folder / "recording.json").write_text(json.dumps({**header, "layout": 3}))
    with pytest.raises(RecordingTooNew, match="pip install -U gip_nb"):
        gip_nb.load(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "another"},
        {"layout": "1"},
        {"started_unix_ns": -1},
        {"started_unix_ns": 2**63},
        {"audio": {}},
        {"audio": [{"file": 5}]},
    ],
)
def test_a_header_that_is_none(saved: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(RecordingDamaged, match=r"recording\.json"):
        gip_nb.load(repacked(saved, with_header(**fields)))


@pytest.mark.parametrize("offset", [-5, 2**40])
def test_a_header_whose_audio_begins_nowhere(saved: Path, offset: int) -> None:
    def change(files: dict[str, bytes]) -> None:
        header = json.loads(files["recording.json"])
        header["audio"][0]["data_offset"] = offset
        files["recording.json"] = json.dumps(header).encode()

    with pytest.raises(RecordingDamaged):
        gip_nb.load(repacked(saved, change, compression=zipfile.ZIP_STORED))


def test_what_it_declares_is_compared_with_a_limit(saved: Path) -> None:
    with pytest.raises(RecordingTooLarge, match=r"the limit is 1,000\n.*limit_bytes"):
        gip_nb.load(saved, limit_bytes=1000)


def test_a_zip_that_unpacks_to_more_than_it_declares(saved: Path) -> None:
    bomb = repacked(saved, lambda files: files.update({"events.jsonl": b" " * 50_000_000}))
    data = bytearray(bomb.read_bytes())
    with zipfile.ZipFile(bomb) as archive:
        info = archive.getinfo("events.jsonl")
    # Both places that say how large it is.
    struct.pack_into("<I", data, info.header_offset + 22, 1000)
    entry = data.rindex(b"events.jsonl") - 46
    struct.pack_into("<I", data, entry + 24, 1000)
    bomb.write_bytes(data)
    with pytest.raises(RecordingDamaged, match="longer than it says"):
        gip_nb.load(bomb, limit_bytes=10_000_000)


def test_a_line_without_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (loading, row_file):
        monkeypatch.setattr(module, "MOST_LINE_BYTES", 3_000_000)
    events = folder / "events.jsonl"
    events.write_bytes(events.read_bytes() + b" " * 9_000_000)
    with pytest.warns(RecordingRepaired):
        assert len(gip_nb.load(folder).log) == ROWS


@pytest.mark.parametrize(
    "data",
    [b"", b"P", b"hello", b"PK", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"RIFF....WAVE", bytes(5000)],
)
def test_no_recording_at_all(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with pytest.raises(RecordingDamaged, match=r"x\.zip.*cannot be read whole") as caught:
        gip_nb.load(path)
    assert caught.value.recording is None
    assert "nothing of it could be read" in caught.value.next_step


def test_another_zip(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(RecordingDamaged, match=r"recording\.json is missing"):
        gip_nb.load(path)


def test_nothing_is_unpickled_or_written(saved: Path, folder: Path) -> None:
    before = sorted(str(p) for p in saved.parent.rglob("*"))
    gip_nb.load(saved)
    gip_nb.load(folder)
    assert sorted(str(p) for p in saved.parent.rglob("*")) == before


# ------------------------------------------------------------------------------------------ what is not there


def test_there_is_nothing_of_this_name(tmp_path: Path) -> None:
    with pytest.raises(RecordingNotFound, match="there is no such file or folder") as caught:
        gip_nb.load(tmp_path / "nothing")
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(RecordingNotFound):
        gip_nb.load(5)  # type: ignore[arg-type]


def test_the_folder_that_holds_the_sessions(folder: Path) -> None:
    newest = folder.with_name("9" + folder.name)
    shutil.copytree(folder, newest)
    with pytest.raises(RecordingNotFound, match=f"holds 2 recordings; the newest is .*{newest.name}"):
        gip_nb.load(folder.parent)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordingDamaged, match=r"recording\.json cannot be read"):
        gip_nb.load(tmp_path)


def test_a_zip64_header() -> None:
    """More than 4 GiB, as its header says; without writing them."""
    from gip_nb.journal.zip_members import read_members

    extra = struct.pack("<HHQQ", 1, 16, 2**33, 2**33)
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 45, 0, 0, 0, 0, 7, 0xFFFFFFFF, 0xFFFFFFFF, 1, len(extra))
    members, problem = read_members(io.BytesIO(head + b"a" + extra + b"data"))
    assert problem is not None
    assert members["a"].size == members["a"].packed_bytes == 2**33
