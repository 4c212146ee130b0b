"""A recorded talk, done again: its user's audio and words go to another session at the pace of the recording.

The same microphone, another model, voice, prompt or turn detection. What the user did is read from the log by
`journal/acts.py`; this module says it, when it is its time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from gip_nb.errors import BadSetting, NothingToDo, TimedOut
from gip_nb.journal.acts import (
    Act,
    AddItem,
    Frame,
    Interrupt,
    Respond,
    Text,
    Utterance,
    as_utterances,
)
from gip_nb.journal.acts_of import acts_of
from gip_nb.journal.recorded_tools import RecordedTools
from gip_nb.protocol.client import LEAST_COMMIT_SAMPLES
from gip_nb.session.loop import in_thread, loop, on_loop, run_blocking
from gip_nb.session.trouble import must_be_seconds

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from gip_nb.journal.log import EventLog
    from gip_nb.session.blocking import RealtimeSession
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["Replayed", "Timeline", "replay_into", "replay_into_blocking"]

# A server that has not noticed words by then has not heard them.
_NOTICED_S = 2.0
_FRAME_S = 0.04
_SILENT_FRAME = bytes(1920)
# While an answer is waited for, time passes no faster than this.
_MOST_SPEED = 10.0


class Replayed(NamedTuple):
    """What a replay did.

    Attributes:
        acts: how many, frames of audio included.
        held_s: how long it waited for answers that came later than the recorded ones.
    """

    acts: int
    held_s: float


class Timeline:
    """When an act of the recording is due. Pure; seconds.

    Args:
        speed: 2.0 is twice as fast as the recording was; may be infinite.

    Attributes:
        held_s: how much later than the recording it is by now, its speed left aside.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._first_s: float | None = None
        self.held_s = 0.0

    def due_s(self, at_s: float) -> float:
        """From the beginning of the replay to this act, which the first one asked for begins."""
        if self._first_s is None:
            self._first_s = at_s
        return (at_s - self._first_s) / self.speed + self.held_s

    def hold(self, seconds: float) -> None:
        """All that comes is so much later."""
        self.held_s += seconds


@on_loop
async def replay_into(
    session: AsyncRealtimeSession,
    log: EventLog,
    *,
    speed: float = 1.0,
    wait_for_answers: bool = True,
    tools: Literal["recorded", "live"] = "recorded",
    timeout_s: float = 60.0,
) -> Replayed:
    """Say to a session what the user of a recorded talk said, and return when its last answer is over.

    Audio that turn detection heard goes in frame by frame, as the microphone's; what was committed by hand as
    one utterance, also where the session has turn detection. Where the session has none, each utterance that
    was once found is committed by hand. Not done again: changes of the session's settings, and deletions and
    truncations by the user.

    Words over an answer come as long after the words before them as they did, wherever the new answer is
    then.

    Args:
        session: connected or not; it is not closed.
        log: of the recorded talk.
        speed: of the replay; 1.0 is the recording's own pace. Turn detection counts audio and not time, but
            a model's answer takes the time that it takes.
        wait_for_answers: where the user once began to speak or type when the answer was over, wait until it
            is now: a slower model is not talked over by accident. The microphone is silent meanwhile.
        tools: `recorded`: the model is told of the recording's tools, which answer as they did then, at once;
            nothing is called, and the session keeps them. `live`: it has its own.
        timeout_s: for each answer.

    Raises:
        BadSetting: a value that cannot be.
        NothingToDo: nobody said anything in the recording.
        TimedOut: an answer was not over in time.
        ServerError: the server refuses what it once took.
        GipError: what ended the session.
    """
    _check(speed, tools, timeout_s)
    acts = await in_thread(acts_of, log)
    if not acts:
        raise NothingToDo(
            "there is nothing to replay: the recording has no words and no audio of its user",
            "record a talk in which somebody says something.",
        )
    if tools == "recorded":
        await _use_recorded_tools(session, log)
    await session.connect()
    # Right after connecting the server's defaults are told, and not what it was asked for.
    await session.first_settings_told()
    player = _Player(session, Timeline(speed), wait=wait_for_answers, timeout_s=timeout_s)
    return await player.play(as_utterances(acts) if session.by_hand else acts)


def replay_into_blocking(
    session: RealtimeSession,
    log: EventLog,
    *,
    speed: float = 1.0,
    wait_for_answers: bool = True,
    tools: Literal["recorded", "live"] = "recorded",
    timeout_s: float = 60.0,
) -> Replayed:
    """As `replay_into`, for a session whose verbs block."""
    return run_blocking(
        replay_into(
            session._session,  # noqa: SLF001 - a wrapper of our own
            log,
            speed=speed,
            wait_for_answers=wait_for_answers,
            tools=tools,
            timeout_s=timeout_s,
        )
    )


def _check(speed: object, tools: object, timeout_s: object) -> None:
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not speed > 0:
        raise BadSetting(f"speed is {speed!r}", "give a number above 0; 1.0 is the recording's own pace.")
    if tools not in {"recorded", "live"}:
        raise BadSetting(f"tools is {tools!r}", "use 'recorded' or 'live'.")
    must_be_seconds(timeout_s)


