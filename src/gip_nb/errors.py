"""Every error that a user can meet, each with its next step.

An error's text names the value, the limit and what to do. `title`, `message` and `next_step` are the same
three lines that the widget shows, so that a cell and a page never say different things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gip_nb.recording import Recording
    from gip_nb.session.blocking import RealtimeSession

__all__ = [
    "AlreadyClosed",
    "AudioFileNotFound",
    "BadAudio",
    "BadSetting",
    "BudgetSpent",
    "BudgetWarning",
    "ConnectionDropped",
    "ConnectionRefused",
    "DialectRefused",
    "GipError",
    "HostUnreachable",
    "KeyRefused",
    "LogStopped",
    "MicrophoneUnavailable",
    "MissingExtra",
    "MissingKey",
    "NothingToDo",
    "PictureFailed",
    "RecordingDamaged",
    "RecordingIncomplete",
    "RecordingNotFound",
    "RecordingRepaired",
    "RecordingTooLarge",
    "RecordingTooNew",
    "RehearsalFailed",
    "ServerError",
    "SettingIgnored",
    "TimedOut",
    "ToolTrouble",
    "UnknownItem",
    "UnknownModel",
    "UnknownOption",
    "UnknownTurn",
]


class GipError(Exception):
    """The root of all errors that this package raises on purpose.

    Attributes:
        title: what kind of trouble, in three words or so.
        message: what happened, with the value and the limit.
        next_step: what to do now.
        session: the session that `connect()` could not open, so that its tables can be read; else None.
    """

    title = "Something went wrong"
    session: RealtimeSession | None = None

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message, next_step)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        """Both lines: an exception in a cell has to be enough by itself."""
        return f"{self.message}\n→ {self.next_step}"


class UnknownOption(GipError, TypeError):
    """A keyword that `talk()` or `connect()` does not know; the nearest known one is offered."""

    title = "Unknown option"

    def __init__(self, name: str, nearest: str | None, known: Iterable[str]) -> None:
        hint = f"did you mean {nearest!r}?" if nearest else f"known options are {', '.join(sorted(known))}."
        super().__init__(f"unknown option {name!r}", hint)


class BadSetting(GipError, ValueError):
    """An option that is known, with a value that cannot be."""

    title = "Setting not usable"


class MissingKey(GipError):
    """A model or an address was named and there is no API key.

    Args:
        model: the one that was named; None where its list was asked for.
    """

    title = "No API key"

    def __init__(self, model: str | None) -> None:
        wants = f"model {model!r} needs" if model is not None else "the list of models at base_url needs"
        super().__init__(
            f"{wants} an API key and none was found",
            "set GIP_API_KEY (in the environment or in a .env beside the notebook), pass api_key=..., "
            'or use talk("rehearsal") to try things without a key.',
        )


class MissingExtra(GipError, ImportError):
    """Something that wants a package which this one does not bring along."""

    title = "Package missing"

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what}: {package} is not installed", f'pip install "gip_nb[{extra}]"')


class KeyRefused(GipError):
    """The server did not take the API key: HTTP 401 or 403 at the handshake, or an `error` event."""

    title = "Key refused"


class UnknownModel(GipError):
    """The server has no such model, or not for this key; said at the handshake, by an event or at the end."""

    title = "Unknown model"


class ConnectionRefused(GipError):
    """The server answered with something else than what was asked for: a WebSocket, a list of models.

    Attributes:
        status: of its HTTP answer; None where it was none that can be read.
        retry_after_s: when it wants to be asked again, None where it does not say.
    """

    title = "Connection refused"

    def __init__(
        self,
        message: str,
        next_step: str,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, next_step)
        self.status = status
        self.retry_after_s = retry_after_s


class HostUnreachable(GipError):
    """Nothing answers at the address: no such host, no network, or nobody listening."""

    title = "Server unreachable"


class ConnectionDropped(GipError):
    """The connection ended and nobody here had asked for it."""

    title = "Connection lost"


class ServerError(GipError):
    """The server said `error`, or a response failed.

    Attributes:
        code: the server's own code, such as `invalid_value`, or None.
    """

    title = "The server reports an error"

    def __init__(self, message: str, next_step: str, code: str | None = None) -> None:
        super().__init__(message, next_step)
        self.code = code


class DialectRefused(ServerError):
    """The server does not speak the dialect of the protocol that it was addressed in."""

    title = "Dialect refused"


class TimedOut(GipError, TimeoutError):
    """What was waited for did not come in time; the text names it."""

    title = "No answer in time"


class AlreadyClosed(GipError):
    """A verb on a session that has ended."""

    title = "Session closed"

    def __init__(self, why: str = "this session is closed") -> None:
        super().__init__(why, "its tables stay readable; start a new one with talk() or connect().")


class RehearsalFailed(GipError):
    """The embedded realtime server did not start."""

    title = "Rehearsal server did not start"


class BadAudio(GipError, ValueError):
    """Audio that cannot be sent: no sound file, wrong dtype, nothing in it."""

    title = "Audio not usable"


class AudioFileNotFound(BadAudio, FileNotFoundError):
    """A path that names no file."""

    title = "No such file"

    def __init__(self, path: Path | str) -> None:
        super().__init__(
            f"there is no file {str(path)!r}",
            "check the path; it is taken relative to the notebook's folder. To send these words as text, "
            "use send_text().",
        )


class NothingToDo(GipError):
    """A verb that has nothing to work on: a commit without audio, an interruption of silence."""

    title = "Nothing to do"


class BudgetSpent(GipError):
    """The session has cost what it may, or nobody knows any more what it costs: no answer is asked for.

    The talk stays connected; `session.budget_usd = ...` sets another limit.
    """

    title = "Stopped by its budget"


class PictureFailed(GipError):
    """A chart could not be turned into a picture."""

    title = "Picture not drawn"

    def __init__(self, message: str) -> None:
        super().__init__(message, "save it as .json, or show its `.chart`: those need nothing but Altair.")


class UnknownItem(GipError, KeyError):
    """An item id that is in no row of the log."""

    title = "No such item"

    def __init__(self, item_id: str) -> None:
        super().__init__(
            f"no item {item_id!r} in this session", "session.items lists the ids of all items there are."
        )


class UnknownTurn(GipError, KeyError):
    """A turn that the talk has not, or not yet.

    Args:
        turn: the one that was asked for; None for the newest.
        turns: how many there are; they count from 1.
    """

    title = "No such turn"

    def __init__(self, turn: int | None, turns: int) -> None:
        there = {0: "there is no turn yet", 1: "there is turn 1 only"}.get(
            turns, f"there are turns 1 to {turns}"
        )
        super().__init__(
            there if turn is None else f"no turn {turn} in this session: {there}",
            "session.turns lists the turns that there are.",
        )


class MicrophoneUnavailable(GipError):
    """The page got no microphone."""

    title = "No microphone"


class LogStopped(GipError):
    """The log on disk is no longer written: its limit is reached, or the disk does not take it.

    The talk goes on, and its tables stay whole in the kernel.
    """

    title = "Log not written"


class ToolTrouble(GipError):
    """A tool's newest definition cannot be used, or a tool is in the talk's way."""

    title = "A tool needs a look"


class RecordingNotFound(GipError, FileNotFoundError):
    """There is no recording of this name."""

    title = "No such recording"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"no recording {path!r}: {why}",
            "give the path of a file that session.save() wrote, or of one session's folder in log='...'.",
        )


class RecordingTooNew(GipError):
    """A recording in a layout that this version does not know.

    Args:
        path: of the recording.
        layout: its layout's version.
        known: the newest that is known here.
        written_by: the version of the package that wrote it; may be empty.
    """

    title = "Recording too new"

    def __init__(self, path: str, layout: int, known: int, written_by: str) -> None:
        by = f", written by gip_nb {written_by[:40]}" if written_by else ""
        super().__init__(
            f"{path!r} has layout {layout}{by}: this version reads layout {known}",
            "pip install -U gip_nb, and load it again; nothing is wrong with the file.",
        )


class RecordingTooLarge(GipError, ValueError):
    """A recording that says it is larger than what may be read.

    Args:
        path: of the recording.
        declared_bytes: what it says it comes to unpacked.
        limit_bytes: what may be read.
    """

    title = "Recording too large"

    def __init__(self, path: str, declared_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"{path!r} comes to {declared_bytes:,} bytes unpacked: the limit is {limit_bytes:,}",
            "if you trust where it comes from, pass a larger limit_bytes to gip_nb.load().",
        )


class RecordingDamaged(GipError):
    """A recording that is not as it was written, or no recording at all.

    Args:
        path: of the recording.
        damage: what is wrong with it, a clause each.
        parts: what could be read, in words; empty where it is nothing.

    Attributes:
        recording: what could be read; None where nothing could.
    """

    title = "Recording damaged"
    recording: Recording | None = None

    def __init__(self, path: str, damage: Sequence[str], parts: str) -> None:
        told = "; ".join(damage[:3])
        more = f"; and {len(damage) - 3} more" if len(damage) > 3 else ""  # noqa: PLR2004 - as many as are told
        super().__init__(
            f"{path!r} cannot be read whole: {told}{more}",
            f"the error's `recording` has what could be read: {parts}."
            if parts
            else "nothing of it could be read: take another copy.",
        )


class RecordingRepaired(UserWarning):
    """The end of a log was not written whole, as when a kernel is killed; the text says what was left out."""


class RecordingIncomplete(UserWarning):
    """A log that ends before its talk did, since it had reached its size limit."""


class SettingIgnored(UserWarning):
    """The server took an update and kept a setting as it was; the text names both values."""


class BudgetWarning(UserWarning):
    """80 % of a session's budget are spent; the text names what was spent, the limit and what comes next."""
