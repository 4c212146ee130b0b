"""Items in their order, responses, turns: whatever a server sends, and in whatever order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.protocol.conversation import SAMPLES_PER_MS, Conversation, Direction, Turn, reduce
from gip_nb.protocol.dialects import client_event_to_canonical, server_event_to_canonical
from gip_nb.protocol.events import BETA, GA
from gip_nb.protocol.frames import Event
from gip_nb.protocol.items import heard_text
from tests.unit.protocol import samples

SECOND = bytes(2 * 1000 * SAMPLES_PER_MS)
VAD = {"type": "server_vad", "silence_duration_ms": 500}


class Talk:
    """A conversation that is told one event after another, a second apart unless said."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.now_s = 0.0

    def tell(
        self,
        direction: Direction,
        kind: str,
        audio: bytes | None = None,
        at_s: float | None = None,
        **fields: Any,
    ) -> None:
        self.now_s = self.now_s + 1 if at_s is None else at_s
        assert (
            reduce(self.conversation, Event(kind, {"type": kind, **fields}, audio), direction, self.now_s)
            is self.conversation
        )

    def got(self, kind: str, **fields: Any) -> None:
        self.tell("received", kind, **fields)

    def sent(self, kind: str, **fields: Any) -> None:
        self.tell("sent", kind, **fields)

    def local(self, kind: str, **fields: Any) -> None:
        self.tell("local", f"local.{kind}", **fields)

    def added(self, item_id: str, after: str | None = None, **item: Any) -> None:
        item = {"type": "message", "role": "user", **item}
        self.got("conversation.item.added", previous_item_id=after, item={"id": item_id, **item})

    def session(self, detection: dict[str, Any] | None) -> None:
        self.got("session.created", session={"id": "s", "audio": {"input": {"turn_detection": detection}}})

    def done(self, response_id: str, status: str = "completed", **response: Any) -> None:
        self.got("response.done", response={"id": response_id, "status": status, **response})

    def answer(self, item_id: str = "a", response_id: str = "r", audio: bytes = SECOND) -> None:
        self.got("response.created", response={"id": response_id})
        self.got("response.output_audio.delta", response_id=response_id, item_id=item_id, audio=audio)

    @property
    def order(self) -> list[str]:
        return self.conversation.order

    @property
    def turns(self) -> list[Turn]:
        return self.conversation.turns


@pytest.fixture
def talk() -> Talk:
    return Talk()


# ------------------------------------------------------------------------------------------------------ order


@given(st.permutations(range(7)))
def test_order_converges_whatever_arrives_first(arrival: list[int]) -> None:
    talk = Talk()
    for n in arrival:
        talk.added(f"i{n}", f"i{n - 1}" if n else None)
    assert talk.order == [f"i{n}" for n in range(7)]
    assert sorted(talk.conversation.items) == sorted(talk.order)


@given(st.permutations([(kind, n) for n in range(4) for kind in ("added", "done", "part")]))
def test_order_converges_where_items_are_told_of_more_than_once(arrival: list[tuple[str, int]]) -> None:
    talk = Talk()
    for kind, n in arrival:
        if kind == "part":
            # A part of an answer comes without a place.
            talk.got("response.output_text.delta", response_id="r", item_id=f"i{n}", delta="x")
        else:
            after = f"i{n - 1}" if n else None
            item = {"id": f"i{n}", "type": "message", "role": "assistant"}
            talk.got(f"conversation.item.{kind}", previous_item_id=after, item=item)
    assert talk.order == ["i0", "i1", "i2", "i3"]


@given(st.lists(st.tuples(st.integers(0, 4), st.none() | st.integers(0, 4), st.booleans()), max_size=14))
def test_places_that_contradict_each_other_lose_no_item(told: list[tuple[int, int | None, bool]]) -> None:
    talk = Talk()
    gone = set()
    for n, after, delete in told:
        if delete and n % 2:
            talk.got("conversation.item.deleted", item_id=f"i{n}")
            gone |= {n} & {int(i[1:]) for i in talk.conversation.items}
        else:
            talk.added(f"i{n}", None if after is None else f"i{after}")
    assert sorted(talk.order) == sorted(
        {f"i{n}" for n, _, delete in told if not (delete and n % 2)} - {f"i{n}" for n in gone}
    )


