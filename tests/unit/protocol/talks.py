"""Whole talks of the two ends: what a user does, and what must have come of it. Rows of `TALKS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.events import BETA
from gip_nb.protocol.outputs import Failed, Flush, ToolCall, TurnDone
from gip_nb.protocol.server.parts import Call, Say, Speak, Understand
from tests.unit.protocol.pair import Player, ProtocolPair
from tests.unit.protocol.server.server_end import silence, tone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gip_nb.protocol.events import Dialect
    from gip_nb.protocol.outputs import Wish
    from gip_nb.protocol.server.parts import Prompt
    from gip_nb.protocol.server.parts import Wish as ServerWish

ITEM = "conversation.item.create"
CREATE = "response.create"
CANCEL = "response.cancel"
TRUNCATE = "conversation.item.truncate"
DELETE = "conversation.item.delete"
EDITS = (CANCEL, TRUNCATE, DELETE)
TOOL = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}


def new_pair(dialect: Dialect) -> ProtocolPair:
    return ProtocolPair(dialect, Player())


def ask(pair: ProtocolPair, text: str = "hello", **fields: Any) -> Wish:
    pair.do(lambda c: c.send_text(text))
    wish: Wish = pair.do(lambda c: c.respond(fields))
    return wish


def utter(pair: ProtocolPair) -> None:
    pair.speak(silence(300), tone(600), silence(700))


def turn_detection(pair: ProtocolPair, value: object) -> None:
    pair.do(lambda c: c.update({"audio": {"input": {"turn_detection": value}}}))


def transcribe(pair: ProtocolPair) -> None:
    pair.do(lambda c: c.update({"audio": {"input": {"transcription": {"model": "whisper-1"}}}}))


def answers(pair: ProtocolPair) -> list[str]:
    """Ids of the assistant's items, in the order in which they came."""
    items = pair.client.conversation.items.values()
    return [i.item_id for i in items if i.role == "assistant"]


def is_whole(pair: ProtocolPair, item_id: str) -> bool:
    """Whether an answer was played to its end and is remembered whole."""
    assert pair.player is not None
    item = pair.client.conversation.items[item_id]
    return not item.interrupted and pair.player.played[item_id] == item.generated_samples > 0


def long_answer(pair: ProtocolPair, played_ms: int) -> str:
    """An answer of 4 s, played so far; the server has given 5 times as much. Its item."""
    assert pair.player is not None
    pair.server.speech_ms = 4000
    ask(pair)
    pair.run(until=lambda: sum(pair.player.played.values() if pair.player else ()) >= played_ms * 24)
    return answers(pair)[0]


# ------------------------------------------------------------------------------------------------ plain turns


def text_turn(pair: ProtocolPair) -> None:
    wish = ask(pair)
    pair.run()
    assert wish.done
    assert wish.failure is None
    (answer,) = answers(pair)
    assert pair.client.conversation.items[answer].text == "Good morning to you all."
    assert is_whole(pair, answer)
    assert [t.turn for t in pair.outputs_of(TurnDone)] == [1]


def voice_turn(pair: ProtocolPair) -> None:
    transcribe(pair)
    utter(pair)
    pair.run()
    conversation = pair.client.conversation
    user, answer = conversation.ordered()
    assert user.text == pair.server.hears
    assert user.audio_start_ms == 0
    assert abs((user.audio_end_ms or 0) - 1400) <= 60
    assert is_whole(pair, answer.item_id)
    assert pair.sent_types(ITEM, CREATE, *EDITS) == []
    assert [t.speech_end_from for t in conversation.turns] == ["vad"]
    assert pair.client.uncommitted_samples * 2 < len(silence(400))


def push_to_talk(pair: ProtocolPair) -> None:
    turn_detection(pair, None)
    pair.do(lambda c: c.press())
    assert pair.client.phase == "hearing"
    pair.speak(tone(500))
    pair.do(lambda c: c.commit())
    wish: Wish = pair.do(lambda c: c.respond())
    pair.run()
    assert wish.done
    user, answer = pair.client.conversation.ordered()
    assert (user.audio_start_ms, user.audio_end_ms) == (0, 500)
    assert is_whole(pair, answer.item_id)


