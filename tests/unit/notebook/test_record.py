"""The record in a saved notebook: what it says, and that nothing that was said can be more than text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.html_text import MOST_CHARS
from gip_nb.notebook import record
from gip_nb.notebook.record import Facts, record_html, record_text, talked
from gip_nb.notebook.static_result import MOST_HTML_CHARS, StaticResult, static_result
from gip_nb.protocol.conversation import Conversation, Item
from gip_nb.protocol.turns import Turn

FACTS = Facts(model="openai/some-model", started_unix_s=1_763_826_000.0, duration_s=134.4)
TAGS = {
    "div",
    "p",
    "strong",
    "small",
    "em",
    "dl",
    "dt",
    "dd",
    "br",
    "code",
    "pre",
    "details",
    "summary",
    "span",
}
ATTRIBUTES = {
    *(("dd", "dir", "auto"), ("dd", "style", "margin-bottom:8px")),
    *(("code", "dir", "auto"), ("details", "open", None)),
    ("div", "class", "gip-record mine tex2jax_ignore mathjax_ignore"),
    ("div", "style", "max-width:880px;overflow-wrap:anywhere"),
    ("pre", "style", "white-space:pre-wrap"),
    *(("em", "style", "opacity:0.65"), ("em", "title", "not heard"), ("div", "dir", "auto")),
}


def conversation(*items: Item, turns: int = 0) -> Conversation:
    made = Conversation()
    made.items = {item.item_id: item for item in items}
    made.order = list(made.items)
    made.turns = [Turn(turn=n + 1, started_s=n) for n in range(turns)]
    return made


def said(item_id: str, role: str, text: str, **rest: Any) -> Item:
    return Item(item_id=item_id, role=role, status="completed", texts={0: [text]}, **rest)


def call(name: str = "f", arguments: str = "{}", output: str | None = None, **rest: Any) -> Item:
    rest = {"item_id": "call", "call_id": "c", "status": "completed", **rest}
    return Item(type="function_call", name=name, arguments=arguments, output=output, **rest)


def html_of(made: Conversation, facts: Facts = FACTS, **shown: StaticResult) -> str:
    return record_html([talked(made, facts, shown)], "mine")


class Read(HTMLParser):
    """What a browser makes of it: elements, attributes, words."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str, str | None]] = set()
        self.words: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(tag, *attribute) for attribute in attrs}
        if tag == "br":
            self.handle_data("\n")
        else:
            self.open.append(tag)
        if tag in {"dd", "dt", "pre", "code"}:
            self.words.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in ("dd", "dt", "pre", "code"):
            if tag in self.open:
                self.words[tag][-1] += data


ANYTHING = st.text() | st.from_regex(r"[<>&\"'/$\\ a-z=!\-()\n]{0,40}", fullmatch=True)


@given(st.tuples(*[ANYTHING] * 8))
def test_nothing_that_is_said_can_be_more_than_text(words: tuple[str, ...]) -> None:
    user, model, name, arguments, output, problem, label, tag = words
    made = conversation(
        said("u", "user", user),
        said("m", "assistant", model, problem=problem, turn=1),
        said("cut", "assistant", model, interrupted=True, heard_ms=500.0, generated_samples=24_000),
        call(name, arguments, output),
        turns=1,
    )
    made.turns[0].label, made.turns[0].tags = label, (tag,)
    source = html_of(made, Facts(model=name))
    read = Read(source)
    assert read.tags <= TAGS
    assert read.attributes <= ATTRIBUTES
    plain = "".join(c for c in user if c.isalnum() and c.isascii())
    assert plain in "".join(c for c in read.words["dd"][0] if c.isalnum() and c.isascii())
    # A host that sets mathematics finds none: no sign that begins some stands beside anything.
    for sign in "$\\":
        assert source.count(sign) == source.count(f"<span>{sign}</span>")
    source.encode("utf-8")
    record_text([talked(made, FACTS, {})]).encode("utf-8")


