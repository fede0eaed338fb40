"""`/users/export/ids`: what is known of certain people (XPT-1)."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict
from starlette.responses import Response

from journeys.api.operations import Answered, Asked, Operation
from journeys.api.rate_limits import EXPORT_FIELDS, EXPORT_IDS, GENERAL
from journeys.api.requests import Limited, Refusal, answer
from journeys.api.services import Services
from journeys.engine.exports.exporting import canvases_of
from journeys.engine.large_requests import apart
from journeys.engine.people.identity import Identifier, find
from journeys.engine.people.profile_export import FIELDS, HERE, Wanted, exported
from journeys.engine.people.standard_attributes import address, e164
from journeys.engine.workspaces.api_keys import Key

MOST = 50
"""People that one call may name (XPT-1)."""

HEAVY = frozenset({"canvases_received", "campaigns_received"})
"""Fields for which fewer calls are allowed (LIM-1)."""

TOO_MANY = "The max number of external_ids and aliases per request was exceeded"
NOBODY = "'external_ids', 'user_aliases', 'device_id', 'braze_id', 'email_address' or 'phone' is required"
ALIKE = """
select id from people where workspace = $1 and (email = $2 or phone = $3)
order by external_id is not null desc, updated desc, id limit $4
"""


class AliasNamed(BaseModel):
    """An alias of a person."""

    model_config = ConfigDict(frozen=True)
    alias_name: str
    alias_label: str


def _several(given: Any) -> Any:
    return [given] if isinstance(given, str | dict) else given


class ExportIds(Asked):
    """Whom to tell of, and what. Without `fields_to_export` all is told."""

    external_ids: Annotated[list[str], BeforeValidator(_several)] = []
    user_aliases: Annotated[list[AliasNamed], BeforeValidator(_several)] = []
    device_id: str | None = None
    braze_id: str | None = None
    email_address: str | None = None
    phone: str | None = None
    fields_to_export: list[str] | None = None


class Exported(Answered):
    """The people, each with the fields that have a value, and the identifiers that name nobody."""

    users: list[dict[str, Any]]
    invalid_user_ids: list[str | AliasNamed]
    notice: str | None = None


async def export_ids(services: Services, key: Key, asked: ExportIds) -> Response:
    """The people whom the call names (XPT-1)."""
    fields = asked.fields_to_export
    limit = EXPORT_IDS if fields is None or HEAVY & set(fields) else EXPORT_FIELDS  # LIM-1
    counted = await services.counted(limit, key.workspace)
    if not counted.passed:
        raise Limited(counted.headers)
    if len(asked.external_ids) + len(asked.user_aliases) > MOST:  # XPT-1
        raise Refusal(400, TOO_MANY)
    publication = await services.published.of(key.workspace)
    people, unknown = await _named(services, key.workspace, asked)
    wanted = Wanted(HERE if fields is None else frozenset(fields))
    users = await exported(
        services.db.pool, key.workspace, people, wanted, canvases_of(publication), services.clock.now()
    )
    said = {"message": "success", "users": users, "invalid_user_ids": unknown}
    said |= {"notice": notice} if (notice := notice_of(fields)) else {}
    return await apart(answer, 201, said, counted.headers, large=True)


def notice_of(fields: Sequence[str] | None) -> str:
    """What there is to say of fields that nobody has."""
    said = []
    for name in fields or ():
        if name not in FIELDS:
            near = difflib.get_close_matches(name[:100], sorted(FIELDS), 1)
            said.append(
                f"'{name[:100]}' is no field to export" + (f"; did you mean '{near[0]}'?" if near else "")
            )
    return ". ".join(said[:MOST])


async def _named(
    services: Services, workspace: int, asked: ExportIds
) -> tuple[list[UUID], list[str | dict[str, str]]]:
    """The people whom a call names, each once, and the identifiers that name nobody."""
    names: list[tuple[Identifier, str | dict[str, str]]] = [
        *((Identifier("external_id", one), one) for one in asked.external_ids),
        *(
            (Identifier("user_alias", f"{one.alias_label}\x1f{one.alias_name}"), one.model_dump())
            for one in asked.user_aliases
        ),
    ]
    if asked.braze_id is not None:
        names.append((Identifier("braze_id", asked.braze_id.lower()), asked.braze_id))
    one_of = [
        each
        for each in (asked.device_id, asked.braze_id, asked.email_address, asked.phone)
        if each is not None
    ]
    if not names and not one_of:
        raise Refusal(400, NOBODY)
    found = await find(services.db.pool, workspace, [one for one, _ in names])
    people = dict.fromkeys(found[one] for one, _ in names if one in found)
    unknown = [written for one, written in names if one not in found]
    for email, phone in ((asked.email_address, None), (None, asked.phone)):
        written = email or phone
        if written is None:
            continue
        kept = (address(email) if email else None), (e164(phone) if phone else None)
        rows = await services.db.pool.fetch(ALIKE, workspace, *kept, MOST) if any(kept) else []
        people |= dict.fromkeys(row["id"] for row in rows)
        if not rows:
            unknown.append(written)
    if asked.device_id is not None:
        unknown.append(asked.device_id)
    return list(people), unknown


OPERATIONS = (
    Operation(
        method="POST",
        path="/users/export/ids",
        summary="What is known of certain people",
        permission="users.export.ids",
        asks=ExportIds,
        answers=Exported,
        work=export_ids,
        status=201,
        limit=GENERAL,
    ),
)
