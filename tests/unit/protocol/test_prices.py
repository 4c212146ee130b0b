"""Prices and what comes of them: costs worked by hand, and the user's own table over the packaged one."""

from __future__ import annotations

import json
from datetime import date
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import BadSetting
from gip_nb.protocol.cost import Cost, cost_of, cost_usd
from gip_nb.protocol.prices import PACKAGED, Prices, Rate, packaged, read_prices, told_prices
from gip_nb.protocol.usage import Billed, Usage, transcribed_s, transcription_usage_of, usage_of

if TYPE_CHECKING:
    from pathlib import Path

ANSWERING = sorted(model for model, price in packaged().items() if price.answers)
OWN = {"text": {"input": 1, "cached": 0.5, "output": 2}, "audio": {"input": 10, "cached": 1, "output": 20}}


def about(usd: float) -> Any:
    """Equal to it, as far as floats go."""
    return pytest.approx(usd)


def told(
    *,
    text: int = 0,
    audio: int = 0,
    image: int = 0,
    cached: dict[str, int] | int | None = None,
    output_text: int = 0,
    output_audio: int = 0,
) -> dict[str, Any]:
    """A response with this usage; `cached` is by modality (GA) or in all (beta)."""
    details: dict[str, Any] = {"text_tokens": text, "audio_tokens": audio, "image_tokens": image}
    if isinstance(cached, dict):
        details["cached_tokens"] = sum(cached.values())
        details["cached_tokens_details"] = {f"{kind}_tokens": n for kind, n in cached.items()}
    elif cached is not None:
        details["cached_tokens"] = cached
    return {
        "usage": {
            "input_tokens": text + audio + image,
            "output_tokens": output_text + output_audio,
            "input_token_details": details,
            "output_token_details": {"text_tokens": output_text, "audio_tokens": output_audio},
        }
    }


def billed(model: str, usage: Usage, **fields: Any) -> Billed:
    given = {"kind": "response", "at_s": 0.0, "turn": 1, "status": "completed", **fields}
    return Billed(model=model, usage=usage, **given)


def cost(model: str, usage: Usage, prices: Prices = PACKAGED, **fields: Any) -> Cost:
    return cost_of(billed(model, usage, **fields), prices)


def transcription(usage: dict[str, Any], model: str, prices: Prices = PACKAGED) -> Cost:
    event = {"usage": usage}
    seen = transcription_usage_of(event)
    return cost(model, seen, prices, kind="transcription", audio_s=transcribed_s(event))


# --------------------------------------------------------------------------------------------- worked by hand


def test_cached_text_and_cached_audio_are_a_part_of_the_input_and_not_more_of_it() -> None:
    seen = told(text=313, audio=476, cached={"text": 256, "audio": 384}, output_text=9, output_audio=23)
    # USD per million: text 4.00, cached 0.40, out 16; audio 32, cached 0.40, out 64
    # text    313 - 256 =  57 x  4.00 =  228.0
    # cached              256 x  0.40 =  102.4
    # audio   476 - 384 =  92 x 32.00 = 2944.0
    # cached              384 x  0.40 =  153.6
    # out text              9 x 16.00 =  144.0
    # out audio            23 x 64.00 = 1472.0
    #                                  --------
    #                                   5044.0 millionths
    assert cost("gpt-realtime", usage_of(seen)) == Cost(about(0.005044))
    # At gpt-realtime-2's 24.00 for text that comes out, 9 x 8.00 = 72 more.
    assert cost("gpt-realtime-2", usage_of(seen)) == Cost(about(0.005116))


def test_beta_names_no_kind_of_what_was_cached_and_the_cost_is_a_bound() -> None:
    seen = told(text=313, audio=476, cached=640, output_text=9, output_audio=23)
    # 640 cached tokens are more than there was text: all 313 of it are taken for cached, and no audio.
    # text    313 x  2.50 =    782.5
    # audio   476 x 40.00 = 19 040.0
    # out       9 x 20.00 =    180.0
    #          23 x 80.00 =   1840.0
    #                       ---------
    #                       21 842.5
    bound = cost("openai/gpt-4o-realtime-preview-2024-12-17", usage_of(seen))
    assert bound.usd == pytest.approx(0.0218425)
    assert bound.is_upper_bound
    assert bound.note is not None
    assert "which tokens were cached" in bound.note
    # What GA would have said of the same: 57 x 5 + 256 x 2.5 + 92 x 40 + 384 x 2.5 = 285 + 640 + 3680 + 960.
    exact = told(text=313, audio=476, cached={"text": 256, "audio": 384})
    assert cost_usd("gpt-4o-realtime-preview", usage_of(exact)) == pytest.approx(0.005565)


