"""Tools that answer as they did in a recorded talk, and call no function."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from gip_nb.journal.reduced import conversation_of
from gip_nb.protocol.dialects import session_to_canonical
from gip_nb.tools import Called
from gip_nb.tools.options import RunOptions

if TYPE_CHECKING:
    from gip_nb.errors import BadSetting
    from gip_nb.journal.log import EventLog
    from gip_nb.tools import Call

__all__ = ["RecordedTools"]


class _Answer:
    """One call of the recording.

    Attributes:
        arguments: parsed, or the text where it is no JSON.
        output: what the model was told.
        used: it has answered a call of the replay.
    """

    def __init__(self, arguments: str, output: str) -> None:
        self.arguments = _parsed(arguments)
        self.output = output
        self.used = False


class RecordedTools:
    """A talk's tools, as `gip_nb.tools.Toolbox` is, made of what they answered in another one.

    A call is answered as one with the same name and equal arguments was; else as the next one of that name
    that has not answered yet; else with an error that says that it is not in the recording. Outputs that were
    errors are given as they were. Calls may come in parallel, from any thread.

    Args:
        log: of the recorded talk.
    """

    def __init__(self, log: EventLog) -> None:
        self._lock = threading.Lock()
        self._schemas: dict[str, dict[str, Any]] = {}
        self._answers: dict[str, list[_Answer]] = {}
        self.tool_choice: object = None
        self.running = RunOptions()
        for n, row in enumerate(log.rows):
            if row.direction == "sent" and row.type.endswith("session.update"):
                self._take_settings(log.event(n).part("session"))
        items = conversation_of(log).items.values()
        outputs = {i.call_id: i.output or "" for i in items if i.type == "function_call_output"}
        for call in items:
            if call.type == "function_call" and call.call_id in outputs:
                answer = _Answer(call.arguments, outputs[call.call_id])
                self._answers.setdefault(call.name or "", []).append(answer)

    def _take_settings(self, session: dict[str, Any]) -> None:
        asked = session_to_canonical(session, None)
        tools = asked.get("tools")
        for tool in tools if isinstance(tools, list) else []:
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                # A tool that was taken away later has answered until then.
                self._schemas[tool["name"]] = tool
        self.tool_choice = asked.get("tool_choice", self.tool_choice)

    def schemas(self) -> list[dict[str, Any]]:
        """All tools that the recorded session ever had, each as it was told last; canonical."""
        return list(self._schemas.values())

    def refresh(self) -> list[BadSetting]:
        """Nothing of a recording changes."""
        return []

    def find(self, name: str, arguments: str) -> Called:
        """As `run`: the answer is known, and nobody is asked."""
        return self.run(name, arguments)

    def is_newest(self, call: Call) -> bool:  # noqa: ARG002 - there is no call to make
        """Nothing of a recording changes."""
        return True

    def allow(self, call: Call) -> None:
        """Nobody is asked."""

    def run(self, name: str, arguments: str) -> Called:
        """Answer a call.

        Args:
            name: as the model wrote it.
            arguments: JSON, as the model wrote it.
        """
        given = _parsed(arguments)
        with self._lock:
            there = self._answers.get(name, [])
            fresh = [answer for answer in there if not answer.used]
            equal = [answer for answer in there if answer.arguments == given]
            found = next((answer for answer in equal if not answer.used), None)
            # What was asked once more is answered once more.
            found = found or next(iter(equal or fresh), None)
            if found is None:
                return Called(f"error: the recording has no answer to a call of {name!r} with {arguments}")
            found.used = True
            return Called(found.output)


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return arguments
