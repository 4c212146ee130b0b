"""What keeps a server's turn detection from asking for answers while a budget is spent. Pure."""

from __future__ import annotations

from typing import Any

__all__ = ["HeldBack"]


class HeldBack:
    """Of one connection: `create_response` is off while no answer may be asked for, and on again after."""

    def __init__(self) -> None:
        self._off = False

    @property
    def off(self) -> bool:
        """Whether it is off because of the budget."""
        return self._off

    def change(self, detection: dict[str, Any] | None, *, stops: bool) -> dict[str, Any] | None:
        """The update to send now, canonical; None where there is nothing to change, or it was sent.

        Args:
            detection: that the server has in force.
            stops: whether no answer may be asked for.
        """
        if detection is None or stops == self._off:
            return None
        if stops and detection.get("create_response") is False:
            # Somebody else asks for the answers, and is told by them.
            return None
        self._off = stops
        return {"audio": {"input": {"turn_detection": {**detection, "create_response": not stops}}}}

    def within(self, session: dict[str, Any], *, stops: bool) -> dict[str, Any]:
        """An update as it may be sent: whoever asks for a turn detection gets one that asks for nothing.

        Args:
            session: canonical fields; is left as it was.
            stops: whether no answer may be asked for.
        """
        audio = session.get("audio")
        given = audio.get("input") if isinstance(audio, dict) else None
        detection = given.get("turn_detection") if isinstance(given, dict) else None
        if not isinstance(audio, dict) or not isinstance(given, dict) or not isinstance(detection, dict):
            return session
        if not stops or detection.get("create_response") is False:
            return session
        self._off = True
        detection = {**detection, "create_response": False}
        return {**session, "audio": {**audio, "input": {**given, "turn_detection": detection}}}
