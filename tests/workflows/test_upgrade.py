"""After an upgrade, with a Temporal that knows of nobody: a worker picks up those who should wake, and they go on."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from journeys.engine.clock import Clock
from journeys.engine.store import Database, migrate
from tests.dumps.expected import MACHINE, alike, expectations, facts_of, instant
from tests.dumps.moving import Handed
from tests.dumps.restored import VERSIONS, restored
from tests.stage import live_stage, stage_on

LATER = timedelta(minutes=4, seconds=10)
"""So long after the dump, a minute after the first alarms."""

OPEN = "select id, phase, alarm_at, turn, told from entries where ended is null"


@pytest.mark.parametrize("version", VERSIONS)
async def test_those_who_should_wake_are_picked_up_by_a_worker_and_go_on(
    postgres: str, temporal: str, version: str
) -> None:
    """Overdue, moved and not told of, waiting for an event that a canvas made, for a message to leave, for an answer."""
    url = await restored(postgres, version)
    await migrate(url)
    now, channel = instant(version) + LATER, Handed()
    async with Database.at(url) as db:
        await db.pool.execute("update entries set moved = clock_timestamp() - interval '1 hour'")
        entries = (await expectations(await stage_on(db, ""), version)).entries
        facts = await facts_of(db, *MACHINE)
        rows = {row["id"]: row for row in await db.pool.fetch(OPEN)}
        others = {each for each, row in rows.items() if row["phase"] in ("held", "asked")}
        punctual = {
            each: [fact for fact in wanted.facts if fact[2] <= now] for each, wanted in entries.items()
        }
        behind = {each for each in set(rows) - others if len(punctual[each]) > len(facts.get(each, ()))}
        assert len([each for each in behind if rows[each]["told"] < rows[each]["turn"]]) >= 40
        assert len([each for each in behind if (rows[each]["alarm_at"] or now) < now]) >= 30
        assert len(others) >= 40

        async with live_stage(db, "", temporal, [channel], clock=Clock(begins=now)) as stage:
            await stage.housekeeping.watch()

            async def gone_on() -> bool:
                turns = {row["id"]: row["turn"] for row in await db.pool.fetch(OPEN)}
                if any(turns.get(each) == rows[each]["turn"] for each in behind | others):
                    return False
                said = {each: len(some) for each, some in (await facts_of(db, *MACHINE)).items()}
                return all(said[each] >= len(punctual[each]) for each in behind) and all(
                    said[each] > len(facts[each]) for each in others
                )

            await stage.until(gone_on, "those who should wake", seconds=120)
            facts = await facts_of(db, *MACHINE)
            sleeping = next(row["id"] for row in await db.pool.fetch(OPEN) if row["id"] in behind)
            workflow = (await Client.connect(temporal)).get_workflow_handle(f"{sleeping}:0")
            assert (await workflow.describe()).status == WorkflowExecutionStatus.RUNNING

    for each, wanted in entries.items():
        had, due = facts[each], wanted.facts[: len(facts[each])]
        if each in others:  # what was done for them was done later than a simulator does it
            had, due = [fact[:2] for fact in had], [fact[:2] for fact in due]
            assert had == due
        else:
            assert len(had) >= len(punctual[each])
            assert alike(had, due)
    keys = Counter(key for key, _ in channel.mails)
    assert keys.most_common(1)[0][1] == 1
    assert set(keys) <= {key for wanted in entries.values() for key in wanted.sends}
