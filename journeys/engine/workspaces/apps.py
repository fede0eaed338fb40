"""Apps of a workspace (iOS, Android, web …), each with an id and a publishable key (WSP-2, API-6).

A publishable key may stand in an app or on a page, where its users can read it: it sends what people did, and reads nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from uuid_utils.compat import uuid7

from journeys.engine.store.database import Database
from journeys.engine.workspaces.api_keys import PUBLISHABLE, Taken
from journeys.engine.workspaces.naming import key_name

Platform = Literal["ios", "android", "web", "other"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)

MAKE = """
insert into apps (workspace, id, name, platform, publishable) values ($1, $2, $3, $4, $5)
on conflict (workspace, name) do nothing returning id, name, platform, publishable, created, last_seen
"""
LIST = (
    "select id, name, platform, publishable, created, last_seen from apps where workspace = $1 order by name"
)


@dataclass(frozen=True, slots=True)
class App:
    """An app. `id` is its `app_id` in calls; `publishable` its key, which is no secret; `last_seen` right to the minute."""

    id: UUID
    name: str
    platform: str
    publishable: str
    created: datetime
    last_seen: datetime | None


class NoApp(LookupError):
    """The workspace has no app of that name; the text says which it has."""


async def create_app(db: Database, workspace: int, name: str, platform: Platform) -> App:
    """A new app with its publishable key. Raises `Taken`, `Unnamed`."""
    key_name(name)
    publishable = PUBLISHABLE + secrets.token_urlsafe(32)
    row = await db.pool.fetchrow(MAKE, workspace, uuid7(), name, platform, publishable)
    if row is None:
        raise Taken(f"the workspace already has an app “{name}”")
    return App(**row)


async def apps_of(db: Database, workspace: int) -> list[App]:
    """The apps of a workspace, by name."""
    rows = await db.pool.fetch(LIST, workspace)
    return [App(**row) for row in rows]


async def remove_app(db: Database, workspace: int, name: str) -> None:
    """Remove an app: within a second no process accepts its key. Raises `NoApp`."""
    gone = await db.pool.fetchval(
        "delete from apps where (workspace, name) = ($1, $2) returning name", workspace, name
    )
    if gone is None:
        known = ", ".join(one.name for one in (await apps_of(db, workspace))[:20])
        raise NoApp(
            f"the workspace has no app “{name[:100]}”: {f'there are: {known}' if known else 'it has none'}"
        )
