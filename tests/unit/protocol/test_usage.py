"""Tokens and prices, with costs worked by hand."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.cost import cost_usd
from gip_nb.protocol.prices import packaged
from gip_nb.protocol.usage import Usage, usage_of


def response(
    text: int = 0,
    audio: int = 0,
    *,
    cached: int | None = None,
    by_modality: dict[str, int] | None = None,
    output_text: int = 0,
    output_audio: int = 0,
) -> dict[str, Any]:
    details: dict[str, Any] = {"text_tokens": text, "audio_tokens": audio}
    if cached is not None:
        details["cached_tokens"] = cached
    if by_modality is not None:
        details["cached_tokens_details"] = by_modality
    return {
        "usage": {
            "total_tokens": text + audio + output_text + output_audio,
            "input_tokens": text + audio,
            "output_tokens": output_text + output_audio,
            "input_token_details": details,
            "output_token_details": {"text_tokens": output_text, "audio_tokens": output_audio},
        }
    }


def test_reads_ga_usage() -> None:
    seen = response(
        313,
        476,
        cached=640,
        by_modality={"text_tokens": 256, "audio_tokens": 384},
        output_text=9,
        output_audio=23,
    )
    assert usage_of(seen) == Usage(
        input_tokens=789,
        output_tokens=32,
        input_text_tokens=313,
        input_audio_tokens=476,
        input_image_tokens=0,
        cached_text_tokens=256,
        cached_audio_tokens=384,
        output_text_tokens=9,
        output_audio_tokens=23,
        cached_tokens=640,
        cached_by_modality=True,
    )


def test_cost_with_cached_tokens_by_modality() -> None:
    seen = response(
        313,
        476,
        cached=640,
        by_modality={"text_tokens": 256, "audio_tokens": 384},
        output_text=9,
        output_audio=23,
    )
    # text   57 x 4.00 + 256 x 0.40 =   228.0 +  102.4
    # audio  92 x 32   + 384 x 0.40 =  2944.0 +  153.6
    # out     9 x 16   +  23 x 64   =   144.0 + 1472.0
    assert cost_usd("gpt-realtime", usage_of(seen)) == pytest.approx(0.005044)
    assert not usage_of(seen).cost_is_upper_bound


def test_cost_of_a_beta_response_is_an_upper_bound() -> None:
    seen = usage_of(response(313, 476, cached=640, output_text=9, output_audio=23))
    assert not seen.cached_by_modality
    assert seen.cost_is_upper_bound
    assert (seen.cached_tokens, seen.cached_text_tokens, seen.cached_audio_tokens) == (640, 313, 0)
    # text   313 x 2.50 =    782.5    all of it taken for cached, and no audio
    # audio  476 x 40   = 19 040.0
    # out      9 x 20 + 23 x 80 = 180 + 1840
    assert cost_usd("openai/gpt-4o-realtime-preview-2024-12-17", seen) == pytest.approx(0.0218425)
    known = usage_of(response(313, 476, cached=640, by_modality={"text_tokens": 256, "audio_tokens": 384}))
    # The same with what GA would have said: 57 x 5 + 256 x 2.5 + 92 x 40 + 384 x 2.5 = 5565, and the output.
    assert cost_usd("gpt-4o-realtime-preview", known) == pytest.approx(0.005565)


def test_the_oldest_snapshot_is_dearer() -> None:
    seen = usage_of(response(100, 100, output_audio=100))
    # 100 x 5 + 100 x 100 + 100 x 200 = 30 500; at the later price 100 x 5 + 100 x 40 + 100 x 80 = 12 500
    assert cost_usd("openai/gpt-4o-realtime-preview-2024-10-01", seen) == pytest.approx(0.0305)
    assert cost_usd("openai/gpt-4o-realtime-preview-2024-12-17", seen) == pytest.approx(0.0125)


def test_nothing_cached_is_exact() -> None:
    seen = usage_of(response(10, 20, cached=0, output_text=5))
    assert seen.cached_by_modality
    assert not seen.cost_is_upper_bound
    # 10 x 0.60 + 20 x 10 + 5 x 2.40
    assert cost_usd("gpt-4o-mini-realtime-preview", seen) == pytest.approx(0.000218)


def test_tokens_of_no_named_kind_are_billed_as_the_dearest() -> None:
    seen = usage_of({"usage": {"input_tokens": 100, "output_tokens": 10}})
    assert seen.cost_is_upper_bound
    assert cost_usd("gpt-realtime", seen) == pytest.approx((100 * 32 + 10 * 64) / 1e6)


def test_images() -> None:
    seen = usage_of(
        {
            "usage": {
                "input_tokens": 100,
                "input_token_details": {
                    "image_tokens": 100,
                    "cached_tokens": 40,
                    "cached_tokens_details": {"image_tokens": 40},
                },
            }
        }
    )
    assert cost_usd("gpt-realtime", seen) == pytest.approx((60 * 5 + 40 * 0.5) / 1e6)
    assert cost_usd("gpt-4o-realtime-preview", seen) is None  # no price is known


@pytest.mark.parametrize(
    "model", ["gpt-realtime-next", "gpt-4o-realtime-preview-2030-01-01", "", None, "azure/gpt-realtime"]
)
def test_unknown_models_have_no_price(model: str | None) -> None:
    assert cost_usd(model, Usage(input_tokens=5)) is None


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"usage": None},
        {"usage": "many"},
        {"usage": {"input_tokens": None, "input_token_details": None, "output_token_details": []}},
        {"usage": {"input_tokens": "12", "output_tokens": True, "input_token_details": {"text_tokens": -4}}},
        {"usage": {"input_tokens": float("nan"), "output_tokens": float("inf")}},
        {"usage": {"input_token_details": {"cached_tokens_details": None, "cached_tokens": None}}},
    ],
)
def test_nonsense_is_nothing(odd: dict[str, Any]) -> None:
    assert usage_of(odd) == Usage()
    assert cost_usd("gpt-realtime", usage_of(odd)) == 0.0


def test_a_part_is_never_more_than_its_whole() -> None:
    seen = usage_of(response(10, 0, cached=99, by_modality={"text_tokens": 99, "audio_tokens": 99}))
    assert (seen.cached_text_tokens, seen.cached_audio_tokens) == (10, 0)


counts = st.integers(0, 10_000)


@st.composite
def responses(draw: st.DrawFn) -> dict[str, Any]:
    text, audio, cached_text, cached_audio = draw(counts), draw(counts), draw(counts), draw(counts)
    split = {"text_tokens": min(text, cached_text), "audio_tokens": min(audio, cached_audio)}
    return response(
        text,
        audio,
        cached=sum(split.values()),
        by_modality=split,
        output_text=draw(counts),
        output_audio=draw(counts),
    )


@given(responses(), responses(), st.sampled_from(sorted(packaged())))
def test_costs_add_up(one: dict[str, Any], other: dict[str, Any], model: str) -> None:
    both = usage_of(one) + usage_of(other)
    first, second = cost_usd(model, usage_of(one)), cost_usd(model, usage_of(other))
    assert first is not None
    assert second is not None
    assert cost_usd(model, both) == pytest.approx(first + second)
    assert both.input_tokens == usage_of(one).input_tokens + usage_of(other).input_tokens


@given(responses(), st.sampled_from(sorted(packaged())))
def test_what_beta_leaves_out_never_makes_it_cheaper(seen: dict[str, Any], model: str) -> None:
    exact = cost_usd(model, usage_of(seen))
    del seen["usage"]["input_token_details"]["cached_tokens_details"]
    bound = cost_usd(model, usage_of(seen))
    assert exact is not None
    assert bound is not None
    assert bound >= exact - 1e-12


def test_one_unknown_part_makes_the_sum_an_upper_bound() -> None:
    exact = usage_of(response(10, 10, cached=5, by_modality={"text_tokens": 5}))
    guess = usage_of(response(10, 10, cached=5))
    assert not (exact + guess).cached_by_modality
    assert (exact + exact).cached_by_modality
    with pytest.raises(TypeError):
        exact + 1


def test_every_price_says_where_and_when_it_was_read() -> None:
    rows = json.loads(resources.files("gip_nb.protocol").joinpath("prices.json").read_bytes())["models"]
    assert len(rows) == len(packaged()) == len({row["model"] for row in rows})
    for row in rows:
        assert row["source"]
        assert len(row["date"].split("-")) == 3
        assert row["model"] == row["model"].strip().removeprefix("openai/")
        # The bound for beta rests on this: text has the smaller discount.
        assert row["text"]["input"] - row["text"]["cached"] <= row["audio"]["input"] - row["audio"]["cached"]
