"""Writes profiles that were changed, whole rows of people who are locked."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from journeys.engine.people.profiles import Profile

STORE = """
update people p set email = s.email, phone = s.phone, first_name = s.first_name, last_name = s.last_name,
    language = s.language, country = s.country, zone = s.zone, standard = s.standard, attributes = s.attributes,
    updated = clock_timestamp()
from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::jsonb[], $11::jsonb[])
    as s(workspace, id, email, phone, first_name, last_name, language, country, zone, standard, attributes)
cross join lateral (select ctid from people where workspace = s.workspace and id = s.id limit 1) row
where p.ctid = row.ctid
"""
"""The rows are locked, so their places are certain. By place, each row costs one look into the index, even on a young
table of which the planner knows nothing yet; a join by id was planned as a scan of the workspace there."""


async def store_profiles(connection: Any, changed: Collection[Profile]) -> None:
    """Write these profiles. Each has all attributes: one that was loaded with some of them would lose the others."""
    if changed:
        rows = [
            (
                p.workspace, p.id, p.email, p.phone, p.first_name, p.last_name, p.language, p.country, p.zone,
                dict(p.standard), dict(p.attributes),
            )
            for p in changed
        ]  # fmt: skip
        await connection.execute(STORE, *map(list, zip(*rows, strict=True)))
