"""What a page asks for is done, and answered by its number, whatever happens."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.errors import AlreadyClosed, GipError
from gip_nb.notebook.asked import Asked
from gip_nb.session.loop import start_task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gip_nb.notebook import messages

    Verb = Callable[["Wish"], Awaitable["Answer | None"]]

__all__ = ["Answer", "Requests", "Wish", "error_view", "perform"]

_DONE_BY_THE_END = frozenset({"stop", "interrupt", "mute", "release"})
_RELOAD = "reload the page; if it happens again, the kernel's log has the details."
_log = logging.getLogger(__name__)


class Wish(NamedTuple):
    """What a page asks for."""

    page: str
    args: dict[str, Any]
    sound: bytes = b""


class Answer(NamedTuple):
    """What it gets: JSON, and sound (PCM16 little endian mono 24 000 Hz) where it asked for some."""

    value: dict[str, Any] | None = None
    sound: bytes | None = None


class Requests:
    """Every page's requests: each done once and answered as often as it is asked. On the loop.

    Args:
        verbs: what each verb does.
        post: sends one message, with its buffers.
        begins: called at once with the verb, before what the page says next is looked at.
    """

    def __init__(
        self,
        verbs: Mapping[str, Verb],
        post: Callable[[dict[str, Any], Sequence[bytes]], None],
        begins: Callable[[str], None],
    ) -> None:
        self._verbs = verbs
        self._post = post
        self._begins = begins
        self._asked = Asked()

    def come(self, content: dict[str, Any], sound: bytes) -> None:
        """A message of kind `request`, and its buffer."""
        page, number, verb = str(content.get("page")), content.get("request"), str(content.get("verb"))
        if isinstance(number, int):
            known = self._asked.begin(page, number, verb)
            if known == "wait":
                return
            if known != "do":
                self._post({**known}, ())
                return
        self._begins(verb)
        start_task(self._do(content, sound))

    async def _do(self, content: dict[str, Any], sound: bytes) -> None:
        reply, answer = await perform(content, sound, self._verbs)
        self._asked.answered(reply["page"], reply["request"], str(content.get("verb")), reply)
        self._post({**reply}, () if answer is None else (answer,))


async def perform(
    content: dict[str, Any], sound: bytes, verbs: Mapping[str, Verb]
) -> tuple[messages.Reply, bytes | None]:
    """Do what the page asks.

    Args:
        content: a message of kind `request`, as the page sent it.
        sound: its buffer; empty where it has none.
        verbs: what each verb does.

    Returns:
        The reply, and its buffer. Never raises.
    """
    page, number, name = str(content.get("page")), content.get("request"), content.get("verb")
    given = content.get("args")
    error: messages.ErrorView | None = None
    answer: Answer | None = None
    verb = verbs.get(name) if isinstance(name, str) else None
    try:
        if verb is None:
            error = {
                "title": "Unknown request",
                "message": f"the kernel knows no {name!r}",
                "next_step": _RELOAD,
            }
        else:
            answer = await verb(Wish(page, given if isinstance(given, dict) else {}, sound))
    except AlreadyClosed as problem:
        # A second click on Stop, Stop while it failed: what they were for is done. Words are not.
        error = None if name in _DONE_BY_THE_END else error_view(problem)
    except GipError as problem:
        error = error_view(problem)
    except Exception as problem:  # noqa: BLE001 - the page waits for an answer, whatever went wrong
        _log.exception("the page's request %r failed", name)
        error = {
            "title": "Something went wrong",
            "message": f"{type(problem).__name__}: {problem}",
            "next_step": _RELOAD,
        }
    reply: messages.Reply = {
        "kind": "reply",
        "page": page,
        "request": number if isinstance(number, int) else -1,
        "ok": error is None,
        "error": error,
        "value": answer.value if answer else None,
    }
    return reply, answer.sound if answer else None


def error_view(error: GipError) -> messages.ErrorView:
    """The three lines of an error."""
    return {"title": error.title, "message": error.message, "next_step": error.next_step}
