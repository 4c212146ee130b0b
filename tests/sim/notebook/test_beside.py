"""What stands beside the widget in its cell, the record and what tools show, in a shell that notes all."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import IPython.display
import pytest
from IPython.core import getipython
from IPython.core.formatters import DisplayFormatter

import gip_nb
from gip_nb.errors import BadSetting
from gip_nb.notebook import saved_record, shown_results, widget
from gip_nb.notebook.shown_results import ShownResults
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.testing import ScriptedTransport
from tests.sim.session.servers import GREETING, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

untyped: Any = IPython.display
HTML, display = untyped.HTML, untyped.display
KEY = "sk-test-0123456789"
VIEW = "application/vnd.jupyter.widget-view+json"


class Publisher:
    """As the kernel's: hooks are the thread's own, and what no hook takes is published."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self._local = threading.local()

    @property
    def hooks(self) -> list[Callable[[dict[str, Any]], dict[str, Any] | None]]:
        return self._local.__dict__.setdefault("hooks", [])  # type: ignore[no-any-return]  # of any thread's own

    def register_hook(self, hook: Any) -> None:
        self.hooks.append(hook)

    def unregister_hook(self, hook: Any) -> None:
        self.hooks.remove(hook)

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        self.send(
            "update_display_data" if update else "display_data",
            {"data": data, "metadata": metadata or {}, "transient": transient or {}},
        )

    def send(self, kind: str, content: dict[str, Any]) -> None:
        message: dict[str, Any] | None = {"header": {"msg_type": kind}, "content": content}
        for hook in self.hooks:
            if message is not None:
                message = hook(message)
        if message is not None:
            self.published.append({"kind": kind, **content})


class Events:
    """Callbacks at the end of a cell."""

    def __init__(self) -> None:
        self.known: list[Callable[[object], None]] = []

    def register(self, name: str, call: Callable[[object], None]) -> None:
        assert name == "post_run_cell"
        self.known.append(call)

    def unregister(self, name: str, call: Callable[[object], None]) -> None:
        self.known.remove(call)


class Shell:
    """A kernel's shell, as far as displays need it."""

    def __init__(self) -> None:
        self.display_pub = Publisher()
        self.display_formatter = DisplayFormatter()
        self.events = Events()

    @property
    def published(self) -> list[dict[str, Any]]:
        return self.display_pub.published

    def records(self) -> list[dict[str, Any]]:
        return [one for one in self.published if "gip-record" in str(one["data"].get("text/html"))]

    def cell_ends(self) -> None:
        for call in list(self.events.known):
            call(None)


def until(condition: Callable[[], Any], timeout_s: float = 5) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise AssertionError(f"after {timeout_s} s still not: {condition}")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    shell = Shell()
    monkeypatch.setattr(getipython, "get_ipython", lambda: shell)
    # `display` asks for the one shell of the process; there is none here.
    monkeypatch.setattr("IPython.core.display_functions.publish_display_data", shell.display_pub.publish)
    monkeypatch.setattr(
        "IPython.core.interactiveshell.InteractiveShell.initialized", classmethod(lambda _: True)
    )
    monkeypatch.setattr(
        "IPython.core.interactiveshell.InteractiveShell.instance", classmethod(lambda _: shell)
    )
    return shell


