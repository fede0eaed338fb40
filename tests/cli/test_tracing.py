"""Traces: from a request to the bursts that it brings about, without anything that is about a person."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from journeys.channels.mailbox import Mailbox
from journeys.cli.servers import served
from journeys.cli.trace_export import bare
from journeys.cli.tracing import traced, wanted
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import ALL, create_key
from journeys.workflows.temporal_server import free_port
from tests.cli.test_servers import running
from tests.stage import EMAIL, canvas, stage_on

TRACE = "0af7651916cd43dd8448eb211c80319c"
STORY = (
    canvas("  - {type: message, id: hello, channel: email, template: hello}", schedule="{event: signed_up}")
    + EMAIL
)


class Collector:
    """What a collector has received."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.port = 0

    async def take(self, request: Request) -> Response:
        """A batch of spans."""
        self.raw.append(await request.body())
        return Response(b"", 200, media_type="application/x-protobuf")

    def batches(self) -> list[ExportTraceServiceRequest]:
        """The batches, read."""
        return [ExportTraceServiceRequest.FromString(one) for one in self.raw]

    def spans(self) -> list[Span]:
        """All spans."""
        return [
            span
            for batch in self.batches()
            for resource in batch.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    made = Starlette(routes=[Route("/v1/traces", collector.take, methods=["POST"])])
    async with served(made, "127.0.0.1", 0) as collector.port:
        yield collector


def environment(db: Database, temporal: str, mailbox: Mailbox, collector: int) -> dict[str, str]:
    return {
        "DATABASE_URL": db.url, "TEMPORAL_ADDRESS": temporal, "JOURNEYS_TASK_QUEUE": f"traced-{collector}",
        "JOURNEYS_SMTP_HOST": "127.0.0.1", "JOURNEYS_SMTP_PORT": str(mailbox.port),
        "JOURNEYS_PUBLIC_URL": "https://go.example.com", "NO_PROXY": "127.0.0.1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}", "OTEL_BSP_SCHEDULE_DELAY": "100",
    }  # fmt: skip


async def one_signs_up(db: Database, environment: dict[str, str], mailbox: Mailbox, key: str) -> list[str]:
    """Somebody signs up and gets a mail; returns what the API and the worker have said."""
    port = free_port()
    body = {
        "attributes": [{"external_id": "mel", "email": "mel@example.com", "first_name": "Melchior"}],
        "events": [{"external_id": "mel", "name": "signed_up", "time": "2030-01-01T00:00:00Z"}],
    }
    async with (
        running("serve", "--port", str(port), **environment) as api,
        running("worker", **environment) as worker,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        await api.says("listens on")
        await worker.says("working on")
        assert (await http.get("/ready")).status_code == 200
        headers = {"Authorization": f"Bearer {key}", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        assert (await http.post("/users/track", json=body, headers=headers)).status_code == 201
        await mailbox.next(to="mel@example.com")
        assert (await http.get(f"/catalogs?api_key={key}")).status_code == 200
        assert [await worker.stopped(), await api.stopped()] == [0, 0]
    return [*api.lines, *worker.lines]


@pytest.mark.slow
async def test_one_trace_leads_from_a_request_to_the_burst_and_says_nothing_of_the_person(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    stage = await stage_on(db, STORY)
    key = await create_key(db, stage.workspace, "test", [ALL])
    async with collecting() as collector:
        await one_signs_up(db, environment(db, temporal, mailbox, collector.port), mailbox, key)
    spans = collector.spans()
    mine = {span.span_id: span for span in spans if span.trace_id.hex() == TRACE}
    names = [span.name for span in mine.values()]
    [burst] = [span for span in mine.values() if span.name == "RunActivity:journeys_burst"][:1]

    def above(span: Span) -> list[str]:
        found = []
        while span.parent_span_id in mine:
            span = mine[span.parent_span_id]
            found.append(span.name)
        return found

    assert above(burst)[-1] == "POST /users/track"
    assert "StartWorkflow:JourneysEntry" in above(burst)
    request = next(span for span in mine.values() if span.name == "POST /users/track")
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    said = {one.key: one.value for one in request.attributes}
    assert (said["http.route"].string_value, said["http.response.status_code"].int_value) == (
        "/users/track",
        201,
    )
    statements = [span for span in mine.values() if any(one.key.startswith("db.") for one in span.attributes)]
    assert {above(one)[-1] for one in statements} == {"POST /users/track"}
    assert any("RunActivity:journeys_burst" in above(one) for one in statements)
    assert "GET /catalogs" in [span.name for span in spans]
    assert not any("journeys_drain" in name for name in names)
    roots = {span.name for span in spans if not span.parent_span_id}
    assert not any(name.startswith(("GET /ready", "SELECT", "select", "insert")) for name in roots), roots
    everything = b"".join(collector.raw)
    for word in (b"mel@example.com", b"Melchior", key.encode(), b"api_key="):
        assert word not in everything
    services = {
        one.value.string_value
        for batch in collector.batches()
        for resource in batch.resource_spans
        for one in resource.resource.attributes
        if one.key == "service.name"
    }
    assert services == {"journeys"}


@pytest.mark.slow
async def test_a_collector_that_does_not_answer_costs_a_line_a_process_and_nothing_else(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    stage = await stage_on(db, STORY)
    key = await create_key(db, stage.workspace, "test", [ALL])
    lines = await one_signs_up(
        db,
        environment(db, temporal, mailbox, free_port()) | {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"},
        mailbox,
        key,
    )

    about = [line for line in lines if "collector" in line or "opentelemetry" in line]
    assert len(about) <= 2
    assert all("gone what=collector of traces" in line for line in about)


@pytest.mark.parametrize(
    ("given", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_sent_where_a_collector_is_named(given: dict[str, str], is_wanted: bool) -> None:
    assert wanted(given) is is_wanted


async def test_without_its_packages_a_process_goes_on_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "journeys.cli.trace_export", None)
    async with traced() as interceptors:
        assert list(interceptors) == []
    assert "pip install 'journeys[otel]'" in "".join(capsys.readouterr())


def test_of_an_error_a_span_keeps_the_kind_and_no_words() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with (
        pytest.raises(ValueError, match="mel"),
        provider.get_tracer("test").start_as_current_span("work", attributes={"x": 1}),
    ):
        raise ValueError("the address mel@example.com is taken")
    [span] = kept.get_finished_spans()
    stripped = bare(span)

    assert "mel@example.com" in span.to_json()
    assert "mel@example.com" not in stripped.to_json()
    assert (stripped.name, stripped.attributes, stripped.status.status_code) == (
        "work",
        {"x": 1},
        span.status.status_code,
    )
    assert (stripped.events[0].attributes or {})["exception.type"] == "ValueError"
