"""`Talk` without a browser: its traits, its answers to a page's requests, its verbs."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

import gip_nb
from gip_nb.audio import wav_bytes
from gip_nb.errors import MissingKey, UnknownOption
from gip_nb.notebook import widget
from gip_nb.notebook.routing import Arrival
from gip_nb.session.loop import callbacks, loop
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.testing import ScriptedTransport
from tests.sim.session.servers import GREETING, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HERE = Arrival(0, on_main_thread=True)
KEY = "sk-test-0123456789"
SPOKEN = np.full(4800, 1000, np.int16)


class Page:
    """A page at the other end of the comm: what it was sent, and what it says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, model: Model, **options: Any) -> None:
        self.messages: list[dict[str, Any]] = []
        self.sounds: dict[int | None, bytes] = {}
        self.transports: list[ScriptedTransport] = []

        def new_session(talk: widget.Talk) -> AsyncRealtimeSession:
            transport = ScriptedTransport(model, greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in these scripts
            self.transports.append(transport)
            return AsyncRealtimeSession(
                talk._settings, transport=transport.for_session, speaker=talk._page, listener=talk
            )

        monkeypatch.setattr(widget.Talk, "_new_session", new_session)
        monkeypatch.setattr(widget, "_warm_up", lambda **_: None)
        self.talk = gip_nb.talk("test-preview", api_key=KEY, **options)
        monkeypatch.setattr(self.talk, "send", self._hear)
        self._requests = 0

    def _hear(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if buffers:
            self.sounds[content.get("request")] = buffers[0]
        self.messages.append(content)

    def say(self, *buffers: bytes, **content: Any) -> None:
        self.talk._receive(self.talk, {"page": "p1", **content}, buffers)

    def request(self, verb: str, *buffers: bytes, **args: Any) -> dict[str, Any]:
        """Ask, and wait for the answer with the same number."""
        self._requests += 1
        number = self._requests
        self.say(*buffers, kind="request", request=number, verb=verb, args=args)
        reply: dict[str, Any] = until(
            lambda: next((m for m in self.messages if m["kind"] == "reply" and m["request"] == number), None)
        )
        return reply


def until(condition: Callable[[], Any], timeout_s: float = 5) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():  # and not `is not False`: a table says numpy's False
            return found
        time.sleep(0.005)
    raise AssertionError(f"after {timeout_s} s still not: {condition}")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    page = Page(monkeypatch, Model())
    yield page
    page.talk.stop()


def test_a_page_that_says_hello_gets_everything(page: Page) -> None:
    page.say(kind="hello", plays=True)
    snapshot = until(lambda: next((m for m in page.messages if m["kind"] == "snapshot"), None))
    assert snapshot["page"] == "p1"
    assert snapshot["talk"]["state"] == "idle"
    assert snapshot["talk"]["turn_detection"] == "server_vad"
    assert snapshot["talk"]["model"] == "test-preview"
    assert snapshot["talk"]["rehearsal"] is False
    assert snapshot["items"] == []


def test_start_text_and_stop_are_answered_and_shown(page: Page) -> None:
    assert page.request("start")["ok"]
    assert page.request("text", text="hello")["ok"]
    until(lambda: page.talk.turn == 1)
    until(lambda: page.talk.assistant_transcript == "word 0 word 1 word 2 word 3 word 4")
    assert page.talk.user_transcript == "hello"
    assert page.request("stop")["ok"]
    until(lambda: page.talk.state == "closed")
    assert page.talk.usage == {"requests": 1, "input_tokens": 5, "output_tokens": 7}
    states = [m["patch"]["state"] for m in page.messages if m["kind"] == "talk" and "state" in m["patch"]]
    assert states[:2] == ["connecting", "listening"]
    assert states[-1] == "closed"
    captures = [m["on"] for m in page.messages if m["kind"] == "capture"]
    assert captures[-1] is False


def told(page: Page, name: str) -> Any:
    """The newest word on a field of the bar."""
    patches = [m["patch"] for m in page.messages if m["kind"] == "talk"]
    return next((patch[name] for patch in reversed(patches) if name in patch), None)


def test_the_bar_says_that_a_cost_is_not_known_and_why(page: Page) -> None:
    page.request("text", text="hello")
    until(lambda: told(page, "cost_note"))
    assert told(page, "cost_usd") is None
    assert told(page, "cost_note") == "no price is known for 'test-preview'"


class Busy(Model):
    """Is over its rate at first."""

    def answer(self) -> Iterator[dict[str, Any] | int]:
        if self.answers:
            yield from super().answer()
            return
        self.answers += 1
        problem = {"code": "rate_limit_exceeded", "message": "Rate limit reached, try again in 200ms."}
        details = {"type": "failed", "error": problem}
        response = {"id": "resp_busy", "status": "failed", "output": [], "status_details": details}
        yield {"type": "response.created", "response": {"id": "resp_busy", "status": "in_progress"}}
        yield {"type": "response.done", "response": response}


def test_that_a_failed_answer_is_asked_for_again_is_shown_while_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Page(monkeypatch, Busy())
    try:
        assert page.request("text", text="hello")["ok"]
        until(lambda: page.talk.turn == 1)
        shown = [m["patch"]["retry"] for m in page.messages if m["kind"] == "talk" and "retry" in m["patch"]]
        titles = [None if view is None else view["title"] for view in shown]
        assert titles == ["Rate limited, asking again in 1 s", None]
        assert shown[0]["message"] == "Rate limit reached, try again in 200ms."
        assert page.talk.assistant_transcript.startswith("word 0")
        assert told(page, "error") is None
        assert page.talk.usage["requests"] == 2
    finally:
        page.talk.stop()


def test_a_budget_is_told_to_the_page_which_is_told_when_there_is_room_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rate = {"input": 1000, "output": 1000}  # 12 tokens an answer: $0.012
    prices = {"test-preview": {"text": rate, "audio": rate}}
    page = Page(monkeypatch, Model(), prices=prices, budget_usd=0.015)
    try:
        assert page.request("text", text="one")["ok"]
        until(lambda: told(page, "budget"))
        assert told(page, "budget") == {
            "title": "Budget nearly spent",
            "message": "$0.0120 of $0.0150 are spent (80% of the budget)",
            "next_step": "at 100 % no more answers are asked for; session.budget_usd = 0.03 makes room.",
        }
        until(lambda: page.talk.turn == 1)
        assert told(page, "cost_usd") == pytest.approx(0.012)
        # This server does not say of which kind its tokens are.
        assert told(page, "cost_is_upper_bound") is True

        assert page.request("text", text="two")["ok"]
        until(lambda: told(page, "budget")["title"] == "Stopped by its budget")
        until(lambda: page.talk.turn == 2)
        refused = page.request("text", text="three")
        assert not refused["ok"]
        # The same three lines wherever it is said.
        assert refused["error"] == told(page, "budget")
        assert "session.budget_usd = 0.03" in refused["error"]["next_step"]
        # The talk stays connected, what was typed is in it, and a page that comes now is told.
        assert page.talk.state == "listening"
        until(lambda: page.talk.user_transcript == "three")
        page.say(kind="hello", plays=True)
        snapshot = until(lambda: next((m for m in page.messages if m["kind"] == "snapshot"), None))
        assert snapshot["talk"]["budget"] == refused["error"]

        page.talk.session.budget_usd = 1.0
        until(lambda: told(page, "budget") is None)
        assert page.request("text", text="four")["ok"]
        until(lambda: page.talk.turn >= 3)
    finally:
        page.talk.stop()


def test_an_answer_that_nobody_waited_for_is_an_error_in_the_bar_until_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rate = {"input": 1000, "output": 1000}
    prices = {"test-preview": {"text": rate, "audio": rate}}
    page = Page(monkeypatch, Model(), prices=prices, budget_usd=0.01, turn_detection=None)
    try:
        page.request("text", text="one")
        until(lambda: told(page, "budget"))
        page.talk.session.press()
        page.talk.session.send_audio(SPOKEN)
        page.talk.session.release()
        until(lambda: told(page, "error"))
        assert told(page, "error") == told(page, "budget")
        until(lambda: page.talk.error)
        page.talk.session.budget_usd = 1.0
        until(lambda: told(page, "error") is None and not page.talk.error)
    finally:
        page.talk.stop()


def detections(page: Page) -> list[Any]:
    sent = page.transports[-1].sent
    return [e["session"]["turn_detection"] for e in sent if "turn_detection" in e.get("session", {})]


def test_a_file_is_one_utterance_that_is_answered_in_the_page_that_sent_it(
    page: Page, fixtures: Path
) -> None:
    assert page.request("sound", (fixtures / "stop_slt.wav").read_bytes(), name="stop_slt.wav")["ok"]
    until(lambda: page.talk.turn == 1)
    (turn,) = page.talk.session.turns.itertuples()
    assert (turn.user_audio_ms, turn.assistant_text) == (1300.0, "word 0 word 1 word 2 word 3 word 4")
    kinds = [e["type"] for e in page.transports[-1].sent]
    assert kinds.count("input_audio_buffer.commit") == kinds.count("response.create") == 1
    # What was asked for at the start is what is in force again.
    assert detections(page) == [{"type": "server_vad"}, None, {"type": "server_vad"}]
    assert page.talk._page.audio_page == "p1"


def test_with_manual_turns_a_file_changes_no_turn_detection(page: Page, fixtures: Path) -> None:
    assert page.request("update", fields={"turn_detection": None})["ok"]
    assert page.request("sound", (fixtures / "stop_slt.wav").read_bytes(), name="stop.wav")["ok"]
    until(lambda: page.talk.turn == 1)
    # Said before the talk began: it begins so.
    assert detections(page) == [None]


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        (b"", "an empty file, not a WAV"),
        (b"ID3" + bytes(40), "an MP3 file, not a WAV"),
        (wav_bytes(bytes(48_000)), "the audio is silent"),
        (wav_bytes(bytes([1, 0]) * 100), "under 100 ms"),
    ],
)
def test_what_is_no_sound_is_said_and_nothing_is_sent(page: Page, sound: bytes, says: str) -> None:
    reply = page.request("sound", sound, name="<b>letter</b>.wav")
    assert not reply["ok"]
    assert says in reply["error"]["message"]
    assert page.talk.session.state == "idle"
    assert page.transports[-1].sent == []


