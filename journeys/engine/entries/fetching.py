"""Computes the values of steps that make calls (`Asking`): outside of any transaction, answered through the inbox.

The burst stores a question in the table `fetches`. A worker claims it, makes the calls and settles it like a message. If
the worker dies, another takes over after the lease; only the holder of the claim may answer, so that an entry hears one
answer even if calls are made twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from journeys.canvas.events_and_commands import NOTHING
from journeys.engine.clock import Clock
from journeys.engine.content.services import Retry
from journeys.engine.entries.answering import Answer, Wanted, Writer, answered, pause, unanswered
from journeys.engine.fair_batches import Notices, share_out
from journeys.engine.fair_threads import Places
from journeys.engine.logs import logger
from journeys.engine.outages import DATABASE, OUTAGES
from journeys.engine.people.merged import merged_into
from journeys.engine.people.profiles import LOCK, Profile, load
from journeys.engine.ports import AlarmSync, PendingAlarm
from journeys.engine.store.database import PASSING, Database, Moved, away
from journeys.engine.store.entry_writes import FETCHES, PENDING_ALARM
from journeys.engine.store.notify import listening
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.stored_plans import NotUnderstood
from journeys.engine.workspaces.template_services import TemplateServices

UNREAD = 10.0
"""Seconds until a step is tried again whose canvas this process does not understand; that counts as no try."""

LEASE = timedelta(seconds=10)
"""For how long a claim holds without being renewed, in the database's time."""

BATCH, AT_ONCE, AT_ONCE_IN_ALL = 200, 64, 512
"""How many are claimed, and how many are worked on, at once in a process: of a workspace, and of all."""

POLL = 2.0
"""Seconds after which it polls without a notification."""

CLAIM = """
with recursive busy(workspace) as (
    (select workspace from fetches order by workspace limit 1)
    union all
    select (select f.workspace from fetches f where f.workspace > b.workspace order by f.workspace limit 1)
    from busy b where b.workspace is not null),
c as (
    select f.* from (
        select workspace from busy where workspace is not null and workspace <> all ($4) order by random() limit $1) b
    cross join lateral (
        select q.workspace, q.person, q.entry from fetches q
        where q.workspace = b.workspace and (q.not_before is null or q.not_before <= clock_timestamp())
            and (q.lease is null or q.lease < clock_timestamp()) -- C9
            and not exists (select from entries e join canvases s on (s.workspace, s.name) = (e.workspace, e.canvas)
                where (e.workspace, e.person, e.id) = (q.workspace, q.person, q.entry) and s.status in ('stopped', 'paused'))
        order by q.priority, q.no limit (select greatest(1, $1 / greatest(1, count(workspace))) from busy where workspace <> all ($4))
        for update of q skip locked) f)
update fetches f set claim = $2, lease = clock_timestamp() + $3::interval
from c where (f.workspace, f.person, f.entry) = (c.workspace, c.person, c.entry)
returning f.workspace, f.person, f.entry, f.step, f.tries, f.claim
"""
"""Each workspace that asks gets an equal share of a batch, as for messages."""
RENEW = "update fetches set lease = clock_timestamp() + $2::interval where claim = $1"
RELEASE = "update fetches set claim = null, lease = null where claim = $1"
AGAIN = """
update fetches f set claim = null, lease = null, tries = f.tries + s.counts, no = nextval('dispatch_no'),
    not_before = clock_timestamp() + make_interval(secs => s.pause)
from unnest($2::int[], $3::uuid[], $4::uuid[], $5::float8[], $6::int[]) as s(workspace, person, entry, pause, counts)
where (f.workspace, f.entry) = (s.workspace, s.entry) and f.claim = $1
    and f.person = coalesce((select m.new from merged m where (m.workspace, m.old) = (s.workspace, s.person)), s.person)
"""
ENTRIES = """
select e.id, e.plan, e.variant, e.context from entries e
join unnest($2::uuid[], $3::uuid[], $4::text[]) as s(person, id, step) on (e.person, e.id, e.step) = (s.person, s.id, s.step)
where e.workspace = $1 and e.ended is null and e.phase = 'asked'
"""
SETTLE = f"""
with gone as (
    delete from fetches f using unnest($2::int[], $3::uuid[], $4::uuid[], $5::text[], $6::jsonb[], $7::jsonb[],
        $8::timestamptz[]) as s(workspace, person, entry, label, answer, facts, at)
    where (f.workspace, f.person, f.entry) = (s.workspace, s.person, s.entry) and f.claim = $1
    returning f.workspace, f.person, f.entry, f.step, s.label, s.answer, s.facts, s.at),
open as (
    select g.*, e.canvas, e.shard from gone g join entries e on (e.workspace, e.person, e.id) = (g.workspace, g.person, g.entry)
    where e.ended is null and e.step = g.step and e.phase = 'asked'),
noted as (
    insert into inbox (workspace, person, entry, no, step, what, label, at, properties)
    select workspace, person, entry, nextval('occurrence_no'), step, 'answered', label, at, answer from open),
logged as (
    insert into facts (workspace, person, shard, fact, at, canvas, entry, step, data)
    select workspace, person, shard, f->>'fact', at, canvas, entry, step, f->'data'
    from open, jsonb_array_elements(facts->'facts') f),
raised as (
    update entries t set turn = t.turn + 1, moved = clock_timestamp(),
        told = case when t.alarm = t.id then t.told else 0 end, alarm = t.id
    from open o where (t.workspace, t.person, t.id) = (o.workspace, o.person, o.entry) returning t.*)
select {PENDING_ALARM} from raised
"""  # noqa: S608 - constants

