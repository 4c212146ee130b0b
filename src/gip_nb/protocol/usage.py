"""What a response used, and what that costs.

Each `response.done` is one billed request, and its `usage` counts everything that went into and came out of
it. Cached tokens are part of the input tokens, not more of them. Prices are data (`prices.json`: USD per
million tokens, with source and date on each row).
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Price", "Rate", "Usage", "cost_usd", "prices", "usage_of"]

_PER_TOKEN = 1e-6  # prices are for a million


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
    # A table's integers have 64 bits; no talk has that many tokens.
    return int(value) if 0 <= value < 2**53 else 0


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


class Rate(msgspec.Struct, frozen=True):
    """USD per million tokens of one kind; `cached` replaces `input` for tokens from the cache."""

    input: float
    cached: float
    output: float = 0.0


class Price(msgspec.Struct, frozen=True):
    """One row of the table.

    Attributes:
        model: the exact model id, without a provider's prefix.
        text: for text tokens.
        audio: for audio tokens.
        source: where the figures were read.
        date: when, as YYYY-MM-DD.
        image: for image tokens; None where no price is known.
    """

    model: str
    text: Rate
    audio: Rate
    source: str
    date: str
    image: Rate | None = None


class _Table(msgspec.Struct):
    models: list[Price]


@functools.cache
def prices() -> Mapping[str, Price]:
    """The table that comes with this package, by model id; read once."""
    data = resources.files("gip_nb.protocol").joinpath("prices.json").read_bytes()
    return {price.model: price for price in msgspec.json.decode(data, type=_Table).models}


def _input_cost(rate: Rate, tokens: int, cached: int) -> float:
    return (tokens - cached) * rate.input + cached * rate.cached


def cost_usd(model: str | None, usage: Usage) -> float | None:
    """What this usage costs at the table's prices.

    Tokens of a kind that the server did not name are billed as the dearest kind; see
    `Usage.cost_is_upper_bound`.

    Args:
        model: an exact id, with or without the `openai/` of a gateway. No prefixes or families are matched:
            snapshots of one model have had different prices.
        usage: of one response or of many of that model.

    Returns:
        US dollars; None where the table has no price for the model, or none for a kind of token that was
        used.
    """
    price = prices().get((model or "").removeprefix("openai/"))
    if price is None or (usage.input_image_tokens and price.image is None):
        return None
    image = price.image or Rate(0.0, 0.0)
    rates = (price.text, price.audio, image)
    cost = (
        _input_cost(price.text, usage.input_text_tokens, usage.cached_text_tokens)
        + _input_cost(price.audio, usage.input_audio_tokens, usage.cached_audio_tokens)
        + _input_cost(image, usage.input_image_tokens, usage.cached_image_tokens)
        + usage.unnamed_input_tokens * max(rate.input for rate in rates)
        + usage.output_text_tokens * price.text.output
        + usage.output_audio_tokens * price.audio.output
        + usage.unnamed_output_tokens * max(rate.output for rate in rates)
    )
    return cost * _PER_TOKEN
