"""Both ends of the protocol joined in memory: the client's rules, the server's, and a player between them.

What crosses is frames, in the wire's bytes and either dialect; each is checked as it leaves (`shapes`). Time
is a count: a tick is 20 ms in which the player plays, the server gives one more piece of its answer, and what
was sent arrives. Nothing sleeps, and every run is the same.
"""

from __future__ import annotations

import json
import math
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any

from gip_nb.journal.log import EventLog
from gip_nb.journal.tables import Tables
from gip_nb.journal.untaken import untaken_sounds
from gip_nb.protocol import outputs, resumption
from gip_nb.protocol.client import ClientProtocol
from gip_nb.protocol.conversation import SAMPLES_PER_MS, Conversation
from gip_nb.protocol.dialects import canonical_type, client_event_to_wire, server_event_to_canonical
from gip_nb.protocol.frames import Event, append_frame, encode_event, event_of, read_frame
from gip_nb.protocol.kept_input import KeptInput
from gip_nb.protocol.overdue import row_of
from gip_nb.protocol.retries import NEVER, Retry
from tests.unit.protocol.server.server_end import ServerEnd
from tests.unit.protocol.shapes import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gip_nb.protocol.events import Dialect
    from gip_nb.protocol.frames import Frame
    from gip_nb.protocol.outputs import Output
    from gip_nb.protocol.resumption import Resumed

TICK_MS = 20
_TICK_NS = TICK_MS * 1_000_000


