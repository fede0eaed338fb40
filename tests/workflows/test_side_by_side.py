"""An upgrade without a stop: processes of a former version and of this one on one database, and nothing lost or doubled."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from journeys.channels.mailbox import Mailbox
from journeys.engine.clock import Clock
from journeys.engine.store import Database, migrate
from journeys.engine.store.embedded_postgres import create_database
from journeys.engine.store.health_checks import PROCESSES, SCHEMA, Examined, examine
from journeys.workflows.temporal_server import free_port
from tests import former
from tests.cli.test_servers import Running

STORY = """
kind: canvas
format: 1
name: welcome
schedule: {event: signed_up}
conversions:
  - {name: bought, event: bought, within: 1 day}
steps:
  - {type: message, id: hello, channel: email, template: hello}
  - {type: delay, id: wait, duration: 4 seconds}
  - type: action_paths
    id: watch
    within: 16 seconds
    paths:
      - name: bought
        triggers: [{event: bought}]
        steps:
          - {type: message, id: thanks, channel: email, template: thanks}
  - {type: message, id: finish, channel: email, template: end}
---
kind: canvas
format: 1
name: ticket
schedule: {api: true}
reentry: {after: 0 days}
steps:
  - {type: message, id: ticket, channel: email, template: ticket}
  - {type: user_update, id: note, attributes: {had: true}, events: [{name: had_ticket}]}
"""

TEMPLATE = """
---
kind: template
format: 1
name: {0}
channel: email
sender: {{name: The Desk, address: desk@example.com}}
subject: "{0}"
html: |
  <p>Dear reader. <a href="{{{{${{set_user_to_unsubscribed_url}}}}}}">Unsubscribe</a></p>
