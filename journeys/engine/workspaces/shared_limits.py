"""How many calls of a window have been given out, to whichever API process: one row a limit (LIM-1)."""

from __future__ import annotations

from dataclasses import dataclass

from journeys.engine.store.database import Database

LEFT = "$5::bigint - case when r.opened < excluded.opened then 0 else r.used end"
"""What is left of the window. A window that is over counts no more; one that has not begun here counts already."""

GRANTED = f"greatest(0, least({LEFT}, greatest(1, least($6::bigint, ({LEFT}) / 8))))"
"""What is wanted, and at most the eighth part of what is left, so that little lies idle in a process that stops asking."""

FIRST = "least($5::bigint, greatest(1, least($6::bigint, $5::bigint / 8)))"
"""The same of a window of which nothing was given out."""

TAKE = f"""
insert into rate_limits as r (workspace, bucket, part, opened, used, granted)
values ($1, $2, $3, $4, {FIRST}, {FIRST})
on conflict (workspace, bucket, part) do update set
    opened = greatest(r.opened, excluded.opened),
    used = case when r.opened < excluded.opened then 0 else r.used end + {GRANTED},
    granted = {GRANTED}
returning opened, used, granted
"""  # noqa: S608 - constants

GIVE_BACK = """
update rate_limits set used = greatest(0, used - $5)
where (workspace, bucket, part, opened) = ($1, $2, $3, $4)
"""

CLEAR = "delete from rate_limits where opened < extract(epoch from clock_timestamp())::bigint - 86400"
"""No window is longer than an hour."""


@dataclass(frozen=True, slots=True)
class Block:
    """Calls that a process may let through: so many of the window that opened then; `rest` are left for all."""

    opened: int
    granted: int
    rest: int


class Shared:
    """The counts that all API processes of a database share."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, workspace: int, bucket: str, part: str, opened: int, calls: int, want: int) -> Block:
        """Take at most so many calls of the window that opened at this epoch second and has so many `calls` in all.

        The sum of all blocks of a window is never more than `calls`. Nothing is granted where nothing is left.
        """
        row = await self._db.pool.fetchrow(TAKE, workspace, bucket, part, opened, calls, want)
        return Block(row["opened"], row["granted"], max(0, calls - row["used"]))

    async def give_back(self, workspace: int, bucket: str, part: str, opened: int, calls: int) -> None:
        """Give back calls of a window that were taken and not used; nothing where it is over."""
        await self._db.pool.execute(GIVE_BACK, workspace, bucket, part, opened, calls)

    async def clear(self) -> None:
        """Forget the windows that are long over."""
        await self._db.pool.execute(CLEAR)
