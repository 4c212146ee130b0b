"""PCM16: in from WAV files and arrays, out as WAV, resampled, cut into frames, measured.

Inside this package audio is `bytes`: int16, little endian, mono, 24 000 Hz, unless a name says otherwise. All
of it is pure and may be called from any thread; a `Resampler` or a `Framer` belongs to one stream and to one
thread at a time.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gip_nb.errors import AudioFileNotFound, BadAudio
from gip_nb.resampling import (
    FULL_SCALE,
    Resampler,
    check_finite,
    checked_rate,
    described,
    resample,
    resampled,
    sample_kind,
    to_int16,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "SAMPLE_RATE_HZ",
    "SILENCE_DBFS",
    "Framer",
    "Resampler",
    "frames",
    "level_dbfs",
    "pcm16_from_array",
    "pcm16_from_wav",
    "pcm16_from_wav_bytes",
    "resample",
    "wav_bytes",
]

SAMPLE_RATE_HZ = 24_000
SILENCE_DBFS = -120.0
"""What `level_dbfs` gives for silence: unlike minus infinity, a number that can be drawn and sent as JSON."""

# 6 dB over full scale: a hot recording is clipped; what is louder was never scaled to [-1, 1].
_LOUDEST_FLOAT = 2.0

# ----------------------------------------------------------------------------------------------------- arrays


def _check_scale(x: NDArray[Any]) -> None:
    """Floats have to be finite and about within [-1, 1]."""
    check_finite(x)
    loudest = float(np.abs(x).max(initial=0.0))
    if loudest > _LOUDEST_FLOAT:
        raise BadAudio(
            f"float samples reach {loudest:g}; full scale is 1.0",
            "scale them to [-1, 1] (divide by 32768 if they were int16), or pass int16.",
        )


def pcm16_from_array(x: NDArray[Any], sample_rate_hz: int) -> bytes:
    """Turns samples into what a session sends.

    Args:
        x: int16, or float32/float64 in [-1, 1] (up to 2.0 is clipped). Shape (n,), or two axes, of which the
            shorter is the channels: (n, channels) and (channels, n) are both understood, channels are
            averaged. Two axes of one length count as (n, channels).
        sample_rate_hz: rate of `x`, 1 000 to 768 000.

    Returns:
        int16 little endian, mono, 24 000 Hz.

    Raises:
        BadAudio: another dtype, shape or rate; NaN or infinity; louder than 2.0; no samples.
    """
    rate_hz = checked_rate(sample_rate_hz, "sample_rate_hz")
    if sample_kind(x) not in {"i2", "f4", "f8"}:
        raise BadAudio(
            f"audio cannot be read from {described(x)}",
            "pass a numpy array of int16, or of float32 or float64 in [-1, 1].",
        )
    if x.ndim not in {1, 2}:
        raise BadAudio(f"audio has one or two axes, not {described(x)}", "pass shape (n,) or (n, channels).")
    if not x.size:
        raise BadAudio(f"there are no samples in {described(x)}", "pass at least one sample.")
    if x.dtype.kind == "f":
        _check_scale(x)
    scale = FULL_SCALE if x.dtype.kind == "f" else 1
    samples = x.astype(np.float64) * scale
    if samples.ndim > 1:
        samples = samples.mean(axis=0 if samples.shape[0] < samples.shape[1] else 1)
    return _pcm16(samples, rate_hz)


def _pcm16(samples: NDArray[np.float64], rate_hz: int) -> bytes:
    """From mono samples in int16 units."""
    pcm = to_int16(resampled(samples, rate_hz, SAMPLE_RATE_HZ)).astype("<i2").tobytes()
    if not pcm:
        raise BadAudio(
            f"{len(samples)} samples at {rate_hz} Hz are less than one at {SAMPLE_RATE_HZ} Hz",
            "pass more audio.",
        )
    return pcm


# -------------------------------------------------------------------------------------------------------- WAV

_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_FORMAT_NAMES = {
    0x0002: "ADPCM",
    0x0006: "A-law",
    0x0007: "µ-law",
    0x0011: "ADPCM",
    0x0031: "GSM",
    0x0055: "MP3",
}
_OTHER_FILES = (
    (b"ID3", "an MP3 file"),
    (b"\xff\xfb", "an MP3 file"),
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"FORM", "an AIFF file"),
    (b"\x1aE\xdf\xa3", "a WebM or Matroska file"),
)
_UNKNOWN_SIZE = 0xFFFF_FFFF
_CONVERT = "convert it to WAV first, for example: ffmpeg -i INPUT -ac 1 -ar 24000 OUTPUT.wav"


def pcm16_from_wav(path: Path | str) -> bytes:
    """Reads a WAV file into what a session sends.

    Understands PCM of 8, 16, 24 and 32 bits and floats of 32 and 64, plain or WAVE_FORMAT_EXTENSIBLE, RIFF or
    RF64, of any rate and any number of channels (averaged). A header's word about length is not trusted: of a
    file that was cut short, was written to a pipe or says less than it holds, the whole frames that are there
    are read.

    Args:
        path: the file.

    Returns:
        int16 little endian, mono, 24 000 Hz.

    Raises:
        AudioFileNotFound: there is no such file.
        BadAudio: it cannot be read, is no WAV, is coded, or has no samples; the text says what was found.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise AudioFileNotFound(path) from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BadAudio(f"{path} cannot be read: {why}", "name a WAV file that you may read.") from error
    return pcm16_from_wav_bytes(data, path.name)


