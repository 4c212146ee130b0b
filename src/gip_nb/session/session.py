"""One talk as its user has it: verbs, tables, callbacks. What goes on inside is `Talking`'s.

The public verbs may be awaited from any loop and hop to the process's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import warnings
from typing import TYPE_CHECKING, Any

from gip_nb.audio import frames
from gip_nb.errors import BadSetting, BudgetSpent, NothingToDo, SettingIgnored, TimedOut, UnknownItem
from gip_nb.journal.readable import Readable
from gip_nb.protocol import dialects
from gip_nb.protocol.client import LEAST_COMMIT_SAMPLES
from gip_nb.protocol.deadlines import BEGIN_TIMEOUT_S
from gip_nb.protocol.items import SAMPLES_PER_MS
from gip_nb.protocol.labels import label_fields
from gip_nb.session.loop import in_thread, on_loop
from gip_nb.session.options import canonical_session, check_response, check_voice
from gip_nb.session.reply import read_question, read_sound, reply_of
from gip_nb.session.talking import Talking
from gip_nb.session.trouble import must_be_json, must_be_seconds, must_be_text, offers_nearest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from gip_nb.protocol.labels import Rating
    from gip_nb.protocol.outputs import Wish
    from gip_nb.protocol.requests import Request
    from gip_nb.session.reply import Reply

__all__ = ["AsyncRealtimeSession"]

_ANSWER_TIMEOUT_S = 10.0
# A server that confirms no item is not waited for any longer.
_ITEM_GRACE_S = 1.0
# Nor one that does not tell the settings of the start.
_SETTINGS_GRACE_S = 2.0
_ASK_CHUNK_BYTES = 9600
_MIN_ASK_BYTES = LEAST_COMMIT_SAMPLES * 2


class AsyncRealtimeSession(Readable, Talking):
    """A session whose verbs are awaited. Connects with the first verb (or `async with`), ends with `close()`.

    Args:
        settings: where to, with what.
        tools: the functions that the model may call.
        transport: makes the connection; tests give a scripted one.
        speaker: who plays the answers; nobody by default.
        listener: who shows the talk.
    """

    @property
    def model(self) -> str:
        """The model's id, as it was asked for."""
        return self.settings.model

    def _scrub(self, frame: bytes) -> bytes:
        return self.settings.scrub(frame)

    # ---- verbs ---------------------------------------------------------------------------------------------

    @offers_nearest
    @on_loop
    async def ask(
        self, what: str | Path | NDArray[Any], *, sample_rate_hz: int = 24_000, timeout_s: float = 60.0
    ) -> Reply:
        """Ask and wait for the whole answer, tool calls and their follow-ups included.

        Audio is sent as one utterance: turn detection is off for the call and restored after it, so that a
        pause does not split it. The microphone is not heard meanwhile.

        Args:
            what: text, a WAV file (a `Path`, or a string that ends in .wav) of any rate and channel count, or
                an array (int16, or float32 in [-1, 1]; shape (n,) or (n, channels)).
            sample_rate_hz: of an array.
            timeout_s: for all of it.

        Raises:
            BadAudio, AudioFileNotFound: there is nothing to ask.
            TimedOut: the answer did not come in time, or nothing more of it came for `response_timeout_s`.
            BudgetSpent: the budget allows no answer, or none to what a tool has returned.
            ServerError: the response failed, and was not to be asked for again (see `Retry`) or failed again.
            ConnectionDropped: the connection ended, and did not come back.
        """
        must_be_seconds(timeout_s)
        question = await in_thread(read_question, what, sample_rate_hz)
        try:
            async with asyncio.timeout(timeout_s), self._asking:
                await self.connect()
                await self.calls.look_again()
                if question.text is not None:
                    item = self.protocol.send_text(question.text)
                    wish = self.protocol.respond()
                    self._pump()
                    await self._whole_answer(wish, item)
                else:
                    wish = await self._ask_aloud(question.pcm or b"")
        except TimedOut:
            raise
        except TimeoutError:
            raise TimedOut(
                f"no whole answer within {timeout_s:g} s (state: {self.state})",
                "pass a larger timeout_s, or look at session.events for what did come.",
            ) from None
        return reply_of(self.protocol.conversation, self.tables.sound, wish.response_ids)

    async def _ask_aloud(self, pcm: bytes) -> Wish:
        async with self._one_utterance(pcm) as commit:
            wish = self.protocol.respond()
            self._pump()
            await self._whole_answer(wish, commit)
        return wish

    async def _whole_answer(self, wish: Wish, question: Request) -> None:
        try:
            await self._waits.settled(wish, question)
        finally:
            if not wish.done:
                # Nobody waits for it any more: it is not to be asked for again.
                self.protocol.ask_no_more(wish)
                self._pump()

    @on_loop
    async def speak(self, pcm: bytes) -> None:
        """Say this as one utterance, over the answer too, and ask for its answer.

        Returns when the server has taken it, and waits for no answer: turn detection and microphone are then
        as they were.

        Args:
            pcm: int16 little endian, mono, 24 000 Hz; 100 ms or more.

        Raises:
            ServerError: the server refuses it.
        """
        await self.connect()
        await self.interrupt()
        await self.utter(pcm, {})

    @on_loop
    async def utter(self, pcm: bytes, response: Mapping[str, Any] | None) -> None:
        """As `speak`, and over nothing: an answer that is being given goes on.

        Args:
            pcm: as there.
            response: fields of the response that answers it; None: nobody answers.

        Raises:
            ServerError: the server refuses it.
        """
        await self.connect()
        await self.calls.look_again()
        async with self._asking, self._one_utterance(pcm) as commit:
            if response is not None:
                self.protocol.respond(response)
            await self._answered(commit)

    @contextlib.asynccontextmanager
    async def _one_utterance(self, pcm: bytes) -> AsyncIterator[Request]:
        """Append and commit this; inside, turn detection is off and the microphone is not heard."""
        protocol = self.protocol
        self.microphone.held = True
        detection = None
        try:
            await self.first_settings_told()
            detection = protocol.turn_detection
            if self._giving_back is not None and not self._giving_back.done:
                # The server has not told yet that it has it back from the utterance before.
                detection = self._lent_detection
            if detection is not None:
                await self._answered(protocol.update({"audio": {"input": {"turn_detection": None}}}))
            if protocol.uncommitted_samples:
                protocol.clear()
            self._append(pcm)
            commit = protocol.commit()
            try:
                yield commit
            except BaseException:
                # Nobody waits for it any more: where it has not been taken yet, it is not said again.
                protocol.withdraw(commit)
                raise
        finally:
            self.microphone.held = False
            # While it reconnects too: the next connection is asked for it then.
            if detection is not None and self._at in {"open", "reconnecting"}:
                self._lent_detection = detection
                self._giving_back = protocol.update({"audio": {"input": {"turn_detection": detection}}})
                self._pump()

    async def first_settings_told(self) -> None:
        """Right after connecting the server's defaults are told, and not what it was asked for."""
        asked = self._first_update
        if asked is not None:
            with contextlib.suppress(TimedOut):
                await self._waits.until(lambda: asked.done, asked.answer_type, _SETTINGS_GRACE_S)

    async def _answered(self, request: Request) -> None:
        self._pump()
        await self._waits.answered(request, _ANSWER_TIMEOUT_S)

    @on_loop
    async def send_text(self, text: str, role: str = "user") -> str:
        """Add a message; `respond()` asks for the answer. Returns the item's id.

        While a response is active it waits, and goes out after it.

        Args:
            text: what is said.
            role: by whom: `user`, `system` or `assistant`.

        Raises:
            BadSetting: another role; no text.
            ServerError: the server refuses it.
        """
        if role not in ("user", "system", "assistant"):
            raise BadSetting(f"role {role!r}", "use 'user', 'system' or 'assistant'.")
        must_be_text(text=text)
        await self.connect()
        return await self._added(self.protocol.send_text(text, role))

    @on_loop
    async def add(self, item: dict[str, Any], previous_item_id: str | None = None) -> str:
        """Add any item to the conversation: text, audio, an image, a function's output. Returns its id.

        While a response is active it waits, and goes out after it.

        Args:
            item: as the API writes it, in either dialect.
            previous_item_id: after which it stands; "root" is before all others; None is at the end.

        Raises:
            BadSetting: JSON cannot carry it.
            ServerError: the server refuses it.
        """
        given: object = item
        if not isinstance(given, dict):
            raise BadSetting(
                f"an item is a {type(given).__name__}", "give the API's object: {'type': 'message', ...}."
            )
        must_be_json(item)
        if previous_item_id is not None:
            must_be_text(previous_item_id=previous_item_id)
        await self.connect()
        return await self._added(self.protocol.add_item(item, previous_item_id))

    async def _added(self, request: Request) -> str:
        self._pump()
        # One that waits for its turn has not been sent.
        if request.event_id:
            # There are servers that confirm no item.
            with contextlib.suppress(TimedOut):
                await self._waits.answered(request, _ITEM_GRACE_S)
        # Or that give it another name.
        return str(request.item_id if request.answer is None else request.answer.item_id)

    @offers_nearest
    @on_loop
    async def send_audio(self, what: Path | str | NDArray[Any] | bytes, sample_rate_hz: int = 24_000) -> None:
        """Append audio to the input buffer, as the microphone does; turn detection hears it.

        Args:
            what: as in `ask`, or PCM16 little endian mono 24 000 Hz bytes.
            sample_rate_hz: of an array.

        Raises:
            BadAudio: it is no audio.
        """
        pcm = await in_thread(read_sound, what, sample_rate_hz)
        await self.connect()
        self._append(pcm)
        self._pump()

    def _append(self, pcm: bytes) -> None:
        for chunk in frames(pcm, _ASK_CHUNK_BYTES):
            self.protocol.append_audio(chunk)

    @on_loop
    async def commit(self) -> None:
        """End the user's utterance (with turn detection off).

        Raises:
            NothingToDo: no audio was appended.
        """
        await self.connect()
        samples = self.protocol.uncommitted_samples
        if samples * 2 < _MIN_ASK_BYTES:
            there = f"only {samples // 24} ms of audio" if samples else "no audio"
            raise NothingToDo(
                f"there is {there} to commit: the API takes none under 100 ms",
                "send_audio() first, or let the microphone run.",
            )
        await self._answered(self.protocol.commit())

    @on_loop
    async def press(self, *, page: str = "", at_ms: float = math.nan) -> None:
        """Push to talk: the user begins to speak. An answer stops; what was appended before is forgotten.

        With turn detection off the microphone is heard from here to `release()`, also while this connects.

        Args:
            page: where a key was pressed, and when on that page's clock; frames of its microphone that were
                captured before, and come after, are none of the utterance.
            at_ms: see `page`; NaN: what comes from now on counts.
        """
        self.microphone.pressed(page, at_ms)
        if self._at in {"idle", "connecting"}:
            await self.connect()
        elif self._at == "reconnecting":
            self.protocol.press()
            self._pump()
            await self.connect()
        else:
            await self.connect()
            self.protocol.press()
            self._pump()

    @on_loop
    async def release(self) -> None:
        """Push to talk: the utterance ends and is answered.

        Raises:
            NothingToDo: it is shorter than 100 ms; nothing was sent.
        """
        self.microphone.released()
        if self._at != "reconnecting":
            await self.connect()
        if self.protocol.release() is None:
            samples = self.protocol.uncommitted_samples
            self._tell_state()
            raise NothingToDo(
                f"that was {samples // SAMPLES_PER_MS} ms of audio: the API takes no utterance under 100 ms",
                "hold it while you speak.",
            )
        self._pump()

    @on_loop
    async def respond(self, /, **overrides: Any) -> str | None:
        """Ask for a response, and wait until it begins. While one is active it waits and goes out after it.

        Args:
            **overrides: fields of the response that differ from the session's (`instructions`, ...). With
                `conversation="none"` it is no part of the conversation and runs beside.

        Returns:
            The response's id; None where it waits for its turn.

        Raises:
            BudgetSpent: the budget allows none.
            ServerError: the server refuses it.
            TimedOut: it does not begin.
        """
        check_response(overrides)
        must_be_json(overrides)
        await self.connect()
        await self.calls.look_again()
        wish = self.protocol.respond(overrides)
        self._pump()
        await self._waits.begun(wish, self.protocol.waits_its_turn, BEGIN_TIMEOUT_S)
        return wish.response_ids[0] if wish.response_ids else None

    @on_loop
    async def interrupt(self) -> bool:
        """Stop the answer; the model will remember only what was heard.

        Returns:
            False where there was nothing to stop.
        """
        self._raise_if_ended()
        stopped = self.protocol.interrupt()
        self._pump()
        return stopped

    @on_loop
    async def clear(self) -> None:
        """Forget the audio appended since the last commit."""
        await self.connect()
        await self._answered(self.protocol.clear())

    async def update(self, /, **fields: Any) -> None:
        """Change the session: `instructions`, `voice`, `turn_detection` or any other field of the API.

        Waits for the server's word. What it ignores without one is a `SettingIgnored` warning.

        Raises:
            BadSetting: a value that cannot be; another voice after the model has spoken.
            ServerError: the server refuses it.
            TimedOut: the server says nothing.
        """
        for line in await self.apply_update(fields):
            warnings.warn(line, SettingIgnored, stacklevel=2)

    @on_loop
    async def apply_update(self, fields: dict[str, Any]) -> list[str]:
        """As `update`, without the warnings: returns what the server has ignored, a line each."""
        session = canonical_session(**fields)
        must_be_json(session)
        await self.connect()
        if self.protocol.voice_is_fixed:
            check_voice(session, self.protocol.conversation.session)
        if "tools" in session:
            # From now on the user says which there are.
            self.calls.set_by_user = True
        request = self.protocol.update(session)
        await self._answered(request)
        return self.ignored_settings(request)

    @on_loop
    async def delete(self, item_id: str) -> None:
        """Delete an item from the server's conversation.

        Raises:
            UnknownItem: there is none with this id.
        """
        await self.connect()
        self._check_item(item_id)
        await self._answered(self.protocol.delete(item_id))

    @on_loop
    async def retrieve(self, item_id: str) -> dict[str, Any]:
        """An item as the server has it, canonical; what the user said with its audio, base64.

        Raises:
            UnknownItem: there is none with this id.
            ServerError: the server has none.
        """
        await self.connect()
        self._check_item(item_id)
        request = self.protocol.retrieve(item_id)
        await self._answered(request)
        return request.answer.part("item") if request.answer is not None else {}

    @on_loop
    async def truncate(self, item_id: str, audio_end_ms: int) -> None:
        """Let the model forget what it said in this item after a position. Interruptions do so by themselves.

        Args:
            item_id: of an answer with sound.
            audio_end_ms: what is before it stays.

        Raises:
            UnknownItem: there is none with this id.
            BadSetting: a position outside the audio that was received.
            ServerError: the server refuses it.
        """
        await self.connect()
        self._check_item(item_id)
        received_ms = self.protocol.conversation.items[item_id].generated_samples / SAMPLES_PER_MS
        given: object = audio_end_ms
        if not isinstance(given, int | float) or not 0 <= given <= received_ms:
            raise BadSetting(
                f"audio_end_ms is {audio_end_ms!r}: {received_ms:.0f} ms of this item's audio have come",
                "give a position within it.",
            )
        await self._answered(self.protocol.truncate(item_id, int(audio_end_ms)))

    def _check_item(self, item_id: str) -> None:
        items = self.protocol.conversation.items
        given: object = item_id
        if not isinstance(given, str) or given not in items or items[given].deleted:
            raise UnknownItem(item_id)

    @offers_nearest
    @on_loop
    async def label(
        self,
        turn: int | None = None,
        label: str | None = None,
        *,
        tags: str | Iterable[str] | None = None,
        rating: Rating | None = None,
    ) -> None:
        """Say of a turn what you think of it: columns of `turns`, and a row of the log.

        What is not given stays as it was. Nothing is sent, and nothing connects for it; it works after the
        end too.

        Args:
            turn: its number; None is the newest.
            label: a text of at most 2,000 characters; "" takes it away.
            tags: all tags of the turn, or its only one; [] takes them away.
            rating: "up" or 1, "down" or -1; 0 takes it away.

        Raises:
            UnknownTurn: there is no such turn.
            BadSetting: nothing is said of it, or what cannot be.
        """
        turns = len(self.protocol.conversation.turns)
        self.note("label", **label_fields(turn, label, tags, rating, turns))

    @on_loop
    async def send(self, event: dict[str, Any]) -> None:
        """Send any client event as it is.

        Raises:
            BadSetting: it is no event, or holds what JSON cannot carry.
            BudgetSpent: it asks for a response, and the budget allows none.
        """
        given: object = event
        if not isinstance(given, dict) or not isinstance(given.get("type"), str):
            raise BadSetting("an event without a type", "send a dict such as {'type': 'response.create'}.")
        must_be_json(event)
        await self.connect()
        verdict = self.protocol.budget.verdict
        if event["type"] == "response.create" and verdict.stops:
            raise BudgetSpent(verdict.message, verdict.next_step)
        self._line.send(dict(event))

    @offers_nearest
    @on_loop
    async def wait(self, event_type: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """Wait for the next event of this type (either dialect's name) and return it.

        Raises:
            TimedOut: it did not come.
            ConnectionDropped: the connection ended first, and did not come back.
        """
        must_be_seconds(timeout_s)
        must_be_text(event_type=event_type)
        self._raise_if_ended()
        return await self._waits.next({dialects.canonical_type(event_type)}, timeout_s)

    def on(self, event_type: str, callback: Callable[[dict[str, Any]], object]) -> None:
        """Call `callback(event)` for each event of this type, received or local; `*` is every one.

        Runs on the callback thread, in order; what it raises becomes a `local.callback.error` row. Any thread
        may call this.
        """
        self._waits.on(dialects.canonical_type(event_type), callback)
