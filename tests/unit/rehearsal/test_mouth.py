"""What the rehearsal server speaks with."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gip_nb.audio import level_dbfs
from gip_nb.protocol.server.input import ears_pcm
from gip_nb.rehearsal.ears import Recogniser, sphinx_decoder
from gip_nb.rehearsal.mouth import Echo, Espeak, find_mouth

TEXT = "You asked: what is the weather in Seoul today. This is the rehearsal server."


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    pytest.importorskip("espeakng_loader")
    return Espeak()


def length_s(pcm: bytes) -> float:
    return len(pcm) / 48_000


def test_without_a_synthesiser_the_user_hears_their_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    mouth = find_mouth()
    assert isinstance(mouth, Echo)
    assert mouth.speak(TEXT, "alloy", 1.0, b"\x01\x02" * 100) == b"\x01\x02" * 100


def test_who_said_nothing_hears_a_tone_per_word() -> None:
    pcm = Echo().speak("one two three", "alloy", 1.0, b"")
    assert length_s(pcm) == pytest.approx(0.6)
    assert -40 < level_dbfs(pcm) < -15
    assert length_s(Echo().speak("word " * 1000, "alloy", 1.0, b"")) < 10
    assert Echo().speak("", "alloy", 1.0, b"") == b""


def test_espeak_speaks_in_words_that_a_recogniser_understands(espeak: Espeak) -> None:
    pytest.importorskip("pocketsphinx")
    pcm = espeak.speak("what is the weather in seoul today", "alloy", 1.0, b"")
    recogniser = Recogniser(sphinx_decoder)
    recogniser.listen("it", bytes(6400) + ears_pcm(pcm) + bytes(6400))
    words = recogniser.understand("it").split()
    assert len({"what", "is", "the", "weather", "in", "seoul", "today"} & set(words)) >= 3, words


def test_espeak_speaks_at_the_speed_that_is_asked_for(espeak: Espeak) -> None:
    normal = length_s(espeak.speak(TEXT, "alloy", 1.0, b""))
    assert 3 < normal < 7
    assert length_s(espeak.speak(TEXT, "alloy", 1.5, b"")) < 0.8 * normal
    assert length_s(espeak.speak(TEXT, "alloy", 0.6, b"")) > 1.3 * normal


def test_voices_differ_and_unknown_ones_are_the_default(espeak: Espeak) -> None:
    lengths = {
        voice: len(espeak.speak(TEXT, voice, 1.0, b"")) for voice in ("alloy", "ash", "coral", "shimmer")
    }
    assert len(set(lengths.values())) == 4
    assert len(espeak.speak(TEXT, "somebody", 1.0, b"")) == pytest.approx(lengths["alloy"], rel=0.001)


def test_espeak_is_neither_silent_nor_clipped(espeak: Espeak) -> None:
    samples = np.frombuffer(espeak.speak(TEXT, "alloy", 1.0, b""), "<i2").astype(int)
    assert np.mean(np.abs(samples) >= 32_767) < 0.001
    assert level_dbfs(samples.astype("<i2").tobytes()) > -30


@pytest.mark.parametrize("text", ["", " ", "\0", "안녕하세요", "<speak>&amp;", "!?.,"])
def test_espeak_survives_odd_texts(espeak: Espeak, text: str) -> None:
    assert len(espeak.speak(text, "alloy", 1.0, b"")) % 2 == 0


def test_threads_wait_for_each_other(espeak: Espeak) -> None:
    texts = [f"number {number} speaking" for number in range(8)]
    alone = [espeak.speak(text, "alloy", 1.0, b"") for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: espeak.speak(text, "alloy", 1.0, b""), texts))
    # Not sample by sample: espeak-ng breathes at random.
    assert list(map(len, together)) == pytest.approx(list(map(len, alone)), rel=0.01)
