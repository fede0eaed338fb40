"""`journeys report` says what stands in the database, number by number."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta

import pytest

from journeys.canvas.steps import OURS
from journeys.engine.core.global_control import samples
from journeys.engine.store import Database, migrate
from journeys.engine.workspaces.canvas_report import NOT_SENT, report_of
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import publish
from tests.cli.test_commands import journeys
from tests.dumps.restored import VERSIONS, restored
from tests.engine.entries.test_canvas_changes import MAIL
from tests.stage import EMAIL, MONDAY, canvas, definitions_of, stage_on

CANVASES = ("letter", "watch", "offer", "ticket", "asking")
BOUGHT = """
insert into events (workspace, person, shard, kind, name, at) select workspace, id, shard, 'event', 'bought', $3
from people where workspace = $1 and id = $2
"""
ONE = "select count(*) from facts where canvas = $1 and step = $2 and fact = $3"
HAND = {
    "took": ONE + " and data->>'path' = $4",
    "ended": ONE + " and data->>'reason' = $4",
}
ENTERED = "select count(*) from facts where canvas = $1 and fact = 'entered' and data->>'variant' = $2"
LEFT = "select count(*) from facts where canvas = $1 and fact = 'ended' and data->>'reason' = $2"
WAITS = "select count(*) from entries where canvas = $1 and ended is null and begun is not null and step = $2"
OPENED = """
select count(*) from (select distinct person, properties->'dispatch' from events where kind = 'message' and name = $3
    and properties->>'canvas' = $1 and properties->>'step' = $2) as messages
"""
CONVERTED = (
    "select count(*) from conversions where canvas = $1 and name = $2 and variant = $3 and at is not null"
)
REVENUE = "select coalesce(sum(revenue::numeric), 0)::float8 from conversions where canvas = $1 and name = $2 and variant = $3"


async def test_a_run_over_every_step_type_is_counted_as_by_hand_in_sql(postgres: str) -> None:
    """A thousand entries on their way, of the last release's canvases: each number by a query of its own."""
    url = await restored(postgres, VERSIONS[-1])
    await migrate(url)
    types: set[str | None] = set()
    async with Database.at(url) as db:
        hand = db.pool.fetchval
        publication = await Published(db).of(await hand("select id from workspaces"))
        for name in CANVASES:
            found = await report_of(db, publication.workspace, name, publication.running[name].plan)
            types |= {step.type for step in found.steps if step.reached}
            of_facts = "select count(*) from facts where canvas = $1 and fact = $2"
            assert sum(found.entered.values()) == await hand(of_facts, name, "entered") > 0
            assert sum(found.left.values()) == await hand(of_facts, name, "ended")
            for variant, count in found.entered.items():
                assert count == await hand(ENTERED, name, variant)
            for reason, count in found.left.items():
                assert count == await hand(LEFT, name, reason)
            open_ = "select count(*) from entries where canvas = $1 and ended is null"
            assert found.waiting + found.not_started == await hand(open_, name)
            for step in found.steps:
                at = (name, step.step)
                assert step.reached == await hand(ONE, *at, "reached"), at
                assert step.sent == await hand(ONE, *at, "sent"), at
                assert step.waiting == await hand(WAITS, *at), at
                for engagement in ("opened", "clicked", "unsubscribed"):
                    assert getattr(step, engagement) == await hand(OPENED, *at, engagement), (at, engagement)
                for fact, query in HAND.items():
                    assert sum(getattr(step, fact).values()) == await hand(ONE, *at, fact), (at, fact)
                    for detail, count in getattr(step, fact).items():
                        assert count == await hand(query, *at, fact, detail), (at, detail)
                not_sent = [await hand(ONE, *at, fact) for fact in NOT_SENT]
                assert sum(step.not_sent.values()) == sum(not_sent), at
            for one in found.conversions:
                at = (name, one.name, one.variant)  # type: ignore[assignment]
                assert one.converted == await hand(CONVERTED, *at), at
                assert one.revenue == pytest.approx(await hand(REVENUE, *at)), at
    assert types - {None} == {kind.model_fields["type"].default for kind in OURS}


VARIANTS = """
variants:
  - {name: hold, weight: 50, control: true}
  - {name: offer, weight: 50, steps: [{type: delay, id: wait, duration: 1 day}]}
"""
MORE = """audience: {attribute: sport, equals: running}
conversions: [{name: bought, event: bought, within: 7 days, revenue: total}]
"""
WINDOWS = """
insert into conversions (workspace, person, entry, name, shard, canvas, plan, variant, since, until, at, revenue)
select $1, gen_random_uuid(), gen_random_uuid(), 'bought', 1, 'story', 'story@1', $2, now(), now(),
    case when n <= $4 then now() end, case when n <= $4 then $5 end from generate_series(1, $3) as n
"""
FACT = """
insert into facts (workspace, person, shard, fact, at, canvas, step, data) values ($1, $2, 1, $3, $4, 'story', $5, $6)
"""


