"""The answers of one session on their way to its speaker, and what was heard of them. On the loop only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.protocol import outputs
from gip_nb.session.speaker import Flushed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from gip_nb.journal.log import EventLog
    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.frames import Event
    from gip_nb.session.speaker import Speaker
    from gip_nb.session.waits import Waits

__all__ = ["Host", "Playing"]

_FLUSH_TIMEOUT_S = 1.0


class Host(Protocol):
    """What a session lets its player do."""

    log: EventLog
    protocol: ClientProtocol

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> object:
        """Run a coroutine on the loop."""
        ...


class Playing:
    """Hands answers to the speaker, stops it, and tells the protocol how far it was.

    Args:
        speaker: who plays them.
        host: the session.
        waits: who waits for its rows.
        pump: does what the protocol says.
    """

    def __init__(self, speaker: Speaker, host: Host, waits: Waits, pump: Callable[[], None]) -> None:
        self._speaker = speaker
        self._host = host
        self._waits = waits
        self._pump = pump

    @property
    def plays(self) -> bool:
        """Whether somebody hears it and reports positions."""
        return self._speaker.plays

    def perform(self, output: outputs.Play | outputs.PlayEnd | outputs.Flush) -> None:
        """Do what the protocol says."""
        match output:
            case outputs.Play(item_id, content_index, start_sample, audio):
                self._speaker.play(item_id, content_index, start_sample, audio)
            case outputs.PlayEnd(item_id, content_index, samples):
                self._speaker.end(item_id, content_index, samples)
            case outputs.Flush():
                self._host.start(self._flush())

    async def _flush(self) -> None:
        protocol = self._host.protocol
        stopped = await self._stopped(protocol.cut_items)
        protocol.flushed([self._note(item_id, stopped) for item_id in protocol.cut_items])
        self._pump()

    async def end(self) -> None:
        """At the end of a talk: how far the answer was played is a row; the server is not told any more."""
        protocol = self._host.protocol
        playing = protocol.playing_items
        if playing:
            stopped = await self._stopped(playing)
            protocol.stopped([self._note(item_id, stopped) for item_id in playing])

    def _note(self, item_id: str, stopped: Flushed) -> Event:
        protocol = self._host.protocol
        item = protocol.conversation.items[item_id]
        # A page that took over counts from where it began: it may not have come to that yet.
        played_samples = max(stopped.played_samples.get(item_id, 0), item.played_samples or 0)
        if not protocol.has_player(item_id):
            played_samples = item.generated_samples
        _, event = self._host.log.local(
            "playback.flushed",
            item_id=item_id,
            played_samples=played_samples,
            output_latency_ms=stopped.output_latency_ms,
        )
        self._waits.tell(event)
        return event

    async def _stopped(self, item_ids: tuple[str, ...]) -> Flushed:
        try:
            return await asyncio.wait_for(self._speaker.flush(), _FLUSH_TIMEOUT_S)
        except TimeoutError:
            # A page that does not answer: what it said last is the most that is known to have been heard.
            items = self._host.protocol.conversation.items
            return Flushed({i: items[i].played_samples or 0 for i in item_ids if i in items})
