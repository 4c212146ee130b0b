"""The conversation as static HTML, for a notebook that is read where no kernel runs.

Everything that a person, a model or a tool said is escaped. It reads well without any style, since hosts
(GitHub, nbconvert, an untrusted notebook) take styles and classes away. Pure.
"""

from __future__ import annotations

import html
import json
import statistics
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from gip_nb.html_text import MOST_CHARS, escaped, printable, text_html
from gip_nb.notebook.item_view import label_places, place_of
from gip_nb.notebook.static_result import StaticResult
from gip_nb.protocol.items import heard_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.items import Item
    from gip_nb.protocol.turns import Turn

__all__ = ["Entry", "Facts", "Talked", "record_html", "record_text", "talked"]

MOST_ENTRIES = 500
# Of all texts and results together: the record is sent anew with each turn, and saved with the notebook.
MOST_CHARS_IN_ALL = 1_000_000
_MOST_PLAIN_CHARS = 400
_MOST_PLAIN_ENTRIES = 100

_WHO = {"user": "You", "assistant": "Model", "system": "System"}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one session.

    Attributes:
        started_unix_s: when it connected; None where it never did.
        latency_s: the middle one of the turns' times from the end of speech to the first sound.
        latency_to: what that sound is: heard in the page, or only received.
    """

    model: str
    rehearsal: bool = False
    started_unix_s: float | None = None
    duration_s: float | None = None
    turns: int = 0
    requests: int = 0
    cost_usd: float | None = None
    cost_is_upper_bound: bool = False
    latency_s: float | None = None
    latency_to: Literal["sound", "audio"] = "sound"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said, or one call of a tool.

    Attributes:
        unheard: the end of the text, which nobody heard.
        note: what else there is to say of it, in a few words.
        verdict: what the user has said of its turn afterwards.
        call: the function that was called, with its arguments; then `text` is its output, None while there
            is none.
        shown: what it showed, beside its text.
    """

    who: str
    text: str | None
    unheard: str = ""
    note: str = ""
    verdict: str = ""
    call: str | None = None
    shown: StaticResult | None = None

    @property
    def chars(self) -> int:
        """How much of the record it is, about."""
        parts = (self.text or "", self.unheard, self.call or "", self.verdict)
        return sum(min(len(part), MOST_CHARS) for part in parts) + (self.shown.chars if self.shown else 0)


class Talked(msgspec.Struct, frozen=True):
    """One session of a talk: its figures, its newest entries, and how many there were before those."""

    facts: Facts
    entries: tuple[Entry, ...]
    left_out: int = 0


# ---- a conversation's entries ------------------------------------------------------------------------------


def talked(
    conversation: Conversation,
    facts: Facts,
    shown: Mapping[str, StaticResult],
    most: int = MOST_ENTRIES,
) -> Talked:
    """The newest of a conversation.

    Args:
        conversation: as it is now.
        facts: what is known of the session beside it; figures of its turns are filled in here.
        shown: by call id, what tools showed.
        most: how many entries.
    """
    items = conversation.ordered()
    outputs = {i.call_id: i for i in items if i.type == "function_call_output"}
    calls = {i.call_id for i in items if i.type == "function_call"}
    # The output of a call stands with its call.
    rows = [i for i in items if i.type != "function_call_output" or i.call_id not in calls]
    kept = rows[-most:] if most > 0 else []
    latency_s, latency_to = _latency(conversation)
    filled = msgspec.structs.replace(
        facts,
        turns=len(conversation.turns),
        requests=conversation.requests,
        latency_s=latency_s,
        latency_to=latency_to,
    )
    verdicts = _verdicts(conversation, rows)
    entries = tuple(
        msgspec.structs.replace(
            _entry(item, outputs.get(item.call_id), shown.get(item.call_id or "")),
            verdict=verdicts.get(item.item_id, ""),
        )
        for item in kept
    )
    return Talked(filled, entries, len(rows) - len(kept))


def _verdicts(conversation: Conversation, rows: Iterable[Item]) -> dict[str, str]:
    """By item, what the user has said of a turn: where its label stands in the widget, the rating too."""
    places = label_places(conversation, map(place_of, rows))
    return {item_id: _verdict(turn) for item_id, turn in places.items()}