"""

PEOPLE = int(os.environ.get("JOURNEYS_UPGRADES", "0"))
"""How many people come in all."""

BUYS_AFTER = 8.0
"""Seconds from the sign-up of every second person to what they buy, in the middle of the time for it."""


@dataclass
class Traffic:
    """People who sign up, buy and order tickets at the addresses of the APIs, in turns; who is refused for now repeats."""

    key: str
    canvas: str
    """The id of the one that is triggered."""
    bases: list[str]
    people: int = 0
    buyers: set[int] = field(default_factory=set)
    repeated: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def come(self, count: int) -> None:
        """So many people, twenty a second."""
        for _ in range(count):
            self.people += 1
            self._tasks.append(asyncio.create_task(self._live(self.people)))
            await asyncio.sleep(0.05)

    async def gone(self) -> None:
        """All of them have done what they do."""
        await asyncio.gather(*self._tasks)

    async def _live(self, one: int) -> None:
        at = datetime.now(UTC)
        address = {"external_id": f"p{one}", "email": f"p{one}@example.com"}
        await self._post(
            "/users/track", {"attributes": [address], "events": [self._event(one, "signed_up", at)]}
        )
        body = {
            "canvas_id": self.canvas,
            "recipients": [{"external_user_id": f"p{one}"}],
        }
        await self._post("/canvas/trigger/send", body, {"Idempotency-Key": f"t{one}"})
        if one % 2:
            self.buyers.add(one)
            await asyncio.sleep(BUYS_AFTER)
            later = at + timedelta(seconds=BUYS_AFTER)
            await self._post("/users/track", {"events": [self._event(one, "bought", later)]})

    @staticmethod
    def _event(one: int, name: str, at: datetime) -> dict[str, str]:
        return {"external_id": f"p{one}", "name": name, "time": at.isoformat(), "event_id": f"{name}-{one}"}

    async def _post(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        for tried in range(100):
            base = self.bases[(self.people + tried) % len(self.bases)]
            headers = {"Authorization": f"Bearer {self.key}", **(headers or {})}
            try:
                async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=30) as http:
                    answer = await http.post(path, json=body, headers=headers)
            except httpx2.TransportError:
                answer = None
            if answer is not None and answer.status_code == 201:
                return
            assert answer is None or answer.status_code == 503, (answer.status_code, answer.text)
            self.repeated += 1
            await asyncio.sleep(0.2)
        raise AssertionError(f"{path} is never taken")


async def quiet(one: Running) -> None:
    """It goes on talking, so that it does not wait for a reader."""
    assert one.process.stdout is not None
    async for line in one.process.stdout:
        one.lines.append(line.decode())


async def until(question: Callable[[], Any], what: str, seconds: float = 120) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while not await question():
        assert asyncio.get_running_loop().time() < ends, what
        await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not PEOPLE, reason="`make upgrades` runs it")
@pytest.mark.skipif(not former.there(), reason="this is no clone with the former version's commit")
async def test_a_former_version_goes_on_while_this_one_migrates_and_takes_over(
    postgres: str, temporal: str, mailbox: Mailbox, apart: Path
) -> None:
    """Its API takes people in and its worker moves them on this version's schema, alone and then side by side."""
    old, new = await asyncio.to_thread(former.python), sys.executable
    url = await create_database(postgres, f"journeys_{uuid4().hex[:12]}")
    definitions = apart / "definitions"
    definitions.mkdir()
    templates = "".join(TEMPLATE.format(name) for name in ("hello", "thanks", "end", "ticket"))
    (definitions / "all.yaml").write_text(STORY + templates)
    environment = {
        "DATABASE_URL": url,
        "TEMPORAL_ADDRESS": temporal,
        "JOURNEYS_TASK_QUEUE": f"beside-{uuid4().hex[:8]}",
        "JOURNEYS_SMTP_HOST": "127.0.0.1",
        "JOURNEYS_SMTP_PORT": str(mailbox.port),
        "JOURNEYS_PUBLIC_URL": "https://go.example.com",
    }

    async def command(*words: str) -> str:
        async with former.process(old, *words, cwd=apart, **environment) as one:
            out, _ = await one.process.communicate()
            assert one.process.returncode == 0, out.decode()
            return out.decode()

    await command("publish", str(definitions))
    key = (await command("keys", "create", "--name", "test", "--all")).split()[-1]
    async with AsyncExitStack() as stack, Database.at(url, size=3) as db:
        assert await db.pool.fetchval("select version_num from alembic_version") == "0006"
        canvas = str(await db.pool.fetchval("select id from canvases where name = 'ticket'"))

        async def started(interpreter: Any, *words: str, says: str) -> Running:
            one = await stack.enter_async_context(
                former.process(interpreter, *words, cwd=apart, **environment)
            )
            await one.says(says)
            stack.callback(asyncio.create_task(quiet(one)).cancel)
            return one

        async def mails(subject: str, count: int) -> bool:
            return sum(mail.message["Subject"] == subject for mail in mailbox.mails) >= count

        first, second = free_port(), free_port()
        old_worker = await started(old, "worker", says="working on")
        old_api = await started(old, "serve", "--port", str(first), says="listens on")
        traffic = Traffic(key, canvas, [f"http://127.0.0.1:{first}"])

        # the former version alone, and the schema changes under it
        coming = asyncio.create_task(traffic.come(PEOPLE // 3))
        await asyncio.sleep(0.5)
        await migrate(url)
        await coming
        await traffic.come(PEOPLE // 6)
        for subject in ("hello", "ticket"):
            had = partial(mails, subject, traffic.people)
            await until(had, "the former version to deliver on the new schema")

        # side by side
        new_worker = await started(new, "worker", says="working on")
        new_api = await started(new, "serve", "--port", str(second), says="listens on")
        traffic.bases.append(f"http://127.0.0.1:{second}")
        await traffic.come(PEOPLE // 3)
        [schema, processes] = await examine(Examined(db, Clock()), [SCHEMA, PROCESSES], fix=False)
        assert (schema.todo, processes.todo) == ("", "")

        # this version alone
        traffic.bases.pop(0)
        for one in (old_api, old_worker):
            one.process.terminate()
            assert await asyncio.wait_for(one.process.wait(), 60) == 0
        await traffic.come(PEOPLE // 6)
        await traffic.gone()

        async def all_ended() -> bool:
            left = "select (select count(*) from entries where ended is null) + (select count(*) from dispatches)"
            return bool(await db.pool.fetchval(left) == 0)

        await until(all_ended, "all entries to end")
        everybody = range(1, traffic.people + 1)
        wanted = Counter(
            (f"p{one}@example.com", subject)
            for one in everybody
            for subject in ("hello", "ticket", "end", *(["thanks"] if one in traffic.buyers else []))
        )
        got = Counter((mail.recipients[0], str(mail.message["Subject"])) for mail in mailbox.mails)
        assert got == wanted
        ended = await db.pool.fetch("select canvas, ended, count(*) from entries group by 1, 2 order by 1")
        assert [tuple(row) for row in ended] == [
            ("ticket", "completed", traffic.people), ("welcome", "completed", traffic.people),
        ]  # fmt: skip
        counts = dict(
            await db.pool.fetch("select name, count(*) from events where kind = 'event' group by 1")
        )
        assert counts == {
            "signed_up": traffic.people, "bought": len(traffic.buyers), "had_ticket": traffic.people,
        }  # fmt: skip
        credited = await db.pool.fetchval("select count(*) from conversions where at is not null")
        assert credited == len(traffic.buyers)
        sent = await db.pool.fetchval(
            "select max(n) from (select count(*) as n from facts where fact = 'sent' group by dispatch) s"
        )
        assert sent == 1
        late = await db.pool.fetch(
            "select fact, count(*) from facts where fact = any($1) group by 1",
            ["late", "late_event", "overdue", "failed"],
        )
        assert late == []
        for one in (new_worker, new_api):
            one.process.terminate()
            assert await asyncio.wait_for(one.process.wait(), 60) == 0
    said = "".join(line for one in (old_worker, old_api, new_worker, new_api) for line in one.lines)
    assert "Traceback" not in said
    print(f"{traffic.people} people, {len(mailbox.mails)} mails, {traffic.repeated} calls repeated")
