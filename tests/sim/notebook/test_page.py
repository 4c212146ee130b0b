"""The page's half in the kernel: what goes to the page, how often, and what of the page is believed."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.notebook import sender as sender_module
from gip_nb.notebook.page import Page
from gip_nb.notebook.routing import Arrival
from gip_nb.session.loop import loop, run_blocking
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import ScriptedTransport
from tests.sim.session.servers import GREETING, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from gip_nb.session.reconnecting import Attempt

MS = 24 * 2  # bytes of a millisecond of sound
HERE = Arrival(0, on_main_thread=False)
Message = dict[str, Any]


class FakePage:
    """A page that remembers what it was sent, shows the conversation, and plays in no time at all."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.audio: list[tuple[Message, bytes]] = []
        self.rows: dict[str, Message] = {}
        self._news = asyncio.Event()

    async def ends_of(self, items: int) -> None:
        """Wait until this many items were sent to their last sample."""
        while sum(message["last"] for message, _ in self.audio) < items:
            self._news.clear()
            await self._news.wait()

    def post(self, content: Message, buffers: Sequence[bytes]) -> None:
        self.messages.append(content)
        if content["kind"] == "audio":
            self.audio.append((content, buffers[0]))
            self._news.set()
        if content["kind"] == "items":
            self.rows.update({row["item_id"]: dict(row) for row in content["put"]})
            for text in content["text"]:
                self.rows[text["item_id"]]["text"] += text["delta"]
            for item_id in content["drop"]:
                del self.rows[item_id]


