"""Audio in from files and arrays, out as WAV; frames; level."""

from __future__ import annotations

import io
import itertools
import math
import struct
import subprocess
import sys
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.audio import (
    SAMPLE_RATE_HZ,
    SILENCE_DBFS,
    Framer,
    frames,
    level_dbfs,
    pcm16_from_array,
    pcm16_from_wav,
    wav_bytes,
)
from gip_nb.errors import AudioFileNotFound, BadAudio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    WriteWav = Callable[[bytes], Path]

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(2_400) / 24_000)).astype(np.float32)
TONE_INT16 = np.rint(TONE * 32_768).astype(np.int16)


def samples(pcm: bytes) -> NDArray[np.int16]:
    return np.frombuffer(pcm, "<i2")


# ----------------------------------------------------------------------------------------------------- arrays


def test_int16_at_the_right_rate_is_itself() -> None:
    assert pcm16_from_array(TONE_INT16, SAMPLE_RATE_HZ) == TONE_INT16.tobytes()
    assert pcm16_from_array(TONE_INT16.astype(">i2"), SAMPLE_RATE_HZ) == TONE_INT16.tobytes()
    assert pcm16_from_array(TONE_INT16[::-1][::-1], SAMPLE_RATE_HZ) == TONE_INT16.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_scaled(dtype: type) -> None:
    assert pcm16_from_array(TONE.astype(dtype), SAMPLE_RATE_HZ) == TONE_INT16.tobytes()
    assert list(samples(pcm16_from_array(np.array([1, -1, 0, 1.5], dtype), 24_000))) == [
        32_767,
        -32_768,
        0,
        32_767,
    ]


def test_channels_are_the_shorter_axis_and_are_averaged() -> None:
    left, right = TONE_INT16, np.zeros_like(TONE_INT16)
    half = np.rint(TONE_INT16 / 2).astype(np.int16).tobytes()
    assert pcm16_from_array(np.stack([left, right], axis=1), 24_000) == half
    assert pcm16_from_array(np.stack([left, right], axis=0), 24_000) == half
    assert pcm16_from_array(left[None, :], 24_000) == left.tobytes()
    assert pcm16_from_array(left[:, None], 24_000) == left.tobytes()
    square = np.array([[100, 200], [300, 400]], np.int16)
    assert list(samples(pcm16_from_array(square, 24_000))) == [150, 350]


def test_loud_channels_do_not_overflow() -> None:
    both = np.full((10, 2), 32_767, np.int16)
    assert set(samples(pcm16_from_array(both, 24_000))) == {32_767}


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, np.int64(48_000), 48_000.0])
def test_arrays_are_resampled(rate_hz: float) -> None:
    n = int(rate_hz)
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(n) / n)).astype(np.float32)
    seen = samples(pcm16_from_array(tone, rate_hz))  # type: ignore[arg-type]  # whole floats are taken too
    wanted = np.rint(0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000) * 32_768)
    assert len(seen) == 24_000
    # 1 is rounding; the rest is 65 dB below full scale.
    assert np.abs(seen - wanted)[1_000:-1_000].max() <= 10


def test_silence_is_audio() -> None:
    assert pcm16_from_array(np.zeros(480, np.int16), 48_000) == bytes(480)


@pytest.mark.parametrize(
    ("x", "rate_hz", "found"),
    [
        (np.zeros(0, np.int16), 24_000, "no samples"),
        (np.zeros((0, 2), np.float32), 24_000, "no samples"),
        (np.zeros(1, np.int16), 768_000, "less than one"),
        (np.zeros(4, np.int32), 24_000, "int32"),
        (np.zeros(4, np.uint8), 24_000, "uint8"),
        (np.zeros(4, np.float16), 24_000, "float16"),
        (np.zeros(4, complex), 24_000, "complex"),
        (np.zeros((2, 2, 2), np.int16), 24_000, "two axes"),
        (np.array(0.5), 24_000, "two axes"),
        ([0.0, 0.1], 24_000, "a list"),
        (b"\0\0", 24_000, "a bytes"),
        (None, 24_000, "NoneType"),
        (np.array([0.0, math.nan]), 24_000, "index 1"),
        (np.array([0.0, math.inf]), 24_000, "infinite"),
        (np.array([0.0, 20_000.0]), 24_000, "20000"),
        (np.zeros(4, np.int16), 24, "Hz"),
        (np.zeros(4, np.int16), "24000", "sample_rate_hz"),
    ],
)
def test_bad_arrays_are_named(x: object, rate_hz: object, found: str) -> None:
    with pytest.raises(BadAudio) as caught:
        pcm16_from_array(x, rate_hz)  # type: ignore[arg-type]  # what is tested
    assert found in caught.value.message
    assert caught.value.next_step


