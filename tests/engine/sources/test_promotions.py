"""Promotion codes: one for each send, also with repetitions, kills and concurrent charges."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.ports import NullNotifier
from journeys.engine.sources import promotions
from journeys.engine.sources.promotions import Full, charge, fill, forget, lists
from journeys.engine.store import Database
from journeys.engine.workspaces.published import Published
from tests import forked
from tests.crashing import Crash, Crashing, CrashingChannel, Fuse
from tests.receiver import Receiver
from tests.stage import MONDAY, Stage, canvas, stage_on

MONTH = timedelta(days=30)
STORY = canvas(
    "  - {type: message, id: one, channel: webhook, template: hook}\n"
    "  - {type: message, id: two, channel: webhook, template: hook}",
    more="reentry: {after: 0 days}",
)


def hook(url: str) -> str:
    return f"""
---
kind: template
format: 1
name: hook
channel: webhook
url: "{url}/hook"
body:
  code: "{{% promotion('spring') %}}"
  again: "{{% if true %}}{{% promotion('spring') %}}{{% else %}}{{% promotion('vip') %}}{{% endif %}}"
"""


async def filled(stage: Stage, count: int, *names: str) -> None:
    for name in names or ("spring", "vip"):
        codes = (f"{name}-{n:05}" for n in range(count))
        await fill(stage.db, stage.workspace, name, stage.clock.now() + MONTH, codes)


async def charged(db: Database, name: str = "spring") -> dict[str, str]:
    """The codes that are charged, by send."""
    rows = await db.pool.fetch(
        "select send, code from promotion_codes where send is not null and list = $1", name
    )
    return dict(rows)


# Lists ---------------------------------------------------------------------------------------------------------


async def test_codes_are_added_to_a_list_once(db: Database) -> None:
    """P4: a code that the list has, charged or not, is not given out anew."""
    stage = await stage_on(db, STORY)
    ends = MONDAY + MONTH
    first = await fill(db, stage.workspace, "spring", ends, ["a", "b", "b"])
    await charge(db.pool, stage.workspace, uuid4(), "s1", ["spring"], MONDAY)
    second = await fill(db, stage.workspace, "spring", ends + MONTH, ["a", "b", "c"])

    assert (first.read, first.added, second.read, second.added) == (3, 2, 3, 1)
    [spring] = await lists(db.pool, stage.workspace)
    assert spring == {"name": "spring", "expires": ends + MONTH, "unused": 2, "charged": 1}
    assert await lists(db.pool, stage.workspace + 1) == []


async def test_a_list_has_its_limits(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """P4: six months, 20 million unused codes, one who fills it at a time."""
    stage = await stage_on(db, STORY)
    assert promotions.MOST_UNUSED == 20_000_000
    for wrong in (MONDAY, MONDAY - MONTH, MONDAY + timedelta(days=185)):
        with pytest.raises(Full):
            promotions.end_of(wrong, MONDAY)
    assert promotions.end_of(MONDAY + timedelta(days=184), MONDAY)

    monkeypatch.setattr(promotions, "MOST_UNUSED", 12_000)
    with pytest.raises(Full, match="12,000 unused"):
        await filled(stage, 12_001, "spring")
    held = promotions.filling(db, stage.workspace, "vip", MONDAY + MONTH, ["a"])
    await anext(held)
    with pytest.raises(Full, match="another process"):
        await filled(stage, 1, "vip")
    await held.aclose()
    await filled(stage, 1, "vip")


async def test_lists_are_forgotten_half_a_year_after_their_end_and_others_stay(db: Database) -> None:
    stage = await stage_on(db, STORY)
    await filled(stage, 3)
    await charge(db.pool, stage.workspace, uuid4(), "s1", ["vip"], MONDAY)
    await fill(db, stage.workspace, "vip", MONDAY + 2 * MONTH, [])

    await forget(db.pool, MONDAY + MONTH + promotions.KEPT)
    assert len(await lists(db.pool, stage.workspace)) == 2
    await forget(db.pool, MONDAY + MONTH + promotions.KEPT + timedelta(seconds=1), most=2)
    assert [one["unused"] for one in await lists(db.pool, stage.workspace)] == [1, 2]
    await forget(db.pool, MONDAY + MONTH + promotions.KEPT + timedelta(seconds=1))
    assert [one["name"] for one in await lists(db.pool, stage.workspace)] == ["vip"]
    assert len(await charged(db, "vip")) == 1


# Charging ------------------------------------------------------------------------------------------------------


async def test_the_same_send_gets_the_same_codes_however_many_ask_at_once(db: Database) -> None:
    """P2: 60 sends, each charged by four at the same time, in orders of their own, some of them cut off."""
    stage = await stage_on(db, STORY)
    await filled(stage, 100)
    person = uuid4()
    sends = [f"send-{n}" for n in range(60)]
    got: dict[tuple[str, str], set[str]] = {}

    async def worker(seed: int) -> None:
        lots = random.Random(seed)
        async with Database.at(db.url, size=3) as mine:
            for send in lots.sample(sends, len(sends)):
                names = lots.sample(["spring", "vip"], 2)
                asking = asyncio.create_task(charge(mine.pool, stage.workspace, person, send, names, MONDAY))
                if lots.random() < 0.3:
                    await asyncio.sleep(lots.random() * 0.003)
                    asking.cancel()
                    await asyncio.wait([asking])
                    asking = asyncio.create_task(
                        charge(mine.pool, stage.workspace, person, send, names, MONDAY)
                    )
                for name, code in (await asking).items():
                    got.setdefault((send, name), set()).add(code)

    await asyncio.gather(*(worker(seed) for seed in range(4)))

    assert len(got) == 120
    assert all(len(codes) == 1 for codes in got.values())
    assert len({code for codes in got.values() for code in codes}) == 120
    assert len(await charged(db)) == len(await charged(db, "vip")) == 60


async def test_a_code_that_somebody_gives_back_is_not_missed(db: Database) -> None:
    """P3: a list is empty only where no code is left; what another holds in an open transaction may yet be left."""
    stage = await stage_on(db, STORY)
    await filled(stage, 1, "spring")
    async with db.pool.acquire() as connection:
        held = connection.transaction()
        await held.start()
        await charge(connection, stage.workspace, uuid4(), "gone", ["spring"], MONDAY)
        asking = asyncio.create_task(charge(db.pool, stage.workspace, uuid4(), "mine", ["spring"], MONDAY))
        await asyncio.sleep(0.1)
        assert not asking.done()
        await held.rollback()

    assert await asking == {"spring": "spring-00000"}
    with pytest.raises(promotions.NoCode):
        await charge(db.pool, stage.workspace, uuid4(), "late", ["spring"], MONDAY)


async def test_the_last_codes_go_to_as_many_sends_as_there_are(db: Database) -> None:
    """P2, P3: 40 codes for 60 sends, each charged by three at once: 40 get one, 20 none, whoever asks."""
    stage = await stage_on(db, STORY)
    await filled(stage, 40, "spring")
    person = uuid4()
    got: dict[str, set[str]] = {}

    async def worker(seed: int) -> None:
        lots = random.Random(seed)
        async with Database.at(db.url, size=6) as mine:

            async def one(send: str) -> None:
                try:
                    codes = await charge(mine.pool, stage.workspace, person, send, ["spring"], MONDAY)
                except promotions.NoCode as refused:
                    codes = {"spring": refused.code}
                got.setdefault(send, set()).add(codes["spring"])

            sends = [f"send-{n}" for n in range(60)]
            lots.shuffle(sends)
            for at in range(0, 60, 6):
                await asyncio.gather(*(one(send) for send in sends[at : at + 6]))

    await asyncio.gather(*(worker(seed) for seed in range(3)))

    assert all(len(codes) == 1 for codes in got.values()), got
    codes = [code for each in got.values() for code in each if code != "promo_codes_exhausted"]
    assert (len(got), len(codes), len(set(codes))) == (60, 40, 40)


async def test_a_list_of_one_workspace_is_none_of_another(db: Database) -> None:
    stage, other = await stage_on(db, STORY), await stage_on(db, STORY, workspace="other")
    await filled(stage, 3, "spring")

    with pytest.raises(promotions.NoCode) as refused:
        await charge(db.pool, other.workspace, uuid4(), "s", ["spring"], MONDAY)
    assert refused.value.code == "promo_codes_unknown"


# Delivery ------------------------------------------------------------------------------------------------------


async def queued(stage: Stage, count: int) -> None:
    """So many people who are to get two messages each."""
    for _ in range(count):
        for entry in await stage.enter(await stage.person()):
            await stage.burst(entry)


def delivery_worker(db: Database, stage: Stage, channel: Any) -> DeliveryWorker:
    return DeliveryWorker(
        db, Published(db), stage.clock, NullNotifier(), NullNotifier(), {"webhook": channel}
    )


async def at_once(db: Database) -> None:
    """Leases are over, and repetitions due."""
    await db.pool.execute(
        "update dispatches d set not_before = null, lease = now() - interval '1 second' from (select key from dispatches "
        "order by no for update skip locked) free where d.key = free.key"
    )


def codes_of(receiver: Receiver) -> dict[str, set[str]]:
    """The codes that arrived, by message."""
    found: dict[str, set[str]] = {}
    for call in receiver.calls:
        assert call["body"]["code"] == call["body"]["again"]
        found.setdefault(call["headers"]["idempotency-key"], set()).add(call["body"]["code"])
    return found


async def test_a_crash_at_any_point_charges_each_send_one_code(db: Database, receiver: Receiver) -> None:
    """P2, P3: after every statement and every call; both lists are charged, the branch not taken too."""
    stage = await stage_on(db, STORY + hook(receiver.url))
    await filled(stage, 200)
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    await channel.open()
    point = crashes = 0
    while True:
        await queued(stage, 1)
        fuse = Fuse()
        fuse.blows_at = point
        crashed = False
        while await db.pool.fetchval("select count(*) from dispatches"):
            try:
                mine = Crashing(db, fuse)
                await delivery_worker(mine, stage, CrashingChannel(channel, fuse)).drain_once("webhook")
            except Crash:
                crashed = True
                crashes += 1
            await at_once(db)
        if not crashed:
            break
        point += 1
    await channel.close()

    sends = 2 * (point + 1)
    print(f"{crashes} crashes, {sends} sends")
    assert point >= 6
    assert sum("update promotion_codes" in each or "with free" in each for each in fuse.points) == 4
    codes = codes_of(receiver)
    assert len(codes) == len(await charged(db)) == len(await charged(db, "vip")) == sends
    assert all(len(each) == 1 for each in codes.values())
    assert len({code for each in codes.values() for code in each}) == sends


async def test_a_send_that_fails_keeps_its_code_for_the_repetition(db: Database, receiver: Receiver) -> None:
    """P3: not given back either, when it fails for good."""
    stage = await stage_on(db, STORY + hook(receiver.url))
    await filled(stage, 10)
    await queued(stage, 1)
    receiver.statuses = [503, 503, 400, 503]
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    await channel.open()
    while await db.pool.fetchval("select count(*) from dispatches"):
        await delivery_worker(db, stage, channel).drain_once("webhook")
        await at_once(db)
    await channel.close()

    facts = Counter(
        row[0] for row in await db.pool.fetch("select fact from facts where dispatch is not null")
    )
    assert (facts["sent"], facts["failed"]) == (1, 1)
    assert len(receiver.calls) == 5
    codes = codes_of(receiver)
    assert sorted(len(each) for each in codes.values()) == [1, 1]
    assert len(await charged(db)) == 2


DRAIN = """
import asyncio, sys
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.clock import Clock
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.ports import NullNotifier
from journeys.engine.workspaces.published import Published
from journeys.engine.store import Database

