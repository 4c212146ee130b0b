"""Pictures of a talk: what they say, how large they are, and that nothing said in a talk acts in them."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import vl_convert

from gip_nb.errors import BadSetting, MissingExtra, PictureFailed, UnknownItem
from gip_nb.journal import plots
from gip_nb.journal.charts import picture as picture_module
from gip_nb.journal.charts import png
from gip_nb.journal.charts.picture import LIVE_TYPE, Picture
from tests.unit.journal.charts.talk import Told, answered, asked, event, ns, tone
from tests.unit.journal.charts.test_parts import as_vl_convert_writes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--",
    "\u202egnirts\u202c and \u2067\u05e9\u05dc\u05d5\u05dd\u2069",
    "line\nline\r\n\u2028\u2029 'quoted', \"double\", `back`, $x$, \\(y\\), {{z}}, %s, datum.lane",
    "half \ud83d a \x00 sign " + "long " * 2000,
    "42",
    "2026-03-02",
    "👩‍👩‍👧🇰🇷",
)
STEPS = {
    "speech_stopped_ms": 510.0,
    "response_created_ms": 520.0,
    "first_text_ms": 800.0,
    "first_audio_ms": 850.0,
    "first_delivered_ms": 860.0,
    "first_sound_ms": 990.0,
}
BILL = {
    "requests": 1,
    "status": "completed",
    "text_tokens": 10,
    "cached_text_tokens": 20,
    "audio_tokens": 30,
    "output_audio_tokens": 40,
    "cost_usd": 0.0125,
}


def talk(turns: int, words: tuple[str, ...] = ("what is the weather",)) -> Told:
    """A talk in a page; each second of three seconds is a turn's."""
    numbers = range(1, turns + 1)

    def said(n: int) -> str:
        return words[n % len(words)]

    return Told(
        events=[
            row
            for n in numbers
            for row in (
                event(10.0 * n + 0.1, "input_audio_buffer.speech_started", f"u{n}", n),
                event(10.0 * n + 1.5, "input_audio_buffer.speech_stopped", f"u{n}", n),
                *(
                    event(10.0 * n + 3 + k / 10, "local.page.delivered", f"a{n}", n, "local")
                    for k in range(5)
                ),
            )
        ],
        turns=[
            {"turn": n, "started_at": ns(10 * n), "ended_s": 10 * n + 6.0, "clock_error_ms": 1.5, **STEPS}
            for n in numbers
        ],
        items=[
            item
            for n in numbers
            for item in (
                asked(n, 10.0 * n, text=said(n)),
                answered(
                    n, 10.0 * n + 3, text=said(n), heard_text=said(n)[:3], interrupted=True, heard_ms=900.0
                ),
            )
        ],
        tool_calls=[
            {
                "call_id": f"c{n}",
                "turn": n,
                "name": said(n),
                "arguments": said(n),
                "output": said(n),
                "started_s": 10.0 * n + 2,
                "duration_ms": 100.0,
            }
            for n in numbers
        ],
        usage=[{"turn": n, "note": said(n), **BILL} for n in numbers],
        sounds={f"{who}{n}": tone(2.0 if who == "a" else 1.5) for n in numbers for who in "ua"},
    )


CHARTS: dict[str, Callable[..., Picture]] = {
    "timeline": plots.timeline,
    "latency": plots.latency,
    "usage": plots.usage,
    "item": lambda x, **options: plots.item(x, "a1", **options),
}


@cache
def hostile(kind: str) -> Picture:
    """Made once: Altair takes a third of a second for each."""
    return CHARTS[kind](talk(15, HOSTILE))


@cache
def hostile_spec(kind: str) -> dict[str, Any]:
    return hostile(kind).spec()


def plain() -> Picture:
    import altair as alt

    chart = alt.Chart(alt.InlineData(values=[{"a": 1}])).mark_point().encode(x="a:Q")
    return Picture(chart, title="A point", summary="one")


def rows(shown: Picture, dataset: str) -> list[dict[str, str]]:
    """What a dataset says, as who draws it reads it."""
    return list(csv.DictReader(io.StringIO(shown.spec()["datasets"][dataset])))


# ---- what they say -----------------------------------------------------------------------------------------


def test_what_each_picture_says() -> None:
    assert repr(hostile("timeline")) == "Timeline: 15 turns in 2 min 26 s; dimmed: what nobody heard"
    assert repr(hostile("latency")) == (
        "Latency: 15 turns; first sound: median 990 ms, max 990 ms; page clock ±1.5 ms"
    )
    assert repr(hostile("usage")) == "Usage: 15 turns, 15 requests, 1,500 tokens, $0.1875"
    assert repr(hostile("item")) == "Model, turn 1: a1 · 2.00 s of sound, heard 0.90 s of it"
    some = plots.latency(talk(3), turns=(2, 3))
    assert repr(some).startswith("Latency: turns 2 to 3; first sound: median 990 ms")
    assert {row["turn"] for row in rows(some, "waits")} == {"2", "3"}
    assert repr(plots.latency(talk(3), turns=2)) == (
        "Latency: turn 2: first sound after 990 ms; page clock ±1.5 ms"
    )


