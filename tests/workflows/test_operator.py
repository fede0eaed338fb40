"""What operators rely on: overdue entries are repaired, histories stay short, entries can be found in Temporal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.clock import Clock
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.plugin import JourneysPlugin
from journeys.workflows import housekeeping
from journeys.workflows.alarm_sync import TemporalAlarmSync, Urgency
from journeys.workflows.search_attributes import register_search_attributes
from journeys.workflows.temporal_server import temporal_server
from tests.stage import EMAIL, Stage, canvas, live_stage, stage_on

STORY = (
    canvas(
        """
  - {type: delay, id: wait, duration: 30 days}
  - {type: message, id: late, channel: email, template: hello}
"""
    )
    + EMAIL
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog's patience, in hundredths of a second instead of minutes."""
    monkeypatch.setattr(housekeeping, "OVERDUE", timedelta(seconds=0.05))
    monkeypatch.setattr(housekeeping, "UNHEARD_OF", timedelta(seconds=0.05))


def email(mailbox: Mailbox) -> Email:
    return Email(SmtpSettings(host="127.0.0.1", port=mailbox.port))


async def resting(stage: Stage, entry: UUID) -> Any:
    """Wait until the entry stands at its delay, and its workflow runs."""

    async def there() -> bool:
        row = await stage.row(entry)
        return row["step"] == "wait" and row["told"] >= row["turn"]

    await stage.until(there)


async def heal(stage: Stage, entry: UUID) -> None:
    """The days have passed; the watchdog's rounds, until the entry has ended."""
    await stage.db.pool.execute("update entries set wake_at = now(), alarm_at = now() where id = $1", entry)

    async def ended() -> bool:
        await stage.housekeeping.watch()
        return (await stage.row(entry))["ended"] is not None

    await stage.until(ended, "the entry to be healed")


async def test_an_entry_whose_workflow_an_operator_ended_goes_on_in_a_new_one(
    db: Database, temporal: str, mailbox: Mailbox, impatient: None
) -> None:
    """The generation is raised, a fact tells it, and the message leaves once."""
    async with live_stage(db, STORY, temporal, [email(mailbox)]) as stage:
        [entry] = await stage.enter(await stage.person(email="mel@example.com", first_name="Mel"))
        await resting(stage, entry)
        client = await Client.connect(temporal)
        await client.get_workflow_handle(f"{entry}:0").terminate("by mistake")
        await heal(stage, entry)
        await mailbox.next(to="mel@example.com")

        row = await stage.row(entry)
        assert (row["ended"], row["generation"]) == ("completed", 1)
        assert [fact for fact, _ in await stage.facts(entry)].count("overdue") == 1
        status = (await client.get_workflow_handle(f"{entry}:1").describe()).status
        assert status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED)
        assert len(mailbox.mails) == 1


async def test_an_entry_that_temporal_has_forgotten_is_started_again(
    db: Database, temporal: str, mailbox: Mailbox, impatient: None
) -> None:
    """The store says that Temporal was told, and there is no such workflow: its database came from a backup, say."""
    async with live_stage(db, STORY, temporal, [email(mailbox)]) as stage:
        stage.alarm_sync = NullNotifier()
        [entry] = await stage.enter(await stage.person(email="mel@example.com", first_name="Mel"))
        await db.pool.execute("update entries set told = turn")
        await heal(stage, entry)
        await mailbox.next(to="mel@example.com")

        assert (await stage.row(entry))["ended"] == "completed"


async def test_an_entry_that_waits_as_it_should_is_left_alone(db: Database, temporal: str) -> None:
    async with live_stage(
        db, canvas("  - {type: delay, id: wait, duration: 3 days}\n") + EMAIL, temporal
    ) as stage:
        [entry] = await stage.enter(await stage.person())
        assert await stage.housekeeping.watch() == 0
        assert (await stage.row(entry))["generation"] == 0


async def test_entries_are_found_by_the_attributes_that_the_program_registers(
    db: Database, temporal: str
) -> None:
    """Workspace, canvas, plan, person: opaque, so that nothing personal lies in Temporal."""
    client = await Client.connect(temporal)
    await register_search_attributes(client)
    await register_search_attributes(client)
    story = canvas(
        "  - {type: delay, id: wait, duration: 3 days}\n  - {type: delay, id: d, duration: 1 day}\n",
        name="found-by",
    )
    async with live_stage(db, story, temporal) as stage:
        mel = await stage.person(email="mel@example.com", first_name="Mel")
        [entry] = await stage.enter(mel, name="found-by")

        async def found() -> list[Any]:
            query = f"JourneysCanvas = 'found-by' and JourneysPerson = '{mel.id}'"
            return [one async for one in client.list_workflows(query)]

        [workflow] = await stage.until(found, "the visibility store")
        assert workflow.id == f"{entry}:0"
        values = {pair.key.name: pair.value for pair in workflow.typed_search_attributes}
        ours = {name: value for name, value in values.items() if name.startswith("Journeys")}
        assert set(ours) == {"JourneysWorkspace", "JourneysCanvas", "JourneysPlan", "JourneysPerson"}
        assert "Mel" not in str(ours)
        assert "mel@" not in str(ours)