# -------------------------------------------------------------------------------------------------------- WAV


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)


def layout(kind: int, channels: int, rate_hz: int, bits: int, align: int | None = None) -> bytes:
    align = channels * bits // 8 if align is None else align
    return struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * align, align, bits)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def encoded(x: NDArray[np.float64], kind: int, bits: int) -> bytes:
    if kind == 3:
        return x.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return (np.rint(x * 128) + 128).clip(0, 255).astype("u1").tobytes()
    whole = np.rint(x * 2.0 ** (bits - 1)).clip(-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1).astype("<i4")
    if bits == 24:
        return whole.view("u1").reshape(-1, 4)[:, :3].tobytes()
    return whole.astype(f"<i{bits // 8}").tobytes()


def stereo(kind: int, bits: int) -> bytes:
    x = np.stack([TONE.astype(np.float64), np.zeros(len(TONE))], axis=1).ravel()
    return encoded(x, kind, bits)


@pytest.fixture
def wav(tmp_path: Path) -> WriteWav:
    def write(data: bytes) -> Path:
        path = tmp_path / "some.wav"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(("kind", "bits"), [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)])
@pytest.mark.parametrize("is_extensible", [False, True])
def test_every_kind_of_sample(wav: WriteWav, kind: int, bits: int, *, is_extensible: bool) -> None:
    if is_extensible:
        guid = struct.pack("<H", kind) + bytes.fromhex("000000001000800000aa00389b71")
        form = layout(0xFFFE, 2, 24_000, bits) + struct.pack("<HHI", 22, bits, 3) + guid
    else:
        form = layout(kind, 2, 24_000, bits)
    seen = samples(pcm16_from_wav(wav(riff(chunk(b"fmt ", form), chunk(b"data", stereo(kind, bits))))))
    assert len(seen) == len(TONE)
    assert np.abs(seen - TONE_INT16 / 2).max() <= (130 if bits == 8 else 1)


def test_20_bits_lie_in_containers_of_24(wav: WriteWav) -> None:
    form = layout(1, 1, 24_000, 20, align=3)
    seen = samples(
        pcm16_from_wav(wav(riff(chunk(b"fmt ", form), chunk(b"data", encoded(TONE.astype(float), 1, 24)))))
    )
    assert np.abs(seen - TONE_INT16).max() <= 1


def test_other_chunks_are_passed_over(wav: WriteWav) -> None:
    data = riff(
        chunk(b"LIST", b"odd"),  # odd length: a byte of padding follows
        chunk(b"fmt ", layout(1, 1, 24_000, 16)),
        chunk(b"fact", bytes(4)),
        chunk(b"data", TONE_INT16.tobytes()),
        chunk(b"LIST", b"more"),
    )
    assert pcm16_from_wav(wav(data)) == TONE_INT16.tobytes()


def test_an_odd_chunk_may_lack_its_padding(wav: WriteWav) -> None:
    odd = struct.pack("<4sI", b"LIST", 3) + b"odd"
    data = riff(odd, chunk(b"fmt ", layout(1, 1, 24_000, 16)), odd, chunk(b"data", TONE_INT16.tobytes()))
    assert pcm16_from_wav(wav(data)) == TONE_INT16.tobytes()


def test_sound_may_stand_before_its_layout(wav: WriteWav) -> None:
    data = riff(chunk(b"data", TONE_INT16.tobytes()), chunk(b"fmt ", layout(1, 1, 24_000, 16)))
    assert pcm16_from_wav(wav(data)) == TONE_INT16.tobytes()


