"""A page that is loaded anew, again and again, with a talk running: nothing of it may stay behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.lab import Notebook

# Counted in the kernel, beside the talk `w`.
CENSUS = """
import asyncio, collections, gc, os, pathlib, threading
from gip_nb.session.loop import loop

def _reached(thing, seen, path=""):
    # The containers of the page's half in the kernel, and how full they are. A session's log is to grow.
    if id(thing) in seen or type(thing).__name__ in {"AsyncRealtimeSession", "Conversation", "Talk"}:
        return
    seen.add(id(thing))
    if isinstance(thing, (dict, list, set, tuple, collections.deque)):
        if not isinstance(thing, tuple):
            yield path, len(thing)
        for one in thing.values() if isinstance(thing, dict) else thing:
            yield from _reached(one, seen, path + "[]")
    elif type(thing).__module__.startswith("gip_nb.notebook"):
        for name, value in getattr(thing, "__dict__", {}).items():
            yield from _reached(value, seen, f"{path}.{name}")

def _children():
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z":
            command = pathlib.Path("/proc", stat.parent.name, "cmdline").read_text()
            found.append(command.replace("\\0", " ")[-40:])
    return sorted(found)

async def _tasks():
    mine = asyncio.current_task()
    return sorted(str(t.get_coro()).split(" at 0x")[0] for t in asyncio.all_tasks() if t is not mine)

def census():
    gc.collect()
    # pyzmq starts one for the whole process with the first large message.
    names = [t.name for t in threading.enumerate() if type(t).__module__ != "zmq.utils.garbage"]
    files = collections.Counter()
    for entry in os.scandir("/proc/self/fd"):
        try:
            files[os.readlink(entry.path).split(":[")[0].split("/")[0] or "path"] += 1
        except OSError:
            pass
    return {
        "subshells": sum(name.startswith("subshell-") for name in names),
        "workers": sum(name.startswith("asyncio_") for name in names),
        "threads": sorted(n for n in names if not n.startswith(("subshell-", "asyncio_"))),
        "tasks": asyncio.run_coroutine_threadsafe(_tasks(), loop()).result(5),
        "files": dict(files),
        "children": _children(),
        "held": {path: size for path, size in _reached(w._page, set())},
        "handlers": len(w._msg_callbacks.callbacks),
        "items": len(w.session.items),
        "memory_mb": int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        / 2**20,
    }
"""
# A subshell that its page never ended keeps a thread, its loop and its sockets: ipykernel 7.4's own leak.
FILES_OF_A_SUBSHELL = 8
# So does its stack, and what asyncio and zmq keep for it; the log of the talk grows too, by 25 rows a second.
MOST_MB_OF_A_RELOAD = 2.0
# What may grow, and how far.
BOUNDED = {".lease._pages": 64, "._hearing._left": 8}
FRAMES = "int((w.session.events.type == 'input_audio_buffer.append').sum())"
SOUNDS = "() => window.gipLab.soundsOpen()"


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(3, id="3", marks=pytest.mark.soak),
        pytest.param(100, id="100", marks=(pytest.mark.soak, pytest.mark.timeout(1200))),
    ],
)
def test_reloads_with_a_talk_running_leave_nothing_behind(notebook: Notebook, times: int) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run(CENSUS)
    notebook.run("w = talk('rehearsal'); w")
    notebook.widget().get_by_test_id("gip-start").click()
    hear(notebook)
    # pyzmq's collector has a thread and files of its own, from the first large message on.
    notebook.run(
        "w.comm.send({'method': 'custom', 'content': {'kind': 'nothing'}}, buffers=[bytes(200_000)])"
    )
    notebook.save()

    come_back(notebook)
    first, page_first = census(notebook), notebook.page.evaluate(SOUNDS)
    for _ in range(times):
        come_back(notebook)
    last, page_last = census(notebook), notebook.page.evaluate(SOUNDS)

    assert page_last == page_first == {"contexts": 1, "running": 1, "tracks": 1}
    more_subshells = last["subshells"] - first["subshells"]
    assert more_subshells <= times, "ipykernel leaks one a reload, and no more"
    for name in ("threads", "tasks", "children", "handlers"):
        assert last[name] == first[name], name
    more_files = sum(last["files"].values()) - sum(first["files"].values())
    # A worker of the pool that writes the record for the first time gets ipykernel's pipe for its thread.
    allowed = more_subshells * FILES_OF_A_SUBSHELL + last["workers"]
    assert more_files <= allowed, (first["files"], last["files"], last["workers"])
    # The microphone asks its question anew in each page: these are what the conversation has of items.
    bounds = {**BOUNDED, ".view._shown": last["items"]}
    grown = {
        path: (first["held"].get(path, 0), size)
        for path, size in last["held"].items()
        if size >= max(first["held"].get(path, 0) + times, bounds.get(path, 0) + 1)
    }
    assert grown == {}
    more_mb = last["memory_mb"] - first["memory_mb"]
    told = f"{first['memory_mb']:.0f} -> {last['memory_mb']:.0f} MB, {more_subshells} subshells"
    print(f"{times} reloads: {told}")  # noqa: T201 - for who runs it with -s
    assert more_mb < 20 + times * MOST_MB_OF_A_RELOAD

    notebook.widget().get_by_test_id("gip-stop").click()
    notebook.wait_for("w.session.state == 'closed'")
    notebook.page.wait_for_function("() => window.gipLab.soundsOpen().tracks === 0")
    assert len(notebook.kernel("w.sessions")) == 1


def come_back(notebook: Notebook) -> None:
    """Reload, and wait until the microphone is heard again, by itself or after a click."""
    notebook.reload()
    try:
        expect(notebook.widget()).to_be_visible()
    except AssertionError:
        # JupyterLab waits four seconds for the states of a kernel's widgets, and then may show none.
        assert any("widget model not found" in error for error in notebook.console_errors)
        notebook.console_errors.clear()
        notebook.reload()
        expect(notebook.widget()).to_be_visible()
    for _ in range(3):
        try:
            expect(notebook.widget()).to_have_attribute("data-gip-microphone", "on", timeout=3000)
            break
        except AssertionError:
            # Who was away for long is asked for a click; one while the answer sounds only ends that.
            notebook.widget().get_by_test_id("gip-start").click()
    hear(notebook)


def hear(notebook: Notebook) -> None:
    """Wait until frames of the microphone flow."""
    expect(notebook.widget()).to_have_attribute("data-gip-microphone", "on")
    before = notebook.kernel(FRAMES)
    notebook.wait_for(f"{FRAMES} > {before} + 5")


def census(notebook: Notebook) -> dict[str, Any]:
    """What the kernel holds, when nothing is being said and nobody is interrupted."""
    notebook.wait_for(
        "w.state == 'listening' and len(asyncio.run_coroutine_threadsafe(_tasks(), loop()).result(5)) < 4"
    )
    found: dict[str, Any] = notebook.kernel("census()")
    return found
