"""What tools show: their rich results, and what they display while they run, as outputs under the talk.

A tool runs in a thread of its own, at any time, also when no cell runs: its outputs have an area of their own
(`ipywidgets.Output`), whose content is set from here. They stay when the page is loaded again.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

from gip_nb.notebook.displays import front_end, rich_bundle
from gip_nb.notebook.static_result import static_result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gip_nb.notebook.displays import Bundle
    from gip_nb.notebook.static_result import StaticResult

__all__ = ["ShownResults"]

_log = logging.getLogger(__name__)
MOST_RESULTS = 20
_MOST_OUTPUTS = 20
_SETTLE_S = 2.0
# For these a cell, too, shows text alone, which stands in the conversation.
_PLAIN = (str, bytes, int, float, bool, complex, dict, list, tuple, set, frozenset, type(None))


class ShownResults:
    """The outputs of a talk's tools, of the newest `MOST_RESULTS` calls.

    Args:
        changed: is called when there is something new; on a worker thread.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        # Results that are being drawn.
        self._drawing = 0
        self._drawn = threading.Condition()
        self._calls: dict[str, _Call] = {}
        self._box: Any = None
        self._closed = False

    @property
    def box(self) -> Any:  # noqa: ANN401 - ipywidgets has no types
        """The widget that holds them, made when it is first asked for. Any thread may call."""
        import ipywidgets

        with self._lock:
            if self._box is None:
                self._box = ipywidgets.VBox(layout=ipywidgets.Layout(display="none"))
            return self._box

    @property
    def static(self) -> dict[str, StaticResult]:
        """By call id, what of them can be kept without a kernel. Any thread may call."""
        with self._lock:
            return {call_id: call.static for call_id, call in self._calls.items() if call.static is not None}

    @contextlib.contextmanager
    def capture(self, call_id: str, name: str) -> Iterator[None]:
        """What this thread displays meanwhile appears under the talk, and not in whatever cell runs."""
        shell = front_end()
        # The same one at the end: `%%capture` puts another in its place.
        publisher = None if shell is None else shell.display_pub
        if publisher is None or self._closed or not hasattr(publisher, "register_hook"):
            yield
            return

        def hook(message: dict[str, Any]) -> dict[str, Any] | None:
            return None if self._take(call_id, name, message) else message

        publisher.register_hook(hook)
        try:
            yield
        finally:
            publisher.unregister_hook(hook)

    def expect(self) -> None:
        """A `show` follows soon."""
        with self._drawn:
            self._drawing += 1

    def settle(self) -> bool:
        """Wait until all that was expected is shown, for a while; whether it is. Not on the loop."""
        with self._drawn:
            return self._drawn.wait_for(lambda: self._drawing == 0, _SETTLE_S)

    def show(self, call_id: str, name: str, value: object) -> None:
        """Show a tool's result as a cell would show its last line, where that is more than text.

        On a worker thread: a plot takes its time to draw. After one `expect`.
        """
        try:
            self._show(call_id, name, value)
        finally:
            with self._drawn:
                self._drawing -= 1
                self._drawn.notify_all()

    def _show(self, call_id: str, name: str, value: object) -> None:
        shell = front_end()
        if shell is None or self._closed or isinstance(value, _PLAIN):
            return
        try:
            with self.capture(call_id, name):  # there are objects that display themselves
                data, metadata = rich_bundle(shell, value)
            if data:
                self._add(call_id, name, _output(data, metadata), None)
            _close_figure(value)
        except Exception:  # noqa: BLE001 - the user's own object, whose picture may fail: the model has its text
            _log.exception("the result of the tool %s could not be shown", name)

    def close(self) -> None:
        """Take them away. Any thread may call."""
        with self._lock:
            self._closed = True
            calls, self._calls = list(self._calls.values()), {}
            box, self._box = self._box, None
        for call in calls:
            call.close()
        if box is not None:
            box.close()

    # ---- inside --------------------------------------------------------------------------------------------

    def _take(self, call_id: str, name: str, message: Mapping[str, Any]) -> bool:
        """Take a message of the display publisher; False where it is not ours."""
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "clear_output":
            with self._lock:
                call = self._calls.get(call_id)
            if call is not None:
                call.clear()
            return True
        display_id = (content.get("transient") or {}).get("display_id")
        if kind == "update_display_data":
            with self._lock:
                call = next((c for c in self._calls.values() if c.has(display_id)), None)
            if call is None:
                # Of a cell's output: a panel that the tool keeps up to date.
                return False
            call.put(_output(content["data"], content["metadata"]), display_id)
            self._changed()
            return True
        if kind != "display_data":
            return False
        self._add(call_id, name, _output(content["data"], content["metadata"]), display_id)
        return True

    def _add(self, call_id: str, name: str, output: Bundle, display_id: str | None) -> None:
        box = self.box
        with self._lock:
            if self._closed:
                return
            call = self._calls.get(call_id)
            if call is None:
                call = self._calls[call_id] = _Call(name)
            gone = [self._calls.pop(old) for old in list(self._calls)[:-MOST_RESULTS]]
            call.put(output, display_id)
            box.layout.display = None
            box.children = [call.area for call in self._calls.values()]
        for old in gone:
            old.close()
        self._changed()


class _Call:
    """What one call of a tool has shown.

    Attributes:
        area: the widget that shows it.
        static: what of it can be kept without a kernel.
    """

    def __init__(self, name: str) -> None:
        import ipywidgets

        self._name = name
        self._outputs: list[tuple[str | None, Bundle]] = []
        self.static: StaticResult | None = None
        self._output = ipywidgets.Output()
        self.area = ipywidgets.VBox([ipywidgets.Label(name, style={"font_weight": "600"}), self._output])

    def has(self, display_id: str | None) -> bool:
        """Whether the output with this id is one of its own."""
        return display_id is not None and any(known == display_id for known, _ in self._outputs)

    def put(self, output: Bundle, display_id: str | None) -> None:
        """Add an output, or put it in the place of the one with its id."""
        if self.has(display_id):
            self._outputs = [(k, output if k == display_id else old) for k, old in self._outputs]
        else:
            self._outputs = [*self._outputs, (display_id, output)][-_MOST_OUTPUTS:]
        self._changed()

    def clear(self) -> None:
        """As `clear_output` in a cell."""
        self._outputs = []
        self._changed()

    def _changed(self) -> None:
        outputs = [output for _, output in self._outputs]
        # Here and not when the record is written: a large table takes its time to read.
        self.static = static_result([output["data"] for output in outputs], self._name)
        self._output.outputs = tuple(outputs)

    def close(self) -> None:
        """Take its widgets away."""
        for widget in (*self.area.children, self.area):
            widget.close()


def _output(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Bundle:
    return {"output_type": "display_data", "data": _encoded(data), "metadata": dict(metadata)}


def _encoded(data: Mapping[str, Any]) -> Bundle:
    """Pictures as base64 text, as outputs carry them."""
    from base64 import b64encode

    return {k: b64encode(v).decode("ascii") if isinstance(v, bytes) else v for k, v in data.items()}


def _close_figure(value: object) -> None:
    """A figure that was shown is not to be shown once more at the end of whatever cell runs next."""
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and type(value).__module__.startswith("matplotlib."):
        pyplot.close(getattr(value, "figure", value))