def test_a_file_that_is_no_sound_does_not_put_away_the_talk_that_has_ended(page: Page) -> None:
    assert page.request("text", text="hello")["ok"]
    until(lambda: page.talk.turn == 1)
    assert page.request("stop")["ok"]
    assert not page.request("sound", b"ID3", name="a.wav")["ok"]
    assert len(page.talk.sessions) == 1
    assert page.talk.user_transcript == "hello"


def test_an_item_is_played_and_deleted_and_one_that_is_not_there_is_named(page: Page, fixtures: Path) -> None:
    page.request("sound", (fixtures / "stop_slt.wav").read_bytes(), name="stop.wav")
    until(lambda: page.talk.turn == 1)
    user, answer = page.talk.session.items.index
    until(lambda: any(i["item_id"] == answer for m in page.messages for i in m.get("put", [])))
    for item_id, samples in ((user, 31_200), (answer, 5 * 2400)):
        reply = page.request("play", item_id=item_id)
        assert reply["ok"]
        assert len(page.sounds[reply["request"]]) == samples * 2
    for verb in ("play", "delete"):
        assert page.request(verb, item_id="nowhere")["error"]["title"] == "No such item"
    assert page.request("delete", item_id=answer)["ok"]
    until(lambda: any(m["kind"] == "items" and answer in m["drop"] for m in page.messages))


