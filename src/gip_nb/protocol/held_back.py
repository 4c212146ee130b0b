"""What keeps a server's turn detection from asking for answers while a budget is spent. Pure."""

from __future__ import annotations

from typing import Any

__all__ = ["HeldBack"]

_ASKS, _IDLE = "create_response", "idle_timeout_ms"


class HeldBack:
    """Of one connection: turn detection goes on hearing and asks for nothing, and then as it did before.

    It asks after speech (`create_response`), and after a silence whatever that says (`idle_timeout_ms`, GA).
    """

    def __init__(self) -> None:
        # What was taken from it, by field.
        self._was: dict[str, Any] = {}

    @property
    def off(self) -> bool:
        """Whether it asks for nothing because of the budget."""
        return bool(self._was)

    def change(self, detection: dict[str, Any] | None, *, stops: bool) -> dict[str, Any] | None:
        """The update to send now, canonical; None where there is nothing to change, or it was sent.

        Args:
            detection: that the server has in force.
            stops: whether no answer may be asked for.
        """
        if detection is None or stops == self.off:
            return None
        if stops:
            changed = self._quiet(detection)
            if changed == detection:
                # Somebody else asks for the answers, and is told by them.
                return None
        else:
            given_back, self._was = self._was, {}
            if detection.get("type") != "server_vad":
                given_back.pop(_IDLE, None)
            changed = {**detection, **given_back}
        return {"audio": {"input": {"turn_detection": changed}}}

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
        if not stops:
            return session
        return {**session, "audio": {**audio, "input": {**given, "turn_detection": self._quiet(detection)}}}

    def _quiet(self, detection: dict[str, Any]) -> dict[str, Any]:
        """The same that asks for nothing; what is taken from it is kept."""
        was: dict[str, Any] = {}
        if detection.get(_ASKS) is not False:
            was[_ASKS] = True
        if detection.get(_IDLE) is not None:
            was[_IDLE] = detection[_IDLE]
        # One that is quiet already was made so by this, or by nobody's wish to the contrary.
        self._was = was or self._was
        quiet = {name: False if name == _ASKS else None for name in was}
        return {**detection, **quiet}