async def main():
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8", lanes=2))
    async with Database.at(sys.argv[1], size=4) as db:
        async with DeliveryWorker(db, Published(db), Clock(), NullNotifier(), NullNotifier(), {"webhook": channel}) as worker:
            print("up", flush=True)
            while True:
                if not await worker.drain_once("webhook", 20):
                    await asyncio.sleep(0.02)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_processes_that_are_killed_charge_each_send_one_code(db: Database, receiver: Receiver) -> None:
    """Three processes deliver at once, one after the other is killed; receivers fail now and then."""
    people, draws = 120, random.Random(11)
    stage = await stage_on(db, STORY + hook(receiver.url))
    for name in ("spring", "vip"):
        codes = (f"{name}-{n}" for n in range(1000))
        await fill(db, stage.workspace, name, datetime.now(UTC) + MONTH, codes)
    receiver.statuses = [draws.choice([200, 200, 503]) for _ in range(800)]
    receiver.delay = 0.15
    await queued(stage, people)

    async def started() -> forked.Forked:
        process = await forked.python("-c", DRAIN, db.url, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"up\n"
        return process

    pack = list(await asyncio.gather(*(started() for _ in range(3))))
    starting: list[asyncio.Task[forked.Forked]] = []
    killed = 0
    try:
        while await db.pool.fetchval("select count(*) from dispatches"):
            await asyncio.sleep(draws.uniform(0.2, 0.4))
            pack += [each.result() for each in starting if each.done()]
            starting = [each for each in starting if not each.done()]
            if len(pack) > 1 and killed < 8:
                victim = pack.pop(0)
                victim.send_signal(signal.SIGKILL)
                await victim.wait()
                killed += 1
                starting.append(asyncio.create_task(started()))
            await at_once(db)
    finally:
        for process in [*pack, *await asyncio.gather(*starting)]:
            process.kill()
            await process.wait()

    codes = codes_of(receiver)
    sent = await db.pool.fetchval("select count(*) from facts where fact in ('sent', 'failed')")
    print(f"{killed} processes killed, {len(receiver.calls)} calls for {len(codes)} messages")
    assert killed >= 3
    assert sent == len(codes) == len(await charged(db)) == len(await charged(db, "vip")) == 2 * people
    assert all(len(each) == 1 for each in codes.values())
    assert len({code for each in codes.values() for code in each}) == 2 * people
