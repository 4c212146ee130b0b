"""Which page hears and speaks: one at a time, by a lease that the kernel grants.

Every page on a notebook gets every message, whether it shows the talk or not. The page where Start was
clicked has the lease. A page that is loaded again in the same tab gets it back; any other takes it over by a
click.
"""

from __future__ import annotations

__all__ = ["ABSENT_S", "Lease"]

# A page that lives answers the clock, and sends its microphone twenty-five times a second.
ABSENT_S = 2.0
# Pages that are remembered by their tab.
_REMEMBERED = 64


class Lease:
    """Pure: times are arguments, in seconds of any one clock.

    Attributes:
        page: who has it; None where nobody does.
    """

    def __init__(self) -> None:
        self.page: str | None = None
        self._tab: str | None = None
        # By page: its tab, and the number of its newest hello; hellos and leases are counted together.
        self._pages: dict[str, tuple[str, int]] = {}
        self._count = 0
        self._granted = 0
        self._seen_s = 0.0
        self._wanted = False

    @property
    def wanted(self) -> bool:
        """Whether a talk goes on that some page had the sound of: it may come back for it."""
        return self._wanted

    def introduce(self, page: str, tab: str) -> None:
        """A page says hello, from this tab."""
        self._count += 1
        self._pages.pop(page, None)
        self._pages[page] = (tab, self._count)
        while len(self._pages) > _REMEMBERED:
            del self._pages[next(iter(self._pages))]

    def grant(self, page: str, at_s: float) -> None:
        """This page hears and speaks from now on."""
        self.page, self._wanted = page, True
        self._tab = self._pages.get(page, (page, 0))[0]
        self._count += 1
        self._granted = self._count
        self._seen_s = at_s

    def gone_s(self, at_s: float) -> float:
        """For how long nothing was heard of whoever had it last."""
        return at_s - self._seen_s

    def seen(self, page: str, at_s: float) -> None:
        """A message of this page arrived."""
        if page == self.page:
            self._seen_s = at_s

    def absent(self, at_s: float) -> bool:
        """Whether nothing was heard of the holder for so long that it cannot be there."""
        return self.page is None or at_s - self._seen_s > ABSENT_S

    def leave(self, page: str) -> bool:
        """This page goes. Returns whether it had the lease; its tab may come back for it."""
        if page != self.page:
            return False
        self.page = None
        return True

    def comes_back(self, page: str, at_s: float) -> bool:
        """Whether this page is the holder's tab, loaded again: then it gets the lease without a click.

        A duplicated tab has the same name; while the page that it was copied from lives, that one keeps it.
        What was there before the lease was granted has not come back for it.
        """
        tab, hello = self._pages.get(page, ("", 0))
        returns = self._wanted and page != self.page and tab == self._tab and hello > self._granted
        return returns and self.absent(at_s)

    def end(self) -> None:
        """The talk is over: nobody hears, and nobody comes back for it."""
        self.page = self._tab = None
        self._wanted = False
