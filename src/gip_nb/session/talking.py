"""One talk, joined together: line, protocol, journal, tools and speaker. What its user calls is session.py's.

Everything here runs on the loop; `connect()` and `close()` may be awaited from any loop and hop to it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import uuid
from typing import TYPE_CHECKING, Any, Self

import msgspec

from gip_nb.errors import AlreadyClosed, GipError
from gip_nb.journal.log import EventLog
from gip_nb.journal.tables import Tables
from gip_nb.protocol import outputs
from gip_nb.protocol.budget import Budget
from gip_nb.protocol.client import LEAST_COMMIT_SAMPLES, ClientProtocol
from gip_nb.protocol.deadlines import BEGIN_TIMEOUT_S, CANCEL_TIMEOUT_S, Limits
from gip_nb.protocol.frames import append_frame
from gip_nb.protocol.kept_input import Sound
from gip_nb.protocol.reconnection import comes_back
from gip_nb.protocol.requests import ignored_settings
from gip_nb.session.asking import Asking
from gip_nb.session.calls import Calls
from gip_nb.session.for_calls import ForCalls
from gip_nb.session.line import Line
from gip_nb.session.listener import show
from gip_nb.session.log_on_disk import LogOnDisk
from gip_nb.session.loop import in_thread, loop, on_loop
from gip_nb.session.microphone import Microphone
from gip_nb.session.opening import open_line
from gip_nb.session.playing import Playing
from gip_nb.session.response_news import ResponseNews
from gip_nb.session.returning import At, Returning
from gip_nb.session.speaker import NoSpeaker
from gip_nb.session.spending import Spending
from gip_nb.session.timers import Timer, now_s
from gip_nb.session.transport import OpenAITransport
from gip_nb.session.trouble import ends_session, error_of, error_of_failure
from gip_nb.session.waits import Waits
from gip_nb.tools.failures import message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from gip_nb.journal.log import Row
    from gip_nb.protocol.conversation import Direction
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Output, State
    from gip_nb.protocol.requests import Request
    from gip_nb.session.listener import Listener
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
        self._listener = listener
        speaker = NoSpeaker() if speaker is None else speaker
        self.protocol = ClientProtocol(
            new_id,
            player=speaker.plays,
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
        self._log_on_disk = LogOnDisk(self.log, lambda: self.settings, listener)
        self.spending = Spending(self, listener, self._pump)
        self._make_transport = transport
        self._line = Line(self.log, transport, self._on_event, self._on_closed)
        self._waits = Waits(self.callback_failed)
        # What the connection is at; while it is "open", the protocol's phase is the state.
        self._at: At = "idle"
        self._told_state: State = "idle"
        self._muted = False
        # The update that gives turn detection back after an utterance of a verb; and what is given back.
        self._giving_back: Request | None = None
        self._lent_detection: dict[str, Any] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._first_update: Request | None = None
        self.microphone = Microphone(self, self._pump)
        self._playing = Playing(speaker, self, self._waits, self._pump)
        self.calls = Calls(tools, ForCalls(self, self._waits, self._pump), listener)
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
    def at(self) -> At:
        """What the connection is at."""
        return self._at

    @property
    def settings_told(self) -> bool:
        """Whether the server has told what became of the settings of the start."""
        return self._first_update is None

    @property
    def settings_settled(self) -> bool:
        """Whether the server has told the settings that were asked for.

        Its greeting tells its defaults; and turn detection may be off for one utterance that does not come
        from the microphone.
        """
        if self._at == "reconnecting":
            return False
        giving_back = self._giving_back
        lent = self.microphone.held or (giving_back is not None and not giving_back.done)
        return self._at != "open" or (self._first_update is None and not lent)

    @property
    def session_id(self) -> str | None:
        """The server's name for this session, None before it has one."""
        return self.protocol.conversation.session_id

    @property
    def log_folder(self) -> Path | None:
        """Where this session writes itself, given `log=...`; None where it does not, or not yet."""
        return self._log_on_disk.folder

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
        return self.spending.limit_usd

    @budget_usd.setter
    def budget_usd(self, limit_usd: float | None) -> None:
        self.spending.limit(limit_usd)

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
            await self._log_on_disk.open()
            self._raise_if_ended()
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

    async def _write_log(self) -> None:
        """At the end, whatever ended it: what was logged is on disk when the verb returns."""
        await self._log_on_disk.write()

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
            raise self._why(self._line.ended)
        self._raise_if_ended()
        self._move("open")
        self._first_update = self.protocol.update(self.first_settings())
        self._restore(self.settings.history, "given")
        self.microphone.opened()
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
            await self._playing.end()
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

        Args:
            pcm: the frame.
            page: whose microphone.
            captured_ms: when its first sample was captured, on that page's clock; NaN where nobody knows.
        """
        self.microphone.push(Sound(pcm, page, captured_ms))

    @property
    def by_hand(self) -> bool:
        """Whether a key says where the user's turn ends. Until the server has told: as it is asked to."""
        return self.microphone.by_hand

    def speak_first(self, instructions: str) -> None:
        """Let the model begin the talk, unless the user has: asked for, and not waited for.

        Args:
            instructions: of this one response.
        """
        protocol = self.protocol
        enough = protocol.uncommitted_samples >= LEAST_COMMIT_SAMPLES
        said = any(not item.restored for item in protocol.conversation.items.values())
        begun = self.microphone.has_spoken(enough=enough) or protocol.answering or said
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

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine on the loop."""
        self._start(coroutine)

    def set_muted(self, *, muted: bool) -> None:
        """The page's microphone sends silence, or sound again."""
        self._muted = muted
        self._tell_state()

    # ---- inside: what comes --------------------------------------------------------------------------------

    def _on_event(self, event: Event, direction: Direction, row: Row) -> None:
        at_s = row.elapsed_ns / 1e9
        if direction == "received":
            self.protocol.player = self._playing.plays
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
        self.microphone.ended()
        self._resuming.give_up()
        self._log_on_disk.write_soon()
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
            show(self._listener, output)
        match output:
            case outputs.SendAudio(audio):
                self._line.send(append_frame(audio))
            case outputs.Send(fields):
                self.calls.sent(fields)
                self._line.send(fields)
            case outputs.Play() | outputs.PlayEnd() | outputs.Flush():
                self._playing.perform(output)
            case outputs.ToolCall(call_id, name, arguments):
                self.calls.begin(call_id, name, arguments)
            case outputs.CallsInterrupted(call_ids):
                self.calls.interrupted(call_ids)
            case outputs.BudgetChanged(verdict):
                self.spending.changed(verdict)
            case outputs.AskAgain() | outputs.GivenUp() | outputs.Hung() | outputs.CutShort():
                self._news.tell(output)
            case outputs.Failed():
                self._on_failed(error_of_failure(output))

    def _on_time(self) -> None:
        self.protocol.tick()
        self._pump()

    def _start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = loop().create_task(coroutine)
        # The loop keeps only weak references to its tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
