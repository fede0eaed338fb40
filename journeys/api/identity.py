"""`/users/alias`, `/users/external_ids`: the names of people (IDN-21 to IDN-24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from journeys.api.operations import Answered, Asked, Operation, said
from journeys.api.rate_limits import REMOVALS, RENAMES, USERS
from journeys.api.services import Services
from journeys.engine.intake.aliases import add_aliases, alias_update, new_alias, rename_aliases
from journeys.engine.intake.external_ids import remove_external_ids, rename_external_ids
from journeys.engine.workspaces.api_keys import Key

MOST = 50
"""The maximum number of objects in one call (IDN-32)."""


def _at_most(name: str, what: str, *, least: int = 0) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not isinstance(value, list) or len(value) < least:
            raise said(f"'{name}' must be an array of {what}{'' if least == 0 else ' that is not empty'}")
        if len(value) > MOST:  # IDN-32
            raise said(f"a single request may not contain more than {MOST} {name.replace('_', ' ')}")
        return value

    return BeforeValidator(check)


def _array(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"type": "array", "maxItems": MOST, "items": item})


def objects(*required: str, **optional: str) -> dict[str, Any]:
    """The schema of an object whose keys are texts: those that are required, and others with what they mean."""
    properties = {name: {"type": "string"} for name in required}
    properties |= {name: {"type": "string", "description": text} for name, text in optional.items()}
    return {"type": "object", "required": list(required), "properties": properties}


class NewAliases(Asked):
    """Aliases, and the external ids of the people who get them."""

    user_aliases: Annotated[
        list[Any],
        _at_most("user_aliases", "objects"),
        _array(
            objects(
                "alias_name",
                "alias_label",
                external_id="Without it somebody is made who has the alias alone.",
            )
        ),
    ]


class AliasUpdates(Asked):
    """Aliases, and the names that they get under the same label."""

    alias_updates: Annotated[
        list[Any],
        _at_most("alias_updates", "objects"),
        _array(objects("alias_label", "old_alias_name", "new_alias_name")),
    ]


class Renames(Asked):
    """External ids, and those that take their place."""

    external_id_renames: Annotated[
        list[Any],
        _at_most("external_id_renames", "objects", least=1),
        _array(objects("current_external_id", "new_external_id")),
    ]


class Removals(Asked):
    """Former external ids that find nobody any more."""

    external_ids: Annotated[
        list[Any], _at_most("external_ids", "strings", least=1), _array({"type": "string"})
    ]


class Remark(BaseModel):
    """What is wrong with an object: its array, and its place in it, counted from 0."""

    model_config = ConfigDict(frozen=True)
    type: str
    input_array: str
    index: int


class AliasesProcessed(Answered):
    """How many objects were taken, whether they changed anything or not; and why others were not."""

    aliases_processed: int
    errors: list[Remark] | None = None


class Renamed(Answered):
    """The new ids, and why others were not given: the place of the object, and the reason."""

    external_ids: list[str]
    rename_errors: list[tuple[int, str]]


class Removed(Answered):
    """The ids that were removed, and why others were not: the place of the id, and the reason."""

    removed_ids: list[str]
    removal_errors: list[tuple[int, str]]


T = TypeVar("T")


def sorted_out(given: list[Any], array: str, reads: Callable[[Any], T | str]) -> tuple[list[T], list[Remark]]:
    """Those objects of an array that can be done, and what is wrong with the others."""
    good: list[T] = []
    remarks: list[Remark] = []
    for index, each in enumerate(given):
        read = reads(each)
        if isinstance(read, str):
            remarks.append(Remark(type=read, input_array=array, index=index))
        else:
            good.append(read)
    return good, remarks


async def alias_new(services: Services, key: Key, asked: NewAliases) -> AliasesProcessed:
    """Give people aliases (IDN-21)."""
    good, remarks = sorted_out(asked.user_aliases, "user_aliases", new_alias)
    await add_aliases(services.db, key.workspace, good)
    return AliasesProcessed(aliases_processed=len(good), errors=remarks or None)


async def alias_updated(services: Services, key: Key, asked: AliasUpdates) -> AliasesProcessed:
    """Rename aliases (IDN-24)."""
    good, remarks = sorted_out(asked.alias_updates, "alias_updates", alias_update)
    await rename_aliases(services.db, key.workspace, good)
    return AliasesProcessed(aliases_processed=len(good), errors=remarks or None)


async def external_ids_rename(services: Services, key: Key, asked: Renames) -> Renamed:
    """Give people new external ids (IDN-22)."""
    done = await rename_external_ids(services.db, key.workspace, asked.external_id_renames)
    return Renamed(external_ids=done.ids, rename_errors=done.errors)


async def external_ids_remove(services: Services, key: Key, asked: Removals) -> Removed:
    """Remove former external ids (IDN-23)."""
    done = await remove_external_ids(services.db, key.workspace, asked.external_ids)
    return Removed(removed_ids=done.ids, removal_errors=done.errors)


OPERATIONS = (
    Operation(
        method="POST",
        path="/users/alias/new",
        summary="Give people aliases, or make people who have nothing but one",
        permission="users.alias.new",
        asks=NewAliases,
        answers=AliasesProcessed,
        work=alias_new,
        status=201,
        limit=USERS,
    ),
    Operation(
        method="POST",
        path="/users/alias/update",
        summary="Rename aliases",
        permission="users.alias.update",
        asks=AliasUpdates,
        answers=AliasesProcessed,
        work=alias_updated,
        status=201,
        limit=USERS,
    ),
    Operation(
        method="POST",
        path="/users/external_ids/rename",
        summary="Give people new external ids; the former ones go on finding them",
        permission="users.external_ids.rename",
        asks=Renames,
        answers=Renamed,
        work=external_ids_rename,
        status=201,
        limit=RENAMES,
    ),
    Operation(
        method="POST",
        path="/users/external_ids/remove",
        summary="Remove former external ids",
        permission="users.external_ids.remove",
        asks=Removals,
        answers=Removed,
        work=external_ids_remove,
        status=201,
        limit=REMOVALS,
    ),
)
