"""The catalogs of a workspace in the store: created, listed, changed and deleted, with fields and selections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from journeys.canvas.catalogs import MOST_SELECTIONS, Catalog, CatalogField, Fault, Selection, taken
from journeys.engine.large_requests import apart
from journeys.engine.sources.catalogs.requests import Invalid, unknown_catalog

CREATE = """
insert into catalogs (workspace, name, description, fields) values ($1, $2, $3, $4)
on conflict do nothing returning updated
"""
LIST = """
select c.name, c.description, c.fields, c.updated,
    (select count(*) from catalog_items i where (i.workspace, i.catalog) = (c.workspace, c.name)) as items
from catalogs c where c.workspace = $1 order by c.name
"""
DELETE = (
    "delete from catalog_items where workspace = $1 and catalog = $2",
    "delete from catalog_selections where workspace = $1 and catalog = $2",
    "delete from definitions where workspace = $1 and kind = 'catalog' and name = $2",
    "delete from catalogs where workspace = $1 and name = $2",
)
READ = "select fields from catalogs where workspace = $1 and name = $2"
CHANGE = "update catalogs set fields = $3, updated = now() where workspace = $1 and name = $2"
STRIP = """
update catalog_items set payload = payload - $3::text, updated = now()
where workspace = $1 and catalog = $2 and payload ? $3::text
"""
SELECTIONS = (
    "select name, body from catalog_selections where workspace = $1 and catalog = $2 order by created, name"
)
SELECT = """
insert into catalog_selections (workspace, catalog, name, body) values ($1, $2, $3, $4)
on conflict (workspace, catalog, name) do update set body = excluded.body
"""
UNSELECT = "delete from catalog_selections where workspace = $1 and catalog = $2 and name = $3 returning 1"


class Conflict(ValueError):
    """A catalog that is published cannot become what its file says; the text is for people."""


def _written(fields: Sequence[CatalogField]) -> list[dict[str, str]]:
    return [{"name": each.name, "type": each.type} for each in fields]


async def create(connection: Any, workspace: int, catalog: Catalog) -> dict[str, Any]:
    """Make a catalog, and describe it. Raises `Invalid` where there is one of that name."""
    fields = _written(catalog.fields)
    updated = await connection.fetchval(CREATE, workspace, catalog.name, catalog.description, fields)
    if updated is None:
        said = f"there is already a catalog “{catalog.name}”"
        raise Invalid(Fault("catalog-name-already-exists", said, ("name",), (catalog.name,)))
    return _described(catalog.name, catalog.description, fields, 0, updated)


def _described(name: str, description: str, fields: Any, items: int, updated: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "fields": fields,
        "num_items": items,
        "updated_at": updated.isoformat(timespec="milliseconds"),
    }


async def listed(connection: Any, workspace: int) -> list[dict[str, Any]]:
    """All catalogs of a workspace, described."""
    return [
        _described(row[0], row[1], row[2], row[4], row[3]) for row in await connection.fetch(LIST, workspace)
    ]


async def delete(connection: Any, workspace: int, name: str) -> None:
    """Delete a catalog with its items and selections. Raises `Invalid` where there is none. Within a transaction."""
    await _own_types(
        connection, workspace, name
    )  # waits for those who write items, so that none of theirs stays
    for statement in DELETE:
        await connection.execute(statement, workspace, name)


async def types_of(connection: Any, workspace: int, name: str) -> dict[str, str]:
    """The types of a catalog's fields, by name and in order. Raises `Invalid` where there is no such catalog."""
    return await _types(connection, READ, workspace, name)


async def shared_types(connection: Any, workspace: int, name: str) -> dict[str, str]:
    """The same, locked until the end of the transaction, so that the fields do not change while items are written."""
    return await _types(connection, READ + " for share", workspace, name)


async def _own_types(connection: Any, workspace: int, name: str) -> dict[str, str]:
    return await _types(connection, READ + " for update", workspace, name)


async def _types(connection: Any, query: str, workspace: int, name: str) -> dict[str, str]:
    fields = await connection.fetchval(query, workspace, name)
    if fields is None:
        raise unknown_catalog(name)
    return {each["name"]: each["type"] for each in fields}


