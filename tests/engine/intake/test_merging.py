"""Two people become one: what becomes of all that they own, table by table."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import ARRAY, BigInteger, Boolean, Integer, LargeBinary, Numeric, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE

from journeys.engine import store
from journeys.engine.audience.match import Needs, Past
from journeys.engine.core.life import Timers
from journeys.engine.intake import merging
from journeys.engine.intake.identifying import (
    Identification,
    MergeUpdate,
    Parts,
    Who,
    identify_people,
    merge_people,
)
from journeys.engine.intake.merging import CARRIED
from journeys.engine.people.event_counts import counts_of, spent_by
from journeys.engine.people.identity import Identifier
from journeys.engine.people.profiles import Profile, history, load, shard_of
from journeys.engine.store import Database
from journeys.engine.store.tables import Table
from journeys.engine.workspaces.canvas_changes import change
from tests.engine.entries.test_locks import tracked
from tests.stage import EMAIL, MONDAY, Stage, canvas, stage_on

for module in pkgutil.iter_modules(store.__path__):
    if module.name.endswith("tables"):  # those that come later, too
        importlib.import_module(f"{store.__name__}.{module.name}")

WAITS = canvas(
    "  - {type: delay, id: d, duration: 1 day}\n  - {type: message, id: m, channel: email, template: hello}"
)
FACTS = ("merged", "merge_declined")


def parts(stage: Stage) -> Parts:
    return Parts(stage.db, stage.published, stage.clock, stage.alarm_sync)


def ours(person: Profile) -> Who:
    return Who(Identifier("external_id", str(person.external_id)))


async def merge(stage: Stage, gone: Profile, kept: Profile) -> None:
    await merge_people(parts(stage), stage.workspace, [MergeUpdate(ours(gone), ours(kept))])


async def reasons(stage: Stage) -> list[str]:
    rows = await stage.db.pool.fetch(
        "select data->>'reason' as why from facts where fact = 'merge_declined' order by no"
    )
    return [row["why"] for row in rows]


async def profile(stage: Stage, person: Profile) -> Profile:
    return (await load(stage.db.pool, stage.workspace, [person.id], consents=True))[person.id]


def test_every_table_that_names_a_person_says_what_becomes_of_its_rows() -> None:
    """A table that comes later is not forgotten: it is in the list, or this fails."""
    named = {name for name, table in Table.metadata.tables.items() if "person" in table.columns}
    assert named == set(CARRIED)
    others = {
        f"{name}.{column.name}"
        for name, table in Table.metadata.tables.items()
        for column in table.columns
        if "person" in column.name and column.name != "person"
    }
    assert others == set(), "a person under another name needs a look by hand"


async def fill(db: Database, workspace: int, person: UUID, said: str = "a") -> None:
    """A row of the person in each table, with whatever values."""
    for name in CARRIED:
        columns: dict[str, Any] = {}
        for column in Table.metadata.tables[name].columns:
            if column.name in ("workspace", "person"):
                columns[column.name] = workspace if column.name == "workspace" else person
            elif (column.nullable and column.name != "entry") or (
                column.server_default is not None and column.name != "no"
            ):
                continue
            else:
                columns[column.name] = _value(column, said)
        if name == "promotion_codes":
            columns |= {"send": said}
        names, places = ", ".join(columns), ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        await db.pool.execute(f"insert into {name} ({names}) values ({places})", *columns.values())


def _value(column: Any, said: str) -> Any:
    kind = column.type
    if isinstance(kind, UUID_TYPE):
        return uuid4()
    if isinstance(kind, BigInteger | SmallInteger | Integer):
        return hash(said) % 1000
    if isinstance(kind, Numeric):
        return Decimal(1)
    if isinstance(kind, JSONB):
        return {}
    if isinstance(kind, TIMESTAMP):
        return MONDAY
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, LargeBinary):
        return said.encode()
    assert not isinstance(kind, ARRAY)
    return (
        "subscribed"
        if column.name == "state" and column.table.name in ("consents", "subscriptions")
        else said
    )


async def rows_of(db: Database, person: UUID) -> dict[str, int]:
    return {
        name: await db.pool.fetchval(f"select count(*) from {name} where person = $1", person)
        for name in CARRIED
    }


async def test_all_that_was_one_persons_is_the_others_and_nothing_is_lost(db: Database) -> None:
    """IDN-14, IDN-18: a row of each table; events and facts keep the id under which they were stored beside it."""
    stage = await stage_on(db, WAITS + EMAIL)
    mel, zoe = await stage.person(), await stage.person()
    other = await stage_on(db, WAITS + EMAIL, workspace="other")
    await fill(db, stage.workspace, mel.id, "m")
    await fill(db, other.workspace, mel.id, "m")
    await fill(db, stage.workspace, zoe.id, "z")

    await merge(stage, mel, zoe)

    left, got = await rows_of(db, mel.id), await rows_of(db, zoe.id)
    assert left == dict.fromkeys(CARRIED, 1), "the other workspace's are its own"
    lost = {"former_names"}  # its sort is none that is kept
    assert {name: count for name, count in got.items() if count != 2} == {
        "facts": 5,
        **dict.fromkeys(lost, 1),
    }
    for name in ("events", "facts"):
        found = await db.pool.fetch(
            f"select former, shard from {name} where person = $1 and former is not null", zoe.id
        )
        assert [tuple(row) for row in found] == [(mel.id, shard_of(zoe.id))]
    assert await db.pool.fetchval("select count(*) from people where id = $1", mel.id) == 0
    assert tuple(await db.pool.fetchrow("select old, new from merged")) == (mel.id, zoe.id)


async def test_rows_of_both_that_would_be_the_same_become_one(db: Database) -> None:
    """IDN-14: the newer cart, the sum of refusals, one mark of an event's id, and each alias of a label of who stays."""
    stage = await stage_on(db, WAITS + EMAIL)
    mel, zoe = await stage.person(), await stage.person()
    for number, one in enumerate((mel, zoe)):
        place = stage.workspace, one.id
        at = MONDAY + timedelta(hours=1 - number)
        await db.pool.execute(
            "insert into carts values ($1, $2, 'c', $3, false, $4)", *place, {"of": number}, at
        )
        await db.pool.execute(
            "insert into refusals (workspace, person, shard, canvas, gate, at, seen, times) values ($1, $2, 0, 'story', 'audience', $3, $4, 2)",
            *place, at, {"of": number},
        )  # fmt: skip
        await db.pool.execute("insert into seen (workspace, person, digest) values ($1, $2, 'd')", *place)
        for label in ("both", f"own{number}"):
            await db.pool.execute(
                "insert into aliases values ($1, $2, $3, $4)", *place, label, f"{label} {number}"
            )
        await db.pool.execute(
            "insert into echoes (workspace, person, key, name, at, hops) values ($1, $2, 'k', 'e', $3, 0)",
            *place,
            at,
        )

    await merge(stage, mel, zoe)

    assert (await db.pool.fetchrow("select body from carts"))["body"] == {"of": 0}
    refusal = await db.pool.fetchrow("select times, seen, at from refusals")
    assert tuple(refusal) == (4, {"of": 0}, MONDAY + timedelta(hours=1))
    assert await db.pool.fetchval("select count(*) from seen") == 1
    aliases = await db.pool.fetch("select person, label, name from aliases order by label")
    assert [tuple(row) for row in aliases] == [
        (zoe.id, "both", "both 1"),
        (zoe.id, "own0", "own0 0"),
        (zoe.id, "own1", "own1 1"),
    ]
    keys = await db.pool.fetch("select key from echoes where person = $1 order by key", zoe.id)
    assert [row["key"] for row in keys] == ["k", f"k:{mel.id}"]


