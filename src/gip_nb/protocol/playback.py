"""What the user has heard of the answers: the player's reports, and what an interruption leaves in memory.

Pure. Generated is what the server sent, delivered what went to a player, heard what came out of it. After an
interruption the server's memory is cut to what was heard: an answer of which nothing was heard is deleted,
one that was heard in part is truncated, never beyond the audio that was received. A server that was given an
answer again, as text, after a lost connection has no audio to cut: it is given the words that were heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.protocol.audio_formats import Decoder
from gip_nb.protocol.history import heard_again
from gip_nb.protocol.items import SAMPLES_PER_MS
from gip_nb.protocol.outputs import Flush, ItemChanged, Play, PlayEnd
from gip_nb.protocol.requests import item_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gip_nb.protocol.conversation import Conversation, Item, Response
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Output

__all__ = ["Playback"]


class Playback:
    """The player's side of one session.

    Args:
        conversation: what the events told.
        emit: takes what the shell is to do.
        send: sends a canonical client event, with its request where that names an item.
    """

    def __init__(
        self,
        conversation: Conversation,
        emit: Callable[[Output], None],
        send: Callable[..., object],
    ) -> None:
        self._conversation = conversation
        self._emit = emit
        self._send = send
        self._playing: set[str] = set()
        # Items that were given to a player: only of these can something be left to hear.
        self._handed: set[str] = set()
        self._muted_responses: set[str] = set()
        # Responses of which nothing more is played than came before they were let go.
        self._let_go: set[str] = set()
        # Of these: how much of an item is played, where the server has more.
        self._longer_than_played: dict[str, int] = {}
        self._cut: list[str] = []
        self._delete_when_done: dict[str, list[str]] = {}
        # Of items that are being received: their decoder, and how much of them was given to the player.
        self._decoders: dict[str, Decoder] = {}
        self._given_samples: dict[str, int] = {}

    @property
    def is_sounding(self) -> bool:
        """Whether the player says that it plays."""
        return bool(self._playing)

    @property
    def cut_items(self) -> tuple[str, ...]:
        """The items whose playback was cut by a `Flush` that the player has not answered yet."""
        return tuple(self._cut)

    @property
    def items(self) -> tuple[str, ...]:
        """The items that the player is at, or has still to play."""
        items = self._conversation.items
        return tuple(
            i
            for r in self._conversation.responses.values()
            if r.response_id not in self._muted_responses
            for i in r.item_ids
            if i in items and self._still_to_hear(items[i], r)
        )

    def _still_to_hear(self, item: Item, response: Response) -> bool:
        if not item.generated_samples or item.interrupted or item.deleted:
            return False
        if response.active:
            return True
        return item.item_id in self._handed and (item.played_samples or 0) < item.generated_samples

    def was_handed(self, item_id: str) -> bool:
        """Whether the item was given to a player. One that was not counts as heard when it was received."""
        return item_id in self._handed

    # ---- answers come --------------------------------------------------------------------------------------

    def receive(self, event: Event, *, player: bool) -> None:
        """A piece of an answer's audio, in the wire's format."""
        item = self._conversation.items.get(event.item_id or "")
        if item is None or not event.audio:
            return
        if player:
            self._handed.add(item.item_id)
        response_id = item.response_id or ""
        if response_id in self._muted_responses or response_id in self._let_go:
            return
        if item.item_id not in self._decoders:
            self._emit(ItemChanged(item.item_id))
            if item.audio_bytes == len(event.audio):
                # Its first: one of an earlier connection may have borne this id.
                self._given_samples.pop(item.item_id, None)
            self._decoders[item.item_id] = Decoder(self._conversation.answer_format(item.item_id))
        self._play(item, self._decoders[item.item_id].decode(event.audio))

    def receive_end(self, event: Event) -> None:
        """No more audio comes for this item."""
        item = self._conversation.items.get(event.item_id or "")
        if item is not None:
            self._end(item)

    def _end(self, item: Item) -> None:
        decoder = self._decoders.pop(item.item_id, None)
        if decoder is not None and (item.response_id or "") not in self._muted_responses:
            self._play(item, decoder.flush())
            self._emit(PlayEnd(item.item_id, item.audio_index, item.generated_samples))

    def _play(self, item: Item, pcm: bytes) -> None:
        start = self._given_samples.get(item.item_id, 0)
        if pcm:
            self._given_samples[item.item_id] = start + len(pcm) // 2
            self._emit(Play(item.item_id, item.audio_index, start, pcm))

    # ---- what the player says ------------------------------------------------------------------------------

    def report(self, event: Event) -> None:
        """The player's own row (`local.playback.*`), as it was logged."""
        item_id = event.item_id
        if item_id is None:
            return
        if event.type == "local.playback.ended":
            self._playing.discard(item_id)
            end_ms = self._longer_than_played.pop(item_id, None)
            if end_ms is not None and not self._conversation.items[item_id].playback_cut:
                self._truncate(self._conversation.items[item_id], end_ms)
        elif item_id not in self._cut and self._may_play(item_id):
            self._playing.add(item_id)
        self._conversation.apply(event, "local")

    def _may_play(self, item_id: str) -> bool:
        """Whether there is such an item and it was not stopped: a report may come late."""
        item = self._conversation.items.get(item_id)
        return item is not None and not item.playback_cut

    def stopped(self, rows: Iterable[Event]) -> None:
        """The player stopped for good: note what was heard, and tell nobody."""
        self._playing.clear()
        for row in rows:
            self._conversation.apply(row, "local")

    def flushed(self, rows: Iterable[Event]) -> None:
        """The player stopped: settle each item that was cut, so that the model remembers only what was heard.

        Args:
            rows: `local.playback.flushed`, one for each of `cut_items`, with `played_samples` (what left the
                playback processor) and `output_latency_ms` (how long a sample takes from there to the ear).
        """
        self._playing.clear()
        self._cut.clear()
        for row in rows:
            self._conversation.apply(row, "local")
            item = self._conversation.items.get(row.item_id or "")
            if item is not None and not item.deleted:
                self._settle(item)
                self._emit(ItemChanged(item.item_id))

    def _settle(self, item: Item) -> None:
        response = self._conversation.responses.get(item.response_id or "")
        if not item.generated_samples or not item.playback_cut:
            return
        if response is not None and response.beside:
            # It is in no conversation: there is nothing to forget.
            return
        if item.connection != self._conversation.connection:
            # Of a connection that is gone: this server was given its words, and has no audio to cut.
            self._settle_older(item)
            return
        # Less than a millisecond is no position to truncate at.
        if item.heard_ms is None or item.heard_ms < 1:
            # Deleting an item that is still being written is an error at some servers: wait for its
            # response's end.
            if response is not None and response.active:
                self._delete_when_done.setdefault(response.response_id, []).append(item.item_id)
            else:
                self._send({"type": "conversation.item.delete", "item_id": item.item_id})
            return
        # Rounded down: a position beyond the audio is refused.
        self._truncate(item, int(item.heard_ms))

    def _settle_older(self, item: Item) -> None:
        given = self._conversation.words_given_again(item.item_id)
        heard = heard_again(self._conversation, item)
        if given is None or (heard is not None and heard.words == given):
            return
        self._send({"type": "conversation.item.delete", "item_id": item.item_id})
        if heard is not None:
            # By the same id and at the same place: it is the same item, and goes on being one in the log.
            self._send(heard.event, item_request(heard.event))

    # ---- interruption --------------------------------------------------------------------------------------

    def cut(self, active: str | None) -> bool:
        """Stop what is played or still to be played. Returns whether there is anything.

        Args:
            active: the response that is being generated: what still comes of it is not played.
        """
        audible = self.items
        for item_id in audible:
            response_id = self._conversation.items[item_id].response_id
            if response_id is not None:
                self._muted_responses.add(response_id)
        if active is not None:
            self._muted_responses.add(active)
        if audible:
            self._cut.extend(audible)
            self._emit(Flush())
        return bool(audible)

    def mute(self, response_id: str) -> None:
        """Nothing of this response is played."""
        self._muted_responses.add(response_id)

    def let_go(self, response: Response) -> None:
        """No more is waited for of this response: what came of it is played to its end, and nothing after."""
        for item_id in response.item_ids:
            self._end(self._conversation.items[item_id])
        self._let_go.add(response.response_id)

    def done_after_all(self, response: Response) -> None:
        """One that was let go has ended: what came of it since was not played, and is forgotten."""
        for item_id in self._delete_when_done.pop(response.response_id, []):
            self._send({"type": "conversation.item.delete", "item_id": item_id})
        for item in (self._conversation.items[i] for i in response.item_ids):
            given_ms = self._given_samples.get(item.item_id, 0) // SAMPLES_PER_MS
            if item.deleted or item.playback_cut or item.generated_samples // SAMPLES_PER_MS <= given_ms:
                continue
            if not given_ms:
                self._send({"type": "conversation.item.delete", "item_id": item.item_id})
            elif item.item_id in self._handed and (item.played_samples or 0) // SAMPLES_PER_MS < given_ms:
                # It is still being played: the user may yet cut it short.
                self._longer_than_played[item.item_id] = given_ms
            else:
                self._truncate(item, given_ms)

    def _truncate(self, item: Item, audio_end_ms: int) -> None:
        self._send(
            {
                "type": "conversation.item.truncate",
                "item_id": item.item_id,
                "content_index": item.audio_index,
                "audio_end_ms": audio_end_ms,
            }
        )

    def is_muted(self, response_id: str) -> bool:
        """Whether it was interrupted: nothing more of it is played."""
        return response_id in self._muted_responses

    def connection_lost(self) -> None:
        """No more comes of any answer: the player plays what it has, and is told that this is the end."""
        for item_id in list(self._decoders):
            self._end(self._conversation.items[item_id])
        self._delete_when_done.clear()
        # Those that are over are not heard of again; another server may use their ids anew.
        responses = self._conversation.responses.values()
        held = {r.response_id for r in responses if any(self._is_held_back(i, r) for i in r.item_ids)}
        self._muted_responses &= held
        self._let_go.clear()

    def _is_held_back(self, item_id: str, response: Response) -> bool:
        """Whether there is sound of it that would be played, were its response not muted."""
        item = self._conversation.items.get(item_id)
        return item is not None and self._still_to_hear(item, response)

    def response_done(self, response: Response) -> None:
        """A response has ended: what its interruption has left undone is done now."""
        for item_id in response.item_ids:
            # Some servers never say that the audio is done.
            self._end(self._conversation.items[item_id])
        for item_id in self._delete_when_done.pop(response.response_id, []):
            self._send({"type": "conversation.item.delete", "item_id": item_id})
        # What came of it after the player was stopped was never heard.
        items = self._conversation.items
        late = [
            i
            for i in response.item_ids
            if i in self._handed and i not in self._cut and not items[i].playback_cut and not items[i].deleted
        ]
        if late and response.response_id in self._muted_responses:
            self._cut.extend(late)
            self._emit(Flush())
