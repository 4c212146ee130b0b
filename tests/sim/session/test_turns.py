"""Whose turn it is: a key that is held, turn detection switched in mid-talk, functions called, formats."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64decode
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gip_nb
from gip_nb.audio import pcm16_from_wav
from gip_nb.errors import NothingToDo, ServerError, SettingIgnored
from gip_nb.protocol.audio_formats import FORMATS, AudioFormat, Decoder, Encoder
from gip_nb.testing import Cue, Expect, Say, answer, session_updated
from gip_nb.tools import Toolbox
from tests.sim.session.verbs import KNOWN, SPEECH, TEXT, Half, Talk, in_a_loop, on_the_loop, refuse, talking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.session import AsyncRealtimeSession
    from gip_nb.testing import Event, Step

in_both_dialects = pytest.mark.parametrize("dialect", ["beta", "ga"])
CREATE = "response.create"
ITEM = "conversation.item.create"
COMMIT = "input_audio_buffer.commit"
CLEAR = "input_audio_buffer.clear"
CANCEL = "response.cancel"
TRUNCATE = "conversation.item.truncate"
DELETE = "conversation.item.delete"
APPEND = "input_audio_buffer.append"
FRAME_BYTES = 2 * 24 * 40


def push(session: AsyncRealtimeSession, pcm: bytes) -> None:
    """As the page's microphone does: frames of 40 ms. On the loop."""
    for start in range(0, len(pcm), FRAME_BYTES):
        session.push_microphone(pcm[start : start + FRAME_BYTES])


# ---------------------------------------------------------------------------------------- a key that is held


@in_both_dialects
@in_a_loop
async def test_what_is_said_while_a_key_is_held_is_one_utterance(dialect: Dialect) -> None:
    async with talking(dialect=dialect) as talk:
        await talk.session.press()
        states = [talk.session.state]
        await on_the_loop(lambda: push(talk.session, bytes(4800)))
        await talk.session.release()
        await talk.until(lambda: "item_1" in talk.session.items.index, "the answer")
        assert states == ["hearing"]
        await talk.until(lambda: talk.session.state == "listening", "the end of it")
        # Of the known answer, which nobody plays, nothing is cut.
        assert talk.types(CLEAR, CANCEL, TRUNCATE, DELETE) == []
        assert talk.types()[-5:] == [APPEND] * 3 + [COMMIT, CREATE]


@in_a_loop
async def test_what_the_microphone_took_before_is_no_part_of_it() -> None:
    async with talking() as talk:
        await talk.session.send_audio(SPEECH)
        await talk.session.press()
        await talk.session.send_audio(SPEECH[:2400])
        await talk.session.release()
        await talk.until(lambda: CREATE in talk.types(), "the release")
        assert talk.types()[-5:] == [APPEND, CLEAR, APPEND, COMMIT, CREATE]


@in_both_dialects
@in_a_loop
async def test_pressing_over_an_answer_stops_it_and_the_model_forgets_what_was_not_heard(
    dialect: Dialect,
) -> None:
    said = answer("a long answer", dialect=dialect, audio_ms=400, status="cancelled")
    sounding = [n for n, e in enumerate(said) if e["type"].endswith("audio.delta")][-1] + 1
    script: list[Step] = [
        Expect(CREATE),
        *said[:sounding],
        Expect(CANCEL),
        Expect(TRUNCATE),
        Expect(COMMIT),
        Cue("pressed"),
        *said[sounding:],
        Expect(CREATE),
        *answer("second", dialect=dialect, response_id="resp_2", item_id="item_2"),
    ]
    speaker = Half(120)
    async with talking(script=script, dialect=dialect, speaker=speaker) as talk:
        session = talk.session
        # The known answer was heard to its end.
        await on_the_loop(lambda: session.note("playback.ended", item_id=KNOWN, played_samples=4800))
        await session.respond()
        await talk.until(lambda: session.protocol.playing_items == ("item_1",), "its sound")
        items = session.protocol.conversation.items
        await talk.until(lambda: items["item_1"].generated_samples == 9600, "all of it")
        await session.press()
        await talk.until(lambda: TRUNCATE in talk.types(), "the truncation")
        assert session.state == "hearing"
        await session.send_audio(SPEECH)
        release = asyncio.create_task(session.release())
        await talk.until(lambda: COMMIT in talk.types(), "the commit")
        # One response at a time: ours waits for the end of the one that was cancelled.
        assert talk.types(CREATE) == [CREATE]
        talk.stage.cue("pressed")
        await release
        await talk.until(lambda: "item_2" in session.items.index, "the answer to it")
        (cut,) = talk.sent(TRUNCATE)
        assert (cut["item_id"], cut["audio_end_ms"]) == ("item_1", 120)
        assert talk.types(CANCEL, TRUNCATE, DELETE, COMMIT, CREATE) == [
            *(CREATE, CANCEL, TRUNCATE, COMMIT, CREATE)
        ]
        row = session.items.loc["item_1"]
        assert (row.audio_ms, row.heard_ms, row.interrupted) == (400, 120, True)
        assert talk.heard.failures == []


