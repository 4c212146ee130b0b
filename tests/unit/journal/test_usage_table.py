"""The usage table: parts that add up to totals, costs, and what a note says; and the table of prices."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gip_nb
from gip_nb.journal.columns import RESPONSE_COLUMNS, TOKEN_COLUMNS, USAGE_COLUMNS
from gip_nb.journal.usage_table import PRICE_COLUMNS
from gip_nb.protocol.prices import packaged
from tests.unit.journal.test_tables import STARTED_NS, Recorder

TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
GA_USAGE = {
    "input_tokens": 789,
    "output_tokens": 32,
    "input_token_details": {
        "text_tokens": 313,
        "audio_tokens": 476,
        "cached_tokens": 640,
        "cached_tokens_details": {"text_tokens": 256, "audio_tokens": 384},
    },
    "output_token_details": {"text_tokens": 9, "audio_tokens": 23},
}
INPUT_PARTS = [
    *("text_tokens", "cached_text_tokens", "audio_tokens", "cached_audio_tokens"),
    *("image_tokens", "cached_image_tokens", "unnamed_input_tokens"),
]
OUTPUT_PARTS = ["output_text_tokens", "output_audio_tokens", "unnamed_output_tokens"]


def talked() -> Recorder:
    """A transcription in seconds, an answer of GA, one of beta, one of an unknown model."""
    r = Recorder()
    session = {"id": "s", "type": "realtime", "model": "gpt-realtime"}
    transcription = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    r.got("session.created", session={**session, **transcription})
    r.got("input_audio_buffer.committed", item_id="u")
    r.got(TRANSCRIBED, 1000, item_id="u", content_index=0, usage={"type": "duration", "seconds": 7.5})
    r.got("response.done", 2000, response={"id": "r1", "status": "completed", "usage": GA_USAGE})
    details = {"text_tokens": 313, "audio_tokens": 476, "cached_tokens": 640}
    beta = {**GA_USAGE, "input_token_details": details}
    r.got("response.done", 3000, response={"id": "r2", "status": "cancelled", "usage": beta})
    r.local("connection.opened", model="my/model")
    r.got("session.created", session={**session, "model": "my-model"})
    r.got("response.done", 4000, response={"id": "r3", "status": "failed", "usage": GA_USAGE})
    return r


def test_a_row_each_in_the_order_in_which_they_were_told() -> None:
    usage = talked().tables.usage()
    assert {c: str(d) for c, d in usage.dtypes.items()} == USAGE_COLUMNS
    assert usage.index.name == "n"
    assert list(usage["kind"]) == ["transcription", "response", "response", "response"]
    assert list(usage["model"]) == ["whisper-1", "gpt-realtime", "gpt-realtime", "my-model"]
    assert list(usage["status"]) == ["completed", "completed", "cancelled", "failed"]
    assert list(usage["requests"]) == [0, 1, 1, 1]
    assert list(usage["turn"]) == [1, 1, 1, 1]
    assert usage["response_id"].dropna().tolist() == ["r1", "r2", "r3"]
    assert usage["item_id"].dropna().tolist() == ["u"]
    assert usage["at"].iloc[1] == pd.Timestamp(STARTED_NS + 2_000_000_000, tz="UTC")


def test_costs_and_what_is_said_where_there_is_none() -> None:
    r = talked()
    usage = r.tables.usage()
    # 7.5 s of a minute at 0.006; 0.005044 is worked out in test_prices; of beta, with all text taken for
    # cached and no audio: 313 x 0.40 + 476 x 32 + 9 x 16 + 23 x 64 = 125.2 + 15 232 + 144 + 1472.
    assert usage["cost_usd"].tolist()[:3] == pytest.approx([0.00075, 0.005044, 0.0169732])
    assert pd.isna(usage["cost_usd"].iloc[3])
    assert usage["cost_is_upper_bound"].tolist() == [False, False, True, False]
    assert usage["note"].isna().tolist() == [True, True, False, False]
    assert "which tokens were cached" in usage["note"].iloc[2]
    assert usage["note"].iloc[3] == "no price is known for 'my-model'"
    # Of the turn one response is of unknown cost, and transcription is apart in any case.
    assert pd.isna(r.tables.turns()["cost_usd"].iloc[0])
    responses = r.tables.responses()
    assert list(responses.columns) == list(RESPONSE_COLUMNS)
    assert responses["cost_usd"].tolist()[:2] == pytest.approx([0.005044, 0.0169732])
    assert responses["cost_is_upper_bound"].tolist() == [False, True, False]
    assert responses["model"].tolist() == ["gpt-realtime", "gpt-realtime", "my-model"]


def test_cached_tokens_stand_apart_and_what_is_counted_in_seconds_has_none() -> None:
    usage = talked().tables.usage()
    ga = usage.iloc[1]
    assert ga[["text_tokens", "cached_text_tokens"]].tolist() == [57, 256]
    assert ga[["audio_tokens", "cached_audio_tokens"]].tolist() == [92, 384]
    assert ga["unnamed_input_tokens"] == 0
    seconds = usage.iloc[0]
    assert seconds["audio_s"] == 7.5
    assert seconds[["input_tokens", *TOKEN_COLUMNS, "unnamed_input_tokens"]].isna().all()
    assert usage["audio_s"].isna().tolist() == [False, True, True, True]


def test_a_response_without_a_usage_has_no_tokens_and_says_so() -> None:
    r = Recorder()
    r.got("response.done", response={"id": "r", "status": "completed", "usage": None})
    row = r.tables.usage().iloc[0]
    assert row[["input_tokens", *TOKEN_COLUMNS, "cost_usd"]].isna().all()
    assert row["note"] == "the server told no usage of this completed response"
    assert r.tables.responses().loc["r", ["input_tokens", "cost_usd"]].isna().all()


def test_the_users_prices_in_a_log_count_when_it_is_read() -> None:
    r = Recorder()
    rate = {"input": 100.0, "cached": 100.0, "output": 100.0}
    row = {"model": "my/model", "source": "argument", "text": rate, "audio": rate}
    r.local("prices", models=[row, "nonsense"])
    r.local("connection.opened", model="my/model")
    r.got("response.done", response={"id": "r", "status": "completed", "usage": GA_USAGE})
    # 789 + 32 tokens at 100.
    assert r.tables.usage()["cost_usd"].tolist() == pytest.approx([0.0821])


@pytest.mark.parametrize("name", ["usage", "responses"])
def test_an_empty_table_has_its_dtypes(name: str) -> None:
    table = getattr(Recorder().tables, name)()
    columns = USAGE_COLUMNS if name == "usage" else RESPONSE_COLUMNS
    assert {c: str(d) for c, d in table.dtypes.items()} == columns


counts = st.integers(0, 1000)


@st.composite
def usages(draw: st.DrawFn) -> dict[str, Any]:
    """A usage as a server that counts right tells it, with or without the kinds of what was cached."""
    kinds = ("text", "audio", "image")
    whole = {kind: draw(counts) for kind in kinds}
    cached = {kind: draw(st.integers(0, n)) for kind, n in whole.items()}
    details: dict[str, Any] = {f"{kind}_tokens": n for kind, n in whole.items()}
    details["cached_tokens"] = sum(cached.values())
    if draw(st.booleans()):
        details["cached_tokens_details"] = {f"{kind}_tokens": n for kind, n in cached.items()}
    made = {"text_tokens": draw(counts), "audio_tokens": draw(counts)}
    return {
        "input_tokens": sum(whole.values()) + draw(counts),
        "output_tokens": sum(made.values()) + draw(counts),
        "input_token_details": details,
        "output_token_details": made,
    }


@settings(max_examples=30)
@given(st.lists(usages(), min_size=1, max_size=5))
def test_parts_add_up_to_totals_and_nothing_is_negative(told: list[dict[str, Any]]) -> None:
    r = Recorder()
    r.got("session.created", session={"id": "s", "type": "realtime", "model": "gpt-realtime"})
    for n, usage in enumerate(told):
        r.got("response.done", response={"id": f"r{n}", "status": "completed", "usage": usage})
    usage = r.tables.usage()
    assert usage["input_tokens"].tolist() == [u["input_tokens"] for u in told]
    assert usage[INPUT_PARTS].sum(axis=1).tolist() == usage["input_tokens"].tolist()
    assert usage[OUTPUT_PARTS].sum(axis=1).tolist() == usage["output_tokens"].tolist()
    assert (usage[[*INPUT_PARTS, *OUTPUT_PARTS, "cost_usd"]] >= 0).all(axis=None)
    turn = r.tables.turns().loc[1]
    assert turn["cost_usd"] == pytest.approx(usage["cost_usd"].sum())
    assert turn["input_tokens"] == usage["input_tokens"].sum()


def test_the_prices_that_are_known_as_a_table() -> None:
    table = gip_nb.prices({"my/model": {"text": {"input": 3, "output": 6}, "per_minute": 0.5}})
    assert {c: str(d) for c, d in table.dtypes.items()} == PRICE_COLUMNS
    assert set(table["model"]) == {"my/model", *packaged()}
    mine = table[table["model"] == "my/model"].set_index("kind")
    assert mine.loc["text", ["input_usd", "cached_usd", "output_usd"]].tolist() == [3.0, 3.0, 6.0]
    assert mine.loc["minute", "input_usd"] == 0.5
    assert mine["source"].tolist() == ["argument"] * 2
    assert mine["date"].isna().all()
    assert table[table["model"] == "gpt-realtime"]["kind"].tolist() == ["text", "audio", "image"]