def cleared_input(pair: ProtocolPair) -> None:
    turn_detection(pair, None)
    pair.speak(tone(300))
    pair.do(lambda c: c.clear())
    pair.speak(tone(200))
    pair.do(lambda c: c.commit())
    pair.run()
    (user,) = pair.client.conversation.ordered()
    assert (user.audio_start_ms, user.audio_end_ms) == (300, 500)
    assert len(pair.server.protocol._memory.get(user.item_id, "retrieve").audio) == len(tone(200))


def text_only(pair: ProtocolPair) -> None:
    ask(pair, output_modalities=["text"])
    pair.run()
    (answer,) = answers(pair)
    item = pair.client.conversation.items[answer]
    assert (item.text, item.spoken) == ("Good morning to you all.", False)


def out_of_band(pair: ProtocolPair) -> None:
    wish = ask(pair, conversation="none", metadata={"for": "me"}, output_modalities=["text"])
    pair.run()
    (response_id,) = wish.response_ids
    assert pair.client.conversation.responses[response_id].metadata == {"for": "me"}
    assert pair.client.conversation.items[answers(pair)[0]].text == "Good morning to you all."


# ----------------------------------------------------------------------------------------------- interruption


def interrupted_by_voice(pair: ProtocolPair) -> None:
    item_id = long_answer(pair, 300)
    pair.speak(silence(40), tone(600), silence(700))
    assert pair.player is not None
    heard_ms = pair.player.played[item_id] // 24
    assert pair.sent_types(*EDITS) == [TRUNCATE]
    (cut,) = [e for e in pair.sent if e["type"] == TRUNCATE]
    assert (cut["item_id"], cut["audio_end_ms"]) == (item_id, heard_ms)
    pair.server.speech_ms = 200
    pair.run()
    assert pair.client.conversation.items[item_id].interrupted
    assert is_whole(pair, answers(pair)[-1])
    statuses = [r.status for r in pair.client.conversation.responses.values()]
    assert statuses == ["cancelled", "completed"]


def interrupted_by_code(pair: ProtocolPair) -> None:
    item_id = long_answer(pair, 300)
    assert pair.player is not None
    pair.player.latency_ms = 50
    assert pair.do(lambda c: c.interrupt())
    pair.run()
    assert pair.sent_types(*EDITS) == [CANCEL, TRUNCATE]
    (cut,) = [e for e in pair.sent if e["type"] == TRUNCATE]
    assert cut["audio_end_ms"] == pair.player.played[item_id] // 24 - 50
    ask(pair, "and now?")
    pair.server.speech_ms = 200
    pair.run()
    assert is_whole(pair, answers(pair)[-1])


def interrupted_by_pressing(pair: ProtocolPair) -> None:
    turn_detection(pair, None)
    long_answer(pair, 300)
    pair.do(lambda c: c.interrupt())
    pair.do(lambda c: c.press())
    pair.speak(tone(400))
    pair.do(lambda c: c.commit())
    pair.server.speech_ms = 200
    pair.do(lambda c: c.respond())
    pair.run()
    assert pair.sent_types(*EDITS) == [CANCEL, TRUNCATE]
    assert is_whole(pair, answers(pair)[-1])


def interrupted_before_its_first_sound(pair: ProtocolPair) -> None:
    assert pair.player is not None
    pair.player.speed = 0
    pair.server.speech_ms = 4000
    ask(pair)
    pair.run(until=lambda: pair.player is not None and pair.player.sound)
    pair.do(lambda c: c.interrupt())
    pair.run()
    assert pair.sent_types(*EDITS) == [CANCEL, DELETE]
    assert [i.role for i in pair.client.conversation.ordered()] == ["user"]


