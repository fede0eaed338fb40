"""Writes the entries of one transaction in one statement: states, inbox, dispatches, facts, windows.

Rows are collected while the machine runs and written at the end, so that a burst costs the same few statements
whatever its number of entries and steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from journeys.engine.metrics import DISPATCHES_WRITTEN, ENTRIES_ADMITTED, counted
from journeys.engine.ports import PendingAlarm
from journeys.engine.store.array_rows import array_rows

Columns = Sequence[tuple[str, str]]

PENDING_ALARM = "workspace, person, id, alarm, generation, turn, told, ended is not null, alarm_at, priority, canvas, plan"
SHARED_ALARM = (
    "workspace, null::uuid, id, id, generation, turn, told, false, at, priority, canvas, plan, kind"
)
"""The same of an alarm of several."""

STATE: Columns = (
    ("workspace", "int"), ("person", "uuid"), ("id", "uuid"), ("told_too", "bool"), ("at", "timestamptz"),
    ("variant", "text"), ("step", "text"), ("begun", "timestamptz"), ("wake_at", "timestamptz"),
    ("alarm_at", "timestamptz"), ("phase", "text"), ("leaving", "text"), ("ended", "text"),
    ("ended_at", "timestamptz"), ("context", "jsonb"), ("properties", "jsonb"), ("heard", "bigint"),
    ("change", "int"), ("hops", "int"),
)  # fmt: skip
BIRTH: Columns = (
    *STATE, ("shard", "int"), ("canvas", "text"), ("plan", "text"), ("key", "text"), ("priority", "int"),
    ("entered", "timestamptz"), ("answered", "int"), ("entry_key", "jsonb"), ("alarm", "uuid"),
)  # fmt: skip
INBOX: Columns = (
    ("workspace", "int"), ("person", "uuid"), ("entry", "uuid"), ("no", "bigint"), ("step", "text"), ("what", "text"),
    ("label", "text"), ("kind", "text"), ("name", "text"), ("at", "timestamptz"), ("properties", "jsonb"),
)  # fmt: skip
DISPATCH: Columns = (
    ("workspace", "int"), ("person", "uuid"), ("key", "text"), ("shard", "int"), ("entry", "uuid"), ("canvas", "text"),
    ("plan", "text"), ("step", "text"), ("variant", "text"), ("channel", "text"), ("at", "timestamptz"),
    ("context", "jsonb"), ("properties", "jsonb"), ("held", "bool"), ("priority", "int"), ("change", "int"),
)  # fmt: skip
CHANNEL = [name for name, _ in DISPATCH].index("channel")
FACT: Columns = (
    ("workspace", "int"), ("person", "uuid"), ("shard", "int"), ("fact", "text"), ("at", "timestamptz"),
    ("canvas", "text"), ("entry", "uuid"), ("step", "text"), ("dispatch", "text"), ("data", "jsonb"),
)  # fmt: skip
WINDOW: Columns = (
    ("workspace", "int"), ("person", "uuid"), ("entry", "uuid"), ("name", "text"), ("shard", "int"), ("canvas", "text"),
    ("plan", "text"), ("variant", "text"), ("since", "timestamptz"), ("until", "timestamptz"),
)  # fmt: skip

FETCH = """
insert into fetches (workspace, person, entry, step, at, priority)
select * from unnest($1::int[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::int[])
on conflict (workspace, person, entry) do update set step = excluded.step, at = excluded.at, tries = 0,
    no = nextval('dispatch_no'), not_before = null, claim = null, lease = null
"""
"""In a statement of its own: few transactions have any."""

HEARD = """
insert into hearings (workspace, person, canvas, step, no, entry)
select * from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::uuid[]) on conflict do nothing
"""
"""In a statement of its own, too: a look-back rarely finds anything."""

REFUSE = """
insert into refusals (workspace, person, shard, canvas, gate, at, seen)
select * from unnest($1::int[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[])
on conflict (workspace, person, canvas, gate) do update
    set at = excluded.at, seen = excluded.seen, times = refusals.times + 1
"""
"""In a statement of its own: who comes in costs nothing for it."""

SHARE = f"""
insert into alarms (workspace, id, kind, canvas, plan, priority, at)
select workspace, id, 'entries', canvas, plan, priority, at
from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::timestamptz[])
    as s(workspace, id, canvas, plan, priority, at)
