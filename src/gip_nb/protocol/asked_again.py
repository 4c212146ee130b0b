"""Answers that a lost connection took, and that are asked for again: unless the user has gone on meanwhile.

As resumption.py this is the protected part of `ClientProtocol`: it uses its fields. A wish that is asked for
again *gives way*: to an interruption, and to an answer that the server begins by itself, since that one is to
all that was said. So where turn detection may hear speech in what was kept of the gap, the server is listened
to first, for a bounded time; nothing else is asked for meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol.items import SAMPLES_PER_MS
from gip_nb.protocol.outputs import Failed, GivenUp, Wish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.kept_input import KeptInput
    from gip_nb.protocol.outputs import GivenUpWhy

__all__ = [
    "UNANSWERED",
    "gave_way",
    "interrupt",
    "listen_first",
    "look",
    "nobody_waits",
    "to_ask_again",
    "user_speaks",
]

# An answer over which the connection is lost each time is perhaps what kills it.
_MOST_AGAIN = 3
# So long a server may take to say that it hears speech: there and back, and its turn detection; and what it
# is sent at once it hears several times as fast as it was said.
_LISTENS_S = 1.5
_HEARS_TIMES = 10
UNANSWERED = Failed("the connection was lost before the server answered this", None, None)
_TOO_OFTEN = Failed("the connection was lost over this answer each time it was asked for", None, None)
_WENT_ON = Failed(
    "the user went on speaking while the connection was lost: the next answer is to that; ask again, if it "
    "says nothing of this",
    None,
    None,
)
_NOT_OURS = Failed(
    "the connection was lost over a response that send() had asked for: it is not asked for again; send it "
    "again, if it is still wanted",
    None,
    None,
)


def to_ask_again(p: ClientProtocol) -> list[Wish]:
    """What the line was lost over and somebody still waits for, in order: each is asked for once more.

    Args:
        p: still as the connection left it.
    """
    _tell_of_those_not_ours(p)
    found = [*_begun(p), *_asked(p)]
    for wish in found:
        wish.again += 1
        wish.gives_way = True
        if wish.again > _MOST_AGAIN:
            wish.done, wish.failure = True, _TOO_OFTEN
            if not wish.awaited:
                p._outputs.append(_TOO_OFTEN)
        wish.next_event_id = p._new_id("evt")
    return [wish for wish in found if not wish.done]


def _begun(p: ClientProtocol) -> Iterator[Wish]:
    """The response that was being given, or that the server owed to what it had heard."""
    if p._active is None:
        if p._awaiting_auto and _is_owed(p):
            yield Wish()
        return
    wish = p._wish_of.get(p._active)
    if p._active in p._cancelled or p._playback.is_muted(p._active):
        # The user wanted no more of it.
        if wish is not None:
            wish.done = True
    elif p._active not in p._retries.not_ours:
        yield wish if wish is not None else Wish()


def _asked(p: ClientProtocol) -> Iterator[Wish]:
    """The response that was asked for, and had not begun."""
    asked = p._asked
    if asked is not None and asked.overdue:
        asked.done, asked.failure = True, UNANSWERED
    elif asked is not None and asked.cancelled:
        asked.done = True
    elif asked is not None:
        yield asked


def _tell_of_those_not_ours(p: ClientProtocol) -> None:
    """What stood in an event that the user sent as it is is theirs, and so is asking again."""
    not_ours = p._retries.not_ours
    lost = [
        r.response_id for r in p.conversation.responses.values() if r.active and r.response_id in not_ours
    ]
    for response_id in [*lost, *([None] * p._asked_raw)]:
        p._outputs.append(GivenUp(response_id, 0, "not ours", "connection lost", _NOT_OURS.message, 0.0))
        p._outputs.append(_NOT_OURS)


def _is_owed(p: ClientProtocol) -> bool:
    """Whether the newest turn is what the user said on this connection, and nothing has come of it."""
    turn = p.conversation.current_turn
    if turn is None or turn.response_ids:
        return False
    items = [p.conversation.items[i] for i in turn.item_ids]
    return any(i.spoken and i.connection == p.conversation.connection for i in items)


# --------------------------------------------------------------------------------- whether the user goes on


def listen_first(p: ClientProtocol, kept: KeptInput | None) -> None:
    """What was said in the gap was sent: if the server may find speech in it, let it say so first.

    Args:
        p: the settings are asked for, and perhaps not told yet.
        kept: what was sent.
    """
    if kept is None or not any(wish.gives_way for wish in _waiting(p)) or not _may_answer(p):
        return
    heard = [sound for sound in kept.tail if sound.pcm.strip(b"\0")]
    if heard:
        heard_s = kept.tail_samples / SAMPLES_PER_MS / 1000
        p._listens_until_s = p._deadlines.clock() + _LISTENS_S + heard_s / _HEARS_TIMES


def look(p: ClientProtocol, now_s: float) -> None:
    """Time has passed: a server that has said nothing by now hears no speech."""
    if p._listens_until_s is not None and p._listens_until_s <= now_s:
        p._listens_until_s = None


def _waiting(p: ClientProtocol) -> list[Wish]:
    return [wish for wish in p._queue if isinstance(wish, Wish)]


def _may_answer(p: ClientProtocol) -> bool:
    """Whether speech leads to an answer that was not asked for, or ends one that was."""
    asked: Any = p.configuration
    for name in ("audio", "input"):
        asked = asked.get(name) if isinstance(asked, dict) else None
    detection = asked.get("turn_detection", {}) if isinstance(asked, dict) else {}
    return detection is not None and _takes_over(detection)


def _takes_over(detection: object) -> bool:
    told = detection if isinstance(detection, dict) else {}
    return told.get("create_response") is not False or told.get("interrupt_response") is not False


def user_speaks(p: ClientProtocol) -> bool:
    """The server hears speech, or answers it: what was to be asked for again is not.

    Returns:
        Whether there was anything: others may be next.
    """
    if p._listens_until_s is None or not _takes_over(p.turn_detection):
        return False
    p._listens_until_s = None
    return _drop(p, [wish for wish in _waiting(p) if wish.gives_way], "went on")


def gave_way(p: ClientProtocol, wish: Wish) -> bool:
    """The server refused this wish, since it is giving another answer: whether that one stands for it."""
    return wish.gives_way and _drop(p, [wish], "went on")


def interrupt(p: ClientProtocol) -> bool:
    """The user wants no more of the answer: it is what would be asked for first, were there a connection."""
    if p._kept is None and p._listens_until_s is None:
        return False
    waiting = _waiting(p)
    answer = [wish for wish in waiting if wish.gives_way or wish.follow_up]
    if not answer and p._kept is not None:
        answer = waiting[:1]
    p._listens_until_s = None
    return _drop(p, answer, "interrupted")


def nobody_waits(p: ClientProtocol, wish: Wish) -> bool:
    """Whoever waited for it is gone; where the connection is, too, it is not asked for."""
    if wish.done or not (wish.gives_way or p._kept is not None):
        return False
    return any(wish is one for one in _waiting(p)) and _drop(p, [wish], "timed out")


def _drop(p: ClientProtocol, wishes: list[Wish], why: GivenUpWhy) -> bool:
    for wish in wishes:
        # By what it is: two wishes may look the same.
        for at in [n for n, one in enumerate(p._queue) if one is wish]:
            del p._queue[at]
        lost = wish.response_ids[-1] if wish.response_ids else None
        # Of one that had begun there is what came of it.
        p._finish(wish, _WENT_ON if why == "went on" and wish.awaited and lost is None else None)
        if wish.gives_way:
            message = UNANSWERED.message
            p._outputs.append(GivenUp(lost, wish.again - 1, why, "connection lost", message, 0.0))
    if not any(wish.gives_way for wish in _waiting(p)):
        p._listens_until_s = None
    return bool(wishes)
