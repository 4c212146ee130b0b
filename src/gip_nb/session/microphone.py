"""The microphone of one session: what of it is heard, and what waits for a connection. On the loop only."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.protocol.clocks import CaptureMarks
from gip_nb.protocol.items import SAMPLES_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.kept_input import Sound
    from gip_nb.session.returning import At

__all__ = ["Host", "Microphone"]

# 10 s of frames of 40 ms.
_EARLY_FRAMES = 250


class Host(Protocol):
    """What a session lets its microphone do."""

    protocol: ClientProtocol

    @property
    def at(self) -> At:
        """What the connection is at."""
        ...

    @property
    def settings_told(self) -> bool:
        """Whether the server has told what became of the settings of the start."""
        ...

    def first_settings(self) -> dict[str, Any]:
        """What it is asked for, or will be: a canonical session."""
        ...

    def note(self, kind: str, **fields: Any) -> None:
        """Log a local row."""


class Microphone:
    """Frames of a microphone on their way to the server, or to where they wait for one.

    Args:
        host: the session.
        pump: does what the protocol says.

    Attributes:
        held: a verb's own utterance is being said: the microphone is not heard meanwhile.
    """

    def __init__(self, host: Host, pump: Callable[[], None]) -> None:
        self._host = host
        self._pump = pump
        self.held = False
        # What is said while the connection opens, and how much of it was too much.
        self._early: deque[Sound] = deque(maxlen=_EARLY_FRAMES)
        self._early_lost_samples = 0
        # A key was pressed while the connection opens, and, the second, is still held.
        self._early_press = self._early_held = False
        # The page where a key was pressed last, and when, on its clock; NaN where nobody knows.
        self._pressed_at: tuple[str, float] = ("", math.nan)
        self._marks = CaptureMarks()

    # ---- frames --------------------------------------------------------------------------------------------

    def push(self, sound: Sound) -> None:
        """A frame.

        Who presses Start speaks at once: what is said while the connection opens is kept and sent then. With
        turn detection off it is heard only while a key is held: what nobody would commit is not sent.
        """
        at, protocol = self._host.at, self._host.protocol
        if self.by_hand and self._is_from_before_the_press(sound):
            return
        if at == "connecting":
            if self._early_held or not self.by_hand:
                self._keep_early(sound)
        elif self.held or not (protocol.pressed or not self.by_hand):
            return
        elif at == "open":
            self.append(sound)
            self._pump()
        elif at == "reconnecting":
            protocol.keep_audio(sound)

    def append(self, sound: Sound) -> None:
        """Give a frame to the server; when it was captured is a row now and then."""
        protocol = self._host.protocol
        samples = protocol.appended_samples
        if self._marks.wants(sound.page, samples, sound.captured_ms):
            self._host.note(
                "mic.captured", appended_samples=samples, page=sound.page, page_ms=sound.captured_ms
            )
        protocol.append_audio(sound.pcm)

    def _keep_early(self, sound: Sound) -> None:
        if len(self._early) == _EARLY_FRAMES:
            self._early_lost_samples += self._early[0].samples
        self._early.append(sound)

    def _is_from_before_the_press(self, sound: Sound) -> bool:
        """A page that is busy hands over late what its microphone took before the key was pressed."""
        page, pressed_ms = self._pressed_at
        # False where one of the two is not known.
        return sound.page == page and sound.captured_ms + sound.samples / SAMPLES_PER_MS <= pressed_ms

    # ---- the key -------------------------------------------------------------------------------------------

    @property
    def by_hand(self) -> bool:
        """Whether a key says where the user's turn ends. Until the server has told: as it is asked to."""
        host = self._host
        if host.at == "open" and host.settings_told:
            return host.protocol.turn_detection is None
        asked = host.protocol.configuration or host.first_settings()
        told = asked.get("audio", {}).get("input", {})
        return "turn_detection" in told and told["turn_detection"] is None

    def pressed(self, page: str, at_ms: float) -> None:
        """A key is held from now on.

        Args:
            page: where, and when on that page's clock: what was captured before, and comes after, is none of
                the utterance.
            at_ms: see `page`; NaN: what comes from now on counts.
        """
        self._pressed_at = (page, at_ms)
        if self._host.at in {"idle", "connecting"}:
            self._early.clear()
            self._early_lost_samples = 0
            self._early_press = self._early_held = True

    def released(self) -> None:
        """It is held no more."""
        self._early_held = False

    def has_spoken(self, *, enough: bool) -> bool:
        """Whether the user began to speak, by a key, while the connection opened.

        Args:
            enough: whether what was said is long enough for an utterance. A key that was only hit, as one
                presses Start, has said nothing.
        """
        return self._early_press and (self._early_held or enough)

    # ---- the connection ------------------------------------------------------------------------------------

    def opened(self) -> None:
        """The first connection is there: what was said meanwhile is sent."""
        if self._early_press:
            self._host.protocol.press()
        self._tell_lost("connecting")
        while self._early:
            self.append(self._early.popleft())

    def connection_lost(self) -> None:
        """Audio time begins anew with the next one."""
        self._marks = CaptureMarks()

    def ended(self) -> None:
        """There is none, and never will be: what waited for it is lost."""
        self._early_lost_samples += sum(sound.samples for sound in self._early)
        self._early.clear()
        self._tell_lost("ended")

    def _tell_lost(self, reason: str) -> None:
        lost, self._early_lost_samples = self._early_lost_samples, 0
        if lost:
            self._host.note("mic.gap", lost_ms=lost // SAMPLES_PER_MS, reason=reason)
