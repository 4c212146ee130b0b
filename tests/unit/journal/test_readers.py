"""Whole talks, read by all that reads tables: as a trace, side by side, and both of what can be shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gip_nb.journal.comparison import compare
from gip_nb.journal.otel import to_otel
from gip_nb.journal.readable import Readable
from gip_nb.journal.redaction import redacted
from gip_nb.journal.tables import Tables
from tests.unit.protocol.talks import TALKS, new_pair

if TYPE_CHECKING:
    from gip_nb.journal.log import EventLog


class Kept(Readable):
    """A log with its face, as a recording is."""

    model = "gpt-realtime"
    session_id = "sess_1"

    def __init__(self, log: EventLog) -> None:
        self.log, self.tables = log, Tables(log)


def spans_of(talk: Kept) -> list[tuple[str, int, int, str]]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    assert to_otel(talk, tracer_provider=provider) == len(exporter.get_finished_spans())
    return [
        (s.name, s.start_time or 0, s.end_time or 0, s.status.status_code.name)
        for s in exporter.get_finished_spans()
    ]


@pytest.mark.parametrize("name", ["tool_calls", "interrupted_by_voice", "failed"])
def test_a_talk_and_what_can_be_shared_of_it_read_alike(name: str) -> None:
    pair = new_pair("ga")
    TALKS[name](pair)
    pair.run()
    talk, shared = Kept(pair.log), Kept(redacted(pair.log))
    spans = spans_of(talk)
    assert len(spans) == 1 + len(talk.turns) + len(talk.responses) + len(talk.tool_calls) > 2
    assert spans_of(shared) == spans
    comparison = compare([talk, shared], names=["own", "shared"])
    own, other = (comparison.frame[comparison.frame["source"] == n] for n in ("own", "shared"))
    said = ["source", "user_text", "assistant_text", "heard_text"]
    pd.testing.assert_frame_equal(
        own.drop(columns=said), other.drop(columns=said).set_axis(own.index), check_index_type=False
    )
    pd.testing.assert_series_equal(*(comparison.summary.loc[n].rename("it") for n in ("own", "shared")))
    # Silence sounds alike, and is heard once.
    assert (talk.turns["assistant_audio_ms"].sum() > 0) == ("<audio" in comparison._repr_html_())