@pytest.mark.parametrize("verb", ["dance", "", None, 7])
def test_a_request_that_is_none_is_answered_too(page: Page, verb: Any) -> None:
    reply = page.request(verb)
    assert not reply["ok"]
    assert reply["error"]["next_step"]


def test_nonsense_from_a_page_stops_nothing(page: Page) -> None:
    nonsense: tuple[Any, ...] = (
        *(None, 7, "x", [], {}, {"kind": None}),
        *({"kind": "mic"}, {"kind": "flushed"}, {"kind": "playback"}),
    )
    for content in nonsense:
        page.talk._receive(page.talk, content, None)
    page.say(kind="mic", seq="one")
    page.say(kind="flushed", flush=1, positions=[None, {"item_id": 3}], output_latency_ms="x")
    page.say(kind="mic_state", state="error", error="broken")
    page.say(kind="request", request=None, verb="text", args=None)
    assert page.request("start")["ok"]
    page.say(kind="flushed", flush=1, positions=7)
    page.say(kind="playback", event="started", item_id=None)
    page.say(kind="playback", event="position", item_id="nowhere", played_samples="many")
    assert page.request("text", text="still there?")["ok"]
    until(lambda: page.talk.turn == 1)


@pytest.mark.parametrize("again", [False, True])
def test_a_microphone_denied_at_once_is_a_row_of_its_session(page: Page, *, again: bool) -> None:
    if again:
        page.request("start")
        page.request("stop")
    denied = {"name": "NotAllowedError", "message": "Permission denied"}

    def both_at_once() -> None:
        page.talk._on_message({"kind": "request", "page": "p1", "request": 7, "verb": "start"}, b"", HERE)
        page.talk._on_message(
            {"kind": "mic_state", "page": "p1", "state": "error", "error": denied}, b"", HERE
        )

    loop().call_soon_threadsafe(both_at_once)
    until(lambda: page.talk.session.state == "listening")
    rows = page.talk.session.events.query("type == 'local.mic.state'")
    assert rows.payload.iloc[-1]["error"] == "NotAllowedError: Permission denied"
    until(lambda: page.talk.error.get("title") == "No microphone")
    time.sleep(0.05)
    assert page.talk.error, "what the Start forgets is what was before it"