returning {SHARED_ALARM}
"""  # noqa: S608 - constants
"""In a statement of its own: only those who come in together share alarms."""

FETCHES = "@fetches"
"""The notified name for steps that ask others; no channel is called so."""


def _names(columns: Columns) -> str:
    return ", ".join(name for name, _ in columns)


def _rows(columns: Columns, first: int) -> str:
    return array_rows(*(kind for _, kind in columns), first=first)


def _insert(table: str, columns: Columns, first: int) -> str:
    return f"insert into {table} ({_names(columns)}) select * from {_rows(columns, first)}"  # noqa: S608 - constants


def _write() -> str:
    """The one statement. Its parameters are arrays, one a column, table after table."""
    at = 1
    parts = []
    sets = ", ".join(f"{name} = s.{name}" for name, _ in STATE[4:-1])
    parts.append(f"""moved as (
        update entries t set turn = t.turn + 1, answered = t.turn + 1, moved = clock_timestamp(), {sets},
            told = case when s.told_too then t.turn + 1 else t.told end, hops = greatest(t.hops, s.hops)
        from {_rows(STATE, at)} as s({_names(STATE)})
        where (t.workspace, t.person, t.id) = (s.workspace, s.person, s.id)
        returning t.*)""")  # noqa: S608 - constants
    parts.append("""emptied as (
        delete from inbox i using moved m where (i.workspace, i.person, i.entry) = (m.workspace, m.person, m.id)
            and (i.step is distinct from m.step or m.ended is not null or i.no <= m.heard))""")
    at += len(STATE)
    kept = [column for column in BIRTH if column[0] != "told_too"]
    parts.append(f"""born as (
        insert into entries ({_names(kept)}, turn, told)
        select {_names(kept)}, 1, case when told_too then 1 else 0 end from {_rows(BIRTH, at)} as s({_names(BIRTH)})
        returning *)""")  # noqa: S608 - constants
    at += len(BIRTH)
    for name, table, columns in (
        ("noted", "inbox", INBOX),
        ("queued", "dispatches", DISPATCH),
        ("logged", "facts", FACT),
        ("opened", "conversions", WINDOW),
    ):
        parts.append(f"{name} as ({_insert(table, columns, at)})")
        at += len(columns)
    union = f"select {PENDING_ALARM} from moved union all select {PENDING_ALARM} from born"  # noqa: S608 - constants
    return "with " + ",\n".join(parts) + "\n" + union


WRITE = _write()


class EntryWrites:
    """What is to be written, row by row; `write` writes it and says where the entries stand then."""

    def __init__(self) -> None:
        self.states: list[Sequence[Any]] = []
        self.new_entries: list[Sequence[Any]] = []
        self.inbox: list[Sequence[Any]] = []
        self.dispatches: list[Sequence[Any]] = []
        self.facts: list[Sequence[Any]] = []
        self.windows: list[Sequence[Any]] = []
        self.fetches: list[Sequence[Any]] = []
        self.hearings: list[Sequence[Any]] = []
        self.refusals: list[Sequence[Any]] = []
        self.alarms: list[Sequence[Any]] = []

    def __bool__(self) -> bool:
        return any((self.states, self.new_entries, self.inbox, self.dispatches, self.facts, self.windows))

    async def write(self, connection: Any) -> list[PendingAlarm]:
        """Write all of it in one statement. Every state raises the entry's turn by one."""
        if self.refusals:
            await connection.execute(REFUSE, *zip(*self.refusals, strict=True))
        if not self:
            return []
        arrays: list[Sequence[Any]] = []
        for rows, columns in (
            (self.states, STATE),
            (self.new_entries, BIRTH),
            (self.inbox, INBOX),
            (self.dispatches, DISPATCH),
            (self.facts, FACT),
            (self.windows, WINDOW),
        ):
            arrays.extend(zip(*rows, strict=True) if rows else [()] * len(columns))
        pending_alarms = [PendingAlarm(*row) for row in await connection.fetch(WRITE, *arrays)]
        counted(ENTRIES_ADMITTED, len(self.new_entries))
        for channel, count in Counter(row[CHANNEL] for row in self.dispatches).items():
            counted(DISPATCHES_WRITTEN, count, channel=channel)
        if self.alarms:
            rows = await connection.fetch(SHARE, *zip(*self.alarms, strict=True))
            pending_alarms += [PendingAlarm(*row) for row in rows]
        if self.fetches:
            await connection.execute(FETCH, *zip(*self.fetches, strict=True))
        if self.hearings:
            await connection.execute(HEARD, *zip(*self.hearings, strict=True))
        return pending_alarms