def interrupted_before_its_first_audio(pair: ProtocolPair) -> None:
    pair.server_waits = True
    ask(pair)
    pair.do(lambda c: c.interrupt())
    pair.server_waits = False
    pair.run()
    assert pair.sent_types(*EDITS) == [CANCEL]
    assert pair.outputs_of(Flush) == []


def interrupted_when_it_was_over(pair: ProtocolPair) -> None:
    """The answer is whole at the client, the server has ended it, and our cancel crosses its end."""
    pair.server_waits = True
    ask(pair)
    while pair.server.protocol.has_more:
        pair.server.go_on()
    pair.client.interrupt()
    pair.pump()
    pair.arrive()
    pair.server_waits = False
    pair.run()
    assert pair.errors == ["response_cancel_not_active"]
    assert pair.outputs_of(Failed) == []
    # What came after the interruption was never heard.
    assert [i.role for i in pair.client.conversation.ordered()] == ["user"]


# ------------------------------------------------------------------------------------------------------ tools


def tool_calls(pair: ProtocolPair) -> None:
    def says(prompt: Prompt) -> Sequence[ServerWish]:
        if prompt.lines[-1].role == "output":
            return [Say("It is there.")]
        return [Say("Let me see."), Call("look", '{"where": "there"}'), Call("look", '{"where": "here"}')]

    seen: list[str] = []

    def look(arguments: str) -> str:
        seen.append(arguments)
        return "seen"

    pair.server.says = says
    pair.tools["look"] = look
    pair.tool_ticks = 30
    pair.do(lambda c: c.update({"tools": [TOOL]}))
    wish = ask(pair)
    pair.run()
    calls = [c.call_id for c in pair.outputs_of(ToolCall)]
    assert len(set(calls)) == len(seen) == 2
    outputs = [e["item"]["call_id"] for e in pair.sent if e["type"] == ITEM and "call_id" in e["item"]]
    assert outputs == calls
    assert pair.sent_types(CREATE) == [CREATE] * 2
    assert wish.done
    assert len(wish.response_ids) == 2
    assert [t.turn for t in pair.outputs_of(TurnDone)] == [1]
    assert pair.client.conversation.items[answers(pair)[-1]].text == "It is there."


# ------------------------------------------------------------------------------------- one response at a time


def asked_twice(pair: ProtocolPair) -> None:
    wishes = [ask(pair), ask(pair, "and more")]
    assert pair.sent_types(CREATE) == [CREATE]
    pair.run()
    assert [w.done for w in wishes] == [True, True]
    assert [len(w.response_ids) for w in wishes] == [1, 1]
    assert pair.errors == []


def race_lost_to_the_voice(pair: ProtocolPair) -> None:
    """The server's turn detection answers while our `response.create` is on its way."""
    pair.speak(silence(300), tone(600))
    pair.client.append_audio(silence(700))
    wish = pair.client.respond()
    pair.arrive()
    assert pair.errors == ["conversation_already_has_active_response"]
    pair.run()
    assert wish.done
    assert wish.failure is None
    assert len(pair.client.conversation.responses) == 2
    assert pair.outputs_of(Failed) == []


def held_key(pair: ProtocolPair) -> None:
    """Push to talk, over an answer; and a key that was held for too short a time."""
    turn_detection(pair, None)
    answer = long_answer(pair, 500)
    pair.speak(tone(300))
    pair.do(lambda c: c.press())
    pair.speak(tone(60))
    assert pair.do(lambda c: c.release()) is None
    assert pair.sent_types("input_audio_buffer.commit") == []
    pair.do(lambda c: c.press())
    pair.speak(tone(500))
    wish = pair.do(lambda c: c.release())
    pair.run()
    assert wish.done
    assert wish.failure is None
    assert pair.client.conversation.items[answer].interrupted
    spoken = [i for i in pair.client.conversation.items.values() if i.role == "user" and i.spoken]
    assert [i.audio_ms for i in spoken] == [500], "what came before the key is forgotten"


