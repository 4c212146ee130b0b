"""Small servers on this machine for tests of the transport, and scripts for `ScriptedTransport`."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from websockets.sync.server import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection

Event = dict[str, Any]
# What a script sends: an event, or a close code, alone or with its reason.
Said = Event | int | tuple[int, str]
GREETING: Event = {"type": "session.created", "event_id": "event_0", "session": {"id": "sess_test"}}
GREETING_GA: Event = {**GREETING, "session": {"id": "sess_test", "type": "realtime"}}


class Recorder:
    """What a server saw.

    Attributes:
        requests: the handshakes, as (path with query, headers).
        frames: the events that came, in order.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.frames: list[Event] = []


@contextmanager
def realtime_server(
    answers: Callable[[Event], Iterable[Said]] = lambda _event: (),
    *,
    greeting: Callable[[dict[str, str]], Iterable[Said]] = lambda _headers: (GREETING,),
    refuse: tuple[int, str] | Callable[[dict[str, str]], tuple[int, str] | None] | None = None,
) -> Iterator[tuple[str, Recorder]]:
    """A WebSocket server that answers events by a script; an int in the script is a close code.

    Args:
        answers: to each event of the client.
        greeting: what is said first, by the handshake's headers.
        refuse: status and body of an answer that is no WebSocket, by the handshake's headers or always.

    Yields:
        Its base URL (http, without `/realtime`) and what it saw.
    """
    seen = Recorder()

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        headers = dict(request.headers.raw_items())
        seen.requests.append((request.path, headers))
        refusal = refuse(headers) if callable(refuse) else refuse
        return connection.respond(*refusal) if refusal is not None else None

    def say(connection: ServerConnection, what: Iterable[Said]) -> bool:
        for one in what:
            if not isinstance(one, dict):
                connection.close(*(one if isinstance(one, tuple) else (one, "as the script says")))
                return False
            connection.send(json.dumps(one))
        return True

    talks: list[threading.Thread] = []

    def handle(connection: ServerConnection) -> None:
        talks.append(threading.current_thread())
        assert connection.request is not None
        if say(connection, greeting(dict(connection.request.headers.raw_items()))):
            for message in connection:
                event = json.loads(message)
                seen.frames.append(event)
                if not say(connection, answers(event)):
                    return

    with serve(handle, "127.0.0.1", 0, process_request=process_request) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}/v1", seen
        finally:
            server.shutdown()
            thread.join()
            # What was sent last may still be on its way into `frames`.
            for talk in talks:
                talk.join(2)


class Model:
    """Answers of a small model in the beta dialect: says "word 0 ... word n" in as many chunks of 100 ms.

    Args:
        chunks: of audio and text in an answer.
        stop_after: chunks after which the connection ends with this close code, as (chunks, code).
    """

    def __init__(self, chunks: int = 5, stop_after: tuple[int, int] | None = None) -> None:
        self.chunks = chunks
        self.stop_after = stop_after
        self.answers = 0
        self.items = 0

    def __call__(self, event: Event) -> Iterator[Event | int]:
        match event["type"]:
            case "session.update":
                yield {"type": "session.updated", "session": {"id": "sess_test", **event["session"]}}
            case "conversation.item.create":
                yield {"type": "conversation.item.created", "item": {**event["item"], "status": "completed"}}
            case "input_audio_buffer.commit":
                self.items += 1
                item_id = f"item_user{self.items}"
                yield {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None}
                item = {
                    "id": item_id,
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_audio"}],
                }
                yield {"type": "conversation.item.created", "item": item}
            case "conversation.item.delete":
                yield {"type": "conversation.item.deleted", "item_id": event["item_id"]}
            case "response.create":
                yield from self.answer()

    def answer(self) -> Iterator[Event | int]:
        """One response, whole or cut."""
        self.answers += 1
        ids = {"response_id": f"resp_{self.answers}", "item_id": f"item_{self.answers}"}
        yield {"type": "response.created", "response": {"id": ids["response_id"], "status": "in_progress"}}
        item = {"id": ids["item_id"], "type": "message", "role": "assistant", "content": []}
        yield {"type": "response.output_item.added", "response_id": ids["response_id"], "item": item}
        for chunk in range(self.chunks):
            if self.stop_after is not None and chunk == self.stop_after[0]:
                yield self.stop_after[1]
                return
            yield {
                "type": "response.audio_transcript.delta",
                **ids,
                "content_index": 0,
                "delta": f"word {chunk} ",
            }
            pcm = bytes([chunk, 0]) * 2400
            yield {
                "type": "response.audio.delta",
                **ids,
                "content_index": 0,
                "delta": base64.b64encode(pcm).decode(),
            }
        yield {"type": "response.audio.done", **ids, "content_index": 0}
        yield {
            "type": "response.done",
            "response": {
                "id": ids["response_id"],
                "status": "completed",
                "output": [{**item, "status": "completed"}],
                "usage": {"total_tokens": 12, "input_tokens": 5, "output_tokens": 7},
            },
        }


class Choosy(Model):
    """Refuses the voice "nobody", ignores "quiet" (its own is "alloy"), and takes all others."""

    def __call__(self, event: Event) -> Iterator[Event | int]:
        if event["type"] != "session.update":
            yield from super().__call__(event)
            return
        session = event["session"]
        voice = session.get("voice")
        if voice == "nobody":
            said = {"message": "Invalid value: 'nobody'.", "code": "invalid_value"}
            yield {"type": "error", "error": {**said, "event_id": event["event_id"]}}
            return
        told = {"id": "sess_test", **session, "voice": "alloy" if voice in {None, "quiet"} else voice}
        yield {"type": "session.updated", "session": told}