def test_a_talk_reads_from_top_to_bottom() -> None:
    made = conversation(
        said("u", "user", "what is the <b>weather</b>?\nin Seoul"),
        call("get_weather", '{"city": "Seoul", "days": 2}', item_id="f"),
        Item(item_id="o", type="function_call_output", call_id="c", output='{"celsius": 21}'),
        said("m", "assistant", "It is 21 degrees."),
        said("s", "system", "Be brief."),
        turns=1,
    )
    made.turns[0].speech_end_s, made.turns[0].first_audio_s, made.requests = 1.0, 1.5, 2
    source = html_of(made)
    read = Read(source)
    assert read.words["dt"] == ["You", "Tool", "Model", "System"]
    assert read.words["dd"][0] == "what is the <b>weather</b>?\nin Seoul"
    assert read.words["code"] == ['get_weather(city="Seoul", days=2)']
    assert read.words["pre"] == ['{"celsius": 21}']
    assert "· done" in source
    for figure in ("openai/some-model", "2025-11-22 15:40 UTC", "2 min 14 s", "1 turn ", "2 requests"):
        assert figure in source
    assert "first audio after 0.50 s (median)" in source
    assert "<strong>Talk with the rehearsal server, no model</strong>" in html_of(
        made, Facts(model="rehearsal", rehearsal=True)
    )
    made.turns[0].first_sound_s = 1.75
    assert "first sound after 0.75 s (median)" in html_of(made, Facts(model="m", cost_usd=0.01234))
    assert "<span>$</span>0.0123" in html_of(made, Facts(model="m", cost_usd=0.01234))


def test_what_was_not_heard_is_dimmed_and_said() -> None:
    cut = said(
        "m", "assistant", "one two three four", interrupted=True, heard_ms=500.0, generated_samples=24_000
    )
    source = html_of(conversation(cut))
    assert "one two<em " in source
    assert "> three four</em>" in source
    assert "(interrupted at 0.5 s; in italics: not heard)" in source
    assert "[not heard: three four]" in record_text([talked(conversation(cut), FACTS, {})])
    cut.heard_ms = 0.0
    assert "interrupted, not heard" in html_of(conversation(cut))
    cut.heard_ms = None
    assert "(interrupted)" in html_of(conversation(cut))


def test_what_the_user_said_of_a_turn_stands_at_its_last_answer() -> None:
    made = conversation(
        said("u", "user", "in Suwon?", turn=1),
        said("m", "assistant", "Let me look.", turn=1),
        call(turn=1),
        said("m2", "assistant", "In Seoul.", turn=1),
        said("u2", "user", "thanks", turn=2),
        turns=2,
    )
    first, second = made.turns
    first.rating, first.label, first.tags = -1, "wrong\n<b>city</b>", ("geo", "a & b")
    assert html_of(made).count("[thumbs") == 1
    words = Read(html_of(made)).words["dd"]
    assert words[3] == "In Seoul.[thumbs down; label: wrong <b>city</b>; tags: geo, a & b]"
    second.rating = 1
    assert Read(html_of(made)).words["dd"][4] == "thanks[thumbs up]"
    plain = record_text([talked(made, FACTS, {})])
    assert "Model: In Seoul. [thumbs down; label: wrong <b>city</b>; tags: geo, a & b]" in plain


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (said("u", "user", "", spoken=True, audio_ms=2100.0), "(2.1 s of speech, no transcript)"),
        (said("u", "user", "", spoken=True), "(no transcript)"),
        (said("m", "assistant", "", problem="rate limit"), "(failed: rate limit)"),
        (said("m", "assistant", "One,", problem="max tokens"), "One, <small>(max tokens)"),
        (call(), "· called"),
        (call(output="x", problem="no such tool"), "· failed: no such tool"),
        (call(output="x", duration_ms=12.4), "· done in 12 ms"),
        (call(output="x", duration_ms=1240.0), "· done in 1.2 s"),
        (call(arguments="[1"), "f([1)"),
        (call(arguments='"x"'), "f(&quot;x&quot;)"),
    ],
)
def test_what_went_another_way_is_said(item: Item, told: str) -> None:
    assert told in html_of(conversation(item))