def beside(pair: ProtocolPair) -> None:
    """A response out of the conversation, asked for and given while another one is."""
    ask(pair)
    fields = {"conversation": "none", "metadata": {"topic": "mood"}, "output_modalities": ["text"]}
    wish: Wish = pair.do(lambda c: c.respond(fields))
    pair.run()
    assert wish.done
    assert wish.failure is None
    (response_id,) = wish.response_ids
    conversation = pair.client.conversation
    assert conversation.responses[response_id].metadata == {"topic": "mood"}
    assert len(conversation.responses) == 2
    assert not set(conversation.responses[response_id].item_ids) & set(conversation.order)
    assert [t.requests for t in conversation.turns] == [2], "it is billed, and belongs to the turn"


def idle(pair: ProtocolPair) -> None:
    """The user says nothing for five seconds: the server asks. GA only."""
    if pair.dialect == BETA:
        return
    turn_detection(pair, {"type": "server_vad", "idle_timeout_ms": 5000})
    ask(pair)
    pair.run()
    pair.server.hears = ""
    pair.speak(silence(9000))
    pair.run()
    assert "input_audio_buffer.timeout_triggered" in pair.received_types
    assert len(answers(pair)) == 2


# -------------------------------------------------------------------------------------- edits and the session


def edits(pair: ProtocolPair) -> None:
    first = str(pair.do(lambda c: c.send_text("one")).item_id)
    answer = str(pair.do(lambda c: c.send_text("two", "assistant")).item_id)
    pair.do(lambda c: c.send_text("Be kind.", "system"))
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "between"}]}
    pair.do(lambda c: c.add_item({**item, "id": "item_between"}, first))
    pair.do(lambda c: c.add_item({**item, "id": "item_0"}, "root"))
    order = pair.client.conversation.order
    assert order[:4] == ["item_0", first, "item_between", answer]
    pair.do(lambda c: c.retrieve(answer))
    pair.do(lambda c: c.delete("item_between"))
    assert pair.client.conversation.order[:3] == ["item_0", first, answer]
    assert "conversation.item.retrieved" in pair.received_types
    assert pair.errors == []


def sound_and_picture(pair: ProtocolPair) -> None:
    """A recording as an item; in GA an image as well."""
    sound = {"type": "input_audio", "audio": "AAAA" * 1600}
    pair.do(lambda c: c.add_item({"type": "message", "role": "user", "content": [sound]}))
    if pair.dialect != BETA:
        image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
        pair.do(lambda c: c.add_item({"type": "message", "role": "user", "content": [image]}))
    pair.do(lambda c: c.respond())
    pair.run()
    assert pair.errors == []


def truncated_by_hand(pair: ProtocolPair) -> None:
    ask(pair)
    pair.run()
    (answer,) = answers(pair)
    pair.do(lambda c: c.truncate(answer, 100))
    assert pair.received_types[-1] == "conversation.item.truncated"
    assert pair.client.conversation.items[answer].heard_ms == 100


def updates(pair: ProtocolPair) -> None:
    pair.do(
        lambda c: c.update(
            {
                "instructions": "Be brief.",
                "tools": [TOOL],
                "tool_choice": "none",
                "max_output_tokens": 100,
                "audio": {
                    "input": {
                        "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
                        "noise_reduction": {"type": "near_field"},
                    },
                    "output": {"voice": "ash", "speed": 1.1},
                },
            }
        )
    )
    assert pair.errors == []
    session = pair.client.conversation.session
    assert session["instructions"] == "Be brief."
    assert session["max_output_tokens"] == 100
    assert session["audio"]["output"] | {"format": None} == {"format": None, "voice": "ash", "speed": 1.1}
    assert (pair.client.turn_detection or {})["eagerness"] == "high"
    turn_detection(pair, None)
    assert pair.client.turn_detection is None


