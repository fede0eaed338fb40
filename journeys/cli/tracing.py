"""Traces by OpenTelemetry, where its own variables name a collector: from a request to the bursts that it brings about.

`pip install 'journeys[otel]'` has what it needs. What a trace says of a request is its route and status, of a statement its
text without values, of an error its kind: nothing that is about a person.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from journeys.cli.console import err
from journeys.engine.outages import OUTAGES

if TYPE_CHECKING:
    from temporalio.client import Interceptor

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
COLLECTOR = "collector of traces"
LONGEST_FLUSH = 10.0
"""Seconds that the last traces may take to leave when a process ends."""


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables of OpenTelemetry name a collector for traces, and do not switch it off."""
    return (
        any(environment.get(name) for name in ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"
    )


@asynccontextmanager
async def traced() -> AsyncIterator[Sequence[Interceptor]]:
    """Send traces for as long as the block lasts; yields what Temporal's client takes for it."""
    if not wanted(os.environ):
        yield ()
        return
    try:
        from journeys.cli.trace_export import Traces
    except ImportError:
        said = "warning: traces are asked for: they need `pip install 'journeys[otel]'`"
        err.print(said, style="yellow", markup=False, soft_wrap=True)
        yield ()
        return
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it warns at each try
    traces = Traces(os.environ, _told)
    try:
        yield traces.interceptors
    finally:
        ending = asyncio.create_task(asyncio.to_thread(traces.close))
        await asyncio.wait({ending}, timeout=LONGEST_FLUSH)


def _told(fault: Any) -> None:
    if fault is None:
        OUTAGES.back(COLLECTOR)
    else:
        OUTAGES.gone(COLLECTOR, fault)
