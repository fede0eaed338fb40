"""The database, Temporal and the mail server go away for a while: few lines say so, and everything goes on by itself."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from journeys.channels.mailbox import Mailbox
from journeys.engine.clock import Clock
from journeys.engine.entries.burst_calls import Call
from journeys.engine.store import Database
from journeys.engine.store.embedded_postgres import create_database
from journeys.engine.workspaces.api_keys import ALL, create_key
from journeys.workflows.activities import LONGEST_AWAY, Activities
from journeys.workflows.temporal_server import free_port
from tests.cli.test_servers import Running, running
from tests.lines import Line
from tests.stage import EMAIL, canvas, stage_on

SECONDS = float(os.environ.get("JOURNEYS_OUTAGE", "60"))
"""How long each of them is away; `make outages`: ten minutes."""

MOST_LINES = 5
"""Lines of a process that one outage may cost."""

STORY = (
    canvas(
        "  - {type: message, id: hello, channel: email, template: hello}\n"
        "  - {type: delay, id: wait, duration: 2 seconds}\n"
        "  - {type: message, id: again, channel: email, template: hello}",
        schedule="{event: signed_up}",
    )
    + EMAIL
)


async def read_on(one: Running) -> None:
    """Keep what a process says, so that it can go on."""
    assert one.process.stdout is not None
    async for line in one.process.stdout:
        one.lines.append(line.decode())


async def signed_up(http: httpx2.AsyncClient, people: range) -> int:
    """They sign up; returns the status."""
    answer = await http.post(
        "/users/track",
        json={
            "attributes": [
                {"external_id": f"p{one}", "email": f"p{one}@example.com"} for one in people
            ],
            "events": [
                {"external_id": f"p{one}", "name": "signed_up", "time": "2026-11-01T09:00:00Z", "event_id": f"e{one}"}
                for one in people
            ],
        },
        timeout=20,
    )  # fmt: skip
    return answer.status_code


async def all_have(mailbox: Mailbox, people: int, mails: int, seconds: float = 240) -> None:
    """Wait until each of them has so many mails."""
    ends = asyncio.get_running_loop().time() + seconds
    while True:
        got = Counter(mail.recipients[0] for mail in mailbox.mails)
        if len(got) == people and all(count >= mails for count in got.values()):
            return
        assert asyncio.get_running_loop().time() < ends, f"{len(got)} of {people}: {Counter(got.values())}"
        await asyncio.sleep(0.2)


async def ready(http: httpx2.AsyncClient) -> tuple[int, Any]:
    answer = await http.get("/ready", timeout=20)
    return answer.status_code, answer.json()


async def until_ready(http: httpx2.AsyncClient) -> None:
    """Wait until a process that has just been started can do its work; at this level of logs it says nothing of it.

    Six of them start at once.
    """
    async with asyncio.timeout(180):
        while True:
            with suppress(httpx2.TransportError):
                if (await ready(http))[0] == 200:
                    return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("local", [True, False])
async def test_an_entry_asks_again_soon_after_the_database_is_back_however_long_it_was_away(
    local: bool,
) -> None:
    """Temporal's own pauses grow to ten minutes; a local activity keeps its slot while it waits, so it does not."""

    async def gone(alarm: UUID, call: Call) -> Any:
        raise ConnectionRefusedError

    async def drain(channel: str, stop: asyncio.Event) -> None:
        raise AssertionError(channel)

    environment = ActivityEnvironment()
    activities: Any = Activities(lambda: gone, Clock(), drain, timedelta(hours=1), lambda: None)  # type: ignore[arg-type, return-value]
    delays = []
    for attempt in (1, 3, 100_000):
        environment.info = replace(environment.info, is_local=local, attempt=attempt)
        with pytest.raises(ApplicationError) as raised:
            await environment.run(activities.burst, str(uuid4()), 1, 1.8e9)
        delays.append(raised.value.next_retry_delay)
    assert delays == ([None] * 3 if local else [timedelta(seconds=1), timedelta(seconds=4), LONGEST_AWAY])


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS + 900)
async def test_what_goes_away_and_comes_back_costs_few_lines_and_no_message(
    postgres: str, template: str, temporal: str
) -> None:
    """Each is away of an installation of its own, all at the same time."""

    async def each(what: str) -> None:
        url = await create_database(postgres, f"journeys_{uuid4().hex[:12]}", template=template)
        async with Database.at(url) as db, Mailbox() as mailbox:
            await _goes_away(what, db, temporal, mailbox)

    async with asyncio.TaskGroup() as group:
        for what in ("database", "temporal", "mail"):
            group.create_task(each(what))


