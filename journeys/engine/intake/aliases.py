"""`/users/alias/new` and `/users/alias/update`: gives people aliases, and renames those that they have (IDN-21, IDN-24)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from journeys.engine.clock import Clock
from journeys.engine.entries.routing import Routed
from journeys.engine.intake.half_characters import Unreadable
from journeys.engine.intake.track import write
from journeys.engine.intake.track_objects import identifier_of, misnamed, read
from journeys.engine.people.identity import Identifier, guard, resolve
from journeys.engine.ports import AlarmSync, Notifier, tell
from journeys.engine.store.database import Database
from journeys.engine.workspaces.published import Published

ADD = """
insert into aliases (workspace, person, label, name)
select $1, s.person, s.label, s.name from unnest($2::uuid[], $3::text[], $4::text[])
    with ordinality as s(person, label, name, place) order by s.place
on conflict do nothing
"""
RENAME = """
update aliases set name = $4 where (workspace, label, name) = ($1, $2, $3)
    and not exists (select from aliases where (workspace, label, name) = ($1, $2, $4))
"""


@dataclass(frozen=True, slots=True)
class NewAlias:
    """An alias for the person with this external id; without one, for somebody who has nothing but the alias."""

    alias: Identifier
    external_id: Identifier | None


@dataclass(frozen=True, slots=True)
class AliasUpdate:
    """An alias, and the one that it becomes, under the same label."""

    old: Identifier
    new: Identifier


def new_alias(given: Any) -> NewAlias | str:
    """An object of `user_aliases`, or what is wrong with it."""
    if not isinstance(given, Mapping) or isinstance(given, Unreadable):
        return "each object in 'user_aliases' must be a JSON object"
    alias = _alias(given.get("alias_label"), given.get("alias_name"))
    if isinstance(alias, str):
        return alias
    external_id = given.get("external_id")
    if external_id is None:
        return NewAlias(alias, None)
    wrong = misnamed("external_id", external_id)
    return wrong or NewAlias(alias, Identifier("external_id", external_id))


def alias_update(given: Any) -> AliasUpdate | str:
    """An object of `alias_updates`, or what is wrong with it."""
    if not isinstance(given, Mapping) or isinstance(given, Unreadable):
        return "each object in 'alias_updates' must be a JSON object"
    for key in ("alias_label", "old_alias_name", "new_alias_name"):
        if given.get(key) is None:
            return f"'{key}' is required"
    old, new = (_alias(given["alias_label"], given[key], key) for key in ("old_alias_name", "new_alias_name"))
    if isinstance(old, str):
        return old
    return new if isinstance(new, str) else AliasUpdate(old, new)


def _alias(label: Any, name: Any, key: str = "alias_name") -> Identifier | str:
    for each, value in (("alias_label", label), (key, name)):
        if value is None:
            return f"'{each}' is required"
        if wrong := misnamed(each, value):
            return wrong
    found = identifier_of({"user_alias": {"alias_label": label, "alias_name": name}})
    return found.replace("'user_alias' cannot be used: ", "") if isinstance(found, str) else found


async def add_aliases(
    db: Database,
    published: Published,
    clock: Clock,
    alarm_sync: AlarmSync,
    notifier: Notifier,
    workspace: int,
    wanted: Sequence[NewAlias],
) -> None:
    """Give people these aliases, in one transaction.

    Nothing happens where the external id is unknown, where somebody has the alias, or where the person has another one
    under the label (IDN-3). Without an external id somebody is made who has the alias alone, if nobody has it;
    canvases hear of them as of all who are made.
    """
    if not wanted:
        return
    publication = await published.of(workspace)
    alone = [_object(one.alias) for one in wanted if one.external_id is None]
    objects = read({"attributes": alone})
    others = [one.external_id for one in wanted if one.external_id is not None]

    async def work(connection: Any) -> Routed:
        await guard(connection, workspace, [one.alias for one in wanted])
        written = await write(connection, publication, published, clock, objects, others)
        found = written.people
        rows = [
            (found[one.external_id], *one.alias.alias)
            for one in wanted
            if one.external_id is not None and one.external_id in found
        ]
        if rows:
            await connection.execute(ADD, workspace, *map(list, zip(*rows, strict=True)))
        return written.routed

    tell(await db.anew(work), alarm_sync, notifier)


def _object(alias: Identifier) -> dict[str, Any]:
    """The object of `/users/track` that makes somebody who has this alias, if nobody has it."""
    label, name = alias.alias
    return {"user_alias": {"alias_label": label, "alias_name": name}, "_update_existing_only": False}


async def rename_aliases(db: Database, workspace: int, wanted: Sequence[AliasUpdate]) -> None:
    """Rename these aliases, one after the other, in one transaction.

    Nothing happens where nobody has the alias, or where somebody has the new one.
    """

    async def work(connection: Any) -> None:
        await guard(connection, workspace, [each for one in wanted for each in (one.old, one.new)])
        await resolve(connection, workspace, {one.old: False for one in wanted})
        for one in wanted:
            label, old = one.old.alias
            await connection.execute(RENAME, workspace, label, old, one.new.alias[1])

    if wanted:
        await db.anew(work)
