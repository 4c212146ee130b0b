"""A limit to what a session may cost: what was spent, when to warn, when to ask for no more. Pure.

The cost of a response is known when it is done, so the last one may go over the limit by itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gip_nb.errors import BadSetting
from gip_nb.protocol.cost import cost_of

if TYPE_CHECKING:
    from gip_nb.protocol.conversation import Conversation
    from gip_nb.protocol.prices import Price, Prices

__all__ = ["OVER_BUDGET", "Budget", "BudgetState", "Verdict", "budget_of", "must_have_price"]

WARN_SHARE = 0.8
# Sums of floats may fall short of what they are by a hair.
_NEARLY = 1 - 1e-9
# By this an answer that was not asked for is told from one that failed at the server.
OVER_BUDGET = "local.budget"

_ROW = '{"text": {"input": 4, "output": 16}, "audio": {"input": 32, "output": 64}}'

BudgetState = Literal["within", "warned", "spent", "unknown"]


class Verdict(msgspec.Struct, frozen=True):
    """What a budget is at.

    Attributes:
        state: `within`; `warned` from 80 % on; `spent` from 100 % on; `unknown` where the cost of a response
            is not known. In the last two no response is asked for.
        spent_usd: so far, without what is not known.
        budget_usd: the limit; None for none.
        message, next_step: in words; empty while there is nothing to say.
    """

    state: BudgetState
    spent_usd: float
    budget_usd: float | None
    message: str = ""
    next_step: str = ""

    @property
    def stops(self) -> bool:
        """Whether no response may be asked for."""
        return self.state in {"spent", "unknown"}

    def as_row(self) -> dict[str, Any]:
        """The fields of a `local.budget` row."""
        share = self.spent_usd / self.budget_usd if self.budget_usd else None
        return {
            "state": self.state,
            "spent_usd": self.spent_usd,
            "budget_usd": self.budget_usd,
            "share": share,
            "message": self.message,
        }


class Budget:
    """Adds up what a conversation is billed.

    Args:
        limit_usd: None sets no limit; it may be changed.
    """

    def __init__(self, limit_usd: float | None = None) -> None:
        self._limit_usd = limit_usd
        self._spent_usd = 0.0
        self._seen = 0
        # Why the cost of a response is not known.
        self._unknown: str | None = None
        self.verdict = self._judged()

    @property
    def limit_usd(self) -> float | None:
        """The limit; None for none."""
        return self._limit_usd

    def limit(self, limit_usd: float | None) -> Verdict | None:
        """Set another limit, or none. Returns what there is to tell of it, None where nothing has changed."""
        self._limit_usd = limit_usd
        return self._news()

    def look(self, conversation: Conversation) -> Verdict | None:
        """Count what was billed since the last time. Returns what there is to tell, mostly None.

        Transcriptions count where their cost is known.
        """
        if self._seen == len(conversation.billed):
            return None
        for billed in conversation.billed[self._seen :]:
            cost = cost_of(billed, conversation.prices)
            if cost.usd is not None:
                self._spent_usd += cost.usd
            elif billed.kind == "response":
                self._unknown = self._unknown or cost.note or "its cost is not known"
        self._seen = len(conversation.billed)
        return self._news()

    def _news(self) -> Verdict | None:
        before, self.verdict = self.verdict, self._judged()
        same = (before.state, before.budget_usd) == (self.verdict.state, self.verdict.budget_usd)
        return None if same else self.verdict

    def _judged(self) -> Verdict:
        limit, spent = self._limit_usd, self._spent_usd
        if limit is None:
            return Verdict("within", spent, None)
        so_far = f"{_usd(spent)} of {_usd(limit)}"
        more = f"session.budget_usd = {limit * 2:g}"
        if self._unknown is not None:
            return Verdict(
                "unknown",
                spent,
                limit,
                f"what this session costs is no longer known ({self._unknown}), and it has a budget "
                f"of {_usd(limit)}: no answer is asked for",
                "session.budget_usd = None takes the limit away; or begin another session with prices={...} "
                "for that model. What was said stays in the tables.",
            )
        if spent >= limit * _NEARLY:
            return Verdict(
                "spent",
                spent,
                limit,
                f"the budget is spent ({so_far}): no answer is asked for",
                f"{more} lets it go on; what was said stays in the tables.",
            )
        if spent >= WARN_SHARE * limit * _NEARLY:
            return Verdict(
                "warned",
                spent,
                limit,
                f"{so_far} are spent ({spent / limit:.0%} of the budget)",
                f"at 100 % no more answers are asked for; {more} makes room.",
            )
        return Verdict("within", spent, limit)


def budget_of(given: object, name: str = "budget_usd") -> float | None:
    """A limit as a user writes it: a number, or its text from the environment or a magic's line.

    Raises:
        BadSetting: it is no amount of money.
    """
    if given is None:
        return None
    amount: object = given
    if isinstance(given, str):
        try:
            amount = float(given.strip().removeprefix("$"))
        except ValueError:
            amount = None
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 < amount < math.inf:
        raise BadSetting(
            f"{name} is {given!r}", "give US dollars as a number, more than 0, or None for no limit."
        )
    return float(amount)


def must_have_price(model: str, prices: Prices, budget_usd: float) -> None:
    """A budget of what nobody can count is none: said before anything is billed.

    Raises:
        BadSetting: there is no price for the model's answers.
    """
    price: Price | None = prices.of(model)
    if price is None or not price.answers:
        what = "no price is known for" if price is None else "not every price is known of"
        raise BadSetting(
            f"budget_usd is {budget_usd:g} and {what} {model!r}",
            f'tell it, USD per million tokens: prices={{"{model}": {_ROW}}}; or leave the budget out.',
        )


def _usd(amount: float) -> str:
    if round(amount, 2) == amount:
        return f"${amount:.2f}"
    if amount < 0.001:  # noqa: PLR2004 - of which four decimals would show little
        return f"${amount:.6f}"
    return f"${amount:.4f}" if amount < 1 else f"${amount:.2f}"
