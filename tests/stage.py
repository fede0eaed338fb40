"""A stage for tests: a workspace with definitions, people on it, and everything that moves them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from temporalio.client import Client
from temporalio.worker import Worker
from uuid_utils.compat import uuid7

from journeys.canvas.yaml_definitions import Definitions, read_text
from journeys.engine.clock import Clock
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.entries.admission import Entrant, admit
from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.burst_calls import Call
from journeys.engine.entries.derived_events import route_derived_events
from journeys.engine.entries.event_recording import NewEvent, record
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.entries.run_pages import RunPages
from journeys.engine.intake.broadcasts import begin
from journeys.engine.intake.scheduled_triggers import ScheduledTriggers
from journeys.engine.intake.triggering import Trigger
from journeys.engine.people.profiles import Profile, load, lock, shard_of
from journeys.engine.ports import NullNotifier, PendingAlarm
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import publish, workspace_of
from journeys.engine.workspaces.template_services import Calls, TemplateServices
from journeys.plugin import JourneysPlugin

EMAIL = """
---
kind: template
format: 1
name: hello
channel: email
sender: {name: The Desk, address: desk@example.com}
subject: "Hello {{${first_name}}}"
html: |
  <p>Dear {{${first_name} | default: 'reader'}}, see <a href="https://example.com/a?b=1&amp;c=2">this</a>.
  <a href="{{${set_user_to_unsubscribed_url}}}">Unsubscribe</a></p>
"""


def webhook(url: str, name: str = "hook") -> str:
    """A template that calls this address."""
    return f"""
---
kind: template
format: 1
name: {name}
channel: webhook
url: "{url}/hook"
body: {{person: "{{{{ ${{user_id}} }}}}", step: "{{{{ campaign.${{name}} }}}}"}}
"""


def canvas(steps: str, *, name: str = "story", schedule: str = "{api: true}", more: str = "") -> str:
    """A canvas with these steps."""
    return f"kind: canvas\nformat: 1\nname: {name}\nschedule: {schedule}\n{more}\nsteps:\n{steps}\n"


class FakeClock(Clock):
    """A clock that stands where a test puts it. Only for tests without Temporal."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        object.__setattr__(self, "at", at)

    def now(self) -> datetime:
        return self.at  # type: ignore[attr-defined,no-any-return]

    def turn(self, span: timedelta) -> datetime:
        object.__setattr__(self, "at", self.now() + span)
        return self.now()


MONDAY = datetime(2026, 12, 7, 9, 0, tzinfo=UTC)