async def _use_recorded_tools(session: AsyncRealtimeSession, log: EventLog) -> None:
    recorded = await in_thread(RecordedTools, log)
    schemas, had_tools = recorded.schemas(), bool(session.first_settings().get("tools"))
    # One that connects only now tells of them by itself.
    tells_by_itself = session.state == "idle"
    session.use_tools(recorded)
    fields: dict[str, Any] = {}
    if (schemas or had_tools) and not tells_by_itself:
        fields["tools"] = schemas
    if schemas and recorded.tool_choice is not None:
        fields["tool_choice"] = recorded.tool_choice
    if fields:
        await session.apply_update(fields)


class _Player:
    """Plays acts to a session, on the loop.

    Args:
        session: connected.
        timeline: says when.
        wait: for answers that were once over.
        timeout_s: for each answer.
    """

    def __init__(
        self, session: AsyncRealtimeSession, timeline: Timeline, *, wait: bool, timeout_s: float
    ) -> None:
        self._session = session
        self._timeline = timeline
        self._wait = wait
        self._timeout_s = timeout_s
        self._began_s = loop().time()
        # Verbs that are under way: the microphone waits for none of them.
        self._verbs: list[asyncio.Task[Any]] = []
        # Words went in of which the server has said nothing yet: how many answers had ended until then.
        self._spoke_at: int | None = None
        self._has_microphone = False

    async def play(self, acts: Iterable[Act]) -> Replayed:
        """All acts, and the last answer."""
        count = 0
        try:
            for act in acts:
                await self._until(act.at_s)
                if self._wait and not isinstance(act, Interrupt) and act.after_answer:
                    await self._until_answered()
                await self._look_at_verbs()
                await self._do(act)
                count += 1
            await asyncio.gather(*self._verbs)
            held_s = self._timeline.held_s
            await self._until_answered()
        finally:
            for verb in self._verbs:
                verb.cancel()
            await asyncio.gather(*self._verbs, return_exceptions=True)
        return Replayed(count, held_s)

    async def _do(self, act: Act) -> None:
        session = self._session
        match act:
            case Frame():
                self._hear(act)
            case Utterance():
                await self._until(act.until_s)
                # The server refuses shorter ones, and so it did then.
                if len(act.pcm) >= LEAST_COMMIT_SAMPLES * 2:
                    await session.utter(act.pcm, act.respond)
            case Text():
                await self._begin(session.send_text(act.text, act.role))
                if act.respond is not None:
                    await self._begin(session.respond(**act.respond))
            case AddItem():
                await self._begin(session.add(act.item, act.previous_item_id))
            case Respond():
                await self._begin(session.respond(**act.fields))
            case Interrupt():
                await session.interrupt()

    def _hear(self, frame: Frame) -> None:
        self._has_microphone = True
        self._session.push_microphone(frame.pcm)
        if frame.begins_speech:
            self._spoke_at = self._session.protocol.conversation.requests

    async def _begin(self, verb: Coroutine[Any, Any, Any]) -> None:
        """Let it send what it sends, and do not wait for the server's word."""
        self._verbs.append(loop().create_task(verb))
        await asyncio.sleep(0)

    async def _look_at_verbs(self) -> None:
        """What a verb raised ends the replay; so does the session's end."""
        done = [verb for verb in self._verbs if verb.done()]
        for verb in done:
            self._verbs.remove(verb)
            await verb
        await self._session.connect()

    # ---- time ----------------------------------------------------------------------------------------------

    async def _until(self, at_s: float) -> None:
        due_s = self._began_s + self._timeline.due_s(at_s)
        # Also where it is late: others are on this loop.
        await asyncio.sleep(max(0.0, due_s - loop().time()))

    async def _until_answered(self) -> None:
        """Until nothing more comes of what was said so far; the rest of the acts is so much later."""
        began_s = loop().time()
        while self._is_answering(loop().time() - began_s):
            waited_s = loop().time() - began_s
            if waited_s > self._timeout_s:
                raise TimedOut(
                    f"the answer was not over within {self._timeout_s:g} s (state: {self._session.state})",
                    "pass a larger timeout_s, or look at session.events for what did come.",
                )
            await self._pass_time()
            await self._look_at_verbs()
        self._timeline.hold(loop().time() - began_s)

    def _is_answering(self, waited_s: float) -> bool:
        protocol = self._session.protocol
        is_busy = protocol.phase != "listening"
        if is_busy or (self._spoke_at is not None and protocol.conversation.requests > self._spoke_at):
            self._spoke_at = None
        return is_busy or (self._spoke_at is not None and waited_s < _NOTICED_S)

    async def _pass_time(self) -> None:
        """A frame's time: without it, turn detection would wait for ever for the end of what was said."""
        if self._has_microphone:
            self._session.push_microphone(_SILENT_FRAME)
        await asyncio.sleep(_FRAME_S / min(self._timeline.speed, _MOST_SPEED))
