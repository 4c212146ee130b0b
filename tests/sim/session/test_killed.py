"""A kernel that is killed in mid-talk, and one that ends without a word: what its log has of the talk."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from typing import TYPE_CHECKING

import gip_nb
from gip_nb.errors import RecordingRepaired
from tests.sim.rehearsal_process import server_process

if TYPE_CHECKING:
    from pathlib import Path

TALKS_S = 1.8
# Speaks in real time, by a clock, as a microphone does; it has asked for something, so that an answer comes
# too.
TALKER = """
import sys, time
import gip_nb
url, key, folder = sys.argv[1:]
session = gip_nb.connect("openai/gpt-realtime", base_url=url, api_key=key, log=folder)
session.send_text("hello")
session.respond()
session.wait("response.output_audio.delta")
print("talking", flush=True)
frame, began = bytes(1920), time.monotonic()
for n in range(10_000):
    session.send_audio(frame)
    time.sleep(max(0, began + n * 0.04 - time.monotonic()))
"""
# Its rows are younger than a batch when it ends.
LEAVER = """
import sys
import gip_nb
url, key, folder = sys.argv[1:]
session = gip_nb.connect("openai/gpt-realtime", base_url=url, api_key=key, log=folder)
session.send_audio(bytes(4800))
print(len(session.log), flush=True)
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def folder_in(runs: Path) -> Path:
    (found,) = runs.iterdir()
    return found


def test_kill_9_in_mid_talk_loses_a_second_at_the_most_and_an_end_without_a_word_nothing(
    tmp_path: Path,
) -> None:
    frames = tmp_path / "frames.jsonl"
    with server_process("--log", str(frames)) as server:
        # Both at once: it is starting that takes its time.
        talker = python(TALKER, server.url, server.key, str(tmp_path / "talks"))
        leaver = python(LEAVER, server.url, server.key, str(tmp_path / "leaves"))
        try:
            told = first_line(leaver)
            assert leaver.wait(20) == 0
            assert first_line(talker) == "talking\n"
            time.sleep(TALKS_S)
            killed_at = time.time()
        finally:
            for process in (talker, leaver):
                process.kill()
                process.wait(10)
                assert process.stdout is not None
                process.stdout.close()
    left = gip_nb.load(folder_in(tmp_path / "leaves"))
    assert len(left.log) >= int(told)
    assert any(row.audio_bytes for row in left.log.rows)

    with warnings.catch_warnings():
        # A torn last line may be there or not.
        warnings.simplefilter("ignore", RecordingRepaired)
        killed = gip_nb.load(folder_in(tmp_path / "talks"))
    log = killed.log
    counted = [json.loads(line) for line in frames.read_text().splitlines()]
    counted = [line for line in counted if line["session_id"] in {killed.session_id, None}]

    def of_server(direction: str, until: float) -> tuple[int, int]:
        found = [n["audio_samples"] for n in counted if n["direction"] == direction and n["at"] <= until]
        return len(found), sum(found)

    for ours, theirs in (("sent", "received"), ("received", "sent")):
        audio_bytes = [row.audio_bytes for row in log.rows if row.direction == ours]
        frames_counted, samples_counted = of_server(theirs, killed_at - 1)
        assert frames_counted > 3
        assert samples_counted > 0
        assert len(audio_bytes) >= frames_counted
        assert sum(audio_bytes) // 2 >= samples_counted
        # Nor does it tell of more than there was; a frame may have been on its way.
        assert len(audio_bytes) <= of_server(theirs, killed_at + 9)[0] + 2
    assert (log.started_unix_ns + log.rows[-1].elapsed_ns) / 1e9 > killed_at - 1
    assert killed.turns.assistant_text.notna().any()
