"""`Picture`: a chart that shows itself everywhere. Live in JupyterLab, still on GitHub and in files.

**Who shows what.** JupyterLab 4 (looked at: 4.6) brings Vega 5 and Vega-Lite 5.6 and renders
`application/vnd.vegalite.v5+json`; the type that Altair 6 names, `vnd.vegalite.v6`, it does not know. So the
charts keep to what Vega-Lite 5 and 6 both know, and go out under that type, with a PNG beside it. JupyterLab
prefers the live chart, also in notebooks that it does not trust; GitHub, nbconvert, Colab and a notebook
without its kernel show the PNG. There is no `text/html`: JupyterLab would prefer that, and
it would load Vega from the net.

**Why a process.** vl-convert holds the interpreter's lock for the second that a PNG takes: sound that plays
meanwhile would stop (measured: 1.0 to 1.7 s in which no other thread ran). So it draws in a process of its
own.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gip_nb.errors import BadSetting, MissingExtra, PictureFailed
from gip_nb.journal.charts import png

if TYPE_CHECKING:
    import altair as alt

__all__ = ["LIVE_TYPE", "Picture", "need_altair"]

LIVE_TYPE = "application/vnd.vegalite.v5+json"
_LIVE_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
SCALE = 2
_TIMEOUT_S = 60
# Answers with its pieces one after the other, each after its length.
_DRAW = """
import json, sys
sys.path.append(sys.argv[1])
import vl_convert
job = json.load(sys.stdin)
if job["what"] == "bundle":
    pieces = [vl_convert.javascript_bundle().encode()]
else:
    svg = vl_convert.vegalite_to_svg(job["spec"], allowed_base_urls=[])
    pieces = [svg.encode()]
    if job["what"] == "png":
        head, _, rest = svg.partition(">")
        on = head + '><rect width="100%" height="100%" fill="{}"/>'
        pieces = [vl_convert.svg_to_png(on.format(g) + rest, scale=job["scale"]) for g in job["grounds"]]
for piece in pieces:
    sys.stdout.buffer.write(len(piece).to_bytes(8, "big") + piece)
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
  body {{ margin: 24px; background: {background}; }}
  .vega-embed {{ overflow-x: auto; max-width: 100%; }}
