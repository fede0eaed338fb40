"""`serve`, `worker`, `dev` and `demo`: they start, do their work, and stop cleanly when they are asked to."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import smtplib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import asyncpg
import httpx2
import pytest

from journeys.channels.mailbox import Mailbox
from journeys.engine.store import Database
from journeys.engine.workspaces.api_keys import ALL, create_key
from journeys.workflows.temporal_server import free_port
from tests.lines import relay
from tests.stage import EMAIL, canvas, stage_on


class Running:
    """A command that runs, and what it has printed."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def says(self, pattern: str, seconds: float = 120) -> re.Match[str]:
        """Wait for a line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line)
                if found := re.search(pattern, line):
                    return found
        raise AssertionError(f"no “{pattern}” in {self.lines}")

    async def stopped(self, seconds: float = 60) -> int:
        """Ctrl-C, and its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            rest = (await self.process.stdout.read()).decode()
            self.lines.append(rest)
            assert "Traceback" not in "".join(self.lines)
            return await self.process.wait()


@asynccontextmanager
async def running(*words: str, cwd: Path | None = None, **environment: str) -> AsyncIterator[Running]:
    """A command in a process of its own, with no servers but those that it is given."""
    others = {
        name: text for name, text in os.environ.items() if name not in ("DATABASE_URL", "TEMPORAL_ADDRESS")
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "journeys", *words),
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**others, "COLUMNS": "160", "PYTHONUNBUFFERED": "1", **environment},
        cwd=cwd,
    )
    one = Running(process)
    try:
        yield one
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["worker", "serve"])
async def test_a_server_that_starts_before_its_database_and_temporal_waits_for_them_with_one_line_each(
    db: Database, temporal: str, command: str
) -> None:
    """And goes on when they come. Ctrl-C ends it while it waits, too."""
    there = await asyncpg.connect(db.url)
    [row] = await there.fetch("show unix_socket_directories")
    name = await there.fetchval("select current_database()")
    user = await there.fetchval("select current_user")
    socket = f"{row[0]}/.s.PGSQL.{await there.fetchval('show port')}"
    await there.close()
    base, other = free_port(), free_port()
    host, _, at = temporal.partition(":")
    words = (command,) if command == "worker" else (command, "--port", "0")
    servers = {
        "DATABASE_URL": f"postgresql://{user}@127.0.0.1:{base}/{name}?sslmode=disable",
        "TEMPORAL_ADDRESS": f"127.0.0.1:{other}",
        "JOURNEYS_TASK_QUEUE": f"late-{base}",
    }
    async with running(*words, **servers) as one:
        await one.says("the database cannot be reached.*waiting for it")
        await asyncio.sleep(2.5)
        async with relay(base, "", socket):
            await one.says("it answers")
            await one.says(f"no Temporal server answers at 127.0.0.1:{other}.*waiting for it")
            await asyncio.sleep(2.5)
            async with relay(other, host, int(at)):
                await one.says("it answers")
                await one.says("working on the task queue" if command == "worker" else "the API listens on")
                assert await one.stopped() == 0
    text = "".join(one.lines)
    assert (text.count("waiting for it"), text.count("it answers")) == (2, 2)

    async with running(*words, **servers) as one:
        await one.says("waiting for it")
        assert await one.stopped() == 0


