"""A line that goes and comes back, both ends in memory: at chosen points, and at any."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gip_nb.protocol.cost import total_cost, turn_cost
from gip_nb.protocol.frames import append_frame
from gip_nb.protocol.items import heard_text
from gip_nb.protocol.outputs import Failed, Send, ToolCall, TurnDone
from gip_nb.protocol.server.parts import Call, Say
from tests.unit.protocol.pair import Player, ProtocolPair, check_log
from tests.unit.protocol.server.server_end import silence, tone
from tests.unit.protocol.talks import (
    CREATE,
    DELETE,
    EDITS,
    ITEM,
    TOOL,
    answers,
    ask,
    long_answer,
    turn_detection,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gip_nb.protocol.dialects import Dialect
    from gip_nb.protocol.frames import Frame
    from gip_nb.protocol.outputs import Wish
    from gip_nb.protocol.server.memory import StoredItem
    from gip_nb.protocol.server.parts import Prompt
    from gip_nb.protocol.server.parts import Wish as ServerWish

WORD = {"type": "input_text", "text": "word"}
WORDS = "one two three four five six seven eight nine ten"
in_both_dialects = pytest.mark.parametrize("dialect", ["beta", "ga"])


def sent_since(pair: ProtocolPair, count: int, *kinds: str) -> list[dict[str, Any]]:
    return [e for e in pair.sent[count:] if not kinds or e["type"] in kinds]


@in_both_dialects
def test_an_answer_that_was_heard_in_part_is_restored_as_it_was_heard_and_given_again(
    dialect: Dialect,
) -> None:
    pair = ProtocolPair(dialect, Player())
    item_id = long_answer(pair, 300)
    pair.cut()
    before = len(pair.sent)
    pair.server.speech_ms = 200
    pair.mend()
    pair.run()
    first, second = answers(pair)
    assert first == item_id
    memory = {item.item_id: item for item in pair.server.protocol._memory}
    assert list(memory) == pair.client.conversation.order
    assert not memory[first].is_spoken_answer, "it is text now"
    assert memory[second].is_spoken_answer
    assert len(sent_since(pair, before, CREATE)) == 1
    lost, again = pair.client.conversation.responses.values()
    assert (lost.status, lost.reason, again.status) == ("incomplete", "connection_lost", "completed")
    assert pair.client.conversation.requests == 1
    # Nobody was told what it used, and no budget is to stop a talk for that.
    note = "not included: an answer that a lost connection broke off"
    assert note in str(total_cost(pair.client.conversation).note)
    assert note in str(turn_cost(pair.client.conversation, pair.client.conversation.turns[0]).note)
    assert [billed.response_id for billed in pair.client.conversation.billed] == [again.response_id]
    check_log(pair.log, pair.client.conversation)


@in_both_dialects
def test_what_plays_on_after_the_line_is_back_and_is_interrupted_is_known_as_it_was_heard(
    dialect: Dialect,
) -> None:
    """A whole answer that is still being heard: the new server has its words, and no audio to truncate."""
    pair = ProtocolPair(dialect, Player())
    item_id = _plays_on(pair)
    pair.do(lambda c: c.send_text("And then?"))
    before = len(pair.sent)
    pair.do(lambda c: c.interrupt())
    pair.run()
    conversation = pair.client.conversation
    item = conversation.items[item_id]
    heard = heard_text(item)
    assert 0 < len(heard) < len(item.text)
    deleted, made = sent_since(pair, before)
    assert (deleted["type"], deleted["item_id"]) == (DELETE, item_id)
    assert made["item"]["id"] == item_id
    assert made["item"]["content"][0]["text"] == heard
    assert (item.interrupted, item.deleted) == (True, False)
    memory = {item.item_id: item for item in pair.server.protocol._memory}
    assert list(memory) == conversation.order, "it stands where it stood"
    assert text_of(memory[item_id]) == heard
    assert conversation.heard(conversation.turns[0]) == heard
    assert pair.errors == []
    check_log(pair.log, conversation)


def text_of(item: StoredItem) -> str:
    return "".join(str(part.get("text", "")) for part in item.fields["content"])


def _plays_on(pair: ProtocolPair, text: str = WORDS) -> str:
    """A whole answer, half a second of it played; then the line goes, and is back. Its item."""
    pair.server.speech_ms = 4000
    pair.server.says = lambda _prompt: [Say(text)]
    ask(pair)
    pair.run(until=lambda: pair.client.conversation.requests == 1)
    assert pair.player is not None
    assert pair.player.is_playing
    pair.cut()
    pair.mend()
    pair.tick()
    return answers(pair)[0]


def test_where_the_line_goes_again_before_that_is_confirmed_nothing_is_forgotten() -> None:
    pair = ProtocolPair("ga", Player())
    item_id = _plays_on(pair)
    pair.client.interrupt()
    pair.pump()
    pair.answer_flushes()
    assert pair.to_server, "it is on its way"
    pair.cut()
    pair.mend()
    pair.run()
    heard = heard_text(pair.client.conversation.items[item_id])
    memory = {item.item_id: item for item in pair.server.protocol._memory}
    assert text_of(memory[item_id]) == heard
    assert list(memory) == pair.client.conversation.order
    check_log(pair.log, pair.client.conversation)


def test_of_the_first_answer_the_heard_part_stands_first_where_what_was_before_it_is_not_there() -> None:
    """A greeting, after a picture that the new server was not given."""
    pair = ProtocolPair("ga", Player())
    part = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    pair.do(
        lambda c: c.add_item({"type": "message", "role": "user", "content": [part], "id": "item_picture"})
    )
    pair.server.speech_ms = 4000
    pair.server.says = lambda _prompt: [Say(WORDS)]
    pair.do(lambda c: c.respond())
    pair.run(until=lambda: pair.client.conversation.requests == 1)
    pair.cut()
    pair.mend()
    before = len(pair.sent)
    pair.do(lambda c: c.interrupt())
    pair.run()
    (made,) = sent_since(pair, before, ITEM)
    assert made["previous_item_id"] == "root"
    assert pair.errors == []


def test_a_server_that_refuses_the_heard_part_is_noted() -> None:
    pair = ProtocolPair("ga", Player())
    item_id = _plays_on(pair)
    pair.client.interrupt()
    pair.pump()
    pair.answer_flushes()
    pair.to_server[1] = pair.to_server[1].replace(b'"role":"assistant"', b'"role":"nobody"')
    pair.arrive()
    item = pair.client.conversation.items[item_id]
    assert "did not take it back" in str(item.problem)
    pair.cut()
    pair.mend()
    # The next one is given it all the same.
    assert item_id in [i.source_id for i in pair.given[-1].items]
    check_log(pair.log, pair.client.conversation)


def test_of_a_whole_answer_that_nobody_had_begun_to_hear_the_new_server_is_to_know_nothing() -> None:
    pair = ProtocolPair("ga", Player(speed=0))
    ask(pair)
    pair.run(until=lambda: pair.client.conversation.requests == 1)
    pair.cut()
    pair.mend()
    pair.do(lambda c: c.interrupt())
    pair.run()
    assert [i.role for i in pair.client.conversation.ordered()] == ["user"]
    assert [i.item_id for i in pair.server.protocol._memory] == pair.client.conversation.order


def test_an_interruption_while_there_is_no_line_wants_no_more_of_the_answer() -> None:
    pair = ProtocolPair("ga", Player())
    wish = _long(pair)
    pair.cut()
    assert pair.client.interrupt()
    pair.pump()
    pair.answer_flushes()
    before = len(pair.sent)
    pair.mend()
    pair.run()
    assert sent_since(pair, before, CREATE, *EDITS) == []
    assert wish.done
    assert wish.failure is None
    (item_id,) = answers(pair)
    assert pair.client.conversation.items[item_id].interrupted
    assert [t.turn for t in pair.outputs_of(TurnDone)] == [1]


def _long(pair: ProtocolPair) -> Wish:
    pair.server.speech_ms = 4000
    wish = ask(pair)
    pair.run(until=lambda: sum(pair.player.played.values() if pair.player else ()) >= 300 * 24)
    return wish


def test_settings_are_the_newest_and_a_refused_one_is_none() -> None:
    pair = ProtocolPair("ga")
    pair.do(lambda c: c.update({"instructions": "Be brief.", "audio": {"output": {"voice": "ash"}}}))
    pair.do(lambda c: c.update({"instructions": "Be long.", "max_output_tokens": -5}))
    assert pair.errors == ["integer_below_min_value"]
    turn_detection(pair, None)
    pair.cut()
    before = len(pair.sent)
    pair.mend()
    (update,) = sent_since(pair, before, "session.update")
    session = update["session"]
    assert session["instructions"] == "Be brief."
    assert "max_output_tokens" not in session
    assert session["audio"] == {"output": {"voice": "ash"}, "input": {"turn_detection": None}}


@in_both_dialects
def test_telephone_sound_is_kept_and_sent_in_the_telephones_format(dialect: Dialect) -> None:
    pair = ProtocolPair(dialect)
    ulaw = {"type": "audio/pcmu"}
    pair.do(lambda c: c.update({"audio": {"input": {"format": ulaw, "turn_detection": None}}}))
    pair.speak(tone(400))
    pair.cut()
    pair.client.append_audio(tone(200))
    pair.mend()
    pair.do(lambda c: c.commit())
    (user,) = pair.client.conversation.ordered()
    assert user.audio_ms == pytest.approx(600, abs=20)
    assert pair.errors == []


def test_a_picture_is_sent_again_while_it_was_on_its_way_and_left_out_later() -> None:
    pair = ProtocolPair("ga")
    part = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    picture = {"type": "message", "role": "user", "content": [part], "id": "item_picture"}
    pair.client.add_item(picture)
    pair.pump()
    pair.cut()
    pair.mend()
    assert [i.item_id for i in pair.server.protocol._memory] == ["item_picture"]
    pair.cut()
    pair.mend()
    assert pair.given[-1].left_out == ["item_picture"]
    assert list(pair.server.protocol._memory) == []
    check_log(pair.log, pair.client.conversation)


def test_a_server_that_names_items_anew_has_each_once() -> None:
    """Some do not take a client's ids."""
    pair = ProtocolPair("ga")
    ask(pair, "one")
    pair.run()
    conversation = pair.client.conversation
    (answer,) = answers(pair)
    pair.cut()
    pair.note("connection.opened", dialect="ga", model="rehearsal", url="memory")
    pair.note("history", item_ids=list(conversation.order), source="reconnect")
    told = list(conversation.order)
    for n, item_id in enumerate(told):
        item = conversation.items[item_id]
        kind = "output_text" if item.role == "assistant" else "input_text"
        content = [{"type": kind, "text": item.text}]
        given = {"type": "message", "role": item.role, "content": content}
        sent = {"type": ITEM, "event_id": f"e{n}", "item": {**given, "id": item_id}}
        _fold(pair, "sent", sent)
        _fold(pair, "received", {"type": "conversation.item.added", "item": {**given, "id": f"new_{n}"}})
    assert conversation.order == ["new_0", "new_1"]
    assert conversation.renamed == {told[0]: "new_0", answer: "new_1"}
    assert [i.turn for i in conversation.ordered()] == [1, 1]
    check_log(pair.log, conversation)


