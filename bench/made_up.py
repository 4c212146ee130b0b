"""Made-up tables of a talk, for pictures: as many turns as wanted, with all that can happen in one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gip_nb.audio import SAMPLE_RATE_HZ
from gip_nb.errors import UnknownItem

STARTED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MODEL = "openai/gpt-4o-realtime-preview-2024-12-17"
SILENCE_S = 0.5
# What was asked, what was answered, with which tool.
CONVERSATION = (
    (
        "What is the weather in Seoul today?",
        "In Seoul it is clear and twenty-one degrees, with a light wind from the west.",
        "get_weather",
    ),
    (
        "And tomorrow?",
        (
            "Tomorrow will be cloudy in the morning. In the afternoon expect some rain, so take an umbrella"
            " if you plan to be out for long."
        ),
        None,
    ),
    (
        "Wait, I meant in Busan.",
        "I see. For Busan it is nineteen degrees tomorrow with sunshine for most of the day.",
        "get_weather",
    ),
    (
        "Thanks. Tell me something about the harbour.",
        (
            "The port of Busan is the largest in the country. It handles about three quarters of all"
            " containers, and it lies between two mountains, which shelter it from typhoons in late summer."
        ),
        None,
    ),
    ("오늘 서울 날씨 어때?", "오늘 서울은 맑고 기온은 21도입니다.", None),
    (
        "How long is the train ride from there?",
        "The fast train needs about two hours and forty minutes.",
        "find_train",
    ),
)
PRICES = {
    "text_tokens": 5e-6,
    "cached_text_tokens": 2.5e-6,
    "audio_tokens": 4e-5,
    "cached_audio_tokens": 2.5e-6,
    "output_text_tokens": 2e-5,
    "output_audio_tokens": 8e-5,
}
NO_TOKENS = dict.fromkeys(
    ("image_tokens", "cached_image_tokens", "unnamed_input_tokens", "unnamed_output_tokens"), 0
)
CALLS = "call_id turn name arguments output error started_s duration_ms response_id item_id".split()  # noqa: SIM905
INTERRUPTED, FAILED, ODD_ORDER, SLOW = (6, 4), (9, 3), (5, 0), (23, 0)


class _Times(NamedTuple):
    """Of one turn, seconds since the log began."""

    start: float
    end: float
    stopped: float
    created: float
    text: float
    audio: float
    last: float
    handed: float
    sounded: float


class MadeUp:
    """A session that never was.

    Args:
        turns: how many.
        page: whether a page played the answers.
        priced: whether the model has a price.
    """

    model = MODEL
    session_id = "sess_made_up"
    started_at = STARTED

    def __init__(self, turns: int, *, page: bool = True, priced: bool = True, seed: int = 7) -> None:
        self._random = np.random.default_rng(seed)
        self._page, self._priced = page, priced
        self._events: list[dict[str, Any]] = []
        self._turns: list[dict[str, Any]] = []
        self._items: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._usage: list[dict[str, Any]] = []
        self._sounds: dict[str, bytes] = {}
        self._context = 180
        now_s = 1.2
        for turn in range(1, turns + 1):
            now_s = self._turn(turn, now_s)

    def sound(self, item_id: str) -> bytes:
        """PCM16, 24 000 Hz."""
        if item_id not in self._sounds:
            raise UnknownItem(item_id)
        return self._sounds[item_id]

    @property
    def events(self) -> pd.DataFrame:
        """Only what pictures need."""
        rows = sorted(self._events, key=lambda e: float(e["elapsed_s"]))
        frame = pd.DataFrame(rows, columns=["elapsed_s", "direction", "event", "item_id", "turn"])
        return frame.astype({"turn": "Int64", "item_id": "string"}).rename_axis("n")

    @property
    def turns(self) -> pd.DataFrame:
        """As the real one."""
        return pd.DataFrame(self._turns).set_index("turn")

    @property
    def items(self) -> pd.DataFrame:
        """As the real one."""
        frame = pd.DataFrame(self._items).set_index("item_id")
        return frame.astype({"turn": "Int64", "text": "string", "heard_text": "string"})

    @property
    def responses(self) -> pd.DataFrame:
        """Of which no picture is made."""
        return pd.DataFrame()

    def payload(self, n: int) -> dict[str, Any]:
        """Nor of these."""
        raise IndexError(n)

    @property
    def tool_calls(self) -> pd.DataFrame:
        """As the real one."""
        return pd.DataFrame(self._calls, columns=CALLS).set_index("call_id").astype({"turn": "Int64"})

    @property
    def usage(self) -> pd.DataFrame:
        """As the real one."""
        return pd.DataFrame(self._usage).rename_axis("n")

    # ---- one turn

    def _turn(self, turn: int, now_s: float) -> float:
        """Make one; when the user speaks again."""
        asked, answered, tool = CONVERSATION[(turn - 1) % len(CONVERSATION)]
        spoken_s = 0.4 + 0.062 * len(asked)
        end_s = now_s + spoken_s
        stopped_s = end_s + SILENCE_S + self._around(0.05)
        created_s = stopped_s + self._around(0.012)
        thought_s = self._call(turn, tool, created_s) if tool else created_s
        text_s = thought_s + self._around(1.9 if _is(turn, SLOW) else 0.28, 0.3)
        audio_s = text_s + self._around(0.05) * (-1 if _is(turn, ODD_ORDER) else 1)
        sound_s = 0.5 + 0.058 * len(answered)
        last_s = audio_s + sound_s * 0.28
        handed_s, sounded_s = audio_s + self._around(0.008), audio_s + self._around(0.19)
        t = _Times(now_s, end_s, stopped_s, created_s, text_s, audio_s, last_s, handed_s, sounded_s)
        cut = _is(turn, INTERRUPTED)
        heard_s = min(sound_s, 3.4) if cut else sound_s
        over_s = t.sounded + heard_s if self._page else t.last
        self._said(turn, t, (asked, answered), (sound_s, heard_s), cut=cut)
        self._told(turn, t, over_s, cut=cut)
        status = "cancelled" if cut and over_s < t.last else "completed"
        at = STARTED + timedelta(seconds=t.stopped)
        requests = [(f"resp_{turn}t", "completed")] if tool else []
        for response in [*requests, (f"resp_{turn}", status)]:
            self._bill(at, turn, response, spoken_s, sound_s)
        steps = {
            "speech_stopped_ms": t.stopped,
            "response_created_ms": t.created,
            "first_text_ms": t.text,
            "first_audio_ms": t.audio,
            "first_delivered_ms": t.handed if self._page else np.nan,
            "first_sound_ms": t.sounded if self._page else np.nan,
        }
        self._turns.append(
            {
                "turn": turn,
                "started_at": at,
                "user_text": asked,
                "assistant_text": answered,
                "interrupted": cut,
                "status": status,
                "tools": int(tool is not None),
                "speech_end_s": t.end,
                **{name: (at_s - t.end) * 1000 for name, at_s in steps.items()},
                "clock_error_ms": 1.4 if self._page else np.nan,
                "ended_s": max(over_s, t.last),
                "speech_end_from": "vad",
            }
        )
        # Who interrupts has begun to speak before the sound stops.
        return over_s - 0.45 if cut and self._page else over_s + self._around(1.6)

    def _around(self, middle: float, spread: float = 0.25) -> float:
        return float(middle * np.exp(self._random.normal(0, spread)))

    def _call(self, turn: int, tool: str, created_s: float) -> float:
        start_s, took_s, failed = created_s + self._around(0.34), self._around(0.42, 0.5), _is(turn, FAILED)
        self._calls.append(
            {
                "call_id": f"call_{turn}",
                "turn": turn,
                "name": tool,
                "arguments": json.dumps({"city": "Seoul", "unit": "celsius"}),
                "output": None if failed else json.dumps({"temperature_c": 21.3, "sky": "clear"}),
                "error": "TimeoutError: no answer in 2 s" if failed else None,
                "started_s": start_s,
                "duration_ms": took_s * 1000,
                "response_id": f"resp_{turn}t",
                "item_id": f"item_c{turn:03}",
            }
        )
        return start_s + took_s

    def _said(
        self, turn: int, t: _Times, words: tuple[str, str], sounds: tuple[float, float], *, cut: bool
    ) -> None:
        (asked, answered), (sound_s, heard_s) = words, sounds
        nothing: dict[str, Any] = dict.fromkeys(
            ("speech_start_s", "speech_end_s", "first_audio_s", "last_audio_s", "sound_start_s", "heard_ms"),
            np.nan,
        )
        nothing |= {"type": "message", "status": "completed", "deleted": False, "turn": turn}
        user, answer = f"item_u{turn:03}", f"item_a{turn:03}"
        self._sounds[user] = self._noise(t.end - t.start, SILENCE_S)
        self._sounds[answer] = self._noise(sound_s)
        heard_text = (
            answered[: int(len(answered) * heard_s / sound_s)].rpartition(" ")[0] if cut else answered
        )
        self._items += [
            {
                **nothing,
                "item_id": user,
                "role": "user",
                "text": asked,
                "heard_text": None,
                "interrupted": False,
                "audio_ms": (t.end - t.start + SILENCE_S) * 1000,
                "added_s": t.stopped,
                "speech_start_s": t.start,
                "speech_end_s": t.end,
            },
            {
                **nothing,
                "item_id": answer,
                "role": "assistant",
                "text": answered,
                "heard_text": heard_text if self._page else None,
                "interrupted": cut,
                "audio_ms": sound_s * 1000,
                "heard_ms": heard_s * 1000 if self._page else np.nan,
                "added_s": t.text - 0.01,
                "first_audio_s": t.audio,
                "last_audio_s": t.last,
                "sound_start_s": t.sounded if self._page else np.nan,
            },
        ]

    def _noise(self, seconds: float, tail_s: float = 0.0) -> bytes:
        """In syllables and words, as speech looks like from afar; then quiet."""
        count, tail = int(seconds * SAMPLE_RATE_HZ), int(tail_s * SAMPLE_RATE_HZ)
        t = np.arange(count) / SAMPLE_RATE_HZ
        points = max(3, int(seconds * 4.5) * 2)
        loud = self._random.beta(1.4, 1.8, points) * (np.arange(points) % 2 * 0.8 + 0.2)
        syllables = np.interp(np.linspace(0, points - 1, count), np.arange(points), loud)
        places = np.arange(0, seconds + 0.7, 0.35)
        words = np.interp(t, places, self._random.choice([0.0, 1.0], len(places), p=[0.18, 0.82]))
        voice = np.sin(2 * np.pi * 140 * t) * 0.6 + self._random.normal(0, 0.35, count)
        wave = np.concatenate([syllables * words * voice, self._random.normal(0, 0.004, tail)])
        pcm: bytes = (np.clip(wave, -1, 1) * 16_000).astype("<i2").tobytes()
        return pcm

    def _told(self, turn: int, t: _Times, over_s: float, *, cut: bool) -> None:
        user, answer = f"item_u{turn:03}", f"item_a{turn:03}"
        found = [
            (t.start + 0.12, "received", "input_audio_buffer.speech_started", user),
            (t.stopped, "received", "input_audio_buffer.speech_stopped", user),
        ]
        if self._page:
            times = np.arange(t.handed, t.last, 0.11)
            found += [(float(at_s), "local", "local.page.delivered", answer) for at_s in times]
            found += [(over_s, "local", "local.playback.flushed", answer)] if cut else []
        names = ("elapsed_s", "direction", "event", "item_id")
        self._events += [{**dict(zip(names, row, strict=True)), "turn": turn} for row in found]

    def _bill(
        self, at: datetime, turn: int, response: tuple[str, str], spoken_s: float, sound_s: float
    ) -> None:
        response_id, status = response
        spoken, words = int(spoken_s * 10), 12
        out_audio, out_text = (0, 24) if response_id.endswith("t") else (int(sound_s * 20), int(sound_s * 4))
        context = self._context
        cached = context // 128 * 128 if turn > 1 else 0
        tokens = {
            "text_tokens": words + (context - cached) // 3,
            "cached_text_tokens": cached // 3,
            "audio_tokens": spoken + (context - cached) * 2 // 3,
            "cached_audio_tokens": cached * 2 // 3,
            "output_text_tokens": out_text,
            "output_audio_tokens": out_audio,
        }
        self._usage.append(
            {
                "at": at,
                "kind": "response",
                "turn": turn,
                "response_id": response_id,
                "item_id": None,
                "model": MODEL,
                "status": status,
                "requests": 1,
                "input_tokens": spoken + words + context,
                "output_tokens": out_text + out_audio,
                **tokens,
                **NO_TOKENS,
                "audio_s": np.nan,
                "cost_usd": sum(n * PRICES[kind] for kind, n in tokens.items()) if self._priced else np.nan,
                "cost_is_upper_bound": False,
                "note": None if self._priced else f"no price for {MODEL!r}",
            }
        )
        # A long talk is cut at the front.
        self._context = min(context + spoken + words + out_text + out_audio, 28_000)


def _is(turn: int, every: tuple[int, int]) -> bool:
    return turn % every[0] == every[1]