@pytest.mark.parametrize("kept", [None, "subscribed", "opted_in", "unsubscribed"])
@pytest.mark.parametrize("gone", [None, "subscribed", "opted_in", "unsubscribed"])
async def test_what_is_said_against_messages_wins_and_then_what_is_said_for_them(
    db: Database, kept: str | None, gone: str | None
) -> None:
    """IDN-14, CNS-3: with a fact where that of who stays is another now."""
    stage = await stage_on(db, WAITS + EMAIL)
    mel, zoe = await stage.person(), await stage.person()
    rows = (
        ("consents (workspace, person, channel, state, at)", "email", ""),
        ("subscriptions (workspace, person, name, state, at, channel)", "news", ", 'email'"),
    )
    for table, name, more in rows:
        for one, state in ((mel, gone), (zoe, kept)):
            if state is not None:
                await db.pool.execute(
                    f"insert into {table} select $1::int, $2::uuid, $3::text, $4::text, $5::timestamptz{more}",
                    stage.workspace,
                    one.id,
                    name,
                    state,
                    MONDAY,
                )

    await merge(stage, mel, zoe)

    strongest = max((each for each in (kept, gone) if each), key=["subscribed", "opted_in", "unsubscribed"].index, default=None)  # fmt: skip
    for table in ("consents", "subscriptions"):
        rows = await db.pool.fetch(f"select person, state from {table}")
        assert [tuple(row) for row in rows] == ([] if strongest is None else [(zoe.id, strongest)])
    facts = await db.pool.fetch("select data from facts where fact = 'consent_changed'")
    said = [{"channel": "email", "state": strongest, "source": "merge"}] if strongest != kept else []
    assert [row["data"] for row in facts] == said