@pytest.mark.parametrize("samples", [0, 1, 2399])
@in_a_loop
async def test_a_key_held_too_short_is_said_and_nothing_is_sent(samples: int) -> None:
    async with talking() as talk:
        await talk.session.press()
        if samples:
            await talk.session.send_audio(SPEECH[:samples])
        with pytest.raises(NothingToDo, match=f"{samples // 24} ms"):
            await talk.session.release()
        await talk.until(lambda: talk.session.state == "listening", "the end of it")
        await talk.session.press()
        await talk.session.send_audio(SPEECH[:2400])
        await talk.session.release()
        await talk.until(lambda: CREATE in talk.types(), "the next one")
        # What was too short is forgotten when the key is pressed again.
        assert talk.types(CLEAR, COMMIT, CREATE) == [*([CLEAR] if samples else []), COMMIT, CREATE]


@in_a_loop
async def test_an_utterance_that_the_server_refuses_is_told_since_nobody_waits() -> None:
    async with talking({COMMIT: refuse("commit"), CREATE: refuse("create")}) as talk:
        await talk.session.press()
        await talk.session.send_audio(SPEECH)
        await talk.session.release()
        await talk.until(lambda: len(talk.heard.failures) == 2, "both")
        assert [getattr(e, "code", None) for e in talk.heard.failures] == ["commit", "create"]
        await talk.until(lambda: talk.session.state == "listening", "the end of it")


# ----------------------------------------------------------------------------------------------- functions


def calling(*calls: tuple[str, str]) -> list[Event]:
    """A response that calls functions: (name, arguments) each."""
    output = [
        {"id": f"item_f{n}", "type": "function_call", "status": "completed", "call_id": f"call_{n}"}
        | {"name": name, "arguments": arguments}
        for n, (name, arguments) in enumerate(calls)
    ]
    response: Event = {"id": "resp_f", "object": "realtime.response", "output": []}
    return [
        {"type": "response.created", "event_id": "event_f1", "response": response},
        {
            "type": "response.done",
            "event_id": "event_f2",
            "response": {**response, "status": "completed", "output": output},
        },
    ]


def outputs(talk: Talk) -> list[tuple[str, str]]:
    items = [e["item"] for e in talk.sent(ITEM)]
    return [(i["call_id"], i["output"]) for i in items if i["type"] == "function_call_output"]


def _has_outputs(talk: Talk, count: int) -> bool:
    return len(outputs(talk)) == count


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@in_a_loop
async def test_calls_are_answered_in_any_order_and_one_response_follows_the_last(
    order: tuple[int, ...],
) -> None:
    gates = [threading.Event() for _ in range(3)]

    def slow(n: int) -> str:
        """Wait for the test."""
        gates[n].wait(5)
        return f"result {n}"

    asked = calling(*(("slow", f'{{"n": {n}}}') for n in range(3)))
    script: list[Step] = [Expect(CREATE), *asked, Expect(CREATE), *answer("done")]
    async with talking(script=script, tools=Toolbox([slow])) as talk:
        assert await talk.session.respond() == "resp_f"
        for done, n in enumerate(order, 1):
            assert talk.types(CREATE) == [CREATE], "not before the last"
            gates[n].set()
            await talk.until(partial(_has_outputs, talk, done), "its output")
        await talk.until(lambda: "item_1" in talk.session.items.index, "the answer")
        assert outputs(talk) == [(f"call_{n}", f"result {n}") for n in order]
        assert talk.types(CREATE) == [CREATE, CREATE]
        assert talk.session.turns.tools.iloc[-1] == 3


@in_a_loop
async def test_who_shows_the_talk_gets_the_result_itself_after_the_model_has_its_text() -> None:
    table = {"rows": [1, 2]}

    def look() -> object:
        """Look."""
        return table

    asked = calling(("look", "{}"), ("lok", "{}"))
    script: list[Step] = [Expect(CREATE), *asked, Expect(CREATE), *answer("done")]
    async with talking(script=script, tools=Toolbox([look])) as talk:
        await talk.session.respond()
        await talk.until(lambda: len(talk.heard.results) == 2, "both results")
        results = sorted(talk.heard.results)
        assert results == [("call_0", "look", table), ("call_1", "lok", None)]
        assert results[0][2] is table
        assert "gip_nb-loop" not in talk.heard.ran
        await talk.until(lambda: "item_1" in talk.session.items.index, "the answer")


