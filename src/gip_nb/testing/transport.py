"""A connection in memory: a script says what the server sends and when.

Use it as `AsyncRealtimeSession(settings, transport=ScriptedTransport(answers).for_session)`.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from gip_nb.protocol.frames import read_frame
from gip_nb.session.transport import TransportClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.settings import Settings

__all__ = ["ScriptedTransport"]

Event = dict[str, Any]


class ScriptedTransport:
    """A connection whose server follows a script.

    Args:
        answers: called with each event that the client sends, a dict in the wire's shape; what it returns is
            sent back, in order.
        greeting: sent at once when the connection opens.

    Attributes:
        sent: what the client sent, in order, in the wire's shape.
        dialect: the dialect that the client connected in.
    """

    def __init__(
        self, answers: Callable[[Event], Iterable[Event]] = lambda _event: (), greeting: Iterable[Event] = ()
    ) -> None:
        self._answers = answers
        self._greeting = list(greeting)
        self._incoming: asyncio.Queue[bytes | TransportClosed] = asyncio.Queue()
        self.sent: list[Event] = []
        self.dialect: Dialect | None = None
        self.refusal: Exception | None = None

    def for_session(self, _settings: Settings, dialect: Dialect) -> ScriptedTransport:
        """Give this to `AsyncRealtimeSession(transport=...)`."""
        self.dialect = dialect
        return self

    async def open(self) -> None:
        """Connect, or refuse with `refusal` where that is set."""
        if self.refusal is not None:
            raise self.refusal
        self._incoming = asyncio.Queue()
        for event in self._greeting:
            self.say(event)

    def say(self, event: Event | bytes) -> None:
        """The server sends this now. On the loop only."""
        self._incoming.put_nowait(event if isinstance(event, bytes) else json.dumps(event).encode())

    def hang_up(self, code: int = 1006, reason: str = "") -> None:
        """The server ends the connection. On the loop only."""
        self._incoming.put_nowait(TransportClosed(code, reason))

    async def recv(self) -> bytes:
        """The next frame of the script."""
        found = await self._incoming.get()
        if isinstance(found, TransportClosed):
            raise found
        return found

    async def send(self, data: bytes) -> None:
        """Note it, and answer it."""
        event = json.loads(read_frame(data).wire())
        self.sent.append(event)
        for answer in self._answers(event):
            self.say(answer)

    async def close(self) -> None:
        """The client closes."""
        self.hang_up(1000)
