"""A log, reduced: the conversation that its rows tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.protocol.conversation import Conversation

if TYPE_CHECKING:
    from gip_nb.journal.log import EventLog

__all__ = ["conversation_of"]


def conversation_of(log: EventLog) -> Conversation:
    """The conversation as it was after the log's last row."""
    conversation = Conversation()
    for n, row in enumerate(log.rows):
        conversation.apply(log.event(n), row.direction, row.elapsed_ns / 1e9)
    return conversation
