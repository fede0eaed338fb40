"""The store and the simulator make the same decisions: the same refusals, and the same messages not sent."""

from __future__ import annotations

from datetime import datetime
from itertools import product

import pytest

from journeys.canvas.events_and_commands import Note
from journeys.canvas.plan import compile
from journeys.channels.mailbox import Mailbox
from journeys.engine.core.simulate import Scenario, run
from journeys.engine.core.simulated_gates import Door
from journeys.engine.people.profiles import load
from journeys.engine.store import Database
from journeys.testing import journey
from tests.engine.delivery.test_delivery import post
from tests.stage import EMAIL, MONDAY, FakeClock, canvas, definitions_of, stage_on

DECIDED = ("refused", "unreachable", "invalid", "aborted")
TEXT = (
    canvas(
        "  - {type: message, id: hello, channel: email, template: hello, only_when: {attribute: vip, equals: true}}",
        schedule="{event: ping}",
        more="audience: {all: [{attribute: size, more_than: 38}, {none: [{event: ping}]}]}\nsend: {subscription: opted_in}",
    )
    + EMAIL
)


async def test_the_store_and_the_simulator_refuse_the_same_people_and_messages(
    db: Database, mailbox: Mailbox
) -> None:
    """ENT-16, SUB-1, VAL-1: over all who differ in size, in consent, and in what the message asks for."""
    stage = await stage_on(db, TEXT)
    await db.pool.execute("update canvases set published = $1", MONDAY)
    plan = compile(definitions_of(TEXT).canvases["story"].value)
    people = []
    for size, vip, consent in product((36, 40), (True, False), (None, "subscribed", "opted_in")):
        one = await stage.person(email="mel@example.com", attributes={"size": size, "vip": vip})
        if consent:
            row = (stage.workspace, one.id, consent)
            await db.pool.execute("insert into consents values ($1, $2, 'email', $3, now())", *row)
        people.append(one.id)

    profiles = await load(db.pool, stage.workspace, people, consents=True)
    said = {
        person: [
            (command.fact, command.data.get("reason"))
            for _, _, command in run(
                plan, str(person), MONDAY, Scenario(), profile=profiles[person].as_person("UTC")
            )
            if isinstance(command, Note) and command.fact in DECIDED
        ]
        for person in people
    }
    for person in people:
        await stage.happens(profiles[person], "ping")
    for entry in await db.pool.fetch("select id from entries where ended is null"):
        await stage.burst(entry["id"])
    await post(stage, mailbox)

    rows = await db.pool.fetch(
        "select person, fact, data from facts where fact = any($1) order by no", DECIDED
    )
    found: dict[object, list[object]] = {person: [] for person in people}
    for row in await db.pool.fetch("select person, gate from refusals"):
        found[row["person"]].append(("refused", row["gate"]))
    for row in rows:
        found[row["person"]].append((row["fact"], row["data"].get("reason")))
    assert found == said
    assert {reason for several in said.values() for _, reason in several} == {
        "audience", "not_opted_in", "only_when",
    }  # fmt: skip


GATED = (
    canvas(
        "  - {type: delay, id: wait, duration: 1 day}",
        schedule="{event: ping}",
        more="audience: {attribute: size, more_than: 38}\nkey: event.order\nentry_limit: {entries: 3, per: day}",
    )
    + "---\nkind: workspace\nformat: 1\nname: default\nglobal_control: {share: 15}\n"
)


async def test_the_store_the_simulator_and_a_trial_let_in_the_same_people_by_the_same_gates(
    db: Database,
) -> None:
    """CTL-5, CTL-7, AUD-2: in the same order of people, who differ in size, in their bucket and in what they bring along."""
    stage = await stage_on(db, GATED)
    await db.pool.execute("update canvases set published = $1", MONDAY)
    publication = await stage.published.of(stage.workspace)
    plan = publication.running["story"].plan
    group = publication.held_out(plan)
    inside, outside = min(group), min(set(range(10_000)) - group)
    scenario, trial = Scenario(door=Door(group)), journey(GATED)
    store, simulated, tried = [], [], []
    for size, bucket, order in product((36, 40), (inside, outside), (None, 1, "x", 2.5, 3)):
        said = {} if order is None else {"order": order}
        one = await stage.person(attributes={"size": size})
        await db.pool.execute("update people set bucket = $2 where id = $1", one.id, bucket)
        profile = (await load(db.pool, stage.workspace, [one.id]))[one.id]
        await stage.happens(profile, "ping", said)
        store.append(await db.pool.fetchval("select gate from refusals where person = $1", one.id))
        way = run(plan, str(one.id), MONDAY, scenario, profile=profile.as_person("UTC"), context=said)
        notes = [each for _, _, each in way if isinstance(each, Note) and each.fact == "refused"]
        simulated.append(notes[0].data["reason"] if notes else None)
        tried.append(trial.person(bucket=bucket, size=size).does("ping", said))
    stories = trial.run(until="1 hour")

    assert store == simulated == [stories[one.name].refused for one in tried]
    assert set(store) == {None, "no_key", "audience", "global_control", "entry_limit"}


@pytest.mark.parametrize(
    ("reentry", "first", "second"),
    [
        ("{after: 30 days}", "2027-02-15T08:30Z", "2027-03-15T08:30Z"),
        ("{after: 1 day}", "2027-02-15T08:30Z", "2027-02-16T08:00Z"),
        ("after_maximum_duration", "2027-02-15T08:30Z", "2027-02-17T08:30Z"),
    ],
    ids=["case 22", "case 23", "case 26"],
)
async def test_a_window_of_re_entry_shuts_in_the_store_and_in_a_trial(
    db: Database, reentry: str, first: str, second: str
) -> None:
    """Cases 22, 23, 26: CTL-2, CTL-3, CTL-6: elapsed time and no days of the calendar; the longest way is three days."""
    steps = "  - {type: delay, id: wait, duration: 3 days}\n  - {type: message, id: m, channel: email, template: hello}"
    text = canvas(steps, schedule="{event: ping}", more=f"reentry: {reentry}") + EMAIL
    begins, again = datetime.fromisoformat(first), datetime.fromisoformat(second)
    trial = journey(text, starts=begins)
    tried = trial.person(email="mel@example.com").does("ping").does("ping", at=again)
    trial.run()
    stage = await stage_on(db, text, clock=FakeClock(begins))
    await db.pool.execute("update canvases set published = $1", begins)
    mel = await stage.person()
    await stage.happens(mel, "ping")
    stage.clock.turn(again - begins)  # type: ignore[attr-defined]
    await stage.happens(mel, "ping")

    gates = await db.pool.fetch("select gate, times from refusals")
    assert [tuple(row) for row in gates] == [("reentry_window", 1)]
    assert await db.pool.fetchval("select count(*) from entries") == len(tried.stories()) == 1
    assert tried.refusals() == ["reentry_window"]
