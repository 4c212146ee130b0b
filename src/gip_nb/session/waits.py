"""Who waits for what in one session, and who wants to be told. On the loop only."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

from gip_nb.errors import TimedOut
from gip_nb.session.loop import callbacks, loop
from gip_nb.session.trouble import error_of_failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.errors import GipError
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Wish
    from gip_nb.protocol.requests import Request

__all__ = ["Waits"]

_LOOK = "look at session.events for what did come."


class Waits:
    """Futures that an event or a condition fulfils, and callbacks of the user.

    Args:
        on_callback_error: gets what a callback raised, on the callback thread.
    """

    def __init__(self, on_callback_error: Callable[[BaseException], object]) -> None:
        self._conditions: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._events: dict[asyncio.Future[dict[str, Any]], set[str]] = {}
        self._callbacks: list[tuple[str, Callable[[dict[str, Any]], object]]] = []
        self._on_callback_error = on_callback_error

    def on(self, event_type: str, callback: Callable[[dict[str, Any]], object]) -> None:
        """Tell `callback` of each event of this canonical type, `*` for all. Any thread may call."""
        self._callbacks.append((event_type, callback))

    async def until(self, condition: Callable[[], bool], what: str, timeout_s: float | None) -> None:
        """Wait until `condition()` holds; it is looked at after each event.

        Raises:
            TimedOut: it did not come to hold; the text names `what`.
            GipError: what ended the session meanwhile.
        """
        if condition():
            return
        future: asyncio.Future[None] = loop().create_future()
        self._conditions[future] = condition
        try:
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise TimedOut(f"{what} did not come within {timeout_s:g} s", _LOOK) from None
        finally:
            self._conditions.pop(future, None)

    async def next(self, types: set[str], timeout_s: float) -> dict[str, Any]:
        """The next event of one of these canonical types, canonical.

        Raises:
            TimedOut: none came.
            GipError: what ended the session meanwhile.
        """
        future: asyncio.Future[dict[str, Any]] = loop().create_future()
        self._events[future] = types
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            wanted = " or ".join(sorted(types - {"error"} or types))
            raise TimedOut(f"{wanted} did not come within {timeout_s:g} s", _LOOK) from None
        finally:
            self._events.pop(future, None)

    async def answered(self, request: Request, timeout_s: float) -> None:
        """Wait for the server's word about a request.

        Raises:
            ServerError: it refuses.
            TimedOut: it says nothing.
            GipError: what ended the session meanwhile.
        """
        request.awaited = True
        try:
            await self._answer(request, timeout_s)
        except TimedOut:
            request.given_up = True
            raise
        finally:
            # Whoever waited is gone: of what is refused later, all are told.
            request.awaited = False
        if request.failure is not None:
            raise error_of_failure(request.failure)

    async def _answer(self, request: Request, timeout_s: float) -> None:
        try:
            await self.until(lambda: request.done, request.answer_type, timeout_s)
        except TimedOut:
            if not request.kept:
                raise
            # It is sent when the connection is back: from then on the server has its time.
            await self.until(lambda: request.done or not request.kept, request.answer_type, None)
            await self._answer(request, timeout_s)

    async def begun(self, wish: Wish, waits_its_turn: Callable[[Wish], bool], timeout_s: float) -> None:
        """Wait until a response begins, or is known to wait for its turn.

        Raises:
            ServerError: it was refused.
            TimedOut: it does not begin.
            GipError: what ended the session meanwhile.
        """
        wish.awaited = True
        try:
            await self.until(
                lambda: wish.done or bool(wish.response_ids) or waits_its_turn(wish) or wish.overdue,
                "the response",
                timeout_s,
            )
        except TimedOut:
            wish.overdue = True
            raise
        finally:
            wish.awaited = False
        if wish.overdue and not wish.response_ids and not wish.done:
            raise TimedOut(f"the response did not begin within {timeout_s:g} s", _LOOK)
        if wish.failure is not None and not wish.response_ids:
            raise error_of_failure(wish.failure)

    async def settled(self, wish: Wish, question: Request) -> None:
        """Wait until all of an answer has come, its tools' follow-ups included; without a limit of its own.

        Raises:
            ServerError: the question was refused, or the response failed.
            GipError: what ended the session meanwhile.
        """
        question.awaited = wish.awaited = True
        try:
            await self.until(lambda: wish.done or question.failure is not None, "the answer", None)
        finally:
            question.awaited = wish.awaited = False
        failure = question.failure or wish.failure
        if failure is not None:
            raise error_of_failure(failure)

    def tell(self, event: Event) -> None:
        """An event happened: wake who waits for it, and submit the callbacks."""
        if not self._events and not self._callbacks:
            # Fifty times a second, in each of many sessions.
            return
        waiting = [f for f, types in self._events.items() if event.type in types and not f.done()]
        wanted = [callback for kind, callback in tuple(self._callbacks) if kind in {event.type, "*"}]
        if not waiting and not wanted:
            return
        fields = {**event.fields, "type": event.type}
        if event.audio is not None:
            # Whoever asks for the event gets it whole; nobody else pays for writing its audio out again.
            name = "audio" if event.type == "input_audio_buffer.append" else "delta"
            fields[name] = base64.b64encode(event.audio).decode("ascii")
        for future in waiting:
            future.set_result(fields)
        for callback in wanted:
            self._submit(callback, dict(fields))

    def _submit(self, callback: Callable[[dict[str, Any]], object], fields: dict[str, Any]) -> None:
        callbacks().submit(lambda: callback(fields), self._on_callback_error)

    def check(self) -> None:
        """Something changed: wake who waits for a condition that holds now."""
        for future, condition in tuple(self._conditions.items()):
            if not future.done() and condition():
                future.set_result(None)

    def fail(self, error: GipError) -> None:
        """Nothing comes any more: whoever waits gets `error`."""
        futures: list[asyncio.Future[Any]] = [*self._conditions, *self._events]
        for future in futures:
            if not future.done():
                future.set_exception(error)