def _fold(pair: ProtocolPair, direction: Any, fields: dict[str, Any]) -> None:
    from gip_nb.protocol.frames import Event, encode_event

    row = pair.log.append(direction, encode_event(fields))
    pair.client.observe(Event(fields["type"], fields), direction, row.elapsed_ns / 1e9)


# ---- what was kept -----------------------------------------------------------------------------------------


def _speaks_long(pair: ProtocolPair) -> bytes:
    """A question of 1 s, by hand, which is more than what is kept of speech. Its sound."""
    turn_detection(pair, None)
    sound = tone(1000)
    for start in range(0, len(sound), 960):
        pair.client.append_audio(sound[start : start + 960])
    pair.pump()
    return sound


def test_a_long_question_whose_commit_nobody_confirmed_is_whole() -> None:
    pair = ProtocolPair("ga")
    sound = _speaks_long(pair)
    request = pair.client.commit()
    pair.pump()
    pair.cut(kept_audio_s=0.3)
    assert (request.done, request.kept) == (False, True)
    assert pair._kept.lost_samples == 0
    before = len(pair.sent)
    pair.mend()
    assert (request.done, request.kept) == (True, False)
    kinds = [e["type"] for e in sent_since(pair, before)]
    assert kinds[-1] == "input_audio_buffer.commit"
    (user,) = pair.client.conversation.ordered()
    assert user.audio_ms == pytest.approx(len(sound) / 48, abs=20)


