"""What the tests with other people's clients share: the server, its pace, and what is said to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gip_nb.audio import pcm16_from_wav
from tests.sim.rehearsal_process import MS, server_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.sim.rehearsal_process import ServerProcess

MODEL = "gpt-realtime"
# A test must not take longer than this: a client that waits for an event that never comes fails by it.
TALK_TIMEOUT_S = 25.0
# Answers come this many times faster than real time: fast enough for a test, slow enough to be talked over.
PACE = 5.0
FRAME_MS = 40
WEATHER = "It is 31 degrees in Seoul, and sunny."
WEATHER_TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def paced_server(pace: float = PACE) -> AbstractContextManager[ServerProcess]:
    """`gip-nb serve`, with ears and a mouth; `pace` times faster than real time."""
    return server_process("--pace", str(pace))


def needs_speech() -> None:
    """Skips the test where the server would neither hear words nor say any."""
    pytest.importorskip("pocketsphinx", reason="pocketsphinx hears the words: install gip_nb[rehearsal]")
    pytest.importorskip("espeakng_loader", reason="espeak says the answers: install gip_nb[rehearsal]")


def utterance(wav: Path) -> bytes:
    """What a microphone hears when this is said: a pause, the words, and a pause that ends the turn."""
    return bytes(200 * MS) + pcm16_from_wav(wav) + bytes(900 * MS)


def frames(pcm: bytes) -> Iterator[bytes]:
    """As a microphone gives it: 40 ms each."""
    for start in range(0, len(pcm), FRAME_MS * MS):
        yield pcm[start : start + FRAME_MS * MS]