def test_nothing_cached_is_exact_in_beta_too() -> None:
    seen = usage_of(told(text=10, audio=20, cached=0, output_text=5))
    # 10 x 0.60 + 20 x 10 + 5 x 2.40 = 6 + 200 + 12
    assert cost("gpt-4o-mini-realtime-preview", seen) == Cost(about(0.000218))


def test_the_bound_holds_at_prices_with_a_smaller_discount_on_audio_too() -> None:
    # Text 4.00, cached 0.00: a discount of 4. Audio 2.00, cached 1.50: one of 0.50.
    rows = {"m": {"text": {"input": 4, "cached": 0, "output": 1}, "audio": {"input": 2, "cached": 1.5}}}
    prices = read_prices(rows)
    # Were the 100 cached ones audio: 100 x 4 + 100 x 1.5 = 550; were they text: 100 x 0 + 100 x 2 = 200.
    assert cost("m", usage_of(told(text=100, audio=100, cached=100)), prices).usd == pytest.approx(550e-6)
    as_audio = usage_of(told(text=100, audio=100, cached={"audio": 100}))
    assert cost("m", as_audio, prices).usd == pytest.approx(550e-6)


def test_snapshots_of_one_model_have_had_different_prices() -> None:
    seen = usage_of(told(text=100, audio=100, output_audio=100))
    # 100 x 5 + 100 x 100 + 100 x 200 = 30 500; and 100 x 5 + 100 x 40 + 100 x 80 = 12 500
    assert cost_usd("openai/gpt-4o-realtime-preview-2024-10-01", seen) == pytest.approx(0.0305)
    assert cost_usd("openai/gpt-4o-realtime-preview-2024-12-17", seen) == pytest.approx(0.0125)


def test_images() -> None:
    seen = usage_of(told(image=100, cached={"image": 40}))
    # 60 x 5.00 + 40 x 0.50 = 300 + 20
    assert cost("gpt-realtime", seen) == Cost(about(0.00032))
    unknown = cost("gpt-4o-realtime-preview", seen)
    assert unknown == Cost(None, note="'gpt-4o-realtime-preview' has no known price for image input")


def test_tokens_of_no_named_kind_are_billed_as_the_dearest() -> None:
    seen = usage_of({"usage": {"input_tokens": 100, "output_tokens": 10}})
    # 100 x 32 (audio) + 10 x 64 (audio) = 3200 + 640
    bound = cost("gpt-realtime", seen)
    assert bound.usd == about(0.00384)
    assert bound.is_upper_bound
    assert bound.note is not None
    assert "the dearest" in bound.note


def test_a_transcription_by_tokens() -> None:
    usage = {
        "type": "tokens",
        "input_tokens": 60,
        "output_tokens": 12,
        "input_token_details": {"text_tokens": 10, "audio_tokens": 50},
    }
    # gpt-4o-transcribe: text 10 x 2.50 = 25, audio 50 x 6.00 = 300, text out 12 x 10.00 = 120
    assert transcription(usage, "gpt-4o-transcribe") == Cost(about(0.000445))
    # gpt-4o-mini-transcribe: 10 x 1.25 + 50 x 3.00 + 12 x 5.00 = 12.5 + 150 + 60
    assert transcription(usage, "openai/gpt-4o-mini-transcribe") == Cost(about(0.0002225))
    by_tokens = transcription(usage, "whisper-1")
    assert by_tokens.usd is None
    assert by_tokens.note is not None
    assert "no known price for text input and audio input and text output" in by_tokens.note


