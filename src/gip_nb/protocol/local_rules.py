"""What this side's own rows do to a conversation: clocks, playback, labels, connections, prices, history.

As in conversation_rules.py: one function a row's type, one row in `LOCAL_RULES`, and the fields of
`Conversation` are theirs too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.protocol.clocks import PageClock
from gip_nb.protocol.items import SAMPLES_PER_MS, heard_samples
from gip_nb.protocol.prices import told_prices
from gip_nb.protocol.turns import LOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.items import CallState, Item

__all__ = ["LOCAL_RULES"]

_OUTCOMES: dict[str, CallState] = {
    "done": "done",
    "failed": "failed",
    "timed_out": "timed_out",
    "denied": "denied",
    "cancelled": "cancelled",
}


def _on_playback(c: Conversation, e: Event, _at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is None:
        return
    played = e.whole("played_samples") or 0
    item.played_samples = max(item.played_samples or 0, played)
    item.heard_ms = max(item.heard_ms or 0.0, min(played, item.generated_samples) / SAMPLES_PER_MS)


def _on_delivered(c: Conversation, e: Event, at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is None:
        return
    end = (e.whole("start_sample") or 0) + (e.whole("samples") or 0)
    item.delivered_samples = max(item.delivered_samples or 0, end)
    if item.turn is not None and c.turns[item.turn - 1].first_delivered_s is None:
        c.turns[item.turn - 1].first_delivered_s = at_s


def _on_playback_started(c: Conversation, e: Event, at_s: float) -> None:
    _on_playback(c, e, at_s)
    item = c.items.get(e.item_id or "")
    clock = c.clocks.get(e.text("page"))
    page_ms, latency_ms = e.fields.get("page_ms"), e.fields.get("output_latency_ms")
    if item is None or item.turn is None or clock is None or not isinstance(page_ms, int | float):
        # A message's arrival says nothing of sound.
        return
    if e.whole("played_samples"):
        # Another page goes on with it.
        return
    # What leaves the worklet is in the air so much later.
    latency_ms = max(0.0, float(latency_ms)) if isinstance(latency_ms, int | float) else 0.0
    sounded_s = clock.to_log_s(page_ms + latency_ms)
    turn = c.turns[item.turn - 1]
    if item.sound_start_s is None:
        item.sound_start_s = sounded_s
    if turn.first_sound_s is None:
        turn.first_sound_s = sounded_s
        turn.rests_on_clock(clock.error_ms)


def _on_clock(c: Conversation, e: Event, _at_s: float) -> None:
    times = [t for t in map(e.fields.get, ("asked_s", "answered_s", "page_ms")) if isinstance(t, int | float)]
    if len(times) == 3:  # noqa: PLR2004 - the three of the line above
        c.clocks.setdefault(e.text("page"), PageClock()).observe(*times)


def _on_captured(c: Conversation, e: Event, _at_s: float) -> None:
    samples, page_ms = e.whole("appended_samples"), e.fields.get("page_ms")
    if samples is not None and isinstance(page_ms, int | float):
        c._captured.append((samples, e.text("page"), float(page_ms)))


def _on_microphone_gap(c: Conversation, e: Event, _at_s: float) -> None:
    # Frames of the page, or what was too much to be kept while the connection was away.
    c._lost_audio_ms += max(0, e.whole("missing_ms") or e.whole("lost_ms") or 0)


def _on_microphone_late(c: Conversation, e: Event, _at_s: float) -> None:
    c._late_audio_ms += max(0, e.whole("late_audio_ms") or 0)


def _on_flushed(c: Conversation, e: Event, _at_s: float) -> None:
    item = c.items.get(e.item_id or "")
    if item is None:
        return
    response = c.responses.get(item.response_id or "")
    # An answer may be whole before its response is said to be.
    generating = response is not None and response.active and item.status == "in_progress"
    item.played_samples = e.whole("played_samples") or 0
    latency_ms = e.fields.get("output_latency_ms")
    latency_ms = float(latency_ms) if isinstance(latency_ms, int | float) else 0.0
    heard = heard_samples(item, item.played_samples, latency_ms, generating=generating)
    item.heard_ms = heard / SAMPLES_PER_MS
    item.playback_cut = generating or heard < item.generated_samples
    if item.playback_cut:
        c._mark_interrupted(item)


def _enter(call: Item, state: CallState, e: Event) -> None:
    """The call is in this state from now on."""
    call.call_state = state
    call.call_state_unix_ms = _number(e, "unix_ms")
    call.call_until_unix_ms = _number(e, "until_unix_ms")


def _number(e: Event, name: str) -> float | None:
    value = e.fields.get(name)
    return float(value) if isinstance(value, int | float) else None


def _on_tool_asked(c: Conversation, e: Event, _at_s: float) -> None:
    call = c.call(e.call_id)
    if call is not None:
        call.checked_arguments = e.text("arguments") or None
        _enter(call, "asked", e)


def _on_tool_denied(c: Conversation, e: Event, _at_s: float) -> None:
    call = c.call(e.call_id)
    if call is not None:
        _enter(call, "denied", e)


def _on_tool_waiting(c: Conversation, e: Event, _at_s: float) -> None:
    call = c.call(e.call_id)
    if call is not None:
        _enter(call, "waiting", e)


def _on_tool_started(c: Conversation, e: Event, at_s: float) -> None:
    call = c.call(e.call_id)
    if call is not None:
        call.run_s = at_s
        _enter(call, "running", e)


def _on_tool_finished(c: Conversation, e: Event, at_s: float) -> None:
    call = c.call(e.call_id)
    if call is not None:
        # Rows of older versions say only that it has ended.
        outcome = _OUTCOMES.get(e.text("outcome"))
        if outcome is not None:
            _enter(call, outcome, e)
        else:
            call.call_state = None
        call.traceback = e.text("traceback") or None
    if call is not None and call.run_s is not None:
        call.duration_ms = (at_s - call.run_s) * 1000
        if call.turn is not None:
            c.turns[call.turn - 1].ended_s = at_s


def _on_label(c: Conversation, e: Event, _at_s: float) -> None:
    number = e.whole("turn")
    if number is None or not 1 <= number <= len(c.turns):
        return
    turn = c.turns[number - 1]
    label, tags, rating = e.fields.get("label"), e.fields.get("tags"), e.whole("rating")
    # What a row does not name stays.
    if isinstance(label, str):
        turn.label = label or None
    if isinstance(tags, list):
        turn.tags = tuple(t for t in tags if isinstance(t, str))
    if rating in {1, -1}:
        turn.rating = rating
    elif e.fields.get("rating", 0) is None:
        turn.rating = None


def _on_connection_opened(c: Conversation, e: Event, _at_s: float) -> None:
    c.reset_input()
    c._asked_beside.clear()
    c.connection += 1
    c.asked_model = e.text("model") or c.asked_model
    c.model = c.asked_model or c.model


def _on_connection_lost(c: Conversation, e: Event, _at_s: float) -> None:
    """What the server was at comes to no end, and what it was to forget it has forgotten."""
    for response in [r for r in c.responses.values() if r.active]:
        response.status, response.reason = "incomplete", LOST
        for item in [c.items[i] for i in response.item_ids if i in c.items]:
            if item.status == "in_progress":
                item.status = "incomplete"
    for item in [i for i in c.items.values() if i.connection == c.connection and c.is_being_heard(i)]:
        # What was heard of it is sent again, and is another item then.
        item.deleted, item.status, item.problem = True, "incomplete", "the connection was lost"
    for item_id in _ids(e, "deleted_item_ids"):
        if item_id in c.items:
            c.items[item_id].deleted = True
        if item_id in c.order:
            c.order.remove(item_id)
    c._undo.clear()
    c._asked_beside.clear()


def _ids(e: Event, name: str) -> list[str]:
    told = e.fields.get(name)
    return [i for i in told if isinstance(i, str)] if isinstance(told, list) else []


def _on_prices(c: Conversation, e: Event, _at_s: float) -> None:
    c.prices = told_prices(e.fields.get("models"))


def _on_history(c: Conversation, e: Event, _at_s: float) -> None:
    ids = _ids(e, "item_ids")
    c._history_ids.update(ids)
    c._given_again = {i: "" for i in ids if i in c.items}
    # They are sent all at once, before the server has said no to any of them.
    c._most_undone += len(ids)


def _on_hung(c: Conversation, e: Event, at_s: float) -> None:
    response = c.responses.get(e.response_id or "")
    if response is None or not response.active:
        return
    if e.text("what") == "silent":
        response.hung = True
    elif e.text("what") == "let go":
        # Should its end come after all, that says what it was; and it is billed then.
        response.status, response.reason = "cancelled", "let_go"
        c.turns[response.turn - 1].ended_s = at_s
        for item in (c.items[i] for i in response.item_ids):
            if item.status == "in_progress":
                item.status = "incomplete"


LOCAL_RULES: dict[str, Callable[[Conversation, Event, float], None]] = {
    "local.connection.opened": _on_connection_opened,
    "local.connection.lost": _on_connection_lost,
    "local.prices": _on_prices,
    "local.clock": _on_clock,
    "local.history": _on_history,
    "local.mic.captured": _on_captured,
    "local.mic.gap": _on_microphone_gap,
    "local.mic.late": _on_microphone_late,
    "local.page.delivered": _on_delivered,
    "local.playback.started": _on_playback_started,
    "local.playback.position": _on_playback,
    "local.playback.ended": _on_playback,
    "local.playback.flushed": _on_flushed,
    "local.label": _on_label,
    "local.tool.asked": _on_tool_asked,
    "local.tool.denied": _on_tool_denied,
    "local.tool.waiting": _on_tool_waiting,
    "local.response.hung": _on_hung,
    "local.tool.started": _on_tool_started,
    "local.tool.finished": _on_tool_finished,
}
