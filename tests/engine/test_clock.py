"""Whose clock: all processes go by the database's, and one that is far from it admits no one and delivers nothing."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import httpx2
import pytest

from journeys.api.app import app
from journeys.api.services import Services
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.clock import Clock, ClockOff
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.entries.admission import Entrant, admit
from journeys.engine.entries.derived_events import route_derived_events
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.intake.broadcasts import begin
from journeys.engine.people.profiles import lock
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.store.clock_check import measure, measured_clock
from journeys.engine.workspaces.api_keys import ALL, create_key
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.template_services import TemplateServices
from tests.receiver import Receiver
from tests.stage import canvas, definitions_of, see_to_runs, stage_on, webhook

WAITS = canvas("""
  - {type: delay, id: wait, duration: 5 minutes}
  - {type: message, id: m, channel: webhook, template: hook}
""")


class Off(Clock):
    """The clock of a process whose machine is off by so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        object.__setattr__(self, "seconds", seconds)

    def own(self) -> datetime:
        return super().own() + timedelta(seconds=self.seconds)  # type: ignore[attr-defined]


async def _database_now(db: Database) -> datetime:
    return await db.pool.fetchval("select clock_timestamp()")  # type: ignore[no-any-return]


@pytest.mark.parametrize("seconds", [-600.0, -5.0, 0.0, 5.0, 600.0])
async def test_a_process_goes_by_the_databases_clock_and_says_once_that_its_own_is_off(
    db: Database, seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Off(seconds)
    async with measured_clock(db, clock):
        await measure(db.pool, clock)
        assert abs(clock.now() - await _database_now(db)) < timedelta(seconds=1)
    said = [each for each in caplog.messages if "clock_is_off" in each]
    assert len(said) == (1 if seconds else 0)
    if abs(seconds) > 60:
        with pytest.raises(ClockOff, match="behind" if seconds < 0 else "ahead"):
            clock.check()
    else:
        clock.check()


async def test_a_clock_that_is_put_right_is_trusted_again(db: Database) -> None:
    clock = Off(600)
    await measure(db.pool, clock)
    assert clock.skew.too_far
    object.__setattr__(clock, "seconds", 0)
    await measure(db.pool, clock)
    clock.check()
    assert clock.skew.ahead == timedelta(0)


@pytest.mark.parametrize("seconds", [-30.0, 30.0])
async def test_no_delay_is_shorter_and_nothing_is_sent_in_the_future_where_a_process_is_off(
    db: Database, receiver: Receiver, seconds: float
) -> None:
    """Admission drives the first delay, and delivery dates what was sent, by the clock that all share."""
    clock = Off(seconds)
    await measure(db.pool, clock)
    stage = await stage_on(db, WAITS + webhook(receiver.url), clock=clock)
    before = await _database_now(db)
    [entry] = await stage.enter(await stage.person())
    row = await stage.row(entry)
    assert row["step"] == "wait"
    assert before <= row["begun"] + timedelta(seconds=1)
    assert abs(row["alarm_at"] - before - timedelta(minutes=5)) < timedelta(seconds=10)

    clock.skew.ahead += timedelta(minutes=6)  # as if so much time went by
    await stage.burst(entry, 1)
    clock.skew.ahead -= timedelta(minutes=6)
    assert await stage.deliver(Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))) == 1
    at = await db.pool.fetchval("select at from facts where fact = 'sent'")
    assert abs(at - await _database_now(db)) < timedelta(seconds=10)


async def test_a_process_that_is_far_off_admits_nobody_and_delivers_nothing(
    db: Database, receiver: Receiver
) -> None:
    """By no door: API, event, broadcast, derived event; nor does it answer steps. Another process does all of it."""
    text = canvas("  - {type: message, id: m, channel: webhook, template: hook}") + webhook(receiver.url)
    well = await stage_on(db, text, clock=Clock())
    await well.burst((await well.enter(await well.person(external_id="mel")))[0])
    clock = Off(600)
    await measure(db.pool, clock)
    stage = await stage_on(db, "", clock=clock)
    with pytest.raises(ClockOff):
        await stage.enter(await stage.person())

    parts = db, stage.published, clock, NullNotifier()
    key = await create_key(db, stage.workspace, "test", [ALL])
    transport = httpx2.ASGITransport(app=app(Services(*parts, NullNotifier())), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        body = {"canvas_id": "story", "recipients": [{"external_user_id": "mel"}]}
        said = await http.post("/canvas/trigger/send", json=body, headers={"Authorization": f"Bearer {key}"})
    assert (said.status_code, "clock of this process" in said.json()["message"]) == (503, True)

    publication = await stage.published.of(stage.workspace)
    async with db.transaction() as connection:
        await begin(connection, publication, publication.running["story"], UUID(int=7), None, {}, clock.now())
    with pytest.raises(ClockOff):
        await see_to_runs(db, stage.published, clock)
    assert await db.pool.fetchrow("select tries, ended from runs") == (0, None)
    assert await route_derived_events(*parts, NullNotifier()) == 0

    stop = asyncio.Event()
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    async with DeliveryWorker(*parts, NullNotifier(), {"webhook": channel}) as delivery_worker:
        with pytest.raises(ClockOff):
            await delivery_worker.drain("webhook", stop)
    with pytest.raises(ClockOff):
        await Fetcher(*parts, TemplateServices(None)).drain(stop)
    assert (receiver.calls, len(await stage.dispatches())) == ([], 1)
    assert await well.deliver(channel) == 1


async def test_at_a_scale_five_minutes_of_real_time_are_late_at_admission_too(
    db: Database, receiver: Receiver
) -> None:
    """At a day in two seconds ten minutes are over in the time of one transaction: nothing was late."""
    now = await _database_now(db)
    stage = await stage_on(db, WAITS + webhook(receiver.url), clock=Clock(43_200, now))
    mel = await stage.person()
    then = stage.clock.now() - timedelta(minutes=30)
    publication = await stage.published.of(stage.workspace)
    async with db.transaction() as connection:
        await lock(connection, stage.workspace, [mel.id])
        entrants = [Entrant(profile=mel, admission_key="k", at=then)]
        running = publication.running["story"]
        await admit(connection, publication, stage.published, running, stage.clock, entrants)
    facts = dict(await db.pool.fetch("select fact || coalesce(' ' || step, ''), at from facts"))
    assert "late wait" not in facts
    assert facts["reached m"] == then + timedelta(minutes=5)


async def test_a_publication_is_stamped_by_the_clock_of_the_canvas(db: Database) -> None:
    """ENT-17: from that instant on events let people in."""
    clock = Clock(43_200, await _database_now(db) - timedelta(hours=1))
    at = clock.now()
    await publish(db, "default", definitions_of(WAITS + webhook("http://127.0.0.1")), at=at)
    assert await db.pool.fetchval("select published from canvases") == at
    assert set(await db.pool.fetch("select published from definitions")) == {(at,)}

    await publish(db, "other", definitions_of(WAITS + webhook("http://127.0.0.1")))
    stamped = await db.pool.fetchval(
        "select c.published from canvases c join workspaces w on w.id = c.workspace where w.name = 'other'"
    )
    assert abs(stamped - await _database_now(db)) < timedelta(seconds=10)
