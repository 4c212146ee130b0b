"""The pages' other half in the kernel: answers and the talk go to them, sound and wishes come from them.

Everything here runs on the loop. It never sends by itself: `post` is the widget's one function that does.
Limits of the Jupyter server shape it: past about 300 messages a second all messages are dropped in silence,
so audio goes out in messages of 100 ms or more, at most 50 a second, text at most 20 times a second, and both
are numbered: what was lost is noticed and sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from gip_nb.errors import GipError
from gip_nb.notebook.conversation_view import ConversationView
from gip_nb.notebook.delivery import Delivery
from gip_nb.notebook.lease import ABSENT_S, Lease
from gip_nb.session.loop import loop, start_task
from gip_nb.session.speaker import Flushed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gip_nb.notebook.delivery import AudioMessage
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["Arrival", "Owner", "Page"]

_AUDIO_INTERVAL_S = 0.02
# A page's worklet reports four times a second while it plays: one that is silent for this long plays nothing.
_SILENT_WORKLET_S = 5.0
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
# The clock is asked quickly at first, so that the first turn's latency is known, then every ten seconds; and
# every second while the page owes an acknowledgement.
_TICK_S = 1.0
_FIRST_TICK_S = 0.15
_FIRST_TICKS = 5
_CLOCK_EVERY_S = 10.0
# 0.4 s of microphone frames in a row.
_FRAMES_ON_MAIN_THREAD = 10


class Arrival(NamedTuple):
    """How a message of the page got here.

    Attributes:
        at_ns: when, on the monotonic clock.
        on_main_thread: whether the kernel handed it over on the thread that cells run on.
    """

    at_ns: int
    on_main_thread: bool


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


class _Asked(NamedTuple):
    at_s: float
    rev: int
    counts: bool


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
        self._delivery = Delivery()
        self._audio_timer: asyncio.TimerHandle | None = None
        self._audio_sent_at = 0.0
        self._worklet_at = 0.0
        self._paused = False
        self._flush_number = 0
        self._stopped_by_itself: Flushed | None = None
        self._flushing: dict[int, tuple[str, asyncio.Future[Flushed]]] = {}
        self._takes = 0
        # Pages that can play nothing: an address that is not secure.
        self._soundless: set[str] = set()
        self._stray: tuple[str, int] = ("", 0)
        self.view = ConversationView(self._post_state)
        self._microphone_seq: int | None = None
        # The page whose microphone is on, as far as pages have said.
        self.microphone_page: str | None = None
        self._on_main_thread = 0
        self._ticks = 0
        self._tick_timer: asyncio.TimerHandle | None = None
        self._clock_number = 0
        self._clock_asked: dict[int, _Asked] = {}
        self._clock_at = 0.0

    def show(self, session: AsyncRealtimeSession) -> None:
        """From now on this session is the one that the pages show; what they showed before goes."""
        if session is self._session:
            return
        self._drop_audio()
        self._session = session
        self.view.show(session.protocol.conversation)

    def tell(self, patch: dict[str, Any]) -> None:
        """What changed in the bar, to every page."""
        self._post_state({"kind": "talk", "page": None, "patch": patch})

    def _post_state(self, content: dict[str, Any]) -> None:
        self.rev += 1
        self._raw_post({**content, "rev": self.rev}, ())

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
        return self._on_main_thread >= _FRAMES_ON_MAIN_THREAD

    def grant(self, page: str, reason: str) -> None:
        """This page hears and speaks from now on; it gets what was not played yet.

        Args:
            page: whom.
            reason: for the log: `start`, `take`, `reload`, `view`.
        """
        if self.lease.page == page:
            return
        self.lease.grant(page, loop().time())
        if self._session is not None:
            self._session.note("lease", page=page, reason=reason)
        self._microphone_seq = None
        self._delivery.restart()
        self._worklet_at = loop().time()
        self._paused = False
        self._owner.lease_changed()
        self._ticks = 0
        self._clock_asked.clear()
        self._tick()
        self._schedule_audio()

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
                self._delivery.played(item_id, samples)
                if self._session is not None:
                    fields = {"item_id": item_id, "played_samples": samples, "page": holder}
                    self._session.note("playback.position", **fields)

    def end_talk(self) -> None:
        """The talk is over: no page has the sound any more."""
        self.lease.end()
        self._drop_audio()
        self._delivery = Delivery()
        self.microphone_page = None
        if self.held_up:
            self._on_main_thread = 0
            self._owner.routing_changed()
        if self._tick_timer is not None:
            self._tick_timer.cancel()
            self._tick_timer = None
        self._owner.lease_changed()

    def hello(self, page: str, tab: str, *, shows: bool, secure: bool = True) -> None:
        """A page has the model, or shows its first view. Where its tab had the sound, it has it again."""
        self.lease.introduce(page, tab)
        if not secure:
            self._soundless.add(page)
        if shows:
            self._showing.pop(page, None)
            self._showing[page] = None
            self._showing = dict(list(self._showing.items())[-_PAGES_REMEMBERED:])
            self._let_come_back(page)
            if self.lease.page not in {None, page}:
                # A tab of the notebook that is closed cannot say goodbye: its connection is gone before it.
                loop().call_later(ABSENT_S + 0.1, self._look_again)

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
                self._post({"kind": "capture", "page": page, "on": True})

    def _look_again(self) -> None:
        for page in reversed(self._showing):
            self._let_come_back(page)

    def bye(self, page: str) -> None:
        """A page goes, or shows the talk no more. What is not played waits for its coming back."""
        self._leave(page, "bye")
        self._showing.pop(page, None)
        # The one that comes after it in its tab may have been quicker.
        self._look_again()

    def _leave(self, page: str, reason: str) -> None:
        if self.lease.leave(page):
            self._previous = page
            self._cancel_audio_timer()
            if self._session is not None:
                self._session.note("lease", page=None, reason=reason)
            self._owner.lease_changed()

    # ---- Speaker: answers to the page ----------------------------------------------------------------------

    def play(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
        """Send it on, coalesced."""
        self._stopped_by_itself = None
        if self.plays:
            self._delivery.add(item_id, content_index, start_sample, audio)
            self._schedule_audio()

    def end(self, item_id: str, content_index: int, samples: int) -> None:
        """Send the rest, however short."""
        if self.plays:
            self._delivery.end(item_id, content_index, samples)
            self._schedule_audio()

    async def flush(self) -> Flushed:
        """Stop the page's player and wait for what it had played."""
        self._drop_audio()
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

    def _post(self, content: dict[str, Any], *buffers: bytes) -> None:
        self._raw_post(content, buffers)

    def _drop_audio(self) -> None:
        self._delivery.drop()
        self._cancel_audio_timer()

    def _cancel_audio_timer(self) -> None:
        if self._audio_timer is not None:
            self._audio_timer.cancel()
            self._audio_timer = None

    def _schedule_audio(self) -> None:
        if self._audio_timer is not None or self.lease.page is None or not self._delivery.due:
            return
        if self._nobody_plays():
            return
        wait_s = self._audio_sent_at + _AUDIO_INTERVAL_S - loop().time()
        if wait_s <= 0:
            self._send_audio()
        else:
            self._audio_timer = loop().call_later(wait_s, self._send_audio)

    def _nobody_plays(self) -> bool:
        """Whether the page's worklet has been silent for too long while it had something to play.

        Then the rest waits here. Where messages wait for the main thread, silence says nothing.
        """
        if not self._delivery.unplayed_samples:
            self._worklet_at = loop().time()
            return False
        if not self._delivery.begun:
            # Of each item one message goes out: what it brings forth says whether somebody plays again.
            return False
        silent = loop().time() - self._worklet_at > _SILENT_WORKLET_S and not self.held_up
        if silent and not self._paused and self._session is not None:
            self._session.note("playback.paused", page=self.lease.page)
        self._paused = silent
        return silent

    def _send_audio(self) -> None:
        """One message: what has gathered of the first item."""
        self._audio_timer = None
        message = self._delivery.take(loop().time()) if self.lease.page is not None else None
        if message is None:
            return
        self._post_audio(message)
        if self._session is not None:
            self._session.note(
                "page.delivered",
                seq=message.seq,
                item_id=message.item_id,
                start_sample=message.start_sample,
                samples=len(message.audio) // 2,
            )
        self._audio_sent_at = loop().time()
        self._schedule_audio()

    def _post_audio(self, message: AudioMessage) -> None:
        content = {"kind": "audio", "page": self.lease.page, **message._asdict()}
        audio: bytes = content.pop("audio")
        self._post(content, audio)

    def _acknowledged(self, content: dict[str, Any]) -> None:
        """The page says up to where it has all audio: what is missing though it was sent goes out again."""
        acked = content.get("acked")
        if not isinstance(acked, int):
            return
        self._delivery.acknowledge(acked)
        lost = self._delivery.overdue(loop().time())
        for message in lost:
            self._post_audio(message)
        if lost and self._session is not None:
            self._session.note("resend", seqs=[m.seq for m in lost])

    # ---- clocks --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Once a second while a page has the sound: ask its clock, or whether it has what it was sent."""
        if self._tick_timer is not None:
            self._tick_timer.cancel()
            self._tick_timer = None
        if self.lease.page is None or self._session is None:
            return
        now = loop().time()
        scheduled = self._ticks < _FIRST_TICKS or now - self._clock_at >= _CLOCK_EVERY_S
        if scheduled or self._delivery.unacknowledged:
            self._clock_at = now if scheduled else self._clock_at
            self._clock_number += 1
            # A page that never answers must not fill the memory.
            self._clock_asked = dict(list(self._clock_asked.items())[-16:])
            asked_s = self._session.log.elapsed_ns() / 1e9
            self._clock_asked[self._clock_number] = _Asked(asked_s, self.rev, scheduled)
            self._post({"kind": "clock", "page": self.lease.page, "clock": self._clock_number})
        self._ticks += 1
        self._tick_timer = loop().call_later(
            _FIRST_TICK_S if self._ticks < _FIRST_TICKS else _TICK_S, self._tick
        )

    def clock(self, content: dict[str, Any], arrival: Arrival) -> None:
        """The page's time, and up to where it has what it was sent."""
        asked = self._clock_asked.pop(_whole(content.get("clock")), None)
        page, page_ms = content.get("page"), content.get("page_ms")
        if asked is None or page != self.lease.page or self._session is None:
            return
        if isinstance(page_ms, int | float) and asked.counts:
            self._session.note(
                "clock",
                page=page,
                asked_s=asked.at_s,
                answered_s=self._session.log.elapsed_ns(arrival.at_ns) / 1e9,
                page_ms=float(page_ms),
            )
        self._acknowledged(content)
        rev = content.get("rev")
        if isinstance(rev, int) and rev < asked.rev:
            # Messages keep their order: what was sent before the question and is not there was lost.
            self._owner.snapshot(str(page))

    # ---- from the page -------------------------------------------------------------------------------------

    def microphone(self, content: dict[str, Any], pcm: bytes, arrival: Arrival) -> None:
        """A numbered frame. Only the page that has the audio is heard; a hole in the numbers is a row."""
        page = str(content.get("page"))
        if page != self.lease.page or self._session is None:
            self._shut_stray(page)
            return
        seq = content.get("seq")
        if not isinstance(seq, int):
            return
        self._notice_thread(arrival)
        if seq == 0:
            self._microphone_seq = None
        expected = seq if self._microphone_seq is None else self._microphone_seq + 1
        if seq < expected:
            return
        if seq > expected:
            self._session.note("mic.gap", missing=seq - expected, expected_seq=expected)
        self._microphone_seq = seq
        captured = content.get("captured_at_ms")
        captured_ms = float(captured) if isinstance(captured, int | float) else float("nan")
        self._session.push_microphone(pcm, page=page, captured_ms=captured_ms)

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

    def _notice_thread(self, arrival: Arrival) -> None:
        before = self.held_up
        self._on_main_thread = self._on_main_thread + 1 if arrival.on_main_thread else 0
        if before != self.held_up:
            self._owner.routing_changed()

    def playback(self, content: dict[str, Any]) -> None:
        """The player's position: a row, and news for the protocol."""
        if content.get("page") != self.lease.page or self._session is None:
            return
        self._worklet_at = loop().time()
        self._acknowledged(content)
        event, item_id = content.get("event"), content.get("item_id")
        if self._flushing or event not in {"started", "position", "ended"} or not isinstance(item_id, str):
            return
        played = _whole(content.get("played_samples"))
        self._delivery.played(item_id, played, ended=event == "ended")
        fields = {
            k: content.get(k)
            for k in ("item_id", "content_index", "played_samples", "output_latency_ms", "underruns", "page")
        }
        self._session.note(f"playback.{event}", **fields, page_ms=content.get("at_ms"))
        if event == "started":
            self._owner.sound_started()
        self._schedule_audio()

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
