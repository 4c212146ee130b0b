"""Servers in memory, for tests that need no socket and want to say what arrives together."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from gip_nb.errors import ConnectionRefused
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import ScriptedTransport, session_created
from tests.sim.session.verbs import KEY, MODELS, Heard, on_the_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.settings import Settings
    from gip_nb.session.transport import Transport
    from gip_nb.testing import Event


def willing_server(**session: Any) -> ScriptedTransport:
    """Greets, and confirms settings."""

    def answers(event: Event) -> Iterable[Event]:
        if event["type"] == "session.update":
            yield {"type": "session.updated", "event_id": "e", "session": event["session"]}
        elif event["type"] == "input_audio_buffer.clear":
            yield {"type": "input_audio_buffer.cleared", "event_id": "e"}

    return ScriptedTransport(answers, greeting=[session_created(**session)])


@asynccontextmanager
async def talks(*servers: ScriptedTransport, **policy: Any) -> AsyncIterator[AsyncRealtimeSession]:
    """A session whose first connection is to the first of these, and so on; connected."""
    there = iter(servers)

    def next_one(_settings: Settings, _dialect: Dialect) -> Transport:
        found = next(there, None)
        if found is None:
            found = ScriptedTransport()
            found.refusal = ConnectionRefused("nobody is left", "go home", 503)
        return found

    settings = resolve(
        MODELS["ga"],
        base_url="http://nowhere.invalid/v1",
        api_key=KEY,
        environment={},
        reconnect={"first_wait_s": 0.0, "attempts": 3, **policy},
    )
    async with AsyncRealtimeSession(settings, transport=next_one, listener=Heard()) as session:
        yield session


async def until(holds: Callable[[], object]) -> None:
    """Wait until this holds, on the loop of the sessions."""
    async with asyncio.timeout(10):
        while True:
            if await on_the_loop(holds):
                return
            await asyncio.sleep(0.002)


def rows(session: AsyncRealtimeSession, kind: str) -> list[dict[str, Any]]:
    """What the log's rows of this type say."""
    return [session.log.payload(n) for n, row in enumerate(session.log.rows) if row.type == kind]