async def test_the_profile_has_the_values_of_who_stays_and_what_they_had_none_of(db: Database) -> None:
    """IDN-14, IDN-10, IDN-2: external ids of who goes are free again, an anonymous id goes on finding the person."""
    stage = await stage_on(db, WAITS + EMAIL)
    mel = await stage.person(
        external_id="mel", anonymous_id="device 1", email="mel@example.com", first_name="Mel",
        attributes={"a": 1, "b": 1}, standard={"gender": "F"},
    )  # fmt: skip
    zoe = await stage.person(
        external_id="zoe", anonymous_id="device 2", first_name="Zoe", attributes={"b": 2}
    )
    await db.pool.execute(
        "insert into former_names (workspace, sort, value, person) values ($1, 'external_id', 'melly', $2), ($1, 'anonymous_id', 'device 0', $2)",
        stage.workspace, mel.id,
    )  # fmt: skip

    await merge(stage, mel, zoe)

    one = await profile(stage, zoe)
    assert (one.first_name, one.email, one.external_id, one.bucket) == (
        "Zoe",
        "mel@example.com",
        "zoe",
        zoe.bucket,
    )
    assert (dict(one.standard), dict(one.attributes)) == ({"gender": "F"}, {"b": 2, "a": 1})
    for device in range(3):
        assert (await tracked(stage, attributes=[{"anonymous_id": f"device {device}", "x": 1}])).people == {
            zoe.id
        }
    for name in ("mel", "melly"):
        assert (await tracked(stage, attributes=[{"external_id": name, "x": 1}])).created


async def test_an_anonymous_id_becomes_that_of_who_has_none(db: Database) -> None:
    """IDN-14"""
    stage = await stage_on(db, WAITS + EMAIL)
    mel, zoe = await stage.person(anonymous_id="device"), await stage.person()
    await merge(stage, mel, zoe)
    assert (await profile(stage, zoe)).anonymous_id == "device"


async def test_the_histories_of_both_are_one_in_the_order_in_which_they_were_stored(db: Database) -> None:
    """IDN-14, IDN-18: whoever asks what a person did reads what both did, and needs not know that they were two."""
    stage = await stage_on(db, WAITS + EMAIL)
    mel, zoe = await stage.person(), await stage.person()
    for number in range(4):
        await stage.happens((mel, zoe)[number % 2], "liked", {"n": number})

    await merge(stage, mel, zoe)

    asked = {zoe.id: (Needs({("event", "liked"): Past(None)}), MONDAY)}
    found = (await history(db.pool, stage.workspace, asked))[zoe.id]
    assert [one.properties["n"] for one in found["event", "liked"]] == [0, 1, 2, 3]


