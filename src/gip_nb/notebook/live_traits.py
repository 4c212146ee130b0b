"""The talk's traits, for `observe`, `link` and other widgets. The page draws from messages alone.

They are set on the callback thread, so that a slow observer delays the observers after it and never the
sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from gip_nb.session.loop import callbacks, loop

if TYPE_CHECKING:
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["LiveTraits"]

_LIVE_SYNC_S = 0.25
_LIVE_TRAITS = ("user_transcript", "assistant_transcript")


class EveryChunk(traitlets.Bytes):
    """Bytes whose observers hear of every assignment: two equal chunks of sound are two chunks."""

    def set(self, obj: traitlets.HasTraits, value: bytes) -> None:
        """Set and notify, equal or not."""
        name = str(self.name)
        new = self._validate(obj, value)
        # What traitlets' own `set` does, without its look whether anything changed.
        old = obj._trait_values.get(name, b"")  # noqa: SLF001 - no public way
        obj._trait_values[name] = new  # noqa: SLF001 - same
        obj._notify_trait(name, old, new)  # noqa: SLF001 - same


class LiveTraits(anywidget.AnyWidget):
    """A widget with a talk's traits; `Talk` says what they mean."""

    state = traitlets.Unicode("idle").tag(sync=True)
    session_id = traitlets.Unicode("").tag(sync=True)
    model = traitlets.Unicode("").tag(sync=True)
    user_transcript = traitlets.Unicode("").tag(sync=True)
    assistant_transcript = traitlets.Unicode("").tag(sync=True)
    turn = traitlets.Int(0).tag(sync=True)
    usage = traitlets.Dict().tag(sync=True)
    error = traitlets.Dict().tag(sync=True)
    reconnecting = traitlets.Dict().tag(sync=True)
    audio_delta = EveryChunk(b"")

    def __init__(self, **values: Any) -> None:
        self._live_sync: Any = None
        super().__init__(**values)

    @property
    def _running(self) -> AsyncRealtimeSession:
        """The session that they tell of."""
        raise NotImplementedError

    def _set(self, **traits: Any) -> None:
        """Set traits on the callback thread: observers are the user's code."""
        for name, value in traits.items():
            self._set_one(name, value)

    def _set_one(self, name: str, value: object) -> None:
        session = self._running
        # One by one: what an observer of the first raises must not keep the second from being set.
        callbacks().submit(lambda: self.set_trait(name, value), session.callback_failed)

    def _follow_transcripts(self) -> None:
        conversation = self._running.protocol.conversation
        turn = conversation.current_turn
        if turn is None:
            return
        self._set(
            user_transcript=conversation.texts(turn, "user"),
            assistant_transcript=conversation.texts(turn, "assistant"),
        )
        if self._live_sync is None:
            self._live_sync = loop().call_later(_LIVE_SYNC_S, self._sync_live)

    def _sync_live(self) -> None:
        self._live_sync = None
        callbacks().submit(lambda: self.send_state(list(_LIVE_TRAITS)))

    def _should_send_property(self, key: str, value: object) -> bool:
        """Growing transcripts are synced by `_sync_live` at most four times a second, not at each change."""
        return key not in _LIVE_TRAITS and bool(super()._should_send_property(key, value))
