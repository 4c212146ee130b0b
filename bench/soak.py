"""A long talk over a line that fails, and whether anything was lost, doubled or left behind.

    python -m bench.soak [--minutes 10] [--compressed-minutes 60] [--times 30] [--seed 1] [--every 150]

First an hour of talk in compressed time, then ten minutes in real time, each a session of its own: a
microphone of recorded speech and silence by lot (so that it now and then speaks over the answer), typed
questions, tools that are quick, slow and broken, a player that hears each answer at the microphone's pace,
and the faults of `bench.faults`. Then the line is calm, a last question has to be answered, and these are
looked at:

- every frame that passed the proxy is a row, in order, of each connection; what a cut swallowed is its tail.
- each function call ran once, and its output was sent once on a connection.
- no truncation lies beyond the audio received, or where the player was not.
- the tables of the saved recording, read again, are the live ones.
- threads, tasks and open files are back where they were; memory is told, with the slope of its second half.

Prints a table; ends with code 1 where something of this does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import gip_nb
from bench.figures import FIXTURES, Machine, table
from gip_nb.session.loop import loop
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.session.speaker import Flushed
from gip_nb.tools import Toolbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

FRAME_SAMPLES = 960
FRAME_BYTES = 2 * FRAME_SAMPLES
FRAME_S = 0.04
LATENCY_MS = 40.0
SPOKEN = ("weather_awb.wav", "hello_slt.wav", "stop_slt.wav", "remember_awb.wav")
TYPED = (
    "what is the weather in Nairobi",
    "roll the dice",
    "the radio please",
    "hello",
    "write the long report",
)
# Faults on the way are waited out in wall time: short, so that compressed time is not mostly silence.
PATIENCE: dict[str, Any] = {
    "reconnect": {
        "attempts": 40,
        "first_wait_s": 0.05,
        "longest_wait_s": 0.5,
        "limit_s": 60,
        "stable_s": 0.5,
    },
    "retry": {"attempts": 3, "first_wait_s": 0.05, "longest_wait_s": 0.5},
    "response_timeout_s": 3.0,
}
_SETTLE_S = 20.0
_QUIET_S = 2.0
# Where so many frames (2 s of sound) wait for a server that cannot follow compressed time, the talk waits.
_MOST_WAITING = 50


# ---------------------------------------------------------------------------------------------- the other end


class Faults:
    """`bench.faults` as a process."""

    def __init__(self, folder: Path, seed: int, every: int) -> None:
        self._log = folder / "frames.jsonl"
        arguments = ["--seed", str(seed), "--every", str(every), "--log", str(self._log)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.faults", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = json.loads(self._pipe(self._process.stdout).readline())
        self.url, self.key = str(told["url"]), str(told["key"])

    @staticmethod
    def _pipe(pipe: Any) -> Any:  # noqa: ANN401  Popen's pipes are optional, and these were asked for
        return pipe

    def be(self, how: str) -> None:
        """`rough` or `calm`, from now on."""
        pipe = self._pipe(self._process.stdin)
        pipe.write(how + "\n")
        pipe.flush()

    def frames(self) -> list[dict[str, Any]]:
        """End it, and read what passed."""
        self._pipe(self._process.stdin).close()
        self._process.wait(20)
        self._pipe(self._process.stdout).close()
        return [json.loads(line) for line in self._log.read_text("utf-8").splitlines()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


# ------------------------------------------------------------------------------------------------ the user's


class Player:
    """Hears each answer at the pace of the microphone. On the loop only.

    Attributes:
        flushed: by item id, the samples that it said to have played when it was stopped.
    """

    plays = True

    def __init__(self) -> None:
        self.session: AsyncRealtimeSession
        self.flushed: dict[str, int] = {}
        self._given: dict[str, int] = {}
        self._ended: set[str] = set()
        self._played: dict[str, int] = {}
        self._queue: list[str] = []

    def play(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
        """See `Speaker`."""
        del content_index
        self._given[item_id] = start_sample + len(audio) // 2
        if item_id not in self._queue:
            self._queue.append(item_id)

    def end(self, item_id: str, content_index: int, samples: int) -> None:
        """See `Speaker`."""
        del content_index, samples
        self._ended.add(item_id)

    async def flush(self) -> Flushed:
        """See `Speaker`."""
        played = {item_id: self._played.get(item_id, 0) for item_id in self._queue}
        self.flushed.update(played)
        self._queue.clear()
        return Flushed(played, LATENCY_MS)

    def advance(self) -> None:
        """A frame's time passes."""
        if not self._queue:
            return
        item_id = self._queue[0]
        before = self._played.get(item_id, 0)
        now = self._played[item_id] = min(before + FRAME_SAMPLES, self._given.get(item_id, 0))
        note = self.session.note
        if before == 0 and now:
            note("playback.started", item_id=item_id, page="soak")
        elif now // 12_000 != before // 12_000:
            note("playback.position", item_id=item_id, played_samples=now, page="soak")
        if item_id in self._ended and now == self._given.get(item_id, 0) and item_id in self._queue:
            self._queue.remove(item_id)
            note("playback.ended", item_id=item_id, played_samples=now, page="soak")


