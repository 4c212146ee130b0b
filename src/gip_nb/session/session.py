"""One talk, joined together: line, protocol, journal, tools and speaker.

The public verbs may be awaited from any loop and hop to the process's own; everything else runs there.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, Self

from gip_nb.audio import frames, wav_bytes
from gip_nb.errors import (
    AlreadyClosed,
    BadAudio,
    BadSetting,
    ConnectionDropped,
    DialectRefused,
    GipError,
    NothingToDo,
    TimedOut,
    UnknownItem,
)
from gip_nb.journal.log import EventLog
from gip_nb.journal.tables import Tables
from gip_nb.protocol import dialects, outputs
from gip_nb.protocol.client import ClientProtocol
from gip_nb.protocol.clocks import CaptureMarks
from gip_nb.protocol.frames import append_frame
from gip_nb.session.line import Line
from gip_nb.session.loop import in_thread, loop, on_loop
from gip_nb.session.options import canonical_session, check_response
from gip_nb.session.reply import read_question, read_sound, reply_of
from gip_nb.session.speaker import Flushed, NoSpeaker
from gip_nb.session.transport import OpenAITransport
from gip_nb.session.trouble import (
    ends_session,
    error_of,
    error_of_close,
    must_be_json,
    must_be_seconds,
    offers_nearest,
    refuses_dialect,
)
from gip_nb.session.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    import pandas as pd
    from IPython.display import Audio
    from numpy.typing import NDArray

    from gip_nb.journal.log import Row
    from gip_nb.protocol.conversation import Direction
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Output, State, Wish
    from gip_nb.session.listener import Listener
    from gip_nb.session.reply import Reply
    from gip_nb.session.settings import Settings
    from gip_nb.session.speaker import Speaker
    from gip_nb.session.transport import Transport, TransportClosed
    from gip_nb.tools import Toolbox

__all__ = ["AsyncRealtimeSession"]

_At = Literal["idle", "connecting", "open", "closing", "closed", "error"]

_CREATED_TIMEOUT_S = 15.0
_UPDATED_TIMEOUT_S = 10.0
_FLUSH_TIMEOUT_S = 1.0
_ASK_CHUNK_BYTES = 9600
_MIN_ASK_BYTES = 4800
# 10 s of microphone frames of 40 ms.
_EARLY_FRAMES = 250
_SHAPE_DISABLED = "beta_api_shape_disabled"
_AGAIN = "press Start (or call talk() or connect()) for a new session; this one's tables stay readable."


def new_id(prefix: str) -> str:
    """An id that no server takes exception to: at most 32 characters."""
    return f"{prefix}_{uuid.uuid4().hex[:20]}"


class AsyncRealtimeSession:
    """A session whose verbs are awaited. Connects with the first verb (or `async with`), ends with `close()`.

    Args:
        settings: where to, with what.
        tools: the functions that the model may call.
        transport: makes the connection; tests give a scripted one.
        speaker: who plays the answers; nobody by default.
        listener: who shows the talk.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tools: Toolbox | None = None,
        transport: Callable[[Settings, Dialect], Transport] = OpenAITransport,
        speaker: Speaker | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.settings = settings
        self.log = EventLog()
        self.tables = Tables(self.log)
        self.error: GipError | None = None
        self._tools = tools
        self._speaker: Speaker = speaker if speaker is not None else NoSpeaker()
        self._listener = listener
        self.protocol = ClientProtocol(new_id, player=self._speaker.plays)
        self._line = Line(self.log, transport, self._on_event, self._on_closed)
        self._waits = Waits(self.callback_failed)
        # What the connection is at; while it is "open", the protocol's phase is the state.
        self._at: _At = "idle"
        self._told_state: State = "idle"
        self._muted = False
        self._microphone_held = False
        self._early: deque[tuple[bytes, str, float]] = deque(maxlen=_EARLY_FRAMES)
        self._capture_marks = CaptureMarks()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._connecting = asyncio.Lock()
        self._asking = asyncio.Lock()

    def __repr__(self) -> str:
        told = self.session_id or "no session yet"
        name, model = type(self).__name__, self.settings.model
        return f"<{name} {told} {self.state} model={model!r} events={len(self.log)}>"

    # ---- what it is ----------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """In a word: idle, connecting, listening, hearing, thinking, speaking, muted, closed or error."""
        if self._at != "open":
            return "closed" if self._at == "closing" else self._at
        phase = self.protocol.phase
        return "muted" if self._muted and phase == "listening" else phase

    @property
    def session_id(self) -> str | None:
        """The server's name for this session, None before it has one."""
        return self.protocol.conversation.session_id

    @property
    def dialect(self) -> Dialect:
        """The dialect that is spoken, or that will be tried first."""
        return self.log.dialect if self.log.connection else self.settings.first_dialect

    @property
    def events(self) -> pd.DataFrame:
        """Every event, one row each; see `journal.tables`."""
        return self.tables.events()

    @property
    def items(self) -> pd.DataFrame:
        """The conversation's items, one row each; see `journal.tables`."""
        return self.tables.items()

    @property
    def turns(self) -> pd.DataFrame:
        """The turns, one row each; see `journal.tables`."""
        return self.tables.turns()

    def payload(self, n: int) -> dict[str, Any]:
        """The JSON of event `n`, whole, its audio included.

        Raises:
            IndexError: there is no such row.
        """
        return self.log.payload(n)

    def audio(self, item_id: str) -> Audio:
        """An item's sound as a player for the notebook.

        Raises:
            UnknownItem: there is none with this id, or it has no sound.
        """
        from IPython.display import Audio

        pcm = self.tables.sound(item_id)
        if not pcm:
            raise UnknownItem(item_id)
        return Audio(data=wav_bytes(pcm))  # type: ignore[no-untyped-call]  # IPython has no types

    # ---- opening -------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.connect()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close."""
        await self.close()

    @on_loop
    async def connect(self) -> None:
        """Connect, unless connected. Each verb does so by itself.

        Raises:
            AlreadyClosed: the session has ended.
            KeyRefused, ConnectionRefused, HostUnreachable, RehearsalFailed, TimedOut: it could not.
        """
        async with self._connecting:
            if self._at == "open":
                return
            self._raise_if_ended()
            self._move("connecting")
            try:
                await self._open()
            except GipError as error:
                await self._line.close()
                if self._at == "connecting":
                    self._end("error", error)
                raise
            except BaseException:
                self._line.abandon()
                self._end("closed", None)
                raise

    async def _open(self) -> None:
        if self.settings.rehearsal and not self.settings.base_url:
            from gip_nb.session.embedded import with_rehearsal_address

            self.settings = await in_thread(with_rehearsal_address, self.settings)
            self._raise_if_ended()
        first = self.settings.first_dialect
        if not await self._open_in(first):
            if self.settings.dialect != "auto":
                raise DialectRefused(
                    f"the server does not speak the {first} dialect",
                    f"leave out dialect={first!r}: the one that it speaks is found by itself.",
                    _SHAPE_DISABLED,
                )
            other: Dialect = "ga" if first == "beta" else "beta"
            if not await self._open_in(other):
                raise DialectRefused(
                    "the server speaks neither dialect of the protocol",
                    "check base_url: it is the API's root, such as 'https://host/v1'.",
                    _SHAPE_DISABLED,
                )
        self._raise_if_ended()
        self._move("open")
        session = dict(self.settings.session)
        if self._tools is not None:
            session["tools"] = self._tools.schemas()
        self.protocol.update(session)
        while self._early:
            self._append_microphone(*self._early.popleft())
        self._pump()

    async def _open_in(self, dialect: Dialect) -> bool:
        """Connect in this dialect. Returns False where the server does not speak it."""
        try:
            await self._line.open(self.settings, dialect)
        except DialectRefused:
            # Said in the answer to the handshake.
            return False
        # Stop may have been pressed while that took its time.
        self._raise_if_ended()
        try:
            first = await self._waits.next({"session.created", "error"}, _CREATED_TIMEOUT_S)
        except DialectRefused:
            # Said in the reason of a close.
            await self._line.close()
            return False
        except ConnectionDropped:
            # Some servers turn a dialect away by closing without a word.
            if dialect == "beta" and self.settings.dialect == "auto":
                await self._line.close()
                return False
            raise
        if first["type"] == "session.created":
            return True
        await self._line.close()
        if refuses_dialect(first):
            return False
        raise error_of(first)

    # ---- verbs ---------------------------------------------------------------------------------------------

    @offers_nearest
    @on_loop
    async def ask(
        self, what: str | Path | NDArray[Any], *, sample_rate_hz: int = 24_000, timeout_s: float = 60.0
    ) -> Reply:
        """Ask and wait for the whole answer, tool calls and their follow-ups included.

        Audio is sent as one utterance: turn detection is off for the call and restored after it, so that a
        pause does not split it. The microphone is not heard meanwhile.

        Args:
            what: text, a WAV file (a `Path`, or a string that ends in .wav) of any rate and channel count, or
                an array (int16, or float32 in [-1, 1]; shape (n,) or (n, channels)).
            sample_rate_hz: of an array.
            timeout_s: for all of it.

        Raises:
            BadAudio, AudioFileNotFound: there is nothing to ask.
            TimedOut: the answer did not come in time.
            ServerError: the response failed.
            ConnectionDropped: the connection ended.
        """
        must_be_seconds(timeout_s)
        question = await in_thread(read_question, what, sample_rate_hz)
        if question.pcm is not None and len(question.pcm) < _MIN_ASK_BYTES:
            raise BadAudio(
                f"the audio is {len(question.pcm) // 48} ms long: the API takes no utterance under 100 ms",
                "ask something longer.",
            )
        try:
            async with asyncio.timeout(timeout_s), self._asking:
                await self.connect()
                if question.text is not None:
                    self.protocol.send_text(question.text)
                    wish = self.protocol.respond()
                    self._pump()
                    await self._settled(wish)
                else:
                    wish = await self._ask_aloud(question.pcm or b"")
        except TimedOut:
            raise
        except TimeoutError:
            raise TimedOut(
                f"no whole answer within {timeout_s:g} s (state: {self.state})",
                "pass a larger timeout_s, or look at session.events for what did come.",
            ) from None
        return reply_of(self.protocol.conversation, self.tables.sound, wish.response_ids)

    async def _ask_aloud(self, pcm: bytes) -> Wish:
        protocol = self.protocol
        detection = protocol.turn_detection
        self._microphone_held = True
        try:
            if detection is not None:
                protocol.update({"audio": {"input": {"turn_detection": None}}})
                self._pump()
                await self._waits.until(
                    lambda: protocol.turn_detection is None, "session.updated", _UPDATED_TIMEOUT_S
                )
            if protocol.uncommitted_samples:
                protocol.clear()
            self._append(pcm)
            protocol.commit()
            wish = protocol.respond()
            self._pump()
            await self._settled(wish)
            return wish
        finally:
            self._microphone_held = False
            if detection is not None and self._at == "open":
                protocol.update({"audio": {"input": {"turn_detection": detection}}})
                self._pump()

    async def _settled(self, wish: Wish) -> None:
        await self._waits.until(lambda: wish.done, "the answer", None)
        if wish.failure is not None:
            raise error_of({"message": wish.failure.message, "code": wish.failure.code})

    @on_loop
    async def send_text(self, text: str) -> str:
        """Add a message of the user; `respond()` asks for the answer. Returns the item's id."""
        await self.connect()
        item_id = self.protocol.send_text(text)
        self._pump()
        return item_id

    @offers_nearest
    @on_loop
    async def send_audio(self, what: Path | str | NDArray[Any] | bytes, sample_rate_hz: int = 24_000) -> None:
        """Append audio to the input buffer, as the microphone does; turn detection hears it.

        Args:
            what: as in `ask`, or PCM16 little endian mono 24 000 Hz bytes.
            sample_rate_hz: of an array.

        Raises:
            BadAudio: it is no audio.
        """
        pcm = await in_thread(read_sound, what, sample_rate_hz)
        await self.connect()
        self._append(pcm)
        self._pump()

    def _append(self, pcm: bytes) -> None:
        for chunk in frames(pcm, _ASK_CHUNK_BYTES):
            self.protocol.append_audio(chunk)

    @on_loop
    async def commit(self) -> None:
        """End the user's utterance (with turn detection off).

        Raises:
            NothingToDo: no audio was appended.
        """
        await self.connect()
        samples = self.protocol.uncommitted_samples
        if samples * 2 < _MIN_ASK_BYTES:
            there = f"only {samples // 24} ms of audio" if samples else "no audio"
            raise NothingToDo(
                f"there is {there} to commit: the API takes none under 100 ms",
                "send_audio() first, or let the microphone run.",
            )
        self.protocol.commit()
        self._pump()

    @on_loop
    async def respond(self, /, **overrides: Any) -> None:
        """Ask for a response. While one is active it waits and goes out after it.

        Args:
            **overrides: fields of the response that differ from the session's (`instructions`, ...).
        """
        check_response(overrides)
        must_be_json(overrides)
        await self.connect()
        self.protocol.respond(overrides)
        self._pump()

    @on_loop
    async def interrupt(self) -> bool:
        """Stop the answer; the model will remember only what was heard.

        Returns:
            False where there was nothing to stop.
        """
        self._raise_if_ended()
        stopped = self.protocol.interrupt()
        self._pump()
        return stopped

    @on_loop
    async def clear(self) -> None:
        """Forget the audio appended since the last commit."""
        await self.connect()
        self.protocol.clear()
        self._pump()

    @on_loop
    async def update(self, /, **fields: Any) -> None:
        """Change the session: `instructions`, `voice`, `turn_detection` or any other field of the API.

        Raises:
            BadSetting: a value that cannot be.
        """
        session = canonical_session(**fields)
        must_be_json(session)
        await self.connect()
        self.protocol.update(session)
        self._pump()

    @on_loop
    async def delete(self, item_id: str) -> None:
        """Delete an item from the server's conversation.

        Raises:
            UnknownItem: there is none with this id.
        """
        await self.connect()
        if item_id not in self.protocol.conversation.items:
            raise UnknownItem(item_id)
        self.protocol.delete(item_id)
        self._pump()

    @on_loop
    async def send(self, event: dict[str, Any]) -> None:
        """Send any client event as it is.

        Raises:
            BadSetting: it is no event, or holds what JSON cannot carry.
        """
        given: object = event
        if not isinstance(given, dict) or not isinstance(given.get("type"), str):
            raise BadSetting("an event without a type", "send a dict such as {'type': 'response.create'}.")
        must_be_json(event)
        await self.connect()
        self._line.send(dict(event))

    @offers_nearest
    @on_loop
    async def wait(self, event_type: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """Wait for the next event of this type (either dialect's name) and return it.

        Raises:
            TimedOut: it did not come.
            ConnectionDropped: the connection ended first.
        """
        must_be_seconds(timeout_s)
        self._raise_if_ended()
        return await self._waits.next({dialects.canonical_type(event_type)}, timeout_s)

    def on(self, event_type: str, callback: Callable[[dict[str, Any]], object]) -> None:
        """Call `callback(event)` for each event of this type, received or local; `*` is every one.

        Runs on the callback thread, in order; what it raises becomes a `local.callback.error` row. Any thread
        may call this.
        """
        self._waits.on(dialects.canonical_type(event_type), callback)

    @on_loop
    async def close(self) -> None:
        """End the talk. Its tables stay. Closing twice is no error."""
        if self._at in {"closing", "closed", "error"}:
            return
        if self._at == "open":
            await self._note_what_was_heard()
        self._at = "closing"
        try:
            await self._line.close()
        finally:
            self._end("closed", None)

    # ---- for the page: on the loop only --------------------------------------------------------------------

    def push_microphone(self, pcm: bytes, *, page: str = "", captured_ms: float = math.nan) -> None:
        """A frame from the microphone, PCM16 mono 24 000 Hz.

        Who presses Start speaks at once: what is said while the connection opens is kept and sent then.

        Args:
            pcm: the frame.
            page: whose microphone.
            captured_ms: when its first sample was captured, on that page's clock; NaN where nobody knows.
        """
        if self._at == "connecting":
            self._early.append((pcm, page, captured_ms))
        elif self._at == "open" and not self._microphone_held:
            self._append_microphone(pcm, page, captured_ms)
            self._pump()

    def _append_microphone(self, pcm: bytes, page: str, captured_ms: float) -> None:
        samples = self.protocol.appended_samples
        if self._capture_marks.wants(page, samples, captured_ms):
            self.note("mic.captured", appended_samples=samples, page=page, page_ms=captured_ms)
        self.protocol.append_audio(pcm)

    def note(self, kind: str, **fields: Any) -> None:
        """Log a local row; the protocol sees it where it is the player's."""
        row, event = self.log.local(kind, **fields)
        self._on_event(event, "local", row)
        if kind.startswith("playback."):
            self.protocol.playback(event)
            self._pump()

    def set_muted(self, *, muted: bool) -> None:
        """The page's microphone sends silence, or sound again."""
        self._muted = muted
        self._tell_state()

    # ---- inside: what comes --------------------------------------------------------------------------------

    def _on_event(self, event: Event, direction: Direction, row: Row) -> None:
        at_s = row.elapsed_ns / 1e9
        if direction == "received":
            self.protocol.player = self._speaker.plays
            self.protocol.receive(event, at_s)
        elif not event.type.startswith("local.playback."):
            self.protocol.observe(event, direction, at_s)
        if direction != "sent":
            self._waits.tell(event)
        self._pump()

    def _on_closed(self, closed: TransportClosed) -> None:
        asked_for = self._at in {"closing", "closed"}
        self.note("connection.closed", code=closed.code, reason=closed.reason, asked_for=asked_for)
        self.protocol.connection_lost()
        if asked_for:
            return
        error = error_of_close(closed.code, closed.reason, _AGAIN)
        if self.error is not None:
            # Said before: the close only follows from it.
            error = self.error
        if self._at == "connecting":
            self._waits.fail(error)
        else:
            self._end("error", error)

    def _end(self, at: _At, error: GipError | None) -> None:
        if self._at in {"closed", "error"}:
            return
        self.error = error or self.error
        self._line.abandon()
        self._waits.fail(error or AlreadyClosed("the session was closed while this was waited for"))
        if error is not None and self._listener is not None:
            self._listener.failed(error)
        self._move(at)

    def callback_failed(self, error: BaseException) -> None:
        """What the user hung on this session raised: a row. Any thread may call."""
        loop().call_soon_threadsafe(
            lambda: self.log.local("callback.error", error=type(error).__name__, message=str(error)[:2000])
        )

    # ---- inside: doing what the protocol says --------------------------------------------------------------

    def _pump(self) -> None:
        while todo := self.protocol.take():
            for output in todo:
                self._perform(output)
        self._waits.check()
        self._tell_state()

    def _perform(self, output: Output) -> None:  # noqa: C901 - one arm an output
        listener = self._listener
        match output:
            case outputs.SendAudio(audio):
                self._line.send(append_frame(audio))
            case outputs.Send(fields):
                self._line.send(fields)
            case outputs.Play(item_id, content_index, start_sample, audio):
                self._speaker.play(item_id, content_index, start_sample, audio)
                if listener is not None:
                    listener.audio_added(audio)
            case outputs.PlayEnd(item_id, content_index, samples):
                self._speaker.end(item_id, content_index, samples)
            case outputs.Flush():
                self._start(self._flush())
            case outputs.ToolCall(call_id, name, arguments):
                self._start(self._call_tool(call_id, name, arguments))
            case outputs.Failed(message, code):
                self._on_failed(error_of({"message": message, "code": code}))
            case outputs.ItemChanged(item_id) if listener is not None:
                listener.item_changed(item_id)
            case outputs.TextAdded(item_id, delta) if listener is not None:
                listener.text_added(item_id, delta)
            case outputs.TurnDone(turn) if listener is not None:
                listener.turn_done(turn)

    def _start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = loop().create_task(coroutine)
        # The loop keeps only weak references to its tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _flush(self) -> None:
        stopped = await self._stopped_player(self.protocol.cut_items)
        self.protocol.flushed([self._note_flushed(item_id, stopped) for item_id in self.protocol.cut_items])
        self._pump()

    async def _note_what_was_heard(self) -> None:
        """At the end of a talk: how far the answer was played is a row; the server is not told any more."""
        playing = self.protocol.playing_items
        if playing:
            stopped = await self._stopped_player(playing)
            self.protocol.stopped([self._note_flushed(item_id, stopped) for item_id in playing])

    def _note_flushed(self, item_id: str, stopped: Flushed) -> Event:
        item = self.protocol.conversation.items[item_id]
        # A page that took over counts from where it began: it may not have come to that yet.
        played_samples = max(stopped.played_samples.get(item_id, 0), item.played_samples or 0)
        if not self.protocol.has_player(item_id):
            played_samples = item.generated_samples
        _, event = self.log.local(
            "playback.flushed",
            item_id=item_id,
            played_samples=played_samples,
            output_latency_ms=stopped.output_latency_ms,
        )
        self._waits.tell(event)
        return event

    async def _stopped_player(self, item_ids: tuple[str, ...]) -> Flushed:
        try:
            return await asyncio.wait_for(self._speaker.flush(), _FLUSH_TIMEOUT_S)
        except TimeoutError:
            # A page that does not answer: what it said last is the most that is known to have been heard.
            items = self.protocol.conversation.items
            return Flushed({i: items[i].played_samples or 0 for i in item_ids if i in items})

    async def _call_tool(self, call_id: str, name: str, arguments: str) -> None:
        self.note("tool.started", call_id=call_id, name=name)
        if self._tools is None:
            output = f"error: this client has no tool named {name!r}"
        else:
            output = await in_thread(self._tools.call, name, arguments)
        self.note("tool.finished", call_id=call_id, name=name)
        if self._at == "open":
            self.protocol.tool_output(call_id, output)
            self._pump()

    def _on_failed(self, error: GipError) -> None:
        if ends_session(error):
            # The server closes next: this is why, and not that it closed.
            self.error = error
        if self._listener is not None and self._at == "open":
            self._listener.failed(error)

    # ---- inside: where it is -------------------------------------------------------------------------------

    def _raise_if_ended(self) -> None:
        if self._at in {"closing", "closed", "error"}:
            raise self.error or AlreadyClosed

    def _move(self, at: _At) -> None:
        self._at = at
        self._tell_state()

    def _tell_state(self) -> None:
        state = self.state
        if state != self._told_state and self._at != "closing":
            self._told_state = state
            if self._listener is not None:
                self._listener.state_changed(state)
