"""A gateway refuses, fails, or speaks the other dialect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import gip_nb
from gip_nb.errors import (
    ConnectionDropped,
    ConnectionRefused,
    DialectRefused,
    GipError,
    KeyRefused,
    UnknownModel,
)
from gip_nb.testing import (
    Close,
    Cut,
    HalfAFrame,
    Refuse,
    Stage,
    answer,
    error,
)
from tests.sim.session.test_scenes.scene import (
    KEY,
    MODELS,
    asked,
    check,
    connect,
    in_both_dialects,
    settled,
    told,
)

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.testing import Step

BAD_KEY = json.dumps({"error": {"code": "invalid_api_key", "message": f"Incorrect API key provided: {KEY}"}})
NO_MODEL = json.dumps({"error": {"code": "model_not_found", "message": "no such model for this key"}})
REFUSALS = {
    "no key": (Refuse(401), KeyRefused, "HTTP 401"),
    "a bad key": (Refuse(401, BAD_KEY), KeyRefused, "Incorrect API key provided: [key]"),
    "a key without the right": (Refuse(403, '{"detail": "Forbidden"}'), KeyRefused, "HTTP 403"),
    "no model, with 401": (Refuse(401, NO_MODEL), UnknownModel, "no such model"),
    "no model, with 403": (Refuse(403, NO_MODEL), UnknownModel, "no such model"),
    "no such route": (Refuse(404, "not here"), ConnectionRefused, "not here"),
}


@in_both_dialects
@pytest.mark.parametrize(("refusal", "kind", "text"), REFUSALS.values(), ids=REFUSALS)
def test_a_handshake_is_refused(dialect: Dialect, refusal: Refuse, kind: type[GipError], text: str) -> None:
    with Stage([refusal]) as stage, pytest.raises(GipError) as caught:
        connect(stage, dialect)
    told(caught.value, kind, text)
    assert caught.value.session is not None
    assert caught.value.session.events.type.tolist() == ["local.connection.refused"]
    check(caught.value.session, stage)


@in_both_dialects
def test_an_unknown_model_is_accepted_and_then_told_by_error_and_close(dialect: Dialect) -> None:
    script: list[Step] = [error("model_not_found", "The model `x` does not exist"), Close(1011, "upstream")]
    with Stage(script) as stage, pytest.raises(GipError) as caught:
        connect(stage, dialect)
    told(caught.value, UnknownModel, "The model `x` does not exist")
    assert caught.value.session is not None
    check(caught.value.session, stage)


@in_both_dialects
def test_an_upstream_that_is_down_is_a_close_with_no_event(dialect: Dialect) -> None:
    # A close without a word may also turn the dialect away: from beta, GA is tried before giving up.
    scripts = [[Close(1011)]] * (2 if dialect == "beta" else 1)
    with Stage(*scripts) as stage, pytest.raises(GipError) as caught:
        connect(stage, dialect)
    told(caught.value, ConnectionDropped, "1011")
    assert caught.value.session is not None
    check(caught.value.session, stage)


@in_both_dialects
def test_an_upstream_lost_in_mid_talk_is_an_error_that_names_1006_and_a_close(dialect: Dialect) -> None:
    cut_short = answer("It was a dark and stormy night", dialect=dialect)[:-6]
    lost = error("upstream_closed", "upstream connection closed with 1006", kind="server_error")
    with Stage([*asked(dialect), *cut_short, lost, Close(1011, "upstream lost")]) as stage:
        session = connect(stage, dialect, reconnect=False)
        with pytest.raises(GipError) as caught:
            session.ask("a story", timeout_s=3)
        settled(session, stage)
    told(caught.value, ConnectionDropped, "1011", "upstream lost")
    check(session, stage)
    assert "upstream connection closed with 1006" in set(session.events.text.dropna())
    assert session.turns.assistant_text.tolist() == ["It was a dark and stormy night"]


ENDS: dict[str, tuple[Step, type[GipError], str]] = {
    "1000": (Close(1000), ConnectionDropped, "code 1000"),
    "1001": (Close(1001, "going away"), ConnectionDropped, "going away"),
    "1006, no close frame": (Cut(), ConnectionDropped, "code 1006"),
    "1008": (Close(1008, "policy"), ConnectionDropped, "policy"),
    "1011": (Close(1011), ConnectionDropped, "code 1011"),
    "1012": (Close(1012), ConnectionDropped, "code 1012"),
    "3000, unauthorized": (Close(3000), KeyRefused, "code 3000"),
    "4000": (Close(4000, "made up"), ConnectionDropped, "made up"),
    "half a frame": (
        HalfAFrame({"type": "response.audio.delta", "delta": "A" * 400}),
        ConnectionDropped,
        "code 1006",
    ),
}


@in_both_dialects
@pytest.mark.parametrize(("end", "kind", "text"), ENDS.values(), ids=ENDS)
def test_a_connection_ends_in_the_middle_of_an_answer(
    dialect: Dialect, end: Step, kind: type[GipError], text: str
) -> None:
    with Stage([*asked(dialect), *answer("One two", dialect=dialect)[:-5], end]) as stage:
        session = connect(stage, dialect, reconnect=False)
        with pytest.raises(GipError) as caught:
            session.ask("count", timeout_s=3)
        settled(session, stage)
        with pytest.raises(kind):
            session.ask("and on?", timeout_s=3)
    told(caught.value, kind, text)
    check(session, stage)
    assert session.state == "error"


NO_BETA = error("beta_api_shape_disabled", "The Realtime Beta API is no longer supported.")
NOT_BETA: dict[str, list[Step]] = {
    "an error, then silence": [NO_BETA],
    "an error, then a close": [NO_BETA, Close(4000, "invalid_request_error.beta_api_shape_disabled")],
    "an error, then no close frame": [NO_BETA, Cut()],
    "a close that says so": [Close(4000, "invalid_request_error.beta_api_shape_disabled")],
    "just a close": [Close(1000)],
    "just a close, with an error's code": [Close(1011)],
    "no close frame": [Cut()],
    "a refused handshake": [Refuse(400, json.dumps(NO_BETA))],
}


@pytest.mark.parametrize("script", NOT_BETA.values(), ids=NOT_BETA)
def test_a_server_that_no_longer_speaks_beta_is_asked_in_ga(script: list[Step]) -> None:
    with Stage(script, [*asked("ga"), *answer("Hello")]) as stage:
        with connect(stage, "beta") as session:
            assert session.ask("hello", timeout_s=3).text == "Hello"
            settled(session, stage)
        check(session, stage)
    assert [visit.dialect for visit in stage.visits] == ["beta", "ga"]
    assert stage.visits[0].model == stage.visits[1].model == MODELS["beta"]
    assert stage.visits[0].received == []
    assert stage.visits[1].received[0]["session"]["type"] == "realtime"


def test_a_dialect_that_was_named_is_not_given_up() -> None:
    with Stage([NO_BETA, Close(4000)]) as stage, pytest.raises(GipError) as caught:
        gip_nb.connect(MODELS["beta"], base_url=stage.url, api_key=KEY, dialect="beta")
    told(caught.value, DialectRefused, "beta")
    assert caught.value.session is not None
    check(caught.value.session, stage)


def test_a_session_without_a_type_means_beta_whatever_was_asked_for() -> None:
    with Stage([*asked("beta"), *answer("Hello", dialect="beta")]) as stage, connect(stage, "ga") as session:
        assert session.ask("hello", timeout_s=3).text == "Hello"
        settled(session, stage)
        check(session, stage)
    assert stage.visits[0].dialect == "ga"
    (updated,) = [e for e in stage.received if e["type"] == "session.update"]
    assert "type" not in updated["session"]
    assert "turn_detection" in updated["session"]


def test_a_session_with_a_type_means_ga_whatever_was_asked_for() -> None:
    with Stage([*asked("ga"), *answer("Hello")]) as stage, connect(stage, "beta") as session:
        assert session.ask("hello", timeout_s=3).text == "Hello"
        settled(session, stage)
        check(session, stage)
    assert stage.received[0]["session"]["type"] == "realtime"
