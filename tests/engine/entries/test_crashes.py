"""A crash after every commit and after every outgoing call: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from journeys.channels.email import Email, SmtpSettings
from journeys.channels.mailbox import Mailbox
from journeys.channels.webhook import Webhook, WebhookSettings
from journeys.engine.core.life import Timers, Word
from journeys.engine.delivery.delivery_worker import DeliveryWorker
from journeys.engine.delivery.settlement_queue import SettlementQueue
from journeys.engine.entries.burst import Bursts
from journeys.engine.entries.burst_calls import Call
from journeys.engine.entries.derived_events import route_derived_events
from journeys.engine.entries.fetching import Fetcher
from journeys.engine.entries.following_changes import FollowingChanges
from journeys.engine.intake.broadcasts import begin
from journeys.engine.intake.track import track
from journeys.engine.intake.triggering import Trigger, Wanted
from journeys.engine.outgoing.guard import networks
from journeys.engine.people.identity import Identifier
from journeys.engine.ports import NullNotifier
from journeys.engine.sources.connected.caller import Caller
from journeys.engine.sources.connected.connected_content import ConnectedContent
from journeys.engine.sources.connected.credentials import Keyring
from journeys.engine.sources.connected.encryption import Sealer
from journeys.engine.store import Database
from journeys.engine.workspaces.canvas_changes import change
from journeys.engine.workspaces.published import Published
from journeys.engine.workspaces.publishing import publish
from journeys.engine.workspaces.template_services import TemplateServices
from tests.crashing import Crash, Crashing, CrashingCalls, CrashingChannel, Fuse
from tests.engine.entries.test_locks import WAITING
from tests.receiver import Receiver
from tests.servers import drop_database
from tests.stage import EMAIL, MONDAY, FakeClock, canvas, definitions_of, see_to_runs, webhook

STEPS = """
  - {{type: message, id: first, channel: {channel}, template: {template}}}
  - {{type: delay, id: wait, duration: 1 day}}
  - type: action_paths
    id: watch
    within: 2 days
    paths:
      - name: liked
        triggers: [{{event: liked}}]
        steps: [{{type: user_update, id: mark, attributes: {{likes: {{increment: 1}}}}, events: [{{name: marked}}]}}]
    otherwise: [{{type: user_update, id: none, attributes: {{likes: 0}}}}]
  - {{type: message, id: second, channel: {channel}, template: {template}}}
