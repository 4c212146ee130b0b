"""The timeline's data: spans in lanes, waveforms, marks, turns. Tables in, tidy frames out.

Times are seconds on the session's own clock since its log began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.audio import SAMPLE_RATE_HZ
from gip_nb.journal.charts.source import known, records
from gip_nb.journal.charts.timeline_gaps import gaps_in
from gip_nb.journal.charts.waveform import envelope, loudest, shares
from gip_nb.journal.charts.words import shortened

if TYPE_CHECKING:
    import pandas as pd

    from gip_nb.journal.charts.source import Row
    from gip_nb.journal.charts.waveform import Envelope
    from gip_nb.journal.tabled import Tabled

__all__ = [
    "DELIVERED",
    "GENERATED",
    "HEARD",
    "INTERRUPTED",
    "LANES",
    "MOST_TURNS_AT_ONCE",
    "NO_CONNECTION",
    "SPEECH",
    "TOOLS",
    "TURNS_IN_WINDOW",
    "VAD",
    "Timeline",
    "timeline_frames",
]

SPEECH, VAD, GENERATED, DELIVERED, HEARD, TOOLS, INTERRUPTED, NO_CONNECTION = LANES = (
    "You",
    "Turn detection",
    "Generated",
    "Sent to the page",
    "Played",
    "Tools",
    "Interruptions",
    "No connection",
)
MOST_TURNS_AT_ONCE = 12
TURNS_IN_WINDOW = 8
"""Of more turns so many are seen at first."""
MOST_COLUMNS = 1500
"""Columns of waveform in the whole chart."""
_LEAST_COLUMNS = 6
_TEXT_CHARS = 60_000
"""Of all words together."""
_MOST_TEXT_CHARS, _LEAST_TEXT_CHARS = 280, 60
# Chunks that follow one another sooner than this are one delivery.
_DELIVERY_GAP_S = 0.5
# Sound that was sent in less than this part of its length was not spoken then.
_AT_ONCE = 0.5
# How much longer the picture may be for what nobody heard.
_UNHEARD = 0.1
SPAN_COLUMNS = (
    "lane",
    "start_s",
    "end_s",
    "turn",
    "item_id",
    "what",
    "text",
    "heard",
    "waveform",
    "offset_s",
)
WAVE_COLUMNS = ("t", "low", "high", "group", "lane", "heard")
TURN_COLUMNS = ("turn", "start_s", "end_s")


class Timeline(NamedTuple):
    """What a timeline is drawn from.

    Attributes:
        spans: one row a stretch of a lane: `lane` `start_s` `end_s` `turn` `item_id` `what` (a sentence with
            units) `text` (the words) `heard` (False: nobody heard this) `waveform` (drawn as one)
            `offset_s` (where in its item's sound it begins).
        waves: one row a column of a waveform: `t` s, `low` `high` -1 to 1 of the lane's loudest, `group` (one
            sound, or the heard or the unheard part of one), `lane`, `heard`.
        turns: one row a turn: `turn` `start_s` `end_s`.
        lanes: those that have something, in order; the first two lanes of a talk are always there.
        start_s, end_s: what there is to see.
    """

    spans: pd.DataFrame
    waves: pd.DataFrame
    turns: pd.DataFrame
    lanes: tuple[str, ...]
    start_s: float
    end_s: float


def timeline_frames(x: Tabled, chosen: range) -> Timeline:
    """Everything of these turns, in lanes.

    Args:
        x: a session or a recording.
        chosen: the turns' numbers, one at least.
    """
    import pandas as pd

    events, items = x.events, x.items
    items = items[items["turn"].isin(chosen)]
    said = items[items["role"] == "user"]
    answers = items[items["role"] == "assistant"]
    calls = x.tool_calls[x.tool_calls["turn"].isin(chosen)]
    # An answer that was cut has two texts.
    texts = len(said) + len(calls) + len(answers) + int(answers["interrupted"].sum())
    chars = max(_LEAST_TEXT_CHARS, min(_MOST_TEXT_CHARS, _TEXT_CHARS // max(1, texts)))
    rows = [
        *_speech(said, chars),
        *_turn_detection(events, chosen),
        *_generated(answers, chars),
        *_delivered(events, answers),
        *_heard(events, answers, chars),
        *_tools(calls, chars),
        *_interruptions(events, answers),
    ]
    times = [row[edge] for row in rows for edge in ("start_s", "end_s")]
    nobodys: Row = {"turn": None}
    rows += [
        _span(NO_CONNECTION, lost_s, back_s, nobodys, what)
        for lost_s, back_s, what in gaps_in(events, min(times, default=0.0), max(times, default=0.0))
    ]
    spans = pd.DataFrame(rows, columns=list(SPAN_COLUMNS))
    seen = chosen[-TURNS_IN_WINDOW:] if len(chosen) > MOST_TURNS_AT_ONCE else chosen
    waves = _waves(x, spans, seen)
    turns = _turns(x, chosen, spans)
    lanes = tuple(lane for lane in LANES if lane == SPEECH or (spans["lane"] == lane).any())
    start_s = min([*turns["start_s"], *spans["start_s"]], default=0.0)
    end_s = max([*turns["end_s"], *spans.loc[spans["heard"].astype(bool), "end_s"]], default=0.0)
    # What would have sounded may be long: enough of it to be seen.
    unheard_s = max([0.0, *(spans["end_s"] - end_s)])
    return Timeline(spans, waves, turns, lanes, start_s, end_s + min(unheard_s, _UNHEARD * (end_s - start_s)))


def _span(lane: str, start_s: float, end_s: float, row: Row, what: str, **more: Any) -> Row:
    turn = row["turn"]
    return {
        "lane": lane,
        "start_s": float(start_s),
        "end_s": float(max(start_s, end_s)),
        "turn": int(turn) if known(turn) else None,
        "item_id": more.pop("item_id", None),
        "what": what,
        "text": more.pop("text", None),
        "heard": more.pop("heard", True),
        "waveform": more.pop("waveform", False),
        "offset_s": more.pop("offset_s", 0.0),
        **more,
    }


def _words(text: object, chars: int) -> str | None:
    return shortened(str(text), chars) if known(text) and text else None


# ---- lanes -------------------------------------------------------------------------------------------------


def _speech(said: pd.DataFrame, chars: int) -> list[Row]:
    rows = []
    for item in records(said):
        item_id = item["item_id"]
        text = _words(item["text"], chars)
        start_s, end_s, sound_ms = item["speech_start_s"], item["speech_end_s"], item["audio_ms"]
        has_sound = known(sound_ms) and sound_ms > 0
        if not known(start_s) or not has_sound:
            start_s = item["added_s"] if known(item["added_s"]) else item["speech_end_s"]
            if known(start_s):
                what = f"{_seconds(sound_ms)} of sound, sent as an item" if has_sound else "typed"
                rows.append(_span(SPEECH, start_s, start_s, item, what, item_id=item_id, text=text))
            continue
        spoken_s = sound_ms / 1000
        end_s = end_s if known(end_s) else start_s + spoken_s
        if end_s - start_s < spoken_s * _AT_ONCE:
            # A file, not a voice: its samples have no times of their own.
            what = f"{_seconds(sound_ms)} of sound, sent at once"
            rows.append(_span(SPEECH, end_s, end_s, item, what, item_id=item_id, text=text))
        else:
            # What was recorded goes on after the last word, for as long as the server waited.
            what = f"spoke for {_seconds(sound_ms)}"
            end_s = start_s + spoken_s
            rows.append(_span(SPEECH, start_s, end_s, item, what, item_id=item_id, text=text, waveform=True))
    return rows


def _turn_detection(events: pd.DataFrame, chosen: range) -> list[Row]:
    heard = events[events["direction"] == "received"]
    started = heard[heard["event"] == "input_audio_buffer.speech_started"]
    stopped = heard[heard["event"] == "input_audio_buffer.speech_stopped"]
    ends = dict(zip(stopped["item_id"], stopped["elapsed_s"], strict=True))
    newest_s = float(events["elapsed_s"].max()) if len(events) else 0.0
    rows = []
    for row in records(started):
        if not known(row["turn"]) or row["turn"] not in chosen:
            continue
        start_s, item_id = row["elapsed_s"], row["item_id"]
        end_s = ends.get(item_id)
        what = (
            f"speech_started to speech_stopped, {_duration(end_s - start_s)}"
            if end_s is not None
            else "speech_started, and no speech_stopped"
        )
        end_s = newest_s if end_s is None else end_s
        rows.append(_span(VAD, start_s, end_s, row, what, item_id=item_id))
    return rows


def _generated(answers: pd.DataFrame, chars: int) -> list[Row]:
    rows = []
    for item in records(answers):
        item_id = item["item_id"]
        start_s, end_s = item["first_audio_s"], item["last_audio_s"]
        if not known(start_s):
            if known(item["added_s"]) and known(item["text"]):
                start_s = item["added_s"]
                text = _words(item["text"], chars)
                rows.append(
                    _span(GENERATED, start_s, start_s, item, "an answer in text", item_id=item_id, text=text)
                )
            continue
        end_s = end_s if known(end_s) else start_s
        # What was played stands with its sound.
        text = None if known(item["heard_ms"]) else _words(item["text"], chars)
        what = f"{_seconds(item['audio_ms'])} of sound, received in {_duration(end_s - start_s)}"
        rows.append(_span(GENERATED, start_s, end_s, item, what, item_id=item_id, text=text))
    return rows


def _delivered(events: pd.DataFrame, answers: pd.DataFrame) -> list[Row]:
    found = events[(events["event"] == "local.page.delivered") & events["item_id"].isin(answers.index)]
    rows: list[Row] = []
    by_id = {item["item_id"]: item for item in records(answers)}
    for item_id, of_item in found.groupby("item_id", sort=False, observed=True)["elapsed_s"]:
        times = [float(t) for t in of_item]
        item = by_id[str(item_id)]
        start_s = previous_s = times[0]
        for at_s in [*times[1:], float("inf")]:
            if at_s - previous_s > _DELIVERY_GAP_S:
                what = f"given to the page within {_duration(previous_s - start_s)}"
                rows.append(_span(DELIVERED, start_s, previous_s, item, what, item_id=item_id))
                start_s = at_s
            previous_s = at_s
    return rows


def _heard(events: pd.DataFrame, answers: pd.DataFrame, chars: int) -> list[Row]:
    """What sounded, and of an answer that was cut what would have."""
    started = events[events["event"] == "local.playback.started"]
    by_message = dict(zip(started["item_id"][::-1], started["elapsed_s"][::-1], strict=True))
    rows = []
    for item in records(answers):
        item_id = item["item_id"]
        heard_ms = item["heard_ms"]
        # Without the page's clock, when its message came is the nearest.
        start_s = item["sound_start_s"] if known(item["sound_start_s"]) else by_message.get(item_id)
        if not known(heard_ms) or start_s is None:
            continue
        end_s = start_s + heard_ms / 1000
        text = _words(item["heard_text"], chars)
        if heard_ms > 0:
            what = f"heard {_seconds(heard_ms)} of {_seconds(item['audio_ms'])}"
            rows.append(_span(HEARD, start_s, end_s, item, what, item_id=item_id, text=text, waveform=True))
        left_ms = item["audio_ms"] - heard_ms
        if item["interrupted"] and left_ms > 0:
            what = f"{_seconds(left_ms)} that nobody heard"
            rest = _words(_unheard(item), chars)
            rows.append(
                _span(
                    *(HEARD, end_s, end_s + left_ms / 1000, item, what),
                    item_id=item_id,
                    text=rest,
                    heard=False,
                    waveform=True,
                    offset_s=heard_ms / 1000,
                )
            )
    return _cut_short(rows)


def _cut_short(rows: list[Row]) -> list[Row]:
    """What would have sounded is shown until the next sound begins."""
    starts = sorted(row["start_s"] for row in rows if row["heard"])
    for row in rows:
        if not row["heard"]:
            row["end_s"] = min([row["end_s"], *(s for s in starts if s >= row["start_s"])])
    return [row for row in rows if row["heard"] or row["end_s"] > row["start_s"]]


def _unheard(item: Row) -> str | None:
    """The words after those that were heard."""
    if not known(item["text"]):
        return None
    text, heard = str(item["text"]), str(item["heard_text"]) if known(item["heard_text"]) else ""
    heard = heard.rstrip("… ")
    return text.removeprefix(heard)


def _tools(calls: pd.DataFrame, chars: int) -> list[Row]:
    rows = []
    for call in records(calls):
        start_s, took_ms = call["started_s"], call["duration_ms"]
        if not known(start_s):
            continue
        failed = known(call["error"])
        took = f"took {_duration(took_ms / 1000)}" if known(took_ms) else "has not ended"
        what = f"{shortened(str(call['name']), 60)} {'failed, ' if failed else ''}{took}"
        end_s = start_s + (took_ms / 1000 if known(took_ms) else 0.0)
        arguments = call["arguments"] if known(call["arguments"]) else ""
        result = call["error"] if failed else call["output"]
        text = _words(f"{arguments} → {result if known(result) else '?'}", chars)
        rows.append(_span(TOOLS, start_s, end_s, call, what, item_id=call["item_id"], text=text))
    return rows


def _interruptions(events: pd.DataFrame, answers: pd.DataFrame) -> list[Row]:
    cut = answers[answers["interrupted"].astype(bool)]
    marks = events[events["event"].isin(("local.playback.flushed", "conversation.item.truncate"))]
    flushed = dict(zip(marks["item_id"][::-1], marks["elapsed_s"][::-1], strict=True))
    rows = []
    for item in records(cut):
        item_id = item["item_id"]
        at_s = flushed.get(item_id)
        if at_s is None and known(item["sound_start_s"]) and known(item["heard_ms"]):
            at_s = item["sound_start_s"] + item["heard_ms"] / 1000
        if at_s is None and known(item["last_audio_s"]):
            at_s = item["last_audio_s"]
        if at_s is None:
            continue
        heard_ms = item["heard_ms"]
        what = (
            f"interrupted after {_seconds(heard_ms)} of {_seconds(item['audio_ms'])}"
            if known(heard_ms)
            else "interrupted"
        )
        rows.append(_span(INTERRUPTED, at_s, at_s, item, what, item_id=item_id))
    return rows


# ---- waveforms, turns --------------------------------------------------------------------------------------


def _waves(x: Tabled, spans: pd.DataFrame, seen: range) -> pd.DataFrame:
    """The waveforms of the spans that have one: of many turns the last ones, which are seen at first."""
    import pandas as pd

    spans.loc[~spans["turn"].isin(seen), "waveform"] = False
    drawn = spans[spans["waveform"].astype(bool)]
    sounds = {item_id: x.sound(str(item_id)) for item_id in drawn["item_id"].unique()}
    rows_drawn = records(drawn)
    pieces = [_piece(span, sounds[span["item_id"]]) for span in rows_drawn]
    given = shares([len(piece) for piece in pieces], MOST_COLUMNS, _LEAST_COLUMNS)
    found = [envelope(piece, columns) for piece, columns in zip(pieces, given, strict=True)]
    rows: list[tuple[float, float, float, int, str, bool]] = []
    for lane in (SPEECH, HEARD):
        places = [i for i, of_lane in enumerate(drawn["lane"]) if of_lane == lane]
        top = loudest([found[i] for i in places])
        for i in places:
            rows += _wave_rows(rows_drawn[i], found[i], top, i)
    bare = [index for index, e in zip(drawn.index, found, strict=True) if not len(e.low)]
    spans.loc[bare, "waveform"] = False
    return pd.DataFrame(rows, columns=list(WAVE_COLUMNS))


def _piece(span: Row, pcm: bytes) -> bytes:
    """What of an item's sound lies in this span."""
    if span["lane"] == SPEECH:
        return pcm
    start = round(span["offset_s"] * SAMPLE_RATE_HZ) * 2
    return pcm[start : start + round((span["end_s"] - span["start_s"]) * SAMPLE_RATE_HZ) * 2]