def test_an_item_of_ours_may_go_first(talk: Talk) -> None:
    talk.added("one")
    item = {"id": "zero", "type": "message", "role": "system"}
    talk.sent("conversation.item.create", previous_item_id="root", item=item)
    talk.added("zero", None, role="system")
    assert talk.order == ["zero", "one"]


def test_an_inserted_item_pushes_back_what_followed(talk: Talk) -> None:
    talk.added("one")
    talk.added("three", "one")
    talk.added("two", "one")
    assert talk.order == ["one", "two", "three"]


def test_an_answer_moves_with_the_question_that_it_follows(talk: Talk) -> None:
    talk.added("q", "before")
    talk.got("conversation.item.added", previous_item_id="q", item={"id": "a", "role": "assistant"})
    talk.added("other")
    talk.added("before")
    assert talk.order == ["other", "before", "q", "a"]


# --------------------------------------------------------------------------------------------- names, deleted


def send_text(talk: Talk, item_id: str, text: str, **fields: Any) -> None:
    content = [{"type": "input_text", "text": text}]
    item = {"id": item_id, "type": "message", "role": "user", "content": content}
    talk.sent("conversation.item.create", item=item, **fields)


def test_a_server_may_rename_our_item(talk: Talk) -> None:
    send_text(talk, "mine", "hello")
    send_text(talk, "next", "again", previous_item_id="mine")
    talk.added("theirs", None, content=[{"type": "input_text", "text": "hello"}])
    assert talk.order == ["theirs", "next"]
    assert talk.conversation.renamed == {"mine": "theirs"}
    assert [t.item_ids for t in talk.turns] == [["theirs"], ["next"]]
    assert talk.conversation.items["theirs"].item_id == "theirs"
    talk.added("later", "theirs")
    assert talk.order == ["theirs", "later", "next"]


def test_what_follows_a_renamed_item_still_follows_it(talk: Talk) -> None:
    send_text(talk, "mine", "hello")
    send_text(talk, "next", "again", previous_item_id="mine")
    talk.added("theirs", "first", content=[{"type": "input_text", "text": "hello"}])
    talk.added("first")
    assert talk.order == ["first", "theirs", "next"]


def test_outputs_of_calls_are_renamed_by_their_call(talk: Talk) -> None:
    for n in (1, 2):
        item = {"id": f"o{n}", "type": "function_call_output", "call_id": f"c{n}", "output": str(n)}
        talk.sent("conversation.item.create", item=item)
    talk.added("x2", None, type="function_call_output", role=None, call_id="c2", output="2")
    assert talk.conversation.renamed == {"o2": "x2"}
    assert talk.conversation.items["x2"].output == "2"


def test_a_deleted_item_is_not_renamed_afterwards(talk: Talk) -> None:
    send_text(talk, "mine", "hello")
    talk.got("conversation.item.deleted", item_id="mine")
    talk.added("theirs", None, content=[{"type": "input_text", "text": "hello"}])
    assert talk.order == ["theirs"]
    assert talk.conversation.items["mine"].deleted


def test_a_deleted_item_stays_gone(talk: Talk) -> None:
    talk.answer()
    talk.got("conversation.item.deleted", item_id="a")
    talk.got("response.output_audio.delta", response_id="r", item_id="a", audio=SECOND)
    talk.got("conversation.item.done", item={"id": "a", "role": "assistant"}, previous_item_id=None)
    talk.done("r", output=[{"id": "a", "type": "message"}])
    assert talk.order == []
    assert talk.conversation.items["a"].deleted
    assert talk.conversation.items["a"].generated_samples == 48_000


# ------------------------------------------------------------------------------------------------------ turns