"""


def told(steps: str) -> str:
    """A canvas of these steps, whose messages are webhooks."""
    return canvas(steps.format(channel="webhook", template="hook"))


class Life:
    """What processes do, one after the other, each as often as it takes: a crash ends one, the next goes on."""

    def __init__(self, db: Database, fuse: Fuse, channel: Any, text: str, calls: Any = None) -> None:
        self.db = db
        self.calls = calls
        self.fuse = fuse
        self.channel = channel
        self.text = text
        self.clock = FakeClock(MONDAY)
        self.crashes = 0
        self.begin()

    def begin(self) -> None:
        """A new process: nothing is kept in memory."""
        self.fuse.dead = False
        self.mine = Crashing(self.db, self.fuse)
        self.published = Published(self.mine)
        self.bursts = Bursts(self.mine, self.published, self.clock, NullNotifier())
        ways = {self.channel.name: CrashingChannel(self.channel, self.fuse)}
        template_services = TemplateServices(
            None if self.calls is None else CrashingCalls(self.calls, self.fuse)
        )
        parts = self.mine, self.published, self.clock, NullNotifier()
        self.delivery_worker = DeliveryWorker(
            *parts, NullNotifier(), ways, template_services=template_services
        )
        self.fetcher = Fetcher(*parts, template_services)

    async def survive(self, work: Any) -> Any:
        """Do it, and again after a crash, as whoever asked for it would."""
        while True:
            try:
                return await work()
            except Crash:
                self.crashes += 1
                self.begin()
                await self.db.pool.execute(
                    "update dispatches set lease = now() - interval '1 second' where lease is not null"
                )
                await self.db.pool.execute("update fetches set lease = null")

    async def tell(self, body: dict[str, Any]) -> None:
        parts = (NullNotifier(), NullNotifier())
        await self.survive(lambda: track(self.mine, self.published, self.clock, *parts, self.workspace, body))

    async def ring(self, entry: UUID, answered: int) -> None:
        """The burst of an entry."""
        await self.bursts.run({entry: Call(answered, self.clock.now())})

    async def settle(self) -> None:
        """Alarms ring that are due or told of, messages leave, echoes are heard, until nothing moves."""
        while True:
            before = self.crashes
            due = await self.db.pool.fetch(
                "select alarm, max(answered) as answered from entries "
                "where ended is null and (step is null or told < turn or alarm_at <= $1) group by alarm",
                self.clock.now(),
            )
            for row in due:
                await self.survive(lambda row=row: self.ring(row["alarm"], row["answered"]))
            sent = await self.survive(lambda: self.delivery_worker.drain_once(self.channel.name))
            sent += await self.survive(lambda: self.fetcher.drain_once())
            parts = (self.mine, self.published, self.clock, NullNotifier(), NullNotifier())
            derived_events = await self.survive(lambda parts=parts: route_derived_events(*parts))
            if not due and not sent and not derived_events and self.crashes == before:
                return

    async def story(self) -> None:
        """People come in and like things; days go by."""
        self.workspace = (await publish(self.db, "default", definitions_of(self.text))).workspace
        await self.tell(
            {"attributes": [{"external_id": f"p{n}", "email": f"p{n}@example.com"} for n in range(6)]}
        )
        publication = await self.published.of(self.workspace)
        running = publication.running["story"]

        async def announce() -> None:
            async with self.mine.transaction() as connection:
                await begin(connection, publication, running, UUID(int=7), None, {}, self.clock.now())

        await self.survive(announce)

        async def carry() -> None:
            while await self.db.pool.fetchval("select count(*) from runs where ended is null"):
                await see_to_runs(self.mine, self.published, self.clock)

        await self.survive(carry)
        await self.settle()
        self.clock.turn(timedelta(days=1, seconds=2))
        await self.settle()
        self.clock.turn(timedelta(hours=1))
        at = self.clock.now().isoformat()
        await self.tell(
            {
                "events": [
                    {"external_id": f"p{n}", "name": "liked", "time": at, "event_id": "1"} for n in range(3)
                ]
            }
        )
        await self.settle()
        self.clock.turn(timedelta(days=3))
        await self.settle()

    async def outcome(self) -> Any:
        """What is true in the end."""
        ended = await self.db.pool.fetch("select ended, count(*) from entries group by 1")
        facts = await self.db.pool.fetch(
            "select fact, step, count(*) from facts where fact in ('reached', 'took', 'sent', 'ended') group by 1, 2"
        )
        likes = await self.db.pool.fetch("select external_id, attributes from people order by 1")
        events = await self.db.pool.fetch("select kind, name, count(*) from events group by 1, 2")
        left = await self.db.pool.fetchval("select count(*) from dispatches")
        return (
            {tuple(row) for row in ended},
            {tuple(row) for row in facts},
            [(row[0], row[1]) for row in likes],
            {tuple(row) for row in events},
            left,
        )


async def _loaded(
    db: Database,
    template: str,
    postgres: str,
    channel: Any,
    text: str,
    kind: type[Life] = Life,
    calls: Any = None,
    each: int = 1,
) -> tuple[int, Any]:
    """The story without a crash, and then once for every point at which one could matter: until one comes to no point.

    Returns how many points there are, and what comes of the story: the same with each crash.

    `each`: the distance from one such point to the next.

    How many points there are differs by a few from life to life: what comes together is settled together.
    """
    from uuid import uuid4

    from journeys.engine.store.embedded_postgres import create_database

    calm = kind(db, Fuse(), channel, text, calls)
    await calm.story()
    wanted = await calm.outcome()
    for point in itertools.count(step=each):
        name = f"crash_{uuid4().hex[:10]}"
        url = await create_database(postgres, name, template=template)
        async with Database.at(url, size=3) as fresh:
            fuse = Fuse()
            fuse.blows_at = point
            life = kind(fresh, fuse, channel, text, calls)
            await life.story()
            assert await life.outcome() == wanted, (point, fuse.points[point : point + 1])
            if not life.crashes:
                return point, wanted
            assert life.crashes == 1, fuse.points[point : point + 1]
        await drop_database(postgres, name)
    raise AssertionError("there is an end to it")


async def by_webhook(
    db: Database,
    template: str,
    postgres: str,
    receiver: Receiver,
    text: str,
    kind: type[Life] = Life,
    each: int = 1,
) -> tuple[int, Any]:
    """The story of this canvas by webhook: how many points there are, and what comes of it, the same with each crash."""
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    await channel.open()
    text += webhook(receiver.url)
    try:
        count, wanted = await _loaded(db, template, postgres, channel, text, kind, each=each)
    finally:
        await channel.close()
    print(f"{count} points at which a crash could matter")
    return count, wanted


@pytest.mark.slow
async def test_a_crash_at_any_point_loses_nothing_and_doubles_nothing(
    db: Database, template: str, postgres: str, receiver: Receiver
) -> None:
    """Ingestion, admission, burst, echo, delivery by webhook: once at a receiver that honours the key."""
    count, _ = await by_webhook(db, template, postgres, receiver, told(STEPS))

    assert count >= 20
    assert len(receiver.calls) == 12 * (count + 2)


@pytest.mark.slow
async def test_by_mail_at_most_one_message_a_crash_is_in_doubt_and_its_fact_says_so(
    db: Database, template: str, postgres: str, mailbox: Mailbox
) -> None:
    """SMTP knows no key: the mail whose call was under way follows `on_doubt` (send), under the same Message-ID."""
    channel = Email(SmtpSettings(host="127.0.0.1", port=mailbox.port, lanes=1))
    text = canvas(STEPS.format(channel="email", template="hello")) + EMAIL
    count, _ = await _loaded(db, template, postgres, channel, text)
    await channel.close()

    times = Counter(str(mail.message["Message-ID"]) for mail in mailbox.mails)
    doubled = sum(1 for often in times.values() if often > 1)
    assert len(times) == 12 * (count + 2)
    assert max(times.values()) <= 2
    assert 0 < doubled <= 2 * 12
    print(f"{count} points; {doubled} mails were handed over twice, each under its own id")


COUNTED = """
  - {{type: message, id: first, channel: {channel}, template: {template}}}
  - {{type: user_update, id: mark, attributes: {{rounds: {{increment: 1}}}}, events: [{{name: marked}}]}}
  - {{type: message, id: second, channel: {channel}, template: {template}}}
