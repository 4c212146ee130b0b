"""What a talk has cost so far: of one thing that was billed, of a turn, of all. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gip_nb.protocol.prices import PACKAGED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.prices import Price, Prices, Rate
    from gip_nb.protocol.turns import Response, Turn
    from gip_nb.protocol.usage import Billed, Usage

__all__ = ["Cost", "cost_of", "cost_usd", "total_cost", "turn_cost"]

_PER_TOKEN = 1e-6  # prices are for a million
_SECONDS = 60


class Cost(msgspec.Struct, frozen=True):
    """What something costs, as far as one can know.

    Attributes:
        usd: US dollars; None where they are not known.
        is_upper_bound: the server left out the kind of some tokens: it is this at the most.
        note: why it is not known, or only a bound, or what is not in it; None where there is nothing to say.
    """

    usd: float | None
    is_upper_bound: bool = False
    note: str | None = None


def cost_usd(model: str | None, usage: Usage, prices: Prices = PACKAGED) -> float | None:
    """What these tokens cost, by the exact id of a model; see `cost_of`.

    Returns:
        US dollars; None where there is no price for the model, or none for a kind of token that was used.
    """
    price = prices.of(model or "")
    return None if price is None else _tokens_usd(price, usage)


def cost_of(billed: Billed, prices: Prices) -> Cost:
    """What one response or transcription costs.

    Cached tokens are a part of the input and not billed twice. Where the server did not say of which kind
    the cached ones were (beta), no audio is taken for cached; tokens of no named kind are billed as the
    dearest: both make it an upper bound.
    """
    price = prices.of(billed.model)
    usage = billed.usage
    if not billed.told:
        note = f"the server told no usage of this {billed.status} {billed.kind}"
        return Cost(None if billed.began else 0.0, note=note)
    if price is None:
        who = repr(billed.model) if billed.model else "a model that nobody named"
        return Cost(None, note=f"no price is known for {who}")
    if billed.audio_s is not None:
        if price.per_minute is None:
            return Cost(None, note=f"billed by the minute: no such price is known for {billed.model!r}")
        return Cost(billed.audio_s / _SECONDS * price.per_minute)
    usd = _tokens_usd(price, usage)
    if usd is None:
        kinds = " and ".join(_unpriced(price, usage))
        return Cost(None, note=f"{billed.model!r} has no known price for {kinds}")
    return Cost(usd, is_upper_bound=usage.cost_is_upper_bound, note=_why_bound(usage))


def turn_cost(conversation: Conversation, turn: Turn) -> Cost:
    """Of a turn's responses together, each at its own model's price; transcriptions are not in it."""
    responses = [conversation.responses[response_id] for response_id in turn.response_ids]
    all_billed = (response.billed for response in responses)
    cost = _sum(cost_of(billed, conversation.prices) for billed in all_billed if billed is not None)
    return _noting_lost(cost, responses)


def total_cost(conversation: Conversation) -> Cost:
    """Of all so far, transcriptions included where their cost is known; what is not in it is in the note."""
    prices = conversation.prices
    responses = _sum(cost_of(b, prices) for b in conversation.billed if b.kind == "response")
    others = [cost_of(b, prices) for b in conversation.billed if b.kind == "transcription"]
    missing = next((cost.note for cost in others if cost.usd is None), None)
    note = responses.note
    if missing is not None:
        note = "; ".join(part for part in (note, f"transcription not included: {missing}") if part)
    responses = _noting_lost(msgspec.structs.replace(responses, note=note), conversation.responses.values())
    if responses.usd is None:
        return responses
    usd = responses.usd + sum(cost.usd or 0.0 for cost in others)
    bound = responses.is_upper_bound or any(cost.is_upper_bound for cost in others)
    return Cost(usd, is_upper_bound=bound, note=responses.note)


def _noting_lost(cost: Cost, responses: Iterable[Response]) -> Cost:
    """What a lost connection broke off may be billed all the same: nobody was told what it used."""
    lost = sum(response.lost for response in responses)
    if not lost:
        return cost
    what = "an answer" if lost == 1 else f"{lost} answers"
    note = f"not included: {what} that a lost connection broke off"
    return msgspec.structs.replace(cost, note="; ".join(part for part in (cost.note, note) if part))


def _sum(costs: Iterable[Cost]) -> Cost:
    """Of several; not known where one of them is not, or where there is none."""
    found = list(costs)
    unknown = next((cost for cost in found if cost.usd is None), None)
    if unknown is not None or not found:
        return Cost(None, note=None if unknown is None else unknown.note)
    bound = next((cost for cost in found if cost.is_upper_bound), None)
    usd = sum(cost.usd or 0.0 for cost in found)
    return Cost(usd, is_upper_bound=bound is not None, note=None if bound is None else bound.note)


def _tokens_usd(price: Price, usage: Usage) -> float | None:
    """None where a kind that was used has no price."""
    if _unpriced(price, usage):
        return None
    rates = [rate for rate in (price.text, price.audio, price.image) if rate is not None]
    cost = (
        _input_usd(price, usage)
        + usage.unnamed_input_tokens * max((rate.input for rate in rates), default=0.0)
        + _output_usd(price.text, usage.output_text_tokens)
        + _output_usd(price.audio, usage.output_audio_tokens)
        + usage.unnamed_output_tokens * max((rate.output or 0.0 for rate in rates), default=0.0)
    )
    return cost * _PER_TOKEN


def _unpriced(price: Price, usage: Usage) -> list[str]:
    """The kinds of token that were used and that have no price."""
    rates = [rate for rate in (price.text, price.audio, price.image) if rate is not None]
    used = {
        "text": (price.text, usage.input_text_tokens),
        "audio": (price.audio, usage.input_audio_tokens),
        "image": (price.image, usage.input_image_tokens),
    }
    made = {
        "text": (price.text, usage.output_text_tokens),
        "audio": (price.audio, usage.output_audio_tokens),
    }
    missing = [f"{kind} input" for kind, (rate, tokens) in used.items() if tokens and rate is None]
    missing += [
        f"{kind} output"
        for kind, (rate, tokens) in made.items()
        if tokens and (rate is None or rate.output is None)
    ]
    if usage.unnamed_input_tokens and not rates:
        missing.append("input tokens")
    if usage.unnamed_output_tokens and all(rate.output is None for rate in rates):
        missing.append("output tokens")
    return missing


def _input_usd(price: Price, usage: Usage) -> float:
    """Of the tokens of named kinds that went in, for a million of each."""
    all_kinds = (
        (price.text, usage.input_text_tokens, usage.cached_text_tokens),
        (price.audio, usage.input_audio_tokens, usage.cached_audio_tokens),
        (price.image, usage.input_image_tokens, usage.cached_image_tokens),
    )
    kinds = [(rate, tokens, cached) for rate, tokens, cached in all_kinds if rate is not None and tokens]
    if usage.cached_by_modality:
        return sum((tokens - cached) * rate.input + cached * rate.cached for rate, tokens, cached in kinds)
    # Whatever was cached: no kind that was used has a smaller discount than this.
    discount = min((rate.input - rate.cached for rate, _tokens, _cached in kinds), default=0.0)
    return sum(tokens * rate.input for rate, tokens, _cached in kinds) - usage.cached_text_tokens * discount


def _output_usd(rate: Rate | None, tokens: int) -> float:
    return 0.0 if rate is None else tokens * (rate.output or 0.0)


def _why_bound(usage: Usage) -> str | None:
    if usage.unnamed_input_tokens or usage.unnamed_output_tokens:
        return "an upper bound: the server did not say the kind of all tokens; the dearest is taken"
    if not usage.cached_by_modality:
        return "an upper bound: the server did not say which tokens were cached; no audio is taken for it"
    return None
