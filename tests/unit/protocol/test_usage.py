"""What a response or a transcription used, as a server tells it."""

from __future__ import annotations

from typing import Any

import pytest

from gip_nb.protocol.usage import Usage, tells_usage, transcribed_s, transcription_usage_of, usage_of


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
    assert usage_of(odd) == transcription_usage_of(odd) == Usage()
    assert transcribed_s(odd) is None


def test_a_part_is_never_more_than_its_whole() -> None:
    seen = usage_of(response(10, 0, cached=99, by_modality={"text_tokens": 99, "audio_tokens": 99}))
    assert (seen.cached_text_tokens, seen.cached_audio_tokens) == (10, 0)


def test_one_unknown_part_makes_the_sum_an_upper_bound() -> None:
    exact = usage_of(response(10, 10, cached=5, by_modality={"text_tokens": 5}))
    guess = usage_of(response(10, 10, cached=5))
    assert not (exact + guess).cached_by_modality
    assert (exact + exact).cached_by_modality
    with pytest.raises(TypeError):
        exact + 1


def test_beta_usage_names_no_kind_of_what_was_cached() -> None:
    seen = usage_of(response(313, 476, cached=640, output_text=9, output_audio=23))
    assert not seen.cached_by_modality
    assert seen.cost_is_upper_bound
    assert (seen.cached_tokens, seen.cached_text_tokens, seen.cached_audio_tokens) == (640, 313, 0)


@pytest.mark.parametrize(
    ("usage", "there"),
    [
        (None, False),
        ({}, False),
        ("many", False),
        ({"input_tokens": None, "output_tokens": None}, False),
        ({"input_tokens": True}, False),
        ({"input_token_details": {}}, False),
        ({"input_tokens": 0}, True),
        ({"output_token_details": {"text_tokens": 3}}, True),
    ],
)
def test_counts_that_are_there_at_all(usage: object, there: object) -> None:
    assert tells_usage({"usage": usage}) is there


def test_a_transcription_is_counted_in_tokens_of_which_those_that_come_out_are_text() -> None:
    usage = {
        "type": "tokens",
        "total_tokens": 26,
        "input_tokens": 17,
        "input_token_details": {"text_tokens": 3, "audio_tokens": 14},
        "output_tokens": 9,
    }
    seen = transcription_usage_of({"usage": usage})
    assert seen == Usage(
        input_tokens=17, output_tokens=9, input_text_tokens=3, input_audio_tokens=14, output_text_tokens=9
    )
    assert not seen.cost_is_upper_bound
    assert transcribed_s({"usage": usage}) is None


@pytest.mark.parametrize(
    ("seconds", "read"), [(1.5, 1.5), (2, 2.0), (-1, None), (float("nan"), None), (True, None), ("3", None)]
)
def test_or_in_seconds(seconds: object, read: float | None) -> None:
    event = {"usage": {"type": "duration", "seconds": seconds}}
    assert transcribed_s(event) == read
    assert transcription_usage_of(event) == Usage()