"""


class Leaving(Life):
    """Whoever's alarm rings is locked by somebody else: left out of a burst that others share, and then driven alone."""

    async def ring(self, entry: UUID, answered: int) -> None:
        """Somebody lets go when the burst waits for that."""
        async with self.db.transaction() as other:
            await other.execute("select from people for update")
            burst = asyncio.create_task(self.bursts(entry, Call(answered, self.clock.now())))
            while not burst.done() and not await self.db.pool.fetchval(WAITING):
                await asyncio.sleep(0.005)
        await burst

    async def story(self) -> None:
        self.workspace = (await publish(self.db, "default", definitions_of(self.text))).workspace
        await self.tell({"attributes": [{"external_id": f"p{n}"} for n in range(2)]})
        publication = await self.published.of(self.workspace)
        people = [Wanted(Identifier("external_id", f"p{n}"), {}) for n in range(2)]

        async def trigger() -> None:
            parts = self.mine, self.published, self.clock, NullNotifier(), NullNotifier()
            await Trigger(*parts).named(publication, publication.running["story"], "d1", people, None)

        await self.survive(trigger)
        await self.settle()


@pytest.mark.slow
async def test_a_crash_between_being_left_out_and_being_driven_alone_loses_nothing_and_doubles_nothing(
    db: Database, template: str, postgres: str, receiver: Receiver
) -> None:
    """After each look at somebody who is locked, and after the burst that waited for them."""
    count, wanted = await by_webhook(db, template, postgres, receiver, told(COUNTED), Leaving)

    assert count >= 15
    assert ("sent", "second", 2) in wanted[1]
    assert [row[1] for row in wanted[2]] == [{"rounds": 1}] * 2
    assert len(receiver.calls) == 4 * (count + 2)