def transcription_session(pair: ProtocolPair) -> None:
    """Not offered by this server: refused, in beta under a name of its own."""
    settings = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    pair.do(lambda c: c.update({"type": "transcription", **settings}))
    name = "transcription_session.update" if pair.dialect == BETA else "session.update"
    assert pair.sent_types() == [name]
    assert pair.errors == ["invalid_value"]


# ------------------------------------------------------------------------------------------------- what fails


def refusals(pair: ProtocolPair) -> None:
    ask(pair)
    pair.run()
    (answer,) = answers(pair)
    pair.do(lambda c: c.delete("nobody"))
    pair.do(lambda c: c.send({"type": "conversation.item.retrieve", "item_id": "nobody"}))
    pair.do(lambda c: c.send({"type": TRUNCATE, "item_id": answer, "content_index": 0, "audio_end_ms": 9000}))
    pair.do(lambda c: c.send({"type": "output_audio_buffer.clear"}))
    pair.do(lambda c: c.commit())
    pair.do(lambda c: c.send({"type": CANCEL}))
    pair.do(lambda c: c.update({"audio": {"output": {"voice": "verse"}}}))
    wish: Wish = pair.do(lambda c: c.respond({"max_output_tokens": 100_000}))
    assert pair.errors == [
        "item_delete_invalid_item_id",
        "item_retrieve_invalid_item_id",
        "invalid_value",
        "invalid_value",
        "input_audio_buffer_commit_empty",
        "response_cancel_not_active",
        "cannot_update_voice",
        "integer_above_max_value",
    ]
    causes = [e["event_id"] for e in pair.sent[-8:]]
    told = [e["error"]["event_id"] for e in pair.server.events if e["type"] == "error"]
    assert told == causes
    # All but the lost race are told, each with what caused it.
    assert [f.event_id for f in pair.outputs_of(Failed)] == causes[:5] + causes[6:]
    assert wish.done
    assert wish.failure is not None
    # The refused truncation is of no consequence at the server; a cut of 9 s would be none here either.
    pair.do(lambda c: c.delete(answer))


def incomplete(pair: ProtocolPair) -> None:
    pair.server.speech_ms = 4000
    wish = ask(pair, max_output_tokens=3)
    pair.run()
    (response,) = pair.client.conversation.responses.values()
    assert (response.status, response.reason) == ("incomplete", "max_output_tokens")
    assert wish.done


def failed(pair: ProtocolPair) -> None:
    pair.server.holds = (Speak,)
    wish = ask(pair)
    pair.run()
    (job,) = pair.server.held
    pair.server.protocol.not_spoken(job.item_id, "the mouth is sore")
    pair.run()
    (response,) = pair.client.conversation.responses.values()
    assert (response.status, response.error) == ("failed", "the mouth is sore")
    assert wish.failure is not None
    assert [f.message for f in pair.outputs_of(Failed)] == ["the mouth is sore"]


def unheard_words(pair: ProtocolPair) -> None:
    transcribe(pair)
    pair.server.holds = (Understand,)
    utter(pair)
    (job,) = pair.server.held
    pair.server.protocol.heard(job.item_id, None, "the ears are full")
    pair.run()
    user, answer = pair.client.conversation.ordered()
    assert user.problem == "the ears are full"
    assert is_whole(pair, answer.item_id)


TALKS: dict[str, Callable[[ProtocolPair], None]] = {
    talk.__name__: talk
    for talk in (
        text_turn,
        voice_turn,
        push_to_talk,
        held_key,
        beside,
        idle,
        cleared_input,
        text_only,
        interrupted_by_voice,
        interrupted_by_code,
        interrupted_by_pressing,
        interrupted_before_its_first_sound,
        interrupted_before_its_first_audio,
        interrupted_when_it_was_over,
        tool_calls,
        asked_twice,
        race_lost_to_the_voice,
        edits,
        sound_and_picture,
        truncated_by_hand,
        updates,
        transcription_session,
        refusals,
        incomplete,
        failed,
        unheard_words,
    )
}