</style>
</head>
<body>
<div id="chart"></div>
<script type="module">
{bundle}
vegaEmbed("#chart", {spec}, {{ actions: {{ source: false, editor: false, compiled: false }} }});
</script>
</body>
</html>
"""


def need_altair() -> None:
    """Before a module of this room is imported that imports Altair.

    Raises:
        MissingExtra: it is not installed.
    """
    if find_spec("altair") is None:
        raise MissingExtra("charts", "altair", "plots")


class Picture:
    """A chart with words for who does not see it.

    In a cell it shows itself. Any thread, though drawing a PNG takes a second.

    Args:
        chart: Altair's, see `chart`.
        title: what it is.
        summary: what there is to see, one line.
        background: of the HTML file's page.

    Attributes:
        chart: the Altair chart, to change and go on with.
        title, summary: as given.
    """

    def __init__(
        self, chart: alt.TopLevelMixin, *, title: str, summary: str, background: str | None = None
    ) -> None:
        self.chart = chart
        self.title = title
        self.summary = summary
        self._background = background
        self._png: tuple[str, bytes] | None = None

    def __repr__(self) -> str:
        """What a terminal shows of it."""
        return f"{self.title}: {self.summary}"

    def spec(self) -> dict[str, Any]:
        """The chart as Vega-Lite."""
        spec: dict[str, Any] = self.chart.to_dict()
        return {**spec, "$schema": _LIVE_SCHEMA}

    def png(self) -> bytes:
        """The chart as PNG, two pixels to the point.

        Raises:
            MissingExtra: vl-convert-python is not installed.
            PictureFailed: it could not draw.
        """
        return self._still(self.spec())

    def _still(self, chart: dict[str, Any]) -> bytes:
        spec = json.dumps(chart)
        if self._png is None or self._png[0] != spec:
            # See-through colours come out wrong of vl-convert 1.9 (those of low alpha too dark): what two
            # grounds show through tells the true ones.
            drawn = _drawn("png", spec, grounds=(self._background,) if self._background else ("#fff", "#000"))
            self._png = (spec, png.smaller(*drawn))
        return self._png[1]

    def svg(self) -> str:
        """The chart as SVG; raises as `png` does."""
        return _drawn("svg", json.dumps(self.spec()))[0].decode()

    def html(self) -> str:
        """The live chart as a page of its own, which needs no network; raises as `png` does.

        It is about 0.9 MB: the page brings the Vega libraries.
        """
        return _PAGE.format(
            title=escape(self.title),
            background=self._background or "transparent",
            bundle=_drawn("bundle", "{}")[0].decode(),
            spec=_inert(json.dumps(self.chart.to_dict())),
        )

    def save(self, path: str | Path) -> Path:
        """Write the chart into a file.

        Args:
            path: its ending says as what: .png, .svg, .html (live, needs no network) or .json (Vega-Lite).

        Returns:
            The path.

        Raises:
            BadSetting: another ending.
            MissingExtra, PictureFailed: as `png`.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind == ".png":
            path.write_bytes(self.png())
        elif kind == ".svg":
            path.write_text(self.svg(), "utf-8")
        elif kind == ".html":
            path.write_text(self.html(), "utf-8")
        elif kind == ".json":
            path.write_text(json.dumps(self.spec()), "utf-8")
        else:
            raise BadSetting(f"{str(path)!r}: no picture has this ending", "use .png, .svg, .html or .json.")
        return path

    def _repr_mimebundle_(self, **_asked: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a notebook keeps: the live chart, a PNG where vl-convert is installed, and words."""
        spec = self.spec()
        bundle: dict[str, Any] = {LIVE_TYPE: spec, "text/plain": repr(self)}
        metadata: dict[str, Any] = {LIVE_TYPE: {"embed_options": {"actions": False, "renderer": "canvas"}}}
        try:
            still = self._still(spec)
        except (MissingExtra, PictureFailed):
            # JupyterLab makes its own of the live chart, and saves it.
            return bundle, metadata
        bundle["image/png"] = base64.b64encode(still).decode("ascii")
        width, height = png.size(still)
        metadata["image/png"] = {"width": width // SCALE, "height": height // SCALE}
        return bundle, metadata


def _inert(text: str) -> str:
    """JSON within a script within HTML: nothing in it ends the script."""
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _drawn(what: str, spec: str, grounds: tuple[str, ...] = ()) -> list[bytes]:
    """What vl-convert makes of it, in a process of its own."""
    found = find_spec("vl_convert")
    if found is None or found.origin is None:
        raise MissingExtra("pictures in files", "vl-convert-python", "plots")
    about = json.dumps({"what": what, "scale": SCALE, "grounds": grounds})
    job = f'{about[:-1]}, "spec": {spec}}}'
    # -P: what lies in the notebook's folder is not what is imported.
    command = [sys.executable, "-P", "-c", _DRAW, str(Path(found.origin).parent.parent)]
    try:
        done = subprocess.run(
            command, input=job.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise PictureFailed(f"drawing the picture failed: {e}") from e
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        # Python's last line is the last of a trace of JavaScript; the reason stands above that.
        reason = next(
            (line for line in lines if line.startswith(("Error:", "ValueError:"))), "no reason given"
        )
        raise PictureFailed(f"drawing the picture failed: {reason[:500]}")
    pieces, rest = [], done.stdout
    while rest:
        length = int.from_bytes(rest[:8], "big")
        pieces.append(rest[8 : 8 + length])
        rest = rest[8 + length :]
    return pieces