@pytest.fixture
async def one_partition(servers: Path) -> AsyncIterator[str]:
    """The address of a Temporal server whose queues keep the order of all their tasks."""
    settings = [f"matching.numTaskqueue{way}Partitions=1" for way in ("Read", "Write")]
    async with temporal_server(log=servers / "one_partition.log", dynamic_config=settings) as server:
        yield server.address


async def test_an_entry_of_a_workspace_with_little_to_do_waits_for_no_backlog_of_another(
    db: Database, one_partition: str
) -> None:
    """What a workspace has beyond a share waits in Temporal's queue behind what others have.

    The entry that comes last of 301 is the 51st, give or take those of which a worker thinks at once; without its
    share it is one of the last. A queue of one partition keeps the order: of several, each keeps its own, and how far
    one is ahead of another is chance.
    """
    queue = f"shares-{uuid4().hex[:8]}"
    client = await Client.connect(one_partition)
    await register_search_attributes(client)
    story = canvas("  - {type: user_update, id: first, attributes: {a: 1}}")
    large = await stage_on(db, story, workspace="large", clock=Clock())
    small = await stage_on(db, story, workspace="small", clock=Clock())
    alarm_sync = TemporalAlarmSync(db, client, large.clock, queue)
    alarm_sync._urgency = Urgency(each_second=0.0)  # however long it takes to tell of them
    large.alarm_sync = small.alarm_sync = alarm_sync
    await large.enter(*[await large.person() for _ in range(300)])
    await alarm_sync.drain()
    await small.enter(await small.person())
    await alarm_sync.drain()
    first = "select min(no) from facts where workspace = $1 and step = 'first'"
    before = "select count(distinct entry) from facts where workspace = $1 and step = 'first' and no < $2"

    waiting = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        report_stats=True,
    )

    async def all_wait() -> bool:
        there = await client.workflow_service.describe_task_queue(waiting)
        return bool(there.stats.approximate_backlog_count == 301)

    async def small_has_begun() -> Any:
        return await db.pool.fetchval(first, small.workspace)

    await small.until(all_wait, "all of them in the queue")
    async with Worker(
        client, task_queue=queue, plugins=[JourneysPlugin(db.url, clock=large.clock, channels=[])]
    ):
        number = await small.until(small_has_begun, "the one entry")
        assert await db.pool.fetchval(before, large.workspace, number) < 150


async def test_an_entry_with_many_waits_continues_as_new_and_misses_none(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    """One workflow id, several runs, each with a short history."""
    waits = "\n".join(f"  - {{type: delay, id: wait{n}, duration: 1 minute}}" for n in range(24))
    story = canvas(f"{waits}\n  - {{type: message, id: last, channel: email, template: hello}}\n") + EMAIL
    async with live_stage(db, story, temporal, [email(mailbox)], clock=Clock(scale=240)) as stage:
        [entry] = await stage.enter(await stage.person(email="mel@example.com", first_name="Mel"))
        await mailbox.next(to="mel@example.com", seconds=60)
        client = await Client.connect(temporal)
        handle = client.get_workflow_handle(f"{entry}:0")
        await handle.result()
        lengths = []
        run = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
        lengths.append((await handle.describe()).history_length)
        while run.continued_execution_run_id:
            earlier = client.get_workflow_handle(f"{entry}:0", run_id=run.continued_execution_run_id)
            description = await earlier.describe()
            assert description.status == WorkflowExecutionStatus.CONTINUED_AS_NEW
            lengths.append(description.history_length)
            run = (await earlier.fetch_history()).events[0].workflow_execution_started_event_attributes

        assert await stage.path(entry) == [*(f"wait{n}" for n in range(24)), "last"]
        assert len(lengths) >= 2
        assert max(lengths) <= 80


async def test_the_workflows_run_inside_the_sandbox_too(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    story = canvas("  - {type: message, id: hello, channel: email, template: hello}") + EMAIL
    async with live_stage(db, story, temporal, [email(mailbox)], sandboxed=True) as stage:
        await stage.enter(await stage.person(email="mel@example.com", first_name="Mel"))
        assert (await mailbox.next(to="mel@example.com")).message["Subject"] == "Hello Mel"
        await stage.all_ended()