@pytest.mark.parametrize("arguments", ['{"n": ', "[1]", "7", '"[]"', "\x00", "{'n': 1}"])
@in_a_loop
async def test_arguments_that_are_none_are_answered_once_with_an_error(arguments: str) -> None:
    called: list[int] = []

    def slow(n: int = 0) -> int:
        """Note it."""
        called.append(n)
        return n

    asked = calling(("slow", arguments), ("slow", '{"n": 4}'))
    script: list[Step] = [Expect(CREATE), *asked, asked[-1], Expect(CREATE), *answer("sorry")]
    async with talking(script=script, tools=Toolbox([slow])) as talk:
        await talk.session.respond()
        await talk.until(lambda: "item_1" in talk.session.items.index, "the answer")
        (bad, words), good = outputs(talk)
        assert bad == "call_0"
        assert words.startswith("error: the arguments are no")
        assert good == ("call_1", "4")
        assert called == [4]
        assert talk.types(CREATE) == [CREATE, CREATE]
        assert talk.heard.failures == []


# ------------------------------------------------------------------------------------- on the embedded server


@asynccontextmanager
async def rehearsing(**options: Any) -> AsyncIterator[AsyncRealtimeSession]:
    async with gip_nb.connect_async("rehearsal", **options) as session:
        yield session


async def answered(session: AsyncRealtimeSession, count: int) -> None:
    """So many answers are whole."""
    async with asyncio.timeout(10):
        for _ in range(1000):
            if (session.events.event == "response.done").sum() >= count:
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("audio_format", FORMATS, ids=lambda one: one.beta)
@pytest.mark.parametrize("dialect", ["beta", "ga"])
@in_a_loop
async def test_the_users_own_words_are_cut_out_where_they_were_in_every_format(
    audio_format: AudioFormat, dialect: Dialect, fixtures: Path
) -> None:
    words = pcm16_from_wav(fixtures / "stop_slt.wav")
    before_ms = 1000
    pcm = bytes(48 * before_ms) + words + bytes(48 * 1200)
    formats = {"input_audio_format": audio_format.beta, "output_audio_format": audio_format.beta}
    async with rehearsing(dialect=dialect, **formats) as session:
        await on_the_loop(lambda: push(session, pcm))
        await answered(session, 1)
        items = session.items
        (user,) = items.index[items.role == "user"]
        (said,) = items.index[items.role == "assistant"]
        bounds = session.protocol.conversation.items[user]
        start_ms, end_ms = bounds.audio_start_ms, bounds.audio_end_ms
        assert start_ms is not None
        assert end_ms is not None
        encoder, decoder = Encoder(audio_format), Decoder(audio_format)
        whole = decoder.decode(encoder.encode(pcm) + encoder.flush()) + decoder.flush()
        heard = session.audio(user).data[44:]
        assert heard == whole[48 * start_ms : 48 * end_ms]
        # The words, loud in the fixture, lie within it.
        loud = np.flatnonzero(np.abs(np.frombuffer(words, "<i2")) > 1000) / 24 + before_ms
        assert start_ms < loud[0] < loud[-1] < end_ms
        assert start_ms > loud[0] - 450
        assert items.audio_ms[user] == end_ms - start_ms
        # The answer has as much sound as its figures say.
        sound = session.audio(said).data[44:]
        assert len(sound) == items.audio_ms[said] * 48
        assert np.abs(np.frombuffer(sound, "<i2")).max() > 1000
        kinds = {e["type"]: session.payload(n) for n, e in enumerate(session.events.payload)}
        assert kinds["input_audio_buffer.append"]["audio"]
        share = audio_format.sample_bytes * audio_format.rate_hz / 48_000
        appended = session.events[session.events.type == APPEND]
        assert appended.audio_ms.sum() == pytest.approx(len(pcm) / 48, abs=7)
        assert appended.wire_bytes.sum() == pytest.approx(len(pcm) * share * 4 / 3, rel=0.15)


@in_a_loop
async def test_turn_detection_is_switched_in_mid_talk(fixtures: Path) -> None:
    words = pcm16_from_wav(fixtures / "stop_slt.wav")
    pcm = bytes(48 * 500) + words + bytes(48 * 1200)
    async with rehearsing() as session:
        await on_the_loop(lambda: push(session, pcm))
        await answered(session, 1)
        await session.update(turn_detection=None)
        await on_the_loop(lambda: push(session, pcm))
        await session.retrieve(str(session.items.index[0]))
        assert (session.events.type == "input_audio_buffer.speech_started").sum() == 1
        await session.press()
        await on_the_loop(lambda: push(session, pcm))
        await session.release()
        await answered(session, 2)
        await session.update(turn_detection="semantic_vad")
        assert session.protocol.turn_detection is not None
        assert session.protocol.turn_detection["type"] == "semantic_vad"
        await on_the_loop(lambda: push(session, pcm + bytes(48 * 4000)))
        await answered(session, 3)
        users = session.items[session.items.role == "user"]
        # Only what was said while the key was held is the second utterance.
        assert len(users) == 3
        assert users.audio_ms.iloc[1] == len(pcm) / 48
        assert session.audio(str(users.index[1])).data[44:] == pcm
        assert session.turns.status.tolist() == ["completed"] * 3
        assert (session.events.type == "error").sum() == 0


