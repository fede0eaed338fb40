"""What `/metrics` of an API and a worker say after a run of many journeys is what stands in the store."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from journeys.channels.mailbox import Mailbox
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import ALL, create_key
from journeys.workflows.temporal_server import free_port
from tests.cli.test_servers import running
from tests.engine.test_metrics import STORY
from tests.stage import stage_on

PEOPLE = int(os.environ.get("JOURNEYS_RUN", "80"))
"""How many come; `make metrics`: two thousand."""

CALL = 50

FACTS = "select fact, count(*) from facts where step is not null group by fact"
REASONS = "select data->>'reason' as reason, count(*) from facts where fact in ('unreachable', 'aborted') group by 1"


class Series:
    """The series of several processes, added up."""

    def __init__(self, *texts: str) -> None:
        self._sums: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        for text in texts:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    self._sums[sample.name, tuple(sorted(sample.labels.items()))] += sample.value  # type: ignore[assignment]

    def sum(self, name: str, **labels: str) -> float:
        """Of all series of this name that have these labels."""
        wanted = set(labels.items())
        return sum(value for (each, of), value in self._sums.items() if each == name and wanted <= set(of))

    def by(self, name: str, label: str) -> dict[str, float]:
        """The sums by the values of a label, those that are not nought."""
        found: Counter[str] = Counter()
        for (each, of), value in self._sums.items():
            if each == name:
                found[dict(of)[label]] += value  # type: ignore[assignment]
        return {key: value for key, value in found.items() if value}

    def names(self, beginning: str) -> set[str]:
        """The names that begin so."""
        return {name for name, _ in self._sums if name.startswith(beginning)}


def body_of(people: range) -> dict[str, Any]:
    """They come with an event; every fifth has a plan that the audience does not want, every seventh no address."""
    found: dict[str, list[Any]] = {"attributes": [], "events": []}
    for number in people:
        who = {"external_id": f"p{number}"}
        mail = {} if number % 7 == 0 else {"email": f"p{number}@example.com"}
        found["attributes"].append({**who, "plan": "none" if number % 5 == 0 else "pro", **mail})
        found["events"].append({**who, "name": "signed_up", "time": "2030-01-01T00:00:00Z"})
    found["events"].append({"external_id": f"p{people[0]}", "name": ""})
    return found


@pytest.mark.slow
@pytest.mark.timeout(2_000)
async def test_the_metrics_of_a_run_agree_with_the_store_to_the_last_one(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    stage = await stage_on(db, STORY)
    key = await create_key(db, stage.workspace, "test", [ALL])
    port, monitoring = free_port(), free_port()
    environment = {
        "DATABASE_URL": db.url, "TEMPORAL_ADDRESS": temporal, "JOURNEYS_TASK_QUEUE": f"run-{port}",
        "JOURNEYS_SMTP_HOST": "127.0.0.1", "JOURNEYS_SMTP_PORT": str(mailbox.port), "JOURNEYS_TIME_SCALE": "43200",
        "JOURNEYS_PUBLIC_URL": "https://go.example.com", "JOURNEYS_LOG_LEVEL": "warning", "JOURNEYS_CONNECTIONS": "7",
    }  # fmt: skip
    async with (
        running("serve", "--port", str(port), **environment) as api,
        running("worker", "--port", str(monitoring), **environment) as worker,
        httpx2.AsyncClient(trust_env=False, timeout=60, headers={"Authorization": f"Bearer {key}"}) as http,
    ):
        await api.says("listens on")
        await worker.says("answers /health")
        for first in range(0, PEOPLE, CALL):
            body = body_of(range(first, min(first + CALL, PEOPLE)))
            answer = await http.post(f"http://127.0.0.1:{port}/users/track", json=body)
            assert (answer.status_code, len(answer.json()["errors"])) == (201, 1)

        async def open_() -> int:
            return int(await db.pool.fetchval("select count(*) from entries where ended is null"))

        async with asyncio.timeout(1_500):
            while await open_() or await db.pool.fetchval("select count(*) from dispatches"):
                await asyncio.sleep(0.5)
        await asyncio.sleep(6)  # the gauges of the database serve five seconds
        texts = [(await http.get(f"http://127.0.0.1:{each}/metrics")).text for each in (port, monitoring)]
        assert [await worker.stopped(), await api.stopped()] == [0, 0]
    both, one = Series(*texts), Series(texts[0])

    async def count(question: str) -> int:
        return int(await db.pool.fetchval(question))

    async def counts(question: str) -> dict[str, int]:
        return dict(map(tuple, await db.pool.fetch(question)))

    facts = await counts(FACTS)
    sent = facts["sent"]
    entered = await count("select count(*) from entries")
    assert entered == PEOPLE - PEOPLE // 5 == both.sum("journeys_entries_admitted_total")
    assert both.by("journeys_entries_refused_total", "gate") == await counts(
        "select gate, sum(times)::int from refusals group by gate"
    )
    assert both.by("journeys_events_recorded_total", "kind") == await counts(
        "select kind, count(*) from events group by kind"
    )
    assert both.by("journeys_track_objects_total", "result") == {
        "accepted": 2 * PEOPLE,
        "refused": len(range(0, PEOPLE, CALL)),
    }
    settled = {outcome: facts[outcome] for outcome in ("sent", "unreachable")}
    assert both.by("journeys_dispatches_settled_total", "outcome") == settled
    assert both.by("journeys_dispatches_refused_total", "reason") == await counts(REASONS)
    assert len(mailbox.mails) == sent == both.sum("journeys_provider_seconds_count", outcome="sent")
    assert both.sum("journeys_provider_seconds_count") == sent
    for name in ("dispatches_written_total", "dispatch_age_seconds_count", "render_seconds_count"):
        assert both.sum(f"journeys_{name}") == sum(settled.values()) == 2 * entered, name
    bursts = both.sum("journeys_bursts_total")
    assert both.sum("journeys_bursts_total", result="done") == bursts
    assert both.sum("journeys_burst_seconds_count") == bursts
    assert both.sum("journeys_burst_batch_entries_sum") == bursts >= PEOPLE // CALL
    calls = both.sum("journeys_http_request_seconds_count", route="/users/track", method="POST", status="201")
    assert calls == len(range(0, PEOPLE, CALL))
    assert both.sum("journeys_alarm_calls_total", kind="start", result="done") >= PEOPLE // CALL
    for name in ("alarms_pending", "entries_overdue", "dispatches", "canvases_set_aside"):
        assert both.sum(f"journeys_{name}") == 0, name
    assert one.sum("journeys_database_connections_limit") == 7 + 2
    for text in texts:
        assert "temporal_request_total" in Series(text).names("temporal_")
