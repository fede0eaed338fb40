"""`/users/alias`, `/users/external_ids`: the names of people (IDN-21 to IDN-24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from journeys.api.operations import Answered, Asked, Operation, said
from journeys.api.rate_limits import REMOVALS, RENAMES, USERS
from journeys.api.requests import Refusal
from journeys.api.services import Services
from journeys.engine.intake.aliases import add_aliases, alias_update, new_alias, rename_aliases
from journeys.engine.intake.external_ids import remove_external_ids, rename_external_ids
from journeys.engine.intake.identifying import (
    OBJECTS,
    Identification,
    Parts,
    identification,
    identify_people,
    merge_people,
    merge_update,
)
from journeys.engine.workspaces.api_keys import Key

MOST = 50
"""The maximum number of objects in one call (IDN-32)."""


def at_most(name: str, what: str, *, least: int = 0) -> BeforeValidator:
    """A check of an array: at least and at most so many of this."""

    def check(value: Any) -> Any:
        if not isinstance(value, list) or len(value) < least:
            raise said(f"'{name}' must be an array of {what}{'' if least == 0 else ' that is not empty'}")
        if len(value) > MOST:  # IDN-32
            raise said(f"a single request may not contain more than {MOST} {name.replace('_', ' ')}")
        return value

    return BeforeValidator(check)


def array(item: dict[str, Any]) -> WithJsonSchema:
    """The schema of an array of at most fifty of these."""
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
        at_most("user_aliases", "objects"),
        array(
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
        at_most("alias_updates", "objects"),
        array(objects("alias_label", "old_alias_name", "new_alias_name")),
    ]


class Renames(Asked):
    """External ids, and those that take their place."""

    external_id_renames: Annotated[
        list[Any],
        at_most("external_id_renames", "objects", least=1),
        array(objects("current_external_id", "new_external_id")),
    ]


class Remark(BaseModel):
    """What is wrong with an object: its array, and its place in it, counted from 0."""

    model_config = ConfigDict(frozen=True)
    type: str
    input_array: str
    index: int


WHO: dict[str, Any] = {
    "type": "object",
    "description": "One of these; with an address or a number, who is meant of those who share it.",
    "properties": {
        "external_id": {"type": "string"},
        "user_alias": objects("alias_name", "alias_label"),
        "email": {"type": "string"},
        "phone": {"type": "string"},
        "prioritization": {
            "type": "array",
            "items": {
                "enum": ["identified", "unidentified", "most_recently_updated", "least_recently_updated"]
            },
        },
    },
}


def _merges(value: Any) -> Any:
    """The texts are those that clients know (IDN-30)."""
    if not isinstance(value, list):
        raise said(OBJECTS)
    if len(value) > MOST:
        raise said(f"a single request may not contain more than {MOST} merge updates")
    return value


class Merges(Asked):
    """Two people each, who are one from then on."""

    merge_updates: Annotated[
        list[Any],
        BeforeValidator(_merges),
        array(
            {
                "type": "object",
                "required": ["identifier_to_merge", "identifier_to_keep"],
                "properties": {"identifier_to_merge": WHO, "identifier_to_keep": WHO},
                "additionalProperties": False,
            }
        ),
    ]


def _identified(name: str, sort: str) -> Any:
    properties = {
        "external_id": {"type": "string"},
        **{key: WHO["properties"][key] for key in (sort, "prioritization")},
    }
    if sort == "user_alias":
        del properties["prioritization"]
    item = {"type": "object", "required": ["external_id", sort], "properties": properties}
    return Annotated[list[Any], at_most(name, "objects"), array(item)]


class Identified(Asked):
    """People by an alias, an address or a number, each with the external id that is theirs."""

    aliases_to_identify: _identified("aliases_to_identify", "user_alias") = []  # type: ignore[valid-type]
    emails_to_identify: _identified("emails_to_identify", "email") = []  # type: ignore[valid-type]
    phone_numbers_to_identify: _identified("phone_numbers_to_identify", "phone") = []  # type: ignore[valid-type]
    merge_behavior: Literal["merge", "none"] = "merge"


class IdentifiedCount(Answered):
    """How many objects of each array were taken, whether they changed anything or not; and why others were not."""

    aliases_processed: int
    emails_processed: int | None = None
    phones_processed: int | None = None
    errors: list[Remark] | None = None


class Removals(Asked):
    """Former external ids that find nobody any more."""

    external_ids: Annotated[list[Any], at_most("external_ids", "strings", least=1), array({"type": "string"})]


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
    parts = services.db, services.published, services.clock, services.alarm_sync, services.notifier
    await add_aliases(*parts, key.workspace, good)
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


async def users_merge(services: Services, key: Key, asked: Merges) -> Answered:
    """Make one person of two (IDN-25). It is done when this is answered."""
    good, remarks = sorted_out(asked.merge_updates, "merge_updates", merge_update)
    if remarks:
        raise Refusal(400, remarks[0].type)  # IDN-30
    await merge_people(parts(services), key.workspace, good)
    return Answered()


IDENTIFIED = (
    ("aliases_to_identify", "user_alias", "user_identifiers"),
    ("emails_to_identify", "email", "emails_to_identify"),
    ("phone_numbers_to_identify", "phone", "phone_numbers_to_identify"),
)
"""The arrays, what names a person in each, and the name that errors have for it."""

NOBODY = f"one of {', '.join(repr(name) for name, _, _ in IDENTIFIED)} is required"


async def users_identify(services: Services, key: Key, asked: Identified) -> IdentifiedCount:
    """Give people the external ids that are theirs (IDN-20)."""
    given: dict[str, list[Any]] = {name: getattr(asked, name) for name, _, _ in IDENTIFIED}
    if not any(given.values()):
        raise Refusal(400, NOBODY)
    if sum(map(len, given.values())) > MOST:
        raise Refusal(400, f"a single request may not contain more than {MOST} users to identify")
    wanted: list[Identification] = []
    errors: list[Remark] = []
    counts = []
    for name, sort, array in IDENTIFIED:
        good, remarks = sorted_out(given[name], array, identification(sort))
        wanted += good
        errors += remarks
        counts.append(len(good) if given[name] or sort == "user_alias" else None)
    values = asked.merge_behavior == "merge"
    await identify_people(parts(services), key.workspace, wanted, values=values)
    aliases, emails, phones = counts
    return IdentifiedCount(
        aliases_processed=aliases or 0,
        emails_processed=emails,
        phones_processed=phones,
        errors=errors or None,
    )


def parts(services: Services) -> Parts:
    """What merging and erasing need."""
    return Parts(services.db, services.published, services.clock, services.alarm_sync)


OPERATIONS = (
    Operation(
        method="POST",
        path="/users/identify",
        summary="Give people whom an alias, an address or a number names the external ids that are theirs",
        permission="users.identify",
        asks=Identified,
        answers=IdentifiedCount,
        work=users_identify,
        status=201,
        limit=USERS,
    ),
    Operation(
        method="POST",
        path="/users/merge",
        summary="Make one person of two",
        permission="users.merge",
        asks=Merges,
        answers=Answered,
        work=users_merge,
        status=202,
        limit=USERS,
    ),
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
