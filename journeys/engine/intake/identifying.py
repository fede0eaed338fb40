"""`/users/merge` and `/users/identify`: finds whom the objects of a call mean, and makes one person of two (IDN-20, IDN-25)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from journeys.engine.clock import Clock
from journeys.engine.core.merging import Candidate, Priority, meant, wrong_priorities
from journeys.engine.intake.half_characters import Unreadable
from journeys.engine.intake.merging import merge
from journeys.engine.intake.track_objects import identifier_of, misnamed
from journeys.engine.people.identity import FORGET, Identifier, find, resolve
from journeys.engine.people.standard_attributes import address, e164
from journeys.engine.ports import AlarmSync, PendingAlarm
from journeys.engine.store.database import Database, Moved
from journeys.engine.workspaces.published import Published

MUST_BE = (
    "identifiers must be objects with an 'external_id' property that is a string, 'user_alias' property that is an "
    "object, 'email' property that is a string, or 'phone' property that is a string"
)
ONLY = "'merge_updates' must only have 'identifier_to_merge' and 'identifier_to_keep'"
OBJECTS = "'merge_updates' must be an array of objects"
SORTS = ("external_id", "user_alias", "email", "phone")

CANDIDATES = {
    sort: f"select id, external_id is not null, updated from people where workspace = $1 and {sort} = $2"  # noqa: S608
    for sort in ("email", "phone")
}
NAMED = """
select p.external_id, array(select a.label from aliases a where (a.workspace, a.person) = (p.workspace, p.id)) as labels
from people p where p.workspace = $1 and p.id = $2
"""
NAME = "update people set external_id = $3, updated = clock_timestamp() where workspace = $1 and id = $2"


@dataclass(frozen=True, slots=True)
class Who:
    """Whom an object names; of several who share an address or a number the `priorities` say who is meant (IDN-28).

    None as the identifier: an address or a number that is none, and means nobody.
    """

    identifier: Identifier | None
    priorities: Sequence[Priority] = ()


@dataclass(frozen=True, slots=True)
class MergeUpdate:
    """Two people who are to be one: `gone` goes, `kept` stays."""

    gone: Who
    kept: Who


@dataclass(frozen=True, slots=True)
class Identification:
    """Somebody who is the person with this external id."""

    external_id: Identifier
    who: Who


@dataclass(frozen=True, slots=True)
class Parts:
    """What a merge needs."""

    db: Database
    published: Published
    clock: Clock
    alarm_sync: AlarmSync


def merge_update(given: Any) -> MergeUpdate | str:
    """An object of `merge_updates`, or what is wrong with it: then nothing of the call is done (IDN-30)."""
    if not isinstance(given, Mapping):
        return OBJECTS
    if given.keys() != {"identifier_to_merge", "identifier_to_keep"}:
        return ONLY
    found = [_who(given[key]) for key in ("identifier_to_merge", "identifier_to_keep")]
    gone, kept = found
    if isinstance(gone, str):
        return gone
    return kept if isinstance(kept, str) else MergeUpdate(gone, kept)


def _who(given: Any) -> Who | str:
    if not isinstance(given, Mapping):
        return MUST_BE
    sort = next((one for one in SORTS if given.get(one) is not None), None)
    if sort is None or not isinstance(given[sort], Mapping if sort == "user_alias" else str):
        return MUST_BE
    return who_of(sort, given)


def who_of(sort: str, given: Mapping[str, Any]) -> Who | str:
    """Whom an object names by the identifier of this sort, or what is wrong with it."""
    if sort in ("email", "phone"):
        if not isinstance(given[sort], str):
            return f"'{sort}' must be a string"
        if wrong := wrong_priorities(given.get("prioritization")):
            return wrong
        value = (address if sort == "email" else e164)(given[sort])
        named = None if value is None else Identifier("email" if sort == "email" else "phone", value)
        return Who(named, given.get("prioritization") or ())
    found = identifier_of({sort: given[sort]})
    return found if isinstance(found, str) else Who(found)


def identification(sort: str) -> Any:
    """A reader of objects that name somebody by an identifier of this sort, and the external id that they get."""

    def read(given: Any) -> Identification | str:
        if not isinstance(given, Mapping) or isinstance(given, Unreadable):
            return "each object must be a JSON object"
        if given.get("external_id") is None:
            return "'external_id' is required"
        if wrong := misnamed("external_id", given["external_id"]):
            return wrong
        if given.get(sort) is None:
            return f"'{sort}' is required"
        who = who_of(sort, given)
        if isinstance(who, str):
            return who
        return Identification(Identifier("external_id", given["external_id"]), who)

    return read


async def who_is_meant(connection: Any, workspace: int, who: Who) -> UUID | None:
    """The person who is meant, if there is one and no more; locks nobody."""
    one = who.identifier
    if one is None:
        return None
    if one.sort not in CANDIDATES:
        return (await find(connection, workspace, [one])).get(one)
    rows = await connection.fetch(CANDIDATES[one.sort], workspace, one.value)
    found: UUID | None = meant([Candidate(*row) for row in rows], who.priorities)
    return found


async def merge_people(parts: Parts, workspace: int, updates: Sequence[MergeUpdate]) -> None:
    """Make one person of each two, one transaction after the other.

    Nothing happens where one of them is not there, where they are one already, or where a merge is declined (IDN-16).
    """
    for one in updates:
        await _merge(parts, workspace, one)


async def _merge(parts: Parts, workspace: int, one: MergeUpdate) -> None:
    publication = await parts.published.of(workspace)

    async def work(connection: Any) -> Sequence[PendingAlarm]:
        gone, kept = [await who_is_meant(connection, workspace, who) for who in (one.gone, one.kept)]
        if gone is None or kept is None or gone == kept:
            return ()
        await lock_all(connection, workspace, gone, kept)
        if [await who_is_meant(connection, workspace, who) for who in (one.gone, one.kept)] != [gone, kept]:
            raise Moved
        now = parts.clock.now()
        done = await merge(connection, publication, parts.published, gone, kept, now)
        return done.pending_alarms

    parts.alarm_sync.sync(await parts.db.anew(work))


async def lock_all(connection: Any, workspace: int, *people: UUID) -> None:
    """Lock people by our ids, ascending. Raises `Moved` where one of them was merged into another."""
    wanted = {Identifier("braze_id", str(person)): person for person in people}
    found, _ = await resolve(connection, workspace, dict.fromkeys(wanted, False))
    if found != wanted:
        raise Moved


async def identify_people(
    parts: Parts, workspace: int, wanted: Sequence[Identification], *, values: bool = True
) -> None:
    """Let people be those with these external ids, one transaction after the other (IDN-27).

    Who has the external id already is one with them, unless they have an alias under the label by which they are named:
    then nothing happens, nor where nobody is meant, or somebody with another external id. Without `values` that is
    `merge_behavior: none`.
    """
    for one in wanted:
        await _identify(parts, workspace, one, values=values)


async def _identify(parts: Parts, workspace: int, one: Identification, *, values: bool) -> None:
    publication = await parts.published.of(workspace)

    async def work(connection: Any) -> Sequence[PendingAlarm]:
        who = await who_is_meant(connection, workspace, one.who)
        if who is None:
            return ()
        # the external id is reserved by a row of nobody, before anybody is locked, as where people are renamed
        other = Identifier("braze_id", str(who))
        found, reserved = await resolve(connection, workspace, {one.external_id: True, other: False})
        if found.get(other) != who or await who_is_meant(connection, workspace, one.who) != who:
            raise Moved
        if reserved:
            await connection.execute(FORGET, workspace, list(reserved))
        row = await connection.fetchrow(NAMED, workspace, who)
        kept = found[one.external_id]
        if row["external_id"] is not None or kept == who:
            return ()
        if kept in reserved:
            await connection.execute(NAME, workspace, who, one.external_id.value)  # IDN-27
            return ()
        if await _has_label(connection, workspace, kept, one.who):  # IDN-27
            return ()
        now = parts.clock.now()
        done = await merge(connection, publication, parts.published, who, kept, now, values=values)
        return done.pending_alarms

    parts.alarm_sync.sync(await parts.db.anew(work))


async def _has_label(connection: Any, workspace: int, person: UUID, who: Who) -> bool:
    if who.identifier is None or who.identifier.sort != "user_alias":
        return False
    row = await connection.fetchrow(NAMED, workspace, person)
    return who.identifier.alias[0] in row["labels"]
