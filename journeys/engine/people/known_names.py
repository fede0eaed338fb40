"""The names of a workspace's events, products and custom attributes: noted when they first come, and listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from weakref import WeakKeyDictionary

from journeys.engine.logs import logger
from journeys.engine.store.database import PASSING, Database

Kind = Literal["event", "purchase", "attribute"]
Name = tuple[Kind, str]

MOST = 20_000
"""Names of a kind that a workspace has: a sender who makes them up has no use of a list."""

MOST_HELD = 100_000
"""Names that a process remembers; it forgets them all when there are more."""

NOTE = """
insert into known_names (workspace, kind, name, type)
select $1, s.kind, s.name, s.type from unnest($2::text[], $3::text[], $4::text[]) as s(kind, name, type)
where (select count(*) from known_names k where (k.workspace, k.kind) = ($1, s.kind)) < $5
order by s.kind, s.name on conflict do nothing
"""
LIST = """
select name, type from known_names where (workspace, kind) = ($1, $2) and name collate "C" > $3 order by name collate "C" limit $4 offset $5
"""

_held: WeakKeyDictionary[Database, set[tuple[int, str, str]]] = WeakKeyDictionary()

log = logger(__name__)


def type_of(value: Any) -> str:
    """The type of an attribute's value.

    Example:
        >>> type_of(7), type_of([{"a": 1}]), type_of(["a"])
        ('number', 'object_array', 'array')
    """
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
    return "object_array" if value and all(isinstance(each, Mapping) for each in value) else "array"


async def note(db: Database, workspace: int, names: Mapping[Name, str | None]) -> None:
    """Note names that were used, each with its type where it has one. Called after what was written is committed.

    A process asks the database once for each name. Where it cannot, the next use of the name notes it.
    """
    held = _held.setdefault(db, set())
    fresh = sorted(one for one in names if (workspace, *one) not in held)
    if not fresh:
        return
    columns = [[kind for kind, _ in fresh], [name for _, name in fresh], [names[one] for one in fresh]]
    try:
        await db.pool.execute(NOTE, workspace, *columns, MOST)
    except PASSING as error:
        log.warning("names_not_noted", workspace=workspace, error=type(error).__name__)
        return
    if len(held) > MOST_HELD:
        held.clear()
    held.update((workspace, *one) for one in fresh)


async def known(
    connection: Any, workspace: int, kind: Kind, *, after: str = "", most: int, offset: int = 0
) -> Sequence[tuple[str, str | None]]:
    """Names of a kind in their order, with their types: those after one of them, and after so many more."""
    rows = await connection.fetch(LIST, workspace, kind, after, most, offset)
    return [(row["name"], row["type"]) for row in rows]


def of_events(names: Iterable[tuple[str, str]]) -> dict[Name, None]:
    """The kinds and names of what people did, as far as they are listed."""
    return {
        ("event" if kind == "event" else "purchase", name): None
        for kind, name in names
        if kind in ("event", "purchase")
    }
