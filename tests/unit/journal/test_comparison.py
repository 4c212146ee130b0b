"""Talks side by side: the figures of each, what a notebook shows, and what it cannot be made to show."""

from __future__ import annotations

import base64
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gip_nb.errors import BadSetting
from gip_nb.journal import comparison_html
from gip_nb.journal.comparison import FRAME_COLUMNS, SUMMARY_COLUMNS, Comparison, compare
from tests.unit.journal.tabled import FakeTalk

SOUND = bytes(range(256)) * 6  # 32 ms
NA = pd.NA


def said(turn: int, role: str, ms: float = 32.0) -> dict[str, Any]:
    return {"item_id": f"{role}{turn}", "type": "message", "role": role, "turn": turn, "audio_ms": ms}


def talk(**more: Any) -> FakeTalk:
    """Two turns, the second with a call that failed."""
    items = [said(1, "user"), said(1, "assistant"), said(2, "user"), said(2, "assistant")]
    first = {"at_s": 1.0, "ended_s": 3.5, "user_text": "hello there", "assistant_text": "good morning to you"}
    second = {"at_s": 5.0, "ended_s": 6.0, "user_text": "and now", "interrupted": True, "status": "cancelled"}
    told = {"session": {"audio": {"output": {"voice": "ash"}}}}
    fields = {
        "turns": [
            {**first, "first_audio_ms": 500.0, "first_sound_ms": 600.0, "requests": 1, "cost_usd": 0.01},
            {**second, "first_audio_ms": 700.0, "tools": 2, "requests": 2, "cost_usd": 0.02, "rating": -1},
        ],
        "items": items,
        "tool_calls": [
            {"call_id": "c1", "turn": 2, "name": "look", "error": "no"},
            {"call_id": "c2", "turn": 2, "name": "find"},
        ],
        "events": [{"elapsed_s": 0.0, "event": "session.created", "payload": told}],
        "sounds": {i["item_id"]: SOUND[n:] + SOUND[:n] for n, i in enumerate(items)},
    }
    return FakeTalk(**(fields | more))


# ---------------------------------------------------------------------------------------------------- figures


def test_a_row_for_each_talk_and_turn() -> None:
    frame = compare([talk(), talk(model="mini")]).frame
    assert list(frame["source"]) == ["gpt-realtime"] * 2 + ["mini"] * 2
    assert list(frame["turn"]) == [1, 2, 1, 2]
    row = frame.iloc[0]
    assert (row["voice"], row["user_words"], row["words"], row["duration_ms"]) == ("ash", 2, 4, 2500)
    assert (row["first_sound_ms"], row["tools"], row["tool_errors"]) == (600, NA, 0)
    row = frame.iloc[1]
    assert (row["tool_names"], row["tool_errors"], row["interrupted"]) == ("look, find", 1, True)
    assert row["words"] is NA
    assert math.isnan(row["first_sound_ms"])


def test_dtypes_are_those_that_are_documented() -> None:
    for sources in ([talk()], [FakeTalk()], [FakeTalk(), talk()], [FakeTalk(turns=[{}], model="")]):
        found = compare(sources)
        assert {k: str(v) for k, v in found.frame.dtypes.items()} == FRAME_COLUMNS
        assert {k: str(v) for k, v in found.summary.dtypes.items()} == SUMMARY_COLUMNS


def test_a_row_for_each_talk_in_the_summary() -> None:
    row = compare([talk()]).summary.loc["gpt-realtime"]
    assert (row["model"], row["voice"], row["turns"]) == ("gpt-realtime", "ash", 2)
    assert (row["first_audio_ms_median"], row["first_audio_ms_p95"]) == (600, pytest.approx(690))
    assert (row["first_sound_ms_median"], row["words"], row["user_words"]) == (600, 4, 4)
    assert (row["tools"], row["tool_errors"], row["interrupted"], row["requests"]) == (2, 1, 1, 3)
    assert row["cost_usd"] == pytest.approx(0.03)
    assert (row["rated_up"], row["rated_down"]) == (0, 1)