def test_double_clicks_are_harmless(page: Page) -> None:
    for number in (900, 901):
        page.say(kind="request", request=number, verb="start", args={})
    until(lambda: sum(m["kind"] == "reply" and m["ok"] for m in page.messages) == 2)
    page.request("text", text="hello")
    until(lambda: page.talk.turn == 1)
    assert len(page.talk.sessions) == 1
    for number in (902, 903):
        page.say(kind="request", request=number, verb="stop", args={})
    until(lambda: sum(m["kind"] == "reply" and m["request"] in {902, 903} for m in page.messages) == 2)
    assert all(m["ok"] for m in page.messages if m["kind"] == "reply")


def test_what_a_page_asks_again_is_done_once_and_answered_as_often(page: Page) -> None:
    for _ in range(3):
        page.say(kind="request", request=900, verb="text", args={"text": "hello"})
    until(lambda: page.talk.turn == 1)
    until(lambda: any(m["kind"] == "reply" for m in page.messages))
    # The answer was dropped on its way.
    page.say(kind="request", request=900, verb="text", args={"text": "hello"})
    until(lambda: sum(m["kind"] == "reply" and m["request"] == 900 for m in page.messages) >= 2)
    assert list(page.talk.session.turns.user_text) == ["hello"]
    # Start was lost on its way, Stop was not: it is not begun anew by what comes late.
    assert page.request("start")["ok"]
    page.say(kind="request", request=950, verb="stop", args={})
    until(lambda: page.talk.session.state == "closed")
    page.say(kind="request", request=949, verb="start", args={})
    until(lambda: any(m["kind"] == "reply" and m["request"] == 949 for m in page.messages))
    assert page.talk.session.state == "closed"


def test_a_slow_observer_does_not_hold_up_the_talk(page: Page) -> None:
    go_on = threading.Event()
    threads = set()

    def slow(_change: object) -> None:
        threads.add(threading.current_thread().name)
        go_on.wait(10)

    page.talk.observe(slow, "state")
    assert page.request("start")["ok"]
    assert page.request("text", text="hello")["ok"]
    until(lambda: any(m["kind"] == "items" and m["put"] for m in page.messages))
    go_on.set()
    until(lambda: page.talk.turn == 1)
    assert threads == {"gip_nb-callbacks"}


