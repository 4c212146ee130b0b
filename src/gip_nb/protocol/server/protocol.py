"""The server's end of the Realtime protocol: frames in, frames and jobs out. Pure; rehearsal/ is its shell.

One `ServerProtocol` serves one connection, in either dialect, canonical inside. It has no clock, no socket
and no thread: ids, wits and the detector of voice are arguments, and hearing and speaking are *jobs* whose
results are fed back. What drives it:

    protocol.receive(frame)             a frame came in
    protocol.listen_more()              while true: a long append is taken in bit by bit
    protocol.jobs() -> [Job]            to be run; Listen, Understand and Forget strictly in this order
    protocol.heard(...), .spoken(...)   a job's result
    protocol.advance()                  while `has_more`: one more small piece of an answer
    protocol.expire()                   the session has lasted as long as it may
    protocol.frames() -> [SentFrame]    to be sent, in this order

All calls from one thread at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.protocol.audio_formats import format_of
from gip_nb.protocol.server.input import Committed, InputAudio, TimedOut, TurnBegan, ears_pcm
from gip_nb.protocol.server.items import audio_from_base64, stored_item
from gip_nb.protocol.server.limits import rate_limits
from gip_nb.protocol.server.memory import Memory, StoredItem, Tokens
from gip_nb.protocol.server.outbox import Outbox, SentFrame
from gip_nb.protocol.server.parts import Forget, Listen, Refused, Understand
from gip_nb.protocol.server.reading import UNREADABLE, ReceivedFrame, read_frame, received_frame
from gip_nb.protocol.server.requests import checked_request, response_request
from gip_nb.protocol.server.responses import OutgoingResponse
from gip_nb.protocol.server.session import (
    check_voice_stays,
    default_session,
    updated_session,
    voice_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.events import Dialect, Event
    from gip_nb.protocol.server.input import Found, TurnEnded
    from gip_nb.protocol.server.parts import Job, MakeVoiceDetector, Wits

__all__ = ["ReceivedFrame", "SentFrame", "ServerProtocol"]

_MOST_APPEND_BYTES = 15 * 1024 * 1024


class _Unheard(NamedTuple):
    """An item that the ears are at, and whether the client wants its transcript."""

    item: StoredItem
    is_wanted: bool


class ServerProtocol:
    """The server's side of one connection.

    Args:
        dialect: that the handshake asked for.
        model: that the query named; it is shown in the session and means nothing else.
        new_id: makes a fresh id, given its prefix (`sess`, `event`, `item`, ...).
        wits: decide what to answer.
        make_detector: makes a voice detector of an aggressiveness, 0 to 3.
        expires_at: when the session will end, Unix time in seconds, for the session to show; None where it
            does not end.

    Attributes:
        session_id: the id in `session.created`, which is the first frame and is there from the start.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        model: str,
        new_id: Callable[[str], str],
        wits: Wits,
        make_detector: MakeVoiceDetector,
        expires_at: int | None = None,
    ) -> None:
        self._dialect = dialect
        self._new_id = new_id
        self._wits = wits
        self.session_id = new_id("sess")
        self._conversation_id = new_id("conv")
        self._session = default_session(self.session_id, model, dialect, expires_at)
        self._memory = Memory()
        self._outbox = Outbox(dialect, new_id)
        self._input = InputAudio(self._outbox.ask, lambda: new_id("item"), make_detector)
        self._input.configure(self._session["audio"]["input"]["turn_detection"])
        self._appending: Iterator[Found | None] | None = None
        self._unheard: dict[str, _Unheard] = {}
        self._expired: str | None = None  # and why
        self._responses: dict[str, OutgoingResponse] = {}
        self._response_count = 0
        self._tokens_used = 0
        self._read_before = Tokens()
        self._has_spoken = False
        self._requests: dict[str, Callable[[Event], None]] = {
            "conversation.item.create": self._create_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.truncate": self._truncate_item,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.clear": self._clear,
            "input_audio_buffer.commit": self._commit,
            "output_audio_buffer.clear": self._clear_output,
            "response.cancel": self._cancel_response,
            "response.create": self._create_response,
            "session.update": self._update_session,
        }
        self._outbox.emit("session.created", session=self._session)

    # ------------------------------------------------------------------------------------------ for the shell

    def receive(self, data: str | bytes) -> ReceivedFrame:
        """Takes a frame. Whatever is in it, the answer is at worst an `error` event.

        Args:
            data: of a text frame the text, of a binary frame the bytes.

        Returns:
            What it was, for the log.
        """
        while self.listen_more():
            pass
        event, event_id, problem = read_frame(data)
        if event is None:
            self._outbox.refuse(Refused("invalid_event", problem, "type"), event_id)
            return UNREADABLE
        received = received_frame(event, self._input_format)
        try:
            self._check_time()
            canonical = checked_request(event, self._dialect)
            self._requests[canonical["type"]](canonical)
        except Refused as refused:
            self._outbox.refuse(refused, event_id)
        return received

    def listen_more(self) -> bool:
        """Takes in more of a long append; true while there may be more of it."""
        if self._appending is None:
            return False
        try:
            found = next(self._appending)
        except StopIteration:
            self._appending = None
            return False
        if found is not None:
            self._take(found)
        return True

    def jobs(self) -> list[Job]:
        """Hands over the jobs that came up since the last call."""
        return self._outbox.take_jobs()

    def frames(self) -> list[SentFrame]:
        """Hands over the frames that came up since the last call."""
        return self._outbox.take_frames()

    @property
    def unsent_frames(self) -> int:
        """How many frames wait to be handed over."""
        return self._outbox.unsent_frames

    def heard(self, item_id: str, transcript: str | None, why: str = "") -> None:
        """The result of an `Understand`.

        Args:
            item_id: as in the job.
            transcript: the words; None where none could be made out.
            why: with None: an error, or empty where there simply are no ears and the user spoke for some
                time.
        """
        unheard = self._unheard.pop(item_id, None)
        if unheard is None:
            return  # deleted meanwhile, or told twice
        item, is_wanted = unheard
        said = transcript
        if said is None and not why:
            said = f"(you spoke for {item.speech_ms / 1000:.1f} s)" if item.speech_ms else ""
        else:
            item.speech_ms = 0
        if is_wanted:
            self._transcribe(item, said, why)
        else:
            item.transcript = said
        self._answer_without(item_id)

    def _answer_without(self, item_id: str) -> None:
        """Nobody has to wait for the words of this item any more."""
        for response in self._responses.values():
            response.heard(item_id)

    def spoken(self, item_id: str, pcm: bytes) -> None:
        """The result of a `Speak`: int16 mono, 24 000 Hz."""
        for response in self._responses.values():
            response.spoken(item_id, pcm)

    def not_spoken(self, item_id: str, why: str) -> None:
        """A `Speak` that failed: its response fails."""
        for response in list(self._responses.values()):
            if response.is_speaking(item_id):
                response.fail(why)
                self._let_go(response)

    @property
    def has_more(self) -> bool:
        """Whether there is an answer that `advance` would send more of."""
        return any(response.has_more for response in self._responses.values())

    def advance(self) -> None:
        """Sends a little more of every answer that is being given: at most 100 ms of audio each."""
        for response in list(self._responses.values()):
            if response.has_more:
                response.step(self._wits)
                if response.audio_ms and response.audible_from_ms is None:
                    response.audible_from_ms = self._input.position_ms
                    self._has_spoken = True
                if response.is_done:
                    self._let_go(response)

    def expire(self, reason: str) -> None:
        """The session has lasted as long as it may: says so, and does nothing more.

        Args:
            reason: the error's message.
        """
        self._expired = reason
        self._appending = None
        self._responses.clear()
        self._unheard.clear()
        self._outbox.refuse(Refused("session_expired", reason), None)

    def _check_time(self) -> None:
        if self._expired is not None:
            raise Refused("session_expired", self._expired)

    # ------------------------------------------------------------------------------------------------ session

    def _update_session(self, event: Event) -> None:
        before = self._session
        after = updated_session(before, event["session"])
        if self._has_spoken:
            check_voice_stays(before, voice_of(after), "session.audio.output.voice")
        self._session = after
        turn_detection = after["audio"]["input"]["turn_detection"]
        if turn_detection != before["audio"]["input"]["turn_detection"]:
            self._input.configure(turn_detection)
        self._input.set_format(self._input_format)
        self._outbox.emit("session.updated", session=after)

    @property
    def _input_format(self) -> AudioFormat:
        return format_of(self._session["audio"]["input"]["format"])

    # ------------------------------------------------------------------------------------------- input audio

    def _append(self, event: Event) -> None:
        data = audio_from_base64(event["audio"], "audio", self._input_format)
        if len(data) > _MOST_APPEND_BYTES:
            raise Refused(
                "string_above_max_length",
                f"Invalid 'audio': {len(data)} bytes in one append; at most {_MOST_APPEND_BYTES} are taken.",
                "audio",
            )
        self._appending = self._input.append(data)
        self.listen_more()

    def _clear(self, _: Event) -> None:
        self._input.clear()
        self._outbox.emit("input_audio_buffer.cleared")

    def _commit(self, _: Event) -> None:
        for found in self._input.settle():
            self._take(found)
        self._add_spoken(self._input.commit())

    def _take(self, found: Found) -> None:
        if isinstance(found, TurnBegan):
            self._begin_turn(found)
        elif isinstance(found, TimedOut):
            self._time_out(found)
        else:
            self._end_turn(found)

    def _begin_turn(self, turn: TurnBegan) -> None:
        self._outbox.emit(
            "input_audio_buffer.speech_started", item_id=turn.item_id, audio_start_ms=turn.audio_start_ms
        )
        active = self._active
        if active is not None and self._turn_detection("interrupt_response"):
            active.cancel("turn_detected")
            self._let_go(active)

    def _end_turn(self, turn: TurnEnded) -> None:
        item_id = turn.committed.item_id
        self._outbox.emit(
            "input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=turn.audio_end_ms
        )
        self._add_spoken(turn.committed)
        if self._turn_detection("create_response"):
            self._respond()

    def _time_out(self, timeout: TimedOut) -> None:
        """The user says nothing: that is their turn, and it is answered whatever `create_response` says."""
        self._outbox.emit(
            "input_audio_buffer.timeout_triggered",
            item_id=timeout.committed.item_id,
            audio_start_ms=timeout.audio_start_ms,
            audio_end_ms=timeout.audio_end_ms,
        )
        self._add_spoken(timeout.committed, is_silence=True)
        self._respond()

    def _respond(self) -> None:
        try:
            self._create_response({"type": "response.create"})
        except Refused as refused:  # one is active and may not be interrupted
            self._outbox.refuse(refused, None)

    def _turn_detection(self, name: str) -> bool:
        settings = self._session["audio"]["input"]["turn_detection"]
        return bool(settings and settings[name])

    def _add_spoken(self, committed: Committed, *, is_silence: bool = False) -> None:
        fields: dict[str, Any] = {
            "id": committed.item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        item = StoredItem(fields, committed.audio)
        item.audio_format = self._input_format
        item.is_silence = is_silence
        self._outbox.emit(
            "input_audio_buffer.committed", item_id=item.item_id, previous_item_id=self._memory.last_item_id
        )
        item.speech_ms = committed.speech_ms
        is_wanted = self._session["audio"]["input"]["transcription"] is not None
        self._unheard[item.item_id] = _Unheard(item, is_wanted)
        self._add(item)

    def _transcribe(self, item: StoredItem, transcript: str | None, why: str) -> None:
        place = {"item_id": item.item_id, "content_index": 0}
        event = "conversation.item.input_audio_transcription."
        if transcript is None:
            error = {"type": "server_error", "code": "transcription_failed", "message": why, "param": None}
            self._outbox.emit(event + "failed", **place, error=error)
            return
        item.content[0]["transcript"] = transcript
        if transcript:
            self._outbox.emit(event + "delta", **place, delta=transcript)
        usage = {"type": "duration", "seconds": round(item.audio_ms / 1000, 3)}
        self._outbox.emit(event + "completed", **place, transcript=transcript, usage=usage)

    # ------------------------------------------------------------------------------------------- conversation

    def _add(self, item: StoredItem, previous_item_id: str | None = None) -> None:
        place = {"previous_item_id": self._memory.insert(item, previous_item_id), "item": item.public()}
        self._outbox.emit("conversation.item.added", **place)
        self._outbox.emit("conversation.item.done", **place)

    def _create_item(self, event: Event) -> None:
        item = stored_item(event["item"], self._new_id, audio_format=self._input_format)
        self._add(item, event.get("previous_item_id"))
        self._hear(item)

    def _hear(self, item: StoredItem) -> None:
        """What was committed is transcribed for the client; of other audio the wits alone get the words."""
        if item.fields.get("role") == "user" and item.audio:
            item.speech_ms = item.audio_ms
            self._unheard[item.item_id] = _Unheard(item, is_wanted=False)
            self._outbox.ask(Listen(item.item_id, ears_pcm(bytes(item.audio), item.audio_format)))
            self._outbox.ask(Understand(item.item_id, item.audio_ms))

    def _delete_item(self, event: Event) -> None:
        self._memory.delete(event["item_id"])
        if self._unheard.pop(event["item_id"], None) is not None:
            self._answer_without(event["item_id"])
            self._outbox.ask(Forget(event["item_id"]))
        self._outbox.emit("conversation.item.deleted", item_id=event["item_id"])

    def _retrieve_item(self, event: Event) -> None:
        item = self._memory.get(event["item_id"], "retrieve")
        self._outbox.emit("conversation.item.retrieved", item=item.public(with_audio=True))

    def _truncate_item(self, event: Event) -> None:
        place = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
        self._memory.truncate(**place)
        self._outbox.emit("conversation.item.truncated", **place)

    # ---------------------------------------------------------------------------------------------- responses

    @property
    def _active(self) -> OutgoingResponse | None:
        """The response that adds to the conversation; there is one at most."""
        running = self._responses.values()
        return next((response for response in running if not response.request.is_out_of_band), None)

    def _create_response(self, event: Event) -> None:
        request = response_request(
            event.get("response") or {}, self._session, self._conversation_id, self._memory, self._new_id
        )
        if self._has_spoken:
            check_voice_stays(self._session, request.voice, "response.audio.output.voice")
        active = self._active
        if active is not None and not request.is_out_of_band:
            raise Refused(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {active.response_id}."
                " Wait until the response is finished before creating a new one.",
            )
        for item in request.own_items or ():
            if item.item_id not in self._memory:
                self._hear(item)
        read = self._memory if request.own_items is None else request.own_items
        waits_for = {item.item_id for item in read} & set(self._unheard)
        response = OutgoingResponse(request, self._outbox, self._memory, waits_for, self._read_before)
        if not request.is_out_of_band:
            self._input.stop_waiting()
        self._responses[response.response_id] = response
        self._response_count += 1
        response.begin()
        self._outbox.emit(
            "rate_limits.updated", rate_limits=rate_limits(self._response_count, self._tokens_used)
        )

    def _cancel_response(self, event: Event) -> None:
        response_id = event.get("response_id")
        response = self._active if response_id is None else self._responses.get(response_id)
        if response is None:
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found")
        response.cancel("client_cancelled")
        self._let_go(response)

    def _let_go(self, response: OutgoingResponse) -> None:
        del self._responses[response.response_id]
        self._tokens_used += response.tokens_used
        if response.request.is_out_of_band:
            return
        if response.request.own_items is None and response.input_tokens.total:
            self._read_before = response.input_tokens
        # The client began to play it when its first sound came, and what was sent lasts so long.
        played_ms = (response.audible_from_ms or 0) + response.audio_ms
        self._input.wait_from(max(played_ms, self._input.position_ms))

    def _clear_output(self, _: Event) -> None:
        raise Refused(
            "invalid_value",
            "output_audio_buffer.clear is for WebRTC and SIP. Over a WebSocket the client plays the audio:"
            " stop it there, then send response.cancel and conversation.item.truncate.",
            "type",
        )
