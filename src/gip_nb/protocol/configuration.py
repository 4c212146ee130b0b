"""What a session was asked to be: its first settings and every change since, laid over one another. Pure.

A new connection begins with the server's defaults; this is what it is asked for instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gip_nb.errors import BadSetting
from gip_nb.protocol.dialects import session_to_canonical

__all__ = ["Configuration", "overlaid", "side_of"]

_CAN_BE_OFF = frozenset({"noise_reduction", "transcription", "turn_detection"})
# A server says no soon, if it does.
_MOST_OPEN = 64


class Configuration:
    """The changes of one session that were asked for and not refused."""

    def __init__(self) -> None:
        self._settled: dict[str, Any] = {}
        self._open: dict[str, dict[str, Any]] = {}

    def asked(self, event_id: str, session: Mapping[str, Any]) -> None:
        """A `session.update` goes out; told twice (as it is decided, and as it is sent), it counts once.

        Args:
            event_id: by which a server would refuse it.
            session: its fields, in either dialect's names.
        """
        if event_id in self._open:
            return
        change = session_to_canonical(dict(session), None)
        change.pop("type", None)
        self._open[event_id] = change
        if len(self._open) > _MOST_OPEN:
            self._settled = _over(self._settled, self._open.pop(next(iter(self._open))))

    def refused(self, event_id: object) -> None:
        """An `error` about this event: if it is one of these, the server did not take it."""
        if isinstance(event_id, str):
            self._open.pop(event_id, None)

    def now(self) -> dict[str, Any]:
        """What is asked for, a canonical session."""
        session = self._settled
        for change in self._open.values():
            session = _over(session, change)
        return session

    def taken(self) -> dict[str, Any]:
        """As `now()`, and no longer here: it is asked for anew, and may be refused then."""
        session = self.now()
        self._settled = {}
        self._open.clear()
        return session


def _over(session: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    try:
        return overlaid(session, change)
    except BadSetting:
        # Some raw event of the user's, which no server takes either.
        return session


def overlaid(session: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The session that is to be asked for, with a change laid over it.

    Args:
        session: canonical fields; is left as it was.
        change: canonical fields. A None takes back what was asked for; where the API has an "off" it is that.

    Raises:
        BadSetting: `audio` is none of the API's.
    """
    out = {**session, **{key: value for key, value in change.items() if key != "audio"}}
    if isinstance(session.get("audio"), Mapping):
        out["audio"] = {side: dict(inner) for side, inner in session["audio"].items()}
    sides = change.get("audio")
    if sides is not None and not isinstance(sides, Mapping):
        raise BadSetting(f"audio {sides!r}", "give it as the API does: {'input': {...}, 'output': {...}}.")
    for side, inner in (sides or {}).items():
        asked = side_of(out, side)
        if inner is not None and not isinstance(inner, Mapping):
            raise BadSetting(f"audio.{side} {inner!r}", f"give it as the API does: {{{side!r}: {{...}}}}.")
        for key, value in (inner or {}).items():
            if value is None and key not in _CAN_BE_OFF:
                asked.pop(key, None)
            else:
                asked[key] = value
    return {key: value for key, value in out.items() if value is not None}


def side_of(session: dict[str, Any], side: str) -> dict[str, Any]:
    """`audio.input` or `audio.output` of a canonical session, made where there is none.

    Raises:
        BadSetting: `audio` is none of the API's.
    """
    audio = session.setdefault("audio", {})
    found = audio.setdefault(side, {}) if isinstance(audio, dict) else None
    if not isinstance(found, dict):
        raise BadSetting(f"audio {audio!r}", "give it as the API does: {'input': {...}, 'output': {...}}.")
    return found
