"""A talk that was started and stopped many times has left nothing behind, neither here nor in the server."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gip_nb
from gip_nb.session import embedded
from gip_nb.session.loop import loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gip_nb.notebook import widget

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts by /proc")

SILENT_FRAME = bytes(1920)  # 40 ms
# asyncio's pool of worker threads grows to this and stays.
POOL_AT_MOST = min(32, (os.cpu_count() or 1) + 4)


class Page:
    """A page without a browser: speaks by a script, and throws away what it is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, talk: widget.Talk, name: str = "p1") -> None:
        self.name = name
        self.talk = talk
        self.replies: dict[int, dict[str, Any]] = {}
        self._requests = 0
        self._seq = 0
        monkeypatch.setattr(talk, "send", self._hear)
        self._say({"kind": "hello", "plays": True, "tab": f"tab of {name}"})

    def _hear(self, content: dict[str, Any], buffers: object = None) -> None:
        if content["kind"] == "reply":
            self.replies[content["request"]] = content

    def _say(self, content: dict[str, Any], audio: bytes | None = None) -> None:
        self.talk._receive(self.talk, {**content, "page": self.name}, [audio] if audio is not None else [])

    def request(self, verb: str, **args: Any) -> None:
        self._requests += 1
        number = self._requests
        self._say({"kind": "request", "request": number, "verb": verb, "args": args})
        until(lambda: number in self.replies, f"an answer to {verb}")
        assert self.replies[number]["ok"], self.replies[number]

    def speak(self, frames: int) -> None:
        for _ in range(frames):
            captured = {"kind": "mic", "seq": self._seq, "captured_at_ms": time.time() * 1000}
            self._say(captured, SILENT_FRAME)
            self._seq += 1

    def start_speak_stop(self, *, in_mid_answer: bool) -> None:
        self._seq = 0
        self.request("start")
        self._say({"kind": "mic_state", "state": "on", "error": None, "sample_rate_hz": 24_000})
        self.speak(10)
        if in_mid_answer:
            self.request("text", text="what is the weather in seoul today")
            until(lambda: "response.created" in self._types(), "the answer's beginning")
        else:
            until(lambda: "session.updated" in self._types(), "the session's settings")
        self.request("stop")
        self._say({"kind": "mic_state", "state": "off", "error": None, "sample_rate_hz": 24_000})
        until(lambda: self.talk.session.state == "closed", "the end")

    def _types(self) -> set[str]:
        return set(self.talk.session.events["type"])


def until(condition: Any, what: str, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"no {what} after {timeout_s} s"
        time.sleep(0.005)


# ---- counting


def threads() -> Counter[str]:
    """Threads by name, without asyncio's pool of workers."""
    names = Counter(thread.name for thread in threading.enumerate())
    pool = {name for name in names if name.startswith("asyncio_")}
    assert sum(names.pop(name) for name in pool) <= POOL_AT_MOST
    return names


def tasks() -> Counter[str]:
    """Tasks of the loop, by what they run."""

    async def look() -> list[str]:
        mine = asyncio.current_task()
        return [str(task.get_coro()) for task in asyncio.all_tasks() if task is not mine]

    running = asyncio.run_coroutine_threadsafe(look(), loop()).result(5)
    return Counter(name.split(" at 0x")[0] for name in running)


def timers() -> int:
    """Calls that the loop will make later, those that were cancelled left out."""

    async def look() -> int:
        # The loop has no public list of them.
        return sum(not handle.cancelled() for handle in loop()._scheduled)  # type: ignore[attr-defined]

    return asyncio.run_coroutine_threadsafe(look(), loop()).result(5)


def open_files(process: int | str = "self") -> Counter[str]:
    """File descriptors by kind: socket, pipe, an anonymous thing of the kernel, or a path."""
    kinds: Counter[str] = Counter()
    for entry in os.scandir(f"/proc/{process}/fd"):
        try:
            kinds[str(Path(entry.path).readlink()).split(":[")[0]] += 1
        except FileNotFoundError:
            continue  # the one of this very look
    kinds.pop(f"/proc/{os.getpid() if process == 'self' else process}/fd", None)
    return kinds


def children(process: int | None = None) -> set[int]:
    """Process ids of the direct children that live."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if int(parent) == (process or os.getpid()) and state != "Z":
            found.add(int(status.parent.name))
    return found


def census(server: int) -> dict[str, Any]:
    gc.collect()
    return {
        "threads": threads(),
        "tasks": tasks(),
        "timers": timers(),
        "files": open_files(),
        "children": children(),
        "files of the server": open_files(server),
        "children of the server": children(server),
    }


def more_than(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What there is now that was not there before, without what has become fewer."""
    more = {name: now[name] - before[name] for name in now if name != "timers"}
    if now["timers"] > before["timers"]:
        more["timers"] = now["timers"] - before["timers"]
    return {name: what for name, what in more.items() if what}


def assert_back_to(before: dict[str, Any], server: int, timeout_s: float = 5) -> None:
    """What is still ending may take a moment; what stays is a leak."""
    deadline = time.monotonic() + timeout_s
    while more := more_than(before, census(server)):
        if time.monotonic() > deadline:
            assert more == {}
        time.sleep(0.05)


# ---- the tests


@pytest.fixture
def server() -> Iterator[int]:
    """Process id of the embedded server; it lives as long as this process."""
    embedded.address()
    assert embedded._running is not None
    yield embedded._running[0].pid
    assert embedded._running[0].poll() is None


@pytest.mark.parametrize("times", [12, pytest.param(200, marks=(pytest.mark.soak, pytest.mark.timeout(600)))])
def test_starts_and_stops_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, server: int, times: int
) -> None:
    talk = gip_nb.talk("rehearsal")
    page = Page(monkeypatch, talk)
    for in_mid_answer in (False, True):
        page.start_speak_stop(in_mid_answer=in_mid_answer)
    time.sleep(0.3)  # what ends by itself has ended
    before = census(server)
    for number in range(times):
        page.start_speak_stop(in_mid_answer=number % 10 == 0)
    assert_back_to(before, server)
    assert len(talk.sessions) == times + 2
    talk.close()


def test_talks_that_are_closed_are_let_go(monkeypatch: pytest.MonkeyPatch, server: int) -> None:
    gone: list[weakref.ref[widget.Talk]] = []

    def once() -> None:
        with monkeypatch.context() as patched:
            talk = gip_nb.talk("rehearsal")
            Page(patched, talk).start_speak_stop(in_mid_answer=False)
            talk.close()
            gone.append(weakref.ref(talk))

    once()
    time.sleep(0.3)
    before = census(server)
    for _ in range(10):
        once()
    assert_back_to(before, server)
    # The newest may still be what `current()` answers with; the others are nobody's.
    gc.collect()
    assert [number for number, talk in enumerate(gone[:-1]) if talk() is not None] == []


def test_a_census_sees_what_is_left_behind(server: int) -> None:
    before = census(server)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="left behind")
    thread.start()
    with Path(__file__).open("rb"):

        async def wait() -> None:
            await asyncio.sleep(30)

        task = asyncio.run_coroutine_threadsafe(wait(), loop())
        until(lambda: tasks() - before["tasks"], "the task")
        more = more_than(before, census(server))
        assert more["threads"] == Counter({"left behind": 1})
        assert sum(more["tasks"].values()) == 1
        assert more["timers"] == 1
        assert more["files"] == Counter({__file__: 1})
    task.cancel()
    stop.set()
    thread.join()
    assert_back_to(before, server)
