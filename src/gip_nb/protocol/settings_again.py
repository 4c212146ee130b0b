"""The settings that a new connection is asked for: all in one update, and one by one where it refuses that.

As resumption.py this is the protected part of `ClientProtocol`: it uses its fields. A server refuses an
update whole, whatever in it displeases it: one setting that it does not take any more, or never took without
saying which, would cost all the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gip_nb.protocol.client import ClientProtocol
    from gip_nb.protocol.outputs import Failed, Wish
    from gip_nb.protocol.requests import Request

__all__ = ["SettingsAgain", "one_by_one"]


class SettingsAgain:
    """Of one connection that follows another."""

    def __init__(self) -> None:
        self._whole: Request | None = None
        # Each setting by itself, by its path.
        self._single: list[tuple[str, Request]] = []
        # The response that was asked for before these were.
        self._before: Wish | None = None

    def ask(self, p: ClientProtocol) -> Request:
        """Ask the new server for all that the session was asked to be."""
        self._single.clear()
        self._whole = p.update(p._configuration.taken())
        return self._whole

    def unnamed(self, p: ClientProtocol) -> Request | None:
        """The update that an `error` without a name is about: a server answers one thing after the other.

        Returns:
            None where it is none of these.
        """
        if self._whole is not None and not self._whole.done:
            return None if p._requests.overtaken(self._whole) else self._whole
        if p._asked is not None and p._asked is self._before:
            return None
        waiting = (request for _, request in self._single if not request.done)
        return next((request for request in waiting if not p._requests.overtaken(request)), None)

    def refused(self, p: ClientProtocol, update: Request, failure: Failed) -> Failed | None:
        """The server does not take this update.

        Args:
            p: does not count it as asked for any more.
            update: any.
            failure: as the server told it.

        Returns:
            What is to be told of it; None where it is asked for in parts first.
        """
        if update is self._whole:
            parts = list(one_by_one(update.session or {}))
            if len(parts) > 1:
                self._before = p._asked
                self._single = [(path, p.update(part)) for path, part in parts]
                return None
            return _named(parts[0][0], failure) if parts else failure
        path = next((path for path, request in self._single if request is update), None)
        return failure if path is None else _named(path, failure)


def _named(path: str, failure: Failed) -> Failed:
    words = f"the new connection refuses the setting {path}, which is not in force any more: "
    return msgspec.structs.replace(failure, message=words + failure.message)


def one_by_one(session: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each setting of a canonical session by itself: its path, and a session with nothing else in it."""
    # A choice of a tool is none before there are tools.
    for key in sorted(session, key=lambda name: name == "tool_choice"):
        value = session[key]
        if key == "audio" and isinstance(value, dict):
            for side, inner in value.items():
                for name, one in inner.items():
                    yield f"audio.{side}.{name}", {"audio": {side: {name: one}}}
        elif key != "type":
            yield key, {key: value}