@pytest.mark.parametrize("dialect", ["beta", "ga"])
@in_a_loop
async def test_every_verb_has_its_good_way_on_the_embedded_server(dialect: Dialect) -> None:
    async with rehearsing(dialect=dialect, turn_detection=None) as session:
        first = await session.send_text("hello there")
        assert await session.respond()
        await answered(session, 1)
        (said,) = session.items.index[session.items.role == "assistant"]
        assert (await session.retrieve(first))["content"][0]["text"] == "hello there"
        before = await session.add(
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "be kind"}]},
            "root",
        )
        assert list(session.items.index) == [before, first, said]
        await session.truncate(said, 100)
        await session.delete(first)
        await session.send_audio(SPEECH)
        await session.clear()
        await session.send_audio(SPEECH)
        await session.commit()
        await session.update(instructions="be brief", tool_choice="none")
        beside = await session.respond(conversation="none", output_modalities=["text"])
        assert beside
        await answered(session, 2)
        assert session.items.deleted[first]
        assert session.items.heard_ms[said] == 100
        assert (session.events.type == "error").sum() == 0
        assert not (session.events.type == "local.setting.ignored").any()


@in_both_dialects
@in_a_loop
async def test_an_answer_keeps_the_format_in_which_it_began(dialect: Dialect) -> None:
    said = answer("x", dialect=dialect, audio_ms=300)
    first = next(n for n, e in enumerate(said) if e["type"].endswith("audio.delta")) + 1
    script: list[Step] = [
        Expect(CREATE),
        *said[:first],
        Expect("session.update"),
        Say(session_updated),
        *said[first:],
    ]
    speaker = Half(0)
    async with talking(script=script, dialect=dialect, speaker=speaker) as talk:
        await talk.session.respond()
        await talk.session.update(output_audio_format="g711_ulaw")
        await talk.until(lambda: talk.session.state == "listening", "the end")
        assert talk.session.items.audio_ms["item_1"] == 300
        assert talk.session.audio("item_1").data[44:] == bytes(300 * 48)
        assert speaker.given["item_1"] == 300 * 24
        events = talk.session.events
        assert events[events.item_id == "item_1"].audio_ms.dropna().tolist() == [100] * 3


@in_both_dialects
@in_a_loop
async def test_a_response_may_have_a_format_of_its_own(dialect: Dialect) -> None:
    async with rehearsing(dialect=dialect, turn_detection=None) as session:
        await session.send_text("how are you?")
        await session.respond()
        await answered(session, 1)
        await session.respond(output_audio_format="g711_alaw", input=[TEXT])
        await answered(session, 2)
        one, two = session.items.index[session.items.role == "assistant"]
        for item_id in (one, two):
            sound = np.frombuffer(session.audio(item_id).data[44:], "<i2").astype(float)
            assert len(sound) == session.items.audio_ms[item_id] * 24
            # A voice: neither silence nor noise at full scale.
            assert 300 < np.sqrt((sound**2).mean()) < 6000


@in_a_loop
async def test_a_setting_that_the_dialect_has_not_is_a_warning() -> None:
    async with rehearsing(dialect="beta") as session:
        await session.update(temperature=0.8)
    async with rehearsing(dialect="ga") as session:
        with pytest.warns(SettingIgnored, match="temperature: asked for 0.8, is None"):
            await session.update(temperature=0.8)


@pytest.mark.parametrize("refused", [True, False])
@in_a_loop
async def test_a_format_that_was_refused_is_not_spoken(*, refused: bool) -> None:
    async with talking({"session.update": refuse()} if refused else None) as talk:
        with pytest.raises(ServerError) if refused else nullcontext():
            await talk.session.update(input_audio_format="g711_ulaw")
        await talk.session.send_audio(SPEECH)
        await talk.session.commit()
        sound = b"".join(b64decode(e["audio"]) for e in talk.sent(APPEND))
        assert (sound == SPEECH.tobytes()) == refused
        appended = talk.session.events[talk.session.events.type == APPEND]
        assert appended.audio_ms.sum() == 200