async def _goes_away(what: str, db: Database, temporal: str, mailbox: Mailbox) -> None:
    stage = await stage_on(db, STORY)
    key = await create_key(db, stage.workspace, "test", [ALL])
    await db.pool.execute("update canvases set published = '2026-10-01'")
    there = await asyncpg.connect(db.url)
    [row] = await there.fetch("show unix_socket_directories")
    name, user = await there.fetchrow("select current_database(), current_user")
    socket = f"{row[0]}/.s.PGSQL.{await there.fetchval('show port')}"
    await there.close()
    host, _, at = temporal.partition(":")
    lines = {
        "database": Line("", socket),
        "temporal": Line(host, int(at)),
        "mail": Line("127.0.0.1", mailbox.port),
    }
    environment = {
        "DATABASE_URL": f"postgresql://{user}@127.0.0.1:{lines['database'].port}/{name}?sslmode=disable",
        "TEMPORAL_ADDRESS": f"127.0.0.1:{lines['temporal'].port}",
        "JOURNEYS_TASK_QUEUE": f"outages-{lines['database'].port}",
        "JOURNEYS_SMTP_HOST": "127.0.0.1",
        "JOURNEYS_SMTP_PORT": str(lines["mail"].port),
        "JOURNEYS_PUBLIC_URL": "https://go.example.com",
        "JOURNEYS_LOG_FORMAT": "json",
        "JOURNEYS_LOG_LEVEL": "warning",
    }
    port, monitoring = free_port(), free_port()
    async with AsyncExitStack() as stack:
        for line in lines.values():
            await line.join()
            stack.push_async_callback(line.cut)
        api = await stack.enter_async_context(running("serve", "--port", str(port), **environment))
        worker = await stack.enter_async_context(running("worker", "--port", str(monitoring), **environment))
        reading = [asyncio.create_task(read_on(one)) for one in (api, worker)]
        stack.callback(lambda: [each.cancel() for each in reading])
        clients = [
            await stack.enter_async_context(
                httpx2.AsyncClient(
                    base_url=f"http://127.0.0.1:{each}",
                    trust_env=False,
                    headers={"Authorization": f"Bearer {key}"},
                )
            )
            for each in (port, monitoring)
        ]
        http = clients[0]
        await asyncio.gather(*map(until_ready, clients))
        before = [len(one.lines) for one in (api, worker)]
        assert await signed_up(http, range(10)) == 201
        people = 10
        await lines[what].cut()
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(min(SECONDS / 4, 5))
        for each in clients:
            status, said = await ready(each)
            assert status == (200 if what == "mail" else 503), (what, said)
            assert (await each.get("/health")).status_code == 200
        if what == "database":
            assert await signed_up(http, range(people, people + 5)) == 503
        else:
            assert await signed_up(http, range(people, people + 5)) == 201
            people += 5
        await asyncio.sleep(max(SECONDS - (asyncio.get_running_loop().time() - began), 0))
        await lines[what].join()
        async with asyncio.timeout(120):
            while {(await ready(each))[0] for each in clients} != {200}:
                await asyncio.sleep(0.5)
        assert await signed_up(http, range(people, people + 5)) == 201
        people += 5
        await all_have(mailbox, people, 2)
        for one, start in zip((api, worker), before, strict=True):
            said = one.lines[start:]
            assert len(said) <= MOST_LINES, "\n".join([what, *said])
            assert all("Traceback" not in each for each in said)
            events = [json.loads(each)["event"] for each in said if each.startswith("{")]
            if what == "database":
                assert {"gone", "back"} <= set(events), (what, said)
        got = Counter(mail.recipients[0] for mail in mailbox.mails)
        assert set(got.values()) == {2}, got
        assert len(got) == people
        assert await db.pool.fetchval("select count(*) from entries where ended is null") == 0
