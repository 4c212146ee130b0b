"""Talks side by side as static HTML: a row a turn, a column a talk, a player for what was said. Pure.

It has no colours of its own, so that it reads in light and dark, and a size that it never exceeds.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from gip_nb.audio import wav_bytes
from gip_nb.html_text import attribute, escaped, text_html

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Column", "Spoken", "Told", "comparison_html"]

# Of all players together: it is saved with the notebook.
MOST_SOUND_CHARS = 20_000_000
MOST_TEXT_CHARS = 1_000_000
MOST_CHARS = 2_000  # of one text
MOST_TURNS = 200
# 48 bytes a millisecond, and four characters for three of them.
_CHARS_PER_MS = 64
_NUMBER = 'style="text-align:left;vertical-align:top;padding:4px 12px 4px 0"'
# Wide enough for a player; no column is squeezed by another's long words.
_CELL = f'{_NUMBER[:-1]};min-width:310px;overflow-wrap:anywhere"'


class Spoken(msgspec.Struct, frozen=True):
    """Sound that there is.

    Attributes:
        ms: how much, about.
        read: gives it, PCM16 mono 24 000 Hz.
    """

    ms: float
    read: Callable[[], bytes]


class Told(msgspec.Struct, frozen=True):
    """One turn of one talk: its figures as in `Comparison.frame`, without what is NA, and its sound."""

    figures: dict[str, Any]
    user: Spoken | None = None
    answer: Spoken | None = None


class Column(msgspec.Struct, frozen=True):
    """One talk.

    Attributes:
        about: whom it was with.
        summary: its figures as in `Comparison.summary`, without what is NA.
        turns: by number.
    """

    name: str
    about: str
    summary: dict[str, Any]
    turns: dict[int, Told]


def comparison_html(columns: Sequence[Column]) -> str:
    """The table.

    Args:
        columns: the talks. Those with fewer turns than others have empty cells at the end.
    """
    players = _Players()
    numbers = sorted({n for column in columns for n in column.turns})
    rows: list[str] = []
    text_chars = 0
    for number in numbers[:MOST_TURNS]:
        before = players.chars
        cells = "".join(_cell(column, column.turns.get(number), players) for column in columns)
        rows.append(f'<tr><th scope="row" {_NUMBER}>{number}</th>{cells}</tr>')
        text_chars += len(rows[-1]) - (players.chars - before)
        if text_chars > MOST_TEXT_CHARS:
            break
    notes = [*_missing_turns(len(numbers) - len(rows)), *players.missing()]
    head = "".join(_head(column) for column in columns)
    foot = "".join(f"<p><em>{escaped(note)}</em></p>" for note in notes)
    # The classes are what MathJax, 2 and later, leaves alone.
    return (
        '<div class="tex2jax_ignore mathjax_ignore" style="overflow-x:auto">'
        f'<table><thead><tr><th scope="col" {_NUMBER}>turn</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{foot}</div>"
    )


def _missing_turns(number: int) -> Iterator[str]:
    if number:
        yield f"{_count(number, 'turn')} more: .frame has all of them."


# ---- cells -------------------------------------------------------------------------------------------------


def _head(column: Column) -> str:
    figures = " · ".join(_totals(column.summary))
    about = "" if column.about in {"", column.name} else f"<br><small>{escaped(column.about)}</small>"
    return (
        f'<th scope="col" {_CELL}>{escaped(column.name)}{about}'
        f'<br><small style="font-weight:normal">{escaped(figures)}</small></th>'
    )


def _totals(summary: dict[str, Any]) -> Iterator[str]:
    yield _count(summary.get("turns", 0), "turn")
    for step, what in (("first_sound_ms", "first sound"), ("first_audio_ms", "first audio")):
        if f"{step}_median" in summary:
            yield (
                f"{what} after {summary[f'{step}_median'] / 1000:.2f} s (median), "
                f"{summary[f'{step}_p95'] / 1000:.2f} s (95 %)"
            )
            break
    if "words" in summary:
        yield _count(summary["words"], "word")
    if summary.get("tools"):
        yield _count(summary["tools"], "tool call")
    if summary.get("interrupted"):
        yield f"{summary['interrupted']} interrupted"
    yield f"${summary['cost_usd']:.4f}" if "cost_usd" in summary else "cost unknown"


def _cell(column: Column, told: Told | None, players: _Players) -> str:
    if told is None:
        return "<td></td>"
    figures = told.figures
    turn, name = figures["turn"], column.name
    parts = [
        _said("You", figures.get("user_text")),
        players.player(told.user, f"{name}, turn {turn}, the question"),
        _said("Model", figures.get("assistant_text")),
        players.player(told.answer, f"{name}, turn {turn}, the answer"),
        f"<small>{escaped(' · '.join(_figures(figures)))}</small>",
    ]
    return f"<td {_CELL}>{''.join(parts)}</td>"


def _said(who: str, text: str | None) -> str:
    words = "<em>(no text)</em>" if text is None else text_html(text, most_chars=MOST_CHARS)
    # By its own first letters: Arabic runs from the right, whatever stands before it.
    return f'<div><strong>{who}</strong> <span dir="auto">{words}</span></div>'


def _figures(figures: dict[str, Any]) -> Iterator[str]:
    for step, what in (("first_sound_ms", "first sound"), ("first_audio_ms", "first audio")):
        if step in figures:
            yield f"{what} after {figures[step] / 1000:.2f} s"
            break
    if "words" in figures:
        yield _count(figures["words"], "word")
    if figures.get("tools"):
        failed = f", {figures['tool_errors']} failed" if figures.get("tool_errors") else ""
        yield f"called {figures.get('tool_names', '?')}{failed}"
    if figures.get("interrupted"):
        yield "interrupted"
    if figures.get("status") not in {None, "completed"}:
        yield str(figures["status"])
    if "cost_usd" in figures:
        yield f"${figures['cost_usd']:.4f}"
    if figures.get("rating"):
        yield "thumbs up" if figures["rating"] > 0 else "thumbs down"
    if "label" in figures:
        yield str(figures["label"])[:MOST_CHARS]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


# ---- sound -------------------------------------------------------------------------------------------------


class _Players:
    """Makes players until there is no more room, and knows what is missing.

    Attributes:
        chars: what they take so far.
    """

    def __init__(self) -> None:
        self.chars = 0
        self._left_out = 0
        # A replay sends its recording's own questions again.
        self._known: dict[bytes, str] = {}

    def player(self, spoken: Spoken | None, what: str) -> str:
        """A player of this sound, or a word in its place; nothing where there is none."""
        if spoken is None:
            return ""
        # Reading an hour of sound to find that it does not fit would take its time.
        if not self._fits(spoken.ms * _CHARS_PER_MS):
            return self._missing(spoken)
        pcm = spoken.read()
        key = hashlib.sha256(pcm).digest()
        if key in self._known:
            return f"<div><small>(sound as in {escaped(self._known[key])})</small></div>"
        encoded = base64.b64encode(wav_bytes(pcm)).decode("ascii")
        audio = f'<audio controls aria-label="{attribute(what)}" src="data:audio/wav;base64,{encoded}">'
        if not pcm:
            return ""
        if not self._fits(len(audio)):
            return self._missing(spoken)
        self._known[key] = what
        self.chars += len(audio)
        return f"<div>{audio}</audio></div>"

    def _missing(self, spoken: Spoken) -> str:
        self._left_out += 1
        return f"<div><small>({spoken.ms / 1000:.1f} s of sound, left out)</small></div>"

    def _fits(self, chars: float) -> bool:
        return self.chars + chars <= MOST_SOUND_CHARS

    def missing(self) -> Iterator[str]:
        """What to say under the table."""
        if self._left_out:
            yield (
                f"{_count(self._left_out, 'sound')} left out, beyond {MOST_SOUND_CHARS / 1e6:g} MB in all. "
                "Each talk's .audio(item_id) plays them."
            )