@given(st.integers(0, 0xFFFF_FFFF), st.booleans())
def test_whatever_the_header_says_all_of_the_sound_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    size: int,
    riff_too: bool,  # noqa: FBT001 - a case
) -> None:
    path = tmp_path_factory.getbasetemp() / "liar.wav"
    riff_size = struct.pack("<I", size) if riff_too else WHOLE[4:8]
    path.write_bytes(WHOLE[:4] + riff_size + WHOLE[8:40] + struct.pack("<I", size) + WHOLE[44:])
    assert pcm16_from_wav(path) == TONE_INT16.tobytes()


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_files_of_other_writers(tmp_path: Path, rate_hz: int, channels: int) -> None:
    tone = np.rint(8_000 * np.sin(2 * np.pi * 440 * np.arange(rate_hz // 2) / rate_hz)).astype("<i2")
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat(tone, channels).tobytes())
    seen = samples(pcm16_from_wav(path))
    wanted = 8_000 * np.sin(2 * np.pi * 440 * np.arange(12_000) / 24_000)
    assert abs(len(seen) - 12_000) <= 1
    assert np.abs(seen[1_000:11_000] - wanted[1_000:11_000]).max() <= 5
    assert pcm16_from_wav(str(path)) == pcm16_from_wav(path)


def test_recorded_speech(fixtures: Path, speech: dict[str, dict[str, Any]]) -> None:
    assert len(samples(pcm16_from_wav(fixtures / "weather_slt.wav"))) == speech["weather_slt.wav"]["samples"]


WHOLE = riff(chunk(b"fmt ", layout(1, 2, 24_000, 16)), chunk(b"data", np.repeat(TONE_INT16, 2).tobytes()))


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x7FFF_F000, 0])
def test_a_length_that_was_never_filled_in_is_not_believed(wav: WriteWav, size: int) -> None:
    data = WHOLE[:4] + bytes(4) + WHOLE[8:40] + struct.pack("<I", size) + WHOLE[44:]
    assert pcm16_from_wav(wav(data)) == TONE_INT16.tobytes()


def test_rf64_has_its_sizes_elsewhere(wav: WriteWav) -> None:
    sound = TONE_INT16.tobytes()
    sizes = struct.pack("<QQQI", 0, len(sound), len(TONE_INT16), 0)
    data = riff(
        chunk(b"ds64", sizes),
        chunk(b"fmt ", layout(1, 1, 24_000, 16)),
        struct.pack("<4sI", b"data", 0xFFFF_FFFF) + sound,
        chunk(b"LIST", b"more"),
    )
    assert pcm16_from_wav(wav(b"RF64" + b"\xff" * 4 + data[8:])) == sound


@given(st.integers(0, len(WHOLE)))
def test_a_file_that_was_cut_short_gives_what_is_there(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.wav"
    path.write_bytes(WHOLE[:cut])
    frames_there = (cut - 44) // 4
    if frames_there < 1:
        with pytest.raises(BadAudio):
            pcm16_from_wav(path)
    else:
        assert pcm16_from_wav(path) == TONE_INT16[:frames_there].tobytes()


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_a_broken_file_is_audio_or_bad_audio(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, start: int, end: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "broken.wav"
    path.write_bytes(WHOLE[: min(start, end)] + junk + WHOLE[max(start, end) :])
    try:
        pcm = pcm16_from_wav(path)
    except BadAudio as error:
        pcm = error.message.encode()
        said = error.message.startswith("broken.wav: ") and bool(error.next_step)
    else:
        said = len(pcm) % 2 == 0
    assert said, pcm


FORM = chunk(b"fmt ", layout(1, 1, 24_000, 16))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"ID3\x04 and so on", "an MP3 file"),
        (b"OggS and so on", "an Ogg file"),
        (b"fLaC and so on", "a FLAC file"),
        (b"\0\0\0\x20ftypM4A ", "MP4 or M4A"),
        (b"hello, I am text", "no sound file"),
        (riff(FORM), "no `data` chunk"),
        (riff(FORM, chunk(b"data", b"")), "no samples"),
        (riff(FORM, chunk(b"data", b"\0")), "no samples"),
        (riff(chunk(b"data", bytes(8))), "no `fmt ` chunk"),
        (riff(chunk(b"fmt ", bytes(4)), chunk(b"data", bytes(8))), "no `fmt ` chunk"),
        (riff(chunk(b"fmt ", layout(7, 1, 8_000, 8)), chunk(b"data", bytes(8))), "µ-law"),
        (riff(chunk(b"fmt ", layout(0x55, 1, 8_000, 0)), chunk(b"data", bytes(8))), "MP3"),
        (riff(chunk(b"fmt ", layout(0x1234, 1, 8_000, 16)), chunk(b"data", bytes(8))), "format 4660"),
        (riff(chunk(b"fmt ", layout(1, 1, 8_000, 64)), chunk(b"data", bytes(8))), "64-bit PCM"),
        (riff(chunk(b"fmt ", layout(1, 0, 8_000, 16)), chunk(b"data", bytes(8))), "0 channels"),
        (riff(chunk(b"fmt ", layout(1, 1, 0, 16)), chunk(b"data", bytes(8))), "rate"),
        (riff(chunk(b"fmt ", layout(3, 1, 8_000, 32)), chunk(b"data", b"\0\0\xc0\x7f")), "NaN"),
        (riff(chunk(b"fmt ", layout(3, 1, 8_000, 32)), chunk(b"data", struct.pack("<f", 9e3))), "9000"),
    ],
)
def test_what_is_no_usable_wav_is_named(wav: WriteWav, data: bytes, found: str) -> None:
    with pytest.raises(BadAudio) as caught:
        pcm16_from_wav(wav(data))
    assert found in caught.value.message
    assert "some.wav" in caught.value.message
    assert caught.value.next_step