class Player:
    """Plays what it is given, at a speed, and says how far it is; it stops when it is told to.

    Args:
        speed: 1.0 is real time, 0 a player that has not begun.
        latency_ms: how long a sample takes to the ear.
    """

    def __init__(self, speed: float = 1.0, latency_ms: float = 0.0) -> None:
        self.speed = speed
        self.latency_ms = latency_ms
        self.sound: dict[str, bytearray] = {}
        self.played: dict[str, int] = {}
        self._whole: dict[str, int] = {}
        self._ended: set[str] = set()

    def play(self, item_id: str, start_sample: int, audio: bytes) -> None:
        sound = self.sound.setdefault(item_id, bytearray())
        assert len(sound) == start_sample * 2, "a gap, or the same audio twice"
        sound += audio

    def end(self, item_id: str, samples: int) -> None:
        self._whole[item_id] = samples

    @property
    def is_playing(self) -> bool:
        return any(i not in self._ended for i in self.sound)

    def tick(self) -> list[tuple[str, str, int]]:
        """Plays for 20 ms: (what, item, samples played)."""
        left = round(self.speed * TICK_MS * SAMPLES_PER_MS)
        told: list[tuple[str, str, int]] = []
        for item_id, sound in self.sound.items():
            if item_id in self._ended:
                continue
            before = self.played.get(item_id, 0)
            now = min(len(sound) // 2, before + left)
            left -= now - before
            if now > before:
                told.append(("position" if before else "started", item_id, before))
            self.played[item_id] = now
            if now < self._whole.get(item_id, now + 1):
                break
            self._ended.add(item_id)
            told.append(("ended", item_id, now))
        return told

    def flush(self) -> dict[str, int]:
        """Falls silent: what was played of each item."""
        self._ended |= self.sound.keys()
        return dict(self.played)


class _Server(ServerEnd):
    """The server's end, its frames kept as they were written, and each of them checked."""

    def __init__(self, dialect: Dialect, first_number: int = 1) -> None:
        self.outgoing: deque[bytes] = deque()
        super().__init__(dialect, first_number=first_number)

    def _collect(self) -> None:
        for frame in self.protocol.frames():
            event = json.loads(frame.data)
            validate(self.dialect, "server", event)
            self.events.append(event)
            self.outgoing.append(frame.data)

    def take_in(self, data: bytes) -> None:
        self.protocol.receive(data.decode())
        while self.protocol.listen_more():
            pass
        self._collect()
        self.do_jobs()
        self._collect()

    def go_on(self) -> None:
        """Sends a little more of its answer, if there is one."""
        self.do_jobs()
        self._collect()
        if self.protocol.has_more:
            self.protocol.advance()
        self.do_jobs()
        self._collect()


class ClientEnd:
    """The client's rules with all that a session keeps round them: a log, a player, tools.

    Args:
        dialect: of the wire.
        player: who plays the answers; None for nobody.
        retry: how what fails is asked for again.

    Attributes:
        tools: by name, what answers a call.
        tool_ticks: how long a tool takes.
        calls: that wait for their answer, each with the time at which it is due.
        to_server: frames that were sent and not taken yet.
        sent: what was sent, in the wire's shape.
        outputs: all that the rules asked for.
    """

    def __init__(
        self, dialect: Dialect = "ga", player: Player | None = None, *, retry: Retry = NEVER
    ) -> None:
        numbers = count(1)
        self.dialect: Dialect = dialect
        self.player = player
        self.now_ns = 0
        self.log = EventLog(monotonic_ns=lambda: self.now_ns, unix_ns=lambda: 1_700_000_000_000_000_000)
        self.client = ClientProtocol(
            lambda prefix: f"{prefix}_c{next(numbers)}",
            player=player is not None,
            retry=retry,
            clock=lambda: self.now_ns / 1e9,
        )
        self.tools: dict[str, Callable[[str], str]] = {}
        self.tool_ticks = 0
        self.calls: list[tuple[int, outputs.ToolCall]] = []
        self.to_server: deque[bytes] = deque()
        self.sent: list[dict[str, Any]] = []
        self.outputs: list[Output] = []
        self._flushes = 0
        self.note("connection.opened", dialect=dialect, model="rehearsal", url="memory")
        self.note("clock", page="page", asked_s=0.0, answered_s=0.0, page_ms=0.0)

    def sent_types(self, *kinds: str) -> list[str]:
        """What the client sent, in order, as on the wire; only these kinds, if any are given."""
        return [e["type"] for e in self.sent if not kinds or e["type"] in kinds]

    def outputs_of(self, kind: type) -> list[Any]:
        return [o for o in self.outputs if isinstance(o, kind)]

    def play(self) -> None:
        """The player goes on for 20 ms and says how far it is."""
        for what, item_id, samples in self.player.tick() if self.player is not None else ():
            self.note(
                f"playback.{what}",
                item_id=item_id,
                played_samples=samples,
                page="page",
                page_ms=self.now_ns / 1e6,
                output_latency_ms=self.player.latency_ms if self.player is not None else 0.0,
            )

    def pump(self) -> None:
        while todo := self.client.take():
            for output in todo:
                self.outputs.append(output)
                self._perform(output)

    def _perform(self, output: Output) -> None:
        match output:
            case outputs.SendAudio(audio):
                frame = append_frame(audio)
                self._send(frame, event_of(frame, frame.fields))
            case outputs.Send(fields):
                frame = encode_event(client_event_to_wire(fields, self.dialect))
                self._send(frame, Event(canonical_type(frame.type), fields))
            case outputs.Play(item_id, _, start_sample, audio) if self.player is not None:
                self.player.play(item_id, start_sample, audio)
            case outputs.PlayEnd(item_id, _, samples) if self.player is not None:
                self.player.end(item_id, samples)
            case outputs.Flush():
                self._flushes += 1
                if self.player is not None:
                    self.player.flush()
            case outputs.AskAgain() | outputs.GivenUp() | outputs.Hung():
                kind, fields = row_of(output)
                self.note(kind, **fields)
            case outputs.ToolCall():
                self.calls.append((self.now_ns + self.tool_ticks * _TICK_NS, output))

    def _send(self, frame: Frame, event: Event) -> None:
        wire = json.loads(frame.wire())
        validate(self.dialect, "client", wire)
        self.sent.append(wire)
        row = self.log.append("sent", frame)
        self.client.observe(event, "sent", row.elapsed_ns / 1e9)
        self.to_server.append(frame.wire())

    def receive(self, data: bytes) -> None:
        """A frame of the server."""
        frame = read_frame(data)
        row = self.log.append("received", frame)
        assert frame.problem is None
        fields = frame.fields
        if frame.audio is None:
            fields = server_event_to_canonical(fields, self.dialect)
        self.client.receive(Event(canonical_type(frame.type), fields, frame.audio), row.elapsed_ns / 1e9)
        self.pump()

    def note(self, kind: str, **fields: Any) -> None:
        row, event = self.log.local(kind, **fields)
        if kind.startswith("playback."):
            self.client.playback(event)
            self.pump()
        else:
            self.client.observe(event, "local", row.elapsed_ns / 1e9)

    def answer_flushes(self) -> None:
        while self._flushes:
            self._flushes -= 1
            rows = []
            for item_id in self.client.cut_items:
                item = self.client.conversation.items[item_id]
                played = item.generated_samples
                if self.client.has_player(item_id) and self.player is not None:
                    played = self.player.played.get(item_id, 0)
                latency_ms = self.player.latency_ms if self.player is not None else 0.0
                _, event = self.log.local(
                    "playback.flushed", item_id=item_id, played_samples=played, output_latency_ms=latency_ms
                )
                rows.append(event)
            self.client.flushed(rows)
            self.pump()

    def answer_calls(self) -> None:
        due = [call for at_ns, call in self.calls if at_ns <= self.now_ns]
        self.calls = [(at_ns, call) for at_ns, call in self.calls if at_ns > self.now_ns]
        for call in due:
            self.note("tool.started", call_id=call.call_id, name=call.name)
            answer = self.tools[call.name](call.arguments)
            self.note("tool.finished", call_id=call.call_id, name=call.name)
            self.client.tool_output(call.call_id, answer)
            self.pump()


class ProtocolPair(ClientEnd):
    """A client and a server that talk to each other.

    Attributes:
        server_waits: no more of the answer comes while this is set.
    """

    def __init__(self, dialect: Dialect = "ga", player: Player | None = None) -> None:
        super().__init__(dialect, player)
        self.server = _Server(dialect)
        self.server_waits = False
        self.is_cut = False
        self.connections = 1
        self.given: list[Resumed] = []
        self.arrive()

    # ---- the line ------------------------------------------------------------------------------------------

    def cut(self, kept_audio_s: float = 30.0, unsent: Sequence[Frame | dict[str, Any]] = ()) -> None:
        """The line goes, and all that is on its way with it; this had not even been sent."""
        self.to_server.clear()
        self.is_cut = True
        self.note("connection.closed", code=1006, reason="", asked_for=False)
        kept = KeptInput(kept_audio_s)
        deleted = resumption.deleted_on_the_way(self.client)
        most_s = math.inf if resumption.are_committed(unsent) else kept_audio_s
        sounds = untaken_sounds(self.log, self.client.conversation, most_s)
        resumption.keep_untaken(self.client, kept, sounds, unsent)
        resumption.suspend(self.client, kept)
        self.note("connection.lost", reason="lost", deleted_item_ids=deleted)
        self._kept = kept
        self.pump()

    def mend(self, sounds: dict[str, bytes] | None = None) -> None:
        """There is another line, to a server that knows nothing."""
        self.connections += 1
        before, self.server = self.server, _Server(self.dialect, self.connections * 1000)
        for name in ("says", "hears", "speech_ms", "holds"):
            setattr(self.server, name, getattr(before, name))
        self.is_cut = False
        self.note("connection.opened", dialect=self.dialect, model="rehearsal", url="memory")
        self.receive(self.server.outgoing.popleft())
        resumed = resumption.resume(self.client, sounds or {})
        self.given.append(resumed)
        self.note("history", item_ids=[i.source_id for i in resumed.items], source="reconnect")
        self.note(
            "connection.restored",
            again_event_ids=list(resumed.again_event_ids),
            resent_samples=self._kept.resent_samples,
        )
        resumption.restore(self.client, resumed, lambda sound: self.client.append_audio(sound.pcm))
        self.arrive()

    # ---- time ----------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """All that was sent arrives, with what it leads to; no more of an answer is given."""
        self.pump()
        if self.is_cut:
            assert not self.to_server, "nothing is sent while there is no line"
            return
        while self.to_server or self.server.outgoing:
            while self.to_server:
                self.server.take_in(self.to_server.popleft())
            while self.server.outgoing:
                self.receive(self.server.outgoing.popleft())

    def tick(self) -> bool:
        """20 ms. Whether anything went on."""
        self.now_ns += _TICK_NS
        self.answer_flushes()
        self.arrive()
        if not self.server_waits and not self.is_cut:
            self.server.go_on()
        self.arrive()
        self.play()
        self.answer_calls()
        listens_until_s = self.client._listens_until_s
        if listens_until_s is not None and listens_until_s <= self.now_ns / 1e9:
            self.client.tick()
        self.arrive()
        playing = self.player is not None and self.player.is_playing and self.player.speed > 0
        has_more = not self.server_waits and not self.is_cut and self.server.protocol.has_more
        waits = listens_until_s is not None or bool(self.calls) or bool(self._flushes)
        return has_more or playing or waits

    def run(self, until: Callable[[], object] = lambda: False, ticks: int = 1000) -> None:
        """Goes on until that, or until nothing more happens by itself."""
        for _ in range(ticks):
            if until() or not self.tick():
                return
        raise AssertionError("it never comes to rest")

    # ---- what the user does --------------------------------------------------------------------------------

    def do(self, verb: Callable[[ClientProtocol], Any]) -> Any:
        """A verb of the client's end; what it sends arrives at once."""
        result = verb(self.client)
        self.arrive()
        return result

    def speak(self, *pieces: bytes) -> None:
        """The microphone, 20 ms at a time."""
        audio = b"".join(pieces)
        step = TICK_MS * SAMPLES_PER_MS * 2
        for start in range(0, len(audio), step):
            self.client.append_audio(audio[start : start + step])
            self.tick()

    # ---- for asserts ---------------------------------------------------------------------------------------

    @property
    def received_types(self) -> list[str]:
        """What the server sent, in order, canonical."""
        return [canonical_type(kind) for kind in self.server.types]

    @property
    def errors(self) -> list[str | None]:
        """The codes of the server's errors, in order."""
        return [e["error"]["code"] for e in self.server.events if e["type"] == "error"]

    def settled(self) -> None:
        """What holds after every talk: nobody waits, both remember the same, the log tells it all again."""
        assert not self.client.answering
        assert self.client.phase == "listening"
        memory = list(self.server.protocol._memory)
        conversation = self.client.conversation
        assert conversation.order == [item.item_id for item in memory]
        for item in memory:
            ours = conversation.items[item.item_id]
            if item.is_spoken_answer and ours.interrupted:
                assert item.audio_ms == int(ours.heard_ms or 0)
            elif item.is_spoken_answer:
                assert len(item.audio) == ours.generated_samples * 2
        check_log(self.log, conversation)


def check_log(log: EventLog, live: Conversation) -> None:
    """The tables can be made of the log, and hold together; it tells the same as the live one."""
    tables = Tables(log)
    turns, items, events = tables.turns(), tables.items(), tables.events()
    assert len(events) == len(log)
    replayed = tables._conversation
    assert state_of(replayed) == state_of(live)
    assert list(items.index[: len(live.order)]) == live.order
    assert turns["requests"].sum() == live.requests == len(turn_of_each_end(live))
    ends = events[events["event"] == "response.done"]
    assert ends["turn"].notna().all()
    for response_id, turn in zip(ends["response_id"], ends["turn"], strict=True):
        assert response_id not in live.responses or live.responses[response_id].turn == turn


def turn_of_each_end(conversation: Conversation) -> dict[str, int]:
    """The turn of each response that ended; it is in one turn's list and no other's."""
    listed = [(r, t.turn) for t in conversation.turns for r in t.response_ids]
    assert len({r for r, _ in listed}) == len(listed)
    assert {r: c.turn for r, c in conversation.responses.items()} == dict(listed)
    return {r: t for r, t in listed if conversation.responses[r].done_s is not None}


def state_of(conversation: Conversation) -> dict[str, Any]:
    """All of a conversation that can be read, in a shape that compares."""
    names = ("items", "order", "responses", "turns", "session", "session_id", "model", "requests", "renamed")
    return {name: getattr(conversation, name) for name in names} | {"arrival": list(conversation.items)}
