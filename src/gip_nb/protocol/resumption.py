"""A talk that goes on over another connection: what was under way when the line went, and what becomes of it.

Pure. As client_rules.py, these functions are the protected part of `ClientProtocol`: they use its fields.

The rules, by what was going on:

- The user was speaking: what the server has not taken is kept, what the microphone hears meanwhile too, and
  both are sent when the line is back, bounded: the oldest goes first. So is a commit that nobody has
  confirmed, or that had not gone out, with all of its utterance.
- A response was asked for and had not begun, or the server owed one to what it had heard: it is asked for.
- A response was being given: it stays as far as it came (`incomplete`), and an answer is asked for again,
  unless the user had interrupted it. Calls whose arguments were not whole are forgotten; none was made.
- What is asked for again gives way (asked_again.py) to an interruption, to whoever waits for it no longer,
  and to the answer that turn detection leads to, where it hears speech in what was said in the gap.
- A function runs: its call is restored, its output sent when it comes, once, and then the answer is asked
  for. An output that was on its way is restored like any other item.
- A response beside the conversation, or one that the user had asked for by an event of their own: it is not
  asked for again, and that is told. An event of the user's own that had not gone out is sent then.
- An answer plays on over the gap, and is interrupted: its server is gone, and the next one, which has its
  words, is given those that were heard (playback.py).
- The settings are asked for in one update; a server that refuses it is asked for them one by one
  (settings_again.py).
- What waits for its turn goes on waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.protocol import overdue
from gip_nb.protocol.asked_again import UNANSWERED, listen_first, to_ask_again
from gip_nb.protocol.audio_formats import Decoder, Encoder
from gip_nb.protocol.frames import Frame
from gip_nb.protocol.held_back import HeldBack
from gip_nb.protocol.history import NOT_ANSWERED, Restored, restored_items, without_words
from gip_nb.protocol.kept_input import Sound
from gip_nb.protocol.outputs import Failed, ItemChanged, Send, Wish
from gip_nb.protocol.requests import Request, item_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gip_nb.protocol.audio_formats import AudioFormat
    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.kept_input import KeptInput

__all__ = [
    "Resumed",
    "are_committed",
    "deleted_on_the_way",
    "end",
    "keep_untaken",
    "restore",
    "resume",
    "suspend",
]

_ITEM = "conversation.item.create"
_COMMIT = "input_audio_buffer.commit"
_NOT_MISSED = frozenset({"function_call", "function_call_output", "mcp_list_tools"})
_BESIDE = Failed(
    "the connection was lost, and a response beside the conversation is not asked for again", None, None
)


def deleted_on_the_way(p: ClientProtocol) -> list[str]:
    """The items that the server was asked to delete and has not yet: they are not restored."""
    deleted: dict[str, None] = {}
    for request in p._requests.open:
        if request.item_id is None:
            continue
        if request.type == "conversation.item.delete":
            deleted[request.item_id] = None
        elif request.type == _ITEM:
            # Made again in the words that were heard.
            deleted.pop(request.item_id, None)
    return list(deleted)


def keep_untaken(
    p: ClientProtocol,
    kept: KeptInput,
    sounds: Iterable[Sound],
    unsent: Iterable[Frame | dict[str, Any]] = (),
) -> None:
    """Keep what was said and not taken by the server that is gone.

    Args:
        p: still as the connection left it.
        kept: takes it.
        sounds: what was sent and not taken, in order, cut at each commit that was not confirmed.
        unsent: what was about to be sent after that.
    """
    untaken = p.conversation.untaken
    found = list(sounds)
    start = untaken.end - sum(sound.samples for sound in found)
    # What was said before these was too much to be kept.
    kept.lost_samples += max(0, start - untaken.said_from)
    pieces = [*_sent(p, found, start), *_unsent(p, unsent)]
    last = max((n for n, piece in enumerate(pieces) if isinstance(piece, Request)), default=-1)
    for n, piece in enumerate(pieces):
        if piece is None:
            kept.clear()
        elif isinstance(piece, Sound):
            # Of an utterance that is committed, all: half of one is none.
            kept.add(piece, bounded=n > last)
        else:
            kept.commit(piece)


def are_committed(unsent: Iterable[Frame | dict[str, Any]]) -> bool:
    """Whether what was sent is part of an utterance whose end had not gone out: then all of it is wanted."""
    return any(isinstance(one, dict) and one.get("type") == _COMMIT for one in unsent)


def _sent(p: ClientProtocol, sounds: Iterable[Sound], start: int) -> Iterator[Sound | Request]:
    """What was sent and not taken, with the commits at their places."""
    commits = list(p.conversation.untaken.commits)
    at = start
    for sound in sounds:
        yield sound
        at += sound.samples
        while commits and commits[0].end <= at:
            yield _commit(p, commits.pop(0).event_id)


def _unsent(p: ClientProtocol, unsent: Iterable[Frame | dict[str, Any]]) -> Iterator[Sound | Request | None]:
    """What had not gone out; None where what is before it is to be forgotten."""
    ours = {request.event_id for request in p._requests.open} | p._create_ids
    decoder = Decoder(p.conversation.input_format)
    for frame in unsent:
        if isinstance(frame, Frame):
            yield Sound(decoder.decode(frame.audio or b""))
        elif frame.get("type") == _COMMIT:
            yield _commit(p, str(frame.get("event_id")))
        elif frame.get("type") == "input_audio_buffer.clear":
            yield None
        elif frame.get("type") != "response.cancel" and frame.get("event_id") not in ours:
            # The user's own, and it has led to nothing yet.
            p._unsent.append(frame)


def _commit(p: ClientProtocol, event_id: str) -> Request:
    return next((r for r in p._requests.open if r.event_id == event_id), None) or Request(_COMMIT)


def suspend(p: ClientProtocol, kept: KeptInput) -> None:
    """The line is gone, and is to come back: nothing is sent until then, and nothing is forgotten.

    Before the row `local.connection.lost` is folded in.

    Args:
        p: connected.
        kept: takes what is said meanwhile; holds what was said and not taken.
    """
    again = to_ask_again(p)
    for response_id in [r for r, w in p._wish_of.items() if _is_active(p, r)]:
        wish = p._wish_of.pop(response_id)
        if p.conversation.responses[response_id].beside:
            _fail(p, wish, _BESIDE)
    for wish in p._asked_beside:
        _fail(p, wish, _BESIDE)
    lost = [r for r in p.conversation.responses.values() if r.active]
    heard = [i.item_id for i in p.conversation.items.values() if p.conversation.is_being_heard(i)]
    p._outputs += [ItemChanged(i) for r in lost for i in (r.item_ids or [r.response_id])]
    p._outputs += [ItemChanged(i) for i in heard]
    p._playback.connection_lost()
    overdue.line_lost(p)
    unsent = _look_at_requests(p)
    p._queue.extendleft(reversed([*unsent, *again]))
    p._asked = p._active = None
    p._awaiting_auto = p._auto_unwanted = p._created_since_speech = False
    p._hearing = p._pressed
    p._asked_beside.clear()
    p._cancels.clear()
    for over in (p._ended, p._cancelled, p._let_go):
        # They are not heard of again; the next server may use their ids anew.
        over.clear()
    p._appended_bytes = p._used_samples = 0
    p._has_spoken = False
    p._listens_until_s = None
    p._kept = kept


def _is_active(p: ClientProtocol, response_id: str) -> bool:
    response = p.conversation.responses.get(response_id)
    return response is not None and response.active


def _fail(p: ClientProtocol, wish: Wish, failure: Failed) -> None:
    wish.done, wish.failure = True, failure
    if not wish.awaited:
        p._outputs.append(failure)


def _look_at_requests(p: ClientProtocol) -> list[tuple[dict[str, Any], Request]]:
    """What was asked of the server and not answered: done with, or to be sent again by `restore`.

    Returns:
        Items that had not even been sent.
    """
    unsent: list[tuple[dict[str, Any], Request]] = []
    for request in p._requests.taken():
        if request.type == _ITEM and request.item_id in p.conversation.items:
            p._unconfirmed[request.item_id or ""] = request
        elif request.type == _ITEM and request.event is not None:
            if request.event["item"].get("output") == NOT_ANSWERED:
                # It stood in for one that there is not, and is made anew.
                request.done = True
                continue
            request.event_id = ""
            unsent.append((request.event, request))
        elif request.type == "conversation.item.retrieve":
            request.done, request.failure = True, UNANSWERED
        elif request.type == _COMMIT:
            # It is among what is kept.
            pass
        else:
            # An update is part of the settings that are asked for, what was deleted is not restored, what
            # was cut is restored as it was heard.
            request.done = True
    return unsent


class Resumed(NamedTuple):
    """What a new connection is given.

    Attributes:
        update: that asks for its settings.
        items: with ids, in order, as `restore` sends them.
        untranscribed: ids of the user's utterances of which it gets no words and no sound.
        left_out: ids of items that it does not get: pictures, calls that the server had made itself (MCP),
            answers that nobody has heard.
        again_event_ids: of each `response.create` that asks again for what was lost.
    """

    update: Request
    items: Sequence[Restored]
    untranscribed: Sequence[str]
    left_out: Sequence[str]
    again_event_ids: Sequence[str]


def resume(p: ClientProtocol, sounds: Mapping[str, bytes]) -> Resumed:
    """There is a new connection: ask for the settings, and say what it will be given. Sends nothing else.

    Args:
        p: suspended; the new server's session was told.
        sounds: by item id, what was said in place of words that nobody wrote down (PCM16 mono 24 000 Hz).
    """
    p._kept, kept = None, p._kept
    p._resuming = kept
    p._encoder = Encoder()
    update = p._settings_again.ask(p)
    open_calls = {call_id for calls in p._open_calls.values() for call_id in calls}
    # Or their output has come meanwhile, and waits.
    open_calls |= {str(q[0]["item"].get("call_id")) for q in p._queue if not isinstance(q, Wish)}
    encoded = {item_id: _on_the_wire(pcm, p._encoder.format) for item_id, pcm in sounds.items()}
    found = restored_items(p.conversation, open_calls=open_calls, sounds=encoded)
    there = {item.source_id for item in found}
    # What cannot be restored (a picture), and was still on its way, is sent as it was.
    found += [
        Restored(item_id, {k: v for k, v in request.event["item"].items() if k != "id"})
        for item_id, request in p._unconfirmed.items()
        if item_id not in there and request.event is not None and item_id in p.conversation.order
    ]
    there = {item.source_id for item in found}
    # A call that was not whole is forgotten by rule, and a server lists what it finds anew.
    others = [i for i in p.conversation.ordered() if i.item_id not in there and i.type not in _NOT_MISSED]
    return Resumed(
        update=update,
        items=[item if item.source_id else item._replace(source_id=p._new_id("item")) for item in found],
        untranscribed=[i for i in without_words(p.conversation) if i in there and i not in sounds],
        left_out=[item.item_id for item in others],
        again_event_ids=[w.next_event_id for w in p._queue if isinstance(w, Wish) and w.next_event_id],
    )


def restore(p: ClientProtocol, resumed: Resumed, append: Callable[[Sound], None]) -> None:
    """Send the history, then what was said meanwhile; then what waits goes on.

    Args:
        p: as `resume` left it.
        resumed: what that said; by now it is in the log.
        append: sends a piece of the input, by `append_audio`.
    """
    for source_id, fields in resumed.items:
        event = {"type": _ITEM, "item": {**fields, "id": source_id}}
        p._send(event, p._unconfirmed.pop(source_id or "", None) or item_request(event))
    for request in p._unconfirmed.values():
        # It was deleted meanwhile.
        request.done = True
    p._unconfirmed.clear()
    kept, p._resuming = p._resuming, None
    for piece in kept.pieces if kept is not None else ():
        if isinstance(piece, Sound):
            append(piece)
            continue
        pressed = p._pressed
        p.commit(piece)
        p._hearing = p._pressed = pressed
    unsent, p._unsent = p._unsent, []
    p._outputs += [Send(event) for event in unsent]
    listen_first(p, kept)
    p._drain()
    p._report_turn()


def end(p: ClientProtocol) -> None:
    """The line is gone for good: nothing that was asked for will be answered any more."""
    failure = Failed("the connection ended before the answer did", None, None)
    pending = [w for w in p._queue if isinstance(w, Wish)]
    for dropped in (*(q[1] for q in p._queue if not isinstance(q, Wish)), *p._unconfirmed.values()):
        dropped.done, dropped.failure = True, failure
    p._queue.clear()
    overdue.connection_lost(p, failure)
    p._unconfirmed.clear()
    p._requests.dropped(failure)
    asked = [p._asked] if p._asked else []
    for wish in [*pending, *asked, *p._asked_beside, *p._wish_of.values()]:
        if not wish.done:
            wish.done, wish.failure = True, failure
    p._asked = p._active = None
    p._awaiting_auto = p._auto_unwanted = p._hearing = p._pressed = False
    p._wish_of.clear()
    p._asked_beside.clear()
    p._cancels.clear()
    for call_id in [c for calls in p._open_calls.values() for c in calls]:
        p._calls[call_id] = None
    p._open_calls.clear()
    p._ended_calls.clear()
    p._appended_bytes = p._used_samples = 0
    p._has_spoken = False
    p._encoder = Encoder()
    p._held_back = HeldBack()
    p._kept = p._resuming = p._listens_until_s = None
    p._unsent.clear()


def _on_the_wire(pcm: bytes, audio_format: AudioFormat) -> bytes:
    encoder = Encoder(audio_format)
    return encoder.encode(pcm) + encoder.flush()
