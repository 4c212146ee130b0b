"""What the charts look like: colours by meaning, looks for light and dark pages. Pure.

The colours are Okabe and Ito's, told apart with every kind of colour blindness
(https://jfly.uni-koeln.de/color). Their orange, sky blue and purple
are darkened until each stands out by 3:1 on white and on JupyterLab's dark #111 alike (WCAG 1.4.11); their
vermillion is then too near to the orange for who sees no green (3.5 in Lab, where 2.3 is just to be seen),
so it is redder (10); yellow is not used. The look "auto" has no background of its own: its text is of the
middle grey that is as far from white as from #111, 4.3:1.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, NamedTuple

from gip_nb.errors import BadSetting

__all__ = [
    "LOOKS",
    "Frame",
    "Look",
    "config",
    "contrast",
    "faded",
    "look",
]

BLUE = "#0072B2"
SKY = "#3A97CF"
ORANGE = "#CC8400"
GREEN = "#009E73"
VERMILLION = "#D54A00"
PURPLE = "#C973A3"
GREY = "#808080"
BROWN = "#825A3C"

FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'Noto Sans', sans-serif"
"""All about as wide as one another, so that what fits here fits there."""
UNHEARD_OPACITY = 0.38
"""How much is left of the colour of what nobody heard."""


@dataclass(frozen=True)
class Look:
    """One way to be drawn.

    Attributes:
        background: a colour, or None for the page's own.
        on: backgrounds on which it has to be readable.
        text: of labels and titles.
        line: of grids and axes, see-through.
    """

    name: str
    background: str | None
    on: tuple[str, ...]
    text: str
    line: str


class Frame(NamedTuple):
    """What stands round a chart.

    Attributes:
        look: how it looks.
        width: of the plot, pixels; names stand beside it.
        title: over the chart.
        subtitle: the line under it.
    """

    look: Look
    width: int
    title: str
    subtitle: str


LOOKS = {
    "auto": Look("auto", None, ("#FFFFFF", "#111111"), "#797979", "rgba(128,128,128,0.28)"),
    "light": Look("light", "#FFFFFF", ("#FFFFFF",), "#3A3A3A", "rgba(0,0,0,0.14)"),
    "dark": Look("dark", "#111111", ("#111111",), "#D6D6D6", "rgba(255,255,255,0.18)"),
}


def look(theme: str) -> Look:
    """The look of this name.

    Raises:
        BadSetting: there is none.
    """
    if theme not in LOOKS:
        near = difflib.get_close_matches(str(theme), LOOKS, 1)
        hint = f"did you mean {near[0]!r}?" if near else 'pass "auto", "light" or "dark".'
        raise BadSetting(f"theme {theme!r} is not known", hint)
    return LOOKS[theme]


def config(style: Look) -> dict[str, Any]:
    """Vega-Lite's configuration for a look.

    Every colour is said: JupyterLab's renderer lays the Vega theme "dark" under a chart when its own theme is
    dark, and what a chart leaves open would turn white.
    """
    text, line = style.text, style.line
    labels = {"labelColor": text, "titleColor": text, "labelFont": FONT, "titleFont": FONT}
    return {
        "background": style.background or "transparent",
        "font": FONT,
        "view": {"stroke": None, "fill": None},
        "axis": {
            **labels,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "domainColor": line,
            "gridColor": line,
            "tickColor": line,
        },
        "legend": {**labels, "labelFontSize": 12, "titleFontSize": 12, "symbolSize": 130},
        "header": labels,
        "title": {
            "color": text,
            "subtitleColor": text,
            "font": FONT,
            "subtitleFont": FONT,
            "fontSize": 14,
            "subtitleFontSize": 12,
            "anchor": "start",
            "frame": "group",
            "offset": 8,
        },
        "text": {"color": text, "font": FONT, "fontSize": 12},
        "style": {"guide-label": {"fill": text}, "guide-title": {"fill": text}},
    }


def contrast(one: str, other: str) -> float:
    """How far two colours `#RRGGBB` are apart in brightness, 1 to 21, as WCAG 2 reckons it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    def linear(byte: int) -> float:
        value = byte / 255
        dark = 0.04045
        return value / 12.92 if value <= dark else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(byte) for byte in bytes.fromhex(colour[1:]))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def faded(colour: str, opacity: float) -> str:
    """A colour `#RRGGBB`, so much of it as a see-through one."""
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgba({red},{green},{blue},{opacity:g})"
