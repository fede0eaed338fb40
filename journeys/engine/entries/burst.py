"""The burst: the work of an entry between two waits, in one database transaction.

It takes the alarm's id, the turn that its workflow knows and the time on the workflow's clock, never an event: what
happened is in the store. Under the person's lock it hears what is unheard, in order, and writes the latest state.
It may run twice, or late, or beside another: if the store has gone on meanwhile, it hears what is left and answers
with the latest state; if the entry has ended or is gone, it says so and the workflow ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg.exceptions import LockNotAvailableError

from journeys.canvas.events_and_commands import Note
from journeys.engine.clock import Clock
from journeys.engine.core.drive import LATE_AFTER, UTC, Case
from journeys.engine.core.life import to_drive
from journeys.engine.entries.burst_calls import Call, Reply
from journeys.engine.entries.burst_locks import LOCK, LOCK_FREE, Locking, TooMuch
from journeys.engine.entries.entry_rows import READ, changes_of, entry_of, unheard_of, zones_of
from journeys.engine.entries.entry_transaction import EntryTransaction, LoadedEntry
from journeys.engine.entries.reading import StoreReading
from journeys.engine.entries.setting_aside import MOST_FAILURES, Failures, set_aside
from journeys.engine.entries.shared_alarms import is_shared
from journeys.engine.entries.shared_bursts import SharedBursts
from journeys.engine.entries.unjudged_events import WITHDRAW, judged, unjudged
from journeys.engine.fair_threads import Places
from journeys.engine.logs import logger
from journeys.engine.metrics import BURST_ENTRIES, BURST_SECONDS, BURSTS
from journeys.engine.people.locking import (
    ALONE,
    ALONE_IN_ALL,
    BRIEFLY,
    LATER,
    SOON,
    TRYING,
    TRYING_IN_ALL,
    Locked,
)
from journeys.engine.people.profiles import MOST_BYTES, Profile, profile_of
from journeys.engine.ports import Notifier
from journeys.engine.store.database import PASSING, Database, Moved, check_locked
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.stored_plans import NotUnderstood

log = logger(__name__)

GRACE = timedelta(seconds=1)
"""How long, in real time, the alarm of a listening step is later than its deadline, for events on their way."""

FAR = timedelta(days=30)
"""After so long, in real time, an entry whose canvas is stopped or paused looks again: its workflow must never end
meanwhile."""


class Bursts:
    """Runs bursts, and lets those that come while one is in flight share the next one's reads and commit.

    No delay when idle: a lone call goes at once. A shared commit that fails is repeated one by one, so that one
    entry's failure stops no other's; one that fails for the same reason ten times is set aside. Nor does one wait for
    another's lock: an entry whose person is locked is left out, is tried again a moment later, and then waits alone, for
    three seconds at most and beside few others; beyond that its workflow comes again. The caller may be cancelled (an
    eviction does that); the transaction is not. Where a flight ends by force, all who wait hear of it.
    """

    def __init__(
        self,
        db: Database,
        published: Published,
        clock: Clock,
        notifier: Notifier,
        *,
        lanes: int = 2,
        most: int = 100,
    ) -> None:
        self._db = db
        self._published = published
        self._clock = clock
        self._notifier = notifier
        self._lanes = lanes
        self._most = most
        self._failures = Failures()
        self._waiting: list[tuple[UUID, Call, asyncio.Future[Reply]]] = []
        self._flights: set[asyncio.Task[None]] = set()
        self._alone: set[asyncio.Task[Reply]] = set()
        self._shared = SharedBursts(db, self.run)
        self._places = Places(ALONE, ALONE_IN_ALL)
        self._trying = Places(TRYING, TRYING_IN_ALL)

    async def __call__(self, alarm: UUID, call: Call) -> Reply:
        """One alarm's burst.

        Raises `NotUnderstood`, `Locked`, and whatever the database raises; the caller repeats it.
        """
        began = time.monotonic()
        if is_shared(alarm):
            try:
                return await self._shared(alarm, call)
            finally:
                BURST_SECONDS.observe(time.monotonic() - began)
        try:
            reply = await self._together(alarm, call)
            for pause in (SOON, LATER):
                if reply.busy is None:
                    return reply
                if not self._trying.free(reply.busy):
                    raise Locked
                async with self._trying.held(reply.busy):
                    await asyncio.sleep(pause)
                    reply = await self._together(alarm, call)
            if reply.busy is None:
                return reply
            waits = asyncio.create_task(self._by_itself(reply.busy, alarm, call))
            self._alone.add(waits)
            waits.add_done_callback(self._alone.discard)
            return await asyncio.shield(waits)
        finally:
            BURST_SECONDS.observe(time.monotonic() - began)

    async def drain(self) -> None:
        """Wait until no burst is in flight."""
        while under_way := self._flights | self._alone | self._shared.under_way:
            await asyncio.wait(under_way)

    async def _together(self, alarm: UUID, call: Call) -> Reply:
        """The burst in the next flight."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((alarm, call, future))
        if len(self._flights) < self._lanes:
            flight = asyncio.create_task(self._fly())
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)
        return await future

    async def _by_itself(self, workspace: int, alarm: UUID, call: Call) -> Reply:
        """The burst of an entry that waits for its person's lock. Raises `Locked` at once where no place is free for it."""
        if not self._places.free(workspace):
            raise Locked
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        async with self._places.held(workspace):
            await self._share({alarm: call}, {alarm: future}, locking="briefly")
        return await future

    async def _fly(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            alone = {alarm: (call, [future]) for alarm, call, future in batch}
            if len(alone) < len(batch):  # two calls for one alarm: the later one reads what the former wrote
                self._waiting = [
                    each for each in batch if each[2] is not alone[each[0]][1][0]
                ] + self._waiting
            calls = {alarm: call for alarm, (call, _) in alone.items()}
            try:
                await self._share(calls, {alarm: futures[0] for alarm, (_, futures) in alone.items()})
            except BaseException as error:  # noqa: BLE001 - passed on to all who wait, so that none waits for ever
                gone, self._waiting = self._waiting, []
                for _, _, future in [*batch, *gone]:
                    if not future.done():
                        future.set_exception(error)

    async def _share(
        self,
        calls: Mapping[UUID, Call],
        futures: Mapping[UUID, asyncio.Future[Reply]],
        *,
        locking: Locking = "skip",
    ) -> None:
        try:
            replies = await self.run(calls, locking=locking)
        except TooMuch:
            both = list(calls.items())
            for half in (both[: len(both) // 2], both[len(both) // 2 :]):
                await self._share(dict(half), {alarm: futures[alarm] for alarm, _ in half})
            return
        except Exception as error:  # noqa: BLE001 - passed on to the caller
            if len(calls) > 1:
                for alarm, call in calls.items():
                    await self._share({alarm: call}, {alarm: futures[alarm]})
                return
            [(alarm, call)], [future] = calls.items(), futures.values()
            locked = isinstance(error, LockNotAvailableError)
            aside = not locked and await self._set_aside(alarm, call, error)
            if not locked:
                BURSTS.labels("set_aside" if aside else "failed").inc()
            if not future.done() and aside:
                future.set_result(Reply(call.turn, None))
            elif not future.done():
                future.set_exception(Locked() if locked else error)
            return
        driven = sum(reply.busy is None for reply in replies.values())
        BURSTS.labels("done").inc(driven)
        BURST_ENTRIES.observe(driven)
        for alarm, future in futures.items():
            reply = replies[alarm]
            if reply.busy is None:
                self._failures.forget(alarm)
            if future.done():
                continue
            if reply.unread is not None:
                future.set_exception(reply.unread)
            else:
                future.set_result(reply)

    async def _set_aside(self, alarm: UUID, call: Call, error: Exception) -> bool:
        """Count a failure that is not the database's; set aside what fails for the same reason every time."""
        if isinstance(error, (*PASSING, Moved)):
            return False
        log.warning("burst_failed", alarm=str(alarm), error=type(error).__name__)
        if self._failures.count(alarm, error) < MOST_FAILURES:
            return False
        try:
            await set_aside(self._db, alarm, call.now, error)
        except Exception as other:  # noqa: BLE001 - the caller comes again, and with it the next try
            log.warning("not_set_aside", alarm=str(alarm), error=type(other).__name__)
            return False
        self._failures.forget(alarm)
        return True

    async def run(
        self, calls: Mapping[UUID, Call], *, locking: Locking = "wait", only: UUID | None = None
    ) -> dict[UUID, Reply]:
        """The transaction: these alarms' open entries (or one of them alone) hear what they have not heard."""

        async def work(connection: Any) -> tuple[dict[UUID, Reply], set[tuple[str, int]]]:
            return await self._burst(connection, calls, locking, only)

        replies, channels = await self._db.anew(work)
        for channel, workspace in channels:
            self._notifier.notify(channel, workspace)
        return replies

    async def _burst(
        self, connection: Any, calls: Mapping[UUID, Call], locking: Locking, only: UUID | None
    ) -> tuple[dict[UUID, Reply], set[tuple[str, int]]]:
        """The replies, and the channels that have something new to deliver."""
        alarms = list(calls)
        replies = {alarm: Reply(call.turn, None) for alarm, call in calls.items()}
        if locking == "briefly":
            await connection.execute(BRIEFLY)
        locked = await connection.fetch(LOCK_FREE if locking == "skip" else LOCK, alarms, only)
        if max(len(calls), len(locked)) > 1 and sum(each["bytes"] for each in locked) > 2 * MOST_BYTES:
            raise TooMuch
        held = [each["workspace"] for each in locked], [each["person"] for each in locked]
        rows = await connection.fetch(READ, alarms, *held, only)  # the first snapshot is older than its locks
        if locking == "skip":  # or it has moved to another person meanwhile
            busy = {row["alarm"]: row["workspace"] for row in rows if row["id"] is None}
            rows = [row for row in rows if row["id"] is not None]
            replies |= {alarm: replace(replies[alarm], busy=workspace) for alarm, workspace in busy.items()}
        check_locked(rows, locked)
        if not rows:
            return replies, set()
        transaction = EntryTransaction(StoreReading(connection), max(call.now for call in calls.values()))
        profiles = {(row["workspace"], row["person"]): profile_of(row["workspace"], row) for row in rows}
        loaded_entries = []
        for row in rows:
            profile = profiles[row["workspace"], row["person"]]
            try:
                loaded_entries.append(await self._load(transaction, row, profile, calls[row["alarm"]]))
            except NotUnderstood as error:
                replies[row["alarm"]] = replace(replies[row["alarm"]], unread=error)
        await transaction.drive(loaded for loaded in loaded_entries if not loaded.parked)
        transaction.settle(loaded_entries)
        await transaction.store_updates(connection)
        gone = [
            (*loaded.place, loaded.id, loaded.entry.moved)
            for loaded in loaded_entries
            if loaded.leaves_unsent
        ]
        if gone:
            await connection.execute(WITHDRAW, *map(list, zip(*gone, strict=True)))
        pending_alarms = {each.entry: each for each in await transaction.writes.write(connection)}
        turns = {row["entry"]: (row["turn"], row["alarm"]) for row in rows}
        for loaded in loaded_entries:
            before, alarm = turns[loaded.id]
            after = pending_alarms.get(loaded.id)
            turn = after.turn if after else before
            alarm_at = self._alarm(loaded)
            if alarm_at is None:
                continue
            reply = replies[alarm]
            sooner = alarm_at if reply.alarm_at is None else min(alarm_at, reply.alarm_at)
            replies[alarm] = replace(reply, turn=max(turn, reply.turn), alarm_at=sooner)
        return replies, transaction.channels

    def _alarm(self, loaded: LoadedEntry) -> datetime | None:
        """When the entry's workflow must wake (None: it ends). While its canvas is stopped or paused it never ends."""
        if loaded.entry.ended:
            return None
        alarm_at, now = loaded.case.alarm(), loaded.case.clock
        if loaded.parked and (alarm_at is None or alarm_at <= now):
            return now + self._clock.span(FAR)
        return alarm_at

    async def _load(
        self, transaction: EntryTransaction, row: Mapping[str, Any], profile: Profile, call: Call
    ) -> LoadedEntry:
        publication = await self._published.of(row["workspace"])
        plan = await self._published.plan(row["workspace"], row["plan"])
        stale = row["alarm"] == row["entry"] and call.turn < row["answered"]
        zones = zones_of(profile, publication.zone) if row["changes"] else UTC
        present = to_drive(plan, entry_of(row), row["change"], changes_of(row), zones)
        events = [] if present.entry.ended or present.parked else unjudged(row)
        ends, heard = bool(present.entry.ended), list(unheard_of(row))
        if events:
            present, more = judged(plan, present, events, profile.as_person(publication.zone))
            heard += more
        case = Case(
            plan,
            present.entry,
            heard,
            clock=call.now,
            grace=self._clock.span(GRACE),
            late_after=self._clock.span(LATE_AFTER),
            moved_on=present.entry.ended is not None
            or bool(events)
            or (not present.parked and present.entry.wake_at != row["wake_at"]),
            change=present.change,
            skip=present.skip,
            later=present.later,
            zones=zones,
        )
        loaded = LoadedEntry(
            case,
            publication,
            profile,
            row["entry"],
            row["priority"],
            row["hops"],
            told_too=not stale,
            parked=present.parked,
            leaves_unsent=bool(present.entry.ended) and not ends,
            beside=row["beside"],
        )
        for command in present.commands:
            if isinstance(command, Note):
                transaction.fact(loaded, command.fact, command.at, command.step, command.data)
        return loaded
