"""A talk as an OpenTelemetry trace, for whoever collects such traces. What it says stands in `journal.spans`.

OpenTelemetry is imported when it is asked for: it is the extra `gip_nb[otel]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gip_nb.errors import BadSetting, MissingExtra
from gip_nb.journal.spans import spans_of, started_ns
from gip_nb.journal.tabled import must_be_tabled

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from gip_nb.journal.spans import SpanToBe
    from gip_nb.journal.tabled import Tabled

__all__ = ["to_otel"]


def to_otel(x: Tabled, *, tracer_provider: TracerProvider | None = None, content: bool = False) -> int:
    """Give a talk to OpenTelemetry, as one trace; times are those of the talk, not of this call.

    Args:
        x: a session, live or closed, or a recording. Of a live one what happened so far; a second call makes
            a second trace.
        tracer_provider: where the spans go; else the process's own, as `trace.set_tracer_provider` set it.
        content: whether what was said, tools' arguments and outputs, error texts and labels go along.

    Returns:
        How many spans were made; 0 where the provider samples this trace out.

    Raises:
        MissingExtra: OpenTelemetry is not installed.
        BadSetting: there is no provider, or `x` has no tables.
    """
    must_be_tabled(x, "to_otel()")
    return _written(_tracer(tracer_provider), spans_of(x, content=content), started_ns(x))


def _tracer(provider: TracerProvider | None) -> Tracer:
    try:
        from opentelemetry import trace
    except ImportError as error:
        raise MissingExtra("OpenTelemetry traces", "opentelemetry-api", "otel") from error
    provider = provider if provider is not None else trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        # Its spans would go nowhere, and this call would seem to have worked.
        raise BadSetting(
            "no OpenTelemetry tracer provider is set in this process: nobody would get the spans",
            "pass tracer_provider=..., an opentelemetry.sdk.trace.TracerProvider with an exporter, or give "
            "opentelemetry.trace.set_tracer_provider() one first.",
        )
    return provider.get_tracer("gip_nb")


def _written(tracer: Tracer, spans: list[SpanToBe], zero_ns: int) -> int:
    """Make the spans. Returns how many of them the provider records."""
    from opentelemetry import trace
    from opentelemetry.context import Context

    def ns(at_s: float) -> int:
        return zero_ns + round(at_s * 1e9)

    made: list[Span] = []
    for one in spans:
        # The root is nobody's child, whatever span this cell runs in.
        context = Context() if one.parent is None else trace.set_span_in_context(made[one.parent], Context())
        asked = [] if one.asked_by is None else [trace.Link(made[one.asked_by].get_span_context())]
        span = tracer.start_span(
            one.name,
            context=context,
            kind=trace.SpanKind.CLIENT if one.calls_out else trace.SpanKind.INTERNAL,
            attributes=one.attributes,
            links=asked,
            start_time=ns(one.start_s),
        )
        for moment in one.moments:
            span.add_event(moment.name, moment.attributes, ns(moment.at_s))
        if one.failed is not None:
            code, text = one.failed
            span.set_attribute("error.type", code)
            span.set_status(trace.Status(trace.StatusCode.ERROR, text))
        made.append(span)
    recorded = sum(span.is_recording() for span in made)
    for one, span in reversed(list(zip(spans, made, strict=True))):
        span.end(ns(one.end_s))
    return recorded
