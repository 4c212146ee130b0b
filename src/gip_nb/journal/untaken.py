"""Input audio that was sent on the newest connection and that its server has not taken: read from the log."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from gip_nb.protocol.audio_formats import Decoder
from gip_nb.protocol.items import SAMPLES_PER_MS
from gip_nb.protocol.kept_input import Sound

if TYPE_CHECKING:
    from gip_nb.journal.log import EventLog
    from gip_nb.protocol.conversation import Conversation

__all__ = ["untaken_sounds"]

_PIECE_SAMPLES = 2400


def untaken_sounds(log: EventLog, conversation: Conversation, most_s: float) -> list[Sound]:
    """What was appended and is neither committed for certain nor cleared, in order.

    Args:
        log: of a connection that has just ended.
        conversation: made of all of its rows.
        most_s: of what is not committed by this side, no more is read: the newest.

    Returns:
        Pieces as they were sent, cut where an utterance that is being heard begins and at each commit that
        the server has not confirmed.
    """
    untaken = conversation.untaken
    wanted = untaken.end - untaken.start
    if not untaken.commits and wanted > most_s * 1000 * SAMPLES_PER_MS:
        wanted = round(most_s * 1000 * SAMPLES_PER_MS)
    rows = []
    found = 0
    for row in reversed(log.rows):
        if found >= wanted or row.connection != log.connection:
            break
        if row.direction == "sent" and row.has_audio:
            rows.append(row)
            found += conversation.input_format.samples(row.audio_bytes)
    decoder = Decoder(conversation.input_format)
    pcm = b"".join(decoder.decode(row.audio or b"") for row in reversed(rows)) + decoder.flush()
    pcm = pcm[max(0, len(pcm) - wanted * 2) :]
    # Where a piece ends: each 100 ms, so that the oldest can go by itself, and at each mark.
    start = untaken.end - len(pcm) // 2
    marks = [m for m in (untaken.said_from, *(c.end for c in untaken.commits)) if start < m < untaken.end]
    cuts = sorted({*range(start, untaken.end, _PIECE_SAMPLES), *marks, untaken.end})
    return [
        Sound(pcm[(a - start) * 2 : (b - start) * 2], sent=True, said=a >= untaken.said_from)
        for a, b in pairwise(cuts)
    ]
