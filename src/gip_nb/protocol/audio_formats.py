"""The audio formats of a session: what 24 000 Hz PCM16 becomes on the wire, and back. Pure.

Inside, all sound is PCM16 little endian, mono, 24 000 Hz, and is counted in its samples, whatever passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gip_nb import g711
from gip_nb.resampling import Resampler

if TYPE_CHECKING:
    from gip_nb.g711 import Law

__all__ = [
    "ALAW",
    "FORMATS",
    "PCM16",
    "ULAW",
    "AudioFormat",
    "Decoder",
    "Encoder",
    "format_of",
    "format_told",
]

_RATE_HZ = 24_000


class AudioFormat(NamedTuple):
    """One format of the wire.

    Attributes:
        type: its GA name.
        beta: its beta name.
        rate_hz: samples a second.
        sample_bytes: bytes of a sample.
        law: of G.711, else None.
    """

    type: str
    beta: str
    rate_hz: int
    sample_bytes: int
    law: Law | None

    def samples(self, wire_bytes: int) -> int:
        """How many samples at 24 000 Hz so many bytes of the wire are."""
        return wire_bytes // self.sample_bytes * self.samples_each

    @property
    def samples_each(self) -> int:
        """How many samples at 24 000 Hz one of the wire's is."""
        return _RATE_HZ // self.rate_hz

    def as_ga(self) -> dict[str, Any]:
        """As a session names it, canonical."""
        return {"type": self.type} if self.law else {"type": self.type, "rate": self.rate_hz}


PCM16 = AudioFormat("audio/pcm", "pcm16", _RATE_HZ, 2, None)
ULAW = AudioFormat("audio/pcmu", "g711_ulaw", 8_000, 1, "ulaw")
ALAW = AudioFormat("audio/pcma", "g711_alaw", 8_000, 1, "alaw")
FORMATS = (PCM16, ULAW, ALAW)


def format_of(told: object) -> AudioFormat:
    """The format that a session's `format` names, in either dialect; PCM16 where it names none of these."""
    name = told.get("type") if isinstance(told, dict) else told
    return next((f for f in FORMATS if name in (f.type, f.beta)), PCM16)


def format_told(session: dict[str, Any], side: str) -> object:
    """The audio format that a session, whole or in part, names for `input` or `output`; None without."""
    audio = session.get("audio")
    found = audio.get(side) if isinstance(audio, dict) else None
    return found.get("format") if isinstance(found, dict) else None


def _whole_samples(data: bytes, audio_format: AudioFormat) -> tuple[bytes, bytes]:
    """As much as ends with a sample, and the rest."""
    rest = len(data) % audio_format.sample_bytes
    return (data[:-rest], data[-rest:]) if rest else (data, b"")


class Encoder:
    """One stream from 24 000 Hz PCM16 to the wire. For one thread at a time.

    Args:
        audio_format: the wire's.
    """

    def __init__(self, audio_format: AudioFormat = PCM16) -> None:
        self.format = audio_format
        self._resampler = Resampler(_RATE_HZ, audio_format.rate_hz) if audio_format.law else None
        self._rest = b""

    def encode(self, pcm: bytes) -> bytes:
        """The next piece; of a telephone format its last 6 ms are given with the piece after it."""
        if self._resampler is None or self.format.law is None:
            return pcm
        pcm, self._rest = _whole_samples(self._rest + pcm, PCM16)
        return g711.encode(self._resampler.process(np.frombuffer(pcm, "<i2")), self.format.law)

    def flush(self) -> bytes:
        """What was kept back; the next piece begins anew."""
        if self._resampler is None or self.format.law is None:
            return b""
        return g711.encode(self._resampler.flush(), self.format.law)


class Decoder:
    """One stream from the wire to 24 000 Hz PCM16. For one thread at a time.

    Args:
        audio_format: the wire's.
    """

    def __init__(self, audio_format: AudioFormat = PCM16) -> None:
        self.format = audio_format
        self._resampler = Resampler(audio_format.rate_hz, _RATE_HZ) if audio_format.law else None
        self._rest = b""

    def decode(self, data: bytes) -> bytes:
        """The next piece, whole samples; of a telephone format the last 6 ms come with the piece after it."""
        data, self._rest = _whole_samples(self._rest + data, self.format)
        if self._resampler is None or self.format.law is None:
            return data
        return self._resampler.process(g711.decode(data, self.format.law)).tobytes()

    def flush(self) -> bytes:
        """What was kept back; the next piece begins anew."""
        return b"" if self._resampler is None else self._resampler.flush().tobytes()