@dataclass
class Stage:
    """A workspace on a database, with the parts that the tests turn by hand."""

    db: Database
    published: Published
    clock: Clock
    workspace: int
    bursts: Bursts
    alarm_sync: Any = field(default_factory=NullNotifier)
    housekeeping: Any = None
    told: list[PendingAlarm] = field(default_factory=list)

    async def person(self, **columns: Any) -> Profile:
        """A new person; `attributes`, `email`, `first_name` … as columns."""
        identity = uuid7()
        columns = {"external_id": f"p-{identity.hex[-8:]}", **columns}
        names = ", ".join(columns)
        places = ", ".join(f"${n + 5}" for n in range(len(columns)))
        await self.db.pool.execute(
            f"insert into people (workspace, id, shard, bucket, {names}) values ($1, $2, $3, $4, {places})",
            self.workspace,
            identity,
            shard_of(identity),
            1234,
            *columns.values(),
        )
        return (await load(self.db.pool, self.workspace, [identity]))[identity]

    async def enter(
        self, *people: Profile, name: str = "story", key: str | None = None, **context: Any
    ) -> list[UUID]:
        """Let people into a canvas, as an API call would; returns their entries."""
        publication = await self.published.of(self.workspace)
        running = publication.running[name]
        async with self.db.transaction() as connection:
            await lock(connection, self.workspace, [person.id for person in people])
            entrants = [
                Entrant(
                    profile=person, admission_key=key or uuid4().hex, at=self.clock.now(), context=context
                )
                for person in people
            ]
            admission = await admit(connection, publication, self.published, running, self.clock, entrants)
        self.told += admission.pending_alarms
        self.alarm_sync.sync(admission.pending_alarms)
        return [admission.entries[person.id] for person in people if person.id in admission.entries]

    async def happens(
        self,
        person: Profile,
        name: str,
        properties: dict[str, Any] | None = None,
        *,
        at: datetime | None = None,
        kind: Any = "event",
    ) -> list[PendingAlarm]:
        """Something that a person does, ingested."""
        publication = await self.published.of(self.workspace)
        async with self.db.transaction() as connection:
            await lock(connection, self.workspace, [person.id])
            profile = (await load(connection, self.workspace, [person.id]))[person.id]
            new = NewEvent(
                profile=profile, kind=kind, name=name, at=at or self.clock.now(), properties=properties or {}
            )
            routed = await record(connection, publication, self.published, self.clock, [new])
        self.told += routed.pending_alarms
        self.alarm_sync.sync(routed.pending_alarms)
        return routed.pending_alarms

    async def none_left(self) -> bool:
        """Whether all messages of the database are settled."""
        return not await self.db.pool.fetchval("select count(*) from dispatches")

    async def broadcast_begins(self, people: int, name: str = "story") -> None:
        """A broadcast to everybody is recorded, in a workspace of so many people more."""
        for _ in range(people):
            await self.person()
        publication = await self.published.of(self.workspace)
        async with self.db.transaction() as connection:
            await begin(
                connection, publication, publication.running[name], uuid7(), None, {}, self.clock.now()
            )

    async def burst(self, entry: UUID, turn: int = 1) -> Any:
        """One burst at the clock's time."""
        return await self.bursts(entry, Call(turn, self.clock.now()))

    async def deliver(self, *channels: Any) -> int:
        """Deliver a batch of what is to leave on these channels; returns how many dispatches it had."""
        ways = {channel.name: channel for channel in channels}
        parts = (self.db, self.published, self.clock, self.alarm_sync, NullNotifier())
        async with DeliveryWorker(*parts, ways) as delivery_worker:
            return sum([await delivery_worker.drain_once(name) for name in ways])

    async def hear_derived(self) -> int:
        """Let a batch of events be heard that canvases made; returns how many."""
        return await route_derived_events(
            self.db, self.published, self.clock, self.alarm_sync, NullNotifier()
        )

    async def answer(self, calls: Calls) -> int:
        """Answer a batch of steps that ask others, who are called by this; returns how many."""
        fetcher = Fetcher(self.db, self.published, self.clock, self.alarm_sync, TemplateServices(calls))
        return await fetcher.drain_once()

    async def row(self, entry: UUID) -> Any:
        """The entry's row."""
        return await self.db.pool.fetchrow("select * from entries where id = $1", entry)

    async def facts(self, entry: UUID) -> list[tuple[str, str | None]]:
        """The entry's facts in order, with their steps."""
        rows = await self.db.pool.fetch("select fact, step from facts where entry = $1 order by no", entry)
        return [(row["fact"], row["step"]) for row in rows]

    async def path(self, entry: UUID) -> list[str]:
        """The steps that the entry reached, in order."""
        return [step or "" for fact, step in await self.facts(entry) if fact == "reached"]

    async def dispatches(self) -> list[Any]:
        """What is to leave."""
        return list(await self.db.pool.fetch("select * from dispatches order by no"))

    async def until(self, question: Callable[[], Any], what: str = "it", seconds: float = 240) -> Any:
        """Wait until a question (a coroutine function) is answered with something true."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if found := await question():
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"waited {seconds} s for {what}")

    async def all_ended(self, seconds: float = 240) -> None:
        """Wait until no entry is open."""

        async def none_open() -> bool:
            return not await self.db.pool.fetchval("select count(*) from entries where ended is null")

        await self.until(none_open, "all entries to end", seconds)


async def see_to_runs(db: Database, published: Published, clock: Clock) -> int:
    """See once to each run that is open, as the activities of a worker do; returns how many entered by them."""
    none = NullNotifier()
    named = ScheduledTriggers(Trigger(db, published, clock, none, none))
    pages = RunPages(db, published, clock, none, none, named)
    before = await db.pool.fetchval("select coalesce(sum(entered), 0) from runs")
    for row in await db.pool.fetch("select workspace, id from runs where ended is null order by stored, id"):
        await pages.work(row["workspace"], row["id"], asyncio.Event())
    return int(await db.pool.fetchval("select coalesce(sum(entered), 0) from runs") - before)


def definitions_of(text: str) -> Definitions:
    """The definitions of a text, which must be right."""
    found, problems = read_text(text)
    assert problems == []
    definitions = Definitions()
    for one in found:
        definitions.add(one)
    assert definitions.problems == []
    return definitions


async def stage_on(
    db: Database, text: str, *, clock: Clock | None = None, workspace: str = "default"
) -> Stage:
    """A stage with these definitions published; without any, on what the workspace runs already."""
    if text:
        await publish(db, workspace, definitions_of(text))
    published = Published(db)
    time_ = clock or FakeClock(MONDAY)
    identity = await workspace_of(db, workspace)
    return Stage(db, published, time_, identity, Bursts(db, published, time_, NullNotifier()))


@asynccontextmanager
async def live_stage(
    db: Database,
    text: str,
    temporal: str,
    channels: Sequence[Any] = (),
    clock: Clock | None = None,
    client: Client | None = None,
    **options: Any,
) -> AsyncIterator[Stage]:
    """A stage on which a real worker with our plugin runs."""
    stage = await stage_on(db, text, clock=clock or Clock())
    client = client or await Client.connect(temporal)
    plugin = JourneysPlugin(db.url, clock=stage.clock, channels=channels, **options)
    async with Worker(client, task_queue=f"q-{uuid4().hex[:8]}", plugins=[plugin]):
        while plugin.engine is None:
            await asyncio.sleep(0.01)
        stage.alarm_sync, stage.housekeeping = plugin.engine.alarm_sync, plugin.engine.housekeeping
        yield stage