async def add_fields(connection: Any, workspace: int, name: str, read: Any) -> None:
    """Add the fields that `read` makes of those that are there. Raises `Invalid`. Within a transaction."""
    known = await _own_types(connection, workspace, name)
    fields = await apart(read, known)
    await _set_types(connection, workspace, name, known | {each.name: each.type for each in fields})


async def _set_types(connection: Any, workspace: int, name: str, types: Mapping[str, str]) -> None:
    fields = [{"name": field, "type": type_} for field, type_ in types.items()]
    await connection.execute(CHANGE, workspace, name, fields)


async def drop_field(connection: Any, workspace: int, name: str, field: str) -> None:
    """Delete a field, and its values from all items. Raises `Invalid`. Within a transaction."""
    known = await _own_types(connection, workspace, name)
    about = ("field_name",), (field,)
    if field not in known:
        raise Invalid(Fault("invalid-field-name", f"the catalog has no field “{field}”", *about), status=404)
    if field == "id":  # CAT-1
        raise Invalid(
            Fault("invalid-field-name", "the field “id” identifies items and cannot be deleted", *about)
        )
    users = [one.name for one in await selections(connection, workspace, name) if field in _fields_of(one)]
    if users:
        said = f"the selection “{users[0]}” uses the field “{field}”"
        raise Invalid(Fault("field-referenced-by-selection", said, *about))
    del known[field]
    await _set_types(connection, workspace, name, known)
    await connection.execute(STRIP, workspace, name, field)


def _fields_of(selection: Selection) -> set[str | None]:
    return {selection.sort_field, *(each.field for each in selection.filters)}


async def selections(connection: Any, workspace: int, catalog: str) -> list[Selection]:
    """The selections of a catalog, the oldest first."""
    rows = await connection.fetch(SELECTIONS, workspace, catalog)
    return [Selection.model_validate(row["body"]) for row in rows]


async def add_selection(connection: Any, workspace: int, catalog: str, read: Any) -> None:
    """Add the selection that `read` makes for the catalog's types. Raises `Invalid`. Within a transaction."""
    selection = await apart(read, await _own_types(connection, workspace, catalog))
    known = {one.name for one in await selections(connection, workspace, catalog)}
    if selection.name in known:
        raise Invalid(taken(selection.name))
    if len(known) >= MOST_SELECTIONS:  # K5
        said = f"a catalog has at most {MOST_SELECTIONS} selections"
        raise Invalid(Fault("selection-limit-reached", said, ("name",), (selection.name,)))
    await connection.execute(SELECT, workspace, catalog, selection.name, selection.model_dump(mode="json"))


async def drop_selection(connection: Any, workspace: int, catalog: str, name: str) -> None:
    """Delete a selection. Raises `Invalid`."""
    await types_of(connection, workspace, catalog)
    if await connection.fetchval(UNSELECT, workspace, catalog, name) is None:
        said = f"the catalog has no selection “{name}”"
        raise Invalid(Fault("selection-not-found", said, ("selection_name",), (name,)), status=404)


async def settle(connection: Any, workspace: int, catalog: Catalog) -> None:
    """Let a catalog be as its file says: made if new; fields are added, selections added and changed, none deleted.

    Raises `Conflict` where a field has another type already, or the limits of selections are passed. Within a
    transaction.
    """
    await connection.execute(CREATE, workspace, catalog.name, catalog.description, _written(catalog.fields))
    known = await _own_types(connection, workspace, catalog.name)
    for field in catalog.fields:
        if known.setdefault(field.name, field.type) != field.type:  # CAT-1
            raise Conflict(
                f"the field “{field.name}” of the catalog “{catalog.name}” is of type {known[field.name]}, which cannot change; "
                f"the file says {field.type}: give the new field another name"
            )
    await _set_types(connection, workspace, catalog.name, known)
    describe = "update catalogs set description = $3 where workspace = $1 and name = $2"
    await connection.execute(describe, workspace, catalog.name, catalog.description)
    for selection in catalog.selections:
        body = selection.model_dump(mode="json")
        await connection.execute(SELECT, workspace, catalog.name, selection.name, body)
    if len(await selections(connection, workspace, catalog.name)) > MOST_SELECTIONS:
        raise Conflict(
            f"the catalog “{catalog.name}” has more than {MOST_SELECTIONS} selections in the workspace"
        )