def _verdict(turn: Turn) -> str:
    rated = "thumbs up" if turn.rating == 1 else "thumbs down" if turn.rating == -1 else ""
    label = f"label: {' '.join(turn.label.split())}" if turn.label else ""
    tags = f"tags: {', '.join(turn.tags)}" if turn.tags else ""
    return "; ".join(part for part in (rated, label, tags) if part)


def _latency(conversation: Conversation) -> tuple[float | None, Literal["sound", "audio"]]:
    ended = [t for t in conversation.turns if t.speech_end_s is not None]
    for how, moments in (
        ("sound", [(t.first_sound_s, t.speech_end_s) for t in ended]),
        ("audio", [(t.first_audio_s, t.speech_end_s) for t in ended]),
    ):
        times = [first - end for first, end in moments if first is not None and end is not None]
        if times:
            return statistics.median(times), "sound" if how == "sound" else "audio"
    return None, "sound"


def _entry(item: Item, output: Item | None, shown: StaticResult | None) -> Entry:
    if item.type == "function_call":
        text = item.output if item.output is not None or output is None else output.output or output.text
        return Entry(
            who="Tool",
            text=text,
            note=_state_of_call(item, text),
            call=_call(item.name or "function", item.arguments),
            shown=shown,
        )
    if item.type == "function_call_output":
        return Entry(who="Tool", text=item.output or item.text)
    text = item.text
    heard = heard_text(item) if item.interrupted and item.role == "assistant" else text
    who = _WHO.get(item.role or "", "System")
    return Entry(
        who=who, text=heard, unheard=text[len(heard) :] if text.startswith(heard) else "", note=_note(item)
    )


def _note(item: Item) -> str:
    if item.interrupted:
        if item.heard_ms is None:
            return "interrupted"
        return f"interrupted at {item.heard_ms / 1000:.1f} s" if item.heard_ms else "interrupted, not heard"
    if item.problem is not None:
        return f"failed: {item.problem}" if not item.text else item.problem
    if item.status == "incomplete":
        return "incomplete"
    if item.role == "user" and item.spoken and not item.text:
        return f"{item.audio_ms / 1000:.1f} s of speech, no transcript" if item.audio_ms else "no transcript"
    return ""


def _state_of_call(item: Item, output: str | None) -> str:
    if item.problem is not None:
        return f"failed: {item.problem}"
    if item.status == "incomplete":
        return "incomplete"
    if output is None:
        return "called"
    if item.duration_ms is None:
        return "done"
    if item.duration_ms < 1000:  # noqa: PLR2004 - ms in a second
        return f"done in {item.duration_ms:.0f} ms"
    return f"done in {item.duration_ms / 1000:.1f} s"


def _call(name: str, arguments: str) -> str:
    """As Python would write it; what is no JSON object, as it came."""
    try:
        values = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return f"{name}({arguments})"
    return f"{name}({', '.join(f'{k}={json.dumps(v, ensure_ascii=False)}' for k, v in values.items())})"


# ---- HTML --------------------------------------------------------------------------------------------------


def record_html(sessions: Sequence[Talked], own_class: str) -> str:
    """The record of a talk's sessions.

    Where nothing was said it is an empty element, so that it takes no place.

    Args:
        sessions: in order; the newest entries of all are kept up to `MOST_CHARS_IN_ALL`.
        own_class: of this talk alone: its widget hides it by this.
    """
    parts = [_session(session) for session in _within_budget(sessions)]
    # The second and third name are what MathJax, 2 and later, leaves alone.
    names = html.escape(f"gip-record {own_class} tex2jax_ignore mathjax_ignore")
    return f'<div class="{names}" style="max-width:880px;overflow-wrap:anywhere">{"".join(parts)}</div>'


def _within_budget(sessions: Sequence[Talked]) -> list[Talked]:
    """The newest entries that have room, and how many are missing before them."""
    left, entries_left = MOST_CHARS_IN_ALL, MOST_ENTRIES
    found: list[Talked] = []
    for session in reversed(sessions):
        taken: list[Entry] = []
        for entry in reversed(session.entries):
            if left <= 0 or entries_left <= 0:
                break
            taken.append(entry)
            left -= entry.chars
            entries_left -= 1
        missing = session.left_out + len(session.entries) - len(taken)
        found.append(Talked(session.facts, tuple(reversed(taken)), missing))
    kept: list[Talked] = []
    before = 0
    for session in reversed(found):
        if session.entries:
            kept.append(msgspec.structs.replace(session, left_out=session.left_out + before))
        before = 0 if session.entries else before + session.left_out
    return kept


