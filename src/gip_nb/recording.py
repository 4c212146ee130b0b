"""`Recording`: a talk that is over, with all that a session tells of itself, and what can be done with it."""

from __future__ import annotations

import base64
import contextlib
import time
import warnings
from typing import TYPE_CHECKING, Any, Literal, overload

import gip_nb
from gip_nb.errors import BadSetting, RecordingDamaged, RecordingIncomplete, RecordingRepaired
from gip_nb.journal.loading import MOST_BYTES, load_log
from gip_nb.journal.offline import OfflineReplay
from gip_nb.journal.readable import Readable
from gip_nb.journal.redaction import redacted
from gip_nb.journal.tables import Tables
from gip_nb.protocol.labels import label_fields
from gip_nb.session.blocking import RealtimeSession
from gip_nb.session.fork import given_history_of, history_of, settings_of
from gip_nb.session.replay import replay_into_blocking
from gip_nb.session.settings import conceal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from gip_nb.journal.log import EventLog
    from gip_nb.journal.offline import Step
    from gip_nb.notebook.widget import Talk
    from gip_nb.protocol.labels import Rating

__all__ = ["Recording", "load"]


class Recording(Readable):
    """A talk that was saved, or played again. Made by `gip_nb.load` and by its own verbs.

    Its tables are a session's: `events`, `turns`, `items`, `responses`, `tool_calls`, `usage`.

    Args:
        log: what happened. It belongs to this recording: labels are added to it.
        model: that was asked for, where no row tells.
        path: of the file or folder that it was read from.
    """

    def __init__(self, log: EventLog, *, model: str | None = None, path: Path | str | None = None) -> None:
        self.log = log
        self.tables = Tables(log)
        self.path = None if path is None else str(path)
        self._model = model

    def __repr__(self) -> str:
        rows = self.log.rows
        duration_s = rows[-1].elapsed_ns / 1e9 if rows else 0.0
        began = self.started_at.isoformat(timespec="seconds")
        return f"<Recording {began} {duration_s:.1f} s model={self.model!r} events={len(rows)}>"

    @property
    def model(self) -> str:
        """The model's id; empty where nobody knows it."""
        return self.tables.model or self._model or ""

    @property
    def session_id(self) -> str | None:
        """The server's name for the session."""
        return self.tables.session_id

    # ---- what is said of it afterwards ---------------------------------------------------------------------

    def label(
        self,
        turn: int | None = None,
        label: str | None = None,
        *,
        tags: str | Iterable[str] | None = None,
        rating: Rating | None = None,
    ) -> None:
        """Say of a turn (the newest one) what you think of it: columns of `turns`, and a row of its log.

        What is not given stays as it was. `save()` keeps it; the file it was read from is left alone.

        Args:
            turn: its number; None is the newest.
            label: a text; "" takes it away.
            tags: all tags of the turn, or its only one; [] takes them away.
            rating: "up" or 1, "down" or -1; 0 takes it away.

        Raises:
            UnknownTurn: there is no such turn.
            BadSetting: nothing is said of it, or what cannot be.
        """
        self.log.local("label", **label_fields(turn, label, tags, rating, self.tables.turn_count))

    def redact(self, *, audio: bool = True, text: bool = True) -> Recording:
        """A copy that can be shared: silence for sound, placeholders for words; figures and times stay.

        Args:
            audio: put silence in the place of sound.
            text: put placeholders in the place of words, ids and all else that is content.
        """
        return Recording(redacted(self.log, audio=audio, text=text), model=None if text else self._model)

    # ---- played again --------------------------------------------------------------------------------------

    @overload
    def replay(
        self,
        against: None = None,
        *,
        speed: float | None = None,
        on_event: Callable[[dict[str, Any]], object] | None = None,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> Recording: ...

    @overload
    def replay(
        self,
        against: RealtimeSession | str,
        *,
        speed: float | None = None,
        on_event: Callable[[dict[str, Any]], object] | None = None,
        wait_for_answers: bool = True,
        tools: Literal["recorded", "live"] | Iterable[Callable[..., Any]] = "recorded",
        timeout_s: float = 60.0,
        **changes: Any,
    ) -> RealtimeSession: ...

    def replay(
        self,
        against: RealtimeSession | str | None = None,
        *,
        speed: float | None = None,
        on_event: Callable[[dict[str, Any]], object] | None = None,
        wait_for_answers: bool = True,
        tools: Literal["recorded", "live"] | Iterable[Callable[..., Any]] = "recorded",
        timeout_s: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        **changes: Any,
    ) -> Recording | RealtimeSession:
        """Play it again: offline, or say what its user said to a model once more.

        Offline, with nothing to play it `against`: event by event through the rules of the client. What
        happened is taken from the rows alone, so this is how somebody's recording becomes a test: load it,
        replay it, and look at the tables, or at what `on_event` was given before it went wrong. What the
        rules raise is raised here.

        Against a model: the same microphone and the same texts, at their own pace. See
        `session.replay.replay_into` for what is done again and what is not.

        Args:
            against: a session, which stays open; or a model's name: then a session is connected with the
                settings of this one, and closed at the end. None is offline.
            speed: 1.0 as it was, 2.0 twice as fast. None: offline at once, against a model as it was.
            on_event: called with each event, received or local, as `session.on("*", ...)` does; offline on
                this thread.
            wait_for_answers: against a model: where the user once waited for the end of an answer, wait.
            tools: against a model: `recorded` ones answer as they did then; `live` are the session's own;
                functions are those of a session that is connected here.
            timeout_s: against a model: for each answer.
            sleep: offline: waits for so many seconds.
            now: offline: the clock by which `speed` is kept, in seconds.
            **changes: against a model's name: what is to be different, as in `talk()`: `voice`,
                `instructions`, `turn_detection`, `base_url`, ...

        Returns:
            Offline a recording of its own, with tables equal to these; else the session. `gip_nb.compare`
            puts both beside this one.

        Raises:
            BadSetting: a value that cannot be.
            NothingToDo: against a model: nobody said anything in it.
            TimedOut: an answer did not come to its end.
            GipError: what connecting, or the session, came to.
        """
        changes = conceal(changes)
        if against is None:
            if changes:
                raise BadSetting(
                    f"{', '.join(sorted(changes))} given, and nothing to replay it against",
                    "name a model: replay('openai/...', voice='ash'); offline nothing can be different.",
                )
            return self._replay_offline(
                None if speed is None else _checked_speed(speed), on_event, sleep, now
            )
        with _session_for(self.log, against, tools, changes) as session:
            if on_event is not None:
                session.on("*", on_event)
            replay_into_blocking(
                session,
                self.log,
                speed=1.0 if speed is None else speed,
                wait_for_answers=wait_for_answers,
                tools=tools if isinstance(tools, str) else "live",
                timeout_s=timeout_s,
            )
        return session

    def _replay_offline(
        self,
        pace: float | None,
        on_event: Callable[[dict[str, Any]], object] | None,
        sleep: Callable[[float], object],
        now: Callable[[], float],
    ) -> Recording:
        again = OfflineReplay(self.log)
        began_s = now()
        for step in again.steps():
            if pace is not None:
                # By the clock, not by the sum of the sleeps: these and `on_event` take time of their own.
                wait_s = again.due_s(step.n) / pace - (now() - began_s)
                if wait_s > 0:
                    sleep(wait_s)
            if on_event is not None and step.row.direction != "sent":
                on_event(_told(step))
        return Recording(again.log, model=self._model)

    def continue_from(self, turn: int | None = None, **changes: Any) -> Talk:
        """A new talk that remembers this one up to a turn, and goes on by voice.

        The model gets the words, of an interrupted answer those that were heard; it begins with the settings
        that this talk had at its end. Tools are functions, which no recording has: give them again.

        Args:
            turn: the last one that is remembered, as in `turns`; 0 is what was there before the first; None
                is all of it.
            **changes: what is to be different, as in `talk()`.

        Raises:
            BadSetting: there is no such turn; a value that cannot be.
            UnknownOption, MissingKey: as `talk()`.
        """
        changes = conceal(changes)
        return gip_nb.talk(**{**settings_of(self.log), "history": history_of(self.log, turn), **changes})


@contextlib.contextmanager
def _session_for(
    log: EventLog, against: object, tools: object, changes: dict[str, Any]
) -> Iterator[RealtimeSession]:
    """The session that was given, or one of this model's that is closed in the end."""
    if isinstance(against, RealtimeSession):
        if changes or not isinstance(tools, str):
            given = sorted(changes) if isinstance(tools, str) else [*sorted(changes), "functions as tools"]
            raise BadSetting(
                f"{', '.join(given)} given beside a session, which has its own",
                "change it with session.update(), or name its model instead of it.",
            )
        yield against
        return
    if not isinstance(against, str):
        raise BadSetting(
            f"a recording is replayed against a {type(against).__name__}",
            "give a session that connect() made, talk.session, or a model's name; of connect_async()'s await "
            "gip_nb.session.replay.replay_into(session, recording.log).",
        )
    functions = {} if isinstance(tools, str) else {"tools": tools}
    settings = {**settings_of(log), "history": given_history_of(log), **functions, **changes}
    with gip_nb.connect(**{**settings, "model": against}) as session:
        yield session


def _checked_speed(speed: object) -> float:
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed < float("inf"):
        raise BadSetting(
            f"speed is {speed!r}", "give 1.0 for real time, 2.0 for twice as fast, None for at once."
        )
    return float(speed)


def _told(step: Step) -> dict[str, Any]:
    """An event as a listener of a live session gets it: canonical, its audio as base64."""
    event = step.event
    fields = {**event.fields, "type": event.type}
    if event.audio is not None:
        fields["delta"] = base64.b64encode(event.audio).decode("ascii")
    return fields


def load(path: Path | str, *, limit_bytes: int = MOST_BYTES) -> Recording:
    """Read a recording: what `session.save()` wrote, or a session's folder in `talk(log=...)`.

    A folder may be loaded while its session goes on, and after its kernel was killed: where the last line was
    not written whole it is left out, and a `RecordingRepaired` warning says so. Nothing else is repaired.

    Args:
        path: of the file (`.zip` may be left out) or the folder.
        limit_bytes: the most that a zip may come to unpacked; one that declares more is not read.

    Returns:
        The recording, its tables equal to those of the session.

    Raises:
        RecordingNotFound: there is nothing of this name.
        RecordingTooNew: a newer version of this package wrote it.
        RecordingTooLarge: it is larger than the limit.
        RecordingDamaged: it is no recording, or a part of it is lost; the error's `recording` has the rest.
    """
    loaded = load_log(path, limit_bytes=limit_bytes)
    recording = Recording(loaded.log, model=loaded.header.model, path=path)
    if loaded.damage:
        error = RecordingDamaged(str(path), loaded.damage, loaded.parts)
        error.recording = recording
        raise error
    if loaded.repaired is not None:
        warnings.warn(f"{path}: {loaded.repaired}", RecordingRepaired, stacklevel=2)
    if loaded.full:
        warnings.warn(
            f"{path}: the log had reached its size limit and ends "
            f"{loaded.log.rows[-1].elapsed_ns / 1e9:.1f} s after it began; the talk may have gone on",
            RecordingIncomplete,
            stacklevel=2,
        )
    return recording