def test_a_cost_that_is_not_known_is_said() -> None:
    told = talk(2)
    told.usage.loc[1, "cost_usd"] = float("nan")
    told.usage["cost_is_upper_bound"] = True
    shown = plots.usage(told)
    assert repr(shown).endswith("at most $0.0125 and 1 without a price")
    assert [(r["cost"], r["sum"], r["priced"]) for r in rows(shown, "costs")] == [
        ("$0.0125", "$0.0125", "1"),
        ("no price", "$0.0125", "0"),
    ]
    told.usage["cost_usd"] = float("nan")
    nothing = plots.usage(told)
    assert repr(nothing).endswith("no cost known")
    assert "no cost: what is the weather" in json.dumps(nothing.spec())


@pytest.mark.parametrize("kind", ["timeline", "latency", "usage"])
def test_an_empty_session_gives_a_picture_that_says_so(kind: str) -> None:
    shown = CHARTS[kind](Told())
    assert repr(shown) == f"{kind.capitalize()}: There is nothing yet: no turn."
    assert "There is nothing yet" in json.dumps(shown.spec())


def test_turns_in_which_nothing_came_yet() -> None:
    told = Told(turns=[{"turn": 1, "started_at": ns(1)}])
    assert "No turn has been answered yet" in repr(plots.latency(told))
    assert "Nothing has been billed yet" in repr(plots.usage(told))
    assert repr(plots.timeline(told)) == "Timeline: turn 1 in 0.0 s; no page played the answers"


def test_an_item_without_anything_to_see() -> None:
    told = Told(items=[{"item_id": "x", "type": "function_call"}])
    assert repr(plots.item(told, "x")) == "function_call: x · no sound"
    with pytest.raises(UnknownItem):
        plots.item(told, "y")


@pytest.mark.parametrize("turns", [0, 4, (2, 1), (1, 4)])
def test_turns_that_there_are_not(turns: Any) -> None:
    with pytest.raises(BadSetting, match="this session has turns 1 to 3"):
        plots.latency(talk(3), turns=turns)
    with pytest.raises(BadSetting, match="no turn yet"):
        plots.latency(Told(), turns=turns)


def test_a_theme_that_there_is_not() -> None:
    with pytest.raises(BadSetting, match="theme 'sepia' is not known"):
        plots.timeline(talk(1), theme="sepia")


# ---- how they are shown ------------------------------------------------------------------------------------


