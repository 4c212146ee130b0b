"""Where answers are played: a page (notebook/), or nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Flushed", "NoSpeaker", "Speaker"]


class Flushed:
    """What a player had played when it was stopped.

    Attributes:
        played_samples: by item id, samples at 24 000 Hz that left the playback processor.
        output_latency_ms: from there to the ear.
    """

    def __init__(self, played_samples: Mapping[str, int], output_latency_ms: float = 0.0) -> None:
        self.played_samples = dict(played_samples)
        self.output_latency_ms = output_latency_ms


class Speaker(Protocol):
    """Plays answers. Called on the loop only; only `flush` may take time."""

    @property
    def plays(self) -> bool:
        """Whether somebody hears it and reports positions."""
        ...

    def play(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
        """Play PCM16 mono 24 000 Hz that begins at `start_sample` of its item, after all that came before."""
        ...

    def end(self, item_id: str, content_index: int, samples: int) -> None:
        """No more audio comes for this item: it has `samples` in all."""
        ...

    async def flush(self) -> Flushed:
        """Stop at once and say what was played."""
        ...


class NoSpeaker:
    """Headless: nobody listens."""

    plays = False

    def play(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
        """Nothing to do."""

    def end(self, item_id: str, content_index: int, samples: int) -> None:
        """Nothing to do."""

    async def flush(self) -> Flushed:
        """Nothing was played."""
        return Flushed({})
