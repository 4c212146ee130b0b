"""What the tests of calls share: a session whose model calls what the test says.

Over a scripted connection in this process; the model answers once it has all outputs.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

from gip_nb.session.blocking import RealtimeSession
from gip_nb.session.loop import loop, run_blocking
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import ScriptedTransport
from gip_nb.tools import toolbox_of
from tests.sim.session.servers import GREETING, Event, Model
from tests.sim.session.verbs import Heard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SETTLE_S = 10.0
# So long a tool would run if nobody ended it.
LONG_S = 20.0

Asked = tuple[str, str]


class Caller(Model):
    """A model that begins with calls: the n-th list of `rounds` is what its n-th response calls."""

    def __init__(self, *rounds: list[Asked]) -> None:
        super().__init__(chunks=1)
        self.rounds = list(rounds)
        self.calls = 0

    def __call__(self, event: Event) -> Iterator[Event | int]:
        beside = (event.get("response") or {}).get("conversation") == "none"
        if event["type"] == "response.create" and self.rounds and not beside:
            yield from self.call(self.rounds.pop(0))
        elif event["type"] == "response.create" and beside:
            for said in super().__call__(event):
                if isinstance(said, dict) and isinstance(said.get("response"), dict):
                    said["response"]["metadata"] = event["response"]["metadata"]
                yield said
        else:
            yield from super().__call__(event)

    def call(self, asked: list[Asked]) -> Iterator[Event]:
        self.answers += 1
        response = {"id": f"resp_{self.answers}", "status": "in_progress"}
        yield {"type": "response.created", "response": response}
        output = []
        for name, arguments in asked:
            self.calls += 1
            ids = {"id": f"item_c{self.calls}", "call_id": f"call_{self.calls}"}
            item = {"type": "function_call", **ids, "name": name, "arguments": arguments}
            output.append({**item, "status": "completed"})
        yield {"type": "response.done", "response": {**response, "status": "completed", "output": output}}


class Talk:
    """A session, its scripted server, and what a page would have heard."""

    def __init__(
        self,
        tools: Iterable[Callable[..., Any]],
        *rounds: list[Asked],
        model: type[Caller] = Caller,
        **options: Any,
    ) -> None:
        self.heard = Heard()
        toolbox, _ = toolbox_of(tools, options)
        transport = ScriptedTransport(model(*rounds), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in these scripts
        self.transport = transport
        self.session = RealtimeSession(
            AsyncRealtimeSession(
                resolve("test-preview", api_key="sk-test-0123456789", environment={}, reconnect=False),
                tools=toolbox,
                transport=transport.for_session,
                listener=self.heard,
            )
        )

    def __enter__(self) -> Self:
        self.session.connect()
        return self

    def __exit__(self, *_error: object) -> None:
        self.session.close()

    def sent(self, kind: str) -> list[Event]:
        return [event for event in tuple(self.transport.sent) if event["type"] == kind]

    @property
    def outputs(self) -> list[tuple[str, str]]:
        items = [event["item"] for event in self.sent("conversation.item.create")]
        return [(i["call_id"], i["output"]) for i in items if i["type"] == "function_call_output"]

    @property
    def responses(self) -> int:
        return len(self.sent("response.create"))

    def rows(self, kind: str) -> list[dict[str, Any]]:
        log = self.session.log
        return [
            dict(log.event(n).fields)
            for n, row in enumerate(tuple(log.rows))
            if row.type == f"local.tool.{kind}"
        ]

    def until(self, holds: Callable[[], object], what: str) -> None:
        over = time.monotonic() + SETTLE_S
        while not holds():
            assert time.monotonic() < over, f"not within {SETTLE_S:g} s: {what}"
            time.sleep(0.002)

    def respond(self) -> None:
        """Let the model call, and do not wait for what comes of it."""
        self.session.respond()

    def say(self, event: Event) -> None:
        loop().call_soon_threadsafe(self.transport.say, event)

    def allow(self, call_id: str, answer: Any) -> bool:
        async def allow() -> bool:
            return self.session._session.calls.allow(call_id, answer)

        return run_blocking(allow())

    def has_asked(self, count: int = 1) -> None:
        self.until(lambda: len(self.rows("asked")) == count, "the question")

    def settled(self) -> None:
        self.until(lambda: self.session.state == "listening", "the end of the turn")


class Page(Heard):
    """A page shows the talk: somebody can be asked."""

    def can_ask(self) -> bool:
        return True


def shown(tools: Iterable[Callable[..., Any]], *rounds: list[Asked], **options: Any) -> Talk:
    talk = Talk(tools, *rounds, **options)
    talk.heard = talk.session._session.calls._listener = Page()
    return talk


def gated() -> tuple[Callable[[], str], threading.Event]:
    gate = threading.Event()

    def slow() -> str:
        """Wait for the test."""
        gate.wait(LONG_S)
        return "done"

    return slow, gate


def notebook(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    run_cell(source, names)
    return names


def run_cell(source: str, names: dict[str, Any]) -> None:
    exec(compile(source, "cell", "exec", dont_inherit=True), names)  # noqa: S102 - a cell is source that is run
