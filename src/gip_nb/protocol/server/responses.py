"""One response of the server: from `response.created` to `response.done`, a small step at a time.

A response waits until the ears have understood what it answers, asks the wits what to do, and then says it,
one 100 ms piece of audio, one word or one piece of arguments per `step`. Between two steps it can be
cancelled, and a slow peer or a set pace can hold it up. Pure, for one thread.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.protocol.server.making import Calling, Making, Speech, Writing
from gip_nb.protocol.server.memory import StoredItem, Tokens, text_tokens
from gip_nb.protocol.server.parts import Call, Prompt, Speak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.server.memory import Memory
    from gip_nb.protocol.server.outbox import Outbox
    from gip_nb.protocol.server.parts import Wish, Wits

__all__ = ["OutgoingResponse", "Request"]

_ITEM_FRAME_TOKENS = 2  # what an item costs beside its content


class Request(NamedTuple):
    """What a response was asked to be: the session's settings with the request's laid over them.

    Attributes:
        prompt: what the wits get, but for the lines, which are read when the ears have answered.
        modalities: `["audio"]` or `["text"]`.
        voice: the name of the voice that was asked for.
        speed: of the voice.
        max_output_tokens: a limit, or `inf`.
        conversation_id: of the conversation that it adds to; None for one out of band.
        metadata: comes back as it was.
        temperature: for beta's `response` object only.
        own_items: of a request with `input`, its items; else None.
        audio_format: of the speech.
    """

    prompt: Prompt
    modalities: list[str]
    voice: str
    speed: float
    max_output_tokens: int | str
    conversation_id: str | None
    metadata: dict[str, str] | None
    temperature: float | None
    own_items: tuple[StoredItem, ...] | None
    audio_format: AudioFormat

    @property
    def is_out_of_band(self) -> bool:
        """Whether it leaves the conversation alone and may run beside another response."""
        return self.conversation_id is None


class OutgoingResponse:
    """A response while it is being made.

    Args:
        request: what it was asked to be.
        outbox: what it acts with.
        memory: the conversation.
        waits_for: items whose words the ears still have to make out.
        cached: what of the input was already read by the response before.

    Attributes:
        response_id: as in its events.
        is_done: `response.done` was sent.
        audible_from_ms: how much of the user's audio there was when its first sound was sent; None before.
        input_tokens: what it had to read; known once it began to answer.
    """

    def __init__(
        self, request: Request, outbox: Outbox, memory: Memory, waits_for: set[str], cached: Tokens
    ) -> None:
        self.response_id = outbox.new_id("resp")
        self.request = request
        self.is_done = False
        self.audible_from_ms: int | None = None
        self.input_tokens = Tokens()
        self._outbox = outbox
        self._memory = memory
        self._waits_for = waits_for
        self._cached = cached
        self._output: list[StoredItem] = []
        self._spoken = Tokens()
        self._wishes: deque[Wish] | None = None
        self._now: Making | None = None
        self._audio_ms = 0  # of the items before

    # ------------------------------------------------------------------------------------------- what happens

    def begin(self) -> None:
        """Says that the response exists."""
        self._outbox.emit("response.created", response=self._resource("in_progress"))

    def heard(self, item_id: str) -> None:
        """The ears have made out this item, or never will."""
        self._waits_for.discard(item_id)

    def spoken(self, item_id: str, pcm: bytes) -> None:
        """The mouth has made the speech of an item: int16 mono, 24 000 Hz."""
        if isinstance(self._now, Speech) and self._now.item.item_id == item_id:
            self._now.take(pcm)

    def is_speaking(self, item_id: str) -> bool:
        """Whether it waits for, or is sending, the speech of an item."""
        return isinstance(self._now, Speech) and self._now.item.item_id == item_id

    @property
    def audio_ms(self) -> int:
        """How much speech was sent."""
        return self._audio_ms + (self._now.audio_ms if self._now is not None else 0)

    @property
    def tokens_used(self) -> int:
        """Read and made so far."""
        return self.input_tokens.total + self._spoken.total

    @property
    def has_more(self) -> bool:
        """Whether `step` would do something now."""
        if self.is_done or self._waits_for:
            return False
        return self._now is None or self._now.can_step

    def step(self, wits: Wits) -> None:
        """Does the next small thing; call it while `has_more`."""
        if self._wishes is None:
            self._wishes = deque(self._think(wits))
        if self._now is None:
            if self._wishes:
                self._start(self._wishes.popleft())
            else:
                self._finish("completed")
            return
        found = self._now.step(self._room())
        if found == "end":
            self._end_item("completed")
        elif found == "limit":
            self._end_item("incomplete")
            self._finish("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})

    def cancel(self, reason: str) -> None:
        """Ends it where it is: `turn_detected` or `client_cancelled`."""
        self._end_item("incomplete")
        self._finish("cancelled", {"type": "cancelled", "reason": reason})

    def fail(self, message: str) -> None:
        """Ends it because a part of this server failed."""
        self._end_item("incomplete")
        error = {"type": "server_error", "code": "server_error", "message": message}
        self._finish("failed", {"type": "failed", "error": error})

    # ------------------------------------------------------------------------------------------------- pieces

    def _items(self) -> list[StoredItem]:
        own = self.request.own_items
        made_here = set(map(id, self._output))
        return list(own) if own is not None else [item for item in self._memory if id(item) not in made_here]

    def _think(self, wits: Wits) -> Sequence[Wish]:
        items = self._items()
        prompt = self.request.prompt._replace(lines=self._memory.lines(items))
        tools = str(prompt.tools) if prompt.tools else ""
        self.input_tokens = Tokens(text_tokens(prompt.instructions) + text_tokens(tools))
        for item in items:
            self.input_tokens = self.input_tokens.plus(item.tokens()).plus(Tokens(_ITEM_FRAME_TOKENS))
        return wits(prompt)

    def _start(self, wish: Wish) -> None:
        fields: dict[str, Any] = {"id": self._outbox.new_id("item"), "object": "realtime.item"}
        if isinstance(wish, Call):
            fields |= {
                "type": "function_call",
                "status": "in_progress",
                "name": wish.name,
                "call_id": self._outbox.new_id("call"),
                "arguments": "",
            }
        else:
            fields |= {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
        item = StoredItem(fields)
        place = {"response_id": self.response_id, "item_id": item.item_id, "output_index": len(self._output)}
        self._output.append(item)
        self._outbox.emit(
            "response.output_item.added",
            response_id=self.response_id,
            output_index=place["output_index"],
            item=item.public(),
        )
        if not self.request.is_out_of_band:
            previous = self._memory.insert(item)
            self._outbox.emit("conversation.item.added", previous_item_id=previous, item=item.public())
        if isinstance(wish, Call):
            self._now = Calling(item, place, self._outbox, wish)
        elif self.request.modalities == ["text"]:
            self._now = Writing(item, place, self._outbox, wish)
        else:
            request = self.request
            self._now = Speech(item, place, self._outbox, wish, request.audio_format)
            self._outbox.ask(
                Speak(item.item_id, wish.text, request.voice, request.speed, self._users_words())
            )

    def _users_words(self) -> bytes:
        for item in reversed(self._items()):
            if item.fields.get("role") == "user":
                return b"" if item.is_silence else bytes(item.audio)
        return b""

    def _room(self) -> float:
        """How many tokens may still be made."""
        limit = self.request.max_output_tokens
        made = self._spoken.plus(self._now.tokens()) if self._now is not None else self._spoken
        return math.inf if isinstance(limit, str) else limit - made.total

    def _end_item(self, status: str) -> None:
        """The item that was being made, if any, is at its end."""
        if self._now is None:
            return
        self._now.end()
        self._spoken = self._spoken.plus(self._now.tokens())
        self._audio_ms += self._now.audio_ms
        item, self._now = self._now.item, None
        item.fields["status"] = status
        self._outbox.emit(
            "response.output_item.done",
            response_id=self.response_id,
            output_index=self._output.index(item),
            item=item.public(),
        )
        if item.item_id in self._memory:
            previous = self._memory.previous_item_id(item.item_id)
            self._outbox.emit("conversation.item.done", previous_item_id=previous, item=item.public())

    def _finish(self, status: str, details: dict[str, Any] | None = None) -> None:
        self.is_done = True
        self._outbox.emit("response.done", response=self._resource(status, details))

    def _resource(self, status: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
        request = self.request
        resource: dict[str, Any] = {
            "object": "realtime.response",
            "id": self.response_id,
            "status": status,
            "status_details": details,
            "output": [item.public() for item in self._output],
            "conversation_id": request.conversation_id,
            "output_modalities": list(request.modalities),
            "max_output_tokens": request.max_output_tokens,
            "audio": {"output": {"format": request.audio_format.as_ga(), "voice": request.voice}},
            "usage": self._usage() if status != "in_progress" else None,
            "metadata": request.metadata,
        }
        if request.temperature is not None:
            resource["temperature"] = request.temperature
        return resource

    def _usage(self) -> dict[str, Any]:
        read, made = self.input_tokens, self._spoken
        cached = Tokens(min(read.text, self._cached.text), min(read.audio, self._cached.audio))
        if self.request.own_items is not None:  # a context of its own was never read before
            cached = Tokens()
        return {
            "total_tokens": read.total + made.total,
            "input_tokens": read.total,
            "output_tokens": made.total,
            "input_token_details": {
                "text_tokens": read.text,
                "audio_tokens": read.audio,
                "image_tokens": 0,
                "cached_tokens": cached.total,
                "cached_tokens_details": {
                    "text_tokens": cached.text,
                    "audio_tokens": cached.audio,
                    "image_tokens": 0,
                },
            },
            "output_token_details": {"text_tokens": made.text, "audio_tokens": made.audio},
        }