def test_a_voice_turn(talk: Talk) -> None:
    talk.session(VAD)
    talk.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=100)
    talk.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=2100)
    talk.got("input_audio_buffer.committed", item_id="u", previous_item_id=None)
    talk.added("u", content=[{"type": "input_audio", "transcript": None}])
    talk.answer()
    talk.got("response.output_audio_transcript.delta", response_id="r", item_id="a", delta="fine")
    talk.got("conversation.item.input_audio_transcription.completed", item_id="u", transcript="how are you")
    talk.done("r", usage={"input_tokens": 3, "output_tokens": 4})
    (turn,) = talk.turns
    assert (turn.item_ids, turn.response_ids, turn.requests) == (["u", "a"], ["r"], 1)
    assert (turn.usage.input_tokens, turn.usage.output_tokens) == (3, 4)
    user = talk.conversation.items["u"]
    assert (user.role, user.audio_ms, user.transcribed, user.status) == ("user", 2000.0, True, "completed")
    assert talk.conversation.texts(turn, "user") == "how are you"
    assert talk.conversation.texts(turn, "assistant") == "fine"
    assert talk.order == ["u", "a"]


@given(st.permutations(["committed", "added", "stopped", "completed", "created", "done"]))
def test_a_voice_turn_whose_events_come_in_any_order(arrival: list[str]) -> None:
    talk = Talk()
    talk.session(VAD)
    send_text(talk, "before", "hi")
    talk.sent("input_audio_buffer.append", audio=SECOND, at_s=1.0)
    talk.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=200, at_s=1.0)
    tell: dict[str, Any] = {
        "stopped": ("input_audio_buffer.speech_stopped", {"item_id": "u", "audio_end_ms": 1000}),
        "committed": ("input_audio_buffer.committed", {"item_id": "u", "previous_item_id": "before"}),
        "added": (
            "conversation.item.added",
            {
                "item": {"id": "u", "type": "message", "role": "user", "content": [{"type": "input_audio"}]},
                "previous_item_id": "before",
            },
        ),
        "completed": (
            "conversation.item.input_audio_transcription.completed",
            {"item_id": "u", "transcript": "hello", "content_index": 0},
        ),
        "created": ("response.created", {"response": {"id": "r"}}),
        "done": ("response.done", {"response": {"id": "r", "status": "completed"}}),
    }
    for what in arrival:
        kind, fields = tell[what]
        talk.got(kind, at_s=2.0, **fields)
    first, second = talk.turns
    assert second.item_ids == ["u"]
    assert talk.conversation.items["u"].turn == 2
    assert talk.conversation.items["u"].audio_ms == 800.0
    assert talk.conversation.texts(second, "user") == "hello"
    assert second.speech_end_s == pytest.approx(0.5)
    assert first.requests + second.requests == 1
    assert talk.conversation.responses["r"].status == "completed"
    assert talk.order == ["before", "u"]


def test_a_commit_told_twice_opens_one_turn(talk: Talk) -> None:
    for _ in range(2):
        talk.got("input_audio_buffer.committed", item_id="u")
    assert len(talk.turns) == 1


def test_a_text_turn_opens_when_it_is_sent_and_its_confirmation_opens_none(talk: Talk) -> None:
    send_text(talk, "t", "hello")
    talk.added("t", content=[{"type": "input_text", "text": "hello"}])
    (turn,) = talk.turns
    assert (turn.started_s, turn.speech_end_s) == (1.0, 1.0)
    assert talk.conversation.items["t"].status == "completed"


def test_a_text_sent_without_an_id_opens_its_turn_when_the_server_names_it(talk: Talk) -> None:
    talk.sent("conversation.item.create", item={"type": "message", "role": "user"})
    talk.added("t", content=[{"type": "input_text", "text": "hello"}])
    (turn,) = talk.turns
    assert (turn.item_ids, turn.speech_end_s) == (["t"], 2.0)


def test_a_greeting_opens_a_turn(talk: Talk) -> None:
    talk.answer()
    talk.done("r")
    (turn,) = talk.turns
    assert (turn.item_ids, turn.requests, turn.speech_end_s) == (["a"], 1, None)


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_what_others_say_opens_no_turn(talk: Talk, role: str) -> None:
    item = {"id": "x", "type": "message", "role": role, "content": [{"type": "input_text", "text": "x"}]}
    talk.sent("conversation.item.create", item=item)
    talk.added("x", role=role)
    assert talk.turns == []
    send_text(talk, "t", "hello")
    assert [t.item_ids for t in talk.turns] == [["t"]]


