"""Talks side by side: the same questions to another model, voice or prompt; in figures and to listen to."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from gip_nb.errors import BadSetting
from gip_nb.journal.comparison_html import Column, Spoken, Told, comparison_html
from gip_nb.journal.tabled import must_be_tabled, rows_of
from gip_nb.protocol.dialects import session_to_canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from gip_nb.journal.tabled import Tabled

__all__ = ["FRAME_COLUMNS", "SUMMARY_COLUMNS", "Comparison", "compare"]

_FIGURES = ("response_created_ms", "first_text_ms", "first_audio_ms", "first_delivered_ms", "first_sound_ms")
# Column -> dtype; what they say stands at `Comparison`.
FRAME_COLUMNS = {
    **dict.fromkeys(("source", "model", "voice"), "string"),
    "turn": "Int64",
    **dict.fromkeys(("user_text", "assistant_text", "heard_text"), "string"),
    **dict.fromkeys(("user_words", "words"), "Int64"),
    **dict.fromkeys((*_FIGURES, "duration_ms"), "float64"),
    **dict.fromkeys(("user_audio_ms", "assistant_audio_ms", "heard_audio_ms"), "float64"),
    "tools": "Int64",
    "tool_names": "string",
    "tool_errors": "Int64",
    "interrupted": "bool",
    "status": "string",
    **dict.fromkeys(("requests", "input_tokens", "output_tokens"), "Int64"),
    "cost_usd": "float64",
    "rating": "Int64",
    "label": "string",
    "tags": "object",
}
_STEPS = ("response_created_ms", "first_audio_ms", "first_sound_ms")
SUMMARY_COLUMNS = {
    **dict.fromkeys(("model", "voice"), "string"),
    "turns": "Int64",
    **dict.fromkeys([f"{step}_{what}" for step in _STEPS for what in ("median", "p95")], "float64"),
    **dict.fromkeys(("user_words", "words"), "Int64"),
    **dict.fromkeys(("user_audio_ms", "assistant_audio_ms"), "float64"),
    **dict.fromkeys(("interrupted", "tools", "tool_errors"), "Int64"),
    **dict.fromkeys(("requests", "input_tokens", "output_tokens"), "Int64"),
    "cost_usd": "float64",
    **dict.fromkeys(("rated_up", "rated_down"), "Int64"),
}
_SUMS = (
    *("user_words", "words", "user_audio_ms", "assistant_audio_ms", "tools", "tool_errors"),
    *("requests", "input_tokens", "output_tokens"),
)


def compare(sources: Iterable[Tabled], *, names: Iterable[str] | None = None) -> Comparison:
    """Put talks side by side, turn by turn.

    Turns are matched by their number: compare talks that were asked the same, such as a recording and its
    replays (`recording.replay(...)`).

    Args:
        sources: sessions or recordings, one or more. Of a live session what happened so far.
        names: what to call them, one each; else their models, numbered where two are alike.

    Raises:
        BadSetting: there is nothing to compare, something has no tables, or the names do not fit.
    """
    if isinstance(sources, str | PurePath):
        raise BadSetting(f"{str(sources)!r} is no talk", "load it first: compare([gip_nb.load(path), ...]).")
    if not hasattr(sources, "__iter__"):
        must_be_tabled(sources, "compare()")
        raise BadSetting("compare() takes a list of talks, and got one", "write compare([talk, ...]).")
    found = list(sources)
    if not found:
        raise BadSetting(
            "there is nothing to compare: the list is empty",
            "pass sessions or recordings, such as compare([session, gip_nb.load(path)]).",
        )
    for one in found:
        must_be_tabled(one, "compare()")
    return Comparison(dict(zip(_names(found, names), found, strict=True)))


def _names(sources: list[Tabled], names: Iterable[str] | None) -> list[str]:
    if names is None:
        found: list[str] = []
        for n, source in enumerate(sources, 1):
            name = source.model or f"talk {n}"
            numbered = (f"{name} ({k})" for k in range(2, len(sources) + 2))
            found.append(next(free for free in (name, *numbered) if free not in found))
        return found
    given = [names] if isinstance(names, str) else [str(name) for name in names]
    # Half of a surrogate pair fits in no table.
    found = [name.encode("utf-8", "replace").decode() for name in given]
    if len(found) != len(sources):
        raise BadSetting(
            f"names={found!r}: {len(found)} for {len(sources)} talks", "give each talk one name."
        )
    for name in found:
        if not name.strip():
            raise BadSetting(f"names={found!r}: {name!r} is no name", "give each talk a name.")
        if found.count(name) > 1:
            raise BadSetting(f"names={found!r}: {name!r} is there twice", "name each talk differently.")
    return found


class Comparison:
    """Talks side by side, as they were when they were compared. A notebook shows them with their sound.

    Attributes:
        frame: one row a talk and turn, columns as in `FRAME_COLUMNS`: those of `turns`, and `source`, its
            name here; `voice`, as the server said it last; `user_words` and `words` of the transcripts, NA
            where there is none; `duration_ms` from the turn's beginning to the last that came of it;
            `tool_names` in the order of their calls, ", " between them; `tool_errors`, how many calls failed.
            Latencies (`response_created_ms` to `first_sound_ms`) count from the end of the user's speech.
        summary: one row a talk, index `source`, columns as in `SUMMARY_COLUMNS`: latencies as `*_median` and
            `*_p95` of the turns where they are known; `turns`, `interrupted`, `rated_up` and `rated_down` (by
            thumbs) count turns; the others are sums. `cost_usd` is NA where that of any billed turn is: a sum
            of the rest would look like a bargain.
    """

    def __init__(self, sources: Mapping[str, Tabled]) -> None:
        self._sources = dict(sources)
        self.frame = _frame_of(self._sources)
        self.summary = _summary_of(self._sources, self.frame)

    def __repr__(self) -> str:
        # On its side: a talk has more figures than a line has room for.
        return f"Comparison of {len(self._sources)}, {len(self.frame)} turns\n{self.summary.T.to_string()}"

    def _repr_html_(self) -> str:
        of_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows_of(self.frame):
            of_source[row["source"]].append(row)
        return comparison_html(
            [
                Column(name, _about(summary), summary, self._turns_to_show(name, of_source[name]))
                for name, summary in zip(self._sources, rows_of(self.summary), strict=True)
            ]
        )

    def _turns_to_show(self, name: str, rows: list[dict[str, Any]]) -> dict[int, Told]:
        source = self._sources[name]
        spoken: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
        for item in rows_of(source.items):
            if item.get("audio_ms") and "role" in item and "turn" in item:
                spoken[item["turn"], item["role"]].append(item)
        return {
            row["turn"]: Told(
                row,
                _spoken(source, spoken[row["turn"], "user"]),
                _spoken(source, spoken[row["turn"], "assistant"]),
            )
            for row in rows
        }


def _spoken(source: Tabled, items: list[dict[str, Any]]) -> Spoken | None:
    """What was said in one turn by one side: read when there is room for it."""
    ids = [item["item_id"] for item in items]
    return Spoken(sum(i["audio_ms"] for i in items), partial(_sound, source, ids)) if items else None


def _sound(source: Tabled, item_ids: list[str]) -> bytes:
    return b"".join(source.sound(item_id) for item_id in item_ids)


def _about(summary: dict[str, Any]) -> str:
    return " · ".join(summary[name] for name in ("model", "voice") if name in summary)


# ---- frames ------------------------------------------------------------------------------------------------


def _frame_of(sources: Mapping[str, Tabled]) -> pd.DataFrame:
    import pandas as pd

    parts = [_turns_of(name, source) for name, source in sources.items()]
    return pd.concat(parts, ignore_index=True).astype(FRAME_COLUMNS)


def _turns_of(name: str, source: Tabled) -> pd.DataFrame:
    import pandas as pd

    turns, calls = source.turns, source.tool_calls
    began_s = (turns["started_at"] - pd.Timestamp(source.started_at)).dt.total_seconds()
    by_turn = calls.groupby("turn")
    names = by_turn["name"].agg(lambda found: ", ".join(found.fillna("?")))
    errors = calls["error"].notna().groupby(calls["turn"]).sum()
    found = turns.reset_index().assign(
        source=name,
        model=source.model or None,
        voice=_voice(source),
        user_words=[_words(t) for t in turns["user_text"]],
        words=[_words(t) for t in turns["assistant_text"]],
        duration_ms=((turns["ended_s"] - began_s) * 1000).to_numpy(),
        tool_names=names.reindex(turns.index).to_numpy(),
        tool_errors=errors.reindex(turns.index, fill_value=0).to_numpy(),
    )
    return found[list(FRAME_COLUMNS)].astype(FRAME_COLUMNS)


def _words(text: object) -> int | None:
    return len(text.split()) if isinstance(text, str) else None


def _voice(source: Tabled) -> str | None:
    """The voice that the server said last."""
    events = source.events
    for n in reversed(events.index[events["event"].isin(["session.created", "session.updated"])]):
        told = source.payload(int(n)).get("session")
        found: object = session_to_canonical(told, None) if isinstance(told, dict) else None
        for name in ("audio", "output", "voice"):
            found = found.get(name) if isinstance(found, dict) else None
        # A voice of one's own is named by its id.
        found = found.get("id") if isinstance(found, dict) else found
        if isinstance(found, str):
            return found
    return None


def _summary_of(sources: Mapping[str, Tabled], frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = [_summed(source, frame[frame["source"] == name]) for name, source in sources.items()]
    summary = pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS)).astype(SUMMARY_COLUMNS)
    summary.index = pd.Index(sources, name="source", dtype="object")
    return summary


def _summed(source: Tabled, turns: pd.DataFrame) -> dict[str, Any]:
    costs = turns["cost_usd"].mask(turns["requests"].fillna(0) == 0, 0.0)
    return {
        "model": source.model or None,
        "voice": turns["voice"].iloc[-1] if len(turns) else _voice(source),
        "turns": len(turns),
        **{f"{step}_median": turns[step].median() for step in _STEPS},
        **{f"{step}_p95": turns[step].quantile(0.95) for step in _STEPS},
        # Of turns of which nothing is known the sum is not zero; of none it is.
        **{name: turns[name].sum(min_count=min(1, len(turns))) for name in _SUMS},
        "interrupted": int(turns["interrupted"].sum()),
        "cost_usd": float("nan") if costs.isna().any() else costs.sum(),
        "rated_up": int((turns["rating"] > 0).sum()),
        "rated_down": int((turns["rating"] < 0).sum()),
    }
