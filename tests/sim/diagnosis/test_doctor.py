"""`gip_nb.doctor()` and `gip-nb doctor`: what they ask, and what they make of the answers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import gip_nb
from gip_nb import cli
from gip_nb.diagnosis import gathering
from gip_nb.errors import KeyRefused
from gip_nb.notebook.probe import Probe
from gip_nb.notebook.routing import Arrival
from gip_nb.session import transport
from gip_nb.session.loop import loop, run_blocking
from gip_nb.session.transport import HttpAnswer
from tests.sim.session.servers import GREETING, GREETING_GA, realtime_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gip_nb.diagnosis.checks import Check
    from gip_nb.diagnosis.report import Report
    from gip_nb.session.settings import Settings

KEY = "sk-secret-0123456789"
FACTS = {
    "host": "notebook",
    "host_version": "7.6.5",
    "secure": True,
    "allowed": None,
    "permission": "prompt",
    "microphones": [""],
    "trouble": None,
    "sample_rate_hz": 0,
    "sound": "ready",
    "user_agent": "a browser",
}
LIST = b'{"data": [{"id": "openai/gpt-realtime"}, {"id": "openai/gpt-4o"}]}'


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no address, no talk: neither of this machine nor of another test."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIP_API_KEY", "GIP_BASE_URL", "GIP_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("gip_nb.notebook.cells._newest", None)


def row(report: Report, what: str) -> Check:
    (found,) = (check for check in report.checks if check.what == what)
    return found


class Page:
    """A page at the other end of a talk's comm, which answers what the probe asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, answers: bool = True) -> None:
        self.answers = answers
        self.talk = gip_nb.talk("rehearsal")
        self.unanswered: list[dict[str, Any]] = []
        monkeypatch.setattr(self.talk, "send", self.hear)
        self.say(kind="hello", tab="t", views=1, plays=True)

    def hear(self, content: dict[str, Any], _buffers: object = None) -> None:
        if content["kind"] in {"clock", "facts"}:
            self.unanswered.append(content)
            if self.answers:
                self.answer()

    def answer(self) -> None:
        for asked in self.unanswered:
            self.say(**{**FACTS, "kind": asked["kind"], asked["kind"]: asked[asked["kind"]]})
        self.unanswered = []

    def say(self, **content: Any) -> None:
        self.talk._receive(self.talk, {"page": "p1", **content}, [])


def test_a_page_that_shows_a_talk_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(monkeypatch)
    report = gip_nb.doctor()
    assert report.ok
    assert row(report, "host").found == "Jupyter Notebook 7.6.5"
    assert row(report, "comm round trip").state == "ok"
    assert "median of 9" in row(report, "comm round trip").found
    assert row(report, "microphone permission").found == "the browser will ask when Start is pressed"
    assert page.unanswered == []


def test_a_page_that_does_not_answer_is_waited_for_two_seconds_and_its_late_answer_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Page(monkeypatch, answers=False)
    began = time.monotonic()
    report = gip_nb.doctor()
    assert 1.5 < time.monotonic() - began < 4
    assert row(report, "comm round trip").state == "warn"
    assert row(report, "secure context").state == "unknown"
    assert "run doctor() again" in row(report, "secure context").next_step
    page.answer()
    again = gip_nb.doctor()
    assert row(again, "secure context").found == "yes (as the page said before)"
    assert row(again, "host").found == "Jupyter Notebook 7.6.5"


def test_the_probe_leaves_the_clock_exchange_its_answers() -> None:
    asked: list[dict[str, Any]] = []
    probe = Probe(asked.append)
    here = Arrival(0, on_main_thread=True)
    assert not probe.answered({"kind": "clock", "page": "p1", "clock": 7}, here)
    assert not probe.answered({"kind": "clock", "page": "p1", "clock": "7"}, here)
    assert not probe.answered({"kind": "clock", "page": "p1"}, here)

    async def examine() -> Any:
        loop().call_later(0.05, lambda: [probe.answered({**one}, here) for one in asked])
        return await probe.examine("p1")

    found = run_blocking(examine())
    assert found.answered
    assert found.on_main_thread is True
    assert len(found.round_trips_ms) == 1
    # One that comes too late is no error.
    assert probe.answered(asked[-1], here)


def test_without_a_page_a_key_or_a_notebook() -> None:
    report = gip_nb.doctor()
    assert report.ok
    assert row(report, "comm round trip").state == "unknown"
    assert row(report, "key").found == "none, and the rehearsal server needs none"
    assert row(report, "gateway").state == "ok"
    assert "gip_nb" in str(report).splitlines()[0]


