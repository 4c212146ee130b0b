"""Which requests of which page were done: one that is asked again is answered again, and not done twice.

A page asks until it is answered, under the same number: the question may have been lost, or the answer. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gip_nb.notebook.messages import Reply

__all__ = ["Asked"]

_PAGES = 64
_ANSWERS_A_PAGE = 64
# What only reads may be read again: its answers are large, and not worth keeping.
_READS = frozenset({"play", "events", "event"})
# One of these that comes after a later one of its group is over: Start after the Stop that followed.
_GROUPS = {
    "start": "life",
    "stop": "life",
    "take": "life",
    "mute": "mute",
    "press": "key",
    "release": "key",
    "interrupt": "key",
}


class _OfPage:
    def __init__(self) -> None:
        self.running: set[int] = set()
        self.answers: dict[int, Reply] = {}
        # By group: the newest number that was done.
        self.newest: dict[str, int] = {}
        # Below it nothing is remembered: what is asked again from there was answered long ago.
        self.forgotten = -1


class Asked:
    """Every page's requests."""

    def __init__(self) -> None:
        self._pages: dict[str, _OfPage] = {}

    def begin(self, page: str, number: int, verb: str) -> Reply | Literal["do", "wait"]:
        """A request has come.

        Returns:
            `do`: for the first time, so do it; `wait`: it is being done; or what it was answered, for the
            page to hear again.
        """
        asked = self._pages.pop(page, None) or _OfPage()
        self._pages[page] = asked
        while len(self._pages) > _PAGES:
            del self._pages[next(iter(self._pages))]
        if number in asked.running:
            return "wait"
        if number in asked.answers:
            return asked.answers[number]
        group = _GROUPS.get(verb)
        late = group is not None and number < asked.newest.get(group, -1)
        if verb not in _READS and (late or number <= asked.forgotten):
            return _done(page, number)
        if group is not None:
            asked.newest[group] = number
        asked.running.add(number)
        return "do"

    def answered(self, page: str, number: int, verb: str, reply: Reply) -> None:
        """It was done, or could not be."""
        asked = self._pages.get(page)
        if asked is None:
            return
        asked.running.discard(number)
        if verb in _READS:
            return
        asked.answers[number] = reply
        while len(asked.answers) > _ANSWERS_A_PAGE:
            oldest = min(asked.answers)
            del asked.answers[oldest]
            asked.forgotten = max(asked.forgotten, oldest)


def _done(page: str, number: int) -> Reply:
    return {"kind": "reply", "page": page, "request": number, "ok": True, "error": None, "value": None}
