"""The charts' pure parts: words, waveforms, colours, PNG."""

from __future__ import annotations

import json
import struct
import unicodedata
import zlib
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gip_nb.errors import BadSetting
from gip_nb.journal.charts import png, style
from gip_nb.journal.charts.latency import STEP_COLOURS
from gip_nb.journal.charts.timeline import COLOURS
from gip_nb.journal.charts.waveform import envelope, shares
from gip_nb.journal.charts.words import clean, columns, fitted, shortened, wrapped

# ---- words -------------------------------------------------------------------------------------------------

any_text = st.text(
    st.characters() | st.sampled_from("<>/!&$\u202e\u2066\ud83d\x00\n\u2028 👩‍👩‍👧🇰🇷é"), max_size=80
)


@given(any_text)
def test_cleaned_text_is_one_line_and_cannot_act(text: str) -> None:
    found = clean(text)
    json.dumps(found, ensure_ascii=False).encode()
    assert len(found.splitlines()) <= 1
    assert not any(unicodedata.category(sign) == "Cc" for sign in found)
    assert not any(mark in found for mark in ("</", "<!", "<s", "<?", "\u202e", "\u2066"))
    assert clean(found) == found


def test_words_stay_as_they_are() -> None:
    for text in ("a < b && c > d", "$x^2$ and $y$", "שלום עולם", "서울 👩‍👩‍👧 🇰🇷", '"quoted", with, commas'):
        assert clean(text) == text
    assert clean("</script><b>") == "<\u2060/script><\u2060b>"
    assert clean(" two\nlines\t") == "two lines"


@given(any_text, st.integers(1, 30))
def test_shortened_text_is_not_longer_and_begins_the_same(text: str, most: int) -> None:
    found = shortened(text, most)
    assert len(found) <= most
    assert clean(text).startswith(found.removesuffix("…"))


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("abcdef", 4, "abc…"),
        ("abcd", 4, "abcd"),
        ("ab👩‍👩‍👧!", 6, "ab…"),
        ("🇰🇷🇯🇵🇰🇷", 4, "🇰🇷…"),
        ("e\u0301e\u0301e\u0301", 4, "e\u0301…"),
        ("👍🏽👍🏽", 3, "👍🏽…"),
    ],
)
def test_no_sign_is_cut_in_two(text: str, most: int, expected: str) -> None:
    assert shortened(text, most) == expected


@given(any_text, st.integers(4, 30), st.integers(1, 5))
def test_wrapped_lines_fit(text: str, most_columns: int, most_lines: int) -> None:
    lines = wrapped(text, most_columns, most_lines)
    assert len(lines) <= most_lines
    # A sign may be of many parts, which are never parted.
    longest = max((len(word) for word in text.split()), default=0)
    if longest <= most_columns // 2:
        assert all(columns(line) <= most_columns for line in lines)
        if not lines or not lines[-1].endswith("…"):
            assert " ".join(lines) == clean(text)


def test_wrapping() -> None:
    assert wrapped("one two three", 7, 5) == ["one two", "three"]
    assert wrapped("one two three four", 7, 1) == ["one t…"]
    assert wrapped("abcdefghij", 4, 5) == ["abcd", "efgh", "ij"]
    assert wrapped("서울 날씨", 5, 5) == ["서울", "날씨"]
    assert wrapped("", 5, 5) == []


def test_what_fits() -> None:
    assert fitted("weather", 7) == "weather"
    assert fitted("weather", 4) == "wea…"
    assert fitted("서울서울", 5) == "서울…"
    assert fitted("weather", 1) == ""


# ---- waveforms ---------------------------------------------------------------------------------------------


