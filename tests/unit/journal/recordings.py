"""Small logs with a bit of everything, and what they come to on disk."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from gip_nb.journal.disk_log import DiskLog
from gip_nb.journal.log import EventLog
from gip_nb.protocol.frames import append_frame, encode_event, read_frame

if TYPE_CHECKING:
    from pathlib import Path

STARTED_NS = 1_764_290_000_123_456_789
PCM = bytes(range(256)) * 4
HOSTILE = "../../etc/passwd\x00\N{SNOWMAN}"


def small_log() -> EventLog:
    """Both ways, two formats, odd frames, and an answer with an odd number of bytes."""
    at_ns = 0

    def clock() -> int:
        nonlocal at_ns
        at_ns += 1_000_000
        return at_ns

    log = EventLog(clock, lambda: STARTED_NS)
    log.local("connection.opened", dialect="beta", model="rehearsal", url="ws://x")

    def got(kind: str, **fields: Any) -> None:
        log.append("received", encode_event({"type": kind, **fields}))

    got("session.created", session={"id": "sess_1", "output_audio_format": "pcm16"})
    for _ in range(3):
        log.append("sent", append_frame(PCM))
    log.append("received", read_frame(b"\xff no event"))
    got("response.created", response={"id": "r1"})
    for n in range(3):
        delta = base64.b64encode(PCM[: 301 + n]).decode()
        got("response.audio.delta", event_id=f"e{n}", response_id="r1", item_id=HOSTILE, delta=delta)
    got("response.done", response={"id": "r1", "status": "completed"})
    got("session.updated", session={"input_audio_format": "g711_ulaw", "output_audio_format": "g711_alaw"})
    log.append("sent", append_frame(PCM[:101]))
    got("response.created", response={"id": "r2"})
    delta = base64.b64encode(PCM[:77]).decode()
    got("response.audio.delta", event_id="e9", response_id="r2", item_id="i2", delta=delta)
    got("response.audio.delta", event_id="e10", response_id="r2", item_id="i3", delta="")
    log.local("playback.started", item_id="i2", played_samples=0)
    return log


def written(log: EventLog, parent: Path, *, batch: int = 7, limit_bytes: int = 2**30, **options: Any) -> Path:
    """The log as a session writes it while it goes on: in batches. Its folder."""
    disk = DiskLog.create(
        parent,
        version="0",
        started_unix_ns=log.started_unix_ns,
        model="rehearsal",
        limit_bytes=limit_bytes,
        **options,
    )
    while disk.rows < len(log) and not disk.full:
        disk.append(log.rows[disk.rows : disk.rows + batch])
    return disk.folder


def rows_of(log: EventLog) -> list[tuple[Any, ...]]:
    """All that rows hold, but for where their audio is kept."""
    return [
        (
            *(getattr(row, name) for name in row.__struct_fields__ if name not in {"sounds", "audio_at"}),
            row.audio,
        )
        for row in log.rows
    ]
