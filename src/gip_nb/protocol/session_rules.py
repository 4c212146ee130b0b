"""What the session that a server tells does to the client's end.

As client_rules.py this is the protected part of `ClientProtocol`: it uses its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.protocol.audio_formats import Encoder
from gip_nb.protocol.outputs import SettingsChanged

if TYPE_CHECKING:
    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.frames import Event

__all__ = ["on_session"]


def on_session(p: ClientProtocol, _e: Event) -> None:
    """What is in force is what the server says: formats, turn detection, and what is shown."""
    if p.conversation.input_format is not p._encoder.format:
        # The server has its own mind about it: what it says counts.
        p._encoder = Encoder(p.conversation.input_format)
    if p.away:
        # The defaults of a new connection, which is about to be asked for something else.
        p._outputs.append(SettingsChanged())
        return
    by_hand = p.turn_detection is None
    if by_hand and not p._pressed:
        # Nobody will say any more that the speech has stopped.
        p._hearing = False
    if p._by_hand and not by_hand and p._pressed:
        # From now on the server finds the end of the turn: whoever holds a key need not let go of it.
        p._hearing = p._pressed = False
        p._drain()
    p._by_hand = by_hand
    p._hold_server_back()
    p._outputs.append(SettingsChanged())
