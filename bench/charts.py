"""Each chart as PNG, for one turn and for 200, in every look: to be looked at.

    python -m bench.charts OUT [--only timeline,item] [--real]

The see-through look "auto" is laid on white and on JupyterLab's dark. With `--real` a talk with the embedded
server is drawn too, as a headless session has it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import gip_nb
from bench.made_up import MadeUp
from gip_nb.journal import plots
from gip_nb.journal.charts import png

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gip_nb.journal.tabled import Tabled

GROUNDS = {"white": 255, "dark": 17}
FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"
CHARTS: dict[str, Callable[..., plots.Picture]] = {
    "timeline": plots.timeline,
    "latency": plots.latency,
    "usage": plots.usage,
    "item": plots.item,
}


def get_weather(city: str) -> dict[str, object]:
    """The weather in a city."""
    return {"city": city, "temperature_c": 21.3, "sky": "clear"}


def real() -> Tabled:
    """A talk of four turns with the embedded server, without a page."""
    with gip_nb.connect("rehearsal", tools=[get_weather]) as session:
        session.ask("hello")
        session.ask(FIXTURES / "weather_awb.wav")
        session.ask("tell me a long story about a small boat on a wide sea, please")
        session.ask(FIXTURES / "hello_slt.wav")
    return session


def draw(kind: str, name: str, x: Tabled, item_id: str, out: Path) -> None:
    """One chart in every look; prints its sizes."""
    for theme in ("auto", "light", "dark"):
        began = time.perf_counter()
        arguments = (item_id,) if kind == "item" else ()
        picture = CHARTS[kind](x, *arguments, theme=theme)
        spec = len(json.dumps(picture.spec(), separators=(",", ":")))
        made_s = time.perf_counter() - began
        still = picture.png()
        drawn_s = time.perf_counter() - began - made_s
        path = out / f"{kind}-{name}-{theme}.png"
        path.write_bytes(still)
        if theme == "auto":
            for ground, grey in GROUNDS.items():
                laid = path.with_name(f"{path.stem}-on-{ground}.png")
                laid.write_bytes(png.encoded(on(still, grey)))
        print(
            f"{path.name:<34} live {spec / 1000:6.1f} kB  png {len(still) / 1000:6.1f} kB"
            f"  made in {made_s:5.2f} s, drawn in {drawn_s:5.2f} s",
            flush=True,
        )


def on(still: bytes, grey: int) -> NDArray[np.uint8]:
    """A PNG's pixels on a ground."""
    pixels = png.decoded(still)
    if pixels is None:
        raise ValueError("not a PNG of ours")
    alpha = pixels[..., 3:] / 255
    laid = pixels[..., :3] * alpha + grey * (1 - alpha)
    opaque = np.full((*pixels.shape[:2], 1), 255)
    return np.concatenate([laid.round(), opaque], axis=2).astype(np.uint8)


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default=",".join(CHARTS))
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    talks: dict[str, tuple[Tabled, str]] = {
        "1": (MadeUp(1), "item_u001"),
        "6": (MadeUp(6), "item_a004"),
        "200": (MadeUp(200), "item_a200"),
        "headless": (MadeUp(6, page=False, priced=False), "item_u005"),
    }
    if options.real:
        session = real()
        talks = {"real": (session, str(session.items.index[-1]))}
    for kind in options.only.split(","):
        for name, (x, item_id) in talks.items():
            draw(kind, name, x, item_id, options.out)


if __name__ == "__main__":
    main()
