"""Lets the people of a run in, page by page: a page is one transaction, with what became of each of its people."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from journeys.engine.clock import Clock
from journeys.engine.entries.admission import Admission, Entrant, admit, note_failure
from journeys.engine.entries.run_members import collect
from journeys.engine.entries.runs import MOST_TRIES, Look, Runs, Slice, audience_of, best_instants
from journeys.engine.fair_shares import Turns
from journeys.engine.fair_threads import Places
from journeys.engine.logs import logger
from journeys.engine.people.merged import merged_into
from journeys.engine.people.profiles import AT_MOST, LOCK_FREE, MOST_BYTES, load
from journeys.engine.ports import AlarmSync, Notifier, tell
from journeys.engine.store.database import PASSING, Database, Moved, Undone
from journeys.engine.workspaces.planned_runs import BATCH_PRIORITY
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.stored_plans import NotUnderstood

PAGE = 500
"""How many people are let in in one transaction, at most."""

AT_ONCE = 2
"""So many runs of a workspace are seen to at once by one process; the others wait for their turn."""

LATER, APART = timedelta(seconds=2), timedelta(seconds=0.5)
"""After so long, in real time, a run comes again that found no place, and so long after the one before it of its workspace.

Each coming again is a dozen events in Temporal: a hundred runs that all came after two seconds kept it from anything else.
"""

LOCKED = timedelta(seconds=0.5)
"""After so long, in real time, people are looked at again whom somebody else had locked."""

UNREAD = timedelta(seconds=10)
"""After so long a run is looked at again whose canvas this process does not understand."""

LONGEST_PAUSE = 60.0

NEXT = f"""
select person from (
    select m.person, sum(coalesce({AT_MOST}, 0)) over (order by m.person) - coalesce({AT_MOST}, 0) as before
    from (select person from run_members where workspace = $1 and run = $2 and outcome is null
            and at <= $6 and ($3::uuid is null or person > $3) order by person limit $4) m
    left join people p on (p.workspace, p.id) = ($1, m.person)) s
where before < $5 order by person
"""  # noqa: S608 - constants
"""The people whose turn it is: so many, or fewer where their custom attributes are large."""

MINE = """
select person, at, context from run_members
where workspace = $1 and run = $2 and person = any($3::uuid[]) and outcome is null for update
"""
NOBODY = """
select s.id from unnest($2::uuid[]) as s(id) where not exists (select from people p where (p.workspace, p.id) = ($1, s.id))
"""
"""Those who went since they were written down."""
CAME = """
update run_members m set outcome = s.outcome from unnest($3::uuid[], $4::text[]) as s(person, outcome)
where m.workspace = $1 and m.run = $2 and m.person = s.person
"""
COUNT = """
update runs set entered = entered + $3, refused = refused + $4, failed = failed + $5, gone = gone + $6, merged = merged + $8, tries = 0, reason = null,
    moved = clock_timestamp(), gates = (
        select coalesce(jsonb_object_agg(gate, many), '{}') from (
            select key as gate, sum(value::int) as many
            from (select * from jsonb_each_text(gates) union all select * from jsonb_each_text($7)) s group by key) s)
where workspace = $1 and id = $2 and state = 'running' and not held returning id
"""
FOLLOW = """
with chosen as (
    select distinct on (s.new) m.*, s.new from unnest($3::uuid[], $4::uuid[]) as s(old, new)
    join run_members m on (m.workspace, m.person, m.run) = ($1, s.old, $2) and m.outcome is null order by s.new, m.at),
added as (
    insert into run_members (workspace, person, run, at, context)
    select workspace, new, run, at, context from chosen on conflict do nothing returning person),
gone as (
    delete from run_members m using chosen c
    where (m.workspace, m.person, m.run) = (c.workspace, c.person, c.run) and c.new in (select person from added)
    returning m.person),
merged as (
    update run_members m set outcome = 'merged'
    where m.workspace = $1 and m.run = $2 and m.person = any($3::uuid[]) and m.outcome is null
        and m.person not in (select person from gone) returning 1)
select count(*) from merged
"""
WHY = "update runs set reason = $3 where workspace = $1 and id = $2"
EARLIEST = "select min(at) from run_members where workspace = $1 and run = $2 and outcome is null"
SLEEP = """
update runs set tries = 0, wake_at = $3, moved = clock_timestamp() where workspace = $1 and id = $2 and ended is null
"""
PASSES = "update runs set tries = greatest(tries - 1, 0) where workspace = $1 and id = $2"
CLEAR = """
delete from run_members where (workspace, person, run) in (
    select m.workspace, m.person, m.run from run_members m join runs r on (r.workspace, r.id) = (m.workspace, m.run)
    where m.workspace = $1 and m.run = $2 and r.ended is not null limit 5000)