async def test_counts_are_added_up_from_the_first_to_the_last(db: Database) -> None:
    """IDN-14, EVT-3, PUR-3: what both did as often as both, and what they spent."""
    stage = await stage_on(db, WAITS + EMAIL)
    mel, zoe = await stage.person(), await stage.person()
    price = {"price": 1.5, "currency": "EUR", "quantity": 2}
    for days, person in ((3, mel), (2, zoe), (1, mel)):
        await stage.happens(person, "shoe", price, kind="purchase", at=MONDAY - timedelta(days=days))

    await merge(stage, mel, zoe)

    [one] = (await counts_of(db.pool, stage.workspace, [zoe.id]))[zoe.id]
    assert (one["count"], one["first"], one["last"]) == (
        6,
        MONDAY - timedelta(days=3),
        MONDAY - timedelta(days=1),
    )
    assert (await spent_by(db.pool, stage.workspace, [zoe.id]))[zoe.id] == {"shoe": {"EUR": Decimal("9.0")}}
    assert await counts_of(db.pool, stage.workspace, [mel.id]) == {}


async def test_entries_go_on_as_those_of_who_stays_and_two_of_one_canvas_stay_two(db: Database) -> None:
    """GEN-8, GEN-9, AUD-4, IDN-15: nobody is asked again; the message goes to who stays; who goes leaves without a trace."""
    text = canvas(
        "  - {type: delay, id: d, duration: 1 day}\n  - {type: message, id: m, channel: email, template: hello}",
        more="audience: {attribute: vip, equals: true}",
    )
    stage = await stage_on(db, text + EMAIL)
    mel = await stage.person(attributes={"vip": True})
    zoe = await stage.person(attributes={"vip": True}, email="zoe@example.com")
    [first] = await stage.enter(mel, key="run:1")
    [second] = await stage.enter(zoe, key="run:1")
    await db.pool.execute("update people set attributes = '{\"vip\": false}' where id = $1", zoe.id)

    await merge(stage, mel, zoe)

    rows = [await stage.row(entry) for entry in (first, second)]
    assert [row["person"] for row in rows] == [zoe.id, zoe.id]
    assert [row["key"] for row in rows] == [f"run:1:{mel.id}", "run:1"]
    stage.clock.turn(timedelta(days=1))  # type: ignore[attr-defined]
    for entry in (first, second):
        await stage.burst(entry, 1)
        assert await stage.path(entry) == ["d", "m"]
    assert {(row["person"], row["shard"]) for row in await stage.dispatches()} == {(zoe.id, shard_of(zoe.id))}
    exits = await db.pool.fetchval("select count(*) from facts where fact = 'exited'")
    assert exits == 0


async def test_who_is_sent_through_once_more_by_the_same_call_is_not(db: Database) -> None:
    """GEN-9: the entry of who goes has the admission of who stays."""
    stage = await stage_on(db, WAITS + EMAIL)
    mel, zoe = await stage.person(), await stage.person()
    [entry] = await stage.enter(mel, key="run:1")
    await merge(stage, mel, zoe)
    assert await stage.enter(await profile(stage, zoe), key="run:1") == []
    assert (await stage.row(entry))["key"] == "run:1"


async def test_an_entry_that_has_not_begun_counts_for_the_variant_of_who_stays(db: Database) -> None:
    """CNV-9, GEN-9: its first step draws by the person, and so do its windows."""
    variants = """
variants:
  - name: a
    weight: 50
    steps: [{type: message, id: m, channel: email, template: hello}]
  - {name: b, weight: 50, steps: [{type: message, id: n, channel: email, template: hello}]}
conversions: [{name: c, event: bought, within: 3 days}]
"""
    text = "kind: canvas\nformat: 1\nname: story\nschedule: {api: true}" + variants
    stage = await stage_on(db, text + EMAIL)
    plan = (await stage.published.of(stage.workspace)).running["story"].plan
    mel = zoe = await stage.person()
    while plan.variant_of(str(mel.id)).name == plan.variant_of(str(zoe.id)).name:
        zoe = await stage.person()
    [entry] = await stage.enter(mel)
    assert (await stage.row(entry))["variant"] is None

    await merge(stage, mel, zoe)
    await stage.burst(entry, 1)

    drawn = plan.variant_of(str(zoe.id)).name
    assert (await stage.row(entry))["variant"] == drawn
    assert await db.pool.fetchval("select variant from conversions where entry = $1", entry) == drawn