def test_mute_is_what_it_says_before_during_and_after(page: Page) -> None:
    page.talk.mute()
    page.talk.start()
    assert page.talk.session.state == "muted"
    page.talk.start()
    assert page.talk.session.state == "muted"
    page.talk.stop()
    page.talk.start()
    assert page.talk.session.state == "listening"
    told = [m["patch"]["muted"] for m in page.messages if m["kind"] == "talk" and "muted" in m["patch"]]
    assert told[-1] is False


def test_taking_over_a_talk_that_is_over_is_refused(page: Page) -> None:
    assert not page.request("take")["ok"]
    page.request("start")
    page.request("stop")
    assert not page.request("take")["ok"]
    assert page.talk._page.audio_page is None


def test_what_an_observer_raises_is_a_row_and_the_next_one_runs(page: Page) -> None:
    seen: list[str] = []

    def broken(change: Any) -> None:
        message = f"no {change.new}"
        raise ValueError(message)

    page.talk.observe(broken, "state")
    page.talk.observe(lambda change: seen.append(change.new), "session_id")
    page.talk.session.on("session.updated", lambda event: seen.append(event["type"]))
    assert page.request("start")["ok"]
    until(lambda: "sess_test" in seen and "session.updated" in seen)
    until(lambda: (page.talk.session.events.type == "local.callback.error").sum() == 2)
    errors = page.talk.session.events.query("type == 'local.callback.error'").payload
    assert [(e["error"], e["message"]) for e in errors] == [
        ("ValueError", "no connecting"),
        ("ValueError", "no listening"),
    ]
    assert page.talk.state == "listening"


def test_every_chunk_of_sound_is_a_notice_equal_ones_too(page: Page) -> None:
    chunks: list[bytes] = []
    page.talk.observe(lambda change: chunks.append(change.new), "audio_delta")
    page.talk.session.ask("hello")
    until(lambda: len(chunks) == 5)
    assert b"".join(chunks) == b"".join(bytes([n, 0]) * 2400 for n in range(5))
    assert "audio_delta" not in page.talk.keys  # never synced


def test_a_cell_can_start_ask_and_stop(page: Page) -> None:
    page.talk.start()
    assert page.talk.session.ask("hello").text.startswith("word 0")
    page.talk.mute()
    assert page.talk.session.state == "muted"
    page.talk.mute(muted=False)
    assert page.talk.session.state == "listening"
    page.talk.stop()
    assert len(page.talk.session.turns) == 1
    page.talk.start()
    assert len(page.talk.sessions) == 2
    page.talk.stop()


