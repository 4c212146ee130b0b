"""Settings of a session that the server takes, and those that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.protocol.server.server_end import ServerEnd, error_of, kinds

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect

BOTH = pytest.mark.parametrize("dialect", ["beta", "ga"])


@BOTH
def test_session_updated_comes_only_when_asked_and_shows_all_settings(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    [updated] = end.update(instructions="Be brief.")
    assert updated["type"] == "session.updated"
    assert updated["session"]["instructions"] == "Be brief."
    assert updated["session"]["tool_choice"] == "auto"
    [updated] = end.set_transcription()
    assert updated["session"]["instructions"] == "Be brief."


def test_partial_audio_settings_leave_the_others_alone() -> None:
    end = ServerEnd("ga")
    end.update(audio={"output": {"voice": "marin"}})
    end.update(audio={"input": {"transcription": {"model": "gpt-4o-transcribe", "language": "en"}}})
    [updated] = end.update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.8}}})
    audio = updated["session"]["audio"]
    assert audio["output"]["voice"] == "marin"
    assert audio["input"]["transcription"] == {"model": "gpt-4o-transcribe", "language": "en"}
    assert audio["input"]["turn_detection"]["threshold"] == 0.8
    assert audio["input"]["turn_detection"]["silence_duration_ms"] == 500
    [updated] = end.set_turn_detection(None)
    assert updated["session"]["audio"]["input"]["turn_detection"] is None
    [updated] = end.set_turn_detection({"type": "semantic_vad", "eagerness": "low"})
    assert updated["session"]["audio"]["input"]["turn_detection"]["eagerness"] == "low"


@pytest.mark.parametrize(
    ("dialect", "session", "code", "param"),
    [
        ("ga", {}, "missing_required_parameter", "session.type"),
        ("ga", {"type": "realtime", "modalities": ["text"]}, "unknown_parameter", "session.modalities"),
        ("ga", {"type": "realtime", "temperature": 0.8}, "unknown_parameter", "session.temperature"),
        ("ga", {"type": "transcription"}, "invalid_value", "session.type"),
        (
            "ga",
            {"type": "realtime", "output_modalities": ["text", "audio"]},
            "invalid_value",
            "session.output_modalities",
        ),
        (
            "ga",
            {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "psychic"}}}},
            "invalid_value",
            "session.audio.input.turn_detection.type",
        ),
        (
            "ga",
            {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
            "invalid_value",
            "session.audio.input.format.rate",
        ),
        (
            "ga",
            {"type": "realtime", "audio": {"input": {"gain": 2}}},
            "unknown_parameter",
            "session.audio.input.gain",
        ),
        ("beta", {"type": "realtime"}, "unknown_parameter", "session.type"),
        ("beta", {"modalities": ["audio"]}, "invalid_value", "session.modalities"),
        (
            "beta",
            {"turn_detection": {"type": "server_vad", "threshold": 1.5}},
            "decimal_above_max_value",
            "session.turn_detection.threshold",
        ),
        (
            "beta",
            {"turn_detection": {"type": "server_vad", "silence_duration_ms": "500"}},
            "invalid_type",
            "session.turn_detection.silence_duration_ms",
        ),
        (
            "beta",
            {"input_audio_transcription": {"enabled": True}},
            "unknown_parameter",
            "session.input_audio_transcription.enabled",
        ),
        ("beta", {"input_audio_format": "mp3"}, "invalid_value", "session.input_audio_format"),
        ("beta", {"instructions": 7}, "invalid_type", "session.instructions"),
        ("beta", {"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
        (
            "beta",
            {"max_response_output_tokens": 0},
            "integer_below_min_value",
            "session.max_response_output_tokens",
        ),
        ("beta", {"speed": 9.0}, "decimal_above_max_value", "session.speed"),
        ("beta", {"tool_choice": "perhaps"}, "invalid_value", "session.tool_choice"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(
    dialect: Dialect, session: dict[str, object], code: str, param: str
) -> None:
    end = ServerEnd(dialect)
    before = end.events[0]["session"]
    error = error_of(end.send("session.update", session=session, event_id="mine"))
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")
    assert param in error["message"] or code == "invalid_value"
    [updated] = end.update(instructions=before["instructions"])
    assert updated["session"] == before, "a refused update changes nothing"


def test_noise_reduction_has_a_kind_and_in_ga_a_strength() -> None:
    end = ServerEnd("ga")

    def reduced(**value: object) -> list[dict[str, Any]]:
        return end.update(audio={"input": {"noise_reduction": value}})

    [updated] = reduced(type="near_field")
    assert updated["session"]["audio"]["input"]["noise_reduction"] == {"type": "near_field"}
    [updated] = reduced(type="far_field", strength=1)
    assert updated["session"]["audio"]["input"]["noise_reduction"]["strength"] == 1.0
    param = "session.audio.input.noise_reduction"
    assert error_of(reduced(type="near_field", strength=2))["param"] == f"{param}.strength"
    assert error_of(reduced(type="near_field", loudness=1))["code"] == "unknown_parameter"
    assert error_of(reduced(type="no_field"))["param"] == f"{param}.type"


def test_a_beta_voice_is_a_name() -> None:
    error = error_of(ServerEnd("beta").update(voice={"id": "voice_1"}))
    assert (error["code"], error["param"]) == ("invalid_type", "session.voice")


@BOTH
def test_the_voice_stays_once_it_has_spoken(dialect: Dialect) -> None:
    end = ServerEnd(dialect)
    voice = {"voice": "ash"} if dialect == "beta" else {"audio": {"output": {"voice": "ash"}}}
    assert kinds(end.update(**voice)) == ["session.updated"]
    end.send("response.create")
    assert kinds(end.update(**voice)) == ["session.updated"], "the same voice is no change"
    other = {"voice": "echo"} if dialect == "beta" else {"audio": {"output": {"voice": "echo"}}}
    assert error_of(end.update(**other))["code"] == "cannot_update_voice"