ASKING = """
  - type: context
    id: ask
    set: [{{name: word, value: "{{% connected_content {url}/step?who={{{{ ${{braze_id}} }}}} %}}"}}]
  - type: user_update
    id: keep
    attributes:
      kept: {{increment: 1}}
      word: "{{% connected_content {url}/update?who={{{{ ${{braze_id}} }}}} :no_cache %}}"
    events: [{{name: kept, properties: {{by: ["{{% connected_content {url}/event?who={{{{ ${{braze_id}} }}}} :no_cache %}}"]}}}}]
  - {{type: message, id: tell, channel: webhook, template: asks}}
"""
TELLING = """
---
kind: template
format: 1
name: asks
channel: webhook
url: "{url}/told"
body:
  word: "{{{{ context.${{word}} }}}}"
  more: "{{% connected_content {url}/message?who={{{{ ${{braze_id}} }}}} :retry :no_cache %}}"
"""


class Asking(Life):
    """Somebody in a canvas that asks a web service, in steps and in a message; its first answer is always 503."""

    async def settle(self) -> None:
        """Until nothing moves, pauses left out."""
        while True:
            await super().settle()
            paused = 0
            for table in ("dispatches", "fetches"):
                query = f"update {table} set not_before = null where not_before is not null returning 1"
                paused += len(await self.db.pool.fetch(query))
            if not paused:
                return

    async def story(self) -> None:
        self.workspace = (await publish(self.db, "default", definitions_of(self.text))).workspace
        await self.tell({"attributes": [{"external_id": "p0"}]})
        publication = await self.published.of(self.workspace)
        people = [Wanted(Identifier("external_id", "p0"), {})]

        async def trigger() -> None:
            parts = self.mine, self.published, self.clock, NullNotifier(), NullNotifier()
            await Trigger(*parts).named(publication, publication.running["story"], "d1", people, None)

        await self.survive(trigger)
        await self.settle()


@pytest.mark.slow
async def test_a_crash_while_a_web_service_is_asked_loses_nothing_and_doubles_nothing(
    db: Database, template: str, postgres: str, receiver: Receiver
) -> None:
    """C3, C9, UPD-3: whoever is asked may be asked again; what is heard, what is written and what leaves is once."""
    receiver.shy = True
    receiver.replies = {"/step": "a word", "/message": "more", "/update": "size", "/event": "taste"}
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    await channel.open()
    text = canvas(ASKING.format(url=receiver.url)) + TELLING.format(url=receiver.url)
    async with Caller(networks("127.0.0.0/8")) as caller:
        calls = ConnectedContent(caller, Keyring(db, Sealer()))
        count, wanted = await _loaded(db, template, postgres, channel, text, Asking, calls)
    await channel.close()

    print(f"{count} points at which a crash could matter")
    assert count >= 15
    assert {("sent", "tell", 1), ("ended", "tell", 1)} <= wanted[1]
    assert wanted[2:4] == (
        [("p0", {"kept": 1, "word": "size"})],
        {("event", "kept", 1), ("message", "sent", 1)},
    )
    told = [call["body"] for call in receiver.calls if call["path"] == "/told"]
    assert told == [{"word": "a word", "more": "more"}] * (count + 2)


HALTED = """
  - {{type: delay, id: wait, duration: 1 day}}
  - {{type: message, id: m, channel: {channel}, template: {template}}}
"""


