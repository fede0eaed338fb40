"""The items of catalogs in the store: written, changed, deleted, found, and read page by page.

Several items are locked in the order of their ids, by code point, so that there are no deadlocks.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from journeys.canvas.catalogs import LONGEST, NAME, Fault
from journeys.engine.large_requests import apart
from journeys.engine.sources.catalogs.requests import Invalid, refuse
from journeys.engine.sources.catalogs.schema import shared_types, types_of
from journeys.engine.sources.catalogs.values import Refused, coerced, patched

MOST = 50
"""The maximum number of items in one call, and on one page."""

Payload = Mapping[str, Any]
Items = Mapping[str, Payload]

WRITE = """
insert into catalog_items (workspace, catalog, id, payload)
select $1, $2, s.id, s.payload from unnest($3::text[], $4::jsonb[]) as s(id, payload)
on conflict (workspace, catalog, id) do update set payload = excluded.payload, updated = now()
"""
LAY_OVER = """
insert into catalog_items (workspace, catalog, id, payload)
select $1, $2, s.id, s.payload from unnest($3::text[], $4::jsonb[]) as s(id, payload)
on conflict (workspace, catalog, id) do update set payload = catalog_items.payload || excluded.payload, updated = now()
"""
MAKE = """
insert into catalog_items (workspace, catalog, id, payload) values ($1, $2, $3, $4) on conflict do nothing returning 1
"""
FIND = "select id, payload from catalog_items where workspace = $1 and catalog = $2 and id = any($3::text[])"
HOLD = FIND + ' order by id collate "C" for update'
RESERVE = """
insert into catalog_items (workspace, catalog, id, payload)
select $1, $2, s.id, jsonb_build_object('id', s.id) from unnest($3::text[]) as s(id) on conflict do nothing
"""
DELETE = f"""
with held as materialized ({HOLD})
delete from catalog_items i using held where (i.workspace, i.catalog, i.id) = ($1, $2, held.id) returning i.id
"""  # noqa: S608 - fixed parts
AFTER = """
select id, payload from catalog_items where workspace = $1 and catalog = $2 and id > $3 order by id limit $4
"""
BEFORE = """
select id, payload from catalog_items where workspace = $1 and catalog = $2 and id < $3 order by id desc limit $4
"""


# What a call says ----------------------------------------------------------------------------------------------


def given_items(body: Mapping[str, Any]) -> dict[str, Payload]:
    """The items of a call for several, by id. Raises `Invalid`."""
    given = _array(body, MOST)
    missing = [place for place, each in enumerate(given) if "id" not in each]
    if missing:
        raise Invalid(
            Fault("items-missing-ids", f"items[{missing[0]}] has no 'id'", ("items",), tuple(missing))
        )
    strange = tuple(each["id"] for each in given if not isinstance(each["id"], str))
    if strange:
        raise Invalid(Fault("ids-not-strings", "ids are strings", ("id",), strange))
    refuse(id_faults(each["id"] for each in given))
    return {each["id"]: each for each in given}


def given_item(body: Mapping[str, Any], item: str) -> dict[str, Payload]:
    """The one item of a call whose path says its id. Raises `Invalid`."""
    refuse(id_faults([item]))
    [one] = _array(body, 1)
    if one.get("id", item) != item:
        raise Invalid(Fault("id-in-body", "the id is in the path, not in the item", ("id",), (one["id"],)))
    return {item: one}


def _array(body: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    given = body.get("items")
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise Invalid(Fault("item-array-invalid", "'items' must be an array of objects", ("items",)))
    if len(given) > most:  # CAT-3
        said = f"a call takes at most {most} items" if most > 1 else "this call takes one item"
        raise Invalid(Fault("request-includes-too-many-items", said, ("items",)))
    return given


def id_faults(ids: Iterable[str]) -> list[Fault]:
    """What is wrong with the ids of items."""
    counted = Counter(ids)
    wrongs = []
    for code, said, found in (
        (
            "ids-too-large",
            f"an id has at most {LONGEST} characters",
            [i for i in counted if len(i) > LONGEST],  # CAT-2
        ),
        (
            "invalid-ids",
            "an id may have only letters, digits, hyphens and underscores",
            [each for each in counted if not NAME.fullmatch(each)],  # CAT-2
        ),
        (
            "ids-not-unique",  # CAT-4
            "an id appears twice in the call",
            [each for each, count in counted.items() if count > 1],
        ),
    ):
        if found:
            wrongs.append(Fault(code, said, ("id",), tuple(found)))
    return wrongs


def judged(items: Items, types: Mapping[str, str], before: Items | None = None) -> dict[str, Payload]:
    """The items as they are stored; laid over what they were `before`, where that is given (PATCH). Raises `Invalid`.

    Null is no value: in a change it removes the field.
    """
    strange = tuple(id_ for id_, item in items.items() if not set(item) - {"id"} <= set(types))  # CAT-2
    if strange:
        named = next(name for name in items[strange[0]] if name not in types)
        said = f"the catalog has no field “{named[:60]}”"
        raise Invalid(Fault("invalid-fields", said, ("id",), strange))
    wrongs: dict[str, tuple[str, list[str]]] = {}
    made: dict[str, Payload] = {}
    for id_, item in items.items():
        old = {} if before is None else before.get(id_, {})
        payload = {**old, "id": id_}
        for name, value in item.items():
            if name == "id":
                continue
            payload.pop(name, None)
            if value is None:
                continue
            try:
                if types[name] == "array" and before is not None:
                    payload[name] = patched(old.get(name), value)
                else:
                    payload[name] = coerced(types[name], value)
            except Refused as refused:
                wrongs.setdefault(refused.code, (f"the field “{name}”: {refused.message}", []))[1].append(id_)
        made[id_] = payload
    refuse(Fault(code, said, ("id",), tuple(dict.fromkeys(ids))) for code, (said, ids) in wrongs.items())
    return made


# Writing -------------------------------------------------------------------------------------------------------


def _columns(items: Items) -> tuple[list[str], list[Payload]]:
    ids = sorted(items)
    return ids, [items[id_] for id_ in ids]


async def replace(connection: Any, workspace: int, catalog: str, items: Items) -> None:
    """Write whole items, new and known. Raises `Invalid`, and writes nothing then."""
    types = await shared_types(connection, workspace, catalog)
    await connection.execute(WRITE, workspace, catalog, *_columns(await apart(judged, items, types)))


async def lay_over(connection: Any, workspace: int, catalog: str, items: Items) -> None:
    """Write items that were judged over those that are there: fields that they do not have stay."""
    await connection.execute(LAY_OVER, workspace, catalog, *_columns(items))


async def change(connection: Any, workspace: int, catalog: str, items: Items) -> None:
    """Change items, field by field; unknown ones are made. Raises `Invalid`, and writes nothing then."""
    types = await shared_types(connection, workspace, catalog)
    await connection.execute(RESERVE, workspace, catalog, sorted(items))  # what is not there cannot be held
    before = await _held(connection, workspace, catalog, items)
    await connection.execute(WRITE, workspace, catalog, *_columns(await apart(judged, items, types, before)))


async def _held(connection: Any, workspace: int, catalog: str, items: Items) -> Items:
    return {
        row["id"]: row["payload"] for row in await connection.fetch(HOLD, workspace, catalog, list(items))
    }


async def make_one(connection: Any, workspace: int, catalog: str, items: Items) -> None:
    """Make one item. Raises `Invalid`, also where there is one of that id."""
    types = await shared_types(connection, workspace, catalog)
    [(id_, payload)] = judged(items, types).items()
    if await connection.fetchval(MAKE, workspace, catalog, id_, payload) is None:
        said = f"the catalog already has an item “{id_}”"
        raise Invalid(Fault("item-already-exists", said, ("item_id",), (id_,)))  # CAT-4


async def change_one(connection: Any, workspace: int, catalog: str, items: Items) -> None:
    """Change one item that is there. Raises `Invalid`."""
    types = await shared_types(connection, workspace, catalog)
    before = await _held(connection, workspace, catalog, items)
    if not before:
        raise unknown_item(*items)
    await connection.execute(WRITE, workspace, catalog, *_columns(await apart(judged, items, types, before)))


async def delete(connection: Any, workspace: int, catalog: str, ids: Sequence[str]) -> set[str]:
    """Delete items; returns which of them were there. Raises `Invalid` where there is no such catalog."""
    await types_of(connection, workspace, catalog)
    return {row["id"] for row in await connection.fetch(DELETE, workspace, catalog, list(ids))}


def unknown_item(item: str) -> Invalid:
    """There is no such item: 404."""
    return Invalid(
        Fault("item-not-found", f"the catalog has no item “{item}”", ("item_id",), (item,)), status=404
    )


# Reading -------------------------------------------------------------------------------------------------------


async def find(connection: Any, workspace: int, catalog: str, ids: Sequence[str]) -> Items:
    """The items with these ids, as far as they are there."""
    return {row["id"]: row["payload"] for row in await connection.fetch(FIND, workspace, catalog, list(ids))}


@dataclass(frozen=True, slots=True)
class Page:
    """Some items in the order of their ids, and the cursors of the pages around it, where there are any."""

    items: Sequence[Payload]
    previous: str | None
    next: str | None


async def page(connection: Any, workspace: int, catalog: str, cursor: str | None) -> Page:
    """The page that a cursor names; the first without one. Raises `Invalid`."""
    types = await types_of(connection, workspace, catalog)
    way, edge = _decoded(cursor)
    # CAT-3
    rows = await connection.fetch(BEFORE if way == "<" else AFTER, workspace, catalog, edge, MOST + 1)
    more = len(rows) > MOST
    ids = [row["id"] for row in rows[:MOST]]
    items = [ordered(row["payload"], types) for row in rows[:MOST]]
    if way == "<":
        ids, items = ids[::-1], items[::-1]
        return Page(items, _cursor("<", ids[:1]) if more else None, _cursor(">", ids[-1:]) or cursor)
    # CAT-3
    return Page(items, _cursor("<", ids[:1]) if cursor else None, _cursor(">", ids[-1:]) if more else None)


def ordered(payload: Payload, types: Mapping[str, str]) -> Payload:
    """An item with its fields in the catalog's order."""
    return {name: payload[name] for name in types if name in payload}


def _cursor(way: str, ids: Sequence[str]) -> str | None:
    """Signs that need no encoding: some clients encode a cursor once more."""
    return urlsafe_b64encode((way + ids[0]).encode()).decode().rstrip("=") if ids else None


def _decoded(cursor: str | None) -> tuple[str, str]:
    if cursor is None:
        return ">", ""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    if text[:1] not in ("<", ">") or not NAME.fullmatch(text[1:]):
        raise Invalid(Fault("invalid-cursor", "the cursor is not valid", ("cursor",), (cursor,)))
    return text[0], text[1:]