@pytest.fixture
def new_talk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., widget.Talk]]:
    made: list[widget.Talk] = []

    def new_session(talk: widget.Talk) -> AsyncRealtimeSession:
        transport = ScriptedTransport(Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in these scripts
        return AsyncRealtimeSession(talk._settings, transport=transport.for_session, listener=talk)

    def new(**options: Any) -> widget.Talk:
        made.append(gip_nb.talk("test-preview", api_key=KEY, **options))
        return made[-1]

    monkeypatch.setattr(widget.Talk, "_new_session", new_session)
    monkeypatch.setattr(widget, "_warm_up", lambda **_: None)
    yield new
    for talk in made:
        talk.stop()
        talk.close()


def get_weather(city: str) -> str:
    """The weather in a city."""
    return city


# ---- the record --------------------------------------------------------------------------------------------


def test_a_talk_is_shown_with_its_record_which_is_written_at_the_end_of_the_cell(
    shell: Shell, new_talk: Callable[..., widget.Talk]
) -> None:
    talk = new_talk()
    talk._ipython_display_()
    view, record = shell.published
    assert view["data"][VIEW]["model_id"] == talk.model_id
    display_id = record["transient"]["display_id"]
    assert record["data"]["text/html"].startswith(f'<div class="gip-record {display_id} ')
    assert talk._record_class == display_id
    assert record["data"]["text/plain"] == ""
    talk.session.ask("hello <b>")
    shell.cell_ends()
    written = shell.published[-1]
    assert (written["kind"], written["transient"]) == ("update_display_data", {"display_id": display_id})
    assert "hello &lt;b&gt;" in written["data"]["text/html"]
    assert "word 0 word 1" in written["data"]["text/plain"]
    assert "1 turn " in written["data"]["text/html"]
    assert KEY not in str(shell.published)
    # Nothing new, nothing written.
    count = len(shell.published)
    shell.cell_ends()
    assert len(shell.published) == count


def test_it_is_written_by_itself_too_and_not_at_each_turn(
    shell: Shell, new_talk: Callable[..., widget.Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_record, "_GATHER_S", 0.05)
    talk = new_talk()
    talk._ipython_display_()
    for n in range(5):
        talk.session.ask(f"number {n}")
    until(lambda: len(shell.records()) > 1)
    time.sleep(0.2)
    # The first at once, the others together, some seconds later.
    assert len(shell.records()) == 2
    talk.stop()
    last = until(lambda: next((r for r in shell.records()[2:]), None))
    assert "number 4" in last["data"]["text/html"]
    assert "5 turns" in last["data"]["text/html"]


def test_each_cell_that_shows_the_talk_has_the_same_record(
    shell: Shell, new_talk: Callable[..., widget.Talk]
) -> None:
    talk = new_talk()
    talk._ipython_display_()
    talk.session.ask("hello")
    talk._ipython_display_()
    first, second = [r for r in shell.records() if r["kind"] == "display_data"]
    assert first["transient"] == second["transient"]
    assert "hello" in second["data"]["text/html"]
    assert len(shell.events.known) == 1


def test_a_talk_that_begins_anew_keeps_what_was_said_before(
    shell: Shell, new_talk: Callable[..., widget.Talk]
) -> None:
    talk = new_talk()
    talk._ipython_display_()
    talk.session.ask("one")
    talk.stop()
    talk.start()
    talk.session.ask("two")
    shell.cell_ends()
    source = shell.records()[-1]["data"]["text/html"]
    assert source.count("<dl>") == 2
    assert source.index("one") < source.index("two")


def test_a_label_is_kept_after_the_talk_too(
    shell: Shell, new_talk: Callable[..., widget.Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_record, "_GATHER_S", 0.05)
    monkeypatch.setattr(saved_record, "_LEAST_INTERVAL_S", 0.05)
    talk = new_talk()
    talk._ipython_display_()
    talk.session.ask("one")
    talk.stop()
    until(lambda: "one" in shell.records()[-1]["data"]["text/html"])
    talk.session.label(1, "wrong <i>city</i>", rating="down")
    told = "[thumbs down; label: wrong &lt;i&gt;city&lt;/i&gt;]"
    until(lambda: told in shell.records()[-1]["data"]["text/html"])


def test_switched_off_nothing_is_kept(shell: Shell, new_talk: Callable[..., widget.Talk]) -> None:
    talk = new_talk(record=False)
    assert talk._record_class == ""
    with pytest.raises(NotImplementedError):  # IPython then shows it as any value
        talk._ipython_display_()
    talk.session.ask("hello")
    shell.cell_ends()
    assert not shell.published
    for given in ("no", None, 0):
        with pytest.raises(BadSetting, match="record"):
            new_talk(record=given)


def test_where_nobody_shows_outputs_there_is_no_record(new_talk: Callable[..., widget.Talk]) -> None:
    with pytest.raises(NotImplementedError):
        new_talk()._ipython_display_()


def test_a_closed_talk_leaves_the_shell_as_it_was(shell: Shell, new_talk: Callable[..., widget.Talk]) -> None:
    talk = new_talk(tools=[get_weather])
    talk._ipython_display_()
    assert [bool(one["data"].get(VIEW)) for one in shell.published] == [True, True, False]
    talk.close()
    assert not shell.events.known
    with pytest.raises(NotImplementedError):
        talk._ipython_display_()


def test_a_page_that_is_gone_does_not_end_the_talk(
    shell: Shell, new_talk: Callable[..., widget.Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = new_talk()
    talk._ipython_display_()

    def broken(**_: Any) -> None:
        raise OSError("no socket")

    monkeypatch.setattr(shell.display_pub, "publish", broken)
    talk.session.ask("hello")
    shell.cell_ends()
    assert talk.session.ask("still there?").text


# ---- what tools show ---------------------------------------------------------------------------------------


class Results:
    """What of a talk's tools is shown, and how often that was told."""

    def __init__(self) -> None:
        self.told = 0
        self.shown = ShownResults(self._tell)

    def _tell(self) -> None:
        self.told += 1

    def show(self, call_id: str, name: str, value: object) -> None:
        self.shown.expect()
        self.shown.show(call_id, name, value)

    def outputs(self, call: int = -1) -> list[dict[str, Any]]:
        """Data of the outputs of a call."""
        _name, output = self.shown.box.children[call].children
        return [one["data"] for one in output.outputs]


class Figure:
    """Shows itself as a picture."""

    def _repr_png_(self) -> bytes:
        return b"\x89PNG"


class Shy:
    """Displays itself."""

    def _ipython_display_(self) -> None:
        display(HTML("<i>shy</i>"))


class Broken:
    """Cannot be shown."""

    def _repr_mimebundle_(self, **_: Any) -> None:
        raise ValueError("no picture")


def test_a_rich_result_is_shown_and_text_is_not(shell: Shell) -> None:
    results = Results()
    assert results.shown.box.layout.display == "none"
    for plain in ("text", 5, None, {"a": 1}, [1, 2], b"x"):
        results.show("c0", "f", plain)
    assert results.shown.box.children == ()
    results.show("c1", "f", HTML("<b>rich</b>"))
    assert results.outputs()[0]["text/html"] == "<b>rich</b>"
    assert results.shown.box.layout.display is None
    results.show("c2", "g", Figure())
    assert results.outputs()[0]["image/png"].strip() == "iVBORw=="
    assert [call.children[0].value for call in results.shown.box.children] == ["f", "g"]
    assert set(results.shown.static) == {"c1", "c2"}
    assert results.told == 2
    assert not shell.published


def test_what_a_tool_displays_while_it_runs_is_shown_with_its_result(shell: Shell) -> None:
    results = Results()

    def run() -> None:
        with results.shown.capture("c", "f"):
            display(HTML("<i>first</i>"))
            display(HTML("<i>on its way</i>"), display_id="mine")
            display(HTML("<i>there</i>"), display_id="mine", update=True)
            # A cell's own panel is not the tool's.
            display(HTML("<i>panel</i>"), display_id="a cell's", update=True)
        results.show("c", "f", HTML("<b>result</b>"))
        display(HTML("after"))

    in_a_thread(run)
    shown = [one["text/html"] for one in results.outputs()]
    assert shown == ["<i>first</i>", "<i>there</i>", "<b>result</b>"]
    assert [one["data"]["text/html"] for one in shell.published] == ["<i>panel</i>", "after"]
    assert results.shown.static["c"].html.count("<div>") == 3


def test_the_end_of_a_cell_waits_for_a_picture_that_is_being_drawn(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    class Slow:
        """Takes its time."""

        def _repr_png_(self) -> bytes:
            go_on.wait(5)
            return b"\x89PNG"

    results = Results()
    results.shown.expect()
    drawing = threading.Thread(target=lambda: results.shown.show("c", "f", Slow()))
    drawing.start()
    monkeypatch.setattr(shown_results, "_SETTLE_S", 0.01)
    assert not results.shown.settle(), "not for ever"
    monkeypatch.setattr(shown_results, "_SETTLE_S", 5)
    go_on.set()
    assert results.shown.settle()
    assert "c" in results.shown.static
    drawing.join()


def test_what_another_thread_displays_meanwhile_stays_its_own(shell: Shell) -> None:
    results = Results()
    with results.shown.capture("c", "f"):
        in_a_thread(lambda: display(HTML("mine")))
    assert [one["data"]["text/html"] for one in shell.published] == ["mine"]
    assert results.shown.box.children == ()


def test_output_that_is_cleared_goes(shell: Shell) -> None:
    results = Results()
    with results.shown.capture("c", "f"):
        display(HTML("first"))
        shell.display_pub.send("clear_output", {"wait": False})
        display(HTML("second"))
    assert [one["text/html"] for one in results.outputs()] == ["second"]


def test_an_object_that_displays_itself_is_shown_too_and_a_broken_one_stops_nothing(shell: Shell) -> None:
    results = Results()
    results.show("c1", "f", Shy())
    assert results.outputs()[0]["text/html"] == "<i>shy</i>"
    results.show("c2", "f", Broken())
    results.show("c3", "f", HTML("on"))
    assert results.outputs()[0]["text/html"] == "on"


def test_only_the_newest_are_kept_and_the_others_closed(shell: Shell) -> None:
    results = Results()
    results.show("c0", "f", HTML("0"))
    first = results.shown.box.children[0]
    for n in range(1, shown_results.MOST_RESULTS + 5):
        results.show(f"c{n}", "f", HTML(str(n)))
    assert len(results.shown.box.children) == shown_results.MOST_RESULTS
    assert results.outputs(0)[0]["text/html"] == "5"
    assert first.comm is None
    with results.shown.capture("busy", "f"):
        for n in range(100):
            display(HTML(str(n)))
    assert len(results.outputs()) == 20
    results.shown.close()
    results.show("late", "f", HTML("late"))
    assert results.shown.static == {}


def test_without_a_front_end_a_tool_is_only_called() -> None:
    results = Results()
    with results.shown.capture("c", "f"):
        pass
    results.show("c", "f", HTML("x"))
    assert results.told == 0


def in_a_thread(call: Callable[[], None]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
