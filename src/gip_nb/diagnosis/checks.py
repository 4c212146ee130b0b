"""Facts judged, in words: what is found, whether that will do, and what to do where it will not. Pure."""

from __future__ import annotations

import re
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gip_nb.diagnosis.facts import Facts, Gateway, Spoken, Subshells, Trouble
    from gip_nb.notebook.probe import Examination

__all__ = ["Check", "State", "checks_of"]

State = Literal["ok", "warn", "fail", "unknown"]


class Check(NamedTuple):
    """One line of the report.

    Attributes:
        what: was looked at.
        state: `ok`; `warn`: works, but not as well as it could; `fail`: something here will not work;
            `unknown`: it could not be seen from here.
        found: in words.
        next_step: what to do, empty where nothing is.
    """

    what: str
    state: State
    found: str
    next_step: str = ""


_HOSTS = {
    "jupyterlab": "JupyterLab",
    "notebook": "Jupyter Notebook",
    "vscode": "VS Code",
    "colab": "Google Colab",
    "marimo": "marimo",
    "jupyter": "a Jupyter kernel; its page tells more",
    "terminal": "IPython without a page",
    "python": "Python without a page",
}
_SHOW_A_TALK = "show a talk first (run talk() in a cell of its own), then run doctor() again."
_OPEN_A_NOTEBOOK = "run gip_nb.doctor() in a notebook that shows a talk."
_NO_PAGE = "no page shows a talk"
_NO_VOICE = "VS Code gives no notebook a microphone: to speak, run jupyter lab in this folder."
_KEEP_SHORT = "keep cells short while you talk, or use JupyterLab 4.4 or newer."
# JupyterLab sends a widget's messages round a cell that runs from this one on.
_LAB_NEEDED = (4, 4)
# Above this, an answer's first sound is late by a time that people notice.
_SLOW_MS = 200.0
_TALK_RATE_HZ = 24_000


def checks_of(facts: Facts) -> list[Check]:
    """All lines, in the order in which a talk would meet what they tell of."""
    return [
        _host(facts),
        Check("python", "ok", facts.python),
        _packages(facts),
        _subshells(facts),
        *_page(facts),
        *_server(facts),
        _extras(facts),
    ]


# ---- this side -------------------------------------------------------------------------------------------


def _host(facts: Facts) -> Check:
    told = _told(facts)
    host = str(told.get("host", "unknown"))
    if host == "unknown":
        host = facts.host
    version = told.get("host_version")
    found = f"{_HOSTS.get(host, host)} {version}" if version else _HOSTS.get(host, host)
    if host == "vscode":
        return Check("host", "warn", found, _NO_VOICE)
    numbers = tuple(int(n) for n in re.findall(r"\d+", str(version))[:2])
    if host == "jupyterlab" and numbers and numbers < _LAB_NEEDED:
        return Check(
            "host", "warn", f"{found}: cells that run hold up a talk", "update JupyterLab to 4.4 or newer."
        )
    return Check("host", "ok", found)


def _packages(facts: Facts) -> Check:
    bad = [p for p in facts.packages if not p.fits]
    if bad:
        found = "; ".join(f"{p.name} {p.version or 'missing'}, wanted {p.wanted}" for p in bad)
        wanted = " ".join(f"'{p.wanted}'" for p in bad)
        return Check("packages", "fail", found, f"run %pip install -U {wanted}, then restart the kernel.")
    if not facts.packages:
        return Check("packages", "unknown", "this Python does not say what is installed")
    return Check("packages", "ok", ", ".join(f"{p.name} {p.version}" for p in facts.packages if p.version))


def _subshells(facts: Facts) -> Check:
    what, shells, page = "subshells", facts.subshells, facts.page
    if page is not None and page.on_main_thread is False:
        return Check(what, "ok", "on: a talk goes on while a cell runs")
    if shells is None:
        return _without_ipykernel(facts.host)
    off = _why_off(shells, page)
    if off:
        return Check(what, "warn", f"off: {off}; cells that run hold up a talk", shells.advice)
    if shells.open:
        return Check(what, "ok", f"on: {shells.open} open")
    found = "this kernel has them; whether its page uses them shows with a talk"
    return Check(what, "unknown", found, _SHOW_A_TALK)


