"""What goes to the player: one stream an item whatever the wire's format, its end, and what runs beside."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.audio_formats import ALAW, FORMATS, PCM16, ULAW, AudioFormat, Decoder, Encoder
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.frames import Event
from gip_nb.protocol.outputs import Flush, Output, Play, PlayEnd
from gip_nb.protocol.playback import Playback

MS = 24
DELETE = "conversation.item.delete"
TRUNCATE = "conversation.item.truncate"
TONE = (np.round(9000 * np.sin(2 * math.pi * 440 * np.arange(2400) / 24_000))).astype("<i2").tobytes()
in_every_format = pytest.mark.parametrize("audio_format", FORMATS, ids=lambda one: one.beta)


class Player:
    """The player's side, fed as the client's end feeds it."""

    def __init__(self, audio_format: AudioFormat = PCM16) -> None:
        self.conversation = Conversation()
        self.outputs: list[Output] = []
        self.sent: list[dict[str, Any]] = []
        self.playback = Playback(self.conversation, self.outputs.append, self.sent.append)
        self.got("session.updated", session={"audio": {"output": {"format": audio_format.as_ga()}}})

    def got(self, kind: str, audio: bytes | None = None, **fields: Any) -> Event:
        event = Event(kind, {"type": kind, **fields}, audio)
        self.conversation.apply(event, "received")
        return event

    def audio(self, wire: bytes, item_id: str = "a", response_id: str = "r") -> None:
        ids = {"response_id": response_id, "item_id": item_id}
        self.playback.receive(self.got("response.output_audio.delta", wire, **ids), player=True)

    def audio_done(self, item_id: str = "a") -> None:
        self.playback.receive_end(self.got("response.output_audio.done", item_id=item_id))

    def created(self, response_id: str, **fields: Any) -> None:
        self.got("response.created", response={"id": response_id, **fields})

    def done(self, response_id: str = "r") -> None:
        self.got("response.done", response={"id": response_id, "status": "completed"})
        self.playback.response_done(self.conversation.responses[response_id])

    def flushed(self, **played_ms: int) -> None:
        kind = "local.playback.flushed"
        self.playback.flushed(
            [
                Event(kind, {"type": kind, "item_id": i, "played_samples": ms * MS, "output_latency_ms": 0})
                for i, ms in played_ms.items()
            ]
        )

    def played(self, item_id: str = "a") -> bytes:
        """What was given for this item; each piece begins where the one before it ended."""
        pcm = b""
        for one in self.outputs:
            if isinstance(one, Play) and one.item_id == item_id:
                assert one.start_sample * 2 == len(pcm)
                pcm += one.audio
        return pcm

    def ends(self) -> list[tuple[str, int]]:
        return [(one.item_id, one.samples) for one in self.outputs if isinstance(one, PlayEnd)]


def wire_of(audio_format: AudioFormat) -> bytes:
    encoder = Encoder(audio_format)
    return encoder.encode(TONE) + encoder.flush()


def sound_of(audio_format: AudioFormat, wire: bytes) -> bytes:
    decoder = Decoder(audio_format)
    return decoder.decode(wire) + decoder.flush()


@in_every_format
@given(cuts=st.lists(st.integers(0, 4800), max_size=6))
def test_pieces_cut_anywhere_are_one_stream_and_its_end_tells_its_length(
    audio_format: AudioFormat, cuts: list[int]
) -> None:
    player, wire = Player(audio_format), wire_of(audio_format)
    edges = [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
    for start, end in itertools.pairwise(edges):
        player.audio(wire[start:end])
    player.audio_done()
    assert player.played() == sound_of(audio_format, wire)
    assert player.ends() == [("a", 2400)]


@in_every_format
def test_where_the_end_of_the_audio_is_never_told_the_response_s_end_tells_it(
    audio_format: AudioFormat,
) -> None:
    player, wire = Player(audio_format), wire_of(audio_format)
    player.audio(wire)
    assert player.ends() == []
    player.done()
    assert player.played() == sound_of(audio_format, wire), "its last milliseconds too"
    assert player.ends() == [("a", 2400)]


@in_every_format
def test_an_end_that_is_told_twice_ends_once(audio_format: AudioFormat) -> None:
    player = Player(audio_format)
    player.audio(wire_of(audio_format))
    player.audio_done()
    player.audio_done()
    player.done()
    assert player.ends() == [("a", 2400)]


def test_two_items_at_once_are_two_streams() -> None:
    player, wire = Player(ULAW), wire_of(ULAW)
    for start in range(0, len(wire), 100):
        player.audio(wire[start : start + 100], "a")
        player.audio(wire[start : start + 100][::-1], "b")
    player.done()
    assert player.played("a") == sound_of(ULAW, wire)
    assert len(player.played("b")) == len(player.played("a"))
    assert player.ends() == [("a", 2400), ("b", 2400)]


def test_an_answer_keeps_the_format_in_which_it_began() -> None:
    player, wire = Player(ALAW), wire_of(ALAW)
    player.audio(wire[:400])
    player.got("session.updated", session={"audio": {"output": {"format": PCM16.as_ga()}}})
    player.audio(wire[400:])
    player.done()
    assert player.played() == sound_of(ALAW, wire)
    player.audio(TONE, "b", "r2")
    player.done("r2")
    assert player.played("b") == TONE


def test_a_response_s_own_format_is_its_own_alone() -> None:
    player, wire = Player(PCM16), wire_of(ULAW)
    player.created("r", audio={"output": {"format": ULAW.as_ga()}})
    player.audio(wire)
    player.done()
    player.audio(TONE, "b", "r2")
    player.done("r2")
    assert (player.played("a"), player.played("b")) == (sound_of(ULAW, wire), TONE)


def beside(player: Player, response_id: str = "r") -> None:
    asked = {"conversation": "none", "metadata": {"topic": "x"}}
    event = Event("response.create", {"type": "response.create", "response": asked})
    player.conversation.apply(event, "sent")
    player.created(response_id, metadata={"topic": "x"})


@pytest.mark.parametrize("played_ms", [0, 40, 100])
@pytest.mark.parametrize("is_over", [False, True])
def test_what_runs_beside_is_stopped_and_neither_truncated_nor_deleted(
    played_ms: int, *, is_over: bool
) -> None:
    player = Player()
    beside(player)
    player.audio(TONE)
    if is_over:
        player.done()
    assert player.playback.cut(None)
    assert any(isinstance(one, Flush) for one in player.outputs)
    player.flushed(a=played_ms)
    if not is_over:
        player.done()
    assert player.sent == []


def test_the_answer_that_it_runs_beside_is_truncated_and_it_is_not() -> None:
    player = Player()
    beside(player, "r")
    player.audio(TONE, "a", "r")
    player.created("r2")
    player.audio(TONE, "b", "r2")
    player.playback.cut("r2")
    assert player.playback.cut_items == ("a", "b")
    player.flushed(a=10, b=40)
    player.done("r")
    player.done("r2")
    assert player.sent == [
        {"type": TRUNCATE, "item_id": "b", "content_index": 0, "audio_end_ms": 40},
    ]


@in_every_format
def test_nothing_more_is_given_of_what_was_stopped(audio_format: AudioFormat) -> None:
    player, wire = Player(audio_format), wire_of(audio_format)
    player.audio(wire)
    before = player.played()
    player.playback.cut("r")
    player.audio(wire)
    player.audio_done()
    player.flushed(a=50)
    player.done()
    assert player.played() == before
    assert player.ends() == []
    assert [e["audio_end_ms"] for e in player.sent] == [50]
    assert player.conversation.items["a"].generated_samples == 4800
