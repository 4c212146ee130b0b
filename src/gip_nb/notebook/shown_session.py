"""A widget that shows what its newest session says, to its pages and in its traits. On the loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gip_nb.notebook.bar import reconnecting_view
from gip_nb.notebook.live_traits import LiveTraits
from gip_nb.notebook.requests import error_view
from gip_nb.notebook.settings_view import detection_name, settings_view
from gip_nb.protocol.cost import total_cost

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gip_nb.errors import GipError
    from gip_nb.notebook.bar import Bar
    from gip_nb.notebook.beside import Beside
    from gip_nb.notebook.page import Page
    from gip_nb.protocol.budget import Verdict
    from gip_nb.protocol.outputs import AskAgain, State
    from gip_nb.session.reconnecting import Attempt
    from gip_nb.session.settings import Settings

__all__ = ["ShownSession"]


class ShownSession(LiveTraits):
    """Implements `Listener`."""

    # Of the talk that this is a part of.
    _settings: Settings
    _bar: Bar
    _page: Page
    _beside: Beside

    if TYPE_CHECKING:

        def _end_capture(self) -> None:
            """No page hears or speaks any more."""

    def state_changed(self, state: State) -> None:
        """Tell the page and the trait."""
        session = self._running
        now_ms = time.time() * 1000
        if state in {"closed", "error"}:
            self._bar.tell(ended_at_ms=now_ms)
        elif state not in {"idle", "connecting"} and not self._bar.connected:
            self._bar.tell(connected_at_ms=now_ms)
        if state == "connecting" and not self._page.plays and self._page.newest is not None:
            # Whoever began it, a click or a verb in a cell: the page that shows this talk plays it.
            self._page.grant(self._page.newest, "view")
        self._bar.tell(
            state=state,
            session_id=session.session_id,
            dialect=session.dialect,
            event_count=len(session.log),
        )
        self._tell_settings()
        self._set(state=state, session_id=session.session_id or "")
        if state in {"closed", "error"}:
            self._end_capture()
            self._beside.changed(ended=True)

    def reconnect_changed(self, attempt: Attempt | None) -> None:
        """Show where coming back is; what was said of the connection that went is over when it is back."""
        view = reconnecting_view(attempt)
        self._bar.tell(reconnecting=view)
        self._set(reconnecting=dict(view or {}))
        if attempt is None and self._running.state != "error":
            self._forget_error()

    def item_changed(self, item_id: str) -> None:
        """Show it, and let the transcripts of the current turn follow."""
        self._page.view.item_changed(item_id)
        self._follow_transcripts()

    def text_added(self, item_id: str, delta: str) -> None:
        """Show it, and let the transcripts of the current turn follow."""
        self._page.view.text_added(item_id, delta)
        self._follow_transcripts()

    def audio_added(self, audio: bytes) -> None:
        """For Python observers: one notice a chunk, equal ones too."""
        if "audio_delta" in self._trait_notifiers:
            self._set_one("audio_delta", audio)

    def settings_changed(self) -> None:
        """Show what the server has in force."""
        self._bar.tell(session_id=self._running.session_id)
        self._tell_settings()

    def _tell_settings(self) -> None:
        session = self._running
        if session.settings_settled:
            self._bar.tell(
                turn_detection=detection_name(session, self._settings),
                settings=settings_view(session, self._settings),
            )

    def turn_done(self, turn: int) -> None:
        """Count it."""
        conversation = self._running.protocol.conversation
        usage = {
            "requests": conversation.requests,
            "input_tokens": sum(t.usage.input_tokens for t in conversation.turns),
            "output_tokens": sum(t.usage.output_tokens for t in conversation.turns),
        }
        self._follow_transcripts()
        self._set(turn=turn, usage=usage)
        self._bar.tell(requests=conversation.requests, event_count=len(self._running.log))
        self._bar.spent(total_cost(conversation))
        self._beside.changed()

    def budget_changed(self, verdict: Verdict) -> None:
        """Show it where it is news; what said that the budget was spent goes when there is room again."""
        if self._bar.budget(verdict):
            self._set(error={})

    def turn_labelled(self, _turn: int) -> None:
        """Keep it in the record; its rows are shown anew by `item_changed`."""
        self._bar.tell(event_count=len(self._running.log))
        self._beside.changed()

    def can_ask(self) -> bool:
        """Whether a page shows the talk, or has: a question about a call then waits for it."""
        return self._page.was_shown

    def tool_runs(self, call_id: str, name: str) -> AbstractContextManager[None]:
        """What it displays meanwhile appears under the panel."""
        return self._beside.tool_runs(call_id, name)

    def tool_result(self, call_id: str, name: str, value: object) -> None:
        """Show it under the panel, where it is more than text."""
        self._beside.tool_result(call_id, name, value)

    def log_changed(self, folder: Path | None, *, stopped: bool) -> None:
        """Show that the talk is written to disk, and where."""
        self._bar.tell(log=None if folder is None else {"folder": str(folder), "stopped": stopped})

    def asks_again(self, news: AskAgain | None) -> None:
        """Show that a failed answer is asked for again, while it is waited for."""
        self._bar.asks_again(news)

    def failed(self, error: GipError) -> None:
        """Show it in the widget too."""
        view = error_view(error)
        self._bar.tell(error=view)
        self._set(error=dict(view))

    def _forget_error(self) -> None:
        self._bar.tell(error=None)
        self._set(error={})