def test_a_transcription_by_the_minute() -> None:
    # 7.5 s of a minute at $0.006: 0.125 x 0.006
    assert transcription({"type": "duration", "seconds": 7.5}, "whisper-1") == Cost(about(0.00075))
    unknown = transcription({"type": "duration", "seconds": 7.5}, "gpt-4o-transcribe")
    assert unknown == Cost(None, note="billed by the minute: no such price is known for 'gpt-4o-transcribe'")


@pytest.mark.parametrize(
    "model",
    [
        "gpt-realtime-next",
        "gpt-4o-realtime-preview-2030-01-01",
        "azure/gpt-realtime",
        "openai/openai/gpt-realtime",
    ],
)
def test_ids_are_exact_and_an_unknown_one_says_so(model: str) -> None:
    assert cost(model, Usage(input_tokens=5)) == Cost(None, note=f"no price is known for {model!r}")
    assert cost_usd(model, Usage()) is None


def test_a_model_that_nobody_named() -> None:
    assert cost("", Usage()).note == "no price is known for a model that nobody named"
    assert cost_usd(None, Usage()) is None


def test_a_usage_that_was_not_told_is_not_nothing() -> None:
    assert cost("gpt-realtime", Usage(), told=False) == Cost(
        None, note="the server told no usage of this completed response"
    )
    # What failed before anything came of it has cost nothing.
    assert cost("gpt-realtime", Usage(), told=False, began=False, status="failed") == Cost(
        0.0, note="the server told no usage of this failed response"
    )


# ------------------------------------------------------------------------------------------ the user's prices


def test_a_row_of_the_user_replaces_the_packaged_one() -> None:
    prices = read_prices(
        {"gpt-realtime": OWN, "my/model": {**OWN, "source": "contract", "date": "2026-11-01"}}
    )
    seen = usage_of(told(text=10, audio=10, cached={"text": 4}, output_text=3, output_audio=2))
    # 6 x 1 + 4 x 0.5 + 10 x 10 + 3 x 2 + 2 x 20 = 6 + 2 + 100 + 6 + 40
    for model in ("gpt-realtime", "openai/gpt-realtime", "my/model"):
        assert cost(model, seen, prices) == Cost(about(0.000154)), model
    # 6 x 4 + 4 x 0.4 + 10 x 32 + 3 x 16 + 2 x 64 = 24 + 1.6 + 320 + 48 + 128
    assert cost("gpt-realtime", seen) == Cost(about(0.0005216))
    assert [(p.model, p.source, p.date) for p in prices.own] == [
        ("gpt-realtime", "argument", ""),
        ("my/model", "contract", "2026-11-01"),
    ]


def test_a_row_for_the_full_id_wins() -> None:
    dearer = {"text": {"input": 100, "output": 100}, "audio": {"input": 100, "output": 100}}
    prices = read_prices({"gpt-realtime": OWN, "openai/gpt-realtime": dearer})
    seen = usage_of(told(text=1000))
    assert cost_usd("openai/gpt-realtime", seen, prices) == pytest.approx(0.1)
    assert cost_usd("gpt-realtime", seen, prices) == pytest.approx(0.001)


def test_without_cached_a_cached_token_costs_what_any_other_does() -> None:
    prices = read_prices({"m": {"text": {"input": 3, "output": 1}}})
    assert prices.of("m").text == Rate(3.0, 3.0, 1.0)  # type: ignore[union-attr]  # it is there
    assert cost_usd("m", usage_of(told(text=10, cached={"text": 10})), prices) == pytest.approx(30e-6)
    # Nobody knows what sound costs there.
    assert cost_usd("m", usage_of(told(text=10, output_audio=1)), prices) is None


@pytest.mark.parametrize("layout", ["by model", "as packaged"])
def test_prices_in_a_file(tmp_path: Path, layout: str) -> None:
    rows: dict[str, dict[str, Any]] = {"a": OWN, "b": {"per_minute": 0.01}}
    table: Any = (
        rows
        if layout == "by model"
        else {"unit": "USD", "models": [{"model": m, **r} for m, r in rows.items()]}
    )
    path = tmp_path / "team.json"
    path.write_text(json.dumps(table))
    prices = read_prices(path)
    assert read_prices(str(path)) == prices
    assert [(p.model, p.source) for p in prices.own] == [("a", "team.json"), ("b", "team.json")]
    assert transcription({"type": "duration", "seconds": 60}, "b", prices).usd == pytest.approx(0.01)


