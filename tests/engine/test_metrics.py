"""What is counted agrees with what is stored, to the last one."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from journeys.api.app import app
from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.intake.track import track
from journeys.engine.metrics import (
    DISPATCH_AGE,
    ENTRIES_REFUSED,
    EVENTS,
    REGISTRY,
    committing,
    counted,
    exposition,
    observed,
)
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from tests.api.parts import services_of
from tests.stage import EMAIL, Stage, canvas, stage_on

STORY = (
    canvas(
        "  - {type: message, id: hello, channel: email, template: hello}\n"
        "  - {type: delay, id: wait, duration: 1 day}\n"
        "  - {type: message, id: again, channel: email, template: hello}",
        schedule="{event: signed_up}",
        more="audience: {attribute: plan, not_equals: none}",
    )
    + EMAIL
)


class Series:
    """The difference that something makes to the series of this process."""

    def __init__(self) -> None:
        self.before = self._all()

    @staticmethod
    def _all() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
        }

    def of(self, name: str, **labels: str) -> float:
        """By how much it has grown since."""
        key = (f"journeys_{name}", tuple(sorted(labels.items())))
        return self._all().get(key, 0.0) - self.before.get(key, 0.0)


@pytest.fixture
def series() -> Series:
    return Series()


async def told(stage: Stage, people: int) -> Any:
    """They come by API, each with an event; every fifth has a plan that the audience does not want."""
    body: dict[str, list[Any]] = {"attributes": [], "events": []}
    for number in range(people):
        who = {"external_id": f"p{number}"}
        wanted = "none" if number % 5 == 0 else "pro"
        body["attributes"].append(
            {**who, "plan": wanted, **({} if number % 7 == 0 else {"email": f"p{number}@example.com"})}
        )
        body["events"].append({**who, "name": "signed_up", "time": stage.clock.now().isoformat()})
    body["events"].append({"external_id": "p0", "name": ""})
    services = services_of(stage)
    return await track(
        stage.db, services.published, stage.clock, NullNotifier(), NullNotifier(), stage.workspace, body
    )


async def test_the_series_of_a_run_agree_with_the_store(
    db: Database, mailbox: Mailbox, series: Series
) -> None:
    stage = await stage_on(db, STORY)
    tracked = await told(stage, 70)
    alarms = [row["alarm"] for row in await db.pool.fetch("select alarm from entries")]
    for alarm in alarms:
        await stage.burst(alarm)
    assert await stage.deliver(Email(SmtpSettings(host="127.0.0.1", port=mailbox.port, tls=False))) == 56

    async def count(question: str) -> int:
        return int(await db.pool.fetchval(question))

    entered = await count("select count(*) from entries")
    assert (entered, series.of("entries_admitted_total")) == (56, 56)
    assert series.of("entries_refused_total", gate="audience") == 14
    assert await count("select sum(times) from refusals") == 14
    assert len(tracked.errors) == series.of("track_objects_total", array="events", result="refused") == 1
    for array in ("attributes", "events"):
        assert series.of("track_objects_total", array=array, result="accepted") == tracked.taken[array] == 70
    assert series.of("events_recorded_total", kind="event") == 70
    assert await count("select count(*) from events where kind = 'event'") == 70
    assert series.of("bursts_total", result="done") == len(alarms)
    outcomes = await db.pool.fetch(
        "select fact, count(*) from facts where fact in ('sent', 'unreachable') group by fact"
    )
    assert {fact for fact, _ in outcomes} == {"sent", "unreachable"}
    for fact, number in outcomes:
        assert series.of("dispatches_settled_total", channel="email", outcome=fact) == number
    assert series.of("dispatches_written_total", channel="email") == 56
    assert series.of("dispatch_age_seconds_count", channel="email") == 56
    assert series.of("render_seconds_count", channel="email") == 56
    sent = dict(map(tuple, outcomes))["sent"]
    assert series.of("provider_seconds_count", channel="email", outcome="sent") == sent
    assert series.of("dispatches_refused_total", channel="email", reason="no_address") == 56 - sent
    assert series.of("events_recorded_total", kind="message") == sent
    assert await count("select count(*) from events where kind = 'message'") == sent


async def test_events_that_canvases_make_are_counted_where_they_are_stored(
    db: Database, series: Series
) -> None:
    step = "  - {type: user_update, id: tell, events: [{name: told}]}"
    stage = await stage_on(db, canvas(step))
    entries = await stage.enter(*[await stage.person() for _ in range(3)])
    for entry in entries:
        await stage.burst(entry)
    assert series.of("events_recorded_total", kind="event") == 0
    assert await stage.hear_derived() == 3
    assert series.of("events_recorded_total", kind="event") == 3
    assert await db.pool.fetchval("select count(*) from events") == 3


async def test_what_is_rolled_back_is_not_counted(db: Database, series: Series) -> None:
    async def fails() -> None:
        async with db.transaction():
            counted(EVENTS, kind="event")
            observed(DISPATCH_AGE, 3.0, channel="email")
            raise ZeroDivisionError

    async def fails_within(connection: Any) -> None:
        with committing():
            async with connection.transaction():
                counted(ENTRIES_REFUSED, gate="audience")
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert series.of("events_recorded_total", kind="event") == 0
    assert series.of("dispatch_age_seconds_count", channel="email") == 0

    async with db.transaction() as connection:
        counted(EVENTS, kind="event")
        with pytest.raises(ZeroDivisionError):
            await fails_within(connection)
        with committing():
            counted(ENTRIES_REFUSED, gate="window")
        assert series.of("events_recorded_total", kind="event") == 0
    assert series.of("events_recorded_total", kind="event") == 1
    assert series.of("entries_refused_total", gate="audience") == 0
    assert series.of("entries_refused_total", gate="window") == 1


async def test_two_transactions_side_by_side_are_counted_apart(db: Database, series: Series) -> None:
    async def one(gate: str, *, fails: bool) -> None:
        async with db.transaction():
            await asyncio.sleep(0)
            counted(ENTRIES_REFUSED, gate=gate)
            if fails:
                raise ZeroDivisionError

    await asyncio.gather(one("window", fails=False), one("audience", fails=True), return_exceptions=True)
    assert series.of("entries_refused_total", gate="window") == 1
    assert series.of("entries_refused_total", gate="audience") == 0


async def test_the_api_serves_the_series_and_the_gauges_of_the_database(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await stage_on(db, STORY)
    await told(stage, 5)
    for row in await db.pool.fetch("select alarm from entries"):
        await stage.burst(row["alarm"])
    series = Series()
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app(services_of(stage))), base_url="http://api"
    ) as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.post("/users/track", json={})).status_code == 401
        assert (await client.get("/nowhere")).status_code == 404
        answer = await client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = answer.text.splitlines()
    assert 'journeys_dispatches{channel="email",state="queued"} 4.0' in lines
    assert any(line.startswith("journeys_entries_overdue 0") for line in lines)
    assert any(line.startswith('journeys_database_connections{state="idle"}') for line in lines)
    assert any(line.startswith('journeys_cache_lookups_total{cache="templates"') for line in lines)
    for path, method, status in (
        ("/health", "GET", "200"),
        ("/users/track", "POST", "401"),
        ("none", "GET", "404"),
    ):
        name = "http_request_seconds_count"
        assert series.of(name, route=path, method=method, status=status) == 1, path
    monkeypatch.setenv("JOURNEYS_METRICS_TOKEN", "sesame")
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app(services_of(stage))), base_url="http://api"
    ) as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers={"authorization": "Bearer no"})).status_code == 401
        assert (await client.get("/metrics", headers={"authorization": "Bearer sesame"})).status_code == 200


async def test_every_series_is_described_and_has_one_name(db: Database) -> None:
    del db
    text = exposition().decode()
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
    assert len(names) == len(set(names))
    assert all(name.startswith("journeys_") for name in names)
