"""What becomes of responses that fail, hang or never begin: asked again, cancelled, let go, reported.

As client_rules.py this is the protected part of `ClientProtocol`: it uses its fields, and nobody else does.
Three rules stand behind it. A failure that may pass by itself is asked for again, unless the user has heard
some of the answer or has gone on meanwhile: then it is told. A response of which nothing comes is cancelled
and told, and what was received stays. Nothing, not even a server that never answers again, keeps the next
wish from going out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gip_nb.protocol import asked_again
from gip_nb.protocol.items import SAMPLES_PER_MS
from gip_nb.protocol.outputs import AskAgain, Failed, GivenUp, Hung, ItemChanged, Wish
from gip_nb.protocol.retries import RateLimits, Retry, reason_of, wait_s_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.outputs import GivenUpWhy
    from gip_nb.protocol.retries import Fault
    from gip_nb.protocol.turns import Response

__all__ = ["HUNG", "Retries", "ask_again", "due_s", "give_up", "row_of", "tick"]

# By this a response that was silent for too long is told from one that failed at the server.
HUNG = "local.response.hung"
_MOST_WORDS = 60


class Pending(msgspec.Struct, eq=False):
    """A wish that is asked for again at `due_s`; `failure` is what its last answer came to."""

    wish: Wish
    failure: Failed
    due_s: float
    response_id: str | None


class Retries:
    """What is to be asked for again.

    Args:
        policy: the user's.
        clock: seconds, of any beginning.
        random: gives a float in [0, 1).
    """

    def __init__(self, policy: Retry, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self.policy = policy
        self.random = random
        self.limits = RateLimits(clock)
        self.pending: list[Pending] = []
        # Begun by an event that the user sent as it is: what stood in it is theirs, and so is asking again.
        self.not_ours: set[str] = set()

    @property
    def holds(self) -> bool:
        """Whether an answer of the conversation waits to be asked for again."""
        return any(not is_beside(one.wish) for one in self.pending)

    def waits(self, wish: Wish) -> bool:
        """Whether this one does."""
        return any(one.wish is wish for one in self.pending)


def is_beside(wish: Wish) -> bool:
    """Whether its response is no part of the conversation."""
    return wish.fields.get("conversation") == "none"


# ----------------------------------------------------------------------------------------------- asking again


def ask_again(
    p: ClientProtocol, wish: Wish | None, failure: Failed, fault: Fault, response: Response | None = None
) -> bool:
    """Ask again for what failed, after a wait, where the policy wants it.

    Args:
        p: the protocol.
        wish: that came to nothing; None where the server had begun by itself.
        failure: what is told where it is not asked for again.
        fault: why, as the server told it.
        response: that failed; None where it was refused before it began.

    Returns:
        False where it is not: `failure` is to be told now.
    """
    reason, retries = reason_of(fault), p._retries
    if reason is None or retries.policy.attempts == 0:
        return False
    tried = 0 if wish is None else wish.retried
    wait_s = wait_s_of(retries.policy, tried + 1, fault, retries.limits, retries.random)
    response_id = None if response is None else response.response_id
    why = _why_not(p, wish, response, tried, wait_s)
    if why is not None:
        p._outputs.append(GivenUp(response_id, tried, why, reason, failure.message, wait_s))
        return False
    wish = Wish() if wish is None else wish
    wish.retried += 1
    if response_id is not None:
        # What there is of it stays in the tables; the answer is the next one.
        p._wish_of.pop(response_id, None)
        wish.response_ids = [r for r in wish.response_ids if r != response_id]
    retries.pending.append(Pending(wish, failure, p._deadlines.clock() + wait_s, response_id))
    p._outputs.append(AskAgain(response_id, wish.retried, wait_s, reason, failure.message))
    return True


def _why_not(
    p: ClientProtocol, wish: Wish | None, response: Response | None, tried: int, wait_s: float
) -> GivenUpWhy | None:
    policy = p._retries.policy
    response_id = None if response is None else response.response_id
    if response_id in p._retries.not_ours:
        return "not ours"
    if (wish is not None and wish.cancelled) or response_id in p._cancelled:
        return "interrupted"
    if response is not None and _was_heard(p, response):
        return "heard"
    if _user_goes_on(p):
        return "went on"
    if tried >= policy.attempts:
        return "attempts"
    return "wait" if wait_s > policy.longest_wait_s else None


def _was_heard(p: ClientProtocol, response: Response) -> bool:
    """Whether sound of it came: a player may have begun it, and without one it counts as heard."""
    items = p.conversation.items
    return any(items[i].generated_samples for i in response.item_ids if i in items)


def _user_goes_on(p: ClientProtocol) -> bool:
    """Whether the next answer, to what the user says or has said since, is on its way already."""
    wished = any(isinstance(q, Wish) and not q.follow_up for q in p._queue)
    return wished or p._hearing or p._pressed or p._awaiting_auto


def give_up(p: ClientProtocol, why: GivenUpWhy, wish: Wish | None = None) -> bool:
    """Ask again for nothing: the user has gone on. Who waits gets the failure, and nobody else is told.

    Args:
        p: the protocol.
        why: what has happened.
        wish: only this one; None: all that are part of the conversation.

    Returns:
        Whether there was anything.
    """
    retries = p._retries
    dropped = [one for one in retries.pending if (one.wish is wish if wish else not is_beside(one.wish))]
    for one in dropped:
        retries.pending.remove(one)
        p._finish(one.wish, one.failure)
        p._outputs.append(GivenUp(one.response_id, one.wish.retried - 1, why, None, one.failure.message, 0.0))
    return bool(dropped)


def line_lost(p: ClientProtocol) -> None:
    """The connection is gone, and is to come back: what waits to be asked for again goes on waiting."""
    p._retries.not_ours.clear()
    p._deadlines.forget()
    p._asked_raw = 0
    p._create_ids.clear()


def connection_lost(p: ClientProtocol, failure: Failed) -> None:
    """The connection is gone for good: nothing is asked for again."""
    for one in p._retries.pending:
        p._finish(one.wish, failure)
    p._retries.pending.clear()
    line_lost(p)


# -------------------------------------------------------------------------------------------------- deadlines


def due_s(p: ClientProtocol) -> float | None:
    """When `tick` is to be called next, on the protocol's clock; None where nothing is waited for."""
    deadlines = p._deadlines
    begin_s = deadlines.limits.begin_s
    times = [w.asked_s + begin_s for w in (p._asked, *p._asked_beside) if w is not None and not w.overdue]
    times += [one.due_s for one in p._retries.pending]
    times += [] if p._listens_until_s is None else [p._listens_until_s]
    times += deadlines.hang_at_s().values()
    times += deadlines.let_go_at_s().values()
    auto_s = deadlines.awaits_auto(waits=p._awaiting_auto)
    if auto_s is not None:
        times.append(auto_s)
    return min(times, default=None)