def listing(answer: HttpAnswer | Exception) -> Callable[[Settings, float], Any]:
    async def fetch_models(settings: Settings, timeout_s: float) -> HttpAnswer:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return fetch_models


@pytest.mark.parametrize(
    ("answer", "states"),
    [
        (HttpAnswer(200, LIST), {"gateway": "ok", "key": "ok", "model": "ok"}),
        (HttpAnswer(401, b"{}"), {"gateway": "ok", "key": "fail"}),
        (HttpAnswer(403, b"{}"), {"gateway": "ok", "key": "fail"}),
        (HttpAnswer(404, b"{}"), {"gateway": "warn", "key": "unknown"}),
        (HttpAnswer(200, b"<html>"), {"gateway": "warn", "key": "unknown"}),
        (HttpAnswer(503, b""), {"gateway": "warn", "key": "unknown"}),
        (KeyRefused("refused at the door", "knock"), {"gateway": "fail", "key": "unknown"}),
        (ZeroDivisionError(KEY), {"gateway": "fail", "key": "unknown"}),
    ],
)
def test_what_the_gateway_says(
    monkeypatch: pytest.MonkeyPatch, answer: HttpAnswer | Exception, states: dict[str, str]
) -> None:
    monkeypatch.setattr(transport, "fetch_models", listing(answer))
    report = gip_nb.doctor("openai/gpt-realtime", base_url="https://host/v1", api_key=KEY)
    assert {what: row(report, what).state for what in states} == states
    assert report.ok == ("fail" not in states.values())
    assert KEY not in str(report) + report._repr_html_()


def test_a_server_that_keeps_one_waiting_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch_models(settings: Settings, timeout_s: float) -> HttpAnswer:
        await loop().create_future()
        raise AssertionError

    monkeypatch.setattr(transport, "fetch_models", fetch_models)
    monkeypatch.setattr(gathering, "_SERVER_S", 0.1)
    report = gip_nb.doctor(base_url="https://host/v1", api_key=KEY)
    assert row(report, "gateway").found == "no answer in time"
    assert not report.ok


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"base_url": "nonsense", "api_key": KEY}, "is no address"),
        ({"model": "some-model"}, "needs an API key"),
        ({"model": 7}, "model"),
    ],
)
def test_settings_that_cannot_be_are_a_line_of_the_report(options: dict[str, Any], found: str) -> None:
    report = gip_nb.doctor(**options)
    assert row(report, "gateway").state == "fail"
    assert found in row(report, "gateway").found
    assert not report.ok


@pytest.mark.parametrize(("greeting", "name"), [(GREETING, "beta"), (GREETING_GA, "GA")])
def test_on_request_a_session_is_opened_and_closed(greeting: dict[str, Any], name: str) -> None:
    model = "some-preview" if name == "beta" else "some-model"
    with realtime_server(greeting=lambda _headers: (greeting,)) as (url, seen):
        quiet = gip_nb.doctor(model, base_url=url, api_key=KEY)
        assert row(quiet, "dialect").state == "unknown"
        before = len(seen.requests)
        report = gip_nb.doctor(model, base_url=url, api_key=KEY, connect=True)
    assert row(report, "dialect").found == f"{name}: a session was opened and closed"
    assert [path for path, _ in seen.requests[before:] if "/realtime" in path]


def test_a_session_that_does_not_open_says_why() -> None:
    with realtime_server(refuse=(401, "no")) as (url, _seen):
        report = gip_nb.doctor("some-preview", base_url=url, api_key=KEY, connect=True)
    assert row(report, "dialect").state == "fail"
    assert row(report, "key").state == "fail"


def test_what_cannot_be_looked_at_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise ZeroDivisionError

    for name in ("_host", "_packages", "_subshells"):
        monkeypatch.setattr(gathering, name, broken)
    report = gip_nb.doctor()
    assert row(report, "packages").state == "unknown"
    assert row(report, "host").found == "Python without a page"


def test_from_the_loops_own_thread_it_tells_what_it_can() -> None:
    done = threading.Event()
    told: list[Report] = []

    def there() -> None:
        told.append(gip_nb.doctor())
        done.set()

    loop().call_soon_threadsafe(there)
    assert done.wait(10)
    assert row(told[0], "python").state == "ok"
    assert "loop's own thread" in row(told[0], "gateway").found


def test_the_command_prints_the_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"gip_nb {gip_nb.__version__}: ")
    assert "rehearsal extras" in out
    monkeypatch.setenv("GIP_API_KEY", KEY)
    monkeypatch.setenv("GIP_BASE_URL", "http://127.0.0.1:9/v1")
    assert cli.main(["doctor", "--connect"]) == 1
    out = capsys.readouterr().out
    assert "to mend" in out
    assert KEY not in out
