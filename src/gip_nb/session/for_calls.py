"""What one session lets its calls do: see `calls.Host`. On the loop only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.outputs import Wish
    from gip_nb.session.returning import At
    from gip_nb.session.waits import Waits

__all__ = ["ForCalls", "Session"]


class Session(Protocol):
    """The session, as far as this needs it."""

    protocol: ClientProtocol

    @property
    def at(self) -> At:
        """What the connection is at."""
        ...

    def note(self, kind: str, **fields: Any) -> None:
        """Log a local row."""

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> object:
        """Run a coroutine on the loop."""

    def callback_failed(self, error: BaseException) -> None:
        """What the user hung on the session raised."""


class ForCalls:
    """Implements `calls.Host`.

    Args:
        session: whose calls they are.
        waits: who waits for what in it.
        pump: does what the protocol says.
    """

    def __init__(self, session: Session, waits: Waits, pump: Callable[[], None]) -> None:
        self._session = session
        self._waits = waits
        self._pump = pump
        self.note = session.note
        self.start = session.start
        self.callback_failed = session.callback_failed

    def answer_call(self, call_id: str, output: str, *, follow_up: bool = True) -> None:
        """Send a function's output to the model; after the end it is dropped."""
        if self._session.at in {"open", "reconnecting"}:
            self._session.protocol.tool_output(call_id, output, follow_up=follow_up)
            self._pump()

    def tell_tools(self, schemas: list[dict[str, Any]]) -> None:
        """Let the server know of other tools; while it reconnects, with the settings of what comes next."""
        if self._session.at in {"open", "reconnecting"}:
            self._session.protocol.update({"tools": schemas})
            self._pump()

    def word_beside(self, fields: Mapping[str, Any]) -> Wish | None:
        """Ask for a response beside the conversation; None where that would disturb somebody."""
        protocol = self._session.protocol
        if self._session.at != "open" or not protocol.may_speak_beside:
            return None
        wish = protocol.respond(fields)
        # Should the server refuse it, nobody is to be bothered.
        wish.awaited = True
        self._pump()
        return wish

    async def until(self, condition: Callable[[], bool], what: str, timeout_s: float | None) -> None:
        """See `Waits.until`."""
        await self._waits.until(condition, what, timeout_s)