def test_tool_follow_ups_belong_to_the_turn_until_the_next_opens(talk: Talk) -> None:
    send_text(talk, "t", "weather?")
    talk.got("response.created", response={"id": "r1"})
    talk.got(
        "response.function_call_arguments.done", response_id="r1", item_id="f", call_id="c", arguments="{}"
    )
    talk.done("r1")
    output = {"id": "o", "type": "function_call_output", "call_id": "c", "output": "sun"}
    talk.sent("conversation.item.create", item=output)
    talk.answer("a", "r2")
    talk.done("r2")
    send_text(talk, "t2", "thanks")
    talk.done("r3")
    assert [t.response_ids for t in talk.turns] == [["r1", "r2"], ["r3"]]
    assert [t.requests for t in talk.turns] == [2, 1]
    assert talk.turns[0].item_ids == ["t", "f", "o", "a"]


response_ids = st.sampled_from(["r1", "r2", "r3", None])
script = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.none()),
        st.tuples(st.sampled_from(["created", "done", "delta"]), response_ids),
        st.tuples(st.just("committed"), st.sampled_from(["u1", "u2"])),
    ),
    max_size=25,
)


@given(script)
def test_every_end_belongs_to_exactly_one_turn_and_is_counted_once(
    told: list[tuple[str, str | None]],
) -> None:
    talk = Talk()
    named = set()
    unnamed = 0
    for number, (what, name) in enumerate(told):
        match what:
            case "text":
                send_text(talk, f"t{number}", f"text {number}")
            case "created":
                talk.got("response.created", response={"id": name})
            case "delta":
                talk.got("response.output_text.delta", response_id=name, item_id=f"a{name}", delta="x")
            case "committed":
                talk.got("input_audio_buffer.committed", item_id=name)
            case _:
                before = {r.response_id for r in talk.conversation.responses.values() if r.active}
                talk.got("response.done", response={"id": name, "status": "completed"})
                if name is None and not before:
                    unnamed += 1
                named |= {talk.conversation.last_done}
    conversation = talk.conversation
    of_turns = [r for t in talk.turns for r in t.response_ids]
    assert len(of_turns) == len(set(of_turns))
    assert set(of_turns) == set(conversation.responses)
    assert sum(t.requests for t in talk.turns) == conversation.requests == len(named)
    assert {r.response_id for r in conversation.responses.values() if not r.active} == named


def test_an_end_without_a_name_ends_what_is_active(talk: Talk) -> None:
    talk.answer()
    talk.got("response.done", response={"status": "failed"})
    assert talk.conversation.responses["r"].status == "failed"
    assert talk.conversation.last_done == "r"


def test_a_repeated_end_is_billed_once(talk: Talk) -> None:
    talk.answer()
    talk.done("r", usage={"input_tokens": 3})
    talk.done("r", "cancelled", usage={"input_tokens": 3})
    assert (talk.conversation.requests, talk.turns[0].requests) == (1, 1)
    assert talk.turns[0].usage.input_tokens == 3
    assert talk.conversation.responses["r"].status == "completed"


def test_failed_and_cancelled_responses_are_billed_and_keep_their_reason(talk: Talk) -> None:
    talk.done("r1", "failed", status_details={"type": "failed", "error": {"message": "no luck"}})
    talk.done("r2", "cancelled", status_details={"type": "cancelled", "reason": "turn_detected"})
    one, two = talk.conversation.responses.values()
    assert (one.status, one.error, two.status, two.reason) == (
        "failed",
        "no luck",
        "cancelled",
        "turn_detected",
    )
    assert talk.turns[0].requests == 2
    assert talk.turns[0].interrupted


def test_items_that_only_the_end_tells_of_are_there(talk: Talk) -> None:
    send_text(talk, "t", "hi")
    content = [{"type": "output_text", "text": "hello"}]
    talk.done("r", output=[{"id": "a", "type": "message", "role": "assistant", "content": content}])
    assert talk.order == ["t", "a"]
    assert talk.conversation.texts(talk.turns[0], "assistant") == "hello"
    assert talk.conversation.items["a"].status == "completed"


