"""The plugin works inside a project whose own modules have the names of our subpackages."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from journeys.channels.mailbox import Mailbox
from journeys.engine.clock import Clock
from journeys.engine.store import Database
from journeys.engine.store.embedded_postgres import create_database
from journeys.engine.store.entry_writes import FETCHES
from journeys.engine.store.migrate import Unfit
from journeys.plugin import JourneysPlugin
from journeys.worker import CACHED_WORKFLOWS, GRACEFUL
from journeys.workflows.temporal_server import free_port
from tests.stage import EMAIL, canvas, stage_on

PROJECT = """
import asyncio, os
import channels, engine, api, worker          # the project's own
from workflows import Mine
from temporalio.client import Client
from temporalio.worker import Worker
from journeys.plugin import JourneysPlugin

assert (channels.WHOSE, engine.WHOSE, api.WHOSE, worker.WHOSE) == ("mine",) * 4


async def main():
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    plugin = JourneysPlugin(os.environ["DATABASE_URL"])
    async with Worker(client, task_queue="theirs", workflows=[Mine], plugins=[plugin]):
        print("up", await client.execute_workflow(Mine.run, id=os.environ["RUN"], task_queue="theirs"), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, input)


try:
    asyncio.run(main())
finally:
    os._exit(0)
"""
WORKFLOWS = """
from temporalio import workflow


@workflow.defn
class Mine:
    @workflow.run
    async def run(self) -> str:
        return f"mine, in the sandbox: {workflow.unsafe.in_sandbox()}"
"""


@pytest.mark.slow
async def test_a_project_with_modules_of_our_rooms_names_runs_our_entries(
    db: Database, temporal: str, mailbox: Mailbox, tmp_path: Path
) -> None:
    """Their workflow runs on the same worker, in the sandbox as before; our entry sends its mail."""
    (tmp_path / "workflows.py").write_text(WORKFLOWS)
    for name in ("channels", "engine", "api", "worker"):
        (tmp_path / f"{name}.py").write_text('WHOSE = "mine"\n')
    (tmp_path / "main.py").write_text(PROJECT)
    stage = await stage_on(
        db, canvas("  - {type: message, id: m, channel: email, template: hello}") + EMAIL, clock=Clock()
    )
    environment = {
        **os.environ,
        "DATABASE_URL": db.url,
        "TEMPORAL_ADDRESS": temporal,
        "RUN": f"mine-{uuid4().hex}",
        "JOURNEYS_SMTP_PORT": str(mailbox.port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "main.py",
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert (
            await asyncio.wait_for(process.stdout.readline(), 60)
        ).strip() == b"up mine, in the sandbox: True"
        await stage.enter(await stage.person(email="mel@example.com", first_name="Mel"))
        mail = await mailbox.next(to="mel@example.com")
        assert mail.message["Subject"] == "Hello Mel"
    finally:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        await asyncio.wait_for(process.wait(), 30)


@pytest.mark.parametrize("case", ["away", "empty", "no address"])
async def test_a_worker_whose_database_is_not_ready_ends_with_one_line_and_does_not_hang(
    case: str, postgres: str, temporal: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By `run` and by `async with`, which would wait for ever for the end of a worker that never began."""
    url = {
        "away": f"postgresql://u:hunter2@127.0.0.1:{free_port()}/db",
        "empty": await create_database(postgres, f"empty_{uuid4().hex[:10]}"),
        "no address": "hunter2://",
    }[case]
    client = await Client.connect(temporal)
    for _ in range(2):
        worker = Worker(client, task_queue=f"q-{uuid4().hex}", plugins=[JourneysPlugin(url, channels=[])])
        with pytest.raises(Unfit) as raised:
            async with asyncio.timeout(30), worker:
                await asyncio.sleep(60)
        assert "\n" not in str(raised.value)
        assert "hunter2" not in str(raised.value)
    with pytest.raises(Unfit):
        await Worker(client, task_queue="q", plugins=[JourneysPlugin(url, channels=[])]).run()
    assert [each for each in caplog.records if each.name.startswith("journeys")] == []


async def test_the_settings_that_were_measured_are_those_of_the_plugins_worker_where_it_has_none_of_its_own(
    temporal: str,
) -> None:
    client, plugin = await Client.connect(temporal), JourneysPlugin("postgresql:///none", channels=[])
    ours = Worker(client, task_queue="q", plugins=[plugin]).config(active_config=True)
    assert (ours["max_cached_workflows"], ours["graceful_shutdown_timeout"]) == (CACHED_WORKFLOWS, GRACEFUL)
    assert ours["tuner"] is not None

    given = {
        "max_cached_workflows": 7,
        "graceful_shutdown_timeout": timedelta(seconds=1),
        "max_concurrent_activities": 3,
    }
    theirs = Worker(client, task_queue="r", plugins=[plugin], **given).config(active_config=True)  # type: ignore[arg-type]
    assert {name: theirs[name] for name in given} == given  # type: ignore[literal-required]
    assert theirs["tuner"] is None


async def test_a_worker_that_is_asked_to_stop_ends_its_drains_and_waits_for_nothing_else(
    db: Database, temporal: str
) -> None:
    """A drain runs for an hour: at the end of its worker it finishes what it has claimed, and ends."""
    client, plugin = await Client.connect(temporal), JourneysPlugin(db.url)
    queue = f"q-{uuid4().hex}"
    drain = client.get_workflow_handle(f"deliver:{queue}:{FETCHES}:0")

    async def drains() -> bool:
        with suppress(RPCError):
            pending = (await drain.describe()).raw_description.pending_activities
            return any(one.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED for one in pending)
        return False

    async with Worker(client, task_queue=queue, plugins=[plugin]):
        async with asyncio.timeout(60):
            while not await drains():
                await asyncio.sleep(0.05)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < GRACEFUL.total_seconds() / 2


@pytest.mark.parametrize(("group", "name"), [("journeys.steps", "hologram"), ("journeys.channels", "pigeon")])
async def test_a_package_that_is_broken_is_left_out_and_one_line_names_it(
    group: str, name: str, tmp_path: Path
) -> None:
    """Whatever it adds: the others work, and canvases that need it are set aside."""
    (tmp_path / "broken_holograms.py").write_text("import nothing_of_that_name\n")
    info = tmp_path / "acme_holograms-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-holograms\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = broken_holograms:Thing\n")
    (tmp_path / "one.yaml").write_text(canvas("  - {type: delay, id: wait, duration: 1 day}"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "journeys", "validate", str(tmp_path / "one.yaml")),
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    lines = said.decode().splitlines()
    named = [line for line in lines if "acme-holograms" in line]
    assert len(named) == 1
    assert f"“{name}” ({group}) is left out: ModuleNotFoundError" in named[0]
    assert "Traceback" not in said.decode()
