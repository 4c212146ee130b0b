"""What the tests of the verbs share: a server that does as it is told, and a session on it that notes all."""

from __future__ import annotations

import asyncio
import functools
import threading
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec

import numpy as np

from gip_nb.session.loop import loop
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.session.speaker import Flushed
from gip_nb.testing import (
    Expect,
    React,
    Say,
    Stage,
    answer,
    error,
    item_taken,
    session_created,
    session_updated,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gip_nb.errors import GipError
    from gip_nb.protocol.budget import Verdict
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.protocol.outputs import AskAgain
    from gip_nb.session.reconnecting import Attempt
    from gip_nb.testing import Event, Step
    from gip_nb.tools import Toolbox

    Answers = Mapping[str, Callable[[Event], Iterable[Step]]]

P = ParamSpec("P")

KEY = "sk-secret-0123456789"
MODELS = {"beta": "openai/gpt-4o-realtime-preview-2024-12-17", "ga": "openai/gpt-realtime"}
KNOWN = "item_known"
KNOWN_MS = 200
SETTLE_S = 3.0
SPEECH = np.full(4800, 1000, np.int16)


def in_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that awaits, in a loop of its own: not the one that the sessions live on."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class Heard:
    """A listener that notes what it is told."""

    def __init__(self) -> None:
        self.failures: list[GipError] = []
        self.verdicts: list[Verdict] = []
        self.asked_again: list[AskAgain | None] = []
        self.results: list[tuple[str, str, object]] = []
        # The threads in which functions ran.
        self.ran: list[str] = []

    def failed(self, problem: GipError) -> None:
        self.failures.append(problem)

    def state_changed(self, state: str) -> None: ...

    def reconnect_changed(self, attempt: Attempt | None) -> None: ...

    def item_changed(self, item_id: str) -> None: ...

    def text_added(self, item_id: str, delta: str) -> None: ...

    def audio_added(self, audio: bytes) -> None: ...

    def settings_changed(self) -> None: ...

    def asks_again(self, news: AskAgain | None) -> None:
        self.asked_again.append(news)

    def budget_changed(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)

    def turn_done(self, turn: int) -> None: ...

    def turn_labelled(self, turn: int) -> None: ...

    def log_changed(self, folder: Path | None, *, stopped: bool) -> None: ...

    def can_ask(self) -> bool:
        return False

    def tool_runs(self, call_id: str, name: str) -> AbstractContextManager[None]:
        self.ran.append(threading.current_thread().name)
        return nullcontext()

    def tool_result(self, call_id: str, name: str, value: object) -> None:
        self.results.append((call_id, name, value))


class Half:
    """A speaker that has played so much of every item when it is stopped."""

    plays = True

    def __init__(self, played_ms: int) -> None:
        self.played_ms = played_ms
        # By item, samples that were given to it.
        self.given: dict[str, int] = {}

    def play(self, item_id: str, content_index: int, start_sample: int, audio: bytes) -> None:
        self.given[item_id] = start_sample + len(audio) // 2

    def end(self, item_id: str, content_index: int, samples: int) -> None: ...

    async def flush(self) -> Flushed:
        return Flushed(dict.fromkeys(self.given, self.played_ms * 24))


class Talk(NamedTuple):
    """A session on its stage."""

    stage: Stage
    session: AsyncRealtimeSession
    heard: Heard

    def sent(self, *kinds: str) -> list[Event]:
        """What came at the server, in order; only these kinds, if any are given."""
        return [e for e in self.stage.received if not kinds or e["type"] in kinds]

    def types(self, *kinds: str) -> list[str]:
        return [e["type"] for e in self.sent(*kinds)]

    def rows(self, kind: str) -> list[Any]:
        events = self.session.events
        return list(events[events.type == kind].payload)

    async def until(self, holds: Callable[[], object], what: str) -> None:
        async with asyncio.timeout(SETTLE_S):
            while not holds():
                assert self.session.state != "error", f"{self.session.error!r} before {what}"
                await asyncio.sleep(0.002)

    async def answered(self) -> None:
        """All that was said so far has passed: an event there, and its answer back."""
        await self.session.clear()


async def on_the_loop(do: Callable[[], Any]) -> Any:
    """Call what only the sessions' own loop may call."""

    async def call() -> Any:
        return do()

    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), loop()))


# ------------------------------------------------------------------------------------------------ the server


def refuse(code: str = "invalid_value", *, named: bool = True) -> Callable[[Event], list[Event]]:
    return lambda event: [error(code, f"it says {code}", event_id=event["event_id"] if named else None)]


def silent(_event: Event) -> list[Event]:
    return []


def _retrieved(event: Event) -> list[Step]:
    item = {"id": event["item_id"], "type": "message", "role": "assistant", "status": "completed"}
    item["content"] = [{"type": "output_text", "text": "as the server has it"}]
    return [{"type": "conversation.item.retrieved", "event_id": "event_r", "item": item}]


