"""`Stage`: a realtime server on this machine that plays scripts, on a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gip_nb.testing.steps import Refuse, checked
from gip_nb.testing.visit import LeftEarly, Player, ScriptNotFollowed, Visit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

    from gip_nb.testing.steps import Event, Said, Step

__all__ = ["Stage"]

_CLOSE_TIMEOUT_S = 1.0
_REALTIME = Subprotocol("realtime")
# websockets prints the handshake's headers, a key among them, to its logger at DEBUG.
_quiet = logging.getLogger("gip_nb.stage")
_quiet.setLevel(logging.CRITICAL)


class Stage:
    """A WebSocket server on 127.0.0.1 that plays a script to each client that connects.

    It says exactly what its script says, and nothing by itself: no greeting, no ping, no default answers. It
    runs in a thread of its own, so the test may block, or await, as it likes. Use it as a context manager,
    plain or async; leaving it checks that every script was followed to its end::

        refusing = [error("beta_api_shape_disabled", "no beta here"), Close(4000)]
        answering = [session_created(), Expect("response.create"), *answer("Hello.")]
        with Stage(refusing, answering) as stage:
            model = "openai/gpt-4o-realtime-preview"
            with gip_nb.connect(model, base_url=stage.url, api_key="any") as session:
                assert session.ask("hi").text == "Hello."
        assert [visit.dialect for visit in stage.visits] == ["beta", "ga"]

    For any other client, `stage.websocket_url` is what to dial.

    Args:
        *scripts: the first connection gets the first, and so on. One connection more than there are scripts
            is refused with HTTP 503, and a failure.
        timeout_s: how long a step waits that names no time, and how long a script may take to end after the
            test has.
        to_the_end: whether it is a failure that a client leaves before the end of its script, or that a
            script's client never came.

    Attributes:
        visits: the connections so far, in order; see `Visit`.

    Raises:
        ScriptNotFollowed: on leaving, and from `played()`: what was expected, and what came instead.
        ValueError: a script with steps that nobody could play.
    """

    def __init__(self, *scripts: Iterable[Step], timeout_s: float = 5.0, to_the_end: bool = True) -> None:
        self.visits: list[Visit] = []
        self._scripts = [checked(script) for script in scripts]
        self._timeout_s = timeout_s
        self._to_the_end = to_the_end
        self._failures: list[ScriptNotFollowed] = []
        self._cues: set[str] = set()
        self._players: dict[int, Player] = {}
        self._opening: dict[ServerConnection, tuple[Visit, Sequence[Step]]] = {}
        self._played = 0
        self._port = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave: asyncio.Event | None = None
        # Set when it listens, or could not.
        self._ready = threading.Event()
        self._progress = threading.Condition()

    # ---- where it is ---------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base URL, as `connect(base_url=...)` takes it: http, without `/realtime`."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def websocket_url(self) -> str:
        """What a WebSocket client dials; the model goes into its query."""
        return f"ws://127.0.0.1:{self._port}/v1/realtime"

    # ---- what happened -------------------------------------------------------------------------------------

    @property
    def received(self) -> list[Event]:
        """The events of all connections, in their order."""
        return [event for visit in tuple(self.visits) for event in visit.received]

    @property
    def sent(self) -> list[Said]:
        """What was sent on all connections, in their order."""
        return [one for visit in tuple(self.visits) for one in tuple(visit.sent)]

    # ---- what a test may say meanwhile ---------------------------------------------------------------------

    def cue(self, name: str) -> None:
        """Let each script go on that waits at `Cue(name)`, or will. Any thread may call."""
        loop = self._loop
        if loop is None:
            raise RuntimeError("this stage is not open: use it in a `with` block")

        def give() -> None:
            self._cues.add(name)
            for player in self._players.values():
                player.wake()

        loop.call_soon_threadsafe(give)

    def played(self, timeout_s: float | None = None) -> None:
        """Wait until all scripts were played to their ends. Blocks: not on an event loop.

        Args:
            timeout_s: None is the stage's own.

        Raises:
            ScriptNotFollowed: one was not, or not in time.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        with self._progress:
            self._progress.wait_for(
                lambda: self._failures or self._played >= len(self._scripts), timeout=limit_s
            )
        self._raise_failures()
        if self._played < len(self._scripts):
            unplayed = [p.unplayed(f"still there after {limit_s:g} s") for p in self._unplayed()]
            raise unplayed[0] if unplayed else self._nobody_came()

    # ---- opening and leaving -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Listen."""
        if self._thread is not None:
            raise RuntimeError("a stage plays its scripts once: make another one")
        self._thread = threading.Thread(target=self._run, name="gip_nb-stage", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._loop is None:
            raise RuntimeError("the stage could not listen on 127.0.0.1")
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """End the connections that are left, and check that the scripts were followed."""
        loop, leave = self._loop, self._leave
        if loop is None or leave is None or self._thread is None:
            return
        if error is None and not self._failures:
            self._wait_for_ends()
        with suppress(RuntimeError):  # it has ended by itself
            loop.call_soon_threadsafe(leave.set)
        self._thread.join()
        if error is None and self._to_the_end and not self._failures and not self._has_all_visits():
            raise self._nobody_came()
        is_cause = any(not isinstance(failure, LeftEarly) for failure in self._failures)
        if error is None or (is_cause and isinstance(error, Exception)):
            self._raise_failures()
        elif self._failures:
            error.add_note("\n\n".join(str(failure) for failure in self._failures))

    async def __aenter__(self) -> Self:
        """Listen."""
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """As the plain one."""
        await asyncio.to_thread(self.__exit__, kind, error, traceback)

    def _wait_for_ends(self) -> None:
        """The test is over: let each script that has begun come to its end."""
        with self._progress:
            self._progress.wait_for(
                lambda: self._failures or not (self._opening or self._unplayed()), timeout=self._timeout_s
            )
        if self._to_the_end and not self._failures:
            self._failures += [
                p.unplayed(f"the test was over, and this was not within {self._timeout_s:g} s")
                for p in self._unplayed()
            ]

    def _unplayed(self) -> list[Player]:
        return [player for player in tuple(self._players.values()) if not player.is_played]

    def _has_all_visits(self) -> bool:
        return len(self.visits) >= len(self._scripts)

    def _nobody_came(self) -> ScriptNotFollowed:
        return ScriptNotFollowed(
            f"the script was not followed: there are {len(self._scripts)} for as many connections, and "
            f"{len(self.visits)} came"
        )

    def _raise_failures(self) -> None:
        if self._failures:
            raise ScriptNotFollowed("\n\n".join(str(failure) for failure in self._failures))

    # ---- the server: on its own loop -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._leave = asyncio.Event()
        async with serve(
            self._handle,
            "127.0.0.1",
            0,
            process_request=self._on_request,
            select_subprotocol=lambda _connection, asked: _REALTIME if _REALTIME in asked else None,
            # Nothing goes over the wire that is not in the script.
            compression=None,
            ping_interval=None,
            open_timeout=None,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=None,
            max_queue=None,
            logger=_quiet,
        ) as server:
            self._port = next(iter(server.sockets)).getsockname()[1]
            self._loop = asyncio.get_running_loop()
            self._ready.set()
            await self._leave.wait()

    async def _on_request(self, connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" not in request.headers:
            return None  # no WebSocket: it is told so
        number = len(self.visits) + 1
        visit = Visit(number, request.path, request.headers)
        self.visits.append(visit)
        if number > len(self._scripts):
            count = len(self._scripts)
            self._fail(
                ScriptNotFollowed(
                    f"the script was not followed: connection {number} ({visit.dialect}) came, and there "
                    f"{'is a script' if count == 1 else 'are scripts'} for {count}"
                )
            )
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "the stage has no script for this\n")
        steps = self._scripts[number - 1]
        if steps and isinstance(steps[0], Refuse):
            return await self._refuse(connection, steps[0])
        self._opening[connection] = visit, steps
        return None

    async def _refuse(self, connection: ServerConnection, step: Refuse) -> Response:
        if step.after_s and self._leave is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leave.wait(), step.after_s)
        response = connection.respond(HTTPStatus(step.status), step.body)
        for name, value in step.headers.items():
            if name in response.headers:
                del response.headers[name]
            response.headers[name] = value
        self._note_played()
        return response

    async def _handle(self, connection: ServerConnection) -> None:
        visit, steps = self._opening.pop(connection)
        player = Player(
            visit,
            steps,
            connection,
            cues=self._cues,
            timeout_s=self._timeout_s,
            to_the_end=self._to_the_end,
            on_step=self._note_step,
        )
        self._players[visit.number] = player
        reading = asyncio.create_task(player.read())
        playing = asyncio.create_task(player.play())
        leaving = asyncio.create_task(self._until_left())
        try:
            await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                await self._after(playing, connection)
            else:
                playing.cancel()
            # The script is over: silence until the client leaves, or the stage does.
            await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
            await connection.close(1001)
            await reading
        finally:
            for task in (reading, playing, leaving):
                task.cancel()
            await asyncio.gather(reading, playing, leaving, return_exceptions=True)

    async def _until_left(self) -> None:
        if self._leave is not None:
            await self._leave.wait()

    async def _after(self, playing: asyncio.Task[None], connection: ServerConnection) -> None:
        problem = playing.exception()
        if problem is None:
            self._note_played()
            return
        if not isinstance(problem, ScriptNotFollowed):
            # A function of the script raised.
            told, problem = problem, ScriptNotFollowed(f"a function of the script raised {problem!r}")
            problem.__cause__ = told
        self._fail(problem)
        with suppress(ConnectionClosed):
            # Whoever waits on the other side need not wait longer.
            await connection.close(1011, "the stage's script was not followed")

    def _note_step(self) -> None:
        with self._progress:
            self._progress.notify_all()

    def _note_played(self) -> None:
        with self._progress:
            self._played += 1
            self._progress.notify_all()

    def _fail(self, failure: ScriptNotFollowed) -> None:
        with self._progress:
            self._failures.append(failure)
            self._progress.notify_all()
