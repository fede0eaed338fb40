"""Finds the person whom a command is about: by external id, or by what else names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from cyclopts import Parameter

from journeys.cli.entries import person_named
from journeys.cli.stop import Stop
from journeys.engine.intake.track_objects import identifier_of
from journeys.engine.people.identity import Identifier, find
from journeys.engine.store.database import Database


@Parameter(name="*")
@dataclass
class Named:
    """Other names of the person than the one that is typed first."""

    alias: Annotated[str | None, Parameter("--alias")] = None
    """Their alias, as label:name."""
    email: Annotated[str | None, Parameter("--email")] = None
    """Their email address."""
    anonymous: Annotated[str | None, Parameter("--anonymous")] = None
    """Their anonymous id."""
    identity: Annotated[str | None, Parameter("--id")] = None
    """Their internal id."""


async def the_person(
    db: Database, workspace: int, where: str, given: str | None, named: Named | None
) -> UUID:
    """The person whom exactly one of these names; stops where it names nobody. `where`: the workspace's name."""
    said = _said(given, named)
    if len(said) != 1:
        raise Stop("name the person once: by external id, or by --alias, --email, --anonymous or --id", 2)
    [(sort, text)] = said
    if not sort:
        found = await person_named(db, workspace, text)
    else:
        one = identifier_of({sort: _alias(text) if sort == "user_alias" else text})
        found = await _found(db, workspace, one) if isinstance(one, Identifier) else None
    if found is None:
        raise Stop(f"there is no person “{text}” in {where}", 1)
    return found


def typed_name(given: str | None, named: Named | None) -> str:
    """The name that was typed, whichever it is."""
    return next((text for _, text in _said(given, named)), "")


def _said(given: str | None, named: Named | None) -> list[tuple[str, str]]:
    """The names that were typed, each with its sort: "" for the one that is typed first."""
    others = {} if named is None else {
        "user_alias": named.alias, "email": named.email, "anonymous_id": named.anonymous, "braze_id": named.identity,
    }  # fmt: skip
    return [(sort, text) for sort, text in (("", given), *others.items()) if text is not None]


async def _found(db: Database, workspace: int, who: Identifier) -> UUID | None:
    async with db.pool.acquire() as connection:
        return (await find(connection, workspace, [who])).get(who)


def _alias(text: str) -> dict[str, str]:
    label, colon, name = text.partition(":")
    if not colon:
        raise Stop(f"an alias is label:name, not “{text}”", 2)
    return {"alias_label": label, "alias_name": name}
