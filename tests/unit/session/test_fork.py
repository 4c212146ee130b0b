"""What it takes to go on where a recorded talk was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.errors import BadSetting
from gip_nb.protocol.history import history_items
from gip_nb.session.fork import given_history_of, history_of, settings_of
from gip_nb.session.settings import resolve
from tests.unit.protocol.talks import TOOL, ask, new_pair

if TYPE_CHECKING:
    from gip_nb.protocol.events import Dialect
    from tests.unit.protocol.pair import ProtocolPair

both = pytest.mark.parametrize("dialect", ["beta", "ga"])
OPTIONS: list[dict[str, Any]] = [
    {},
    {"instructions": "Be brief.", "voice": "ash", "turn_detection": None, "transcription": False},
    {
        "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
        "transcription": {"model": "whisper-1", "language": "ko"},
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16",
        "input_audio_noise_reduction": {"type": "near_field"},
        "max_response_output_tokens": 100,
        "modalities": ["text"],
        "speed": 1.2,
    },
]


def begun(dialect: Dialect, **options: Any) -> ProtocolPair:
    pair = new_pair(dialect)
    session = resolve("rehearsal", environment={}, **options).session
    pair.do(lambda c: c.update({**session, "tools": [TOOL], "tool_choice": "auto"}))
    assert pair.errors == []
    return pair


@both
@pytest.mark.parametrize("options", OPTIONS, ids=["none", "named", "others"])
def test_a_talk_that_goes_on_asks_for_the_same(dialect: Dialect, options: dict[str, Any]) -> None:
    found = settings_of(begun(dialect, **options).log)
    wanted = resolve("rehearsal", environment={}, **options)
    assert resolve(**found, environment={}) == wanted
    assert found["model"] == "rehearsal"
    assert not found.keys() & {"tools", "tool_choice", "api_key", "base_url", "dialect", "audio"}


@both
@pytest.mark.parametrize(
    "change",
    [
        {"voice": "coral"},
        {"instructions": "Be kind.", "turn_detection": "server_vad"},
        {"transcription": False},
        {"modalities": ["text", "audio"]},
        {"output_modalities": ["audio"]},
        {"max_output_tokens": 7},
        {"max_response_output_tokens": 7},
        {"input_audio_format": "pcm16"},
        {"audio": {"input": {"format": {"type": "audio/pcma"}, "turn_detection": None}}},
        {"audio": {"output": {"voice": "coral", "speed": 0.9}}},
    ],
    ids=str,
)
def test_a_change_counts_in_whichever_dialects_name(dialect: Dialect, change: dict[str, Any]) -> None:
    found = settings_of(begun(dialect, **OPTIONS[2]).log)
    asked = resolve(**{**found, **change}, environment={}).session
    alone = resolve("rehearsal", **change, environment={}).session

    def laid_in(part: object, whole: object) -> bool:
        if isinstance(part, dict) and isinstance(whole, dict):
            return all(laid_in(value, whole.get(key)) for key, value in part.items())
        return part == whole

    # Those that `resolve` fills in by itself are no change.
    for name in ("turn_detection", "transcription"):
        if name not in change and name not in (change.get("audio") or {}).get("input", {}):
            del alone["audio"]["input"][name]
    assert laid_in(alone, asked)


@both
def test_settings_are_those_of_the_end_without_what_was_refused(dialect: Dialect) -> None:
    pair = begun(dialect, instructions="one")
    pair.do(lambda c: c.update({"instructions": "two", "max_output_tokens": 50}))
    pair.do(lambda c: c.update({"instructions": "three", "max_output_tokens": 100_000}))
    assert pair.errors == ["integer_above_max_value"]
    found = settings_of(pair.log)
    assert (found["instructions"], found["max_response_output_tokens"]) == ("two", 50)


def test_a_log_of_nothing_has_no_settings() -> None:
    pair = new_pair("ga")
    assert settings_of(pair.log) == {"model": "rehearsal"}
    pair.log.rows.clear()
    assert settings_of(pair.log) == {}
    assert history_of(pair.log) == []


@both
def test_the_history_of_a_log_is_that_of_its_conversation(dialect: Dialect) -> None:
    pair = begun(dialect)
    for text in ("one", "two"):
        ask(pair, text)
        pair.run()
    assert history_of(pair.log) == history_of(pair.log, 2) == history_items(pair.client.conversation)
    assert len(history_of(pair.log, 1)) == 2
    assert history_of(pair.log, 0) == []
    for turn in (3, -1, True, "1", 1.0):
        with pytest.raises(BadSetting, match=r"this talk has 2\n→ give a number from 0 to 2"):
            history_of(pair.log, turn)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(BadSetting, match=r"this talk has 0\n→ leave it out for all"):
        history_of(new_pair(dialect).log, 1)


@both
def test_what_a_talk_began_with_is_known_apart_from_what_was_added(dialect: Dialect) -> None:
    pair = begun(dialect)
    given = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "before"}]}
    pair.note("history", item_ids=["item_1"], source="given")
    pair.do(lambda c: c.add_item({**given, "id": "item_1"}))
    pair.do(lambda c: c.send_text("Be kind.", "system"))
    ask(pair)
    pair.run()
    assert given_history_of(pair.log) == [given]
    assert len(history_of(pair.log, 0)) == 2
