"""What may be asked, and the reply that several responses make together."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gip_nb.audio import wav_bytes
from gip_nb.errors import AudioFileNotFound, BadAudio
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.frames import Event
from gip_nb.session.reply import Question, Reply, read_question, reply_of

PCM = np.arange(-2400, 2400, dtype="<i2").tobytes()


# -------------------------------------------------------------------------------------------------- questions


def test_a_string_is_text_unless_it_ends_like_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("question.wav").write_bytes(wav_bytes(PCM))
    Path("LOUD.WAV").write_bytes(wav_bytes(PCM))
    assert read_question("what is a .wav file?") == Question(text="what is a .wav file?")
    for name in (
        "question.wav",
        " question.wav\n",
        "LOUD.WAV",
        Path("question.wav"),
        tmp_path / "question.wav",
    ):
        assert read_question(name) == Question(pcm=PCM)


@pytest.mark.parametrize(
    "what", ["there is none.wav", Path("none"), "~nobody-has-this-name/x.wav", "a\0.wav", Path()]
)
def test_a_file_that_is_not_there(what: str | Path) -> None:
    with pytest.raises(AudioFileNotFound, match="there is no file") as caught:
        read_question(what)
    assert isinstance(caught.value, FileNotFoundError)


def test_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "q.wav").write_bytes(wav_bytes(PCM))
    assert read_question("~/q.wav").pcm == PCM


def test_a_folder_or_a_text_file_is_no_audio(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(AudioFileNotFound):
        read_question(tmp_path / "folder.wav")
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(BadAudio):
        read_question(tmp_path / "text.wav")


@pytest.mark.parametrize(
    "what", ["", "  \n", None, 5, ["a"], b"pcm", np.zeros(0, "int16"), np.array(["x"])], ids=repr
)
def test_what_cannot_be_asked(what: Any) -> None:
    with pytest.raises(BadAudio) as caught:
        read_question(what)
    assert caught.value.next_step


def test_an_array_is_sound_at_its_own_rate() -> None:
    samples = np.frombuffer(PCM, "<i2")
    assert read_question(samples).pcm == PCM
    slower = read_question(samples, sample_rate_hz=12_000).pcm
    assert slower is not None
    assert len(slower) == 2 * len(PCM)


# ---------------------------------------------------------------------------------------------------- replies


def conversation() -> Conversation:
    """A spoken question at 10 s, a tool call, and an answer in two items."""
    found = Conversation()

    def got(kind: str, at_s: float, audio: bytes | None = None, **fields: Any) -> None:
        found.apply(Event(kind, {"type": kind, **fields}, audio), "received", at_s)

    got("input_audio_buffer.committed", 10.0, item_id="u")
    got("response.created", 10.25, response={"id": "r1"})
    call = {"id": "f", "type": "function_call", "call_id": "c", "name": "now", "arguments": "{}"}
    usage = {"input_tokens": 7, "output_tokens": 2}
    got("response.done", 10.5, response={"id": "r1", "status": "completed", "output": [call], "usage": usage})
    got("response.output_audio.delta", 11.0, PCM, response_id="r2", item_id="a1")
    got(
        "response.output_audio_transcript.done",
        11.1,
        response_id="r2",
        item_id="a1",
        transcript=" It is noon. ",
    )
    got("response.output_text.done", 11.2, response_id="r2", item_id="a2", text="Really.")
    got("response.output_item.added", 11.2, response_id="r2", item={"id": "a3", "type": "message"})
    got("response.done", 11.5, response={"id": "r2", "status": "incomplete", "usage": usage})
    return found


def test_a_reply_is_the_words_and_sound_of_all_its_responses() -> None:
    asked = []

    def sound(item_id: str) -> bytes:
        asked.append(item_id)
        return PCM

    reply = reply_of(conversation(), sound, ["r1", "r2"])
    assert (reply.text, str(reply), reply.pcm) == ("It is noon.\nReally.", "It is noon.\nReally.", PCM)
    assert asked == ["a1"]
    assert (reply.item_id, reply.status, reply.turn) == ("a3", "incomplete", 1)
    assert reply.usage == {"requests": 2, "input_tokens": 14, "output_tokens": 4}
    assert reply.latency == {"first_event_ms": 250.0, "first_audio_ms": 1000.0}


def test_a_reply_of_nothing() -> None:
    reply = reply_of(conversation(), lambda _: PCM, ["never came"])
    assert (reply.text, reply.pcm, reply.item_id, reply.status, reply.turn) == (
        "",
        b"",
        None,
        "cancelled",
        None,
    )
    assert reply.usage == {"requests": 0, "input_tokens": 0, "output_tokens": 0}
    assert reply.latency == {"first_event_ms": None, "first_audio_ms": None}
    assert reply.audio.shape == (0,)


def test_a_greeting_has_no_latency() -> None:
    found = Conversation()
    found.apply(Event("response.created", {"response": {"id": "r"}}), "received", 3.0)
    assert reply_of(found, lambda _: b"", ["r"]).latency["first_event_ms"] is None


def test_a_reply_shows_its_words_safely_and_its_sound() -> None:
    reply = Reply("<b>hi</b>", PCM, "a", "completed", 1, {}, {})
    page = reply._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;hi" in page
    assert base64.b64encode(wav_bytes(PCM)).decode() in page
    assert "audio" not in Reply("hi", b"", "a", "completed", 1, {}, {})._repr_html_()
    assert repr(PCM) not in repr(reply)


def test_the_sound_of_a_reply_is_an_array_of_one_s_own() -> None:
    audio = Reply("hi", PCM, "a", "completed", 1, {}, {}).audio
    assert (audio.dtype, audio.shape, audio[0], audio[-1]) == (np.dtype("int16"), (4800,), -2400, 2399)
    audio[0] = 1  # writable, and nobody else's
