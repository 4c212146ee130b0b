"""`RealtimeSession`: the verbs of a session from any cell, each waiting for what it does, and its tables."""

from __future__ import annotations

import warnings
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from gip_nb.errors import BudgetWarning, SettingIgnored
from gip_nb.journal.readable import Readable
from gip_nb.session.loop import run_blocking
from gip_nb.session.trouble import offers_nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from gip_nb.errors import GipError
    from gip_nb.protocol.labels import Rating
    from gip_nb.session.reply import Reply
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["RealtimeSession"]


class RealtimeSession(Readable):
    """One talk with a realtime model.

    Every verb may be called from any cell or thread; the first one connects.

    Its tables (`events`, `turns`, `items`, `responses`, `tool_calls`, `usage`) are complete at any moment.
    Also a context manager: `with gip_nb.connect("rehearsal") as s: print(s.ask("hello").text)`.
    """

    def __init__(self, session: AsyncRealtimeSession) -> None:
        self._session = session
        self.log, self.tables = session.log, session.tables
        # What the cell that waits is warned of.
        self._warnings: deque[str] = deque(maxlen=1)
        session.spending.warn = self._warnings.append

    def __repr__(self) -> str:
        return repr(self._session).replace("Async", "", 1)

    def __enter__(self) -> Self:
        """Connect."""
        self.connect()
        return self

    def __exit__(self, *_error: object) -> None:
        """Close."""
        self.close()

    # ---- verbs: see AsyncRealtimeSession for what each does and raises -------------------------------------

    def connect(self) -> None:
        """Connect, unless connected; see `AsyncRealtimeSession.connect`."""
        run_blocking(self._session.connect())

    @offers_nearest
    def ask(
        self, what: str | Path | NDArray[Any], *, sample_rate_hz: int = 24_000, timeout_s: float = 60.0
    ) -> Reply:
        """Ask by text, WAV file or array, and wait for the whole answer; see `AsyncRealtimeSession.ask`."""
        reply = run_blocking(self._session.ask(what, sample_rate_hz=sample_rate_hz, timeout_s=timeout_s))
        # One more frame: the keyword's check.
        self._warn(stacklevel=4)
        return reply

    def send_text(self, text: str, role: str = "user") -> str:
        """Add a message; returns its item id. `respond()` asks for the answer."""
        return run_blocking(self._session.send_text(text, role))

    def add(self, item: dict[str, Any], previous_item_id: str | None = None) -> str:
        """Add any item of the API to the conversation; returns its id."""
        return run_blocking(self._session.add(item, previous_item_id))

    @offers_nearest
    def send_audio(self, what: Path | str | NDArray[Any] | bytes, sample_rate_hz: int = 24_000) -> None:
        """Append audio to the input buffer, as the microphone does."""
        run_blocking(self._session.send_audio(what, sample_rate_hz))

    def commit(self) -> None:
        """End the user's utterance (with turn detection off)."""
        run_blocking(self._session.commit())

    def press(self) -> None:
        """Push to talk: the user begins to speak; an answer stops."""
        run_blocking(self._session.press())

    def release(self) -> None:
        """Push to talk: the utterance ends and is answered."""
        run_blocking(self._session.release())

    def respond(self, /, **overrides: Any) -> str | None:
        """Ask for a response; returns its id, None where it waits for its turn behind another one."""
        response_id = run_blocking(self._session.respond(**overrides))
        self._warn(stacklevel=3)
        return response_id

    def interrupt(self) -> bool:
        """Stop the answer. Returns False where there was nothing to stop."""
        return run_blocking(self._session.interrupt())

    def clear(self) -> None:
        """Forget the audio appended since the last commit."""
        run_blocking(self._session.clear())

    def update(self, /, **fields: Any) -> None:
        """Change the session: any field of the API. What the server ignores is a warning."""
        for line in run_blocking(self._session.apply_update(fields)):
            warnings.warn(line, SettingIgnored, stacklevel=2)

    def delete(self, item_id: str) -> None:
        """Delete an item from the server's conversation."""
        run_blocking(self._session.delete(item_id))

    def retrieve(self, item_id: str) -> dict[str, Any]:
        """An item as the server has it, canonical."""
        return run_blocking(self._session.retrieve(item_id))

    def truncate(self, item_id: str, audio_end_ms: int) -> None:
        """Let the model forget what it said in this item after a position."""
        run_blocking(self._session.truncate(item_id, audio_end_ms))

    @offers_nearest
    def label(
        self,
        turn: int | None = None,
        label: str | None = None,
        *,
        tags: str | Iterable[str] | None = None,
        rating: Rating | None = None,
    ) -> None:
        """Say of a turn (the newest one) what you think of it: columns of `turns`, after the end too."""
        run_blocking(self._session.label(turn, label, tags=tags, rating=rating))

    def send(self, event: dict[str, Any]) -> None:
        """Send any client event as it is."""
        run_blocking(self._session.send(event))

    @offers_nearest
    def wait(self, event_type: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """Wait for the next event of this type and return it."""
        event = run_blocking(self._session.wait(event_type, timeout_s))
        self._warn(stacklevel=4)
        return event

    def on(self, event_type: str, callback: Callable[[dict[str, Any]], object]) -> None:
        """Call `callback(event)` on the callback thread for each event of this type; `*` is every one."""
        self._session.on(event_type, callback)

    def close(self) -> None:
        """End the talk. Its tables stay."""
        run_blocking(self._session.close())

    def _warn(self, stacklevel: int) -> None:
        while self._warnings:
            line = self._warnings.popleft()
            if self._session.protocol.budget.verdict.state == "warned":
                warnings.warn(line, BudgetWarning, stacklevel=stacklevel)

    # ---- what it is ----------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """In a word.

        It is idle, connecting, listening, hearing, thinking, speaking, muted, reconnecting, closed or error.
        """
        return self._session.state

    @property
    def session_id(self) -> str | None:
        """The server's name for this session."""
        return self._session.session_id

    @property
    def budget_usd(self) -> float | None:
        """The most that this session may cost, US dollars; None for no limit.

        `session.budget_usd = 2.0` sets another one, also in mid-talk, and lets a spent session go on; see
        `AsyncRealtimeSession.budget_usd`. At 80 % the next verb that waits gives a `BudgetWarning`.
        """
        return self._session.budget_usd

    @budget_usd.setter
    def budget_usd(self, limit_usd: float | None) -> None:
        self._session.budget_usd = limit_usd

    @property
    def error(self) -> GipError | None:
        """What ended the session, if something did."""
        return self._session.error

    @property
    def log_folder(self) -> Path | None:
        """Where this session writes itself, given `log=...`; None where it does not, or not yet."""
        return self._session.log_folder

    @property
    def model(self) -> str:
        """The model's id, as it was asked for."""
        return self._session.settings.model

    def _scrub(self, frame: bytes) -> bytes:
        return self._session.settings.scrub(frame)
