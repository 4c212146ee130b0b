"""What a session was asked to be, change over change."""

from __future__ import annotations

from gip_nb.protocol.configuration import Configuration


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


def test_settled_changes_are_refused_no_more_and_many_do_not_pile_up() -> None:
    asked = Configuration()
    for n in range(200):
        asked.asked(f"e{n}", {"instructions": str(n)})
    assert len(asked._open) <= 64
    asked.settle()
    asked.refused("e199")
    assert asked.now() == {"instructions": "199"}