@given(st.binary(max_size=400), st.integers(0, 60))
def test_no_sample_is_left_out_of_an_envelope(pcm: bytes, most: int) -> None:
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2")
    found = envelope(pcm, most)
    assert len(found.low) == len(found.high) == min(most, len(samples))
    if len(found.low):
        assert (found.low.min(), found.high.max()) == (samples.min() / 32768, samples.max() / 32768)
        assert (found.low <= found.high).all()
        first = samples[: max(1, len(samples) // len(found.low))]
        assert found.low[0] <= first[0] / 32768 <= found.high[0]


@given(st.lists(st.floats(0, 1e5), max_size=60), st.integers(0, 300), st.integers(1, 9))
def test_columns_are_shared_out_by_length(lengths: list[float], most: int, least: int) -> None:
    found = shares(lengths, most, least)
    assert sum(found) <= most
    assert all(given == 0 for given, length in zip(found, lengths, strict=True) if length == 0)
    sounding = [given for given, length in zip(found, lengths, strict=True) if length > 0]
    if sounding and most >= least * len(sounding):
        assert min(sounding) >= least
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    assert [found[i] for i in order] == sorted(found)


# ---- colours -----------------------------------------------------------------------------------------------

MARKS = sorted({*COLOURS.values(), *STEP_COLOURS.values()})
# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
SEEN = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def test_text_is_readable_on_every_ground_it_may_stand_on() -> None:
    for look in style.LOOKS.values():
        for ground in look.on:
            assert style.contrast(look.text, ground) >= 4
            assert look.background in {None, ground}
    assert set(style.LOOKS["auto"].on) == {"#FFFFFF", "#111111"}


@pytest.mark.parametrize("colour", MARKS)
def test_marks_stand_out_on_white_and_on_dark(colour: str) -> None:
    assert style.contrast(colour, "#FFFFFF") >= 3
    assert style.contrast(colour, "#111111") >= 3


def test_contrast_is_that_of_wcag() -> None:
    assert style.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert style.contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def lab(linear: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(np.maximum(xyz / [0.9505, 1.0, 1.089], 1e-6))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", SEEN)
@pytest.mark.parametrize("colours", [COLOURS, STEP_COLOURS], ids=["timeline", "latency"])
def test_colours_are_told_apart_by_the_colour_blind(kind: str, colours: dict[str, str]) -> None:
    seen = {}
    for name, colour in colours.items():
        rgb = np.array(list(bytes.fromhex(colour[1:]))) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen[name] = lab(np.clip(np.array(SEEN[kind]) @ linear, 0, 1))
    apart = {(a, b): float(np.linalg.norm(seen[a] - seen[b])) for a, b in combinations(seen, 2)}
    # 2.3 is just to be seen; ten is another colour at a glance.
    assert min(apart.values()) > 9, min(apart, key=lambda pair: apart[pair])


def test_an_unknown_look() -> None:
    with pytest.raises(BadSetting, match="did you mean 'dark'"):
        style.look("drak")
    with pytest.raises(BadSetting, match='pass "auto"'):
        style.look("")


# ---- PNG ---------------------------------------------------------------------------------------------------


def as_vl_convert_writes(pixels: np.ndarray) -> bytes:
    height, width = pixels.shape[:2]
    lines = np.ones((height, width * 4 + 1), np.uint8)
    lines[:, 1:] = np.diff(pixels.astype(np.int16), axis=1, prepend=0).astype(np.uint8).reshape(height, -1)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes(), 1)),
    )
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


some_pixels = arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(4)))


@given(some_pixels)
def test_pixels_come_back(pixels: np.ndarray) -> None:
    for written in (as_vl_convert_writes(pixels), png.encoded(pixels)):
        found = png.decoded(written)
        assert found is not None
        assert (found == pixels).all()
        assert png.size(written) == (pixels.shape[1], pixels.shape[0])


def test_of_too_many_colours_the_rare_ones_become_their_nearest() -> None:
    pixels = np.full((40, 40, 4), 255, np.uint8)
    pixels[:10, :30, 0] = np.arange(300).reshape(10, 30) % 250
    pixels[:10, :30, 1] = np.arange(300).reshape(10, 30) // 250
    found = png.decoded(png.encoded(pixels))
    assert found is not None
    assert np.abs(found.astype(int) - pixels.astype(int)).max() <= 60
    assert (found[20:] == pixels[20:]).all()


@given(some_pixels)
def test_two_grounds_tell_what_is_see_through(pixels: np.ndarray) -> None:
    alpha = pixels[..., 3:] / 255.0
    on = {g: (np.rint(pixels[..., :3] * alpha + g * (1 - alpha))).astype(np.uint8) for g in (255, 0)}
    opaque = {g: np.concatenate([c, np.full_like(c[..., :1], 255)], axis=2) for g, c in on.items()}
    found = png.see_through(opaque[255], opaque[0])
    # What matters is what it looks like, laid on either ground again.
    again = found[..., 3:] / 255.0
    for ground, looked in on.items():
        laid = found[..., :3] * again + ground * (1 - again)
        assert np.abs(laid - looked).max() <= 2


def test_what_is_no_such_png_passes() -> None:
    grey = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
        + b"0000"
    )
    assert png.decoded(grey) is None
    assert png.smaller(grey) == grey
    large = as_vl_convert_writes(np.zeros((50, 50, 4), np.uint8))
    assert png.decoded(png.smaller(large)) is not None
