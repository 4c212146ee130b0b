"""What it costs to keep a talk: written as it goes, saved, loaded, and played again.

    python -m bench.recording [--minutes 10]

A made-up duplex talk: 25 microphone frames of 40 ms a second, and half of the time an answer in 10 deltas of
100 ms and 6 of text a second, with the rows of a page that plays it. Rows are written to disk in batches of a
quarter of a second, as `session.log_writer` does. The audio is kept once in each of the forms.
"""

from __future__ import annotations

import argparse
import base64
import os
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gip_nb
from bench.figures import Machine, table
from gip_nb.journal.disk_log import DiskLog
from gip_nb.journal.log import EventLog
from gip_nb.protocol.frames import append_frame, encode_event, read_frame
from gip_nb.recording import Recording
from gip_nb.session.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

ROUND_S = 10
BATCH_S = 0.25


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.at_ns = 0

    def __call__(self) -> int:
        """Nanoseconds."""
        return self.at_ns


def talk(minutes: float) -> EventLog:
    """The log of a talk, made up."""
    clock = Clock()
    log = EventLog(clock, lambda: 1_764_290_000_000_000_000)
    log.local("connection.opened", dialect="ga", model="m", url="ws://x")
    delta = base64.b64encode(os.urandom(4800)).decode()
    for second in range(round(minutes * 60)):
        number, answers = second // ROUND_S, second % ROUND_S >= ROUND_S // 2
        ids = {"response_id": f"resp_{number:020d}", "item_id": f"item_{number:020d}", "output_index": 0}
        if second % ROUND_S == ROUND_S // 2:
            got(log, "response.created", response={"id": ids["response_id"], "status": "in_progress"})
        for tick in range(50):
            clock.at_ns = second * 10**9 + tick * 20_000_000
            if tick % 2 == 0:
                log.append("sent", append_frame(os.urandom(1920)))
            if answers and tick % 5 == 0:
                got(log, "response.output_audio.delta", **ids, content_index=0, delta=delta)
                log.local("page.delivered", item_id=ids["item_id"], start_sample=0, samples=2400, page="p")
            if answers and tick % 8 == 0:
                got(log, "response.output_audio_transcript.delta", **ids, content_index=0, delta=" word")
        if second % ROUND_S == ROUND_S - 1:
            got(log, "response.done", response={"id": ids["response_id"], "status": "completed"})
    return log


def got(log: EventLog, kind: str, **fields: Any) -> None:
    """A frame of the server."""
    frame = encode_event({"type": kind, "event_id": f"event_{len(log):020d}", **fields})
    log.append("received", read_frame(frame.wire()))


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    """How many seconds it took, and what came of it."""
    began = time.perf_counter()
    result = what()
    return time.perf_counter() - began, result


def written(log: EventLog, parent: Path) -> tuple[Path, float]:
    """The log on disk, and the processor time of the thread that wrote it."""
    disk = DiskLog.create(
        parent,
        version="0",
        started_unix_ns=log.started_unix_ns,
        model="m",
        limit_bytes=2**33,
        scrub=Secret("sk-0123456789abcdef").scrub,
    )
    rows, spent = log.rows, 0.0
    while disk.rows < len(rows):
        end_ns = rows[disk.rows].elapsed_ns + BATCH_S * 1e9
        end = next((n for n in range(disk.rows, len(rows)) if rows[n].elapsed_ns >= end_ns), len(rows))
        batch = rows[disk.rows : end]
        began = time.thread_time()
        disk.append(batch)
        spent += time.thread_time() - began
    return disk.folder, spent


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    minutes: float = parser.parse_args().minutes
    machine = Machine()
    log = talk(minutes)
    events, audio_mb = len(log), sum(row.audio_bytes for row in log.rows) / 1e6
    with tempfile.TemporaryDirectory() as place:
        folder, writing_s = written(log, Path(place))
        lines_bytes = (folder / "events.jsonl").stat().st_size
        saving_s, saved = timed(lambda: Recording(log).save(Path(place) / "talk"))
        folder_s, _ = timed(lambda: gip_nb.load(folder))
        loading_s, recording = timed(lambda: gip_nb.load(saved))
        replay_s, _ = timed(recording.replay)
        with zipfile.ZipFile(saved) as archive:
            packed_bytes = archive.getinfo("events.jsonl").compress_size
    print(f"{minutes:g} minutes of talk: {events} events, {audio_mb:.1f} MB of audio in the wire's format")
    print()
    rows: list[tuple[str, float, float]] = [
        ("written as it goes", writing_s, lines_bytes / events),
        ("saved as a zip", saving_s, packed_bytes / events),
        ("loaded from the folder", folder_s, float("nan")),
        ("loaded from the zip", loading_s, float("nan")),
        ("played again offline", replay_s, float("nan")),
    ]
    head = ("", "ms in all", "us an event", "bytes an event, beside its audio")
    print(table(head, [(what, 1000 * s, 1e6 * s / events, per_event) for what, s, per_event in rows]))
    print()
    print(machine.line())


if __name__ == "__main__":
    main()
