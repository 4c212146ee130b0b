"""One question at a time, and none within the answer to another, which would wait for itself. On the loop."""

from __future__ import annotations

import asyncio
from typing import Literal

from gip_nb.errors import GipError
from gip_nb.tools.cancellation import CALL_OF

__all__ = ["Asking"]


class Asking(asyncio.Lock):
    """Held while something is asked and answered; whoever asks meanwhile waits.

    But for a function that the model has called: the answer waits for its result.

    Args:
        calls: of this session, as they are noted where one of its functions runs.
    """

    def __init__(self, calls: object) -> None:
        super().__init__()
        self._calls = calls

    async def acquire(self) -> Literal[True]:
        """Wait for one's turn.

        Raises:
            GipError: it may wait for whoever wants it.
        """
        if self.locked() and CALL_OF.get() is self._calls:
            raise GipError(
                "a function that the model called asks the session that is being asked something: the answer "
                "waits for the function, and the function would wait for the answer",
                "return what the model is to know, and it goes on with that; or ask in a session of its own: "
                "`with gip_nb.connect() as other: other.ask(...)`.",
            )
        return await super().acquire()
