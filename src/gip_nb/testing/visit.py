"""One connection to a stage: what came, what was sent, and the script played on it. On the stage's loop."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from gip_nb.testing.steps import (
    Close,
    Cue,
    Cut,
    Expect,
    ExpectClose,
    ExpectNo,
    HalfAFrame,
    React,
    Say,
    Wait,
    checked,
    missing,
    name_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from websockets.asyncio.server import ServerConnection

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing.steps import Event, Said, Step

__all__ = ["LeftEarly", "Player", "ScriptNotFollowed", "Visit"]

_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
# For the other end to notice that the connection ended, before it is torn down.
_GONE_TIMEOUT_S = 1.0


class ScriptNotFollowed(AssertionError):
    """The client did not do what the stage's script expects; the text says what came instead."""


class LeftEarly(ScriptNotFollowed):
    """The client left before the script's end. Where a test fails, its client leaves, so this is no cause."""


class Visit:
    """One connection of a client, as the stage saw it. Any thread may read it.

    Attributes:
        number: which of the stage's connections, from 1.
        path: of the handshake, with its query.
        headers: of the handshake; names in any case.
        frames: what came, in order: an event as a dict; what is no JSON object as the text or bytes it is.
        sent: what the server sent, in order, as the script has it. Half a frame is none.
        close_code: how it ended; 1006 without a close frame, None while it is open.
        close_reason: what the end that closed said.
    """

    def __init__(self, number: int, path: str, headers: Mapping[str, str]) -> None:
        self.number = number
        self.path = path
        self.headers = headers
        self.frames: list[Said] = []
        self.sent: list[Said] = []
        self.close_code: int | None = None
        self.close_reason = ""

    def __repr__(self) -> str:
        # Without the headers: a key is among them.
        end = "open" if self.close_code is None else f"closed {self.close_code}"
        return f"<Visit {self.number} {self.dialect} {end} received={len(self.frames)} sent={len(self.sent)}>"

    @property
    def dialect(self) -> Dialect:
        """The dialect that the client asked for: by its header, or a browser's subprotocol."""
        asked = self.headers.get("Sec-WebSocket-Protocol", "")
        return "beta" if "OpenAI-Beta" in self.headers or _BETA_SUBPROTOCOL in asked else "ga"

    @property
    def model(self) -> str | None:
        """The model that the client asked for, decoded; None without."""
        return next(iter(parse_qs(urlsplit(self.path).query).get("model", [])), None)

    @property
    def received(self) -> list[Event]:
        """The events that came, in order; frames that are none left out."""
        return [frame for frame in tuple(self.frames) if isinstance(frame, dict)]

    def last(self, event_type: str) -> Event:
        """The newest event of this type that came.

        Raises:
            LookupError: none came.
        """
        for event in reversed(self.received):
            if event.get("type") == event_type:
                return event
        raise LookupError(f"no {event_type} came yet on connection {self.number}")


