"""Who shows a talk: what a session tells while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gip_nb.protocol import outputs

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gip_nb.errors import GipError
    from gip_nb.protocol.budget import Verdict
    from gip_nb.protocol.outputs import AskAgain, Output, State
    from gip_nb.session.reconnecting import Attempt

__all__ = ["Listener", "show"]


class Listener(Protocol):
    """Whoever shows the talk. Called on the loop, but for `tool_runs`; must be quick."""

    def state_changed(self, state: State) -> None:
        """The talk's state in a word."""

    def reconnect_changed(self, attempt: Attempt | None) -> None:
        """The connection is lost, and this is where coming back is; None: it is back, or given up."""

    def item_changed(self, item_id: str) -> None:
        """An item was made, changed or deleted."""

    def text_added(self, item_id: str, delta: str) -> None:
        """Words were added to an item."""

    def audio_added(self, audio: bytes) -> None:
        """A chunk of the answer came: PCM16 mono 24 000 Hz."""

    def settings_changed(self) -> None:
        """The server told the session's settings."""

    def turn_done(self, turn: int) -> None:
        """A turn is finished."""

    def budget_changed(self, verdict: Verdict) -> None:
        """The budget is nearly spent, is spent, or was changed."""

    def turn_labelled(self, turn: int) -> None:
        """The user has said something of a turn, or taken it back; at any time, after the end too."""

    def can_ask(self) -> bool:
        """Whether somebody will see a question: a page shows the talk, or has and may come back."""

    def tool_runs(self, call_id: str, name: str) -> AbstractContextManager[None]:
        """Entered while a function runs, on its thread: what it displays meanwhile. Must not raise."""

    def tool_result(self, call_id: str, name: str, value: object) -> None:
        """A function has returned this; None where it failed."""

    def log_changed(self, folder: Path | None, *, stopped: bool) -> None:
        """The talk is written into this folder, or, `stopped`, is not any more; None: it could not begin."""

    def asks_again(self, news: AskAgain | None) -> None:
        """A response failed and is asked for again after a wait; None: that is over, well or not."""

    def failed(self, error: GipError) -> None:
        """Something went wrong that the user should see; the session may go on."""


def show(listener: Listener, output: Output) -> None:
    """What of this is to be shown."""
    match output:
        case outputs.Play(_, _, _, audio):
            listener.audio_added(audio)
        case outputs.ItemChanged(item_id):
            listener.item_changed(item_id)
        case outputs.TextAdded(item_id, delta):
            listener.text_added(item_id, delta)
        case outputs.SettingsChanged():
            listener.settings_changed()
        case outputs.TurnDone(turn):
            listener.turn_done(turn)
        case outputs.TurnLabelled(turn):
            listener.turn_labelled(turn)