def tick(p: ClientProtocol) -> None:
    """Do what is due by now."""
    deadlines, now_s = p._deadlines, p._deadlines.clock()
    for wish in (p._asked, *p._asked_beside):
        if wish is not None and not wish.overdue and wish.asked_s + deadlines.limits.begin_s <= now_s:
            _never_begun(p, wish)
    auto_s = deadlines.awaits_auto(waits=p._awaiting_auto)
    if auto_s is not None and auto_s <= now_s:
        p._awaiting_auto = False
        p._outputs.append(Hung("not begun", None, None, deadlines.limits.begin_s, ""))
        p._outputs.append(Failed("the server did not begin to answer", None, None))
    for response_id, at_s in deadlines.let_go_at_s().items():
        if at_s <= now_s:
            _let_go(p, response_id)
    for response_id, at_s in deadlines.hang_at_s().items():
        if at_s <= now_s:
            _cancel_hung(p, response_id)
    asked_again.look(p, now_s)
    for one in [one for one in p._retries.pending if one.due_s <= now_s]:
        p._retries.pending.remove(one)
        if is_beside(one.wish):
            p._ask_beside(one.wish)
        else:
            # In its old place: before all that was asked for since.
            p._queue.appendleft(one.wish)
    p._drain()
    p._report_turn()


def _never_begun(p: ClientProtocol, wish: Wish) -> None:
    """What waits behind it goes out. Should a response begin after all, it is its answer."""
    wish.overdue = True
    p._outputs.append(Hung("not begun", None, wish.event_id, p._deadlines.limits.begin_s, ""))
    if not wish.awaited:
        p._outputs.append(Failed("the response did not begin", None, None))


def _cancel_hung(p: ClientProtocol, response_id: str) -> None:
    silent_s, there = p._deadlines.silent_s(response_id), _what_came(p, response_id)
    response = p.conversation.responses.get(response_id)
    event = {"type": "response.cancel"}
    if response is not None and response.beside:
        event["response_id"] = response_id
    p._outputs.append(Hung("silent", response_id, None, silent_s, there))
    p._cancelled.add(response_id)
    p._cancels[p._send(event).event_id] = response_id
    p._deadlines.cancelled(response_id)
    failure = Failed(
        f"nothing more came of the answer for {silent_s:.0f} s: it was cancelled; {there}",
        HUNG,
        None,
        "what came of it stays; ask again. response_timeout_s=... of talk() and connect() changes how long "
        "a silent answer is waited for.",
    )
    wish = p._wish_of.get(response_id)
    if wish is not None:
        p._finish(wish, failure)
    p._outputs.append(failure)


def _what_came(p: ClientProtocol, response_id: str) -> str:
    """What there is of a response, in words."""
    response = p.conversation.responses.get(response_id)
    items = (
        [p.conversation.items[i] for i in response.item_ids if i in p.conversation.items] if response else []
    )
    sound_s = sum(item.generated_samples for item in items) / SAMPLES_PER_MS / 1000
    words = " ".join(" ".join(item.text for item in items).split())
    calls = sum(item.type == "function_call" for item in items)
    found = [f"{sound_s:.1f} s of sound"] if sound_s else []
    found += [repr(words if len(words) <= _MOST_WORDS else words[:_MOST_WORDS] + "...")] if words else []
    found += ["a function call that was not finished"] if calls else []
    return f"there is {', '.join(found)}" if found else "nothing of it had come"


def row_of(news: AskAgain | GivenUp | Hung) -> tuple[str, dict[str, Any]]:
    """The local row that tells it: its kind, and its fields. What a conversation makes of it is there."""
    kinds = {AskAgain: "response.retry", GivenUp: "response.given_up", Hung: "response.hung"}
    fields = {f: v for f, v in msgspec.structs.asdict(news).items() if v is not None}
    if "event_id" in fields:
        # A row is no event of its own: that name is taken.
        fields["create_event_id"] = fields.pop("event_id")
    return kinds[type(news)], fields


def _let_go(p: ClientProtocol, response_id: str) -> None:
    """The server does not even answer the cancel: the talk goes on without it."""
    response = p.conversation.responses.get(response_id)
    p._outputs.append(Hung("let go", response_id, None, p._deadlines.limits.cancel_s, ""))
    p._deadlines.ended(response_id)
    p._let_go.add(response_id)
    if p._active == response_id:
        p._active = None
    wish = p._wish_of.get(response_id)
    if wish is not None:
        p._finish(wish)
    if response is not None:
        p._playback.let_go(response)
        p._outputs += [ItemChanged(item_id) for item_id in response.item_ids or [response_id]]