def test_a_long_question_whose_end_had_not_gone_out_is_whole() -> None:
    pair = ProtocolPair("ga")
    sound = _speaks_long(pair)
    unsent: list[Frame | dict[str, Any]] = [
        append_frame(tone(400)),
        {"type": "input_audio_buffer.commit", "event_id": "evt_commit"},
    ]
    pair.cut(kept_audio_s=0.3, unsent=unsent)
    pair.mend()
    (user,) = pair.client.conversation.ordered()
    assert user.audio_ms == pytest.approx(len(sound) / 48 + 400, abs=20)


def test_a_commit_that_is_made_in_the_gap_waits_for_the_line() -> None:
    pair = ProtocolPair("ga")
    _speaks_long(pair)
    pair.cut()
    request = pair.client.commit()
    assert (request.done, request.kept) == (False, True)
    pair.mend()
    assert (request.done, request.kept, request.failure) == (True, False, None)


def test_what_was_cleared_is_not_kept() -> None:
    pair = ProtocolPair("ga")
    _speaks_long(pair)
    unsent: list[Frame | dict[str, Any]] = [
        append_frame(tone(40)),
        {"type": "input_audio_buffer.clear"},
        append_frame(tone(60)),
    ]
    pair.cut(unsent=unsent)
    assert pair._kept.tail_samples == 60 * 24
    pair.mend()


