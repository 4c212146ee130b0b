"""One response of the server: from `response.created` to `response.done`, a small step at a time.

A response waits until the ears have understood what it answers, asks the wits what to do, and then says it,
one 100 ms piece of audio, one word or one piece of arguments per `step`. Between two steps it can be
cancelled, and a slow peer or a set pace can hold it up. Pure, for one thread.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.protocol.server.memory import (
    BYTES_PER_MS,
    StoredItem,
    Tokens,
    Word,
    answer_audio_tokens,
    text_tokens,
)
from gip_nb.protocol.server.parts import Call, Prompt, Speak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gip_nb.protocol.server.memory import Memory
    from gip_nb.protocol.server.outbox import Outbox
    from gip_nb.protocol.server.parts import Say, Wish, Wits

__all__ = ["OutgoingResponse", "Request"]

DELTA_MS = 100
_DELTA_BYTES = DELTA_MS * BYTES_PER_MS
_ARGUMENT_CHARACTERS = 12  # per delta
_WORDS = re.compile(r"\s*\S+")
_ITEM_FRAME_TOKENS = 2  # what an item costs beside its content


class Request(NamedTuple):
    """What a response was asked to be: the session's settings with the request's laid over them.

    Attributes:
        prompt: what the wits get, but for the lines, which are read when the ears have answered.
        modalities: `["audio"]` or `["text"]`.
        voice: the voice that was asked for, in the API's shape.
        speed: of the voice.
        max_output_tokens: a limit, or `inf`.
        conversation_id: of the conversation that it adds to; None for one out of band.
        metadata: comes back as it was.
        temperature: for beta's `response` object only.
        own_items: of a request with `input`, its items; else None.
        voice_format: of the audio, in the API's shape.
    """

    prompt: Prompt
    modalities: list[str]
    voice: Any
    speed: float
    max_output_tokens: int | str
    conversation_id: str | None
    metadata: dict[str, str] | None
    temperature: float | None
    own_items: tuple[StoredItem, ...] | None
    voice_format: dict[str, Any]

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
        input_tokens: what it had to read; known once it began to answer.
    """

    def __init__(
        self, request: Request, outbox: Outbox, memory: Memory, waits_for: set[str], cached: Tokens
    ) -> None:
        self.response_id = outbox.new_id("resp")
        self.request = request
        self.is_done = False
        self.input_tokens = Tokens()
        self._outbox = outbox
        self._memory = memory
        self._waits_for = waits_for
        self._cached = cached
        self._output: list[StoredItem] = []
        self._spoken = Tokens()
        self._wishes: deque[Wish] | None = None
        self._now: _Speech | _Writing | _Calling | None = None

    # ------------------------------------------------------------------------------------------- what happens

    def begin(self) -> None:
        """Says that the response exists."""
        self._outbox.emit("response.created", response=self._resource("in_progress"))

    def heard(self, item_id: str) -> None:
        """The ears have made out this item, or never will."""
        self._waits_for.discard(item_id)

    def spoken(self, item_id: str, pcm: bytes) -> None:
        """The mouth has made the speech of an item: int16 mono, 24 000 Hz."""
        if isinstance(self._now, _Speech) and self._now.item.item_id == item_id:
            self._now.audio = pcm

    def is_speaking(self, item_id: str) -> bool:
        """Whether it waits for, or is sending, the speech of an item."""
        return isinstance(self._now, _Speech) and self._now.item.item_id == item_id

    @property
    def tokens_used(self) -> int:
        """Read and made so far."""
        return self.input_tokens.total + self._spoken.total

    @property
    def has_more(self) -> bool:
        """Whether `step` would do something now."""
        if self.is_done or self._waits_for:
            return False
        return not (isinstance(self._now, _Speech) and self._now.audio is None)

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
        if self._over_limit():
            self._now.end("incomplete")
            self._remember("incomplete")
            self._finish("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
        elif not self._now.step():
            self._now.end("completed")
            self._remember("completed")

    def cancel(self, reason: str) -> None:
        """Ends it where it is: `turn_detected` or `client_cancelled`."""
        if self._now is not None:
            self._now.end("incomplete")
            self._remember("incomplete")
        self._finish("cancelled", {"type": "cancelled", "reason": reason})

    def fail(self, message: str) -> None:
        """Ends it because a part of this server failed."""
        if self._now is not None:
            self._now.end("incomplete")
            self._remember("incomplete")
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
            self._now = _Calling(item, place, self._outbox, wish)
        elif self.request.modalities == ["text"]:
            self._now = _Writing(item, place, self._outbox, wish)
        else:
            self._now = _Speech(item, place, self._outbox, wish)
            self._outbox.ask(
                Speak(
                    item.item_id,
                    wish.text,
                    self.request.voice
                    if isinstance(self.request.voice, str)
                    else str(self.request.voice.get("id")),
                    self.request.speed,
                    self._users_words(),
                )
            )

    def _users_words(self) -> bytes:
        for item in reversed(self._items()):
            if item.fields.get("role") == "user":
                return bytes(item.audio)
        return b""

    def _over_limit(self) -> bool:
        limit = self.request.max_output_tokens
        if self._now is None or isinstance(limit, str):
            return False
        return self._spoken.plus(self._now.tokens()).total >= limit

    def _remember(self, status: str) -> None:
        """The item that was being made is at its end."""
        if self._now is None:
            return
        item, self._now = self._now.item, None
        self._spoken = self._spoken.plus(_made(item))
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
            "audio": {"output": {"format": dict(request.voice_format), "voice": request.voice}},
            "usage": self._usage() if status != "in_progress" else None,
            "metadata": request.metadata,
        }
        if request.temperature is not None:
            resource["temperature"] = request.temperature
        return resource

    def _usage(self) -> dict[str, Any]:
        read, made = self.input_tokens, self._spoken
        cached = Tokens(min(read.text, self._cached.text), min(read.audio, self._cached.audio))
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