class Halting(Life):
    """Two groups wait in a canvas that is stopped, resumed and archived: one is due during the stop, the other after it."""

    async def group(self, name: str) -> None:
        await self.tell({"attributes": [{"external_id": f"{name}{n}"} for n in range(3)]})
        publication = await self.published.of(self.workspace)
        people = [Wanted(Identifier("external_id", f"{name}{n}"), {}) for n in range(3)]

        async def trigger() -> None:
            parts = self.mine, self.published, self.clock, NullNotifier(), NullNotifier()
            await Trigger(*parts).named(publication, publication.running["story"], name, people, None)

        await self.survive(trigger)
        await self.db.pool.execute("update entries set told = turn")  # their workflows have begun

    async def say(self, word: Word) -> None:
        async def command() -> None:
            await change(self.mine, self.workspace, "story", word, at=self.clock.now())

        async def followed() -> None:
            following = FollowingChanges(self.mine, self.bursts, self.clock, NullNotifier())
            await following.unsettled()

        await self.survive(command)
        await self.survive(followed)

    async def story(self) -> None:
        self.workspace = (await publish(self.db, "default", definitions_of(self.text))).workspace
        await self.group("a")
        self.clock.turn(timedelta(hours=12))
        await self.group("b")
        self.clock.turn(timedelta(hours=1))
        await self.say("stop")
        self.clock.turn(timedelta(hours=12))
        await self.say("resume")
        await self.settle()
        self.clock.turn(timedelta(hours=12))
        await self.settle()
        await self.group("c")
        await self.say("archive")
        await self.settle()


@pytest.mark.slow
async def test_a_crash_while_a_canvas_is_stopped_resumed_and_archived_leaves_nobody_behind(
    db: Database, template: str, postgres: str, receiver: Receiver
) -> None:
    """X4, STA-1, STA-2: whoever was due in the stop, whoever was not, and whoever an archive met."""
    count, wanted = await by_webhook(db, template, postgres, receiver, told(HALTED), Halting)

    assert count >= 15
    assert wanted[0] == {("stopped", 3), ("completed", 3), ("archived", 3)}
    assert ("sent", "m", 3) in wanted[1]
    assert len(receiver.calls) == 3 * (count + 2)


@pytest.mark.parametrize("force", [Crash("gone"), asyncio.CancelledError()], ids=["crash", "cancel"])
async def test_whoever_shares_work_that_ends_by_force_hears_of_it(db: Database, force: BaseException) -> None:
    """Bursts and settlements: those that are in it, and those that wait for the next."""
    fuse = Fuse()

    class Ending(Crashing):
        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[Any]:
            async with self._real.transaction() as connection:
                yield connection
            fuse.points.append("commit")
            if len(fuse.points) == 1:
                raise force

    mine = Ending(db, fuse)
    parts = Published(mine), FakeClock(MONDAY), NullNotifier()
    bursts = Bursts(mine, *parts, lanes=1, most=2)
    call = Call(1, MONDAY)
    async with asyncio.timeout(10):
        ends = await asyncio.gather(*(bursts(UUID(int=no), call) for no in range(5)), return_exceptions=True)
        assert [type(end) for end in ends] == [type(force)] * 5
        assert (await bursts(UUID(int=1), call)).alarm_at is None, "and it goes on"

        fuse.points.clear()
        settlements = SettlementQueue(mine, *parts, NullNotifier())
        ends = await asyncio.gather(*(settlements.at_once([]) for _ in range(5)), return_exceptions=True)
        assert [type(end) for end in ends] == [type(force)] * 5
        assert await settlements.at_once([]) is False


