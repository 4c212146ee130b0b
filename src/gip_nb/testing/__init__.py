"""Fakes for tests without a key, a network or a microphone: yours, and this package's own.

`Stage` is a realtime server on this machine that plays a script to whatever client connects: what it says,
what it waits for, and how it fails. `ScriptedTransport` stands in for the connection itself, in memory.
A session opens a lost connection again: a script for each, or `reconnect=False` where the loss is the point.

A whole test::

    import gip_nb
    from gip_nb.testing import Close, Expect, Stage, answer, session_created

    script = [
        session_created(),
        Expect("response.create"),
        *answer("Two and two is four."),
        Expect("response.create"),
        Close(1011, "upstream lost"),
    ]
    with Stage(script) as stage:
        session = gip_nb.connect(
            "openai/gpt-realtime", base_url=stage.url, api_key="any", reconnect=False
        )
        reply = session.ask("What is two and two?")
        assert reply.text == "Two and two is four."
        try:
            session.ask("And three and three?")
        except gip_nb.errors.ConnectionDropped as error:
            assert "upstream lost" in error.message
        else:
            raise AssertionError("the connection was to end here")
    assert "response.create" in [event["type"] for event in stage.received]
"""

from __future__ import annotations

from gip_nb.testing.lines import (
    answer,
    error,
    item_taken,
    session_created,
    session_updated,
    tool_call,
    user_spoke,
)
from gip_nb.testing.stage import Stage
from gip_nb.testing.steps import (
    Close,
    Cue,
    Cut,
    Event,
    Expect,
    ExpectClose,
    ExpectNo,
    HalfAFrame,
    React,
    Refuse,
    Say,
    Step,
    Wait,
)
from gip_nb.testing.transport import ScriptedTransport
from gip_nb.testing.visit import ScriptNotFollowed, Visit

__all__ = [
    "Close",
    "Cue",
    "Cut",
    "Event",
    "Expect",
    "ExpectClose",
    "ExpectNo",
    "HalfAFrame",
    "React",
    "Refuse",
    "Say",
    "ScriptNotFollowed",
    "ScriptedTransport",
    "Stage",
    "Step",
    "Visit",
    "Wait",
    "answer",
    "error",
    "item_taken",
    "session_created",
    "session_updated",
    "tool_call",
    "user_spoke",
]
