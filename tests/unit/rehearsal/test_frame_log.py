"""The log by which anyone can count frames."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from gip_nb.rehearsal.frame_log import FrameLog

if TYPE_CHECKING:
    from pathlib import Path


def test_each_frame_is_a_flushed_line(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    log = FrameLog(path)
    log.write("received", "input_audio_buffer.append", "sess_1", 960)
    log.write("sent", "session.created", "sess_1")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [
        (line["direction"], line["type"], line["session_id"], line["audio_samples"]) for line in lines
    ] == [
        ("received", "input_audio_buffer.append", "sess_1", 960),
        ("sent", "session.created", "sess_1", 0),
    ]
    assert all(abs(line["at"] - time.time()) < 5 for line in lines)
    log.close()
    FrameLog(path).close()
    assert len(path.read_text("utf-8").splitlines()) == 2, "it is appended to"


def test_no_log_is_no_file() -> None:
    log = FrameLog(None)
    log.write("sent", "error", None)
    log.close()


def test_a_log_that_cannot_be_written_says_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        FrameLog(tmp_path / "nowhere" / "frames.jsonl")
