"""Facts judged: each row of the report, by a table, and the report itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gip_nb.diagnosis.checks import Check, checks_of
from gip_nb.diagnosis.facts import Facts, Gateway, Package, Spoken, Subshells, Trouble, kernel_host
from gip_nb.diagnosis.report import Report
from gip_nb.notebook.probe import Examination

TOLD: dict[str, Any] = {
    "kind": "facts",
    "page": "p1",
    "facts": 1,
    "host": "jupyterlab",
    "host_version": "4.6.6",
    "secure": True,
    "allowed": True,
    "permission": "granted",
    "microphones": ["Built-in", ""],
    "trouble": None,
    "sample_rate_hz": 24_000,
    "sound": "ready",
    "user_agent": "a browser",
}
SAYS = {"title": "No microphone", "message": "what happened", "next_step": "what the page says"}
SEEN = Examination(TOLD, answered=True, round_trips_ms=(50.0, 40.0, 90.0), on_main_thread=False)
HELD_UP = SEEN._replace(facts=None, answered=False, round_trips_ms=(), on_main_thread=None)
GATEWAY = Gateway("https://host/v1", rehearsal=False, model="m", answered_ms=120.0, models=("m", "n"))
REHEARSAL = Gateway("http://127.0.0.1:1/v1", rehearsal=True, model="rehearsal", answered_ms=500.0)
TROUBLE = Trouble("it broke", "mend it")
ALL_WELL = Facts(
    host="jupyter",
    python="3.11.7 on Linux x86_64",
    packages=(Package("ipykernel", "7.4.0", "ipykernel>=6.29"), Package("notebook", None)),
    subshells=Subshells(supported=True, open=1, advice="change the setting"),
    page=SEEN,
    gateway=GATEWAY,
    spoken=Spoken("ga", now=False),
    extras={"a recogniser": True, "a synthesiser": True},
)


def row(facts: Facts, what: str) -> Check:
    (found,) = (check for check in checks_of(facts) if check.what == what)
    return found


def told(**changes: Any) -> Facts:
    return replace(ALL_WELL, page=SEEN._replace(facts={**TOLD, **changes}))


def test_where_all_is_well_every_row_says_so() -> None:
    checks = checks_of(ALL_WELL)
    assert {check.state for check in checks} == {"ok"}
    assert [check.what for check in checks] == [
        *("host", "python", "packages", "subshells", "comm round trip", "secure context"),
        *("microphone permission", "microphones", "sound", "gateway", "key", "model", "dialect"),
        "rehearsal extras",
    ]
    found = {check.what: check.found for check in checks}
    assert found["host"] == "JupyterLab 4.6.6"
    assert found["packages"] == "ipykernel 7.4.0"
    assert found["comm round trip"] == "50 ms (median of 3, slowest 90 ms)"
    assert found["microphones"] == "2: Built-in"
    assert found["model"] == "m is one of 2 realtime models there"
    assert not any(check.next_step for check in checks)
    assert Report(checks, "1.2.3").summary == "gip_nb 1.2.3: all is well here"


@pytest.mark.parametrize(
    ("facts", "what", "state", "found", "next_step"),
    [
        # host
        (told(host="unknown", host_version=None), "host", "ok", "a Jupyter kernel", ""),
        (told(host="notebook", host_version="7.6.5"), "host", "ok", "Jupyter Notebook 7.6.5", ""),
        (told(host_version="4.3.9"), "host", "warn", "4.3.9: cells that run hold up", "4.4 or newer"),
        (told(host_version="odd"), "host", "ok", "JupyterLab odd", ""),
        (told(host="vscode", host_version=None), "host", "warn", "VS Code", "jupyter lab"),
        (replace(ALL_WELL, host="vscode", page=None), "host", "warn", "VS Code", "jupyter lab"),
        (replace(ALL_WELL, host="marimo", page=None), "host", "ok", "marimo", ""),
        # packages
        (
            replace(ALL_WELL, packages=(Package("openai", "1.9", "openai[realtime]<4,>=2.8", fits=False),)),
            *("packages", "fail", "openai 1.9, wanted openai[realtime]<4,>=2.8"),
            "%pip install -U 'openai[realtime]<4,>=2.8'",
        ),
        (
            replace(ALL_WELL, packages=(Package("anywidget", None, "anywidget>=0.9", fits=False),)),
            *("packages", "fail", "anywidget missing", "'anywidget>=0.9'"),
        ),
        # subshells
        (replace(ALL_WELL, page=None), "subshells", "ok", "on: 1 open", ""),
        (
            replace(ALL_WELL, page=None, subshells=Subshells(supported=True, open=0, advice="x")),
            *("subshells", "unknown", "shows with a talk", "show a talk"),
        ),
        (
            replace(ALL_WELL, page=HELD_UP, subshells=Subshells(supported=True, open=0, advice="do this")),
            *("subshells", "warn", "does not use them", "do this"),
        ),
        (
            replace(ALL_WELL, page=SEEN._replace(on_main_thread=True)),
            *("subshells", "warn", "does not use them", "change the setting"),
        ),
        (
            replace(ALL_WELL, page=None, subshells=Subshells(supported=False, open=0, advice="upgrade")),
            *("subshells", "warn", "this kernel has none", "upgrade"),
        ),
        (replace(ALL_WELL, host="terminal", page=None, subshells=None), "subshells", "ok", "no page", ""),
        (
            replace(ALL_WELL, host="marimo", page=None, subshells=None),
            *("subshells", "warn", "hold up a talk", "keep cells short"),
        ),
        (
            replace(ALL_WELL, host="marimo", page=HELD_UP, subshells=None),
            *("comm round trip", "warn", "cells hold up the talk", "keep cells short"),
        ),
        (
            replace(ALL_WELL, host="colab", page=None, subshells=None),
            *("subshells", "unknown", "no ipykernel", ""),
        ),
        # round trip
        (replace(ALL_WELL, page=None), "comm round trip", "unknown", "no page", "show a talk first"),
        (
            replace(ALL_WELL, host="python", page=None),
            *("comm round trip", "unknown", "no page", "in a notebook"),
        ),
        (
            replace(ALL_WELL, page=SEEN._replace(round_trips_ms=(250.0, 900.0, 300.0))),
            *("comm round trip", "warn", "300 ms (median of 3, slowest 900 ms)", "network"),
        ),
        (
            replace(ALL_WELL, page=HELD_UP, subshells=Subshells(supported=True, open=0, advice="do this")),
            *("comm round trip", "warn", "cells hold up the talk", "do this"),
        ),
        (replace(ALL_WELL, page=HELD_UP), "comm round trip", "warn", "closed", "gip_nb.current()"),
        # what the page tells
        (replace(ALL_WELL, page=HELD_UP), "microphones", "unknown", "not answered yet", "run doctor() again"),
        (
            replace(ALL_WELL, page=HELD_UP._replace(facts=TOLD)),
            *("secure context", "ok", "yes (as the page said before)", ""),
        ),
        (told(secure=False, trouble=SAYS), "secure context", "fail", "no", "what the page says"),
        (told(secure=False), "microphone permission", "unknown", "this address", ""),
        (
            told(allowed=False, trouble=SAYS),
            *("microphone permission", "fail", "passes no microphone", "what the page says"),
        ),
        (told(permission="denied", trouble=SAYS), "microphone permission", "fail", "denied", "page says"),
        (told(permission="prompt"), "microphone permission", "ok", "will ask", ""),
        (told(permission="unknown"), "microphone permission", "unknown", "does not tell", ""),
        (told(permission=7), "microphone permission", "unknown", "does not tell", ""),
        (told(microphones=[], trouble=SAYS), "microphones", "fail", "none", "what the page says"),
        (told(trouble=SAYS), "microphones", "fail", "what happened", "what the page says"),
        (told(permission="denied", trouble=SAYS), "microphones", "ok", "2: Built-in", ""),
        (told(microphones=[""]), "microphones", "ok", "there is one at least", ""),
        (told(microphones=None), "microphones", "unknown", "does not list", ""),
        (told(sample_rate_hz=48_000), "sound", "ok", "48000 Hz from the microphone, resampled", ""),
        (told(sample_rate_hz=0), "sound", "ok", "not open yet", ""),
        (told(sound="blocked"), "sound", "warn", "keeps it off", "click"),
        (told(sound="none"), "sound", "fail", "text only", "browser"),
        # server
        (replace(ALL_WELL, gateway=None, trouble=TROUBLE), "gateway", "fail", "it broke", "mend it"),
        (replace(ALL_WELL, gateway=None), "gateway", "unknown", "not asked", ""),
        (replace(ALL_WELL, gateway=replace(GATEWAY, trouble=TROUBLE)), "gateway", "warn", "it broke", "mend"),
        (
            replace(ALL_WELL, gateway=replace(GATEWAY, answered_ms=None, models=None, trouble=TROUBLE)),
            *("gateway", "fail", "it broke", "mend"),
        ),
        (
            replace(ALL_WELL, gateway=replace(GATEWAY, answered_ms=None, models=None, trouble=TROUBLE)),
            *("key", "unknown", "did not answer", ""),
        ),
        (
            replace(ALL_WELL, gateway=replace(GATEWAY, models=None, key_refused=TROUBLE)),
            *("key", "fail", "it broke", "mend it"),
        ),
        (
            replace(ALL_WELL, gateway=replace(GATEWAY, models=None)),
            "key",
            "unknown",
            "not tried",
            "connect=True",
        ),
        (replace(ALL_WELL, gateway=replace(GATEWAY, model="x")), "model", "warn", "x is not", "models()"),
        (replace(ALL_WELL, gateway=replace(GATEWAY, models=())), "model", "warn", "lists no", "models()"),
        (replace(ALL_WELL, gateway=REHEARSAL), "gateway", "ok", "rehearsal server runs", ""),
        (replace(ALL_WELL, gateway=REHEARSAL), "key", "ok", "none", "GIP_API_KEY"),
        (
            replace(ALL_WELL, gateway=REHEARSAL, spoken=Spoken(None, now=False)),
            *("dialect", "ok", "speaks both", ""),
        ),
        (replace(ALL_WELL, spoken=Spoken("beta", now=True)), "dialect", "ok", "beta: a session was", ""),
        (replace(ALL_WELL, spoken=Spoken(None, now=False)), "dialect", "unknown", "no session", "charge"),
        (
            replace(ALL_WELL, spoken=Spoken(None, now=True, trouble=TROUBLE)),
            "dialect",
            "fail",
            "it broke",
            "mend",
        ),
        # extras
        (
            replace(ALL_WELL, extras={"a recogniser": False, "a synthesiser": True}),
            *("rehearsal extras", "ok", "no a recogniser", "gip_nb[rehearsal]"),
        ),
        (
            replace(ALL_WELL, gateway=REHEARSAL, extras={"a recogniser": False, "a synthesiser": False}),
            *("rehearsal extras", "warn", "no a recogniser and no a synthesiser", "gip_nb[rehearsal]"),
        ),
    ],
)
def test_a_row(facts: Facts, what: str, state: str, found: str, next_step: str) -> None:
    check = row(facts, what)
    assert check.state == state
    assert found in check.found
    assert next_step in check.next_step
    assert bool(check.next_step) == bool(next_step)


@pytest.mark.parametrize(
    ("shell", "cell_id", "names", "modules", "host"),
    [
        ("", "", (), (), "python"),
        ("", "", (), ("marimo",), "python"),
        ("", "", (), ("marimo", "marimo._runtime.context"), "marimo"),
        ("TerminalInteractiveShell", "", (), (), "terminal"),
        ("ZMQInteractiveShell", "3f2a", (), ("marimo._runtime.context",), "jupyter"),
        ("ZMQInteractiveShell", "vscode-notebook-cell:/home/me/a.ipynb#W0", (), (), "vscode"),
        ("ZMQInteractiveShell", "", ("__vsc_ipynb_file__",), (), "vscode"),
        ("Shell", "", (), ("google.colab",), "colab"),
        ("", "", (), ("google.colab",), "python"),
    ],
)
def test_the_host_as_the_kernel_sees_it(
    shell: str, cell_id: str, names: tuple[str, ...], modules: tuple[str, ...], host: str
) -> None:
    found = kernel_host(shell=shell, cell_id=cell_id, names=frozenset(names), modules=frozenset(modules))
    assert found == host


# ---- the report


def test_a_report_as_text_and_as_a_table() -> None:
    checks = [
        Check("host", "ok", "JupyterLab"),
        Check("key", "fail", "refused " * 30, "check it " * 20),
        Check("a", "unknown", "x", "the same step"),
        Check("b", "unknown", "y", "the same step"),
        Check("c", "warn", "z"),
    ]
    report = Report(checks, "1.2.3")
    text = str(report)
    assert report.checks == checks
    assert not report.ok
    assert text.splitlines()[0] == "gip_nb 1.2.3: 1 to mend, 1 to look at, 2 unknown"
    assert max(map(len, text.splitlines())) <= 100
    assert repr(report) == text
    # Told once, after the last of those that share it.
    assert text.count("the same step") == report._repr_html_().count("the same step") == 1
    assert text.index("unknown  b") < text.index("the same step")
    assert Report([Check("a", "warn", "x"), Check("b", "unknown", "y")], "1").ok
    assert str(Report([], "1")).startswith("gip_nb 1: all is well")


def test_what_others_say_is_text_in_the_table() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    report = Report(checks_of(told(microphones=[hostile], host=hostile, host_version=hostile)), hostile)
    assert hostile not in report._repr_html_()
    assert "&lt;img src=x" in report._repr_html_()
