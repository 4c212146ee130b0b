"""What was billed, a row each, and the prices that it is counted at. Rows are pure; pandas comes late.

Input tokens come in parts that do not overlap: of each kind those that were not cached, and those that were.
All parts, the unnamed ones too, add up to `input_tokens`, and so it is with the output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.journal.columns import TOKEN_COLUMNS
from gip_nb.protocol.cost import cost_of
from gip_nb.protocol.prices import KINDS

if TYPE_CHECKING:
    import pandas as pd

    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.prices import Price, Prices
    from gip_nb.protocol.usage import Billed

__all__ = ["PRICE_COLUMNS", "price_table", "token_columns", "usage_rows"]

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


def token_columns(billed: Billed | None) -> dict[str, int | None]:
    """`input_tokens`, `output_tokens` and the columns of `TOKEN_COLUMNS`.

    Args:
        billed: what was; all are NA where nothing was yet, where the server told no usage, and where it told
            seconds.
    """
    if billed is None or not billed.told or billed.audio_s is not None:
        return dict.fromkeys(("input_tokens", "output_tokens", *TOKEN_COLUMNS))
    usage = billed.usage
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
    tokens = token_columns(billed)
    usage = None if tokens["input_tokens"] is None else billed.usage
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
        **tokens,
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