def test_no_file_and_no_file_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(AudioFileNotFound, match=r"none\.wav"):
        pcm16_from_wav(tmp_path / "none.wav")
    with pytest.raises(BadAudio, match="cannot be read"):
        pcm16_from_wav(tmp_path)


@pytest.mark.parametrize("rate_hz", [24_000, 16_000])
def test_our_wav_is_read_by_others_and_by_us(wav: WriteWav, rate_hz: int) -> None:
    data = wav_bytes(TONE_INT16.tobytes(), rate_hz)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate_hz)
        assert file.readframes(10**6) == TONE_INT16.tobytes()
    assert len(pcm16_from_wav(wav(data))) == len(TONE_INT16) * 2 * 24_000 // rate_hz


def test_a_wav_may_be_empty_but_not_broken() -> None:
    assert len(wav_bytes(b"")) == 44
    with pytest.raises(BadAudio, match="int16"):
        wav_bytes(b"\0")
    with pytest.raises(BadAudio, match="rate"):
        wav_bytes(b"", 0)


# ----------------------------------------------------------------------------------------------------- frames


@given(st.binary(max_size=200), st.integers(1, 50), st.lists(st.integers(0, 200), max_size=6))
def test_frames_of_a_stream_are_those_of_the_whole(data: bytes, frame_bytes: int, cuts: list[int]) -> None:
    framer = Framer(frame_bytes)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    seen = [frame for start, end in itertools.pairwise(edges) for frame in framer.push(data[start:end])]
    rest = framer.rest()
    assert all(len(frame) == frame_bytes for frame in seen)
    assert len(rest) < frame_bytes
    assert seen + [rest] * bool(rest) == list(frames(data, frame_bytes))
    assert b"".join(seen) + rest == data
    assert framer.rest() == b""


@pytest.mark.parametrize("frame_bytes", [0, -1])
def test_frames_have_a_size(frame_bytes: int) -> None:
    with pytest.raises(ValueError, match="frame_bytes"):
        frames(b"", frame_bytes)
    with pytest.raises(ValueError, match="frame_bytes"):
        Framer(frame_bytes)


# ------------------------------------------------------------------------------------------------------ level


def test_levels() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)
    assert level_dbfs((tone * 32_767).astype("<i2").tobytes()) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs((tone * 3_276.7).astype("<i2").tobytes()) == pytest.approx(-23.01, abs=0.01)
    assert level_dbfs(np.full(100, -32_768, "<i2").tobytes()) == pytest.approx(0.0)
    assert level_dbfs(bytes(960)) == SILENCE_DBFS
    assert level_dbfs(b"") == SILENCE_DBFS
    assert level_dbfs(b"\x00\x40\x7f") == pytest.approx(-6.02, abs=0.01)
    assert level_dbfs(b"\x01\x00" + bytes(10**6)) == SILENCE_DBFS


def test_import_is_light() -> None:
    heavy = {"openai", "IPython", "anywidget", "pandas", "asyncio"}
    command = [sys.executable, "-c", "import gip_nb.audio, sys; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert heavy.isdisjoint(done.stdout.split())