def test_the_users_own_events_that_had_not_gone_out_are_sent_then() -> None:
    """And ours are not: what they were to lead to is restored."""
    pair = ProtocolPair("ga")
    own = {"type": ITEM, "item": {"type": "message", "role": "user", "content": [WORD]}}
    pair.client.update({"instructions": "Be kind."})
    pair.client.send_text("ours")
    pair.client.respond()
    unsent = [output.fields for output in pair.client.take() if isinstance(output, Send)]
    assert len(unsent) == 3
    pair.cut(unsent=[unsent[0], own, *unsent[1:], {"type": "response.cancel"}, {"type": CREATE}])
    before = len(pair.sent)
    pair.mend()
    kinds = [e["type"] for e in sent_since(pair, before)]
    assert kinds == ["session.update", ITEM, CREATE, ITEM, CREATE]
    texts = [e["item"]["content"][0]["text"] for e in sent_since(pair, before, ITEM)]
    assert texts == ["word", "ours"]


def test_what_the_server_had_called_itself_is_named_as_left_out() -> None:
    pair = ProtocolPair("ga")
    ask(pair)
    pair.run()
    for kind in ("mcp_call", "mcp_approval_request", "mcp_list_tools"):
        item = {"id": f"item_{kind}", "type": kind, "status": "completed"}
        _fold(pair, "received", {"type": "conversation.item.added", "item": item})
    pair.cut()
    pair.mend()
    assert pair.given[-1].left_out == ["item_mcp_call", "item_mcp_approval_request"]


# ---- at any point ------------------------------------------------------------------------------------------


