"""The locks of a burst, on the people of its entries, without waiting for anybody where others share it."""

from __future__ import annotations

from typing import Literal

from journeys.engine.people.profiles import AT_MOST

Locking = Literal["skip", "briefly", "wait"]
"""What becomes of an entry whose person is locked: it is left out, or waited for, three seconds or however long it takes."""

LOCK = f"""
select p.workspace, p.id as person, {AT_MOST} * case when {AT_MOST} < 20000 then 1 else (
    select count(*) from entries o where (o.workspace, o.person) = (p.workspace, p.id) and o.alarm = any($1::uuid[]) and o.ended is null
) end as bytes
from people p
where (p.workspace, p.id) in (
    select e.workspace, e.person from entries e
    where e.alarm = any($1::uuid[]) and e.ended is null and ($2::uuid is null or e.id = $2))
order by p.workspace, p.id for no key update
"""  # noqa: S608 - constants
LOCK_FREE = f"{LOCK} skip locked"


class TooMuch(Exception):
    """The people of a shared burst have too much of custom attributes for them to be read at once."""