class Owner:
    """The widget, as far as the page's half needs it: counts what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def lease_changed(self) -> None:
        self.told.append("lease")

    def routing_changed(self) -> None:
        self.told.append("routing")

    def sound_started(self) -> None:
        self.told.append("sound")

    def snapshot(self, page: str) -> None:
        self.told.append(f"snapshot {page}")


class Stage:
    """A page, its half in the kernel, and a session over a scripted connection."""

    def __init__(self, model: Model | None = None) -> None:
        self.shown = FakePage()
        self.owner = Owner()
        self.page = Page(self.shown.post, self.owner)
        self.transport = ScriptedTransport(model or Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in these scripts
        settings = resolve("test-preview", api_key="sk-test-0123456789", environment={})
        self.session = AsyncRealtimeSession(settings, transport=self.transport.for_session, speaker=self.page)
        run_blocking(self._begin())

    async def _begin(self) -> None:
        self.page.show(self.session)
        self.page.grant("p1", "start")


@pytest.mark.parametrize("chunk_ms", [10, 40, 100, 350])
def test_answers_go_out_in_messages_of_100_ms_or_more_numbered_and_whole(chunk_ms: int) -> None:
    stage = Stage()
    sound = bytes(range(256)) * 187 + bytes(MS - 256 * 187 % MS)
    sound = sound[: len(sound) // 2 * 2]

    async def play() -> None:
        for start in range(0, len(sound), chunk_ms * MS):
            stage.page.play("item_1", 0, start // 2, sound[start : start + chunk_ms * MS])
        stage.page.end("item_1", 0, len(sound) // 2)
        await stage.shown.ends_of(1)

    run_blocking(play())
    audio = stage.shown.audio
    assert b"".join(pcm for _, pcm in audio) == sound
    assert [m["seq"] for m, _ in audio] == list(range(len(audio)))
    assert all(len(pcm) >= 100 * MS for _, pcm in audio[:-1])
    starts = [m["start_sample"] for m, _ in audio]
    assert starts == [sum(len(pcm) // 2 for _, pcm in audio[:n]) for n in range(len(audio))]
    assert [m["last"] for m, _ in audio] == [False] * (len(audio) - 1) + [True]
    delivered = [stage.session.payload(n) for n in range(len(stage.session.log))]
    assert sum(d["samples"] for d in delivered if d["type"] == "local.page.delivered") == len(sound) // 2


def test_a_long_answer_in_an_instant_stays_far_below_the_servers_message_limit() -> None:
    stage = Stage()

    async def play() -> float:
        began = asyncio.get_running_loop().time()
        for n in range(3000):
            stage.page.play("item_1", 0, n * 480, bytes(20 * MS))
        stage.page.end("item_1", 0, 3000 * 480)
        await stage.shown.ends_of(1)
        return asyncio.get_running_loop().time() - began

    took_s = run_blocking(play())
    assert sum(len(pcm) for _, pcm in stage.shown.audio) == 3000 * 20 * MS
    assert len(stage.shown.audio) <= 50 * took_s + 2
    assert len(stage.shown.audio) < 60


def test_items_of_two_answers_never_mix_in_a_message() -> None:
    stage = Stage()

    async def play() -> None:
        stage.page.play("item_1", 0, 0, b"\x01\x00" * 1200)
        stage.page.end("item_1", 0, 1200)
        stage.page.play("item_2", 0, 0, b"\x02\x00" * 4800)
        stage.page.end("item_2", 0, 4800)
        await stage.shown.ends_of(2)

    run_blocking(play())
    heard = {"item_1": b"", "item_2": b""}
    for message, pcm in stage.shown.audio:
        heard[message["item_id"]] += pcm
    assert heard == {"item_1": b"\x01\x00" * 1200, "item_2": b"\x02\x00" * 4800}


def test_nothing_is_sent_where_no_page_has_the_audio() -> None:
    stage = Stage()
    run_blocking(_call(stage.page.end_talk))
    run_blocking(stage.session.ask("hello"))
    assert stage.shown.audio == []
    assert stage.session.items.heard_ms.isna().all()
    # Nobody could hear it, so nothing is taken back from the model.
    assert run_blocking(stage.session.interrupt()) is False
    run_blocking(stage.session.close())


def test_a_flush_asks_the_page_and_sends_nothing_of_what_was_waiting() -> None:
    stage = Stage()

    async def talk() -> dict[str, int]:
        stage.page.play("item_1", 0, 0, bytes(150 * MS))
        stage.page.play("item_1", 0, 3600, bytes(60 * MS))
        flushing = asyncio.ensure_future(stage.page.flush())
        await asyncio.sleep(0.05)
        number = next(m["flush"] for m in stage.shown.messages if m["kind"] == "flush")
        stage.page.flushed({"page": "p1", "flush": number + 7, "positions": [], "output_latency_ms": 0})
        assert not flushing.done(), "the answer to another flush"
        position = {"item_id": "item_1", "content_index": 0, "played_samples": 1000}
        stage.page.flushed(
            {"page": "p1", "flush": number, "positions": [position], "output_latency_ms": 41.5}
        )
        stopped = await flushing
        assert stopped.output_latency_ms == 41.5
        return stopped.played_samples

    assert run_blocking(talk()) == {"item_1": 1000}
    assert sum(len(pcm) for _, pcm in stage.shown.audio) == 150 * MS


def test_a_page_that_does_not_answer_a_flush_does_not_hold_up_the_talk() -> None:
    stage = Stage(Model(chunks=20))
    run_blocking(stage.session.ask("hello"))
    item_id = stage.session.items.index[-1]
    run_blocking(_call(stage.session.note, "playback.position", item_id=item_id, played_samples=9600))
    assert run_blocking(stage.session.interrupt()) is True
    run_blocking(stage.session._waits.until(lambda: "local.playback.flushed" in _types(stage), "flush", 5))
    truncate = next(e for e in stage.transport.sent if e["type"] == "conversation.item.truncate")
    # What it had said last: 400 ms.
    assert truncate["audio_end_ms"] == 400
    run_blocking(stage.session.close())


def test_an_answer_whose_last_view_goes_is_remembered_as_far_as_it_was_heard() -> None:
    stage = Stage(Model(chunks=20))
    run_blocking(stage.session.ask("hello"))
    item_id = stage.session.items.index[-1]
    position = {"item_id": item_id, "content_index": 0, "played_samples": 12_000}

    async def leave() -> None:
        gone = {"page": "p1", "flush": -1, "positions": [position], "output_latency_ms": 40.0}
        stage.page.flushed({**gone, "page": "p2"})
        assert stage.session.protocol.cut_items == ()
        stage.page.flushed(gone)
        await stage.session._waits.until(lambda: "conversation.item.truncate" in _types(stage), "truncate", 5)

    run_blocking(leave())
    truncate = next(e for e in stage.transport.sent if e["type"] == "conversation.item.truncate")
    assert (truncate["item_id"], truncate["audio_end_ms"]) == (item_id, 460)
    assert not any(m["kind"] == "flush" for m in stage.shown.messages)
    run_blocking(stage.session.close())


def test_the_microphone_is_believed_in_order_once_and_from_one_page() -> None:
    stage = Stage()
    run_blocking(stage.session.connect())

    async def speak() -> None:
        for page, seq in [
            ("p1", 0),
            ("p1", 1),
            ("p2", 2),
            ("p1", 1),
            ("p1", 2),
            ("p1", 5),
            ("p1", None),
            ("p1", 6),
        ]:
            stage.page.microphone(
                {"kind": "mic", "page": page, "seq": seq}, bytes([seq or 99, 0]) * 960, HERE
            )

    run_blocking(speak())
    run_blocking(stage.session.close())
    events = stage.session.events
    sent = [
        stage.session.payload(n)["audio"] for n in events.index[events.type == "input_audio_buffer.append"]
    ]
    assert len(sent) == len(set(sent)) == 5
    (gap,) = events[events.type == "local.mic.gap"].payload
    assert (gap["missing"], gap["expected_seq"]) == (2, 3)


# ------------------------------------------------------------------------------- loss, reloads, take-over


def says_it_has(stage: Stage, acked: int, *, page: str = "p1", rev: int = 10**6) -> None:
    """The page answers the newest question for its time."""
    asked = [m for m in stage.shown.messages if m["kind"] == "clock"][-1]
    told = {"page": page, "clock": asked["clock"], "page_ms": 1.0, "acked": acked, "rev": rev}
    stage.page.clock({"kind": "clock", **told}, HERE)


async def until(condition: Callable[[], object], timeout_s: float = 5) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody when it happens
            await asyncio.sleep(0.01)


def test_what_the_page_lacks_is_sent_again_and_is_a_row() -> None:
    stage = Stage()

    async def play() -> None:
        stage.page.play("item_1", 0, 0, bytes(250 * MS))
        stage.page.end("item_1", 0, 250 * 24)
        await stage.shown.ends_of(1)
        sent = len(stage.shown.audio)
        says_it_has(stage, -1)
        assert len(stage.shown.audio) == sent, "it may still be on its way"
        await asyncio.sleep(0.6)
        # While something is owed, the page is asked every second.
        asked = sum(m["kind"] == "clock" for m in stage.shown.messages)
        await until(lambda: sum(m["kind"] == "clock" for m in stage.shown.messages) > asked)
        says_it_has(stage, -1)
        again = stage.shown.audio[sent:]
        assert [(m["seq"], m["last"]) for m, _ in again] == [(n, n == sent - 1) for n in range(sent)]
        assert b"".join(pcm for _, pcm in again) == bytes(250 * MS)
        stage.page.end_talk()

    run_blocking(play())
    rows = [stage.session.payload(n) for n in range(len(stage.session.log))]
    (resent,) = [r["seqs"] for r in rows if r["type"] == "local.resend"]
    assert resent[0] == 0


def test_a_page_that_missed_what_was_told_gets_everything() -> None:
    stage = Stage()

    async def tell() -> None:
        stage.page.tell({"requests": 1})
        asked = len(stage.shown.messages)
        await until(lambda: any(m["kind"] == "clock" for m in stage.shown.messages[asked:]))
        says_it_has(stage, -1, rev=stage.page.rev)
        assert "snapshot p1" not in stage.owner.told
        stage.page.tell({"requests": 2})
        asked = len(stage.shown.messages)
        await until(lambda: any(m["kind"] == "clock" for m in stage.shown.messages[asked:]))
        says_it_has(stage, -1, rev=stage.page.rev - 1)
        assert "snapshot p1" in stage.owner.told
        stage.page.end_talk()

    run_blocking(tell())


def test_a_reload_gets_the_rest_and_its_microphone_back() -> None:
    stage = Stage()
    sound = bytes(range(240)) * 200

    async def reload() -> None:
        stage.page.hello("p1", "tab", shows=True)
        stage.page.lease.grant("p1", loop().time())
        stage.page.microphone_page = "p1"
        stage.page.play("item_1", 0, 0, sound)
        await until(lambda: stage.shown.audio)
        position = {"event": "position", "item_id": "item_1", "content_index": 0, "played_samples": 4801}
        stage.page.playback({"page": "p1", **position, "output_latency_ms": 1, "underruns": 0, "at_ms": 1})
        stage.page.bye("p1")
        assert stage.page.plays, "it is not for nobody: the page comes back"
        stage.shown.audio.clear()
        stage.page.play("item_1", 0, len(sound) // 2, sound)
        stage.page.hello("p2", "another tab", shows=True)
        holders = [stage.page.audio_page]
        stage.page.hello("p3", "tab", shows=True)
        holders.append(stage.page.audio_page)
        assert holders == [None, "p3"]
        stage.page.end("item_1", 0, len(sound))
        await stage.shown.ends_of(1)
        stage.page.end_talk()

    run_blocking(reload())
    messages = [m for m, _ in stage.shown.audio]
    assert [m["seq"] for m in messages] == list(range(len(messages)))
    assert messages[0]["start_sample"] == 4801
    assert {m["page"] for m in messages} == {"p3"}
    assert b"".join(pcm for _, pcm in stage.shown.audio) == (sound + sound)[4801 * 2 :]
    captures = [(m["page"], m["on"]) for m in stage.shown.messages if m["kind"] == "capture"]
    assert captures == [("p3", True)]


def test_who_comes_back_after_a_while_is_not_listened_to_unasked() -> None:
    stage = Stage()

    async def come_back_late() -> None:
        stage.page.hello("p1", "tab", shows=True)
        stage.page.lease.grant("p1", loop().time() - 30)
        stage.page.microphone_page = "p1"
        stage.page.bye("p1")
        stage.page.hello("p2", "tab", shows=True)
        assert stage.page.audio_page == "p2"
        stage.page.end_talk()

    run_blocking(come_back_late())
    assert not any(m["kind"] == "capture" for m in stage.shown.messages)


def test_taking_over_asks_the_other_page_how_far_it_was() -> None:
    stage = Stage()

    async def take() -> None:
        stage.page.play("item_1", 0, 0, bytes(2000 * MS))
        await until(lambda: stage.shown.audio)
        stage.shown.audio.clear()
        taking = asyncio.ensure_future(stage.page.take("p2"))
        await until(lambda: any(m["kind"] == "flush" for m in stage.shown.messages))
        flush = next(m for m in stage.shown.messages if m["kind"] == "flush")
        assert flush["page"] == "p1"
        at = {"item_id": "item_1", "content_index": 0, "played_samples": 12_000}
        told = {"page": "p1", "flush": flush["flush"], "positions": [at], "output_latency_ms": 40}
        stage.page.flushed({"kind": "flushed", **told, "at_ms": 1})
        await taking
        await until(lambda: stage.shown.audio)
        assert stage.page.audio_page == "p2"
        # A second click changes nothing.
        await stage.page.take("p2")
        stage.page.end_talk()

    run_blocking(take())
    assert stage.shown.audio[0][0]["start_sample"] == 12_000


def test_a_page_that_does_not_answer_is_taken_over_from_all_the_same() -> None:
    stage = Stage()
    run_blocking(stage.page.take("p2"))
    assert stage.page.audio_page == "p2"
    run_blocking(_call(stage.page.end_talk))


def test_of_two_that_take_over_at_once_one_is_told_that_it_was_not() -> None:
    stage = Stage()

    async def both() -> list[bool]:
        found = list(await asyncio.gather(stage.page.take("p2"), stage.page.take("p3")))
        assert stage.page.audio_page in {"p2", "p3"}
        stage.page.end_talk()
        return found

    assert sorted(run_blocking(both())) == [False, True]


def test_a_talk_that_ends_during_a_take_over_stays_nobodys_and_sends_no_more_sound() -> None:
    stage = Stage()

    async def end_meanwhile() -> None:
        stage.page.play("item_1", 0, 0, bytes(2000 * MS))
        await until(lambda: stage.shown.audio)
        stage.page.play("item_1", 0, 48_000, bytes(2000 * MS))
        taking = asyncio.ensure_future(stage.page.take("p2"))
        await asyncio.sleep(0.05)
        stage.page.end_talk()
        stage.shown.audio.clear()
        assert not await taking
        await asyncio.sleep(0.1)

    run_blocking(end_meanwhile())
    assert stage.page.audio_page is None
    assert not stage.page.plays
    assert stage.shown.audio == []
    assert not stage.page._sender._delivery._tracks, "an hour of talks must not fill the memory"


def test_a_flush_that_was_dropped_is_asked_again_and_only_its_page_may_answer() -> None:
    stage = Stage()

    async def flush() -> None:
        flushing = asyncio.ensure_future(stage.page.flush())
        await until(lambda: sum(m["kind"] == "flush" for m in stage.shown.messages) == 2)
        number = next(m["flush"] for m in reversed(stage.shown.messages) if m["kind"] == "flush")
        told = {"flush": number, "positions": [], "output_latency_ms": 1}
        stage.page.flushed({"page": "p2", **told})
        await asyncio.sleep(0)
        assert not flushing.done()
        stage.page.flushed({"page": "p1", **told})
        await flushing
        stage.page.end_talk()

    run_blocking(flush())


def test_a_page_that_records_unasked_is_told_to_stop() -> None:
    stage = Stage()

    async def stray() -> None:
        for seq in range(60):
            stage.page.microphone({"page": "p2", "seq": seq}, bytes(1920), HERE)
        stage.page.end_talk()

    run_blocking(stray())
    captures = [(m["page"], m["on"]) for m in stage.shown.messages if m["kind"] == "capture"]
    assert captures == [("p2", False)] * 3
    assert stage.owner.told.count("snapshot p2") == 3


def test_a_page_that_was_typed_in_only_is_not_listened_to_when_it_is_loaded_again() -> None:
    stage = Stage()

    async def type_and_reload() -> None:
        stage.page.microphone_page = "p1"
        stage.page.bye("p1")
        stage.page.hello("p2", "tab 2", shows=True)
        stage.page.grant("p2", "text")
        stage.page.bye("p2")
        stage.page.hello("p3", "tab 2", shows=True)
        assert stage.page.audio_page == "p3"
        stage.page.end_talk()

    run_blocking(type_and_reload())
    assert not any(m["kind"] == "capture" for m in stage.shown.messages)


def test_the_holder_comes_back_though_another_window_said_hello_meanwhile() -> None:
    stage = Stage()

    async def reload() -> None:
        stage.page.hello("p1", "tab 1", shows=True)
        stage.page.lease.grant("p1", loop().time())
        stage.page.hello("p2", "tab 1", shows=True)
        stage.page.hello("other", "tab 2", shows=True)
        stage.page.bye("p1")
        assert stage.page.audio_page == "p2"
        stage.page.end_talk()

    run_blocking(reload())


def test_a_page_that_can_play_nothing_takes_nothing_from_the_model() -> None:
    stage = Stage()

    async def soundless() -> None:
        stage.page.hello("p2", "tab", shows=True, plays=False)
        await stage.page.take("p2")
        await stage.session.ask("hello")
        assert await stage.session.interrupt() is False
        await stage.session.close()

    run_blocking(soundless())
    assert not {"conversation.item.delete", "conversation.item.truncate"} & set(_types(stage))
    assert stage.shown.audio == []


def test_many_take_overs_ask_for_the_time_no_more_often() -> None:
    stage = Stage()

    async def back_and_forth() -> int:
        for n in range(20):
            stage.page.bye(stage.page.audio_page or "")
            stage.page.grant(f"p{n}", "take")
        await asyncio.sleep(1.2)
        before = len([m for m in stage.shown.messages if m["kind"] == "clock"])
        await asyncio.sleep(1.1)
        stage.page.end_talk()
        return len([m for m in stage.shown.messages if m["kind"] == "clock"]) - before

    asked_in_a_second = run_blocking(back_and_forth())
    assert asked_in_a_second <= 2


def test_a_page_whose_worklet_is_silent_gets_no_more_until_it_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    monkeypatch.setattr(sender_module, "_SILENT_WORKLET_S", 0.2)

    async def play() -> None:
        stage.page.play("item_1", 0, 0, bytes(1000 * MS))
        await until(lambda: stage.shown.audio)
        await asyncio.sleep(0.3)
        stage.shown.audio.clear()
        stage.page.play("item_1", 0, 24_000, bytes(1000 * MS))
        await asyncio.sleep(0.1)
        assert stage.shown.audio == []
        # Of the next item one message goes out: that page may be able to play again.
        stage.page.end("item_1", 0, 48_000)
        position = {"event": "started", "item_id": "item_1", "content_index": 0, "played_samples": 0}
        stage.page.playback({"page": "p1", **position, "output_latency_ms": 1, "underruns": 0, "at_ms": 1})
        assert stage.shown.audio
        stage.page.end_talk()

    run_blocking(play())
    assert "local.playback.paused" in _types(stage)


def test_frames_on_the_main_thread_are_noticed_and_no_reason_to_pause() -> None:
    stage = Stage()
    run_blocking(stage.session.connect())

    async def speak() -> None:
        for seq in range(20):
            arrival = Arrival(0, on_main_thread=seq < 15)
            stage.page.microphone({"page": "p1", "seq": seq}, bytes(1920), arrival)
            assert stage.page.held_up == (9 <= seq < 15)

    run_blocking(speak())
    assert stage.owner.told.count("routing") == 2
    run_blocking(stage.session.close())


def test_the_page_shows_what_the_conversation_is() -> None:
    stage = Stage(Model(chunks=30))

    async def talk() -> None:
        for _ in range(3):
            await stage.session.ask("hello")
        await asyncio.sleep(0.15)

    # The page is told through the session's listener, as the widget does it.
    stage.session._listener = _Listener(stage.page)
    run_blocking(talk())
    conversation = stage.session.protocol.conversation
    assert [row["text"] for row in _in_order(stage.shown.rows)] == [
        item.text for item in conversation.ordered()
    ]
    assert run_blocking(_call(stage.page.view.snapshot)) == _in_order(stage.shown.rows)
    # Thirty deltas an answer are not thirty messages.
    assert sum(m["kind"] == "items" for m in stage.shown.messages) < 20
    run_blocking(stage.session.close())


class _Listener:
    def __init__(self, page: Page) -> None:
        self.item_changed = page.view.item_changed
        self.text_added = page.view.text_added

    def state_changed(self, state: str) -> None: ...

    def audio_added(self, audio: bytes) -> None: ...

    def settings_changed(self) -> None: ...

    def turn_done(self, turn: int) -> None: ...

    def asks_again(self, news: object) -> None: ...

    def budget_changed(self, verdict: object) -> None: ...

    def turn_labelled(self, turn: int) -> None: ...

    def reconnect_changed(self, attempt: Attempt | None) -> None: ...

    def log_changed(self, folder: object, *, stopped: bool) -> None: ...

    def can_ask(self) -> bool:
        return False

    def tool_runs(self, call_id: str, name: str) -> AbstractContextManager[None]:
        return nullcontext()

    def tool_result(self, call_id: str, name: str, value: object) -> None: ...

    def failed(self, error: object) -> None: ...


def _in_order(rows: dict[str, Message]) -> list[Message]:
    by_place = {row["after"]: row for row in rows.values()}
    found, after = [], None
    while (row := by_place.get(after)) is not None:
        found.append(row)
        after = row["item_id"]
    return found


def _types(stage: Stage) -> list[str]:
    return [row.type for row in stage.session.log.rows]


async def _call(function: Any, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)