# ------------------------------------------------------------------------------------------------ transcripts


def transcription(talk: Talk, what: str, **fields: Any) -> None:
    talk.got(f"conversation.item.input_audio_transcription.{what}", item_id="u", content_index=0, **fields)


@pytest.mark.parametrize("early", [True, False])
def test_a_transcript_may_come_before_the_item_or_after_the_answer(talk: Talk, early: bool) -> None:  # noqa: FBT001 - a case
    if early:
        transcription(talk, "completed", transcript="hello")
    talk.got("input_audio_buffer.committed", item_id="u")
    talk.added("u", content=[{"type": "input_audio", "transcript": None}])
    talk.answer()
    talk.done("r")
    if not early:
        transcription(talk, "completed", transcript="hello")
    assert talk.conversation.texts(talk.turns[0], "user") == "hello"


def test_a_transcript_grows_and_is_replaced_by_the_whole(talk: Talk) -> None:
    transcription(talk, "delta", delta="hel")
    transcription(talk, "delta", delta="lo")
    item = talk.conversation.items["u"]
    assert (item.text, item.transcribed) == ("hello", False)
    transcription(talk, "completed", transcript="Hello.")
    transcription(talk, "delta", delta="lo")
    assert (item.text, item.transcribed) == ("Hello.", True)


def test_a_transcript_that_failed_says_why(talk: Talk) -> None:
    talk.got("input_audio_buffer.committed", item_id="u")
    transcription(talk, "failed", error={"message": "only noise"})
    item = talk.conversation.items["u"]
    assert (item.problem, item.text, item.transcribed) == ("only noise", "", True)


# ----------------------------------------------------------------------------------------- heard, interrupted


def test_heard_text_of_an_answer_cut_short(talk: Talk) -> None:
    send_text(talk, "t", "count")
    talk.answer()
    talk.got(
        "response.output_audio_transcript.done", response_id="r", item_id="a", transcript="one two three four"
    )
    talk.local("playback.position", item_id="a", played_samples=6000)
    assert talk.conversation.heard(talk.turns[0]) == "one two three four"
    talk.local("playback.flushed", item_id="a", played_samples=12_960, output_latency_ms=40.0)
    item = talk.conversation.items["a"]
    assert (item.played_samples, item.heard_ms, item.playback_cut) == (12_960, 500.0, True)
    assert (item.interrupted, talk.turns[0].interrupted) == (True, True)
    assert talk.conversation.heard(talk.turns[0]) == "one two"
    assert talk.conversation.texts(talk.turns[0], "assistant") == "one two three four"


def test_an_answer_that_is_whole_and_played_to_its_end_was_not_cut(talk: Talk) -> None:
    talk.answer()
    talk.got("response.output_item.done", response_id="r", item={"id": "a", "status": "completed"})
    talk.local("playback.flushed", item_id="a", played_samples=24_000, output_latency_ms=40.0)
    item = talk.conversation.items["a"]
    assert (item.heard_ms, item.playback_cut, item.interrupted) == (1000.0, False, False)


def test_truncating_says_what_was_heard(talk: Talk) -> None:
    talk.answer()
    talk.done("r")
    talk.sent("conversation.item.truncate", item_id="a", content_index=0, audio_end_ms=250)
    assert (talk.conversation.items["a"].heard_ms, talk.turns[0].interrupted) == (250.0, True)


def test_what_a_server_remembers_of_a_cut_answer_does_not_shorten_what_was_said(talk: Talk) -> None:
    talk.answer()
    talk.got(
        "response.output_audio_transcript.done", response_id="r", item_id="a", transcript="one two three"
    )
    talk.sent("conversation.item.truncate", item_id="a", content_index=0, audio_end_ms=1)
    item = talk.conversation.items["a"]
    heard = heard_text(item)
    content = [{"type": "output_audio", "transcript": "one"}]
    talk.got("conversation.item.retrieved", item={"id": "a", "type": "message", "content": content})
    assert item.text == "one two three"
    assert heard_text(item) == heard


