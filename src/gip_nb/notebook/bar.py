"""What the pages' bar shows: told when it changes, and whole to a page that is new. On the loop only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from gip_nb.errors import BudgetSpent
from gip_nb.notebook.settings_view import detection_name, settings_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.notebook import messages
    from gip_nb.protocol.budget import Verdict
    from gip_nb.protocol.cost import Cost
    from gip_nb.protocol.outputs import AskAgain
    from gip_nb.session.reconnecting import Attempt
    from gip_nb.session.session import AsyncRealtimeSession
    from gip_nb.session.settings import Settings

__all__ = ["Bar", "reconnecting_view"]


class Bar:
    """The newest word on each field.

    Args:
        tell: sends a patch to every page.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._send = tell
        self._told: messages.TalkState = {}

    def tell(self, **patch: Unpack[messages.TalkState]) -> None:
        """Tell the pages what of this is new."""
        told: dict[str, Any] = {**self._told}
        changed = {k: v for k, v in patch.items() if k not in told or told[k] != v}
        self._told.update(patch)
        if changed:
            self._send(changed)

    def began(self) -> None:
        """A new session: nothing of the one before is its."""
        self.tell(
            session_id=None,
            requests=0,
            cost_usd=None,
            cost_is_upper_bound=False,
            cost_note=None,
            budget=None,
            retry=None,
            reconnecting=None,
            connected_at_ms=None,
            ended_at_ms=None,
            first_sound_ms=None,
            event_count=0,
        )

    def spent(self, cost: Cost) -> None:
        """Tell what the session has cost so far."""
        self.tell(cost_usd=cost.usd, cost_is_upper_bound=cost.is_upper_bound, cost_note=cost.note)

    def budget(self, verdict: Verdict) -> bool:
        """Tell that the budget is nearly spent, or that it stops the talk; or that there is room again.

        Returns:
            Whether an error of before, that no answer could be asked for, went with that.
        """
        view: messages.ErrorView = {
            "title": BudgetSpent.title if verdict.stops else "Budget nearly spent",
            "message": verdict.message,
            "next_step": verdict.next_step,
        }
        error = self._told.get("error")
        is_over = not verdict.stops and error is not None and error["title"] == BudgetSpent.title
        if is_over:
            self.tell(error=None)
        self.tell(budget=view if verdict.message else None)
        return is_over

    def asks_again(self, news: AskAgain | None) -> None:
        """Tell that a failed answer is asked for again after a wait; None: that is over."""
        view: messages.ErrorView | None = None
        if news is not None:
            view = {
                "title": f"{news.reason.capitalize()}, asking again in {_seconds(news.wait_s)}",
                "message": news.message,
                "next_step": "nothing to do; speak, type or press Interrupt to go on without it.",
            }
        self.tell(retry=view)

    @property
    def connected(self) -> bool:
        """Whether the session was connected once."""
        return self._told.get("connected_at_ms") is not None

    def whole(
        self,
        session: AsyncRealtimeSession,
        settings: Settings,
        *,
        muted: bool,
        audio_page: str | None,
    ) -> messages.TalkState:
        """Everything, for a page that is new here or has missed something.

        Args:
            session: the newest one.
            settings: what the next one begins with.
            muted: whether the microphone is.
            audio_page: who hears and speaks.
        """
        talk: messages.TalkState = {
            "state": "idle",
            "session_id": session.session_id,
            "model": settings.model,
            "dialect": session.dialect,
            "rehearsal": settings.rehearsal,
            "muted": muted,
            "error": None,
            "audio_page": audio_page,
            "turn_detection": detection_name(session, settings),
            "first_sound_ms": None,
            "requests": 0,
            "cost_usd": None,
            "cost_is_upper_bound": False,
            "cost_note": None,
            "budget": None,
            "retry": None,
            "connected_at_ms": None,
            "ended_at_ms": None,
            "event_count": len(session.log),
            "notice": None,
            "reconnecting": None,
            # Where Start will have it written, too: who speaks is to know before.
            "log": None if settings.log is None else {"folder": str(settings.log), "stopped": False},
            "settings": settings_view(session, settings),
        }
        talk.update(self._told)
        return talk


def _seconds(wait_s: float) -> str:
    """For a title: whole seconds, and never none."""
    return f"{max(1, round(wait_s))} s"


def reconnecting_view(attempt: Attempt | None) -> messages.ReconnectingView | None:
    """Where coming back is, as the pages show it."""
    if attempt is None:
        return None
    due = attempt.due_unix_s
    return {
        "attempt": attempt.number,
        "attempts": attempt.most,
        "due_at_ms": None if due is None else due * 1000,
        "message": attempt.message,
    }
