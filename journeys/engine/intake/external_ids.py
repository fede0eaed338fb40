"""`/users/external_ids/rename` and `remove`: new external ids beside the former ones, until these are removed (IDN-29)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from journeys.engine.intake.track_objects import misnamed
from journeys.engine.people.identity import FORGET, Identifier, resolve
from journeys.engine.store.database import Database

UNKNOWN = "there is no person with this external id"

OWN = "select id, external_id from people where workspace = $1 and id = any($2::uuid[]) and external_id is not null"
DEPRECATE = "insert into former_names (workspace, sort, value, person) values ($1, 'external_id', $2, $3)"
RENAME = "update people set external_id = $3, updated = clock_timestamp() where workspace = $1 and id = $2"
REMOVE = """
delete from former_names where workspace = $1 and sort = 'external_id' and value = any($2::text[]) returning value
"""


@dataclass(slots=True)
class Done:
    """The ids for which it was done, and by the place in the call (counted from 0) why not for others (IDN-32)."""

    ids: list[str] = field(default_factory=list)
    errors: list[tuple[int, str]] = field(default_factory=list)


def wrong_rename(given: Any) -> str | None:
    """What is wrong with an object of `external_id_renames`, without a look at who there is."""
    if not isinstance(given, Mapping):
        return "each object in 'external_id_renames' must be a JSON object"
    for key in ("current_external_id", "new_external_id"):
        if given.get(key) is None:
            return f"'{key}' is required"
        if wrong := misnamed(key, given[key]):
            return wrong
    if given["current_external_id"] == given["new_external_id"]:
        return "the current and the new external id are the same"
    return None


async def rename_external_ids(db: Database, workspace: int, given: Sequence[Any]) -> Done:
    """Give people new external ids, one after the other in one transaction; the former ones go on finding them.

    `Done` has the new ids. The current one must be the person's own, not a former one, and the new one nobody's, not
    even as a former one (IDN-29).
    """
    wrong = [(place, why) for place, each in enumerate(given) if (why := wrong_rename(each))]
    refused = dict(wrong)
    wanted = [
        (place, each["current_external_id"], each["new_external_id"])
        for place, each in enumerate(given)
        if place not in refused
    ]

    async def work(connection: Any) -> Done:
        done = Done(errors=list(wrong))
        # the new ids are reserved by rows of nobody, in the order of all who make people, before anybody is locked
        named = {Identifier("external_id", old): False for _, old, _ in wanted}
        named |= {Identifier("external_id", new): True for _, _, new in wanted}
        found, reserved = await resolve(connection, workspace, named)
        if reserved:
            await connection.execute(FORGET, workspace, list(reserved))
        own: dict[str, UUID] = {
            row["external_id"]: row["id"]
            for row in await connection.fetch(OWN, workspace, list(set(found.values())))
        }
        taken = {one.value for one, person in found.items() if person not in reserved}
        for place, old, new in wanted:
            if old not in own:
                why = "the current external id is a former one" if old in taken else UNKNOWN
                done.errors.append((place, why))
            elif new in taken:
                done.errors.append((place, "the new external id is in use"))
            else:
                person = own.pop(old)
                await connection.execute(RENAME, workspace, person, new)
                await connection.execute(DEPRECATE, workspace, old, person)
                own[new] = person
                taken |= {old, new}
                done.ids.append(new)
        done.errors.sort()
        return done

    return await db.anew(work)


async def remove_external_ids(db: Database, workspace: int, given: Sequence[Any]) -> Done:
    """Remove former external ids, in one transaction; `Done` has those that were removed. A person's own one stays."""
    wrong = {place: why for place, each in enumerate(given) if (why := misnamed("external_id", each))}

    async def work(connection: Any) -> Done:
        done = Done(errors=list(wrong.items()))
        named = [each for place, each in enumerate(given) if place not in wrong]
        found, _ = await resolve(
            connection, workspace, dict.fromkeys((Identifier("external_id", each) for each in named), False)
        )
        removed = {row["value"] for row in await connection.fetch(REMOVE, workspace, named)}
        for place, each in enumerate(given):
            if place in wrong:
                continue
            if each in removed:
                removed.discard(each)
                done.ids.append(each)
            elif Identifier("external_id", each) in found and each not in done.ids:
                done.errors.append(
                    (place, "only a former external id can be removed, and this is the person's own")
                )
            else:
                done.errors.append((place, UNKNOWN))
        done.errors.sort()
        return done

    return await db.anew(work)
