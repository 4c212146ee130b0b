"""The session's verbs, tables and callbacks over a scripted connection."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gip_nb
from gip_nb.errors import (
    AlreadyClosed,
    AudioFileNotFound,
    BadAudio,
    BadSetting,
    GipError,
    NothingToDo,
    ServerError,
    TimedOut,
    UnknownItem,
)
from gip_nb.session.blocking import RealtimeSession
from gip_nb.session.loop import loop, run_blocking
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import ScriptedTransport
from gip_nb.tools import Toolbox
from tests.sim.session.servers import GREETING, Event, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def scripted(
    answers: Callable[[Event], Iterable[Event]] | None = None,
    tools: Toolbox | None = None,
    **options: Any,
) -> tuple[RealtimeSession, ScriptedTransport]:
    transport = ScriptedTransport(answers or Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in these scripts
    settings = resolve("test-preview", api_key="sk-test-0123456789", environment={}, **options)
    return RealtimeSession(
        AsyncRealtimeSession(settings, tools=tools, transport=transport.for_session)
    ), transport


@pytest.fixture
def session() -> Iterator[RealtimeSession]:
    session, _ = scripted()
    yield session
    session.close()


def test_a_text_is_asked_and_answered(session: RealtimeSession) -> None:
    reply = session.ask("how are you")
    assert reply.text == str(reply) == "word 0 word 1 word 2 word 3 word 4"
    assert reply.audio.dtype == np.int16
    assert reply.audio.shape == (5 * 2400,)
    assert reply.audio[::2400].tolist() == [0, 1, 2, 3, 4]
    assert reply.status == "completed"
    assert reply.turn == 1
    assert reply.usage == {"requests": 1, "input_tokens": 5, "output_tokens": 7}
    assert reply.latency["first_event_ms"] is not None
    assert reply.item_id is not None
    assert session.audio(reply.item_id).data[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("what", "rate"),
    [
        (np.ones(4800, np.int16), 24_000),
        (np.full(16_000, 0.1, np.float32), 16_000),
        (np.full((9600, 2), 0.1, np.float32), 48_000),
    ],
)
def test_sound_is_asked_as_one_utterance_with_turn_detection_off(what: np.ndarray, rate: int) -> None:
    session, transport = scripted()
    with session:
        assert session.ask(what, sample_rate_hz=rate).text.startswith("word 0")
    kinds = [e["type"] for e in transport.sent]
    commit = kinds.index("input_audio_buffer.commit")
    assert kinds[commit + 1] == "response.create"
    detections = [
        e["session"].get("turn_detection", "untouched")
        for e in transport.sent
        if e["type"] == "session.update"
    ]
    assert detections == [{"type": "server_vad"}, None, {"type": "server_vad"}]
    assert "input_audio_buffer.append" in kinds[:commit]
    turn = session.turns.iloc[0]
    assert turn.user_audio_ms == pytest.approx(1000 * len(what) / rate, abs=1)


def test_a_file_is_asked_by_its_name(session: RealtimeSession, fixtures: Path) -> None:
    assert session.ask(fixtures / "stop_slt.wav").text.startswith("word 0")
    assert session.ask(str(fixtures / "stop_slt.wav")).turn == 2
    assert session.turns.user_audio_ms.tolist() == [1300.0, 1300.0]
    user = session.items[session.items.role == "user"].index[0]
    # The user's own words can be heard again.
    assert len(session.audio(user).data) == 44 + 31200 * 2


@pytest.mark.parametrize("what", ["", "   ", np.zeros(0, np.int16), 17, None])
def test_nothing_to_ask_is_said_before_anything_is_sent(what: object) -> None:
    session, transport = scripted()
    with pytest.raises(BadAudio):
        session.ask(what)  # type: ignore[arg-type]  # that is the test
    assert transport.sent == []


def test_an_utterance_too_short_for_the_api_is_said_before_anything_is_sent() -> None:
    session, transport = scripted()
    with pytest.raises(BadAudio, match="100 ms"):
        session.ask(np.ones(2399, np.int16))
    assert transport.sent == []
    assert session.ask(np.ones(2400, np.int16)).text
    session.close()


def test_closing_while_it_connects_ends_it_for_good() -> None:
    go_on = asyncio.Event()

    class Slow(ScriptedTransport):
        async def open(self) -> None:
            await go_on.wait()
            await super().open()

    transport = Slow(Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in these scripts
    settings = resolve("test-preview", api_key="sk-test-0123456789", environment={})
    session = RealtimeSession(AsyncRealtimeSession(settings, transport=transport.for_session))
    problems: list[BaseException] = []

    def ask() -> None:
        try:
            session.ask("hello")
        except GipError as error:
            problems.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while session.state != "connecting":
        time.sleep(0.005)
    session.close()
    assert session.state == "closed"
    loop().call_soon_threadsafe(go_on.set)
    thread.join(5)
    assert session.state == "closed"
    assert transport.sent == []
    assert [type(p) for p in problems] == [AlreadyClosed]


def test_a_timeout_covers_connecting_too() -> None:
    class Silent(ScriptedTransport):
        async def open(self) -> None:
            await asyncio.sleep(60)

    settings = resolve("test-preview", api_key="sk-test-0123456789", environment={})
    session = RealtimeSession(AsyncRealtimeSession(settings, transport=Silent().for_session))
    began = time.monotonic()
    with pytest.raises(TimedOut):
        session.ask("hello", timeout_s=0.2)
    assert time.monotonic() - began < 2


def test_a_file_that_is_not_there_and_one_that_is_no_audio(session: RealtimeSession, tmp_path: Path) -> None:
    with pytest.raises(AudioFileNotFound, match=r"nowhere\.wav"):
        session.ask("nowhere.wav")
    letter = tmp_path / "letter.wav"
    letter.write_text("dear sir")
    with pytest.raises(BadAudio, match="letter"):
        session.ask(letter)
    assert session.ask("still there").text


def test_tables_are_complete_at_any_moment_and_after_the_end(session: RealtimeSession) -> None:
    assert len(session.events) == len(session.items) == len(session.turns) == 0
    session.ask("one")
    before = session.events
    session.ask("two")
    session.close()
    after = session.events
    for column in before.columns:
        assert (
            after[column].iloc[: len(before)].astype(str).tolist() == before[column].astype(str).tolist()
        ), column
    assert session.turns.user_text.tolist() == ["one", "two"]
    assert session.items.text.tolist()[::2] == ["one", "two"]
    assert after.type.iloc[-1] == "local.connection.closed"
    assert after.elapsed_s.is_monotonic_increasing
    for n in (0, len(after) // 2, len(after) - 1):
        assert session.payload(n)["type"] == after.type.iloc[n]


def test_every_frame_that_passed_is_a_row_and_nothing_else() -> None:
    session, transport = scripted()
    with session:
        session.ask("hello")
    events = session.events
    sent = [session.payload(n) for n in events.index[events.direction == "sent"]]
    assert sent == transport.sent


def test_a_closed_session_says_so_and_closes_again_in_peace(session: RealtimeSession) -> None:
    session.ask("hello")
    session.close()
    session.close()
    assert session.state == "closed"
    for verb in (
        lambda: session.ask("x"),
        lambda: session.send_text("x"),
        session.interrupt,
        session.connect,
    ):
        with pytest.raises(AlreadyClosed):
            verb()


def test_an_unused_session_closes_without_connecting() -> None:
    session, transport = scripted()
    session.close()
    assert transport.dialect is None


def test_an_answer_that_does_not_come_is_a_time_out_that_names_what_it_waited_for() -> None:
    session, _ = scripted(lambda _event: ())
    with pytest.raises(TimedOut, match=r"within 0\.2 s"):
        session.ask("hello", timeout_s=0.2)
    with pytest.raises(TimedOut, match=r"response\.done"):
        session.wait("response.done", timeout_s=0.1)
    session.close()


def test_an_error_that_answers_the_question_is_raised_there() -> None:
    def answers(event: Event) -> Iterable[Event]:
        if event["type"] == "response.create":
            yield {"type": "error", "error": {"code": "server_busy", "message": "come back later"}}

    session, _ = scripted(answers)
    with pytest.raises(ServerError, match="come back later") as caught:
        session.ask("hello")
    assert caught.value.code == "server_busy"
    assert session.state == "listening"
    session.close()


def test_a_response_that_fails_is_raised_with_its_reason() -> None:
    def answers(event: Event) -> Iterable[Event]:
        if event["type"] == "response.create":
            yield {"type": "response.created", "response": {"id": "resp_1"}}
            details = {"type": "failed", "error": {"code": "server_error", "message": "the model fell over"}}
            yield {
                "type": "response.done",
                "response": {"id": "resp_1", "status": "failed", "status_details": details},
            }

    session, _ = scripted(answers, retry=False)
    with pytest.raises(ServerError, match="the model fell over"):
        session.ask("hello")
    assert session.turns.status.tolist() == ["failed"]
    assert session.turns.requests.tolist() == [1]
    session.close()


def test_a_tool_is_called_and_its_result_answered_once() -> None:
    def weather(city: str) -> dict[str, object]:
        """The weather in a city."""
        return {"city": city, "celsius": 21}

    model = Model()
    asked = iter([True])

    def answers(event: Event) -> Iterable[Event]:
        if event["type"] == "response.create" and next(asked, False):
            item = {"id": "item_f", "type": "function_call", "call_id": "call_1", "name": "weather"}
            item["arguments"] = '{"city": "Seoul"}'
            yield {"type": "response.created", "response": {"id": "resp_f"}}
            yield {
                "type": "response.output_item.added",
                "response_id": "resp_f",
                "item": {**item, "arguments": ""},
            }
            yield {"type": "response.output_item.done", "response_id": "resp_f", "item": item}
            yield {
                "type": "response.done",
                "response": {"id": "resp_f", "status": "completed", "output": [item]},
            }
        else:
            yield from model(event)  # type: ignore[misc]  # no close codes in this script

    session, transport = scripted(answers, Toolbox([weather]))
    with session:
        assert session.ask("what is the weather in seoul").text.startswith("word 0")
    (tool,) = transport.sent[0]["session"]["tools"]
    assert tool["name"] == "weather"
    assert tool["description"] == "The weather in a city."
    assert tool["parameters"]["required"] == ["city"]
    outputs = [e["item"] for e in transport.sent if e.get("item", {}).get("type") == "function_call_output"]
    assert [(o["call_id"], o["output"]) for o in outputs] == [("call_1", '{"city": "Seoul", "celsius": 21}')]
    assert [e["type"] for e in transport.sent].count("response.create") == 2
    turn = session.turns.iloc[0]
    assert (turn.tools, turn.requests, len(session.turns)) == (1, 2, 1)


def test_callbacks_run_in_order_on_one_thread_and_their_errors_are_rows(session: RealtimeSession) -> None:
    threads: set[str] = set()
    seen: list[str] = []
    slow = threading.Event()

    def note(event: Event) -> None:
        slow.wait(5)
        threads.add(threading.current_thread().name)
        seen.append(event["delta"])

    def broken(_event: Event) -> None:
        message = "my own bug"
        raise ValueError(message)

    session.on("response.audio_transcript.delta", note)
    session.on("response.done", broken)
    # A callback that hangs does not hold up the talk.
    assert session.ask("hello").text
    slow.set()
    deadline = time.monotonic() + 5
    while (session.events.type == "local.callback.error").sum() == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen == [f"word {n} " for n in range(5)]
    assert threads == {"gip_nb-callbacks"}
    row = session.events[session.events.type == "local.callback.error"].iloc[0]
    assert row.payload["message"] == "my own bug"


def test_waiting_for_an_event_takes_either_dialects_name(session: RealtimeSession) -> None:
    session.connect()
    for name in ("response.audio.done", "response.output_audio.done"):
        waiting: list[Event] = []
        thread = threading.Thread(target=lambda n=name, w=waiting: w.append(session.wait(n, 5)))
        thread.start()
        time.sleep(0.05)
        session.ask("hello")
        thread.join(5)
        assert waiting[0]["type"] == "response.output_audio.done"


def test_commit_and_delete_of_nothing_are_said(session: RealtimeSession) -> None:
    with pytest.raises(NothingToDo, match="no audio"):
        session.commit()
    with pytest.raises(UnknownItem, match="item_nowhere"):
        session.delete("item_nowhere")
    with pytest.raises(UnknownItem):
        session.audio("item_nowhere")
    assert session.interrupt() is False


def test_what_json_cannot_carry_is_said_at_once_and_the_talk_goes_on(session: RealtimeSession) -> None:
    verbs: list[Callable[[], object]] = [
        lambda: session.send({"type": "x", "value": object()}),
        lambda: session.send({"no": "type"}),
        lambda: session.update(prompt={"id": object()}),
        lambda: session.respond(metadata={"x": object()}),
    ]
    for verb in verbs:
        with pytest.raises(BadSetting):
            verb()
    assert session.ask("still there?").text


def test_updates_take_either_dialects_shape() -> None:
    session, transport = scripted()
    with session:
        session.update(instructions="be brief", turn_detection=None)
        session.update(audio={"output": {"voice": "verse"}})
        session.send({"type": "input_audio_buffer.clear"})
    updates = [e["session"] for e in transport.sent if e["type"] == "session.update"][1:]
    assert updates == [{"instructions": "be brief", "turn_detection": None}, {"voice": "verse"}]
    assert transport.sent[-1]["type"] == "input_audio_buffer.clear"


def test_a_blocking_verb_on_the_loops_own_thread_is_refused_and_not_a_deadlock(
    session: RealtimeSession,
) -> None:
    async def wrong() -> None:
        session.ask("hello")

    with pytest.raises(GipError, match="loop's own thread"):
        run_blocking(wrong())


def test_the_async_session_may_be_awaited_from_any_loop() -> None:
    session, _ = scripted()
    inner = session._session

    async def talk() -> str:
        assert asyncio.get_running_loop() is not loop()
        async with inner as s:
            return (await s.ask("hello")).text

    assert asyncio.run(talk()).startswith("word 0")
    assert inner.state == "closed"


def test_a_recording_that_is_added_as_an_item_has_its_sound() -> None:
    pcm = np.arange(24_000, dtype="<i2").tobytes()
    part = {"type": "input_audio", "audio": base64.b64encode(pcm).decode("ascii")}
    with gip_nb.connect("rehearsal") as session:
        item_id = session.add({"type": "message", "role": "user", "content": [part]})
        assert session.items.audio_ms[item_id] == 1000
        assert session.audio(item_id).data[44:] == pcm