async def test_an_api_and_a_worker_apart_carry_a_person_from_a_call_to_a_mail(
    db: Database, temporal: str, mailbox: Mailbox
) -> None:
    """`serve` and `worker` share nothing but the database and Temporal; both stop with 0 on Ctrl-C."""
    story = canvas("  - {type: message, id: hello, channel: email, template: hello}") + EMAIL
    stage = await stage_on(db, story)
    key = await create_key(db, stage.workspace, "test", [ALL])
    servers = {
        "DATABASE_URL": db.url,
        "TEMPORAL_ADDRESS": temporal,
        "JOURNEYS_TASK_QUEUE": "apart",
        "JOURNEYS_SMTP_PORT": str(mailbox.port),
    }
    port = free_port()
    async with (
        running("serve", "--port", str(port), **servers) as api,
        running("worker", **servers) as worker,
    ):
        await api.says("listens on")
        await worker.says("working on the task queue apart")
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, headers=headers
        ) as http:
            mel = {"external_id": "mel", "email": "mel@example.com", "first_name": "Mel"}
            assert (await http.post("/users/track", json={"attributes": [mel]})).status_code == 201
            body = {"canvas_id": "story", "recipients": [{"external_user_id": "mel"}]}
            assert (await http.post("/canvas/trigger/send", json=body)).status_code == 201
        mail = await mailbox.next(to="mel@example.com")
        assert mail.message["Subject"] == "Hello Mel"
        assert [await worker.stopped(), await api.stopped()] == [0, 0]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_dev_starts_everything_and_leaves_nothing_running(temporal: str, apart: Path) -> None:
    """A database, a mailbox, an API with a key, a worker; after Ctrl-C, no child of it is left."""
    definitions = Path(__file__).parents[2] / "definitions"
    port = free_port()
    words = ("dev", str(definitions), "--port", str(port), "--time-scale", "1d=2s")
    async with running(*words, JOURNEYS_HOME=str(apart), TEMPORAL_ADDRESS=temporal) as dev:
        key = (await dev.says(r"API .*key: (\S+)"))[1]
        box = int((await dev.says(r"mailbox\s+127\.0\.0\.1:(\d+)"))[1])
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, headers=headers
        ) as http:
            body = {"attributes": [{"external_id": "mel", "first_name": "Mel"}]}
            assert (await http.post("/users/track", json=body)).status_code == 201
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = "by hand", "a@example.com", "b@example.com"
        message.set_content("hello")

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", box) as smtp:
                smtp.send_message(message)

        await asyncio.to_thread(send)
        await dev.says("mail to b@example.com: by hand")
        children = below(dev.process.pid)
        assert children, "the database is a process of its own"
        assert await dev.stopped() == 0
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


def below(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(deeper for one in found for deeper in below(one))]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_demo_tells_mels_story_to_its_end_whatever_the_environment_says(tmp_path: Path) -> None:
    """As `make demo` does: Mel's name, hour, click and conversion; and it touches no other servers or data."""
    somebodys = {
        "DATABASE_URL": "postgresql://127.0.0.1:1/production",
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "JOURNEYS_HOME": str(tmp_path / "home"),
        "JOURNEYS_PUBLIC_URL": "https://example.com",
        "JOURNEYS_SMTP_USERNAME": "mel",
        "JOURNEYS_SMTP_PASSWORD": "sesame",
        "JOURNEYS_SMTP_TLS": "true",
    }
    async with running("demo", **somebodys) as demo:
        await demo.says("Subject: “Mel,", 200)
        await demo.says("is credited to the step")
        await demo.says("The demo took")
        assert await asyncio.wait_for(demo.process.wait(), 60) == 0
    assert not (tmp_path / "home").exists()


async def test_a_log_of_objects_has_what_a_server_says_of_itself_as_objects_too(
    db: Database, temporal: str
) -> None:
    """What it warns of at its start, that it waits, and where it listens."""
    servers = {"DATABASE_URL": db.url, "TEMPORAL_ADDRESS": temporal, "JOURNEYS_LOG_FORMAT": "json"}
    async with running("worker", "--port", "0", **servers) as one:
        await one.says("it answers /health")
        assert await one.stopped() == 0
    away = servers | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    async with running("serve", **away) as other:
        await other.says("waiting for it")
        other.process.kill()
    said = [json.loads(line) for line in "".join(one.lines + other.lines).splitlines()]
    assert {"time", "level", "logger", "event"} <= set.intersection(*(set(each) for each in said))
    events = {each["event"]: each["level"] for each in said}
    assert events["working on the task queue journeys"] == "info"
    assert [level for event, level in events.items() if event.startswith("JOURNEYS_PUBLIC_URL is")] == [
        "warning"
    ]
    for part in ("it answers /health", "finishing the work", "; waiting for it"):
        assert [event for event in events if part in event], part


async def test_a_port_that_is_taken_is_said_in_a_line(db: Database, temporal: str, mailbox: Mailbox) -> None:
    servers = {"DATABASE_URL": db.url, "TEMPORAL_ADDRESS": temporal}
    async with running("serve", "--port", str(mailbox.port), **servers) as api:
        await api.says("cannot listen|already in use|address")
        assert await asyncio.wait_for(api.process.wait(), 30) == 1