async def test_a_plan_that_this_process_cannot_read_hinders_no_merge(db: Database) -> None:
    """GEN-9"""
    stage = await stage_on(
        db,
        canvas(
            "  - {type: message, id: m, channel: email, template: hello}",
            more="conversions: [{name: c, event: e, within: 1 day}]",
        )
        + EMAIL,
    )
    mel, zoe = await stage.person(), await stage.person()
    [entry] = await stage.enter(mel)
    await db.pool.execute("update entries set plan = 'story@of another'")
    await db.pool.execute(
        "insert into plans (workspace, id, canvas, body) values ($1, 'story@of another', 'story', '{\"format\": 99}')",
        stage.workspace,
    )
    await merge(stage, mel, zoe)
    assert (await stage.row(entry))["person"] == zoe.id


@pytest.mark.parametrize("timers", ["shift"])
async def test_an_entry_that_moves_while_a_change_of_its_canvas_is_followed_is_woken(
    db: Database, timers: Timers
) -> None:
    """STA-2: whoever wakes those inside, person by person, may have passed who stays already."""
    stage = await stage_on(db, WAITS + EMAIL)
    mel, zoe = await stage.person(), await stage.person()
    [entry] = await stage.enter(mel)
    for word, more in (("pause", {}), ("resume", {"timers": timers})):
        await change(db, stage.workspace, "story", word, at=stage.clock.now(), who="test", **more)  # type: ignore[arg-type]
    before = (await stage.row(entry))["turn"]
    await merge(stage, mel, zoe)
    assert (await stage.row(entry))["turn"] == before + 1
    await db.pool.execute("update canvases set settled = change")
    ann = await stage.person()
    await merge(stage, zoe, ann)
    assert (await stage.row(entry))["turn"] == before + 1, "else nobody is told of a merge"


async def test_two_stay_two_where_both_numbers_cannot_be_or_one_is_held_out(db: Database) -> None:
    """IDN-16: nothing of it is done; a fact says why."""
    held = "\n---\nkind: workspace\nformat: 1\nname: default\nglobal_control: {share: 15}\n"
    stage = await stage_on(db, WAITS + EMAIL + held)
    publication = await stage.published.of(stage.workspace)
    buckets = merging._held_out(publication)
    assert len(buckets) == 1500
    mel, zoe, ann, eve = [await stage.person(standard={"unformatted_phone": "1"}) for _ in range(4)]
    free = next(bucket for bucket in range(10_000) if bucket not in buckets)
    await db.pool.execute("update people set bucket = $1", free)
    await db.pool.execute(
        "update people set bucket = $1, standard = '{}' where id = $2", min(buckets), eve.id
    )

    await merge(stage, mel, zoe)
    await merge(stage, ann, eve)
    await merge(stage, eve, ann)

    assert await reasons(stage) == ["both_phones_invalid", "global_control_group", "global_control_group"]
    assert await db.pool.fetchval("select count(*) from people") == 4
    assert await db.pool.fetchval("select count(*) from merged") == 0


async def test_nothing_happens_where_somebody_is_not_there_or_both_are_one(db: Database) -> None:
    """IDN-25"""
    stage = await stage_on(db, WAITS + EMAIL)
    mel = await stage.person()
    nobody = Who(Identifier("external_id", "nobody"))
    updates = [MergeUpdate(nobody, ours(mel)), MergeUpdate(ours(mel), nobody), MergeUpdate(ours(mel), ours(mel)), MergeUpdate(Who(None), ours(mel))]  # fmt: skip
    await merge_people(parts(stage), stage.workspace, updates)
    assert await db.pool.fetchval("select count(*) from facts") == 0


