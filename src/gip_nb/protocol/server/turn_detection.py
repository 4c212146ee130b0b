"""Turn detection on audio time: where in the stream of samples the user's speech begins and ends.

A muted microphone still sends zeros, so the clock is the audio's own: no other clock is looked at. A voice
detector decides that somebody speaks; the level then says where the first word began and the last one ended,
since detectors miss soft first consonants and hold on for a while after a voice has gone.

`threshold` picks the detector and how loud it must be (webrtcvad knows four aggressivenesses and no levels):

| threshold | aggressiveness | level at least |
|---|---|---|
| under 0.2 | 0 | any |
| 0.2 to 0.35 | 1 | any |
| 0.35 to 0.5 | 2 | any |
| 0.5 to 0.7 (0.5 is the default) | 3 | any |
| 0.7 to 0.85 | 3 | -45 dBFS |
| 0.85 and more | 3 | -35 dBFS |

Pure, for one thread.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gip_nb.protocol.server.parts import EARS_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gip_nb.protocol.server.parts import MakeVoiceDetector

__all__ = ["SpeechEnded", "SpeechStarted", "TurnDetector", "silence_duration_ms", "strictness"]

FRAME_MS = 10
FRAME_BYTES = EARS_RATE_HZ * FRAME_MS // 1000 * 2

# Somebody speaks when so many of the last so many frames hold a voice: a click or a cough is shorter.
_WINDOW_FRAMES = 12
_VOICED_FRAMES = 8
# Speech goes on while so many frames in a row hold a voice; single ones in silence are noise.
_RUN_FRAMES = 3
# Frames this near to the level of the silence before are silence, whatever the detector says.
_ABOVE_SILENCE_DB = 6.0
# How long a first consonant can be. What was loud for longer before a voice came is not part of the word.
_CONSONANT_FRAMES = 25
# The lips are shut for so long in the middle of "st" or "sp".
_CLOSURE_FRAMES = 10
_QUIETEST_DBFS = -60.0
_SILENCE_LEARNING = 0.1  # the share of a new frame in what is known of silence

_STRICTNESS = (
    (0.85, 3, -35.0),
    (0.7, 3, -45.0),
    (0.5, 3, _QUIETEST_DBFS),
    (0.35, 2, _QUIETEST_DBFS),
    (0.2, 1, _QUIETEST_DBFS),
)

# Semantic detection is a model's; here its eagerness is the length of a pause.
_EAGER_SILENCE_MS = {"low": 1200, "medium": 700, "auto": 700, "high": 400}


class SpeechStarted(NamedTuple):
    """Speech was found.

    Attributes:
        onset_ms: where it began, in ms of audio since the detector's first sample.
    """

    onset_ms: int


class SpeechEnded(NamedTuple):
    """Speech ended, `silence_duration_ms` ago.

    Attributes:
        end_ms: where the last voiced frame ended, in ms of audio since the detector's first sample.
    """

    end_ms: int


class _Frame(NamedTuple):
    start_ms: int
    is_voiced: bool
    loud_since_ms: int | None


def strictness(threshold: float) -> tuple[int, float]:
    """The aggressiveness and the least level, in dBFS, of a threshold (0 to 1); see the table above."""
    for least, aggressiveness, level_dbfs in _STRICTNESS:
        if threshold >= least:
            return aggressiveness, level_dbfs
    return 0, _QUIETEST_DBFS


def silence_duration_ms(turn_detection: Mapping[str, Any]) -> int:
    """How long the user must be silent for their turn to be over, in either kind of turn detection."""
    if turn_detection["type"] == "semantic_vad":
        return _EAGER_SILENCE_MS[turn_detection.get("eagerness") or "auto"]
    return int(turn_detection["silence_duration_ms"])


class TurnDetector:
    """Finds the user's turns in a stream of audio.

    Args:
        turn_detection: the session's setting, canonical, complete.
        make_detector: makes a voice detector of an aggressiveness.
        position_ms: how much audio has passed before the first sample that will be pushed.
        is_speaking: a turn has begun before; its end is to be found.
    """

    def __init__(
        self,
        turn_detection: Mapping[str, Any],
        make_detector: MakeVoiceDetector,
        position_ms: int = 0,
        *,
        is_speaking: bool = False,
    ) -> None:
        aggressiveness, self._least_dbfs = strictness(turn_detection.get("threshold", 0.5))
        self._detector = make_detector(aggressiveness)
        self._silence_ms = silence_duration_ms(turn_detection)
        self._position_ms = position_ms
        self._rest = bytearray()
        self._window: deque[_Frame] = deque(maxlen=_WINDOW_FRAMES)
        self._loud_since_ms: int | None = None
        self._quiet_frames = 0
        self._silence_dbfs = _QUIETEST_DBFS
        self._run = 0
        self._end_ms = (
            position_ms if is_speaking else None
        )  # of the last voiced run; None while nobody speaks

    @property
    def is_speaking(self) -> bool:
        """Whether a turn has begun and not ended."""
        return self._end_ms is not None

    def push(self, pcm: bytes) -> list[SpeechStarted | SpeechEnded]:
        """Looks at more audio.

        Args:
            pcm: int16 little endian, mono, 16 000 Hz, any length.

        Returns:
            What was found, in order.
        """
        self._rest += pcm
        whole = len(self._rest) // FRAME_BYTES * FRAME_BYTES
        if not whole:
            return []
        looked_at = bytes(self._rest[:whole])
        del self._rest[:whole]
        found: list[SpeechStarted | SpeechEnded] = []
        for number, level_dbfs in enumerate(_levels_dbfs(looked_at)):
            start = number * FRAME_BYTES
            edge = self._look(looked_at[start : start + FRAME_BYTES], level_dbfs)
            if edge is not None:
                found.append(edge)
        return found

    def forget(self) -> None:
        """Nobody is speaking and nobody was: the buffer was cleared or committed by hand."""
        self._end_ms = None
        self._window.clear()
        self._run = 0

    def _look(self, frame: bytes, level_dbfs: float) -> SpeechStarted | SpeechEnded | None:
        start_ms = self._position_ms
        self._position_ms += FRAME_MS
        is_loud = level_dbfs > self._silence_dbfs + _ABOVE_SILENCE_DB
        if is_loud:
            self._quiet_frames = 0
            if self._loud_since_ms is None:
                self._loud_since_ms = start_ms
        else:
            self._quiet_frames += 1
            if self._quiet_frames > _CLOSURE_FRAMES:
                self._loud_since_ms = None
        is_voiced = self._detector.is_speech(frame, EARS_RATE_HZ)
        if not is_voiced and self._end_ms is None:  # silence between turns tells how loud silence is
            self._silence_dbfs += _SILENCE_LEARNING * (level_dbfs - self._silence_dbfs)
        is_voiced = is_voiced and is_loud and level_dbfs >= self._least_dbfs
        self._run = self._run + 1 if is_voiced else 0
        if self._end_ms is None:
            self._window.append(_Frame(start_ms, is_voiced, self._loud_since_ms))
            return self._begin()
        if self._run >= _RUN_FRAMES:
            self._end_ms = self._position_ms
        elif self._position_ms - self._end_ms >= self._silence_ms:
            ended = SpeechEnded(self._end_ms)
            self.forget()
            return ended
        return None

    def _begin(self) -> SpeechStarted | None:
        voiced = [frame for frame in self._window if frame.is_voiced]
        if len(voiced) < _VOICED_FRAMES:
            return None
        first = voiced[0]
        self._end_ms = voiced[-1].start_ms + FRAME_MS
        loud_ms = first.loud_since_ms
        if loud_ms is not None and first.start_ms - loud_ms <= _CONSONANT_FRAMES * FRAME_MS:
            return SpeechStarted(loud_ms)
        return SpeechStarted(first.start_ms)


def _levels_dbfs(pcm: bytes) -> list[float]:
    """The level of each frame; digital silence counts as the quietest room there is."""
    frames = np.frombuffer(pcm, "<i2").astype(np.float32).reshape(-1, FRAME_BYTES // 2)
    power = np.mean(frames * frames, axis=1) / 32768.0**2
    levels: list[float] = (10 * np.log10(np.maximum(power, 10 ** (_QUIETEST_DBFS / 10)))).tolist()
    return levels