def _committed(_event: Event) -> list[Step]:
    return [{"type": "input_audio_buffer.committed", "event_id": "event_c", "item_id": "item_committed"}]


def _about_item(kind: str) -> Callable[[Event], list[Step]]:
    return lambda event: [{"event_id": "event_i", **event, "type": kind}]


def willing(dialect: Dialect, answers: Answers) -> React:
    """A server that does at once what it is asked; `answers` by the wire's type are its exceptions."""
    count = iter(range(1, 1000))

    def respond(event: Event) -> list[Step]:
        n = next(count)
        metadata = (event.get("response") or {}).get("metadata")
        said = answer(
            f"answer {n}",
            dialect=dialect,
            metadata=metadata,
            response_id=f"resp_{n}",
            item_id=f"item_{n}",
        )
        return list(said)

    does: Answers = {
        "session.update": lambda _e: [Say(session_updated)],
        "conversation.item.create": lambda _e: [Say(item_taken)],
        "conversation.item.delete": _about_item("conversation.item.deleted"),
        "conversation.item.truncate": _about_item("conversation.item.truncated"),
        "conversation.item.retrieve": _retrieved,
        "input_audio_buffer.commit": _committed,
        "input_audio_buffer.clear": lambda _e: [{"type": "input_audio_buffer.cleared", "event_id": "e"}],
        "response.create": respond,
        **answers,
    }
    return React(lambda event: does.get(event["type"] if _is_whole(event) else "", silent)(event))


def _is_whole(event: Event) -> bool:
    return all(isinstance(event.get(name, {}), dict) for name in ("session", "item"))


def opening(dialect: Dialect = "ga") -> list[Step]:
    """Up to a session with one answer in it, `KNOWN`, of `KNOWN_MS`."""
    known = answer("known", dialect=dialect, item_id=KNOWN, response_id="resp_known", audio_ms=KNOWN_MS)
    return [session_created(dialect), Expect("session.update"), Say(session_updated), *known]


@asynccontextmanager
async def talking(
    answers: Answers | None = None,
    *,
    script: list[Step] | None = None,
    dialect: Dialect = "ga",
    speaker: Half | None = None,
    tools: Toolbox | None = None,
    to_the_end: bool = True,
    **options: Any,
) -> AsyncIterator[Talk]:
    """A session on a willing server, or on one that plays a script after its opening.

    `options` are those of `connect()`.
    """
    steps = [*opening(dialect), *(script if script is not None else [willing(dialect, answers or {})])]
    heard = Heard()
    async with Stage(steps, to_the_end=to_the_end) as stage:
        settings = resolve(MODELS[dialect], base_url=stage.url, api_key=KEY, environment={}, **options)
        session = AsyncRealtimeSession(settings, listener=heard, speaker=speaker, tools=tools)
        async with session:
            talk = Talk(stage, session, heard)
            conversation = session.protocol.conversation
            await talk.until(lambda: not _active(conversation), "the known answer")
            yield talk


def _active(conversation: Any) -> bool:
    known = conversation.responses.get("resp_known")
    return known is None or known.active


# ------------------------------------------------------------------------------------------------- the verbs


class Verb(NamedTuple):
    """One verb that waits for the server's answer.

    Attributes:
        do: on a session that knows `KNOWN` and has sound to commit.
        asks: what goes out for it, on the wire.
        answer: what it waits for, canonical.
    """

    do: Callable[[AsyncRealtimeSession], Coroutine[Any, Any, Any]]
    asks: str
    answer: str


TEXT = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
VERBS = {
    "update": Verb(lambda s: s.update(instructions="be brief"), "session.update", "session.updated"),
    "commit": Verb(lambda s: s.commit(), "input_audio_buffer.commit", "input_audio_buffer.committed"),
    "clear": Verb(lambda s: s.clear(), "input_audio_buffer.clear", "input_audio_buffer.cleared"),
    "delete": Verb(lambda s: s.delete(KNOWN), "conversation.item.delete", "conversation.item.deleted"),
    "retrieve": Verb(
        lambda s: s.retrieve(KNOWN), "conversation.item.retrieve", "conversation.item.retrieved"
    ),
    "truncate": Verb(
        lambda s: s.truncate(KNOWN, 50), "conversation.item.truncate", "conversation.item.truncated"
    ),
    "send_text": Verb(lambda s: s.send_text("hello"), "conversation.item.create", "conversation.item.added"),
    "add": Verb(lambda s: s.add(TEXT), "conversation.item.create", "conversation.item.added"),
    "respond": Verb(lambda s: s.respond(), "response.create", "the response"),
}
# Servers that confirm no item are lived with.
PATIENT = {name: verb for name, verb in VERBS.items() if verb.asks != "conversation.item.create"}