def test_an_unknown_cost_is_not_a_small_one() -> None:
    turns: list[dict[str, Any]] = [{"requests": 1, "cost_usd": 0.01}, {"requests": 1}]
    assert math.isnan(compare([FakeTalk(turns=turns)]).summary["cost_usd"].iloc[0])
    turns = [{"requests": 1, "cost_usd": 0.01}, {"requests": 0}, {}]
    assert compare([FakeTalk(turns=turns)]).summary["cost_usd"].iloc[0] == 0.01


def test_where_nothing_was_said_nothing_is_claimed() -> None:
    row = compare([FakeTalk(model="")]).summary.loc["talk 1"]
    assert (row["turns"], row["requests"], row["words"], row["model"], row["voice"]) == (0, 0, 0, NA, NA)
    row = compare([FakeTalk(turns=[{}])]).summary.iloc[0]
    assert (row["turns"], row["requests"], row["words"], row["input_tokens"]) == (1, NA, NA, NA)
    assert math.isnan(row["first_audio_ms_median"])


@pytest.mark.parametrize(
    ("session", "voice"),
    [
        ({"voice": "ash"}, "ash"),
        ({"audio": {"output": {"voice": {"id": "voice_7"}}}}, "voice_7"),
        ({"audio": {"output": {"voice": 7}}}, "none said"),
        ({"audio": None}, "none said"),
        ("odd", "none said"),
    ],
)
def test_the_voice_is_what_the_server_said(session: object, voice: str) -> None:
    events = [{"elapsed_s": 0.0, "event": "session.updated", "payload": {"session": session}}]
    found = compare([FakeTalk(events=events)]).summary["voice"].fillna("none said").iloc[0]
    assert found == voice


def test_the_summary_is_its_text() -> None:
    text = repr(compare([talk(), talk(model="mini")]))
    assert text.startswith("Comparison of 2, 4 turns\n")
    assert "first_audio_ms_median" in text
    assert "mini" in text


# ------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a (2)", "a (3)"]),
        (["", "a", ""], ["talk 1", "a", "talk 3"]),
        (["a (2)", "a", "a"], ["a (2)", "a", "a (3)"]),
    ],
)
def test_talks_are_called_by_their_models(models: list[str], names: list[str]) -> None:
    assert list(compare([FakeTalk(model=m) for m in models]).summary.index) == names