async def test_ten_processes_at_once_enter_and_send_once(db: Database, receiver: Receiver) -> None:
    """Bursts of one alarm may overlap, drains too: the lock and the claim decide."""
    text = canvas("  - {type: message, id: m, channel: webhook, template: hook}") + webhook(receiver.url)
    channel = Webhook(WebhookSettings(allowed_networks="127.0.0.0/8"))
    await channel.open()
    loaded_entries = [Life(db, Fuse(), channel, text) for _ in range(10)]
    loaded_entries[0].workspace = (await publish(db, "default", definitions_of(text))).workspace
    await loaded_entries[0].tell({"attributes": [{"external_id": "mel"}]})
    publication = await loaded_entries[0].published.of(loaded_entries[0].workspace)
    trigger = Trigger(
        db, loaded_entries[0].published, loaded_entries[0].clock, NullNotifier(), NullNotifier()
    )
    await trigger.named(
        publication, publication.running["story"], "d1", [Wanted(Identifier("external_id", "mel"))], None
    )
    entry = await db.pool.fetchval("select id from entries")

    await asyncio.gather(*(life.bursts(entry, Call(1, life.clock.now())) for life in loaded_entries))
    await asyncio.gather(*(life.delivery_worker.drain_once("webhook") for life in loaded_entries))
    await channel.close()

    assert len(receiver.calls) == 1
    assert await db.pool.fetchval("select count(*) from facts where fact = 'sent'") == 1


class Pausing(Halting):
    """Three groups meet pauses: one is due in the first, one after it, one comes during the second, which is skipped."""

    async def resume(self, timers: Timers) -> None:
        async def command() -> None:
            await change(self.mine, self.workspace, "story", "resume", at=self.clock.now(), timers=timers)

        async def followed() -> None:
            await FollowingChanges(self.mine, self.bursts, self.clock, NullNotifier()).unsettled()

        await self.survive(command)
        await self.survive(followed)

    async def story(self) -> None:
        self.workspace = (await publish(self.db, "default", definitions_of(self.text))).workspace
        await self.group("a")
        self.clock.turn(timedelta(hours=12))
        await self.group("b")
        self.clock.turn(timedelta(hours=1))
        await self.say("pause")
        self.clock.turn(timedelta(hours=12))
        await self.settle()
        await self.resume("shift")
        await self.settle()
        self.clock.turn(timedelta(hours=11))
        await self.settle()
        self.clock.turn(timedelta(hours=1))
        await self.say("pause")
        await self.group("c")
        self.clock.turn(timedelta(hours=12))
        await self.resume("skip")
        await self.settle()
        self.clock.turn(timedelta(hours=24))
        await self.settle()

    async def settle(self) -> None:
        """The alarms of the parked are not looked at: their bursts reply a far instant."""
        status = await self.db.pool.fetchval("select status from canvases")
        if status == "active":
            await super().settle()
            return
        for row in await self.db.pool.fetch(
            "select id, answered from entries where ended is null and alarm_at <= $1", self.clock.now()
        ):
            await self.survive(
                lambda row=row: self.bursts.run({row["id"]: Call(row["answered"], self.clock.now())})
            )

    async def outcome(self) -> Any:
        instants = await self.db.pool.fetch(
            "select fact, step, at, count(*) from facts where fact in ('reached', 'withdrawn') group by 1, 2, 3"
        )
        return *(await super().outcome()), {tuple(row) for row in instants}


@pytest.mark.slow
async def test_a_crash_while_a_canvas_is_paused_and_resumed_moves_each_timer_once_and_leaves_nobody_behind(
    db: Database, template: str, postgres: str, receiver: Receiver
) -> None:
    """STA-2, STA-3: those who waited, those who came meanwhile, those whose message is skipped."""
    count, wanted = await by_webhook(db, template, postgres, receiver, told(HALTED), Pausing)

    assert count >= 15
    assert wanted[0] == {("completed", 9)}
    due = {name: MONDAY + timedelta(hours=hours) for name, hours in (("a", 36), ("b", 48), ("c", 73))}
    assert {row for row in wanted[5] if row[1] == "m"} == {
        ("reached", "m", due["a"], 3),
        ("reached", "m", due["b"], 3),
        ("withdrawn", "m", due["b"], 3),
        ("reached", "m", due["c"], 3),
    }
