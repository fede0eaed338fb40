"""Sets entries aside whose burst fails for the same reason again and again, with a fact that says why."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Any
from uuid import UUID

from journeys.engine.logs import logger
from journeys.engine.store.database import Database, check_locked

MOST_FAILURES = 10
"""So often in a row a burst fails for one reason before its entries are set aside."""

REMEMBERED = 10_000

LOCK = """
select p.workspace, p.id as person from people p
where (p.workspace, p.id) in (select e.workspace, e.person from entries e where e.alarm = $1 and e.ended is null)
order by p.workspace, p.id for no key update
"""
OPEN = "select workspace, person from entries where alarm = $1 and ended is null"
ASIDE = """
with aside as (
    update entries set ended = 'set_aside', ended_at = $2, wake_at = null, alarm_at = null, turn = turn + 1,
        told = turn + 1, answered = turn + 1, moved = clock_timestamp()
    where alarm = $1 and ended is null returning *)
insert into facts (workspace, person, shard, fact, at, canvas, entry, step, data)
select workspace, person, shard, 'ended', $2, canvas, id, step, $3 from aside
"""

log = logger(__name__)


class Failures:
    """Counts, in this process, how often the bursts of an alarm have failed for the same reason in a row."""

    def __init__(self) -> None:
        self._counted: OrderedDict[UUID, tuple[str, int]] = OrderedDict()

    def count(self, alarm: UUID, error: Exception) -> int:
        """One more failure; returns how many there are of this reason."""
        reason, (before, times) = reason_of(error), self._counted.pop(alarm, ("", 0))
        times = times + 1 if reason == before else 1
        self._counted[alarm] = reason, times
        if len(self._counted) > REMEMBERED:
            self._counted.popitem(last=False)
        return times

    def forget(self, alarm: UUID) -> None:
        """It went well, or was set aside."""
        self._counted.pop(alarm, None)


def reason_of(error: Exception) -> str:
    """Why a burst failed, for an operator."""
    return f"{type(error).__name__}: {error}"[:500].replace("\0", "")


async def set_aside(db: Database, alarm: UUID, at: datetime, error: Exception) -> None:
    """End the open entries of this alarm, whose workflow ends with them. What they carry stays, for whoever looks."""
    said = {"reason": "set_aside", "error": reason_of(error)}

    async def work(connection: Any) -> None:
        locked = await connection.fetch(LOCK, alarm)
        check_locked(await connection.fetch(OPEN, alarm), locked)
        await connection.execute(ASIDE, alarm, at, said)

    await db.anew(work)
    log.error("entry_set_aside", alarm=str(alarm), reason=said["error"])