"""

log = logger(__name__)

Recipients = Callable[[Look, Slice], Awaitable[None]]
"""Writes down the recipients whom a trigger for later names, as those who are in the run."""


@dataclass(slots=True)
class Page:
    """What became of the people of one page."""

    outcomes: dict[UUID, str] = field(default_factory=dict)
    gates: Counter[str] = field(default_factory=Counter)
    admission: Admission = field(default_factory=Admission)

    def count(self, outcome: str) -> int:
        """How many had this outcome."""
        return sum(each == outcome for each in self.outcomes.values())


class RunPages:
    """Sees to runs: asks who is in them, and lets them in. `named` knows the recipients of a trigger for later."""

    def __init__(
        self,
        db: Database,
        published: Published,
        clock: Clock,
        alarm_sync: AlarmSync,
        notifier: Notifier,
        named: Recipients | None = None,
    ) -> None:
        self._db = db
        self._published = published
        self._clock = clock
        self._alarm_sync = alarm_sync
        self._notifier = notifier
        self._named = named
        self._places = Places(AT_ONCE)
        self._turns = Turns(LATER.total_seconds(), APART.total_seconds())
        self.runs = Runs(db, published, clock)

    async def work(self, workspace: int, run: UUID, stop: asyncio.Event) -> float | None:
        """See to a run until it is over, has to wait, or `stop` is set; returns after how many seconds it goes on.

        None: it is over. One that fails is tried again after a pause, and set aside where it fails every time.
        """
        self._clock.check()
        place = self._places.of(workspace)
        if place.locked():
            return self._turns.next(workspace, time.monotonic())
        async with place:
            try:
                return await self._stretch(workspace, run, stop)
            except PASSING:
                with suppress(*PASSING):
                    await self._db.pool.execute(PASSES, workspace, run)
                raise
            except NotUnderstood as error:
                await self._db.pool.execute(WHY, workspace, run, str(error)[:500])
                return UNREAD.total_seconds()
            except Exception as error:  # noqa: BLE001 - it is in its row, and in the log
                return await self._failed(workspace, run, error)

    async def _failed(self, workspace: int, run: UUID, error: Exception) -> float | None:
        reason = f"{type(error).__name__}: {error}"[:500].replace("\0", "")
        tries = int(
            await self._db.pool.fetchval(
                "select tries from runs where workspace = $1 and id = $2", workspace, run
            )
            or 0
        )
        told = {"workspace": workspace, "run": str(run), "reason": reason}
        if tries >= MOST_TRIES:
            log.error("run_set_aside", **told, exc_info=error)
            await self.runs.end(workspace, run, "set_aside", reason)
            return None
        log.warning("run_failed", tries=tries, **told)
        await self._db.pool.execute(WHY, workspace, run, reason)
        return float(min(2.0 ** (tries - 1), LONGEST_PAUSE))

    async def _stretch(self, workspace: int, run: UUID, stop: asyncio.Event) -> float | None:
        while not stop.is_set():
            look = await self.runs.look(workspace, run)
            self._alarm_sync.sync(look.pending_alarms)
            if look.over:
                await self._clear(workspace, run)
                return None
            if look.until is not None:
                return self._seconds(look.until)
            tries = await self.runs.begin_try(workspace, run)
            if tries > MOST_TRIES:
                await self.runs.end(workspace, run, "set_aside", "its process did not survive it")
                continue
            if not await self._ask(look, stop) or not await self._pages(look, stop):
                continue
            following = look.following
            if look.row is not None and look.row["best_time"] is not None:
                own = await self._db.pool.fetchval(EARLIEST, workspace, run)
                following = min((at for at in (own, following) if at is not None), default=None)
            if following is not None:
                await self._db.pool.execute(SLEEP, workspace, run, following)
                return self._seconds(following)
            await self.runs.end(workspace, run, "done")
        return 0.0

    async def _ask(self, look: Look, stop: asyncio.Event) -> bool:
        """Ask who is in the slices whose time has come; False where it was stopped before its end."""
        assert look.row is not None and look.running is not None and look.publication is not None
        workspace, run = look.row["workspace"], look.row["id"]
        for each in look.slices:
            if stop.is_set():
                return False
            if look.row["recipients"] is not None:
                assert self._named is not None, (
                    "recipients are written down by whoever knows how they are named"
                )
                await self._named(look, each)
            else:
                audience = audience_of(look.row, look.running.plan)
                best = best_instants(look.row, look.running.plan)
                canvas = look.running.name
                await collect(self._db, look.publication, run, audience, each.at, canvas, each.zones, best)
            await self.runs.asked(workspace, run, each.at)
        return True

    async def _pages(self, look: Look, stop: asyncio.Event) -> bool:
        """Let those in who are in the run; False where it was stopped, or the run is to be looked at again."""
        assert look.row is not None
        workspace, run = look.row["workspace"], look.row["id"]
        after: UUID | None = None
        came = 0
        while not stop.is_set():
            rows = await self._db.pool.fetch(NEXT, workspace, run, after, PAGE, MOST_BYTES, self._clock.now())
            if not rows:
                if after is None:
                    return True
                if not came:  # somebody has locked all who are left
                    await asyncio.sleep(LOCKED.total_seconds())
                after, came = None, 0
                continue
            people = [row["person"] for row in rows]
            try:
                page = await self._page(look, people)
            except (*PASSING, Moved, NotUnderstood):
                raise
            except Exception as error:  # noqa: BLE001 - it is run again, person by person
                log.warning("run_page_failed", run=str(run), error=type(error).__name__)
                page = await self._one_by_one(look, people)
            if page is None:
                return False
            after, came = people[-1], came + len(page.outcomes)
        return False

    async def _one_by_one(self, look: Look, people: Sequence[UUID]) -> Page | None:
        whole = Page()
        for person in people:
            page: Page | None = None
            try:
                page = await self._page(look, [person])
            except (*PASSING, Moved, NotUnderstood):
                raise
            except Exception as error:
                assert look.row is not None
                log.exception("run_person_failed", run=str(look.row["id"]), person=str(person))
                page = await self._page(look, [person], error)
            if page is None:
                return None
            whole.outcomes |= page.outcomes
        return whole

    async def _page(self, look: Look, people: Sequence[UUID], error: Exception | None = None) -> Page | None:
        """One page, in one transaction. None: the run, or its canvas, lets nobody in any more.

        With an `error` they are noted as those who cannot be let in because of it.
        """

        async def work(connection: Any) -> Page:
            return await self._let_in(connection, look, people, error)

        try:
            page = await self._db.anew(work)
        except Undone:
            return None
        tell(page.admission, self._alarm_sync, self._notifier)
        return page

    async def _let_in(
        self, connection: Any, look: Look, people: Sequence[UUID], error: Exception | None
    ) -> Page:
        assert look.row is not None and look.running is not None and look.publication is not None
        workspace, run, running = look.row["workspace"], look.row["id"], look.running
        free = await connection.fetch(LOCK_FREE, workspace, list(people))  # the others come in a later page
        here, merged = [row["id"] for row in free], 0
        if len(here) < len(people):
            gone = [row["id"] for row in await connection.fetch(NOBODY, workspace, list(people))]
            merged = await self._follow(connection, workspace, run, gone)
            here += gone
        rows = await connection.fetch(MINE, workspace, run, here)
        mine = {row["person"]: row for row in rows}
        page = Page()
        if not mine and not merged:
            return page
        profiles = await load(connection, workspace, mine)
        page.outcomes = {person: "entered" if person in profiles else "gone" for person in mine}
        if error is not None:
            for profile in profiles.values():
                await note_failure(connection, running, profile, mine[profile.id]["at"], error)
                page.outcomes[profile.id] = "failed"
        elif profiles:
            entrants = [
                Entrant(
                    profile=profile,
                    admission_key=admission_key(look.row["kind"], run),
                    at=mine[profile.id]["at"],
                    context=dict(mine[profile.id]["context"] or look.row["context"]),
                    priority=BATCH_PRIORITY,
                    judged=True,
                )
                for profile in profiles.values()
            ]
            page.admission = await admit(
                connection,
                look.publication,
                self._published,
                running,
                self._clock,
                entrants,
                run=run,
                together=True,
            )
            if page.admission.status != "active":
                raise Undone(page.admission.status)
            for person, gate in page.admission.refused:
                page.outcomes[person] = "refused"
                page.gates[gate] += 1
        await connection.execute(CAME, workspace, run, list(page.outcomes), list(page.outcomes.values()))
        counts = [page.count(outcome) for outcome in ("entered", "refused", "failed", "gone")]
        if await connection.fetchval(COUNT, workspace, run, *counts, dict(page.gates), merged) is None:
            raise Undone(None)  # it was held or stopped meanwhile
        return page

    async def _follow(self, connection: Any, workspace: int, run: UUID, gone: Sequence[UUID]) -> int:
        """Let those who were merged into others since be in the run as these; returns how many were in it as both."""
        into = await merged_into(connection, workspace, gone)
        if not into:
            return 0
        return int(await connection.fetchval(FOLLOW, workspace, run, list(into), list(into.values())))

    async def _clear(self, workspace: int, run: UUID) -> None:
        """Forget who was in a run that is over: what became of them stands in its counts, and with each of them."""
        while (await self._db.pool.execute(CLEAR, workspace, run)) != "DELETE 0":
            pass

    def _seconds(self, at: datetime) -> float:
        return max(0.001, (self._clock.real(at) - self._clock.present()).total_seconds())


def admission_key(kind: str, run: UUID) -> str:
    """What makes the admissions of a run repeatable: with the same key nobody enters twice."""
    return f"{'run' if kind == 'schedule' else 'api'}:{run}"