def test_late_audio_of_a_cut_answer_is_counted_and_not_heard(talk: Talk) -> None:
    talk.answer()
    talk.local("playback.flushed", item_id="a", played_samples=12_000, output_latency_ms=0.0)
    talk.got("response.output_audio.delta", response_id="r", item_id="a", audio=SECOND)
    item = talk.conversation.items["a"]
    assert (item.generated_samples, item.heard_ms) == (48_000, 500.0)


# ---------------------------------------------------------------------------------------------- end of speech


def speak(talk: Talk, frames: int, first_s: float = 0.0) -> None:
    """Live 40 ms frames: each leaves when its last sample is taken."""
    for n in range(frames):
        talk.sent("input_audio_buffer.append", audio=bytes(1920), at_s=first_s + 0.04 * (n + 1))


@pytest.mark.parametrize("end_ms", [1500, 1540, 1517, 1999])
def test_the_end_of_speech_is_found_in_real_time(talk: Talk, end_ms: int) -> None:
    talk.session(VAD)
    speak(talk, 60, first_s=10.0)
    talk.got("input_audio_buffer.speech_started", item_id="u", audio_start_ms=300, at_s=11.0)
    talk.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=end_ms, at_s=12.5)
    talk.got("input_audio_buffer.committed", item_id="u", at_s=12.6)
    assert talk.turns[0].speech_end_s == pytest.approx(10.0 + (end_ms - 500) / 1000)


def test_the_end_of_speech_without_a_silence_is_when_it_is_said_to_stop(talk: Talk) -> None:
    talk.session({"type": "semantic_vad"})
    speak(talk, 60)
    talk.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=1000, at_s=3.0)
    talk.got("input_audio_buffer.committed", item_id="u", at_s=3.5)
    assert talk.turns[0].speech_end_s == 3.0


def test_the_end_of_speech_by_hand_is_when_the_commit_was_sent(talk: Talk) -> None:
    talk.session(None)
    speak(talk, 25)
    talk.sent("input_audio_buffer.commit", at_s=5.0)
    talk.got("input_audio_buffer.committed", item_id="u", at_s=5.2)
    assert talk.turns[0].speech_end_s == 5.0
    assert talk.conversation.items["u"].audio_ms == 1000.0


def test_a_commit_by_hand_takes_what_came_since_the_last(talk: Talk) -> None:
    talk.session(VAD)
    speak(talk, 50)
    talk.got("input_audio_buffer.speech_started", item_id="u1", audio_start_ms=0)
    talk.got("input_audio_buffer.speech_stopped", item_id="u1", audio_end_ms=1500)
    talk.got("input_audio_buffer.committed", item_id="u1")
    talk.session(None)
    speak(talk, 25)
    talk.sent("input_audio_buffer.commit")
    speak(talk, 5)
    talk.sent("input_audio_buffer.clear")
    speak(talk, 10)
    talk.sent("input_audio_buffer.commit")
    talk.got("input_audio_buffer.committed", item_id="u2")
    talk.got("input_audio_buffer.committed", item_id="u3")
    spans = {i.item_id: (i.audio_start_ms, i.audio_end_ms) for i in talk.conversation.items.values()}
    assert spans == {"u1": (0, 1500), "u2": (1500, 3000), "u3": (3200, 3600)}


def test_a_refused_commit_leaves_its_audio_to_the_next(talk: Talk) -> None:
    talk.session(None)
    speak(talk, 2)
    talk.sent("input_audio_buffer.commit", event_id="e1")
    talk.got("error", error={"code": "input_audio_buffer_commit_empty", "event_id": "e1"})
    speak(talk, 3)
    talk.sent("input_audio_buffer.commit", event_id="e2")
    talk.got("input_audio_buffer.committed", item_id="u")
    item = talk.conversation.items["u"]
    assert (item.audio_start_ms, item.audio_end_ms) == (0, 200)


