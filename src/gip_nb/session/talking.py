"""One talk, joined together: line, protocol, journal, tools and speaker. What its user calls is session.py's.

Everything here runs on the loop; `connect()` and `close()` may be awaited from any loop and hop to it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any, Self

import msgspec

from gip_nb.errors import (
    AlreadyClosed,
    GipError,
)
from gip_nb.journal.log import EventLog
from gip_nb.journal.tables import Tables
from gip_nb.protocol import outputs
from gip_nb.protocol.budget import Budget, budget_of, must_have_price
from gip_nb.protocol.client import LEAST_COMMIT_SAMPLES, ClientProtocol
from gip_nb.protocol.clocks import CaptureMarks
from gip_nb.protocol.deadlines import BEGIN_TIMEOUT_S, CANCEL_TIMEOUT_S, Limits
from gip_nb.protocol.frames import append_frame
from gip_nb.protocol.items import SAMPLES_PER_MS
from gip_nb.protocol.kept_input import Sound
from gip_nb.protocol.reconnection import comes_back
from gip_nb.protocol.requests import ignored_settings
from gip_nb.session.asking import Asking
from gip_nb.session.calls import Calls
from gip_nb.session.line import Line
from gip_nb.session.log_writer import open_log
from gip_nb.session.loop import in_thread, loop, on_loop, on_the_loop_thread
from gip_nb.session.opening import open_line
from gip_nb.session.response_news import ResponseNews
from gip_nb.session.returning import AGAIN, At, Returning
from gip_nb.session.speaker import Flushed, NoSpeaker
from gip_nb.session.timers import Timer, now_s
from gip_nb.session.transport import OpenAITransport
from gip_nb.session.trouble import (
    ends_session,
    error_of,
    error_of_close,
    error_of_failure,
)
from gip_nb.session.waits import Waits
from gip_nb.tools.failures import message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from gip_nb.errors import LogStopped
    from gip_nb.journal.log import Row
    from gip_nb.protocol.budget import Verdict
    from gip_nb.protocol.conversation import Direction
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Output, State, Wish
    from gip_nb.protocol.requests import Request
    from gip_nb.session.listener import Listener
    from gip_nb.session.log_writer import LogWriter
    from gip_nb.session.settings import Settings
    from gip_nb.session.speaker import Speaker
    from gip_nb.session.transport import Transport
    from gip_nb.tools import Tools

__all__ = ["BEGIN_TIMEOUT_S", "Talking"]

_log = logging.getLogger(__name__)
_FLUSH_TIMEOUT_S = 1.0
# 10 s of microphone frames of 40 ms.
_EARLY_FRAMES = 250


def new_id(prefix: str) -> str:
    """An id that no server takes exception to: at most 32 characters."""
    return f"{prefix}_{uuid.uuid4().hex[:20]}"


class Talking(Returning):
    """Line, protocol, journal, tools and speaker of one session, from its opening to its end.

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
        tools: Tools | None = None,
        transport: Callable[[Settings, Dialect], Transport] = OpenAITransport,
        speaker: Speaker | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.settings = settings
        self.log = EventLog()
        self.tables = Tables(self.log)
        self.error: GipError | None = None
        self._speaker: Speaker = speaker if speaker is not None else NoSpeaker()
        self._listener = listener
        self._budget_usd = settings.budget_usd
        # Who is told that the budget is nearly spent; a blocking face warns in the cell instead.
        self.budget_warning: Callable[[str], object] = _log.warning
        self.protocol = ClientProtocol(
            new_id,
            player=self._speaker.plays,
            budget=Budget(settings.budget_usd),
            retry=settings.retry,
            limits=Limits(
                begin_s=BEGIN_TIMEOUT_S, response_s=settings.response_timeout_s, cancel_s=CANCEL_TIMEOUT_S
            ),
            clock=now_s,
            random=random.random,
        )
        self._timer = Timer(lambda: self.protocol.due_s, self._on_time)
        self._news = ResponseNews(self.note, listener)
        self._log_writer: LogWriter | None = None
        self._line = Line(self.log, transport, self._on_event, self._on_closed)
        self._waits = Waits(self.callback_failed)
        # What the connection is at; while it is "open", the protocol's phase is the state.
        self._at: At = "idle"
        self._told_state: State = "idle"
        self._muted = False
        self._microphone_held = False
        self._giving_back: Request | None = None
        self._early: deque[tuple[bytes, str, float]] = deque(maxlen=_EARLY_FRAMES)
        # A key was pressed while the connection opens, and, the second, is still held.
        self._early_press = self._early_held = False
        self._capture_marks = CaptureMarks()
        # The page where a key was pressed last, and when, on its clock; NaN where nobody knows.
        self._pressed_at: tuple[str, float] = ("", math.nan)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._first_update: Request | None = None
        self.calls = Calls(tools, self, listener)
        self._begin_returning()
        self._connecting = asyncio.Lock()
        self._asking = Asking(self.calls)

    def __repr__(self) -> str:
        told = self.session_id or "no session yet"
        name, model = type(self).__name__, self.settings.model
        return f"<{name} {told} {self.state} model={model!r} events={len(self.log)}>"

    # ---- what it is ----------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """In a word.

        It is idle, connecting, listening, hearing, thinking, speaking, muted, reconnecting, closed or error.
        """
        if self._at != "open":
            return "closed" if self._at == "closing" else self._at
        phase = self.protocol.phase
        return "muted" if self._muted and phase == "listening" else phase

    @property
    def settings_settled(self) -> bool:
        """Whether the server has told the settings that were asked for.

        Its greeting tells its defaults; and turn detection may be off for one utterance that does not come
        from the microphone.
        """
        if self._at == "reconnecting":
            return False
        giving_back = self._giving_back
        lent = self._microphone_held or (giving_back is not None and not giving_back.done)
        return self._at != "open" or (self._first_update is None and not lent)

    @property
    def session_id(self) -> str | None:
        """The server's name for this session, None before it has one."""
        return self.protocol.conversation.session_id

    @property
    def log_folder(self) -> Path | None:
        """Where this session writes itself, given `log=...`; None where it does not, or not yet."""
        return None if self._log_writer is None else self._log_writer.folder

    @property
    def dialect(self) -> Dialect:
        """The dialect that is spoken, or that will be tried first."""
        return self.log.dialect if self.log.connection else self.settings.first_dialect

    @property
    def budget_usd(self) -> float | None:
        """The most that this session may cost, US dollars; None for no limit.

        May be changed at any moment, from any thread: `session.budget_usd = 2.0` lets a spent one go on, for
        the answers that are asked for from then on. What was spent stays counted. The cost of an answer is
        known when it is done: the last one may go over the limit.

        Raises:
            BadSetting: it is no amount of money, or nobody knows what the model's answers cost.
        """
        return self._budget_usd

    @budget_usd.setter
    def budget_usd(self, limit_usd: float | None) -> None:
        limit_usd = budget_of(limit_usd)
        if limit_usd is not None:
            must_have_price(self.settings.model, self.settings.prices, limit_usd)
        self._budget_usd = limit_usd

        def change() -> None:
            self.protocol.set_budget(limit_usd)
            self._pump()

        if on_the_loop_thread():
            change()
        else:
            # Before whatever a verb asks for next: the loop keeps the order.
            loop().call_soon_threadsafe(change)

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
        """Connect, unless connected. Each verb does so by itself; while it reconnects, each waits for that.

        Raises:
            AlreadyClosed: the session has ended.
            KeyRefused, ConnectionRefused, HostUnreachable, RehearsalFailed, TimedOut: it could not.
        """
        while self._at != "open":
            if self._at == "reconnecting":
                await self._waits.until(lambda: self._at != "reconnecting", "the connection", None)
                continue
            async with self._connecting:
                if self._at not in {"open", "reconnecting"}:
                    await self._connect_first()

    async def _connect_first(self) -> None:
        self._raise_if_ended()
        self._move("connecting")
        try:
            await self._open_log()
            await self.calls.look_again()
            await self._open()
        except GipError as error:
            await self._line.close()
            if self._at == "connecting":
                self._end("error", error)
            await self._write_log()
            raise
        except BaseException:
            self._line.abandon()
            self._end("closed", None)
            raise

    async def _open_log(self) -> None:
        try:
            self._log_writer = await open_log(lambda: self.settings, self.log, self._on_log)
        finally:
            if self._listener is not None and self.settings.log is not None:
                self._listener.log_changed(self.log_folder, stopped=False)
        self._raise_if_ended()

    async def _write_log(self) -> None:
        """At the end, whatever ended it: what was logged is on disk when the verb returns."""
        if self._log_writer is not None:
            await self._log_writer.write()

    def _on_log(self, trouble: LogStopped | None) -> None:
        """The log on disk is not written any more, or is again: the talk goes on."""
        if self._listener is not None and self._log_writer is not None:
            self._listener.log_changed(self._log_writer.folder, stopped=trouble is not None)
            if trouble is not None:
                self._listener.failed(trouble)

    async def _open(self) -> None:
        if self.settings.rehearsal and not self.settings.base_url:
            from gip_nb.session.embedded import with_rehearsal_address

            self.settings = await in_thread(with_rehearsal_address, self.settings)
            self._embedded = True
            self._raise_if_ended()
        if self.settings.prices.own:
            # In the log, so that a loaded recording costs what the talk did.
            self.note("prices", models=[msgspec.to_builtins(price) for price in self.settings.prices.own])
        await open_line(self._line, self._waits, self.settings, self._raise_if_ended)
        if self._line.ended is not None:
            # It closed right after its greeting, when nobody waited for anything.
            raise self.error or error_of_close(self._line.ended.code, self._line.ended.reason, AGAIN)
        self._raise_if_ended()
        self._move("open")
        self._first_update = self.protocol.update(self.first_settings())
        self._restore(self.settings.history, "given")
        if self._early_press:
            self.protocol.press()
        while self._early:
            self._append_microphone(*self._early.popleft())
        self._opened()
        self._pump()

    def _restore(self, items: Sequence[dict[str, Any]], source: str) -> None:
        """Send what restores an earlier talk, before anything else is said.

        Args:
            items: canonical, in order; those without an id are given one.
            source: where they come from, for the row.
        """
        named = [{**item, "id": item.get("id") or new_id("item")} for item in items]
        if named:
            self.note("history", item_ids=[item["id"] for item in named], source=source)
        for item in named:
            self.protocol.add_item(item)

    def first_settings(self) -> dict[str, Any]:
        """What the server is asked for when the connection is open: a canonical session."""
        session = dict(self.settings.session)
        tools = self.calls.schemas()
        if tools is not None:
            session["tools"] = tools
        return session

    @on_loop
    async def close(self) -> None:
        """End the talk. Its tables stay. Closing twice is no error."""
        if self._at in {"closing", "closed", "error"}:
            await self._write_log()
            return
        if self._at in {"open", "reconnecting"}:
            await self._note_what_was_heard()
        self._at = "closing"
        if self._returning is not None:
            self._returning.cancel()
        try:
            await self._line.close()
        finally:
            self.protocol.connection_lost()
            self._end("closed", None)
            await self._write_log()

    # ---- for the page: on the loop only --------------------------------------------------------------------

    def push_microphone(self, pcm: bytes, *, page: str = "", captured_ms: float = math.nan) -> None:
        """A frame from the microphone, PCM16 mono 24 000 Hz.

        Who presses Start speaks at once: what is said while the connection opens is kept and sent then. With
        turn detection off it is heard only while a key is held: what nobody would commit is not sent.

        Args:
            pcm: the frame.
            page: whose microphone.
            captured_ms: when its first sample was captured, on that page's clock; NaN where nobody knows.
        """
        if self.by_hand and self._is_from_before_the_press(len(pcm), page, captured_ms):
            return
        if self._at == "connecting":
            if self._early_held or not self.by_hand:
                self._early.append((pcm, page, captured_ms))
        elif self._microphone_held or not (self.protocol.pressed or not self.by_hand):
            return
        elif self._at == "open":
            self._append_microphone(pcm, page, captured_ms)
            self._pump()
        elif self._at == "reconnecting":
            self.protocol.keep_audio(Sound(pcm, page, captured_ms))

    def _is_from_before_the_press(self, pcm_bytes: int, page: str, captured_ms: float) -> bool:
        """A page that is busy hands over late what its microphone took before the key was pressed."""
        pressed_page, pressed_ms = self._pressed_at
        # False where one of the two is not known.
        return page == pressed_page and captured_ms + pcm_bytes / 2 / SAMPLES_PER_MS <= pressed_ms

    @property
    def by_hand(self) -> bool:
        """Whether a key says where the user's turn ends. Until the server has told: as it is asked to."""
        if self._at == "open" and self._first_update is None:
            return self.protocol.turn_detection is None
        asked = self.protocol.configuration or self.first_settings()
        told = asked.get("audio", {}).get("input", {})
        return "turn_detection" in told and told["turn_detection"] is None

    def _append_microphone(self, pcm: bytes, page: str, captured_ms: float) -> None:
        samples = self.protocol.appended_samples
        if self._capture_marks.wants(page, samples, captured_ms):
            self.note("mic.captured", appended_samples=samples, page=page, page_ms=captured_ms)
        self.protocol.append_audio(pcm)

    def speak_first(self, instructions: str) -> None:
        """Let the model begin the talk, unless the user has: asked for, and not waited for.

        Args:
            instructions: of this one response.
        """
        protocol = self.protocol
        # A key that was only hit, as one presses Start, has said nothing.
        enough = protocol.uncommitted_samples >= LEAST_COMMIT_SAMPLES
        speaks = self._early_press and (self._early_held or enough)
        said = any(not item.restored for item in protocol.conversation.items.values())
        begun = speaks or protocol.answering or said
        if self._at == "open" and not begun:
            protocol.respond({"instructions": instructions})
            self._pump()

    def use_tools(self, tools: Tools) -> None:
        """From now on these answer the model's calls; `update(tools=...)` tells it of them."""
        self.calls.tools = tools

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
            if event.type == "session.updated":
                self._look_at_first_update()
            elif event.type == "error":
                self._look_at_error(error_of(event.fields))
        elif not event.type.startswith("local.playback."):
            self.protocol.observe(event, direction, at_s)
            if direction == "sent" and event.audio is not None:
                # It was sent, and counted: nothing follows from it.
                return
        if direction != "sent":
            self._waits.tell(event)
            if self._at == "reconnecting":
                self._resuming.opening.tell(event)
        self._pump()

    def _look_at_first_update(self) -> None:
        """Nobody waits for the settings of the start: what the server ignores of them is said in the log."""
        request, self._first_update = self._first_update, None
        if request is not None:
            for line in self.ignored_settings(request):
                _log.warning("the server ignores a setting: %s", line)

    def ignored_settings(self, update: Request) -> list[str]:
        """What a server has not taken of an update that it has answered: a line each, and a row each."""
        told = update.answer.part("session") if update.answer is not None else {}
        lines = ignored_settings(update.session or {}, told) if told else []
        for line in lines:
            self.note("setting.ignored", setting=line.partition(":")[0], message=line)
        return lines

    def _end(self, at: At, error: GipError | None) -> None:
        if self._at in {"closed", "error"}:
            return
        self.error = error or self.error
        self._timer.stop()
        self._news.over()
        self._rollover.stop()
        self._line.abandon()
        self.calls.end()
        if self._log_writer is not None:
            self._log_writer.write_soon()
        self._waits.fail(error or AlreadyClosed("the session was closed while this was waited for"))
        if error is not None and self._listener is not None:
            self._listener.failed(error)
        self._move(at)

    def callback_failed(self, error: BaseException) -> None:
        """What the user hung on this session raised: a row. Any thread may call."""
        name, message = type(error).__name__, message_of(error)[:2000]
        loop().call_soon_threadsafe(lambda: self.log.local("callback.error", error=name, message=message))

    # ---- inside: doing what the protocol says --------------------------------------------------------------

    def _pump(self) -> None:
        while todo := self.protocol.take():
            for output in todo:
                self._perform(output)
        if self._at == "open":
            self._timer.look()
        if not self.protocol.asks_again:
            self._news.over()
        self._waits.check()
        self._tell_state()
        if self._rollover.due:
            self._rollover.look()

    def _perform(self, output: Output) -> None:
        if self._listener is not None:
            _tell(self._listener, output)
        match output:
            case outputs.SendAudio(audio):
                self._line.send(append_frame(audio))
            case outputs.Send(fields):
                self.calls.sent(fields)
                self._line.send(fields)
            case outputs.Play() | outputs.PlayEnd() | outputs.Flush():
                self._play(output)
            case outputs.ToolCall(call_id, name, arguments):
                self.calls.begin(call_id, name, arguments)
            case outputs.CallsInterrupted(call_ids):
                self.calls.interrupted(call_ids)
            case outputs.BudgetChanged(verdict):
                self._on_budget(verdict)
            case outputs.AskAgain() | outputs.GivenUp() | outputs.Hung() | outputs.CutShort():
                self._news.tell(output)
            case outputs.Failed():
                self._on_failed(error_of_failure(output))

    def _play(self, output: outputs.Play | outputs.PlayEnd | outputs.Flush) -> None:
        match output:
            case outputs.Play(item_id, content_index, start_sample, audio):
                self._speaker.play(item_id, content_index, start_sample, audio)
            case outputs.PlayEnd(item_id, content_index, samples):
                self._speaker.end(item_id, content_index, samples)
            case outputs.Flush():
                self._start(self._flush())

    def _on_budget(self, verdict: Verdict) -> None:
        self.note("budget", **verdict.as_row())
        if self._listener is not None:
            self._listener.budget_changed(verdict)
        if verdict.state == "warned":
            self.budget_warning(f"{verdict.message}: {verdict.next_step}")

    def _on_time(self) -> None:
        self.protocol.tick()
        self._pump()

    def _start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = loop().create_task(coroutine)
        # The loop keeps only weak references to its tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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

    # ---- for the calls: see `calls.Host` -------------------------------------------------------------------

    def answer_call(self, call_id: str, output: str, *, follow_up: bool = True) -> None:
        """Send a function's output to the model; after the end it is dropped."""
        if self._at in {"open", "reconnecting"}:
            self.protocol.tool_output(call_id, output, follow_up=follow_up)
            self._pump()

    def tell_tools(self, schemas: list[dict[str, Any]]) -> None:
        """Let the server know of other tools, if it can be told now; else it will be with the settings."""
        if self._at == "open":
            self.protocol.update({"tools": schemas})
            self._pump()

    def word_beside(self, fields: Mapping[str, Any]) -> Wish | None:
        """Ask for a response beside the conversation; None where that would disturb somebody."""
        if self._at != "open" or not self.protocol.may_speak_beside:
            return None
        wish = self.protocol.respond(fields)
        # Should the server refuse it, nobody is to be bothered.
        wish.awaited = True
        self._pump()
        return wish

    async def until(self, condition: Callable[[], bool], what: str, timeout_s: float | None) -> None:
        """See `Waits.until`."""
        await self._waits.until(condition, what, timeout_s)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine on the loop."""
        self._start(coroutine)

    def _on_failed(self, error: GipError) -> None:
        if ends_session(error) and self.settings.reconnect is not None and comes_back(error):
            # The connection ends, and the session does not.
            return
        if self._listener is not None and self._at in {"open", "reconnecting"}:
            self._listener.failed(error)

    # ---- inside: where it is -------------------------------------------------------------------------------

    def _raise_if_ended(self) -> None:
        if self._at in {"closing", "closed", "error"}:
            raise self.error or AlreadyClosed

    def _move(self, at: At) -> None:
        self._at = at
        self._tell_state()

    def _tell_state(self) -> None:
        state = self.state
        if state != self._told_state and self._at != "closing":
            self._told_state = state
            if self._listener is not None:
                self._listener.state_changed(state)


def _tell(listener: Listener, output: Output) -> None:
    """What of this is to be shown."""
    match output:
        case outputs.Play(_, _, _, audio):
            listener.audio_added(audio)
        case outputs.ItemChanged(item_id):
            listener.item_changed(item_id)
        case outputs.TextAdded(item_id, delta):
            listener.text_added(item_id, delta)
        case outputs.SettingsChanged():
            listener.settings_changed()
        case outputs.TurnDone(turn):
            listener.turn_done(turn)
        case outputs.TurnLabelled(turn):
            listener.turn_labelled(turn)
