"""What a session was asked to be, change over change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import BadSetting
from gip_nb.protocol.audio_formats import format_told
from gip_nb.protocol.configuration import Configuration, overlaid, side_of
from gip_nb.protocol.dialects import client_event_to_wire
from gip_nb.protocol.settings_again import one_by_one

NAMES = st.sampled_from(
    [
        *("audio", "input", "output", "voice", "speed", "type", "tools", "tool_choice", "turn_detection"),
        *("modalities", "input_audio_format", "input_audio_transcription", "format", "other"),
    ]
)


def test_changes_lie_over_one_another_and_a_refused_one_is_taken_back() -> None:
    asked = Configuration()
    asked.asked("e1", {"instructions": "one", "audio": {"output": {"voice": "ash"}}})
    asked.asked("e2", {"instructions": "two", "max_output_tokens": -1})
    asked.asked("e2", {"instructions": "told twice"})
    assert asked.now() == {
        "instructions": "two",
        "max_output_tokens": -1,
        "audio": {"output": {"voice": "ash"}},
    }
    asked.refused("e2")
    asked.refused(None)
    assert asked.now() == {"instructions": "one", "audio": {"output": {"voice": "ash"}}}


def test_what_is_off_stays_off_and_what_is_taken_back_is_gone() -> None:
    asked = Configuration()
    asked.asked("e1", {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}, "temperature": 0.9})
    asked.asked("e2", {"audio": {"input": {"turn_detection": None}}, "temperature": None})
    assert asked.now() == {"audio": {"input": {"turn_detection": None}}}


def test_a_raw_event_in_either_dialects_names() -> None:
    asked = Configuration()
    asked.asked("e1", {"type": "realtime", "voice": "ash", "turn_detection": None, "modalities": ["text"]})
    now = asked.now()
    assert now["audio"] == {"output": {"voice": "ash"}, "input": {"turn_detection": None}}
    assert now["output_modalities"] == ["text"]
    asked.asked("e2", {"audio": "loud"})
    assert asked.now() == now


def test_many_do_not_pile_up_and_what_is_asked_anew_may_be_refused_anew() -> None:
    asked = Configuration()
    for n in range(200):
        asked.asked(f"e{n}", {"instructions": str(n)})
    assert len(asked._open) <= 64
    assert asked.taken() == {"instructions": "199"}
    assert asked.now() == {}
    asked.asked("again", {"instructions": "199"})
    assert asked.now() == {"instructions": "199"}
    asked.refused("again")
    assert asked.now() == {}


def test_what_no_api_knows_does_no_harm() -> None:
    asked = Configuration()
    asked.asked("e1", {"instructions": "one", "audio": {"output": {"voice": "ash"}}})
    before = asked.now()
    asked.asked("e2", {"audio": {"input": 5}})
    assert asked.now() == before
    with pytest.raises(BadSetting, match=r"audio.input 5"):
        overlaid(before, {"audio": {"input": 5}})


plain = st.none() | st.integers(0, 2) | st.sampled_from(["", "realtime", "server_vad"])
inner = plain | st.lists(plain, max_size=2) | st.dictionaries(NAMES, plain, max_size=2)
value = inner | st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3)


@given(changes=st.lists(st.dictionaries(NAMES, value, max_size=4), max_size=4))
def test_no_raw_update_raises(changes: list[dict[str, Any]]) -> None:
    asked = Configuration()
    for n, change in enumerate(changes):
        asked.asked(f"e{n}", change)
    session = asked.now()
    assert isinstance(side_of(asked.now(), "input"), dict)
    assert all(path and len(part) == 1 for path, part in one_by_one(session))
    format_told(session, "input")
    for dialect in ("beta", "ga"):
        client_event_to_wire({"type": "session.update", "session": session}, dialect)
    assert asked.taken() == session
