"""The plugin works inside a project whose own modules have the names of our subpackages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from journeys.channels.mailbox import Mailbox
from journeys.engine.clock import Clock
from journeys.engine.store import Database
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
        return "mine"
"""


async def test_a_project_with_modules_of_our_rooms_names_runs_our_entries(
    db: Database, temporal: str, mailbox: Mailbox, tmp_path: Path
) -> None:
    """Their workflow runs on the same worker, our entry sends its mail."""
    import asyncio
    from uuid import uuid4

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
        assert (await asyncio.wait_for(process.stdout.readline(), 60)).strip() == b"up mine"
        await stage.enter(await stage.person(email="mel@example.com", first_name="Mel"))
        mail = await mailbox.next(to="mel@example.com")
        assert mail.message["Subject"] == "Hello Mel"
    finally:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        await asyncio.wait_for(process.wait(), 30)
