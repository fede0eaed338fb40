"""The runtime of Temporal's SDK in a process of ours: its core logs where we do, and its metrics join ours."""

from __future__ import annotations

import logging

import httpx2
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from journeys.engine.outages import OUTAGES, TEMPORAL
from journeys.workflows.temporal_server import free_port

CORE = "temporalio.core"
"""The logger of the SDK's core."""

AWAY = (
    "transport error",
    "tcp connect error",
    "connection refused",
    "unavailable",
    "deadline",
    "connection reset",
)
"""What the core's lines have that say that the server does not answer."""


class CoreLines(logging.Filter):
    """Lets a line of the core pass unless it says, as it does at each try, that Temporal does not answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See base class."""
        said = record.getMessage().lower()
        if any(word in said for word in AWAY):
            OUTAGES.gone(TEMPORAL, "it does not answer")
            return False
        return True


class SdkRuntime:
    """Make one in a process, before its first client. `runtime` is for the client."""

    def __init__(self) -> None:
        self._port = free_port()
        core = logging.getLogger(CORE)
        core.filters[:] = [CoreLines()]
        self.runtime = Runtime(
            telemetry=TelemetryConfig(
                logging=LoggingConfig(
                    filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
                    forwarding=LogForwardingConfig(logger=core),
                ),
                metrics=PrometheusConfig(bind_address=f"127.0.0.1:{self._port}"),
            )
        )

    async def metrics(self) -> bytes:
        """The series of the SDK (`temporal_…`); nothing where they cannot be had at this moment."""
        try:
            async with httpx2.AsyncClient(timeout=2, trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{self._port}/metrics")
        except httpx2.HTTPError:
            return b""
        return answer.content if answer.status_code == 200 else b""
