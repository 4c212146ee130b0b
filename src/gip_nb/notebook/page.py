"""The pages' other half in the kernel: answers and the talk go to them, sound and wishes come from them.

Everything here runs on the loop. It never sends by itself: `post` is the widget's one function that does.
The Jupyter server drops messages in silence when there are too many, so those about the talk's state are
numbered (`rev`), as the audio's are (`sender.py`): what was lost is noticed and sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.errors import GipError
from gip_nb.notebook.clock_exchange import ClockExchange
from gip_nb.notebook.conversation_view import ConversationView
from gip_nb.notebook.hearing import Hearing
from gip_nb.notebook.lease import ABSENT_S, Lease
from gip_nb.notebook.microphone import CaptureWish
from gip_nb.notebook.routing import RoutingWatch
from gip_nb.notebook.sender import AudioSender
from gip_nb.session.loop import loop, start_task
from gip_nb.session.speaker import Flushed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gip_nb.notebook.routing import Arrival
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["Owner", "Page"]

# The number of a flush that nobody asked for.
_VIEW_IS_GONE = -1
_TAKE_OVER_TIMEOUT_S = 0.5
# A page that is loaded again, on a slow machine too.
_LISTENS_AGAIN_S = 20.0
# Who does not come back in this time is not waited for with the answers.
_COMES_BACK_S = 60.0
# A question that the Jupyter server dropped is asked again.
_FLUSH_AGAIN_S = 0.3
_PAGES_REMEMBERED = 64
# So many frames in a row of a page that has no lease are no stragglers.
_STRAY_FRAMES = 5


class Owner(Protocol):
    """The widget, as far as this room needs it."""

    def lease_changed(self) -> None:
        """Another page, or none, hears and speaks now."""

    def routing_changed(self) -> None:
        """Messages of the page began, or ceased, to wait for the main thread."""

    def sound_started(self) -> None:
        """An item's first sample was played."""

    def snapshot(self, page: str) -> None:
        """This page has missed something: send it everything."""


