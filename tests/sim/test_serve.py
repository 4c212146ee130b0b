"""The rehearsal server over real sockets: turns, clients that misbehave, its log and its two commands."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped] # it carries no types
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as connect_blocking
from websockets.typing import Subprotocol

from gip_nb.audio import level_dbfs, pcm16_from_wav
from gip_nb.protocol.audio_formats import ALAW, ULAW, Decoder, Encoder
from gip_nb.rehearsal.connection import Pace
from gip_nb.rehearsal.ears import NoEars
from gip_nb.rehearsal.server import Options, RehearsalServer
from tests.sim.rehearsal_process import EMBEDDED, MS, SERVE, Client, client, server_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from gip_nb.protocol.audio_formats import AudioFormat
    from tests.sim.rehearsal_process import ServerProcess

BOTH = pytest.mark.parametrize("dialect", ["beta", "ga"])
KEY = "a-key-for-tests"
HELLO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "how are you"}]}


class Mouth:
    """Speaks for so long, whatever the words."""

    def __init__(self, speech_ms: int = 300, *, problem: str = "") -> None:
        self.speech_ms = speech_ms
        self.problem = problem

    def speak(self, text: str, voice: str, speed: float, users_words: bytes) -> bytes:
        if self.problem:
            raise OSError(self.problem)
        return b"\x01\x02" * (self.speech_ms * MS // 2)


class SlowEars(NoEars):
    """Takes its time to understand."""

    def __init__(self, *, takes_s: float = 0.0, problem: str = "") -> None:
        self.takes_s = takes_s
        self.problem = problem
        self.jobs: list[str] = []

    async def listen(self, key: str, pcm: bytes) -> None:
        self.jobs.append("listen")

    async def understand(self, key: str) -> str | None:
        self.jobs.append("understand")
        await asyncio.sleep(self.takes_s)
        if self.problem:
            raise RuntimeError(self.problem)
        return "what is that"

    async def forget(self, key: str) -> None:
        self.jobs.append("forget")


@asynccontextmanager
async def server_here(
    *,
    ears: SlowEars | None = None,
    mouth: Mouth | None = None,
    log: Path | None = None,
    pace: Pace | None = None,
    expires_in_s: float | None = None,
) -> AsyncIterator[RehearsalServer]:
    """A server in this process, with quick ears and a quick mouth."""
    options = Options("127.0.0.1", 0, KEY, log, Pace({}) if pace is None else pace, expires_in_s)
    async with RehearsalServer(options, ears or SlowEars(), mouth or Mouth()) as server:
        yield server


def frames_of(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def served() -> Iterator[ServerProcess]:
    """One real server for all tests that need no special one."""
    with server_process() as server:
        yield server


# ------------------------------------------------------------------------------------------------ voice turns


@BOTH
def test_a_spoken_question_is_heard_and_answered(served: ServerProcess, fixtures: Path, dialect: str) -> None:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("espeakng_loader")
    question = bytes(200 * MS) + pcm16_from_wav(fixtures / "weather_awb.wav") + bytes(900 * MS)

    async def talk() -> Client:
        async with client(served.url, served.key, dialect) as one:
            await one.set_transcription()
            speaking = asyncio.create_task(one.speak(question, times_real_time=2.0))
            await one.until("response.done")
            await speaking
            return one

    one = asyncio.run(talk())
    order = [event["type"] for event in one.events]
    item_added = "conversation.item.created" if dialect == "beta" else "conversation.item.added"
    needed = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        item_added,
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    places = [order.index(kind) for kind in needed]
    assert places == sorted(places)
    [completed] = [event for event in one.events if event["type"].endswith("transcription.completed")]
    assert "weather" in completed["transcript"]
    assert "weather" in one.transcript()
    assert len(one.audio()) > 3000 * MS, "an answer long enough to be interrupted"
    assert not [event for event in one.events if event["type"] == "error"]


@pytest.mark.parametrize("audio_format", [ULAW, ALAW], ids=lambda one: one.beta)
def test_a_question_over_the_telephone_is_heard_and_answered_over_it(
    served: ServerProcess, fixtures: Path, audio_format: AudioFormat
) -> None:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("espeakng_loader")
    question = bytes(200 * MS) + pcm16_from_wav(fixtures / "weather_awb.wav") + bytes(900 * MS)
    encoder = Encoder(audio_format)
    data = encoder.encode(question) + encoder.flush()

    async def talk() -> Client:
        async with client(served.url, served.key) as one:
            await one.set_transcription()
            told = {"format": audio_format.as_ga()}
            audio = {"input": told, "output": told}
            await one.send("session.update", session={"type": "realtime", "audio": audio})
            await one.until("session.updated")
            await one.speak(data)
            await one.until("response.done")
            return one

    one = asyncio.run(talk())
    [completed] = [event for event in one.events if event["type"].endswith("transcription.completed")]
    assert "weather" in completed["transcript"]
    decoder = Decoder(audio_format)
    answer = decoder.decode(one.audio()) + decoder.flush()
    assert len(answer) > 3000 * MS
    assert level_dbfs(answer) > -35, "a voice, not silence or noise at full scale"
    assert level_dbfs(answer) < -10
    usage = one.events[-1]["response"]["usage"]["output_token_details"]
    assert usage["audio_tokens"] == -(-len(answer) // MS // 50)


def test_a_dialogue_of_five_utterances(
    served: ServerProcess, fixtures: Path, speech: dict[str, dict[str, Any]]
) -> None:
    pytest.importorskip("pocketsphinx")
    segments = speech["dialogue.wav"]["segments"]

    async def talk() -> Client:
        async with client(served.url, served.key) as one:
            await one.set_transcription()
            speaking = asyncio.create_task(
                one.speak(pcm16_from_wav(fixtures / "dialogue.wav") + bytes(500 * MS), times_real_time=4.0)
            )
            words = 0
            while words < len(segments):
                words += (await one.receive())["type"].endswith("transcription.completed")
            await speaking
            return one

    one = asyncio.run(talk())
    started = [
        event["audio_start_ms"] + 300 for event in one.events if event["type"].endswith("speech_started")
    ]
    stopped = [
        event["audio_end_ms"] - 500 for event in one.events if event["type"].endswith("speech_stopped")
    ]
    assert len(started) == len(stopped) == 5
    for segment, start_ms, end_ms in zip(segments, started, stopped, strict=True):
        assert abs(segment["speech_start_ms"] - start_ms) <= 100
        assert abs(segment["speech_end_ms"] - end_ms) <= 100
    said = [event["transcript"] for event in one.events if event["type"].endswith("transcription.completed")]
    for segment, transcript in zip(segments, said, strict=True):
        common = set(segment["text"].split()) & set(transcript.split())
        assert len(common) >= 2, (segment["text"], transcript)


@BOTH
def test_the_openai_package_has_a_voice_turn(served: ServerProcess, fixtures: Path, dialect: str) -> None:
    question = pcm16_from_wav(fixtures / "weather_awb.wav") + bytes(900 * MS)

    async def talk() -> list[Any]:
        async with AsyncOpenAI(
            api_key=served.key, websocket_base_url=served.url.removesuffix("/realtime")
        ) as openai:
            realtime: Any = openai.beta.realtime if dialect == "beta" else openai.realtime
            async with realtime.connect(model="openai/gpt-4o-realtime-preview-2024-12-17") as connection:
                created = await connection.recv()
                assert created.type == "session.created"
                transcription = {"model": "whisper-1"}
                await connection.session.update(
                    session={"input_audio_transcription": transcription}
                    if dialect == "beta"
                    else {"type": "realtime", "audio": {"input": {"transcription": transcription}}}
                )
                for start in range(0, len(question), 40 * MS):
                    piece = base64.b64encode(question[start : start + 40 * MS]).decode("ascii")
                    await connection.input_audio_buffer.append(audio=piece)
                events = []
                async for event in connection:
                    events.append(event)
                    if event.type == "response.done":
                        return events
        raise AssertionError("the connection ended before the answer did")

    events = asyncio.run(asyncio.wait_for(talk(), 30))
    count = Counter(event.type for event in events)
    assert count["error"] == 0
    assert count["input_audio_buffer.speech_started"] == count["input_audio_buffer.committed"] == 1
    assert count["response.audio.delta" if dialect == "beta" else "response.output_audio.delta"] > 10
    assert events[-1].response.status == "completed"
    assert events[-1].response.output[0].content[0].transcript


def test_without_the_extras_it_counts_seconds_and_plays_the_words_back(
    fixtures: Path, tmp_path: Path
) -> None:
    question = pcm16_from_wav(fixtures / "weather_awb.wav")

    async def talk(server: ServerProcess) -> Client:
        async with client(server.url, server.key) as one:
            await one.set_transcription()
            await one.speak(bytes(200 * MS) + question + bytes(900 * MS))
            await one.until("response.done")
            return one

    with server_process(blocked=("pocketsphinx", "espeakng_loader"), tmp_path=tmp_path) as server:
        one = asyncio.run(talk(server))
    [completed] = [event for event in one.events if event["type"].endswith("transcription.completed")]
    assert completed["transcript"] == "(you spoke for 1.5 s)"
    assert "1.5 seconds" in one.transcript()
    heard = one.audio()
    assert len(heard) > 1500 * MS
    middle = question[len(question) // 2 : len(question) // 2 + 1000]
    assert middle in heard


# ---------------------------------------------------------------------------------------------- the handshake


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Bearer ", "Basic a-key-for-tests", None])
def test_a_wrong_key_is_told_in_an_event_and_the_connection_closed(authorization: str | None) -> None:
    async def try_it() -> None:
        async with server_here() as server:
            headers = {} if authorization is None else {"Authorization": authorization}
            async with connect(server.url, additional_headers=headers) as websocket:
                event = json.loads(await asyncio.wait_for(websocket.recv(), 5))
                assert event["type"] == "error"
                assert event["event_id"]
                assert "Incorrect API key provided" in event["error"]["message"]
                assert event["error"]["code"] == "invalid_api_key"
                assert "wrong" not in event["error"]["message"], "a key is not echoed"
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.wait_for(websocket.recv(), 5)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 3000

    asyncio.run(try_it())


@BOTH
def test_sessions_that_only_transcribe_are_refused_with_a_way_out(dialect: str) -> None:
    async def try_it() -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        if dialect == "beta":
            headers["OpenAI-Beta"] = "realtime=v1"
        async with server_here() as server:
            url = f"{server.url}?intent=transcription"
            async with connect(url, additional_headers=headers) as websocket:
                error = json.loads(await asyncio.wait_for(websocket.recv(), 5))["error"]
                assert (error["type"], error["code"], error["param"]) == (
                    "invalid_request_error",
                    "invalid_value",
                    "intent",
                )
                assert "create_response" in error["message"]
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.wait_for(websocket.recv(), 5)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1008

    asyncio.run(try_it())


@pytest.mark.parametrize(
    ("offered", "chosen", "is_beta"),
    [
        (["realtime", f"openai-insecure-api-key.{KEY}", "openai-beta.realtime-v1"], "realtime", True),
        (["realtime", f"openai-insecure-api-key.{KEY}"], "realtime", False),
        ([f"openai-insecure-api-key.{KEY}"], None, False),
    ],
)
def test_a_browsers_subprotocols_are_answered(
    offered: list[str], chosen: str | None, *, is_beta: bool
) -> None:
    async def try_it() -> None:
        protocols = [Subprotocol(one) for one in offered]
        async with server_here() as server, connect(server.url, subprotocols=protocols) as websocket:
            assert websocket.subprotocol == chosen
            session = json.loads(await asyncio.wait_for(websocket.recv(), 5))["session"]
            assert ("modalities" in session) == is_beta

    asyncio.run(try_it())


def test_other_paths_are_not_found() -> None:
    async def try_it() -> None:
        async with server_here() as server:
            for path in ("/", "/v1/models/rehearsal", "/v1/realtime/calls"):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(server.url.replace("/v1/realtime", path))
                assert refused.value.response.status_code == 404
                assert b"/v1/realtime" in (refused.value.response.body or b"")
            # This one is there, for those who show the key.
            with pytest.raises(InvalidStatus) as refused:
                await connect(server.url.replace("/v1/realtime", "/v1/models"))
            assert refused.value.response.status_code == 401
            assert refused.value.response.headers["Content-Type"] == "application/json"
            async with client(server.url.replace("/v1", ""), KEY) as one:
                assert one.events[0]["type"] == "session.created"

    asyncio.run(try_it())


# ----------------------------------------------------------------------------------------------- misbehaviour


def test_garbage_is_answered_and_the_session_goes_on() -> None:
    async def try_it() -> None:
        async with server_here() as server, client(server.url, KEY) as one:
            for frame in ("", "{", "null", "[1, 2]", '{"type": 5}', "[" * 200_000, b"\x00\xff", b""):
                await one.websocket.send(frame)
                event = await one.receive()
                assert event["error"]["code"] == "invalid_event"
            await one.send("conversation.item.create", item=HELLO)
            await one.send("response.create")
            done = await one.until("response.done")
            assert done["response"]["status"] == "completed"

    asyncio.run(try_it())


def test_the_largest_append_is_taken_while_others_are_served() -> None:
    async def try_it() -> None:
        async with server_here() as server, client(server.url, KEY) as big, client(server.url, KEY) as small:
            vad_off = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            await small.send("session.update", session=vad_off)
            await small.until("session.updated")
            sending = asyncio.create_task(big.speak(bytes(15 * 1024 * 1024), chunk_ms=10_000_000))
            waits = []
            for _ in range(20):
                began = time.perf_counter()
                await small.send("input_audio_buffer.clear")
                await small.until("input_audio_buffer.cleared")
                waits.append(time.perf_counter() - began)
                await asyncio.sleep(0.02)
            await sending
            assert max(waits) < 1.0, f"{max(waits):.2f} s"
            await big.send("input_audio_buffer.commit")
            await big.until("input_audio_buffer.committed")

    asyncio.run(try_it())


def test_a_frame_beyond_all_limits_closes_with_its_reason() -> None:
    async def try_it() -> None:
        async with server_here() as server:
            headers = {"Authorization": f"Bearer {KEY}"}
            # Not as a context manager: leaving it would wait for the rest of the frame to be taken.
            websocket = await connect(server.url, additional_headers=headers)
            sending = asyncio.create_task(websocket.send("x" * (22 * 1024 * 1024)))
            await websocket.recv()
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(websocket.recv(), 10)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
            await asyncio.gather(sending, return_exceptions=True)
            async with client(server.url, KEY) as another:
                assert another.events

    asyncio.run(try_it())


@pytest.mark.parametrize("when", ["speaking", "listening", "answering"])
def test_a_peer_that_vanishes_leaves_nothing_behind(when: str) -> None:
    ears = SlowEars(takes_s=30 if when == "listening" else 0)

    async def try_it() -> None:
        before = len(asyncio.all_tasks())
        async with server_here(ears=ears, mouth=Mouth(60_000), pace=Pace({}, 1.0)) as server:
            idle = len(asyncio.all_tasks())
            async with client(server.url, KEY) as one:
                if when == "answering":
                    await one.send("response.create")
                    await one.until("response.output_audio.delta")
                else:
                    silence = bytes(0 if when == "speaking" else 700 * MS)
                    await one.speak((b"\x00\x20\x00\xe0" * 40 + bytes(160)) * 150 + silence)
                one.websocket.transport.abort()
            for _ in range(200):
                if len(asyncio.all_tasks()) <= idle:
                    break
                await asyncio.sleep(0.02)
            assert len(asyncio.all_tasks()) == idle
        assert len(asyncio.all_tasks()) == before

    asyncio.run(asyncio.wait_for(try_it(), 20))


def test_a_peer_that_never_reads_is_not_read_from_either() -> None:
    async def flood(one: Client) -> None:
        for _ in range(5_000):
            await asyncio.wait_for(one.send("nonsense", filler="x" * 20_000), 1)

    async def try_it() -> None:
        async with server_here(mouth=Mouth(600_000)) as server, client(server.url, KEY) as one:
            one.websocket.transport.pause_reading()
            await one.send("response.create")
            await asyncio.sleep(0.5)  # the answer fills the socket
            with pytest.raises(TimeoutError):
                await flood(one)
            one.websocket.transport.abort()

    asyncio.run(asyncio.wait_for(try_it(), 30))


def test_ears_that_break_fail_one_transcript() -> None:
    async def try_it() -> None:
        ears = SlowEars(problem="out of memory")
        async with server_here(ears=ears) as server, client(server.url, KEY) as one:
            await one.set_transcription()
            await one.send(
                "session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            )
            await one.speak(bytes(200 * MS))
            await one.send("input_audio_buffer.commit")
            failed = await one.until("conversation.item.input_audio_transcription.failed")
            assert "out of memory" in failed["error"]["message"]
            await one.send("response.create")
            assert (await one.until("response.done"))["response"]["status"] == "completed"

    asyncio.run(try_it())


def test_a_mouth_that_breaks_fails_one_response() -> None:
    async def try_it() -> None:
        mouth = Mouth(problem="no voice")
        async with server_here(mouth=mouth) as server, client(server.url, KEY) as one:
            await one.send("response.create")
            response = (await one.until("response.done"))["response"]
            assert response["status"] == "failed"
            assert "no voice" in response["status_details"]["error"]["message"]
            mouth.problem = ""
            await one.send("response.create")
            assert (await one.until("response.done"))["response"]["status"] == "completed"

    asyncio.run(try_it())


# ------------------------------------------------------------------------------------------- pace and the log


def test_an_answer_at_a_pace_can_be_cancelled() -> None:
    async def try_it() -> None:
        async with (
            server_here(mouth=Mouth(5000), pace=Pace({}, 1.0)) as server,
            client(server.url, KEY) as one,
        ):
            began = time.perf_counter()
            await one.send("response.create")
            for _ in range(4):
                await one.until("response.output_audio.delta")
            assert 0.25 < time.perf_counter() - began < 2.0
            await one.send("response.cancel")
            response = (await one.until("response.done"))["response"]
            assert response["status"] == "cancelled"
            assert len(one.audio()) < 2000 * MS

    asyncio.run(try_it())


def test_latencies_hold_back_what_they_name() -> None:
    async def try_it() -> None:
        latency_s = {"created": 0.2, "updated": 0.3, "output": 0.4}
        async with server_here(pace=Pace(latency_s)) as server:
            began = time.perf_counter()
            async with client(server.url, KEY) as one:
                assert time.perf_counter() - began > 0.2
                began = time.perf_counter()
                await one.set_transcription()
                assert time.perf_counter() - began > 0.3
                await one.send("response.create")
                await one.until("response.output_item.added")
                assert one.at["response.output_item.added"] - one.at["response.created"] > 0.39
                await one.until("response.done")

    asyncio.run(try_it())


def test_the_log_counts_every_frame_once(tmp_path: Path) -> None:
    log = tmp_path / "frames.jsonl"

    async def try_it() -> tuple[Client, str]:
        async with server_here(log=log) as server, client(server.url, KEY) as one:
            await one.set_transcription()
            await one.websocket.send("garbage")
            one.sent += 1
            await one.speak(bytes(500 * MS))
            await one.send("conversation.item.create", item=HELLO)
            await one.send("response.create")
            await one.until("response.done")
            return one, one.events[0]["session"]["id"]

    one, session_id = asyncio.run(try_it())
    lines = frames_of(log)
    sent = [line for line in lines if line["direction"] == "sent"]
    received = [line for line in lines if line["direction"] == "received"]
    assert [line["type"] for line in sent] == [event["type"] for event in one.events]
    assert len(received) == one.sent
    assert {line["session_id"] for line in lines} == {session_id}
    assert sum(line["audio_samples"] for line in received) == 500 * 24
    assert sum(line["audio_samples"] for line in sent) == len(one.audio()) // 2 == 300 * 24
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


# ----------------------------------------------------------------------------------------------------- expiry


@BOTH
def test_a_session_ends_when_its_time_is_over(dialect: str) -> None:
    async def try_it() -> None:
        async with (
            server_here(mouth=Mouth(60_000), pace=Pace({}, 1.0), expires_in_s=0.5) as server,
            client(server.url, KEY, dialect) as one,
        ):
            expires_at = one.events[0]["session"]["expires_at"]
            assert 0 <= expires_at - time.time() <= 1.5
            await one.send("response.create")
            error = (await one.until("error"))["error"]
            assert (error["type"], error["code"]) == ("invalid_request_error", "session_expired")
            assert error["message"] == "Your session hit the maximum duration of 0.5 seconds."
            with pytest.raises(ConnectionClosed) as closed:
                await one.receive()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, error["message"])

    asyncio.run(try_it())


def test_a_peer_that_does_not_read_is_cut_off_when_its_time_is_over() -> None:
    async def try_it() -> None:
        async with server_here(mouth=Mouth(600_000), expires_in_s=0.3) as server:
            idle = len(asyncio.all_tasks())
            async with client(server.url, KEY) as one:
                one.websocket.transport.pause_reading()
                await one.send("response.create")
                began = time.perf_counter()
                while len(asyncio.all_tasks()) > idle + 1:  # the client's own keepalive
                    assert time.perf_counter() - began < 10, "the server still holds on to it"
                    await asyncio.sleep(0.05)
                one.websocket.transport.abort()

    asyncio.run(asyncio.wait_for(try_it(), 30))


def test_the_command_takes_the_time_of_a_session() -> None:
    async def try_it(server: ServerProcess) -> None:
        async with client(server.url, server.key) as one:
            assert (await one.until("error"))["error"]["message"].endswith("of 1 second.")

    with server_process("--expire-after", "1") as server:
        asyncio.run(try_it(server))


# ------------------------------------------------------------------------------------------- the two commands


def test_serve_ends_cleanly_with_clients_connected(tmp_path: Path) -> None:
    log = tmp_path / "frames.jsonl"

    async def watch(server: ServerProcess, one_signal: signal.Signals) -> int:
        async with client(server.url, server.key) as one:
            server.process.send_signal(one_signal)
            with pytest.raises(ConnectionClosed) as closed:
                await one.until("never")
            assert closed.value.rcvd is not None
            return closed.value.rcvd.code

    for one_signal in (signal.SIGTERM, signal.SIGINT):
        with server_process("--key", "k", "--log", str(log)) as server:
            assert server.key == "k"
            assert server.url.startswith("ws://127.0.0.1:")
            children = psutil.Process(server.process.pid).children(recursive=True)
            assert asyncio.run(watch(server, one_signal)) == 1001
            assert server.process.wait(10) == 0
            assert server.process.stdout is not None
            assert server.process.stdout.read() == "", "one line and no more"
            _, alive = psutil.wait_procs(children, 5)
            assert not alive
    assert [line["type"] for line in frames_of(log)] == ["session.created"] * 2


def test_the_embedded_server_ends_with_its_input() -> None:
    with server_process(program=EMBEDDED) as server:
        assert len(server.key) >= 24
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert server.process.poll() is None, "an interrupted cell is no reason to go"
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(10) == 0


def test_a_killed_server_leaves_no_ears_behind() -> None:
    pytest.importorskip("pocketsphinx")
    # The ears start with the first client.
    with (
        server_process(program=EMBEDDED) as server,
        connect_blocking(server.url, additional_headers={"Authorization": f"Bearer {server.key}"}),
    ):
        for _ in range(100):
            children = psutil.Process(server.process.pid).children(recursive=True)
            if children:
                break
            time.sleep(0.05)
        time.sleep(1.0)  # they are about to load
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert children
        server.process.kill()
        _, alive = psutil.wait_procs(children, 10)
        assert not alive


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "70000"),
        (["--port", "many"], "many"),
        (["--key", ""], "--key"),
        (["--key", "with space"], "--key"),
        (["--latency", "never=3"], "never"),
        (["--latency", "created=soon"], "soon"),
        (["--pace", "-1"], "--pace"),
        (["--expire-after", "0"], "--expire-after"),
        (["--expire-after", "soon"], "soon"),
        (["--loud"], "--loud"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], words: str) -> None:
    ran = subprocess.run([sys.executable, *SERVE, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert words in ran.stderr
    assert ran.stdout == ""


def test_what_cannot_be_served_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cases = {
            ("--port", str(port)): (f"127.0.0.1:{port}", "--port 0"),
            ("--host", "203.0.113.7"): ("203.0.113.7", "--host 127.0.0.1"),
            ("--host", "no.such.host.invalid"): ("no.such.host.invalid", "--host 127.0.0.1"),
            ("--log", str(tmp_path / "none" / "log")): ("none", "--log"),
        }
        for arguments, words in cases.items():
            ran = subprocess.run(
                [sys.executable, *SERVE, *arguments], capture_output=True, text=True, check=False
            )
            assert ran.returncode == 1, arguments
            assert ran.stdout == ""
            assert len(ran.stderr.splitlines()) == 1, ran.stderr
            assert all(word in ran.stderr for word in words), ran.stderr