def _session(session: Talked) -> str:
    title = f"<strong>{escaped(_title(session.facts))}</strong>"
    figures = "".join(f" · {escaped(figure)}" for figure in _figures(session.facts))
    missing = f"<p><em>{escaped(_left_out(session))}</em></p>" if session.left_out else ""
    rows = "".join(_row(entry) for entry in session.entries)
    return f"<p>{title}<small>{figures}</small></p>{missing}<dl>{rows}</dl>"


def _title(facts: Facts) -> str:
    return "Talk with the rehearsal server, no model" if facts.rehearsal else f"Talk with {facts.model}"


def _left_out(session: Talked) -> str:
    return f"The {session.left_out:,} entries before these are not kept here; the tables have them."


def _figures(facts: Facts) -> Iterable[str]:
    if facts.started_unix_s is not None:
        yield f"{datetime.fromtimestamp(facts.started_unix_s, UTC):%Y-%m-%d %H:%M} UTC"
    if facts.duration_s is not None:
        minutes, seconds = divmod(round(facts.duration_s), 60)
        yield f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    yield _count(facts.turns, "turn")
    if facts.latency_s is not None:
        what = "first sound" if facts.latency_to == "sound" else "first audio"
        yield f"{what} after {facts.latency_s:.2f} s (median)"
    yield _count(facts.requests, "request")
    if facts.cost_usd is not None:
        yield f"{'at most ' if facts.cost_is_upper_bound else ''}${facts.cost_usd:.4f}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _row(entry: Entry) -> str:
    who = f"<dt><strong>{escaped(entry.who)}</strong></dt>"
    body = _said(entry) if entry.call is None else _called(entry)
    if entry.verdict:
        body += f'<div dir="auto"><small>[{text_html(entry.verdict)}]</small></div>'
    # By its own first letters: Arabic runs from the right, whatever stands above it.
    return f'{who}<dd dir="auto" style="margin-bottom:8px">{body}</dd>'


def _said(entry: Entry) -> str:
    unheard = ""
    if entry.unheard:
        # Before words that are cut there is nothing more to cut.
        unheard = f'<em style="opacity:0.65" title="not heard">{text_html(entry.unheard)}</em>'
    words = f"{entry.note}; in italics: not heard" if entry.unheard else entry.note
    note = f" <small>({escaped(words)})</small>" if words else ""
    return f"{text_html(entry.text or '')}{unheard}{note}"


def _called(entry: Entry) -> str:
    call, note = text_html(entry.call or ""), escaped(entry.note)
    head = f'<code dir="auto">{call}</code> <small>· {note}</small>'
    shown = entry.shown.html if entry.shown is not None else ""
    if entry.text is None:
        return f"{head}{shown}"
    output = f'<pre style="white-space:pre-wrap">{text_html(entry.text, line_end=chr(10))}</pre>'
    # Where its result is seen, the model's text of it is not what a reader looks for.
    closed = "" if shown else " open"
    return f"<details{closed}><summary>{head}</summary>{output}</details>{shown}"


# ---- plain text --------------------------------------------------------------------------------------------


def record_text(sessions: Sequence[Talked]) -> str:
    """The same in short, for who shows no HTML."""
    lines: list[str] = []
    for session in sessions:
        if not session.entries:
            continue
        kept = session.entries[-_MOST_PLAIN_ENTRIES:]
        missing = session.left_out + len(session.entries) - len(kept)
        lines.append(" · ".join([_title(session.facts), *_figures(session.facts)]))
        if missing:
            lines.append(f"  [{missing:,} entries before these]")
        lines += [f"  {entry.who}: {_plain(entry)}" for entry in kept]
    return "\n".join(lines)


def _plain(entry: Entry) -> str:
    said = entry.text or "" if entry.call is None else f"{entry.call} -> {entry.text or ''}"
    parts = [said]
    if entry.unheard:
        parts.append(f"[not heard: {entry.unheard.strip()}]")
    if entry.note:
        parts.append(f"({entry.note})")
    if entry.verdict:
        parts.append(f"[{entry.verdict}]")
    line = printable(" ".join(" ".join(parts).split()))
    return line if len(line) <= _MOST_PLAIN_CHARS else f"{line[:_MOST_PLAIN_CHARS]}…"