class Page:
    """What the pages show and play of one talk. Implements `Speaker`.

    Args:
        post: sends one message, with its buffers, to every page.
        owner: hears of what changed.
    """

    def __init__(self, post: Callable[[dict[str, Any], Sequence[bytes]], None], owner: Owner) -> None:
        self._raw_post = post
        self._owner = owner
        self._session: AsyncRealtimeSession | None = None
        self.rev = 0
        self.lease = Lease()
        self._previous: str | None = None
        # Pages that show the talk, the newest last.
        self._showing: dict[str, None] = {}
        self._was_shown = False
        self._sender = AudioSender(post, self._note)
        self._clocks = ClockExchange(self._post, lambda: self.rev, lambda: self._sender.owed)
        self._routing = RoutingWatch()
        self._flush_number = 0
        self._stopped_by_itself: Flushed | None = None
        self._flushing: dict[int, tuple[str, asyncio.Future[Flushed]]] = {}
        self._takes = 0
        # Pages that can play nothing: a browser without audio contexts.
        self._soundless: set[str] = set()
        self._stray: tuple[str, int] = ("", 0)
        self.view = ConversationView(self._post_state)
        self._hearing = Hearing(self._post, lambda: loop().time())
        self.capture = CaptureWish(self._post)
        # The page whose microphone is on, as far as pages have said.
        self.microphone_page: str | None = None

    def show(self, session: AsyncRealtimeSession) -> None:
        """From now on this session is the one that the pages show; what they showed before goes."""
        if session is self._session:
            return
        self._sender.drop()
        self._session = session
        self.view.show(session.protocol.conversation)

    def tell(self, patch: dict[str, Any]) -> None:
        """What changed in the bar, to every page."""
        self._post_state({"kind": "talk", "page": None, "patch": patch})

    def _post_state(self, content: dict[str, Any]) -> None:
        self.rev += 1
        self._raw_post({**content, "rev": self.rev}, ())

    def _post(self, content: dict[str, Any]) -> None:
        self._raw_post(content, ())

    def _note(self, what: str, **fields: Any) -> None:
        """A local row, where there is a session to have it."""
        if self._session is not None:
            self._session.note(what, **fields)

    # ---- who hears and speaks ------------------------------------------------------------------------------

    @property
    def audio_page(self) -> str | None:
        """The page that hears and speaks."""
        return self.lease.page

    @property
    def plays(self) -> bool:
        """Whether some page has the sound and can play it, or may come back for it."""
        if self.lease.page is not None:
            return self.lease.page not in self._soundless
        return self.lease.wanted and self.lease.gone_s(loop().time()) < _COMES_BACK_S

    @property
    def held_up(self) -> bool:
        """Whether messages of the page wait for the main thread: while a cell runs, nobody is heard."""
        return self._routing.held_up

    def grant(self, page: str, reason: str) -> None:
        """This page hears and speaks from now on; it gets what was not played yet.

        Args:
            page: whom.
            reason: for the log: `start`, `take`, `reload`, `view`.
        """
        if self.lease.page == page:
            return
        self.lease.grant(page, loop().time())
        self._note("lease", page=page, reason=reason)
        self._owner.lease_changed()
        if self._session is not None:
            self._hearing.begin(self._session.note)
            self._clocks.begin(page, self._session)
        self._sender.begin(page)

    async def take(self, page: str) -> bool:
        """Hand the sound over to this page, from where the one that has it is.

        Returns:
            False where the talk has ended meanwhile, or another page was quicker.
        """
        if self.lease.page == page:
            return True
        session = self._session
        self._takes += 1
        try:
            await self._take_from_holder()
        finally:
            self._takes -= 1
        if self._session is session and self.lease.wanted and self.lease.page is None:
            self.grant(page, "take")
        return self.lease.page == page

    async def _take_from_holder(self) -> None:
        holder = self.lease.page
        if holder is not None:
            self._leave(holder, "take")
            try:
                async with asyncio.timeout(_TAKE_OVER_TIMEOUT_S):
                    stopped = await self._ask_flush(holder)
            except TimeoutError:
                # It does not answer: what it said last is where it was.
                stopped = Flushed({})
            for item_id, samples in stopped.played_samples.items():
                self._sender.played(item_id, samples)
                self._note("playback.position", item_id=item_id, played_samples=samples, page=holder)

    def end_talk(self) -> None:
        """The talk is over: no page has the sound any more."""
        self.lease.end()
        self.capture.over()
        self._hearing.end()
        self._sender.end_talk()
        self._clocks.stop()
        self.microphone_page = None
        if self._routing.forget():
            self._routing_changed()
        self._owner.lease_changed()

    def hello(self, page: str, tab: str, *, shows: bool, plays: bool = True) -> None:
        """A page has the model, or shows its first view. Where its tab had the sound, it has it again."""
        self.lease.introduce(page, tab)
        if not plays:
            self._soundless.add(page)
        if shows:
            self._was_shown = True
            self._showing.pop(page, None)
            self._showing[page] = None
            self._showing = dict(list(self._showing.items())[-_PAGES_REMEMBERED:])
            self._let_come_back(page)
            if self.lease.page not in {None, page}:
                # A tab of the notebook that is closed cannot say goodbye: its connection is gone before it.
                loop().call_later(ABSENT_S + 0.1, self._look_again)

    @property
    def was_shown(self) -> bool:
        """Whether a page has shown the talk: if it does not now, it may again (a reload, a closed tab)."""
        return self._was_shown

    @property
    def newest(self) -> str | None:
        """The page that has shown the talk last and shows it still, as far as is known."""
        return next(reversed(self._showing), None)

    def _let_come_back(self, page: str) -> None:
        now = loop().time()
        if self.lease.comes_back(page, now):
            self._previous = self.lease.page or self._previous
            gone_s = self.lease.gone_s(now)
            self.grant(page, "reload")
            # Who comes back after a while, or was not listened to, is not to be listened to unasked.
            if self.microphone_page == self._previous and gone_s < _LISTENS_AGAIN_S:
                self.capture.open(page)

    def _look_again(self) -> None:
        for page in reversed(self._showing):
            self._let_come_back(page)

    def bye(self, page: str, frames: object = None) -> None:
        """A page goes, or shows the talk no more. What is not played waits for its coming back.

        Args:
            page: which.
            frames: how many its microphone has given: none of those that are missing comes any more.
        """
        self._hear({"page": page, "seq": frames, "base": frames}, b"")
        self._leave(page, "bye")
        self._showing.pop(page, None)
        # The one that comes after it in its tab may have been quicker.
        self._look_again()

    def _leave(self, page: str, reason: str) -> None:
        if self.lease.leave(page):
            self._previous = page
            self.capture.over()
            self._hearing.end()
            self._sender.pause()
            self._clocks.stop()
            self._note("lease", page=None, reason=reason)
            self._owner.lease_changed()

    # ---- Speaker: answers to the page ----------------------------------------------------------------------

    def play(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
        """Send it on, coalesced."""
        self._stopped_by_itself = None
        if self.plays:
            self._sender.add(item_id, content_index, start_sample, audio)

    def end(self, item_id: str, content_index: int, samples: int) -> None:
        """Send the rest, however short."""
        if self.plays:
            self._sender.end(item_id, content_index, samples)

    async def flush(self) -> Flushed:
        """Stop the page's player and wait for what it had played."""
        self._sender.drop()
        if self._stopped_by_itself is not None:
            stopped, self._stopped_by_itself = self._stopped_by_itself, None
            return stopped
        return Flushed({}) if self.lease.page is None else await self._ask_flush(self.lease.page)

    async def _ask_flush(self, page: str) -> Flushed:
        self._flush_number += 1
        number = self._flush_number
        future: asyncio.Future[Flushed] = loop().create_future()
        self._flushing[number] = (page, future)
        try:
            while True:
                self._post({"kind": "flush", "page": page, "flush": number})
                done, _ = await asyncio.wait({future}, timeout=_FLUSH_AGAIN_S)
                if done:
                    return future.result()
        finally:
            self._flushing.pop(number, None)

    # ---- from the page -------------------------------------------------------------------------------------

    def clock(self, content: dict[str, Any], arrival: Arrival) -> None:
        """The page's time, and up to where it has what it was sent."""
        answer = self._clocks.answered(content, arrival)
        if answer is None:
            return
        self._sender.acknowledged(answer.acked)
        if answer.missed:
            self._owner.snapshot(str(content.get("page")))

    def microphone(self, content: dict[str, Any], pcm: bytes, arrival: Arrival) -> None:
        """Numbered frames. Only the page that has the audio is heard."""
        page = str(content.get("page"))
        if page == self.lease.page and self._session is not None:
            if self._routing.frame(arrival):
                self._routing_changed()
        elif pcm:
            self._shut_stray(page)
            return
        self._hear(content, pcm)

    def _hear(self, content: dict[str, Any], pcm: bytes) -> None:
        page = str(content.get("page"))
        if page != self.lease.page or self._session is None:
            self._hearing.left(content)
            return
        for frame in self._hearing.frames(content, pcm):
            self._session.push_microphone(frame.pcm, page=page, captured_ms=frame.captured_ms)

    def microphone_closed(self, page: str) -> None:
        """A page's microphone is off, or was not to be had."""
        if page == self.lease.page:
            self._hearing.pause()

    def _shut_stray(self, page: str) -> None:
        """A page records and nobody wants it: it has missed that it should not."""
        if self._takes:
            return
        known, frames = self._stray
        self._stray = (page, frames + 1 if page == known else 1)
        # Once, and again each second while it goes on.
        if self._stray[1] % 25 == _STRAY_FRAMES:
            self._post({"kind": "capture", "page": page, "on": False})
            self._owner.snapshot(page)

    def _routing_changed(self) -> None:
        self._sender.silence_counts = not self.held_up
        self._owner.routing_changed()

    def playback(self, content: dict[str, Any]) -> None:
        """The player's position: a row, and news for the protocol."""
        if content.get("page") != self.lease.page or self._session is None:
            return
        self._sender.worklet_heard()
        self._sender.acknowledged(content.get("acked"))
        event, item_id = content.get("event"), content.get("item_id")
        if self._flushing or event not in {"started", "position", "ended"} or not isinstance(item_id, str):
            return
        played = _whole(content.get("played_samples"))
        fields = {
            k: content.get(k)
            for k in ("item_id", "content_index", "played_samples", "output_latency_ms", "underruns", "page")
        }
        self._session.note(f"playback.{event}", **fields, page_ms=content.get("at_ms"))
        if event == "started":
            self._owner.sound_started()
        self._sender.played(item_id, played, ended=event == "ended")

    def flushed(self, content: dict[str, Any]) -> None:
        """The player has stopped: because it was asked to, or because its last view is gone."""
        positions = content.get("positions")
        played = {
            str(p.get("item_id")): int(p["played_samples"])
            for p in (positions if isinstance(positions, list) else [])
            if isinstance(p, dict) and isinstance(p.get("played_samples"), int | float)
        }
        latency = content.get("output_latency_ms")
        stopped = Flushed(played, float(latency) if isinstance(latency, int | float) else 0.0)
        if content.get("flush") == _VIEW_IS_GONE:
            if (
                played
                and self._session is not None
                and content.get("page") in {self.lease.page, self._previous}
            ):
                self._stopped_by_itself = stopped
                start_task(_interrupt(self._session))
            return
        asked, future = self._flushing.get(_whole(content.get("flush")), (None, None))
        if future is not None and asked == content.get("page") and not future.done():
            future.set_result(stopped)


async def _interrupt(session: AsyncRealtimeSession) -> None:
    """Nobody listens any more: what was heard is what the model should remember."""
    with contextlib.suppress(GipError):
        await session.interrupt()


def _whole(value: object) -> int:
    """A whole number that the page said; -2, which is no number of anything, where it said none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else -2