def test_talks_may_be_named() -> None:
    found = compare((t for t in [talk(), talk()]), names=["before", "after"])
    assert list(found.summary.index) == ["before", "after"]


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", " "], "ab", ["a", "b", "c"]])
def test_names_that_do_not_fit(names: Any) -> None:
    with pytest.raises(BadSetting, match="name"):
        compare([talk(), talk()], names=names)


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ([], "nothing to compare"),
        ("run.zip", "load it first"),
        (Path("run.zip"), "load it first"),
        (["run.zip"], "a str is neither"),
        ([None], "a NoneType is neither"),
        (None, "a NoneType is neither"),
        (FakeTalk(), r"compare\(\[talk"),
        (pd.DataFrame({"turn": [1]}), "a str is neither"),
    ],
)
def test_what_cannot_be_compared(sources: Any, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        compare(sources)


def test_a_widget_has_its_talk_in_it() -> None:
    class Widget:
        session = None

    with pytest.raises(BadSetting, match=r"\.session"):
        compare([Widget()])  # type: ignore[list-item]


# ------------------------------------------------------------------------------------------------------- HTML


class Look(HTMLParser):
    """What a browser would find in it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def players(self) -> list[str]:
        """How each is called."""
        return [str(a["aria-label"]) for tag, a in self.tags if tag == "audio"]

    def sound(self, n: int) -> bytes:
        source = [str(a["src"]) for tag, a in self.tags if tag == "audio"][n]
        assert source.startswith("data:audio/wav;base64,")
        return base64.b64decode(source.partition(",")[2])[44:]


def look(comparison: Comparison) -> Look:
    return Look(comparison._repr_html_())


TAGS = {
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "br",
    "small",
    "strong",
    "span",
    "em",
    "audio",
    "p",
}


def test_a_player_for_each_answer_and_question() -> None:
    found = look(compare([talk()], names=["it"]))
    assert found.players == [f"it, turn {n}, the {what}" for n in (1, 2) for what in ("question", "answer")]
    assert found.sound(1) == SOUND[1:] + SOUND[:1]
    for words in (
        "hello there",
        "good morning to you",
        "called look, find, 1 failed",
        "thumbs down",
        "$0.0100",
    ):
        assert words in found.text


def test_an_answer_in_two_items_has_one_player() -> None:
    items = [said(1, "assistant"), {**said(1, "assistant"), "item_id": "more"}]
    found = look(compare([talk(items=items, sounds={"assistant1": SOUND, "more": SOUND[:2]})]))
    assert len(found.players) == 1
    assert found.sound(0) == SOUND + SOUND[:2]


def test_turns_stand_beside_each_other() -> None:
    short = talk(turns=[{"user_text": "only one"}])
    source = compare([talk(), short])._repr_html_()
    rows = source.partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")[:-1]
    assert [row.count("<td") for row in rows] == [2, 2]
    assert "only one" in rows[0]
    assert rows[1].endswith("<td></td>")


def test_the_same_question_is_there_once() -> None:
    found = look(compare([talk(), talk()], names=["first", "second"]))
    assert len(found.players) == 4
    assert "(sound as in first, turn 1, the question)" in found.text


def test_sound_beyond_the_limit_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_html, "MOST_SOUND_CHARS", 5_000)
    comparison = compare([talk()])
    found = look(comparison)
    assert found.players == ["gpt-realtime, turn 1, the question", "gpt-realtime, turn 1, the answer"]
    assert "2 sounds left out, beyond 0.005 MB in all" in found.text
    assert found.text.count("0.0 s of sound, left out") == 2


def test_sound_that_cannot_fit_is_not_read() -> None:
    class Long(FakeTalk):
        def sound(self, item_id: str) -> bytes:
            raise AssertionError(item_id)

    found = look(compare([Long(turns=[{}], items=[said(1, "assistant", 3_600_000.0)])]))
    assert "3600.0 s of sound, left out" in found.text


def test_no_sound_no_player() -> None:
    assert look(compare([talk(sounds={})])).players == []
    assert look(compare([talk(items=[])])).players == []


def test_a_long_comparison_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    many = FakeTalk(turns=[{"user_text": "&" * 50}] * (comparison_html.MOST_TURNS + 3))
    assert "3 turns more: .frame has all of them." in look(compare([many])).text
    monkeypatch.setattr(comparison_html, "MOST_TEXT_CHARS", 3_000)
    source = compare([many])._repr_html_()
    assert len(source) < 10_000
    assert "turns more" in source
    monkeypatch.setattr(comparison_html, "MOST_CHARS", 20)
    assert "[cut: 50 characters in all]" in look(compare([many])).text


def test_it_has_no_colours_of_its_own() -> None:
    styles = {a.get("style") for _, a in look(compare([talk(), talk()])).tags}
    assert not any("color" in (style or "") or "background" in (style or "") for style in styles)


def test_no_talk_is_an_empty_table() -> None:
    assert look(compare([FakeTalk()])).players == []


HOSTILE = """<script>x</script>"><img src=x onerror=y></td></table>$\\href{javascript:x}{y}$ &amp; \0"""


def test_what_was_said_stays_text() -> None:
    turn = {"user_text": HOSTILE, "assistant_text": HOSTILE, "label": HOSTILE, "status": HOSTILE, "tools": 1}
    one = talk(turns=[turn], tool_calls=[{"call_id": "c", "turn": 1, "name": HOSTILE}], model=HOSTILE)
    comparison = compare([one], names=[HOSTILE + "\ud83d"])
    found = look(comparison)
    assert {tag for tag, _ in found.tags} <= TAGS
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    # Its name, its model, two texts, its status, its tool and its label.
    assert found.text.count("<script>x</script>") == 7
    outside = re.sub(
        "<[^<>]*>", lambda tag: tag[0] if tag[0] in {"<span>", "</span>"} else "", comparison._repr_html_()
    )
    assert set(re.findall(r".?.?[$\\\\].?", outside)) <= {"n>$<", "n>\\<"}, "mathematics begins nowhere"