class Player:
    """Plays a script on one connection.

    Args:
        visit: where it is noted.
        steps: the script, as `checked` gives it.
        connection: the open WebSocket.
        cues: those that were given; grows.
        timeout_s: for steps that name none.
        to_the_end: whether a client that leaves before the script's end is a failure.
        on_step: called before each step.
    """

    def __init__(
        self,
        visit: Visit,
        steps: Sequence[Step],
        connection: ServerConnection,
        *,
        cues: set[str],
        timeout_s: float,
        to_the_end: bool,
        on_step: Callable[[], object],
    ) -> None:
        self._visit = visit
        self._steps = steps
        self._connection = connection
        self._cues = cues
        self._timeout_s = timeout_s
        self._to_the_end = to_the_end
        self._on_step = on_step
        self._news = asyncio.Event()
        # How many of the frames the script has gone past.
        self._seen = 0
        self._at = 0
        self._since = 0

    def wake(self) -> None:
        """Something changed that the script may be waiting for."""
        self._news.set()

    @property
    def is_played(self) -> bool:
        """Whether nothing is left of the script but to wait."""
        return all(isinstance(step, Wait | React) for step in self._steps[self._at :])

    def unplayed(self, why: str) -> ScriptNotFollowed:
        """The failure of the step at which the script is."""
        visit, step = self._visit, self._steps[min(self._at, len(self._steps) - 1)]
        came = [name_of(frame) for frame in visit.frames[self._since :]]
        return ScriptNotFollowed(
            f"the script was not followed on connection {visit.number} ({visit.dialect}), "
            f"at step {self._at + 1} of {len(self._steps)}, {step}: {why}\n"
            f"what came since the step before: {', '.join(came) or 'nothing'}"
        )

    async def read(self) -> None:
        """Note every frame that comes, until the connection ends."""
        with suppress(ConnectionClosed):
            while True:
                self._visit.frames.append(_read(await self._connection.recv()))
                self.wake()
        await self._connection.wait_closed()
        self._visit.close_reason = self._connection.close_reason or ""
        self._visit.close_code = self._connection.close_code or 1006
        self.wake()

    async def play(self) -> None:
        """Play it.

        Raises:
            ScriptNotFollowed: the client did not do its part.
        """
        for at, step in enumerate(self._steps):
            self._at = at
            self._on_step()
            try:
                await self._do(step)
            except _ClientLeft:
                if self._to_the_end:
                    raise self._left() from None
                break
            self._since = self._seen
        self._at = len(self._steps)

    def _left(self) -> ScriptNotFollowed:
        code, reason = self._visit.close_code, self._visit.close_reason
        left = f"the client had left (code {code}{f', {reason!r}' if reason else ''})"
        return LeftEarly(str(self.unplayed(left)))

    async def _do(self, step: Step) -> None:  # noqa: C901, PLR0912 - one arm a step
        match step:
            case Say(what):
                await self._say(what)
            case Expect():
                await self._expect(step)
            case ExpectNo(event_type, for_s):
                if await self._until(lambda: self._find(event_type), for_s):
                    raise self.unplayed(f"{event_type} came")
            case ExpectClose():
                await self._expect_close(step)
            case Wait(seconds):
                with suppress(_ClientLeft):
                    await self._until(lambda: False, seconds)
            case Cue(name, timeout_s):
                limit_s = self._limit(timeout_s)
                if not await self._until(lambda: name in self._cues, limit_s):
                    raise self.unplayed(f"nobody gave this cue within {limit_s:g} s")
            case React(answers):
                await self._react(answers)
            case Close(code, reason):
                self._must_be_there()
                await self._connection.close(code, reason)
            case Cut():
                self._must_be_there()
                await self._cut()
            case HalfAFrame(what):
                self._must_be_there()
                whole = _frame(what)
                self._connection.transport.write(whole[: len(whole) // 2])
                await self._cut()
            case dict():
                await self._say(step)
            case _:
                raise self.unplayed("no step of a script")

    def _limit(self, timeout_s: float | None) -> float:
        return self._timeout_s if timeout_s is None else timeout_s

    def _must_be_there(self) -> None:
        if self._visit.close_code is not None:
            raise _ClientLeft

    async def _say(self, what: Said | Callable[[Visit], Said | Iterable[Said]]) -> None:
        if callable(what):
            found = what(self._visit)
            told: Iterable[Said] = [found] if isinstance(found, dict | str | bytes) else found
        else:
            told = [what]
        for one in told:
            self._must_be_there()
            # Noted first: whoever has it may look at once.
            self._visit.sent.append(one)
            try:
                await self._connection.send(json.dumps(one) if isinstance(one, dict) else one)
            except ConnectionClosed:
                self._visit.sent.pop()
                await self._connection.wait_closed()
                self._visit.close_code = self._connection.close_code or 1006
                raise _ClientLeft from None

    async def _expect(self, step: Expect) -> None:
        limit_s = self._limit(step.timeout_s)
        at = await self._until(lambda: self._find(step.type), limit_s)
        if not at:
            raise self.unplayed(f"it did not come within {limit_s:g} s")
        self._seen = at
        event = self._visit.frames[at - 1]
        wrong = missing(event, step.holds) if isinstance(event, dict) else []
        if wrong:
            raise self.unplayed(f"{step.type} came, but {', and '.join(wrong)}")

    def _find(self, event_type: str) -> int:
        """One more than the index of the first event of this type that was not gone past; 0 for none."""
        frames = self._visit.frames
        for index in range(self._seen, len(frames)):
            frame = frames[index]
            if isinstance(frame, dict) and frame.get("type") == event_type:
                return index + 1
        return 0

    async def _expect_close(self, step: ExpectClose) -> None:
        limit_s = self._limit(step.timeout_s)
        if not await self._until(lambda: self._visit.close_code is not None, limit_s):
            raise self.unplayed(f"the client did not leave within {limit_s:g} s")
        if self._visit.close_code != step.code:
            raise self.unplayed(f"the client left with code {self._visit.close_code}")

    async def _react(self, answers: Callable[[Event], Iterable[Step]]) -> None:
        while True:
            try:
                await self._until(lambda: len(self._visit.frames) > self._seen, None)
            except _ClientLeft:
                return
            frame = self._visit.frames[self._seen]
            self._seen += 1
            for step in checked(answers(frame) if isinstance(frame, dict) else ()):
                await self._do(step)
                if isinstance(step, Close | Cut | HalfAFrame):
                    return

    async def _until(self, found: Callable[[], int], timeout_s: float | None) -> int:
        """Wait until `found()` is not 0. Returns 0 where the time is over.

        Raises:
            _ClientLeft: nothing will come any more.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not (there := found()):
                    self._must_be_there()
                    self._news.clear()
                    await self._news.wait()
                return there
        except TimeoutError:
            return 0

    async def _cut(self) -> None:
        # Half-closed: tearing the connection down would take from the client what it has not read yet.
        self._connection.transport.write_eof()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._connection.wait_closed(), _GONE_TIMEOUT_S)
        self._connection.transport.abort()


class _ClientLeft(Exception):
    """The connection ended while the script had more to play."""


def _read(frame: str | bytes) -> Said:
    try:
        found: Any = json.loads(frame)
    except ValueError:
        return frame
    return found if isinstance(found, dict) and isinstance(frame, str) else frame


def _frame(what: Said) -> bytes:
    """A whole WebSocket frame of a server, which masks nothing."""
    if isinstance(what, bytes):
        return bytes(Frame(Opcode.BINARY, what).serialize(mask=False))
    text = json.dumps(what) if isinstance(what, dict) else what
    return bytes(Frame(Opcode.TEXT, text.encode()).serialize(mask=False))
