"""What the rehearsal server hears with: a voice detector always, words where a recogniser is installed.

The recogniser is pocketsphinx (BSD licence; its wheel brings an English model), from the optional extra
`gip_nb[rehearsal]`. It listens along while the user speaks, so that the words are there a moment after they
stop.

It holds Python's global lock while it works (measured: 10 to 25 ms for each 40 ms of speech, 0.4 s to load),
which would stop the server's loop. Therefore it runs in a process of its own, which ends when the server's
does.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import webrtcvad

from gip_nb.protocol.server.parts import EARS_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.server.parts import VoiceDetector

__all__ = ["Ears", "EarsProcess", "NoEars", "Recogniser", "find_ears", "make_detector"]

# Where its channel normalisation starts: the mean over a few clean recordings. It starts there for every
# utterance, so that the same sound always gives the same words, and goes on adapting from there.
_CEPSTRAL_MEAN = "46,-1,6,16,-2,-2,4,-5,-3,-2,3,2,1"
# Decoders that listen along at the same time; each holds 100 MB. Further speakers are recorded first.
_LISTENING_AT_ONCE = 2
# States that a decoder follows at once: a tenth of its default takes a fifth less time and hears no worse.
_MOST_STATES = 3000


def make_detector(aggressiveness: int) -> VoiceDetector:
    """A `webrtcvad` voice detector, aggressiveness 0 (lets much pass as voice) to 3."""
    detector: VoiceDetector = webrtcvad.Vad(aggressiveness)
    return detector


class Ears(Protocol):
    """What the server's shell needs; an utterance is known by its key. All calls from the server's loop."""

    def warm_up(self) -> None:
        """Loads what takes time to load, without waiting for it."""
        ...

    async def listen(self, key: str, pcm: bytes) -> None:
        """Takes more of an utterance: int16 mono, 16 000 Hz."""
        ...

    async def understand(self, key: str) -> str | None:
        """Ends an utterance; its words, or None where there are no ears to make out words."""
        ...

    async def forget(self, key: str) -> None:
        """Drops an utterance."""
        ...

    def close(self) -> None:
        """Ends whatever was started."""
        ...


class NoEars:
    """No recogniser is installed: nobody makes out words."""

    def warm_up(self) -> None:
        """Nothing to load."""

    async def listen(self, key: str, pcm: bytes) -> None:
        """Hears nothing."""

    async def understand(self, key: str) -> str | None:
        """None, always."""
        del key
        return None

    async def forget(self, key: str) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing was started."""


class Recogniser:
    """Makes words of sound, several utterances at a time, in the calling thread.

    Args:
        make_decoder: makes a pocketsphinx `Decoder`, or something that has its methods.
    """

    def __init__(self, make_decoder: Callable[[], Any]) -> None:
        self._make_decoder = make_decoder
        self._free: list[Any] = [make_decoder()]
        self._listening: dict[str, Any] = {}
        self._recorded: dict[str, bytearray] = {}

    def listen(self, key: str, pcm: bytes) -> None:
        """Takes more of an utterance: int16 mono, 16 000 Hz."""
        if key in self._recorded:
            self._recorded[key] += pcm
        elif key not in self._listening and len(self._listening) >= _LISTENING_AT_ONCE:
            self._recorded[key] = bytearray(pcm)
        else:
            if key not in self._listening:
                self._listening[key] = self._begin()
            if pcm:
                self._listening[key].process_raw(pcm)

    def understand(self, key: str) -> str:
        """Ends an utterance; its words in lower case, empty where there are none."""
        recorded = self._recorded.pop(key, b"")
        decoder = self._listening.pop(key, None)
        if decoder is None:
            decoder = self._begin()
            if recorded:
                decoder.process_raw(bytes(recorded))
        decoder.end_utt()
        self._free.append(decoder)
        hypothesis = decoder.hyp()
        return "" if hypothesis is None else str(hypothesis.hypstr)

    def forget(self, key: str) -> None:
        """Drops an utterance."""
        self._recorded.pop(key, None)
        decoder = self._listening.pop(key, None)
        if decoder is not None:
            decoder.end_utt()
            self._free.append(decoder)

    def _begin(self) -> Any:  # noqa: ANN401 - pocketsphinx has no types
        decoder = self._free.pop() if self._free else self._make_decoder()
        decoder.set_cmn(_CEPSTRAL_MEAN)
        decoder.start_utt()
        return decoder


def sphinx_decoder() -> Any:  # noqa: ANN401 - pocketsphinx has no types
    """A decoder with the wheel's English model.

    Without its second pass (`fwdflat`): on seven recordings it made 2 word errors instead of 3, and its words
    were there 10 ms after the last sound instead of 70.
    """
    import pocketsphinx

    return pocketsphinx.Decoder(samprate=EARS_RATE_HZ, loglevel="FATAL", fwdflat=False, maxhmmpf=_MOST_STATES)


class EarsProcess:
    """A `Recogniser` in a process of its own, which takes one job at a time, in order."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def warm_up(self) -> None:
        """Starts the process and loads the model in it."""
        self._executor().submit(_ready)

    async def listen(self, key: str, pcm: bytes) -> None:
        """Takes more of an utterance; see `Recogniser.listen`."""
        await self._run(_listen, key, pcm)

    async def understand(self, key: str) -> str | None:
        """Ends an utterance; see `Recogniser.understand`."""
        words: str = await self._run(_understand, key)
        return words

    async def forget(self, key: str) -> None:
        """Drops an utterance."""
        await self._run(_forget, key)

    def close(self) -> None:
        """Ends the process, without waiting for it."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=_start_in_process
            )
        return self._pool

    async def _run(self, job: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - any job's result
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor(), job, *arguments)
        except BrokenExecutor:
            self._pool = None  # the next utterance gets a new process
            raise


def find_ears() -> Ears:
    """The best ears that are installed."""
    try:
        import pocketsphinx  # noqa: F401 - to see whether it can be
    except (ImportError, OSError):  # not installed, or a wheel for another machine
        return NoEars()
    return EarsProcess()


# --------------------------------------------------------------------------------- in the process of the ears

_recogniser: Recogniser | None = None


def _start_in_process() -> None:
    global _recogniser  # noqa: PLW0603 - the process has one recogniser, and its jobs are plain functions
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the server's to deal with
    threading.Thread(target=_end_with_server, daemon=True).start()
    _recogniser = Recogniser(sphinx_decoder)


def _end_with_server() -> None:
    """A killed server cannot end its children; waiting for it in the child can."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(0)


def _working() -> Recogniser:
    if _recogniser is None:
        raise RuntimeError("the recogniser was not started in this process")
    return _recogniser


def _ready() -> None:
    _working()


def _listen(key: str, pcm: bytes) -> None:
    _working().listen(key, pcm)


def _understand(key: str) -> str:
    return _working().understand(key)


def _forget(key: str) -> None:
    _working().forget(key)