def pcm16_from_wav_bytes(data: bytes, name: str) -> bytes:
    """As `pcm16_from_wav`, from what the file holds.

    Args:
        data: the file, whole.
        name: what errors call it.

    Returns:
        int16 little endian, mono, 24 000 Hz.

    Raises:
        BadAudio: it is no WAV, is coded, or has no samples; the text says what was found.
    """
    try:
        samples, rate_hz = _wav_samples(data)
        return _pcm16(samples, rate_hz)
    except BadAudio as error:
        raise BadAudio(f"{name}: {error.message}", error.next_step) from None


def _wav_samples(data: bytes) -> tuple[NDArray[np.float64], int]:
    """The samples of a WAV, mono, in int16 units, and their rate in Hz."""
    layout, sound = _wav_chunks(data)
    kind, channels, rate_hz, _, align_bytes, bits = struct.unpack_from("<HHIIHH", layout)
    if kind == _EXTENSIBLE and len(layout) >= 26:  # noqa: PLR2004 - where the true kind stands
        kind = struct.unpack_from("<H", layout, 24)[0]
    if not channels:
        raise BadAudio("this WAV says that it has 0 channels", _CONVERT)
    # Samples of, say, 20 bits lie left in containers of 24.
    width = (
        align_bytes // channels if align_bytes in {channels * n for n in (1, 2, 3, 4, 8)} else -(-bits // 8)
    )
    if (kind, width) not in _SAMPLE_READERS:
        name = _FORMAT_NAMES.get(
            kind, {_PCM: f"{bits}-bit PCM", _FLOAT: f"{bits}-bit float"}.get(kind, f"format {kind}")
        )
        raise BadAudio(f"this WAV holds {name}, which is not read here", _CONVERT)
    checked_rate(rate_hz, "the WAV's rate", _CONVERT)
    whole = len(sound) // (width * channels) * width * channels
    if not whole:
        raise BadAudio("this WAV holds no samples", "record again, or choose another file.")
    samples = _SAMPLE_READERS[kind, width](sound[:whole])
    if kind == _FLOAT:
        _check_scale(samples / FULL_SCALE)
    return samples.reshape(-1, channels).mean(axis=1), rate_hz


def _wav_chunks(data: bytes) -> tuple[memoryview, memoryview]:
    """The `fmt ` and the `data` chunk, the latter as far as it is there."""
    if data[:4] not in {b"RIFF", b"RF64"} or data[8:12] != b"WAVE":
        raise BadAudio(f"this is {_kind_of_file(data)}, not a WAV", _CONVERT)
    view = memoryview(data)
    found: dict[bytes, memoryview] = {}
    at = 12
    long_size = len(data)
    while at + 8 <= len(data) and len(found) < 2:  # noqa: PLR2004 - both
        name, size = struct.unpack_from("<4sI", data, at)
        body = view[at + 8 :]
        if name == b"ds64" and len(body) >= 16:  # noqa: PLR2004 - RF64's own sizes, 64 bits each
            long_size = struct.unpack_from("<Q", body, 8)[0]
        elif name == b"data":
            if size == _UNKNOWN_SIZE:
                size = long_size
            elif not _ends_a_chunk(data, at + 8 + size):
                # A header that nobody came back to fill in, or not for the last time.
                size = len(body)
        if name in {b"fmt ", b"data"}:
            found.setdefault(name, body[:size])
        at += 8 + size
        # Some writers leave out the byte that evens an odd chunk.
        at += size % 2 if not _is_chunk_name(data[at : at + 4]) else 0
    if len(found.get(b"fmt ", b"")) < 16:  # noqa: PLR2004 - bytes of the shortest layout
        raise BadAudio("this WAV does not say how its samples are laid out (no `fmt ` chunk)", _CONVERT)
    if b"data" not in found:
        raise BadAudio("this WAV holds no samples (no `data` chunk)", "record again, or choose another file.")
    return found[b"fmt "], found[b"data"]


