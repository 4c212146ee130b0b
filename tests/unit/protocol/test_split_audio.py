"""Sound is the same however the wire cuts it: at any byte, in either direction."""

from __future__ import annotations

import base64
import functools
import itertools
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gip_nb.journal.tables import Tables
from gip_nb.protocol.frames import append_frame, read_frame
from tests.unit.protocol import talks
from tests.unit.protocol.pair import ClientEnd, Player
from tests.unit.protocol.scripted import SOUND, Plan, ScriptedServer, cuts
from tests.unit.protocol.server.server_end import ServerEnd, silence, tone

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect

DIALECTS: tuple[Dialect, ...] = ("beta", "ga")
dialects: st.SearchStrategy[Dialect] = st.sampled_from(DIALECTS)


def pieces(whole: bytes, at: list[int]) -> list[bytes]:
    """Cut at these bytes; what repeats or lies outside gives an empty piece."""
    ends = [0, *sorted(min(a, len(whole)) for a in at), len(whole)]
    return [whole[a:b] for a, b in itertools.pairwise(ends)]


def answered(dialect: Dialect, deltas: list[bytes], player: Player | None = None) -> tuple[ClientEnd, str]:
    """A client that was sent an answer in these pieces; the answer's item."""
    end = ClientEnd(dialect, player)
    server = ScriptedServer(dialect, end.receive)
    server.begin(Plan(), 0)
    (item_id,) = server.order
    sounds = [e for e in server.answers if e["type"] == "response.output_audio.delta"]
    at = server.answers.index(sounds[0])
    server.answers[:] = [e for e in server.answers if e not in sounds]
    server.answers[at:at] = [{**sounds[0], "delta": delta} for delta in deltas]
    while server.speakable:
        server.say(0)
    return end, item_id


def check_answer(dialect: Dialect, deltas: list[bytes]) -> None:
    end, item_id = answered(dialect, deltas, Player())
    assert end.player is not None
    assert Tables(end.log).sound(item_id) == SOUND
    assert bytes(end.player.sound[item_id]) == SOUND
    item = end.client.conversation.items[item_id]
    assert item.generated_samples == len(SOUND) // 2
    while end.player.is_playing:
        end.play()
    assert item.played_samples == len(SOUND) // 2
    assert end.client.phase == "listening"


@given(st.lists(st.integers(0, len(SOUND) // 2), max_size=6), dialects)
def test_an_answer_cut_between_samples_is_the_same(at: list[int], dialect: Dialect) -> None:
    check_answer(dialect, pieces(SOUND, [2 * a for a in at]))


@example([1], "ga")
@given(st.lists(st.integers(0, len(SOUND)), max_size=6), dialects)
def test_an_answer_cut_at_any_byte_is_the_same(at: list[int], dialect: Dialect) -> None:
    check_answer(dialect, pieces(SOUND, at))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_cut_at_any_byte_is_the_same_in_the_tables(dialect: Dialect) -> None:
    end, item_id = answered(dialect, cuts(SOUND, 11))
    assert Tables(end.log).sound(item_id) == SOUND


SPOKEN = silence(100) + tone(200) + silence(550)


def heard(dialect: Dialect, appends: list[bytes]) -> tuple[list[tuple[str, int | None]], bytes]:
    """What a server made of a microphone in these pieces: its turn's edges, and the sound that it kept."""
    server = ServerEnd(dialect)
    for piece in appends:
        server.append(piece)
    edges = [
        (e["type"], e.get("audio_start_ms", e.get("audio_end_ms")))
        for e in server.events
        if e["type"].startswith("input_audio_buffer.speech")
    ]
    item_id = server.last("input_audio_buffer.committed")["item_id"]
    (item,) = server.send("conversation.item.retrieve", item_id=item_id)
    return edges, base64.b64decode(item["item"]["content"][0]["audio"])


@functools.cache
def heard_whole(dialect: Dialect) -> tuple[list[tuple[str, int | None]], bytes]:
    return heard(dialect, [SPOKEN])


@given(st.lists(st.integers(0, len(SPOKEN)), max_size=6), dialects)
def test_the_server_hears_the_same_wherever_the_microphone_is_cut(at: list[int], dialect: Dialect) -> None:
    edges, sound = heard(dialect, pieces(SPOKEN, at))
    assert (edges, sound) == heard_whole(dialect)
    assert [kind for kind, _ in edges] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
    ]


def appended(at: list[int]) -> ClientEnd:
    end = ClientEnd()
    for piece in pieces(SPOKEN, at):
        end.client.append_audio(piece)
    end.pump()
    return end


@given(st.lists(st.integers(0, len(SPOKEN)), max_size=6))
def test_what_the_client_sends_is_what_the_microphone_gave(at: list[int]) -> None:
    sent = [base64.b64decode(e["audio"]) for e in appended(at).sent]
    assert b"".join(sent) == SPOKEN


@example([1])
@given(st.lists(st.integers(0, len(SPOKEN)), max_size=6))
def test_samples_are_counted_wherever_the_microphone_is_cut(at: list[int]) -> None:
    end = appended(at)
    assert end.client.appended_samples == len(SPOKEN) // 2
    assert end.client.conversation._appended_samples[-1] == len(SPOKEN) // 2


@given(st.binary(max_size=400), st.booleans())
def test_a_frame_is_taken_apart_without_losing_a_byte(audio: bytes, up: bool) -> None:  # noqa: FBT001 - a case
    frame = append_frame(audio)
    if not up:
        delta = base64.b64encode(audio).decode("ascii")
        raw = json.dumps({"type": "response.output_audio.delta", "item_id": "a", "delta": delta}).encode()
        frame = read_frame(raw)
        assert frame.wire() == raw
    assert (frame.audio, read_frame(frame.wire()).audio) == (audio, audio)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_user_s_own_words_are_cut_out_of_the_stream(dialect: Dialect) -> None:
    pair = talks.new_pair(dialect)
    pair.speak(SPOKEN)
    pair.run()
    user = pair.client.conversation.ordered()[0]
    stored = pair.server.protocol._memory.get(user.item_id, "retrieve").audio
    assert Tables(pair.log).sound(user.item_id) == bytes(stored)
