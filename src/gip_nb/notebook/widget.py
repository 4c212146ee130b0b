"""`Talk`, the anywidget: messages for the page, and the talk's few verbs; its traits are in live_traits.py.

`_post` is the one function that sends to the page.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from gip_nb.errors import GipError, NothingToDo
from gip_nb.notebook.bar import Bar, reconnecting_view
from gip_nb.notebook.beside import Beside
from gip_nb.notebook.greeting import Greeting
from gip_nb.notebook.live_traits import LiveTraits
from gip_nb.notebook.microphone import MicrophoneNews
from gip_nb.notebook.newest import NewestOnly
from gip_nb.notebook.page import Page
from gip_nb.notebook.probe import Probe
from gip_nb.notebook.redefinition import unfollow
from gip_nb.notebook.requests import Requests, error_view
from gip_nb.notebook.routing import Arrival, advice, cure_sticky_routing
from gip_nb.notebook.settings_view import detection_name, settings_view
from gip_nb.notebook.verbs import SessionVerbs
from gip_nb.protocol.cost import total_cost
from gip_nb.session.blocking import RealtimeSession
from gip_nb.session.loop import in_thread, loop, run_blocking, start_task
from gip_nb.session.reply import read_utterance
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import with_changes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager

    from gip_nb.notebook.probe import Examination
    from gip_nb.notebook.requests import Answer, Verb, Wish
    from gip_nb.protocol.budget import Verdict
    from gip_nb.protocol.outputs import AskAgain, State
    from gip_nb.session.reconnecting import Attempt
    from gip_nb.session.settings import Settings
    from gip_nb.tools import Toolbox

__all__ = ["Talk"]

_STATIC = Path(__file__).parent / "static"
_log = logging.getLogger(__name__)


def _asset(name: str) -> Path | str:
    """A part of the bundle: its text, or for front-end development its path, which anywidget then watches.

    Not the path always: anywidget 0.11 keeps each widget that has one for ever, closed or not.
    """
    path = _STATIC / name
    return path if os.environ.get("ANYWIDGET_HMR") == "1" else path.read_text("utf-8")


class Talk(LiveTraits):
    """A realtime talk in an output cell.

    Traits (observers run on the callback thread, in order):
        state: `idle`, `connecting`, `listening`, `hearing`, `thinking`, `speaking`, `muted`, `reconnecting`,
            `closed` or `error`.
        session_id: the server's name for the session, empty before it has one.
        model: the model's id.
        user_transcript, assistant_transcript: of the current turn; they grow live.
        turn: finished turns so far.
        usage: `requests`, `input_tokens` and `output_tokens` so far.
        error: `title`, `message` and `next_step` of the newest error, empty where there is none.
        reconnecting: while the connection is lost: `attempt` (from 1), `attempts` (the most that are made),
            `due_at_ms` (Unix time of the next one; None while it is made) and `message` (why); else empty.
        audio_delta: the newest chunk of the answer, PCM16 little endian mono 24 000 Hz; for Python observers
            only, one notice a chunk.
    """

    _esm = _asset("widget.js")
    _css = _asset("widget.css")

    # The class of the record beside this widget, which a page hides while the widget lives there.
    _record_class = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        settings: Settings,
        tools: Toolbox | None = None,
        *,
        record: bool = True,
        greet: bool | str = False,
    ) -> None:
        self._settings = settings
        self._tools = tools
        self._greeting = Greeting(greet)
        self._page = Page(self._post, self)
        self._probe = Probe(lambda content: self._post(content, ()))
        self._sessions: list[RealtimeSession] = []
        self._bar = Bar(self._page.tell)
        self._muted = False
        self._microphone = MicrophoneNews()
        self._session_verbs = SessionVerbs(lambda: self._running, self._keep)
        # What begins, ends or hands over the talk is the widget's; what a session does by itself, verbs.py's.
        verbs: dict[str, Verb] = {
            "start": lambda wish: _nothing(self._start(wish.page)),
            "stop": lambda _: _nothing(self._stop()),
            "retry": lambda _: _nothing(self._retry()),
            "take": lambda wish: _nothing(self._take(wish.page)),
            "mute": lambda wish: _nothing(self._mute(muted=bool(wish.args.get("muted")))),
            "text": lambda wish: _nothing(self._say(wish.page, str(wish.args.get("text", "")))),
            "sound": lambda wish: _nothing(self._speak(wish)),
            **self._session_verbs.by_name(),
        }
        self._requests = Requests(verbs, self._post, self._begins)
        self._beside = Beside(
            lambda: [session._session for session in self._sessions],  # noqa: SLF001 - a wrapper of our own
            tools=tools is not None,
            record=record,
        )
        super().__init__(model=settings.model, _record_class=self._beside.record_class)
        cure_sticky_routing(self.comm)
        self._sessions.append(RealtimeSession(self._new_session()))
        self._page.show(self._running)
        self.on_msg(self._receive)
        _warm_up(rehearsal=settings.rehearsal)

    # ---- what a cell calls ---------------------------------------------------------------------------------

    @property
    def session(self) -> RealtimeSession:
        """The newest session: the one that runs, or the one that ended last. Its first verb connects."""
        return self._sessions[-1]

    @property
    def sessions(self) -> tuple[RealtimeSession, ...]:
        """All sessions of this talk, in order: Start after Stop begins a new one."""
        return tuple(self._sessions)

    def start(self) -> None:
        """Connect, and open the microphone in the page that shows this talk.

        A browser that was not asked before may want a click on Start for that.

        Raises:
            KeyRefused, ConnectionRefused, HostUnreachable, RehearsalFailed, TimedOut: it could not connect.
        """
        run_blocking(self._start(None))

    def stop(self) -> None:
        """End the talk. Its tables stay; `start()` begins a new session."""
        run_blocking(self._stop())

    def mute(self, muted: bool = True) -> None:  # noqa: FBT001, FBT002 - `mute(False)` is how people say it
        """Send silence instead of the microphone; the model stays connected."""
        run_blocking(self._mute(muted=muted))

    def close(self) -> None:
        """Remove the widget and end its talk."""
        if self.session.state not in {"idle", "closed", "error"}:
            start_task(self._stop())
        self._beside.close()
        unfollow(self)
        super().close()

    # ---- for `doctor()`, on the loop -----------------------------------------------------------------------

    async def examine(self) -> Examination | None:
        """Ask the page that has the sound, or shows this talk, what it knows; None where there is no page."""
        page = self._page.audio_page or self._page.newest
        return None if page is None else await self._probe.examine(page)

    # ---- verbs, on the loop --------------------------------------------------------------------------------

    @property
    def _running(self) -> AsyncRealtimeSession:
        return self._sessions[-1]._session  # noqa: SLF001 - the blocking face is a wrapper of our own

    def _new_session(self) -> AsyncRealtimeSession:
        listener = NewestOnly(self)
        session = AsyncRealtimeSession(
            self._settings, tools=self._tools, speaker=self._page, listener=listener
        )
        listener.session = session
        return session

    def _fresh(self) -> AsyncRealtimeSession:
        """The running session, or a new one where the last has ended."""
        session = self._running
        if session.state in {"closed", "error"}:
            session = self._new_session()
            session.set_muted(muted=self._muted)
            self._sessions.append(RealtimeSession(session))
            self._page.show(session)
            self._set(user_transcript="", assistant_transcript="", turn=0, usage={}, session_id="")
            self._bar.began()
        return session

    def look_at_tools(self) -> None:
        """A cell has run: it may have defined tools anew. On the loop."""
        start_task(self._look_at_tools())

    async def _look_at_tools(self) -> None:
        if await self._running.calls.look_again():
            self._tell_settings()

    def _keep(self, fields: dict[str, Any]) -> None:
        """The next session begins with what the pages have changed; one that has not begun is the next.

        Raises:
            UnknownOption, BadSetting: what cannot be asked for.
        """
        self._settings = with_changes(self._settings, fields)
        if self._running.state == "idle":
            self._running.settings = self._settings
        self.settings_changed()

    async def _start(self, page: str | None) -> None:
        session = self._fresh()
        if page is not None and self._page.audio_page is None:
            self._page.grant(page, "start")
        elif page is not None:
            await self._page.take(page)
        elif self._page.audio_page is None and self._page.newest is not None:
            self._page.grant(self._page.newest, "start")
        if page is None:
            self._forget_error()
        if page is None and self._page.audio_page is not None:
            self._microphone.asked_again()
            self._page.capture.open(self._page.audio_page)
        try:
            await session.connect()
        except GipError:
            if session is self._running:
                self._end_capture()
            raise
        self._greeting.ask(session)
        if page is None and self._page.audio_page is not None:
            await self._microphone.there_or_why_not()

    def _forget_error(self) -> None:
        self._bar.tell(error=None)
        self._set(error={})

    async def _stop(self) -> None:
        session = self._running
        self._muted = False
        self._bar.tell(muted=False)
        await session.close()
        # A new one may have begun meanwhile; then the microphone is that one's.
        if session is self._running:
            self._end_capture()

    async def _retry(self) -> None:
        """Somebody would rather not wait for the next attempt."""
        self._running.try_now()

    def _end_capture(self) -> None:
        if self._page.audio_page is not None:
            self._post({"kind": "capture", "page": self._page.audio_page, "on": False}, ())
        self._page.end_talk()

    async def _mute(self, *, muted: bool) -> None:
        self._muted = muted
        self._running.set_muted(muted=muted)
        self._bar.tell(muted=muted)

    async def _take(self, page: str) -> None:
        """Let this page hear and speak.

        Raises:
            NothingToDo: there is no talk to take over, or another page was quicker.
        """
        if self._running.state in {"idle", "closed", "error"} or not await self._page.take(page):
            raise NothingToDo("the talk was not taken over", "press again, here or in the other window.")

    async def _say(self, page: str, text: str) -> None:
        """Typed words: they interrupt, as spoken ones do.

        Raises:
            NothingToDo: there are none.
        """
        if not text.strip():
            raise NothingToDo("there is nothing to send", "type some words first.")
        session = self._answering_in(page, "text")
        await session.connect()
        await session.interrupt()
        await session.send_text(text)
        await session.respond()

    async def _speak(self, wish: Wish) -> None:
        """A WAV file, as if it had been spoken.

        Raises:
            BadAudio: it is none.
        """
        pcm = await in_thread(read_utterance, wish.sound, str(wish.args.get("name") or "the file"))
        await self._answering_in(wish.page, "sound").speak(pcm)

    def _answering_in(self, page: str, reason: str) -> AsyncRealtimeSession:
        """The session for what was not spoken into a microphone, which stays as it is.

        The answer is heard where the question was asked.
        """
        session = self._fresh()
        if self._page.audio_page is None:
            self._page.grant(page, reason)
            self._bar.tell(error=None)
        return session

    # ---- from the page: whichever thread the kernel runs handlers in ---------------------------------------

    def _receive(self, _widget: object, content: object, buffers: Sequence[Any] | None) -> None:
        """Copy the bytes and hand them to the loop: a handler that works would hold up the next message."""
        if isinstance(content, dict):
            on_main_thread = threading.current_thread() is threading.main_thread()
            arrival = Arrival(time.monotonic_ns(), on_main_thread=on_main_thread)
            audio = bytes(buffers[0]) if buffers else b""
            loop().call_soon_threadsafe(self._on_message, content, audio, arrival)

    def _on_message(self, content: dict[str, Any], sound: bytes, arrival: Arrival) -> None:
        page = str(content.get("page"))
        self._page.lease.seen(page, loop().time())
        match content.get("kind"):
            case "mic":
                self._page.microphone(content, sound, arrival)
            case "playback":
                self._page.playback(content)
            case "flushed":
                self._page.flushed(content)
            case "clock" | "facts" if self._probe.answered(content, arrival):
                pass
            case "clock":
                self._page.clock(content, arrival)
            case "hello":
                self._on_hello(page, content)
            case "bye":
                self._page.bye(page)
            case "mic_state":
                self._on_microphone(content)
            case "request":
                self._requests.come(content, sound)
            case kind:
                _log.warning("the page sent a message of unknown kind %r", kind)

    def _on_hello(self, page: str, content: dict[str, Any]) -> None:
        views = content.get("views")
        shows = isinstance(views, int) and views > 0
        tab, plays = str(content.get("tab") or page), content.get("plays") is not False
        self._page.hello(page, tab, shows=shows, plays=plays)
        if shows and self._running.state not in {"idle", "closed", "error"} and not self._page.plays:
            # A cell began it before there was a page: the first one that shows it is where it is heard.
            self._page.grant(page, "view")
        self.snapshot(page)

    def _begins(self, verb: str) -> None:
        # At once: what the page tells next, of its microphone, belongs to the new session. Not for a sound
        # file: it may be none, and then what was said before stays.
        if verb in {"start", "text"}:
            self._fresh()
        if verb == "start":
            self._forget_error()

    def _on_microphone(self, content: dict[str, Any]) -> None:
        state, error = content.get("state"), content.get("error")
        fields = {k: content.get(k) for k in ("state", "sample_rate_hz", "page")}
        if isinstance(error, dict):
            fields["error"] = f"{error.get('name')}: {error.get('message')}"
        self._running.note("mic.state", **fields)
        page = content.get("page")
        self._page.capture.over(str(page))
        if state == "on":
            self._page.microphone_page = str(page)
        elif page != self._page.audio_page and self._page.lease.wanted:
            # One that gave the talk away, or is left, closes its microphone: nobody waits for that.
            if state == "off":
                return
        elif page == self._page.microphone_page:
            self._page.microphone_page = None
        problem = self._microphone.told(content)
        if problem is not None:
            self._set(error=dict(error_view(problem)))

    # ---- Listener: what the session says, on the loop ------------------------------------------------------

    def state_changed(self, state: State) -> None:
        """Tell the page and the trait."""
        session = self._running
        now_ms = time.time() * 1000
        if state in {"closed", "error"}:
            self._bar.tell(ended_at_ms=now_ms)
        elif state not in {"idle", "connecting"} and not self._bar.connected:
            self._bar.tell(connected_at_ms=now_ms)
        if state == "connecting" and not self._page.plays and self._page.newest is not None:
            # Whoever began it, a click or a verb in a cell: the page that shows this talk plays it.
            self._page.grant(self._page.newest, "view")
        self._bar.tell(
            state=state,
            session_id=session.session_id,
            dialect=session.dialect,
            event_count=len(session.log),
        )
        self._tell_settings()
        self._set(state=state, session_id=session.session_id or "")
        if state in {"closed", "error"}:
            self._end_capture()
            self._beside.changed(ended=True)

    def reconnect_changed(self, attempt: Attempt | None) -> None:
        """Show where coming back is; what was said of the connection that went is over when it is back."""
        view = reconnecting_view(attempt)
        self._bar.tell(reconnecting=view)
        self._set(reconnecting=dict(view or {}))
        if attempt is None and self._running.state != "error":
            self._forget_error()

    def item_changed(self, item_id: str) -> None:
        """Show it, and let the transcripts of the current turn follow."""
        self._page.view.item_changed(item_id)
        self._follow_transcripts()

    def text_added(self, item_id: str, delta: str) -> None:
        """Show it, and let the transcripts of the current turn follow."""
        self._page.view.text_added(item_id, delta)
        self._follow_transcripts()

    def audio_added(self, audio: bytes) -> None:
        """For Python observers: one notice a chunk, equal ones too."""
        if "audio_delta" in self._trait_notifiers:
            self._set_one("audio_delta", audio)

    def settings_changed(self) -> None:
        """Show what the server has in force."""
        self._bar.tell(session_id=self._running.session_id)
        self._tell_settings()

    def _tell_settings(self) -> None:
        session = self._running
        if session.settings_settled:
            self._bar.tell(
                turn_detection=detection_name(session, self._settings),
                settings=settings_view(session, self._settings),
            )

    def turn_done(self, turn: int) -> None:
        """Count it."""
        conversation = self._running.protocol.conversation
        usage = {
            "requests": conversation.requests,
            "input_tokens": sum(t.usage.input_tokens for t in conversation.turns),
            "output_tokens": sum(t.usage.output_tokens for t in conversation.turns),
        }
        self._follow_transcripts()
        self._set(turn=turn, usage=usage)
        self._bar.tell(requests=conversation.requests, event_count=len(self._running.log))
        self._bar.spent(total_cost(conversation))
        self._beside.changed()

    def budget_changed(self, verdict: Verdict) -> None:
        """Show it where it is news; what said that the budget was spent goes when there is room again."""
        if self._bar.budget(verdict):
            self._set(error={})

    def turn_labelled(self, _turn: int) -> None:
        """Keep it in the record; its rows are shown anew by `item_changed`."""
        self._bar.tell(event_count=len(self._running.log))
        self._beside.changed()

    def can_ask(self) -> bool:
        """Whether a page shows the talk, or has: a question about a call then waits for it."""
        return self._page.was_shown

    def tool_runs(self, call_id: str, name: str) -> AbstractContextManager[None]:
        """What it displays meanwhile appears under the panel."""
        return self._beside.tool_runs(call_id, name)

    def tool_result(self, call_id: str, name: str, value: object) -> None:
        """Show it under the panel, where it is more than text."""
        self._beside.tool_result(call_id, name, value)

    def log_changed(self, folder: Path | None, *, stopped: bool) -> None:
        """Show that the talk is written to disk, and where."""
        self._bar.tell(log=None if folder is None else {"folder": str(folder), "stopped": stopped})

    def asks_again(self, news: AskAgain | None) -> None:
        """Show that a failed answer is asked for again, while it is waited for."""
        self._bar.asks_again(news)

    def failed(self, error: GipError) -> None:
        """Show it in the widget too."""
        view = error_view(error)
        self._bar.tell(error=view)
        self._set(error=dict(view))

    # ---- to the page and to the traits ---------------------------------------------------------------------

    def _post(self, content: dict[str, Any], buffers: Sequence[bytes]) -> None:
        """The one place that sends messages to the page."""
        if self.comm is None:
            return
        try:
            self.send(content, list(buffers))
        except Exception:  # noqa: BLE001 - a page that is gone must not end the talk
            _log.exception("a message of kind %r could not be sent to the page", content.get("kind"))

    # ---- Owner: what the page's half says, on the loop -----------------------------------------------------

    def lease_changed(self) -> None:
        """Tell the pages who hears and speaks."""
        self._bar.tell(audio_page=self._page.audio_page)
        self._session_verbs.sound_is_at(self._page.audio_page)

    def routing_changed(self) -> None:
        """Say that cells hold up the talk, and how to change it; or that they no longer do."""
        self._bar.tell(notice=advice() if self._page.held_up else None)

    def sound_started(self) -> None:
        """Show how long the user waited for it."""
        turn = self._running.protocol.conversation.current_turn
        if turn is not None and turn.first_sound_s is not None and turn.speech_end_s is not None:
            self._bar.tell(first_sound_ms=(turn.first_sound_s - turn.speech_end_s) * 1000)

    def snapshot(self, page: str) -> None:
        """Everything, for a page that is new here or has missed something."""
        session = self._running
        # First, since it sends what is still waiting.
        items = self._page.view.snapshot()
        talk = self._bar.whole(session, self._settings, muted=self._muted, audio_page=self._page.audio_page)
        rev, at_ms = self._page.rev, time.time() * 1000
        self._post(
            {"kind": "snapshot", "page": page, "rev": rev, "at_ms": at_ms, "talk": talk, "items": items}, ()
        )

    def _ipython_display_(self) -> None:
        """Show the widget and what stands beside it."""
        # ipywidgets takes it away from a widget that was closed.
        output: Callable[[], tuple[dict[str, Any], dict[str, Any]] | None] | None = self._repr_mimebundle_
        self._beside.display(None if output is None else output())

    def __repr__(self) -> str:
        return f"<Talk {self.state} model={self._settings.model!r}>"


async def _nothing(done: Awaitable[object]) -> Answer | None:
    """A verb that answers nothing but that it was done."""
    await done
    return None


def _warm_up(*, rehearsal: bool) -> None:
    """Begin what connecting needs while the user still reads the cell: each takes most of a second."""
    from gip_nb.session import embedded, transport  # not when the widget is imported

    start_task(in_thread(transport.import_openai))
    if rehearsal:
        # If it does not start, Start will say why.
        start_task(in_thread(embedded.address))