def test_audio_time_restarts_with_each_connection(talk: Talk) -> None:
    talk.session(VAD)
    talk.local("connection.opened", model="m")
    speak(talk, 50)
    talk.local("connection.opened", model="m")
    speak(talk, 50, first_s=100.0)
    assert talk.conversation.real_time_of(1000) == pytest.approx(101.0)
    assert (talk.conversation.connection, talk.conversation.model) == (2, "m")


def test_real_time_of_positions_that_are_not_there(talk: Talk) -> None:
    assert talk.conversation.real_time_of(100) is None
    assert talk.conversation.real_time_of(-100) is None
    speak(talk, 2, first_s=1.0)
    assert talk.conversation.real_time_of(-100) == pytest.approx(1.0)
    assert talk.conversation.real_time_of(5000) == pytest.approx(1.08)


# ----------------------------------------------------------------------------------------------- never raises

ids = st.sampled_from(["i1", "i2", "r1", "", None, 5])
nonsense: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "x", "user", "message"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "type",
                    "role",
                    "content",
                    "output",
                    "text",
                    "message",
                    "audio",
                    "input",
                    "turn_detection",
                ]
            ),
            inner | ids,
            max_size=4,
        )
    ),
    max_leaves=6,
)
kinds = st.sampled_from(
    [
        *samples.SERVER_SAMPLES,
        *samples.CLIENT_SAMPLES,
        *(
            f"local.{k}"
            for k in ("connection.opened", "playback.started", "playback.position", "playback.flushed")
        ),
        "never.heard.of",
    ]
)
fields = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("item_id", "response_id", "previous_item_id", "call_id"), ids),
        **dict.fromkeys(
            ("item", "response", "session", "error", "delta", "transcript", "content_index", "audio_end_ms"),
            nonsense,
        ),
        **dict.fromkeys(("played_samples", "output_latency_ms", "sounded_s"), st.integers(-9, 9) | nonsense),
    },
)
events = st.tuples(
    st.sampled_from(["sent", "received", "local"]), kinds, fields, st.none() | st.just(SECOND[:480])
)


@given(st.lists(events, max_size=12))
def test_no_event_raises_and_the_conversation_holds_together(
    told: list[tuple[Direction, str, Any, Any]],
) -> None:
    talk = Talk()
    talk.added("i1")
    for direction, kind, content, audio in told:
        talk.tell(direction, kind, audio, **content)
    conversation = talk.conversation
    assert len(set(conversation.order)) == len(conversation.order)
    assert all(i in conversation.items for i in conversation.order)
    for turn in conversation.turns:
        assert all(i in conversation.items for i in turn.item_ids)
        conversation.heard(turn)
        conversation.texts(turn, "user")
    claimed = [i for t in conversation.turns for i in t.item_ids]
    assert len(claimed) == len(set(claimed))
    assert sum(t.requests for t in conversation.turns) == conversation.requests


@pytest.mark.parametrize("dialect", [BETA, GA])
def test_every_event_that_there_is_can_be_told(dialect: Any) -> None:
    talk = Talk()
    for event in samples.client_samples(dialect).values():
        canonical = client_event_to_canonical(event, dialect)
        talk.conversation.apply(Event(canonical["type"], canonical), "sent")
    for event in samples.server_samples(dialect).values():
        canonical = server_event_to_canonical(event, dialect)
        talk.conversation.apply(Event(canonical["type"], canonical), "received")
    assert talk.conversation.session_id == "sess_1"
    assert talk.conversation.responses["resp_1"].status == "incomplete"
    assert talk.conversation.turn_of("resp_1", None) == talk.conversation.turn_of(None, "item_answer")


def test_an_unknown_event_changes_nothing(talk: Talk) -> None:
    talk.got("weather.forecast", item_id="x", item={"id": "x"})
    assert (talk.conversation.items, talk.conversation.turns) == ({}, [])


@pytest.mark.parametrize(
    "session", [{"audio": "x"}, {"audio": {"input": None}}, {"audio": {"input": "x"}}, {}]
)
def test_turn_detection_of_an_odd_session_is_none(talk: Talk, session: dict[str, Any]) -> None:
    talk.got("session.updated", session=session)
    talk.got("input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=5)
    assert talk.conversation.turn_detection is None