def _made(item: StoredItem) -> Tokens:
    """What it cost to make an item."""
    text = item.words_of_content() + str(item.fields.get("arguments", ""))
    return Tokens(text_tokens(text), answer_audio_tokens(item.audio_ms))


# ----------------------------------------------------------------------------------------- one item of output


class _Making:
    """An item while it is being made; its `step` says whether there was something left to do."""

    def __init__(self, item: StoredItem, place: dict[str, Any], outbox: Outbox) -> None:
        self.item = item
        self._place = place
        self._outbox = outbox

    def _emit(self, event: str, **fields: object) -> None:
        self._outbox.emit(event, **self._place, **fields)

    def tokens(self) -> Tokens:
        return _made(self.item)


class _Speech(_Making):
    """Words that are spoken: transcript deltas word by word, spread over the audio."""

    def __init__(self, item: StoredItem, place: dict[str, Any], outbox: Outbox, wish: Say) -> None:
        super().__init__(item, {**place, "content_index": 0}, outbox)
        self.audio: bytes | None = None
        self.sent_bytes = 0
        self._words = deque(_WORDS.findall(wish.text))
        self._characters = sum(map(len, self._words)) or 1
        self._said = ""
        item.fields["content"] = [{"type": "output_audio", "transcript": ""}]
        self._emit("response.content_part.added", part={"type": "audio", "transcript": ""})

    def step(self) -> bool:
        audio = self.audio or b""
        if self.sent_bytes >= len(audio):
            if self._words:  # speech that is shorter than its words, or none at all
                self._say("".join(self._words), len(audio) / BYTES_PER_MS)
                self._words.clear()
            return False
        piece = audio[self.sent_bytes : self.sent_bytes + _DELTA_BYTES]
        self.sent_bytes += len(piece)
        while self._words and self._word_starts_at_byte(len(audio)) < self.sent_bytes:
            word = self._words.popleft()
            self._say(word, (len(self._said) + len(word)) / self._characters * len(audio) / BYTES_PER_MS)
        self._emit("response.output_audio.delta", delta=piece)
        if not self.item.is_cut:
            self.item.audio += piece
        return True

    def _word_starts_at_byte(self, audio_bytes: int) -> float:
        return len(self._said) / self._characters * audio_bytes

    def _say(self, word: str, end_ms: float) -> None:
        self._said += word
        self._emit("response.output_audio_transcript.delta", delta=word)
        if not self.item.is_cut:
            self.item.words.append(Word(word, end_ms))
            self.item.content[0]["transcript"] = self._said

    def end(self, status: str) -> None:
        del status  # the same events, however it ends
        self._emit("response.output_audio.done")
        self._emit("response.output_audio_transcript.done", transcript=self._said)
        self._emit("response.content_part.done", part={"type": "audio", "transcript": self._said})


class _Writing(_Making):
    """Words that are written, one per step."""

    def __init__(self, item: StoredItem, place: dict[str, Any], outbox: Outbox, wish: Say) -> None:
        super().__init__(item, {**place, "content_index": 0}, outbox)
        self._words = deque(_WORDS.findall(wish.text))
        item.fields["content"] = [{"type": "output_text", "text": ""}]
        self._emit("response.content_part.added", part={"type": "text", "text": ""})

    def step(self) -> bool:
        if not self._words:
            return False
        word = self._words.popleft()
        self._emit("response.output_text.delta", delta=word)
        self.item.content[0]["text"] += word
        return True

    def end(self, status: str) -> None:
        del status  # the same events, however it ends
        text = self.item.content[0]["text"]
        self._emit("response.output_text.done", text=text)
        self._emit("response.content_part.done", part={"type": "text", "text": text})


class _Calling(_Making):
    """A tool call, its arguments streamed."""

    def __init__(self, item: StoredItem, place: dict[str, Any], outbox: Outbox, wish: Call) -> None:
        super().__init__(item, {**place, "call_id": item.fields["call_id"]}, outbox)
        self._rest = wish.arguments

    def step(self) -> bool:
        if not self._rest:
            return False
        piece, self._rest = self._rest[:_ARGUMENT_CHARACTERS], self._rest[_ARGUMENT_CHARACTERS:]
        self._emit("response.function_call_arguments.delta", delta=piece)
        self.item.fields["arguments"] += piece
        return True

    def end(self, status: str) -> None:
        if status == "completed":  # a call that was cut off has no arguments to act on
            self._emit(
                "response.function_call_arguments.done",
                name=self.item.fields["name"],
                arguments=self.item.fields["arguments"],
            )
