"""What a talk hears of its sessions: only of the newest one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gip_nb.errors import GipError
    from gip_nb.notebook.widget import Talk
    from gip_nb.protocol.budget import Verdict
    from gip_nb.protocol.outputs import AskAgain, State
    from gip_nb.session.reconnecting import Attempt
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["NewestOnly"]


class NewestOnly:
    """Listens for a talk to one of its sessions while that is the newest: an old one may still be ending."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.session: AsyncRealtimeSession | None = None

    @property
    def _is_newest(self) -> bool:
        return self._talk.session._session is self.session  # noqa: SLF001 - a wrapper of our own

    def state_changed(self, state: State) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.state_changed(state)

    def reconnect_changed(self, attempt: Attempt | None) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.reconnect_changed(attempt)

    def item_changed(self, item_id: str) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.item_changed(item_id)

    def text_added(self, item_id: str, delta: str) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.text_added(item_id, delta)

    def audio_added(self, audio: bytes) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.audio_added(audio)

    def settings_changed(self) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.settings_changed()

    def turn_done(self, turn: int) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.turn_done(turn)

    def budget_changed(self, verdict: Verdict) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.budget_changed(verdict)

    def turn_labelled(self, turn: int) -> None:
        """Pass it on, of an old one too: the record has them all."""
        self._talk.turn_labelled(turn)

    def can_ask(self) -> bool:
        """Pass it on."""
        return self._is_newest and self._talk.can_ask()

    def tool_runs(self, call_id: str, name: str) -> AbstractContextManager[None]:
        """Pass it on."""
        return self._talk.tool_runs(call_id, name) if self._is_newest else contextlib.nullcontext()

    def tool_result(self, call_id: str, name: str, value: object) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.tool_result(call_id, name, value)

    def log_changed(self, folder: Path | None, *, stopped: bool) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.log_changed(folder, stopped=stopped)

    def asks_again(self, news: AskAgain | None) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.asks_again(news)

    def failed(self, error: GipError) -> None:
        """Pass it on."""
        if self._is_newest:
            self._talk.failed(error)
