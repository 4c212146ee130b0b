"""Figures, pictures and displays as text for a model: what one would say of them on the telephone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gip_nb.tools.texts import any_text, cut, kind_of, library_of, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["figure_text"]

_MOST_SERIES = 20
_MOST_PANELS = 12


def figure_text(value: Any, limit: int) -> str | None:  # noqa: ANN401 - of any library
    """A figure, chart, image or display object of a library; None where it is none of these."""
    describe = _DESCRIBED.get(library_of(value))
    text = describe(value) if describe is not None else None
    return None if text is None else cut(text, limit)


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _named(what: str, name: object) -> str:
    text = short(any_text(name).strip()) if name is not None else ""
    return f"{what} {text!r}" if text else ""


def _listed(what: str, names: Iterable[object]) -> str:
    """So many of a kind, and what they are called."""
    found = [short(any_text(name), 60) for name in names]
    if not found:
        return ""
    # A label that begins so is matplotlib's own way to say that there is none.
    told = [name for name in found[:_MOST_SERIES] if name and not name.startswith("_")]
    more = ", ..." if len(found) > _MOST_SERIES else ""
    return f"{len(found)} {what}" + (f": {', '.join(told)}{more}" if told else "")


# ------------------------------------------------------------------------------------------------- matplotlib


def _matplotlib(value: Any) -> str | None:  # noqa: ANN401
    kinds = kind_of(value)
    if "FigureBase" in kinds:
        title = value._suptitle.get_text() if value._suptitle is not None else None  # noqa: SLF001 - get_suptitle() is younger than versions in use
        panels = [_axes(one) for one in value.axes[:_MOST_PANELS]]
        if len(value.axes) > _MOST_PANELS:
            panels.append(f"and {len(value.axes) - _MOST_PANELS} panels more")
        return _lines(" ".join(filter(None, ["matplotlib figure", _named("titled", title)])), *panels)
    if "Axes" in kinds:
        return f"matplotlib {_axes(value)}"
    if "Artist" in kinds:
        return f"matplotlib {type(value).__name__}"
    return None


def _axes(axes: Any) -> str:  # noqa: ANN401
    x, y = axes.get_xlim(), axes.get_ylim()
    bars = [c.get_label() for c in axes.containers if "BarContainer" in kind_of(c)]
    in_bars = sum(len(c) for c in axes.containers if "BarContainer" in kind_of(c))
    rest = len(axes.patches) - in_bars
    parts = [
        _named("titled", axes.get_title()),
        f"x axis {axes.get_xlabel()!r} from {x[0]:.6g} to {x[1]:.6g}",
        f"y axis {axes.get_ylabel()!r} from {y[0]:.6g} to {y[1]:.6g}",
        _listed("line(s)", (line.get_label() for line in axes.get_lines())),
        _listed("set(s) of bars", bars),
        f"{in_bars} bars" if in_bars else "",
        f"{rest} patch(es)" if rest > 0 else "",
        _listed("collection(s) of points or areas", (c.get_label() for c in axes.collections)),
        f"{len(axes.images)} image(s)" if axes.images else "",
    ]
    return "panel: " + "; ".join(part for part in parts if part)


# ----------------------------------------------------------------------------------------------------- plotly


def _plotly(value: Any) -> str | None:  # noqa: ANN401
    if "BaseFigure" not in kind_of(value):
        return None
    layout = value.layout
    traces = [_trace(trace) for trace in value.data[:_MOST_SERIES]]
    if len(value.data) > _MOST_SERIES:
        traces.append(f"and {len(value.data) - _MOST_SERIES} traces more")
    return _lines(
        " ".join(filter(None, ["plotly figure", _named("titled", layout.title.text)])),
        "; ".join(
            filter(
                None,
                [_named("x axis", layout.xaxis.title.text), _named("y axis", layout.yaxis.title.text)],
            )
        ),
        *traces,
    )


def _trace(trace: Any) -> str:  # noqa: ANN401
    points = next(
        (len(v) for v in (trace[n] for n in ("x", "y", "values", "z") if n in trace) if v is not None), None
    )
    told = [
        f"trace: {trace.type}",
        _named("named", trace.name),
        f"{points:,} points" if points is not None else "",
    ]
    return " ".join(filter(None, told))


# ----------------------------------------------------------------------------------------------------- altair


def _altair(value: Any) -> str | None:  # noqa: ANN401
    if not kind_of(value) & {"TopLevelMixin", "TopLevelSpec"}:
        return None
    return _chart(value, 0)


def _chart(value: Any, depth: int) -> str:  # noqa: ANN401
    own = value._kwds if isinstance(getattr(value, "_kwds", None), dict) else {}  # noqa: SLF001 - to_dict() copies all the data, and fails on much of it
    kind = "chart" if type(value).__name__ == "Chart" else type(value).__name__
    head = " ".join(filter(None, [f"altair {kind}", _named("titled", _given(own.get("title")))]))
    mark = _given(own.get("mark"))
    parts = [head, f"mark: {short(any_text(mark))}" if mark is not None else ""]
    encoding = own.get("encoding")
    channels = getattr(encoding, "_kwds", None)
    if isinstance(channels, dict):
        told = [f"{name}: {field}" for name, field in ((n, _field(c)) for n, c in channels.items()) if field]
        parts.append("; ".join(told[:_MOST_SERIES]))
    data = _given(own.get("data"))
    if data is not None and hasattr(data, "shape"):
        parts.append(f"data: {data.shape[0]:,} rows x {data.shape[1]:,} columns")
    for name in ("layer", "hconcat", "vconcat", "concat"):
        within = own.get(name)
        if isinstance(within, list) and depth < 3:  # noqa: PLR2004 - deeper nobody follows
            parts.extend(_chart(one, depth + 1) for one in within[:_MOST_PANELS])
    return _lines(*parts)


def _given(value: Any) -> Any:  # noqa: ANN401
    """None for what altair marks as not given; the text or type of what has one."""
    if value is None or type(value).__name__ == "UndefinedType":
        return None
    own = getattr(value, "_kwds", None)
    if isinstance(own, dict):
        return next((own[n] for n in ("text", "type") if isinstance(own.get(n), str)), None)
    return value


def _field(channel: Any) -> str:  # noqa: ANN401
    own = getattr(channel, "_kwds", None)
    if not isinstance(own, dict):
        return ""
    for name in ("shorthand", "field", "value"):
        found = _given(own.get(name))
        if found is not None:
            return short(any_text(found), 80)
    return ""


# -------------------------------------------------------------------------------------- pictures and displays


def _pil(value: Any) -> str | None:  # noqa: ANN401
    if "Image" not in kind_of(value):
        return None
    width, height = value.size
    kind = f", {value.format}" if value.format else ""
    return f"image, {width} x {height} pixels, mode {value.mode}{kind}"


def _ipython(value: Any) -> str | None:  # noqa: ANN401
    if "DisplayObject" not in kind_of(value):
        return None
    data = value.data
    if isinstance(data, str) and not kind_of(value) & {"Image", "Audio", "Video"}:
        return f"{type(value).__name__}: {data}"
    size = f", {len(data):,} bytes" if isinstance(data, bytes) else ""
    return f"{type(value).__name__} that is shown to the user{size}"


_DESCRIBED: dict[str, Callable[[Any], str | None]] = {
    "IPython": _ipython,
    "PIL": _pil,
    "altair": _altair,
    "matplotlib": _matplotlib,
    "plotly": _plotly,
}
