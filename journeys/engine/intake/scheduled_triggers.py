"""Triggers for later: entries by API whose time comes, for named people or for an audience (canvas.md 7.2 to 7.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from journeys.canvas.occurrences import ScheduledOccurrence
from journeys.canvas.wall_clock import localized
from journeys.engine.entries.audience_reading import matching
from journeys.engine.entries.run_members import add
from journeys.engine.entries.runs import ASKED, Look, Slice, audience_of, best_instants
from journeys.engine.intake.shared_addresses import sharing
from journeys.engine.intake.track import write
from journeys.engine.intake.triggering import Trigger, Wanted, attributes_of
from journeys.engine.people.identity import Identifier, find
from journeys.engine.people.known_names import Name, note
from journeys.engine.people.profiles import load
from journeys.engine.ports import PendingAlarm
from journeys.engine.workspaces.planned_runs import ALARM, MOVED, WITHDRAW, plan_run
from journeys.engine.workspaces.published import Publication, Running

MINE = """
select id, canvas, state from runs r where workspace = $1 and id = $2 and kind = 'api'
    and canvas = $3 for update
"""


class PastEverywhere(ValueError):
    """A local time that has passed in every zone; the text is for people."""


class NoSuchSchedule(LookupError):
    """There is no trigger for later of that id that has not begun; the text is for people."""


def occurrence_at(time: datetime, *, local: bool, now: datetime) -> ScheduledOccurrence:
    """When a trigger for later comes: at one instant (UTC where it has no offset), or by each person's own clock.

    Raises `PastEverywhere`.
    """
    wall = time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    if local:
        found = ScheduledOccurrence(1, time.replace(tzinfo=None))
    else:
        found = ScheduledOccurrence(1, wall, localized(wall, "UTC"))
    if local and found.last < now:
        raise PastEverywhere("this local time is past in every time zone")
    return found


async def create(
    connection: Any,
    publication: Publication,
    running: Running,
    identity: UUID,
    occurrence: ScheduledOccurrence,
    *,
    recipients: Sequence[Wanted],
    audience: Any,
    context: Mapping[str, Any],
    best_time: str | None = None,
) -> list[PendingAlarm]:
    """Record a trigger for later as a run; the caller tells of its alarm after the commit."""
    named = [_stored(each) for each in recipients] or None
    return await plan_run(
        connection, publication.workspace, running.plan, identity, "api", occurrence,
        audience=audience, recipients=named, context=dict(context), best_time=best_time,
    )  # fmt: skip


async def move(
    connection: Any,
    workspace: int,
    canvas: str,
    identity: UUID,
    occurrence: ScheduledOccurrence,
    best_time: str | None = None,
) -> list[PendingAlarm]:
    """Let a trigger for later come at another time; the former is forgotten whole. Raises `NoSuchSchedule`."""
    await _waiting(connection, workspace, canvas, identity)
    await connection.execute(
        MOVED, workspace, identity, occurrence.wall, occurrence.instant, occurrence.first, best_time
    )
    row = await connection.fetchrow(ALARM, workspace, identity, canvas, "", occurrence.first)
    return [PendingAlarm(*row)]


async def delete(connection: Any, workspace: int, canvas: str, identity: UUID) -> None:
    """Withdraw a trigger for later. Raises `NoSuchSchedule`."""
    await _waiting(connection, workspace, canvas, identity)
    await connection.execute(WITHDRAW, workspace, identity, "it was deleted")


async def _waiting(connection: Any, workspace: int, canvas: str, identity: UUID) -> None:
    row = await connection.fetchrow(MINE, workspace, identity, canvas)
    if row is None:
        raise NoSuchSchedule(f"the canvas “{canvas}” has no schedule “{identity}”")
    if row["state"] != "waiting":
        raise NoSuchSchedule(f"the schedule “{identity}” has begun, or is over: it is {row['state']}")


class ScheduledTriggers:
    """Writes down the named recipients of a run when its time comes, each with their own context."""

    def __init__(self, trigger: Trigger) -> None:
        self._trigger = trigger

    async def __call__(self, look: Look, part: Slice) -> None:
        """Write the recipients' attributes, once (ENT-23), and down those of the zones whose time has come (ENT-22)."""
        trigger, row, publication = self._trigger, look.row, look.publication
        assert row is not None and publication is not None and look.running is not None
        recipients = [_wanted(each) for each in row["recipients"]]
        once = {wanted.who: wanted for wanted in recipients}  # ENT-24
        plan = look.running.plan
        audience = audience_of(row, plan)
        objects = attributes_of(recipients)
        others = [*once, *await sharing(trigger.db.pool, publication.workspace, objects.items)]
        first = row["due"] is None
        names: dict[Name, str | None] = {}

        async def work(connection: Any) -> list[PendingAlarm]:
            alarms: list[PendingAlarm] = []
            if first:
                written = await write(
                    connection, publication, trigger.published, trigger.clock, objects, others
                )
                people, alarms = written.people, written.routed.pending_alarms
                names.update(written.tracked.names)
            else:
                people = await find(connection, publication.workspace, list(once))
            by_person = {people[who]: wanted for who, wanted in once.items() if who in people}
            profiles = (await load(connection, publication.workspace, by_person)).values()
            chosen = [
                each
                for each in profiles
                if part.zones is None or (each.zone or publication.zone) in part.zones
            ]
            for one in audience:
                chosen = await matching(connection, publication, one, chosen, part.at, row["canvas"])
            best = best_instants(row, plan)
            at = {} if best is None else await best.of(connection, publication, chosen, part.at)
            members = {
                each.id: (at.get(each.id, part.at), dict(by_person[each.id].context)) for each in chosen
            }
            await add(connection, publication.workspace, row["id"], members)
            await connection.execute(ASKED, publication.workspace, row["id"], part.at)
            return alarms

        trigger.alarm_sync.sync(await trigger.db.anew(work))
        await note(trigger.db, publication.workspace, names)


def _stored(wanted: Wanted) -> dict[str, Any]:
    return {
        "sort": wanted.who.sort,
        "value": wanted.who.value,
        "context": dict(wanted.context),
        "attributes": None if wanted.attributes is None else dict(wanted.attributes),
        "existing_only": wanted.existing_only,
    }


def _wanted(stored: Mapping[str, Any]) -> Wanted:
    who = Identifier(stored["sort"], stored["value"])
    return Wanted(who, stored["context"], stored["attributes"], stored["existing_only"])
