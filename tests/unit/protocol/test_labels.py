"""What a user says of a turn: checked before it is a row, and the last row that names a thing counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gip_nb.errors import BadSetting, UnknownTurn
from gip_nb.journal.log import EventLog
from gip_nb.protocol.client import ClientProtocol
from gip_nb.protocol.conversation import Conversation
from gip_nb.protocol.frames import Event, encode_event
from gip_nb.protocol.labels import MOST_LABEL_CHARS, MOST_TAG_CHARS, MOST_TAGS, label_fields
from gip_nb.protocol.outputs import ItemChanged, TurnLabelled

TURNS = 3
UNREADABLE: tuple[Any, ...] = ("up", 5, [1], True, {})


def fields(
    turn: Any = None, label: Any = None, tags: Any = None, rating: Any = None, turns: int = TURNS
) -> dict[str, Any]:
    return label_fields(turn, label, tags, rating, turns)


@pytest.mark.parametrize(
    ("given_", "made"),
    [
        ((2, "wrong city"), {"turn": 2, "label": "wrong city"}),
        ((None, "  newest\n"), {"turn": 3, "label": "newest"}),
        ((np.int64(1), None, None, np.int8(-1)), {"turn": 1, "rating": -1}),
        ((1, "", [], 0), {"turn": 1, "label": "", "tags": [], "rating": None}),
        ((1, None, "geo"), {"turn": 1, "tags": ["geo"]}),
        ((1, None, " "), {"turn": 1, "tags": []}),
        ((1, None, (t for t in ("geo", " tool ", "geo"))), {"turn": 1, "tags": ["geo", "tool"]}),
        ((1, None, None, "up"), {"turn": 1, "rating": 1}),
        ((1, None, None, "down"), {"turn": 1, "rating": -1}),
        ((1, "x" * MOST_LABEL_CHARS), {"turn": 1, "label": "x" * MOST_LABEL_CHARS}),
    ],
)
def test_a_row_names_only_what_was_given(given_: tuple[Any, ...], made: dict[str, Any]) -> None:
    assert fields(*given_) == made


@pytest.mark.parametrize(
    ("turn", "turns", "says"),
    [
        (None, 0, "there is no turn yet"),
        (1, 0, "no turn 1 in this session: there is no turn yet"),
        (0, 1, "there is turn 1 only"),
        (4, 3, "no turn 4 in this session: there are turns 1 to 3"),
        (-1, 3, "there are turns 1 to 3"),
    ],
)
def test_a_turn_that_is_not_there_is_named_with_those_that_are(
    turn: int | None, turns: int, says: str
) -> None:
    with pytest.raises(UnknownTurn) as problem:
        fields(turn, "x", turns=turns)
    assert says in problem.value.message
    assert "session.turns" in problem.value.next_step


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        (("wrong city",), 'label(label="...")'),
        ((True, "x"), "turn is True"),
        ((1.5, "x"), "turn is 1.5"),
        ((1,), 'rating="up"'),
        ((1, 7), "label is a int"),
        ((1, "x" * 2001), "label has 2,001 characters: it may have 2,000"),
        ((1, "\ud800"), "half a character"),
        ((1, None, 7), "tags is 7"),
        ((1, None, [1]), "a tag is a int"),
        ((1, None, ["a", " "]), "a tag is empty"),
        ((1, None, ["x" * (MOST_TAG_CHARS + 1)]), "a tag has 101 characters: it may have 100"),
        ((1, None, map(str, range(MOST_TAGS + 1))), "these are 51 tags: a turn may have 50"),
        ((1, None, None, 2), "rating is 2"),
        ((1, None, None, True), "rating is True"),
        ((1, None, None, "good"), "rating is 'good'"),
        ((1, None, None, 0.5), "rating is 0.5"),
    ],
)
def test_what_cannot_be_is_named_with_its_limit_and_a_way_out(given_: tuple[Any, ...], says: str) -> None:
    with pytest.raises(BadSetting) as problem:
        fields(*given_)
    assert says in str(problem.value)


# ------------------------------------------------------------------------------------------------ the reducer


def opened(log: EventLog, conversation: Conversation, turns: int = TURNS) -> None:
    """So many turns, each a text and its answer."""
    for n in range(1, turns + 1):
        for kind, told in (
            ("conversation.item.added", {"item": {"id": f"u{n}", "type": "message", "role": "user"}}),
            ("response.created", {"response": {"id": f"r{n}"}}),
            ("response.output_item.added", {"response_id": f"r{n}", "item": {"id": f"m{n}"}}),
            ("response.done", {"response": {"id": f"r{n}", "status": "completed"}}),
        ):
            log.append("received", encode_event({"type": kind, **told}))
            conversation.apply(Event(kind, {"type": kind, **told}), "received")


def verdicts(conversation: Conversation) -> list[tuple[Any, ...]]:
    return [(t.label, t.tags, t.rating) for t in conversation.turns]


said = st.tuples(
    st.none() | st.integers(1, TURNS),
    st.none() | st.text(st.characters(codec="utf-8"), max_size=8),
    st.none() | st.lists(st.sampled_from(["geo", "tool", "도시"]), max_size=4),
    st.sampled_from([None, "up", "down", 1, -1, 0]),
).filter(lambda one: any(part is not None for part in one[1:]))


@given(st.lists(said, max_size=12))
def test_the_last_row_that_names_a_thing_counts_and_the_log_alone_tells_the_same(
    sayings: list[tuple[Any, ...]],
) -> None:
    log, live = EventLog(), Conversation()
    opened(log, live)
    expected: list[dict[str, Any]] = [{"label": None, "tags": (), "rating": None} for _ in range(TURNS)]
    for turn, label, tags, rating in sayings:
        _, event = log.local("label", **fields(turn, label, tags, rating))
        live.apply(event, "local")
        one = expected[(turn or TURNS) - 1]
        if label is not None:
            one["label"] = label.strip() or None
        if tags is not None:
            one["tags"] = tuple(dict.fromkeys(tags))
        if rating is not None:
            one["rating"] = None if rating == 0 else 1 if rating in {"up", 1} else -1
    assert verdicts(live) == [tuple(one.values()) for one in expected]
    replayed = Conversation()
    for n, row in enumerate(log.rows):
        replayed.apply(log.event(n), row.direction, row.elapsed_ns / 1e9)
    assert verdicts(replayed) == verdicts(live)


@pytest.mark.parametrize(
    "row",
    [
        {},
        *({"turn": turn, "label": "x"} for turn in (None, 0, -1, TURNS + 1, "1", True, [1])),
        *({"turn": 1, "label": label} for label in (None, 7, ["x"])),
        *({"turn": 1, "tags": tags} for tags in (None, "geo", 7, {"a": 1})),
        *({"turn": 1, "rating": rating} for rating in UNREADABLE),
    ],
)
def test_a_row_that_says_nothing_readable_changes_nothing(row: dict[str, Any]) -> None:
    log, conversation = EventLog(), Conversation()
    opened(log, conversation)
    said = {"turn": 1, "label": "kept", "tags": ["kept"], "rating": -1}
    conversation.apply(Event("local.label", said), "local")
    before = verdicts(conversation)
    conversation.apply(Event("local.label", row), "local")
    assert verdicts(conversation) == before == [("kept", ("kept",), -1), *[(None, (), None)] * 2]


def test_all_rows_of_the_turn_are_to_be_shown_anew_and_whoever_keeps_a_record_is_told() -> None:
    protocol = ClientProtocol(lambda prefix: prefix)
    opened(EventLog(), protocol.conversation)
    protocol.observe(Event("local.label", {"turn": 2, "label": "x"}), "local", 1.0)
    assert protocol.take() == [*map(ItemChanged, ("u2", "m2", "r2")), TurnLabelled(2)]
    protocol.observe(Event("local.label", {"turn": 9, "label": "x"}), "local", 1.0)
    assert protocol.take() == []