def _without_ipykernel(host: str) -> Check:
    if host in {"terminal", "python"}:
        return Check("subshells", "ok", "not needed: no page here")
    if host == "marimo":
        return Check("subshells", "warn", "marimo has none: cells that run hold up a talk", _KEEP_SHORT)
    return Check("subshells", "unknown", "this kernel is no ipykernel")


def _why_off(shells: Subshells, page: Examination | None) -> str:
    if not shells.supported:
        return "this kernel has none"
    unused = page is not None and (page.on_main_thread or not shells.open)
    return "this kernel has them and the page does not use them" if unused else ""


def _extras(facts: Facts) -> Check:
    missing = [name for name, there in facts.extras.items() if not there]
    if not missing:
        return Check("rehearsal extras", "ok", " and ".join(facts.extras))
    needed = facts.gateway is not None and facts.gateway.rehearsal
    return Check(
        "rehearsal extras",
        "warn" if needed else "ok",
        f"no {' and no '.join(missing)}",
        'run %pip install "gip_nb[rehearsal]" for a rehearsal server with real ears and a real voice.',
    )


# ---- the page --------------------------------------------------------------------------------------------


def _told(facts: Facts) -> Mapping[str, object]:
    return (facts.page.facts if facts.page is not None else None) or {}


def _how_to_see(facts: Facts) -> str:
    return _OPEN_A_NOTEBOOK if facts.host in {"terminal", "python"} else _SHOW_A_TALK


def _page(facts: Facts) -> Iterator[Check]:
    yield _round_trip(facts)
    told = _told(facts)
    rows = ("secure context", "microphone permission", "microphones", "sound")
    if not told:
        found, next_step = _NO_PAGE, _how_to_see(facts)
        if facts.page is not None:
            found = "the page has not answered yet"
            next_step = "let this cell end, then run doctor() again: late answers are remembered."
        yield from (Check(what, "unknown", found, next_step) for what in rows)
        return
    earlier = "" if facts.page is not None and facts.page.answered else " (as the page said before)"
    for check in (_secure(told), _permission(told), _microphones(told), _sound(told)):
        yield check._replace(found=check.found + earlier)


def _round_trip(facts: Facts) -> Check:
    what, page = "comm round trip", facts.page
    if page is None:
        return Check(what, "unknown", _NO_PAGE, _how_to_see(facts))
    if page.round_trips_ms:
        trips = page.round_trips_ms
        middle = median(trips)
        found = f"{middle:.0f} ms (median of {len(trips)}, slowest {max(trips):.0f} ms)"
        if middle <= _SLOW_MS:
            return Check(what, "ok", found)
        return Check(
            what,
            "warn",
            found,
            "answers begin that much later: look at the network between this browser and the kernel, or "
            "close what keeps the browser busy.",
        )
    shells, held_up = facts.subshells, "no answer in 2 s while this cell ran: cells hold up the talk"
    if shells is not None and not shells.open:
        return Check(what, "warn", held_up, shells.advice)
    if facts.host == "marimo":
        return Check(what, "warn", held_up, _KEEP_SHORT)
    return Check(
        what,
        "warn",
        "no answer in 2 s: the page that showed the talk is closed, or very busy",
        "show it again (gip_nb.current() in a cell), then run doctor() again.",
    )


def _next_step(told: Mapping[str, object]) -> str:
    """What the page itself says for it: the same words as in the widget."""
    trouble = told.get("trouble")
    return str(trouble.get("next_step", "")) if isinstance(trouble, dict) else ""


def _secure(told: Mapping[str, object]) -> Check:
    if told.get("secure"):
        return Check("secure context", "ok", "yes")
    return Check("secure context", "fail", "no: browsers give such a page no microphone", _next_step(told))


def _permission(told: Mapping[str, object]) -> Check:
    what = "microphone permission"
    if not told.get("secure"):
        return Check(what, "unknown", "not to be had on this address")
    if told.get("allowed") is False:
        return Check(what, "fail", "this host passes no microphone on to a notebook", _next_step(told))
    match told.get("permission"):
        case "granted":
            return Check(what, "ok", "granted")
        case "denied":
            return Check(what, "fail", "denied", _next_step(told))
        case "prompt":
            return Check(what, "ok", "the browser will ask when Start is pressed")
        case _:
            return Check(what, "unknown", "this browser does not tell before it is asked")