async def test_merges_one_after_the_other_leave_no_chain(db: Database) -> None:
    """IDN-18"""
    stage = await stage_on(db, WAITS + EMAIL)
    people = [await stage.person() for _ in range(4)]
    for gone, kept in itertools.pairwise(people):
        await merge(stage, gone, kept)
    rows = await db.pool.fetch("select old, new from merged order by old")
    assert [tuple(row) for row in rows] == [(one.id, people[-1].id) for one in people[:-1]]


async def test_of_members_of_a_run_who_are_one_comes_once(db: Database) -> None:
    """GEN-9: whoever has had their turn keeps it; the counts say how many were two."""
    stage = await stage_on(db, WAITS + EMAIL)
    for run, (gone, kept) in enumerate([(None, None), ("entered", None), (None, "refused"), ("entered", "entered"), (None, "-"), ("entered", "-")]):  # fmt: skip
        mel, zoe = await stage.person(), await stage.person()
        identity = UUID(int=run)
        await db.pool.execute(
            "insert into runs (workspace, id, canvas, kind, at, wake_at) values ($1, $2, 'story', 'api', $3, $3)",
            stage.workspace, identity, MONDAY,
        )  # fmt: skip
        for one, outcome in ((mel, gone), (zoe, kept)):
            if outcome != "-":
                await db.pool.execute(
                    "insert into run_members (workspace, person, run, at, outcome) values ($1, $2, $3, $4, $5)",
                    stage.workspace, one.id, identity, MONDAY, outcome,
                )  # fmt: skip
        before = await db.pool.fetchval("select count(*) from run_members where run = $1", identity)
        await merge(stage, mel, zoe)
        rows = await db.pool.fetch("select person, outcome from run_members where run = $1", identity)
        assert len(rows) == before
        found = {"mel" if row["person"] == mel.id else "zoe": row["outcome"] for row in rows}
        merged = await db.pool.fetchval("select merged from runs where id = $1", identity)
        assert (found, merged) == [
            ({"mel": "merged", "zoe": None}, 1),
            ({"mel": "entered", "zoe": "merged"}, 1),
            ({"mel": "merged", "zoe": "refused"}, 1),
            ({"mel": "entered", "zoe": "entered"}, 0),
            ({"zoe": None}, 0),
            ({"zoe": "entered"}, 0),
        ][run]


async def test_without_values_attributes_events_and_consents_stay_behind(db: Database) -> None:
    """IDN-20: `merge_behavior: none` takes over entries, aliases and what became of messages."""
    stage = await stage_on(db, WAITS + EMAIL)
    mel = await stage.person(external_id=None, email="mel@example.com", attributes={"a": 1})
    zoe = await stage.person(external_id="zoe")
    await db.pool.execute("insert into aliases values ($1, $2, 'l', 'n')", stage.workspace, mel.id)
    await db.pool.execute(
        "insert into consents values ($1, $2, 'email', 'unsubscribed', $3)", stage.workspace, mel.id, MONDAY
    )
    [entry] = await stage.enter(mel)
    await stage.happens(mel, "liked")
    await stage.happens(mel, "opened", kind="message")
    who = Who(Identifier("user_alias", "l\x1fn"))
    wanted = [Identification(Identifier("external_id", "zoe"), who)]

    await identify_people(parts(stage), stage.workspace, wanted, values=False)

    one = await profile(stage, zoe)
    assert (one.email, dict(one.attributes), dict(one.consents)) == (None, {}, {})
    assert (await stage.row(entry))["person"] == zoe.id
    rows = await db.pool.fetch("select kind from events where person = $1", zoe.id)
    assert [row["kind"] for row in rows] == ["message"]
    assert await db.pool.fetchval("select person from aliases") == zoe.id
