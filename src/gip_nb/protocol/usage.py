"""What a response or a transcription used, as the server counts it; what that costs is cost.py's.

Each `response.done` is one billed request, and its `usage` counts everything that went into and came out of
it. Cached tokens are part of the input tokens, not more of them. The transcription of the user's words is
billed apart, by tokens or by the length of the audio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Billed", "Usage", "tells_usage", "transcribed_s", "transcription_usage_of", "usage_of"]

# A table's integers have 64 bits; no talk has that many tokens, nor that many seconds.
_MOST = 2**53


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one response, or of several added up.

    Attributes:
        input_tokens: everything that went in, cached or not.
        output_tokens: everything that came out.
        input_text_tokens: that part of the input, cached tokens included; so the two below.
        input_audio_tokens: 1 token per 100 ms of the user's audio, 1 per 50 ms of the assistant's.
        input_image_tokens: pictures; GA only.
        cached_text_tokens: that part of `input_text_tokens` which came from the cache.
        cached_audio_tokens: that part of `input_audio_tokens` which came from the cache.
        output_text_tokens: text, transcripts included.
        output_audio_tokens: 1 token per 50 ms.
        cached_tokens: what was cached in all, as the server said it.
        cached_by_modality: whether the server said which tokens were cached. If not (beta), no audio is
            assumed to have been: text is counted as cached as far as it goes, and the cost is an upper bound.
        cached_image_tokens: that part of `input_image_tokens` which came from the cache.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    cached_text_tokens: int = 0
    cached_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    cached_tokens: int = 0
    cached_by_modality: bool = True
    cached_image_tokens: int = 0

    def __add__(self, other: object) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name in self.__struct_fields__
            if name != "cached_by_modality"
        }
        return Usage(**sums, cached_by_modality=self.cached_by_modality and other.cached_by_modality)

    @property
    def cost_is_upper_bound(self) -> bool:
        """Whether the server left out the kind of some tokens; `cost_usd` takes the dearer one then."""
        return not self.cached_by_modality or self.unnamed_input_tokens > 0 or self.unnamed_output_tokens > 0

    @property
    def unnamed_input_tokens(self) -> int:
        """Input of which the server did not say whether it was text, audio or image."""
        known = self.input_text_tokens + self.input_audio_tokens + self.input_image_tokens
        return max(0, self.input_tokens - known)

    @property
    def unnamed_output_tokens(self) -> int:
        """Output of which the server did not say whether it was text or audio."""
        return max(0, self.output_tokens - self.output_text_tokens - self.output_audio_tokens)


def _count(source: object, name: str) -> int:
    """A count of tokens; 0 for whatever is no count."""
    value = source.get(name) if isinstance(source, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value < _MOST else 0


def _details(usage: object, name: str) -> object:
    return usage.get(name) if isinstance(usage, dict) else None


def usage_of(response: Mapping[str, object]) -> Usage:
    """Reads what a response used.

    Args:
        response: the `response` of a `response.done`, in either dialect's shape.

    Returns:
        Counts; what is missing, null or nonsense is 0. Never raises.
    """
    usage = response.get("usage") if isinstance(response, dict) else None
    given = _details(usage, "input_token_details")
    made = _details(usage, "output_token_details")
    cached = _details(given, "cached_tokens_details")
    text = _count(given, "text_tokens")
    audio = _count(given, "audio_tokens")
    image = _count(given, "image_tokens")
    cached_in_all = _count(given, "cached_tokens")
    said = isinstance(cached, dict) and bool(cached)
    return Usage(
        input_tokens=_count(usage, "input_tokens"),
        output_tokens=_count(usage, "output_tokens"),
        input_text_tokens=text,
        input_audio_tokens=audio,
        input_image_tokens=image,
        # A part is never more than its whole, whatever the server says.
        cached_text_tokens=min(text, _count(cached, "text_tokens") if said else cached_in_all),
        cached_audio_tokens=min(audio, _count(cached, "audio_tokens")),
        cached_image_tokens=min(image, _count(cached, "image_tokens")),
        output_text_tokens=_count(made, "text_tokens"),
        output_audio_tokens=_count(made, "audio_tokens"),
        cached_tokens=cached_in_all,
        cached_by_modality=said or not cached_in_all,
    )


def tells_usage(response: Mapping[str, object]) -> bool:
    """Whether there are counts in it at all: without any, nobody knows what it used."""
    usage = response.get("usage") if isinstance(response, dict) else None
    if not isinstance(usage, dict):
        return False
    counts = (usage.get("input_tokens"), usage.get("output_tokens"))
    parts = (usage.get("input_token_details"), usage.get("output_token_details"))
    told = any(isinstance(c, int | float) and not isinstance(c, bool) for c in counts)
    return told or any(isinstance(part, dict) and part for part in parts)


def transcription_usage_of(event: Mapping[str, object]) -> Usage:
    """Reads what a transcription used; all zero where it is counted in seconds.

    Args:
        event: `conversation.item.input_audio_transcription.completed`. Its usage tells no kind of output:
            what comes out of it is text.
    """
    found = usage_of(event)
    return msgspec.structs.replace(
        found, output_text_tokens=max(found.output_text_tokens, found.output_tokens), output_audio_tokens=0
    )


def transcribed_s(event: Mapping[str, object]) -> float | None:
    """The seconds of audio that a transcription is billed for; None where it is counted in tokens."""
    usage = event.get("usage") if isinstance(event, dict) else None
    seconds = usage.get("seconds") if isinstance(usage, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if 0 <= seconds < _MOST else None


class Billed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the server bills: a response that is done, or a transcription that told its usage.

    Attributes:
        kind: a response is one request; a transcription is part of none.
        at_s: when it was told, seconds on the log's own clock.
        turn: that it belongs to, where one is known.
        response_id: of a response.
        item_id: of what was transcribed.
        model: by which it is priced; empty where nobody named one.
        status: how it ended.
        usage: its tokens.
        told: whether the server told a usage.
        began: whether anything came of it.
        audio_s: seconds of audio, of a transcription that is billed by its length.
    """

    kind: Literal["response", "transcription"]
    at_s: float
    turn: int | None
    model: str
    status: str
    usage: Usage
    response_id: str | None = None
    item_id: str | None = None
    told: bool = True
    began: bool = True
    audio_s: float | None = None
