"""A response, or the whole session, comes to its end in another way than one hopes for."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from gip_nb.errors import (
    ConnectionDropped,
    GipError,
    ServerError,
)
from gip_nb.testing import (
    Close,
    Cut,
    Expect,
    Say,
    Stage,
    answer,
    error,
    session_created,
    session_updated,
)
from tests.sim.session.test_scenes.scene import (
    AT_ONCE,
    asked,
    check,
    connect,
    in_both_dialects,
    settled,
    told,
    until,
)

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing import Step


@in_both_dialects
def test_a_response_fails_with_no_output(dialect: Dialect) -> None:
    details = {"type": "failed", "error": {"type": "server_error", "code": "boom", "message": "it broke"}}
    failed = answer("", dialect=dialect, status="failed", status_details=details)
    again = answer("Now it works", dialect=dialect, response_id="resp_2", item_id="item_2")
    with Stage([*asked(dialect), *failed, Expect("response.create"), *again]) as stage:
        with connect(stage, dialect, retry=False) as session:
            with pytest.raises(GipError) as caught:
                session.ask("hello", timeout_s=3)
            assert session.ask("once more", timeout_s=3).text == "Now it works"
            settled(session, stage)
        check(session, stage)
    told(caught.value, ServerError, "it broke")
    assert session.turns.status.tolist() == ["failed", "completed"]


@in_both_dialects
@pytest.mark.parametrize(
    ("status", "details"),
    [
        ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}),
        ("incomplete", {"type": "incomplete", "reason": "content_filter"}),
        ("cancelled", {"type": "cancelled", "reason": "client_cancelled"}),
        ("cancelled", None),
    ],
)
def test_a_response_ends_early_with_no_output(
    dialect: Dialect, status: Any, details: dict[str, Any] | None
) -> None:
    ended = answer("", dialect=dialect, status=status, status_details=details)
    with Stage([*asked(dialect), *ended]) as stage, connect(stage, dialect) as session:
        reply = session.ask("hello", timeout_s=3)
        settled(session, stage)
        check(session, stage)
    assert (reply.text, reply.status) == ("", status)
    assert session.turns.status.tolist() == [status]


@in_both_dialects
def test_a_response_ends_in_one_event_alone(dialect: Dialect) -> None:
    with Stage([*asked(dialect), answer("All at once", dialect=dialect)[-1]]) as stage:
        with connect(stage, dialect) as session:
            assert session.ask("hello", timeout_s=3).text == "All at once"
            settled(session, stage)
        check(session, stage)


@in_both_dialects
def test_everything_but_the_deltas_comes_twice(dialect: Dialect) -> None:
    twice = list(
        chain.from_iterable(
            [event] if event["type"].endswith("delta") else [event, event]
            for event in answer("Said once", dialect=dialect)
        )
    )
    with Stage([*asked(dialect), *twice]) as stage, connect(stage, dialect) as session:
        reply = session.ask("hello", timeout_s=3)
        settled(session, stage)
        check(session, stage)
    assert reply.text == "Said once"
    assert session.turns.requests.tolist() == [1]
    assert session.turns.output_tokens.tolist() == [7]


EXPIRED = error("session_expired", "Your session hit the maximum duration of 60 minutes.")
GOODBYES: dict[str, tuple[list[Step], type[GipError], str]] = {
    "an error, then 1000": ([EXPIRED, Close(1000)], ServerError, "session_expired"),
    "an error, then 1001": ([EXPIRED, Close(1001, "session expired")], ServerError, "session_expired"),
    "an error, then no close frame": ([EXPIRED, Cut()], ServerError, "session_expired"),
    "a normal close": ([Close(1000)], ConnectionDropped, "code 1000"),
}


@in_both_dialects
@pytest.mark.parametrize(("goodbye", "kind", "text"), GOODBYES.values(), ids=GOODBYES)
def test_a_session_comes_to_its_end(
    dialect: Dialect, goodbye: list[Step], kind: type[GipError], text: str
) -> None:
    with Stage([*asked(dialect), *answer("Hello", dialect=dialect), *goodbye]) as stage:
        session = connect(stage, dialect, reconnect=False)
        session.ask("hello", timeout_s=3)
        settled(session, stage)
        until(lambda: session.state == "error", "the end is noticed")
    assert session.error is not None
    told(session.error, kind, text)
    assert "new session" in session.error.next_step
    check(session, stage)
    assert session.turns.assistant_text.tolist() == ["Hello"]


@in_both_dialects
def test_a_session_that_expired_is_resumed_with_its_configuration_and_history(dialect: Dialect) -> None:
    def remembers(role: str, text: str) -> dict[str, Any]:
        kind = {"user": "input_text", "assistant": "text" if dialect == "beta" else "output_text"}[role]
        return {"item": {"role": role, "content": [{"type": kind, "text": text}]}}

    first: list[Step] = [*asked(dialect), *answer("Nice to meet you", dialect=dialect), EXPIRED, Close(1000)]
    second: list[Step] = [
        session_created(dialect, id="sess_2"),
        Expect("session.update", {"session": {"instructions": "Be brief."}}),
        Say(session_updated),
        Expect("conversation.item.create", remembers("user", "I am Ada")),
        Expect("conversation.item.create", remembers("assistant", "Nice to meet you")),
        Expect("response.create"),
        *answer("Ada", dialect=dialect, response_id="resp_2", item_id="item_2"),
    ]
    with Stage(first, second, timeout_s=1) as stage:
        with connect(stage, dialect, instructions="Be brief.", reconnect=AT_ONCE) as session:
            session.ask("I am Ada", timeout_s=3)
            until(lambda: len(stage.visits) == 2, "it is opened again")
            assert session.ask("Who am I?", timeout_s=3).text == "Ada"
            check(session, stage)
