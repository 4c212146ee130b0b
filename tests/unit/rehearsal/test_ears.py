"""What the rehearsal server hears with: fakes for what is slow, and the real recogniser once."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.audio import pcm16_from_wav
from gip_nb.protocol.server.input import ears_pcm
from gip_nb.rehearsal.ears import NoEars, Recogniser, find_ears, make_detector, sphinx_decoder

if TYPE_CHECKING:
    from pathlib import Path


class Decoder:
    """A decoder that spells what it was given."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.heard: list[bytes] | None = None
        self.words: str | None = None
        self.mean = ""

    def set_cmn(self, mean: str) -> None:
        self.mean = mean

    def start_utt(self) -> None:
        assert self.heard is None, "an utterance is open"
        self.heard = []

    def process_raw(self, pcm: bytes) -> None:
        assert self.heard is not None
        assert pcm
        self.heard.append(pcm)

    def end_utt(self) -> None:
        assert self.heard is not None
        self.words, self.heard = b"".join(self.heard).decode(), None

    def hyp(self) -> Any:
        return type("Hypothesis", (), {"hypstr": self.words}) if self.words else None


@pytest.fixture
def recogniser() -> Recogniser:
    Decoder.made = 0
    return Recogniser(Decoder)


def test_utterances_do_not_mix(recogniser: Recogniser) -> None:
    for letter_a, letter_b in zip(b"hello", b"world", strict=True):
        recogniser.listen("a", bytes([letter_a]))
        recogniser.listen("b", bytes([letter_b]))
    assert recogniser.understand("a") == "hello"
    assert recogniser.understand("b") == "world"


def test_however_many_speak_few_decoders_are_made(recogniser: Recogniser) -> None:
    for round_ in b"xy":
        for key in "abcdefgh":
            recogniser.listen(key, key.encode() + bytes([round_]))
    assert [recogniser.understand(key) for key in "hgfedcba"] == [f"{key}x{key}y" for key in "hgfedcba"]
    assert Decoder.made <= 3


def test_what_was_dropped_leaves_its_decoder_free(recogniser: Recogniser) -> None:
    for number in range(20):
        recogniser.listen(f"{number}", b"no")
        recogniser.forget(f"{number}")
    recogniser.forget("never heard of")
    assert Decoder.made == 1
    recogniser.listen("last", b"yes")
    assert recogniser.understand("last") == "yes"


def test_nothing_heard_is_no_words(recogniser: Recogniser) -> None:
    assert recogniser.understand("silence") == ""
    recogniser.listen("empty", b"")
    assert recogniser.understand("empty") == ""


def test_without_a_recogniser_nobody_makes_out_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    ears = find_ears()
    assert isinstance(ears, NoEars)

    async def hear() -> str | None:
        ears.warm_up()
        await ears.listen("a", b"\0\0")
        await ears.forget("b")
        return await ears.understand("a")

    assert asyncio.run(hear()) is None
    ears.close()


def test_the_voice_detector_tells_speech_from_silence(fixtures: Path) -> None:
    pcm = ears_pcm(pcm16_from_wav(fixtures / "weather_awb.wav"))
    detector = make_detector(3)
    middle = len(pcm) // 2 // 640 * 640
    assert detector.is_speech(pcm[middle : middle + 640], 16_000)
    assert not make_detector(3).is_speech(bytes(640), 16_000)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("weather_awb.wav", "what is the weather in seoul today"),
        ("hello_slt.wav", "hello can you hear me"),
        ("remember_awb.wav", "please remember that my favorite color is green"),
        ("stop_slt.wav", "stop please"),
    ],
)
def test_the_recogniser_understands_recorded_speech(fixtures: Path, name: str, words: str) -> None:
    pytest.importorskip("pocketsphinx")
    recogniser = Recogniser(sphinx_decoder)
    pcm = ears_pcm(pcm16_from_wav(fixtures / name))
    for start in range(0, len(pcm), 1280):
        recogniser.listen("it", pcm[start : start + 1280])
    assert recogniser.understand("it") == words