log = logger(__name__)


class Fetcher:
    """Answers the questions of entries. `drain` runs until `stop` is set."""

    def __init__(
        self,
        db: Database,
        published: Published,
        clock: Clock,
        alarm_sync: AlarmSync,
        template_services: TemplateServices,
    ) -> None:
        self._db = db
        self._published = published
        self._clock = clock
        self._alarm_sync = alarm_sync
        self._template_services = template_services
        self._places = Places(AT_ONCE, AT_ONCE_IN_ALL)
        self._notices = {FETCHES: Notices()}

    async def drain(self, stop: asyncio.Event) -> None:
        """Answer what is wanted as it comes, until `stop` is set; then finish what was begun. Raises `ClockOff`.

        Each workspace has one batch under way: one that asks for long holds up its own, and no other's.
        """
        async with listening(self._db, self._notices):
            await share_out(
                self._claim, self._take, self._notices[FETCHES], stop, poll=POLL, check=self._clock.check
            )

    async def drain_once(self, most: int = BATCH) -> int:
        """Claim, ask and settle one batch; returns how many it had."""
        batch = await self._claim((), most)
        if batch:
            await self._take(batch)
        return len(batch)

    async def _claim(self, without: Sequence[int], most: int = BATCH) -> list[Wanted]:
        rows = await self._db.pool.fetch(CLAIM, most, uuid4(), LEASE, list(without))
        return [Wanted(*row) for row in rows]

    async def _take(self, batch: Sequence[Wanted]) -> None:
        claim = batch[0].claim
        keeping = asyncio.create_task(self._keep(claim))
        asking: set[asyncio.Task[Answer]] = set()
        try:
            asking = {asyncio.create_task(each) for each in await self._asking(batch)}
            while asking:
                done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)  # CXS-5
                await self._settle(claim, [each.result() for each in done])
        except asyncio.CancelledError:
            await asyncio.shield(self._db.pool.execute(RELEASE, claim))
            raise
        finally:
            keeping.cancel()
            for each in asking:
                each.cancel()

    async def _keep(self, claim: UUID) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            await self._db.pool.execute(RENEW, claim, LEASE)

    async def _asking(self, batch: Sequence[Wanted]) -> list[Coroutine[Any, Any, Answer]]:
        asking = []
        for workspace in sorted({one.workspace for one in batch}):
            ours = [one for one in batch if one.workspace == workspace]
            ours, entries, profiles = await self._present(workspace, ours)
            asking += [self._ask(one, entries.get(one.entry), profiles.get(one.person)) for one in ours]
        return asking

    async def _present(
        self, workspace: int, ours: list[Wanted]
    ) -> tuple[list[Wanted], Mapping[UUID, Any], Mapping[UUID, Profile]]:
        """These with their entries and people; of a person who was merged into another since, it is that one's now."""
        while True:
            columns = zip(*((one.person, one.entry, one.step) for one in ours), strict=True)
            rows = await self._db.pool.fetch(ENTRIES, workspace, *map(list, columns))
            people = {one.person for one in ours}
            profiles = await load(self._db.pool, workspace, people)
            into = await merged_into(self._db.pool, workspace, people - profiles.keys())
            if not into:
                return ours, {row["id"]: row for row in rows}, profiles
            ours = [one.of(into.get(one.person, one.person)) for one in ours]

    async def _ask(self, one: Wanted, entry: Mapping[str, Any] | None, profile: Profile | None) -> Answer:
        if entry is None or profile is None:  # the entry has left: the answer is not needed
            return Answer(one, "failed")
        async with self._places.held(one.workspace):
            try:
                return await self._fetch(one, entry, profile)
            except Retry as retry:
                return unanswered(one, retry)
            except NotUnderstood:  # however long it takes: a process that understands it answers
                return Answer(one, "failed", again=UNREAD, counts=0)
            except Exception as error:  # noqa: BLE001 - tried again, and no other's affair
                if away(error):
                    OUTAGES.gone(DATABASE, error)
                else:
                    log.warning("fetch_failed", error=type(error).__name__)
                told = {"reason": "failed", "text": type(error).__name__}
                return Answer(one, "failed", facts=[("unanswered", told)], again=pause(one.tries))

    async def _fetch(self, one: Wanted, entry: Mapping[str, Any], profile: Profile) -> Answer:
        publication = await self._published.of(one.workspace)
        plan = await self._published.plan(one.workspace, entry["plan"])
        values = publication.values(
            profile, plan, one.step, entry["variant"], entry["context"], NOTHING, self._clock.now()
        )
        writer = Writer(self._template_services, publication, one.person, f"{one.entry}/{one.step}")
        return await answered(one, plan.steps[one.step], values, writer)

    async def _settle(self, claim: UUID, answers: Sequence[Answer]) -> None:
        again = [(*_place(each), each.again, each.counts) for each in answers if each.again is not None]
        if again:
            await self._db.pool.execute(AGAIN, claim, *map(list, zip(*again, strict=True)))
        final = [each for each in answers if each.again is None]
        if final:
            await self._share(claim, final)

    async def _share(self, claim: UUID, final: Sequence[Answer]) -> None:
        """Settle these in one commit; if it fails, one by one: what cannot be written stops no other."""
        try:
            await self._commit(claim, final)
        except PASSING:
            raise
        except Exception as error:  # noqa: BLE001 - told in the fact
            if len(final) > 1:
                for each in final:
                    await self._share(claim, [each])
                return
            log.warning("answer_not_stored", error=type(error).__name__)
            await self._commit(claim, [_unwritten(final[0], type(error).__name__)])

    async def _commit(self, claim: UUID, final: Sequence[Answer]) -> None:
        now = self._clock.now()
        into: dict[UUID, UUID] = {}

        async def work(connection: Any) -> Sequence[Any]:
            rows = [_row(each.of(_last(into, each.wanted.person)), now) for each in final]
            for workspace in sorted({row[0] for row in rows}):
                people = {row[1] for row in rows if row[0] == workspace}
                held = {row["id"] for row in await connection.fetch(LOCK, workspace, list(people))}
                if moved := await merged_into(connection, workspace, people - held):
                    into.update(moved)
                    raise Moved
            settled: Sequence[Any] = await connection.fetch(
                SETTLE, claim, *map(list, zip(*rows, strict=True))
            )
            return settled

        settled = await self._db.anew(work)
        self._alarm_sync.sync([PendingAlarm(*row) for row in settled])


def _last(into: Mapping[UUID, UUID], person: UUID) -> UUID:
    """Who a person is after these merges."""
    while person in into:
        person = into[person]
    return person


def _unwritten(answer: Answer, error: str) -> Answer:
    """What is settled where an answer cannot be written: nothing of it is set (CXS-4, UPD-8)."""
    fact = "not_updated" if answer.label == "found" else "unanswered"
    said = {"reason": f"the result cannot be stored: {error}"}
    return Answer(answer.wanted, answer.label, facts=[(fact, said)])


def _row(answer: Answer, now: datetime) -> tuple[Any, ...]:
    facts = {"facts": [{"fact": fact, "data": data} for fact, data in answer.facts]}
    return *_place(answer), answer.label, dict(answer.values), facts, now


def _place(answer: Answer) -> tuple[int, UUID, UUID]:
    wanted = answer.wanted
    return wanted.workspace, wanted.person, wanted.entry
