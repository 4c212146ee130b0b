"""What a long talk costs in the kernel: a row, the `events` table, memory; beside pandas's own ways.

    python -m bench.tables [--events 100000] [--runs 5]

All on the same events: 60 % pieces of an answer's audio, 15 % microphone, 20 % pieces of its transcript, the
rest what turns are made of. Each measurement has a process of its own; times are medians of `--runs`. The
others get the events as decoded dicts with their base64, as a log made by hand has them: `json_normalize`,
`DataFrame`, and `DataFrame` of five columns picked from each.

Last, an hour of duplex talk: what a kernel holds that has openai, pandas and the widget imported.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Literal

from gip_nb.journal.log import EventLog
from gip_nb.journal.tables import Tables
from gip_nb.protocol.client import ClientProtocol
from gip_nb.protocol.frames import append_frame, event_of, read_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gip_nb.protocol.frames import Frame

Event = tuple[Literal["sent", "received"], bytes]
_AUDIO, _MICROPHONE, _TEXT = 168, 42, 56  # of a turn's 280 events
_DELTA = os.urandom(4800)  # 100 ms
_FRAME = os.urandom(1920)  # 40 ms
_GOALS = {
    "append_us": 10.0,
    "cold_s": 0.3,
    "again_ms": 50.0,
    "table_mb": 60.0,
    "row_bytes": 400.0,
    "hour_mb": 250.0,
}


def talk() -> Iterator[Event]:
    """An endless talk, as it passes on the wire, in GA's names."""
    numbers = count(1)

    def got(kind: str, **fields: Any) -> Event:
        event = {"type": kind, "event_id": f"event_{next(numbers):024x}", **fields}
        return "received", json.dumps(event).encode()

    yield got("session.created", session={"type": "realtime", "id": "sess_1", "audio": {"input": {}}})
    for turn in count(1):
        user, answer, response = f"item_{turn:020x}u", f"item_{turn:020x}a", f"resp_{turn:020x}"
        ids = {"response_id": response, "item_id": answer}
        part = {**ids, "output_index": 0, "content_index": 0}
        yield from (("sent", append_frame(_FRAME).wire()) for _ in range(_MICROPHONE))
        yield got("input_audio_buffer.speech_started", item_id=user, audio_start_ms=1000 * turn)
        yield got("input_audio_buffer.speech_stopped", item_id=user, audio_end_ms=1000 * turn + 900)
        yield got("input_audio_buffer.committed", item_id=user)
        message = {"id": user, "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
        yield got("conversation.item.added", item=message)
        yield got("response.created", response={"id": response, "status": "in_progress"})
        item = {"id": answer, "type": "message", "role": "assistant", "content": []}
        yield got("response.output_item.added", response_id=response, output_index=0, item=item)
        yield got("conversation.item.added", item=item)
        yield got("response.content_part.added", **part, part={"type": "audio"})
        for n in range(_AUDIO):
            yield "received", encode_audio(next(numbers), part)
            if n % 3 == 0:
                yield got("response.output_audio_transcript.delta", **part, delta=" word")
        yield got("response.output_audio.done", **part)
        yield got("response.output_audio_transcript.done", **part, transcript=" word" * _TEXT)
        yield got("response.content_part.done", **part, part={"type": "audio"})
        yield got("response.output_item.done", response_id=response, output_index=0, item=item)
        usage = {"input_tokens": 100, "output_tokens": 90}
        yield got("response.done", response={"id": response, "status": "completed", "usage": usage})
        yield got("rate_limits.updated", rate_limits=[])


def encode_audio(number: int, part: dict[str, Any]) -> bytes:
    """One piece of an answer's audio."""
    head = {"type": "response.output_audio.delta", "event_id": f"event_{number:024x}", **part}
    return json.dumps(head).encode()[:-1] + b', "delta": ' + encode_base64() + b"}"


def encode_base64() -> bytes:
    """The audio, in its quotes."""
    return append_frame(_DELTA).wire().partition(b'"audio":')[2][:-1]


def events(amount: int) -> list[Event]:
    """So many of them."""
    return list(islice(talk(), amount))


def filled(amount: int) -> tuple[EventLog, list[float]]:
    """A log of so many events, and how long each append took, in microseconds."""
    log = EventLog()
    log.local("connection.opened", dialect="ga", model="gpt-realtime", url="ws://bench")
    took = []
    for direction, raw in islice(talk(), amount):
        frame = read_frame(raw)
        began = time.perf_counter()
        log.append(direction, frame)
        took.append((time.perf_counter() - began) * 1e6)
    return log, took


def resident_mb() -> float:
    """Memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no file to speak of
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


# ---- what is measured, each in a process of its own --------------------------------------------------------


def measure_append(amount: int) -> dict[str, float]:
    """The median row, and the mean, which has the spilling in it."""
    _, took = filled(amount)
    return {"append_us": statistics.median(took), "append_mean_us": statistics.fmean(took)}


def measure_decode(amount: int) -> dict[str, float]:
    """Reading the frame, which comes before: for comparison."""
    took = []
    for _, raw in islice(talk(), amount):
        began = time.perf_counter()
        read_frame(raw)
        took.append((time.perf_counter() - began) * 1e6)
    return {"decode_us": statistics.median(took)}


def measure_table(amount: int) -> dict[str, float]:
    """`events`, asked for first and again after 100 more."""
    import pandas as pd

    warm = EventLog()
    warm.append("sent", append_frame(_FRAME))
    Tables(warm).events()
    log, _ = filled(amount)
    tables = Tables(log)
    gc.collect()
    before_mb, began = resident_mb(), time.perf_counter()
    frame = tables.events()
    cold_s = time.perf_counter() - began
    table_mb = resident_mb() - before_mb
    again_ms = []
    more = talk()
    for _ in range(5):
        for direction, raw in islice(more, 100):
            log.append(direction, read_frame(raw))
        began = time.perf_counter()
        frame = tables.events()
        again_ms.append((time.perf_counter() - began) * 1e3)
    if not isinstance(frame, pd.DataFrame) or len(frame) != len(log):
        raise AssertionError
    return {"cold_s": cold_s, "table_mb": table_mb, "again_ms": statistics.median(again_ms)}


def measure_rows(amount: int) -> dict[str, float]:
    """Memory of a row besides its payload (the frame's own bytes) and its audio."""
    made = events(amount)
    tracemalloc.start()
    log = EventLog()
    before = tracemalloc.get_traced_memory()[0]
    for direction, raw in made:
        log.append(direction, read_frame(raw))
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    payload = sum(len(row.skeleton) for row in log.rows if row.direction == "received")
    return {"row_bytes": (grown - payload - log.sounds.memory_bytes) / len(log)}


def measure_by_hand(amount: int, make: Callable[[list[dict[str, Any]]], object]) -> dict[str, float]:
    """A table made of decoded events by pandas alone."""
    decoded = [json.loads(raw) for _, raw in islice(talk(), amount)]
    gc.collect()
    before_mb, began = resident_mb(), time.perf_counter()
    made = make(decoded)
    took_s = time.perf_counter() - began
    found = {"cold_s": took_s, "table_mb": resident_mb() - before_mb}
    del made
    return found


def json_normalize(decoded: list[dict[str, Any]]) -> object:
    """Every nested field a column."""
    import pandas as pd

    return pd.json_normalize(decoded)


def data_frame(decoded: list[dict[str, Any]]) -> object:
    """Every field a column."""
    import pandas as pd

    return pd.DataFrame(decoded)


def five_columns(decoded: list[dict[str, Any]]) -> object:
    """The least that is of use."""
    import pandas as pd

    names = ("type", "event_id", "response_id", "item_id", "transcript")
    return pd.DataFrame([{name: event.get(name) for name in names} for event in decoded])


def measure_hour(_amount: int) -> dict[str, float]:
    """An hour of duplex talk in a kernel: 90 000 frames of the microphone, half an hour of answers."""
    import anywidget
    import ipykernel.kernelapp
    import openai.resources.realtime
    import pandas as pd

    __ = anywidget, ipykernel.kernelapp, openai.resources.realtime, pd
    numbers = count(1)
    log = EventLog()
    tables = Tables(log)
    protocol = ClientProtocol(lambda prefix: f"{prefix}_{next(numbers)}", player=False)
    before_mb = resident_mb()

    def passes(direction: Literal["sent", "received"], frame: Frame) -> None:
        row = log.append(direction, frame)
        event = event_of(frame, frame.fields)
        if direction == "sent":
            protocol.observe(event, "sent", row.elapsed_ns / 1e9)
        else:
            protocol.receive(event, row.elapsed_ns / 1e9)
        protocol.take()

    _, opened = log.local("connection.opened", dialect="ga", model="gpt-realtime", url="ws://bench")
    protocol.observe(opened, "local", 0.0)
    answers = (one for one in talk() if one[0] == "received")
    sent = 0
    for direction, raw in answers:
        frame = read_frame(raw)
        passes(direction, frame)
        if frame.audio is not None:
            # 100 ms of answer for 200 ms of the hour.
            for _ in range(5):
                passes("sent", append_frame(_FRAME))
                sent += 1
        if sent >= 90_000:  # noqa: PLR2004 - an hour of 40 ms
            break
    talk_mb = resident_mb() - before_mb
    found = tables.events()
    return {
        "hour_events": float(len(found)),
        "hour_talk_mb": talk_mb,
        "hour_tables_mb": resident_mb() - before_mb - talk_mb,
        "hour_mb": resident_mb(),
    }


MEASURES: dict[str, Callable[[int], dict[str, float]]] = {
    "append": measure_append,
    "decode": measure_decode,
    "gip_nb": measure_table,
    "rows": measure_rows,
    "json_normalize": lambda amount: measure_by_hand(amount, json_normalize),
    "DataFrame": lambda amount: measure_by_hand(amount, data_frame),
    "five columns": lambda amount: measure_by_hand(amount, five_columns),
    "hour": measure_hour,
}


def measured(name: str, amount: int) -> dict[str, float]:
    """One measurement, once, in a process of its own."""
    command = [sys.executable, "-m", "bench.tables", "--only", name, "--events", str(amount)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=MEASURES)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(MEASURES[options.only](options.events)))
        return
    from bench.figures import Machine, table

    machine = Machine()
    found: dict[str, dict[str, float]] = {}
    for name in MEASURES:
        runs = [measured(name, options.events) for _ in range(1 if name == "hour" else options.runs)]
        found[name] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    print(f"\n{options.events} events, medians of {options.runs}\n")
    ways = ("gip_nb", "json_normalize", "DataFrame", "five columns")
    print(
        table(
            ("the events table", "s", "MB on top", "again after 100 more, ms"),
            [
                (w, f"{found[w]['cold_s']:.2f}", found[w]["table_mb"], found[w].get("again_ms", "-"))
                for w in ways
            ],
        )
    )
    all_found = {key: value for one in reversed(found.values()) for key, value in one.items()}
    all_found |= found["gip_nb"]
    print()
    rows = [
        (key, f"{all_found[key]:.2f}", f"{goal:g}", "met" if all_found[key] <= goal else "MISSED")
        for key, goal in _GOALS.items()
    ]
    print(table(("figure", "measured", "goal, at most", ""), rows))
    print(
        f"\nreading a frame before it is appended: {all_found['decode_us']:.1f} us; an append's mean, "
        f"spilling included: {all_found['append_mean_us']:.1f} us; the hour: "
        f"{all_found['hour_events']:.0f} events, {all_found['hour_talk_mb']:.0f} MB for the talk, "
        f"{all_found['hour_tables_mb']:.0f} MB for its tables"
    )
    print(machine.line())


if __name__ == "__main__":
    main()
