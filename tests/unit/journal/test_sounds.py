"""Audio is kept once, in memory or in a file, and comes back as it was."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from gip_nb.journal.log import EventLog
from gip_nb.journal.sounds import Sounds
from gip_nb.protocol.frames import append_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest


@given(st.lists(st.binary(max_size=60), max_size=40), st.integers(0, 200), st.integers(1, 50))
def test_every_piece_comes_back_whatever_is_in_the_file(
    pieces: Sequence[bytes], limit: int, block: int
) -> None:
    sounds = Sounds(limit_bytes=limit, block_bytes=block)
    places = [sounds.add(piece) for piece in pieces]
    assert len(sounds) == sum(map(len, pieces))
    assert [sounds.read(at, len(piece)) for at, piece in zip(places, pieces, strict=True)] == list(pieces)
    # What one block holds beyond the limit: itself, and the piece that filled it.
    assert sounds.memory_bytes <= limit + block + max(map(len, pieces), default=0)


def test_beyond_the_limit_audio_leaves_memory_for_a_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sounds = Sounds(limit_bytes=100, block_bytes=10)
    for n in range(100):
        sounds.add(bytes([n]) * 10)
    assert sounds.memory_bytes <= 120
    assert not list(tmp_path.iterdir())
    assert sounds.read(0, 10) == bytes(10)


def test_a_full_disk_keeps_audio_in_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_room(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", no_room)
    sounds = Sounds(limit_bytes=10, block_bytes=10)
    places = [sounds.add(bytes([n]) * 10) for n in range(10)]
    assert [sounds.read(at, 10)[0] for at in places] == list(range(10))
    assert caplog.text.count("stays in memory") == 1


def test_another_thread_reads_while_one_adds() -> None:
    sounds = Sounds(limit_bytes=1000, block_bytes=100)
    places: list[tuple[int, int]] = []
    wrong: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for n, at in places[-50:]:
                if sounds.read(at, 7) != bytes([n % 256]) * 7:
                    wrong.append(n)

    reader = threading.Thread(target=read)
    reader.start()
    places.extend((n, sounds.add(bytes([n % 256]) * 7)) for n in range(5000))
    done.set()
    reader.join()
    assert not wrong


def test_rows_of_a_log_read_their_audio_from_the_file_too() -> None:
    log = EventLog(sounds=Sounds(limit_bytes=0, block_bytes=1))
    for n in range(20):
        log.append("sent", append_frame(bytes([n]) * 100))
    assert [row.audio for row in log.rows] == [bytes([n]) * 100 for n in range(20)]
    assert log.payload(3)["audio"].startswith("AwMD")
    assert log.event(3).audio == bytes([3]) * 100
