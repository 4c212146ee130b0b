"""What it takes to go on where a recorded talk was: its history, and the settings that it had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.errors import BadSetting
from gip_nb.journal.reduced import conversation_of
from gip_nb.protocol.history import history_items, restored_items
from gip_nb.session.options import SESSION_OPTIONS, overlaid

if TYPE_CHECKING:
    from gip_nb.journal.log import EventLog

__all__ = ["given_history_of", "history_of", "settings_of"]

# Where a setting stands in a session, and the flat name of it: a change in either name is laid over that.
_FLAT = {
    ("input", "format"): "input_audio_format",
    ("input", "noise_reduction"): "input_audio_noise_reduction",
    ("input", "transcription"): "transcription",
    ("input", "turn_detection"): "turn_detection",
    ("output", "format"): "output_audio_format",
    ("output", "speed"): "speed",
    ("output", "voice"): "voice",
}
_FLAT_NAMES = {"max_output_tokens": "max_response_output_tokens", "output_modalities": "modalities"}
# Those of the tools, which are the user's own.
_NOT_KEPT = frozenset({"tool_choice", "tools"})


def history_of(log: EventLog, turn: int | None = None) -> list[dict[str, Any]]:
    """The items that restore a recorded talk, for `talk(history=...)`; see `protocol.history`.

    Args:
        log: of a live, closed or loaded session.
        turn: the last one to restore, as in `turns`; 0 is what was there before the first; None is all.

    Raises:
        BadSetting: there is no such turn.
    """
    conversation = conversation_of(log)
    given: object = turn
    last = len(conversation.turns)
    if given is not None and (
        isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= last
    ):
        raise BadSetting(
            f"turn is {turn!r}: this talk has {last}",
            f"give a number from 0 to {last}, or leave it out for all." if last else "leave it out for all.",
        )
    return history_items(conversation, turn)


def given_history_of(log: EventLog) -> list[dict[str, Any]]:
    """The items that the recorded talk itself began with, as far as they are there: what a replay needs too.

    Args:
        log: of a live, closed or loaded session.
    """
    conversation = conversation_of(log)
    found = restored_items(conversation, 0)
    return [i.fields for i in found if i.source_id and conversation.items[i.source_id].restored]


def settings_of(log: EventLog) -> dict[str, Any]:
    """The keyword arguments with which `talk()` asks for what a recorded session had at its end.

    Its model, and the settings that were asked for; what the server made of them by itself is its own. Not
    the key, not the address (the rehearsal server's is found by its name), not the dialect, and nothing about
    tools: those are functions, which no log has. Laid under changes, `{**settings_of(log), **changes}`, each
    change counts, in whichever dialect's name.

    Args:
        log: of a live, closed or loaded session.
    """
    model, session = "", dict[str, Any]()
    asked: list[tuple[str, dict[str, Any]]] = []
    for n, row in enumerate(log.rows):
        if row.type == "local.connection.opened":
            model = log.event(n).text("model")
        elif row.direction == "sent" and row.type.endswith("session.update"):
            event = log.event(n)
            asked.append((event.text("event_id"), event.part("session")))
        elif row.type == "error":
            refused = log.event(n).part("error").get("event_id")
            asked = [one for one in asked if one[0] != refused]
    for _, change in asked:
        session = overlaid(session, change)
    return ({"model": model} if model else {}) | _as_options(session)


def _as_options(session: dict[str, Any]) -> dict[str, Any]:
    """A canonical session as the arguments of `talk()`."""
    found: dict[str, Any] = {}
    for name, value in session.items():
        if name in SESSION_OPTIONS | {"instructions"} and name not in _NOT_KEPT | {"audio"}:
            found[_FLAT_NAMES.get(name, name)] = value
    audio: dict[str, dict[str, Any]] = session.get("audio") or {}
    for side, settings in audio.items():
        for name, value in settings.items():
            flat = _FLAT.get((side, name))
            if flat is not None:
                found[flat] = value
            else:
                found.setdefault("audio", {}).setdefault(side, {})[name] = value
    if found.get("transcription", ...) is None:
        found["transcription"] = False
    return found