def _ends_a_chunk(data: bytes, end: int) -> bool:
    """Whether the sound may end here: at the file's end or beyond it, or where something else begins."""
    return data.startswith(b"ID3", end) or _are_chunks(data, end) or _are_chunks(data, end + 1)


def _are_chunks(data: bytes, at: int) -> bool:
    """Whether nothing but chunks follows, up to the file's end; less than a chunk's head is padding."""
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if not _is_chunk_name(name) or at + 8 + size > len(data):
            return False
        at += 8 + size + size % 2
    return True


def _is_chunk_name(name: bytes) -> bool:
    """Four printable letters."""
    return len(name) == 4 and all(0x20 <= byte <= 0x7E for byte in name)  # noqa: PLR2004 - printable ASCII


def _kind_of_file(data: bytes) -> str:
    if not data:
        return "an empty file"
    if data[4:8] == b"ftyp":
        return "an MP4 or M4A file"
    return next(
        (name for start, name in _OTHER_FILES if data.startswith(start)), "no sound file that is known here"
    )


def _scaled(dtype: str, full_scale: float, middle: int = 0) -> Any:  # noqa: ANN401 - a row of the table below
    def read(raw: memoryview) -> NDArray[np.float64]:
        return (np.frombuffer(raw, dtype).astype(np.float64) - middle) * (FULL_SCALE / full_scale)

    return read


def _read_24_bits(raw: memoryview) -> NDArray[np.float64]:
    wide = np.zeros((len(raw) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
    return wide.view("<i4").ravel() * (FULL_SCALE / 2.0**31)


_SAMPLE_READERS = {
    (_PCM, 1): _scaled("u1", 2.0**7, middle=128),
    (_PCM, 2): _scaled("<i2", 2.0**15),
    (_PCM, 3): _read_24_bits,
    (_PCM, 4): _scaled("<i4", 2.0**31),
    (_FLOAT, 4): _scaled("<f4", 1.0),
    (_FLOAT, 8): _scaled("<f8", 1.0),
}


def wav_bytes(pcm: bytes, sample_rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """A WAV file of this audio.

    Args:
        pcm: int16 little endian, mono; may be empty.
        sample_rate_hz: its rate.

    Raises:
        BadAudio: half a sample at the end, or a rate that cannot be.
    """
    rate_hz = checked_rate(sample_rate_hz, "sample_rate_hz")
    if len(pcm) % 2:
        raise BadAudio(f"{len(pcm)} bytes are no whole number of int16 samples", "pass whole samples.")
    layout = struct.pack("<HHIIHH", _PCM, 1, rate_hz, 2 * rate_hz, 2, 16)
    return b"".join(
        (
            struct.pack("<4sI4s", b"RIFF", 36 + len(pcm), b"WAVE"),
            struct.pack("<4sI", b"fmt ", len(layout)),
            layout,
            struct.pack("<4sI", b"data", len(pcm)),
            pcm,
        )
    )


# ----------------------------------------------------------------------------------------------------- frames


def frames(pcm: bytes, frame_bytes: int) -> Iterator[bytes]:
    """Cuts audio into pieces of `frame_bytes`; the last one may be shorter.

    Raises:
        ValueError: `frame_bytes` is not positive.
    """
    if frame_bytes < 1:
        raise ValueError(f"frame_bytes={frame_bytes}: a frame has at least one byte")
    return (pcm[at : at + frame_bytes] for at in range(0, len(pcm), frame_bytes))


class Framer:
    """Cuts a stream of bytes into frames of one size, however the bytes come.

    Args:
        frame_bytes: the size of a frame.

    Raises:
        ValueError: `frame_bytes` is not positive.
    """

    def __init__(self, frame_bytes: int) -> None:
        if frame_bytes < 1:
            raise ValueError(f"frame_bytes={frame_bytes}: a frame has at least one byte")
        self._frame_bytes = frame_bytes
        self._held = b""

    def push(self, data: bytes) -> list[bytes]:
        """Takes the next bytes and gives the frames that are whole by now."""
        data = self._held + data
        whole = len(data) // self._frame_bytes * self._frame_bytes
        self._held = data[whole:]
        return list(frames(data[:whole], self._frame_bytes))

    def rest(self) -> bytes:
        """Takes out what is left, less than a frame."""
        held, self._held = self._held, b""
        return held


def level_dbfs(pcm: bytes) -> float:
    """How loud audio is: its RMS below full scale, in dB.

    Args:
        pcm: int16 little endian. Half a sample at the end is not looked at.

    Returns:
        0.0 for a square wave at full scale, -3.01 for a sine; -120.0 (`SILENCE_DBFS`) for silence and for
        nothing.
    """
    samples = np.frombuffer(pcm, "<i2", len(pcm) // 2).astype(np.float64)
    power = float(samples @ samples) / max(1, len(samples)) / FULL_SCALE**2
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power else SILENCE_DBFS
