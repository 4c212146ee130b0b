"""What the rehearsal server speaks with: espeak-ng where it is installed, else the user's own words.

espeak-ng comes as a shared library with the optional extra `gip_nb[rehearsal]` (package `espeakng-loader`).
It is licensed under the GPL, version 3 or later; the loader's metadata (0.2.4) names no licence of its own.
Nothing of it is part of this package: it is loaded at run time, here, in the rehearsal server's own process,
if it is there. Whoever passes on this package together with espeak-ng has the GPL to look at.
"""

from __future__ import annotations

import ctypes
import math
import threading
from typing import Protocol

import numpy as np

from gip_nb.audio import SAMPLE_RATE_HZ, resample

__all__ = ["Echo", "Espeak", "Mouth", "find_mouth"]

_FULL_SCALE = 32_768


class Mouth(Protocol):
    """Makes speech. May be called from any thread."""

    def speak(self, text: str, voice: str, speed: float, users_words: bytes) -> bytes:
        """Speech for these words: int16 little endian, mono, 24 000 Hz.

        Args:
            text: the words.
            voice: a voice's name in the API; an unknown one is the default voice.
            speed: 0.25 to 1.5, 1.0 is normal.
            users_words: what the user said last, in the same format; may be empty.
        """
        ...


# ------------------------------------------------------------------------------------------------------- echo

_TONE_HZ = 330.0
_TONE_S, _PAUSE_S = 0.12, 0.08
_TONE_LEVEL = 0.1
_MOST_WORDS = 40


class Echo:
    """No synthesiser is installed: plays the user's own words; where they said none, a tone per word."""

    def speak(self, text: str, voice: str, speed: float, users_words: bytes) -> bytes:
        """See `Mouth.speak`; voice and speed are the user's own."""
        del voice, speed
        return users_words or _tones(min(len(text.split()), _MOST_WORDS))


def _tones(count: int) -> bytes:
    seconds = np.arange(int(_TONE_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    swell = np.sin(math.pi * seconds / _TONE_S) ** 2
    tone = _TONE_LEVEL * _FULL_SCALE * swell * np.sin(2 * math.pi * _TONE_HZ * seconds)
    one = np.concatenate([tone, np.zeros(int(_PAUSE_S * SAMPLE_RATE_HZ))])
    return np.tile(one, count).astype("<i2").tobytes()


# ----------------------------------------------------------------------------------------------------- espeak

# Constants of espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_RATE, _PITCH = 1, 3
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_OK = 0

_DEFAULT_VOICE = "alloy"
# The API's voices, each a variant of espeak-ng's American English and a pitch (50 is the variant's own). Of
# its 40 variants these are among the ten that a speech recogniser understands best.
_VOICES = {
    "alloy": ("en-us+edward", 50),
    "ash": ("en-us+adam", 45),
    "ballad": ("en-us+adam", 50),
    "cedar": ("en-us+edward", 40),
    "coral": ("en-us+f5", 50),
    "echo": ("en-us+edward", 45),
    "marin": ("en-us+f5", 45),
    "sage": ("en-us+f5", 55),
    "shimmer": ("en-us+f3", 55),
    "verse": ("en-us+adam", 55),
}
_WORDS_PER_MINUTE = 165
_SLOWEST, _FASTEST = 80, 450  # of espeak-ng

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """Speech by espeak-ng, the library that `espeakng-loader` brings.

    There is one voice machine in a process, and it speaks one text at a time: calls from several threads wait
    for each other, a few milliseconds for a sentence.

    Raises:
        ImportError: `espeakng-loader` is not installed.
        OSError: its library does not load here, or does not find its data.
    """

    def __init__(self) -> None:
        import espeakng_loader

        self._lock = threading.Lock()
        self._pcm = bytearray()
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        self._rate_hz = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, _data_path(espeakng_loader), _INITIALIZE_DONT_EXIT
        )
        if self._rate_hz <= 0:
            raise OSError("espeak-ng does not start: its data was not found beside its library")
        self._callback = _Callback(self._take)  # kept: the library holds no reference
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str, speed: float, users_words: bytes) -> bytes:
        """See `Mouth.speak`.

        Raises:
            OSError: espeak-ng reports an error.
        """
        del users_words
        variant, pitch = _VOICES.get(voice, _VOICES[_DEFAULT_VOICE])
        words_per_minute = min(_FASTEST, max(_SLOWEST, round(_WORDS_PER_MINUTE * speed)))
        spoken = text.replace("\0", " ").encode("utf-8", "replace") + b"\0"
        with self._lock:
            self._pcm.clear()
            if self._library.espeak_SetVoiceByName(variant.encode()) != _OK:
                self._library.espeak_SetVoiceByName(b"en")
            self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
            self._library.espeak_SetParameter(_PITCH, pitch, 0)
            problem = self._library.espeak_Synth(
                spoken, len(spoken), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
            )
            self._library.espeak_Synchronize()
            pcm = bytes(self._pcm)
        if problem != _OK:
            raise OSError(f"espeak-ng could not speak: error {problem}")
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / _FULL_SCALE
        if not len(samples):
            return b""
        louder = resample(samples, self._rate_hz, SAMPLE_RATE_HZ) * _FULL_SCALE
        return louder.clip(-_FULL_SCALE, _FULL_SCALE - 1).round().astype("<i2").tobytes()

    def _take(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if count > 0:  # the end of the text is told with no samples
            self._pcm += ctypes.string_at(samples, count * 2)
        return 0


def _data_path(loader: object) -> bytes:
    path: str = loader.get_data_path()  # type: ignore[attr-defined] # the loader has no types
    return path.encode()


def find_mouth() -> Mouth:
    """The best mouth that is installed."""
    try:
        return Espeak()
    except (ImportError, OSError, RuntimeError):  # not installed, for another machine, or without its data
        return Echo()
