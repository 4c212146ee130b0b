"""What was billed, a row each, and the prices that it is counted at. Rows are pure; pandas comes late.

Input tokens come in parts that do not overlap: of each kind those that were not cached, and those that were.
All parts, the unnamed ones too, add up to `input_tokens`, and so it is with the output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.cost import cost_of
from gip_nb.protocol.prices import KINDS

if TYPE_CHECKING:
    import pandas as pd

    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.prices import Price, Prices
    from gip_nb.protocol.usage import Billed, Usage

__all__ = ["TOKEN_COLUMNS", "USAGE_COLUMNS", "price_table", "response_tokens", "usage_rows"]

# Shared with `responses`. Counts of tokens; NA where nobody told any.
TOKEN_COLUMNS = {
    "input_tokens": "Int64",  # all that went in
    "output_tokens": "Int64",  # all that came out
    "text_tokens": "Int64",  # of the input, not cached
    "cached_text_tokens": "Int64",  # of the input, from the cache; so the four below
    "audio_tokens": "Int64",
    "cached_audio_tokens": "Int64",
    "image_tokens": "Int64",
    "cached_image_tokens": "Int64",
    "output_text_tokens": "Int64",  # transcripts included
    "output_audio_tokens": "Int64",
}
# Index `n`, in the order in which the server told them.
USAGE_COLUMNS = {
    "at": "datetime64[ns, UTC]",  # when the server told it
    "kind": "category",  # response, transcription
    "turn": "Int64",
    "response_id": "string",  # NA for a transcription
    "item_id": "string",  # of what was transcribed; NA for a response
    "model": "string",  # by which it is priced
    "status": "string",
    "requests": "Int64",  # billed ones: 1, of a transcription 0
    **TOKEN_COLUMNS,
    "unnamed_input_tokens": "Int64",  # of which the server did not say the kind
    "unnamed_output_tokens": "Int64",
    "audio_s": "float64",  # seconds, of a transcription that is billed by its length
    "cost_usd": "float64",  # US dollars; NA where it is not known
    "cost_is_upper_bound": "bool",  # it is this at the most
    "note": "string",  # why there is no cost, or why it is a bound
}
USAGE_KINDS = ("response", "transcription")
# One row a model and kind of token, or a minute of audio.
PRICE_COLUMNS = {
    "model": "string",
    "kind": "category",  # text, audio, image: USD per million tokens; minute: USD per minute of audio
    "input_usd": "float64",
    "cached_usd": "float64",  # instead of `input_usd`, of what comes from the cache
    "output_usd": "float64",  # NA where nothing of it comes out, or no price is known
    "source": "string",  # where it was read
    "date": "string",  # when, YYYY-MM-DD
}
_MINUTE = "minute"


def usage_rows(conversation: Conversation, started_unix_ns: int) -> list[dict[str, Any]]:
    """One row for all that was billed, with the columns of `USAGE_COLUMNS`.

    Args:
        conversation: as the events tell it.
        started_unix_ns: when its log began; `at` is Unix time, nanoseconds.
    """
    return [_row(conversation, billed, started_unix_ns) for billed in conversation.billed]


def response_tokens(usage: Usage | None) -> dict[str, int | None]:
    """The columns of `TOKEN_COLUMNS`, of a response that has told its usage or (None) has not."""
    if usage is None:
        return dict.fromkeys(TOKEN_COLUMNS)
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "text_tokens": usage.input_text_tokens - usage.cached_text_tokens,
        "cached_text_tokens": usage.cached_text_tokens,
        "audio_tokens": usage.input_audio_tokens - usage.cached_audio_tokens,
        "cached_audio_tokens": usage.cached_audio_tokens,
        "image_tokens": usage.input_image_tokens - usage.cached_image_tokens,
        "cached_image_tokens": usage.cached_image_tokens,
        "output_text_tokens": usage.output_text_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
    }


def _row(conversation: Conversation, billed: Billed, started_unix_ns: int) -> dict[str, Any]:
    cost = cost_of(billed, conversation.prices)
    item = conversation.items.get(billed.item_id or "")
    # What is counted in seconds has no tokens, and neither has what was not told.
    usage = billed.usage if billed.told and billed.audio_s is None else None
    return {
        "at": started_unix_ns + round(billed.at_s * 1e9),
        "kind": billed.kind,
        # A transcript may be told before the turn that it belongs to has begun.
        "turn": billed.turn if billed.turn is not None or item is None else item.turn,
        "response_id": billed.response_id,
        "item_id": billed.item_id,
        "model": billed.model or None,
        "status": billed.status,
        "requests": int(billed.kind == "response"),
        **response_tokens(usage),
        "unnamed_input_tokens": None if usage is None else usage.unnamed_input_tokens,
        "unnamed_output_tokens": None if usage is None else usage.unnamed_output_tokens,
        "audio_s": billed.audio_s,
        "cost_usd": cost.usd,
        "cost_is_upper_bound": cost.usd is not None and cost.is_upper_bound,
        "note": cost.note,
    }


def price_table(prices: Prices) -> pd.DataFrame:
    """What is known, the user's own rows first; columns as in `PRICE_COLUMNS`."""
    import pandas as pd

    rows = [row for price in prices.rows for row in _price_rows(price)]
    frame = pd.DataFrame(rows, columns=list(PRICE_COLUMNS)).astype(PRICE_COLUMNS)
    frame["kind"] = frame["kind"].cat.set_categories([*KINDS, _MINUTE])
    return frame


def _price_rows(price: Price) -> list[dict[str, Any]]:
    told = {"model": price.model, "source": price.source, "date": price.date or None}
    rows = [
        {
            **told,
            "kind": kind,
            "input_usd": rate.input,
            "cached_usd": rate.cached,
            "output_usd": rate.output,
        }
        for kind, rate in zip(KINDS, (price.text, price.audio, price.image), strict=True)
        if rate is not None
    ]
    if price.per_minute is not None:
        rows.append({**told, "kind": _MINUTE, "input_usd": price.per_minute})
    return rows