async def test_a_report_compares_with_control_and_says_who_was_refused(db: Database) -> None:
    """As a table, as JSON and as CSV, with the same numbers."""
    text = canvas("", schedule="{event: ping}", more=MORE).replace("steps:\n\n", VARIANTS)
    stage = await stage_on(db, text)
    await db.pool.execute("update canvases set published = $1", MONDAY - timedelta(days=1))
    mel, ann = await stage.person(external_id="mel"), await stage.person(external_id="ann")
    for person in (mel, mel, ann):
        await stage.happens(person, "ping")
    await db.pool.execute(WINDOWS, stage.workspace, "hold", 80, 48, "10")
    await db.pool.execute(WINDOWS, stage.workspace, "offer", 70, 55, "20.5")
    await db.pool.execute(WINDOWS, stage.workspace, "offer", 0, 0, "")
    for fact, step, data in (
        ("refused", None, {"reason": "audience"}),
        ("refused", None, {"reason": "not_active"}),
        ("aborted", "wait", {"reason": "liquid"}),
        ("failed", "gone", {}),
    ):
        await db.pool.execute(FACT, stage.workspace, mel.id, fact, MONDAY, step, data)
    await db.pool.execute("update conversions set revenue = 'much' where variant = 'offer' and at is null")

    told = json.loads((await journeys("report", "story", "--json", url=db.url)).out)
    lines = list(csv.DictReader(io.StringIO((await journeys("report", "story", "--csv", url=db.url)).out)))
    shown = await journeys("report", "story", url=db.url)
    unknown = await journeys("report", "stories", url=db.url)

    hold, offer = told["conversions"]
    assert (hold["variant"], hold["difference"], hold["revenue"]) == ("hold", None, 480)
    assert (offer["converted"], offer["entries"], offer["revenue"]) == (55, 70, 1127.5)
    assert offer["difference"]["value"] == pytest.approx(55 / 70 - 48 / 80)
    assert offer["difference"]["low"] < offer["difference"]["value"] < offer["difference"]["high"]
    assert offer["per_entry_difference"]["value"] == pytest.approx(1127.5 / 70 - 6)
    assert told["refused"] == {
        "audience": {"people": 2, "times": 4},
        "not_active": {"people": 1, "times": 1},
    }
    steps = {step["step"]: (step["type"], step["not_sent"]) for step in told["steps"]}
    assert steps == {"wait": ("delay", {"aborted: liquid": 1}), "gone": (None, {"failed": 1})}
    of = {(line["measure"], line["step"], line["variant"], line["detail"]): line["value"] for line in lines}
    assert len(of) == len(lines)
    assert of["not_sent", "wait", "", "aborted: liquid"] == "1"
    assert float(of["difference_low", "", "offer", "bought"]) == offer["difference"]["low"]
    assert of["refused_times", "", "", "audience"] == "4"
    assert "refused by audience: 2 people, 4 times" in shown.out
    assert "78.6 %" in shown.out
    assert (unknown.code, "did you mean “story”" in unknown.err) == (1, True)


async def test_the_global_control_group_is_compared_with_as_many_of_the_others_by_who_had_an_event(
    db: Database,
) -> None:
    """GCG-1: who had it before the group was drawn does not count, and who is in neither neither; nobody counts twice."""
    text = canvas(MAIL) + EMAIL
    group = "\n---\nkind: workspace\nformat: 1\nname: default\nzone: Europe/Paris\n"
    stage = await stage_on(db, text)
    none = await journeys("report", "--global-control", "bought", url=db.url)
    assert (none.code, "there is no global control group" in none.err) == (1, True)

    await publish(db, "default", definitions_of(text + group + "global_control: {share: 15}\n"))
    inside, others = (sorted(each) for each in samples(15, 1))
    drawn = await db.pool.fetchval("select settings->'global_control'->>'since' from workspaces")
    since = datetime.fromisoformat(drawn)
    did = {"group": 3, "sample": 7, "neither": 5}
    for side, buckets in (("group", inside), ("sample", others), ("neither", [])):
        rest = buckets or sorted({*range(10_000)} - {*inside, *others})
        for place in range(20):
            person = await stage.person()
            await db.pool.execute("update people set bucket = $2 where id = $1", person.id, rest[place])
            early, late = since - timedelta(days=2), since + timedelta(minutes=1)
            for at in [early, *[late] * (2 * (place < did[side]))]:
                await db.pool.execute(BOUGHT, stage.workspace, person.id, at)

    told = json.loads((await journeys("report", "--global-control", "bought", "--json", url=db.url)).out)
    shown = await journeys("report", "--global-control", "bought", url=db.url)
    lines = (await journeys("report", "--global-control", "bought", "--csv", url=db.url)).out
    earlier = f"{since - timedelta(days=3):%Y-%m-%dT%H:%M}"
    asked = "report", "--global-control", "bought", "--since", earlier, "--json"
    all_of_them = json.loads((await journeys(*asked, url=db.url)).out)

    assert [(told[side]["people"], told[side]["did"]) for side in ("group", "sample")] == [(20, 3), (20, 7)]
    assert told["difference"]["value"] == pytest.approx(0.2)
    assert told["difference"]["low"] < 0.2 < told["difference"]["high"]
    assert [all_of_them[side]["did"] for side in ("group", "sample")] == [20, 20]
    assert lines.splitlines() == ["side,people,did,rate", "group,20,3,0.15", "sample,20,7,0.35"]
    assert "global control group: 3 of 20 people, 15.0 %" in shown.out
    assert "difference: +20.0 %" in shown.out
    for words in ((), ("story", "--global-control", "bought"), ("story", "--since", "2026-11-01")):
        assert (await journeys("report", *words, url=db.url)).code == 2
