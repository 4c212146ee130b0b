"""The portable file: what is in it, that any tool reads it, and that it is written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import wave
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gip_nb
from gip_nb import g711
from gip_nb.audio import pcm16_from_wav_bytes
from gip_nb.errors import BadSetting
from gip_nb.journal.archive import wav_header
from gip_nb.protocol.audio_formats import ALAW, PCM16, ULAW
from gip_nb.recording import Recording
from tests.unit.journal.recordings import HOSTILE, PCM, STARTED_NS, rows_of, small_log

if TYPE_CHECKING:
    from pathlib import Path

    from gip_nb.g711 import Law

KEY = "sk-abcdefgh12345678"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return Recording(small_log()).save(tmp_path / "talk")


def header_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        found: dict[str, Any] = json.loads(archive.read("recording.json"))
    return found


def test_it_comes_back(saved: Path) -> None:
    loaded = gip_nb.load(saved)
    assert rows_of(loaded.log) == rows_of(small_log())
    assert loaded.model == "rehearsal"
    assert loaded.session_id == "sess_1"
    assert loaded.started_at == Recording(small_log()).started_at
    # And once more, from what was loaded.
    again = loaded.save(saved.with_name("again"))
    assert again.read_bytes() == saved.read_bytes()


def test_what_is_in_it(saved: Path) -> None:
    header = header_of(saved)
    assert (header["format"], header["layout"]) == ("gip_nb recording", 1)
    assert (header["gip_nb"], header["model"], header["session_id"]) == (
        gip_nb.__version__,
        "rehearsal",
        "sess_1",
    )
    assert header["started_unix_ns"] == STARTED_NS
    assert header["started_at"] == "2025-11-28T00:33:20.123Z"
    with zipfile.ZipFile(saved) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == [
            "recording.json",
            "README.txt",
            "events.jsonl",
            *(a["file"] for a in header["audio"]),
        ]
        lines = archive.read("events.jsonl")
        assert header["events"] == {
            "file": "events.jsonl",
            "count": len(small_log()),
            "bytes": len(lines),
            "sha256": hashlib.sha256(lines).hexdigest(),
        }
        for entry in header["audio"]:
            assert hashlib.sha256(archive.read(entry["file"])).hexdigest() == entry["sha256"]
        readme = archive.read("README.txt").decode()
    assert [line for line in readme.splitlines() if len(line) > 120] == []
    assert len(readme.splitlines()) <= 24


def test_audio_files_have_harmless_names_and_say_whose_they_are(saved: Path) -> None:
    entries = header_of(saved)["audio"]
    assert [e["file"] for e in entries] == [
        "audio/001-user.wav",
        "audio/002-etc_passwd.wav",
        "audio/003-user.wav",
        "audio/004-i2.wav",
        "audio/005-i3.wav",
    ]
    assert [(e["direction"], e.get("item_id"), e["format"], e["rate_hz"], e["bytes"]) for e in entries] == [
        ("sent", None, "audio/pcm", 24000, 3 * len(PCM)),
        ("received", HOSTILE, "audio/pcm", 24000, 301 + 302 + 303),
        ("sent", None, "audio/pcmu", 8000, 101),
        ("received", "i2", "audio/pcma", 8000, 77),
        ("received", "i3", "audio/pcma", 8000, 0),
    ]


def test_each_rows_audio_is_a_range_of_its_wav(saved: Path) -> None:
    log = small_log()
    with zipfile.ZipFile(saved) as archive:
        entries = header_of(saved)["audio"]
        for row, line in zip(log.rows, archive.read("events.jsonl").splitlines(), strict=True):
            place = json.loads(line).get("audio")
            assert (place is None) == (row.audio is None)
            if place is not None:
                entry = entries[place[0]]
                data = archive.read(entry["file"])[entry["data_offset"] :]
                assert data[place[1] : place[1] + place[2]] == row.audio


def test_other_tools_open_the_wavs(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        files = [archive.read(entry["file"]) for entry in header_of(saved)["audio"]]
    with wave.open(io.BytesIO(files[0])) as user:
        assert (user.getframerate(), user.getnchannels(), user.getsampwidth()) == (24000, 1, 2)
        assert user.readframes(user.getnframes()) == PCM * 3
    with wave.open(io.BytesIO(files[1])) as answer:
        # 906 bytes; an odd number would be made a whole sample.
        assert answer.getnframes() == 453
    assert pcm16_from_wav_bytes(files[0], "x") == PCM * 3
    laws: list[tuple[int, Law, int]] = [(2, "ulaw", 101), (3, "alaw", 77)]
    for number, law, size in laws:
        code, channels, rate_hz = np.frombuffer(files[number][20:28], "<u2,<u2,<u4")[0].tolist()
        assert (code, channels, rate_hz) == ({"ulaw": 7, "alaw": 6}[law], 1, 8000)
        assert files[number][38:42] == b"fact"
        assert int.from_bytes(files[number][54:58], "little") == size
        assert (
            g711.decode(files[number][58 : 58 + size], law).tolist() == g711.decode(PCM[:size], law).tolist()
        )


@pytest.mark.parametrize("size", [0, 1, 2, 3, 2**32])
@pytest.mark.parametrize("audio_format", [PCM16, ULAW, ALAW])
def test_a_wavs_sizes(audio_format: Any, size: int) -> None:
    header = wav_header(audio_format, size)
    riff, data = int.from_bytes(header[4:8], "little"), int.from_bytes(header[-4:], "little")
    if size == 2**32:
        # More than a WAV can say: tools read on to the end.
        assert riff == data == 2**32 - 1
    else:
        assert data == (size + size % 2 if audio_format is PCM16 else size)
        assert riff == len(header) - 8 + size + size % 2


def test_half_a_sample_is_made_whole_and_a_chunk_even(tmp_path: Path) -> None:
    log = small_log()
    log.rows[:] = [row for row in log.rows if row.audio_bytes not in {301, 302}]
    path = Recording(log).save(tmp_path / "odd")
    with zipfile.ZipFile(path) as archive:
        odd = {e["bytes"]: archive.read(e["file"]) for e in header_of(path)["audio"] if e["bytes"] % 2}
    assert sorted(odd) == [77, 101, 303]
    assert [len(file) % 2 for file in odd.values()] == [0, 0, 0]
    assert odd[303][44:] == PCM[:303] + b"\0"


def test_it_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = Recording(small_log()).save(tmp_path / "talk")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_suffix_is_added_where_it_is_missing(tmp_path: Path) -> None:
    recording = Recording(small_log())
    assert recording.save(str(tmp_path / "a")).name == "a.zip"
    assert recording.save(tmp_path / "b.ZIP").name == "b.ZIP"
    assert recording.save(tmp_path / "v1.2").name == "v1.2.zip"
    assert gip_nb.load(str(tmp_path / "v1.2")).session_id == "sess_1"


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording(small_log())
    path = recording.save(tmp_path / "talk")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "open", full)
    with pytest.raises(BadSetting, match=r"talk.zip.*No space left"):
        recording.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["talk.zip"]


@pytest.mark.parametrize("path", ["no/such/folder/talk", "", 5])
def test_where_nothing_can_be_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadSetting):
        Recording(small_log()).save(path)
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_in_no_file_of_it(tmp_path: Path) -> None:
    log = small_log()
    log.local("callback.error", message=f"it was {KEY}")

    class Live(Recording):
        def _scrub(self, frame: bytes) -> bytes:
            return frame.replace(KEY.encode(), b"[key]")

    path = Live(log).save(tmp_path / "talk")
    with zipfile.ZipFile(path) as archive:
        assert all(KEY.encode() not in archive.read(name) for name in archive.namelist())
    assert gip_nb.load(path).payload(len(log) - 1)["message"] == "it was [key]"


def test_a_log_that_grows_is_saved_as_far_as_it_is(tmp_path: Path) -> None:
    log = small_log()
    recording = Recording(log)
    path = recording.save(tmp_path / "talk")
    log.local("label", turn=1)
    assert len(gip_nb.load(path).log) == len(log) - 1


def test_an_empty_log(tmp_path: Path) -> None:
    log = small_log()
    log.rows.clear()
    loaded = gip_nb.load(Recording(log).save(tmp_path / "empty"))
    assert (len(loaded.log), loaded.model, loaded.session_id) == (0, "", None)
    assert loaded.events.empty
    assert loaded.turns.empty
