"""`/users/delete`: erases people (IDN-26)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from journeys.api.identity import Remark, array, at_most, objects, parts, sorted_out
from journeys.api.operations import Answered, Asked, Operation
from journeys.api.rate_limits import USERS
from journeys.api.requests import Refusal
from journeys.api.services import Services
from journeys.engine.intake.erasing import erase_people
from journeys.engine.intake.half_characters import Unreadable
from journeys.engine.intake.identifying import Who, who_of
from journeys.engine.workspaces.api_keys import Key


def _named(name: str, item: dict[str, Any]) -> Any:
    what = "strings" if item["type"] == "string" else "objects"
    return Annotated[list[Any] | None, at_most(name, what, least=1), array(item)]


def _address(sort: str) -> dict[str, Any]:
    words = ["identified", "unidentified", "most_recently_updated"]
    properties = {"prioritization": {"type": "array", "items": {"enum": words}}, sort: {"type": "string"}}
    return {"type": "object", "required": [sort], "properties": properties}


class Deletions(Asked):
    """People who are erased; one of the arrays."""

    external_ids: _named("external_ids", {"type": "string"}) = None  # type: ignore[valid-type]
    user_aliases: _named("user_aliases", objects("alias_name", "alias_label")) = None  # type: ignore[valid-type]
    braze_ids: _named("braze_ids", {"type": "string"}) = None  # type: ignore[valid-type]
    email_addresses: _named("email_addresses", _address("email")) = None  # type: ignore[valid-type]
    phone_numbers: _named("phone_numbers", _address("phone")) = None  # type: ignore[valid-type]


class Deleted(Answered):
    """How many people were erased, and why others were not."""

    deleted: int
    errors: list[Remark] | None = None


DELETED = (
    ("external_ids", "external_id"),
    ("user_aliases", "user_alias"),
    ("braze_ids", "braze_id"),
    ("email_addresses", "email"),
    ("phone_numbers", "phone"),
)
"""The arrays, and what names a person in each."""

ONE_OF = f"exactly one of {', '.join(repr(name) for name, _ in DELETED)} is required"


def _deleted(sort: str) -> Callable[[Any], Who | str]:
    def reads(given: Any) -> Who | str:
        if sort not in ("email", "phone"):
            return who_of(sort, {sort: given})
        if not isinstance(given, Mapping) or isinstance(given, Unreadable):
            return "each object must be a JSON object"
        if given.get(sort) is None:
            return f"'{sort}' is required"
        if "least_recently_updated" in (given.get("prioritization") or ()):  # IDN-28
            return "'prioritization' of a deletion must not have 'least_recently_updated'"
        return who_of(sort, given)

    return reads


async def users_delete(services: Services, key: Key, asked: Deletions) -> Deleted:
    """Erase people (IDN-26). It is done when this is answered."""
    named = [(name, sort) for name, sort in DELETED if getattr(asked, name) is not None]
    if len(named) != 1:
        raise Refusal(400, ONE_OF)
    [(name, sort)] = named
    good, remarks = sorted_out(getattr(asked, name), name, _deleted(sort))
    deleted = await erase_people(parts(services), key.workspace, good)
    return Deleted(deleted=deleted, errors=remarks or None)


OPERATIONS = (
    Operation(
        method="POST",
        path="/users/delete",
        summary="Erase people: what counts in reports stays without a person",
        permission="users.delete",
        asks=Deletions,
        answers=Deleted,
        work=users_delete,
        status=201,
        limit=USERS,
    ),
)
