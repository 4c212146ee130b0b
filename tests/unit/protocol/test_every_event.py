"""Every event of both dialects, by name: who sends it, who handles it, and what becomes of it.

A row for each published event and none besides. What the embedded server sends is not said here but seen, in
all talks of the pair.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gip_nb.journal.log import EventLog
from gip_nb.protocol.client import ClientProtocol
from gip_nb.protocol.dialects import canonical_type, server_event_to_canonical
from gip_nb.protocol.events import BETA, Dialect
from gip_nb.protocol.frames import Event, encode_event
from gip_nb.protocol.outputs import Failed, ItemChanged, Play, PlayEnd, TextAdded
from tests.unit.protocol import samples, talks
from tests.unit.protocol.pair import ProtocolPair, state_of
from tests.unit.protocol.server.server_end import tone
from tests.unit.protocol.shapes import PUBLISHED
from tests.unit.protocol.talks import new_pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.outputs import Output

DIALECTS: tuple[Dialect, ...] = ("beta", "ga")


def published(side: str) -> list[tuple[Dialect, str]]:
    return [(dialect, name) for dialect in DIALECTS for name in PUBLISHED[dialect][side]]


# ---------------------------------------------------------------------------------------------- client events


class Sent(NamedTuple):
    """What sends a client event, and how the embedded server takes it.

    Attributes:
        verb: of `ClientProtocol`: by what a user (or a rule) makes it leave; `send` where it has none of its
            own, on purpose.
        do: calls it, in a talk of one spoken question and its answer, with turn detection off.
        answer: the server's canonical event that answers, or the code of its error.
    """

    verb: str
    do: Callable[[ProtocolPair], object]
    answer: str


def _interrupt(pair: ProtocolPair) -> None:
    talks.long_answer(pair, 300)
    pair.do(lambda c: c.interrupt())
    pair.run()


def _commit(pair: ProtocolPair) -> None:
    pair.speak(tone(200))
    pair.do(lambda c: c.commit())


def _last_answer(pair: ProtocolPair) -> str:
    return talks.answers(pair)[-1]


CLIENT: dict[str, Sent] = {
    "conversation.item.create": Sent(
        "add_item", lambda p: p.do(lambda c: c.send_text("hi")), "conversation.item.added"
    ),
    "conversation.item.delete": Sent(
        "delete", lambda p: p.do(lambda c: c.delete(_last_answer(p))), "conversation.item.deleted"
    ),
    "conversation.item.retrieve": Sent(
        "retrieve",
        lambda p: p.do(lambda c: c.retrieve(c.conversation.order[0])),
        "conversation.item.retrieved",
    ),
    "conversation.item.truncate": Sent(
        "truncate",
        lambda p: p.do(lambda c: c.truncate(_last_answer(p), 100)),
        "conversation.item.truncated",
    ),
    "input_audio_buffer.append": Sent(
        # Heard, and not answered.
        "append_audio",
        lambda p: p.do(lambda c: c.append_audio(tone(40))),
        "",
    ),
    "input_audio_buffer.clear": Sent(
        "clear", lambda p: p.do(lambda c: c.clear()), "input_audio_buffer.cleared"
    ),
    "input_audio_buffer.commit": Sent(
        "commit",
        _commit,
        "input_audio_buffer.committed",
    ),
    "output_audio_buffer.clear": Sent(
        # For WebRTC and SIP: no verb sends it over a WebSocket, and the server says so.
        "send",
        lambda p: p.do(lambda c: c.send({"type": "output_audio_buffer.clear"})),
        "invalid_value",
    ),
    "response.cancel": Sent("interrupt", _interrupt, "response.done"),
    "response.create": Sent("respond", lambda p: p.do(lambda c: c.respond()), "response.created"),
    "session.update": Sent(
        "update", lambda p: p.do(lambda c: c.update({"instructions": "Be brief."})), "session.updated"
    ),
    "transcription_session.update": Sent(
        # Understood, and refused: the embedded server offers none.
        "update",
        lambda p: p.do(lambda c: c.update({"type": "transcription"})),
        "invalid_value",
    ),
}


def test_every_client_event_has_a_row_and_every_row_an_event() -> None:
    assert set(CLIENT) == {name for _, name in published("client")}


@pytest.mark.parametrize(("dialect", "name"), published("client"))
def test_client_event_is_sent_and_answered(dialect: Dialect, name: str) -> None:
    pair = new_pair(dialect)
    talks.push_to_talk(pair)
    row = CLIENT[name]
    assert callable(getattr(pair.client, row.verb))
    sent, received, errors = len(pair.sent), len(pair.received_types), len(pair.errors)
    row.do(pair)
    assert name in [e["type"] for e in pair.sent[sent:]]
    answers = pair.received_types[received:]
    if not row.answer:
        assert answers == []
    elif "." in row.answer:
        assert row.answer in answers
        assert len(pair.errors) == errors
    else:
        assert pair.errors[errors:] == [row.answer]
    pair.run()
    pair.settled()


# ---------------------------------------------------------------------------------------------- server events


class Seen:
    """A client in the middle of a talk, and what one server event did to it.

    It has asked, an answer of 100 ms was received and is being played, the user's words are known to lie in
    `item_user`.
    """

    def __init__(self, dialect: Dialect, event: dict[str, Any], after: str = "") -> None:
        self.log = EventLog(monotonic_ns=lambda: 0, unix_ns=lambda: 0)
        self.client = ClientProtocol(lambda prefix: f"{prefix}_1", player=True)
        audio = {"input": {"turn_detection": samples.SERVER_VAD}}
        self._receive("session.created", session={"id": "sess_0", "audio": audio})
        self.client.append_audio(bytes(48 * 5000))
        self._receive("input_audio_buffer.committed", item_id="item_before")
        self._receive("response.created", response={"id": "resp_0"})
        if after:
            self._receive(**{**(samples.server_sample(after, "ga") or {}), "kind": after})
        self.client.take()
        self.before = copy.deepcopy(state_of(self.client.conversation))
        self.phase_before = self.client.phase
        frame = encode_event(event)
        self.row = self.log.append("received", frame)
        fields = frame.fields if frame.audio is not None else server_event_to_canonical(frame.fields, dialect)
        self.event = Event(canonical_type(frame.type), fields, frame.audio)
        self.client.receive(self.event, 7.0)
        self.outputs: list[Output] = self.client.take()

    def _receive(self, kind: str, **fields: Any) -> None:
        self.client.receive(Event(kind, {**fields, "type": kind}))

    @property
    def conversation(self) -> Conversation:
        return self.client.conversation

    @property
    def user(self) -> Any:
        return self.conversation.items["item_user"]

    @property
    def answer(self) -> Any:
        return self.conversation.items["item_answer"]

    @property
    def response(self) -> Any:
        return self.conversation.responses["resp_1"]

    def gave(self, kind: type) -> list[Any]:
        return [o for o in self.outputs if isinstance(o, kind)]

    @property
    def passed_through(self) -> bool:
        """It changed nothing, and nobody was told but that something of its item may have changed."""
        return (
            state_of(self.conversation) == self.before
            and self.client.phase == self.phase_before
            and all(isinstance(o, ItemChanged) for o in self.outputs)
        )


class Told(NamedTuple):
    """What a client makes of a server event.

    Attributes:
        does: whether that came about; None where it is passed through: logged under its canonical name for
            tables, callbacks and `wait`, and nothing else.
        unsent: why the embedded server does not send it; empty where it does, in the talks of the pair.
        after: what has to be told before: the sample of another event.
    """

    does: Callable[[Seen], object] | None
    unsent: str = ""
    after: str = ""


_RTC = "WebRTC and SIP only"
_MCP = "no MCP tools here"
_TRANSCRIPT = "conversation.item.input_audio_transcription"
PASSED_THROUGH = None


def _shows(session_id: str, voice: str) -> Callable[[Seen], bool]:
    def does(s: Seen) -> bool:
        audio = s.conversation.session["audio"]["output"]
        return (s.conversation.session_id, audio["voice"]) == (session_id, voice)

    return does


def _knows_the_item(s: Seen) -> object:
    return s.user.text == "helloand this" and s.user.role == "user" and "item_user" in s.conversation.order


def _has_part_of_an_answer(s: Seen) -> object:
    return s.answer.text == "good" and s.gave(TextAdded) == [TextAdded("item_answer", "good")]


def _has_a_whole_answer(s: Seen) -> object:
    return s.answer.text == "good morning" and s.answer.response_id == "resp_1"


def _has_an_answer_item(s: Seen) -> object:
    return s.response.item_ids == ["item_answer"] and s.answer.role == "assistant"


SERVER: dict[str, Told] = {
    "conversation.created": Told(PASSED_THROUGH, "nothing that was not asked for"),
    "conversation.item.added": Told(_knows_the_item),
    "conversation.item.created": Told(_knows_the_item),
    "conversation.item.deleted": Told(
        lambda s: s.user.deleted and "item_user" not in s.conversation.order,
        after="conversation.item.added",
    ),
    "conversation.item.done": Told(lambda s: s.answer.status == "completed"),
    f"{_TRANSCRIPT}.completed": Told(lambda s: s.user.text == "hello" and s.user.transcribed),
    f"{_TRANSCRIPT}.delta": Told(
        lambda s: s.user.text == "hel" and s.gave(TextAdded) == [TextAdded("item_user", "hel")]
    ),
    f"{_TRANSCRIPT}.failed": Told(lambda s: s.user.problem == "noise" and s.user.transcribed),
    f"{_TRANSCRIPT}.segment": Told(lambda s: s.user.text != "", "it tells no speakers apart"),
    "conversation.item.retrieved": Told(lambda s: s.answer.text == "good morninggood morning"),
    "conversation.item.truncated": Told(
        lambda s: s.user.heard_ms == 480 and s.user.interrupted, after="conversation.item.added"
    ),
    "error": Told(lambda s: s.gave(Failed) == [Failed("no", "invalid_value", "client_7")]),
    "input_audio_buffer.cleared": Told(PASSED_THROUGH),
    "input_audio_buffer.committed": Told(
        lambda s: s.user.role == "user" and s.user.turn == 2 and len(s.conversation.turns) == 2
    ),
    "input_audio_buffer.dtmf_event_received": Told(PASSED_THROUGH, "SIP only"),
    "input_audio_buffer.speech_started": Told(
        lambda s: s.client.phase == "hearing" and s.user.audio_start_ms == 900
    ),
    "input_audio_buffer.speech_stopped": Told(lambda s: s.user.audio_end_ms == 2780),
    "input_audio_buffer.timeout_triggered": Told(lambda s: s.user.audio_end_ms is not None),
    "mcp_list_tools.completed": Told(PASSED_THROUGH, _MCP),
    "mcp_list_tools.failed": Told(PASSED_THROUGH, _MCP),
    "mcp_list_tools.in_progress": Told(PASSED_THROUGH, _MCP),
    "output_audio_buffer.cleared": Told(PASSED_THROUGH, _RTC),
    "output_audio_buffer.started": Told(PASSED_THROUGH, _RTC),
    "output_audio_buffer.stopped": Told(PASSED_THROUGH, _RTC),
    "rate_limits.updated": Told(PASSED_THROUGH),
    # The part's text and sound come in deltas and are done by name.
    "response.content_part.added": Told(PASSED_THROUGH),
    "response.content_part.done": Told(PASSED_THROUGH),
    "response.created": Told(
        lambda s: s.response.created_s == 7.0 and s.response.metadata == {"purpose": "greeting"}
    ),
    "response.done": Told(
        lambda s: (
            (s.response.status, s.response.reason) == ("incomplete", "max_output_tokens")
            and s.response.item_ids == ["item_answer", "item_call"]
            and s.conversation.requests == 1
            and s.response.usage.input_tokens == 789
        )
    ),
    "response.function_call_arguments.delta": Told(
        lambda s: s.answer.arguments == '{"ci' and s.answer.call_id == "call_1"
    ),
    "response.function_call_arguments.done": Told(
        lambda s: s.answer.arguments == "{}" and s.answer.type == "function_call"
    ),
    "response.mcp_call.completed": Told(PASSED_THROUGH, _MCP),
    "response.mcp_call.failed": Told(PASSED_THROUGH, _MCP),
    "response.mcp_call.in_progress": Told(PASSED_THROUGH, _MCP),
    "response.mcp_call_arguments.delta": Told(PASSED_THROUGH, _MCP),
    "response.mcp_call_arguments.done": Told(PASSED_THROUGH, _MCP),
    "response.output_audio.delta": Told(
        lambda s: s.gave(Play) == [Play("item_answer", 0, 0, bytes((0, 0, 1, 0)))] and s.answer.spoken
    ),
    # Without audio there is nothing to end: see the test below it.
    "response.output_audio.done": Told(PASSED_THROUGH),
    "response.output_audio_transcript.delta": Told(_has_part_of_an_answer),
    "response.output_audio_transcript.done": Told(_has_a_whole_answer),
    "response.output_item.added": Told(_has_an_answer_item),
    "response.output_item.done": Told(lambda s: _has_an_answer_item(s) and s.answer.status == "completed"),
    "response.output_text.delta": Told(_has_part_of_an_answer),
    "response.output_text.done": Told(_has_a_whole_answer),
    "session.created": Told(_shows("sess_1", "ash")),
    "session.updated": Told(_shows("sess_1", "ash")),
    "transcription_session.updated": Told(
        lambda s: s.conversation.session["type"] == "transcription", "it offers no such sessions"
    ),
}
# Rows that stand under their canonical name, for either dialect's.
BETA_NAMES = {
    name: canonical_type(name)
    for name in PUBLISHED["beta"]["server"]
    if name not in SERVER and canonical_type(name) in SERVER
}


def row_of(name: str) -> Told:
    return SERVER[BETA_NAMES.get(name, name)]


def test_every_server_event_has_a_row_and_every_row_an_event() -> None:
    assert {BETA_NAMES.get(name, name) for _, name in published("server")} == set(SERVER)
    assert len(BETA_NAMES) == 6, "text, audio and its transcript, each delta and done"


@pytest.mark.parametrize(("dialect", "name"), published("server"))
def test_server_event_is_handled(dialect: Dialect, name: str) -> None:
    does, _, after = row_of(name)
    seen = Seen(dialect, samples.server_samples(dialect)[name], after)
    assert seen.passed_through == (does is PASSED_THROUGH)
    assert does is PASSED_THROUGH or does(seen)
    # Whatever it is: logged as it came, known by its canonical name.
    assert (seen.row.type, seen.event.type) == (name, canonical_type(name))
    assert seen.log.payload(0) == samples.server_samples(dialect)[name]
    assert seen.log.event(0).type == canonical_type(name)


def test_the_end_of_audio_ends_the_playing_of_what_came() -> None:
    client = ClientProtocol(lambda prefix: f"{prefix}_1", player=True)
    for kind in ("delta", "done"):
        name = f"response.output_audio.{kind}"
        fields = samples.server_samples("ga")[name]
        client.receive(Event(name, fields, bytes(96) if kind == "delta" else None))
    assert client.take()[-1] == PlayEnd("item_answer", 0, 48)


SENT_BY_SERVER: dict[Dialect, set[str]] = {}


def sent_by_the_server(dialect: Dialect) -> set[str]:
    """Wire names of all that the embedded server sent, in all talks."""
    if dialect not in SENT_BY_SERVER:
        seen: set[str] = set()
        for talk in talks.TALKS.values():
            pair = new_pair(dialect)
            talk(pair)
            seen |= set(pair.server.types)
        SENT_BY_SERVER[dialect] = seen
    return SENT_BY_SERVER[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_embedded_server_sends_what_the_table_says(dialect: Dialect) -> None:
    expected = {name for name in PUBLISHED[dialect]["server"] if not row_of(name).unsent}
    if dialect != BETA:
        expected -= {"conversation.item.created"}  # beta's; GA's are `added` and `done`
    assert sent_by_the_server(dialect) == expected