def test_the_packaged_file_can_be_a_users_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(resources.files("gip_nb.protocol").joinpath("prices.json").read_bytes())
    assert read_prices(path).own == tuple(packaged().values())


@pytest.mark.parametrize(
    ("given", "says", "does"),
    [
        (7, "prices is a int", "dict"),
        ([OWN], "prices is a list", "dict"),
        ({"m": 4}, "prices['m'] is 4", "dict"),
        ({"": OWN}, "a model ''", "id"),
        ({3: OWN}, "a model 3", "id"),
        ({"m": {}}, "prices['m'] prices nothing", "'text' and 'audio'"),
        ({"m": {"text": 4}}, "prices['m']['text'] is 4", '"input"'),
        ({"m": {"txt": {"input": 4}}}, "has 'txt'", "text, audio, image"),
        ({"m": {"text": {"in": 4}}}, "has 'in'", "'input'"),
        ({"m": {"text": {"output": 4}}}, "has no 'input'", "'input' is needed"),
        ({"m": {"text": {"input": "4"}}}, "prices['m']['text']['input'] is '4'", "number"),
        ({"m": {"text": {"input": -1}}}, "is -1", "0 or more"),
        ({"m": {"text": {"input": float("nan")}}}, "is nan", "0 or more"),
        ({"m": {"text": {"input": True}}}, "is True", "number"),
        ({"m": {"text": {"input": 1, "cached": 2}}}, "cached 2 is more than input 1", "leave 'cached' out"),
        ({"m": {"per_minute": -0.1}}, "prices['m']['per_minute'] is -0.1", "0 or more"),
        ({"m": {**OWN, "source": 5}}, "prices['m']['source'] is 5", "text"),
        ({"models": [OWN]}, "no table of prices", "models"),
    ],
)
def test_what_is_no_table_is_named_with_what_would_be(given: Any, says: str, does: str) -> None:
    with pytest.raises(BadSetting) as caught:
        read_prices(given)
    assert says in caught.value.message
    assert does in caught.value.next_step


