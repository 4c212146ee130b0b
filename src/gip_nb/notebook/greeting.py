"""The first words: where it is wished for, the model greets before the user speaks, once in each session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.errors import BadSetting

if TYPE_CHECKING:
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["Greeting"]

_USUAL = "Greet the user in one short sentence, and ask what they would like to talk about."


class Greeting:
    """Asks for the first words.

    Args:
        greet: whether, or what the model is told for it.

    Raises:
        BadSetting: neither a bool nor words.
    """

    def __init__(self, greet: bool | str) -> None:  # noqa: FBT001 - as `talk(greet=True)` gives it
        given: object = greet
        if not isinstance(given, bool | str) or (isinstance(given, str) and not given.strip()):
            raise BadSetting(
                f"greet {given!r}",
                "use True or False, or tell the model how to greet: greet='Say hello in Korean.'",
            )
        self._words = given if isinstance(given, str) else _USUAL if given else ""
        self._greeted: AsyncRealtimeSession | None = None

    def ask(self, session: AsyncRealtimeSession) -> None:
        """Ask for it, unless this session was greeted before or its user was quicker. On the loop."""
        if self._words and session is not self._greeted:
            self._greeted = session
            # A response's own instructions stand in for the session's: the model is to stay who it is.
            own = session.first_settings().get("instructions")
            session.speak_first(f"{own}\n\n{self._words}" if own else self._words)