def speech(lot: random.Random) -> Iterator[bytes]:
    """The microphone's frames, without end: words, then silence by lot."""
    said = []
    for name in SPOKEN:
        with wave.open(str(FIXTURES / name)) as wav:
            said.append(wav.readframes(wav.getnframes()))
    while True:
        yield from [bytes(FRAME_BYTES)] * lot.randrange(20, 200)
        words = lot.choice(said)
        for at in range(0, len(words), FRAME_BYTES):
            yield words[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")


class Ran:
    """The tools, and how often each ran."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def functions(self) -> list[Callable[..., Any]]:
        """The four."""
        count = self.count

        def get_weather(city: str) -> dict[str, Any]:
            """The weather in a city."""
            count["get_weather"] += 1
            return {"city": city, "celsius": 21}

        def roll_dice() -> int:
            """Roll the dice."""
            count["roll_dice"] += 1
            return 4

        def broken_radio() -> str:
            """Turn on the radio."""
            count["broken_radio"] += 1
            raise RuntimeError("no reception")

        def long_report() -> str:
            """Write the long report."""
            count["long_report"] += 1
            time.sleep(0.4)
            return "done"

        return [get_weather, roll_dice, broken_radio, long_report]


class Talk(NamedTuple):
    """What there is of a talk at its end."""

    session: AsyncRealtimeSession
    player: Player
    frames: list[dict[str, Any]]
    memory_mb: list[float]
    answered: bool
    behind_s: float


async def hold(
    session: AsyncRealtimeSession, player: Player, seconds: float, times: float, seed: int
) -> tuple[list[float], float]:
    """Talk for so long, `times` faster than real time. On the loop.

    Returns:
        Memory each tenth of the way, and by how much the talk was behind its clock at the end.
    """
    lot = random.Random(seed)  # noqa: S311  a draw, no secret
    frames = speech(lot)
    total = round(seconds / FRAME_S)
    memory = []
    typing: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    for number in range(total):
        session.push_microphone(next(frames), page="soak")
        player.advance()
        if lot.random() < FRAME_S / 45 and not typing:
            task = asyncio.create_task(type_words(session, lot.choice(TYPED)))
            typing.add(task)
            task.add_done_callback(typing.discard)
        if number % (total // 20 or 1) == 0:
            memory.append(memory_mb())
        if session.state in {"closed", "error"}:
            raise RuntimeError(f"the talk ended after {number * FRAME_S:.0f} s of sound: {session.error!r}")
        ahead_s = began + number * FRAME_S / times - time.monotonic()
        await asyncio.sleep(max(0.0, ahead_s))
        while waiting(session) > _MOST_WAITING:  # noqa: ASYNC110 - as a microphone would: it looks each frame's time
            await asyncio.sleep(FRAME_S)
    behind_s = time.monotonic() - began - seconds / times
    if typing:
        await asyncio.wait(typing, timeout=_SETTLE_S)
    return memory, behind_s


def waiting(session: AsyncRealtimeSession) -> int:
    """What the session has to send and has not sent."""
    return session._line.waiting  # noqa: SLF001 - no user's affair


def let_tools_end(session: AsyncRealtimeSession) -> None:
    """What a tool returns after the end of its talk is answered by nobody: wait until all is said."""
    over_s = time.monotonic() + 2 * _SETTLE_S
    rows, since_s = len(session.log), time.monotonic()
    while time.monotonic() < over_s:
        time.sleep(0.1)
        # Behind the last question's answer the server may hear on: it has what was sent in compressed time.
        if len(session.log) != rows or waiting(session):
            rows, since_s = len(session.log), time.monotonic()
        kinds = Counter(session.events.type)
        tools = kinds["local.tool.started"] - kinds["local.tool.finished"]
        busy = session.protocol.answering or session.state in {"hearing", "thinking"}
        if not tools and not busy and time.monotonic() - since_s > _QUIET_S:
            return


async def type_words(session: AsyncRealtimeSession, words: str) -> None:
    """As the widget does: typed words interrupt."""
    with contextlib.suppress(gip_nb.GipError):
        await session.interrupt()
        await session.send_text(words)
        await session.respond()


def talk(folder: Path, *, seconds: float, times: float, seed: int, every: int) -> Talk:
    """One talk from its opening to its end."""
    with Faults(folder, seed, every) as faults:
        player, ran = Player(), Ran()
        settings = resolve(
            "openai/gpt-4o-realtime-preview",
            base_url=faults.url,
            api_key=faults.key,
            turn_detection={"type": "server_vad", "silence_duration_ms": 400},
            **PATIENCE,
        )
        session = AsyncRealtimeSession(settings, tools=Toolbox(ran.functions()), speaker=player)
        player.session = session

        def run(coroutine: Any, timeout_s: float) -> Any:  # noqa: ANN401  any coroutine's result
            return asyncio.run_coroutine_threadsafe(coroutine, loop()).result(timeout_s)

        run(session.connect(), 20)
        faults.be("rough")
        memory, behind_s = run(hold(session, player, seconds, times, seed), seconds / times * 20 + 60)
        faults.be("calm")
        run(session.interrupt(), 20)
        reply = run(session.ask("hello", timeout_s=_SETTLE_S), _SETTLE_S + 20)
        let_tools_end(session)
        run(session.close(), 20)
        return Talk(session, player, faults.frames(), memory, bool(reply.text), behind_s)


# ---------------------------------------------------------------------------------------------- what is left


def memory_mb() -> float:
    """Resident memory of this process."""
    fields = Path("/proc/self/statm").read_text("ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Census(NamedTuple):
    """What a process holds.

    Attributes:
        threads: without asyncio's pool of workers, which grows to its size and stays.
        tasks: of the loop.
        files: open ones.
    """

    threads: int
    tasks: int
    files: int


def census() -> Census:
    """Of this process, now."""
    gc.collect()

    async def look() -> int:
        return len(asyncio.all_tasks()) - 1

    names = [t.name for t in threading.enumerate() if not t.name.startswith(("asyncio_", "gip_nb-tool"))]
    tasks = asyncio.run_coroutine_threadsafe(look(), loop()).result(10)
    return Census(len(names), tasks, len(list(Path("/proc/self/fd").iterdir())))


# ------------------------------------------------------------------------------------------ what has to hold


def rows_and_frames(talk_: Talk) -> list[str]:
    """Each connection's frames are rows, in order."""
    wrong = []
    events = talk_.session.events
    passed: dict[tuple[int, str], list[str]] = defaultdict(list)
    for frame in talk_.frames:
        if "direction" in frame:
            passed[frame["connection"], frame["direction"]].append(frame["type"])
    logged = {
        key: list(rows["type"])
        for key, rows in events[events.direction != "local"].groupby(
            ["connection", "direction"], observed=True
        )
    }
    # Connections that were refused have no rows; the proxy does not count them either.
    numbers = sorted({connection for connection, _ in logged})
    if len(numbers) != len({connection for connection, _ in passed}):
        wrong.append(f"{len(numbers)} connections have rows, {len({c for c, _ in passed})} had frames")
    for place, connection in enumerate(numbers, 1):
        rows, frames = logged.get((connection, "received"), []), passed[place, "received"]
        if frames[: len(rows)] != rows:
            wrong.append(f"connection {connection}: received rows differ from the frames")
        rows, frames = logged.get((connection, "sent"), []), passed[place, "sent"]
        if rows[: len(frames)] != frames:
            wrong.append(f"connection {connection}: sent rows differ from the frames")
    return wrong


def calls_once(talk_: Talk) -> list[str]:
    """Each call ran once, and was answered once on each connection that has it."""
    events = talk_.session.events
    ran = Counter(row["call_id"] for row in events[events.type == "local.tool.started"].payload)
    wrong = [f"{call_id} ran {n} times" for call_id, n in ran.items() if n != 1]
    outputs: Counter[tuple[int, str]] = Counter()
    created = events[(events.direction == "sent") & (events.event == "conversation.item.create")]
    for connection, payload in zip(created.connection, created.payload, strict=True):
        if payload["item"].get("type") == "function_call_output":
            outputs[connection, payload["item"]["call_id"]] += 1
    wrong += [f"{c}: {n} outputs on connection {k}" for (k, c), n in outputs.items() if n != 1]
    answered = {call_id for _, call_id in outputs}
    finished = {row["call_id"] for row in events[events.type == "local.tool.finished"].payload}
    wrong += [f"{call_id} ran and was never answered" for call_id in sorted(finished - answered)]
    return wrong


def truncations(talk_: Talk) -> list[str]:
    """Where the player was, and never beyond what was received."""
    wrong = []
    session = talk_.session
    events, items = session.events, session.items
    generated = dict(
        zip(items.index if "item_id" not in items else items.item_id, items.audio_ms, strict=True)
    )
    sent = events[(events.direction == "sent") & (events.event == "conversation.item.truncate")]
    for payload in sent.payload:
        item_id, end_ms = payload["item_id"], payload["audio_end_ms"]
        played = talk_.player.flushed.get(item_id)
        if end_ms > generated[item_id]:
            wrong.append(f"{item_id} truncated at {end_ms} of {generated[item_id]} ms")
        elif played is None or abs(played / 24 - LATENCY_MS - end_ms) > 1:
            wrong.append(f"{item_id} truncated at {end_ms} ms, played {(played or 0) / 24:.0f} ms")
    return wrong


def same_tables(talk_: Talk, folder: Path) -> list[str]:
    """The recording, read again, has the same tables."""
    path = folder / "talk.zip"
    talk_.session.save(path)
    loaded = gip_nb.load(path)
    wrong = []
    for name in ("turns", "items", "responses", "tool_calls", "usage"):
        live: pd.DataFrame = getattr(talk_.session, name)
        if not live.equals(getattr(loaded, name)):
            wrong.append(f"{name} of the recording differ from the live ones")
    return wrong


def main(argv: Sequence[str] | None = None) -> int:
    """Run both and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="in real time")
    parser.add_argument("--compressed-minutes", type=float, default=60)
    parser.add_argument("--times", type=float, default=30, help="how much faster the compressed ones are")
    parser.add_argument("--every", type=int, default=150, help="frames of the server between two faults")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(argv)
    machine = Machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # What is imported and started once for all.
        talk(folder, seconds=20, times=10, seed=0, every=10**9)
        before = after = census()
        rows: list[dict[str, object]] = []
        wrong: list[str] = []
        for kind, minutes, times in (
            ("compressed", given.compressed_minutes, given.times),
            ("real time", given.minutes, 1.0),
        ):
            if minutes:
                held = talk(folder, seconds=minutes * 60, times=times, seed=given.seed, every=given.every)
                found = [
                    *rows_and_frames(held),
                    *calls_once(held),
                    *truncations(held),
                    *same_tables(held, folder),
                ]
                wrong += [f"{kind}: {line}" for line in found]
                wrong += [] if held.answered else [f"{kind}: the last question was not answered"]
                rows.append(figures(kind, minutes, held))
                del held
                after = census()
                if any(now > then for now, then in zip(after, before, strict=True)):
                    wrong.append(f"{kind}: left behind: {before} before, {after} after")
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "talk"]
    print(
        table(
            ["", *(str(row["talk"]) for row in rows)], [[n, *(row.get(n, 0) for row in rows)] for n in names]
        )
    )
    print(f"threads, tasks, open files: {tuple(before)} before, {tuple(after)} after")
    print(machine.line())
    for line in wrong:
        print("WRONG:", line)
    print("everything holds" if not wrong else f"{len(wrong)} things do not hold")
    return 1 if wrong else 0


def figures(kind: str, minutes: float, held: Talk) -> dict[str, object]:
    """What to print of a talk."""
    session = held.session
    events = session.events
    kinds = events.type.value_counts()
    faults = Counter(frame["fault"] for frame in held.frames if "fault" in frame)
    half = held.memory_mb[len(held.memory_mb) // 2 :]
    turns = session.turns
    return {
        "talk": kind,
        "minutes of sound": minutes,
        "rows": len(events),
        "turns": len(turns),
        "turns that completed": int((turns.status == "completed").sum()),
        "turns that were interrupted": int(turns.interrupted.sum()),
        "function calls": len(session.tool_calls),
        "truncations": int(
            ((events.event == "conversation.item.truncate") & (events.direction == "sent")).sum()
        ),
        "connections": int(events.connection.max()),
        "responses asked again": int(kinds.get("local.response.retry", 0)),
        "responses that hung": int(kinds.get("local.response.hung", 0)),
        **{f"fault: {name}": number for name, number in sorted(faults.items())},
        "memory at the start, MB": held.memory_mb[0],
        "memory at the end, MB": held.memory_mb[-1],
        "memory, second half, MB/minute of sound": (half[-1] - half[0]) / (minutes / 2),
        "behind its clock, s": held.behind_s,
    }


if __name__ == "__main__":
    sys.exit(main())