def test_growing_words_are_synced_seldom(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(page.talk, "send_state", sent.append)
    page.talk.session.ask("hello")
    until(lambda: sent)
    time.sleep(0.4)
    live = [keys for keys in sent if "assistant_transcript" in str(keys)]
    assert 1 <= len(live) <= 3


def test_the_extension_puts_talk_into_the_namespace_and_takes_it_out() -> None:
    shell = InteractiveShell()  # type: ignore[no-untyped-call]  # IPython has no types
    shell.run_line_magic("load_ext", "gip_nb")
    assert shell.user_ns["talk"] is gip_nb.talk
    shell.run_line_magic("unload_ext", "gip_nb")
    assert "talk" not in shell.user_ns


def test_what_cannot_be_is_said_before_a_widget_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'voice'"):
        gip_nb.talk(voise="verse")
    with pytest.raises(MissingKey, match="GIP_API_KEY"):
        gip_nb.talk("openai/gpt-realtime")


def test_that_the_talk_is_written_to_disk_is_told_before_and_meanwhile(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[Any]:
        return [m["patch"]["log"] for m in page.messages if m["kind"] == "talk" and "log" in m["patch"]]

    page.talk._settings = replace(page.talk._settings, log=tmp_path)
    page.talk._running.settings = page.talk._settings
    page.say(kind="hello", plays=True)
    snapshot = until(lambda: next((m for m in page.messages if m["kind"] == "snapshot"), None))
    assert snapshot["talk"]["log"] == {"folder": str(tmp_path), "stopped": False}
    assert page.request("text", text="hello")["ok"]
    folder = page.talk.session.log_folder
    assert folder is not None
    assert told() == [{"folder": str(folder), "stopped": False}]
    folder.rename(tmp_path / "away")
    until(lambda: page.talk.error)
    assert page.talk.error["title"] == "Log not written"
    assert page.talk.session.error is None
    assert told()[-1] == {"folder": str(folder), "stopped": True}
    # Start after Stop is another session, in a folder of its own.
    assert page.request("stop")["ok"]
    assert page.request("start")["ok"]
    again = page.talk.session.log_folder
    assert again not in {None, folder}
    assert told()[-1] == {"folder": str(again), "stopped": False}
    assert page.talk.error == {}


def test_the_newest_talk_is_current(page: Page) -> None:
    assert gip_nb.current() is page.talk


def test_one_loop_thread_and_one_callback_thread_serve_everything(page: Page) -> None:
    page.talk.session.ask("hello")
    names = [t.name for t in threading.enumerate() if t.name.startswith("gip_nb")]
    # One that writes logs is there where a talk was to be written, here or in a test before.
    assert sorted(names)[:2] == ["gip_nb-callbacks", "gip_nb-loop"]
    assert [name.partition("_0")[0] for name in sorted(names)[2:]] in ([], ["gip_nb-writer"])
    assert loop() is loop()
    assert callbacks() is callbacks()


def test_a_microphone_that_a_cell_asks_for_is_asked_for_until_the_page_says_so(page: Page) -> None:
    def asked() -> int:
        return sum(m["kind"] == "capture" and m["on"] for m in page.messages)

    page.say(kind="hello", tab="t", views=1, plays=True)
    starting = threading.Thread(target=page.talk.start)
    starting.start()
    # The first was dropped on its way.
    until(lambda: asked() >= 2)
    page.say(kind="mic_state", state="on", error=None, sample_rate_hz=24_000)
    starting.join(10)
    assert page.talk._page.capture._timer is None


# ---- a connection that is lost -----------------------------------------------------------------------------

PATIENT = {"first_wait_s": 600.0, "longest_wait_s": 600.0, "limit_s": 6000.0}


def lost(monkeypatch: pytest.MonkeyPatch) -> Page:
    """A talk whose connection has just gone, and that waits for its first attempt."""
    page = Page(monkeypatch, Model(), reconnect=PATIENT)
    assert page.request("start")["ok"]
    loop().call_soon_threadsafe(page.transports[0].hang_up, 1012, "restart")
    until(lambda: page.talk.state == "reconnecting")
    until(lambda: told(page, "reconnecting"))
    return page


def test_a_lost_connection_is_shown_and_tried_when_a_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    page = lost(monkeypatch)
    view = told(page, "reconnecting")
    assert (view["attempt"], view["attempts"]) == (1, 10)
    assert "1012" in view["message"]
    assert view["due_at_ms"] > time.time() * 1000 + 200_000
    until(lambda: page.talk.reconnecting == view)
    page.say(kind="hello", plays=True)
    snapshot = until(lambda: next((m for m in page.messages if m["kind"] == "snapshot"), None))
    assert (snapshot["talk"]["state"], snapshot["talk"]["reconnecting"]) == ("reconnecting", view)
    assert page.request("retry")["ok"]
    until(lambda: page.talk.state == "listening")
    until(lambda: page.talk.reconnecting == {})
    assert told(page, "reconnecting") is None
    assert told(page, "error") is None
    assert page.request("text", text="hello")["ok"]
    until(lambda: page.talk.turn == 1)
    assert page.request("stop")["ok"]


def test_stop_while_it_reconnects_ends_the_talk_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    page = lost(monkeypatch)
    assert page.request("stop")["ok"]
    until(lambda: page.talk.state == "closed")
    until(lambda: page.talk.reconnecting == {})
    assert told(page, "error") is None
    assert page.request("start")["ok"], "and another may begin"
    assert len(page.transports) == 2
    assert page.request("stop")["ok"]