def _wave_rows(
    span: Row,
    e: Envelope,
    top: float,
    group: int,
) -> list[tuple[float, float, float, int, str, bool]]:
    count = len(e.low)
    step = (span["end_s"] - span["start_s"]) / max(1, count)
    return [
        (
            span["start_s"] + (column + 0.5) * step,
            float(e.low[column]) / top,
            float(e.high[column]) / top,
            group,
            span["lane"],
            bool(span["heard"]),
        )
        for column in range(count)
    ]


def _turns(x: Tabled, chosen: range, spans: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    started = x.started_at
    own: dict[int, tuple[float, float]] = {}
    for span in records(spans[spans["heard"].astype(bool)]):
        if known(span["turn"]):
            start_s, end_s = own.get(int(span["turn"]), (span["start_s"], span["end_s"]))
            own[int(span["turn"])] = min(start_s, span["start_s"]), max(end_s, span["end_s"])
    rows = []
    for row in records(x.turns.loc[chosen.start : chosen.stop - 1]):
        opened_s = (row["started_at"] - started).total_seconds()
        start_s, end_s = own.get(row["turn"], (opened_s, opened_s))
        start_s = min(start_s, opened_s)
        end_s = max(end_s, opened_s, row["ended_s"]) if known(row["ended_s"]) else max(end_s, opened_s)
        rows.append((row["turn"], start_s, end_s))
    return pd.DataFrame(rows, columns=list(TURN_COLUMNS))


def _seconds(ms: object) -> str:
    return f"{float(str(ms)) / 1000:.2f} s" if known(ms) else "? s"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else f"{seconds:.2f} s"
