"""What an `error` of the server does to the client's end: about what it is, and what becomes of that.

As client_rules.py this is the protected part of `ClientProtocol`: it uses its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.protocol import asked_again, overdue
from gip_nb.protocol.outputs import Failed, Hung
from gip_nb.protocol.requests import Request
from gip_nb.protocol.retries import fault_of, reason_of
from gip_nb.protocol.session_rules import on_session

if TYPE_CHECKING:
    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.frames import Event
    from gip_nb.protocol.outputs import Wish

__all__ = ["on_error"]

# Losing these races is part of the protocol, not trouble: the response was over before our cancel arrived.
_LOST_RACES = frozenset({"response_cancel_not_active"})
_ACTIVE_RESPONSE = "conversation_already_has_active_response"


def _told(e: Event) -> dict[str, Any]:
    """The object that an `error` event carries; some servers give a text for it, or leave it out."""
    error = e.part("error")
    return error or {"message": e.text("error") or e.text("message"), "code": e.fields.get("code")}


def _code(error: dict[str, Any]) -> str | None:
    code = error.get("code")
    code = str(code) if isinstance(code, str | int) and not isinstance(code, bool) else None
    if code is None and error.get("type") in {"authentication_error", "permission_error"}:
        code = error["type"]
    return code


def _over_already(p: ClientProtocol, response_id: str | None) -> None:
    """The server has no such response any more: where its `response.done` got lost, nothing waits for it."""
    if response_id is None or p._active != response_id:
        return
    p._active = None
    p._deadlines.ended(response_id)
    p._outputs.append(Hung("let go", response_id, None, 0.0, ""))
    response = p.conversation.responses.get(response_id)
    if response is not None:
        p._playback.response_done(response)
    wish = p._wish_of.get(response_id)
    if wish is not None:
        p._finish(wish)
    p._drain()
    p._report_turn()


def _wait_for_the_server_s_own(p: ClientProtocol, wish: Wish) -> None:
    """Its turn detection was quicker: what we asked for is kept and asked again after that response."""
    p._take_back(wish)
    p._awaiting_auto = p._active is None
    if wish.cancelled:
        p._finish(wish)
    elif not asked_again.gave_way(p, wish):
        p._queue.appendleft(wish)


def on_error(p: ClientProtocol, e: Event) -> None:
    """Settle what it is about, if that can be known, and tell whoever waits; else tell the user."""
    error = _told(e)
    code = _code(error)
    caused_by = error.get("event_id")
    caused_by = caused_by if isinstance(caused_by, str) else None
    if code in _LOST_RACES:
        _over_already(p, p._cancels.get(caused_by or ""))
        return
    message = error.get("message")
    if code == "session_expired" and caused_by is None and p.resumes:
        # It is about all, and about no single thing: what was asked for may be asked of the next session.
        words = message if isinstance(message, str) and message else "the session has expired"
        p._outputs.append(Failed(words, code, None))
        return
    update = p._settings_again.unnamed(p) if caused_by is None else None
    wish = None if update is not None else p._refused(caused_by)
    lost = wish is not None or (p._newest is not None and p._newest.event_id == caused_by)
    if code == _ACTIVE_RESPONSE and lost:
        if wish is not None:
            _wait_for_the_server_s_own(p, wish)
        return
    failed = Failed(
        message if isinstance(message, str) and message else "the server gave no reason", code, caused_by
    )
    refused = wish if wish is not None else _refused_request(p, update, failed)
    told = _on_update_refused(p, e, refused, failed)
    if told is None:
        return
    failed = told
    if wish is not None:
        p._take_back(wish)
        fault = fault_of(error)
        # Trouble at the server is about ours where it says so.
        passes = wish.event_id == caused_by or reason_of(fault) == "rate limited"
        if passes and overdue.ask_again(p, wish, failed, fault):
            return
    if refused is None or not refused.awaited:
        p._outputs.append(failed)
    if wish is not None:
        p._finish(wish, failed)
        p._drain()
        p._report_turn()


def _refused_request(p: ClientProtocol, update: Request | None, failed: Failed) -> Request | None:
    """What the error is about, if that is known to be no response: this update, or what it names."""
    if update is not None:
        p._requests.refuse(update, failed)
    return update or p._requests.refused(failed)


def _on_update_refused(
    p: ClientProtocol, e: Event, refused: Request | Wish | None, failed: Failed
) -> Failed | None:
    """What is to be told, whatever was refused; None where nothing is."""
    if not isinstance(refused, Request) or refused.session is None:
        return failed
    p._configuration.refused(refused.event_id)
    # Its formats are not in force.
    on_session(p, e)
    return p._settings_again.refused(p, refused, failed)