@pytest.mark.parametrize(
    ("text", "says"), [(None, "cannot be read"), ("{", "no JSON"), ("[1]", "no table"), ("4", "no table")]
)
def test_nor_what_is_no_file_of_one(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "prices.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadSetting, match=says) as caught:
        read_prices(path)
    assert str(path) in caught.value.message


def test_they_come_back_from_a_log_and_what_is_no_row_is_left_out() -> None:
    prices = read_prices({"a": OWN, "b": {"per_minute": 0.01, "date": "2026-01-02"}})
    rows = json.loads(json.dumps([msgspec.to_builtins(price) for price in prices.own]))
    assert told_prices(rows) == prices
    assert hash(told_prices(rows)) == hash(prices)
    odd = [None, 4, {}, {"model": "c"}, {"model": "d", "text": {"input": "x"}, "source": "s"}]
    assert told_prices([*odd, *rows]) == prices
    assert told_prices("many") == told_prices(None) == PACKAGED


@pytest.mark.parametrize(
    ("told_name", "asked", "own", "name"),
    [
        ("gpt-realtime", "openai/gpt-realtime", (), "gpt-realtime"),
        # A gateway's own name for it, which nobody has priced; then the one that was asked for.
        ("deployment-7", "openai/gpt-realtime", (), "openai/gpt-realtime"),
        ("deployment-7", "my/model", (), "deployment-7"),
        ("", "my/model", (), "my/model"),
        # What the user has priced, by whichever name.
        ("gpt-realtime", "openai/gpt-realtime", ("openai/gpt-realtime",), "openai/gpt-realtime"),
        ("gpt-realtime", "my/model", ("my/model",), "my/model"),
        ("gpt-realtime", "my/model", ("gpt-realtime", "my/model"), "gpt-realtime"),
        ("deployment-7", "openai/gpt-realtime", ("gpt-realtime",), "openai/gpt-realtime"),
        ("", "", (), ""),
    ],
)
def test_by_which_of_its_names_a_model_is_priced(
    told_name: str, asked: str, own: tuple[str, ...], name: str
) -> None:
    assert read_prices(dict.fromkeys(own, OWN)).name_of(told_name, asked) == name


def test_every_packaged_price_says_where_and_when_it_was_read() -> None:
    rows = json.loads(resources.files("gip_nb.protocol").joinpath("prices.json").read_bytes())["models"]
    assert len(rows) == len(packaged()) == len({row["model"] for row in rows})
    for price in packaged().values():
        assert price.source
        assert price.source != "prices.json"
        assert date.fromisoformat(price.date) >= date(2026, 1, 1)
        assert price.model == price.model.strip().removeprefix("openai/")
        assert price.answers or price.per_minute or (price.text and price.audio)
    assert read_prices(None) is PACKAGED
    assert PACKAGED.rows == tuple(packaged().values())
    assert len(read_prices({"gpt-realtime": OWN, "m": OWN}).rows) == len(packaged()) + 1


# ---------------------------------------------------------------------------------------------- at any prices

counts = st.integers(0, 10_000)
usd = st.floats(0, 1000)


@st.composite
def responses(draw: st.DrawFn) -> dict[str, Any]:
    whole = {kind: draw(counts) for kind in ("text", "audio")}
    split = {kind: min(n, draw(counts)) for kind, n in whole.items()}
    return told(**whole, cached=split, output_text=draw(counts), output_audio=draw(counts))


@st.composite
def own_prices(draw: st.DrawFn) -> Prices:
    def rate() -> dict[str, float]:
        full = draw(usd)
        return {"input": full, "cached": full * draw(st.floats(0, 1)), "output": draw(usd)}

    return read_prices({"m": {"text": rate(), "audio": rate()}})


def without_kinds(seen: dict[str, Any]) -> Usage:
    details = {k: v for k, v in seen["usage"]["input_token_details"].items() if k != "cached_tokens_details"}
    return usage_of({"usage": {**seen["usage"], "input_token_details": details}})


@given(responses(), responses(), st.sampled_from(ANSWERING))
def test_costs_add_up(one: dict[str, Any], other: dict[str, Any], model: str) -> None:
    both = usage_of(one) + usage_of(other)
    parts = [cost_usd(model, usage_of(r)) for r in (one, other)]
    assert cost_usd(model, both) == pytest.approx(sum(part or 0.0 for part in parts))
    assert both.input_tokens == usage_of(one).input_tokens + usage_of(other).input_tokens


@given(responses(), own_prices())
def test_a_cost_is_never_negative_and_what_beta_leaves_out_never_makes_it_less(
    seen: dict[str, Any], prices: Prices
) -> None:
    exact = cost_usd("m", usage_of(seen), prices)
    bound = cost_usd("m", without_kinds(seen), prices)
    assert exact is not None
    assert bound is not None
    assert exact >= 0.0
    assert bound >= exact - 1e-9 * (1 + exact)


@given(responses(), own_prices(), st.sampled_from(["text", "audio", "output_text", "output_audio"]), counts)
def test_more_tokens_never_cost_less(seen: dict[str, Any], prices: Prices, more: str, count: int) -> None:
    extra = usage_of(told(**{more: count}))
    less, all_of_it = (cost_usd("m", usage, prices) for usage in (usage_of(seen), usage_of(seen) + extra))
    assert less is not None
    assert all_of_it is not None
    assert all_of_it >= less - 1e-12


@given(responses(), own_prices(), st.floats(1, 10))
def test_dearer_prices_never_cost_less(seen: dict[str, Any], prices: Prices, times: float) -> None:
    rows = [msgspec.to_builtins(price) for price in prices.own]
    for rate in (rows[0]["text"], rows[0]["audio"]):
        rate.update({name: value * times for name, value in rate.items()})
    dearer, cheaper = (cost_usd("m", usage_of(seen), p) for p in (told_prices(rows), prices))
    assert dearer is not None
    assert cheaper is not None
    assert dearer >= cheaper - 1e-12