class Script:
    """A user who writes, speaks, interrupts and has a function, over a line that goes at any moment."""

    def __init__(self, dialect: Dialect) -> None:
        self.pair = ProtocolPair(dialect, Player(speed=4.0))
        self.pair.server.says = self._says
        self.pair.tools["look"] = lambda _arguments: "seen"
        self.pair.tool_ticks = 7
        self.pair.server.speech_ms = 400
        self.pair.do(lambda c: c.update({"tools": [TOOL]}))
        self.texts: list[str] = []
        self.wishes: list[Wish] = []
        self.utterances = 0

    def _says(self, prompt: Prompt) -> Sequence[ServerWish]:
        said = [line for line in prompt.lines if line.role == "user"]
        last = prompt.lines[-1] if prompt.lines else None
        if last is not None and last.role == "user" and said and "look" in last.text:
            return [Call("look", '{"where": "there"}'), Call("look", '{"where": "here"}')]
        return [Say("It is so.")]

    def write(self) -> None:
        self._ask(f"text {len(self.texts)}")

    def call(self) -> None:
        self._ask(f"look {len(self.texts)}")

    def _ask(self, text: str) -> None:
        self.texts.append(text)
        self.pair.client.send_text(text)
        self.wishes.append(self.pair.client.respond())
        self.pair.arrive()

    def begin_to_speak(self) -> None:
        self.utterances += 1
        self.pair.speak(silence(300), tone(300))

    def speak_on(self) -> None:
        self.pair.speak(tone(300), silence(900))

    def interrupt(self) -> None:
        self.pair.do(lambda c: c.interrupt())

    def drop(self) -> None:
        if not self.pair.is_cut:
            self.pair.cut()

    def mend(self) -> None:
        if self.pair.is_cut:
            self.pair.mend(self._sounds())

    def _sounds(self) -> dict[str, bytes]:
        from gip_nb.journal.tables import Tables
        from gip_nb.protocol.history import without_words

        tables = Tables(self.pair.log)
        return {i: tables.sound(i) for i in without_words(self.pair.client.conversation)}

    def go_on(self, ticks: int) -> None:
        for _ in range(ticks):
            self.pair.tick()

    def end(self) -> None:
        self.mend()
        self.pair.run(ticks=3000)

    def holds(self) -> None:
        pair, client = self.pair, self.pair.client
        conversation = client.conversation
        assert not client.answering
        assert client.phase == "listening"
        assert all(wish.done for wish in self.wishes)
        assert [f for f in pair.outputs_of(Failed) if "each time" not in f.message] == []
        memory = list(pair.server.protocol._memory)
        known = [item.item_id for item in memory]
        assert known == [i for i in conversation.order if i in set(known)], "the order is kept"
        assert len(set(known)) == len(known)
        said = [i.text for i in conversation.ordered() if i.role == "user" and not i.spoken]
        assert said == self.texts, "no text is lost, none is there twice"
        assert {i.item_id for i in conversation.ordered() if i.role == "user"} <= set(known)
        calls = Counter(i.call_id for i in conversation.ordered() if i.type == "function_call_output")
        assert all(count == 1 for count in calls.values()), "no call is answered twice"
        ran = Counter(c.call_id for c in pair.outputs_of(ToolCall))
        assert all(count == 1 for count in ran.values()), "no function runs twice for one call"
        assert set(ran) <= set(calls)
        check_log(pair.log, conversation)
        # What the server refused, nobody should have asked of it.
        assert {e for e in pair.errors if e != "response_cancel_not_active"} <= {
            "conversation_already_has_active_response"
        }


# Each of these is a whole talk, and tables at its end.
few = settings(max_examples=max(1, settings().max_examples // 2))
MOVES = ("write", "call", "interrupt", "drop", "drop", "mend")
steps = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 25)), min_size=1, max_size=10)


@few
@in_both_dialects
@given(steps=steps)
def test_a_line_that_goes_at_any_moment_loses_nothing_and_doubles_nothing(
    dialect: Dialect, steps: list[tuple[str, int]]
) -> None:
    script = Script(dialect)
    for move, ticks in steps:
        getattr(script, move)()
        script.go_on(ticks)
    script.end()
    script.holds()


@few
@given(before=st.integers(0, 70), gap=st.integers(0, 20), again=st.integers(0, 40))
def test_an_utterance_is_one_wherever_the_line_goes(before: int, gap: int, again: int) -> None:
    """300 ms of silence, 600 ms of speech and 900 ms of silence, 20 ms at a time."""
    script = Script("ga")
    pair = script.pair
    sound = silence(300) + tone(600) + silence(900)
    pieces = [sound[n : n + 960] for n in range(0, len(sound), 960)]
    for n, piece in enumerate(pieces):
        if n in {before, before + gap + again + 5}:
            script.drop()
        if n in {before + gap, before + gap + again + 9}:
            script.mend()
        pair.client.append_audio(piece)
        pair.tick()
    script.end()
    script.holds()
    conversation = pair.client.conversation
    spoken = [i for i in conversation.ordered() if i.role == "user"]
    assert len(spoken) == 1, "it is said once"
    assert len(conversation.turns) == 1
    statuses = [r.status for r in conversation.responses.values()]
    assert statuses.count("completed") == 1, "it is answered once"
    assert set(statuses) <= {"completed", "incomplete"}


@settings(max_examples=8)
@given(before=st.integers(0, 40))
def test_an_answer_that_is_cut_anywhere_and_words_in_the_gap_lead_to_one_answer(before: int) -> None:
    script = Script("ga")
    pair = script.pair
    script.write()
    script.go_on(before)
    script.drop()
    done = pair.client.conversation.requests
    pair.client.append_audio(silence(200) + tone(500) + silence(900))
    script.end()
    script.holds()
    assert pair.client.conversation.requests == done + 1
    assert len(pair.client.conversation.turns) == 2
