"""What sends traces, over the packages of `journeys[otel]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import Status
from temporalio import activity
from temporalio.client import Interceptor
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

DRAIN = "journeys_drain"
"""The activity that lasts as long as its worker: it is no part of a trace."""

WORDS = frozenset({"exception.message", "exception.stacktrace"})
"""What an event of a span says of an error that may be about a person."""


class Traces:
    """Sends the spans of this process; `told` gets each fault of sending, and None where it went well."""

    def __init__(self, environment: Mapping[str, str], told: Callable[[Any], None]) -> None:
        named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        resource = Resource.create({} if named else {"service.name": "journeys"})
        sending = BatchSpanProcessor(WithoutWords(OTLPSpanExporter(), told))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._statements = TracerProvider(  # a statement that belongs to no trace begins none
            resource=resource, sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False
        )
        for provider in (self._provider, self._statements):
            provider.add_span_processor(sending)
        trace.set_tracer_provider(self._provider)
        self._statements_of = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]  # it says nothing of types
        self._statements_of.instrument(tracer_provider=self._statements)
        self.interceptors: Sequence[Interceptor] = [BurstsOnly(self._provider.get_tracer("journeys"))]

    def close(self) -> None:
        """Send what is left. Waits for it."""
        self._statements_of.uninstrument()
        self._provider.shutdown()


class WithoutWords(SpanExporter):
    """Sends spans without what errors say."""

    def __init__(self, inner: SpanExporter, told: Callable[[Any], None]) -> None:
        self._inner = inner
        self._told = told

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See base class."""
        result = self._inner.export([bare(span) for span in spans])
        self._told(None if result is SpanExportResult.SUCCESS else "it takes no traces")
        return result

    def shutdown(self) -> None:
        """See base class."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See base class."""
        return self._inner.force_flush(timeout_millis)


def bare(span: ReadableSpan) -> ReadableSpan:
    """The span, with the kind of an error and none of its words."""
    if span.status.description is None and not span.events:
        return span
    events = [
        Event(
            one.name,
            {key: value for key, value in (one.attributes or {}).items() if key not in WORDS},
            one.timestamp,
        )
        for one in span.events
    ]
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class BurstsOnly(TracingInterceptor):
    """The SDK's interceptor, which leaves the drains of channels out."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """See base class."""
        return _NotDrains(super().intercept_activity(next), next)


class _NotDrains(ActivityInboundInterceptor):
    def __init__(self, traced: ActivityInboundInterceptor, plain: ActivityInboundInterceptor) -> None:
        super().__init__(traced)
        self._plain = plain

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        """See base class."""
        if activity.info().activity_type == DRAIN:
            return await self._plain.execute_activity(input)
        return await super().execute_activity(input)