def test_a_talk_in_which_nothing_was_said_takes_no_place() -> None:
    assert Read(html_of(conversation())).tags == {"div"}
    assert record_text([talked(conversation(), FACTS, {})]) == ""


def test_a_long_text_is_cut_and_says_so() -> None:
    long = "x" * (MOST_CHARS + 5)
    source = html_of(conversation(said("u", "user", long)))
    assert source.count("x") < len(long) + 50
    assert "[cut: 20,005 characters in all]" in source


def test_only_the_newest_of_a_long_talk_are_kept() -> None:
    made = conversation(*(said(f"i{n}", "user", f"number {n}.") for n in range(1204)))
    source = html_of(made)
    assert "The 704 entries before these are not kept here" in source
    assert "number 704." in source
    assert "number 703." not in source
    assert "number 1203." in source
    plain = record_text([talked(made, FACTS, {})])
    assert "[1,104 entries before these]" in plain


def test_a_record_has_a_size_that_it_never_exceeds() -> None:
    items = [said(f"i{n}", "user", "&" * MOST_CHARS) for n in range(500)]
    first, second = conversation(*items), conversation(*items[:30])
    source = record_html([talked(c, FACTS, {}) for c in (first, second)], "mine")
    assert len(source) < 6 * record.MOST_CHARS_IN_ALL
    # Of the session before only what had room.
    assert source.count("<dl>") == 2
    assert "The 480 entries before these" in source
    alone = record_html([talked(c, FACTS, {}) for c in (second, first)], "mine")
    assert alone.count("<dl>") == 1
    assert "The 480 entries before these" in alone


def test_what_a_tool_showed_stands_with_its_call() -> None:
    shown = StaticResult("<div><table><tr><td>21</td></tr></table></div>")
    source = html_of(conversation(call(output="21")), c=shown)
    assert source.index("</details>") < source.index(shown.html)
    # Its text for the model is folded then, and open where it is all there is.
    assert "<details>" in source
    assert "<details open>" in html_of(conversation(call(output="21")))


@pytest.mark.parametrize(
    "source",
    [
        *(
            "<div>",
            "</div>",
            "<b>x</i></b>",
            "<!-- a",
            "<div",
            "<a href='",
            "<style>a{}",
            "<p>x<b>",
            "<br></dl>",
        ),
        *(
            "<script>1</script>",
            "<iframe></iframe>",
            "<plaintext>",
            "<textarea></textarea>",
            "<!doctype html>",
        ),
        *("<svg></svg>", "<?php ?>", "<![CDATA[x]]>", "<SCRIPT>1</SCRIPT>", "<form></form>", "<body>"),
        "x" * (MOST_HTML_CHARS + 1),
    ],
)
def test_html_that_would_not_stay_in_its_place_is_left_out(source: str) -> None:
    assert static_result([{"text/html": source, "text/plain": "x"}], "f") is None


@pytest.mark.parametrize(
    "source", ["<table><tr><td>1<td>2</table>", "<ul><li>a<li>b</ul>", "a &amp; b<br/>", "<p style='x'>c</p>"]
)
def test_html_that_stays_in_its_place_is_kept(source: str) -> None:
    kept = static_result([{"text/html": source}], "f")
    assert kept is not None
    assert source in kept.html


def test_a_picture_is_kept_as_data_and_never_as_markup() -> None:
    kept = static_result(
        [{"image/png": "iVBO\nRw==", "text/plain": "<Figure>"}, {"image/png": b"\x89P"}], "f"
    )
    assert kept is not None
    assert 'src="data:image/png;base64,iVBORw=="' in kept.html
    assert 'alt="what f showed"' in kept.html
    drawn = static_result([{"image/svg+xml": "<svg onload='alert(1)'/>"}], 'f"><script>')
    assert drawn is not None
    assert "<svg" not in drawn.html
    assert "<script" not in drawn.html
    assert static_result([{"image/png": '"><script>'}], "f") is None
    # Where the page's own form cannot be kept, the picture of it can.
    both = static_result([{"text/html": "<script>1</script>", "image/png": "iVBORw=="}], "f")
    assert both is not None
    assert "<img" in both.html
