"""What `doctor()` gives back: checks as data, as text, and as a table in a notebook. Pure."""

from __future__ import annotations

import html
import textwrap
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gip_nb.diagnosis.checks import Check

__all__ = ["Report"]

_WIDTH = 100
_COLOURS = {
    "ok": "var(--jp-success-color1, #14794a)",
    "warn": "var(--jp-warn-color1, #b26a00)",
    "fail": "var(--jp-error-color1, #b92b2b)",
    "unknown": "var(--jp-border-color1, #8a8f98)",
}
_CELL = "padding:4px 12px 4px 0;text-align:left;vertical-align:top;white-space:normal"


class Report:
    """What works here, what does not, and what to do.

    Attributes:
        checks: one line each, with `what`, `state`, `found` and `next_step`.
    """

    def __init__(self, checks: Sequence[Check], version: str) -> None:
        self.checks = list(checks)
        self._version = version

    @property
    def ok(self) -> bool:
        """Whether nothing failed; what is unknown, or could be better, is no failure."""
        return not any(check.state == "fail" for check in self.checks)

    @property
    def summary(self) -> str:
        """One line."""
        counts = {state: sum(c.state == state for c in self.checks) for state in _COLOURS}
        parts = [
            f"{counts['fail']} to mend" * bool(counts["fail"]),
            f"{counts['warn']} to look at" * bool(counts["warn"]),
            f"{counts['unknown']} unknown" * bool(counts["unknown"]),
        ]
        said = ", ".join(part for part in parts if part)
        return f"gip_nb {self._version}: {said or 'all is well here'}"

    def _told(self) -> Iterator[tuple[Check, str]]:
        """Each check with its next step; one that several in a row share is told once, after the last."""
        for check, after in zip_longest(self.checks, self.checks[1:]):
            again = after is not None and after.next_step == check.next_step
            yield check, "" if again else check.next_step

    def __str__(self) -> str:
        wide = max((len(c.what) for c in self.checks), default=0)
        indent = " " * (wide + 13)
        lines = [self.summary, ""]
        for check, next_step in self._told():
            head = f"  {check.state:<7}  {check.what:<{wide}}  "
            lines += _wrapped(check.found, head, indent)
            if next_step:
                lines += _wrapped(next_step, f"{indent}→ ", f"{indent}  ")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        # What a server, a browser or a device's name says stands here too: as text only.
        rows = "".join(_row(check, next_step) for check, next_step in self._told())
        return (
            f'<div style="font-family:var(--jp-ui-font-family, sans-serif);font-size:13px;line-height:1.5">'
            f"<strong>{html.escape(self.summary)}</strong>"
            f'<table style="margin:8px 0 0;border-collapse:collapse;font-size:13px;'
            f'font-variant-numeric:tabular-nums"><tbody>{rows}</tbody></table></div>'
        )


def _row(check: Check, next_step: str) -> str:
    step = f"<br>→ {html.escape(next_step)}" if next_step else ""
    return (
        f'<tr style="background:none"><td style="{_CELL};white-space:nowrap">{_mark(check.state)}</td>'
        f'<th scope="row" style="{_CELL};font-weight:600;white-space:nowrap">{html.escape(check.what)}'
        f'</th><td style="{_CELL};overflow-wrap:anywhere;max-width:68ch">{html.escape(check.found)}'
        f"{step}</td></tr>"
    )


def _mark(state: str) -> str:
    dot = (
        "display:inline-block;width:8px;height:8px;margin-right:8px;border-radius:50%;"
        f"background:{_COLOURS[state]}"
    )
    return f'<span aria-hidden="true" style="{dot}"></span>{state}'


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    ) or [first.rstrip()]