@pytest.fixture
def no_drawing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Drawing without vl-convert, which takes a second; what was asked for."""
    asked_for: list[str] = []

    def drawn(what: str, _spec: str, grounds: tuple[str, ...] = ()) -> list[bytes]:
        asked_for.append(" ".join([what, *grounds]))
        return [DRAWN] * len(grounds) if what == "png" else [b"<svg/>"]

    monkeypatch.setattr(picture_module, "_drawn", drawn)
    return asked_for


DRAWN = as_vl_convert_writes(np.full((2, 2, 4), 255, np.uint8))


def test_a_cell_gets_the_live_chart_for_jupyterlab_and_a_picture(no_drawing: list[str]) -> None:
    shown = plain()
    bundle, metadata = shown._repr_mimebundle_(include=None, exclude=None)
    # No text/html: JupyterLab would prefer it.
    assert set(bundle) == {LIVE_TYPE, "image/png", "text/plain"}
    assert LIVE_TYPE == "application/vnd.vegalite.v5+json"
    assert bundle[LIVE_TYPE]["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json"
    assert bundle["text/plain"] == repr(shown)
    assert png.size(base64.b64decode(bundle["image/png"])) == (2, 2)
    assert metadata["image/png"] == {"width": 1, "height": 1}
    shown._repr_mimebundle_()
    assert no_drawing == ["png #fff #000"]


def test_a_theme_with_its_own_ground_is_drawn_on_it(no_drawing: list[str]) -> None:
    plots.item(talk(1), "a1", theme="dark").png()
    assert no_drawing == ["png #111111"]


def test_without_vl_convert_the_live_chart_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_module, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=re.escape('pip install "gip_nb[plots]"')):
        plots.timeline(talk(1))
    shown = plain()
    assert set(shown._repr_mimebundle_()[0]) == {LIVE_TYPE, "text/plain"}
    with pytest.raises(MissingExtra, match="vl-convert-python is not installed"):
        shown.png()


def test_what_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_module, "_DRAW", "import sys; sys.exit('Error: no such mark\\n  at line 1')")
    shown = plain()
    with pytest.raises(PictureFailed, match="Error: no such mark"):
        shown.svg()
    # The cell still gets what needs no drawing.
    assert set(shown._repr_mimebundle_()[0]) == {LIVE_TYPE, "text/plain"}


@pytest.mark.parametrize("ending", [".png", ".svg", ".html", ".json"])
def test_saving(ending: str, tmp_path: Path, no_drawing: list[str]) -> None:
    path = plain().save(str(tmp_path / f"point{ending}"))
    assert path.stat().st_size > 0


def test_an_ending_that_no_picture_has(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"use \.png, \.svg, \.html or \.json"):
        plain().save(tmp_path / "point.gif")


def test_a_live_chart_stays_small() -> None:
    told = talk(200, ("what is the weather in the town where you live, and is it often so? " * 6,))
    shown = plots.timeline(told)
    assert len(json.dumps(shown.spec())) < 280_000
    texts = [len(row["text"]) for row in rows(shown, "spans")]
    assert 40_000 < sum(texts) <= 60_000
    assert max(texts) <= 280
    assert len(rows(shown, "waves")) <= 1500
    assert len(json.dumps(plots.latency(told).spec())) < 90_000
    assert len(json.dumps(hostile_spec("item"))) < 30_000


# ---- nothing that was said acts ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CHARTS)
def test_hostile_words_are_words(kind: str, no_drawing: list[str]) -> None:
    shown = hostile(kind)
    spec = json.dumps(hostile_spec(kind), ensure_ascii=False)
    spec.encode()
    assert not re.search(r"<[/!?a-z]|[\u202a-\u202e\u2066-\u2069]|\\u0000|\\ud83d", spec)
    if kind == "item":
        assert shown.html().count("<script") == 1
        # Altair's own page, which does not look after itself.
        assert "alert(1)</script>" not in shown.chart.to_html()


def test_a_page_looks_after_itself(no_drawing: list[str]) -> None:
    """Whatever a user writes into `chart` and gives as a title."""
    shown = plain()
    shown.chart = shown.chart.properties(title=HOSTILE[0])
    shown.title = HOSTILE[0]
    page = shown.html()
    assert page.count("<script") == page.count("</script>") == 1
    assert "<img" not in page
    assert json.loads(re.findall(r'vegaEmbed\("#chart", (.*), {', page)[0])["title"] == HOSTILE[0]


def test_what_looks_like_a_number_or_a_date_stays_text() -> None:
    shown = hostile("timeline")
    said = {row["text"] for row in rows(shown, "spans") if row["lane"] == "You"}
    assert {"42", "2026-03-02", "👩‍👩‍👧🇰🇷"} <= said
    forms = re.findall(r'"name": "spans", "format": ({.*?}.*?})', json.dumps(hostile_spec("timeline")))
    assert forms
    assert all(json.loads(form)["parse"]["text"] == "string" for form in forms)


# ---- drawn by the real thing -------------------------------------------------------------------------------


def marks(compiled: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        mark
        for outer in compiled.get("marks", [])
        for mark in ([outer] if "marks" not in outer else marks(outer))
    ]


@pytest.mark.parametrize("kind", CHARTS)
def test_what_jupyterlab_has_understands_the_chart(kind: str) -> None:
    """It has 5.6; of what can be asked here 5.8 is the nearest."""
    compiled = vl_convert.vegalite_to_vega(hostile_spec(kind), vl_version="5.8")
    told = [
        m
        for m in marks(compiled)
        if "title:" in json.dumps(m.get("encode", {}).get("update", {}).get("tooltip"))
    ]
    assert told or kind == "item"
    # Vega-Lite 5 makes some of them deaf to the pointer, if not told by an encoding.
    assert all(mark.get("interactive", True) for mark in told)


def test_a_see_through_picture_is_drawn_in_another_process() -> None:
    still = hostile("item").png()
    pixels = png.decoded(still)
    assert pixels is not None
    assert pixels.shape[1] == pytest.approx(2 * plots.WIDTH, rel=0.06)
    found = {tuple(colour) for colour in pixels[:, :, :3][pixels[:, :, 3] == 255].tolist()}
    # The wave and the words in their very colours, on nothing.
    assert {(0x00, 0x9E, 0x73), (0x79, 0x79, 0x79)} <= found
    assert (pixels[..., 3] == 0).mean() > 0.5
    assert len(still) < 60_000


def test_a_widget_is_no_session_and_the_error_says_where_its_session_is() -> None:
    class Widget:
        session = None

    with pytest.raises(BadSetting, match="a plot takes sessions and recordings") as caught:
        plots.timeline(Widget())  # type: ignore[arg-type]  # what a user may try
    assert "pass its .session" in caught.value.next_step