def _microphones(told: Mapping[str, object]) -> Check:
    what, found = "microphones", told.get("microphones")
    if not isinstance(found, list):
        return Check(what, "unknown", "the browser does not list them here")
    if not found:
        return Check(what, "fail", "none", _next_step(told))
    trouble = told.get("trouble")
    if isinstance(trouble, dict) and told.get("permission") != "denied" and told.get("allowed") is not False:
        # It was asked for already, and this is what came of it.
        return Check(what, "fail", str(trouble.get("message", "")), _next_step(told))
    names = [str(name) for name in found if name]
    if not names:
        return Check(what, "ok", "there is one at least; the browser names them once they are allowed")
    return Check(what, "ok", f"{len(found)}: {', '.join(names)}")


def _sound(told: Mapping[str, object]) -> Check:
    what, rate = "sound", told.get("sample_rate_hz")
    if told.get("sound") == "none":
        return Check(what, "fail", "none: answers are text only", "open the notebook in a current browser.")
    if told.get("sound") == "blocked":
        return Check(what, "warn", "the browser keeps it off", "click into the panel of the talk.")
    if not isinstance(rate, int | float) or not rate:
        return Check(what, "ok", "not open yet: Start opens it")
    if int(rate) == _TALK_RATE_HZ:
        return Check(what, "ok", f"{_TALK_RATE_HZ} Hz")
    return Check(what, "ok", f"{int(rate)} Hz from the microphone, resampled to {_TALK_RATE_HZ} Hz")


# ---- the server ------------------------------------------------------------------------------------------


def _failed(what: str, trouble: Trouble, state: State = "fail") -> Check:
    return Check(what, state, trouble.message, trouble.next_step)


def _server(facts: Facts) -> Iterator[Check]:
    gateway = facts.gateway
    if gateway is None:
        yield _failed("gateway", facts.trouble) if facts.trouble else Check("gateway", "unknown", "not asked")
        return
    yield _reachable(gateway)
    yield _key(gateway)
    if gateway.models is not None and not gateway.rehearsal:
        yield _model(gateway.model, gateway.models)
    yield _dialect(gateway, facts.spoken)


def _reachable(gateway: Gateway) -> Check:
    if gateway.answered_ms is None:
        if gateway.trouble is not None:
            return _failed("gateway", gateway.trouble)
        return Check("gateway", "unknown", "not asked")
    if gateway.rehearsal:
        return Check("gateway", "ok", "the rehearsal server runs on this machine")
    if gateway.trouble is not None:
        return _failed("gateway", gateway.trouble, "warn")
    return Check("gateway", "ok", f"{gateway.address} answered in {gateway.answered_ms:.0f} ms")


def _key(gateway: Gateway) -> Check:
    if gateway.rehearsal:
        return Check(
            "key",
            "ok",
            "none, and the rehearsal server needs none",
            "to speak to a real model, set GIP_API_KEY (in the environment or a .env beside the notebook).",
        )
    if gateway.key_refused is not None:
        return _failed("key", gateway.key_refused)
    if gateway.answered_ms is None:
        return Check("key", "unknown", "not tried: the gateway did not answer")
    if gateway.models is None:
        return Check("key", "unknown", "there is one; it was not tried", "doctor(connect=True) tries it.")
    return Check("key", "ok", "accepted")


def _model(model: str, models: tuple[str, ...]) -> Check:
    if model in models:
        return Check("model", "ok", f"{model} is one of {len(models)} realtime models there")
    if not models:
        found = "the gateway lists no realtime model"
    else:
        found = f"{model} is not among the gateway's realtime models"
    return Check("model", "warn", found, "choose one of gip_nb.models(), or ask those who run the gateway.")


def _dialect(gateway: Gateway, spoken: Spoken) -> Check:
    if spoken.trouble is not None:
        return _failed("dialect", spoken.trouble)
    if spoken.dialect is not None:
        name = "GA" if spoken.dialect == "ga" else spoken.dialect
        how = "a session was opened and closed" if spoken.now else "this talk's session speaks it"
        return Check("dialect", "ok", f"{name}: {how}")
    if gateway.rehearsal:
        return Check("dialect", "ok", "the rehearsal server speaks both")
    return Check(
        "dialect",
        "unknown",
        "no session was opened",
        "doctor(connect=True) opens one and closes it; some gateways charge for that.",
    )
