"""The histories of each release can be replayed: the code of the workflow stays compatible."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from journeys.engine.store import Database
from journeys.workflows.deliver import Deliver
from journeys.workflows.entry import EntryAlarm
from tests.stage import EMAIL, canvas, live_stage
from tests.workflows.test_connected import closed, written

HISTORIES = Path(__file__).parents[1] / "histories"


@pytest.mark.parametrize(
    "runner", [SandboxedWorkflowRunner(), UnsandboxedWorkflowRunner()], ids=["sandboxed", "plain"]
)
@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
async def test_a_golden_history_replays(path: Path, runner: object) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text())

    await Replayer(workflows=[EntryAlarm, Deliver], workflow_runner=runner).replay_workflow(history)  # type: ignore[arg-type]


def test_there_are_golden_histories_and_they_hold_nothing_personal() -> None:
    """Ids, turns and instants; no address, no template, no attribute."""
    paths = list(HISTORIES.glob("*.json"))
    assert len(paths) >= 3
    for path in paths:
        text = written(WorkflowHistory.from_json(path.stem, path.read_text()))
        for word in ("example.com", "hello", "Mel", "template", "subject"):
            assert word not in text, (path.name, word)


async def test_histories_of_today_replay_and_stay_small(db: Database, temporal: str) -> None:
    """A wait, an event, a nudge; with `JOURNEYS_GOLDEN` set they are kept as golden ones."""
    story = (
        canvas(
            """
  - {type: delay, id: before, duration: 1 second}
  - {type: action_paths, id: watch, within: 1 hour, paths: [{name: p, triggers: [{event: ping}]}]}
  - {type: delay, id: after, duration: 1 second}
  - {type: message, id: tell, channel: email, template: hello}
""",
            more="exits: [{event: stop}]",
        )
        + EMAIL
        + "\n---\n"
        + canvas("  - {type: message, id: tell, channel: email, template: hello}", name="quick")
    )
    async with live_stage(db, story, temporal) as stage:
        mel, zoe = await stage.person(email="mel@example.com"), await stage.person()
        [heard] = await stage.enter(mel)
        [left] = await stage.enter(zoe)
        [quick] = await stage.enter(zoe, name="quick")

        async def watching() -> bool:
            return await db.pool.fetchval("select count(*) from entries where step = 'watch'") == 2

        await stage.until(watching)
        await stage.happens(mel, "ping")
        await stage.happens(zoe, "stop")
        await stage.all_ended()
        client = await Client.connect(temporal)
        histories = {}
        for name, entry in (("delay_event_delay", heard), ("delay_exit", left), ("message", quick)):
            handle = client.get_workflow_handle(f"{entry}:0")
            await stage.until(lambda handle=handle: closed(handle), "the workflow to close")
            histories[name] = await handle.fetch_history()
    for history in histories.values():
        assert len(history.events) <= 20
        await Replayer(workflows=[EntryAlarm]).replay_workflow(history)
    if os.environ.get("JOURNEYS_GOLDEN"):
        HISTORIES.mkdir(exist_ok=True)
        for name, history in histories.items():
            (HISTORIES / f"0.1-{name}.json").write_text(
                json.dumps(json.loads(history.to_json()), indent=1) + "\n"
            )
